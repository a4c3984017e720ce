//! Traces of pages for a person: actions, what they changed, and where a diagram shows them.

use crate::area::{Lane, Mark, Status};
use crate::quorum::letters;
use crate::records::Records;
use crate::types::SegmentId;

use super::world::{Action, Instance, Reader, World};

type Context<'a> = crate::area::Context<'a, super::Pages>;

fn segment(copy: u8) -> String {
    letters(std::iter::once(SegmentId(copy)).collect())
}

fn name(world: Option<&World>, reader: Reader) -> &'static str {
    match (reader, world.map(World::epoch)) {
        (Reader::Replica, _) => "replica",
        (Reader::Writer, Some(2)) => "w2",
        (Reader::Writer, _) => "writer",
    }
}

fn lsns(records: Records) -> String {
    let each: Vec<String> = records.iter().map(|record| format!("@{}", record + 1)).collect();
    if each.is_empty() { "nothing".into() } else { each.join(" ") }
}

pub(super) fn describe(_: Context, action: Action) -> String {
    match action {
        Action::Allocate => "the writer allocates a mini-transaction".into(),
        Action::Write { record, copy } => format!("writer → {}: write @{}", segment(copy), record + 1),
        Action::Evict { block } => format!("the writer evicts block {block}"),
        Action::Read { reader, block } => format!("the {} reads block {block}", name(None, reader)),
        Action::Answer { reader, copy } => format!("{} → {}: page", segment(copy), name(None, reader)),
        Action::Hedge { reader } => format!("the {} asks another segment too", name(None, reader)),
        Action::Done { reader } => format!("the {} ends its traversal", name(None, reader)),
        Action::Stream => "writer → replica: records".into(),
        Action::Reconnect => "the replica reconnects".into(),
        Action::Suspect => "the replica is not heard of".into(),
        Action::Backup { copy } => format!("{} backs up", segment(copy)),
        Action::Collect { copy } => format!("{} learns of the read points and collects", segment(copy)),
        Action::CollectLate { copy } => format!("{} learns of the first writer's, and collects", segment(copy)),
        Action::Failover { kept } => format!("another instance takes the volume, keeps up to @{kept}"),
    }
}

pub(super) fn changes(c: Context, before: &World, after: &World) -> Vec<String> {
    let bounds = c.bounds;
    let mut phrases = Vec::new();
    let new: Records = after.live(bounds).iter().filter(|&record| !before.live(bounds).contains(record)).collect();
    if !new.is_empty() {
        phrases.push(format!("{} allocated", lsns(new)));
    }
    for copy in 0..bounds.copies {
        let (old, new) = (before.nodes[usize::from(copy)], after.nodes[usize::from(copy)]);
        if old.held.or(old.folded) != new.held.or(new.folded) {
            phrases.push(format!("{} has {}", segment(copy), lsns(new.held.or(new.folded))));
        }
        if old.collected != new.collected {
            phrases.push(format!("{} has collected up to @{}", segment(copy), new.collected));
        }
    }
    if before.vdl(bounds) != after.vdl(bounds) {
        phrases.push(format!("VDL @{}→@{}", before.vdl(bounds), after.vdl(bounds)));
    }
    for reader in [Reader::Writer, Reader::Replica] {
        let (old, new) = (before.instance(reader), after.instance(reader));
        let who = name(Some(after), reader);
        instance_changes(old, new).into_iter().for_each(|phrase| phrases.push(format!("{who} {phrase}")));
    }
    if before.applied != after.applied {
        phrases.push(format!("replica has applied up to @{}", after.applied));
    }
    if before.counts != after.counts {
        phrases.push(if after.counts { "the replica counts".into() } else { "the replica does not count".to_owned() });
    }
    if before.backed != after.backed {
        phrases.push(format!("backed up to @{}", after.backed));
    }
    phrases
}

fn instance_changes(old: &Instance, new: &Instance) -> Vec<String> {
    let mut phrases = Vec::new();
    match (old.view, new.view) {
        (None, Some(view)) => phrases.push(format!("anchors at @{}", view.read_point)),
        (Some(_), None) => phrases.push("gives up its anchor".into()),
        _ => {}
    }
    if let Some(fetch) = new.fetch.filter(|fetch| old.fetch != Some(*fetch)) {
        phrases.push(format!("asks for block {} at @{}", fetch.block, fetch.read_point));
    }
    for (block, (was, is)) in old.cache.iter().zip(&new.cache).enumerate() {
        if was != is {
            phrases.push(match is {
                Some(page) => format!("caches block {block}: {}", lsns(page.records)),
                None => format!("has no page of block {block}"),
            });
        }
    }
    phrases
}

const SEGMENTS: usize = 2;

pub(super) fn lanes(c: Context) -> Vec<Lane> {
    let bounds = c.bounds;
    let mut lanes = vec![
        Lane { name: "writer".into(), group: "database instances".into() },
        Lane { name: "replica".into(), group: "database instances".into() },
    ];
    lanes.extend((0..bounds.copies).map(|copy| Lane { name: segment(copy), group: "segments".into() }));
    lanes
}

fn lane(reader: Reader) -> usize {
    match reader {
        Reader::Writer => 0,
        Reader::Replica => 1,
    }
}

pub(super) fn mark(_: Context, action: Action, _: &World) -> Mark {
    let at = |copy: u8| SEGMENTS + usize::from(copy);
    match action {
        Action::Write { copy, .. } | Action::Collect { copy } | Action::CollectLate { copy } => {
            Mark::Message { from: Some(0), to: at(copy) }
        }
        Action::Answer { reader, copy } => Mark::Message { from: Some(at(copy)), to: lane(reader) },
        Action::Stream => Mark::Message { from: Some(0), to: 1 },
        Action::Allocate | Action::Evict { .. } => Mark::Local { at: 0 },
        Action::Read { reader, .. } | Action::Hedge { reader } | Action::Done { reader } => {
            Mark::Local { at: lane(reader) }
        }
        Action::Reconnect | Action::Suspect => Mark::Fault { at: 1 },
        Action::Backup { copy } => Mark::Local { at: at(copy) },
        Action::Failover { .. } => Mark::Fault { at: 0 },
    }
}

pub(super) fn status(c: Context, world: &World, lane: usize) -> Option<Status> {
    let bounds = c.bounds;
    let text = match lane {
        0 => format!("VDL @{}", world.vdl(bounds)),
        1 if bounds.replica.is_on() => format!("at @{}", world.applied),
        1 => return None,
        _ => {
            let node = world.nodes[lane - SEGMENTS];
            format!("SCL @{}, gcp @{}", world.scl(bounds, &node), node.collected)
        }
    };
    Some(Status { epoch: world.epoch(), text })
}
