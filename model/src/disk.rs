//! What a segment keeps: the image that its decisions read, the entries that change it, and the part that is synced.
//!
//! Architecture invariant: a positive reply carries a [`Durable`], and only a synced [`Disk`] gives one. The rule book's
//! deliberate mistakes are the one exception, and they name themselves.

use crate::logset::{LogSet, RangeList};
use crate::rules::{DeliberateMistake, Rules};
use crate::types::{Epoch, Lsn};
use serde::{Deserialize, Serialize};

/// The state of one segment (protocol §1). Law: `fenced ≥ trunc_ve`; `ranges` annul nothing in `held` once a truncation
/// is applied.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct Image<L: LogSet> {
    /// LSNs of the redo records held.
    pub held: L,
    /// The truncation ranges of the last TRUNC applied.
    pub ranges: L::Ranges,
    /// The volume epoch of the last TRUNC applied.
    pub trunc_ve: Epoch,
    /// The highest volume epoch whose fence was set: older requests are refused.
    pub fenced: Epoch,
}

impl<L: LogSet> Image<L> {
    /// A segment of a new volume.
    #[must_use]
    pub fn created() -> Self {
        Image { held: L::default(), ranges: L::Ranges::default(), trunc_ve: Epoch::FIRST, fenced: Epoch::FIRST }
    }

    pub fn apply(&mut self, entry: &Entry<L>) {
        match entry {
            Entry::Record { lsn, .. } => self.held.insert(*lsn),
            Entry::Fence { ve } => self.fenced = self.fenced.max(*ve),
            Entry::Truncate { ve, ranges } => {
                self.ranges = ranges.clone();
                self.held.annul(ranges);
                self.trunc_ve = *ve;
                self.fenced = self.fenced.max(*ve);
            }
        }
    }

    #[must_use]
    pub fn scl(&self, rules: &Rules) -> Lsn {
        rules.scl(&self.held, &self.ranges)
    }

    #[must_use]
    pub fn is_live(&self, lsn: Lsn) -> bool {
        self.held.contains(lsn) && !self.ranges.annuls(lsn)
    }
}

/// One entry of the hot log, in the order in which it changes the image.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(bound = "")]
pub enum Entry<L: LogSet> {
    /// A redo record; `ve` is the epoch of the request that brought it, the truncation epoch where gossip did.
    Record { ve: Epoch, lsn: Lsn },
    /// Requests older than `ve` are refused from now on.
    Fence { ve: Epoch },
    /// TRUNC: the whole new list of ranges, and the deletion of what they annul, in one durable write (R3).
    Truncate { ve: Epoch, ranges: L::Ranges },
}

/// The synced image: what a crash keeps.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct Disk<L: LogSet>(Image<L>);

/// What a positive reply carries: the state it speaks of is on the disk.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Durable(());

impl Durable {
    pub(crate) fn by_mistake(_: DeliberateMistake) -> Durable {
        Durable(())
    }
}

impl<L: LogSet> Disk<L> {
    /// The disk of a segment of a new volume.
    #[must_use]
    pub fn created() -> Self {
        Disk(Image::created())
    }

    /// The disk that was packed.
    pub(crate) fn unpacked(image: Image<L>) -> Self {
        Disk(image)
    }

    /// The disk that a log of synced entries describes.
    #[must_use]
    pub fn replayed<'a>(entries: impl IntoIterator<Item = &'a Entry<L>>) -> Self
    where
        L: 'a,
    {
        let mut disk = Disk::created();
        entries.into_iter().for_each(|entry| disk.sync(entry));
        disk
    }

    /// `entry` has reached the disk.
    pub(crate) fn sync(&mut self, entry: &Entry<L>) {
        self.0.apply(entry);
    }

    #[must_use]
    pub fn image(&self) -> &Image<L> {
        &self.0
    }

    /// Proof that the record is synced and not annulled.
    #[must_use]
    pub fn holds(&self, lsn: Lsn) -> Option<Durable> {
        self.0.is_live(lsn).then_some(Durable(()))
    }

    /// Proof that requests older than `ve` are refused even after a crash.
    #[must_use]
    pub fn fenced(&self, ve: Epoch) -> Option<Durable> {
        (self.0.fenced >= ve).then_some(Durable(()))
    }

    /// Proof that the truncation of `ve`, or a later one, is applied.
    #[must_use]
    pub fn truncated(&self, ve: Epoch) -> Option<Durable> {
        (self.0.trunc_ve >= ve).then_some(Durable(()))
    }
}
