//! Every smallest failing core is one: it fails with all others weakened, and no longer once any member is weakened too.
//! Held against the definition, on the whole weakened history, by a search that prunes nothing.

mod small;

use std::time::{Duration, Instant};

use sextant_histories::generate::{Config, Model as Object, Recipe, Rng, Values, Violation, generate, make};
use sextant_histories::{Call, Event, History, Kind, Reply};
use sextant_judge::linearizability::{
    AppendList, CasRegister, Core, Counter, Evidence, Finding, Limits, Model, Mutex, PriorityQueue, Queue, Register,
    Set, Stack, check, weaken_others,
};
use sextant_judge::verdict::Verdict;
use small::Blunt;

fn evidence<M: Model>(history: &History, model: &M) -> Option<Evidence> {
    match check(history, model, &Limits::default()).finding {
        Finding::Invalid(evidence) => Some(*evidence),
        Finding::Valid(_) | Finding::Unknown(_) => None,
    }
}

/// Whether the history fails with all operations but `members` weakened. A history without claims does not.
fn fails<M: Model>(history: &History, model: &M, members: &[usize]) -> bool {
    let weakened = weaken_others(history, members);
    check(&weakened, &Blunt(model), &Limits::default()).verdict() == Verdict::Invalid
}

fn is_smallest<M: Model>(history: &History, model: &M, core: &Core) {
    assert!(core.smallest, "no limit was met: {history:?}");
    assert!(core.operations.is_sorted(), "{core:?}");
    assert!(fails(history, model, &core.operations), "{core:?} does not fail in {history:?}");
    for member in &core.operations {
        let others: Vec<usize> = core.operations.iter().copied().filter(|other| other != member).collect();
        assert!(!fails(history, model, &others), "{core:?} fails without {member} in {history:?}");
    }
}

fn on_random<M: Model>(rounds: usize, model: &M) {
    let mut rng = Rng::new(7);
    let mut sizes = [0; 16];
    for _ in 0..rounds {
        let events = 4 + rng.below(16);
        let history = small::of(model.name(), &mut rng, events);
        if let Some(evidence) = evidence(&history, model) {
            is_smallest(&history, model, &evidence.core);
            assert!(!evidence.reason.is_empty() && !evidence.reason.contains('\n'), "{:?}", evidence.reason);
            sizes[evidence.core.operations.len()] += 1;
        }
    }
    println!("{}: cores by size {sizes:?}", model.name());
    assert!(sizes.iter().sum::<usize>() > rounds / 5, "{sizes:?}");
    assert!(sizes.iter().filter(|count| **count > 0).count() >= 3, "{sizes:?}");
}

#[test]
fn cores_of_registers_are_smallest() {
    on_random(5_000, &Register::default());
    on_random(5_000, &CasRegister::default());
}

#[test]
fn cores_of_collections_are_smallest() {
    on_random(3_000, &Queue);
    on_random(3_000, &Stack);
    on_random(3_000, &PriorityQueue);
    on_random(3_000, &Set);
}

#[test]
fn cores_of_other_objects_are_smallest() {
    on_random(3_000, &Mutex);
    on_random(2_000, &Counter::default());
    on_random(2_000, &AppendList);
    // Nothing is known of the model, so nothing is left out.
    on_random(2_000, &Blunt(&CasRegister::default()));
}

fn event(process: u64, kind: Kind, call: Call) -> Event {
    Event { process, kind, call, key: "x".into(), time: None }
}

/// `w1; w2; r→1` is its own core: without the first write the second could have been overwritten by it, without the
/// second nothing overwrote the first, and without the read nobody claims anything.
#[test]
fn a_stale_read_is_its_own_core() {
    let done = |process, call: Call, reply| {
        [event(process, Kind::Invoke, call.clone()), event(process, Kind::Ok(reply), call)]
    };
    let mut events = Vec::new();
    events.extend(done(0, Call::Write(1.into()), Reply::Written));
    events.extend(done(0, Call::Write(2.into()), Reply::Written));
    events.extend(done(1, Call::Read, Reply::Read(1.into())));
    let history = History::from_events(events).unwrap();
    assert_eq!(evidence(&history, &Register::default()).unwrap().core.operations, [0, 1, 2]);
}

/// A hundred thousand operations, ten clients, one violation of each kind, somewhere: the core takes little more than
/// the check, and has only operations of the violation.
#[test]
fn cores_of_long_histories_are_small_and_quick() {
    for violation in Violation::ALL {
        for values in [Values::Unique, Values::Few(5)] {
            let config = Config {
                operations: 100_000,
                clients: 8,
                cas_percent: if violation.needs_cas() { 10 } else { 0 },
                write_percent: 30,
                indeterminate: 5,
                fail_percent: 1,
                violation: Some(violation),
                values,
                ..Config::default()
            };
            let history = History::from_events(generate(&config)).unwrap();
            let start = Instant::now();
            let evidence = evidence(&history, &CasRegister::default()).unwrap();
            println!("{} {values:?}: {:?} {:?}", violation.name(), start.elapsed(), evidence.core);
            assert!(evidence.core.smallest && evidence.core.operations.len() <= 6, "{:?}", evidence.core);
            assert!(start.elapsed() < Duration::from_secs(30), "{:?}", start.elapsed());
        }
    }
}

/// Of fifty clients the neighbours of a stale read find values of which there are thousands of writes, and of two clients the check
/// of those takes more than a first effort: with neither was there a core in five seconds.
#[test]
fn a_stale_value_among_few_is_found_at_once() {
    for (clients, seed) in [(2, 1), (2, 3), (50, 3)] {
        let config = Config {
            seed,
            operations: 100_000,
            clients,
            keys: 1,
            values: Values::Few(5),
            cas_percent: 25,
            write_percent: 25,
            violation: Some(Violation::StaleRead),
            ..Config::default()
        };
        let history = History::from_events(generate(&config)).unwrap();
        let core = evidence(&history, &CasRegister::default()).unwrap().core;
        assert!(core.smallest && core.operations.len() == 3, "{clients} clients, seed {seed}: {core:?}");
        assert!(
            check(&weaken_others(&history, &core.operations), &CasRegister::default(), &Limits::default()).verdict()
                == Verdict::Invalid
        );
    }
}

/// Every release of a mutex either is a member or lets another acquire be one, so a core is long, and only counting knows
/// at once that it is smallest. Held against the algorithm that decides mutexes: all, and without each of some.
#[test]
fn a_long_core_of_a_mutex_is_known_to_be_smallest() {
    let flaws = Object::Mutex.flaws().iter().copied().map(Some);
    for (flaw, seed) in flaws.flat_map(|flaw| (0..4).map(move |seed| (flaw, seed))) {
        let recipe = Recipe {
            violation: flaw,
            seed,
            operations: 3_000,
            indeterminate: 2 * (seed as usize % 2),
            fail_percent: 5,
            ..Recipe::of(Object::Mutex)
        };
        let history = History::from_events(make(&recipe).unwrap().events).unwrap();
        let core = evidence(&history, &Mutex).expect("made invalid").core;
        let flaw = flaw.map_or("", |flaw| flaw.name);
        assert!(core.smallest, "{flaw}, seed {seed}");
        println!("{flaw}, seed {seed}: {} members", core.operations.len());
        let fails = |members: &[usize]| {
            let limits = Limits { core: Duration::ZERO, ..Limits::default() };
            check(&weaken_others(&history, members), &Mutex, &limits).verdict() == Verdict::Invalid
        };
        assert!(fails(&core.operations), "{flaw}, seed {seed}");
        for left_out in (0..core.operations.len()).step_by(29) {
            let mut others = core.operations.clone();
            let member = others.remove(left_out);
            assert!(!fails(&others), "{flaw}, seed {seed}: it fails without {member}");
        }
    }
}
