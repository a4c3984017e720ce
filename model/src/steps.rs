//! The properties of the core that speak of a step rather than of a state (protocol §7): each is judged where the step is
//! taken, by the closed world and by a run that is looked at whole.

use crate::disk::Image;
use crate::logset::{LogSet, RangeList};
use crate::recovery::Decision;
use crate::rules::Rules;
use crate::segment::{Reply, Segment};
use crate::types::{Epoch, Lsn};

/// A step that must not be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Breach {
    /// S9
    OldWriterCommitted,
    /// S10
    EpochWentBack,
    /// S11
    AcknowledgedWhatItLacks,
    /// S12
    ServedWithoutTruncation,
    /// S14
    AcknowledgedUnsynced,
    /// S16
    GossipTookAway,
    /// S33
    StaleRead,
}

impl Breach {
    /// The property's number in protocol §7.
    #[must_use]
    pub fn id(self) -> &'static str {
        match self {
            Breach::OldWriterCommitted => "S9",
            Breach::EpochWentBack => "S10",
            Breach::AcknowledgedWhatItLacks => "S11",
            Breach::ServedWithoutTruncation => "S12",
            Breach::AcknowledgedUnsynced => "S14",
            Breach::GossipTookAway => "S16",
            Breach::StaleRead => "S33",
        }
    }

    /// What happened.
    #[must_use]
    pub fn fact(self) -> &'static str {
        match self {
            Breach::OldWriterCommitted => {
                "an older writer's record became quorate after a newer one had opened without it"
            }
            Breach::EpochWentBack => "an epoch of a member went back",
            Breach::AcknowledgedWhatItLacks => "a segment acknowledged a record that it does not hold",
            Breach::ServedWithoutTruncation => "a segment served an epoch whose truncation it has not applied",
            Breach::AcknowledgedUnsynced => "a segment acknowledged a record that is not on its disk",
            Breach::GossipTookAway => "gossip took something away",
            Breach::StaleRead => "a read returned a state older than a commit acknowledged before it was invoked",
        }
    }
}

/// S9: an incarnation has acknowledged `first..=last`, and `later` had opened before that.
#[must_use]
pub fn commits<L: LogSet>(first: Lsn, last: Lsn, later: &Decision<L>) -> Option<Breach> {
    later.first_unkept(first, last).map(|_| Breach::OldWriterCommitted)
}

/// S10: a member's epochs, `fenced` and then `trunc_ve`, before a step or a restart and after it.
#[must_use]
pub fn epochs(before: (Epoch, Epoch), after: (Epoch, Epoch)) -> Option<Breach> {
    (after.0 < before.0 || after.1 < before.1).then_some(Breach::EpochWentBack)
}

/// S11 and S14: a segment replies.
pub fn replies<L: LogSet>(segment: &Segment<L>, reply: &Reply<L>) -> impl Iterator<Item = Breach> + use<L> {
    let acknowledged = match *reply {
        Reply::Acknowledged { lsn, .. } => Some(lsn),
        Reply::Fenced { .. } | Reply::Truncated { .. } | Reply::Confirmed { .. } | Reply::Refused { .. } => None,
    };
    let (image, disk) = (segment.image(), segment.disk().image());
    let is_absent = acknowledged.is_some_and(|lsn| !image.is_live(lsn) && !disk.is_live(lsn));
    let is_unsynced = acknowledged.is_some_and(|lsn| !disk.is_live(lsn));
    let breaches = [(is_absent, Breach::AcknowledgedWhatItLacks), (is_unsynced, Breach::AcknowledgedUnsynced)];
    breaches.into_iter().filter_map(|(broken, breach)| broken.then_some(breach))
}

/// S12: a segment has taken a record of the incarnation that decided `decision`, or confirmed its epoch.
#[must_use]
pub fn serves<L: LogSet>(image: &Image<L>, decision: &Decision<L>) -> Option<Breach> {
    let applied = |range| image.ranges.iter().any(|r| r == range);
    let is_applied = image.trunc_ve == decision.ve && decision.ranges.iter().all(applied);
    (!is_applied).then_some(Breach::ServedWithoutTruncation)
}

/// S33: a client's read is answered from a state that ends at `at`; every commit up to `floor` had been acknowledged when it was
/// invoked.
#[must_use]
pub fn answers(at: Lsn, floor: Lsn) -> Option<Breach> {
    (at < floor).then_some(Breach::StaleRead)
}

/// S16: a segment has taken what a peer told it.
#[must_use]
pub fn hears_gossip<L: LogSet>(rules: &Rules, before: &Image<L>, after: &Image<L>) -> Option<Breach> {
    let is_whole = |&(lo, hi): &(Lsn, Lsn)| before.ranges == after.ranges && after.held.run_end(lo) >= Some(hi);
    let doubtful = before.held.runs().filter(|run| !is_whole(run)).flat_map(|(lo, hi)| (lo.0..=hi.0).map(Lsn));
    let lost_one = doubtful.into_iter().any(|lsn| before.is_live(lsn) && !after.is_live(lsn));
    (lost_one || after.scl(rules) < before.scl(rules)).then_some(Breach::GossipTookAway)
}
