//! Events as a file has them, before they are held against each other.

use std::sync::Arc;

use super::source::At;
use crate::event::Call;
use crate::value::{Key, Value};

/// What Jepsen's bank calls it.
pub(super) const TRANSFER: &str = "transfer";

/// What a function is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum F {
    Read,
    Write,
    Cas,
    Append,
    Add,
    Remove,
    Contains,
    Enqueue,
    Dequeue,
    /// Dequeues until nothing is left.
    Drain,
    Push,
    Pop,
    Insert,
    PopMin,
    Acquire,
    Release,
    Txn,
    /// Between accounts of a bank, whose reads are not those of a register.
    Transfer,
    Other(Arc<str>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Invoke,
    Ok,
    Fail,
    Info,
}

/// An event before it is held against the others.
#[derive(Clone, Debug)]
pub(super) struct Event {
    pub(super) at: At,
    /// None where the file does not say: each operation is then a process of its own.
    pub(super) process: Option<u64>,
    pub(super) kind: Kind,
    pub(super) f: F,
    /// None where it is absent, and for `fail` and `info`.
    pub(super) value: Option<Value>,
    /// Whether the value was a map: what a read of accounts returns.
    pub(super) is_map: bool,
    /// What was returned, said apart from the value.
    pub(super) result: Option<Value>,
    /// A cas that found another value.
    pub(super) differed: bool,
    pub(super) key: Option<Key>,
    pub(super) index: Option<u64>,
    pub(super) time: Option<u64>,
}

impl F {
    /// The function of this name. What starts with `custom:` belongs to a model of the user's own.
    pub(super) fn of(name: &str) -> Option<Self> {
        Some(match name {
            "read" => Self::Read,
            "write" => Self::Write,
            "cas" => Self::Cas,
            "append" => Self::Append,
            "add" => Self::Add,
            "remove" => Self::Remove,
            "contains" => Self::Contains,
            "enqueue" => Self::Enqueue,
            "dequeue" => Self::Dequeue,
            "drain" => Self::Drain,
            "push" => Self::Push,
            "pop" => Self::Pop,
            "insert" => Self::Insert,
            "pop-min" => Self::PopMin,
            "acquire" => Self::Acquire,
            "release" => Self::Release,
            "txn" => Self::Txn,
            TRANSFER => Self::Transfer,
            _ => match name.strip_prefix("custom:") {
                None | Some("") => return None,
                Some(name) => Self::Other(name.into()),
            },
        })
    }

    /// Whether `call` is of this function.
    pub(super) fn is_that_of(&self, call: &Call) -> bool {
        match (self, call) {
            (Self::Read, Call::Read)
            | (Self::Write, Call::Write(_))
            | (Self::Cas, Call::Cas { .. })
            | (Self::Append, Call::Append(_))
            | (Self::Add, Call::Add(_))
            | (Self::Remove, Call::Remove(_))
            | (Self::Contains, Call::Contains(_))
            | (Self::Enqueue, Call::Enqueue(_))
            | (Self::Dequeue, Call::Dequeue)
            | (Self::Push, Call::Push(_))
            | (Self::Pop, Call::Pop)
            | (Self::Insert, Call::Insert(_))
            | (Self::PopMin, Call::PopMin)
            | (Self::Acquire, Call::Acquire)
            | (Self::Release, Call::Release)
            | (Self::Txn, Call::Txn(_)) => true,
            (Self::Transfer, Call::Other(name, _)) => &**name == TRANSFER,
            (Self::Other(own), Call::Other(name, _)) => own == name,
            _ => false,
        }
    }

    /// Whether its value is what it returned.
    pub(super) fn returns(&self) -> bool {
        matches!(self, Self::Read | Self::Dequeue | Self::Drain | Self::Pop | Self::PopMin)
    }
}

/// Events in the order of the file. In pieces, so that each can be given back as soon as it has become part of a history.
#[derive(Debug, Default)]
pub(super) struct Events {
    pieces: Vec<Vec<Event>>,
}

/// How many events a piece has.
const PIECE: usize = 1 << 12;

impl Events {
    pub(super) fn push(&mut self, event: Event) {
        match self.pieces.last_mut().filter(|piece| piece.len() < PIECE) {
            Some(piece) => piece.push(event),
            None => {
                let mut piece = Vec::with_capacity(PIECE);
                piece.push(event);
                self.pieces.push(piece);
            }
        }
    }

    pub(super) fn len(&self) -> usize {
        self.pieces.iter().map(Vec::len).sum()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Event> {
        self.pieces.iter().flatten()
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Event> {
        self.pieces.iter_mut().flatten()
    }

    /// Two that follow each other, at a time.
    pub(super) fn pairs(&self) -> impl Iterator<Item = (&Event, &Event)> {
        self.iter().zip(self.iter().skip(1))
    }

    pub(super) fn sort_by_index(&mut self) {
        let mut all: Vec<Event> = std::mem::take(self).into_iter().collect();
        all.sort_by_key(|event| event.index);
        self.pieces.push(all);
    }
}

impl IntoIterator for Events {
    type Item = Event;
    type IntoIter = std::iter::Flatten<std::vec::IntoIter<Vec<Event>>>;

    fn into_iter(self) -> Self::IntoIter {
        self.pieces.into_iter().flatten()
    }
}

impl FromIterator<Event> for Events {
    fn from_iter<I: IntoIterator<Item = Event>>(events: I) -> Self {
        let mut all = Self::default();
        events.into_iter().for_each(|event| all.push(event));
        all
    }
}
