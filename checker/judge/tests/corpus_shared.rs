//! The corpus of other people's histories, where it is at hand: every file is read with its format found out, and those whose
//! model is here get the verdict of the manifest.
//!
//! Where the manifest only points to somebody's tests, the verdict is argued below from the file itself, by arithmetic
//! that has nothing to do with the checker.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sextant_histories::formats::{Format, Loaded, Order, ReadOptions, read};
use sextant_histories::{Call, History, Operation, Outcome, Reply, Value};
use sextant_judge::consistency::{self, Options, Promise};
use sextant_judge::linearizability::certificate::{Proof, fingerprint};
use sextant_judge::linearizability::{
    CasRegister, Certificate, Counter, Etcd, Finding, KeyValue, Limits, Linearization, Model, Mutex, Set, Unknown,
    check, verify,
};
use sextant_judge::verdict::Verdict;

/// What judges the files whose path begins so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Judge {
    /// Initial value: the format's convention.
    CasRegister,
    /// Strings under keys, each at first empty.
    KeyValue,
    Mutex,
    /// Added to and read as a whole.
    Set,
    Counter,
    /// Transactions: which promises hold, by [`PROMISES`].
    Promises,
    /// All clients are one history: judged by a test of its own.
    Etcd,
    /// Not judged here; what a model would have to say is the third column of the manifest, or argued below.
    ReadOnly,
}

/// File pattern, format, judge. The first that fits counts.
const JUDGES: &[(&str, Format, Judge)] = &[
    ("porcupine/jepsen/", Format::PorcupineEtcd, Judge::CasRegister),
    ("porcupine/kv/", Format::PorcupineKv, Judge::KeyValue),
    ("knossos/cas-register/", Format::Edn, Judge::CasRegister),
    ("elle-cli/knossos/mutex/", Format::Json, Judge::Mutex),
    ("etcd-robustness/", Format::Etcd, Judge::Etcd),
    // Transactions: strict serializability and below.
    ("elle/", Format::Edn, Judge::Promises),
    ("elle-cli/elle/", Format::Edn, Judge::Promises),
    ("awdit/", Format::Awdit, Judge::Promises),
    ("isovista/", Format::Plume, Judge::Promises),
    // Sets that are read as a whole, counters.
    ("elle-cli/jepsen/set.edn", Format::Edn, Judge::Set),
    ("elle-cli/jepsen/counter.json", Format::Json, Judge::Counter),
    // Banks, and a set whose reads are writes' values, have no model here.
    ("elle-cli/custom/", Format::Edn, Judge::ReadOnly),
    ("elle-cli/jepsen/bank-neg.edn", Format::Edn, Judge::ReadOnly),
    ("elle-cli/jepsen/bank-tidb.edn", Format::Edn, Judge::ReadOnly),
    ("elle-cli/jepsen/", Format::Json, Judge::ReadOnly),
];

/// Nothing but failures: linearizable, says the manifest, because nothing is claimed; nothing was checked, says the command,
/// which lets no such history pass unless `--vacuous` asks for the definition. See `nothing_but_failures_is_linearizable`.
const NO_CLAIM: &str = "knossos/cas-register/good/mongodb-v0-ack-rollback-11.edn";

/// None where there is no corpus. `SEXTANT_CORPUS` names another place.
fn corpus() -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/corpus");
    let place = std::env::var_os("SEXTANT_CORPUS").map_or(beside, PathBuf::from);
    let found = place.join("MANIFEST.tsv").is_file();
    if !found {
        println!("skipped: no corpus");
    }
    found.then_some(place)
}

fn load(path: &Path) -> Loaded {
    read(path, &ReadOptions::default()).unwrap_or_else(|error| panic!("{error}"))
}

/// What transactions promise, by what the manifest says of a file or its folder; where it only points to somebody's tests,
/// `transactions_of_elle` argues it from the file. The first path that fits counts.
const PROMISES: &[(&str, &[(Promise, Verdict)])] = {
    use Promise::{Causal, ReadAtomic, ReadCommitted, ReadUncommitted, Serializable, SnapshotIsolation};
    use Verdict::{Invalid, Valid};
    &[
        ("awdit/none/", &[(ReadCommitted, Invalid), (ReadAtomic, Invalid), (Causal, Invalid)]),
        ("awdit/read-committed/", &[(ReadCommitted, Valid), (ReadAtomic, Invalid), (Causal, Invalid)]),
        ("awdit/read-atomic/", &[(ReadCommitted, Valid), (ReadAtomic, Valid), (Causal, Invalid)]),
        ("awdit/causal/", &[(ReadCommitted, Valid), (ReadAtomic, Valid), (Causal, Valid)]),
        ("isovista/dgraph_si.txt", &[(Promise::SessionSnapshotIsolation, Invalid)]),
        ("isovista/yugabyte_tcc.txt", &[(Causal, Invalid)]),
        ("elle-cli/elle/rw-register.edn", &[(ReadCommitted, Invalid), (Serializable, Invalid)]),
        ("elle", &[(ReadUncommitted, Valid), (SnapshotIsolation, Invalid), (Serializable, Invalid)]),
    ]
};

fn promises(loaded: &Loaded, file: &str) {
    let options = Options { initial: loaded.conventions.initial.clone(), ..Options::default() };
    let (_, expected) = PROMISES.iter().find(|(path, _)| file.starts_with(path)).unwrap();
    for (promise, expected) in *expected {
        let report = consistency::check(&loaded.history, *promise, &options);
        assert_eq!(report.verdict(), *expected, "{file}: {promise}: {:?}", report.reason());
    }
}

fn verdict<M: Model>(history: &History, model: &M, file: &str) -> Verdict {
    let limits = Limits { core: Duration::from_secs(60), ..Limits::default() };
    let report = check(history, model, &limits);
    let report = match report.finding {
        Finding::Unknown(Unknown::NoClaim) if file == NO_CLAIM => {
            check(history, model, &Limits { vacuous: true, ..limits })
        }
        _ => report,
    };
    if let Finding::Invalid(evidence) = &report.finding {
        println!("{file}: a core of {}", evidence.core.operations.len());
        assert!(evidence.core.smallest, "{file}");
    }
    let certificate =
        Certificate::of(history, model, &report).unwrap_or_else(|| panic!("{file}: {:?}", report.finding));
    let mut written = Vec::new();
    certificate.write(&mut written).unwrap();
    let certificate = Certificate::read(&written[..]).unwrap_or_else(|error| panic!("{file}: {}", error.reason));
    assert_eq!(certificate.verify(history, model), Ok(()), "{file}");
    report.verdict()
}

/// The doubtful verdict of the manifest, decided: by the definition, for which the empty order is a linearization where no
/// operation took effect or made a claim; and by a certificate of that order, which the verifier accepts, and no other.
#[test]
fn nothing_but_failures_is_linearizable() {
    let Some(corpus) = corpus() else { return };
    let Loaded { history, .. } = load(&corpus.join(NO_CLAIM));
    assert_eq!(history.operations().len(), 3);
    assert!(history.operations().iter().all(|operation| operation.outcome == Outcome::Fail));
    let model = CasRegister { initial: 0.into() };
    let empty = Certificate {
        history: fingerprint(&history),
        events: history.len(),
        operations: history.operations().len(),
        model: model.name().to_owned(),
        initial: model.show(&model.initial()),
        proof: Proof::Valid(vec![Linearization { key: history.operations()[0].key.clone(), order: Vec::new() }]),
    };
    assert_eq!(empty.verify(&history, &model), Ok(()));
    let key = history.operations()[0].key.clone();
    for number in 0..3 {
        let proof = Proof::Valid(vec![Linearization { key: key.clone(), order: vec![number] }]);
        let wrong = Certificate { proof, ..empty.clone() };
        assert!(wrong.verify(&history, &model).is_err(), "a failed operation has no place");
    }
}

#[test]
fn every_file_is_read_and_gets_its_verdict() {
    let Some(corpus) = corpus() else { return };
    let manifest = fs::read_to_string(corpus.join("MANIFEST.tsv")).unwrap();
    let mut judged: BTreeMap<&str, usize> = BTreeMap::new();
    for row in manifest.lines().skip(1) {
        let columns: Vec<&str> = row.split('\t').collect();
        let (file, expected) = (columns[0], columns[4]);
        let (pattern, format, judge) = JUDGES.iter().find(|(pattern, ..)| file.starts_with(pattern)).unwrap();
        let path = corpus.join(file);
        if file.ends_with("watch.json") {
            // What watches saw: no operations, and nothing that looks like them.
            assert!(read(&path, &ReadOptions::default()).is_err(), "{file}");
            continue;
        }
        let loaded = load(&path);
        assert_eq!(loaded.format, *format, "{file}");
        assert!(!loaded.history.is_empty(), "{file}");
        let initial = loaded.conventions.initial.clone();
        let verdict = match judge {
            Judge::CasRegister => verdict(&loaded.history, &CasRegister { initial }, file),
            Judge::KeyValue => verdict(&loaded.history, &KeyValue { initial }, file),
            Judge::Mutex => verdict(&loaded.history, &Mutex, file),
            Judge::Set => verdict(&loaded.history, &Set, file),
            Judge::Counter => verdict(&loaded.history, &Counter::default(), file),
            Judge::Promises => {
                promises(&loaded, file);
                *judged.entry(pattern).or_default() += 1;
                continue;
            }
            Judge::Etcd | Judge::ReadOnly => continue,
        };
        *judged.entry(pattern).or_default() += 1;
        let expected = match expected {
            "linearizable" => Verdict::Valid,
            "NOT linearizable" => Verdict::Invalid,
            // See `the_mutex_was_held_twice`.
            "see test/ in elle-cli" if *judge == Judge::Mutex => Verdict::Invalid,
            // See `sets_and_counters`: what was added is what was read, and a counter that nobody reads is right.
            "see test/ in elle-cli" if file.ends_with("set.edn") || *judge == Judge::Counter => Verdict::Valid,
            other => panic!("{file}: the manifest says {other:?}"),
        };
        assert_eq!(verdict, expected, "{file}");
    }
    let expected = [
        ("awdit/", 11),
        ("elle-cli/elle/", 2),
        ("elle-cli/jepsen/counter.json", 1),
        ("elle-cli/jepsen/set.edn", 1),
        ("elle-cli/knossos/mutex/", 1),
        ("elle/", 1),
        ("isovista/", 2),
        ("knossos/cas-register/", 37),
        ("porcupine/jepsen/", 35),
        ("porcupine/kv/", 2),
    ];
    assert_eq!(judged, BTreeMap::from(expected), "a file was added or lost");
}

#[test]
fn the_report_of_etcd_is_linearizable_and_not_with_another_revision() {
    let Some(corpus) = corpus() else { return };
    let report = corpus.join("etcd-robustness/TestRobustness_Kubernetes_ClusterOfSize3");
    let history = load(&report).history;
    assert_eq!(history.operations().len(), 1144);
    let judge = |history: &History| {
        let report = check(history, &Etcd::for_history(history), &Limits::default());
        if let Finding::Valid(linearizations) = &report.finding {
            verify(history, &Etcd::default(), linearizations).unwrap();
        }
        report
    };
    assert_eq!(judge(&history).verdict(), Verdict::Valid);
    // Of an answer that changed nothing another revision can be right too: that of a range may be one earlier, if what
    // was changed in between lies outside. Two changes cannot have the same.
    let put = |operation: &Operation| match (&operation.call, operation.reply()) {
        (Call::Other(name, argument), Some(Reply::Returned(Value::List(answer)))) if &**name == "etcd-txn" => {
            let steps = &list(argument)[if answer[1] == Value::Bool(true) { 2 } else { 1 }];
            list(steps).iter().any(|step| list(step)[0] == Value::from("put"))
        }
        _ => false,
    };
    let puts: Vec<usize> =
        (0..history.operations().len()).filter(|number| put(&history.operations()[*number])).collect();
    assert!(puts.len() > 400);
    for part in 0..5 {
        for change in [-1, 1] {
            let mut operations = history.operations().to_vec();
            let number = puts[puts.len() * (2 * part + 1) / 10];
            let Outcome::Ok(Reply::Returned(Value::List(answer))) = &operations[number].outcome else {
                panic!("an answer of etcd is a list");
            };
            let mut answer = answer.to_vec();
            let Value::Int(revision) = answer[0] else { panic!("an answer begins with a revision") };
            answer[0] = Value::Int(revision + change);
            operations[number].outcome = Outcome::Ok(Reply::Returned(answer.into_iter().collect()));
            let changed = History::from_operations(operations, history.len());
            let report = judge(&changed);
            let line = history.line(history.operations()[number].invoked.index);
            println!(
                "operation {number}, line {line}: revision {revision} + {change}: {} in {:?}",
                report.verdict(),
                report.elapsed
            );
            assert_eq!(report.verdict(), Verdict::Invalid, "operation {number} with revision {revision} + {change}");
        }
    }
}

fn ok_reads(history: &History) -> Vec<Value> {
    let reads = history.operations().iter().filter_map(|operation| match (&operation.call, operation.reply()) {
        (Call::Read, Some(Reply::Read(value))) => Some(value.clone()),
        (Call::Other(name, _), Some(Reply::Returned(value))) if &**name == "read" => Some(value.clone()),
        _ => None,
    });
    reads.collect()
}

fn list(value: &Value) -> &[Value] {
    match value {
        Value::List(values) => values,
        other => panic!("{other} is no list"),
    }
}

fn balances(read: &Value) -> Vec<i64> {
    let amount = |pair: &Value| match list(pair) {
        [_, Value::Int(amount)] => *amount,
        _ => panic!("{pair} is no account and its balance"),
    };
    list(read).iter().map(amount).collect()
}

/// More acquires had returned than there were ever releases begun, plus one.
#[test]
fn the_mutex_was_held_twice() {
    let Some(corpus) = corpus() else { return };
    let history = load(&corpus.join("elle-cli/knossos/mutex/bad/etcd.json")).history;
    let mut changes = Vec::new();
    for operation in history.operations() {
        match (&operation.call, &operation.outcome) {
            (Call::Acquire, Outcome::Ok(_)) => changes.push((operation.returned().unwrap(), 1)),
            // Counted from its invocation on, and also if nobody knows how it ended.
            (Call::Release, Outcome::Ok(_) | Outcome::Indeterminate) => changes.push((operation.invoked.index, -1)),
            _ => {}
        }
    }
    changes.sort_unstable();
    let mut held = 0;
    let most = changes
        .iter()
        .map(|(_, change)| {
            held += change;
            held
        })
        .max();
    assert!(most >= Some(2), "invalid: two held it at once, or more: {most:?}");
}

/// Transfers move money and make none, so every read has the same sum.
#[test]
fn banks() {
    let Some(corpus) = corpus() else { return };
    let sums = |file: &str| -> (BTreeSet<i64>, bool) {
        let reads = ok_reads(&load(&corpus.join(file)).history);
        let balances: Vec<Vec<i64>> = reads.iter().map(balances).collect();
        let negative = balances.iter().flatten().any(|amount| *amount < 0);
        (balances.iter().map(|balances| balances.iter().sum()).collect(), negative)
    };
    // Invalid: money came and went.
    let (tidb, _) = sums("elle-cli/jepsen/bank-tidb.edn");
    assert!(tidb.len() > 100 && tidb.contains(&100), "{tidb:?}");
    // Valid, as far as the sum goes.
    assert_eq!(sums("elle-cli/jepsen/bank.json"), (BTreeSet::from([100]), false));
    // One read, of which nothing is known to be wrong: the file does not say how much there was.
    assert_eq!(sums("elle-cli/jepsen/bank-neg.edn"), (BTreeSet::from([30]), false));
}

#[test]
fn sets_and_counters() {
    let Some(corpus) = corpus() else { return };
    // Valid: one process adds 0, 1, 2 and then reads just those.
    let set = load(&corpus.join("elle-cli/jepsen/set.edn")).history;
    let in_turn = set.operations().windows(2).all(|pair| pair[0].returned() < Some(pair[1].invoked.index));
    assert!(in_turn && ok_reads(&set) == [(0..3).map(Value::Int).collect::<Value>()]);
    // Valid: it never looks.
    let counter = load(&corpus.join("elle-cli/jepsen/counter.json")).history;
    assert!(counter.operations().iter().all(|operation| matches!(operation.call, Call::Add(Value::Int(1)))));
    // Doubtful: as it stands the elements are pairs [0, n], and the read returns integers that nobody added: invalid.
    // What was meant is a set under the key 0, from whose last read the key was lost: valid.
    let full = load(&corpus.join("elle-cli/jepsen/set_full.json")).history;
    let added: Vec<Value> = full
        .operations()
        .iter()
        .filter_map(|operation| match &operation.call {
            Call::Add(value) => Some(value.clone()),
            _ => None,
        })
        .collect();
    let pairs: Vec<Value> = (0..293).map(|number| [Value::Int(0), Value::Int(number)].into_iter().collect()).collect();
    assert_eq!(added, pairs);
    assert_eq!(ok_reads(&full), [(0..293).map(Value::Int).collect::<Value>()]);
    // Invalid: the read saw 430 and not 425, which was there before 430 was begun.
    let comments = load(&corpus.join("elle-cli/custom/comments.edn")).history;
    let write = |number: i64| {
        comments.operations().iter().find(|operation| operation.call == Call::Write(number.into())).unwrap()
    };
    assert!(write(425).returned() < Some(write(430).invoked.index));
    let reads = ok_reads(&comments);
    assert!(list(&reads[0]).contains(&Value::Int(430)) && !list(&reads[0]).contains(&Value::Int(425)));
}

/// The transactions of a file, as `[kind, key, value]` each.
fn transactions(path: &Path) -> Vec<Vec<Value>> {
    let loaded = load(path);
    let steps = loaded.history.operations().iter().map(|operation| match operation.reply() {
        Some(Reply::Txn(steps)) => steps.iter().map(|step| step.to_value()).collect(),
        other => panic!("{other:?} is no transaction"),
    });
    steps.collect()
}

#[test]
fn transactions_of_elle() {
    let Some(corpus) = corpus() else { return };
    let step = |kind: &str, key: i64, value: Value| -> Value { [kind.into(), key.into(), value].into_iter().collect() };
    let seen = |values: &[i64]| -> Value { values.iter().copied().map(Value::Int).collect() };
    for file in ["elle/paper-example.edn", "elle-cli/elle/paper-example.edn"] {
        let transactions = transactions(&corpus.join(file));
        let [_, second, third, fourth] = &transactions[..] else { panic!("{file}: four transactions") };
        // Not serializable, and not snapshot isolated: the fourth did not see the second's 8 and so comes before it; the third
        // saw it and so comes after; and in the third's list 256 the fourth's 3 is still missing, so the fourth comes
        // after the third.
        assert!(second.contains(&step("append", 255, 8.into())), "{file}");
        assert!(fourth.contains(&step("r", 255, seen(&[2, 3, 4, 5]))), "{file}");
        assert!(third.contains(&step("r", 255, seen(&[2, 3, 4, 5, 8]))), "{file}");
        assert!(third.contains(&step("r", 256, seen(&[1, 2, 4]))), "{file}");
        assert!(fourth.contains(&step("append", 256, 3.into())), "{file}");
    }
    // Without `:process` nothing is known about sessions; with it all are one.
    let processes = |file: &str| -> BTreeSet<u64> {
        load(&corpus.join(file)).history.operations().iter().map(|operation| operation.process).collect()
    };
    assert_eq!(processes("elle/paper-example.edn").len(), 4);
    assert_eq!(processes("elle-cli/elle/paper-example.edn").len(), 1);
    // Invalid: 3 is read and was never written.
    let register = transactions(&corpus.join("elle-cli/elle/rw-register.edn"));
    let all: Vec<&Value> = register.iter().flatten().collect();
    assert!(all.iter().any(|step| step.to_string() == "[\"r\", \":x\", 3]"));
    assert!(all.iter().all(|step| step.to_string() != "[\"w\", \":x\", 3]"));
}

#[test]
fn formats_without_times_say_so() {
    let Some(corpus) = corpus() else { return };
    for (file, sessions, transactions) in
        [("isovista/dgraph_si.txt", 11, 481), ("isovista/yugabyte_tcc.txt", 3, 21), ("awdit/none/hb-cycle.txt", 2, 4)]
    {
        let loaded = load(&corpus.join(file));
        assert_eq!(loaded.conventions.order, Order::Sessions);
        let operations = loaded.history.operations();
        let processes: BTreeSet<u64> = operations.iter().map(|operation| operation.process).collect();
        assert_eq!((processes.len(), operations.len()), (sessions, transactions), "{file}");
    }
}
