//! The metadata service's record: volume epoch, membership epoch, geometry epoch (protocol §1).
//!
//! Every change is a compare-and-set that names the caller's volume epoch, so that a replaced writer can neither start a
//! recovery from a stale epoch nor change members or geometry (C17).

use crate::rules::Rules;
use crate::types::Epoch;
use serde::{Deserialize, Serialize};

/// The one record of a volume.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Metadata {
    pub volume_epoch: Epoch,
    pub membership_epoch: u32,
    pub geometry_epoch: u32,
}

/// A compare-and-set. Every variant names the volume epoch that its caller believes in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Change {
    /// R0: a recovery takes the next volume epoch.
    TakeVolume { caller: Epoch },
    /// Install membership number `expected + 1`.
    Membership { caller: Epoch, expected: u32 },
    /// Install geometry number `expected + 1`.
    Geometry { caller: Epoch, expected: u32 },
}

/// The record differs from what the caller named; here is what it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conflict(pub Metadata);

impl Metadata {
    #[must_use]
    #[inline]
    pub fn of_a_new_volume() -> Self {
        Metadata { volume_epoch: Epoch::FIRST, membership_epoch: 1, geometry_epoch: 1 }
    }

    /// Applies a change and returns the new record, which must be durable before anybody hears of it.
    ///
    /// # Errors
    /// [`Conflict`] if the record is not as the caller named it; nothing has changed then.
    #[inline]
    pub fn apply(&mut self, rules: &Rules, change: Change) -> Result<Metadata, Conflict> {
        let (Change::TakeVolume { caller } | Change::Membership { caller, .. } | Change::Geometry { caller, .. }) =
            change;
        if caller != self.volume_epoch {
            return Err(Conflict(*self));
        }
        match change {
            Change::TakeVolume { .. } => self.volume_epoch = rules.next_epoch(self.volume_epoch),
            Change::Membership { expected, .. } if expected == self.membership_epoch => self.membership_epoch += 1,
            Change::Geometry { expected, .. } if expected == self.geometry_epoch => self.geometry_epoch += 1,
            Change::Membership { .. } | Change::Geometry { .. } => return Err(Conflict(*self)),
        }
        Ok(*self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: Rules = Rules::adopted();

    #[test]
    fn of_two_recoveries_from_one_epoch_one_wins() {
        let mut record = Metadata::of_a_new_volume();
        let take = Change::TakeVolume { caller: Epoch(1) };
        assert_eq!(record.apply(&RULES, take).map(|r| r.volume_epoch), Ok(Epoch(2)));
        assert_eq!(record.apply(&RULES, take), Err(Conflict(record)));
        assert_eq!(record.volume_epoch, Epoch(2));
    }

    #[test]
    fn a_replaced_writer_changes_neither_members_nor_geometry() {
        let mut record = Metadata::of_a_new_volume();
        record.apply(&RULES, Change::TakeVolume { caller: Epoch(1) }).expect("the epoch is current");
        for change in [
            Change::Membership { caller: Epoch(1), expected: 1 },
            Change::Geometry { caller: Epoch(1), expected: 1 },
            Change::Membership { caller: Epoch(2), expected: 7 },
        ] {
            let before = record;
            assert_eq!(record.apply(&RULES, change), Err(Conflict(before)));
            assert_eq!(record, before);
        }
        assert!(record.apply(&RULES, Change::Geometry { caller: Epoch(2), expected: 1 }).is_ok());
    }
}
