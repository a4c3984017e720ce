//! The steps by which a log and its segment files come to be on a disk, in an order that a crash can cut anywhere.

use std::io;
use std::path::Path;

use super::crash::{CrashHook, CrashPoint};
use super::disk::{Disk, File};
use super::format::{self, Format};
use super::{LogError, Options, Position, segments, watermark};

/// A segment file of zeros, all of it volatile. A leftover of that name holds nothing and is replaced.
pub(super) fn reserve_segment(
    disk: &dyn Disk,
    crash: &CrashHook,
    dir: &Path,
    number: u64,
    bytes: u32,
) -> Result<Box<dyn File>, LogError> {
    let path = segments::path(dir, number);
    let mut file = disk.create(&path).map_err(|error| LogError::io("create", &path, &error))?;
    crash.reach(CrashPoint::SegmentCreated);
    file.allocate(u64::from(bytes)).map_err(|error| LogError::io("allocate", &path, &error))?;
    crash.reach(CrashPoint::SegmentAllocated);
    Ok(file)
}

/// Makes a reserved segment file durable, then its name.
pub(super) fn settle_segment(
    disk: &dyn Disk,
    crash: &CrashHook,
    dir: &Path,
    number: u64,
    file: &mut dyn File,
) -> Result<(), LogError> {
    file.sync().map_err(|error| LogError::io("sync", &segments::path(dir, number), &error))?;
    crash.reach(CrashPoint::SegmentSyncedBeforeDirectory);
    sync_dir(disk, dir)
}

/// Before the format file, so that wherever there is a log there is a watermark.
pub(super) fn create_watermark(disk: &dyn Disk, dir: &Path) -> Result<Box<dyn File>, LogError> {
    let path = dir.join(watermark::NAME);
    let start = Position { segment: segments::FIRST, offset: 0 };
    let create = || {
        let mut file = disk.create(&path)?;
        watermark::store(file.as_mut(), start)?;
        Ok(file)
    };
    create().map_err(|error: io::Error| LogError::io("create", &path, &error))
}

/// Last of all in a creation: with the format file the log begins to exist.
pub(super) fn create_format(options: &Options, dir: &Path, format: &Format) -> Result<(), LogError> {
    let temporary = dir.join(format::NAME_TEMPORARY);
    let path = dir.join(format::NAME);
    let failed = |operation, error: &io::Error| LogError::io(operation, &path, error);
    let disk = options.disk.as_ref();
    let created = disk.create(&temporary);
    let mut file = created.map_err(|error| failed("create", &error))?;
    file.write_at(&format.encode(), 0).map_err(|error| failed("write", &error))?;
    options.crash.reach(CrashPoint::FormatWritten);
    file.sync().map_err(|error| failed("sync", &error))?;
    options.crash.reach(CrashPoint::FormatSynced);
    disk.rename(&temporary, &path).map_err(|error| failed("rename", &error))?;
    options.crash.reach(CrashPoint::FormatRenamed);
    sync_dir(disk, dir)
}

fn sync_dir(disk: &dyn Disk, dir: &Path) -> Result<(), LogError> {
    disk.sync_dir(dir).map_err(|error| LogError::io("sync", dir, &error))
}
