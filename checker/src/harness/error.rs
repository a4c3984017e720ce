//! Failures of the harness: ours, not the system's. A run that ends in one proves nothing.

use std::fmt;
use std::io;
use std::time::Duration;

use sextant_histories::RecordError;

#[derive(Debug)]
pub enum HarnessError {
    /// The configuration asks for something that does not exist: bad usage.
    Usage(String),
    /// The machine refused: a file, a directory, a process.
    Io { what: String, error: io::Error },
    /// A process of the cluster did not do in time what it must.
    TimedOut { what: String, after: Duration },
    /// A process ended while the cluster was being set up.
    Ended { name: String, how: String },
    /// The history could not be written.
    Record(RecordError),
    /// The user stopped it before there was anything to judge.
    Interrupted,
}

impl HarnessError {
    pub(crate) fn io(what: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let what = what.into();
        move |error| Self::Io { what, error }
    }
}

impl fmt::Display for HarnessError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(reason) => f.write_str(reason),
            Self::Io { what, error } => write!(f, "{what}: {error}"),
            Self::TimedOut { what, after } => write!(f, "{what}: not within {} s", after.as_secs_f32()),
            Self::Ended { name, how } => write!(f, "{name} ended while the cluster started: {how}"),
            Self::Record(error) => write!(f, "record the history: {error}"),
            Self::Interrupted => f.write_str("interrupted"),
        }
    }
}

impl std::error::Error for HarnessError {}

impl From<RecordError> for HarnessError {
    fn from(error: RecordError) -> Self {
        Self::Record(error)
    }
}
