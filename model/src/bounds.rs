//! How much of the unbounded protocol one exploration covers.

use serde::{Deserialize, Serialize};

/// A switch that is named where it is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Switch {
    Off,
    On,
}

impl Switch {
    #[must_use]
    #[inline]
    pub fn is_on(self) -> bool {
        self == Switch::On
    }
}

/// Bounds of one exploration. Zombie writers, lost, delayed, duplicated and reordered messages are never bounded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Bounds {
    /// Records that each writer incarnation allocates.
    pub records: u8,
    /// The allocation limit, in records.
    pub lal: u64,
    /// Times that another instance takes the volume. The last one is disturbed by no later recovery.
    pub recoveries: u8,
    pub gossip: Switch,
    /// Crashes of a segment that lose something; without effect while everything acknowledged is synced.
    pub crashes: u8,
    /// Losses of a whole disk.
    pub wipes: u8,
    /// Client reads.
    pub reads: u8,
    /// Whether each writer's first confirmation round may begin before a read asks for it.
    pub early_rounds: Switch,
    /// Whether a recovery may wait for more answers than a read quorum. Off, it decides with the answer that completes one:
    /// of any larger set, three members (the greatest SCL, the newest truncation, the highest range) decide the same, and
    /// fencing the others later allows all that fencing them early does.
    pub late_answers: Switch,
    /// Whether FENCE_READ may also reach a segment when nobody waits for its answer any more. Such a fence only forbids: it
    /// enables nothing that the same run without it lacks, until the truncation that raises the fence as well.
    pub late_fences: Switch,
    /// Whether a writer may wait before it takes an LSN. Off, it takes all it may at once: a record that is never sent is as
    /// good as one that is not allocated, and nothing asks for a smaller allocation.
    pub idle_writers: Switch,
    /// Whether what no later step can read is forgotten.
    pub forgetting: Switch,
    /// Whether states that differ only in the names of the segments count as one.
    pub symmetry: Switch,
}

impl Bounds {
    /// `records` a writer, which is also the allocation limit, and `recoveries`; no gossip, faults or reads; reduced by
    /// symmetry.
    #[must_use]
    #[inline]
    pub const fn of(records: u8, recoveries: u8) -> Bounds {
        Bounds {
            records,
            lal: records as u64,
            recoveries,
            gossip: Switch::Off,
            crashes: 0,
            wipes: 0,
            reads: 0,
            early_rounds: Switch::Off,
            late_answers: Switch::Off,
            late_fences: Switch::Off,
            idle_writers: Switch::Off,
            forgetting: Switch::On,
            symmetry: Switch::On,
        }
    }

    #[must_use]
    #[inline]
    pub const fn gossiping(self) -> Bounds {
        Bounds { gossip: Switch::On, ..self }
    }

    #[must_use]
    #[inline]
    pub const fn crashing(self, crashes: u8) -> Bounds {
        Bounds { crashes, ..self }
    }

    #[must_use]
    #[inline]
    pub const fn wiping(self, wipes: u8) -> Bounds {
        Bounds { wipes, ..self }
    }

    #[must_use]
    #[inline]
    pub const fn reading(self, reads: u8) -> Bounds {
        Bounds { reads, ..self }
    }

    #[must_use]
    #[inline]
    pub const fn with_early_rounds(self) -> Bounds {
        Bounds { early_rounds: Switch::On, ..self }
    }

    #[must_use]
    #[inline]
    pub const fn with_late_answers(self) -> Bounds {
        Bounds { late_answers: Switch::On, ..self }
    }

    #[must_use]
    #[inline]
    pub const fn with_late_fences(self) -> Bounds {
        Bounds { late_fences: Switch::On, ..self }
    }

    #[must_use]
    #[inline]
    pub const fn with_idle_writers(self) -> Bounds {
        Bounds { idle_writers: Switch::On, ..self }
    }

    #[must_use]
    #[inline]
    pub const fn with_lal(self, lal: u64) -> Bounds {
        Bounds { lal, ..self }
    }

    #[must_use]
    #[inline]
    pub const fn remembering(self) -> Bounds {
        Bounds { forgetting: Switch::Off, ..self }
    }

    #[must_use]
    #[inline]
    pub const fn unreduced(self) -> Bounds {
        Bounds { symmetry: Switch::Off, ..self }
    }
}

impl std::fmt::Display for Bounds {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} rec, {} rcv", self.records, self.recoveries)?;
        if self.lal != u64::from(self.records) {
            write!(f, ", LAL {}", self.lal)?;
        }
        for (count, name) in [(self.crashes, "crash"), (self.wipes, "wipe"), (self.reads, "read")] {
            if count > 0 {
                write!(f, ", {count} {name}")?;
            }
        }
        for (switch, name) in [
            (self.gossip, ", gossip"),
            (self.early_rounds, ", early rounds"),
            (self.late_answers, ", late answers"),
            (self.late_fences, ", late fences"),
            (self.idle_writers, ", idle writers"),
        ] {
            if switch.is_on() {
                f.write_str(name)?;
            }
        }
        if !self.forgetting.is_on() {
            f.write_str(", remembering")?;
        }
        if self.symmetry.is_on() { Ok(()) } else { f.write_str(", unreduced") }
    }
}
