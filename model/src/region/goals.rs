//! What must come to pass with regions.
//!
//! | goal | says | broken by |
//! |---|---|---|
//! | LR1 | every region follows the newest epoch and has all of it | MR18, without fairness to following |
//! | LR2 | somebody may write | MR15, without fairness to resuming |

use crate::area::{Context, Due, Goal, Lively};

use super::Regions;
use super::properties::{has_converged, is_written};
use super::world::World;

type Asked<'a> = Context<'a, Regions>;

impl Lively for Regions {
    const GOALS: &'static [Goal<Self>] = &[
        Goal {
            id: "LR1",
            name: "RegionsConverge",
            formula: "a region is behind ↝ every region is at the newest epoch and at all that it has written",
            section: "beyond the papers",
            from: |c, w| !has_converged(c, w),
            to: has_converged,
        },
        Goal {
            id: "LR2",
            name: "SomebodyWrites",
            formula: "the primary of the newest epoch has stopped ↝ somebody writes in the newest epoch",
            section: "beyond the papers",
            from: |_, w| !is_written(w),
            to: |_, w| is_written(w),
        },
    ];

    const FAIR: &'static [Due<Self>] =
        &[Due::weak("durable"), Due::weak("deliver"), Due::weak("follow"), Due::weak("resume")];
}

/// Everybody is where the newest epoch is, and somebody may write.
pub(super) fn may_end(c: Asked, w: &World) -> bool {
    has_converged(c, w) && is_written(w)
}
