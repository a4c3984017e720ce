//! The log on the real file system, and the damage that a harness does to it there.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use sextant_storage::log::fault::{Torn, flip_bit, power_cut};
use sextant_storage::log::{CrashHook, CrashPoint, Entry, Log, LogError, Options};

use super::{IDENTITY, append_all, entry};

fn small_options() -> Options {
    Options { segment_bytes: 8192, ..Options::default() }
}

/// A log of some entries, closed.
fn filled(dir: &Path, options: &Options) -> Vec<Entry> {
    let mut log = Log::create(dir, IDENTITY, options).unwrap();
    let entries: Vec<Entry> = (0..40).map(|n| entry(n, 300)).collect();
    for batch in entries.chunks(3) {
        append_all(&mut log, batch).unwrap();
        assert_eq!(log.sync().unwrap().entries, batch.len());
    }
    assert!(log.end().segment > 2);
    entries
}

#[test]
fn create_write_close_open() {
    let temporary = tempfile::tempdir().unwrap();
    let dir = temporary.path().join("deep/inside/log");
    let entries = filled(&dir, &small_options());
    let (mut log, recovered) = Log::open(&dir, &Options::default()).unwrap();
    assert_eq!(recovered.identity, IDENTITY);
    assert_eq!(recovered.entries, entries);
    assert_eq!(recovered.torn, None);
    log.append(&entry(77, 1000)).unwrap();
    log.mark().unwrap();
    drop(log);
    let (_, recovered) = Log::open(&dir, &Options::default()).unwrap();
    assert_eq!(recovered.entries.last(), Some(&entry(77, 1000)));
    assert!(fs::metadata(dir.join("segment-0000000001.log")).unwrap().len() == 8192);
}

#[test]
fn default_segment_files_are_preallocated() {
    let temporary = tempfile::tempdir().unwrap();
    drop(Log::create(temporary.path(), IDENTITY, &Options::default()).unwrap());
    let metadata = fs::metadata(temporary.path().join("segment-0000000001.log")).unwrap();
    assert_eq!(metadata.len(), 4 << 20);
}

#[test]
fn one_log_is_open_once() {
    let temporary = tempfile::tempdir().unwrap();
    let log = Log::create(temporary.path(), IDENTITY, &small_options()).unwrap();
    let refused = Log::open(temporary.path(), &small_options()).err();
    assert!(matches!(refused, Some(LogError::Busy { .. })), "{refused:?}");
    drop(log);
    Log::open(temporary.path(), &small_options()).unwrap();
}

#[test]
fn a_wiped_directory_is_no_log() {
    let temporary = tempfile::tempdir().unwrap();
    let dir = temporary.path().join("log");
    let assert_no_log = || {
        let refused = Log::open(&dir, &small_options()).err();
        assert!(matches!(refused, Some(LogError::NoLog { .. })), "{refused:?}");
    };
    assert_no_log();
    filled(&dir, &small_options());
    fs::remove_dir_all(&dir).unwrap();
    assert_no_log();
    fs::create_dir(&dir).unwrap();
    assert_no_log();
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for file in fs::read_dir(from).unwrap() {
        let file = file.unwrap();
        fs::copy(file.path(), to.join(file.file_name())).unwrap();
    }
}

/// Directories as a process leaves them that is killed at each crash point, with what was acknowledged by then.
fn killed_copies(root: &Path) -> (Vec<Entry>, Vec<(CrashPoint, PathBuf, usize)>) {
    let live = root.join("live");
    let copies = Arc::new(Mutex::new(Vec::new()));
    let acknowledged = Arc::new(Mutex::new(0));
    let (taken, known) = (Arc::clone(&copies), Arc::clone(&acknowledged));
    let (from, root) = (live.clone(), root.to_path_buf());
    let hook = CrashHook::new(move |point| {
        let mut taken = taken.lock().unwrap();
        let to = root.join(format!("killed-{}", taken.len()));
        copy(&from, &to);
        taken.push((point, to, *known.lock().unwrap()));
    });
    let options = Options { crash: hook, ..small_options() };
    let entries: Vec<Entry> = (0..12).map(|n| entry(n, 1000)).collect();
    let mut log = Log::create(&live, IDENTITY, &options).unwrap();
    for batch in entries.chunks(4) {
        append_all(&mut log, batch).unwrap();
        *acknowledged.lock().unwrap() += log.sync().unwrap().entries;
    }
    drop(log);
    let copies = copies.lock().unwrap().clone();
    (entries, copies)
}

#[test]
fn a_power_cut_destroys_only_what_was_not_synced() {
    let temporary = tempfile::tempdir().unwrap();
    let (entries, copies) = killed_copies(temporary.path());
    let mut seen = Vec::new();
    for (point, killed, acknowledged) in copies {
        for seed in 0..12 {
            let dir = temporary.path().join("cut");
            copy(&killed, &dir);
            let cut = power_cut(&dir, seed).unwrap();
            assert!(cut.kept_bytes <= cut.unsynced_bytes);
            assert_eq!(cut.torn == Torn::NothingUnsynced, cut.unsynced_bytes == 0);
            match Log::open(&dir, &small_options()) {
                Ok((_, recovered)) => {
                    assert!(recovered.entries.len() >= acknowledged, "{point:?} {seed} {cut:?}");
                    assert_eq!(recovered.entries, entries[..recovered.entries.len()]);
                }
                Err(LogError::NoLog { .. }) => {
                    assert!(
                        matches!(point, CrashPoint::FormatWritten | CrashPoint::FormatSynced)
                            || point == CrashPoint::SegmentCreated
                            || point == CrashPoint::SegmentAllocated
                            || point == CrashPoint::SegmentSyncedBeforeDirectory,
                        "{point:?}"
                    );
                }
                Err(error) => panic!("{point:?} {seed} {cut:?}: {error}"),
            }
            if !seen.contains(&cut.torn) {
                seen.push(cut.torn);
            }
            fs::remove_dir_all(&dir).unwrap();
        }
    }
    assert_eq!(seen.len(), 4, "{seen:?}");
}

#[test]
fn a_power_cut_is_repeatable_and_changes_nothing_synced() {
    let temporary = tempfile::tempdir().unwrap();
    let (_, copies) = killed_copies(temporary.path());
    let (_, killed, _) = copies
        .iter()
        .find(|(point, _, acknowledged)| *point == CrashPoint::AfterWriteBeforeSync && *acknowledged == 4)
        .unwrap();
    let images: Vec<Vec<u8>> = [0, 1]
        .map(|n| {
            let dir = temporary.path().join(format!("cut-{n}"));
            copy(killed, &dir);
            assert!(power_cut(&dir, 7).unwrap().unsynced_bytes > 0);
            fs::read(dir.join("segment-0000000001.log")).unwrap()
        })
        .into();
    assert_eq!(images[0], images[1]);
    let before = fs::read(killed.join("segment-0000000001.log")).unwrap();
    let synced = fs::read(killed.join("synced")).unwrap();
    let offset = u32::from_le_bytes(synced[8..12].try_into().unwrap()) as usize;
    assert_eq!(images[0][..offset], before[..offset]);
}

#[test]
fn a_power_cut_needs_a_directory_and_a_watermark() {
    let temporary = tempfile::tempdir().unwrap();
    assert!(power_cut(&temporary.path().join("nowhere"), 1).is_err());
    assert_eq!(power_cut(temporary.path(), 1).unwrap().torn, Torn::NothingUnsynced);
    filled(temporary.path(), &small_options());
    assert_eq!(power_cut(temporary.path(), 1).unwrap().unsynced_bytes, 0);
    flip_bit(&temporary.path().join("synced"), 3, 5).unwrap();
    let error = power_cut(temporary.path(), 1).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::InvalidData);
}

#[test]
fn a_flipped_bit_is_named_by_path_and_offset() {
    let temporary = tempfile::tempdir().unwrap();
    filled(temporary.path(), &small_options());
    let path = temporary.path().join("segment-0000000002.log");
    flip_bit(&path, 1600, 3).unwrap();
    let error = Log::open(temporary.path(), &small_options()).err().unwrap();
    assert!(matches!(&error, LogError::Corrupt { path: named, offset: 1536, .. } if *named == path), "{error}");
    flip_bit(&path, 1600, 3).unwrap();
    Log::open(temporary.path(), &small_options()).unwrap();
    assert!(flip_bit(&path, 8192, 0).is_err());
    assert!(flip_bit(&path, 0, 8).is_err());
}
