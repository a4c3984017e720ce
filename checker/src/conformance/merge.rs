//! All actors in one order, in which everything is caused before it happens (pass B).

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::fmt;
use std::hash::{BuildHasherDefault, Hash, Hasher};

use sextant_model::disk::Entry;
use sextant_model::instance;
use sextant_model::logset::{Intervals, LogSet};
use sextant_model::recovery::Decision;
use sextant_model::segment::{Answer, Effect, Event, Reply, Segment};
use sextant_model::steps;
use sextant_model::types::{Epoch, Lsn, Nonce, SegmentId};
use sextant_storage::flight::{NodeEntry, WriterEntry};
use sextant_storage::ledger::{Ledger, NodeObserver, Nodes, Violation};
use sextant_storage::node::Observer;
use sextant_storage::random::Random;
use sextant_storage::visited::Visited;

use super::load::Run;
use super::replay::{Listener, Node, Writer};
use super::transcript::{Step, Transcript};
use super::{Difference, Options};

/// Which of the enabled events is next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// A node's as long as there is one; of the writers the newest.
    NodesFirst,
    /// A writer's as long as there is one, of the oldest first.
    WritersFirst,
    Random {
        seed: u64,
    },
}

impl fmt::Display for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Order::NodesFirst => f.write_str("nodes first"),
            Order::WritersFirst => f.write_str("writers first"),
            Order::Random { seed } => write!(f, "random order {seed}"),
        }
    }
}

/// Why a merge ended early.
pub(super) enum Stop {
    Differs(Difference),
    Uncaused(Vec<Difference>),
    Violated(Violation),
}

/// Events of one actor in a row, at most, in a random order.
const BURST_MAX: usize = 24;

pub(super) struct Merge<'a> {
    options: &'a Options,
    nodes: Copies<'a>,
    writers: Vec<Writer<'a>>,
    /// By writer: what everybody may know of it.
    said: Vec<Said>,
    /// Writers by epoch; a mistake in the metadata may give one epoch twice.
    by_epoch: BTreeMap<Epoch, Vec<usize>>,
    /// What nodes have answered to writers.
    answers: Answers,
    /// What nodes have told peers, by their last truncation.
    pushed: BTreeMap<Epoch, Intervals>,
    /// By LSN, the digest of the record that has it.
    contents: HashMap<Lsn, u32, BuildHasherDefault<Mixer>>,
    /// Of reads without an answer, by writer: up to where others had acknowledged commits when it was invoked.
    floors: HashMap<(usize, u64), Lsn, BuildHasherDefault<Mixer>>,
    ledger: Ledger,
    /// Writers that have taken the volume.
    taken: usize,
    /// By actor: its next event is not enabled, and nothing has happened since that could enable it.
    stuck: Vec<bool>,
    events: u64,
    visited: Option<&'a mut Visited>,
    transcript: Option<&'a mut Transcript>,
}

/// For whom an event may be a cause.
enum Woken {
    Nodes,
    Writers,
    All,
}

struct Copies<'a>(Vec<Node<'a>>);

impl Nodes for Copies<'_> {
    fn segment(&self, node: usize) -> Option<&Segment<Intervals>> {
        self.0.get(node)?.segment()
    }

    fn name(&self, node: usize) -> String {
        self.0[node].name().to_owned()
    }
}

/// What an incarnation has ever said: it stays deliverable when it is deposed or dead.
#[derive(Default)]
struct Said {
    /// Its number in the ledger, once it took the volume.
    number: Option<usize>,
    decision: Option<Decision<Intervals>>,
    /// The next LSN that it would allocate.
    next: Lsn,
    vdl: Lsn,
    asked: BTreeSet<Nonce>,
}

impl<'a> Merge<'a> {
    /// `visited` takes note of what the run is like after each event.
    pub fn new(run: &'a Run, options: &'a Options, visited: Option<&'a mut Visited>) -> Self {
        let writers: Vec<Writer<'a>> = run.writers.iter().map(Writer::new).collect();
        let mut by_epoch: BTreeMap<Epoch, Vec<usize>> = BTreeMap::new();
        for (number, writer) in writers.iter().enumerate() {
            if let Some(WriterEntry::Took { ve, .. }) = writer.head() {
                by_epoch.entry(*ve).or_default().push(number);
            }
        }
        Merge {
            options,
            nodes: Copies(run.nodes.iter().map(Node::new).collect()),
            said: writers.iter().map(|_| Said::default()).collect(),
            stuck: vec![false; run.nodes.len() + writers.len()],
            taken: 0,
            writers,
            by_epoch,
            answers: Answers::default(),
            pushed: BTreeMap::new(),
            contents: HashMap::default(),
            floors: HashMap::default(),
            ledger: Ledger::default(),
            events: 0,
            visited,
            transcript: None,
        }
    }

    /// The same, and every event is noted as a step of the model.
    pub fn told_to(self, transcript: &'a mut Transcript) -> Self {
        Merge { transcript: Some(transcript), ..self }
    }

    pub fn events(&self) -> u64 {
        self.events
    }

    /// Incarnations that opened the volume.
    pub fn opened(&self) -> usize {
        self.ledger.opened()
    }

    /// Goes on until everything has happened.
    ///
    /// # Errors
    /// Why that cannot be.
    pub fn follow(&mut self, order: Order) -> Result<(), Stop> {
        let actors = self.nodes.0.len() + self.writers.len();
        let nodes = 0..self.nodes.0.len();
        let writers = self.nodes.0.len()..actors;
        match order {
            Order::NodesFirst => self.by_priority(&nodes.chain(writers.rev()).collect::<Vec<_>>()),
            Order::WritersFirst => self.by_priority(&writers.chain(nodes).collect::<Vec<_>>()),
            Order::Random { seed } => self.at_random(actors, &mut Random::new(seed, "order")),
        }
    }

    /// Always the first actor that can.
    fn by_priority(&mut self, actors: &[usize]) -> Result<(), Stop> {
        while let Some(&actor) = actors.iter().find(|&&actor| !self.stuck[actor]) {
            self.happen(actor)?;
        }
        self.ended()
    }

    fn at_random(&mut self, actors: usize, random: &mut Random) -> Result<(), Stop> {
        let mut free: Vec<usize> = (0..actors).collect();
        while !free.is_empty() {
            let actor = free[random.below(free.len())];
            let burst = 1 + random.below(BURST_MAX);
            let mut moved = 0;
            while moved < burst && self.happen(actor)? {
                moved += 1;
            }
            free = (0..actors).filter(|&actor| !self.stuck[actor] && self.has_more(actor)).collect();
        }
        self.ended()
    }

    fn has_more(&self, actor: usize) -> bool {
        match self.nodes.0.get(actor) {
            Some(node) => node.head().is_some(),
            None => self.writers[actor - self.nodes.0.len()].head().is_some(),
        }
    }

    /// Who may wait for what `actor` has just done: a node's answers are for writers, its pushes for nodes, and what a writer
    /// sends is for nodes; a writer that takes the volume lets the next one take it.
    fn wake(&mut self, actor: usize, entry: Woken) {
        let nodes = self.nodes.0.len();
        let (to_nodes, to_writers) = match entry {
            Woken::Nodes => (true, false),
            Woken::Writers => (false, true),
            Woken::All => (true, true),
        };
        if to_nodes {
            self.stuck[..nodes].fill(false);
        }
        if to_writers {
            self.stuck[nodes..].fill(false);
        }
        self.stuck[actor] = false;
    }

    /// Nobody can do anything: is there anything left?
    fn ended(&self) -> Result<(), Stop> {
        let nodes = self.nodes.0.iter().filter_map(|node| {
            let head = node.head()?;
            Some(node.here(format!("nobody caused {}", shown(head))))
        });
        let writers = self.writers.iter().filter_map(|writer| {
            let head = writer.head()?;
            Some(writer.here(format!("nobody caused {}", shown(head))))
        });
        let waiting: Vec<Difference> = nodes.chain(writers).collect();
        if waiting.is_empty() { Ok(()) } else { Err(Stop::Uncaused(waiting)) }
    }

    /// Does the next thing of an actor, if it is enabled; whether it was.
    fn happen(&mut self, actor: usize) -> Result<bool, Stop> {
        let nodes = self.nodes.0.len();
        let woken = if actor < nodes {
            let pushes = matches!(self.nodes.0[actor].head(), Some(NodeEntry::Pushed { .. }));
            if pushes { Woken::Nodes } else { Woken::Writers }
        } else {
            let takes = matches!(self.writers[actor - nodes].head(), Some(WriterEntry::Took { .. }));
            if takes { Woken::All } else { Woken::Nodes }
        };
        let happened = if actor < nodes { self.node_happens(actor) } else { self.writer_happens(actor - nodes) };
        if !happened.map_err(Stop::Differs)? {
            // What it waits for, somebody else has to do.
            self.stuck[actor] = true;
            return Ok(false);
        }
        self.wake(actor, woken);
        self.events += 1;
        if let Some(visited) = &mut self.visited {
            visited.see(self.ledger.shape(&self.options.rules, &self.nodes));
        }
        let looked_for = |violation: &Violation| self.options.only.is_none_or(|only| only == violation.property);
        match self.ledger.violations.drain(..).find(looked_for) {
            Some(violation) => Err(Stop::Violated(violation)),
            None => Ok(true),
        }
    }

    // --- nodes ---------------------------------------------------------------------------------------------------

    fn node_happens(&mut self, number: usize) -> Result<bool, Difference> {
        let node = &self.nodes.0[number];
        let Some(entry) = node.head() else { return Ok(false) };
        if !self.is_node_enabled(entry) {
            return Ok(false);
        }
        if let NodeEntry::Stepped { event: Event::Write { lsn, .. } | Event::Gossip { lsn, .. }, record, .. } = entry {
            let known = *self.contents.entry(*lsn).or_insert(*record);
            // A mistake in the rules may give one LSN twice; a transcript shows what came of it.
            if known != *record && self.transcript.is_none() {
                return Err(node.here(format!("{lsn} is another record here than where it was seen first")));
            }
        }
        let rules = &self.options.rules;
        let judge = self.options.properties.then(|| self.ledger.observer(rules, number));
        self.nodes.0[number].apply(rules, &mut Judge(judge))?;
        self.note_node(number, entry);
        match entry {
            NodeEntry::Started { .. } => self.node_started(number),
            NodeEntry::Stepped { .. } => {
                for effect in self.nodes.0[number].effects() {
                    if let Effect::Reply(reply) = effect {
                        self.answers.give(SegmentId(number as u8), reply);
                    }
                }
                // What a sync changes, the append has changed before.
                let appended = |effect: &Effect<Intervals>| {
                    matches!(effect, Effect::Append(Entry::Record { .. } | Entry::Truncate { .. }))
                };
                if self.options.properties && self.nodes.0[number].effects().iter().any(appended) {
                    self.ledger.node_stepped(rules, number, &self.nodes);
                }
            }
            NodeEntry::Pushed { trunc_ve, lsns } => {
                let known = self.pushed.entry(*trunc_ve).or_default();
                lsns.runs().for_each(|(first, last)| known.insert_range(first, last));
            }
            NodeEntry::Read { ve, answer, .. } => {
                if let Err(sextant_model::segment::ReadRefusal::Refused(refusal)) = answer {
                    self.answers.refuse(*ve, refusal);
                }
            }
        }
        Ok(true)
    }

    fn node_started(&mut self, number: usize) {
        let Some(segment) = self.nodes.segment(number).filter(|_| self.options.properties) else { return };
        self.ledger.restarted(number, segment);
        self.ledger.node_stepped(&self.options.rules, number, &self.nodes);
    }

    fn is_node_enabled(&self, entry: &NodeEntry) -> bool {
        match entry {
            NodeEntry::Started { .. } | NodeEntry::Pushed { .. } => true,
            NodeEntry::Read { ve, read_point, .. } => self.said(*ve).any(|said| said.vdl >= *read_point),
            NodeEntry::Stepped { event, .. } => match event {
                Event::Synced { .. } => true,
                Event::Write { ve, lsn } => self.said(*ve).any(|said| said.has_written(*lsn)),
                Event::FenceRead { ve } => self.said(*ve).next().is_some(),
                Event::Truncate { ve, ranges } => {
                    let decided =
                        |said: &Said| said.decision.as_ref().is_some_and(|decision| decision.ranges == *ranges);
                    self.said(*ve).any(decided)
                }
                Event::Confirm { ve, nonce } => self.said(*ve).any(|said| said.asked.contains(nonce)),
                Event::Gossip { trunc_ve, lsn } => {
                    self.pushed.get(trunc_ve).is_some_and(|pushed| pushed.contains(*lsn))
                }
            },
        }
    }

    /// The node's event as a step of the model.
    fn note_node(&mut self, number: usize, entry: &NodeEntry) {
        if self.transcript.is_none() {
            return;
        }
        let named = |writer: Option<usize>| writer.map(|writer| self.writers[writer].number_from_the_first(writer));
        let segment = SegmentId(number as u8);
        let sender =
            |ve: Epoch, is_it: &dyn Fn(&Said) -> bool| self.senders(ve).filter(|&w| is_it(&self.said[w])).last();
        let (writer, event) = match entry {
            NodeEntry::Started { created, .. } => {
                self.transcript.iter_mut().for_each(|transcript| transcript.started(segment, *created));
                return;
            }
            NodeEntry::Stepped { event, .. } => match event {
                Event::Write { ve, lsn } => (sender(*ve, &|said| said.has_written(*lsn)), event),
                Event::Truncate { ve, ranges } => {
                    let is_it = |said: &Said| said.decision.as_ref().is_some_and(|decision| decision.ranges == *ranges);
                    (sender(*ve, &is_it), event)
                }
                Event::Confirm { ve, nonce } => (sender(*ve, &|said| said.asked.contains(nonce)), event),
                Event::FenceRead { ve } | Event::Gossip { trunc_ve: ve, .. } => (sender(*ve, &|_| true), event),
                Event::Synced { .. } => (None, event),
            },
            NodeEntry::Pushed { .. } | NodeEntry::Read { .. } => return,
        };
        let writer = named(writer);
        let Some(transcript) = &mut self.transcript else { return };
        let step = match (event, writer) {
            (Event::Synced { entries }, _) => {
                return (0..*entries).for_each(|_| transcript.push(Step::Sync { segment }));
            }
            (_, None) => return,
            (Event::Write { lsn, .. }, Some(writer)) => {
                let record = transcript.record(Some(writer), *lsn);
                record.map(|record| Step::Write { writer, segment, record })
            }
            (Event::Gossip { lsn, .. }, Some(cut_by)) => {
                transcript.record(None, *lsn).map(|record| Step::Gossip { cut_by, segment, record })
            }
            (Event::FenceRead { .. }, Some(writer)) => Some(Step::FenceRead { writer, segment }),
            (Event::Truncate { .. }, Some(writer)) => Some(Step::Truncate { writer, segment }),
            (Event::Confirm { .. }, Some(writer)) => Some(Step::Confirm { writer, segment }),
        };
        step.into_iter().for_each(|step| transcript.push(step));
    }

    // --- writers -------------------------------------------------------------------------------------------------

    /// Incarnations that have that epoch by now.
    fn senders(&self, ve: Epoch) -> impl Iterator<Item = usize> {
        let numbers = self.by_epoch.get(&ve).into_iter().flatten().copied();
        numbers.filter(|&number| self.said[number].number.is_some())
    }

    /// The writer's event as a step of the model. What it refuses to hear is lost there.
    fn note_writer(&mut self, number: usize, entry: &WriterEntry) {
        let Some(transcript) = &mut self.transcript else { return };
        let writer = self.writers[number].number_from_the_first(number);
        let event = match entry {
            WriterEntry::Took { creates: true, .. } => return,
            WriterEntry::Took { creates: false, .. } => return transcript.push(Step::Recover { writer }),
            WriterEntry::Stepped { event, .. } => event,
        };
        match *event {
            instance::Event::Fenced { from: segment, .. } => transcript.heard(Step::FenceRead { writer, segment }),
            instance::Event::Truncated { from: segment, .. } => transcript.heard(Step::Truncate { writer, segment }),
            instance::Event::Confirmed { from: segment, .. } => transcript.heard(Step::Confirm { writer, segment }),
            instance::Event::Acknowledged { from: segment, lsn, .. } => {
                if let Some(record) = transcript.record(Some(writer), lsn) {
                    transcript.heard(Step::Write { writer, segment, record });
                }
            }
            instance::Event::Decide => transcript.push(Step::Decide { writer }),
            instance::Event::Allocate => {
                for effect in self.writers[number].effects() {
                    if let instance::Effect::Allocated { lsn } = effect {
                        transcript.allocated(writer, *lsn);
                    }
                }
            }
            instance::Event::Read { .. } => transcript.push(Step::Read { writer }),
            instance::Event::BeginRound => transcript.push(Step::BeginRound { writer }),
            instance::Event::Refused { .. } => {}
        }
    }

    /// What incarnations of that epoch have said, if they have it by now.
    fn said(&self, ve: Epoch) -> impl Iterator<Item = &Said> {
        self.senders(ve).map(|number| &self.said[number])
    }

    fn writer_happens(&mut self, number: usize) -> Result<bool, Difference> {
        let Some(entry) = self.writers[number].head() else { return Ok(false) };
        if !self.is_writer_enabled(number, entry) {
            return Ok(false);
        }
        if let WriterEntry::Stepped { event: instance::Event::Read { id, .. }, .. } = entry {
            let others = self.said.iter().enumerate().filter(|(other, _)| *other != number);
            let floor = others.map(|(_, said)| said.vdl).max().unwrap_or_default();
            self.floors.insert((number, *id), floor);
        }
        self.writers[number].apply(&self.options.rules)?;
        self.note_writer(number, entry);
        self.judge_reads(number);
        let (writer, said) = (&self.writers[number], &mut self.said[number]);
        if let WriterEntry::Took { ve, .. } = entry {
            said.number = Some(self.ledger.took(*ve));
            self.taken += 1;
        }
        for effect in writer.effects() {
            if let instance::Effect::AskConfirmation { nonce } = effect {
                said.asked.insert(*nonce);
            }
        }
        let Some(instance) = writer.instance() else { return Ok(true) };
        if said.decision.is_none() {
            said.decision = instance.decision().cloned();
        }
        if let Some(open) = instance.writer() {
            said.next = open.next;
            said.vdl = open.vdl;
        }
        if let Some(number) = said.number.filter(|_| self.options.properties) {
            self.ledger.writer_stepped(number, instance, &self.nodes);
        }
        Ok(true)
    }

    /// S33: what a writer answers a read with has every commit that another had acknowledged before the read was invoked.
    fn judge_reads(&mut self, number: usize) {
        let writer = &self.writers[number];
        let vdl = writer.instance().and_then(|instance| instance.writer()).map(|open| open.vdl).unwrap_or_default();
        for effect in writer.effects() {
            let instance::Effect::Answer { id, .. } = effect else { continue };
            let Some(floor) = self.floors.remove(&(number, *id)).filter(|_| self.options.properties) else { continue };
            if let Some(breach) = steps::answers(vdl, floor) {
                let fact = format!("{}: its state ends at {vdl}, {floor} had been acknowledged", breach.fact());
                self.ledger.violated(breach.id(), fact);
            }
        }
    }

    fn is_writer_enabled(&self, number: usize, entry: &WriterEntry) -> bool {
        let event = match entry {
            // Epochs are given in order.
            WriterEntry::Took { .. } => return self.taken == number,
            WriterEntry::Stepped { event, .. } => event,
        };
        match event {
            instance::Event::Fenced { from, ve, answer } => self.answers.has(&Spoken::Fenced(*from, *ve, answer)),
            instance::Event::Truncated { from, ve, scl } => self.answers.has(&Spoken::Truncated(*from, *ve, *scl)),
            instance::Event::Acknowledged { from, ve, lsn, scl } => {
                self.answers.has(&Spoken::Acknowledged(*from, *ve, *lsn, *scl))
            }
            instance::Event::Confirmed { from, ve, nonce } => self.answers.has(&Spoken::Confirmed(*from, *ve, *nonce)),
            instance::Event::Refused { ve, refusal } => self.answers.has(&Spoken::Refused(*ve, refusal)),
            instance::Event::Decide
            | instance::Event::Allocate
            | instance::Event::Read { .. }
            | instance::Event::BeginRound => true,
        }
    }
}

impl Said {
    /// It allocated the record, or writes it back.
    fn has_written(&self, lsn: Lsn) -> bool {
        let Some(decision) = &self.decision else { return false };
        if lsn >= decision.first { lsn < self.next } else { decision.keeps(lsn) }
    }
}

/// The properties that speak of steps.
struct Judge<'a>(Option<NodeObserver<'a>>);

impl Listener for Judge<'_> {
    fn before(&mut self, segment: &Segment<Intervals>, event: &Event<Intervals>) {
        if let Some(observer) = &mut self.0 {
            observer.before(segment, event, None);
        }
    }

    fn after(&mut self, segment: &Segment<Intervals>, effects: &[Effect<Intervals>]) {
        if let Some(observer) = &mut self.0 {
            observer.after(segment, effects);
        }
    }
}

/// What a node says to a writer. A refusal does not say whose it is.
#[derive(Hash)]
enum Spoken<'a> {
    Acknowledged(SegmentId, Epoch, Lsn, Lsn),
    Fenced(SegmentId, Epoch, &'a Answer<Intervals>),
    Truncated(SegmentId, Epoch, Lsn),
    Confirmed(SegmentId, Epoch, Nonce),
    Refused(Epoch, &'a sextant_model::rules::Refusal),
}

/// Everything that nodes have ever said to writers, by 64 bits of it.
#[derive(Default)]
struct Answers(HashSet<u64, BuildHasherDefault<Mixer>>);

impl Answers {
    fn give(&mut self, from: SegmentId, reply: &Reply<Intervals>) {
        let said = match reply {
            Reply::Acknowledged { ve, lsn, scl, .. } => Spoken::Acknowledged(from, *ve, *lsn, *scl),
            Reply::Fenced { ve, answer, .. } => Spoken::Fenced(from, *ve, answer),
            Reply::Truncated { ve, scl, .. } => Spoken::Truncated(from, *ve, *scl),
            Reply::Confirmed { ve, nonce } => Spoken::Confirmed(from, *ve, *nonce),
            Reply::Refused { ve, refusal } => Spoken::Refused(*ve, refusal),
        };
        self.0.insert(mixed(&said));
    }

    fn refuse(&mut self, ve: Epoch, refusal: &sextant_model::rules::Refusal) {
        self.0.insert(mixed(&Spoken::Refused(ve, refusal)));
    }

    fn has(&self, said: &Spoken<'_>) -> bool {
        self.0.contains(&mixed(said))
    }
}

fn mixed(value: &impl Hash) -> u64 {
    let mut mixer = Mixer::default();
    value.hash(&mut mixer);
    mixer.finish()
}

/// The finaliser of SplitMix64, chained: fast, and the same in every run.
#[derive(Default)]
struct Mixer(u64);

impl Mixer {
    fn mix(&mut self, word: u64) {
        let mut z = self.0.rotate_left(23) ^ word.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        self.0 = z ^ (z >> 29);
    }
}

impl Hasher for Mixer {
    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.mix(u64::from_le_bytes(word));
        }
    }

    fn write_u8(&mut self, word: u8) {
        self.mix(word.into());
    }

    fn write_u32(&mut self, word: u32) {
        self.mix(word.into());
    }

    fn write_u64(&mut self, word: u64) {
        self.mix(word);
    }

    fn write_isize(&mut self, word: isize) {
        self.mix(word as u64);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// Not longer than a line or two.
fn shown(entry: &impl fmt::Debug) -> String {
    const LONGEST: usize = 240;
    let text = format!("{entry:?}");
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}
