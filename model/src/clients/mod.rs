//! Clients (protocol §13): two of them read, write, and compare and set one register, which is stored in the core's volume through
//! failovers, at new writers and at replaced ones, and what they are answered is linearizable.
//!
//! This is the promise of the whole, judged as a user of the product would judge it, and exhaustively: [`calls`] keeps what
//! clients were told inside the state, and Stateright's tester says whether one register could have told them the same. Read
//! [`calls`], then [`world`].
//!
//! The rule book is the core's. It is the legs of the core that exercise every value of its decisions.

pub mod calls;
mod goals;
mod mutants;
mod telling;
pub mod world;

pub use mutants::{MUTANTS, Mutant, PROFILES, Profile};

use crate::action::Action as CoreAction;
use crate::area::{self, Area, Catalogued, Context, Lane, Mark, Property, Status, Violation};
use crate::group::Group;
use crate::pack::{Get, Layout, Put};
use crate::refinement::{StandsForVolume, Volume};
use crate::rules::Rules;
use world::{Action, Bounds, COPIES, World};

/// The area of clients.
#[derive(Clone, Copy, Debug)]
pub struct Clients;

pub(crate) type Storage = Group<COPIES>;

/// The same question asked of the storage below.
fn below(c: Context<'_, Clients>) -> Context<'_, Storage> {
    Context { rules: c.rules, bounds: &c.bounds.core }
}

fn linearizable(c: Context<Clients>, w: &World) -> Result<(), Violation> {
    if w.calls.are_linearizable() { Ok(()) } else { Err(telling::history(c, w)) }
}

/// A client has read what the other one wrote, and both have called at the same time.
fn have_met(_: Context<Clients>, w: &World) -> bool {
    let read_of_the_other = w.calls.by_client().any(|(client, calls)| {
        let values = |call: &calls::Call| match call.effect {
            calls::Effect::Saw(value) if call.waits_at.is_none() => Some(value),
            _ => None,
        };
        let own = (0..calls::CALLS).map(|place| calls::value_of(client, place));
        calls.iter().filter_map(values).any(|value| value != 0 && own.clone().all(|own| own != value))
    });
    read_of_the_other && w.calls.all().all(|call| call.after == 0)
}

impl Area for Clients {
    type Rules = Rules;
    type Bounds = Bounds;
    type State = World;
    type Action = Action;
    type Layout = Layout;

    const NAME: &'static str = "clients";
    const PROPERTIES: &'static [Property<Self>] = &[Property {
        id: "S26",
        name: "Linearizable",
        formula: "∃ order of the calls, of one register, in which no call precedes one answered before it was made",
        section: "§7 S26, §13",
        check: linearizable,
        sometimes: have_met,
    }];

    const KINDS: &'static [&'static str] = &[
        "recover",
        "fence",
        "decide",
        "truncate",
        "write",
        "gossip",
        "sync",
        "crash",
        "wipe",
        "begin round",
        "confirm",
        "call read",
        "call write",
        "call cas",
    ];

    fn kind(action: &Action) -> usize {
        match action {
            Action::Storage(action) => match action {
                CoreAction::Recover => 0,
                CoreAction::FenceRead { .. } => 1,
                CoreAction::Decide { .. } => 2,
                CoreAction::Truncate { .. } => 3,
                CoreAction::Write { .. } => 4,
                CoreAction::Gossip { .. } => 5,
                CoreAction::Sync { .. } => 6,
                CoreAction::Crash { .. } => 7,
                CoreAction::Wipe { .. } => 8,
                CoreAction::BeginRound { .. } => 9,
                CoreAction::Confirm { .. } => 10,
                // Never possible here: a client's call stands for them.
                CoreAction::Read { .. } => 11,
                CoreAction::Allocate { .. } => 12,
            },
            Action::Call { request, .. } => match request {
                calls::Request::Read => 11,
                calls::Request::Write => 12,
                calls::Request::Swap { .. } => 13,
            },
        }
    }

    fn settled(rules: Rules, bounds: &Bounds) -> Rules {
        Storage::settled(rules, &bounds.core)
    }

    fn admits(rules: &Rules, bounds: &Bounds) -> Result<(), String> {
        bounds.admissible()?;
        Storage::admits(rules, &bounds.core)
    }

    fn initial(c: Context<Self>) -> World {
        World::created(c.rules, c.bounds)
    }

    fn candidates(c: Context<Self>, state: &World, take: impl FnMut(Action)) {
        state.candidates(c.bounds, take);
    }

    fn after(c: Context<Self>, state: &World, action: Action) -> Option<World> {
        state.after(c.rules, c.bounds, action)
    }

    fn may_end(c: Context<Self>, state: &World) -> bool {
        goals::may_end(c, state)
    }

    fn is_reduced(bounds: &Bounds) -> bool {
        bounds.core.symmetry.is_on()
    }

    fn unreduced(bounds: Bounds) -> Bounds {
        bounds.unreduced()
    }

    fn classes(c: Context<Self>) -> Vec<Vec<usize>> {
        Storage::classes(below(c))
    }

    fn permuted(c: Context<Self>, state: &World, sources: &[usize]) -> World {
        World { storage: Storage::permuted(below(c), &state.storage, sources), calls: state.calls }
    }

    fn canonical(c: Context<Self>, state: World) -> World {
        World { storage: Storage::canonical(below(c), state.storage), calls: state.calls }
    }

    fn sources(c: Context<Self>, state: &World) -> Vec<usize> {
        Storage::sources(below(c), &state.storage)
    }

    fn renamed(action: Action, names: &[usize]) -> Action {
        match action {
            Action::Storage(action) => Action::Storage(Storage::renamed(action, names)),
            Action::Call { .. } => action,
        }
    }

    fn layout(c: Context<Self>) -> Layout {
        world::layout(c.rules, c.bounds)
    }

    fn pack(_: Context<Self>, layout: &Layout, state: &World, out: &mut impl Put) {
        world::pack(*layout, state, out);
    }

    fn unpack(_: Context<Self>, layout: &Layout, from: &mut impl Get) -> World {
        world::unpack(*layout, from)
    }

    fn describe(c: Context<Self>, action: Action) -> String {
        telling::describe(c, action)
    }

    fn changes(c: Context<Self>, before: &World, after: &World) -> Vec<String> {
        telling::changes(c, before, after)
    }

    fn lanes(c: Context<Self>) -> Vec<Lane> {
        telling::lanes(c)
    }

    fn mark(c: Context<Self>, action: Action, before: &World, after: &World) -> Mark {
        telling::mark(c, action, before, after)
    }

    fn status(c: Context<Self>, state: &World, lane: usize) -> Option<Status> {
        telling::status(c, state, lane)
    }
}

impl StandsForVolume for Clients {
    fn volume(_: Context<Self>, state: &World) -> Result<Volume, Violation> {
        Volume::of(&state.storage)
    }
}

impl Catalogued for Clients {
    const PROFILES: &'static [area::Profile<Self>] = PROFILES;
    const MUTANTS: &'static [area::Mutant<Self>] = MUTANTS;
    /// While everything acknowledged is synced, nothing waits for its sync and a crash loses nothing.
    const OF_MISTAKES: &'static [&'static str] = &["sync", "crash"];
}
