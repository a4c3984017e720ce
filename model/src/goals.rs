//! What must come to pass (protocol §7, liveness): each goal is waited for from the moment its trigger holds.
//!
//! | goal | says | broken by |
//! |---|---|---|
//! | L1 | what the newest writer allocated is acknowledged | M61, without fairness to writes |
//! | L2 | the newest recovery opens | M61, without fairness to fencing |
//! | L3 | every member serves the newest epoch and has the whole log | M61, without fairness to writes |
//! | L4 | the newest writer allocates all that it wants | M61, without fairness to truncations |
//!
//! A later recovery takes over what was waited for. L5 speaks of members, L7 of repair, L8 of pages,
//! L9 and L11 of groups; L10 holds by the metadata service: of two recoveries the later one is the newest.

use crate::area::{Context, Due, Goal, Lively};
use crate::group::Group;
use crate::instance::{Phase, Writer};
use crate::logset::Bits;
use crate::types::Lsn;
use crate::world::World;

impl<const N: usize> Lively for Group<N> {
    const GOALS: &'static [Goal<Self>] = &[
        Goal {
            id: "L1",
            name: "CommitsAcknowledged",
            formula: "newest has allocated ↝ newest open ∧ VDL = last allocated",
            section: "§7 L1",
            from: |_, w| writer(w).is_some_and(|writer| !is_acknowledged(writer)),
            to: |_, w| writer(w).is_some_and(is_acknowledged),
        },
        Goal {
            id: "L2",
            name: "RecoveryOpens",
            formula: "newest recovers ↝ newest open",
            section: "§7 L2",
            from: |_, w| writer(w).is_none(),
            to: |_, w| writer(w).is_some(),
        },
        Goal {
            id: "L3",
            name: "HolesFilled",
            formula: "a member is behind ↝ newest open ∧ every member serves it ∧ its SCL = VDL = last allocated",
            section: "§7 L3",
            from: |c, w| !everybody_has_everything(c, w),
            to: everybody_has_everything,
        },
        Goal {
            id: "L4",
            name: "NoAllocationDeadlock",
            formula: "newest wants an LSN ↝ newest open ∧ it has allocated all it wants",
            section: "§7 L4, C14",
            from: |c, w| !has_allocated(c, w),
            to: has_allocated,
        },
    ];

    const FAIR: &'static [Due<Self>] = &[
        Due::weak("fence"),
        Due::weak("decide"),
        Due::weak("truncate"),
        Due::weak("allocate"),
        Due::weak("write"),
        Due::weak("gossip"),
        Due::weak("sync"),
        Due::weak("confirm"),
    ];
}

/// Everything is allocated and acknowledged, and no read waits at an instance that may answer it.
pub(crate) fn may_end<const N: usize>(c: Context<Group<N>>, w: &World<N>) -> bool {
    let waits = w.read.is_some_and(|read| usize::from(read.instance) == w.newest());
    has_allocated(c, w) && writer(w).is_some_and(is_acknowledged) && !waits
}

fn writer<const N: usize>(w: &World<N>) -> Option<&Writer<Bits, N>> {
    match w.instances[w.newest()].phase() {
        Phase::Open(writer) => Some(writer),
        Phase::Reading(_) | Phase::Installing { .. } | Phase::Deposed => None,
    }
}

fn is_acknowledged<const N: usize>(writer: &Writer<Bits, N>) -> bool {
    // LSNs between the last one that was kept and the first new one are never allocated.
    writer.next == writer.decision.first || writer.vdl.next() == writer.next
}

fn has_allocated<const N: usize>(c: Context<Group<N>>, w: &World<N>) -> bool {
    writer(w).is_some_and(|writer| writer.next.0 - writer.decision.first.0 >= u64::from(c.bounds.records))
}

fn everybody_has_everything<const N: usize>(c: Context<Group<N>>, w: &World<N>) -> bool {
    let instance = &w.instances[w.newest()];
    let Some(writer) = writer(w) else { return false };
    let last: Lsn = writer.vdl;
    is_acknowledged(writer)
        && w.segments.iter().all(|segment| {
            let image = segment.image();
            let serves = image.trunc_ve == instance.ve() && image.fenced == instance.ve();
            !segment.is_member() || (serves && image.scl(c.rules) == last)
        })
}
