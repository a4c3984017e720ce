//! A node without its threads: requests, gossip and completed syncs in; entries for the log and replies out.
//!
//! It steps the segment, keeps the payloads beside it, and does what its effects say, in their order. Nothing here waits, knows
//! the time or touches a socket: the [`super::executor`] drives it with threads, the simulator with events.

use std::collections::{BTreeMap, VecDeque};

use sextant_model::disk::Image;
use sextant_model::logset::{Intervals, LogSet};
use sextant_model::rules::Rules;
use sextant_model::segment::{Effect, Event, ReadRefusal, Segment};
use sextant_model::types::{Epoch, Lsn};

use super::entries;
use super::store::Store;
use crate::log;
use crate::wire::frame::{FrameError, encode_frame};
use crate::wire::messages::{NodeReply, NodeRequest, Record};

/// Of one reply that carries records.
pub(crate) const RECORDS_MAX: usize = 512;
const RECORD_BYTES_BATCH: usize = 4 << 20;
/// Of the payloads in one frame of replies, the last one not counted.
const REPLY_BYTES_FRAME: usize = 4 << 20;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ConnectionId(pub u64);

/// Sees every step of a segment, and what is answered without one.
pub trait Observer {
    /// `record`: what the event brings.
    fn before(&mut self, segment: &Segment<Intervals>, event: &Event<Intervals>, record: Option<&Record>);
    fn after(&mut self, segment: &Segment<Intervals>, effects: &[Effect<Intervals>]);
    /// A peer was told records.
    fn replied(&mut self, _: &NodeReply) {}
    /// A page read was served, or not.
    fn read(&mut self, _ve: Epoch, _read_point: Lsn, _answer: Result<(), ReadRefusal>) {}
}

impl<O: Observer> Observer for &mut O {
    fn before(&mut self, segment: &Segment<Intervals>, event: &Event<Intervals>, record: Option<&Record>) {
        (**self).before(segment, event, record);
    }

    fn after(&mut self, segment: &Segment<Intervals>, effects: &[Effect<Intervals>]) {
        (**self).after(segment, effects);
    }

    fn replied(&mut self, reply: &NodeReply) {
        (**self).replied(reply);
    }

    fn read(&mut self, ve: Epoch, read_point: Lsn, answer: Result<(), ReadRefusal>) {
        (**self).read(ve, read_point, answer);
    }
}

/// Both see it, where the first is there.
impl<A: Observer, B: Observer> Observer for (Option<A>, B) {
    fn before(&mut self, segment: &Segment<Intervals>, event: &Event<Intervals>, record: Option<&Record>) {
        self.0.iter_mut().for_each(|first| first.before(segment, event, record));
        self.1.before(segment, event, record);
    }

    fn after(&mut self, segment: &Segment<Intervals>, effects: &[Effect<Intervals>]) {
        self.0.iter_mut().for_each(|first| first.after(segment, effects));
        self.1.after(segment, effects);
    }

    fn replied(&mut self, reply: &NodeReply) {
        self.0.iter_mut().for_each(|first| first.replied(reply));
        self.1.replied(reply);
    }

    fn read(&mut self, ve: Epoch, read_point: Lsn, answer: Result<(), ReadRefusal>) {
        self.0.iter_mut().for_each(|first| first.read(ve, read_point, answer));
        self.1.read(ve, read_point, answer);
    }
}

/// What is known of one connection.
#[derive(Default)]
struct Connection {
    /// Of its last write: who hears of records that gossip brought.
    writes_at: Option<Epoch>,
    replies: Vec<NodeReply>,
}

/// Whom the reply to an appended entry is for.
#[derive(Clone, Copy)]
enum Requester {
    Connection(ConnectionId),
    /// Gossip brought it: the writers of that epoch, if any is connected, because it counts for them.
    WritersOf(Epoch),
}

pub(crate) struct Server {
    rules: Rules,
    segment: Segment<Intervals>,
    store: Store,
    connections: BTreeMap<ConnectionId, Connection>,
    /// One for each appended and not yet synced entry, in the same order.
    requesters: VecDeque<Requester>,
    /// Appended since the last hand-over to the log.
    batch: Vec<log::Entry>,
    effects: Vec<Effect<Intervals>>,
}

impl Server {
    pub(super) fn new(rules: Rules, segment: Segment<Intervals>, store: Store) -> Self {
        Server {
            rules,
            segment,
            store,
            connections: BTreeMap::new(),
            requesters: VecDeque::new(),
            batch: Vec::new(),
            effects: Vec::new(),
        }
    }

    pub fn segment(&self) -> &Segment<Intervals> {
        &self.segment
    }

    pub fn open(&mut self, connection: ConnectionId) {
        self.connections.insert(connection, Connection::default());
    }

    pub fn close(&mut self, connection: ConnectionId) {
        self.connections.remove(&connection);
    }

    pub fn request(&mut self, connection: ConnectionId, request: NodeRequest, observer: &mut impl Observer) {
        let requester = Requester::Connection(connection);
        match request {
            NodeRequest::Write { ve, records } => {
                self.note_writer(connection, ve);
                for record in &records {
                    self.step(Event::Write { ve, lsn: record.lsn }, requester, Some(record), observer);
                }
            }
            NodeRequest::FenceRead { ve } => self.step(Event::FenceRead { ve }, requester, None, observer),
            NodeRequest::Truncate { ve, ranges } => {
                self.note_writer(connection, ve);
                self.step(Event::Truncate { ve, ranges }, requester, None, observer);
            }
            NodeRequest::Confirm { ve, nonce } => self.step(Event::Confirm { ve, nonce }, requester, None, observer),
            NodeRequest::GossipPull { trunc_ve, held } => {
                let push = self.push_for(trunc_ve, held);
                observer.replied(&push);
                self.reply(requester, push);
            }
            NodeRequest::ReadPage { id, ve, key, read_point } => {
                let answer = self.segment.may_read(&self.rules, ve, read_point);
                observer.read(ve, read_point, answer);
                let page = match answer {
                    Ok(()) => self.page(id, &key, read_point),
                    Err(refusal) => NodeReply::PageRefused { id, ve, refusal },
                };
                self.reply(requester, page);
            }
            NodeRequest::FetchRecords { id, from, to, .. } => {
                let records = self.records(from, to);
                self.reply(requester, NodeReply::Records { id, records });
            }
        }
    }

    fn note_writer(&mut self, connection: ConnectionId, ve: Epoch) {
        if let Some(connection) = self.connections.get_mut(&connection) {
            connection.writes_at = Some(ve);
        }
    }

    /// A peer's answer to our pull.
    pub fn gossip(&mut self, trunc_ve: Epoch, records: &[Record], observer: &mut impl Observer) {
        for record in records {
            let requester = Requester::WritersOf(self.segment.image().trunc_ve);
            self.step(Event::Gossip { trunc_ve, lsn: record.lsn }, requester, Some(record), observer);
        }
    }

    /// Steps the segment for `requester`, who brought `record` where the event is about one.
    fn step(
        &mut self,
        event: Event<Intervals>,
        requester: Requester,
        record: Option<&Record>,
        observer: &mut impl Observer,
    ) {
        let mut effects = std::mem::take(&mut self.effects);
        observer.before(&self.segment, &event, record);
        self.segment.step(&self.rules, event, &mut effects);
        observer.after(&self.segment, &effects);
        for effect in effects.drain(..) {
            match effect {
                Effect::Append(entry) => {
                    self.store.apply(&entry, record);
                    self.batch.push(entries::encode(&entry, record));
                    self.requesters.push_back(requester);
                }
                Effect::Reply(reply) => self.reply(requester, reply.into()),
            }
        }
        self.effects = effects;
    }

    /// The log has made the oldest entries durable. Exactly one reply follows each of them, in their order, and says what the
    /// segment holds at that moment.
    pub fn synced(&mut self, entries: usize, observer: &mut impl Observer) {
        let mut effects = std::mem::take(&mut self.effects);
        for _ in 0..entries {
            let event = Event::Synced { entries: 1 };
            observer.before(&self.segment, &event, None);
            self.segment.step(&self.rules, event, &mut effects);
            observer.after(&self.segment, &effects);
            for effect in effects.drain(..) {
                if let (Effect::Reply(reply), Some(requester)) = (effect, self.requesters.pop_front()) {
                    self.reply(requester, reply.into());
                }
            }
        }
        self.effects = effects;
    }

    /// The records that are live on the disk.
    pub fn live(&self) -> impl Iterator<Item = &Record> {
        let disk = self.segment.disk().image();
        self.store.range(Lsn::ZERO..=Lsn(u64::MAX)).filter(|record| disk.is_live(record.lsn))
    }

    /// What to ask peers with: the last truncation, and what is held.
    pub fn description(&self) -> (Epoch, Intervals) {
        let image = self.segment.image();
        (image.trunc_ve, image.held.clone())
    }

    /// The entries to append to the log next, and to sync.
    pub fn take_batch(&mut self) -> Vec<log::Entry> {
        std::mem::take(&mut self.batch)
    }

    /// Hands out the replies to each connection that has some.
    pub fn take_replies(&mut self, mut send: impl FnMut(ConnectionId, Vec<NodeReply>)) {
        for (id, connection) in self.connections.iter_mut().filter(|(_, connection)| !connection.replies.is_empty()) {
            send(*id, std::mem::take(&mut connection.replies));
        }
    }

    fn reply(&mut self, requester: Requester, reply: NodeReply) {
        match requester {
            Requester::Connection(id) => {
                if let Some(connection) = self.connections.get_mut(&id) {
                    connection.replies.push(reply);
                }
            }
            Requester::WritersOf(ve) => {
                let writers = self.connections.values_mut().filter(|c| c.writes_at == Some(ve));
                writers.for_each(|connection| connection.replies.push(reply.clone()));
            }
        }
    }

    fn page(&self, id: u64, key: &[u8], read_point: Lsn) -> NodeReply {
        let image = self.segment.image();
        match self.store.version(key, read_point, |lsn| image.is_live(lsn)) {
            Some(record) => NodeReply::Page { id, lsn: record.lsn, value: record.value.clone() },
            None => NodeReply::Page { id, lsn: Lsn::ZERO, value: None },
        }
    }

    /// Records from `from` to `to` that are synced here: a reply's worth.
    fn records(&self, from: Lsn, to: Lsn) -> Vec<Record> {
        let disk = self.segment.disk().image();
        let synced = self.store.range(from..=to).filter(|record| disk.is_live(record.lsn));
        a_batch(synced)
    }

    /// What a peer lacks of what is synced here. Whether it may take a record is its own decision; asking the rule for its
    /// image here only keeps from the wire what it would refuse.
    pub fn push_for(&self, trunc_ve: Epoch, held: Intervals) -> NodeReply {
        let disk = self.segment.disk().image();
        let peer = Image::<Intervals> { held, trunc_ve, fenced: trunc_ve, ranges: Vec::new() };
        let wanted = |lsn: &Lsn| self.rules.takes_gossip(disk.trunc_ve, *lsn, &peer);
        let missing = missing(&disk.held, &peer.held).filter(wanted);
        let records = a_batch(missing.filter_map(|lsn| self.store.get(lsn)));
        NodeReply::GossipPush { trunc_ve: disk.trunc_ve, records }
    }
}

/// One frame, or several where there are many pages among the replies.
///
/// # Errors
/// A reply that no frame holds.
pub(crate) fn frames_of(replies: Vec<NodeReply>) -> Result<Vec<Vec<u8>>, FrameError> {
    let mut replies = replies.into_iter().peekable();
    let mut frames = Vec::new();
    while replies.peek().is_some() {
        let mut bytes = 0;
        let mut fits = |reply: &NodeReply| {
            let fits = bytes < REPLY_BYTES_FRAME;
            bytes += reply.payload_bytes();
            fits
        };
        let some: Vec<NodeReply> = std::iter::from_fn(|| replies.next_if(&mut fits)).collect();
        let mut frame = Vec::new();
        encode_frame(&some, &mut frame)?;
        frames.push(frame);
    }
    Ok(frames)
}

/// LSNs in `mine` and not in `theirs`, ascending, at the cost of the gaps and not of what both hold.
fn missing<'a>(mine: &'a Intervals, theirs: &'a Intervals) -> impl Iterator<Item = Lsn> + 'a {
    mine.runs().flat_map(move |(first, last)| {
        let mut at = first;
        std::iter::from_fn(move || {
            while let Some(end) = theirs.run_end(at) {
                at = end.next();
            }
            let found = (at <= last).then_some(at);
            at = at.next();
            found
        })
    })
}

fn a_batch<'a>(records: impl Iterator<Item = &'a Record>) -> Vec<Record> {
    let mut room = RECORD_BYTES_BATCH;
    let fits = |record: &&Record| {
        let fits = room > 0;
        room = room.saturating_sub(record.payload_bytes());
        fits
    };
    records.take(RECORDS_MAX).take_while(fits).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(runs: &[(u64, u64)]) -> Intervals {
        let mut set = Intervals::default();
        runs.iter().for_each(|&(lo, hi)| set.insert_range(Lsn(lo), Lsn(hi)));
        set
    }

    #[test]
    fn what_a_peer_lacks_is_the_difference() {
        let mine = set(&[(1, 5), (10, 12), (20, 20)]);
        let lacks = |theirs: &[(u64, u64)]| missing(&mine, &set(theirs)).map(|lsn| lsn.0).collect::<Vec<_>>();
        assert_eq!(lacks(&[]), [1, 2, 3, 4, 5, 10, 11, 12, 20]);
        assert_eq!(lacks(&[(2, 3), (5, 10), (12, 30)]), [1, 4, 11]);
        assert_eq!(lacks(&[(1, 30)]), [] as [u64; 0]);
    }
}
