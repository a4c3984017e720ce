//! Pages (S17 §4.2, S18 §3; protocol §2, §3): who answers a read, what the writer evicts, what a replica applies and keeps, what is
//! folded into pages, backed up and collected.
//!
//! Read [`rules`], then [`world`], then the table that heads [`properties`].
//!
//! | term | here |
//! |---|---|
//! | read point: the VDL at which a page is wanted | [`world::Fetch::read_point`] |
//! | PGMRPL: the lowest point at which an instance may still read | [`world::World::lowest`] |
//! | gcp: up to where a segment has collected | [`world::Node::collected`] |
//! | coalescing, destructive: records folded into a page for good | [`world::Node::folded`] |

mod goals;
mod mutants;
pub mod properties;
pub mod rules;
mod telling;
pub mod world;

pub use mutants::{MUTANTS, Mutant, PROFILES, Profile};

use crate::area::{self, Area, Catalogued, Context, Property, kinds, of_its_world};
use rules::PageRules;
use world::{Action, Bounds, World};

/// The area of pages, replicas and collection.
#[derive(Clone, Copy, Debug)]
pub struct Pages;

impl Area for Pages {
    type Rules = PageRules;

    const NAME: &'static str = "pages";
    const PROPERTIES: &'static [Property<Self>] = &properties::ALL;

    kinds!(Action {
        Allocate: "allocate",
        Write: "write",
        Evict: "evict",
        Read: "read",
        Answer: "answer",
        Hedge: "hedge",
        Done: "done",
        Stream: "stream",
        Reconnect: "reconnect",
        Suspect: "suspect",
        Backup: "back up",
        Collect: "collect",
        CollectLate: "collect late",
        Failover: "failover",
    });
    of_its_world!(World, Bounds, Action);
}

impl Catalogued for Pages {
    const PROFILES: &'static [area::Profile<Self>] = PROFILES;
    const MUTANTS: &'static [area::Mutant<Self>] = MUTANTS;
    /// A hedged request is the same request, and what a replaced writer says of read points is not taken.
    const OF_MISTAKES: &'static [&'static str] = &["hedge", "collect late"];
}
