use std::sync::Arc;

use sextant_histories::{Call, Reply, Value};

use super::show;
use crate::linearizability::model::{Family, Model};

/// A set, empty at first. `add` puts an element in and `remove` takes it out; each may say, by a truth value, whether it
/// changed the set. `contains` says whether an element is in, `read` lists all elements, each once, in any order.
///
/// Impossible: `add 1 -> true`, `add 1 -> true`, one after the other; or `add 1`, `read -> []`.
#[derive(Clone, Debug, Default)]
pub struct Set;

impl Model for Set {
    /// In ascending order.
    type State = Arc<[Value]>;

    fn name(&self) -> &str {
        "set"
    }

    fn initial(&self) -> Self::State {
        Arc::default()
    }

    fn step(&self, state: &Self::State, call: &Call, reply: Option<&Reply>) -> Option<Self::State> {
        match (call, reply) {
            (Call::Read, None) => Some(state.clone()),
            (Call::Read, Some(Reply::Read(Value::List(seen)))) => {
                let mut seen: Vec<&Value> = seen.iter().collect();
                seen.sort_unstable();
                state.iter().eq(seen).then(|| state.clone())
            }
            (Call::Contains(element), reply) => {
                says(reply, state.binary_search(element).is_ok()).then(|| state.clone())
            }
            (Call::Add(element), reply) => match state.binary_search(element) {
                Ok(_) => says(reply, false).then(|| state.clone()),
                Err(place) => says(reply, true).then(|| {
                    let (less, more) = state.split_at(place);
                    less.iter().chain([element]).chain(more).cloned().collect()
                }),
            },
            (Call::Remove(element), reply) => match state.binary_search(element) {
                Ok(place) => says(reply, true).then(|| {
                    let (less, more) = (&state[..place], &state[place + 1..]);
                    less.iter().chain(more).cloned().collect()
                }),
                Err(_) => says(reply, false).then(|| state.clone()),
            },
            _ => None,
        }
    }

    fn supports(&self, call: &Call) -> bool {
        matches!(call, Call::Read | Call::Add(_) | Call::Remove(_) | Call::Contains(_))
    }

    fn show(&self, state: &Self::State) -> String {
        show(state.iter())
    }

    fn only_observes(&self, call: &Call, reply: &Reply) -> bool {
        matches!(call, Call::Read | Call::Contains(_)) || *reply == Reply::Returned(Value::Bool(false))
    }

    fn family(&self) -> Family {
        Family::Set
    }
}

/// Whether the reply, if it says anything, says the truth.
fn says(reply: Option<&Reply>, truth: bool) -> bool {
    match reply {
        None | Some(Reply::Done) => true,
        Some(reply) => *reply == Reply::Returned(Value::Bool(truth)),
    }
}
