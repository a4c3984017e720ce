//! The `packed` engine against stateright's and against a plain breadth-first search: counts, verdicts, shortest traces.

#[path = "../examples/models/two_phase.rs"]
mod two_phase;

use std::collections::{HashSet, VecDeque};
use std::fmt::Debug;
use std::hash::Hash;

use sextant::explore::packed::{Broken, Deadlock, End, Options, Outcome, Packed, Reader, Stop, Store, Writer, explore};
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
