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
use super::links::Link;
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

pub(super) struct Shipping {
    lanes: [Lane; COPIES],
    /// By LSN, with the number of lanes that wait for its acknowledgement.
    kept: BTreeMap<Lsn, (Record, usize)>,
    kept_bytes: usize,
}

/// One node.
struct Lane {
    link: Link,
    is_connected: bool,
    unacknowledged: BTreeSet<Lsn>,
    /// The oldest of them, and since when it is that.
    oldest: Option<(Lsn, Instant)>,
    /// The highest heard from it.
    scl: Lsn,
}

impl Shipping {
    pub fn new(links: [Link; COPIES]) -> Self {
        let lane =
            |link| Lane { link, is_connected: false, unacknowledged: BTreeSet::new(), oldest: None, scl: Lsn::ZERO };
        Shipping { lanes: links.map(lane), kept: BTreeMap::new(), kept_bytes: 0 }
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
            let _ = lane.link.send(frame);
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
        let above = lane.unacknowledged.split_off(&scl.next());
        let mut done = std::mem::replace(&mut lane.unacknowledged, above);
        if lane.unacknowledged.remove(&lsn) {
            done.insert(lsn);
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

    /// The oldest records that `segment` has not acknowledged: a frame's worth.
    pub fn unacknowledged(&self, segment: SegmentId) -> Vec<Record> {
        let mut room = RESEND_BYTES;
        let lsns = self.lanes[segment.index()].unacknowledged.iter().take(RESEND_MAX);
        let fits = |record: &&Record| {
            let fits = room > 0;
            room = room.saturating_sub(record.payload_bytes());
            fits
        };
        lsns.filter_map(|lsn| self.kept.get(lsn)).map(|(record, _)| record).take_while(fits).cloned().collect()
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
