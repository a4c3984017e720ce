//! How large the world of membership is.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::configuration::{Members, SEGMENTS};
use super::rules::Exchanged;
use super::world::CONFIGURATIONS;
use crate::area::{admissible_quorums, at_most};
use crate::bounds::Switch;
use crate::quorum::letters;
use crate::types::{SegmentId, SegmentSet};

/// How large the world is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bounds {
    pub members: Members,
    /// Members that may be suspected, each with who would take its place; each is tried once.
    pub exchanges: [Option<Exchanged>; 2],
    /// Whether the writer may be replaced by a recovery.
    pub recovery: Switch,
    /// Whether the writer that replaces it has a record too.
    pub second_record: Switch,
    /// Whether joiners are hydrated, so that changes come to an end.
    pub hydrating: Switch,
    /// Whether an acknowledgement may arrive later than it is sent.
    pub late_acknowledgements: Switch,
    /// Whether former members may discard their records, and tails drop them.
    pub discarding: Switch,
    /// Whether the group may shrink to four copies.
    pub shrinking: Switch,
    /// How many segments may be lost for ever.
    pub losses: u8,
    /// Whether members that are lost may be created anew.
    pub recreating: Switch,
    /// Whether states that differ only in the names of interchangeable segments count as one.
    pub symmetry: Switch,
}

impl Bounds {
    #[must_use]
    pub const fn exchanging(exchanges: &[Exchanged]) -> Bounds {
        Bounds {
            members: Members::SIX,
            exchanges: match exchanges {
                [] => [None, None],
                [one] => [Some(*one), None],
                [one, two, ..] => [Some(*one), Some(*two)],
            },
            recovery: Switch::Off,
            second_record: Switch::Off,
            hydrating: Switch::On,
            late_acknowledgements: Switch::Off,
            discarding: Switch::Off,
            shrinking: Switch::Off,
            losses: 0,
            recreating: Switch::Off,
            symmetry: Switch::On,
        }
    }

    #[must_use]
    pub const fn recovering(self) -> Bounds {
        Bounds { recovery: Switch::On, ..self }
    }

    /// Changes begin and do not end.
    #[must_use]
    pub const fn without_hydration(self) -> Bounds {
        Bounds { hydrating: Switch::Off, ..self }
    }

    /// The new writer writes, too.
    #[must_use]
    pub const fn writing_on(self) -> Bounds {
        Bounds { second_record: Switch::On, ..self }
    }

    #[must_use]
    pub const fn with_late_acknowledgements(self) -> Bounds {
        Bounds { late_acknowledgements: Switch::On, ..self }
    }

    #[must_use]
    pub const fn discarding(self) -> Bounds {
        Bounds { discarding: Switch::On, ..self }
    }

    #[must_use]
    pub const fn shrinking(self) -> Bounds {
        Bounds { shrinking: Switch::On, ..self }
    }

    #[must_use]
    pub const fn of(self, members: Members) -> Bounds {
        Bounds { members, ..self }
    }

    #[must_use]
    pub const fn losing(self, losses: u8) -> Bounds {
        Bounds { losses, ..self }
    }

    #[must_use]
    pub const fn recreating(self) -> Bounds {
        Bounds { recreating: Switch::On, ..self }
    }

    /// Whether a state can hold what is asked for.
    ///
    /// # Errors
    /// What is too much or too little.
    pub fn admissible(&self) -> Result<(), String> {
        let Members { all, write, read, full, since } = self.members;
        let places = SegmentSet((1 << SEGMENTS) - 1);
        if all.0 & !places.0 != 0 || full.0 & !all.0 != 0 {
            return Err(format!("members {all:?}, full {full:?}: there are {SEGMENTS} segments"));
        }
        admissible_quorums(all.len() as u8, write, read, SEGMENTS)?;
        at_most("hydrations of the first members", since.into(), 1)?;
        let exchanges = || self.exchanges.iter().flatten();
        let strange = |exchange: &&Exchanged| exchange.outgoing.index().max(exchange.joining.index()) >= SEGMENTS;
        if let Some(exchange) = exchanges().find(strange) {
            return Err(format!("an exchange of {:?} for {:?}", exchange.outgoing, exchange.joining));
        }
        // The first, and of each change its beginning and its end.
        let changes = exchanges().count() + usize::from(self.shrinking.is_on());
        at_most("configurations", 1 + 2 * changes, CONFIGURATIONS)?;
        at_most("losses", self.losses.into(), SEGMENTS)
    }

    /// The same without symmetry.
    #[must_use]
    pub const fn unreduced(self) -> Bounds {
        Bounds { symmetry: Switch::Off, ..self }
    }

    /// Segments that play the same part, by class.
    pub(crate) fn classes(&self) -> Vec<Vec<usize>> {
        let mut places: Vec<(u8, usize)> = SegmentId::all(SEGMENTS).map(|s| (self.class(s), s.index())).collect();
        places.sort_unstable();
        places.chunk_by(|one, other| one.0 == other.0).map(|class| class.iter().map(|(_, s)| *s).collect()).collect()
    }

    /// Which segments play the same part, so that they are interchangeable.
    #[must_use]
    pub fn class(&self, segment: SegmentId) -> u8 {
        let suspected = |exchange: &Exchanged| exchange.outgoing == segment || exchange.joining == segment;
        match self.exchanges.iter().flatten().position(suspected) {
            Some(_) => 10 + segment.0,
            None if !self.members.all.contains(segment) => 3,
            None if self.members.full.contains(segment) => 1,
            None if self.shrinking.is_on() && !Members::FOUR.all.contains(segment) => 2,
            None => 0,
        }
    }
}

impl fmt::Display for Bounds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {} to write, {} to read", letters(self.members.all), self.members.write, self.members.read)?;
        if !self.members.full.is_empty() {
            write!(f, ", full {}", letters(self.members.full))?;
        }
        for exchange in self.exchanges.iter().flatten() {
            write!(f, ", {exchange}")?;
        }
        let switches = [
            (self.shrinking, "shrinking"),
            (self.recovery, "1 rcv"),
            (self.second_record, "writing on"),
            (self.late_acknowledgements, "late acks"),
            (self.discarding, "discarding"),
        ];
        for (_, name) in switches.iter().filter(|(switch, _)| switch.is_on()) {
            write!(f, ", {name}")?;
        }
        if self.losses > 0 {
            write!(f, ", {} lost", self.losses)?;
        }
        if self.recreating.is_on() {
            f.write_str(", created anew")?;
        }
        if !self.hydrating.is_on() {
            f.write_str(", no hydration")?;
        }
        if self.symmetry.is_on() { Ok(()) } else { f.write_str(", unreduced") }
    }
}
