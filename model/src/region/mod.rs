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

use crate::area::{self, Area, Catalogued, Context, Property, Violation, kinds, of_its_world};
use crate::refinement::{Record, StandsForVolume, Step, Volume};
use crate::types::Lsn;
use rules::RegionRules;
use world::{Action, Bounds, Opening, Role, World};

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

/// The log is that of the newest epoch, durable as far as it is in its own region. Secondaries that follow it stand where they have
/// applied it, and are shown what they have up to there. A promotion makes that the log; who switches over, or fails over within the
/// region, replaces the writer. Of an older epoch the log is another volume, which those read that still follow it; what its writer
/// has acknowledged is in the newest one, too, unless there was a promotion since.
impl StandsForVolume for Regions {
    fn volume(c: Context<Self>, state: &World) -> Result<Volume, Violation> {
        let newest = state.newest();
        for epoch in 1..newest {
            of_epoch(c, state, epoch)?;
        }
        let since_promoted = (1..=newest).rev().find(|&e| state.epoch(e).opening == Opening::Promoted).unwrap_or(1);
        let last = state.epoch(newest);
        for epoch in since_promoted..newest {
            let acknowledged = state.acknowledged(c.rules, c.bounds, epoch);
            let mut own = state.epoch(epoch).start + 1..=acknowledged;
            // Two epochs may have written at one LSN.
            if let Some(lsn) = own.find(|&lsn| lsn > last.durable || last.log.at(lsn) != Some(epoch)) {
                return Err(format!("@{lsn} is acknowledged by e{epoch} and not in the volume"));
            }
        }
        of_epoch(c, state, newest)
    }

    fn step(action: Action) -> Step {
        match action {
            Action::Promote { region } => Step::Promote(region.into()),
            Action::Allocate { .. }
            | Action::Durable { .. }
            | Action::Deliver { .. }
            | Action::Report { .. }
            | Action::Follow { .. }
            | Action::Failover { .. }
            | Action::Stop { .. }
            | Action::Switch { .. }
            | Action::Resume { .. } => Step::Usual,
        }
    }
}

/// The log of an epoch, with those that read it.
fn of_epoch(c: Context<Regions>, state: &World, epoch: u8) -> Result<Volume, Violation> {
    let records = |log: log::Log, upto: u8| {
        let there = (1..=upto).filter_map(move |lsn| Some((lsn, log.at(lsn)?)));
        there.map(|(lsn, by)| (Lsn(lsn.into()), usize::from(by)))
    };
    let own = state.epoch(epoch);
    let volume = Volume::new(usize::from(epoch) - 1, records(own.log, own.log.last()), Lsn(own.durable.into()));
    let mut volume = volume.in_transactions(|lsn| state.ends(c.bounds, own.log, lsn.0 as u8))?;
    let everything = |log: &[Record]| log.to_vec();
    for (place, region) in state.regions(c.bounds).iter().enumerate().filter(|(_, region)| region.epoch == epoch) {
        let who = format_args!("region {}", place + 1);
        volume = match region.role {
            Role::Secondary => {
                let seen: Vec<Record> = records(region.log, region.applied).collect();
                volume.read_by(place, who, Lsn(region.applied.into()), &seen, everything)?
            }
            Role::Primary | Role::Stopped => {
                let seen: Vec<Record> = records(region.log, region.log.last()).collect();
                volume.shows(who, Lsn(own.log.last().into()), &seen, everything)?
            }
            Role::Absent => volume,
        };
    }
    Ok(volume)
}

impl Catalogued for Regions {
    const PROFILES: &'static [area::Profile<Self>] = PROFILES;
    const MUTANTS: &'static [area::Mutant<Self>] = MUTANTS;
}
