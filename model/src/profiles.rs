//! Named explorations: which bounds, in a quick and a deep size, with the counts that a full exploration must reproduce.

use crate::bounds::Bounds;

/// How much of a profile to explore.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    Quick,
    Deep,
}

impl Size {
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Size::Quick => "quick",
            Size::Deep => "deep",
        }
    }
}

/// One exhaustive exploration of a profile.
#[derive(Clone, Copy, Debug)]
pub struct Leg {
    pub name: &'static str,
    pub bounds: Bounds,
    /// Unique states of a full exploration under the adopted rules. A change is explained in the commit that makes it.
    pub states: usize,
    /// Actions on the longest shortest path to a state.
    pub depth: usize,
}

/// A named set of explorations.
#[derive(Clone, Copy, Debug)]
pub struct Profile {
    pub name: &'static str,
    pub about: &'static str,
    pub quick: &'static [Leg],
    pub deep: &'static [Leg],
}

impl Profile {
    #[must_use]
    pub fn legs(&self, size: Size) -> &'static [Leg] {
        match size {
            Size::Quick => self.quick,
            Size::Deep => self.deep,
        }
    }
}

/// The profile of this name.
#[must_use]
pub fn by_name(name: &str) -> Option<&'static Profile> {
    PROFILES.iter().find(|profile| profile.name == name)
}

const fn leg(name: &'static str, bounds: Bounds, states: usize, depth: usize) -> Leg {
    Leg { name, bounds, states, depth }
}

pub const PROFILES: &[Profile] = &[Profile {
    name: "core",
    about: "one protection group, 6/4/3: writes, fencing, recovery R0-R4, gossip, read confirmation, zombies",
    quick: &[
        leg("gossip", Bounds::of(1, 2).gossiping().with_late_fences(), 141_461, 36),
        leg("recoveries", Bounds::of(1, 3), 5_753_498, 50),
        leg("reads", Bounds::of(1, 1).reading(1).with_early_rounds(), 268_724, 34),
        leg(
            "faults",
            Bounds::of(1, 1)
                .gossiping()
                .crashing(1)
                .wiping(1)
                .with_late_answers()
                .with_late_fences()
                .with_idle_writers(),
            4_965,
            25,
        ),
    ],
    deep: &[
        leg("gossip", Bounds::of(2, 2).gossiping(), 24_004_783, 54),
        // Reads are in a leg of their own, as in the quick size, so that no property holds vacuously.
        leg("reads", Bounds::of(1, 1).reading(1).with_early_rounds(), 268_724, 34),
    ],
}];
