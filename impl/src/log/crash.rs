//! Numbered crash points: the places between two steps of the log at which a crash means something different.
//!
//! The numbers are part of saved cases (`--crash-at 3`), so they never change meaning; new points get new numbers.

use std::fmt;
use std::sync::Arc;

/// Where the log is, between two disk operations. "Before" the next one, "after" all earlier ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum CrashPoint {
    /// `sync`: the batch is encoded, nothing is written.
    BeforeWrite = 1,
    /// `sync`: the batch is in the page cache, not on the disk.
    AfterWriteBeforeSync = 2,
    /// `sync`: the batch is durable, the watermark does not say so, nobody was told.
    AfterSyncBeforeWatermark = 3,
    /// `sync`: durable and said so, the caller not told.
    AfterWatermark = 4,
    /// Create, roll: a new segment file has a name and no length.
    SegmentCreated = 5,
    /// Create, roll: it has its length, unsynced.
    SegmentAllocated = 6,
    /// Create, roll: the file is synced, its name is not.
    SegmentSyncedBeforeDirectory = 7,
    /// Roll: the name is durable, the old segment has no seal.
    DirectorySyncedBeforeSeal = 8,
    /// Open: a torn tail is found and still there.
    BeforeTailErased = 9,
    /// Open: the tail is zeroed, unsynced.
    TailErasedBeforeSync = 10,
    /// Open: everything that will be reported is durable, the watermark is not yet moved.
    RecoveredBeforeWatermark = 11,
    /// Create: the format file is written under its temporary name, unsynced.
    FormatWritten = 12,
    /// Create: synced, not renamed.
    FormatSynced = 13,
    /// Create: renamed, directory unsynced.
    FormatRenamed = 14,
}

impl CrashPoint {
    pub const ALL: [Self; 14] = [
        Self::BeforeWrite,
        Self::AfterWriteBeforeSync,
        Self::AfterSyncBeforeWatermark,
        Self::AfterWatermark,
        Self::SegmentCreated,
        Self::SegmentAllocated,
        Self::SegmentSyncedBeforeDirectory,
        Self::DirectorySyncedBeforeSeal,
        Self::BeforeTailErased,
        Self::TailErasedBeforeSync,
        Self::RecoveredBeforeWatermark,
        Self::FormatWritten,
        Self::FormatSynced,
        Self::FormatRenamed,
    ];

    pub fn number(self) -> u8 {
        self as u8
    }

    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|point| point.number() == number)
    }
}

/// Called at every crash point, on the thread that owns the log. A node's hook may kill the process; the default does
/// nothing.
#[derive(Clone, Default)]
pub struct CrashHook(Option<Arc<dyn Fn(CrashPoint) + Send + Sync>>);

impl CrashHook {
    pub fn new(hook: impl Fn(CrashPoint) + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(hook)))
    }

    pub(super) fn reach(&self, point: CrashPoint) {
        if let Some(hook) = &self.0 {
            hook(point);
        }
    }
}

impl fmt::Debug for CrashHook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "CrashHook(set)" } else { "CrashHook(none)" })
    }
}
