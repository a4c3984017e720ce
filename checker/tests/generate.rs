//! `sextant history generate` and `stats` as a user meets them.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

fn sextant(folder: &Path, arguments: &str) -> Output {
    let arguments = arguments.split(' ');
    Command::new(env!("CARGO_BIN_EXE_sextant")).arg("history").args(arguments).current_dir(folder).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

const VIOLATED: &str = "generate --model queue --seed 4 --operations 60 --clients 3 --keys 2 --indeterminate 2 --values 9 --violation lost-element";

#[test]
fn the_expected_verdict_is_on_standard_error_and_in_the_first_line() {
    let folder = tempfile::tempdir().unwrap();
    let shown = sextant(folder.path(), VIOLATED);
    assert_eq!(shown.status.code(), Some(0));
    let expected = "invalid: lost-element: an element that was put in never comes out, though what stands behind it does; \
                    breaks linearizability";
    assert_eq!(text(&shown.stderr), format!("expected: {expected}\n"));
    let history = text(&shown.stdout);
    let first = history.lines().next().unwrap();
    assert!(first.starts_with("{\"about\":\"generated: queue, seed 4, 60 operations of 3 clients on 2 keys, 9 values"));
    assert!(first.ends_with(&format!("2 indeterminate; expected {expected}\"}}")), "{first}");

    let written = sextant(folder.path(), &format!("{VIOLATED} --json --out h.jsonl"));
    assert_eq!((written.status.code(), text(&written.stderr).as_str()), (Some(0), ""));
    assert_eq!(fs::read_to_string(folder.path().join("h.jsonl")).unwrap(), history, "same seed, same bytes");
    let line: serde_json::Value = serde_json::from_slice(&written.stdout).unwrap();
    assert_eq!((&line["verdict"], &line["violation"]), (&"invalid".into(), &"lost-element".into()));
    assert_eq!((&line["file"], &line["events"]), (&"h.jsonl".into(), &(history.lines().count() - 1).into()));

    let again = sextant(folder.path(), &format!("{VIOLATED} --out h.jsonl"));
    assert_eq!(again.status.code(), Some(64), "a file that exists is not overwritten");
    assert!(text(&again.stderr).starts_with("error: h.jsonl: File exists"), "{}", text(&again.stderr));
}

/// The command that checks agrees with the one that generates.
#[test]
fn what_is_generated_is_judged_as_expected() {
    let folder = tempfile::tempdir().unwrap();
    for (violation, code) in [("", 0), (" --violation stale-read", 1), (" --operations 0", 2)] {
        let file = format!("h{code}.jsonl");
        let made = format!("generate --model cas-register --indeterminate 3 --fail 5{violation} --out {file}");
        assert_eq!(sextant(folder.path(), &made).status.code(), Some(0));
        let judged = sextant(folder.path(), &format!("check --model cas-register {file}"));
        assert_eq!(judged.status.code(), Some(code), "{}", text(&judged.stdout));
    }
}

#[test]
fn bad_recipes_are_refused_in_one_line() {
    let folder = tempfile::tempdir().unwrap();
    for (wrong, reason) in [
        ("generate", "required arguments were not provided"),
        ("generate --model heap", "invalid value 'heap'"),
        (
            "generate --model mutex --violation lost-element",
            "a mutex has no violation lost-element; there are: double-grant",
        ),
        ("generate --model register --violation double-swap", "a register has no violation double-swap"),
        ("generate --model queue --cas 5", "a queue has no cas"),
        ("generate --model cas-register --cas 60 --change 41", "--cas and --change are more than 100 together"),
        ("generate --model queue --clients 0", "0 is not in 1..=100000"),
        ("generate --model queue --keys 0", "0 is not in 1..=10000000"),
        ("generate --model queue --values 0", "use `unique` or a number from 1 on"),
        ("generate --model queue --fail 101", "101 is not in 0..=100"),
        ("generate --model queue --json", "required arguments were not provided"),
        ("generate --model queue --out nowhere/h.jsonl", "nowhere/h.jsonl: No such file"),
        ("stats", "required arguments were not provided"),
        ("stats none.jsonl", "none.jsonl: No such file"),
    ] {
        let output = sextant(folder.path(), wrong);
        assert_eq!(output.status.code(), Some(64), "{wrong}");
        let shown = text(&output.stderr);
        assert!(shown.contains(reason) && shown.trim_end().lines().count() == 1, "{wrong}: {shown}");
        assert!(output.stdout.is_empty(), "{wrong}");
    }
}

#[test]
fn stats_count_what_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let history = r#"{"about":"two clients"}
{"process":0,"type":"invoke","f":"write","key":"x","value":1,"time":1000}
{"process":1,"type":"invoke","f":"cas","key":"x","value":[1,2],"time":2000}
{"process":0,"type":"ok","f":"write","key":"x","value":1,"time":3000}
{"process":1,"type":"ok","f":"cas","key":"x","value":[1,2],"applied":false,"time":4000}
{"process":0,"type":"invoke","f":"write","key":"y","value":1,"time":2001000}
"#;
    fs::write(folder.path().join("h.jsonl"), history).unwrap();
    let output = sextant(folder.path(), "stats h.jsonl");
    let expected = "\
h.jsonl: 3 operations, 5 events
  two clients
  cas            1: 1 ok (1 differed)
  write          2: 1 ok, 1 not completed
  indeterminate  1
  processes      2
  keys           2, the largest of 2 operations
  at once        2 at most, 1.0 in the mean
  values         2 installed, 2 distinct, 0 of them more than once
  duration       0.002000 s
  object         cas-register
  to decide it   a register whose written values are distinct: near-linear
";
    assert_eq!((output.status.code(), text(&output.stdout).as_str()), (Some(0), expected));
    let output = sextant(folder.path(), "stats --json h.jsonl none.jsonl");
    assert_eq!(output.status.code(), Some(64), "the file that is not there counts, the other is counted all the same");
    let line: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&line["functions"]["cas"]["differed"], &line["functions"]["write"]["open"]), (&1.into(), &1.into()));
    assert_eq!((&line["object"], &line["duration_ns"]), (&"cas-register".into(), &2_000_000.into()));
}
