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

use crate::area::{self, Area, Catalogued, Context, Property, kinds, of_its_world};
use rules::UndoRules;
use world::{Action, Bounds, World};

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

impl Catalogued for Undo {
    const PROFILES: &'static [area::Profile<Self>] = PROFILES;
    const MUTANTS: &'static [area::Mutant<Self>] = MUTANTS;
}
