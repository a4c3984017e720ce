//! The recorder: many clients, one file, nothing lost when the process is killed.
//!
//! One `write(2)` a line on an append-only file, under a mutex: the order of the lines is the order in which the calls of
//! [`Recorder`] took place, and what was recorded is with the kernel when the call returns, so that SIGKILL loses none of
//! it. A power failure may; [`Recorder::finish`] is the point after which it does not.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crate::event::{Call, Event, Kind};
use crate::history::Outcome;
use crate::line::Header;
use crate::pairing::{Misuse, Pairing};
use crate::value::Key;

/// Why an event was not recorded. The history in the file is what it was before.
#[derive(Debug)]
pub enum RecordError {
    /// The file could not be created, written or synced.
    Io { file: PathBuf, error: io::Error },
    /// The event cannot follow those before it; it was not written.
    Misuse(Misuse),
    /// An earlier write failed and may have left half a line: anything behind it would be unreadable.
    Broken { file: PathBuf },
    /// [`Recorder::finish`] was called.
    Finished { file: PathBuf },
}

impl fmt::Display for RecordError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io { file, error } => write!(f, "{}: {error}", file.display()),
            Self::Misuse(misuse) => fmt::Display::fmt(misuse, f),
            Self::Broken { file } => write!(f, "{}: an earlier write failed", file.display()),
            Self::Finished { file } => write!(f, "{}: the recording is finished", file.display()),
        }
    }
}

impl std::error::Error for RecordError {}

/// Records a history from any number of threads.
///
/// Call [`invoke`](Recorder::invoke) *before* the request leaves and [`complete`](Recorder::complete) *after* the answer
/// has come: only then does an operation lie between its two lines. A process is a thread of control of a client; after
/// [`Outcome::Indeterminate`] go on under a new process number.
pub struct Recorder {
    path: PathBuf,
    start: Instant,
    inner: Mutex<Inner>,
}

struct Inner {
    file: File,
    pairing: Pairing,
    phase: Phase,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Open,
    Broken,
    Finished,
}

impl Recorder {
    /// Starts a new file. One that exists is an error: a history is evidence, never to be overwritten or continued.
    pub fn create(path: impl AsRef<Path>) -> Result<Self, RecordError> {
        let path = path.as_ref().to_owned();
        let opened = OpenOptions::new().append(true).create_new(true).open(&path);
        let file = opened.map_err(|error| RecordError::Io { file: path.clone(), error })?;
        let inner = Inner { file, pairing: Pairing::default(), phase: Phase::Open };
        Ok(Self { path, start: Instant::now(), inner: Mutex::new(inner) })
    }

    /// Like [`create`](Recorder::create), with a first line that says what the history is about.
    pub fn create_about(path: impl AsRef<Path>, about: &str) -> Result<Self, RecordError> {
        let recorder = Self::create(path)?;
        let header = serde_json::to_string(&Header { about: about.to_owned() });
        let header = header.map_err(|error| recorder.io(error.into()))?;
        recorder.write(&mut recorder.lock(), header)?;
        Ok(recorder)
    }

    /// `process` is about to ask for `call`.
    pub fn invoke(&self, process: u64, key: Key, call: Call) -> Result<(), RecordError> {
        let mut inner = self.lock();
        let event = Event { process, kind: Kind::Invoke, call, key, time: Some(self.now()) };
        self.append(&mut inner, &event)
    }

    /// The open operation of `process` ended so.
    pub fn complete(&self, process: u64, outcome: Outcome) -> Result<(), RecordError> {
        let mut inner = self.lock();
        let open = inner.pairing.open(process).cloned();
        let open = open.ok_or(RecordError::Misuse(Misuse::NotInvoked { process }))?;
        let kind = match outcome {
            Outcome::Ok(reply) => Kind::Ok(reply),
            Outcome::Fail => Kind::Fail,
            Outcome::Indeterminate => Kind::Info,
        };
        let event = Event { process, kind, call: open.call, key: open.key, time: Some(self.now()) };
        self.append(&mut inner, &event)
    }

    /// Appends an event made elsewhere, its time as it stands.
    pub fn record(&self, event: &Event) -> Result<(), RecordError> {
        self.append(&mut self.lock(), event)
    }

    /// Makes everything recorded so far, and the file's name, survive a power failure. Nothing can be recorded after.
    pub fn finish(&self) -> Result<(), RecordError> {
        let mut inner = self.lock();
        self.usable(&inner)?;
        inner.file.sync_all().map_err(|error| self.io(error))?;
        let parent = match self.path.parent() {
            Some(parent) if parent != Path::new("") => parent,
            _ => Path::new("."),
        };
        let directory = File::open(parent).map_err(|error| self.io(error))?;
        directory.sync_all().map_err(|error| self.io(error))?;
        inner.phase = Phase::Finished;
        Ok(())
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    fn append(&self, inner: &mut Inner, event: &Event) -> Result<(), RecordError> {
        self.usable(inner)?;
        let process = event.process;
        let line = event.to_line();
        let line = line.ok_or(RecordError::Misuse(Misuse::WrongReply { process }))?;
        inner.pairing.accept(event).map_err(RecordError::Misuse)?;
        self.write(inner, line)
    }

    /// `write_all` is one `write(2)` unless the kernel takes only a part. The part that is written is then half a line,
    /// and if the rest fails the recorder stays broken.
    fn write(&self, inner: &mut Inner, mut line: String) -> Result<(), RecordError> {
        line.push('\n');
        inner.file.write_all(line.as_bytes()).map_err(|error| {
            inner.phase = Phase::Broken;
            self.io(error)
        })
    }

    fn usable(&self, inner: &Inner) -> Result<(), RecordError> {
        let file = self.path.clone();
        match inner.phase {
            Phase::Open => Ok(()),
            Phase::Broken => Err(RecordError::Broken { file }),
            Phase::Finished => Err(RecordError::Finished { file }),
        }
    }

    /// Taken under the mutex, so that times never run against the order of the lines.
    fn now(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    /// A thread that panicked elsewhere must not stop the others from recording: no code under this lock panics half
    /// way through a change.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn io(&self, error: io::Error) -> RecordError {
        RecordError::Io { file: self.path.clone(), error }
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    /// `/dev/full` takes no byte, as a full disk does: after the first failure nothing may be written behind what may be
    /// half a line.
    #[test]
    fn a_failed_write_is_an_error_and_stays_one() {
        let file = OpenOptions::new().append(true).open("/dev/full").unwrap();
        let inner = Inner { file, pairing: Pairing::default(), phase: Phase::Open };
        let recorder = Recorder { path: "/dev/full".into(), start: Instant::now(), inner: Mutex::new(inner) };
        let first = recorder.invoke(0, 1.into(), Call::Read);
        assert!(matches!(first, Err(RecordError::Io { .. })), "{first:?}");
        let second = recorder.invoke(1, 1.into(), Call::Read);
        assert!(matches!(second, Err(RecordError::Broken { .. })), "{second:?}");
        assert!(matches!(recorder.finish(), Err(RecordError::Broken { .. })));
    }
}
