//! `sextant run`: a real cluster under faults, and a verdict.

use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use sextant::harness::{self, Config, HarnessError, Nemesis, Outcome, Progress, Tick};
use sextant::verdict::{Exit, Verdict};

use super::{interrupt, output};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// How long the clients work
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
    seconds: u32,
    /// Repeats the choices of an earlier run; by default a new one, which is printed
    #[arg(long)]
    seed: Option<u64>,
    /// Faults, separated by commas: kill-node, kill-writer, zombie-writer, power-cut; or none
    #[arg(long, default_value_t = Nemesis::all())]
    nemesis: Nemesis,
    /// Run a known mistake, M17 say: the harness is to find it
    #[arg(long, value_name = "ID")]
    mutant: Option<String>,
    /// Keep the disks and the flight recorders (for `sextant conform`) also where the run is valid
    #[arg(long)]
    keep: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    /// Name of the run's folder in the store; by default the list of faults
    #[arg(long)]
    name: Option<String>,
    /// Where the evidence goes
    #[arg(long, default_value = "store", value_name = "DIR")]
    store: PathBuf,
}

pub fn run(args: &Args) -> io::Result<Exit> {
    let mut config = Config::new(args.seconds, args.seed.unwrap_or_else(fresh_seed), args.nemesis.clone());
    config.mutant.clone_from(&args.mutant);
    config.name.clone_from(&args.name);
    config.store.clone_from(&args.store);
    config.keep = args.keep;
    config.interrupt = interrupt::flag_on_signal()?;
    let mut teller = Teller::new();
    let result = harness::run(&config, &mut |progress| teller.tell(&progress));
    teller.clear();
    match result {
        Ok(outcome) => report(&outcome, args.json),
        Err(error) => {
            output::error(&error.to_string());
            Ok(exit(&error))
        }
    }
}

/// How the command ends after an error of the harness.
pub fn exit(error: &HarnessError) -> Exit {
    match error {
        HarnessError::Usage(_) => Exit::Unreadable,
        _ => Exit::Harness,
    }
}

/// Short, because somebody may type it again.
pub fn fresh_seed() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    (now.as_secs() ^ u64::from(now.subsec_nanos())) % 1_000_000
}

fn report(outcome: &Outcome, json: bool) -> io::Result<Exit> {
    output::line(&if json { outcome.to_json().to_string() } else { text(outcome) })?;
    if json && outcome.verdict != Verdict::Valid {
        output::note(&format!("repeat: {}", outcome.command));
    }
    Ok(outcome.verdict.into())
}

/// A table; what cannot be; and, where it is not valid, the command that repeats it in the last line.
fn text(outcome: &Outcome) -> String {
    let mut lines: Vec<String> = outcome.table().iter().map(|(name, value)| format!("{name:<11} {value}")).collect();
    let name = if outcome.verdict == Verdict::Invalid { "violation" } else { "reason" };
    lines.extend(outcome.reasons.iter().map(|reason| format!("{name:<11} {reason}")));
    lines.extend(outcome.offending.iter().map(|line| format!("  {line}")));
    if outcome.verdict != Verdict::Valid {
        lines.push(format!("{:<11} {}", "repeat", outcome.command));
    }
    lines.join("\n")
}

/// Tells the progress on standard error: one line that is refreshed on a terminal, a line an event elsewhere.
pub struct Teller {
    terminal: bool,
    /// Ticks since the last one that was printed in a pipe.
    ticks: u32,
    dirty: bool,
}

/// In a pipe one tick in this many is told: about one in five seconds.
const TICKS_PER_LINE: u32 = 25;

impl Teller {
    pub fn new() -> Self {
        Self { terminal: io::stderr().is_terminal(), ticks: 0, dirty: false }
    }

    pub fn tell(&mut self, progress: &Progress) {
        match progress {
            Progress::Tick(tick) if self.terminal => self.refresh(&self::tick(tick)),
            Progress::Tick(tick) => {
                self.ticks += 1;
                if self.ticks.is_multiple_of(TICKS_PER_LINE) {
                    self.line(&self::tick(tick));
                }
            }
            Progress::Store(path) => self.line(&format!("evidence in {}", path.display())),
            Progress::Started => self.line("cluster up: 6 nodes, a writer, a standby"),
            Progress::Fault(receipt) => self.line(&receipt.to_string()),
            Progress::Settling => self.line("healed; reading all keys"),
            Progress::Checking { operations } => self.line(&format!("checking {operations} operations")),
        }
    }

    fn line(&mut self, text: &str) {
        self.clear();
        output::note(text);
    }

    fn refresh(&mut self, text: &str) {
        // Nobody is harmed if the terminal is gone.
        let _ = write!(io::stderr().lock(), "\r\x1b[2K{text}");
        self.dirty = true;
    }

    pub fn clear(&mut self) {
        if self.dirty {
            let _ = write!(io::stderr().lock(), "\r\x1b[2K");
            self.dirty = false;
        }
    }
}

fn tick(tick: &Tick) -> String {
    let writer = match &tick.writer {
        Some((name, epoch)) => format!("{name} at e{epoch}"),
        None => "no writer".into(),
    };
    format!(
        "{:.1} of {} s, {} operations, {} faults, {} failovers, {writer}",
        tick.elapsed_ms as f64 / 1000.0,
        tick.seconds,
        tick.operations,
        tick.faults,
        tick.failovers
    )
}
