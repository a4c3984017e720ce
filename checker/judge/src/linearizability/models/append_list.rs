use sextant_histories::{Call, Reply, Value};

use super::{Chain, show};
use crate::linearizability::model::{Family, Model};

/// A list, empty at first: `append` puts an element at its end, `read` returns the whole list. Null is as good as `[]`.
///
/// Impossible: `append 1`, `append 2`, `read -> [2, 1]`, one after the other.
#[derive(Clone, Debug, Default)]
pub struct AppendList;

impl Model for AppendList {
    type State = Chain;

    fn name(&self) -> &str {
        "append-list"
    }

    fn initial(&self) -> Chain {
        Chain::default()
    }

    fn step(&self, state: &Chain, call: &Call, reply: Option<&Reply>) -> Option<Chain> {
        match (call, reply) {
            (Call::Append(element), None | Some(Reply::Done)) => Some(state.push(element.clone())),
            (Call::Read, None) => Some(state.clone()),
            (Call::Read, Some(Reply::Read(seen))) => holds(state, seen).then(|| state.clone()),
            _ => None,
        }
    }

    fn supports(&self, call: &Call) -> bool {
        matches!(call, Call::Read | Call::Append(_))
    }

    fn show(&self, state: &Chain) -> String {
        let mut values: Vec<&Value> = state.backwards().collect();
        values.reverse();
        show(values)
    }

    fn only_observes(&self, call: &Call, _reply: &Reply) -> bool {
        *call == Call::Read
    }

    fn family(&self) -> Family {
        Family::List
    }
}

fn holds(state: &Chain, seen: &Value) -> bool {
    match seen {
        Value::Null => state.is_empty(),
        Value::List(seen) => seen.len() == state.len() && seen.iter().rev().eq(state.backwards()),
        Value::Bool(_) | Value::Int(_) | Value::Str(_) => false,
    }
}
