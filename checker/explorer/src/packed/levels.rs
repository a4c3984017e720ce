//! Levels of a breadth-first search: packed states one behind another, in memory, in files, or both.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Failure;

/// Bytes after which a chunk is complete.
pub const CHUNK: usize = 64 << 10;

/// Some states of a level.
#[derive(Clone, Debug)]
pub struct Chunk {
    memory: Option<Arc<Held>>,
    file: Option<Place>,
}

/// States in memory, counted as long as they are there.
#[derive(Debug)]
struct Held {
    states: Vec<u8>,
    pool: Arc<Pool>,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.pool.used.fetch_sub(self.states.len(), Ordering::Relaxed);
        self.pool.give_back(std::mem::take(&mut self.states));
    }
}

/// Buffers of a chunk's size that go from the states explored to those found: new ones would be memory that the system
/// clears first.
#[derive(Debug, Default)]
struct Pool {
    /// Bytes of states in memory.
    used: AtomicUsize,
    spare: Mutex<Vec<Vec<u8>>>,
}

/// Buffers that a pool keeps.
const SPARE_MAX: usize = 16;

impl Pool {
    fn give_back(&self, mut buffer: Vec<u8>) {
        let mut spare = lock(&self.spare);
        if buffer.capacity() == CHUNK && spare.len() < SPARE_MAX {
            buffer.clear();
            spare.push(buffer);
        }
    }

    fn take(&self) -> Vec<u8> {
        lock(&self.spare).pop().unwrap_or_else(|| Vec::with_capacity(CHUNK))
    }
}

#[derive(Clone, Debug)]
struct Place {
    file: Arc<LevelFile>,
    offset: u64,
    bytes: usize,
}

#[derive(Debug)]
struct LevelFile {
    file: File,
    path: PathBuf,
    /// Whether the file goes when nobody needs it any more.
    scratch: bool,
}

impl Drop for LevelFile {
    fn drop(&mut self) {
        if self.scratch {
            // What stays behind lies in a temporary folder that is removed as a whole.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// A complete level.
#[derive(Clone, Debug, Default)]
pub struct Level {
    pub chunks: Vec<Chunk>,
    pub states: u64,
    /// The sum of the states' keys, whatever their order: tells whether a file still holds what was written.
    pub sum: u64,
}

impl Level {
    /// The same level without what is in memory, if it is all in a file.
    #[must_use]
    pub fn on_disk(&self) -> Option<Level> {
        let away = |chunk: &Chunk| Some(Chunk { memory: None, file: Some(chunk.file.clone()?) });
        Some(Level { chunks: self.chunks.iter().map(away).collect::<Option<_>>()?, ..*self })
    }

    #[must_use]
    pub fn bytes_in_memory(&self) -> usize {
        self.chunks.iter().filter_map(|chunk| chunk.memory.as_ref()).map(|held| held.states.len()).sum()
    }
}

impl Chunk {
    /// Lends the states to `take`.
    ///
    /// # Errors
    /// If they cannot be read back from their file.
    pub fn with<R>(&self, take: impl FnOnce(&[u8]) -> R) -> Result<R, Failure> {
        match (&self.memory, &self.file) {
            (Some(held), _) => Ok(take(&held.states)),
            (None, Some(place)) => {
                let mut states = vec![0; place.bytes];
                let read = place.file.file.read_exact_at(&mut states, place.offset);
                read.map_err(|e| Failure::at("read", &place.file.path, &e))?;
                Ok(take(&states))
            }
            (None, None) => Ok(take(&[])),
        }
    }
}

/// Where levels live.
#[derive(Debug)]
pub struct Storage {
    /// Bytes of states that may be in memory.
    limit: usize,
    pool: Arc<Pool>,
    written: AtomicU64,
    folder: Mutex<Folder>,
}

#[derive(Debug)]
enum Folder {
    /// Made when memory is short, in the system's folder for temporary files.
    Temporary(Option<tempfile::TempDir>),
    /// Every level goes there and stays.
    Checkpoint(PathBuf),
}

impl Storage {
    #[must_use]
    pub fn temporary(limit: usize) -> Self {
        Storage::of(limit, Folder::Temporary(None))
    }

    #[must_use]
    pub fn checkpointed(limit: usize, folder: &Path) -> Self {
        Storage::of(limit, Folder::Checkpoint(folder.to_owned()))
    }

    fn of(limit: usize, folder: Folder) -> Self {
        Storage { limit, pool: Arc::default(), written: AtomicU64::new(0), folder: Mutex::new(folder) }
    }

    /// Bytes of states that may be in memory.
    #[must_use]
    pub fn limit(&self) -> usize {
        self.limit
    }

    /// An empty buffer for the states of a chunk.
    #[must_use]
    pub fn buffer(&self) -> Vec<u8> {
        self.pool.take()
    }

    /// Bytes of states in memory.
    #[must_use]
    pub fn in_memory(&self) -> usize {
        self.pool.used.load(Ordering::Relaxed)
    }

    /// Bytes written to files so far.
    #[must_use]
    pub fn written(&self) -> u64 {
        self.written.load(Ordering::Relaxed)
    }

    /// Counts bytes that somebody else wrote into the folder.
    pub fn add_written(&self, bytes: u64) {
        self.written.fetch_add(bytes, Ordering::Relaxed);
    }

    fn keeps_files(&self) -> bool {
        matches!(*lock(&self.folder), Folder::Checkpoint(_))
    }

    /// The folder for files, made if there is none yet.
    ///
    /// # Errors
    /// If it cannot be made.
    pub fn folder(&self) -> Result<PathBuf, Failure> {
        let mut folder = lock(&self.folder);
        match &mut *folder {
            Folder::Checkpoint(path) => Ok(path.clone()),
            Folder::Temporary(Some(made)) => Ok(made.path().to_owned()),
            Folder::Temporary(none) => {
                let made = tempfile::Builder::new().prefix("sextant-").tempdir();
                let made = made.map_err(|e| Failure::at("make a folder in", &std::env::temp_dir(), &e))?;
                Ok(none.insert(made).path().to_owned())
            }
        }
    }

    /// Begins level `depth`.
    #[must_use]
    pub fn grow(&self, depth: usize) -> Growing<'_> {
        let name = level_name(depth);
        Growing { storage: self, name, stays: self.keeps_files(), inner: Mutex::new(Inner::default()) }
    }

    /// Begins states that may not be new, found from level `depth`.
    #[must_use]
    pub fn grow_candidates(&self, depth: usize) -> Growing<'_> {
        let name = format!("candidates-{depth:06}.states");
        Growing { storage: self, name, stays: false, inner: Mutex::new(Inner::default()) }
    }

    /// Opens a level that [`Growing::finish`] has left in a checkpoint: `states` states of `bytes` bytes.
    ///
    /// # Errors
    /// If its file is missing or of another length.
    pub fn open(&self, depth: usize, states: u64, sum: u64, bytes: usize) -> Result<Level, Failure> {
        if states == 0 {
            // Of such a level there never was a file.
            return Ok(Level { chunks: Vec::new(), states, sum });
        }
        let path = self.folder()?.join(level_name(depth));
        let file = File::open(&path).map_err(|e| Failure::at("open", &path, &e))?;
        let found = file.metadata().map_err(|e| Failure::at("read", &path, &e))?.len();
        let expected = states * bytes as u64;
        if found < expected {
            return Err(Failure(format!("{} is damaged: {found} bytes, not {expected}", path.display())));
        }
        let file = Arc::new(LevelFile { file, path, scratch: false });
        let chunk = (CHUNK / bytes).max(1) * bytes;
        let chunks = (0..expected).step_by(chunk).map(|offset| {
            let bytes = (chunk as u64).min(expected - offset) as usize;
            Chunk { memory: None, file: Some(Place { file: file.clone(), offset, bytes }) }
        });
        Ok(Level { chunks: chunks.collect(), states, sum })
    }
}

fn level_name(depth: usize) -> String {
    format!("level-{depth:06}.states")
}

/// A level that is being found.
#[derive(Debug)]
pub struct Growing<'a> {
    storage: &'a Storage,
    name: String,
    /// Whether everything goes to the file, and the file stays.
    stays: bool,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    chunks: Vec<Chunk>,
    file: Option<Arc<LevelFile>>,
    end: u64,
}

impl Growing<'_> {
    /// Adds states.
    ///
    /// # Errors
    /// If they had to be written to a file and could not be.
    pub fn push(&self, mut states: Vec<u8>) -> Result<(), Failure> {
        if states.is_empty() {
            return Ok(());
        }
        let storage = self.storage;
        let fits = storage.in_memory() + states.len() <= storage.limit;
        let file = if self.stays || !fits { Some(self.write(&states)?) } else { None };
        let memory = (fits || file.is_none()).then(|| {
            // The last chunks of a level are short, and only their length is counted.
            if states.len() < CHUNK / 2 {
                states.shrink_to_fit();
            }
            storage.pool.used.fetch_add(states.len(), Ordering::Relaxed);
            Arc::new(Held { states, pool: storage.pool.clone() })
        });
        lock(&self.inner).chunks.push(Chunk { memory, file });
        Ok(())
    }

    fn write(&self, states: &[u8]) -> Result<Place, Failure> {
        let (file, offset) = {
            let mut inner = lock(&self.inner);
            if inner.file.is_none() {
                let path = self.storage.folder()?.join(&self.name);
                let file = File::options().read(true).write(true).create(true).truncate(true).open(&path);
                let file = file.map_err(|e| Failure::at("create", &path, &e))?;
                inner.file = Some(Arc::new(LevelFile { file, path, scratch: !self.stays }));
            }
            let offset = inner.end;
            inner.end += states.len() as u64;
            (inner.file.clone().expect("it was opened above"), offset)
        };
        file.file.write_all_at(states, offset).map_err(|e| Failure::at("write", &file.path, &e))?;
        self.storage.add_written(states.len() as u64);
        Ok(Place { file, offset, bytes: states.len() })
    }

    /// The level, complete; in a checkpoint, on the disk.
    ///
    /// # Errors
    /// If its file could not be synced.
    pub fn finish(self, states: u64, sum: u64) -> Result<Level, Failure> {
        let inner = self.inner.into_inner().unwrap_or_else(PoisonError::into_inner);
        if let Some(file) = inner.file.filter(|_| self.stays) {
            file.file.sync_data().map_err(|e| Failure::at("sync", &file.path, &e))?;
        }
        let mut chunks = inner.chunks;
        chunks.reverse();
        Ok(Level { chunks, states, sum })
    }
}

impl Failure {
    pub(crate) fn at(verb: &str, path: &Path, error: &io::Error) -> Failure {
        Failure(format!("cannot {verb} {}: {error}", path.display()))
    }
}

/// Nothing that a panic could leave half done is kept behind these locks.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
