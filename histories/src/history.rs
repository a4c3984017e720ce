//! A whole history: invocations paired with their completions.

use std::io::BufRead;
use std::path::Path;
use std::sync::Arc;

use crate::error::{Error, Fault};
use crate::event::{Call, Event, Kind, Reply};
use crate::pairing::{Misuse, Pairing};
use crate::reader::Reader;
use crate::value::Key;

/// How an operation ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    Ok(Reply),
    /// No effect, no claim.
    Fail,
    /// It ended in `info` or has no completion: it may take effect at any time after its invocation, or never.
    Indeterminate,
}

/// When an event happened: its number in the history, from 0, which is what counts, and its recorded time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    pub index: usize,
    /// Nanoseconds; information only.
    pub time: Option<u64>,
}

/// An invocation with its completion.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operation {
    pub process: u64,
    pub key: Key,
    pub call: Call,
    pub outcome: Outcome,
    pub invoked: Moment,
    /// The event that ended it, be it `info`; none if the history stops before.
    pub completed: Option<Moment>,
}

impl Operation {
    /// Index of the event at which the operation was over for certain. `None` when it is indeterminate: an `info` ends
    /// the waiting, not the operation.
    pub fn returned(&self) -> Option<usize> {
        match self.outcome {
            Outcome::Ok(_) | Outcome::Fail => self.completed.map(|moment| moment.index),
            Outcome::Indeterminate => None,
        }
    }

    /// The operation as an observer knew it after `events` events: not at all, or indeterminate if it completes later.
    pub fn as_of(&self, events: usize) -> Option<Self> {
        if self.invoked.index >= events {
            return None;
        }
        let mut operation = self.clone();
        if operation.completed.is_some_and(|moment| moment.index >= events) {
            operation.completed = None;
            operation.outcome = Outcome::Indeterminate;
        }
        Some(operation)
    }

    pub fn reply(&self) -> Option<&Reply> {
        match &self.outcome {
            Outcome::Ok(reply) => Some(reply),
            Outcome::Fail | Outcome::Indeterminate => None,
        }
    }
}

/// Operations in order of invocation, from events that fit together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct History {
    about: Option<String>,
    operations: Vec<Operation>,
    events: usize,
    lines: Lines,
}

/// On which line each event stands, where that is not what the native format has: none otherwise. Where a history comes
/// from does not make it another one.
#[derive(Clone, Debug, Default)]
struct Lines(Option<Arc<[u32]>>);

impl PartialEq for Lines {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Lines {}

impl History {
    /// Reads a whole file; the first thing that is wrong with it is the error. An empty file is an empty history.
    pub fn read(path: impl AsRef<Path>) -> Result<Self, Error> {
        match Self::salvage(path)? {
            (history, None) => Ok(history),
            (_, Some(torn)) => Err(torn),
        }
    }

    /// Reads a file whose last line may be torn, and returns what stands before that line, with the error that names
    /// it. Any other fault is an error as in [`History::read`]. The file is not changed.
    ///
    /// Where the recording process was killed this loses nothing: [`Recorder`](crate::Recorder) returns after the whole
    /// line is written, so a torn invocation belongs to an operation that was not started, and an operation whose completion is torn
    /// counts as indeterminate. Where the *machine* failed before [`Recorder::finish`](crate::Recorder::finish) more
    /// lines than the torn one may be lost, and a verdict of invalid may be due to a lost invocation.
    pub fn salvage(path: impl AsRef<Path>) -> Result<(Self, Option<Error>), Error> {
        Self::collect(&mut Reader::open(path)?)
    }

    /// [`History::salvage`] from a reader that may have been told more, and that knows the
    /// [`Warnings`](crate::Warnings) afterwards.
    pub fn collect<R: BufRead>(reader: &mut Reader<R>) -> Result<(Self, Option<Error>), Error> {
        let mut builder = Builder::default();
        while let Some(event) = reader.next() {
            match event {
                Ok((operation, event)) => builder.push(operation, event),
                Err(error) if matches!(error.fault, Fault::TruncatedLastLine) => {
                    return Ok((builder.finish(reader.about()), Some(error)));
                }
                Err(error) => return Err(error),
            }
            if builder.events == SAMPLE {
                builder.make_room(reader.expected_events());
            }
        }
        Ok((builder.finish(reader.about()), None))
    }

    /// Pairs events; the error is the number of the first event that does not fit, from 0, and why.
    pub fn from_events(events: impl IntoIterator<Item = Event>) -> Result<Self, (usize, Misuse)> {
        let mut pairing = Pairing::default();
        let mut builder = Builder::default();
        for (index, event) in events.into_iter().enumerate() {
            let operation = pairing.accept(&event).map_err(|misuse| (index, misuse))?;
            builder.push(operation, event);
        }
        Ok(builder.finish(None))
    }

    /// A history of these operations, put in order of invocation; `events` is one more than the highest event number.
    /// For changed copies of a history: nothing is held against anything else.
    pub fn from_operations(mut operations: Vec<Operation>, events: usize) -> Self {
        operations.sort_by_key(|operation| operation.invoked.index);
        Self { about: None, operations, events, lines: Lines::default() }
    }

    /// With a text that says what it is about, and the line of each event in the file that it was read from.
    pub(crate) fn described(self, about: Option<String>, lines: Vec<u32>) -> Self {
        let native = |(index, line): (usize, &u32)| *line as usize == index + 1 + usize::from(about.is_some());
        let lines = Lines((!lines.iter().enumerate().all(native)).then(|| lines.into()));
        Self { about, lines, ..self }
    }

    pub fn about(&self) -> Option<&str> {
        self.about.as_deref()
    }

    /// In order of invocation.
    pub fn operations(&self) -> &[Operation] {
        &self.operations
    }

    pub fn is_empty(&self) -> bool {
        self.operations.is_empty()
    }

    /// How many events there are.
    pub fn len(&self) -> usize {
        self.events
    }

    /// The line, from 1, on which event number `index` stands in the file that it was read from, or would stand in the
    /// native format.
    pub fn line(&self, index: usize) -> usize {
        match self.lines.0.as_ref().and_then(|lines| lines.get(index)) {
            Some(line) => *line as usize,
            None => index + 1 + usize::from(self.about.is_some()),
        }
    }

    /// The history that an observer had after `events` events.
    pub fn prefix(&self, events: usize) -> Self {
        let begun = self.operations.iter();
        Self {
            about: self.about.clone(),
            operations: begun.filter_map(|operation| operation.as_of(events)).collect(),
            events: events.min(self.events),
            lines: self.lines.clone(),
        }
    }

    /// The events again, in their order.
    pub fn to_events(&self) -> Vec<Event> {
        let mut events: Vec<(usize, Event)> = self.operations.iter().flat_map(events_of).collect();
        events.sort_by_key(|(index, _)| *index);
        events.into_iter().map(|(_, event)| event).collect()
    }
}

fn events_of(operation: &Operation) -> impl Iterator<Item = (usize, Event)> + '_ {
    let event = |moment: Moment, kind| {
        let event = Event {
            process: operation.process,
            kind,
            call: operation.call.clone(),
            key: operation.key.clone(),
            time: moment.time,
        };
        (moment.index, event)
    };
    let end = match &operation.outcome {
        Outcome::Ok(reply) => Kind::Ok(reply.clone()),
        Outcome::Fail => Kind::Fail,
        Outcome::Indeterminate => Kind::Info,
    };
    let invoke = event(operation.invoked, Kind::Invoke);
    std::iter::once(invoke).chain(operation.completed.map(|moment| event(moment, end)))
}

/// Collects events that a [`Pairing`] has accepted.
#[derive(Default)]
pub(crate) struct Builder {
    operations: Vec<Operation>,
    events: usize,
}

/// After how many events the length of the rest is guessed.
const SAMPLE: usize = 1 << 14;

impl Builder {
    /// A vector that grows by doubling holds three times its content while it moves. The guess is a little generous; what
    /// is not written is not taken from the system.
    fn make_room(&mut self, events: Option<usize>) {
        let Some(events) = events else { return };
        let operations = (events as f64 / self.events as f64 * self.operations.len() as f64 * 1.02) as usize;
        // Only a guess: where there is no room for it, there may be for what really comes.
        let _ = self.operations.try_reserve_exact(operations.saturating_sub(self.operations.len()));
    }

    fn push(&mut self, operation: usize, event: Event) {
        let outcome = match event.kind {
            Kind::Invoke => return self.begin(event.process, event.key, event.call, event.time),
            Kind::Ok(reply) => Outcome::Ok(reply),
            Kind::Fail => Outcome::Fail,
            Kind::Info => Outcome::Indeterminate,
        };
        self.end(operation, outcome, event.time);
    }

    pub(crate) fn begin(&mut self, process: u64, key: Key, call: Call, time: Option<u64>) {
        let invoked = self.moment(time);
        self.operations.push(Operation {
            process,
            key,
            call,
            outcome: Outcome::Indeterminate,
            invoked,
            completed: None,
        });
    }

    pub(crate) fn end(&mut self, operation: usize, outcome: Outcome, time: Option<u64>) {
        let moment = self.moment(time);
        let operation = &mut self.operations[operation];
        operation.outcome = outcome;
        operation.completed = Some(moment);
    }

    fn moment(&mut self, time: Option<u64>) -> Moment {
        self.events += 1;
        Moment { index: self.events - 1, time }
    }

    pub(crate) fn with_room(operations: usize) -> Self {
        Self { operations: Vec::with_capacity(operations), events: 0 }
    }

    pub(crate) fn finish(self, about: Option<&str>) -> History {
        History {
            about: about.map(str::to_owned),
            operations: self.operations,
            events: self.events,
            lines: Lines::default(),
        }
    }
}
