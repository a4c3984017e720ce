//! Linearizability of a history: is there one order of its operations that a sequential object could have shown, and that
//! keeps every operation between its invocation and its return?
//!
//! [`check`] splits the history by key, which is exact (a history is linearizable iff each of its keys is: Herlihy and Wing
//! 1990, locality), leaves out what cannot matter (`prune`), and searches each key (`search`), the smallest first, so that
//! one hard key does not hide a violation in an easy one. A `valid` carries its linearization, which [`verify`] replays
//! without any of this; an `invalid` its [`Evidence`]; an `unknown` how far it came.

mod automaton;
mod bits;
mod etcd;
mod evidence;
mod model;
mod plan;
mod prune;
mod search;
mod verify;

use std::collections::BTreeMap;
use std::fmt;
use std::time::{Duration, Instant};

use sextant_histories::{History, Key, Operation};

pub use etcd::{Etcd, Store};
pub use evidence::{Evidence, Prefix};
pub use model::{CasRegister, Family, Model, Register};
pub use verify::verify;

use crate::verdict::Verdict;
use automaton::Automaton;
use plan::Plan;
use prune::{Candidate, prune};
use search::{Budget, Found, Stop, search};

/// What a check may use before it gives up with `unknown`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// For the whole history.
    pub timeout: Duration,
    /// How many configurations may be held at once; one takes some 100 to 200 bytes.
    pub configurations: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { timeout: Duration::from_secs(60), configurations: 4_000_000 }
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
    /// How many keys were found valid, of how many.
    pub keys_valid: usize,
    pub keys: usize,
}

/// Which limit was met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    Timeout(Duration),
    Configurations(usize),
    /// More operations pending at once than the search has room for.
    Concurrency,
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
            Limit::Configurations(count) => write!(f, "no answer within {count} configurations")?,
            Limit::Concurrency => f.write_str("too many operations at once")?,
        }
        let Self { key, placed, operations, keys_valid, keys, .. } = self;
        write!(
            f,
            ": on key {key} the first {placed} of {operations} operations to return are linearizable; {keys_valid} of {keys} keys are valid"
        )
    }
}

/// Judges `history` by `model` within `limits`.
pub fn check<M: Model>(history: &History, model: &M, limits: &Limits) -> Report {
    let start = Instant::now();
    let partitions = partition(history, model.keyed());
    let keys = partitions.len();
    let finding = match refuse(history, model) {
        Some(unknown) => Finding::Unknown(unknown),
        None => check_keys(history, partitions, model, limits, start),
    };
    Report { operations: history.operations().len(), keys, elapsed: start.elapsed(), finding }
}

/// The operations of one key, or of a model without keys, with their numbers in the history.
struct Partition<'a> {
    key: &'a Key,
    operations: Vec<(usize, &'a Operation)>,
}

fn partition(history: &History, keyed: bool) -> Vec<Partition<'_>> {
    let mut by_key: BTreeMap<&Key, Vec<(usize, &Operation)>> = BTreeMap::new();
    for (number, operation) in history.operations().iter().enumerate() {
        by_key.entry(if keyed { &operation.key } else { &Key::None }).or_default().push((number, operation));
    }
    let partition = |(key, operations)| Partition { key, operations };
    by_key.into_iter().map(partition).collect()
}

fn refuse<M: Model>(history: &History, model: &M) -> Option<Unknown> {
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
    silent.then_some(Unknown::NoClaim)
}

fn check_keys<M: Model>(
    history: &History,
    mut partitions: Vec<Partition<'_>>,
    model: &M,
    limits: &Limits,
    start: Instant,
) -> Finding {
    // A timeout too far away for the clock is none that anybody will see.
    let far = Duration::from_secs(1 << 32);
    let budget = Budget {
        deadline: start.checked_add(limits.timeout).unwrap_or_else(|| start + far),
        configurations: limits.configurations,
    };
    let keys = partitions.len();
    let mut linearizations = Vec::with_capacity(keys);
    let mut gave_up: Option<Progress> = None;
    partitions.sort_by_key(|partition| partition.operations.len());
    for partition in &partitions {
        let candidates = prune(&partition.operations, &model.family());
        let mut automaton = Automaton::new(model);
        match search_key(&candidates, model, &mut automaton, budget) {
            Found::Order(order) => linearizations.push(Linearization {
                key: partition.key.clone(),
                order: order.iter().map(|item| candidates[*item].operation).collect(),
            }),
            Found::Violation(dead) => {
                let states = dead.states.iter().map(|state| automaton.show(*state)).collect();
                let evidence = evidence::collect(history, partition, model, &candidates, &dead, states, budget);
                return Finding::Invalid(Box::new(evidence));
            }
            Found::Conflict(items) => {
                let alone: Vec<Candidate> = items.iter().map(|item| candidates[*item].clone()).collect();
                let mut automaton = Automaton::new(model);
                let plan = Plan::new(&alone, model, &mut automaton);
                let Found::Violation(dead) = search(&plan, &mut automaton, budget) else {
                    return Finding::Unknown(Unknown::Disagreement { key: partition.key.clone() });
                };
                let states = dead.states.iter().map(|state| automaton.show(*state)).collect();
                let evidence = evidence::collect(history, partition, model, &alone, &dead, states, budget);
                return Finding::Invalid(Box::new(evidence));
            }
            Found::Stopped(stop, placed) => {
                gave_up.get_or_insert(Progress {
                    limit: limit(stop, limits),
                    key: partition.key.clone(),
                    placed,
                    operations: candidates.len(),
                    keys_valid: 0,
                    keys,
                });
            }
        }
    }
    match gave_up {
        Some(progress) => Finding::Unknown(Unknown::GaveUp(Progress { keys_valid: linearizations.len(), ..progress })),
        None => {
            linearizations.sort_by(|one, other| one.key.cmp(&other.key));
            Finding::Valid(linearizations)
        }
    }
}

fn search_key<M: Model>(
    candidates: &[Candidate],
    model: &M,
    automaton: &mut Automaton<'_, M>,
    budget: Budget,
) -> Found {
    if Instant::now() >= budget.deadline {
        return Found::Stopped(Stop::Timeout, 0);
    }
    let plan = Plan::new(candidates, model, automaton);
    search(&plan, automaton, budget)
}

fn limit(stop: Stop, limits: &Limits) -> Limit {
    match stop {
        Stop::Timeout => Limit::Timeout(limits.timeout),
        Stop::Configurations => Limit::Configurations(limits.configurations),
        Stop::TooWide => Limit::Concurrency,
    }
}
