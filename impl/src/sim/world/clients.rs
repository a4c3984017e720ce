//! The clients: what they ask, and what they hear.

use sextant_histories::Call;

use super::{Event, LOOK_AGAIN, World};
use crate::client::contract::{Failure, command_of};
use crate::resp::{Command, Reply};
use crate::sim::agenda::MILLISECOND;
use crate::sim::network::Place;

impl World {
    pub(super) fn on_think(&mut self, client: usize) {
        let now = self.agenda.now();
        if self.healed.is_some() && self.last_reads.is_none() {
            // Whoever waits for an answer gets it or not; nobody asks anew.
            return;
        }
        let is_enough = self.plan.operations.is_some_and(|most| self.recording.operations >= most);
        if self.clients[client].waits.is_some() || (is_enough && self.last_reads.is_none()) {
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

    pub(super) fn on_command(&mut self, writer: usize, number: u64, command: Command) {
        let now = self.agenda.now();
        if self.seats[writer].process.is_alive {
            self.seats[writer].process.command(number, command, now);
            self.after_writer(writer);
        }
    }

    pub(super) fn on_answer(&mut self, number: u64, reply: Result<Reply, Failure>) {
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
}
