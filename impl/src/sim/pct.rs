//! Random priorities in the place of time (PCT, Burckhardt et al. 2010): of what is due within a window the class with the highest
//! priority goes first, and at a few points of the run the class that is about to go falls behind all others.
//!
//! A class is everything that one actor does for one other. Nothing is late by more than the window, so time still passes, and a
//! class that is behind is delayed and not stopped.

use serde::{Deserialize, Serialize};

use super::agenda::{MILLISECOND, Nanos};
use crate::random::Random;

/// What the priorities are drawn from is a stream of its own: the plan, the network and the disks draw what they always do.
const STREAM: &str = "pct";

/// Who goes first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scheduler {
    /// Whatever is due first.
    #[default]
    Time,
    /// By random priorities, which change so many times.
    Pct { changes: u32 },
}

pub(super) struct Priorities {
    /// By class; a greater one goes first.
    of: Vec<u64>,
    /// How far ahead of what is due first something may go.
    pub window: Nanos,
    /// When the next class falls behind, the latest first.
    changes: Vec<Nanos>,
}

impl Priorities {
    /// For a run that lasts until `ends`.
    pub fn new(seed: u64, classes: usize, changes: u32, ends: Nanos) -> Self {
        let mut random = Random::new(seed, STREAM);
        // Those below `changes` are for classes that fall behind.
        let of = (0..classes).map(|_| random.draw() | 1 << 32).collect();
        let window = random.between(1, 20) * MILLISECOND;
        let mut changes: Vec<Nanos> = (0..changes).map(|_| random.draw() % ends.max(1)).collect();
        changes.sort_unstable_by(|a, b| b.cmp(a));
        Priorities { of, window, changes }
    }

    pub fn of(&self, class: usize) -> u64 {
        self.of[class]
    }

    /// `class` is about to go at `now`; whether it falls behind instead.
    pub fn falls_behind(&mut self, class: usize, now: Nanos) -> bool {
        let is_due = self.changes.last().is_some_and(|at| *at <= now);
        if is_due {
            self.changes.pop();
            // The later a class falls behind, the less far.
            self.of[class] = u64::from(u32::MAX) - self.changes.len() as u64;
        }
        is_due
    }
}
