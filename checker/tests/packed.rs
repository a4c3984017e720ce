//! The `packed` engine against stateright's and against a plain breadth-first search: counts, verdicts, shortest traces.

#[path = "../examples/models/paxos.rs"]
mod paxos;
#[path = "../benches/models/quorum.rs"]
mod quorum;
#[path = "../examples/models/register.rs"]
mod register;
#[path = "../examples/models/two_phase.rs"]
mod two_phase;

use std::collections::{HashSet, VecDeque};
use std::fmt::Debug;
use std::hash::Hash;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use sextant::explore::packed::{
    Begin, Broken, Checkpoint, Deadlock, End, Options, Outcome, Packed, Reader, Stop, Store, Writer, explore,
};
use sextant_model::bounds::Bounds;
use sextant_model::closed::Core;
use sextant_model::mutants::MUTANTS;
use sextant_model::profiles::PROFILES;
use sextant_model::rules::Rules;
use stateright::{Checker, Expectation, HasDiscoveries, Model};
use two_phase::{LABELS, Mistake, TwoPhase};

type Found<M> = Outcome<<M as Model>::State, <M as Model>::Action>;

fn found<M: Packed + Sync>(model: &M, options: &Options<M::Action>) -> Found<M> {
    explore(model, options, &mut |_| {}).expect("the engine does not fail")
}

fn options<A>(threads: usize, store: Store) -> Options<A> {
    Options { threads, store, ..Options::default() }
}

/// Unique states, generated states and actions to the deepest, as stateright's breadth-first search counts them.
fn counted<M>(model: M) -> (u64, u64, usize)
where
    M: Model + Send + Sync + 'static,
    M::State: Clone + Debug + Hash + PartialEq + Send + Sync,
    M::Action: Clone + Debug + PartialEq + Send + Sync,
{
    let checker = model.checker().threads(1).finish_when(HasDiscoveries::AnyFailures).spawn_bfs().join();
    (checker.unique_state_count() as u64, checker.state_count() as u64, checker.max_depth() - 1)
}

/// Actions to the nearest state that an `always` property does not hold in, by the plainest search there is; every state on
/// the way survives being packed.
fn plain<M>(model: &M) -> Option<usize>
where
    M: Packed,
    M::State: Clone + Debug + Eq + Hash,
{
    let always: Vec<_> =
        model.properties().into_iter().filter(|p| p.expectation == Expectation::Always).map(|p| p.condition).collect();
    let mut words = vec![0; model.bits().div_ceil(64) as usize];
    let mut seen: HashSet<M::State> = HashSet::new();
    let mut queue: VecDeque<(M::State, usize)> = model.init_states().into_iter().map(|s| (s, 0)).collect();
    while let Some((state, depth)) = queue.pop_front() {
        let mut writer = Writer::new(&mut words);
        model.pack(&state, &mut writer);
        assert!(writer.position() <= model.bits());
        writer.finish();
        assert_eq!(model.unpack(&mut Reader::new(&words)), state, "a packed state is another one");
        if always.iter().any(|holds| !holds(model, &state)) {
            return Some(depth);
        }
        let mut actions = Vec::new();
        model.actions(&state, &mut actions);
        for next in actions.into_iter().filter_map(|action| model.next_state(&state, action)) {
            if seen.insert(next.clone()) {
                queue.push_back((next, depth + 1));
            }
        }
    }
    None
}

fn assert_replays<M: Packed>(model: &M, found: &Found<M>)
where
    M::State: Clone + Debug + PartialEq,
    M::Action: Clone,
{
    for violation in &found.violations {
        let mut state = violation.trace.first.clone();
        assert!(model.init_states().contains(&state));
        for (action, next) in &violation.trace.steps {
            state = model.next_state(&state, action.clone()).expect("each action of a trace is possible");
            assert_eq!(&state, next);
        }
        if let Broken::Always(name) = violation.broken {
            assert!(!(model.property(name).condition)(model, &state), "{name} holds in the last state");
        }
    }
}

#[test]
fn two_phase_commit_counts_agree_with_stateright_whatever_threads_and_store() {
    let expected = counted(TwoPhase::of(7));
    assert_eq!(expected.0, 296_448);
    for (threads, store) in [(1, Store::Fingerprints), (3, Store::Fingerprints), (1, Store::Exact), (2, Store::Exact)] {
        let options = Options { labels: Some(LABELS), ..options(threads, store) };
        let found = found(&TwoPhase::of(7), &options);
        assert_eq!((found.unique_states, found.generated_states, found.depth), expected);
        assert_eq!((found.end, found.violations.len(), found.unwitnessed.len()), (End::Complete, 0, 0));
        assert_eq!(found.levels.iter().sum::<u64>(), found.unique_states);
        assert_eq!(found.actions.iter().map(|(_, n)| n).sum::<u64>() + 1, found.generated_states);
        assert_eq!(found.expected_collisions, 0.0, "five bytes do not collide");
    }
}

#[test]
fn a_violation_comes_back_with_the_same_shortest_trace_every_time() {
    let model = TwoPhase { mistake: Mistake::CommitsEarly, ..TwoPhase::of(5) };
    let shortest = plain(&model).expect("the mistake breaks something");
    let mut traces = Vec::new();
    for (threads, kept_bytes) in [(1, 1 << 20), (4, 1 << 20), (3, 0)] {
        for store in [Store::Fingerprints, Store::Exact] {
            let options = Options { kept_bytes, labels: Some(LABELS), ..options(threads, store) };
            let found = found(&model, &options);
            assert_replays(&model, &found);
            assert_eq!(found.end, End::Violated);
            assert_eq!(found.violations[0].broken, Broken::Always("consistent"));
            assert_eq!(found.violations[0].trace.steps.len(), shortest);
            traces.push((format!("{:?}", found.violations[0].trace), found.unique_states, found.generated_states));
        }
    }
    assert!(traces.windows(2).all(|pair| pair[0] == pair[1]), "{traces:#?}");
}

#[test]
fn a_search_that_goes_on_reports_each_property_and_counts_every_state() {
    let model = TwoPhase { mistake: Mistake::CommitsEarly, ..TwoPhase::of(4) };
    let at_end = Options { stop: Stop::AtEnd, deadlock: Deadlock::Violation, ..options(2, Store::Exact) };
    let found = found(&model, &at_end);
    assert_replays(&model, &found);
    assert_eq!(found.end, End::Complete);
    // Stateright would stop at the violation, so it is given no property to look at.
    #[derive(Clone)]
    struct Unjudged(TwoPhase);
    impl Model for Unjudged {
        type State = two_phase::State;
        type Action = two_phase::Action;
        fn init_states(&self) -> Vec<Self::State> {
            self.0.init_states()
        }
        fn actions(&self, state: &Self::State, actions: &mut Vec<Self::Action>) {
            self.0.actions(state, actions);
        }
        fn next_state(&self, state: &Self::State, action: Self::Action) -> Option<Self::State> {
            self.0.next_state(state, action)
        }
        fn properties(&self) -> Vec<stateright::Property<Self>> {
            vec![stateright::Property::always("nothing", |_, _| true)]
        }
    }
    assert_eq!((found.unique_states, found.generated_states, found.depth), counted(Unjudged(model)));
    let broken: Vec<_> = found.violations.iter().map(|v| v.broken.clone()).collect();
    // Messages are heard again and again, so nothing ever deadlocks here.
    assert_eq!(broken, [Broken::Always("consistent")]);
}

#[test]
fn a_panic_is_a_violation_with_its_trace() {
    let model = TwoPhase { mistake: Mistake::Panics, ..TwoPhase::of(3) };
    for store in [Store::Fingerprints, Store::Exact] {
        let found = found(&model, &options(2, store));
        assert_eq!(found.end, End::Violated);
        assert_eq!(found.violations[0].broken, Broken::Panic("this transaction manager cannot commit".into()));
        // All three prepare and are heard; the next action would be to commit.
        assert_eq!(found.violations[0].trace.steps.len(), 6);
    }
}

/// A counter that stops at a limit, within a boundary.
#[derive(Clone, Debug)]
struct Count {
    limit: u64,
    boundary: u64,
}

sextant::packed_model!(Count);

impl Model for Count {
    type State = u64;
    type Action = u64;

    fn init_states(&self) -> Vec<u64> {
        vec![0, 1, 1_000_000]
    }

    fn actions(&self, state: &u64, actions: &mut Vec<u64>) {
        if *state < self.limit {
            actions.extend([1, 2]);
        }
    }

    fn next_state(&self, state: &u64, action: u64) -> Option<u64> {
        Some(state + action)
    }

    fn properties(&self) -> Vec<stateright::Property<Self>> {
        vec![
            stateright::Property::always("within the boundary", |model: &Count, state| *state <= model.boundary),
            stateright::Property::sometimes("reaches 50", |_, state| *state == 50),
        ]
    }

    fn within_boundary(&self, state: &u64) -> bool {
        *state <= self.boundary
    }
}

#[test]
fn states_beyond_the_boundary_are_neither_counted_nor_judged() {
    for (limit, boundary) in [(100, 1000), (100, 60), (100, 40)] {
        let model = Count { limit, boundary };
        let found = found(&model, &options(2, Store::Fingerprints));
        assert_eq!((found.unique_states, found.generated_states, found.depth), counted(model));
        assert_eq!(found.unwitnessed, if boundary < 50 { vec!["reaches 50"] } else { vec![] });
        assert_eq!(found.violations.len(), 0);
    }
}

#[test]
fn a_deadlock_is_found_where_it_counts_as_one() {
    let model = Count { limit: 100, boundary: 1000 };
    let deadlock = Options { deadlock: Deadlock::Violation, ..options(2, Store::Exact) };
    let found = found(&model, &deadlock);
    assert_eq!(found.violations[0].broken, Broken::Deadlock);
    assert_eq!((*found.violations[0].trace.last(), found.violations[0].trace.steps.len()), (100, 50));
    assert_replays(&model, &found);
}

#[test]
fn quick_profiles_agree_with_stateright() {
    for leg in PROFILES.iter().flat_map(|p| p.quick).filter(|leg| leg.states < 1_000_000) {
        let core = || Core::new(Rules::adopted(), leg.bounds);
        let expected = counted(core());
        assert_eq!((expected.0, expected.2), (leg.states as u64, leg.depth), "{}", leg.name);
        let both = [(2, Store::Fingerprints), (1, Store::Exact)].map(|(threads, store)| {
            let found = found(&core(), &options(threads, store));
            assert_eq!((found.unique_states, found.generated_states, found.depth), expected, "{}", leg.name);
            assert_eq!((found.end, found.violations.len()), (End::Complete, 0));
            found.unwitnessed
        });
        assert_eq!(both[0], both[1], "{}", leg.name);
    }
}

#[test]
fn mutants_are_caught_by_traces_as_short_as_a_plain_search_finds() {
    let mut compared = 0;
    for mutant in MUTANTS.iter().filter(|m| m.bounds.recoveries == 1) {
        for property in mutant.breaks {
            let model = Core::new(mutant.rules, mutant.bounds).only(property);
            let found = found(&model, &options(2, Store::Exact));
            assert_replays(&model, &found);
            let length = found.violations.first().map(|v| v.trace.steps.len());
            assert_eq!(length, plain(&model), "{} {property}", mutant.id);
            compared += 1;
        }
    }
    assert!(compared > 15, "{compared}");
}

/// Every rule book and every switch of the bounds has room for its states.
#[test]
fn every_mutant_and_every_bound_packs() {
    let small = Bounds::of(1, 1);
    let wide = [
        small.gossiping().with_late_answers(),
        small.remembering(),
        small.unreduced().crashing(1).wiping(1),
        small.with_idle_writers().with_late_fences(),
        small.reading(1).with_early_rounds().gossiping(),
        Bounds::of(2, 1),
        Bounds::of(1, 2).with_late_answers(),
    ];
    for rules in std::iter::once(Rules::adopted()).chain(MUTANTS.iter().map(|m| m.rules)) {
        for bounds in wide {
            let model = Core::new(rules, bounds);
            first_states(&model, 250);
        }
    }
}

/// Packs and unpacks the first `most` states of a breadth-first search, and the first of a depth-first one.
fn first_states(model: &Core, most: usize) {
    let mut words = vec![0; model.packed_bits().div_ceil(64) as usize];
    for take in [VecDeque::pop_front, VecDeque::pop_back] {
        let mut seen = HashSet::new();
        let mut queue = VecDeque::from(model.init_states());
        while let Some(state) = take(&mut queue).filter(|_| seen.len() < most) {
            let mut writer = Writer::new(&mut words);
            Packed::pack(model, &state, &mut writer);
            assert_eq!(writer.position(), model.packed_bits(), "every state takes the same number of bits");
            writer.finish();
            assert_eq!(Packed::unpack(model, &mut Reader::new(&words)), state);
            for action in model.enabled(&state) {
                let next = model.next(&state, action).expect("it is enabled");
                if seen.insert(next.clone()) {
                    queue.push_back(next);
                }
            }
        }
    }
}

/// Counts and verdict of a right model as stateright has them; of a wrong one the length of a shortest trace.
fn agrees<M>(right: M, wrong: M, property: &'static str)
where
    M: Packed + Clone + Debug + Send + Sync + 'static,
    M::State: Clone + Debug + Eq + Hash + Send + Sync,
    M::Action: Clone + Debug + PartialEq + Send + Sync,
{
    let expected = counted(right.clone());
    for (threads, store) in [(2, Store::Fingerprints), (1, Store::Exact)] {
        let found = found(&right, &options(threads, store));
        assert_eq!((found.unique_states, found.generated_states, found.depth), expected, "{right:?}");
        assert_eq!((found.end, found.violations.len()), (End::Complete, 0), "{right:?}");
        assert_eq!(found.unwitnessed, [""; 0], "{right:?}");
    }
    assert_eq!(plain(&right), None);
    let found = found(&wrong, &options(2, Store::Exact));
    assert_replays(&wrong, &found);
    assert_eq!(found.violations[0].broken, Broken::Always(property));
    assert_eq!(Some(found.violations[0].trace.steps.len()), plain(&wrong), "{wrong:?}");
}

#[test]
fn paxos_agrees_with_stateright() {
    use paxos::{Mistake, Paxos};
    let wrong = Paxos { ballots: 2, mistake: Mistake::IgnoresPromises };
    agrees(Paxos { ballots: 2, mistake: Mistake::None }, wrong, "one value is chosen");
}

#[test]
fn the_register_agrees_with_stateright() {
    use register::{Mistake, Register};
    let wrong = Register { writes: 1, mistake: Mistake::NoWriteBack };
    agrees(Register { writes: 2, mistake: Mistake::None }, wrong, "linearizable");
}

#[test]
fn the_quorum_log_agrees_with_stateright() {
    let right = quorum::QuorumLog::of(1, 1);
    agrees(right, quorum::QuorumLog { reads: 2, ..right }, "commits are kept");
}

// --- memory and checkpoints ------------------------------------------------------------------------------------------

/// What the child process explores: 1,745,408 states.
const MANAGERS: u8 = 8;
const STATES: u64 = 1_745_408;

/// Not a test by itself: the search that other tests start as a process, to limit it or to kill it.
#[test]
fn child() {
    let Ok(arguments) = std::env::var("SEXTANT_TEST_CHILD") else { return };
    let arguments: Vec<&str> = arguments.split('|').collect();
    let [folder, mebibytes, store, managers] = arguments[..] else { panic!("{arguments:?}") };
    let checkpoint = (!folder.is_empty()).then(|| Checkpoint {
        folder: folder.into(),
        identity: "two-phase commit".into(),
        begin: Begin::Resume,
    });
    let options = Options {
        memory: mebibytes.parse().ok().map(|n: u64| n << 20),
        checkpoint,
        labels: Some(LABELS),
        ..options(2, if store == "exact" { Store::Exact } else { Store::Fingerprints })
    };
    let found = explore(&TwoPhase::of(managers.parse().unwrap()), &options, &mut |_| {}).unwrap();
    let disk = found.disk_bytes;
    let peak = sextant::explore::peak_rss_bytes() >> 20;
    let actions: u64 = found.actions.iter().map(|(_, n)| n).sum();
    println!(
        "\nRESULT {:?} {} {} {} {actions} {} disk {disk} peak {peak}",
        found.end,
        found.unique_states,
        found.generated_states,
        found.depth,
        found.unwitnessed.len()
    );
}

fn start(folder: &str, mebibytes: &str, store: &str) -> Child {
    start_with(folder, mebibytes, store, MANAGERS)
}

fn start_with(folder: &str, mebibytes: &str, store: &str, managers: u8) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child", "--nocapture"])
        .env("SEXTANT_TEST_CHILD", format!("{folder}|{mebibytes}|{store}|{managers}"))
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// Verdict and counts, then bytes on disk and MiB of memory at the peak.
fn result(child: Child) -> (String, u64, u64) {
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix("RESULT ")).unwrap_or_else(|| panic!("{text}"));
    let (counts, rest) = line.split_once(" disk ").unwrap();
    let (disk, peak) = rest.split_once(" peak ").unwrap();
    (counts.into(), disk.parse().unwrap(), peak.parse().unwrap())
}

/// The same search with all the memory it wants, and never killed.
fn whole() -> String {
    let (counts, disk, _) = result(start("", "", "fingerprints"));
    assert!(counts.starts_with(&format!("Complete {STATES} ")) && disk == 0, "{counts}");
    counts
}

#[test]
fn a_search_in_little_memory_spills_and_counts_the_same() {
    let whole = whole();
    for (store, mebibytes) in [("fingerprints", "20"), ("exact", "16")] {
        let (counts, disk, peak) = result(start("", mebibytes, store));
        assert_eq!(counts, whole, "{store}");
        assert!(disk > 1 << 20, "{store}: only {disk} bytes were written: nothing was spilled");
        assert!(peak <= mebibytes.parse::<u64>().unwrap() + 2, "{store}: {peak} MiB at the peak");
    }
}

#[test]
fn too_little_memory_is_an_error_that_says_how_much_is_needed() {
    let options = Options { memory: Some(1 << 20), ..options(1, Store::Exact) };
    let error = explore(&TwoPhase::of(3), &options, &mut |_| {}).unwrap_err().to_string();
    assert!(error.starts_with("1 MiB are too few for this search: it needs "), "{error}");
}

#[test]
fn a_search_that_is_killed_again_and_again_ends_with_the_same_counts() {
    let mut seed = 0x1234_5678_9abc_def1u64;
    let began = Instant::now();
    let whole = whole();
    // On a fast machine a search is soon over, and none may be over before it was killed twice.
    let length = began.elapsed().as_millis() as u64;
    for (store, mebibytes) in [("exact", ""), ("fingerprints", "20")] {
        let mut kills = 0;
        while kills < 2 {
            let folder = tempfile::tempdir().unwrap();
            let counts = loop {
                let mut child = start(folder.path().to_str().unwrap(), mebibytes, store);
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                // Some are killed in their first milliseconds; once there were ten kills, they may run to their end.
                let patience = if kills < 10 { 1 + (seed >> 33) % length.max(1) } else { u64::MAX };
                let began = Instant::now();
                while child.try_wait().unwrap().is_none() && (began.elapsed().as_millis() as u64) < patience {
                    std::thread::sleep(Duration::from_millis(1));
                }
                if child.try_wait().unwrap().is_some() {
                    break result(child).0;
                }
                child.kill().unwrap();
                child.wait().unwrap();
                kills += 1;
            };
            assert_eq!(counts, whole, "{store}, after {kills} kills");
        }
    }
}

/// Two-phase commit with nine resource managers, killed twenty times, each time at a random moment of a run of its own.
#[test]
#[ignore = "takes minutes: `cargo test --release -p sextant --test packed -- --ignored`"]
fn each_of_twenty_searches_of_ten_million_states_that_are_killed_ends_with_the_same_counts() {
    let began = Instant::now();
    let (whole, ..) = result(start_with("", "", "fingerprints", 9));
    assert!(whole.starts_with("Complete 10340352 "), "{whole}");
    let length = began.elapsed().as_millis() as u64;
    let mut seed = 0x9e37_79b9_7f4a_7c15u64;
    let mut bitten = 0;
    for round in 0..20 {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().to_str().unwrap();
        let mut child = start_with(path, "", "fingerprints", 9);
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        std::thread::sleep(Duration::from_millis((seed >> 33) % length));
        bitten += u32::from(child.try_wait().unwrap().is_none());
        child.kill().unwrap();
        child.wait().unwrap();
        let levels = std::fs::read_dir(path).unwrap().count();
        assert_eq!(result(start_with(path, "", "fingerprints", 9)).0, whole, "round {round}");
        println!("round {round}: killed with {levels} files written, {:.0?} since the begin", began.elapsed());
    }
    assert!(bitten >= 15, "only {bitten} were still running when they were killed");
}

fn checkpointed(folder: &Path, begin: Begin) -> Options<two_phase::Action> {
    let checkpoint = Checkpoint { folder: folder.into(), identity: "two-phase commit".into(), begin };
    Options { checkpoint: Some(checkpoint), ..options(2, Store::Exact) }
}

#[test]
fn a_full_disk_stops_the_search_and_leaves_the_checkpoint_whole() {
    let folder = tempfile::tempdir().unwrap();
    let full = folder.path().join("level-000006.states");
    std::os::unix::fs::symlink("/dev/full", &full).unwrap();
    let model = TwoPhase::of(6);
    let stopped = found(&model, &checkpointed(folder.path(), Begin::Fresh));
    let End::Stopped(reason) = &stopped.end else { panic!("{:?}", stopped.end) };
    assert!(reason.contains("level-000006.states: No space left on device"), "{reason}");
    assert!(reason.contains("the checkpoint is whole; judged are the "), "{reason}");
    assert_eq!(stopped.depth, 5);
    std::fs::remove_file(&full).unwrap();
    let resumed = found(&model, &checkpointed(folder.path(), Begin::Resume));
    let whole = found(&model, &options(1, Store::Exact));
    let counts = |f: &Found<TwoPhase>| (f.end.clone(), f.levels.clone(), f.generated_states, f.unwitnessed.clone());
    assert_eq!(counts(&resumed), counts(&whole));
}

#[test]
fn a_checkpoint_of_something_else_or_a_damaged_one_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    found(&TwoPhase::of(5), &checkpointed(folder.path(), Begin::Fresh));
    let refused = |options: &Options<two_phase::Action>| {
        explore(&TwoPhase::of(5), options, &mut |_| {}).expect_err("it is refused").to_string()
    };
    let error = refused(&checkpointed(folder.path(), Begin::Fresh));
    assert!(error.contains("holds a checkpoint: resume it, or name another folder"), "{error}");
    let mut other = checkpointed(folder.path(), Begin::Resume);
    other.checkpoint.as_mut().unwrap().identity = "another".into();
    let error = refused(&other);
    assert!(error.contains("it is of \"two-phase commit\", and this is \"another\""), "{error}");
    let fingerprints = Options { store: Store::Fingerprints, ..checkpointed(folder.path(), Begin::Resume) };
    assert!(refused(&fingerprints).contains("another store"));
    let level = folder.path().join("level-000007.states");
    let mut bytes = std::fs::read(&level).unwrap();
    bytes[11] ^= 4;
    std::fs::write(&level, &bytes).unwrap();
    assert!(refused(&checkpointed(folder.path(), Begin::Resume)).contains("level 7 of the checkpoint is damaged"));
    std::fs::write(&level, &bytes[..20]).unwrap();
    assert!(refused(&checkpointed(folder.path(), Begin::Resume)).contains("level-000007.states is damaged: 20 bytes"));
    std::fs::write(folder.path().join("checkpoint.json"), "{").unwrap();
    assert!(refused(&checkpointed(folder.path(), Begin::Resume)).contains("checkpoint.json is no checkpoint: EOF"));
}

#[test]
fn a_violation_is_traced_back_through_files() {
    let model = TwoPhase { mistake: Mistake::CommitsEarly, ..TwoPhase::of(6) };
    let plain = found(&model, &options(1, Store::Exact));
    let folder = tempfile::tempdir().unwrap();
    let kept = found(&model, &checkpointed(folder.path(), Begin::Fresh));
    let again = found(&model, &checkpointed(folder.path(), Begin::Resume));
    let trace = |found: &Found<TwoPhase>| format!("{:?}", found.violations);
    assert_eq!(trace(&plain), trace(&kept));
    assert_eq!(trace(&plain), trace(&again));
}
