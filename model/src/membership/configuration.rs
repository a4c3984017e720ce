//! Configurations of a protection group: who its members are, in how many sets at once, and who of them joins.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::rules::Exchanged;
use crate::fields::Few;
use crate::packed_struct;
use crate::quorum::{Quorum, letters};
use crate::types::{SegmentId, SegmentSet};

/// One set of members with its thresholds. With full and tail segments (S18 §4.2) a write also succeeds on all full ones,
/// and a read needs one of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Members {
    pub all: SegmentSet,
    pub write: u8,
    pub read: u8,
    /// Members that keep pages beside the log; none where every member does.
    pub full: SegmentSet,
    /// The set is read only when every member is hydrated since the configuration of this number.
    pub since: u8,
}

impl Members {
    /// The first six copies, `ABCDEF`, 4 to write and 3 to read.
    pub const SIX: Members =
        Members { all: SegmentSet(0b11_1111), write: 4, read: 3, full: SegmentSet::EMPTY, since: 1 };

    /// `ABCDEF` with full `A`, `C` and `E`, one a zone, and tails `B`, `D` and `F`.
    pub const FULL_AND_TAIL: Members = Members { full: SegmentSet(0b01_0101), ..Members::SIX };

    /// `ABCD`, the copies of two zones after the third is lost for long: 3 to write, 2 to read (S18 §4.1).
    pub const FOUR: Members = Members { all: SegmentSet(0b1111), write: 3, read: 2, full: SegmentSet::EMPTY, since: 1 };

    /// `ABC`, 2 to write, 2 to read: the smallest group in which a change of members can be seen.
    pub const THREE: Members = Members { all: SegmentSet(0b111), write: 2, read: 2, full: SegmentSet::EMPTY, since: 1 };

    /// Whether the thresholds alone are met to write.
    #[must_use]
    pub fn enough_to_write(self, set: SegmentSet) -> bool {
        SegmentSet(self.all.0 & set.0).len() >= usize::from(self.write)
    }

    /// Whether the thresholds alone are met to read.
    #[must_use]
    pub fn enough_to_read(self, set: SegmentSet) -> bool {
        SegmentSet(self.all.0 & set.0).len() >= usize::from(self.read)
    }

    #[must_use]
    pub(crate) fn exchanged(mut self, exchange: Exchanged) -> Members {
        self.all.remove(exchange.outgoing);
        self.all.insert(exchange.joining);
        self
    }
}

/// How many segments there can be: six, and two that join.
pub const SEGMENTS: usize = 8;

/// The most sets of members at once: four, while a second member is exchanged.
pub const SETS: usize = 4;

packed_struct!(Members { all as 8, write as 3, read as 3, full as 8, since as 3 });
packed_struct!(Configuration { number as 3, sets, follows as 3, installed, joining as 8 });

/// For each segment the number of the configuration in which it was last hydrated; 0 if it never was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Hydrated(pub [u8; SEGMENTS]);

impl Hydrated {
    /// Whether every member is hydrated as the set asks.
    #[must_use]
    pub fn covers(&self, members: Members) -> bool {
        members.all.iter(SEGMENTS).all(|segment| self.0[segment.index()] >= members.since)
    }

    /// Who is hydrated at all.
    #[must_use]
    pub fn anybody(&self) -> SegmentSet {
        SegmentId::all(SEGMENTS).filter(|segment| self.0[segment.index()] > 0).collect()
    }
}

/// Members, in one set or, while a change is under way, in two or four at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Configuration {
    /// Membership epoch. Printed `m2`.
    pub number: u8,
    /// Old sets first.
    pub sets: Few<Members, SETS>,
    /// Place of the configuration that this one follows, in the metadata service's history; its own for the first.
    pub follows: u8,
    /// Whether enough segments have it that it may be gone by.
    pub installed: bool,
    /// Who joined in the step to this configuration.
    pub joining: SegmentSet,
}

impl Configuration {
    /// Of a new volume: installed everywhere.
    #[must_use]
    pub fn first(members: Members) -> Configuration {
        Configuration {
            number: 1,
            sets: Few::from_iter([members]),
            follows: 0,
            installed: true,
            joining: SegmentSet::EMPTY,
        }
    }

    /// The next configuration, with these sets; `follows` is set when it is recorded.
    #[must_use]
    pub(crate) fn followed_by(&self, sets: Few<Members, SETS>, joining: SegmentSet) -> Configuration {
        Configuration { number: self.number + 1, sets, follows: 0, installed: false, joining }
    }

    /// The change finished (`keep` is the last set) or taken back (the first).
    #[must_use]
    pub fn settled(&self, keep: Members) -> Configuration {
        Configuration {
            number: self.number + 1,
            sets: Few::from_iter([keep]),
            follows: 0,
            installed: false,
            joining: SegmentSet::EMPTY,
        }
    }

    #[must_use]
    pub fn is_joint(&self) -> bool {
        self.sets.len() > 1
    }

    /// The members of all sets.
    #[must_use]
    pub fn everybody(&self) -> SegmentSet {
        SegmentSet(self.sets.iter().fold(0, |all, members| all | members.all.0))
    }

    /// The write quorum as [`crate::quorum`] writes it.
    #[must_use]
    pub fn write_quorum(&self) -> Quorum {
        let write = |members: &Members| {
            let any = Quorum::of(members.write.into(), members.all);
            if members.full.is_empty() {
                any
            } else {
                Quorum::Any(vec![any, Quorum::of(members.full.len(), members.full)])
            }
        };
        Quorum::All(self.sets.iter().map(write).collect())
    }

    /// The read quorum while only hydrated members count.
    #[must_use]
    pub fn read_quorum(&self, hydrated: &Hydrated) -> Quorum {
        let complete = self.sets.iter().filter(|members| hydrated.covers(**members));
        let read = |members: &Members| {
            let any = Quorum::of(members.read.into(), members.all);
            if members.full.is_empty() { any } else { Quorum::All(vec![any, Quorum::of(1, members.full)]) }
        };
        Quorum::Any(complete.map(read).collect())
    }
}

impl fmt::Display for Configuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sets: Vec<String> = self.sets.iter().map(|members| letters(members.all)).collect();
        write!(f, "m{} {}", self.number, sets.join("+"))
    }
}
