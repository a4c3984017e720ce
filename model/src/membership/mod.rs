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

pub mod configuration;
mod mutants;
pub mod properties;
pub mod rules;
mod telling;
pub mod world;

pub use mutants::{MUTANTS, Mutant, PROFILES, Profile, by_id};

use crate::area::{self, Area, Catalogued, Context, Lane, Mark, Property, Status};
use crate::fields::Field;
use crate::pack::{Get, Put};
use rules::MembershipRules;
use world::{Action, Bounds, World};

/// The area of one group whose members change.
#[derive(Clone, Copy, Debug)]
pub struct Membership;

impl Area for Membership {
    type Rules = MembershipRules;
    type Bounds = Bounds;
    type State = World;
    type Action = Action;
    type Layout = ();

    const NAME: &'static str = "membership";
    const KINDS: &'static [&'static str] = &[
        "begin",
        "shrink",
        "settle",
        "install",
        "hydrate",
        "write",
        "acknowledge",
        "refresh",
        "recover",
        "fence",
        "decide",
        "truncate",
        "discard",
        "drop",
        "lose",
    ];
    const PROPERTIES: &'static [Property<Self>] = &properties::ALL;

    fn initial(c: Context<Self>) -> World {
        World::created(c.bounds)
    }

    fn candidates(c: Context<Self>, state: &World, take: impl FnMut(Action)) {
        state.candidates(c.bounds, take);
    }

    fn after(c: Context<Self>, state: &World, action: Action) -> Option<World> {
        state.after(c.rules, c.bounds, action)
    }

    fn kind(action: &Action) -> usize {
        match action {
            Action::Begin { .. } => 0,
            Action::Shrink => 1,
            Action::Settle { .. } => 2,
            Action::Install { .. } => 3,
            Action::Hydrate { .. } => 4,
            Action::Write { .. } => 5,
            Action::Acknowledge { .. } => 6,
            Action::Refresh { .. } => 7,
            Action::Recover => 8,
            Action::FenceRead { .. } => 9,
            Action::Decide => 10,
            Action::Truncate { .. } => 11,
            Action::Discard { .. } => 12,
            Action::Drop { .. } => 13,
            Action::Lose { .. } => 14,
        }
    }

    fn is_reduced(bounds: &Bounds) -> bool {
        bounds.symmetry.is_on()
    }

    fn unreduced(bounds: Bounds) -> Bounds {
        bounds.unreduced()
    }

    fn classes(c: Context<Self>) -> Vec<Vec<usize>> {
        c.bounds.classes()
    }

    fn permuted(_: Context<Self>, state: &World, sources: &[usize]) -> World {
        state.permuted(&std::array::from_fn(|to| sources[to]))
    }

    fn canonical(c: Context<Self>, state: World) -> World {
        state.canonical(c.bounds)
    }

    fn sources(c: Context<Self>, state: &World) -> Vec<usize> {
        state.sources(c.bounds).to_vec()
    }

    fn renamed(action: Action, names: &[usize]) -> Action {
        action.renamed(names)
    }

    fn layout(_: Context<Self>) {}

    fn pack(_: Context<Self>, (): &(), state: &World, out: &mut impl Put) {
        state.put(out);
    }

    fn unpack(_: Context<Self>, (): &(), from: &mut impl Get) -> World {
        World::get(from)
    }

    fn describe(c: Context<Self>, action: Action) -> String {
        telling::describe(c.bounds, action)
    }

    fn changes(_: Context<Self>, before: &World, after: &World) -> Vec<String> {
        telling::changes(before, after)
    }

    fn lanes(c: Context<Self>) -> Vec<Lane> {
        telling::lanes(c.bounds)
    }

    fn mark(_: Context<Self>, action: Action, _: &World, _: &World) -> Mark {
        telling::mark(action)
    }

    fn status(_: Context<Self>, state: &World, lane: usize) -> Option<Status> {
        telling::status(state, lane)
    }
}

impl Catalogued for Membership {
    const PROFILES: &'static [area::Profile<Self>] = PROFILES;
    const MUTANTS: &'static [area::Mutant<Self>] = MUTANTS;
}
