//! One table of engines and models: `cargo bench -p sextant --bench explore`. Each row is a process of its own, which
//! measures its whole CPU time and its peak memory.
//!
//! `--nine` adds two-phase commit with nine resource managers, `--deep` the deep size of `core` (24 million states).
//! The rows "no properties" and "…, each step twice" differ by one more call of the model's `actions` and `next_state`: that
//! difference is the time that the model's own step takes, and "packed" less "no properties" that of its properties.

#[path = "models/quorum.rs"]
mod quorum;
// Nothing here counts actions or makes mistakes.
#[allow(dead_code)]
#[path = "../examples/models/two_phase.rs"]
mod two_phase;

use std::hash::Hash;
use std::hint::black_box;
use std::process::{Command, ExitCode};
use std::time::Instant;

use quorum::QuorumLog;
use rustix::time::{ClockId, clock_gettime};
use sextant::explore::packed::{End, Options, Packed, Reader, Store, Writer, explore};
use sextant::explore::{cluster, peak_rss_bytes};
use sextant_model::closed::Core;
use sextant_model::profiles::{self, Size};
use sextant_model::rules::Rules;
use stateright::{Checker, HasDiscoveries, Model, Property};
use two_phase::TwoPhase;

/// As in the `sextant` command.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const ENGINES: [&str; 9] = [
    "stateright bfs",
    "stateright dfs",
    "packed",
    "packed, 2 threads",
    "packed exact",
    "cluster",
    "cluster, 2 threads",
    "no properties",
    "no properties, steps ×2",
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [flag, model, engine] = &arguments[..]
        && flag == "--row"
    {
        return row(model, engine);
    }
    let asked = |flag: &str| arguments.iter().any(|a| a == flag);
    let mut models = vec!["2pc 8", "quorum", "core reads"];
    models.extend(asked("--nine").then_some("2pc 9"));
    models.extend(asked("--deep").then_some("core deep"));
    println!("{}", machine());
    println!(
        "{:<11} {:<24} {:>10} {:>11} {:>5} {:>8} {:>8} {:>7} {:>6} {:>6}",
        "model", "engine", "states", "transitions", "depth", "cpu s", "M tr/s", "peak MB", "B/st", "× bfs"
    );
    for model in models {
        let mut bfs = None;
        for engine in ENGINES {
            let Some(measured) = measure(model, engine) else {
                eprintln!("{model}, {engine}: the row's process failed");
                return ExitCode::FAILURE;
            };
            let rate = measured.transitions as f64 / measured.cpu / 1e6;
            let ratio = rate / *bfs.get_or_insert(rate);
            println!(
                "{model:<11} {engine:<24} {:>10} {:>11} {:>5} {:>8.2} {rate:>8.2} {:>7} {:>6.0} {ratio:>6.1}",
                measured.states,
                measured.transitions,
                measured.depth,
                measured.cpu,
                measured.peak >> 20,
                measured.peak as f64 / measured.states as f64,
            );
        }
    }
    ExitCode::SUCCESS
}

fn machine() -> String {
    let commit = Command::new("git").args(["describe", "--always", "--dirty"]).output();
    let commit = commit.map(|o| String::from_utf8_lossy(&o.stdout).trim().to_owned()).unwrap_or_default();
    let cpu = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = cpu.lines().find_map(|l| l.strip_prefix("model name")).unwrap_or_default();
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    format!("commit {commit}, {cores} cores of {}", name.trim_start_matches([' ', '\t', ':']))
}

struct Measured {
    states: u64,
    transitions: u64,
    depth: u64,
    cpu: f64,
    peak: u64,
}

fn measure(model: &str, engine: &str) -> Option<Measured> {
    let output = Command::new(std::env::current_exe().ok()?).args(["--row", model, engine]).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let numbers: Vec<f64> = text.lines().last()?.split(' ').map_while(|n| n.parse().ok()).collect();
    let [states, transitions, depth, cpu, peak] = numbers[..] else { return None };
    let whole = |n: f64| n as u64;
    Some(Measured {
        states: whole(states),
        transitions: whole(transitions),
        depth: whole(depth),
        cpu,
        peak: whole(peak),
    })
}

fn row(model: &str, engine: &str) -> ExitCode {
    let began = Instant::now();
    let (states, transitions, depth) = match model {
        "2pc 8" => run(TwoPhase::of(8), engine),
        "2pc 9" => run(TwoPhase::of(9), engine),
        "quorum" => run(QuorumLog::of(2, 2), engine),
        "core reads" | "core deep" => {
            let profile = profiles::by_name("core").expect("there is a core profile");
            let (size, leg) = if model == "core deep" { (Size::Deep, "gossip") } else { (Size::Quick, "reads") };
            let leg = profile.legs(size).iter().find(|l| l.name == leg).expect("the profile has this leg");
            run(Core::new(Rules::adopted(), leg.bounds), engine)
        }
        _ => panic!("there is no model {model}"),
    };
    let cpu = clock_gettime(ClockId::ProcessCPUTime);
    eprintln!("{:.1} s", began.elapsed().as_secs_f64());
    println!("{states} {transitions} {depth} {} {}", cpu.tv_sec as f64 + cpu.tv_nsec as f64 / 1e9, peak_rss_bytes());
    ExitCode::SUCCESS
}

fn run<M>(model: M, engine: &str) -> (u64, u64, u64)
where
    M: Packed + Clone + Send + Sync + 'static,
    M::State: Clone + std::fmt::Debug + Hash + PartialEq + Send + Sync,
    M::Action: Clone + std::fmt::Debug + PartialEq + Send + Sync,
{
    fn counts<M: Model>(checker: &impl Checker<M>) -> (u64, u64, u64)
    where
        M::State: Hash,
    {
        let (states, transitions) = (checker.unique_state_count(), checker.state_count());
        (states as u64, transitions as u64, checker.max_depth() as u64 - 1)
    }
    let checker = || model.clone().checker().threads(1).finish_when(HasDiscoveries::AnyFailures);
    let packed = |threads, store| found(&model, threads, store);
    match engine {
        "stateright bfs" => counts(&checker().spawn_bfs().join()),
        "stateright dfs" => counts(&checker().spawn_dfs().join()),
        "packed" => packed(1, Store::Fingerprints),
        "packed, 2 threads" => packed(2, Store::Fingerprints),
        "packed exact" => packed(1, Store::Exact),
        "cluster" => partitioned(&model, 1),
        "cluster, 2 threads" => partitioned(&model, 2),
        "no properties" => found(&Times::<M, 1>(model), 1, Store::Fingerprints),
        "no properties, steps ×2" => found(&Times::<M, 2>(model), 1, Store::Fingerprints),
        _ => panic!("there is no engine {engine}"),
    }
}

fn partitioned<M: Packed + Clone + Send + Sync + 'static>(model: &M, threads: usize) -> (u64, u64, u64) {
    let options = Options { threads, ..Options::default() };
    let found = cluster::explore(model, &options, None, "", &mut |_| {}).unwrap_or_else(|failure| panic!("{failure}"));
    assert_eq!(found.end, End::Complete);
    (found.unique_states, found.generated_states, found.depth as u64)
}

fn found<M: Packed + Sync>(model: &M, threads: usize, store: Store) -> (u64, u64, u64) {
    let options = Options { threads, store, ..Options::default() };
    let found = explore(model, &options, &mut |_| {}).unwrap_or_else(|failure| panic!("{failure}"));
    assert_eq!(found.end, End::Complete);
    (found.unique_states, found.generated_states, found.depth as u64)
}

/// A model without properties that takes each step `N` times.
#[derive(Clone)]
struct Times<M, const N: usize>(M);

impl<M: Model, const N: usize> Model for Times<M, N>
where
    M::Action: Clone,
{
    type State = M::State;
    type Action = M::Action;

    fn init_states(&self) -> Vec<M::State> {
        self.0.init_states()
    }

    fn actions(&self, state: &M::State, actions: &mut Vec<M::Action>) {
        for _ in 0..N {
            actions.clear();
            self.0.actions(black_box(state), actions);
        }
    }

    fn next_state(&self, state: &M::State, action: M::Action) -> Option<M::State> {
        for _ in 1..N {
            black_box(self.0.next_state(black_box(state), action.clone()));
        }
        self.0.next_state(state, action)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        Vec::new()
    }
}

impl<M: Packed, const N: usize> Packed for Times<M, N>
where
    M::Action: Clone,
{
    fn bits(&self) -> u32 {
        self.0.bits()
    }

    fn pack(&self, state: &M::State, out: &mut Writer) {
        self.0.pack(state, out);
    }

    fn unpack(&self, from: &mut Reader) -> M::State {
        self.0.unpack(from)
    }
}
