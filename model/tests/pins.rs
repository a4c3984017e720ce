//! Stateright's depth-first search counts what its breadth-first search does, for which see `areas.rs`.
//!
//! The largest leg of the quick size is left to `sextant gate`, which pins it too.
#![cfg(feature = "stateright")]

use sextant_model::closed::Core;
use sextant_model::profiles::{Leg, PROFILES};
use sextant_model::rules::Rules;
use stateright::{Checker, Expectation, HasDiscoveries, Model};

const LARGEST: usize = 1_000_000;

fn legs() -> Vec<Leg> {
    let legs = PROFILES.iter().flat_map(|profile| profile.quick).copied();
    legs.filter(|leg| leg.states < LARGEST).collect()
}

fn assert_explored(leg: &Leg, checker: &impl Checker<Core>) {
    assert_eq!(checker.unique_state_count(), leg.states, "{}", leg.name);
    let properties = checker.model().properties();
    for (name, path) in checker.discoveries() {
        let property = properties.iter().find(|p| p.name == name).expect("a discovery has a property");
        let witness = property.expectation == Expectation::Sometimes;
        assert!(witness, "{}: {name} is violated by {:?}", leg.name, path.into_actions());
    }
}

#[test]
fn depth_first_search_agrees() {
    for leg in legs() {
        let model = Core::new(Rules::adopted(), leg.bounds);
        assert_explored(&leg, &model.checker().threads(2).finish_when(HasDiscoveries::AnyFailures).spawn_dfs().join());
    }
}
