//! The run itself: events, and what each does to whom.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use sextant_histories::{Call, Key};
use sextant_model::instance;
use sextant_model::logset::Intervals;
use sextant_model::metadata::{Change, Conflict, Metadata};
use sextant_model::rules::Rules;
use sextant_model::types::{Epoch, SegmentId};

use super::agenda::{Agenda, MILLISECOND, Nanos, SECOND};
use super::client::{Client, Opened, Recording};
use super::instance::{TICK_NANOS, WriterProcess};
use super::network::{Arrivals, Network, Place, Trouble};
use super::plan::{FaultKind, Plan, Window};
use super::storage::{End, Refusal, StorageNode};
use super::trace::Trace;
use super::{COPIES, Class, Options, Outcome, Phase, Struck, ZONES};
use crate::client::contract::{Failure, command_of};
use crate::client::workload::keys;
use crate::ledger::Ledger;
use crate::node::Observer;
use crate::node::server::{ConnectionId, RECORDS_MAX, frames_of};
use crate::random::Random;
use crate::resp::{Command, Reply};
use crate::wire::frame::decode_frame;
use crate::wire::messages::{NodeReply, NodeRequest, Record};
use crate::writer::{Input, Taken};

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
/// Pings in the time after which an active writer counts as gone.
const PINGS: Nanos = 5;
/// A stretch as long as this has room for a failover and a write.
const WRITES_WITHIN: Nanos = 1500 * MILLISECOND;
const CONVERGED_CHECK: Nanos = 50 * MILLISECOND;
/// How long the world may take to converge once nothing is wrong any more.
const CONVERGES_WITHIN: Nanos = 20 * SECOND;
/// Writers that one run may start; a run that starts so many goes round in circles.
const WRITERS_MAX: usize = 200;

enum Event {
    /// A frame of a writer comes to a node.
    Request {
        connection: u32,
        frame: Arc<[u8]>,
    },
    /// A frame of a node comes to a writer.
    Replies {
        connection: u32,
        frame: Arc<[u8]>,
    },
    Dial {
        writer: usize,
        node: usize,
    },
    /// A connection comes to a node, and back to the writer.
    Accept {
        connection: u32,
    },
    Connected {
        connection: u32,
    },
    /// The writer's end notices that the node's is gone, or the other way round.
    Broken {
        connection: u32,
    },
    HungUp {
        connection: u32,
    },
    EndSync {
        node: usize,
        life: u32,
    },
    Mark {
        node: usize,
        life: u32,
    },
    Gossip {
        node: usize,
        life: u32,
        turn: usize,
    },
    Pull {
        node: usize,
        peer: usize,
        life: u32,
        trunc_ve: Epoch,
        held: Intervals,
        turn: usize,
    },
    Push {
        node: usize,
        peer: usize,
        life: u32,
        trunc_ve: Epoch,
        records: Vec<Record>,
        turn: usize,
    },
    Tick {
        writer: usize,
    },
    Deadline {
        writer: usize,
    },
    /// A standby looks after its writer; a ping; its answer.
    Watch {
        writer: usize,
    },
    Ping {
        from: usize,
        to: usize,
    },
    Pong {
        to: usize,
    },
    /// R0: a writer asks for the record, gets it, asks for the change, gets the answer.
    AskRecord {
        writer: usize,
        attempt: u32,
    },
    Record {
        writer: usize,
        attempt: u32,
        caller: Epoch,
    },
    AskChange {
        writer: usize,
        attempt: u32,
        caller: Epoch,
    },
    Changed {
        writer: usize,
        attempt: u32,
        caller: Epoch,
        changed: Result<Metadata, Conflict>,
        incarnation: usize,
    },
    TakeAgain {
        writer: usize,
        attempt: u32,
    },
    Hire,
    Think {
        client: usize,
    },
    Command {
        writer: usize,
        number: u64,
        command: Command,
    },
    Answer {
        number: u64,
        reply: Result<Reply, Failure>,
    },
    Begin {
        window: usize,
    },
    End {
        window: usize,
    },
    Usurp,
    /// Nothing is wrong from now on.
    Heal,
    IsConverged,
}

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
    plan: Plan,
    began: Instant,
    agenda: Agenda<Event>,
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
    phases: BTreeMap<(FaultKind, Phase), u64>,
    classes: BTreeMap<(Class, Phase), u64>,
    /// Since when nothing has begun or ended, and how many writes had succeeded then.
    steady: Steady,
    /// Messages that the network had dropped and doubled when a window began, and whom the window struck.
    begun: Vec<Begun>,
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
    /// Only nodes are away, at most two, and so writes must succeed.
    must_write: bool,
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
            plan: plan.clone(),
            began: Instant::now(),
            agenda: Agenda::new(),
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
            phases: BTreeMap::new(),
            classes: BTreeMap::new(),
            steady: Steady::default(),
            begun: vec![Begun::default(); plan.windows.len()],
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
            let Some(event) = self.agenda.next() else { break };
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
            phases: self.phases,
            classes: self.classes,
            violation: self.ledger.violations.into_iter().next(),
            digest: self.trace.digest(),
            trace: self.trace.into_lines(),
        }
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

    // --- nodes ---------------------------------------------------------------------------------------------------

    fn on_request(&mut self, connection: u32, frame: &[u8]) {
        let node = self.connections[connection as usize].node;
        let Some((server, flight)) = self.nodes[node].recorded() else { return };
        // The gateway: what is no message is none.
        let Ok(Some((request, _))) = decode_frame::<NodeRequest>(frame) else { return };
        let id = ConnectionId(connection.into());
        let judge = self.judges.then(|| self.ledger.observer(&self.rules, node));
        server.request(id, request, &mut (judge, flight));
        self.after_node(node);
    }

    fn on_end_sync(&mut self, node: usize, life: u32) {
        if self.nodes[node].life() != life || !self.nodes[node].is_up() {
            return;
        }
        let Ok(entries) = self.nodes[node].end_sync() else { return self.stop_node(node, End::Kill) };
        let Some((server, flight)) = self.nodes[node].recorded() else { return };
        let judge = self.judges.then(|| self.ledger.observer(&self.rules, node));
        server.synced(entries, &mut (judge, flight));
        self.agenda.after(IDLE, Event::Mark { node, life });
        self.after_node(node);
    }

    fn on_mark(&mut self, node: usize, life: u32) {
        if self.nodes[node].life() == life && self.nodes[node].mark().is_err() {
            self.stop_node(node, End::Kill);
        }
    }

    fn begin_gossip(&mut self, node: usize) {
        if self.plan.gossip > 0 {
            let life = self.nodes[node].life();
            let delay = self.plan.gossip * MILLISECOND + node as Nanos * 1_000_000;
            self.agenda.after(delay, Event::Gossip { node, life, turn: node });
        }
    }

    fn on_gossip(&mut self, node: usize, life: u32, turn: usize) {
        if self.nodes[node].life() != life || !self.nodes[node].is_up() {
            return;
        }
        let peer = (node + 1 + turn % (COPIES - 1)) % COPIES;
        self.agenda.after(self.plan.gossip * MILLISECOND, Event::Gossip { node, life, turn: turn + 1 });
        self.pull(node, peer, turn);
    }

    fn pull(&mut self, node: usize, peer: usize, turn: usize) {
        let Some(server) = self.nodes[node].server() else { return };
        let life = self.nodes[node].life();
        let (trunc_ve, held) = server.description();
        let arrivals = self.network.send(Place::Node(node), Place::Node(peer), self.agenda.now());
        self.arrive(arrivals, || Event::Pull { node, peer, life, trunc_ve, held: held.clone(), turn });
    }

    fn on_pull(&mut self, node: usize, peer: usize, life: u32, trunc_ve: Epoch, held: Intervals, turn: usize) {
        let Some((server, flight)) = self.nodes[peer].recorded() else { return };
        let push = server.push_for(trunc_ve, held);
        flight.replied(&push);
        flight.flush();
        let NodeReply::GossipPush { trunc_ve, records } = push else { return };
        if records.is_empty() {
            return;
        }
        let arrivals = self.network.send(Place::Node(peer), Place::Node(node), self.agenda.now());
        self.arrive(arrivals, || Event::Push { node, peer, life, trunc_ve, records: records.clone(), turn });
    }

    fn on_push(&mut self, node: usize, peer: usize, life: u32, trunc_ve: Epoch, records: &[Record], turn: usize) {
        // A push may come to a later process of the same node: it says what holds for ever.
        let Some((server, flight)) = self.nodes[node].recorded() else { return };
        let judge = self.judges.then(|| self.ledger.observer(&self.rules, node));
        server.gossip(trunc_ve, records, &mut (judge, flight));
        self.after_node(node);
        if records.len() >= RECORDS_MAX && self.nodes[node].life() == life {
            self.pull(node, peer, turn);
        }
    }

    /// What a node's steps cause: a sync, replies.
    fn after_node(&mut self, node: usize) {
        if self.judges {
            self.ledger.node_stepped(&self.rules, node, &self.nodes);
        }
        self.nodes[node].record();
        let life = self.nodes[node].life();
        if let Some(duration) = self.nodes[node].begin_sync() {
            self.agenda.after(duration, Event::EndSync { node, life });
        }
        let Some(server) = self.nodes[node].server_mut() else { return };
        let (agenda, network, connections) = (&mut self.agenda, &mut self.network, &self.connections);
        server.take_replies(|id, replies| {
            let connection = id.0 as u32;
            let to = Place::Writer(connections[connection as usize].writer);
            // A reply that no frame holds closes a real connection; none of the records here is that large.
            for frame in frames_of(replies).unwrap_or_default() {
                let frame: Arc<[u8]> = frame.into();
                let arrivals = network.send(Place::Node(node), to, agenda.now());
                for at in [arrivals.first, arrivals.second].into_iter().flatten() {
                    agenda.plan(at, Event::Replies { connection, frame: Arc::clone(&frame) });
                }
            }
        });
    }

    fn stop_node(&mut self, node: usize, end: End) {
        if !self.nodes[node].is_up() {
            return;
        }
        self.nodes[node].stop(end);
        self.forget_node(node);
        self.trace.line(self.agenda.now(), format_args!("{} is down", self.nodes[node].name()));
    }

    /// A node's process is gone: its writers notice.
    fn forget_node(&mut self, node: usize) {
        self.nodes[node].paused = false;
        self.node_held[node].clear();
        for (number, connection) in self.connections.iter_mut().enumerate() {
            if connection.node == node && connection.node_open {
                connection.node_open = false;
                self.agenda.after(NOTICES, Event::Broken { connection: number as u32 });
            }
        }
    }

    fn start_node(&mut self, node: usize) {
        if self.nodes[node].is_up() || self.nodes[node].is_lost {
            return;
        }
        let refusal = self.nodes[node].start(self.rules).err();
        let name = self.nodes[node].name().to_owned();
        match &refusal {
            None => {}
            Some(Refusal::Damaged(_)) => self.nodes[node].is_lost = true,
            Some(Refusal::Unfounded(why)) => {
                self.ledger.violated("persistence", format!("{name} refuses its disk: {why}"));
            }
            Some(Refusal::Forgot(what)) => self.ledger.violated("persistence", format!("{name}: {what}")),
        }
        if let Some(server) = self.nodes[node].server() {
            if self.judges {
                self.ledger.restarted(node, server.segment());
                self.ledger.node_stepped(&self.rules, node, &self.nodes);
            }
            self.begin_gossip(node);
        }
        let how = refusal.map_or("is up".to_owned(), |refusal| format!("{refusal:?}"));
        self.trace.line(self.agenda.now(), format_args!("{name} {how}"));
    }

    // --- connections ---------------------------------------------------------------------------------------------

    fn on_dial(&mut self, writer: usize, node: usize) {
        let process = &self.seats[writer].process;
        if !process.is_alive || !process.is_running() || process.links[node].is_some() {
            return;
        }
        self.agenda.after(DIAL_PAUSE, Event::Dial { writer, node });
        let connection = self.connections.len() as u32;
        self.connections.push(Connection { writer, node, life: 0, node_open: false, writer_open: false });
        self.send(Place::Writer(writer), Place::Node(node), || Event::Accept { connection });
    }

    fn on_accept(&mut self, connection: u32) {
        let Connection { writer, node, node_open, .. } = self.connections[connection as usize];
        let is_alive = self.seats[writer].process.is_alive;
        let life = self.nodes[node].life();
        let Some(server) = self.nodes[node].server_mut().filter(|_| is_alive && !node_open) else { return };
        server.open(ConnectionId(connection.into()));
        let accepted = &mut self.connections[connection as usize];
        accepted.node_open = true;
        accepted.life = life;
        self.send(Place::Node(node), Place::Writer(writer), || Event::Connected { connection });
    }

    fn on_connected(&mut self, connection: u32) {
        let Connection { writer, node, node_open, .. } = self.connections[connection as usize];
        let now = self.agenda.now();
        let process = &mut self.seats[writer].process;
        if !process.is_alive || process.links[node].is_some() || !node_open {
            return;
        }
        process.links[node] = Some(connection);
        self.connections[connection as usize].writer_open = true;
        process.connected(node, now);
        self.after_writer(writer);
    }

    fn on_broken(&mut self, connection: u32) {
        let Connection { writer, node, .. } = self.connections[connection as usize];
        self.connections[connection as usize].writer_open = false;
        let now = self.agenda.now();
        let process = &mut self.seats[writer].process;
        if !process.is_alive || process.links[node] != Some(connection) {
            return;
        }
        process.links[node] = None;
        process.disconnected(node, now);
        self.agenda.after(DIAL_PAUSE, Event::Dial { writer, node });
        self.after_writer(writer);
    }

    fn on_hung_up(&mut self, connection: u32) {
        let Connection { node, life, .. } = self.connections[connection as usize];
        self.connections[connection as usize].node_open = false;
        if self.nodes[node].life() == life
            && let Some(server) = self.nodes[node].server_mut()
        {
            server.close(ConnectionId(connection.into()));
        }
    }

    // --- writers -------------------------------------------------------------------------------------------------

    fn hire(&mut self, watches: Option<usize>) -> usize {
        let now = self.agenda.now();
        let watches = watches.map(|of| (of, now));
        let flight = self.flight.clone().map(|dir| (dir, format!("w{}", self.seats.len() + 1)));
        let process = WriterProcess::new(self.rules, self.plan.pages_max, self.began, watches, flight);
        self.seats.push(Seat { process, incarnation: None, attempt: 0, asks: false, held: Vec::new() });
        let writer = self.seats.len() - 1;
        self.agenda.after(TICK_NANOS, Event::Tick { writer });
        if watches.is_some() {
            self.agenda.after(1, Event::Watch { writer });
        }
        writer
    }

    /// Sees to it that a living writer has a living standby.
    fn on_hire(&mut self) {
        if self.seats.len() >= WRITERS_MAX {
            return self.ledger.violated("L2", format!("{WRITERS_MAX} writers were started, and no end"));
        }
        let Some(active) = self.latest() else { return };
        let is_watched = |w: &usize| self.seats[*w].process.watches.is_some_and(|(of, _)| of == active);
        let has_standby = (0..self.seats.len()).filter(is_watched).any(|w| self.seats[w].process.is_alive);
        if !has_standby {
            self.hire(Some(active));
        }
    }

    fn on_replies(&mut self, connection: u32, frame: &[u8]) {
        let Connection { writer, node, .. } = self.connections[connection as usize];
        let now = self.agenda.now();
        let process = &mut self.seats[writer].process;
        if !process.is_alive {
            return;
        }
        let Ok(Some((replies, _))) = decode_frame::<Vec<NodeReply>>(frame) else { return };
        process.handle(Input::Replies { segment: SegmentId(node as u8), replies }, now);
        self.after_writer(writer);
    }

    fn on_tick(&mut self, writer: usize) {
        let now = self.agenda.now();
        let process = &mut self.seats[writer].process;
        if !process.is_alive {
            return;
        }
        process.on_time(now);
        self.agenda.after(TICK_NANOS, Event::Tick { writer });
        self.after_writer(writer);
    }

    fn on_deadline(&mut self, writer: usize) {
        let now = self.agenda.now();
        let process = &mut self.seats[writer].process;
        process.deadline = None;
        if process.is_alive {
            process.on_time(now);
            self.after_writer(writer);
        }
    }

    /// What a writer's step causes: frames, replies, another time to wake.
    fn after_writer(&mut self, writer: usize) {
        let now = self.agenda.now();
        let seat = &mut self.seats[writer];
        if self.judges
            && let (Some(number), Some(instance)) = (seat.incarnation, seat.process.instance())
        {
            self.ledger.writer_stepped(number, instance, &self.nodes);
        }
        let opened = seat.incarnation.filter(|_| seat.process.is_open());
        let opened = opened.map(|incarnation| Opened { incarnation, writer });
        if self.newest_open < opened {
            self.newest_open = opened;
            self.trace.line(now, format_args!("w{writer} is open"));
        }
        for (node, frame) in seat.process.take_frames() {
            let Some(connection) = seat.process.links[node] else { continue };
            let arrivals = self.network.send(Place::Writer(writer), Place::Node(node), now);
            for at in [arrivals.first, arrivals.second].into_iter().flatten() {
                self.agenda.plan(at, Event::Request { connection, frame: Arc::clone(&frame) });
            }
        }
        while let Some((number, reply)) = self.seats[writer].process.take_reply() {
            // To clients the way is never lost: their connection would tell them, and they would not know more.
            let arrivals = self.network.send(Place::Writer(writer), Place::Client, now);
            let at = arrivals.first.unwrap_or(now + MILLISECOND);
            self.agenda.plan(at, Event::Answer { number, reply: Ok(reply) });
        }
        let process = &mut self.seats[writer].process;
        let next = process.next_deadline();
        if let Some(at) = next.filter(|at| process.deadline.is_none_or(|planned| *at < planned)) {
            process.deadline = Some(at);
            self.agenda.plan(at, Event::Deadline { writer });
        }
    }

    /// One more writer, which does not wait for its turn.
    fn usurp(&mut self) {
        if self.seats.len() < WRITERS_MAX {
            let writer = self.hire(None);
            self.take(writer);
        }
    }

    fn kill_writer(&mut self, writer: usize) {
        if !self.seats[writer].process.is_alive {
            return;
        }
        let seat = &mut self.seats[writer];
        seat.process.is_alive = false;
        seat.process.is_paused = false;
        seat.held.clear();
        seat.process.links = [None; COPIES];
        self.trace.line(self.agenda.now(), format_args!("w{writer} is killed"));
        for (number, connection) in self.connections.iter_mut().enumerate() {
            if connection.writer == writer && connection.node_open {
                connection.writer_open = false;
                self.agenda.after(NOTICES, Event::HungUp { connection: number as u32 });
            }
        }
        for client in &self.clients {
            if let Some(waiting) = client.waits.as_ref().filter(|waiting| waiting.writer == writer) {
                self.agenda.after(NOTICES, Event::Answer { number: waiting.number, reply: Err(Failure::Lost) });
            }
        }
        self.agenda.after(HIRE, Event::Hire);
    }

    // --- takeover ------------------------------------------------------------------------------------------------

    fn on_watch(&mut self, writer: usize) {
        let now = self.agenda.now();
        let Some((of, answered)) = self.seats[writer].process.watches else { return };
        if !self.seats[writer].process.is_alive {
            return;
        }
        let failover = self.plan.failover * MILLISECOND;
        if now - answered >= failover {
            self.trace.line(now, format_args!("w{writer} takes over from w{of}"));
            return self.take(writer);
        }
        self.send(Place::Writer(writer), Place::Writer(of), || Event::Ping { from: writer, to: of });
        self.agenda.after(failover / PINGS, Event::Watch { writer });
    }

    /// Any reply is a sign of life.
    fn on_ping(&mut self, from: usize, to: usize) {
        if self.seats[to].process.is_alive {
            self.send(Place::Writer(to), Place::Writer(from), || Event::Pong { to: from });
        }
    }

    fn on_pong(&mut self, to: usize) {
        let now = self.agenda.now();
        if let Some((_, answered)) = &mut self.seats[to].process.watches {
            *answered = now;
        }
    }

    /// R0 begins: the writer wants the volume from now on.
    fn take(&mut self, writer: usize) {
        let now = self.agenda.now();
        let seat = &mut self.seats[writer];
        seat.process.watches = None;
        seat.asks = true;
        seat.process.handle(Input::Taking, now);
        self.agenda.after(HIRE, Event::Hire);
        self.ask_record(writer);
    }

    fn ask_record(&mut self, writer: usize) {
        let seat = &mut self.seats[writer];
        seat.attempt += 1;
        let attempt = seat.attempt;
        self.agenda.after(TAKE_PAUSE, Event::TakeAgain { writer, attempt });
        self.send(Place::Writer(writer), Place::Metadata, || Event::AskRecord { writer, attempt });
    }

    /// Without an answer nothing is known, and the next attempt reads the record again.
    fn on_take_again(&mut self, writer: usize, attempt: u32) {
        let seat = &self.seats[writer];
        if seat.process.is_alive && seat.asks && seat.attempt == attempt {
            self.ask_record(writer);
        }
    }

    fn on_ask_record(&mut self, writer: usize, attempt: u32) {
        let caller = self.metadata.volume_epoch;
        self.send(Place::Metadata, Place::Writer(writer), || Event::Record { writer, attempt, caller });
    }

    fn on_record(&mut self, writer: usize, attempt: u32, caller: Epoch) {
        let seat = &self.seats[writer];
        if seat.process.is_alive && seat.asks && seat.attempt == attempt {
            self.send(Place::Writer(writer), Place::Metadata, || Event::AskChange { writer, attempt, caller });
        }
    }

    fn on_ask_change(&mut self, writer: usize, attempt: u32, caller: Epoch) {
        let changed = self.metadata.apply(&self.rules, Change::TakeVolume { caller });
        let incarnation = match changed {
            Ok(metadata) => self.ledger.took(metadata.volume_epoch),
            Err(_) => 0,
        };
        self.send(Place::Metadata, Place::Writer(writer), || Event::Changed {
            writer,
            attempt,
            caller,
            changed,
            incarnation,
        });
    }

    fn on_changed(
        &mut self,
        writer: usize,
        attempt: u32,
        caller: Epoch,
        changed: Result<Metadata, Conflict>,
        incarnation: usize,
    ) {
        let now = self.agenda.now();
        let seat = &mut self.seats[writer];
        if !seat.process.is_alive || !seat.asks || seat.attempt != attempt {
            return;
        }
        seat.asks = false;
        match changed {
            Ok(metadata) => {
                let ve = metadata.volume_epoch;
                seat.incarnation = Some(incarnation);
                seat.process.handle(Input::Taken(Taken { creates: false, ve, members: Vec::new() }), now);
                self.trace.line(now, format_args!("w{writer} has {ve}"));
                for node in 0..COPIES {
                    self.agenda.after(0, Event::Dial { writer, node });
                }
            }
            Err(Conflict(metadata)) => {
                seat.process.handle(Input::Lost { caller, by: metadata.volume_epoch }, now);
                self.agenda.after(HIRE, Event::Hire);
            }
        }
        self.after_writer(writer);
    }

    // --- clients -------------------------------------------------------------------------------------------------

    fn on_think(&mut self, client: usize) {
        let now = self.agenda.now();
        if self.healed.is_some() && self.last_reads.is_none() {
            // Whoever waits for an answer gets it or not; nobody asks anew.
            return;
        }
        if self.clients[client].waits.is_some() {
            return;
        }
        let chosen = self.clients[client].choose(self.newest_open);
        let Some(writer) = chosen.filter(|&writer| self.seats[writer].process.is_alive) else {
            // Connection refused.
            if chosen.is_some() {
                self.clients[client].leave();
            }
            return self.agenda.after(LOOK_AGAIN, Event::Think { client });
        };
        let (number, key, call) = match &mut self.last_reads {
            None => self.clients[client].invoke(writer, &mut self.recording, now),
            Some(keys) => {
                let Some(key) = keys.last().cloned() else { return };
                self.clients[client].ask(writer, key, Call::Read, &mut self.recording, now)
            }
        };
        let arrivals = self.network.send(Place::Client, Place::Writer(writer), now);
        let at = arrivals.first.unwrap_or(now + MILLISECOND);
        self.agenda.plan(at, Event::Command { writer, number, command: command_of(&key, &call) });
        self.agenda.after(self.plan.patience * MILLISECOND, Event::Answer { number, reply: Err(Failure::Late) });
    }

    fn on_command(&mut self, writer: usize, number: u64, command: Command) {
        let now = self.agenda.now();
        if self.seats[writer].process.is_alive {
            self.seats[writer].process.command(number, command, now);
            self.after_writer(writer);
        }
    }

    fn on_answer(&mut self, number: u64, reply: Result<Reply, Failure>) {
        let now = self.agenda.now();
        let Some(client) = self.clients.iter().position(|c| c.waits.as_ref().is_some_and(|w| w.number == number))
        else {
            return;
        };
        let is_read = matches!(reply, Ok(Reply::Bulk(_)));
        self.clients[client].end(number, reply, &mut self.recording, now);
        if let Some(keys) = &mut self.last_reads
            && is_read
        {
            keys.pop();
            self.is_over |= keys.is_empty();
        }
        let pause = self.clients[client].thinks(self.plan.think * 1000);
        self.agenda.after(pause.max(LOOK_AGAIN / 30), Event::Think { client });
    }

    // --- faults --------------------------------------------------------------------------------------------------

    fn on_begin(&mut self, number: usize) {
        let window = self.plan.windows[number].clone();
        self.trace.line(self.agenda.now(), format_args!("{} begins", window.fault));
        self.judge_availability();
        let phase = self.phase();
        *self.phases.entry((window.fault, phase)).or_default() += 1;
        let Network { carried, dropped, doubled, .. } = self.network;
        self.begun[number] = Begun { dropped, doubled, carried, is_active: true, ..Begun::default() };
        let bit = self.strike(number, &window);
        let struck = self.faults.entry(window.fault).or_default();
        struck.times += 1;
        struck.bit += u64::from(bit);
        *self.classes.entry((self.class(), phase)).or_default() += 1;
        self.begin_stretch();
        self.agenda.after(window.lasts * MILLISECOND, Event::End { window: number });
    }

    /// Where the newest incarnation stands.
    fn phase(&self) -> Phase {
        if self.seats.iter().any(|seat| seat.asks && seat.process.is_alive) {
            return Phase::Taking;
        }
        let newest =
            self.active().filter(|&w| self.seats[w].incarnation.map(|number| number + 1) == Some(self.ledger.epochs()));
        match newest.and_then(|writer| self.seats[writer].process.instance()).map(|instance| instance.phase()) {
            Some(instance::Phase::Reading(_)) => Phase::Reading,
            Some(instance::Phase::Installing { .. }) => Phase::Installing,
            Some(instance::Phase::Open(_)) => Phase::Serving,
            Some(instance::Phase::Deposed) | None => Phase::Gone,
        }
    }

    /// The nodes that nobody reaches now.
    fn class(&self) -> Class {
        let per_zone = COPIES / ZONES;
        let isolated = self.active_windows().filter(|window| window.fault == FaultKind::Isolate);
        let isolated = isolated.fold(0, |nodes, window| nodes | window.nodes);
        let is_away = |node: usize| !self.nodes[node].is_up() || self.nodes[node].paused || isolated >> node & 1 == 1;
        let away = |zone: usize| (zone * per_zone..(zone + 1) * per_zone).filter(|&node| is_away(node)).count() as u8;
        let mut class: [u8; ZONES] = std::array::from_fn(away);
        class.sort_unstable_by(|a, b| b.cmp(a));
        Class(class)
    }

    fn active_windows(&self) -> impl Iterator<Item = &Window> {
        self.plan.windows.iter().zip(&self.begun).filter(|(_, begun)| begun.is_active).map(|(window, _)| window)
    }

    fn begin_stretch(&mut self) {
        let only_nodes = self.active_windows().all(|window| {
            matches!(
                window.fault,
                FaultKind::KillNode
                    | FaultKind::PowerCut
                    | FaultKind::PauseNode
                    | FaultKind::Isolate
                    | FaultKind::BitFlip
                    | FaultKind::Wipe
            )
        });
        let down: u8 = self.class().0.iter().sum();
        let must_write = only_nodes && usize::from(down) + self.rules.write_quorum() <= COPIES;
        self.steady = Steady { since: self.agenda.now(), written: self.recording.written, must_write };
    }

    /// The stretch that ends now: with at most two nodes away and nothing else wrong, writes succeed.
    fn judge_availability(&mut self) {
        let Steady { since, written, must_write } = self.steady;
        let lasted = self.agenda.now() - since;
        if must_write && lasted >= WRITES_WITHIN && self.recording.written == written && self.plan.clients > 0 {
            let class = self.class();
            let fact = format!(
                "no write succeeded in {} ms with nodes {class} away and nothing else wrong",
                lasted / MILLISECOND
            );
            self.ledger.violated("availability", fact);
        }
    }

    /// Whether it is known at once that the fault bit.
    fn strike(&mut self, number: usize, window: &Window) -> bool {
        let nodes: Vec<usize> = (0..COPIES).filter(|node| window.nodes >> node & 1 == 1).collect();
        let up: Vec<usize> = nodes.iter().copied().filter(|&node| self.nodes[node].is_up()).collect();
        match window.fault {
            FaultKind::KillNode => {
                up.iter().for_each(|&node| self.stop_node(node, End::Kill));
                !up.is_empty()
            }
            FaultKind::PowerCut => {
                let mut bit = false;
                for node in up {
                    bit |= self.nodes[node].stop(End::PowerCut);
                    self.forget_node(node);
                    self.trace.line(self.agenda.now(), format_args!("{} lost power", self.nodes[node].name()));
                }
                bit
            }
            FaultKind::PauseNode => {
                up.iter().for_each(|&node| self.nodes[node].paused = true);
                !up.is_empty()
            }
            FaultKind::KillWriter => {
                let target = self.a_writer();
                target.into_iter().for_each(|writer| self.kill_writer(writer));
                target.is_some()
            }
            FaultKind::PauseWriter => {
                let target = self.active().filter(|&writer| !self.seats[writer].process.is_paused);
                if let Some(writer) = target {
                    self.seats[writer].process.is_paused = true;
                    self.begun[number].writer = Some(writer);
                }
                target.is_some()
            }
            FaultKind::Usurp => {
                self.usurp();
                if window.degree > 0 {
                    self.agenda.after(window.degree * MILLISECOND, Event::Usurp);
                }
                true
            }
            FaultKind::Isolate => {
                let others = (0..COPIES).filter(|node| !nodes.contains(node)).map(Place::Node);
                let others: Vec<Place> = others.chain(self.writer_places()).collect();
                for &node in &nodes {
                    for &other in &others {
                        self.block(number, Place::Node(node), other);
                        self.block(number, other, Place::Node(node));
                    }
                }
                false
            }
            FaultKind::OneWay => {
                for node in nodes {
                    let others = (0..COPIES).filter(|&other| other != node).map(Place::Node);
                    for other in others.chain(self.writer_places()).collect::<Vec<_>>() {
                        let (from, to) =
                            if window.degree == 0 { (Place::Node(node), other) } else { (other, Place::Node(node)) };
                        self.block(number, from, to);
                    }
                }
                false
            }
            FaultKind::IsolateWriter => {
                let Some(writer) = self.active() else { return false };
                let others = (0..COPIES).map(Place::Node).chain([Place::Metadata]);
                let standby = (0..self.seats.len()).filter(|&w| w != writer).map(Place::Writer);
                for other in others.chain(standby).collect::<Vec<_>>() {
                    self.block(number, Place::Writer(writer), other);
                    self.block(number, other, Place::Writer(writer));
                }
                false
            }
            FaultKind::Diverge => {
                let Some(active) = self.active() else { return false };
                let of = |mask: u64| (0..COPIES).filter(move |node| mask >> node & 1 == 1);
                for writer in self.writer_places().collect::<Vec<_>>() {
                    let is_active = writer.index() == Place::Writer(active).index();
                    for node in of(if is_active { window.nodes.into() } else { window.degree }) {
                        self.block(number, writer, Place::Node(node));
                        self.block(number, Place::Node(node), writer);
                    }
                }
                self.usurp();
                false
            }
            FaultKind::Ring => {
                for node in 0..COPIES {
                    for step in [1, 2] {
                        self.block(number, Place::Node(node), Place::Node((node + step) % COPIES));
                    }
                    let writers: Vec<Place> = self.writer_places().collect();
                    for writer in writers.into_iter().filter(|writer| writer.index() % 3 == node % 3) {
                        self.block(number, Place::Node(node), writer);
                    }
                }
                false
            }
            FaultKind::Lose => {
                self.network.trouble.lost += window.degree;
                false
            }
            FaultKind::Double => {
                self.network.trouble.twice += window.degree;
                self.network.trouble.late = window.lasts * 4 * MILLISECOND;
                false
            }
            FaultKind::SlowNetwork => {
                self.network.trouble.slower = window.degree.max(1);
                false
            }
            FaultKind::SlowDisk => {
                nodes.iter().for_each(|&node| self.nodes[node].slower = window.degree.max(1));
                !up.is_empty()
            }
            FaultKind::DiskError => {
                up.iter().for_each(|&node| self.nodes[node].fail_next());
                false
            }
            FaultKind::DiskFull => {
                nodes.iter().for_each(|&node| self.nodes[node].set_full(true));
                false
            }
            FaultKind::BitFlip => {
                let mut bit = false;
                for node in up {
                    if self.nodes[node].flip() {
                        bit = true;
                        self.stop_node(node, End::Kill);
                    }
                }
                bit
            }
            FaultKind::Wipe => {
                for &node in &up {
                    self.stop_node(node, End::Kill);
                    if self.rules.rejoins_after_wipe() {
                        self.nodes[node].format(self.rules);
                        self.begin_gossip(node);
                        if let Some(server) = self.nodes[node].server().filter(|_| self.judges) {
                            self.ledger.restarted(node, server.segment());
                        }
                    } else {
                        self.nodes[node].is_lost = true;
                    }
                }
                !up.is_empty()
            }
        }
    }

    fn on_end(&mut self, number: usize) {
        if !self.begun[number].is_active {
            return;
        }
        let window = self.plan.windows[number].clone();
        self.trace.line(self.agenda.now(), format_args!("{} ends", window.fault));
        self.judge_availability();
        let begun = std::mem::take(&mut self.begun[number]);
        let nodes: Vec<usize> = (0..COPIES).filter(|node| window.nodes >> node & 1 == 1).collect();
        for (from, to) in begun.blocked {
            self.network.unblock(from, to);
        }
        let (dropped, doubled) = (self.network.dropped > begun.dropped, self.network.doubled > begun.doubled);
        let carried = self.network.carried > begun.carried;
        let bit = match window.fault {
            FaultKind::KillNode | FaultKind::PowerCut | FaultKind::BitFlip => {
                nodes.into_iter().for_each(|node| self.start_node(node));
                false
            }
            FaultKind::DiskError => {
                let down = nodes.iter().any(|&node| !self.nodes[node].is_up());
                for node in nodes {
                    self.nodes[node].spare();
                    self.start_node(node);
                }
                down
            }
            FaultKind::DiskFull => {
                let down = nodes.iter().any(|&node| !self.nodes[node].is_up());
                for node in nodes {
                    self.nodes[node].set_full(false);
                    self.start_node(node);
                }
                down
            }
            FaultKind::PauseNode => {
                nodes.into_iter().for_each(|node| self.wake_node(node));
                false
            }
            FaultKind::PauseWriter => {
                begun.writer.into_iter().for_each(|writer| self.wake_writer(writer));
                false
            }
            FaultKind::Isolate
            | FaultKind::OneWay
            | FaultKind::IsolateWriter
            | FaultKind::Diverge
            | FaultKind::Ring => dropped,
            FaultKind::Lose => {
                let lost = &mut self.network.trouble.lost;
                *lost = lost.saturating_sub(window.degree);
                dropped
            }
            FaultKind::Double => {
                let twice = &mut self.network.trouble.twice;
                *twice = twice.saturating_sub(window.degree);
                doubled
            }
            FaultKind::SlowNetwork => {
                self.network.trouble.slower = 1;
                carried
            }
            FaultKind::SlowDisk => {
                nodes.into_iter().for_each(|node| self.nodes[node].slower = 1);
                false
            }
            FaultKind::KillWriter | FaultKind::Usurp | FaultKind::Wipe => false,
        };
        self.faults.entry(window.fault).or_default().bit += u64::from(bit);
        self.begin_stretch();
    }

    fn on_heal(&mut self) {
        for window in 0..self.plan.windows.len() {
            self.on_end(window);
        }
        self.network.trouble = Trouble { slower: 1, ..Trouble::default() };
        for node in 0..COPIES {
            self.start_node(node);
        }
        let now = self.agenda.now();
        self.healed = Some(now);
        self.trace.line(now, "nothing is wrong any more");
        self.agenda.after(0, Event::Hire);
        self.agenda.after(CONVERGED_CHECK, Event::IsConverged);
    }

    /// The fault-free suffix ends converged: L1 to L3 of protocol §7, and every client is answered.
    fn on_is_converged(&mut self) {
        let now = self.agenda.now();
        let healed = self.healed.unwrap_or(now);
        match self.lacks() {
            None if self.clients.is_empty() => self.is_over = true,
            None if self.last_reads.is_none() => {
                self.last_reads = Some(keys(self.plan.keys).collect());
                self.trace.line(now, "converged");
                self.agenda.after(0, Event::Think { client: 0 });
            }
            Some((property, fact)) if now > healed + CONVERGES_WITHIN => self.ledger.violated(property, fact),
            None if now > healed + 2 * CONVERGES_WITHIN => {
                self.ledger.violated("L1", "the last reads were never answered".to_owned());
            }
            _ => {}
        }
        self.agenda.after(CONVERGED_CHECK, Event::IsConverged);
    }

    /// What is missing for the world to be converged.
    fn lacks(&self) -> Option<(&'static str, String)> {
        let newest =
            self.seats.iter().filter_map(|seat| Some((seat.incarnation?, seat))).max_by_key(|(number, _)| *number);
        let Some((_, seat)) = newest.filter(|(_, seat)| seat.process.is_alive) else {
            return Some(("L2", "there is no writer".to_owned()));
        };
        let Some(instance) = seat.process.instance() else {
            return Some(("L2", "the newest writer is deposed".to_owned()));
        };
        let ve = instance.ve();
        let Some(writer) = instance.writer() else { return Some(("L2", format!("the recovery of {ve} never opens"))) };
        if writer.vdl.next() != writer.next && writer.next != writer.decision.first {
            return Some(("L1", format!("{ve} never acknowledges all that it allocated")));
        }
        for node in self.nodes.iter().filter(|node| !node.is_lost) {
            let Some(server) = node.server() else { return Some(("L3", format!("{} is down", node.name()))) };
            let image = server.segment().image();
            let is_complete = image.trunc_ve == ve && image.fenced == ve && image.scl(&self.rules) == writer.vdl;
            if !is_complete {
                return Some(("L3", format!("{} never catches up with {ve}", node.name())));
            }
        }
        let waits = self.clients.iter().any(|client| client.waits.is_some());
        waits.then(|| ("L1", "a client waits".to_owned()))
    }

    fn wake_node(&mut self, node: usize) {
        if std::mem::take(&mut self.nodes[node].paused) {
            let held = std::mem::take(&mut self.node_held[node]);
            self.hand_over(held);
        }
    }

    fn wake_writer(&mut self, writer: usize) {
        let seat = &mut self.seats[writer];
        if std::mem::take(&mut seat.process.is_paused) {
            let held = std::mem::take(&mut seat.held);
            self.hand_over(held);
        }
    }

    /// What waited for a process, in any order: it came on many connections.
    fn hand_over(&mut self, held: Vec<Event>) {
        for event in held {
            let delay = self.random.draw() % MILLISECOND;
            self.agenda.after(delay, event);
        }
    }

    /// Whoever asks for the volume, or else took it last, dead or alive.
    fn latest(&self) -> Option<usize> {
        let asks = |w: &usize| self.seats[*w].asks && self.seats[*w].process.is_alive;
        let took = || (0..self.seats.len()).max_by_key(|&w| self.seats[w].incarnation);
        (0..self.seats.len()).rev().find(asks).or_else(took)
    }

    /// The writer that is furthest, as far as anybody outside knows.
    fn active(&self) -> Option<usize> {
        let running = |w: &usize| self.seats[*w].process.is_alive && self.seats[*w].process.is_running();
        (0..self.seats.len()).filter(running).max_by_key(|&w| self.seats[w].incarnation)
    }

    /// The active writer, or any living one.
    fn a_writer(&mut self) -> Option<usize> {
        let alive: Vec<usize> = (0..self.seats.len()).filter(|&w| self.seats[w].process.is_alive).collect();
        match self.random.below(4) {
            0 if !alive.is_empty() => Some(alive[self.random.below(alive.len())]),
            _ => self.active(),
        }
    }

    /// All places that writers have, of those to come too.
    fn writer_places(&self) -> impl Iterator<Item = Place> + use<> {
        (0..super::network::WRITER_PLACES).map(Place::Writer)
    }

    fn block(&mut self, window: usize, from: Place, to: Place) {
        self.network.block(from, to);
        self.begun[window].blocked.push((from, to));
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
        self.trace.fold(&[self.agenda.now(), kind << 32 | who, what]);
        if self.trace.wants_lines() {
            let line = self.describe(event);
            self.trace.line(self.agenda.now(), line);
        }
    }

    fn describe(&self, event: &Event) -> String {
        let node = |node: usize| self.nodes[node].name();
        let of = |connection: u32| &self.connections[connection as usize];
        match event {
            Event::Request { connection, frame } => {
                let Connection { writer, node: to, .. } = of(*connection);
                let request = decode_frame::<NodeRequest>(frame).ok().flatten().map(|(request, _)| request);
                format!("w{writer} to {}: {}", node(*to), request.map_or("no message".to_owned(), brief_request))
            }
            Event::Replies { connection, frame } => {
                let Connection { writer, node: from, .. } = of(*connection);
                let replies = decode_frame::<Vec<NodeReply>>(frame).ok().flatten().map(|(replies, _)| replies);
                let replies: Vec<String> = replies.unwrap_or_default().iter().map(brief_reply).collect();
                format!("{} to w{writer}: {}", node(*from), replies.join(", "))
            }
            Event::Dial { writer, node: to } => format!("w{writer} dials {}", node(*to)),
            Event::Accept { connection } => format!("{} is dialled", node(of(*connection).node)),
            Event::Connected { connection } => {
                format!("w{} is connected to {}", of(*connection).writer, node(of(*connection).node))
            }
            Event::Broken { connection } => {
                format!("w{} loses {}", of(*connection).writer, node(of(*connection).node))
            }
            Event::HungUp { connection } => {
                format!("{} loses w{}", node(of(*connection).node), of(*connection).writer)
            }
            Event::EndSync { node: at, .. } => format!("{} has synced", node(*at)),
            Event::Mark { node: at, .. } => format!("{} marks", node(*at)),
            Event::Gossip { node: at, .. } => format!("{} gossips", node(*at)),
            Event::Pull { node: at, peer, .. } => format!("{} asks {}", node(*at), node(*peer)),
            Event::Push { node: at, peer, records, .. } => {
                format!("{} tells {} of {} records", node(*peer), node(*at), records.len())
            }
            Event::Tick { writer } => format!("w{writer} looks at the clock"),
            Event::Deadline { writer } => format!("w{writer} has waited long enough"),
            Event::Watch { writer } => format!("w{writer} watches"),
            Event::Ping { from, to } => format!("w{from} pings w{to}"),
            Event::Pong { to } => format!("w{to} hears a pong"),
            Event::AskRecord { writer, .. } => format!("w{writer} asks for the record"),
            Event::Record { writer, caller, .. } => format!("w{writer} reads {caller}"),
            Event::AskChange { writer, caller, .. } => format!("w{writer} asks for the volume after {caller}"),
            Event::Changed { writer, changed, .. } => match changed {
                Ok(metadata) => format!("w{writer} gets {}", metadata.volume_epoch),
                Err(Conflict(metadata)) => format!("w{writer} is late: {}", metadata.volume_epoch),
            },
            Event::TakeAgain { writer, .. } => format!("w{writer} looks whether it was answered"),
            Event::Hire => "a standby is due".to_owned(),
            Event::Think { client } => format!("client {client} is ready"),
            Event::Command { writer, number, command } => {
                let mut bytes = Vec::new();
                command.encode(&mut bytes);
                format!("w{writer} hears #{number} {}", bytes.escape_ascii())
            }
            Event::Answer { number, reply } => format!("#{number} ends: {reply:?}"),
            Event::Begin { window } | Event::End { window } => format!("window {window}"),
            Event::Usurp => "a usurper comes".to_owned(),
            Event::Heal => "faults stop".to_owned(),
            Event::IsConverged => "is it converged?".to_owned(),
        }
    }
}

impl Event {
    /// What happens, to whom, and a number that depends on the rest.
    fn numbers(&self) -> (u64, u64, u64) {
        // A frame ends in its checksum.
        let checksum = |frame: &[u8]| frame.last_chunk().map_or(0, |bytes| u64::from(u32::from_le_bytes(*bytes)));
        let wide = |number: usize| number as u64;
        match self {
            Event::Request { connection, frame } => (1, (*connection).into(), checksum(frame)),
            Event::Replies { connection, frame } => (2, (*connection).into(), checksum(frame)),
            Event::Dial { writer, node } => (3, wide(*writer), wide(*node)),
            Event::Accept { connection } => (4, (*connection).into(), 0),
            Event::Connected { connection } => (5, (*connection).into(), 0),
            Event::Broken { connection } => (6, (*connection).into(), 0),
            Event::HungUp { connection } => (7, (*connection).into(), 0),
            Event::EndSync { node, life } => (8, wide(*node), (*life).into()),
            Event::Mark { node, life } => (9, wide(*node), (*life).into()),
            Event::Gossip { node, life, .. } => (10, wide(*node), (*life).into()),
            Event::Pull { node, peer, trunc_ve, .. } => (11, wide(*node), wide(*peer) << 32 | u64::from(trunc_ve.0)),
            Event::Push { node, peer, records, .. } => (12, wide(*node), wide(*peer) << 32 | wide(records.len())),
            Event::Tick { writer } => (13, wide(*writer), 0),
            Event::Deadline { writer } => (14, wide(*writer), 0),
            Event::Watch { writer } => (15, wide(*writer), 0),
            Event::Ping { from, to } => (16, wide(*from), wide(*to)),
            Event::Pong { to } => (17, wide(*to), 0),
            Event::AskRecord { writer, attempt } => (18, wide(*writer), (*attempt).into()),
            Event::Record { writer, caller, .. } => (19, wide(*writer), caller.0.into()),
            Event::AskChange { writer, caller, .. } => (20, wide(*writer), caller.0.into()),
            Event::Changed { writer, incarnation, .. } => (21, wide(*writer), wide(*incarnation)),
            Event::TakeAgain { writer, attempt } => (22, wide(*writer), (*attempt).into()),
            Event::Hire => (23, 0, 0),
            Event::Think { client } => (24, wide(*client), 0),
            Event::Command { writer, number, .. } => (25, wide(*writer), *number),
            Event::Answer { number, reply } => (26, 0, *number << 1 | u64::from(reply.is_ok())),
            Event::Begin { window } => (27, wide(*window), 0),
            Event::End { window } => (28, wide(*window), 0),
            Event::Heal => (29, 0, 0),
            Event::IsConverged => (30, 0, 0),
            Event::Usurp => (31, 0, 0),
        }
    }
}

fn brief_request(request: NodeRequest) -> String {
    match request {
        NodeRequest::Write { ve, records } => {
            let lsns: Vec<String> = records.iter().map(|record| record.lsn.to_string()).collect();
            format!("write {ve} {}", lsns.join(" "))
        }
        NodeRequest::FenceRead { ve } => format!("fence-read {ve}"),
        NodeRequest::Truncate { ve, ranges } => format!("truncate {ve} {ranges:?}"),
        NodeRequest::Confirm { ve, nonce } => format!("confirm {ve} round {}", nonce.0),
        NodeRequest::GossipPull { trunc_ve, .. } => format!("gossip-pull {trunc_ve}"),
        NodeRequest::ReadPage { id, ve, key, read_point } => {
            format!("read-page {ve} #{id} {} at {read_point}", key.escape_ascii())
        }
        NodeRequest::FetchRecords { id, ve, from, to } => format!("fetch {ve} #{id} {from} to {to}"),
    }
}

fn brief_reply(reply: &NodeReply) -> String {
    match reply {
        NodeReply::Acknowledged { ve, lsn, scl } => format!("acknowledged {ve} {lsn} scl {scl}"),
        NodeReply::Fenced { ve, answer } => format!("fenced {ve} {answer:?}"),
        NodeReply::Truncated { ve, scl } => format!("truncated {ve} scl {scl}"),
        NodeReply::Confirmed { ve, nonce } => format!("confirmed {ve} round {}", nonce.0),
        NodeReply::Refused { ve, refusal } => format!("refused {ve} {refusal:?}"),
        NodeReply::Page { id, lsn, .. } => format!("page #{id} {lsn}"),
        NodeReply::PageRefused { id, refusal, .. } => format!("page #{id} refused {refusal:?}"),
        NodeReply::Records { id, records } => format!("{} records #{id}", records.len()),
        NodeReply::GossipPush { trunc_ve, records } => format!("gossip {trunc_ve} {} records", records.len()),
    }
}

const _: () = assert!(COPIES.is_multiple_of(ZONES), "the copies are spread evenly");
