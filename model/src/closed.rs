//! A rule book, bounds and properties closed into a model, and its counterexamples told in the names of the first state.

use crate::area::{Area, Context, Property, Violation};
use crate::bounds::Switch;
use crate::coverage::Choices;
use crate::pack::{Get, Put};
use crate::partial_order;
use itertools::Itertools;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// One exploration of the area `A`: its world under `rules` within `bounds`, judged by `properties`.
#[derive(Clone, Debug)]
pub struct Closed<A: Area> {
    rules: A::Rules,
    bounds: A::Bounds,
    properties: Vec<Property<A>>,
    vacuity: Switch,
    layout: A::Layout,
    /// Whether of steps that commute only one order is explored.
    partial_order: Switch,
    /// Properties, by place in the table, whose *sometimes* was met: bookkeeping of one exploration, read by no step.
    witnessed: Arc<AtomicU32>,
    /// What takes note of the decisions that make a difference; the same.
    watched: Option<Arc<Choices<A>>>,
}

/// Six copies over three zones.
pub type Core = Closed<crate::group::Group<6>>;

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

impl<A: Area> Closed<A> {
    /// All properties, with a *sometimes* beside each.
    #[must_use]
    pub fn new(rules: A::Rules, bounds: A::Bounds) -> Self {
        let rules = A::settled(rules, &bounds);
        let layout = A::layout(Context { rules: &rules, bounds: &bounds });
        let properties = A::PROPERTIES.to_vec();
        Closed {
            rules,
            bounds,
            properties,
            vacuity: Switch::On,
            layout,
            partial_order: Switch::Off,
            witnessed: Arc::default(),
            watched: None,
        }
    }

    /// Only the property `id`, and no *sometimes*: what a shortest counterexample needs.
    #[must_use]
    pub fn only(self, id: &str) -> Self {
        Closed { vacuity: Switch::Off, ..self.judging(id) }
    }

    /// Only the property `id`, with its *sometimes*.
    #[must_use]
    pub fn judging(mut self, id: &str) -> Self {
        self.properties.retain(|property| property.id == id);
        assert!(self.properties.len() == 1, "there is no property {id}");
        self
    }

    /// The same, reduced by partial order and judged by the properties that such a space shows: see [`crate::partial_order`].
    /// What a property says of is not asked for, because a reduced space need not have it.
    ///
    /// # Errors
    /// If the area declares no reduction, or none of the properties judged can be judged so.
    pub fn by_partial_order(mut self) -> Result<Self, String> {
        let asked: Vec<&str> = self.properties.iter().map(|property| property.id).collect();
        self.properties.retain(|property| A::STABLE.contains(&property.id));
        match (A::STABLE, self.properties.as_slice()) {
            ([], _) => Err(format!("{} declares no partial order", A::NAME)),
            (stable, []) => Err(format!(
                "a violation of {} may pass, and a space that is reduced by partial order need not show it; it shows {}",
                asked.join(", "),
                stable.join(" ")
            )),
            _ => Ok(Closed { partial_order: Switch::On, vacuity: Switch::Off, ..self }),
        }
    }

    /// Whether of steps that commute only one order is explored.
    #[must_use]
    pub fn is_by_partial_order(&self) -> bool {
        self.partial_order.is_on()
    }

    /// The same, where every step is held against the alternatives to the adopted rules.
    #[must_use]
    pub fn watched_by(self, choices: &Arc<Choices<A>>) -> Self {
        Closed { watched: Some(Arc::clone(choices)), ..self }
    }

    #[must_use]
    pub fn rules(&self) -> &A::Rules {
        &self.rules
    }

    #[must_use]
    pub fn bounds(&self) -> &A::Bounds {
        &self.bounds
    }

    #[must_use]
    pub fn judged(&self) -> &[Property<A>] {
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
    pub fn is_first_witness(&self, place: usize, state: &A::State) -> bool {
        let bit = 1 << place;
        self.witnessed.load(Ordering::Relaxed) & bit == 0
            && (A::PROPERTIES[place].sometimes)(self.context(), state)
            && self.witnessed.fetch_or(bit, Ordering::Relaxed) & bit == 0
    }

    #[must_use]
    #[inline]
    pub fn context(&self) -> Context<'_, A> {
        Context { rules: &self.rules, bounds: &self.bounds }
    }

    /// The first state; canonical if the bounds reduce by symmetry.
    #[must_use]
    pub fn initial(&self) -> A::State {
        self.reduced(A::initial(self.context()))
    }

    /// Candidates in `state`; [`Closed::next`] tells which are possible.
    /// With a partial order only those that need be explored now.
    #[inline]
    pub fn candidates(&self, state: &A::State, take: impl FnMut(A::Action)) {
        if self.partial_order.is_on() {
            return self.persistent(state).into_iter().for_each(take);
        }
        A::candidates(self.context(), state, take);
    }

    /// Of the possible actions those that need be explored now: what is left out can be taken later and leads no less far.
    fn persistent(&self, state: &A::State) -> Vec<A::Action> {
        let context = self.context();
        let mut enabled = Vec::new();
        A::candidates(context, state, |action| enabled.push(action));
        enabled.retain(|&action| A::after(context, state, action).is_some());
        match A::footprints(context, state, &enabled) {
            Some(steps) => partial_order::persistent(&steps).into_iter().map(|place| enabled[place]).collect(),
            None => enabled,
        }
    }

    /// The state after `action`, canonical if the bounds reduce by symmetry; none if the action changes nothing.
    #[must_use]
    #[inline]
    pub fn next(&self, state: &A::State, action: A::Action) -> Option<A::State> {
        let next = A::after(self.context(), state, action);
        if let Some(choices) = &self.watched {
            choices.watch(self.context(), state, action, next.as_ref());
        }
        next.map(|next| self.reduced(next))
    }

    #[inline]
    fn reduced(&self, state: A::State) -> A::State {
        if A::is_reduced(&self.bounds) { A::canonical(self.context(), state) } else { state }
    }

    /// The actions possible in `state`.
    #[must_use]
    pub fn enabled(&self, state: &A::State) -> Vec<A::Action> {
        let mut enabled = Vec::new();
        self.candidates(state, |action| enabled.push(action));
        enabled.retain(|&action| self.next(state, action).is_some());
        enabled
    }

    /// The first violated property of `state`, with the violating fact.
    #[must_use]
    pub fn violation(&self, state: &A::State) -> Option<(Property<A>, Violation)> {
        self.properties.iter().find_map(|p| (p.check)(self.context(), state).err().map(|fact| (*p, fact)))
    }

    /// The same model without symmetry: what traces are replayed on.
    #[must_use]
    pub fn unreduced(&self) -> Self {
        // States are packed alike with and without symmetry.
        Closed { bounds: A::unreduced(self.bounds), ..self.clone() }
    }

    // --- packing ---------------------------------------------------------------------------------------------------

    /// Bits of every packed state of this exploration.
    #[must_use]
    pub fn packed_bits(&self) -> u32 {
        let mut count = Count(0);
        self.pack(&self.initial(), &mut count);
        count.0
    }

    /// Puts [`Closed::packed_bits`] bits that tell the state.
    ///
    /// # Panics
    /// If the state lies outside the bounds of this exploration.
    #[inline]
    pub fn pack(&self, state: &A::State, out: &mut impl Put) {
        A::pack(self.context(), &self.layout, state, out);
    }

    /// The state that was packed.
    #[inline]
    pub fn unpack(&self, from: &mut impl Get) -> A::State {
        A::unpack(self.context(), &self.layout, from)
    }

    // --- telling ---------------------------------------------------------------------------------------------------

    /// A trace of the reduced model in the names of the first state: every actor keeps its name from step to step, and
    /// each step has been replayed on the unreduced world.
    ///
    /// # Errors
    /// If a step is not possible there or leads elsewhere: then the reduction is wrong.
    pub fn concrete(&self, trace: &[A::Action]) -> Result<Vec<A::Action>, NotReplayable> {
        if !A::is_reduced(&self.bounds) {
            return Ok(trace.to_vec());
        }
        let context = self.context();
        let mut real = A::initial(context);
        let mut names = A::sources(context, &real);
        let mut reduced = A::canonical(context, real.clone());
        let mut told = Vec::new();
        for (step, &action) in trace.iter().enumerate() {
            let stuck = |reason: &str| NotReplayable { step, reason: format!("{reason}: {action:?}") };
            let renamed = A::renamed(action, &names);
            real = A::after(context, &real, renamed).ok_or_else(|| stuck("not possible"))?;
            let after = A::after(context, &reduced, action).ok_or_else(|| stuck("not possible when reduced"))?;
            names = A::sources(context, &after).iter().map(|&from| names[from]).collect();
            reduced = A::canonical(context, after);
            if A::canonical(context, real.clone()) != reduced {
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
    pub fn walk(&self, trace: &[A::Action]) -> Result<Vec<A::State>, NotReplayable> {
        let mut states = vec![A::initial(self.context())];
        for (step, &action) in trace.iter().enumerate() {
            let next = A::after(self.context(), &states[step], action);
            states.push(next.ok_or_else(|| NotReplayable { step, reason: format!("not possible: {action:?}") })?);
        }
        Ok(states)
    }

    /// A trace of real names for a person: one numbered line an action, with what it changed.
    ///
    /// # Errors
    /// As [`Closed::walk`].
    pub fn tell(&self, trace: &[A::Action]) -> Result<Vec<String>, NotReplayable> {
        let states = self.walk(trace)?;
        let line = |(step, (before, after)): (usize, (&A::State, &A::State))| {
            let changes = A::changes(self.context(), before, after).join("; ");
            let action = A::describe(self.context(), trace[step]);
            format!("{:>3}. {action:<42} {changes}", step + 1).trim_end().to_owned()
        };
        Ok(states.iter().tuple_windows().enumerate().map(line).collect())
    }
}

struct Count(u32);

impl Put for Count {
    fn put(&mut self, _: u64, bits: u32) {
        self.0 += bits;
    }
}
