use sextant_histories::{Call, Reply, Value};

use super::{Line, show};
use crate::linearizability::model::{Family, Model};

/// A queue, empty at first: `enqueue` puts an element at the end, `dequeue` takes the first out and returns it, or
/// returns null where there is none. Null is therefore no element.
///
/// Impossible: `enqueue 1`, `enqueue 2`, `dequeue -> 2`, one after the other; or `enqueue 1`, `dequeue -> null`.
#[derive(Clone, Debug, Default)]
pub struct Queue;

impl Model for Queue {
    type State = Line;

    fn name(&self) -> &str {
        "queue"
    }

    fn initial(&self) -> Self::State {
        Line::default()
    }

    fn step(&self, state: &Self::State, call: &Call, reply: Option<&Reply>) -> Option<Self::State> {
        match (call, reply) {
            (Call::Enqueue(element), None | Some(Reply::Done)) => Some(state.join(element.clone())),
            (Call::Dequeue, None | Some(Reply::Returned(_))) => {
                let (first, rest) = state.leave().unwrap_or_else(|| (Value::Null, state.clone()));
                let fits = reply.is_none_or(|reply| matches!(reply, Reply::Returned(said) if *said == first));
                fits.then_some(rest)
            }
            _ => None,
        }
    }

    fn supports(&self, call: &Call) -> bool {
        match call {
            Call::Enqueue(element) => *element != Value::Null,
            Call::Dequeue => true,
            _ => false,
        }
    }

    fn show(&self, state: &Self::State) -> String {
        show(state.iter())
    }

    fn only_observes(&self, _call: &Call, reply: &Reply) -> bool {
        *reply == Reply::Returned(Value::Null)
    }

    fn family(&self) -> Family {
        Family::Queue
    }
}
