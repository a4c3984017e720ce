//! The decisions about versions of rows.

use super::world::{ReadView, Replica};
use crate::decisions::rule_book;

rule_book! {
    /// The decisions of one design; [`UndoRules::adopted`] is the protocol.
    pub struct UndoRules {}
    /// When the version before a committed one may be purged: once every read view of the volume sees the commit (S18 §3.1);
    /// once those of the writer do (M51).
    purge: Purge { BehindEveryView, BehindTheWriter }
    /// What a replica tells the writer: its oldest read view; how far it has applied (M51'); nothing (M82).
    report: Report { OldestView, Applied, Nothing }
    /// What a read view sees: what was committed at its LSN; whatever was written by then (M80).
    view: Sight { Committed, Written }
    /// Whether a row that an unfinished transaction has written may be written by another: never; always (M81).
    row: Row { Locked, Open }
}

impl UndoRules {
    /// Whether the version before one whose commit is record `commit` may be purged. `writer`: the writer's read view; `replicas`: what
    /// each replica has told.
    #[must_use]
    pub fn may_purge(&self, commit: u8, writer: Option<ReadView>, mut replicas: impl Iterator<Item = u8>) -> bool {
        let own = writer.is_none_or(|view| commit <= view.at);
        own && (self.purge == Purge::BehindTheWriter || replicas.all(|told| commit <= told))
    }

    /// The LSN below which a replica says that it needs nothing; none if it does not speak.
    #[must_use]
    pub fn told(&self, replica: &Replica) -> Option<u8> {
        match self.report {
            Report::OldestView => Some(replica.view.map_or(replica.applied, |view| view.at)),
            Report::Applied => Some(replica.applied),
            Report::Nothing => None,
        }
    }

    /// Whether a read view sees a version of which the commit was `committed` at its LSN or not.
    #[must_use]
    pub fn sees(&self, committed: bool) -> bool {
        committed || self.view == Sight::Written
    }

    /// Whether a transaction may write the row although another one that has written it is unfinished.
    #[must_use]
    pub fn writes_over_the_unfinished(&self) -> bool {
        self.row == Row::Open
    }
}

/// The named mistakes, for the mutants: the adopted rules with one decision changed.
pub(super) mod mistakes {
    use super::{Purge, Report, Row, Sight, UndoRules};

    const A: UndoRules = UndoRules::adopted();

    pub const PURGE_BEHIND_THE_WRITER: UndoRules = UndoRules { purge: Purge::BehindTheWriter, ..A };
    pub const REPORT_WHAT_IS_APPLIED: UndoRules = UndoRules { report: Report::Applied, ..A };
    pub const NEVER_REPORT: UndoRules = UndoRules { report: Report::Nothing, ..A };
    pub const DIRTY_VIEWS: UndoRules = UndoRules { view: Sight::Written, ..A };
    pub const UNLOCKED_ROW: UndoRules = UndoRules { row: Row::Open, ..A };
}
