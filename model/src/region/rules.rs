//! The decisions about regions: what is shipped, what a secondary applies, where a promoted log ends, what becomes of the others.

use crate::decisions::rule_book;

use super::log::Log;

rule_book! {
    /// The decisions of one design; [`RegionRules::adopted`] is the protocol.
    pub struct RegionRules {}
    /// What a primary region ships: what a write quorum of its own has; what it has allocated (MR1).
    shipped: Shipped { Durable, Allocated }
    /// A gap in what a secondary has received: what is beyond it waits; it is applied (MR2).
    gap: Gap { WaitedFor, AppliedOver }
    /// What a secondary applies: whole mini-transactions; records (MR3).
    portion: Portion { MiniTransaction, Record }
    /// Where a promoted region's log ends: with the last whole mini-transaction that it has; with the last record without a gap
    /// (MR4, as M20); with what the old primary knows that it has (MR5).
    promoted_at: PromotedAt { WholeMiniTransaction, GapFreeRecord, Reported }
    /// Records of an older epoch's stream: refused; taken (MR6, as M4).
    older: Older { Refused, Taken }
    /// Records of a newer epoch's stream: refused until the region follows that epoch; taken (MR7, as M9).
    newer: Newer { RefusedUntilFollowed, Taken }
    /// What a region keeps that begins to follow another epoch: what the histories have in common, epoch by epoch; what lies below
    /// the place where the newest epoch began (MR8, KIP-279); everything (MR9, Neon RFC 013).
    divergence: Divergence { CommonHistory, BelowNewestStart, Ignored }
    /// What a secondary has received and not applied, when it begins to follow another epoch: dropped; kept (MR10).
    unapplied: Unapplied { Dropped, Kept }
    /// Which region may be promoted: one that follows the newest epoch, by a compare-and-set that names it; any (MR11, C17).
    candidate: Candidate { FollowsNewest, Any }
    /// A planned switchover goes to a region that has everything; to any that follows (MR12).
    handover: Handover { WhenCaughtUp, AtOnce }
    /// Before a planned switchover the old primary stops to write; it writes on (MR13).
    old_writer: OldWriter { StopsFirst, WritesOn }
    /// A stopped primary writes again: if the global record still names it; if it thinks so (MR14); never (MR15).
    resume: Resume { AsksTheRecord, ByItself, Never }
    /// Whose reports count towards the RPO: those of regions that follow the same epoch; anybody's (MR16, as M40).
    reports: Reports { OfTheSameEpoch, Anybodys }
    /// A commit beyond the RPO: waits for a report; is acknowledged (MR17).
    beyond_rpo: BeyondRpo { Waits, Acknowledged }
    /// A primary that was replaced: follows who replaced it; stays as it is (MR18).
    replaced: Replaced { Follows, Stays }
}

impl RegionRules {
    /// The last LSN that a primary ships.
    pub(super) fn ships_upto(&self, durable: u8, allocated: u8) -> u8 {
        match self.shipped {
            Shipped::Durable => durable,
            Shipped::Allocated => allocated,
        }
    }

    /// Up to where a secondary has applied; `ends` says which LSNs end a mini-transaction.
    pub(super) fn applied(&self, log: Log, ends: impl Fn(u8) -> bool) -> u8 {
        let limit = match self.gap {
            Gap::WaitedFor => log.gap_free(),
            Gap::AppliedOver => log.last(),
        };
        match self.portion {
            Portion::MiniTransaction => (1..=limit).rev().find(|&lsn| ends(lsn)).unwrap_or(0),
            Portion::Record => limit,
        }
    }

    /// Where a promoted log ends. `reported`: what the old primary knows of.
    pub(super) fn promoted_at(&self, log: Log, applied: u8, reported: u8) -> u8 {
        match self.promoted_at {
            PromotedAt::WholeMiniTransaction => applied,
            PromotedAt::GapFreeRecord => log.gap_free(),
            PromotedAt::Reported => reported.min(applied),
        }
    }

    pub(super) fn takes_older_streams(&self) -> bool {
        self.older == Older::Taken
    }

    pub(super) fn takes_newer_streams(&self) -> bool {
        self.newer == Newer::Taken
    }

    /// Up to where a region keeps its log that has applied up to `applied` and begins to follow an epoch whose log was `history`
    /// when it began.
    pub(super) fn keeps(&self, log: Log, applied: u8, history: Log) -> u8 {
        let kept = match self.divergence {
            Divergence::CommonHistory => log.common(history),
            Divergence::BelowNewestStart => history.last(),
            Divergence::Ignored => applied,
        };
        kept.min(applied)
    }

    pub(super) fn keeps_unapplied(&self) -> bool {
        self.unapplied == Unapplied::Kept
    }

    pub(super) fn may_be_promoted(&self, follows: u8, newest: u8) -> bool {
        follows == newest || self.candidate == Candidate::Any
    }

    pub(super) fn may_take_over(&self, applied: u8, durable: u8) -> bool {
        applied >= durable || self.handover == Handover::AtOnce
    }

    pub(super) fn hands_over_while_writing(&self) -> bool {
        self.old_writer == OldWriter::WritesOn
    }

    pub(super) fn may_resume(&self, epoch: u8, newest: u8) -> bool {
        match self.resume {
            Resume::AsksTheRecord => epoch == newest,
            Resume::ByItself => true,
            Resume::Never => false,
        }
    }

    pub(super) fn counts_report(&self, follows: u8, epoch: u8) -> bool {
        follows == epoch || self.reports == Reports::Anybodys
    }

    /// Whether a commit is acknowledged at `lsn` where some secondary has reported up to `reported`.
    pub(super) fn may_acknowledge(&self, lsn: u8, reported: u8, rpo: Option<u8>) -> bool {
        let within = rpo.is_none_or(|rpo| lsn <= reported + rpo);
        within || self.beyond_rpo == BeyondRpo::Acknowledged
    }

    pub(super) fn old_primary_follows(&self) -> bool {
        self.replaced == Replaced::Follows
    }
}

/// The named mistakes, for the mutants: the adopted rules with one decision changed.
pub(super) mod mistakes {
    use super::{
        BeyondRpo, Candidate, Divergence, Gap, Handover, Newer, OldWriter, Older, Portion, PromotedAt, RegionRules,
        Replaced, Reports, Resume, Shipped, Unapplied,
    };

    macro_rules! mistakes {
        ($($name:ident: $field:ident = $value:expr;)*) => {
            $(pub const $name: RegionRules = RegionRules { $field: $value, ..RegionRules::adopted() };)*
        };
    }

    mistakes! {
        SHIP_UNDURABLE: shipped = Shipped::Allocated;
        APPLY_OVER_GAP: gap = Gap::AppliedOver;
        APPLY_RECORDS: portion = Portion::Record;
        PROMOTE_AT_RECORD: promoted_at = PromotedAt::GapFreeRecord;
        PROMOTE_AT_REPORT: promoted_at = PromotedAt::Reported;
        TAKE_OLDER: older = Older::Taken;
        TAKE_NEWER: newer = Newer::Taken;
        KEEP_BELOW_START: divergence = Divergence::BelowNewestStart;
        KEEP_EVERYTHING: divergence = Divergence::Ignored;
        KEEP_UNAPPLIED: unapplied = Unapplied::Kept;
        PROMOTE_ANY: candidate = Candidate::Any;
        HAND_OVER_AT_ONCE: handover = Handover::AtOnce;
        WRITE_ON: old_writer = OldWriter::WritesOn;
        RESUME_BY_ITSELF: resume = Resume::ByItself;
        NEVER_RESUME: resume = Resume::Never;
        ANY_REPORT: reports = Reports::Anybodys;
        ACKNOWLEDGE_BEYOND: beyond_rpo = BeyondRpo::Acknowledged;
        NEVER_FOLLOW: replaced = Replaced::Stays;
    }
}
