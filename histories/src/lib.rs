//! Histories: what clients of a system asked for, and what they were told.
//!
//! # The native format
//!
//! JSON lines, one event a line, in the order in which the events happened:
//!
//! ```text
//! {"about":"one writer, one reader"}
//! {"process":0,"type":"invoke","f":"write","key":"x","value":5,"time":10}
//! {"process":1,"type":"invoke","f":"read","key":"x","time":20}
//! {"process":0,"type":"ok","f":"write","key":"x","value":5,"time":30}
//! {"process":1,"type":"ok","f":"read","key":"x","value":5,"time":40}
//! {"process":0,"type":"invoke","f":"cas","key":"x","value":[5,6],"time":50}
//! {"process":0,"type":"ok","f":"cas","key":"x","value":[5,6],"applied":false,"time":60}
//! ```
//!
//! * `type`: `invoke` starts an operation. `ok` ends it, its effect took place and its answer is a claim. `fail` ends it
//!   without effect and without claim. `info` ends it with nothing known: it may take effect at any later time, or never.
//! * `f`: `read`, `write`, `cas`, `append`; `add`, `remove`, `contains`; `enqueue`, `dequeue`; `push`, `pop`; `insert`,
//!   `pop-min`; `acquire`, `release`; `txn`; or `custom:NAME` for a model of your own. The value of a `cas` is
//!   `[old,new]`; a compare that was observed to differ ends in `ok` with `"applied":false`. What takes an argument
//!   repeats it as `value` on its completion, and what it returned, if anything, is `result` there. A `read`, `dequeue`,
//!   `pop` or `pop-min` takes none and carries what it returned as `value` on `ok` only; elsewhere its value is null or
//!   absent. A `txn` is a list of steps `["r",key,seen]`, `["w",key,value]`, `["append",key,value]`, where `seen` is null
//!   but on `ok`.
//! * Values are null (also the initial value of every register), true and false, 64-bit integers, strings and lists of
//!   values. Keys are integers and strings, absent where the system is one object. The integer 1 and the string "1"
//!   are different values and different keys.
//! * `time`, in nanoseconds, may be absent and is information only. **The order of the lines is the order of the
//!   events.** Where times run against it that is one of the [`Warnings`], or an error if the reader is told so.
//! * A process has one operation at a time, and after `info` it invokes no more: nobody knows whether it still runs one.
//!   Operations without completion at the end of the file are indeterminate.
//! * Line 1, and only line 1, may be `{"about":"..."}`: what the file shows and where it is from.
//! * Unknown fields are rejected, duplicated ones too: a misspelt `applied` would turn a claim into its opposite.
//!   So are blank lines.
//!
//! [`formats`] reads what others write. [`Reader`] streams and validates, [`Recorder`] writes,
//! [`generate`](mod@generate) makes histories with a known verdict,
//! [`statistics`] counts what one consists of.

mod error;
mod event;
pub mod formats;
pub mod generate;
mod history;
mod line;
mod pairing;
mod quick;
mod reader;
mod recorder;
pub mod statistics;
mod value;
mod warnings;

pub use error::{Error, Fault};
pub use event::{Call, Event, Kind, Micro, MicroKind, Reply};
pub use history::{History, Moment, Operation, Outcome};
pub use pairing::Misuse;
pub use reader::Reader;
pub use recorder::{RecordError, Recorder};
pub use value::{Key, Value};
pub use warnings::Warnings;
