//! `sextant gate`, and the main job: `sextant` without a subcommand.

use std::io::{self, IsTerminal};
use std::path::PathBuf;

use sextant::explore::catalogue::{self, Leg, Profile};
use sextant::gate::{self, Config, Row};
use sextant::harness::{Config as RunConfig, Nemesis};
use sextant::verdict::{Exit, Verdict};
use sextant_model::area::Size;

use super::model::Shown;
use super::run::{Teller, fresh_seed};
use super::simulate::Seeds;
use super::{interrupt, output};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// What to check
    #[arg(long, default_value = "sextant.toml", value_name = "FILE")]
    config: PathBuf,
    /// Leave out what the configuration calls slow, and run the cluster for a shorter time
    #[arg(long)]
    quick: bool,
    /// Also write the table as JUnit XML
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
}

/// Runs everything that the configuration lists, whatever fails on the way.
pub fn run(args: &Args) -> io::Result<Exit> {
    let config = match Config::read(&args.config) {
        Ok(config) => config,
        Err(error) => {
            output::error(&error.to_string());
            return Ok(Exit::Unreadable);
        }
    };
    let mut board = Board::default();
    let quick = args.quick;
    for profiled in &config.profiles {
        let left_out = |leg: &Leg| quick && profiled.slow.iter().any(|slow| slow == leg.name);
        let legs = profiled.profile.legs(profiled.size).iter().filter(|leg| !left_out(leg));
        board.explore(profiled.profile, profiled.size, legs.map(|leg| (leg, profiled.states[leg.name])))?;
    }
    for mutant in &config.mutants {
        if !(quick && config.slow_mutants.iter().any(|slow| slow.id == mutant.id)) {
            board.add(gate::judge_mutant(mutant))?;
        }
    }
    for histories in &config.histories {
        match gate::histories_in(&histories.path) {
            Ok(files) => files.iter().try_for_each(|file| board.add(gate::judge_history(file, histories.expect)))?,
            Err(reason) => board.add(gate::unreadable("history", histories.path.display().to_string(), reason))?,
        }
    }
    if let Some(simulation) = &config.simulation {
        board.simulate(if quick { simulation.quick_seeds } else { simulation.seeds })?;
    }
    if let Some(run) = &config.run {
        let seconds = if quick { run.quick_seconds } else { run.seconds };
        board.run_cluster(RunConfig::new(seconds, run.seed.unwrap_or_else(fresh_seed), run.nemesis.clone()))?;
    }
    if let Some(path) = &args.junit
        && let Err(reason) = gate::write_junit(path, &board.rows)
    {
        output::error(&reason);
        return Ok(gate::exit(&board.rows).combine(Exit::Harness));
    }
    board.conclude()
}

/// The main job: the protocol explored and simulated, a real run under faults, its history judged, one table.
pub fn everything(quick: bool) -> io::Result<Exit> {
    let mut board = Board::default();
    for profile in catalogue::profiles() {
        let legs = if quick { &profile.quick[..1] } else { &profile.quick[..] };
        board.explore(profile, Size::Quick, legs.iter().map(|leg| (leg, leg.states)))?;
    }
    board.simulate(if quick { 60 } else { 300 })?;
    let seconds = if quick { 8 } else { 20 };
    board.run_cluster(RunConfig::new(seconds, fresh_seed(), Nemesis::all()))?;
    board.conclude()
}

/// Rows as they come, and the table at the end.
#[derive(Default)]
struct Board {
    rows: Vec<Row>,
    /// Where the evidence of the last run lies.
    store: Option<PathBuf>,
}

impl Board {
    fn add(&mut self, row: Row) -> io::Result<()> {
        if io::stdout().is_terminal() {
            output::note(&gate::table(std::slice::from_ref(&row)));
        } else {
            output::line(&gate::table(std::slice::from_ref(&row)))?;
        }
        self.rows.push(row);
        Ok(())
    }

    /// Explores legs of a profile, each with its pinned count. Only where none was left out on request is it asked whether
    /// they gave every property something to say.
    fn explore<'a>(
        &mut self,
        profile: &Profile,
        size: Size,
        legs: impl Iterator<Item = (&'a Leg, usize)>,
    ) -> io::Result<()> {
        let mut vacuous = Vec::new();
        for (leg, states) in legs {
            let mut shown = Shown::new(leg.name);
            let (row, silent) = gate::explore_leg(profile, size, leg, states, &mut |at| shown.show(at));
            drop(shown);
            self.add(row)?;
            vacuous.push(silent);
        }
        if vacuous.len() < profile.legs(size).len() {
            return Ok(());
        }
        gate::judge_vacuity(profile, size, &vacuous).map_or(Ok(()), |row| self.add(row))
    }

    fn simulate(&mut self, seeds: u64) -> io::Result<()> {
        let interrupt = interrupt::flag_on_signal()?;
        let mut shown = Seeds::default();
        let row = gate::simulate(seeds, &interrupt, |_, summary| shown.show(summary));
        drop(shown);
        self.add(row)
    }

    /// Runs a cluster and judges its history from the file once more, as anybody could.
    fn run_cluster(&mut self, mut config: RunConfig) -> io::Result<()> {
        config.interrupt = interrupt::flag_on_signal()?;
        let mut teller = Teller::new();
        let (row, store) = gate::run_cluster(&config, &mut |progress| teller.tell(&progress));
        teller.clear();
        self.add(row)?;
        if let Some(store) = store {
            self.add(gate::judge_history(&store.join("history.jsonl"), Verdict::Valid))?;
            self.store = Some(store);
        }
        Ok(())
    }

    fn conclude(self) -> io::Result<Exit> {
        let exit = gate::exit(&self.rows);
        let bad = self.rows.iter().filter(|row| row.exit != Exit::Valid).count();
        output::line(&format!("\n{}", gate::table(&self.rows)))?;
        let verdict = if bad == 0 { "all valid".into() } else { format!("{bad} of {} not valid", self.rows.len()) };
        let store = self.store.map(|path| format!("; evidence in {}", path.display())).unwrap_or_default();
        output::line(&format!("\n{verdict}{store}"))?;
        Ok(exit)
    }
}
