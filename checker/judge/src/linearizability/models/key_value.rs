use std::sync::Arc;

use sextant_histories::{Call, Reply, Value};

use crate::linearizability::model::{Family, Model};

/// One key of a store of strings: `read` gets, `write` puts, `append` puts a string at the end of what is there.
///
/// The initial value is null, which no key of the store holds; appending to it is as appending to the empty string. With
/// [`KeyValue::empty`] it is the empty string, as in Porcupine's key-value histories.
///
/// Impossible: `write "a"`, `append "b"`, `read -> "ba"`, one after the other.
#[derive(Clone, Debug, Default)]
pub struct KeyValue {
    pub initial: Value,
}

impl KeyValue {
    /// Every key holds the empty string at first.
    pub fn empty() -> Self {
        Self { initial: "".into() }
    }
}

impl Model for KeyValue {
    type State = Value;

    fn name(&self) -> &str {
        "key-value"
    }

    fn initial(&self) -> Value {
        self.initial.clone()
    }

    fn step(&self, state: &Value, call: &Call, reply: Option<&Reply>) -> Option<Value> {
        match (call, reply) {
            (Call::Read, None) => Some(state.clone()),
            (Call::Read, Some(Reply::Read(seen))) => (seen == state).then(|| state.clone()),
            (Call::Write(value), None | Some(Reply::Written)) => Some(value.clone()),
            (Call::Append(Value::Str(more)), None | Some(Reply::Done)) => match state {
                Value::Null => Some(Value::Str(more.clone())),
                Value::Str(text) => Some(Value::Str(Arc::from([&**text, &**more].concat()))),
                Value::Bool(_) | Value::Int(_) | Value::List(_) => None,
            },
            _ => None,
        }
    }

    fn supports(&self, call: &Call) -> bool {
        matches!(call, Call::Read | Call::Write(_) | Call::Append(Value::Str(_)))
    }

    fn show(&self, state: &Value) -> String {
        state.to_string()
    }

    fn only_observes(&self, call: &Call, _reply: &Reply) -> bool {
        *call == Call::Read
    }

    fn overwrites(&self, call: &Call) -> bool {
        matches!(call, Call::Write(_))
    }

    fn family(&self) -> Family {
        Family::Text { initial: self.initial.clone() }
    }
}
