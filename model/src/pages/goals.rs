//! What must come to pass with pages, replicas and collection (protocol §7, liveness).
//!
//! | goal | says | broken by |
//! |---|---|---|
//! | L8 | every segment collects up to the VDL, though a replica is not heard of | M66, without fairness to collection |
//! | L11 | a request for a page is answered | without fairness to answers |

use crate::area::{Context, Goal, Lively, Strength};

use super::Pages;
use super::world::World;

type Asked<'a> = Context<'a, Pages>;

impl Lively for Pages {
    const GOALS: &'static [Goal<Self>] = &[
        Goal {
            id: "L8",
            name: "CollectionAdvances",
            formula: "a segment has not collected up to the VDL ↝ each has",
            section: "§7 L8, S18 §3.4",
            from: |c, w| !is_collected(c, w),
            to: is_collected,
        },
        Goal {
            id: "L11",
            name: "ReadsTerminate",
            formula: "a page is asked for ↝ none is",
            section: "§7 L11",
            from: |_, w| waits(w),
            to: |_, w| !waits(w),
        },
    ];

    const FAIR: &'static [(&'static str, Strength)] = &[
        ("write", Strength::Weak),
        ("answer", Strength::Strong),
        ("done", Strength::Strong),
        ("back up", Strength::Weak),
        ("collect", Strength::Weak),
        ("suspect", Strength::Strong),
    ];
}

/// Nobody waits for a page, and everything is collected that can be.
pub(super) fn may_end(c: Asked, w: &World) -> bool {
    !waits(w) && is_collected(c, w)
}

fn waits(w: &World) -> bool {
    w.writer.fetch.is_some() || w.replica.fetch.is_some()
}

fn is_collected(c: Asked, w: &World) -> bool {
    let vdl = w.vdl(c.bounds);
    !c.bounds.collecting.is_on() || w.copies(c.bounds).iter().all(|node| node.collected >= vdl)
}
