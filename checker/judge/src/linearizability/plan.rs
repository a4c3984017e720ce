//! One key's candidates laid out for the search: a sequence of steps, and a slot for each operation while it is pending.

use std::collections::HashMap;

use super::automaton::Automaton;
use super::model::Model;
use super::prune::Candidate;

/// What happens next. Numbers are positions among the candidates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// From here on the operation may take effect, and has to before its `Return`.
    Invoke(usize),
    Return(usize),
    /// From here on one more indeterminate operation of this kind may take effect.
    Offer(usize),
}

/// Indeterminate operations that do the same. They have no return, so any of them may stand for any other that was
/// invoked before it is needed: the search only counts how many it has used, the earliest first.
#[derive(Clone, Debug)]
pub(super) struct Crowd {
    pub(super) symbol: u32,
    pub(super) members: Vec<usize>,
}

#[derive(Debug)]
pub(super) struct Plan {
    pub(super) steps: Vec<Step>,
    pub(super) symbols: Vec<u32>,
    /// For every candidate, whether it only observes.
    pub(super) observers: Vec<bool>,
    /// For every candidate with a deadline, its slot. Slots are reused after the return.
    pub(super) slots: Vec<usize>,
    pub(super) width: usize,
    pub(super) crowds: Vec<Crowd>,
}

impl Plan {
    pub(super) fn new<M: Model>(candidates: &[Candidate<'_>], model: &M, automaton: &mut Automaton<'_, M>) -> Self {
        let symbols: Vec<u32> = candidates.iter().map(|candidate| automaton.symbol(candidate)).collect();
        let observes =
            |candidate: &Candidate<'_>| candidate.reply.is_some_and(|reply| model.only_observes(candidate.call, reply));
        let (crowds, membership) = crowds(candidates, &symbols);
        let steps = steps(candidates, &membership);
        let (slots, width) = assign_slots(&steps, candidates.len());
        Self { steps, observers: candidates.iter().map(observes).collect(), symbols, slots, width, crowds }
    }
}

/// The crowds, and for each candidate the one it belongs to.
fn crowds(candidates: &[Candidate<'_>], symbols: &[u32]) -> (Vec<Crowd>, Vec<Option<usize>>) {
    let mut crowds: Vec<Crowd> = Vec::new();
    let mut by_symbol = HashMap::new();
    let mut membership = vec![None; candidates.len()];
    let endless = candidates.iter().enumerate().filter(|(_, candidate)| candidate.deadline.is_none());
    for (item, _) in endless {
        let symbol = symbols[item];
        let crowd = *by_symbol.entry(symbol).or_insert_with(|| {
            crowds.push(Crowd { symbol, members: Vec::new() });
            crowds.len() - 1
        });
        crowds[crowd].members.push(item);
        membership[item] = Some(crowd);
    }
    (crowds, membership)
}

/// Steps in order of events. An end that was proved, not recorded, comes behind the return that proves it.
fn steps(candidates: &[Candidate<'_>], membership: &[Option<usize>]) -> Vec<Step> {
    let mut steps: Vec<(usize, bool, Step)> = Vec::with_capacity(2 * candidates.len());
    for (item, candidate) in candidates.iter().enumerate() {
        if let Some(crowd) = membership[item] {
            steps.push((candidate.invoked, false, Step::Offer(crowd)));
        }
        if let Some(deadline) = candidate.deadline {
            steps.push((candidate.invoked, false, Step::Invoke(item)));
            steps.push((deadline, candidate.end_is_proved, Step::Return(item)));
        }
    }
    steps.sort_by_key(|(event, proved, _)| (*event, *proved));
    steps.into_iter().map(|(_, _, step)| step).collect()
}

fn assign_slots(steps: &[Step], count: usize) -> (Vec<usize>, usize) {
    let mut slots = vec![0; count];
    let mut free: Vec<usize> = Vec::new();
    let mut width = 0;
    for step in steps {
        match step {
            Step::Invoke(item) => {
                slots[*item] = free.pop().unwrap_or_else(|| {
                    width += 1;
                    width - 1
                });
            }
            Step::Return(item) => free.push(slots[*item]),
            Step::Offer(_) => {}
        }
    }
    (slots, width)
}
