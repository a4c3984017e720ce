//! What must come to pass with undo (protocol §7, liveness).
//!
//! | goal | says | broken by |
//! |---|---|---|
//! | L8 | undo that no open read view needs is purged, or a view is opened that needs it | M82, without fairness to purging |

use super::Undo;
use super::properties::owed;
use super::world::World;
use crate::area::{Context, Due, Goal, Lively};

type Asked<'a> = Context<'a, Undo>;

impl Lively for Undo {
    const GOALS: &'static [Goal<Self>] = &[Goal {
        id: "L8",
        name: "UndoPurged",
        formula: "committed, no open view before its commit ↝ purged, or a view is open before its commit",
        section: "§7 L8, S18 §3.1",
        from: |c, w| owed(c, w).is_some(),
        to: |c, w| owed(c, w).is_none(),
    }];

    const FAIR: &'static [Due<Self>] =
        &[Due::weak("harden"), Due::weak("apply"), Due::weak("report"), Due::weak("purge")];
}

/// No transaction is unfinished, and nothing is left to be purged.
pub(super) fn may_end(c: Asked, w: &World) -> bool {
    owed(c, w).is_none() && !(1..=c.bounds.transactions).any(|transaction| w.is_unfinished(transaction))
}
