//! The online checker says event by event what the checker of whole histories says of each prefix.

mod small;

use std::time::Instant;

use sextant_histories::generate::{Config, Rng, Values, Violation, generate};
use sextant_histories::{Call, Event, History, Kind, Misuse, Reply};
use sextant_judge::linearizability::online::{Checker, Gap, Status};
use sextant_judge::linearizability::{
    AppendList, CasRegister, Counter, Finding, KeyValue, Limits, Model, Mutex, Prefix, PriorityQueue, Queue, Register,
    Set, Stack, check,
};
use sextant_judge::verdict::Verdict;
use small::Blunt;

const CONFIGURATIONS: usize = 1_000_000;

/// How many events it takes to be invalid, found at once and found later.
fn first_invalid<M: Model>(history: &History, model: &M) -> Option<usize> {
    let at_once = found_at_once(history, model);
    for every in [2, 7, 64] {
        let mut checker = Checker::new(model, CONFIGURATIONS).looking_every(every);
        let events = history.to_events();
        let looked_late = events.iter().any(|event| {
            let status = checker.push(event).unwrap();
            assert!(!matches!(status, Status::Unknown(_)), "{status:?}");
            matches!(status, Status::Invalid { .. })
        });
        let later = match checker.look() {
            Status::Invalid { event, .. } => Some(event + 1),
            _ => None,
        };
        assert_eq!(later, at_once, "looking every {every} events, {looked_late}: {history:?}");
        assert_eq!(checker.violation(), at_once.map(|count| &events[count - 1]));
    }
    at_once
}

fn found_at_once<M: Model>(history: &History, model: &M) -> Option<usize> {
    let mut checker = Checker::new(model, CONFIGURATIONS);
    for (number, event) in history.to_events().iter().enumerate() {
        match checker.push(event).unwrap() {
            Status::Valid => {}
            Status::Invalid { event, .. } => {
                assert_eq!(*event, number, "said late");
                return Some(number + 1);
            }
            Status::Unknown(gap) => panic!("{gap}"),
        }
    }
    None
}

fn on_random<M: Model>(rounds: usize, model: &M) {
    let mut rng = Rng::new(3);
    let mut invalid = 0;
    for _ in 0..rounds {
        let events = 2 + rng.below(20);
        let history = small::of(model.name(), &mut rng, events);
        let expected = match check(&history, &Blunt(model), &Limits::default()).finding {
            Finding::Invalid(evidence) => match evidence.prefix {
                Prefix::Shortest(events) => Some(events),
                Prefix::AtMost(_) => panic!("no limit was met"),
            },
            Finding::Valid(_) | Finding::Unknown(_) => None,
        };
        assert_eq!(first_invalid(&history, model), expected, "{history:?}");
        invalid += usize::from(expected.is_some());
    }
    println!("{}: {invalid} of {rounds} invalid", model.name());
    assert!(invalid > rounds / 20 && invalid < rounds, "{invalid}");
}

#[test]
fn it_finds_the_first_event_that_cannot_be() {
    on_random(8_000, &Register::default());
    on_random(8_000, &CasRegister::default());
    on_random(3_000, &Queue);
    on_random(3_000, &Stack);
    on_random(3_000, &PriorityQueue);
    on_random(3_000, &Set);
    on_random(3_000, &Mutex);
    on_random(2_000, &Counter::default());
    on_random(2_000, &AppendList);
    on_random(4_000, &KeyValue::default());
}

fn long(violation: Option<Violation>, operations: usize) -> Config {
    Config {
        operations,
        clients: 8,
        keys: 3,
        values: Values::Unique,
        write_percent: 40,
        cas_percent: 10,
        indeterminate: 5,
        fail_percent: 3,
        violation,
        ..Config::default()
    }
}

/// Distinct values, a hundred thousand operations: what is held does not grow with them.
#[test]
fn memory_is_bounded_by_concurrency() {
    let start = Instant::now();
    let held = |operations: usize| {
        let model = CasRegister::default();
        let mut checker = Checker::new(&model, CONFIGURATIONS);
        let mut most = 0;
        for event in generate(&long(None, operations)) {
            assert_eq!(checker.push(&event), Ok(&Status::Valid));
            most = most.max(checker.held());
        }
        assert_eq!(checker.verdict(), Verdict::Valid);
        most
    };
    let (short, long) = (held(20_000), held(100_000));
    println!("held at most {short} of 20,000 operations, {long} of 100,000, in {:?}", start.elapsed());
    assert!(long < 2 * short, "{short} and {long}");
}

#[test]
fn violations_in_long_histories_are_found_where_they_are() {
    for violation in Violation::ALL {
        let history = History::from_events(generate(&long(Some(violation), 5_000))).unwrap();
        let Finding::Invalid(evidence) = check(&history, &CasRegister::default(), &Limits::default()).finding else {
            panic!("{}", violation.name());
        };
        let found = first_invalid(&history, &CasRegister::default());
        assert_eq!(found, Some(evidence.prefix.events()), "{}", violation.name());
    }
}

/// Fifty clients on one register: what is held depends on how many operations are open, and not exponentially.
#[test]
fn many_clients_of_one_register() {
    let model = CasRegister::default();
    for (values, cas_percent) in [(Values::Unique, 0), (Values::Few(5), 0), (Values::Unique, 20), (Values::Few(5), 20)]
    {
        let config = Config { operations: 5_000, clients: 50, keys: 1, values, cas_percent, ..Config::default() };
        let config = Config { write_percent: 50 - cas_percent, indeterminate: 5, ..config };
        let start = Instant::now();
        let mut checker = Checker::new(&model, CONFIGURATIONS).looking_every(64);
        let mut most = 0;
        for event in generate(&config) {
            assert_eq!(checker.push(&event), Ok(&Status::Valid), "{values:?}, {cas_percent} % cas");
            most = most.max(checker.held());
        }
        assert_eq!(*checker.look(), Status::Valid, "{values:?}, {cas_percent} % cas");
        println!("{values:?}, {cas_percent} % cas: held at most {most}, {:?}", start.elapsed());
        assert!(most < 40_000, "{most}");
        let config = Config { operations: 300, violation: Some(Violation::StaleRead), ..config };
        let history = History::from_events(generate(&config)).unwrap();
        let Finding::Invalid(evidence) = check(&history, &model, &Limits::default()).finding else { panic!("valid") };
        assert_eq!(first_invalid(&history, &model), Some(evidence.prefix.events()), "{values:?}, {cas_percent} % cas");
    }
}

/// Model by model, what is said to overwrite is possible in every state, and leaves the same.
fn overwrites_truly<M: Model>(model: &M, calls: &[Call]) -> usize {
    let mut states = vec![model.initial()];
    for _ in 0..3 {
        let next: Vec<M::State> =
            states.iter().flat_map(|state| calls.iter().filter_map(|call| model.step(state, call, None))).collect();
        next.into_iter().for_each(|state| {
            if !states.contains(&state) {
                states.push(state);
            }
        });
    }
    assert!(states.len() > 2, "{}", model.name());
    let writes = calls.iter().filter(|call| model.overwrites(call));
    writes
        .map(|call| {
            let left: Vec<_> = states.iter().map(|state| model.step(state, call, Some(&Reply::Written))).collect();
            assert!(left[0].is_some() && left.iter().all(|state| *state == left[0]), "{} {call}", model.name());
        })
        .count()
}

#[test]
fn what_overwrites_does_so_in_every_state() {
    let cas = |old: i64, new: i64| Call::Cas { old: old.into(), new: new.into() };
    let writes = [1, 2].map(|value| Call::Write(value.into()));
    let calls = [&writes[..], &[Call::Read, cas(1, 2), cas(2, 3)]].concat();
    assert_eq!(overwrites_truly(&Register::default(), &calls), 2);
    assert_eq!(overwrites_truly(&CasRegister::default(), &calls), 2);
    let texts = ["a", "b"].map(|text| Call::Write(text.into()));
    let calls = [&texts[..], &[Call::Read, Call::Append("c".into())]].concat();
    assert_eq!(overwrites_truly(&KeyValue::default(), &calls), 2);
    assert_eq!(overwrites_truly(&Queue, &[1, 2].map(|value| Call::Enqueue(value.into()))), 0);
}

fn event(process: u64, kind: Kind, call: Call) -> Event {
    Event { process, kind, call, key: "x".into(), time: None }
}

#[test]
fn what_cannot_follow_is_refused_and_changes_nothing() {
    let model = Register::default();
    let mut checker = Checker::new(&model, CONFIGURATIONS);
    let write = |kind| event(1, kind, Call::Write(1.into()));
    assert_eq!(checker.push(&write(Kind::Fail)), Err(Misuse::NotInvoked { process: 1 }));
    assert_eq!(checker.push(&write(Kind::Invoke)), Ok(&Status::Valid));
    assert_eq!(checker.push(&write(Kind::Invoke)), Err(Misuse::DoubleInvocation { process: 1 }));
    let other = event(1, Kind::Ok(Reply::Written), Call::Write(2.into()));
    assert_eq!(checker.push(&other), Err(Misuse::Disagrees { process: 1, field: "value" }));
    assert_eq!(checker.push(&write(Kind::Ok(Reply::Done))), Err(Misuse::WrongReply { process: 1 }));
    assert_eq!(checker.verdict(), Verdict::Unknown, "nobody claimed anything");
    assert_eq!(checker.push(&write(Kind::Info)), Ok(&Status::Valid));
    assert_eq!(checker.push(&write(Kind::Invoke)), Err(Misuse::AfterInfo { process: 1 }));
    assert_eq!(checker.events(), 2);
}

/// A read that never answers keeps nobody waiting; one that answers after all that leaves a gap, and a violation is still
/// found.
#[test]
fn an_operation_that_hangs_is_given_up() {
    let model = Register::default();
    let mut checker = Checker::new(&model, CONFIGURATIONS);
    checker.push(&event(9, Kind::Invoke, Call::Read)).unwrap();
    let mut most = 0;
    for value in 0..30_000 {
        let call = Call::Write(value.into());
        checker.push(&event(1, Kind::Invoke, call.clone())).unwrap();
        assert_eq!(checker.push(&event(1, Kind::Ok(Reply::Written), call)), Ok(&Status::Valid));
        most = most.max(checker.held());
    }
    assert!(most < 80_000, "{most}");
    let late = event(9, Kind::Ok(Reply::Read(5.into())), Call::Read);
    assert_eq!(checker.push(&late), Ok(&Status::Unknown(Gap::Late { process: 9, event: 60_001 })));
    checker.push(&event(9, Kind::Invoke, Call::Read)).unwrap();
    let status = checker.push(&event(9, Kind::Ok(Reply::Read(5.into())), Call::Read)).unwrap();
    assert_eq!(*status, Status::Invalid { event: 60_003, key: "x".into() });
}

#[test]
fn limits_end_in_unknown() {
    let mut checker = Checker::new(&Queue, 100);
    let elements =
        |kind: Kind| (0..20).map(move |process| event(process, kind.clone(), Call::Enqueue((process as i64).into())));
    for event in elements(Kind::Invoke).chain(elements(Kind::Ok(Reply::Done))) {
        checker.push(&event).unwrap();
    }
    assert!(matches!(checker.status(), Status::Unknown(Gap::Configurations { .. })), "{:?}", checker.status());
    assert_eq!(checker.verdict(), Verdict::Unknown);
    // Looking once in a while, it gives up with the same event, and what cannot be before that event is still found.
    let mut late = Checker::new(&Queue, 100).looking_every(64);
    for event in elements(Kind::Invoke).chain(elements(Kind::Ok(Reply::Done))) {
        late.push(&event).unwrap();
    }
    assert_eq!(late.look(), checker.status());
    let wrong = [Kind::Invoke, Kind::Ok(Reply::Returned(7.into()))].map(|kind| event(99, kind, Call::Dequeue));
    for every in [1, 64] {
        let mut late = Checker::new(&Queue, 100).looking_every(every);
        for event in wrong.iter().cloned().chain(elements(Kind::Invoke)).chain(elements(Kind::Ok(Reply::Done))) {
            late.push(&event).unwrap();
        }
        assert_eq!(*late.look(), Status::Invalid { event: 1, key: "x".into() }, "looking every {every}");
    }
    let model = Register::default();
    let mut checker = Checker::new(&model, 100);
    checker.push(&event(1, Kind::Invoke, Call::Pop)).unwrap();
    assert_eq!(*checker.status(), Status::Unknown(Gap::Unsupported { call: "pop".into(), event: 0 }));
}
