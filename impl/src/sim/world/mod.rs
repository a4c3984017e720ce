//! The run itself: events, and what each does to whom.

mod availability;
mod clients;
mod connections;
mod convergence;
mod describe;
mod event;
mod faults;
mod nodes;
mod takeover;
mod writers;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use sextant_histories::Key;
use sextant_model::metadata::Metadata;
use sextant_model::rules::Rules;
use sextant_model::types::Nonce;

use super::agenda::{Agenda, MILLISECOND, Nanos, SECOND};
use super::client::{Client, Opened, Recording};
use super::instance::WriterProcess;
use super::network::{Arrivals, Network, PLACES, Place};
use super::pct::{Priorities, Scheduler};
use super::plan::{FaultKind, Plan, Window};
use super::storage::StorageNode;
use super::trace::Trace;
use super::{Available, COPIES, Cell, Class, ExecutorMistake, Options, Outcome, Struck, ZONES};
use crate::ledger::Ledger;
use crate::random::Random;
use crate::visited::Visited;
use event::Event;

/// The kinds of events in the simulator.
#[must_use]
pub fn event_kinds() -> &'static [&'static str] {
    &event::KINDS
}

/// Until a client without a writer looks again.
const LOOK_AGAIN: Nanos = 3 * MILLISECOND;
/// Between two attempts to connect to a node.
const DIAL_PAUSE: Nanos = 50 * MILLISECOND;
/// Between two attempts of a writer to reach the metadata service.
const TAKE_PAUSE: Nanos = 200 * MILLISECOND;
/// Until a peer on the same machine notices that a process is gone.
const NOTICES: Nanos = 2 * MILLISECOND;
/// Until a new standby is there.
const HIRE: Nanos = 100 * MILLISECOND;
/// After a sync, until a mark is put behind it.
const IDLE: Nanos = SECOND;
/// After a sync, until its timer fires once more where it was not cancelled.
const STALE: Nanos = MILLISECOND / 5;
/// Pings in the time after which an active writer counts as gone.
const PINGS: Nanos = 5;
/// A stretch as long as this has room for a failover and a write.
const WRITES_WITHIN: Nanos = 1500 * MILLISECOND;
/// A round of confirmation takes no longer than this.
const READS_WITHIN: Nanos = 1200 * MILLISECOND;
const CONVERGED_CHECK: Nanos = 50 * MILLISECOND;
/// How long the world may take to converge once nothing is wrong any more.
const CONVERGES_WITHIN: Nanos = 20 * SECOND;
/// Writers that one run may start; a run that starts so many goes round in circles.
const WRITERS_MAX: usize = 200;

/// One for each pair of places.
const CLASSES: usize = PLACES * PLACES;

/// Between a writer and a node.
struct Connection {
    writer: usize,
    node: usize,
    /// The node's process that accepted it.
    life: u32,
    node_open: bool,
    writer_open: bool,
}

/// A writer process with what the simulator knows about it.
struct Seat {
    process: WriterProcess,
    incarnation: Option<usize>,
    /// Its newest attempt at R0.
    attempt: u32,
    asks: bool,
    /// Events that wait for a paused process.
    held: Vec<Event>,
}

pub(super) struct World {
    rules: Rules,
    /// Where everybody records what it does.
    flight: Option<PathBuf>,
    judges: bool,
    mistake: Option<ExecutorMistake>,
    plan: Plan,
    began: Instant,
    agenda: Agenda<Event>,
    /// None: what is due first goes first.
    priorities: Option<Priorities>,
    network: Network,
    nodes: [StorageNode; COPIES],
    node_held: [Vec<Event>; COPIES],
    connections: Vec<Connection>,
    seats: Vec<Seat>,
    /// The writer that opened last, as clients know it.
    newest_open: Option<Opened>,
    metadata: Metadata,
    clients: Vec<Client>,
    recording: Recording,
    ledger: Ledger,
    trace: Trace,
    random: Random,
    faults: BTreeMap<FaultKind, Struck>,
    cells: BTreeMap<Cell, u64>,
    available: BTreeMap<Class, Available>,
    /// Since when nothing has begun or ended, and how many writes had succeeded then.
    steady: Steady,
    /// The confirmation round that the newest writer waits for, and since when.
    asking: Option<Asking>,
    /// Messages that the network had dropped and doubled when a window began, and whom the window struck.
    begun: Vec<Begun>,
    kinds: Vec<u64>,
    visited: Option<Visited>,
    is_over: bool,
    healed: Option<Nanos>,
    /// Keys that are still to be read at the very end, by client 0.
    last_reads: Option<Vec<Key>>,
    events: u64,
}

/// A stretch of time in which nothing changes.
#[derive(Clone, Copy, Debug, Default)]
struct Steady {
    since: Nanos,
    written: u64,
    read: u64,
    /// Only nodes are away, at most two, and so writes must succeed.
    must_write: bool,
    /// Only nodes are away, at most three, and so whoever serves must be confirmed.
    must_read: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Asking {
    writer: usize,
    round: Nonce,
    since: Nanos,
}

#[derive(Clone, Debug, Default)]
struct Begun {
    dropped: u64,
    doubled: u64,
    carried: u64,
    writer: Option<usize>,
    blocked: Vec<(Place, Place)>,
    is_active: bool,
}

impl World {
    pub fn new(seed: u64, plan: &Plan, options: &Options, flight: Option<&Path>) -> Self {
        let rules = plan.rules(options.rules);
        let sync = (plan.sync.0 * 1000, plan.sync.1 * 1000);
        let mut recording = Recording::default();
        let clients = (0..plan.clients).map(|n| Client::new(seed, n, plan.keys, &mut recording)).collect();
        let mut world = World {
            rules,
            flight: flight.map(Path::to_owned),
            judges: options.properties,
            mistake: options.executor,
            plan: plan.clone(),
            began: Instant::now(),
            agenda: Agenda::new(),
            priorities: match options.scheduler {
                Scheduler::Time => None,
                Scheduler::Pct { changes } => Some(Priorities::new(seed, CLASSES, changes, plan.ends())),
            },
            network: Network::new(seed, plan.latencies()),
            nodes: std::array::from_fn(|node| StorageNode::created(rules, seed, node, sync, options.executor, flight)),
            node_held: Default::default(),
            connections: Vec::new(),
            seats: Vec::new(),
            newest_open: None,
            metadata: Metadata::of_a_new_volume(),
            clients,
            recording,
            ledger: Ledger::default(),
            trace: Trace::new(options.trace),
            random: Random::new(seed, "world"),
            faults: BTreeMap::new(),
            cells: BTreeMap::new(),
            available: BTreeMap::new(),
            steady: Steady::default(),
            asking: None,
            begun: vec![Begun::default(); plan.windows.len()],
            kinds: vec![0; event::KINDS.len()],
            visited: (options.coverage && options.properties).then(Visited::default),
            is_over: false,
            healed: None,
            last_reads: None,
            events: 0,
        };
        world.plan_everything();
        world
    }

    fn plan_everything(&mut self) {
        for node in 0..COPIES {
            self.begin_gossip(node);
        }
        let first = self.hire(None);
        self.take(first);
        self.agenda.plan(HIRE, Event::Hire);
        for client in 0..self.clients.len() {
            self.agenda.plan(client as Nanos * 100_000, Event::Think { client });
        }
        for (window, Window { from, .. }) in self.plan.windows.iter().enumerate() {
            self.agenda.plan(from * MILLISECOND, Event::Begin { window });
        }
        self.agenda.plan(self.plan.ends(), Event::Heal);
    }

    pub fn run(mut self) -> Outcome {
        while !self.is_over && self.ledger.violations.is_empty() {
            let Some(event) = self.next() else { break };
            self.events += 1;
            self.happen(event);
            if let Some(strange) = self.recording.strange.take() {
                self.ledger.violated("contract", strange);
            }
        }
        Outcome {
            events: self.events,
            simulated: Duration::from_nanos(self.agenda.now()),
            ok: self.recording.ok,
            fail: self.recording.fail,
            info: self.recording.info,
            history: self.recording.events,
            epochs: self.ledger.epochs(),
            failovers: self.ledger.opened().saturating_sub(1),
            faults: self.faults,
            cells: self.cells,
            kinds: self.kinds,
            visited: self.visited,
            available: self.available,
            violation: self.ledger.violations.into_iter().next(),
            digest: self.trace.digest(),
            trace: self.trace.into_lines(),
        }
    }

    fn next(&mut self) -> Option<Event> {
        let Some(priorities) = &mut self.priorities else { return self.agenda.next() };
        let connections = &self.connections;
        self.agenda.next_by(priorities, |event| event.class(connections))
    }

    /// Whoever is paused finds it later.
    fn happen(&mut self, event: Event) {
        self.record(&event);
        match self.addressee(&event) {
            Some(Place::Node(node)) if self.nodes[node].paused => self.node_held[node].push(event),
            Some(Place::Writer(writer)) if self.seats[writer].process.is_paused => self.seats[writer].held.push(event),
            _ => self.handle(event),
        }
    }

    /// Takes note of the state's shape, if anybody wants to know.
    fn see(&mut self) {
        if let Some(visited) = &mut self.visited {
            visited.see(self.ledger.shape(&self.rules, &self.nodes));
        }
    }

    fn addressee(&self, event: &Event) -> Option<Place> {
        let of = |connection: u32| &self.connections[connection as usize];
        match *event {
            Event::Request { connection, .. } | Event::Accept { connection } | Event::HungUp { connection } => {
                Some(Place::Node(of(connection).node))
            }
            Event::Replies { connection, .. } | Event::Connected { connection } | Event::Broken { connection } => {
                Some(Place::Writer(of(connection).writer))
            }
            Event::EndSync { node, .. }
            | Event::StaleTimer { node }
            | Event::Mark { node, .. }
            | Event::Gossip { node, .. }
            | Event::Push { node, .. } => Some(Place::Node(node)),
            Event::Pull { peer, .. } => Some(Place::Node(peer)),
            Event::Dial { writer, .. }
            | Event::Tick { writer }
            | Event::Deadline { writer }
            | Event::Watch { writer }
            | Event::Record { writer, .. }
            | Event::Changed { writer, .. }
            | Event::TakeAgain { writer, .. }
            | Event::Command { writer, .. } => Some(Place::Writer(writer)),
            Event::Ping { to, .. } | Event::Pong { to } => Some(Place::Writer(to)),
            Event::AskRecord { .. } | Event::AskChange { .. } => Some(Place::Metadata),
            Event::Hire
            | Event::Think { .. }
            | Event::Answer { .. }
            | Event::Begin { .. }
            | Event::End { .. }
            | Event::Usurp
            | Event::Heal
            | Event::IsConverged => None,
        }
    }

    fn handle(&mut self, event: Event) {
        match event {
            Event::Request { connection, frame } => self.on_request(connection, &frame),
            Event::Replies { connection, frame } => self.on_replies(connection, &frame),
            Event::Dial { writer, node } => self.on_dial(writer, node),
            Event::Accept { connection } => self.on_accept(connection),
            Event::Connected { connection } => self.on_connected(connection),
            Event::Broken { connection } => self.on_broken(connection),
            Event::HungUp { connection } => self.on_hung_up(connection),
            Event::EndSync { node, life } => self.on_end_sync(node, life),
            Event::StaleTimer { node } => self.on_stale_timer(node),
            Event::Mark { node, life } => self.on_mark(node, life),
            Event::Gossip { node, life, turn } => self.on_gossip(node, life, turn),
            Event::Pull { node, peer, life, trunc_ve, held, turn } => {
                self.on_pull(node, peer, life, trunc_ve, held, turn);
            }
            Event::Push { node, peer, life, trunc_ve, records, turn } => {
                self.on_push(node, peer, life, trunc_ve, &records, turn);
            }
            Event::Tick { writer } => self.on_tick(writer),
            Event::Deadline { writer } => self.on_deadline(writer),
            Event::Watch { writer } => self.on_watch(writer),
            Event::Ping { from, to } => self.on_ping(from, to),
            Event::Pong { to } => self.on_pong(to),
            Event::AskRecord { writer, attempt } => self.on_ask_record(writer, attempt),
            Event::Record { writer, attempt, caller } => self.on_record(writer, attempt, caller),
            Event::AskChange { writer, attempt, caller } => self.on_ask_change(writer, attempt, caller),
            Event::Changed { writer, attempt, caller, changed, incarnation } => {
                self.on_changed(writer, attempt, caller, changed, incarnation);
            }
            Event::TakeAgain { writer, attempt } => self.on_take_again(writer, attempt),
            Event::Hire => self.on_hire(),
            Event::Think { client } => self.on_think(client),
            Event::Command { writer, number, command } => self.on_command(writer, number, command),
            Event::Answer { number, reply } => self.on_answer(number, reply),
            Event::Begin { window } => self.on_begin(window),
            Event::End { window } => self.on_end(window),
            Event::Usurp => self.usurp(),
            Event::Heal => self.on_heal(),
            Event::IsConverged => self.on_is_converged(),
        }
    }

    // --- messages ------------------------------------------------------------------------------------------------

    fn send(&mut self, from: Place, to: Place, event: impl Fn() -> Event) {
        let arrivals = self.network.send(from, to, self.agenda.now());
        self.arrive(arrivals, event);
    }

    fn arrive(&mut self, arrivals: Arrivals, event: impl Fn() -> Event) {
        for at in [arrivals.first, arrivals.second].into_iter().flatten() {
            self.agenda.plan(at, event());
        }
    }

    // --- trace ---------------------------------------------------------------------------------------------------

    fn record(&mut self, event: &Event) {
        let (kind, who, what) = event.numbers();
        self.kinds[kind as usize - 1] += 1;
        self.trace.fold(&[self.agenda.now(), kind << 32 | who, what]);
        if self.trace.wants_lines() {
            let line = self.describe(event);
            self.trace.line(self.agenda.now(), line);
        }
    }
}

const _: () = assert!(COPIES.is_multiple_of(ZONES), "the copies are spread evenly");
