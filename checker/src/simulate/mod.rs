//! Seeds by the thousand: each a world in a box (`sextant_storage::sim`), its properties judged as it runs, its history at the end.

mod case;
mod mutants;
mod shrink;
mod summary;

use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};
use sextant_histories::{Event, History};
use sextant_model::rules::Rules;
use sextant_storage::sim::{self, ExecutorMistake, FaultKind, Options, Outcome, Plan, Scheduler};

use crate::diagnosis::Diagnosis;
use crate::explore::packed::panic_message;
use crate::linearizability::{CasRegister, Finding, Limits, Unknown, check, verify};

pub use case::case_of;
pub use mutants::{Fate, Found, Mistake, judge_mistake, mistakes, shortest_of};
pub use shrink::{Shrunk, shrink};
pub use summary::Summary;

/// Which seeds, and what they draw from.
#[derive(Clone, Debug)]
pub struct Config {
    pub rules: Rules,
    /// A mistake of the executor instead of one in the rules.
    pub executor: Option<ExecutorMistake>,
    pub scheduler: Scheduler,
    pub seeds: Range<u64>,
    pub clients: usize,
    /// How long clients work and faults happen, in milliseconds of virtual time.
    pub lasts: u64,
    pub faults: Vec<FaultKind>,
    /// Plans aim at the cells of the fault space instead.
    pub guided: bool,
    /// Take note of the shapes of the states.
    pub coverage: bool,
    pub threads: usize,
    /// Run every seed twice, and hold the two against each other.
    pub twice: bool,
    /// Stop at the first violation.
    pub at_first: bool,
    /// Begin no seed after so long.
    pub limit: Option<Duration>,
}

/// What does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Its number in protocol §7; or what else was judged: `linearizability`, `availability`, `persistence`, `contract`,
    /// `determinism`, `panic`.
    pub property: String,
    pub fact: String,
}

/// One seed, judged.
#[derive(Clone, Debug)]
pub struct Judged {
    pub seed: u64,
    pub plan: Plan,
    /// None: it panicked.
    pub outcome: Option<Outcome>,
    pub violation: Option<Violation>,
    /// Why its history has no verdict, although it claims something.
    pub doubt: Option<String>,
    /// CPU time of the thread that ran and judged it.
    pub took: Duration,
}

impl Violation {
    /// Whose fault it is. What was durable and is gone, an answer that the contract does not know, and a panic are faults of the
    /// program that carries out the steps; what the history or a property shows although disks kept their word is one of the
    /// steps.
    #[must_use]
    pub fn diagnosis(&self) -> Diagnosis {
        match self.property.as_str() {
            "persistence" | "contract" | "panic" => Diagnosis::Executor,
            "determinism" | "history" => Diagnosis::Harness,
            _ => Diagnosis::Protocol,
        }
    }

    fn new(property: &str, fact: impl Into<String>) -> Self {
        Violation { property: property.to_owned(), fact: fact.into() }
    }
}

impl Config {
    /// The adopted rules, ten clients for four seconds, every kind of fault; which seeds is to be said.
    #[must_use]
    pub fn adopted(threads: usize) -> Self {
        Config {
            rules: Rules::adopted(),
            executor: None,
            scheduler: Scheduler::Time,
            seeds: 0..0,
            clients: 10,
            lasts: 4000,
            faults: FaultKind::ALL.to_vec(),
            guided: false,
            coverage: false,
            threads,
            twice: false,
            at_first: true,
            limit: None,
        }
    }

    /// How each seed is run.
    #[must_use]
    pub fn options(&self) -> Options {
        let Config { executor, scheduler, coverage, .. } = *self;
        Options { executor, scheduler, coverage, ..Options::new(self.rules) }
    }

    /// What `seed` draws.
    #[must_use]
    pub fn plan(&self, seed: u64) -> Plan {
        if self.guided {
            return Plan::guided(seed, self.clients, self.lasts);
        }
        Plan::drawn(seed, self.clients, self.lasts, &self.faults)
    }

    /// Runs the seeds on all threads. `tell` hears of each on the calling thread, in the order in which they end.
    #[must_use]
    pub fn run(&self, interrupt: &AtomicBool, mut tell: impl FnMut(&Judged, &Summary)) -> Summary {
        let started = Instant::now();
        let next = AtomicU64::new(self.seeds.start);
        let stop = AtomicBool::new(false);
        let is_over = || {
            stop.load(Ordering::Relaxed)
                || interrupt.load(Ordering::Relaxed)
                || self.limit.is_some_and(|limit| started.elapsed() >= limit)
        };
        let mut summary = Summary::new(self);
        std::thread::scope(|scope| {
            let (done, judged) = mpsc::channel();
            for _ in 0..self.threads.max(1) {
                let (done, next, is_over) = (done.clone(), &next, &is_over);
                scope.spawn(move || {
                    while !is_over() {
                        let seed = next.fetch_add(1, Ordering::Relaxed);
                        if seed >= self.seeds.end || done.send(self.judge(seed)).is_err() {
                            return;
                        }
                    }
                });
            }
            drop(done);
            for judged in judged {
                summary.add(&judged);
                if self.at_first && judged.violation.is_some() {
                    stop.store(true, Ordering::Relaxed);
                }
                tell(&judged, &summary);
            }
        });
        summary.elapsed = started.elapsed();
        summary.interrupted = interrupt.load(Ordering::Relaxed);
        summary
    }

    fn judge(&self, seed: u64) -> Judged {
        let plan = self.plan(seed);
        let mut judged = judge(seed, &plan, &self.options());
        if self.twice && judged.violation.is_none() {
            let again = judge(seed, &plan, &self.options());
            judged.violation = differs(&judged, &again);
        }
        judged
    }
}

/// Runs one plan and judges it.
#[must_use]
pub fn judge(seed: u64, plan: &Plan, options: &Options) -> Judged {
    let started = cpu_time();
    let ran = catch_unwind(AssertUnwindSafe(|| sim::run(seed, plan, options)));
    let mut judged =
        Judged { seed, plan: plan.clone(), outcome: None, violation: None, doubt: None, took: Duration::ZERO };
    match ran {
        Err(panic) => judged.violation = Some(Violation::new("panic", panic_message(panic.as_ref()))),
        Ok(outcome) => {
            judged.violation = outcome.violation.as_ref().map(|v| Violation::new(v.property, v.fact.clone()));
            if judged.violation.is_none() {
                (judged.violation, judged.doubt) = judge_history(&outcome.history);
            }
            judged.outcome = Some(outcome);
        }
    }
    judged.took = cpu_time().saturating_sub(started);
    judged
}

/// Of this thread.
fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(u64::try_from(time.tv_sec).unwrap_or_default(), u32::try_from(time.tv_nsec).unwrap_or_default())
}

/// By a checker that knows nothing of the protocol; a linearization is verified by one that knows nothing of the checker. A
/// violation, or why there is no verdict.
fn judge_history(events: &[Event]) -> (Option<Violation>, Option<String>) {
    let history = match History::from_events(events.iter().cloned()) {
        Ok(history) => history,
        Err((at, misuse)) => return (Some(Violation::new("history", format!("event {at}: {misuse}"))), None),
    };
    let report = check(&history, &CasRegister::default(), &Limits::default());
    match &report.finding {
        Finding::Valid(order) => {
            let replayed = verify(&history, &CasRegister::default(), order);
            let said = |reason| format!("the checker's own linearization does not replay: {reason}");
            (replayed.err().map(|reason| Violation::new("history", said(reason))), None)
        }
        Finding::Invalid(_) => (Some(Violation::new("linearizability", report.reason().unwrap_or_default())), None),
        // A run in which nothing was claimed shows nothing; the summary counts its operations.
        Finding::Unknown(Unknown::Empty | Unknown::NoClaim) => (None, None),
        Finding::Unknown(unknown) => (None, Some(unknown.to_string())),
    }
}

fn differs(one: &Judged, other: &Judged) -> Option<Violation> {
    let (one, other) = (one.outcome.as_ref()?, other.outcome.as_ref()?);
    let is_equal = one.digest == other.digest && one.events == other.events && one.history == other.history;
    let fact = || format!("two runs of one seed differ: digests {:016x} and {:016x}", one.digest, other.digest);
    (!is_equal).then(|| Violation::new("determinism", fact()))
}
