//! The `cluster` engine against the packed one: by threads here, by processes through the `sextant` command.

// Nothing here makes a transaction manager panic.
#[allow(dead_code)]
#[path = "../examples/models/two_phase.rs"]
mod two_phase;

use std::fmt::Debug;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use sextant::explore::packed::{self, Begin, Broken, Checkpoint, Deadlock, Options, Outcome, Packed, Stop, Store};
use sextant::explore::{Hosts, cluster};
use sextant_model::bounds::Bounds;
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
    let legs = PROFILES.iter().flat_map(|p| p.quick).filter(|leg| (1..20_000).contains(&leg.states));
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
            agrees(|| model, &options);
            let found = partitioned(&model, &options);
            assert_eq!(found.violations[0].broken, Broken::Always("consistent"));
            let trace = &found.violations[0].trace;
            let mut state = trace.first;
            for (action, next) in &trace.steps {
                state = model.next_state(&state, *action).expect("each action of a trace is possible");
                assert_eq!(&state, next);
            }
        }
    }
}

/// The bounds of the quick leg `faults` of `core`.
fn faults() -> Bounds {
    PROFILES.iter().flat_map(|p| p.quick).find(|leg| leg.name == "faults").expect("there is such a leg").bounds
}

#[test]
fn panics_and_deadlocks_are_judged_as_the_packed_engine_does() {
    agrees(|| TwoPhase { mistake: Mistake::Panics, ..TwoPhase::of(3) }, &options(2, Store::Fingerprints));
    let deadlock = Options { deadlock: Deadlock::Violation, stop: Stop::AtEnd, ..options(2, Store::Exact) };
    agrees(|| TwoPhase::of(4), &deadlock);
    agrees(
        || Core::new(Rules::adopted(), faults()),
        &Options { deadlock: Deadlock::Violation, ..options(2, Store::Fingerprints) },
    );
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
    assert!(error.contains("resume with as many processes and threads"), "{error}");
    assert!(!error.contains("is whole"), "{error}");
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

// --- processes -------------------------------------------------------------------------------------------------------

/// Processes that are killed where a test ends before they do.
struct Processes(Vec<Child>);

impl Drop for Processes {
    fn drop(&mut self) {
        for child in &mut self.0 {
            // One that has ended cannot be killed, and need not be.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// A file of so many hosts on the loopback interface, at ports that the system finds free.
fn hosts(folder: &TempDir, processes: usize) -> PathBuf {
    let listeners: Vec<_> = (0..processes).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
    let line = |listener: &TcpListener| format!("{}\n", listener.local_addr().unwrap());
    let path = folder.path().join("hosts");
    std::fs::write(&path, listeners.iter().map(line).collect::<String>()).unwrap();
    path
}

fn check(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sextant"));
    command.args(["model", "check"]).args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn start(hosts: &Path, processes: usize, arguments: &[&str]) -> Processes {
    let start = |process: usize| {
        let mut command = check(arguments);
        command.args(["--engine", "cluster", "--hosts"]).arg(hosts).args(["--process", &process.to_string()]);
        command.spawn().unwrap()
    };
    Processes((0..processes).map(start).collect())
}

fn outputs(mut processes: Processes) -> Vec<Output> {
    processes.0.drain(..).map(|child| child.wait_with_output().unwrap()).collect()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// What `--json` says, without what depends on the machine and on the engine.
fn report(output: &Output) -> serde_json::Value {
    let mut report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|e| {
        panic!("{e}: {}{}", text(&output.stdout), text(&output.stderr));
    });
    for key in ["engine", "seconds", "states_per_second", "peak_rss_bytes"] {
        report[key] = serde_json::Value::Null;
    }
    report
}

#[test]
fn processes_agree_with_the_packed_engine() {
    let cases: [(&[&str], &str); 3] = [
        (&["reads"], "valid"),
        (&["core", "--leg", "faults", "--exact"], "unknown"),
        (&["core", "--mutant", "M3"], "invalid"),
    ];
    for (arguments, verdict) in cases {
        let arguments = [arguments, &["--json"]].concat();
        let alone = check(&arguments).output().unwrap();
        let expected = report(&alone);
        let on = |threads: &'static str, processes: usize| {
            let folder = tempfile::tempdir().unwrap();
            let arguments = [&arguments[..], &["--threads", threads]].concat();
            for output in outputs(start(&hosts(&folder, processes), processes, &arguments)) {
                assert_eq!(report(&output), expected, "{processes} processes");
                assert_eq!(output.status.code(), alone.status.code());
                assert_eq!(text(&output.stderr), "");
            }
        };
        on("2", 1);
        on("1", 2);
        on("2", 2);
        on("1", 4);
        // A profile whose leg is explored alone has nothing to say of some properties.
        assert_eq!(expected["verdict"], verdict, "{expected}");
    }
}

#[test]
fn a_counterexample_of_two_processes_replays() {
    let folder = tempfile::tempdir().unwrap();
    let case = folder.path().join("found.case");
    let arguments = ["core", "--mutant", "M3", "--threads", "1", "--save", case.to_str().unwrap()];
    for output in outputs(start(&hosts(&folder, 2), 2, &arguments)) {
        assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
    }
    let replayed = Command::new(env!("CARGO_BIN_EXE_sextant")).arg("replay").arg(&case).output().unwrap();
    assert_eq!(replayed.status.code(), Some(0), "{}", text(&replayed.stdout));
}

#[test]
fn a_process_that_is_killed_ends_the_others_with_an_error_and_the_search_is_resumed() {
    let folder = tempfile::tempdir().unwrap();
    let kept = folder.path().join("checkpoint");
    let hosts = hosts(&folder, 3);
    let arguments = ["core", "--leg", "gossip", "--threads", "1", "--json"];
    let mut processes = start(&hosts, 3, &[&arguments[..], &["--checkpoint", kept.to_str().unwrap()]].concat());
    // In the middle of the search, for which there are 40 levels or more.
    let level = kept.join("gossip/worker-0001/level-000012.states");
    while !level.exists() {
        assert_eq!(processes.0[1].try_wait().unwrap(), None, "it has ended too early");
        std::thread::sleep(Duration::from_millis(1));
    }
    processes.0[1].kill().unwrap();
    let address = std::fs::read_to_string(&hosts).unwrap().lines().nth(1).unwrap().to_owned();
    for (process, output) in outputs(processes).into_iter().enumerate().filter(|(process, _)| *process != 1) {
        let error = text(&output.stderr);
        assert_eq!(output.status.code(), Some(3), "process {process}: {error}");
        assert!(error.starts_with("error: process "), "{error}");
        assert!(error.contains(&format!("process 1 at {address} was lost: it ended without a word")), "{error}");
        assert!(error.ends_with("; the checkpoint is whole\n"), "{error}");
        assert_eq!(error.lines().count(), 1, "{error}");
    }
    let resumed = start(&hosts, 3, &[&arguments[..], &["--resume", kept.to_str().unwrap()]].concat());
    let expected = report(&check(&arguments).output().unwrap());
    for output in outputs(resumed) {
        assert_eq!(report(&output), expected);
    }
}

#[test]
fn processes_that_are_not_started_alike_refuse_each_other() {
    let refused = |one: &[&str], other: &[&str], said: &str| {
        let folder = tempfile::tempdir().unwrap();
        let hosts = hosts(&folder, 2);
        let start = |process: &str, arguments: &[&str]| {
            let mut command = check(arguments);
            command.args(["--engine", "cluster", "--process", process, "--hosts"]).arg(&hosts);
            command.spawn().unwrap()
        };
        let both = Processes(vec![start("0", one), start("1", other)]);
        for output in outputs(both) {
            let error = text(&output.stderr);
            assert_eq!(output.status.code(), Some(3), "{error}");
            assert!(error.contains(said) && error.contains("all must be started alike"), "{error}");
        }
    };
    refused(&["reads", "--threads", "1"], &["reads", "--threads", "2"], " has so many threads: ");
    refused(&["reads", "--threads", "1"], &["reads", "--threads", "1", "--exact"], " explores ");
}

#[test]
fn what_is_wrong_with_the_hosts_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("hosts");
    let name = path.display();
    let refused = |engine: &str, process: &str| {
        let mut command = check(&["reads", "--engine", engine, "--process", process, "--hosts"]);
        let output = command.arg(&path).output().unwrap();
        assert_eq!(output.status.code(), Some(64));
        text(&output.stderr)
    };
    let missing = refused("cluster", "0");
    assert_eq!(missing, format!("error: cannot read {name}: No such file or directory (os error 2)\n"));
    std::fs::write(&path, "").unwrap();
    assert_eq!(refused("cluster", "0"), format!("error: {name}:1: there is no host: write one host:port a line\n"));
    std::fs::write(&path, "127.0.0.1:4000\n127.0.0.1\n").unwrap();
    assert_eq!(refused("cluster", "0"), format!("error: {name}:2: \"127.0.0.1\" is no host:port\n"));
    std::fs::write(&path, "127.0.0.1:4000\n127.0.0.1:4001\n").unwrap();
    let range = "process 2 is out of range: there are 2 hosts, from 0 to 1";
    assert_eq!(refused("cluster", "2"), format!("error: {name}:2: {range}\n"));
    let engine = refused("packed", "0");
    assert_eq!(engine, "error: --hosts and --process are for --engine cluster, not packed\n");
    for incomplete in
        [&["reads", "--engine", "cluster", "--process", "0"][..], &["reads", "--memory", "1GiB", "--engine", "cluster"]]
    {
        assert_eq!(check(incomplete).output().unwrap().status.code(), Some(64));
    }
}

#[test]
fn an_address_that_is_taken_is_an_error_of_the_harness() {
    let folder = tempfile::tempdir().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let path = folder.path().join("hosts");
    std::fs::write(&path, format!("{}\n", taken.local_addr().unwrap())).unwrap();
    let mut command = check(&["reads", "--engine", "cluster", "--process", "0", "--hosts"]);
    let output = command.arg(&path).output().unwrap();
    assert_eq!(output.status.code(), Some(3));
    let error = text(&output.stderr);
    assert!(error.starts_with(&format!("error: cannot listen at {}: ", taken.local_addr().unwrap())), "{error}");
}

#[test]
fn two_processes_in_one_talk_through_the_library() {
    let folder = tempfile::tempdir().unwrap();
    let text = std::fs::read_to_string(hosts(&folder, 2)).unwrap();
    let addresses: Vec<String> = text.lines().map(str::to_owned).collect();
    let model = TwoPhase { mistake: Mistake::CommitsEarly, ..TwoPhase::of(5) };
    let expected = told::<TwoPhase>(&whole(&model, &options(2, Store::Exact)));
    std::thread::scope(|scope| {
        for process in 0..2 {
            let (addresses, model, expected) = (addresses.clone(), &model, &expected);
            scope.spawn(move || {
                let hosts = Hosts::new(addresses, process).unwrap();
                let options = options(2, Store::Exact);
                let found = cluster::explore(model, &options, Some(&hosts), "2pc", &mut |_| {}).unwrap();
                assert_eq!(&told::<TwoPhase>(&found), expected);
            });
        }
    });
}
