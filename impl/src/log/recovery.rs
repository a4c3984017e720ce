//! Reading a log back: what is there, what was torn, what is damaged.
//!
//! The scan walks the batches from the first segment file on and stops at the first place P that holds no whole batch. If
//! everything from P on is zero, that is the end. If not, the question is whether a crash can have left it so:
//!
//! * A later batch that is whole and whose mark lies beyond P says that P had been synced: **corruption**. The scan looks
//!   for such a batch at every sector to the end of the last segment file.
//! * A later segment file that is not blank says that the segment of P had been sealed and synced: **corruption**.
//! * A whole batch at P that does not belong there was not torn (its checksum holds): **corruption**.
//! * Otherwise it is a **torn tail**: nothing from P on was known to be synced by anything written later.
//!
//! The one ambiguity that remains: a flipped bit in the very last batch looks like a torn write of it. A mark behind it
//! ends the ambiguity, which is what an idle node writes it for.

use std::path::Path;

use super::batch::{self, BadBatch, Batch, BatchKind, Entry, Layout, Position};
use super::disk::Disk;
use super::format::{Format, VERSION};
use super::segments::{self, is_blank, used_bytes};
use super::{LogError, TornTail};

pub(super) struct Scan {
    pub entries: Vec<Entry>,
    /// Where the next batch goes.
    pub end: Position,
    pub seq_next: u64,
    /// Of the newest batch; zero also if there is none.
    pub newest_entries: u32,
    pub torn: Option<TornTail>,
}

pub(super) fn scan(disk: &dyn Disk, dir: &Path, format: &Format) -> Result<Scan, LogError> {
    let numbers = segments::list(disk, dir)?;
    refuse_gaps(dir, &numbers)?;
    let mut scanner = Scanner {
        disk,
        dir,
        segment_bytes: format.segment_bytes as usize,
        layout: Layout { salt: format.salt(), sector_bytes: format.sector_bytes },
        last: numbers.last().copied().unwrap_or(segments::FIRST),
        synced: Position { segment: segments::FIRST, offset: 0 },
        found: Scan {
            entries: Vec::new(),
            end: Position { segment: segments::FIRST, offset: 0 },
            seq_next: 1,
            newest_entries: 0,
            torn: None,
        },
    };
    while let SegmentEnd::Sealed = scanner.segment()? {}
    Ok(scanner.found)
}

fn refuse_gaps(dir: &Path, numbers: &[u64]) -> Result<(), LogError> {
    let last = numbers.last().copied().unwrap_or(segments::FIRST);
    let present = numbers.iter().copied().map(Some).chain([None]);
    for (expected, number) in (segments::FIRST..=last).zip(present) {
        if number != Some(expected) {
            return Err(missing(dir, expected));
        }
    }
    Ok(())
}

fn missing(dir: &Path, number: u64) -> LogError {
    LogError::corrupt(&segments::path(dir, number), 0, "segment file is missing")
}

enum SegmentEnd {
    Sealed,
    Open,
}

struct Scanner<'a> {
    disk: &'a dyn Disk,
    dir: &'a Path,
    segment_bytes: usize,
    layout: Layout,
    /// Number of the last segment file.
    last: u64,
    /// The newest mark so far: marks never go back.
    synced: Position,
    found: Scan,
}

impl Scanner<'_> {
    /// Reads the segment file in which the log so far ends.
    fn segment(&mut self) -> Result<SegmentEnd, LogError> {
        let number = self.found.end.segment;
        let path = segments::path(self.dir, number);
        if number > self.last {
            return Err(missing(self.dir, number));
        }
        let bytes = segments::read(self.disk, &path)?;
        if bytes.len() != self.segment_bytes {
            let what = format!("segment file has {} bytes instead of {}", bytes.len(), self.segment_bytes);
            let offset = bytes.len().min(self.segment_bytes);
            return Err(LogError::corrupt(&path, offset as u64, what));
        }
        loop {
            let rest = &bytes[self.found.end.offset as usize..];
            match batch::parse(self.layout, self.found.end, rest) {
                Ok(batch) => {
                    if let BatchKind::Seal = self.take(&path, batch)? {
                        self.leave(&path, &bytes)?;
                        return Ok(SegmentEnd::Sealed);
                    }
                }
                Err(BadBatch::Version(found)) => {
                    return Err(LogError::Version { path, found, supported: VERSION });
                }
                Err(bad) => {
                    self.stop(&path, rest, bad)?;
                    return Ok(SegmentEnd::Open);
                }
            }
        }
    }

    fn take(&mut self, path: &Path, batch: Batch) -> Result<BatchKind, LogError> {
        let header = batch.header;
        if header.seq != self.found.seq_next {
            let what = format!("batch {} stands where batch {} belongs", header.seq, self.found.seq_next);
            return Err(self.corrupt(path, what));
        }
        if header.synced < self.synced {
            let what = format!("mark {} after mark {}", header.synced, self.synced);
            return Err(self.corrupt(path, what));
        }
        self.synced = header.synced;
        self.found.seq_next += 1;
        self.found.newest_entries = header.entries;
        self.found.end.offset += batch.length;
        self.found.entries.extend(batch.entries);
        if header.kind == BatchKind::Entries && self.found.end.offset as usize >= self.segment_bytes {
            return Err(self.corrupt(path, "no room was left for the seal"));
        }
        Ok(header.kind)
    }

    /// Goes on from a sealed segment file to the next. Nothing is ever written behind a seal.
    fn leave(&mut self, path: &Path, bytes: &[u8]) -> Result<(), LogError> {
        if !is_blank(&bytes[self.found.end.offset as usize..]) {
            return Err(self.corrupt(path, "bytes behind the seal"));
        }
        self.found.end = Position { segment: self.found.end.segment + 1, offset: 0 };
        Ok(())
    }

    /// Decides what the end of the scan is, with `rest` the bytes from there to the end of the segment file.
    fn stop(&mut self, path: &Path, rest: &[u8], bad: BadBatch) -> Result<(), LogError> {
        let at = self.found.end;
        match bad {
            BadBatch::Header | BadBatch::Length | BadBatch::Checksum => {}
            whole => return Err(self.corrupt(path, whole.to_string())),
        }
        self.refuse_later_mark(path, at, rest, bad)?;
        for number in at.segment + 1..=self.last {
            let later = segments::read(self.disk, &segments::path(self.dir, number))?;
            self.refuse_later_mark(path, Position { segment: number, offset: 0 }, &later, bad)?;
            if number > at.segment + 1 || !is_blank(&later) {
                let what = format!("{bad}, and segment file {number} is in use already");
                return Err(self.corrupt(path, what));
            }
        }
        let bytes_dropped = used_bytes(rest) as u64;
        self.found.torn = (bytes_dropped > 0).then(|| TornTail {
            path: path.to_path_buf(),
            offset: u64::from(at.offset),
            bytes_dropped,
        });
        Ok(())
    }

    /// Looks for a whole batch in `bytes`, which start at `start`, that says that the end of the scan had been synced.
    fn refuse_later_mark(&self, path: &Path, start: Position, bytes: &[u8], bad: BadBatch) -> Result<(), LogError> {
        for skipped in (0..bytes.len()).step_by(self.layout.sector_bytes as usize) {
            let at = Position {
                segment: start.segment,
                // A segment file is at most 1 GiB, and a blank successor of any other length has no batches.
                offset: start.offset.saturating_add(skipped as u32),
            };
            if let Ok(batch) = batch::parse(self.layout, at, &bytes[skipped..])
                && batch.header.synced > self.found.end
            {
                let what =
                    format!("{bad}, and the batch at {at} says that all before {} was synced", batch.header.synced);
                return Err(self.corrupt(path, what));
            }
        }
        Ok(())
    }

    fn corrupt(&self, path: &Path, what: impl Into<String>) -> LogError {
        LogError::corrupt(path, u64::from(self.found.end.offset), what)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::batch::BatchHeader;
    use crate::log::memory::MemDisk;

    const FORMAT: Format = Format { identity: Vec::new(), segment_bytes: 512, sector_bytes: 64 };

    fn at(offset: u32) -> Position {
        Position { segment: 1, offset }
    }

    /// A segment file of batches without entries, each with its place, sequence number and mark.
    fn scan_of(batches: &[(u32, u64, u32)]) -> Result<Scan, LogError> {
        let layout = Layout { salt: FORMAT.salt(), sector_bytes: FORMAT.sector_bytes };
        let mut image = vec![0; FORMAT.segment_bytes as usize];
        let mut bytes = Vec::new();
        for &(offset, seq, mark) in batches {
            let header = BatchHeader { kind: BatchKind::Entries, seq, at: at(offset), synced: at(mark), entries: 0 };
            batch::encode(layout, &header, &[], &mut bytes);
            image[offset as usize..][..bytes.len()].copy_from_slice(&bytes);
        }
        let disk = MemDisk::new(64);
        disk.overwrite(&segments::path(Path::new("d"), 1), image);
        scan(&disk, Path::new("d"), &FORMAT)
    }

    fn refusal(batches: &[(u32, u64, u32)]) -> String {
        scan_of(batches).err().unwrap().to_string()
    }

    /// The mark decides, and not that something whole comes later: a batch that is written before the one in front of it
    /// is synced does not vouch for it.
    #[test]
    fn a_hole_is_corruption_only_if_a_later_mark_lies_beyond_it() {
        let scan = scan_of(&[(0, 1, 0), (128, 3, 64)]).unwrap();
        assert_eq!(scan.end, at(64));
        assert_eq!(scan.torn.unwrap().offset, 64);
        assert_eq!(
            refusal(&[(0, 1, 0), (128, 3, 128)]),
            "read log: d/segment-0000000001.log is corrupt at byte 64: no batch header, and the batch at 1:128 says that \
             all before 1:128 was synced"
        );
    }

    #[test]
    fn a_whole_batch_in_the_wrong_order_is_corruption() {
        assert_eq!(
            refusal(&[(0, 1, 0), (64, 3, 64)]),
            "read log: d/segment-0000000001.log is corrupt at byte 64: batch 3 stands where batch 2 belongs"
        );
        assert_eq!(
            refusal(&[(0, 1, 0), (64, 2, 64), (128, 3, 0)]),
            "read log: d/segment-0000000001.log is corrupt at byte 128: mark 1:0 after mark 1:64"
        );
    }

    #[test]
    fn a_segment_filled_to_the_end_without_a_seal_is_corruption() {
        let batches: Vec<_> = (0..8).map(|n| (n * 64, u64::from(n) + 1, n * 64)).collect();
        assert_eq!(
            refusal(&batches),
            "read log: d/segment-0000000001.log is corrupt at byte 512: no room was left for the seal"
        );
    }
}
