//! Leads-to under weak and strong fairness, on spaces that fit in memory as a graph.
//!
//! A run is an infinite path, or one that ends where no step is possible and stays there. A step changes the state: an
//! action that leads back to the very state is none, is not enabled, and satisfies no fairness (as TLA's ⟨A⟩ᵥ). *p leads
//! to q* is violated by a run with a state where p holds and q does not, behind which q never holds, and which is fair:
//! * weakly to a set of actions, if one of them is taken again and again or again and again none is possible;
//! * strongly, if one of them is taken again and again or from some time on none is possible.
//!
//! Such a run exists exactly if among the states without q that are reachable from such a p there is one without a step, or
//! a strongly connected component that is fair. Of a component in which a weakly fair set is possible everywhere and never
//! taken nothing is fair; where a strongly fair set is possible and never taken, the states in which it is possible
//! are taken out, and what is left falls into components again (Emerson and Lei 1987).
//!
//! With [`Stops::Anywhere`] a run may also stop where something is possible, if nothing is that it is fair to: so a fault is
//! possible and never due, as in TLA.
//!
//! Where symmetry is reduced, fairness must be to sets of actions that no renaming changes: fairness to one of two
//! interchangeable processes says nothing about a representative. A step between states that differ only in names is taken for
//! none ([`Graph::loops`]), so where there is one, symmetry must not be reduced.

use std::collections::{HashMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};

pub use sextant_model::area::Strength;
use stateright::Model;

use super::packed::{Failure, Packed, Reader, Trace, Writer, panic_message};

/// A condition on states.
pub type Condition<M> = fn(&M, &<M as Model>::State) -> bool;

/// Whenever `from` holds, `to` holds then or later.
pub struct LeadsTo<M: Model> {
    pub name: &'static str,
    pub from: Condition<M>,
    pub to: Condition<M>,
}

/// Fairness to the actions that `of` names.
pub struct Fairness<A> {
    pub strength: Strength,
    pub of: Box<dyn Fn(&A) -> bool>,
}

impl<A> Fairness<A> {
    #[must_use]
    pub fn weak(of: impl Fn(&A) -> bool + 'static) -> Self {
        Fairness { strength: Strength::Weak, of: Box::new(of) }
    }

    #[must_use]
    pub fn strong(of: impl Fn(&A) -> bool + 'static) -> Self {
        Fairness { strength: Strength::Strong, of: Box::new(of) }
    }
}

/// A run that violates a leads-to: a way to a cycle, which is repeated for ever. An empty cycle: it stays where it is.
#[derive(Clone, Debug)]
pub struct Lasso<S, A> {
    pub stem: Trace<S, A>,
    pub cycle: Vec<(A, S)>,
}

/// What was asked of one property.
#[derive(Clone, Debug)]
pub struct Judged<S, A> {
    pub name: &'static str,
    /// None if it holds.
    pub lasso: Option<Lasso<S, A>>,
    /// Whether no reachable state satisfies `from` without `to`: it holds, and says nothing.
    pub vacuous: bool,
}

/// Where a run may end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Stops {
    /// Where no step is possible.
    #[default]
    AtTheEnd,
    /// Where no step is possible that the run is fair to.
    Anywhere,
}

/// A space as a graph.
pub struct Graph<'a, M: Packed> {
    model: &'a M,
    words: usize,
    /// The packed states one behind the other.
    states: Vec<u64>,
    firsts: Vec<u32>,
    /// Where each state's steps begin, and where the last one's end.
    begins: Vec<usize>,
    steps: Vec<Step>,
    fairness: Vec<Strength>,
    stops: Stops,
    loops: usize,
}

#[derive(Clone, Copy, Debug)]
struct Step {
    to: u32,
    /// The place of the action in what the model offers.
    place: u32,
    /// Bit i: fairness i speaks of the action.
    fair: u64,
}

/// One state of a search for a property: the state, and whether it is waited for `to`.
type Node = (u32, bool);

impl<'a, M: Packed> Graph<'a, M> {
    /// All reachable states with their steps. At most `states_max` of them, and at most 64 fairnesses.
    ///
    /// # Errors
    /// If there are more, or if the model panics.
    pub fn of(model: &'a M, fairness: &[Fairness<M::Action>], states_max: u32) -> Result<Self, Failure> {
        let strengths = fairness.iter().map(|f| f.strength).collect();
        let fair = |_: &M::State, action: &M::Action| {
            fairness.iter().enumerate().fold(0, |bits, (i, f)| bits | u64::from((f.of)(action)) << i)
        };
        match Graph::within(model, strengths, &fair, states_max, Stops::AtTheEnd)? {
            Some(graph) => Ok(graph),
            None => Err(Failure(format!("more than {states_max} states: too many for a graph in memory"))),
        }
    }

    /// The same, and none if there are more states; with a choice of where a run may end. `fair` tells, by bits, which of the
    /// fairnesses speak of an action in a state.
    ///
    /// # Errors
    /// If there are more than 64 fairnesses, or if the model panics.
    pub fn within(
        model: &'a M,
        fairness: Vec<Strength>,
        fair: &dyn Fn(&M::State, &M::Action) -> u64,
        states_max: u32,
        stops: Stops,
    ) -> Result<Option<Self>, Failure> {
        if fairness.len() > 64 {
            return Err(Failure(format!("liveness knows at most 64 fairnesses, not {}", fairness.len())));
        }
        let words = (model.bits().div_ceil(64) as usize).max(1);
        let (states, firsts, begins, steps) = (Vec::new(), Vec::new(), vec![0], Vec::new());
        let mut graph = Graph { model, words, states, firsts, begins, steps, fairness, stops, loops: 0 };
        let built = catch_unwind(AssertUnwindSafe(|| graph.build(fair, states_max)));
        let fits =
            built.map_err(|panic| Failure(format!("the model panicked: {}", panic_message(panic.as_ref()))))??;
        Ok(fits.then_some(graph))
    }

    /// Whether it fits.
    fn build(&mut self, fair: &dyn Fn(&M::State, &M::Action) -> u64, states_max: u32) -> Result<bool, Failure> {
        let mut known: HashMap<Box<[u64]>, u32> = HashMap::new();
        for state in self.model.init_states().into_iter().filter(|state| self.model.within_boundary(state)) {
            let first = self.number(&mut known, &state);
            if !self.firsts.contains(&first) {
                self.firsts.push(first);
            }
        }
        let mut actions = Vec::new();
        let mut at = 0;
        while at < self.len() {
            if self.len() > states_max as usize {
                return Ok(false);
            }
            let state = self.state(at as u32);
            self.model.actions(&state, &mut actions);
            for (place, action) in actions.drain(..).enumerate() {
                let fair = fair(&state, &action);
                let next = self.model.next_state(&state, action).filter(|next| self.model.within_boundary(next));
                if let Some(next) = next {
                    let to = self.number(&mut known, &next);
                    if to as usize != at {
                        self.steps.push(Step { to, place: place as u32, fair });
                    } else {
                        self.loops += 1;
                    }
                }
            }
            self.begins.push(self.steps.len());
            at += 1;
        }
        Ok(true)
    }

    fn number(&mut self, known: &mut HashMap<Box<[u64]>, u32>, state: &M::State) -> u32 {
        let mut words = vec![0; self.words];
        let mut writer = Writer::new(&mut words);
        self.model.pack(state, &mut writer);
        writer.finish();
        let next = known.len() as u32;
        match known.entry(words.into_boxed_slice()) {
            std::collections::hash_map::Entry::Occupied(old) => *old.get(),
            std::collections::hash_map::Entry::Vacant(new) => {
                self.states.extend_from_slice(new.key());
                *new.insert(next)
            }
        }
    }

    /// States.
    #[must_use]
    pub fn len(&self) -> usize {
        self.states.len() / self.words
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.states.is_empty()
    }

    /// Steps from a state to another.
    #[must_use]
    pub fn steps(&self) -> usize {
        self.steps.len()
    }

    /// Actions that lead back to the state in which they are taken.
    #[must_use]
    pub fn loops(&self) -> usize {
        self.loops
    }

    /// A shortest way to a state without a step; none if there is no such state.
    #[must_use]
    pub fn deadlock(&self) -> Option<Trace<M::State, M::Action>> {
        let reached = self.search(|_| (false, false));
        let stuck = |node: &&Node| self.out(node.0).is_empty();
        reached.order.iter().find(stuck).map(|&node| self.trace(&reached, node))
    }

    /// Whether `property` holds of every fair run.
    #[must_use]
    pub fn judge(&self, property: &LeadsTo<M>) -> Judged<M::State, M::Action> {
        let (from, to) = (property.from, property.to);
        self.leads(property.name, &|state| from(self.model, state), &|state| to(self.model, state))
    }

    /// Whether `to` holds behind every state in which `from` does, on every fair run.
    #[must_use]
    pub fn leads(
        &self,
        name: &'static str,
        from: &dyn Fn(&M::State) -> bool,
        to: &dyn Fn(&M::State) -> bool,
    ) -> Judged<M::State, M::Action> {
        let conditions: Vec<(bool, bool)> = (0..self.len() as u32)
            .map(|at| {
                let state = self.state(at);
                (from(&state), to(&state))
            })
            .collect();
        let reached = self.search(|at| conditions[at as usize]);
        let mut waiting = vec![false; self.len()];
        reached.order.iter().filter(|(_, waits)| *waits).for_each(|&(at, _)| waiting[at as usize] = true);
        let vacuous = !waiting.contains(&true);
        let cycle = self.fair(waiting);
        let lasso = cycle.and_then(|component| {
            // The nearest of its states; the search came to it in this order.
            let entry = reached.order.iter().find(|(at, waits)| *waits && component.binary_search(at).is_ok())?;
            let cycle = self.around(&component, entry.0);
            Some(Lasso { stem: self.trace(&reached, *entry), cycle })
        });
        Judged { name, lasso, vacuous }
    }

    fn state(&self, at: u32) -> M::State {
        let begin = at as usize * self.words;
        self.model.unpack(&mut Reader::new(&self.states[begin..begin + self.words]))
    }

    fn out(&self, at: u32) -> &[Step] {
        &self.steps[self.begins[at as usize]..self.begins[at as usize + 1]]
    }

    /// The fairnesses with a possible action.
    fn enabled(&self, at: u32) -> u64 {
        self.out(at).iter().fold(0, |bits, step| bits | step.fair)
    }

    // --- ways -------------------------------------------------------------------------------------------------------

    /// Breadth-first over states and whether `to` is waited for there.
    fn search(&self, conditions: impl Fn(u32) -> (bool, bool)) -> Reached {
        let waits = |before: bool, at: u32| {
            let (from, to) = conditions(at);
            (before || from) && !to
        };
        let mut reached = Reached { order: Vec::new(), before: HashMap::new() };
        for &first in &self.firsts {
            reached.see((first, waits(false, first)), None);
        }
        let mut next = 0;
        while let Some(&node) = reached.order.get(next) {
            next += 1;
            for (place, step) in self.out(node.0).iter().enumerate() {
                reached.see((step.to, waits(node.1, step.to)), Some((node, place)));
            }
        }
        reached
    }

    fn trace(&self, reached: &Reached, to: Node) -> Trace<M::State, M::Action> {
        let mut steps = VecDeque::new();
        let mut at = to;
        while let Some((before, place)) = reached.before[&at] {
            steps.push_front(self.told(before.0, place));
            at = before;
        }
        Trace { first: self.state(at.0), steps: steps.into() }
    }

    /// The action of a step, and the state that it leads to.
    fn told(&self, from: u32, place: usize) -> (M::Action, M::State) {
        let step = self.out(from)[place];
        let mut actions = Vec::new();
        self.model.actions(&self.state(from), &mut actions);
        (actions.swap_remove(step.place as usize), self.state(step.to))
    }

    // --- components -------------------------------------------------------------------------------------------------

    /// A sorted set of states within `allowed` that a fair run can stay in: one in which it may stop, or a fair component.
    fn fair(&self, mut allowed: Vec<bool>) -> Option<Vec<u32>> {
        let stops = |at: u32| match self.stops {
            Stops::AtTheEnd => self.out(at).is_empty(),
            Stops::Anywhere => self.enabled(at) == 0,
        };
        let stuck = |at: &u32| allowed[*at as usize] && stops(*at);
        if let Some(at) = (0..self.len() as u32).find(stuck) {
            return Some(vec![at]);
        }
        let strong = self.mask(Strength::Strong);
        loop {
            let mut again = false;
            for component in self.components(&allowed) {
                let (mut taken, mut anywhere, mut everywhere) = (0, 0, u64::MAX);
                for &at in &component {
                    let inside = self.out(at).iter().filter(|step| component.binary_search(&step.to).is_ok());
                    taken |= inside.fold(0, |bits, step| bits | step.fair);
                    anywhere |= self.enabled(at);
                    everywhere &= self.enabled(at);
                }
                let missed = anywhere & strong & !taken;
                if everywhere & self.mask(Strength::Weak) & !taken != 0 || component.len() < 2 {
                    component.iter().for_each(|&at| allowed[at as usize] = false);
                } else if missed == 0 {
                    return Some(component);
                } else {
                    let out = component.iter().filter(|at| self.enabled(**at) & missed != 0);
                    out.for_each(|&at| allowed[at as usize] = false);
                    again = true;
                }
            }
            if !again {
                return None;
            }
        }
    }

    fn mask(&self, strength: Strength) -> u64 {
        let bits = self.fairness.iter().enumerate().filter(|(_, s)| **s == strength);
        bits.fold(0, |mask, (i, _)| mask | 1 << i)
    }

    /// The strongly connected components within `allowed`, each sorted (Tarjan 1972, without recursion).
    fn components(&self, allowed: &[bool]) -> Vec<Vec<u32>> {
        const UNSEEN: u32 = u32::MAX;
        let mut found = Vec::new();
        let (mut order, mut low) = (vec![UNSEEN; self.len()], vec![UNSEEN; self.len()]);
        let (mut open, mut is_open) = (Vec::new(), vec![false; self.len()]);
        let mut count = 0;
        for root in 0..self.len() as u32 {
            if !allowed[root as usize] || order[root as usize] != UNSEEN {
                continue;
            }
            let mut way = vec![(root, 0)];
            while let Some(&mut (at, ref mut place)) = way.last_mut() {
                let here = at as usize;
                if *place == 0 {
                    (order[here], low[here]) = (count, count);
                    count += 1;
                    open.push(at);
                    is_open[here] = true;
                }
                let step = self.out(at).get(*place).copied();
                *place += 1;
                if let Some(step) = step {
                    let to = step.to as usize;
                    if allowed[to] && order[to] == UNSEEN {
                        way.push((step.to, 0));
                    } else if allowed[to] && is_open[to] {
                        low[here] = low[here].min(order[to]);
                    }
                    continue;
                }
                way.pop();
                if let Some(&(before, _)) = way.last() {
                    low[before as usize] = low[before as usize].min(low[here]);
                }
                if low[here] == order[here] {
                    let begin = open.iter().rposition(|other| *other == at).unwrap_or(0);
                    let mut component = open.split_off(begin);
                    component.iter().for_each(|other| is_open[*other as usize] = false);
                    component.sort_unstable();
                    found.push(component);
                }
            }
        }
        found
    }

    /// A cycle from `entry` through the component that is fair: for each fairness, through one of its actions if the
    /// component has one, and otherwise, if it is weak, through a state in which none is possible.
    fn around(&self, component: &[u32], entry: u32) -> Vec<(M::Action, M::State)> {
        if component.len() == 1 {
            return Vec::new();
        }
        let inside = |to: u32| component.binary_search(&to).is_ok();
        let mut cycle: Vec<(u32, usize)> = Vec::new();
        let mut at = entry;
        for bit in (0..self.fairness.len()).map(|i| 1u64 << i) {
            let has = |from: u32| self.out(from).iter().position(|s| s.fair & bit != 0 && inside(s.to));
            let taken = cycle.iter().any(|&(from, place)| self.out(from)[place].fair & bit != 0);
            let idle = |from: u32| self.enabled(from) & bit == 0;
            if taken || idle(entry) || cycle.iter().any(|&(from, _)| idle(from)) && self.mask(Strength::Weak) & bit != 0
            {
                // A strongly fair set that is not possible here may be possible elsewhere.
                if taken || self.mask(Strength::Weak) & bit != 0 || !component.iter().any(|&s| has(s).is_some()) {
                    continue;
                }
            }
            if component.iter().any(|&state| has(state).is_some()) {
                self.go(&inside, &mut cycle, &mut at, &|state| has(state).is_some());
                if let Some(place) = has(at) {
                    cycle.push((at, place));
                    at = self.out(at)[place].to;
                }
            } else if component.iter().any(|&state| idle(state)) {
                self.go(&inside, &mut cycle, &mut at, &idle);
            }
        }
        if cycle.is_empty() {
            // Nothing is asked: any step, and back.
            if let Some(place) = self.out(at).iter().position(|step| inside(step.to)) {
                cycle.push((at, place));
                at = self.out(at)[place].to;
            }
        }
        self.go(&inside, &mut cycle, &mut at, &|state| state == entry);
        cycle.into_iter().map(|(from, place)| self.told(from, place)).collect()
    }

    /// Goes on from `at`, by a shortest way inside, to a state that is wanted.
    fn go(
        &self,
        inside: &dyn Fn(u32) -> bool,
        cycle: &mut Vec<(u32, usize)>,
        at: &mut u32,
        wanted: &dyn Fn(u32) -> bool,
    ) {
        let mut before: HashMap<u32, Option<(u32, usize)>> = HashMap::from([(*at, None)]);
        let mut queue = VecDeque::from([*at]);
        while let Some(state) = queue.pop_front() {
            if wanted(state) {
                let (mut way, mut back) = (Vec::new(), state);
                while let Some((from, place)) = before[&back] {
                    way.push((from, place));
                    back = from;
                }
                cycle.extend(way.into_iter().rev());
                *at = state;
                return;
            }
            for (place, step) in self.out(state).iter().enumerate().filter(|(_, step)| inside(step.to)) {
                before.entry(step.to).or_insert_with(|| {
                    queue.push_back(step.to);
                    Some((state, place))
                });
            }
        }
    }
}

struct Reached {
    /// Nodes by distance.
    order: Vec<Node>,
    /// Where each was reached from, and by which of the steps there.
    before: HashMap<Node, Option<(Node, usize)>>,
}

impl Reached {
    fn see(&mut self, node: Node, from: Option<(Node, usize)>) {
        if let std::collections::hash_map::Entry::Vacant(new) = self.before.entry(node) {
            new.insert(from);
            self.order.push(node);
        }
    }
}
