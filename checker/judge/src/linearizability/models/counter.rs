use sextant_histories::{Call, Reply, Value};

use crate::linearizability::model::{Family, Model};

/// A counter: `add n` adds `n`, which may be negative, and may return the sum; `read` returns the sum.
///
/// Impossible: `add 1`, `add 2`, `read -> 2`, one after the other.
#[derive(Clone, Debug, Default)]
pub struct Counter {
    pub initial: i64,
}

impl Model for Counter {
    /// Wider than any value: 2^64 additions cannot overflow it.
    type State = i128;

    fn name(&self) -> &str {
        "counter"
    }

    fn initial(&self) -> i128 {
        self.initial.into()
    }

    fn step(&self, state: &i128, call: &Call, reply: Option<&Reply>) -> Option<i128> {
        let is = |value: &Value, sum: i128| matches!(value, Value::Int(value) if i128::from(*value) == sum);
        match (call, reply) {
            (Call::Read, None) => Some(*state),
            (Call::Read, Some(Reply::Read(seen))) => is(seen, *state).then_some(*state),
            (Call::Add(Value::Int(more)), reply) => {
                let sum = *state + i128::from(*more);
                match reply {
                    None | Some(Reply::Done) => Some(sum),
                    Some(Reply::Returned(said)) => is(said, sum).then_some(sum),
                    Some(_) => None,
                }
            }
            _ => None,
        }
    }

    fn supports(&self, call: &Call) -> bool {
        matches!(call, Call::Read | Call::Add(Value::Int(_)))
    }

    fn show(&self, state: &i128) -> String {
        state.to_string()
    }

    fn only_observes(&self, call: &Call, _reply: &Reply) -> bool {
        matches!(call, Call::Read | Call::Add(Value::Int(0)))
    }

    fn family(&self) -> Family {
        Family::Counter { initial: self.initial }
    }
}
