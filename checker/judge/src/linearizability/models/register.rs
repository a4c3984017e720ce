//! Registers: one value, read, written, and compared-and-set.

use sextant_histories::{Call, Reply, Value};

use crate::linearizability::model::{Family, Model};

/// A register that is read and written: a read returns what was written last, or the initial value.
///
/// Impossible: `write 1`, `write 2`, `read -> 1`, one after the other.
#[derive(Clone, Debug, Default)]
pub struct Register {
    pub initial: Value,
}

/// A register that is read, written, and compared-and-set: `cas old new` writes `new` where the register holds `old` and
/// is answered by "swapped", or leaves it and is answered by "differed".
///
/// Impossible: `write 1`, `cas 1 to 2 -> differed`, one after the other.
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

    fn overwrites(&self, call: &Call) -> bool {
        matches!(call, Call::Write(_))
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

    fn overwrites(&self, call: &Call) -> bool {
        matches!(call, Call::Write(_))
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
