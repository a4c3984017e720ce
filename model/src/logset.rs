//! Which LSNs a segment holds, and which LSNs truncation ranges annul.
//!
//! The control state is generic over the representation: [`Bits`] when every interleaving is explored (a few bytes,
//! `Copy`), [`Intervals`] when the protocol runs (billions of LSNs, few gaps). A property test runs both against each
//! other. LSNs are dense within a protection group (one group is modelled), so the segment chain has a gap exactly where
//! an LSN is neither held nor annulled.

use crate::types::{Epoch, Lsn};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::fmt::{self, Debug};
use std::hash::Hash;

/// ⟨ve, lo, hi⟩: the recovery of epoch `ve` annulled every LSN in `lo..=hi` (S17 §4.3). Law: `lo ≤ hi`, both above 0.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Range {
    pub ve: Epoch,
    pub lo: Lsn,
    pub hi: Lsn,
}

impl Range {
    #[must_use]
    #[inline]
    pub fn contains(&self, lsn: Lsn) -> bool {
        self.lo <= lsn && lsn <= self.hi
    }
}

impl Debug for Range {
    #[inline]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "⟨{} {}..{}⟩", self.ve, self.lo, self.hi)
    }
}

/// What everything stored in the control state must be: comparable, printable, and sendable by the executors.
pub trait Value: Clone + Debug + Eq + Ord + Hash + Serialize + DeserializeOwned {}
impl<T: Clone + Debug + Eq + Ord + Hash + Serialize + DeserializeOwned> Value for T {}

/// A list of truncation ranges, sorted and without duplicates.
pub trait RangeList: Value + Default {
    fn iter(&self) -> impl Iterator<Item = Range> + '_;

    /// Adds a range; one already there is not added again.
    fn add(&mut self, range: Range);

    #[inline]
    fn annuls(&self, lsn: Lsn) -> bool {
        self.iter().any(|range| range.contains(lsn))
    }

    /// The end of the annulled stretch that contains `lsn`; none if `lsn` is not annulled.
    #[inline]
    fn annulled_until(&self, lsn: Lsn) -> Option<Lsn> {
        let mut end = None;
        let mut at = lsn;
        while let Some(range) = self.iter().find(|range| range.contains(at)) {
            end = Some(range.hi);
            at = range.hi.next();
        }
        end
    }

    /// The first LSN in `lo..=hi` that is annulled.
    #[inline]
    fn first_annulled_in(&self, lo: Lsn, hi: Lsn) -> Option<Lsn> {
        self.iter().filter(|range| range.lo <= hi && range.hi >= lo).map(|range| range.lo.max(lo)).min()
    }

    /// The highest LSN that any range annuls; 0 without ranges.
    #[inline]
    fn highest(&self) -> Lsn {
        self.iter().map(|range| range.hi).max().unwrap_or_default()
    }

    #[must_use]
    #[inline]
    fn union(&self, other: &Self) -> Self {
        let mut both = self.clone();
        other.iter().for_each(|range| both.add(range));
        both
    }
}

/// A set of LSNs.
pub trait LogSet: Value + Default {
    type Ranges: RangeList;

    /// Adds every LSN in `lo..=hi`; nothing if `lo > hi`.
    fn insert_range(&mut self, lo: Lsn, hi: Lsn);
    /// Removes every LSN in `lo..=hi`.
    fn remove_range(&mut self, lo: Lsn, hi: Lsn);
    fn contains(&self, lsn: Lsn) -> bool;
    /// The last LSN of the run of members that starts at `lsn`; none if `lsn` is not a member.
    fn run_end(&self, lsn: Lsn) -> Option<Lsn>;
    /// The greatest member; 0 of an empty set.
    fn last(&self) -> Lsn;
    /// Maximal runs of members `(first, last)`, ascending.
    fn runs(&self) -> impl Iterator<Item = (Lsn, Lsn)> + '_;

    #[inline]
    fn insert(&mut self, lsn: Lsn) {
        self.insert_range(lsn, lsn);
    }

    #[inline]
    fn is_empty(&self) -> bool {
        self.last() == Lsn::ZERO
    }

    /// Removes what `ranges` annul.
    #[inline]
    fn annul(&mut self, ranges: &Self::Ranges) {
        for range in ranges.iter() {
            self.remove_range(range.lo, range.hi);
        }
    }

    /// SCL: the greatest member up to which the chain has no gap, where an LSN that `ranges` annul is no gap (S18 §2.3,
    /// inclusive: C10). 0 if the chain does not begin.
    #[inline]
    fn scl(&self, ranges: &Self::Ranges) -> Lsn {
        let mut scl = Lsn::ZERO;
        let mut at = Lsn(1);
        loop {
            // An annulled LSN that is still stored must not carry the chain's end, only its continuation.
            if let Some(end) = ranges.annulled_until(at) {
                at = end.next();
            } else if let Some(end) = self.run_end(at) {
                let end = ranges.first_annulled_in(at, end).map_or(end, Lsn::previous);
                scl = end;
                at = end.next();
            } else {
                return scl;
            }
        }
    }
}

/// LSNs 1 to 32 as the bits of a word: for exploration.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Bits(pub(crate) u32);

impl Bits {
    /// The greatest LSN that fits.
    pub const CAPACITY: u64 = 32;

    #[inline]
    fn mask(lo: Lsn, hi: Lsn) -> u32 {
        if lo > hi || lo.0 > Self::CAPACITY {
            return 0;
        }
        let upto = |lsn: u64| if lsn >= Self::CAPACITY { u32::MAX } else { (1 << lsn) - 1 };
        upto(hi.0) & !upto(lo.0.max(1) - 1)
    }
}

impl LogSet for Bits {
    type Ranges = FewRanges;

    #[inline]
    fn insert_range(&mut self, lo: Lsn, hi: Lsn) {
        assert!(lo > hi || hi.0 <= Self::CAPACITY, "{hi} does not fit the explored bitset of {} LSNs", Self::CAPACITY);
        self.0 |= Self::mask(lo, hi);
    }

    #[inline]
    fn remove_range(&mut self, lo: Lsn, hi: Lsn) {
        self.0 &= !Self::mask(lo, hi);
    }

    #[inline]
    fn contains(&self, lsn: Lsn) -> bool {
        // LSN 0 becomes a bit far above the capacity.
        let bit = lsn.0.wrapping_sub(1);
        bit < Self::CAPACITY && self.0 >> bit & 1 == 1
    }

    #[inline]
    fn run_end(&self, lsn: Lsn) -> Option<Lsn> {
        if !self.contains(lsn) {
            return None;
        }
        let run = (self.0 >> (lsn.0 - 1)).trailing_ones();
        Some(Lsn(lsn.0 - 1 + u64::from(run)))
    }

    #[inline]
    fn last(&self) -> Lsn {
        Lsn(u64::from(u32::BITS - self.0.leading_zeros()))
    }

    #[inline]
    fn runs(&self) -> impl Iterator<Item = (Lsn, Lsn)> + '_ {
        let mut left = *self;
        std::iter::from_fn(move || {
            if left.0 == 0 {
                return None;
            }
            let first = Lsn(u64::from(left.0.trailing_zeros()) + 1);
            let last = left.run_end(first)?;
            left.remove_range(first, last);
            Some((first, last))
        })
    }
}

impl Debug for Bits {
    #[inline]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt_runs(self.runs(), f)
    }
}

/// At most four truncation ranges of small numbers, inline, each packed into a word in the order of [`Range`]: for
/// exploration.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct FewRanges([u32; FewRanges::CAPACITY]);

impl FewRanges {
    pub const CAPACITY: usize = 4;
    /// A free place; sorts behind every range.
    const FREE: u32 = u32::MAX;

    #[inline]
    fn len(&self) -> usize {
        self.0.iter().filter(|&&word| word != Self::FREE).count()
    }
}

impl Default for FewRanges {
    #[inline]
    fn default() -> Self {
        FewRanges([Self::FREE; Self::CAPACITY])
    }
}

impl RangeList for FewRanges {
    #[inline]
    fn iter(&self) -> impl Iterator<Item = Range> + '_ {
        let byte = |word: u32, place: u32| word >> (8 * place) & 0xff;
        self.0.iter().take_while(|&&word| word != Self::FREE).map(move |&word| Range {
            ve: Epoch(byte(word, 2)),
            lo: Lsn(byte(word, 1).into()),
            hi: Lsn(byte(word, 0).into()),
        })
    }

    #[inline]
    fn add(&mut self, range: Range) {
        let narrow =
            |number: u64| u32::from(u8::try_from(number).expect("explored numbers are small: the bounds keep them so"));
        let word = narrow(range.ve.0.into()) << 16 | narrow(range.lo.0) << 8 | narrow(range.hi.0);
        if self.0.contains(&word) {
            return;
        }
        let len = self.len();
        assert!(
            len < Self::CAPACITY,
            "more than {} truncation ranges: the bounds allow fewer recoveries",
            Self::CAPACITY
        );
        self.0[len] = word;
        self.0.sort_unstable();
    }
}

impl Debug for FewRanges {
    #[inline]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

/// LSNs as sorted, disjoint, non-adjacent intervals: for the executors. Costs O(log n) a query in the number of gaps.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Intervals(Vec<(Lsn, Lsn)>);

impl Intervals {
    /// The index of the first interval that ends at or after `lsn`.
    fn at_or_after(&self, lsn: Lsn) -> usize {
        self.0.partition_point(|&(_, hi)| hi < lsn)
    }
}

impl LogSet for Intervals {
    type Ranges = Vec<Range>;

    fn insert_range(&mut self, lo: Lsn, hi: Lsn) {
        if lo > hi {
            return;
        }
        // Everything from the first interval that touches `lo - 1` to the last that touches `hi + 1` merges.
        let first = self.at_or_after(lo.previous());
        let last = self.0.partition_point(|&(start, _)| start <= hi.next());
        let merged = match self.0.get(first..last) {
            Some([]) | None => (lo, hi),
            Some(touched) => (touched[0].0.min(lo), touched[touched.len() - 1].1.max(hi)),
        };
        self.0.splice(first..last.max(first), [merged]);
    }

    fn remove_range(&mut self, lo: Lsn, hi: Lsn) {
        if lo > hi {
            return;
        }
        let first = self.at_or_after(lo);
        let last = self.0.partition_point(|&(start, _)| start <= hi);
        if first >= last {
            return;
        }
        let (start, end) = (self.0[first].0, self.0[last - 1].1);
        let left = (start < lo).then(|| (start, lo.previous()));
        let right = (end > hi).then(|| (hi.next(), end));
        self.0.splice(first..last, left.into_iter().chain(right));
    }

    fn contains(&self, lsn: Lsn) -> bool {
        self.run_end(lsn).is_some()
    }

    fn run_end(&self, lsn: Lsn) -> Option<Lsn> {
        let &(lo, hi) = self.0.get(self.at_or_after(lsn))?;
        (lo <= lsn).then_some(hi)
    }

    fn last(&self) -> Lsn {
        self.0.last().map(|&(_, hi)| hi).unwrap_or_default()
    }

    fn runs(&self) -> impl Iterator<Item = (Lsn, Lsn)> + '_ {
        self.0.iter().copied()
    }
}

impl Debug for Intervals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt_runs(self.runs(), f)
    }
}

impl RangeList for Vec<Range> {
    fn iter(&self) -> impl Iterator<Item = Range> + '_ {
        self.as_slice().iter().copied()
    }

    fn add(&mut self, range: Range) {
        if let Err(place) = self.binary_search(&range) {
            self.insert(place, range);
        }
    }
}

fn fmt_runs(runs: impl Iterator<Item = (Lsn, Lsn)>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let text = |(lo, hi): (Lsn, Lsn)| if lo == hi { lo.to_string() } else { format!("{lo}..{}", hi.0) };
    write!(f, "{{{}}}", itertools::Itertools::join(&mut runs.map(text), " "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[derive(Clone, Debug)]
    enum Op {
        Insert(u64, u64),
        Remove(u64, u64),
        Annul(u64, u64),
    }

    fn op() -> impl Strategy<Value = Op> {
        let pair = (1u64..=32, 0u64..8).prop_map(|(lo, n)| (lo, (lo + n).min(32)));
        prop_oneof![
            3 => pair.clone().prop_map(|(lo, hi)| Op::Insert(lo, hi)),
            1 => pair.clone().prop_map(|(lo, hi)| Op::Remove(lo, hi)),
            1 => pair.prop_map(|(lo, hi)| Op::Annul(lo, hi)),
        ]
    }

    /// The definition, LSN by LSN.
    fn scl_by_recount<L: LogSet>(held: &L, ranges: &L::Ranges) -> Lsn {
        let annulled = |l: u64| ranges.iter().any(|r| r.lo.0 <= l && l <= r.hi.0);
        let first_gap = (1..).find(|&l| !annulled(l) && !held.contains(Lsn(l))).expect("finite sets have a gap");
        Lsn((1..first_gap).rev().find(|&l| !annulled(l)).unwrap_or(0))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4000))]
        #[test]
        fn bits_and_intervals_agree(ops in proptest::collection::vec(op(), 0..24)) {
            let (mut bits, mut few) = (Bits::default(), FewRanges::default());
            let (mut intervals, mut many) = (Intervals::default(), Vec::<Range>::default());
            for op in ops {
                match op {
                    Op::Insert(lo, hi) => { bits.insert_range(Lsn(lo), Lsn(hi)); intervals.insert_range(Lsn(lo), Lsn(hi)); }
                    Op::Remove(lo, hi) => { bits.remove_range(Lsn(lo), Lsn(hi)); intervals.remove_range(Lsn(lo), Lsn(hi)); }
                    Op::Annul(lo, hi) if few.len() < FewRanges::CAPACITY => {
                        let range = Range { ve: Epoch(2), lo: Lsn(lo), hi: Lsn(hi) };
                        few.add(range);
                        many.add(range);
                    }
                    Op::Annul(..) => {}
                }
                prop_assert_eq!(bits.runs().collect::<Vec<_>>(), intervals.runs().collect::<Vec<_>>());
                prop_assert_eq!(few.iter().collect::<Vec<_>>(), many.clone());
                prop_assert_eq!(bits.last(), intervals.last());
                prop_assert_eq!(bits.scl(&few), intervals.scl(&many));
                prop_assert_eq!(bits.scl(&few), scl_by_recount(&bits, &few));
                for lsn in (1..=33).map(Lsn) {
                    prop_assert_eq!(bits.contains(lsn), intervals.contains(lsn));
                    prop_assert_eq!(bits.run_end(lsn), intervals.run_end(lsn));
                    prop_assert_eq!(few.annulled_until(lsn), many.annulled_until(lsn));
                }
                let (mut b, mut i) = (bits, intervals.clone());
                b.annul(&few);
                i.annul(&many);
                prop_assert_eq!(b.runs().collect::<Vec<_>>(), i.runs().collect::<Vec<_>>());
            }
        }
    }
}
