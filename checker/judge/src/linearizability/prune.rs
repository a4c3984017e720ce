//! What may be left out of one key's operations before the search, and why nothing is lost.
//!
//! *Any model.* An operation that failed has no effect and claims nothing: out.
//!
//! *Registers* ([`Family::Register`]). An indeterminate operation may take effect at any moment after its invocation or
//! never; each one kept can double the search. Write `H` for the history of one key, `w` for an indeterminate operation
//! that installs `v` (a write of `v`, or a cas to `v`).
//!
//! 1. *Indeterminate operations that change no state* (reads, `cas(v, v)`) are out: taking one out of a linearization
//!    leaves every other step as it was.
//!
//! 2. *`w` is out if nobody depends on `v`*, where an operation other than `w` depends on `v` if it is a read that returned
//!    `v`; a cas from `v` that swapped or is indeterminate; or a cas that differed from another value than `v` (it may have
//!    differed *because of* `v`). Claim: `H` is linearizable iff `H` without `w` is. From right to left `w` never happens.
//!    From left to right take a linearization with `w`. If `w` is a cas that did not find its old value, drop it. Else
//!    look at the operations after `w` up to the next that installs something: in state `v` a read would
//!    return `v`, a swap or a dependent indeterminate cas would start from `v`, a cas that differed would differ
//!    from another value than `v`: all depend on `v`, so there is none, except indeterminate cas from other values, which
//!    do nothing there and are dropped from the linearization too. The next operation is therefore a write, which is
//!    possible in every state and leaves the same one, or there is none. So `w` can be taken out. An indeterminate cas that
//!    goes out may have been the last that depended on another value: repeat until nothing changes.
//!
//! 3. *`w` gets an end if it is the only operation that installs `v`, `v` is not the initial value, and an
//!    operation with a known answer read or swapped from `v`.* That operation can only come after `w` in any
//!    linearization, so `w` takes effect before the earliest such operation returns, for certain, and, being a cas,
//!    swaps. It has then a known answer itself: repeat until nothing changes. Where values are written once and no cas
//!    differed, rules 2 and 3 leave no indeterminate operation at all.

use std::collections::HashMap;

use sextant_histories::{Call, Operation, Outcome, Reply, Value};

use super::model::Family;

/// An operation that the search has to place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Candidate<'a> {
    /// Its number in the history.
    pub(super) operation: usize,
    pub(super) call: &'a Call,
    /// Known answer, or the one that rule 3 proves.
    pub(super) reply: Option<&'a Reply>,
    pub(super) invoked: usize,
    /// Event index by whose end it must have taken effect; none if it need not.
    pub(super) deadline: Option<usize>,
    /// Whether rule 3 set the deadline: it is then the return of another operation.
    pub(super) end_is_proved: bool,
}

/// The operations that did not fail, of those of one key, given with their numbers, in order of invocation.
pub(super) fn took_part<'a>(operations: &[(usize, &'a Operation)]) -> Vec<Candidate<'a>> {
    let mut candidates = Vec::with_capacity(operations.len());
    let others = operations.iter().filter(|(_, operation)| operation.outcome != Outcome::Fail);
    candidates.extend(others.map(|(number, operation)| candidate(*number, operation)));
    candidates
}

/// Leaves out what the rules above say.
pub(super) fn leave_out(candidates: &mut Vec<Candidate<'_>>, family: &Family) {
    if let Family::Register { initial } = family {
        candidates.retain(|candidate| candidate.reply.is_some() || installs(candidate).is_some());
        while drop_unseen(candidates) {}
        while give_ends(candidates, initial) {}
    }
}

/// The operations that did not fail as far as an observer knew after `events` events.
pub(super) fn took_part_as_of<'a>(operations: &[(usize, &'a Operation)], events: usize) -> Vec<Candidate<'a>> {
    let mut candidates = Vec::with_capacity(operations.len());
    for (number, operation) in operations.iter().take_while(|(_, operation)| operation.invoked.index < events) {
        let open = operation.completed.is_some_and(|moment| moment.index >= events);
        if open {
            candidates.push(Candidate { reply: None, deadline: None, ..candidate(*number, operation) });
        } else if operation.outcome != Outcome::Fail {
            candidates.push(candidate(*number, operation));
        }
    }
    candidates
}

fn candidate(number: usize, operation: &Operation) -> Candidate<'_> {
    Candidate {
        operation: number,
        call: &operation.call,
        reply: operation.reply(),
        invoked: operation.invoked.index,
        deadline: operation.returned(),
        end_is_proved: false,
    }
}

/// The value that the operation leaves behind where it changes the state.
fn installs<'a>(candidate: &Candidate<'a>) -> Option<&'a Value> {
    match (candidate.call, candidate.reply) {
        (Call::Write(value), _) => Some(value),
        (Call::Cas { .. }, Some(Reply::Differed)) => None,
        (Call::Cas { old, new }, _) => (old != new).then_some(new),
        _ => None,
    }
}

/// The value that the operation starts from if it does anything: returned by a read, or the old value of a cas.
fn starts_from<'a>(candidate: &Candidate<'a>) -> Option<&'a Value> {
    match (candidate.call, candidate.reply) {
        (Call::Read, Some(Reply::Read(value))) => Some(value),
        (Call::Cas { old, .. }, Some(Reply::Swapped) | None) => Some(old),
        _ => None,
    }
}

/// Who depends on a value, for rule 2. An operation never starts from what it installs, so it never counts for itself.
#[derive(Default)]
struct Dependence<'a> {
    starts: HashMap<&'a Value, usize>,
    differed_from: HashMap<&'a Value, usize>,
    differed: usize,
}

impl<'a> Dependence<'a> {
    fn of(candidates: &[Candidate<'a>]) -> Self {
        let mut dependence = Self::default();
        for candidate in candidates {
            if let Some(value) = starts_from(candidate) {
                *dependence.starts.entry(value).or_default() += 1;
            }
            if let (Call::Cas { old, .. }, Some(Reply::Differed)) = (candidate.call, candidate.reply) {
                *dependence.differed_from.entry(old).or_default() += 1;
                dependence.differed += 1;
            }
        }
        dependence
    }

    fn on(&self, value: &Value) -> bool {
        let from_others = self.differed - self.differed_from.get(value).copied().unwrap_or(0);
        self.starts.contains_key(value) || from_others > 0
    }
}

/// Rule 2, once; whether it took anything out.
fn drop_unseen(candidates: &mut Vec<Candidate<'_>>) -> bool {
    let before = candidates.len();
    let dependence = Dependence::of(candidates);
    candidates.retain(|candidate| {
        let unseen = installs(candidate).is_some_and(|value| !dependence.on(value));
        candidate.reply.is_some() || !unseen
    });
    candidates.len() < before
}

/// Rule 3, once; whether it gave any operation an end.
fn give_ends(candidates: &mut [Candidate<'_>], initial: &Value) -> bool {
    if candidates.iter().all(|candidate| candidate.reply.is_some()) {
        return false;
    }
    let mut installers: HashMap<&Value, usize> = HashMap::from([(initial, 1)]);
    let mut seen_by: HashMap<&Value, usize> = HashMap::new();
    for candidate in candidates.iter() {
        if let Some(value) = installs(candidate) {
            *installers.entry(value).or_default() += 1;
        }
        if let (Some(value), Some(_), Some(end)) = (starts_from(candidate), candidate.reply, candidate.deadline) {
            let earliest = seen_by.entry(value).or_insert(end);
            *earliest = end.min(*earliest);
        }
    }
    let mut given = false;
    for candidate in candidates.iter_mut().filter(|candidate| candidate.reply.is_none()) {
        let Some(value) = installs(candidate) else {
            continue;
        };
        let end = seen_by.get(value).copied().filter(|end| *end > candidate.invoked);
        if let (Some(1), Some(end)) = (installers.get(value), end) {
            candidate.deadline = Some(end);
            candidate.end_is_proved = true;
            candidate.reply = Some(match candidate.call {
                Call::Cas { .. } => &Reply::Swapped,
                _ => &Reply::Written,
            });
            given = true;
        }
    }
    given
}
