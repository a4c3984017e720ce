//! What the nemesis is going to do, by seed, before the run begins.
//!
//! A plan is an endless sequence of rounds; each round has every requested fault once, shuffled. So the first faults
//! cover what was asked for, and the rest is as many more as the time allows: how long a fault takes is up to the
//! cluster.

use std::time::Duration;

use super::config::{FaultKind, Nemesis};
use sextant_storage::random::Random;

/// A fault with everything about it that is a choice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Indices into [`super::cluster::NODES`], one or two.
    KillNode {
        nodes: Vec<usize>,
        down: Duration,
    },
    KillWriter,
    /// How long the old writer stays paused at least after the new one has acknowledged writes.
    ZombieWriter {
        linger: Duration,
    },
    /// Seed of what becomes of the unsynced bytes.
    PowerCut {
        seed: u64,
    },
}

impl Fault {
    pub(crate) fn kind(&self) -> FaultKind {
        match self {
            Self::KillNode { .. } => FaultKind::KillNode,
            Self::KillWriter => FaultKind::KillWriter,
            Self::ZombieWriter { .. } => FaultKind::ZombieWriter,
            Self::PowerCut { .. } => FaultKind::PowerCut,
        }
    }
}

/// How often a power cut is tried that finds everything synced, or whose signals are too slow.
const POWER_CUTS: u64 = 16;

impl Fault {
    /// The fault and what to do in its place, one after the other, as long as it does not bite.
    pub(crate) fn attempts(&self) -> Vec<Self> {
        match self {
            Self::PowerCut { seed } => (0..POWER_CUTS).map(|more| Self::PowerCut { seed: seed ^ more }).collect(),
            Self::KillNode { .. } | Self::KillWriter | Self::ZombieWriter { .. } => vec![self.clone()],
        }
    }
}

/// A fault and the undisturbed time before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Planned {
    pub(crate) calm: Duration,
    pub(crate) fault: Fault,
}

/// The endless sequence. Same seed and nemesis, same faults.
pub(crate) struct Plan {
    random: Random,
    kinds: Vec<FaultKind>,
    round: Vec<FaultKind>,
}

impl Plan {
    pub(crate) fn new(seed: u64, nemesis: &Nemesis) -> Self {
        Self { random: Random::new(seed, "nemesis"), kinds: nemesis.kinds().to_vec(), round: Vec::new() }
    }

    fn fault(&mut self, kind: FaultKind, nodes: usize) -> Fault {
        let random = &mut self.random;
        match kind {
            FaultKind::KillNode => {
                let mut all: Vec<usize> = (0..nodes).collect();
                random.shuffle(&mut all);
                all.truncate(1 + random.below(2));
                Fault::KillNode { nodes: all, down: milliseconds(random, 500, 1000) }
            }
            FaultKind::KillWriter => Fault::KillWriter,
            FaultKind::ZombieWriter => Fault::ZombieWriter { linger: milliseconds(random, 100, 300) },
            FaultKind::PowerCut => Fault::PowerCut { seed: random.draw() },
        }
    }
}

impl Iterator for Plan {
    type Item = Planned;

    /// `None` only without a nemesis.
    fn next(&mut self) -> Option<Planned> {
        if self.round.is_empty() {
            self.round.clone_from(&self.kinds);
            self.random.shuffle(&mut self.round);
        }
        let kind = self.round.pop()?;
        let calm = milliseconds(&mut self.random, 200, 600);
        Some(Planned { calm, fault: self.fault(kind, super::cluster::NODES.len()) })
    }
}

fn milliseconds(random: &mut Random, low: u64, high: u64) -> Duration {
    Duration::from_millis(random.between(low, high))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(seed: u64, nemesis: &str) -> Vec<Planned> {
        Plan::new(seed, &nemesis.parse().unwrap()).take(40).collect()
    }

    #[test]
    fn same_seed_same_plan() {
        let all = Nemesis::all().to_string();
        assert_eq!(plan(7, &all), plan(7, &all));
        assert_ne!(plan(7, &all), plan(8, &all));
    }

    #[test]
    fn every_round_has_every_fault_once() {
        for seed in 0..50 {
            for round in plan(seed, &Nemesis::all().to_string()).chunks(4) {
                let mut kinds: Vec<FaultKind> = round.iter().map(|planned| planned.fault.kind()).collect();
                kinds.sort_unstable();
                assert_eq!(kinds, FaultKind::ALL);
            }
        }
    }

    #[test]
    fn one_or_two_different_nodes_are_killed() {
        let mut counts = [0; 3];
        for planned in plan(3, "kill-node") {
            let Fault::KillNode { nodes, .. } = planned.fault else { panic!("{planned:?}") };
            assert!(nodes.iter().all(|node| *node < 6));
            assert!(nodes.len() < 2 || nodes[0] != nodes[1], "{nodes:?}");
            counts[nodes.len()] += 1;
        }
        assert!(counts[0] == 0 && counts[1] > 0 && counts[2] > 0, "{counts:?}");
    }

    #[test]
    fn only_a_power_cut_is_tried_again_and_each_time_otherwise() {
        let attempts = Fault::PowerCut { seed: 5 }.attempts();
        assert_eq!(attempts.len(), POWER_CUTS as usize);
        assert_ne!(attempts[0], attempts[1]);
        assert_eq!(Fault::KillWriter.attempts(), [Fault::KillWriter]);
    }

    #[test]
    fn without_nemesis_there_is_no_plan() {
        assert_eq!(plan(1, "none"), []);
    }
}
