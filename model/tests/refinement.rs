//! Every edge of the quick legs of the core, but for the largest, is a step of the abstract volume; mutants take others.

mod common;

use std::collections::BTreeSet;

use sextant_model::area::Catalogued;
use sextant_model::closed::Core;
use sextant_model::group::Group;
use sextant_model::mutants::MUTANTS;
use sextant_model::refinement::{Volume, refines};
use sextant_model::rules::Rules;

/// What edges lead to, and the first that is no step of the abstract volume, of at most so many states.
fn walked(model: &Core, limit: usize) -> (usize, Option<String>) {
    let mut edges = 0;
    let mut states = vec![model.initial()];
    let mut seen: BTreeSet<_> = states.iter().cloned().collect();
    let mut at = 0;
    while at < states.len() && states.len() < limit {
        let state = states[at].clone();
        for next in common::successors(model, &state) {
            edges += 1;
            if let Err(fact) = refines(&state, &next) {
                return (edges, Some(fact));
            }
            if seen.insert(next.clone()) {
                states.push(next);
            }
        }
        at += 1;
    }
    (edges, None)
}

#[test]
fn every_edge_is_a_step_of_the_abstract_volume() {
    let legs = <Group<6> as Catalogued>::PROFILES.iter().flat_map(|profile| profile.quick);
    for leg in legs.filter(|leg| leg.states < 1_000_000) {
        let (edges, fact) = walked(&Core::new(Rules::adopted(), leg.bounds), usize::MAX);
        assert_eq!(fact, None, "{}", leg.name);
        assert!(edges > leg.states, "{}", leg.name);
    }
}

/// A step is not believed to be one because nothing could be wrong with it.
#[test]
fn mutants_take_steps_that_no_volume_takes() {
    let breaks = |id: &str| {
        let mutant = MUTANTS.iter().find(|mutant| mutant.id == id).unwrap();
        walked(&Core::new(mutant.rules, mutant.bounds), 100_000).1.is_some()
    };
    let broken = ["M1", "M2", "M3", "M4", "M5", "M6", "M8", "M12", "M13", "M15", "M17", "M18", "M54"];
    let survivors: Vec<_> = broken.into_iter().filter(|id| !breaks(id)).collect();
    assert!(survivors.is_empty(), "{survivors:?}");
    // These break promises that a log with a durable point does not make: of reads, of single segments, of what is left to read.
    let others = ["M56", "M57", "M62", "M72"];
    let caught: Vec<_> = others.into_iter().filter(|id| breaks(id)).collect();
    assert!(caught.is_empty(), "{caught:?}");
}

#[test]
fn the_first_volume_is_empty_and_stays() {
    let first = Core::new(Rules::adopted(), sextant_model::bounds::Bounds::of(1, 1)).initial();
    let volume = Volume::of(&first).unwrap();
    assert_eq!(volume.steps_to(&volume), Ok(()));
}
