//! What must come to pass while members are exchanged (protocol §7, liveness), where the bounds let joiners be hydrated.
//!
//! | goal | says | broken by |
//! |---|---|---|
//! | L1 | the record of the current writer is committed | M69, without fairness to writes |
//! | L2 | a recovery opens | without fairness to fencing |
//! | L5 | an exchange is finished or taken back, and installed | M68, without fairness to installing |
//! | L6 | a writer that goes by an older configuration learns of the newest one | M69, without fairness to refreshing |
//! | L7 | while a read quorum is left, a write quorum takes part | M68' |
//!
//! L10 is a property and no goal of its own: of two proposers the metadata service takes one, and what it has taken must settle by L5.

use crate::area::{Context, Due, Goal, Lively};

use super::Membership;
use super::properties::{committed, current_writer, is_open, is_settled, needs_repair, unsettled};
use super::world::{Action, World};

type Group<'a> = Context<'a, Membership>;

impl Lively for Membership {
    const GOALS: &'static [Goal<Self>] = &[
        Goal {
            id: "L1",
            name: "CommitsAcknowledged",
            formula: "the record of the current writer is not committed ↝ it is",
            section: "§7 L1",
            from: |c, w| c.bounds.hydrating.is_on() && !is_committed(c, w),
            to: is_committed,
        },
        Goal {
            id: "L2",
            name: "RecoveryOpens",
            formula: "a recovery reads or installs ↝ it is open",
            section: "§7 L2",
            from: |c, w| c.bounds.hydrating.is_on() && !is_open(w),
            to: |_, w| is_open(w),
        },
        Goal {
            id: "L5",
            name: "ChangeSettles",
            formula: "the newest configuration is joint or not installed ↝ it is neither",
            section: "§7 L5",
            from: |c, w| c.bounds.hydrating.is_on() && !is_settled(w),
            to: |_, w| is_settled(w),
        },
        Goal {
            id: "L6",
            name: "StaleClientsRecover",
            formula: "the current writer goes by an older configuration ↝ by the newest",
            section: "§7 L6",
            from: |c, w| c.bounds.hydrating.is_on() && !is_up_to_date(w),
            to: |_, w| is_up_to_date(w),
        },
        Goal {
            id: "L7",
            name: "Repairable",
            formula: "a read quorum of the newest installed configuration is up, and no write quorum ↝ a write quorum",
            section: "§7 L7, C12",
            from: needs_repair,
            to: |c, w| !needs_repair(c, w),
        },
    ];

    const FAIR: &'static [Due<Self>] = &[
        Due::weak("settle"),
        Due::weak("install"),
        Due::weak("hydrate"),
        Due::weak("recreate"),
        Due::weak("write").only(is_to_a_member),
        Due::weak("acknowledge"),
        Due::weak("refresh"),
        Due::weak("fence"),
        Due::weak("decide"),
        Due::weak("truncate"),
    ];
}

/// A write that is repeated to a segment which is no member any more, and which discards it, is no progress.
fn is_to_a_member(_: Group, world: &World, action: &Action) -> bool {
    match *action {
        Action::Write { segment, .. } => world.newest().everybody().contains(segment),
        _ => true,
    }
}

/// Nothing is left to be done.
pub(super) fn may_end(group: Group, world: &World) -> bool {
    unsettled(group, world).is_none()
}

fn is_committed(group: Group, world: &World) -> bool {
    let writer = current_writer(world);
    is_open(world) && (committed(world, writer) || !super::properties::wants_commit(group, writer))
}

fn is_up_to_date(world: &World) -> bool {
    world.known_to(current_writer(world)).number == world.newest().number
}
