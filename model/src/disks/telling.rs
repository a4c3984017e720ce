//! Traces of disks for a person: actions, what they changed, and where a diagram shows them.

use crate::area::{Lane, Mark, Status};

use super::world::{Action, NO_CUT, Node, Phase, Stored, World};

type Context<'a> = crate::area::Context<'a, super::Disks>;

fn segment(copy: u8) -> char {
    char::from(b'A' + copy)
}

pub(super) fn describe(_: Context, action: Action) -> String {
    match action {
        Action::Recover => "another instance takes the volume (R0)".into(),
        Action::FenceRead { copy } => format!("writer → {}: FENCE_READ (R1)", segment(copy)),
        Action::Decide => "it decides where the log ends (R2)".into(),
        Action::Truncate { copy } => format!("writer → {}: TRUNC (R3)", segment(copy)),
        Action::Crash { copy } => format!("{} loses power during the truncation", segment(copy)),
        Action::Write { record, copy } => format!("w1 → {}: write @{}", segment(copy), record + 1),
        Action::Flip { record, copy } => format!("a bit flips on {} in @{}", segment(copy), record + 1),
        Action::Repair { record, copy } => format!("a peer → {}: @{}", segment(copy), record + 1),
    }
}

fn stored(node: &Node) -> String {
    let each: Vec<String> = (1..)
        .zip(node.stored)
        .filter_map(|(lsn, stored)| match stored {
            Stored::Absent => None,
            Stored::Good => Some(format!("@{lsn}")),
            Stored::Corrupt => Some(format!("@{lsn}!")),
        })
        .collect();
    if each.is_empty() { "nothing".into() } else { each.join(" ") }
}

pub(super) fn changes(c: Context, before: &World, after: &World) -> Vec<String> {
    let bounds = c.bounds;
    let mut phrases = Vec::new();
    for copy in 0..bounds.copies {
        let (old, new) = (&before.nodes[usize::from(copy)], &after.nodes[usize::from(copy)]);
        let name = segment(copy);
        if old.fenced != new.fenced {
            phrases.push(format!("{name} fenced e{}→e{}", old.fenced, new.fenced));
        }
        if old.truncated != new.truncated {
            let left = if new.cut == NO_CUT { "everything".into() } else { format!("{} records", new.cut) };
            phrases.push(format!("{name} truncated e{}→e{}, its ranges leave {left}", old.truncated, new.truncated));
        }
        if old.stored != new.stored {
            phrases.push(format!("{name} holds {}", stored(new)));
        }
    }
    if before.acknowledged(bounds) != after.acknowledged(bounds) {
        phrases.push(format!("@{} is acknowledged to the client", after.acknowledged(bounds)));
    }
    for epoch in 2..=after.newest() {
        let (old, new) = (before.recovery(epoch), after.recovery(epoch));
        if old.phase != new.phase {
            phrases.push(match new.phase {
                Phase::Absent | Phase::Reading => format!("w{epoch} recovers"),
                Phase::Installing => format!("w{epoch} keeps {} records", new.kept),
                Phase::Open => format!("w{epoch} opens"),
            });
        }
    }
    phrases
}

pub(super) fn lanes(c: Context) -> Vec<Lane> {
    let bounds = c.bounds;
    let writers =
        (1..=bounds.recoveries + 1).map(|epoch| Lane { name: format!("w{epoch}"), group: "database instances".into() });
    let segments = (0..bounds.copies).map(|copy| Lane { name: segment(copy).into(), group: "segments".into() });
    writers.chain(segments).collect()
}

pub(super) fn mark(c: Context, action: Action, before: &World) -> Mark {
    let bounds = c.bounds;
    let at = |copy: u8| usize::from(bounds.recoveries + 1 + copy);
    let newest = usize::from(before.newest()) - 1;
    match action {
        Action::Recover => Mark::Local { at: newest + 1 },
        Action::Decide => Mark::Local { at: newest },
        Action::FenceRead { copy } | Action::Truncate { copy } => Mark::Message { from: Some(newest), to: at(copy) },
        Action::Write { copy, .. } => Mark::Message { from: Some(0), to: at(copy) },
        Action::Crash { copy } | Action::Flip { copy, .. } => Mark::Fault { at: at(copy) },
        Action::Repair { copy, .. } => Mark::Message { from: None, to: at(copy) },
    }
}

pub(super) fn status(c: Context, world: &World, lane: usize) -> Option<Status> {
    let bounds = c.bounds;
    let writers = usize::from(bounds.recoveries) + 1;
    if lane < writers {
        let epoch = lane as u8 + 1;
        let text = match (epoch, epoch > world.newest()) {
            (_, true) => return None,
            (1, _) => format!("{} acknowledged", world.acknowledged(bounds)),
            _ => match world.recovery(epoch).phase {
                Phase::Absent | Phase::Reading => "reads".into(),
                Phase::Installing => format!("keeps {}", world.recovery(epoch).kept),
                Phase::Open => format!("open, {} kept", world.recovery(epoch).kept),
            },
        };
        return Some(Status { epoch: epoch.into(), text });
    }
    let node = &world.nodes[lane - writers];
    Some(Status { epoch: node.truncated.into(), text: stored(node) })
}
