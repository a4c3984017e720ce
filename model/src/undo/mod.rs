//! Transactions, their undo, and read views (S18 §3.1; protocol §2): a row that transactions change, and snapshots of it at the
//! writer and at replicas, which stay whole until they are closed.
//!
//! Read [`rules`], then [`world`], then the table that heads [`properties`].
//!
//! | term | here |
//! |---|---|
//! | read view: what was committed at an LSN | [`world::ReadView`] |
//! | undo: the version that a transaction overwrote | [`world::Row`] |
//! | purge: the undo of a committed transaction goes | [`world::Kind::Purge`] |

mod goals;
mod mutants;
pub mod properties;
pub mod rules;
mod telling;
pub mod world;

pub use mutants::{MUTANTS, Mutant, PROFILES, Profile};

use crate::area::{self, Area, Catalogued, Context, Property, Violation, kinds, of_its_world};
use crate::refinement::{Record, StandsForVolume, Volume};
use crate::types::Lsn;
use rules::UndoRules;
use world::{Action, Bounds, Kind, World};

/// The area of transactions and their undo.
#[derive(Clone, Copy, Debug)]
pub struct Undo;

impl Area for Undo {
    type Rules = UndoRules;

    const NAME: &'static str = "undo";
    const PROPERTIES: &'static [Property<Self>] = &properties::ALL;

    kinds!(Action {
        Write: "write",
        Commit: "commit",
        Undo: "undo",
        Purge: "purge",
        Harden: "harden",
        Look: "look",
        Leave: "leave",
        Apply: "apply",
        Open: "open",
        Close: "close",
        Report: "report",
        Failover: "failover",
    });
    of_its_world!(World, Bounds, Action);
}

/// The log is that of the transactions that have committed, each at the LSN of its commit, the row as it was in the beginning before
/// all of them. A read view stands at its LSN, and is shown the last of those up to there.
impl StandsForVolume for Undo {
    fn volume(c: Context<Self>, state: &World) -> Result<Volume, Violation> {
        let commits = (1u64..).zip(state.log.iter()).filter(|(_, record)| record.kind == Kind::Commit);
        let commits = commits.map(|(lsn, record)| (Lsn(lsn), usize::from(record.transaction)));
        let log: Vec<Record> = std::iter::once((Lsn(0), 0)).chain(commits).collect();
        let last = |log: &[Record]| log.last().copied().into_iter().collect::<Vec<_>>();
        let shown = |applied: u8, at: u8| {
            let version = state.shown(c.rules, applied, at).map(usize::from);
            // What has not committed is in no log.
            version.map(|version| {
                log.iter().copied().find(|record| record.1 == version).unwrap_or((Lsn(at.into()), version))
            })
        };
        let mut volume = Volume::new(state.failovers.into(), log.iter().copied(), Lsn(state.durable.into()));
        if let Some(view) = state.view {
            let seen = shown(state.log.len() as u8, view.at);
            volume = volume.shows("the writer", Lsn(view.at.into()), seen.as_slice(), last)?;
        }
        for (reader, replica) in state.replicas(c.bounds).iter().enumerate() {
            if let Some(view) = replica.view {
                let seen = shown(replica.applied, view.at);
                let who = format_args!("r{}", reader + 1);
                volume = volume.read_by(reader, who, Lsn(view.at.into()), seen.as_slice(), last)?;
            }
        }
        Ok(volume)
    }
}

impl Catalogued for Undo {
    const PROFILES: &'static [area::Profile<Self>] = PROFILES;
    const MUTANTS: &'static [area::Mutant<Self>] = MUTANTS;
}
