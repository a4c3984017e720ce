//! Histories of others, with the verdicts that their folders and papers give. They lie beside the workspace and are not
//! part of it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use sextant_histories::{Call, Event, History, Key, Kind, Micro, MicroKind, Reply, Value};
use sextant_judge::consistency::{Anomaly, Finding, Options, Orders, Promise, Shape, check};
use sextant_judge::verdict::Verdict;

fn corpus() -> Option<PathBuf> {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/corpus");
    if corpus.is_dir() {
        return Some(corpus);
    }
    println!("skipped: no corpus");
    None
}

/// One transaction after the other, each session a process: these files have no time.
fn one_by_one(transactions: Vec<(u64, Vec<Micro>)>) -> History {
    let events = transactions.into_iter().flat_map(|(process, steps)| {
        let mut asked = steps.clone();
        asked.iter_mut().filter(|step| step.kind == MicroKind::Read).for_each(|step| step.value = Value::Null);
        let event =
            move |kind| Event { process, kind, call: Call::Txn(asked.clone().into()), key: Key::None, time: None };
        [event(Kind::Invoke), event(Kind::Ok(Reply::Txn(steps.into())))]
    });
    History::from_events(events).unwrap()
}

fn step(kind: &str, key: i64, value: i64) -> Micro {
    let kind = if kind == "r" { MicroKind::Read } else { MicroKind::Write };
    Micro { kind, key: Key::Int(key), value: Value::Int(value) }
}

/// `r KEY VALUE` and `w KEY VALUE`, transactions between lines of `-`, sessions between lines of `=`.
fn awdit(text: &str) -> History {
    let mut transactions = Vec::new();
    for (session, text) in text.split("=====").enumerate() {
        for text in text.split("-----") {
            let steps = text.lines().filter(|line| !line.trim().is_empty()).map(|line| {
                let parts: Vec<&str> = line.split_whitespace().collect();
                step(parts[0], parts[1].parse().unwrap(), parts[2].parse().unwrap())
            });
            transactions.push((session as u64, steps.collect()));
        }
    }
    one_by_one(transactions)
}

/// `w(KEY,VALUE,SESSION,TRANSACTION)` a line.
fn plume(text: &str) -> History {
    let mut transactions: Vec<(u64, Vec<Micro>)> = Vec::new();
    let mut numbers: BTreeMap<(u64, i64), usize> = BTreeMap::new();
    for line in text.lines().filter(|line| !line.is_empty()) {
        let (kind, rest) = line.split_once('(').unwrap();
        let parts: Vec<i64> = rest.trim_end_matches(')').split(',').map(|part| part.parse().unwrap()).collect();
        let session = parts[2] as u64;
        let number = *numbers.entry((session, parts[3])).or_insert_with(|| {
            transactions.push((session, Vec::new()));
            transactions.len() - 1
        });
        transactions[number].1.push(step(kind, parts[0], parts[1]));
    }
    one_by_one(transactions)
}

fn verdict(history: &History, promise: Promise) -> Verdict {
    check(history, promise, &Options::default()).verdict()
}

fn text_files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(text_files(&path));
        } else {
            files.push(path);
        }
    }
    files.sort();
    files
}

#[test]
fn awdit_files_satisfy_what_their_folder_says_and_no_more() {
    let Some(corpus) = corpus() else { return };
    let levels = [Promise::ReadCommitted, Promise::ReadAtomic, Promise::Causal];
    let mut count = 0;
    for (folder, holds) in [("none", 0), ("read-committed", 1), ("read-atomic", 2), ("causal", 3)] {
        for file in text_files(&corpus.join("awdit").join(folder)) {
            let history = awdit(&fs::read_to_string(&file).unwrap());
            for (level, promise) in levels.into_iter().enumerate() {
                let expected = if level < holds { Verdict::Valid } else { Verdict::Invalid };
                assert_eq!(verdict(&history, promise), expected, "{promise}: {}", file.display());
            }
            count += 1;
        }
    }
    assert_eq!(count, 11, "files of the corpus");
}

#[test]
fn dgraph_breaks_snapshot_isolation_and_yugabyte_causal_consistency() {
    let Some(corpus) = corpus() else { return };
    let dgraph = plume(&fs::read_to_string(corpus.join("isovista/dgraph_si.txt")).unwrap());
    assert_eq!(verdict(&dgraph, Promise::SessionSnapshotIsolation), Verdict::Invalid);
    assert_eq!(verdict(&dgraph, Promise::SessionSerializable), Verdict::Invalid);
    let yugabyte = plume(&fs::read_to_string(corpus.join("isovista/yugabyte_tcc.txt")).unwrap());
    assert_eq!(verdict(&yugabyte, Promise::Causal), Verdict::Invalid);
    assert_eq!(verdict(&yugabyte, Promise::SessionSnapshotIsolation), Verdict::Invalid);
    for (name, history) in [("dgraph", &dgraph), ("yugabyte", &yugabyte)] {
        for promise in Promise::ALL {
            let report = check(history, promise, &Options::default());
            println!("{name} {promise}: {} {:?} {:?}", report.verdict(), report.reason(), report.elapsed);
        }
    }
}

/// The example of the Elle paper: T1 is serial before the others; the third missed an append of which the second of the
/// others saw the later state.
#[test]
fn the_example_of_the_elle_paper_is_g_single() {
    let Some(corpus) = corpus() else { return };
    let text = fs::read_to_string(corpus.join("elle/paper-example.edn")).unwrap();
    let mut transactions = Vec::new();
    for line in text.lines().filter(|line| line.contains(":type :ok")) {
        transactions.push((transactions.len() as u64, edn_steps(line)));
    }
    assert_eq!(transactions.len(), 4);
    let history = one_by_one(transactions);
    for promise in [Promise::SnapshotIsolation, Promise::Serializable, Promise::ConsistentView] {
        let report = check(&history, promise, &Options::default());
        let Finding::Invalid(violations) = &report.finding else { panic!("{promise}: {:?}", report.finding) };
        assert_eq!(violations[0].anomaly, Anomaly::Cycle(Shape::GSingle, Orders::Data), "{promise}");
        println!("{violations:?}");
    }
    for promise in [Promise::ReadUncommitted, Promise::Pl2] {
        assert_eq!(verdict(&history, promise), Verdict::Valid, "{promise}");
    }
}

/// `[[:append 253 1] [:r 255 [2 3]]]`: enough EDN for the example.
fn edn_steps(line: &str) -> Vec<Micro> {
    let value = &line[line.find(":value").unwrap()..];
    let mut steps = Vec::new();
    for part in value.split("[:").skip(1) {
        let words: Vec<&str> = part.split(|c: char| c.is_whitespace() || "[]{}".contains(c)).collect();
        let mut words = words.into_iter().filter(|word| !word.is_empty());
        let kind = words.next().unwrap();
        let key = Key::Int(words.next().unwrap().parse().unwrap());
        let numbers: Vec<Value> = words.filter_map(|word| word.parse().ok()).map(Value::Int).collect();
        let (kind, value) = match kind {
            "append" => (MicroKind::Append, numbers[0].clone()),
            _ => (MicroKind::Read, Value::List(numbers.into())),
        };
        steps.push(Micro { kind, key, value });
    }
    steps
}
