//! Explorations of regions, and the known mistakes, one row each.

use super::Regions;
use super::rules::{RegionRules, mistakes as m};
use super::world::Bounds;
use crate::area::{self, Leg};

pub type Mutant = area::Mutant<Regions>;
pub type Profile = area::Profile<Regions>;

const fn mutant(
    id: &'static str,
    mistake: &'static str,
    rules: RegionRules,
    breaks: &'static [&'static str],
    bounds: Bounds,
    source: &'static str,
) -> Mutant {
    Mutant::new(id, mistake, rules, breaks, bounds, source)
}

/// Two regions, a mini-transaction of two records and one of one.
const PAIR: Bounds = Bounds::of(2, [2, 1, 0], 1);
const PLANNED: Bounds = PAIR.planned();
const FAILOVER: Bounds = PAIR.with_failover();
const THREE: Bounds = Bounds::of(3, [1, 1, 0], 1);
const TWICE: Bounds = Bounds::of(3, [1, 1, 0], 2);
const RPO: Bounds = Bounds::of(3, [1, 1, 1], 1).rpo(1);

pub const PROFILES: &[Profile] = &[Profile {
    name: "region",
    about: "secondary regions behind a stream, promotion, switchover, an old primary that comes back, a managed RPO",
    quick: &[
        Leg::new("pair", Bounds::of(2, [2, 1, 0], 3).planned().with_failover(), 57_018, 25),
        Leg::new("three", Bounds::of(3, [2, 1, 0], 2).planned(), 37_414, 25),
        Leg::new("rpo", Bounds::of(3, [1, 1, 1], 2).rpo(1), 184_334, 27),
    ],
    deep: &[
        Leg::new("three", Bounds::of(3, [2, 1, 0], 3).planned().with_failover(), 1_523_740, 32),
        Leg::new("rpo", Bounds::of(3, [1, 1, 1], 3).rpo(1), 4_432_180, 35),
    ],
    silent: &[],
}];

pub const MUTANTS: &[Mutant] = &[
    mutant("MR1", "a primary ships what is not durable", m::SHIP_UNDURABLE, &["R1"], FAILOVER, "S22, M30"),
    mutant("MR2", "a secondary applies over a gap", m::APPLY_OVER_GAP, &["R1", "R3"], PAIR, "S13, M19"),
    mutant("MR3", "a secondary applies record by record", m::APPLY_RECORDS, &["R1"], PAIR, "S18 §3.3, M31"),
    mutant("MR4", "a promoted log ends in a mini-transaction", m::PROMOTE_AT_RECORD, &["R2"], PAIR, "C2, M20"),
    mutant("MR5", "a promoted log ends where its region last reported", m::PROMOTE_AT_REPORT, &["R2"], RPO, "derived"),
    mutant("MR6", "the old epoch's stream is taken", m::TAKE_OLDER, &["R1", "R4"], PAIR, "S18 §2.4, M4"),
    mutant("MR7", "a newer epoch's stream is taken at once", m::TAKE_NEWER, &["R1"], THREE, "Neon RFC 013, M9"),
    mutant("MR8", "a region keeps what lies below the newest start", m::KEEP_BELOW_START, &["R1"], TWICE, "KIP-279"),
    mutant("MR9", "an old primary rejoins without truncation", m::KEEP_EVERYTHING, &["R1"], PAIR, "Neon RFC 013"),
    mutant("MR10", "what is not applied is kept over an epoch", m::KEEP_UNAPPLIED, &["R1"], THREE, "C11, M10"),
    mutant("MR11", "a region is promoted that follows an older epoch", m::PROMOTE_ANY, &["R3"], TWICE, "C17, M63"),
    mutant("MR12", "a switchover does not wait", m::HAND_OVER_AT_ONCE, &["R5"], PLANNED, "derived"),
    mutant("MR13", "a switchover while the old primary writes", m::WRITE_ON, &["R5"], PLANNED, "derived"),
    mutant("MR14", "a stopped primary resumes by itself", m::RESUME_BY_ITSELF, &["R5"], PLANNED, "derived, M38"),
    mutant("MR15", "a switchover is never given up", m::NEVER_RESUME, &["LR2"], PLANNED, "§7 L5, M68"),
    mutant("MR16", "reports of another epoch count", m::ANY_REPORT, &["R6"], TWICE.rpo(0), "M40"),
    mutant("MR17", "commits do not wait for reports", m::ACKNOWLEDGE_BEYOND, &["R6"], RPO, "derived"),
    mutant("MR18", "an old primary never follows", m::NEVER_FOLLOW, &["LR1"], PAIR, "§7 L6, M69"),
];
