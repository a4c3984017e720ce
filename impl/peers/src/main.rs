//! One toy, three simulators, one run: ten closed-loop clients, a writer, six nodes; a write is answered when four nodes have it;
//! every message takes 5 ms. On turmoil and madsim the toy is just that, with nodes that put a number into a list. Here it is the
//! real node, log on a disk in memory, codec and database instance, with reads and compare-and-sets among the writes, every
//! property judged at every step; and once more with every kind of fault.
//!
//! `cargo run --release` in this folder prints the table. An event is a delivered message; here also a completed sync or a timer, of
//! which there are fewer than messages. CPU seconds of the one thread that runs.

mod mad;
mod turmoiled;

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use sextant_model::rules::Rules;
use sextant_storage::sim::{FaultKind, Options, Plan, run};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Virtual time of each run.
const SIMULATED: Duration = Duration::from_secs(20);
pub const CLIENTS: usize = 10;
pub const NODES: usize = 6;
pub const QUORUM: usize = 4;
pub const LATENCY: Duration = Duration::from_millis(5);

/// What a simulator did.
pub struct Done {
    pub events: u64,
    pub operations: u64,
    pub simulated: Duration,
}

fn main() {
    println!("{:<44} {:>10} {:>12} {:>10} {:>14}", "", "operations", "events", "CPU s", "events a s");
    let calm = Plan {
        latency: (5000, 5000),
        across: 0,
        think: 0,
        gossip: 50,
        sync: (100, 300),
        lal: None,
        pages_max: 1000,
        ..Plan::drawn(1, CLIENTS, SIMULATED.as_millis() as u64, &[])
    };
    row("sextant: real code, disks, properties", || sextant(1, &calm));
    row("sextant: the same, faults of 20 seeds", || {
        let drawn = (0..20).map(|seed| sextant(seed, &Plan::drawn(seed, CLIENTS, 4000, &FaultKind::ALL)));
        drawn
            .reduce(|a, b| Done {
                events: a.events + b.events,
                operations: a.operations + b.operations,
                simulated: a.simulated + b.simulated,
            })
            .expect("twenty seeds")
    });
    row("turmoil 0.7: the toy, UDP", || turmoiled::run(SIMULATED));
    row("madsim 0.2: the toy, datagrams", || mad::run(SIMULATED));
}

fn sextant(seed: u64, plan: &Plan) -> Done {
    let outcome = run(seed, plan, &Options::new(Rules::adopted()));
    assert_eq!(outcome.violation, None, "seed {seed}");
    Done { events: outcome.events, operations: outcome.ok, simulated: outcome.simulated }
}

/// The middle of three.
fn row(name: &str, run: impl Fn() -> Done) {
    let mut runs: Vec<(f64, Done)> = (0..3)
        .map(|_| {
            let before = cpu();
            let done = run();
            (cpu() - before, done)
        })
        .collect();
    runs.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (seconds, Done { events, operations, simulated }) = &runs[1];
    let times = simulated.as_secs_f64() / seconds;
    println!(
        "{name:<44} {operations:>10} {events:>12} {seconds:>10.2} {:>14.0}   {times:.0} times real time",
        *events as f64 / seconds
    );
}

fn cpu() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}
