//! Who puts which element in, and who takes it out.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::ops::Range;
use std::time::Instant;

use sextant_histories::{Call, Reply, Value};

use super::slots::{NEVER, Window, presence, windows};
use crate::linearizability::bits::Hashing;
use crate::linearizability::prune::Candidate;
use crate::linearizability::search::Found;

/// What an operation means to a collection.
enum Role<'a> {
    Puts(&'a Value),
    Takes(&'a Value),
    FindsNothing,
    /// It takes an element, any, or finds nothing, or never happens.
    MayTake,
}

/// `None` for an operation that collections do not have.
fn role<'a>(candidate: &Candidate<'a>) -> Option<Role<'a>> {
    match (candidate.call, candidate.reply) {
        (Call::Enqueue(value) | Call::Push(value) | Call::Insert(value), None | Some(Reply::Done)) => {
            Some(Role::Puts(value))
        }
        (Call::Dequeue | Call::Pop | Call::PopMin, None) => Some(Role::MayTake),
        (Call::Dequeue | Call::Pop | Call::PopMin, Some(Reply::Returned(Value::Null))) => Some(Role::FindsNothing),
        (Call::Dequeue | Call::Pop | Call::PopMin, Some(Reply::Returned(value))) => Some(Role::Takes(value)),
        _ => None,
    }
}

/// The element that the operation puts in.
pub(super) fn put<'a>(candidate: &Candidate<'a>) -> Option<&'a Value> {
    match role(candidate)? {
        Role::Puts(value) => Some(value),
        Role::Takes(_) | Role::FindsNothing | Role::MayTake => None,
    }
}

/// What [`Element::take`] is while nobody takes it.
pub(super) const NOBODY: u32 = u32::MAX;

/// One element. Its windows are tight: it does not enter after it must have left, nor leave before it can have entered.
#[derive(Clone, Copy, Debug)]
pub(super) struct Element {
    /// The operations, as positions among the candidates.
    pub(super) put: u32,
    pub(super) take: u32,
    pub(super) enter: Window,
    pub(super) leave: Window,
}

impl Element {
    pub(super) fn presence(&self) -> Range<u32> {
        presence(self.enter, self.leave)
    }

    fn takes(&mut self, take: u32, leave: Window) {
        self.take = take;
        self.leave = Window { first: leave.first.max(self.enter.first), last: leave.last };
        self.enter.last = self.enter.last.min(leave.last);
    }

    /// Its operations, as a conflict names them.
    pub(super) fn operations(&self) -> impl Iterator<Item = usize> + use<> {
        [self.put, self.take].into_iter().filter(|item| *item != NOBODY).map(|item| item as usize)
    }
}

/// A collection's operations by element.
///
/// An indeterminate put whose element nobody is known to take is left out. Nothing is lost: take it out of a
/// linearization, and with it the indeterminate operation that takes its element, if there is one. Each collection
/// then holds what it held, without this element; so whatever came out comes out, and what was found empty is empty.
#[derive(Clone)]
pub(super) struct Elements {
    /// In order of their puts.
    pub(super) elements: Vec<Element>,
    /// Operations that found nothing, in order of invocation.
    pub(super) empties: Vec<(u32, Window)>,
    /// Elements that are in for certain and are not known to be taken, in order of the end of their puts.
    pub(super) unclaimed: Vec<u32>,
    /// Indeterminate takes, in order of invocation.
    pub(super) takers: Vec<u32>,
    /// How many slots there are. What is never taken leaves in the slot behind the last: as if each such element were
    /// taken by an operation of its own, after everything, in whatever order.
    pub(super) slots: u32,
}

pub(super) enum Gathered {
    Elements(Elements),
    /// A take of what was never put, was taken before, or is put only later.
    Conflict(Vec<usize>),
}

/// `None` if an element is put twice, or an operation is unknown.
pub(super) fn gather(candidates: &[Candidate<'_>]) -> Option<Gathered> {
    let windows = windows(candidates)?;
    let slots = candidates.len() as u32;
    let mut ids: HashMap<&Value, u32, Hashing> = HashMap::default();
    let mut elements = Vec::new();
    let mut takes = Vec::new();
    let (mut empties, mut takers) = (Vec::new(), Vec::new());
    for (item, candidate) in candidates.iter().enumerate() {
        let (item, window) = (item as u32, windows[item]);
        match role(candidate)? {
            Role::Puts(value) => match ids.entry(value) {
                Entry::Occupied(_) => return None,
                Entry::Vacant(entry) => {
                    entry.insert(elements.len() as u32);
                    let leave = Window { first: slots, last: NEVER };
                    elements.push(Element { put: item, take: NOBODY, enter: window, leave });
                }
            },
            Role::Takes(value) => takes.push((item, value)),
            Role::FindsNothing => empties.push((item, window)),
            Role::MayTake => takers.push(item),
        }
    }
    for (item, value) in takes {
        let Some(id) = ids.get(value) else {
            return Some(Gathered::Conflict(vec![item as usize]));
        };
        let (element, window) = (&mut elements[*id as usize], windows[item as usize]);
        if element.take != NOBODY || window.last < element.enter.first {
            return Some(Gathered::Conflict(element.operations().chain([item as usize]).collect()));
        }
        element.takes(item, window);
    }
    elements.retain(|element| element.enter.last != NEVER || element.take != NOBODY);
    let nobody_takes = |id: &u32| elements[*id as usize].take == NOBODY;
    let mut unclaimed: Vec<u32> = (0..elements.len() as u32).filter(nobody_takes).collect();
    unclaimed.sort_by_key(|id| elements[*id as usize].enter.last);
    Some(Gathered::Elements(Elements { elements, empties, unclaimed, takers, slots }))
}

impl Elements {
    pub(super) fn get(&self, id: u32) -> &Element {
        &self.elements[id as usize]
    }

    /// Lets the indeterminate take number `taker` be the one that takes `id`.
    pub(super) fn assign(&mut self, id: u32, taker: u32) {
        let first = self.takers[taker as usize];
        self.elements[id as usize].takes(first, Window { first, last: NEVER });
    }

    /// As if the unclaimed elements had never gone in.
    pub(super) fn without_unclaimed(&self) -> Self {
        let claimed = self.elements.iter().filter(|element| element.take != NOBODY).copied().collect();
        Self { elements: claimed, unclaimed: Vec::new(), takers: Vec::new(), ..self.clone() }
    }

    /// The elements with their numbers and presences.
    pub(super) fn presences(&self) -> impl Iterator<Item = (u32, Range<u32>)> + '_ {
        self.elements.iter().enumerate().map(|(id, element)| (id as u32, element.presence()))
    }
}

/// For collections of which it is not known who takes what, where elements are unclaimed and indeterminate takes could take
/// them. Tries, in this order:
///
/// 1. without the unclaimed elements: if that is a conflict, it is one whoever takes them, as they only stand in the way;
/// 2. with the takes assigned in each of the ways that are given;
/// 3. with the first take taking an element that is part of a conflict without it, the second likewise, and so on.
///
/// An order that is found is right. `None` if there is no answer.
pub(super) fn decide_open(
    elements: &Elements,
    deadline: Instant,
    ways: &[&dyn Fn(&mut Elements)],
    attempt: impl Fn(&Elements) -> Option<Found>,
) -> Option<Found> {
    if let Some(Found::Conflict(items)) = attempt(&elements.without_unclaimed()) {
        return Some(Found::Conflict(items));
    }
    for assign in ways {
        let mut assigned = elements.clone();
        assign(&mut assigned);
        if let Some(Found::Order(order)) = attempt(&assigned) {
            return Some(Found::Order(order));
        }
    }
    let mut assigned = elements.clone();
    for taker in 0..=elements.takers.len() as u32 {
        let items = match attempt(&assigned)? {
            Found::Conflict(items) => items,
            order => return Some(order),
        };
        let mut left = assigned.unclaimed.iter().copied().filter(|id| assigned.get(*id).take == NOBODY);
        let guilty = left.rfind(|id| items.contains(&(assigned.get(*id).put as usize)))?;
        if taker as usize == elements.takers.len() || Instant::now() >= deadline {
            break;
        }
        assigned.assign(guilty, taker);
    }
    None
}
