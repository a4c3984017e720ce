//! Every history of the corpus gets the verdict that its folder names, under every model that has its operations.

use std::fs;
use std::path::{Path, PathBuf};

use sextant::linearizability::{CasRegister, Finding, Limits, Model, Register, check, verify};
use sextant::verdict::Verdict;
use sextant_histories::History;

fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../histories/corpus")
}

fn files(folder: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(corpus().join(folder)).unwrap();
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

fn judge<M: Model>(file: &Path, history: &History, model: &M, expected: Verdict) {
    let report = check(history, model, &Limits::default());
    let name = file.display();
    assert_eq!(report.verdict(), expected, "{name} as {}: {:?}", model.name(), report.reason());
    if let Finding::Valid(linearizations) = &report.finding {
        verify(history, model, linearizations).unwrap_or_else(|reason| panic!("{name}: {reason}"));
    }
}

#[test]
fn every_folder_is_its_verdict() {
    let folders = [("valid", Verdict::Valid, 9), ("invalid", Verdict::Invalid, 11), ("unknown", Verdict::Unknown, 3)];
    for (folder, expected, count) in folders {
        let files = files(folder);
        assert_eq!(files.len(), count, "{folder}: a file was added or lost");
        for file in files {
            let history = History::read(&file).unwrap();
            judge(&file, &history, &CasRegister::default(), expected);
            let plain = history.operations().iter().all(|operation| Register::default().supports(&operation.call));
            if plain {
                judge(&file, &history, &Register::default(), expected);
            }
        }
    }
}

#[test]
fn every_file_says_what_it_shows() {
    for folder in ["valid", "invalid", "unknown"] {
        for file in files(folder) {
            let empty = fs::metadata(&file).unwrap().len() == 0;
            let history = History::read(&file).unwrap();
            assert!(empty || history.about().is_some_and(|about| !about.is_empty()), "{}", file.display());
        }
    }
}
