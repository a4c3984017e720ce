//! Session guarantees against their definition: every order of the writes, every set of visible ones.

use std::collections::BTreeMap;

use sextant_histories::generate::Rng;
use sextant_histories::{Call, Event, History, Key, Kind, Reply, Value};
use sextant_judge::consistency::{Finding, Options, Promise, check};

use crate::brute::any_order;
use crate::transactions::{show, verdict};

#[derive(Clone, Debug)]
struct Op {
    session: u64,
    key: Key,
    /// Of a write, which one; of a read, what it returned.
    write: Option<usize>,
    value: Value,
}

fn random(rng: &mut Rng) -> History {
    let count = 3 + rng.below(6);
    let mut events = Vec::new();
    let mut next = 1;
    let mut written: Vec<(Key, Value)> = Vec::new();
    for _ in 0..count {
        let process = rng.below(3) as u64;
        let key = Key::Int(rng.below(2) as i64);
        let (call, reply) = if rng.below(2) == 0 && next <= 4 {
            next += 1;
            written.push((key.clone(), Value::Int(next)));
            (Call::Write(Value::Int(next)), Reply::Written)
        } else {
            let of_key: Vec<&Value> =
                written.iter().filter(|(other, _)| *other == key).map(|(_, value)| value).collect();
            let value = match rng.below(of_key.len() + 1) {
                0 if rng.below(3) > 0 => of_key.last().map_or(Value::Null, |value| (*value).clone()),
                0 => Value::Null,
                place => of_key[place - 1].clone(),
            };
            (Call::Read, Reply::Read(value))
        };
        let event = |kind| Event { process, kind, call: call.clone(), key: key.clone(), time: None };
        events.extend([event(Kind::Invoke), event(Kind::Ok(reply))]);
    }
    History::from_events(events).unwrap()
}

fn operations(history: &History) -> Vec<Op> {
    let mut writes = 0;
    let operations = history.operations().iter().map(|operation| match (&operation.call, operation.reply()) {
        (Call::Write(value), _) => {
            writes += 1;
            let write = Some(writes - 1);
            Op { session: operation.process, key: operation.key.clone(), write, value: value.clone() }
        }
        (_, Some(Reply::Read(value))) => {
            Op { session: operation.process, key: operation.key.clone(), write: None, value: value.clone() }
        }
        other => unreachable!("{other:?}"),
    });
    operations.collect()
}

/// The definitions of `sessions.rs`, by trying every order of writes and, for each read, every set of writes.
fn satisfies(ops: &[Op], promise: Promise) -> bool {
    let writes: Vec<&Op> = ops.iter().filter(|op| op.write.is_some()).collect();
    any_order(writes.len(), &mut |order| {
        let mut rank = vec![0; writes.len()];
        order.iter().enumerate().for_each(|(place, write)| rank[*write] = place);
        assign(ops, &writes, &rank, promise, 0, &mut BTreeMap::new())
    })
}

/// Chooses what each read sees, in the order of the history, and checks all conditions when all is chosen.
fn assign(
    ops: &[Op],
    writes: &[&Op],
    rank: &[usize],
    promise: Promise,
    place: usize,
    seen: &mut BTreeMap<usize, u32>,
) -> bool {
    let Some(op) = ops.get(place) else {
        return holds(ops, rank, promise, seen);
    };
    if op.write.is_some() {
        return assign(ops, writes, rank, promise, place + 1, seen);
    }
    for set in 0..1_u32 << writes.len() {
        let visible = writes.iter().filter(|write| set >> write.write.unwrap() & 1 == 1 && write.key == op.key);
        let last = visible.max_by_key(|write| rank[write.write.unwrap()]);
        if last.map_or(Value::Null, |write| write.value.clone()) != op.value {
            continue;
        }
        seen.insert(place, set);
        if assign(ops, writes, rank, promise, place + 1, seen) {
            return true;
        }
        seen.remove(&place);
    }
    false
}

fn holds(ops: &[Op], rank: &[usize], promise: Promise, seen: &BTreeMap<usize, u32>) -> bool {
    let all = promise == Promise::Session;
    let before = |one: usize, other: usize| one < other && ops[one].session == ops[other].session;
    let bit = |write: usize| 1_u32 << write;
    let monotonic =
        || seen.iter().all(|(read, set)| seen.iter().all(|(later, more)| !before(*read, *later) || set & !more == 0));
    let pairs = |premise: &dyn Fn(usize, usize) -> bool| {
        (0..ops.len()).all(|one| {
            (0..ops.len()).all(|other| {
                let (Some(first), Some(second)) = (ops[one].write, ops[other].write) else { return true };
                let shown = seen.values().all(|set| set & bit(second) == 0 || set & bit(first) != 0);
                !premise(one, other) || rank[first] < rank[second] && shown
            })
        })
    };
    let own = || {
        seen.iter().all(|(read, set)| {
            (0..*read).all(|place| !before(place, *read) || ops[place].write.is_none_or(|write| set & bit(write) != 0))
        })
    };
    let follow = |one: usize, other: usize| {
        let write = ops[one].write.map_or(0, bit);
        seen.iter().any(|(read, set)| before(*read, other) && set & write != 0)
    };
    (!(all || promise == Promise::ReadYourWrites) || own())
        && (promise == Promise::ReadYourWrites || monotonic())
        && (!(all || promise == Promise::MonotonicWrites) || pairs(&before))
        && (!(all || promise == Promise::WritesFollowReads) || pairs(&follow))
}

#[test]
fn agree_with_all_orders_and_all_visible_sets() {
    let mut rng = Rng::new(9);
    let mut seen: BTreeMap<(Promise, bool), usize> = BTreeMap::new();
    for round in 0..6_000 {
        let history = random(&mut rng);
        let ops = operations(&history);
        if ops.iter().filter(|op| op.write.is_none()).count() > 5 {
            continue;
        }
        let promises = [
            Promise::ReadYourWrites,
            Promise::MonotonicReads,
            Promise::MonotonicWrites,
            Promise::WritesFollowReads,
            Promise::Session,
        ];
        for promise in promises {
            let ours = verdict(&history, promise);
            assert_eq!(ours, satisfies(&ops, promise), "{promise}, round {round}:\n{}", show(&history));
            *seen.entry((promise, ours)).or_default() += 1;
        }
    }
    println!("{seen:?}");
    assert!(seen.len() == 10 && seen.values().all(|count| *count > 20), "{seen:?}");
}

fn history(lines: &[(u64, &str, i64, Option<i64>)]) -> History {
    let events = lines.iter().flat_map(|(process, key, value, read)| {
        let (call, reply) = match read {
            None => (Call::Write(Value::Int(*value)), Reply::Written),
            Some(_) if *value == 0 => (Call::Read, Reply::Read(Value::Null)),
            Some(_) => (Call::Read, Reply::Read(Value::Int(*value))),
        };
        let event = move |kind| Event { process: *process, kind, call: call.clone(), key: (*key).into(), time: None };
        [event(Kind::Invoke), event(Kind::Ok(reply))]
    });
    History::from_events(events).unwrap()
}

/// One example of each, which breaks that guarantee and none that does not contain it.
#[test]
fn each_guarantee_has_its_example() {
    const READ: Option<i64> = Some(0);
    let examples = [
        (Promise::ReadYourWrites, "not-my-write", vec![(0, "x", 1, None), (0, "x", 0, READ)]),
        (Promise::MonotonicReads, "non-monotonic-reads", vec![(0, "x", 1, None), (1, "x", 1, READ), (1, "x", 0, READ)]),
        (
            Promise::MonotonicWrites,
            "non-monotonic-writes",
            vec![(0, "x", 1, None), (0, "y", 2, None), (1, "y", 2, READ), (1, "x", 0, READ)],
        ),
        (
            Promise::WritesFollowReads,
            "writes-without-reads",
            vec![(0, "x", 1, None), (1, "x", 1, READ), (1, "y", 2, None), (2, "y", 2, READ), (2, "x", 0, READ)],
        ),
    ];
    for (promise, name, lines) in examples {
        let history = history(&lines);
        let report = check(&history, promise, &Options::default());
        let Finding::Invalid(violations) = &report.finding else { panic!("{promise}: {:?}", report.finding) };
        assert_eq!(violations[0].anomaly.name(), name);
        println!("{violations:?}");
        assert!(!verdict(&history, Promise::Session), "{promise} is one of the four");
        for other in
            [Promise::ReadYourWrites, Promise::MonotonicReads, Promise::MonotonicWrites, Promise::WritesFollowReads]
        {
            assert_eq!(verdict(&history, other), !other.implies(promise), "{other} on the example of {promise}");
        }
    }
}
