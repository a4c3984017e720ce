//! What was sent to which node and is not acknowledged: records are kept until every copy has them, within bounds.
//!
//! This is retransmission, not protocol: which acknowledgement counts for what is the instance's to say. Beyond the bounds,
//! gossip fills the holes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::Serialize;
use sextant_model::types::{Lsn, SegmentId};

use super::COPIES;
use crate::wire::frame::encode_frame;
use crate::wire::messages::Record;

/// Records kept for copies that lag.
const RECORDS_MAX: usize = 100_000;
const RECORD_BYTES_MAX: usize = 256 << 20;
/// Of one resend.
const RESEND_MAX: usize = 512;
const RESEND_BYTES: usize = 4 << 20;
/// How long the oldest record may be without an answer on a connection that stands.
const RESEND_AFTER: Duration = Duration::from_millis(300);

/// The way to one node: it may lose what it is given.
pub(crate) trait Carrier {
    /// False if the node is so slow that there is no room.
    fn send(&self, frame: &Arc<[u8]>) -> bool;
}

pub(crate) struct Shipping<C> {
    lanes: [Lane<C>; COPIES],
    /// By LSN, with the number of lanes that wait for its acknowledgement.
    kept: BTreeMap<Lsn, (Record, usize)>,
    kept_bytes: usize,
}

/// One node.
struct Lane<C> {
    carrier: C,
    is_connected: bool,
    unacknowledged: BTreeSet<Lsn>,
    /// The oldest of them, and since when it is that.
    oldest: Option<(Lsn, Instant)>,
    /// The highest heard from it.
    scl: Lsn,
    again: Option<Again>,
}

/// A resend that takes several frames: the next one goes when the one before is acknowledged.
#[derive(Clone, Copy)]
struct Again {
    /// Sent again up to here.
    sent: Lsn,
    /// Above it lies what was sent once, and may well be on its way.
    last: Lsn,
}

impl<C: Carrier> Shipping<C> {
    pub fn new(carriers: [C; COPIES]) -> Self {
        let lane = |carrier| Lane {
            carrier,
            is_connected: false,
            unacknowledged: BTreeSet::new(),
            oldest: None,
            scl: Lsn::ZERO,
            again: None,
        };
        Shipping { lanes: carriers.map(lane), kept: BTreeMap::new(), kept_bytes: 0 }
    }

    pub fn set_connected(&mut self, segment: SegmentId, is_connected: bool) {
        let lane = &mut self.lanes[segment.index()];
        lane.is_connected = is_connected;
        lane.oldest = None;
    }

    pub fn is_connected(&self, segment: SegmentId) -> bool {
        self.lanes[segment.index()].is_connected
    }

    /// How far the node's chain reaches, as far as it has told.
    pub fn scl(&self, segment: SegmentId) -> Lsn {
        self.lanes[segment.index()].scl
    }

    /// Sends a frame where there is a connection; whether it arrives is another matter.
    pub fn send(&self, segment: SegmentId, frame: &Arc<[u8]>) {
        let lane = &self.lanes[segment.index()];
        if lane.is_connected {
            // No room: what is owed is sent again by the clock.
            let _ = lane.carrier.send(frame);
        }
    }

    /// Keeps a record until all of `segments` have acknowledged it.
    pub fn keep(&mut self, record: Record, segments: impl Iterator<Item = SegmentId>) {
        let lsn = record.lsn;
        let bytes = record.payload_bytes();
        let mut waiting = 0;
        for segment in segments {
            waiting += usize::from(self.lanes[segment.index()].unacknowledged.insert(lsn));
        }
        if waiting == 0 {
            return;
        }
        let (_, count) = self.kept.entry(lsn).or_insert_with(|| {
            self.kept_bytes += bytes;
            (record, 0)
        });
        *count += waiting;
    }

    /// `segment` has made `lsn` durable, and everything up to `scl`.
    pub fn acknowledge(&mut self, segment: SegmentId, lsn: Lsn, scl: Lsn) {
        let lane = &mut self.lanes[segment.index()];
        lane.scl = lane.scl.max(scl);
        let mut done = Vec::new();
        while let Some(first) = lane.unacknowledged.first().copied().filter(|first| *first <= scl) {
            lane.unacknowledged.remove(&first);
            done.push(first);
        }
        if lane.unacknowledged.remove(&lsn) {
            done.push(lsn);
        }
        done.into_iter().for_each(|lsn| self.release(lsn));
    }

    /// Forgets the oldest records while there are too many; only what is at or below `vdl`, which has its quorum.
    pub fn bound(&mut self, vdl: Lsn) {
        while self.kept.len() > RECORDS_MAX || self.kept_bytes > RECORD_BYTES_MAX {
            match self.kept.first_key_value() {
                Some((&lsn, _)) if lsn <= vdl => self.forget(lsn),
                _ => return,
            }
        }
    }

    /// The oldest records that `segment` has not acknowledged: a frame's worth. [`Shipping::next_again`] gives the rest.
    pub fn again(&mut self, segment: SegmentId) -> Vec<Record> {
        let last = self.lanes[segment.index()].unacknowledged.last().copied().unwrap_or_default();
        self.frameful(segment, last)
    }

    /// The next records of a resend, once those before are acknowledged.
    pub fn next_again(&mut self, segment: SegmentId) -> Vec<Record> {
        let lane = &self.lanes[segment.index()];
        let due = |again: &Again| lane.unacknowledged.first().is_some_and(|f| again.sent < *f && *f <= again.last);
        match lane.again.filter(due) {
            Some(again) => self.frameful(segment, again.last),
            None => Vec::new(),
        }
    }

    fn frameful(&mut self, segment: SegmentId, last: Lsn) -> Vec<Record> {
        let mut room = RESEND_BYTES;
        let lane = &mut self.lanes[segment.index()];
        let fits = |record: &&Record| {
            let fits = room > 0;
            room = room.saturating_sub(record.payload_bytes());
            fits
        };
        let kept = lane.unacknowledged.range(..=last).take(RESEND_MAX).filter_map(|lsn| self.kept.get(lsn));
        let records: Vec<Record> = kept.map(|(record, _)| record).take_while(fits).cloned().collect();
        lane.again = records.last().map(|record| Again { sent: record.lsn, last });
        records
    }

    pub fn awaits_upto(&self, segment: SegmentId, upto: Lsn) -> bool {
        self.lanes[segment.index()].unacknowledged.first().is_some_and(|&lsn| lsn <= upto)
    }

    /// Whether the node has owed an answer for its oldest record for too long: the record was lost on the way.
    pub fn is_overdue(&mut self, segment: SegmentId, now: Instant) -> bool {
        let lane = &mut self.lanes[segment.index()];
        let Some(&first) = lane.unacknowledged.first() else {
            lane.oldest = None;
            return false;
        };
        match lane.oldest {
            Some((lsn, since)) if lsn == first => {
                let overdue = now.duration_since(since) >= RESEND_AFTER;
                if overdue {
                    lane.oldest = Some((first, now));
                }
                overdue
            }
            _ => {
                lane.oldest = Some((first, now));
                false
            }
        }
    }

    fn release(&mut self, lsn: Lsn) {
        if let Some((_, waiting)) = self.kept.get_mut(&lsn) {
            *waiting -= 1;
            if *waiting == 0 {
                self.forget(lsn);
            }
        }
    }

    fn forget(&mut self, lsn: Lsn) {
        if let Some((record, waiting)) = self.kept.remove(&lsn) {
            self.kept_bytes -= record.payload_bytes();
            if waiting > 0 {
                for lane in &mut self.lanes {
                    lane.unacknowledged.remove(&lsn);
                }
            }
        }
    }
}

/// The frame of a message, to be shared; none, with a line for the log, if it cannot be one.
pub(super) fn frame_of<T: Serialize>(message: &T) -> Option<Arc<[u8]>> {
    let mut bytes = Vec::new();
    match encode_frame(message, &mut bytes) {
        Ok(()) => Some(bytes.into()),
        Err(error) => {
            eprintln!("writer: encode a message: {error}");
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sextant_model::types::Epoch;

    const A: SegmentId = SegmentId(0);
    const B: SegmentId = SegmentId(1);

    /// Never connected.
    struct Dead;

    impl Carrier for Dead {
        fn send(&self, _: &Arc<[u8]>) -> bool {
            false
        }
    }

    fn shipping(lsns: impl Iterator<Item = u64>) -> Shipping<Dead> {
        let mut shipping = Shipping::new(std::array::from_fn(|_| Dead));
        for lsn in lsns {
            let record = Record { lsn: Lsn(lsn), ve: Epoch(2), key: b"k".to_vec(), value: Some(b"v".to_vec()) };
            shipping.keep(record, [A, B].into_iter());
        }
        shipping
    }

    fn lsns(records: &[Record]) -> Vec<u64> {
        records.iter().map(|record| record.lsn.0).collect()
    }

    #[test]
    fn a_record_is_kept_until_every_copy_has_it() {
        let mut shipping = shipping(1..=3);
        shipping.acknowledge(A, Lsn(3), Lsn(1));
        assert_eq!(lsns(&shipping.again(A)), [2], "1 by its chain, 3 by itself");
        assert_eq!(lsns(&shipping.again(B)), [1, 2, 3]);
        shipping.acknowledge(B, Lsn(3), Lsn(3));
        assert_eq!((shipping.kept.len(), shipping.kept_bytes), (1, 2));
        shipping.acknowledge(A, Lsn(2), Lsn(3));
        assert_eq!((shipping.kept.len(), shipping.kept_bytes), (0, 0));
    }

    #[test]
    fn a_long_resend_goes_on_when_its_last_frame_has_arrived() {
        let all = RESEND_MAX as u64 + 10;
        let mut shipping = shipping(1..=all);
        assert_eq!(shipping.again(A).len(), RESEND_MAX);
        let later = Record { lsn: Lsn(all + 1), ve: Epoch(2), key: Vec::new(), value: None };
        shipping.keep(later, std::iter::once(A));
        assert!(shipping.next_again(A).is_empty(), "not before it is acknowledged");
        let half = Lsn(RESEND_MAX as u64);
        shipping.acknowledge(A, half, half);
        assert_eq!(
            lsns(&shipping.next_again(A)),
            (half.0 + 1..=all).collect::<Vec<_>>(),
            "what came later is on its way"
        );
        shipping.acknowledge(A, Lsn(all), Lsn(all));
        assert!(shipping.next_again(A).is_empty());
    }

    #[test]
    fn only_what_has_its_quorum_is_forgotten() {
        let mut shipping = shipping(1..=RECORDS_MAX as u64 + 5);
        shipping.bound(Lsn(3));
        assert_eq!(shipping.kept.first_key_value().map(|(lsn, _)| *lsn), Some(Lsn(4)));
        shipping.bound(Lsn(1000));
        assert_eq!(shipping.kept.len(), RECORDS_MAX);
        assert_eq!(shipping.lanes[0].unacknowledged.len(), RECORDS_MAX);
    }
}
