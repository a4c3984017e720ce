//! Someone else's model in the `packed` engine: single-decree Paxos with three ballots.
//!
//! `cargo run --release --example paxos`; with `-- mistake` it is wrong, and the shortest trace that shows it is printed.

#[path = "models/paxos.rs"]
mod paxos;

use std::process::ExitCode;

use paxos::{Mistake, Paxos};
use sextant::explore::packed::{Options, Store, explore};

fn main() -> ExitCode {
    let wrong = std::env::args().nth(1).is_some_and(|argument| argument == "mistake");
    let mistake = if wrong { Mistake::IgnoresPromises } else { Mistake::None };
    let model = Paxos { ballots: 3, mistake };
    let options = Options { store: Store::Exact, ..Options::default() };
    match explore(&model, &options, &mut |_| {}) {
        Ok(found) => {
            let (states, generated, depth) = (found.unique_states, found.generated_states, found.depth);
            println!("{:?}: {states} states, {generated} generated, depth {depth}", found.end);
            for violation in &found.violations {
                println!("{:?}", violation.broken);
                violation.trace.steps.iter().for_each(|(action, _)| println!("  {action:?}"));
            }
            ExitCode::from(u8::from(!found.violations.is_empty()))
        }
        Err(failure) => {
            eprintln!("{failure}");
            ExitCode::from(3)
        }
    }
}
