//! Membership, explored exhaustively: the adopted rules hold, and every mistake breaks what its row says.
#![cfg(feature = "stateright")]

use std::collections::BTreeSet;

use sextant_model::membership::rules::MembershipRules;
use sextant_model::membership::world::{Action, World};
use sextant_model::membership::{Group, MUTANTS, PROFILES, by_id, properties};
use sextant_model::quorum::Quorum;
use sextant_model::types::SegmentSet;
use stateright::{Checker, HasDiscoveries, Model};

/// Every profile with its count of states and its depth. A changed figure is explained in the commit that changes it.
const PINS: [(&str, usize, usize); 5] = [
    ("exchange", 45_193, 25),
    ("loss", 231_107, 25),
    ("shrink", 98_331, 23),
    ("full-tail", 88, 10),
    ("recovery", 62_372, 21),
];

#[test]
fn the_adopted_rules_hold_and_every_property_says_something() {
    let mut silent: BTreeSet<&str> = properties::ALL.iter().map(|property| property.name).collect();
    for (profile, (name, states, depth)) in PROFILES.iter().zip(PINS) {
        assert_eq!(profile.name, name);
        let group = Group::new(MembershipRules::adopted(), profile.bounds);
        let checker = group.clone().checker().threads(1).finish_when(HasDiscoveries::AnyFailures).spawn_bfs().join();
        for property in group.judged() {
            if let Some(path) = checker.discovery(property.id) {
                let told = tell(&group, &path.into_actions());
                panic!("{name}: {property:?} is violated:\n{told}");
            }
            if checker.discovery(property.name).is_some() {
                silent.remove(property.name);
            }
        }
        // Stateright counts the states of a path, and the first one is no action.
        assert_eq!((checker.unique_state_count(), checker.max_depth() - 1), (states, depth), "{name}");
    }
    assert_eq!(silent, BTreeSet::new(), "properties that hold vacuously");
}

/// The trace in real names, which must end in a violation there too.
fn tell(group: &Group, reduced: &[Action]) -> String {
    let told = group.concrete(reduced).expect("a reduced trace replays in real names");
    let last = told.last().map_or_else(|| World::created(group.bounds()), |(_, world)| world.clone());
    let (property, fact) = group.violation(&last).expect("the last state violates something in real names too");
    let lines = told.iter().enumerate().map(|(number, (action, _))| format!("{:>3}. {action:?}\n", number + 1));
    format!("{}{property:?}: {fact}", lines.collect::<String>())
}

/// Length of the shortest trace to each violation. A length that changes is explained in the commit that changes it.
const FATES: [(&str, &str, usize); 21] = [
    ("M36", "S27", 10),
    ("M36", "S29", 9),
    ("M36'", "S27", 10),
    ("M36'", "S29", 9),
    ("M37", "S29", 11),
    ("M37'", "S29", 11),
    ("M38", "S29", 11),
    ("M39", "S27", 11),
    ("M40", "S2", 15),
    ("M41", "S9", 15),
    ("M41", "S27", 8),
    ("M42", "S27", 17),
    ("M42'", "S27", 15),
    ("M43", "S28", 2),
    ("M44", "S32", 3),
    ("M45", "S27", 2),
    ("M46", "S19", 3),
    ("M47", "S27", 9),
    ("M55", "S2", 11),
    ("M55", "S27", 11),
    ("M64", "S30", 7),
];

#[test]
fn every_mistake_breaks_what_its_row_says() {
    let mut fates = Vec::new();
    for mutant in MUTANTS {
        for property in mutant.breaks {
            let group = Group::new(mutant.rules, mutant.bounds).only(property);
            let checker =
                group.clone().checker().threads(1).finish_when(HasDiscoveries::AnyFailures).spawn_bfs().join();
            let path = checker.discovery(property).unwrap_or_else(|| panic!("{} survives {property}", mutant.id));
            let trace = path.into_actions();
            tell(&group, &trace);
            fates.push((mutant.id, *property, trace.len()));
        }
    }
    assert_eq!(fates, FATES);
}

/// What the rules decide about sets is what the quorum algebra says about the configurations' quorums, over all sets.
#[test]
fn the_rules_agree_with_the_algebra() {
    let rules = MembershipRules::adopted();
    for bounds in [by_id("M36").unwrap().bounds, by_id("M43").unwrap().bounds, by_id("M44").unwrap().bounds] {
        let first = World::created(&bounds);
        let mut configurations = vec![first.newest().clone()];
        for exchange in bounds.exchanges {
            let next = configurations.last().and_then(|last| rules.begin(last, &[*exchange])).unwrap();
            configurations.push(next);
        }
        for configuration in &configurations {
            let (write, read): (Quorum, Quorum) =
                (configuration.write_quorum(), configuration.read_quorum(&first.hydrated()));
            for set in (0..256).map(SegmentSet) {
                assert_eq!(rules.is_write_quorum(configuration, set), write.is_met_by(set), "{write} {set}");
                assert_eq!(
                    rules.is_read_quorum(configuration, set, &first.hydrated()),
                    read.is_met_by(set),
                    "{read} {set}"
                );
            }
        }
    }
}

/// Symmetry: the reduced and the unreduced search find the same violations, at a size where both end.
#[test]
fn names_do_not_matter() {
    for id in ["M36", "M45", "M47"] {
        let mutant = by_id(id).unwrap();
        let group = Group::new(mutant.rules, mutant.bounds).only("S27");
        let mut level = vec![World::created(&mutant.bounds)];
        let mut seen: BTreeSet<World> = level.iter().cloned().collect();
        let mut depth = 0;
        while level.iter().all(|world| group.violation(world).is_none()) {
            let mut next_level = Vec::new();
            for world in &level {
                world.candidates(&mutant.bounds, |action| {
                    let next = world.after(&mutant.rules, &mutant.bounds, action);
                    next_level.extend(next.filter(|next| seen.insert(next.clone())));
                });
            }
            level = next_level;
            depth += 1;
        }
        let expected = FATES.iter().find(|(mutant, property, _)| (*mutant, *property) == (id, "S27")).unwrap().2;
        assert_eq!(depth, expected, "{id}");
    }
}
