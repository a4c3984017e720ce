//! `impl stateright::Model`: any of its engines, and its web Explorer, explores the closed world of any area.
//!
//! States are canonical when they come out of `next_state`, because stateright's breadth-first search ignores
//! `symmetry()`. Properties are function pointers there, so each has a wrapper here that its place in the table names.

use crate::area::{Area, Property};
use crate::closed::Closed;
use stateright::{Expectation, Model};

impl<A: Area> Model for Closed<A> {
    type State = A::State;
    type Action = A::Action;

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
        A::describe(self.context(), *action)
    }

    fn format_step(&self, last_state: &Self::State, action: Self::Action) -> Option<String> {
        let next = A::after(self.context(), last_state, action)?;
        Some(A::changes(self.context(), last_state, &next).join("\n"))
    }

    fn properties(&self) -> Vec<stateright::Property<Self>> {
        let always = self.judged().iter().map(|p| wrapped(p, Expectation::Always));
        let witnesses = self.judged().iter().filter(|_| self.asks_for_witnesses());
        always.chain(witnesses.map(|p| wrapped(p, Expectation::Sometimes))).collect()
    }
}

fn wrapped<A: Area>(property: &Property<A>, expectation: Expectation) -> stateright::Property<Closed<A>> {
    let place = A::PROPERTIES.iter().position(|p| p.id == property.id).expect("every property judged is in the table");
    let (always, sometimes) = wrappers::<A>()[place];
    match expectation {
        Expectation::Always => stateright::Property::always(property.id, always),
        Expectation::Sometimes | Expectation::Eventually => stateright::Property::sometimes(property.name, sometimes),
    }
}

type Condition<A> = fn(&Closed<A>, &<A as Area>::State) -> bool;

fn holds<A: Area, const PLACE: usize>(model: &Closed<A>, state: &A::State) -> bool {
    (A::PROPERTIES[PLACE].check)(model.context(), state).is_ok()
}

fn says_something<A: Area, const PLACE: usize>(model: &Closed<A>, state: &A::State) -> bool {
    model.is_first_witness(PLACE, state)
}

macro_rules! wrappers {
    ($($place:literal)*) => {
        /// By place in the table of properties; those behind its end are never called.
        fn wrappers<A: Area>() -> [(Condition<A>, Condition<A>); 32] {
            [$((holds::<A, $place>, says_something::<A, $place>)),*]
        }
    };
}

wrappers!(0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31);
