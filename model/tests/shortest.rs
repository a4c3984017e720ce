//! Stateright's breadth-first search against one that fits on a screen: `common::search`.
#![cfg(feature = "stateright")]

mod common;

use sextant_model::area::Area;
use sextant_model::bounds::Bounds;
use sextant_model::closed::{Closed, Core};
use sextant_model::mutants::by_id;
use sextant_model::rules::Rules;
use stateright::{Checker, Model};

/// Length of a shortest trace to a violation, if there is one, and the states seen until then.
fn search<A: Area>(model: &Closed<A>) -> (Option<usize>, usize) {
    let found = common::search(model, usize::MAX).expect("nothing is too much");
    (found.trace.map(|trace| trace.len()), found.seen)
}

fn shortest_by_stateright<A: Area>(model: Closed<A>, id: &'static str) -> Option<usize> {
    let checker = model.checker().threads(1).spawn_bfs().join();
    checker.discovery(id).map(|path| path.into_actions().len())
}

/// A mutant and a property that it breaks within bounds that are searched in no time.
const BROKEN: [(&str, &str); 12] = [
    ("M1", "S1"),
    ("M2", "S1"),
    ("M3", "S9"),
    ("M4", "S1"),
    ("M5", "S10"),
    ("M6", "S1"),
    ("M8", "S11"),
    ("M9", "S12"),
    ("M15", "S5"),
    ("M17", "S14"),
    ("M18", "S1"),
    ("M54", "S9"),
];

fn mutated(mutant: &str) -> Core {
    let mutant = by_id(mutant).unwrap();
    Core::new(mutant.rules, mutant.bounds)
}

#[test]
fn counterexamples_are_as_short_as_stateright_finds_them() {
    for (mutant, id) in BROKEN {
        let model = mutated(mutant).only(id);
        let (shortest, _) = search(&model);
        println!("{mutant} {id}: {shortest:?}");
        assert!(shortest.is_some(), "{mutant} does not break {id}");
        assert_eq!(shortest, shortest_by_stateright(model, id), "{mutant} {id}");
    }
}

/// Stateright 0.31 replaces a discovery by every later violation of the same property, and goes on until all properties
/// have one: with many properties the path to any of them need not be a shortest. That is why a mutant is run once for each
/// property.
#[test]
fn with_many_properties_stateright_finds_none_shorter() {
    for (mutant, id) in [("M1", "S1"), ("M4", "S1"), ("M8", "S11"), ("M18", "S1")] {
        let (shortest, _) = search(&mutated(mutant).only(id));
        let found = shortest_by_stateright(mutated(mutant), id);
        println!("{mutant} {id}: shortest {shortest:?}, among many {found:?}");
        assert!(found >= shortest, "{mutant} {id}: {found:?} is shorter than {shortest:?}");
    }
}

#[test]
fn both_searches_see_the_same_number_of_states() {
    for bounds in [Bounds::of(1, 1).gossiping(), Bounds::of(1, 1).reading(1), Bounds::of(2, 1)] {
        let model = || Core::new(Rules::adopted(), bounds).only("S1");
        let (violation, states) = search(&model());
        let checker = model().checker().threads(1).spawn_bfs().join();
        println!("{bounds}: {states} states");
        assert_eq!(violation, None);
        assert_eq!(states, checker.unique_state_count(), "{bounds}");
    }
}
