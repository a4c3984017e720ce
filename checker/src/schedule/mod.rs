//! A recorded run that violates a property, made a case of the core: a handful of the model's actions that violate the same property on
//! the closed world, to be walked, drawn and acted out in lockstep.
//!
//! 1. The record is merged ([`crate::conformance`]), in several orders, and each event is a step of the model ([`Step`]).
//! 2. Steps are left out for as long as the same property is violated: whole writers, stretches of records, then stretches of steps
//!    down to single ones. A run is longer than a state of the core can hold, so that is done on a world without bounds (`wide`).
//! 3. What is left is taken on the closed world, without symmetry, within bounds that just hold it; with each choice of the model's
//!    reductions steps are left out again, by ones, twos and threes. The fewest actions win.
//!
//! A step that is not possible any more, because another was left out, is skipped.

mod core;
mod minimise;
mod wide;

use sextant_model::action::Action;
use sextant_model::rules::Rules;
use sextant_model::types::SegmentId;

use self::core::{Reductions, Stage};
use crate::conformance::{self, COPIES, Moment, Order, Run, Step};
use crate::explore::case::Case;
use minimise::{minimise, minimise_together};

/// What is left of a run.
#[derive(Clone, Debug)]
pub struct Shrunk {
    /// Walks to the violation on the closed world.
    pub case: Case,
    pub lengths: Lengths,
    /// The order that shows it.
    pub order: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lengths {
    /// Steps of the run up to the violation.
    pub run: usize,
    /// Of these, how many are left on the world without bounds.
    pub left: usize,
    /// Actions of the case.
    pub case: usize,
}

/// Random orders in which a record is looked at, beside the two extremes.
const ORDERS: u64 = 24;
/// Of the orders that show the violation, how many are made small.
const TRIED: usize = 6;
/// Steps that are left out at once, at most.
const TOGETHER: usize = 3;

/// The smallest case found that violates `property`, by the rules by which the run went.
///
/// # Errors
/// Why there is none: no order of the record shows the violation, or the core does not hold what is left.
pub fn shrink(run: &Run, rules: &Rules, property: &str) -> Result<Shrunk, String> {
    let random = (0..ORDERS).map(|seed| Order::Random { seed });
    let mut found: Vec<Shrunk> = Vec::new();
    let mut is_too_large = false;
    for order in [Order::NodesFirst, Order::WritersFirst].into_iter().chain(random) {
        let transcript = conformance::transcript(run, rules, order);
        let moments = [Some(Moment::Taken), None, Some(Moment::Heard)].into_iter();
        let shown = moments.map(|moment| wide::effective(rules, &transcript.at(moment))).find_map(|steps| {
            let last = wide::breaks(rules, property, &steps)?;
            Some(steps[..=last].to_vec())
        });
        let Some(steps) = shown else { continue };
        let small = on_the_wide_world(rules, property, &steps);
        match on_the_core(rules, property, &small) {
            Some((stage, actions)) => found.push(Shrunk {
                case: Case::of(stage.model(), Some(property), &actions),
                lengths: Lengths { run: steps.len(), left: small.len(), case: actions.len() },
                order: order.to_string(),
            }),
            None => is_too_large = true,
        }
        if found.len() >= TRIED {
            break;
        }
    }
    found.into_iter().min_by_key(|shrunk| shrunk.lengths.case).ok_or_else(|| {
        if is_too_large {
            return "a state of the core does not hold what is left of the run".to_owned();
        }
        format!("no order of the record that was tried shows a violation of {property} by the model's actions")
    })
}

/// Leaves out kinds of steps, writers, records, then steps; of what is left, lets one writer or record stand for two.
fn on_the_wide_world(rules: &Rules, property: &str, steps: &[Step]) -> Vec<Step> {
    let mut breaks = |steps: &[Step]| wide::breaks(rules, property, steps).is_some();
    let mut left = steps.to_vec();
    left = by_name(left, |step| Some(step.kind()), &mut breaks);
    left = by_name(left, Step::writer, &mut breaks);
    left = by_name(left, Step::record, &mut breaks);
    smallest(left, 2, &mut breaks)
}

/// The fewest actions over all choices of reductions.
fn on_the_core(rules: &Rules, property: &str, steps: &[Step]) -> Option<(Stage, Vec<Action>)> {
    let on = |steps: &[Step], reductions| Stage::of(*rules, property, steps, reductions);
    let breaks = |steps: &[Step], reductions| on(steps, reductions).is_some_and(|stage| stage.play(steps).violated);
    let made_small = |steps: &[Step], reductions, together| {
        breaks(steps, reductions).then(|| {
            let small = smallest(steps.to_vec(), together, &mut |steps| breaks(steps, reductions));
            let actions = on(&small, reductions).map_or(usize::MAX, |stage| stage.play(&small).actions.len());
            (actions, small)
        })
    };
    let candidates = Reductions::all(steps).into_iter();
    let candidates = candidates.filter_map(|choice| Some((choice, made_small(steps, choice, 1)?)));
    // The first of the shortest: the fewer liberties, the sooner it comes.
    let (reductions, (_, small)) = candidates.min_by_key(|(_, (actions, _))| *actions)?;
    let (_, small) = made_small(&small, reductions, TOGETHER)?;
    let stage = on(&small, reductions)?;
    let actions = stage.play(&small).actions;
    Some((stage, actions))
}

/// Leaves out everything that has a name, for as many names as possible.
fn by_name(steps: Vec<Step>, name: fn(Step) -> Option<usize>, breaks: &mut impl FnMut(&[Step]) -> bool) -> Vec<Step> {
    let names = names(&steps, name);
    let of = |names: &[usize]| -> Vec<Step> {
        let is_named = |step: &Step| name(*step).is_none_or(|name| names.binary_search(&name).is_ok());
        steps.iter().copied().filter(is_named).collect()
    };
    let names = minimise(names, &mut |names| breaks(&of(names)));
    of(&names)
}

fn names(steps: &[Step], name: fn(Step) -> Option<usize>) -> Vec<usize> {
    let mut names: Vec<usize> = steps.iter().copied().filter_map(name).collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// Leaves out up to `together` steps at once; then lets one writer do what two did, one record be what two were, or another segment
/// take part where that makes a step superfluous, as long as that leaves fewer.
fn smallest(steps: Vec<Step>, together: usize, breaks: &mut impl FnMut(&[Step]) -> bool) -> Vec<Step> {
    let mut left = minimise_together(steps, together, breaks);
    while let Some(fewer) = unified(&left, breaks).or_else(|| replaced(&left, breaks)) {
        left = minimise_together(fewer, together, breaks);
    }
    left
}

/// The first way to have one step less by another segment in the place of one.
fn replaced(steps: &[Step], breaks: &mut impl FnMut(&[Step]) -> bool) -> Option<Vec<Step>> {
    let mut changed = steps.to_vec();
    for at in 0..steps.len() {
        for other in SegmentId::all(COPIES) {
            let Some(step) = steps[at].at_another(other).filter(|step| *step != steps[at]) else { continue };
            changed[at] = step;
            for out in (0..steps.len()).filter(|out| *out != at) {
                let left: Vec<Step> = changed[..out].iter().chain(&changed[out + 1..]).copied().collect();
                if breaks(&left) {
                    return Some(left);
                }
            }
        }
        changed[at] = steps[at];
    }
    None
}

/// The first way to have one name less.
fn unified(steps: &[Step], breaks: &mut impl FnMut(&[Step]) -> bool) -> Option<Vec<Step>> {
    let mut one_for_two = |name: fn(Step) -> Option<usize>, renamed: fn(Step, usize, usize) -> Option<Step>| {
        let names = names(steps, name);
        let pairs = names.iter().flat_map(|&from| names.iter().chain(&[0]).map(move |&to| (from, to)));
        pairs.filter(|(from, to)| from != to).find_map(|(from, to)| {
            let fewer: Vec<Step> = steps.iter().filter_map(|&step| renamed(step, from, to)).collect();
            // Without a step less it would go round in circles.
            (fewer.len() < steps.len() && breaks(&fewer)).then_some(fewer)
        })
    };
    one_for_two(Step::writer, Step::by_another).or_else(|| one_for_two(Step::record, Step::of_another))
}
