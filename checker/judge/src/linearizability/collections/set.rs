//! Sets. Without whole reads a set is as many independent objects as it has elements, and each is judged by itself
//! (locality: Herlihy and Wing 1990): one that is added and removed at most once in linear time, another by the general
//! search, whose states are then only "in" and "out". With whole reads the elements depend on each other; sets from
//! which nothing is removed are judged in O(n log n) plus the length of what the reads returned (`grow`), others not here.
//!
//! # One element, added and removed at most once
//!
//! Its other operations *see it* (`contains -> true`, `add -> false`), or *miss it* (`contains -> false`, `remove -> false`).
//! Slots and windows as in `queue`. If nothing sees it and no removal says that it took it out, an indeterminate add never
//! happened: without it, everything is missed. Else the element comes in some slot `a`, in which the add takes effect, and
//! stays for good, or goes in some slot `r`.
//!
//! *It stays.* Then `a` is at most the last slot of the add and of what sees it, and at least the first slot of what misses it,
//! a removal that happened and did nothing included. A late `a` hinders nothing that misses it: take the latest.
//!
//! *It goes.* Everything that sees it lies between `a` and `r`. So `a` is at most the least last slot, call it `A`, and `r` at least
//! the greatest first slot, `R`, of the add, the removal and what sees it. If `A <= R`, then `a = A`, `r = R`
//! leaves the most room for what misses it, which takes effect by `a` or from `r` on. If `A > R`, the element can come and
//! go in slot `R`, and nothing that misses it is in the way, before or after it within the slot.
//!
//! A removal that did not say whether it took the element out may have come before it: both ways are tried.

use std::collections::HashMap;

use sextant_histories::{Call, Reply, Value};

use super::grow;
use super::slots::{NEVER, Window, windows};
use crate::linearizability::automaton::Automaton;
use crate::linearizability::bits::Hashing;
use crate::linearizability::models::Set;
use crate::linearizability::plan::Plan;
use crate::linearizability::prune::Candidate;
use crate::linearizability::search::{Budget, Cancelled, Found, search};

/// What an operation means to a set.
#[derive(Clone, Copy)]
pub(super) enum Role<'a> {
    Adds(&'a Value),
    /// Whether it says that it took the element out, if it says anything.
    Removes(&'a Value, bool),
    Sees(&'a Value),
    Misses(&'a Value),
    Lists(&'a [Value]),
    /// Indeterminate, and without effect.
    Nothing,
}

/// `None` for an operation that sets do not have, or a reply that they never give.
pub(super) fn role<'a>(candidate: &Candidate<'a>) -> Option<Role<'a>> {
    let said = match candidate.reply {
        None | Some(Reply::Done) => None,
        Some(Reply::Returned(Value::Bool(said))) => Some(*said),
        Some(Reply::Read(Value::List(list))) if *candidate.call == Call::Read => return Some(Role::Lists(list)),
        Some(_) => return None,
    };
    match (candidate.call, said) {
        (Call::Add(element), None | Some(true)) => Some(Role::Adds(element)),
        (Call::Remove(element), None | Some(true)) => Some(Role::Removes(element, said.is_some())),
        (Call::Add(element), Some(false)) | (Call::Contains(element), Some(true)) => Some(Role::Sees(element)),
        (Call::Remove(element) | Call::Contains(element), Some(false)) => Some(Role::Misses(element)),
        (Call::Contains(_) | Call::Read, None) => Some(Role::Nothing),
        _ => None,
    }
}

pub(super) fn decide(candidates: &[Candidate<'_>], budget: Budget, cancelled: Cancelled<'_>) -> Option<Found> {
    let roles: Vec<Role> = candidates.iter().map(role).collect::<Option<_>>()?;
    let windows = windows(candidates)?;
    if roles.iter().any(|role| matches!(role, Role::Lists(_))) {
        return grow::decide(&roles, &windows);
    }
    let mut steps = Steps::with_capacity(candidates.len());
    for (number, members) in by_element(&roles).iter().enumerate() {
        let found = match Element::new(members, &roles, &windows) {
            Some(element) => element.place(candidates),
            None => search_alone(candidates, members, &windows, budget, cancelled),
        };
        match found {
            Ok(placed) => steps.extend(placed.into_iter().map(|(slot, rank, item)| (slot, number as u32, rank, item))),
            Err(found) => return Some(found),
        }
    }
    steps.sort_unstable();
    Some(Found::Order(steps.into_iter().map(|(_, _, _, item)| item as usize).collect()))
}

/// Slot, element, rank within both, operation.
type Steps = Vec<(u32, u32, u32, u32)>;

/// Slot, rank within it, operation.
type Placed = Vec<(u32, u32, u32)>;

/// The operations of each element, in order of invocation.
fn by_element(roles: &[Role<'_>]) -> Vec<Vec<u32>> {
    let mut ids: HashMap<&Value, usize, Hashing> = HashMap::default();
    let mut elements: Vec<Vec<u32>> = Vec::new();
    for (item, role) in roles.iter().enumerate() {
        if let Role::Adds(value) | Role::Removes(value, _) | Role::Sees(value) | Role::Misses(value) = role {
            let id = *ids.entry(value).or_insert_with(|| {
                elements.push(Vec::new());
                elements.len() - 1
            });
            elements[id].push(item as u32);
        }
    }
    elements
}

/// The general search on the operations of one element.
fn search_alone(
    candidates: &[Candidate<'_>],
    members: &[u32],
    windows: &[Window],
    budget: Budget,
    cancelled: Cancelled<'_>,
) -> Result<Placed, Found> {
    let alone: Vec<Candidate<'_>> = members.iter().map(|item| candidates[*item as usize]).collect();
    let mut automaton = Automaton::new(&Set);
    let plan = Plan::new(&alone, &Set, &mut automaton);
    match search(&plan, &mut automaton, budget, cancelled) {
        Found::Order(order) => {
            let mut slot = 0;
            let place = |(rank, position): (usize, usize)| {
                slot = windows[members[position] as usize].first.max(slot);
                (slot, rank as u32, members[position])
            };
            Ok(order.into_iter().enumerate().map(place).collect())
        }
        Found::Violation(_) | Found::Conflict(_) => {
            Err(Found::Conflict(members.iter().map(|item| *item as usize).collect()))
        }
        stopped @ Found::Stopped(..) => Err(stopped),
    }
}

/// An operation and its window.
type Item = (u32, Window);

/// One element's operations, with at most one that adds it and one that may remove it.
#[derive(Default)]
struct Element {
    add: Option<Item>,
    removal: Option<Item>,
    removal_says_so: bool,
    sees: Vec<Item>,
    misses: Vec<Item>,
}

impl Element {
    /// `None` if there are more.
    fn new(members: &[u32], roles: &[Role<'_>], windows: &[Window]) -> Option<Self> {
        let mut element = Self::default();
        for item in members {
            let operation = (*item, windows[*item as usize]);
            match roles[*item as usize] {
                Role::Adds(_) if element.add.is_none() => element.add = Some(operation),
                Role::Removes(_, says_so) if element.removal.is_none() => {
                    element.removal = Some(operation);
                    element.removal_says_so = says_so;
                }
                Role::Sees(_) => element.sees.push(operation),
                Role::Misses(_) => element.misses.push(operation),
                _ => return None,
            }
        }
        Some(element)
    }

    fn place(mut self, candidates: &[Candidate<'_>]) -> Result<Placed, Found> {
        let witness = self.sees.first().or(self.removal.as_ref().filter(|_| self.removal_says_so)).copied();
        let known = |(item, _): &Item| candidates[*item as usize].reply.is_some();
        let add = self.add.filter(|add| known(add) || witness.is_some());
        let idle = self.removal.filter(|removal| known(removal) && !self.removal_says_so);
        let Some(add) = add else {
            return match witness {
                Some((item, _)) => Err(Found::Conflict(vec![item as usize])),
                None => Ok(self.misses.iter().chain(&idle).map(|(item, window)| (window.first, 0, *item)).collect()),
            };
        };
        let mut conflict = Vec::new();
        if let Some(removal) = self.removal {
            match self.goes(add, removal) {
                Ok(placed) => return Ok(placed),
                Err(items) => conflict.extend(items),
            }
        }
        if !self.removal_says_so {
            self.misses.extend(idle);
            match self.stays(add) {
                Ok(placed) => return Ok(placed),
                Err(items) => conflict.extend(items),
            }
        }
        conflict.extend(self.removal.map(|(item, _)| item));
        conflict.sort_unstable();
        conflict.dedup();
        Err(Found::Conflict(conflict.into_iter().map(|item| item as usize).collect()))
    }

    /// The error is a conflict.
    fn stays(&self, add: Item) -> Result<Placed, Vec<u32>> {
        let ends = self.sees.iter().chain([&add]);
        let end = *ends.min_by_key(|(_, window)| window.last).unwrap_or(&add);
        let too_late = |(_, window): &&Item| window.first > end.1.last;
        if let Some(late) = [add].iter().chain(&self.misses).find(too_late) {
            return Err(vec![add.0, end.0, late.0]);
        }
        // Of an add that need not end, and that nothing waits for, the latest slot is that of what misses it last.
        let latest = self.misses.iter().map(|(_, window)| window.first).fold(add.1.first, u32::max);
        let slot = end.1.last.min(latest);
        let before = self.misses.iter().map(|(item, window)| (window.first, 0, *item));
        let after = self.sees.iter().map(|(item, window)| (window.first.max(slot), 2, *item));
        Ok(before.chain([(slot, 1, add.0)]).chain(after).collect())
    }

    /// The error is a conflict.
    fn goes(&self, add: Item, removal: Item) -> Result<Placed, Vec<u32>> {
        let both = [add, removal];
        let inside = || both.iter().chain(&self.sees);
        let end = *inside().min_by_key(|(_, window)| window.last).unwrap_or(&add);
        let start = *inside().max_by_key(|(_, window)| window.first).unwrap_or(&add);
        if end.1.last < add.1.first || removal.1.last < start.1.first {
            return Err(vec![add.0, end.0, removal.0, start.0]);
        }
        let leaves = start.1.first;
        let enters = end.1.last.min(leaves);
        let squeezed = leaves <= end.1.last;
        let caught = |(_, window): &&Item| !squeezed && window.first > enters && window.last < leaves;
        if let Some(caught) = self.misses.iter().find(caught) {
            return Err(vec![add.0, end.0, removal.0, start.0, caught.0]);
        }
        let sees = self.sees.iter().map(|(item, window)| (window.first.max(enters), 2, *item));
        let misses = self.misses.iter().map(|(item, window)| {
            let before = window.first <= enters;
            (if before { window.first } else { window.first.max(leaves) }, if before { 0 } else { 4 }, *item)
        });
        let placed = [(enters, 1, add.0), (leaves, 3, removal.0)];
        Ok(placed.into_iter().chain(sees).chain(misses).collect())
    }
}

/// Whether the operation has to happen.
pub(super) fn is_certain(window: Window) -> bool {
    window.last != NEVER
}
