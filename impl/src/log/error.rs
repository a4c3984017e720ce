//! What can go wrong with a log. Every message is one line and names the path.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// Cloneable, because a poisoned log answers every later call with the error that poisoned it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogError {
    /// The directory holds no log: never created, or wiped. Never to be read as "an empty log".
    NoLog {
        path: PathBuf,
    },
    /// `create` found a log.
    Exists {
        path: PathBuf,
    },
    /// Another process, or another handle of this one, holds the log open.
    Busy {
        path: PathBuf,
    },
    /// Bytes that had been synced are damaged or gone. `offset` counts bytes from the start of `path`.
    Corrupt {
        path: PathBuf,
        offset: u64,
        what: String,
    },
    /// Intact, but written in a format that this program does not read.
    Version {
        path: PathBuf,
        found: u16,
        supported: u16,
    },
    /// No space left on the device, or a quota is used up.
    Full {
        path: PathBuf,
        operation: &'static str,
    },
    Io {
        path: PathBuf,
        operation: &'static str,
        kind: io::ErrorKind,
        message: String,
    },
    /// The entry can never fit into one segment file of this log.
    EntryTooLarge {
        bytes: usize,
        bytes_max: usize,
    },
    /// Options that no log can have.
    Options {
        what: String,
    },
}

impl LogError {
    pub(super) fn io(operation: &'static str, path: &Path, error: &io::Error) -> Self {
        let path = path.to_path_buf();
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full { path, operation },
            kind => Self::Io { path, operation, kind, message: error.to_string() },
        }
    }

    pub(super) fn corrupt(path: &Path, offset: u64, what: impl Into<String>) -> Self {
        Self::Corrupt { path: path.to_path_buf(), offset, what: what.into() }
    }
}

impl fmt::Display for LogError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoLog { path } => write!(f, "open log: no log in {}", path.display()),
            Self::Exists { path } => write!(f, "create log: {} already holds a log or part of one", path.display()),
            Self::Busy { path } => write!(f, "lock log: {} is open elsewhere", path.display()),
            Self::Corrupt { path, offset, what } => {
                write!(f, "read log: {} is corrupt at byte {offset}: {what}", path.display())
            }
            Self::Version { path, found, supported } => {
                write!(f, "read log: {} has format version {found}, this program reads {supported}", path.display())
            }
            Self::Full { path, operation } => {
                write!(f, "{operation} {}: no space left on device", path.display())
            }
            Self::Io { path, operation, message, .. } => write!(f, "{operation} {}: {message}", path.display()),
            Self::EntryTooLarge { bytes, bytes_max } => {
                write!(f, "append entry: {bytes} bytes, a segment file holds at most {bytes_max}")
            }
            Self::Options { what } => write!(f, "use log options: {what}"),
        }
    }
}

impl std::error::Error for LogError {}
