//! Simulated failures made cases of the core: a few actions, of which none can be left out, that violate the same property on the
//! model and when the storage nodes and writers take them.

use std::path::Path;
use std::process::Command;

use sextant::explore::case::Case;
use sextant::explore::catalogue::{self, Walk};
use sextant::lockstep::{Stage, replay};
use sextant::schedule::Shrunk;
use sextant::simulate::{case_of, judge, shortest_of, shrink};
use sextant_model::mutants;
use sextant_storage::sim::{ExecutorMistake, FaultKind, Options, Plan};

fn found(seed: u64, options: Options) -> Result<Shrunk, String> {
    let judged = judge(seed, &Plan::drawn(seed, 10, 4000, &FaultKind::ALL), &options);
    assert!(judged.violation.is_some(), "seed {seed} shows nothing");
    case_of(&shrink(judged, options).judged, &options)
}

fn mutant(id: &str) -> Options {
    Options::new(mutants::by_id(id).unwrap().rules)
}

fn walk(case: &Case) -> Option<Walk> {
    catalogue::open(case).unwrap().walk(&case.actions).ok()
}

fn is_violated(case: &Case) -> bool {
    let violates = case.violates.as_deref().unwrap();
    walk(case).is_some_and(|walk| walk.violated.iter().any(|(property, _)| property.id == violates))
}

/// By mutant and seed: the property, and how many actions are left. M11 annuls in two recoveries, M13 and M14 too; M18 loses a disk, M5
/// and M17 the unsynced; M56 was seen by clients alone, and by two writers that one can stand for.
const LEFT: [(&str, u64, &str, usize); 9] = [
    ("M1", 1, "S1", 10),
    ("M3", 0, "S1", 12),
    ("M5", 14, "S10", 3),
    ("M8", 0, "S11", 3),
    ("M11", 15, "S4", 17),
    ("M16", 2, "S5b", 8),
    ("M17", 0, "S14", 1),
    ("M18", 5, "S10", 3),
    ("M56", 30, "S33", 13),
];

#[test]
fn a_simulated_failure_is_as_short_as_the_model_has_it() {
    for (id, seed, property, actions) in LEFT {
        let Shrunk { case, lengths, .. } = found(seed, mutant(id)).unwrap_or_else(|reason| panic!("{id}: {reason}"));
        assert_eq!((case.violates.as_deref(), case.actions.len()), (Some(property), actions), "{id}:\n{case}");
        assert_eq!(lengths.case, actions);
        assert!(lengths.run > lengths.left && lengths.left >= actions, "{id}: {lengths:?}");
        let (of, shortest) = shortest_of(id, property, 2).unwrap().expect("the model shows it too");
        assert_eq!(of, property, "{id}");
        assert!(actions * 2 <= shortest * 3, "{id}: {actions} actions, the model needs {shortest}");

        assert!(is_violated(&case), "{id}:\n{case}");
        let case = Case::parse(&case.to_string()).unwrap();
        for stage in [Stage::Simulated, Stage::Real { executable: env!("CARGO_BIN_EXE_sextant").into() }] {
            let dir = tempfile::tempdir().unwrap();
            let happened = replay(&case, &stage, dir.path());
            assert!(happened.as_ref().is_ok_and(|happened| happened.as_expected), "{id} {stage:?}: {happened:?}");
        }

        // None can be left out, and by the adopted rules they do no harm.
        for out in 0..actions {
            let mut fewer = case.clone();
            fewer.actions.remove(out);
            assert!(!is_violated(&fewer), "{id}: action {} is not needed:\n{case}", out + 1);
        }
        let adopted = Case { rules: catalogue::area("core").unwrap().adopted(), ..case };
        assert!(!is_violated(&adopted), "{id}");
    }
}

#[test]
fn what_no_action_of_the_model_does_is_no_case() {
    let executor = Options { executor: Some(ExecutorMistake::ForgetOnRestart), ..Options::new(mutant("M1").rules) };
    let adopted = Options { rules: sextant_model::rules::Rules::adopted(), ..executor };
    let refused = found(2, adopted).unwrap_err();
    assert!(refused.contains("executor"), "{refused}");
    let refused = found(7, mutant("M7")).unwrap_err();
    assert!(refused.contains("L1"), "{refused}");
    let nothing = judge(1, &Plan::drawn(1, 10, 500, &[]), &Options::new(adopted.rules));
    assert!(case_of(&nothing, &adopted).unwrap_err().contains("violates nothing"));
}

fn sextant(args: &[&str], folder: &Path) -> (Option<i32>, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_sextant")).args(args).current_dir(folder).output().unwrap();
    (output.status.code(), String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
}

#[test]
fn the_command_writes_a_case_that_replays() {
    let folder = tempfile::tempdir().unwrap();
    let (code, told) =
        sextant(&["simulate", "--seeds", "0..50", "--mutant", "M3", "--shrink", "m3.case"], folder.path());
    assert_eq!(code, Some(1), "{told}");
    for said in ["S1 in 12 actions", "the model's shortest: S1 in 12 actions", "in lockstep: the same violation"] {
        assert!(told.contains(said), "{said}: {told}");
    }
    for on in ["model", "sim", "real"] {
        let (code, told) = sextant(&["replay", "m3.case", "--on", on], folder.path());
        assert_eq!(code, Some(0), "{told}");
    }
    let (code, _) = sextant(&["replay", "m3.case", "--svg", "m3.svg"], folder.path());
    assert!(code == Some(0) && folder.path().join("m3.svg").exists());
    // A record makes a case as well: whose it is does not matter.
    let (_, told) = sextant(&["simulate", "--seed", "0", "--mutant", "M3", "--flight", "flight"], folder.path());
    assert!(told.contains("sextant conform flight --lal 4"), "{told}");
    let conform = ["conform", "flight", "--lal", "4", "--mutant", "M3", "--shrink", "record.case"];
    let (code, told) = sextant(&conform, folder.path());
    assert_eq!(code, Some(1), "{told}");
    assert!(told.contains("in lockstep: the same violation"), "{told}");
    assert_eq!(sextant(&["replay", "record.case"], folder.path()).0, Some(0));
    let (code, told) =
        sextant(&["simulate", "--seeds", "0..50", "--mutant", "X4", "--shrink", "x4.case"], folder.path());
    assert!(code == Some(1) && told.contains("no case: a fault of the executor"), "{told}");
}
