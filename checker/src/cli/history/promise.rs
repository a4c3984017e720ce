//! `sextant history check --promise`: other promises than linearizability.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use clap::builder::PossibleValue;
use clap::{Args, ValueEnum};
use serde::Serialize;
use sextant::consistency::{Basis, Finding, Options, Promise, Report, Unknown, Violation, check, check_sequential};
use sextant::linearizability::{Interrupt, Model};
use sextant::verdict::{Exit, Verdict};
use sextant_histories::{Call, History, Micro, MicroKind, Operation, Outcome, Reply, Value};

use crate::cli::output;

/// What `--promise` may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PromiseName {
    Linearizable,
    Other(Promise),
}

impl PromiseName {
    pub fn name(self) -> &'static str {
        match self {
            Self::Linearizable => "linearizable",
            Self::Other(promise) => promise.name(),
        }
    }

    /// Whether it says something of the order in real time, which a history of sessions alone does not have.
    pub fn needs_time(self) -> bool {
        matches!(
            self,
            Self::Linearizable
                | Self::Other(Promise::StrictSerializable | Promise::StrongSnapshotIsolation | Promise::SnapshotPrefix)
        )
    }
}

impl ValueEnum for PromiseName {
    fn value_variants<'a>() -> &'a [Self] {
        const ALL: [PromiseName; 21] = {
            let mut all = [PromiseName::Linearizable; 21];
            let mut place = 0;
            while place < Promise::ALL.len() {
                all[place + 1] = PromiseName::Other(Promise::ALL[place]);
                place += 1;
            }
            all
        };
        &ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(match self {
            Self::Linearizable => {
                PossibleValue::new("linearizable").help("each key by itself, in the order of real time")
            }
            Self::Other(promise) => PossibleValue::new(promise.name()).help(promise.about()),
        })
    }
}

/// Options of `--promise`.
#[derive(Debug, Args)]
pub struct PromiseArgs {
    /// What the system promises
    #[arg(long, value_enum, default_value = "linearizable", value_name = "PROMISE")]
    pub promise: PromiseName,
    /// Assume that each register by itself is linearizable, to know more of the order of its values
    #[arg(long)]
    linearizable_keys: bool,
    /// Assume that each register by itself is sequentially consistent, to know more of the order of its values
    #[arg(long)]
    sequential_keys: bool,
}

/// One file, and how to judge it.
pub struct Asked<'a> {
    pub file: &'a Path,
    pub history: &'a History,
    pub timeout: Duration,
    pub as_json: bool,
    pub interrupt: Interrupt,
    pub begun: Instant,
    /// How many files are to be judged after it.
    pub behind: usize,
}

impl PromiseArgs {
    /// Judges one file by a promise that needs no model. `initial` is what a register holds before its first write.
    pub fn judge(&self, promise: Promise, asked: &Asked<'_>, initial: Value) -> io::Result<Exit> {
        let options = self.options(asked, initial);
        asked.report(promise, || check(asked.history, promise, &options))
    }

    /// Judges one file by sequential consistency of a model.
    pub fn judge_sequential<M: Model>(&self, asked: &Asked<'_>, model: &M) -> io::Result<Exit> {
        let options = self.options(asked, Value::Null);
        asked.report(Promise::Sequential, || check_sequential(asked.history, model, &options))
    }

    fn options(&self, asked: &Asked<'_>, initial: Value) -> Options {
        Options {
            initial,
            timeout: asked.timeout,
            linearizable_keys: self.linearizable_keys,
            sequential_keys: self.sequential_keys,
            interrupt: Some(asked.interrupt),
            ..Options::default()
        }
    }
}

/// How long after a signal a check has to say how far it came. The searches take milliseconds; what takes polynomial time is not
/// asked, and may have minutes to go with millions of transactions.
const GRACE: Duration = Duration::from_secs(1);

/// How often to look for a signal.
const LOOK: Duration = Duration::from_millis(20);

impl Asked<'_> {
    fn report(&self, promise: Promise, work: impl FnOnce() -> Report + Send) -> io::Result<Exit> {
        let report = thread::scope(|scope| {
            let judging = scope.spawn(work);
            let mut since: Option<Instant> = None;
            while !judging.is_finished() {
                if self.interrupt.is_set() && since.get_or_insert_with(Instant::now).elapsed() >= GRACE {
                    self.abandon(promise);
                }
                thread::park_timeout(LOOK);
            }
            judging.join()
        });
        let report = report.unwrap_or_else(|panicked| std::panic::resume_unwind(panicked));
        self.say(&report)?;
        Ok(report.verdict().into())
    }

    fn say(&self, report: &Report) -> io::Result<()> {
        let Self { file, history, .. } = *self;
        output::line(&if self.as_json { json(file, history, report)? } else { text(file, history, report) })
    }

    /// Ends the program: nobody can ask the thread that judges to stop.
    fn abandon(&self, promise: Promise) -> ! {
        let why = "interrupted: the history was read, and is judged as a whole, which was not finished";
        let report = Report {
            promise,
            operations: self.history.operations().len(),
            keys: self.history.operations().iter().map(|operation| &operation.key).collect::<BTreeSet<_>>().len(),
            elapsed: self.begun.elapsed(),
            finding: Finding::Unknown(Unknown::GaveUp(why.into())),
        };
        // There is nothing to be done about an error any more.
        let said = self.say(&report);
        if self.behind > 0 {
            not_judged(self.behind);
        }
        std::process::exit(if said.is_ok() { Exit::Unknown } else { Exit::Harness }.code().into())
    }
}

pub fn not_judged(files: usize) {
    output::note(&format!("interrupted: {files} files were not judged"));
}

/// One line of `--json`. The field names are an interface.
#[derive(Serialize)]
struct Line<'a> {
    file: String,
    promise: &'a str,
    verdict: Verdict,
    operations: usize,
    keys: usize,
    seconds: f64,
    reason: Option<String>,
    anomalies: Vec<LineAnomaly<'a>>,
}

#[derive(Serialize)]
struct LineAnomaly<'a> {
    name: &'a str,
    /// Lines of the invocations.
    lines: Vec<usize>,
    sentences: &'a [String],
    entangled: usize,
}

fn json(file: &Path, history: &History, report: &Report) -> io::Result<String> {
    let anomaly = |violation: &'_ Violation| -> (Vec<usize>, &'static str) {
        let lines = violation.operations.iter().map(|number| line(history, *number));
        (lines.collect(), violation.anomaly.name())
    };
    let anomalies = report.violations().iter().map(|violation| {
        let (lines, name) = anomaly(violation);
        LineAnomaly { name, lines, sentences: &violation.sentences, entangled: violation.entangled }
    });
    let line = Line {
        file: file.display().to_string(),
        promise: report.promise.name(),
        verdict: report.verdict(),
        operations: report.operations,
        keys: report.keys,
        seconds: report.elapsed.as_secs_f64(),
        reason: report.reason(),
        anomalies: anomalies.collect(),
    };
    Ok(serde_json::to_string(&line)?)
}

fn line(history: &History, number: usize) -> usize {
    history.line(history.operations()[number].invoked.index)
}

fn text(file: &Path, history: &History, report: &Report) -> String {
    let mut text = format!(
        "{}: {} ({}, {} operations, {} keys, {:.3} s)",
        file.display(),
        report.verdict(),
        report.promise,
        report.operations,
        report.keys,
        report.elapsed.as_secs_f64()
    );
    match &report.finding {
        Finding::Valid(Basis::Exact) => {}
        Finding::Valid(Basis::Order(_)) => text.push_str(": an order of all operations was found that replays"),
        Finding::Valid(Basis::VersionOrder) => text.push_str(": an order of all writes was found that closes no cycle"),
        Finding::Unknown(unknown) => {
            let _ = write!(text, ": {unknown}");
        }
        Finding::Invalid(violations) => {
            let _ = write!(text, ": {}", report.reason().unwrap_or_default());
            violations.iter().for_each(|violation| explain(&mut text, history, violation));
        }
    }
    text
}

/// How many operations and sentences of one anomaly to print.
const LISTED: usize = 12;

fn explain(text: &mut String, history: &History, violation: &Violation) {
    let _ = write!(text, "\n  {}", violation.anomaly);
    if violation.entangled > violation.operations.len() {
        let _ = write!(text, " (the shortest of those among {} transactions)", violation.entangled);
    }
    for (place, number) in violation.operations.iter().enumerate().take(LISTED) {
        let operation = &history.operations()[*number];
        let lines = match operation.completed {
            Some(completed) => format!("lines {} and {}", line(history, *number), history.line(completed.index)),
            None => format!("line {}, never completed", line(history, *number)),
        };
        let _ = write!(text, "\n    T{} process {:<4} {lines}: {}", place + 1, operation.process, describe(operation));
    }
    let mut more = |count: usize, what: &str| {
        if count > LISTED {
            let _ = write!(text, "\n    and {} more {what}", count - LISTED);
        }
    };
    more(violation.operations.len(), "transactions");
    let sentences = violation.sentences.iter().take(LISTED);
    let sentences: String = sentences.map(|sentence| format!("\n    {sentence}")).collect();
    text.push_str(&sentences);
}

fn describe(operation: &Operation) -> String {
    let ended = match &operation.outcome {
        Outcome::Ok(_) => "ok",
        Outcome::Fail => "fail",
        Outcome::Indeterminate => "info",
    };
    match (&operation.call, operation.reply()) {
        (Call::Txn(_), Some(Reply::Txn(steps))) | (Call::Txn(steps), _) => format!("{} {ended}", steps_text(steps)),
        (call, Some(Reply::Read(value))) => format!("{call} {} -> {value}", operation.key),
        (call, _) => format!("{call} {} {ended}", operation.key),
    }
}

fn steps_text(steps: &[Micro]) -> String {
    let step = |step: &Micro| {
        let kind = match step.kind {
            MicroKind::Read => "r",
            MicroKind::Write => "w",
            MicroKind::Append => "append",
        };
        format!("{kind} {} {}", step.key, short(&step.value))
    };
    let shown: Vec<String> = steps.iter().take(LISTED).map(step).collect();
    let more = if steps.len() > LISTED { ", ..." } else { "" };
    format!("[{}{more}]", shown.join(", "))
}

/// Of a long list its end.
fn short(value: &Value) -> String {
    const SHOWN: usize = 5;
    match value {
        Value::List(list) if list.len() > SHOWN => {
            let end: Value = list[list.len() - SHOWN..].iter().cloned().collect();
            end.to_string().replacen('[', "[..., ", 1)
        }
        value => value.to_string(),
    }
}
