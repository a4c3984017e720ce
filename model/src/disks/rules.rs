//! The decisions about disks that lie.

use crate::decisions::rule_book;

use super::world::{NO_CUT, Node, Stored};

rule_book! {
    /// The decisions of one design; [`DiskRules::adopted`] is the protocol.
    pub struct DiskRules {}
    /// A record that cannot be read when a recovery asks: the segment says so and does not count; it says that it has no such
    /// record (M49, BookKeeper #2908).
    unreadable: Unreadable { Corrupt, Absent }
    /// A truncation during which power is lost: it happened whole or not at all; the epoch is there, and records are left
    /// that nothing annuls (M50, Neon #9685).
    truncation: Truncation { Atomic, RecordByRecord }
    /// From whom an unreadable record is repaired: a segment at the same truncation; any (C11, M70); nobody (M71).
    repair: Repair { SameTruncation, Anybody, Nobody }
}

impl DiskRules {
    /// How many records a segment says that it has without a gap; none if it cannot say.
    #[must_use]
    pub fn reported(&self, node: &Node) -> Option<u8> {
        let good = node.stored.iter().take_while(|&&stored| stored == Stored::Good).count();
        let broken = node.stored.get(good) == Some(&Stored::Corrupt) && good < usize::from(node.cut);
        match self.unreadable {
            Unreadable::Corrupt if broken => None,
            Unreadable::Corrupt | Unreadable::Absent => Some((good as u8).min(node.cut)),
        }
    }

    /// A segment after a power cut, in which it was truncating at `epoch`; none if nothing of it is left.
    #[must_use]
    pub fn after_power_cut(&self, node: Node, epoch: u8) -> Option<Node> {
        match self.truncation {
            // Whole or not at all: the first is the truncation, the second is no step.
            Truncation::Atomic => None,
            // What annuls the records is not written yet, and they are not deleted.
            Truncation::RecordByRecord => Some(Node { fenced: epoch, truncated: epoch, cut: NO_CUT, ..node }),
        }
    }

    #[must_use]
    pub(super) fn may_repair_from(&self, node: &Node, peer: &Node) -> bool {
        match self.repair {
            Repair::SameTruncation => node.truncated == peer.truncated,
            Repair::Anybody => true,
            Repair::Nobody => false,
        }
    }
}

/// The named mistakes, for the mutants: the adopted rules with one decision changed.
pub(super) mod mistakes {
    use super::{DiskRules, Repair, Truncation, Unreadable};

    const A: DiskRules = DiskRules::adopted();

    pub const CORRUPT_IS_ABSENT: DiskRules = DiskRules { unreadable: Unreadable::Absent, ..A };
    pub const TORN_TRUNCATION: DiskRules = DiskRules { truncation: Truncation::RecordByRecord, ..A };
    pub const REPAIRED_BY_ANYBODY: DiskRules = DiskRules { repair: Repair::Anybody, ..A };
    pub const NEVER_REPAIRED: DiskRules = DiskRules { repair: Repair::Nobody, ..A };
}
