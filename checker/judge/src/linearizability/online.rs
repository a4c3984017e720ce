//! Judging a history while it is recorded: an event at a time, and the first event that cannot be is named.
//!
//! Of each key three things are kept:
//!
//! * The *front* ([`front`]): what the search of a whole history has in its hands at some event, which is all that the
//!   past can still mean. Operations that are over are not in it.
//! * The *window*: the events since. The front cannot pass the invocation of an operation whose answer decides what it
//!   does, before that answer is known: a read that may return any value would split it. It can pass an invocation whose
//!   answer says nothing, such as that of an enqueue, unless its return must be known, as that of a write.
//! * The operations that are in one of both and not over.
//!
//! At each completion the front goes on as far as it can, and from there a copy of it goes through the rest of the window,
//! with what is still open taken for indeterminate. If nothing is left of the copy, the events so far are not
//! linearizable: that is the definition, and so the event is the one with which [`Prefix::Shortest`] ends.
//!
//! Looking ahead costs as much as all the events of the window, so it can be done once in a while
//! ([`Checker::looking_every`]). Where nothing is left then, or too much, the events since the last time are taken once more from where the key stood, one
//! at a time, to find the first that cannot be, or with which it gives up.
//!
//! *Memory.* Front and window are bounded by how many operations are open at once, and not by the length of the history,
//! whether or not values recur. What grows: an operation that ended in `info` may take effect at any later time, so the
//! front counts them, with one counter a different call, for ever; their processes, which may not invoke again, are
//! remembered; and each key keeps its front. An operation that is open for more than [`PATIENCE`] events of its key is no
//! longer waited for: it counts as indeterminate, and if it does answer, a history without violation is `unknown`.
//!
//! [`Prefix::Shortest`]: super::Prefix::Shortest

mod front;
mod machine;
mod position;

use std::collections::{BTreeMap, HashMap};
use std::fmt;

use sextant_histories::{Call, Event, Key, Kind, Misuse};

use super::model::Model;
use crate::verdict::Verdict;
use front::Full;
use machine::Machine;
use position::{Judge, Position};

/// For how many events of its key an operation is waited for.
pub const PATIENCE: usize = 1 << 12;

/// What is known after an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Status {
    /// The events so far are linearizable.
    Valid,
    /// They are not, and they were before event number `event`, counted from 0, on key `key`.
    Invalid { event: usize, key: Key },
    /// It is not known, for this reason; a violation on another key may still be found.
    Unknown(Gap),
}

/// Why it is not known whether a history is linearizable, though no violation was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Gap {
    /// An operation that the model does not have.
    Unsupported { call: String, event: usize },
    /// More configurations than the limit.
    Configurations { key: Key, event: usize },
    /// More operations open at once than there is room for.
    Concurrency { key: Key, event: usize },
    /// An answer that came when it was no longer waited for.
    Late { process: u64, event: usize },
}

/// Judges events by a model as they come.
pub struct Checker<'m, M: Model> {
    model: &'m M,
    configurations: usize,
    objects: BTreeMap<Key, Object<M>>,
    processes: HashMap<u64, Process>,
    /// How many events there were, and operations.
    events: usize,
    operations: usize,
    claims: usize,
    /// After how many events of a key to look ahead.
    every: usize,
    status: Status,
    violation: Option<Event>,
}

enum Process {
    Idle,
    Busy(Open),
    Gone,
}

struct Open {
    key: Key,
    call: Call,
    operation: usize,
}

impl<'m, M: Model> Checker<'m, M> {
    /// Gives up on a key that needs more than so many configurations at once.
    pub fn new(model: &'m M, configurations: usize) -> Self {
        Self {
            model,
            configurations,
            objects: BTreeMap::new(),
            processes: HashMap::new(),
            events: 0,
            operations: 0,
            claims: 0,
            every: 1,
            status: Status::Valid,
            violation: None,
        }
    }

    /// Looks ahead only after so many events of a key, which is faster by about as much, and when [`Checker::look`] asks for
    /// it. A violation is then known later, and is the same one.
    #[must_use]
    pub fn looking_every(mut self, events: usize) -> Self {
        self.every = events;
        self
    }

    /// Takes the next event and says what is known now. Once invalid it stays so. The error is an event that cannot follow
    /// the others; it leaves everything as it was.
    pub fn push(&mut self, event: &Event) -> Result<&Status, Misuse> {
        let (operation, key) = self.pair(event)?;
        let number = self.events;
        self.events += 1;
        self.claims += usize::from(matches!(event.kind, Kind::Ok(_)));
        if matches!(self.status, Status::Invalid { .. }) {
            return Ok(&self.status);
        }
        if !self.model.supports(&event.call) {
            self.give_up(Gap::Unsupported { call: event.call.to_string(), event: number });
            return Ok(&self.status);
        }
        let judge = Judge { model: self.model, most: self.configurations };
        let object = self.objects.entry(key.clone()).or_insert_with(|| Object::new(self.model));
        match object.push(judge, number, operation, event, self.every) {
            Step::Late => self.give_up(Gap::Late { process: event.process, event: number }),
            step => self.apply(step, key),
        }
        if matches!(self.status, Status::Invalid { .. }) {
            // There may be an earlier one on a key that is behind.
            self.look();
        }
        Ok(&self.status)
    }

    /// Looks ahead on every key on which events have come since that was last done.
    pub fn look(&mut self) -> &Status {
        let judge = Judge { model: self.model, most: self.configurations };
        let mut steps = Vec::new();
        for (key, object) in &mut self.objects {
            match object.look(judge) {
                Step::Lives => {}
                step => steps.push((key.clone(), step)),
            }
        }
        for (key, step) in steps {
            self.apply(step, key);
        }
        &self.status
    }

    /// Of two violations the earlier one counts.
    fn apply(&mut self, step: Step, key: Key) {
        match step {
            Step::Lives | Step::Late => {}
            Step::Dead(event, what) => {
                let earlier = matches!(self.status, Status::Invalid { event: other, .. } if other <= event);
                if !earlier {
                    self.status = Status::Invalid { event, key };
                    self.violation = Some(*what);
                }
            }
            Step::GaveUp(event, Full::Configurations) => self.give_up(Gap::Configurations { key, event }),
            Step::GaveUp(event, Full::Slots) => self.give_up(Gap::Concurrency { key, event }),
        }
    }

    pub fn status(&self) -> &Status {
        &self.status
    }

    /// What the events so far come to: a history that makes no claim is unknown.
    pub fn verdict(&self) -> Verdict {
        match self.status {
            Status::Invalid { .. } => Verdict::Invalid,
            Status::Valid if self.claims > 0 => Verdict::Valid,
            Status::Valid | Status::Unknown(_) => Verdict::Unknown,
        }
    }

    /// The event that cannot be, once there is one.
    pub fn violation(&self) -> Option<&Event> {
        self.violation.as_ref()
    }

    pub fn events(&self) -> usize {
        self.events
    }

    pub fn operations(&self) -> usize {
        self.operations
    }

    pub fn keys(&self) -> usize {
        self.objects.len()
    }

    /// Configurations, window events and operations that are held, of all keys: what memory is proportional to.
    pub fn held(&self) -> usize {
        self.objects.values().map(Object::held).sum()
    }

    /// Whether no operation is open.
    pub fn is_quiet(&self) -> bool {
        !self.processes.values().any(|process| matches!(process, Process::Busy(_)))
    }

    fn give_up(&mut self, gap: Gap) {
        if self.status == Status::Valid {
            self.status = Status::Unknown(gap);
        }
    }

    /// Number and key of the operation to which the event belongs.
    fn pair(&mut self, event: &Event) -> Result<(usize, Key), Misuse> {
        let process = event.process;
        let slot = self.processes.entry(process).or_insert(Process::Idle);
        match (&mut *slot, &event.kind) {
            (Process::Busy(_), Kind::Invoke) => Err(Misuse::DoubleInvocation { process }),
            (Process::Gone, Kind::Invoke) => Err(Misuse::AfterInfo { process }),
            (Process::Idle, Kind::Invoke) => {
                let operation = self.operations;
                let key = if self.model.keyed() { event.key.clone() } else { Key::None };
                *slot = Process::Busy(Open { key: event.key.clone(), call: event.call.clone(), operation });
                self.operations += 1;
                Ok((operation, key))
            }
            (Process::Busy(open), kind) => {
                if std::mem::discriminant(&open.call) != std::mem::discriminant(&event.call) {
                    return Err(Misuse::Disagrees { process, field: "f" });
                }
                if open.key != event.key {
                    return Err(Misuse::Disagrees { process, field: "key" });
                }
                if open.call != event.call {
                    return Err(Misuse::Disagrees { process, field: "value" });
                }
                if matches!(kind, Kind::Ok(reply) if !reply.answers(&event.call)) {
                    return Err(Misuse::WrongReply { process });
                }
                let operation = open.operation;
                *slot = if *kind == Kind::Info { Process::Gone } else { Process::Idle };
                let key = if self.model.keyed() { event.key.clone() } else { Key::None };
                Ok((operation, key))
            }
            (Process::Idle | Process::Gone, _) => Err(Misuse::NotInvoked { process }),
        }
    }
}

/// What an event did to a key.
enum Step {
    Lives,
    /// With this event, of this number.
    Dead(usize, Box<Event>),
    Late,
    /// At the event of this number.
    GaveUp(usize, Full),
}

struct Object<M: Model> {
    machine: Machine<M>,
    position: Position,
    /// Events since it was last looked ahead, with their numbers, if that is not done at each; and where that was.
    batch: Vec<(usize, usize, Event)>,
    before: Option<Position>,
    /// Whether it is given up on.
    lost: bool,
}

impl<M: Model> Object<M> {
    fn new(model: &M) -> Self {
        Self { machine: Machine::new(model), position: Position::new(), batch: Vec::new(), before: None, lost: false }
    }

    fn held(&self) -> usize {
        let before = self.before.as_ref().map_or(0, Position::held);
        self.position.held() + before + self.batch.len() + self.machine.held()
    }

    /// Takes the event with this number; looks ahead once `every` events have come.
    fn push(&mut self, judge: Judge<'_, M>, number: usize, operation: usize, event: &Event, every: usize) -> Step {
        if self.lost {
            return Step::Lives;
        }
        if every <= 1 {
            let step = self.push_and_look(judge, number, operation, event);
            self.machine.tidy(judge.model, &mut self.position.front);
            return step;
        }
        if self.batch.is_empty() {
            self.before = Some(self.position.clone());
        }
        self.batch.push((number, operation, event.clone()));
        let late = match self.position.push(judge, &mut self.machine, operation, event) {
            Err(full) => return self.take_again(judge, |last| Step::GaveUp(last, full)),
            Ok(late) => late,
        };
        let step = if self.batch.len() >= every { self.look(judge) } else { Step::Lives };
        if late && matches!(step, Step::Lives) { Step::Late } else { step }
    }

    fn push_and_look(&mut self, judge: Judge<'_, M>, number: usize, operation: usize, event: &Event) -> Step {
        let ends = matches!(event.kind, Kind::Ok(_) | Kind::Fail);
        let pushed = self.position.push(judge, &mut self.machine, operation, event);
        let lives = |position: &Position, machine: &mut Machine<M>| match ends {
            true => position.look_ahead(judge, machine),
            false => Ok(true),
        };
        match pushed.and_then(|late| Ok((late, lives(&self.position, &mut self.machine)?))) {
            Ok((_, false)) => Step::Dead(number, Box::new(event.clone())),
            Ok((true, true)) => Step::Late,
            Ok((false, true)) => Step::Lives,
            Err(full) => self.lose(judge, number, full),
        }
    }

    /// Looks ahead from where the front is now.
    fn look(&mut self, judge: Judge<'_, M>) -> Step {
        let Some((last, _, event)) = self.batch.last() else { return Step::Lives };
        match self.position.look_ahead(judge, &mut self.machine) {
            Ok(true) => {
                self.batch.clear();
                self.before = None;
                self.machine.tidy(judge.model, &mut self.position.front);
                Step::Lives
            }
            Ok(false) => {
                let dead = Step::Dead(*last, Box::new(event.clone()));
                self.take_again(judge, |_| dead)
            }
            Err(full) => self.take_again(judge, |last| Step::GaveUp(last, full)),
        }
    }

    /// Takes the events since it was last looked ahead once more, one at a time, to find the first that cannot be, or with
    /// which it gives up; `otherwise` is what the last of them comes to.
    fn take_again(&mut self, judge: Judge<'_, M>, otherwise: impl FnOnce(usize) -> Step) -> Step {
        let batch = std::mem::take(&mut self.batch);
        if let Some(before) = self.before.take() {
            self.position = before;
        }
        let mut steps =
            batch.iter().map(|(number, operation, event)| self.push_and_look(judge, *number, *operation, event));
        let found = steps.find(|step| !matches!(step, Step::Lives | Step::Late));
        match found.unwrap_or_else(|| otherwise(batch.last().map_or(0, |(last, ..)| *last))) {
            Step::GaveUp(number, full) => self.lose(judge, number, full),
            step => step,
        }
    }

    fn lose(&mut self, judge: Judge<'_, M>, number: usize, full: Full) -> Step {
        *self = Self { lost: true, ..Self::new(judge.model) };
        Step::GaveUp(number, full)
    }
}

impl fmt::Display for Gap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unsupported { call, .. } => write!(f, "the model has no operation like `{call}`"),
            Self::Configurations { key, .. } => write!(f, "too many configurations on key {key}"),
            Self::Concurrency { key, .. } => write!(f, "too many operations at once on key {key}"),
            Self::Late { process, .. } => {
                write!(f, "process {process} answered after more than {PATIENCE} events, when nobody waited any more")
            }
        }
    }
}

impl Gap {
    /// The event, counted from 0, with which it was no longer known.
    pub fn event(&self) -> usize {
        match self {
            Self::Unsupported { event, .. }
            | Self::Configurations { event, .. }
            | Self::Concurrency { event, .. }
            | Self::Late { event, .. } => *event,
        }
    }
}
