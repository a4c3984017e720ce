//! A breadth-first search of the closed world with full state equality, written without the explorers it is compared with.
#![allow(dead_code, reason = "each test file uses its part")]
#![allow(clippy::disallowed_types, reason = "a visited set of millions; nothing here depends on its order")]

use proptest::prelude::*;
use sextant_model::area::{Area, Property};
use sextant_model::bounds::Bounds;
use sextant_model::closed::Closed;
use sextant_model::group::Group;
use sextant_model::rules::{Rules, Scheme};
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
pub struct Explored<A: Area> {
    pub states: Vec<A::State>,
    /// Properties that some state violates, by id.
    pub violated: BTreeSet<&'static str>,
    /// Actions on the longest shortest path.
    pub depth: usize,
}

/// Every reachable state, and which properties some state violates. `limit` guards against bounds that do not bound.
pub fn explore<A: Area>(model: &Closed<A>, limit: usize) -> Explored<A> {
    explore_within(model, limit).unwrap_or_else(|| panic!("more than {limit} states: {}", model.bounds()))
}

/// The same; none if there are more states than `limit`.
pub fn explore_within<A: Area>(model: &Closed<A>, limit: usize) -> Option<Explored<A>> {
    let mut unbroken: Vec<Property<A>> = model.judged().to_vec();
    let mut explored: Explored<A> = Explored { states: vec![model.initial()], violated: BTreeSet::new(), depth: 0 };
    let mut seen: HashSet<A::State> = explored.states.iter().cloned().collect();
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
            if explored.states.len() > limit {
                return None;
            }
        }
        level = level.end..explored.states.len();
        explored.depth += usize::from(!level.is_empty());
    }
    Some(explored)
}

/// What a search for a violation came to.
pub struct Search<A: Area> {
    /// A shortest trace to a violation; none if all states satisfy all properties.
    pub trace: Option<Vec<A::Action>>,
    /// States seen until then.
    pub seen: usize,
}

/// The place of the state before, and the action that leads from there.
type Before<A> = Option<(usize, <A as Area>::Action)>;

/// Breadth-first to the first violation; none if more than `limit` states are seen on the way.
pub fn search<A: Area>(model: &Closed<A>, limit: usize) -> Option<Search<A>> {
    let mut states: Vec<(A::State, Before<A>)> = vec![(model.initial(), None)];
    let mut seen: HashSet<A::State> = states.iter().map(|(state, _)| state.clone()).collect();
    let mut at = 0;
    while at < states.len() {
        let state = states[at].0.clone();
        if model.violation(&state).is_some() {
            let mut trace = Vec::new();
            let mut from = states[at].1;
            while let Some((parent, action)) = from {
                trace.push(action);
                from = states[parent].1;
            }
            trace.reverse();
            return Some(Search { trace: Some(trace), seen: seen.len() });
        }
        model.candidates(&state, |action| {
            if let Some(next) = model.next(&state, action)
                && seen.insert(next.clone())
            {
                states.push((next, Some((at, action))));
            }
        });
        if states.len() > limit {
            return None;
        }
        at += 1;
    }
    Some(Search { trace: None, seen: seen.len() })
}

/// A walk that takes at each step the possible action that a number chooses, to its last state.
pub fn walk<A: Area>(model: &Closed<A>, choices: &[usize]) -> (Vec<A::Action>, A::State) {
    let mut state = model.initial();
    let mut trace = Vec::new();
    for choice in choices {
        let enabled = model.enabled(&state);
        let Some(&action) = enabled.get(choice % enabled.len().max(1)) else { break };
        state = model.next(&state, action).unwrap();
        trace.push(action);
    }
    (trace, state)
}

pub fn choices(most: usize) -> impl Strategy<Value = Vec<usize>> {
    proptest::collection::vec(0..1_000_000usize, 0..most)
}

pub fn successors<A: Area>(model: &Closed<A>, state: &A::State) -> Vec<A::State> {
    let mut next = Vec::new();
    model.candidates(state, |action| next.extend(model.next(state, action)));
    next
}

/// The properties that the closed world of `rules` within `bounds` can violate, and its number of states.
pub fn verdicts<const N: usize>(rules: Rules, bounds: Bounds, limit: usize) -> (BTreeSet<&'static str>, usize) {
    let explored = explore(&Closed::<Group<N>>::new(rules, bounds), limit);
    (explored.violated, explored.states.len())
}
