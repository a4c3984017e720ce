//! Certificates of every verdict hold, and no longer once anything in them or in the history is changed.

mod small;

use std::time::Instant;

use sextant_histories::History;
use sextant_histories::generate::{Config, Model as Generated, Recipe, Rng, Values, Violation, generate, make};
use sextant_judge::linearizability::certificate::{Proof, Refusal};
use sextant_judge::linearizability::{
    AppendList, CasRegister, Certificate, Counter, Finding, KeyValue, Limits, Model, MultiRegister, Mutex,
    PriorityQueue, Queue, Register, Set, Stack, check,
};
use sextant_judge::verdict::Verdict;
use small::Blunt;

fn certify<M: Model>(history: &History, model: &M) -> Option<Certificate> {
    Certificate::of(history, model, &check(history, model, &Limits::default()))
}

fn through_a_file(certificate: &Certificate) -> Certificate {
    let mut file = Vec::new();
    certificate.write(&mut file).unwrap();
    Certificate::read(&file[..]).unwrap()
}

fn wrong(held: Result<(), Refusal>) -> String {
    match held {
        Err(Refusal::Wrong(reason)) => reason,
        other => panic!("{other:?}"),
    }
}

fn on_random<M: Model>(rounds: usize, model: &M) {
    let mut rng = Rng::new(11);
    let (mut valid, mut invalid) = (0, 0);
    for _ in 0..rounds {
        let events = 2 + rng.below(14);
        let history = small::of(model.name(), &mut rng, events);
        let Some(certificate) = certify(&history, model) else { continue };
        assert_eq!(through_a_file(&certificate), certificate);
        assert_eq!(certificate.verify(&history, model), Ok(()), "{certificate:?} of {history:?}");
        match &certificate.proof {
            Proof::Valid(_) => valid += 1,
            Proof::Invalid { key, core } => {
                invalid += 1;
                for change in 0..core.operations.len() {
                    let mut core = core.clone();
                    core.operations.remove(change);
                    let proof = Proof::Invalid { key: key.clone(), core };
                    wrong(Certificate { proof, ..certificate.clone() }.verify(&history, model));
                }
                let more = (0..history.operations().len()).find(|number| !core.operations.contains(number));
                if let Some(more) = more {
                    let mut core = core.clone();
                    core.operations.push(more);
                    core.operations.sort_unstable();
                    let proof = Proof::Invalid { key: key.clone(), core };
                    let reason = wrong(Certificate { proof, ..certificate.clone() }.verify(&history, model));
                    assert!(reason.contains("not smallest"), "{reason}");
                }
            }
        }
    }
    println!("{}: {valid} valid, {invalid} invalid", model.name());
    assert!(valid > rounds / 20 && invalid > rounds / 20, "{valid} and {invalid}");
}

#[test]
fn certificates_of_every_model_hold() {
    on_random(3_000, &Register::default());
    on_random(3_000, &CasRegister::default());
    on_random(2_000, &Queue);
    on_random(2_000, &Stack);
    on_random(2_000, &PriorityQueue);
    on_random(2_000, &Set);
    on_random(2_000, &Mutex);
    on_random(1_000, &Counter::default());
    on_random(1_000, &AppendList);
    on_random(1_000, &Blunt(&CasRegister::default()));
}

/// A history without keys, as Knossos and Porcupine record them.
#[test]
fn certificates_without_keys_are_read_again() {
    for violation in [None, Some(Violation::StaleRead)] {
        let events = generate(&Config { keys: 1, violation, ..Config::default() });
        let events =
            events.into_iter().map(|event| sextant_histories::Event { key: sextant_histories::Key::None, ..event });
        let history = History::from_events(events).unwrap();
        let certificate = through_a_file(&certify(&history, &Register::default()).unwrap());
        assert_eq!(certificate.verdict() == Verdict::Valid, violation.is_none());
        assert_eq!(certificate.verify(&history, &Register::default()), Ok(()));
    }
}

#[test]
fn a_certificate_is_about_one_history_and_one_model() {
    let history = |seed| History::from_events(generate(&Config { seed, ..Config::default() })).unwrap();
    let certificate = certify(&history(1), &Register::default()).unwrap();
    assert_eq!(certificate.verify(&history(1), &Register::default()), Ok(()));
    assert!(wrong(certificate.verify(&history(2), &Register::default())).contains("another history"));
    assert!(wrong(certificate.verify(&history(1), &CasRegister::default())).contains("about the model register"));
    assert!(wrong(certificate.verify(&history(1), &Register { initial: 7.into() })).contains("starts from null"));
    let Proof::Valid(mut linearizations) = certificate.proof.clone() else { panic!("generated valid") };
    linearizations[0].order.pop();
    let short = Certificate { proof: Proof::Valid(linearizations), ..certificate };
    assert!(wrong(short.verify(&history(1), &Register::default())).contains("missing"));
}

#[test]
fn what_is_no_certificate_is_refused_with_its_line() {
    let header = r#"{"certificate":1,"verdict":"invalid","history":"0","events":2,"operations":1,"model":"register","initial":"null"}"#;
    let valid = header.replace("invalid", "valid");
    for (text, expected) in [
        (String::new(), "1: a certificate has a header"),
        ("{}\n".to_owned(), "1: missing field `certificate`"),
        (format!("{header}\n"), "2: the core is missing"),
        (header.to_owned(), "1: truncated last line"),
        (format!("{}\n", header.replace(":1,", ":2,")), "1: certificate of version 2, this verifies version 1"),
        (format!("{}\n", header.replace("invalid", "unknown")), "1: nothing certifies an unknown"),
        (
            format!("{valid}\n{{\"key\":\"x\",\"core\":[0],\"smallest\":true}}\n"),
            "2: unknown field `core`, expected `key` or `order`",
        ),
        (format!("{valid}\n{{\"key\":\"x\",\"order\":[-1]}}\n"), "2: invalid value: integer `-1`, expected usize"),
    ] {
        assert_eq!(Certificate::read(text.as_bytes()).unwrap_err().to_string(), expected, "{text}");
    }
}

/// Two hundred thousand operations on twenty keys.
#[test]
fn a_long_history_has_a_certificate() {
    for violation in [None, Some(Violation::LostWrite)] {
        let config = Config {
            operations: 200_000,
            clients: 10,
            keys: 20,
            values: Values::Unique,
            indeterminate: 10,
            violation,
            ..Config::default()
        };
        let history = History::from_events(generate(&config)).unwrap();
        let report = check(&history, &Register::default(), &Limits::default());
        assert!(!matches!(report.finding, Finding::Unknown(_)), "{:?}", report.reason());
        let start = Instant::now();
        let certificate = Certificate::of(&history, &Register::default(), &report).unwrap();
        let made = start.elapsed();
        let certificate = through_a_file(&certificate);
        let read = start.elapsed();
        assert_eq!(certificate.verify(&history, &Register::default()), Ok(()));
        println!(
            "{violation:?}: made in {made:?}, written and read in {:?}, verified in {:?}",
            read - made,
            start.elapsed() - read
        );
    }
}

/// Of long histories of lists and strings of many clients, for which the general search would take for ever, and of several
/// registers, for which there is nothing else, cores are few operations of thousands.
#[test]
fn cores_of_long_histories_are_small() {
    fn decide<M: Model>(kind: Generated, model: &M, operations: usize, clients: usize) {
        for violation in [None].into_iter().chain(kind.flaws().iter().copied().map(Some)) {
            let recipe = Recipe { seed: 3, operations, clients, violation, ..Recipe::of(kind) };
            let history = History::from_events(make(&recipe).unwrap().events).unwrap();
            let certificate = through_a_file(&certify(&history, model).expect("it is decided"));
            assert_eq!(certificate.verdict() == Verdict::Valid, violation.is_none(), "{violation:?}");
            assert_eq!(certificate.verify(&history, model), Ok(()), "{violation:?}");
            let Proof::Invalid { key, mut core } = certificate.proof.clone() else { continue };
            assert!(core.smallest && core.operations.len() <= 8, "{violation:?}: {core:?}");
            if core.operations.len() > 1 {
                core.operations.pop();
                let proof = Proof::Invalid { key, core };
                wrong(Certificate { proof, ..certificate }.verify(&history, model));
            }
        }
    }
    decide(Generated::KeyValue, &KeyValue::default(), 2_000, 50);
    decide(Generated::AppendList, &AppendList, 2_000, 50);
    decide(Generated::MultiRegister, &MultiRegister::default(), 1_000, 8);
}

/// A core of a mutex has half of its operations, and every order of them is tried: those that do the same take turns.
#[test]
fn cores_of_hundreds_are_decided() {
    for flaw in Generated::Mutex.flaws() {
        let recipe = Recipe { seed: 5, operations: 1_000, violation: Some(*flaw), ..Recipe::of(Generated::Mutex) };
        let history = History::from_events(make(&recipe).unwrap().events).unwrap();
        let certificate = certify(&history, &Mutex).unwrap();
        assert_eq!(certificate.verify(&history, &Mutex), Ok(()), "{}", flaw.name);
        let Proof::Invalid { key, core } = &certificate.proof else { panic!("{} is valid", flaw.name) };
        // What was never acquired is released on a key of its own.
        assert!(core.smallest && core.operations.len() > if flaw.name == "double-grant" { 400 } else { 1 });
        let mut core = core.clone();
        core.operations.remove(core.operations.len() / 2);
        let proof = Proof::Invalid { key: key.clone(), core };
        wrong(Certificate { proof, ..certificate.clone() }.verify(&history, &Mutex));
    }
}
