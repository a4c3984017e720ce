//! Exploration of a closed world: exhaustive, with the [`packed`] engine, the [`cluster`] engine or stateright's, or by random
//! [`walks`]. A model that implements [`packed::Packed`] is searched by them whatever it is a model of; [`explore`] searches
//! the areas of the protocol.
//!
//! Stateright 0.31 returns a shortest counterexample only with one thread and one property, and does not stop at the
//! first violation unless told to. So a violation found by one of its full runs is looked for again by the packed engine,
//! whose traces are shortest. What is shown is told in the names of the first state and replayed on the unreduced world.

pub mod case;
mod closed;
pub mod cluster;
mod goals;
pub mod liveness;
mod mutants;
pub mod packed;
pub mod walks;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use sextant_model::area::{Area, Mark};
use sextant_model::closed::Closed;
use stateright::{Checker, HasDiscoveries, Model};

use packed::{Begin, Broken, Checkpoint, Deadlock, End, Options, Stop, Store};
use walks::Choice;

pub use cluster::Hosts;

use case::Case;

pub use goals::{Liveness, live};
pub use mutants::{Death, Fate, judge as judge_mutant};
pub use packed::Failure;

/// Which search.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// Breadth-first over packed states: see [`packed`].
    Packed,
    /// The same, partitioned over threads, processes and hosts: see [`cluster`].
    Cluster,
    /// Stateright's breadth-first search.
    Bfs,
    /// Stateright's depth-first search.
    Dfs,
    /// Random walks, each possible action as likely as any other: see [`walks`].
    Walk,
    /// Random walks by priorities.
    Pct,
}

impl Engine {
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Engine::Packed => "packed",
            Engine::Cluster => "cluster",
            Engine::Bfs => "bfs",
            Engine::Dfs => "dfs",
            Engine::Walk => "walk",
            Engine::Pct => "pct",
        }
    }

    /// Whether it searches packed states.
    #[must_use]
    pub fn packs(self) -> bool {
        matches!(self, Engine::Packed | Engine::Cluster)
    }

    /// Whether it finds violations and proves nothing.
    #[must_use]
    pub fn walks(self) -> bool {
        matches!(self, Engine::Walk | Engine::Pct)
    }
}

/// How to search. From `store` to `checkpoint` for the engines that pack alone, `hosts` for the cluster engine alone, what
/// comes behind them for walks alone.
#[derive(Clone, Debug)]
pub struct Plan {
    pub engine: Engine,
    pub threads: usize,
    pub store: Store,
    pub stop: Stop,
    /// Bytes of memory that the process may use; not for the cluster engine.
    pub memory: Option<u64>,
    /// A folder for the checkpoint, and whether to go on from the one that is there.
    pub checkpoint: Option<(PathBuf, Begin)>,
    /// The processes that take part; this one alone if not given.
    pub hosts: Option<Hosts>,
    /// Whether a state without a successor that the area does not declare as an end is a violation: for the engines that pack
    /// and for walks.
    pub deadlock: Deadlock,
    pub walks: Walks,
    /// Ends walks when it is set.
    pub interrupt: Option<Arc<AtomicBool>>,
}

/// Which walks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Walks {
    pub seed: u64,
    pub count: u64,
    /// The most actions of a walk.
    pub depth: usize,
    /// How often the priorities change on a walk of [`Engine::Pct`].
    pub changes: usize,
}

impl Default for Walks {
    fn default() -> Self {
        Walks { seed: 1, count: 10_000, depth: 200, changes: 3 }
    }
}

impl Plan {
    /// Fingerprints; ends at the first violation.
    #[must_use]
    pub fn new(engine: Engine, threads: usize) -> Self {
        Plan {
            engine,
            threads,
            store: Store::Fingerprints,
            stop: Stop::AtFirst,
            memory: None,
            checkpoint: None,
            hosts: None,
            deadlock: Deadlock::Allowed,
            walks: Walks::default(),
            interrupt: None,
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
    /// What only the engines that pack know.
    pub packed: Option<packed::Progress>,
    /// What only walks know.
    pub walks: Option<walks::Progress>,
}

/// What a search found.
#[derive(Clone, Debug)]
pub struct Explored {
    /// How much was explored, in words.
    pub bounds: String,
    /// States that are not the same; with walks an estimate, in which states that differ only in names are not the same.
    pub unique_states: usize,
    /// Transitions taken, the first state included; with walks the actions taken.
    pub generated_states: usize,
    /// Actions on the longest shortest path to a state; with stateright's engines on the longest path that the search took,
    /// which is the same with one thread of breadth-first search.
    pub depth: usize,
    pub elapsed: Duration,
    pub counterexample: Option<Counterexample>,
    /// With [`Stop::AtEnd`] the first violation of every other property.
    pub others: Vec<Counterexample>,
    /// Properties, by name, in whose favour no state spoke: they held vacuously.
    pub vacuous: Vec<&'static str>,
    /// Why the search ended before it had seen everything, if it did.
    pub stopped: Option<String>,
    /// How often each kind of action was taken; empty where the engine does not count them.
    pub actions: Vec<(&'static str, u64)>,
    /// Pairs of states expected to share a fingerprint, one of which was not explored; none where that cannot be said.
    pub expected_collisions: Option<f64>,
    /// What was walked, by an engine that walks.
    pub walked: Option<Walked>,
}

/// What was walked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Walked {
    pub seed: u64,
    pub walks: u64,
    /// The walk, from 0, that came to the violation, and the actions that it took.
    pub found: Option<(u64, usize)>,
}

/// A way to a violation: a shortest one, unless it comes from a walk.
#[derive(Clone, Debug)]
pub struct Counterexample {
    /// `S1`
    pub property: &'static str,
    pub name: &'static str,
    pub formula: &'static str,
    pub section: &'static str,
    /// What is wrong in the last state.
    pub fact: String,
    /// The way there in the names of the first state; replays on the unreduced world.
    pub case: Case,
    /// One numbered line an action, with what it changed.
    pub lines: Vec<String>,
}

impl Counterexample {
    /// How many actions lead to the violation.
    #[must_use]
    pub fn length(&self) -> usize {
        self.case.actions.len()
    }
}

/// Explores `model` as planned.
///
/// # Errors
/// If the model panics under one of stateright's engines, a counterexample does not replay on the unreduced world, or the
/// packed engine fails.
pub fn explore<A: Area>(
    model: &Closed<A>,
    plan: &Plan,
    progress: &mut dyn FnMut(Progress),
) -> Result<Explored, Failure> {
    match plan.engine {
        Engine::Packed => explore_packed(model, plan, progress),
        Engine::Cluster => explore_cluster(model, plan, progress),
        Engine::Bfs | Engine::Dfs => explore_stateright(model, plan, progress),
        Engine::Walk | Engine::Pct => explore_walks(model, plan, progress),
    }
}

/// The shortest counterexample to one property; none if it holds.
///
/// # Errors
/// As [`explore`].
pub fn shortest<A: Area>(model: &Closed<A>, property: &str, threads: usize) -> Result<Option<Counterexample>, Failure> {
    let plan = Plan::new(Engine::Packed, threads);
    Ok(explore_packed(&model.clone().only(property), &plan, &mut |_| {})?.counterexample)
}

/// As [`explore`] with the packed engine, whatever the plan says.
///
/// # Errors
/// As [`explore`].
pub fn explore_packed<A: Area>(
    model: &Closed<A>,
    plan: &Plan,
    progress: &mut dyn FnMut(Progress),
) -> Result<Explored, Failure> {
    let outcome = packed::explore(model, &options_of(model, plan), &mut |at| progress(packed_progress(at)))?;
    explored(model, outcome)
}

fn explore_cluster<A: Area>(
    model: &Closed<A>,
    plan: &Plan,
    progress: &mut dyn FnMut(Progress),
) -> Result<Explored, Failure> {
    // Processes that judge otherwise would not end together.
    let what = format!("{} {:?} {:?} {:?}", identity(model), plan.store, plan.stop, plan.deadlock);
    let (options, hosts) = (options_of(model, plan), plan.hosts.as_ref());
    let outcome = cluster::explore(model, &options, hosts, &what, &mut |at| progress(packed_progress(at)))?;
    explored(model, outcome)
}

fn options_of<A: Area>(model: &Closed<A>, plan: &Plan) -> Options<A::Action> {
    Options {
        threads: plan.threads,
        store: plan.store,
        stop: plan.stop,
        deadlock: plan.deadlock,
        labels: Some(packed::Labels { names: A::KINDS, of: A::kind }),
        // A search for one property looks for its counterexample: that need not be searched twice.
        kept_bytes: if model.asks_for_witnesses() { 32 << 20 } else { 512 << 20 },
        memory: plan.memory,
        checkpoint: plan.checkpoint.clone().map(|(folder, begin)| Checkpoint {
            folder,
            identity: identity(model),
            begin,
        }),
    }
}

fn packed_progress(at: packed::Progress) -> Progress {
    Progress {
        unique_states: at.unique_states as usize,
        generated_states: at.generated_states as usize,
        depth: at.depth,
        elapsed: at.elapsed,
        packed: Some(at),
        walks: None,
    }
}

/// What an engine that packs found, with its counterexamples told and replayed.
fn explored<A: Area>(model: &Closed<A>, outcome: packed::Outcome<A::State, A::Action>) -> Result<Explored, Failure> {
    let mut counterexamples = Vec::new();
    for violation in outcome.violations {
        let reduced: Vec<A::Action> = violation.trace.steps.iter().map(|(action, _)| *action).collect();
        let trace = model.concrete(&reduced).map_err(|e| unreplayable(&e.to_string()))?;
        counterexamples.push(told(model, &trace, violation.broken)?);
    }
    counterexamples.sort_by_key(Counterexample::length);
    let mut counterexamples = counterexamples.into_iter();
    Ok(Explored {
        bounds: model.bounds().to_string(),
        unique_states: outcome.unique_states as usize,
        generated_states: outcome.generated_states as usize,
        depth: outcome.depth,
        elapsed: outcome.elapsed,
        counterexample: counterexamples.next(),
        others: counterexamples.collect(),
        vacuous: outcome.unwitnessed,
        stopped: match outcome.end {
            End::Stopped(reason) => Some(reason),
            End::Complete | End::Violated => None,
        },
        actions: outcome.actions,
        expected_collisions: Some(outcome.expected_collisions),
        walked: None,
    })
}

/// Walks on the world without symmetry, where a trace needs no names of its own to be shortened.
fn explore_walks<A: Area>(
    model: &Closed<A>,
    plan: &Plan,
    progress: &mut dyn FnMut(Progress),
) -> Result<Explored, Failure> {
    let Walks { seed, count, depth, changes } = plan.walks;
    let choice = match plan.engine {
        Engine::Pct => Choice::Pct { changes, class: class::<A> },
        _ => Choice::Uniform,
    };
    let options = walks::Options {
        seed,
        walks: count,
        depth,
        choice,
        threads: plan.threads,
        deadlock: plan.deadlock,
        labels: Some(packed::Labels { names: A::KINDS, of: A::kind }),
        interrupt: plan.interrupt.clone(),
    };
    let outcome = walks::walk(&model.unreduced(), &options, &mut |at| {
        progress(Progress {
            unique_states: at.distinct_states as usize,
            generated_states: at.steps as usize,
            depth: at.longest,
            elapsed: at.elapsed,
            packed: None,
            walks: Some(at),
        });
    })?;
    let walked =
        Walked { seed, walks: outcome.walks, found: outcome.found.as_ref().map(|found| (found.walk, found.steps)) };
    let ended = if outcome.interrupted { "interrupted, " } else { "" };
    let stopped = format!("{ended}walks prove nothing: {} of {count} walked, seed {seed}", outcome.walks);
    let counterexample = match outcome.found {
        None => None,
        Some(found) => {
            let trace: Vec<A::Action> = found.violation.trace.steps.iter().map(|(action, _)| *action).collect();
            Some(told(model, &trace, found.violation.broken)?)
        }
    };
    Ok(Explored {
        bounds: model.bounds().to_string(),
        unique_states: outcome.distinct_states as usize,
        generated_states: outcome.steps as usize,
        depth: outcome.longest,
        elapsed: outcome.elapsed,
        stopped: counterexample.is_none().then_some(stopped),
        counterexample,
        others: Vec::new(),
        vacuous: Vec::new(),
        actions: outcome.actions,
        expected_collisions: None,
        walked: Some(walked),
    })
}

/// What PCT gives a priority: a kind of action between two actors.
fn class<A: Area>(model: &Closed<A>, state: &A::State, action: &A::Action) -> u64 {
    // Where an action is drawn does not depend on what it leads to.
    let actors = match A::mark(model.context(), *action, state, state) {
        Mark::Message { from, to } => (from.map_or(0, |from| from as u64 + 1) << 16) | to as u64,
        Mark::Local { at } | Mark::Fault { at } => at as u64,
    };
    ((A::kind(action) as u64) << 32) | actors
}

/// What is explored, for a checkpoint: another rule book, other bounds or another version make other states.
fn identity<A: Area>(model: &Closed<A>) -> String {
    let judged: Vec<_> = model.judged().iter().map(|p| p.id).collect();
    let (version, orders) =
        (env!("CARGO_PKG_VERSION"), if model.is_by_partial_order() { " by partial order" } else { "" });
    format!("{version} {} {:?} {:?} {}{orders}", A::NAME, model.rules(), model.bounds(), judged.join(" "))
}

fn explore_stateright<A: Area>(
    model: &Closed<A>,
    plan: &Plan,
    progress: &mut dyn FnMut(Progress),
) -> Result<Explored, Failure> {
    let began = Instant::now();
    let full = search(model.clone(), plan.engine, plan.threads, began, progress)?;
    let violated = full.violated.iter().min_by_key(|(_, trace)| trace.len()).map(|(id, _)| *id);
    let counterexample = violated.map(|id| shortest(model, id, plan.threads)).transpose()?.flatten();
    Ok(Explored {
        bounds: model.bounds().to_string(),
        unique_states: full.unique_states,
        generated_states: full.generated_states,
        depth: full.depth,
        elapsed: began.elapsed(),
        counterexample,
        others: Vec::new(),
        vacuous: full.vacuous,
        stopped: None,
        actions: Vec::new(),
        expected_collisions: None,
        walked: None,
    })
}

struct Raw<A: Area> {
    unique_states: usize,
    generated_states: usize,
    depth: usize,
    violated: Vec<(&'static str, Vec<A::Action>)>,
    vacuous: Vec<&'static str>,
}

fn search<A: Area>(
    model: Closed<A>,
    engine: Engine,
    threads: usize,
    began: Instant,
    progress: &mut dyn FnMut(Progress),
) -> Result<Raw<A>, Failure> {
    let builder = model.checker().threads(threads).finish_when(HasDiscoveries::AnyFailures);
    let searched = catch_unwind(AssertUnwindSafe(|| match engine {
        Engine::Bfs => finish(builder.spawn_bfs(), began, progress),
        Engine::Dfs => finish(builder.spawn_dfs(), began, progress),
        Engine::Packed | Engine::Cluster | Engine::Walk | Engine::Pct => panic!("stateright has no such engine"),
    }));
    searched.map_err(|_| Failure("the model panicked while it was explored; its message is above".into()))
}

fn finish<A: Area>(mut checker: impl Checker<Closed<A>>, began: Instant, progress: &mut dyn FnMut(Progress)) -> Raw<A> {
    let handles = checker.handles();
    while handles.iter().any(|handle| !handle.is_finished()) {
        progress(Progress {
            unique_states: checker.unique_state_count(),
            generated_states: checker.state_count(),
            depth: checker.max_depth(),
            elapsed: began.elapsed(),
            packed: None,
            walks: None,
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

/// The id of a violation that no property describes: a next step panics.
pub const PANIC: &str = "panic";
/// The same: nothing follows, and the area does not declare that a run may end there.
pub const DEADLOCK: &str = "deadlock";

fn unreplayable(reason: &str) -> Failure {
    Failure(format!("a counterexample does not replay on the unreduced world: {reason}"))
}

/// Tells a trace in the names of the first state, and checks on the unreduced world that it ends where it should.
fn told<A: Area>(model: &Closed<A>, trace: &[A::Action], broken: Broken) -> Result<Counterexample, Failure> {
    let states = model.walk(trace).map_err(|e| unreplayable(&e.to_string()))?;
    let last = states.last().ok_or_else(|| unreplayable("it is empty"))?;
    let (property, name, formula, section, fact) = match broken {
        Broken::Always(property) => {
            let judge = model.clone().only(property).unreduced();
            let (p, fact) =
                judge.violation(last).ok_or_else(|| unreplayable("its last state violates nothing there"))?;
            (p.id, p.name, p.formula, p.section, fact)
        }
        Broken::Panic(message) => {
            // What panics is what could come next.
            (PANIC, "Panic", "no step panics", "model", format!("a next step panics: {message}"))
        }
        Broken::Deadlock => {
            if !walks::is_stuck(&model.unreduced(), last) {
                return Err(unreplayable("something follows its last state there"));
            }
            let fact = "nothing can happen any more".to_owned();
            (DEADLOCK, "Deadlock", "what has no next step is an end that the area declares", "model", fact)
        }
    };
    let lines = model.tell(trace).map_err(|e| unreplayable(&e.to_string()))?;
    let case = Case::of(model, Some(property), trace);
    Ok(Counterexample { property, name, formula, section, fact, case, lines })
}

/// The most memory that this process has had in use, in bytes; 0 where the system does not tell.
#[must_use]
pub fn peak_rss_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kibibytes = line.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok());
    kibibytes.unwrap_or(0) * 1024
}
