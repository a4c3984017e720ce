//! Certificates and watching, as a user meets them: words, exit codes, files that grow.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

const VALID: &str = "valid/failed-write.jsonl";
const INVALID: &str = "invalid/stale-read.jsonl";
const UNKNOWN: &str = "unknown/no-claim.jsonl";

fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../histories/corpus")
}

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sextant"));
    command.arg("history").args(arguments).current_dir(corpus());
    command
}

fn run(arguments: &[&str]) -> (i32, String, String) {
    said(command(arguments).output().unwrap())
}

fn said(output: Output) -> (i32, String, String) {
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

#[test]
fn a_certificate_is_written_and_holds() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("certificate");
    let certificate = file.to_str().unwrap();
    for (history, exit, verdict) in [(VALID, 0, "valid"), (INVALID, 1, "invalid")] {
        let (code, _, _) = run(&["check", "--model", "cas-register", "--certificate", certificate, history]);
        assert_eq!(code, exit);
        let (code, text, _) = run(&["verify", history, certificate]);
        assert!(code == 0 && text.starts_with(&format!("{history}: certified {verdict} (cas-register, ")), "{text}");
        let (code, text, _) = run(&["verify", "valid/generated-cas.jsonl", certificate]);
        assert!(code == 1 && text.ends_with("it is about another history\n"), "{text}");
    }
    let changed = fs::read_to_string(&file).unwrap().replace("[0,1,2]", "[0,2]");
    fs::write(&file, changed).unwrap();
    let (code, text, _) = run(&["verify", INVALID, certificate]);
    assert_eq!(
        (code, &text[..]),
        (1, "invalid/stale-read.jsonl: the certificate does not hold: there is an order of its core\n")
    );
    fs::write(&file, "{\n").unwrap();
    let (code, text, error) = run(&["verify", INVALID, certificate]);
    assert!(code == 64 && text.is_empty() && error.contains("certificate:1: EOF while parsing"), "{error}");
    assert_eq!(run(&["verify", INVALID, "nowhere"]).0, 64);
    assert_eq!(run(&["check", "--model", "register", "--certificate", certificate, VALID, INVALID]).0, 64);
    fs::remove_file(&file).unwrap();
    let (code, _, note) = run(&["check", "--model", "register", "--certificate", certificate, UNKNOWN]);
    assert!(code == 2 && note.contains("nothing certifies an unknown") && !file.exists(), "{note}");
}

/// Watching a file that does not grow comes to the verdict of its folder.
#[test]
fn what_is_watched_gets_the_verdict_that_check_gives() {
    let mut count = 0;
    for folder in ["valid", "invalid", "unknown"] {
        for entry in fs::read_dir(corpus().join(folder)).unwrap() {
            let file = entry.unwrap().path();
            let file = file.to_str().unwrap();
            let (expected, _, _) = run(&["check", "--model", "cas-register", file]);
            let (code, text, _) = run(&["watch", "--model", "cas-register", "--idle", "0s", file]);
            assert_eq!(code, expected, "{file}: {text}");
            count += 1;
        }
    }
    assert!(count > 20);
    let (code, text, _) = run(&["watch", "--model", "register", "--until-complete", INVALID]);
    assert_eq!(code, 1);
    assert_eq!(
        text,
        "invalid/stale-read.jsonl: invalid (register, 3 operations, 1 keys): line 7: on key \"x\", no order of the operations so far allows `read -> 1` by process 1\n"
    );
    assert_eq!(run(&["watch", "--model", "register", "nowhere"]).0, 64);
    assert_eq!(run(&["watch", "--model", "register", "--idle", "0s", "../Cargo.toml"]).0, 64);
}

#[test]
fn standard_input_is_judged_to_its_end_or_its_first_violation() {
    for (history, exit) in [(VALID, 0), (INVALID, 1), (UNKNOWN, 2)] {
        let input = File::open(corpus().join(history)).unwrap();
        let (code, text, _) = said(command(&["watch", "--model", "cas-register", "-"]).stdin(input).output().unwrap());
        assert!(code == exit && text.starts_with("standard input: "), "{text}");
    }
    // The pipe stays open: it is the violation that ends it.
    let mut child =
        command(&["watch", "--model", "register", "-"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut pipe = child.stdin.take().unwrap();
    pipe.write_all(&fs::read(corpus().join(INVALID)).unwrap()).unwrap();
    pipe.flush().unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(1));
    drop(pipe);
}

/// The file is written while it is watched, in pieces that end in the middle of lines.
#[test]
fn a_file_is_followed_while_it_grows() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("growing.jsonl");
    let mut file = File::create(&path).unwrap();
    for (history, exit) in [(INVALID, 1), ("valid/repeated-values.jsonl", 0)] {
        file.set_len(0).unwrap();
        std::io::Seek::rewind(&mut file).unwrap();
        let bytes = fs::read(corpus().join(history)).unwrap();
        let (begin, rest) = bytes.split_at(150);
        file.write_all(begin).unwrap();
        let mut child = command(&["watch", "--model", "cas-register", "--idle", "2s", path.to_str().unwrap()]);
        let child = child.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        for piece in rest.chunks(70) {
            file.write_all(piece).unwrap();
            file.flush().unwrap();
        }
        let (code, text, error) = said(child.wait_with_output().unwrap());
        assert_eq!(code, exit, "{text}{error}");
    }
}

/// Every stream of events can be watched, its format found out, and the line of the violation is that of the file.
#[test]
fn every_streaming_format_is_watched() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("history");
    let name = path.to_str().unwrap();
    let watch = |model: &str, more: &[&str]| {
        let arguments = [&["watch", "--model", model, "--idle", "0s"][..], more, &[name]].concat();
        run(&arguments)
    };
    for (to, line) in [("native", 6), ("edn", 6), ("json", 6)] {
        let (code, _, error) = run(&["convert", INVALID, "--to", to, "--out", name]);
        assert_eq!(code, 0, "{error}");
        let (code, text, error) = watch("register", &["--format", to]);
        assert_eq!(code, 1, "{to}: {text}{error}");
        let told: usize = text.split("line ").nth(1).unwrap().split(':').next().unwrap().parse().unwrap();
        assert!(told.abs_diff(line) <= 2, "{to}: {text}");
        let (code, text, error) = watch("register", &[]);
        assert!(code == 1 || to == "json", "{to}, found out: {text}{error}");
        fs::remove_file(&path).unwrap();
    }
    let log = |end: &str| {
        format!(
            "INFO jepsen.core - go\nINFO jepsen.util - 0\t:invoke\t:write\t1\nINFO jepsen.util - 0\t:ok\t:write\t1\n\
             INFO jepsen.util - 1\t:invoke\t:cas\t[{end} 3]\nINFO jepsen.util - 1\t:fail\t:cas\t[{end} 3]\n"
        )
    };
    // A cas that failed with its values says that the register held something else.
    for (end, exit) in [("2", 0), ("1", 1)] {
        fs::write(&path, log(end)).unwrap();
        let (code, text, error) = watch("cas-register", &[]);
        assert_eq!(code, exit, "{text}{error}");
        assert!(code == 0 || text.contains(": line 5: "), "{text}");
    }
    let kv = |seen: &str| {
        format!(
            "{{:process 0, :type :invoke, :f :append, :key \"0\", :value \"x\"}}\n{{:process 0, :type :ok, :f :append, :key \"0\", :value \"x\"}}\n\
             {{:process 1, :type :invoke, :f :get, :key \"0\", :value nil}}\n{{:process 1, :type :ok, :f :get, :key \"0\", :value \"{seen}\"}}\n"
        )
    };
    for (seen, exit) in [("x", 0), ("y", 1)] {
        fs::write(&path, kv(seen)).unwrap();
        let (code, text, error) = watch("key-value", &["--format", "porcupine-kv"]);
        assert_eq!(code, exit, "{text}{error}");
    }
    // Each says what is wrong, and where.
    for (text, reason) in [
        ("process,f,invoke,return,outcome\n0,read,1,2,ok\n", ": columns is no stream of events"),
        ("hello\nthere\n", ": unknown format: it begins with \"hello\""),
        ("{:process 0, :type :ok, :f :read, :value 1}\n\n", ":1:1: process 0 completes nothing"),
        ("{:process 0, :type :invoke, :f :reed}\n\n", ":1:32: unknown function \"reed\""),
    ] {
        fs::write(&path, text).unwrap();
        let (code, _, error) = watch("register", &[]);
        assert!(code == 64 && error.starts_with(&format!("error: {name}{reason}")), "{error}");
    }
}

/// An interrupted watch has seen a part of the history, and says which.
#[test]
fn ctrl_c_ends_a_watch_with_what_is_known() {
    let mut child = command(&["watch", "--model", "cas-register", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut pipe = child.stdin.take().unwrap();
    let bytes = fs::read(corpus().join("valid/repeated-values.jsonl")).unwrap();
    pipe.write_all(&bytes).unwrap();
    pipe.flush().unwrap();
    // SIGHUP is the last of three that it begins to catch: before that a signal would kill it.
    let process = child.id();
    let catches = || {
        let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
        let caught = status.lines().find_map(|line| u64::from_str_radix(line.strip_prefix("SigCgt:")?.trim(), 16).ok());
        caught.is_some_and(|caught| caught & 1 == 1)
    };
    while child.try_wait().unwrap().is_none() && !catches() {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    let (code, text, _) = said(child.wait_with_output().unwrap());
    assert_eq!(code, 2, "{text}");
    // It may have been caught before it judged what it had read.
    let told = text.contains(": interrupted: the first ") && text.ends_with(" are linearizable\n");
    assert!(told || text.contains("no operation ended in ok"), "{text}");
    drop(pipe);
}
