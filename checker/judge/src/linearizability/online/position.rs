//! Where the judging of one key stands: the front, the window behind it, and how the operations in both ended.

use std::collections::{HashMap, VecDeque};

use sextant_histories::{Call, Event, Kind, Reply};

use super::PATIENCE;
use super::front::{Effect, Entry, Front, Full, Horizon, Return, left_by};
use super::machine::Machine;
use crate::linearizability::model::Model;

/// How an operation stands.
#[derive(Clone, Debug, PartialEq, Eq)]
enum State {
    Open,
    /// No longer waited for.
    Abandoned,
    Ok(Reply),
    Fail,
    Info,
}

#[derive(Clone)]
struct Tracked {
    call: Call,
    state: State,
    /// The event of its key at which it returned; of no meaning before.
    returned: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Move {
    Invoke(usize),
    Return(usize),
}

/// How far a key has been judged, and what has happened since.
#[derive(Clone)]
pub(super) struct Position {
    pub(super) front: Front,
    window: VecDeque<Move>,
    tracked: HashMap<usize, Tracked>,
    /// How many events there were.
    events: usize,
}

/// By what, and with how many configurations at most.
pub(super) struct Judge<'a, M> {
    pub(super) model: &'a M,
    pub(super) most: usize,
}

impl<M> Clone for Judge<'_, M> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<M> Copy for Judge<'_, M> {}

impl Position {
    pub(super) fn new() -> Self {
        Self { front: Front::new(), window: VecDeque::new(), tracked: HashMap::new(), events: 0 }
    }

    pub(super) fn held(&self) -> usize {
        self.front.held() + self.window.len() + self.tracked.len()
    }

    /// Notes what happened, and takes the front as far as answers are known. Whether an answer came too late to be of use.
    pub(super) fn push<M: Model>(
        &mut self,
        judge: Judge<'_, M>,
        machine: &mut Machine<M>,
        operation: usize,
        event: &Event,
    ) -> Result<bool, Full> {
        self.events += 1;
        let late = match &event.kind {
            Kind::Invoke => {
                self.tracked.insert(operation, Tracked { call: event.call.clone(), state: State::Open, returned: 0 });
                self.window.push_back(Move::Invoke(operation));
                false
            }
            Kind::Ok(reply) => self.end(machine, operation, State::Ok(reply.clone())),
            Kind::Fail => self.end(machine, operation, State::Fail),
            Kind::Info => self.end(machine, operation, State::Info),
        };
        self.settle(judge, machine)?;
        Ok(late)
    }

    /// Notes how an operation ended. Whether that came too late to be of use.
    fn end<M: Model>(&mut self, machine: &mut Machine<M>, operation: usize, state: State) -> bool {
        let Some(tracked) = self.tracked.get_mut(&operation) else {
            // It was abandoned and has passed.
            return state != State::Info;
        };
        if tracked.state == State::Abandoned {
            return state != State::Info;
        }
        tracked.state = state.clone();
        tracked.returned = self.events;
        match state {
            State::Ok(_) => self.window.push_back(Move::Return(operation)),
            State::Fail if self.front.waits_for(operation) => {
                self.front.undo(operation);
                self.tracked.remove(&operation);
            }
            State::Info if self.front.waits_for(operation) => {
                if let Some(Tracked { call, .. }) = self.tracked.remove(&operation) {
                    self.front.release(operation, machine.symbol(&call, None));
                }
            }
            State::Open | State::Abandoned | State::Fail | State::Info => {}
        }
        false
    }

    /// Takes the front as far as answers are known.
    fn settle<M: Model>(&mut self, judge: Judge<'_, M>, machine: &mut Machine<M>) -> Result<(), Full> {
        let Judge { model, most } = judge;
        while let Some(next) = self.window.front().copied() {
            let (Move::Invoke(operation) | Move::Return(operation)) = next;
            let Some(tracked) = self.tracked.get_mut(&operation) else {
                self.window.pop_front();
                continue;
            };
            if let (Move::Invoke(_), State::Open) = (next, &tracked.state)
                && answer_of(model, &tracked.call).is_none()
            {
                if self.window.len() < PATIENCE {
                    break;
                }
                tracked.state = State::Abandoned;
            }
            self.window.pop_front();
            let tracked = &self.tracked[&operation];
            match next {
                Move::Invoke(_) => {
                    let answer = match &tracked.state {
                        State::Ok(reply) => Some(reply.clone()),
                        State::Open => answer_of(model, &tracked.call),
                        State::Abandoned | State::Fail | State::Info => None,
                    };
                    let is_over = answer.is_none();
                    enter(model, machine, &mut self.front, operation, tracked, answer)?;
                    if is_over {
                        self.tracked.remove(&operation);
                    }
                }
                Move::Return(_) => {
                    // What comes later is not known, so any state may matter.
                    let returns = Return { operation, now: 0, horizon: None };
                    self.front.take_back(model, machine, returns, most)?;
                    self.tracked.remove(&operation);
                }
            }
        }
        Ok(())
    }

    /// Until which event of the window which operations are to be reckoned with, if that is all that is to come; none if no
    /// operation overwrites, because it makes a difference for those alone.
    fn horizon<M: Model>(&self, model: &M, machine: &mut Machine<M>) -> Option<Horizon> {
        let mut returns = HashMap::new();
        let mut overwrites = false;
        let mut uses = Vec::new();
        for (now, next) in self.window.iter().enumerate() {
            match *next {
                Move::Return(operation) => {
                    returns.insert(operation, now);
                }
                Move::Invoke(operation) => {
                    let Tracked { call, state, .. } = &self.tracked[&operation];
                    match state {
                        _ if model.overwrites(call) => overwrites = true,
                        State::Ok(reply) => uses.push((machine.symbol(call, Some(reply)), Some(operation))),
                        State::Open | State::Abandoned | State::Info => uses.push((machine.symbol(call, None), None)),
                        State::Fail => {}
                    }
                }
            }
        }
        if !overwrites {
            return None;
        }
        uses.extend(self.front.uses());
        let at = |operation: Option<usize>| operation.and_then(|operation| returns.get(&operation).copied());
        Some(Horizon::new(uses.into_iter().map(|(symbol, operation)| (symbol, at(operation))).collect()))
    }

    /// Whether anything is left at the end of the window, if what is open takes effect or not as it likes.
    pub(super) fn look_ahead<M: Model>(&self, judge: Judge<'_, M>, machine: &mut Machine<M>) -> Result<bool, Full> {
        let Judge { model, most } = judge;
        if self.window.is_empty() || !self.front.lives() {
            return Ok(self.front.lives());
        }
        let mut ahead = self.front.clone();
        let mut horizon = self.horizon(model, machine);
        for (now, next) in self.window.iter().enumerate() {
            match *next {
                Move::Invoke(operation) => {
                    let tracked = &self.tracked[&operation];
                    let answer = match &tracked.state {
                        State::Ok(reply) => Some(reply.clone()),
                        State::Open | State::Abandoned | State::Fail | State::Info => None,
                    };
                    enter(model, machine, &mut ahead, operation, tracked, answer)?;
                }
                Move::Return(operation) => {
                    let returns = Return { operation, now, horizon: horizon.as_mut() };
                    ahead.take_back(model, machine, returns, most)?;
                    if !ahead.lives() {
                        return Ok(false);
                    }
                }
            }
        }
        Ok(true)
    }
}

/// Lets a front pass an invocation: with the answer that the operation is to have, or as one that may happen or not.
fn enter<M: Model>(
    model: &M,
    machine: &mut Machine<M>,
    front: &mut Front,
    operation: usize,
    tracked: &Tracked,
    answer: Option<Reply>,
) -> Result<(), Full> {
    match answer {
        Some(reply) => {
            let effect = if model.only_observes(&tracked.call, &reply) {
                Effect::Observes
            } else if model.overwrites(&tracked.call) {
                Effect::Overwrites
            } else {
                Effect::Changes
            };
            let symbol = machine.symbol(&tracked.call, Some(&reply));
            front.enter(model, machine, Entry { operation, symbol, effect, returns: tracked.returned })
        }
        None if tracked.state == State::Fail => Ok(()),
        None => {
            let symbol = machine.symbol(&tracked.call, None);
            let leaves = model.overwrites(&tracked.call).then(|| left_by(model, machine, symbol));
            front.offer(symbol, leaves);
            Ok(())
        }
    }
}

/// The only answer that a call can have, if there is only one and nothing else need be known before it enters a front.
fn answer_of<M: Model>(model: &M, call: &Call) -> Option<Reply> {
    match call {
        _ if model.overwrites(call) => None,
        Call::Write(_) => Some(Reply::Written),
        Call::Append(_) | Call::Enqueue(_) | Call::Push(_) | Call::Insert(_) | Call::Acquire | Call::Release => {
            Some(Reply::Done)
        }
        Call::Read
        | Call::Cas { .. }
        | Call::Add(_)
        | Call::Remove(_)
        | Call::Contains(_)
        | Call::Dequeue
        | Call::Pop
        | Call::PopMin
        | Call::Txn(_)
        | Call::Other(..) => None,
    }
}
