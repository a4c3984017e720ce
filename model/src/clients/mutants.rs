//! Explorations of clients, and the known mistakes as clients see them, one row each (protocol §8, §13).

use super::Clients;
use super::world::Bounds;
use crate::area::{self, Leg};
use crate::rules::{Rules, mistakes as m};

pub type Mutant = area::Mutant<Clients>;
pub type Profile = area::Profile<Clients>;

pub const PROFILES: &[Profile] = &[Profile {
    name: "clients",
    about: "two clients read, write and compare-and-set through failovers: linearizability itself, by stateright's tester",
    quick: &[
        Leg::new("failover", ONE, 12_364, 21),
        Leg::new("reads", Bounds::of(2, 1, 0, 1), 70_596, 25),
        Leg::new("swaps", Bounds::of(1, 0, 2, 1), 488_133, 28),
        Leg::new("losses", ONE.gossiping().wiping(1), 56_038, 21),
        Leg::new("early", ONE.with_early_rounds().with_late_answers(), 123_622, 30),
    ],
    deep: &[
        Leg::new("failovers", Bounds::of(1, 1, 0, 2), 833_305, 29),
        Leg::new("kinds", Bounds::of(1, 1, 1, 1), 895_624, 28),
        Leg::new("four", Bounds::of(2, 2, 0, 1), 2_004_657, 32),
    ],
    silent: &[],
}];

/// A write, another instance, a read.
const ONE: Bounds = Bounds::of(1, 1, 0, 1);

const fn seen(id: &'static str, mistake: &'static str, rules: Rules, bounds: Bounds, source: &'static str) -> Mutant {
    Mutant::new(id, mistake, rules, &["S26"], bounds, source)
}

pub const MUTANTS: &[Mutant] = &[
    seen("M1c", "M1, seen by clients", m::WRITE_QUORUM_OF_THREE, ONE, "S17 §2.1"),
    seen("M2c", "M2, seen by clients", m::READ_QUORUM_OF_TWO, ONE, "S17 §2.1"),
    seen("M3c", "M3, seen by clients", m::FENCE_ON_TRUNCATE, ONE, "C3, BookKeeper #2614"),
    seen("M4c", "M4, seen by clients", m::STALE_RANGES_ONLY, ONE, "S18 §2.4"),
    seen("M5c", "M5, seen by clients", m::FENCE_IN_MEMORY, ONE.crashing(1), "BookKeeper BP-44"),
    seen("M6c", "M6, seen by clients", m::WRITE_QUORUMTH_SCL, ONE.with_late_answers(), "§4, BOOKKEEPER-799"),
    seen("M7c", "M7, seen by clients", m::CREDIT_RECORDS, Bounds::of(1, 2, 0, 1), "C4"),
    seen("M8c", "M8, seen by clients", m::ACKNOWLEDGE_DROPPED, ONE, "§2"),
    seen("M17c", "M17, seen by clients", m::ACKNOWLEDGE_ON_RECEIPT, ONE.crashing(1), "NATS 2.12.1"),
    seen("M18c", "M18, seen by clients", m::WIPED_REJOINS, ONE.wiping(1), "KIP-966"),
    seen("M54c", "M54, seen by clients", m::REUSE_EPOCH, ONE, "S18 §2.4"),
    seen("M56c", "M56, seen by clients", m::NO_CONFIRMATION, ONE, "§13, C13"),
    seen("M57c", "M57, seen by clients", m::CONFIRMED_BY_TWO, ONE, "§13"),
    seen("M58c", "M58, seen by clients", m::EARLIER_ROUND, ONE.with_early_rounds(), "§13"),
];
