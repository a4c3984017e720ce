//! What the storage is for, in one screen: a volume is a log with a durable point. Every step of the core is a step of this log,
//! or none.
//!
//! The log that a state stands for is that of the newest incarnation that has opened: what its recovery kept, and what it has
//! allocated since; it is durable up to its VDL. The steps of the abstract volume are these:
//!
//! * *append*: the writer adds records with LSNs that no record had before;
//! * *harden*: the durable point moves up, and never down;
//! * *replace the writer*: what is behind the durable point may go, and nothing before it.
//!
//! And whatever any incarnation has acknowledged, by whatever zombie, lies before the durable point.

use crate::scene::{Scene, Violation, opened};
use crate::types::Lsn;

/// A volume, as its user sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Volume {
    /// Whose log it is: incarnations from 0.
    writer: usize,
    /// Each with the incarnation that allocated it: two records at one LSN are not the same.
    records: Vec<(Lsn, usize)>,
    /// How many of them, from the first, are there for good.
    durable: usize,
}

impl Volume {
    /// The volume that `scene` stands for.
    ///
    /// # Errors
    /// If it stands for none: something is acknowledged and not durable.
    pub fn of<S: Scene>(scene: &S) -> Result<Volume, Violation> {
        let Some((writer, decision)) = opened(scene).next_back() else {
            return Err("nobody has opened the volume".into());
        };
        let kept = (1..=decision.vdl.0).map(Lsn).filter(|&lsn| decision.keeps(lsn));
        let new = scene.allocated(writer).into_iter().flat_map(|(first, last)| first.0..=last.0);
        let holds = |i: usize, lsn: Lsn| scene.allocated(i).is_some_and(|(first, last)| first <= lsn && lsn <= last);
        let by_an_older = |lsn: Lsn| (lsn, (0..writer).find(|&i| holds(i, lsn)).unwrap_or(writer));
        let records: Vec<_> = kept.map(by_an_older).chain(new.map(|lsn| (Lsn(lsn), writer))).collect();
        let vdl = scene.vdl(writer);
        let durable = records.iter().filter(|&&(lsn, _)| lsn <= vdl).count();
        for i in 0..scene.incarnations() {
            let Some((first, last)) = scene.acknowledged(i) else { continue };
            if let Some(lost) =
                (first.0..=last.0).map(Lsn).find(|&lsn| !records[..durable].iter().any(|record| record.0 == lsn))
            {
                return Err(format!("{lost} is acknowledged by {} and not in the volume", scene.ve(i)));
            }
        }
        Ok(Volume { writer, records, durable })
    }

    /// Whether the abstract volume may go from here to `after` in one step, or stay.
    ///
    /// # Errors
    /// What no step of it does.
    pub fn steps_to(&self, after: &Volume) -> Result<(), Violation> {
        let same = self.records.iter().zip(&after.records).take_while(|(before, after)| before == after).count();
        let may_go_from = if after.writer == self.writer { self.records.len() } else { self.durable };
        if same < may_go_from {
            return Err(format!("record {} is gone from the log", self.records[same].0));
        }
        if after.durable < self.durable {
            return Err(format!("the durable point went back from {} records to {}", self.durable, after.durable));
        }
        let last = self.records.last().map(|record| record.0).unwrap_or_default();
        match after.records[same..].iter().find(|record| record.0 <= last) {
            Some((again, _)) => Err(format!("{again} is appended to a log that had reached {last}")),
            None => Ok(()),
        }
    }
}

/// Whether a step from `before` to `after` is one of the abstract volume.
///
/// # Errors
/// What no step of it does, or that a state stands for no volume.
pub fn refines<S: Scene>(before: &S, after: &S) -> Result<(), Violation> {
    Volume::of(before)?.steps_to(&Volume::of(after)?)
}
