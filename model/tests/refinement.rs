//! Every edge of the quick legs is a step of the abstract volume, but for the large ones, which `sextant model check --refinement`
//! judges; mutants take others.
#![cfg(feature = "stateright")]

mod common;

use std::collections::BTreeSet;

use sextant_model::area::Catalogued;
use sextant_model::clients::Clients;
use sextant_model::closed::{Closed, Core};
use sextant_model::decisions::RuleBook;
use sextant_model::disks::Disks;
use sextant_model::group::Group;
use sextant_model::refinement::{Refined, StandsForVolume, Volume};
use sextant_model::rules::Rules;

const LARGEST: usize = 200_000;

/// The mutants whose steps go astray within so many states, and those that were explored whole and did not.
fn astray<A: StandsForVolume + Catalogued>(limit: usize) -> (BTreeSet<&'static str>, BTreeSet<&'static str>) {
    let (mut astray, mut kept) = (BTreeSet::new(), BTreeSet::new());
    for mutant in A::MUTANTS {
        let model = Closed::<Refined<A>>::new(mutant.rules, mutant.bounds).only("REF");
        let Some(search) = common::search(&model, limit) else { continue };
        match search.trace {
            None => kept.insert(mutant.id),
            Some(trace) => {
                // The trace replays in real names, and its last line says what no volume does.
                let real = model.concrete(&trace).unwrap();
                let told = model.unreduced().tell(&real).unwrap();
                let facts = ["is gone from the log", "is acknowledged by", "went back from", "is appended to a log"];
                assert!(facts.iter().any(|fact| told.last().unwrap().contains(fact)), "{}: {told:?}", mutant.id);
                astray.insert(mutant.id)
            }
        };
    }
    (astray, kept)
}

/// A step is not believed to be one because nothing could be wrong with it. Who keeps to the abstract volume breaks promises that a log
/// with a durable point does not make: of reads, of single segments, of what is left to read, of what comes to pass.
#[test]
fn mutants_take_steps_that_no_volume_takes() {
    let all = |ids: &[&'static str]| ids.iter().copied().collect::<BTreeSet<_>>();
    let lost_or_back =
        ["M1", "M2", "M3", "M4", "M5", "M6", "M7", "M8", "M11", "M12", "M13", "M14", "M15", "M16", "M17", "M18", "M54"];
    let (gone, kept) = astray::<Group<6>>(100_000);
    assert_eq!(gone, all(&lost_or_back));
    assert_eq!(kept, all(&["M9", "M56", "M57", "M59", "M61", "M62", "M72"]));
    let (gone, kept) = astray::<sextant_model::volume::Volume>(100_000);
    assert_eq!(gone, all(&["M22", "M23", "M48", "M53'", "M63"]));
    assert_eq!(kept, all(&["M24", "M26", "M65"]));
    let (gone, kept) = astray::<Disks>(200_000);
    assert_eq!((gone, kept), (all(&["M49", "M50"]), all(&["M70", "M71"])));
    let (gone, _) = astray::<Clients>(10_000);
    assert!(gone.is_superset(&all(&["M2c", "M3c"])), "{gone:?}");
}

/// How many legs were explored.
fn every_edge_is_a_step<A: StandsForVolume + Catalogued>() -> usize {
    let mut explored = 0;
    for leg in A::PROFILES.iter().flat_map(|profile| profile.quick).filter(|leg| leg.states < LARGEST) {
        let model = Closed::<Refined<A>>::new(A::Rules::adopted(), leg.bounds);
        let search =
            common::search(&model.clone().only("REF"), leg.states).expect("no more states than without the property");
        let told = search.trace.map(|trace| model.tell(&model.concrete(&trace).unwrap()).unwrap());
        assert_eq!(told, None, "{} {}", A::NAME, leg.name);
        assert_eq!(search.seen, leg.states, "{} {}", A::NAME, leg.name);
        explored += 1;
    }
    explored
}

#[test]
fn every_edge_is_a_step_of_the_abstract_volume() {
    let judged = [
        every_edge_is_a_step::<Group<6>>(),
        every_edge_is_a_step::<sextant_model::volume::Volume>(),
        every_edge_is_a_step::<Disks>(),
        every_edge_is_a_step::<Clients>(),
    ];
    assert!(judged.iter().all(|&legs| legs > 0), "{judged:?}");
}

#[test]
fn the_first_volume_is_empty_and_stays() {
    let first = Core::new(Rules::adopted(), sextant_model::bounds::Bounds::of(1, 1)).initial();
    let volume = Volume::of(&first).unwrap();
    assert_eq!(volume.steps_to(&volume), Ok(()));
}
