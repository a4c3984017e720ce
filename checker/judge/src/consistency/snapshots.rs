//! Prefix-consistent snapshots: what replicas of one primary may show.
//!
//! The primary's writes are in one order. Every read, of one key or of several in one transaction, shows what the first
//! `i` of them left, for some `i` of its own; within a session `i` never goes down; and no read shows a write that was
//! invoked only after the read had returned. (Terry and others 2013, "consistent prefix" with monotonic reads; the
//! snapshots of Aurora's replicas.) A transaction of writes is one write of several keys.
//!
//! The order of the writes is that in which they were invoked, and they must not overlap, or nobody knows it. A write that
//! failed has no effect; an indeterminate one that nobody can have seen is left out. One that was seen may have taken
//! effect at any later time, so each place in the order is tried.
//!
//! A value of a key holds from the write that installed it to the next write of the key, so each read leaves some
//! intervals of `i`, and the least `i` in them that is not below the session's last is the best: it leaves the most to
//! later reads. O(n log n) for one order.

use std::collections::HashMap;

use sextant_histories::Value;

use super::anomaly::Anomaly;
use super::database::{Database, Fate, Kind, Step};
use super::lists::show;
use super::report::{Basis, Finding, Options, Unknown, Violation};

pub(super) fn check(database: &Database<'_>, options: &Options) -> Finding {
    judge(database, options).unwrap_or_else(Finding::Unknown)
}

/// How many orders are tried where indeterminate writes may have several places.
const ORDERS: usize = 10_000;

fn judge(database: &Database<'_>, options: &Options) -> Result<Finding, Unknown> {
    let (order, open) = order(database)?;
    let seen: Vec<usize> = open.into_iter().filter(|writer| is_seen(database, *writer)).collect();
    let mut tried = 0;
    let mut first: Option<Violation> = None;
    let mut orders = vec![(order, seen)];
    while let Some((order, mut open)) = orders.pop() {
        if let Some(next) = open.pop() {
            let begun = database.transactions[next].invoked;
            let earliest = order.iter().filter(|writer| over_before(database, **writer, begun)).count();
            for place in earliest..=order.len() {
                let mut order = order.clone();
                order.insert(place, next);
                orders.push((order, open.clone()));
            }
            // It may also never have happened, if what was seen of it can be explained otherwise.
            orders.push((order, open));
            continue;
        }
        tried += 1;
        match Replica::of(database, order, options).judge()? {
            None => return Ok(Finding::Valid(Basis::Exact)),
            Some(violation) => first = first.or(Some(violation)),
        }
        if tried == ORDERS {
            return Err(Unknown::GaveUp(format!(
                "none of the first {ORDERS} places of indeterminate writes explains it"
            )));
        }
    }
    Ok(Finding::Invalid(first.into_iter().collect()))
}

fn writes(database: &Database<'_>, number: usize) -> bool {
    database.steps_of(number).iter().any(|step| !step.reads)
}

fn over_before(database: &Database<'_>, writer: usize, moment: usize) -> bool {
    database.transactions[writer].returned.is_some_and(|returned| returned < moment)
}

/// The writes that took effect for certain, in order, and the indeterminate ones.
fn order(database: &Database<'_>) -> Result<(Vec<usize>, Vec<usize>), Unknown> {
    let (mut order, mut open): (Vec<usize>, Vec<usize>) = (Vec::new(), Vec::new());
    for number in (0..database.transactions.len()).filter(|number| writes(database, *number)) {
        match database.transactions[number].fate {
            Fate::Aborted => {}
            Fate::Unknown => open.push(number),
            Fate::Committed => {
                let invoked = database.transactions[number].invoked;
                if let Some(before) = order.last().filter(|before| !over_before(database, **before, invoked)) {
                    let line = |number: usize| {
                        let operation = &database.history.operations()[database.transactions[number].operation];
                        database.history.line(operation.invoked.index)
                    };
                    return Err(Unknown::Overlap { one: line(*before), other: line(number) });
                }
                order.push(number);
            }
        }
    }
    Ok((order, open))
}

/// Whether some read shows a value that this transaction wrote.
fn is_seen(database: &Database<'_>, writer: usize) -> bool {
    let written = database.steps_of(writer).iter().filter(|step| !step.reads);
    let written: Vec<&Step<'_>> = written.collect();
    database.steps.iter().filter(|step| step.reads).any(|read| {
        written.iter().any(|write| {
            let shows = match (read.value, write.value) {
                (Some(Value::List(list)), Some(element)) if database.kind == Kind::Lists => list.contains(element),
                (read, write) => read.is_some() && read == write,
            };
            read.key == write.key && shows
        })
    })
}

struct Replica<'d, 'h> {
    database: &'d Database<'h>,
    initial: &'d Value,
    order: Vec<usize>,
    /// Of each key, after how many of the order's writes it changed, and the values written then.
    changes: Vec<Vec<(usize, &'h Value)>>,
}

impl<'d, 'h> Replica<'d, 'h> {
    fn of(database: &'d Database<'h>, order: Vec<usize>, options: &'d Options) -> Self {
        let mut changes: Vec<Vec<(usize, &'h Value)>> = vec![Vec::new(); database.keys.len()];
        for (place, writer) in order.iter().enumerate() {
            for step in database.steps_of(*writer).iter().filter(|step| !step.reads) {
                if let Some(value) = step.value {
                    changes[step.key as usize].push((place + 1, value));
                }
            }
        }
        Self { database, initial: &options.initial, order, changes }
    }

    /// The first read that cannot be explained.
    fn judge(&self) -> Result<Option<Violation>, Unknown> {
        let mut at: HashMap<u32, (usize, usize)> = HashMap::new();
        for (number, transaction) in self.database.transactions.iter().enumerate() {
            let reads = self.database.steps_of(number).iter().any(|step| step.reads);
            if transaction.fate != Fate::Committed || !reads {
                continue;
            }
            let Some(returned) = transaction.returned else { continue };
            let begun = |writer: &usize| self.database.transactions[*writer].invoked < returned;
            // The order is that of invocation but for indeterminate writes, which may have been put later.
            let latest = self.order.iter().take_while(|writer| begun(writer)).count();
            let intervals = self.snapshots(number)?;
            let (floor, before) = at.get(&transaction.session).copied().unwrap_or((0, number));
            let least = |from: usize| {
                let mut intervals = intervals.iter().filter(|(_, end)| *end > from);
                intervals.next().map(|(start, _)| (*start).max(from)).filter(|snapshot| *snapshot <= latest)
            };
            match least(floor) {
                Some(snapshot) => {
                    at.insert(transaction.session, (snapshot, number));
                }
                None => return Ok(Some(self.explain(number, before, floor, least(0), !intervals.is_empty()))),
            }
        }
        Ok(None)
    }

    /// The half-open intervals of `i` that explain a transaction's reads, in order.
    fn snapshots(&self, number: usize) -> Result<Vec<(usize, usize)>, Unknown> {
        let mut intervals = vec![(0, self.order.len() + 1)];
        let steps = self.database.steps_of(number);
        for (place, step) in steps.iter().enumerate().filter(|(_, step)| step.reads) {
            // After a write of its own a transaction reads that.
            if steps[..place].iter().any(|earlier| !earlier.reads && earlier.key == step.key) {
                continue;
            }
            let held = self.held(number, step)?;
            intervals = both(&intervals, &held);
        }
        Ok(intervals)
    }

    /// When the key held what the step read.
    fn held(&self, number: usize, step: &Step<'_>) -> Result<Vec<(usize, usize)>, Unknown> {
        let changes = &self.changes[step.key as usize];
        let end = self.order.len() + 1;
        let mut held = Vec::new();
        match self.database.kind {
            Kind::Registers => {
                let begin = [(0, self.initial)];
                let states = begin.iter().chain(changes);
                let ends = changes.iter().map(|(place, _)| *place).chain([end]);
                for ((start, value), end) in states.zip(ends) {
                    if Some(*value) == step.value && *start < end {
                        held.push((*start, end));
                    }
                }
            }
            Kind::Lists => {
                let list = self.database.list(number, step)?;
                let same =
                    list.len() <= changes.len() && list.iter().zip(changes).all(|(one, (_, other))| one == *other);
                if same {
                    let start = list.len().checked_sub(1).map_or(0, |last| changes[last].0);
                    let end = changes.get(list.len()).map_or(end, |(place, _)| *place);
                    held.extend((start < end).then_some((start, end)));
                }
            }
        }
        Ok(held)
    }

    fn explain(&self, number: usize, before: usize, floor: usize, alone: Option<usize>, ever: bool) -> Violation {
        let operation = |number: usize| self.database.transactions[number].operation;
        let mut operations = vec![operation(number)];
        let reads: Vec<String> =
            self.database.steps_of(number).iter().filter(|step| step.reads).map(|step| self.read(step)).collect();
        let reads = reads.join(" and ");
        let sentence = match alone {
            Some(alone) => {
                operations.push(operation(before));
                format!(
                    "T1 read {reads}, which was so last after write {alone} of {}, but T2, earlier in the session, had seen write {floor}",
                    self.order.len()
                )
            }
            None if ever => format!("T1 read {reads}, which was so only after writes that began after it had returned"),
            None => format!(
                "T1 read {reads}, which was never so after any number of the primary's {} writes",
                self.order.len()
            ),
        };
        Violation { anomaly: Anomaly::NoSnapshot, operations, sentences: vec![sentence], entangled: 0 }
    }

    fn read(&self, step: &Step<'_>) -> String {
        let key = self.database.keys[step.key as usize];
        match step.value {
            Some(Value::List(list)) => format!("{} from key {key}", show(list)),
            Some(value) => format!("{value} from key {key}"),
            None => format!("nothing from key {key}"),
        }
    }
}

/// What is in both of two ordered lists of intervals.
fn both(one: &[(usize, usize)], other: &[(usize, usize)]) -> Vec<(usize, usize)> {
    let (mut left, mut right) = (one.iter().peekable(), other.iter().peekable());
    let mut both = Vec::new();
    while let (Some(one), Some(other)) = (left.peek(), right.peek()) {
        let (start, end) = (one.0.max(other.0), one.1.min(other.1));
        if start < end {
            both.push((start, end));
        }
        if one.1 < other.1 {
            left.next();
        } else {
            right.next();
        }
    }
    both
}
