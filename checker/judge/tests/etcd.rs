//! The etcd model against a second one that works the other way round: it computes the answer and compares it, and tries
//! every order.

use std::collections::BTreeMap;

use sextant_histories::generate::Rng;
use sextant_histories::{Call, History, Key, Moment, Operation, Outcome, Reply, Value};
use sextant_judge::linearizability::{Etcd, Finding, Limits, check, verify};
use sextant_judge::verdict::Verdict;

/// Key to value, revision and lease; the leases; the revision.
#[derive(Clone, Debug)]
struct Naive {
    keys: BTreeMap<String, (Value, i64, i64)>,
    leases: Vec<i64>,
    revision: i64,
}

impl Naive {
    fn new() -> Self {
        Self { keys: BTreeMap::new(), leases: Vec::new(), revision: 1 }
    }

    fn range(&self, start: &str, end: &str, limit: i64) -> (Value, Value) {
        let inside = |key: &str| if end.is_empty() { key == start } else { key >= start && key < end };
        let all: Vec<Value> = self
            .keys
            .iter()
            .filter(|(key, _)| inside(key))
            .map(|(key, (value, revision, _))| list(vec![text(key), value.clone(), int(*revision)]))
            .collect();
        let count = int(all.len() as i64);
        let shown = if limit > 0 { all.into_iter().take(limit as usize).collect() } else { all };
        (list(shown), count)
    }

    /// Carries out the call and answers it.
    fn answer(&mut self, call: &Call) -> Value {
        let Call::Other(name, argument) = call else { panic!("{call}") };
        match &**name {
            "etcd-range" => {
                let parts = parts(argument);
                let (kvs, count) = self.range(str(&parts[0]), str(&parts[1]), number(&parts[2]));
                list(vec![int(self.revision), kvs, count])
            }
            "etcd-lease-grant" => {
                self.leases.push(number(argument));
                list(vec![int(self.revision)])
            }
            "etcd-lease-revoke" => {
                let lease = number(argument);
                let known = self.leases.contains(&lease);
                self.leases.retain(|other| *other != lease);
                let before = self.keys.len();
                self.keys.retain(|_, (_, _, own)| !known || *own != lease);
                self.revision += i64::from(self.keys.len() < before);
                list(vec![int(self.revision)])
            }
            "etcd-txn" => self.txn(argument),
            other => panic!("{other}"),
        }
    }

    fn txn(&mut self, argument: &Value) -> Value {
        let [conditions, success, failure] = parts(argument) else { panic!("{argument}") };
        let failed = parts(conditions).iter().any(|condition| {
            let revision = self.keys.get(str(&parts(condition)[0])).map_or(0, |(_, revision, _)| *revision);
            revision != number(&parts(condition)[1])
        });
        let mut results = Vec::new();
        let mut changed = false;
        for step in parts(if failed { failure } else { success }) {
            let step = parts(step);
            let (mut kvs, mut count, mut deleted) = (list(vec![]), int(0), 0);
            match str(&step[0]) {
                "range" => (kvs, count) = self.range(str(&step[1]), str(&step[2]), number(&step[3])),
                "put" => {
                    let lease = number(&step[3]);
                    if lease == 0 || self.leases.contains(&lease) {
                        self.keys.insert(str(&step[1]).to_owned(), (step[2].clone(), self.revision + 1, lease));
                        changed = true;
                    }
                }
                _ => {
                    deleted = i64::from(self.keys.remove(str(&step[1])).is_some());
                    changed |= deleted == 1;
                }
            }
            results.push(list(vec![kvs, count, int(deleted)]));
        }
        self.revision += i64::from(changed);
        list(vec![int(self.revision), failed.into(), list(results)])
    }
}

fn list(values: Vec<Value>) -> Value {
    values.into_iter().collect()
}

fn int(value: i64) -> Value {
    Value::Int(value)
}

fn text(value: &str) -> Value {
    value.into()
}

fn parts(value: &Value) -> &[Value] {
    match value {
        Value::List(values) => values,
        other => panic!("{other} is no list"),
    }
}

fn str(value: &Value) -> &str {
    match value {
        Value::Str(text) => text,
        other => panic!("{other} is no string"),
    }
}

fn number(value: &Value) -> i64 {
    match value {
        Value::Int(value) => *value,
        other => panic!("{other} is no integer"),
    }
}

/// Every order of the operations, with or without the indeterminate ones.
fn brute_force(operations: &[Operation], done: &mut Vec<bool>, store: &Naive) -> bool {
    let open = |number: &usize| !done[*number] && operations[*number].outcome != Outcome::Fail;
    let left: Vec<usize> = (0..operations.len()).filter(open).collect();
    if left.iter().all(|number| operations[*number].outcome == Outcome::Indeterminate) {
        return true;
    }
    let first_return = left.iter().filter_map(|number| operations[*number].returned()).min().unwrap_or(usize::MAX);
    for number in left {
        let operation = &operations[number];
        if operation.invoked.index > first_return {
            continue;
        }
        let mut next = store.clone();
        let answer = next.answer(&operation.call);
        let possible = match operation.reply() {
            None => true,
            Some(Reply::Returned(claimed)) if parts(claimed).len() == 1 => parts(claimed)[0] == parts(&answer)[0],
            Some(reply) => *reply == Reply::Returned(answer),
        };
        if possible {
            done[number] = true;
            if brute_force(operations, done, &next) {
                return true;
            }
            done[number] = false;
        }
    }
    false
}

fn call(rng: &mut Rng, number: usize, store: &Naive) -> Call {
    let key = |rng: &mut Rng| text(["a", "b", "c"][rng.below(3)]);
    let other = |name: &str, value| Call::Other(name.into(), value);
    match rng.below(10) {
        0 | 1 => {
            let (start, end) = [("a", ""), ("a", "d"), ("b", "d")][rng.below(3)];
            other("etcd-range", list(vec![text(start), text(end), int(rng.below(3) as i64), int(0)]))
        }
        2 => other("etcd-lease-grant", int(1 + rng.below(2) as i64)),
        3 => other("etcd-lease-revoke", int(1 + rng.below(2) as i64)),
        _ => {
            let own = key(rng);
            let revision = store.keys.get(str(&own)).map_or(0, |(_, revision, _)| *revision);
            let guess = if rng.percent(70) { revision } else { rng.below(4) as i64 };
            let conditions = if rng.percent(70) { vec![list(vec![own.clone(), int(guess)])] } else { vec![] };
            // Sometimes a value that is written twice.
            let value = text(&if rng.percent(80) { format!("v{number}") } else { "again".into() });
            let put = list(vec![text("put"), own.clone(), value, int([0, 0, 1][rng.below(3)])]);
            let delete = list(vec![text("delete"), key(rng)]);
            let range = list(vec![text("range"), own, text(""), int(0)]);
            let success = [vec![put.clone()], vec![delete.clone()], vec![put, delete], vec![range.clone()]];
            let failure = if rng.percent(50) { vec![range] } else { vec![] };
            other("etcd-txn", list(vec![list(conditions), list(success[rng.below(4)].clone()), list(failure)]))
        }
    }
}

/// A linearizable history: each operation takes effect in turn, and overlaps those around it.
fn history(rng: &mut Rng) -> Vec<Operation> {
    let count = 2 + rng.below(6);
    let mut store = Naive::new();
    let mut operations = Vec::new();
    let mut ends: Vec<(usize, bool, usize)> = Vec::new();
    for number in 0..count {
        let call = call(rng, number, &store);
        let unsure = rng.percent(25);
        let outcome = if unsure {
            if rng.percent(60) {
                store.answer(&call);
            }
            Outcome::Indeterminate
        } else {
            let answer = store.answer(&call);
            let short = rng.percent(10);
            Outcome::Ok(Reply::Returned(if short { list(vec![parts(&answer)[0].clone()]) } else { answer }))
        };
        let at = 100 * number;
        ends.push((at.saturating_sub(rng.below(250)), false, number));
        if !unsure {
            ends.push((at + 1 + rng.below(250), true, number));
        }
        let invoked = Moment { index: 0, time: None };
        operations.push(Operation { process: number as u64, key: Key::None, call, outcome, invoked, completed: None });
    }
    ends.sort_unstable();
    for (index, (_, returns, number)) in ends.into_iter().enumerate() {
        let moment = Moment { index, time: None };
        if returns { operations[number].completed = Some(moment) } else { operations[number].invoked = moment }
    }
    operations.sort_by_key(|operation| operation.invoked.index);
    operations
}

/// One number somewhere in one answer becomes another, or its claim to have failed its opposite.
fn damage(operations: &mut [Operation], rng: &mut Rng) {
    let number = rng.below(operations.len());
    if let Outcome::Ok(Reply::Returned(answer)) = &operations[number].outcome {
        let damaged = damaged(answer, rng);
        operations[number].outcome = Outcome::Ok(Reply::Returned(damaged));
    }
}

fn damaged(value: &Value, rng: &mut Rng) -> Value {
    match value {
        Value::List(values) if !values.is_empty() => {
            let place = rng.below(values.len());
            let values = values.iter().enumerate();
            values.map(|(number, value)| if number == place { damaged(value, rng) } else { value.clone() }).collect()
        }
        Value::Int(value) => Value::Int((value + [-1, 1][rng.below(2)]).max(0)),
        Value::Bool(value) => Value::Bool(!value),
        Value::Str(_) => text("other"),
        other => other.clone(),
    }
}

#[test]
fn the_model_agrees_with_every_order_of_a_second_one() {
    let (mut valid, mut invalid) = (0, 0);
    for seed in 0..6000 {
        let mut rng = Rng::new(seed);
        let mut operations = history(&mut rng);
        if rng.percent(60) {
            damage(&mut operations, &mut rng);
        }
        let expected = brute_force(&operations, &mut vec![false; operations.len()], &Naive::new());
        let history = History::from_operations(operations, 32);
        if history.operations().iter().all(|operation| operation.reply().is_none()) {
            continue;
        }
        for model in [Etcd::default(), Etcd::for_history(&history)] {
            let report = check(&history, &model, &Limits::default());
            let verdict = if expected { Verdict::Valid } else { Verdict::Invalid };
            assert_eq!(report.verdict(), verdict, "seed {seed}: {:?}\n{:#?}", report.reason(), history.operations());
            if let Finding::Valid(linearizations) = &report.finding {
                verify(&history, &Etcd::default(), linearizations).unwrap();
            }
        }
        if expected { valid += 1 } else { invalid += 1 }
    }
    assert!(valid > 2000 && invalid > 1000, "{valid} valid, {invalid} invalid: the test has lost its point");
}
