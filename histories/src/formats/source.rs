//! Bytes of a file, one after the other, with the line and column of each.

use std::io::{ErrorKind, Read};
use std::path::Path;

use crate::error::{Error, Fault};

/// Where something stands: line and column, from 1, the column in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct At {
    pub(super) line: u32,
    pub(super) column: u32,
}

/// What is wrong, and where. The file's name is added by whoever opened it.
#[derive(Debug)]
pub(super) struct Bad {
    pub(super) at: At,
    pub(super) fault: Fault,
}

impl Bad {
    pub(super) fn malformed(at: At, reason: impl Into<String>) -> Self {
        Self { at, fault: Fault::Malformed(reason.into()) }
    }

    pub(super) fn in_file(self, file: &Path) -> Error {
        match self.at.line {
            0 => Error::new(file, self.fault),
            line => {
                let column = (self.at.column > 0).then_some(self.at.column as usize);
                Error::new(file, self.fault).at(line as usize, column)
            }
        }
    }
}

/// How far `ahead` looks at least. A map of an operation is seldom longer.
const AHEAD: usize = 1 << 12;

/// A buffer of its own and not `BufRead`: `peek` is then an index into a slice, and text of tens of megabytes is read at
/// some hundred megabytes a second.
pub(super) struct Source<R> {
    reader: R,
    buffer: Box<[u8]>,
    position: usize,
    length: usize,
    at: At,
}

impl<R: Read> Source<R> {
    pub(super) fn new(reader: R) -> Self {
        Self {
            reader,
            buffer: vec![0; 1 << 16].into_boxed_slice(),
            position: 0,
            length: 0,
            at: At { line: 1, column: 1 },
        }
    }

    /// Counts lines from `line` on, columns from `column` on.
    pub(super) fn starting_at(reader: R, at: At) -> Self {
        Self { at, ..Self::new(reader) }
    }

    /// Where the next byte stands.
    pub(super) fn at(&self) -> At {
        self.at
    }

    /// The next byte, which stays; none at the end.
    pub(super) fn peek(&mut self) -> Result<Option<u8>, Bad> {
        if self.position == self.length {
            self.fill()?;
        }
        Ok((self.position < self.length).then(|| self.buffer[self.position]))
    }

    /// Goes past the byte that `peek` has shown.
    pub(super) fn skip(&mut self) {
        if self.buffer[self.position] == b'\n' {
            self.at = At { line: self.at.line.saturating_add(1), column: 1 };
        } else {
            self.at.column = self.at.column.saturating_add(1);
        }
        self.position += 1;
    }

    pub(super) fn next(&mut self) -> Result<Option<u8>, Bad> {
        let byte = self.peek()?;
        if byte.is_some() {
            self.skip();
        }
        Ok(byte)
    }

    /// Appends bytes to `taken` as long as they belong, which a line feed never does.
    pub(super) fn take_while(&mut self, taken: &mut Vec<u8>, belongs: impl Fn(u8) -> bool) -> Result<(), Bad> {
        while self.peek()?.is_some() {
            let rest = &self.buffer[self.position..self.length];
            let count = rest.iter().position(|byte| *byte == b'\n' || !belongs(*byte)).unwrap_or(rest.len());
            taken.extend_from_slice(&rest[..count]);
            self.pass(count);
            if self.position < self.length {
                break;
            }
        }
        Ok(())
    }

    /// Some of the bytes that come next: at least [`AHEAD`], or all that there are.
    pub(super) fn ahead(&mut self) -> Result<&[u8], Bad> {
        if self.length - self.position < AHEAD {
            self.buffer.copy_within(self.position..self.length, 0);
            self.length -= self.position;
            self.position = 0;
            while self.length < AHEAD {
                match self.read(self.length)? {
                    0 => break,
                    count => self.length += count,
                }
            }
        }
        Ok(&self.buffer[self.position..self.length])
    }

    /// Goes past so many of the bytes that `ahead` has shown, among which there is no line feed.
    pub(super) fn pass(&mut self, count: usize) {
        self.position += count;
        self.at.column = self.at.column.saturating_add(u32::try_from(count).unwrap_or(u32::MAX));
    }

    pub(super) fn skip_line(&mut self) -> Result<(), Bad> {
        while let Some(byte) = self.peek()? {
            self.skip();
            if byte == b'\n' {
                break;
            }
        }
        Ok(())
    }

    fn fill(&mut self) -> Result<(), Bad> {
        self.length = self.read(0)?;
        self.position = 0;
        Ok(())
    }

    /// Reads into the buffer from `start` on, and says how much.
    fn read(&mut self, start: usize) -> Result<usize, Bad> {
        loop {
            match self.reader.read(&mut self.buffer[start..]) {
                Ok(count) => return Ok(count),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => {
                    let fault = match error.kind() {
                        ErrorKind::IsADirectory => Fault::Directory,
                        _ => Fault::Io(error),
                    };
                    return Err(Bad { at: At::default(), fault });
                }
            }
        }
    }
}

/// Lines of a text format, each with its number: strings without their line feed.
pub(super) struct Lines<R> {
    source: std::io::BufReader<R>,
    buffer: Vec<u8>,
    line: u32,
}

impl<R: Read> Lines<R> {
    pub(super) fn new(reader: R) -> Self {
        Self { source: std::io::BufReader::with_capacity(1 << 16, reader), buffer: Vec::new(), line: 0 }
    }

    /// The next line, its number, and whether a line feed ended it.
    pub(super) fn next(&mut self) -> Result<Option<(&str, u32, bool)>, Bad> {
        use std::io::BufRead;
        self.buffer.clear();
        let read = self.source.read_until(b'\n', &mut self.buffer);
        let length = read.map_err(|error| Bad { at: At::default(), fault: Fault::Io(error) })?;
        if length == 0 {
            return Ok(None);
        }
        self.line = self.line.saturating_add(1);
        let ended = self.buffer.last() == Some(&b'\n');
        let bytes = self.buffer.strip_suffix(b"\n").unwrap_or(&self.buffer);
        let bytes = bytes.strip_suffix(b"\r").unwrap_or(bytes);
        match std::str::from_utf8(bytes) {
            Ok(text) => Ok(Some((text, self.line, ended))),
            Err(error) => {
                let column = u32::try_from(error.valid_up_to() + 1).unwrap_or(u32::MAX);
                Err(Bad { at: At { line: self.line, column }, fault: Fault::NotUtf8 })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_columns_count_from_one() {
        let mut source = Source::new(&b"a\nbc"[..]);
        let mut seen = Vec::new();
        while let Some(byte) = source.peek().unwrap() {
            seen.push((byte, source.at().line, source.at().column));
            source.skip();
        }
        assert_eq!(seen, [(b'a', 1, 1), (b'\n', 1, 2), (b'b', 2, 1), (b'c', 2, 2)]);
    }

    /// Reads a byte at a time, as a slow pipe does.
    struct Drip<'a>(&'a [u8]);

    impl Read for Drip<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            let count = self.0.len().min(buffer.len()).min(1);
            let (now, later) = self.0.split_at(count);
            buffer[..count].copy_from_slice(now);
            self.0 = later;
            Ok(count)
        }
    }

    #[test]
    fn what_is_shown_ahead_comes_next() {
        let text: Vec<u8> = (0..3 * AHEAD).map(|number| b'a' + (number % 23) as u8).collect();
        let mut source = Source::new(Drip(&text));
        let mut taken = Vec::new();
        for count in (1..).map(|step| step * 37 % 1000) {
            let shown = source.ahead().unwrap();
            assert!(shown.len() >= AHEAD.min(text.len() - taken.len()));
            let count = count.min(shown.len());
            taken.extend_from_slice(&shown[..count]);
            source.pass(count);
            assert_eq!(source.at(), At { line: 1, column: taken.len() as u32 + 1 });
            match source.next().unwrap() {
                Some(byte) => taken.push(byte),
                None => break,
            }
        }
        assert_eq!(taken, text);
    }
}
