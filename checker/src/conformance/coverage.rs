//! How much of the protocol a run has been through: the shapes ([`sextant_model::shape`]) that it has met, and the steps between
//! them, of all that one leg of the explorer reaches.

use std::collections::HashSet;
use std::fmt;

use serde::Serialize;
use sextant_model::closed::Core;
use sextant_model::profiles;
use sextant_model::rules::Rules;
use sextant_model::shape::Shape;
use sextant_model::world::World;
use sextant_storage::visited::Visited;

/// The profile and the leg that a run is held against.
const PROFILE: &str = "core";
const LEG: &str = "gossip";

/// Everything that the leg reaches.
#[derive(Debug)]
struct Reachable {
    shapes: HashSet<Shape>,
    steps: HashSet<(Shape, Shape)>,
}

impl Reachable {
    /// Breadth-first, by the adopted rules.
    fn explored() -> Self {
        let profile = profiles::by_name(PROFILE).expect("the profile is in the table");
        let leg = profile.quick.iter().find(|leg| leg.name == LEG).expect("the leg is in the table");
        let model = Core::new(Rules::adopted(), leg.bounds);
        let shape = |state: &World<6>| Shape::of(model.context().rules, state);
        let mut reachable = Reachable { shapes: HashSet::new(), steps: HashSet::new() };
        let mut seen = HashSet::from([model.initial()]);
        let mut level: Vec<_> = seen.iter().cloned().collect();
        while !level.is_empty() {
            let mut next = Vec::new();
            for state in &level {
                let before = shape(state);
                reachable.shapes.extend(before);
                model.candidates(state, |action| {
                    let Some(after) = model.next(state, action) else { return };
                    reachable.steps.extend(before.zip(shape(&after)).filter(|(before, after)| before != after));
                    if !seen.contains(&after) {
                        seen.insert(after.clone());
                        next.push(after);
                    }
                });
            }
            level = next;
        }
        reachable
    }
}

/// How much of a leg a run has been through. The names are an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Coverage {
    pub profile: &'static str,
    pub leg: &'static str,
    /// Abstract states of the leg, and how many of them the run has met.
    pub reachable: usize,
    pub visited: usize,
    /// Abstract transitions between them; the same.
    pub transitions: usize,
    pub taken: usize,
    /// Abstract states of the run, and how many of its states it has met in all, each order counted.
    pub shapes: usize,
    pub states: u64,
    /// How many of those states are of a shape that the leg reaches.
    pub inside: u64,
}

impl Coverage {
    /// Explores the leg.
    #[must_use]
    pub fn of(visited: &Visited) -> Self {
        let reachable = Reachable::explored();
        let inside = visited.shapes.iter().filter(|(shape, _)| reachable.shapes.contains(shape));
        let (met, inside) = inside.fold((0, 0), |(met, times), (_, more)| (met + 1, times + more));
        Coverage {
            profile: PROFILE,
            leg: LEG,
            reachable: reachable.shapes.len(),
            visited: met,
            transitions: reachable.steps.len(),
            taken: visited.steps.intersection(&reachable.steps).count(),
            shapes: visited.shapes.len(),
            states: visited.shapes.values().sum(),
            inside,
        }
    }
}

impl fmt::Display for Coverage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Coverage { profile, leg, reachable, visited, transitions, taken, shapes, states, inside } = self;
        let percent = *inside as f64 * 100.0 / (*states).max(1) as f64;
        write!(
            f,
            "{visited} of {reachable} abstract states and {taken} of {transitions} transitions of {profile} {leg}; {percent:.1} % \
             of the run's {states} states lie inside, and {visited} of its {shapes} abstract ones"
        )
    }
}
