//! What must come to pass in a volume of several groups (protocol §7, liveness).
//!
//! | goal | says | broken by |
//! |---|---|---|
//! | L1 | every commit of the newest epoch is acknowledged | M24, without fairness to writes |
//! | L2 | the newest instance opens | without fairness to truncations |
//! | L4 | everything is allocated that was to be written | M65, without fairness to allocation |
//! | L9 | the same as L1 and L2 while a group has no record | M24, without fairness to writes |
//! | L11 | some segment of each group answers a read at the VDL | M26, without fairness to writes |

use crate::area::{Context, Due, Goal, Lively};

use super::Volume;
use super::properties::{commits_complete, everything_allocated, has_idle_group, readable, recovery_opens};
use super::world::World;

type Asked<'a> = Context<'a, Volume>;

impl Lively for Volume {
    const GOALS: &'static [Goal<Self>] = &[
        Goal {
            id: "L1",
            name: "CommitsComplete",
            formula: "a commit of the newest epoch is not acknowledged ↝ newest open ∧ all are",
            section: "§7 L1",
            from: |c, w| commits_complete(c, w).is_some(),
            to: commits,
        },
        Goal {
            id: "L2",
            name: "RecoveryOpens",
            formula: "newest recovers ↝ newest open",
            section: "§7 L2",
            from: |c, w| recovery_opens(c, w).is_some(),
            to: |c, w| recovery_opens(c, w).is_none(),
        },
        Goal {
            id: "L4",
            name: "NoAllocationDeadlock",
            formula: "a planned record of the newest epoch is not allocated ↝ newest open ∧ all are",
            section: "§7 L4, C14",
            from: |c, w| everything_allocated(c, w).is_some(),
            to: |c, w| recovery_opens(c, w).is_none() && everything_allocated(c, w).is_none(),
        },
        Goal {
            id: "L9",
            name: "IdleGroups",
            formula: "a group has no record ∧ a commit or a recovery is waited for ↝ newest open ∧ all are acknowledged",
            section: "§7 L9, C5",
            from: |c, w| has_idle_group(c, w) && !commits(c, w),
            to: commits,
        },
        Goal {
            id: "L11",
            name: "Readable",
            formula: "newest recovers ∨ a group does not answer at the VDL ↝ newest open ∧ each does",
            section: "§7 L11, C7",
            from: |c, w| recovery_opens(c, w).is_some() || readable(c, w).is_some(),
            to: |c, w| recovery_opens(c, w).is_none() && readable(c, w).is_none(),
        },
    ];

    const FAIR: &'static [Due<Self>] = &[
        Due::weak("fence"),
        Due::weak("decide"),
        Due::weak("truncate"),
        Due::weak("allocate"),
        Due::weak("write"),
        Due::weak("create"),
        Due::weak("grow"),
    ];
}

/// The newest instance is open, everything is allocated and acknowledged, and can be read.
pub(super) fn may_end(c: Asked, w: &World) -> bool {
    commits(c, w) && everything_allocated(c, w).is_none() && readable(c, w).is_none()
}

fn commits(c: Asked, w: &World) -> bool {
    recovery_opens(c, w).is_none() && commits_complete(c, w).is_none()
}
