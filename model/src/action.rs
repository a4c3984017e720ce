//! One step of the closed world: what the explorer chooses, a trace records, and a scenario writes down.

use crate::rules::Scheme;
use crate::types::{Epoch, Lsn, SegmentId};
use serde::{Deserialize, Serialize};

/// An action of the world. `instance` counts writer incarnations from 0; deliveries name what they deliver.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Action {
    /// R0: another instance takes the volume; the others may go on as zombies.
    Recover,
    /// R1 reaches a segment, at any time, also after R2.
    FenceRead { instance: u8, segment: SegmentId },
    /// R2
    Decide { instance: u8 },
    /// R3 reaches a segment.
    Truncate { instance: u8, segment: SegmentId },
    /// The writer takes the next LSN.
    Allocate { instance: u8 },
    /// A record reaches a segment: a new one, or one written back.
    Write { instance: u8, segment: SegmentId, lsn: Lsn },
    /// A record that some segment held while its last truncation was `trunc_ve` reaches a peer.
    Gossip { trunc_ve: Epoch, segment: SegmentId, lsn: Lsn },
    /// Everything that a segment appended reaches its disk.
    Sync { segment: SegmentId },
    /// A segment loses its memory, and of its unsynced entries all but the oldest `kept`, and restarts.
    Crash { segment: SegmentId, kept: u8 },
    /// A segment loses its disk and restarts.
    Wipe { segment: SegmentId },
    /// A client's read is invoked at an instance.
    Read { instance: u8 },
    /// An instance asks for confirmation although no read waits.
    BeginRound { instance: u8 },
    /// The question of the round in flight reaches a segment.
    Confirm { instance: u8, segment: SegmentId },
}

impl Action {
    /// The same action on renamed segments: copy `i` becomes copy `names[i]`.
    #[must_use]
    pub fn renamed(self, names: &[usize]) -> Action {
        let name = |segment: SegmentId| SegmentId(names[segment.index()] as u8);
        match self {
            Action::FenceRead { instance, segment } => Action::FenceRead { instance, segment: name(segment) },
            Action::Truncate { instance, segment } => Action::Truncate { instance, segment: name(segment) },
            Action::Write { instance, segment, lsn } => Action::Write { instance, segment: name(segment), lsn },
            Action::Gossip { trunc_ve, segment, lsn } => Action::Gossip { trunc_ve, segment: name(segment), lsn },
            Action::Sync { segment } => Action::Sync { segment: name(segment) },
            Action::Crash { segment, kept } => Action::Crash { segment: name(segment), kept },
            Action::Wipe { segment } => Action::Wipe { segment: name(segment) },
            Action::Confirm { instance, segment } => Action::Confirm { instance, segment: name(segment) },
            Action::Recover
            | Action::Decide { .. }
            | Action::Allocate { .. }
            | Action::Read { .. }
            | Action::BeginRound { .. } => self,
        }
    }

    /// One line for a person; writers are counted from 1 in the order in which they took the volume.
    #[must_use]
    pub fn describe(self, scheme: Scheme) -> String {
        let name = |segment: SegmentId| segment.name(scheme.copies.into(), scheme.zones.into());
        let writer = |instance: u8| format!("w{}", instance + 1);
        match self {
            Action::Recover => "another instance takes the volume (R0)".into(),
            Action::FenceRead { instance, segment } => {
                format!("{} → {}: FENCE_READ (R1)", writer(instance), name(segment))
            }
            Action::Decide { instance } => format!("{} decides where the log ends (R2)", writer(instance)),
            Action::Truncate { instance, segment } => format!("{} → {}: TRUNC (R3)", writer(instance), name(segment)),
            Action::Allocate { instance } => format!("{} allocates the next LSN", writer(instance)),
            Action::Write { instance, segment, lsn } => {
                format!("{} → {}: write {lsn}", writer(instance), name(segment))
            }
            Action::Gossip { trunc_ve, segment, lsn } => format!("gossip of {trunc_ve} → {}: {lsn}", name(segment)),
            Action::Sync { segment } => format!("{} syncs", name(segment)),
            Action::Crash { segment, kept } => format!("{} crashes, {kept} unsynced entries survive", name(segment)),
            Action::Wipe { segment } => format!("{} loses its disk and restarts", name(segment)),
            Action::Read { instance } => format!("a client reads at {}", writer(instance)),
            Action::BeginRound { instance } => format!("{} asks for confirmation unasked", writer(instance)),
            Action::Confirm { instance, segment } => format!("{} → {}: CONFIRM", writer(instance), name(segment)),
        }
    }
}
