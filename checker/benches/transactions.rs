//! How long it takes to judge transactions, as a table: list-append and register histories of a strictly serializable
//! store, 10 clients, 1 to 4 steps a transaction, 10 keys in use at a time and 32 writes a key (the workload that
//! Elle's own generator makes by default), valid or with one stale read near the end.
//!
//! `cargo bench --bench transactions`, or `-- 100000` for other sizes.

use std::time::Instant;

use sextant::consistency::{Options, Promise, check};
use sextant_histories::generate::Rng;
use sextant_histories::{Call, Event, History, Key, Kind, Micro, MicroKind, Reply, Value};

const CLIENTS: usize = 10;
const KEYS: usize = 10;
const WRITES_A_KEY: usize = 32;

fn main() {
    let sizes: Vec<usize> = std::env::args().filter_map(|argument| argument.parse().ok()).collect();
    let sizes = if sizes.is_empty() { vec![10_000, 100_000] } else { sizes };
    println!(
        "{:<10} {:>8} {:<6} {:<26} {:<8} {:>9} {:>9} {:>9}",
        "objects", "txns", "", "promise", "verdict", "seconds", "cpu-s", "peak MB"
    );
    for lists in [true, false] {
        for size in &sizes {
            for stale in [false, true] {
                let history = history(*size, lists, stale);
                let promises = [
                    Promise::StrictSerializable,
                    Promise::Serializable,
                    Promise::SnapshotIsolation,
                    Promise::Causal,
                    Promise::ReadCommitted,
                ];
                for promise in promises {
                    let (start, cpu) = (Instant::now(), cpu_seconds());
                    let report = check(&history, promise, &Options::default());
                    let (seconds, cpu) = (start.elapsed().as_secs_f64(), cpu_seconds() - cpu);
                    let objects = if lists { "lists" } else { "registers" };
                    let bad = if stale { "stale" } else { "" };
                    let verdict = report.verdict();
                    let peak = peak_megabytes();
                    println!(
                        "{objects:<10} {size:>8} {bad:<6} {promise:<26} {verdict:<8} {seconds:>9.3} {cpu:>9.3} {peak:>9}"
                    );
                }
            }
        }
    }
}

fn cpu_seconds() -> f64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

/// Of the whole process so far, history included; 0 where the system does not say.
fn peak_megabytes() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|line| line.split_whitespace().next()?.parse::<usize>().ok());
    kilobytes.unwrap_or(0) / 1024
}

/// The steps of a transaction and, once it took effect, what it saw.
type Running = (Vec<Micro>, Option<Vec<Micro>>);

/// Each transaction takes effect at one moment between its two events.
fn history(size: usize, lists: bool, stale: bool) -> History {
    let mut rng = Rng::new(size as u64);
    let mut events = Vec::with_capacity(2 * size);
    let mut store: Vec<Vec<Value>> = vec![Vec::new(); KEYS];
    let mut writes = [0; KEYS];
    let mut names: Vec<i64> = (0..KEYS as i64).collect();
    let mut next = KEYS as i64;
    let mut value = 0;
    // Of each client, what it runs.
    let mut open: Vec<Option<Running>> = vec![None; CLIENTS];
    let mut begun = 0;
    while begun < size || open.iter().any(Option::is_some) {
        let client = rng.below(CLIENTS);
        let event = |kind, steps: &[Micro]| Event {
            process: client as u64,
            kind,
            call: Call::Txn(steps.to_vec().into()),
            key: Key::None,
            time: None,
        };
        match open[client].take() {
            None if begun < size => {
                begun += 1;
                let steps: Vec<Micro> = (0..1 + rng.below(4))
                    .map(|_| {
                        let place = rng.below(KEYS);
                        if rng.below(2) == 0 {
                            return Micro { kind: MicroKind::Read, key: Key::Int(names[place]), value: Value::Null };
                        }
                        if writes[place] == WRITES_A_KEY {
                            (names[place], next, writes[place]) = (next, next + 1, 0);
                            store.push(Vec::new());
                        }
                        writes[place] += 1;
                        value += 1;
                        let kind = if lists { MicroKind::Append } else { MicroKind::Write };
                        Micro { kind, key: Key::Int(names[place]), value: Value::Int(value) }
                    })
                    .collect();
                events.push(event(Kind::Invoke, &steps));
                open[client] = Some((steps, None));
            }
            None => {}
            Some((steps, None)) => {
                let seen = take_effect(&mut store, &steps, lists);
                open[client] = Some((steps, Some(seen)));
            }
            Some((steps, Some(seen))) => events.push(event(Kind::Ok(Reply::Txn(seen.into())), &steps)),
        }
    }
    if stale {
        make_stale(&mut events, lists);
    }
    History::from_events(events).unwrap_or_else(|(index, misuse)| panic!("event {index}: {misuse}"))
}

fn take_effect(store: &mut [Vec<Value>], steps: &[Micro], lists: bool) -> Vec<Micro> {
    let see = |step: &Micro| {
        let Key::Int(key) = step.key else { unreachable!("keys are numbers here") };
        let object = &mut store[key as usize];
        let mut seen = step.clone();
        match step.kind {
            MicroKind::Read if lists => seen.value = object.iter().cloned().collect(),
            MicroKind::Read => seen.value = object.last().cloned().unwrap_or_default(),
            _ => object.push(step.value.clone()),
        }
        seen
    };
    steps.iter().map(see).collect()
}

/// The last read that can be set back to the initial state without contradicting its own transaction.
fn make_stale(events: &mut [Event], lists: bool) {
    for event in events.iter_mut().rev() {
        let Kind::Ok(Reply::Txn(steps)) = &mut event.kind else { continue };
        let mut changed = steps.to_vec();
        let Some(place) = changed.iter().position(|step| {
            step.kind == MicroKind::Read
                && !matches!(&step.value, Value::Null)
                && !matches!(&step.value, Value::List(list) if list.is_empty())
        }) else {
            continue;
        };
        if changed.iter().filter(|step| step.key == changed[place].key).count() > 1 {
            continue;
        }
        changed[place].value = if lists { [].into_iter().collect() } else { Value::Null };
        *steps = changed.into();
        return;
    }
}
