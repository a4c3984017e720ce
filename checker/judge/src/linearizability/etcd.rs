//! etcd's key-value store, as its robustness tests see it: keys with values and the revision of their last change, leases,
//! ranges, and transactions with conditions on revisions. The whole store is one object.
//!
//! Calls and answers are the values of `sextant_histories::formats` for reports of those tests (`etcd-range` and so on). The
//! rules are those of etcd's own model (`tests/robustness/model`): the store starts empty at revision 1; a transaction
//! that changes something, however much, adds one to the revision, and every key it puts gets the new one; a put under a
//! lease that does not exist does nothing; revoking a lease deletes its keys.
//!
//! *Not checked*: what a range at an older revision than the current one returns. Its answer counts for the current revision
//! only, as in etcd's model, where older ones are held against what watches saw.
//!
//! # Knowing what indeterminate transactions did
//!
//! An answer names revisions, so that two answers leave exactly so many changes between them, and a search only goes wrong
//! by choosing the wrong indeterminate transaction for a change that nobody acknowledged. [`Etcd::for_history`] looks those up:
//! where a value was put by one transaction only, under one key, and an answer shows it with revision `r`, that
//! transaction was the change number `r`, for certain. And every revision that is accounted for like this, or by the answer of the transaction
//! that made it, is one that no other transaction can make: in [`Model::step`] an indeterminate transaction cannot take
//! effect there.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use sextant_histories::{Call, History, Outcome, Reply, Value};

use super::model::Model;

/// The sequential object; see the module.
#[derive(Clone, Debug, Default)]
pub struct Etcd {
    /// Revisions whose transaction is known, and that transaction's argument.
    makers: HashMap<i64, Value>,
}

/// The content of the store.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Store {
    revision: i64,
    keys: BTreeMap<Arc<str>, Entry>,
    leases: BTreeSet<i64>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Entry {
    value: Value,
    mod_revision: i64,
    /// 0 for none.
    lease: i64,
}

impl Etcd {
    /// The model with what the answers in `history` prove about its indeterminate transactions. It accepts the same
    /// orders of that history as `Etcd::default()`, and is faster; of another history, be it a weakened copy, it would be
    /// wrong.
    pub fn for_history(history: &History) -> Self {
        let mut makers = HashMap::new();
        for operation in history.operations() {
            let (Call::Other(name, argument), Some(Reply::Returned(Value::List(answer)))) =
                (&operation.call, operation.reply())
            else {
                continue;
            };
            if let ("etcd-txn", [Value::Int(revision), Value::Bool(failed), results]) = (&**name, &answer[..])
                && changed(argument, *failed, results)
            {
                makers.insert(*revision, argument.clone());
            }
        }
        let seen = seen(history);
        for (put, argument) in unique_puts(history) {
            if let Some(revision) = seen.get(&put) {
                makers.entry(*revision).or_insert(argument);
            }
        }
        Self { makers }
    }
}

/// Whether a transaction that was answered so changed something: a put always does, unless its lease may be missing, a
/// delete where it says that it deleted.
fn changed(argument: &Value, failed: bool, results: &Value) -> bool {
    let Some((_, on_success, on_failure)) = transaction(argument) else {
        return false;
    };
    let steps = if failed { on_failure } else { on_success };
    let results = items(results);
    steps.iter().enumerate().any(|(number, step)| match step_of(step) {
        Some(Step::Put { lease: 0, .. }) => true,
        Some(Step::Delete { .. }) => {
            matches!(results.get(number).map(items), Some([_, _, Value::Int(deleted)]) if *deleted > 0)
        }
        _ => false,
    })
}

/// Key and value of each put that is the only one of them in the history, and its transaction; of the transactions that
/// ended in an error.
fn unique_puts(history: &History) -> Vec<((Value, Value), Value)> {
    let mut puts: HashMap<(Value, Value), usize> = HashMap::new();
    let mut unsure = Vec::new();
    for operation in history.operations() {
        let Call::Other(name, argument) = &operation.call else { continue };
        let Some((_, on_success, on_failure)) = transaction(argument).filter(|_| &**name == "etcd-txn") else {
            continue;
        };
        for step in on_success.iter().chain(on_failure) {
            let [Value::Str(kind), key, value, _] = items(step) else { continue };
            if &**kind == "put" {
                let put = (key.clone(), value.clone());
                *puts.entry(put.clone()).or_default() += 1;
                if operation.outcome == Outcome::Indeterminate {
                    unsure.push((put, argument.clone()));
                }
            }
        }
    }
    unsure.retain(|(put, _)| puts.get(put) == Some(&1));
    unsure
}

/// At which revision answers show a key with a value; none if at two, which no store does.
fn seen(history: &History) -> HashMap<(Value, Value), i64> {
    let mut seen: HashMap<(Value, Value), i64> = HashMap::new();
    let mut twice = Vec::new();
    for operation in history.operations() {
        let Some(Reply::Returned(Value::List(answer))) = operation.reply() else { continue };
        let Call::Other(name, _) = &operation.call else { continue };
        let lists: Vec<&[Value]> = match (&**name, &answer[..]) {
            ("etcd-range", [_, kvs, _]) => vec![items(kvs)],
            ("etcd-txn", [_, _, results]) => {
                items(results).iter().filter_map(|result| items(result).first().map(items)).collect()
            }
            _ => continue,
        };
        for kv in lists.into_iter().flatten() {
            if let [key, value, Value::Int(revision)] = items(kv) {
                let before = seen.insert((key.clone(), value.clone()), *revision);
                if before.is_some_and(|before| before != *revision) {
                    twice.push((key.clone(), value.clone()));
                }
            }
        }
    }
    seen.retain(|put, _| !twice.contains(put));
    seen
}

impl Model for Etcd {
    type State = Arc<Store>;

    fn name(&self) -> &str {
        "etcd"
    }

    fn initial(&self) -> Arc<Store> {
        Arc::new(Store { revision: 1, keys: BTreeMap::new(), leases: BTreeSet::new() })
    }

    fn step(&self, state: &Arc<Store>, call: &Call, reply: Option<&Reply>) -> Option<Arc<Store>> {
        let Call::Other(name, argument) = call else {
            return None;
        };
        let claimed = match reply {
            None | Some(Reply::Done) => &[],
            Some(Reply::Returned(Value::List(parts))) => &parts[..],
            Some(_) => return None,
        };
        match &**name {
            "etcd-range" => range(state, argument, claimed),
            "etcd-txn" => {
                let next = txn(state, argument, claimed)?;
                let made_by = self.makers.get(&next.revision).filter(|_| next.revision != state.revision);
                made_by.is_none_or(|maker| maker == argument).then_some(next)
            }
            "etcd-lease-grant" => {
                let mut next = Store::clone(state);
                next.leases.insert(integer(argument)?);
                agrees(claimed, next.revision).then(|| Arc::new(next))
            }
            "etcd-lease-revoke" => revoke(state, integer(argument)?, claimed),
            "etcd-defragment" => Some(state.clone()),
            _ => None,
        }
    }

    fn supports(&self, call: &Call) -> bool {
        let Call::Other(name, argument) = call else {
            return false;
        };
        match &**name {
            "etcd-range" => matches!(items(argument), [Value::Str(_), Value::Str(_), Value::Int(_), Value::Int(_)]),
            "etcd-txn" => transaction(argument).is_some_and(|(conditions, on_success, on_failure)| {
                conditions.iter().all(|condition| matches!(items(condition), [Value::Str(_), Value::Int(_)]))
                    && on_success.iter().chain(on_failure).all(|step| step_of(step).is_some())
            }),
            "etcd-lease-grant" | "etcd-lease-revoke" => integer(argument).is_some(),
            "etcd-defragment" => true,
            _ => false,
        }
    }

    fn show(&self, state: &Arc<Store>) -> String {
        let keys: Vec<String> =
            state.keys.iter().map(|(key, entry)| format!("{key:?}: {}@{}", entry.value, entry.mod_revision)).collect();
        format!("revision {} {{{}}}", state.revision, keys.join(", "))
    }

    fn only_observes(&self, call: &Call, _: &Reply) -> bool {
        matches!(call, Call::Other(name, _) if matches!(&**name, "etcd-range" | "etcd-defragment"))
    }

    fn keyed(&self) -> bool {
        false
    }

    fn judges_any_history(&self) -> bool {
        self.makers.is_empty()
    }
}

/// A step of a transaction, as the history has it.
enum Step<'a> {
    Range { start: &'a Arc<str>, end: &'a Arc<str>, limit: i64 },
    Put { key: &'a Arc<str>, value: &'a Value, lease: i64 },
    Delete { key: &'a Arc<str> },
}

fn step_of(step: &Value) -> Option<Step<'_>> {
    let [Value::Str(kind), rest @ ..] = items(step) else {
        return None;
    };
    match (&**kind, rest) {
        ("range", [Value::Str(start), Value::Str(end), Value::Int(limit)]) => {
            Some(Step::Range { start, end, limit: *limit })
        }
        ("put", [Value::Str(key), value, Value::Int(lease)]) => Some(Step::Put { key, value, lease: *lease }),
        ("delete", [Value::Str(key)]) => Some(Step::Delete { key }),
        _ => None,
    }
}

/// Conditions, and the steps on success and on failure.
fn transaction(argument: &Value) -> Option<(&[Value], &[Value], &[Value])> {
    match items(argument) {
        [Value::List(conditions), Value::List(on_success), Value::List(on_failure)] => {
            Some((conditions, on_success, on_failure))
        }
        _ => None,
    }
}

fn items(value: &Value) -> &[Value] {
    match value {
        Value::List(items) => items,
        _ => &[],
    }
}

fn integer(value: &Value) -> Option<i64> {
    match value {
        Value::Int(value) => Some(*value),
        _ => None,
    }
}

/// Whether an answer, if there is one, names this revision.
fn agrees(claimed: &[Value], revision: i64) -> bool {
    claimed.first().is_none_or(|claimed| *claimed == Value::Int(revision))
}

fn range(state: &Arc<Store>, argument: &Value, claimed: &[Value]) -> Option<Arc<Store>> {
    let [Value::Str(start), Value::Str(end), Value::Int(limit), Value::Int(revision)] = items(argument) else {
        return None;
    };
    let possible = match claimed {
        [] => true,
        // A revision that is still to come is an error in etcd, not an answer.
        _ if *revision > state.revision => false,
        [_, kvs, count] if *revision == 0 || *revision == state.revision => {
            state.range_is(start, end, *limit, kvs, count) && agrees(claimed, state.revision)
        }
        _ => agrees(claimed, state.revision),
    };
    possible.then(|| state.clone())
}

fn txn(state: &Arc<Store>, argument: &Value, claimed: &[Value]) -> Option<Arc<Store>> {
    let (conditions, on_success, on_failure) = transaction(argument)?;
    let holds = conditions.iter().all(|condition| match items(condition) {
        [Value::Str(key), Value::Int(expected)] => state.mod_revision(key) == *expected,
        _ => false,
    });
    // The full answer; where there is only a revision nothing else is compared.
    let answer = match claimed {
        [_, failed, results] => {
            if *failed != Value::Bool(!holds) {
                return None;
            }
            Some(items(results))
        }
        _ => None,
    };
    let steps = if holds { on_success } else { on_failure };
    if answer.is_some_and(|results| results.len() != steps.len()) {
        return None;
    }
    let mut next = state.clone();
    let mut changed = false;
    for (number, step) in steps.iter().enumerate() {
        let result = answer.map(|results| items(&results[number]));
        changed |= next_step(&mut next, state.revision + 1, step_of(step)?, result)?;
    }
    if changed {
        Arc::make_mut(&mut next).revision += 1;
    }
    agrees(claimed, next.revision).then_some(next)
}

/// Takes one step of a transaction and says whether it changed something; none where the result is impossible.
fn next_step(store: &mut Arc<Store>, revision: i64, step: Step<'_>, result: Option<&[Value]>) -> Option<bool> {
    let (kvs, count, deleted) = match result {
        None => (None, None, None),
        Some([kvs, count, deleted]) => (Some(kvs), Some(count), Some(deleted)),
        Some(_) => return None,
    };
    let nothing = |value: Option<&Value>| value.is_none_or(|value| *value == Value::Int(0));
    match step {
        Step::Range { start, end, limit } => {
            let (Some(kvs), Some(count)) = (kvs, count) else {
                return Some(false);
            };
            (store.range_is(start, end, limit, kvs, count) && nothing(deleted)).then_some(false)
        }
        Step::Put { key, value, lease } => {
            if kvs.is_some_and(|kvs| !items(kvs).is_empty()) || !nothing(count) || !nothing(deleted) {
                return None;
            }
            if lease != 0 && !store.leases.contains(&lease) {
                return Some(false);
            }
            let entry = Entry { value: value.clone(), mod_revision: revision, lease };
            Arc::make_mut(store).keys.insert(key.clone(), entry);
            Some(true)
        }
        Step::Delete { key } => {
            let is_there = store.keys.contains_key(key);
            let says = deleted.is_none_or(|deleted| *deleted == Value::Int(is_there.into()));
            if !says || kvs.is_some_and(|kvs| !items(kvs).is_empty()) || !nothing(count) {
                return None;
            }
            if is_there {
                Arc::make_mut(store).keys.remove(key);
            }
            Some(is_there)
        }
    }
}

fn revoke(state: &Arc<Store>, lease: i64, claimed: &[Value]) -> Option<Arc<Store>> {
    let mut next = Store::clone(state);
    if next.leases.remove(&lease) {
        next.keys.retain(|_, entry| entry.lease != lease);
    }
    if next.keys.len() < state.keys.len() {
        next.revision += 1;
    }
    agrees(claimed, next.revision).then(|| Arc::new(next))
}

impl Store {
    /// 0 for a key that is not there, as in etcd.
    fn mod_revision(&self, key: &str) -> i64 {
        self.keys.get(key).map_or(0, |entry| entry.mod_revision)
    }

    /// Whether a range over `[start, end)` returns this: the first `limit` keys if that is not 0, and how many there are.
    /// Without `end` it is the one key `start`; an `end` of one zero byte is the end of all keys.
    fn range_is(&self, start: &Arc<str>, end: &Arc<str>, limit: i64, kvs: &Value, count: &Value) -> bool {
        let kvs = items(kvs);
        let limit = if limit > 0 { usize::try_from(limit).unwrap_or(usize::MAX) } else { usize::MAX };
        let belongs = |key: &Arc<str>| match &**end {
            "" => key == start,
            "\0" => true,
            end => **key < *end,
        };
        let mut found = 0_usize;
        for (key, entry) in self.keys.range(start.clone()..) {
            if !belongs(key) {
                break;
            }
            if found < limit {
                let same = match kvs.get(found).map(items) {
                    Some([Value::Str(seen), value, Value::Int(revision)]) => {
                        seen == key && *value == entry.value && *revision == entry.mod_revision
                    }
                    _ => false,
                };
                if !same {
                    return false;
                }
            }
            found += 1;
        }
        kvs.len() == found.min(limit) && i64::try_from(found).is_ok_and(|found| *count == Value::Int(found))
    }
}
