//! `sextant run`: real processes, real faults.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use sextant_histories::History;

fn sextant(store: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sextant"));
    command.arg("run").arg("--store").arg(store).args(arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// Processes whose command line names `folder`: the clusters that run in it.
fn processes_in(folder: &Path) -> Vec<PathBuf> {
    let folder = folder.to_str().unwrap();
    let entries = fs::read_dir("/proc").unwrap().filter_map(|entry| Some(entry.ok()?.path().join("cmdline")));
    entries.filter(|path| fs::read(path).is_ok_and(|bytes| text_lossy(&bytes).contains(folder))).collect()
}

fn text_lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn bad_usage_is_64_and_leaves_nothing() {
    let store = tempfile::tempdir().unwrap();
    for arguments in [
        &["--nemesis", "kill-everybody"][..],
        &["--nemesis", "none,kill-node"],
        &["--nemesis", "kill-node,none"],
        &["--nemesis", ""],
        &["--mutant", "M999"],
        &["--seconds", "0"],
        &["--seconds", "soon"],
        &["--name", "a/b"],
        &["--name", ""],
    ] {
        let output = sextant(store.path(), arguments);
        assert_eq!(output.status.code(), Some(64), "{arguments:?}");
        assert!(text(&output.stderr).starts_with("error: "), "{arguments:?}");
    }
    assert_eq!(fs::read_dir(store.path()).unwrap().count(), 0);
}

#[test]
fn a_store_that_cannot_be_written_is_a_failure_of_the_harness() {
    let store = tempfile::NamedTempFile::new().unwrap();
    let output = sextant(&store.path().join("below"), &["--seconds", "1"]);
    assert_eq!(output.status.code(), Some(3));
    let error = text(&output.stderr);
    assert!(error.starts_with("error: ") && error.lines().count() == 1, "{error}");
}

#[test]
fn all_faults_and_a_valid_verdict() {
    let store = tempfile::tempdir().unwrap();
    let output = sextant(store.path(), &["--seconds", "5", "--seed", "1", "--json"]);
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(0), "{stdout}\n{stderr}");
    assert_eq!(processes_in(store.path()), Vec::<PathBuf>::new());

    let object: serde_json::Map<String, serde_json::Value> = serde_json::from_str(&stdout).unwrap();
    let fields: Vec<&str> = object.keys().map(String::as_str).collect();
    assert_eq!(
        fields,
        ["conformance", "coverage", "failovers", "fault", "faults", "info", "ok", "operations", "store", "verdict"]
    );
    assert_eq!(object["verdict"], "valid");
    assert!(object["failovers"].as_u64().unwrap() >= 2, "{stdout}");
    for fault in ["kill-node", "kill-writer", "zombie-writer", "power-cut"] {
        assert!(object["faults"][fault].as_u64() >= Some(1), "{fault}: {stdout}");
    }

    let folder = PathBuf::from(object["store"].as_str().unwrap());
    assert_eq!(fs::canonicalize(store.path().join("latest")).unwrap(), folder);
    let history = History::read(folder.join("history.jsonl")).unwrap();
    assert_eq!(Some(history.operations().len() as u64), object["operations"].as_u64());
    let kept: serde_json::Value = serde_json::from_slice(&fs::read(folder.join("run.json")).unwrap()).unwrap();
    assert_eq!((&kept["seed"], &kept["verdict"]), (&1.into(), &object["verdict"]));
    assert_eq!(
        kept["command"],
        "sextant run --seconds 5 --seed 1 --nemesis kill-node,kill-writer,zombie-writer,power-cut"
    );
    let page = fs::read_to_string(folder.join("index.html")).unwrap();
    let picture = fs::read_to_string(folder.join("history.html")).unwrap();
    assert!(picture.contains(&format!("\"operations\":{}", object["operations"])), "the picture is of this history");
    for fragment in ["valid", "--seed 1", "power-cut", "SIGKILL", "href=\"history.html\""] {
        assert!(page.contains(fragment), "{fragment}");
    }
    for log in ["a1.log", "meta.log", "w1.log", "harness.log"] {
        assert!(folder.join("logs").join(log).exists(), "{log}");
    }
    assert!(!folder.join("data").exists() && !folder.join("flight").exists());
}

/// What the processes recorded is kept on request, and conforms to what they ran and to nothing else.
#[test]
fn the_record_of_a_run_is_judged_again() {
    let store = tempfile::tempdir().unwrap();
    let output = sextant(store.path(), &["--seconds", "2", "--seed", "3", "--nemesis", "kill-writer", "--keep"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stdout));
    assert!(text(&output.stdout).contains("conformance valid: "), "{}", text(&output.stdout));
    let flight = store.path().join("latest/flight");
    let conform = |more: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sextant"));
        command.arg("conform").arg(&flight).args(more).output().unwrap()
    };
    let again = conform(&["--json", "--orders", "1"]);
    let report: serde_json::Value = serde_json::from_slice(&again.stdout).unwrap();
    assert_eq!((again.status.code(), &report["verdict"]), (Some(0), &"valid".into()), "{report}");
    assert_eq!(
        (&report["nodes"], &report["orders"], &report["fault"]),
        (&6.into(), &3.into(), &serde_json::Value::Null)
    );
    assert!(report["opened"].as_u64() >= Some(2) && report["events"].as_u64() > Some(1000), "{report}");
    let other = conform(&["--mutant", "M17"]);
    assert_eq!(other.status.code(), Some(1));
    assert!(text(&other.stdout).contains("executor fault"), "{}", text(&other.stdout));
    assert_eq!(conform(&["--mutant", "M999"]).status.code(), Some(64));
    fs::remove_file(flight.join("w1.0001.flight")).unwrap();
    let without = conform(&[]);
    assert_eq!(without.status.code(), Some(1));
    assert!(text(&without.stdout).contains("nobody caused"), "{}", text(&without.stdout));
}

/// The same mistake is seen in the history and in the record, and is the protocol's fault.
#[test]
fn a_mistake_in_the_rules_is_diagnosed() {
    let store = tempfile::tempdir().unwrap();
    let arguments = ["--seconds", "4", "--seed", "7", "--nemesis", "zombie-writer", "--mutant", "M4", "--json"];
    let output = sextant(store.path(), &arguments);
    let object: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&object["verdict"], &object["fault"]), (&"invalid".into(), &"protocol".into()), "{object}");
    assert!(store.path().join("latest/flight/a1.0001.flight").exists());
}

#[test]
fn without_faults_there_is_no_failover() {
    let store = tempfile::tempdir().unwrap();
    let output = sextant(store.path(), &["--seconds", "1", "--nemesis", "none", "--json"]);
    let object: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert_eq!((&object["failovers"], &object["faults"]), (&0.into(), &serde_json::json!({})));
    assert!(store.path().join("run").is_dir());
}
