//! Read confirmation (protocol §13): a read answers only if its writer's epoch was still current after its invocation.
//!
//! One round at a time: a nonce is broadcast, and the members that confirm it, or acknowledge a write allocated after it,
//! are evidence. A round serves every read invoked before it began; reads invoked meanwhile wait for the next one.

use crate::rules::Rules;
use crate::types::{Lsn, Nonce, SegmentId, SegmentSet};

/// The reads of one writer that wait, and the round in flight.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reads {
    pub(crate) last_round: Nonce,
    pub(crate) round: Option<Round>,
    /// Oldest first.
    pub(crate) waiting: Vec<Read>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Round {
    /// Acknowledgements of records from this LSN on are evidence: they were allocated after the round began.
    pub(crate) first_lsn: Lsn,
    pub(crate) confirmed: SegmentSet,
}

/// A read that waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Read {
    /// The caller's name for it.
    pub id: u64,
    /// The LSN whose state it saw: it answers only once the VDL has reached it.
    pub at: Lsn,
    pub(crate) first_valid_round: Nonce,
}

impl Reads {
    /// A read is invoked that saw the state at `at`; `next` is the next LSN to be allocated. A round to broadcast, if one
    /// begins.
    #[inline]
    pub fn invoke(&mut self, rules: &Rules, id: u64, at: Lsn, next: Lsn) -> Option<Nonce> {
        let first_valid_round = rules.first_valid_round(self.last_round);
        self.waiting.push(Read { id, at, first_valid_round });
        if self.round.is_some() || rules.confirms_read(SegmentSet::EMPTY) { None } else { Some(self.begin(next)) }
    }

    /// Begins a round; law: none is in flight.
    #[inline]
    pub fn begin(&mut self, next: Lsn) -> Nonce {
        assert!(self.round.is_none(), "round {} is still in flight", self.last_round);
        self.last_round = Nonce(self.last_round.0 + 1);
        self.round = Some(Round { first_lsn: next, confirmed: SegmentSet::EMPTY });
        self.last_round
    }

    /// `from` answered round `nonce`; an answer to an earlier round is no evidence.
    #[inline]
    pub fn confirm(&mut self, from: SegmentId, nonce: Nonce) {
        if nonce == self.last_round
            && let Some(round) = &mut self.round
        {
            round.confirmed.insert(from);
        }
    }

    /// `from` acknowledged the write `lsn`: evidence only if it was allocated after the round began.
    #[inline]
    pub fn acknowledge(&mut self, from: SegmentId, lsn: Lsn) {
        if let Some(round) = &mut self.round
            && lsn >= round.first_lsn
        {
            round.confirmed.insert(from);
        }
    }

    /// The reads that may be answered at this VDL, oldest first, and the next round to broadcast, if one begins.
    #[inline]
    pub fn settle(&mut self, rules: &Rules, vdl: Lsn, next: Lsn) -> (Vec<Read>, Option<Nonce>) {
        if self.round.as_ref().is_some_and(|round| rules.confirms_read(round.confirmed)) {
            self.round = None;
        }
        let confirmed_upto = if self.round.is_some() { self.last_round.0 - 1 } else { self.last_round.0 };
        let unasked = rules.confirms_read(SegmentSet::EMPTY);
        let may_answer = |read: &Read| read.at <= vdl && (unasked || read.first_valid_round.0 <= confirmed_upto);
        let answered: Vec<Read> = self.waiting.iter().copied().filter(may_answer).collect();
        if !answered.is_empty() {
            self.waiting.retain(|read| !may_answer(read));
        }
        let unserved = |read: &Read| !unasked && read.first_valid_round.0 > confirmed_upto;
        let begins = self.round.is_none() && self.waiting.iter().any(unserved);
        (answered, begins.then(|| self.begin(next)))
    }

    /// The round in flight.
    #[must_use]
    #[inline]
    pub fn in_flight(&self) -> Option<Nonce> {
        self.round.as_ref().map(|_| self.last_round)
    }

    /// Whether any round has begun, in flight or not.
    #[must_use]
    #[inline]
    pub fn has_begun(&self) -> bool {
        self.last_round != Nonce::default()
    }

    #[must_use]
    #[inline]
    pub fn has_confirmed(&self, segment: SegmentId) -> bool {
        self.round.as_ref().is_some_and(|round| round.confirmed.contains(segment))
    }

    #[must_use]
    #[inline]
    pub fn waiting(&self) -> &[Read] {
        &self.waiting
    }

    #[must_use]
    #[inline]
    pub fn permuted(&self, sources: &[usize]) -> Self {
        let permute = |round: &Round| Round { confirmed: round.confirmed.permuted(sources), ..round.clone() };
        Reads { last_round: self.last_round, round: self.round.as_ref().map(permute), waiting: self.waiting.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: Rules = Rules::adopted();
    const NEXT: Lsn = Lsn(10);

    fn ids(reads: &[Read]) -> Vec<u64> {
        reads.iter().map(|read| read.id).collect()
    }

    fn confirm_by(reads: &mut Reads, segments: std::ops::Range<u8>, nonce: u64) {
        segments.for_each(|s| reads.confirm(SegmentId(s), Nonce(nonce)));
    }

    #[test]
    fn a_read_answers_after_three_members_confirmed_its_round() {
        let mut reads = Reads::default();
        assert_eq!(reads.invoke(&RULES, 1, Lsn(4), NEXT), Some(Nonce(1)));
        confirm_by(&mut reads, 0..2, 1);
        assert_eq!(reads.settle(&RULES, Lsn(4), NEXT), (vec![], None));
        confirm_by(&mut reads, 1..2, 1);
        assert_eq!(reads.settle(&RULES, Lsn(4), NEXT), (vec![], None), "the same member twice is one member");
        confirm_by(&mut reads, 2..3, 1);
        assert_eq!(ids(&reads.settle(&RULES, Lsn(4), NEXT).0), [1]);
    }

    #[test]
    fn a_read_invoked_during_a_round_waits_for_the_next() {
        let mut reads = Reads::default();
        reads.invoke(&RULES, 1, Lsn(0), NEXT);
        assert_eq!(reads.invoke(&RULES, 2, Lsn(0), NEXT), None);
        confirm_by(&mut reads, 0..3, 1);
        let (answered, round) = reads.settle(&RULES, Lsn(0), NEXT);
        assert_eq!((ids(&answered), round), (vec![1], Some(Nonce(2))));
        confirm_by(&mut reads, 0..6, 1);
        assert_eq!(reads.settle(&RULES, Lsn(0), NEXT), (vec![], None), "answers to the earlier round do not count");
        confirm_by(&mut reads, 3..6, 2);
        assert_eq!(ids(&reads.settle(&RULES, Lsn(0), NEXT).0), [2]);
    }

    #[test]
    fn an_acknowledgement_is_evidence_only_if_allocated_after_the_round_began() {
        let mut reads = Reads::default();
        reads.invoke(&RULES, 1, Lsn(0), NEXT);
        (0..6).for_each(|s| reads.acknowledge(SegmentId(s), Lsn(9)));
        assert_eq!(reads.settle(&RULES, Lsn(0), NEXT), (vec![], None));
        (0..3).for_each(|s| reads.acknowledge(SegmentId(s), Lsn(10)));
        assert_eq!(ids(&reads.settle(&RULES, Lsn(0), NEXT).0), [1]);
    }

    #[test]
    fn a_failed_compare_waits_for_the_version_it_compared_with() {
        let mut reads = Reads::default();
        reads.invoke(&RULES, 1, Lsn(7), NEXT);
        confirm_by(&mut reads, 0..3, 1);
        assert_eq!(reads.settle(&RULES, Lsn(6), NEXT), (vec![], None));
        assert_eq!(ids(&reads.settle(&RULES, Lsn(7), NEXT).0), [1]);
    }
}
