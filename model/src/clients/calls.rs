//! What clients have asked of the volume and been answered: a history, as Stateright's tester keeps it.
//!
//! Of a history only this matters to linearizability: who called what in which order, what was answered, and for each call how
//! many calls of the other client had been answered when it was made. [`Calls`] is that and no more, in an order that states can be
//! compared by; [`Calls::tester`] is the same history inside a [`LinearizabilityTester`], and `tests/clients.rs` carries a tester
//! along runs to show it.

use crate::fields::Few;
use crate::types::Lsn;
use serde::{Deserialize, Serialize};
use stateright::semantics::{ConsistencyTester, LinearizabilityTester, SequentialSpec};
use std::cell::RefCell;
use std::collections::BTreeMap;

/// Clients of an exploration.
pub const CLIENTS: usize = 2;

/// The most calls of one client.
pub const CALLS: usize = 2;

/// A value of the register: 0 before the first write. Every call that may write has a value of its own.
pub type Value = u8;

/// The highest value that a call can write.
pub const VALUE_MAX: Value = (CLIENTS * CALLS) as Value;

/// What a client asks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Request {
    #[default]
    Read,
    /// Of the value that belongs to the call.
    Write,
    /// Compare and set: the value of the call, if the register holds `from`.
    Swap { from: Value },
}

/// What a call did at the instance that took it, known before it is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Effect {
    /// It wrote this record.
    Recorded(Lsn),
    /// It read this value.
    Saw(Value),
    /// It compared with another value.
    Differed,
}

impl Default for Effect {
    fn default() -> Self {
        Effect::Saw(0)
    }
}

/// One call of a client.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Call {
    pub request: Request,
    /// Calls of the other client that had been answered when this one was made.
    pub after: u8,
    pub effect: Effect,
    /// The instance that owes the answer; none once it is given.
    pub waits_at: Option<u8>,
}

/// The calls of every client, in the order in which it made them. All but the last of each are answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Calls {
    pub(crate) of: [Few<Call, CALLS>; CLIENTS],
}

/// An operation on the register, for a tester.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Op {
    Read,
    Write(Value),
    Swap { from: Value, to: Value },
}

/// What an operation returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ret {
    Value(Value),
    Written,
    Swapped(bool),
}

/// The register that one copy of everything would be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Register(pub Value);

impl SequentialSpec for Register {
    type Op = Op;
    type Ret = Ret;

    fn invoke(&mut self, op: &Op) -> Ret {
        match *op {
            Op::Read => Ret::Value(self.0),
            Op::Write(value) => {
                self.0 = value;
                Ret::Written
            }
            Op::Swap { from, to } => {
                let holds = self.0 == from;
                if holds {
                    self.0 = to;
                }
                Ret::Swapped(holds)
            }
        }
    }
}

/// One end of a call, for whoever writes the history down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    Invoke { client: usize, op: Op },
    Return { client: usize, ret: Ret },
}

/// A history of clients, as Stateright tests it.
pub type Tester = LinearizabilityTester<usize, Register>;

/// The value that a client's call at this place writes.
#[must_use]
pub fn value_of(client: usize, place: usize) -> Value {
    (client * CALLS + place + 1) as Value
}

impl Calls {
    #[must_use]
    pub fn of(&self, client: usize) -> &[Call] {
        &self.of[client]
    }

    /// Clients with their calls.
    pub fn by_client(&self) -> impl Iterator<Item = (usize, &[Call])> {
        self.of.iter().map(|calls| &**calls).enumerate()
    }

    pub fn all(&self) -> impl Iterator<Item = &Call> {
        self.of.iter().flat_map(|calls| calls.iter())
    }

    /// The call that a client waits for, and where.
    #[must_use]
    pub fn waiting(&self, client: usize) -> Option<(u8, &Call)> {
        let last = self.of[client].last()?;
        Some((last.waits_at?, last))
    }

    /// Whether nobody waits.
    #[must_use]
    pub fn are_answered(&self) -> bool {
        (0..CLIENTS).all(|client| self.waiting(client).is_none())
    }

    /// Whether a client may call: it waits for nothing, and has calls left.
    #[must_use]
    pub fn is_free(&self, client: usize) -> bool {
        self.of[client].len() < CALLS && self.waiting(client).is_none()
    }

    /// Calls of a client that were answered.
    #[must_use]
    pub fn answered(&self, client: usize) -> usize {
        self.of[client].iter().filter(|call| call.waits_at.is_none()).count()
    }

    /// A client calls; law: it [is free](Calls::is_free).
    pub(crate) fn begin(&mut self, client: usize, request: Request, effect: Effect, instance: u8) {
        let others = (0..CLIENTS).filter(|&other| other != client);
        let after = others.map(|other| self.answered(other)).sum::<usize>() as u8;
        self.of[client].push(Call { request, after, effect, waits_at: Some(instance) });
    }

    /// The answer reaches the client.
    pub(crate) fn answer(&mut self, client: usize) {
        if let Some(call) = self.of[client].last_mut() {
            call.waits_at = None;
        }
    }

    /// Every record that a call wrote, with its value. Law: LSNs are unique (S5).
    pub fn records(&self) -> impl Iterator<Item = (Lsn, Value)> + '_ {
        self.by_client().flat_map(|(client, calls)| {
            calls.iter().enumerate().filter_map(move |(place, call)| match call.effect {
                Effect::Recorded(lsn) => Some((lsn, value_of(client, place))),
                Effect::Saw(_) | Effect::Differed => None,
            })
        })
    }

    /// How many calls asked for each: reads, writes, swaps.
    #[must_use]
    pub fn counts(&self) -> [u8; 3] {
        let mut counts = [0; 3];
        for call in self.all() {
            counts[match call.request {
                Request::Read => 0,
                Request::Write => 1,
                Request::Swap { .. } => 2,
            }] += 1;
        }
        counts
    }

    #[must_use]
    pub fn op(&self, client: usize, place: usize) -> Op {
        match self.of[client][place].request {
            Request::Read => Op::Read,
            Request::Write => Op::Write(value_of(client, place)),
            Request::Swap { from } => Op::Swap { from, to: value_of(client, place) },
        }
    }

    /// What a call returned; none if it waits.
    #[must_use]
    pub fn ret(&self, client: usize, place: usize) -> Option<Ret> {
        let call = self.of[client][place];
        if call.waits_at.is_some() {
            return None;
        }
        Some(match (call.request, call.effect) {
            (_, Effect::Saw(value)) => Ret::Value(value),
            (_, Effect::Differed) => Ret::Swapped(false),
            (Request::Swap { .. }, Effect::Recorded(_)) => Ret::Swapped(true),
            (Request::Read | Request::Write, Effect::Recorded(_)) => Ret::Written,
        })
    }

    /// The history in an order of events that has the same calls answered before the same calls: of several such orders one.
    ///
    /// # Panics
    /// If no run has these calls.
    #[must_use]
    pub fn events(&self) -> Vec<Event> {
        let total = self.all().map(|call| 1 + usize::from(call.waits_at.is_none())).sum();
        let mut events = Vec::with_capacity(total);
        let (mut invoked, mut returned) = ([0; CLIENTS], [0; CLIENTS]);
        while events.len() < total {
            let next_call = |client: usize, invoked: &[usize; CLIENTS]| self.of[client].get(invoked[client]).copied();
            let others_returned =
                |client: usize, returned: &[usize; CLIENTS]| returned.iter().sum::<usize>() - returned[client];
            let idle = |client: usize| invoked[client] == returned[client];
            let caller = (0..CLIENTS).find(|&client| {
                let due = |call: Call| usize::from(call.after) == others_returned(client, &returned);
                idle(client) && next_call(client, &invoked).is_some_and(due)
            });
            if let Some(client) = caller {
                events.push(Event::Invoke { client, op: self.op(client, invoked[client]) });
                invoked[client] += 1;
                continue;
            }
            let answered = (0..CLIENTS).find_map(|client| {
                let place = returned[client];
                let ret = if idle(client) { None } else { self.ret(client, place) };
                // Whoever must call before this answer has done so, or waits for an answer itself and calls after that.
                let hurries = |other: usize| {
                    other != client
                        && next_call(other, &invoked)
                            .is_some_and(|call| usize::from(call.after) <= others_returned(other, &returned))
                };
                ret.filter(|_| !(0..CLIENTS).any(hurries)).map(|ret| (client, ret))
            });
            let (client, ret) = answered.expect("every history of a run can be put in order");
            events.push(Event::Return { client, ret });
            returned[client] += 1;
        }
        events
    }

    /// The history as far as somebody was told of it: without the places of records, and without what a call that waits will say.
    #[must_use]
    fn told(mut self) -> Calls {
        for call in self.of.iter_mut().flat_map(|calls| calls.iter_mut()) {
            match (call.waits_at.is_some(), call.effect) {
                (true, _) => (call.waits_at, call.effect) = (Some(0), Effect::default()),
                (false, Effect::Recorded(_)) => call.effect = Effect::Recorded(Lsn::ZERO),
                (false, Effect::Saw(_) | Effect::Differed) => {}
            }
        }
        self
    }

    /// Whether one register could have told clients the same: what [`Calls::tester`] says.
    #[must_use]
    pub fn are_linearizable(&self) -> bool {
        // Thousands of states have one history, and the tester's search is dearer than a step.
        thread_local! {
            static JUDGED: RefCell<BTreeMap<Calls, bool>> = const { RefCell::new(BTreeMap::new()) };
        }
        let told = self.told();
        JUDGED.with_borrow_mut(|judged| *judged.entry(told).or_insert_with(|| told.tester().is_consistent()))
    }

    /// The same history inside Stateright's tester.
    #[must_use]
    pub fn tester(&self) -> Tester {
        let mut tester = Tester::new(Register::default());
        for event in self.events() {
            let taken = match event {
                Event::Invoke { client, op } => tester.on_invoke(client, op),
                Event::Return { client, ret } => tester.on_return(client, ret),
            };
            taken.expect("a client calls when it waits for nothing, and is answered when it waits");
        }
        tester
    }
}

impl std::fmt::Display for Op {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Op::Read => f.write_str("read"),
            Op::Write(value) => write!(f, "write {value}"),
            Op::Swap { from, to } => write!(f, "cas {from}→{to}"),
        }
    }
}

impl std::fmt::Display for Ret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Ret::Value(value) => write!(f, "{value}"),
            Ret::Written | Ret::Swapped(true) => f.write_str("done"),
            Ret::Swapped(false) => f.write_str("differs"),
        }
    }
}
