//! Crash recovery of a volume, steps R0 to R4 (protocol §4).
//!
//! R0, the new volume epoch, is the metadata service's ([`crate::metadata`]). Here: R1 collects the answers to FENCE_READ,
//! R2 decides where the log ends and what is annulled, R3 installs that on a write quorum with the kept prefix written
//! back, and the quorum opens the volume (R4). A crash anywhere starts again at R0 with a higher epoch.

use crate::logset::{LogSet, Range, RangeList};
use crate::rules::Rules;
use crate::segment::Answer;
use crate::types::{Epoch, Lsn, SegmentId, SegmentSet};
use serde::{Deserialize, Serialize};
use std::cmp::Ordering;

/// R1: the answers heard so far, by segment.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reading<L: LogSet, const N: usize> {
    pub(crate) answers: [Option<Answer<L>>; N],
    /// Answers of which it no longer matters whose they were. Only exploration puts any here.
    pub(crate) departed: Vec<Answer<L>>,
}

/// R2: where the volume's log ends and what the new epoch annuls.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct Decision<L: LogSet> {
    pub ve: Epoch,
    /// vdl′: everything kept is at or below it.
    pub vdl: Lsn,
    /// T and the new range: what TRUNC installs.
    pub ranges: L::Ranges,
    /// The end of the new range, 0 for the first writer: base of the allocation limit (C14).
    pub range_end: Lsn,
    /// The first LSN of the new writer.
    pub first: Lsn,
}

/// R3 and after: which segments have applied the truncation, and what their acknowledgements count for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Quorum<L: LogSet, const N: usize> {
    pub(crate) joined: SegmentSet,
    pub(crate) credit: [L; N],
    /// Credit of which it no longer matters whose it was, sorted. Only exploration puts any here.
    pub(crate) departed: [L; N],
    /// Copies ready for opening of which it no longer matters which they were.
    pub(crate) departed_ready: u8,
}

impl<L: LogSet, const N: usize> Reading<L, N> {
    #[must_use]
    pub fn begin() -> Self {
        Reading { answers: std::array::from_fn(|_| None), departed: Vec::new() }
    }

    /// A later answer of the same segment replaces the earlier one: it knows at least as much.
    pub fn hear(&mut self, from: SegmentId, answer: Answer<L>) {
        self.answers[from.index()] = Some(answer);
    }

    #[must_use]
    pub fn has_heard(&self, segment: SegmentId) -> bool {
        self.answers[segment.index()].is_some()
    }

    #[must_use]
    pub fn answer(&self, segment: SegmentId) -> Option<&Answer<L>> {
        self.answers[segment.index()].as_ref()
    }

    /// Answers heard.
    #[must_use]
    pub fn heard(&self) -> usize {
        self.all().count()
    }

    fn all(&self) -> impl Iterator<Item = &Answer<L>> {
        self.answers.iter().flatten().chain(&self.departed)
    }

    /// Forgets whose answer it was that `segment` gave.
    pub(crate) fn depart(&mut self, segment: SegmentId) {
        if let Some(answer) = self.answers[segment.index()].take() {
            self.departed.push(answer);
            self.departed.sort_unstable();
        }
    }

    /// R2. None until a read quorum has answered.
    #[must_use]
    pub fn decide(&self, rules: &Rules, ve: Epoch) -> Option<Decision<L>> {
        if !rules.may_decide(self.heard()) {
            return None;
        }
        let mut ranges = rules.honoured_ranges(self.all());
        let scls = self.all().map(|answer| scl_under(rules, answer, &ranges)).collect();
        let vdl = rules.recovery_point(scls);
        let seen = self.all().map(|answer| answer.ranges.highest()).max().unwrap_or_default();
        let range = Range { ve, lo: vdl.next(), hi: rules.range_end(vdl, seen) };
        ranges.add(range);
        Some(Decision { ve, vdl, ranges, range_end: range.hi, first: rules.first_lsn(range) })
    }

    /// The same answers with the segments renamed: copy `to` was copy `sources[to]`.
    #[must_use]
    pub fn permuted(&self, sources: &[usize; N]) -> Self {
        Reading {
            answers: std::array::from_fn(|to| self.answers[sources[to]].clone()),
            departed: self.departed.clone(),
        }
    }
}

/// The end of an answer's chain once the honoured ranges, not the segment's own, say what is annulled.
fn scl_under<L: LogSet>(rules: &Rules, answer: &Answer<L>, honoured: &L::Ranges) -> Lsn {
    let mut held = answer.held.clone();
    held.annul(honoured);
    rules.scl(&held, honoured)
}

impl<L: LogSet> Decision<L> {
    /// What the writer that creates the volume starts from.
    #[must_use]
    pub fn of_a_new_volume() -> Self {
        Decision { ve: Epoch::FIRST, vdl: Lsn::ZERO, ranges: L::Ranges::default(), range_end: Lsn::ZERO, first: Lsn(1) }
    }

    /// Whether this recovery kept the record of an older epoch.
    #[must_use]
    pub fn keeps(&self, lsn: Lsn) -> bool {
        lsn <= self.vdl && !self.ranges.annuls(lsn)
    }

    /// The first LSN in `first..=last` that this recovery did not keep.
    #[must_use]
    pub fn first_unkept(&self, first: Lsn, last: Lsn) -> Option<Lsn> {
        let above = self.vdl.next().max(first);
        let above = (above <= last).then_some(above);
        above.into_iter().chain(self.ranges.first_annulled_in(first, last)).min()
    }

    /// The stretches of `first..=last` that this recovery kept, ascending.
    pub fn kept_runs(&self, first: Lsn, last: Lsn) -> impl Iterator<Item = (Lsn, Lsn)> + '_ {
        let last = last.min(self.vdl);
        let mut at = first;
        std::iter::from_fn(move || {
            while let Some(end) = self.ranges.annulled_until(at) {
                at = end.next();
            }
            let run = (at <= last).then(|| (at, self.first_unkept(at, last).map_or(last, Lsn::previous)))?;
            at = run.1.next();
            Some(run)
        })
    }
}

impl<L: LogSet, const N: usize> Quorum<L, N> {
    #[must_use]
    pub fn nobody() -> Self {
        let nothing = || std::array::from_fn(|_| L::default());
        Quorum { joined: SegmentSet::EMPTY, credit: nothing(), departed: nothing(), departed_ready: 0 }
    }

    /// The segments of a new volume serve the first epoch from the start.
    #[must_use]
    pub fn everybody() -> Self {
        Quorum { joined: SegmentId::all(N).collect(), ..Quorum::nobody() }
    }

    /// TRUNC is durable at `from`, whose chain reaches `scl`.
    pub fn join(&mut self, from: SegmentId, scl: Lsn) {
        self.joined.insert(from);
        self.credit[from.index()].insert_range(Lsn(1), scl);
    }

    /// A write is durable at `from`; only a segment that applied the truncation acknowledges writes of its epoch.
    pub fn acknowledge(&mut self, rules: &Rules, from: SegmentId, lsn: Lsn, scl: Lsn) {
        self.joined.insert(from);
        let (lo, hi) = rules.credited(lsn, scl);
        self.credit[from.index()].insert_range(lo, hi);
    }

    #[must_use]
    pub fn has_joined(&self, segment: SegmentId) -> bool {
        self.joined.contains(segment)
    }

    /// Whether `segment`'s acknowledgements count for `lsn`.
    #[must_use]
    pub fn credits(&self, segment: SegmentId, lsn: Lsn) -> bool {
        self.credit[segment.index()].contains(lsn)
    }

    #[must_use]
    pub fn credit(&self, segment: SegmentId) -> &L {
        &self.credit[segment.index()]
    }

    #[must_use]
    pub fn is_quorate(&self, rules: &Rules, lsn: Lsn) -> bool {
        self.acknowledgements(lsn) >= rules.write_quorum()
    }

    /// How many copies have acknowledged `lsn`, which the VDL has not reached.
    #[must_use]
    pub fn acknowledgements(&self, lsn: Lsn) -> usize {
        self.credit.iter().chain(&self.departed).filter(|credit| credit.contains(lsn)).count()
    }

    /// R3 is complete: a write quorum has applied the truncation and holds the whole kept prefix.
    #[must_use]
    pub fn may_open(&self, rules: &Rules, decision: &Decision<L>) -> bool {
        let ready = SegmentId::all(N).filter(|&s| self.is_ready(rules, decision, s)).count();
        ready + self.departed_ready() >= rules.install_quorum()
    }

    /// This copy counts for opening: it has applied the truncation and holds the whole kept prefix.
    pub(crate) fn is_ready(&self, rules: &Rules, decision: &Decision<L>, segment: SegmentId) -> bool {
        let whole = decision.vdl == Lsn::ZERO || self.credits(segment, decision.vdl);
        self.has_joined(segment) && (!rules.writes_back_before_open() || whole)
    }

    pub(crate) fn departed_ready(&self) -> usize {
        self.departed_ready.into()
    }

    /// How many copies, of those whose name no longer matters, have acknowledged `lsn`.
    pub(crate) fn departed_credits(&self, lsn: Lsn) -> usize {
        self.departed.iter().filter(|credit| credit.contains(lsn)).count()
    }

    pub(crate) fn forget_joined(&mut self) {
        self.joined = SegmentSet::EMPTY;
        self.departed_ready = 0;
    }

    pub(crate) fn credit_mut(&mut self) -> impl Iterator<Item = &mut L> {
        self.credit.iter_mut().chain(&mut self.departed)
    }

    /// Forgets whose credit it was that `segment` gave an open writer.
    pub(crate) fn depart(&mut self, segment: SegmentId) {
        let credit = std::mem::take(&mut self.credit[segment.index()]);
        if !credit.is_empty() {
            // A copy departs once, so there is a free place for each.
            assert!(self.departed[0].is_empty(), "more copies departed than there are");
            self.departed[0] = credit;
            self.departed.sort_unstable();
        }
    }

    /// Forgets which copy it was that got ready for opening, or that it got halfway there.
    pub(crate) fn depart_installing(&mut self, rules: &Rules, decision: &Decision<L>, segment: SegmentId) {
        self.departed_ready += u8::from(self.is_ready(rules, decision, segment));
        self.forget_half_joined(segment);
    }

    pub(crate) fn forget_half_joined(&mut self, segment: SegmentId) {
        self.joined.remove(segment);
        self.credit[segment.index()] = L::default();
    }

    pub(crate) fn sort_departed(&mut self) {
        self.departed.sort_unstable();
    }

    /// What lies at or below the VDL is decided: remembering who holds it would only multiply states.
    pub fn forget_upto(&mut self, vdl: Lsn) {
        self.credit_mut().for_each(|credit| credit.remove_range(Lsn(1), vdl));
    }

    /// How what is known of copy `a` compares with what is known of copy `b`.
    #[must_use]
    pub fn compare_columns(&self, a: SegmentId, b: SegmentId) -> Ordering {
        let joined = |s| self.joined.contains(s);
        joined(a).cmp(&joined(b)).then_with(|| self.credit(a).cmp(self.credit(b)))
    }

    #[must_use]
    pub fn permuted(&self, sources: &[usize; N]) -> Self {
        Quorum {
            joined: self.joined.permuted(sources),
            credit: std::array::from_fn(|to| self.credit[sources[to]].clone()),
            departed: self.departed.clone(),
            departed_ready: self.departed_ready,
        }
    }
}
