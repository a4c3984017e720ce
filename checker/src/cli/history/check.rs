//! `sextant history check`: is it linearizable?

use std::fmt::Write as _;
use std::io;
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::Serialize;
use sextant::consistency::Promise;
use sextant::linearizability::{Evidence, Finding, Interrupt, Limits, Model, Prefix, Report, check, verify};
use sextant::picture::Picture;
use sextant::verdict::{Exit, Verdict};
use sextant_histories::History;
use sextant_histories::formats::{self, Loaded, Order};

use super::input::Input;
use super::model::{ModelName, WithModel};
use super::picture;
use super::promise::{Asked, PromiseArgs, PromiseName, not_judged};
use super::timeline::timeline;
use super::verify::write as certify;
use crate::cli::{interrupt, output};

#[derive(Debug, clap::Args)]
#[command(after_help = formats::table())]
pub struct Check {
    /// Histories, each judged by itself
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
    /// How much the searches may hold besides the history itself: 512M, 2G, or bytes
    #[arg(long, default_value = "2G", value_parser = bytes)]
    memory: usize,
    /// How many keys to judge at a time; all cores if not given
    #[arg(long)]
    threads: Option<NonZero<usize>>,
    /// Judge a history in which nothing ended in ok by the definition: it claims nothing, and counts as unknown otherwise
    #[arg(long)]
    vacuous: bool,
    /// Print one JSON object a file
    #[arg(long)]
    json: bool,
    /// Also write a page that shows the history and what was found, for one history
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Also write why it is so, for `history verify`, for one history: an order of its operations, or a core without one
    #[arg(long, value_name = "FILE")]
    certificate: Option<PathBuf>,
    #[command(flatten)]
    input: Input,
}

/// One file, to be judged by the model that was asked for.
struct Judge<'a> {
    check: &'a Check,
    asked: &'a Asked<'a>,
}

impl WithModel for Judge<'_> {
    type Output = io::Result<Exit>;

    fn with<M: Model>(self, model: &M) -> io::Result<Exit> {
        self.check.judge_by(self.asked, model)
    }
}

impl Check {
    /// Judges every file, whatever the others turn out to be.
    pub fn run(&self) -> io::Result<Exit> {
        if let Some(html) = &self.html
            && let Err(reason) = picture::may_write(html, &self.files)
        {
            output::error(&reason);
            return Ok(Exit::Unreadable);
        }
        if (self.html.is_some() || self.certificate.is_some()) && self.promise.promise != PromiseName::Linearizable {
            output::error("--html and --certificate show what is linearizable, not other promises");
            return Ok(Exit::Unreadable);
        }
        if self.vacuous && self.promise.promise != PromiseName::Linearizable {
            output::error("--vacuous is about what is linearizable, not about other promises");
            return Ok(Exit::Unreadable);
        }
        if self.certificate.is_some() && self.files.len() > 1 {
            output::error("--certificate is for one history");
            return Ok(Exit::Unreadable);
        }
        let interrupt = interrupt::for_ever()?;
        let mut exits = Vec::new();
        for (number, file) in self.files.iter().enumerate() {
            if interrupt.is_set() {
                not_judged(self.files.len() - number);
                exits.push(Exit::Unknown);
                break;
            }
            exits.push(self.judge(file, interrupt, self.files.len() - number - 1)?);
        }
        Ok(Exit::of_all(exits))
    }

    fn judge(&self, file: &Path, interrupt: Interrupt, behind: usize) -> io::Result<Exit> {
        let Some(Loaded { history, conventions, .. }) = self.input.load(file) else {
            return Ok(Exit::Unreadable);
        };
        let promise = self.promise.promise;
        let (timeout, as_json, begun) = (self.timeout, self.json, Instant::now());
        let asked = Asked { file, history: &history, timeout, as_json, interrupt, begun, behind };
        if conventions.order == Order::Sessions && promise.needs_time() {
            let name = promise.name();
            output::error(&format!("{}: has sessions and no times, so nothing says what is {name}", file.display()));
            return Ok(Exit::Unreadable);
        }
        match (promise, self.model) {
            (PromiseName::Linearizable | PromiseName::Other(Promise::Sequential), Some(model)) => {
                let initial = match model.initial(conventions.initial, self.input.options().initial) {
                    Ok(initial) => initial,
                    Err(reason) => {
                        output::error(&reason);
                        return Ok(Exit::Unreadable);
                    }
                };
                model.apply(&history, initial, Judge { check: self, asked: &asked })
            }
            (PromiseName::Other(promise), _) => self.promise.judge(promise, &asked, conventions.initial),
            (PromiseName::Linearizable, None) => {
                output::error("--promise linearizable needs a --model");
                Ok(Exit::Unreadable)
            }
        }
    }

    fn judge_by<M: Model>(&self, asked: &Asked<'_>, model: &M) -> io::Result<Exit> {
        if self.promise.promise == PromiseName::Other(Promise::Sequential) {
            return self.promise.judge_sequential(asked, model);
        }
        let Asked { file, history, interrupt, .. } = *asked;
        let own = Limits::default();
        let limits = Limits {
            timeout: self.timeout,
            memory_bytes: self.memory,
            threads: self.threads.unwrap_or(own.threads),
            interrupt: Some(interrupt),
            vacuous: self.vacuous,
            ..own
        };
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
        if let Some(html) = &self.html {
            let picture = Picture::of_report(file.display().to_string(), model.name(), history, &report);
            picture::write(&picture, html)?;
        }
        if let Some(certificate) = &self.certificate {
            certify(certificate, history, model, &report)?;
        }
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

/// A core that is not known to be smallest is shown up to this size; of a larger one, what surrounds the failure.
const SHOWN: usize = 12;

fn explain(text: &mut String, history: &History, evidence: &Evidence) {
    let core = &evidence.core;
    let count = match core.operations.len() {
        1 => "one operation is impossible".to_owned(),
        count => format!("{count} operations do not fit together"),
    };
    let rows = if core.smallest || core.operations.len() <= SHOWN {
        let known = if core.smallest { "smallest core" } else { "core, not known to be smallest" };
        let _ = write!(text, "\n  {known}: {count}, whatever the others did");
        timeline(history, &core.operations)
    } else {
        let _ = write!(text, "\n  no small core is known; what fits nowhere, and what is around it:");
        let around = [&[evidence.operation], &evidence.witnesses[..], &evidence.concurrent[..]].concat();
        let mut around: Vec<usize> = around.into_iter().take(SHOWN).collect();
        around.sort_unstable();
        around.dedup();
        timeline(history, &around)
    };
    for row in rows {
        let _ = write!(text, "\n    {row}");
    }
    let (extent, events) = match evidence.prefix {
        Prefix::Shortest(events) => ("not linearizable from", events),
        Prefix::AtMost(events) => ("not linearizable at the latest from", events),
    };
    let _ = write!(text, "\n  {extent} line {} on", history.line(events.saturating_sub(1)));
}

/// `60s`, `500ms`, `2m`, or seconds; fractions are fine.
pub fn duration(text: &str) -> Result<Duration, String> {
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

/// `512M`, `2G`, `64K`, or bytes.
fn bytes(text: &str) -> Result<usize, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let each: usize = match &text[digits.len()..] {
        "" | "B" => 1,
        "K" | "KB" => 1 << 10,
        "M" | "MB" => 1 << 20,
        "G" | "GB" => 1 << 30,
        _ => return Err("use a unit of K, M or G".into()),
    };
    let number: usize = digits.parse().map_err(|_| "not a number of bytes, K, M or G".to_owned())?;
    number.checked_mul(each).ok_or_else(|| "more than there can be".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_units() {
        assert_eq!(bytes("512M"), Ok(512 << 20));
        assert_eq!(bytes("2G"), Ok(2 << 30));
        assert_eq!(bytes("64KB"), Ok(64 << 10));
        assert_eq!(bytes("7"), Ok(7));
        for wrong in ["", "M", "-1M", "1T", "1 M", "1.5G", "99999999999G", "é"] {
            assert!(bytes(wrong).is_err(), "{wrong}");
        }
    }

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
