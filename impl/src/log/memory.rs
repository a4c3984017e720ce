//! A disk in memory that forgets what was not synced, for tests and simulation.
//!
//! Every file has two images: what a reader sees now, and what is on the medium. They differ in whole sectors and in the
//! length; names differ likewise until their directory is synced. [`MemDisk::after_power_cut`] builds the disk that a
//! power cut leaves, with the caller deciding for each unsynced thing whether it happened to reach the medium, so that a
//! test can go through all outcomes. (SIGKILL loses nothing: open the same disk again.)

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::disk::{DirLock, Disk, File};

/// A handle; clones are the same disk.
#[derive(Clone)]
pub struct MemDisk(Arc<Mutex<State>>);

/// How long an injected failure lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lasting {
    Once,
    /// The machine is gone: nothing works any more.
    ForEver,
}

/// What a disk, or the program above it, says it has done and has not: to show that it is noticed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lies {
    /// A directory is never synced.
    pub directory_sync: bool,
    /// A write of more than one sector leaves out its last one.
    pub whole_write: bool,
}

/// Something that a power cut may or may not lose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unsynced {
    Sector { path: PathBuf, index: usize },
    Length { path: PathBuf },
    Name(NameChange),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NameChange {
    Create { path: PathBuf },
    Rename { from: PathBuf, to: PathBuf },
}

struct State {
    sector_bytes: usize,
    files: Vec<MemFile>,
    names: BTreeMap<PathBuf, usize>,
    names_durable: BTreeMap<PathBuf, usize>,
    name_changes: Vec<(NameChange, usize)>,
    /// Operations so far; the first is number 0.
    operations: u64,
    failure: Option<(u64, io::ErrorKind, Lasting)>,
    /// No file may grow.
    full: bool,
    lies: Lies,
}

#[derive(Clone, Default)]
struct MemFile {
    /// Its newest name, for reports.
    path: PathBuf,
    now: Vec<u8>,
    durable: Vec<u8>,
    dirty: BTreeSet<usize>,
    resized: bool,
}

impl MemDisk {
    pub fn new(sector_bytes: usize) -> Self {
        assert!(sector_bytes > 0, "a sector has bytes");
        Self(Arc::new(Mutex::new(State {
            sector_bytes,
            files: Vec::new(),
            names: BTreeMap::new(),
            names_durable: BTreeMap::new(),
            name_changes: Vec::new(),
            operations: 0,
            failure: None,
            full: false,
            lies: Lies::default(),
        })))
    }

    /// Operations so far, failed ones included. Every one counts but taking the lock.
    pub fn operations(&self) -> u64 {
        self.state().operations
    }

    /// Operation number `at` fails with `kind`, and those after it too if `lasting` says so. A write that fails has
    /// written its first half, a sync that fails has synced nothing.
    pub fn fail_at(&self, at: u64, kind: io::ErrorKind, lasting: Lasting) {
        self.state().failure = Some((at, kind, lasting));
    }

    /// From now on nothing works.
    pub fn stop(&self) {
        let mut state = self.state();
        state.failure = Some((state.operations, io::ErrorKind::Other, Lasting::ForEver));
    }

    /// Lets operations succeed again: the process was killed, the machine was not.
    pub fn restart(&self) {
        self.state().failure = None;
    }

    /// Whether the device has no room: a file that would have to grow fails with `StorageFull`, and is as it was.
    pub fn set_full(&self, full: bool) {
        self.state().full = full;
    }

    pub fn set_lies(&self, lies: Lies) {
        self.state().lies = lies;
    }

    /// What a power cut may lose now, in a fixed order.
    pub fn unsynced(&self) -> Vec<Unsynced> {
        self.state().unsynced()
    }

    /// The disk after a power cut that kept the unsynced things whose index in [`Self::unsynced`] `keep` accepts.
    pub fn after_power_cut(&self, keep: impl Fn(usize) -> bool) -> Self {
        Self(Arc::new(Mutex::new(self.state().after_power_cut(keep))))
    }

    /// What a reader sees in a file now.
    pub fn image(&self, path: &Path) -> Option<Vec<u8>> {
        let state = self.state();
        let file = *state.names.get(path)?;
        Some(state.files[file].now.clone())
    }

    /// Replaces a file, durably: damage to the medium. Creates it if need be.
    pub fn overwrite(&self, path: &Path, bytes: Vec<u8>) {
        let mut state = self.state();
        let file = match state.names.get(path) {
            Some(&file) => file,
            None => state.new_file(path),
        };
        state.names_durable.insert(path.to_path_buf(), file);
        state.files[file] =
            MemFile { path: path.to_path_buf(), now: bytes.clone(), durable: bytes, ..MemFile::default() };
    }

    /// Removes a file, durably: damage to the medium.
    pub fn remove(&self, path: &Path) {
        let mut state = self.state();
        state.names.remove(path);
        state.names_durable.remove(path);
        state.name_changes.retain(|(change, _)| change.path() != path);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A panic elsewhere leaves no half-made change: every change is one statement or repeatable.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl NameChange {
    fn path(&self) -> &Path {
        match self {
            Self::Create { path } => path,
            Self::Rename { to, .. } => to,
        }
    }
}

impl State {
    fn operate(&mut self) -> io::Result<()> {
        let number = self.operations;
        self.operations += 1;
        match self.failure {
            Some((at, kind, Lasting::Once)) if number == at => Err(kind.into()),
            Some((at, kind, Lasting::ForEver)) if number >= at => Err(kind.into()),
            _ => Ok(()),
        }
    }

    fn find(&self, path: &Path) -> io::Result<usize> {
        let file = self.names.get(path).copied();
        file.ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn new_file(&mut self, path: &Path) -> usize {
        self.files.push(MemFile { path: path.to_path_buf(), ..MemFile::default() });
        let file = self.files.len() - 1;
        self.names.insert(path.to_path_buf(), file);
        file
    }

    fn write(&mut self, file: usize, bytes: &[u8], offset: usize) {
        if bytes.is_empty() {
            return;
        }
        let end = offset + bytes.len();
        let sector_bytes = self.sector_bytes;
        let file = &mut self.files[file];
        if end > file.now.len() {
            file.now.resize(end, 0);
            file.resized = true;
        }
        file.now[offset..end].copy_from_slice(bytes);
        file.dirty.extend(offset / sector_bytes..=(end - 1) / sector_bytes);
    }

    fn unsynced(&self) -> Vec<Unsynced> {
        let mut unsynced = Vec::new();
        for file in &self.files {
            let path = || file.path.clone();
            if file.resized {
                unsynced.push(Unsynced::Length { path: path() });
            }
            unsynced.extend(file.dirty.iter().map(|&index| Unsynced::Sector { path: path(), index }));
        }
        let names = self.name_changes.iter();
        unsynced.extend(names.map(|(change, _)| Unsynced::Name(change.clone())));
        unsynced
    }

    fn after_power_cut(&self, keep: impl Fn(usize) -> bool) -> Self {
        let mut kept = (0..).map(keep);
        let mut keep_next = || kept.next().unwrap_or(false);
        let mut files = Vec::new();
        for file in &self.files {
            let length_kept = !file.resized || keep_next();
            let sectors: Vec<usize> = file.dirty.iter().copied().filter(|_| keep_next()).collect();
            files.push(file.after_power_cut(length_kept, &sectors, self.sector_bytes));
        }
        let mut names = self.names_durable.clone();
        for (change, file) in &self.name_changes {
            if !keep_next() {
                continue;
            }
            if let NameChange::Rename { from, .. } = change {
                names.remove(from);
            }
            names.insert(change.path().to_path_buf(), *file);
        }
        Self {
            sector_bytes: self.sector_bytes,
            files,
            names: names.clone(),
            names_durable: names,
            name_changes: Vec::new(),
            operations: 0,
            failure: None,
            full: self.full,
            lies: self.lies,
        }
    }
}

impl MemFile {
    /// Costs what is not synced, not what the file holds.
    fn sync(&mut self, sector_bytes: usize) {
        self.durable.resize(self.now.len(), 0);
        for sector in std::mem::take(&mut self.dirty) {
            let start = sector * sector_bytes;
            let end = (start + sector_bytes).min(self.now.len());
            if start < end {
                self.durable[start..end].copy_from_slice(&self.now[start..end]);
            }
        }
        self.resized = false;
    }

    fn after_power_cut(&self, length_kept: bool, sectors: &[usize], sector_bytes: usize) -> Self {
        let length = if length_kept { &self.now } else { &self.durable }.len();
        let mut image = self.durable.clone();
        image.resize(length, 0);
        for &sector in sectors {
            let start = sector * sector_bytes;
            let end = (start + sector_bytes).min(length).min(self.now.len());
            if start < end {
                image[start..end].copy_from_slice(&self.now[start..end]);
            }
        }
        Self { path: self.path.clone(), now: image.clone(), durable: image, dirty: BTreeSet::new(), resized: false }
    }
}

impl Disk for MemDisk {
    fn create_dir(&self, _dir: &Path) -> io::Result<()> {
        self.state().operate()
    }

    fn lock_dir(&self, _dir: &Path) -> io::Result<DirLock> {
        Ok(Box::new(()))
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        let mut state = self.state();
        state.operate()?;
        let inside = state.names.keys().filter(|path| path.parent() == Some(dir));
        let names = inside.filter_map(|path| path.file_name()?.to_str());
        Ok(names.map(str::to_owned).collect())
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        let mut state = self.state();
        state.operate()?;
        let file = state.find(path)?;
        Ok(state.files[file].now.clone())
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn File>> {
        let mut state = self.state();
        state.operate()?;
        let file = match state.find(path) {
            Ok(file) => {
                let sector_bytes = state.sector_bytes;
                let found = &mut state.files[file];
                found.now.clear();
                // What was there is there until the next sync.
                found.dirty = (0..found.durable.len().div_ceil(sector_bytes)).collect();
                found.resized = true;
                file
            }
            Err(_) => {
                let file = state.new_file(path);
                let path = path.to_path_buf();
                state.name_changes.push((NameChange::Create { path }, file));
                file
            }
        };
        drop(state);
        Ok(Box::new(MemHandle { disk: self.clone(), file }))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn File>> {
        let mut state = self.state();
        state.operate()?;
        let file = state.find(path)?;
        drop(state);
        Ok(Box::new(MemHandle { disk: self.clone(), file }))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.state();
        state.operate()?;
        let file = state.find(from)?;
        state.names.remove(from);
        state.names.insert(to.to_path_buf(), file);
        state.files[file].path = to.to_path_buf();
        let change = NameChange::Rename { from: from.to_path_buf(), to: to.to_path_buf() };
        state.name_changes.push((change, file));
        Ok(())
    }

    fn sync_dir(&self, _dir: &Path) -> io::Result<()> {
        let mut state = self.state();
        state.operate()?;
        if state.lies.directory_sync {
            return Ok(());
        }
        state.names_durable = state.names.clone();
        state.name_changes.clear();
        Ok(())
    }
}

struct MemHandle {
    disk: MemDisk,
    file: usize,
}

impl File for MemHandle {
    fn allocate(&mut self, bytes: u64) -> io::Result<()> {
        let mut state = self.disk.state();
        state.operate()?;
        let bytes = usize::try_from(bytes).map_err(|_| io::ErrorKind::StorageFull)?;
        let is_full = state.full;
        let file = &mut state.files[self.file];
        if bytes > file.now.len() {
            if is_full {
                return Err(io::ErrorKind::StorageFull.into());
            }
            file.now.resize(bytes, 0);
            file.resized = true;
        }
        Ok(())
    }

    fn write_at(&mut self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let mut state = self.disk.state();
        let offset = usize::try_from(offset).map_err(|_| io::ErrorKind::StorageFull)?;
        if let Err(error) = state.operate() {
            let gone = matches!(state.failure, Some((at, _, _)) if at + 1 < state.operations);
            if !gone {
                state.write(self.file, &bytes[..bytes.len() / 2], offset);
            }
            return Err(error);
        }
        let left_out = if state.lies.whole_write && bytes.len() > state.sector_bytes { state.sector_bytes } else { 0 };
        state.write(self.file, &bytes[..bytes.len() - left_out], offset);
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        let mut state = self.disk.state();
        state.operate()?;
        let sector_bytes = state.sector_bytes;
        state.files[self.file].sync(sector_bytes);
        Ok(())
    }
}
