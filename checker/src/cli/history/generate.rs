//! `sextant history generate`: a history whose verdict is known beforehand.

use std::fmt::Write as _;
use std::fs::OpenOptions;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use clap::builder::PossibleValuesParser;
use serde::Serialize;
use sextant::verdict::Exit;
use sextant_histories::generate::{Expected, Flaw, Generated, Model, Recipe, Values, make};

use crate::cli::output;

#[derive(Debug, clap::Args)]
#[command(after_help = violations())]
pub struct Generate {
    /// Which objects the clients work on
    #[arg(long, value_parser = PossibleValuesParser::new(Model::ALL.map(Model::name)))]
    model: String,
    /// The same seed gives the same bytes
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// How many operations the clients invoke; those of a violation come on top
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u64).range(0..=100_000_000))]
    operations: u64,
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=100_000), help = CLIENTS)]
    clients: u64,
    /// How many keys are in use at a time
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    keys: u64,
    /// How many operations end in `info`
    #[arg(long, default_value_t = 0)]
    indeterminate: usize,
    /// Of a hundred operations, how many end in `fail`
    #[arg(long, value_name = "PERCENT", default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..=100))]
    fail: u32,
    /// Of a hundred operations, how many change the object; the others read or take out
    #[arg(long, value_name = "PERCENT", value_parser = clap::value_parser!(u32).range(0..=100))]
    change: Option<u32>,
    /// Of a hundred operations of a cas-register, how many are a cas
    #[arg(long, value_name = "PERCENT", value_parser = clap::value_parser!(u32).range(0..=100))]
    cas: Option<u32>,
    /// Which values are written: `unique` for a new one every time, or a number for that many different ones
    #[arg(long, default_value = "unique", value_parser = values)]
    values: Values,
    /// What goes wrong, in the last third of the history; which there are stands below
    #[arg(long, value_name = "NAME")]
    violation: Option<String>,
    /// Where to write the history; a file that exists is an error. Without it to standard output
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Print the expected verdict as a JSON object, on standard output
    #[arg(long, requires = "out")]
    json: bool,
}

const CLIENTS: &str =
    "How many clients there are at a time; one whose operation ends in `info` goes on as another process";

/// What is expected of the history, as `--json` prints it. The field names are an interface.
#[derive(Serialize)]
struct Line<'a> {
    file: Option<String>,
    model: &'a str,
    seed: u64,
    events: usize,
    verdict: &'a str,
    violation: Option<&'a str>,
    shows: Option<&'a str>,
    breaks: Option<&'a str>,
}

impl Generate {
    pub fn run(&self) -> io::Result<Exit> {
        let recipe = match self.recipe() {
            Ok(recipe) => recipe,
            Err(reason) => return Ok(refused(&reason)),
        };
        let generated = match make(&recipe) {
            Ok(generated) => generated,
            Err(reason) => return Ok(refused(&reason.to_string())),
        };
        if let Err(error) = self.write(&generated) {
            let file = self.out.as_deref().unwrap_or(Path::new("standard output"));
            return Ok(refused(&format!("{}: {error}", file.display())));
        }
        if self.json {
            output::line(&serde_json::to_string(&self.line(&generated))?)?;
        } else {
            output::note(&format!("expected: {}", generated.expected));
        }
        Ok(Exit::Valid)
    }

    /// The error is one line.
    fn recipe(&self) -> Result<Recipe, String> {
        let model = Model::named(&self.model).ok_or_else(|| format!("unknown model {}", self.model))?;
        let violation = self.violation.as_deref().map(|name| {
            let names = model.flaws().iter().map(|flaw| flaw.name).collect::<Vec<_>>().join(", ");
            model.flaw(name).ok_or(format!("a {} has no violation {name}; there are: {names}", model.name()))
        });
        let usual = Recipe::of(model);
        if self.cas.is_some() && model != Model::CasRegister {
            return Err(format!("a {} has no cas", model.name()));
        }
        let cas_percent = self.cas.unwrap_or(usual.cas_percent);
        let change_percent = self.change.unwrap_or(usual.change_percent.min(100 - cas_percent));
        if cas_percent + change_percent > 100 {
            return Err("--cas and --change are more than 100 together".into());
        }
        // The ranges of the arguments keep the numbers small.
        Ok(Recipe {
            model,
            seed: self.seed,
            operations: self.operations as usize,
            clients: self.clients as usize,
            keys: self.keys as usize,
            values: self.values,
            cas_percent,
            change_percent,
            indeterminate: self.indeterminate,
            fail_percent: self.fail,
            violation: violation.transpose()?,
        })
    }

    fn write(&self, generated: &Generated) -> io::Result<()> {
        match &self.out {
            Some(path) => {
                let mut file = BufWriter::new(OpenOptions::new().write(true).create_new(true).open(path)?);
                generated.write(&mut file)?;
                file.flush()
            }
            None => {
                let mut out = BufWriter::new(io::stdout().lock());
                output::flushed(generated.write(&mut out).and_then(|()| out.flush()))
            }
        }
    }

    fn line<'a>(&'a self, generated: &'a Generated) -> Line<'a> {
        let flaw: Option<Flaw> = match generated.expected {
            Expected::Invalid(flaw) => Some(flaw),
            Expected::Valid | Expected::Unknown => None,
        };
        Line {
            file: self.out.as_ref().map(|path| path.display().to_string()),
            model: &self.model,
            seed: self.seed,
            events: generated.events.len(),
            verdict: generated.expected.verdict(),
            violation: flaw.map(|flaw| flaw.name),
            shows: flaw.map(|flaw| flaw.shows),
            breaks: flaw.map(|flaw| flaw.breaks),
        }
    }
}

fn refused(reason: &str) -> Exit {
    output::error(reason);
    Exit::Unreadable
}

fn values(text: &str) -> Result<Values, String> {
    if text == "unique" {
        return Ok(Values::Unique);
    }
    match text.parse() {
        Ok(count) if count > 0 => Ok(Values::Few(count)),
        _ => Err("use `unique` or a number from 1 on".into()),
    }
}

/// Every model with its violations, for `--help`.
fn violations() -> String {
    let mut text = String::from("Violations:");
    for model in Model::ALL {
        let _ = write!(text, "\n  {}", model.name());
        for Flaw { name, shows, breaks } in model.flaws() {
            let weaker = if *breaks == "linearizability" { String::new() } else { format!("; breaks {breaks}") };
            let _ = write!(text, "\n    {name:<22} {shows}{weaker}");
        }
    }
    text
}
