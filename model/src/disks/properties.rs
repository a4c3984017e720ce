//! What must hold while disks lie (protocol §7), each as a named function that returns the violating fact.
//!
//! | property | says | broken by |
//! |---|---|---|
//! | S1 AckDurable | every acknowledged record is kept by every recovery that opens | M49 |
//! | S4 NoResurrection | what an opened recovery left out is kept by no later one | M50 |
//! | S7 RecoveryIdempotent | a recovery that finds nothing new keeps what the one before kept | M50 |
//! | S13 SCLSound | a segment denies no record that it has acknowledged and that no range annuls | M49 |
//! | L2 RecoveryOpens | the fault-free suffix ends with the newest recovery open | |
//! | L3 RepairComplete | it ends with no unreadable record that a peer could repair | M71 |
//!
//! L2 is broken by M61 in the core; nothing that is decided here can break it, since one flip leaves enough segments that answer.

use crate::area::{self, Violation};

use super::Disks;
use super::world::{Action, Node, Phase, RECORDS, Stored, World};

pub type Property = area::Property<Disks>;

type Context<'a> = area::Context<'a, Disks>;

/// Every property, in the order of the protocol.
pub const ALL: [Property; 6] = [
    Property {
        id: "S1",
        name: "AckDurable",
        formula: "r∈acked, opened[e] ⇒ r∈kept[e]",
        section: "§7",
        check: ack_durable,
        sometimes: |c, w| opened(w).any(|e| w.recovery(e).kept > 0) && w.acknowledged(c.bounds) > 0 && w.flips > 0,
    },
    Property {
        id: "S4",
        name: "NoResurrection",
        formula: "opened[e], r∉kept[e], e<f ⇒ r∉kept[f]",
        section: "§7",
        check: no_resurrection,
        sometimes: |c, w| {
            let laggard = w.copies(c.bounds).iter().any(|node| node.truncated == 1 && node.stored[0] == Stored::Good);
            w.newest() > 2 && laggard && opened(w).any(|e| w.recovery(e).kept == 0)
        },
    },
    Property {
        id: "S7",
        name: "RecoveryIdempotent",
        formula: "opened[e], e<f, f decided ⇒ kept[f] = kept[e]",
        section: "§7",
        check: recovery_idempotent,
        sometimes: |_, w| opened(w).any(|e| e > 2 && w.recovery(e).kept > 0),
    },
    Property {
        id: "S13",
        name: "SCLSound",
        formula: "n says that it has l records ⇒ it acknowledged no record above l that its ranges leave",
        section: "§7, BookKeeper #2908",
        check: scl_sound,
        sometimes: |c, w| w.copies(c.bounds).iter().any(|node| node.stored[0] == Stored::Corrupt && node.fenced > 1),
    },
    Property {
        id: "L2",
        name: "RecoveryOpens",
        formula: "every maximal fault-free path ends with the newest recovery open",
        section: "§7",
        check: recovery_opens,
        sometimes: |c, w| w.newest() > 1 && w.flips > 0 && is_terminal(c, w),
    },
    Property {
        id: "L3",
        name: "RepairComplete",
        formula: "every maximal fault-free path ends with no unreadable record that a peer at the same truncation has",
        section: "§2.8, §7",
        check: repair_complete,
        sometimes: |c, w| w.flips > 0 && w.copies(c.bounds).iter().all(|node| !node.stored.contains(&Stored::Corrupt)),
    },
];

fn opened(world: &World) -> impl Iterator<Item = u8> {
    (2..=world.newest()).filter(|&epoch| world.recovery(epoch).phase == Phase::Open)
}

fn decided(world: &World) -> impl Iterator<Item = u8> {
    (2..=world.newest()).filter(|&epoch| matches!(world.recovery(epoch).phase, Phase::Installing | Phase::Open))
}

fn ack_durable(c: Context, world: &World) -> Result<(), Violation> {
    let acknowledged = world.acknowledged(c.bounds);
    match opened(world).find(|&epoch| world.recovery(epoch).kept < acknowledged) {
        Some(epoch) => Err(format!(
            "{acknowledged} records were acknowledged, and e{epoch} opened with {}",
            world.recovery(epoch).kept
        )),
        None => Ok(()),
    }
}

fn no_resurrection(_: Context, world: &World) -> Result<(), Violation> {
    for e in opened(world) {
        if let Some(f) = decided(world).find(|&f| f > e && world.recovery(f).kept > world.recovery(e).kept) {
            let record = world.recovery(e).kept + 1;
            return Err(format!("e{e} opened without record {record}, and e{f} keeps it"));
        }
    }
    Ok(())
}

fn recovery_idempotent(_: Context, world: &World) -> Result<(), Violation> {
    for e in opened(world) {
        let kept = world.recovery(e).kept;
        if let Some(f) = decided(world).find(|&f| f > e && world.recovery(f).kept != kept) {
            return Err(format!("e{e} opened with {kept} records, and e{f} keeps {}", world.recovery(f).kept));
        }
    }
    Ok(())
}

fn scl_sound(c: Context, world: &World) -> Result<(), Violation> {
    for (copy, node) in world.copies(c.bounds).iter().enumerate() {
        let Some(count) = c.rules.reported(node) else { continue };
        let denied = (usize::from(count)..RECORDS.min(node.cut.into()))
            .find(|&record| node.stored[record] == Stored::Corrupt && node.took[..=record].iter().all(|took| *took));
        if let Some(record) = denied {
            let name = char::from(b'A' + copy as u8);
            return Err(format!("{name} acknowledged record {} and says that it has {count} records", record + 1));
        }
    }
    Ok(())
}

/// Whether nothing can happen any more but a fault, a new recovery or a write of the first writer.
fn is_terminal(c: Context, world: &World) -> bool {
    let mut quiet = true;
    world.candidates(c.bounds, |action| {
        let progress = match action {
            Action::FenceRead { .. } | Action::Decide | Action::Truncate { .. } | Action::Repair { .. } => true,
            Action::Recover | Action::Crash { .. } | Action::Write { .. } | Action::Flip { .. } => false,
        };
        quiet = quiet && !(progress && world.after(c.rules, c.bounds, action).is_some());
    });
    quiet
}

fn recovery_opens(c: Context, world: &World) -> Result<(), Violation> {
    if waits_for_recovery(world) && is_terminal(c, world) {
        return Err(format!("nothing can happen any more, and e{} has not opened", world.newest()));
    }
    Ok(())
}

pub(super) fn waits_for_recovery(world: &World) -> bool {
    let newest = world.newest();
    newest > 1 && world.recovery(newest).phase != Phase::Open
}

fn repair_complete(c: Context, world: &World) -> Result<(), Violation> {
    match repairable(c, world) {
        Some((copy, record)) if is_terminal(c, world) => {
            let name = char::from(b'A' + copy as u8);
            Err(format!("nothing can happen any more, and {name} cannot read record {}", record + 1))
        }
        _ => Ok(()),
    }
}

/// A copy and a record that it cannot read, and that a peer at the same truncation has.
pub(super) fn repairable(c: Context, world: &World) -> Option<(usize, usize)> {
    let nodes = world.copies(c.bounds);
    let has = |node: &Node, record: usize| {
        nodes.iter().any(|peer| peer.truncated == node.truncated && peer.stored[record] == Stored::Good)
    };
    nodes.iter().enumerate().find_map(|(copy, node)| {
        let lost = |&record: &usize| node.stored[record] == Stored::Corrupt && has(node, record);
        Some((copy, (0..RECORDS).find(lost)?))
    })
}
