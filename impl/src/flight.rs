//! The flight recorder: what an actor of a volume does, step by step, for a judge who replays it.
//!
//! A process that is given a folder writes there, in the order in which it happens, every event that reaches its step function,
//! and a digest of the effects. Before anything that an event caused leaves the process, its entry is in the file: a `write` to a file
//! survives SIGKILL, and a folder that lies in memory (`/dev/shm`) takes no part in what happens to the disks. So a message that
//! somebody received is in its sender's record, whatever became of the sender.
//!
//! One file is one life of a process (a restarted one begins the next), for a writer one incarnation. It is a sequence of frames
//! ([`crate::wire::frame`]), each with the entries that left together; a frame that the end of the process cut short had no
//! consequences, and is dropped on reading.

use std::fs::{self, File, OpenOptions};
use std::hash::{Hash, Hasher};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sextant_model::disk::Image;
use sextant_model::instance;
use sextant_model::logset::{Intervals, LogSet};
use sextant_model::segment::{self, Effect, ReadRefusal, Segment};
use sextant_model::types::{Epoch, Lsn};

use crate::node::Observer;
use crate::wire::frame::{FrameError, decode_frame, encode_frame};
use crate::wire::messages::{NodeReply, Record};

/// Of every file; before it the actor's name and the number of the life.
pub const EXTENSION: &str = "flight";
/// Entries in one frame.
const FRAME_ENTRIES: usize = 4096;

/// What a storage node does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum NodeEntry {
    /// The process has read its log.
    Started {
        /// It was formatted: there was nothing before.
        created: bool,
        disk: Image<Intervals>,
        /// Of the records that are live on the disk: the digests of all of them, folded by exclusive or.
        records: u32,
    },
    Stepped {
        event: segment::Event<Intervals>,
        /// Of the record that the event brought; 0 where it brought none.
        record: u32,
        /// [`digest`] of the effects.
        effects: u32,
    },
    /// It has told a peer these records.
    Pushed { trunc_ve: Epoch, lsns: Intervals },
    /// It has answered a page read.
    Read { ve: Epoch, read_point: Lsn, answer: Result<(), ReadRefusal> },
}

/// What a writer incarnation does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum WriterEntry {
    /// R0 has given it `ve`, or it creates the volume. `members` in the order of their [`sextant_model::types::SegmentId`]s.
    Took { creates: bool, ve: Epoch, members: Vec<String> },
    Stepped {
        event: instance::Event<Intervals>,
        /// [`digest`] of the effects.
        effects: u32,
    },
}

/// A number for what is equal, the same in every build of this program.
#[must_use]
pub fn digest<T: Hash + ?Sized>(value: &T) -> u32 {
    let mut crc = Crc(0);
    value.hash(&mut crc);
    crc.0
}

/// The same for a redo record, payload and all.
#[must_use]
pub fn digest_of_record(record: &Record) -> u32 {
    // Zero says that there is no record.
    digest(&(record.lsn, record.ve, &record.key, &record.value)).max(1)
}

struct Crc(u32);

impl Hasher for Crc {
    fn write(&mut self, bytes: &[u8]) {
        self.0 = crc32c::crc32c_append(self.0, bytes);
    }

    fn finish(&self) -> u64 {
        self.0.into()
    }
}

/// Whose file it is: the first frame says so.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    pub actor: Actor,
    pub name: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Actor {
    Node,
    Writer,
}

/// What one kind of actor records.
pub trait Entry: Serialize + DeserializeOwned {
    const ACTOR: Actor;
}

impl Entry for NodeEntry {
    const ACTOR: Actor = Actor::Node;
}

impl Entry for WriterEntry {
    const ACTOR: Actor = Actor::Writer;
}

/// Writes one file.
#[derive(Debug)]
pub struct Recorder<E> {
    path: PathBuf,
    file: File,
    pending: Vec<E>,
    frame: Vec<u8>,
}

impl<E: Entry> Recorder<E> {
    /// Begins the next life of the actor `name` in `dir`.
    ///
    /// # Errors
    /// The folder's; the message names the file.
    pub fn create(dir: &Path, name: &str) -> io::Result<Self> {
        for life in 1.. {
            let path = dir.join(format!("{name}.{life:04}.{EXTENSION}"));
            match OpenOptions::new().append(true).create_new(true).open(&path) {
                Ok(mut file) => {
                    let mut frame = Vec::new();
                    let header = Header { actor: E::ACTOR, name: name.to_owned() };
                    encode_frame(&header, &mut frame).map_err(|error| about(&path, &error))?;
                    file.write_all(&frame).map_err(|error| about(&path, &error))?;
                    return Ok(Recorder { path, file, pending: Vec::new(), frame });
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(about(&path, &error)),
            }
        }
        unreachable!("some life has no file")
    }

    /// Takes an entry, to be written with the next [`Recorder::flush`].
    pub fn push(&mut self, entry: E) {
        self.pending.push(entry);
    }

    /// Writes what was taken: nothing that it caused may leave before.
    ///
    /// # Errors
    /// The file's; the message names it. The record is worthless then.
    pub fn flush(&mut self) -> io::Result<()> {
        if self.pending.is_empty() {
            return Ok(());
        }
        self.frame.clear();
        for entries in self.pending.chunks(FRAME_ENTRIES) {
            encode_frame(entries, &mut self.frame).map_err(|error| about(&self.path, &error))?;
        }
        self.pending.clear();
        self.file.write_all(&self.frame).map_err(|error| about(&self.path, &error))
    }

    /// [`Recorder::flush`], or the end of the process: what it does without a record would be taken for what it did not do.
    pub fn flush_or_end(&mut self) {
        if let Err(error) = self.flush() {
            eprintln!("flight recorder: {error}");
            std::process::exit(3);
        }
    }
}

fn about(path: &Path, error: &dyn std::fmt::Display) -> io::Error {
    io::Error::other(format!("{}: {error}", path.display()))
}

/// One file, read back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flight<E> {
    pub entries: Vec<E>,
    /// Bytes at the end that are no whole frame.
    pub torn: usize,
}

/// Whose file it is; none if the process ended before it could say so.
///
/// # Errors
/// That it cannot be read, or is no flight recorder's; with the path.
pub fn header(path: &Path) -> Result<Option<Header>, String> {
    let bytes = fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(first_frame(path, &bytes)?.map(|(header, _)| header))
}

fn first_frame(path: &Path, bytes: &[u8]) -> Result<Option<(Header, usize)>, String> {
    decode_frame(bytes).map_err(|error| format!("{}: no flight recorder's file: {error}", path.display()))
}

/// Reads a file.
///
/// # Errors
/// That it cannot be read, or holds something else; with path and offset.
pub fn read<E: Entry>(path: &Path) -> Result<Flight<E>, String> {
    let bytes = fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let Some((header, mut at)) = first_frame(path, &bytes)? else {
        return Ok(Flight { entries: Vec::new(), torn: bytes.len() });
    };
    if header.actor != E::ACTOR {
        return Err(format!("{}: {:?}'s file, not {:?}'s", path.display(), header.actor, E::ACTOR));
    }
    let mut flight = Flight { entries: Vec::new(), torn: 0 };
    while at < bytes.len() {
        let bad = |error: FrameError| format!("{}: at byte {at}: {error}", path.display());
        let decoded: Option<(Vec<E>, usize)> = decode_frame(&bytes[at..]).map_err(bad)?;
        let Some((entries, length)) = decoded else {
            flight.torn = bytes.len() - at;
            break;
        };
        flight.entries.extend(entries);
        at += length;
    }
    Ok(flight)
}

/// A node's recorder, if it has one.
#[derive(Debug, Default)]
pub struct NodeFlight {
    recorder: Option<Recorder<NodeEntry>>,
    /// The step under way, and the digest of its record.
    step: Option<(segment::Event<Intervals>, u32)>,
}

impl NodeFlight {
    /// A life that is recorded in `dir`.
    ///
    /// # Errors
    /// The folder's.
    pub fn create(dir: &Path, name: &str) -> io::Result<Self> {
        Ok(NodeFlight { recorder: Some(Recorder::create(dir, name)?), step: None })
    }

    /// The process has read its log; `live` are the records that are live on its disk.
    pub fn started<'a>(&mut self, created: bool, segment: &Segment<Intervals>, live: impl Iterator<Item = &'a Record>) {
        if let Some(recorder) = &mut self.recorder {
            let records = live.fold(0, |folded, record| folded ^ digest_of_record(record));
            recorder.push(NodeEntry::Started { created, disk: segment.disk().image().clone(), records });
        }
    }

    /// What was done may leave now.
    pub fn flush(&mut self) {
        if let Some(recorder) = &mut self.recorder {
            recorder.flush_or_end();
        }
    }
}

impl Observer for NodeFlight {
    fn before(&mut self, _: &Segment<Intervals>, event: &segment::Event<Intervals>, record: Option<&Record>) {
        if self.recorder.is_some() {
            self.step = Some((event.clone(), record.map_or(0, digest_of_record)));
        }
    }

    fn after(&mut self, _: &Segment<Intervals>, effects: &[Effect<Intervals>]) {
        if let (Some(recorder), Some((event, record))) = (&mut self.recorder, self.step.take()) {
            recorder.push(NodeEntry::Stepped { event, record, effects: digest(effects) });
        }
    }

    fn replied(&mut self, reply: &NodeReply) {
        let NodeReply::GossipPush { trunc_ve, records } = reply else { return };
        if let Some(recorder) = self.recorder.as_mut().filter(|_| !records.is_empty()) {
            let mut lsns = Intervals::default();
            records.iter().for_each(|record| lsns.insert(record.lsn));
            recorder.push(NodeEntry::Pushed { trunc_ve: *trunc_ve, lsns });
        }
    }

    fn read(&mut self, ve: Epoch, read_point: Lsn, answer: Result<(), ReadRefusal>) {
        if let Some(recorder) = &mut self.recorder {
            recorder.push(NodeEntry::Read { ve, read_point, answer });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(ve: u32) -> WriterEntry {
        WriterEntry::Took { creates: false, ve: Epoch(ve), members: vec!["a1".to_owned()] }
    }

    #[test]
    fn what_was_written_comes_back_and_each_life_has_its_file() {
        let dir = tempfile::tempdir().unwrap();
        for life in 1..3 {
            let mut recorder = Recorder::create(dir.path(), "w1").unwrap();
            recorder.push(entry(life));
            recorder.flush().unwrap();
            recorder.push(entry(life + 1));
            recorder.push(entry(life + 2));
            recorder.flush().unwrap();
            recorder.push(entry(9));
        }
        let second: Flight<WriterEntry> = read(&dir.path().join("w1.0002.flight")).unwrap();
        assert_eq!(second, Flight { entries: vec![entry(2), entry(3), entry(4)], torn: 0 });
    }

    #[test]
    fn a_torn_end_is_dropped_and_damage_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let mut recorder = Recorder::create(dir.path(), "w1").unwrap();
        for ve in 1..3 {
            recorder.push(entry(ve));
            recorder.flush().unwrap();
        }
        let path = dir.path().join("w1.0001.flight");
        let whole = fs::read(&path).unwrap();
        assert_eq!(header(&path), Ok(Some(Header { actor: Actor::Writer, name: "w1".to_owned() })));
        let Some((_, first)) = first_frame(&path, &whole).unwrap() else { panic!("it has a header") };
        fs::write(&path, &whole[..whole.len() - 3]).unwrap();
        let flight: Flight<WriterEntry> = read(&path).unwrap();
        assert_eq!((flight.entries, flight.torn), (vec![entry(1)], (whole.len() - first) / 2 - 3));
        let mut damaged = whole;
        damaged[first + 6] ^= 1;
        fs::write(&path, &damaged).unwrap();
        let error = read::<WriterEntry>(&path).unwrap_err();
        assert!(error.contains(&format!("w1.0001.flight: at byte {first}: frame checksum")), "{error}");
        let error = read::<NodeEntry>(&path).unwrap_err();
        assert!(error.contains("Writer's file, not Node's"), "{error}");
        fs::write(&path, "{\"a\": 1, \"b\": 2}").unwrap();
        let error = header(&path).unwrap_err();
        assert!(error.contains("w1.0001.flight: no flight recorder's file"), "{error}");
    }

    #[test]
    fn a_folder_that_is_not_there_is_named() {
        let error = Recorder::<WriterEntry>::create(Path::new("/nowhere"), "w1").unwrap_err().to_string();
        assert!(error.contains("/nowhere/w1.0001.flight"), "{error}");
    }
}
