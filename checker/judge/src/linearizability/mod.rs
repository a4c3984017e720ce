//! Linearizability of a history: is there one order of its operations that a sequential object could have shown, and that
//! keeps every operation between its invocation and its return?
//!
//! [`check`] splits the history by key, which is exact (a history is linearizable iff each of its keys is: Herlihy and Wing
//! 1990, locality), and judges each key on its own, several at a time (`router`): by an algorithm for the model's family
//! if there is one (`register`, `collections`), else by the general search (`search`), which leaves out what cannot matter (`prune`). A
//! `valid` carries its linearization, which [`verify`] replays without any of this; an `invalid` its [`Evidence`]; an
//! `unknown` how far it came.
//!
//! # From a history to a certificate
//!
//! ```
//! use sextant_judge::linearizability::{Certificate, Finding, Limits, Register, check};
//! use sextant_histories::{History, Reader};
//!
//! // A write of 1, then a write of 2, then a read of 1: nobody may see what was overwritten before he asked.
//! let lines = r#"{"process":0,"type":"invoke","f":"write","key":"x","value":1}
//! {"process":0,"type":"ok","f":"write","key":"x","value":1}
//! {"process":0,"type":"invoke","f":"write","key":"x","value":2}
//! {"process":0,"type":"ok","f":"write","key":"x","value":2}
//! {"process":1,"type":"invoke","f":"read","key":"x"}
//! {"process":1,"type":"ok","f":"read","key":"x","value":1}
//! "#;
//! let events: Result<Vec<_>, _> = Reader::new("example", lines.as_bytes()).collect();
//! let history = History::from_events(events?.into_iter().map(|(_, event)| event)).map_err(|(_, misuse)| misuse)?;
//! let model = Register::default();
//!
//! let report = check(&history, &model, &Limits::default());
//! let Finding::Invalid(evidence) = &report.finding else { panic!("a stale read is not linearizable") };
//! assert_eq!(evidence.core.operations, [0, 1, 2]);
//! assert_eq!(
//!     evidence.reason,
//!     "on key \"x\", read of 1 by process 1 (lines 5 to 6) began after write of 2 by process 0 had completed (line 4), \
//!      which began after write of 1 by process 0 had completed (line 2)"
//! );
//!
//! let mut file = Vec::new();
//! Certificate::of(&history, &model, &report).expect("not unknown").write(&mut file)?;
//! let certificate = Certificate::read(&file[..])?;
//! certificate.verify(&history, &model)?;
//!
//! // Of the first four events the verdict is another, and so is the certificate.
//! let before = history.prefix(4);
//! let report = check(&before, &model, &Limits::default());
//! let Finding::Valid(linearizations) = &report.finding else { panic!("two writes are linearizable") };
//! assert_eq!(linearizations[0].order, [0, 1]);
//! assert!(certificate.verify(&before, &model).is_err());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! While a history is recorded, [`online::Checker`] takes its events one by one:
//!
//! ```
//! use sextant_judge::linearizability::Register;
//! use sextant_judge::linearizability::online::{Checker, Status};
//! use sextant_histories::{Call, Event, Kind, Reply};
//!
//! let model = Register::default();
//! let mut checker = Checker::new(&model, 1_000_000);
//! let read = |kind| Event { process: 7, kind, call: Call::Read, key: "x".into(), time: None };
//! assert_eq!(checker.push(&read(Kind::Invoke)), Ok(&Status::Valid));
//! let nobody_wrote_it = Reply::Read(9.into());
//! assert_eq!(checker.push(&read(Kind::Ok(nobody_wrote_it))), Ok(&Status::Invalid { event: 1, key: "x".into() }));
//! ```

mod automaton;
mod bits;
pub mod certificate;
mod collections;
mod core;
mod etcd;
mod evidence;
mod model;
mod models;
pub mod online;
mod paths;
mod plan;
mod prune;
mod register;
mod router;
mod search;
mod sentence;
mod verify;

use std::fmt;
use std::num::NonZero;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use sextant_histories::{History, Key};

pub use certificate::Certificate;
pub use core::{Core, weaken, weaken_others};
pub use etcd::{Etcd, Store};
pub use evidence::{Evidence, Prefix};
pub use model::{Family, Model};
pub use models::{
    AppendList, Bag, CasRegister, Chain, Counter, KeyValue, Line, ListAppend, MultiRegister, Mutex, PriorityQueue,
    Queue, Register, Set, Stack,
};
pub use verify::verify;

use crate::verdict::Verdict;
use router::{Partition, partition, search_key};

/// What a check may use before it gives up with `unknown`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// For the whole history.
    pub timeout: Duration,
    /// For what the searches hold besides the history and its columns, in bytes, shared out evenly among threads.
    pub memory_bytes: usize,
    /// How many keys to judge at a time. It does not change what is found, except where time runs out.
    pub threads: NonZero<usize>,
    /// How many configurations a search may hold at once.
    pub configurations: usize,
    /// How long to look for the smallest core of a violation, within the timeout. Most take milliseconds; where it is not
    /// enough the core says that it may not be smallest.
    pub core: Duration,
    /// Whether somebody wants an end of it.
    pub interrupt: Option<Interrupt>,
    /// Whether a history in which nothing ended in `ok` is judged by the definition, and not unknown for want of a claim.
    pub vacuous: bool,
}

/// A flag that ends a check as soon as it is set, with `unknown`.
#[derive(Clone, Copy, Debug)]
pub struct Interrupt(pub &'static AtomicBool);

impl Interrupt {
    pub fn is_set(self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// The same flag, whatever it says.
impl PartialEq for Interrupt {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self.0, other.0)
    }
}

impl Eq for Interrupt {}

impl Default for Limits {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(60),
            memory_bytes: 2 << 30,
            threads: thread::available_parallelism().unwrap_or(NonZero::<usize>::MIN),
            configurations: usize::MAX,
            core: Duration::from_secs(5),
            interrupt: None,
            vacuous: false,
        }
    }
}

/// What a check found, and what it looked at.
#[derive(Clone, Debug)]
pub struct Report {
    pub operations: usize,
    pub keys: usize,
    pub elapsed: Duration,
    pub finding: Finding,
}

#[derive(Clone, Debug)]
pub enum Finding {
    /// One linearization a key, in order of keys.
    Valid(Vec<Linearization>),
    Invalid(Box<Evidence>),
    Unknown(Unknown),
}

/// An order of operations of one key: numbers in [`History::operations`]. Failed operations are not in it, indeterminate
/// ones need not be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Linearization {
    pub key: Key,
    pub order: Vec<usize>,
}

/// Why there is no verdict. `Display` gives the reason as one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unknown {
    /// No operation.
    Empty,
    /// Operations, but none that ended in `ok`: there is no claim to check.
    NoClaim,
    /// An operation that the model does not have.
    Unsupported { model: String, call: String, line: usize },
    /// Two algorithms do not agree on a key: a fault of the checker, which must not pass for a verdict.
    Disagreement { key: Key },
    /// The search of a key gave up.
    GaveUp(Progress),
}

/// How far a check came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    pub limit: Limit,
    /// The key on which the search gave up; of several, the first.
    pub key: Key,
    /// Of that key, how many operations have been placed, of how many.
    pub placed: usize,
    pub operations: usize,
    /// How many events of the history, from its first, are therefore linearizable on that key.
    pub events: usize,
    /// How many configurations the search held when it gave up.
    pub held: usize,
    /// How many keys were found valid, of how many.
    pub keys_valid: usize,
    pub keys: usize,
}

/// Which limit was met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    Timeout(Duration),
    /// In bytes.
    Memory(usize),
    Configurations(usize),
    /// More operations pending at once than the search has room for.
    Concurrency,
    /// [`Limits::interrupt`] was set.
    Interrupted,
}

impl Report {
    pub fn verdict(&self) -> Verdict {
        match self.finding {
            Finding::Valid(_) => Verdict::Valid,
            Finding::Invalid(_) => Verdict::Invalid,
            Finding::Unknown(_) => Verdict::Unknown,
        }
    }

    /// Why it is not valid, in one line; none where it is.
    pub fn reason(&self) -> Option<String> {
        match &self.finding {
            Finding::Valid(_) => None,
            Finding::Invalid(evidence) => Some(evidence.reason.clone()),
            Finding::Unknown(unknown) => Some(unknown.to_string()),
        }
    }
}

impl fmt::Display for Unknown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("the history is empty"),
            Self::NoClaim => f.write_str("no operation ended in ok, so there is nothing to check"),
            Self::Unsupported { model, call, line } => {
                write!(f, "the model {model} has no operation like `{call}` on line {line}")
            }
            Self::Disagreement { key } => {
                write!(f, "two algorithms disagree on key {key}, which is a fault of the checker")
            }
            Self::GaveUp(progress) => fmt::Display::fmt(progress, f),
        }
    }
}

impl fmt::Display for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.limit {
            Limit::Timeout(timeout) => write!(f, "no answer within {timeout:?}")?,
            Limit::Memory(bytes) => write!(f, "no answer within {} MB", bytes >> 20)?,
            Limit::Configurations(count) => write!(f, "no answer within {count} configurations")?,
            Limit::Concurrency => f.write_str("too many operations at once")?,
            Limit::Interrupted => f.write_str("interrupted")?,
        }
        let Self { key, placed, operations, events, held, keys_valid, keys, .. } = self;
        write!(
            f,
            ": on key {key} the first {placed} of {operations} operations to return are linearizable, up to event {events}, with {held} configurations held; {keys_valid} of {keys} keys are valid"
        )
    }
}

/// Judges `history` by `model` within `limits`.
pub fn check<M: Model>(history: &History, model: &M, limits: &Limits) -> Report {
    let start = Instant::now();
    let partitions = partition(history, model.keyed());
    let keys = partitions.len();
    let finding = match refuse(history, model, limits) {
        Some(unknown) => Finding::Unknown(unknown),
        None => router::judge_keys(history, partitions, model, limits, start),
    };
    Report { operations: history.operations().len(), keys, elapsed: start.elapsed(), finding }
}

fn refuse<M: Model>(history: &History, model: &M, limits: &Limits) -> Option<Unknown> {
    let operations = history.operations();
    if operations.is_empty() {
        return Some(Unknown::Empty);
    }
    if let Some(strange) = operations.iter().find(|operation| !model.supports(&operation.call)) {
        return Some(Unknown::Unsupported {
            model: model.name().to_owned(),
            call: strange.call.to_string(),
            line: history.line(strange.invoked.index),
        });
    }
    let silent = operations.iter().all(|operation| operation.reply().is_none());
    (silent && !limits.vacuous).then_some(Unknown::NoClaim)
}
