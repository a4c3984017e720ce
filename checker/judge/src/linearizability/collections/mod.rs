//! Polynomial decisions for collections each of whose elements goes in at most once, for counters and for mutexes.
//!
//! Each file proves its own algorithm. What they share: operations take effect in *slots* (`slots`), elements have a window
//! for going in and one for coming out (`elements`), and where an element cannot but be present, the collection
//! is not empty. An algorithm answers with an order that replays, or with operations that contradict each other; where
//! it is not exact, it answers nothing, and the general search decides.
//!
//! A conflict is contradictory by itself: the general search, given only its operations, finds no order. The other
//! operations would not help either, if each either keeps the reply that it has or does not happen: an element is
//! taken out by nobody but whom the history names, and by the indeterminate operations that the conflict lists.

mod counter;
mod elements;
mod grow;
mod mutex;
mod priority_queue;
mod queue;
mod set;
mod slots;
mod stack;
mod tree;

#[cfg(test)]
mod tests;

use super::model::Family;
use super::prune::Candidate;
use super::search::{Budget, Cancelled, Found};

/// What the algorithm for the family says of one object's operations; `None` if it does not apply.
pub(super) fn decide(
    candidates: &[Candidate<'_>],
    family: &Family,
    budget: Budget,
    cancelled: Cancelled<'_>,
) -> Option<Found> {
    match family {
        Family::General | Family::Register { .. } | Family::Registers | Family::Text { .. } | Family::List => None,
        Family::Counter { initial } => counter::decide(candidates, *initial),
        Family::Set => set::decide(candidates, budget, cancelled),
        Family::Queue => queue::decide(candidates),
        Family::Stack => stack::decide(candidates, budget),
        Family::PriorityQueue => priority_queue::decide(candidates, budget),
        Family::Mutex => mutex::decide(candidates),
    }
}
