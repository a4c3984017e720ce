//! `sextant conform`: recorded runs against the protocol.

use std::io;
use std::path::{Path, PathBuf};

use serde::Serialize;
use sextant::conformance::{self, Conformance, Coverage, Finding, Options, Run};
use sextant::schedule;
use sextant::verdict::{Exit, Verdict};
use sextant_model::mutants;
use sextant_model::rules::Rules;

use super::simulate::told_case;
use super::{lockstep, output};

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Pass A replays each process alone: the same step function on the same events must have the same effects, and a restarted node
must be back with everything that it had synced. Pass B merges all processes into one run, in which every event has a cause,
and judges the properties in every global state, in several orders.

exit: 0 the run is one of the protocol's, 1 it is not, 2 nothing was recorded, 64 a file is unreadable")]
pub struct Args {
    /// The folder that `sextant node` and `sextant writer` were given as --flight; `sextant run` keeps it where a run is invalid
    #[arg(value_name = "DIR")]
    dir: PathBuf,
    /// By which rules the processes ran: those of a known mistake
    #[arg(long, value_name = "ID")]
    mutant: Option<String>,
    /// How far a writer was to run ahead of its VDL, in records, where the run says otherwise than the rules (a simulated one may)
    #[arg(long, value_name = "RECORDS", value_parser = clap::value_parser!(u64).range(1..))]
    lal: Option<u64>,
    /// Orders drawn at random, beside nodes first and writers first
    #[arg(long, default_value_t = 3, value_name = "N")]
    orders: u32,
    /// What they are drawn from
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Count how many of the abstract states and transitions that the explorer reaches the run has been through
    #[arg(long)]
    coverage: bool,
    /// Make a violated property a few actions of the model, and write them here, for `sextant replay`
    #[arg(long, value_name = "FILE.case")]
    shrink: Option<PathBuf>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// What `--json` prints. The names are an interface.
#[derive(Serialize)]
struct Report {
    verdict: Verdict,
    /// protocol or executor, where it is invalid
    fault: Option<&'static str>,
    /// The property that does not hold, if that is what was found.
    property: Option<&'static str>,
    facts: Vec<String>,
    nodes: usize,
    processes: usize,
    writers: usize,
    opened: usize,
    events: u64,
    torn: usize,
    orders: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    coverage: Option<Coverage>,
}

pub fn run(args: &Args) -> io::Result<Exit> {
    let judged = options(args).and_then(|options| conformance::judge(&args.dir, &options));
    let conformance = match judged {
        Ok(conformance) => conformance,
        Err(reason) => {
            output::error(&reason);
            return Ok(Exit::Unreadable);
        }
    };
    output::line(&if args.json { serde_json::to_string(&report(&conformance))? } else { text(&conformance) })?;
    if let Some(path) = &args.shrink
        && let Err(reason) = save_case(args, path, &conformance)
    {
        output::error(&reason);
    }
    Ok(conformance.verdict().into())
}

fn save_case(args: &Args, path: &Path, conformance: &Conformance) -> Result<(), String> {
    let Finding::Violated { violation, .. } = &conformance.finding else {
        return Err("no case: no property is violated".to_owned());
    };
    let run = Run::load(&args.dir)?;
    let shrunk = schedule::shrink(&run, &options(args)?.rules, violation.property);
    let shrunk = shrunk.map_err(|reason| format!("no case: {reason}"))?;
    let (case, told) = told_case(shrunk, &format!("recorded in {}", args.dir.display()));
    super::replay::write(path, &case.to_string())?;
    output::note(&told);
    output::note(&format!("in lockstep: {}", lockstep::confirmed(&case).map_err(|error| error.to_string())?));
    output::note(&format!("repeat: sextant replay {}", path.display()));
    Ok(())
}

fn options(args: &Args) -> Result<Options, String> {
    let rules = match &args.mutant {
        None => Rules::adopted(),
        Some(id) => mutants::by_id(id).ok_or_else(|| format!("no mutant is called {id:?}"))?.rules,
    };
    let rules = args.lal.map_or(rules, |lal| rules.with_lal(lal));
    Ok(Options { random: args.orders, seed: args.seed, coverage: args.coverage, ..Options::new(rules) })
}

fn text(conformance: &Conformance) -> String {
    let mut lines = vec![conformance.summary()];
    lines.extend(conformance.lines().iter().map(|line| format!("  {line}")));
    lines.extend(conformance.coverage.map(|coverage| format!("  coverage: {coverage}")));
    lines.join("\n")
}

fn report(conformance: &Conformance) -> Report {
    let size = conformance.size;
    let property = match &conformance.finding {
        Finding::Violated { violation, .. } => Some(violation.property),
        Finding::Conforms | Finding::Differs(_) | Finding::Uncaused(_) | Finding::Empty(_) => None,
    };
    Report {
        verdict: conformance.verdict(),
        fault: conformance.diagnosis().map(|whose| whose.name()),
        property,
        facts: conformance.lines(),
        nodes: size.nodes,
        processes: size.lives,
        writers: size.incarnations,
        opened: size.opened,
        events: size.events,
        torn: size.torn,
        orders: conformance.orders,
        coverage: conformance.coverage,
    }
}
