//! Which weakened operations can matter to a set of members; the others are left out of the check.
//!
//! Write `H` for the members, `m` of them, with all others weakened. Each rule takes a linearization of `H` and changes it
//! into one that uses only what is kept; the other direction is plain, for a weakened operation need not happen.
//!
//! *Registers.* Call a value *needed* if a member starts from it (a read that returned it, a cas from it that swapped or
//! is indeterminate), or a kept weakened cas does. A weakened operation is kept if it installs a needed value. Take a
//! linearization, and a weakened operation in it that installs a value `v` that is not needed. No member and no kept
//! operation starts from `v`; only a cas that differed can tell that `v` is there. Without a member that differed, the
//! operation goes out, and with it all that is not kept: the state is then possibly another where it was `v`, which
//! nobody asks for. With such a member, a value that is not needed and from which no member differed is as good as any
//! other such value: they are all written as one *filler*. *How many*: between two members, a sequence of weakened
//! operations that comes back to a state can be cut there, so it uses each operation at most once: `m + 1` of those that
//! ask for the same suffice.
//!
//! *Queues, stacks, priority queues.* A weakened put of `v` is kept if a member returned `v`, and no more of them than such
//! members; a weakened take is kept, and no more of them than members that put. Take a linearization and leave
//! out each element that a weakened operation put and no member took, with its put and, if a weakened operation took it,
//! its take: what is first, last or least of the others stays so, and what was empty is empty. What remains of weakened
//! puts is taken by members, and each weakened take takes what a member put, or nothing and can be left out.
//!
//! *Sets.* Elements do not see each other, so weakened operations on elements that no member names or lists are out. On
//! one element there are two states, so the bound of registers holds. *Mutexes* have two states too.
//!
//! *Several registers*: a weakened transaction is kept if it writes what a member read under that key. Take out of a
//! linearization one that does not: between it and the next write to a key nobody reads that key, as he would have
//! read what it wrote.
//!
//! *Strings and lists that are appended to*, if what is put in can be told apart: a weakened operation is kept if a member's read
//! shows it. Take out of a linearization one that no member shows: nothing is read between it and the next write, so
//! nobody misses it.
//!
//! *Any other model*: all are kept.

use std::collections::{HashMap, HashSet};

use sextant_histories::{Call, Key, MicroKind, Operation, Outcome, Reply, Value};

use super::weaken;
use crate::linearizability::model::Family;
use crate::linearizability::register::appends::Pieces;

/// An index of one key's operations. It is only looked up in, never walked, so its order does not matter.
pub(super) struct Shade<'a> {
    family: Family,
    /// Positions of operations by the value that they install, put, or name.
    by_value: HashMap<&'a Value, Vec<usize>>,
    /// Positions of what takes an element without naming it.
    takes: Vec<usize>,
    /// Positions of operations by call, for models without a rule.
    by_call: HashMap<&'a Call, Vec<usize>>,
    /// Of strings and lists, what can be told apart in what is read.
    pieces: Option<Pieces<'a>>,
}

impl<'a> Shade<'a> {
    pub(super) fn new(operations: &[(usize, &'a Operation)], family: &Family) -> Self {
        let calls = operations.iter().enumerate().map(|(position, (_, operation))| (position as u32, &operation.call));
        let mut shade = Self {
            pieces: Pieces::new(family, calls),
            family: family.clone(),
            by_value: HashMap::new(),
            takes: Vec::new(),
            by_call: HashMap::new(),
        };
        for (position, (_, operation)) in operations.iter().enumerate() {
            if has_no_values(family) {
                shade.by_call.entry(&operation.call).or_default().push(position);
            } else if let Some(value) = names(&operation.call) {
                shade.by_value.entry(value).or_default().push(position);
            } else if takes(&operation.call) {
                shade.takes.push(position);
            }
        }
        shade
    }

    /// Positions of all that would install, put, or name `value`, ascending.
    pub(super) fn by_value(&self, value: &Value) -> &[usize] {
        self.by_value.get(value).map_or(&[], Vec::as_slice)
    }

    /// All that ask for the same as `position`.
    pub(super) fn alike(&self, position: usize, operations: &[(usize, &'a Operation)]) -> Vec<usize> {
        let call = &operations[position].1.call;
        let same = |others: &Vec<usize>| {
            others.iter().copied().filter(|other| operations[*other].1.call == *call).collect::<Vec<usize>>()
        };
        let others = match names(call) {
            _ if has_no_values(&self.family) => self.by_call.get(call),
            Some(value) => self.by_value.get(value),
            None => Some(&self.takes),
        };
        others.map_or_else(|| vec![position], same)
    }

    /// The weakened operations that can matter to `members`, with their numbers.
    pub(super) fn cast(&self, operations: &[(usize, &Operation)], members: &[usize]) -> Vec<(usize, Operation)> {
        let own: Vec<&Operation> = members.iter().map(|position| operations[*position].1).collect();
        let own: Vec<&Operation> = own.into_iter().filter(|operation| operation.outcome != Outcome::Fail).collect();
        let kept = Kept { operations, members, counts: HashMap::new(), cast: Vec::new() };
        match self.family {
            Family::General | Family::Counter { .. } => self.everything(kept, usize::MAX),
            Family::Registers => Self::registers(kept, &own),
            Family::Text { .. } | Family::List => self.shown(kept, &own),
            Family::Mutex => self.everything(kept, own.len() + 1),
            Family::Register { .. } => self.register(kept, &own),
            Family::Set => self.set(kept, &own),
            Family::Queue | Family::Stack | Family::PriorityQueue => self.collection(kept, &own),
        }
    }

    fn everything(&self, mut kept: Kept<'_>, most: usize) -> Vec<(usize, Operation)> {
        (0..kept.operations.len()).for_each(|position| {
            kept.keep(position, most);
        });
        kept.cast
    }

    fn registers(mut kept: Kept<'_>, own: &[&Operation]) -> Vec<(usize, Operation)> {
        let replies = own.iter().filter_map(|operation| match operation.reply() {
            Some(Reply::Txn(steps)) => Some(steps),
            _ => None,
        });
        let reads = replies.flat_map(|steps| steps.iter()).filter(|step| step.kind == MicroKind::Read);
        let read: HashSet<(&Key, &Value)> = reads.map(|step| (&step.key, &step.value)).collect();
        for position in 0..kept.operations.len() {
            if let Call::Txn(steps) = &kept.operations[position].1.call
                && steps.iter().any(|step| step.kind == MicroKind::Write && read.contains(&(&step.key, &step.value)))
            {
                kept.keep(position, usize::MAX);
            }
        }
        kept.cast
    }

    fn shown(&self, mut kept: Kept<'_>, own: &[&Operation]) -> Vec<(usize, Operation)> {
        let Some(pieces) = &self.pieces else {
            return self.everything(kept, usize::MAX);
        };
        let reads = own.iter().filter_map(|operation| match operation.reply() {
            Some(Reply::Read(read)) => Some(read),
            _ => None,
        });
        let mut shown: Vec<u32> = reads.filter_map(|read| pieces.shown(read)).flatten().collect();
        shown.sort_unstable();
        shown.dedup();
        shown.into_iter().for_each(|position| {
            kept.keep(position as usize, usize::MAX);
        });
        kept.cast
    }

    fn register(&self, mut kept: Kept<'_>, own: &[&Operation]) -> Vec<(usize, Operation)> {
        let most = own.len() + 1;
        let mut needed: Vec<&Value> = Vec::new();
        let mut differed: Vec<&Value> = Vec::new();
        for operation in own {
            match (&operation.call, operation.reply()) {
                (Call::Read, Some(Reply::Read(value))) => needed.push(value),
                (Call::Cas { old, .. }, Some(Reply::Differed)) => differed.push(old),
                (Call::Cas { old, .. }, _) => needed.push(old),
                _ => {}
            }
        }
        // A member that differed from one value can be due to another that a member differed from.
        needed.extend(&differed);
        needed.sort_unstable();
        needed.dedup();
        let mut seen: HashSet<&Value> = needed.iter().copied().collect();
        while let Some(value) = needed.pop() {
            for position in self.by_value.get(value).into_iter().flatten() {
                if kept.keep(*position, most)
                    && let Call::Cas { old, .. } = &kept.operations[*position].1.call
                    && seen.insert(old)
                {
                    needed.push(old);
                }
            }
        }
        if !differed.is_empty() && !fill(&mut kept, &seen, most) {
            // Too few writes to fill in: a cas to any other value may have to.
            kept.cast.clear();
            kept.counts.clear();
            (0..kept.operations.len()).for_each(|position| {
                kept.keep(position, most);
            });
        }
        kept.cast
    }

    fn set(&self, mut kept: Kept<'_>, own: &[&Operation]) -> Vec<(usize, Operation)> {
        let mut named: Vec<&Value> = own.iter().filter_map(|operation| names(&operation.call)).collect();
        named.extend(own.iter().flat_map(|operation| listed(operation)));
        named.sort_unstable();
        named.dedup();
        for position in named.iter().filter_map(|value| self.by_value.get(*value)).flatten() {
            kept.keep(*position, own.len() + 1);
        }
        kept.cast
    }

    fn collection(&self, mut kept: Kept<'_>, own: &[&Operation]) -> Vec<(usize, Operation)> {
        let mut returned: Vec<&Value> = own.iter().filter_map(|operation| returned(operation)).collect();
        returned.sort_unstable();
        for same in returned.chunk_by(|one, other| one == other) {
            for position in self.by_value.get(same[0]).into_iter().flatten() {
                kept.keep(*position, same.len());
            }
        }
        let puts = own.iter().filter(|operation| names(&operation.call).is_some()).count();
        for position in &self.takes {
            kept.keep(*position, puts);
        }
        kept.cast
    }
}

/// Keeps weakened writes of values that are not needed, all as writes of the first such value. If there are fewer than
/// `most`, none, and the answer is no.
fn fill(kept: &mut Kept<'_>, needed: &HashSet<&Value>, most: usize) -> bool {
    let before = kept.cast.len();
    let mut filler: Option<&Call> = None;
    for (position, (_, operation)) in kept.operations.iter().enumerate() {
        if let Call::Write(value) = &operation.call
            && !needed.contains(value)
            && kept.is_weak(position)
        {
            let filler = filler.get_or_insert(&operation.call);
            kept.put(position, filler.clone());
        }
        if kept.cast.len() == before + most {
            return true;
        }
    }
    kept.cast.truncate(before);
    false
}

struct Kept<'b> {
    operations: &'b [(usize, &'b Operation)],
    members: &'b [usize],
    counts: HashMap<&'b Call, usize>,
    cast: Vec<(usize, Operation)>,
}

impl<'b> Kept<'b> {
    fn is_weak(&self, position: usize) -> bool {
        self.members.binary_search(&position).is_err()
    }

    /// Keeps a weakened operation unless `most` that ask for the same are kept. Whether it did.
    fn keep(&mut self, position: usize, most: usize) -> bool {
        if !self.is_weak(position) {
            return false;
        }
        let call: &'b Call = &self.operations[position].1.call;
        let count = self.counts.entry(call).or_default();
        if *count >= most {
            return false;
        }
        *count += 1;
        self.put(position, call.clone());
        true
    }

    fn put(&mut self, position: usize, call: Call) {
        let (number, operation) = self.operations[position];
        self.cast.push((number, Operation { call, ..weaken(operation) }));
    }
}

fn has_no_values(family: &Family) -> bool {
    matches!(
        family,
        Family::General
            | Family::Counter { .. }
            | Family::Mutex
            | Family::Registers
            | Family::Text { .. }
            | Family::List
    )
}

/// The elements that a read of a whole set lists.
fn listed(operation: &Operation) -> &[Value] {
    match operation.reply() {
        Some(Reply::Read(Value::List(elements))) => elements,
        _ => &[],
    }
}

/// The value that an operation installs, puts in, or asks about.
fn names(call: &Call) -> Option<&Value> {
    match call {
        Call::Write(value)
        | Call::Cas { new: value, .. }
        | Call::Add(value)
        | Call::Remove(value)
        | Call::Contains(value)
        | Call::Enqueue(value)
        | Call::Push(value)
        | Call::Insert(value) => Some(value),
        _ => None,
    }
}

fn takes(call: &Call) -> bool {
    matches!(call, Call::Dequeue | Call::Pop | Call::PopMin)
}

/// The element that an operation took out, if it said so.
fn returned(operation: &Operation) -> Option<&Value> {
    match operation.reply() {
        Some(Reply::Returned(value)) if takes(&operation.call) && *value != Value::Null => Some(value),
        _ => None,
    }
}
