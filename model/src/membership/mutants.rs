//! Known mistakes of membership, one row each (protocol §8).

use super::Membership;
use super::bounds::Bounds;
use super::configuration::Members;
use super::rules::{Exchanged, MembershipRules, mistakes as m};
use crate::area::{self, Leg};
use crate::types::SegmentId;

pub type Mutant = area::Mutant<Membership>;
pub type Profile = area::Profile<Membership>;

/// The mutant of this name, in either case.
#[must_use]
pub fn by_id(id: &str) -> Option<&'static Mutant> {
    MUTANTS.iter().find(|mutant| mutant.id.eq_ignore_ascii_case(id))
}

const fn mutant(
    id: &'static str,
    mistake: &'static str,
    rules: MembershipRules,
    breaks: &'static [&'static str],
    bounds: Bounds,
    source: &'static str,
) -> Mutant {
    Mutant::new(id, mistake, rules, breaks, bounds, source)
}

/// `F` is suspected, `G` takes its place.
pub const F_TO_G: Exchanged = Exchanged { outgoing: SegmentId(5), joining: SegmentId(6) };

/// The same in a group of four.
const C_TO_G: Exchanged = Exchanged { outgoing: SegmentId(2), joining: SegmentId(6) };
const B_TO_H: Exchanged = Exchanged { outgoing: SegmentId(1), joining: SegmentId(7) };
const D_TO_H: Exchanged = Exchanged { outgoing: SegmentId(3), joining: SegmentId(7) };

const ONE: Bounds = Bounds::exchanging(&[F_TO_G]);
/// Four copies are enough to show what two exchanged at once do, and six take 20 actions.
const TWO_OF_FOUR: Bounds = Bounds::exchanging(&[C_TO_G, D_TO_H]).of(Members::FOUR).recovering().without_hydration();
const ONE_OF_FOUR: Bounds = Bounds::exchanging(&[C_TO_G]).of(Members::FOUR).recovering().without_hydration();
/// Two exchanges in a group of three, each proposed by somebody else.
const PROPOSERS: Bounds = Bounds::exchanging(&[C_TO_G, B_TO_H]).of(Members::THREE).without_hydration();
/// The same in a group of four, which is the smallest in which they can take half of it each.
const HALVES: Bounds = Bounds::exchanging(&[C_TO_G, D_TO_H]).of(Members::FOUR).without_hydration();
/// One exchange in a group of three, where acknowledgements arrive late.
const LATE: Bounds = Bounds::exchanging(&[C_TO_G]).of(Members::THREE).with_late_acknowledgements();
const NONE: Bounds = Bounds::exchanging(&[]);
/// A zone and one more are lost (AZ+1), while the writer may be replaced.
const REPAIR: Bounds = NONE.losing(3).recreating();
const FULL: Bounds = NONE.of(Members::FULL_AND_TAIL);

/// The same explorations in both sizes.
const LEGS: &[Leg<Membership>] = &[
    // A member is exchanged, or not after all; former members discard.
    Leg::new("exchange", ONE.discarding(), 45_193, 25),
    // The same while a segment is lost at any moment.
    Leg::new("loss", ONE.losing(1), 231_107, 25),
    // From 4 of 6 to 3 of 4 copies.
    Leg::new("shrink", NONE.shrinking(), 98_331, 23),
    // A writer is replaced while one of four members may be exchanged.
    Leg::new("recovery", ONE_OF_FOUR, 62_372, 21),
    // Two members of three may be exchanged, each by a proposer of its own.
    Leg::new("proposers", PROPOSERS, 10_284, 16),
    // One of three, where an acknowledgement may arrive when its configuration is gone.
    Leg::new("late", LATE, 18_960, 20),
    // A zone and one more are lost, and created anew.
    Leg::new("repair", REPAIR.recovering(), 70_081, 26),
    // Full and tail segments; tails drop, a segment is lost.
    Leg::new("full-tail", FULL.discarding().losing(1), 88, 10),
];

pub const PROFILES: &[Profile] = &[Profile {
    name: "membership",
    about: "one group whose members change: joint sets, hydration, revert, full and tail segments, 4/6 to 3/4",
    quick: LEGS,
    deep: LEGS,
    silent: &[],
}];

pub const MUTANTS: &[Mutant] = &[
    mutant("M36", "a member exchanged in one step, the joiner votes", m::ONE_STEP, &["S27", "S29"], ONE, "C6"),
    mutant(
        "M36'",
        "a joiner counts before it is hydrated",
        m::JOINER_COUNTS_AT_ONCE,
        &["S27", "S29"],
        ONE,
        "S18 §4.1, C6",
    ),
    mutant("M37", "a joiner hydrated by one member", m::HYDRATED_BY_ONE, &["S29"], ONE, "§5"),
    mutant("M37'", "a joiner hydrated by two members", m::HYDRATED_BY_TWO, &["S29"], ONE, "§5"),
    mutant(
        "M38",
        "a joiner hydrated before the joint configuration is installed",
        m::HYDRATED_EARLY,
        &["S29"],
        ONE,
        "§5",
    ),
    mutant("M39", "a joint write needs one set", m::ONE_SET, &["S27"], ONE, "S18 §4.1"),
    mutant(
        "M40",
        "acknowledgements of former members count",
        m::ANYBODY_VOTES,
        &["S2"],
        ONE.with_late_acknowledgements(),
        "§5, Neon #101",
    ),
    mutant("M41", "two members exchanged in one step", m::TWO_AT_ONCE, &["S9", "S27"], TWO_OF_FOUR, "§5"),
    mutant("M42", "a configuration installed on its own write quorum only", m::INSTALLED_ON_NEW, &["S27"], ONE, "§5"),
    mutant("M42'", "a configuration installed on a read quorum", m::INSTALLED_ON_READ_QUORUM, &["S27"], ONE, "§5"),
    mutant("M43", "configurations numbered by each proposer", m::EACH_PROPOSER, &["S28"], PROPOSERS, "§5, C17"),
    mutant(
        "M43'",
        "configurations numbered by each proposer, taken by each segment",
        m::EACH_SEGMENT,
        &["L10"],
        HALVES,
        "§5, openraft",
    ),
    mutant("M44", "full and tail segments read without a full one", m::READ_WITHOUT_FULL, &["S32"], FULL, "S18 §4.2"),
    mutant("M45", "a write on two of three full segments", m::WRITE_ON_TWO_FULL, &["S27"], FULL, "S18 §4.2"),
    mutant(
        "M46",
        "a tail drops what one full segment has",
        m::TAILS_DROP_EARLY,
        &["S19"],
        FULL.discarding(),
        "PAT 10,803,012, Neon #2432",
    ),
    mutant("M47", "from six copies to four in one step", m::SHRINK_AT_ONCE, &["S27"], NONE.shrinking(), "S18 §4.1"),
    mutant("M55", "acknowledgements are not counted anew after a change", m::TALLY_KEPT, &["S2", "S27"], ONE, "§5"),
    mutant(
        "M36''",
        "the same as M36 in a group of four, while a recovery reads",
        m::ONE_STEP,
        &["S1"],
        ONE_OF_FOUR,
        "C6",
    ),
    mutant("M68", "a change is never taken back", m::NEVER_TAKEN_BACK, &["L5"], ONE.losing(1), "S18 §4.1"),
    mutant("M68'", "a lost member is never created anew", m::NEVER_RECREATED, &["L7"], REPAIR, "S18 §4.1, C12"),
    mutant(
        "M18'",
        "a member that was created anew takes part at once",
        m::RECREATED_AT_ONCE,
        &["S27"],
        REPAIR,
        "C12, KIP-966",
    ),
    mutant("M40'", "acknowledgements of a former incarnation count", m::FORMER_INCARNATION, &["S27"], REPAIR, "C12"),
    mutant("M69", "a writer never learns of a newer configuration", m::NO_REFRESH, &["L5"], ONE, "S18 §4.1"),
    mutant(
        "M64",
        "a suspected member discards its records at once",
        m::DISCARD_EARLY,
        &["S30"],
        ONE.discarding(),
        "S18 §4.1",
    ),
];
