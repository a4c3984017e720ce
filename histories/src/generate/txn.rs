//! Transactions on registers (reads and writes) and on lists (reads and appends).
//!
//! Each takes effect at one moment, so the history is strictly serializable by construction. The anomalies are named as
//! Adya ("Weak Consistency", 1999) and Elle (Kingsbury and Alvaro, VLDB 2020) name them; each script has keys of its own,
//! and says which promise is the weakest that it breaks.

use super::Flaw;
use super::rng::Source;
use super::script::{Effect, Script};
use super::simulation::Subject;
use crate::event::{Call, Kind, Micro, MicroKind, Reply};
use crate::value::{Key, Value};

/// What a transaction does to a key that it changes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    Write,
    Append,
}

const COMMITTED: &str = "read committed";
const SNAPSHOT: &str = "snapshot isolation";
const SERIALIZABLE: &str = "serializability";
const STRICT: &str = "strict serializability";

/// What both kinds of objects can show.
const COMMON: [Flaw; 11] = [
    Flaw::breaking("G1a", "a read sees what a transaction wrote that had failed", COMMITTED),
    Flaw::breaking("G1b", "a read sees what a transaction wrote first and then changed", COMMITTED),
    Flaw::breaking("G1c", "two transactions see each other's writes", COMMITTED),
    Flaw::breaking("G-single", "a read sees one write of a transaction and not the other (read skew)", SNAPSHOT),
    Flaw::breaking("lost-update", "two transactions read the same version of a key and both change it", SNAPSHOT),
    Flaw::breaking("long-fork", "two transactions see two independent writes in different orders", SNAPSHOT),
    Flaw::breaking("G2-item", "two transactions each miss what the other wrote (write skew)", SERIALIZABLE),
    Flaw::breaking("stale-read", "a read misses a write that was acknowledged before it began", STRICT),
    Flaw::breaking("phantom-read", "a read sees what nobody wrote", COMMITTED),
    Flaw::breaking("internal", "a transaction does not see its own write", COMMITTED),
    Flaw::breaking(
        "non-monotonic-read",
        "a process sees a write, and in its next transaction does not",
        "monotonic reads",
    ),
];

pub(super) const WRITE_FLAWS: [Flaw; 11] = COMMON;

/// Lists show the order of the writes, so more can be told.
pub(super) const APPEND_FLAWS: [Flaw; 14] = {
    let mut all =
        [Flaw::breaking("G0", "two transactions change two keys in different orders", "read uncommitted"); 14];
    let mut index = 0;
    while index < COMMON.len() {
        all[index + 1] = COMMON[index];
        index += 1;
    }
    all[12] = Flaw::breaking("duplicate-elements", "an element that was appended once shows twice", COMMITTED);
    all[13] = Flaw::breaking("incompatible-order", "two reads see two elements in different orders", COMMITTED);
    all
};

/// All keys together are the one object that transactions work on.
pub(super) struct Store {
    change: Change,
    /// By number of the key; none where nothing was written yet.
    values: Vec<Value>,
    /// The key that is in use, by place: a list that has become long is left, and another takes its place.
    current: Vec<usize>,
    change_percent: u32,
}

const LONG: usize = 32;
/// Most steps of a transaction.
const STEPS: usize = 4;

impl Store {
    pub(super) fn new(change: Change, keys: usize, change_percent: u32) -> Self {
        Self { change, values: vec![Value::Null; keys], current: (0..keys).collect(), change_percent }
    }

    fn step(&mut self, source: &mut Source) -> Micro {
        let place = source.rng.below(self.current.len());
        if let Value::List(list) = &self.values[self.current[place]]
            && list.len() >= LONG
        {
            self.current[place] = self.values.len();
            self.values.push(Value::Null);
        }
        let key = Key::Int(self.current[place] as i64);
        if source.rng.percent(self.change_percent) {
            Micro { kind: self.changes(), key, value: source.value() }
        } else {
            Micro { kind: MicroKind::Read, key, value: Value::Null }
        }
    }

    fn changes(&self) -> MicroKind {
        match self.change {
            Change::Write => MicroKind::Write,
            Change::Append => MicroKind::Append,
        }
    }

    /// What the step finds or leaves. Keys that only a script knows stay out of the simulation.
    fn perform(&mut self, step: &Micro) -> Value {
        let Key::Int(key) = step.key else { return step.value.clone() };
        let Some(held) = usize::try_from(key).ok().and_then(|key| self.values.get_mut(key)) else {
            return step.value.clone();
        };
        match step.kind {
            MicroKind::Read => return held.clone(),
            MicroKind::Write => *held = step.value.clone(),
            MicroKind::Append => {
                let before: &[Value] = if let Value::List(list) = held { list } else { &[] };
                *held = before.iter().chain([&step.value]).cloned().collect();
            }
        }
        step.value.clone()
    }
}

impl Subject for Store {
    fn draw(&mut self, source: &mut Source, _key: usize, _client: usize) -> (usize, Call) {
        let count = 1 + source.rng.below(STEPS);
        (0, Call::Txn((0..count).map(|_| self.step(source)).collect()))
    }

    fn apply(&mut self, _object: usize, _client: usize, call: &Call) -> Option<Reply> {
        let Call::Txn(steps) = call else { unreachable!("transactions and nothing else, not {call}") };
        let seen = steps.iter().map(|step| Micro { value: self.perform(step), ..step.clone() });
        Some(Reply::Txn(seen.collect()))
    }

    fn key(&self, _object: usize) -> Key {
        Key::None
    }

    /// The keys of a script are its own.
    fn freezes(&self) -> bool {
        false
    }

    fn target(&self, _flaw: Flaw, _key: usize) -> Option<usize> {
        Some(0)
    }

    fn scripted_processes(&self) -> usize {
        5
    }

    fn script(&self, flaw: Flaw, script: &mut Script) {
        let kind = self.changes();
        // Keys that no honest transaction has: theirs are numbers.
        let change = |key: &str, number: i64| Micro { kind, key: key.into(), value: Value::Int(number) };
        // What a read sees after these changes, the last of which is all that a register shows.
        let read = |key: &str, numbers: &[i64]| {
            let value = match (self.change, numbers) {
                (_, []) => Value::Null,
                (Change::Write, [.., last]) => Value::Int(*last),
                (Change::Append, all) => all.iter().copied().map(Value::Int).collect(),
            };
            Micro { kind: MicroKind::Read, key: key.into(), value }
        };
        let mut play = Play { script };
        let wx = change("x", 1);
        match flaw.name {
            "G0" => {
                let (one, two) = ([change("x", 1), change("y", 1)], [change("x", 2), change("y", 2)]);
                play.together(&[&one, &two]).alone(2, &[read("x", &[1, 2]), read("y", &[2, 1])])
            }
            "G1a" => play.failed(0, &[wx]).alone(1, &[read("x", &[1])]),
            "G1b" => play.together(&[&[wx, change("x", 2)], &[read("x", &[1])]]).alone(2, &[read("x", &[1, 2])]),
            "G1c" => play.together(&[&[wx, read("y", &[2])], &[change("y", 2), read("x", &[1])]]),
            "G-single" => {
                play.together(&[&[read("x", &[]), read("y", &[1])], &[wx, change("y", 1)]]).alone(2, &[read("x", &[1])])
            }
            "lost-update" => {
                play.alone(0, &[wx]);
                let (one, two) = ([read("x", &[1]), change("x", 2)], [read("x", &[1]), change("x", 3)]);
                play.together(&[&one, &two]).alone(2, &[read("x", &[1, 2, 3])])
            }
            "long-fork" => {
                let one = [read("x", &[1]), read("y", &[])];
                let two = [read("x", &[]), read("y", &[1])];
                play.together(&[&[wx], &[change("y", 1)], &one, &two]).alone(4, &[read("x", &[1]), read("y", &[1])])
            }
            "G2-item" => {
                let (one, two) = ([read("x", &[]), change("y", 1)], [read("y", &[]), wx]);
                play.together(&[&one, &two]).alone(2, &[read("x", &[1]), read("y", &[1])])
            }
            "stale-read" => play.alone(0, &[wx]).alone(1, &[read("x", &[])]).alone(2, &[read("x", &[1])]),
            "phantom-read" => play.alone(0, &[read("x", &[1])]),
            "internal" => play.alone(0, &[wx, read("x", &[])]),
            "non-monotonic-read" => play.alone(0, &[wx]).alone(1, &[read("x", &[1])]).alone(1, &[read("x", &[])]),
            "duplicate-elements" => play.alone(0, &[wx]).alone(1, &[read("x", &[1, 1])]),
            "incompatible-order" => {
                play.together(&[&[wx], &[change("x", 2)]]);
                play.alone(2, &[read("x", &[1, 2])]).alone(3, &[read("x", &[2, 1])])
            }
            other => unreachable!("{other} is not in the table"),
        };
    }
}

/// A script of transactions, given by what they did and saw.
struct Play<'a> {
    script: &'a mut Script,
}

impl Play<'_> {
    /// The call: what a read saw is not in it.
    fn call(seen: &[Micro]) -> Call {
        let blank = |step: &Micro| match step.kind {
            MicroKind::Read => Micro { value: Value::Null, ..step.clone() },
            MicroKind::Write | MicroKind::Append => step.clone(),
        };
        Call::Txn(seen.iter().map(blank).collect())
    }

    fn ok(&mut self, process: usize, seen: &[Micro]) {
        let reply = Kind::Ok(Reply::Txn(seen.iter().cloned().collect()));
        self.script.end(process, Self::call(seen), reply, Effect::None);
    }

    fn alone(&mut self, process: usize, seen: &[Micro]) -> &mut Self {
        self.script.invoke(process, Self::call(seen));
        self.ok(process, seen);
        self
    }

    fn failed(&mut self, process: usize, seen: &[Micro]) -> &mut Self {
        let call = Self::call(seen);
        self.script.invoke(process, call.clone()).end(process, call, Kind::Fail, Effect::None);
        self
    }

    /// All are invoked before any is answered.
    fn together(&mut self, transactions: &[&[Micro]]) -> &mut Self {
        for (process, seen) in transactions.iter().enumerate() {
            self.script.invoke(process, Self::call(seen));
        }
        for (process, seen) in transactions.iter().enumerate() {
            self.ok(process, seen);
        }
        self
    }
}
