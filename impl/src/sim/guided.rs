//! Plans that aim at cells of the fault space, one after the other: what a mix that is drawn seldom comes by.
//!
//! Which nodes are away decides where a recovery gets stuck, and so in which phase a fault finds it: with four away it waits for
//! answers (R1), with three for a write quorum (R3). Where fewer are to be away when the fault begins, the others come back one
//! millisecond before: nobody has spoken to them yet.

use super::plan::{FaultKind, Plan, Window, degree_of, nodes_of};
use super::{COPIES, Cell, Phase, ZONES};
use crate::random::Random;

/// Milliseconds from one aim to the next: time to get over it.
const APART: u64 = 1200;
/// Milliseconds before the first aim.
const FIRST: u64 = 600;
/// Before the fault, the nodes go; then, somebody takes the volume.
const NODES_GO: u64 = 150;
const TAKES: u64 = 100;
/// For how long after it the nodes stay away.
const STAY: u64 = 300;

impl Plan {
    /// What `seed` draws, with faults that aim at the next cells of [`Cell::all`], each seed at others.
    #[must_use]
    pub fn guided(seed: u64, clients: usize, lasts: u64) -> Self {
        let mut plan = Plan::drawn(seed, clients, lasts, &[]);
        let mut random = Random::new(seed, "guided");
        let cells: Vec<Cell> = Cell::all().filter(|cell| cell.infeasible().is_none()).collect();
        let aims = (lasts.saturating_sub(FIRST + STAY) / APART + 1) as usize;
        for aim in 0..aims {
            let cell = cells[(seed as usize).wrapping_mul(aims).wrapping_add(aim) % cells.len()];
            plan.aim_at(cell, FIRST + APART * aim as u64 + random.between(0, 50), &mut random);
        }
        plan.windows.sort_by_key(|window| window.from);
        plan
    }

    /// A fault at `at`, and what has to come before it.
    fn aim_at(&mut self, cell: Cell, at: u64, random: &mut Random) {
        let away = some_of_class(cell, random);
        let strikes_away = cell.kind.takes_away();
        let own = if strikes_away { away[..1].to_vec() } else { Vec::new() };
        let before = &away[own.len()..];
        let others: Vec<usize> = (0..COPIES).filter(|node| !before.contains(node)).collect();
        match cell.phase {
            Phase::Serving => self.hold(before, at - random.between(1, 20), at + STAY, random),
            Phase::Taking => {
                self.hold(before, at - random.between(1, 20), at + STAY, random);
                self.window(FaultKind::Usurp, at, 1, 0, 0);
            }
            Phase::Gone => {
                self.hold(before, at - 3, at + STAY, random);
                (0..2).for_each(|_| self.window(FaultKind::KillWriter, at - 2, 1, 0, 0));
            }
            Phase::Reading | Phase::Installing => {
                let stuck = if cell.phase == Phase::Reading { 4 } else { 3 };
                let (first, rest) =
                    before.split_at(before.len().min(if cell.phase == Phase::Reading { COPIES } else { stuck }));
                self.hold(first, at - NODES_GO, at + STAY, random);
                self.hold(rest, at - random.between(1, 20), at + STAY, random);
                let missing = stuck.saturating_sub(first.len());
                let back: u8 = others.iter().take(missing).map(|node| 1 << node).sum();
                if back != 0 {
                    self.window(FaultKind::KillNode, at - NODES_GO, NODES_GO - 1, back, 0);
                }
                self.window(FaultKind::Usurp, at - TAKES, 1, 0, 0);
            }
        }
        let nodes = if strikes_away { mask(&own) } else { nodes_of(cell.kind, random) };
        let degree = degree_of(cell.kind, random);
        let lasts = random.between(50, STAY);
        self.add_unless_too_many(Window { fault: cell.kind, from: at, lasts, nodes, degree });
    }

    /// Nodes that are killed or paused from some time to another.
    fn hold(&mut self, nodes: &[usize], from: u64, to: u64, random: &mut Random) {
        if !nodes.is_empty() {
            let fault = if random.below(2) == 0 { FaultKind::KillNode } else { FaultKind::PauseNode };
            self.window(fault, from, to - from, mask(nodes), 0);
        }
    }

    fn window(&mut self, fault: FaultKind, from: u64, lasts: u64, nodes: u8, degree: u64) {
        self.windows.push(Window { fault, from, lasts, nodes, degree });
    }
}

fn mask(nodes: &[usize]) -> u8 {
    nodes.iter().map(|node| 1 << node).sum()
}

/// Nodes of that class, in any order.
fn some_of_class(cell: Cell, random: &mut Random) -> Vec<usize> {
    let per_zone = COPIES / ZONES;
    let mut zones: Vec<usize> = (0..ZONES).collect();
    random.shuffle(&mut zones);
    let mut away = Vec::new();
    for (zone, count) in zones.into_iter().zip(cell.class.0) {
        let mut nodes: Vec<usize> = (zone * per_zone..(zone + 1) * per_zone).collect();
        random.shuffle(&mut nodes);
        away.extend(&nodes[..usize::from(count)]);
    }
    random.shuffle(&mut away);
    away
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::Class;

    #[test]
    fn the_fault_space_is_a_product_and_says_what_cannot_be() {
        let all: Vec<Cell> = Cell::all().collect();
        assert_eq!(all.len(), 10 * FaultKind::ALL.len() * Phase::ALL.len());
        let infeasible: Vec<&Cell> = all.iter().filter(|cell| cell.infeasible().is_some()).collect();
        assert_eq!(infeasible.len(), 6 * Phase::ALL.len());
        assert!(infeasible.iter().all(|cell| cell.class == Class([0; ZONES])));
    }

    #[test]
    fn aims_go_round_and_are_the_same_for_a_seed() {
        let guided = |seed| Plan::guided(seed, 10, 4000);
        assert_eq!(guided(5), guided(5));
        assert_ne!(guided(5).windows, guided(6).windows);
        for seed in 0..1000 {
            let plan = guided(seed);
            assert_eq!(plan.check(), Ok(()), "seed {seed}");
            assert!(plan.windows.iter().all(|window| window.from < 4000), "seed {seed}");
        }
    }
}
