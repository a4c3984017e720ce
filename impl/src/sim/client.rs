//! The clients: closed loops that record what they asked and what they heard, by the contract of real ones.

use sextant_histories::{Call, Event, Key, Kind, Outcome, Reply as Answer};

use super::agenda::Nanos;
use crate::client::contract::{End, Failure, Next, end_of};
use crate::client::workload::Workload;
use crate::resp::Reply;

pub(super) struct Client {
    workload: Workload,
    /// Moves on as soon as a new writer is open; otherwise stays until the old one refuses or is gone: whom a zombie could deceive.
    moves: bool,
    /// Its number in the history; a new one after each `info`.
    process: u64,
    /// The writer that it talks to, by incarnation.
    seat: Option<Opened>,
    pub waits: Option<Waiting>,
    unanswered: bool,
    leaves: bool,
}

/// A writer that has opened: its incarnation, and which process it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Opened {
    pub incarnation: usize,
    pub writer: usize,
}

/// An operation without an answer.
pub(super) struct Waiting {
    pub number: u64,
    pub writer: usize,
    key: Key,
    call: Call,
}

/// What the clients have recorded together.
#[derive(Default)]
pub(super) struct Recording {
    pub events: Vec<Event>,
    pub ok: u64,
    pub fail: u64,
    pub info: u64,
    /// Writes among those that ended in `ok`.
    pub written: u64,
    /// Those that say what a key had.
    pub read: u64,
    processes: u64,
    pub operations: u64,
    /// A reply that no contract knows.
    pub strange: Option<String>,
}

impl Recording {
    pub fn fresh_process(&mut self) -> u64 {
        self.processes += 1;
        self.processes - 1
    }

    fn push(&mut self, process: u64, kind: Kind, call: &Call, key: &Key, now: Nanos) {
        self.events.push(Event { process, kind, call: call.clone(), key: key.clone(), time: Some(now) });
    }
}

impl Client {
    pub fn new(seed: u64, number: usize, keys: usize, recording: &mut Recording) -> Self {
        let workload = Workload::new(seed, number, keys);
        Client {
            workload,
            moves: number.is_multiple_of(2),
            process: recording.fresh_process(),
            seat: None,
            waits: None,
            unanswered: false,
            leaves: false,
        }
    }

    /// Whom to ask next; none: whom it knows is of no use, and there is no other yet. `newest` is the writer that opened last.
    pub fn choose(&mut self, newest: Option<Opened>) -> Option<usize> {
        let is_newer = newest > self.seat;
        if is_newer && (self.moves || self.leaves || self.seat.is_none()) {
            self.seat = newest;
            self.leaves = false;
            self.unanswered = false;
            self.workload.look_around();
        }
        self.seat.filter(|_| !self.leaves).map(|seat| seat.writer)
    }

    /// The writer is of no use any more.
    pub fn leave(&mut self) {
        self.leaves = true;
    }

    /// Asks `writer` for what comes next.
    pub fn invoke(&mut self, writer: usize, recording: &mut Recording, now: Nanos) -> (u64, Key, Call) {
        let (key, call) = if self.unanswered { self.workload.probe() } else { self.workload.next_call() };
        self.ask(writer, key, call, recording, now)
    }

    pub fn ask(
        &mut self,
        writer: usize,
        key: Key,
        call: Call,
        recording: &mut Recording,
        now: Nanos,
    ) -> (u64, Key, Call) {
        recording.operations += 1;
        let number = recording.operations;
        recording.push(self.process, Kind::Invoke, &call, &key, now);
        self.waits = Some(Waiting { number, writer, key: key.clone(), call: call.clone() });
        (number, key, call)
    }

    /// The operation `number` ended, or nobody waits for it any more.
    pub fn end(&mut self, number: u64, reply: Result<Reply, Failure>, recording: &mut Recording, now: Nanos) -> bool {
        let Some(Waiting { key, call, .. }) = self.waits.take_if(|waiting| waiting.number == number) else {
            return false;
        };
        let said = reply.clone();
        let (End { outcome, next }, understood) = end_of(&call, reply);
        if !understood {
            recording.strange = Some(format!("{call} was answered {said:?}"));
        }
        let kind = match &outcome {
            Outcome::Ok(answer) => {
                recording.ok += 1;
                let has_written = matches!(answer, Answer::Written | Answer::Swapped);
                recording.written += u64::from(has_written);
                recording.read += u64::from(!has_written);
                Kind::Ok(answer.clone())
            }
            Outcome::Fail => {
                recording.fail += 1;
                Kind::Fail
            }
            Outcome::Indeterminate => {
                recording.info += 1;
                Kind::Info
            }
        };
        recording.push(self.process, kind, &call, &key, now);
        match (&call, &outcome) {
            (_, Outcome::Ok(Answer::Read(value))) => self.workload.saw(&key, value.clone()),
            (Call::Write(new), Outcome::Ok(_)) | (Call::Cas { new, .. }, Outcome::Ok(Answer::Swapped)) => {
                self.workload.saw(&key, new.clone());
            }
            (_, Outcome::Indeterminate) => self.process = recording.fresh_process(),
            (_, Outcome::Ok(_) | Outcome::Fail) => {}
        }
        self.unanswered = matches!(next, Next::Wait | Next::Reconnect);
        self.leaves |= next == Next::Leave;
        true
    }

    /// Nanoseconds of thought between two operations, at most `most`.
    pub fn thinks(&mut self, most: Nanos) -> Nanos {
        self.workload.think_us() * most / 3000
    }
}
