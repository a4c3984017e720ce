//! Named explorations: which bounds, in a quick and a deep size, with the counts that a full exploration must reproduce.

use crate::area;
use crate::bounds::Bounds;
use crate::group::Group;
use crate::rules::Scheme;

pub use crate::area::Size;

pub type Leg = area::Leg<Group<6>>;
pub type Profile = area::Profile<Group<6>>;

/// The profile of this name.
#[must_use]
pub fn by_name(name: &str) -> Option<&'static Profile> {
    PROFILES.iter().find(|profile| profile.name == name)
}

const fn leg(name: &'static str, bounds: Bounds, states: usize, depth: usize) -> Leg {
    Leg::new(name, bounds, states, depth)
}

/// The leg in which copies are lost.
pub const LOSSES: &str = "losses";

/// One failover, while as many copies are lost as a zone has, and one more: AZ+1 (S17 §2.1).
#[must_use]
pub const fn losses(scheme: Scheme) -> Bounds {
    Bounds::of(1, 1).wiping(scheme.zone() as u8 + 1)
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
        leg(LOSSES, losses(Scheme::AURORA), 16_219, 23),
        leg("limit", Bounds::of(2, 1).with_lal(1), 10_221, 34),
    ],
    deep: &[
        leg("gossip", Bounds::of(2, 2).gossiping(), 24_004_783, 54),
        // Reads and losses are in legs of their own, as in the quick size, so that no property holds vacuously.
        leg("reads", Bounds::of(1, 1).reading(1).with_early_rounds(), 268_724, 34),
        leg(LOSSES, losses(Scheme::AURORA), 16_219, 23),
    ],
    silent: &[],
}];
