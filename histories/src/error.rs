//! Why a history cannot be read: file, line, column, and one line of reason.

use std::borrow::Cow;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use crate::pairing::Misuse;

/// A history that cannot be read. Lines and columns count from 1; a column counts bytes.
#[derive(Debug)]
pub struct Error {
    pub file: PathBuf,
    pub line: Option<usize>,
    pub column: Option<usize>,
    pub fault: Fault,
}

/// The reason by kind. Its `Display` is a lowercase fragment of one line.
#[derive(Debug)]
pub enum Fault {
    /// The file could not be opened or read.
    Io(io::Error),
    /// The path names a directory.
    Directory,
    NotUtf8,
    /// A line that is no JSON; the text is the parser's reason.
    NotJson(String),
    /// The last line stops in the middle: what a crash leaves behind. [`History::salvage`](crate::History::salvage)
    /// reads everything before it.
    TruncatedLastLine,
    BlankLine,
    /// JSON, but no event: a field that is missing, unknown, doubled or of the wrong type.
    Malformed(String),
    /// `{"about":...}` on another line than the first.
    LateHeader,
    /// An event that cannot follow those before it.
    Misuse(Misuse),
    /// Nanoseconds of this event and of the last one before it that has a time, where times must not go backwards.
    TimeBackwards {
        time: u64,
        last: u64,
    },
    /// Text that is no EDN; the reason.
    NotEdn(String),
    /// The file stops in the middle of something, which the text names.
    Truncated(&'static str),
    /// Nothing in the file says which format it has; the text says what was looked for.
    UnknownFormat(String),
}

impl Error {
    pub(crate) fn new(file: &Path, fault: Fault) -> Self {
        Self { file: file.to_owned(), line: None, column: None, fault }
    }

    pub(crate) fn at(mut self, line: usize, column: Option<usize>) -> Self {
        self.line = Some(line);
        self.column = column;
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file.display())?;
        for number in [self.line, self.column].into_iter().flatten() {
            write!(f, ":{number}")?;
        }
        write!(f, ": {}", self.fault)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => fmt::Display::fmt(error, f),
            Self::Directory => f.write_str("is a directory"),
            Self::NotUtf8 => f.write_str("not UTF-8"),
            Self::NotJson(reason) => write!(f, "not JSON: {}", one_line(reason)),
            Self::TruncatedLastLine => f.write_str("truncated last line"),
            Self::BlankLine => f.write_str("blank line"),
            Self::Malformed(reason) => f.write_str(&one_line(reason)),
            Self::LateHeader => f.write_str("`about` belongs on line 1 only"),
            Self::Misuse(misuse) => fmt::Display::fmt(misuse, f),
            Self::TimeBackwards { time, last } => write!(f, "time goes backwards: {time} after {last}"),
            Self::NotEdn(reason) => write!(f, "not EDN: {}", one_line(reason)),
            Self::Truncated(what) => write!(f, "truncated: {what}"),
            Self::UnknownFormat(reason) => write!(f, "unknown format: {}", one_line(reason)),
        }
    }
}

/// A reason may quote what the file has, line feeds included, and an error is one line.
fn one_line(reason: &str) -> Cow<'_, str> {
    if reason.contains(['\n', '\r']) { reason.replace(['\n', '\r'], " ").into() } else { reason.into() }
}

impl std::error::Error for Error {}
