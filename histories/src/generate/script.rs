//! What a violation's own processes say and are told, event by event.

use std::collections::VecDeque;

use crate::event::{Call, Event, Kind, Reply};
use crate::value::{Key, Value};

/// One event of a script, and the object that its call changes, so that the honest clients see what the script has
/// really done; none if it changes nothing, whatever was acknowledged.
pub(super) struct Scripted {
    pub(super) event: Event,
    pub(super) changes: Option<usize>,
}

/// The events so far. Its methods are called in the order of time.
pub(super) struct Script {
    pub(super) steps: VecDeque<Scripted>,
    pub(super) key: Key,
    /// The object that `key` names, if the honest clients know it too.
    pub(super) object: Option<usize>,
    /// Processes that nobody else uses.
    pub(super) processes: Vec<u64>,
}

/// Whether what is acknowledged also happens.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect {
    Real,
    None,
}

impl Script {
    pub(super) fn event(&mut self, process: usize, kind: Kind, call: Call, effect: Effect) -> &mut Self {
        let changes = if effect == Effect::Real { self.object } else { None };
        let event = Event { process: self.processes[process], kind, call, key: self.key.clone(), time: None };
        self.steps.push_back(Scripted { event, changes });
        self
    }

    pub(super) fn invoke(&mut self, process: usize, call: Call) -> &mut Self {
        self.event(process, Kind::Invoke, call, Effect::None)
    }

    /// The completion of `call` by process number `process` of the script.
    pub(super) fn end(&mut self, process: usize, call: Call, kind: Kind, effect: Effect) -> &mut Self {
        self.event(process, kind, call, effect)
    }

    /// A whole operation that does what it says.
    pub(super) fn done(&mut self, process: usize, call: Call, reply: Reply) -> &mut Self {
        self.invoke(process, call.clone()).end(process, call, Kind::Ok(reply), Effect::Real)
    }

    /// A whole operation that is acknowledged, or answered, and changes nothing.
    pub(super) fn claimed(&mut self, process: usize, call: Call, reply: Reply) -> &mut Self {
        self.invoke(process, call.clone()).end(process, call, Kind::Ok(reply), Effect::None)
    }

    pub(super) fn write(&mut self, process: usize, value: &Value) -> &mut Self {
        self.done(process, Call::Write(value.clone()), Reply::Written)
    }

    pub(super) fn read(&mut self, process: usize, value: &Value) -> &mut Self {
        self.claimed(process, Call::Read, Reply::Read(value.clone()))
    }
}
