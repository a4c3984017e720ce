//! Adya's levels by their definition: every order of the versions of every key, and in each the direct serialization graph,
//! whose cycles are looked for by walking.

use std::collections::{BTreeMap, HashMap};

use sextant_histories::generate::Rng;
use sextant_histories::{History, Key, MicroKind, Value};
use sextant_judge::consistency::{Options, Promise, check};
use sextant_judge::verdict::Verdict;

use crate::brute::{Txn, any_order, transactions};
use crate::random::{Shape, history};
use crate::transactions::show;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Edge {
    Ww,
    Wr,
    Rw,
}

/// Of each key its versions in some order, each with its writer.
type Orders = BTreeMap<Key, Vec<(usize, Value)>>;

/// What each transaction read of each key: after how many versions of its order, or nothing that fits.
fn place(order: &[(usize, Value)], seen: &Value, lists: bool) -> Option<usize> {
    match seen {
        Value::Null => Some(0),
        Value::List(list) if lists => {
            let fits = list.len() <= order.len() && list.iter().zip(order).all(|(one, (_, other))| one == other);
            fits.then_some(list.len())
        }
        seen => order.iter().position(|(_, value)| value == seen).map(|place| place + 1),
    }
}

/// The edges of the graph; none if some read does not fit to the orders.
fn edges(txns: &[Txn], orders: &Orders, lists: bool) -> Option<Vec<(usize, usize, Edge)>> {
    let mut edges = Vec::new();
    for order in orders.values() {
        edges.extend(order.windows(2).map(|pair| (pair[0].0, pair[1].0, Edge::Ww)));
    }
    for (reader, txn) in txns.iter().enumerate() {
        for read in txn.steps.iter().filter(|step| step.kind == MicroKind::Read) {
            let none = Vec::new();
            let order = orders.get(&read.key).unwrap_or(&none);
            let place = place(order, &read.value, lists)?;
            if let Some(before) = place.checked_sub(1) {
                edges.push((order[before].0, reader, Edge::Wr));
            }
            if let Some((writer, _)) = order.get(place) {
                edges.push((reader, *writer, Edge::Rw));
            }
        }
    }
    edges.retain(|(from, to, _)| from != to);
    Some(edges)
}

/// Whether a walk along allowed edges leads from the end of some edge back to its start.
fn cycle(edges: &[(usize, usize, Edge)], first: &[Edge], rest: &[Edge], count: usize) -> bool {
    edges.iter().filter(|(_, _, kind)| first.contains(kind)).any(|(goal, start, _)| {
        let mut reached = vec![false; count];
        let mut stack = vec![*start];
        while let Some(node) = stack.pop() {
            if !std::mem::replace(&mut reached[node], true) {
                let out = edges.iter().filter(|(from, _, kind)| *from == node && rest.contains(kind));
                stack.extend(out.map(|(_, to, _)| *to));
            }
        }
        reached[*goal]
    })
}

/// Whether some orders of the versions leave none of the cycles that the level rules out.
fn allows(history: &History, promise: Promise, lists: bool) -> bool {
    use Edge::{Rw, Wr, Ww};
    let txns = transactions(history);
    let mut writes: Vec<(Key, Vec<(usize, Value)>)> = Vec::new();
    for (writer, txn) in txns.iter().enumerate() {
        for write in txn.steps.iter().filter(|step| step.kind != MicroKind::Read) {
            let entry = (writer, write.value.clone());
            match writes.iter_mut().find(|(key, _)| *key == write.key) {
                Some((_, of_key)) => of_key.push(entry),
                None => writes.push((write.key.clone(), vec![entry])),
            }
        }
    }
    fn choose(
        left: &[(Key, Vec<(usize, Value)>)],
        orders: &mut Orders,
        accept: &mut dyn FnMut(&Orders) -> bool,
    ) -> bool {
        let Some(((key, of_key), rest)) = left.split_first() else { return accept(orders) };
        any_order(of_key.len(), &mut |order| {
            orders.insert(key.clone(), order.iter().map(|place| of_key[*place].clone()).collect());
            choose(rest, orders, accept)
        })
    }
    choose(&writes, &mut BTreeMap::new(), &mut |orders| {
        let Some(edges) = edges(&txns, orders, lists) else { return false };
        let broken = match promise {
            Promise::ReadUncommitted => cycle(&edges, &[Ww], &[Ww], txns.len()),
            Promise::Pl2 => cycle(&edges, &[Ww, Wr], &[Ww, Wr], txns.len()),
            Promise::ConsistentView => cycle(&edges, &[Ww, Wr, Rw], &[Ww, Wr], txns.len()),
            _ => cycle(&edges, &[Ww, Wr, Rw], &[Ww, Wr, Rw], txns.len()),
        };
        !broken
    })
}

/// Transactions touch a key once and all commit, so that G1a, G1b and transactions that contradict themselves do not arise;
/// a read that fits to no order at all is a matter of other tests.
fn compare(lists: bool, seed: u64) -> HashMap<(Promise, Verdict), usize> {
    let mut rng = Rng::new(seed);
    let mut tally = HashMap::new();
    for round in 0..8_000 {
        let keys = 1 + rng.below(3);
        let sessions = 1 + rng.below(4);
        let shape =
            Shape { transactions: 2 + round % 4, sessions, keys, steps: 3, lists, once: true, failed: 0, lost: 0 };
        let history = history(&mut rng, &shape);
        for promise in [Promise::ReadUncommitted, Promise::Pl2, Promise::ConsistentView, Promise::RepeatableRead] {
            let report = check(&history, promise, &Options::default());
            let odd = ["thin-air-read", "incompatible-order", "duplicate-elements", "future-read", "cyclic-versions"];
            if report.violations().iter().any(|violation| odd.contains(&violation.anomaly.name())) {
                continue;
            }
            let verdict = report.verdict();
            *tally.entry((promise, verdict)).or_default() += 1;
            // Lists whose reads do not fit together are beyond this definition, whether or not the level minds.
            let fits = !lists
                || check(&history, Promise::Pl2, &Options::default())
                    .violations()
                    .iter()
                    .all(|violation| !odd.contains(&violation.anomaly.name()));
            if verdict != Verdict::Unknown && fits {
                let expected = allows(&history, promise, lists);
                assert_eq!(verdict == Verdict::Valid, expected, "{promise}, round {round}:\n{}", show(&history));
            }
        }
    }
    println!("{tally:?}");
    tally
}

#[test]
fn lists_agree_with_all_version_orders() {
    let tally = compare(true, 11);
    only_consistent_view_is_unknown(&tally);
    assert!(tally[&(Promise::ConsistentView, Verdict::Invalid)] > 100);
    assert!(tally[&(Promise::ReadUncommitted, Verdict::Valid)] > 1_000);
}

/// Where an order of versions without G-single would have to be searched for.
fn only_consistent_view_is_unknown(tally: &HashMap<(Promise, Verdict), usize>) {
    let unknown = tally.iter().filter(|((_, verdict), _)| *verdict == Verdict::Unknown);
    let few = unknown.into_iter().all(|((promise, _), count)| *promise == Promise::ConsistentView && *count < 100);
    assert!(few, "{tally:?}");
}

#[test]
fn registers_agree_with_all_version_orders() {
    let tally = compare(false, 12);
    only_consistent_view_is_unknown(&tally);
    assert!(tally[&(Promise::ConsistentView, Verdict::Valid)] > 1_000);
    assert!(tally[&(Promise::RepeatableRead, Verdict::Invalid)] > 100);
}
