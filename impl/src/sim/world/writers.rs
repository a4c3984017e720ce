//! The writers: what comes to them, and what their steps cause.

use std::sync::Arc;

use sextant_model::types::SegmentId;

use super::{Connection, Event, HIRE, NOTICES, Seat, WRITERS_MAX, World};
use crate::client::contract::Failure;
use crate::resp::Reply;
use crate::sim::agenda::MILLISECOND;
use crate::sim::client::Opened;
use crate::sim::instance::{TICK_NANOS, WriterProcess};
use crate::sim::network::Place;
use crate::sim::{COPIES, ExecutorMistake};
use crate::wire::frame::decode_frame;
use crate::wire::messages::NodeReply;
use crate::writer::Input;

impl World {
    pub(super) fn hire(&mut self, watches: Option<usize>) -> usize {
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
    pub(super) fn on_hire(&mut self) {
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

    pub(super) fn on_replies(&mut self, connection: u32, frame: &[u8]) {
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

    pub(super) fn on_tick(&mut self, writer: usize) {
        let now = self.agenda.now();
        let process = &mut self.seats[writer].process;
        if !process.is_alive {
            return;
        }
        process.on_time(now);
        self.agenda.after(TICK_NANOS, Event::Tick { writer });
        self.after_writer(writer);
        self.judge_reads(writer);
    }

    pub(super) fn on_deadline(&mut self, writer: usize) {
        let now = self.agenda.now();
        let process = &mut self.seats[writer].process;
        process.deadline = None;
        if process.is_alive {
            process.on_time(now);
            self.after_writer(writer);
        }
    }

    /// What a writer's step causes: frames, replies, another time to wake.
    pub(super) fn after_writer(&mut self, writer: usize) {
        let now = self.agenda.now();
        let seat = &mut self.seats[writer];
        if self.judges
            && let (Some(number), Some(instance)) = (seat.incarnation, seat.process.instance())
        {
            self.ledger.writer_stepped(number, instance, &self.nodes);
            self.see();
        }
        let seat = &mut self.seats[writer];
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
        let process = &self.seats[writer].process;
        let mut answers: Vec<(u64, Reply)> = std::iter::from_fn(|| process.take_reply()).collect();
        if self.mistake == Some(ExecutorMistake::SwapAnswers) {
            let numbers: Vec<u64> = answers.iter().map(|(number, _)| *number).rev().collect();
            answers.iter_mut().zip(numbers).for_each(|(answer, number)| answer.0 = number);
        }
        for (number, reply) in answers {
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
    pub(super) fn usurp(&mut self) {
        if self.seats.len() < WRITERS_MAX {
            let writer = self.hire(None);
            self.take(writer);
        }
    }

    pub(super) fn kill_writer(&mut self, writer: usize) {
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
}
