//! Random walks, for spaces that no search finishes: they find violations and never prove that there is none.
//!
//! * Walk *n* of a seed is the same for any number of threads and of walks: its choices are a stream of their own.
//! * `Choice::Uniform` takes each possible action with the same probability. `Choice::Pct` is the probabilistic concurrency
//!   testing of Burckhardt, Kothari, Musuvathi and Nagarakatti (2010): every class of actions has a random priority, the
//!   possible action of the highest one is taken, and at *d* random steps the class that is about to act falls behind all
//!   others. A violation that needs few such changes is found with a probability that can be said.
//! * Of several violations that of the first walk counts, shortened by leaving out parts and single actions ([`shorten`]): what
//!   is left breaks the same property, and no single action of it can be left out. It need not be shortest.
//! * A panic of the model is a violation, with its trace.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, Once, PoisonError};
use std::time::{Duration, Instant};

use sextant_storage::random::Random;
use stateright::{Expectation, Model, Property};

use super::packed::{Broken, Deadlock, Failure, Labels, Packed, Trace, Violation, Writer, panic_message};

/// Walks that are walked before anything is added up.
const BATCH: u64 = 64;
/// Walks that tell how long one is, before the steps of PCT's changes are drawn.
const PILOTS: u64 = 16;

/// How the next action is chosen.
pub enum Choice<M: Model> {
    /// Each possible action is as likely as any other.
    Uniform,
    /// The possible action of the class with the highest priority; the priorities change at so many steps of a walk.
    Pct { changes: usize, class: fn(&M, &M::State, &M::Action) -> u64 },
}

impl<M: Model> Clone for Choice<M> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<M: Model> Copy for Choice<M> {}

/// How to walk.
pub struct Options<M: Model> {
    pub seed: u64,
    pub walks: u64,
    /// The most actions of a walk.
    pub depth: usize,
    pub choice: Choice<M>,
    /// Law: at least one.
    pub threads: usize,
    pub deadlock: Deadlock,
    pub labels: Option<Labels<M::Action>>,
    /// Ends the walks when it is set.
    pub interrupt: Option<Arc<AtomicBool>>,
}

/// What the walks came across.
#[derive(Clone, Debug)]
pub struct Outcome<S, A> {
    /// Walks that were walked whole, or to the violation.
    pub walks: u64,
    /// Actions taken in them.
    pub steps: u64,
    /// States that are not the same, estimated from fingerprints: 1 % off is usual.
    pub distinct_states: u64,
    /// Actions of the longest walk.
    pub longest: usize,
    /// How often each labelled action was taken.
    pub actions: Vec<(&'static str, u64)>,
    /// The violation of the first walk that has one.
    pub found: Option<Found<S, A>>,
    /// Whether they ended because they were told to.
    pub interrupted: bool,
    pub elapsed: Duration,
}

/// A violation on a walk.
#[derive(Clone, Debug)]
pub struct Found<S, A> {
    /// The walk, from 0.
    pub walk: u64,
    /// Actions that the walk took to it.
    pub steps: usize,
    /// Shortened.
    pub violation: Violation<S, A>,
}

/// How far the walks have come.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    pub walks: u64,
    pub of: u64,
    pub steps: u64,
    pub distinct_states: u64,
    pub longest: usize,
    pub elapsed: Duration,
}

/// Walks through `model`.
///
/// # Errors
/// If the model panics before there is a state, has none to begin with, or asks for an `eventually` property.
///
/// # Panics
/// If there is no thread to walk on.
pub fn walk<M>(
    model: &M,
    options: &Options<M>,
    progress: &mut dyn FnMut(Progress),
) -> Result<Outcome<M::State, M::Action>, Failure>
where
    M: Packed + Sync,
    M::State: Clone + Send + Sync,
    M::Action: Clone + PartialEq + Send,
{
    assert!(options.threads > 0, "walks need a thread");
    let began = Instant::now();
    let walker = Walker::new(model, options)?;
    let mut sum = Outcome {
        walks: 0,
        steps: 0,
        distinct_states: 0,
        longest: 0,
        actions: options.labels.map_or_else(Vec::new, |l| l.names.iter().map(|name| (*name, 0)).collect()),
        found: None,
        interrupted: false,
        elapsed: Duration::ZERO,
    };
    let mut seen = Distinct::new();
    while sum.walks < options.walks && sum.found.is_none() && !sum.interrupted {
        let batch = walker.batch(sum.walks, (options.walks - sum.walks).min(BATCH));
        // In the order of their numbers, and only up to the first violation: so nothing depends on the threads.
        for walked in batch {
            let Some(walked) = walked else {
                sum.interrupted = true;
                break;
            };
            walked.seen.iter().for_each(|&key| seen.add(key));
            for ((_, count), more) in sum.actions.iter_mut().zip(&walked.actions) {
                *count += more;
            }
            sum.steps += walked.trace.len() as u64;
            sum.longest = sum.longest.max(walked.trace.len());
            sum.walks += 1;
            if let Some(broken) = walked.broken {
                let steps = walked.trace.len();
                let violation = shorten(model, &walker.firsts[walked.first], walked.trace, broken);
                sum.found = Some(Found { walk: sum.walks - 1, steps, violation });
                break;
            }
        }
        sum.distinct_states = seen.estimate();
        sum.elapsed = began.elapsed();
        let Outcome { walks, steps, distinct_states, longest, elapsed, .. } = sum;
        progress(Progress { walks, of: options.walks, steps, distinct_states, longest, elapsed });
    }
    sum.elapsed = began.elapsed();
    Ok(sum)
}

struct Walker<'a, M: Model> {
    model: &'a M,
    options: &'a Options<M>,
    properties: Vec<Property<M>>,
    firsts: Vec<M::State>,
    /// The steps among which PCT's changes are drawn.
    usual: usize,
}

struct Walked<A> {
    /// The place of its first state.
    first: usize,
    trace: Vec<A>,
    /// A key for each state.
    seen: Vec<u64>,
    actions: Vec<u64>,
    broken: Option<Broken>,
}

impl<'a, M> Walker<'a, M>
where
    M: Packed + Sync,
    M::State: Clone + Send + Sync,
    M::Action: Clone + PartialEq + Send,
{
    fn new(model: &'a M, options: &'a Options<M>) -> Result<Self, Failure> {
        let begun = quietly(|| (always(model), model.init_states()));
        let (properties, mut firsts) =
            begun.map_err(|message| Failure(format!("the model panicked in its first states: {message}")))?;
        if let Some(p) = properties.iter().find(|p| p.expectation == Expectation::Eventually) {
            return Err(Failure(format!("walks do not judge the `eventually` property {}", p.name)));
        }
        firsts.retain(|state| model.within_boundary(state));
        if firsts.is_empty() {
            return Err(Failure("the model has no first state to walk from".into()));
        }
        let mut walker = Walker { model, options, properties, firsts, usual: options.depth };
        if let Choice::Pct { .. } = options.choice {
            let lengths = (0..PILOTS).map(|n| walker.one("pilot", n, 0).trace.len());
            walker.usual = lengths.max().unwrap_or(0).max(1);
        }
        Ok(walker)
    }

    /// So many walks from this number on; none for those that were interrupted.
    fn batch(&self, from: u64, count: u64) -> Vec<Option<Walked<M::Action>>> {
        let done: Vec<_> = (0..count).map(|_| Mutex::new(None)).collect();
        let next = AtomicUsize::new(0);
        let work = || {
            loop {
                let place = next.fetch_add(1, Ordering::Relaxed);
                let Some(room) = done.get(place) else { return };
                let walked = self.one("walk", from + place as u64, self.changes());
                if !self.is_interrupted() {
                    *room.lock().unwrap_or_else(PoisonError::into_inner) = Some(walked);
                }
            }
        };
        std::thread::scope(|scope| {
            for _ in 1..self.options.threads.min(done.len()) {
                scope.spawn(work);
            }
            work();
        });
        done.into_iter().map(|room| room.into_inner().unwrap_or_else(PoisonError::into_inner)).collect()
    }

    fn changes(&self) -> usize {
        match self.options.choice {
            Choice::Uniform => 0,
            Choice::Pct { changes, .. } => changes,
        }
    }

    fn is_interrupted(&self) -> bool {
        self.options.interrupt.as_ref().is_some_and(|flag| flag.load(Ordering::Relaxed))
    }

    fn one(&self, purpose: &str, number: u64, changes: usize) -> Walked<M::Action> {
        let mut random = Random::new(self.options.seed, &format!("{purpose} {number}"));
        let first = random.below(self.firsts.len());
        let kinds = self.options.labels.map_or(0, |labels| labels.names.len());
        let mut walked = Walked { first, trace: Vec::new(), seen: Vec::new(), actions: vec![0; kinds], broken: None };
        let mut priorities = Priorities::new(&mut random, changes, self.usual);
        // What was added to `walked` before a panic is the way to it.
        let gone = quietly(|| self.go(&mut walked, &mut random, &mut priorities));
        walked.broken = gone.unwrap_or_else(|message| Some(Broken::Panic(message)));
        walked
    }

    fn go(&self, walked: &mut Walked<M::Action>, random: &mut Random, priorities: &mut Priorities) -> Option<Broken> {
        let mut state = self.firsts[walked.first].clone();
        walked.seen.push(key(self.model, &state));
        let mut actions = Vec::new();
        loop {
            if let Some(broken) = violated(self.model, &self.properties, &state) {
                return Some(broken);
            }
            if walked.trace.len() == self.options.depth || self.is_interrupted() {
                return None;
            }
            self.model.actions(&state, &mut actions);
            let taken = match self.options.choice {
                Choice::Uniform => self.any(random, &state, &mut actions),
                Choice::Pct { class, .. } => {
                    random.shuffle(&mut actions);
                    priorities.go_on(random, walked.trace.len(), || {
                        let possible = |action: &&M::Action| self.after(&state, action).is_some();
                        actions.iter().filter(possible).map(|action| class(self.model, &state, action)).collect()
                    });
                    actions
                        .sort_by_cached_key(|a| std::cmp::Reverse(priorities.of(random, class(self.model, &state, a))));
                    actions.iter().find_map(|action| Some((action.clone(), self.after(&state, action)?)))
                }
            };
            actions.clear();
            let Some((action, next)) = taken else {
                let stuck = self.options.deadlock == Deadlock::Violation && is_stuck(self.model, &state);
                return stuck.then_some(Broken::Deadlock);
            };
            walked.seen.push(key(self.model, &next));
            if let Some(labels) = self.options.labels
                && let Some(count) = walked.actions.get_mut((labels.of)(&action))
            {
                *count += 1;
            }
            walked.trace.push(action);
            state = next;
        }
    }

    /// A possible action, each as likely: what is drawn and not possible is drawn no more.
    fn any(
        &self,
        random: &mut Random,
        state: &M::State,
        actions: &mut Vec<M::Action>,
    ) -> Option<(M::Action, M::State)> {
        while !actions.is_empty() {
            let action = actions.swap_remove(random.below(actions.len()));
            if let Some(next) = self.after(state, &action) {
                return Some((action, next));
            }
        }
        None
    }

    fn after(&self, state: &M::State, action: &M::Action) -> Option<M::State> {
        self.model.next_state(state, action.clone()).filter(|next| self.model.within_boundary(next))
    }
}

/// The priorities of one walk.
struct Priorities {
    of: BTreeMap<u64, u64>,
    /// By step, the priority that the class falls to which is about to act there.
    changes: BTreeMap<usize, u64>,
}

impl Priorities {
    /// `usual`: how many steps a walk has.
    fn new(random: &mut Random, changes: usize, usual: usize) -> Self {
        // Which of them falls lowest is in no order of time, as in the paper.
        let changes = (1..=changes as u64).map(|priority| (random.below(usual), priority)).collect();
        Priorities { of: BTreeMap::new(), changes }
    }

    /// The priority of a class, drawn when it is first asked for, above all to which one falls.
    fn of(&mut self, random: &mut Random, class: u64) -> u64 {
        *self.of.entry(class).or_insert_with(|| (1 << 63) | random.draw())
    }

    /// Lets the class fall that is about to act, where a change is due.
    fn go_on(&mut self, random: &mut Random, step: usize, possible: impl FnOnce() -> Vec<u64>) {
        let Some(low) = self.changes.remove(&step) else { return };
        let classes = possible();
        let highest = classes.into_iter().max_by_key(|&class| self.of(random, class));
        if let Some(class) = highest {
            self.of.insert(class, low);
        }
    }
}

fn always<M: Model>(model: &M) -> Vec<Property<M>> {
    model.properties().into_iter().filter(|p| p.expectation != Expectation::Sometimes).collect()
}

fn violated<M: Model>(model: &M, properties: &[Property<M>], state: &M::State) -> Option<Broken> {
    let broken = properties.iter().find(|property| !(property.condition)(model, state));
    broken.map(|property| Broken::Always(property.name))
}

/// Whether nothing follows `state`, and it is no end that the model allows.
#[must_use]
pub fn is_stuck<M: Packed>(model: &M, state: &M::State) -> bool {
    let mut actions = Vec::new();
    model.actions(state, &mut actions);
    !actions.into_iter().any(|action| model.next_state(state, action).is_some()) && !model.may_end(state)
}

// --- shortening ------------------------------------------------------------------------------------------------------

/// A part of `trace` that breaks the same, and of which no single action can be left out. Parts are left out first, each half
/// as long as the ones before; what is not possible any more is left out with them.
pub fn shorten<M>(model: &M, first: &M::State, trace: Vec<M::Action>, broken: Broken) -> Violation<M::State, M::Action>
where
    M: Packed,
    M::State: Clone,
    M::Action: Clone + PartialEq,
{
    let judge = Judge { model, first, properties: always(model), wanted: &broken };
    let mut best = judge.replay(&trace).unwrap_or(trace);
    let mut length = best.len().div_ceil(2);
    while length > 0 {
        let (mut at, before) = (0, best.len());
        while at < best.len() {
            let end = best.len().min(at + length);
            let rest: Vec<_> = best[..at].iter().chain(&best[end..]).cloned().collect();
            match judge.replay(&rest) {
                Some(shorter) => best = shorter,
                None => at += length,
            }
        }
        // Single actions until none can go: one that went may have been what another was there for.
        length = if length > 1 { length / 2 } else { usize::from(best.len() < before) };
    }
    let mut steps = Vec::new();
    let mut state = first.clone();
    for action in best {
        let Some(next) = model.next_state(&state, action.clone()) else { break };
        state = next.clone();
        steps.push((action, next));
    }
    Violation { broken, trace: Trace { first: first.clone(), steps } }
}

struct Judge<'a, M: Model> {
    model: &'a M,
    first: &'a M::State,
    properties: Vec<Property<M>>,
    wanted: &'a Broken,
}

impl<M> Judge<'_, M>
where
    M: Packed,
    M::State: Clone,
    M::Action: Clone + PartialEq,
{
    /// The actions that are possible one after the other, up to the violation; none if there is none.
    fn replay(&self, trace: &[M::Action]) -> Option<Vec<M::Action>> {
        let mut taken = Vec::new();
        let mut state = self.first.clone();
        for action in trace {
            if self.is_here(&state) {
                return Some(taken);
            }
            // Whom an action names may not exist, and then the model must not be asked for its step.
            let next = quietly(|| {
                let mut known = Vec::new();
                self.model.actions(&state, &mut known);
                let next = if known.contains(action) { self.model.next_state(&state, action.clone()) } else { None };
                next.filter(|next| self.model.within_boundary(next))
            });
            if let Some(next) = next.ok()? {
                taken.push(action.clone());
                state = next;
            }
        }
        self.is_here(&state).then_some(taken)
    }

    fn is_here(&self, state: &M::State) -> bool {
        match self.wanted {
            Broken::Always(name) => {
                let asked = self.properties.iter().find(|property| property.name == *name);
                asked.is_some_and(|p| quietly(|| !(p.condition)(self.model, state)).unwrap_or(false))
            }
            Broken::Deadlock => quietly(|| is_stuck(self.model, state)).unwrap_or(false),
            Broken::Panic(_) => panic_in(self.model, &self.properties, state).is_some(),
        }
    }
}

/// What the model says when it panics as `state` is judged or left.
#[must_use]
pub fn panic_in<M: Packed>(model: &M, properties: &[Property<M>], state: &M::State) -> Option<String>
where
    M::State: Clone,
{
    let expanded = quietly(|| {
        // All of them: none may end this early.
        let _ = properties.iter().filter(|p| !(p.condition)(model, state)).count();
        let mut actions = Vec::new();
        model.actions(state, &mut actions);
        actions.into_iter().filter_map(|action| model.next_state(state, action)).for_each(|next| {
            let _ = key(model, &next);
        });
    });
    expanded.err()
}

// --- panics ----------------------------------------------------------------------------------------------------------

thread_local! {
    static QUIET: Cell<bool> = const { Cell::new(false) };
}

/// Asks a model; what it says if it panics. Nothing is printed: shortening meets the same panic again and again.
pub fn quietly<R>(ask: impl FnOnce() -> R) -> Result<R, String> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if !QUIET.get() {
                before(info);
            }
        }));
    });
    let before = QUIET.replace(true);
    let asked = catch_unwind(AssertUnwindSafe(ask));
    QUIET.set(before);
    asked.map_err(|panic| panic_message(panic.as_ref()))
}

// --- distinct states -------------------------------------------------------------------------------------------------

/// A key of a state: equal for equal states, and 64 bits that look random.
fn key<M: Packed>(model: &M, state: &M::State) -> u64
where
    M::State: Clone,
{
    let mut words = vec![0; (model.bits().div_ceil(64) as usize).max(1)];
    let mut writer = Writer::new(&mut words);
    model.pack(&model.canonical(state.clone()), &mut writer);
    writer.finish();
    words.iter().fold(0x9e37_79b9_7f4a_7c15, |sum: u64, word| {
        let mut mixed = (sum ^ word).wrapping_mul(0xff51_afd7_ed55_8ccd);
        mixed = (mixed ^ (mixed >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
        mixed ^ (mixed >> 33)
    })
}

/// HyperLogLog (Flajolet, Fusy, Gandouet and Meunier 2007): how many different keys, in a fixed number of bytes.
struct Distinct {
    registers: Vec<u8>,
}

const REGISTER_BITS: u32 = 14;

impl Distinct {
    fn new() -> Self {
        Distinct { registers: vec![0; 1 << REGISTER_BITS] }
    }

    fn add(&mut self, key: u64) {
        let register = &mut self.registers[(key >> (u64::BITS - REGISTER_BITS)) as usize];
        let rank = ((key << REGISTER_BITS).leading_zeros().min(u64::BITS - REGISTER_BITS) + 1) as u8;
        *register = (*register).max(rank);
    }

    fn estimate(&self) -> u64 {
        let m = self.registers.len() as f64;
        let sum: f64 = self.registers.iter().map(|&rank| 0.5f64.powi(rank.into())).sum();
        let raw = 0.7213 / (1.0 + 1.079 / m) * m * m / sum;
        let empty = self.registers.iter().filter(|&&rank| rank == 0).count();
        // Where many registers are empty, their number tells more.
        let estimate = if raw <= 2.5 * m && empty > 0 { m * (m / empty as f64).ln() } else { raw };
        estimate.round() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distinct_keys_are_counted_within_a_few_percent() {
        for count in [0u64, 1, 100, 10_000, 1_000_000] {
            let mut distinct = Distinct::new();
            let mut random = Random::new(count, "keys");
            let keys: Vec<u64> = (0..count).map(|_| random.draw()).collect();
            // Twice each: a duplicate counts for nothing.
            keys.iter().chain(&keys).for_each(|&key| distinct.add(key));
            let error = distinct.estimate().abs_diff(count) as f64;
            assert!(error <= count as f64 * 0.03, "{count}: {}", distinct.estimate());
        }
    }

    #[test]
    fn a_class_falls_behind_all_others_at_a_change() {
        let mut random = Random::new(1, "priorities");
        let mut priorities = Priorities::new(&mut random, 1, 1);
        let high = (0..5).max_by_key(|&class| priorities.of(&mut random, class)).unwrap();
        priorities.go_on(&mut random, 1, || panic!("no change is due at step 1"));
        priorities.go_on(&mut random, 0, || (0..5).collect());
        let low = (0..5).min_by_key(|&class| priorities.of(&mut random, class)).unwrap();
        assert_eq!(low, high);
    }
}
