//! Every truncation, every subset of unsynced sectors, every flipped bit.

use std::path::PathBuf;

use sextant_storage::log::memory::{MemDisk, Unsynced};
use sextant_storage::log::{Entry, Log, LogError};

use super::{IDENTITY, SECTOR_BYTES, append_all, dir, entry, new_disk, open, options, segment_path};

const SEGMENT_BYTES: u32 = 1536;

/// A batch as the test knows it: where it is and how many entries the log held when it was synced.
struct Placed {
    path: PathBuf,
    start: usize,
    end: usize,
    entries_before: usize,
}

struct Small {
    disk: MemDisk,
    entries: Vec<Entry>,
    placed: Vec<Placed>,
}

/// Three segment files, two seals, batches of one to five sectors, one mark in the middle. The last batch has entries.
fn small_log() -> Small {
    let disk = new_disk();
    let mut log = Log::create(dir(), IDENTITY, &options(&disk, SEGMENT_BYTES)).unwrap();
    let mut small = Small { disk, entries: Vec::new(), placed: Vec::new() };
    let batches: [&[usize]; 8] = [
        &[5],
        &[40, 0, 90],
        &[],
        &[500],
        &[350, 10],
        // Leaves room for the seal and for nothing else.
        &[850],
        &[3, 3, 3],
        &[30, 60, 1],
    ];
    for sizes in batches {
        let before = log.end();
        let first = small.entries.len();
        for &size in sizes {
            small.entries.push(entry(small.entries.len() as u64, size));
        }
        append_all(&mut log, &small.entries[first..]).unwrap();
        let synced = if sizes.is_empty() { log.mark() } else { log.sync() }.unwrap();
        assert_eq!(synced.entries, sizes.len());
        let mut start = before.offset as usize;
        if synced.upto.segment != before.segment {
            small.placed.push(Placed {
                path: segment_path(before.segment),
                start,
                end: start + SECTOR_BYTES as usize,
                entries_before: first,
            });
            start = 0;
        }
        small.placed.push(Placed {
            path: segment_path(synced.upto.segment),
            start,
            end: synced.upto.offset as usize,
            entries_before: first,
        });
    }
    assert_eq!(log.end().segment, 3);
    assert_eq!(small.placed.len(), batches.len() + 2);
    small
}

fn flipped(bytes: &[u8], bit: usize) -> Vec<u8> {
    let mut flipped = bytes.to_vec();
    flipped[bit / 8] ^= 1 << (bit % 8);
    flipped
}

#[track_caller]
fn assert_corrupt(disk: &MemDisk, path: &PathBuf, offset: usize) {
    match open(disk).map(|(_, recovered)| recovered) {
        Err(LogError::Corrupt { path: named, offset: at, .. }) => assert_eq!((&named, at), (path, offset as u64)),
        other => panic!("expected corruption of {path:?} at {offset}, got {other:?}"),
    }
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Count {
    refused: usize,
    ambiguous: usize,
    harmless: usize,
}

/// Flips every bit of every segment file and checks the answer against where the bit lies.
fn flip_every_bit(small: &Small) -> Count {
    let mut count = Count::default();
    let last = small.placed.last().unwrap();
    for number in 1..=3 {
        let path = segment_path(number);
        let bytes = small.disk.image(&path).unwrap();
        for bit in 0..bytes.len() * 8 {
            let byte = bit / 8;
            let disk = small.disk.after_power_cut(|_| true);
            disk.overwrite(&path, flipped(&bytes, bit));
            let hit =
                small.placed.iter().find(|placed| placed.path == path && (placed.start..placed.end).contains(&byte));
            match hit {
                Some(placed) if !std::ptr::eq(placed, last) => {
                    assert_corrupt(&disk, &path, placed.start);
                    count.refused += 1;
                }
                None if path != last.path => {
                    let sealed = small.placed.iter().filter(|placed| placed.path == path);
                    assert_corrupt(&disk, &path, sealed.map(|placed| placed.end).max().unwrap());
                    count.refused += 1;
                }
                _ => {
                    let (_, recovered) = open(&disk).unwrap();
                    let torn = recovered.torn.unwrap();
                    assert_eq!(torn.path, path);
                    let kept = if hit.is_some() {
                        assert_eq!(torn.offset as usize, last.start);
                        count.ambiguous += 1;
                        last.entries_before
                    } else {
                        assert_eq!(torn.offset as usize, last.end);
                        count.harmless += 1;
                        small.entries.len()
                    };
                    assert_eq!(recovered.entries, small.entries[..kept]);
                    assert_erased(&disk, &small.entries[..kept]);
                }
            }
        }
    }
    count
}

/// A dropped tail is gone for good: the next open finds no trace of it.
#[track_caller]
fn assert_erased(disk: &MemDisk, entries: &[Entry]) {
    let (_, again) = open(&disk.after_power_cut(|_| false)).unwrap();
    assert_eq!(again.entries, entries);
    assert_eq!(again.torn, None);
}

#[test]
fn every_flipped_bit_of_what_was_synced_before_the_newest_mark_is_refused() {
    let small = small_log();
    let (_, intact) = open(&small.disk).unwrap();
    assert_eq!(intact.identity, IDENTITY);
    assert_eq!(intact.entries, small.entries);
    assert_eq!(intact.torn, None);

    let last = small.placed.last().unwrap();
    let ambiguous = (last.end - last.start) * 8;
    let harmless = (SEGMENT_BYTES as usize - last.end) * 8;
    let count = flip_every_bit(&small);
    let expected = Count { refused: 3 * SEGMENT_BYTES as usize * 8 - ambiguous - harmless, ambiguous, harmless };
    assert_eq!(count, expected);
    // The one ambiguous batch: four sectors.
    assert_eq!(count, Count { refused: 26_112, ambiguous: 2_048, harmless: 8_704 });
}

#[test]
fn after_a_mark_no_flipped_bit_loses_an_entry() {
    let mut small = small_log();
    let (mut log, _) = open(&small.disk).unwrap();
    let before = log.end();
    let synced = log.mark().unwrap();
    assert_eq!(log.mark().unwrap(), synced, "a second mark says nothing new");
    small.placed.push(Placed {
        path: segment_path(before.segment),
        start: before.offset as usize,
        end: synced.upto.offset as usize,
        entries_before: small.entries.len(),
    });
    // Only flips in the mark itself are taken for a torn tail, and it holds no entry.
    let count = flip_every_bit(&small);
    assert_eq!(count.ambiguous, SECTOR_BYTES as usize * 8);
    assert_eq!(count.refused + count.ambiguous + count.harmless, 3 * SEGMENT_BYTES as usize * 8);
}

#[test]
fn flips_in_the_other_files() {
    let small = small_log();
    let format = dir().join("format");
    let bytes = small.disk.image(&format).unwrap();
    for bit in 0..bytes.len() * 8 {
        let disk = small.disk.after_power_cut(|_| true);
        disk.overwrite(&format, flipped(&bytes, bit));
        assert_corrupt(&disk, &format, 0);
    }
    // The hint for the harness is not trusted, whatever it says, and not needed.
    let synced = dir().join("synced");
    let bytes = small.disk.image(&synced).unwrap();
    for bit in 0..bytes.len() * 8 {
        let disk = small.disk.after_power_cut(|_| true);
        disk.overwrite(&synced, flipped(&bytes, bit));
        assert_eq!(open(&disk).unwrap().1.entries, small.entries);
        assert_eq!(disk.image(&synced).unwrap(), bytes);
    }
    let disk = small.disk.after_power_cut(|_| true);
    disk.remove(&synced);
    assert_eq!(open(&disk).unwrap().1.entries, small.entries);
}

#[test]
fn a_file_of_any_other_length_is_refused() {
    let small = small_log();
    for number in 1..=3 {
        let path = segment_path(number);
        let bytes = small.disk.image(&path).unwrap();
        for cut in 0..bytes.len() {
            let disk = small.disk.after_power_cut(|_| true);
            disk.overwrite(&path, bytes[..cut].to_vec());
            assert_corrupt(&disk, &path, cut);
        }
        let disk = small.disk.after_power_cut(|_| true);
        disk.overwrite(&path, [&bytes[..], &[0]].concat());
        assert_corrupt(&disk, &path, bytes.len());
    }
}

#[test]
fn a_missing_file_is_refused_wherever_it_is() {
    let small = small_log();
    for number in 1..=3 {
        let disk = small.disk.after_power_cut(|_| true);
        disk.remove(&segment_path(number));
        assert_corrupt(&disk, &segment_path(number), 0);
    }
    let disk = small.disk.after_power_cut(|_| true);
    disk.remove(&dir().join("format"));
    assert_corrupt(&disk, &dir().join("format"), 0);
    let error = Log::create(dir(), IDENTITY, &options(&disk, SEGMENT_BYTES)).err();
    assert!(matches!(error, Some(LogError::Corrupt { .. })));
}

/// Zeros from any byte on. Before the newest mark that a later file holds this is refused. In the last file everything
/// that knew of the loss is lost with it, and no log alone can tell: it must come out as whole batches, nothing else.
#[test]
fn zeros_from_any_byte_on() {
    let small = small_log();
    let last_path = &small.placed.last().unwrap().path;
    for number in 1..=3 {
        let path = segment_path(number);
        let bytes = small.disk.image(&path).unwrap();
        for cut in 0..bytes.len() {
            let mut zeroed = bytes.clone();
            zeroed[cut..].fill(0);
            if zeroed == bytes {
                continue;
            }
            let broken = small
                .placed
                .iter()
                .find(|placed| {
                    placed.path == path && zeroed[placed.start..placed.end] != bytes[placed.start..placed.end]
                })
                .unwrap();
            let disk = small.disk.after_power_cut(|_| true);
            disk.overwrite(&path, zeroed);
            if path == *last_path {
                let (_, recovered) = open(&disk).unwrap();
                assert_eq!(recovered.entries, small.entries[..broken.entries_before]);
            } else {
                assert_corrupt(&disk, &path, broken.start);
            }
        }
    }
}

/// The disk after a batch of ten sectors was written and not synced.
fn unsynced_batch(small: &Small) -> (MemDisk, Vec<Entry>) {
    let disk = small.disk.after_power_cut(|_| true);
    let (mut log, _) = open(&disk).unwrap();
    let all = [&small.entries[..], &[entry(90, 200), entry(91, 150), entry(92, 140)]].concat();
    append_all(&mut log, &all[small.entries.len()..]).unwrap();
    let operations = disk.operations();
    // The write succeeds, the sync does not.
    disk.fail_at(operations + 1, std::io::ErrorKind::Other, sextant_storage::log::memory::Lasting::ForEver);
    log.sync().unwrap_err();
    (disk, all)
}

#[test]
fn every_subset_of_the_unsynced_sectors() {
    let small = small_log();
    let (disk, all) = unsynced_batch(&small);
    let unsynced = disk.unsynced();
    let data: Vec<usize> = unsynced
        .iter()
        .enumerate()
        .filter(|(_, thing)| matches!(thing, Unsynced::Sector { path, .. } if *path == segment_path(3)))
        .map(|(index, _)| index)
        .collect();
    assert_eq!(data.len(), 10);
    for subset in 0..1_u32 << data.len() {
        let keeps = |thing: usize| data.iter().position(|&d| d == thing).is_some_and(|bit| subset >> bit & 1 == 1);
        let cut = disk.after_power_cut(keeps);
        let (mut log, recovered) = open(&cut).unwrap();
        let whole = subset == (1 << data.len()) - 1;
        let expected = if whole { &all[..] } else { &small.entries };
        assert_eq!(recovered.entries, expected, "sectors {subset:#b}");
        assert_eq!(recovered.torn.is_some(), !whole && subset != 0);
        // What was dropped does not come back, and the log goes on from there.
        log.append(&entry(99, 70)).unwrap();
        log.sync().unwrap();
        let (_, again) = open(&cut.after_power_cut(|_| false)).unwrap();
        assert_eq!(again.torn, None);
        assert_eq!(again.entries, [expected, &[entry(99, 70)]].concat());
    }
}

/// As above, with one more bit flipped somewhere in what had been synced: still refused, for the unsynced batch knows.
#[test]
fn damage_before_an_unsynced_batch_is_refused() {
    let small = small_log();
    let (disk, _) = unsynced_batch(&small);
    let whole = disk.after_power_cut(|_| true);
    let last = small.placed.last().unwrap();
    let bytes = whole.image(&last.path).unwrap();
    for bit in last.start * 8..last.end * 8 {
        let disk = whole.after_power_cut(|_| true);
        disk.overwrite(&last.path, flipped(&bytes, bit));
        assert_corrupt(&disk, &last.path, last.start);
    }
}

/// Two faults at once: the seal, and every batch that could vouch for it. The next file is in use, so it was sealed.
#[test]
fn a_lost_seal_is_refused_while_the_next_file_is_in_use() {
    let small = small_log();
    let third = segment_path(3);
    let mut bytes = small.disk.image(&third).unwrap();
    for placed in small.placed.iter().filter(|placed| placed.path == third) {
        bytes[placed.start] ^= 1;
    }
    small.disk.overwrite(&third, bytes);
    let seal = &small.placed.iter().rfind(|placed| placed.path == segment_path(2)).unwrap();
    let mut bytes = small.disk.image(&seal.path).unwrap();
    bytes[seal.start] ^= 1;
    small.disk.overwrite(&seal.path, bytes);
    assert_corrupt(&small.disk, &seal.path, seal.start);
}

/// Where no mark fits, the seal takes its place.
#[test]
fn a_mark_at_the_end_of_a_segment_file_is_its_seal() {
    let disk = new_disk();
    let mut log = Log::create(dir(), IDENTITY, &options(&disk, 512)).unwrap();
    let largest = entry(0, log.payload_bytes_max());
    log.append(&largest).unwrap();
    log.mark().unwrap();
    assert_eq!(log.end().to_string(), "2:0");
    let bytes = disk.image(&segment_path(1)).unwrap();
    for bit in 0..448 * 8 {
        let disk = disk.after_power_cut(|_| false);
        disk.overwrite(&segment_path(1), flipped(&bytes, bit));
        assert_corrupt(&disk, &segment_path(1), 0);
    }
}
