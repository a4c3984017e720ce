//! Actors with their transport and their clocks in a controller's hand (lockstep).
//!
//! The node's server, log, recovery and codec and the writer's database, stream and retransmission are the ones that run; only what
//! comes, when, and how far a sync has got is for the controller to say. It gives one command, and hears what the actor then wants to
//! send. [`serve`] does that for a process, over its standard input and output; in one process an actor is called.

use std::collections::{BTreeSet, VecDeque};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sextant_model::logset::Intervals;
use sextant_model::rules::Rules;
use sextant_model::types::{Epoch, Lsn, SegmentId};

use crate::flight::NodeFlight;
use crate::log::{self, Log, Options};
use crate::node::server::{ConnectionId, Server};
use crate::node::{open_log, recover};
use crate::process::Failure;
use crate::resp::Command;
use crate::sim::WriterProcess;
use crate::wire::frame::{FrameReader, decode_frame, write_frame};
use crate::wire::messages::{Member, NodeReply, NodeRequest, Record};
use crate::writer::{COPIES, Input, Taken};

/// What a controller tells a node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum NodeCommand {
    /// A request arrives on a connection.
    Request { connection: u64, request: NodeRequest },
    /// A peer's answer arrives.
    Gossip { trunc_ve: Epoch, records: Vec<Record> },
    /// The oldest entries reach the disk, and the node hears of it.
    Sync { entries: usize },
    /// The oldest entries reach the disk, and the node does not hear of it: it is about to be killed.
    SyncUnheard { entries: usize },
}

/// What a node wants to send, and has not synced.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeAnswer {
    /// By connection, in the order in which the node decided.
    pub replies: Vec<(u64, NodeReply)>,
    pub unsynced: usize,
}

/// What a controller tells a writer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum WriterCommand {
    /// R0 has given it the volume, or it creates the volume; and it is connected to all nodes.
    Take { creates: bool, ve: Epoch },
    /// A client writes.
    Write { key: Vec<u8>, value: Vec<u8> },
    /// A client reads what is committed.
    Read,
    /// A confirmation round that nobody asked for.
    BeginRound,
    /// A node's replies arrive.
    Replies { segment: SegmentId, replies: Vec<NodeReply> },
    /// Time passes.
    Wait { milliseconds: u64 },
}

/// What a writer wants to send, and where it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WriterAnswer {
    pub requests: Vec<(SegmentId, NodeRequest)>,
    pub is_open: bool,
    /// The next LSN that it would allocate, and up to where it has committed; 0 before it opens.
    pub next: Lsn,
    pub vdl: Lsn,
}

/// A storage node.
pub struct Node {
    server: Server,
    log: Log,
    /// Appended by the server, not yet by the log.
    waiting: VecDeque<log::Entry>,
    flight: NodeFlight,
    connections: BTreeSet<u64>,
}

/// Where a node lives.
#[derive(Clone)]
pub struct Home {
    pub name: String,
    pub dir: PathBuf,
    pub options: Options,
    /// The folder in which it records what it does.
    pub flight: Option<PathBuf>,
}

impl Node {
    /// Reads the log of a node, or with `create` makes an empty one.
    ///
    /// # Errors
    /// As of [`crate::node::run`] at its start.
    pub fn open(rules: Rules, home: &Home, create: bool) -> Result<Self, Failure> {
        let dir = home.dir.join("log");
        let (log, recovered) = open_log(&home.name, &dir, create, &home.options)?;
        let server = recover(rules, &dir, &recovered)?;
        let mut flight = match &home.flight {
            Some(dir) => NodeFlight::create(dir, &home.name).map_err(|error| Failure::usage(error.to_string()))?,
            None => NodeFlight::default(),
        };
        flight.started(create, server.segment(), server.live());
        flight.flush();
        Ok(Node { server, log, waiting: VecDeque::new(), flight, connections: BTreeSet::new() })
    }

    /// Does what it is told.
    ///
    /// # Errors
    /// The log's: the node has to end.
    pub fn handle(&mut self, command: NodeCommand) -> Result<NodeAnswer, Failure> {
        match command {
            NodeCommand::Request { connection, request } => {
                if self.connections.insert(connection) {
                    self.server.open(ConnectionId(connection));
                }
                self.server.request(ConnectionId(connection), request, &mut self.flight);
            }
            NodeCommand::Gossip { trunc_ve, records } => self.server.gossip(trunc_ve, &records, &mut self.flight),
            NodeCommand::Sync { entries } => {
                let synced = self.sync(entries)?;
                self.server.synced(synced, &mut self.flight);
            }
            NodeCommand::SyncUnheard { entries } => drop(self.sync(entries)?),
        }
        self.flight.flush();
        self.waiting.extend(self.server.take_batch());
        let mut answer = NodeAnswer { replies: Vec::new(), unsynced: self.waiting.len() };
        self.server.take_replies(|connection, replies| {
            answer.replies.extend(replies.into_iter().map(|reply| (connection.0, reply)));
        });
        Ok(answer)
    }

    fn sync(&mut self, entries: usize) -> Result<usize, Failure> {
        let failed = |error: log::LogError| Failure::machine(error.to_string());
        for entry in self.waiting.drain(..entries.min(self.waiting.len())) {
            self.log.append(&entry).map_err(failed)?;
        }
        Ok(self.log.sync().map_err(failed)?.entries)
    }
}

/// A database instance.
pub struct Writer {
    process: WriterProcess,
    now: u64,
    commands: u64,
}

impl Writer {
    /// `flight`: the folder in which it records what it does, and its name.
    #[must_use]
    pub fn new(rules: Rules, flight: Option<(PathBuf, String)>) -> Self {
        Writer { process: WriterProcess::new(rules, 1000, Instant::now(), None, flight), now: 0, commands: 0 }
    }

    /// Does what it is told.
    pub fn handle(&mut self, command: WriterCommand) -> WriterAnswer {
        let now = self.now;
        match command {
            WriterCommand::Take { creates, ve } => {
                let member = |segment: SegmentId| {
                    let name = segment.name(COPIES, 3);
                    Member { zone: name[..1].to_owned(), name }
                };
                let members = SegmentId::all(COPIES).map(member).collect();
                self.process.handle(Input::Taken(Taken { creates, ve, members }), now);
                (0..COPIES).for_each(|node| {
                    self.process.links[node] = Some(0);
                    self.process.connected(node, now);
                });
            }
            WriterCommand::Write { key, value } => self.command(Command::Set { key, value }),
            WriterCommand::Read => self.process.read(now),
            WriterCommand::BeginRound => self.process.begin_round(now),
            WriterCommand::Replies { segment, replies } => {
                self.process.handle(Input::Replies { segment, replies }, now);
            }
            WriterCommand::Wait { milliseconds } => {
                self.now += Duration::from_millis(milliseconds).as_nanos() as u64;
                self.process.on_time(self.now);
            }
        }
        // What clients are told is no concern here.
        while self.process.take_reply().is_some() {}
        let writer = self.process.instance().and_then(|instance| instance.writer());
        let (is_open, next, vdl) = writer.map_or_else(Default::default, |writer| (true, writer.next, writer.vdl));
        let decoded = |(node, frame): (usize, std::sync::Arc<[u8]>)| {
            let (request, _) = decode_frame::<NodeRequest>(&frame).ok()??;
            Some((SegmentId(node as u8), request))
        };
        WriterAnswer {
            requests: self.process.take_frames().into_iter().filter_map(decoded).collect(),
            is_open,
            next,
            vdl,
        }
    }

    fn command(&mut self, command: Command) {
        self.commands += 1;
        self.process.command(self.commands, command, self.now);
    }
}

/// A node as a process: commands on standard input, answers on standard output, until the input ends.
///
/// # Errors
/// The node's, and a command that is none.
pub fn serve_node(rules: Rules, home: &Home, create: bool) -> Result<(), Failure> {
    let mut node = Node::open(rules, home, create)?;
    write_frame(&mut io::stdout().lock(), &NodeAnswer::default()).map_err(unsaid)?;
    serve(|command| node.handle(command))
}

/// A writer as a process, in the same way.
///
/// # Errors
/// A command that is none.
pub fn serve_writer(rules: Rules, name: &str, flight: Option<&Path>) -> Result<(), Failure> {
    let mut writer = Writer::new(rules, flight.map(|dir| (dir.to_owned(), name.to_owned())));
    write_frame(&mut io::stdout().lock(), &WriterAnswer::default()).map_err(unsaid)?;
    serve(|command| Ok(writer.handle(command)))
}

fn serve<C: DeserializeOwned, A: Serialize>(mut handle: impl FnMut(C) -> Result<A, Failure>) -> Result<(), Failure> {
    let mut commands = FrameReader::new(io::stdin());
    let bad = |error: crate::wire::frame::FrameError| Failure::usage(format!("standard input: {error}"));
    while let Some(command) = commands.read::<C>().map_err(bad)? {
        write_frame(&mut io::stdout().lock(), &handle(command)?).map_err(unsaid)?;
    }
    Ok(())
}

fn unsaid(error: crate::wire::frame::FrameError) -> Failure {
    Failure::machine(format!("standard output: {error}"))
}

/// What a peer that holds nothing asks a node whose last truncation is `trunc_ve`.
#[must_use]
pub fn pull(trunc_ve: Epoch) -> NodeRequest {
    NodeRequest::GossipPull { trunc_ve, held: Intervals::default() }
}
