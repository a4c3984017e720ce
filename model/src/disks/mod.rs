//! Disks that lie (protocol §8 M49, M50; BookKeeper #2908, Neon #9685): a bit that flips in a record, a power cut in the middle of a
//! truncation, repair from a peer; one protection group, one record, recoveries that rerun.
//!
//! Read [`rules`], then [`world`], then the table that heads [`properties`]. Unsynced prefixes that are lost are in the core.

mod mutants;
pub mod properties;
pub mod rules;
mod telling;
pub mod world;

pub use mutants::{MUTANTS, Mutant, PROFILES, Profile};

use crate::area::{self, Area, Catalogued, Context, Lane, Mark, Property, Status};
use crate::fields::Field;
use crate::pack::{Get, Put};
use rules::DiskRules;
use world::{Action, Bounds, World};

/// The area of disks that lie.
#[derive(Clone, Copy, Debug)]
pub struct Disks;

impl Area for Disks {
    type Rules = DiskRules;
    type Bounds = Bounds;
    type State = World;
    type Action = Action;
    type Layout = ();

    const NAME: &'static str = "disk";
    const KINDS: &'static [&'static str] =
        &["recover", "fence", "decide", "truncate", "crash", "write", "flip", "repair"];
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
            Action::Recover => 0,
            Action::FenceRead { .. } => 1,
            Action::Decide => 2,
            Action::Truncate { .. } => 3,
            Action::Crash { .. } => 4,
            Action::Write { .. } => 5,
            Action::Flip { .. } => 6,
            Action::Repair { .. } => 7,
        }
    }

    fn is_reduced(bounds: &Bounds) -> bool {
        bounds.symmetry.is_on()
    }

    fn unreduced(bounds: Bounds) -> Bounds {
        bounds.unreduced()
    }

    fn classes(c: Context<Self>) -> Vec<Vec<usize>> {
        vec![(0..usize::from(c.bounds.copies)).collect()]
    }

    fn permuted(_: Context<Self>, state: &World, sources: &[usize]) -> World {
        state.permuted(sources)
    }

    fn canonical(c: Context<Self>, state: World) -> World {
        state.canonical(c.bounds)
    }

    fn sources(c: Context<Self>, state: &World) -> Vec<usize> {
        state.sources(c.bounds).to_vec()
    }

    fn renamed(action: Action, names: &[usize]) -> Action {
        let renamed = |copy: u8| names[usize::from(copy)] as u8;
        match action {
            Action::Recover | Action::Decide => action,
            Action::FenceRead { copy } => Action::FenceRead { copy: renamed(copy) },
            Action::Truncate { copy } => Action::Truncate { copy: renamed(copy) },
            Action::Crash { copy } => Action::Crash { copy: renamed(copy) },
            Action::Write { record, copy } => Action::Write { record, copy: renamed(copy) },
            Action::Flip { record, copy } => Action::Flip { record, copy: renamed(copy) },
            Action::Repair { record, copy } => Action::Repair { record, copy: renamed(copy) },
        }
    }

    fn layout(_: Context<Self>) {}

    fn pack(_: Context<Self>, (): &(), state: &World, out: &mut impl Put) {
        state.put(out);
    }

    fn unpack(_: Context<Self>, (): &(), from: &mut impl Get) -> World {
        World::get(from)
    }

    fn describe(_: Context<Self>, action: Action) -> String {
        telling::describe(action)
    }

    fn changes(c: Context<Self>, before: &World, after: &World) -> Vec<String> {
        telling::changes(c.bounds, before, after)
    }

    fn lanes(c: Context<Self>) -> Vec<Lane> {
        telling::lanes(c.bounds)
    }

    fn mark(c: Context<Self>, action: Action, before: &World, _: &World) -> Mark {
        telling::mark(c.bounds, action, before)
    }

    fn status(c: Context<Self>, state: &World, lane: usize) -> Option<Status> {
        telling::status(c.bounds, state, lane)
    }
}

impl Catalogued for Disks {
    const PROFILES: &'static [area::Profile<Self>] = PROFILES;
    const MUTANTS: &'static [area::Mutant<Self>] = MUTANTS;
}
