//! The search: Wing and Gong (1993) with Lowe's memory and his just-in-time rule (2017), level by level.
//!
//! A *configuration* is what matters about a partial linearization: which pending operations it contains, the state it
//! ends in, and how many indeterminate operations of each kind it has used. The search keeps all of them in step with
//! the history and extends them only when an operation returns that some do not contain yet. Operations that have
//! returned are in every configuration, so the set is a bit set over the few slots of pending ones, not over the history.
//!
//! Searching by level and not depth first costs nothing where few operations are pending, and gives three things: memory
//! bounded by one level, the first return at which a history fails without going through every order before it, and
//! the following dominations, each of which drops a configuration because another can do all that it can:
//!
//! * *Observers are taken at once.* An operation that changes no state and is possible now is as well taken now: move
//!   it here from its later place in any linearization that continues this configuration, and no other step notices. It
//!   is pending, so all that must precede it is already in.
//! * *Of two configurations with the same state and the same changes done*, one that has taken a superset of the
//!   observers and used at most as many indeterminate operations of each kind can copy every continuation of the other.
//!
//! *Beams.* Of a linearizable history one configuration a level is enough, if it is the right one. So the first attempt goes on with a
//! few from return to return, those of which most can still become, and what it finds is a linearization as good as
//! any. Where it ends with none left, the next is wider; the last cuts nothing, and its end is an answer, as it is
//! wherever nothing had to be cut ([`widening`]).

use std::cmp::Reverse;
use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::Interrupt;
use super::automaton::Automaton;
use super::bits::{Bits, Hashing};
use super::model::Model;
use super::paths::{Paths, ROOT};
use super::plan::{Plan, Step};

/// Why a search gave up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    Timeout,
    Memory,
    Configurations,
    TooWide,
    Interrupted,
    /// As much work as was allotted for a first attempt.
    Effort,
    /// The answer is not needed any more.
    Cancelled,
}

/// Why a search gave up, with how many operations had returned by then, and how many configurations it held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stopped {
    pub(super) stop: Stop,
    pub(super) placed: usize,
    pub(super) held: usize,
}

impl Stopped {
    /// Before anything was done.
    pub(super) fn at_once(stop: Stop) -> Self {
        Self { stop, placed: 0, held: 0 }
    }
}

/// What a search may use.
#[derive(Clone, Copy, Debug)]
pub(super) struct Budget {
    pub(super) deadline: Instant,
    pub(super) memory_bytes: usize,
    pub(super) configurations: usize,
    /// How many steps.
    pub(super) effort: u64,
    /// How long to look for a smallest core.
    pub(super) core: Duration,
    pub(super) interrupt: Option<Interrupt>,
}

impl Budget {
    /// Whether a search may go on that has taken so many steps and holds so much.
    pub(super) fn allows(&self, steps: u64, held: usize, bytes: usize, cancelled: Cancelled<'_>) -> Result<(), Stop> {
        if bytes > self.memory_bytes {
            return Err(Stop::Memory);
        }
        if held > self.configurations {
            return Err(Stop::Configurations);
        }
        if steps > self.effort {
            return Err(Stop::Effort);
        }
        // A clock costs more than a step, so it is asked once in a while.
        if steps.is_multiple_of(64) {
            if cancelled() {
                return Err(Stop::Cancelled);
            }
            return self.has_time();
        }
        Ok(())
    }

    /// Whether time is left, and nobody wants an end of it.
    pub(super) fn has_time(&self) -> Result<(), Stop> {
        if self.interrupt.is_some_and(Interrupt::is_set) {
            Err(Stop::Interrupted)
        } else if Instant::now() >= self.deadline {
            Err(Stop::Timeout)
        } else {
            Ok(())
        }
    }

    #[cfg(test)]
    pub(super) fn unlimited() -> Self {
        Self {
            deadline: Instant::now() + std::time::Duration::from_secs(1 << 32),
            memory_bytes: usize::MAX,
            configurations: usize::MAX,
            effort: u64::MAX,
            core: Duration::MAX,
            interrupt: None,
        }
    }
}

/// What is asked of a search.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ask {
    /// Whether there is a linearization, and which. Where there is none, what [`Dead`] says is not what it is otherwise: a later
    /// return, other states.
    Whether,
    /// Also the first return by which there is none.
    Where,
}

/// Whether somebody else has made a search needless.
pub(super) type Cancelled<'a> = &'a (dyn Fn() -> bool + Sync);

/// Nobody will.
pub(super) const ALONE: Cancelled<'static> = &|| false;

/// The end of a search. Numbers are positions among the candidates.
#[derive(Debug)]
pub(super) enum Found {
    Order(Vec<usize>),
    Violation(Dead),
    /// From an algorithm for one family: these candidates contradict each other, whatever the others do. Left alone with
    /// them, the general search ends in `Violation`.
    Conflict(Vec<usize>),
    Stopped(Stopped),
}

/// Where no configuration goes on.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Dead {
    /// The operation that has returned and fits nowhere.
    pub(super) item: usize,
    pub(super) pending: Vec<usize>,
    /// A longest linearization of what returned before.
    pub(super) order: Vec<usize>,
    /// Every state that can be reached by the time of that return; empty where they are not known.
    pub(super) states: Vec<String>,
}

/// How many operations can be pending at once; beyond that no search of this kind would end.
const WIDEST: usize = 4096;

/// What a candidate takes besides the configurations, in bytes: its steps, its slot, its part of the order.
const BYTES_EACH: usize = 160;

pub(super) fn search<M: Model>(
    plan: &Plan,
    automaton: &mut Automaton<'_, M>,
    budget: Budget,
    cancelled: Cancelled<'_>,
) -> Found {
    search_in(&BEAMS, plan, automaton, budget, cancelled)
}

/// In beams of these widths, of which the last cuts nothing.
pub(super) fn search_in<M: Model>(
    beams: &[usize],
    plan: &Plan,
    automaton: &mut Automaton<'_, M>,
    budget: Budget,
    cancelled: Cancelled<'_>,
) -> Found {
    if plan.symbols.len().saturating_mul(BYTES_EACH) > budget.memory_bytes {
        return Found::Stopped(Stopped::at_once(Stop::Memory));
    }
    match plan.width {
        0..=64 => widening(beams, budget.effort, attempt::<M, 1>(plan, automaton, budget, cancelled), |_| false),
        65..=256 => widening(beams, budget.effort, attempt::<M, 4>(plan, automaton, budget, cancelled), |_| false),
        257..=WIDEST => {
            widening(beams, budget.effort, attempt::<M, { WIDEST / 64 }>(plan, automaton, budget, cancelled), |_| false)
        }
        _ => Found::Stopped(Stopped::at_once(Stop::TooWide)),
    }
}

fn attempt<'a, 'm, M: Model, const W: usize>(
    plan: &'a Plan,
    automaton: &'a mut Automaton<'m, M>,
    budget: Budget,
    cancelled: Cancelled<'a>,
) -> impl FnMut(usize, u64) -> Attempt + use<'a, 'm, M, W> {
    move |beam, ticks| {
        let mut search = Search::<M, W>::new(plan, automaton, budget, cancelled);
        (search.beam, search.ticks) = (beam, ticks);
        let found = search.run();
        Attempt { found, cut: search.cut, steps: search.ticks, placed: search.returned }
    }
}

/// Leaves `most` of them: the best of each group, then the next best of each, as long as there is room. Groups are of configurations that can
/// go on differently, so that the best of all are not all alike.
pub(super) fn keep_best<T, G: Ord, R: Ord>(
    level: &mut Vec<T>,
    most: usize,
    group: impl Fn(&T) -> G,
    rank: impl Fn(&T) -> R,
) {
    level.sort_unstable_by_key(|config| (group(config), rank(config)));
    let mut places: Vec<(usize, R, usize)> = Vec::with_capacity(level.len());
    let mut place = 0;
    for (number, config) in level.iter().enumerate() {
        let goes_on = number > 0 && group(&level[number - 1]) == group(config);
        place = if goes_on { place + 1 } else { 0 };
        places.push((place, rank(config), number));
    }
    places.select_nth_unstable(most);
    let mut kept = vec![false; level.len()];
    places[..most].iter().for_each(|(_, _, number)| kept[*number] = true);
    let mut number = 0;
    level.retain(|_| {
        number += 1;
        kept[number - 1]
    });
}

/// How a search ended that went on with so many configurations at most.
pub(super) struct Attempt {
    pub(super) found: Found,
    /// Whether there were ever more.
    pub(super) cut: bool,
    pub(super) steps: u64,
    pub(super) placed: usize,
}

/// How many configurations to go on with, at a first attempt and at those that follow. The last cuts nothing.
const BEAMS: [usize; 3] = [32, 1024, usize::MAX];

/// A search that may take fewer steps than this goes without beams: one that comes to nothing may take as many as the whole search.
const PATIENT: u64 = 1_000_000;

/// A return at which one configuration comes to more than so many is not looked through to the end in a beam.
pub(super) const BRANCHES: usize = 64;

/// Searches in a narrow beam, then in wider ones: with how many configurations, and how many steps were taken before. An order is a proof
/// however it was found; that there is none is one where nothing was cut, or if it is `certain` for another reason that the
/// operation which fits nowhere does not. The states of such an end are not known then: there may be more than the beam had.
pub(super) fn widening(
    beams: &[usize],
    effort: u64,
    mut search: impl FnMut(usize, u64) -> Attempt,
    certain: impl Fn(&Dead) -> bool,
) -> Found {
    let (mut before, mut farthest) = (0, 0);
    let mut found = Found::Stopped(Stopped::at_once(Stop::Effort));
    let narrow = if effort < PATIENT { beams.len().saturating_sub(1) } else { 0 };
    for beam in &beams[narrow..] {
        let attempt = search(*beam, before);
        before = attempt.steps;
        farthest = attempt.placed.max(farthest);
        found = attempt.found;
        match &mut found {
            Found::Violation(dead) if attempt.cut => {
                if certain(dead) {
                    dead.states.clear();
                    break;
                }
            }
            Found::Stopped(stopped) => {
                stopped.placed = farthest;
                break;
            }
            _ => break,
        }
    }
    found
}

/// The part of a configuration in which two must agree before one can replace the other.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Core<const W: usize> {
    state: u32,
    changes: Bits<W>,
}

/// The part in which more, or less, is better.
struct Rest<const W: usize> {
    observed: Bits<W>,
    used: Box<[u32]>,
    path: u32,
}

impl<const W: usize> Rest<W> {
    fn replaces(&self, other: &Self) -> bool {
        self.observed.lacks(&other.observed) == 0
            && self.used.iter().zip(&other.used).all(|(own, others)| own <= others)
    }
}

struct Config<const W: usize> {
    core: Core<W>,
    rest: Rest<W>,
}

/// Configurations none of which replaces another.
struct Level<const W: usize> {
    members: HashMap<Core<W>, Vec<Rest<W>>, Hashing>,
    count: usize,
}

impl<const W: usize> Level<W> {
    fn new() -> Self {
        Self { members: HashMap::default(), count: 0 }
    }

    /// Puts `config` in unless one that replaces it is there; takes out what it replaces.
    fn admits(&mut self, config: &Config<W>) -> bool {
        let Some(rests) = self.members.get_mut(&config.core) else {
            return true;
        };
        if rests.iter().any(|rest| rest.replaces(&config.rest)) {
            return false;
        }
        let before = rests.len();
        rests.retain(|rest| !config.rest.replaces(rest));
        self.count -= before - rests.len();
        true
    }

    fn insert(&mut self, config: Config<W>) {
        self.members.entry(config.core).or_default().push(config.rest);
        self.count += 1;
    }

    fn configs(self) -> impl Iterator<Item = Config<W>> {
        let configs = |(core, rests): (Core<W>, Vec<Rest<W>>)| rests.into_iter().map(move |rest| Config { core, rest });
        self.members.into_iter().flat_map(configs)
    }

    fn any_path(&self) -> u32 {
        self.members.values().flatten().next().map_or(ROOT, |rest| rest.path)
    }

    fn paths(&mut self) -> Vec<&mut u32> {
        self.members.values_mut().flatten().map(|rest| &mut rest.path).collect()
    }
}

struct Search<'a, 'm, M: Model, const W: usize> {
    plan: &'a Plan,
    automaton: &'a mut Automaton<'m, M>,
    budget: Budget,
    cancelled: Cancelled<'a>,
    /// Pending operations, those that change the state and those that only observe.
    changers: Vec<usize>,
    observers: Vec<usize>,
    /// How many of each crowd were invoked.
    offered: Vec<u32>,
    paths: Paths<u32>,
    returned: usize,
    ticks: u64,
    /// How many configurations to go on with after a return, and whether there were ever more.
    beam: usize,
    cut: bool,
}

/// The levels of one return: configurations that contain the operation, and those still to be extended.
struct Levels<const W: usize> {
    item: usize,
    with: Level<W>,
    without: Level<W>,
    work: Vec<Config<W>>,
}

impl<'a, 'm, M: Model, const W: usize> Search<'a, 'm, M, W> {
    fn new(plan: &'a Plan, automaton: &'a mut Automaton<'m, M>, budget: Budget, cancelled: Cancelled<'a>) -> Self {
        Self {
            plan,
            automaton,
            budget,
            cancelled,
            changers: Vec::new(),
            observers: Vec::new(),
            offered: vec![0; plan.crowds.len()],
            paths: Paths::new(),
            returned: 0,
            ticks: 0,
            beam: usize::MAX,
            cut: false,
        }
    }

    fn run(&mut self) -> Found {
        let mut level = self.first_level();
        for step in &self.plan.steps {
            match *step {
                Step::Invoke(item) if self.plan.observers[item] => self.observers.push(item),
                Step::Invoke(item) => self.changers.push(item),
                Step::Offer(crowd) => self.offered[crowd] += 1,
                Step::Return(item) => {
                    self.paths.compact(|| level.paths());
                    let before = level.any_path();
                    let levels = match self.extend(level, item) {
                        Ok(levels) => levels,
                        Err((stop, held)) => {
                            return Found::Stopped(Stopped { stop, placed: self.returned, held });
                        }
                    };
                    if levels.with.count == 0 {
                        return Found::Violation(self.dead(item, before, &levels.without));
                    }
                    level = self.narrow(levels.with);
                    self.forget(item);
                }
            }
        }
        Found::Order(self.order(level.any_path()))
    }

    /// Goes on with the best of too many.
    fn narrow(&mut self, level: Level<W>) -> Level<W> {
        if level.count <= self.beam {
            return level;
        }
        self.cut = true;
        let mut configs: Vec<Config<W>> = level.configs().collect();
        keep_best(&mut configs, self.beam, |config| config.core, Config::rank);
        let mut narrowed = Level::new();
        configs.into_iter().for_each(|config| narrowed.insert(config));
        narrowed
    }

    fn first_level(&self) -> Level<W> {
        let mut level = Level::new();
        level.insert(Config {
            core: Core { state: 0, changes: Bits::EMPTY },
            rest: Rest { observed: Bits::EMPTY, used: vec![0; self.plan.crowds.len()].into(), path: ROOT },
        });
        level
    }

    fn order(&self, path: u32) -> Vec<usize> {
        self.paths.all(path).into_iter().map(|item| item as usize).collect()
    }

    fn forget(&mut self, item: usize) {
        self.changers.retain(|other| *other != item);
        self.observers.retain(|other| *other != item);
        self.returned += 1;
    }

    fn dead(&self, item: usize, path: u32, without: &Level<W>) -> Dead {
        let mut states: Vec<u32> = without.members.keys().map(|core| core.state).collect();
        states.sort_unstable();
        states.dedup();
        let states = states.into_iter().map(|state| self.automaton.show(state)).collect();
        let pending = self.changers.iter().chain(&self.observers).copied();
        let mut pending: Vec<usize> = pending.filter(|other| *other != item).collect();
        pending.sort_unstable();
        Dead { item, pending, order: self.order(path), states }
    }

    /// Extends configurations until each contains `item`, which is about to return.
    fn extend(&mut self, level: Level<W>, item: usize) -> Result<Levels<W>, (Stop, usize)> {
        let mut levels = Levels { item, with: Level::new(), without: Level::new(), work: Vec::new() };
        for config in level.configs() {
            self.tick(&levels)?;
            self.place(config, None, &mut levels);
        }
        let mut looked = 0;
        while let Some(config) = levels.work.pop() {
            if looked / BRANCHES > self.beam && levels.with.count > 0 {
                self.cut = true;
                break;
            }
            looked += 1;
            self.tick(&levels)?;
            self.take_pending(&config, &mut levels);
            self.take_indeterminate(&config, &mut levels);
        }
        Ok(levels)
    }

    fn take_pending(&mut self, config: &Config<W>, levels: &mut Levels<W>) {
        for index in 0..self.changers.len() {
            let item = self.changers[index];
            let slot = self.plan.slots[item];
            if config.core.changes.contains(slot) {
                continue;
            }
            if let Some(state) = self.automaton.step(config.core.state, self.plan.symbols[item]) {
                let mut next = config.copy(state);
                next.core.changes.insert(slot);
                self.place(next, Some(item), levels);
            }
        }
    }

    /// One that would leave the state as it is need never be taken: it may as well not have happened.
    fn take_indeterminate(&mut self, config: &Config<W>, levels: &mut Levels<W>) {
        let plan = self.plan;
        for (number, crowd) in plan.crowds.iter().enumerate() {
            let used = config.rest.used[number];
            if used == self.offered[number] {
                continue;
            }
            let state = self.automaton.step(config.core.state, crowd.symbol);
            if let Some(state) = state.filter(|state| *state != config.core.state) {
                let mut next = config.copy(state);
                next.rest.used[number] += 1;
                self.place(next, Some(crowd.members[used as usize]), levels);
            }
        }
    }

    /// Takes the observers that are possible in the configuration's state, then files it. `via` is the operation that
    /// led to it; its place on the path is only built for a configuration that stays.
    fn place(&mut self, mut config: Config<W>, via: Option<usize>, levels: &mut Levels<W>) {
        let before = config.rest.observed;
        self.observe(&mut config);
        let observed = config.rest.observed;
        let slot = self.plan.slots[levels.item];
        let contains = config.core.changes.contains(slot) || observed.contains(slot);
        let level = if contains { &mut levels.with } else { &mut levels.without };
        if contains {
            // The slot is about to serve another operation.
            config.core.changes.remove(slot);
            config.rest.observed.remove(slot);
        }
        if !level.admits(&config) {
            return;
        }
        let taken = self.observers.iter().copied();
        let taken = taken.filter(|item| {
            let slot = self.plan.slots[*item];
            observed.contains(slot) && !before.contains(slot)
        });
        for item in via.into_iter().chain(taken) {
            config.rest.path = self.paths.extend(config.rest.path, item as u32);
        }
        if !contains {
            levels.work.push(config.copy(config.core.state));
        }
        level.insert(config);
    }

    fn observe(&mut self, config: &mut Config<W>) {
        let state = config.core.state;
        for item in &self.observers {
            let slot = self.plan.slots[*item];
            if !config.rest.observed.contains(slot)
                && self.automaton.step(state, self.plan.symbols[*item]) == Some(state)
            {
                config.rest.observed.insert(slot);
            }
        }
    }

    fn tick(&mut self, levels: &Levels<W>) -> Result<(), (Stop, usize)> {
        let held = levels.with.count + levels.without.count + levels.work.len();
        // What hangs on a configuration, with room for tables that are about to double.
        let each = 2 * (size_of::<Config<W>>() + 4 * self.plan.crowds.len() + 48);
        let bytes = held.saturating_mul(each) + self.paths.bytes();
        self.ticks += 1;
        self.budget.allows(self.ticks, held, bytes, self.cancelled).map_err(|stop| (stop, held))
    }
}

impl<const W: usize> Config<W> {
    /// The lower, the more can still become of it: first how few indeterminate operations it has used, then how few pending
    /// ones it has yet to explain.
    fn rank(&self) -> (u32, Reverse<u32>) {
        (self.rest.used.iter().sum(), Reverse(self.core.changes.len() + self.rest.observed.len()))
    }

    fn copy(&self, state: u32) -> Self {
        Self {
            core: Core { state, changes: self.core.changes },
            rest: Rest { observed: self.rest.observed, used: self.rest.used.clone(), path: self.rest.path },
        }
    }
}
