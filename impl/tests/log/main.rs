//! The log under every damage that a crash, a power cut or a failing disk can do to it.

mod bytes;
mod crash;
mod failures;
mod random;
mod real_disk;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use sextant_storage::log::memory::MemDisk;
use sextant_storage::log::{CrashHook, Entry, Log, LogError, Options, Recovered};

const DIR: &str = "log";
const IDENTITY: &[u8] = b"volume 7, node a1";
/// Small, so that all subsets of a batch's sectors can be tried.
const SECTOR_BYTES: u32 = 64;

fn dir() -> &'static Path {
    Path::new(DIR)
}

fn segment_path(number: u64) -> PathBuf {
    dir().join(format!("segment-{number:010}.log"))
}

fn options(disk: &MemDisk, segment_bytes: u32) -> Options {
    Options { segment_bytes, sector_bytes: SECTOR_BYTES, crash: CrashHook::default(), disk: Arc::new(disk.clone()) }
}

fn new_disk() -> MemDisk {
    MemDisk::new(SECTOR_BYTES as usize)
}

fn open(disk: &MemDisk) -> Result<(Log, Recovered), LogError> {
    Log::open(dir(), &options(disk, 0))
}

/// The `n`-th entry of a test, `bytes` long and without a zero byte, so that losing any part of it shows.
fn entry(n: u64, bytes: usize) -> Entry {
    Entry { kind: n as u8, epoch: 3, lsn: n, payload: vec![n as u8 | 0x80; bytes] }
}

fn append_all(log: &mut Log, entries: &[Entry]) -> Result<(), LogError> {
    entries.iter().try_for_each(|entry| log.append(entry))
}
