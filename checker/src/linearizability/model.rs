//! Sequential specifications: what one operation after another may answer.

use std::fmt::Debug;
use std::hash::Hash;

use sextant_histories::{Call, Reply, Value};

/// A sequential object. Implement it for a model of your own; nothing else of the checker needs to change.
pub trait Model {
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

    /// What may be left out before the search. [`Pruning::None`] is always safe.
    fn pruning(&self) -> Pruning {
        Pruning::None
    }
}

/// What the checker knows about a model beyond [`Model::step`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pruning {
    None,
    /// The state is the value last installed, and read, write and cas mean what they say: the argument in `prune`
    /// holds.
    Register,
}

/// A register that is read and written.
#[derive(Clone, Copy, Debug, Default)]
pub struct Register;

/// A register that is read, written, and compared-and-set.
#[derive(Clone, Copy, Debug, Default)]
pub struct CasRegister;

impl Model for Register {
    type State = Value;

    fn name(&self) -> &str {
        "register"
    }

    fn initial(&self) -> Value {
        Value::Null
    }

    fn step(&self, state: &Value, call: &Call, reply: Option<&Reply>) -> Option<Value> {
        if self.supports(call) { CasRegister.step(state, call, reply) } else { None }
    }

    fn supports(&self, call: &Call) -> bool {
        !matches!(call, Call::Cas { .. })
    }

    fn show(&self, state: &Value) -> String {
        state.to_string()
    }

    fn only_observes(&self, call: &Call, reply: &Reply) -> bool {
        CasRegister.only_observes(call, reply)
    }

    fn pruning(&self) -> Pruning {
        Pruning::Register
    }
}

impl Model for CasRegister {
    type State = Value;

    fn name(&self) -> &str {
        "cas-register"
    }

    fn initial(&self) -> Value {
        Value::Null
    }

    fn step(&self, state: &Value, call: &Call, reply: Option<&Reply>) -> Option<Value> {
        match (call, reply) {
            (Call::Read, None) => Some(state.clone()),
            (Call::Read, Some(Reply::Read(seen))) => (seen == state).then(|| state.clone()),
            (Call::Write(value), None | Some(Reply::Written)) => Some(value.clone()),
            (Call::Cas { old, new }, None) => Some(if state == old { new.clone() } else { state.clone() }),
            (Call::Cas { old, new }, Some(Reply::Swapped)) => (state == old).then(|| new.clone()),
            (Call::Cas { old, .. }, Some(Reply::Differed)) => (state != old).then(|| state.clone()),
            (Call::Read | Call::Write(_) | Call::Cas { .. }, Some(_)) => None,
        }
    }

    fn supports(&self, _call: &Call) -> bool {
        true
    }

    fn show(&self, state: &Value) -> String {
        state.to_string()
    }

    fn only_observes(&self, call: &Call, reply: &Reply) -> bool {
        match (call, reply) {
            (Call::Cas { old, new }, Reply::Swapped) => old == new,
            (_, Reply::Read(_) | Reply::Differed) => true,
            (_, Reply::Written | Reply::Swapped) => false,
        }
    }

    fn pruning(&self) -> Pruning {
        Pruning::Register
    }
}
