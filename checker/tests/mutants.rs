//! Every mutant dies of the properties that it must break, in as many actions as are written here.
//!
//! A changed length is a changed model: explain it in the commit that changes it.

use std::sync::LazyLock;

use sextant::diagnosis::Diagnosis;
use sextant::explore::Death;
use sextant::explore::catalogue::{Mutant, mutants};
use sextant::lockstep::{Failure, Stage, replay};

/// Shortest traces, by mutant and property. `whole` is the number of states of an equivalent mutant.
const FATES: &str = "
M1 S1 10
M2 S1 11
M3 S1 12, S9 12
M4 S1 12, S9 12
M5 S1 13, S10 3
M6 S1 13
M7 S1 16
M8 S1 12, S11 3
M9 S12 6
M10 S15 9, S4 20
M10' whole 379570
M11 S4 17
M12 S4 20
M13 S3 17, S7 17
M14 S5 16, S5b 16
M15 S5 8
M16 S5b 8
M17 S1 13, S14 1
M18 S1 13, S10 3
M19 S13 1
M54 S1 12, S9 12
M56 S33 13
M57 S33 15
M58 S33 17
M59 S33 14
M60 S1 26, S3 25
M61 L1 21, L2 20, L3 21
M62 S12 6
M72 L12 7
M36 S27 10, S29 9
M36' S27 10, S29 9
M37 S29 11
M37' S29 11
M38 S29 11
M39 S27 11
M40 S2 15
M41 S27 8, S9 15
M42 S27 17
M42' S27 15
M43 S28 2
M43' L10 8
M44 S32 3
M45 S27 2
M46 S19 3
M47 S27 9
M55 S2 11, S27 11
M36'' S1 15
M68 L5 16
M68' L7 6
M18' S27 6
M40' S27 7
M69 L5 13
M64 S30 7
M20 S6 10
M21 S6 5
M22 S8 11
M23 S1 21, S2 14, S3 21
M24 L1 7, L9 7
M26 L11 7
M48 S1 15, S31 6
M53 whole 256531
M53' S1 21
M63 S1 15, S9 15
M65 L4 20
M25 S20 8, S21 8
M27 S17 7
M28 S20 10, S21 10
M29 S18 3, S4 14
M30 S22 2
M31 S23 10
M32 S24 8
M33 S24 8
M34 S23 9
M35 S20 4, S25 2
M52 S17 8
M66 L8 8
M67 S19 7
M49 S1 14, S13 2
M50 S4 15, S7 15
M70 whole 103490
M71 L3 3
M51 S26 10
M51' S26 11
M80 S26 2
M81 S26 5
M82 L8 6
M1c S26 15
M2c S26 15
M3c S26 17
M4c S26 17
M5c S26 18
M6c S26 18
M7c S26 22
M8c S26 17
M17c S26 18
M18c S26 18
M54c S26 17
M56c S26 14
M57c S26 16
M58c S26 18
MR1 R1 3
MR2 R1 3, R3 4
MR3 R1 3
MR4 R2 4
MR5 R2 4
MR6 R1 6, R4 4
MR7 R1 7
MR8 R1 9
MR9 R1 4
MR10 R1 3
MR11 R3 5
MR12 R5 4
MR13 R5 3
MR14 R5 5
MR15 LR2 1
MR16 R6 9
MR17 R6 4
MR18 LR1 1
MF1 F1 8
MF2 F1 10
MF3 F1 8
MF4 F1 8
MF5 F1 5
MF6 F2 6
MF7 F3 3
MF8 F2 6
MF9 LF1 7
MF10 F7 8
MF11 F8 4
MF12 F4 5, LF2 5
MF13 F3 7
MF14 F8 8
MF15 F3 9
MF16 F5 4
MF17 F3 9
MF18 F7 6
MF19 F6 7
MF20 F3 12
";

/// All of them, judged once for both tests.
static DEATHS: LazyLock<Vec<Death>> =
    LazyLock::new(|| mutants().iter().map(|mutant| mutant.judge(2).expect("the explorer works").death).collect());

fn fate(mutant: &Mutant, death: &Death) -> String {
    let what = match death {
        Death::Caught(all) => {
            let each: Vec<_> = all.iter().map(|(id, c)| format!("{id} {}", c.length())).collect();
            each.join(", ")
        }
        Death::Equivalent(explored) => format!("whole {}", explored.unique_states),
        Death::Survived { reason } => format!("SURVIVED: {reason}"),
    };
    format!("{} {what}", mutant.id)
}

#[test]
fn every_mutant_dies_of_what_it_must_break() {
    let found: Vec<String> = mutants().iter().zip(&*DEATHS).map(|(mutant, death)| fate(mutant, death)).collect();
    let expected: Vec<&str> = FATES.trim().lines().collect();
    assert_eq!(found, expected, "\nfound:\n{}\n", found.join("\n"));
}

/// Judged on the fault-free suffix, which no record shows.
const LIVENESS: [&str; 5] = ["L1", "L2", "L3", "L4", "L12"];

/// Here the model's shortest way writes a kept record back to a segment while no segment has answered TRUNC; the writer that runs
/// writes back only to those that have.
const NEVER_SENT: [(&str, &str); 2] = [("M9", "S12"), ("M62", "S12")];

/// The shortest counterexamples of the core violate the same property when the storage nodes and writers themselves take their
/// actions, in this process and as processes.
#[test]
fn every_counterexample_of_the_core_happens_to_the_actors() {
    let core = mutants().iter().zip(&*DEATHS).filter(|(mutant, _)| mutant.area.name() == "core");
    let (mut acted, mut failed) = (0, Vec::new());
    for (mutant, death) in core {
        let Death::Caught(found) = death else { continue };
        for (&property, counterexample) in found.iter().filter(|(property, _)| !LIVENESS.contains(property)) {
            for stage in [Stage::Simulated, Stage::Real { executable: env!("CARGO_BIN_EXE_sextant").into() }] {
                let dir = tempfile::tempdir().unwrap();
                let happened = replay(&counterexample.case, &stage, dir.path());
                let told = format!("{} {property} {stage:?}: {happened:?}", mutant.id);
                match happened {
                    Err(Failure::NeverSent(_)) if NEVER_SENT.contains(&(mutant.id, property)) => {}
                    Ok(happened) if happened.as_expected => {
                        assert_eq!(happened.conformance.diagnosis(), Some(Diagnosis::Protocol), "{told}");
                        acted += 1;
                    }
                    _ => failed.push(told),
                }
            }
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
    // 35 counterexamples on two stages.
    assert_eq!(acted, 70);
}

#[test]
fn ids_are_unique_and_only_equivalent_mutants_break_nothing() {
    for (i, mutant) in mutants().iter().enumerate() {
        assert!(mutants()[..i].iter().all(|m| m.id != mutant.id), "{} twice", mutant.id);
        assert_eq!(mutant.breaks.is_empty(), mutant.equivalent.is_some(), "{}", mutant.id);
    }
}
