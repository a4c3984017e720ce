//! `impl stateright::Model`: any of its engines, and its web Explorer, explores the closed world.
//!
//! States are canonical when they come out of `next_state`, because stateright's breadth-first search ignores
//! `symmetry()`. Properties are function pointers there, so each has a wrapper here that its place in the table names.

use crate::action::Action;
use crate::closed::Closed;
use crate::properties::{Property, all};
use crate::world::World;
use stateright::{Expectation, Model};

impl<const N: usize> Model for Closed<N> {
    type State = World<N>;
    type Action = Action;

    fn init_states(&self) -> Vec<Self::State> {
        vec![self.initial()]
    }

    fn actions(&self, state: &Self::State, actions: &mut Vec<Self::Action>) {
        self.candidates(state, |action| actions.push(action));
    }

    fn next_state(&self, last_state: &Self::State, action: Self::Action) -> Option<Self::State> {
        self.next(last_state, action)
    }

    fn format_action(&self, action: &Self::Action) -> String {
        action.describe(self.rules().scheme)
    }

    fn format_step(&self, last_state: &Self::State, action: Self::Action) -> Option<String> {
        let next = last_state.after(self.rules(), self.bounds(), action)?;
        Some(crate::diff::changes(self.rules().scheme, last_state, &next).join("\n"))
    }

    fn properties(&self) -> Vec<stateright::Property<Self>> {
        let always = self.judged().iter().map(|p| wrapped(p, Expectation::Always));
        let witnesses = self.judged().iter().filter(|_| self.asks_for_witnesses());
        always.chain(witnesses.map(|p| wrapped(p, Expectation::Sometimes))).collect()
    }
}

fn wrapped<const N: usize>(property: &Property<N>, expectation: Expectation) -> stateright::Property<Closed<N>> {
    let place = all::<N>().iter().position(|p| p.id == property.id).expect("every property judged is in the table");
    let (always, sometimes) = WRAPPERS::<N>::ALL[place];
    match expectation {
        Expectation::Always => stateright::Property::always(property.id, always),
        Expectation::Sometimes | Expectation::Eventually => stateright::Property::sometimes(property.name, sometimes),
    }
}

type Condition<const N: usize> = fn(&Closed<N>, &World<N>) -> bool;

struct WRAPPERS<const N: usize>;

macro_rules! wrappers {
    ($($place:literal)*) => {
        [$((
            |model: &Closed<N>, state: &World<N>| (const { all::<N>()[$place] }.check)(model.context(), state).is_ok(),
            |model: &Closed<N>, state: &World<N>| model.is_first_witness($place, const { all::<N>()[$place] }.sometimes, state),
        )),*]
    };
}

impl<const N: usize> WRAPPERS<N> {
    const ALL: [(Condition<N>, Condition<N>); 19] = wrappers!(0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18);
}
