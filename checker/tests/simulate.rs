//! The simulator as the command shows it: seeds, mistakes that are found, plans that are made smaller and run again.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;
use sextant::diagnosis::Diagnosis;
use sextant::explore::catalogue;
use sextant::simulate::{judge, judge_mistake, mistakes, shrink};
use sextant_model::mutants;
use sextant_storage::sim::{ExecutorMistake, FaultKind, Options, Plan};

fn sextant(args: &[&str], folder: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_sextant")).args(args).current_dir(folder).output().expect("the command runs")
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
}

fn mutant(id: &str) -> Options {
    Options::new(mutants::by_id(id).unwrap().rules)
}

#[test]
fn seeds_are_judged_and_repeat() {
    let folder = tempfile::tempdir().unwrap();
    let found = sextant(&["simulate", "--seeds", "0..12", "--twice", "--json"], folder.path());
    assert_eq!(found.status.code(), Some(0), "{found:?}");
    let report = json(&found);
    assert_eq!((report["verdict"].as_str(), report["seeds"].as_u64()), (Some("valid"), Some(12)));
    assert!(report["operations"]["ok"].as_u64() > Some(1000), "{report}");

    let traced = |name: &str| {
        let args = ["simulate", "--seed", "5", "--trace", name, "--history", "h.jsonl"];
        assert_eq!(sextant(&args, folder.path()).status.code(), Some(0));
        std::fs::read(folder.path().join(name)).unwrap()
    };
    let trace = traced("one");
    assert!(trace.len() > 100_000);
    assert!(trace == traced("other"), "the same seed, another trace");
    let judged = sextant(&["history", "check", "h.jsonl", "--model", "cas-register"], folder.path());
    assert_eq!(judged.status.code(), Some(0), "{judged:?}");
}

#[test]
fn a_mistake_is_found_made_small_and_run_again() {
    let folder = tempfile::tempdir().unwrap();
    let found = sextant(&["simulate", "--seeds", "0..50", "--mutant", "M3", "--shrink", "m3.json"], folder.path());
    assert_eq!(found.status.code(), Some(1), "{found:?}");
    let told = String::from_utf8_lossy(&found.stdout).into_owned();
    assert!(told.contains(": S1 commit @") && told.contains("(protocol fault)"), "{told}");
    let again = sextant(&["simulate", "--plan", "m3.json", "--json"], folder.path());
    assert_eq!(again.status.code(), Some(1), "{again:?}");
    let report = json(&again);
    assert_eq!(report["violation"]["property"], "S1");
    assert!(report["plan"]["windows"].as_array().unwrap().len() <= 2, "{report}");

    // By the adopted rules the same plan does no harm.
    let text = std::fs::read_to_string(folder.path().join("m3.json")).unwrap();
    std::fs::write(folder.path().join("adopted.json"), text.replace("\"mutant\": \"M3\",", "")).unwrap();
    assert_eq!(sextant(&["simulate", "--plan", "adopted.json"], folder.path()).status.code(), Some(0));

    for (name, broken) in [
        ("empty", String::new()),
        ("nobody", text.replace("\"keys\": ", "\"keys\": 0, \"x\": ")),
        ("no fault", text.replace("\"fault\": \"", "\"fault\": \"un")),
        ("too long", text.replace("\"lasts\": ", "\"lasts\": 99999")),
    ] {
        assert_ne!(broken, text, "{name}");
        std::fs::write(folder.path().join("broken.json"), broken).unwrap();
        let refused = sextant(&["simulate", "--plan", "broken.json"], folder.path());
        let told = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert_eq!(refused.status.code(), Some(64), "{name}: {told}");
        assert!(told.contains("broken.json") && told.lines().count() == 1, "{name}: {told}");
    }
}

/// The fault space as one product: cells with counts, those that cannot be with the reason; what was available; what was visited.
#[test]
fn the_fault_space_is_counted_cell_by_cell() {
    let here = Path::new(".");
    let run = |more: &[&str]| sextant(&[&["simulate", "--seeds", "0..6"], more].concat(), here);
    let report = json(&run(&["--guided", "--coverage", "--json"]));
    assert_eq!(report["verdict"], "valid", "{report}");
    let cells = report["cells"].as_array().unwrap();
    let infeasible = cells.iter().filter(|cell| cell["infeasible"].is_string()).count();
    assert_eq!((cells.len(), infeasible, &report["cells_feasible"]), (950, 30, &920.into()));
    let reached = cells.iter().filter(|cell| cell["count"].as_u64() > Some(0)).count();
    assert_eq!(report["cells_reached"].as_u64(), Some(reached as u64));
    assert!(reached > 12, "{reached} cells");
    assert_eq!(report["kinds_of_event"].as_object().unwrap().len(), 32);
    assert!(report["coverage"]["visited"].as_u64() > Some(10), "{}", report["coverage"]);
    let told = String::from_utf8_lossy(&run(&["--matrix"]).stdout).into_owned();
    for said in [
        "of 920 cells of the fault space, 31 of 32 kinds of event",
        "phases reached",
        "30 cells (-) cannot be: the fault itself takes a node away",
        "cells were never reached",
        "had to succeed",
    ] {
        assert!(told.contains(said), "{said}: {told}");
    }
    assert!(!told.contains("abstract states"), "nobody asked: {told}");
    // Plans that aim are other plans, and say how to repeat them.
    let found = run(&["--guided", "--mutant", "M8"]);
    assert_eq!(found.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&found.stderr).contains("--mutant M8 --guided"), "{found:?}");
}

/// By random priorities: what is found says how to repeat it, and repeats, as a plan made small too.
#[test]
fn what_priorities_find_repeats() {
    let folder = tempfile::tempdir().unwrap();
    let pct = ["--mutant", "M8", "--scheduler", "pct", "--changes", "2"];
    let found = sextant(&[&["simulate", "--seeds", "0..50", "--shrink", "m8.json"], &pct[..]].concat(), folder.path());
    assert_eq!(found.status.code(), Some(1), "{found:?}");
    let text = std::fs::read_to_string(folder.path().join("m8.json")).unwrap();
    assert!(text.contains("\"changes\": 2"), "{text}");
    let again = sextant(&["simulate", "--plan", "m8.json", "--json"], folder.path());
    assert_eq!(json(&again)["violation"]["property"], "S11");
    let one = || json(&sextant(&["simulate", "--seed", "3", "--scheduler", "pct", "--json"], folder.path()));
    let by_time = json(&sextant(&["simulate", "--seed", "3", "--json"], folder.path()));
    let (first, second) = (one(), one());
    assert_eq!(first["verdict"], "valid");
    assert_eq!(first["digest"], second["digest"]);
    assert_ne!(first["digest"], by_time["digest"]);
    let recorded = sextant(&["simulate", "--seed", "5", "--scheduler", "pct", "--flight", "flight"], folder.path());
    assert_eq!(recorded.status.code(), Some(0), "{recorded:?}");
    let conforms = json(&sextant(&["conform", "flight", "--coverage", "--json"], folder.path()));
    assert_eq!(conforms["verdict"], "valid", "{conforms}");
    assert!(conforms["coverage"]["visited"].as_u64() > Some(0), "{conforms}");
}

#[test]
fn what_proves_nothing_is_unknown_and_what_makes_no_sense_is_refused() {
    let here = Path::new(".");
    for (args, code) in [
        (&["--seeds", "3..3"][..], 64),
        (&["--seeds", "3"], 64),
        (&["--mutant", "M99"], 64),
        (&["--faults", "flood"], 64),
        (&["--trace", "x"], 64),
        (&["--flight", "x"], 64),
        (&["--scheduler", "luck"], 64),
        (&["--clients", "0"], 64),
        (&["--plan", "nowhere.json"], 64),
        (&["--seeds", "0..100000", "--limit", "0"], 2),
        (&["--seeds", "0..4", "--faults", "none"], 0),
    ] {
        let found = sextant(&[&["simulate"], args].concat(), here);
        assert_eq!(found.status.code(), Some(code), "{args:?}: {}", String::from_utf8_lossy(&found.stderr));
    }
}

/// Mistakes that no property of the run shows, only what clients saw; those that a property shows are in the storage's own test.
#[test]
fn mistakes_that_only_a_history_shows() {
    for (id, seed) in [("M56", 30), ("M57", 913), ("M58", 0)] {
        assert!(catalogue::mutant(id).is_ok());
        let judged = judge(seed, &Plan::drawn(seed, 10, 4000, &FaultKind::ALL), &mutant(id));
        let violation = judged.violation.unwrap_or_else(|| panic!("{id} survives seed {seed}"));
        assert_eq!((violation.property.as_str(), violation.diagnosis()), ("linearizability", Diagnosis::Protocol));
    }
}

#[test]
fn mistakes_are_judged_with_their_seed_and_their_smallest_plan() {
    let all = mistakes();
    let ids: std::collections::BTreeSet<&str> = all.iter().map(|mistake| mistake.id).collect();
    // What is left when a zone and one more node are lost for good is asked of the closed world alone.
    let judged = mutants::MUTANTS.iter().filter(|mutant| mutant.breaks != ["L12"]).count();
    assert_eq!(ids.len(), judged + ExecutorMistake::ALL.len());
    let fate = |id: &str| judge_mistake(all.iter().find(|mistake| mistake.id == id).unwrap(), 2, 5);
    let found = fate("X4").found.expect("X4 is found");
    assert_eq!((found.violation.property.as_str(), found.violation.diagnosis()), ("persistence", Diagnosis::Executor));
    assert!(found.shrunk.judged.plan.windows.len() <= found.faults);
    let equivalent = fate("M10'");
    assert!(equivalent.found.is_none() && equivalent.seeds == 5);
}

#[test]
fn a_shrunk_plan_shows_the_same() {
    let found = judge(15, &Plan::drawn(15, 10, 4000, &FaultKind::ALL), &mutant("M11"));
    let (before, property) = (found.plan.windows.len(), found.violation.clone().unwrap().property);
    let found_operations = found.outcome.as_ref().map_or(0, |outcome| outcome.ok + outcome.fail + outcome.info);
    let shrunk = shrink(found, mutant("M11")).judged;
    assert!(
        shrunk.plan.operations.is_some_and(|most| most * 5 < found_operations),
        "{:?} of {found_operations}",
        shrunk.plan.operations
    );
    assert!(shrunk.plan.windows.len() * 2 < before, "{before} faults, {} left", shrunk.plan.windows.len());
    let again = judge(15, &shrunk.plan, &mutant("M11"));
    assert_eq!(again.violation.map(|violation| violation.property), Some(property));
}
