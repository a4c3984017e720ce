//! How long it takes to hold a recorded run against the protocol, as a table: reading the flight recorders, pass A, and one order
//! of pass B without and with every property. The run is the simulator's, ten clients under every kind of fault, unless a folder
//! is named.
//!
//! `cargo bench --bench conformance`, `-- 120` for so many seconds of virtual time, `-- DIR` for the recorders in a folder.

use std::path::{Path, PathBuf};

use sextant::conformance::{Finding, Options, Order, Run, pass_a, pass_b};
use sextant_model::rules::Rules;
use sextant_storage::sim::{self, FaultKind, Plan, run_recorded};

const SEED: u64 = 1;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    let seconds = arguments.iter().find_map(|argument| argument.parse().ok()).unwrap_or(90);
    let temporary = tempfile::tempdir().expect("a temporary folder");
    let (dir, rules) = match arguments.iter().find(|argument| Path::new(argument).is_dir()) {
        Some(dir) => (PathBuf::from(dir), Rules::adopted()),
        None => (temporary.path().to_owned(), record(temporary.path(), seconds)),
    };
    let (run, reading) = timed(|| Run::load(&dir).expect("readable recorders"));
    let size = run.size();
    let (alone, pass_a_took) = timed(|| pass_a(&run, &rules));
    alone.expect("every actor did what its steps do");
    println!("{} events of {} nodes and {} writers", size.events, size.nodes, size.incarnations);
    println!("{:<44} {:>8} {:>14}", "", "CPU-s", "events / CPU-s");
    let row = |what: &str, took: f64| println!("{what:<44} {took:>8.3} {:>14.0}", size.events as f64 / took);
    row("reading the recorders", reading);
    row("pass A", pass_a_took);
    for properties in [false, true] {
        let options = Options { properties, ..Options::new(rules) };
        for order in [Order::NodesFirst, Order::WritersFirst, Order::Random { seed: SEED }] {
            let ((_, finding), took) = timed(|| pass_b(&run, &options, order));
            assert_eq!(finding, Finding::Conforms);
            let with = if properties { "with every property" } else { "causes only" };
            row(&format!("pass B, {order}, {with}"), took);
        }
    }
}

/// Seeds one after the other would be other volumes; this is one long run.
fn record(dir: &Path, seconds: u64) -> Rules {
    let mut plan = Plan::drawn(SEED, 10, seconds * 1000, &FaultKind::ALL);
    plan.lal = None;
    let options = sim::Options { properties: false, ..sim::Options::new(Rules::adopted()) };
    let outcome = run_recorded(SEED, &plan, &options, dir);
    assert!(outcome.ok > 0);
    Rules::adopted()
}

fn timed<T>(act: impl FnOnce() -> T) -> (T, f64) {
    let before = cpu_seconds();
    let result = act();
    (result, cpu_seconds() - before)
}

fn cpu_seconds() -> f64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}
