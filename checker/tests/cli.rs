//! The command as a user meets it: words, exit codes, streams.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

fn sextant(arguments: &[&str]) -> Output {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../histories/corpus");
    Command::new(env!("CARGO_BIN_EXE_sextant")).args(arguments).current_dir(corpus).output().unwrap()
}

fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn check(files: &[&str]) -> Output {
    let arguments = ["history", "check", "--model", "cas-register"];
    sextant(&[&arguments, files].concat())
}

const VALID: &str = "valid/failed-write.jsonl";
const INVALID: &str = "invalid/stale-read.jsonl";
const UNKNOWN: &str = "unknown/empty-file.jsonl";

#[test]
fn exit_codes_follow_the_verdicts_and_combine() {
    assert_eq!(code(&check(&[VALID])), 0);
    assert_eq!(code(&check(&[INVALID])), 1);
    assert_eq!(code(&check(&[UNKNOWN])), 2);
    assert_eq!(code(&check(&["none.jsonl"])), 64);
    assert_eq!(code(&check(&["."])), 64);
    assert_eq!(code(&check(&[VALID, UNKNOWN])), 2);
    assert_eq!(code(&check(&[UNKNOWN, "none.jsonl", VALID])), 64);
    assert_eq!(code(&check(&[INVALID, "none.jsonl", UNKNOWN])), 1);
}

/// What claims nothing passes only for whoever asks for it.
#[test]
fn a_history_without_a_claim_is_unknown_unless_asked() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("h.jsonl");
    let event = |kind| format!("{{\"process\":0,\"type\":\"{kind}\",\"f\":\"write\",\"value\":1}}\n");
    fs::write(&file, event("invoke") + &event("fail")).unwrap();
    let file = file.to_str().unwrap();
    assert_eq!(code(&check(&[file])), 2);
    let output = check(&["--vacuous", file]);
    assert_eq!((code(&output), stdout(&output).contains(": valid (")), (0, true), "{}", stdout(&output));
    assert_eq!(code(&check(&["--vacuous", UNKNOWN])), 2, "an empty history");
    assert_eq!(code(&check(&["--vacuous", INVALID])), 1);
    assert_eq!(code(&check(&["--vacuous", "--promise", "sequential", file])), 64);
}

#[test]
fn bad_usage_is_64_and_help_is_not_bad() {
    for wrong in
        [&["history", "check", VALID][..], &["nonsense"], &["history"], &["history", "check", "--model", "x", VALID]]
    {
        let output = sextant(wrong);
        assert_eq!(code(&output), 64, "{wrong:?}");
        assert!(stdout(&output).is_empty() && !stderr(&output).is_empty(), "{wrong:?}");
    }
    for asked in ["--help", "--version"] {
        let output = sextant(&[asked]);
        assert_eq!(code(&output), 0);
        assert!(stdout(&output).contains("sextant") && stderr(&output).is_empty());
    }
}

/// Every piece of bad usage is one line that says what is wrong.
#[test]
fn usage_errors_are_one_line() {
    for (wrong, reason) in [
        (&["model", "check", "core", "--mutant", "M99"][..], "there is no mutant M99"),
        (&["model", "check", "kernel"], "there is no profile kernel; there are: core"),
        (&["model", "check", "core", "--threads", "0"], "0 is not in 1..=1024"),
        (&["model", "check", "core", "--copies", "8"], "there can be 3 to 6"),
        (&["model", "check", "core", "--copies", "4"], "cannot be spread evenly over 3 zones"),
        (&["model", "check", "core", "--mutant", "M1", "--scheme", "teaching"], "the mistake is in the scheme"),
        (&["model", "check", "mtr", "--scheme", "teaching"], "volume has no scheme of its own to change"),
        (&["run", "--nemesis", "flood"], "unknown nemesis `flood`"),
        (&["run", "--mutant", "M99"], "unknown mutant `M99`"),
        (&["history", "check"], "required arguments were not provided"),
        (&["gate", "--config", "nowhere.toml"], "nowhere.toml: No such file"),
        (&["--quick", "model", "list"], "cannot be used with"),
    ] {
        let output = sextant(wrong);
        assert_eq!(code(&output), 64, "{wrong:?}");
        let text = stderr(&output);
        assert!(text.contains(reason) && text.trim_end().lines().count() == 1, "{wrong:?}: {text}");
    }
}

/// One leg explored under a mutant: the trace, the fact, the command that repeats it; and the fields of `--json`.
#[test]
fn a_mutant_is_caught_with_its_shortest_trace() {
    let output = sextant(&["model", "check", "core", "--mutant", "m3"]);
    assert_eq!(code(&output), 1);
    let text = stdout(&output);
    assert!(text.contains(" 12. ") && !text.contains(" 13. "), "{text}");
    assert!(text.contains("violated: S1 AckDurable") || text.contains("violated: S9 SingleWriter"), "{text}");
    assert!(text.contains("repeat: sextant model check core --mutant M3"), "{text}");
    let output = sextant(&["model", "check", "core", "--mutant", "M17", "--json"]);
    assert_eq!(code(&output), 1);
    let report: serde_json::Value = serde_json::from_str(&stdout(&output)).unwrap();
    let mut fields: Vec<&str> = report.as_object().unwrap().keys().map(String::as_str).collect();
    fields.sort_unstable();
    let expected = "actions counterexample depth engine expected_collisions generated_states mutant partial_order \
                    peak_rss_bytes profile property seconds size states_per_second stopped unique_states verdict";
    assert_eq!(fields.join(" "), expected);
    assert_eq!((&report["verdict"], &report["mutant"]), (&"invalid".into(), &"M17".into()));
}

/// The seed's table of three nodes a group fails where a zone and one more node are lost; what is saved replays.
#[test]
fn a_scheme_is_explored_and_fails_where_a_zone_and_a_node_are_lost() {
    let folder = tempfile::tempdir().unwrap();
    let case = folder.path().join("three.case");
    let six = sextant(&["model", "check", "core", "--leg", "losses", "--json"]);
    assert_eq!(code(&six), 2, "the leg says nothing of reads: {}", stdout(&six));
    let six = sextant(&["model", "check", "core", "--leg", "losses", "--property", "L12"]);
    assert_eq!(code(&six), 0, "{}", stdout(&six));
    let three = ["model", "check", "core", "--scheme", "seed", "--save", case.to_str().unwrap()];
    let output = sextant(&three);
    let text = stdout(&output);
    assert_eq!(code(&output), 1, "{text}");
    assert!(text.contains("violated: L12 SurvivorsAreRead"), "{text}");
    assert!(text.contains("e2 finds no read quorum: 2 of 3 copies are lost, 1 are left"), "{text}");
    assert!(text.contains("--copies 3 --zones 3 --write-quorum 2 --read-quorum 2"), "{text}");
    assert_eq!(code(&sextant(&["replay", case.to_str().unwrap()])), 0);
    // A read that may miss a write loses a commit.
    let misses =
        ["model", "check", "core", "--copies", "4", "--zones", "2", "--write-quorum", "2", "--read-quorum", "2"];
    let output = sextant(&misses);
    assert_eq!(code(&output), 1);
    assert!(stdout(&output).contains("violated: "), "{}", stdout(&output));
}

/// What a small profile leaves untouched is listed; by itself that is no fault.
#[test]
fn coverage_lists_what_a_profile_does_not_exercise() {
    let output = sextant(&["model", "coverage", "reads", "--json"]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let rows: serde_json::Value = serde_json::from_str(&stdout(&output)).unwrap();
    let listed = |field: &str| rows[0][field].as_array().unwrap().clone();
    assert_eq!((rows.as_array().unwrap().len(), &rows[0]["profile"]), (1, &"reads".into()));
    // A hedged request needs a mistake, a backup the profile `gc`.
    let never = listed("actions_never_taken");
    assert!(never.contains(&"hedge".into()) && never.contains(&"back up".into()), "{never:?}");
    assert!(!never.contains(&"write".into()), "{never:?}");
    assert!(!listed("decisions_never_exercised").is_empty());
}

#[test]
fn a_gate_whose_count_changed_or_whose_history_is_wrong_fails() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("gate.toml");
    let junit = folder.path().join("junit.xml");
    let gate = |text: &str| {
        fs::write(&config, text).unwrap();
        let output =
            sextant(&["gate", "--config", config.to_str().unwrap(), "--quick", "--junit", junit.to_str().unwrap()]);
        (code(&output), stdout(&output))
    };
    let slow = "slow = [\"gossip\", \"recoveries\", \"reads\"]";
    let core = |faults: usize| {
        let states = format!(
            "states = {{ gossip = 1, recoveries = 1, reads = 1, faults = {faults}, losses = 16219, limit = 10221 }}"
        );
        format!("[[profile]]\nname = \"core\"\nsize = \"quick\"\n{states}\n{slow}\n")
    };
    let (exit, text) = gate(&core(4965));
    assert_eq!(exit, 0, "{text}");
    let (exit, text) = gate(&core(4966));
    assert_eq!(exit, 1);
    assert!(text.contains("4965 states, pinned at 4966: the count changed"), "{text}");
    assert!(fs::read_to_string(&junit).unwrap().contains("failures=\"1\""));
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../histories/corpus");
    let history =
        |folder: &str, expect: &str| format!("[[history]]\npath = {:?}\nexpect = \"{expect}\"\n", corpus.join(folder));
    assert_eq!(gate(&history("valid", "valid")).0, 0);
    assert_eq!(gate(&history("invalid", "invalid")).0, 0);
    assert_eq!(gate(&history("invalid", "valid")).0, 1);
    assert_eq!(gate(&history("unknown", "valid")).0, 2);
    assert_eq!(gate(&history("nowhere", "valid")).0, 64);
}

#[test]
fn an_invalid_history_is_explained() {
    let output = check(&[INVALID]);
    let text = stdout(&output);
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[0].starts_with("invalid/stale-read.jsonl: invalid (cas-register, 3 operations, 1 keys, "), "{text}");
    assert!(
        lines[0].ends_with(
            ": on key \"x\", read of 1 by process 1 (lines 6 to 7) began after write of 2 by process 0 had completed \
             (line 5), which began after write of 1 by process 0 had completed (line 3)"
        ),
        "{text}"
    );
    assert_eq!(
        lines[1..],
        [
            "  smallest core: 3 operations do not fit together, whatever the others did",
            "    process 0  write 1 -> ok  lines 2 and 3  |-|",
            "    process 0  write 2 -> ok  lines 4 and 5      |-|",
            "    process 1  read -> 1      lines 6 and 7          |-|",
            "  not linearizable from line 7 on",
        ]
    );
}

#[test]
fn json_is_one_object_a_file_with_exactly_these_fields() {
    let output = sextant(&["history", "check", "--model", "register", "--json", VALID, "none.jsonl", INVALID, UNKNOWN]);
    assert_eq!(code(&output), 1);
    assert!(stderr(&output).starts_with("error: none.jsonl: "));
    assert_eq!(stderr(&output).lines().count(), 1);
    let objects: Vec<serde_json::Value> =
        stdout(&output).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(objects.len(), 3);
    for (object, (file, verdict)) in objects.iter().zip([(VALID, "valid"), (INVALID, "invalid"), (UNKNOWN, "unknown")])
    {
        let fields: Vec<&str> = object.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(fields, ["file", "keys", "model", "operations", "reason", "seconds", "verdict"]);
        assert_eq!((&object["file"], &object["verdict"]), (&file.into(), &verdict.into()));
        assert_eq!(object["model"], "register");
        assert_eq!(object["reason"].is_null(), verdict == "valid");
        assert!(object["seconds"].is_number() && object["operations"].is_u64() && object["keys"].is_u64());
    }
}

#[test]
fn an_unreadable_file_is_named_with_line_column_and_reason() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("typo.jsonl");
    let line = r#"{"process":0,"type":"ok","f":"cas","key":"x","value":[1,2],"applid":false}"#;
    std::fs::write(&path, format!("{line}\n")).unwrap();
    let output = check(&[path.to_str().unwrap(), VALID]);
    assert_eq!(code(&output), 64);
    let expected = format!("error: {}:1:67: unknown field `applid`", path.display());
    assert!(stderr(&output).starts_with(&expected), "{}", stderr(&output));
    assert_eq!(stdout(&output).lines().count(), 1, "the other file is judged");
}

#[test]
fn html_is_a_page_of_one_history_and_never_the_history_itself() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let corpus: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("../histories/corpus");
    let judge = |arguments: &[&str]| check(&[&["--html"], arguments].concat());
    let page = path("page.html");
    let output = judge(&[&page, INVALID]);
    assert_eq!((code(&output), stderr(&output).as_str()), (1, ""));
    let text = fs::read_to_string(&page).unwrap();
    let said = stdout(&output);
    let reason = said.lines().next().and_then(|line| line.split_once(" s): ")).expect("a reason").1;
    assert!(text.starts_with("<!DOCTYPE html>") && text.contains(&reason.replace('"', "&quot;")), "{reason}");
    assert_eq!(code(&judge(&[&page, VALID])), 0);
    assert!(fs::read_to_string(&page).unwrap().contains("valid/"));
    assert_eq!(code(&judge(&[&page, UNKNOWN])), 2);
    for (wrong, exit, reason) in [
        (&[&page[..], VALID, INVALID][..], 64, "--html shows one history; there are several"),
        (&[VALID, VALID], 64, "the page would overwrite the history"),
        (&[&path("none/page.html"), VALID], 3, "page.html: No such file"),
        (&[&page, "none.jsonl"], 64, "none.jsonl: "),
    ] {
        let output = judge(wrong);
        assert_eq!(code(&output), exit, "{wrong:?}");
        let error = stderr(&output);
        assert!(error.contains(reason) && error.trim_end().lines().count() == 1, "{wrong:?}: {error}");
    }
    assert!(fs::read_to_string(corpus.join(VALID)).unwrap().starts_with("{"), "the history is as it was");
}

/// The reader of a pipe may go away; that is neither a panic nor a change of verdict.
#[test]
fn a_closed_pipe_keeps_the_exit_code() {
    let run = |program: &mut Command| {
        let mut child = program.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        child.wait_with_output().unwrap()
    };
    let corpus: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("../histories/corpus");
    let mut files = vec![INVALID; 200];
    files.push(VALID);
    let mut program = Command::new(env!("CARGO_BIN_EXE_sextant"));
    program.args(["history", "check", "--model", "register"]).args(files).current_dir(corpus);
    let output = run(&mut program);
    assert_eq!((code(&output), stderr(&output).as_str()), (1, ""));
    let output = run(Command::new(env!("CARGO_BIN_EXE_sextant")).arg("--help"));
    assert_eq!((code(&output), stderr(&output).as_str()), (0, ""));
}

#[test]
fn a_scheme_says_what_it_survives() {
    let run = |options: &[&str]| {
        let output = sextant(&[&["quorum"], options].concat());
        (code(&output), stdout(&output))
    };
    let expected = "6 copies over 3 zones, 4 to write, 3 to read
a write and a read  always meet in a copy
two writes          always meet in a copy

loss of             reads                       writes
any node            survive                     survive
any two nodes       survive                     survive
a zone              survive                     survive
a zone plus one     survive                     stop without a1 a2 b1
";
    assert_eq!(run(&[]), (0, expected.to_owned()));
    let (exit, text) = run(&["--scheme", "teaching"]);
    assert_eq!(exit, 0);
    assert!(text.contains("a zone plus one     stop without a1 b1          stop without a1 b1"), "{text}");
    let (exit, text) = run(&["--write-quorum", "3"]);
    assert_eq!(exit, 1);
    assert!(text.contains("a write and a read  can miss each other: a1 a2 b1 and b2 c1 c2"), "{text}");
    let (exit, text) = run(&["--copies", "5", "--write-quorum", "3", "--json"]);
    let answer: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!((exit, &answer["survives"][3]["reads_lost_with"]), (0, &serde_json::json!(["a1", "a2", "b1"])));
    assert_eq!(run(&["--copies", "3"]).0, 64);
}

#[test]
fn other_promises_have_names_and_their_anomalies_are_explained() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("read-skew.jsonl");
    let lines = [
        r#"{"process":0,"type":"invoke","f":"txn","value":[["append","x",1],["append","y",1]]}"#,
        r#"{"process":1,"type":"invoke","f":"txn","value":[["r","x",null],["r","y",null]]}"#,
        r#"{"process":0,"type":"ok","f":"txn","value":[["append","x",1],["append","y",1]]}"#,
        r#"{"process":1,"type":"ok","f":"txn","value":[["r","x",[]],["r","y",[1]]]}"#,
    ];
    fs::write(&file, lines.map(|line| format!("{line}\n")).concat()).unwrap();
    let judge = |promise: &str, more: &[&str]| {
        let arguments = ["history", "check", "--promise", promise, file.to_str().unwrap()];
        sextant(&[&arguments, more].concat())
    };
    assert_eq!(code(&judge("pl-2", &[])), 0);
    let output = judge("serializable", &[]);
    assert_eq!(code(&output), 1);
    for part in ["invalid", "G-single", "T1 process 1    lines 2 and 4", "T1 comes before T2: T1 read key \"x\""] {
        assert!(stdout(&output).contains(part), "{part}: {}", stdout(&output));
    }
    let output = judge("read-atomic", &["--json"]);
    assert_eq!(code(&output), 1);
    let line: serde_json::Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!((&line["promise"], &line["verdict"]), (&"read-atomic".into(), &"invalid".into()));
    assert_eq!(line["anomalies"][0]["name"], "fractured-read");
    assert_eq!(line["anomalies"][0]["lines"], serde_json::json!([1, 2]));
    // Lists of transactions say nothing of registers in sessions, which is no verdict; linearizable needs a model.
    assert_eq!(code(&judge("read-your-writes", &[])), 2);
    assert_eq!(code(&judge("linearizable", &[])), 64);
    let page = folder.path().join("page.html");
    assert_eq!(code(&judge("serializable", &["--html", page.to_str().unwrap()])), 64);
    assert!(!page.exists());
    assert_eq!(code(&judge("sequential", &[])), 64);
    assert_eq!(code(&check(&[INVALID, "--promise", "sequential"])), 0, "a stale read is in order for its process");
}

/// Hundredths of a second that a process has worked; none once it is gone.
fn worked(process: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // Behind the name, which ends with the last bracket, the user time is the twelfth field.
    stat.rsplit(')').next()?.split_whitespace().nth(11)?.parse().ok()
}

/// A check that would take for ever says how far it came, and the files behind it are named as not judged.
#[test]
fn ctrl_c_ends_a_check_with_what_is_known() {
    let folder = tempfile::tempdir().unwrap();
    let hard = folder.path().join("hard.jsonl");
    let hard = hard.to_str().unwrap();
    let recipe = ["--operations", "600", "--clients", "40", "--values", "40", "--change", "90", "--out", hard];
    let recipe = [&["history", "generate", "--model", "key-value", "--violation", "stale-read"][..], &recipe].concat();
    assert_eq!(code(&sextant(&recipe)), 0);
    let transactions = folder.path().join("transactions.jsonl");
    let transactions = transactions.to_str().unwrap();
    let recipe = ["--operations", "400", "--clients", "20", "--keys", "3", "--out", transactions];
    let recipe =
        [&["history", "generate", "--model", "multi-register", "--violation", "G2-item"][..], &recipe].concat();
    assert_eq!(code(&sextant(&recipe)), 0);
    for (model, promise, hard, told) in [
        ("key-value", "linearizable", hard, ": interrupted: on key"),
        ("key-value", "sequential", hard, ": interrupted: at best"),
        ("multi-register", "snapshot-isolation", transactions, "interrupted"),
    ] {
        let mut check = Command::new(env!("CARGO_BIN_EXE_sextant"));
        check.args(["history", "check", "--model", model, "--promise", promise]);
        check.args(["--timeout", "600s", "--memory", "8G", hard, hard]);
        let check = check.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        // After so much work it is in the middle of the search.
        while worked(check.id()).is_some_and(|ticks| ticks < 30) {
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        assert!(Command::new("kill").args(["-INT", &check.id().to_string()]).status().unwrap().success());
        let output = check.wait_with_output().unwrap();
        assert_eq!(code(&output), 2, "{promise}: {}", stderr(&output));
        assert!(stdout(&output).contains(": unknown (") && stdout(&output).contains(told), "{}", stdout(&output));
        assert!(stderr(&output).contains("interrupted: 1 files were not judged"), "{}", stderr(&output));
    }
}

#[test]
fn a_step_that_no_volume_takes_is_found_saved_and_replayed() {
    let folder = tempfile::tempdir().unwrap();
    let case = folder.path().join("astray.case");
    let case = case.to_str().unwrap();
    let whole = sextant(&["model", "check", "core", "--leg", "limit", "--refinement"]);
    assert_eq!(code(&whole), 0, "{}", stdout(&whole));
    assert!(stdout(&whole).contains("10221 states"), "as many as without: {}", stdout(&whole));
    let found = sextant(&["model", "check", "core", "--mutant", "M4", "--leg", "M4", "--refinement", "--save", case]);
    let text = stdout(&found);
    assert_eq!(code(&found), 1, "{text}");
    assert!(text.contains("is acknowledged by e1 and not in the volume") && text.contains("--refinement"), "{text}");
    let again = sextant(&["replay", case]);
    assert_eq!(code(&again), 0, "{}{}", stdout(&again), stderr(&again));
    let reads = sextant(&["model", "check", "reads", "--refinement"]);
    assert_eq!(code(&reads), 0, "{}", stdout(&reads));
    assert!(stdout(&reads).contains("3536 states"), "as many as without: {}", stdout(&reads));
    // A step that only its name makes one of the volume is told by that name.
    for (profile, mutant, fact) in [
        ("membership", "M36''", "is acknowledged by a writer and not in the volume"),
        ("reads", "M35", "the writer is shown"),
        ("undo", "M51", "r1 is shown nothing"),
        ("region", "MR5", "is promoted, and was shown"),
        ("backtrack", "MF11", "is gone, and not hidden"),
    ] {
        let of = ["model", "check", profile, "--mutant", mutant, "--leg", mutant, "--refinement", "--save", case];
        let found = sextant(&of);
        assert_eq!(code(&found), 1, "{}", stdout(&found));
        assert!(stdout(&found).contains(fact), "{}", stdout(&found));
        let again = sextant(&["replay", case]);
        assert_eq!(code(&again), 0, "{}{}", stdout(&again), stderr(&again));
    }
    let clients = sextant(&["model", "check", "clients", "--refinement"]);
    assert_eq!(code(&clients), 64);
    assert!(stderr(&clients).contains("the steps of clients are held against no volume here"), "{}", stderr(&clients));
}

#[test]
fn by_partial_order_a_space_is_smaller_and_shows_what_stays_broken() {
    let states = |arguments: &[&str]| {
        let output = sextant(&[&["model", "check", "core", "--json"], arguments].concat());
        let report: serde_json::Value = serde_json::from_str(&stdout(&output)).unwrap();
        (report["unique_states"].as_u64().unwrap(), report["verdict"].as_str().unwrap().to_owned(), report)
    };
    let limit = ["--leg", "limit", "--property", "S1"];
    let (whole, _, _) = states(&limit);
    for engine in ["packed", "cluster"] {
        let (less, verdict, _) = states(&[&limit[..], &["--partial-order", "--engine", engine]].concat());
        assert!(4 * less < whole && verdict == "valid", "{engine}: {less} of {whole}");
    }
    let folder = tempfile::tempdir().unwrap();
    let case = folder.path().join("m1.case");
    let (_, verdict, report) =
        states(&["--mutant", "M1", "--leg", "M1", "--partial-order", "--save", case.to_str().unwrap()]);
    assert_eq!((verdict.as_str(), report["property"].as_str()), ("invalid", Some("S1")));
    let replayed = sextant(&["replay", case.to_str().unwrap()]);
    assert!(code(&replayed) == 0 && stdout(&replayed).contains("S1"), "{}", stdout(&replayed));
    for (arguments, reason) in [
        (vec!["core", "--partial-order", "--property", "S13"], "may pass"),
        (vec!["mtr", "--partial-order"], "declares no partial order"),
        (vec!["core", "--partial-order", "--engine", "bfs"], "--engine packed and cluster"),
        (vec!["core", "--bound", "record=2"], "no field record; they have: "),
        (vec!["core", "--bound", "records"], "field=value"),
        (vec!["core", "--bound", "records=30"], "LSNs"),
    ] {
        let output = sextant(&[&["model", "check"][..], &arguments].concat());
        assert!(code(&output) == 64 && stderr(&output).contains(reason), "{arguments:?}: {}", stderr(&output));
    }
}

#[test]
fn bounds_are_changed_by_name() {
    let two = ["model", "check", "core", "--leg", "limit", "--bound", "records=1", "--bound", "gossip=On"];
    let output = sextant(&two);
    // One record with an allocation limit of one and gossip: the space that `tests/partial_order.rs` of the model knows too.
    assert!(stdout(&output).contains(" 982 states"), "{}", stdout(&output));
}
