//! A crash at every disk operation and at every crash point, with every outcome, twice in a row.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::sync::{Arc, Mutex};

use sextant_storage::log::memory::{Lasting, MemDisk};
use sextant_storage::log::{CrashHook, CrashPoint, Entry, Log, LogError, Options};

use super::{IDENTITY, append_all, dir, entry, new_disk, open, options};

const SEGMENT_BYTES: u32 = 512;
/// Subsets of up to so many unsynced things are all tried; of more, as many at random.
const THINGS_MAX: u32 = 8;

/// What the test's client knows.
#[derive(Clone, Default)]
struct Client {
    sent: Vec<Entry>,
    acknowledged: usize,
    created: Created,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Created {
    #[default]
    Perhaps,
    Yes,
}

impl Client {
    fn write(&mut self, log: &mut Log, sizes: &[usize]) -> Result<(), LogError> {
        let first = self.sent.len();
        for &size in sizes {
            self.sent.push(entry(self.sent.len() as u64, size));
        }
        append_all(log, &self.sent[first..])?;
        self.acknowledged += log.sync()?.entries;
        Ok(())
    }

    /// Creation, several batches, a roll that splits a long batch, a mark.
    fn live(&mut self, options: &Options) -> Result<(), LogError> {
        let mut log = Log::create(dir(), IDENTITY, options)?;
        self.created = Created::Yes;
        self.write(&mut log, &[10])?;
        self.write(&mut log, &[70, 20])?;
        log.mark()?;
        self.write(&mut log, &[180, 180, 90])?;
        self.write(&mut log, &[1])
    }

    /// The second life: reads, then writes more.
    fn resume(&mut self, options: &Options) -> Result<(), LogError> {
        let (mut log, recovered) = match Log::open(dir(), options) {
            Err(LogError::NoLog { .. }) if self.created == Created::Perhaps => {
                self.sent.clear();
                (Log::create(dir(), IDENTITY, options)?, Vec::new())
            }
            opened => {
                let (log, recovered) = opened?;
                (log, recovered.entries)
            }
        };
        self.created = Created::Yes;
        self.check(&recovered);
        // What was recovered is durable and may be acknowledged; what was not is gone.
        self.sent.truncate(recovered.len());
        self.acknowledged = recovered.len();
        self.write(&mut log, &[100])
    }

    fn check(&self, recovered: &[Entry]) {
        assert!(recovered.len() >= self.acknowledged, "an acknowledged entry is lost");
        assert!(recovered.len() <= self.sent.len(), "an entry appeared");
        assert_eq!(recovered, &self.sent[..recovered.len()]);
    }
}

/// The disks that a crash of `disk` can leave: the same one after SIGKILL, and what power cuts leave of it.
fn outcomes(disk: &MemDisk, seed: u64) -> Vec<MemDisk> {
    let things = disk.unsynced().len() as u32;
    let mut after = Vec::new();
    if things <= THINGS_MAX {
        after.extend((0..1_u64 << things).map(|subset| disk.after_power_cut(|i| subset >> i & 1 == 1)));
    } else {
        let mut bits = seed.wrapping_mul(2).wrapping_add(1);
        after.push(disk.after_power_cut(|_| false));
        after.push(disk.after_power_cut(|_| true));
        for _ in 2..1 << THINGS_MAX {
            bits = bits.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
            after.push(disk.after_power_cut(|i| bits.rotate_right(i as u32 + 11) & 1 == 1));
        }
    }
    disk.restart();
    after.push(disk.clone());
    after
}

/// Runs a fresh disk until `stop` says so.
fn crashed(at: u64) -> (MemDisk, Client, Result<(), LogError>) {
    let disk = new_disk();
    disk.fail_at(at, ErrorKind::Other, Lasting::ForEver);
    let mut client = Client::default();
    let result = client.live(&options(&disk, SEGMENT_BYTES));
    (disk, client, result)
}

#[test]
fn a_crash_at_every_operation_with_every_outcome() {
    let (disk, client, result) = crashed(u64::MAX);
    result.unwrap();
    assert_eq!(client.acknowledged, client.sent.len());
    let operations = disk.operations();
    let mut recoveries = 0;
    for at in 0..operations {
        let (disk, client, result) = crashed(at);
        result.unwrap_err();
        for after in outcomes(&disk, at) {
            let mut client = client.clone();
            client.resume(&options(&after, SEGMENT_BYTES)).unwrap();
            let (_, last) = open(&after.after_power_cut(|_| false)).unwrap();
            client.check(&last.entries);
            recoveries += 1;
        }
    }
    println!("{operations} operations, {recoveries} recoveries");
    assert!(operations > 40 && recoveries > 500, "{operations} {recoveries}");
}

/// SIGKILL leaves the page cache, so that the second life sees what is not durable. A power cut in it must not betray
/// what it acknowledged.
#[test]
fn a_second_crash_at_every_operation_of_the_second_life() {
    let operations = crashed(u64::MAX).0.operations();
    let mut recoveries = 0;
    for at in 0..operations {
        for second in 0..100 {
            let (disk, client, _) = crashed(at);
            let firsts = [disk.after_power_cut(|_| false), disk.after_power_cut(|i| i % 2 == 0), disk.clone()];
            disk.restart();
            let mut finished = 0;
            for first in firsts {
                let mut client = client.clone();
                let start = first.operations();
                first.fail_at(start + second, ErrorKind::Other, Lasting::ForEver);
                finished += usize::from(client.resume(&options(&first, SEGMENT_BYTES)).is_ok());
                for after in outcomes(&first, at + second) {
                    let mut client = client.clone();
                    client.resume(&options(&after, SEGMENT_BYTES)).unwrap();
                    recoveries += 1;
                }
            }
            if finished == 3 {
                break;
            }
            assert!(second < 99, "the second life never ends");
        }
    }
    println!("{recoveries} recoveries");
    assert!(recoveries > 10_000, "{recoveries}");
}

/// The same at the numbered points, which all must be reached.
#[test]
fn a_crash_at_every_crash_point() {
    let mut reached = BTreeSet::new();
    for point in CrashPoint::ALL {
        for nth in 0.. {
            let disk = new_disk();
            let mut client = Client::default();
            let (hooked, hits) = stopping_at(&disk, point, nth);
            // Two lives, the first ending in a torn tail, so that the points of recovery are met too.
            disk.fail_at(u64::MAX, ErrorKind::Other, Lasting::ForEver);
            let result =
                client.live(&hooked).and_then(|()| tear(&disk, &mut client)).and_then(|()| client.resume(&hooked));
            let hits = *hits.lock().unwrap();
            if hits <= nth {
                result.unwrap();
                break;
            }
            reached.insert(point);
            // At the last points everything is done already, and the caller may still be told.
            for after in outcomes(&disk, nth) {
                let mut client = client.clone();
                client.resume(&options(&after, SEGMENT_BYTES)).unwrap();
            }
        }
    }
    assert_eq!(reached.len(), CrashPoint::ALL.len(), "{reached:?}");
}

/// Options whose hook stops the disk when `point` is reached for the `nth` time (from 0), and the count of hits.
fn stopping_at(disk: &MemDisk, point: CrashPoint, nth: u64) -> (Options, Arc<Mutex<u64>>) {
    let hits = Arc::new(Mutex::new(0));
    let (counter, stopped) = (Arc::clone(&hits), disk.clone());
    let hook = CrashHook::new(move |reached| {
        let mut hits = counter.lock().unwrap();
        if reached == point {
            if *hits == nth {
                stopped.stop();
            }
            *hits += 1;
        }
    });
    let options = Options { crash: hook, ..options(disk, SEGMENT_BYTES) };
    (options, hits)
}

/// Writes an entry of which the second half does not arrive.
fn tear(disk: &MemDisk, client: &mut Client) -> Result<(), LogError> {
    let (mut log, _) = Log::open(dir(), &options(disk, SEGMENT_BYTES))?;
    disk.fail_at(disk.operations(), ErrorKind::Other, Lasting::Once);
    client.write(&mut log, &[60]).unwrap_err();
    disk.restart();
    Ok(())
}

#[test]
fn crash_points_keep_their_numbers() {
    let numbers: Vec<u8> = CrashPoint::ALL.iter().map(|point| point.number()).collect();
    assert_eq!(numbers, (1..=14).collect::<Vec<u8>>());
    for point in CrashPoint::ALL {
        assert_eq!(CrashPoint::from_number(point.number()), Some(point));
    }
    assert_eq!(CrashPoint::from_number(0), None);
}
