//! Every complete history that the model's clients meet, by the model's tester and by the checker of recorded histories.
#![allow(clippy::disallowed_types, reason = "a visited set of many; nothing here depends on its order")]

use std::collections::{BTreeSet, HashSet};
use std::time::Duration;

use sextant::linearizability::{CasRegister, Finding, Limits, check, verify};
use sextant_histories::{Call, Event, History, Kind, Reply, Value};
use sextant_model::area::Area;
use sextant_model::clients::calls::{Calls, Event as End, Op, Ret};
use sextant_model::clients::world::Bounds;
use sextant_model::clients::{Clients, MUTANTS};
use sextant_model::closed::Closed;
use sextant_model::rules::Rules;
use stateright::semantics::ConsistencyTester;

fn recorded(calls: &Calls) -> History {
    let value = |value: u8| Value::Int(value.into());
    let mut asked = [Call::Read, Call::Read];
    let events = calls.events().into_iter().map(|end| {
        let (client, kind) = match end {
            End::Invoke { client, op } => {
                asked[client] = match op {
                    Op::Read => Call::Read,
                    Op::Write(written) => Call::Write(value(written)),
                    Op::Swap { from, to } => Call::Cas { old: value(from), new: value(to) },
                };
                (client, Kind::Invoke)
            }
            End::Return { client, ret } => {
                let reply = match ret {
                    Ret::Value(seen) => Reply::Read(value(seen)),
                    Ret::Written => Reply::Written,
                    Ret::Swapped(true) => Reply::Swapped,
                    Ret::Swapped(false) => Reply::Differed,
                };
                (client, Kind::Ok(reply))
            }
        };
        Event { process: client as u64, kind, call: asked[client].clone(), key: "x".into(), time: None }
    });
    History::from_events(events.collect::<Vec<_>>()).expect("clients call one after another")
}

/// The histories in which everybody is answered, of every state that a breadth-first search meets.
fn complete_histories(model: &Closed<Clients>) -> BTreeSet<Calls> {
    let mut seen = HashSet::from([model.initial()]);
    let mut waiting = vec![model.initial()];
    let mut complete = BTreeSet::new();
    while let Some(state) = waiting.pop() {
        if state.calls.are_answered() && state.calls.all().next().is_some() {
            complete.insert(state.calls);
        }
        model.candidates(&state, |action| {
            if let Some(next) = model.next(&state, action)
                && seen.insert(next.clone())
            {
                waiting.push(next);
            }
        });
        assert!(seen.len() <= 400_000, "{}", model.bounds());
    }
    complete
}

/// How many are linearizable and how many are not, where both agree on each.
fn judged_twice(rules: Rules, bounds: Bounds) -> (usize, usize) {
    let model = Closed::<Clients>::new(rules, bounds);
    let register = CasRegister { initial: Value::Int(0) };
    // Verdicts are what counts here; cores have tests of their own.
    let limits = Limits { core: Duration::ZERO, ..Limits::default() };
    let (mut valid, mut invalid) = (0, 0);
    for calls in complete_histories(&model) {
        let history = recorded(&calls);
        let report = check(&history, &register, &limits);
        let is_valid = match &report.finding {
            Finding::Valid(linearizations) => {
                verify(&history, &register, linearizations).unwrap();
                true
            }
            Finding::Invalid(_) => false,
            Finding::Unknown(unknown) => panic!("{unknown}"),
        };
        assert_eq!(calls.tester().is_consistent(), is_valid, "{:?}", calls.events());
        *(if is_valid { &mut valid } else { &mut invalid }) += 1;
    }
    (valid, invalid)
}

#[test]
fn the_checker_agrees_on_every_complete_history_that_is_met() {
    let (valid, invalid) = judged_twice(Rules::adopted(), Bounds::of(1, 1, 0, 1));
    assert_eq!(invalid, 0, "under the adopted rules every history is linearizable");
    println!("adopted: {valid} histories");
    let (mut wrong, mut met) = (0, valid);
    for mutant in MUTANTS.iter().filter(|mutant| mutant.bounds == Bounds::of(1, 1, 0, 1)) {
        let (valid, invalid) = judged_twice(mutant.rules, mutant.bounds);
        println!("{}: {valid} linearizable, {invalid} not", mutant.id);
        assert!(invalid > 0, "{} lets a client see nothing wrong", mutant.id);
        (met, wrong) = (met + valid + invalid, wrong + invalid);
    }
    println!("{} {met} histories judged twice, {wrong} of them not linearizable", Clients::NAME);
}
