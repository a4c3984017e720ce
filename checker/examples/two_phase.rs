//! Someone else's model in the `packed` engine: two-phase commit, with progress and counted actions.
//!
//! `cargo run --release --example two_phase -- 9`

// This example makes no mistakes.
#[allow(dead_code)]
#[path = "models/two_phase.rs"]
mod two_phase;

use std::process::ExitCode;

use sextant::explore::packed::{Options, Progress, explore};
use two_phase::{LABELS, TwoPhase};

fn main() -> ExitCode {
    let managers = std::env::args().nth(1).map_or(Ok(7), |text| text.parse());
    let Some(managers) = managers.ok().filter(|n| (1..=9).contains(n)) else {
        eprintln!("the argument is the number of resource managers, 1 to 9");
        return ExitCode::from(64);
    };
    let options = Options { labels: Some(LABELS), ..Options::default() };
    match explore(&TwoPhase::of(managers), &options, &mut show) {
        Ok(found) => {
            let (states, generated, depth) = (found.unique_states, found.generated_states, found.depth);
            println!("{:?}: {states} states, {generated} generated, depth {depth}", found.end);
            found.actions.iter().for_each(|(name, count)| println!("  {name}: {count}"));
            ExitCode::from(u8::from(!found.violations.is_empty()))
        }
        Err(failure) => {
            eprintln!("{failure}");
            ExitCode::from(3)
        }
    }
}

fn show(at: Progress) {
    eprintln!("{} states, depth {}, frontier {}", at.unique_states, at.depth, at.frontier);
}
