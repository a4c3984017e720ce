//! Disks that lie (protocol §8 M49, M50; BookKeeper #2908, Neon #9685): a bit that flips in a record, a power cut in the middle of a
//! truncation, repair from a peer; one protection group, one record, recoveries that rerun.
//!
//! Read [`rules`], then [`world`], then the table that heads [`properties`]. Unsynced prefixes that are lost are in the core.

mod goals;
mod mutants;
pub mod properties;
pub mod rules;
mod telling;
pub mod world;

pub use mutants::{MUTANTS, Mutant, PROFILES, Profile};

use crate::area::{self, Area, Catalogued, Context, Property, Violation, kinds, of_its_world};
use crate::refinement::{StandsForVolume, Volume};
use crate::types::Lsn;
use rules::DiskRules;
use world::{Action, Bounds, Phase, World};

/// The area of disks that lie.
#[derive(Clone, Copy, Debug)]
pub struct Disks;

impl Area for Disks {
    type Rules = DiskRules;

    const NAME: &'static str = "disk";
    const PROPERTIES: &'static [Property<Self>] = &properties::ALL;

    kinds!(Action {
        Recover: "recover",
        FenceRead: "fence",
        Decide: "decide",
        Truncate: "truncate",
        Crash: "crash",
        Write: "write",
        Flip: "flip",
        Repair: "repair",
    });
    of_its_world!(World, Bounds, Action);
}

/// The first writer has allocated all its records from the start; what a recovery keeps is durable.
impl StandsForVolume for Disks {
    fn volume(c: Context<Self>, state: &World) -> Result<Volume, Violation> {
        let open = (2..=state.newest()).rev().find(|&epoch| state.recovery(epoch).phase == Phase::Open);
        let acknowledged = state.acknowledged(c.bounds);
        let (writer, records, durable) = match open {
            Some(epoch) => (epoch - 1, state.recovery(epoch).kept, state.recovery(epoch).kept),
            None => (0, world::RECORDS as u8, acknowledged),
        };
        let upto = |last: u8| (1..=u64::from(last)).map(Lsn);
        let volume = Volume::new(writer.into(), upto(records).map(|lsn| (lsn, 0)), Lsn(durable.into()));
        volume.with_acknowledged(upto(acknowledged), "w1")
    }
}

impl Catalogued for Disks {
    const PROFILES: &'static [area::Profile<Self>] = PROFILES;
    const MUTANTS: &'static [area::Mutant<Self>] = MUTANTS;
    /// A truncation that is atomic is before a loss of power or after it.
    const OF_MISTAKES: &'static [&'static str] = &["crash"];
}
