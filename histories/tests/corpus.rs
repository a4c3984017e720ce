//! Every file of the corpus is what its folder says, in the eyes of the slow judge: `VERDICT/MODEL/NAME.jsonl`; what stands
//! in `VERDICT/` itself is of a cas-register.

mod support;

use std::fs;
use std::path::{Path, PathBuf};

use sextant_histories::generate::Model;
use sextant_histories::statistics::{Object, Statistics};
use sextant_histories::{History, Outcome};

fn below(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

fn files() -> Vec<(String, Model, PathBuf)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    let mut files = Vec::new();
    for folder in below(&root) {
        let verdict = folder.file_name().unwrap().to_str().unwrap().to_owned();
        for path in below(&folder) {
            if path.is_dir() {
                let model = Model::named(path.file_name().unwrap().to_str().unwrap());
                let model = model.unwrap_or_else(|| panic!("{}: no model", path.display()));
                files.extend(below(&path).into_iter().map(|file| (verdict.clone(), model, file)));
            } else {
                files.push((verdict.clone(), Model::CasRegister, path));
            }
        }
    }
    files
}

#[test]
fn every_folder_is_its_verdict() {
    let files = files();
    assert!(files.len() >= 200, "{}: a folder was lost", files.len());
    for (verdict, model, file) in files {
        let history = History::read(&file).unwrap();
        let claims = history.operations().iter().any(|operation| matches!(operation.outcome, Outcome::Ok(_)));
        let found = match (claims, support::linearizable(&history, model)) {
            (false, _) => "unknown",
            (true, true) => "valid",
            (true, false) => "invalid",
        };
        assert_eq!(found, verdict, "{}", file.display());
    }
}

/// The functions of a history belong to the model of its folder, its first line says what it shows, and its times go
/// forward.
#[test]
fn every_file_is_of_its_model_and_says_what_it_shows() {
    for (_, model, file) in files() {
        let name = file.display();
        if fs::metadata(&file).unwrap().len() == 0 {
            continue;
        }
        let mut reader = sextant_histories::Reader::open(&file).unwrap().strict_time(true);
        let (history, torn) = History::collect(&mut reader).unwrap();
        assert!(torn.is_none() && history.about().is_some_and(|about| about.contains(": ")), "{name}");
        let object = Statistics::of(&history).object;
        let allowed = match model {
            Model::CasRegister => [Object::Register, Object::CasRegister, Object::Nothing].contains(&object),
            // With nothing but strings appended, or without an append, one looks like the other.
            Model::AppendList | Model::KeyValue | Model::ListAppend => true,
            model => object.name() == model.name(),
        };
        assert!(allowed, "{name}: {object}");
    }
}
