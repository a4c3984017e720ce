//! Sets from which nothing is removed, with whole reads.
//!
//! Such a set only grows, so what the reads returned must be a chain by inclusion, which gives them levels, from the
//! smallest up. An element's level is that of the first read that has it, or, if none has, one beyond the last; an element
//! that is indeterminate and never seen never went in. So in every linearization
//!
//! * the add of an element comes before the reads of its level, and after those of the level below;
//! * what misses an element comes before its add, and what sees it after.
//!
//! And every sequence in which this holds answers all operations as they were answered. This is a partial order; a partial order
//! and real time agree on a total one iff no operation has to come before one that returned before it was invoked. To find
//! out, and to build it, give each operation the earliest slot it can have: the greatest first slot of itself and of
//! everything before it. If each is within its window, sort by slot, and within slots by the partial order.

use std::collections::HashMap;

use sextant_histories::Value;

use super::set::{Role, is_certain};
use super::slots::Window;
use crate::linearizability::bits::Hashing;
use crate::linearizability::search::Found;

/// An element and what has to do with it.
struct Element {
    /// Every add but those that said that the element was there.
    add: u32,
    level: u32,
    /// When it can go in, and the operation that says so.
    enters: (u32, u32),
}

/// `None` if something may be removed, or an element is added twice.
pub(super) fn decide(roles: &[Role<'_>], windows: &[Window]) -> Option<Found> {
    let mut ids: HashMap<&Value, u32, Hashing> = HashMap::default();
    let mut elements: Vec<Element> = Vec::new();
    let mut reads: Vec<(u32, &[Value])> = Vec::new();
    for (item, role) in roles.iter().enumerate() {
        let item = item as u32;
        match role {
            Role::Removes(..) => return None,
            Role::Lists(list) => reads.push((item, list)),
            Role::Adds(value) => {
                if ids.insert(value, elements.len() as u32).is_some() {
                    return None;
                }
                elements.push(Element { add: item, level: u32::MAX, enters: (windows[item as usize].first, item) });
            }
            Role::Sees(_) | Role::Misses(_) | Role::Nothing => {}
        }
    }
    let levels = match levels(&mut reads, &ids, &mut elements) {
        Ok(levels) => levels,
        Err(conflict) => return Some(Found::Conflict(conflict)),
    };
    let mut grown = Growth { windows, elements, levels, steps: Vec::with_capacity(roles.len()) };
    Some(match grown.place(roles, &ids) {
        Ok(()) => Found::Order(grown.order()),
        Err(conflict) => Found::Conflict(conflict),
    })
}

/// The reads by level, and every element's level. The error is a conflict.
fn levels(
    reads: &mut [(u32, &[Value])],
    ids: &HashMap<&Value, u32, Hashing>,
    elements: &mut [Element],
) -> Result<Vec<Vec<u32>>, Vec<usize>> {
    reads.sort_by_key(|(_, list)| list.len());
    let mut levels: Vec<Vec<u32>> = Vec::new();
    let mut seen_in = vec![u32::MAX; elements.len()];
    let mut below = 0;
    for (number, (read, list)) in reads.iter().enumerate() {
        let mut known = 0;
        let is_new_level = number == 0 || list.len() > below;
        let level = levels.len() as u32 - u32::from(!is_new_level);
        for value in *list {
            let id = *ids.get(value).ok_or_else(|| vec![*read as usize])? as usize;
            if seen_in[id] == number as u32 {
                return Err(vec![*read as usize]);
            }
            seen_in[id] = number as u32;
            if elements[id].level == u32::MAX {
                elements[id].level = level;
            } else {
                known += 1;
            }
        }
        if known < below {
            return Err(vec![reads[number - 1].0 as usize, *read as usize]);
        }
        if is_new_level {
            levels.push(Vec::new());
            below = list.len();
        }
        if let Some(level) = levels.last_mut() {
            level.push(*read);
        }
    }
    let beyond = levels.len() as u32;
    elements.iter_mut().for_each(|element| element.level = element.level.min(beyond));
    Ok(levels)
}

/// Within a slot, four phases a level.
const PHASES: u32 = 4;
const MISS: u32 = 0;
const ADD: u32 = 1;
const SEE: u32 = 2;
const READ: u32 = 3;

struct Growth<'a> {
    windows: &'a [Window],
    elements: Vec<Element>,
    levels: Vec<Vec<u32>>,
    /// Slot, phase, operation.
    steps: Vec<(u32, u32, u32)>,
}

impl Growth<'_> {
    /// The error is a conflict.
    fn place(&mut self, roles: &[Role<'_>], ids: &HashMap<&Value, u32, Hashing>) -> Result<(), Vec<usize>> {
        let mut seen = vec![false; self.elements.len()];
        for (item, role) in roles.iter().enumerate() {
            let (first, item) = (self.windows[item].first, item as u32);
            match role {
                Role::Sees(value) => match ids.get(value) {
                    Some(id) => seen[*id as usize] = true,
                    None => return Err(vec![item as usize]),
                },
                Role::Misses(value) => {
                    let level = ids.get(value).map_or(0, |id| {
                        let element = &mut self.elements[*id as usize];
                        element.enters = element.enters.max((first, item));
                        element.level
                    });
                    self.steps.push((first, PHASES * level + MISS, item));
                }
                _ => {}
            }
        }
        let beyond = self.levels.len() as u32;
        let mut by_level: Vec<Vec<u32>> = vec![Vec::new(); self.levels.len() + 1];
        for (id, element) in self.elements.iter().enumerate() {
            if element.level < beyond || seen[id] || is_certain(self.windows[element.add as usize]) {
                by_level[element.level as usize].push(id as u32);
            }
        }
        self.climb(&by_level)?;
        for (item, role) in roles.iter().enumerate() {
            if let Role::Sees(value) = role {
                let element = &self.elements[ids[value] as usize];
                let (add, level, enters) = (element.add, element.level, element.enters);
                self.put(item as u32, level, SEE, enters, &[add])?;
            }
        }
        Ok(())
    }

    /// Adds and reads, level by level.
    fn climb(&mut self, by_level: &[Vec<u32>]) -> Result<(), Vec<usize>> {
        // The latest first slot of what comes before, and whose it is; of the same level's reads, and of all.
        let mut before = (0, None);
        for (level, ids) in by_level.iter().enumerate() {
            let mut entered = before;
            for id in ids {
                let element = &self.elements[*id as usize];
                let (add, own) = (element.add, element.enters);
                let enters = before.1.map_or(own, |item| own.max((before.0, item)));
                self.elements[*id as usize].enters = enters;
                // What comes from below is there because a read of the level below does not have this element.
                self.put(add, level as u32, ADD, enters, &[])?;
                entered = entered.max((enters.0, Some(enters.1)));
            }
            before = entered;
            for read in self.levels.get(level).cloned().unwrap_or_default() {
                let reason = entered.1.map_or((0, read), |item| (entered.0, item));
                self.put(read, level as u32, READ, reason, &[])?;
                before = before.max((self.windows[read as usize].first, Some(read)));
            }
        }
        Ok(())
    }

    /// An operation that comes after `reason`. The error is a conflict.
    fn put(
        &mut self,
        item: u32,
        level: u32,
        phase: u32,
        reason: (u32, u32),
        witnesses: &[u32],
    ) -> Result<(), Vec<usize>> {
        let window = self.windows[item as usize];
        let slot = window.first.max(reason.0);
        if slot > window.last {
            return Err(self.conflict(item, level, reason.1, witnesses));
        }
        self.steps.push((slot, PHASES * level + phase, item));
        Ok(())
    }

    /// `reason` must come before `item`, and was invoked after it had returned: with what proves the former.
    fn conflict(&self, item: u32, level: u32, reason: u32, witnesses: &[u32]) -> Vec<usize> {
        let mut items = vec![item, reason];
        items.extend(witnesses);
        // If it belongs to a lower level, one read of that level lies between.
        let lower = self.levels.iter().take(level as usize).enumerate();
        let phase_of = |item: u32| self.steps.iter().find(|(_, _, other)| *other == item).map(|(_, phase, _)| *phase);
        if let Some(phase) = phase_of(reason) {
            let own = phase / PHASES;
            items.extend(lower.filter(|(number, _)| *number as u32 == own).filter_map(|(_, reads)| reads.first()));
            if phase % PHASES == MISS {
                let of_level = self.elements.iter().filter(|element| element.level == own);
                items.extend(of_level.filter(|element| element.enters.1 == reason).map(|element| element.add));
            }
        }
        items.sort_unstable();
        items.dedup();
        items.into_iter().map(|item| item as usize).collect()
    }

    fn order(mut self) -> Vec<usize> {
        self.steps.sort_unstable();
        self.steps.into_iter().map(|(_, _, item)| item as usize).collect()
    }
}
