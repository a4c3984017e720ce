//! Fuzzes the readers without a nightly compiler: `cargo run --release -p sextant-histories --example fuzz -- --seconds 600`.
//!
//! `--seed N` begins elsewhere, `--only NAME` takes one reader. An input that makes a reader panic is written to
//! `fuzz-NAME.input` and ends the run with 1; one that takes it more than five seconds ends it so too.

#[path = "../fuzz/checks.rs"]
mod checks;
#[path = "../fuzz/mutate.rs"]
mod mutate;
#[path = "../fuzz/targets.rs"]
mod targets;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use mutate::Fuzzer;
use targets::{TARGETS, Target};

const SLOW: Duration = Duration::from_secs(5);

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (mut seconds, mut seed, mut only) = (60, 1, None);
    for pair in arguments.chunks(2) {
        match pair {
            [name, value] if name == "--only" => only = Some(value.clone()),
            [name, value] if name == "--seconds" || name == "--seed" => match value.parse::<u64>() {
                Ok(number) if name == "--seconds" => seconds = number,
                Ok(number) => seed = number,
                Err(error) => return usage(&format!("{name}: {error}")),
            },
            _ => return usage("use --seconds N, --seed N, --only NAME"),
        }
    }
    let chosen: Vec<&Target> =
        TARGETS.iter().filter(|target| only.as_deref().is_none_or(|only| only == target.name)).collect();
    if chosen.is_empty() {
        return usage("no such reader");
    }
    // A finding is told below, once.
    std::panic::set_hook(Box::new(|_| {}));
    let share = Duration::from_secs(seconds) / chosen.len() as u32;
    let sound = chosen.into_iter().filter(|target| !run(target, seed, share)).count() == 0;
    if sound { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn usage(reason: &str) -> ExitCode {
    eprintln!("error: {reason}");
    ExitCode::from(64)
}

/// Whether nothing was found.
fn run(target: &Target, seed: u64, share: Duration) -> bool {
    let mut fuzzer = Fuzzer::new(seed, (target.seeds)());
    let (start, mut slowest) = (Instant::now(), Duration::ZERO);
    while start.elapsed() < share {
        let began = Instant::now();
        if let Err((input, said)) = fuzzer.step(target.check, target.reason) {
            let file = format!("fuzz-{}.input", target.name);
            let kept = std::fs::write(&file, &input);
            println!(
                "{}: case {} of seed {seed} fails: {said}\n  input in {file}: {kept:?}",
                target.name, fuzzer.cases
            );
            return false;
        }
        slowest = slowest.max(began.elapsed());
    }
    println!(
        "{}: {} inputs in {:.0} s, {} reasons for a refusal, the slowest took {:.3} s",
        target.name,
        fuzzer.cases,
        start.elapsed().as_secs_f64(),
        fuzzer.reasons(),
        slowest.as_secs_f64()
    );
    slowest < SLOW
}
