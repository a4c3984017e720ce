//! Priority queues. O(n log n); exact unless indeterminate pops could take elements that are in for certain.
//!
//! Slots, windows and presences are as in `queue`: an element is present for certain between `enter.last` and `leave.first`.
//!
//! **Theorem** (no indeterminate pops). There is a linearization iff every pop of an element has a slot in its window that the
//! presence of no *lesser* element covers, and every pop that returned null one that no presence covers.
//!
//! *Only if.* In the slot where an element is popped no lesser one is there.
//!
//! *If.* Let `v` be popped in `t(v)`, the first slot of its window that no lesser presence covers, and inserted in `s(v)`,
//! the lesser of `t(v)` and `enter.last`, which is in its window too. Pops that found nothing go where nothing covers. Within
//! a slot first come the pops of elements in ascending order, those that are inserted in the same slot directly
//! after their insertion; then the pops that found nothing; then the insertions of what is popped in a later slot. Claim:
//! *an element `u` that was inserted in a slot before `t` and is popped in one after `t` proves that `t` is covered by
//! presences of elements up to `u`.* For `s(u) < t < t(u)` gives `u.enter.last < t`. Either `t < u.leave.first`, and `u` itself
//! covers `t`; or `t` is a slot of `u`'s window before `t(u)`, and a lesser presence covers it. So a pop of `v` in
//! slot `t` meets no lesser element from before that stays beyond the slot; lesser ones popped in the same slot are gone by
//! then, and those inserted to stay are inserted later. Likewise a pop that finds nothing finds nothing.
//!
//! Elements ascending, covered slots only grow, so a union-find forest gives the next uncovered slot.
//!
//! **Indeterminate pops** that no element waits for take nothing, and are left out. Otherwise a few ways are tried in which
//! they may have taken elements that are in for certain and not known to be taken ([`decide_open`]). This is where there
//! may be no answer.
//!
//! (Lee and Mathur 2025 have the same bound by another way: they take out elements from the greatest on.)

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::ops::Range;

use sextant_histories::Value;

use super::elements::{Element, Elements, Gathered, NOBODY, decide_open, gather, put};
use super::slots::{Window, chain};
use crate::linearizability::prune::Candidate;
use crate::linearizability::search::{Budget, Found};

pub(super) fn decide(candidates: &[Candidate<'_>], budget: Budget) -> Option<Found> {
    let elements = match gather(candidates)? {
        Gathered::Elements(elements) => elements,
        Gathered::Conflict(items) => return Some(Found::Conflict(items)),
    };
    let open = !elements.unclaimed.is_empty() && !elements.takers.is_empty();
    if !open {
        return attempt(candidates, &elements);
    }
    decide_open(&elements, budget.deadline, &[&|elements| assign(candidates, elements)], |elements| {
        attempt(candidates, elements)
    })
}

/// Each indeterminate pop takes the least element that had entered by then.
fn assign(candidates: &[Candidate<'_>], elements: &mut Elements) {
    let by_entry = elements.unclaimed.clone();
    let mut entered = BinaryHeap::new();
    let mut waiting = by_entry.into_iter().peekable();
    for taker in 0..elements.takers.len() {
        let slot = elements.takers[taker];
        while let Some(id) = waiting.next_if(|id| elements.get(*id).enter.last <= slot) {
            entered.push(Reverse((value(candidates, elements.get(id)), id)));
        }
        if let Some(Reverse((_, id))) = entered.pop() {
            elements.assign(id, taker as u32);
        }
    }
}

fn value<'a>(candidates: &'a [Candidate<'a>], element: &Element) -> Option<&'a Value> {
    put(&candidates[element.put as usize])
}

fn attempt(candidates: &[Candidate<'_>], elements: &Elements) -> Option<Found> {
    let slots = elements.slots;
    let mut ascending: Vec<u32> = (0..elements.elements.len() as u32).collect();
    let values: Vec<Option<&Value>> = elements.elements.iter().map(|element| value(candidates, element)).collect();
    ascending.sort_unstable_by_key(|id| values[*id as usize]);
    let mut covered = Covered::new(slots);
    let mut steps = Vec::with_capacity(candidates.len());
    for (rank, id) in ascending.iter().enumerate() {
        let element = elements.get(*id);
        let slot = if element.take == NOBODY { slots } else { covered.gap(element.leave.first) };
        if slot > element.leave.last {
            let lesser = ascending[..rank].iter().map(|id| (*id, elements.get(*id).presence()));
            return Some(Found::Conflict(conflict(elements, element.operations(), lesser, element.leave)?));
        }
        let rank = rank as u32;
        if slot <= element.enter.last {
            steps.push(((slot, Phase::Pop, rank, 0), element.put));
        } else {
            steps.push(((element.enter.last, Phase::Insert, rank, 0), element.put));
        }
        if element.take != NOBODY {
            steps.push(((slot, Phase::Pop, rank, 1), element.take));
        }
        covered.cover(element.presence());
    }
    for (item, window) in &elements.empties {
        let slot = covered.gap(window.first);
        if slot > window.last {
            let items = std::iter::once(*item as usize);
            return Some(Found::Conflict(conflict(elements, items, elements.presences(), *window)?));
        }
        steps.push(((slot, Phase::FindNothing, 0, 0), *item));
    }
    steps.sort_unstable();
    Some(Found::Order(steps.into_iter().map(|(_, item)| item as usize).collect()))
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    Pop,
    FindNothing,
    Insert,
}

/// What happens nowhere in its window, and elements one of which is always in the way.
fn conflict(
    elements: &Elements,
    items: impl Iterator<Item = usize>,
    presences: impl Iterator<Item = (u32, Range<u32>)>,
    window: Window,
) -> Option<Vec<usize>> {
    let links = chain(presences, window)?;
    Some(items.chain(links.iter().flat_map(|id| elements.get(*id).operations())).collect())
}

/// A growing set of slots that knows the next one outside.
struct Covered {
    /// Slot to itself if it is not covered, else to a later one that has no uncovered slot before it.
    next: Vec<u32>,
}

impl Covered {
    fn new(slots: u32) -> Self {
        Self { next: (0..=slots).collect() }
    }

    /// The first uncovered slot from here on. The last is never covered.
    fn gap(&mut self, slot: u32) -> u32 {
        let mut end = slot;
        while self.next[end as usize] != end {
            end = self.next[end as usize];
        }
        let mut slot = slot;
        while slot != end {
            slot = std::mem::replace(&mut self.next[slot as usize], end);
        }
        end
    }

    fn cover(&mut self, slots: Range<u32>) {
        let mut slot = if slots.is_empty() { return } else { self.gap(slots.start) };
        while slot < slots.end {
            self.next[slot as usize] = slot + 1;
            slot = self.gap(slot + 1);
        }
    }
}
