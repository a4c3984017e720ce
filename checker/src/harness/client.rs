//! One client: asks, waits, records, never retries.
//!
//! What an end means is the contract of the processes: an error that says that nothing was done is `fail`; whatever
//! leaves the fate of a write open is `info`, and the process number that asked is never used again; a read without an
//! answer claims nothing and is `fail`.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use sextant_histories::{Call, Key, Outcome, RecordError, Recorder, Reply as Answer, Value};
use sextant_storage::resp::{Command, Reply};

use super::board::{Board, Seat};
use super::connection::{Connection, Failure};
use super::workload::Workload;

/// Much shorter than the pause of a zombie writer, so that the clients that stay with it keep asking.
pub(crate) const PATIENCE: Duration = Duration::from_millis(500);

/// When a writer refused or vanished: not to ask it a thousand times a second.
const AFTER_FAILURE: Duration = Duration::from_millis(3);

/// What all clients of a run share.
pub(crate) struct Common {
    pub(crate) board: Arc<Board>,
    pub(crate) recorder: Recorder,
    next_process: AtomicU64,
}

impl Common {
    pub(crate) fn new(board: Arc<Board>, recorder: Recorder) -> Self {
        Self { board, recorder, next_process: AtomicU64::new(0) }
    }

    fn fresh_process(&self) -> u64 {
        self.next_process.fetch_add(1, Ordering::Relaxed)
    }
}

/// Which writer a client talks to when there are two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Loyalty {
    /// Stays with a replaced writer until that one refuses it or is gone: whom a zombie could deceive.
    Stays,
    /// Moves on as soon as a new writer is open.
    Moves,
}

pub(crate) struct Client {
    common: Arc<Common>,
    loyalty: Loyalty,
    workload: Workload,
    process: u64,
    seat: Option<Arc<Seat>>,
    connection: Option<Connection>,
    /// The last operation got no answer.
    unanswered: bool,
}

/// How an operation ended, and whether the writer is worth asking again.
struct End {
    outcome: Outcome,
    next: Next,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    Continue,
    /// No answer in time. The connection is kept: whatever a paused writer finds there when it wakes, it finds in order,
    /// and the reads of its clients at once.
    Wait,
    Reconnect,
    /// It said that it does not serve.
    Leave,
}

impl Client {
    pub(crate) fn new(common: Arc<Common>, loyalty: Loyalty, workload: Workload) -> Self {
        let process = common.fresh_process();
        Self { common, loyalty, workload, process, seat: None, connection: None, unanswered: false }
    }

    /// Works until the board is closed, and closes it if the history cannot be recorded.
    pub(crate) fn run(mut self) -> Result<(), RecordError> {
        let result = self.work();
        if result.is_err() {
            self.common.board.close();
        }
        result
    }

    fn work(&mut self) -> Result<(), RecordError> {
        while let Some(seat) = self.choose_seat() {
            if !self.connect(&seat) {
                continue;
            }
            let pressed = self.common.board.is_pressed();
            let (key, call) = match self.unanswered {
                true => self.workload.probe(),
                false if pressed => self.workload.write(),
                false => self.workload.next(),
            };
            self.operate(&seat, key, call)?;
            if !pressed {
                std::thread::sleep(Duration::from_micros(self.workload.think_us()));
            }
        }
        Ok(())
    }

    /// Asks this one writer once. `None` if it cannot be reached, and then nothing was asked.
    pub(crate) fn ask_once(&mut self, seat: &Arc<Seat>, key: Key, call: Call) -> Result<Option<Outcome>, RecordError> {
        if !self.connect(seat) {
            return Ok(None);
        }
        self.operate(seat, key, call).map(Some)
    }

    fn choose_seat(&mut self) -> Option<Arc<Seat>> {
        let board = self.common.board.clone();
        if board.is_closed() {
            return None;
        }
        let epoch = self.seat.as_ref().map(|seat| seat.epoch);
        let newer = match epoch {
            None => board.later_than(0)?,
            Some(epoch) => match (self.loyalty, board.current()) {
                (Loyalty::Moves, Some(current)) if current.epoch > epoch => current,
                _ => return self.seat.clone(),
            },
        };
        self.take(newer);
        self.seat.clone()
    }

    fn take(&mut self, seat: Arc<Seat>) {
        self.seat = Some(seat);
        self.connection = None;
        self.unanswered = false;
        self.workload.look_around();
    }

    /// The writer is of no use any more: waits for a later one.
    fn leave(&mut self, seat: &Seat) {
        self.connection = None;
        if let Some(newer) = self.common.board.later_than(seat.epoch) {
            self.take(newer);
        }
    }

    fn connect(&mut self, seat: &Arc<Seat>) -> bool {
        if self.connection.is_some() {
            return true;
        }
        match Connection::open(seat.address, PATIENCE) {
            Ok(connection) => {
                self.connection = Some(connection);
                true
            }
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionRefused => {
                self.leave(seat);
                false
            }
            Err(_) => {
                std::thread::sleep(AFTER_FAILURE);
                false
            }
        }
    }

    fn operate(&mut self, seat: &Arc<Seat>, key: Key, call: Call) -> Result<Outcome, RecordError> {
        let common = self.common.clone();
        common.recorder.invoke(self.process, key.clone(), call.clone())?;
        let reading = call == Call::Read;
        if reading {
            seat.reads_waiting.fetch_add(1, Ordering::Relaxed);
        }
        let reply = self.exchange(&key, &call);
        if reading {
            seat.reads_waiting.fetch_sub(1, Ordering::Relaxed);
        }
        let End { outcome, next } = self.end(&call, reply);
        common.recorder.complete(self.process, outcome.clone())?;
        self.count(seat, &call, &outcome);
        self.learn(&key, &call, &outcome);
        self.unanswered = matches!(next, Next::Wait | Next::Reconnect);
        match next {
            Next::Continue | Next::Wait => {}
            Next::Reconnect => self.connection = None,
            Next::Leave => self.leave(seat),
        }
        Ok(outcome)
    }

    fn exchange(&mut self, key: &Key, call: &Call) -> Result<Reply, Failure> {
        let connection = self.connection.as_mut().ok_or(Failure::Lost)?;
        let key = bare(key);
        let command = match call {
            Call::Read => Command::Get { key },
            Call::Write(new) => Command::Set { key, value: text(new) },
            Call::Cas { old, new } => Command::SetIfEq { key, old: text(old), value: text(new) },
            // The workloads ask for nothing else.
            other => unreachable!("no workload has {other}"),
        };
        connection.exchange(&command, PATIENCE)
    }

    /// Counts replies that make no sense: they are evidence against the run, whatever the history says.
    fn end(&self, call: &Call, reply: Result<Reply, Failure>) -> End {
        let (end, understood) = end_of(call, reply);
        if !understood {
            self.common.board.strange.fetch_add(1, Ordering::Relaxed);
        }
        end
    }

    fn count(&self, seat: &Seat, call: &Call, outcome: &Outcome) {
        let board = &self.common.board;
        let add = |counter: &AtomicU64| counter.fetch_add(1, Ordering::Relaxed);
        match outcome {
            Outcome::Ok(answer) => {
                add(&board.ok);
                add(&seat.served);
                if *call != Call::Read && *answer != Answer::Differed {
                    add(&seat.writes);
                }
            }
            Outcome::Fail => {
                add(&board.fail);
                add(&seat.refused);
            }
            Outcome::Indeterminate => {
                add(&board.info);
            }
        }
    }

    fn learn(&mut self, key: &Key, call: &Call, outcome: &Outcome) {
        match (call, outcome) {
            (_, Outcome::Ok(Answer::Read(value))) => self.workload.saw(key, value.clone()),
            (Call::Write(new), Outcome::Ok(_)) | (Call::Cas { new, .. }, Outcome::Ok(Answer::Swapped)) => {
                self.workload.saw(key, new.clone());
            }
            (_, Outcome::Indeterminate) => self.process = self.common.fresh_process(),
            (_, Outcome::Ok(_) | Outcome::Fail) => {}
        }
    }
}

/// The meaning of a reply or of its absence, and whether the contract knows it.
fn end_of(call: &Call, reply: Result<Reply, Failure>) -> (End, bool) {
    let end = |outcome, next| (End { outcome, next }, true);
    let open_ended = match call {
        Call::Read => Outcome::Fail,
        _ => Outcome::Indeterminate,
    };
    match (call, reply) {
        (_, Err(Failure::Late)) => end(open_ended, Next::Wait),
        (_, Err(Failure::Lost)) => end(open_ended, Next::Reconnect),
        (Call::Read, Ok(Reply::Bulk(None))) => end(Outcome::Ok(Answer::Read(Value::Null)), Next::Continue),
        (Call::Read, Ok(Reply::Bulk(Some(bytes)))) => end(Outcome::Ok(Answer::Read(value(&bytes))), Next::Continue),
        (Call::Write(_), Ok(Reply::Simple(word))) if word == "OK" => end(Outcome::Ok(Answer::Written), Next::Continue),
        (Call::Cas { .. }, Ok(Reply::Simple(word))) if word == "OK" => {
            end(Outcome::Ok(Answer::Swapped), Next::Continue)
        }
        (Call::Cas { .. }, Ok(Reply::Bulk(None))) => end(Outcome::Ok(Answer::Differed), Next::Continue),
        (_, Ok(Reply::Error(error))) => match class(&error) {
            Class::NotServing => end(Outcome::Fail, Next::Leave),
            Class::NotYet => end(Outcome::Fail, Next::Reconnect),
            Class::Indeterminate => end(open_ended, Next::Reconnect),
            Class::Unknown => (End { outcome: open_ended, next: Next::Reconnect }, false),
        },
        (_, Ok(_)) => (End { outcome: open_ended, next: Next::Reconnect }, false),
    }
}

enum Class {
    NotServing,
    NotYet,
    Indeterminate,
    Unknown,
}

fn class(error: &str) -> Class {
    match error {
        _ if error.starts_with("INDETERMINATE") => Class::Indeterminate,
        _ if error.starts_with("ERR deposed") || error.starts_with("ERR standby") => Class::NotServing,
        _ if error.starts_with("ERR not open") => Class::NotYet,
        _ => Class::Unknown,
    }
}

fn bare(key: &Key) -> Vec<u8> {
    match key {
        Key::None => Vec::new(),
        Key::Int(key) => key.to_string().into_bytes(),
        Key::Str(key) => key.as_bytes().to_vec(),
    }
}

fn text(value: &Value) -> Vec<u8> {
    match value {
        Value::Null => Vec::new(),
        Value::Int(value) => value.to_string().into_bytes(),
        Value::Str(value) => value.as_bytes().to_vec(),
        other => other.to_string().into_bytes(),
    }
}

/// The workload writes integers only; anything else that comes back is kept as it is, for the checker to reject.
fn value(bytes: &[u8]) -> Value {
    let text = String::from_utf8_lossy(bytes);
    match text.parse() {
        Ok(number) => Value::Int(number),
        Err(_) => Value::from(text.as_ref()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The contract of `-ERR`, silence and replies, line by line.
    #[test]
    fn every_end_is_what_the_contract_says() {
        let error = |text: &str| Ok(Reply::Error(text.into()));
        let ok = || Ok(Reply::Simple("OK".into()));
        let (read, write) = (Call::Read, Call::Write(1.into()));
        let cas = Call::Cas { old: 1.into(), new: 2.into() };
        let claim = Outcome::Ok;
        for (call, reply, outcome, next) in [
            (&read, Err(Failure::Late), Outcome::Fail, Next::Wait),
            (&write, Err(Failure::Late), Outcome::Indeterminate, Next::Wait),
            (&cas, Err(Failure::Late), Outcome::Indeterminate, Next::Wait),
            (&read, Err(Failure::Lost), Outcome::Fail, Next::Reconnect),
            (&write, Err(Failure::Lost), Outcome::Indeterminate, Next::Reconnect),
            (&cas, Err(Failure::Lost), Outcome::Indeterminate, Next::Reconnect),
            (&read, Ok(Reply::Bulk(None)), claim(Answer::Read(Value::Null)), Next::Continue),
            (&read, Ok(Reply::Bulk(Some(b"7".to_vec()))), claim(Answer::Read(7.into())), Next::Continue),
            (&write, ok(), claim(Answer::Written), Next::Continue),
            (&cas, ok(), claim(Answer::Swapped), Next::Continue),
            (&cas, Ok(Reply::Bulk(None)), claim(Answer::Differed), Next::Continue),
            (&write, error("ERR deposed: volume epoch e3 has taken over"), Outcome::Fail, Next::Leave),
            (&read, error("ERR deposed: volume epoch e3 has taken over"), Outcome::Fail, Next::Leave),
            (&write, error("ERR standby of e2"), Outcome::Fail, Next::Leave),
            (&cas, error("ERR not open: recovering"), Outcome::Fail, Next::Reconnect),
            (&cas, error("INDETERMINATE deposed"), Outcome::Indeterminate, Next::Reconnect),
            (&read, error("INDETERMINATE"), Outcome::Fail, Next::Reconnect),
        ] {
            let shown = format!("{call:?} {reply:?}");
            let (end, understood) = end_of(call, reply);
            assert!(understood, "{shown}");
            assert_eq!((end.outcome, end.next), (outcome, next), "{shown}");
        }
    }

    #[test]
    fn a_reply_outside_the_contract_claims_nothing_and_is_noticed() {
        let write = Call::Write(1.into());
        for reply in
            [Reply::Bulk(None), Reply::Integer(1), Reply::Error("ERR syntax".into()), Reply::Simple("QUEUED".into())]
        {
            let (end, understood) = end_of(&write, Ok(reply));
            assert_eq!((end.outcome, understood), (Outcome::Indeterminate, false));
        }
        let (end, understood) = end_of(&Call::Read, Ok(Reply::Simple("OK".into())));
        assert_eq!((end.outcome, understood), (Outcome::Fail, false));
    }
}
