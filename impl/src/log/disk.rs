//! The few disk operations that the log needs, as a trait: the real disk here, one that forgets in [`super::memory`].
//!
//! The contract is that of a POSIX file system and nothing stronger: what is written is volatile until the file is
//! synced, a new or changed name is volatile until its directory is synced, and a failed sync says nothing about what
//! reached the disk.

use std::any::Any;
use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;

use rustix::fs::{FallocateFlags, fallocate};
use rustix::io::Errno;

/// Held for as long as a log is open; dropping it releases the lock.
pub type DirLock = Box<dyn Any + Send>;

pub trait Disk: Send + Sync {
    /// Creates `dir` with its parents, its own name durable. An existing directory is no error.
    fn create_dir(&self, dir: &Path) -> io::Result<()>;
    /// `WouldBlock` if somebody else holds the lock.
    fn lock_dir(&self, dir: &Path) -> io::Result<DirLock>;
    /// The names in `dir`, in any order. Names that are not UTF-8 are left out: no log file has one.
    fn list(&self, dir: &Path) -> io::Result<Vec<String>>;
    fn read(&self, path: &Path) -> io::Result<Vec<u8>>;
    /// A new empty file, or an existing one cut to nothing.
    fn create(&self, path: &Path) -> io::Result<Box<dyn File>>;
    fn open(&self, path: &Path) -> io::Result<Box<dyn File>>;
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Makes the names in `dir` durable.
    fn sync_dir(&self, dir: &Path) -> io::Result<()>;
}

pub trait File: Send {
    /// Gives an empty file `bytes` zero bytes, with space reserved for them.
    fn allocate(&mut self, bytes: u64) -> io::Result<()>;
    fn write_at(&mut self, bytes: &[u8], offset: u64) -> io::Result<()>;
    /// Makes content and length durable.
    fn sync(&mut self) -> io::Result<()>;
}

/// The real one.
#[derive(Clone, Copy, Debug, Default)]
pub struct OsDisk;

impl Disk for OsDisk {
    fn create_dir(&self, dir: &Path) -> io::Result<()> {
        fs::create_dir_all(dir)?;
        // Even if it was there: whoever made it may have died before this line.
        match dir.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => self.sync_dir(parent),
            _ => self.sync_dir(Path::new(".")),
        }
    }

    fn lock_dir(&self, dir: &Path) -> io::Result<DirLock> {
        let handle = fs::File::open(dir)?;
        match handle.try_lock() {
            Ok(()) => Ok(Box::new(handle)),
            Err(fs::TryLockError::WouldBlock) => Err(io::ErrorKind::WouldBlock.into()),
            Err(fs::TryLockError::Error(error)) => Err(error),
        }
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(dir)? {
            names.extend(entry?.file_name().into_string());
        }
        Ok(names)
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        fs::read(path)
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn File>> {
        Ok(Box::new(OsFile(fs::File::create(path)?)))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn File>> {
        let file = fs::OpenOptions::new().write(true).open(path)?;
        Ok(Box::new(OsFile(file)))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        fs::File::open(dir)?.sync_all()
    }
}

struct OsFile(fs::File);

impl File for OsFile {
    fn allocate(&mut self, bytes: u64) -> io::Result<()> {
        loop {
            match fallocate(&self.0, FallocateFlags::empty(), 0, bytes) {
                Ok(()) => return Ok(()),
                Err(Errno::INTR) => {}
                // Some file systems cannot reserve: writing zeros reserves on all of them.
                Err(Errno::OPNOTSUPP | Errno::NOSYS) => return write_zeros(&mut self.0, bytes),
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn write_at(&mut self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.0.write_all_at(bytes, offset)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.0.sync_data()
    }
}

fn write_zeros(file: &mut fs::File, bytes: u64) -> io::Result<()> {
    static BLOCK: [u8; 64 * 1024] = [0; 64 * 1024];
    let mut left = bytes;
    while left > 0 {
        let step = usize::try_from(left).map_or(BLOCK.len(), |left| left.min(BLOCK.len()));
        file.write_all(&BLOCK[..step])?;
        left -= step as u64;
    }
    Ok(())
}
