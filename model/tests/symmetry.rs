//! States that differ only in the names of the segments are one: this loses no verdict, no state and no trace.

mod common;

use common::{at_three, choices, explore, walk};
use proptest::prelude::*;
use sextant_model::action::Action;
use sextant_model::bounds::Bounds;
use sextant_model::closed::{Closed, Core};
use sextant_model::group::Group;
use sextant_model::mutants::by_id;
use sextant_model::rules::Rules;
use sextant_model::world::World;
use std::collections::BTreeSet;

const LIMIT: usize = 3_000_000;

fn same_with_and_without_names<const N: usize>(name: &str, rules: Rules, bounds: Bounds) {
    let reduced = explore(&Closed::<Group<N>>::new(rules, bounds), LIMIT);
    let unreduced = explore(&Closed::<Group<N>>::new(rules, bounds.unreduced()), LIMIT);
    println!("{name} at {N} copies, {bounds}: {} states, {} unreduced", reduced.states.len(), unreduced.states.len());
    assert_eq!(reduced.violated, unreduced.violated, "{name} at {bounds}");
    assert_eq!(reduced.depth, unreduced.depth, "{name} at {bounds}");
    let canonical: BTreeSet<World<N>> = unreduced.states.into_iter().map(|world| world.canonical().0).collect();
    let reached: BTreeSet<World<N>> = reduced.states.into_iter().collect();
    assert!(canonical == reached, "{name} at {bounds}: {} canonical forms", canonical.len());
}

#[test]
fn adopted_rules_with_and_without_names() {
    let small = [
        Bounds::of(1, 1),
        Bounds::of(1, 1).gossiping(),
        Bounds::of(1, 2).gossiping(),
        Bounds::of(2, 1).gossiping(),
        Bounds::of(1, 1).gossiping().crashing(1).wiping(1),
        Bounds::of(1, 1).reading(1),
        Bounds::of(1, 1).gossiping().with_late_answers().with_late_fences().with_idle_writers().remembering(),
    ];
    for bounds in small {
        same_with_and_without_names::<3>("adopted", at_three(Rules::adopted()), bounds);
    }
    same_with_and_without_names::<6>("adopted", Rules::adopted(), Bounds::of(1, 1));
}

#[test]
fn mutants_with_and_without_names() {
    for id in ["M1", "M3", "M4", "M5", "M8", "M9", "M10", "M11", "M13", "M14", "M17", "M18", "M54", "M56", "M61", "M62"]
    {
        let mutant = by_id(id).unwrap();
        same_with_and_without_names::<3>(id, at_three(mutant.rules), mutant.bounds);
    }
}

// --- random walks ------------------------------------------------------------------------------------------------

/// Rules and bounds of a walk: adopted and not, with every kind of action.
fn walked() -> [Core; 4] {
    let everything = Bounds::of(2, 3).gossiping().crashing(1).wiping(1).reading(2).with_early_rounds();
    let late = everything.with_late_answers().with_late_fences().with_idle_writers();
    let mutant = |id| by_id(id).unwrap().rules;
    [
        Core::new(Rules::adopted(), everything),
        Core::new(Rules::adopted(), late.remembering()),
        Core::new(mutant("M17"), late),
        Core::new(mutant("M5"), everything),
    ]
}

fn renaming() -> impl Strategy<Value = [usize; 6]> {
    Just([0, 1, 2, 3, 4, 5]).prop_shuffle()
}

/// The new name of each copy, where copy `to` was copy `sources[to]`.
fn names(sources: &[usize; 6]) -> [usize; 6] {
    std::array::from_fn(|from| sources.iter().position(|&source| source == from).unwrap())
}

fn seeded(cases: u32) -> ProptestConfig {
    ProptestConfig {
        rng_seed: proptest::test_runner::RngSeed::Fixed(6),
        failure_persistence: None,
        ..ProptestConfig::with_cases(cases)
    }
}

proptest! {
    #![proptest_config(seeded(150))]

    #[test]
    fn renaming_commutes_with_every_step(which in 0..4usize, choices in choices(60), sources in renaming()) {
        let model = walked()[which].unreduced();
        let (_, state) = walk(&model, &choices);
        let renamed = state.permuted(&sources);
        prop_assert_eq!(renamed.clone().canonical().0, state.clone().canonical().0);
        let after = |s: &World<6>, a: Action| model.next(s, a).map(|next| next.canonical().0);
        let mut candidates = Vec::new();
        model.candidates(&state, |action| candidates.push(action));
        for action in candidates {
            prop_assert_eq!(after(&renamed, action.renamed(&names(&sources))), after(&state, action), "{:?}", action);
        }
    }

    #[test]
    fn reduced_walks_replay_under_real_names(which in 0..4usize, choices in choices(60)) {
        let model = &walked()[which];
        let (trace, end) = walk(model, &choices);
        let told = model.concrete(&trace).unwrap();
        let states = model.unreduced().walk(&told).unwrap();
        prop_assert_eq!(states.last().unwrap().clone().canonical().0, end);
    }
}
