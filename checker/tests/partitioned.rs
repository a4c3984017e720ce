//! The `cluster` engine against the packed one: by threads here, by processes through the `sextant` command.

// Nothing here makes a transaction manager panic.
#[allow(dead_code)]
#[path = "../examples/models/two_phase.rs"]
mod two_phase;

use std::fmt::Debug;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use sextant::explore::packed::{
    self, Begin, Broken, Checkpoint, Deadlock, Options, Outcome, Packed, Stop, Store,
};
use sextant::explore::{Hosts, cluster};
use sextant_model::closed::Core;
use sextant_model::profiles::PROFILES;
use sextant_model::rules::Rules;
use stateright::Model;
use tempfile::TempDir;
use two_phase::{LABELS, Mistake, TwoPhase};

type Found<M> = Outcome<<M as Model>::State, <M as Model>::Action>;

fn options<A>(threads: usize, store: Store) -> Options<A> {
    Options { threads, store, ..Options::default() }
}

fn partitioned<M: Packed + Clone + Send + Sync + 'static>(model: &M, options: &Options<M::Action>) -> Found<M> {
    cluster::explore(model, options, None, "a test", &mut |_| {}).expect("the engine does not fail")
}

fn whole<M: Packed + Sync>(model: &M, options: &Options<M::Action>) -> Found<M> {
    packed::explore(model, options, &mut |_| {}).expect("the engine does not fail")
}

/// Everything that must not depend on the engine.
fn told<M: Model>(found: &Found<M>) -> String
where
    M::State: Debug,
    M::Action: Debug,
{
    let Outcome { end, levels, depth, generated_states, violations, unwitnessed, actions, .. } = found;
    format!("{end:?} {levels:?} {depth} {generated_states} {violations:?} {unwitnessed:?} {actions:?}")
}

/// `model` makes one each time: a `Core` remembers what it has witnessed.
fn agrees<M>(model: impl Fn() -> M, options: &Options<M::Action>)
where
    M: Packed + Clone + Send + Sync + 'static,
    M::State: Debug,
    M::Action: Debug,
{
    let expected = told::<M>(&whole(&model(), options));
    for threads in [1, 2, 4] {
        let options = Options { threads, ..options.clone() };
        assert_eq!(told::<M>(&partitioned(&model(), &options)), expected, "{threads} threads");
    }
}

#[test]
fn two_phase_commit_is_the_same_for_any_number_of_threads_and_either_store() {
    for store in [Store::Fingerprints, Store::Exact] {
        agrees(|| TwoPhase::of(6), &Options { labels: Some(LABELS), ..options(2, store) });
    }
}

#[test]
fn quick_profiles_are_the_same() {
    let legs = PROFILES.iter().flat_map(|p| p.quick).filter(|leg| (1..100_000).contains(&leg.states));
    let mut compared = 0;
    for leg in legs {
        agrees(|| Core::new(Rules::adopted(), leg.bounds), &options(2, Store::Fingerprints));
        compared += 1;
    }
    assert!(compared >= 3, "{compared}");
}

#[test]
fn a_violation_has_the_trace_of_the_packed_engine_wherever_its_levels_are() {
    let model = TwoPhase { mistake: Mistake::CommitsEarly, ..TwoPhase::of(5) };
    for kept_bytes in [32 << 20, 0] {
        for stop in [Stop::AtFirst, Stop::AtEnd] {
            let options = Options { kept_bytes, stop, labels: Some(LABELS), ..options(2, Store::Exact) };
            agrees(|| model.clone(), &options);
            let found = partitioned(&model, &options);
            assert_eq!(found.violations[0].broken, Broken::Always("consistent"));
            let trace = &found.violations[0].trace;
            let mut state = trace.first.clone();
            for (action, next) in &trace.steps {
                state = model.next_state(&state, action.clone()).expect("each action of a trace is possible");
                assert_eq!(&state, next);
            }
        }
    }
}

#[test]
fn panics_and_deadlocks_are_judged_as_the_packed_engine_does() {
    agrees(|| TwoPhase { mistake: Mistake::Panics, ..TwoPhase::of(3) }, &options(2, Store::Fingerprints));
    let deadlock = Options { deadlock: Deadlock::Violation, stop: Stop::AtEnd, ..options(2, Store::Exact) };
    agrees(|| TwoPhase::of(4), &deadlock);
    agrees(|| Core::new(Rules::adopted(), PROFILES[0].quick[0].bounds), &Options {
        deadlock: Deadlock::Violation,
        ..options(2, Store::Fingerprints)
    });
}

#[test]
fn a_limit_of_memory_is_refused() {
    let options = Options { memory: Some(1 << 30), ..options(1, Store::Exact) };
    let error = cluster::explore(&TwoPhase::of(3), &options, None, "", &mut |_| {}).unwrap_err();
    assert_eq!(error.0, "the cluster engine has no limit of memory");
}

// --- checkpoints -----------------------------------------------------------------------------------------------------

fn checkpointed(folder: &Path, begin: Begin, threads: usize) -> Options<two_phase::Action> {
    let checkpoint = Checkpoint { folder: folder.into(), identity: "two-phase commit".into(), begin };
    Options { checkpoint: Some(checkpoint), labels: Some(LABELS), ..options(threads, Store::Exact) }
}

#[test]
fn a_checkpoint_is_resumed_from_the_last_level_that_all_workers_have() {
    let model = TwoPhase::of(6);
    let folder = tempfile::tempdir().unwrap();
    let expected = told::<TwoPhase>(&partitioned(&model, &checkpointed(folder.path(), Begin::Fresh, 3)));
    let path = folder.path().join("worker-0001/checkpoint.json");
    let text = std::fs::read_to_string(&path).unwrap();
    let mut description: serde_json::Value = serde_json::from_str(&text).unwrap();
    // As if it had been killed a level earlier than the others.
    description["levels"].as_array_mut().unwrap().pop();
    std::fs::write(&path, description.to_string()).unwrap();
    let resumed = partitioned(&model, &checkpointed(folder.path(), Begin::Resume, 3));
    assert_eq!(told::<TwoPhase>(&resumed), expected);
    let refused = |options: &Options<two_phase::Action>| {
        cluster::explore(&model, options, None, "", &mut |_| {}).expect_err("it is refused").0
    };
    let error = refused(&checkpointed(folder.path(), Begin::Fresh, 3));
    assert!(error.contains("holds a checkpoint: resume it, or name another folder"), "{error}");
    let error = refused(&checkpointed(folder.path(), Begin::Resume, 2));
    assert!(error.contains("of 3, and this is "), "{error}");
    assert!(error.contains("resume with as many processes and threads; the checkpoint is whole"), "{error}");
    description["levels"].as_array_mut().unwrap().truncate(2);
    std::fs::write(&path, description.to_string()).unwrap();
    let error = refused(&checkpointed(folder.path(), Begin::Resume, 3));
    assert!(error.contains("not of one search: worker 1 has a checkpoint of 2 levels"), "{error}");
}

#[test]
fn a_full_disk_of_one_worker_ends_all_with_its_reason() {
    let (model, folder) = (TwoPhase::of(6), tempfile::tempdir().unwrap());
    let worker = folder.path().join("worker-0001");
    std::fs::create_dir(&worker).unwrap();
    let full = worker.join("level-000006.states");
    std::os::unix::fs::symlink("/dev/full", &full).unwrap();
    let fresh = checkpointed(folder.path(), Begin::Fresh, 2);
    let error = cluster::explore(&model, &fresh, None, "", &mut |_| {}).unwrap_err().0;
    assert!(error.contains("level-000006.states: No space left on device"), "{error}");
    assert!(error.ends_with("; the checkpoint is whole"), "{error}");
    std::fs::remove_file(&full).unwrap();
    let resumed = partitioned(&model, &checkpointed(folder.path(), Begin::Resume, 2));
    let expected = whole(&model, &Options { labels: Some(LABELS), ..options(2, Store::Exact) });
    assert_eq!(told::<TwoPhase>(&resumed), told::<TwoPhase>(&expected));
}
