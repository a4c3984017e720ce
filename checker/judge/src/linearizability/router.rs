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
use super::certificate::{Refusal, verify_core};
use super::collections;
use super::core::Core;
use super::evidence::{self, Evidence};
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
    /// Whether only one algorithm says so yet.
    doubted: bool,
}

/// How much work the general search may take over a contradiction that another algorithm found, before its smallest core is shown to the
/// verifier of certificates instead. It can be too much for it: a list that a hundred clients appended to has a contradiction of
/// two operations, and all that it rests on.
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
            let Violated { candidates, dead, whole_key, doubted } = violated;
            let states = dead.states.clone();
            let partition = &partitions[index];
            let budget = Budget { memory_bytes: limits.memory_bytes, ..round.budget };
            let evidence = evidence::collect(history, partition, model, &candidates, &dead, states, whole_key, budget);
            if doubted && let Err(unknown) = second_opinion(history, model, &candidates, &evidence, limits, budget) {
                return Finding::Unknown(unknown);
            }
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

/// Whether somebody else sees a violation, too: the verifier, if there is a smallest core, or else the general search however long it
/// takes.
fn second_opinion<M: Model>(
    history: &History,
    model: &M,
    candidates: &[Candidate<'_>],
    evidence: &Evidence,
    limits: &Limits,
    budget: Budget,
) -> Result<(), Unknown> {
    let disagreement = || Unknown::Disagreement { key: evidence.key.clone() };
    if evidence.core.smallest {
        let core = Core { smallest: false, ..evidence.core.clone() };
        match verify_core(history, model, &evidence.key, &core) {
            Ok(()) => return Ok(()),
            Err(Refusal::Wrong(_)) => return Err(disagreement()),
            Err(Refusal::Unknown(_)) => {}
        }
    }
    match general(candidates, model, &mut Automaton::new(model), budget, ALONE) {
        Found::Violation(_) => Ok(()),
        Found::Stopped(stopped) => Err(Unknown::GaveUp(progress(&evidence.key, stopped, candidates, limits))),
        Found::Order(_) | Found::Conflict(_) => Err(disagreement()),
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
            Found::Violation(dead) => Judged::Violated(Violated { candidates, dead, whole_key: true, doubted: false }),
            Found::Conflict(items) => {
                let alone: Vec<Candidate<'a>> = items.iter().map(|item| candidates[*item]).collect();
                let mut automaton = Automaton::new(self.model);
                let budget = Budget { effort: SECOND_OPINION, ..self.budget };
                let violated = |dead, doubted| Violated { candidates: alone.clone(), dead, whole_key: false, doubted };
                match general(&alone, self.model, &mut automaton, budget, cancelled) {
                    Found::Violation(dead) => Judged::Violated(violated(dead, false)),
                    Found::Stopped(Stopped { stop: Stop::Effort | Stop::Memory | Stop::Configurations, .. }) => {
                        Judged::Violated(violated(last_to_return(&alone), true))
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
        Family::Text { .. } | Family::List => register::appends::decide(candidates, family, budget),
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

#[cfg(test)]
mod tests {
    use sextant_histories::Reader;

    use super::*;
    use crate::linearizability::models::Register;

    /// A write of 1, a write of 2, and a read of what is given, one after the other.
    fn read_at_last(value: u8) -> History {
        let lines: String = [("write", "1"), ("write", "2"), ("read", &value.to_string()[..])]
            .iter()
            .map(|(f, value)| {
                let asked = if *f == "read" { String::new() } else { format!(r#","value":{value}"#) };
                let line = |kind: &str, value: &str| {
                    format!("{{\"process\":0,\"type\":\"{kind}\",\"f\":\"{f}\",\"key\":\"x\"{value}}}\n")
                };
                line("invoke", &asked) + &line("ok", &format!(r#","value":{value}"#))
            })
            .collect();
        let events: Result<Vec<_>, _> = Reader::new("test", lines.as_bytes()).collect();
        History::from_events(events.unwrap().into_iter().map(|(_, event)| event)).unwrap()
    }

    /// The evidence of a stale read is none about a read that is not.
    #[test]
    fn a_second_opinion_is_one() {
        let (stale, right) = (read_at_last(1), read_at_last(2));
        let (model, limits) = (Register::default(), Limits::default());
        let Finding::Invalid(evidence) = super::super::check(&stale, &model, &limits).finding else {
            panic!("a stale read is invalid");
        };
        assert!(evidence.core.smallest);
        let opinion = |history: &History, smallest: bool| {
            let operations: Vec<(usize, &Operation)> = history.operations().iter().enumerate().collect();
            let core = Core { smallest, ..evidence.core.clone() };
            let evidence = Evidence { core, ..(*evidence).clone() };
            let candidates = took_part(&operations);
            second_opinion(history, &model, &candidates, &evidence, &limits, Budget::unlimited())
        };
        for smallest in [true, false] {
            assert_eq!(opinion(&stale, smallest), Ok(()));
            assert!(matches!(opinion(&right, smallest), Err(Unknown::Disagreement { .. })));
        }
    }
}
