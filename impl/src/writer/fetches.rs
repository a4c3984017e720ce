//! Page reads on their way: one node each, another one when it refuses, breaks or is slow.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use sextant_model::types::{Lsn, SegmentId};

/// When another node is asked instead.
const LATE_AFTER: Duration = Duration::from_millis(200);

/// The newest version of a key.
pub(super) struct Page {
    pub key: Vec<u8>,
    pub lsn: Lsn,
    pub value: Option<Vec<u8>>,
}

#[derive(Default)]
pub(super) struct Fetches {
    wanted: BTreeMap<Vec<u8>, Wanted>,
    /// Requests without an answer.
    asked: BTreeMap<u64, Vec<u8>>,
    last_id: u64,
    turns: usize,
}

#[derive(Default)]
struct Wanted {
    /// The request that counts; none: a node has to be asked.
    asked: Option<Asked>,
    /// Where its turn among the nodes began.
    turn: usize,
    attempts: usize,
}

struct Asked {
    id: u64,
    segment: SegmentId,
    at: Instant,
}

impl Fetches {
    /// Whether the page was not wanted before.
    pub fn want(&mut self, key: &[u8]) -> bool {
        if self.wanted.contains_key(key) {
            return false;
        }
        self.turns = self.turns.wrapping_add(1);
        self.wanted.insert(key.to_vec(), Wanted { turn: self.turns, ..Wanted::default() });
        true
    }

    /// The requests to send now. Of `nodes`, the first `complete` are known to reach the read point: they take turns, and
    /// the others come after them.
    pub fn ask(&mut self, now: Instant, nodes: &[SegmentId], complete: usize) -> Vec<(SegmentId, u64, Vec<u8>)> {
        let mut requests = Vec::new();
        if nodes.is_empty() {
            return requests;
        }
        for (key, wanted) in self.wanted.iter_mut().filter(|(_, wanted)| wanted.asked.is_none()) {
            self.last_id += 1;
            let id = self.last_id;
            let place = if wanted.attempts < complete {
                wanted.turn.wrapping_add(wanted.attempts) % complete
            } else {
                wanted.attempts % nodes.len()
            };
            wanted.attempts += 1;
            wanted.asked = Some(Asked { id, segment: nodes[place], at: now });
            self.asked.insert(id, key.clone());
            requests.push((nodes[place], id, key.clone()));
        }
        requests
    }

    /// The page, if it is still wanted by this request.
    pub fn arrived(&mut self, id: u64, lsn: Lsn, value: Option<Vec<u8>>) -> Option<Page> {
        let key = self.asked.remove(&id)?;
        self.wanted.remove(&key)?;
        Some(Page { key, lsn, value })
    }

    pub fn refused(&mut self, id: u64) {
        if let Some(wanted) = self.asked.remove(&id).and_then(|key| self.wanted.get_mut(&key)) {
            wanted.asked = None;
        }
    }

    /// The connection to `segment` broke.
    pub fn forget_asked(&mut self, segment: SegmentId) {
        self.forget(|asked| asked.segment == segment);
    }

    pub fn forget_late(&mut self, now: Instant) {
        self.forget(|asked| now.duration_since(asked.at) >= LATE_AFTER);
    }

    /// An answer to a forgotten request may still come: it is no answer any more, because its read point is old.
    fn forget(&mut self, is_lost: impl Fn(&Asked) -> bool) {
        for wanted in self.wanted.values_mut() {
            if let Some(asked) = wanted.asked.take_if(|asked| is_lost(asked)) {
                self.asked.remove(&asked.id);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nodes() -> Vec<SegmentId> {
        SegmentId::all(6).collect()
    }

    #[test]
    fn a_page_that_is_refused_is_asked_of_every_node() {
        let mut fetches = Fetches::default();
        assert!(fetches.want(b"k"));
        assert!(!fetches.want(b"k"), "once is enough");
        let mut asked = Vec::new();
        for _ in 0..8 {
            let requests = fetches.ask(Instant::now(), &nodes(), 2);
            asked.extend(requests.iter().map(|(segment, ..)| segment.0));
            fetches.refused(requests[0].1);
        }
        assert!(asked[0] < 2 && asked[1] < 2 && asked[0] != asked[1], "those that are complete first: {asked:?}");
        asked.sort_unstable();
        asked.dedup();
        assert_eq!(asked, [0, 1, 2, 3, 4, 5]);
    }

    #[test]
    fn only_the_request_that_counts_brings_the_page() {
        let mut fetches = Fetches::default();
        fetches.want(b"k");
        let (segment, first, _) = fetches.ask(Instant::now(), &nodes(), 6).remove(0);
        assert!(fetches.ask(Instant::now(), &nodes(), 6).is_empty(), "it is on its way");
        fetches.forget_asked(segment);
        let (_, second, _) = fetches.ask(Instant::now(), &nodes(), 6).remove(0);
        assert!(fetches.arrived(first, Lsn(1), None).is_none());
        assert!(fetches.arrived(second, Lsn(1), None).is_some());
        assert!(fetches.arrived(second, Lsn(1), None).is_none());
    }
}
