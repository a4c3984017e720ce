//! Exhaustive exploration of a closed world with stateright's engines.
//!
//! Stateright 0.31 returns a shortest counterexample only with one thread and one property, and does not stop at the
//! first violation unless told to. So a violation found by a full run is looked for again that way, and what is shown is
//! the shortest trace, told in the names of the first state and replayed on the unreduced world.

mod mutants;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use sextant_model::action::Action;
use sextant_model::closed::{Closed, Core};
use stateright::{Checker, HasDiscoveries, Model};

pub use mutants::{Death, Fate, judge as judge_mutant};

/// Which search.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// Breadth-first.
    Bfs,
    /// Depth-first: less memory; its counterexamples are looked for again breadth-first.
    Dfs,
}

impl Engine {
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Engine::Bfs => "bfs",
            Engine::Dfs => "dfs",
        }
    }
}

/// How far a search has come.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    pub unique_states: usize,
    pub generated_states: usize,
    pub depth: usize,
    pub elapsed: Duration,
}

/// What a search found.
#[derive(Clone, Debug)]
pub struct Explored {
    /// States that are not the same.
    pub unique_states: usize,
    /// Transitions taken, the first state included.
    pub generated_states: usize,
    /// Actions on the longest path that the search took to a state; exact with one thread of breadth-first search.
    pub depth: usize,
    pub elapsed: Duration,
    pub counterexample: Option<Counterexample>,
    /// Properties, by name, in whose favour no state spoke: they held vacuously.
    pub vacuous: Vec<&'static str>,
}

/// A shortest way to a violation.
#[derive(Clone, Debug)]
pub struct Counterexample {
    /// `S1`
    pub property: &'static str,
    pub name: &'static str,
    pub formula: &'static str,
    pub section: &'static str,
    /// What is wrong in the last state.
    pub fact: String,
    /// In the names of the first state; replays on the unreduced world.
    pub trace: Vec<Action>,
    /// One numbered line an action, with what it changed.
    pub lines: Vec<String>,
}

/// Why a search proves nothing: a failure of the explorer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure(pub String);

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Failure {}

/// Explores `model` to its end or to its first violation.
///
/// # Errors
/// If the model panics, or a counterexample does not replay on the unreduced world.
pub fn explore(model: &Core, engine: Engine, threads: usize, progress: &mut dyn FnMut(Progress)) -> Result<Explored, Failure> {
    let began = Instant::now();
    let full = search(model.clone(), engine, threads, began, progress)?;
    let violated = full.violated.iter().min_by_key(|(_, trace)| trace.len()).map(|(id, _)| *id);
    let counterexample = violated.map(|id| shortest(model, id)).transpose()?.flatten();
    Ok(Explored {
        unique_states: full.unique_states,
        generated_states: full.generated_states,
        depth: full.depth,
        elapsed: began.elapsed(),
        counterexample,
        vacuous: full.vacuous,
    })
}

/// The shortest counterexample to one property; none if it holds.
///
/// # Errors
/// As [`explore`].
pub fn shortest(model: &Core, property: &str) -> Result<Option<Counterexample>, Failure> {
    let alone = model.clone().only(property);
    let found = search(alone.clone(), Engine::Bfs, 1, Instant::now(), &mut |_| {})?;
    found.violated.into_iter().next().map(|(_, trace)| explain(&alone, &trace)).transpose()
}

struct Raw {
    unique_states: usize,
    generated_states: usize,
    depth: usize,
    violated: Vec<(&'static str, Vec<Action>)>,
    vacuous: Vec<&'static str>,
}

fn search(
    model: Core,
    engine: Engine,
    threads: usize,
    began: Instant,
    progress: &mut dyn FnMut(Progress),
) -> Result<Raw, Failure> {
    let builder = model.checker().threads(threads).finish_when(HasDiscoveries::AnyFailures);
    let searched = catch_unwind(AssertUnwindSafe(|| match engine {
        Engine::Bfs => finish(builder.spawn_bfs(), began, progress),
        Engine::Dfs => finish(builder.spawn_dfs(), began, progress),
    }));
    searched.map_err(|_| Failure("the model panicked while it was explored; its message is above".into()))
}

fn finish(mut checker: impl Checker<Core>, began: Instant, progress: &mut dyn FnMut(Progress)) -> Raw {
    let handles = checker.handles();
    while handles.iter().any(|handle| !handle.is_finished()) {
        progress(Progress {
            unique_states: checker.unique_state_count(),
            generated_states: checker.state_count(),
            depth: checker.max_depth(),
            elapsed: began.elapsed(),
        });
        std::thread::sleep(Duration::from_millis(if began.elapsed().as_millis() < 200 { 2 } else { 50 }));
    }
    for handle in handles {
        // A panic of a search thread goes on here, to be caught once, in `search`.
        handle.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    }
    let discoveries = checker.discoveries();
    let judged = checker.model().judged().to_vec();
    let violated = judged.iter().filter_map(|p| Some((p.id, discoveries.get(p.id)?.clone().into_actions()))).collect();
    let asked = checker.model().asks_for_witnesses();
    let vacuous = judged.iter().filter(|p| asked && !discoveries.contains_key(p.name)).map(|p| p.name).collect();
    Raw {
        unique_states: checker.unique_state_count(),
        generated_states: checker.state_count(),
        // Stateright counts the states of a path, and the first one is no action.
        depth: checker.max_depth().saturating_sub(1),
        violated,
        vacuous,
    }
}

/// Tells a trace of the reduced model in real names and checks that it ends where it should.
fn explain<const N: usize>(model: &Closed<N>, reduced: &[Action]) -> Result<Counterexample, Failure> {
    let failed = |reason: String| Failure(format!("a counterexample does not replay on the unreduced world: {reason}"));
    let trace = model.concrete(reduced).map_err(|e| failed(e.to_string()))?;
    let states = model.walk(&trace).map_err(|e| failed(e.to_string()))?;
    let last = states.last().ok_or_else(|| failed("it is empty".into()))?;
    let (property, fact) =
        model.unreduced().violation(last).ok_or_else(|| failed("its last state violates nothing there".into()))?;
    let lines = model.tell(&trace).map_err(|e| failed(e.to_string()))?;
    let (id, name, formula, section) = (property.id, property.name, property.formula, property.section);
    Ok(Counterexample { property: id, name, formula, section, fact, trace, lines })
}

/// The most memory that this process has had in use, in bytes; 0 where the system does not tell.
#[must_use]
pub fn peak_rss_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kibibytes = line.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok());
    kibibytes.unwrap_or(0) * 1024
}
