//! The closed world of disks: a writer with one record that never stops, recoveries one after the other, segments whose record
//! becomes unreadable and whose truncations are cut by a loss of power.
//!
//! Chains and gaps are the matter of the core: one record is enough to be lost or to come back. The ranges of a recovery are
//! one number: how many records they leave.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::rules::DiskRules;
use crate::area::{admissible_quorums, at_most, sources_by};
use crate::bounds::Switch;
use crate::{packed_enum, packed_struct};

pub const RECORDS: usize = 1;
pub const COPIES: usize = 6;
pub const EPOCHS: usize = 4;

/// No range annuls anything.
pub const NO_CUT: u8 = 2;

/// How large the world is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bounds {
    /// Copies, at most six, and the sizes of the write and the read quorum.
    pub copies: u8,
    pub write: u8,
    pub read: u8,
    /// At most three.
    pub recoveries: u8,
    /// How many bits flip.
    pub flips: u8,
    /// How often power is lost.
    pub crashes: u8,
    pub symmetry: Switch,
}

impl Bounds {
    /// Six copies, four to write, three to read.
    #[must_use]
    pub const fn of_six(recoveries: u8, flips: u8, crashes: u8) -> Bounds {
        Bounds { copies: 6, write: 4, read: 3, recoveries, flips, crashes, symmetry: Switch::On }
    }

    /// Three copies, two to write, two to read.
    #[must_use]
    pub const fn of_three(self) -> Bounds {
        Bounds { copies: 3, write: 2, read: 2, ..self }
    }

    /// Segments that are interchangeable.
    #[must_use]
    pub fn classes(&self) -> Vec<Vec<usize>> {
        vec![(0..usize::from(self.copies)).collect()]
    }

    /// Whether a state can hold what is asked for.
    ///
    /// # Errors
    /// What is too much or too little.
    pub fn admissible(&self) -> Result<(), String> {
        admissible_quorums(self.copies, self.write, self.read, COPIES)?;
        at_most("recoveries", self.recoveries.into(), EPOCHS - 1)?;
        at_most("flips", self.flips.into(), 3)?;
        at_most("power cuts", self.crashes.into(), 3)
    }

    #[must_use]
    pub const fn unreduced(self) -> Bounds {
        Bounds { symmetry: Switch::Off, ..self }
    }
}

impl fmt::Display for Bounds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}, 1 rec, {} rcv", self.copies, self.write, self.read, self.recoveries)?;
        write!(f, ", {} flips, {} power cuts", self.flips, self.crashes)?;
        if self.symmetry.is_on() { Ok(()) } else { f.write_str(", unreduced") }
    }
}

/// What happens next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Action {
    /// Another instance takes the volume (R0).
    Recover,
    /// FENCE_READ of the newest instance reaches a segment (R1).
    FenceRead { copy: u8 },
    /// It decides what it keeps (R2).
    Decide,
    /// Its TRUNC reaches a segment (R3), which writes it and answers.
    Truncate { copy: u8 },
    /// The same, and the segment loses power in the middle of it.
    Crash { copy: u8 },
    /// A write of the first writer reaches a segment.
    Write { record: u8, copy: u8 },
    /// A bit flips in a record.
    Flip { record: u8, copy: u8 },
    /// A segment takes an unreadable record from a peer.
    Repair { record: u8, copy: u8 },
}

impl Action {
    /// The same action on renamed segments: `i` becomes `names[i]`.
    #[must_use]
    pub fn renamed(self, names: &[usize]) -> Action {
        let renamed = |copy: u8| names[usize::from(copy)] as u8;
        match self {
            Action::Recover | Action::Decide => self,
            Action::FenceRead { copy } => Action::FenceRead { copy: renamed(copy) },
            Action::Truncate { copy } => Action::Truncate { copy: renamed(copy) },
            Action::Crash { copy } => Action::Crash { copy: renamed(copy) },
            Action::Write { record, copy } => Action::Write { record, copy: renamed(copy) },
            Action::Flip { record, copy } => Action::Flip { record, copy: renamed(copy) },
            Action::Repair { record, copy } => Action::Repair { record, copy: renamed(copy) },
        }
    }
}

/// A record on a disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Stored {
    #[default]
    Absent,
    Good,
    /// Its checksum says that it is not what was written.
    Corrupt,
}

/// A segment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Node {
    pub fenced: u8,
    pub truncated: u8,
    /// How many records its ranges leave; [`NO_CUT`] if it has none.
    pub cut: u8,
    pub stored: [Stored; RECORDS],
    /// How many records, from the first, it has acknowledged.
    pub took: [bool; RECORDS],
}

/// Where a recovery stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Phase {
    #[default]
    Absent,
    Reading,
    Installing,
    Open,
}

/// A recovery.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Recovery {
    pub phase: Phase,
    /// How many records it keeps.
    pub kept: u8,
}

/// A state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct World {
    pub nodes: [Node; COPIES],
    /// Of epochs 2, 3, 4.
    pub recoveries: [Recovery; EPOCHS - 1],
    pub flips: u8,
    pub crashes: u8,
}

packed_enum!(Stored { Absent, Good, Corrupt });
packed_enum!(Phase { Absent, Reading, Installing, Open });
packed_struct!(Node { fenced as 3, truncated as 3, cut as 2, stored, took });
packed_struct!(Recovery { phase, kept as 2 });
packed_struct!(World { nodes, recoveries, flips as 2, crashes as 2 });

impl World {
    #[must_use]
    pub fn created(bounds: &Bounds) -> World {
        let node = |copy: usize| {
            let exists = u8::from(copy < usize::from(bounds.copies));
            Node { fenced: exists, truncated: exists, cut: NO_CUT, ..Node::default() }
        };
        World { nodes: std::array::from_fn(node), recoveries: [Recovery::default(); EPOCHS - 1], flips: 0, crashes: 0 }
    }

    #[must_use]
    pub fn copies(&self, bounds: &Bounds) -> &[Node] {
        &self.nodes[..usize::from(bounds.copies)]
    }

    /// The newest volume epoch.
    #[must_use]
    pub fn newest(&self) -> u8 {
        1 + self.recoveries.iter().filter(|recovery| recovery.phase != Phase::Absent).count() as u8
    }

    /// From epoch 2.
    #[must_use]
    pub fn recovery(&self, epoch: u8) -> &Recovery {
        &self.recoveries[usize::from(epoch) - 2]
    }

    fn newest_recovery(&mut self) -> Option<(u8, &mut Recovery)> {
        let newest = self.newest();
        (newest > 1).then(|| (newest, &mut self.recoveries[usize::from(newest) - 2]))
    }

    /// How many records are acknowledged to the client.
    #[must_use]
    pub fn acknowledged(&self, bounds: &Bounds) -> u8 {
        let quorate = |record: &usize| {
            let complete = |node: &&Node| node.took[..=*record].iter().all(|took| *took);
            self.copies(bounds).iter().filter(complete).count() >= usize::from(bounds.write)
        };
        (0..RECORDS).take_while(quorate).count() as u8
    }

    // --- symmetry ----------------------------------------------------------------------------------------------------

    #[must_use]
    pub fn canonical(mut self, bounds: &Bounds) -> World {
        self.nodes[..usize::from(bounds.copies)].sort_unstable();
        self
    }

    #[must_use]
    pub fn sources(&self, bounds: &Bounds) -> Vec<usize> {
        sources_by(&bounds.classes(), COPIES, |place| self.nodes[place])
    }

    #[must_use]
    pub fn permuted(&self, sources: &[usize]) -> World {
        World { nodes: std::array::from_fn(|to| self.nodes[sources[to]]), ..*self }
    }

    // --- steps -------------------------------------------------------------------------------------------------------

    /// Everything that could happen; [`World::after`] tells what does.
    pub fn candidates(&self, bounds: &Bounds, mut take: impl FnMut(Action)) {
        if self.newest() <= bounds.recoveries {
            take(Action::Recover);
        }
        take(Action::Decide);
        for copy in 0..bounds.copies {
            let place = usize::from(copy);
            if bounds.symmetry.is_on() && copy > 0 && self.nodes[place] == self.nodes[place - 1] {
                continue;
            }
            take(Action::FenceRead { copy });
            take(Action::Truncate { copy });
            if self.crashes < bounds.crashes {
                take(Action::Crash { copy });
            }
            for record in 0..RECORDS as u8 {
                take(Action::Write { record, copy });
                if self.flips < bounds.flips {
                    take(Action::Flip { record, copy });
                }
                take(Action::Repair { record, copy });
            }
        }
    }

    /// The state after `action`; none if it is not possible or changes nothing.
    #[must_use]
    pub fn after(&self, rules: &DiskRules, bounds: &Bounds, action: Action) -> Option<World> {
        let mut next = *self;
        match action {
            Action::Recover => next.recover(bounds),
            Action::FenceRead { copy } => next.fence_read(copy.into()),
            Action::Decide => next.decide(rules, bounds),
            Action::Truncate { copy } => next.truncate(bounds, copy.into()),
            Action::Crash { copy } => next.crash(rules, bounds, copy.into()),
            Action::Write { record, copy } => next.write(record.into(), copy.into()),
            Action::Flip { record, copy } => next.flip(bounds, record.into(), copy.into()),
            Action::Repair { record, copy } => next.repair(rules, bounds, record.into(), copy.into()),
        }?;
        (next != *self).then_some(next)
    }

    fn recover(&mut self, bounds: &Bounds) -> Option<()> {
        let newest = self.newest();
        if newest > bounds.recoveries {
            return None;
        }
        self.recoveries[usize::from(newest) - 1].phase = Phase::Reading;
        Some(())
    }

    fn fence_read(&mut self, copy: usize) -> Option<()> {
        let (epoch, recovery) = self.newest_recovery()?;
        if recovery.phase != Phase::Reading {
            return None;
        }
        let node = &mut self.nodes[copy];
        node.fenced = node.fenced.max(epoch);
        Some(())
    }

    fn decide(&mut self, rules: &DiskRules, bounds: &Bounds) -> Option<()> {
        let copies = usize::from(bounds.copies);
        let nodes = self.nodes;
        let (epoch, recovery) = self.newest_recovery()?;
        let answered = || nodes[..copies].iter().filter(|node| node.fenced == epoch);
        let said = || answered().filter_map(|node| Some((node, rules.reported(node)?)));
        if recovery.phase != Phase::Reading || said().count() < usize::from(bounds.read) {
            return None;
        }
        // The ranges of the responder with the newest truncation, and what they leave of the longest.
        let cut =
            said().max_by_key(|(node, _)| (node.truncated, u8::MAX - node.cut)).map_or(NO_CUT, |(node, _)| node.cut);
        let longest = said().map(|(_, count)| count).max().unwrap_or(0);
        *recovery = Recovery { phase: Phase::Installing, kept: longest.min(cut) };
        Some(())
    }

    /// The newest recovery, if it has decided and the segment has not its truncation yet.
    fn untruncated(&mut self, copy: usize) -> Option<(u8, Recovery)> {
        let (epoch, recovery) = self.newest_recovery()?;
        let recovery = *recovery;
        let decided = matches!(recovery.phase, Phase::Installing | Phase::Open);
        (decided && self.nodes[copy].truncated != epoch).then_some((epoch, recovery))
    }

    fn truncate(&mut self, bounds: &Bounds, copy: usize) -> Option<()> {
        let (epoch, recovery) = self.untruncated(copy)?;
        let node = &mut self.nodes[copy];
        node.fenced = epoch;
        node.truncated = epoch;
        node.cut = recovery.kept;
        for (record, stored) in node.stored.iter_mut().enumerate() {
            // What is kept is written back, over what cannot be read; what is not is deleted.
            *stored = if record < usize::from(recovery.kept) { Stored::Good } else { Stored::Absent };
        }
        self.open(bounds, epoch);
        Some(())
    }

    /// R4, as soon as it can be.
    fn open(&mut self, bounds: &Bounds, epoch: u8) {
        let ready = |node: &&Node| node.fenced == epoch && node.truncated == epoch;
        if self.copies(bounds).iter().filter(ready).count() >= usize::from(bounds.write) {
            self.recoveries[usize::from(epoch) - 2].phase = Phase::Open;
        }
    }

    fn crash(&mut self, rules: &DiskRules, bounds: &Bounds, copy: usize) -> Option<()> {
        let (epoch, _) = self.untruncated(copy)?;
        if self.crashes >= bounds.crashes {
            return None;
        }
        self.nodes[copy] = rules.after_power_cut(self.nodes[copy], epoch)?;
        self.crashes += 1;
        // It believes that it has the truncation, and says so when it is asked again.
        self.open(bounds, epoch);
        Some(())
    }

    fn write(&mut self, record: usize, copy: usize) -> Option<()> {
        let node = &mut self.nodes[copy];
        // A copy that cannot be read is not acknowledged again.
        if node.fenced != 1 || node.truncated != 1 || node.stored[record] == Stored::Corrupt {
            return None;
        }
        node.stored[record] = Stored::Good;
        node.took[record] = true;
        Some(())
    }

    fn flip(&mut self, bounds: &Bounds, record: usize, copy: usize) -> Option<()> {
        let stored = &mut self.nodes[copy].stored[record];
        if *stored != Stored::Good || self.flips >= bounds.flips {
            return None;
        }
        *stored = Stored::Corrupt;
        self.flips += 1;
        Some(())
    }

    fn repair(&mut self, rules: &DiskRules, bounds: &Bounds, record: usize, copy: usize) -> Option<()> {
        let node = self.nodes[copy];
        let can = |peer: &Node| peer.stored[record] == Stored::Good && rules.may_repair_from(&node, peer);
        if node.stored[record] != Stored::Corrupt || !self.copies(bounds).iter().any(can) {
            return None;
        }
        self.nodes[copy].stored[record] = Stored::Good;
        Some(())
    }
}
