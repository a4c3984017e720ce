//! Cores by hand, and the sentence that each is told in.

use sextant_histories::{Event, Kind};

use super::*;

/// `0 write 1` invokes, `0 ok` completes, `0 ok 1` with what was returned, `0 differed`, `0 fail`, `0 info`.
fn history(lines: &[&str]) -> History {
    let mut open: BTreeMap<u64, Call> = BTreeMap::new();
    let event = |line: &&str| {
        let words: Vec<&str> = line.split(' ').collect();
        let process = words[0].parse().unwrap();
        let value = |place: usize| match words.get(place) {
            None | Some(&"null") => Value::Null,
            Some(&"true") => true.into(),
            Some(number) => Value::Int(number.parse().unwrap()),
        };
        let ok = |reply| (open[&process].clone(), Kind::Ok(reply));
        let (call, kind) = match words[1] {
            "read" => (Call::Read, Kind::Invoke),
            "write" => (Call::Write(value(2)), Kind::Invoke),
            "cas" => (Call::Cas { old: value(2), new: value(3) }, Kind::Invoke),
            "enqueue" => (Call::Enqueue(value(2)), Kind::Invoke),
            "dequeue" => (Call::Dequeue, Kind::Invoke),
            "contains" => (Call::Contains(value(2)), Kind::Invoke),
            "remove" => (Call::Remove(value(2)), Kind::Invoke),
            "acquire" => (Call::Acquire, Kind::Invoke),
            "fail" => (open[&process].clone(), Kind::Fail),
            "info" => (open[&process].clone(), Kind::Info),
            "differed" => ok(Reply::Differed),
            "ok" => ok(match &open[&process] {
                Call::Read => Reply::Read(value(2)),
                Call::Write(_) => Reply::Written,
                Call::Cas { .. } => Reply::Swapped,
                Call::Dequeue | Call::Contains(_) => Reply::Returned(value(2)),
                _ => Reply::Done,
            }),
            other => panic!("{other}"),
        };
        open.insert(process, call.clone());
        Event { process, kind, call, key: "x".into(), time: None }
    };
    History::from_events(lines.iter().map(event).collect::<Vec<Event>>()).unwrap()
}

fn tell(family: Family, core: &[usize], lines: &[&str]) -> String {
    let history = history(lines);
    let operations: Vec<(usize, &Operation)> = history.operations().iter().enumerate().collect();
    let core = Core { operations: core.to_vec(), smallest: true };
    sentence(&history, &operations, &family, &core)
}

fn register(core: &[usize], lines: &[&str]) -> String {
    tell(Family::Register { initial: Value::Null }, core, lines)
}

#[test]
fn a_value_from_nowhere() {
    assert_eq!(
        register(&[0], &["1 read", "1 ok 9"]),
        "read of 9 by process 1 (lines 1 to 2), but nothing ever wrote 9"
    );
    assert_eq!(
        register(&[0, 1], &["0 write 4", "0 fail", "1 read", "1 ok 4"]),
        "read of 4 by process 1 (lines 3 to 4), but write of 4 by process 0 failed (line 2) and nothing else wrote 4"
    );
    assert_eq!(
        register(&[0, 1], &["1 read", "1 ok 5", "0 write 5", "0 ok"]),
        "read of 5 by process 1 (lines 1 to 2) had completed (line 2) before write of 5 by process 0 began (line 3), and nothing else wrote 5"
    );
    assert_eq!(
        tell(Family::Queue, &[0], &["1 dequeue", "1 ok 5"]),
        "dequeue of 5 by process 1 (lines 1 to 2), but nothing ever enqueued 5"
    );
}

#[test]
fn a_value_that_was_overwritten() {
    assert_eq!(
        register(&[0, 1, 2], &["2 write 3", "2 ok", "2 write 4", "2 ok", "7 read", "0 write 8", "7 ok 3"]),
        "read of 3 by process 7 (lines 5 to 7) began after write of 4 by process 2 had completed (line 4), which began after write of 3 by process 2 had completed (line 2)"
    );
    assert_eq!(
        register(&[0, 1], &["2 write 4", "2 ok", "7 read", "7 ok null"]),
        "read of null by process 7 (lines 3 to 4) began after write of 4 by process 2 had completed (line 2), and nothing wrote null"
    );
    assert_eq!(
        register(&[0, 1, 2, 3], &["2 write 3", "2 ok", "2 write 3", "2 ok", "2 write 4", "2 ok", "7 cas 3 5", "7 ok"]),
        "compare-and-set from 3 to 5 by process 7 (lines 7 to 8) began after write of 4 by process 2 had completed (line 6), which began after all 2 writes of 3 before it had completed"
    );
    assert_eq!(
        register(&[0, 1, 2], &["2 cas null 4", "2 ok", "7 read", "7 ok null", "2 write null", "2 info"]),
        "read of null by process 7 (lines 3 to 4) began after compare-and-set from null to 4 by process 2 had completed (line 2), and nothing wrote null in between"
    );
}

/// A write of 3 that may have come between forbids the sentence about the stale read.
#[test]
fn nothing_is_said_that_is_not_so() {
    let text = register(&[0, 2, 3], &["2 write 3", "2 ok", "9 write 3", "2 write 4", "2 ok", "7 read", "7 ok 3"]);
    assert_eq!(
        text,
        "3 operations do not fit together, whatever the others did: write of 3 by process 2 (lines 1 to 2); write of 4 by process 2 (lines 4 to 5), which began after write of 3 had completed (line 2); read of 3 by process 7 (lines 6 to 7), which began after write of 4 had completed (line 5)"
    );
    // Two writes of 1: it may have been there twice.
    let text =
        register(&[2, 3, 4], &["0 write 1", "1 write 1", "2 read", "2 ok 1", "2 read", "2 ok 2", "2 read", "2 ok 1"]);
    assert!(text.starts_with("3 operations do not fit together"), "{text}");
}

#[test]
fn values_that_were_there_at_the_same_time() {
    assert_eq!(
        register(&[1, 2, 3], &["0 write 1", "2 read", "2 ok 1", "3 read", "3 ok 2", "2 read", "2 ok 1", "5 write 2"]),
        "1 was there from the end of read of 1 by process 2 (line 3) to the beginning of read of 1 by process 2 (line 6), and it was there only once, but read of 2 by process 3 (lines 4 to 5) lies in between"
    );
    assert_eq!(
        register(
            &[2, 3, 4, 5],
            &["0 write 1", "1 write 2", "2 read", "2 ok 1", "3 read", "3 ok 2", "2 read", "3 read", "2 ok 1", "3 ok 2"]
        ),
        "1 was there from the end of read of 1 by process 2 (line 4) to the beginning of read of 1 by process 2 (line 7), and 2 was there from the end of read of 2 by process 3 (line 6) to the beginning of read of 2 by process 3 (line 8), but each was there only once"
    );
}

#[test]
fn what_was_there_once_is_used_up_once() {
    assert_eq!(
        register(&[1, 2], &["0 write 1", "0 ok", "1 cas 1 2", "3 cas 1 3", "1 ok", "3 ok"]),
        "compare-and-set from 1 to 2 by process 1 and compare-and-set from 1 to 3 by process 3 each replaced 1, which was there only once"
    );
    assert_eq!(
        tell(Family::Queue, &[1, 2], &["0 enqueue 5", "0 ok", "1 dequeue", "1 ok 5", "1 dequeue", "1 ok 5"]),
        "dequeue of 5 by process 1 and dequeue of 5 by process 1 each took 5, which was there only once"
    );
}

#[test]
fn queues_have_an_order_and_an_end() {
    let first = ["0 enqueue 1", "0 ok", "0 enqueue 2", "0 ok", "1 dequeue", "1 ok 2", "1 dequeue", "1 ok 1"];
    assert_eq!(
        tell(Family::Queue, &[0, 1, 2, 3], &first),
        "dequeue of 2 by process 1 (lines 5 to 6) had completed (line 6) before dequeue of 1 by process 1 began (line 7), though enqueue of 1 by process 0 had completed (line 2) before enqueue of 2 by process 0 began (line 3)"
    );
    assert_eq!(
        tell(Family::Queue, &[0, 1, 2], &["0 enqueue 1", "0 ok", "1 dequeue", "1 ok null", "1 dequeue", "1 ok 1"]),
        "dequeue that found nothing by process 1 (lines 3 to 4) began after enqueue of 1 by process 0 had completed (line 2), and completed (line 4) before dequeue of 1 by process 1 began (line 5)"
    );
    assert_eq!(
        tell(Family::Queue, &[0, 1], &["0 enqueue 1", "0 ok", "1 dequeue", "1 ok null"]),
        "dequeue that found nothing by process 1 (lines 3 to 4) began after enqueue of 1 by process 0 had completed (line 2), and nothing can have taken 1 out"
    );
}

#[test]
fn every_other_core_is_listed() {
    assert_eq!(
        tell(Family::Set, &[0], &["1 contains 5", "1 ok true"]),
        "look-up of 5 that returned true by process 1 (lines 1 to 2), which is impossible whatever the other operations did"
    );
    assert_eq!(
        tell(Family::General, &[0, 1], &["0 acquire", "0 ok", "1 acquire", "1 ok"]),
        "2 operations do not fit together, whatever the others did: acquire by process 0 (lines 1 to 2); acquire by process 1 (lines 3 to 4), which began after acquire had completed (line 2)"
    );
    assert_eq!(
        register(&[0, 1], &["0 write 1", "0 ok", "1 cas 1 2", "1 differed"]),
        "2 operations do not fit together, whatever the others did: write of 1 by process 0 (lines 1 to 2); compare-and-set from 1 to 2 that differed by process 1 (lines 3 to 4), which began after write of 1 had completed (line 2)"
    );
}
