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

use crate::area::{self, Area, Catalogued, Context, Property, kinds, of_its_world};
use bounds::Bounds;
use rules::MembershipRules;
use world::{Action, World};

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

impl Catalogued for Membership {
    const PROFILES: &'static [area::Profile<Self>] = PROFILES;
    const MUTANTS: &'static [area::Mutant<Self>] = MUTANTS;
}
