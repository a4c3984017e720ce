//! Sequential consistency against all interleavings.

use sextant_histories::generate::{Config, Rng, Values, Violation, generate};
use sextant_histories::{Call, Event, History, Key, Kind, Operation, Outcome, Reply, Value};
use sextant_judge::consistency::{Basis, Finding, Options, Promise, check, check_sequential};
use sextant_judge::linearizability::{CasRegister, Limits, Model, Register, check as linearizable};
use sextant_judge::verdict::Verdict;

/// A last-in, first-out store, as a model that the checker knows nothing of.
struct Pile;

impl Model for Pile {
    type State = Vec<Value>;

    fn name(&self) -> &str {
        "pile"
    }

    fn initial(&self) -> Vec<Value> {
        Vec::new()
    }

    fn step(&self, state: &Vec<Value>, call: &Call, reply: Option<&Reply>) -> Option<Vec<Value>> {
        let mut state = state.clone();
        match (call, reply) {
            (Call::Push(value), None | Some(Reply::Done)) => state.push(value.clone()),
            (Call::Pop, reply) => {
                let top = state.pop().unwrap_or_default();
                if reply.is_some_and(|reply| *reply != Reply::Returned(top)) {
                    return None;
                }
            }
            _ => return None,
        }
        Some(state)
    }

    fn supports(&self, call: &Call) -> bool {
        matches!(call, Call::Push(_) | Call::Pop)
    }
}

/// Every interleaving of the processes; an indeterminate operation may be left out.
fn by_definition<M: Model>(model: &M, history: &History) -> bool {
    fn search<M: Model>(model: &M, left: &[Vec<&Operation>], states: &[(Key, M::State)]) -> bool {
        if left.iter().flatten().all(|operation| operation.outcome == Outcome::Indeterminate) {
            return true;
        }
        (0..left.len()).any(|process| {
            let Some(operation) = left[process].first() else { return false };
            let mut rest = left.to_vec();
            rest[process].remove(0);
            let key = if model.keyed() { operation.key.clone() } else { Key::None };
            let place = states.iter().position(|(other, _)| *other == key);
            let state = place.map_or_else(|| model.initial(), |place| states[place].1.clone());
            let taken = model.step(&state, &operation.call, operation.reply()).is_some_and(|after| {
                let mut states = states.to_vec();
                match place {
                    Some(place) => states[place].1 = after,
                    None => states.push((key.clone(), after)),
                }
                search(model, &rest, &states)
            });
            taken || operation.outcome == Outcome::Indeterminate && search(model, &rest, states)
        })
    }
    let mut processes: Vec<(u64, Vec<&Operation>)> = Vec::new();
    for operation in history.operations().iter().filter(|operation| operation.outcome != Outcome::Fail) {
        match processes.iter_mut().find(|(process, _)| *process == operation.process) {
            Some((_, operations)) => operations.push(operation),
            None => processes.push((operation.process, vec![operation])),
        }
    }
    let left: Vec<Vec<&Operation>> = processes.into_iter().map(|(_, operations)| operations).collect();
    search(model, &left, &[])
}

/// Holds the report against itself, and returns whether it is valid.
fn judge<M: Model>(model: &M, history: &History) -> bool {
    let report = check_sequential(history, model, &Options::default());
    match &report.finding {
        Finding::Valid(Basis::Order(order)) => {
            let mut states: Vec<(Key, M::State)> = Vec::new();
            let mut last: Vec<(u64, usize)> = Vec::new();
            for number in order {
                let operation = &history.operations()[*number];
                let key = if model.keyed() { operation.key.clone() } else { Key::None };
                let place = states.iter().position(|(other, _)| *other == key).unwrap_or_else(|| {
                    states.push((key, model.initial()));
                    states.len() - 1
                });
                let after = model.step(&states[place].1, &operation.call, operation.reply());
                states[place].1 = after.expect("the order replays");
                match last.iter_mut().find(|(process, _)| *process == operation.process) {
                    Some((_, before)) => assert!(std::mem::replace(before, *number) < *number, "process order"),
                    None => last.push((operation.process, *number)),
                }
            }
            let ended = history.operations().iter().filter(|operation| operation.reply().is_some()).count();
            assert!(order.len() >= ended, "every operation that ended is in the order");
            true
        }
        Finding::Valid(_) => true,
        Finding::Invalid(violations) => {
            assert!(!violations.is_empty() && violations.iter().all(|violation| !violation.sentences.is_empty()));
            false
        }
        Finding::Unknown(unknown) => panic!("{unknown}"),
    }
}

/// Random operations with random replies.
fn random(rng: &mut Rng, count: usize, draw: &mut dyn FnMut(&mut Rng, usize) -> (Key, Call, Reply)) -> History {
    let mut events = Vec::new();
    let mut processes: Vec<u64> = (0..3).collect();
    for number in 0..count {
        let process = rng.below(3);
        let (key, call, reply) = draw(rng, number);
        let kind = match rng.below(12) {
            0 => Kind::Fail,
            1 => Kind::Info,
            _ => Kind::Ok(reply),
        };
        let event =
            |kind| Event { process: processes[process], kind, call: call.clone(), key: key.clone(), time: None };
        let lost = kind == Kind::Info;
        events.extend([event(Kind::Invoke), event(kind)]);
        if lost {
            processes[process] = processes.iter().max().map_or(0, |highest| highest + 1);
        }
    }
    History::from_events(events).unwrap()
}

fn compare<M: Model>(model: &M, rounds: usize, seed: u64, draw: &mut dyn FnMut(&mut Rng, usize) -> (Key, Call, Reply)) {
    let mut rng = Rng::new(seed);
    let mut tally = [0, 0];
    for round in 0..rounds {
        let count = 2 + rng.below(7);
        let history = random(&mut rng, count, draw);
        if history.operations().iter().all(|operation| operation.reply().is_none()) {
            continue;
        }
        let ours = judge(model, &history);
        assert_eq!(ours, by_definition(model, &history), "round {round}: {history:?}");
        tally[usize::from(ours)] += 1;
    }
    println!("{tally:?}");
    assert!(tally.iter().all(|count| *count > rounds / 20), "{tally:?}");
}

#[test]
fn registers_agree_with_all_interleavings() {
    for values in [2, 3, 50] {
        compare(&CasRegister::default(), 4_000, values, &mut |rng, _| {
            let key = Key::Int(rng.below(2) as i64);
            let value = |rng: &mut Rng| match rng.below(values as usize) {
                0 => Value::Null,
                number => Value::Int(number as i64),
            };
            match rng.below(5) {
                0 | 1 => (key, Call::Write(value(rng)), Reply::Written),
                2 | 3 => (key, Call::Read, Reply::Read(value(rng))),
                _ => {
                    let call = Call::Cas { old: value(rng), new: value(rng) };
                    (key, call, if rng.below(2) == 0 { Reply::Swapped } else { Reply::Differed })
                }
            }
        });
    }
}

/// Every value is written once, and most of those read are written.
#[test]
fn distinct_values_agree_with_all_interleavings() {
    compare(&Register::default(), 12_000, 7, &mut |rng, number| {
        let key = Key::Int(rng.below(2) as i64);
        if rng.below(2) == 0 {
            return (key, Call::Write(Value::Int(number as i64)), Reply::Written);
        }
        let value = match rng.below(9) {
            8 => Value::Null,
            value => Value::Int(value as i64),
        };
        (key, Call::Read, Reply::Read(value))
    });
}

#[test]
fn other_objects_agree_with_all_interleavings() {
    compare(&Pile, 6_000, 8, &mut |rng, number| {
        if rng.below(2) == 0 {
            return (Key::None, Call::Push(Value::Int(number as i64)), Reply::Done);
        }
        let value = match rng.below(6) {
            0 => Value::Null,
            value => Value::Int(value as i64),
        };
        (Key::None, Call::Pop, Reply::Returned(value))
    });
}

/// What is linearizable is sequentially consistent; a stale read may be, a value from nowhere is not.
#[test]
fn large_histories_are_judged() {
    for (values, cas_percent) in [(Values::Unique, 0), (Values::Few(5), 20)] {
        for seed in 0..3 {
            let config = Config {
                seed,
                operations: 3_000,
                clients: 8,
                keys: 3,
                values,
                cas_percent,
                write_percent: 30,
                indeterminate: 5,
                ..Config::default()
            };
            let history = History::from_events(generate(&config)).unwrap();
            assert_eq!(linearizable(&history, &CasRegister::default(), &Limits::default()).verdict(), Verdict::Valid);
            assert!(judge(&CasRegister::default(), &history));
            let config = Config { violation: Some(Violation::PhantomRead), ..config };
            let history = History::from_events(generate(&config)).unwrap();
            let report = check(
                &history,
                Promise::Sequential,
                &Options { timeout: std::time::Duration::from_secs(5), ..Options::default() },
            );
            assert_ne!(report.verdict(), Verdict::Valid, "a value that nobody wrote");
        }
    }
}
