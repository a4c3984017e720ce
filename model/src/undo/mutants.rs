//! Explorations of transactions, and the known mistakes, one row each (protocol §8).

use super::Undo;
use super::rules::mistakes as m;
use super::world::Bounds;
use crate::area::{self, Leg};

pub type Mutant = area::Mutant<Undo>;
pub type Profile = area::Profile<Undo>;

pub const PROFILES: &[Profile] = &[Profile {
    name: "undo",
    about: "transactions on one row, their undo, read views at the writer and at replicas, purge, failover",
    quick: &[
        Leg::new("replica", Bounds::of(2, 1, 1), 11_536, 24),
        Leg::new("replicas", Bounds::of(2, 2, 0), 75_620, 33),
    ],
    deep: &[
        Leg::new("three", Bounds::of(3, 1, 1), 188_442, 34),
        Leg::new("replicas", Bounds::of(2, 2, 1), 166_087, 34),
    ],
    silent: &[],
}];

const TWO: Bounds = Bounds::of(2, 1, 0);

pub const MUTANTS: &[Mutant] = &[
    Mutant::new(
        "M51",
        "undo purged while a replica's read view needs it",
        m::PURGE_BEHIND_THE_WRITER,
        &["S26"],
        TWO,
        "S18 §3.1",
    ),
    Mutant::new(
        "M51'",
        "a replica tells what it has applied, not its oldest read view",
        m::REPORT_WHAT_IS_APPLIED,
        &["S26"],
        TWO,
        "S18 §3.1",
    ),
    Mutant::new("M80", "a read view sees what is not committed", m::DIRTY_VIEWS, &["S26"], TWO, "S18 §3.1, Adya G1b"),
    Mutant::new("M81", "a row may be written over an unfinished write", m::UNLOCKED_ROW, &["S26"], TWO, "Adya G0"),
    Mutant::new("M82", "a replica never tells what it needs", m::NEVER_REPORT, &["L8"], TWO, "S18 §3.1"),
];
