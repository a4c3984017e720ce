use sextant_histories::{Call, Reply, Value};

use super::{Chain, show};
use crate::linearizability::model::{Family, Model};

/// A stack, empty at first: `push` puts an element on top, `pop` takes the top one off and returns it, or returns null
/// where there is none. Null is therefore no element.
///
/// Impossible: `push 1`, `push 2`, `pop -> 1`, one after the other; or `push 1`, `pop -> null`.
#[derive(Clone, Debug, Default)]
pub struct Stack;

impl Model for Stack {
    /// The top is the last.
    type State = Chain;

    fn name(&self) -> &str {
        "stack"
    }

    fn initial(&self) -> Chain {
        Chain::default()
    }

    fn step(&self, state: &Chain, call: &Call, reply: Option<&Reply>) -> Option<Chain> {
        match (call, reply) {
            (Call::Push(element), None | Some(Reply::Done)) => Some(state.push(element.clone())),
            (Call::Pop, None | Some(Reply::Returned(_))) => {
                let (top, rest) = state.pop().unwrap_or((&Value::Null, state));
                let fits = reply.is_none_or(|reply| matches!(reply, Reply::Returned(said) if said == top));
                fits.then(|| rest.clone())
            }
            _ => None,
        }
    }

    fn supports(&self, call: &Call) -> bool {
        match call {
            Call::Push(element) => *element != Value::Null,
            Call::Pop => true,
            _ => false,
        }
    }

    /// From the bottom to the top.
    fn show(&self, state: &Chain) -> String {
        let mut values: Vec<&Value> = state.backwards().collect();
        values.reverse();
        show(values)
    }

    fn only_observes(&self, _call: &Call, reply: &Reply) -> bool {
        *reply == Reply::Returned(Value::Null)
    }

    fn family(&self) -> Family {
        Family::Stack
    }
}
