//! The file `synced`: up to which byte the log is synced, told to the harness.
//!
//! After every sync the log writes 16 bytes here (u64 segment, u32 offset, u32 CRC32C; little-endian) and does not sync
//! them: they need to survive SIGKILL, not a power cut. [`super::fault::power_cut`] destroys what lies beyond, which is
//! what a disk's write cache may lose. **Recovery never reads it**: on a real power cut it says anything.

use std::io;
use std::path::Path;

use super::Position;
use super::disk::File;
use super::format::{le_u32, le_u64};

pub(super) const NAME: &str = "synced";

pub(super) const BYTES: usize = 16;

pub(super) fn encode(position: Position) -> [u8; BYTES] {
    let mut bytes = [0; BYTES];
    bytes[..8].copy_from_slice(&position.segment.to_le_bytes());
    bytes[8..12].copy_from_slice(&position.offset.to_le_bytes());
    let crc = crc32c::crc32c(&bytes[..12]);
    bytes[12..].copy_from_slice(&crc.to_le_bytes());
    bytes
}

pub(super) fn decode(bytes: &[u8]) -> Option<Position> {
    if bytes.len() != BYTES || crc32c::crc32c(&bytes[..12]) != le_u32(bytes, 12) {
        return None;
    }
    Some(Position { segment: le_u64(bytes, 0), offset: le_u32(bytes, 8) })
}

pub(super) fn store(file: &mut dyn File, position: Position) -> io::Result<()> {
    file.write_at(&encode(position), 0)
}

/// `InvalidData` if the file is not what [`store`] wrote.
pub(super) fn load(path: &Path) -> io::Result<Position> {
    decode(&std::fs::read(path)?).ok_or_else(|| {
        let what = format!("{} holds no watermark", path.display());
        io::Error::new(io::ErrorKind::InvalidData, what)
    })
}
