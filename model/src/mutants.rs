//! Known mistakes, one row each: the adopted rule book with one decision changed (protocol §8, §13).
//!
//! A mutant proves that the properties can fail: it names those that it must break and bounds in which a shortest
//! counterexample exists. It is run once for each named property, with that property alone.

use crate::area::{self, Larger};
use crate::bounds::Bounds;
use crate::group::Group;
use crate::rules::{Rules, mistakes as m};

pub type Mutant = area::Mutant<Group<6>>;

/// The mutant of this name, in either case.
#[must_use]
pub fn by_id(id: &str) -> Option<&'static Mutant> {
    MUTANTS.iter().find(|mutant| mutant.id.eq_ignore_ascii_case(id))
}

const fn mutant(
    id: &'static str,
    mistake: &'static str,
    rules: Rules,
    breaks: &'static [&'static str],
    bounds: Bounds,
    source: &'static str,
) -> Mutant {
    Mutant::new(id, mistake, rules, breaks, bounds, source)
}

const ONE: Bounds = Bounds::of(1, 1);
const TWO: Bounds = Bounds::of(1, 2);

pub const MUTANTS: &[Mutant] = &[
    mutant("M1", "write quorum of 3 of 6", m::WRITE_QUORUM_OF_THREE, &["S1"], ONE, "S17 §2.1"),
    mutant("M2", "recovery read quorum of 2 of 6", m::READ_QUORUM_OF_TWO, &["S1"], ONE, "S17 §2.1"),
    mutant("M3", "no fence before the truncation", m::FENCE_ON_TRUNCATE, &["S1", "S9"], ONE, "C3, BookKeeper #2614"),
    mutant("M4", "segment ignores a stale volume epoch", m::STALE_RANGES_ONLY, &["S1", "S9"], ONE, "S18 §2.4"),
    mutant("M5", "fence kept in memory only", m::FENCE_IN_MEMORY, &["S10", "S1"], ONE.crashing(1), "BookKeeper BP-44"),
    mutant(
        "M6",
        "recovery keeps the write quorum's SCL of its answers",
        m::WRITE_QUORUMTH_SCL,
        &["S1"],
        ONE.with_late_answers(),
        "§4, BOOKKEEPER-799",
    ),
    mutant("M7", "acknowledgements of records, recovery by SCL", m::CREDIT_RECORDS, &["S1"], Bounds::of(2, 1), "C4"),
    mutant("M8", "stale write dropped but acknowledged", m::ACKNOWLEDGE_DROPPED, &["S11", "S1"], ONE, "§2"),
    mutant(
        "M9",
        "segment takes the epoch of a write, without its ranges",
        m::ADOPT_EPOCH,
        &["S12"],
        ONE,
        "Neon RFC 013",
    ),
    mutant(
        "M10",
        "gossip crosses truncation epochs, ranges are forgotten",
        m::GOSSIP_FORGETTING,
        &["S4", "S15"],
        TWO.gossiping(),
        "C11",
    ),
    mutant(
        "M10'",
        "gossip crosses truncation epochs, ranges are kept",
        m::GOSSIP_ANYBODY,
        &[],
        TWO.gossiping(),
        "C11",
    )
    .equivalent_in(
        "a record that crosses truncation epochs is filtered by the ranges kept at the receiver, and one that reaches a laggard \
         is filtered by the honoured ranges at the next recovery: either check alone suffices (C11)",
        Larger { rules: m::GOSSIP_ANYBODY_OF_THREE, bounds: Bounds::of(1, 4).gossiping() },
    ),
    mutant("M11", "epoch and ranges installed on one copy less", m::INSTALL_ONE_LESS, &["S4"], TWO, "S18 §2.4"),
    mutant("M12", "recovery ignores earlier ranges", m::IGNORE_RANGES, &["S4"], TWO, "S17 §4.3"),
    mutant("M13", "no write-back before opening", m::NO_WRITE_BACK, &["S3", "S7"], TWO, "§4 R3"),
    mutant("M14", "range counted from the VDL alone", m::RANGE_FROM_VDL, &["S5", "S5b"], TWO, "C14"),
    mutant("M15", "new LSNs right after the VDL", m::NO_GAP, &["S5"], ONE, "S18 §2.4"),
    mutant("M16", "allocation limit not enforced", m::NO_LIMIT, &["S5b"], Bounds::of(2, 1).with_lal(1), "S17 §4.2.1"),
    mutant(
        "M17",
        "acknowledges before it persists",
        m::ACKNOWLEDGE_ON_RECEIPT,
        &["S14", "S1"],
        ONE.crashing(1),
        "NATS 2.12.1",
    ),
    mutant("M18", "a wiped segment rejoins and votes", m::WIPED_REJOINS, &["S10", "S1"], ONE.wiping(1), "KIP-966"),
    // The protocol's table names S1 too; but recovery believes the same SCLs, so what it opens *claims* the lost record.
    mutant("M19", "SCL counts past a gap", m::CHAIN_PAST_GAPS, &["S13"], Bounds::of(2, 1), "S18 §2.3"),
    mutant("M54", "recovery reuses the volume epoch", m::REUSE_EPOCH, &["S9", "S1"], ONE, "S18 §2.4"),
    mutant("M56", "reads are not confirmed", m::NO_CONFIRMATION, &["S33"], ONE.reading(1), "§13, C13"),
    mutant("M57", "reads are confirmed by two of six", m::CONFIRMED_BY_TWO, &["S33"], ONE.reading(1), "§13"),
    mutant(
        "M58",
        "a confirmation asked for before the read counts",
        m::EARLIER_ROUND,
        &["S33"],
        ONE.reading(1).with_early_rounds(),
        "§13",
    ),
    mutant("M59", "M11, seen by a reader", m::INSTALL_ONE_LESS, &["S33"], ONE.reading(1), "§13"),
    mutant(
        "M60",
        "recovery honours the union of all ranges",
        m::UNION_OF_RANGES,
        &["S1", "S3"],
        Bounds::of(1, 3),
        "C15",
    ),
    mutant("M61", "TRUNC adds to the ranges", m::ADD_RANGES, &["L2", "L1", "L3"], TWO, "C15"),
    mutant("M62", "a segment serves on the fence alone", m::FENCE_ALONE, &["S12"], ONE.with_late_fences(), "C16"),
    mutant("M72", "recovery read quorum of 4 of 6", m::READ_QUORUM_OF_FOUR, &["L12"], ONE.wiping(3), "S17 §2.1, AZ+1"),
];
