//! One register's operations laid out for the lazy search, and its result turned into an order.

use std::collections::HashMap;

use sextant_histories::{Call, Reply, Value};

use super::super::super::prune::Candidate;
use super::super::columns::{Columns, Deed, INITIAL, NEVER, Op};

/// What happens next. Numbers are positions among the candidates, and of crowds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Invoke(u32),
    Return(u32),
    /// From here on one more of this crowd may take effect.
    Offer(u32),
}

impl Step {
    pub(super) fn invoked(&self) -> Option<usize> {
        match self {
            Self::Invoke(item) => Some(*item as usize),
            Self::Return(_) | Self::Offer(_) => None,
        }
    }

    pub(super) fn returned(&self) -> Option<usize> {
        match self {
            Self::Return(item) => Some(*item as usize),
            Self::Invoke(_) | Self::Offer(_) => None,
        }
    }
}

/// Indeterminate operations that do the same, in order of their calls: any can stand for any other that was called
/// before it is needed, so only their number counts, the earliest first.
#[derive(Debug)]
pub(super) struct Crowd {
    pub(super) deed: Deed,
    pub(super) members: Vec<u32>,
}

pub(super) struct Layout<'a> {
    candidates: &'a [Candidate<'a>],
    initial: &'a Value,
    pub(super) ops: &'a [Op],
    pub(super) values: usize,
    pub(super) steps: Vec<Step>,
    /// For every operation with a return, its slot. Slots are reused after the return.
    pub(super) slots: Vec<u32>,
    pub(super) width: usize,
    pub(super) crowds: Vec<Crowd>,
    /// For each value, the time after which it does not matter that it is current.
    current_until: Vec<u32>,
    /// The same if it is not current yet: pending reads matter.
    wanted_until: Vec<u32>,
}

impl<'a> Layout<'a> {
    pub(super) fn new(candidates: &'a [Candidate<'a>], columns: &'a Columns, initial: &'a Value) -> Self {
        let ops = &columns.ops[..];
        let mut layout = Self {
            candidates,
            initial,
            ops,
            values: columns.values,
            steps: Vec::new(),
            slots: vec![0; ops.len()],
            width: 0,
            crowds: Vec::new(),
            current_until: vec![0; columns.values + 1],
            wanted_until: vec![0; columns.values + 1],
        };
        layout.find_futures();
        layout.lay_out();
        layout.assign_slots();
        layout
    }

    /// What it takes, with the order that comes of it.
    pub(super) fn bytes(&self) -> usize {
        96 * self.ops.len() + 64 * self.values
    }

    /// The value that all values without a future are.
    pub(super) fn dead(&self) -> u32 {
        self.values as u32
    }

    /// What to call the current value after time `now`.
    pub(super) fn living(&self, value: u32, now: u32) -> u32 {
        if self.current_until[value as usize] < now { self.dead() } else { value }
    }

    /// What to call a value that is not current at time `now`.
    pub(super) fn wanted(&self, value: u32, now: u32) -> u32 {
        if self.wanted_until[value as usize] < now { self.dead() } else { value }
    }

    /// How to print a value: as one of the operations has it.
    pub(super) fn name(&self, value: u32) -> String {
        if value == INITIAL {
            return self.initial.to_string();
        }
        let named = self.ops.iter().zip(self.candidates).find_map(|(op, candidate)| {
            let (from, to) = (op.from() == Some(value), op.to() == Some(value));
            match (candidate.call, candidate.reply) {
                (Call::Write(value), _) if to => Some(value),
                (Call::Cas { new, .. }, _) if to => Some(new),
                (Call::Cas { old, .. }, _) if from => Some(old),
                (_, Some(Reply::Read(value))) if from => Some(value),
                _ => None,
            }
        });
        named.map_or_else(|| "another value".to_owned(), ToString::to_string)
    }

    fn find_futures(&mut self) {
        for op in self.ops {
            let (value, current, wanted) = match op.deed {
                Deed::Read(value) => (value, op.call, op.ret),
                // An indeterminate swap has no return.
                Deed::Swap(value, _) | Deed::Differ(value, _) => (value, op.ret, op.ret),
                Deed::Write(_) | Deed::Nothing => continue,
            };
            let value = value as usize;
            self.current_until[value] = self.current_until[value].max(current);
            self.wanted_until[value] = self.wanted_until[value].max(wanted);
        }
    }

    /// In order of events. A return that was proved, not recorded, comes behind the one that proves it.
    fn lay_out(&mut self) {
        let mut steps: Vec<(u32, u32, bool, Step)> = Vec::with_capacity(2 * self.ops.len());
        let mut by_deed: HashMap<Deed, u32> = HashMap::new();
        for (item, op) in self.ops.iter().enumerate() {
            let number = item as u32;
            if op.ret != NEVER {
                steps.push((op.call, number, false, Step::Invoke(number)));
                steps.push((op.ret, number, self.candidates[item].end_is_proved, Step::Return(number)));
            } else if op.deed != Deed::Nothing {
                let crowd = *by_deed.entry(op.deed).or_insert(self.crowds.len() as u32);
                if crowd as usize == self.crowds.len() {
                    self.crowds.push(Crowd { deed: op.deed, members: Vec::new() });
                }
                self.crowds[crowd as usize].members.push(number);
                steps.push((op.call, number, false, Step::Offer(crowd)));
            }
        }
        steps.sort_unstable_by_key(|(time, number, proved, _)| (*time, *proved, *number));
        self.steps = steps.into_iter().map(|(_, _, _, step)| step).collect();
    }

    fn assign_slots(&mut self) {
        let mut free: Vec<u32> = Vec::new();
        for step in &self.steps {
            match step {
                Step::Invoke(item) => {
                    self.slots[*item as usize] = free.pop().unwrap_or_else(|| {
                        self.width += 1;
                        self.width as u32 - 1
                    });
                }
                Step::Return(item) => free.push(self.slots[*item as usize]),
                Step::Offer(_) => {}
            }
        }
    }

    /// The changes with each of a crowd's by another of its members, the earliest first; or the crowds of which more were used than
    /// had been called by then.
    pub(super) fn supply(&self, mut changes: Vec<(u32, u32)>) -> Result<Vec<(u32, u32)>, Vec<usize>> {
        let mut crowd_of = HashMap::new();
        for (number, crowd) in self.crowds.iter().enumerate() {
            crowd_of.extend(crowd.members.iter().map(|member| (*member, number)));
        }
        let mut used = vec![0; self.crowds.len()];
        let mut missing = Vec::new();
        for (item, time) in &mut changes {
            let Some(crowd) = crowd_of.get(item).copied() else { continue };
            let next = self.crowds[crowd].members.get(used[crowd]).copied();
            used[crowd] += 1;
            match next.filter(|member| self.ops[*member as usize].call < *time) {
                Some(member) => *item = member,
                None => missing.push(crowd),
            }
        }
        if missing.is_empty() { Ok(changes) } else { Err(missing) }
    }

    /// The linearization that a sequence of changes stands for, with all that returned in the first `steps` steps.
    ///
    /// A change made at the return at time `t` is one of an operation called before `t` that returns at `t` or later, so the changes
    /// in their order keep time. An observer is served by the value that is current from one change, at time `t`, to
    /// the next, at time `u`, if it is called before `u` and returns at `t` or later: it may stand between the two.
    /// Observers between the same changes stand in order of their calls. A write that is no change is buried in front of the first change that is a
    /// write, is made after its call, and therefore, as the search found the write to be free, not after its return.
    pub(super) fn unfold(&self, changes: &[(u32, u32)], steps: usize) -> Vec<usize> {
        let mut is_change = vec![false; self.ops.len()];
        changes.iter().for_each(|(item, _)| is_change[*item as usize] = true);
        // Each with the number of changes before it, and observers before what is buried.
        let mut others: Vec<(u32, bool, u32, u32)> = Vec::with_capacity(self.ops.len() - changes.len());
        for item in self.steps[..steps].iter().filter_map(Step::returned) {
            let op = self.ops[item];
            if !is_change[item] {
                let buried = matches!(op.deed, Deed::Write(_));
                others.push((self.place(&op, changes), buried, op.call, item as u32));
            }
        }
        others.sort_unstable();
        let mut order = Vec::with_capacity(others.len() + changes.len());
        let mut next = others.iter().peekable();
        for place in 0..=changes.len() {
            while let Some((_, _, _, item)) = next.next_if(|(at, ..)| *at as usize == place) {
                order.push(*item as usize);
            }
            order.extend(changes.get(place).map(|(item, _)| *item as usize));
        }
        order
    }

    /// How many changes stand before the operation.
    fn place(&self, op: &Op, changes: &[(u32, u32)]) -> u32 {
        let called = changes.partition_point(|(_, time)| *time < op.call);
        let deed_of = |place: usize| self.ops[changes[place].0 as usize].deed;
        let value = |place: usize| match place.checked_sub(1).map(deed_of) {
            Some(Deed::Write(value) | Deed::Swap(_, value)) => value,
            _ => INITIAL,
        };
        let fits = |place: &usize| match op.deed {
            Deed::Read(wanted) => value(*place) == wanted,
            Deed::Differ(unwanted, _) => value(*place) != unwanted,
            Deed::Write(_) => *place < changes.len() && matches!(deed_of(*place), Deed::Write(_)),
            Deed::Swap(..) | Deed::Nothing => true,
        };
        (called..=changes.len()).find(fits).unwrap_or(called) as u32
    }
}
