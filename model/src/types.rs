//! The numbers of the protocol, one newtype each, because a segment's SCL compared with a volume's VDL is a known bug.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Log sequence number: position of a redo record in the volume's one LSN space, from 1; 0 is "nothing yet". Printed `@17`.
/// Source: S17 §4.1.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Lsn(pub u64);

impl Lsn {
    pub const ZERO: Lsn = Lsn(0);

    #[must_use]
    #[inline]
    pub fn next(self) -> Lsn {
        Lsn(self.0 + 1)
    }

    /// The LSN before this one; of 0 it is 0.
    #[must_use]
    #[inline]
    pub fn previous(self) -> Lsn {
        Lsn(self.0.saturating_sub(1))
    }

    #[must_use]
    #[inline]
    pub fn plus(self, records: u64) -> Lsn {
        Lsn(self.0 + records)
    }
}

/// Volume epoch: which writer incarnation may write. 1 is the writer that created the volume. Printed `e3`. S18 §2.4.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Epoch(pub u32);

impl Epoch {
    /// The epoch at which every segment of a new volume is created.
    pub const FIRST: Epoch = Epoch(1);

    #[must_use]
    #[inline]
    pub fn next(self) -> Epoch {
        Epoch(self.0 + 1)
    }
}

/// Number of a confirmation round (protocol §13), from 1 within one writer incarnation.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Nonce(pub u64);

/// One of the copies of a protection group, from 0. Printed by zone: with six copies over three zones `a1 a2 b1 b2 c1 c2`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SegmentId(pub u8);

impl SegmentId {
    #[must_use]
    #[inline]
    pub fn index(self) -> usize {
        usize::from(self.0)
    }

    #[inline]
    pub fn all(copies: usize) -> impl Iterator<Item = SegmentId> + Clone {
        (0..copies as u8).map(SegmentId)
    }

    /// The short stable name of this copy when `copies` are spread evenly over `zones`.
    #[must_use]
    #[inline]
    pub fn name(self, copies: usize, zones: usize) -> String {
        let per_zone = copies.div_ceil(zones.max(1)).max(1);
        let zone = (b'a' + (self.index() / per_zone) as u8) as char;
        format!("{zone}{}", self.index() % per_zone + 1)
    }
}

/// A set of copies of one protection group. At most 32 copies.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SegmentSet(pub u32);

impl SegmentSet {
    pub const EMPTY: SegmentSet = SegmentSet(0);

    #[inline]
    pub fn insert(&mut self, segment: SegmentId) {
        self.0 |= 1 << segment.0;
    }

    #[inline]
    pub fn remove(&mut self, segment: SegmentId) {
        self.0 &= !(1 << segment.0);
    }

    #[must_use]
    #[inline]
    pub fn contains(self, segment: SegmentId) -> bool {
        self.0 >> segment.0 & 1 == 1
    }

    /// Its members among `copies`, ascending.
    #[inline]
    pub fn iter(self, copies: usize) -> impl Iterator<Item = SegmentId> {
        SegmentId::all(copies).filter(move |&segment| self.contains(segment))
    }

    #[must_use]
    #[inline]
    pub fn len(self) -> usize {
        self.0.count_ones() as usize
    }

    #[must_use]
    #[inline]
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The set in which copy `to` is a member exactly if copy `sources[to]` is a member of this one.
    #[must_use]
    #[inline]
    pub fn permuted(self, sources: &[usize]) -> SegmentSet {
        let bit = |(to, from): (usize, &usize)| (self.0 >> from & 1) << to;
        SegmentSet(sources.iter().enumerate().map(bit).sum())
    }
}

impl FromIterator<SegmentId> for SegmentSet {
    #[inline]
    fn from_iter<I: IntoIterator<Item = SegmentId>>(segments: I) -> Self {
        let mut set = SegmentSet::EMPTY;
        segments.into_iter().for_each(|s| set.insert(s));
        set
    }
}

macro_rules! printed_as {
    ($($name:ident $prefix:literal),*) => {$(
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, "{}"), self.0)
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }
    )*};
}

printed_as!(Lsn "@", Epoch "e", Nonce "n", SegmentId "s", SegmentSet "set");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_six_copies_over_three_zones() {
        let names: Vec<String> = SegmentId::all(6).map(|s| s.name(6, 3)).collect();
        assert_eq!(names.join(" "), "a1 a2 b1 b2 c1 c2");
    }

    #[test]
    fn a_permuted_set_moves_each_member() {
        let set: SegmentSet = [SegmentId(0), SegmentId(2)].into_iter().collect();
        let moved = set.permuted(&[2, 1, 0]);
        assert_eq!(moved, [SegmentId(0), SegmentId(2)].into_iter().collect());
        let moved = set.permuted(&[1, 0, 2]);
        assert_eq!(moved, [SegmentId(1), SegmentId(2)].into_iter().collect());
    }
}
