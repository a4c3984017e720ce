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

mod mutants;
pub mod properties;
pub mod rules;
mod telling;
pub mod world;

pub use mutants::{MUTANTS, Mutant, PROFILES, Profile};

use crate::area::{self, Area, Catalogued, Context, Lane, Mark, Property, Status};
use crate::fields::Field;
use crate::pack::{Get, Put};
use rules::PageRules;
use world::{Action, Bounds, World};

/// The area of pages, replicas and collection.
#[derive(Clone, Copy, Debug)]
pub struct Pages;

impl Area for Pages {
    type Rules = PageRules;
    type Bounds = Bounds;
    type State = World;
    type Action = Action;
    type Layout = ();

    const NAME: &'static str = "pages";
    const KINDS: &'static [&'static str] = &[
        "allocate",
        "write",
        "evict",
        "read",
        "answer",
        "hedge",
        "done",
        "stream",
        "reconnect",
        "suspect",
        "back up",
        "collect",
        "collect late",
        "failover",
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
            Action::Allocate => 0,
            Action::Write { .. } => 1,
            Action::Evict { .. } => 2,
            Action::Read { .. } => 3,
            Action::Answer { .. } => 4,
            Action::Hedge { .. } => 5,
            Action::Done { .. } => 6,
            Action::Stream => 7,
            Action::Reconnect => 8,
            Action::Suspect => 9,
            Action::Backup { .. } => 10,
            Action::Collect { .. } => 11,
            Action::CollectLate { .. } => 12,
            Action::Failover { .. } => 13,
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
            Action::Write { record, copy } => Action::Write { record, copy: renamed(copy) },
            Action::Answer { reader, copy } => Action::Answer { reader, copy: renamed(copy) },
            Action::Backup { copy } => Action::Backup { copy: renamed(copy) },
            Action::Collect { copy } => Action::Collect { copy: renamed(copy) },
            Action::CollectLate { copy } => Action::CollectLate { copy: renamed(copy) },
            Action::Allocate
            | Action::Evict { .. }
            | Action::Read { .. }
            | Action::Hedge { .. }
            | Action::Done { .. }
            | Action::Stream
            | Action::Reconnect
            | Action::Suspect
            | Action::Failover { .. } => action,
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

    fn mark(_: Context<Self>, action: Action, _: &World, _: &World) -> Mark {
        telling::mark(action)
    }

    fn status(c: Context<Self>, state: &World, lane: usize) -> Option<Status> {
        telling::status(c.bounds, state, lane)
    }
}

impl Catalogued for Pages {
    const PROFILES: &'static [area::Profile<Self>] = PROFILES;
    const MUTANTS: &'static [area::Mutant<Self>] = MUTANTS;
}
