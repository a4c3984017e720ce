//! Bytes that have arrived and are not consumed.

use super::ProtocolError;

#[derive(Debug, Default)]
pub(super) struct Input {
    bytes: Vec<u8>,
    /// Consumed up to here.
    start: usize,
    /// No line end between `start` and here: long lines in small pieces are looked at once.
    searched: usize,
}

impl Input {
    pub fn feed(&mut self, bytes: &[u8]) {
        self.bytes.drain(..self.start);
        self.searched -= self.start;
        self.start = 0;
        self.bytes.extend_from_slice(bytes);
    }

    pub fn peek(&self) -> Option<u8> {
        self.bytes.get(self.start).copied()
    }

    pub fn is_empty(&self) -> bool {
        self.start == self.bytes.len()
    }

    /// The next line up to LF, which is left out; none if it is not all there.
    pub fn line(&mut self, bytes_max: usize) -> Result<Option<&[u8]>, ProtocolError> {
        let end = self.bytes[self.searched..].iter().position(|&byte| byte == b'\n').map(|found| self.searched + found);
        let length = end.unwrap_or(self.bytes.len()) - self.start;
        if length > bytes_max {
            return Err(ProtocolError::LineTooLong { bytes_max });
        }
        let Some(end) = end else {
            self.searched = self.bytes.len();
            return Ok(None);
        };
        let line = &self.bytes[self.start..end];
        self.start = end + 1;
        self.searched = self.start;
        Ok(Some(line))
    }

    /// The next line, which must end in CR LF; both are left out.
    pub fn header(&mut self, bytes_max: usize) -> Result<Option<&[u8]>, ProtocolError> {
        let Some(line) = self.line(bytes_max)? else {
            return Ok(None);
        };
        line.strip_suffix(b"\r").map(Some).ok_or(ProtocolError::LineEnd)
    }

    /// The next `bytes` bytes and the CR LF behind them, which is left out.
    pub fn bulk(&mut self, bytes: usize) -> Result<Option<Vec<u8>>, ProtocolError> {
        let rest = &self.bytes[self.start..];
        let Some(bulk) = rest.get(..bytes.saturating_add(2)) else {
            return Ok(None);
        };
        let (bulk, end) = bulk.split_at(bytes);
        if end != b"\r\n" {
            return Err(ProtocolError::BulkEnd);
        }
        let bulk = bulk.to_vec();
        self.start += bytes + 2;
        self.searched = self.start;
        Ok(Some(bulk))
    }
}

/// A decimal number as RESP writes it: no plus, no leading zeros, nothing around it.
pub(super) fn integer(text: &[u8]) -> Option<i64> {
    let text = std::str::from_utf8(text).ok()?;
    let number: i64 = text.parse().ok()?;
    (number.to_string() == text).then_some(number)
}

pub(super) fn push_bulk(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend(format!("${}\r\n", bytes.len()).as_bytes());
    out.extend(bytes);
    out.extend(b"\r\n");
}
