//! Traces of membership for a person: actions, what they changed, and where a diagram shows them.

use crate::area::{Lane, Mark, Status};
use crate::quorum::letters;
use crate::types::{Epoch, SegmentId};

use super::configuration::SEGMENTS;
use super::world::{Action, Commit, FIRST, Node, Records, Recovery, SECOND, Standing, World};

type Context<'a> = crate::area::Context<'a, super::Membership>;

fn letter(segment: SegmentId) -> String {
    letters(std::iter::once(segment).collect())
}

pub(super) fn describe(c: Context, action: Action) -> String {
    let bounds = c.bounds;
    match action {
        Action::Begin { exchange, .. } => match bounds.exchanges.iter().flatten().nth(exchange.into()) {
            Some(exchanged) => format!("the control plane proposes {exchanged}"),
            None => "the control plane proposes an exchange".into(),
        },
        Action::Shrink => "the control plane proposes four copies".into(),
        Action::Settle { set } => format!("the control plane proposes to settle on set {}", set + 1),
        Action::Install { segment, configuration } => {
            format!("metadata → {}: configuration {}", letter(segment), configuration + 1)
        }
        Action::Hydrate { segment, from } => format!("{} → {}: records", letters(from), letter(segment)),
        Action::Write { epoch, segment } => format!("w{} → {}: write", epoch.0, letter(segment)),
        Action::Acknowledge { epoch, segment } => format!("{} → w{}: acknowledgement", letter(segment), epoch.0),
        Action::Refresh { epoch, configuration } => {
            format!("metadata → w{}: configuration {}", epoch.0, configuration + 1)
        }
        Action::Recover => "w2 takes the volume (R0)".into(),
        Action::FenceRead { segment } => format!("w2 → {}: FENCE_READ (R1)", letter(segment)),
        Action::Decide => "w2 decides what it keeps (R2)".into(),
        Action::Truncate { segment } => format!("w2 → {}: TRUNC (R3)", letter(segment)),
        Action::Discard { segment } => format!("{} discards its records", letter(segment)),
        Action::Drop { segment, epoch } => format!("{} drops the record of {epoch}", letter(segment)),
        Action::Lose { segment } => format!("{} is lost for ever", letter(segment)),
        Action::Recreate { segment } => format!("metadata → {}: created anew", letter(segment)),
    }
}

pub(super) fn changes(_: Context, before: &World, after: &World) -> Vec<String> {
    let mut phrases = Vec::new();
    for configuration in &after.history[before.history.len()..] {
        phrases.push(format!("{configuration} is recorded"));
    }
    for (was, is) in before.history.iter().zip(after.history.iter()) {
        if !was.installed && is.installed {
            phrases.push(format!("{is} is installed"));
        }
    }
    for segment in SegmentId::all(SEGMENTS) {
        let (old, new) = (&before.nodes[segment.index()], &after.nodes[segment.index()]);
        let name = letter(segment);
        node_changes(after, old, new).into_iter().for_each(|phrase| phrases.push(format!("{name} {phrase}")));
    }
    for epoch in [FIRST, SECOND] {
        let place = epoch.0 as usize - 1;
        if before.known[place] != after.known[place] {
            phrases.push(format!("w{} goes by {}", epoch.0, after.known_to(epoch)));
        }
        if before.commits[place] == Commit::None && after.commits[place] != Commit::None {
            phrases.push(format!("the record of {epoch} is acknowledged to the client"));
        }
    }
    if before.recovery != after.recovery {
        phrases.push(match after.recovery {
            Recovery::None => "no recovery".into(),
            Recovery::Reading => "w2 reads".into(),
            Recovery::Installing(kept) => format!("w2 keeps the record of e1: {}", kept.word()),
            Recovery::Open(kept) => format!("w2 opens (record of e1 kept: {})", kept.word()),
        });
    }
    phrases
}

fn node_changes(world: &World, old: &Node, new: &Node) -> Vec<String> {
    let mut phrases = Vec::new();
    if old.standing != new.standing {
        phrases.push(match new.standing {
            Standing::Absent => "is gone".into(),
            Standing::Up => "is created".into(),
            Standing::Lost => "is lost".to_owned(),
            Standing::Fresh => "is created, and empty".into(),
        });
    }
    if old.configuration != new.configuration {
        phrases.push(format!("knows {}", world.history[usize::from(new.configuration)]));
    }
    if old.fenced != new.fenced {
        phrases.push(format!("fenced {}→{}", old.fenced, new.fenced));
    }
    if old.truncated != new.truncated {
        phrases.push(format!("truncated {}→{}", old.truncated, new.truncated));
    }
    if old.holds != new.holds {
        phrases.push(format!("holds {}", held(new.holds)));
    }
    if old.acknowledged != new.acknowledged {
        phrases.push(format!("has acknowledged {}", held(new.acknowledged)));
    }
    if old.hydrated != new.hydrated {
        phrases.push(format!("is hydrated for m{}", new.hydrated));
    }
    phrases
}

fn held(records: Records) -> String {
    let epochs: Vec<String> =
        [FIRST, SECOND].iter().filter(|epoch| records.contains(**epoch)).map(Epoch::to_string).collect();
    if epochs.is_empty() { "nothing".into() } else { epochs.join(" and ") }
}

/// The metadata service, two writers, the segments.
const WRITERS: usize = 1;
const SEGMENT_LANES: usize = 3;

pub(super) fn lanes(c: Context) -> Vec<Lane> {
    let bounds = c.bounds;
    let named = |name: &str, group: &str| Lane { name: name.into(), group: group.into() };
    let mut lanes = vec![
        named("metadata", "metadata service"),
        named("w1", "database instances"),
        named("w2", "database instances"),
    ];
    lanes.extend(SegmentId::all(SEGMENTS).map(|segment| {
        let group = if bounds.members.all.contains(segment) { "first members" } else { "may join" };
        named(&letter(segment), group)
    }));
    lanes
}

pub(super) fn mark(_: Context, action: Action, _: &World) -> Mark {
    let lane = |segment: SegmentId| SEGMENT_LANES + segment.index();
    let writer = |epoch: Epoch| WRITERS + epoch.0 as usize - 1;
    match action {
        Action::Begin { .. } | Action::Shrink | Action::Settle { .. } => Mark::Local { at: 0 },
        Action::Install { segment, .. } | Action::Recreate { segment } => {
            Mark::Message { from: Some(0), to: lane(segment) }
        }
        Action::Hydrate { segment, from } => {
            let first = from.iter(SEGMENTS).next();
            Mark::Message { from: first.filter(|_| from.len() == 1).map(lane), to: lane(segment) }
        }
        Action::Write { epoch, segment } => Mark::Message { from: Some(writer(epoch)), to: lane(segment) },
        Action::Acknowledge { epoch, segment } => Mark::Message { from: Some(lane(segment)), to: writer(epoch) },
        Action::Refresh { epoch, .. } => Mark::Message { from: Some(0), to: writer(epoch) },
        Action::Recover | Action::Decide => Mark::Local { at: writer(SECOND) },
        Action::FenceRead { segment } | Action::Truncate { segment } => {
            Mark::Message { from: Some(writer(SECOND)), to: lane(segment) }
        }
        Action::Discard { segment } | Action::Drop { segment, .. } => Mark::Local { at: lane(segment) },
        Action::Lose { segment } => Mark::Fault { at: lane(segment) },
    }
}

pub(super) fn status(_: Context, world: &World, lane: usize) -> Option<Status> {
    if lane == 0 {
        return Some(Status { epoch: world.volume_epoch().0, text: world.newest().to_string() });
    }
    if lane < SEGMENT_LANES {
        let epoch = Epoch(lane as u32);
        let alive = epoch == FIRST || world.recovery != Recovery::None;
        let committed = if world.commits[lane - 1] == Commit::None { "" } else { ", acknowledged" };
        let text = format!("by m{}{committed}", world.known_to(epoch).number);
        return alive.then_some(Status { epoch: epoch.0, text });
    }
    let node = &world.nodes[lane - SEGMENT_LANES];
    let number = world.history[usize::from(node.configuration)].number;
    let text = match node.standing {
        Standing::Absent => return None,
        Standing::Lost => "lost".into(),
        Standing::Up => format!("m{number}, {}", held(node.holds)),
        Standing::Fresh => format!("m{number}, not hydrated"),
    };
    Some(Status { epoch: node.truncated.0, text })
}
