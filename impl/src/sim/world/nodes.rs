//! The storage nodes: what comes to them, and what their steps cause.

use std::sync::Arc;

use sextant_model::logset::Intervals;
use sextant_model::types::Epoch;

use super::{Event, IDLE, NOTICES, STALE, World};
use crate::node::Observer;
use crate::node::server::{ConnectionId, RECORDS_MAX, frames_of};
use crate::sim::agenda::{MILLISECOND, Nanos};
use crate::sim::network::Place;
use crate::sim::storage::{End, Refusal};
use crate::sim::{COPIES, ExecutorMistake};
use crate::wire::frame::decode_frame;
use crate::wire::messages::{NodeReply, NodeRequest, Record};

impl World {
    pub(super) fn on_request(&mut self, connection: u32, frame: &[u8]) {
        let node = self.connections[connection as usize].node;
        let Some((server, flight)) = self.nodes[node].recorded() else { return };
        // The gateway: what is no message is none.
        let Ok(Some((request, _))) = decode_frame::<NodeRequest>(frame) else { return };
        let is_confirmation = matches!(request, NodeRequest::Confirm { .. });
        if is_confirmation && self.mistake == Some(ExecutorMistake::AskThree) && node >= COPIES / 2 {
            return;
        }
        let id = ConnectionId(connection.into());
        let judge = self.judges.then(|| self.ledger.observer(&self.rules, node));
        server.request(id, request, &mut (judge, flight));
        self.after_node(node);
    }

    pub(super) fn on_end_sync(&mut self, node: usize, life: u32) {
        if self.nodes[node].life() != life || !self.nodes[node].is_up() {
            return;
        }
        let Ok(entries) = self.nodes[node].end_sync() else { return self.stop_node(node, End::Kill) };
        let Some((server, flight)) = self.nodes[node].recorded() else { return };
        let judge = self.judges.then(|| self.ledger.observer(&self.rules, node));
        server.synced(entries, &mut (judge, flight));
        self.agenda.after(IDLE, Event::Mark { node, life });
        if self.mistake == Some(ExecutorMistake::StaleTimer) {
            self.agenda.after(STALE, Event::StaleTimer { node });
        }
        self.after_node(node);
    }

    /// [`ExecutorMistake::StaleTimer`]
    pub(super) fn on_stale_timer(&mut self, node: usize) {
        let entries = self.nodes[node].end_sync_early();
        let Some((server, flight)) = self.nodes[node].recorded() else { return };
        let judge = self.judges.then(|| self.ledger.observer(&self.rules, node));
        server.synced(entries, &mut (judge, flight));
        self.after_node(node);
    }

    pub(super) fn on_mark(&mut self, node: usize, life: u32) {
        if self.nodes[node].life() == life && self.nodes[node].mark().is_err() {
            self.stop_node(node, End::Kill);
        }
    }

    pub(super) fn begin_gossip(&mut self, node: usize) {
        if self.plan.gossip > 0 {
            let life = self.nodes[node].life();
            let delay = self.plan.gossip * MILLISECOND + node as Nanos * 1_000_000;
            self.agenda.after(delay, Event::Gossip { node, life, turn: node });
        }
    }

    pub(super) fn on_gossip(&mut self, node: usize, life: u32, turn: usize) {
        if self.nodes[node].life() != life || !self.nodes[node].is_up() {
            return;
        }
        let peer = (node + 1 + turn % (COPIES - 1)) % COPIES;
        self.agenda.after(self.plan.gossip * MILLISECOND, Event::Gossip { node, life, turn: turn + 1 });
        self.pull(node, peer, turn);
    }

    pub(super) fn pull(&mut self, node: usize, peer: usize, turn: usize) {
        let Some(server) = self.nodes[node].server() else { return };
        let life = self.nodes[node].life();
        let (trunc_ve, held) = server.description();
        let arrivals = self.network.send(Place::Node(node), Place::Node(peer), self.agenda.now());
        self.arrive(arrivals, || Event::Pull { node, peer, life, trunc_ve, held: held.clone(), turn });
    }

    pub(super) fn on_pull(
        &mut self,
        node: usize,
        peer: usize,
        life: u32,
        trunc_ve: Epoch,
        held: Intervals,
        turn: usize,
    ) {
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

    pub(super) fn on_push(
        &mut self,
        node: usize,
        peer: usize,
        life: u32,
        trunc_ve: Epoch,
        records: &[Record],
        turn: usize,
    ) {
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
    pub(super) fn after_node(&mut self, node: usize) {
        if self.judges {
            self.ledger.node_stepped(&self.rules, node, &self.nodes);
            self.see();
        }
        self.nodes[node].record();
        let life = self.nodes[node].life();
        if let Some(duration) = self.nodes[node].begin_sync() {
            self.agenda.after(duration, Event::EndSync { node, life });
        }
        let Some(server) = self.nodes[node].server_mut() else { return };
        let (agenda, network, connections) = (&mut self.agenda, &mut self.network, &self.connections);
        let reverses = self.mistake == Some(ExecutorMistake::ReverseReplies);
        server.take_replies(|id, mut replies| {
            if reverses {
                replies.reverse();
            }
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

    pub(super) fn stop_node(&mut self, node: usize, end: End) {
        if !self.nodes[node].is_up() {
            return;
        }
        self.nodes[node].stop(end);
        self.forget_node(node);
        self.trace.line(self.agenda.now(), format_args!("{} is down", self.nodes[node].name()));
    }

    /// A node's process is gone: its writers notice.
    pub(super) fn forget_node(&mut self, node: usize) {
        self.nodes[node].paused = false;
        self.node_held[node].clear();
        for (number, connection) in self.connections.iter_mut().enumerate() {
            if connection.node == node && connection.node_open {
                connection.node_open = false;
                self.agenda.after(NOTICES, Event::Broken { connection: number as u32 });
            }
        }
    }

    pub(super) fn start_node(&mut self, node: usize) {
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
                self.see();
            }
            self.begin_gossip(node);
        }
        let how = refusal.map_or("is up".to_owned(), |refusal| format!("{refusal:?}"));
        self.trace.line(self.agenda.now(), format_args!("{name} {how}"));
    }
}
