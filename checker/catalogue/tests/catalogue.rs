//! What the catalogue says of itself is true.

use serde_json::Value;
use sextant_catalogue::{Property, Walk, area, mutant, mutants, open, profiles, properties, property, rules_with};
use sextant_explorer::case::Case;

#[test]
fn names_are_names_of_one_thing() {
    let mut ids: Vec<_> = mutants().iter().map(|mutant| mutant.id).collect();
    ids.sort_unstable();
    let all = ids.len();
    ids.dedup();
    assert_eq!(ids.len(), all);
    let mut names: Vec<_> = profiles().iter().map(|profile| profile.name).collect();
    let all = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), all);
}

#[test]
fn what_a_mutant_breaks_is_a_property_of_its_area() {
    for mutant in mutants() {
        for id in mutant.breaks {
            assert!(property(mutant.area.name(), id).is_some(), "{} breaks {id}", mutant.id);
        }
    }
}

/// Properties that no mutant of their area breaks, with the reason.
const UNBROKEN: [(&str, &str, &str); 4] = [
    ("core", "S16", "gossip only appends, and no decision could make it do anything else"),
    ("core", "L4", "where the limit is counted from is decided in the volume: M65"),
    ("volume", "L2", "a recovery fails to open by its ranges, which are the core's: M61"),
    ("disk", "L2", "as in the volume; one flip leaves enough segments that answer"),
];

#[test]
fn every_property_is_broken_by_a_mutant_of_its_area_but_these() {
    let broken = |property: &Property| {
        mutants().iter().any(|mutant| mutant.area.name() == property.area && mutant.breaks.contains(&property.id))
    };
    let unbroken: Vec<_> = properties().iter().filter(|p| !broken(p)).map(|p| (p.area, p.id)).collect();
    assert_eq!(unbroken, UNBROKEN.map(|(area, id, _)| (area, id)));
}

#[test]
fn a_counterexample_is_a_case_that_walks_to_its_violation() {
    for id in ["M1", "M45"] {
        let mutant = mutant(id).unwrap();
        let model = mutant.area.open(&mutant.rules, &mutant.bounds).unwrap();
        let found = model.shortest(mutant.breaks[0], 1).unwrap().expect("the mutant is caught");
        let case = Case::parse(&found.case.to_string()).unwrap();
        let walk = open(&case).unwrap().walk(&case.actions).unwrap();
        assert_eq!(walk.steps.len(), found.length());
        assert!(walk.violated.iter().any(|(property, fact)| property.id == found.property && *fact == found.fact));
        // One action less does not get there.
        let short = open(&case).unwrap().walk(&case.actions[1..]);
        let reaches = |walk: Walk| walk.violated.iter().any(|(property, _)| property.id == found.property);
        assert!(short.is_err() || !reaches(short.unwrap()));
    }
}

#[test]
fn rules_are_changed_by_name() {
    let area = area("core").unwrap();
    let rules = rules_with(area, area.adopted(), &["write-back=never".into()]);
    assert!(rules.is_ok_and(|rules| rules != area.adopted()));
    for (change, reason) in [("write-back", "form"), ("write-back=perhaps", "perhaps"), ("wand=1", "wand")] {
        let error = rules_with(area, area.adopted(), &[change.into()]).unwrap_err();
        assert!(error.contains(reason), "{error}");
    }
    assert!(area.open(&Value::Null, &Value::Null).is_err());
}
