//! Events, and their form as one line of JSON.

use std::fmt;
use std::sync::Arc;

use crate::line;
use crate::value::{Key, Value};

/// What a client asks for. Which of these an object has, and what they do to it, is the matter of a model.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Call {
    Read,
    Write(Value),
    /// Compare-and-set: write `new` if the key holds `old`, all in one step.
    Cas {
        old: Value,
        new: Value,
    },
    /// Put at the end of a list, or of a string.
    Append(Value),
    /// Put into a set, or add to a counter.
    Add(Value),
    /// Take out of a set.
    Remove(Value),
    /// Whether a set has it.
    Contains(Value),
    Enqueue(Value),
    Dequeue,
    Push(Value),
    Pop,
    /// Put into a priority queue.
    Insert(Value),
    /// Take the least out of a priority queue.
    PopMin,
    /// Lock a mutex.
    Acquire,
    /// Unlock it.
    Release,
    /// Several reads, writes and appends in one step, each with a key of its own.
    Txn(Arc<[Micro]>),
    /// An operation of a model that this crate does not know: its name, and what it takes.
    Other(Arc<str>, Value),
}

/// What a transaction does to one key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MicroKind {
    Read,
    Write,
    Append,
}

/// One step of a transaction. The value of a read is null in the call, and in the reply what was seen.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Micro {
    pub kind: MicroKind,
    pub key: Key,
    pub value: Value,
}

/// What the system answers; [`Reply::answers`] says what answers what.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Reply {
    Read(Value),
    Written,
    /// The compare held and the new value was written.
    Swapped,
    /// The key was seen to hold something else than the old value. Nothing was written, and this is a claim.
    Differed,
    /// It took effect, and no more was said.
    Done,
    /// It took effect and returned this: the element dequeued, or whether a set has it. Null is what an empty queue,
    /// stack or priority queue returns.
    Returned(Value),
    /// The steps of the transaction, with what its reads saw.
    Txn(Arc<[Micro]>),
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

impl Call {
    /// The name of the function, as the native format has it. That of [`Call::Other`] comes without its prefix.
    pub fn name(&self) -> &str {
        match self {
            Self::Read => "read",
            Self::Write(_) => "write",
            Self::Cas { .. } => "cas",
            Self::Append(_) => "append",
            Self::Add(_) => "add",
            Self::Remove(_) => "remove",
            Self::Contains(_) => "contains",
            Self::Enqueue(_) => "enqueue",
            Self::Dequeue => "dequeue",
            Self::Push(_) => "push",
            Self::Pop => "pop",
            Self::Insert(_) => "insert",
            Self::PopMin => "pop-min",
            Self::Acquire => "acquire",
            Self::Release => "release",
            Self::Txn(_) => "txn",
            Self::Other(name, _) => name,
        }
    }

    /// What it takes; none for a read and the like. A cas takes the pair of both values, a transaction its steps.
    pub fn argument(&self) -> Option<Value> {
        match self {
            Self::Read | Self::Dequeue | Self::Pop | Self::PopMin | Self::Acquire | Self::Release => None,
            Self::Write(value)
            | Self::Append(value)
            | Self::Add(value)
            | Self::Remove(value)
            | Self::Contains(value)
            | Self::Enqueue(value)
            | Self::Push(value)
            | Self::Insert(value)
            | Self::Other(_, value) => Some(value.clone()),
            Self::Cas { old, new } => Some([old.clone(), new.clone()].into_iter().collect()),
            Self::Txn(steps) => Some(steps.iter().map(Micro::to_value).collect()),
        }
    }

    /// Whether the element or value that it returns is all that a completion says, in the place of the argument.
    pub(crate) fn takes_nothing_and_returns(&self) -> bool {
        matches!(self, Self::Read | Self::Dequeue | Self::Pop | Self::PopMin)
    }
}

impl MicroKind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Read => "r",
            Self::Write => "w",
            Self::Append => "append",
        }
    }
}

impl Micro {
    /// `["r", key, value]`.
    pub fn to_value(&self) -> Value {
        [self.kind.name().into(), self.key.clone().into(), self.value.clone()].into_iter().collect()
    }

    /// Reads what [`Micro::to_value`] writes; the error is a reason.
    pub fn from_value(value: &Value) -> Result<Self, String> {
        let Value::List(parts) = value else {
            return Err("a step of a transaction is a list".into());
        };
        let [Value::Str(kind), key, value] = &parts[..] else {
            return Err("a step of a transaction is [\"r\" or \"w\" or \"append\", key, value]".into());
        };
        let kind = match &kind[..] {
            "r" => MicroKind::Read,
            "w" => MicroKind::Write,
            "append" => MicroKind::Append,
            other => return Err(format!("unknown step {other:?} of a transaction: use r, w or append")),
        };
        let key = Key::try_from(key.clone()).map_err(|_| "the key of a step is an integer or a string".to_owned())?;
        Ok(Self { kind, key, value: value.clone() })
    }

    /// Whether `seen`, in a reply, belongs to this step of the call: the same, but for what a read saw.
    fn is_answered_by(&self, seen: &Self) -> bool {
        let same = self.kind == seen.kind && self.key == seen.key;
        same && (self.kind == MicroKind::Read || self.value == seen.value)
    }
}

impl Reply {
    /// Whether this is a possible answer to `call`.
    pub fn answers(&self, call: &Call) -> bool {
        match (call, self) {
            (Call::Read, Reply::Read(_))
            | (Call::Write(_), Reply::Written)
            | (Call::Cas { .. }, Reply::Swapped | Reply::Differed)
            | (Call::Append(_) | Call::Enqueue(_) | Call::Push(_) | Call::Insert(_), Reply::Done)
            | (Call::Acquire | Call::Release, Reply::Done)
            | (Call::Add(_) | Call::Remove(_) | Call::Other(..), Reply::Done | Reply::Returned(_))
            | (Call::Contains(_), Reply::Returned(Value::Bool(_)))
            | (Call::Dequeue | Call::Pop | Call::PopMin, Reply::Returned(_)) => true,
            (Call::Txn(steps), Reply::Txn(seen)) => {
                steps.len() == seen.len() && steps.iter().zip(seen.iter()).all(|(step, seen)| step.is_answered_by(seen))
            }
            _ => false,
        }
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self, self.argument()) {
            (Self::Cas { old, new }, _) => write!(f, "cas {old} to {new}"),
            (call, Some(argument)) => write!(f, "{} {argument}", call.name()),
            (call, None) => f.write_str(call.name()),
        }
    }
}

impl Event {
    /// The event as a line of the native format, without the line feed. `None` for an `ok` that does not answer its
    /// call, which the format cannot say.
    pub fn to_line(&self) -> Option<String> {
        serde_json::to_string(&line::Line::of(self)?).ok()
    }
}
