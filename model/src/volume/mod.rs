//! A volume of several protection groups (S17 §4.1, S18 §2.3; protocol §1, §4, §6): mini-transactions across groups, what is
//! complete and what durable, recovery over all groups, growth.
//!
//! Read [`rules`], then [`world`], then the table that heads [`properties`].
//!
//! | term | here |
//! |---|---|
//! | PGCL: a group's records up to here are on a write quorum | [`world::World::is_quorate`] |
//! | VCL: all records of the volume up to here are | [`world::World::complete`] |
//! | VDL: the last end of a mini-transaction up to there | [`world::World::durable`], [`world::World::vdl`] |
//! | LAL: no LSN is allocated further above the VDL, or the last range | [`rules::VolumeRules`], [`world::Bounds::lal`] |
//! | geometry: the groups that the metadata service knows | [`world::World::geometry`] |

mod goals;
mod mutants;
pub mod properties;
pub mod rules;
mod telling;
pub mod world;

pub use mutants::{MUTANTS, Mutant, PROFILES, Profile};

use crate::area::{self, Area, Catalogued, Context, Property, Violation, kinds, of_its_world};
use crate::refinement::{self, StandsForVolume};
use crate::types::Lsn;
use rules::VolumeRules;
use world::{Action, Bounds, Phase, World};

/// The area of a volume of several groups.
#[derive(Clone, Copy, Debug)]
pub struct Volume;

impl Area for Volume {
    type Rules = VolumeRules;

    const NAME: &'static str = "volume";
    const PROPERTIES: &'static [Property<Self>] = &properties::ALL;

    kinds!(Action {
        Recover: "recover",
        FenceRead: "fence",
        Decide: "decide",
        Truncate: "truncate",
        Allocate: "allocate",
        Write: "write",
        Create: "create",
        Grow: "grow",
    });
    of_its_world!(World, Bounds, Action);
}

/// The log of the volume chain: what the newest open epoch keeps, and what it has allocated.
impl StandsForVolume for Volume {
    fn volume(c: Context<Self>, state: &World) -> Result<refinement::Volume, Violation> {
        let is_open = |&epoch: &u8| state.instance(epoch).phase == Phase::Open;
        let epoch = (1..=state.newest()).rev().find(is_open).ok_or("nobody has opened the volume")?;
        let lsn = |record: usize| Lsn(state.records[record].lsn.into());
        let allocated_by =
            |record: usize| (1..=epoch).find(|&by| c.bounds.share(by).contains(&record)).unwrap_or(epoch);
        let chain = state.volume(c.bounds, epoch);
        let records = chain.iter().map(|&record| (lsn(record.into()), usize::from(allocated_by(record.into()) - 1)));
        let vdl = Lsn(state.vdl(c.rules, c.bounds, epoch).into());
        let torn = |at: Lsn| {
            chain.iter().any(|&record| lsn(record.into()) == at && !c.bounds.planned(record.into()).ends.is_on())
        };
        let volume = refinement::Volume::new(usize::from(epoch - 1), records, vdl).in_transactions(|at| !torn(at))?;
        (1..=state.newest()).filter(is_open).try_fold(volume, |volume, epoch| {
            let acknowledged = state.acknowledged(c.rules, c.bounds, epoch);
            volume.with_acknowledged(acknowledged.iter().map(lsn), format_args!("w{epoch}"))
        })
    }
}

impl Catalogued for Volume {
    const PROFILES: &'static [area::Profile<Self>] = PROFILES;
    const MUTANTS: &'static [area::Mutant<Self>] = MUTANTS;
    /// The segments of a new group are there when it is recorded.
    const OF_MISTAKES: &'static [&'static str] = &["create"];
}
