//! Frames: whole messages on a byte stream, or an error that says what is wrong with them.
//!
//! ```text
//! 0   u32 bytes that follow: version, body, checksum; at most 16 MiB
//! 4   u8 version
//! 5   body: the message in postcard
//! end u32 CRC32C of everything before it, length and all
//! ```
//! Numbers are little-endian. After an error the stream has no known frame boundary any more: close it. The one
//! exception is an [`FrameError::Io`] of a [`FrameReader`], which keeps what it has and can go on after a timeout.

use std::fmt;
use std::io::{self, Read, Write};

use serde::Serialize;
use serde::de::DeserializeOwned;

pub const VERSION: u8 = 1;
/// The largest value of the length field, in bytes.
pub const LENGTH_MAX: usize = 16 << 20;

const LENGTH_BYTES: usize = 4;
const CRC_BYTES: usize = 4;
/// Version and checksum.
const LENGTH_MIN: usize = 1 + CRC_BYTES;
const READ_BYTES: usize = 64 << 10;

#[derive(Debug)]
pub enum FrameError {
    /// Refused before anything is allocated or sent.
    TooLong {
        bytes: usize,
    },
    /// A length that leaves no room for version and checksum.
    TooShort {
        bytes: usize,
    },
    Version {
        found: u8,
    },
    Checksum,
    /// The body holds a message and then more.
    Trailing {
        bytes: usize,
    },
    /// The stream ended inside a frame, `missing` bytes before its end.
    Truncated {
        missing: usize,
    },
    Undecodable(postcard::Error),
    Unencodable(postcard::Error),
    Io(io::Error),
}

impl fmt::Display for FrameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong { bytes } => {
                write!(f, "frame of {bytes} bytes is too long, at most {LENGTH_MAX}")
            }
            Self::TooShort { bytes } => {
                write!(f, "frame of {bytes} bytes is too short, at least {LENGTH_MIN}")
            }
            Self::Version { found } => {
                write!(f, "frame has version {found}, this program speaks {VERSION}")
            }
            Self::Checksum => f.write_str("frame checksum does not match"),
            Self::Trailing { bytes } => {
                write!(f, "frame has {bytes} trailing bytes behind its message")
            }
            Self::Truncated { missing } => {
                write!(f, "frame is truncated, {missing} bytes are missing")
            }
            Self::Undecodable(error) => write!(f, "frame is undecodable: {error}"),
            Self::Unencodable(error) => write!(f, "message is unencodable: {error}"),
            Self::Io(error) => write!(f, "frame io: {error}"),
        }
    }
}

impl std::error::Error for FrameError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Undecodable(error) | Self::Unencodable(error) => Some(error),
            Self::Io(error) => Some(error),
            _ => None,
        }
    }
}

impl From<io::Error> for FrameError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// Writes one frame and flushes.
pub fn write_frame<T: Serialize + ?Sized>(stream: &mut impl Write, message: &T) -> Result<(), FrameError> {
    FrameWriter::new(stream).write(message)
}

/// Reads one frame and not a byte more. None if the stream ends before it begins.
pub fn read_frame<T: DeserializeOwned>(stream: &mut impl Read) -> Result<Option<T>, FrameError> {
    let mut frame = Vec::new();
    fetch(stream, LENGTH_BYTES, &mut frame)?;
    if frame.is_empty() {
        return Ok(None);
    }
    let total = match frame_bytes(&frame)? {
        Some(total) => total,
        None => return Err(truncated(&frame)),
    };
    fetch(stream, total, &mut frame)?;
    match decode_frame(&frame)? {
        Some((message, _)) => Ok(Some(message)),
        None => Err(truncated(&frame)),
    }
}

/// Appends one frame to `out`, or leaves `out` as it was.
pub fn encode_frame<T: Serialize + ?Sized>(message: &T, out: &mut Vec<u8>) -> Result<(), FrameError> {
    let start = out.len();
    let encoded = encode_after(message, start, out);
    if encoded.is_err() {
        out.truncate(start);
    }
    encoded
}

/// The message of the frame at the start of `bytes` and the frame's length; none if `bytes` ends before the frame does.
pub fn decode_frame<T: DeserializeOwned>(bytes: &[u8]) -> Result<Option<(T, usize)>, FrameError> {
    let Some(frame) = frame_bytes(bytes)?.and_then(|total| bytes.get(..total)) else {
        return Ok(None);
    };
    let (checked, crc) = frame.split_at(frame.len() - CRC_BYTES);
    // First of all: another version may keep its checksum elsewhere.
    let found = checked[LENGTH_BYTES];
    if found != VERSION {
        return Err(FrameError::Version { found });
    }
    if crc32c::crc32c(checked).to_le_bytes() != crc {
        return Err(FrameError::Checksum);
    }
    let body = &checked[LENGTH_BYTES + 1..];
    let (message, rest) = postcard::take_from_bytes(body).map_err(FrameError::Undecodable)?;
    if !rest.is_empty() {
        return Err(FrameError::Trailing { bytes: rest.len() });
    }
    Ok(Some((message, frame.len())))
}

/// Reads frames, several a system call, into a buffer that it keeps.
pub struct FrameReader<R> {
    stream: R,
    buffer: Vec<u8>,
    /// Where in `buffer` the next frame starts.
    start: usize,
}

impl<R: Read> FrameReader<R> {
    pub fn new(stream: R) -> Self {
        Self { stream, buffer: Vec::new(), start: 0 }
    }

    /// The next message; none if the stream ends between two frames. After [`FrameError::Io`] it may be called again.
    pub fn read<T: DeserializeOwned>(&mut self) -> Result<Option<T>, FrameError> {
        loop {
            if let Some((message, used)) = decode_frame(&self.buffer[self.start..])? {
                self.start += used;
                return Ok(Some(message));
            }
            self.buffer.drain(..self.start);
            self.start = 0;
            if self.fill()? == 0 {
                return match self.buffer.is_empty() {
                    true => Ok(None),
                    false => Err(truncated(&self.buffer)),
                };
            }
        }
    }

    pub fn get_ref(&self) -> &R {
        &self.stream
    }

    fn fill(&mut self) -> Result<usize, FrameError> {
        let held = self.buffer.len();
        // A long frame is fetched in large steps, and memory is taken only for what arrives.
        self.buffer.resize(held + READ_BYTES.max(held), 0);
        let read = retry(|| self.stream.read(&mut self.buffer[held..]));
        self.buffer.truncate(held + read.as_ref().map_or(0, |&n| n));
        Ok(read?)
    }
}

/// Writes frames from a buffer that it keeps.
pub struct FrameWriter<W> {
    stream: W,
    buffer: Vec<u8>,
}

impl<W: Write> FrameWriter<W> {
    pub fn new(stream: W) -> Self {
        Self { stream, buffer: Vec::new() }
    }

    /// Adds a frame to the buffer, to go out with the next [`Self::flush`].
    pub fn queue<T: Serialize + ?Sized>(&mut self, message: &T) -> Result<(), FrameError> {
        encode_frame(message, &mut self.buffer)
    }

    /// Sends what is queued. After an error the receiver may have half a frame: close the stream.
    pub fn flush(&mut self) -> Result<(), FrameError> {
        let sent = self.stream.write_all(&self.buffer);
        self.buffer.clear();
        sent?;
        Ok(self.stream.flush()?)
    }

    pub fn write<T: Serialize + ?Sized>(&mut self, message: &T) -> Result<(), FrameError> {
        self.queue(message)?;
        self.flush()
    }

    /// Bytes queued and not sent.
    pub fn queued_bytes(&self) -> usize {
        self.buffer.len()
    }

    pub fn get_ref(&self) -> &W {
        &self.stream
    }
}

fn encode_after<T: Serialize + ?Sized>(message: &T, start: usize, out: &mut Vec<u8>) -> Result<(), FrameError> {
    out.extend([0; LENGTH_BYTES]);
    out.push(VERSION);
    postcard::to_io(message, &mut *out).map_err(FrameError::Unencodable)?;
    let bytes = out.len() - start - LENGTH_BYTES + CRC_BYTES;
    if bytes > LENGTH_MAX {
        return Err(FrameError::TooLong { bytes });
    }
    // At most 16 MiB.
    out[start..start + LENGTH_BYTES].copy_from_slice(&(bytes as u32).to_le_bytes());
    let crc = crc32c::crc32c(&out[start..]);
    out.extend(crc.to_le_bytes());
    Ok(())
}

/// Bytes of the frame at the start of `bytes`, length field and all; none if the length field is not there yet.
fn frame_bytes(bytes: &[u8]) -> Result<Option<usize>, FrameError> {
    let Some(field) = bytes.first_chunk::<LENGTH_BYTES>() else {
        return Ok(None);
    };
    let bytes = u32::from_le_bytes(*field) as usize;
    if bytes > LENGTH_MAX {
        return Err(FrameError::TooLong { bytes });
    }
    if bytes < LENGTH_MIN {
        return Err(FrameError::TooShort { bytes });
    }
    Ok(Some(LENGTH_BYTES + bytes))
}

/// Reads until `frame` holds `total` bytes or the stream ends.
fn fetch(stream: &mut impl Read, total: usize, frame: &mut Vec<u8>) -> io::Result<()> {
    let missing = (total - frame.len()) as u64;
    stream.by_ref().take(missing).read_to_end(frame).map(drop)
}

fn truncated(received: &[u8]) -> FrameError {
    let total = match frame_bytes(received) {
        Ok(Some(total)) => total,
        _ => LENGTH_BYTES,
    };
    FrameError::Truncated { missing: total.saturating_sub(received.len()) }
}

fn retry(mut read: impl FnMut() -> io::Result<usize>) -> io::Result<usize> {
    loop {
        match read() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            done => return done,
        }
    }
}
