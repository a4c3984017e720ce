//! One client: asks, waits, records, never retries.
//!
//! What an end means is the contract of the processes: an error that says that nothing was done is `fail`; whatever
//! leaves the fate of a write open is `info`, and the process number that asked is never used again; a read without an
//! answer claims nothing and is `fail`.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use sextant_histories::{Call, Key, Outcome, RecordError, Recorder, Reply as Answer};
use sextant_storage::client::contract::{End, Failure, Next, command_of, end_of};
use sextant_storage::client::workload::Workload;
use sextant_storage::resp::Reply;

use super::board::{Board, Seat};
use super::connection::Connection;

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
                false => self.workload.next_call(),
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
        connection.exchange(&command_of(key, call), PATIENCE)
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
