//! Sets and counters.

use std::collections::BTreeSet;

use super::Flaw;
use super::rng::Source;
use super::script::Script;
use super::simulation::Subject;
use crate::event::{Call, Reply};
use crate::value::Value;

pub(super) const SET_FLAWS: [Flaw; 4] = [
    Flaw::new("lost-add", "an element that was added and never removed is not found"),
    Flaw::new("lost-remove", "an element that was removed is found, though nobody added it again"),
    Flaw::new("phantom-element", "an element is found that nobody added"),
    Flaw::new("resurrected-element", "an element is not found after it was removed, and later found again"),
];

pub(super) const COUNTER_FLAWS: [Flaw; 4] = [
    Flaw::new("lost-increment", "an acknowledged increment does not show"),
    Flaw::new("double-increment", "one increment counts twice"),
    Flaw::new("backward-read", "a read returns less than an earlier one, though nobody counts down"),
    Flaw::new("phantom-read", "a read returns what no increments add up to"),
];

/// One set a key.
pub(super) struct Sets {
    pub(super) objects: Vec<BTreeSet<Value>>,
    pub(super) change_percent: u32,
}

impl Subject for Sets {
    fn draw(&mut self, source: &mut Source, key: usize, _client: usize) -> (usize, Call) {
        let call = if !source.rng.percent(self.change_percent) {
            Call::Contains(Value::Int(source.known()))
        } else if source.rng.percent(60) {
            Call::Add(source.value())
        } else {
            Call::Remove(Value::Int(source.known()))
        };
        (key, call)
    }

    fn apply(&mut self, object: usize, _client: usize, call: &Call) -> Option<Reply> {
        let set = &mut self.objects[object];
        match call {
            Call::Add(value) => drop(set.insert(value.clone())),
            Call::Remove(value) => drop(set.remove(value)),
            Call::Contains(value) => return Some(Reply::Returned(set.contains(value).into())),
            other => unreachable!("a set has no {other}"),
        }
        Some(Reply::Done)
    }

    /// Nobody else knows the element.
    fn script(&self, flaw: Flaw, script: &mut Script) {
        let element = Value::Int(-1);
        let (add, remove) = (Call::Add(element.clone()), Call::Remove(element.clone()));
        let has = |has: bool| (Call::Contains(element.clone()), Reply::Returned(has.into()));
        let ((ask, yes), (_, no)) = (has(true), has(false));
        match flaw.name {
            "lost-add" => script.claimed(0, add, Reply::Done).claimed(1, ask, no),
            "lost-remove" => script.done(0, add, Reply::Done).claimed(1, remove, Reply::Done).claimed(0, ask, yes),
            "phantom-element" => script.claimed(0, ask, yes),
            "resurrected-element" => {
                script.done(0, add, Reply::Done).claimed(1, ask.clone(), yes.clone()).done(0, remove, Reply::Done);
                script.claimed(1, ask.clone(), no).claimed(0, ask, yes)
            }
            other => unreachable!("{other} is not in the table"),
        };
    }
}

/// One counter a key; it starts at 0 and only goes up.
pub(super) struct Counters {
    pub(super) objects: Vec<i64>,
    pub(super) add_percent: u32,
}

/// More than all increments of the honest clients together.
const MUCH: i64 = 1_000_000_000_000_000;

impl Subject for Counters {
    fn draw(&mut self, source: &mut Source, key: usize, _client: usize) -> (usize, Call) {
        let call = if source.rng.percent(self.add_percent) {
            // At least 1, which the scripts rest on.
            Call::Add(Value::Int(source.number().rem_euclid(1000) + 1))
        } else {
            Call::Read
        };
        (key, call)
    }

    fn apply(&mut self, object: usize, _client: usize, call: &Call) -> Option<Reply> {
        let counter = &mut self.objects[object];
        match call {
            Call::Read => Some(Reply::Read(Value::Int(*counter))),
            Call::Add(Value::Int(number)) => {
                *counter += number;
                Some(Reply::Done)
            }
            other => unreachable!("a counter has no {other}"),
        }
    }

    fn script(&self, flaw: Flaw, script: &mut Script) {
        let now = script.object.map_or(0, |object| self.objects[object]);
        let add = |number: i64| Call::Add(Value::Int(number));
        match flaw.name {
            // Between the two reads the counter has certainly grown.
            "lost-increment" => {
                script.read(0, &Value::Int(now)).claimed(1, add(1), Reply::Done).read(0, &Value::Int(now))
            }
            "double-increment" => script.done(0, add(MUCH), Reply::Done).read(1, &Value::Int(now + 2 * MUCH)),
            "backward-read" => {
                script.done(0, add(1), Reply::Done).read(1, &Value::Int(now + 1)).read(0, &Value::Int(now))
            }
            "phantom-read" => script.read(0, &Value::Int(now + MUCH)),
            other => unreachable!("{other} is not in the table"),
        };
    }
}
