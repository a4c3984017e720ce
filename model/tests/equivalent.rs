//! What is said to be equivalent is looked at with one recovery more than any mistake needs; `sextant model mutants` explores both
//! sizes whole.
#![cfg(feature = "stateright")]

mod common;

use common::{at_three, verdicts};
use sextant_model::area::{Catalogued, Mutant};
use sextant_model::bounds::Bounds;
use sextant_model::clients::Clients;
use sextant_model::closed::Closed;
use sextant_model::disks::Disks;
use sextant_model::fork::Forks;
use sextant_model::group::Group;
use sextant_model::membership::Membership;
use sextant_model::mutants;
use sextant_model::pages::Pages;
use sextant_model::region::Regions;
use sextant_model::undo::Undo;
use sextant_model::volume::Volume;

/// The equivalent mutants of an area. Each has its larger size, which no other mutant has.
fn equivalent<A: Catalogued>(recoveries: impl Fn(&A::Bounds) -> u8) -> Vec<&'static str> {
    let (same, others): (Vec<&Mutant<A>>, Vec<_>) = A::MUTANTS.iter().partition(|mutant| mutant.equivalent.is_some());
    assert!(others.iter().all(|mutant| mutant.larger.is_none() && !mutant.breaks.is_empty()), "{}", A::NAME);
    let needed = others.iter().map(|mutant| recoveries(&mutant.bounds)).max().unwrap();
    for mutant in &same {
        let larger = mutant.larger.unwrap_or_else(|| panic!("{} has one size", mutant.id));
        A::admits(&mutant.rules, &mutant.bounds).unwrap();
        assert_eq!(recoveries(&larger.bounds), needed + 1, "{}", mutant.id);
        assert!(mutant.breaks.is_empty(), "{}", mutant.id);
    }
    same.iter().map(|mutant| mutant.id).collect()
}

#[test]
fn an_equivalent_mutant_has_a_size_with_one_more_recovery_than_any_other_needs() {
    assert_eq!(equivalent::<Group<6>>(|bounds| bounds.recoveries), ["M10'"]);
    assert_eq!(equivalent::<Volume>(|bounds| bounds.recoveries), ["M53"]);
    assert_eq!(equivalent::<Disks>(|bounds| bounds.recoveries), ["M70"]);
    let elsewhere = [
        equivalent::<Membership>(|_| 0),
        equivalent::<Pages>(|_| 0),
        equivalent::<Undo>(|_| 0),
        equivalent::<Clients>(|_| 0),
        equivalent::<Regions>(|_| 0),
        equivalent::<Forks>(|_| 0),
    ];
    assert!(elsewhere.iter().all(Vec::is_empty), "{elsewhere:?}");
    // The larger size of the core's is a world of another scheme.
    let larger = mutants::by_id("M10'").unwrap().larger.unwrap();
    assert_eq!(larger.rules.scheme.copies, 3);
    let model = Closed::<Group<3>>::new(larger.rules, larger.bounds);
    assert!(model.violation(&model.initial()).is_none());
}

/// Why one recovery more is asked for: with one less than it needs, a mistake looks like none.
#[test]
fn with_one_recovery_too_few_a_mistake_looks_equivalent() {
    for (id, needed) in [("M12", 2), ("M60", 3)] {
        let rules = at_three(mutants::by_id(id).unwrap().rules);
        let (few, _) = verdicts::<3>(rules, Bounds::of(1, needed - 1), 100_000);
        let (enough, _) = verdicts::<3>(rules, Bounds::of(1, needed), 100_000);
        assert!(few.is_empty() && !enough.is_empty(), "{id}: {few:?}, {enough:?}");
    }
}

#[test]
fn a_world_does_not_admit_more_recoveries_than_it_holds() {
    use sextant_model::area::Area;
    let rules = sextant_model::rules::Rules::adopted();
    assert_eq!(Group::<6>::admits(&rules, &Bounds::of(1, 4).gossiping()), Ok(()));
    assert!(Group::<6>::admits(&rules, &Bounds::of(1, 5)).is_err());
}
