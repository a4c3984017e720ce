//! Traces of clones and backtrack for a person: actions, what they changed, and where a diagram shows them.

use crate::area::{Lane, Mark, Status};
use crate::records::Records;

use super::bounds::RECORDS;
use super::world::{Action, Child, Phase, World};

type Context<'a> = crate::area::Context<'a, super::Forks>;

fn name(copy: u8) -> char {
    char::from(b'A' + copy)
}

/// `@1 @2`, and `c1` for the record of the first clone.
pub(super) fn lsns(records: Records) -> String {
    let one = |record: usize| match record.checked_sub(RECORDS) {
        Some(clone) => format!("c{}", clone + 1),
        None => format!("@{}", record + 1),
    };
    let each: Vec<String> = records.iter().map(one).collect();
    if each.is_empty() { "nothing".into() } else { each.join(" ") }
}

pub(super) fn describe(_: Context, action: Action) -> String {
    match action {
        Action::Allocate => "the writer allocates a mini-transaction".into(),
        Action::Write { epoch, record, copy } => format!("w{epoch} → {}: write @{}", name(copy), record + 1),
        Action::Learn { copy } => format!("{} hears of the newest epoch", name(copy)),
        Action::Backtrack { target, missing } => format!("back to @{target}; {} does not hear of it", name(missing)),
        Action::Forward { target, missing } => format!("forward to @{target}; {} does not hear of it", name(missing)),
        Action::Announce { epoch } => format!("w{epoch} raises the low-water mark"),
        Action::Collect { copy } => format!("{} collects", name(copy)),
        Action::Purge { copy } => format!("{} purges what is annulled", name(copy)),
        Action::Pin { clone } => format!("clone {} is begun", clone + 1),
        Action::Fork { clone } => format!("clone {} forks", clone + 1),
        Action::CopyPage { clone, block } => format!("clone {} copies block {block}", clone + 1),
        Action::CloneWrite { clone } => format!("clone {} writes", clone + 1),
        Action::Delete { clone } => format!("clone {} is deleted", clone + 1),
    }
}

pub(super) fn changes(c: Context, before: &World, after: &World) -> Vec<String> {
    let bounds = c.bounds;
    let mut phrases = Vec::new();
    if before.allocated != after.allocated {
        let new = (usize::from(before.allocated)..usize::from(after.allocated)).collect();
        phrases.push(format!("{} allocated", lsns(new)));
    }
    if before.newest != after.newest {
        let (shown, hidden) = (after.live(after.newest), after.reversible(after.newest));
        phrases.push(format!("e{} shows {}, hides {}", after.newest, lsns(shown), lsns(hidden)));
    }
    for copy in 0..bounds.copies {
        let (old, new) = (&before.nodes[usize::from(copy)], &after.nodes[usize::from(copy)]);
        let who = name(copy);
        if old.epoch != new.epoch {
            phrases.push(format!("{who} e{}→e{}", old.epoch, new.epoch));
        }
        if old.has() != new.has() {
            phrases.push(format!("{who} has {}", lsns(new.has())));
        }
        if old.collected != new.collected {
            phrases.push(format!("{who} has collected up to @{}", new.collected));
        }
    }
    if before.vdl(bounds) != after.vdl(bounds) {
        phrases.push(format!("VDL @{}→@{}", before.vdl(bounds), after.vdl(bounds)));
    }
    for epoch in 1..=before.newest {
        let (old, new) = (before.view(epoch).low_water, after.view(epoch).low_water);
        if old != new {
            phrases.push(format!("low-water mark of e{epoch} @{old}→@{new}"));
        }
    }
    for (place, (old, new)) in before.clones.iter().zip(&after.clones).enumerate() {
        child_changes(old, new).into_iter().for_each(|phrase| phrases.push(format!("clone {} {phrase}", place + 1)));
    }
    phrases
}

fn child_changes(old: &Child, new: &Child) -> Vec<String> {
    let mut phrases = Vec::new();
    if old.phase != new.phase {
        phrases.push(match new.phase {
            Phase::NotYet | Phase::Deleted => "is no more".into(),
            Phase::Begun => format!("will not begin below @{}", new.fork),
            Phase::Open => format!("begins at @{} with {}", new.fork, lsns(new.image)),
        });
    }
    for (block, (was, is)) in old.own.iter().zip(&new.own).enumerate() {
        if let Some(page) = is.filter(|page| was.as_ref() != Some(page)) {
            phrases.push(format!("has a block {block} of its own: {}", lsns(page.records)));
        }
    }
    phrases
}

pub(super) fn lanes(c: Context) -> Vec<Lane> {
    let bounds = c.bounds;
    let mut lanes = vec![Lane { name: "writer".into(), group: "database instances".into() }];
    let clones = 0..bounds.clones;
    lanes.extend(clones.map(|clone| Lane { name: format!("clone {}", clone + 1), group: "database instances".into() }));
    lanes.extend((0..bounds.copies).map(|copy| Lane { name: name(copy).into(), group: "copies".into() }));
    lanes
}

pub(super) fn mark(c: Context, action: Action, _: &World) -> Mark {
    let bounds = c.bounds;
    let at = |copy: u8| usize::from(1 + bounds.clones + copy);
    let of = |clone: u8| usize::from(1 + clone);
    match action {
        Action::Allocate | Action::Announce { .. } | Action::Backtrack { .. } | Action::Forward { .. } => {
            Mark::Local { at: 0 }
        }
        Action::Write { copy, .. } | Action::Learn { copy } => Mark::Message { from: Some(0), to: at(copy) },
        Action::Collect { copy } | Action::Purge { copy } => Mark::Local { at: at(copy) },
        Action::Pin { clone } | Action::Fork { clone } => Mark::Message { from: Some(0), to: of(clone) },
        Action::CopyPage { clone, .. } => Mark::Message { from: None, to: of(clone) },
        Action::CloneWrite { clone } | Action::Delete { clone } => Mark::Local { at: of(clone) },
    }
}

pub(super) fn status(c: Context, world: &World, lane: usize) -> Option<Status> {
    let bounds = c.bounds;
    let clones = usize::from(bounds.clones);
    if lane == 0 {
        let text = format!("VDL @{}", world.vdl(bounds));
        return Some(Status { epoch: world.newest.into(), text });
    }
    if lane <= clones {
        let clone = world.clones[lane - 1];
        let text = match clone.phase {
            Phase::NotYet | Phase::Deleted => return None,
            Phase::Begun => "begun".into(),
            Phase::Open => format!("at @{}", clone.fork),
        };
        return Some(Status { epoch: 1, text });
    }
    let node = world.copies(bounds).get(lane - clones - 1)?;
    let text = format!("{}, gcp @{}", lsns(node.has()), node.collected);
    Some(Status { epoch: node.epoch.into(), text })
}
