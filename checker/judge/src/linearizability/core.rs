//! The smallest failing core of a history that is not linearizable.
//!
//! To *weaken* an operation is to forget when it happened and how it ended: it may have taken effect at any time or never
//! ([`weaken`]). A core is a set of operations that is not linearizable with all others weakened; it is smallest when
//! weakening any one of its members as well makes the history linearizable. A failed operation can be a member: that it
//! took no effect is then part of the contradiction. So can an indeterminate one: it took none before its invocation.
//!
//! A linearization of a history is one of every history in which more is weakened, so the sets that fail are closed
//! upwards, and one pass that tries to drop each member ends in a smallest core. What costs is a check, so four things
//! keep it small:
//!
//! * *Weakened operations that no member can tell of are left out* ([`Shade`]), exactly, with a proof a family.
//! * *The start is small*: the contradiction that a special algorithm names; or, if the operation that fits nowhere found a
//!   value that had been replaced, that operation, the one that shows it, and all that could have brought the value back
//!   ([`stale`]); or else that operation alone, which grows by what a linearization of the weakened history does that really could not have been, and by twice as many
//!   neighbours each time.
//! * *Halves go first*, then quarters, down to single operations.
//! * *What is hard waits.* A check gets little effort at first; one that needs more is put off until others have made the
//!   core smaller, and then gets more. With values that recur this makes seconds of minutes.
//!
//! Mutexes, whose cores are half of the history, are counted first ([`turns`]).
//!
//! When the time is up the core is what has been reached, and says that it may not be smallest.

mod shade;
mod stale;
mod turns;

use std::time::Instant;

use sextant_histories::{History, Moment, Operation, Outcome};

use super::evidence::{Judged, judge};
use super::model::{Family, Model};
use super::search::Budget;
use shade::Shade;

/// Operations that contradict each other whatever all others did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Core {
    /// Numbers in [`History::operations`], ascending.
    pub operations: Vec<usize>,
    /// Whether weakening any one of them makes the history linearizable. If not, the limits were met before that was
    /// known of each.
    pub smallest: bool,
}

/// What a check may take, pass by pass, besides [`EACH`] an operation.
const EFFORTS: [u64; 4] = [10_000, 200_000, 4_000_000, u64::MAX];

/// What a check takes however easy it is.
const EACH: u64 = 8;

/// The operation as it is known when nothing is known but that it was asked for.
pub fn weaken(operation: &Operation) -> Operation {
    Operation {
        outcome: Outcome::Indeterminate,
        invoked: Moment { index: 0, time: None },
        completed: None,
        ..operation.clone()
    }
}

/// The history with all operations but `members` (numbers, ascending) weakened. They keep their order, not their numbers.
pub fn weaken_others(history: &History, members: &[usize]) -> History {
    let weakened = history.operations().iter().enumerate();
    let weakened = weakened.map(|(number, operation)| match members.binary_search(&number) {
        Ok(_) => operation.clone(),
        Err(_) => weaken(operation),
    });
    History::from_operations(weakened.collect(), history.len())
}

/// A core of `operations` of one key, with their numbers, which are known not to be linearizable. `hint` are numbers from
/// which to start; they need not be a core, nor contain one. `end` is the event at which the search failed.
pub(super) fn shrink<M: Model>(
    operations: &[(usize, &Operation)],
    model: &M,
    hint: &[usize],
    end: usize,
    budget: Budget,
) -> Core {
    if !model.judges_any_history() {
        let operations = operations.iter().map(|(number, _)| *number).collect();
        return Core { operations, smallest: false };
    }
    if model.family() == Family::Mutex
        && let Some(members) = turns::core(operations)
    {
        let operations = members.iter().map(|position| operations[*position].0).collect();
        return Core { operations, smallest: true };
    }
    let patience = Instant::now().checked_add(budget.core);
    let deadline = patience.map_or(budget.deadline, |patience| patience.min(budget.deadline));
    let shade = Shade::new(operations, &model.family());
    let budget = Budget { deadline, effort: EFFORTS[0], ..budget };
    let mut scene = Scene { operations, model, budget, shade };
    let seed: Vec<usize> = hint.iter().filter_map(|number| scene.position(*number)).collect();
    let mut members = scene.found_stale(&seed).unwrap_or_else(|| scene.grow(seed, end));
    let mut smallest = false;
    for effort in EFFORTS {
        scene.budget.effort = effort;
        smallest = scene.reduce(&mut members);
        if smallest || scene.is_late() {
            break;
        }
    }
    Core { operations: members.iter().map(|position| operations[*position].0).collect(), smallest }
}

struct Scene<'a, M> {
    operations: &'a [(usize, &'a Operation)],
    model: &'a M,
    budget: Budget,
    shade: Shade<'a>,
}

/// Members are positions in `operations`, ascending.
impl<M: Model> Scene<'_, M> {
    fn position(&self, number: usize) -> Option<usize> {
        self.operations.binary_search_by_key(&number, |(number, _)| *number).ok()
    }

    fn is_late(&self) -> bool {
        self.budget.has_time().is_err()
    }

    /// Judges the operations with all but `members` weakened. An order is one of positions.
    fn judge(&self, members: &[usize]) -> Judged {
        if self.is_late() {
            return Judged::GaveUp;
        }
        let mut known = self.shade.cast(self.operations, members);
        let strong = members.iter().map(|position| &self.operations[*position]);
        known.extend(strong.map(|(number, operation)| (*number, (*operation).clone())));
        let effort = self.budget.effort.saturating_add(EACH * known.len() as u64);
        match judge(&known, self.model, Budget { effort, ..self.budget }) {
            Judged::Valid(order) => {
                Judged::Valid(order.into_iter().filter_map(|number| self.position(number)).collect())
            }
            other => other,
        }
    }

    /// A set that fails, if the one operation to start from found a stale value.
    fn found_stale(&self, seed: &[usize]) -> Option<Vec<usize>> {
        let [found] = seed else { return None };
        let members = stale::members(self.operations, *found, &self.shade)?;
        matches!(self.judge(&members), Judged::Invalid).then_some(members)
    }

    /// Adds to `members` until they fail. All operations do, so they are where it ends at the latest.
    fn grow(&mut self, mut members: Vec<usize>, end: usize) -> Vec<usize> {
        let here = self.operations.partition_point(|(_, operation)| operation.invoked.index <= end);
        let mut reach = 4;
        loop {
            tidy(&mut members);
            let order = match self.judge(&members) {
                Judged::Invalid => return members,
                Judged::GaveUp if self.is_late() => break,
                Judged::GaveUp => match EFFORTS.iter().find(|effort| **effort > self.budget.effort) {
                    Some(more) => {
                        self.budget.effort = *more;
                        continue;
                    }
                    None => Vec::new(),
                },
                Judged::Valid(order) => order,
            };
            let before = members.len();
            members.extend(self.impostors(&order, &members));
            tidy(&mut members);
            if members.len() > before {
                continue;
            }
            members.extend(here.saturating_sub(reach)..self.operations.len().min(here + reach / 4));
            if reach > self.operations.len() {
                break;
            }
            reach *= 2;
        }
        (0..self.operations.len()).collect()
    }

    /// The weakened operations that `order` uses as they cannot have happened, and where that is so, all that ask for the
    /// same: any of them could take its place.
    fn impostors(&self, order: &[usize], members: &[usize]) -> Vec<usize> {
        let operation = |position: &usize| self.operations[*position].1;
        let mut earliest_return = vec![usize::MAX; order.len() + 1];
        for (place, position) in order.iter().enumerate().rev() {
            let end = operation(position).returned().filter(|_| members.binary_search(position).is_ok());
            earliest_return[place] = end.unwrap_or(usize::MAX).min(earliest_return[place + 1]);
        }
        let mut found = Vec::new();
        let mut latest_invocation = 0;
        let mut state = Some(self.model.initial());
        for (place, position) in order.iter().enumerate() {
            let is_member = members.binary_search(position).is_ok();
            let taken = operation(position);
            if is_member {
                latest_invocation = latest_invocation.max(taken.invoked.index);
            } else {
                let fits = |other: &usize| {
                    let other = operation(other);
                    let says = other.outcome != Outcome::Fail
                        && state
                            .as_ref()
                            .is_some_and(|state| self.model.step(state, &other.call, other.reply()).is_some());
                    says && other.invoked.index < earliest_return[place + 1]
                        && other.returned().is_none_or(|end| end > latest_invocation)
                };
                if !fits(position) {
                    let alike = self.shade.alike(*position, self.operations);
                    if !alike.iter().any(fits) {
                        found.extend(alike);
                    }
                }
            }
            let reply = taken.reply().filter(|_| is_member);
            state = state.and_then(|state| self.model.step(&state, &taken.call, reply));
        }
        found
    }

    /// Drops what is not needed, from halves down to single members; whether it is known of each that is left that it is.
    fn reduce(&self, members: &mut Vec<usize>) -> bool {
        let mut size = members.len().div_ceil(2);
        let mut known = true;
        while size > 0 && !members.is_empty() {
            let mut start = 0;
            while start < members.len() {
                let stop = members.len().min(start + size);
                let rest: Vec<usize> = [&members[..start], &members[stop..]].concat();
                match self.judge(&rest) {
                    Judged::Invalid => *members = rest,
                    Judged::Valid(_) => start = stop,
                    Judged::GaveUp if self.is_late() => return false,
                    Judged::GaveUp => {
                        known = known && size > 1;
                        start = stop;
                    }
                }
            }
            size = if size == 1 { 0 } else { size.div_ceil(2).min(members.len().max(1)) };
        }
        known
    }
}

fn tidy(members: &mut Vec<usize>) {
    members.sort_unstable();
    members.dedup();
}
