//! A region's log: for each LSN the epoch that wrote the record there.
//!
//! Two regions may write the same LSN: a region that lags by more than the allocation limit does not know which LSNs the old
//! primary has used. An epoch writes an LSN once, so ⟨epoch, LSN⟩ tells records apart, and a log is the list of its epochs.

use serde::{Deserialize, Serialize};

use crate::fields::Number;

/// The greatest LSN.
pub const RECORDS: usize = 6;

const WIDTH: usize = 3;
const MASK: u32 = (1 << WIDTH) - 1;

/// For each LSN from 1 to [`RECORDS`] the epoch, at most 7, of the record there; 0 where there is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Log(u32);

impl Log {
    /// The epoch of the record at an LSN.
    #[must_use]
    pub fn at(self, lsn: u8) -> Option<u8> {
        let epoch = self.0 >> shift(lsn) & MASK;
        (epoch > 0).then_some(epoch as u8)
    }

    /// # Panics
    /// If there is a record already.
    #[must_use]
    pub fn with(self, lsn: u8, epoch: u8) -> Log {
        assert!(self.at(lsn).is_none(), "a record at @{lsn} is there already");
        Log(self.0 | u32::from(epoch) << shift(lsn))
    }

    /// The records up to an LSN.
    #[must_use]
    pub fn upto(self, lsn: u8) -> Log {
        Log(self.0 & ((1 << (usize::from(lsn) * WIDTH)) - 1))
    }

    /// The greatest LSN at which there is a record; 0 if there is none.
    #[must_use]
    pub fn last(self) -> u8 {
        (u32::BITS - self.0.leading_zeros()).div_ceil(WIDTH as u32) as u8
    }

    /// Up to where there is no gap.
    #[must_use]
    pub fn gap_free(self) -> u8 {
        self.common(self)
    }

    /// Up to where two logs have the same records without a gap.
    #[must_use]
    pub fn common(self, other: Log) -> u8 {
        (1..=RECORDS as u8).take_while(|&lsn| self.at(lsn).is_some() && self.at(lsn) == other.at(lsn)).count() as u8
    }
}

fn shift(lsn: u8) -> usize {
    assert!((1..=RECORDS as u8).contains(&lsn), "@{lsn} is beyond the log");
    (usize::from(lsn) - 1) * WIDTH
}

impl Number for Log {
    fn number(self) -> u64 {
        self.0.into()
    }

    fn of(number: u64) -> Self {
        Log(number as u32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_log_is_a_list_of_epochs(
            one in proptest::collection::vec(0..4u8, RECORDS),
            other in proptest::collection::vec(0..4u8, RECORDS),
            cut in 0..=RECORDS,
        ) {
            let log = |epochs: &[u8]| {
                let there = (1..).zip(epochs).filter(|(_, epoch)| **epoch > 0);
                there.fold(Log::default(), |log, (lsn, &epoch)| log.with(lsn, epoch))
            };
            let (a, b) = (log(&one), log(&other));
            for (lsn, &epoch) in (1..).zip(&one) {
                prop_assert_eq!(a.at(lsn).unwrap_or(0), epoch);
            }
            prop_assert_eq!(usize::from(a.last()), one.iter().rposition(|&epoch| epoch > 0).map_or(0, |place| place + 1));
            prop_assert_eq!(a.upto(cut as u8), log(&one[..cut]));
            let gap = one.iter().position(|&epoch| epoch == 0).unwrap_or(RECORDS);
            prop_assert_eq!(usize::from(a.gap_free()), gap);
            let differ = (0..RECORDS).find(|&place| one[place] == 0 || one[place] != other[place]);
            prop_assert_eq!(usize::from(a.common(b)), differ.unwrap_or(RECORDS));
        }
    }
}
