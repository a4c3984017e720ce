//! What must come to pass with pages, replicas and collection (protocol §7, liveness).
//!
//! | goal | says | broken by |
//! |---|---|---|
//! | L8 | every segment collects up to the VDL, though a replica is not heard of | M66, without fairness to collection |
//! | L11, L11r | what the writer, what the replica asks for is answered | without fairness to answers |

use crate::area::{Context, Due, Goal, Lively};

use super::Pages;
use super::world::{Action, Reader, World};

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
            name: "WriterReads",
            formula: "the writer asks for a page ↝ it asks for none",
            section: "§7 L11",
            from: |_, w| w.writer.fetch.is_some(),
            to: |_, w| w.writer.fetch.is_none(),
        },
        Goal {
            id: "L11r",
            name: "ReplicaReads",
            formula: "the replica asks for a page ↝ it asks for none",
            section: "§7 L11",
            from: |_, w| w.replica.fetch.is_some(),
            to: |_, w| w.replica.fetch.is_none(),
        },
    ];

    const FAIR: &'static [Due<Self>] = &[
        Due::weak("write"),
        Due::strong("answer").only(|_, _, action| is_of(*action, Reader::Writer)),
        Due::strong("answer").only(|_, _, action| is_of(*action, Reader::Replica)),
        Due::strong("done").only(|_, _, action| is_of(*action, Reader::Writer)),
        Due::strong("done").only(|_, _, action| is_of(*action, Reader::Replica)),
        Due::weak("back up"),
        Due::weak("collect"),
        Due::strong("suspect"),
    ];
}

fn is_of(action: Action, who: Reader) -> bool {
    matches!(action, Action::Answer { reader, .. } | Action::Done { reader } if reader == who)
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
