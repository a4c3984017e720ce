//! `sextant simulate`: seeds by the thousand, or one of them in every detail.

use std::collections::BTreeMap;
use std::io::{self, IsTerminal, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use serde_json::json;
use sextant::conformance::Coverage;
use sextant::explore::case::Case;
use sextant::schedule::{self, Lengths};
use sextant::simulate::{Config, Judged, Summary, Violation, case_of, judge, shortest_of, shrink};
use sextant::verdict::{Exit, Verdict};
use sextant_model::mutants;
use sextant_model::rules::Rules;
use sextant_storage::sim::{
    Available, Cell, Class, ExecutorMistake, FaultKind, Options, Phase, Plan, Scheduler, event_kinds,
};

use super::{interrupt, lockstep, output};

#[derive(Debug, clap::Args)]
#[command(after_help = "\
A seed draws its mix of faults, latencies, keys and times; the same seed is the same run, to the byte.
--shrink takes out faults, then clients, time and operations. Into a .case go the model's actions of what is left: the run is recorded,
merged, and actions are left out while the same property is violated, by the closed world in the end; storage nodes and writers then
take them in lockstep. Nothing is searched for: it is what the run did, less what did not matter.
exit: 0 no violation, 1 a violation, 2 it proves nothing (interrupted, no operation, a fault that never bit), 64 bad usage")]
pub struct Args {
    /// The seeds to run: FROM..TO, TO not included
    #[arg(long, default_value = "0..200", value_name = "FROM..TO", value_parser = seeds)]
    seeds: Range<u64>,
    /// Run this one seed
    #[arg(long, conflicts_with = "seeds")]
    seed: Option<u64>,
    /// Run a saved plan
    #[arg(long, value_name = "FILE", conflicts_with_all = ["seeds", "seed", "mutant", "clients", "millis", "faults"])]
    plan: Option<PathBuf>,
    /// Write a line for each event of the one seed or plan; - is standard output
    #[arg(long, value_name = "FILE")]
    trace: Option<PathBuf>,
    /// Write the history of the one seed or plan, for `sextant history check`
    #[arg(long, value_name = "FILE")]
    history: Option<PathBuf>,
    /// Have the actors of the one seed or plan record what they do in this folder, for `sextant conform`
    #[arg(long, value_name = "DIR")]
    flight: Option<PathBuf>,
    /// Run a known mistake, M3 say: it is to be found
    #[arg(long, value_name = "ID")]
    mutant: Option<String>,
    #[arg(long, default_value_t = 10, value_parser = clients)]
    clients: usize,
    /// How long clients work and faults happen, in milliseconds of virtual time
    #[arg(long, default_value_t = 4000, value_parser = clap::value_parser!(u64).range(200..=600_000))]
    millis: u64,
    /// Aim at the cells of the fault space (nodes away × kind of fault × phase), one after the other, instead of drawing faults
    #[arg(long, conflicts_with_all = ["faults", "plan"])]
    guided: bool,
    /// Kinds of faults, separated by commas; all, or none
    #[arg(long, default_value = "all", value_parser = faults)]
    faults: Faults,
    /// What goes first: what is due first, or, within a window of milliseconds, by random priorities
    #[arg(long, value_enum, default_value = "time", conflicts_with = "plan")]
    scheduler: Order,
    /// How often priorities change in a run (with --scheduler pct)
    #[arg(long, default_value_t = 3, value_name = "N", value_parser = clap::value_parser!(u32).range(0..=1000))]
    changes: u32,
    /// Make the first violation small, and write it here: as a plan, for --plan; or, where the name ends in .case, as a few actions of
    /// the model, for `sextant replay`
    #[arg(long, value_name = "FILE")]
    shrink: Option<PathBuf>,
    /// Run every seed twice, and hold the two against each other
    #[arg(long)]
    twice: bool,
    /// Go on after a violation
    #[arg(long)]
    all: bool,
    #[arg(long)]
    threads: Option<usize>,
    /// Begin no seed after so many seconds
    #[arg(long, value_name = "SECONDS")]
    limit: Option<u64>,
    /// Print the fault space: how often each kind of fault began in each phase of a recovery, with which nodes away; what was available
    /// then; which cells were never reached, and which cannot be, and why
    #[arg(long)]
    matrix: bool,
    /// Print how much of the abstract states and transitions that the explorer reaches the runs have been through; noting them makes a
    /// run slower, exploring takes a few seconds
    #[arg(long)]
    coverage: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Order {
    Time,
    Pct,
}

impl Args {
    fn scheduler(&self) -> Scheduler {
        match self.scheduler {
            Order::Time => Scheduler::Time,
            Order::Pct => Scheduler::Pct { changes: self.changes },
        }
    }
}

#[derive(Clone, Debug)]
struct Faults(Vec<FaultKind>);

fn faults(text: &str) -> Result<Faults, String> {
    match text {
        "all" => Ok(Faults(FaultKind::ALL.to_vec())),
        "none" => Ok(Faults(Vec::new())),
        names => names.split(',').map(str::parse).collect::<Result<_, _>>().map(Faults),
    }
}

fn clients(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(count @ 1..=1000) => Ok(count),
        _ => Err("a number from 1 to 1000".to_owned()),
    }
}

fn seeds(text: &str) -> Result<Range<u64>, String> {
    let (from, to) = text.split_once("..").ok_or("expected FROM..TO")?;
    let number = |text: &str| text.parse::<u64>().map_err(|error| format!("{text:?}: {error}"));
    let range = number(from)?..number(to)?;
    if range.is_empty() { Err("no seed lies in it".to_owned()) } else { Ok(range) }
}

/// What `--shrink` writes and `--plan` reads.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Saved {
    seed: u64,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    mutant: Option<String>,
    #[serde(skip_serializing_if = "is_time", default)]
    scheduler: Scheduler,
    /// The property that it violates.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    violates: Option<String>,
    plan: Plan,
}

fn is_time(scheduler: &Scheduler) -> bool {
    *scheduler == Scheduler::Time
}

pub fn run(args: &Args) -> io::Result<Exit> {
    match prepared(args) {
        Ok(Job::Many(config)) => many(args, &config),
        Ok(Job::One { seed, plan, mutant, options }) => one(args, seed, &plan, mutant, options),
        Err(reason) => {
            output::error(&reason);
            Ok(Exit::Unreadable)
        }
    }
}

enum Job {
    Many(Config),
    One { seed: u64, plan: Plan, mutant: Option<String>, options: Options },
}

fn prepared(args: &Args) -> Result<Job, String> {
    if let Some(path) = &args.plan {
        let saved = load(path)?;
        let options = Options { scheduler: saved.scheduler, ..options(saved.mutant.as_deref())? };
        return Ok(Job::One { seed: saved.seed, plan: saved.plan, mutant: saved.mutant, options });
    }
    let options = Options { scheduler: args.scheduler(), ..options(args.mutant.as_deref())? };
    let threads = args.threads.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from));
    let config = Config {
        rules: options.rules,
        executor: options.executor,
        scheduler: options.scheduler,
        seeds: args.seeds.clone(),
        clients: args.clients,
        lasts: args.millis,
        faults: args.faults.0.clone(),
        guided: args.guided,
        coverage: args.coverage,
        threads,
        twice: args.twice,
        at_first: !args.all,
        limit: args.limit.map(Duration::from_secs),
    };
    match args.seed {
        Some(seed) => Ok(Job::One { seed, plan: config.plan(seed), mutant: args.mutant.clone(), options }),
        None if args.trace.is_some() || args.history.is_some() || args.flight.is_some() => {
            Err("--trace, --history and --flight are for one run: give --seed or --plan".to_owned())
        }
        None => Ok(Job::Many(config)),
    }
}

fn options(mutant: Option<&str>) -> Result<Options, String> {
    let adopted = Options::new(Rules::adopted());
    let Some(id) = mutant else { return Ok(adopted) };
    if let Some(mistake) = ExecutorMistake::ALL.into_iter().find(|mistake| mistake.id() == id) {
        return Ok(Options { executor: Some(mistake), ..adopted });
    }
    let ids = mutants::MUTANTS.iter().map(|mutant| mutant.id).chain(ExecutorMistake::ALL.map(ExecutorMistake::id));
    let found = mutants::by_id(id).map(|mutant| Options::new(mutant.rules));
    found.ok_or_else(|| {
        format!("no mutant {id} of the core or of the executor; there are {}", ids.collect::<Vec<_>>().join(", "))
    })
}

fn load(path: &Path) -> Result<Saved, String> {
    let text = std::fs::read_to_string(path).map_err(|error| format!("read {}: {error}", path.display()))?;
    let saved: Saved = serde_json::from_str(&text).map_err(|error| format!("read {}: {error}", path.display()))?;
    saved.plan.check().map_err(|reason| format!("read {}: {reason}", path.display()))?;
    Ok(saved)
}

// --- many --------------------------------------------------------------------------------------------------------

fn many(args: &Args, config: &Config) -> io::Result<Exit> {
    let interrupt = interrupt::flag_on_signal()?;
    let mut shown = Seeds::default();
    let mut first: Option<Judged> = None;
    let summary = config.run(&interrupt, |judged, summary| {
        if judged.violation.is_some() && first.as_ref().is_none_or(|first| judged.seed < first.seed) {
            first = Some(judged.clone());
        }
        shown.show(summary);
    });
    drop(shown);
    let coverage = summary.visited.as_ref().map(Coverage::of);
    if args.json {
        output::line(&json_of(&summary, coverage.as_ref()).to_string())?;
    } else {
        output::line(&text_of(&summary, coverage.as_ref(), args.matrix))?;
    }
    if let Some(found) = first {
        after_violation(args, found, args.mutant.clone(), config.options())?;
    }
    Ok(summary.verdict().into())
}

fn text_of(summary: &Summary, coverage: Option<&Coverage>, matrix: bool) -> String {
    let (operations, bit, failovers) = summary.medians();
    let seconds = summary.elapsed.as_secs_f64();
    let simulated = summary.simulated.as_secs_f64();
    let mut lines = vec![
        format!("{:<11} {} in {seconds:.1} s", "seeds", summary.seeds),
        format!("{:<11} {}, {:.0} a second of a core", "events", summary.events, summary.rate()),
        format!(
            "{:<11} {simulated:.0} s, {:.0} times real time",
            "simulated",
            simulated / summary.took.as_secs_f64().max(1e-9)
        ),
        format!("{:<11} {} ok, {} fail, {} info", "operations", summary.ok, summary.fail, summary.info),
        format!("{:<11} {} taken, {} opened after the first", "epochs", summary.epochs, summary.failovers),
        format!("{:<11} {operations} operations, {bit} faults that bit, {failovers} failovers", "median seed"),
    ];
    let faults = summary.faults.iter().map(|(kind, struck)| format!("{} {kind} ({} bit)", struck.times, struck.bit));
    lines.push(format!("{:<11} {}", "faults", faults.collect::<Vec<_>>().join(", ")));
    let (cells, feasible) = summary.reached();
    let kinds = summary.kinds.iter().filter(|count| **count > 0).count();
    lines.push(format!(
        "{:<11} {cells} of {feasible} cells of the fault space, {kinds} of {} kinds of event",
        "coverage",
        event_kinds().len()
    ));
    lines.extend(coverage.map(|coverage| format!("{:<11} {coverage}", "")));
    let sum = |of: fn(&Available) -> u64| summary.available.values().map(of).sum::<u64>();
    lines.push(format!(
        "{:<11} writes in {} stretches with at most two nodes away, reads in {} with at most three",
        "available",
        sum(|available| available.writes),
        sum(|available| available.reads)
    ));
    if matrix {
        lines.extend(matrix_of(summary));
    }
    lines.extend(summary.doubts().iter().map(|doubt| format!("{:<11} {doubt}", "reason")));
    for (seed, violation) in summary.violations.iter().take(10) {
        lines.push(format!("{:<11} seed {seed}: {}", "violation", told(violation)));
    }
    if summary.violations.len() > 10 {
        lines.push(format!("{:<11} and {} more", "violation", summary.violations.len() - 10));
    }
    lines.push(format!("{:<11} {}", "verdict", summary.verdict()));
    lines.join("\n")
}

/// How far many seeds have come, on one line of a terminal that is cleared at the end.
#[derive(Default)]
pub struct Seeds {
    told: Option<Instant>,
}

impl Seeds {
    pub fn show(&mut self, summary: &Summary) {
        let is_due = self.told.is_none_or(|told| told.elapsed() > Duration::from_millis(200));
        if is_due && io::stderr().is_terminal() {
            self.told = Some(Instant::now());
            eprint!("\r{} seeds, {} events, {} violations", summary.seeds, summary.events, summary.violations.len());
        }
    }
}

impl Drop for Seeds {
    fn drop(&mut self) {
        if self.told.is_some() {
            eprint!("\r\x1b[K");
        }
    }
}

fn told(violation: &Violation) -> String {
    format!("{} {} ({} fault)", violation.property, violation.fact, violation.diagnosis().name())
}

/// Faults by the phase in which they began, down-sets by class and phase, of their product how many phases were reached; what was
/// available; and the cells that were never reached, or cannot be.
fn matrix_of(summary: &Summary) -> Vec<String> {
    let row = |name: String, cells: Vec<String>| {
        let cells: Vec<String> = cells.iter().map(|cell| format!("{cell:>10}")).collect();
        format!("  {name:<15}{}", cells.join(""))
    };
    let phases = || Phase::ALL.iter().map(|phase| phase.name().to_owned()).collect::<Vec<_>>();
    let mut lines = vec![row("fault begins".to_owned(), phases())];
    for kind in FaultKind::ALL {
        let counts = Phase::ALL.map(|phase| summary.begun(kind, phase).to_string());
        lines.push(row(kind.to_string(), counts.to_vec()));
    }
    lines.push(row("nodes away".to_owned(), phases()));
    for class in Class::all() {
        let counts = Phase::ALL.map(|phase| summary.away(class, phase).to_string());
        lines.push(row(class.to_string(), counts.to_vec()));
    }
    let short = |cells: Vec<String>| cells.iter().map(|cell| format!("{cell:>7}")).collect::<Vec<_>>().join("");
    let classes = Class::all().iter().map(ToString::to_string).collect();
    lines.push(format!("  {:<15}{}", "phases reached", short(classes)));
    for kind in FaultKind::ALL {
        let phases = |class: Class| {
            let cells = Phase::ALL.map(|phase| Cell { class, kind, phase });
            match cells.iter().all(|cell| cell.infeasible().is_some()) {
                true => "-".to_owned(),
                false => cells.iter().filter(|cell| summary.cells.contains_key(cell)).count().to_string(),
            }
        };
        lines.push(format!("  {:<15}{}", kind.name(), short(Class::all().into_iter().map(phases).collect())));
    }
    let heads = ["writes", "reads", "client read"].map(str::to_owned);
    lines.push(row("had to succeed".to_owned(), heads.to_vec()));
    for (class, Available { writes, reads, read }) in &summary.available {
        lines.push(row(class.to_string(), [writes, reads, read].map(ToString::to_string).to_vec()));
    }
    let mut reasons: BTreeMap<&str, usize> = BTreeMap::new();
    Cell::all().filter_map(Cell::infeasible).for_each(|reason| *reasons.entry(reason).or_default() += 1);
    lines.extend(reasons.iter().map(|(reason, cells)| format!("  {cells} cells (-) cannot be: {reason}")));
    let (reached, feasible) = summary.reached();
    lines.push(format!("  {} of {feasible} cells were never reached", feasible - reached));
    let missed = Cell::all().filter(|cell| cell.infeasible().is_none() && !summary.cells.contains_key(cell));
    let named = missed.map(|Cell { class, kind, phase }| format!("    {class} {kind} {}", phase.name()));
    lines.extend(named.take(MISSED_SHOWN));
    lines
}

/// Cells that were never reached, shown by name.
const MISSED_SHOWN: usize = 20;

fn json_of(summary: &Summary, coverage: Option<&Coverage>) -> serde_json::Value {
    let (operations, bit, failovers) = summary.medians();
    let faults: serde_json::Map<String, serde_json::Value> = summary
        .faults
        .iter()
        .map(|(kind, struck)| (kind.to_string(), json!({ "times": struck.times, "bit": struck.bit })))
        .collect();
    let violations: Vec<serde_json::Value> = summary
        .violations
        .iter()
        .map(|(seed, violation)| json!({ "seed": seed, "property": violation.property, "fact": violation.fact, "fault_of": violation.diagnosis().name() }))
        .collect();
    let cells: Vec<serde_json::Value> = Cell::all()
        .map(|cell| {
            let count = summary.cells.get(&cell).copied().unwrap_or_default();
            let Cell { class, kind, phase } = cell;
            let (away, fault, phase) = (class.to_string(), kind.name(), phase.name());
            match cell.infeasible() {
                Some(reason) => json!({ "away": away, "fault": fault, "phase": phase, "infeasible": reason }),
                None => json!({ "away": away, "fault": fault, "phase": phase, "count": count }),
            }
        })
        .collect();
    let available: Vec<serde_json::Value> = summary
        .available
        .iter()
        .map(|(class, a)| json!({ "away": class.to_string(), "writes": a.writes, "reads": a.reads, "client_read": a.read }))
        .collect();
    let (reached, feasible) = summary.reached();
    let kinds: serde_json::Map<String, serde_json::Value> =
        event_kinds().iter().zip(&summary.kinds).map(|(kind, count)| ((*kind).to_owned(), json!(count))).collect();
    json!({
        "verdict": summary.verdict(),
        "seeds": summary.seeds,
        "events": summary.events,
        "events_per_core_second": summary.rate(),
        "simulated_seconds": summary.simulated.as_secs_f64(),
        "seconds": summary.elapsed.as_secs_f64(),
        "operations": { "ok": summary.ok, "fail": summary.fail, "info": summary.info },
        "epochs": summary.epochs,
        "failovers": summary.failovers,
        "median": { "operations": operations, "faults": bit, "failovers": failovers },
        "faults": faults,
        "cells": cells,
        "cells_reached": reached,
        "cells_feasible": feasible,
        "available": available,
        "kinds_of_event": kinds,
        "coverage": coverage,
        "reasons": summary.doubts(),
        "violations": violations,
    })
}

// --- one ---------------------------------------------------------------------------------------------------------

fn one(args: &Args, seed: u64, plan: &Plan, mutant: Option<String>, options: Options) -> io::Result<Exit> {
    let mut judged = judge(seed, plan, &Options { trace: args.trace.is_some(), ..options });
    let lines = judged.outcome.as_mut().and_then(|outcome| outcome.trace.take());
    if let Some(path) = &args.trace
        && let Err(reason) = write_trace(path, &lines.unwrap_or_default())
    {
        output::error(&reason);
        return Ok(Exit::Harness);
    }
    if let Some(path) = &args.history
        && let Err(reason) = write_history(path, &judged)
    {
        output::error(&reason);
        return Ok(Exit::Harness);
    }
    if let Some(dir) = &args.flight
        && let Err(reason) = record(dir, seed, plan, &options)
    {
        output::error(&reason);
        return Ok(Exit::Harness);
    }
    let verdict = match (&judged.violation, &judged.outcome) {
        (Some(_), _) => Verdict::Invalid,
        (None, Some(outcome)) if outcome.ok > 0 => Verdict::Valid,
        (None, _) => Verdict::Unknown,
    };
    if args.json {
        output::line(&json_of_one(&judged, verdict).to_string())?;
    } else {
        output::line(&text_of_one(&judged, verdict))?;
    }
    if judged.violation.is_some() {
        after_violation(args, judged, mutant, options)?;
    }
    Ok(verdict.into())
}

fn text_of_one(judged: &Judged, verdict: Verdict) -> String {
    let mut lines = vec![format!("{:<11} {}", "seed", judged.seed)];
    if let Some(outcome) = &judged.outcome {
        let rate = outcome.events as f64 / judged.took.as_secs_f64().max(1e-9);
        lines.push(format!("{:<11} {}, {rate:.0} a second", "events", outcome.events));
        lines.push(format!("{:<11} {:.3} s", "simulated", outcome.simulated.as_secs_f64()));
        lines.push(format!("{:<11} {} ok, {} fail, {} info", "operations", outcome.ok, outcome.fail, outcome.info));
        lines.push(format!("{:<11} {} taken, {} opened after the first", "epochs", outcome.epochs, outcome.failovers));
        lines.push(format!("{:<11} {:016x}", "digest", outcome.digest));
    }
    for window in &judged.plan.windows {
        lines.push(format!("{:<11} {} at {} ms for {} ms", "fault", window.fault, window.from, window.lasts));
    }
    if let Some(violation) = &judged.violation {
        lines.push(format!("{:<11} {}", "violation", told(violation)));
    }
    lines.push(format!("{:<11} {}", "verdict", verdict));
    lines.join("\n")
}

fn json_of_one(judged: &Judged, verdict: Verdict) -> serde_json::Value {
    let violation = judged.violation.as_ref();
    let violation =
        violation.map(|v| json!({ "property": v.property, "fact": v.fact, "fault_of": v.diagnosis().name() }));
    let outcome = judged.outcome.as_ref();
    json!({
        "verdict": verdict,
        "seed": judged.seed,
        "events": outcome.map(|outcome| outcome.events),
        "simulated_seconds": outcome.map(|outcome| outcome.simulated.as_secs_f64()),
        "operations": outcome.map(|outcome| json!({ "ok": outcome.ok, "fail": outcome.fail, "info": outcome.info })),
        "digest": outcome.map(|outcome| format!("{:016x}", outcome.digest)),
        "plan": judged.plan,
        "violation": violation,
    })
}

fn write_trace(path: &Path, lines: &[String]) -> Result<(), String> {
    let text: String = lines.iter().flat_map(|line| [line.as_str(), "\n"]).collect();
    if path == Path::new("-") {
        let written = io::stdout().lock().write_all(text.as_bytes());
        return output::flushed(written).map_err(|error| format!("write the trace: {error}"));
    }
    super::replay::write(path, &text)
}

/// Runs it once more, on record.
fn record(dir: &Path, seed: u64, plan: &Plan, options: &Options) -> Result<(), String> {
    let cannot = |error: io::Error| format!("{}: {error}", dir.display());
    std::fs::create_dir_all(dir).map_err(cannot)?;
    if std::fs::read_dir(dir).map_err(cannot)?.next().is_some() {
        return Err(format!("{}: is not empty", dir.display()));
    }
    let _ = sextant_storage::sim::run_recorded(seed, plan, options, dir);
    let lal = plan.lal.map(|lal| format!(" --lal {lal}")).unwrap_or_default();
    output::note(&format!("recorded: sextant conform {}{lal}", dir.display()));
    Ok(())
}

fn write_history(path: &Path, judged: &Judged) -> Result<(), String> {
    let events = judged.outcome.iter().flat_map(|outcome| &outcome.history);
    let text: String = events.filter_map(|event| Some(event.to_line()? + "\n")).collect();
    super::replay::write(path, &text)
}

/// Shrinks if that was asked for; the last line is the command that repeats it.
fn after_violation(args: &Args, found: Judged, mutant: Option<String>, options: Options) -> io::Result<()> {
    let repeat = |rest: &str| output::note(&format!("repeat: sextant simulate {rest}"));
    let Some(path) = &args.shrink else {
        if let Some(plan) = &args.plan {
            repeat(&format!("--plan {}", plan.display()));
        } else {
            let mutant = mutant.map(|id| format!(" --mutant {id}")).unwrap_or_default();
            let clients = if args.clients == 10 { String::new() } else { format!(" --clients {}", args.clients) };
            let millis = if args.millis == 4000 { String::new() } else { format!(" --millis {}", args.millis) };
            let names = || args.faults.0.iter().map(|kind| kind.name()).collect::<Vec<_>>().join(",");
            let is_all = args.faults.0.len() == FaultKind::ALL.len();
            let faults = if is_all { String::new() } else { format!(" --faults {}", names()) };
            let scheduler = match options.scheduler {
                Scheduler::Time => String::new(),
                Scheduler::Pct { changes } => format!(" --scheduler pct --changes {changes}"),
            };
            let guided = if args.guided { " --guided" } else { "" };
            repeat(&format!("--seed {}{mutant}{clients}{millis}{faults}{guided}{scheduler}", found.seed));
        }
        return Ok(());
    };
    let before = found.plan.windows.len();
    let shrunk = shrink(found, options);
    let plan = &shrunk.judged.plan;
    output::note(&format!(
        "shrunk from {before} faults to {}, {} clients, {}{} ms, in {} runs",
        plan.windows.len(),
        plan.clients,
        plan.operations.map(|most| format!("{most} operations, ")).unwrap_or_default(),
        plan.lasts,
        shrunk.runs
    ));
    let is_case = path.extension().is_some_and(|extension| extension == "case");
    let written = match is_case {
        true => save_case(path, &shrunk.judged, mutant.as_deref(), options),
        false => save_plan(path, shrunk.judged, mutant, options),
    };
    match written {
        Ok(()) if is_case => output::note(&format!("repeat: sextant replay {}", path.display())),
        Ok(()) => repeat(&format!("--plan {}", path.display())),
        Err(reason) => output::error(&reason),
    }
    Ok(())
}

fn save_plan(path: &Path, judged: Judged, mutant: Option<String>, options: Options) -> Result<(), String> {
    let violates = judged.violation.as_ref().map(|violation| violation.property.clone());
    let saved = Saved { seed: judged.seed, mutant, scheduler: options.scheduler, violates, plan: judged.plan };
    let text = serde_json::to_string_pretty(&saved).map_err(|error| error.to_string())?;
    super::replay::write(path, &format!("{text}\n"))
}

/// Writes the actions of the model that are left, and has the actors take them in lockstep.
fn save_case(path: &Path, judged: &Judged, mutant: Option<&str>, options: Options) -> Result<(), String> {
    let shrunk = case_of(judged, &options).map_err(|reason| format!("no case: {reason}"))?;
    let of = mutant.map(|id| format!(" with {id}")).unwrap_or_default();
    let (case, told) = told_case(shrunk, &format!("seed {} of the simulator{of}", judged.seed));
    super::replay::write(path, &case.to_string())?;
    output::note(&told);
    if let Some(id) = mutant
        && let Some(property) = &case.violates
        && let Some((shown, shortest)) = shortest_of(id, property, super::model::all_cores())?
    {
        let times = case.actions.len() as f64 / shortest as f64;
        output::note(&format!(
            "the model's shortest: {shown} in {shortest} actions; these are {times:.2} times as many"
        ));
    }
    output::note(&format!("in lockstep: {}", lockstep::confirmed(&case).map_err(|error| error.to_string())?));
    Ok(())
}

/// The case with where it is from, and its lengths as a sentence.
pub fn told_case(shrunk: schedule::Shrunk, from: &str) -> (Case, String) {
    let Lengths { run, left, case: actions } = shrunk.lengths;
    let told = format!(
        "{} in {actions} actions: {run} steps of the run ({}), {left} of them left without bounds, {actions} on the core",
        shrunk.case.violates.as_deref().unwrap_or("nothing"),
        shrunk.order
    );
    let about = vec![from.to_owned(), told.clone()];
    (Case { about, ..shrunk.case }, told)
}
