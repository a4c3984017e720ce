//! What a client sends: arrays of bulk strings, or a line of words typed by hand.

use super::input::{Input, integer};
use super::{Command, Limits, ProtocolError};

#[derive(Debug, Default)]
pub struct RequestParser {
    limits: Limits,
    input: Input,
    array: Option<Array>,
    failed: Option<ProtocolError>,
}

/// An array of which some arguments are still to come.
#[derive(Debug)]
struct Array {
    missing: usize,
    arguments: Vec<Vec<u8>>,
    bytes: usize,
    /// The length of the argument that comes next, once its header is read.
    bulk_bytes: Option<usize>,
}

impl RequestParser {
    pub fn new(limits: Limits) -> Self {
        Self { limits, ..Self::default() }
    }

    pub fn feed(&mut self, bytes: &[u8]) {
        if self.failed.is_none() {
            self.input.feed(bytes);
        }
    }

    /// The next command; none until more is fed. An error is final and repeated.
    pub fn next_command(&mut self) -> Result<Option<Command>, ProtocolError> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        let next = self.next_arguments();
        if let Err(error) = &next {
            self.failed = Some(error.clone());
        }
        Ok(next?.map(Command::parse))
    }

    /// Empty requests ask for nothing and get no reply.
    fn next_arguments(&mut self) -> Result<Option<Vec<Vec<u8>>>, ProtocolError> {
        loop {
            let arguments = match self.input.peek() {
                _ if self.array.is_some() => self.array()?,
                None => None,
                Some(b'*') => {
                    if !self.begin_array()? {
                        return Ok(None);
                    }
                    continue;
                }
                Some(_) => self.inline()?,
            };
            match arguments {
                Some(arguments) if arguments.is_empty() => {}
                others => return Ok(others),
            }
        }
    }

    /// Reads the header of an array. False if it is not all there.
    fn begin_array(&mut self) -> Result<bool, ProtocolError> {
        let Some(header) = self.input.header(self.limits.line_bytes_max)? else {
            return Ok(false);
        };
        let count = integer(&header[1..]).ok_or(ProtocolError::ArgumentCount)?;
        // A null array is an empty one.
        let missing = usize::try_from(count.max(0)).map_err(|_| ProtocolError::ArgumentCount)?;
        if missing > self.limits.arguments_max {
            return Err(ProtocolError::ArgumentCount);
        }
        self.array = Some(Array {
            missing,
            // What is announced is not believed until it arrives.
            arguments: Vec::with_capacity(missing.min(16)),
            bytes: 0,
            bulk_bytes: None,
        });
        Ok(true)
    }

    fn array(&mut self) -> Result<Option<Vec<Vec<u8>>>, ProtocolError> {
        let Some(mut array) = self.array.take() else {
            return Ok(None);
        };
        while array.missing > 0 {
            if !array.argument(&mut self.input, &self.limits)? {
                self.array = Some(array);
                return Ok(None);
            }
        }
        Ok(Some(array.arguments))
    }

    fn inline(&mut self) -> Result<Option<Vec<Vec<u8>>>, ProtocolError> {
        let Some(line) = self.input.line(self.limits.line_bytes_max)? else {
            return Ok(None);
        };
        let words = split_words(line)?;
        if words.len() > self.limits.arguments_max {
            return Err(ProtocolError::ArgumentCount);
        }
        Ok(Some(words))
    }
}

impl Array {
    /// Reads one argument. False if it is not all there.
    fn argument(&mut self, input: &mut Input, limits: &Limits) -> Result<bool, ProtocolError> {
        let bytes = match self.bulk_bytes {
            Some(bytes) => bytes,
            None => match self.bulk_header(input, limits)? {
                Some(bytes) => bytes,
                None => return Ok(false),
            },
        };
        self.bulk_bytes = Some(bytes);
        let Some(argument) = input.bulk(bytes)? else {
            return Ok(false);
        };
        self.bulk_bytes = None;
        self.arguments.push(argument);
        self.missing -= 1;
        Ok(true)
    }

    fn bulk_header(&mut self, input: &mut Input, limits: &Limits) -> Result<Option<usize>, ProtocolError> {
        match input.peek() {
            Some(b'$') | None => {}
            Some(found) => return Err(ProtocolError::ExpectedBulk { found }),
        }
        let Some(header) = input.header(limits.line_bytes_max)? else {
            return Ok(None);
        };
        let bytes = integer(&header[1..])
            .and_then(|bytes| usize::try_from(bytes).ok())
            .filter(|&bytes| bytes <= limits.bulk_bytes_max)
            .ok_or(ProtocolError::BulkLength)?;
        self.bytes = self.bytes.saturating_add(bytes);
        if self.bytes > limits.request_bytes_max {
            return Err(ProtocolError::RequestTooLong { bytes_max: limits.request_bytes_max });
        }
        Ok(Some(bytes))
    }
}

/// Splits a typed line as Redis does: `"…"` knows `\n \r \t \b \a \xHH`, `'…'` knows `\'`; a quote ends its word.
fn split_words(line: &[u8]) -> Result<Vec<Vec<u8>>, ProtocolError> {
    let mut words = Vec::new();
    let mut rest = line.trim_ascii();
    while !rest.is_empty() {
        let (word, after) = split_word(rest)?;
        words.push(word);
        rest = after.trim_ascii_start();
    }
    Ok(words)
}

fn split_word(mut rest: &[u8]) -> Result<(Vec<u8>, &[u8]), ProtocolError> {
    let mut word = Vec::new();
    while let Some((&byte, after)) = rest.split_first() {
        match byte {
            b'"' | b'\'' => {
                let after = quoted(byte, after, &mut word)?;
                return match after.first() {
                    Some(next) if !next.is_ascii_whitespace() => Err(ProtocolError::UnbalancedQuotes),
                    _ => Ok((word, after)),
                };
            }
            byte if byte.is_ascii_whitespace() => break,
            byte => word.push(byte),
        }
        rest = after;
    }
    Ok((word, rest))
}

/// Reads up to the closing quote and returns what is behind it.
fn quoted<'a>(quote: u8, mut rest: &'a [u8], word: &mut Vec<u8>) -> Result<&'a [u8], ProtocolError> {
    loop {
        rest = match (quote, rest) {
            (_, []) => return Err(ProtocolError::UnbalancedQuotes),
            (quote, [byte, after @ ..]) if *byte == quote => return Ok(after),
            (b'\'', [b'\\', b'\'', after @ ..]) => {
                word.push(b'\'');
                after
            }
            (b'"', [b'\\', b'x', high, low, after @ ..]) if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                word.push(hex(*high) << 4 | hex(*low));
                after
            }
            (b'"', [b'\\', escaped, after @ ..]) => {
                word.push(unescape(*escaped));
                after
            }
            (_, [byte, after @ ..]) => {
                word.push(*byte);
                after
            }
        }
    }
}

fn unescape(byte: u8) -> u8 {
    match byte {
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'b' => 8,
        b'a' => 7,
        other => other,
    }
}

/// The value of a hexadecimal digit.
fn hex(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        _ => digit.to_ascii_lowercase() - b'a' + 10,
    }
}
