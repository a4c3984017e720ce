//! A storage node in the simulator: the node's own server and log on a disk in memory. What is missing is threads and sockets.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sextant_model::disk::Image;
use sextant_model::logset::{Intervals, LogSet, RangeList};
use sextant_model::rules::Rules;
use sextant_model::segment::Segment;
use sextant_model::types::Lsn;

use super::COPIES;
use super::agenda::Nanos;
use crate::flight::{NodeFlight, digest_of_record};
use crate::ledger::Nodes;
use crate::log::memory::{Lasting, Lies, MemDisk};
use crate::log::{self, Log, LogError, Options, reseal, segments};
use crate::node::recover;
use crate::node::server::Server;
use crate::random::Random;

const DIR: &str = "/log";
const SECTOR_BYTES: u32 = 512;
/// Small, so that runs of seconds go on to new files.
const SEGMENT_BYTES: u32 = 32 << 10;
/// Disk operations of one sync with everything that may belong to it.
const SYNC_OPERATIONS: u64 = 12;

/// A mistake of the executor, not of the protocol: what the node's steps say is done is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExecutorMistake {
    /// X1: entries are reported as synced before the sync that they belong to.
    ReplyBeforeSync,
    /// X2: the name of a new file of the log is never made durable.
    NoDirectorySync,
    /// X3: a write leaves out its last sector, and is taken for whole.
    ShortWrite,
    /// X4: the newest entry is dropped when the log is read back.
    ForgetOnRestart,
    /// X5: the log is read back without a look at its checksums.
    IgnoreChecksums,
    /// X6: the timer of a sync fires once more after the sync has ended, and is taken for the end of the next one.
    StaleTimer,
    /// X7: the answers to commands that are answered together go out in reverse order.
    SwapAnswers,
    /// X7': a node's replies that leave together leave in reverse order.
    ReverseReplies,
    /// X8: only the first three nodes are asked whether they know of a newer writer.
    AskThree,
}

impl ExecutorMistake {
    pub const ALL: [ExecutorMistake; 9] = [
        ExecutorMistake::ReplyBeforeSync,
        ExecutorMistake::NoDirectorySync,
        ExecutorMistake::ShortWrite,
        ExecutorMistake::ForgetOnRestart,
        ExecutorMistake::IgnoreChecksums,
        ExecutorMistake::StaleTimer,
        ExecutorMistake::SwapAnswers,
        ExecutorMistake::ReverseReplies,
        ExecutorMistake::AskThree,
    ];

    #[must_use]
    pub fn id(self) -> &'static str {
        match self {
            ExecutorMistake::ReplyBeforeSync => "X1",
            ExecutorMistake::NoDirectorySync => "X2",
            ExecutorMistake::ShortWrite => "X3",
            ExecutorMistake::ForgetOnRestart => "X4",
            ExecutorMistake::IgnoreChecksums => "X5",
            ExecutorMistake::StaleTimer => "X6",
            ExecutorMistake::SwapAnswers => "X7",
            ExecutorMistake::ReverseReplies => "X7'",
            ExecutorMistake::AskThree => "X8",
        }
    }

    /// What is done wrong.
    #[must_use]
    pub fn mistake(self) -> &'static str {
        match self {
            ExecutorMistake::ReplyBeforeSync => "replies before the batch's sync",
            ExecutorMistake::NoDirectorySync => "a new log file's directory is not synced",
            ExecutorMistake::ShortWrite => "a write that is short by a sector is taken for whole",
            ExecutorMistake::ForgetOnRestart => "the newest entry is dropped on restart",
            ExecutorMistake::IgnoreChecksums => "the log's checksums are not looked at",
            ExecutorMistake::StaleTimer => "a sync's stale timer ends the next one",
            ExecutorMistake::SwapAnswers => "answers to clients go out in reverse order",
            ExecutorMistake::ReverseReplies => "a node's replies go out in reverse order",
            ExecutorMistake::AskThree => "only the first three nodes are asked to confirm a read",
        }
    }

    /// Why nothing shows it, if nothing does.
    #[must_use]
    pub fn equivalent(self) -> Option<&'static str> {
        match self {
            ExecutorMistake::ReverseReplies => {
                Some("a reply says what holds for ever, and the network reorders anyway")
            }
            ExecutorMistake::ReplyBeforeSync
            | ExecutorMistake::NoDirectorySync
            | ExecutorMistake::ShortWrite
            | ExecutorMistake::ForgetOnRestart
            | ExecutorMistake::IgnoreChecksums
            | ExecutorMistake::StaleTimer
            | ExecutorMistake::SwapAnswers
            | ExecutorMistake::AskThree => None,
        }
    }
}

pub(super) struct StorageNode {
    name: String,
    disk: MemDisk,
    process: Option<Process>,
    /// Counts restarts: what was meant for an earlier process does not concern this one.
    life: u32,
    /// Its disk is unreadable or was lost: it does not come back.
    pub is_lost: bool,
    pub paused: bool,
    random: Random,
    /// Syncs take so many times as long.
    pub slower: u64,
    sync: (Nanos, Nanos),
    mistake: Option<ExecutorMistake>,
    /// What the process that ended had been told is synced: the next one must find it.
    synced: Option<Kept>,
    /// Its disk was damaged, and may be refused.
    damaged: bool,
    /// The folder in which it records what it does.
    records: Option<PathBuf>,
    flight: NodeFlight,
}

/// What a process had been told is synced.
struct Kept {
    image: Image<Intervals>,
    /// By LSN, the digest of the record.
    contents: BTreeMap<Lsn, u32>,
}

/// What a crash takes away.
struct Process {
    server: Server,
    log: Log,
    /// Handed to the log and not yet being synced.
    waiting: Vec<log::Entry>,
    /// Being written and synced.
    in_flight: Vec<log::Entry>,
    /// Where the newest batch begins: what lies before is behind a mark.
    marked: log::Position,
    /// There is a batch without a mark behind it.
    is_unmarked: bool,
    /// [`ExecutorMistake::ReplyBeforeSync`]
    reports_early: bool,
    /// Entries of `in_flight` that were reported as synced already: [`ExecutorMistake::StaleTimer`].
    reported: usize,
}

/// Why a node is not back as it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// Its disk was damaged, and it says so.
    Damaged(String),
    /// It refuses a disk that only crashed.
    Unfounded(String),
    /// It is back without something that was synced.
    Forgot(String),
}

/// How a process ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// SIGKILL, or its own decision: what was written stays.
    Kill,
    /// Any part of what was not synced is gone.
    PowerCut,
}

impl StorageNode {
    /// A member of a new volume, up.
    pub fn created(
        rules: Rules,
        seed: u64,
        index: usize,
        sync: (Nanos, Nanos),
        mistake: Option<ExecutorMistake>,
        records: Option<&Path>,
    ) -> Self {
        let name = sextant_model::types::SegmentId(index as u8).name(COPIES, super::ZONES);
        let random = Random::new(seed, &format!("node {name}"));
        let disk = MemDisk::new(SECTOR_BYTES as usize);
        let mut node = StorageNode {
            name,
            disk,
            process: None,
            life: 0,
            is_lost: false,
            paused: false,
            random,
            slower: 1,
            sync,
            mistake,
            synced: None,
            damaged: false,
            records: records.map(Path::to_owned),
            flight: NodeFlight::default(),
        };
        node.format(rules);
        node
    }

    /// An empty log, and a process that starts with it.
    pub fn format(&mut self, rules: Rules) {
        self.disk = MemDisk::new(SECTOR_BYTES as usize);
        self.synced = None;
        let options = self.options();
        let log = Log::create(Path::new(DIR), self.identity().as_bytes(), &options).expect("an empty disk in memory");
        drop(log);
        self.start_as(true, rules).expect("a log that was just made");
        self.disk.set_lies(Lies {
            directory_sync: self.mistake == Some(ExecutorMistake::NoDirectorySync),
            whole_write: self.mistake == Some(ExecutorMistake::ShortWrite),
        });
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn life(&self) -> u32 {
        self.life
    }

    pub fn is_up(&self) -> bool {
        self.process.is_some()
    }

    pub fn server(&self) -> Option<&Server> {
        self.process.as_ref().map(|process| &process.server)
    }

    pub fn server_mut(&mut self) -> Option<&mut Server> {
        self.process.as_mut().map(|process| &mut process.server)
    }

    /// What decides, and what records it.
    pub fn recorded(&mut self) -> Option<(&mut Server, &mut NodeFlight)> {
        Some((&mut self.process.as_mut()?.server, &mut self.flight))
    }

    /// What was done may leave now.
    pub fn record(&mut self) {
        self.flight.flush();
    }

    /// Reads the log back.
    ///
    /// # Errors
    /// Why the node stays down, or is not what it was.
    pub fn start(&mut self, rules: Rules) -> Result<(), Refusal> {
        self.start_as(false, rules)
    }

    fn start_as(&mut self, created: bool, rules: Rules) -> Result<(), Refusal> {
        self.disk.restart();
        let refused = |reason: String| if self.damaged { Refusal::Damaged(reason) } else { Refusal::Unfounded(reason) };
        let opened = Log::open(Path::new(DIR), &self.options());
        let (log, mut recovered) = opened.map_err(|error| refused(error.to_string()))?;
        if self.mistake == Some(ExecutorMistake::ForgetOnRestart) {
            recovered.entries.pop();
        }
        let server = recover(rules, Path::new(DIR), &recovered).map_err(|failure| refused(failure.to_string()))?;
        let forgotten = self.synced.take().and_then(|synced| synced.forgotten_by(&server));
        if let Some(dir) = &self.records {
            self.flight = NodeFlight::create(dir, &self.name).expect("the folder takes records");
            self.flight.started(created, server.segment(), server.live());
            self.flight.flush();
        }
        // Behind what is newest on the disk there may be no mark yet: of that nobody can say whether it is torn.
        let marked = log::Position { offset: 0, ..log.end() };
        self.life += 1;
        self.process = Some(Process {
            server,
            log,
            waiting: Vec::new(),
            in_flight: Vec::new(),
            marked,
            is_unmarked: true,
            reports_early: self.mistake == Some(ExecutorMistake::ReplyBeforeSync),
            reported: 0,
        });
        forgotten.map_or(Ok(()), |what| Err(Refusal::Forgot(what)))
    }

    /// Ends the process in the middle of whatever it does; whether anything that it had not synced was destroyed.
    pub fn stop(&mut self, end: End) -> bool {
        let Some(mut process) = self.process.take() else { return false };
        if !process.in_flight.is_empty() {
            let operation = self.disk.operations() + self.random.draw() % SYNC_OPERATIONS;
            self.disk.fail_at(operation, io::ErrorKind::Other, Lasting::ForEver);
            // It fails somewhere on the way, or not at all.
            let _ = process.sync();
        }
        self.synced = Some(Kept::of(&process.server));
        drop(process);
        self.disk.restart();
        if end == End::Kill {
            return false;
        }
        let unsynced = self.disk.unsynced().len();
        let keep: Vec<bool> = (0..unsynced).map(|_| self.random.below(2) == 0).collect();
        self.disk = self.disk.after_power_cut(|index| keep[index]);
        keep.contains(&false)
    }

    /// Takes over what the server appended; how long the sync takes that begins now, if one does.
    pub fn begin_sync(&mut self) -> Option<Nanos> {
        let process = self.process.as_mut()?;
        process.waiting.extend(process.server.take_batch());
        if process.waiting.is_empty() || !process.in_flight.is_empty() {
            return None;
        }
        process.in_flight = std::mem::take(&mut process.waiting);
        let (least, most) = self.sync;
        let most = most.max(least);
        Some((least + self.random.draw() % (most - least + 1)) * self.slower)
    }

    /// The sync that began has run its time: entries that are durable now.
    ///
    /// # Errors
    /// The disk's; the process has to end.
    pub fn end_sync(&mut self) -> Result<usize, LogError> {
        self.process.as_mut().map_or(Ok(0), Process::sync)
    }

    /// [`ExecutorMistake::StaleTimer`]: reports as durable what is only being synced.
    pub fn end_sync_early(&mut self) -> usize {
        self.process.as_mut().map_or(0, Process::report)
    }

    /// Puts a mark behind the last batch if there is none.
    ///
    /// # Errors
    /// The disk's; the process has to end.
    pub fn mark(&mut self) -> Result<bool, LogError> {
        let Some(process) = self.process.as_mut().filter(|process| process.is_unmarked) else { return Ok(false) };
        if !process.in_flight.is_empty() {
            return Ok(false);
        }
        process.is_unmarked = false;
        process.log.mark()?;
        process.marked = process.log.end();
        Ok(true)
    }

    /// The next operation of the disk fails.
    pub fn fail_next(&mut self) {
        self.disk.fail_at(self.disk.operations(), io::ErrorKind::Other, Lasting::Once);
    }

    /// An error that has not come yet does not come any more.
    pub fn spare(&mut self) {
        self.disk.restart();
    }

    /// Whether files may still grow.
    pub fn set_full(&mut self, full: bool) {
        self.disk.set_full(full);
    }

    /// Flips a bit of what is synced and lies before the newest mark: damage that a restart must not overlook. False if there is
    /// nothing there yet.
    pub fn flip(&mut self) -> bool {
        let Some(process) = &self.process else { return false };
        let marked = process.marked;
        if marked.offset == 0 {
            return false;
        }
        let path = segments::path(Path::new(DIR), marked.segment);
        let Some(mut bytes) = self.disk.image(&path) else { return false };
        let written: Vec<usize> = (0..marked.offset as usize).filter(|&at| bytes[at] != 0).collect();
        if written.is_empty() {
            return false;
        }
        let at = written[self.random.below(written.len())];
        bytes[at] ^= 1 << self.random.below(8);
        if self.mistake == Some(ExecutorMistake::IgnoreChecksums) {
            reseal(SECTOR_BYTES, &mut bytes);
        }
        self.disk.overwrite(&path, bytes);
        self.damaged = true;
        true
    }

    fn identity(&self) -> String {
        format!("node {}", self.name)
    }

    fn options(&self) -> Options {
        let disk = Arc::new(self.disk.clone());
        Options { segment_bytes: SEGMENT_BYTES, sector_bytes: SECTOR_BYTES, disk, ..Options::default() }
    }
}

impl Nodes for [StorageNode; COPIES] {
    fn segment(&self, node: usize) -> Option<&Segment<Intervals>> {
        self[node].server().map(Server::segment)
    }

    fn name(&self, node: usize) -> String {
        self[node].name.clone()
    }
}

impl Process {
    fn sync(&mut self) -> Result<usize, LogError> {
        if self.reports_early {
            return self.sync_late();
        }
        for entry in self.in_flight.drain(..) {
            self.log.append(&entry)?;
        }
        let before = self.log.end();
        let synced = self.log.sync()?;
        self.marked = before;
        self.is_unmarked = true;
        Ok(synced.entries - std::mem::take(&mut self.reported))
    }

    /// Reports what is being written as synced, and syncs nothing.
    fn report(&mut self) -> usize {
        let reported = std::mem::replace(&mut self.reported, self.in_flight.len());
        self.in_flight.len() - reported
    }

    /// The entries are appended, and synced with the next ones.
    fn sync_late(&mut self) -> Result<usize, LogError> {
        self.log.sync()?;
        let entries = self.in_flight.len();
        self.in_flight.drain(..).try_for_each(|entry| self.log.append(&entry))?;
        Ok(entries)
    }
}

impl Kept {
    fn of(server: &Server) -> Self {
        Kept { image: server.segment().disk().image().clone(), contents: contents(server) }
    }

    /// What was synced and is not there after a restart.
    fn forgotten_by(&self, server: &Server) -> Option<String> {
        let (synced, found) = (&self.image, server.segment().disk().image());
        if found.fenced < synced.fenced || found.trunc_ve < synced.trunc_ve {
            let before = format!("{}, {}", synced.fenced, synced.trunc_ve);
            return Some(format!("epochs {before} are {}, {} after a restart", found.fenced, found.trunc_ve));
        }
        let is_gone = |lsn: &Lsn| !found.held.contains(*lsn) && !found.ranges.annuls(*lsn);
        let mut lsns = synced.held.runs().flat_map(|(first, last)| (first.0..=last.0).map(Lsn));
        if let Some(lsn) = lsns.find(is_gone) {
            return Some(format!("record {lsn} was synced, and is gone after a restart"));
        }
        let is_another = |(lsn, digest): &(Lsn, u32)| self.contents.get(lsn).is_some_and(|synced| synced != digest);
        let (lsn, _) = contents(server).into_iter().find(is_another)?;
        Some(format!("record {lsn} was synced, and is another one after a restart"))
    }
}

/// By LSN, the digests of the records that are live on the disk.
fn contents(server: &Server) -> BTreeMap<Lsn, u32> {
    server.live().map(|record| (record.lsn, digest_of_record(record))).collect()
}
