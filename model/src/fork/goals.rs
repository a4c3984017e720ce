//! What must come to pass with clones and backtrack.
//!
//! | goal | says | broken by |
//! |---|---|---|
//! | LF1 | where no clone shares a page, everything is collected up to VDL and window | MF9, without fairness to collection |
//! | LF2 | every copy is at the newest epoch, with all that it shows and can show | MF12, without fairness to learning |

use crate::area::{Context, Due, Goal, Lively};

use super::Forks;
use super::properties::{is_collected, is_everywhere};
use super::world::{Phase, World};

type Asked<'a> = Context<'a, Forks>;

impl Lively for Forks {
    const GOALS: &'static [Goal<Self>] = &[
        Goal {
            id: "LF1",
            name: "CollectionAdvances",
            formula: "no clone shares a page, a copy has not collected up to VDL and window ↝ each has, or a clone shares a page",
            section: "§6; L8",
            from: |c, w| !is_collected(c, w),
            to: is_collected,
        },
        Goal {
            id: "LF2",
            name: "EpochOpens",
            formula: "a copy is behind ↝ each is at the newest epoch, with all that it shows and can show",
            section: "§6; L2",
            from: |c, w| !is_everywhere(c, w),
            to: is_everywhere,
        },
    ];

    const FAIR: &'static [Due<Self>] =
        &[Due::weak("write"), Due::weak("learn"), Due::weak("announce"), Due::weak("collect"), Due::weak("fork")];
}

/// Everything is everywhere, and collected that can be; no clone is half made.
pub(super) fn may_end(c: Asked, w: &World) -> bool {
    is_everywhere(c, w) && is_collected(c, w) && w.clones.iter().all(|clone| clone.phase != Phase::Begun)
}
