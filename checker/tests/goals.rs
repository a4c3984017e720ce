//! What must come to pass: it does under the adopted rules, and each goal can be broken, by a mutant or by less fairness.

use std::process::{Command, Output};

use serde_json::Value;

fn sextant(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_sextant")).args(["model", "check"]).args(arguments).output().unwrap()
}

fn report(arguments: &[&str]) -> (i32, Value) {
    let output = sextant(&[arguments, &["--liveness", "--json"]].concat());
    let code = output.status.code().unwrap();
    (code, serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{arguments:?}: {e}, {output:?}")))
}

/// Profiles and legs whose goals all come to pass, and the goals of which a leg has nothing to say: then it is `unknown`.
const LIVE: [(&str, &str, &[&str]); 14] = [
    ("core", "gossip", &[]),
    ("core", "faults", &[]),
    ("membership", "exchange", &["RecoveryOpens", "Repairable"]),
    ("membership", "loss", &["RecoveryOpens", "Repairable"]),
    ("membership", "repair", &["ChangeSettles", "StaleClientsRecover"]),
    ("groups", "idle", &[]),
    ("reads", "reads", &["ReplicaReads"]),
    ("replica", "across", &["WriterReads"]),
    ("disk", "twice", &[]),
    ("undo", "replica", &[]),
    ("clients", "failover", &[]),
    ("region", "three", &[]),
    ("clone", "both", &[]),
    ("backtrack", "again", &[]),
];

#[test]
fn the_adopted_rules_come_to_their_goals() {
    for (profile, leg, silent) in LIVE {
        let (code, report) = report(&[profile, "--leg", leg]);
        assert_eq!(code, if silent.is_empty() { 0 } else { 2 }, "{profile} {leg}: {report}");
        assert!(report["property"].is_null() && report["stopped"].is_null(), "{profile} {leg}: {report}");
        let told = String::from_utf8(sextant(&[profile, "--leg", leg, "--liveness"]).stdout).unwrap();
        let vacuous: Vec<&str> = told.lines().filter(|line| line.ends_with("it holds vacuously")).collect();
        let expected: Vec<String> =
            silent.iter().map(|goal| format!("no state makes {goal} say anything: it holds vacuously")).collect();
        assert_eq!(vacuous, expected, "{profile} {leg}");
    }
}

/// Profile, leg, goal, and the kind of action that must happen for it.
const UNFAIR: [(&str, &str, &str, &str); 22] = [
    ("core", "gossip", "L1", "write"),
    ("core", "gossip", "L2", "fence"),
    ("core", "gossip", "L3", "write"),
    ("core", "gossip", "L4", "truncate"),
    ("membership", "exchange", "L1", "write"),
    ("membership", "exchange", "L5", "install"),
    ("membership", "exchange", "L6", "refresh"),
    ("membership", "repair", "L2", "fence"),
    ("membership", "repair", "L7", "recreate"),
    ("groups", "idle", "L1", "write"),
    ("groups", "idle", "L2", "truncate"),
    ("groups", "idle", "L4", "allocate"),
    ("groups", "idle", "L9", "write"),
    ("groups", "idle", "L11", "truncate"),
    ("reads", "reads", "L11", "answer"),
    ("undo", "replica", "L8", "purge"),
    ("clients", "failover", "L1", "write"),
    ("clients", "failover", "L2", "fence"),
    ("region", "three", "LR1", "follow"),
    ("region", "three", "LR2", "resume"),
    ("clone", "both", "LF1", "collect"),
    ("backtrack", "again", "LF2", "learn"),
];

#[test]
fn without_fairness_to_what_it_takes_no_goal_is_reached() {
    for (profile, leg, goal, kind) in UNFAIR {
        let (code, held) = report(&[profile, "--leg", leg, "--property", goal]);
        assert_eq!(code, 0, "{profile} {goal}: {held}");
        let (code, broken) = report(&[profile, "--leg", leg, "--property", goal, "--unfair", kind]);
        assert_eq!((code, &broken["property"]), (1, &goal.into()), "{profile} {goal} without {kind}: {broken}");
        let lines = broken["counterexample"].as_array().unwrap();
        let told =
            |line: &Value| line.as_str().unwrap().contains("for ever") || line.as_str().unwrap().contains("again");
        assert!(lines.iter().any(told), "{lines:?}");
    }
}

/// Mutants and the goals that they break.
const BROKEN: [(&str, &str, &str); 14] = [
    ("core", "M61", "L2"),
    ("membership", "M68", "L5"),
    ("membership", "M69", "L6"),
    ("membership", "M68'", "L7"),
    ("groups", "M24", "L1"),
    ("groups", "M24", "L9"),
    ("groups", "M26", "L11"),
    ("gc", "M66", "L8"),
    ("disk", "M71", "L3"),
    ("undo", "M82", "L8"),
    ("region", "MR18", "LR1"),
    ("region", "MR15", "LR2"),
    ("clone", "MF9", "LF1"),
    ("clone", "MF12", "LF2"),
];

#[test]
fn mutants_break_goals_with_all_fairness() {
    for (profile, mutant, goal) in BROKEN {
        let (code, report) = report(&[profile, "--mutant", mutant, "--leg", mutant, "--property", goal]);
        assert_eq!((code, &report["property"]), (1, &goal.into()), "{mutant} {goal}: {report}");
    }
}

#[test]
fn the_stem_of_a_lasso_is_saved_drawn_and_replayed() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let (case, svg) = (path("l2.case"), path("l2.svg"));
    let arguments = ["core", "--leg", "faults", "--liveness", "--property", "L2", "--unfair", "fence"];
    let output = sextant(&[&arguments[..], &["--save", &case, "--svg", &svg]].concat());
    assert_eq!(output.status.code(), Some(1));
    assert!(std::fs::read_to_string(svg).unwrap().contains("<svg"));
    let replayed = Command::new(env!("CARGO_BIN_EXE_sextant")).args(["replay", &case]).output().unwrap();
    assert_eq!(replayed.status.code(), Some(0), "{replayed:?}");
}

#[test]
fn a_space_that_does_not_fit_is_unknown() {
    let (code, report) = report(&["disk", "--limit", "1000"]);
    assert_eq!((code, &report["verdict"]), (2, &"unknown".into()));
    assert!(report["stopped"].as_str().unwrap().contains("more than 1000 states"));
}
