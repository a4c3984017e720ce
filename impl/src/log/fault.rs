//! Damage that a harness does to the files of a log whose process is dead.
//!
//! A killed process loses nothing that it wrote: the page cache survives it. [`power_cut`] makes up for that. The log
//! tells in its file `synced` how far it was synced; what lies beyond may be lost by a power cut, whole or in part, so
//! here it is destroyed, whole or in part, by a seed.

use std::fs;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::{format, segments, watermark};

/// Of the disk that is emulated.
const SECTOR_BYTES: usize = 512;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PowerCut {
    /// Bytes beyond the watermark, up to the end of the last sector in use.
    pub unsynced_bytes: u64,
    /// Of these, the bytes that were left.
    pub kept_bytes: u64,
    pub torn: Torn,
}

/// What became of the unsynced sectors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Torn {
    /// There were none: the fault did not bite.
    NothingUnsynced,
    DroppedAll,
    KeptPrefix,
    KeptSubset,
}

/// Zeroes some of what the log in `dir` had not synced. The process must be dead. Same files and seed, same damage.
///
/// A directory in which no log was completed is left alone: nothing in it can have been acknowledged. `InvalidData` if
/// there is a log and its watermark is unreadable.
pub fn power_cut(dir: &Path, seed: u64) -> io::Result<PowerCut> {
    let mut sectors = if dir.join(format::NAME).try_exists()? {
        unsynced_sectors(dir)?
    } else {
        fs::metadata(dir)?;
        Vec::new()
    };
    let mut random = SplitMix(seed);
    let torn = choose(&mut sectors, &mut random);
    for lost in sectors.iter().filter(|sector| !sector.kept) {
        let file = fs::OpenOptions::new().write(true).open(&lost.path)?;
        file.write_all_at(&vec![0; lost.bytes], lost.offset)?;
        file.sync_data()?;
    }
    let bytes =
        |sectors: &mut dyn Iterator<Item = &UnsyncedSector>| -> u64 { sectors.map(|sector| sector.bytes as u64).sum() };
    Ok(PowerCut {
        unsynced_bytes: bytes(&mut sectors.iter()),
        kept_bytes: bytes(&mut sectors.iter().filter(|sector| sector.kept)),
        torn,
    })
}

/// Flips one bit (0 is the least significant) of the byte at `offset`. An offset behind the end is an error.
pub fn flip_bit(path: &Path, offset: u64, bit: u8) -> io::Result<()> {
    if bit > 7 {
        let what = format!("flip bit {bit} of a byte");
        return Err(io::Error::new(io::ErrorKind::InvalidInput, what));
    }
    let file = fs::OpenOptions::new().read(true).write(true).open(path)?;
    let mut byte = [0];
    file.read_exact_at(&mut byte, offset)?;
    file.write_all_at(&[byte[0] ^ (1 << bit)], offset)?;
    file.sync_data()
}

struct UnsyncedSector {
    path: PathBuf,
    offset: u64,
    bytes: usize,
    kept: bool,
}

fn unsynced_sectors(dir: &Path) -> io::Result<Vec<UnsyncedSector>> {
    let synced = watermark::load(&dir.join(watermark::NAME))?;
    let mut numbers = Vec::new();
    for entry in fs::read_dir(dir)? {
        let name = entry?.file_name();
        numbers.extend(name.to_str().and_then(segments::number));
    }
    numbers.retain(|&number| number >= synced.segment);
    numbers.sort_unstable();
    let mut sectors = Vec::new();
    for number in numbers {
        let path = segments::path(dir, number);
        let start = if number == synced.segment { synced.offset as usize } else { 0 };
        collect(&path, start, &mut sectors)?;
    }
    Ok(sectors)
}

/// The sectors of a file from byte `start` on to the last one in use.
fn collect(path: &Path, start: usize, sectors: &mut Vec<UnsyncedSector>) -> io::Result<()> {
    let bytes = fs::read(path)?;
    let used = segments::used_bytes(&bytes);
    let mut offset = start;
    while offset < used {
        let end = (offset + 1).next_multiple_of(SECTOR_BYTES).min(bytes.len());
        sectors.push(UnsyncedSector {
            path: path.to_path_buf(),
            offset: offset as u64,
            bytes: end - offset,
            kept: false,
        });
        offset = end;
    }
    Ok(())
}

fn choose(sectors: &mut [UnsyncedSector], random: &mut SplitMix) -> Torn {
    if sectors.is_empty() {
        return Torn::NothingUnsynced;
    }
    match random.below(3) {
        0 => Torn::DroppedAll,
        1 => {
            let kept = random.below(sectors.len());
            for sector in &mut sectors[..kept] {
                sector.kept = true;
            }
            Torn::KeptPrefix
        }
        _ => {
            for sector in sectors {
                sector.kept = random.below(2) == 1;
            }
            Torn::KeptSubset
        }
    }
}

/// SplitMix64 (Steele, Lea and Flood, 2014): enough for choices, and the same everywhere.
struct SplitMix(u64);

impl SplitMix {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        // The remainder is smaller than `bound`, and so a `usize`.
        (self.next() % bound as u64) as usize
    }
}
