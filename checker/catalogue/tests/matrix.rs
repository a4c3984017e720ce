//! What the matrix says of properties.

use std::collections::BTreeMap;

use sextant_catalogue::matrix::{EXCUSES, Matrix, unfounded};
use sextant_catalogue::{Property, mutants, properties};

fn named(unfounded: &[&Property]) -> Vec<(&'static str, &'static str)> {
    unfounded.iter().map(|property| (property.area, property.id)).collect()
}

/// Without a mutant only a sentence helps; with one that breaks it alone the sentence is not true.
#[test]
fn a_property_needs_a_mutant_or_a_sentence_and_not_both() {
    let nothing = named(&unfounded(&Matrix::new()));
    assert!(nothing.contains(&("core", "S12")) && !nothing.contains(&("core", "S1")), "{nothing:?}");
    let of_core = |id: &str| mutants().iter().find(|mutant| mutant.id == id && mutant.area.name() == "core").unwrap();
    let row = |ids: &[&'static str]| ids.iter().map(|id| (*id, 9)).collect::<BTreeMap<_, _>>();
    let alone_each = vec![(of_core("M62"), row(&["S12"])), (of_core("M1"), row(&["S1"]))];
    let now = named(&unfounded(&alone_each));
    assert!(!now.contains(&("core", "S12")) && now.contains(&("core", "S1")), "{now:?}");
    // Broken together with another it is broken by none alone, and what happens in another area does not count.
    let together = named(&unfounded(&vec![(of_core("M62"), row(&["S12", "S1"]))]));
    assert_eq!(together, nothing);
}

#[test]
fn every_sentence_is_about_a_property_and_there_is_one() {
    for (place, (area, id, why)) in EXCUSES.iter().enumerate() {
        assert!(properties().iter().any(|property| property.area == *area && property.id == *id), "{area} {id}");
        assert!(!EXCUSES[..place].iter().any(|(other, twice, _)| (other, twice) == (area, id)), "{area} {id} twice");
        assert!(!why.is_empty());
    }
}
