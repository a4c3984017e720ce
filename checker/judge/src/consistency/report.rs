//! What a check says.

use std::fmt;
use std::time::Duration;

use sextant_histories::Key;

use super::anomaly::Anomaly;
use super::promise::Promise;
use crate::linearizability::Interrupt;
use crate::verdict::Verdict;

/// What a check may assume, and what it may use before it gives up with `unknown`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// What every register holds before its first write.
    pub initial: sextant_histories::Value,
    /// Assume that each register by itself is linearizable, which orders its values in real time.
    pub linearizable_keys: bool,
    /// Assume that each register by itself is sequentially consistent, which orders its values by session.
    pub sequential_keys: bool,
    pub timeout: Duration,
    /// How many configurations a search may hold at once.
    pub configurations: usize,
    /// Whether somebody wants an end of it. The searches ask; what takes polynomial time goes on to its end.
    pub interrupt: Option<Interrupt>,
}

impl Options {
    pub(super) fn is_interrupted(&self) -> bool {
        self.interrupt.is_some_and(Interrupt::is_set)
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            initial: sextant_histories::Value::Null,
            linearizable_keys: false,
            sequential_keys: false,
            timeout: Duration::from_secs(60),
            configurations: 4_000_000,
            interrupt: None,
        }
    }
}

#[derive(Clone, Debug)]
pub struct Report {
    pub promise: Promise,
    pub operations: usize,
    pub keys: usize,
    pub elapsed: Duration,
    pub finding: Finding,
}

#[derive(Clone, Debug)]
pub enum Finding {
    /// And why: what was found that shows it.
    Valid(Basis),
    /// The anomalies that break the promise, the worst first, one example of each name.
    Invalid(Vec<Violation>),
    Unknown(Unknown),
}

/// What a `valid` rests on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Basis {
    /// The condition is decided by what is known, without any choice.
    Exact,
    /// An order of operations, as numbers in the history, that shows it when it is replayed.
    Order(Vec<usize>),
    /// An order of the writes of every key that closes no cycle was found by search.
    VersionOrder,
}

/// One anomaly, with the operations that show it, as numbers in the history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    pub anomaly: Anomaly,
    /// Of a cycle: its operations in order, each leading to the next and the last to the first.
    pub operations: Vec<usize>,
    /// Of a cycle one sentence an edge, else one sentence. `T1` is the first of the operations, `T2` the second.
    pub sentences: Vec<String>,
    /// How many operations are part of some cycle with this one; 0 where it is not a cycle.
    pub entangled: usize,
}

/// Why there is no verdict. `Display` gives the reason as one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unknown {
    Empty,
    NoClaim,
    Unsupported {
        call: String,
        line: usize,
    },
    /// Appends and writes in one history.
    Mixed {
        append: usize,
        write: usize,
    },
    NotAList {
        key: Key,
        line: usize,
    },
    /// The value was written to the key twice, or is the initial one, so that nobody knows which write a read saw.
    NotDistinct {
        key: Key,
        value: String,
        line: usize,
    },
    /// The order of the writes is not known, and the search for one gave up.
    VersionOrder {
        keys: usize,
        pairs: usize,
        why: String,
    },
    /// The writes of the primary overlap, so that their order is not known.
    Overlap {
        one: usize,
        other: usize,
    },
    GaveUp(String),
}

impl Report {
    pub fn verdict(&self) -> Verdict {
        match self.finding {
            Finding::Valid(_) => Verdict::Valid,
            Finding::Invalid(_) => Verdict::Invalid,
            Finding::Unknown(_) => Verdict::Unknown,
        }
    }

    /// Why it is not valid, in one line; none where it is.
    pub fn reason(&self) -> Option<String> {
        match &self.finding {
            Finding::Valid(_) => None,
            Finding::Invalid(violations) => {
                let names: Vec<&str> = violations.iter().map(|violation| violation.anomaly.name()).collect();
                Some(names.join(", "))
            }
            Finding::Unknown(unknown) => Some(unknown.to_string()),
        }
    }

    pub fn violations(&self) -> &[Violation] {
        match &self.finding {
            Finding::Invalid(violations) => violations,
            Finding::Valid(_) | Finding::Unknown(_) => &[],
        }
    }
}

impl fmt::Display for Unknown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("the history is empty"),
            Self::NoClaim => f.write_str("no operation ended in ok, so there is nothing to check"),
            Self::Unsupported { call, line } => write!(f, "this promise says nothing of `{call}` on line {line}"),
            Self::Mixed { append, write } => {
                write!(f, "line {append} appends and line {write} writes: use one kind of object in a history")
            }
            Self::NotAList { key, line } => {
                write!(f, "line {line} reads from key {key} what is no list, though the history appends")
            }
            Self::NotDistinct { key, value, line } => {
                write!(
                    f,
                    "value {value} of key {key} on line {line} is not written once only, so reads have no one source"
                )
            }
            Self::VersionOrder { keys, pairs, why } => {
                write!(
                    f,
                    "no anomaly in what is known, but the order of {pairs} pairs of writes of {keys} keys is not, and {why}"
                )
            }
            Self::Overlap { one, other } => {
                write!(f, "the writes on lines {one} and {other} overlap, so the primary's order is not known")
            }
            Self::GaveUp(why) => f.write_str(why),
        }
    }
}
