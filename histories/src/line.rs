//! An event as one line of JSON.

use std::borrow::Cow;

use serde::de;
use serde::{Deserialize, Deserializer, Serialize};

use crate::event::{Call, Event, Kind, Micro, MicroKind, Reply};
use crate::value::{Key, Value};

/// Before the name of a function that only a model of its own knows.
const OTHER: &str = "custom:";

const FUNCTIONS: &[&str] = &[
    "read", "write", "cas", "append", "add", "remove", "contains", "enqueue", "dequeue", "push", "pop", "insert",
    "pop-min", "acquire", "release", "txn",
];

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Type {
    Invoke,
    Ok,
    Fail,
    Info,
}

/// A line as it is written, before its fields are held against each other.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Line<'a> {
    pub(crate) process: u64,
    #[serde(rename = "type")]
    pub(crate) kind: Type,
    #[serde(borrow, deserialize_with = "function")]
    pub(crate) f: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "is_none")]
    pub(crate) key: Key,
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub(crate) value: Option<Value>,
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub(crate) applied: Option<bool>,
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub(crate) result: Option<Value>,
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub(crate) time: Option<u64>,
}

/// Line 1 of a file may say what the file is about.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Header {
    pub(crate) about: String,
}

fn is_none(key: &Key) -> bool {
    *key == Key::None
}

/// Refused here and not later, where the column is not known any more.
fn function<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Cow<'de, str>, D::Error> {
    let name = Name::deserialize(deserializer)?.0;
    let known = FUNCTIONS.contains(&&name[..]) || name.strip_prefix(OTHER).is_some_and(|name| !name.is_empty());
    if known { Ok(name) } else { Err(de::Error::unknown_variant(&name, FUNCTIONS)) }
}

#[derive(Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

/// A field that is there has a value of its type: serde would read `"applied":null` as no field at all.
fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

impl<'a> Line<'a> {
    /// None for an `ok` whose reply does not answer its call.
    pub(crate) fn of(event: &'a Event) -> Option<Self> {
        let mut value = event.call.argument();
        let (mut applied, mut result) = (None, None);
        let kind = match &event.kind {
            Kind::Invoke => Type::Invoke,
            Kind::Fail => Type::Fail,
            Kind::Info => Type::Info,
            Kind::Ok(reply) if !reply.answers(&event.call) => return None,
            Kind::Ok(reply) => {
                match reply {
                    Reply::Read(seen) => value = Some(seen.clone()),
                    Reply::Returned(seen) if event.call.takes_nothing_and_returns() => value = Some(seen.clone()),
                    Reply::Returned(seen) => result = Some(seen.clone()),
                    Reply::Txn(seen) => value = Some(seen.iter().map(Micro::to_value).collect()),
                    Reply::Differed => applied = Some(false),
                    Reply::Written | Reply::Swapped | Reply::Done => {}
                }
                Type::Ok
            }
        };
        let f = match &event.call {
            Call::Other(name, _) => Cow::Owned(format!("{OTHER}{name}")),
            call => Cow::Borrowed(call.name()),
        };
        Some(Self { process: event.process, kind, f, key: event.key.clone(), value, applied, result, time: event.time })
    }

    /// The error is a reason.
    pub(crate) fn into_event(self) -> Result<Event, String> {
        if self.applied.is_some() && (self.kind, &self.f[..]) != (Type::Ok, "cas") {
            return Err("`applied` belongs to the ok of a cas".into());
        }
        let call = self.call()?;
        let kind = self.kind(&call)?;
        Ok(Event { process: self.process, kind, call, key: self.key, time: self.time })
    }

    fn call(&self) -> Result<Call, String> {
        match &self.f[..] {
            "read" => self.alone(Call::Read),
            "dequeue" => self.alone(Call::Dequeue),
            "pop" => self.alone(Call::Pop),
            "pop-min" => self.alone(Call::PopMin),
            "acquire" => self.alone(Call::Acquire),
            "release" => self.alone(Call::Release),
            "write" => self.argument().map(Call::Write),
            "append" => self.argument().map(Call::Append),
            "add" => self.argument().map(Call::Add),
            "remove" => self.argument().map(Call::Remove),
            "contains" => self.argument().map(Call::Contains),
            "enqueue" => self.argument().map(Call::Enqueue),
            "push" => self.argument().map(Call::Push),
            "insert" => self.argument().map(Call::Insert),
            "cas" => match self.argument()? {
                Value::List(pair) if pair.len() == 2 => Ok(Call::Cas { old: pair[0].clone(), new: pair[1].clone() }),
                _ => Err("the value of a cas is the pair [old,new]".into()),
            },
            "txn" => {
                let mut steps = self.steps()?;
                steps.iter_mut().filter(|step| step.kind == MicroKind::Read).for_each(|step| step.value = Value::Null);
                Ok(Call::Txn(steps.into()))
            }
            other => match other.strip_prefix(OTHER) {
                Some("") | None => Err(format!("unknown function {other:?}")),
                Some(name) => Ok(Call::Other(name.into(), self.value.clone().unwrap_or_default())),
            },
        }
    }

    fn alone(&self, call: Call) -> Result<Call, String> {
        match &self.value {
            None | Some(Value::Null) => Ok(call),
            Some(_) if self.kind == Type::Ok && call.takes_nothing_and_returns() => Ok(call),
            Some(_) if call.takes_nothing_and_returns() => {
                Err(format!("a {} has a value only when it ends in ok", self.f))
            }
            Some(_) => Err(format!("`{}` has no value", self.f)),
        }
    }

    fn argument(&self) -> Result<Value, String> {
        self.value.clone().ok_or_else(|| "missing field `value`".into())
    }

    fn steps(&self) -> Result<Vec<Micro>, String> {
        match self.argument()? {
            Value::List(steps) => steps.iter().map(Micro::from_value).collect(),
            _ => Err("the value of a txn is a list of steps".into()),
        }
    }

    fn kind(&self, call: &Call) -> Result<Kind, String> {
        if self.result.is_some() && self.kind != Type::Ok {
            return Err("`result` belongs to an ok".into());
        }
        match self.kind {
            Type::Invoke => Ok(Kind::Invoke),
            Type::Fail => Ok(Kind::Fail),
            Type::Info => Ok(Kind::Info),
            Type::Ok => self.reply(call).map(Kind::Ok),
        }
    }

    fn reply(&self, call: &Call) -> Result<Reply, String> {
        let reply = match (call, &self.result) {
            (Call::Read, None) => Reply::Read(self.argument()?),
            (Call::Dequeue | Call::Pop | Call::PopMin, None) => Reply::Returned(self.argument()?),
            (Call::Write(_), None) => Reply::Written,
            (Call::Cas { .. }, None) if self.applied == Some(false) => Reply::Differed,
            (Call::Cas { .. }, None) => Reply::Swapped,
            (Call::Txn(_), None) => Reply::Txn(self.steps()?.into()),
            (Call::Contains(_), None) => return Err("missing field `result`: true or false".into()),
            (_, None) => Reply::Done,
            (_, Some(result)) => Reply::Returned(result.clone()),
        };
        if reply.answers(call) { Ok(reply) } else { Err(format!("`result` does not answer a {}", self.f)) }
    }
}
