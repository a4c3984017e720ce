//! `sextant history stats`: what histories consist of.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};

use serde::Serialize;
use sextant::verdict::Exit;
use sextant_histories::History;
use sextant_histories::formats::Loaded;
use sextant_histories::statistics::{Outcomes, Statistics};

use super::input::Input;
use crate::cli::output;

#[derive(Debug, clap::Args)]
pub struct Stats {
    /// Histories, each by itself
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Print one JSON object a file
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    input: Input,
}

impl Stats {
    /// Every file, whatever the others turn out to be.
    pub fn run(&self) -> io::Result<Exit> {
        let exits: io::Result<Vec<Exit>> = self.files.iter().map(|file| self.count(file)).collect();
        Ok(Exit::of_all(exits?))
    }

    fn count(&self, file: &Path) -> io::Result<Exit> {
        let Some(Loaded { history, .. }) = self.input.load(file) else {
            return Ok(Exit::Unreadable);
        };
        let statistics = Statistics::of(&history);
        let text = if self.json { json(file, &history, &statistics)? } else { text(file, &history, &statistics) };
        output::line(&text)?;
        Ok(Exit::Valid)
    }
}

/// One line of `--json`. The field names are an interface.
#[derive(Serialize)]
struct Line<'a> {
    file: String,
    about: Option<&'a str>,
    events: usize,
    operations: usize,
    functions: BTreeMap<&'a str, Function>,
    indeterminate: usize,
    processes: usize,
    keys: usize,
    largest_key: usize,
    concurrency_max: usize,
    concurrency_mean: f64,
    values_installed: usize,
    values_distinct: usize,
    values_reused: usize,
    duration_ns: Option<u64>,
    object: &'a str,
    algorithm: &'a str,
}

#[derive(Serialize)]
struct Function {
    ok: usize,
    differed: usize,
    fail: usize,
    info: usize,
    open: usize,
}

fn json(file: &Path, history: &History, statistics: &Statistics) -> io::Result<String> {
    let functions = statistics.functions.iter().map(|(name, outcomes)| {
        let Outcomes { ok, differed, fail, info, open } = *outcomes;
        (name.as_str(), Function { ok, differed, fail, info, open })
    });
    let line = Line {
        file: file.display().to_string(),
        about: history.about(),
        events: statistics.events,
        operations: statistics.operations,
        functions: functions.collect(),
        indeterminate: statistics.indeterminate(),
        processes: statistics.processes,
        keys: statistics.keys,
        largest_key: statistics.largest_key,
        concurrency_max: statistics.concurrency_max,
        concurrency_mean: statistics.concurrency_mean,
        values_installed: statistics.values.installed,
        values_distinct: statistics.values.distinct,
        values_reused: statistics.values.reused,
        duration_ns: statistics.duration,
        object: statistics.object.name(),
        algorithm: statistics.algorithm(),
    };
    Ok(serde_json::to_string(&line)?)
}

fn text(file: &Path, history: &History, statistics: &Statistics) -> String {
    let mut text = format!("{}: {} operations, {} events", file.display(), statistics.operations, statistics.events);
    if let Some(about) = history.about() {
        let _ = write!(text, "\n  {about}");
    }
    let mut row = |name: &str, value: String| {
        let _ = write!(text, "\n  {name:<14} {value}");
    };
    for (name, outcomes) in &statistics.functions {
        row(name, counted(outcomes));
    }
    row("indeterminate", statistics.indeterminate().to_string());
    row("processes", statistics.processes.to_string());
    row("keys", format!("{}, the largest of {} operations", statistics.keys, statistics.largest_key));
    row("at once", format!("{} at most, {:.1} in the mean", statistics.concurrency_max, statistics.concurrency_mean));
    let values = statistics.values;
    row(
        "values",
        format!(
            "{} installed, {} distinct, {} of them more than once",
            values.installed, values.distinct, values.reused
        ),
    );
    let duration = statistics.duration.map_or("no times".into(), |duration| format!("{:.6} s", duration as f64 / 1e9));
    row("duration", duration);
    row("object", statistics.object.to_string());
    row("to decide it", statistics.algorithm().to_owned());
    text
}

/// `12: 9 ok (2 differed), 1 fail, 2 info`; what there is none of is not said.
fn counted(outcomes: &Outcomes) -> String {
    let Outcomes { ok, differed, fail, info, open } = *outcomes;
    let differed = if differed > 0 { format!(" ({differed} differed)") } else { String::new() };
    let parts = [(ok, "ok"), (fail, "fail"), (info, "info"), (open, "not completed")];
    let parts = parts.into_iter().filter(|(count, _)| *count > 0);
    let parts: Vec<String> = parts
        .map(|(count, name)| format!("{count} {name}{}", if name == "ok" { differed.as_str() } else { "" }))
        .collect();
    format!("{}: {}", outcomes.total(), parts.join(", "))
}
