//! Mutexes, O(n log n), exact: acquires and releases take turns.
//!
//! An operation is taken only when something is due: when a slot ends in which an operation must have taken effect and
//! did not. While something is due, take an acquire if the lock is free and a release if not: of those pending the one
//! that is due first, and an indeterminate one only if there is no other. If there is none at all, there is no
//! linearization.
//!
//! *Why this loses nothing.* Say that a linearization took another operation `b` of the same kind where this takes `a`. Both
//! are pending. If it takes `a` later, or need not, exchange the two: `a` is earlier than before, `b` is due no earlier
//! than `a`. If it never takes `a`, then `a` is indeterminate, so `b` is too: put `a` in its place. And say that it took more
//! operations by now. Acquires and releases take turns, so from the same lock state it took pairs more; they are pending
//! or become so in time, and can be taken later at one go, at the moment when the linearization goes on: the lock is as before.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use sextant_histories::{Call, Reply};

use super::slots::{NEVER, Window, windows};
use crate::linearizability::prune::Candidate;
use crate::linearizability::search::Found;

pub(super) fn decide(candidates: &[Candidate<'_>]) -> Option<Found> {
    let windows = windows(candidates)?;
    let mut pending = [Pending::default(), Pending::default()];
    let (mut locked, mut order) = (false, Vec::with_capacity(candidates.len()));
    for (slot, candidate) in candidates.iter().enumerate() {
        if !matches!(candidate.reply, None | Some(Reply::Done)) {
            return None;
        }
        let kind = match candidate.call {
            Call::Acquire => 0,
            Call::Release => 1,
            _ => return None,
        };
        pending[kind].push(slot as u32, windows[slot]);
        while pending.iter().any(|pending| pending.is_due(slot as u32)) {
            let Some(item) = pending[usize::from(locked)].pop() else {
                return Some(Found::Conflict(conflict(candidates, slot, locked)));
            };
            order.push(item as usize);
            locked = !locked;
        }
    }
    Some(Found::Order(order))
}

/// What was invoked up to the slot, and all that is like what was missing there: none of it came in time.
fn conflict(candidates: &[Candidate<'_>], slot: usize, locked: bool) -> Vec<usize> {
    let missing = if locked { &Call::Release } else { &Call::Acquire };
    let later = (slot + 1..candidates.len()).filter(|item| candidates[*item].call == missing);
    (0..=slot).chain(later).collect()
}

/// Invoked and not taken; those that need not take effect are due never, which is last.
#[derive(Default)]
struct Pending(BinaryHeap<Reverse<(u32, u32)>>);

impl Pending {
    fn push(&mut self, item: u32, window: Window) {
        self.0.push(Reverse((window.last, item)));
    }

    fn is_due(&self, slot: u32) -> bool {
        self.0.peek().is_some_and(|Reverse((last, _))| *last <= slot && *last != NEVER)
    }

    fn pop(&mut self) -> Option<u32> {
        self.0.pop().map(|Reverse((_, item))| item)
    }
}
