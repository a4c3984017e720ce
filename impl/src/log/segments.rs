//! The segment files: their names, and which of them a directory holds.

use std::io;
use std::path::{Path, PathBuf};

use super::disk::Disk;
use super::{LogError, format};

pub(super) const FIRST: u64 = 1;

const PREFIX: &str = "segment-";
const SUFFIX: &str = ".log";

pub(crate) fn path(dir: &Path, number: u64) -> PathBuf {
    dir.join(format!("{PREFIX}{number:010}{SUFFIX}"))
}

/// The number in a segment file's name; none for the name of anything else.
pub(super) fn number(name: &str) -> Option<u64> {
    let digits = name.strip_prefix(PREFIX)?.strip_suffix(SUFFIX)?;
    let well_formed = digits.len() >= 10
        && digits.bytes().all(|digit| digit.is_ascii_digit())
        && (digits.len() == 10 || !digits.starts_with('0'));
    well_formed.then(|| digits.parse().ok()).flatten()
}

/// The numbers of the segment files in `dir`, ascending.
pub(super) fn list(disk: &dyn Disk, dir: &Path) -> Result<Vec<u64>, LogError> {
    let names = disk.list(dir).map_err(|error| LogError::io("list", dir, &error))?;
    let mut numbers: Vec<u64> = names.iter().filter_map(|name| number(name)).collect();
    numbers.sort_unstable();
    Ok(numbers)
}

pub(super) fn read(disk: &dyn Disk, path: &Path) -> Result<Vec<u8>, LogError> {
    disk.read(path).map_err(|error| LogError::io("read", path, &error))
}

/// A directory without a format file holds no log, unless it holds batches: then the format file was lost.
///
/// A blank first segment file alone is an interrupted creation, in which nothing was acknowledged.
pub(super) fn refuse_orphans(disk: &dyn Disk, dir: &Path) -> Result<(), LogError> {
    for number in list(disk, dir)? {
        if number != FIRST || !is_blank(&read(disk, &path(dir, number))?) {
            return Err(LogError::corrupt(
                &dir.join(format::NAME),
                0,
                format!("the format file is gone, segment file {number} is still there"),
            ));
        }
    }
    Ok(())
}

/// The format file's bytes, or none if there is none.
pub(super) fn read_format(disk: &dyn Disk, dir: &Path) -> Result<Option<Vec<u8>>, LogError> {
    let path = dir.join(format::NAME);
    match disk.read(&path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(LogError::io("read", &path, &error)),
    }
}

pub(super) fn is_blank(bytes: &[u8]) -> bool {
    used_bytes(bytes) == 0
}

/// Bytes up to and with the last one that is not zero.
pub(super) fn used_bytes(bytes: &[u8]) -> usize {
    bytes.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers_are_one_to_one() {
        for n in [1, 2, 9_999_999_999, 10_000_000_000, u64::MAX] {
            let path = path(Path::new("d"), n);
            assert_eq!(number(path.file_name().unwrap().to_str().unwrap()), Some(n));
        }
        for name in [
            "segment-1.log",
            "segment-00000000001.log",
            "segment-000000000x.log",
            "segment-+000000001.log",
            "segment-99999999999999999999.log",
            "format",
        ] {
            assert_eq!(number(name), None, "{name}");
        }
    }
}
