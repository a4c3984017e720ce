//! The model as a table of numbers: states and operations are interned, each transition is computed once.

use std::collections::HashMap;
use std::hash::Hash;

use sextant_histories::{Call, Reply};

use super::bits::Hashing;
use super::model::Model;
use super::prune::Candidate;

/// How many transitions to remember. It is only a cache: when it is full it starts anew, so that a long history with
/// distinct values does not fill the memory with transitions that never come back.
const REMEMBERED: usize = 1 << 20;

pub(super) struct Automaton<'a, M: Model> {
    model: &'a M,
    states: Interner<M::State>,
    symbols: Interner<(Call, Option<Reply>)>,
    transitions: HashMap<(u32, u32), Option<u32>, Hashing>,
}

impl<'a, M: Model> Automaton<'a, M> {
    /// State number 0 is the initial one.
    pub(super) fn new(model: &'a M) -> Self {
        let mut states = Interner::new();
        states.number(model.initial());
        Self { model, states, symbols: Interner::new(), transitions: HashMap::default() }
    }

    /// The number of what a candidate does: equal for operations that no search could tell apart.
    pub(super) fn symbol(&mut self, candidate: &Candidate<'_>) -> u32 {
        self.symbols.number((candidate.call.clone(), candidate.reply.cloned()))
    }

    pub(super) fn step(&mut self, state: u32, symbol: u32) -> Option<u32> {
        if let Some(next) = self.transitions.get(&(state, symbol)) {
            return *next;
        }
        let (call, reply) = self.symbols.get(symbol);
        let next = self.model.step(self.states.get(state), call, reply.as_ref());
        let next = next.map(|next| self.states.number(next));
        if self.transitions.len() >= REMEMBERED {
            self.transitions.clear();
        }
        self.transitions.insert((state, symbol), next);
        next
    }

    pub(super) fn show(&self, state: u32) -> String {
        self.model.show(self.states.get(state))
    }
}

struct Interner<T> {
    numbers: HashMap<T, u32>,
    values: Vec<T>,
}

impl<T: Clone + Eq + Hash> Interner<T> {
    fn new() -> Self {
        Self { numbers: HashMap::new(), values: Vec::new() }
    }

    fn number(&mut self, value: T) -> u32 {
        if let Some(number) = self.numbers.get(&value) {
            return *number;
        }
        let number = u32::try_from(self.values.len()).expect("fewer than 2^32 states and operations fit in memory");
        self.values.push(value.clone());
        self.numbers.insert(value, number);
        number
    }

    fn get(&self, number: u32) -> &T {
        &self.values[number as usize]
    }
}
