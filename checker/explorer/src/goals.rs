//! What an area says must come to pass, judged on the graph of its space.
//!
//! Fairness is to kinds of actions, which no renaming changes, so the space that is reduced by symmetry tells the truth; that no
//! step of it leads to a state that differs only in names is checked.

use std::time::Instant;

use sextant_model::area::{Goal, Lively};
use sextant_model::closed::Closed;

use super::case::Case;
use super::liveness::{Graph, Lasso, Stops};
use super::{Counterexample, Explored, Failure, unreplayable};

/// What is asked of an area.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Liveness {
    /// The most states of a graph.
    pub states_max: u32,
    /// One goal alone, by id.
    pub goal: Option<String>,
    /// Kinds of actions that nothing is fair to, although the area is.
    pub unfair: Vec<String>,
}

impl Default for Liveness {
    fn default() -> Self {
        Liveness { states_max: 1_000_000, goal: None, unfair: Vec::new() }
    }
}

/// Whether the goals of `model` come to pass.
///
/// # Errors
/// If the model panics, a step of it leads to a state that differs only in names, or a lasso does not replay on the unreduced
/// world.
pub fn live<A: Lively>(model: &Closed<A>, asked: &Liveness) -> Result<Explored, Failure> {
    let began = Instant::now();
    let due: Vec<_> = A::FAIR.iter().filter(|due| !asked.unfair.iter().any(|unfair| unfair == due.kind)).collect();
    let context = model.context();
    let fair = |state: &A::State, action: &A::Action| {
        let kind = A::KINDS[A::kind(action)];
        let speaks = due.iter().map(|due| due.kind == kind && (due.of)(context, state, action));
        speaks.enumerate().fold(0, |bits, (i, speaks)| bits | u64::from(speaks) << i)
    };
    let strengths = due.iter().map(|due| due.strength).collect();
    let mut explored = Explored {
        bounds: model.bounds().to_string(),
        unique_states: 0,
        generated_states: 0,
        depth: 0,
        elapsed: began.elapsed(),
        counterexample: None,
        others: Vec::new(),
        vacuous: Vec::new(),
        stopped: None,
        actions: Vec::new(),
        expected_collisions: None,
        walked: None,
    };
    let Some(graph) = Graph::within(model, strengths, &fair, asked.states_max, Stops::Anywhere)? else {
        explored.stopped = Some(format!("more than {} states (--limit)", asked.states_max));
        explored.elapsed = began.elapsed();
        return Ok(explored);
    };
    if A::is_reduced(model.bounds()) && graph.loops() > 0 {
        let loops = graph.loops();
        return Err(Failure(format!("{loops} steps lead to states that differ only in names: symmetry hides a cycle")));
    }
    (explored.unique_states, explored.generated_states) = (graph.len(), graph.steps());
    let wanted = |goal: &&Goal<A>| asked.goal.as_ref().is_none_or(|id| goal.id.eq_ignore_ascii_case(id));
    for goal in A::GOALS.iter().filter(wanted) {
        let judged = graph.leads(goal.name, &|state| (goal.from)(context, state), &|state| (goal.to)(context, state));
        if judged.vacuous {
            explored.vacuous.push(goal.name);
        }
        if let Some(lasso) = judged.lasso {
            explored.others.push(told(model, goal, &lasso)?);
        }
    }
    if !explored.others.is_empty() {
        explored.counterexample = Some(explored.others.remove(0));
    }
    explored.elapsed = began.elapsed();
    Ok(explored)
}

/// The case is the stem; the lines go on with the cycle.
fn told<A: Lively>(
    model: &Closed<A>,
    goal: &Goal<A>,
    lasso: &Lasso<A::State, A::Action>,
) -> Result<Counterexample, Failure> {
    let reduced: Vec<A::Action> = lasso.stem.steps.iter().chain(&lasso.cycle).map(|(action, _)| *action).collect();
    let trace = model.concrete(&reduced).map_err(|e| unreplayable(&e.to_string()))?;
    let states = model.walk(&trace).map_err(|e| unreplayable(&e.to_string()))?;
    let stem = lasso.stem.steps.len();
    // The promise is broken in real names too: nothing on the cycle is what is waited for, and something was waited for.
    let (from, to) = (&states[..=stem], &states[stem..]);
    let (waited, came) =
        (from.iter().any(|s| (goal.from)(model.context(), s)), to.iter().any(|s| (goal.to)(model.context(), s)));
    if !waited || came {
        return Err(unreplayable("the goal is reached there, or nobody waits for it"));
    }
    let mut lines = model.tell(&trace).map_err(|e| unreplayable(&e.to_string()))?;
    let fact = if lasso.cycle.is_empty() {
        lines.push("     and there it may stay for ever".into());
        format!("after {stem} actions nothing happens any more that must")
    } else {
        lines.insert(stem, "     and then again and again, but for names:".into());
        format!("after {stem} actions the next {} may be repeated for ever", lasso.cycle.len())
    };
    // A state in which nothing is possible may violate a property too; then the case says so.
    let violated = model.unreduced().violation(&states[stem]).map(|(property, _)| property.id);
    let case = Case::of(model, violated, &trace[..stem]);
    let (id, name, formula, section) = (goal.id, goal.name, goal.formula, goal.section);
    Ok(Counterexample { property: id, name, formula, section, fact, case, lines })
}
