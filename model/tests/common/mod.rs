//! A breadth-first search of the closed world with full state equality, written without the explorers it is compared with.
#![allow(dead_code, reason = "each test file uses its part")]
#![allow(clippy::disallowed_types, reason = "a visited set of millions; nothing here depends on its order")]

use sextant_model::action::Action;
use sextant_model::bounds::Bounds;
use sextant_model::closed::Closed;
use sextant_model::properties::Property;
use sextant_model::rules::{Rules, Scheme};
use sextant_model::world::World;
use std::collections::{BTreeSet, HashSet};

/// `rules` at three copies, 3/2/2. The mutants of a threshold lower that of the smaller scheme.
pub fn at_three(rules: Rules) -> Rules {
    let mut small = rules;
    small.scheme = Scheme {
        write: Scheme::TEACHING.write + rules.scheme.write - Scheme::AURORA.write,
        read: Scheme::TEACHING.read + rules.scheme.read - Scheme::AURORA.read,
        ..Scheme::TEACHING
    };
    small
}

/// What a full exploration found.
pub struct Explored<const N: usize> {
    pub states: Vec<World<N>>,
    /// Properties that some state violates, by id.
    pub violated: BTreeSet<&'static str>,
    /// Actions on the longest shortest path.
    pub depth: usize,
}

/// Every reachable state, and which properties some state violates. `limit` guards against bounds that do not bound.
pub fn explore<const N: usize>(model: &Closed<N>, limit: usize) -> Explored<N> {
    let mut unbroken: Vec<Property<N>> = model.judged().to_vec();
    let mut explored = Explored { states: vec![model.initial()], violated: BTreeSet::new(), depth: 0 };
    let mut seen: HashSet<World<N>> = explored.states.iter().cloned().collect();
    let mut level = 0..1;
    while !level.is_empty() {
        for at in level.clone() {
            let state = explored.states[at].clone();
            unbroken.retain(|property| {
                let holds = (property.check)(model.context(), &state).is_ok();
                if !holds {
                    explored.violated.insert(property.id);
                }
                holds
            });
            for next in successors(model, &state) {
                if !seen.contains(&next) {
                    seen.insert(next.clone());
                    explored.states.push(next);
                }
            }
            assert!(explored.states.len() < limit, "more than {limit} states: {}", model.bounds());
        }
        level = level.end..explored.states.len();
        explored.depth += usize::from(!level.is_empty());
    }
    explored
}

pub fn successors<const N: usize>(model: &Closed<N>, state: &World<N>) -> Vec<World<N>> {
    let mut next = Vec::new();
    model.candidates(state, |action: Action| next.extend(model.next(state, action)));
    next
}

/// The properties that the closed world of `rules` within `bounds` can violate, and its number of states.
pub fn verdicts<const N: usize>(rules: Rules, bounds: Bounds, limit: usize) -> (BTreeSet<&'static str>, usize) {
    let explored = explore(&Closed::<N>::new(rules, bounds), limit);
    (explored.violated, explored.states.len())
}
