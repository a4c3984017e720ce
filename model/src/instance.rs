//! The database instance: one writer incarnation, from its recovery to its end (protocol §2, §4, §13).
//!
//! It recovers the volume at its epoch, then allocates LSNs, counts acknowledgements (SCL → PGCL → VCL → VDL, which are
//! one number with one group and every record a consistency point), commits, and answers reads that are confirmed. A
//! writer that has been replaced is one that takes no step, or takes one later: nothing here knows that it is old, only a
//! storage node's refusal tells.

use crate::confirm::Reads;
use crate::logset::LogSet;
use crate::recovery::{Decision, Quorum, Reading};
use crate::rules::{Refusal, Rules};
use crate::segment::{Answer, Reply};
use crate::types::{Epoch, Lsn, Nonce, SegmentId};
use serde::{Deserialize, Serialize};
use std::cmp::Ordering;

/// One writer incarnation.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instance<L: LogSet, const N: usize> {
    ve: Epoch,
    phase: Phase<L, N>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Phase<L: LogSet, const N: usize> {
    /// R1
    Reading(Reading<L, N>),
    /// R3
    Installing { decision: Decision<L>, quorum: Quorum<L, N> },
    /// R4 and after
    Open(Writer<L, N>),
    /// A storage node said that a newer epoch exists: it serves nobody any more.
    Deposed,
}

/// An open volume's writer.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Writer<L: LogSet, const N: usize> {
    pub decision: Decision<L>,
    pub quorum: Quorum<L, N>,
    /// The next LSN to be allocated.
    pub next: Lsn,
    /// Volume durable LSN: every commit at or below it is acknowledged, every read is at it.
    pub vdl: Lsn,
    pub reads: Reads,
}

/// What happens to an instance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(bound = "")]
pub enum Event<L: LogSet> {
    Fenced {
        from: SegmentId,
        ve: Epoch,
        answer: Answer<L>,
    },
    /// Enough answers, and none is waited for any longer.
    Decide,
    Truncated {
        from: SegmentId,
        ve: Epoch,
        scl: Lsn,
    },
    Acknowledged {
        from: SegmentId,
        ve: Epoch,
        lsn: Lsn,
        scl: Lsn,
    },
    Confirmed {
        from: SegmentId,
        ve: Epoch,
        nonce: Nonce,
    },
    Refused {
        ve: Epoch,
        refusal: Refusal,
    },
    /// The database has a redo record to write.
    Allocate,
    /// A client's read, failed compare or count, which saw the state at `at`.
    Read {
        id: u64,
        at: Lsn,
    },
    /// A confirmation round without a read that asked for it.
    BeginRound,
}

/// What an instance asks of its executor, in order. What it owes each segment is asked with [`Instance::owes`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Effect {
    /// R2 is done: where the log ends.
    Decided { vdl: Lsn },
    /// R4: clients may be served.
    Opened { vdl: Lsn },
    /// Ship the record `lsn` to every member.
    Allocated { lsn: Lsn },
    /// Commits up to here are acknowledged to their clients.
    Committed { vdl: Lsn },
    /// Ask every member to confirm the epoch.
    AskConfirmation { nonce: Nonce },
    /// Answer the client's read, which saw the state at `at`.
    Answer { id: u64, at: Lsn },
    /// Serve nobody any more.
    Deposed { by: Epoch },
}

/// What a segment still needs from an instance; the executor sends it until the answer is heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owed {
    FenceRead,
    Truncate,
    /// Every kept or allocated record that the segment has not acknowledged.
    Records,
    Nothing,
}

impl<L: LogSet, const N: usize> Instance<L, N> {
    /// The writer that creates the volume: it has nothing to recover.
    #[must_use]
    pub fn first() -> Self {
        let writer = Writer::open(Decision::of_a_new_volume(), Quorum::everybody());
        Instance { ve: Epoch::FIRST, phase: Phase::Open(writer) }
    }

    /// R0 has given `ve`.
    #[must_use]
    pub fn recovering(ve: Epoch) -> Self {
        Instance { ve, phase: Phase::Reading(Reading::begin()) }
    }

    /// The instance that was packed.
    pub(crate) fn unpacked(ve: Epoch, phase: Phase<L, N>) -> Self {
        Instance { ve, phase }
    }

    /// The event in which a segment's reply reaches an instance.
    #[must_use]
    pub fn event_of(from: SegmentId, reply: Reply<L>) -> Event<L> {
        match reply {
            Reply::Acknowledged { ve, lsn, scl, .. } => Event::Acknowledged { from, ve, lsn, scl },
            Reply::Fenced { ve, answer, .. } => Event::Fenced { from, ve, answer },
            Reply::Truncated { ve, scl, .. } => Event::Truncated { from, ve, scl },
            Reply::Confirmed { ve, nonce } => Event::Confirmed { from, ve, nonce },
            Reply::Refused { ve, refusal } => Event::Refused { ve, refusal },
        }
    }

    pub fn step(&mut self, rules: &Rules, event: Event<L>, effects: &mut Vec<Effect>) {
        let mine = |ve: Epoch| ve == self.ve;
        match event {
            Event::Fenced { from, ve, answer } if mine(ve) => self.on_fenced(from, answer),
            Event::Truncated { from, ve, scl } if mine(ve) => self.on_truncated(rules, from, scl, effects),
            Event::Acknowledged { from, ve, lsn, scl } if mine(ve) => {
                self.on_acknowledged(rules, from, lsn, scl, effects);
            }
            Event::Confirmed { from, ve, nonce } if mine(ve) => self.on_confirmed(rules, from, nonce, effects),
            Event::Refused { ve, refusal } if mine(ve) => self.on_refused(refusal, effects),
            // A reply to another incarnation says nothing about this one.
            Event::Fenced { .. }
            | Event::Truncated { .. }
            | Event::Acknowledged { .. }
            | Event::Confirmed { .. }
            | Event::Refused { .. } => {}
            Event::Decide => self.on_decide(rules, effects),
            Event::Allocate => self.on_allocate(rules, effects),
            Event::Read { id, at } => self.on_read(rules, id, at, effects),
            Event::BeginRound => self.on_begin_round(effects),
        }
    }

    #[must_use]
    pub fn ve(&self) -> Epoch {
        self.ve
    }

    #[must_use]
    pub fn phase(&self) -> &Phase<L, N> {
        &self.phase
    }

    pub(crate) fn phase_mut(&mut self) -> &mut Phase<L, N> {
        &mut self.phase
    }

    #[must_use]
    pub fn writer(&self) -> Option<&Writer<L, N>> {
        match &self.phase {
            Phase::Open(writer) => Some(writer),
            Phase::Reading(_) | Phase::Installing { .. } | Phase::Deposed => None,
        }
    }

    /// What R2 decided, once it has.
    #[must_use]
    pub fn decision(&self) -> Option<&Decision<L>> {
        match &self.phase {
            Phase::Installing { decision, .. } => Some(decision),
            Phase::Open(writer) => Some(&writer.decision),
            Phase::Reading(_) | Phase::Deposed => None,
        }
    }

    #[must_use]
    pub fn quorum(&self) -> Option<&Quorum<L, N>> {
        match &self.phase {
            Phase::Installing { quorum, .. } => Some(quorum),
            Phase::Open(writer) => Some(&writer.quorum),
            Phase::Reading(_) | Phase::Deposed => None,
        }
    }

    /// Whether the next record may be allocated now.
    #[must_use]
    pub fn may_allocate(&self, rules: &Rules) -> bool {
        self.writer().is_some_and(|w| rules.may_allocate(w.next, w.vdl, w.decision.range_end))
    }

    /// What `segment` still needs.
    #[must_use]
    pub fn owes(&self, segment: SegmentId) -> Owed {
        match &self.phase {
            Phase::Reading(reading) if reading.has_heard(segment) => Owed::Nothing,
            Phase::Reading(_) => Owed::FenceRead,
            Phase::Installing { quorum, .. } if !quorum.has_joined(segment) => Owed::Truncate,
            Phase::Open(writer) if !writer.quorum.has_joined(segment) => Owed::Truncate,
            Phase::Installing { .. } | Phase::Open(_) => Owed::Records,
            Phase::Deposed => Owed::Nothing,
        }
    }

    /// How what this instance knows of copy `a` compares with what it knows of copy `b`; equal if the two could be swapped.
    #[must_use]
    pub fn compare_columns(&self, a: usize, b: usize) -> Ordering {
        let (a, b) = (SegmentId(a as u8), SegmentId(b as u8));
        match &self.phase {
            Phase::Reading(reading) => reading.answer(a).cmp(&reading.answer(b)),
            Phase::Installing { quorum, .. } => quorum.compare_columns(a, b),
            Phase::Open(writer) => {
                let confirmed = |s| writer.reads.has_confirmed(s);
                writer.quorum.compare_columns(a, b).then_with(|| confirmed(a).cmp(&confirmed(b)))
            }
            Phase::Deposed => Ordering::Equal,
        }
    }

    /// The same instance with the segments renamed: copy `to` was copy `sources[to]`.
    #[must_use]
    pub fn permuted(&self, sources: &[usize; N]) -> Self {
        let phase = match &self.phase {
            Phase::Reading(reading) => Phase::Reading(reading.permuted(sources)),
            Phase::Installing { decision, quorum } => {
                Phase::Installing { decision: decision.clone(), quorum: quorum.permuted(sources) }
            }
            Phase::Open(writer) => Phase::Open(writer.permuted(sources)),
            Phase::Deposed => Phase::Deposed,
        };
        Instance { ve: self.ve, phase }
    }

    fn on_fenced(&mut self, from: SegmentId, answer: Answer<L>) {
        if let Phase::Reading(reading) = &mut self.phase {
            reading.hear(from, answer);
        }
    }

    fn on_decide(&mut self, rules: &Rules, effects: &mut Vec<Effect>) {
        let Phase::Reading(reading) = &self.phase else { return };
        if let Some(decision) = reading.decide(rules, self.ve) {
            effects.push(Effect::Decided { vdl: decision.vdl });
            self.phase = Phase::Installing { decision, quorum: Quorum::nobody() };
        }
    }

    fn on_truncated(&mut self, rules: &Rules, from: SegmentId, scl: Lsn, effects: &mut Vec<Effect>) {
        match &mut self.phase {
            Phase::Installing { quorum, .. } => quorum.join(from, scl),
            Phase::Open(writer) => {
                writer.quorum.join(from, scl);
                writer.advance(rules, effects);
            }
            Phase::Reading(_) | Phase::Deposed => {}
        }
        self.open_if_installed(rules, effects);
    }

    fn on_acknowledged(&mut self, rules: &Rules, from: SegmentId, lsn: Lsn, scl: Lsn, effects: &mut Vec<Effect>) {
        match &mut self.phase {
            Phase::Installing { quorum, .. } => quorum.acknowledge(rules, from, lsn, scl),
            Phase::Open(writer) => {
                writer.quorum.acknowledge(rules, from, lsn, scl);
                writer.reads.acknowledge(from, lsn);
                writer.advance(rules, effects);
            }
            Phase::Reading(_) | Phase::Deposed => {}
        }
        self.open_if_installed(rules, effects);
    }

    fn open_if_installed(&mut self, rules: &Rules, effects: &mut Vec<Effect>) {
        if let Phase::Installing { decision, quorum } = &self.phase
            && quorum.may_open(rules, decision)
        {
            effects.push(Effect::Opened { vdl: decision.vdl });
            self.phase = Phase::Open(Writer::open(decision.clone(), quorum.clone()));
        }
    }

    fn on_confirmed(&mut self, rules: &Rules, from: SegmentId, nonce: Nonce, effects: &mut Vec<Effect>) {
        if let Phase::Open(writer) = &mut self.phase {
            writer.reads.confirm(from, nonce);
            writer.settle_reads(rules, effects);
        }
    }

    fn on_refused(&mut self, refusal: Refusal, effects: &mut Vec<Effect>) {
        if let Refusal::StaleVolumeEpoch { fenced } = refusal
            && fenced > self.ve
            && self.phase != Phase::Deposed
        {
            self.phase = Phase::Deposed;
            effects.push(Effect::Deposed { by: fenced });
        }
    }

    fn on_allocate(&mut self, rules: &Rules, effects: &mut Vec<Effect>) {
        if !self.may_allocate(rules) {
            return;
        }
        if let Phase::Open(writer) = &mut self.phase {
            effects.push(Effect::Allocated { lsn: writer.next });
            writer.next = writer.next.next();
        }
    }

    fn on_read(&mut self, rules: &Rules, id: u64, at: Lsn, effects: &mut Vec<Effect>) {
        if let Phase::Open(writer) = &mut self.phase {
            let round = writer.reads.invoke(rules, id, at, writer.next);
            effects.extend(round.map(|nonce| Effect::AskConfirmation { nonce }));
            writer.settle_reads(rules, effects);
        }
    }

    fn on_begin_round(&mut self, effects: &mut Vec<Effect>) {
        if let Phase::Open(writer) = &mut self.phase
            && writer.reads.in_flight().is_none()
        {
            let nonce = writer.reads.begin(writer.next);
            effects.push(Effect::AskConfirmation { nonce });
        }
    }
}

impl<L: LogSet, const N: usize> Writer<L, N> {
    fn open(decision: Decision<L>, mut quorum: Quorum<L, N>) -> Self {
        quorum.forget_upto(decision.vdl);
        Writer { next: decision.first, vdl: decision.vdl, decision, quorum, reads: Reads::default() }
    }

    /// Moves the VDL over every record that has become quorate without a gap before it.
    fn advance(&mut self, rules: &Rules, effects: &mut Vec<Effect>) {
        let before = self.vdl;
        let mut candidate = self.vdl.next().max(self.decision.first);
        while candidate < self.next && self.quorum.is_quorate(rules, candidate) {
            self.vdl = candidate;
            candidate = candidate.next();
        }
        self.quorum.forget_upto(self.vdl);
        if self.vdl > before {
            effects.push(Effect::Committed { vdl: self.vdl });
        }
        self.settle_reads(rules, effects);
    }

    fn settle_reads(&mut self, rules: &Rules, effects: &mut Vec<Effect>) {
        let (answered, round) = self.reads.settle(rules, self.vdl, self.next);
        effects.extend(answered.iter().map(|read| Effect::Answer { id: read.id, at: read.at }));
        effects.extend(round.map(|nonce| Effect::AskConfirmation { nonce }));
    }

    fn permuted(&self, sources: &[usize; N]) -> Self {
        Writer {
            decision: self.decision.clone(),
            quorum: self.quorum.permuted(sources),
            next: self.next,
            vdl: self.vdl,
            reads: self.reads.permuted(sources),
        }
    }
}
