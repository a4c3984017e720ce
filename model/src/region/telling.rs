//! Traces of regions for a person: actions, what they changed, and where a diagram shows them.

use crate::area::{self, Lane, Mark, Status};

use super::Regions;
use super::log::Log;
use super::world::{Action, Opening, Role, World};

type Context<'a> = area::Context<'a, Regions>;

fn name(region: impl Into<usize>) -> char {
    char::from(b'A' + region.into() as u8)
}

pub(super) fn describe(_: Context, action: Action) -> String {
    match action {
        Action::Allocate { region } => format!("{} allocates a mini-transaction", name(region)),
        Action::Durable { region } => format!("what {} has allocated is durable there", name(region)),
        Action::Deliver { epoch, lsn, region } => format!("stream of e{epoch} → {}: @{lsn}", name(region)),
        Action::Report { region, epoch } => format!("{} → primary of e{epoch}: what it has applied", name(region)),
        Action::Follow { region, epoch } => format!("{} learns of e{epoch} and follows it", name(region)),
        Action::Promote { region } => format!("{} is promoted", name(region)),
        Action::Failover { region } => format!("the writer of {} is replaced within the region", name(region)),
        Action::Stop { region } => format!("{} stops to write, for a switchover", name(region)),
        Action::Switch { region } => format!("{} takes over", name(region)),
        Action::Resume { region } => format!("{} writes again", name(region)),
    }
}

/// `@1 @2e3`: records of the first epoch without it.
fn records(log: Log) -> String {
    let each = (1..=log.last()).filter_map(|lsn| match log.at(lsn)? {
        1 => Some(format!("@{lsn}")),
        epoch => Some(format!("@{lsn}e{epoch}")),
    });
    let each: Vec<String> = each.collect();
    if each.is_empty() { "nothing".into() } else { each.join(" ") }
}

pub(super) fn changes(c: Context, before: &World, after: &World) -> Vec<String> {
    let mut phrases = Vec::new();
    for region in 0..usize::from(c.bounds.regions) {
        let (old, new) = (before.regions[region], after.regions[region]);
        let who = name(region);
        if (old.role, old.epoch) != (new.role, new.epoch) {
            phrases.push(match new.role {
                Role::Absent | Role::Secondary => format!("{who} follows e{}", new.epoch),
                Role::Primary => format!("{who} writes in e{}", new.epoch),
                Role::Stopped => format!("{who} does not write in e{} any more", new.epoch),
            });
        }
        if old.log != new.log {
            phrases.push(format!("{who} has {}", records(new.log)));
        }
        if old.applied != new.applied {
            let what = if new.role == Role::Secondary { "applied" } else { "durable" };
            phrases.push(format!("{who} {what} @{}→@{}", old.applied, new.applied));
        }
    }
    for epoch in 1..=before.newest() {
        if before.epoch(epoch).reported != after.epoch(epoch).reported {
            phrases.push(format!("e{epoch} knows of a secondary at @{}", after.epoch(epoch).reported));
        }
        let acknowledged = |world: &World| world.acknowledged(c.rules, c.bounds, epoch);
        if acknowledged(before) != acknowledged(after) {
            phrases.push(format!("@{} of e{epoch} is acknowledged to the client", acknowledged(after)));
        }
    }
    let newest = after.newest();
    let began = after.epoch(newest);
    if newest > before.newest() && began.opening == Opening::Promoted {
        phrases.push(format!("{} acknowledged records are lost", began.ghost.lost));
    }
    phrases
}

pub(super) fn lanes(c: Context) -> Vec<Lane> {
    let bounds = c.bounds;
    let regions = (0..bounds.regions).map(|region| Lane { name: name(region).into(), group: "regions".into() });
    regions.collect()
}

pub(super) fn mark(_: Context, action: Action, before: &World) -> Mark {
    let at = usize::from;
    match action {
        Action::Allocate { region } | Action::Durable { region } | Action::Resume { region } => {
            Mark::Local { at: at(region) }
        }
        Action::Deliver { epoch, region, .. } => Mark::Message { from: before.writer(epoch), to: at(region) },
        Action::Report { region, epoch } => {
            Mark::Message { from: Some(at(region)), to: before.writer(epoch).unwrap_or(at(region)) }
        }
        Action::Follow { region, .. } | Action::Stop { region } => Mark::Message { from: None, to: at(region) },
        Action::Promote { region } | Action::Switch { region } => Mark::Message { from: None, to: at(region) },
        Action::Failover { region } => Mark::Fault { at: at(region) },
    }
}

pub(super) fn status(c: Context, world: &World, lane: usize) -> Option<Status> {
    let region = world.regions(c.bounds).get(lane)?;
    let text = match region.role {
        Role::Absent => return None,
        Role::Secondary => format!("at @{}", region.applied),
        Role::Primary => format!("writes, durable @{}", region.applied),
        Role::Stopped => format!("stopped at @{}", region.applied),
    };
    Some(Status { epoch: region.epoch.into(), text })
}
