//! What is appended to: a key-value store of strings (get, put, append), and lists.

use super::Flaw;
use super::rng::Source;
use super::script::{Effect, Script};
use super::simulation::Subject;
use crate::event::{Call, Kind, Reply};
use crate::value::Value;

pub(super) const STORE_FLAWS: [Flaw; 5] = [
    Flaw::new("stale-read", "a read lacks an append that was acknowledged before, though it has the write below it"),
    Flaw::new("lost-append", "an acknowledged append does not show, though a later one does"),
    Flaw::new("duplicated-append", "one append shows twice"),
    Flaw::new("reordered-appends", "two appends, one after the other, show in the other order"),
    Flaw::new("phantom-append", "a read returns what nobody appended"),
];

pub(super) const LIST_FLAWS: [Flaw; 6] = [
    Flaw::new("stale-read", "a read lacks an element that an earlier read has"),
    Flaw::new("lost-append", "an acknowledged append does not show"),
    Flaw::new("duplicated-append", "an element that was appended once shows twice"),
    Flaw::new("reordered-appends", "two elements, appended one after the other, show in the other order"),
    Flaw::new("phantom-append", "a read returns an element that nobody appended"),
    Flaw::new("forked-read", "two reads see two lists of which neither is the beginning of the other"),
];

/// One string a key; null before the first write. Nothing is ever appended that does not end in a full stop, so that a
/// string says what it was made of.
pub(super) struct Store {
    pub(super) values: Vec<Option<String>>,
    pub(super) change_percent: u32,
}

fn text(text: &str) -> Value {
    text.into()
}

impl Subject for Store {
    fn draw(&mut self, source: &mut Source, key: usize, _client: usize) -> (usize, Call) {
        if !source.rng.percent(self.change_percent) {
            return (key, Call::Read);
        }
        let piece = text(&format!("{}.", source.number()));
        (key, if source.rng.percent(30) { Call::Write(piece) } else { Call::Append(piece) })
    }

    fn apply(&mut self, object: usize, _client: usize, call: &Call) -> Option<Reply> {
        let value = &mut self.values[object];
        match call {
            Call::Read => Some(Reply::Read(value.as_deref().map_or(Value::Null, text))),
            Call::Write(Value::Str(new)) => {
                *value = Some(new.to_string());
                Some(Reply::Written)
            }
            Call::Append(Value::Str(more)) => {
                value.get_or_insert_default().push_str(more);
                Some(Reply::Done)
            }
            other => unreachable!("a store of strings has no {other}"),
        }
    }

    /// Only the script writes and appends letters: what begins with `s.` was written by it, and what stands behind that
    /// was appended later.
    fn script(&self, flaw: Flaw, script: &mut Script) {
        let append = |piece: &str| Call::Append(text(piece));
        script.write(0, &text("s."));
        match flaw.name {
            "stale-read" => script.done(0, append("a."), Reply::Done).read(1, &text("s.")),
            "lost-append" => {
                script.claimed(0, append("a."), Reply::Done).done(1, append("b."), Reply::Done).read(0, &text("s.b."))
            }
            "duplicated-append" => script.done(0, append("a."), Reply::Done).read(1, &text("s.a.a.")),
            "reordered-appends" => {
                script.done(0, append("a."), Reply::Done).done(1, append("b."), Reply::Done).read(0, &text("s.b.a."))
            }
            "phantom-append" => script.read(1, &text("s.p.")),
            other => unreachable!("{other} is not in the table"),
        };
    }
}

/// Lists. A key is left after some appends and another takes its place: reads repeat the whole list, and a history of
/// one long list would be of quadratic size.
pub(super) struct Lists {
    objects: Vec<Vec<Value>>,
    /// The list that is in use, by key.
    current: Vec<usize>,
    append_percent: u32,
}

/// How many elements a list gets before another takes its place.
const LONG: usize = 48;

impl Lists {
    pub(super) fn new(keys: usize, append_percent: u32) -> Self {
        Self { objects: vec![Vec::new(); keys], current: (0..keys).collect(), append_percent }
    }
}

impl Subject for Lists {
    fn draw(&mut self, source: &mut Source, key: usize, _client: usize) -> (usize, Call) {
        if self.objects[self.current[key]].len() >= LONG {
            self.current[key] = self.objects.len();
            self.objects.push(Vec::new());
        }
        let call = if source.rng.percent(self.append_percent) { Call::Append(source.value()) } else { Call::Read };
        (self.current[key], call)
    }

    fn apply(&mut self, object: usize, _client: usize, call: &Call) -> Option<Reply> {
        let list = &mut self.objects[object];
        match call {
            Call::Read => Some(Reply::Read(list.iter().cloned().collect())),
            Call::Append(value) => {
                list.push(value.clone());
                Some(Reply::Done)
            }
            other => unreachable!("a list has no {other}"),
        }
    }

    fn target(&self, _flaw: Flaw, key: usize) -> Option<usize> {
        Some(self.current[key])
    }

    /// Nothing is ever taken out, and only the script appends negative elements.
    fn script(&self, flaw: Flaw, script: &mut Script) {
        let now = script.object.map_or(&[][..], |object| &self.objects[object]);
        let with = |more: &[i64]| now.iter().cloned().chain(more.iter().map(|number| Value::Int(*number))).collect();
        let append = |number: i64| Call::Append(Value::Int(number));
        match flaw.name {
            "stale-read" => script.done(0, append(-1), Reply::Done).read(1, &with(&[-1])).read(0, &with(&[])),
            "lost-append" => script.claimed(0, append(-1), Reply::Done).read(1, &with(&[])),
            "duplicated-append" => script.done(0, append(-1), Reply::Done).read(1, &with(&[-1, -1])),
            "reordered-appends" => {
                script.done(0, append(-1), Reply::Done).done(1, append(-2), Reply::Done).read(0, &with(&[-2, -1]))
            }
            "phantom-append" => script.read(1, &with(&[-1])),
            "forked-read" => {
                let (one, other) = (append(-1), append(-2));
                script.invoke(0, one.clone()).invoke(1, other.clone());
                script.read(2, &with(&[-1])).read(3, &with(&[-2]));
                script.end(0, one, Kind::Ok(Reply::Done), Effect::Real);
                script.end(1, other, Kind::Ok(Reply::Done), Effect::Real)
            }
            other => unreachable!("{other} is not in the table"),
        };
    }

    fn scripted_processes(&self) -> usize {
        4
    }
}
