use std::sync::Arc;

use sextant_histories::{Call, Key, Micro, MicroKind, Reply, Value};

use crate::linearizability::model::Model;

/// Several lists, read and appended to by transactions, each of which is one step: `txn [[r x], [append y 1]]`. A read
/// within a transaction sees what the transaction appended before it. Every list is empty at first; null reads as empty.
/// Linearizable by this model is what is called strictly serializable, and elements may recur.
///
/// Impossible: `txn [[append x 1], [append y 1]]`, then `txn [[r x] -> [1], [r y] -> []]`.
#[derive(Clone, Debug, Default)]
pub struct ListAppend;

/// Lists by key, without those that are empty.
type Lists = Arc<[(Key, Arc<[Value]>)]>;

impl Model for ListAppend {
    type State = Lists;

    fn name(&self) -> &str {
        "list-append"
    }

    fn initial(&self) -> Lists {
        Arc::default()
    }

    fn step(&self, state: &Lists, call: &Call, reply: Option<&Reply>) -> Option<Lists> {
        let steps = match (call, reply) {
            (Call::Txn(steps), None) => steps,
            (Call::Txn(_), Some(Reply::Txn(seen))) => seen,
            _ => return None,
        };
        let mut lists = state.clone();
        for Micro { kind, key, value } in steps.iter() {
            match kind {
                MicroKind::Read if reply.is_none() || sees(value, get(&lists, key)) => {}
                MicroKind::Append => lists = append(&lists, key, value),
                MicroKind::Read | MicroKind::Write => return None,
            }
        }
        Some(lists)
    }

    fn supports(&self, call: &Call) -> bool {
        matches!(call, Call::Txn(steps) if steps.iter().all(|step| step.kind != MicroKind::Write))
    }

    fn show(&self, state: &Lists) -> String {
        let list = |(key, elements): &(Key, Arc<[Value]>)| format!("{key}: {}", Value::List(elements.clone()));
        format!("{{{}}}", state.iter().map(list).collect::<Vec<_>>().join(", "))
    }

    fn only_observes(&self, call: &Call, _reply: &Reply) -> bool {
        matches!(call, Call::Txn(steps) if steps.iter().all(|step| step.kind == MicroKind::Read))
    }

    fn keyed(&self) -> bool {
        false
    }
}

fn sees(value: &Value, elements: &[Value]) -> bool {
    match value {
        Value::List(seen) => **seen == *elements,
        Value::Null => elements.is_empty(),
        _ => false,
    }
}

fn get<'a>(lists: &'a [(Key, Arc<[Value]>)], key: &Key) -> &'a [Value] {
    lists.binary_search_by(|(other, _)| other.cmp(key)).map_or(&[], |place| &lists[place].1)
}

fn append(lists: &[(Key, Arc<[Value]>)], key: &Key, element: &Value) -> Lists {
    let mut lists = lists.to_vec();
    match lists.binary_search_by(|(other, _)| other.cmp(key)) {
        Ok(place) => lists[place].1 = lists[place].1.iter().chain([element]).cloned().collect(),
        Err(place) => lists.insert(place, (key.clone(), [element.clone()].into())),
    }
    lists.into()
}
