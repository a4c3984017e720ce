//! The `packed` engine: exhaustive breadth-first search for any [`stateright::Model`] whose states have a packed form.
//!
//! * Level by level on all cores, so that the first violation has a shortest trace, and the same one for any number of
//!   threads: of a level's violations, the first property in the model's order, and there the least packed state.
//! * The visited set holds 64-bit fingerprints, or with [`Store::Exact`] the states themselves ([`exact`]).
//! * No parent map and no path in the queue: a trace is walked back through the levels ([`trace`]). Few levels are kept in
//!   memory; where they were not kept, the search is repeated up to the violation.
//! * A duplicate that the same thread saw a moment ago is dropped before it reaches the table; what is left is sorted by
//!   shard, and a batch reads all its slots before it looks at one, so that the memory accesses overlap.
//! * A panic of the model is a violation, with its trace.
//! * Memory has a limit where one is given: levels go to files, the visited set to sorted runs ([`spill`]), and a search
//!   that keeps a checkpoint can be killed at any moment and resumed ([`checkpoint`]).

mod bits;
pub(super) mod checkpoint;
pub(super) mod exact;
pub(super) mod levels;
pub(super) mod mix;
mod region;
mod run;
pub(super) mod search;
pub(super) mod shape;
mod spill;
pub(super) mod table;
pub(super) mod trace;
pub(super) mod worker;

use std::time::Duration;

use stateright::Model;

pub use bits::{Narrow, Pack, Reader, Writer, field, fitting, tag_bits};
pub use checkpoint::{Begin, Checkpoint};
pub use mix::expected_collisions;
pub use run::explore;
pub use search::message as panic_message;

/// A model whose states have a form of a fixed number of bits. Law: `unpack` gives back what was packed, and equal states
/// pack to equal bits.
pub trait Packed: Model {
    /// Bits of every packed state.
    fn bits(&self) -> u32;

    /// Puts the state, at most [`Packed::bits`] bits. Panics where it does not fit.
    fn pack(&self, state: &Self::State, out: &mut Writer);

    fn unpack(&self, from: &mut Reader) -> Self::State;

    /// The state that stands for all that are symmetric to this one; itself where nothing is symmetric. Law: symmetric
    /// states have one canonical state, and it is symmetric to each.
    fn canonical(&self, state: Self::State) -> Self::State {
        state
    }

    /// Whether a run may end in `state`: [`Deadlock::Violation`] does not count such a state without a successor.
    fn may_end(&self, _: &Self::State) -> bool {
        false
    }
}

/// How the visited set remembers a state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Store {
    /// By 64 bits, about ten bytes a state. Two states may share them, and then one is never explored:
    /// [`expected_collisions`] says how likely that is. States of at most eight bytes never do.
    #[default]
    Fingerprints,
    /// By itself: no collision is possible.
    Exact,
}

/// When a search ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Stop {
    /// After the level of the first violation.
    #[default]
    AtFirst,
    /// When every state is explored; each property is reported with its first violation.
    AtEnd,
}

/// What a state without a successor is, unless the model says that a run [`Packed::may_end`] there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Deadlock {
    #[default]
    Allowed,
    Violation,
}

/// Names for kinds of actions, so that they can be counted.
#[derive(Debug)]
pub struct Labels<A> {
    pub names: &'static [&'static str],
    /// The place of an action's name among the names.
    pub of: fn(&A) -> usize,
}

impl<A> Clone for Labels<A> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<A> Copy for Labels<A> {}

/// How to search.
#[derive(Debug)]
pub struct Options<A> {
    /// Law: at least one.
    pub threads: usize,
    pub store: Store,
    pub stop: Stop,
    pub deadlock: Deadlock,
    pub labels: Option<Labels<A>>,
    /// Bytes of earlier levels that stay in memory, to walk a trace back without a second search.
    pub kept_bytes: usize,
    /// Bytes of memory that the process may use. Beyond it levels and visited set go to files, in the checkpoint's folder or
    /// in a temporary one.
    pub memory: Option<u64>,
    pub checkpoint: Option<Checkpoint>,
}

impl<A> Clone for Options<A> {
    fn clone(&self) -> Self {
        Options { checkpoint: self.checkpoint.clone(), ..*self }
    }
}

impl<A> Default for Options<A> {
    fn default() -> Self {
        Options {
            threads: std::thread::available_parallelism().map_or(1, usize::from),
            store: Store::default(),
            stop: Stop::default(),
            deadlock: Deadlock::default(),
            labels: None,
            kept_bytes: 32 << 20,
            memory: None,
            checkpoint: None,
        }
    }
}

/// How far a search has come.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    pub unique_states: u64,
    pub generated_states: u64,
    /// Actions to the states that are being explored.
    pub depth: usize,
    /// States found and not yet explored.
    pub frontier: u64,
    /// Bytes of the visited set and of the levels in memory.
    pub memory_bytes: u64,
    /// Bytes written to files.
    pub disk_bytes: u64,
    /// Pairs of states that share a fingerprint, as expected for this many states.
    pub expected_collisions: f64,
    pub elapsed: Duration,
    /// What is left if the levels go on shrinking as they do; none while they grow.
    pub remaining: Option<Duration>,
}

/// How a search ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// Every state was explored.
    Complete,
    /// At the first violation.
    Violated,
    /// Before the end, and so it says nothing about what it did not reach.
    Stopped(String),
}

/// What a search found.
#[derive(Clone, Debug)]
pub struct Outcome<S, A> {
    pub end: End,
    /// States that are not the same; at a violation those that need no more actions.
    pub unique_states: u64,
    /// States generated, the first ones included and duplicates too: what stateright calls its state count.
    pub generated_states: u64,
    /// Actions on the longest shortest path.
    pub depth: usize,
    /// States that need 0, 1, 2, … actions.
    pub levels: Vec<u64>,
    /// By property, one each, in the model's order.
    pub violations: Vec<Violation<S, A>>,
    /// Names of the `sometimes` properties that no state satisfied.
    pub unwitnessed: Vec<&'static str>,
    /// How often each labelled action was taken.
    pub actions: Vec<(&'static str, u64)>,
    /// Pairs of states that share a fingerprint, as expected; 0 where none can.
    pub expected_collisions: f64,
    pub elapsed: Duration,
    /// Bytes of the visited set, at its largest.
    pub table_bytes: u64,
    /// Bytes written to files.
    pub disk_bytes: u64,
}

/// What was broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Broken {
    /// An `always` property, by name.
    Always(&'static str),
    Deadlock,
    /// The model panicked with this message in the last state of the trace.
    Panic(String),
}

impl Broken {
    /// What the model said in a panic.
    pub(super) fn panic(&self) -> Option<&String> {
        match self {
            Broken::Panic(message) => Some(message),
            Broken::Always(_) | Broken::Deadlock => None,
        }
    }
}

/// A violation and a shortest way to it.
#[derive(Clone, Debug)]
pub struct Violation<S, A> {
    pub broken: Broken,
    pub trace: Trace<S, A>,
}

/// A path through the model; states are canonical.
#[derive(Clone, Debug)]
pub struct Trace<S, A> {
    pub first: S,
    pub steps: Vec<(A, S)>,
}

impl<S, A> Trace<S, A> {
    #[must_use]
    pub fn last(&self) -> &S {
        self.steps.last().map_or(&self.first, |(_, state)| state)
    }
}

/// Why a search proves nothing: a failure of the explorer or of its surroundings, never of the model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure(pub String);

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Failure {}
