//! What every area of the protocol owes the explorers, whichever it is: pinned counts, properties that say something, mutants
//! that die, names that do not matter, states that fit their bits.
#![cfg(feature = "stateright")]

mod common;

use std::collections::BTreeSet;
use std::sync::Arc;

use common::{choices, explore, walk};
use proptest::prelude::*;
use proptest::test_runner::{RngSeed, TestRunner};
use sextant_model::area::{Area, Catalogued, Leg};
use sextant_model::closed::Closed;
use sextant_model::coverage::Choices;
use sextant_model::decisions::RuleBook;
use sextant_model::pack::{Get, Put};
use stateright::{Checker, HasDiscoveries, Model};

/// Larger legs are left to `sextant gate`, which pins them too.
const LARGEST: usize = 1_000_000;

fn legs<A: Catalogued>() -> Vec<Leg<A>> {
    let quick: Vec<_> = A::PROFILES.iter().flat_map(|profile| profile.quick).copied().collect();
    quick.into_iter().filter(|leg| leg.states < LARGEST).collect()
}

fn adopted<A: Area>(bounds: A::Bounds) -> Closed<A> {
    Closed::new(A::Rules::adopted(), bounds)
}

/// Full explorations by stateright's breadth-first search: counts, depths, and no property without a word but those that the
/// profile names.
fn counts_are_pinned<A: Catalogued>() {
    let mut never: BTreeSet<&str> = A::PROPERTIES.iter().map(|property| property.id).collect();
    for profile in A::PROFILES {
        let unpinned = profile.quick.iter().chain(profile.deep).find(|leg| leg.states == 0 || leg.depth == 0);
        assert!(unpinned.is_none(), "{} {unpinned:?}", profile.name);
        let silent = silent_in::<A>(profile.quick.iter().filter(|leg| leg.states < LARGEST));
        assert_eq!(silent, profile.silent.iter().copied().collect(), "{} says too little or too much", profile.name);
        never.retain(|id| silent.contains(id));
    }
    assert_eq!(never, BTreeSet::new(), "these properties of {} hold vacuously", A::NAME);
}

fn silent_in<'a, A: Catalogued>(legs: impl Iterator<Item = &'a Leg<A>>) -> BTreeSet<&'static str> {
    let mut silent: BTreeSet<&str> = A::PROPERTIES.iter().map(|property| property.id).collect();
    for leg in legs {
        let model = adopted::<A>(leg.bounds);
        let checker = model.clone().checker().threads(1).finish_when(HasDiscoveries::AnyFailures).spawn_bfs().join();
        for property in model.judged() {
            if let Some(path) = checker.discovery(property.id) {
                let real = model.concrete(&path.into_actions()).expect("a reduced trace replays in real names");
                let lines = model.tell(&real).unwrap().join("\n");
                panic!("{} {}: {property:?} is violated:\n{lines}", A::NAME, leg.name);
            }
            if checker.discovery(property.name).is_some() {
                silent.remove(property.id);
            }
        }
        // Stateright counts the states of a path, and the first one is no action.
        let found = (checker.unique_state_count(), checker.max_depth() - 1);
        assert_eq!(found, (leg.states, leg.depth), "{} {}", A::NAME, leg.name);
    }
    silent
}

struct Bits(Vec<(u64, u32)>);

impl Put for Bits {
    fn put(&mut self, value: u64, bits: u32) {
        assert!(bits == 64 || value >> bits == 0, "{value} in {bits} bits");
        self.0.push((value, bits));
    }
}

struct Again<'a>(std::slice::Iter<'a, (u64, u32)>);

impl Get for Again<'_> {
    fn get(&mut self, bits: u32) -> u64 {
        let (value, put) = self.0.next().expect("as many fields are read as were put");
        assert_eq!(*put, bits, "a field is read as wide as it was put");
        *value
    }
}

fn packed<A: Area>(model: &Closed<A>, state: &A::State) -> Vec<(u64, u32)> {
    let mut bits = Bits(Vec::new());
    model.pack(state, &mut bits);
    assert_eq!(bits.0.iter().map(|(_, width)| width).sum::<u32>(), model.packed_bits());
    bits.0
}

fn runner(cases: u32) -> TestRunner {
    TestRunner::new(ProptestConfig {
        rng_seed: RngSeed::Fixed(11),
        failure_persistence: None,
        ..ProptestConfig::with_cases(cases)
    })
}

/// Every model of the area: legs under the adopted rules, mutants in their bounds.
fn models<A: Catalogued>() -> Vec<Closed<A>> {
    let legs = A::PROFILES.iter().flat_map(|profile| profile.quick.iter().chain(profile.deep));
    let mutants = A::MUTANTS.iter().map(|mutant| Closed::new(mutant.rules, mutant.bounds));
    legs.map(|leg| adopted(leg.bounds)).chain(mutants).collect()
}

/// A permutation within classes, drawn by sorting random keys.
fn permutation(classes: &[Vec<usize>], actors: usize, keys: &[u32]) -> Vec<usize> {
    let mut sources: Vec<usize> = (0..actors).collect();
    for class in classes {
        let mut shuffled = class.clone();
        shuffled.sort_by_key(|actor| keys[*actor % keys.len()]);
        class.iter().zip(shuffled).for_each(|(to, from)| sources[*to] = from);
    }
    sources
}

/// On random walks: a state comes out of its bits as it went in; renaming actors commutes with every action and with the
/// canonical form; a reduced trace replays in real names; kinds have names.
fn laws_hold_on_walks<A: Catalogued>() {
    let models = models::<A>();
    let keys = proptest::collection::vec(any::<u32>(), 64);
    let strategy = (0..models.len(), choices(50), keys);
    let checked = runner(150).run(&strategy, |(which, choices, keys)| {
        let model = &models[which];
        let (trace, end) = walk(model, &choices);
        prop_assert_eq!(&model.unpack(&mut Again(packed(model, &end).iter())), &end);
        for action in &trace {
            prop_assert!(A::kind(action) < A::KINDS.len());
        }
        let real = model.concrete(&trace).unwrap();
        let context = model.context();
        let last = model.unreduced().walk(&real).unwrap().pop().unwrap();
        let canonical =
            |state: A::State| if A::is_reduced(model.bounds()) { A::canonical(context, state) } else { state };
        prop_assert_eq!(canonical(last.clone()), end);
        if !A::is_reduced(model.bounds()) {
            return Ok(());
        }
        let classes = A::classes(context);
        let actors = A::sources(context, &last).len();
        let sources = permutation(&classes, actors, &keys);
        let renamed = A::permuted(context, &last, &sources);
        prop_assert_eq!(canonical(renamed.clone()), canonical(last.clone()));
        let names: Vec<usize> = (0..actors).map(|from| sources.iter().position(|&s| s == from).unwrap()).collect();
        let mut candidates = Vec::new();
        A::candidates(context, &last, |action| candidates.push(action));
        for action in candidates {
            let after = |state: &A::State, action| A::after(context, state, action).map(canonical);
            prop_assert_eq!(after(&renamed, A::renamed(action, &names)), after(&last, action), "{:?}", action);
        }
        Ok(())
    });
    checked.unwrap();
}

/// With and without names: the same properties fail, and at the same depth, on every model of which both are small, and with
/// every mutant's rules within `small` bounds.
fn reduction_loses_no_verdict<A: Catalogued>(small: &[A::Bounds], limit: usize) -> usize {
    let rules = || std::iter::once(A::Rules::adopted()).chain(A::MUTANTS.iter().map(|mutant| mutant.rules));
    let at_small = small.iter().flat_map(|bounds| rules().map(|rules| Closed::new(rules, *bounds)));
    let mut compared = 0;
    for model in models::<A>().into_iter().chain(at_small) {
        if !A::is_reduced(model.bounds()) {
            continue;
        }
        // Without names there are at most so many times as many; where names are many, most states differ in few of them.
        let names: usize = A::classes(model.context()).iter().flat_map(|class| 1..=class.len()).product();
        let Some(reduced) = explore_within(&model, limit / names.min(20)) else { continue };
        let Some(unreduced) = explore_within(&model.unreduced(), limit) else { continue };
        assert_eq!(reduced, unreduced, "{} {}", A::NAME, model.bounds());
        compared += 1;
    }
    compared
}

/// What is violated, and the depth of a full search; none if it has more states than `limit`.
fn explore_within<A: Area>(model: &Closed<A>, limit: usize) -> Option<(BTreeSet<&'static str>, usize)> {
    let explored = common::explore_within(model, limit)?;
    Some((explored.violated, explored.depth))
}

/// Every mutant, by a breadth-first search without an engine: a trace in real names that violates each property of its row.
fn mutants_break_their_properties<A: Catalogued>(most_states: usize) -> usize {
    let mut caught = 0;
    for mutant in A::MUTANTS {
        for property in mutant.breaks {
            let model = Closed::<A>::new(mutant.rules, mutant.bounds).only(property);
            let Some(search) = common::search(&model, most_states) else { continue };
            let trace = search.trace.unwrap_or_else(|| panic!("{} survives {property}", mutant.id));
            let real = model.concrete(&trace).unwrap();
            let last = model.unreduced().walk(&real).unwrap().pop().unwrap();
            assert!(model.violation(&last).is_some(), "{} {property}", mutant.id);
            caught += 1;
        }
    }
    caught
}

/// A lane, a mark and a line for everything that a walk can show.
fn walks_can_be_told<A: Catalogued>() {
    let models = models::<A>();
    let checked = runner(60).run(&(0..models.len(), choices(50)), |(which, choices)| {
        let model = models[which].unreduced();
        let (trace, _) = walk(&model, &choices);
        let states = model.walk(&trace).unwrap();
        let context = model.context();
        let lanes = A::lanes(context);
        for (action, around) in trace.iter().zip(states.windows(2)) {
            let mark = A::mark(context, *action, &around[0], &around[1]);
            let places = match mark {
                sextant_model::area::Mark::Message { from, to } => vec![from.unwrap_or(to), to],
                sextant_model::area::Mark::Local { at } | sextant_model::area::Mark::Fault { at } => vec![at],
            };
            prop_assert!(places.iter().all(|place| *place < lanes.len()), "{:?}", action);
            prop_assert!(!A::describe(context, *action).is_empty());
            prop_assert!((0..lanes.len()).any(|lane| A::status(context, &around[1], lane).is_some()));
        }
        prop_assert_eq!(model.tell(&trace).unwrap().len(), trace.len());
        Ok(())
    });
    checked.unwrap();
}

/// Numbers that are drawn alike on every run.
struct Draws(u64);

impl Draws {
    fn choices(&mut self, count: usize) -> Vec<usize> {
        let mut draw = || {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (self.0 >> 40) as usize
        };
        (0..count).map(|_| draw()).collect()
    }
}

/// Values of decisions that make no difference, and kinds of actions that are taken, on walks through all quick legs.
fn walked<A: Catalogued>(draws: &mut Draws) -> (BTreeSet<(&'static str, &'static str)>, BTreeSet<&'static str>) {
    let mut taken: BTreeSet<&str> = BTreeSet::new();
    let mut left: Option<BTreeSet<(&str, &str)>> = None;
    for leg in A::PROFILES.iter().flat_map(|profile| profile.quick) {
        let choices = Arc::new(Choices::<A>::of(&leg.bounds));
        let model = adopted::<A>(leg.bounds).watched_by(&choices);
        for _ in 0..WALKS {
            let (trace, _) = walk(&model, &draws.choices(60));
            taken.extend(trace.iter().map(|action| A::KINDS[A::kind(action)]));
        }
        let here: BTreeSet<_> = choices.unexercised().into_iter().collect();
        left = Some(left.map_or_else(|| here.clone(), |left| &left & &here));
    }
    (left.unwrap_or_default(), taken)
}

/// On walks through all quick legs: every kind of action is taken that is not one of a mistake alone, and every value of every
/// decision makes a difference somewhere, here or in `B`, whose rule book it is. What only mistakes make possible some mutant does.
fn nothing_is_unexercised<A: Catalogued<Rules = B::Rules>, B: Catalogued>() {
    let mut draws = Draws(7);
    let (mut left, mut taken) = walked::<A>(&mut draws);
    if A::NAME != B::NAME {
        left = &left & &walked::<B>(&mut draws).0;
    }
    assert_eq!(left, BTreeSet::new(), "decisions of {} that no quick leg exercises", A::NAME);
    let all: BTreeSet<&str> = A::KINDS.iter().copied().collect();
    let never: BTreeSet<&str> = &all - &taken;
    assert_eq!(never, A::OF_MISTAKES.iter().copied().collect(), "actions of {} that no quick leg takes", A::NAME);
    for mutant in A::MUTANTS {
        let model = Closed::<A>::new(mutant.rules, mutant.bounds);
        for _ in 0..WALKS / 10 {
            taken.extend(walk(&model, &draws.choices(60)).0.iter().map(|action| A::KINDS[A::kind(action)]));
        }
    }
    assert_eq!(taken, all, "actions of {} that nothing takes", A::NAME);
}

const WALKS: usize = 300;

macro_rules! areas {
    ($($name:ident: $area:ty, rules: $rules:ty, small: $small:expr,)*) => {$(
        mod $name {
            use super::*;

            #[test]
            fn counts() {
                counts_are_pinned::<$area>();
            }

            #[test]
            fn laws() {
                laws_hold_on_walks::<$area>();
            }

            #[test]
            fn names() {
                let compared = reduction_loses_no_verdict::<$area>(&$small, 60_000);
                println!("{}: {compared} models with and without symmetry", <$area>::NAME);
                assert!(compared > 0);
            }

            #[test]
            fn mutants() {
                let caught = mutants_break_their_properties::<$area>(60_000);
                assert!(caught > 0);
            }

            #[test]
            fn coverage() {
                nothing_is_unexercised::<$area, $rules>();
            }

            #[test]
            fn told() {
                walks_can_be_told::<$area>();
            }
        }
    )*};
}

areas! {
    core: sextant_model::group::Group<6>, rules: sextant_model::group::Group<6>, small: [],
    membership: sextant_model::membership::Membership, rules: sextant_model::membership::Membership, small: {
        use sextant_model::membership::bounds::Bounds;
        use sextant_model::membership::configuration::Members;
        use sextant_model::membership::rules::Exchanged;
        use sextant_model::types::SegmentId;
        let exchange = |outgoing, joining| Exchanged { outgoing: SegmentId(outgoing), joining: SegmentId(joining) };
        let (c_to_g, b_to_h) = (exchange(2, 6), exchange(1, 7));
        let of_three = |exchanges: &[Exchanged]| Bounds::exchanging(exchanges).of(Members::THREE);
        [
            of_three(&[c_to_g]).without_hydration().recovering(),
            of_three(&[c_to_g]).discarding(),
            of_three(&[c_to_g, b_to_h]).without_hydration(),
            of_three(&[]).losing(2).recreating().recovering(),
            Bounds::exchanging(&[]).of(Members::FULL_AND_TAIL).discarding().losing(1),
        ]
    },
    volume: sextant_model::volume::Volume, rules: sextant_model::volume::Volume, small: {
        let three = sextant_model::volume::world::Bounds::ACROSS.of_three();
        [three.committing(&[0]), three.committing(&[0, 1]), three.growing().committing(&[1])]
    },
    pages: sextant_model::pages::Pages, rules: sextant_model::pages::Pages, small: {
        use sextant_model::pages::world::Bounds;
        [
            Bounds::writing(&[0, 1]).reading().with_failover(1),
            Bounds::writing(&[0, 0]).collecting().with_replica(),
            Bounds::across().with_replica().with_failover(2),
        ]
    },
    disks: sextant_model::disks::Disks, rules: sextant_model::disks::Disks, small: {
        use sextant_model::disks::world::Bounds;
        [Bounds::of_six(1, 1, 1).of_three(), Bounds::of_six(2, 1, 0).of_three(), Bounds::of_six(2, 0, 1).of_three()]
    },
    clients: sextant_model::clients::Clients, rules: sextant_model::group::Group<6>, small: {
        use sextant_model::clients::world::Bounds;
        [Bounds::of(1, 1, 0, 0), Bounds::of(0, 1, 1, 0), Bounds::of(2, 0, 0, 0)]
    },
    undo: sextant_model::undo::Undo, rules: sextant_model::undo::Undo, small: [
        sextant_model::undo::world::Bounds::of(1, 2, 0),
        sextant_model::undo::world::Bounds::of(1, 2, 1),
    ],
    forks: sextant_model::fork::Forks, rules: sextant_model::fork::Forks, small: {
        use sextant_model::fork::bounds::Bounds;
        [
            Bounds::writing(&[0, 1]).with_clones(1).written(),
            Bounds::writing(&[0, 0]).with_clones(1).backtracking(1, 0),
            Bounds::writing(&[0, 0]).backtracking(2, 1),
        ]
    },
    regions: sextant_model::region::Regions, rules: sextant_model::region::Regions, small: {
        use sextant_model::region::world::Bounds;
        [Bounds::of(2, [2, 1, 0], 1).planned().with_failover(), Bounds::of(3, [1, 1, 0], 1).rpo(1)]
    },
}

#[test]
fn an_exploration_that_does_not_fit_is_none() {
    let bounds = legs::<sextant_model::group::Group<6>>()[0].bounds;
    assert!(explore_within(&adopted::<sextant_model::group::Group<6>>(bounds), 10).is_none());
    let members = legs::<sextant_model::membership::Membership>();
    let full_and_tail = members.iter().find(|leg| leg.name == "full-tail").unwrap();
    let all = explore(&adopted::<sextant_model::membership::Membership>(full_and_tail.bounds), 1_000);
    assert_eq!(all.states.len(), 88);
}
