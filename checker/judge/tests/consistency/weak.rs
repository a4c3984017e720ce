//! Read committed, read atomic and causal consistency against all commit orders.

use std::collections::{BTreeMap, BTreeSet};

use sextant_histories::generate::Rng;
use sextant_histories::{History, Key, MicroKind, Outcome, Value};
use sextant_judge::consistency::Promise;

use crate::brute::{Txn, any_order, transactions, worlds};
use crate::random::{Shape, history};
use crate::transactions::{show, verdict};

/// An event that reads: of which key, from whom; `None` is the initial transaction.
struct Read {
    place: usize,
    key: Key,
    from: Option<usize>,
}

/// The axioms, word for word (Biswas and Enea 2019, Figure 3), over every total order of the transactions.
fn satisfies(world: &[Txn], promise: Promise) -> bool {
    let Some(reads) =
        world.iter().enumerate().map(|(number, txn)| reads(world, number, txn)).collect::<Option<Vec<_>>>()
    else {
        return false;
    };
    let writes = |number: usize, key: &Key| {
        world[number].steps.iter().any(|step| step.kind != MicroKind::Read && step.key == *key)
    };
    let so = |one: usize, other: usize| {
        world[one].session == world[other].session && world[one].invoked < world[other].invoked
    };
    let wr = |one: usize, other: usize| reads[other].iter().any(|read| read.from == Some(one));
    let count = world.len();
    let mut before = vec![vec![false; count]; count];
    for (one, row) in before.iter_mut().enumerate() {
        for (other, cell) in row.iter_mut().enumerate() {
            *cell = so(one, other) || wr(one, other);
        }
    }
    let direct = before.clone();
    for middle in 0..count {
        for one in 0..count {
            for other in 0..count {
                before[one][other] |= before[one][middle] && before[middle][other];
            }
        }
    }
    any_order(count, &mut |order| {
        let rank = |number: usize| order.iter().position(|other| *other == number).map_or(0, |rank| rank + 1);
        let co = |one: Option<usize>, other: Option<usize>| one.map_or(0, rank) < other.map_or(0, rank);
        let contains = (0..count).all(|one| (0..count).all(|other| !direct[one][other] || co(Some(one), Some(other))));
        contains
            && (0..count).all(|t3| {
                reads[t3].iter().all(|read| {
                    (0..count).all(|t2| {
                        let premise = match promise {
                            Promise::ReadCommitted => {
                                reads[t3].iter().any(|earlier| earlier.from == Some(t2) && earlier.place < read.place)
                            }
                            Promise::ReadAtomic => direct[t2][t3],
                            _ => before[t2][t3],
                        };
                        read.from == Some(t2) || !writes(t2, &read.key) || !premise || co(Some(t2), read.from)
                    })
                })
            })
    })
}

/// Who each external read reads from; none if a read is of nothing that was left by a transaction.
fn reads(world: &[Txn], number: usize, txn: &Txn) -> Option<Vec<Read>> {
    let mut own: BTreeMap<Key, Value> = BTreeMap::new();
    let mut reads = Vec::new();
    for (place, step) in txn.steps.iter().enumerate() {
        if step.kind != MicroKind::Read {
            own.insert(step.key.clone(), step.value.clone());
        } else if !txn.known {
        } else if let Some(written) = own.get(&step.key) {
            if *written != step.value {
                return None;
            }
        } else if step.value == Value::Null {
            reads.push(Read { place, key: step.key.clone(), from: None });
        } else {
            let from = (0..world.len()).find(|other| {
                let mut writes = world[*other].steps.iter().rev();
                let last = writes.find(|write| write.kind != MicroKind::Read && write.key == step.key);
                last.is_some_and(|last| last.value == step.value)
            });
            from.filter(|from| *from != number)?;
            reads.push(Read { place, key: step.key.clone(), from });
        }
    }
    Some(reads)
}

fn by_definition(history: &History, promise: Promise) -> bool {
    worlds(&transactions(history)).iter().any(|world| satisfies(world, promise))
}

#[test]
fn registers_agree_with_all_commit_orders() {
    let mut rng = Rng::new(4);
    let mut seen: BTreeMap<(Promise, bool), usize> = BTreeMap::new();
    let mut strongest: BTreeSet<Vec<bool>> = BTreeSet::new();
    for round in 0..15_000 {
        let shape = Shape {
            transactions: 2 + round % 4,
            sessions: 1 + rng.below(4),
            keys: 1 + rng.below(3),
            steps: 1 + rng.below(5),
            lists: false,
            once: false,
            failed: 3,
            lost: 6,
        };
        let history = history(&mut rng, &shape);
        if history.operations().iter().all(|operation| !matches!(operation.outcome, Outcome::Ok(_))) {
            continue;
        }
        let mut row = Vec::new();
        for promise in [Promise::ReadCommitted, Promise::ReadAtomic, Promise::Causal] {
            let ours = verdict(&history, promise);
            assert_eq!(ours, by_definition(&history, promise), "{promise}, round {round}:\n{}", show(&history));
            *seen.entry((promise, ours)).or_default() += 1;
            row.push(ours);
        }
        strongest.insert(row);
    }
    println!("{seen:?}");
    assert!(seen.values().all(|count| *count > 500), "{seen:?}");
    assert_eq!(strongest.len(), 4, "each of none, RC, RA and CC is some history's strongest: {strongest:?}");
}

/// On lists, too, each implies the next weaker, and session snapshot isolation implies them all.
#[test]
fn lists_keep_the_hierarchy() {
    let mut rng = Rng::new(5);
    let mut seen: BTreeMap<(Promise, bool), usize> = BTreeMap::new();
    for round in 0..6_000 {
        let shape = Shape {
            transactions: 2 + round % 4,
            sessions: 1 + rng.below(4),
            keys: 2,
            steps: 1 + rng.below(4),
            lists: true,
            once: false,
            failed: 3,
            lost: 6,
        };
        let history = history(&mut rng, &shape);
        if history.operations().iter().all(|operation| !matches!(operation.outcome, Outcome::Ok(_))) {
            continue;
        }
        let promises = [
            Promise::SessionSnapshotIsolation,
            Promise::Causal,
            Promise::ReadAtomic,
            Promise::ReadCommitted,
            Promise::Pl2,
        ];
        let verdicts = promises.map(|promise| verdict(&history, promise));
        for (place, pair) in verdicts.windows(2).enumerate() {
            assert!(!pair[0] || pair[1], "{} but not {}:\n{}", promises[place], promises[place + 1], show(&history));
        }
        for (promise, verdict) in promises.into_iter().zip(verdicts) {
            *seen.entry((promise, verdict)).or_default() += 1;
        }
    }
    assert!(seen.values().all(|count| *count > 100), "{seen:?}");
}
