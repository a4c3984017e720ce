//! Explorations of a volume, and its known mistakes, one row each (protocol §8).

use super::Volume;
use super::rules::{VolumeRules, mistakes as m};
use super::world::Bounds;
use crate::area::{self, Leg};

pub type Mutant = area::Mutant<Volume>;
pub type Profile = area::Profile<Volume>;

const fn mutant(
    id: &'static str,
    mistake: &'static str,
    rules: VolumeRules,
    breaks: &'static [&'static str],
    bounds: Bounds,
    source: &'static str,
) -> Mutant {
    Mutant::new(id, mistake, rules, breaks, bounds, source)
}

/// One mini-transaction of two records over both groups.
const ACROSS: Bounds = Bounds::ACROSS;
/// A commit in the first group, while nothing is written to the second.
const IDLE: Bounds = ACROSS.committing(&[0]);
/// A commit in each group.
const ONE_EACH: Bounds = ACROSS.committing(&[0, 1]);
/// The second group is added for the second commit.
const GROWING: Bounds = ACROSS.growing().committing(&[1]);

pub const PROFILES: &[Profile] = &[
    Profile {
        name: "mtr",
        about: "two groups: mini-transactions across them, VCL and VDL, holes, recovery by the longest gap-free prefix",
        quick: &[
            Leg::new("across", ACROSS, 256_531, 40),
            Leg::new("midway", ACROSS.of_four().committing_midway(), 17_827, 23),
        ],
        deep: &[Leg::new("twice", ACROSS.of_four().recovering(2), 4_728_333, 41)],
        silent: &["S31"],
    },
    Profile {
        name: "groups",
        about: "two groups: commits in each, idle groups, back-pressure by the allocation limit",
        quick: &[
            Leg::new("idle", IDLE, 10_501, 27),
            Leg::new("each", ONE_EACH, 194_807, 34),
            Leg::new("limit", ACROSS.committing(&[0, 1]).sharing([1, 1, 0]).with_lal(1), 14_139, 34),
        ],
        deep: &[
            Leg::new("idle", IDLE.recovering(2), 5_488_740, 43),
            Leg::new("each", ONE_EACH.of_four().recovering(2), 2_995_350, 36),
            Leg::new(
                "limit",
                ACROSS.of_four().committing(&[0, 1]).sharing([1, 1, 0]).recovering(2).with_lal(1),
                396_476,
                37,
            ),
        ],
        silent: &["S6", "S31"],
    },
    Profile {
        name: "growth",
        about: "a group is added while a zombie writes on: geometry before the first record",
        quick: &[Leg::new("growing", ACROSS.growing().committing(&[0, 1, 1]).sharing([2, 1, 0]), 280_790, 42)],
        deep: &[Leg::new(
            "twice",
            ACROSS.of_four().growing().committing(&[0, 1, 1]).sharing([2, 1, 0]).recovering(2),
            5_849_843,
            43,
        )],
        silent: &["S6"],
    },
];

pub const MUTANTS: &[Mutant] = &[
    mutant("M20", "the log is cut at the VCL", m::CUT_AT_VCL, &["S6"], ACROSS, "S18 §2.4, C2"),
    mutant("M21", "everything complete is durable", m::VCL_IS_DURABLE, &["S6"], ACROSS, "S17 §4.1"),
    mutant("M22", "recovery keeps up to the greatest PGCL", m::GREATEST_PGCL, &["S8"], ONE_EACH, "C5"),
    mutant("M23", "recovery keeps up to the least PGCL", m::LEAST_PGCL, &["S1", "S2", "S3"], IDLE, "C5"),
    mutant("M24", "a writer is complete up to the least PGCL", m::IDLE_GROUPS_STALL, &["L1", "L9"], IDLE, "S18 §2.3"),
    mutant("M26", "a segment's SCL is compared with the VDL of the volume", m::SCL_AGAINST_VDL, &["L11"], IDLE, "C7"),
    mutant(
        "M48",
        "records go to a group that is not recorded yet",
        m::GROUP_RECORDED_LATER,
        &["S31", "S1"],
        GROWING,
        "§6",
    ),
    mutant("M53", "a commit is acknowledged at the VCL", m::COMMIT_AT_VCL, &[], ACROSS, "C1").equivalent(
        "where the commit record ends its mini-transaction it is a CPL: the VCL that reaches it is a VDL (C1)",
        ACROSS.of_four().recovering(2),
    ),
    mutant(
        "M53'",
        "the same, while the commit record does not end its mini-transaction",
        m::COMMIT_AT_VCL,
        &["S1"],
        ACROSS.committing_midway(),
        "C1",
    ),
    mutant("M63", "anybody may change the geometry", m::ANYBODY_GROWS, &["S9", "S1"], GROWING, "C17"),
    mutant(
        "M65",
        "LSNs are limited by the VDL alone, after a recovery too",
        m::LIMIT_ABOVE_VDL,
        &["L4"],
        ACROSS.committing(&[0, 1]).sharing([1, 1, 0]),
        "S17 §4.2.1, C14",
    ),
];
