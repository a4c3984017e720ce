//! Events, and their form as one line of JSON.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize};

use crate::value::{Key, Payload, Value};

/// What a client asks for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Call {
    Read,
    Write(Value),
    /// Compare-and-set: write `new` if the key holds `old`, all in one step.
    Cas {
        old: Value,
        new: Value,
    },
}

/// What the system answers. Law: `Read` answers a read, `Written` a write, `Swapped` and `Differed` a cas; see
/// [`Reply::answers`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Reply {
    Read(Value),
    Written,
    /// The compare held and the new value was written.
    Swapped,
    /// The key was seen to hold something else than the old value. Nothing was written, and this is a claim.
    Differed,
}

/// Which of its two events of an operation this is, and how it ended.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    Invoke,
    Ok(Reply),
    /// The operation had no effect, and claims nothing.
    Fail,
    /// Nobody knows: the operation may take effect at any later time, or never.
    Info,
}

/// One event of a history: one line of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    pub process: u64,
    pub kind: Kind,
    pub call: Call,
    pub key: Key,
    /// Nanoseconds since a moment that the recorder chose. Information only.
    pub time: Option<u64>,
}

impl Reply {
    /// Whether this is a possible answer to `call`.
    pub fn answers(&self, call: &Call) -> bool {
        matches!(
            (call, self),
            (Call::Read, Reply::Read(_))
                | (Call::Write(_), Reply::Written)
                | (Call::Cas { .. }, Reply::Swapped | Reply::Differed)
        )
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read => f.write_str("read"),
            Self::Write(value) => write!(f, "write {value}"),
            Self::Cas { old, new } => write!(f, "cas {old} to {new}"),
        }
    }
}

impl Event {
    /// The event as a line of the native format, without the line feed. `None` for an `ok` that does not answer its
    /// call, which the format cannot say.
    pub fn to_line(&self) -> Option<String> {
        let line = Line::try_from(self).ok()?;
        serde_json::to_string(&line).ok()
    }

    pub(crate) fn from_line(line: Line) -> Result<Self, String> {
        let call = call_of(&line)?;
        let kind = kind_of(&line, &call)?;
        Ok(Self { process: line.process, kind, call, key: line.key, time: line.time })
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Type {
    Invoke,
    Ok,
    Fail,
    Info,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Function {
    Read,
    Write,
    Cas,
}

/// A line as it is written, before its fields are held against each other.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Line {
    process: u64,
    #[serde(rename = "type")]
    kind: Type,
    f: Function,
    key: Key,
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    value: Option<Payload>,
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    applied: Option<bool>,
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    time: Option<u64>,
}

/// Line 1 of a file may say what the file is about.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Header {
    pub(crate) about: String,
}

/// A field that is there has a value of its type: serde would read `"applied":null` as no field at all.
fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

fn call_of(line: &Line) -> Result<Call, String> {
    match (line.f, &line.value) {
        (Function::Write | Function::Cas, None) => Err("missing field `value`".into()),
        (Function::Write, Some(Payload::One(value))) => Ok(Call::Write(value.clone())),
        (Function::Write, Some(Payload::Pair(..))) => Err("a write has one value, not a pair".into()),
        (Function::Cas, Some(Payload::Pair(old, new))) => Ok(Call::Cas { old: old.clone(), new: new.clone() }),
        (Function::Cas, Some(Payload::One(_))) => Err("the value of a cas is the pair [old,new]".into()),
        (Function::Read, Some(Payload::Pair(..))) => Err("a read has one value, not a pair".into()),
        (Function::Read, Some(Payload::One(value))) if line.kind != Type::Ok && *value != Value::Null => {
            Err("a read has a value only when it ends in ok".into())
        }
        (Function::Read, _) => Ok(Call::Read),
    }
}

fn kind_of(line: &Line, call: &Call) -> Result<Kind, String> {
    if line.applied.is_some() && (line.kind, line.f) != (Type::Ok, Function::Cas) {
        return Err("`applied` belongs to the ok of a cas".into());
    }
    match line.kind {
        Type::Invoke => Ok(Kind::Invoke),
        Type::Fail => Ok(Kind::Fail),
        Type::Info => Ok(Kind::Info),
        Type::Ok => match (call, &line.value) {
            (Call::Read, Some(Payload::One(value))) => Ok(Kind::Ok(Reply::Read(value.clone()))),
            (Call::Read, _) => Err("missing field `value`".into()),
            (Call::Write(_), _) => Ok(Kind::Ok(Reply::Written)),
            (Call::Cas { .. }, _) if line.applied == Some(false) => Ok(Kind::Ok(Reply::Differed)),
            (Call::Cas { .. }, _) => Ok(Kind::Ok(Reply::Swapped)),
        },
    }
}

/// An `ok` whose reply does not answer its call.
pub(crate) struct Unanswered;

impl TryFrom<&Event> for Line {
    type Error = Unanswered;

    fn try_from(event: &Event) -> Result<Self, Unanswered> {
        let (f, mut value) = match &event.call {
            Call::Read => (Function::Read, None),
            Call::Write(value) => (Function::Write, Some(Payload::One(value.clone()))),
            Call::Cas { old, new } => (Function::Cas, Some(Payload::Pair(old.clone(), new.clone()))),
        };
        let mut applied = None;
        let kind = match &event.kind {
            Kind::Invoke => Type::Invoke,
            Kind::Fail => Type::Fail,
            Kind::Info => Type::Info,
            Kind::Ok(reply) if !reply.answers(&event.call) => return Err(Unanswered),
            Kind::Ok(reply) => {
                match reply {
                    Reply::Read(seen) => value = Some(Payload::One(seen.clone())),
                    Reply::Differed => applied = Some(false),
                    Reply::Written | Reply::Swapped => {}
                }
                Type::Ok
            }
        };
        Ok(Self { process: event.process, kind, f, key: event.key.clone(), value, applied, time: event.time })
    }
}
