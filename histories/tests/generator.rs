//! The generator keeps its promises: valid form, exact counts, the same bytes for the same seed.
//! The verdicts are held against a slow judge of its own here, and against the checkers where those are.

mod support;

use sextant_histories::generate::{Config, Expected, Model, Recipe, Values, Violation, generate, make};
use sextant_histories::{Call, Event, History, Outcome, Reader};

fn lines(events: &[Event]) -> String {
    events.iter().map(|event| event.to_line().unwrap() + "\n").collect()
}

fn config(seed: u64) -> Config {
    Config {
        seed,
        operations: 200,
        keys: 3,
        cas_percent: 20,
        write_percent: 30,
        indeterminate: 7,
        fail_percent: 10,
        values: if seed.is_multiple_of(2) { Values::Unique } else { Values::Few(3) },
        ..Config::default()
    }
}

#[test]
fn every_history_is_well_formed_and_of_the_size_asked_for() {
    for seed in 0..50 {
        let history = History::from_events(generate(&config(seed))).unwrap();
        assert_eq!(history.operations().len(), 200);
        let count = |outcome: fn(&Outcome) -> bool| {
            history.operations().iter().filter(|operation| outcome(&operation.outcome)).count()
        };
        assert_eq!(count(|outcome| *outcome == Outcome::Indeterminate), 7);
        assert!(count(|outcome| *outcome == Outcome::Fail) > 0);
        let keys: std::collections::BTreeSet<_> = history.operations().iter().map(|operation| &operation.key).collect();
        assert_eq!(keys.len(), 3);
    }
}

#[test]
fn the_same_seed_gives_the_same_bytes_and_another_one_others() {
    let once = lines(&generate(&config(5)));
    assert_eq!(once, lines(&generate(&config(5))));
    assert_ne!(once, lines(&generate(&config(7))));
}

#[test]
fn unique_values_are_written_once() {
    let history = History::from_events(generate(&config(4))).unwrap();
    let mut written: Vec<_> = history
        .operations()
        .iter()
        .filter_map(|operation| match &operation.call {
            Call::Write(value) | Call::Cas { new: value, .. } => Some(value),
            _ => None,
        })
        .collect();
    let count = written.len();
    written.sort();
    written.dedup();
    assert_eq!(written.len(), count);
}

#[test]
fn violations_are_scripted_whole_and_well_formed() {
    for violation in Violation::ALL {
        for operations in [0, 1, 50] {
            let violated = Config { operations, violation: Some(violation), ..Config::default() };
            let history = History::from_events(generate(&violated)).unwrap();
            assert!(history.operations().len() > operations, "{}", violation.name());
        }
    }
}

#[test]
fn nobody_to_act_is_no_history() {
    let idle = Config { clients: 0, ..Config::default() };
    assert!(generate(&idle).is_empty());
}

/// One of each model, violated in each way and not at all.
fn recipes(seed: u64) -> impl Iterator<Item = Recipe> {
    Model::ALL.into_iter().flat_map(move |model| {
        let values = if seed.is_multiple_of(3) { Values::Few(4) } else { Values::Unique };
        let flaws = std::iter::once(None).chain(model.flaws().iter().copied().map(Some));
        flaws.map(move |violation| Recipe {
            seed,
            operations: 24,
            clients: 3,
            keys: 1 + (seed % 2) as usize,
            values,
            indeterminate: (seed % 4) as usize,
            fail_percent: (seed % 5) as u32 * 4,
            violation,
            ..Recipe::of(model)
        })
    })
}

/// The slow judge agrees with the promised verdict, for every model and violation.
#[test]
fn what_is_promised_is_true() {
    for seed in 0..60 {
        for recipe in recipes(seed) {
            let generated = make(&recipe).unwrap();
            let expected = generated.expected == Expected::Valid;
            let history = History::from_events(generated.events).unwrap();
            let name = recipe.violation.map_or("none", |flaw| flaw.name);
            let found = support::linearizable(&history, recipe.model);
            assert_eq!(found, expected, "{} with {name}, seed {seed}", recipe.model.name());
        }
    }
}

/// What happened before the script is in order: the violation is what the script says, and stands where it says so.
#[test]
fn a_violation_begins_with_its_script() {
    for seed in 0..40 {
        for recipe in recipes(seed).filter(|recipe| recipe.violation.is_some()) {
            let violated = make(&recipe).unwrap().events;
            let scripted = violated.iter().position(|event| is_scripted(event.process, recipe.clients)).unwrap();
            let history = History::from_events(violated).unwrap();
            assert!(scripted >= recipe.operations, "not before the last third");
            assert!(support::linearizable(&history.prefix(scripted), recipe.model), "{recipe:?}");
        }
    }
}

#[test]
fn every_recipe_is_followed() {
    for seed in 0..40 {
        for recipe in recipes(seed) {
            let generated = make(&recipe).unwrap();
            let mut file = Vec::new();
            generated.write(&mut file).unwrap();
            let mut again = Vec::new();
            make(&recipe).unwrap().write(&mut again).unwrap();
            assert_eq!(file, again, "the same recipe, the same bytes");
            let mut reader = Reader::new("generated", file.as_slice()).strict_time(true);
            let (history, torn) = History::collect(&mut reader).unwrap();
            assert!(torn.is_none() && history.to_events() == generated.events);
            assert!(history.about().unwrap().contains(generated.expected.verdict()), "{:?}", history.about());
            let honest = history
                .operations()
                .iter()
                .filter(|operation| recipe.violation.is_none() || !is_scripted(operation.process, recipe.clients));
            let honest: Vec<_> = honest.collect();
            if recipe.violation.is_none() {
                assert_eq!(honest.len(), recipe.operations);
            }
            let lost = honest.iter().filter(|operation| operation.outcome == Outcome::Indeterminate).count();
            assert_eq!(lost, recipe.indeterminate, "{recipe:?}");
        }
    }
}

/// Scripts' processes come right behind the clients', before any that replaces one after an `info`.
fn is_scripted(process: u64, clients: usize) -> bool {
    (clients as u64..clients as u64 + 2).contains(&process)
}

#[test]
fn a_model_refuses_the_violations_of_others() {
    let flaw = Model::Queue.flaw("lost-element");
    let wrong = Recipe { violation: flaw, ..Recipe::of(Model::Mutex) };
    assert_eq!(make(&wrong).unwrap_err().to_string(), "a mutex has no violation lost-element");
    assert!(Model::Register.flaw("double-swap").is_none() && Model::CasRegister.flaw("double-swap").is_some());
    for model in Model::ALL {
        assert_eq!(Model::named(model.name()), Some(model));
        let mut names: Vec<_> = model.flaws().iter().map(|flaw| flaw.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), model.flaws().len(), "{}", model.name());
    }
}

#[test]
fn nothing_to_check_is_expected_unknown() {
    for model in Model::ALL {
        let nothing = make(&Recipe { operations: 0, ..Recipe::of(model) }).unwrap();
        assert_eq!((nothing.events.len(), nothing.expected), (0, Expected::Unknown));
        let nobody = make(&Recipe { clients: 0, violation: Some(model.flaws()[0]), ..Recipe::of(model) }).unwrap();
        assert_eq!(nobody.expected, Expected::Unknown);
        let silent = make(&Recipe { fail_percent: 100, ..Recipe::of(model) }).unwrap();
        assert_eq!(silent.expected, Expected::Unknown);
        assert!(silent.about.ends_with("expected unknown: no operation ended in ok"), "{}", silent.about);
    }
}
