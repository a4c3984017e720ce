use sextant_histories::{Call, Reply, Value};

use super::{Bag, show};
use crate::linearizability::model::{Family, Model};

/// A set, empty at first. `add` puts an element in and `remove` takes it out; each may say, by a truth value, whether it
/// changed the set. `contains` says whether an element is in, `read` lists all elements, each once, in any order.
///
/// Impossible: `add 1 -> true`, `add 1 -> true`, one after the other; or `add 1`, `read -> []`.
#[derive(Clone, Debug, Default)]
pub struct Set;

impl Model for Set {
    type State = Bag;

    fn name(&self) -> &str {
        "set"
    }

    fn initial(&self) -> Self::State {
        Bag::default()
    }

    fn step(&self, state: &Self::State, call: &Call, reply: Option<&Reply>) -> Option<Self::State> {
        match (call, reply) {
            (Call::Read, None) => Some(state.clone()),
            (Call::Read, Some(Reply::Read(Value::List(seen)))) => {
                if seen.len() != state.len() {
                    return None;
                }
                let mut seen: Vec<&Value> = seen.iter().collect();
                seen.sort_unstable();
                state.iter().eq(seen).then(|| state.clone())
            }
            (Call::Contains(element), reply) => says(reply, state.contains(element)).then(|| state.clone()),
            (Call::Add(element), reply) => {
                let new = !state.contains(element);
                says(reply, new).then(|| if new { state.with(element) } else { state.clone() })
            }
            (Call::Remove(element), reply) => {
                let is_there = state.contains(element);
                says(reply, is_there).then(|| if is_there { state.without(element) } else { state.clone() })
            }
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
