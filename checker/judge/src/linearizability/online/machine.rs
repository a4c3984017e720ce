//! A model as numbers, for a history without end: states and calls are interned, and forgotten when nobody needs them.

use std::collections::HashMap;

use sextant_histories::{Call, Reply};

use super::front::Front;
use crate::linearizability::bits::Hashing;
use crate::linearizability::model::Model;

/// So many states, calls and transitions together are held before those that nobody needs are forgotten.
const HELD: usize = 1 << 14;

pub(super) struct Machine<M: Model> {
    states: Vec<M::State>,
    state_numbers: HashMap<M::State, u32>,
    symbols: Vec<(Call, Option<Reply>)>,
    symbol_numbers: HashMap<(Call, Option<Reply>), u32>,
    transitions: HashMap<(u32, u32), Option<u32>, Hashing>,
    /// When to tidy up next.
    full: usize,
}

impl<M: Model> Machine<M> {
    /// State number 0 is the initial one.
    pub(super) fn new(model: &M) -> Self {
        let mut machine = Self {
            states: Vec::new(),
            state_numbers: HashMap::new(),
            symbols: Vec::new(),
            symbol_numbers: HashMap::new(),
            transitions: HashMap::default(),
            full: HELD,
        };
        machine.state(model.initial());
        machine
    }

    pub(super) fn held(&self) -> usize {
        self.states.len() + self.symbols.len() + self.transitions.len()
    }

    pub(super) fn symbol(&mut self, call: &Call, reply: Option<&Reply>) -> u32 {
        let symbol = (call.clone(), reply.cloned());
        if let Some(number) = self.symbol_numbers.get(&symbol) {
            return *number;
        }
        let number = self.symbols.len() as u32;
        self.symbols.push(symbol.clone());
        self.symbol_numbers.insert(symbol, number);
        number
    }

    pub(super) fn step(&mut self, model: &M, state: u32, symbol: u32) -> Option<u32> {
        if let Some(next) = self.transitions.get(&(state, symbol)) {
            return *next;
        }
        let (call, reply) = &self.symbols[symbol as usize];
        let next = model.step(&self.states[state as usize], call, reply.as_ref());
        let next = next.map(|next| self.state(next));
        self.transitions.insert((state, symbol), next);
        next
    }

    /// Forgets all that `front` does not hold, once there is much of it. Between events only: what looks ahead has
    /// numbers of its own.
    pub(super) fn tidy(&mut self, model: &M, front: &mut Front) {
        if self.held() < self.full {
            return;
        }
        let mut tidied = Self::new(model);
        front.renumber_states(|state| tidied.state(self.states[state as usize].clone()));
        front.renumber_symbols(|symbol| {
            let (call, reply) = &self.symbols[symbol as usize];
            tidied.symbol(call, reply.as_ref())
        });
        tidied.full = HELD.max(2 * tidied.held());
        *self = tidied;
    }

    fn state(&mut self, state: M::State) -> u32 {
        if let Some(number) = self.state_numbers.get(&state) {
            return *number;
        }
        let number = self.states.len() as u32;
        self.states.push(state.clone());
        self.state_numbers.insert(state, number);
        number
    }
}
