//! Cases of the core, acted out by the storage nodes and writers themselves. (`mutants.rs` does it with every counterexample.)

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use sextant::explore::case::Case;
use sextant::explore::catalogue::area;
use sextant::lockstep::{Failure, Replayed, Stage, replay};

fn real() -> Stage {
    Stage::Real { executable: env!("CARGO_BIN_EXE_sextant").into() }
}

fn act(case: &Case, stage: &Stage) -> Result<Replayed, Failure> {
    let dir = tempfile::tempdir().unwrap();
    replay(case, stage, dir.path())
}

fn scenario(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../model/tests/scenarios").join(format!("{name}.case"))
}

/// By the adopted rules the same schedule is not possible or harmless.
#[test]
fn the_adopted_rules_do_not_show_it() {
    for name in ["aurora-failover-race", "bookkeeper-2614"] {
        let case = Case::read(&scenario(name)).unwrap();
        let adopted = Case { rules: area("core").unwrap().adopted(), ..case.clone() };
        let happened = act(&adopted, &Stage::Simulated);
        assert!(happened.as_ref().is_ok_and(|happened| !happened.as_expected), "{name}: {happened:?}");
        let harmless = Case { violates: None, ..adopted };
        let happened = act(&harmless, &real()).unwrap();
        assert!(happened.as_expected && happened.conformance.size.events > 20, "{name}: {:?}", happened.conformance);
        // And what violates something is not "nothing".
        let not_said = Case { violates: None, ..case };
        assert!(!act(&not_said, &Stage::Simulated).unwrap().as_expected);
    }
}

/// An actor that cannot work is no word on the case.
#[test]
fn a_broken_actor_is_a_failure_of_the_harness() {
    let case = Case::read(&scenario("bookkeeper-2614")).unwrap();
    let nobody = act(&case, &Stage::Real { executable: "/nowhere/sextant".into() });
    assert!(matches!(&nobody, Err(Failure::Actor(reason)) if reason.contains("start a1")), "{nobody:?}");
    let dead = act(&case, &Stage::Real { executable: "/bin/false".into() });
    assert!(matches!(&dead, Err(Failure::Actor(reason)) if reason.contains("a1")), "{dead:?}");
    let unsent = Case { actions: case.actions[1..].to_vec(), ..case };
    assert!(matches!(act(&unsent, &Stage::Simulated), Err(Failure::Action(_))));
}

fn command(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_sextant")).arg("replay").args(arguments).output().unwrap()
}

#[test]
fn the_command_replays_and_refuses() {
    let dir = tempfile::tempdir().unwrap();
    let kept = dir.path().join("kept");
    let (file, kept) = (scenario("bookkeeper-2614"), kept.to_str().unwrap());
    let file = file.to_str().unwrap();
    let shown = command(&[file, "--on", "real", "--json", "--keep", kept]);
    let report: serde_json::Value = serde_json::from_slice(&shown.stdout).unwrap();
    assert_eq!((shown.status.code(), &report["violated"]), (Some(0), &"S1".into()), "{report}");
    assert_eq!((&report["on"], &report["fault"]), (&"real".into(), &"protocol".into()));
    for left in ["a1/log", "a1.log", "flight/w2.0001.flight"] {
        assert!(Path::new(kept).join(left).exists(), "{left}");
    }
    let again = command(&[file, "--on", "sim", "--keep", kept]);
    assert_eq!(again.status.code(), Some(64), "the folder is not empty");
    let other = command(&[scenario("bookkeeper-2908").to_str().unwrap(), "--on", "real"]);
    assert_eq!(other.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&other.stderr).contains("disk is in the model only"));
    assert_eq!(command(&[file, "--keep", kept]).status.code(), Some(64));
    assert_eq!(command(&[file, "--on", "real", "--svg", "x.svg"]).status.code(), Some(64));
    assert_eq!(command(&["nowhere.case", "--on", "sim"]).status.code(), Some(64));
}
