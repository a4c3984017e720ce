//! Recorded runs against the protocol: those of the simulator's actors, which record as the real ones do.

use std::fs;
use std::path::Path;

use sextant::conformance::{Conformance, Finding, Options, judge};
use sextant::diagnosis::Diagnosis;
use sextant::verdict::Verdict;
use sextant_model::logset::{Intervals, LogSet};
use sextant_model::rules::Rules;
use sextant_model::segment::Event;
use sextant_model::types::{Epoch, Lsn, Nonce, SegmentId};
use sextant_model::{instance, mutants};
use sextant_storage::flight::{Entry, NodeEntry, Recorder, WriterEntry, digest, read};
use sextant_storage::sim::{self, ExecutorMistake, FaultKind, Plan, run_recorded};

/// Runs a seed that records in `dir`, without judging it on the way; by which rules.
fn record(dir: &Path, seed: u64, options: sim::Options) -> Rules {
    record_for(2000, dir, seed, options)
}

/// The same with clients that work so many milliseconds.
fn record_for(lasts: u64, dir: &Path, seed: u64, options: sim::Options) -> Rules {
    let plan = Plan::drawn(seed, 10, lasts, &FaultKind::ALL);
    let options = sim::Options { properties: false, ..options };
    let outcome = run_recorded(seed, &plan, &options, dir);
    assert!(outcome.ok > 0);
    plan.rules(options.rules)
}

fn judged(dir: &Path, rules: Rules) -> Conformance {
    judge(dir, &Options::new(rules)).expect("readable")
}

#[test]
fn what_the_protocol_does_conforms() {
    let mut opened = 0;
    for seed in 0..8 {
        let dir = tempfile::tempdir().unwrap();
        let rules = record(dir.path(), seed, sim::Options::new(Rules::adopted()));
        let conformance = judged(dir.path(), rules);
        assert_eq!(conformance.finding, Finding::Conforms, "seed {seed}: {:?}", conformance.lines());
        assert_eq!((conformance.orders, conformance.verdict()), (5, Verdict::Valid));
        assert!(conformance.size.events > 1000, "{:?}", conformance.size);
        opened += conformance.size.opened;
    }
    assert!(opened > 12, "failovers are among them: {opened}");
}

#[test]
fn a_mistake_in_the_rules_is_the_protocols_fault() {
    let mistakes = [
        ("M1", 15, "S33"),
        ("M2", 22, "S1"),
        ("M3", 0, "S9"),
        ("M4", 0, "S12"),
        ("M5", 31, "S10"),
        ("M8", 0, "S11"),
        ("M12", 0, "S1"),
        ("M15", 0, "S1"),
        ("M17", 0, "S14"),
    ];
    for (id, seed, property) in mistakes {
        let dir = tempfile::tempdir().unwrap();
        let rules = mutants::by_id(id).expect("a mutant of the core").rules;
        let rules = record(dir.path(), seed, sim::Options::new(rules));
        let conformance = judged(dir.path(), rules);
        assert_eq!(conformance.diagnosis(), Some(Diagnosis::Protocol), "{id}: {:?}", conformance.lines());
        let Finding::Violated { violation, .. } = &conformance.finding else {
            panic!("{id}: {:?}", conformance.lines())
        };
        assert_eq!(violation.property, property, "{id}: {}", violation.fact);
    }
}

/// Without the directory's sync (X2) a node refuses its disk and starts no more: it has recorded nothing that it should not have,
/// and the simulator's own oracle finds that.
#[test]
fn a_mistake_of_the_executor_is_the_executors_fault() {
    for (mistake, what) in [
        (ExecutorMistake::ReplyBeforeSync, "it is back without what it had"),
        (ExecutorMistake::ShortWrite, "it is back without what it had"),
        (ExecutorMistake::ForgetOnRestart, "it is back without what it had"),
        (ExecutorMistake::IgnoreChecksums, "their contents are others"),
        (ExecutorMistake::StaleTimer, "it is back without what it had"),
    ] {
        let found = (0..200).find_map(|seed| {
            let dir = tempfile::tempdir().unwrap();
            let options = sim::Options { executor: Some(mistake), ..sim::Options::new(Rules::adopted()) };
            let rules = record_for(4000, dir.path(), seed, options);
            let conformance = judge(dir.path(), &Options { random: 0, ..Options::new(rules) }).expect("readable");
            (conformance.finding != Finding::Conforms).then_some((seed, conformance))
        });
        let (seed, conformance) = found.unwrap_or_else(|| panic!("{} was not found", mistake.id()));
        let lines = conformance.lines();
        assert_eq!(conformance.diagnosis(), Some(Diagnosis::Executor), "{} seed {seed}: {lines:?}", mistake.id());
        assert!(lines[0].contains(what), "{} seed {seed}: {lines:?}", mistake.id());
    }
}

/// What is counted is the leg's, whatever the run; a run with failovers has been through more of it than one without, and most of
/// what a run is in while a single client writes lies inside.
#[test]
fn how_much_of_the_explorers_states_a_run_has_been_through() {
    let covered = |clients: usize, faults: &[FaultKind]| {
        let dir = tempfile::tempdir().unwrap();
        let plan = Plan::drawn(1, clients, 2000, faults);
        let options = sim::Options::new(Rules::adopted());
        assert!(run_recorded(1, &plan, &options, dir.path()).ok > 0);
        let rules = plan.rules(options.rules);
        let conformance = judge(dir.path(), &Options { coverage: true, ..Options::new(rules) }).expect("readable");
        assert_eq!(conformance.finding, Finding::Conforms);
        conformance.coverage.expect("it was asked for")
    };
    let calm = covered(1, &[]);
    let stormy = covered(1, &FaultKind::ALL);
    for coverage in [calm, stormy] {
        assert_eq!((coverage.reachable, coverage.transitions), (REACHABLE, TRANSITIONS));
        assert!(coverage.visited > 0 && coverage.visited <= coverage.shapes, "{coverage}");
        assert!(coverage.taken > 0 && coverage.inside <= coverage.states, "{coverage}");
    }
    assert!(calm.visited < stormy.visited && calm.taken < stormy.taken, "{calm}; {stormy}");
    assert!(calm.inside * 2 > calm.states, "{calm}");
    let crowded = covered(10, &FaultKind::ALL);
    assert!(crowded.inside < crowded.states, "ten clients write more than the leg allows: {crowded}");
}

/// Of the quick leg `gossip` of the core.
const REACHABLE: usize = 14_220;
const TRANSITIONS: usize = 125_185;

/// The records of a run that conforms.
fn a_run() -> (tempfile::TempDir, Rules) {
    let dir = tempfile::tempdir().unwrap();
    let rules = record(dir.path(), 1, sim::Options::new(Rules::adopted()));
    (dir, rules)
}

#[test]
fn other_rules_are_a_difference() {
    let (dir, _) = a_run();
    let rules = mutants::by_id("M17").unwrap().rules;
    let conformance = judged(dir.path(), rules);
    assert_eq!(conformance.diagnosis(), Some(Diagnosis::Executor));
    assert!(matches!(conformance.finding, Finding::Differs(_)), "{:?}", conformance.lines());
}

#[test]
fn a_message_that_nobody_sent_is_found() {
    for missing in ["w1.0001.flight", "b1.0001.flight"] {
        let (dir, rules) = a_run();
        assert_eq!(judged(dir.path(), rules).verdict(), Verdict::Valid);
        fs::remove_file(dir.path().join(missing)).unwrap();
        let conformance = judged(dir.path(), rules);
        let lines = conformance.lines();
        assert_eq!(conformance.verdict(), Verdict::Invalid, "{missing}: {lines:?}");
        assert_eq!(conformance.diagnosis(), Some(Diagnosis::Executor));
    }
}

#[test]
fn what_a_process_did_not_finish_writing_is_dropped() {
    let (dir, rules) = a_run();
    let path = dir.path().join("b1.0001.flight");
    let bytes = fs::read(&path).unwrap();
    // Its last frame had consequences here; a node's file that ends early makes others hear of what nobody said.
    fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
    let conformance = judged(dir.path(), rules);
    assert_eq!(conformance.size.torn, 1);
    assert!(matches!(conformance.finding, Finding::Uncaused(_) | Finding::Differs(_)), "{:?}", conformance.lines());
}

#[test]
fn nothing_recorded_is_no_conformance() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(judged(dir.path(), Rules::adopted()).verdict(), Verdict::Unknown);
    let error = judge(&dir.path().join("nowhere"), &Options::new(Rules::adopted())).unwrap_err();
    assert!(error.contains("nowhere"), "{error}");
    fs::write(dir.path().join("a1.0001.flight"), "hello, world").unwrap();
    let error = judge(dir.path(), &Options::new(Rules::adopted())).unwrap_err();
    assert!(error.contains("a1.0001.flight: no flight recorder's file"), "{error}");
}

/// Changes what one file says, as a process that did something else would have written it.
fn forge<E: Entry>(dir: &Path, name: &str, life: usize, change: impl FnOnce(&mut Vec<E>)) {
    let path = dir.join(format!("{name}.{life:04}.flight"));
    let mut entries = read::<E>(&path).unwrap().entries;
    change(&mut entries);
    fs::remove_file(&path).unwrap();
    // The first life without a file is the one just removed.
    let mut recorder = Recorder::create(dir, name).unwrap();
    entries.into_iter().for_each(|entry| recorder.push(entry));
    recorder.flush().unwrap();
}

/// What of a node's entries has this, changed by `change`.
fn change_first(entries: &mut [NodeEntry], mut change: impl FnMut(&mut NodeEntry) -> bool) {
    assert!(entries.iter_mut().any(&mut change), "there is such an entry");
}

/// The node whose second life was recorded.
fn restarted(dir: &Path) -> String {
    let mut names = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let file = names.find(|name| !name.starts_with('w') && name.ends_with(".0002.flight")).expect("a node restarted");
    file[..2].to_owned()
}

/// Every check of pass A and every cause of pass B refuses a record that is wrong in just that.
#[test]
fn each_kind_of_forgery_is_found() {
    type Forgery = fn(&Path);
    let forgeries: [(&str, &str, Forgery); 10] = [
        ("other effects", "the node's were others", |dir| {
            forge(dir, "b1", 1, |entries| {
                change_first(entries, |entry| match entry {
                    NodeEntry::Stepped { effects, .. } => {
                        *effects ^= 1;
                        true
                    }
                    _ => false,
                });
            });
        }),
        ("another record", "another record here", |dir| {
            // The last one of a life has not been read back from a disk before the merge sees it.
            forge(dir, "b1", 1, |entries| {
                entries.reverse();
                change_first(entries, |entry| match entry {
                    NodeEntry::Stepped { record, .. } if *record != 0 => {
                        *record ^= 1;
                        true
                    }
                    _ => false,
                });
                entries.reverse();
            });
        }),
        ("more synced than appended", "1000 entries synced", |dir| {
            forge(dir, "b1", 1, |entries| {
                change_first(entries, |entry| match entry {
                    NodeEntry::Stepped { event: Event::Synced { entries }, .. } => {
                        *entries = 1000;
                        true
                    }
                    _ => false,
                });
            });
        }),
        ("gossip of what it lacks", "which it had not synced", |dir| {
            forge(dir, "b1", 1, |entries: &mut Vec<NodeEntry>| {
                let started = entries.iter().find_map(|entry| match entry {
                    NodeEntry::Started { disk, .. } => Some(disk.trunc_ve),
                    _ => None,
                });
                let mut lsns = Intervals::default();
                lsns.insert(Lsn(7_777_777_777));
                entries.insert(1, NodeEntry::Pushed { trunc_ve: started.unwrap(), lsns });
            });
        }),
        ("gossip of another epoch", "it told a peer of e99", |dir| {
            forge(dir, "b1", 1, |entries: &mut Vec<NodeEntry>| {
                entries.insert(1, NodeEntry::Pushed { trunc_ve: Epoch(99), lsns: Intervals::default() });
            });
        }),
        ("a page that may not be read", "may be answered", |dir| {
            forge(dir, "b1", 1, |entries: &mut Vec<NodeEntry>| {
                entries.insert(1, NodeEntry::Read { ve: Epoch(1), read_point: Lsn(9_999), answer: Ok(()) });
            });
        }),
        ("a disk without what was synced", "it is back without what it had", |dir| {
            forge(dir, &restarted(dir), 2, |entries| {
                change_first(entries, |entry| match entry {
                    NodeEntry::Started { disk, .. } => {
                        disk.held = Intervals::default();
                        disk.trunc_ve = Epoch(1);
                        true
                    }
                    _ => false,
                });
            });
        }),
        ("a disk with other contents", "their contents are others", |dir| {
            forge(dir, &restarted(dir), 2, |entries| {
                change_first(entries, |entry| match entry {
                    NodeEntry::Started { records, .. } => {
                        *records ^= 1;
                        true
                    }
                    _ => false,
                });
            });
        }),
        ("an epoch taken twice", "took the volume twice", |dir| {
            forge(dir, "w1", 1, |entries: &mut Vec<WriterEntry>| entries.push(entries[0].clone()));
        }),
        ("an answer that nobody gave", "nobody caused", |dir| {
            forge(dir, "w1", 1, |entries: &mut Vec<WriterEntry>| {
                let WriterEntry::Took { ve, .. } = entries[0] else { panic!("it begins with its epoch") };
                let event = instance::Event::Confirmed { from: SegmentId(0), ve, nonce: Nonce(7_777) };
                let effects = digest::<[instance::Effect]>(&[]);
                entries.push(WriterEntry::Stepped { event, effects });
            });
        }),
    ];
    for (what, reason, forgery) in forgeries {
        let dir = tempfile::tempdir().unwrap();
        let rules = record_for(4000, dir.path(), 2, sim::Options::new(Rules::adopted()));
        assert_eq!(judged(dir.path(), rules).verdict(), Verdict::Valid, "before: {what}");
        forgery(dir.path());
        let conformance = judged(dir.path(), rules);
        assert_eq!(conformance.diagnosis(), Some(Diagnosis::Executor), "{what}: {:?}", conformance.lines());
        assert!(conformance.lines().iter().any(|line| line.contains(reason)), "{what}: {:?}", conformance.lines());
    }
}
