//! What can happen, and the numbers that a trace keeps of it.

use std::sync::Arc;

use sextant_model::logset::Intervals;
use sextant_model::metadata::{Conflict, Metadata};
use sextant_model::types::Epoch;

use super::Connection;
use crate::client::contract::Failure;
use crate::resp::{Command, Reply};
use crate::sim::network::{PLACES, Place};
use crate::wire::messages::Record;

pub(super) enum Event {
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
    /// A timer that nobody cancelled.
    StaleTimer {
        node: usize,
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

/// By the first of [`Event::numbers`], from 1.
pub(super) const KINDS: [&str; 32] = [
    "request",
    "replies",
    "dial",
    "accept",
    "connected",
    "broken",
    "hung-up",
    "end-sync",
    "mark",
    "gossip",
    "pull",
    "push",
    "tick",
    "deadline",
    "watch",
    "ping",
    "pong",
    "ask-record",
    "record",
    "ask-change",
    "changed",
    "take-again",
    "hire",
    "think",
    "command",
    "answer",
    "begin",
    "end",
    "heal",
    "is-converged",
    "usurp",
    "stale-timer",
];

impl Event {
    /// Whose doing it is and for whom, as a number below [`super::CLASSES`]. None: it is nobody's, but the plan's.
    pub fn class(&self, connections: &[Connection]) -> Option<usize> {
        let of = |connection: u32| &connections[connection as usize];
        let to_node = |connection: u32| (Place::Writer(of(connection).writer), Place::Node(of(connection).node));
        let to_writer = |connection: u32| (Place::Node(of(connection).node), Place::Writer(of(connection).writer));
        let own = |place: Place| (place, place);
        let (from, to) = match *self {
            Event::Request { connection, .. } | Event::Accept { connection } | Event::HungUp { connection } => {
                to_node(connection)
            }
            Event::Replies { connection, .. } | Event::Connected { connection } | Event::Broken { connection } => {
                to_writer(connection)
            }
            Event::EndSync { node, .. }
            | Event::StaleTimer { node }
            | Event::Mark { node, .. }
            | Event::Gossip { node, .. } => own(Place::Node(node)),
            Event::Pull { node, peer, .. } => (Place::Node(node), Place::Node(peer)),
            Event::Push { node, peer, .. } => (Place::Node(peer), Place::Node(node)),
            Event::Dial { writer, .. }
            | Event::Tick { writer }
            | Event::Deadline { writer }
            | Event::Watch { writer }
            | Event::TakeAgain { writer, .. } => own(Place::Writer(writer)),
            Event::Ping { from, to } => (Place::Writer(from), Place::Writer(to)),
            Event::Pong { to } => own(Place::Writer(to)),
            Event::AskRecord { writer, .. } | Event::AskChange { writer, .. } => {
                (Place::Writer(writer), Place::Metadata)
            }
            Event::Record { writer, .. } | Event::Changed { writer, .. } => (Place::Metadata, Place::Writer(writer)),
            Event::Command { writer, .. } => (Place::Client, Place::Writer(writer)),
            Event::Think { .. } | Event::Answer { .. } => own(Place::Client),
            Event::Hire | Event::Begin { .. } | Event::End { .. } | Event::Usurp | Event::Heal | Event::IsConverged => {
                return None;
            }
        };
        Some(from.index() * PLACES + to.index())
    }

    /// What happens, to whom, and a number that depends on the rest.
    pub fn numbers(&self) -> (u64, u64, u64) {
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
            Event::StaleTimer { node } => (32, wide(*node), 0),
        }
    }
}
