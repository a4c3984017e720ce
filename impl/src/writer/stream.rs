//! The volume below the database: the instance that decides, and the bytes that follow its decisions.
//!
//! [`Stream`] steps the [`Instance`] and sends each node what it is owed until the node has answered. What a decision means
//! to clients is left in `effects` for the executor.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use sextant_model::instance::{Effect, Event, Instance, Owed, Phase};
use sextant_model::logset::{Intervals, LogSet, RangeList};
use sextant_model::recovery::Decision;
use sextant_model::rules::Rules;
use sextant_model::types::{Epoch, Lsn, SegmentId};

use super::database::Redo;
use super::fetches::{Fetches, Page};
use super::shipping::{Carrier, Shipping, frame_of};
use super::{COPIES, Taken};
use crate::flight::{self, Recorder, WriterEntry};
use crate::wire::messages::{NodeReply, NodeRequest, Record};

/// How long answers to FENCE_READ may still come in once the rule allows to decide.
const GRACE: Duration = Duration::from_millis(20);
/// When a request without an answer is sent again.
const REPEAT_AFTER: Duration = Duration::from_millis(300);
/// Bytes of records in one frame.
const FRAME_BYTES: usize = 4 << 20;

pub(crate) struct Stream<C> {
    /// When what is being handled came.
    now: Instant,
    rules: Rules,
    instance: Instance<Intervals, COPIES>,
    shipping: Shipping<C>,
    fetches: Fetches,
    /// What each node was last sent because it is owed, and when.
    sent: [Option<(Owed, Instant)>; COPIES],
    /// What each node held when it was fenced, for those that had answered when R2 decided: where write-back reads.
    sources: [Option<Intervals>; COPIES],
    /// The write-back that waits for records, by the node that lacks them.
    write_backs: [Option<Instant>; COPIES],
    write_back_attempts: usize,
    decide_at: Option<Instant>,
    /// Allocated since the last flush.
    fresh: Vec<Record>,
    fresh_bytes: usize,
    effects: VecDeque<Effect>,
    confirming_since: Option<Instant>,
    flight: Option<Recorder<WriterEntry>>,
}

impl<C: Carrier> Stream<C> {
    /// R0 has given the volume. `flight` records what happens, if somebody wants to know.
    pub fn new(
        rules: Rules,
        taken: &Taken,
        shipping: Shipping<C>,
        now: Instant,
        flight: Option<Recorder<WriterEntry>>,
    ) -> Self {
        Stream {
            now,
            rules,
            instance: if taken.creates { Instance::first() } else { Instance::recovering(taken.ve) },
            shipping,
            fetches: Fetches::default(),
            sent: [None; COPIES],
            sources: std::array::from_fn(|_| None),
            write_backs: [None; COPIES],
            write_back_attempts: 0,
            decide_at: None,
            fresh: Vec::new(),
            fresh_bytes: 0,
            effects: VecDeque::new(),
            confirming_since: None,
            flight,
        }
    }

    /// What follows happens at `now`, which never goes back.
    pub fn set_now(&mut self, now: Instant) {
        self.now = now;
    }

    pub fn instance(&self) -> &Instance<Intervals, COPIES> {
        &self.instance
    }

    pub fn ve(&self) -> Epoch {
        self.instance.ve()
    }

    pub fn is_open(&self) -> bool {
        self.instance.writer().is_some()
    }

    /// What the executor has still to do for the clients.
    pub fn next_effect(&mut self) -> Option<Effect> {
        self.record();
        self.effects.pop_front()
    }

    pub fn on_connected(&mut self, segment: SegmentId) {
        self.shipping.set_connected(segment, true);
        self.sent[segment.index()] = None;
        self.write_backs[segment.index()] = None;
        self.send_owed(segment);
        if self.lacks_confirmation(segment) {
            self.ask_confirmation(&[segment]);
        }
    }

    pub fn on_disconnected(&mut self, segment: SegmentId) {
        self.shipping.set_connected(segment, false);
        self.fetches.forget_asked(segment);
        self.ask_for_pages();
    }

    /// What a node says. The pages among it are for the database.
    pub(super) fn on_replies(&mut self, segment: SegmentId, replies: Vec<NodeReply>) -> Vec<Page> {
        let mut pages = Vec::new();
        for reply in replies {
            if let Some(event) = reply.event(segment) {
                self.step(event);
            }
            match reply {
                NodeReply::Acknowledged { lsn, scl, .. } => self.shipping.acknowledge(segment, lsn, scl),
                NodeReply::Truncated { scl, .. } => self.shipping.acknowledge(segment, Lsn::ZERO, scl),
                NodeReply::Page { id, lsn, value } => pages.extend(self.fetches.arrived(id, lsn, value)),
                NodeReply::PageRefused { id, .. } => self.fetches.refused(id),
                NodeReply::Records { id, records } => self.write_back(id, records),
                NodeReply::Fenced { .. }
                | NodeReply::Confirmed { .. }
                | NodeReply::Refused { .. }
                | NodeReply::GossipPush { .. } => {}
            }
        }
        let more = self.shipping.next_again(segment);
        self.send_records(segment, more);
        self.decide_or_wait();
        self.send_all_owed();
        self.ask_for_pages();
        pages
    }

    /// When [`Stream::on_time`] wants to be called, if before the next regular time.
    pub fn deadline(&self) -> Option<Instant> {
        self.decide_at
    }

    /// Sends again what was not answered.
    pub fn on_time(&mut self) {
        let now = self.now;
        if self.decide_at.is_some_and(|at| at <= now) {
            self.decide_at = None;
            self.decide();
        }
        for segment in SegmentId::all(COPIES).filter(|s| self.shipping.is_connected(*s)).collect::<Vec<_>>() {
            let repeats = self.sent[segment.index()].is_some_and(|(_, at)| now.duration_since(at) >= REPEAT_AFTER);
            match self.instance.owes(segment) {
                Owed::FenceRead | Owed::Truncate if repeats => self.send_owed(segment),
                Owed::Records if self.shipping.is_overdue(segment, now) => self.resend(segment),
                Owed::FenceRead | Owed::Truncate | Owed::Records | Owed::Nothing => {}
            }
            if self.write_backs[segment.index()].is_some_and(|at| now.duration_since(at) >= REPEAT_AFTER) {
                self.write_backs[segment.index()] = None;
            }
        }
        self.send_all_owed();
        if self.confirming_since.is_some_and(|at| now.duration_since(at) >= REPEAT_AFTER) {
            let missing: Vec<SegmentId> = SegmentId::all(COPIES).filter(|s| self.lacks_confirmation(*s)).collect();
            self.ask_confirmation(&missing);
        }
        self.fetches.forget_late(now);
        self.ask_for_pages();
    }

    /// A read of the state that is committed, under a number that the database has not.
    pub fn read_committed(&mut self) {
        if let Some(at) = self.instance.writer().map(|writer| writer.vdl) {
            self.step(Event::Read { id: u64::MAX, at });
        }
    }

    /// A confirmation round that nobody asked for.
    pub fn begin_round(&mut self) {
        self.step(Event::BeginRound);
    }

    /// Ships what was written since the last time: one frame for all nodes.
    pub fn flush(&mut self) {
        if self.fresh.is_empty() {
            return;
        }
        self.fresh_bytes = 0;
        let records = std::mem::take(&mut self.fresh);
        let Some(frame) = frame_of(&NodeRequest::Write { ve: self.ve(), records }) else { return };
        self.record();
        for segment in SegmentId::all(COPIES).filter(|s| self.instance.owes(*s) == Owed::Records) {
            self.shipping.send(segment, &frame);
        }
    }

    /// The instance's step, on record.
    fn decide_on(&mut self, event: Event<Intervals>) -> Vec<Effect> {
        let mut effects = Vec::new();
        let recorded = self.flight.is_some().then(|| event.clone());
        self.instance.step(&self.rules, event, &mut effects);
        if let (Some(flight), Some(event)) = (&mut self.flight, recorded) {
            flight.push(WriterEntry::Stepped { event, effects: flight::digest(&effects[..]) });
        }
        effects
    }

    /// What was done may leave now.
    fn record(&mut self) {
        if let Some(flight) = &mut self.flight {
            flight.flush_or_end();
        }
    }

    fn step(&mut self, event: Event<Intervals>) {
        for effect in self.decide_on(event) {
            match effect {
                Effect::AskConfirmation { .. } => self.ask_confirmation(&SegmentId::all(COPIES).collect::<Vec<_>>()),
                Effect::Committed { vdl } => {
                    self.shipping.bound(vdl);
                    self.effects.push_back(effect);
                }
                Effect::Decided { .. }
                | Effect::Opened { .. }
                | Effect::Allocated { .. }
                | Effect::Answer { .. }
                | Effect::Deposed { .. } => self.effects.push_back(effect),
            }
        }
    }

    // --- recovery ------------------------------------------------------------------------------------------------

    /// Decides at once when everybody has answered, a little later when the rule allows it already.
    fn decide_or_wait(&mut self) {
        let Phase::Reading(reading) = self.instance.phase() else { return };
        if reading.heard() == COPIES {
            self.decide();
        } else if self.decide_at.is_none() && reading.decide(&self.rules, self.instance.ve()).is_some() {
            self.decide_at = Some(self.now + GRACE);
        }
    }

    fn decide(&mut self) {
        let Phase::Reading(reading) = self.instance.phase() else { return };
        let held = |index: usize| reading.answer(SegmentId(index as u8)).map(|answer| answer.held.clone());
        let sources = std::array::from_fn(held);
        self.sources = sources;
        self.decide_at = None;
        self.step(Event::Decide);
    }

    fn send_all_owed(&mut self) {
        for segment in SegmentId::all(COPIES).filter(|s| self.shipping.is_connected(*s)).collect::<Vec<_>>() {
            let owed = self.instance.owes(segment);
            if self.sent[segment.index()].is_none_or(|(sent, _)| sent != owed) {
                self.send_owed(segment);
            }
            if owed == Owed::Records {
                self.ask_for_write_back(segment);
            }
        }
    }

    /// What the instance owes to a node that is connected.
    fn send_owed(&mut self, segment: SegmentId) {
        let owed = self.instance.owes(segment);
        self.sent[segment.index()] = Some((owed, self.now));
        let ve = self.ve();
        match owed {
            Owed::FenceRead => self.send(segment, &NodeRequest::FenceRead { ve }),
            Owed::Truncate => {
                if let Some(decision) = self.instance.decision() {
                    let truncate = NodeRequest::Truncate { ve, ranges: decision.ranges.clone() };
                    self.send(segment, &truncate);
                }
            }
            Owed::Records => self.resend(segment),
            Owed::Nothing => {}
        }
    }

    fn send(&mut self, segment: SegmentId, request: &NodeRequest) {
        if let Some(frame) = frame_of(request) {
            self.record();
            self.shipping.send(segment, &frame);
        }
    }

    fn resend(&mut self, segment: SegmentId) {
        let records = self.shipping.again(segment);
        self.send_records(segment, records);
    }

    fn send_records(&mut self, segment: SegmentId, records: Vec<Record>) {
        if !records.is_empty() {
            self.send(segment, &NodeRequest::Write { ve: self.ve(), records });
        }
    }

    /// R3's write-back: asks a node that holds them for the kept records that `segment` lacks next.
    fn ask_for_write_back(&mut self, segment: SegmentId) {
        let Some(decision) = self.instance.decision() else { return };
        let (ve, to) = (decision.ve, decision.vdl);
        if self.write_backs[segment.index()].is_some() || self.shipping.awaits_upto(segment, to) {
            return;
        }
        let Some(from) = first_kept_above(decision, self.shipping.scl(segment)) else { return };
        let holds = |s: &SegmentId| self.sources[s.index()].as_ref().is_some_and(|held| held.contains(from));
        let sources: Vec<SegmentId> =
            SegmentId::all(COPIES).filter(holds).filter(|s| self.shipping.is_connected(*s)).collect();
        // With no source, gossip has to bring them.
        let Some(source) = sources.get(self.write_back_attempts % sources.len().max(1)) else { return };
        self.write_back_attempts += 1;
        self.write_backs[segment.index()] = Some(self.now);
        self.send(*source, &NodeRequest::FetchRecords { id: segment.0.into(), ve, from, to });
    }

    /// Records that `segment` lacks have arrived.
    fn write_back(&mut self, segment: u64, records: Vec<Record>) {
        let Some(segment) = SegmentId::all(COPIES).find(|s| u64::from(s.0) == segment) else { return };
        let Some(decision) = self.instance.decision() else { return };
        let records: Vec<Record> = records.into_iter().filter(|record| decision.keeps(record.lsn)).collect();
        if records.is_empty() {
            // The clock asks another source.
            return;
        }
        self.write_backs[segment.index()] = None;
        for record in &records {
            self.shipping.keep(record.clone(), std::iter::once(segment));
        }
        self.send_records(segment, records);
    }

    // --- reads ---------------------------------------------------------------------------------------------------

    fn ask_confirmation(&mut self, segments: &[SegmentId]) {
        let Some(nonce) = self.instance.writer().and_then(|writer| writer.reads.in_flight()) else {
            self.confirming_since = None;
            return;
        };
        self.confirming_since = Some(self.now);
        let Some(frame) = frame_of(&NodeRequest::Confirm { ve: self.ve(), nonce }) else { return };
        self.record();
        segments.iter().for_each(|segment| self.shipping.send(*segment, &frame));
    }

    fn lacks_confirmation(&self, segment: SegmentId) -> bool {
        let reads = self.instance.writer().map(|writer| &writer.reads);
        reads.is_some_and(|reads| reads.in_flight().is_some() && !reads.has_confirmed(segment))
    }

    /// Asks a node for each page that nobody is being asked for, at the present VDL.
    fn ask_for_pages(&mut self) {
        let Some(writer) = self.instance.writer() else { return };
        let read_point = writer.vdl;
        let ve = self.instance.ve();
        let serves = |s: &SegmentId| self.shipping.is_connected(*s) && self.instance.owes(*s) == Owed::Records;
        let mut nodes: Vec<SegmentId> = SegmentId::all(COPIES).filter(serves).collect();
        // First those known to be complete; the others may be by now.
        nodes.sort_by_key(|s| self.shipping.scl(*s) < read_point);
        let complete = nodes.iter().filter(|s| self.shipping.scl(**s) >= read_point).count();
        for (segment, id, key) in self.fetches.ask(self.now, &nodes, complete) {
            self.send(segment, &NodeRequest::ReadPage { id, ve, key, read_point });
        }
    }
}

impl<C: Carrier> Redo for Stream<C> {
    fn has_room_for(&self, records: u64) -> bool {
        let last = |next: Lsn| next.plus(records.saturating_sub(1));
        let allowed =
            self.instance.writer().is_some_and(|w| self.rules.may_allocate(last(w.next), w.vdl, w.decision.range_end));
        records == 0 || allowed
    }

    fn write(&mut self, key: &[u8], value: Option<Vec<u8>>) -> Lsn {
        let Some(Effect::Allocated { lsn }) = self.decide_on(Event::Allocate).pop() else {
            unreachable!("the log has room: the database asked")
        };
        let record = Record { lsn, ve: self.ve(), key: key.to_vec(), value };
        self.shipping.keep(record.clone(), SegmentId::all(COPIES));
        self.fresh_bytes += record.payload_bytes();
        self.fresh.push(record);
        if self.fresh_bytes >= FRAME_BYTES {
            self.flush();
        }
        lsn
    }

    fn read(&mut self, id: u64, at: Lsn) {
        self.step(Event::Read { id, at });
    }

    fn fetch(&mut self, key: &[u8]) {
        if self.fetches.want(key) {
            self.ask_for_pages();
        }
    }
}

/// The first kept LSN above `scl`; none if there is none.
fn first_kept_above(decision: &Decision<Intervals>, scl: Lsn) -> Option<Lsn> {
    let mut at = scl.next();
    while let Some(end) = decision.ranges.annulled_until(at) {
        at = end.next();
    }
    (at <= decision.vdl).then_some(at)
}
