//! Why a history is not linearizable, in terms of the history.

use sextant_histories::{Call, History, Key, Operation, Outcome, Reply, Value};

use super::automaton::Automaton;
use super::core::{self, Core};
use super::model::Model;
use super::prune::{Candidate, took_part, took_part_as_of};
use super::search::{Budget, Dead, Found};
use super::sentence::sentence;
use super::{Partition, search_key};

/// Evidence of a violation. Operations are numbers in [`History::operations`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evidence {
    pub key: Key,
    /// The operation that no linearization of what returned before it can take in.
    pub operation: usize,
    /// Operations that were pending when it returned, and could be ordered before or after it.
    pub concurrent: Vec<usize>,
    /// Operations that explain it: who wrote the value it claims, failed or not, and whose value stood instead.
    pub witnesses: Vec<usize>,
    /// A longest linearization of the operations that returned before.
    pub linearized: Vec<usize>,
    /// The states that the key can be in when the operation returns; empty where they are not known.
    pub states: Vec<String>,
    /// How many events of the history, from its first, are already not linearizable.
    pub prefix: Prefix,
    /// Operations that contradict each other whatever all others did.
    pub core: Core,
    /// One sentence.
    pub reason: String,
}

/// How much of the history is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Prefix {
    /// One event fewer is linearizable.
    Shortest(usize),
    /// The limits were met before the shortest was found.
    AtMost(usize),
}

impl Prefix {
    pub fn events(self) -> usize {
        match self {
            Self::Shortest(events) | Self::AtMost(events) => events,
        }
    }
}

/// How many writers of the claimed value to name: one explains it, all of them are noise.
const WRITERS: usize = 2;

/// `whole_key` says that the candidates are all of the key's, so that all that returned before the dead one is
/// linearizable; candidates that only contradict each other need not be the first that do.
#[expect(clippy::too_many_arguments, reason = "they are what a search leaves behind")]
pub(super) fn collect<M: Model>(
    history: &History,
    partition: &Partition<'_>,
    model: &M,
    candidates: &[Candidate<'_>],
    dead: &Dead,
    states: Vec<String>,
    whole_key: bool,
    budget: Budget,
) -> Evidence {
    let number = |item: &usize| candidates[*item].operation;
    let operation = number(&dead.item);
    let end = candidates[dead.item].deadline.unwrap_or(history.len());
    let linearized: Vec<usize> = dead.order.iter().map(number).collect();
    let standing = standing(history, model, &linearized);
    let claimed = claims(&history.operations()[operation]);
    let writers = claimed.map_or_else(Vec::new, |value| writers(partition, value, end));
    let mut witnesses: Vec<usize> = writers.iter().copied().take(WRITERS).chain(standing).collect();
    witnesses.retain(|witness| *witness != operation);
    witnesses.sort_unstable();
    witnesses.dedup();
    let hint = if whole_key { vec![operation] } else { candidates.iter().map(|one| one.operation).collect() };
    let core = core::shrink(&partition.operations, model, &hint, end, budget);
    Evidence {
        reason: match core.smallest {
            true => on_key(partition, sentence(history, &partition.operations, &model.family(), &core)),
            false => reason(history, model, operation, &writers, &states),
        },
        core,
        key: partition.key.clone(),
        operation,
        concurrent: dead.pending.iter().map(number).collect(),
        prefix: shortest_prefix(history, partition, model, end, whole_key, budget),
        witnesses,
        linearized,
        states,
    }
}

fn on_key(partition: &Partition<'_>, sentence: String) -> String {
    match partition.key {
        Key::None => sentence,
        key => format!("on key {key}, {sentence}"),
    }
}

/// The last operation of a linearization that changed the state.
fn standing<M: Model>(history: &History, model: &M, linearized: &[usize]) -> Option<usize> {
    let changes = |number: &&usize| {
        let operation = &history.operations()[**number];
        let reply = operation.reply();
        !reply.is_some_and(|reply| model.only_observes(&operation.call, reply))
    };
    linearized.iter().rev().find(changes).copied()
}

/// The value that an operation claims to have found.
fn claims(operation: &Operation) -> Option<&Value> {
    match (&operation.call, operation.reply()) {
        (Call::Read, Some(Reply::Read(value))) => Some(value),
        (Call::Cas { old, .. }, Some(Reply::Swapped)) => Some(old),
        _ => None,
    }
}

/// Who asked to install `value` before event `end`, the latest first.
fn writers(partition: &Partition<'_>, value: &Value, end: usize) -> Vec<usize> {
    let writes = |operation: &Operation| match &operation.call {
        Call::Write(new) => new == value,
        Call::Cas { new, .. } => new == value && operation.reply() != Some(&Reply::Differed),
        _ => false,
    };
    let writers = partition.operations.iter().rev();
    writers
        .filter(|(_, operation)| operation.invoked.index < end && writes(operation))
        .map(|(number, _)| *number)
        .collect()
}

/// What a key's history lacks in its first `events` events is monotone: a prefix of a linearizable history is
/// linearizable. The search fails at the return `end`, but it may fail because it knows how an operation ends that is
/// pending there, so the shortest prefix may be longer, and ends where an operation does. `whole_key` says that the
/// search saw all that returned before, which is then linearizable.
fn shortest_prefix<M: Model>(
    history: &History,
    partition: &Partition<'_>,
    model: &M,
    end: usize,
    whole_key: bool,
    budget: Budget,
) -> Prefix {
    let completions = partition.operations.iter().filter_map(|(_, operation)| operation.completed);
    let mut ends: Vec<usize> = completions.map(|moment| moment.index).collect();
    ends.sort_unstable();
    let Some(last) = ends.len().checked_sub(1) else {
        return Prefix::AtMost(history.len());
    };
    let near = ends.partition_point(|index| *index < end).min(last);
    let probe = |place: usize| is_dead(partition, model, ends[place] + 1, budget);
    // Everything before ends[low] is linearizable, ends[high] is not.
    let (mut low, mut high) = match probe(near) {
        Some(true) if whole_key => (near, near),
        Some(true) => (0, near),
        Some(false) => ((near + 1).min(last), last),
        None => return Prefix::AtMost(history.len()),
    };
    // What is looked for is most often near the event at which the search failed.
    let (mut step, upward) = (1, high > near);
    while low < high {
        let stride = (high - low) / 2;
        let middle = if upward { low + stride.min(step - 1) } else { high - (high - low - stride).min(step) };
        match probe(middle) {
            Some(true) => high = middle,
            Some(false) => low = middle + 1,
            None => return Prefix::AtMost(ends[high] + 1),
        }
        step *= 2;
    }
    Prefix::Shortest(ends[high] + 1)
}

/// Whether the first `events` events are not linearizable; none if the limits do not allow to say.
fn is_dead<M: Model>(partition: &Partition<'_>, model: &M, events: usize, budget: Budget) -> Option<bool> {
    let mut known = took_part_as_of(&partition.operations, events);
    match search_key(&mut known, model, &mut Automaton::new(model), budget) {
        Found::Order(_) => Some(false),
        Found::Violation(_) | Found::Conflict(_) => Some(true),
        Found::Stopped(..) => None,
    }
}

/// What is known of changed operations of a key.
#[derive(Debug)]
pub(super) enum Judged {
    /// With a linearization of their numbers.
    Valid(Vec<usize>),
    Invalid,
    GaveUp,
}

/// Judges operations of one key, with their numbers, in order of invocation.
pub(super) fn judge<M: Model>(operations: &[(usize, Operation)], model: &M, budget: Budget) -> Judged {
    let operations: Vec<(usize, &Operation)> =
        operations.iter().map(|(number, operation)| (*number, operation)).collect();
    let mut candidates = took_part(&operations);
    match search_key(&mut candidates, model, &mut Automaton::new(model), budget) {
        Found::Order(order) => Judged::Valid(order.iter().map(|item| candidates[*item].operation).collect()),
        Found::Violation(_) | Found::Conflict(_) => Judged::Invalid,
        Found::Stopped(..) => Judged::GaveUp,
    }
}

fn reason<M: Model>(history: &History, model: &M, number: usize, writers: &[usize], states: &[String]) -> String {
    let operation = &history.operations()[number];
    let subject = format!(
        "process {} {} key {} ({})",
        operation.process,
        action(operation),
        operation.key,
        lines(history, operation)
    );
    let possible = states_say(states);
    let Some(value) = claims(operation) else {
        return format!("{subject}, but at its end the key can only hold {possible}");
    };
    let failed = |writer: &usize| history.operations()[*writer].outcome == Outcome::Fail;
    let is_initial = model.show(&model.initial()) == value.to_string();
    match writers {
        [] if is_initial => {
            format!("{subject}, but {value} had been overwritten: at its end the key can only hold {possible}")
        }
        [] => format!("{subject}, but nobody had asked to write {value} by then"),
        _ if !is_initial && writers.iter().all(failed) => {
            format!("{subject}, but every write of {value} had failed")
        }
        _ => format!(
            "{subject}, but no order of the operations leaves {value} there between these lines: at the end the key can only hold {possible}"
        ),
    }
}

fn action(operation: &Operation) -> String {
    match (&operation.call, operation.reply()) {
        (Call::Read, Some(Reply::Read(value))) => format!("read {value} from"),
        (Call::Cas { old, new }, Some(Reply::Swapped)) => format!("swapped {old} for {new} in"),
        (Call::Cas { old, .. }, Some(Reply::Differed)) => {
            format!("found another value than {old} in")
        }
        (Call::Write(value), _) => format!("wrote {value} to"),
        (call, _) => format!("did {call} on"),
    }
}

fn lines(history: &History, operation: &Operation) -> String {
    let invoked = history.line(operation.invoked.index);
    match operation.completed {
        Some(moment) => format!("lines {invoked} to {}", history.line(moment.index)),
        None => format!("line {invoked}, not completed"),
    }
}

fn states_say(states: &[String]) -> String {
    match states {
        [] => "another value".to_owned(),
        [one] => one.clone(),
        [others @ .., last] if others.len() <= 4 => format!("{} or {last}", others.join(", ")),
        _ => format!("one of {} other values", states.len()),
    }
}
