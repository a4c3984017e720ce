//! Traces of a volume for a person: actions, what they changed, and where a diagram shows them.

use crate::area::{self, Lane, Mark, Status};
use crate::quorum::letters;
use crate::records::Records;
use crate::types::SegmentId;

use super::Volume;
use super::world::{Action, Bounds, EPOCHS, GROUPS, Node, Phase, World};

type Context<'a> = area::Context<'a, Volume>;

/// `1A`: copy A of the first group.
fn segment(group: u8, copy: u8) -> String {
    format!("{}{}", group + 1, letters(std::iter::once(SegmentId(copy)).collect()))
}

pub(super) fn describe(_: Context, action: Action) -> String {
    match action {
        Action::Recover => "another instance takes the volume (R0)".into(),
        Action::FenceRead { epoch, group, copy } => format!("w{epoch} → {}: FENCE_READ (R1)", segment(group, copy)),
        Action::Decide { epoch } => format!("w{epoch} decides where the log ends (R2)"),
        Action::Truncate { epoch, group, copy } => format!("w{epoch} → {}: TRUNC (R3)", segment(group, copy)),
        Action::Allocate { epoch } => format!("w{epoch} allocates a mini-transaction"),
        Action::Write { epoch, group, record, copy } => {
            format!("w{epoch} → {}: write of record {}", segment(group, copy), record + 1)
        }
        Action::Create { epoch } => format!("w{epoch} has the second group created"),
        Action::Grow { epoch } => format!("w{epoch} has the second group recorded"),
    }
}

fn lsns(world: &World, records: Records) -> String {
    let each: Vec<String> = records.iter().map(|record| format!("@{}", world.records[record].lsn)).collect();
    if each.is_empty() { "nothing".into() } else { each.join(" ") }
}

pub(super) fn changes(c: Context, before: &World, after: &World) -> Vec<String> {
    let mut phrases = Vec::new();
    for record in 0..after.records.len() {
        if before.records[record].lsn == 0 && after.records[record].lsn != 0 {
            phrases.push(format!("record {} is @{}", record + 1, after.records[record].lsn));
        }
    }
    for group in 0..GROUPS {
        for copy in 0..usize::from(c.bounds.copies) {
            let (old, new) = (&before.groups[group][copy], &after.groups[group][copy]);
            let name = segment(group as u8, copy as u8);
            let changed = node_changes(after, old, new).into_iter();
            changed.for_each(|phrase| phrases.push(format!("{name} {phrase}")));
        }
    }
    for epoch in 1..=EPOCHS as u8 {
        instance_changes(c, before, after, epoch).into_iter().for_each(|phrase| phrases.push(phrase));
    }
    if before.geometry != after.geometry {
        phrases.push(format!("the geometry has {} groups", after.geometry));
    }
    phrases
}

fn node_changes(world: &World, old: &Node, new: &Node) -> Vec<String> {
    let mut phrases = Vec::new();
    if old.fenced == 0 && new.fenced != 0 {
        phrases.push(format!("is created at e{}", new.fenced));
    } else {
        if old.fenced != new.fenced {
            phrases.push(format!("fenced e{}→e{}", old.fenced, new.fenced));
        }
        if old.truncated != new.truncated {
            phrases.push(format!("truncated e{}→e{}", old.truncated, new.truncated));
        }
    }
    if old.held != new.held {
        phrases.push(format!("holds {}", lsns(world, new.held)));
    }
    phrases
}

fn instance_changes(c: Context, before: &World, after: &World, epoch: u8) -> Vec<String> {
    let (old, new) = (before.instance(epoch), after.instance(epoch));
    let mut phrases = Vec::new();
    if old.phase != new.phase {
        phrases.push(match new.phase {
            Phase::Absent | Phase::Reading => format!("w{epoch} recovers, {} groups", new.groups),
            Phase::Installing => {
                format!("w{epoch} keeps {}, range @{}..@{}", lsns(after, new.kept), new.lo, new.hi)
            }
            Phase::Open => format!("w{epoch} opens"),
        });
    } else if new.phase == Phase::Open {
        let vdl = |world: &World| world.vdl(c.rules, c.bounds, epoch);
        if vdl(before) != vdl(after) {
            phrases.push(format!("w{epoch} VDL @{}→@{}", vdl(before), vdl(after)));
        }
        let acked = |world: &World| world.acknowledged(c.rules, c.bounds, epoch);
        for record in acked(after).iter().filter(|&record| !acked(before).contains(record)) {
            phrases.push(format!("the commit @{} is acknowledged", after.records[record].lsn));
        }
    }
    phrases
}

/// The metadata service, the writers, the segments group by group.
const WRITERS: usize = 1;

fn first_segment(bounds: &Bounds) -> usize {
    WRITERS + usize::from(bounds.recoveries) + 1
}

fn lane(bounds: &Bounds, group: u8, copy: u8) -> usize {
    first_segment(bounds) + usize::from(group * bounds.copies + copy)
}

pub(super) fn lanes(c: Context) -> Vec<Lane> {
    let bounds = c.bounds;
    let mut lanes = vec![Lane { name: "metadata".into(), group: "metadata service".into() }];
    for epoch in 1..=bounds.recoveries + 1 {
        lanes.push(Lane { name: format!("w{epoch}"), group: "database instances".into() });
    }
    for group in 0..GROUPS as u8 {
        for copy in 0..bounds.copies {
            lanes.push(Lane { name: segment(group, copy), group: format!("group {}", group + 1) });
        }
    }
    lanes
}

pub(super) fn mark(c: Context, action: Action, before: &World) -> Mark {
    let bounds = c.bounds;
    let writer = |epoch: u8| WRITERS + usize::from(epoch) - 1;
    match action {
        Action::Recover => Mark::Local { at: writer(before.newest() + 1) },
        Action::FenceRead { epoch, group, copy }
        | Action::Truncate { epoch, group, copy }
        | Action::Write { epoch, group, copy, .. } => {
            Mark::Message { from: Some(writer(epoch)), to: lane(bounds, group, copy) }
        }
        Action::Decide { epoch } | Action::Allocate { epoch } => Mark::Local { at: writer(epoch) },
        Action::Create { epoch } => Mark::Message { from: Some(writer(epoch)), to: lane(bounds, 1, 0) },
        Action::Grow { epoch } => Mark::Message { from: Some(writer(epoch)), to: 0 },
    }
}

pub(super) fn status(c: Context, world: &World, lane: usize) -> Option<Status> {
    let segments = first_segment(c.bounds);
    if lane == 0 {
        let text = format!("{} groups", world.geometry);
        return Some(Status { epoch: world.newest().into(), text });
    }
    if lane < segments {
        let epoch = (lane - WRITERS + 1) as u8;
        let instance = world.instance(epoch);
        let text = match instance.phase {
            Phase::Absent => return None,
            Phase::Reading => "reads".into(),
            Phase::Installing => format!("keeps {}", lsns(world, instance.kept)),
            Phase::Open => format!("VDL @{}", world.vdl(c.rules, c.bounds, epoch)),
        };
        return Some(Status { epoch: epoch.into(), text });
    }
    let (group, copy) =
        ((lane - segments) / usize::from(c.bounds.copies), (lane - segments) % usize::from(c.bounds.copies));
    let node = &world.groups[group][copy];
    (node.fenced != 0).then(|| Status { epoch: node.truncated.into(), text: lsns(world, node.held) })
}
