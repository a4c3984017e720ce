//! A rule book, bounds and properties closed into a model, and its counterexamples told in the names of the first state.

use crate::action::Action;
use crate::bounds::{Bounds, Switch};
use crate::pack::Layout;
use crate::properties::{self, Context, Property, Violation};
use crate::rules::Rules;
use crate::world::World;
use itertools::Itertools;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// One exploration: `N` segments under `rules` within `bounds`, judged by `properties`.
#[derive(Clone, Debug)]
pub struct Closed<const N: usize> {
    rules: Rules,
    bounds: Bounds,
    properties: Vec<Property<N>>,
    vacuity: Switch,
    layout: Layout,
    /// Properties, by place in the table, whose *sometimes* was met: bookkeeping of one exploration, read by no step.
    witnessed: Arc<AtomicU32>,
}

/// Six copies over three zones.
pub type Core = Closed<6>;

/// Why a trace could not be told: a failure of the explorer, never of the protocol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotReplayable {
    pub step: usize,
    pub reason: String,
}

impl std::fmt::Display for NotReplayable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "step {} of the trace does not replay: {}", self.step, self.reason)
    }
}

impl std::error::Error for NotReplayable {}

impl<const N: usize> Closed<N> {
    /// All properties, with a *sometimes* beside each. The allocation limit is that of the bounds.
    #[must_use]
    pub fn new(rules: Rules, bounds: Bounds) -> Self {
        let copies = N as u8;
        assert!(rules.scheme.copies == copies, "the scheme has {} copies, the world {copies}", rules.scheme.copies);
        let rules = rules.with_lal(bounds.lal);
        let layout = Layout::of::<N>(&rules, &bounds);
        let properties = properties::all().to_vec();
        Closed { rules, bounds, properties, vacuity: Switch::On, layout, witnessed: Arc::default() }
    }

    /// Only the property `id`, and no *sometimes*: what a shortest counterexample needs.
    #[must_use]
    pub fn only(mut self, id: &str) -> Self {
        self.properties.retain(|property| property.id == id);
        assert!(self.properties.len() == 1, "there is no property {id}");
        self.vacuity = Switch::Off;
        self
    }

    /// How its states are packed.
    pub(crate) fn layout(&self) -> Layout {
        self.layout
    }

    #[must_use]
    pub fn rules(&self) -> &Rules {
        &self.rules
    }

    #[must_use]
    pub fn bounds(&self) -> &Bounds {
        &self.bounds
    }

    #[must_use]
    pub fn judged(&self) -> &[Property<N>] {
        &self.properties
    }

    /// Whether every property also asks for a state in which it says something.
    #[must_use]
    pub fn asks_for_witnesses(&self) -> bool {
        self.vacuity.is_on()
    }

    /// Whether `state` is the first seen in which the property at `place` says something. Stateright 0.31 copies the path
    /// to every state in which a *sometimes* holds, so each reports itself once.
    #[must_use]
    pub fn is_first_witness(&self, place: usize, sometimes: fn(Context, &World<N>) -> bool, state: &World<N>) -> bool {
        let bit = 1 << place;
        self.witnessed.load(Ordering::Relaxed) & bit == 0
            && sometimes(self.context(), state)
            && self.witnessed.fetch_or(bit, Ordering::Relaxed) & bit == 0
    }

    #[must_use]
    pub fn context(&self) -> Context<'_> {
        Context { rules: &self.rules, bounds: &self.bounds }
    }

    #[must_use]
    pub fn initial(&self) -> World<N> {
        World::created(&self.rules, &self.bounds)
    }

    /// Candidates in `state`; [`Closed::next`] tells which are possible.
    pub fn candidates(&self, state: &World<N>, take: impl FnMut(Action)) {
        state.candidates(&self.bounds, take);
    }

    /// The state after `action`, canonical if the bounds reduce by symmetry; none if the action changes nothing.
    #[must_use]
    pub fn next(&self, state: &World<N>, action: Action) -> Option<World<N>> {
        let next = state.after(&self.rules, &self.bounds, action)?;
        Some(if self.bounds.symmetry.is_on() { next.canonical().0 } else { next })
    }

    /// The actions possible in `state`.
    #[must_use]
    pub fn enabled(&self, state: &World<N>) -> Vec<Action> {
        let mut enabled = Vec::new();
        self.candidates(state, |action| enabled.push(action));
        enabled.retain(|&action| self.next(state, action).is_some());
        enabled
    }

    /// The first violated property of `state`, with the violating fact.
    #[must_use]
    pub fn violation(&self, state: &World<N>) -> Option<(Property<N>, Violation)> {
        self.properties.iter().find_map(|p| (p.check)(self.context(), state).err().map(|fact| (*p, fact)))
    }

    /// The same model without symmetry: what traces are replayed on.
    #[must_use]
    pub fn unreduced(&self) -> Self {
        // States are packed alike with and without symmetry.
        Closed { bounds: self.bounds.unreduced(), ..self.clone() }
    }

    /// A trace of the reduced model in the names of the first state: every segment keeps its name from step to step, and
    /// each step has been replayed on the unreduced world.
    ///
    /// # Errors
    /// If a step is not possible there or leads elsewhere: then the reduction is wrong.
    pub fn concrete(&self, trace: &[Action]) -> Result<Vec<Action>, NotReplayable> {
        if !self.bounds.symmetry.is_on() {
            return Ok(trace.to_vec());
        }
        let mut real = self.initial();
        let mut reduced = self.initial();
        let mut names: [usize; N] = std::array::from_fn(|i| i);
        let mut told = Vec::new();
        for (step, &action) in trace.iter().enumerate() {
            let stuck = |reason: &str| NotReplayable { step, reason: format!("{reason}: {action:?}") };
            let renamed = action.renamed(&names);
            real = real.after(&self.rules, &self.bounds, renamed).ok_or_else(|| stuck("not possible"))?;
            let after =
                reduced.after(&self.rules, &self.bounds, action).ok_or_else(|| stuck("not possible when reduced"))?;
            let (canonical, sources) = after.canonical();
            names = sources.map(|from| names[from]);
            reduced = canonical;
            if real.clone().canonical().0 != reduced {
                return Err(stuck("leads to another state"));
            }
            told.push(renamed);
        }
        Ok(told)
    }

    /// The states along a trace of real names, the first one included.
    ///
    /// # Errors
    /// If an action is not possible where the trace takes it.
    pub fn walk(&self, trace: &[Action]) -> Result<Vec<World<N>>, NotReplayable> {
        let mut states = vec![self.initial()];
        for (step, &action) in trace.iter().enumerate() {
            let next = states[step].after(&self.rules, &self.bounds, action);
            states.push(next.ok_or_else(|| NotReplayable { step, reason: format!("not possible: {action:?}") })?);
        }
        Ok(states)
    }

    /// A trace of real names for a person: one numbered line an action, with what it changed.
    ///
    /// # Errors
    /// As [`Closed::walk`].
    pub fn tell(&self, trace: &[Action]) -> Result<Vec<String>, NotReplayable> {
        let states = self.walk(trace)?;
        let line = |(step, (before, after)): (usize, (&World<N>, &World<N>))| {
            let changes = crate::diff::changes(self.rules.scheme, before, after).join("; ");
            format!("{:>3}. {:<42} {changes}", step + 1, trace[step].describe(self.rules.scheme)).trim_end().to_owned()
        };
        Ok(states.iter().tuple_windows().enumerate().map(line).collect())
    }
}
