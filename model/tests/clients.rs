//! Clients: that the history in the state is that of Stateright's tester, carried along the run.
#![cfg(feature = "stateright")]

mod common;

use common::{choices, explore, walk};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{RngSeed, TestRunner};
use sextant_model::area::Catalogued;
use sextant_model::clients::calls::{CLIENTS, Calls, Register, Tester};
use sextant_model::clients::world::{Action, Bounds, World};
use sextant_model::clients::{Clients, MUTANTS};
use sextant_model::closed::Closed;
use sextant_model::rules::Rules;
use stateright::semantics::ConsistencyTester;
use std::collections::BTreeMap;

/// What a step told clients is told the tester.
fn carry(tester: &mut Tester, action: Action, before: &World, after: &World) {
    if let Action::Call { client, .. } = action {
        let client = usize::from(client);
        let place = before.calls.of(client).len();
        tester.on_invoke(client, after.calls.op(client, place)).unwrap();
    }
    for client in 0..CLIENTS {
        for place in before.calls.answered(client)..after.calls.answered(client) {
            tester.on_return(client, after.calls.ret(client, place).unwrap()).unwrap();
        }
    }
}

#[test]
fn the_history_of_a_state_is_that_of_a_tester_carried_along() {
    let legs = Clients::PROFILES.iter().flat_map(|profile| profile.quick).map(|leg| (Rules::adopted(), leg.bounds));
    let mutants = MUTANTS.iter().map(|mutant| (mutant.rules, mutant.bounds));
    let models: Vec<_> = legs.chain(mutants).map(|(rules, bounds)| Closed::<Clients>::new(rules, bounds)).collect();
    let config = ProptestConfig { rng_seed: RngSeed::Fixed(5), ..ProptestConfig::default() };
    let (mut calls, mut answers, mut violations) = (0, 0, 0);
    let mut runner = TestRunner::new(config);
    let strategy = (0..models.len(), choices(90));
    for _ in 0..2_000 {
        let (which, choices) = strategy.new_tree(&mut runner).unwrap().current();
        let model = models[which].unreduced();
        let (trace, _) = walk(&model, &choices);
        let states = model.walk(&trace).unwrap();
        let mut tester = Tester::new(Register::default());
        for (action, around) in trace.iter().zip(states.windows(2)) {
            carry(&mut tester, *action, &around[0], &around[1]);
            assert_eq!(tester, around[1].calls.tester());
            assert_eq!(tester.is_consistent(), model.violation(&around[1]).is_none());
        }
        let last = &states.last().unwrap().calls;
        calls += last.all().count();
        answers += (0..CLIENTS).map(|client| last.answered(client)).sum::<usize>();
        violations += usize::from(!tester.is_consistent());
    }
    assert!(calls > 2_000 && answers > 1_000, "{calls} calls, {answers} answers");
    println!("{calls} calls, {answers} answers, {violations} walks that no register explains");
}

/// Over all states of a small exploration: what differs only in what the storage does has one history, and what no tester tells
/// apart is one history.
#[test]
fn equal_testers_are_equal_histories() {
    let model = Closed::<Clients>::new(Rules::adopted(), Bounds::of(2, 1, 1, 0));
    let explored = explore(&model, 400_000);
    let mut by_calls: BTreeMap<Calls, Tester> = BTreeMap::new();
    for state in &explored.states {
        by_calls.insert(state.calls, state.calls.tester());
    }
    // Where a call waits and what it will say is no part of the history yet.
    let told = |calls: &Calls| {
        let per_client = |client: usize| {
            let calls_of = calls.of(client);
            let each = calls_of.iter().enumerate();
            each.map(|(place, call)| (call.request, call.after, calls.ret(client, place).map(|ret| format!("{ret:?}"))))
                .collect::<Vec<_>>()
        };
        (0..CLIENTS).map(per_client).collect::<Vec<_>>()
    };
    let all: Vec<_> = by_calls.iter().collect();
    for (one, one_tester) in &all {
        for (other, other_tester) in &all {
            assert_eq!(told(one) == told(other), one_tester == other_tester, "{one:?} {other:?}");
        }
    }
    assert!(all.len() > 100, "{} histories", all.len());
}
