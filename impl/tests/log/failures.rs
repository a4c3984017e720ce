//! Disks that say no: errors, full devices, and what the log does afterwards.

use std::io::ErrorKind;

use sextant_storage::log::memory::Lasting;
use sextant_storage::log::{Log, LogError, Options};

use super::{IDENTITY, dir, entry, new_disk, open, options};

const SEGMENT_BYTES: u32 = 512;

/// Every operation of a batch and of a roll fails once: from then on the log says nothing else and does nothing.
#[test]
fn a_failed_write_or_sync_poisons_for_good() {
    let mut poisoned = 0;
    for nth in 0..20 {
        let disk = new_disk();
        let mut log = Log::create(dir(), IDENTITY, &options(&disk, SEGMENT_BYTES)).unwrap();
        log.append(&entry(0, 200)).unwrap();
        log.sync().unwrap();
        log.append(&entry(1, 200)).unwrap();
        disk.fail_at(disk.operations() + nth, ErrorKind::Other, Lasting::Once);
        let Err(error) = log.sync() else {
            assert!(nth > 8, "operation {nth} was not checked");
            break;
        };
        poisoned += 1;
        assert_eq!(log.poison(), Some(&error));
        let operations = disk.operations();
        assert_eq!(log.append(&entry(2, 1)), Err(error.clone()));
        assert_eq!(log.sync(), Err(error.clone()));
        assert_eq!(log.mark(), Err(error));
        assert_eq!(disk.operations(), operations);
        drop(log);
        let (_, recovered) = open(&disk.after_power_cut(|_| false)).unwrap();
        assert_eq!(recovered.entries[0], entry(0, 200));
    }
    // Create, allocate, sync, sync the directory; write, sync, watermark of the seal; the same of the batch.
    assert_eq!(poisoned, 10);
}

#[test]
fn a_full_device_keeps_what_is_acknowledged_and_pending() {
    for at in [0, 1] {
        let disk = new_disk();
        let mut log = Log::create(dir(), IDENTITY, &options(&disk, SEGMENT_BYTES)).unwrap();
        log.append(&entry(0, 200)).unwrap();
        log.sync().unwrap();
        log.append(&entry(1, 200)).unwrap();
        disk.fail_at(disk.operations() + at, ErrorKind::StorageFull, Lasting::Once);
        let error = log.sync().unwrap_err();
        let operation = ["create", "allocate"][at as usize];
        assert_eq!(error.to_string(), format!("{operation} log/segment-0000000002.log: no space left on device"));
        assert_eq!(log.poison(), None);
        assert_eq!(log.pending_entries(), 1);
        let (_, recovered) = open(&disk.after_power_cut(|_| false)).unwrap();
        assert_eq!(recovered.entries, [entry(0, 200)]);
        // Space was made: the same entries go through.
        assert_eq!(log.sync().unwrap().entries, 1);
        let (_, recovered) = open(&disk.after_power_cut(|_| false)).unwrap();
        assert_eq!(recovered.entries, [entry(0, 200), entry(1, 200)]);
    }
}

#[test]
fn a_full_device_at_a_write_poisons() {
    let disk = new_disk();
    let mut log = Log::create(dir(), IDENTITY, &options(&disk, SEGMENT_BYTES)).unwrap();
    log.append(&entry(0, 20)).unwrap();
    disk.fail_at(disk.operations(), ErrorKind::StorageFull, Lasting::Once);
    let error = log.sync().unwrap_err();
    assert_eq!(error.to_string(), "write log/segment-0000000001.log: no space left on device");
    assert_eq!(log.sync(), Err(error));
}

/// A batch longer than a segment file is split. What its first part made durable is reported, though the rest failed.
#[test]
fn a_split_batch_reports_each_entry_once() {
    let disk = new_disk();
    let mut log = Log::create(dir(), IDENTITY, &options(&disk, SEGMENT_BYTES)).unwrap();
    let entries = [entry(0, 300), entry(1, 300), entry(2, 300)];
    for entry in &entries {
        log.append(entry).unwrap();
    }
    // Write, sync, watermark; then the next file does not fit.
    disk.fail_at(disk.operations() + 3, ErrorKind::StorageFull, Lasting::Once);
    log.sync().unwrap_err();
    assert_eq!(log.pending_entries(), 2);
    assert_eq!(log.sync().unwrap().entries, 3);
    assert_eq!(log.sync().unwrap().entries, 0);
    assert_eq!(log.end().segment, 3);
    let (_, recovered) = open(&disk.after_power_cut(|_| false)).unwrap();
    assert_eq!(recovered.entries, entries);
}

#[test]
fn an_entry_larger_than_a_segment_is_refused_and_harms_nothing() {
    let disk = new_disk();
    let mut log = Log::create(dir(), IDENTITY, &options(&disk, SEGMENT_BYTES)).unwrap();
    let bytes_max = log.payload_bytes_max();
    let error = log.append(&entry(0, bytes_max + 1)).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("append entry: {} bytes, a segment file holds at most {bytes_max}", bytes_max + 1)
    );
    for n in 0..3 {
        log.append(&entry(n, bytes_max)).unwrap();
    }
    assert_eq!(log.sync().unwrap().entries, 3);
    assert_eq!(open(&disk).unwrap().1.entries.len(), 3);
}

#[test]
fn no_log_is_not_an_empty_log() {
    let disk = new_disk();
    assert_eq!(open(&disk).err().unwrap().to_string(), "open log: no log in log");
    drop(Log::create(dir(), IDENTITY, &options(&disk, SEGMENT_BYTES)).unwrap());
    assert_eq!(open(&disk).unwrap().1.entries, []);
    assert_eq!(
        Log::create(dir(), IDENTITY, &options(&disk, SEGMENT_BYTES)).err().unwrap().to_string(),
        "create log: log already holds a log or part of one"
    );
}

/// Every operation of `open` fails once: an error that names a path, and the log is still whole.
#[test]
fn a_failed_read_is_an_error_and_never_an_empty_log() {
    let disk = new_disk();
    let mut log = Log::create(dir(), IDENTITY, &options(&disk, SEGMENT_BYTES)).unwrap();
    for n in 0..4 {
        log.append(&entry(n, 200)).unwrap();
        log.sync().unwrap();
    }
    drop(log);
    let before = disk.operations();
    let whole = open(&disk).unwrap().1;
    let operations = disk.operations() - before;
    for nth in 0..operations {
        disk.fail_at(disk.operations() + nth, ErrorKind::Other, Lasting::Once);
        let error = open(&disk).err().unwrap();
        assert!(matches!(error, LogError::Io { .. }), "{nth}: {error}");
        assert!(error.to_string().contains("log"), "{error}");
        assert_eq!(open(&disk).unwrap().1, whole);
    }
}

/// The log moves to a thread of its own.
#[test]
fn a_log_can_be_sent() {
    fn send<T: Send>(_: &T) {}
    let disk = new_disk();
    send(&Log::create(dir(), IDENTITY, &options(&disk, SEGMENT_BYTES)).unwrap());
}

#[test]
fn impossible_options_are_refused() {
    let disk = new_disk();
    for (segment_bytes, sector_bytes, identity_bytes, expected) in [
        (512, 0, 1, "use log options: sector of 0 bytes, must be a power of two from 64 to 65536"),
        (512, 96, 1, "use log options: sector of 96 bytes, must be a power of two from 64 to 65536"),
        (
            192,
            64,
            1,
            "use log options: segment of 192 bytes, must be at least 4 sectors of 64 and a whole number of them",
        ),
        (
            600,
            64,
            1,
            "use log options: segment of 600 bytes, must be at least 4 sectors of 64 and a whole number of them",
        ),
        (1 << 31, 512, 1, "use log options: segment of 2147483648 bytes, at most 1 GiB"),
        (512, 64, 5000, "use log options: identity of 5000 bytes, at most 4096"),
    ] {
        let options = Options { sector_bytes, ..options(&disk, segment_bytes) };
        let error = Log::create(dir(), &vec![0; identity_bytes], &options).err().unwrap();
        assert_eq!(error.to_string(), expected);
    }
    assert_eq!(disk.operations(), 0);
}
