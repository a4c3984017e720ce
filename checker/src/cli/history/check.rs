//! `sextant history check`: is it linearizable?

use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::ValueEnum;
use serde::Serialize;
use sextant::consistency::Promise;
use sextant::linearizability::{
    CasRegister, Evidence, Finding, Limits, Model, Prefix, Register, Report, check, verify,
};
use sextant::verdict::{Exit, Verdict};
use sextant_histories::{Call, History, Operation, Outcome, Reply, Value};

use super::promise::{PromiseArgs, PromiseName};
use crate::cli::output;

#[derive(Debug, clap::Args)]
pub struct Check {
    /// Histories in the native format, each judged by itself
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// What the keys of the system are; linearizable and sequential need it
    #[arg(
        long,
        value_enum,
        required_unless_present = "promise",
        required_if_eq_any([("promise", "linearizable"), ("promise", "sequential")])
    )]
    model: Option<ModelName>,
    #[command(flatten)]
    promise: PromiseArgs,
    /// How long to search one file before the verdict is unknown: 60s, 500ms, 2m, or seconds
    #[arg(long, default_value = "60s", value_parser = duration)]
    timeout: Duration,
    /// Print one JSON object a file
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum ModelName {
    Register,
    CasRegister,
}

impl Check {
    /// Judges every file, whatever the others turn out to be.
    pub fn run(&self) -> io::Result<Exit> {
        let exits: io::Result<Vec<Exit>> = self.files.iter().map(|file| self.judge(file)).collect();
        Ok(Exit::of_all(exits?))
    }

    fn judge(&self, file: &Path) -> io::Result<Exit> {
        let history = match History::read(file) {
            Ok(history) => history,
            Err(error) => {
                output::error(&error.to_string());
                return Ok(Exit::Unreadable);
            }
        };
        match self.model.unwrap_or(ModelName::Register) {
            ModelName::Register => self.judge_by(file, &history, &Register::default()),
            ModelName::CasRegister => self.judge_by(file, &history, &CasRegister::default()),
        }
    }

    fn judge_by<M: Model>(&self, file: &Path, history: &History, model: &M) -> io::Result<Exit> {
        let promise = &self.promise;
        match promise.promise {
            PromiseName::Linearizable => {}
            PromiseName::Other(Promise::Sequential) => {
                return promise.judge_sequential(file, history, model, self.timeout, self.json);
            }
            PromiseName::Other(other) => {
                return promise.judge(other, file, history, Value::Null, self.timeout, self.json);
            }
        }
        let limits = Limits { timeout: self.timeout, ..Limits::default() };
        let report = check(history, model, &limits);
        if let Finding::Valid(linearizations) = &report.finding
            && let Err(reason) = verify(history, model, linearizations)
        {
            output::error(&format!("{}: own linearization does not replay: {reason}", file.display()));
            return Ok(Exit::Harness);
        }
        let text =
            if self.json { json(file, model.name(), &report)? } else { text(file, model.name(), history, &report) };
        output::line(&text)?;
        Ok(report.verdict().into())
    }
}

/// One line of `--json`. The field names are an interface.
#[derive(Serialize)]
struct Line<'a> {
    file: String,
    model: &'a str,
    verdict: Verdict,
    operations: usize,
    keys: usize,
    seconds: f64,
    reason: Option<String>,
}

fn json(file: &Path, model: &str, report: &Report) -> io::Result<String> {
    let line = Line {
        file: file.display().to_string(),
        model,
        verdict: report.verdict(),
        operations: report.operations,
        keys: report.keys,
        seconds: report.elapsed.as_secs_f64(),
        reason: report.reason(),
    };
    Ok(serde_json::to_string(&line)?)
}

fn text(file: &Path, model: &str, history: &History, report: &Report) -> String {
    let mut text = format!(
        "{}: {} ({model}, {} operations, {} keys, {:.3} s)",
        file.display(),
        report.verdict(),
        report.operations,
        report.keys,
        report.elapsed.as_secs_f64()
    );
    if let Some(reason) = report.reason() {
        text = format!("{text}: {reason}");
    }
    if let Finding::Invalid(evidence) = &report.finding {
        explain(&mut text, history, evidence);
    }
    text
}

/// How many operations of a kind to list; a few are read, all of them are not.
const LISTED: usize = 6;

fn explain(text: &mut String, history: &History, evidence: &Evidence) {
    let mut list = |role: &str, numbers: &[usize]| {
        for number in numbers.iter().take(LISTED) {
            let _ = write!(text, "\n  {role:<15} {}", describe(history, *number));
        }
        if let Some(more) = numbers.len().checked_sub(LISTED).filter(|more| *more > 0) {
            let _ = write!(text, "\n  {role:<15} and {more} more");
        }
    };
    let pending = evidence.concurrent.iter().copied();
    let pending: Vec<usize> = pending.filter(|number| !evidence.witnesses.contains(number)).collect();
    list("impossible", &[evidence.operation]);
    list("because of", &evidence.witnesses);
    list("concurrent", &pending);
    let (extent, events) = match evidence.prefix {
        Prefix::Shortest(events) => ("not linearizable from", events),
        Prefix::AtMost(events) => ("not linearizable at the latest from", events),
    };
    let _ = write!(text, "\n  {extent} line {} on", history.line(events.saturating_sub(1)));
}

fn describe(history: &History, number: usize) -> String {
    let operation = &history.operations()[number];
    let invoked = history.line(operation.invoked.index);
    let lines = match operation.completed {
        Some(completed) => format!("lines {invoked} and {}", history.line(completed.index)),
        None => format!("line {invoked}, never completed"),
    };
    format!("process {:<4} {:<32} {lines}", operation.process, ended(operation))
}

fn ended(operation: &Operation) -> String {
    match (&operation.call, &operation.outcome) {
        (Call::Read, Outcome::Ok(Reply::Read(value))) => format!("read -> {value}"),
        (call, Outcome::Ok(Reply::Differed)) => format!("{call} -> differed"),
        (call, Outcome::Ok(_)) => format!("{call} -> ok"),
        (call, Outcome::Fail) => format!("{call} -> fail"),
        (call, Outcome::Indeterminate) => format!("{call} -> info"),
    }
}

/// `60s`, `500ms`, `2m`, or seconds; fractions are fine.
fn duration(text: &str) -> Result<Duration, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let seconds_each = match &text[digits.len()..] {
        "ms" => 0.001,
        "" | "s" => 1.0,
        "m" => 60.0,
        _ => return Err("use a unit of ms, s or m".into()),
    };
    let number: f64 = digits.parse().map_err(|_| "not a number of ms, s or m".to_owned())?;
    Duration::try_from_secs_f64(number * seconds_each).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_units() {
        assert_eq!(duration("60s"), Ok(Duration::from_secs(60)));
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(duration("2m"), Ok(Duration::from_secs(120)));
        assert_eq!(duration("7"), Ok(Duration::from_secs(7)));
        assert_eq!(duration("1.5s"), Ok(Duration::from_millis(1500)));
        for wrong in ["", "s", "-1s", "1h", "1 s", "nan", "inf", "1e300", "é", "5sé"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }
}
