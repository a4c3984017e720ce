//! How workers talk: one dataflow, in which every parcel goes to the worker that it is for, and rounds that end everywhere.
//!
//! A round is a time of the dataflow. It is over at a worker when timely's progress tracking says that no parcel of it is
//! under way or will be sent by anybody; nothing counts messages here.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use timely::WorkerConfig;
use timely::communication::Allocator;
use timely::container::CapacityContainerBuilder;
use timely::dataflow::channels::pact;
use timely::dataflow::operators::{Input, Operator, Probe};
use timely::dataflow::{InputHandleVec, ProbeHandle};
use timely::worker::Worker;

use super::fate::Fate;
use crate::packed::Failure;

/// For which worker, in which round, what.
type Addressed = (u64, u64, Parcel);

#[derive(Clone, Debug, Serialize, Deserialize)]
enum Parcel {
    /// The words of states, one behind the other.
    States(Vec<u64>),
    /// What a worker, by number, tells all.
    Said(u64, String),
}

/// One worker's end of the dataflow.
pub struct Exchange {
    worker: Worker,
    input: InputHandleVec<u64, Addressed>,
    probe: ProbeHandle<u64>,
    inbox: Rc<RefCell<VecDeque<(u64, Parcel)>>>,
    round: u64,
    fate: Arc<Fate>,
}

/// How long a worker that waits for others sleeps before it looks whether they are still there.
const NAP: Duration = Duration::from_millis(20);

impl Exchange {
    #[must_use]
    pub fn new(allocator: Allocator, fate: Arc<Fate>) -> Self {
        let mut worker = Worker::new(WorkerConfig::default(), allocator, None);
        let inbox: Rc<RefCell<VecDeque<_>>> = Rc::default();
        let mut input = InputHandleVec::new();
        let probe = worker.dataflow(|scope| {
            let arrived = inbox.clone();
            let to_its_worker = pact::Exchange::new(|addressed: &Addressed| addressed.0);
            let received = scope.input_from(&mut input).unary::<CapacityContainerBuilder<Vec<()>>, _, _, _>(
                to_its_worker,
                "inbox",
                |_, _| {
                    move |parcels, _| {
                        let mut inbox = arrived.borrow_mut();
                        parcels.for_each(|_, batch: &mut Vec<Addressed>| {
                            inbox.extend(batch.drain(..).map(|(_, round, parcel)| (round, parcel)));
                        });
                    }
                },
            );
            received.probe().0
        });
        Exchange { worker, input, probe, inbox, round: 0, fate }
    }

    /// This worker's number among all.
    #[must_use]
    pub fn index(&self) -> usize {
        self.worker.index()
    }

    /// Workers of all processes.
    #[must_use]
    pub fn workers(&self) -> usize {
        self.worker.peers()
    }

    /// Sends the words of states to the worker that owns them.
    pub fn send(&mut self, to: usize, states: Vec<u64>) {
        self.input.send((to as u64, self.round, Parcel::States(states)));
        self.input.flush();
    }

    /// Moves parcels on, and hands those of this round that have arrived to `take`.
    ///
    /// # Errors
    /// If another thread has failed or another process is lost, or if `take` fails.
    pub fn step(&mut self, take: &mut dyn FnMut(&[u64]) -> Result<(), Failure>) -> Result<(), Failure> {
        self.fate.check()?;
        self.worker.step();
        while let Some(parcel) = self.next() {
            if let Parcel::States(states) = parcel {
                take(&states)?;
            }
        }
        Ok(())
    }

    /// Ends a round of states: returns when nobody can send one any more and all that were sent were taken.
    ///
    /// # Errors
    /// As [`Exchange::step`].
    pub fn finish(&mut self, take: &mut dyn FnMut(&[u64]) -> Result<(), Failure>) -> Result<(), Failure> {
        self.end_round(&mut |parcel| match parcel {
            Parcel::States(states) => take(&states),
            Parcel::Said(..) => Ok(()),
        })
    }

    /// A round in which every worker tells all: what they said, by their number.
    ///
    /// # Errors
    /// If another thread has failed or another process is lost, or says what this one does not understand.
    pub fn gather<T: Serialize + DeserializeOwned>(&mut self, mine: &T) -> Result<Vec<T>, Failure> {
        let strange = |e: serde_json::Error| Failure(format!("a worker says what another does not understand: {e}"));
        let (index, text) = (self.index() as u64, serde_json::to_string(mine).map_err(strange)?);
        for to in 0..self.workers() as u64 {
            self.input.send((to, self.round, Parcel::Said(index, text.clone())));
        }
        let mut said = Vec::new();
        self.end_round(&mut |parcel| {
            if let Parcel::Said(from, text) = parcel {
                said.push((from, serde_json::from_str(&text).map_err(strange)?));
            }
            Ok(())
        })?;
        said.sort_by_key(|(from, _)| *from);
        Ok(said.into_iter().map(|(_, said)| said).collect())
    }

    fn end_round(&mut self, take: &mut dyn FnMut(Parcel) -> Result<(), Failure>) -> Result<(), Failure> {
        let next = self.round + 1;
        self.input.advance_to(next);
        while self.probe.less_than(&next) {
            self.fate.check()?;
            self.worker.step_or_park(Some(NAP));
            while let Some(parcel) = self.next() {
                take(parcel)?;
            }
        }
        while let Some(parcel) = self.next() {
            take(parcel)?;
        }
        self.round = next;
        Ok(())
    }

    /// The next parcel of this round. Those of the next round may arrive while this worker does not know yet that the round
    /// is over.
    fn next(&mut self) -> Option<Parcel> {
        let mut inbox = self.inbox.borrow_mut();
        let at = inbox.iter().position(|(round, _)| *round == self.round)?;
        inbox.remove(at).map(|(_, parcel)| parcel)
    }

    /// Ends the dataflow, as all workers do.
    ///
    /// # Errors
    /// If another process is lost meanwhile.
    pub fn close(self) -> Result<(), Failure> {
        let Exchange { mut worker, input, fate, .. } = self;
        input.close();
        while worker.has_dataflows() {
            if let Err(failure) = fate.check() {
                std::mem::forget(worker);
                return Err(failure);
            }
            worker.step_or_park(Some(NAP));
        }
        Ok(())
    }

    /// Lets the dataflow be, of which others are lost: timely would wait for them, or panic. What it holds is not freed.
    pub fn abandon(self) {
        std::mem::forget(self);
    }
}
