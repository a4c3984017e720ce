//! One register's operations in columns: values and event numbers as 32-bit integers.

use std::collections::HashMap;

use sextant_histories::{Call, Reply, Value};

use super::super::bits::Hashing;
use super::super::prune::Candidate;

/// What an operation does. Values are numbers; the initial one is [`INITIAL`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Deed {
    Read(u32),
    Write(u32),
    /// From one value to another one.
    Swap(u32, u32),
    /// It found another value than the first, and so did not install the second.
    Differ(u32, u32),
    /// It neither changes anything nor claims anything.
    Nothing,
}

/// An operation. Times are event numbers plus one: what is there from the outset has time 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Op {
    pub(super) deed: Deed,
    /// Whether it took effect for certain; otherwise it may have, at any time after its call.
    pub(super) known: bool,
    pub(super) call: u32,
    pub(super) ret: u32,
}

pub(super) const INITIAL: u32 = 0;

/// The return of what has none.
pub(super) const NEVER: u32 = u32::MAX;

impl Op {
    /// The value that it needs to find.
    pub(super) fn from(&self) -> Option<u32> {
        match self.deed {
            Deed::Read(value) | Deed::Swap(value, _) => Some(value),
            Deed::Write(_) | Deed::Differ(..) | Deed::Nothing => None,
        }
    }

    /// The value that it leaves, if it changes anything.
    pub(super) fn to(&self) -> Option<u32> {
        match self.deed {
            Deed::Write(value) | Deed::Swap(_, value) => Some(value),
            Deed::Read(_) | Deed::Differ(..) | Deed::Nothing => None,
        }
    }
}

/// As many as candidates, and in their order.
#[derive(Debug)]
pub(super) struct Columns {
    pub(super) ops: Vec<Op>,
    pub(super) values: usize,
}

impl Columns {
    /// `None` where a call is not a register's, or there are too many events to number.
    pub(super) fn new(candidates: &[Candidate<'_>], initial: &Value) -> Option<Self> {
        let mut names = Names::new(candidates, initial);
        let mut ops = Vec::with_capacity(candidates.len());
        for candidate in candidates {
            ops.push(Op {
                deed: deed(candidate, &mut names)?,
                known: candidate.reply.is_some(),
                call: time(candidate.invoked)?,
                ret: candidate.deadline.map_or(Some(NEVER), time)?,
            });
        }
        Some(Self { ops, values: names.count as usize })
    }
}

impl Columns {
    /// The same operations to somebody who does not tell values other than `value` apart.
    pub(super) fn blurred(&self, value: u32) -> Self {
        let own = u32::from(value != INITIAL);
        let of = |other: u32| if other == value { own } else { 1 - own };
        let blur = |op: &Op| {
            let deed = match op.deed {
                Deed::Read(seen) => Deed::Read(of(seen)),
                Deed::Write(written) => Deed::Write(of(written)),
                // It found, and left, some other value.
                Deed::Swap(from, to) if of(from) == of(to) => {
                    if op.known {
                        Deed::Read(of(from))
                    } else {
                        Deed::Nothing
                    }
                }
                Deed::Swap(from, to) => Deed::Swap(of(from), of(to)),
                // If it is not the value, it is another one.
                Deed::Differ(from, _) if from == value => Deed::Read(1 - own),
                Deed::Differ(..) | Deed::Nothing => Deed::Nothing,
            };
            Op { deed, ..*op }
        };
        Self { ops: self.ops.iter().map(blur).collect(), values: 2 }
    }
}

/// Of the event `index`; none if it is out of reach, and never [`NEVER`].
pub(super) fn time(index: usize) -> Option<u32> {
    u32::try_from(index).ok()?.checked_add(1).filter(|time| *time < NEVER)
}

fn deed<'a>(candidate: &Candidate<'a>, names: &mut Names<'a>) -> Option<Deed> {
    Some(match (candidate.call, candidate.reply) {
        (Call::Read, Some(Reply::Read(value))) => Deed::Read(names.number(value)),
        (Call::Write(value), None | Some(Reply::Written)) => Deed::Write(names.number(value)),
        (Call::Cas { old, new }, Some(Reply::Swapped)) if old == new => Deed::Read(names.number(old)),
        (Call::Cas { old, new }, None) if old == new => Deed::Nothing,
        (Call::Cas { old, new }, None | Some(Reply::Swapped)) => Deed::Swap(names.number(old), names.number(new)),
        (Call::Cas { old, new }, Some(Reply::Differed)) => Deed::Differ(names.number(old), names.number(new)),
        (Call::Read, None) => Deed::Nothing,
        _ => return None,
    })
}

/// Numbers for values, from 0 as they come. Small integers, which is what most histories have, take a table; anything
/// else a map.
struct Names<'a> {
    /// One more than the number; 0 where there is none yet, so that pages that nobody uses cost nothing.
    table: Vec<u32>,
    others: HashMap<&'a Value, u32, Hashing>,
    count: u32,
}

impl<'a> Names<'a> {
    fn new(candidates: &[Candidate<'a>], initial: &'a Value) -> Self {
        let mut names = Self { table: vec![0; 4 * candidates.len() + 64], others: HashMap::default(), count: 0 };
        names.number(initial);
        names
    }

    fn number(&mut self, value: &'a Value) -> u32 {
        let place = match value {
            Value::Int(value) => usize::try_from(*value).ok(),
            _ => None,
        };
        let name = match place.and_then(|place| self.table.get_mut(place)) {
            Some(name) => name,
            None => self.others.entry(value).or_insert(0),
        };
        if *name == 0 {
            self.count += 1;
            *name = self.count;
        }
        *name - 1
    }
}
