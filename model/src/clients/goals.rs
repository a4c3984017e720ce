//! What must come to pass for clients (protocol §7, liveness).
//!
//! | goal | says | broken by |
//! |---|---|---|
//! | L1 | who waits at the newest writer is answered, or another one takes the volume | without fairness to writes |
//! | L2 | the newest recovery opens | without fairness to fencing |

use super::Clients;
use super::world::World;
use crate::area::{Context, Due, Goal, Lively};

type Asked<'a> = Context<'a, Clients>;

/// Somebody waits for the instance that took the volume last.
fn waits_at_the_newest(w: &World) -> bool {
    let newest = w.storage.newest();
    w.calls.all().any(|call| call.waits_at.is_some_and(|instance| usize::from(instance) == newest))
}

fn is_open(w: &World) -> bool {
    w.storage.instances[w.storage.newest()].writer().is_some()
}

impl Lively for Clients {
    const GOALS: &'static [Goal<Self>] = &[
        Goal {
            id: "L1",
            name: "CallsAnswered",
            formula: "a client waits at the newest ↝ nobody waits at the newest",
            section: "§7 L1",
            from: |_, w| waits_at_the_newest(w),
            to: |_, w| !waits_at_the_newest(w),
        },
        Goal {
            id: "L2",
            name: "RecoveryOpens",
            formula: "newest recovers ↝ newest open, or every call is answered and none is left",
            section: "§7 L2",
            from: |c, w| !w.is_over(c.bounds) && !is_open(w),
            to: |c, w| w.is_over(c.bounds) || is_open(w),
        },
    ];

    const FAIR: &'static [Due<Self>] = &[
        Due::weak("fence"),
        Due::weak("decide"),
        Due::weak("truncate"),
        Due::weak("write"),
        Due::weak("gossip"),
        Due::weak("sync"),
        Due::weak("confirm"),
    ];
}

/// The newest instance is open and owes nobody an answer; or nobody asks any more.
pub(super) fn may_end(c: Asked, w: &World) -> bool {
    w.is_over(c.bounds) || (is_open(w) && !waits_at_the_newest(w))
}
