//! A database over several regions, beyond the papers: one primary region that writes, secondary regions that follow its log over
//! a stream that loses, repeats and reorders; planned switchover, unplanned promotion, the old primary that comes back.
//!
//! Nobody has published how Aurora's Global Database does this. What is public (AWS documentation: redo is replicated, a
//! secondary may be read, a switchover loses nothing, a failover loses what was not replicated, a managed RPO holds commits back) is
//! here what must hold; the rules are those of the core carried over: epochs, truncation, whole mini-transactions.
//!
//! Read [`rules`], then [`world`], then the table that heads [`properties`].
//!
//! | term | here |
//! |---|---|
//! | region | a volume with six copies of its own, which the core explores; here a log and how far it is applied |
//! | global record | the one metadata record all regions share: the newest epoch, and for each where its log began |
//! | epoch | number of a writer: taken at the global record, by a promotion, a switchover, or a failover within the region |
//! | shipped | what a secondary region has by whole mini-transactions without a gap |
//! | RPO | how many records a commit may be ahead of what some secondary has reported |

mod goals;
pub mod log;
mod mutants;
pub mod properties;
pub mod rules;
mod telling;
pub mod world;

pub use mutants::{MUTANTS, Mutant, PROFILES, Profile};

use crate::area::{self, Area, Catalogued, Context, Property, kinds, of_its_world};
use rules::RegionRules;
use world::{Action, Bounds, World};

/// The area of regions.
#[derive(Clone, Copy, Debug)]
pub struct Regions;

impl Area for Regions {
    type Rules = RegionRules;

    const NAME: &'static str = "region";
    const PROPERTIES: &'static [Property<Self>] = &properties::ALL;

    kinds!(Action {
        Allocate: "allocate",
        Durable: "durable",
        Deliver: "deliver",
        Report: "report",
        Follow: "follow",
        Promote: "promote",
        Failover: "failover",
        Stop: "stop",
        Switch: "switch",
        Resume: "resume",
    });
    of_its_world!(World, Bounds, Action);
}

impl Catalogued for Regions {
    const PROFILES: &'static [area::Profile<Self>] = PROFILES;
    const MUTANTS: &'static [area::Mutant<Self>] = MUTANTS;
}
