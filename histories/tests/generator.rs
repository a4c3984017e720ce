//! The generator keeps its promises: valid form, exact counts, the same bytes for the same seed.
//! Whether the verdicts are right is tested where the checkers are.

use sextant_histories::generate::{Config, Values, Violation, generate};
use sextant_histories::{Call, Event, History, Outcome};

fn lines(events: &[Event]) -> String {
    events.iter().map(|event| event.to_line().unwrap() + "\n").collect()
}

fn config(seed: u64) -> Config {
    Config {
        seed,
        operations: 200,
        keys: 3,
        cas_percent: 20,
        write_percent: 30,
        indeterminate: 7,
        fail_percent: 10,
        values: if seed.is_multiple_of(2) { Values::Unique } else { Values::Few(3) },
        ..Config::default()
    }
}

#[test]
fn every_history_is_well_formed_and_of_the_size_asked_for() {
    for seed in 0..50 {
        let history = History::from_events(generate(&config(seed))).unwrap();
        assert_eq!(history.operations().len(), 200);
        let count = |outcome: fn(&Outcome) -> bool| {
            history.operations().iter().filter(|operation| outcome(&operation.outcome)).count()
        };
        assert_eq!(count(|outcome| *outcome == Outcome::Indeterminate), 7);
        assert!(count(|outcome| *outcome == Outcome::Fail) > 0);
        let keys: std::collections::BTreeSet<_> = history.operations().iter().map(|operation| &operation.key).collect();
        assert_eq!(keys.len(), 3);
    }
}

#[test]
fn the_same_seed_gives_the_same_bytes_and_another_one_others() {
    let once = lines(&generate(&config(5)));
    assert_eq!(once, lines(&generate(&config(5))));
    assert_ne!(once, lines(&generate(&config(7))));
}

#[test]
fn unique_values_are_written_once() {
    let history = History::from_events(generate(&config(4))).unwrap();
    let mut written: Vec<_> = history
        .operations()
        .iter()
        .filter_map(|operation| match &operation.call {
            Call::Write(value) | Call::Cas { new: value, .. } => Some(value),
            _ => None,
        })
        .collect();
    let count = written.len();
    written.sort();
    written.dedup();
    assert_eq!(written.len(), count);
}

#[test]
fn violations_are_scripted_whole_and_well_formed() {
    for violation in Violation::ALL {
        for operations in [0, 1, 50] {
            let violated = Config { operations, violation: Some(violation), ..Config::default() };
            let history = History::from_events(generate(&violated)).unwrap();
            assert!(history.operations().len() > operations, "{}", violation.name());
        }
    }
}

#[test]
fn nobody_to_act_is_no_history() {
    let idle = Config { clients: 0, ..Config::default() };
    assert!(generate(&idle).is_empty());
}
