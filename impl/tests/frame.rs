//! Frames: what was written is read, whatever the pieces; what was not written never is.

use std::collections::VecDeque;
use std::io::{self, Read};

use proptest::collection::vec;
use proptest::prelude::{Strategy, any, proptest};
use serde::{Deserialize, Serialize};
use sextant_storage::wire::frame::{
    FrameError, FrameReader, FrameWriter, LENGTH_MAX, decode_frame, encode_frame, read_frame, write_frame,
};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Message {
    Nothing,
    Append { epoch: u32, lsn: u64, payload: Vec<u8> },
    Text(String, Option<i64>),
}

fn messages() -> impl Strategy<Value = Message> {
    let append = (any::<u32>(), any::<u64>(), vec(any::<u8>(), 0..300));
    let text = (".{0,40}", any::<Option<i64>>());
    proptest::prop_oneof![
        proptest::prelude::Just(Message::Nothing),
        append.prop_map(|(epoch, lsn, payload)| Message::Append { epoch, lsn, payload }),
        text.prop_map(|(text, number)| Message::Text(text, number)),
    ]
}

fn example() -> Message {
    Message::Append { epoch: 3, lsn: 17, payload: b"set x 1".to_vec() }
}

fn framed<T: Serialize>(message: &T) -> Vec<u8> {
    let mut bytes = Vec::new();
    write_frame(&mut bytes, message).unwrap();
    bytes
}

/// A stream that hands out the given pieces, one a call; an empty piece is a timeout.
struct Pieces(VecDeque<Vec<u8>>);

impl Pieces {
    fn of(pieces: &[&[u8]]) -> Self {
        Self(pieces.iter().map(|piece| piece.to_vec()).collect())
    }
}

impl Read for Pieces {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let Some(mut piece) = self.0.pop_front() else {
            return Ok(0);
        };
        if piece.is_empty() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let n = piece.len().min(out.len());
        out[..n].copy_from_slice(&piece[..n]);
        if n < piece.len() {
            self.0.push_front(piece.split_off(n));
        }
        Ok(n)
    }
}

#[test]
fn the_bytes_of_a_frame() {
    // Spelled out, so that a change of the format is seen: nodes of two versions may meet.
    let bytes = framed(&Message::Text("ab".to_owned(), None));
    assert_eq!(bytes[..4], 10_u32.to_le_bytes());
    assert_eq!(bytes[4..10], [1, 2, 2, b'a', b'b', 0]);
    assert_eq!(bytes[10..], crc32c::crc32c(&bytes[..10]).to_le_bytes());
}

#[test]
fn every_flipped_bit_is_an_error() {
    let bytes = framed(&example());
    for following in [&[][..], &framed(&Message::Nothing), &[0; 4096]] {
        for bit in 0..bytes.len() * 8 {
            let mut flipped = [&bytes[..], following].concat();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let error = read_frame::<Message>(&mut &flipped[..]).unwrap_err();
            let expected = match bit / 8 {
                0..4 => matches!(
                    error,
                    FrameError::Truncated { .. }
                        | FrameError::TooLong { .. }
                        | FrameError::TooShort { .. }
                        | FrameError::Checksum
                ),
                4 => matches!(error, FrameError::Version { .. }),
                _ => matches!(error, FrameError::Checksum),
            };
            assert!(expected, "bit {bit}: {error}");
            assert_eq!(FrameReader::new(&flipped[..]).read::<Message>().unwrap_err().to_string(), error.to_string());
        }
    }
}

#[test]
fn every_cut_is_a_truncation_and_says_by_how_much() {
    let bytes = framed(&example());
    assert!(read_frame::<Message>(&mut &[][..]).unwrap().is_none());
    assert!(FrameReader::new(&[][..]).read::<Message>().unwrap().is_none());
    for cut in 1..bytes.len() {
        let goal = if cut < 4 { 4 } else { bytes.len() };
        let expected = format!("frame is truncated, {} bytes are missing", goal - cut);
        let error = read_frame::<Message>(&mut &bytes[..cut]).unwrap_err();
        assert_eq!(error.to_string(), expected);
        let error = FrameReader::new(&bytes[..cut]).read::<Message>().unwrap_err();
        assert_eq!(error.to_string(), expected);
        assert!(decode_frame::<Message>(&bytes[..cut]).unwrap().is_none());
    }
}

#[test]
fn a_stream_split_at_every_byte_with_timeouts_between() {
    let messages = [example(), Message::Nothing, Message::Text("x".to_owned(), Some(-1))];
    let bytes: Vec<u8> = messages.iter().flat_map(framed).collect();
    for cut in 0..=bytes.len() {
        let mut plain = Pieces::of(&[&bytes[..cut], &bytes[cut..]]);
        plain.0.retain(|piece| !piece.is_empty());
        for message in &messages {
            assert_eq!(read_frame(&mut plain).unwrap().as_ref(), Some(message));
        }
        assert!(read_frame::<Message>(&mut plain).unwrap().is_none());

        let mut reader = FrameReader::new(Pieces::of(&[&bytes[..cut], &[], &bytes[cut..]]));
        let mut read = Vec::new();
        let mut timeouts = 0;
        loop {
            match reader.read::<Message>() {
                Ok(Some(message)) => read.push(message),
                Ok(None) => break,
                Err(FrameError::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => {
                    timeouts += 1;
                }
                Err(error) => panic!("{cut}: {error}"),
            }
        }
        assert_eq!(read, messages);
        assert_eq!(timeouts, if cut == 0 || cut == bytes.len() { 2 } else { 1 });
    }
}

fn refusal(bytes: &[u8]) -> String {
    read_frame::<Message>(&mut &bytes[..]).unwrap_err().to_string()
}

/// A frame around `body` with a right checksum.
fn sealed(version: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = (body.len() as u32 + 5).to_le_bytes().to_vec();
    bytes.push(version);
    bytes.extend(body);
    let crc = crc32c::crc32c(&bytes);
    bytes.extend(crc.to_le_bytes());
    bytes
}

#[test]
fn errors_say_what_is_wrong() {
    assert_eq!(refusal(&sealed(2, &[0])), "frame has version 2, this program speaks 1");
    assert_eq!(refusal(&sealed(1, &[0, 7, 7])), "frame has 2 trailing bytes behind its message");
    assert!(refusal(&sealed(1, &[9])).starts_with("frame is undecodable: "));
    assert!(refusal(&sealed(1, &[])).starts_with("frame is undecodable: "));
    assert_eq!(refusal(&[4, 0, 0, 0, 1]), "frame of 4 bytes is too short, at least 5");
    assert_eq!(refusal(&[255; 4]), "frame of 4294967295 bytes is too long, at most 16777216");
    let mut damaged = sealed(1, &[0]);
    damaged[5] = 1;
    assert_eq!(refusal(&damaged), "frame checksum does not match");
}

#[test]
fn the_longest_frame_passes_and_one_byte_more_does_not() {
    // Version, checksum, and four bytes of length within the body.
    let longest = LENGTH_MAX - 5 - 4;
    let bytes = framed(&vec![7_u8; longest]);
    assert_eq!(bytes.len(), 4 + LENGTH_MAX);
    let read: Vec<u8> = read_frame(&mut &bytes[..]).unwrap().unwrap();
    assert_eq!(read.len(), longest);
    let read: Vec<u8> = FrameReader::new(&bytes[..]).read().unwrap().unwrap();
    assert_eq!(read.len(), longest);

    let mut out = b"kept".to_vec();
    let error = encode_frame(&vec![7_u8; longest + 1], &mut out).unwrap_err();
    assert!(matches!(error, FrameError::TooLong { bytes } if bytes == LENGTH_MAX + 1));
    assert_eq!(out, b"kept");
}

proptest! {
    #[test]
    fn what_is_written_is_read(messages in vec(messages(), 0..20), step in 1_usize..64) {
        let mut bytes = Vec::new();
        let mut writer = FrameWriter::new(&mut bytes);
        for message in &messages {
            writer.queue(message).unwrap();
        }
        writer.flush().unwrap();
        assert_eq!(writer.queued_bytes(), 0);
        let pieces: Vec<&[u8]> = bytes.chunks(step).collect();
        let mut reader = FrameReader::new(Pieces::of(&pieces));
        for message in &messages {
            assert_eq!(reader.read().unwrap().as_ref(), Some(message));
        }
        assert!(reader.read::<Message>().unwrap().is_none());
    }

    #[test]
    fn garbage_is_never_a_message(garbage in vec(any::<u8>(), 1..200), length in 0_u32..300) {
        assert!(read_frame::<Message>(&mut &garbage[..]).is_err());
        let plausible = [&length.to_le_bytes(), &[1][..], &garbage].concat();
        assert!(read_frame::<Message>(&mut &plausible[..]).is_err());
        assert!(FrameReader::new(&plausible[..]).read::<Message>().is_err());
    }
}
