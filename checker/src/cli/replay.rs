//! `sextant replay`: walk a case again.

use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};

use serde::Serialize;
use sextant::explore::case::Case;
use sextant::explore::catalogue::{self, Walk};
use sextant::explore::diagram;
use sextant::verdict::Exit;

use super::output;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
exit: 0 the case does what it says: every action is possible and the last state violates the property that it names, or
nothing if it names none; 1 it does not; 64 the file is no case")]
pub struct Args {
    /// The case, as `sextant model check --save` writes it
    #[arg(value_name = "FILE")]
    case: PathBuf,
    #[command(flatten)]
    pictures: Pictures,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
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
    let expected = match &case.violates {
        Some(id) => format!("a violation of {id}"),
        None => "no violation".into(),
    };
    let verdict = if as_expected { "as the case says" } else { "NOT as the case says" };
    let _ = write!(text, "{verdict}: {expected} after {} actions", walk.steps.len());
    text
}
