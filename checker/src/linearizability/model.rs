//! Sequential specifications: what one operation after another may answer.

use std::fmt::Debug;
use std::hash::Hash;

use sextant_histories::{Call, Reply, Value};

/// A sequential object. Implement it for a model of your own; nothing else of the checker needs to change.
pub trait Model: Sync {
    type State: Clone + Eq + Hash + Debug;

    fn name(&self) -> &str;

    /// The state of every key before its first operation.
    fn initial(&self) -> Self::State;

    /// The state after `call`, or `None` where `reply` is impossible in `state`. Without a reply the operation is
    /// indeterminate, and the question is what state it leaves if it takes effect here.
    fn step(&self, state: &Self::State, call: &Call, reply: Option<&Reply>) -> Option<Self::State>;

    /// Whether the object has this operation at all. A history with another one cannot be judged.
    fn supports(&self, call: &Call) -> bool;

    /// How to print a state.
    fn show(&self, state: &Self::State) -> String {
        format!("{state:?}")
    }

    /// Whether an operation with this reply leaves *every* state in which it is possible as it is. The search takes such
    /// operations at the first opportunity, so `true` must be right; `false` is always safe.
    fn only_observes(&self, _call: &Call, _reply: &Reply) -> bool {
        false
    }

    /// What the checker may know beyond [`Model::step`]. [`Family::General`] is always safe.
    fn family(&self) -> Family {
        Family::General
    }

    /// Whether each key is an object of its own, so that a history may be judged key by key. If not, the whole system is
    /// one object.
    fn keyed(&self) -> bool {
        true
    }
}

/// Kinds of objects for which there are better algorithms than the general search. Each is a promise that the calls mean
/// what their documentation in [`Call`] says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Family {
    General,
    /// The state is the value last installed, by write or cas, and reads return it.
    Register {
        initial: Value,
    },
    /// Starts empty; `add`, `remove`, `contains`.
    Set,
    /// Starts empty; first in, first out.
    Queue,
    /// Starts empty; last in, first out.
    Stack,
    /// Starts empty; the least goes out first.
    PriorityQueue,
}

/// A register that is read and written.
#[derive(Clone, Debug, Default)]
pub struct Register {
    pub initial: Value,
}

/// A register that is read, written, and compared-and-set.
#[derive(Clone, Debug, Default)]
pub struct CasRegister {
    pub initial: Value,
}

impl Model for Register {
    type State = Value;

    fn name(&self) -> &str {
        "register"
    }

    fn initial(&self) -> Value {
        self.initial.clone()
    }

    fn step(&self, state: &Value, call: &Call, reply: Option<&Reply>) -> Option<Value> {
        if self.supports(call) { install(state, call, reply) } else { None }
    }

    fn supports(&self, call: &Call) -> bool {
        matches!(call, Call::Read | Call::Write(_))
    }

    fn show(&self, state: &Value) -> String {
        state.to_string()
    }

    fn only_observes(&self, call: &Call, reply: &Reply) -> bool {
        observes(call, reply)
    }

    fn family(&self) -> Family {
        Family::Register { initial: self.initial.clone() }
    }
}

impl Model for CasRegister {
    type State = Value;

    fn name(&self) -> &str {
        "cas-register"
    }

    fn initial(&self) -> Value {
        self.initial.clone()
    }

    fn step(&self, state: &Value, call: &Call, reply: Option<&Reply>) -> Option<Value> {
        install(state, call, reply)
    }

    fn supports(&self, call: &Call) -> bool {
        matches!(call, Call::Read | Call::Write(_) | Call::Cas { .. })
    }

    fn show(&self, state: &Value) -> String {
        state.to_string()
    }

    fn only_observes(&self, call: &Call, reply: &Reply) -> bool {
        observes(call, reply)
    }

    fn family(&self) -> Family {
        Family::Register { initial: self.initial.clone() }
    }
}

fn install(state: &Value, call: &Call, reply: Option<&Reply>) -> Option<Value> {
    match (call, reply) {
        (Call::Read, None) => Some(state.clone()),
        (Call::Read, Some(Reply::Read(seen))) => (seen == state).then(|| state.clone()),
        (Call::Write(value), None | Some(Reply::Written)) => Some(value.clone()),
        (Call::Cas { old, new }, None) => Some(if state == old { new.clone() } else { state.clone() }),
        (Call::Cas { old, new }, Some(Reply::Swapped)) => (state == old).then(|| new.clone()),
        (Call::Cas { old, .. }, Some(Reply::Differed)) => (state != old).then(|| state.clone()),
        _ => None,
    }
}

fn observes(call: &Call, reply: &Reply) -> bool {
    match (call, reply) {
        (Call::Cas { old, new }, Reply::Swapped) => old == new,
        (_, Reply::Read(_) | Reply::Differed) => true,
        _ => false,
    }
}
