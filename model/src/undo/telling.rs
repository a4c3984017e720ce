//! Traces of transactions for a person: actions, what they changed, and where a diagram shows them.

use super::rules::UndoRules;
use super::world::{Action, Kind, ReadView, World};
use crate::area::{Lane, Mark, Status};

type Context<'a> = crate::area::Context<'a, super::Undo>;

pub(super) fn describe(_: Context, action: Action) -> String {
    match action {
        Action::Write { transaction } => format!("T{transaction} writes the row"),
        Action::Commit { transaction } => format!("T{transaction} commits"),
        Action::Undo { transaction } => format!("T{transaction} is undone"),
        Action::Purge { transaction } => format!("what T{transaction} overwrote is purged"),
        Action::Harden => "the VDL advances".into(),
        Action::Look => "the writer opens a read view".into(),
        Action::Leave => "the writer closes its read view".into(),
        Action::Apply { replica } => format!("stream → r{}: the next record", replica + 1),
        Action::Open { replica } => format!("r{} opens a read view", replica + 1),
        Action::Close { replica } => format!("r{} closes its read view", replica + 1),
        Action::Report { replica } => format!("r{} → writer: what it needs", replica + 1),
        Action::Failover => "another instance takes the volume".into(),
    }
}

fn name(kind: Kind) -> &'static str {
    match kind {
        Kind::Write => "writes",
        Kind::Commit => "commits",
        Kind::Undo => "is undone",
        Kind::Purge => "has its undo purged",
    }
}

fn seen(rules: &UndoRules, w: &World, applied: u8, view: ReadView) -> String {
    let shown = w.shown(rules, applied, view.at);
    format!("@{} shows {}", view.at, shown.map_or("nothing".into(), |version| format!("version {version}")))
}

pub(super) fn changes(c: Context, before: &World, after: &World) -> Vec<String> {
    let (rules, bounds) = (c.rules, c.bounds);
    let mut phrases = Vec::new();
    for (lsn, record) in (1..).zip(after.log.iter()).skip(before.log.len()) {
        phrases.push(format!("@{lsn} T{} {}", record.transaction, name(record.kind)));
    }
    if after.log.len() < before.log.len() {
        phrases.push(format!("the log ends at @{}", after.log.len()));
    }
    if before.durable != after.durable {
        phrases.push(format!("VDL @{}→@{}", before.durable, after.durable));
    }
    let views = |w: &World| w.view.map(|view| seen(rules, w, w.log.len() as u8, view));
    if views(before) != views(after) {
        phrases.push(format!("the writer's view {}", views(after).unwrap_or_else(|| "is closed".into())));
    }
    for (number, (old, new)) in (1..).zip(before.replicas(bounds).iter().zip(after.replicas(bounds))) {
        if old.applied != new.applied {
            phrases.push(format!("r{number} has applied @{}", new.applied));
        }
        let was = old.view.map(|view| seen(rules, before, old.applied, view));
        let is = new.view.map(|view| seen(rules, after, new.applied, view));
        if was != is {
            phrases.push(format!("r{number}'s view {}", is.unwrap_or_else(|| "is closed".into())));
        }
        if old.told != new.told {
            phrases.push(format!("r{number} is known to need nothing below @{}", new.told));
        }
    }
    phrases
}

pub(super) fn lanes(c: Context) -> Vec<Lane> {
    let bounds = c.bounds;
    let writer = Lane { name: "writer".into(), group: "database instances".into() };
    let replica = |number: u8| Lane { name: format!("r{}", number + 1), group: "replicas".into() };
    std::iter::once(writer).chain((0..bounds.replicas).map(replica)).collect()
}

pub(super) fn mark(_: Context, action: Action, _: &World) -> Mark {
    match action {
        Action::Write { .. }
        | Action::Commit { .. }
        | Action::Undo { .. }
        | Action::Purge { .. }
        | Action::Harden
        | Action::Look
        | Action::Leave => Mark::Local { at: 0 },
        Action::Apply { replica } => Mark::Message { from: Some(0), to: usize::from(replica) + 1 },
        Action::Open { replica } | Action::Close { replica } => Mark::Local { at: usize::from(replica) + 1 },
        Action::Report { replica } => Mark::Message { from: Some(usize::from(replica) + 1), to: 0 },
        Action::Failover => Mark::Fault { at: 0 },
    }
}

pub(super) fn status(c: Context, w: &World, lane: usize) -> Option<Status> {
    let (rules, bounds) = (c.rules, c.bounds);
    let (applied, view) = match lane.checked_sub(1) {
        None => (w.log.len() as u8, w.view),
        Some(replica) => w.replicas(bounds).get(replica).map(|replica| (replica.applied, replica.view))?,
    };
    let view = view.map_or(String::new(), |view| format!(", view {}", seen(rules, w, applied, view)));
    let text = if lane == 0 { format!("VDL @{}{view}", w.durable) } else { format!("@{applied}{view}") };
    Some(Status { epoch: u32::from(w.failovers) + 1, text })
}
