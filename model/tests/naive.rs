//! A naive closed world with an explicit message set, against the world that stores none.
//!
//! It drives the same step functions and shares nothing else: every request and every reply ever sent stays in a set and
//! may be delivered at any time, any number of times. Append and sync are two actions; a crash keeps any prefix of what was
//! not synced; a recovery decides with any number of answers from a read quorum up; allocation is an action of its own;
//! nothing is forgotten, no two segments are interchangeable. Refusals are never delivered. One thing keeps it finite: a
//! request that would append an entry equal to one that waits for its sync is delivered after that sync.
//!
//! Nothing else is simplified with two copies and one recovery. The same world of three copies has more than forty million
//! states, so there a reply is heard when it is sent, or never ([`ONCE_OR_NEVER`]; asking again may always bring another);
//! for three copies and two recoveries sync follows append at once besides ([`SYNCED_ONCE_OR_NEVER`]).
//!
//! States are compared in full. Each part of a state is interned: equal numbers are equal parts.
#![allow(clippy::disallowed_types, reason = "a visited set of millions; nothing here depends on its order")]

mod common;

use common::{at_three, explore};
use sextant_model::bounds::{Bounds, Switch};
use sextant_model::closed::Closed;
use sextant_model::disk::{Entry, Image};
use sextant_model::group::Group;
use sextant_model::instance::{self, Instance, Phase};
use sextant_model::logset::{Bits, FewRanges, LogSet, RangeList};
use sextant_model::metadata::{Change, Metadata};
use sextant_model::mutants::{MUTANTS, by_id};
use sextant_model::recovery::Decision;
use sextant_model::rules::{Rules, Scheme};
use sextant_model::segment::{self, Answer, Reply, Segment};
use sextant_model::types::{Epoch, Lsn, Nonce, SegmentId};
use sextant_model::world::World;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::hash::Hash;
use std::rc::Rc;

const NOBODY: u16 = u16::MAX;

// --- the parts of a state ----------------------------------------------------------------------------------------

/// A segment, and who is owed the reply to each entry that waits for its sync; nobody where gossip brought it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Node {
    segment: Segment<Bits>,
    owed: Vec<Option<u8>>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Message {
    FenceRead { from: u8, to: SegmentId, ve: Epoch },
    Truncate { from: u8, to: SegmentId, ve: Epoch, ranges: FewRanges },
    Write { from: u8, to: SegmentId, ve: Epoch, lsn: Lsn },
    Confirm { from: u8, to: SegmentId, ve: Epoch, nonce: Nonce },
    Gossip { to: SegmentId, trunc_ve: Epoch, lsn: Lsn },
    Fenced { from: SegmentId, to: u8, ve: Epoch, answer: Answer<Bits> },
    Truncated { from: SegmentId, to: u8, ve: Epoch, scl: Lsn },
    Acknowledged { from: SegmentId, to: u8, ve: Epoch, lsn: Lsn, scl: Lsn },
    Confirmed { from: SegmentId, to: u8, ve: Epoch, nonce: Nonce },
}

/// What the properties speak of, recorded from effects, and what belongs to no actor. By instance where it is a list.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Ghost {
    metadata: Metadata,
    epochs: Vec<Epoch>,
    allocated: Vec<Vec<Lsn>>,
    /// The last commit acknowledged to a client.
    acked: Vec<Lsn>,
    decided: Vec<Option<Decision<Bits>>>,
    opened: Vec<Option<Decision<Bits>>>,
    /// The floor of the client read that waits.
    read: Option<Lsn>,
    reads: u8,
    crashes: u8,
    wipes: u8,
}

/// Sent messages, by their interned number.
type Sent = [u64; 8];

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct State<const N: usize> {
    nodes: [u16; N],
    instances: [u16; 3],
    sent: Sent,
    ghost: u16,
}

struct Pool<T> {
    items: Vec<Rc<T>>,
    ids: HashMap<Rc<T>, u16>,
}

impl<T: Eq + Hash> Pool<T> {
    fn new() -> Self {
        Pool { items: Vec::new(), ids: HashMap::new() }
    }

    fn intern(&mut self, item: T) -> u16 {
        if let Some(&id) = self.ids.get(&item) {
            return id;
        }
        let id = u16::try_from(self.items.len()).expect("the pool is too small");
        assert!(id != NOBODY, "the pool is too small");
        let item = Rc::new(item);
        self.items.push(item.clone());
        self.ids.insert(item, id);
        id
    }

    fn get(&self, id: u16) -> Rc<T> {
        self.items[usize::from(id)].clone()
    }
}

// --- the search --------------------------------------------------------------------------------------------------

/// What may be simplified where the fully naive world does not fit.
#[derive(Clone, Copy, Debug)]
struct Simplified {
    /// Sync follows append at once, unless a reply left first.
    sync_at_once: Switch,
    replies: Replies,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Replies {
    /// Each stays deliverable for ever.
    Kept,
    /// Each is delivered when it is sent, or lost.
    OnceOrNever,
}

const FULLY_NAIVE: Simplified = Simplified { sync_at_once: Switch::Off, replies: Replies::Kept };

/// What a stimulus does to one segment.
struct NodeStep {
    node: u16,
    /// Replies sent, in order.
    replies: Vec<u16>,
    gossip: Sent,
    /// The instance whose write or confirmation was served.
    served: Option<u8>,
}

/// What a stimulus does to one instance.
struct InstanceStep {
    instance: u16,
    requests: Sent,
    effects: Vec<instance::Effect>,
    decision: Option<Decision<Bits>>,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Stimulus {
    Message(u16),
    Sync,
    Crash { kept: usize },
    Wipe,
    Decide,
    Allocate,
    Read,
    BeginRound,
}

struct Naive<const N: usize> {
    rules: Rules,
    bounds: Bounds,
    simplified: Simplified,
    nodes: Pool<(u8, Node)>,
    instances: Pool<(u8, Instance<Bits, N>)>,
    messages: Pool<Message>,
    ghosts: Pool<Ghost>,
    node_steps: HashMap<(u16, Stimulus), Option<Rc<NodeStep>>>,
    instance_steps: HashMap<(u16, Stimulus), Option<Rc<InstanceStep>>>,
    judged: HashSet<(u16, u16)>,
    violated: BTreeSet<&'static str>,
}

impl<const N: usize> Naive<N> {
    fn new(rules: Rules, bounds: Bounds, simplified: Simplified) -> Self {
        Naive {
            rules: rules.with_lal(bounds.lal),
            bounds,
            simplified,
            nodes: Pool::new(),
            instances: Pool::new(),
            messages: Pool::new(),
            ghosts: Pool::new(),
            node_steps: HashMap::new(),
            instance_steps: HashMap::new(),
            judged: HashSet::new(),
            violated: BTreeSet::new(),
        }
    }

    /// Every reachable state.
    fn explore(&mut self, limit: usize) -> HashSet<State<N>> {
        let first = self.first();
        let mut seen = HashSet::from([first]);
        let mut level = vec![first];
        while !level.is_empty() {
            let mut next_level = Vec::new();
            for state in level {
                self.judge_segments(&state);
                self.successors(state, &mut |next| {
                    if seen.insert(next) {
                        next_level.push(next);
                    }
                });
                assert!(seen.len() < limit, "more than {limit} naive states: {}", self.bounds);
            }
            level = next_level;
        }
        seen
    }

    fn first(&mut self) -> State<N> {
        let nodes = std::array::from_fn(|n| {
            self.nodes.intern((n as u8, Node { segment: Segment::created(), owed: Vec::new() }))
        });
        let ghost = Ghost {
            metadata: Metadata::of_a_new_volume(),
            epochs: vec![Epoch::FIRST],
            allocated: vec![Vec::new()],
            acked: vec![Lsn::ZERO],
            decided: vec![Some(Decision::of_a_new_volume())],
            opened: vec![Some(Decision::of_a_new_volume())],
            read: None,
            reads: 0,
            crashes: 0,
            wipes: 0,
        };
        let first = self.instances.intern((0, Instance::first()));
        State { nodes, instances: [first, NOBODY, NOBODY], sent: Sent::default(), ghost: self.ghosts.intern(ghost) }
    }

    fn successors(&mut self, state: State<N>, take: &mut impl FnMut(State<N>)) {
        for message in members(&state.sent) {
            match *self.messages.get(message) {
                Message::FenceRead { to, .. }
                | Message::Truncate { to, .. }
                | Message::Write { to, .. }
                | Message::Confirm { to, .. }
                | Message::Gossip { to, .. } => {
                    self.step_node(state, to.index(), Stimulus::Message(message), take);
                }
                Message::Fenced { to, .. }
                | Message::Truncated { to, .. }
                | Message::Acknowledged { to, .. }
                | Message::Confirmed { to, .. } => {
                    self.step_instance(state, to.into(), Stimulus::Message(message)).map(&mut *take);
                }
            }
        }
        let ghost = self.ghosts.get(state.ghost);
        for n in 0..N {
            let unsynced = self.nodes.get(state.nodes[n]).1.segment.unsynced().len();
            self.step_node(state, n, Stimulus::Sync, take);
            if ghost.crashes < self.bounds.crashes {
                let spent = self.ghosts.intern(Ghost { crashes: ghost.crashes + 1, ..(*ghost).clone() });
                for kept in 0..=unsynced {
                    self.step_node(State { ghost: spent, ..state }, n, Stimulus::Crash { kept }, take);
                }
            }
            if ghost.wipes < self.bounds.wipes {
                let spent = self.ghosts.intern(Ghost { wipes: ghost.wipes + 1, ..(*ghost).clone() });
                self.step_node(State { ghost: spent, ..state }, n, Stimulus::Wipe, take);
            }
        }
        for i in 0..ghost.epochs.len() {
            self.step_instance(state, i, Stimulus::Decide).map(&mut *take);
            if ghost.allocated[i].len() < usize::from(self.bounds.records) {
                self.step_instance(state, i, Stimulus::Allocate).map(&mut *take);
            }
            if ghost.read.is_none() && ghost.reads < self.bounds.reads && ghost.opened[i].is_some() {
                let floor = (0..ghost.epochs.len()).map(|j| ghost.exposed(j)).max();
                let reading = Ghost { read: floor, reads: ghost.reads + 1, ..(*ghost).clone() };
                let reading = State { ghost: self.ghosts.intern(reading), ..state };
                self.step_instance(reading, i, Stimulus::Read).map(&mut *take);
                if self.bounds.early_rounds.is_on() {
                    self.step_instance(state, i, Stimulus::BeginRound).map(&mut *take);
                }
            }
        }
        if ghost.epochs.len() <= usize::from(self.bounds.recoveries) {
            take(self.recover(state, &ghost));
        }
    }

    fn recover(&mut self, state: State<N>, ghost: &Ghost) -> State<N> {
        let mut ghost = ghost.clone();
        let caller = ghost.metadata.volume_epoch;
        let record = ghost.metadata.apply(&self.rules, Change::TakeVolume { caller }).unwrap();
        let (i, ve) = (ghost.epochs.len(), record.volume_epoch);
        ghost.epochs.push(ve);
        ghost.allocated.push(Vec::new());
        ghost.acked.push(Lsn::ZERO);
        ghost.decided.push(None);
        ghost.opened.push(None);
        let mut next = state;
        next.instances[i] = self.instances.intern((i as u8, Instance::recovering(ve)));
        self.send_to_all(&mut next.sent, |to| Message::FenceRead { from: i as u8, to, ve });
        next.ghost = self.intern_ghost(ghost);
        next
    }

    fn send(&mut self, sent: &mut Sent, message: Message) {
        let id = usize::from(self.messages.intern(message));
        assert!(id < 64 * sent.len(), "more messages than a set holds");
        sent[id / 64] |= 1 << (id % 64);
    }

    fn send_to_all(&mut self, sent: &mut Sent, message: impl Fn(SegmentId) -> Message) {
        SegmentId::all(N).for_each(|to| self.send(sent, message(to)));
    }

    // --- segments ------------------------------------------------------------------------------------------------

    fn step_node(&mut self, state: State<N>, n: usize, stimulus: Stimulus, take: &mut impl FnMut(State<N>)) {
        let key = (state.nodes[n], stimulus);
        let step = match self.node_steps.get(&key) {
            Some(known) => known.clone(),
            None => {
                let step = self.compute_node_step(n, key.0, stimulus).map(Rc::new);
                self.node_steps.insert(key, step.clone());
                step
            }
        };
        let Some(step) = step else { return };
        let mut next = state;
        next.nodes[n] = step.node;
        join(&mut next.sent, &step.gossip);
        if let Some(server) = step.served {
            self.judge_service(&next, n, server.into());
        }
        let mut outcomes = vec![next];
        for &reply in &step.replies {
            self.hand_over(reply, &mut outcomes);
        }
        outcomes.into_iter().filter(|next| *next != state).for_each(take);
    }

    fn hand_over(&mut self, reply: u16, outcomes: &mut Vec<State<N>>) {
        let to = addressee(&self.messages.get(reply));
        for at in 0..outcomes.len() {
            let state = outcomes[at];
            match self.simplified.replies {
                Replies::Kept => outcomes[at].sent[usize::from(reply) / 64] |= 1 << (reply % 64),
                Replies::OnceOrNever => outcomes.extend(self.step_instance(state, to, Stimulus::Message(reply))),
            }
        }
    }

    fn compute_node_step(&mut self, n: usize, node: u16, stimulus: Stimulus) -> Option<NodeStep> {
        let before = self.nodes.get(node).1.clone();
        let from = SegmentId(n as u8);
        let mut node = before.clone();
        let mut served = None;
        let mut replies = Vec::new();
        match stimulus {
            Stimulus::Crash { kept } => {
                node = Node { segment: before.segment.crashed(kept), owed: Vec::new() };
                self.judge_restart(&before.segment, &node.segment);
            }
            Stimulus::Wipe => {
                node = Node { segment: Segment::wiped(&self.rules), owed: Vec::new() };
                self.judge_restart(&before.segment, &node.segment);
            }
            Stimulus::Sync if before.segment.unsynced().is_empty() => return None,
            Stimulus::Sync => self.sync_one(&mut node, from, &mut replies),
            Stimulus::Message(message) => {
                let (event, requester) = request(&self.messages.get(message))?;
                let mut effects = Vec::new();
                let is_service = matches!(event, segment::Event::Write { .. } | segment::Event::Confirm { .. });
                node.segment.step(&self.rules, event, &mut effects);
                for effect in effects {
                    match effect {
                        segment::Effect::Append(entry) => {
                            node.owed.push(requester);
                            let is_record = matches!(entry, Entry::Record { .. });
                            served = served.or(requester.filter(|_| is_service && is_record));
                        }
                        segment::Effect::Reply(reply) => {
                            let is_answer = matches!(reply, Reply::Confirmed { .. });
                            served = served.or(requester.filter(|_| is_answer));
                            self.reply(&node.segment, from, requester, reply, &mut replies);
                        }
                    }
                }
                if repeats(node.segment.unsynced()) {
                    return None;
                }
                if self.simplified.sync_at_once.is_on() && replies.is_empty() {
                    while !node.segment.unsynced().is_empty() {
                        self.sync_one(&mut node, from, &mut replies);
                    }
                }
            }
            Stimulus::Decide | Stimulus::Allocate | Stimulus::Read | Stimulus::BeginRound => unreachable!(),
        }
        if !matches!(stimulus, Stimulus::Wipe | Stimulus::Crash { .. }) {
            let (was, is) = (before.segment.image(), node.segment.image());
            self.violate_if("S10", is.fenced < was.fenced || is.trunc_ve < was.trunc_ve);
        }
        let gossip = self.gossip_of(&node.segment);
        Some(NodeStep { node: self.nodes.intern((n as u8, node)), replies, gossip, served })
    }

    /// The oldest entry is synced. More than one at a time would only skip states between.
    fn sync_one(&mut self, node: &mut Node, from: SegmentId, replies: &mut Vec<u16>) {
        let requester = node.owed.remove(0);
        let mut effects = Vec::new();
        node.segment.step(&self.rules, segment::Event::Synced { entries: 1 }, &mut effects);
        for effect in effects {
            if let segment::Effect::Reply(reply) = effect {
                self.reply(&node.segment, from, requester, reply, replies);
            }
        }
    }

    /// A reply goes to who asked; where nobody did, to the instance of its epoch.
    fn reply(
        &mut self,
        segment: &Segment<Bits>,
        from: SegmentId,
        to: Option<u8>,
        reply: Reply<Bits>,
        replies: &mut Vec<u16>,
    ) {
        let to = |ve: Epoch| to.unwrap_or((ve.0 - 1) as u8);
        let message = match reply {
            Reply::Refused { .. } => return,
            Reply::Acknowledged { ve, lsn, scl, .. } => {
                let (in_memory, on_disk) = (is_live(segment.image(), lsn), is_live(segment.disk().image(), lsn));
                self.violate_if("S11", !in_memory && !on_disk);
                self.violate_if("S14", !on_disk);
                Message::Acknowledged { from, to: to(ve), ve, lsn, scl }
            }
            Reply::Fenced { ve, answer, .. } => Message::Fenced { from, to: to(ve), ve, answer },
            Reply::Truncated { ve, scl, .. } => Message::Truncated { from, to: to(ve), ve, scl },
            Reply::Confirmed { ve, nonce } => Message::Confirmed { from, to: to(ve), ve, nonce },
        };
        replies.push(self.messages.intern(message));
    }

    /// What a segment holds, synced or not, it may gossip.
    fn gossip_of(&mut self, segment: &Segment<Bits>) -> Sent {
        let mut sent = Sent::default();
        if self.bounds.gossip.is_on() {
            let trunc_ve = segment.image().trunc_ve;
            for lsn in (1..=Bits::CAPACITY).map(Lsn).filter(|&lsn| segment.image().held.contains(lsn)) {
                self.send_to_all(&mut sent, |to| Message::Gossip { to, trunc_ve, lsn });
            }
        }
        sent
    }

    // --- instances -----------------------------------------------------------------------------------------------

    fn step_instance(&mut self, state: State<N>, i: usize, stimulus: Stimulus) -> Option<State<N>> {
        let key = (state.instances[i], stimulus);
        let step = match self.instance_steps.get(&key) {
            Some(known) => known.clone(),
            None => {
                let step = self.compute_instance_step(i, key.0, stimulus).map(Rc::new);
                self.instance_steps.insert(key, step.clone());
                step
            }
        }?;
        let mut next = state;
        next.instances[i] = step.instance;
        join(&mut next.sent, &step.requests);
        if !step.effects.is_empty() {
            let mut ghost = (*self.ghosts.get(next.ghost)).clone();
            step.effects.iter().for_each(|effect| self.record(&mut ghost, i, effect, step.decision.as_ref()));
            next.ghost = self.intern_ghost(ghost);
        }
        (next != state).then_some(next)
    }

    fn compute_instance_step(&mut self, i: usize, instance: u16, stimulus: Stimulus) -> Option<InstanceStep> {
        let before = self.instances.get(instance).1.clone();
        let at = before.writer().map(|writer| writer.vdl);
        let event = match stimulus {
            Stimulus::Message(message) => reply_event(&self.messages.get(message))?,
            Stimulus::Decide => instance::Event::Decide,
            Stimulus::Allocate => instance::Event::Allocate,
            Stimulus::Read => instance::Event::Read { id: 0, at: at? },
            // One a writer, as in the world of actions: their numbers would grow for ever.
            Stimulus::BeginRound if before.writer()?.reads.has_begun() => return None,
            Stimulus::BeginRound => instance::Event::BeginRound,
            Stimulus::Sync | Stimulus::Crash { .. } | Stimulus::Wipe => unreachable!(),
        };
        let mut after = before.clone();
        let mut effects = Vec::new();
        after.step(&self.rules, event, &mut effects);
        if after == before && effects.is_empty() {
            return None;
        }
        let (from, ve, decision) = (i as u8, after.ve(), after.decision().cloned());
        let mut requests = Sent::default();
        for effect in &effects {
            match *effect {
                instance::Effect::Decided { vdl } => {
                    let decision = decision.clone().unwrap();
                    let ranges = decision.ranges;
                    self.send_to_all(&mut requests, |to| Message::Truncate { from, to, ve, ranges });
                    for lsn in (1..=vdl.0).map(Lsn).filter(|&lsn| keeps(&decision, lsn)) {
                        self.send_to_all(&mut requests, |to| Message::Write { from, to, ve, lsn });
                    }
                }
                instance::Effect::Allocated { lsn } => {
                    self.send_to_all(&mut requests, |to| Message::Write { from, to, ve, lsn });
                }
                instance::Effect::AskConfirmation { nonce } => {
                    self.send_to_all(&mut requests, |to| Message::Confirm { from, to, ve, nonce });
                }
                instance::Effect::Opened { .. }
                | instance::Effect::Committed { .. }
                | instance::Effect::Answer { .. }
                | instance::Effect::Deposed { .. } => {}
            }
        }
        Some(InstanceStep { instance: self.instances.intern((from, after)), requests, effects, decision })
    }

    fn record(&mut self, ghost: &mut Ghost, i: usize, effect: &instance::Effect, decision: Option<&Decision<Bits>>) {
        match *effect {
            instance::Effect::Decided { .. } => ghost.decided[i] = decision.cloned(),
            instance::Effect::Opened { .. } => ghost.opened[i] = decision.cloned(),
            instance::Effect::Allocated { lsn } => ghost.allocated[i].push(lsn),
            instance::Effect::Committed { vdl } => {
                let later = ghost.opened[i + 1..].iter().flatten();
                let new = ghost.allocated[i].iter().filter(|&&lsn| ghost.acked[i] < lsn && lsn <= vdl);
                let foreign = new.clone().any(|&lsn| later.clone().any(|d| !keeps(d, lsn)));
                self.violate_if("S9", foreign);
                ghost.acked[i] = vdl;
            }
            instance::Effect::Answer { at, .. } => {
                let stale = ghost.read.take().is_some_and(|floor| at < floor);
                self.violate_if("S33", stale);
            }
            instance::Effect::AskConfirmation { .. } | instance::Effect::Deposed { .. } => {}
        }
    }

    // --- properties ----------------------------------------------------------------------------------------------

    fn violate_if(&mut self, id: &'static str, violated: bool) {
        if violated {
            self.violated.insert(id);
        }
    }

    fn intern_ghost(&mut self, ghost: Ghost) -> u16 {
        let known = self.ghosts.items.len();
        let id = self.ghosts.intern(ghost);
        if usize::from(id) >= known {
            let violated = self.ghosts.get(id).violated();
            self.violated.extend(violated);
        }
        id
    }

    /// S10: what a restart takes away was not synced.
    fn judge_restart(&mut self, before: &Segment<Bits>, after: &Segment<Bits>) {
        let (was, is) = (before.image(), after.image());
        let unsynced = |epoch: Epoch, of: fn(&Entry<Bits>) -> Option<Epoch>| {
            before.unsynced().iter().filter_map(of).any(|ve| ve == epoch)
        };
        let fence = |entry: &Entry<Bits>| match entry {
            Entry::Fence { ve } | Entry::Truncate { ve, .. } => Some(*ve),
            Entry::Record { .. } => None,
        };
        let truncation = |entry: &Entry<Bits>| match entry {
            Entry::Truncate { ve, .. } => Some(*ve),
            Entry::Fence { .. } | Entry::Record { .. } => None,
        };
        let fence_lost = is.fenced < was.fenced && !unsynced(was.fenced, fence);
        let truncation_lost = is.trunc_ve < was.trunc_ve && !unsynced(was.trunc_ve, truncation);
        self.violate_if("S10", after.is_member() && (fence_lost || truncation_lost));
    }

    /// S12: a segment that serves an instance has applied its truncation.
    fn judge_service(&mut self, state: &State<N>, n: usize, server: usize) {
        let Some(decision) = self.ghosts.get(state.ghost).decided[server].clone() else { return };
        let node = self.nodes.get(state.nodes[n]);
        let image = node.1.segment.image();
        let applied = decision.ranges.iter().all(|wanted| image.ranges.iter().any(|range| range == wanted));
        self.violate_if("S12", image.trunc_ve != decision.ve || !applied);
    }

    /// S13 and S15, which speak of each segment.
    fn judge_segments(&mut self, state: &State<N>) {
        for node in state.nodes {
            if self.judged.insert((node, state.ghost)) {
                let ghost = self.ghosts.get(state.ghost);
                let node = self.nodes.get(node);
                let (invents, gap) = (ghost.invents(&node.1.segment), ghost.has_gap(&node.1.segment, &self.rules));
                self.violate_if("S15", invents);
                self.violate_if("S13", gap);
            }
        }
    }
}

impl Ghost {
    /// The properties of what was acknowledged, allocated, opened.
    fn violated(&self) -> Vec<&'static str> {
        let pairs = || (0..self.epochs.len()).flat_map(|b| (0..b).map(move |a| (a, b)));
        let both_open =
            || pairs().filter_map(|(a, b)| Some((a, self.opened[a].as_ref()?, b, self.opened[b].as_ref()?)));
        let older = |a: usize| self.allocated[..a].iter().flatten();
        let lost = both_open()
            .any(|(a, _, _, later)| self.allocated[a].iter().any(|&lsn| lsn <= self.acked[a] && !keeps(later, lsn)));
        let went_back = both_open().any(|(a, _, _, later)| self.exposed(a) > later.vdl);
        let resurrected =
            both_open().any(|(a, earlier, _, later)| older(a).any(|&lsn| !keeps(earlier, lsn) && keeps(later, lsn)));
        let forgot =
            both_open().any(|(a, earlier, _, later)| older(a).any(|&lsn| keeps(earlier, lsn) && !keeps(later, lsn)));
        let twice = pairs().any(|(a, b)| self.allocated[a].iter().any(|lsn| self.allocated[b].contains(lsn)));
        let uncovered = pairs().any(|(a, b)| {
            let Some(later) = &self.opened[b] else { return false };
            self.allocated[a].iter().any(|&lsn| lsn > later.vdl && lsn > later.range_end)
        });
        let repeated = pairs().any(|(a, b)| self.epochs[a] >= self.epochs[b]);
        let facts = [
            ("S1", lost),
            ("S3", went_back),
            ("S4", resurrected),
            ("S5", twice),
            ("S5b", uncovered),
            ("S7", forgot || repeated),
        ];
        facts.into_iter().filter_map(|(id, violated)| violated.then_some(id)).collect()
    }

    /// The VDL at which an instance has served its clients.
    fn exposed(&self, i: usize) -> Lsn {
        self.opened[i].as_ref().map_or(Lsn::ZERO, |decision| decision.vdl.max(self.acked[i]))
    }

    /// S15: the segment holds what nobody allocated, or what the opened epoch that it serves annulled.
    fn invents(&self, segment: &Segment<Bits>) -> bool {
        let image = segment.image();
        let held = || (1..=Bits::CAPACITY).map(Lsn).filter(|&lsn| image.held.contains(lsn));
        let exists = |lsn: Lsn| self.allocated.iter().flatten().any(|&known| known == lsn);
        let annulled = |lsn: Lsn| {
            self.opened.iter().enumerate().filter_map(|(i, d)| Some((i, d.as_ref()?))).any(|(i, d)| {
                let serves = d.ve == image.trunc_ve && d.ve == image.fenced;
                let of_an_older = self.allocated[..i].iter().flatten().any(|&old| old == lsn);
                let annuls = lsn <= d.range_end && !keeps(d, lsn);
                serves && of_an_older && !self.allocated[i].contains(&lsn) && annuls
            })
        };
        held().any(|lsn| !exists(lsn) || (is_live(image, lsn) && annulled(lsn)))
    }

    /// S13: the chain that the segment reports has a gap.
    fn has_gap(&self, segment: &Segment<Bits>, rules: &Rules) -> bool {
        let image = segment.image();
        let scl = image.scl(rules);
        let served = (0..self.epochs.len()).filter(|&i| self.epochs[i] <= image.trunc_ve);
        let mut needed =
            served.flat_map(|i| &self.allocated[i]).filter(|&&lsn| lsn <= scl && !annuls(&image.ranges, lsn));
        segment.is_member() && needed.any(|&lsn| !image.held.contains(lsn))
    }
}

fn annuls(ranges: &FewRanges, lsn: Lsn) -> bool {
    ranges.iter().any(|range| range.lo <= lsn && lsn <= range.hi)
}

fn keeps(decision: &Decision<Bits>, lsn: Lsn) -> bool {
    lsn <= decision.vdl && !annuls(&decision.ranges, lsn)
}

fn is_live(image: &Image<Bits>, lsn: Lsn) -> bool {
    image.held.contains(lsn) && !annuls(&image.ranges, lsn)
}

fn repeats(entries: &[Entry<Bits>]) -> bool {
    (0..entries.len()).any(|i| entries[..i].contains(&entries[i]))
}

fn join(sent: &mut Sent, more: &Sent) {
    sent.iter_mut().zip(more).for_each(|(word, more)| *word |= more);
}

fn members(sent: &Sent) -> impl Iterator<Item = u16> + use<> {
    let mut words = *sent;
    let mut at = 0;
    std::iter::from_fn(move || {
        while at < words.len() && words[at] == 0 {
            at += 1;
        }
        let word = words.get_mut(at)?;
        let bit = word.trailing_zeros();
        *word &= *word - 1;
        Some((64 * at) as u16 + bit as u16)
    })
}

/// A request as the event of its segment, and who asks.
fn request(message: &Message) -> Option<(segment::Event<Bits>, Option<u8>)> {
    match *message {
        Message::FenceRead { from, ve, .. } => Some((segment::Event::FenceRead { ve }, Some(from))),
        Message::Truncate { from, ve, ranges, .. } => Some((segment::Event::Truncate { ve, ranges }, Some(from))),
        Message::Write { from, ve, lsn, .. } => Some((segment::Event::Write { ve, lsn }, Some(from))),
        Message::Confirm { from, ve, nonce, .. } => Some((segment::Event::Confirm { ve, nonce }, Some(from))),
        Message::Gossip { trunc_ve, lsn, .. } => Some((segment::Event::Gossip { trunc_ve, lsn }, None)),
        Message::Fenced { .. }
        | Message::Truncated { .. }
        | Message::Acknowledged { .. }
        | Message::Confirmed { .. } => None,
    }
}

/// A reply as the event of its instance.
fn reply_event(message: &Message) -> Option<instance::Event<Bits>> {
    match message.clone() {
        Message::Fenced { from, ve, answer, .. } => Some(instance::Event::Fenced { from, ve, answer }),
        Message::Truncated { from, ve, scl, .. } => Some(instance::Event::Truncated { from, ve, scl }),
        Message::Acknowledged { from, ve, lsn, scl, .. } => Some(instance::Event::Acknowledged { from, ve, lsn, scl }),
        Message::Confirmed { from, ve, nonce, .. } => Some(instance::Event::Confirmed { from, ve, nonce }),
        Message::FenceRead { .. }
        | Message::Truncate { .. }
        | Message::Write { .. }
        | Message::Confirm { .. }
        | Message::Gossip { .. } => None,
    }
}

fn addressee(message: &Message) -> usize {
    match *message {
        Message::Fenced { to, .. }
        | Message::Truncated { to, .. }
        | Message::Acknowledged { to, .. }
        | Message::Confirmed { to, .. } => to.into(),
        _ => unreachable!("a request is no reply"),
    }
}

// --- what both worlds are compared by ----------------------------------------------------------------------------

/// What a state is to an outsider: every segment's image, every instance's phase, decision, records and VDL. Segments have
/// no names here.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Shape {
    segments: Vec<(Standing, Image<Bits>)>,
    instances: Vec<Part>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Standing {
    Member,
    Wiped,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    Reading,
    Installing(Decision<Bits>),
    Open {
        decision: Decision<Bits>,
        next: Lsn,
        vdl: Lsn,
    },
    /// Not open, and nothing is known of it any more.
    Gone,
}

/// By instance: the decision that it opened with, and up to where it acknowledged commits.
type Outcome = Vec<Option<(Decision<Bits>, Lsn)>>;

fn shape<'a, const N: usize>(
    segments: impl Iterator<Item = &'a Segment<Bits>>,
    instances: impl Iterator<Item = &'a Instance<Bits, N>>,
) -> Shape {
    let standing = |s: &Segment<Bits>| if s.is_member() { Standing::Member } else { Standing::Wiped };
    let mut segments: Vec<_> = segments.map(|s| (standing(s), s.image().clone())).collect();
    segments.sort();
    let part = |instance: &Instance<Bits, N>| match instance.phase() {
        Phase::Reading(_) => Part::Reading,
        Phase::Installing { decision, .. } => Part::Installing(decision.clone()),
        Phase::Open(writer) => Part::Open { decision: writer.decision.clone(), next: writer.next, vdl: writer.vdl },
        Phase::Deposed => Part::Gone,
    };
    Shape { segments, instances: instances.map(part).collect() }
}

impl Shape {
    /// This shape and those in which any instances that are not open have gone.
    fn forgotten(&self) -> Vec<Shape> {
        let mut shapes = vec![self.clone()];
        for i in 0..self.instances.len() {
            if !matches!(self.instances[i], Part::Open { .. }) {
                let mut gone = shapes.clone();
                gone.iter_mut().for_each(|shape| shape.instances[i] = Part::Gone);
                shapes.extend(gone);
            }
        }
        shapes
    }
}

impl<const N: usize> Naive<N> {
    /// The shape of a state in which everything is synced.
    fn shape(&self, state: &State<N>) -> Option<Shape> {
        let nodes = state.nodes.map(|node| self.nodes.get(node));
        let instances: Vec<_> =
            state.instances.iter().filter(|&&i| i != NOBODY).map(|&i| self.instances.get(i)).collect();
        let synced = |node: &Rc<(u8, Node)>| node.1.segment.unsynced().is_empty();
        nodes
            .iter()
            .all(synced)
            .then(|| shape(nodes.iter().map(|node| &node.1.segment), instances.iter().map(|instance| &instance.1)))
    }

    fn outcomes(&self, states: &HashSet<State<N>>) -> BTreeSet<Outcome> {
        let ghosts: BTreeSet<u16> = states.iter().map(|state| state.ghost).collect();
        let outcome = |ghost: Rc<Ghost>| {
            let of = |i: usize| ghost.opened[i].clone().map(|decision| (decision, ghost.exposed(i)));
            (0..ghost.epochs.len()).map(of).collect()
        };
        ghosts.into_iter().map(|ghost| outcome(self.ghosts.get(ghost))).collect()
    }
}

fn outcomes_of<const N: usize>(worlds: &[World<N>]) -> BTreeSet<Outcome> {
    let of = |i: &Instance<Bits, N>| i.writer().map(|writer| (writer.decision.clone(), writer.vdl));
    worlds.iter().map(|world| world.instances.iter().map(of).collect()).collect()
}

/// Two copies, both to write, one to read: small enough for every simplification to be off.
const TWO_COPIES: Scheme = Scheme { copies: 2, zones: 2, write: 2, read: 1 };

/// The properties that the naive world judges.
const JUDGED: [&str; 14] = ["S1", "S3", "S4", "S5", "S5b", "S7", "S9", "S10", "S11", "S12", "S13", "S14", "S15", "S33"];

const ONCE_OR_NEVER: Simplified = Simplified { replies: Replies::OnceOrNever, ..FULLY_NAIVE };
const SYNCED_ONCE_OR_NEVER: Simplified = Simplified { sync_at_once: Switch::On, replies: Replies::OnceOrNever };

const LIMIT: usize = 3_000_000;

fn with_scheme(rules: Rules, scheme: Scheme) -> Rules {
    let mut small = rules;
    small.scheme = scheme;
    small
}

/// The properties that the naive world violates, and those that the reduced one does.
fn verdicts<const N: usize>(
    name: &str,
    rules: Rules,
    bounds: Bounds,
    simplified: Simplified,
) -> (BTreeSet<&'static str>, BTreeSet<&'static str>) {
    let mut naive = Naive::<N>::new(rules, bounds, simplified);
    let states = naive.explore(LIMIT).len();
    let world = explore(&Closed::<Group<N>>::new(rules, bounds), LIMIT);
    let reduced: BTreeSet<_> = world.violated.iter().copied().filter(|id| JUDGED.contains(id)).collect();
    println!("{name:>4} at {N} copies, {bounds}: {states} naive states, {} reduced, {reduced:?}", world.states.len());
    (naive.violated, reduced)
}

fn verdicts_differ<const N: usize>(name: &str, rules: Rules, bounds: Bounds, simplified: Simplified) -> Option<String> {
    let (naive, reduced) = verdicts::<N>(name, rules, bounds, simplified);
    (naive != reduced).then(|| format!("{name} at {bounds}: naive {naive:?}, reduced {reduced:?}"))
}

fn agree_on_shapes_and_outcomes<const N: usize>(rules: Rules, bounds: Bounds, simplified: Simplified) {
    let mut naive = Naive::<N>::new(rules, bounds, simplified);
    let states = naive.explore(LIMIT);
    assert!(naive.violated.is_empty(), "the adopted rules break {:?}", naive.violated);
    let shapes: BTreeSet<Shape> = states.iter().filter_map(|state| naive.shape(state)).collect();
    let forgotten: BTreeSet<Shape> = shapes.iter().flat_map(Shape::forgotten).collect();
    let outcomes = naive.outcomes(&states);
    let wide = bounds.remembering().with_late_answers().with_late_fences().with_idle_writers();
    for (bounds, shapes) in [(wide, &shapes), (bounds.remembering(), &shapes), (bounds, &forgotten)] {
        let world = explore(&Closed::<Group<N>>::new(rules, bounds), LIMIT);
        assert!(world.violated.is_empty(), "the adopted rules break {:?}", world.violated);
        let reached: BTreeSet<Shape> =
            world.states.iter().map(|w| shape(w.segments.iter(), w.instances.iter())).collect();
        let false_behaviour = reached.iter().find(|shape| !shapes.contains(shape));
        assert_eq!(false_behaviour, None, "the reduced world reaches what the naive one does not, at {bounds}");
        println!(
            "N={N}, {bounds}: {} naive states of {} shapes, {} reduced states of {} shapes, {} outcomes",
            states.len(),
            shapes.len(),
            world.states.len(),
            reached.len(),
            outcomes.len()
        );
        let reduced = outcomes_of(&world.states);
        let missed: Vec<_> = outcomes.difference(&reduced).take(3).collect();
        let invented: Vec<_> = reduced.difference(&outcomes).take(3).collect();
        assert!(missed.is_empty() && invented.is_empty(), "at {bounds}: missed {missed:?}, invented {invented:?}");
    }
}

// --- tests -------------------------------------------------------------------------------------------------------

#[test]
fn two_copies_agree_with_nothing_simplified() {
    let adopted = with_scheme(Rules::adopted(), TWO_COPIES);
    agree_on_shapes_and_outcomes::<2>(adopted, Bounds::of(1, 1), FULLY_NAIVE);
    agree_on_shapes_and_outcomes::<2>(adopted, Bounds::of(1, 1).gossiping(), FULLY_NAIVE);
}

#[test]
fn two_copies_and_two_recoveries_agree() {
    let adopted = with_scheme(Rules::adopted(), TWO_COPIES);
    agree_on_shapes_and_outcomes::<2>(adopted, Bounds::of(1, 2), ONCE_OR_NEVER);
}

#[test]
fn three_copies_agree() {
    let adopted = at_three(Rules::adopted());
    agree_on_shapes_and_outcomes::<3>(adopted, Bounds::of(1, 1), ONCE_OR_NEVER);
    agree_on_shapes_and_outcomes::<3>(adopted, Bounds::of(1, 1).gossiping(), ONCE_OR_NEVER);
}

#[test]
fn three_copies_and_two_recoveries_agree() {
    let adopted = at_three(Rules::adopted());
    agree_on_shapes_and_outcomes::<3>(adopted, Bounds::of(1, 2), SYNCED_ONCE_OR_NEVER);
}

/// With gossip, one recovery. M57 confirms by two, which is the read quorum of three copies.
#[test]
fn every_mutant_breaks_the_same_properties_at_three_copies() {
    let mut disagreements = Vec::new();
    for mutant in MUTANTS.iter().filter(|mutant| mutant.id != "M57") {
        let recoveries_max = if mutant.bounds.gossip.is_on() { 1 } else { 2 };
        let recoveries = mutant.bounds.recoveries.min(recoveries_max);
        let bounds = Bounds { records: 1, lal: 1, recoveries, ..mutant.bounds };
        let rules = at_three(mutant.rules);
        disagreements.extend(verdicts_differ::<3>(mutant.id, rules, bounds, SYNCED_ONCE_OR_NEVER));
    }
    assert_eq!(disagreements, Vec::<String>::new());
}

/// At two copies the lowered thresholds of M1, M2 and M57 are none.
#[test]
fn every_mutant_breaks_the_same_properties_at_two_copies() {
    let mut disagreements = Vec::new();
    for mutant in MUTANTS.iter().filter(|mutant| !["M1", "M2", "M57"].contains(&mutant.id)) {
        let recoveries = mutant.bounds.recoveries.min(2);
        let bounds = Bounds { records: 1, lal: 1, recoveries, ..mutant.bounds };
        let simplified = if recoveries == 1 { ONCE_OR_NEVER } else { SYNCED_ONCE_OR_NEVER };
        disagreements.extend(verdicts_differ::<2>(
            mutant.id,
            with_scheme(mutant.rules, TWO_COPIES),
            bounds,
            simplified,
        ));
    }
    assert_eq!(disagreements, Vec::<String>::new());
}

/// The mutants whose fully naive world is small. Where replies come late, a writer may learn after a newer one opened that
/// its record was quorate before: the naive world, which judges S9 by what the writer commits, finds that as well. The
/// world hears at once and finds the same loss as S1.
#[test]
fn mutants_break_the_same_properties_with_nothing_simplified() {
    let mut late = Vec::new();
    for id in ["M3", "M6", "M10", "M15"] {
        let mutant = by_id(id).unwrap();
        let bounds = Bounds { recoveries: 1, ..mutant.bounds };
        let (naive, reduced) = verdicts::<2>(id, with_scheme(mutant.rules, TWO_COPIES), bounds, FULLY_NAIVE);
        let without_s9 =
            |violated: &BTreeSet<_>| violated.iter().copied().filter(|id| *id != "S9").collect::<Vec<&str>>();
        assert_eq!(without_s9(&naive), without_s9(&reduced), "{id} at {bounds}");
        if naive != reduced {
            assert!(naive.contains("S9") && reduced.contains("S1"), "{id}: {naive:?} {reduced:?}");
            late.push(id);
        }
    }
    assert_eq!(late, ["M3", "M6"]);
}

#[test]
fn two_records_agree() {
    let mut disagreements = Vec::new();
    for id in ["M7", "M16", "M19"] {
        let mutant = by_id(id).unwrap();
        disagreements.extend(verdicts_differ::<3>(id, at_three(mutant.rules), mutant.bounds, SYNCED_ONCE_OR_NEVER));
    }
    assert_eq!(disagreements, Vec::<String>::new());
}
