//! `sextant replay`: walk a case again.

use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};

use serde::Serialize;
use sextant::conformance::Finding;
use sextant::explore::case::Case;
use sextant::explore::catalogue::{self, Walk};
use sextant::explore::diagram;
use sextant::lockstep::{self, Failure, Stage};
use sextant::verdict::Exit;

use super::output;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
With --on sim and real the actors of a case of the core take its actions in its order, and what they record is held against the
protocol: it must violate the same property.

exit: 0 the case does what it says: every action is possible and the last state violates the property that it names, or
nothing if it names none; 1 it does not; 3 an actor failed; 64 the file is no case")]
pub struct Args {
    /// The case, as `sextant model check --save` writes it
    #[arg(value_name = "FILE")]
    case: PathBuf,
    /// Who walks it: the model; or the storage nodes and writers themselves in lockstep, in this process on disks in memory, or as
    /// processes
    #[arg(long, value_enum, default_value_t = On::Model)]
    on: On,
    /// Where the actors leave their logs, records and last words (with --on sim and real; a folder that is new or empty); by
    /// default nowhere
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
    #[command(flatten)]
    pictures: Pictures,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum On {
    Model,
    Sim,
    Real,
}

/// Where a walk is drawn.
#[derive(Debug, clap::Args)]
pub struct Pictures {
    /// Draw it as a space-time diagram
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    /// Write one page with the diagram, the actions and the case
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
}

impl Pictures {
    pub fn are_asked_for(&self) -> bool {
        self.svg.is_some() || self.html.is_some()
    }

    /// Draws what was asked for.
    pub fn draw(&self, title: &str, walk: &Walk, case: &Case) -> Result<(), String> {
        if let Some(path) = &self.svg {
            write(path, &diagram::svg(walk))?;
        }
        if let Some(path) = &self.html {
            write(path, &diagram::page(title, walk, &case.to_string()))?;
        }
        Ok(())
    }
}

/// Writes a file; the error names it.
pub fn write(path: &Path, text: &str) -> Result<(), String> {
    std::fs::write(path, text).map_err(|error| format!("write {}: {error}", path.display()))
}

/// What `--json` prints. The names are an interface.
#[derive(Serialize)]
struct Report<'a> {
    area: &'a str,
    actions: usize,
    /// The property that the case names.
    expected: Option<&'a str>,
    /// Those that its last state violates, with the facts.
    violated: Vec<(&'a str, &'a str)>,
    as_expected: bool,
}

pub fn run(args: &Args) -> io::Result<Exit> {
    match args.on {
        On::Model if args.keep.is_some() => {
            output::error("--keep is for what actors leave behind: --on sim or real");
            Ok(Exit::Unreadable)
        }
        On::Model => on_the_model(args),
        On::Sim | On::Real if args.pictures.are_asked_for() => {
            output::error("--svg and --html draw what the model walks: --on model");
            Ok(Exit::Unreadable)
        }
        On::Sim => in_lockstep(args, Stage::Simulated),
        On::Real => in_lockstep(args, Stage::Real { executable: std::env::current_exe()? }),
    }
}

/// What `--json` prints after a walk in lockstep. The names are an interface.
#[derive(Serialize)]
struct Acted<'a> {
    area: &'a str,
    on: &'a str,
    actions: usize,
    expected: Option<&'a str>,
    /// The property that the record of the actors violates.
    violated: Option<&'a str>,
    facts: Vec<String>,
    fault: Option<&'a str>,
    events: u64,
    orders: u32,
    as_expected: bool,
}

fn in_lockstep(args: &Args, stage: Stage) -> io::Result<Exit> {
    let temporary = tempfile::tempdir()?;
    let dir = args.keep.as_deref().unwrap_or(temporary.path());
    let name = args.case.display();
    let case = match Case::read(&args.case).and_then(|case| is_new_or_empty(dir).map(|()| case)) {
        Ok(case) => case,
        Err(reason) => {
            output::error(&reason);
            return Ok(Exit::Unreadable);
        }
    };
    let replayed = match lockstep::replay(&case, &stage, dir) {
        Ok(replayed) => replayed,
        Err(failure) => {
            output::error(&format!("{name}: {failure}"));
            return Ok(match failure {
                Failure::Case(_) | Failure::Action(_) | Failure::NeverSent(_) => Exit::Invalid,
                Failure::Actor(_) => Exit::Harness,
            });
        }
    };
    let lockstep::Replayed { lines, conformance, as_expected } = replayed;
    let violated = match &conformance.finding {
        Finding::Violated { violation, .. } => Some(violation.property),
        _ => None,
    };
    let on = if stage == Stage::Simulated { "sim" } else { "real" };
    if args.json {
        let acted = Acted {
            area: &case.area,
            on,
            actions: lines.len(),
            expected: case.violates.as_deref(),
            violated,
            facts: conformance.lines(),
            fault: conformance.diagnosis().map(|whose| whose.name()),
            events: conformance.size.events,
            orders: conformance.orders,
            as_expected,
        };
        output::line(&serde_json::to_string(&acted)?)?;
    } else {
        let mut text = String::new();
        for (number, line) in lines.iter().enumerate() {
            let _ = writeln!(text, "{:>3}. {line}", number + 1);
        }
        let _ = writeln!(text, "record: {}", conformance.summary());
        for line in conformance.lines() {
            let _ = writeln!(text, "  {line}");
        }
        output::line(&(text + &conclusion(&case, as_expected, lines.len())))?;
    }
    Ok(if as_expected { Exit::Valid } else { Exit::Invalid })
}

/// What lies there already would be taken for the actors' own.
fn is_new_or_empty(dir: &Path) -> Result<(), String> {
    match std::fs::read_dir(dir).map(Iterator::count) {
        Ok(0) => Ok(()),
        Ok(_) => Err(format!("{}: is not empty", dir.display())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(format!("{}: {error}", dir.display())),
    }
}

fn on_the_model(args: &Args) -> io::Result<Exit> {
    let opened = Case::read(&args.case).and_then(|case| {
        let model = catalogue::open(&case).map_err(|reason| format!("{}: {reason}", args.case.display()))?;
        Ok((case, model))
    });
    let (case, model) = match opened {
        Ok(opened) => opened,
        Err(reason) => {
            output::error(&reason);
            return Ok(Exit::Unreadable);
        }
    };
    let walk = match model.walk(&case.actions) {
        Ok(walk) => walk.judged_as(&case),
        Err((step, reason)) => {
            output::error(&format!("{}: action {}: {reason}", args.case.display(), step + 1));
            return Ok(Exit::Invalid);
        }
    };
    let ids: Vec<&str> = walk.violated.iter().map(|(property, _)| property.id).collect();
    let as_expected = match &case.violates {
        Some(expected) => ids.contains(&expected.as_str()),
        None => ids.is_empty(),
    };
    let name = args.case.display().to_string();
    if let Err(reason) = args.pictures.draw(&name, &walk, &case) {
        output::error(&reason);
        return Ok(Exit::Harness);
    }
    if args.json {
        let violated = walk.violated.iter().map(|(property, fact)| (property.id, fact.as_str())).collect();
        let expected = case.violates.as_deref();
        let report = Report { area: &case.area, actions: walk.steps.len(), expected, violated, as_expected };
        output::line(&serde_json::to_string(&report)?)?;
    } else {
        output::line(&told(&case, &walk, as_expected))?;
    }
    Ok(if as_expected { Exit::Valid } else { Exit::Invalid })
}

fn told(case: &Case, walk: &Walk, as_expected: bool) -> String {
    let mut text = String::new();
    for line in &case.about {
        let _ = writeln!(text, "# {line}");
    }
    for (number, step) in walk.steps.iter().enumerate() {
        let line = format!("{:>3}. {:<42} {}", number + 1, step.action, step.changes.join("; "));
        let _ = writeln!(text, "{}", line.trim_end());
    }
    for (property, fact) in &walk.violated {
        let (id, name, formula, section) = (property.id, property.name, property.formula, property.section);
        let _ = writeln!(text, "violated: {id} {name}: {formula}  [{section}]\n          {fact}");
    }
    text + &conclusion(case, as_expected, walk.steps.len())
}

fn conclusion(case: &Case, as_expected: bool, actions: usize) -> String {
    let expected = match &case.violates {
        Some(id) => format!("a violation of {id}"),
        None => "no violation".into(),
    };
    let verdict = if as_expected { "as the case says" } else { "NOT as the case says" };
    format!("{verdict}: {expected} after {actions} actions")
}
