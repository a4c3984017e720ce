//! Which key is judged when, by whom, and with what.
//!
//! Keys are judged the largest first, several at a time, so that the last thread to finish has little left to do. One
//! hard key must not hide a violation in an easy one: while there are several keys, each is first tried with an effort in
//! proportion to its size, and only those that need more are searched without that bound, after all others are known.
//!
//! The outcome does not depend on which thread was faster: of several violations the one of the first key in this order
//! counts, and finding one only cancels keys behind it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use sextant_histories::{History, Key, Operation};

use super::automaton::Automaton;
use super::bits::Hashing;
use super::collections;
use super::evidence;
use super::model::{Family, Model};
use super::plan::Plan;
use super::prune::{Candidate, leave_out, took_part};
use super::register;
use super::search::{ALONE, Ask, Budget, Cancelled, Dead, Found, Stop, Stopped, search};
use super::{Finding, Limit, Limits, Linearization, Progress, Unknown};

/// The operations of one key, or of a model without keys, with their numbers in the history.
pub(super) struct Partition<'a> {
    pub(super) key: &'a Key,
    pub(super) operations: Vec<(usize, &'a Operation)>,
}

/// In order of keys.
pub(super) fn partition(history: &History, keyed: bool) -> Vec<Partition<'_>> {
    let operations = history.operations();
    if !keyed {
        let operations = operations.iter().enumerate().collect();
        return vec![Partition { key: &Key::None, operations }];
    }
    let mut numbers: HashMap<&Key, u32, Hashing> = HashMap::default();
    let mut sizes: Vec<usize> = Vec::new();
    let mut of_operation: Vec<u32> = Vec::with_capacity(operations.len());
    let mut last: Option<(&Key, u32)> = None;
    for operation in operations {
        let number = match last.filter(|(key, _)| **key == operation.key) {
            Some((_, number)) => number,
            None => *numbers.entry(&operation.key).or_insert(sizes.len() as u32),
        };
        last = Some((&operation.key, number));
        if number as usize == sizes.len() {
            sizes.push(0);
        }
        sizes[number as usize] += 1;
        of_operation.push(number);
    }
    let mut lists: Vec<Vec<(usize, &Operation)>> = sizes.iter().map(|size| Vec::with_capacity(*size)).collect();
    for (number, (operation, key)) in operations.iter().zip(&of_operation).enumerate() {
        lists[*key as usize].push((number, operation));
    }
    let keys = numbers.into_iter();
    let take = |(key, number): (_, u32)| Partition { key, operations: std::mem::take(&mut lists[number as usize]) };
    let mut partitions: Vec<Partition<'_>> = keys.map(take).collect();
    partitions.sort_by_key(|partition| partition.key);
    partitions
}

/// What is known of a key.
enum Judged<'a> {
    /// Numbers in the history.
    Valid(Vec<usize>),
    Violated(Violated<'a>),
    Stopped(Stopped, Vec<Candidate<'a>>),
    /// Two algorithms disagree.
    Disputed,
}

struct Violated<'a> {
    candidates: Vec<Candidate<'a>>,
    dead: Dead,
    /// Whether the candidates are all of the key's.
    whole_key: bool,
}

/// How much work the general search may take over a contradiction that another algorithm found. It can be too much for it: a list
/// that a hundred clients appended to has a contradiction of two operations, and all that it rests on.
const SECOND_OPINION: u64 = 1_000_000;

/// What is left to say where it was too much.
fn last_to_return(candidates: &[Candidate<'_>]) -> Dead {
    let returned = |item: &usize| candidates[*item].deadline;
    let item = (0..candidates.len()).filter(|item| returned(item).is_some()).max_by_key(returned).unwrap_or(0);
    Dead { item, pending: Vec::new(), order: Vec::new(), states: Vec::new() }
}

/// How much work a first attempt at one of several keys may take.
fn first_effort(operations: usize) -> u64 {
    50_000 + 64 * operations as u64
}

pub(super) fn judge_keys<'a, M: Model>(
    history: &'a History,
    partitions: Vec<Partition<'a>>,
    model: &M,
    limits: &Limits,
    start: Instant,
) -> Finding {
    let mut queue: Vec<usize> = (0..partitions.len()).collect();
    queue.sort_by_key(|index| (std::cmp::Reverse(partitions[*index].operations.len()), *index));
    let workers = limits.threads.get().min(queue.len());
    // A timeout too far away for the clock is none that anybody will see.
    let far = Duration::from_secs(1 << 32);
    let budget = Budget {
        deadline: start.checked_add(limits.timeout).unwrap_or_else(|| start + far),
        memory_bytes: limits.memory_bytes / workers.max(1),
        configurations: limits.configurations,
        effort: u64::MAX,
        core: limits.core,
        interrupt: limits.interrupt,
    };
    let mut round = Round { partitions: &partitions, model, budget, first: partitions.len() > 1 };
    let mut judged: Vec<Option<Judged<'a>>> = partitions.iter().map(|_| None).collect();
    loop {
        for (index, result) in round.run(&queue, workers) {
            judged[index] = Some(result);
        }
        let violated = |index: &&usize| matches!(judged[**index], Some(Judged::Violated(_)));
        if let Some(index) = queue.iter().find(violated).copied()
            && let Some(Judged::Violated(violated)) = judged[index].take()
        {
            let Violated { candidates, dead, whole_key } = violated;
            let states = dead.states.clone();
            let partition = &partitions[index];
            let budget = Budget { memory_bytes: limits.memory_bytes, ..round.budget };
            let evidence = evidence::collect(history, partition, model, &candidates, &dead, states, whole_key, budget);
            return Finding::Invalid(Box::new(evidence));
        }
        let unfinished = |judged: &Option<Judged<'_>>| {
            matches!(judged, Some(Judged::Stopped(Stopped { stop: Stop::Effort, .. }, _)))
        };
        queue.retain(|index| unfinished(&judged[*index]));
        if queue.is_empty() {
            return conclude(&partitions, judged, limits);
        }
        round.first = false;
    }
}

/// No key is violated.
fn conclude(partitions: &[Partition<'_>], judged: Vec<Option<Judged<'_>>>, limits: &Limits) -> Finding {
    let mut linearizations = Vec::with_capacity(partitions.len());
    let mut gave_up: Option<Progress> = None;
    for (partition, judged) in partitions.iter().zip(judged) {
        match judged {
            Some(Judged::Valid(order)) => linearizations.push(Linearization { key: partition.key.clone(), order }),
            Some(Judged::Stopped(stopped, candidates)) => {
                gave_up.get_or_insert_with(|| progress(partition.key, stopped, &candidates, limits));
            }
            Some(Judged::Disputed | Judged::Violated(_)) | None => {
                return Finding::Unknown(Unknown::Disagreement { key: partition.key.clone() });
            }
        }
    }
    match gave_up {
        Some(progress) => {
            let (keys_valid, keys) = (linearizations.len(), partitions.len());
            Finding::Unknown(Unknown::GaveUp(Progress { keys_valid, keys, ..progress }))
        }
        None => Finding::Valid(linearizations),
    }
}

fn progress(key: &Key, stopped: Stopped, candidates: &[Candidate<'_>], limits: &Limits) -> Progress {
    let mut ends: Vec<usize> = candidates.iter().filter_map(|candidate| candidate.deadline).collect();
    ends.sort_unstable();
    let events = stopped.placed.checked_sub(1).and_then(|last| ends.get(last)).map_or(0, |end| end + 1);
    let limit = match stopped.stop {
        Stop::Memory => Limit::Memory(limits.memory_bytes),
        Stop::Configurations => Limit::Configurations(limits.configurations),
        Stop::TooWide => Limit::Concurrency,
        Stop::Interrupted => Limit::Interrupted,
        Stop::Timeout | Stop::Effort | Stop::Cancelled => Limit::Timeout(limits.timeout),
    };
    let Stopped { placed, held, .. } = stopped;
    Progress { limit, key: key.clone(), placed, operations: candidates.len(), events, held, keys_valid: 0, keys: 0 }
}

/// All keys once, with one budget.
struct Round<'r, 'a, M> {
    partitions: &'r [Partition<'a>],
    model: &'r M,
    budget: Budget,
    /// Whether this is the first of two attempts.
    first: bool,
}

impl<'a, M: Model> Round<'_, 'a, M> {
    /// Results with the index of their key. Keys behind a violated one in the queue may be missing.
    fn run(&self, queue: &[usize], workers: usize) -> Vec<(usize, Judged<'a>)> {
        let next = AtomicUsize::new(0);
        let violated_at = AtomicUsize::new(usize::MAX);
        let results = Mutex::new(Vec::with_capacity(queue.len()));
        let work = || {
            loop {
                let place = next.fetch_add(1, Ordering::Relaxed);
                let Some(index) = queue.get(place).copied() else {
                    break;
                };
                let cancelled = || violated_at.load(Ordering::Relaxed) < place;
                if cancelled() {
                    break;
                }
                let judged = self.judge(&self.partitions[index].operations, &cancelled);
                if matches!(judged, Judged::Violated(_)) {
                    violated_at.fetch_min(place, Ordering::Relaxed);
                }
                results.lock().unwrap_or_else(PoisonError::into_inner).push((index, judged));
            }
        };
        if workers <= 1 {
            work();
        } else {
            thread::scope(|scope| (0..workers).for_each(|_| drop(scope.spawn(work))));
        }
        results.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    fn judge(&self, operations: &[(usize, &'a Operation)], cancelled: Cancelled<'_>) -> Judged<'a> {
        let mut candidates = took_part(operations);
        let effort = if self.first { first_effort(candidates.len()) } else { u64::MAX };
        let budget = Budget { effort, ..self.budget };
        let mut automaton = Automaton::new(self.model);
        match route(&mut candidates, self.model, &mut automaton, Ask::Where, budget, cancelled) {
            Found::Order(order) => Judged::Valid(order.iter().map(|item| candidates[*item].operation).collect()),
            Found::Stopped(stopped) => Judged::Stopped(stopped, candidates),
            Found::Violation(dead) => Judged::Violated(Violated { candidates, dead, whole_key: true }),
            Found::Conflict(items) => {
                let alone: Vec<Candidate<'a>> = items.iter().map(|item| candidates[*item]).collect();
                let mut automaton = Automaton::new(self.model);
                let budget = Budget { effort: SECOND_OPINION, ..self.budget };
                match general(&alone, self.model, &mut automaton, budget, cancelled) {
                    Found::Violation(dead) => Judged::Violated(Violated { candidates: alone, dead, whole_key: false }),
                    Found::Stopped(Stopped { stop: Stop::Effort | Stop::Memory | Stop::Configurations, .. }) => {
                        let dead = last_to_return(&alone);
                        Judged::Violated(Violated { candidates: alone, dead, whole_key: false })
                    }
                    Found::Stopped(stopped) => Judged::Stopped(stopped, candidates),
                    Found::Order(_) | Found::Conflict(_) => Judged::Disputed,
                }
            }
        }
    }
}

/// Whether the operations of one key are linearizable. What is found is about the candidates as they are afterwards: the general search
/// leaves some of them out.
pub(super) fn search_key<M: Model>(
    candidates: &mut Vec<Candidate<'_>>,
    model: &M,
    automaton: &mut Automaton<'_, M>,
    budget: Budget,
) -> Found {
    route(candidates, model, automaton, Ask::Whether, budget, ALONE)
}

fn route<M: Model>(
    candidates: &mut Vec<Candidate<'_>>,
    model: &M,
    automaton: &mut Automaton<'_, M>,
    ask: Ask,
    budget: Budget,
    cancelled: Cancelled<'_>,
) -> Found {
    if let Err(stop) = budget.has_time() {
        return Found::Stopped(Stopped::at_once(stop));
    }
    let family = model.family();
    if let Some(found) = special(candidates, &family, budget, cancelled) {
        return found;
    }
    leave_out(candidates, &family);
    if let Family::Register { initial } = &family
        && let Some(found) = register::search(candidates, initial, ask, budget, cancelled)
    {
        return found;
    }
    general(candidates, model, automaton, budget, cancelled)
}

/// By an algorithm for the model's family, if there is one for these operations.
fn special(candidates: &[Candidate<'_>], family: &Family, budget: Budget, cancelled: Cancelled<'_>) -> Option<Found> {
    match family {
        Family::Register { initial } => register::decide(candidates, initial, budget),
        Family::Text { .. } | Family::List => register::appends::decide(candidates, family),
        others => collections::decide(candidates, others, budget, cancelled),
    }
}

fn general<M: Model>(
    candidates: &[Candidate<'_>],
    model: &M,
    automaton: &mut Automaton<'_, M>,
    budget: Budget,
    cancelled: Cancelled<'_>,
) -> Found {
    let plan = Plan::new(candidates, model, automaton);
    search(&plan, automaton, budget, cancelled)
}
