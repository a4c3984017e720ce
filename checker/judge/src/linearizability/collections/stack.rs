//! Stacks. O(n log n); exact unless indeterminate pops could take elements that are in for certain.
//!
//! Slots, windows and presences are as in `queue`: an element is present for certain between `enter.last` and `leave.first`.
//! Consider a set of elements with their operations, without indeterminate pops, and without pops that found nothing.
//!
//! **Cutting.** *Let no presence cover slot `t`. The set is linearizable iff both its parts are: the elements with
//! `leave.first <= t`, and the others, for which then `enter.last >= t`.* Only if: a part of a stack's elements behaves as
//! a stack. If: put an order of the first part before one of the second. Every operation of the first part was invoked by slot `t`, every one
//! of the second returned in slot `t` at the earliest, so the order keeps real time; and the stack is empty in between.
//! So a pop that found nothing, and may take effect in slot `t`, can be put in between; and it needs some
//! uncovered slot, because a covered one finds the stack not empty. Elements and such pops together are therefore
//! linearizable iff the elements are, and each such pop has an uncovered slot in its window.
//!
//! **Wrapping.** *Let `v.enter.first` be at most every `enter.last`, and `v.leave.last` at least every `leave.first`. The set
//! is linearizable iff it is without `v`*: push `v` first and pop it last.
//!
//! **Nothing else is linearizable.** *If a linearizable set has elements, and every slot from the least `leave.first` up to, not
//! including, the greatest is covered, then some `v` can be wrapped around it.* In all these slots the stack is not empty, and
//! before them nothing is popped. So the first operation pushes an element `v` that stays at the bottom throughout, and is
//! popped in the slot of the greatest `leave.first` or later. As its push comes first, no other operation ends before it
//! begins; as its pop comes no earlier than the greatest `leave.first`, it does not end before any other begins.
//!
//! So: cut where there is an uncovered slot with elements on both sides, else wrap, else report. Elements in order of
//! `leave.first` form ranges, which cuts divide. A tree over the slots counts presences; trees over the elements give the
//! least `enter.last` of a range, which only grows as elements go, the elements whose `enter.first` it has
//! reached, and the greatest `leave.last` of those. Each step takes out an element or divides a range, in O(log n).
//!
//! The conflict: the elements with the least `enter.last` and the greatest `leave.first`, which refuse every wrapping, and a
//! chain of presences that leaves no place to cut between them.
//!
//! **Indeterminate pops** that no element waits for take nothing, and are left out. Otherwise a few ways are tried in which
//! they may have taken elements that are in for certain and not known to be taken ([`decide_open`]). This is where there
//! may be no answer.
//!
//! (Abdulla et al. 2025 prove cutting and wrapping for a quadratic algorithm; Lee and Mathur 2025 reach this bound.)

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::ops::Range;

use super::elements::{Element, Elements, Gathered, NOBODY, decide_open, gather};
use super::slots::{Cover, NEVER, Window, chain};
use super::tree::{Counts, Least};
use crate::linearizability::prune::Candidate;
use crate::linearizability::search::{Budget, Found};

pub(super) fn decide(candidates: &[Candidate<'_>], budget: Budget) -> Option<Found> {
    let elements = match gather(candidates)? {
        Gathered::Elements(elements) => elements,
        Gathered::Conflict(items) => return Some(Found::Conflict(items)),
    };
    let open = !elements.unclaimed.is_empty() && !elements.takers.is_empty();
    if !open {
        return attempt(&elements);
    }
    decide_open(&elements, budget.deadline, &[&assign_by_need, &assign_by_time], attempt)
}

/// Each indeterminate pop takes the element that had entered last by then.
fn assign_by_time(elements: &mut Elements) {
    let mut entered = Vec::new();
    let by_entry = elements.unclaimed.clone();
    let mut waiting = by_entry.into_iter().peekable();
    for taker in 0..elements.takers.len() {
        let slot = elements.takers[taker];
        while let Some(id) = waiting.next_if(|id| elements.get(*id).enter.last <= slot) {
            entered.push(id);
        }
        if let Some(id) = entered.pop() {
            elements.assign(id, taker as u32);
        }
    }
}

/// Elements have to be popped before what lies below them: those that have to be popped first are taken by the pops that
/// were invoked first, and those that may stay are not taken. Wherever in its window a push takes effect, it does so above
/// everything that is present there.
fn assign_by_need(elements: &mut Elements) {
    let claimed = elements.elements.iter().filter(|element| element.take != NOBODY);
    let mut present: Vec<(Range<u32>, u32)> = claimed.map(|element| (element.presence(), element.leave.last)).collect();
    present.retain(|(presence, _)| !presence.is_empty());
    present.sort_unstable_by_key(|(presence, _)| presence.start);
    let mut coming = present.into_iter().peekable();
    let mut covering = BinaryHeap::new();
    // Slot to the last slot in which all that is present there is still there.
    let mut until = Vec::with_capacity(elements.slots as usize);
    for slot in 0..elements.slots {
        while let Some((presence, last)) = coming.next_if(|(presence, _)| presence.start <= slot) {
            covering.push(Reverse((last, presence.end)));
        }
        while covering.peek().is_some_and(|Reverse((_, end))| *end <= slot) {
            covering.pop();
        }
        until.push(covering.peek().map_or(NEVER, |Reverse((last, _))| *last));
    }
    // Position among the pops that find nothing to the least last slot from there on.
    let mut soonest = vec![NEVER; elements.empties.len() + 1];
    for (position, (_, window)) in elements.empties.iter().enumerate().rev() {
        soonest[position] = window.last.min(soonest[position + 1]);
    }
    let need = |id: &u32| {
        let enter = elements.get(*id).enter;
        let below = (enter.first..=enter.last).map(|slot| until[slot as usize]).max();
        // A pop that finds nothing, and begins only then, wants it gone as well.
        let behind = elements.empties.partition_point(|(_, window)| window.first <= enter.last);
        below.unwrap_or(NEVER).min(soonest[behind])
    };
    let mut needs: Vec<(u32, u32)> = elements.unclaimed.iter().map(|id| (need(id), *id)).collect();
    needs.retain(|(need, _)| *need != NEVER);
    needs.sort_unstable();
    for (taker, (_, id)) in needs.iter().take(elements.takers.len()).enumerate() {
        elements.assign(*id, taker as u32);
    }
}

fn attempt(elements: &Elements) -> Option<Found> {
    let cover = Cover::new(elements.presences().map(|(_, presence)| presence), elements.slots as usize);
    let mut cuts = Vec::with_capacity(elements.empties.len());
    for (item, window) in &elements.empties {
        match cover.gap(*window) {
            Some(slot) => cuts.push((slot, *item)),
            None => {
                let links = chain(elements.presences(), *window)?;
                let links = links.iter().flat_map(|id| elements.get(*id).operations());
                return Some(Found::Conflict(std::iter::once(*item as usize).chain(links).collect()));
            }
        }
    }
    cuts.sort_unstable();
    let mut sorted = elements.elements.clone();
    sorted.sort_by_key(|element| element.leave.first);
    Some(Nesting::new(&sorted, elements.slots).run(&cuts))
}

/// What remains to be put in order, from the last to the first.
enum Task {
    /// The elements from one position to another, both included.
    Range(usize, usize),
    Emit(u32),
}

struct Nesting<'a> {
    /// By `leave.first`.
    elements: &'a [Element],
    gone: Vec<bool>,
    presences: Counts,
    /// Position to `enter.last`.
    enter_last: Least,
    /// Position to `enter.first`, of those not yet known to be at most every `enter.last` of their range.
    enter_first: Least,
    /// Position to the complement of `leave.last`, of the others.
    leave_last: Least,
    tasks: Vec<Task>,
    order: Vec<usize>,
}

impl<'a> Nesting<'a> {
    fn new(elements: &'a [Element], slots: u32) -> Self {
        Self {
            elements,
            gone: vec![false; elements.len()],
            presences: Counts::new(elements.iter().map(Element::presence), slots as usize),
            enter_last: Least::new(elements.iter().map(|element| element.enter.last)),
            enter_first: Least::new(elements.iter().map(|element| element.enter.first)),
            leave_last: Least::new(elements.iter().map(|_| Least::NOTHING)),
            tasks: Vec::new(),
            order: Vec::with_capacity(2 * elements.len()),
        }
    }

    fn run(mut self, cuts: &[(u32, u32)]) -> Found {
        let mut end = self.elements.len();
        for (slot, item) in cuts.iter().rev() {
            let start = self.elements[..end].partition_point(|element| element.leave.first <= *slot);
            self.tasks.extend((start < end).then(|| Task::Range(start, end - 1)));
            self.tasks.push(Task::Emit(*item));
            end = start;
        }
        self.tasks.extend((end > 0).then(|| Task::Range(0, end - 1)));
        while let Some(task) = self.tasks.pop() {
            match task {
                Task::Emit(item) => self.order.push(item as usize),
                Task::Range(low, high) => {
                    if let Err(conflict) = self.range(low, high) {
                        return conflict;
                    }
                }
            }
        }
        Found::Order(self.order)
    }

    /// Takes one step with a range: leaves it out if nothing is left of it, cuts it, or wraps an element around the rest.
    fn range(&mut self, mut low: usize, mut high: usize) -> Result<(), Found> {
        while low < high && self.gone[low] {
            low += 1;
        }
        while low < high && self.gone[high] {
            high -= 1;
        }
        if self.gone[low] {
            return Ok(());
        }
        let (first, last) = (self.elements[low].leave.first, self.elements[high].leave.first);
        if let Some(slot) = self.presences.uncovered(first..last) {
            let middle = low + self.elements[low..=high].partition_point(|element| element.leave.first <= slot);
            self.tasks.push(Task::Range(middle, high));
            self.tasks.push(Task::Range(low, middle - 1));
            return Ok(());
        }
        let outermost = self.outermost(low, high).ok_or_else(|| Found::Conflict(self.conflict(low, high)))?;
        let element = self.elements[outermost];
        self.order.push(element.put as usize);
        self.tasks.extend((element.take != NOBODY).then_some(Task::Emit(element.take)));
        self.tasks.push(Task::Range(low, high));
        self.gone[outermost] = true;
        self.presences.remove(element.presence());
        self.enter_last.set(outermost, Least::NOTHING);
        self.leave_last.set(outermost, Least::NOTHING);
        Ok(())
    }

    /// An element that can be wrapped around the others of a range that cannot be cut.
    fn outermost(&mut self, low: usize, high: usize) -> Option<usize> {
        let (first_end, _) = self.enter_last.least(low, high);
        loop {
            let (first, position) = self.enter_first.least(low, high);
            if first > first_end {
                break;
            }
            self.enter_first.set(position, Least::NOTHING);
            self.leave_last.set(position, !self.elements[position].leave.last);
        }
        let (_, position) = self.leave_last.least(low, high);
        let element = &self.elements[position];
        let fits = element.enter.first <= first_end && element.leave.last >= self.elements[high].leave.first;
        (fits && !self.gone[position]).then_some(position)
    }

    fn conflict(&self, low: usize, high: usize) -> Vec<usize> {
        let rest = (low..=high).filter(|position| !self.gone[*position]);
        let presences = rest.map(|position| (position as u32, self.elements[position].presence()));
        let (_, earliest) = self.enter_last.least(low, high);
        // A link of the chain leaves after the slot that it is to cover, so no two of these can be cut apart either.
        let (first, end) = (self.elements[earliest].leave.first, self.elements[high].leave.first);
        let mut members = vec![earliest, high];
        if first < end {
            let links = chain(presences, Window { first, last: end - 1 }).unwrap_or_default();
            members.extend(links.into_iter().map(|position| position as usize));
        }
        members.sort_unstable();
        members.dedup();
        members.iter().flat_map(|position| self.elements[*position].operations()).collect()
    }
}
