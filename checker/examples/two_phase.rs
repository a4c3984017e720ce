//! Someone else's model in the `packed` engine: two-phase commit.
//!
//! `cargo run --release --example two_phase -- 8`

#[path = "models/two_phase.rs"]
mod two_phase;

use sextant::explore::packed::{Options, Store, explore};
use two_phase::{LABELS, TwoPhase};

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let number = |place: usize, or| arguments.get(place).and_then(|a| a.parse().ok()).unwrap_or(or);
    let store = if arguments.iter().any(|a| a == "exact") { Store::Exact } else { Store::Fingerprints };
    let options = Options { threads: number(2, 2), labels: Some(LABELS), store, ..Options::default() };
    let outcome = explore(&TwoPhase::of(number(1, 7) as u8), &options, &mut |p| eprintln!("{p:?}")).unwrap();
    println!("{outcome:#?}");
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    println!("{}", status.lines().find(|l| l.contains("HWM")).unwrap());
}
