//! Sets of records that a plan numbers.

use serde::{Deserialize, Serialize};

use crate::fields::Number;

/// A set of at most eight records, by number. Where records are planned, record `i` has LSN `i + 1` unless it says otherwise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Records(pub u8);

impl Records {
    #[must_use]
    pub fn contains(self, record: usize) -> bool {
        self.0 >> record & 1 == 1
    }

    #[must_use]
    pub fn with(self, record: usize) -> Records {
        Records(self.0 | 1 << record)
    }

    #[must_use]
    pub fn and(self, other: Records) -> Records {
        Records(self.0 & other.0)
    }

    #[must_use]
    pub fn or(self, other: Records) -> Records {
        Records(self.0 | other.0)
    }

    /// Those that are not in `other`.
    #[must_use]
    pub fn but(self, other: Records) -> Records {
        Records(self.0 & !other.0)
    }

    #[must_use]
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    #[must_use]
    pub fn is_subset_of(self, other: Records) -> bool {
        self.but(other).is_empty()
    }

    /// The first `count` of all.
    #[must_use]
    pub fn upto(self, count: u8) -> Records {
        Records(self.0 & ((1u16 << count) - 1) as u8)
    }

    /// One more than the greatest number; 0 if there is none.
    #[must_use]
    pub fn last(self) -> u8 {
        (u8::BITS - self.0.leading_zeros()) as u8
    }

    pub fn iter(self) -> impl Iterator<Item = usize> {
        (0..u8::BITS as usize).filter(move |&record| self.contains(record))
    }
}

impl FromIterator<usize> for Records {
    fn from_iter<I: IntoIterator<Item = usize>>(records: I) -> Self {
        records.into_iter().fold(Records::default(), Records::with)
    }
}

impl Number for Records {
    fn number(self) -> u64 {
        self.0.into()
    }

    fn of(number: u64) -> Self {
        Records(number as u8)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn sets_are_what_sets_are() {
        let plain = |set: Records| set.iter().collect::<BTreeSet<usize>>();
        for a in 0..=u8::MAX {
            let one = Records(a);
            assert_eq!(plain(one).into_iter().collect::<Records>(), one);
            assert_eq!(usize::from(one.last()), plain(one).last().map_or(0, |last| last + 1));
            for count in 0..=8 {
                assert_eq!(
                    plain(one.upto(count)),
                    plain(one).into_iter().filter(|&r| r < usize::from(count)).collect()
                );
            }
            for b in (0..=u8::MAX).step_by(7) {
                let other = Records(b);
                assert_eq!(plain(one.or(other)), &plain(one) | &plain(other));
                assert_eq!(plain(one.and(other)), &plain(one) & &plain(other));
                assert_eq!(plain(one.but(other)), &plain(one) - &plain(other));
                assert_eq!(one.is_subset_of(other), plain(one).is_subset(&plain(other)));
            }
        }
    }
}
