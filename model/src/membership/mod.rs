//! Members of a protection group and how they change (S18 §4.1, §4.2; protocol §5): the closed world of one group.
//!
//! Read [`configuration`], then [`rules`], then [`world`], then the table that heads [`properties`]. The sets alone are the
//! matter of [`crate::quorum`]; here they are used by a control plane, a writer, a recovery and eight segments that act at
//! any time, of which two join.
//!
//! | step | who | rule |
//! |---|---|---|
//! | a member is suspected: old and new set side by side | control plane | [`rules::MembershipRules::begin`] |
//! | segments make the configuration durable; gone by only when a write quorum of the one before has it | segments | [`rules::MembershipRules::is_installed`] |
//! | the joiner takes over from a read quorum, after that | joiner | [`rules::MembershipRules::may_hydrate`] |
//! | settle on the new set, or go back to the old one | control plane | [`rules::MembershipRules::may_settle`] |
//! | who is in no set any more may discard | segment | [`rules::MembershipRules::may_discard`] |
//! | a lost member is created anew, empty, and takes part when it is hydrated (C12) | metadata service | [`rules::MembershipRules::recreates`] |

pub mod bounds;
pub mod configuration;
mod goals;
mod mutants;
pub mod properties;
pub mod rules;
mod telling;
pub mod world;

pub use mutants::{MUTANTS, Mutant, PROFILES, Profile, by_id};

use crate::area::{self, Area, Catalogued, Context, Property, Violation, kinds, of_its_world};
use crate::refinement::{Record, StandsForVolume, Volume};
use crate::types::Lsn;
use bounds::Bounds;
use rules::MembershipRules;
use world::{Action, Commit, FIRST, Kept, Recovery, SECOND, World};

/// The area of one group whose members change.
#[derive(Clone, Copy, Debug)]
pub struct Membership;

impl Area for Membership {
    type Rules = MembershipRules;

    const NAME: &'static str = "membership";
    const PROPERTIES: &'static [Property<Self>] = &properties::ALL;

    kinds!(Action {
        Begin: "begin",
        Shrink: "shrink",
        Settle: "settle",
        Install: "install",
        Hydrate: "hydrate",
        Write: "write",
        Acknowledge: "acknowledge",
        Refresh: "refresh",
        Recover: "recover",
        FenceRead: "fence",
        Decide: "decide",
        Truncate: "truncate",
        Discard: "discard",
        Drop: "drop",
        Lose: "lose",
        Recreate: "recreate",
    });
    of_its_world!(World, Bounds, Action);
}

/// Each writer has one record, at the LSN of its epoch, and has allocated it when it opens. It is durable when it is acknowledged.
impl StandsForVolume for Membership {
    fn volume(c: Context<Self>, state: &World) -> Result<Volume, Violation> {
        let [first, second] = [FIRST, SECOND].map(|epoch| (Lsn(epoch.0.into()), epoch.0 as usize - 1));
        let is_acknowledged = |record: &Record| state.commits[record.1] != Commit::None;
        let volume = match state.recovery {
            Recovery::Open(kept) => {
                let kept = (kept == Kept::Yes).then_some(first);
                let new = c.bounds.second_record.is_on().then_some(second);
                let durable = new.filter(is_acknowledged).or(kept).map(|record| record.0);
                Volume::new(1, kept.into_iter().chain(new), durable.unwrap_or_default())
            }
            Recovery::None | Recovery::Reading | Recovery::Installing(_) => {
                let durable = Some(first).filter(is_acknowledged).map(|record| record.0);
                Volume::new(0, std::iter::once(first), durable.unwrap_or_default())
            }
        };
        let acknowledged = [first, second].into_iter().filter(is_acknowledged);
        volume.with_acknowledged(acknowledged.map(|record| record.0), "a writer")
    }
}

impl Catalogued for Membership {
    const PROFILES: &'static [area::Profile<Self>] = PROFILES;
    const MUTANTS: &'static [area::Mutant<Self>] = MUTANTS;
}
