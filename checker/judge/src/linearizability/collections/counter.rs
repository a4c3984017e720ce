//! Counters whose additions, but for those of 0, all add the same: O(n log n), exact. Others are left to the general search:
//! which of several amounts make up a sum is a knapsack.
//!
//! Count in additions. One is taken only when something is due: when a slot ends in which an addition must have taken
//! effect and did not, or in which a read must have seen a count that is not reached. Of those pending the one that is
//! due first is taken, indeterminate ones last. A read is served as soon as its count is there; if the count was beyond
//! it when it began, or there is nothing to take when it is due, there is no linearization.
//!
//! *Why this loses nothing.* Where a linearization takes another addition `b` than this one's `a`, exchange the two: `b` is due
//! no earlier. Where it took more by now, it went on to a greater count, which this can do at any later time, by taking the
//! same operations; the count passes every value in between, so no pending read is missed by waiting, and one that
//! began after the greater count was reached can only want that or more.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use sextant_histories::{Call, Reply, Value};

use super::slots::{NEVER, Window, windows};
use crate::linearizability::prune::Candidate;
use crate::linearizability::search::Found;

pub(super) fn decide(candidates: &[Candidate<'_>], initial: i64) -> Option<Found> {
    let windows = windows(candidates)?;
    let amount = amount(candidates)?;
    let taken = vec![false; candidates.len()];
    let mut counter = Counter { candidates, windows: &windows, taken, ..Counter::default() };
    // Operations by the slot in which they must have happened.
    let mut due: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    for (slot, candidate) in candidates.iter().enumerate() {
        let item = slot as u32;
        match (candidate.call, candidate.reply) {
            (Call::Read, None) | (Call::Add(Value::Int(0)), None) => {}
            (Call::Add(Value::Int(0)), Some(Reply::Done)) => counter.take(item),
            (Call::Add(_), _) => counter.pending.push(Reverse((windows[slot].last, item))),
            (Call::Read, Some(Reply::Read(Value::Int(seen)))) => match count(*seen, initial, amount) {
                Some(wanted) if wanted >= counter.count => counter.wait(wanted, item),
                Some(wanted) => return Some(Found::Conflict(counter.overshot(item, wanted))),
                None => return Some(Found::Conflict(vec![slot])),
            },
            _ => return None,
        }
        if windows[slot].last != NEVER {
            due.entry(windows[slot].last).or_default().push(item);
        }
        for item in due.remove(&item).unwrap_or_default() {
            if !counter.advance_to(item) {
                return Some(Found::Conflict(counter.fell_short(item)));
            }
        }
    }
    Some(Found::Order(counter.order))
}

/// What every addition adds; 1 if there is none. `None` if they differ, or say more than that they are done.
fn amount(candidates: &[Candidate<'_>]) -> Option<i64> {
    let mut amount = None;
    for candidate in candidates {
        match (candidate.call, candidate.reply) {
            (Call::Add(_), Some(Reply::Returned(_))) => return None,
            (Call::Add(Value::Int(0)), _) => {}
            (Call::Add(Value::Int(more)), _) if *amount.get_or_insert(*more) != *more => return None,
            _ => {}
        }
    }
    Some(amount.unwrap_or(1))
}

/// After how many additions a read sees `seen`.
fn count(seen: i64, initial: i64, amount: i64) -> Option<u64> {
    let difference = i128::from(seen) - i128::from(initial);
    let amount = i128::from(amount);
    let whole = difference % amount == 0;
    if whole { u64::try_from(difference / amount).ok() } else { None }
}

#[derive(Default)]
struct Counter<'a> {
    candidates: &'a [Candidate<'a>],
    windows: &'a [Window],
    count: u64,
    /// Additions that are not taken, the next one due on top.
    pending: BinaryHeap<Reverse<(u32, u32)>>,
    /// For every operation, whether it is in the order.
    taken: Vec<bool>,
    /// Reads by the count that they want.
    waiting: BTreeMap<u64, Vec<u32>>,
    order: Vec<usize>,
}

impl Counter<'_> {
    fn take(&mut self, item: u32) {
        self.taken[item as usize] = true;
        self.order.push(item as usize);
    }

    fn wait(&mut self, wanted: u64, read: u32) {
        if wanted == self.count {
            self.take(read);
        } else {
            self.waiting.entry(wanted).or_default().push(read);
        }
    }

    /// Takes additions until the operation, which is due, has happened; whether there were enough.
    fn advance_to(&mut self, item: u32) -> bool {
        while !self.taken[item as usize] {
            let Some(Reverse((_, add))) = self.pending.pop() else {
                return false;
            };
            self.take(add);
            self.count += 1;
            for read in self.waiting.remove(&self.count).unwrap_or_default() {
                self.take(read);
            }
        }
        true
    }

    /// The read wants a count greater than that of all additions by its end: none of the later ones came in time.
    fn fell_short(&self, read: u32) -> Vec<usize> {
        let end = self.windows[read as usize].last as usize;
        let later = (end + 1..self.candidates.len()).filter(|item| matches!(self.candidates[*item].call, Call::Add(_)));
        [read as usize].into_iter().chain(later).collect()
    }

    /// The read wants a count that was passed before it began: because of an earlier read, or of additions that were
    /// over, or of both.
    fn overshot(&self, read: u32, wanted: u64) -> Vec<usize> {
        let over = |item: &usize| self.windows[*item].last < read;
        let adds = (0..read as usize).filter(|item| matches!(self.candidates[*item].call, Call::Add(_)));
        let adds = adds.filter(|item| self.candidates[*item].call != &Call::Add(Value::Int(0)));
        let over: Vec<usize> = adds.filter(over).take(wanted as usize + 1).collect();
        if over.len() as u64 > wanted {
            return over.into_iter().chain([read as usize]).collect();
        }
        (0..=read as usize).collect()
    }
}
