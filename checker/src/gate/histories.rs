//! Recorded histories, each of which must get the verdict that the configuration names.
//!
//! A history is judged by the model that its folder is named after, as in `valid/queue/`, and as a register with compare-and-set
//! in a folder of another name.

use std::path::{Path, PathBuf};

use sextant_histories::History;

use super::{Row, row};
use crate::linearizability::{
    AppendList, CasRegister, Counter, Finding, KeyValue, Limits, ListAppend, Model, MultiRegister, Mutex,
    PriorityQueue, Queue, Register, Report, Set, Stack, check, verify,
};
use crate::verdict::{Exit, Verdict};

/// By a model; the error is a fault of ours.
type Judge = fn(&History) -> Result<Report, String>;

/// What judges the folder of this name.
const JUDGES: [(&str, Judge); 12] = [
    ("register", |history| linearizable(history, &Register::default())),
    ("cas-register", |history| linearizable(history, &CasRegister::default())),
    ("multi-register", |history| linearizable(history, &MultiRegister::default())),
    ("counter", |history| linearizable(history, &Counter::default())),
    ("set", |history| linearizable(history, &Set)),
    ("queue", |history| linearizable(history, &Queue)),
    ("stack", |history| linearizable(history, &Stack)),
    ("priority-queue", |history| linearizable(history, &PriorityQueue)),
    ("mutex", |history| linearizable(history, &Mutex)),
    ("key-value", |history| linearizable(history, &KeyValue::default())),
    ("append-list", |history| linearizable(history, &AppendList)),
    ("list-append", |history| linearizable(history, &ListAppend)),
];

const OTHERWISE: Judge = |history| linearizable(history, &CasRegister::default());

fn judge_of(folder: &str) -> Option<Judge> {
    JUDGES.iter().find(|(name, _)| *name == folder).map(|(_, judge)| *judge)
}

/// Judges one recorded history, which must get the verdict `expected`.
#[must_use]
pub fn judge_history(file: &Path, expected: Verdict) -> Row {
    let part = |path: Option<&Path>| {
        path.and_then(Path::file_name).map_or_else(String::new, |name| name.to_string_lossy().into_owned())
    };
    let (name, folder) = (part(Some(file)), part(file.parent()));
    let (name, judge) = match judge_of(&folder) {
        Some(judge) => (format!("{folder}/{name}"), judge),
        None => (name, OTHERWISE),
    };
    row("history", name, || {
        let history = match History::read(file) {
            Ok(history) => history,
            Err(error) => return Ok((Exit::Unreadable, error.to_string())),
        };
        let report = judge(&history)?;
        let (verdict, operations) = (report.verdict(), report.operations);
        Ok(match (verdict == expected, report.reason()) {
            (true, None) => (Exit::Valid, format!("{operations} operations, linearizable")),
            (true, Some(reason)) => (Exit::Valid, format!("{operations} operations, {verdict} as expected: {reason}")),
            (false, reason) => {
                let reason = reason.map(|r| format!(": {r}")).unwrap_or_default();
                let exit = if verdict == Verdict::Unknown { Exit::Unknown } else { Exit::Invalid };
                (exit, format!("{operations} operations, {verdict}, expected {expected}{reason}"))
            }
        })
    })
}

fn linearizable<M: Model>(history: &History, model: &M) -> Result<Report, String> {
    let report = check(history, model, &Limits::default());
    if let Finding::Valid(linearizations) = &report.finding {
        verify(history, model, linearizations).map_err(|r| format!("own linearization does not replay: {r}"))?;
    }
    Ok(report)
}

/// The histories of a folder and of those in it that are named after a model, by name; the file itself if it is one.
///
/// # Errors
/// If a folder cannot be read, holds no history, or is named after nothing that could judge it.
pub fn histories_in(path: &Path) -> Result<Vec<PathBuf>, String> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut files = Vec::new();
    for entry in entries(path)? {
        if !entry.is_dir() {
            files.extend(Some(entry).filter(|file| is_history(file)));
            continue;
        }
        let name = entry.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        if judge_of(&name).is_none() {
            return Err(format!("{}: no model has the name of this folder", entry.display()));
        }
        let inside: Vec<PathBuf> = entries(&entry)?.into_iter().filter(|file| is_history(file)).collect();
        if inside.is_empty() {
            return Err(format!("{}: holds no .jsonl file", entry.display()));
        }
        files.extend(inside);
    }
    if files.is_empty() { Err(format!("{}: holds no .jsonl file", path.display())) } else { Ok(files) }
}

fn is_history(file: &Path) -> bool {
    file.extension().is_some_and(|extension| extension == "jsonl")
}

/// What is in a folder, sorted.
fn entries(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let failed = |error: std::io::Error| format!("read {}: {error}", folder.display());
    let entries = std::fs::read_dir(folder).map_err(failed)?;
    let mut paths = entries.map(|entry| entry.map(|e| e.path())).collect::<Result<Vec<_>, _>>().map_err(failed)?;
    paths.sort();
    Ok(paths)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn corpus(verdict: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../histories/corpus").join(verdict)
    }

    #[test]
    fn the_corpus_is_walked_with_its_folders_and_every_verdict_is_right() {
        let mut judged = 0;
        for (folder, expected) in
            [("valid", Verdict::Valid), ("invalid", Verdict::Invalid), ("unknown", Verdict::Unknown)]
        {
            for file in histories_in(&corpus(folder)).unwrap() {
                let row = judge_history(&file, expected);
                assert_eq!(row.exit, Exit::Valid, "{}: {}", row.name, row.detail);
                judged += 1;
            }
        }
        assert!(judged >= 200, "{judged}: a folder was lost");
    }

    #[test]
    fn the_folder_says_who_judges() {
        let lost = corpus("invalid").join("queue/generated-lost-element.jsonl");
        let row = judge_history(&lost, Verdict::Valid);
        assert_eq!((row.exit, &row.name[..]), (Exit::Invalid, "queue/generated-lost-element.jsonl"), "{}", row.detail);
        // Moved out of its folder it has no verdict: a register has no dequeue.
        let elsewhere = tempfile::tempdir().unwrap();
        let moved = elsewhere.path().join("lost.jsonl");
        std::fs::copy(&lost, &moved).unwrap();
        assert_eq!(judge_history(&moved, Verdict::Invalid).exit, Exit::Unknown);
    }

    #[test]
    fn a_folder_that_nothing_can_judge_is_refused() {
        let root = tempfile::tempdir().unwrap();
        assert!(histories_in(root.path()).unwrap_err().contains("holds no .jsonl file"));
        std::fs::write(root.path().join("a.jsonl"), "").unwrap();
        std::fs::create_dir(root.path().join("queue")).unwrap();
        assert!(histories_in(root.path()).unwrap_err().ends_with("queue: holds no .jsonl file"));
        std::fs::write(root.path().join("queue/b.jsonl"), "").unwrap();
        assert_eq!(histories_in(root.path()).unwrap().len(), 2);
        std::fs::create_dir(root.path().join("quiver")).unwrap();
        assert!(histories_in(root.path()).unwrap_err().ends_with("no model has the name of this folder"));
    }
}
