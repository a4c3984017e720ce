//! The checker against two slower ones on small histories, against the generator on large ones, and against itself:
//! every linearization replays, every shortest prefix is shortest.

mod common;

use std::num::NonZero;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use common::{Choice, definition_says, history, stateright_says};
use proptest::prelude::*;
use sextant_histories::generate::{Config, Rng, Values, Violation, generate};
use sextant_histories::{Call, History, Reply, Value};
use sextant_judge::linearizability::{
    CasRegister, Finding, Interrupt, Limit, Limits, Linearization, Model, Prefix, Register, Report, Unknown, check,
    verify,
};
use sextant_judge::verdict::Verdict;

/// Checks, and holds the finding against its own evidence. `None` if the history makes no claim.
fn judge<M: Model>(history: &History, model: &M) -> Option<bool> {
    let report = check(history, model, &Limits::default());
    match &report.finding {
        Finding::Valid(linearizations) => {
            verify(history, model, linearizations).unwrap();
            Some(true)
        }
        Finding::Invalid(evidence) => {
            let Prefix::Shortest(events) = evidence.prefix else { panic!("no limit was met") };
            let verdict = |events| check(&history.prefix(events), model, &Limits::default()).verdict();
            assert_eq!(verdict(events), Verdict::Invalid);
            assert_ne!(verdict(events - 1), Verdict::Invalid, "one event fewer");
            assert!(!evidence.reason.is_empty() && !evidence.reason.contains('\n'));
            assert!(!evidence.concurrent.contains(&evidence.operation));
            Some(false)
        }
        Finding::Unknown(Unknown::Empty | Unknown::NoClaim) => None,
        Finding::Unknown(unknown) => panic!("{unknown}"),
    }
}

fn choices(rng: &mut Rng, length: usize) -> Vec<Choice> {
    (0..length).map(|_| rng.draw().to_le_bytes()).map(|bytes| (bytes[0], bytes[1], bytes[2], bytes[3])).collect()
}

#[derive(Default)]
struct Tally {
    valid: usize,
    invalid: usize,
}

impl Tally {
    fn compare(&mut self, history: &History, ours: Option<bool>, theirs: bool) {
        match ours {
            // Nothing completed, so there is nothing that could be wrong.
            None => assert!(theirs, "{history:?}"),
            Some(ours) => {
                assert_eq!(ours, theirs, "{history:?}");
                if ours {
                    self.valid += 1;
                } else {
                    self.invalid += 1;
                }
            }
        }
    }
}

#[test]
fn agrees_with_stateright_and_the_definition_on_random_histories() {
    let mut rng = Rng::new(1);
    let mut tally = Tally::default();
    for round in 0..30_000 {
        let length = 4 + rng.below(9);
        let processes = 2 + (round % 4) as u8;
        let history = history(&choices(&mut rng, length), processes, true);
        let ours = judge(&history, &CasRegister::default());
        tally.compare(&history, ours, stateright_says(&history));
        if history.operations().len() <= 6 {
            tally.compare(&history, ours, definition_says(&history));
        }
    }
    assert!(tally.valid > 5_000 && tally.invalid > 5_000, "{} and {}", tally.valid, tally.invalid);
}

#[test]
fn agrees_with_stateright_on_random_registers() {
    let mut rng = Rng::new(2);
    let mut tally = Tally::default();
    for round in 0..20_000 {
        let length = 4 + rng.below(11);
        let history = history(&choices(&mut rng, length), 2 + (round % 4) as u8, false);
        let ours = judge(&history, &Register::default());
        assert_eq!(ours, judge(&history, &CasRegister::default()), "a history without cas is the same to both");
        tally.compare(&history, ours, stateright_says(&history));
    }
    assert!(tally.valid > 3_000 && tally.invalid > 3_000, "{} and {}", tally.valid, tally.invalid);
}

/// Nearly valid: simulated, with at most one reply changed. More operations than random replies allow.
#[test]
fn agrees_with_stateright_on_nearly_valid_histories() {
    let mut tally = Tally::default();
    for seed in 0..10_000 {
        let mut rng = Rng::new(seed);
        let events = generate(&Config {
            seed,
            operations: 9,
            clients: 3,
            values: Values::Few(3),
            cas_percent: 40,
            write_percent: 30,
            indeterminate: 2,
            fail_percent: 5,
            ..Config::default()
        });
        let mut events = events;
        let chosen = rng.below(events.len());
        if let sextant_histories::Kind::Ok(reply) = &mut events[chosen].kind {
            *reply = match &*reply {
                Reply::Read(_) => Reply::Read(Value::Int(rng.below(3) as i64)),
                Reply::Swapped => Reply::Differed,
                Reply::Differed => Reply::Swapped,
                other => other.clone(),
            };
        }
        let history = History::from_events(events).unwrap();
        tally.compare(&history, judge(&history, &CasRegister::default()), stateright_says(&history));
    }
    assert!(tally.valid > 3_000 && tally.invalid > 1_000, "{} and {}", tally.valid, tally.invalid);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_000, failure_persistence: None, ..ProptestConfig::default() })]

    /// The same again with choices that shrink.
    #[test]
    fn agrees_with_stateright(choices in proptest::collection::vec(any::<Choice>(), 0..14), processes in 1u8..6, cas: bool) {
        let history = history(&choices, processes, cas);
        let ours = judge(&history, &CasRegister::default()).unwrap_or(true);
        prop_assert_eq!(ours, stateright_says(&history));
    }
}

/// A model that tells the checker nothing it could prune or order by.
struct Blunt;

impl Model for Blunt {
    type State = Value;

    fn name(&self) -> &str {
        "blunt"
    }

    fn initial(&self) -> Value {
        Value::Null
    }

    fn step(&self, state: &Value, call: &Call, reply: Option<&Reply>) -> Option<Value> {
        CasRegister::default().step(state, call, reply)
    }

    fn supports(&self, _call: &Call) -> bool {
        true
    }
}

#[test]
fn pruning_and_early_observers_change_no_verdict() {
    for seed in 0..3_000 {
        let mut rng = Rng::new(seed);
        let history = history(&choices(&mut rng, 24), 4, true);
        assert_eq!(judge(&history, &CasRegister::default()), judge(&history, &Blunt), "seed {seed}");
    }
}

fn large(seed: u64) -> Config {
    Config {
        seed,
        operations: 400,
        clients: 6,
        keys: 3,
        values: if seed.is_multiple_of(2) { Values::Unique } else { Values::Few(5) },
        cas_percent: 20,
        write_percent: 30,
        indeterminate: 12,
        fail_percent: 5,
        ..Config::default()
    }
}

#[test]
fn what_is_generated_valid_is_valid() {
    for seed in 0..100 {
        let history = History::from_events(generate(&large(seed))).unwrap();
        assert_eq!(judge(&history, &CasRegister::default()), Some(true), "seed {seed}");
    }
}

#[test]
fn every_named_violation_is_found() {
    for violation in Violation::ALL {
        for seed in 0..30 {
            let config = Config { violation: Some(violation), ..large(seed) };
            let history = History::from_events(generate(&config)).unwrap();
            assert_eq!(judge(&history, &CasRegister::default()), Some(false), "{} with seed {seed}", violation.name());
            if !violation.needs_cas() {
                let plain = Config { cas_percent: 0, ..config };
                let history = History::from_events(generate(&plain)).unwrap();
                assert_eq!(judge(&history, &Register::default()), Some(false), "{} with seed {seed}", violation.name());
            }
        }
    }
}

/// A wide history takes the wider bit sets, and slots beyond the first word.
#[test]
fn hundreds_of_pending_operations_fit() {
    for clients in [70, 300] {
        let config = Config { clients, operations: 2 * clients, write_percent: 2, ..Config::default() };
        let history = History::from_events(generate(&config)).unwrap();
        assert_eq!(judge(&history, &Register::default()), Some(true), "{clients} clients");
    }
}

fn parse(lines: &[&str]) -> History {
    let text = lines.join("\n");
    let reader = sextant_histories::Reader::new("text", text.as_bytes());
    History::from_events(reader.map(|event| event.unwrap().1)).unwrap()
}

#[test]
fn an_empty_history_and_one_without_claims_are_unknown() {
    let empty = check(&History::default(), &Register::default(), &Limits::default());
    assert_eq!(empty.verdict(), Verdict::Unknown);
    assert_eq!(empty.reason().unwrap(), "the history is empty");
    let silent = parse(&[r#"{"process":0,"type":"invoke","f":"write","key":"x","value":1}"#]);
    assert_eq!(check(&silent, &Register::default(), &Limits::default()).verdict(), Verdict::Unknown);
}

#[test]
fn a_plain_register_has_no_cas() {
    let history = parse(&[r#"{"process":0,"type":"invoke","f":"cas","key":"x","value":[1,2]}"#]);
    let report = check(&history, &Register::default(), &Limits::default());
    assert_eq!(report.reason().unwrap(), "the model register has no operation like `cas 1 to 2` on line 1");
}

fn hard() -> History {
    let config =
        Config { operations: 600, clients: 40, write_percent: 90, values: Values::Few(40), ..Config::default() };
    History::from_events(generate(&config)).unwrap()
}

fn gave_up(report: &Report) -> Limit {
    match &report.finding {
        Finding::Unknown(Unknown::GaveUp(progress)) => {
            assert!(progress.placed < progress.operations && progress.keys_valid == 0);
            progress.limit
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn limits_end_in_unknown_and_say_how_far_it_came() {
    let limits = Limits { timeout: Duration::from_millis(50), ..Limits::default() };
    let report = check(&hard(), &Blunt, &limits);
    assert_eq!(gave_up(&report), Limit::Timeout(limits.timeout));
    assert!(report.elapsed < Duration::from_secs(5), "{:?}", report.elapsed);
    let limits = Limits { configurations: 1000, ..Limits::default() };
    let report = check(&hard(), &Blunt, &limits);
    assert_eq!(gave_up(&report), Limit::Configurations(1000));
    assert!(report.reason().unwrap().contains("on key \"k0\" the first"));
    let limits = Limits { memory_bytes: 4 << 20, ..Limits::default() };
    let report = check(&hard(), &Blunt, &limits);
    assert_eq!(gave_up(&report), Limit::Memory(4 << 20));
    static WANTED: AtomicBool = AtomicBool::new(true);
    let limits = Limits { interrupt: Some(Interrupt(&WANTED)), ..Limits::default() };
    assert_eq!(gave_up(&check(&hard(), &Blunt, &limits)), Limit::Interrupted);
}

/// The end of an operation can be what makes a history impossible long after the read that shows it: until the cas
/// says that it differed, it may have been the one that wrote 2.
#[test]
fn the_shortest_prefix_ends_where_the_last_way_out_closes() {
    let history = parse(&[
        r#"{"process":0,"type":"invoke","f":"cas","key":"x","value":[null,2]}"#,
        r#"{"process":1,"type":"invoke","f":"read","key":"x"}"#,
        r#"{"process":1,"type":"ok","f":"read","key":"x","value":2}"#,
        r#"{"process":1,"type":"invoke","f":"read","key":"x"}"#,
        r#"{"process":1,"type":"ok","f":"read","key":"x","value":2}"#,
        r#"{"process":0,"type":"ok","f":"cas","key":"x","value":[null,2],"applied":false}"#,
        r#"{"process":1,"type":"invoke","f":"read","key":"x"}"#,
        r#"{"process":1,"type":"ok","f":"read","key":"x","value":2}"#,
    ]);
    let Finding::Invalid(evidence) = check(&history, &CasRegister::default(), &Limits::default()).finding else {
        panic!("not linearizable");
    };
    assert_eq!(evidence.prefix, Prefix::Shortest(6));
    assert_eq!(evidence.operation, 1);
    assert_eq!(evidence.concurrent, [0]);
}

#[test]
fn the_verifier_refuses_what_is_no_linearization() {
    let history = parse(&[
        r#"{"process":0,"type":"invoke","f":"write","key":"x","value":1}"#,
        r#"{"process":0,"type":"ok","f":"write","key":"x","value":1}"#,
        r#"{"process":0,"type":"invoke","f":"write","key":"x","value":2}"#,
        r#"{"process":0,"type":"fail","f":"write","key":"x","value":2}"#,
        r#"{"process":0,"type":"invoke","f":"read","key":"x"}"#,
        r#"{"process":0,"type":"ok","f":"read","key":"x","value":1}"#,
        r#"{"process":0,"type":"invoke","f":"write","key":"x","value":1}"#,
        r#"{"process":0,"type":"ok","f":"write","key":"x","value":1}"#,
    ]);
    let verdict = |order: &[usize], key: &str| {
        let linearization = Linearization { key: key.into(), order: order.to_vec() };
        verify(&history, &Register::default(), &[linearization])
    };
    assert_eq!(verdict(&[0, 2, 3], "x"), Ok(()));
    assert!(verdict(&[0, 3, 2], "x").unwrap_err().contains("had returned before"));
    assert!(verdict(&[2, 0, 3], "x").unwrap_err().contains("not possible in null"));
    assert!(verdict(&[0, 2], "x").unwrap_err().contains("missing"));
    assert!(verdict(&[0, 1, 2, 3], "x").unwrap_err().contains("does not belong"));
    assert!(verdict(&[0, 2, 2, 3], "x").unwrap_err().contains("does not belong"));
    assert!(verdict(&[0, 2, 3], "y").unwrap_err().contains("does not belong"));
    assert!(verdict(&[0, 2, 9], "x").unwrap_err().contains("no operation 9"));
}

/// Every key with a violation of its own, so that threads race to find one.
#[test]
fn threads_do_not_change_what_is_found() {
    let limits = |threads| Limits { threads: NonZero::new(threads).unwrap(), ..Limits::default() };
    for seed in 0..20 {
        let mut events = Vec::new();
        for key in 0..12u64 {
            let violation = (seed % 3 != 0).then_some(Violation::StaleRead);
            let values = if key % 2 == 0 { Values::Unique } else { Values::Few(3) };
            let config = Config { seed: seed + key, violation, values, ..Config::default() };
            events.extend(generate(&config).into_iter().map(|event| sextant_histories::Event {
                process: event.process + 1000 * key,
                key: (key as i64).into(),
                ..event
            }));
        }
        let history = History::from_events(events).unwrap();
        let found = |threads| match check(&history, &Register::default(), &limits(threads)).finding {
            Finding::Valid(linearizations) => (Some(linearizations), None),
            Finding::Invalid(evidence) => (None, Some(evidence)),
            Finding::Unknown(unknown) => panic!("{unknown}"),
        };
        let alone = found(1);
        assert_eq!(alone.0.is_some(), seed % 3 == 0);
        assert_eq!(alone, found(4));
    }
}

/// Long enough that the search drops dead branches of its paths many times, and the linearization still replays.
#[test]
fn a_very_long_linearization_replays() {
    let config =
        Config { operations: 100_000, indeterminate: 20, values: Values::Few(4), cas_percent: 10, ..Config::default() };
    let history = History::from_events(generate(&config)).unwrap();
    let report = check(&history, &CasRegister::default(), &Limits::default());
    let Finding::Valid(linearizations) = report.finding else {
        panic!("valid by construction");
    };
    assert_eq!(verify(&history, &CasRegister::default(), &linearizations), Ok(()));
}

/// Twenty thousand operations of ten clients on five keys, thirty of them indeterminate: seconds at most, valid or not.
#[test]
fn a_long_history_takes_no_time() {
    for violation in [None, Some(Violation::StaleRead)] {
        let config =
            Config { operations: 20_000, clients: 10, keys: 5, indeterminate: 30, violation, ..Config::default() };
        let history = History::from_events(generate(&config)).unwrap();
        let report = check(&history, &Register::default(), &Limits::default());
        assert_eq!(report.verdict() == Verdict::Valid, violation.is_none());
        println!("20,000 operations, {violation:?}: {:?}", report.elapsed);
        assert!(report.elapsed < Duration::from_secs(5), "{:?}", report.elapsed);
    }
}
