//! The database: commands in order against the newest state of each key, speculative until the log below has caught up.
//!
//! A command queues on each of its keys and runs when it is first on all of them and the pages that it reads are here. A write
//! takes its place in the log at once and is answered when the log says it is committed. What a read says of the state it
//! saw is answered when the log says that it may. [`Redo`] is that log, as far as it concerns a database.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use sextant_model::types::Lsn;

use super::sessions::ReplyTo;
use crate::resp::{Command, Reply};

/// Pages kept in memory before half of the durable ones are evicted.
pub(crate) const PAGES_MAX: usize = 100_000;

pub(super) type Key = Vec<u8>;

/// The volume's redo log.
pub(super) trait Redo {
    /// Whether so many records may be written now (back-pressure).
    fn has_room_for(&self, records: u64) -> bool;
    /// Law: there is room.
    fn write(&mut self, key: &[u8], value: Option<Vec<u8>>) -> Lsn;
    /// A read of the state at `at`; [`Database::on_answer`] with this `id` follows when it may be answered.
    fn read(&mut self, id: u64, at: Lsn);
    /// Asks for a page; [`Database::on_page`] follows. Asking again before that changes nothing.
    fn fetch(&mut self, key: &[u8]);
}

pub(super) struct Database {
    pages_max: usize,
    pages: BTreeMap<Key, Page>,
    /// Commands on each key, oldest first.
    queues: BTreeMap<Key, VecDeque<TaskId>>,
    tasks: BTreeMap<TaskId, Task>,
    /// First in their queues, and refused by the log for now.
    without_room: BTreeSet<TaskId>,
    /// By the LSN that has to be committed.
    writes: BTreeMap<Lsn, (ReplyTo, Reply)>,
    reads: BTreeMap<u64, Read>,
    last_id: u64,
}

/// The newest version of a key.
struct Page {
    /// 0: never written.
    lsn: Lsn,
    value: Option<Vec<u8>>,
}

/// In order of arrival.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct TaskId(u64);

struct Task {
    to: ReplyTo,
    work: Work,
    /// Without duplicates.
    keys: Vec<Key>,
}

enum Work {
    Get,
    Set { value: Vec<u8> },
    SetIfEq { old: Vec<u8>, value: Vec<u8> },
    Del,
}

struct Read {
    to: ReplyTo,
    reply: Reply,
    /// A DEL has written; what becomes of that is unknown if the answer fails.
    has_written: bool,
}

impl Database {
    pub fn new(pages_max: usize) -> Self {
        Database {
            pages_max,
            pages: BTreeMap::new(),
            queues: BTreeMap::new(),
            tasks: BTreeMap::new(),
            without_room: BTreeSet::new(),
            writes: BTreeMap::new(),
            reads: BTreeMap::new(),
            last_id: 0,
        }
    }

    pub fn submit(&mut self, to: ReplyTo, command: Command, redo: &mut impl Redo) {
        let (work, keys) = match command {
            Command::Get { key } => (Work::Get, vec![key]),
            Command::Set { key, value } => (Work::Set { value }, vec![key]),
            Command::SetIfEq { key, old, value } => (Work::SetIfEq { old, value }, vec![key]),
            Command::Del { mut keys } => {
                keys.sort_unstable();
                keys.dedup();
                (Work::Del, keys)
            }
            Command::Ping { message: None } => return to.send(Reply::Simple("PONG".into())),
            Command::Ping { message } => return to.send(Reply::Bulk(message)),
            Command::Quit => return to.send(Reply::ok()),
            Command::Unknown { error, .. } => return to.send(Reply::Error(error)),
        };
        self.last_id += 1;
        let id = TaskId(self.last_id);
        keys.iter().for_each(|key| self.queues.entry(key.clone()).or_default().push_back(id));
        self.tasks.insert(id, Task { to, work, keys });
        self.run(id, redo);
    }

    /// The page of `key` is here: the newest version that the volume has.
    pub fn on_page(&mut self, key: &[u8], lsn: Lsn, value: Option<Vec<u8>>, redo: &mut impl Redo) {
        // A version written here meanwhile is newer.
        self.pages.entry(key.to_vec()).or_insert(Page { lsn, value });
        if let Some(&first) = self.queues.get(key).and_then(VecDeque::front) {
            self.run(first, redo);
        }
    }

    /// Every write at or below `vdl` is committed.
    pub fn on_committed(&mut self, vdl: Lsn, redo: &mut impl Redo) {
        let open = self.writes.split_off(&vdl.next());
        let committed = std::mem::replace(&mut self.writes, open);
        committed.into_values().for_each(|(to, reply)| to.send(reply));
        for id in std::mem::take(&mut self.without_room) {
            self.run(id, redo);
        }
        self.evict(vdl);
    }

    /// The read may be answered.
    pub fn on_answer(&mut self, id: u64) {
        if let Some(read) = self.reads.remove(&id) {
            read.to.send(read.reply);
        }
    }

    /// Nothing that waits will ever be answered as it should. `why` is a sentence without the class of the error.
    pub fn give_up(self, why: &str) {
        let nothing_done = Reply::Error(format!("ERR {why}"));
        let unknown = Reply::Error(format!("INDETERMINATE {why}; the fate of this write is unknown"));
        self.tasks.into_values().for_each(|task| task.to.send(nothing_done.clone()));
        self.writes.into_values().for_each(|(to, _)| to.send(unknown.clone()));
        for read in self.reads.into_values() {
            read.to.send(if read.has_written { unknown.clone() } else { nothing_done.clone() });
        }
    }

    /// Runs a command if it can run, and then those that waited for it.
    fn run(&mut self, id: TaskId, redo: &mut impl Redo) {
        let mut ready = VecDeque::from([id]);
        while let Some(id) = ready.pop_front() {
            if !self.may_run(id, redo) {
                continue;
            }
            let Some(task) = self.tasks.remove(&id) else { continue };
            for key in &task.keys {
                ready.extend(self.leave_queue(key));
            }
            self.perform(task, redo);
        }
    }

    /// Takes the first command off a key's queue; the one behind it.
    fn leave_queue(&mut self, key: &[u8]) -> Option<TaskId> {
        let queue = self.queues.get_mut(key)?;
        queue.pop_front();
        let next = queue.front().copied();
        if next.is_none() {
            self.queues.remove(key);
        }
        next
    }

    fn may_run(&mut self, id: TaskId, redo: &mut impl Redo) -> bool {
        let Some(task) = self.tasks.get(&id) else { return false };
        let is_first = |key: &Key| self.queues.get(key).and_then(VecDeque::front) == Some(&id);
        if !task.keys.iter().all(is_first) {
            return false;
        }
        let missing = |key: &&Key| task.reads_pages() && !self.pages.contains_key(*key);
        let mut complete = true;
        for key in task.keys.iter().filter(missing) {
            redo.fetch(key);
            complete = false;
        }
        if !complete {
            return false;
        }
        let has_room = redo.has_room_for(self.records_of(task));
        if !has_room {
            self.without_room.insert(id);
        }
        has_room
    }

    fn records_of(&self, task: &Task) -> u64 {
        match &task.work {
            Work::Get => 0,
            Work::Set { .. } => 1,
            Work::SetIfEq { old, .. } => u64::from(self.value(&task.keys[0]) == Some(old)),
            Work::Del => task.keys.iter().filter(|key| self.value(key).is_some()).count() as u64,
        }
    }

    fn perform(&mut self, task: Task, redo: &mut impl Redo) {
        let Task { to, work, keys } = task;
        match work {
            Work::Get => {
                let (at, value) =
                    self.pages.get(&keys[0]).map(|page| (page.lsn, page.value.clone())).unwrap_or_default();
                self.read(Read { to, reply: Reply::Bulk(value), has_written: false }, at, redo);
            }
            Work::Set { value } => self.set(to, &keys[0], value, redo),
            Work::SetIfEq { old, value } if self.value(&keys[0]) == Some(&old) => self.set(to, &keys[0], value, redo),
            Work::SetIfEq { .. } => {
                let at = self.lsn(&keys[0]);
                self.read(Read { to, reply: Reply::Bulk(None), has_written: false }, at, redo);
            }
            Work::Del => self.delete(to, &keys, redo),
        }
    }

    fn set(&mut self, to: ReplyTo, key: &[u8], value: Vec<u8>, redo: &mut impl Redo) {
        let lsn = self.write(key, Some(value), redo);
        self.writes.insert(lsn, (to, Reply::ok()));
    }

    /// The count is a read: of the tombstones where it wrote some, of the versions that it found otherwise.
    fn delete(&mut self, to: ReplyTo, keys: &[Key], redo: &mut impl Redo) {
        let found: Vec<&Key> = keys.iter().filter(|key| self.value(key).is_some()).collect();
        let reply = Reply::Integer(found.len() as i64);
        let has_written = !found.is_empty();
        for key in found {
            self.write(key, None, redo);
        }
        let at = keys.iter().map(|key| self.lsn(key)).max().unwrap_or_default();
        self.read(Read { to, reply, has_written }, at, redo);
    }

    fn write(&mut self, key: &[u8], value: Option<Vec<u8>>, redo: &mut impl Redo) -> Lsn {
        let lsn = redo.write(key, value.clone());
        self.pages.insert(key.to_vec(), Page { lsn, value });
        lsn
    }

    fn read(&mut self, read: Read, at: Lsn, redo: &mut impl Redo) {
        self.last_id += 1;
        // Before the log hears of it: it may answer at once.
        self.reads.insert(self.last_id, read);
        redo.read(self.last_id, at);
    }

    fn value(&self, key: &[u8]) -> Option<&Vec<u8>> {
        self.pages.get(key)?.value.as_ref()
    }

    fn lsn(&self, key: &[u8]) -> Lsn {
        self.pages.get(key).map(|page| page.lsn).unwrap_or_default()
    }

    /// Only what is durable, because only that can be read back (S25), and nothing that a command waits for.
    fn evict(&mut self, vdl: Lsn) {
        if self.pages.len() <= self.pages_max {
            return;
        }
        let mut keep = false;
        let queues = &self.queues;
        self.pages.retain(|key, page| {
            keep = !keep;
            keep || page.lsn > vdl || queues.contains_key(key)
        });
    }
}

impl Task {
    fn reads_pages(&self) -> bool {
        match self.work {
            Work::Set { .. } => false,
            Work::Get | Work::SetIfEq { .. } | Work::Del => true,
        }
    }
}

#[cfg(test)]
mod tests;
