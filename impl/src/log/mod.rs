//! The hot log of a storage node: opaque entries, durable in order, read back after a crash.
//!
//! ```text
//! dir/format                   whose log this is and how it is laid out          (see format.rs)
//! dir/segment-0000000001.log   preallocated; batches, each on its own sectors    (see batch.rs)
//! dir/segment-0000000002.log   …
//! dir/synced                   a hint for the harness, never trusted             (see watermark.rs)
//! ```
//!
//! [`Log::append`] collects entries in memory. [`Log::sync`] writes them as one batch, syncs the file and says how many
//! entries are durable now; only then may anything be acknowledged. Each batch carries a **mark**: the position up to
//! which the log had been synced before it. [`Log::open`] tells a torn tail (dropped, reported, erased) from corruption
//! (refused) by the newest mark it finds (see recovery.rs).
//!
//! A segment file that is full gets a **seal**, once the next file and its name are durable. So a missing file is
//! noticed wherever it is.
//!
//! A failed write or sync **poisons** the log: what reached the disk is unknown (the kernel may have dropped the dirty
//! pages and report success next time), so every later call returns the same error and the process has to recover from
//! the disk. Only a next segment file that does not fit on the device leaves the log usable, since nothing was written:
//! the entries stay pending and the next `sync` tries again.
//!
//! Architecture invariant: what the log knows after `open` it knows from `format` and the segment files alone.

mod batch;
mod crash;
mod create;
pub mod disk;
mod error;
pub mod fault;
mod format;
pub mod memory;
mod recovery;
pub(crate) mod segments;
mod watermark;

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub(crate) use batch::reseal;
use batch::{BatchHeader, BatchKind, ENTRY_HEADER_BYTES, HEADER_BYTES, Layout};
pub use batch::{Entry, Position};
pub use crash::{CrashHook, CrashPoint};
use create::{create_format, create_watermark, reserve_segment, settle_segment};
use disk::{DirLock, Disk, File, OsDisk};
pub use error::LogError;
use format::Format;
pub use format::IDENTITY_BYTES_MAX;

pub const SEGMENT_BYTES_DEFAULT: u32 = 4 << 20;
/// What a disk writes whole or not at all.
pub const SECTOR_BYTES_DEFAULT: u32 = 512;

#[derive(Clone)]
pub struct Options {
    /// Bytes of a segment file: a multiple of `sector_bytes`, at most 1 GiB. Fixed at creation; `open` ignores it.
    pub segment_bytes: u32,
    /// A power of two from 64. Fixed at creation; `open` ignores it.
    pub sector_bytes: u32,
    pub crash: CrashHook,
    pub disk: Arc<dyn Disk>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            segment_bytes: SEGMENT_BYTES_DEFAULT,
            sector_bytes: SECTOR_BYTES_DEFAULT,
            crash: CrashHook::default(),
            disk: Arc::new(OsDisk),
        }
    }
}

/// What [`Log::open`] found. All of it is durable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recovered {
    /// As given to [`Log::create`].
    pub identity: Vec<u8>,
    /// In the order in which they were appended.
    pub entries: Vec<Entry>,
    pub torn: Option<TornTail>,
}

/// Bytes at the end of the log that a crash left unfinished, and that were dropped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TornTail {
    pub path: PathBuf,
    /// Where the dropped bytes began, from the start of `path`.
    pub offset: u64,
    /// Up to the last byte that was not zero.
    pub bytes_dropped: u64,
}

impl fmt::Display for TornTail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.display();
        write!(f, "dropped {} bytes of a torn tail at byte {} of {path}", self.bytes_dropped, self.offset)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Synced {
    /// Entries that became durable since the last `Synced`: the oldest of those appended and not yet reported.
    pub entries: usize,
    /// Everything before this position is durable.
    pub upto: Position,
}

pub struct Log {
    dir: PathBuf,
    disk: Arc<dyn Disk>,
    crash: CrashHook,
    layout: Layout,
    segment_bytes: u32,
    /// The segment file in which the log ends.
    file: Box<dyn File>,
    watermark: Box<dyn File>,
    /// Where the next batch goes. Everything before it is synced.
    end: Position,
    seq_next: u64,
    /// Of the newest batch. Zero: it is a mark or a seal, or there is none.
    newest_entries: u32,
    pending: Pending,
    /// Entries that are durable and not yet reported, because the `sync` that wrote them failed later on.
    unreported: usize,
    buffer: Vec<u8>,
    poison: Option<LogError>,
    _lock: DirLock,
}

/// Entries that are appended and not written.
#[derive(Default)]
struct Pending {
    body: Vec<u8>,
    /// The end of each entry in `body`.
    ends: Vec<usize>,
}

impl Log {
    /// Makes a new log in `dir`, which need not exist, and leaves it open. `identity` says whose it is.
    pub fn create(dir: &Path, identity: &[u8], options: &Options) -> Result<Self, LogError> {
        let format = Format {
            identity: identity.to_vec(),
            segment_bytes: options.segment_bytes,
            sector_bytes: options.sector_bytes,
        };
        format.check()?;
        let disk = &options.disk;
        disk.create_dir(dir).map_err(|error| LogError::io("create", dir, &error))?;
        let lock = lock(disk.as_ref(), dir)?;
        if segments::read_format(disk.as_ref(), dir)?.is_some() {
            return Err(LogError::Exists { path: dir.to_path_buf() });
        }
        segments::refuse_orphans(disk.as_ref(), dir)?;
        let bytes = format.segment_bytes;
        let mut file = reserve_segment(disk.as_ref(), &options.crash, dir, segments::FIRST, bytes)?;
        settle_segment(disk.as_ref(), &options.crash, dir, segments::FIRST, file.as_mut())?;
        let watermark = create_watermark(disk.as_ref(), dir)?;
        create_format(options, dir, &format)?;
        let found = recovery::scan(disk.as_ref(), dir, &format)?;
        let mut log = Self::assemble(dir, options, &format, &found, (file, watermark, lock));
        log.store_watermark()?;
        Ok(log)
    }

    /// Reads the log in `dir` back. A torn tail is erased, and all that is reported is synced, before this returns.
    pub fn open(dir: &Path, options: &Options) -> Result<(Self, Recovered), LogError> {
        let disk = options.disk.as_ref();
        let lock = lock(disk, dir)?;
        let Some(bytes) = segments::read_format(disk, dir)? else {
            segments::refuse_orphans(disk, dir)?;
            return Err(LogError::NoLog { path: dir.to_path_buf() });
        };
        let format = Format::decode(&dir.join(format::NAME), &bytes)?;
        let found = recovery::scan(disk, dir, &format)?;
        let path = segments::path(dir, found.end.segment);
        let file = open_file(disk, &path)?;
        let watermark = match disk.open(&dir.join(watermark::NAME)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => create_watermark(disk, dir)?,
            opened => opened.map_err(|error| LogError::io("open", &dir.join(watermark::NAME), &error))?,
        };
        let mut log = Self::assemble(dir, options, &format, &found, (file, watermark, lock));
        log.settle(found.torn.as_ref())?;
        let recovered = Recovered { identity: format.identity, entries: found.entries, torn: found.torn };
        Ok((log, recovered))
    }

    /// Adds an entry to the current batch, in memory only. [`Log::sync`] makes it durable; dropping the log loses it.
    pub fn append<B: AsRef<[u8]>>(&mut self, entry: &Entry<B>) -> Result<(), LogError> {
        self.alive()?;
        let bytes = entry.payload.as_ref().len();
        let bytes_max = self.payload_bytes_max();
        if bytes > bytes_max {
            return Err(LogError::EntryTooLarge { bytes, bytes_max });
        }
        batch::encode_entry(entry, &mut self.pending.body);
        self.pending.ends.push(self.pending.body.len());
        Ok(())
    }

    /// Writes and syncs what is pending. On an error the entries not reported as synced may or may not survive.
    pub fn sync(&mut self) -> Result<Synced, LogError> {
        self.alive()?;
        while !self.pending.ends.is_empty() {
            let entries = self.make_room()?;
            self.write_batch(BatchKind::Entries, entries)?;
        }
        Ok(Synced { entries: std::mem::take(&mut self.unreported), upto: self.end })
    }

    /// Syncs what is pending, then a batch without entries, so that all entries lie before the newest mark: from then on
    /// damage to any of them is known for what it is. For a node that has become idle; does nothing when repeated.
    pub fn mark(&mut self) -> Result<Synced, LogError> {
        let synced = self.sync()?;
        if self.newest_entries > 0 {
            let marked = if self.fits(0) {
                self.write_batch(BatchKind::Entries, 0)
            } else {
                // The seal says the same as a mark.
                self.roll()
            };
            if let Err(error) = marked {
                self.unreported = synced.entries;
                return Err(error);
            }
        }
        Ok(Synced { upto: self.end, ..synced })
    }

    /// Where the log ends: everything before it is durable, pending entries are not in it.
    pub fn end(&self) -> Position {
        self.end
    }

    /// Entries appended and not yet written.
    pub fn pending_entries(&self) -> usize {
        self.pending.ends.len()
    }

    /// Bytes that the pending entries take in memory. The log sets no limit: the caller bounds its own batches.
    pub fn pending_bytes(&self) -> usize {
        self.pending.body.len()
    }

    /// The largest payload that [`Log::append`] takes, in bytes.
    pub fn payload_bytes_max(&self) -> usize {
        // One sector stays free for the seal.
        (self.segment_bytes - self.layout.sector_bytes) as usize - HEADER_BYTES - ENTRY_HEADER_BYTES
    }

    /// The error that stopped this log for good, if one did.
    pub fn poison(&self) -> Option<&LogError> {
        self.poison.as_ref()
    }

    fn assemble(
        dir: &Path,
        options: &Options,
        format: &Format,
        found: &recovery::Scan,
        (file, watermark, lock): (Box<dyn File>, Box<dyn File>, DirLock),
    ) -> Self {
        Self {
            dir: dir.to_path_buf(),
            disk: Arc::clone(&options.disk),
            crash: options.crash.clone(),
            layout: Layout { salt: format.salt(), sector_bytes: format.sector_bytes },
            segment_bytes: format.segment_bytes,
            file,
            watermark,
            end: found.end,
            seq_next: found.seq_next,
            newest_entries: found.newest_entries,
            pending: Pending::default(),
            unreported: 0,
            buffer: Vec::new(),
            poison: None,
            _lock: lock,
        }
    }

    /// Makes durable what a killed process may have left in the page cache, and nothing else.
    fn settle(&mut self, torn: Option<&TornTail>) -> Result<(), LogError> {
        let path = self.path();
        if let Some(torn) = torn {
            self.crash.reach(CrashPoint::BeforeTailErased);
            let zeros = vec![0; torn.bytes_dropped as usize];
            let written = self.file.write_at(&zeros, torn.offset);
            self.or_poison("erase the torn tail of", &path, written)?;
            self.crash.reach(CrashPoint::TailErasedBeforeSync);
        }
        let synced = self.file.sync();
        self.or_poison("sync", &path, synced)?;
        if self.end.offset == 0 && self.end.segment > segments::FIRST {
            // The newest batch is the seal in the file before.
            let path = segments::path(&self.dir, self.end.segment - 1);
            open_file(self.disk.as_ref(), &path)?.sync().map_err(|error| LogError::io("sync", &path, &error))?;
        }
        let synced = self.disk.sync_dir(&self.dir);
        self.or_poison("sync", &self.dir.clone(), synced)?;
        self.crash.reach(CrashPoint::RecoveredBeforeWatermark);
        self.store_watermark()
    }

    fn alive(&self) -> Result<(), LogError> {
        self.poison.clone().map_or(Ok(()), Err)
    }

    /// How many pending entries the next batch takes, after rolling to a new segment file if that helps.
    fn make_room(&mut self) -> Result<usize, LogError> {
        if !self.fits(self.pending.body.len()) && self.end.offset > 0 {
            self.roll()?;
        }
        // More than a segment file is split; `append` saw to it that one entry fits.
        let fitting = self.pending.ends.partition_point(|&end| self.fits(end));
        assert!(fitting > 0, "no pending entry fits into an empty segment");
        Ok(fitting)
    }

    /// Whether a batch with so many bytes of entries fits into the current segment file, with room for the seal.
    fn fits(&self, entry_bytes: usize) -> bool {
        let room = (self.segment_bytes - self.end.offset) as usize;
        self.layout.batch_bytes(entry_bytes) + self.layout.sector_bytes as usize <= room
    }

    /// Writes and syncs one batch of the first `entries` pending entries.
    fn write_batch(&mut self, kind: BatchKind, entries: usize) -> Result<(), LogError> {
        let path = self.path();
        let body_bytes = entries.checked_sub(1).map_or(0, |n| self.pending.ends[n]);
        let header = BatchHeader {
            kind,
            seq: self.seq_next,
            at: self.end,
            synced: self.end,
            // A segment file of at most 1 GiB does not hold 2^32 entries.
            entries: entries as u32,
        };
        batch::encode(self.layout, &header, &self.pending.body[..body_bytes], &mut self.buffer);
        self.crash.reach(CrashPoint::BeforeWrite);
        let written = self.file.write_at(&self.buffer, u64::from(self.end.offset));
        self.or_poison("write", &path, written)?;
        self.crash.reach(CrashPoint::AfterWriteBeforeSync);
        let synced = self.file.sync();
        self.or_poison("sync", &path, synced)?;
        self.end.offset += self.buffer.len() as u32;
        self.seq_next += 1;
        self.newest_entries = header.entries;
        self.pending.drop_first(entries, body_bytes);
        self.unreported += entries;
        self.crash.reach(CrashPoint::AfterSyncBeforeWatermark);
        self.store_watermark()?;
        self.crash.reach(CrashPoint::AfterWatermark);
        Ok(())
    }

    /// Goes on to a new segment file. A full device leaves the log as it was; any other failure poisons it.
    fn roll(&mut self) -> Result<(), LogError> {
        let next = self.end.segment + 1;
        let disk = Arc::clone(&self.disk);
        let reserved = reserve_segment(disk.as_ref(), &self.crash, &self.dir, next, self.segment_bytes);
        let mut file = match reserved {
            Err(full @ LogError::Full { .. }) => return Err(full),
            Err(error) => return Err(self.poison_with(error)),
            Ok(file) => file,
        };
        settle_segment(disk.as_ref(), &self.crash, &self.dir, next, file.as_mut())
            .map_err(|error| self.poison_with(error))?;
        self.crash.reach(CrashPoint::DirectorySyncedBeforeSeal);
        self.write_batch(BatchKind::Seal, 0)?;
        self.file = file;
        self.end = Position { segment: next, offset: 0 };
        Ok(())
    }

    fn store_watermark(&mut self) -> Result<(), LogError> {
        let stored = watermark::store(self.watermark.as_mut(), self.end);
        self.or_poison("write", &self.dir.join(watermark::NAME), stored)
    }

    fn or_poison<T>(&mut self, operation: &'static str, path: &Path, result: io::Result<T>) -> Result<T, LogError> {
        result.map_err(|error| self.poison_with(LogError::io(operation, path, &error)))
    }

    fn poison_with(&mut self, error: LogError) -> LogError {
        self.poison = Some(error.clone());
        error
    }

    fn path(&self) -> PathBuf {
        segments::path(&self.dir, self.end.segment)
    }
}

impl Pending {
    fn drop_first(&mut self, entries: usize, bytes: usize) {
        self.body.drain(..bytes);
        self.ends.drain(..entries);
        for end in &mut self.ends {
            *end -= bytes;
        }
    }
}

fn lock(disk: &dyn Disk, dir: &Path) -> Result<DirLock, LogError> {
    let path = dir.to_path_buf();
    disk.lock_dir(dir).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => LogError::NoLog { path },
        io::ErrorKind::WouldBlock => LogError::Busy { path },
        _ => LogError::io("lock", dir, &error),
    })
}

fn open_file(disk: &dyn Disk, path: &Path) -> Result<Box<dyn File>, LogError> {
    disk.open(path).map_err(|error| LogError::io("open", path, &error))
}
