//! `sextant model`: explore the protocol exhaustively.

use std::fmt::Write as _;
use std::io::{self, IsTerminal, Write as _};
use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::time::Duration;

use clap::{Subcommand, ValueEnum};
use serde::Serialize;
use sextant::explore::catalogue::{self, Exploration, Leg, Mutant, Profile};
use sextant::explore::packed::{Begin, Deadlock, Stop, Store};
use sextant::explore::{self, Counterexample, Engine, Explored, Hosts, Liveness, Plan, Progress, Walked, Walks};
use sextant::verdict::{Exit, Verdict};
use sextant_model::area::Size;
use sextant_model::decisions::typed;
use sextant_model::rules::Scheme;
use std::collections::BTreeMap;

use super::quorum::{self, SchemeArgs};
use super::replay::{self, Pictures};
use super::{coverage, interrupt, mutants, output};

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// The profiles with their bounds and counts, the properties and the mutants
    List,
    /// Explore a profile to its end or to its first violation
    Check(Box<Check>),
    /// The decisions of the rule books with their values, the adopted one first
    Decisions,
    /// Which actions no quick exploration takes, and which values of which decisions make no difference in any
    Coverage(coverage::Args),
    /// Draw the state graph of an exploration of at most some thousands of states
    Graph(Graph),
    /// Run every mutant against the properties that must catch it
    Mutants(mutants::Args),
    /// Walk through a profile's states in the browser, with stateright's Explorer
    Explore(Browse),
}

#[derive(Debug, clap::Args)]
#[command(after_help = "\
exit: 0 valid; 1 a violation; 2 unknown: it ended early, a property had nothing to say, or it walked, which proves nothing;
3 the explorer failed; 64 bad usage")]
struct Check {
    #[arg(value_name = "PROFILE", value_parser = catalogue::profile)]
    profile: &'static Profile,
    #[arg(long, value_enum, default_value = "quick")]
    size: SizeName,
    /// `packed` is the fastest that explores everything; `cluster` is the same search, partitioned over threads, processes and
    /// hosts, for spaces that one machine has no memory for; `bfs` and `dfs` are stateright's, to compare with; `walk` and `pct`
    /// are random walks, which find violations in spaces that no search finishes, and prove nothing
    #[arg(long, value_enum, default_value = "packed")]
    engine: EngineName,
    /// Explore this leg of the profile alone
    #[arg(long, value_name = "NAME")]
    leg: Option<String>,
    /// What the walks' choices come from: the same seed, the same walks, whatever the threads (walk and pct; 1 if not given)
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Walks, at most (walk and pct; 10000 if not given)
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    walks: Option<u64>,
    /// Actions of a walk, at most (walk and pct; 200 if not given)
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    depth: Option<u32>,
    /// Steps of a walk at which the priorities change (pct; 3 if not given)
    #[arg(long, value_name = "D")]
    changes: Option<u16>,
    /// A state in which nothing is possible is a violation, unless the area declares that a run may end there (packed,
    /// cluster, walk and pct)
    #[arg(long)]
    deadlock: bool,
    /// Judge what must come to pass, under fairness to kinds of actions, on the graph of the space; a counterexample is a way
    /// to a cycle. `--property` names one goal, `sextant model list` lists them
    #[arg(long)]
    liveness: bool,
    /// Judge every step instead of every state: is it one of a log with a durable point (append, harden, replace the writer), or
    /// none? Every profile but `clients` can be asked (packed engine)
    #[arg(long, conflicts_with_all = ["liveness", "property"])]
    refinement: bool,
    /// Of steps that commute explore one order only (Godefroid, Valmari), beside the reduction by symmetry: far fewer states, judged
    /// by the properties whose violation stays one (the output names them; S9 follows from S1; that they hold vacuously is not found
    /// out), and for --deadlock. A counterexample need not be a shortest one. The profile core declares what its steps touch; nothing is reduced while a client may read or a
    /// fault may still happen (packed and cluster)
    #[arg(long, conflicts_with_all = ["liveness", "refinement"])]
    partial_order: bool,
    /// States of a graph, at most (with --liveness; 1000000 if not given): beyond it the verdict is unknown
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..), requires = "liveness")]
    limit: Option<u32>,
    /// Be fair to this kind of action no more, as `write`; may come several times (with --liveness)
    #[arg(long, value_name = "KIND", requires = "liveness")]
    unfair: Vec<String>,
    /// Remember the states themselves instead of 64-bit fingerprints: no collision is possible (packed and cluster)
    #[arg(long)]
    exact: bool,
    /// Go on after a violation and report the first of every property (packed and cluster)
    #[arg(long)]
    all: bool,
    /// Use no more memory than this, as `8GiB` or `512MiB`: what does not fit goes to files (packed engine)
    #[arg(long, value_name = "SIZE", value_parser = size)]
    memory: Option<u64>,
    /// Write a checkpoint into this folder after every level (packed and cluster; processes of a cluster may share it)
    #[arg(long, value_name = "DIR", conflicts_with = "resume")]
    checkpoint: Option<PathBuf>,
    /// Go on from the checkpoint in this folder, and keep it up (packed and cluster)
    #[arg(long, value_name = "DIR")]
    resume: Option<PathBuf>,
    /// The processes that take part, one host:port a line (cluster): each runs the same command but for its --process
    #[arg(long, value_name = "FILE", requires = "process")]
    hosts: Option<PathBuf>,
    /// Which line of --hosts this process is, from 0
    #[arg(long, value_name = "N", requires = "hosts")]
    process: Option<usize>,
    /// Explore with this known mistake instead, its own bounds first
    #[arg(long, value_name = "ID", value_parser = catalogue::mutant)]
    mutant: Option<&'static Mutant>,
    /// Explore with one decision of the rule book made otherwise, as `write-back=never`; may come several times. `sextant
    /// model decisions` lists them
    #[arg(long = "rule", value_name = "DECISION=VALUE")]
    rules: Vec<String>,
    /// Explore with one of the bounds changed, as `records=3` or `gossip=On`, in every leg (see --leg); may come several times.
    /// A case file shows what bounds there are, and so does a field that there is not
    #[arg(long = "bound", value_name = "FIELD=VALUE")]
    bounds: Vec<String>,
    #[command(flatten)]
    scheme: SchemeArgs,
    /// Look for a violation of this property alone
    #[arg(long, value_name = "ID")]
    property: Option<String>,
    /// Write the counterexample as a case file, which `sextant replay` walks again
    #[arg(long, value_name = "FILE")]
    save: Option<PathBuf>,
    #[command(flatten)]
    pictures: Pictures,
    /// Search threads; all cores if not given
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
struct Graph {
    #[arg(value_name = "PROFILE", value_parser = catalogue::profile)]
    profile: &'static Profile,
    /// Which of its quick explorations; the first if not given
    #[arg(long, value_name = "NAME")]
    leg: Option<String>,
    /// Where to write it, in Graphviz' language; standard output if not given
    #[arg(long, value_name = "FILE")]
    dot: Option<PathBuf>,
    /// The most states that are drawn
    #[arg(long, default_value_t = 5000, value_name = "STATES")]
    limit: usize,
}

#[derive(Debug, clap::Args)]
struct Browse {
    #[arg(value_name = "PROFILE", value_parser = catalogue::profile)]
    profile: &'static Profile,
    /// Where to listen on the loopback interface; 0 lets the system pick
    #[arg(long, default_value_t = 0)]
    port: u16,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum SizeName {
    Quick,
    Deep,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum EngineName {
    Packed,
    Cluster,
    Bfs,
    Dfs,
    Walk,
    Pct,
}

/// A number of bytes: `8GiB`, `512MiB`.
fn size(text: &str) -> Result<u64, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let shift = match &text[digits.len()..] {
        "GiB" | "G" => 30,
        "MiB" | "M" => 20,
        unit => return Err(format!("{unit:?} is no unit of memory: write 8GiB or 512MiB")),
    };
    let number: u64 = digits.parse().map_err(|_| format!("{digits:?} is no whole number"))?;
    number.checked_mul(1 << shift).filter(|&n| n > 0).ok_or_else(|| format!("{text} is no amount of memory"))
}

pub fn run(args: &Args) -> io::Result<Exit> {
    match &args.command {
        Command::List => list(),
        Command::Check(check) => check.run(),
        Command::Decisions => decisions(),
        Command::Coverage(args) => args.run(),
        Command::Graph(graph) => graph.run(),
        Command::Mutants(args) => args.run(),
        Command::Explore(browse) => browse.run(),
    }
}

// --- list ------------------------------------------------------------------------------------------------------------

fn list() -> io::Result<Exit> {
    let mut text = String::from("PROFILES\n");
    for profile in catalogue::profiles() {
        let _ = writeln!(text, "  {:<10} {}", profile.name, profile.about);
        for size in [Size::Quick, Size::Deep] {
            for leg in profile.legs(size) {
                let states = if leg.states == 0 { "not pinned".into() } else { format!("{} states", leg.states) };
                let bounds = leg.open(&leg.area.adopted()).map_err(io::Error::other)?.bounds();
                let _ = writeln!(text, "    {:<5} {:<10} {states:>16}  {bounds}", size.name(), leg.name);
            }
        }
    }
    text.push_str("\nPROPERTIES\n");
    for area in catalogue::areas() {
        for property in catalogue::properties().iter().filter(|property| property.area == area.name()) {
            let (id, name, formula) = (property.id, property.name, property.formula);
            let _ = writeln!(text, "  {:<10} {id:<4} {name:<21} {formula}  [{}]", property.area, property.section);
        }
    }
    text.push_str("\nGOALS (--liveness)\n");
    for area in catalogue::areas() {
        let (goals, fair) = area.goals();
        let _ = writeln!(text, "  {:<10} {:<21} fair to: {}", area.name(), goals.join(" "), fair.join(", "));
    }
    text.push_str("\nMUTANTS\n");
    for mutant in catalogue::mutants() {
        let breaks = if mutant.equivalent.is_some() { "equivalent".into() } else { mutant.breaks.join(" ") };
        let _ = writeln!(text, "  {:<5} {breaks:<10} {:<60} [{}]", mutant.id, mutant.mistake, mutant.source);
    }
    output::line(&text)?;
    Ok(Exit::Valid)
}

fn decisions() -> io::Result<Exit> {
    let mut text = String::new();
    for area in catalogue::areas() {
        let _ = writeln!(text, "{}", area.name().to_uppercase());
        for decision in area.decisions() {
            let values: Vec<String> = decision.values.iter().map(|value| typed(value)).collect();
            let _ = writeln!(text, "  {:<22} {}", typed(decision.name), values.join(" | "));
            let _ = writeln!(text, "  {:<22} {}", "", decision.about.trim());
        }
    }
    output::line(&text)?;
    Ok(Exit::Valid)
}

impl Graph {
    fn run(&self) -> io::Result<Exit> {
        let legs = self.profile.legs(Size::Quick);
        let wanted = self.leg.as_deref();
        let Some(leg) = legs.iter().find(|leg| wanted.is_none_or(|name| leg.name == name)) else {
            let known: Vec<_> = legs.iter().map(|leg| leg.name).collect();
            output::error(&format!("{} has no leg of this name; there are: {}", self.profile.name, known.join(", ")));
            return Ok(Exit::Unreadable);
        };
        let model = leg.open(&leg.area.adopted()).map_err(io::Error::other)?;
        let graph = match model.graph(self.limit) {
            Ok(graph) => graph,
            Err(reason) => {
                output::error(&reason);
                return Ok(Exit::Unknown);
            }
        };
        match &self.dot {
            None => output::line(&graph)?,
            Some(path) => {
                if let Err(reason) = replay::write(path, &graph) {
                    output::error(&reason);
                    return Ok(Exit::Harness);
                }
            }
        }
        Ok(Exit::Valid)
    }
}

// --- check -----------------------------------------------------------------------------------------------------------

/// What `--json` prints. The names are an interface.
#[derive(Serialize)]
struct Report<'a> {
    profile: &'a str,
    size: &'a str,
    engine: &'a str,
    partial_order: bool,
    mutant: Option<&'a str>,
    verdict: Verdict,
    property: Option<&'a str>,
    unique_states: usize,
    generated_states: usize,
    depth: usize,
    seconds: f64,
    states_per_second: f64,
    peak_rss_bytes: u64,
    /// Why it ended before it had seen everything.
    stopped: Option<&'a str>,
    /// How often each kind of action was taken; empty where the engine does not count.
    actions: BTreeMap<&'a str, u64>,
    /// Pairs of states expected to share a fingerprint; null where the engine does not say.
    expected_collisions: Option<f64>,
    counterexample: Option<&'a [String]>,
    /// Of walks alone, whose `unique_states` are an estimate.
    #[serde(skip_serializing_if = "Option::is_none")]
    seed: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    walks: Option<u64>,
}

impl Check {
    fn run(&self) -> io::Result<Exit> {
        let size = match self.size {
            SizeName::Quick => Size::Quick,
            SizeName::Deep => Size::Deep,
        };
        let engine = match self.engine {
            EngineName::Packed => Engine::Packed,
            EngineName::Cluster => Engine::Cluster,
            EngineName::Bfs => Engine::Bfs,
            EngineName::Dfs => Engine::Dfs,
            EngineName::Walk => Engine::Walk,
            EngineName::Pct => Engine::Pct,
        };
        if let Some(reason) = self.contradiction(engine) {
            output::error(&reason);
            return Ok(Exit::Unreadable);
        }
        let hosts = match (&self.hosts, self.process) {
            (Some(path), Some(process)) => match Hosts::read(path, process) {
                Ok(hosts) => Some(hosts),
                Err(reason) => {
                    output::error(&reason);
                    return Ok(Exit::Unreadable);
                }
            },
            _ => None,
        };
        let plan = Plan {
            engine,
            threads: self.threads.map_or_else(all_cores, usize::from),
            store: if self.exact { Store::Exact } else { Store::Fingerprints },
            stop: if self.all { Stop::AtEnd } else { Stop::AtFirst },
            memory: self.memory,
            checkpoint: None,
            hosts,
            deadlock: if self.deadlock { Deadlock::Violation } else { Deadlock::Allowed },
            walks: self.walks_of(),
            // A search is ended by the signal itself; walks have something to say of what they covered.
            interrupt: if engine.walks() { Some(interrupt::flag_on_signal()?) } else { None },
        };
        let area = self.profile.area;
        if let Some(other) = self.mutant.filter(|mutant| mutant.area.name() != area.name()) {
            let (id, profile) = (other.id, other.profile());
            output::error(&format!(
                "{id} is no mutant of {}: sextant model check {profile} --mutant {id}",
                area.name()
            ));
            return Ok(Exit::Unreadable);
        }
        let rules = self.mutant.map_or_else(|| area.adopted(), |m| m.rules.clone());
        let rules = match catalogue::rules_with(area, rules, &self.rules) {
            Ok(rules) => rules,
            Err(reason) => {
                output::error(&reason);
                return Ok(Exit::Unreadable);
            }
        };
        let scheme = match self.scheme.scheme() {
            Ok(scheme) => Some(scheme).filter(|scheme| *scheme != Scheme::AURORA),
            Err(reason) => {
                output::error(&reason);
                return Ok(Exit::Unreadable);
            }
        };
        let rules = match scheme.map_or(Ok(rules.clone()), |scheme| catalogue::rules_of(area, &rules, scheme)) {
            Ok(rules) => rules,
            Err(reason) => {
                output::error(&reason);
                return Ok(Exit::Unreadable);
            }
        };
        let legs: Vec<Leg> = self.legs(size);
        let legs: Vec<Leg> = match scheme {
            Some(scheme) => legs.into_iter().map(|leg| catalogue::leg_of(leg, scheme)).collect(),
            None => legs,
        };
        let legs: Vec<Leg> = match legs.into_iter().map(|leg| catalogue::leg_with(leg, &self.bounds)).collect() {
            Ok(legs) => legs,
            Err(reason) => {
                output::error(&reason);
                return Ok(Exit::Unreadable);
            }
        };
        let open = |leg: &Leg| {
            if !self.refinement {
                return leg.open(&rules);
            }
            leg.area.refine(&rules, &leg.bounds).unwrap_or_else(|| Err(catalogue::no_volume(area)))
        };
        if let Some(reason) = legs.iter().find_map(|leg| open(leg).err()) {
            output::error(&reason);
            return Ok(Exit::Unreadable);
        }
        let mut results = Vec::new();
        for leg in legs {
            let plan = Plan { checkpoint: self.checkpoint_of(&leg), ..plan.clone() };
            let model = open(&leg).map_err(io::Error::other)?;
            let only = self.property.as_ref().filter(|_| !self.liveness);
            let model = match only.map(|id| model.only(id)) {
                None => model,
                Some(Ok(only)) => only,
                Some(Err(reason)) => {
                    output::error(&reason);
                    return Ok(Exit::Unreadable);
                }
            };
            let model = match self.partial_order.then(|| model.by_partial_order()) {
                None => model,
                Some(Ok((reduced, judged))) => {
                    if !self.json && results.is_empty() {
                        let judged = judged.join(" ");
                        output::line(&format!(
                            "by partial order; judged, but not whether they say anything: {judged}"
                        ))?;
                    }
                    reduced
                }
                Some(Err(reason)) => {
                    output::error(&reason);
                    return Ok(Exit::Unreadable);
                }
            };
            let explored = if self.liveness {
                model.live(&self.liveness_of()).map_err(io::Error::other)?
            } else {
                explored(leg.name, &*model, &plan)?
            };
            if !self.json {
                // A count is pinned for the adopted rules, and an estimate is none.
                let pinned = Some(leg.states).filter(|_| {
                    self.bounds.is_empty() && rules == area.adopted() && !engine.walks() && !self.partial_order
                });
                output::line(&leg_line(&leg, pinned, &explored))?;
            }
            let interrupted = plan.interrupt.as_ref().is_some_and(|flag| flag.load(Ordering::Relaxed));
            // Walks end so on every leg, and a graph that is too large says nothing of the next one.
            let goes_on = (engine.walks() && !interrupted) || self.liveness;
            let found = explored.counterexample.is_some() || (explored.stopped.is_some() && !goes_on);
            results.push(explored);
            if found {
                break;
            }
        }
        // Who asks for one property alone is to know if this profile says nothing of it.
        let asked = |name: &str| self.property.is_some() || self.profile.speaks_of(name);
        let summary = Summary::of(&results, asked);
        if let (Some(path), Some(found)) = (&self.save, summary.counterexample) {
            let mut case = found.case.clone();
            case.about.push(format!("{} {}: {}", found.property, found.name, found.fact));
            case.about.push(format!("found by {}", self.command()));
            if let Err(reason) = replay::write(path, &case.to_string()) {
                output::error(&reason);
                return Ok(Exit::Harness);
            }
        }
        if let Some(found) = summary.counterexample.filter(|_| self.pictures.are_asked_for())
            && let Err(reason) = self.draw(found)
        {
            output::error(&reason);
            return Ok(Exit::Harness);
        }
        if self.json {
            output::line(&self.report(&summary, size, engine)?)?;
        } else {
            output::line(&self.text(&summary))?;
        }
        Ok(summary.verdict.into())
    }

    /// A folder a leg.
    fn checkpoint_of(&self, leg: &Leg) -> Option<(PathBuf, Begin)> {
        let fresh = self.checkpoint.as_ref().map(|folder| (folder.join(leg.name), Begin::Fresh));
        fresh.or_else(|| Some((self.resume.as_ref()?.join(leg.name), Begin::Resume)))
    }

    /// Why what was typed does not go together.
    fn contradiction(&self, engine: Engine) -> Option<String> {
        let name = engine.name();
        let walks = self.seed.is_some() || self.walks.is_some() || self.depth.is_some();
        if walks && !engine.walks() {
            return Some(format!("--seed, --walks and --depth are for --engine walk and pct, not {name}"));
        }
        if self.changes.is_some() && engine != Engine::Pct {
            return Some(format!("--changes is for --engine pct, not {name}"));
        }
        if self.deadlock && matches!(engine, Engine::Bfs | Engine::Dfs) {
            return Some(format!("--deadlock is for --engine packed, cluster, walk and pct, not {name}"));
        }
        if self.refinement && engine != Engine::Packed {
            return Some(format!("--refinement is for --engine packed, not {name}"));
        }
        if self.partial_order && !engine.packs() {
            return Some(format!("--partial-order is for --engine packed and cluster, not {name}"));
        }
        let keeps = self.exact || self.all || self.checkpoint.is_some() || self.resume.is_some();
        if keeps && !engine.packs() {
            let only = "--exact, --all, --checkpoint and --resume";
            return Some(format!("{only} are for --engine packed and cluster, not {name}"));
        }
        if self.memory.is_some() && engine != Engine::Packed {
            return Some(format!("--memory is for --engine packed, not {name}"));
        }
        if self.hosts.is_some() && engine != Engine::Cluster {
            return Some(format!("--hosts and --process are for --engine cluster, not {name}"));
        }
        let searches = self.exact || self.all || self.memory.is_some() || self.deadlock;
        if self.liveness && (engine != Engine::Packed || searches || self.checkpoint.is_some() || self.resume.is_some())
        {
            let others = "--engine, --exact, --all, --memory, --checkpoint, --resume and --deadlock";
            return Some(format!("--liveness judges a graph, whole, in memory: it does not go with {others}"));
        }
        let (goals, fair) = self.profile.area.goals();
        let area = self.profile.area.name();
        if let Some(unknown) = self.unfair.iter().find(|kind| !fair.contains(&kind.as_str())) {
            return Some(format!("{area} is not fair to {unknown:?}; it is to: {}", fair.join(", ")));
        }
        let goal = self.property.as_ref().filter(|_| self.liveness);
        if let Some(unknown) = goal.filter(|id| !goals.iter().any(|goal| goal.eq_ignore_ascii_case(id))) {
            return Some(format!("{area} has no goal {unknown}; it has: {}", goals.join(" ")));
        }
        let legs = self.legs(if matches!(self.size, SizeName::Deep) { Size::Deep } else { Size::Quick });
        if let Some(name) = self.leg.as_ref().filter(|_| legs.is_empty()) {
            return Some(format!("{} has no leg {name} in this size; see sextant model list", self.profile.name));
        }
        None
    }

    fn walks_of(&self) -> Walks {
        let usual = Walks::default();
        Walks {
            seed: self.seed.unwrap_or(usual.seed),
            count: self.walks.unwrap_or(usual.count),
            depth: self.depth.map_or(usual.depth, |depth| depth as usize),
            changes: self.changes.map_or(usual.changes, usize::from),
        }
    }

    fn liveness_of(&self) -> Liveness {
        Liveness {
            states_max: self.limit.unwrap_or(Liveness::default().states_max),
            goal: self.property.clone(),
            unfair: self.unfair.clone(),
        }
    }

    /// A mutant's own bounds come first: the profile's may be too small to show it.
    fn legs(&self, size: Size) -> Vec<Leg> {
        let own = self.mutant.map(|m| Leg { area: m.area, name: m.id, bounds: m.bounds.clone(), states: 0, depth: 0 });
        let all = own.into_iter().chain(self.profile.legs(size).iter().cloned());
        all.filter(|leg| self.leg.as_ref().is_none_or(|name| leg.name == name)).collect()
    }

    fn draw(&self, found: &Counterexample) -> Result<(), String> {
        let walk = catalogue::open(&found.case)?.walk(&found.case.actions);
        let walk = walk.map_err(|(step, reason)| format!("action {} does not replay: {reason}", step + 1))?;
        self.pictures.draw(&self.command(), &walk.judged_as(&found.case), &found.case)
    }

    /// What is typed to see the same again.
    fn command(&self) -> String {
        let mut command = format!("sextant model check {}", self.profile.name);
        if matches!(self.size, SizeName::Deep) {
            command.push_str(" --size deep");
        }
        if let Some(mutant) = self.mutant {
            let _ = write!(command, " --mutant {}", mutant.id);
        }
        if let Some(property) = &self.property {
            let _ = write!(command, " --property {property}");
        }
        for rule in &self.rules {
            let _ = write!(command, " --rule {rule}");
        }
        for bound in &self.bounds {
            let _ = write!(command, " --bound {bound}");
        }
        if let Some(scheme) = self.scheme.scheme().ok().filter(|scheme| *scheme != Scheme::AURORA) {
            let _ = write!(command, " {}", quorum::options(scheme));
        }
        if let Some(leg) = &self.leg {
            let _ = write!(command, " --leg {leg}");
        }
        let flags = [
            (self.deadlock, " --deadlock"),
            (self.liveness, " --liveness"),
            (self.refinement, " --refinement"),
            (self.partial_order, " --partial-order"),
        ];
        for (said, flag) in flags {
            command.push_str(if said { flag } else { "" });
        }
        for kind in &self.unfair {
            let _ = write!(command, " --unfair {kind:?}");
        }
        if let Some(limit) = self.limit {
            let _ = write!(command, " --limit {limit}");
        }
        if matches!(self.engine, EngineName::Walk | EngineName::Pct) {
            let Walks { seed, count, depth, changes } = self.walks_of();
            let name = if matches!(self.engine, EngineName::Walk) { "walk" } else { "pct" };
            let _ = write!(command, " --engine {name} --seed {seed} --walks {count} --depth {depth}");
            if matches!(self.engine, EngineName::Pct) {
                let _ = write!(command, " --changes {changes}");
            }
        }
        command
    }

    fn report(&self, summary: &Summary, size: Size, engine: Engine) -> io::Result<String> {
        let seconds = summary.seconds;
        let report = Report {
            profile: self.profile.name,
            size: size.name(),
            engine: engine.name(),
            partial_order: self.partial_order,
            mutant: self.mutant.map(|m| m.id),
            verdict: summary.verdict,
            property: summary.counterexample.map(|c| c.property),
            unique_states: summary.unique_states,
            generated_states: summary.generated_states,
            depth: summary.depth,
            seconds,
            states_per_second: summary.unique_states as f64 / seconds.max(1e-9),
            peak_rss_bytes: explore::peak_rss_bytes(),
            stopped: summary.stopped,
            actions: summary.actions.clone(),
            expected_collisions: summary.expected_collisions,
            counterexample: summary.counterexample.map(|c| c.lines.as_slice()),
            seed: summary.walked.map(|walked| walked.seed),
            walks: summary.walked.map(|walked| walked.walks),
        };
        Ok(serde_json::to_string(&report)?)
    }

    fn text(&self, summary: &Summary) -> String {
        let mut text = String::new();
        if let Some(counterexample) = summary.counterexample {
            if let Some((walk, steps)) = summary.walked.and_then(|walked| walked.found) {
                let length = counterexample.length();
                let _ =
                    writeln!(text, "walk {walk}, {steps} actions, shortened to {length} (there may be a shorter way):");
            }
            text.push_str(&counterexample_text(counterexample));
            let _ = writeln!(text, "repeat: {}", self.command());
        }
        for other in &summary.others {
            text.push_str(&counterexample_text(other));
        }
        if let Some(reason) = summary.stopped {
            let _ = writeln!(text, "stopped: {reason}");
        }
        let never: Vec<_> = summary.actions.iter().filter(|(_, count)| **count == 0).map(|(name, _)| *name).collect();
        // Of an order that was left out nothing is known.
        if !never.is_empty() && summary.counterexample.is_none() && !self.partial_order {
            let _ = writeln!(text, "never taken within these bounds: {}", never.join(", "));
        }
        match summary.expected_collisions {
            Some(0.0) => text.push_str("no two states can share a key: the counts are exact\n"),
            Some(pairs) => {
                let _ =
                    writeln!(text, "expected pairs of states with one 64-bit fingerprint: {pairs:.1e} (--exact: none)");
            }
            None => {}
        }
        if !self.profile.silent.is_empty() && self.property.is_none() && summary.counterexample.is_none() {
            let _ = writeln!(text, "not the matter of this profile: {}", self.profile.silent.join(", "));
        }
        for name in &summary.vacuous {
            let _ = writeln!(text, "no state makes {name} say anything: it holds vacuously");
        }
        let mebibytes = explore::peak_rss_bytes() >> 20;
        let (states, transitions) = (summary.unique_states, summary.generated_states);
        let covered = match summary.walked {
            None => format!("{states} states, {transitions} transitions"),
            Some(Walked { walks, .. }) => {
                format!("{walks} walks, {transitions} steps, about {states} different states (without symmetry)")
            }
        };
        let _ = write!(text, "{}: {covered}, {:.1} s, {mebibytes} MiB", summary.verdict, summary.seconds);
        text
    }
}

/// All legs of a check together.
struct Summary<'a> {
    verdict: Verdict,
    unique_states: usize,
    generated_states: usize,
    depth: usize,
    seconds: f64,
    counterexample: Option<&'a Counterexample>,
    others: Vec<&'a Counterexample>,
    /// Properties that no leg gave anything to say.
    vacuous: Vec<&'static str>,
    stopped: Option<&'a str>,
    actions: BTreeMap<&'a str, u64>,
    expected_collisions: Option<f64>,
    /// Of all legs, with what was found on the last one.
    walked: Option<Walked>,
}

impl<'a> Summary<'a> {
    fn of(results: &'a [Explored], asked: impl Fn(&str) -> bool) -> Self {
        let counterexample = results.iter().find_map(|r| r.counterexample.as_ref());
        let in_all = |name: &&str| asked(name) && results.iter().all(|r| r.vacuous.contains(name));
        let vacuous: Vec<_> =
            results.first().map(|r| r.vacuous.iter().copied().filter(in_all).collect()).unwrap_or_default();
        let stopped = results.iter().find_map(|r| r.stopped.as_deref());
        let mut actions = BTreeMap::new();
        for (name, count) in results.iter().flat_map(|r| &r.actions) {
            *actions.entry(*name).or_default() += count;
        }
        let walked = results.iter().filter_map(|r| r.walked).reduce(|sum, leg| {
            let found = sum.found.or(leg.found);
            Walked { walks: sum.walks + leg.walks, found, ..sum }
        });
        let verdict = match counterexample {
            Some(_) => Verdict::Invalid,
            None if stopped.is_some() => Verdict::Unknown,
            None if results.is_empty() || !vacuous.is_empty() => Verdict::Unknown,
            None => Verdict::Valid,
        };
        Summary {
            verdict,
            unique_states: results.iter().map(|r| r.unique_states).sum(),
            generated_states: results.iter().map(|r| r.generated_states).sum(),
            depth: results.iter().map(|r| r.depth).max().unwrap_or(0),
            seconds: results.iter().map(|r| r.elapsed.as_secs_f64()).sum(),
            counterexample,
            others: results.iter().flat_map(|r| &r.others).collect(),
            stopped,
            actions,
            expected_collisions: results.iter().map(|r| r.expected_collisions).sum(),
            walked,
            vacuous: if counterexample.is_some() { Vec::new() } else { vacuous },
        }
    }
}

pub fn all_cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

fn explored(name: &'static str, model: &dyn Exploration, plan: &Plan) -> io::Result<Explored> {
    let mut shown = Shown::new(name);
    model.explore(plan, &mut |progress| shown.show(progress)).map_err(io::Error::other)
}

/// The progress of a search on a terminal: one line, refreshed twice a second, gone when the search is over.
pub struct Shown {
    name: &'static str,
    last: Duration,
}

const BETWEEN_LINES: Duration = Duration::from_millis(500);

impl Shown {
    pub fn new(name: &'static str) -> Self {
        Shown { name, last: Duration::ZERO }
    }

    pub fn show(&mut self, at: Progress) {
        if !io::stderr().is_terminal() || at.elapsed < self.last + BETWEEN_LINES {
            return;
        }
        self.last = at.elapsed;
        let rate = at.unique_states as f64 / at.elapsed.as_secs_f64() / 1000.0;
        if let Some(walks) = at.walks {
            let (seconds, of) = (at.elapsed.as_secs_f64(), walks.of);
            let left = seconds / walks.walks.max(1) as f64 * (of - walks.walks) as f64;
            let line = format!(
                "{}: {} of {of} walks, {} steps, about {} different states, longest {}, {seconds:.0} s, about {left:.0} s left",
                self.name, walks.walks, walks.steps, walks.distinct_states, walks.longest
            );
            let mut err = io::stderr().lock();
            let _ = write!(err, "\r\x1b[2K{line}");
            let _ = err.flush();
            return;
        }
        let mut line = format!(
            "{}: {} states, {} transitions, depth {}, {rate:.0} k states/s, {:.0} s",
            self.name,
            at.unique_states,
            at.generated_states,
            at.depth,
            at.elapsed.as_secs_f64()
        );
        if let Some(packed) = at.packed {
            let _ = write!(line, ", frontier {}, {} MiB", packed.frontier, packed.memory_bytes >> 20);
            if packed.disk_bytes > 0 {
                let _ = write!(line, " and {} MiB on disk", packed.disk_bytes >> 20);
            }
            if packed.expected_collisions > 0.0 {
                let _ = write!(line, ", {:.0e} collisions expected", packed.expected_collisions);
            }
            if let Some(remaining) = packed.remaining {
                let _ = write!(line, ", about {:.0} s left", remaining.as_secs_f64());
            }
        }
        let mut err = io::stderr().lock();
        // Where standard error fails there is nobody to show progress to.
        let _ = write!(err, "\r\x1b[2K{line}");
        let _ = err.flush();
    }
}

impl Drop for Shown {
    fn drop(&mut self) {
        if self.last > Duration::ZERO {
            let _ = write!(io::stderr().lock(), "\r\x1b[2K");
        }
    }
}

fn leg_line(leg: &Leg, pinned: Option<usize>, explored: &Explored) -> String {
    let verdict = match (&explored.counterexample, &explored.stopped) {
        (Some(_), _) => "violated",
        (None, Some(_)) if explored.walked.is_some() => "walked",
        (None, Some(_)) => "stopped",
        (None, None) => "holds",
    };
    let changed = match pinned.filter(|&states| states != 0 && states != explored.unique_states) {
        Some(states) if verdict == "holds" => format!("  (pinned at {states}: the count changed)"),
        _ => String::new(),
    };
    format!(
        "{:<11} {:<62} {verdict:<8} {:>10} states  depth {:>2} {:>7.1} s{changed}",
        leg.name,
        explored.bounds,
        explored.unique_states,
        explored.depth,
        explored.elapsed.as_secs_f64()
    )
}

/// A counterexample for a person.
pub fn counterexample_text(c: &Counterexample) -> String {
    let mut text = String::new();
    for line in &c.lines {
        let _ = writeln!(text, "{line}");
    }
    let _ = writeln!(text, "violated: {} {}: {}  [{}]", c.property, c.name, c.formula, c.section);
    let _ = writeln!(text, "          {}", c.fact);
    text
}

// --- explore ---------------------------------------------------------------------------------------------------------

impl Browse {
    fn run(&self) -> io::Result<Exit> {
        let Some(leg) = self.profile.quick.first() else { return Ok(Exit::Unknown) };
        // Stateright panics on a busy port, so the port is tried first, and found where the system is to pick.
        let address = match TcpListener::bind(("127.0.0.1", self.port)).and_then(|listener| listener.local_addr()) {
            Ok(address) => address,
            Err(error) => {
                output::error(&format!("cannot listen on 127.0.0.1:{}: {error}", self.port));
                return Ok(Exit::Unreadable);
            }
        };
        let model = leg.open(&leg.area.adopted()).map_err(io::Error::other)?;
        output::line(&format!(
            "exploring {} ({}) at http://{address} until interrupted",
            self.profile.name,
            model.bounds()
        ))?;
        model.serve(address);
        Ok(Exit::Valid)
    }
}
