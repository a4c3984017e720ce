//! The validating reader: a line at a time, in memory bounded by one line and the open operations.

use std::fs::File;
use std::io::{BufRead, BufReader, ErrorKind};
use std::path::{Path, PathBuf};

use serde::de::IgnoredAny;
use serde_json::error::Category;

use crate::error::{Error, Fault};
use crate::event::Event;
use crate::line::{Header, Line};
use crate::pairing::Pairing;
use crate::quick::Quick;
use crate::warnings::{Clock, Warnings};

/// Streams the events of a file, each with the number of its operation in order of invocation. After the first error
/// the stream ends.
pub struct Reader<R> {
    file: PathBuf,
    source: R,
    buffer: Vec<u8>,
    line: usize,
    about: Option<String>,
    pairing: Pairing,
    clock: Clock,
    /// None where every line is to take the long way.
    quick: Option<Quick>,
    /// Bytes of the whole, where known, and how many were read.
    size: Option<u64>,
    read: u64,
    ended: bool,
}

impl Reader<BufReader<File>> {
    pub fn open(path: impl AsRef<Path>) -> Result<Self, Error> {
        let path = path.as_ref();
        let io = |error| Error::new(path, Fault::Io(error));
        let file = File::open(path).map_err(io)?;
        let metadata = file.metadata().map_err(io)?;
        if metadata.is_dir() {
            return Err(Error::new(path, Fault::Directory));
        }
        let mut reader = Self::new(path, BufReader::with_capacity(1 << 18, file));
        reader.size = Some(metadata.len());
        Ok(reader)
    }
}

impl<R: BufRead> Reader<R> {
    /// Reads `source`; `name` is what errors call it.
    pub fn new(name: impl AsRef<Path>, source: R) -> Self {
        Self {
            file: name.as_ref().to_owned(),
            source,
            buffer: Vec::new(),
            line: 0,
            about: None,
            pairing: Pairing::default(),
            clock: Clock::default(),
            quick: Some(Quick::default()),
            size: None,
            read: 0,
            ended: false,
        }
    }

    /// Whether time that goes backwards is an error, and not only one of the [`Warnings`].
    #[must_use]
    pub fn strict_time(mut self, strict: bool) -> Self {
        self.clock.strict = strict;
        self
    }

    /// Sends every line through the general parser of JSON, also those of the common shape for which there is a shorter
    /// way. Slower, and otherwise the same: for tests and benchmarks that hold one against the other.
    #[must_use]
    pub fn without_short_cut(mut self) -> Self {
        self.quick = None;
        self
    }

    /// What was odd so far.
    pub fn warnings(&self) -> Warnings {
        self.clock.warnings
    }

    /// What line 1 said the history is about. Known as soon as the first event was read.
    pub fn about(&self) -> Option<&str> {
        self.about.as_deref()
    }

    fn next_event(&mut self) -> Result<Option<(usize, Event)>, Error> {
        loop {
            if !self.next_line()? {
                return Ok(None);
            }
            match self.parse()? {
                Parsed::Header(header) => self.about = Some(header.about),
                Parsed::Event(event) => {
                    let operation = self.pairing.accept(&event);
                    let operation = operation.map_err(|misuse| self.error(Fault::Misuse(misuse), None))?;
                    let seen = self.clock.see(event.time, self.line);
                    seen.map_err(|fault| self.error(fault, None))?;
                    return Ok(Some((operation, event)));
                }
            }
        }
    }

    /// How many events the whole has if it goes on as it began; none where its size is not known.
    pub(crate) fn expected_events(&self) -> Option<usize> {
        let events = u128::from(self.size?) * self.line as u128 / u128::from(self.read.max(1));
        usize::try_from(events).ok()
    }

    fn next_line(&mut self) -> Result<bool, Error> {
        self.buffer.clear();
        let read = self.source.read_until(b'\n', &mut self.buffer);
        let length = read.map_err(|error| {
            let fault = match error.kind() {
                ErrorKind::IsADirectory => Fault::Directory,
                _ => Fault::Io(error),
            };
            Error::new(&self.file, fault)
        })?;
        self.line += usize::from(length > 0);
        self.read += length as u64;
        Ok(length > 0)
    }

    /// A last line without line feed counts if it is a whole object: no proper prefix of an object is one, so nothing
    /// that was torn gets through.
    fn parse(&mut self) -> Result<Parsed, Error> {
        let (bytes, ended) = match self.buffer.strip_suffix(b"\n") {
            Some(bytes) => (bytes, true),
            None => (self.buffer.as_slice(), false),
        };
        if let Some(event) = self.quick.as_mut().and_then(|quick| quick.event(bytes)) {
            return Ok(Parsed::Event(event));
        }
        let torn = |fault| {
            if ended { fault } else { Fault::TruncatedLastLine }
        };
        let text = std::str::from_utf8(bytes).map_err(|error| {
            // Half a character at the end of an unfinished line is the same crash as half an object.
            let cut_short = error.error_len().is_none();
            let fault = if cut_short { torn(Fault::NotUtf8) } else { Fault::NotUtf8 };
            self.error(fault, Some(error.valid_up_to() + 1))
        })?;
        if text.trim().is_empty() {
            return Err(self.error(Fault::BlankLine, None));
        }
        if is_header(text) {
            return self.header(text).map(Parsed::Header);
        }
        let line: Line = serde_json::from_str(text).map_err(|error| {
            let fault = match error.classify() {
                _ if stops_early(text) => torn(Fault::NotJson(reason(&error))),
                Category::Eof | Category::Syntax | Category::Io => Fault::NotJson(reason(&error)),
                Category::Data => Fault::Malformed(reason(&error)),
            };
            self.error(fault, Some(error.column()))
        })?;
        let event = line.into_event().map_err(|reason| self.error(Fault::Malformed(reason), None))?;
        Ok(Parsed::Event(event))
    }

    fn header(&self, text: &str) -> Result<Header, Error> {
        let header = serde_json::from_str(text)
            .map_err(|error| self.error(Fault::Malformed(reason(&error)), Some(error.column())))?;
        if self.line > 1 {
            return Err(self.error(Fault::LateHeader, None));
        }
        Ok(header)
    }

    fn error(&self, fault: Fault, column: Option<usize>) -> Error {
        Error::new(&self.file, fault).at(self.line, column)
    }
}

enum Parsed {
    Header(Header),
    Event(Event),
}

/// Whether the line is an object that has the field `about`. The substring is tested first because almost no line has
/// it, and a full parse of each would double the time.
fn is_header(text: &str) -> bool {
    text.contains("\"about\"")
        && serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(text)
            .is_ok_and(|object| object.contains_key("about"))
}

/// Whether the text is the beginning of something and no more.
fn stops_early(text: &str) -> bool {
    serde_json::from_str::<IgnoredAny>(text).is_err_and(|error| error.is_eof())
}

/// The parser's reason without its own line and column, which count from the start of one line.
fn reason(error: &serde_json::Error) -> String {
    let text = error.to_string().replace('\n', " ");
    match text.rfind(" at line ") {
        Some(end) => text[..end].to_owned(),
        None => text,
    }
}

impl<R: BufRead> Iterator for Reader<R> {
    type Item = Result<(usize, Event), Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let next = self.next_event().transpose();
        self.ended = !matches!(next, Some(Ok(_)));
        next
    }
}
