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

mod mutants;
pub mod properties;
pub mod rules;
mod telling;
pub mod world;

pub use mutants::{MUTANTS, Mutant, PROFILES, Profile};

use crate::area::{self, Area, Catalogued, Context, Lane, Mark, Property, Status};
use crate::fields::Field;
use crate::pack::{Get, Put};
use rules::VolumeRules;
use world::{Action, Bounds, COPIES, GROUPS, World};

/// The area of a volume of several groups.
#[derive(Clone, Copy, Debug)]
pub struct Volume;

impl Area for Volume {
    type Rules = VolumeRules;
    type Bounds = Bounds;
    type State = World;
    type Action = Action;
    type Layout = ();

    const NAME: &'static str = "volume";
    const KINDS: &'static [&'static str] =
        &["recover", "fence", "decide", "truncate", "allocate", "write", "create", "grow"];
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
            Action::Decide { .. } => 2,
            Action::Truncate { .. } => 3,
            Action::Allocate { .. } => 4,
            Action::Write { .. } => 5,
            Action::Create { .. } => 6,
            Action::Grow { .. } => 7,
        }
    }

    fn is_reduced(bounds: &Bounds) -> bool {
        bounds.symmetry.is_on()
    }

    fn unreduced(bounds: Bounds) -> Bounds {
        bounds.unreduced()
    }

    /// Segments are numbered group by group.
    fn classes(c: Context<Self>) -> Vec<Vec<usize>> {
        (0..GROUPS).map(|group| (group * COPIES..group * COPIES + usize::from(c.bounds.copies)).collect()).collect()
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
        let renamed = |group: u8, copy: u8| (names[usize::from(group) * COPIES + usize::from(copy)] % COPIES) as u8;
        match action {
            Action::FenceRead { epoch, group, copy } => Action::FenceRead { epoch, group, copy: renamed(group, copy) },
            Action::Truncate { epoch, group, copy } => Action::Truncate { epoch, group, copy: renamed(group, copy) },
            Action::Write { epoch, group, record, copy } => {
                Action::Write { epoch, group, record, copy: renamed(group, copy) }
            }
            Action::Recover
            | Action::Decide { .. }
            | Action::Allocate { .. }
            | Action::Create { .. }
            | Action::Grow { .. } => action,
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
        telling::changes(c, before, after)
    }

    fn lanes(c: Context<Self>) -> Vec<Lane> {
        telling::lanes(c.bounds)
    }

    fn mark(c: Context<Self>, action: Action, before: &World, _: &World) -> Mark {
        telling::mark(c.bounds, action, before)
    }

    fn status(c: Context<Self>, state: &World, lane: usize) -> Option<Status> {
        telling::status(c, state, lane)
    }
}

impl Catalogued for Volume {
    const PROFILES: &'static [area::Profile<Self>] = PROFILES;
    const MUTANTS: &'static [area::Mutant<Self>] = MUTANTS;
}
