//! Transactions by cycles against all orders.

use std::collections::BTreeMap;

use sextant_histories::History;
use sextant_histories::generate::Rng;
use sextant_judge::consistency::{Finding, Options, Promise, Violation, check};

use crate::brute::{Keep, read_committed_by_adya, serializable, snapshot_isolated};
use crate::random::{Shape, history};

/// Holds a violation against itself, and returns whether the history is valid.
pub fn verdict(history: &History, promise: Promise) -> bool {
    let report = check(history, promise, &Options::default());
    match &report.finding {
        Finding::Valid(_) => true,
        Finding::Invalid(violations) => {
            assert!(!violations.is_empty());
            violations.iter().for_each(|violation| is_sound(history, violation));
            false
        }
        Finding::Unknown(unknown) => panic!("{promise}: {unknown}\n{}", show(history)),
    }
}

fn is_sound(history: &History, violation: &Violation) {
    assert!(!violation.operations.is_empty(), "{violation:?}");
    assert!(violation.operations.iter().all(|operation| *operation < history.operations().len()));
    assert!(!violation.sentences.is_empty() && violation.sentences.iter().all(|sentence| !sentence.contains('?')));
}

pub fn show(history: &History) -> String {
    let lines: Vec<String> = history.to_events().iter().filter_map(sextant_histories::Event::to_line).collect();
    lines.join("\n")
}

fn compare(lists: bool, rounds: u64, seed: u64) {
    let mut tally: BTreeMap<(Promise, bool), usize> = BTreeMap::new();
    let mut names: BTreeMap<&str, usize> = BTreeMap::new();
    let mut rng = Rng::new(seed);
    for round in 0..rounds {
        let shape = Shape {
            transactions: 2 + (round % 4) as usize,
            sessions: 1 + rng.below(4),
            keys: 1 + rng.below(3),
            steps: 1 + rng.below(4),
            lists,
            once: rng.below(2) == 0,
            failed: 4,
            lost: 8,
        };
        let history = history(&mut rng, &shape);
        if history.operations().iter().all(|operation| operation.reply().is_none()) {
            continue;
        }
        let promises = [
            (Promise::Serializable, serializable(&history, lists, Keep::Nothing)),
            (Promise::RepeatableRead, serializable(&history, lists, Keep::Nothing)),
            (Promise::SessionSerializable, serializable(&history, lists, Keep::Sessions)),
            (Promise::StrictSerializable, serializable(&history, lists, Keep::RealTime)),
            (Promise::SnapshotIsolation, snapshot_isolated(&history, lists, Keep::Nothing)),
            (Promise::SessionSnapshotIsolation, snapshot_isolated(&history, lists, Keep::Sessions)),
            (Promise::StrongSnapshotIsolation, snapshot_isolated(&history, lists, Keep::RealTime)),
        ];
        for (promise, expected) in promises {
            let ours = verdict(&history, promise);
            assert_eq!(ours, expected, "{promise}, round {round}:\n{}", show(&history));
            *tally.entry((promise, ours)).or_default() += 1;
            let report = check(&history, promise, &Options::default());
            report.violations().iter().for_each(|violation| *names.entry(violation.anomaly.name()).or_default() += 1);
        }
        if shape.once {
            let ours = verdict(&history, Promise::Pl2);
            assert_eq!(ours, read_committed_by_adya(&history, lists), "PL-2, round {round}:\n{}", show(&history));
            *tally.entry((Promise::Pl2, ours)).or_default() += 1;
        }
    }
    println!("{tally:?}\n{names:?}");
    for promise in [Promise::Serializable, Promise::StrictSerializable, Promise::SnapshotIsolation, Promise::Pl2] {
        for verdict in [true, false] {
            let count = tally.get(&(promise, verdict)).copied().unwrap_or(0);
            assert!(count > rounds as usize / 400, "{promise} {verdict}: only {count}");
        }
    }
}

#[test]
fn lists_agree_with_all_orders() {
    compare(true, 12_000, 1);
}

#[test]
fn registers_agree_with_all_orders() {
    compare(false, 12_000, 2);
}

/// What implies what, on the same histories.
#[test]
fn stronger_promises_break_first() {
    let mut rng = Rng::new(3);
    for round in 0..3_000 {
        let shape = Shape {
            transactions: 2 + round % 5,
            sessions: 3,
            keys: 2,
            steps: 3,
            lists: round % 2 == 0,
            once: false,
            failed: 5,
            lost: 5,
        };
        let history = history(&mut rng, &shape);
        if history.operations().iter().all(|operation| operation.reply().is_none()) {
            continue;
        }
        let judged =
            Promise::ALL.into_iter().filter(|promise| promise.judge() == sextant_judge::consistency::Judge::Cycles);
        let verdicts: Vec<(Promise, bool)> = judged
            .filter(|promise| *promise != Promise::ConsistentView)
            .map(|promise| (promise, verdict(&history, promise)))
            .collect();
        for (strong, holds) in &verdicts {
            for (weak, weak_holds) in &verdicts {
                assert!(
                    !strong.implies(*weak) || !holds || *weak_holds,
                    "{strong} but not {weak}:\n{}",
                    show(&history)
                );
            }
        }
    }
}
