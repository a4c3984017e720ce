use sextant_histories::{Call, Reply, Value};

use super::{Bag, show};
use crate::linearizability::model::{Family, Model};

/// A priority queue, empty at first: `insert` puts an element in, `pop-min` takes the least out and returns it, or returns
/// null where there is none. Null is therefore no element. Integers come in their order; see [`Value`] for the others.
///
/// Impossible: `insert 1`, `insert 2`, `pop-min -> 2`, one after the other; or `insert 1`, `pop-min -> null`.
#[derive(Clone, Debug, Default)]
pub struct PriorityQueue;

impl Model for PriorityQueue {
    type State = Bag;

    fn name(&self) -> &str {
        "priority-queue"
    }

    fn initial(&self) -> Self::State {
        Bag::default()
    }

    fn step(&self, state: &Self::State, call: &Call, reply: Option<&Reply>) -> Option<Self::State> {
        match (call, reply) {
            (Call::Insert(element), None | Some(Reply::Done)) => Some(state.with(element)),
            (Call::PopMin, None | Some(Reply::Returned(_))) => {
                let least = state.least().unwrap_or(&Value::Null);
                let fits = reply.is_none_or(|reply| matches!(reply, Reply::Returned(said) if said == least));
                fits.then(|| state.without(least))
            }
            _ => None,
        }
    }

    fn supports(&self, call: &Call) -> bool {
        match call {
            Call::Insert(element) => *element != Value::Null,
            Call::PopMin => true,
            _ => false,
        }
    }

    /// In ascending order.
    fn show(&self, state: &Self::State) -> String {
        show(state.iter())
    }

    fn only_observes(&self, _call: &Call, reply: &Reply) -> bool {
        *reply == Reply::Returned(Value::Null)
    }

    fn family(&self) -> Family {
        Family::PriorityQueue
    }
}
