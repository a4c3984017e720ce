//! The bytes of a batch: what one `sync` writes.
//!
//! ```text
//! 0   magic "SXTB"
//! 4   u16 version, u16 kind (0 entries, 1 seal)
//! 8   u64 sequence number, from 1, without gaps
//! 16  u64 segment, 24 u32 offset: where this batch is
//! 28  u32 length in bytes, with header and padding; a whole number of sectors
//! 32  u32 number of entries
//! 36  u32 bytes of entries
//! 40  u64 segment, 48 u32 offset: up to where the log was synced before this batch
//! 52  u32 salt: the format file's checksum
//! 56  u32 zero
//! 60  u32 CRC32C of bytes 0 to 60 and of 64 to the end, padding and all
//! 64  entries: u32 payload bytes, u32 CRC32C of the rest, u32 epoch, u8 kind, 3 zeros, u64 lsn, payload
//! ```
//! All numbers are little-endian. A batch starts on a sector of its own, so that writing it can never tear a neighbour
//! that was already acknowledged. It says where it is, so that a batch which the disk put in the wrong place, or an entry
//! whose payload looks like a batch, is not taken for one.

use std::fmt;

use super::format::{VERSION, le_u32, le_u64};

pub(super) const HEADER_BYTES: usize = 64;
pub(super) const ENTRY_HEADER_BYTES: usize = 24;

const MAGIC: &[u8; 4] = b"SXTB";
const CRC_AT: usize = 60;

/// A place in the log: bytes from the start of a numbered segment file. Ordered as the log is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    pub segment: u64,
    pub offset: u32,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.segment, self.offset)
    }
}

/// What the log stores. It reads neither the payload nor the numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Entry<B = Vec<u8>> {
    pub kind: u8,
    pub epoch: u32,
    pub lsn: u64,
    pub payload: B,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BatchKind {
    /// Any number of entries. With none it is a mark: it only moves the newest known mark on.
    Entries,
    /// The last batch of its segment file: the next file exists, and its name is durable.
    Seal,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct BatchHeader {
    pub kind: BatchKind,
    pub seq: u64,
    pub at: Position,
    /// The mark: everything before this position had been synced before this batch was written.
    pub synced: Position,
    pub entries: u32,
}

/// What all batches of a log share.
#[derive(Clone, Copy, Debug)]
pub(super) struct Layout {
    pub salt: u32,
    pub sector_bytes: u32,
}

impl Layout {
    pub fn batch_bytes(&self, entry_bytes: usize) -> usize {
        (HEADER_BYTES + entry_bytes).next_multiple_of(self.sector_bytes as usize)
    }
}

/// A whole and undamaged batch.
#[derive(Debug)]
pub(super) struct Batch {
    pub header: BatchHeader,
    pub length: u32,
    pub entries: Vec<Entry>,
}

/// Why bytes are not a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BadBatch {
    Header,
    Length,
    Checksum,
    /// Whole, but written for another log.
    Foreign,
    /// Whole, but not where it says it is.
    Misplaced(Position),
    /// Whole, but written by another version of this format.
    Version(u16),
    /// Whole, and contradicts itself.
    Contents,
}

impl fmt::Display for BadBatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Header => f.write_str("no batch header"),
            Self::Length => f.write_str("impossible batch length"),
            Self::Checksum => f.write_str("checksum does not match"),
            Self::Foreign => f.write_str("a batch of another log"),
            Self::Misplaced(at) => write!(f, "a batch that belongs at {at}"),
            Self::Version(version) => write!(f, "a batch of format version {version}"),
            Self::Contents => f.write_str("a batch that contradicts itself"),
        }
    }
}

/// Appends the bytes of one entry to `body`.
pub(super) fn encode_entry<B: AsRef<[u8]>>(entry: &Entry<B>, body: &mut Vec<u8>) {
    let payload = entry.payload.as_ref();
    let start = body.len();
    // `append` bounds the payload by the segment, and a segment by 1 GiB.
    body.extend((payload.len() as u32).to_le_bytes());
    body.extend([0; 4]);
    body.extend(entry.epoch.to_le_bytes());
    body.extend([entry.kind, 0, 0, 0]);
    body.extend(entry.lsn.to_le_bytes());
    body.extend(payload);
    let crc = entry_crc(&body[start..]);
    body[start + 4..start + 8].copy_from_slice(&crc.to_le_bytes());
}

/// Replaces `out` by the bytes of a batch of `body`, which holds `header.entries` encoded entries.
pub(super) fn encode(layout: Layout, header: &BatchHeader, body: &[u8], out: &mut Vec<u8>) {
    let length = layout.batch_bytes(body.len());
    let kind: u16 = match header.kind {
        BatchKind::Entries => 0,
        BatchKind::Seal => 1,
    };
    out.clear();
    out.extend(MAGIC);
    out.extend(VERSION.to_le_bytes());
    out.extend(kind.to_le_bytes());
    out.extend(header.seq.to_le_bytes());
    out.extend(header.at.segment.to_le_bytes());
    out.extend(header.at.offset.to_le_bytes());
    // A batch lies inside a segment file, whose length is a u32.
    out.extend((length as u32).to_le_bytes());
    out.extend(header.entries.to_le_bytes());
    out.extend((body.len() as u32).to_le_bytes());
    out.extend(header.synced.segment.to_le_bytes());
    out.extend(header.synced.offset.to_le_bytes());
    out.extend(layout.salt.to_le_bytes());
    out.extend([0; 8]);
    out.extend(body);
    out.resize(length, 0);
    let crc = batch_crc(out);
    out[CRC_AT..HEADER_BYTES].copy_from_slice(&crc.to_le_bytes());
}

/// Reads the batch at the start of `bytes`, the rest of a segment file from `at` on.
pub(super) fn parse(layout: Layout, at: Position, bytes: &[u8]) -> Result<Batch, BadBatch> {
    if bytes.len() < HEADER_BYTES || &bytes[..4] != MAGIC {
        return Err(BadBatch::Header);
    }
    let length = le_u32(bytes, 28);
    if (length as usize) < HEADER_BYTES || !length.is_multiple_of(layout.sector_bytes) || length as usize > bytes.len()
    {
        return Err(BadBatch::Length);
    }
    let bytes = &bytes[..length as usize];
    if batch_crc(bytes) != le_u32(bytes, CRC_AT) {
        return Err(BadBatch::Checksum);
    }
    if le_u32(bytes, 52) != layout.salt {
        return Err(BadBatch::Foreign);
    }
    let version = u16::from_le_bytes([bytes[4], bytes[5]]);
    if version != VERSION {
        return Err(BadBatch::Version(version));
    }
    let header = parse_header(bytes)?;
    if header.at != at {
        return Err(BadBatch::Misplaced(header.at));
    }
    let body_bytes = le_u32(bytes, 36) as usize;
    if header.synced > at || layout.batch_bytes(body_bytes) != bytes.len() {
        return Err(BadBatch::Contents);
    }
    let body = &bytes[HEADER_BYTES..HEADER_BYTES + body_bytes];
    Ok(Batch { header, length, entries: parse_entries(header.entries, body)? })
}

fn parse_header(bytes: &[u8]) -> Result<BatchHeader, BadBatch> {
    Ok(BatchHeader {
        kind: match u16::from_le_bytes([bytes[6], bytes[7]]) {
            0 => BatchKind::Entries,
            1 => BatchKind::Seal,
            _ => return Err(BadBatch::Contents),
        },
        seq: le_u64(bytes, 8),
        at: Position { segment: le_u64(bytes, 16), offset: le_u32(bytes, 24) },
        synced: Position { segment: le_u64(bytes, 40), offset: le_u32(bytes, 48) },
        entries: le_u32(bytes, 32),
    })
}

fn parse_entries(count: u32, mut body: &[u8]) -> Result<Vec<Entry>, BadBatch> {
    let mut entries = Vec::with_capacity((count as usize).min(body.len() / ENTRY_HEADER_BYTES));
    while !body.is_empty() {
        let (entry, rest) = parse_entry(body).ok_or(BadBatch::Contents)?;
        entries.push(entry);
        body = rest;
    }
    if entries.len() != count as usize {
        return Err(BadBatch::Contents);
    }
    Ok(entries)
}

fn parse_entry(bytes: &[u8]) -> Option<(Entry, &[u8])> {
    if bytes.len() < ENTRY_HEADER_BYTES {
        return None;
    }
    let end = ENTRY_HEADER_BYTES.checked_add(le_u32(bytes, 0) as usize)?;
    let entry = bytes.get(..end)?;
    if entry_crc(entry) != le_u32(entry, 4) {
        return None;
    }
    let parsed = Entry {
        kind: entry[12],
        epoch: le_u32(entry, 8),
        lsn: le_u64(entry, 16),
        payload: entry[ENTRY_HEADER_BYTES..].to_vec(),
    };
    Some((parsed, &bytes[end..]))
}

/// Makes every checksum in a segment file right, whatever it covers: what a reader finds that does not look at them.
pub(crate) fn reseal(sector_bytes: u32, file: &mut [u8]) {
    let mut at = 0;
    while at + HEADER_BYTES <= file.len() {
        let length = le_u32(file, at + 28) as usize;
        let is_batch = &file[at..at + 4] == MAGIC && length >= HEADER_BYTES && length <= file.len() - at;
        if is_batch {
            reseal_batch(&mut file[at..at + length]);
        }
        at += if is_batch { length.next_multiple_of(sector_bytes as usize) } else { sector_bytes as usize };
    }
}

fn reseal_batch(batch: &mut [u8]) {
    let mut at = HEADER_BYTES;
    let end = at.saturating_add(le_u32(batch, 36) as usize).min(batch.len());
    while at + ENTRY_HEADER_BYTES <= end {
        let next = at.saturating_add(ENTRY_HEADER_BYTES).saturating_add(le_u32(batch, at) as usize);
        if next > end {
            break;
        }
        let crc = entry_crc(&batch[at..next]);
        batch[at + 4..at + 8].copy_from_slice(&crc.to_le_bytes());
        at = next;
    }
    let crc = batch_crc(batch);
    batch[CRC_AT..HEADER_BYTES].copy_from_slice(&crc.to_le_bytes());
}

fn entry_crc(entry: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&entry[..4]), &entry[8..])
}

fn batch_crc(batch: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&batch[..CRC_AT]), &batch[HEADER_BYTES..])
}

#[cfg(test)]
mod tests {
    use super::*;

    const LAYOUT: Layout = Layout { salt: 7, sector_bytes: 64 };

    fn position(offset: u32) -> Position {
        Position { segment: 1, offset }
    }

    fn batch(seq: u64, body: &[u8], entries: u32) -> Vec<u8> {
        let header = BatchHeader { kind: BatchKind::Entries, seq, at: position(128), synced: position(128), entries };
        let mut out = Vec::new();
        encode(LAYOUT, &header, body, &mut out);
        out
    }

    fn entry() -> Entry<&'static [u8]> {
        Entry { kind: 3, epoch: 2, lsn: 17, payload: b"payload" }
    }

    #[test]
    fn a_batch_is_read_back() {
        let mut body = Vec::new();
        encode_entry(&entry(), &mut body);
        encode_entry(&entry(), &mut body);
        let parsed = parse(LAYOUT, position(128), &batch(5, &body, 2)).unwrap();
        assert_eq!(parsed.header.seq, 5);
        assert_eq!(parsed.length, 128);
        assert_eq!(parsed.entries.len(), 2);
        assert_eq!(parsed.entries[1].payload, b"payload");
        assert_eq!(parsed.entries[1].lsn, 17);
    }

    #[test]
    fn a_batch_elsewhere_or_of_another_log_is_refused() {
        let bytes = batch(1, &[], 0);
        assert_eq!(parse(LAYOUT, position(64), &bytes).unwrap_err(), BadBatch::Misplaced(position(128)));
        let other = Layout { salt: 8, ..LAYOUT };
        assert_eq!(parse(other, position(128), &bytes).unwrap_err(), BadBatch::Foreign);
    }

    #[test]
    fn a_checksum_does_not_excuse_nonsense() {
        let mut body = Vec::new();
        encode_entry(&entry(), &mut body);
        let mut damaged = body.clone();
        damaged[30] ^= 1;
        for (body, entries) in [(&body, 2), (&body, 0), (&damaged, 1)] {
            let bytes = batch(1, body, entries);
            assert_eq!(parse(LAYOUT, position(128), &bytes).unwrap_err(), BadBatch::Contents);
        }
    }
}
