//! Histories in the formats of others, as a user of the command meets them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn sextant(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_sextant")).args(arguments).current_dir(folder).output().unwrap()
}

fn told(output: &Output) -> (i32, String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
}

fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

const ZERO: &str = "{:process 0 :type :invoke :f :read :value nil}\n{:process 0 :type :ok :f :read :value 0}\n";

fn check(folder: &Path, arguments: &[&str]) -> (i32, String, String) {
    told(&sextant(folder, &[&["history", "check", "--model", "cas-register"], arguments].concat()))
}

#[test]
fn the_initial_value_is_that_of_the_format_or_of_the_user() {
    let files = folder(&[("zero", ZERO)]);
    assert_eq!(check(files.path(), &["zero"]).0, 0);
    assert_eq!(check(files.path(), &["zero", "--initial", "1"]).0, 1);
    assert_eq!(check(files.path(), &["zero", "--initial", "null"]).0, 1);
    assert_eq!(check(files.path(), &["zero", "--initial", "-1"]).0, 1);
    assert_eq!(check(files.path(), &["zero", "--format", "edn"]).0, 0);
    let (exit, _, error) = check(files.path(), &["zero", "--format", "json"]);
    assert_eq!((exit, error.as_str()), (64, "error: zero:1:2: not JSON: expected a string\n"));
    let (exit, _, error) = check(files.path(), &["zero", "--format", "xml"]);
    assert!(exit == 64 && error.contains("use auto or one of native, edn"), "{error}");
}

#[test]
fn what_is_odd_is_a_warning_and_can_be_an_error() {
    let backwards = ZERO.replace(":invoke", ":invoke :time 9").replace(":ok", ":ok :time 8");
    let torn = format!("{ZERO}{{:process 1 :ty");
    let files = folder(&[("backwards", backwards.as_str()), ("torn", torn.as_str())]);
    let (exit, _, error) = check(files.path(), &["backwards"]);
    assert!(exit == 0 && error.starts_with("warning: backwards: time goes backwards on line 2"), "{error}");
    let (exit, _, error) = check(files.path(), &["backwards", "--strict-time"]);
    assert_eq!((exit, error.as_str()), (64, "error: backwards:2: time goes backwards: 8 after 9\n"));
    let (exit, _, error) = check(files.path(), &["torn"]);
    assert_eq!((exit, error.as_str()), (64, "error: torn:3:16: truncated: a bracket is not closed\n"));
    let (exit, _, error) = check(files.path(), &["torn", "--salvage"]);
    assert!(exit == 0 && error.contains("what stands before it was read"), "{error}");
}

#[test]
fn lines_in_a_verdict_are_those_of_the_file() {
    let text =
        "; one\n; two\n[{:process 0 :type :invoke :f :read :value nil}\n\n {:process 0 :type :ok :f :read :value 7}]\n";
    let files = folder(&[("text", text)]);
    let (exit, output, _) = check(files.path(), &["text"]);
    assert!(exit == 1 && output.contains("lines 3 and 5"), "{output}");
}

#[test]
fn sessions_without_times_are_not_judged_linearizable() {
    let files = folder(&[("text", "w 0 1\n=====\nr 0 1\n")]);
    let (exit, _, error) = check(files.path(), &["text"]);
    assert!(exit == 64 && error.contains("has sessions and no times"), "{error}");
}

#[test]
fn convert_goes_there_and_back() {
    let corpus: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("../histories/corpus");
    let own = fs::read_to_string(corpus.join("valid/generated-cas.jsonl")).unwrap();
    let files = folder(&[("0", own.as_str())]);
    let convert = |arguments: &[&str]| told(&sextant(files.path(), &[&["history", "convert"], arguments].concat()));
    for (from, to, format) in [("0", "1", "edn"), ("1", "2", "json"), ("2", "3", "native")] {
        assert_eq!(convert(&[from, "--to", format, "--out", to]), (0, String::new(), String::new()), "{format}");
    }
    assert_eq!(fs::read_to_string(files.path().join("3")).unwrap(), own);
    // To standard output, and a file that exists stays.
    assert_eq!(convert(&["2", "--to", "native"]).1, own);
    let (exit, _, error) = convert(&["0", "--to", "edn", "--out", "3"]);
    assert!(exit == 64 && error.starts_with("error: 3: File exists"), "{error}");
    assert_eq!(fs::read_to_string(files.path().join("3")).unwrap(), own);
    for file in ["0", "1", "2", "3"] {
        assert_eq!(check(files.path(), &[file]).0, 0, "{file}");
    }
}

#[test]
fn convert_says_what_gets_lost() {
    let files = folder(&[("zero", ZERO)]);
    let (exit, output, error) = told(&sextant(files.path(), &["history", "convert", "zero", "--to", "native"]));
    assert_eq!(exit, 0);
    assert!(error.contains("registers begin as 0, which the native format does not say"), "{error}");
    fs::write(files.path().join("native"), output).unwrap();
    assert_eq!(check(files.path(), &["native"]).0, 1);
    assert_eq!(check(files.path(), &["native", "--initial", "0"]).0, 0);
    let (exit, ..) = told(&sextant(files.path(), &["history", "convert", "none", "--to", "native"]));
    assert_eq!(exit, 64);
}

#[test]
fn help_shows_what_every_format_means() {
    let (exit, output, _) = told(&sextant(Path::new("."), &["history", "check", "--help"]));
    assert_eq!(exit, 0);
    for name in ["native", "edn", "json", "porcupine-etcd", "porcupine-kv", "etcd", "columns", "awdit", "plume"] {
        assert!(output.lines().any(|line| line.trim_start().starts_with(name)), "{name}: {output}");
    }
    assert!(output.contains("--strict-time") && output.contains("--salvage") && output.contains("--initial"));
}
