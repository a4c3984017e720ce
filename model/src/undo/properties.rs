//! What must hold of read views (protocol §7), each as a named function that returns the violating fact.
//!
//! | property | says | broken by |
//! |---|---|---|
//! | S26 Client | every read view, the writer's and a replica's, shows what was committed at its LSN, as long as it is open | M51, M80, M81 |
//! | L8 UndoPurged | the fault-free suffix ends with no undo that no read view needs | M82 |
//!
//! That a replica's views of one session do not go back, and that its pages end with whole mini-transactions, are S22 and S23 of
//! [`crate::pages`].

use super::Undo;
use super::world::{Kind, ReadView, World};
use crate::area::{self, Violation};

pub type Property = area::Property<Undo>;

type Context<'a> = area::Context<'a, Undo>;

/// Every property.
pub const ALL: [Property; 2] = [
    Property {
        id: "S26",
        name: "Client",
        formula: "v an open read view ⇒ the row at v = the last version whose commit ≤ v.lsn",
        section: "§7, S18 §3.1",
        check: snapshots_hold,
        sometimes: needs_undo,
    },
    Property {
        id: "L8",
        name: "UndoPurged",
        formula: "no fault-free step ⇒ no committed transaction's undo that no open view needs",
        section: "§7, S18 §3.1",
        check: undo_purged,
        sometimes: |c, w| !w.may_progress(c.rules, c.bounds) && w.log.iter().any(|record| record.kind == Kind::Purge),
    },
];

/// The open read views: whose, at which LSN, and how much of the log is applied there.
fn views<'a>(c: Context<'a>, w: &'a World) -> impl Iterator<Item = (String, ReadView, u8)> + 'a {
    let writer = w.view.map(|view| ("the writer".to_owned(), view, w.log.len() as u8));
    let replicas = w.replicas(c.bounds).iter().enumerate();
    writer.into_iter().chain(
        replicas.filter_map(|(number, replica)| Some((format!("r{}", number + 1), replica.view?, replica.applied))),
    )
}

fn snapshots_hold(c: Context, w: &World) -> Result<(), Violation> {
    for (whose, view, applied) in views(c, w) {
        let expected = w.snapshot(view.at);
        match w.shown(c.rules, applied, view.at) {
            Some(shown) if shown == expected => {}
            Some(shown) => {
                return Err(format!("{whose} at @{} is shown version {shown}; committed was {expected}", view.at));
            }
            None => return Err(format!("{whose} at @{} needs version {expected}, which is purged", view.at)),
        }
    }
    Ok(())
}

/// A committed transaction whose undo is there although no open view needs it.
pub(super) fn owed(c: Context, w: &World) -> Option<u8> {
    (1..=c.bounds.transactions).find(|&transaction| {
        let is_seen = |commit: u8| views(c, w).all(|(_, view, _)| commit <= view.at);
        w.lsn_of(Kind::Purge, transaction).is_none() && w.lsn_of(Kind::Commit, transaction).is_some_and(is_seen)
    })
}

fn undo_purged(c: Context, w: &World) -> Result<(), Violation> {
    match owed(c, w).filter(|_| !w.may_progress(c.rules, c.bounds)) {
        Some(transaction) => Err(format!("what T{transaction} overwrote is kept for nobody")),
        None => Ok(()),
    }
}

/// A replica's view needs a version that was overwritten, by a transaction that has committed.
fn needs_undo(c: Context, w: &World) -> bool {
    w.replicas(c.bounds).iter().any(|replica| {
        replica.view.is_some_and(|view| {
            let newest = w.row(replica.applied).versions.first().copied().unwrap_or(0);
            newest != w.snapshot(view.at) && w.lsn_of(Kind::Commit, newest).is_some_and(|at| at <= replica.applied)
        })
    })
}
