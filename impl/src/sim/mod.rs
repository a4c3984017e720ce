//! The world in a box: the real node, writer and clients on virtual time, in one queue of events.
//!
//! ```text
//! clients ──commands──▶ writers ──frames──▶ network ──▶ nodes ──entries──▶ log on a disk in memory
//! ```
//!
//! Real are the node's server, its log with recovery, the codec of the frames, the database instance with its retransmission, the
//! step functions and the clients' contract; in the place of threads, sockets and the operating system's disk stand events. Every
//! draw comes from the seed, from a stream of its own for each purpose; so one seed is one run, to the byte.
//!
//! Properties are judged as the run goes ([`crate::ledger`]); at the end faults stop, and the volume must converge: the newest writer
//! open, every record committed, every node complete, every client answered. What the clients saw is in the outcome, for a checker of
//! histories.

mod agenda;
mod client;
mod guided;
mod instance;
mod network;
mod pct;
mod plan;
mod storage;
mod trace;
mod world;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use sextant_histories::Event;
use sextant_model::rules::Rules;

pub use crate::ledger::Violation;
pub(crate) use instance::WriterProcess;
pub use pct::Scheduler;
pub use plan::{FaultKind, Plan, Window};
pub use storage::ExecutorMistake;
pub use world::event_kinds;

use crate::visited::Visited;

use crate::writer::COPIES;

const ZONES: usize = 3;

/// How to run.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    pub rules: Rules,
    /// A mistake of the node's executor, to be found.
    pub executor: Option<ExecutorMistake>,
    pub scheduler: Scheduler,
    /// Keep a line for each event.
    pub trace: bool,
    /// Judge the properties as the run goes.
    pub properties: bool,
    /// Take note of the shapes of the states, where properties are judged.
    pub coverage: bool,
}

/// What came of it.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Deliveries, completed syncs, timers, faults.
    pub events: u64,
    pub simulated: Duration,
    pub history: Vec<Event>,
    /// Operations by their end.
    pub ok: u64,
    pub fail: u64,
    pub info: u64,
    /// Volume epochs taken after the first, and how many of these opened.
    pub epochs: usize,
    pub failovers: usize,
    /// By kind of fault: how often it happened, and how often it changed something.
    pub faults: BTreeMap<FaultKind, Struck>,
    /// How often a fault began in a cell of the fault space.
    pub cells: BTreeMap<Cell, u64>,
    /// By the nodes that were away: what succeeded all the same.
    pub available: BTreeMap<Class, Available>,
    /// How often each kind of event happened, by [`event_kinds`].
    pub kinds: Vec<u64>,
    pub visited: Option<Visited>,
    pub violation: Option<Violation>,
    /// Of everything that happened: equal for equal runs.
    pub digest: u64,
    pub trace: Option<Vec<String>>,
}

/// Where the newest incarnation stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Phase {
    /// R0: nobody has the volume yet.
    Taking,
    /// R1, R2
    Reading,
    /// R3
    Installing,
    /// R4 and after
    Serving,
    /// It is dead or deposed.
    Gone,
}

impl Phase {
    pub const ALL: [Phase; 5] = [Phase::Taking, Phase::Reading, Phase::Installing, Phase::Serving, Phase::Gone];

    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Phase::Taking => "taking",
            Phase::Reading => "reading",
            Phase::Installing => "installing",
            Phase::Serving => "serving",
            Phase::Gone => "gone",
        }
    }
}

/// Nodes that are away, by zone, most first: with two in each of three zones there are ten.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Class(pub [u8; ZONES]);

impl Class {
    /// Every class, fewest nodes first.
    #[must_use]
    pub fn all() -> Vec<Class> {
        let per_zone = (COPIES / ZONES) as u8;
        let mut classes: Vec<Class> = Vec::new();
        for a in 0..=per_zone {
            for b in 0..=a {
                classes.extend((0..=b).map(|c| Class([a, b, c])));
            }
        }
        classes.sort_by_key(|class| (class.0.iter().sum::<u8>(), class.0));
        classes
    }
}

impl std::fmt::Display for Class {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let [a, b, c] = self.0;
        write!(f, "{a}+{b}+{c}")
    }
}

/// A kind of fault that begins in a phase of the newest incarnation, after which the nodes of a class are away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cell {
    pub class: Class,
    pub kind: FaultKind,
    pub phase: Phase,
}

impl Cell {
    /// The whole fault space.
    pub fn all() -> impl Iterator<Item = Cell> {
        let kinds = |class| FaultKind::ALL.into_iter().map(move |kind| (class, kind));
        let pairs = Class::all().into_iter().flat_map(kinds);
        pairs.flat_map(|(class, kind)| Phase::ALL.map(|phase| Cell { class, kind, phase }))
    }

    /// Why nothing can happen there, if nothing can.
    #[must_use]
    pub fn infeasible(self) -> Option<&'static str> {
        (self.kind.takes_away() && self.class == Class([0; ZONES])).then_some("the fault itself takes a node away")
    }
}

/// Stretches of time in which nodes of one class were away, nothing else was wrong, and there was time enough.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Available {
    /// In which writes had to succeed, or a violation was found.
    pub writes: u64,
    /// In which a writer served, and reads had to be confirmed, or a violation was found; and in how many of them a client has read.
    pub reads: u64,
    pub read: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Struck {
    pub times: u64,
    pub bit: u64,
}

impl Options {
    /// By `rules`, with everything judged.
    #[must_use]
    pub fn new(rules: Rules) -> Self {
        Options { rules, executor: None, scheduler: Scheduler::Time, trace: false, properties: true, coverage: false }
    }
}

/// Runs `plan` with the draws of `seed`.
#[must_use]
pub fn run(seed: u64, plan: &Plan, options: &Options) -> Outcome {
    world::World::new(seed, plan, options, None).run()
}

/// The same, and every actor records what it does in the folder `flight`, as the real ones do ([`crate::flight`]).
///
/// # Panics
/// If the folder cannot be written.
#[must_use]
pub fn run_recorded(seed: u64, plan: &Plan, options: &Options, flight: &Path) -> Outcome {
    world::World::new(seed, plan, options, Some(flight)).run()
}
