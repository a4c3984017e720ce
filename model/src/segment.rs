//! The storage segment: one copy of one protection group (protocol §2).
//!
//! It persists redo records and acknowledges what is synced, fences older volume epochs, applies truncations, confirms
//! epochs, and takes records that peers gossip. It has no vote on what a writer writes: operations are local and
//! idempotent, and only epochs are refused (S18 §2.3).

use crate::disk::{Disk, Durable, Entry, Image};
use crate::logset::{LogSet, RangeList};
use crate::rules::{Admission, Fencing, Refusal, Rules};
use crate::types::{Epoch, Lsn, Nonce};
use serde::{Deserialize, Serialize};

/// A segment in memory, with the image of its disk.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Segment<L: LogSet> {
    /// What its decisions read: the disk and everything appended since.
    pub(crate) image: Image<L>,
    pub(crate) disk: Disk<L>,
    /// Appended and not yet synced, oldest first.
    pub(crate) unsynced: Vec<Entry<L>>,
    pub(crate) standing: Standing,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Standing {
    Member,
    /// Its disk was lost: it answers nothing until it is re-created as another incarnation.
    Wiped,
}

/// What happens to a segment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(bound = "")]
pub enum Event<L: LogSet> {
    /// The writer of epoch `ve` sends the record `lsn`.
    Write { ve: Epoch, lsn: Lsn },
    /// R1: fence everything older than `ve` and say what you hold.
    FenceRead { ve: Epoch },
    /// R3: replace your ranges, delete what they annul, serve `ve` from now on.
    Truncate { ve: Epoch, ranges: L::Ranges },
    /// Is `ve` still current? (protocol §13)
    Confirm { ve: Epoch, nonce: Nonce },
    /// A peer whose last truncation is `trunc_ve` sends a record that you may lack.
    Gossip { trunc_ve: Epoch, lsn: Lsn },
    /// The oldest `entries` unsynced entries are on the disk.
    Synced { entries: usize },
}

/// What a segment asks of its executor, in order.
#[derive(Debug, PartialEq, Eq, Hash)]
pub enum Effect<L: LogSet> {
    /// Append to the log; `Synced` tells when it is durable. Exactly one reply follows each appended entry, then.
    Append(Entry<L>),
    Reply(Reply<L>),
}

#[derive(Debug, PartialEq, Eq, Hash)]
pub enum Reply<L: LogSet> {
    /// The record is durable here; the chain reaches `scl`.
    Acknowledged {
        ve: Epoch,
        lsn: Lsn,
        scl: Lsn,
        durable: Durable,
    },
    /// Everything older than `ve` is fenced here; this is what the segment held then.
    Fenced {
        ve: Epoch,
        answer: Answer<L>,
        durable: Durable,
    },
    /// The truncation of `ve` is durable here; the chain reaches `scl`.
    Truncated {
        ve: Epoch,
        scl: Lsn,
        durable: Durable,
    },
    /// No newer epoch has fenced this segment.
    Confirmed {
        ve: Epoch,
        nonce: Nonce,
    },
    Refused {
        ve: Epoch,
        refusal: Refusal,
    },
}

/// What a segment tells a recovery (R1).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct Answer<L: LogSet> {
    pub held: L,
    pub ranges: L::Ranges,
    pub trunc_ve: Epoch,
}

impl<L: LogSet> Segment<L> {
    /// A member of a new volume.
    #[must_use]
    pub fn created() -> Self {
        Segment::recover(Disk::created())
    }

    /// The only way back to memory after a crash.
    #[must_use]
    pub fn recover(disk: Disk<L>) -> Self {
        Segment { image: disk.image().clone(), disk, unsynced: Vec::new(), standing: Standing::Member }
    }

    /// What comes back after the disk was lost.
    #[must_use]
    pub fn wiped(rules: &Rules) -> Self {
        let standing = if rules.rejoins_after_wipe() { Standing::Member } else { Standing::Wiped };
        Segment { standing, ..Segment::created() }
    }

    /// What a crash leaves: the synced part and the oldest `kept` unsynced entries.
    #[must_use]
    pub fn crashed(&self, kept: usize) -> Self {
        let mut disk = self.disk.clone();
        self.unsynced.iter().take(kept).for_each(|entry| disk.sync(entry));
        Segment { standing: self.standing, ..Segment::recover(disk) }
    }

    pub fn step(&mut self, rules: &Rules, event: Event<L>, effects: &mut Vec<Effect<L>>) {
        if self.standing == Standing::Wiped {
            return self.refuse_as_wiped(&event, effects);
        }
        match event {
            Event::Write { ve, lsn } => self.on_write(rules, ve, lsn, effects),
            Event::FenceRead { ve } => self.on_fence_read(rules, ve, effects),
            Event::Truncate { ve, ranges } => self.on_truncate(rules, ve, &ranges, effects),
            Event::Confirm { ve, nonce } => self.on_confirm(rules, ve, nonce, effects),
            Event::Gossip { trunc_ve, lsn } => self.on_gossip(rules, trunc_ve, lsn, effects),
            Event::Synced { entries } => self.on_synced(rules, entries, effects),
        }
    }

    /// The view that decisions read: synced or not.
    #[must_use]
    pub fn image(&self) -> &Image<L> {
        &self.image
    }

    #[must_use]
    pub fn disk(&self) -> &Disk<L> {
        &self.disk
    }

    /// Entries appended and not yet synced.
    #[must_use]
    pub fn unsynced(&self) -> &[Entry<L>] {
        &self.unsynced
    }

    #[must_use]
    pub fn is_member(&self) -> bool {
        self.standing == Standing::Member
    }

    /// Whether a page read of epoch `ve` at `read_point` is served here: the epoch as for a write, and the chain reaches
    /// the read point (S21).
    ///
    /// # Errors
    /// The reason to refuse, or the SCL if the segment is behind the read point.
    pub fn may_read(&self, rules: &Rules, ve: Epoch, read_point: Lsn) -> Result<(), ReadRefusal> {
        if self.standing == Standing::Wiped {
            return Err(ReadRefusal::Refused(Refusal::Wiped));
        }
        if let Admission::Refuse(refusal) = rules.admits(ve, &self.image) {
            return Err(ReadRefusal::Refused(refusal));
        }
        let scl = self.disk.image().scl(rules);
        if scl < read_point { Err(ReadRefusal::Behind { scl }) } else { Ok(()) }
    }

    fn on_write(&mut self, rules: &Rules, ve: Epoch, lsn: Lsn, effects: &mut Vec<Effect<L>>) {
        match rules.admits(ve, &self.image) {
            Admission::Refuse(refusal) => return refuse(ve, refusal, effects),
            Admission::PretendDone => {
                let scl = self.image.scl(rules).max(lsn);
                return effects.push(acknowledged(ve, lsn, scl, rules.pretence().into()));
            }
            Admission::AdmitAfterAdopting if self.image.trunc_ve != ve => {
                let ranges = self.image.ranges.clone();
                self.append(Entry::Truncate { ve, ranges }, effects);
            }
            Admission::Admit | Admission::AdmitAfterAdopting => {}
        }
        if self.image.ranges.annuls(lsn) {
            return refuse(ve, Refusal::Annulled, effects);
        }
        if let Some(durable) = self.disk.holds(lsn) {
            return effects.push(acknowledged(ve, lsn, self.disk.image().scl(rules), durable));
        }
        self.append(Entry::Record { ve, lsn }, effects);
        if let Some(mistake) = rules.may_acknowledge_on_receipt() {
            effects.push(acknowledged(ve, lsn, self.image.scl(rules), mistake.into()));
        }
    }

    fn on_fence_read(&mut self, rules: &Rules, ve: Epoch, effects: &mut Vec<Effect<L>>) {
        if ve < self.image.fenced {
            return refuse(ve, Refusal::StaleVolumeEpoch { fenced: self.image.fenced }, effects);
        }
        if let Some(durable) = self.disk.fenced(ve) {
            return effects.push(self.fenced(ve, durable));
        }
        match rules.fencing() {
            Fencing::SyncThenAnswer => self.append(Entry::Fence { ve }, effects),
            Fencing::AnswerOnly => effects.push(self.fenced(ve, rules.pretence().into())),
            Fencing::AnswerUnsynced(mistake) => {
                self.image.fenced = ve;
                effects.push(self.fenced(ve, mistake.into()));
            }
        }
    }

    fn on_truncate(&mut self, rules: &Rules, ve: Epoch, ranges: &L::Ranges, effects: &mut Vec<Effect<L>>) {
        if ve < self.image.fenced {
            return refuse(ve, Refusal::StaleVolumeEpoch { fenced: self.image.fenced }, effects);
        }
        match self.disk.truncated(ve) {
            Some(durable) => effects.push(truncated(ve, self.disk.image().scl(rules), durable)),
            None => {
                let ranges = rules.installed_ranges(&self.image.ranges, ranges);
                self.append_truncation(ve, ranges, effects);
            }
        }
    }

    fn on_confirm(&mut self, rules: &Rules, ve: Epoch, nonce: Nonce, effects: &mut Vec<Effect<L>>) {
        match rules.admits(ve, &self.image) {
            Admission::Refuse(refusal) => refuse(ve, refusal, effects),
            Admission::Admit | Admission::AdmitAfterAdopting | Admission::PretendDone => {
                effects.push(Effect::Reply(Reply::Confirmed { ve, nonce }));
            }
        }
    }

    fn on_gossip(&mut self, rules: &Rules, sender: Epoch, lsn: Lsn, effects: &mut Vec<Effect<L>>) {
        if !self.image.held.contains(lsn) && rules.takes_gossip(sender, lsn, &self.image) {
            self.append(Entry::Record { ve: self.image.trunc_ve, lsn }, effects);
        }
    }

    /// The only place where an entry becomes durable, and so where its reply is made.
    fn on_synced(&mut self, rules: &Rules, entries: usize, effects: &mut Vec<Effect<L>>) {
        assert!(entries <= self.unsynced.len(), "{entries} entries synced, {} were appended", self.unsynced.len());
        for entry in self.unsynced.drain(..entries) {
            self.disk.sync(&entry);
            effects.push(reply_when_durable(rules, &self.disk, &entry));
        }
    }

    fn append(&mut self, entry: Entry<L>, effects: &mut Vec<Effect<L>>) {
        self.image.apply(&entry);
        self.unsynced.push(entry.clone());
        effects.push(Effect::Append(entry));
    }

    fn append_truncation(&mut self, ve: Epoch, ranges: L::Ranges, effects: &mut Vec<Effect<L>>) {
        self.append(Entry::Truncate { ve, ranges }, effects);
    }

    fn fenced(&self, ve: Epoch, durable: Durable) -> Effect<L> {
        Effect::Reply(Reply::Fenced { ve, answer: answer(self.disk.image()), durable })
    }

    fn refuse_as_wiped(&self, event: &Event<L>, effects: &mut Vec<Effect<L>>) {
        match event {
            Event::Write { ve, .. }
            | Event::FenceRead { ve }
            | Event::Truncate { ve, .. }
            | Event::Confirm { ve, .. } => {
                refuse(*ve, Refusal::Wiped, effects);
            }
            Event::Gossip { .. } | Event::Synced { .. } => {}
        }
    }
}

/// Why a page read is not served.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ReadRefusal {
    Refused(Refusal),
    /// The chain ends at `scl`, below the read point: ask another segment.
    Behind {
        scl: Lsn,
    },
}

fn answer<L: LogSet>(image: &Image<L>) -> Answer<L> {
    Answer { held: image.held.clone(), ranges: image.ranges.clone(), trunc_ve: image.trunc_ve }
}

fn reply_when_durable<L: LogSet>(rules: &Rules, disk: &Disk<L>, entry: &Entry<L>) -> Effect<L> {
    let scl = disk.image().scl(rules);
    match *entry {
        // A record that gossip brought may lie behind the fence of a newer epoch: it must not count for the old writer.
        Entry::Record { ve, lsn } => match (rules.admits(ve, disk.image()), disk.holds(lsn)) {
            (Admission::Refuse(refusal), _) => Effect::Reply(Reply::Refused { ve, refusal }),
            (_, Some(durable)) => acknowledged(ve, lsn, scl, durable),
            (_, None) => Effect::Reply(Reply::Refused { ve, refusal: Refusal::Annulled }),
        },
        Entry::Fence { ve } => {
            let durable = disk.fenced(ve).expect("a synced fence is on the disk");
            Effect::Reply(Reply::Fenced { ve, answer: answer(disk.image()), durable })
        }
        Entry::Truncate { ve, .. } => {
            let durable = disk.truncated(ve).expect("a synced truncation is on the disk");
            truncated(ve, scl, durable)
        }
    }
}

fn acknowledged<L: LogSet>(ve: Epoch, lsn: Lsn, scl: Lsn, durable: Durable) -> Effect<L> {
    Effect::Reply(Reply::Acknowledged { ve, lsn, scl, durable })
}

fn truncated<L: LogSet>(ve: Epoch, scl: Lsn, durable: Durable) -> Effect<L> {
    Effect::Reply(Reply::Truncated { ve, scl, durable })
}

fn refuse<L: LogSet>(ve: Epoch, refusal: Refusal, effects: &mut Vec<Effect<L>>) {
    effects.push(Effect::Reply(Reply::Refused { ve, refusal }));
}
