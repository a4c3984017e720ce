//! The node's one decision maker: everything arrives on one channel. What is waiting there is handled together: the entries that
//! it appends are one batch for the log, the replies to one connection are one frame.

use std::collections::BTreeMap;
use std::net::{Shutdown, TcpStream};
use std::sync::mpsc::{Receiver, Sender, SyncSender};

use sextant_model::logset::Intervals;
use sextant_model::types::Epoch;

use super::server::{ConnectionId, Server, frames_of};
use crate::flight::NodeFlight;
use crate::log;
use crate::wire::messages::{NodeReply, NodeRequest, Record};

/// Inputs handled before replies and entries leave.
const DRAIN_MAX: usize = 512;

pub(super) enum Input {
    Opened {
        connection: ConnectionId,
        peer: Peer,
    },
    Request {
        connection: ConnectionId,
        request: NodeRequest,
    },
    Closed {
        connection: ConnectionId,
    },
    /// The log has made the oldest entries durable.
    Synced {
        entries: usize,
    },
    /// A peer's answer to our pull.
    Gossip {
        trunc_ve: Epoch,
        records: Vec<Record>,
    },
    /// What to ask peers with: our last truncation, and what we hold.
    Describe {
        reply: SyncSender<(Epoch, Intervals)>,
    },
}

/// Who is at the other end of a connection.
pub(super) struct Peer {
    /// Frames to be written.
    pub outbox: SyncSender<Vec<u8>>,
    pub stream: TcpStream,
}

pub(super) struct Executor {
    name: String,
    server: Server,
    flight: NodeFlight,
    peers: BTreeMap<ConnectionId, Peer>,
}

impl Executor {
    pub fn new(name: String, server: Server, flight: NodeFlight) -> Self {
        Executor { name, server, flight, peers: BTreeMap::new() }
    }

    /// Runs until the log or everybody else is gone.
    pub fn run(mut self, inputs: &Receiver<Input>, to_log: &Sender<Vec<log::Entry>>) {
        while let Ok(input) = inputs.recv() {
            self.handle(input);
            inputs.try_iter().take(DRAIN_MAX).for_each(|input| self.handle(input));
            self.flight.flush();
            let batch = self.server.take_batch();
            if !batch.is_empty() && to_log.send(batch).is_err() {
                return;
            }
            self.send_replies();
        }
    }

    fn handle(&mut self, input: Input) {
        match input {
            Input::Opened { connection, peer } => {
                self.peers.insert(connection, peer);
                self.server.open(connection);
            }
            Input::Closed { connection } => self.close(connection),
            Input::Request { connection, request } => self.server.request(connection, request, &mut self.flight),
            Input::Synced { entries } => self.server.synced(entries, &mut self.flight),
            Input::Gossip { trunc_ve, records } => self.server.gossip(trunc_ve, &records, &mut self.flight),
            Input::Describe { reply } => {
                // The asker may have given up.
                let _ = reply.try_send(self.server.description());
            }
        }
    }

    fn close(&mut self, connection: ConnectionId) {
        self.peers.remove(&connection);
        self.server.close(connection);
    }

    fn send_replies(&mut self) {
        let (name, peers) = (&self.name, &self.peers);
        let mut failed = Vec::new();
        self.server.take_replies(|connection, replies| {
            let Some(peer) = peers.get(&connection) else { return };
            if let Err(reason) = peer.send(replies) {
                eprintln!("node {name}: closing a connection: {reason}");
                // Its reader notices, and that is the end of it.
                let _ = peer.stream.shutdown(Shutdown::Both);
                failed.push(connection);
            }
        });
        failed.into_iter().for_each(|connection| self.close(connection));
    }
}

impl Peer {
    fn send(&self, replies: Vec<NodeReply>) -> Result<(), String> {
        for frame in frames_of(replies).map_err(|error| error.to_string())? {
            self.outbox.try_send(frame).map_err(|_| "it does not take its replies".to_owned())?;
        }
        Ok(())
    }
}
