//! The gate: everything that a configuration lists, judged to the end, in one table with one exit code.

mod config;
mod histories;
mod junit;

use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use sextant_model::area::Size;

use crate::explore::catalogue::{Leg, Mutant, Profile};
use crate::explore::{self, Death, Engine, Plan};
use crate::harness::{self, Config as RunConfig, HarnessError, Progress};
use crate::simulate::{self, Judged, Summary};
use crate::verdict::Exit;

pub use config::{Config, ConfigError, Histories, Profiled, Run, Simulation};
pub use histories::{histories_in, judge_history};
pub use junit::write as write_junit;

/// One line of the table.
#[derive(Clone, Debug)]
pub struct Row {
    /// `model`, `mutant`, `history`, `simulate` or `run`
    pub group: &'static str,
    pub name: String,
    pub exit: Exit,
    /// What was found, in one line.
    pub detail: String,
    pub elapsed: Duration,
}

impl Row {
    /// The word for its exit.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self.exit {
            Exit::Valid => "valid",
            Exit::Invalid => "INVALID",
            Exit::Unknown => "unknown",
            Exit::Unreadable => "unreadable",
            Exit::Harness => "harness failed",
        }
    }
}

/// Runs `judge` and makes a row of what it found; the error is a failure of the harness.
fn row(group: &'static str, name: String, judge: impl FnOnce() -> Result<(Exit, String), String>) -> Row {
    let began = Instant::now();
    let (exit, detail) = judge().unwrap_or_else(|failure| (Exit::Harness, failure));
    Row { group, name, exit, detail, elapsed: began.elapsed() }
}

/// Explores one leg under the adopted rules. It is invalid if a property is violated, or if its count is not `states`.
/// Beside its row, the properties that no state of it gave anything to say.
#[must_use]
pub fn explore_leg(
    profile: &Profile,
    size: Size,
    leg: &Leg,
    states: usize,
    progress: &mut dyn FnMut(explore::Progress),
) -> (Row, Vec<&'static str>) {
    let mut vacuous = Vec::new();
    let row = row("model", format!("{} {} {}", profile.name, size.name(), leg.name), || {
        let model = leg.open(&leg.area.adopted())?;
        let plan = Plan::new(Engine::Packed, all_cores());
        let explored = model.explore(&plan, progress).map_err(|f| f.to_string())?;
        let found = explored.unique_states;
        vacuous = explored.vacuous;
        Ok(match explored.counterexample {
            Some(c) => (Exit::Invalid, format!("{} violated in {} actions: {}", c.property, c.length(), c.fact)),
            None if explored.stopped.is_some() => (Exit::Unknown, explored.stopped.unwrap_or_default()),
            None if found != states => {
                (Exit::Invalid, format!("{found} states, pinned at {states}: the count changed"))
            }
            None => (Exit::Valid, format!("{found} states, {}", model.bounds())),
        })
    });
    (row, vacuous)
}

/// A property that no leg of a profile gave anything to say holds vacuously, and that is unknown, not valid. `by_leg` are the
/// properties that each leg left without a word.
#[must_use]
pub fn judge_vacuity(profile: &Profile, size: Size, by_leg: &[Vec<&'static str>]) -> Option<Row> {
    let (first, others) = by_leg.split_first()?;
    let silent = first.iter().copied().filter(|name| others.iter().all(|leg| leg.contains(name)));
    let silent: Vec<&str> = silent.filter(|name| profile.speaks_of(name)).collect();
    let detail = format!("no state makes these say anything: {}", silent.join(", "));
    let row = row("model", format!("{} {}", profile.name, size.name()), || Ok((Exit::Unknown, detail)));
    (!silent.is_empty()).then_some(row)
}

/// Runs a mutant against what it must break; it is invalid if it survives, or if an equivalent one breaks something.
#[must_use]
pub fn judge_mutant(mutant: &Mutant) -> Row {
    row("mutant", mutant.id.to_owned(), || {
        let fate = mutant.judge(all_cores()).map_err(|f| f.to_string())?;
        Ok(match &fate.death {
            Death::Caught(all) => {
                let each: Vec<_> = all.iter().map(|(id, c)| format!("{id} in {}", c.length())).collect();
                (Exit::Valid, format!("{}: caught by {}", mutant.mistake, each.join(", ")))
            }
            Death::Equivalent(e) => {
                (Exit::Valid, format!("{}: equivalent, {} states explored whole", mutant.mistake, e.unique_states))
            }
            Death::Survived { reason } => (Exit::Invalid, format!("{}: survived: {reason}", mutant.mistake)),
        })
    })
}

/// Simulates so many seeds, each of them twice.
#[must_use]
pub fn simulate(seeds: u64, interrupt: &AtomicBool, tell: impl FnMut(&Judged, &Summary)) -> Row {
    row("simulate", format!("{seeds} seeds, each twice"), || {
        let config = simulate::Config { seeds: 0..seeds, twice: true, ..simulate::Config::adopted(all_cores()) };
        let summary = config.run(interrupt, tell);
        let bit: u64 = summary.faults.values().map(|struck| struck.bit).sum();
        let mut detail = format!("{} operations, {} failovers, {bit} faults that bit", summary.ok, summary.failovers);
        let violations = summary.violations.iter().map(|(seed, v)| format!("seed {seed}: {} {}", v.property, v.fact));
        violations.chain(summary.doubts()).for_each(|line| detail.push_str(&format!("; {line}")));
        Ok((summary.verdict().into(), detail))
    })
}

/// Runs a cluster under faults; the folder of its evidence, and where it was judged, its row.
#[must_use]
pub fn run_cluster(config: &RunConfig, progress: &mut dyn FnMut(Progress)) -> (Row, Option<PathBuf>) {
    let mut store = None;
    let name = format!("{} s {}", config.seconds, config.nemesis);
    let row = row("run", name, || match harness::run(config, progress) {
        Ok(outcome) => {
            store = Some(outcome.store.clone());
            let faults: Vec<_> = outcome.faults().iter().map(|(name, count)| format!("{count} {name}")).collect();
            let mut detail =
                format!("{} operations, {} failovers, {}", outcome.operations, outcome.failovers, faults.join(", "));
            detail.push_str(&format!("; record {}", outcome.conformance));
            outcome.reasons.iter().chain(&outcome.offending).for_each(|line| detail.push_str(&format!("; {line}")));
            Ok((outcome.verdict.into(), detail))
        }
        Err(HarnessError::Usage(reason)) => Ok((Exit::Unreadable, reason)),
        Err(error) => Err(error.to_string()),
    });
    (row, store)
}

/// A row for something that could not even be begun.
#[must_use]
pub fn unreadable(group: &'static str, name: String, reason: String) -> Row {
    Row { group, name, exit: Exit::Unreadable, detail: reason, elapsed: Duration::ZERO }
}

/// The rows as text, one line each, and what they come to.
#[must_use]
pub fn table(rows: &[Row]) -> String {
    let width = rows.iter().map(|row| row.name.chars().count()).max().unwrap_or(0);
    let line = |row: &Row| {
        let seconds = row.elapsed.as_secs_f64();
        format!("{:<8} {:<width$}  {:<10} {seconds:>6.1} s  {}", row.group, row.name, row.word(), row.detail)
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// What the rows come to.
#[must_use]
pub fn exit(rows: &[Row]) -> Exit {
    Exit::of_all(rows.iter().map(|row| row.exit))
}

fn all_cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::explore::catalogue::profiles;

    #[test]
    fn a_property_that_no_leg_speaks_of_is_unknown() {
        let judge = |by_leg: &[Vec<&'static str>]| judge_vacuity(&profiles()[0], Size::Quick, by_leg);
        assert!(judge(&[vec!["SingleWriter"], vec!["LinearizableRead"]]).is_none());
        assert!(judge(&[vec![]]).is_none());
        let row = judge(&[vec!["SingleWriter", "LinearizableRead"], vec!["LinearizableRead"]]).unwrap();
        assert_eq!(row.exit, Exit::Unknown);
        assert!(row.detail.ends_with(": LinearizableRead"), "{}", row.detail);
    }
}
