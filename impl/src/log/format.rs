//! The format file: what says "here is a log", whose it is, and how it is laid out.
//!
//! ```text
//! 0   magic "SXTLOGFM"
//! 8   u16 version, u16 zero
//! 12  u32 bytes of a segment file
//! 16  u32 bytes of a sector
//! 20  u32 bytes of the identity, then the identity
//! end u32 CRC32C of everything before it
//! ```
//! All numbers are little-endian. The file is written once, under a temporary name, synced and renamed: it is there in
//! full or not at all, so a damaged one is corruption and never an interrupted creation.

use std::path::Path;

use super::LogError;

pub(super) const NAME: &str = "format";
pub(super) const NAME_TEMPORARY: &str = "format.tmp";
/// Of the format file and of every batch.
pub(super) const VERSION: u16 = 1;
/// Longest identity in bytes.
pub const IDENTITY_BYTES_MAX: usize = 4096;

const MAGIC: &[u8; 8] = b"SXTLOGFM";
const HEADER_BYTES: usize = 24;
const CRC_BYTES: usize = 4;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Format {
    pub identity: Vec<u8>,
    pub segment_bytes: u32,
    pub sector_bytes: u32,
}

impl Format {
    pub fn check(&self) -> Result<(), LogError> {
        let wrong = |what: String| Err(LogError::Options { what });
        if self.identity.len() > IDENTITY_BYTES_MAX {
            return wrong(format!("identity of {} bytes, at most {IDENTITY_BYTES_MAX}", self.identity.len()));
        }
        if !self.sector_bytes.is_power_of_two() || !(64..=65_536).contains(&self.sector_bytes) {
            return wrong(format!("sector of {} bytes, must be a power of two from 64 to 65536", self.sector_bytes));
        }
        let sectors = self.segment_bytes / self.sector_bytes;
        if !self.segment_bytes.is_multiple_of(self.sector_bytes) || sectors < 4 {
            return wrong(format!(
                "segment of {} bytes, must be at least 4 sectors of {} and a whole number of them",
                self.segment_bytes, self.sector_bytes
            ));
        }
        if self.segment_bytes > 1 << 30 {
            return wrong(format!("segment of {} bytes, at most 1 GiB", self.segment_bytes));
        }
        Ok(())
    }

    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        bytes.extend(VERSION.to_le_bytes());
        bytes.extend([0; 2]);
        bytes.extend(self.segment_bytes.to_le_bytes());
        bytes.extend(self.sector_bytes.to_le_bytes());
        // `check` bounds the length.
        bytes.extend((self.identity.len() as u32).to_le_bytes());
        bytes.extend(&self.identity);
        bytes.extend(crc32c::crc32c(&bytes).to_le_bytes());
        bytes
    }

    pub fn decode(path: &Path, bytes: &[u8]) -> Result<Self, LogError> {
        let corrupt = |what: &str| LogError::corrupt(path, 0, what);
        if bytes.len() < HEADER_BYTES + CRC_BYTES {
            return Err(corrupt("format file is too short"));
        }
        let (body, crc) = bytes.split_at(bytes.len() - CRC_BYTES);
        if crc32c::crc32c(body) != le_u32(crc, 0) {
            return Err(corrupt("checksum of the format file does not match"));
        }
        if &body[..8] != MAGIC {
            return Err(corrupt("not a format file of a log"));
        }
        let found = u16::from_le_bytes([body[8], body[9]]);
        if found != VERSION {
            return Err(LogError::Version { path: path.to_path_buf(), found, supported: VERSION });
        }
        let format = Self {
            segment_bytes: le_u32(body, 12),
            sector_bytes: le_u32(body, 16),
            identity: body[HEADER_BYTES..].to_vec(),
        };
        if le_u32(body, 20) as usize != format.identity.len() || format.check().is_err() {
            return Err(corrupt("format file contradicts itself"));
        }
        Ok(format)
    }

    /// Mixed into every batch checksum, so that a segment file of another log is not taken for one of this log.
    ///
    /// It is the file's own checksum. (The checksum of bytes that end in their checksum is the same for all files.)
    pub fn salt(&self) -> u32 {
        let bytes = self.encode();
        le_u32(&bytes, bytes.len() - CRC_BYTES)
    }
}

/// The little-endian number at `offset`, which the caller knows to be inside.
pub(super) fn le_u32(bytes: &[u8], offset: usize) -> u32 {
    let mut word = [0; 4];
    word.copy_from_slice(&bytes[offset..offset + 4]);
    u32::from_le_bytes(word)
}

pub(super) fn le_u64(bytes: &[u8], offset: usize) -> u64 {
    let mut word = [0; 8];
    word.copy_from_slice(&bytes[offset..offset + 8]);
    u64::from_le_bytes(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn format(identity: &[u8]) -> Format {
        Format { identity: identity.to_vec(), segment_bytes: 4096, sector_bytes: 512 }
    }

    #[test]
    fn every_cut_and_every_flipped_bit_is_corruption() {
        let path = Path::new("format");
        let bytes = format(b"volume 7, node a1").encode();
        assert_eq!(Format::decode(path, &bytes), Ok(format(b"volume 7, node a1")));
        for cut in 0..bytes.len() {
            let error = Format::decode(path, &bytes[..cut]).unwrap_err();
            assert!(matches!(error, LogError::Corrupt { .. }), "{cut}: {error}");
        }
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let error = Format::decode(path, &flipped).unwrap_err();
            assert!(matches!(error, LogError::Corrupt { .. }), "{bit}: {error}");
        }
    }

    #[test]
    fn another_version_is_named_not_guessed() {
        let mut bytes = format(b"x").encode();
        bytes[8] = 9;
        let body = bytes.len() - CRC_BYTES;
        let crc = crc32c::crc32c(&bytes[..body]).to_le_bytes();
        bytes[body..].copy_from_slice(&crc);
        let error = Format::decode(Path::new("d/format"), &bytes).unwrap_err();
        assert_eq!(error.to_string(), "read log: d/format has format version 9, this program reads 1");
    }

    #[test]
    fn logs_differ_in_their_salt() {
        assert_ne!(format(b"a1").salt(), format(b"a2").salt());
    }
}
