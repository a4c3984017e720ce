//! The visited set beyond memory: sorted runs in files, and duplicates found late.
//!
//! When the tables reach their limit they are written out as one run, which is in order because they are, and emptied. From
//! then on a state that no table holds is only a candidate: it may lie in a run. At the end of each level, and before each
//! further run, the tables are merged with every run, and the candidates found there are dropped. That reads each run once
//! a level, from its begin to its end.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use super::Failure;
use super::levels::lock;
use super::table::Visited;

/// Records of a run that are read at once.
const READ: usize = 64 << 10;

/// One run: the records of every shard, one shard behind the other, each in order.
#[derive(Debug)]
pub struct Run {
    file: File,
    path: PathBuf,
    /// Where each shard's records begin, and where the last one's end, in bytes.
    begins: Vec<u64>,
}

impl Drop for Run {
    fn drop(&mut self) {
        // A run that stays behind is overwritten by the next search there.
        let _ = std::fs::remove_file(&self.path);
    }
}

/// By shard and slot, whether a run holds the state as well.
pub struct Known(Vec<Vec<u64>>);

impl Known {
    /// Nothing is known of any slot.
    #[must_use]
    pub fn nothing(shards: usize) -> Self {
        Known(vec![Vec::new(); shards])
    }

    #[must_use]
    pub fn contains(&self, shard: usize, slot: usize) -> bool {
        self.0[shard].get(slot / 64).is_some_and(|word| word >> (slot % 64) & 1 == 1)
    }
}

/// Which states of the tables lie in a run.
///
/// # Errors
/// If a run cannot be read.
pub fn merge<V: Visited>(
    shards: &[Mutex<V>],
    runs: &[Arc<Run>],
    bytes: usize,
    threads: usize,
) -> Result<Known, Failure> {
    let next = AtomicUsize::new(0);
    let known: Vec<Mutex<Vec<u64>>> = shards.iter().map(|_| Mutex::default()).collect();
    let failed: Mutex<Option<Failure>> = Mutex::default();
    let work = || {
        loop {
            let shard = next.fetch_add(1, Ordering::Relaxed);
            let Some(table) = shards.get(shard) else { return };
            match merge_shard(&*lock(table), shard, runs, V::record_bytes(bytes)) {
                Ok(bits) => *lock(&known[shard]) = bits,
                Err(failure) => {
                    lock(&failed).get_or_insert(failure);
                    return;
                }
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..threads {
            scope.spawn(work);
        }
        work();
    });
    match lock(&failed).take() {
        Some(failure) => Err(failure),
        None => Ok(Known(known.iter().map(|bits| std::mem::take(&mut *lock(bits))).collect())),
    }
}

fn merge_shard<V: Visited>(table: &V, shard: usize, runs: &[Arc<Run>], record: usize) -> Result<Vec<u64>, Failure> {
    let mut bits = vec![0; table.slots().div_ceil(64)];
    for run in runs {
        let mut cursor = Cursor::new(run, shard, record);
        let mut failed = cursor.fill().err();
        table.each(shard, |slot, own| {
            while failed.is_none() && cursor.record().is_some_and(|other| other < own) {
                failed = cursor.step().err();
            }
            if cursor.record() == Some(own) {
                bits[slot / 64] |= 1 << (slot % 64);
            }
        });
        if let Some(failure) = failed {
            return Err(failure);
        }
    }
    Ok(bits)
}

/// A place in a shard's records.
struct Cursor<'a> {
    run: &'a Run,
    at: u64,
    end: u64,
    buffer: Vec<u8>,
    /// Bytes of the buffer that were read, and of those what is behind the cursor.
    read: usize,
    passed: usize,
    record: usize,
}

impl<'a> Cursor<'a> {
    fn new(run: &'a Run, shard: usize, record: usize) -> Self {
        let buffer = vec![0; (READ / record).max(1) * record];
        Cursor { run, at: run.begins[shard], end: run.begins[shard + 1], buffer, read: 0, passed: 0, record }
    }

    fn fill(&mut self) -> Result<(), Failure> {
        self.passed = 0;
        self.read = ((self.end - self.at) as usize).min(self.buffer.len());
        let read = self.run.file.read_exact_at(&mut self.buffer[..self.read], self.at);
        read.map_err(|e| Failure::at("read", &self.run.path, &e))?;
        self.at += self.read as u64;
        Ok(())
    }

    fn record(&self) -> Option<&[u8]> {
        (self.passed < self.read).then(|| &self.buffer[self.passed..self.passed + self.record])
    }

    fn step(&mut self) -> Result<(), Failure> {
        self.passed += self.record;
        if self.passed == self.read { self.fill() } else { Ok(()) }
    }
}

/// Writes what the tables hold and `known` does not name as a run, and empties them.
///
/// # Errors
/// If it cannot be written; the tables are as they were then.
pub fn write<V: Visited>(shards: &[Mutex<V>], known: &Known, path: PathBuf) -> Result<Run, Failure> {
    let at = |e: &std::io::Error| Failure::at("write", &path, e);
    let file = File::options().read(true).write(true).create(true).truncate(true).open(&path).map_err(|e| at(&e))?;
    let mut out = BufWriter::with_capacity(1 << 20, file);
    let (mut begins, mut written) = (vec![0], 0);
    for (shard, table) in shards.iter().enumerate() {
        let mut failed = None;
        lock(table).each(shard, |slot, record| {
            if failed.is_none() && !known.contains(shard, slot) {
                failed = out.write_all(record).err();
                written += record.len() as u64;
            }
        });
        if let Some(error) = failed {
            return Err(at(&error));
        }
        begins.push(written);
    }
    let file = out.into_inner().map_err(|e| at(e.error()))?;
    shards.iter().for_each(|table| lock(table).clear());
    Ok(Run { file, path, begins })
}

impl Run {
    /// Bytes in the file.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.begins.last().copied().unwrap_or(0)
    }
}
