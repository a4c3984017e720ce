//! The database above a log that is a list.

use std::collections::BTreeSet;
use std::sync::mpsc::{Receiver, Sender, channel};

use super::*;

/// Commits, answers and fetches only when the test says so.
#[derive(Default)]
struct List {
    records: Vec<(Key, Option<Vec<u8>>)>,
    reads: Vec<(u64, Lsn)>,
    fetches: BTreeSet<Key>,
    room: u64,
}

impl Redo for List {
    fn has_room_for(&self, records: u64) -> bool {
        records <= self.room
    }

    fn write(&mut self, key: &[u8], value: Option<Vec<u8>>) -> Lsn {
        self.room -= 1;
        self.records.push((key.to_vec(), value));
        Lsn(self.records.len() as u64)
    }

    fn read(&mut self, id: u64, at: Lsn) {
        self.reads.push((id, at));
    }

    fn fetch(&mut self, key: &[u8]) {
        self.fetches.insert(key.to_vec());
    }
}

struct Bench {
    database: Database,
    log: List,
    session: Sender<(u64, Reply)>,
    replies: Receiver<(u64, Reply)>,
    next: u64,
}

impl Bench {
    fn new() -> Self {
        let (session, replies) = channel();
        let log = List { room: 100, ..List::default() };
        Bench { database: Database::new(super::PAGES_MAX), log, session, replies, next: 0 }
    }

    /// Submits a command given as words.
    fn say(&mut self, text: &str) {
        let command = Command::parse(text.split(' ').map(|word| word.as_bytes().to_vec()).collect());
        let to = ReplyTo::new(self.session.clone(), self.next);
        self.next += 1;
        self.database.submit(to, command, &mut self.log);
    }

    fn page(&mut self, key: &str, lsn: u64, value: Option<&str>) {
        assert!(self.log.fetches.remove(key.as_bytes()), "{key} was not fetched");
        self.database.on_page(key.as_bytes(), Lsn(lsn), value.map(|v| v.as_bytes().to_vec()), &mut self.log);
    }

    fn commit(&mut self, vdl: u64) {
        self.database.on_committed(Lsn(vdl), &mut self.log);
    }

    fn answer_all(&mut self) {
        for (id, _) in std::mem::take(&mut self.log.reads) {
            self.database.on_answer(id);
        }
    }

    /// What clients have heard since the last time, as `number:reply`.
    fn heard(&mut self) -> String {
        let text = |reply| match reply {
            Reply::Simple(text) | Reply::Error(text) => text,
            Reply::Integer(number) => number.to_string(),
            Reply::Bulk(Some(bytes)) => String::from_utf8_lossy(&bytes).into_owned(),
            Reply::Bulk(None) => "nil".to_owned(),
        };
        let lines: Vec<String> = self.replies.try_iter().map(|(n, reply)| format!("{n}:{}", text(reply))).collect();
        lines.join(" ")
    }
}

#[test]
fn a_write_is_answered_when_it_is_committed() {
    let mut bench = Bench::new();
    bench.say("SET k 1");
    bench.say("SET k 2");
    assert_eq!(bench.heard(), "");
    bench.commit(1);
    assert_eq!(bench.heard(), "0:OK");
    bench.commit(2);
    assert_eq!(bench.heard(), "1:OK");
    assert!(bench.log.fetches.is_empty(), "a blind write reads no page");
}

#[test]
fn a_read_sees_the_write_before_it_and_waits_for_it() {
    let mut bench = Bench::new();
    bench.say("SET k 1");
    bench.say("GET k");
    assert_eq!(bench.log.reads[0].1, Lsn(1));
    bench.answer_all();
    assert_eq!(bench.heard(), "1:1");
}

#[test]
fn later_commands_on_a_key_queue_behind_its_page() {
    let mut bench = Bench::new();
    bench.say("GET k");
    bench.say("SET k new");
    bench.say("GET k");
    bench.say("SET other 1");
    assert_eq!(bench.log.records.len(), 1, "only the other key is written");
    bench.page("k", 7, Some("old"));
    bench.answer_all();
    assert_eq!(bench.heard(), "0:old 2:new");
}

#[test]
fn a_compare_that_fails_is_a_read_of_what_it_saw() {
    let mut bench = Bench::new();
    bench.say("SET k 2 IFEQ 1");
    bench.page("k", 7, Some("3"));
    assert_eq!(bench.log.reads[0].1, Lsn(7));
    assert!(bench.log.records.is_empty());
    bench.answer_all();
    assert_eq!(bench.heard(), "0:nil");
    bench.say("SET k 4 IFEQ 3");
    bench.commit(1);
    assert_eq!(bench.heard(), "1:OK");
}

#[test]
fn a_delete_counts_what_was_there() {
    let mut bench = Bench::new();
    bench.say("SET a 1");
    bench.say("DEL a b a");
    bench.page("b", 0, None);
    assert_eq!(bench.log.records.len(), 2, "one tombstone, for the key that existed");
    assert_eq!(bench.log.reads[0].1, Lsn(2), "the count waits for its tombstone");
    bench.say("DEL a");
    bench.answer_all();
    assert_eq!(bench.heard(), "1:1 2:0");
}

#[test]
fn without_room_a_write_waits_and_keeps_its_place() {
    let mut bench = Bench::new();
    bench.log.room = 1;
    bench.say("SET k 1");
    bench.say("SET k 2");
    bench.say("SET k 3");
    bench.log.room = 2;
    bench.commit(1);
    bench.commit(3);
    assert_eq!(bench.heard(), "0:OK 1:OK 2:OK");
    let values: Vec<_> = bench.log.records.iter().map(|(_, value)| value.clone().unwrap()).collect();
    assert_eq!(values, [b"1", b"2", b"3"]);
}

#[test]
fn giving_up_tells_what_is_known() {
    let mut bench = Bench::new();
    bench.say("SET a 1");
    bench.say("GET a");
    bench.say("GET b");
    bench.say("SET b 1");
    bench.say("DEL a");
    bench.database.give_up("deposed");
    let mut heard: Vec<(u64, bool)> = bench
        .replies
        .try_iter()
        .map(|(n, reply)| (n, matches!(reply, Reply::Error(text) if text.starts_with("INDETERMINATE "))))
        .collect();
    heard.sort_unstable();
    assert_eq!(heard, [(0, true), (1, false), (2, false), (3, false), (4, true)]);
}
