//! Queues. Exact, O(n) but for sorting.
//!
//! Without indeterminate dequeues first. Every element `v` has a window for its enqueue, `enter`, and one for its dequeue,
//! `leave`, in slots and tight (`elements`); one that nobody takes leaves behind the last slot. Its *presence* are the
//! slots between `enter.last` and `leave.first`: there it is in the queue for certain. Write `a E b` if `a` must be
//! enqueued before `b` (`a.enter.last < b.enter.first`), and `a D b` if it must be dequeued before `b`.
//!
//! **Theorem.** There is a linearization iff (1) for no two elements `a E b` and `b D a`, and (2) every dequeue that
//! returned null has a slot that no presence covers.
//!
//! *Only if.* (1) is first in, first out; (2) the queue is empty in the slot where such a dequeue takes effect.
//!
//! *If, without (2)'s dequeues.* `E` and `D` are interval orders: from `a E b` and `c E d` follows `a E d` or `c E b`. A
//! cycle of steps `E` and `D` has a shortest form; steps of one kind in a row contract; were there four or more blocks,
//! two steps `a E b`, `c E d` of it would give a short cut. So a cycle has the form `a E b D a`, which (1)
//! forbids, and there is a total order of the elements that contains `E` and `D`. Let `v` be enqueued in slot `p(v)`, the
//! greatest `enter.first` of what is not behind `v` in that order, and dequeued in slot `q(v)`, the greatest of `p(v)` and
//! the `leave.first` of what is not behind `v`. Both are in order. `p(v)` is in the window: `enter.first` of `u` beyond
//! `v.enter.last` would mean `v E u`. So is `q(v)`: `u.leave.first` beyond `v.leave.last` would mean `v D u`, and
//! `u.enter.first`, being at most `u.leave.first`, likewise. Within a slot, enqueue first, then dequeue, both in order.
//!
//! *If, with them.* Choose an uncovered slot for each, a *cut*. For an element and a cut `t` either `leave.first <= t` or,
//! as `t` is uncovered, `enter.last >= t`. Elements of the first kind come and go before the cut: cap their windows
//! at `t`. The others come and go after it: let their windows begin at `t`. No window becomes empty. No
//! new `E` or `D` arises within a piece between two cuts: a window that was cut short ends, or begins, where all windows of the
//! piece may end, or begin. So (1) holds within each piece, each piece has an order, and they follow one another.
//!
//! **Indeterminate dequeues** may each take one element that no known dequeue takes and that is in for certain
//! (`unclaimed`); one that takes nothing is as good as none. Element `v`, taken by `j`, gets the window of `j`, which does
//! not end. (1) then asks of `v` that `j` be invoked early enough, by `L(v)`, the least `leave.last` of what `v E`-precedes; (2)
//! asks that for every cut `t` those with `enter.last < t` are taken by something invoked by `t`. Elements with a smaller
//! `enter.last` `E`-precede more, so `L` is ascending with `enter.last`, and both demands ask for an early dequeue of those that
//! entered early: if any assignment meets the demands, exchanging the takers of two elements so that the one with the
//! smaller `enter.last` has the earlier taker meets them too, and so does replacing a taker by an earlier unused one,
//! and so does leaving no taker unused while an element has none. So it is enough to try one: the k-th by
//! `enter.last` is taken by the k-th by invocation.
//!
//! (Henzinger, Sezgin, Vafeiadis 2013 give the patterns for complete histories; Abdulla et al. 2025 the same bound.)

use super::elements::{Element, Elements, Gathered, NOBODY, gather};
use super::slots::{Cover, Window, chain};
use crate::linearizability::prune::Candidate;
use crate::linearizability::search::Found;

pub(super) fn decide(candidates: &[Candidate<'_>]) -> Option<Found> {
    let mut elements = match gather(candidates)? {
        Gathered::Elements(elements) => elements,
        Gathered::Conflict(items) => return Some(Found::Conflict(items)),
    };
    for number in 0..elements.unclaimed.len().min(elements.takers.len()) {
        elements.assign(elements.unclaimed[number], number as u32);
    }
    let presences = elements.elements.iter().map(Element::presence);
    let cover = Cover::new(presences, elements.slots as usize);
    if let Some(conflict) = overtaken(&elements, &cover) {
        return Some(Found::Conflict(conflict));
    }
    let mut cuts = Vec::with_capacity(elements.empties.len());
    for (item, window) in &elements.empties {
        match cover.gap(*window) {
            Some(slot) => cuts.push((slot, *item)),
            None => return Some(Found::Conflict(never_empty(&elements, *item, *window)?)),
        }
    }
    cuts.sort_unstable();
    Some(Found::Order(order(elements, &cuts)?))
}

/// Two elements that break (1), if there are any.
fn overtaken(elements: &Elements, cover: &Cover) -> Option<Vec<usize>> {
    let breaks = |behind: &&Element| cover.reach(behind.enter.first) > behind.leave.last;
    let behind = elements.elements.iter().find(breaks)?;
    let precedes = |element: &&Element| element.enter.last < behind.enter.first;
    let ahead = elements.elements.iter().filter(precedes).max_by_key(|element| element.leave.first)?;
    let mut items: Vec<usize> = behind.operations().chain(ahead.operations()).collect();
    add_those_that_could_have_gone(elements, &[ahead.put], &mut items);
    Some(items)
}

/// A dequeue that found nothing, and elements one of which was always there.
fn never_empty(elements: &Elements, item: u32, window: Window) -> Option<Vec<usize>> {
    let links = chain(elements.presences(), window)?;
    let mut items = vec![item as usize];
    items.extend(links.iter().flat_map(|id| elements.get(*id).operations()));
    let puts: Vec<u32> = links.iter().map(|id| elements.get(*id).put).collect();
    add_those_that_could_have_gone(elements, &puts, &mut items);
    Some(items)
}

/// Where an element of the conflict waits for an indeterminate dequeue, the conflict has all that could take it, and those
/// that had to be taken before it.
fn add_those_that_could_have_gone(elements: &Elements, puts: &[u32], items: &mut Vec<usize>) {
    let waits = |id: &u32| puts.contains(&elements.get(*id).put);
    if let Some(last) = elements.unclaimed.iter().rposition(waits) {
        items.extend(elements.unclaimed[..=last].iter().flat_map(|id| elements.get(*id).operations()));
        items.extend(elements.takers.iter().map(|item| *item as usize));
    }
    items.sort_unstable();
    items.dedup();
}

/// The linearization of the proof. `None` would contradict it.
fn order(elements: Elements, cuts: &[(u32, u32)]) -> Option<Vec<usize>> {
    let Elements { mut elements, .. } = elements;
    let piece = |element: &Element| cuts.partition_point(|(slot, _)| *slot < element.leave.first);
    if !cuts.is_empty() {
        for element in &mut elements {
            let number = piece(element);
            if let Some((slot, _)) = cuts.get(number) {
                element.enter.last = element.enter.last.min(*slot);
                element.leave.last = element.leave.last.min(*slot);
            }
            if let Some((slot, _)) = number.checked_sub(1).map(|before| cuts[before]) {
                element.enter.first = element.enter.first.max(slot);
            }
        }
    }
    let sorted = sort(&elements)?;
    // Slots and pieces ascend along the order, so what happens is a merge of three sorted sequences.
    let mut enters = Vec::with_capacity(sorted.len());
    let mut leaves = Vec::with_capacity(sorted.len());
    let (mut entered, mut left) = (0, 0);
    for id in &sorted {
        let element = &elements[*id as usize];
        entered = element.enter.first.max(entered);
        left = element.leave.first.max(left).max(entered);
        let number = piece(element);
        enters.push(((entered, number, 0), element.put));
        if element.take != NOBODY {
            leaves.push(((left, number, 1), element.take));
        }
    }
    let finds = cuts.iter().map(|(slot, item)| {
        let number = cuts.partition_point(|(other, _)| other < slot);
        ((*slot, number, 2), *item)
    });
    let mut steps: Vec<((u32, usize, u8), u32)> = enters;
    steps.extend(leaves);
    steps.extend(finds);
    steps.sort_by_key(|(when, _)| *when);
    Some(steps.into_iter().map(|(_, item)| item as usize).collect())
}

/// A total order of the elements that contains `E` and `D`: time and again one that no remaining one must precede.
fn sort(elements: &[Element]) -> Option<Vec<u32>> {
    let by = |key: fn(&Element) -> u32| {
        let mut ids: Vec<u32> = (0..elements.len() as u32).collect();
        ids.sort_by_key(|id| key(&elements[*id as usize]));
        ids
    };
    let mut enters = Side::new(by(|element| element.enter.first), by(|element| element.enter.last));
    let mut leaves = Side::new(by(|element| element.leave.first), by(|element| element.leave.last));
    let mut free = vec![0_u8; elements.len()];
    const GONE: u8 = 3;
    let (mut ready, mut sorted) = (Vec::new(), Vec::with_capacity(elements.len()));
    while sorted.len() < elements.len() {
        for (side, window) in
            [(&mut enters, (|element| element.enter) as fn(&Element) -> Window), (&mut leaves, |element| element.leave)]
        {
            let least_last = loop {
                let id = *side.by_last.get(side.next_last)?;
                if free[id as usize] != GONE {
                    break window(&elements[id as usize]).last;
                }
                side.next_last += 1;
            };
            while let Some(id) = side.by_first.get(side.next_first) {
                if window(&elements[*id as usize]).first > least_last {
                    break;
                }
                free[*id as usize] += 1;
                if free[*id as usize] == 2 {
                    ready.push(*id);
                }
                side.next_first += 1;
            }
        }
        let id = ready.pop()?;
        free[id as usize] = GONE;
        sorted.push(id);
    }
    Some(sorted)
}

/// The elements by one window, and how far each list has been read.
struct Side {
    by_first: Vec<u32>,
    by_last: Vec<u32>,
    next_first: usize,
    next_last: usize,
}

impl Side {
    fn new(by_first: Vec<u32>, by_last: Vec<u32>) -> Self {
        Self { by_first, by_last, next_first: 0, next_last: 0 }
    }
}
