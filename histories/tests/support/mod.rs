//! A slow judge that shares no code with the generator: sequential objects with their state as one value, and the search
//! of Wing and Gong (1993) with Lowe's memory (2017).

use std::collections::{BTreeMap, HashSet};

use sextant_histories::generate::Model;
use sextant_histories::{Call, History, Key, MicroKind, Operation, Outcome, Reply, Value};

/// Whether the history is linearizable, key by key.
pub fn linearizable(history: &History, model: Model) -> bool {
    let mut keys: BTreeMap<&Key, Vec<&Operation>> = BTreeMap::new();
    for operation in history.operations().iter().filter(|operation| operation.outcome != Outcome::Fail) {
        keys.entry(&operation.key).or_default().push(operation);
    }
    keys.values().all(|operations| Search { operations, seen: HashSet::new() }.from(&mut vec![], initial(model)))
}

struct Search<'a> {
    operations: &'a [&'a Operation],
    seen: HashSet<(Vec<usize>, Value)>,
}

impl Search<'_> {
    /// Whether the rest can be put in order behind the operations `placed`, given in ascending order.
    fn from(&mut self, placed: &mut Vec<usize>, state: Value) -> bool {
        let open = |number: &usize| placed.binary_search(number).is_err();
        let waiting: Vec<usize> = (0..self.operations.len()).filter(open).collect();
        if waiting.iter().all(|number| self.operations[*number].returned().is_none()) {
            return true;
        }
        if !self.seen.insert((placed.clone(), state.clone())) {
            return false;
        }
        let ends = waiting.iter().filter_map(|number| self.operations[*number].returned());
        let first_end = ends.min().unwrap_or(usize::MAX);
        for number in waiting {
            let operation = self.operations[number];
            if operation.invoked.index > first_end {
                break;
            }
            let Some(next) = step(&state, &operation.call, operation.reply()) else { continue };
            let place = placed.binary_search(&number).unwrap_err();
            placed.insert(place, number);
            if self.from(placed, next) {
                return true;
            }
            placed.remove(place);
        }
        false
    }
}

fn initial(model: Model) -> Value {
    match model {
        Model::Register | Model::CasRegister | Model::KeyValue => Value::Null,
        Model::Counter => Value::Int(0),
        Model::Mutex => Value::Bool(false),
        Model::Set | Model::Queue | Model::Stack | Model::PriorityQueue | Model::AppendList => list(&[]),
        Model::MultiRegister | Model::ListAppend => list(&[]),
    }
}

fn list(values: &[Value]) -> Value {
    values.iter().cloned().collect()
}

fn parts(state: &Value) -> Vec<Value> {
    match state {
        Value::List(values) => values.to_vec(),
        other => panic!("{other} is no list"),
    }
}

/// The state after the call, where it may have had this answer; any answer where none is known.
fn step(state: &Value, call: &Call, reply: Option<&Reply>) -> Option<Value> {
    let (next, answer) = answer(state, call);
    reply.is_none_or(|reply| *reply == answer).then_some(next)
}

fn answer(state: &Value, call: &Call) -> (Value, Reply) {
    match call {
        Call::Read => (state.clone(), Reply::Read(state.clone())),
        Call::Write(value) => (value.clone(), Reply::Written),
        Call::Cas { old, new } if state == old => (new.clone(), Reply::Swapped),
        Call::Cas { .. } => (state.clone(), Reply::Differed),
        Call::Add(Value::Int(more)) if matches!(state, Value::Int(_)) => {
            let Value::Int(count) = state else { unreachable!() };
            (Value::Int(count + more), Reply::Done)
        }
        Call::Append(Value::Str(more)) => {
            let before = if let Value::Str(before) = state { before } else { "" };
            (format!("{before}{more}").as_str().into(), Reply::Done)
        }
        Call::Acquire if *state == Value::Bool(false) => (true.into(), Reply::Done),
        Call::Release if *state == Value::Bool(true) => (false.into(), Reply::Done),
        // No state is like this one, and nothing goes on from it.
        Call::Acquire | Call::Release => ("broken".into(), Reply::Read(Value::Null)),
        Call::Txn(steps) => {
            let mut keys = parts(state);
            let seen = steps.iter().map(|step| {
                let name = Value::from(step.key.clone());
                let found = keys.iter().position(|pair| parts(pair)[0] == name);
                let held = found.map_or(Value::Null, |place| parts(&keys[place])[1].clone());
                let new = match step.kind {
                    MicroKind::Read => return sextant_histories::Micro { value: held, ..step.clone() },
                    MicroKind::Write => step.value.clone(),
                    MicroKind::Append => {
                        let before = if held == Value::Null { vec![] } else { parts(&held) };
                        before.into_iter().chain([step.value.clone()]).collect()
                    }
                };
                found.into_iter().for_each(|place| drop(keys.remove(place)));
                keys.push(list(&[name, new]));
                keys.sort();
                step.clone()
            });
            let reply = Reply::Txn(seen.collect());
            (list(&keys), reply)
        }
        _ => {
            let (next, reply) = answer_of_collection(parts(state), call);
            (list(&next), reply)
        }
    }
}

fn answer_of_collection(mut all: Vec<Value>, call: &Call) -> (Vec<Value>, Reply) {
    let least = |all: &Vec<Value>| (0..all.len()).min_by_key(|place| all[*place].clone());
    let reply = match call {
        Call::Append(value) | Call::Enqueue(value) | Call::Push(value) | Call::Insert(value) => {
            all.push(value.clone());
            Reply::Done
        }
        Call::Add(value) => {
            all.retain(|other| other != value);
            all.push(value.clone());
            all.sort();
            Reply::Done
        }
        Call::Remove(value) => {
            all.retain(|other| other != value);
            Reply::Done
        }
        Call::Contains(value) => Reply::Returned(all.contains(value).into()),
        Call::Dequeue if all.is_empty() => Reply::Returned(Value::Null),
        Call::Dequeue => Reply::Returned(all.remove(0)),
        Call::Pop => Reply::Returned(all.pop().unwrap_or_default()),
        Call::PopMin => Reply::Returned(least(&all).map_or(Value::Null, |place| all.remove(place))),
        other => panic!("no object has {other}"),
    };
    (all, reply)
}
