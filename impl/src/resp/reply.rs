//! What a server answers.

use super::input::{Input, integer, push_bulk};
use super::{Limits, ProtocolError};

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Reply {
    /// One line.
    Simple(String),
    /// One line; the first word is the kind of error, as in `ERR syntax error`.
    Error(String),
    Integer(i64),
    /// None: no such key.
    Bulk(Option<Vec<u8>>),
}

impl Reply {
    pub fn ok() -> Self {
        Self::Simple("OK".to_owned())
    }

    /// Appends the reply. A line break in a simple or error reply becomes a space: it would end the reply early.
    pub fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Simple(text) => push_line(out, b'+', text),
            Self::Error(text) => push_line(out, b'-', text),
            Self::Integer(number) => push_line(out, b':', &number.to_string()),
            Self::Bulk(None) => out.extend(b"$-1\r\n"),
            Self::Bulk(Some(bytes)) => push_bulk(out, bytes),
        }
    }
}

fn push_line(out: &mut Vec<u8>, kind: u8, text: &str) {
    out.push(kind);
    out.extend(text.bytes().map(|byte| match byte {
        b'\r' | b'\n' => b' ',
        other => other,
    }));
    out.extend(b"\r\n");
}

/// The client's side: replies out of bytes that arrive in any pieces.
#[derive(Debug, Default)]
pub struct ReplyParser {
    limits: Limits,
    input: Input,
    /// The length of a bulk reply whose header is read.
    bulk_bytes: Option<usize>,
    failed: Option<ProtocolError>,
}

impl ReplyParser {
    pub fn new(limits: Limits) -> Self {
        Self { limits, ..Self::default() }
    }

    pub fn feed(&mut self, bytes: &[u8]) {
        if self.failed.is_none() {
            self.input.feed(bytes);
        }
    }

    /// The next reply; none until more is fed. An error is final and repeated.
    pub fn next_reply(&mut self) -> Result<Option<Reply>, ProtocolError> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        let next = self.next();
        if let Err(error) = &next {
            self.failed = Some(error.clone());
        }
        next
    }

    /// Whether the stream may end here: no reply has begun and not ended.
    pub fn is_between_replies(&self) -> bool {
        self.bulk_bytes.is_none() && self.input.is_empty()
    }

    fn next(&mut self) -> Result<Option<Reply>, ProtocolError> {
        if let Some(bytes) = self.bulk_bytes {
            return self.bulk(bytes);
        }
        match self.input.peek() {
            Some(b'+' | b'-' | b':' | b'$') | None => {}
            Some(found) => return Err(ProtocolError::ReplyKind { found }),
        }
        let Some(line) = self.input.header(self.limits.line_bytes_max)? else {
            return Ok(None);
        };
        let text = || String::from_utf8_lossy(&line[1..]).into_owned();
        match line.first() {
            Some(b'+') => Ok(Some(Reply::Simple(text()))),
            Some(b'-') => Ok(Some(Reply::Error(text()))),
            Some(b':') => integer(&line[1..]).map(|number| Some(Reply::Integer(number))).ok_or(ProtocolError::Integer),
            _ if line == b"$-1" => Ok(Some(Reply::Bulk(None))),
            _ => {
                let bytes = integer(&line[1..])
                    .and_then(|bytes| usize::try_from(bytes).ok())
                    .filter(|&bytes| bytes <= self.limits.bulk_bytes_max)
                    .ok_or(ProtocolError::BulkLength)?;
                self.bulk(bytes)
            }
        }
    }

    fn bulk(&mut self, bytes: usize) -> Result<Option<Reply>, ProtocolError> {
        let bulk = self.input.bulk(bytes)?;
        self.bulk_bytes = bulk.is_none().then_some(bytes);
        Ok(bulk.map(|bulk| Reply::Bulk(Some(bulk))))
    }
}
