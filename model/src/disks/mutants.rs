//! Explorations of disks that lie, and the known mistakes, one row each (protocol §8).

use super::Disks;
use super::rules::mistakes as m;
use super::world::Bounds;
use crate::area::{self, Leg};

pub type Mutant = area::Mutant<Disks>;
pub type Profile = area::Profile<Disks>;

pub const PROFILES: &[Profile] = &[Profile {
    name: "disk",
    about: "bit flips reported as corruption, truncations cut by a loss of power, repair from peers, recovery rerun",
    quick: &[Leg::new("twice", Bounds::of_six(2, 1, 1), 103_272, 27)],
    deep: &[Leg::new("thrice", Bounds::of_six(3, 1, 1), 2_856_404, 36)],
    silent: &[],
}];

pub const MUTANTS: &[Mutant] = &[
    Mutant::new(
        "M49",
        "an unreadable record is reported as absent",
        m::CORRUPT_IS_ABSENT,
        &["S13", "S1"],
        Bounds::of_six(1, 1, 0),
        "BookKeeper #2908",
    ),
    Mutant::new(
        "M50",
        "a truncation is not atomic",
        m::TORN_TRUNCATION,
        &["S4", "S7"],
        Bounds::of_six(2, 0, 1),
        "Neon #9685",
    ),
    Mutant::new(
        "M70",
        "an unreadable record is repaired by anybody",
        m::REPAIRED_BY_ANYBODY,
        &[],
        Bounds::of_six(2, 1, 1),
        "C11",
    )
    .equivalent(
        "a segment that has truncated has deleted what its ranges annul in the same write, so it repairs only what is kept; one \
         that has not may hold what any other holds, and a record is the same at everybody's",
        Bounds::of_six(3, 1, 1),
    ),
    Mutant::new(
        "M71",
        "an unreadable record is not repaired",
        m::NEVER_REPAIRED,
        &["L3"],
        Bounds::of_six(1, 1, 0),
        "S17 §3.3",
    ),
];
