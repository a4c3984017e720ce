//! What was recorded is on disk, in order, and readable, whatever happens to the recording process.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use sextant_histories::{Call, History, Misuse, Outcome, RecordError, Recorder, Reply, Value};

fn write(value: i64) -> Call {
    Call::Write(Value::Int(value))
}

#[test]
fn records_from_many_threads_in_one_order() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("h.jsonl");
    let recorder = Recorder::create_about(&path, "eight threads").unwrap();
    std::thread::scope(|scope| {
        for process in 0..8 {
            let recorder = &recorder;
            scope.spawn(move || {
                for value in 0..200 {
                    recorder.invoke(process, "x".into(), write(value)).unwrap();
                    recorder.complete(process, Outcome::Ok(Reply::Written)).unwrap();
                }
            });
        }
    });
    recorder.finish().unwrap();
    let history = History::read(&path).unwrap();
    assert_eq!(history.about(), Some("eight threads"));
    assert_eq!(history.operations().len(), 1600);
    let times: Vec<_> = history.to_events().iter().map(|event| event.time).collect();
    assert!(times.is_sorted(), "times follow the order of the lines");
}

#[test]
fn refuses_to_overwrite_and_to_go_on_after_the_end() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("h.jsonl");
    let recorder = Recorder::create(&path).unwrap();
    recorder.invoke(0, 1.into(), Call::Read).unwrap();
    recorder.finish().unwrap();
    assert!(matches!(recorder.complete(0, Outcome::Fail), Err(RecordError::Finished { .. })));
    assert!(matches!(recorder.finish(), Err(RecordError::Finished { .. })));
    assert!(matches!(Recorder::create(&path), Err(RecordError::Io { .. })));
    assert_eq!(History::read(&path).unwrap().operations().len(), 1);
}

#[test]
fn refuses_what_no_reader_would_accept() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("h.jsonl");
    let recorder = Recorder::create(&path).unwrap();
    let misuse = |result| match result {
        Err(RecordError::Misuse(misuse)) => misuse,
        other => panic!("no misuse: {other:?}"),
    };
    assert_eq!(misuse(recorder.complete(0, Outcome::Fail)), Misuse::NotInvoked { process: 0 });
    recorder.invoke(0, "x".into(), write(1)).unwrap();
    let again = recorder.invoke(0, "x".into(), write(2));
    assert_eq!(misuse(again), Misuse::DoubleInvocation { process: 0 });
    let wrong = recorder.complete(0, Outcome::Ok(Reply::Swapped));
    assert_eq!(misuse(wrong), Misuse::WrongReply { process: 0 });
    recorder.complete(0, Outcome::Indeterminate).unwrap();
    assert_eq!(misuse(recorder.invoke(0, "x".into(), write(2))), Misuse::AfterInfo { process: 0 });
    let history = History::read(&path).unwrap();
    assert_eq!(history.len(), 2, "nothing refused was written");
}

const CHILD: &str = "SEXTANT_TEST_RECORD_INTO";

/// Not a test of its own: the process that the next one kills. It records for ever and says after each line that the
/// line is down.
#[test]
fn child_that_records() {
    let Ok(path) = std::env::var(CHILD) else {
        return;
    };
    let recorder = Recorder::create(path).unwrap();
    for value in 0.. {
        recorder.invoke(0, "x".into(), write(value)).unwrap();
        recorder.complete(0, Outcome::Ok(Reply::Written)).unwrap();
        println!("acknowledged {value}");
    }
}

#[test]
fn sigkill_loses_nothing_recorded() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("h.jsonl");
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["child_that_records", "--exact", "--nocapture"])
        .env(CHILD, &path)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut acknowledged = |count: usize| {
        let seen = lines.by_ref().map(Result::unwrap).filter(|line| line.contains("acknowledged"));
        seen.take(count).count()
    };
    assert_eq!(acknowledged(500), 500);
    child.kill().unwrap();
    child.wait().unwrap();
    let told = 500 + acknowledged(usize::MAX);
    let (history, _) = History::salvage(&path).unwrap();
    let kept = history.operations().iter().filter(|operation| operation.reply().is_some()).count();
    assert!(kept >= told, "{kept} operations kept of {told} acknowledged");
}
