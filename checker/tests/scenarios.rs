//! Published incidents as cases (`model/tests/scenarios`): each walks to its violation by the rules that had the fault, its last
//! action is the one that violates, and by the adopted rules the same actions are not possible or violate nothing.

use std::path::{Path, PathBuf};

use sextant::explore::case::Case;
use sextant::explore::catalogue::{area, open};

/// File name and what its first lines must name.
const INCIDENTS: [(&str, &str); 13] = [
    ("aurora-failover-race", "Aurora"),
    ("bookkeeper-2614", "BookKeeper #2614"),
    ("bookkeeper-2908", "BookKeeper #2908"),
    ("bookkeeper-799", "BOOKKEEPER-799"),
    ("bookkeeper-bp-44", "BookKeeper BP-44"),
    ("kafka-kip-966", "KIP-966"),
    ("nats-2.12.1", "NATS 2.12.1"),
    ("neon-2432", "Neon #2432"),
    ("neon-567", "Neon #567"),
    ("neon-7791", "Neon #7791"),
    ("neon-9685", "Neon #9685"),
    ("neon-rfc-013", "Neon RFC 013"),
    ("wedge-3-3", "openraft"),
];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../model/tests/scenarios")
}

#[test]
fn every_incident_happens_by_its_rules_and_not_by_the_adopted_ones() {
    for (name, source) in INCIDENTS {
        let case = Case::read(&folder().join(format!("{name}.case"))).unwrap_or_else(|error| panic!("{error}"));
        assert!(case.about.iter().any(|line| line.contains(source)), "{name} does not name {source}");
        let expected = case.violates.as_deref().unwrap_or_else(|| panic!("{name} violates nothing"));
        let violates = |case: &Case, actions: usize| {
            let walk = open(case).unwrap().walk(&case.actions[..actions]);
            walk.map(|walk| walk.violated.iter().any(|(property, _)| property.id == expected))
        };
        let all = case.actions.len();
        assert_eq!(violates(&case, all), Ok(true), "{name}");
        assert_eq!(violates(&case, all - 1), Ok(false), "{name} violates {expected} before its last action");

        let adopted = Case { rules: area(&case.area).unwrap().adopted(), ..case.clone() };
        assert_ne!(adopted.rules, case.rules, "{name} happens by the adopted rules");
        let harmless = violates(&adopted, all);
        assert!(harmless != Ok(true), "{name} happens by the adopted rules: {harmless:?}");
    }
}

#[test]
fn no_scenario_is_left_out() {
    let mut found: Vec<String> = std::fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned())
        .collect();
    found.sort();
    assert_eq!(found, INCIDENTS.map(|(name, _)| name));
}
