//! How a standby takes the volume over: it watches its writer, and asks the metadata service.

use sextant_model::metadata::{Change, Conflict, Metadata};
use sextant_model::types::Epoch;

use super::{Event, HIRE, PINGS, TAKE_PAUSE, World};
use crate::sim::COPIES;
use crate::sim::agenda::MILLISECOND;
use crate::sim::network::Place;
use crate::writer::{Input, Taken};

impl World {
    pub(super) fn on_watch(&mut self, writer: usize) {
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
    pub(super) fn on_ping(&mut self, from: usize, to: usize) {
        if self.seats[to].process.is_alive {
            self.send(Place::Writer(to), Place::Writer(from), || Event::Pong { to: from });
        }
    }

    pub(super) fn on_pong(&mut self, to: usize) {
        let now = self.agenda.now();
        if let Some((_, answered)) = &mut self.seats[to].process.watches {
            *answered = now;
        }
    }

    /// R0 begins: the writer wants the volume from now on.
    pub(super) fn take(&mut self, writer: usize) {
        let now = self.agenda.now();
        let seat = &mut self.seats[writer];
        seat.process.watches = None;
        seat.asks = true;
        seat.process.handle(Input::Taking, now);
        self.agenda.after(HIRE, Event::Hire);
        self.ask_record(writer);
    }

    pub(super) fn ask_record(&mut self, writer: usize) {
        let seat = &mut self.seats[writer];
        seat.attempt += 1;
        let attempt = seat.attempt;
        self.agenda.after(TAKE_PAUSE, Event::TakeAgain { writer, attempt });
        self.send(Place::Writer(writer), Place::Metadata, || Event::AskRecord { writer, attempt });
    }

    /// Without an answer nothing is known, and the next attempt reads the record again.
    pub(super) fn on_take_again(&mut self, writer: usize, attempt: u32) {
        let seat = &self.seats[writer];
        if seat.process.is_alive && seat.asks && seat.attempt == attempt {
            self.ask_record(writer);
        }
    }

    pub(super) fn on_ask_record(&mut self, writer: usize, attempt: u32) {
        let caller = self.metadata.volume_epoch;
        self.send(Place::Metadata, Place::Writer(writer), || Event::Record { writer, attempt, caller });
    }

    pub(super) fn on_record(&mut self, writer: usize, attempt: u32, caller: Epoch) {
        let seat = &self.seats[writer];
        if seat.process.is_alive && seat.asks && seat.attempt == attempt {
            self.send(Place::Writer(writer), Place::Metadata, || Event::AskChange { writer, attempt, caller });
        }
    }

    pub(super) fn on_ask_change(&mut self, writer: usize, attempt: u32, caller: Epoch) {
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

    pub(super) fn on_changed(
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
}
