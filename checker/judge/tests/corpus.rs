//! Every history of the corpus gets the verdict that its folder names. `VERDICT/MODEL/NAME.jsonl` is judged by that model;
//! what stands in `VERDICT/` itself by every kind of register that has its operations.

use std::fs;
use std::path::{Path, PathBuf};

use sextant_histories::History;
use sextant_judge::linearizability::{
    AppendList, CasRegister, Counter, Finding, KeyValue, Limits, ListAppend, Model, MultiRegister, Mutex,
    PriorityQueue, Queue, Register, Set, Stack, check, verify,
};
use sextant_judge::verdict::Verdict;

struct Entry {
    file: PathBuf,
    expected: Verdict,
    /// The folder between, where there is one.
    model: Option<String>,
}

fn below(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

fn corpus() -> Vec<Entry> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../histories/corpus");
    let mut entries = Vec::new();
    for (folder, expected) in [("valid", Verdict::Valid), ("invalid", Verdict::Invalid), ("unknown", Verdict::Unknown)]
    {
        for path in below(&root.join(folder)) {
            if path.is_dir() {
                let model = path.file_name().unwrap().to_str().unwrap();
                let entry = |file| Entry { file, expected, model: Some(model.to_owned()) };
                entries.extend(below(&path).into_iter().map(entry));
            } else {
                entries.push(Entry { file: path, expected, model: None });
            }
        }
    }
    entries
}

fn judge<M: Model>(entry: &Entry, history: &History, model: &M) {
    let report = check(history, model, &Limits::default());
    let name = entry.file.display();
    assert_eq!(report.verdict(), entry.expected, "{name} as {}: {:?}", model.name(), report.reason());
    if let Finding::Valid(linearizations) = &report.finding {
        verify(history, model, linearizations).unwrap_or_else(|reason| panic!("{name}: {reason}"));
    }
}

fn judge_by_name(entry: &Entry, history: &History, model: &str) {
    match model {
        "register" => judge(entry, history, &Register::default()),
        "cas-register" => judge(entry, history, &CasRegister::default()),
        "multi-register" => judge(entry, history, &MultiRegister::default()),
        "counter" => judge(entry, history, &Counter::default()),
        "set" => judge(entry, history, &Set),
        "queue" => judge(entry, history, &Queue),
        "stack" => judge(entry, history, &Stack),
        "priority-queue" => judge(entry, history, &PriorityQueue),
        "mutex" => judge(entry, history, &Mutex),
        "key-value" => judge(entry, history, &KeyValue::default()),
        "append-list" => judge(entry, history, &AppendList),
        "list-append" => judge(entry, history, &ListAppend),
        _ => panic!("{}: no model has the name of this folder", entry.file.display()),
    }
}

#[test]
fn every_folder_is_its_verdict() {
    let entries = corpus();
    assert!(entries.len() >= 200, "{}: a folder was lost", entries.len());
    for entry in &entries {
        let history = History::read(&entry.file).unwrap();
        match &entry.model {
            Some(model) => judge_by_name(entry, &history, model),
            None => {
                judge(entry, &history, &CasRegister::default());
                let calls = history.operations().iter().map(|operation| &operation.call);
                if calls.into_iter().all(|call| Register::default().supports(call)) {
                    judge(entry, &history, &Register::default());
                }
            }
        }
    }
}

#[test]
fn every_file_says_what_it_shows() {
    for Entry { file, .. } in corpus() {
        let empty = fs::metadata(&file).unwrap().len() == 0;
        let history = History::read(&file).unwrap();
        let about = history.about();
        assert!(empty || about.is_some_and(|text| text.contains(": ")), "{}: no header", file.display());
    }
}
