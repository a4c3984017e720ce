//! The decisions of membership (protocol §5): which sets suffice while members change, and when a step may be taken.
//!
//! As in [`crate::rules`], the world asks a method and reads as the adopted protocol; the private fields name the known
//! mistakes.

use serde::{Deserialize, Serialize};

use crate::decisions::rule_book;

use super::configuration::{Configuration, Hydrated, Members};
use crate::types::{SegmentId, SegmentSet};

rule_book! {
    /// The decisions of one design; [`MembershipRules::adopted`] is the protocol.
    pub struct MembershipRules {}
    /// How a member is exchanged: through a joint configuration; in one step (M36); two members in one step (M41).
    exchange: Exchange { Joint, OneStep, TwoAtOnce }
    /// When a joiner counts in read quorums: when it is hydrated; at once, as S18 §4.1 prints it (C6, M36').
    joiner: Joiner { WhenHydrated, AtOnce }
    /// From whom a joiner takes its records: a read quorum; one member (M37), two (M37').
    hydration: Hydration { ReadQuorum, OneMember, TwoMembers }
    /// When hydration may begin: when the joint configuration is installed; before (M38).
    watermark: Watermark { AfterInstall, BeforeInstall }
    /// What a write needs while two sets are members: both; one of them (M39).
    joint_write: JointWrite { EverySet, OneSet }
    /// Whose acknowledgements count: members'; former members' too (M40).
    voters: Voters { Members, Anybody }
    /// What a new configuration does to acknowledgements counted before: they are counted again; nothing (M55).
    recount: Recount { OnChange, Never }
    /// Where a configuration must be durable before anybody goes by it: on a write quorum of the one before; on one of its own
    /// (M42); on a read quorum of the one before (M42').
    installation: Installation { WritersBefore, WritersAfter, ReadersBefore }
    /// How configurations are numbered: by compare-and-set at the metadata service; by each proposer, and segments believe the
    /// number (M43); by each proposer, and a segment takes the first of a number that it hears of (M43').
    numbering: Numbering { CompareAndSet, EachProposer, EachSegment }
    /// When an old member's records may be discarded: when no configuration that it is in can be gone back to; as soon as a
    /// joiner is proposed (M64).
    discard: Discard { WhenReplaced, WhenSuspected }
    /// What a read of full and tail segments needs beside its number: a full one; nothing (M44).
    full_read: FullRead { OneFull, Any }
    /// How many of three full segments make a write alone: all; two (M45).
    full_write: FullWrite { AllFull, TwoFull }
    /// When a tail may drop a record: when every full one has it; when one has (M46).
    tail_drop: TailDrop { EveryFull, OneFull }
    /// How a group goes from 4 of 6 to 3 of 4 copies: when the four have every record; in one step (M47).
    shrink: Shrink { AfterHydration, AtOnce }
    /// How a change may end: on either side; only on the new one (M68).
    outcome: Outcome { EitherSide, NewSide }
    /// What a writer does whose configuration is out of date: it learns of the newer one; it goes on (M69).
    refresh: Refresh { Learns, GoesOn }
    /// A member that is lost, though too few are left to change members: is created anew by word of the metadata service (C12); is
    /// not, as S18 §4.1 has it, where a change takes a write quorum (M68').
    recreation: Recreation { ByTheMetadataService, Never }
    /// When a member that was created anew takes part: when it is hydrated; at once (M18').
    recreated: Recreated { WhenHydrated, AtOnce }
    /// What the incarnation before it has acknowledged: does not count any more; counts (M40').
    incarnation: Incarnation { CountsAnew, CountsOn }
}

impl MembershipRules {
    /// The configuration that begins to exchange `outgoing` for `joining`: old members and new ones side by side, so that
    /// it can be finished or taken back (S18 §4.1). None if `configuration` cannot be changed so.
    #[must_use]
    pub fn begin(&self, configuration: &Configuration, exchanges: &[Exchanged]) -> Option<Configuration> {
        let possible = |exchange: &Exchanged| {
            configuration.everybody().contains(exchange.outgoing)
                && !configuration.everybody().contains(exchange.joining)
        };
        if exchanges.is_empty() || !exchanges.iter().all(possible) {
            return None;
        }
        let swap =
            |members: &Members| exchanges.iter().fold(*members, |members, exchange| members.exchanged(*exchange));
        let swapped = configuration.sets.iter().map(swap);
        match (self.exchange, exchanges) {
            (Exchange::Joint, [one]) => {
                let sets = configuration.sets.iter().copied().chain(swapped).collect();
                Some(configuration.followed_by(sets, std::iter::once(one.joining).collect()))
            }
            (Exchange::OneStep, [one]) => {
                Some(configuration.followed_by(swapped.collect(), std::iter::once(one.joining).collect()))
            }
            (Exchange::TwoAtOnce, [one, two]) => {
                Some(configuration.followed_by(swapped.collect(), [one.joining, two.joining].into_iter().collect()))
            }
            _ => None,
        }
    }

    /// How many members the design exchanges in one change.
    #[must_use]
    pub fn exchanged_at_once(&self) -> usize {
        if self.exchange == Exchange::TwoAtOnce { 2 } else { 1 }
    }

    fn met_to_write(&self, members: &Members, set: SegmentSet) -> bool {
        let needed = match self.full_write {
            FullWrite::AllFull => members.full.len(),
            FullWrite::TwoFull => 2,
        };
        let full = SegmentSet(members.full.0 & set.0).len();
        members.enough_to_write(set) || !members.full.is_empty() && full >= needed
    }

    fn met_to_read(&self, members: &Members, set: SegmentSet) -> bool {
        let has_full = members.full.is_empty() || members.full.0 & set.0 != 0 || self.full_read == FullRead::Any;
        members.enough_to_read(set) && has_full
    }

    /// Whether a tail may drop a record that these full segments, of all `full`, hold.
    #[must_use]
    pub fn may_drop(&self, full: SegmentSet, holding: SegmentSet) -> bool {
        match self.tail_drop {
            TailDrop::EveryFull => full.0 & !holding.0 == 0,
            TailDrop::OneFull => full.0 & holding.0 != 0,
        }
    }

    /// Whether a record is committed by these acknowledgements. They are counted anew for each configuration: what former
    /// members acknowledged does not count.
    #[must_use]
    pub fn is_committed(&self, configuration: &Configuration, acknowledged: SegmentSet) -> bool {
        if self.voters == Voters::Anybody || self.recount == Recount::Never {
            return configuration.sets.iter().any(|members| acknowledged.len() >= usize::from(members.write));
        }
        self.is_write_quorum(configuration, acknowledged)
    }

    /// Whether these members suffice to write.
    #[must_use]
    pub fn is_write_quorum(&self, configuration: &Configuration, set: SegmentSet) -> bool {
        let mut sets = configuration.sets.iter();
        match self.joint_write {
            JointWrite::EverySet => sets.all(|members| self.met_to_write(members, set)),
            JointWrite::OneSet => sets.any(|members| self.met_to_write(members, set)),
        }
    }

    /// Whether an acknowledgement of `from` is taken.
    #[must_use]
    pub fn takes_acknowledgement(&self, configuration: &Configuration, from: SegmentId) -> bool {
        self.voters == Voters::Anybody || configuration.everybody().contains(from)
    }

    /// Whether these members suffice to read. A joiner counts when it is hydrated, and so does a set with it: before, only
    /// sets without joiners are read (C6).
    #[must_use]
    pub fn is_read_quorum(&self, configuration: &Configuration, answered: SegmentSet, hydrated: &Hydrated) -> bool {
        self.readable(configuration, hydrated).any(|members| self.met_to_read(members, answered))
    }

    /// The sets of `configuration` that may be read.
    pub fn readable<'a>(
        &self,
        configuration: &'a Configuration,
        hydrated: &Hydrated,
    ) -> impl Iterator<Item = &'a Members> + use<'a> {
        let everybody_counts = self.joiner == Joiner::AtOnce || self.exchange != Exchange::Joint;
        let hydrated = *hydrated;
        configuration.sets.iter().filter(move |members| everybody_counts || hydrated.covers(**members))
    }

    /// Whether what `sources` hold is enough to hydrate a joiner of `configuration`.
    #[must_use]
    pub fn may_hydrate(&self, configuration: &Configuration, sources: SegmentSet, hydrated: &Hydrated) -> bool {
        match self.hydration {
            Hydration::ReadQuorum => {
                self.is_read_quorum(configuration, SegmentSet(sources.0 & hydrated.anybody().0), hydrated)
            }
            Hydration::OneMember => sources.len() == 1,
            Hydration::TwoMembers => sources.len() == 2,
        }
    }

    /// Whether a joiner may be hydrated while its configuration is not installed yet: records may still become quorate
    /// without it then.
    #[must_use]
    pub fn hydrates_early(&self) -> bool {
        self.watermark == Watermark::BeforeInstall
    }

    /// Whether `configuration` may be gone by, now that `installed` have it: no quorum of the one before is left (protocol §5).
    #[must_use]
    pub fn is_installed(&self, previous: &Configuration, configuration: &Configuration, installed: SegmentSet) -> bool {
        match self.installation {
            Installation::WritersBefore => previous.sets.iter().all(|members| self.met_to_write(members, installed)),
            Installation::WritersAfter => {
                configuration.sets.iter().all(|members| self.met_to_write(members, installed))
            }
            Installation::ReadersBefore => previous.sets.iter().any(|members| self.met_to_read(members, installed)),
        }
    }

    /// Whether a proposer may build on a configuration that is not the newest any more.
    #[must_use]
    pub fn builds_on_stale(&self) -> bool {
        self.numbering != Numbering::CompareAndSet
    }

    /// Whether a segment counts for a configuration that it does not have and that has the number of its own.
    #[must_use]
    pub fn believes_numbers(&self) -> bool {
        self.numbering != Numbering::EachSegment
    }

    /// Whether a change may settle on the set at `place`, which is `kept`: every member of it is hydrated as it asks.
    #[must_use]
    pub fn may_settle(&self, place: usize, kept: Members, hydrated: &Hydrated) -> bool {
        hydrated.covers(kept) && (self.outcome == Outcome::EitherSide || place > 0)
    }

    /// Whether a writer learns of configurations that are newer than its own.
    #[must_use]
    pub fn refreshes(&self) -> bool {
        self.refresh == Refresh::Learns
    }

    /// Whether a member that is lost may be created anew.
    #[must_use]
    pub fn recreates(&self) -> bool {
        self.recreation == Recreation::ByTheMetadataService
    }

    /// Whether it takes part before it is hydrated.
    #[must_use]
    pub fn takes_part_at_once(&self) -> bool {
        self.recreated == Recreated::AtOnce
    }

    /// Whether what it acknowledged before it was lost still counts.
    #[must_use]
    pub fn counts_former_incarnations(&self) -> bool {
        self.incarnation == Incarnation::CountsOn
    }

    /// Whether a segment that is in none of the sets of `configuration` may discard its records.
    #[must_use]
    pub fn may_discard(&self, configuration: &Configuration, outgoing: SegmentId) -> bool {
        match self.discard {
            Discard::WhenReplaced => !configuration.is_joint() && !configuration.everybody().contains(outgoing),
            Discard::WhenSuspected => !configuration.sets.iter().all(|members| members.all.contains(outgoing)),
        }
    }

    /// The configuration that begins to make a group of the four copies that are left of six: both sets at once, and the
    /// four are read alone only when each is hydrated anew (S18 §4.1, protocol §5).
    #[must_use]
    pub fn shrink(&self, configuration: &Configuration) -> Configuration {
        let number = configuration.number + 1;
        let sets = match self.shrink {
            Shrink::AfterHydration => {
                let four = Members { since: number, ..Members::FOUR };
                configuration.sets.iter().copied().chain([four]).collect()
            }
            Shrink::AtOnce => [Members::FOUR].into_iter().collect(),
        };
        configuration.followed_by(sets, SegmentSet::EMPTY)
    }
}

/// A member and who takes its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Exchanged {
    pub outgoing: SegmentId,
    pub joining: SegmentId,
}

/// `F→G`
impl std::fmt::Display for Exchanged {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let letter = |segment: SegmentId| crate::quorum::letters(std::iter::once(segment).collect());
        write!(f, "{}→{}", letter(self.outgoing), letter(self.joining))
    }
}

/// The named mistakes, for the mutants: the adopted rules with one decision changed.
pub(crate) mod mistakes {
    use super::{
        Discard, Exchange, FullRead, FullWrite, Hydration, Incarnation, Installation, Joiner, JointWrite,
        MembershipRules, Numbering, Outcome, Recount, Recreated, Recreation, Refresh, Shrink, TailDrop, Voters,
        Watermark,
    };

    const A: MembershipRules = MembershipRules::adopted();

    pub const ONE_STEP: MembershipRules = MembershipRules { exchange: Exchange::OneStep, ..A };
    pub const JOINER_COUNTS_AT_ONCE: MembershipRules = MembershipRules { joiner: Joiner::AtOnce, ..A };
    pub const HYDRATED_BY_ONE: MembershipRules = MembershipRules { hydration: Hydration::OneMember, ..A };
    pub const HYDRATED_BY_TWO: MembershipRules = MembershipRules { hydration: Hydration::TwoMembers, ..A };
    pub const HYDRATED_EARLY: MembershipRules = MembershipRules { watermark: Watermark::BeforeInstall, ..A };
    pub const ONE_SET: MembershipRules = MembershipRules { joint_write: JointWrite::OneSet, ..A };
    pub const ANYBODY_VOTES: MembershipRules = MembershipRules { voters: Voters::Anybody, ..A };
    pub const TWO_AT_ONCE: MembershipRules = MembershipRules { exchange: Exchange::TwoAtOnce, ..A };
    pub const INSTALLED_ON_NEW: MembershipRules = MembershipRules { installation: Installation::WritersAfter, ..A };
    pub const INSTALLED_ON_READ_QUORUM: MembershipRules =
        MembershipRules { installation: Installation::ReadersBefore, ..A };
    pub const EACH_PROPOSER: MembershipRules = MembershipRules { numbering: Numbering::EachProposer, ..A };
    pub const EACH_SEGMENT: MembershipRules = MembershipRules { numbering: Numbering::EachSegment, ..A };
    pub const SHRINK_AT_ONCE: MembershipRules = MembershipRules { shrink: Shrink::AtOnce, ..A };
    pub const READ_WITHOUT_FULL: MembershipRules = MembershipRules { full_read: FullRead::Any, ..A };
    pub const WRITE_ON_TWO_FULL: MembershipRules = MembershipRules { full_write: FullWrite::TwoFull, ..A };
    pub const TAILS_DROP_EARLY: MembershipRules = MembershipRules { tail_drop: TailDrop::OneFull, ..A };
    pub const TALLY_KEPT: MembershipRules = MembershipRules { recount: Recount::Never, ..A };
    pub const DISCARD_EARLY: MembershipRules = MembershipRules { discard: Discard::WhenSuspected, ..A };
    pub const NEVER_TAKEN_BACK: MembershipRules = MembershipRules { outcome: Outcome::NewSide, ..A };
    pub const NEVER_RECREATED: MembershipRules = MembershipRules { recreation: Recreation::Never, ..A };
    pub const RECREATED_AT_ONCE: MembershipRules = MembershipRules { recreated: Recreated::AtOnce, ..A };
    pub const FORMER_INCARNATION: MembershipRules = MembershipRules { incarnation: Incarnation::CountsOn, ..A };
    pub const NO_REFRESH: MembershipRules = MembershipRules { refresh: Refresh::GoesOn, ..A };
}
