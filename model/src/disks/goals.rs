//! What must come to pass with disks that lie (protocol §7, liveness).
//!
//! | goal | says | broken by |
//! |---|---|---|
//! | L2 | the newest recovery opens | without fairness to fencing |
//! | L3 | an unreadable record that a peer at the same truncation has is repaired | M71, without fairness to repair |

use crate::area::{Context, Due, Goal, Lively};

use super::Disks;
use super::properties::{repairable, waits_for_recovery};
use super::world::World;

type Asked<'a> = Context<'a, Disks>;

impl Lively for Disks {
    const GOALS: &'static [Goal<Self>] = &[
        Goal {
            id: "L2",
            name: "RecoveryOpens",
            formula: "newest recovers ↝ newest open",
            section: "§7 L2",
            from: |_, w| waits_for_recovery(w),
            to: |_, w| !waits_for_recovery(w),
        },
        Goal {
            id: "L3",
            name: "RepairComplete",
            formula: "an unreadable record that a peer at the same truncation has ↝ there is none",
            section: "§7 L3, §2.8",
            from: |c, w| repairable(c, w).is_some(),
            to: |c, w| repairable(c, w).is_none(),
        },
    ];

    const FAIR: &'static [Due<Self>] =
        &[Due::weak("fence"), Due::weak("decide"), Due::weak("truncate"), Due::weak("repair")];
}

/// The newest recovery is open, and nothing can be repaired any more.
pub(super) fn may_end(c: Asked, w: &World) -> bool {
    !waits_for_recovery(w) && repairable(c, w).is_none()
}
