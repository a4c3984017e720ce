//! `sextant conform`: recorded runs against the protocol.

use std::io;
use std::path::PathBuf;

use serde::Serialize;
use sextant::conformance::{self, Conformance, Coverage, Finding, Options};
use sextant::verdict::{Exit, Verdict};
use sextant_model::mutants;
use sextant_model::rules::Rules;

use super::output;

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
    Ok(conformance.verdict().into())
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
