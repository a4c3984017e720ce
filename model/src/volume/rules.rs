//! The decisions of a volume of several protection groups: what is complete, what is durable, what a recovery keeps, and who may
//! add a group (protocol §1, §4, §6).

use crate::decisions::rule_book;

rule_book! {
    /// The decisions of one design; [`VolumeRules::adopted`] is the protocol.
    pub struct VolumeRules {}
    /// Where the log is cut at recovery: at the VDL; at the VCL, S18 §2.4 read literally (C2, M20).
    cut: Cut { AtVdl, AtVcl }
    /// What is durable of what is complete: up to the last CPL; everything (M21).
    durable: Durable { LastCpl, Everything }
    /// What a recovery takes for complete: the longest gap-free prefix of the volume chain; up to the greatest PGCL (M22); up to
    /// the least (C5, M23).
    recovered: Recovered { GapFree, GreatestPgcl, LeastPgcl }
    /// What a writer takes for complete: everything below the first record that is not quorate; up to the least PGCL (M24).
    complete: Complete { BelowFirstPending, LeastPgcl }
    /// When a commit is acknowledged: when the VDL reaches its record; when the VCL does (C1, M53).
    commit: Commit { AtVdl, AtVcl }
    /// Who may answer a read: a segment that has its group's records up to the read point; one whose SCL has reached the read
    /// point (C7, M26).
    reader: Reader { OfGroup, OfVolume }
    /// When the first record goes to a new group: when the metadata service has recorded the group; before (M48).
    growth: Growth { RecordedFirst, RecordedLater }
    /// Whose change of the metadata is taken: that of the newest volume epoch; anybody's (C17, M63).
    change: Change { OfNewestEpoch, OfAnybody }
    /// From where LSNs are counted that may be allocated: from the VDL or the end of the last range, whichever is greater; from
    /// the VDL alone, S17 §4.2.1 read literally (C14).
    limit: Limit { AboveRange, AboveVdl }
}

impl VolumeRules {
    /// LSN of the last complete record that a recovery keeps, if not that of the last CPL.
    pub(super) fn cuts_at_vcl(&self) -> bool {
        self.cut == Cut::AtVcl
    }

    pub(super) fn everything_complete_is_durable(&self) -> bool {
        self.durable == Durable::Everything
    }

    /// The LSN up to which the groups' PGCLs alone make the volume complete at recovery; none if the volume chain decides.
    pub(super) fn recovered_up_to(&self, pgcls: &[u8]) -> Option<u8> {
        match self.recovered {
            Recovered::GapFree => None,
            Recovered::GreatestPgcl => Some(pgcls.iter().copied().max().unwrap_or(0)),
            Recovered::LeastPgcl => Some(pgcls.iter().copied().min().unwrap_or(0)),
        }
    }

    /// The same for a writer.
    pub(super) fn complete_up_to(&self, pgcls: &[u8]) -> Option<u8> {
        match self.complete {
            Complete::BelowFirstPending => None,
            Complete::LeastPgcl => Some(pgcls.iter().copied().min().unwrap_or(0)),
        }
    }

    /// Of the complete and the durable prefix, the one in which a commit is acknowledged.
    pub(super) fn acknowledged_in(&self, complete: usize, durable: usize) -> usize {
        match self.commit {
            Commit::AtVdl => durable,
            Commit::AtVcl => complete,
        }
    }

    /// Whether a segment answers a read at `read_point`, if its group's last record up to there is `floor`.
    pub(super) fn answers(&self, scl: u8, floor: u8, read_point: u8) -> bool {
        match self.reader {
            Reader::OfGroup => scl >= floor,
            Reader::OfVolume => scl >= read_point,
        }
    }

    pub(super) fn records_group_first(&self) -> bool {
        self.growth == Growth::RecordedFirst
    }

    pub(super) fn takes_change_of(&self, epoch: u8, newest: u8) -> bool {
        self.change == Change::OfAnybody || epoch == newest
    }

    /// The LSN above which the allocation limit is counted.
    pub(super) fn limit_above(&self, vdl: u8, range_end: u8) -> u8 {
        match self.limit {
            Limit::AboveRange => vdl.max(range_end),
            Limit::AboveVdl => vdl,
        }
    }
}

/// The named mistakes, for the mutants: the adopted rules with one decision changed.
pub(super) mod mistakes {
    use super::{Change, Commit, Complete, Cut, Durable, Growth, Limit, Reader, Recovered, VolumeRules};

    macro_rules! mistakes {
        ($($name:ident: $field:ident = $value:expr;)*) => {
            $(pub const $name: VolumeRules = VolumeRules { $field: $value, ..VolumeRules::adopted() };)*
        };
    }

    mistakes! {
        CUT_AT_VCL: cut = Cut::AtVcl;
        VCL_IS_DURABLE: durable = Durable::Everything;
        GREATEST_PGCL: recovered = Recovered::GreatestPgcl;
        LEAST_PGCL: recovered = Recovered::LeastPgcl;
        IDLE_GROUPS_STALL: complete = Complete::LeastPgcl;
        COMMIT_AT_VCL: commit = Commit::AtVcl;
        SCL_AGAINST_VDL: reader = Reader::OfVolume;
        GROUP_RECORDED_LATER: growth = Growth::RecordedLater;
        ANYBODY_GROWS: change = Change::OfAnybody;
        LIMIT_ABOVE_VDL: limit = Limit::AboveVdl;
    }
}
