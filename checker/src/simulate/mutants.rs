//! Known mistakes against the simulator: those of the rule book and those of the executor.

use std::sync::atomic::AtomicBool;
use std::time::Duration;

use sextant_model::mutants::MUTANTS;
use sextant_model::rules::Rules;
use sextant_storage::sim::{ExecutorMistake, Options};

use super::{Config, Judged, Shrunk, Violation, case_of, judge, shrink};
use crate::explore::catalogue;
use crate::schedule;

/// A mistake that the simulated actors can make.
#[derive(Clone, Debug)]
pub struct Mistake {
    pub id: &'static str,
    pub mistake: &'static str,
    pub options: Options,
    /// Nothing shows it, because it changes nothing that matters.
    pub equivalent: bool,
}

/// What became of it.
#[derive(Clone, Debug)]
pub struct Fate {
    /// The lowest seed that showed it.
    pub found: Option<Found>,
    pub seeds: u64,
    /// Of all threads together, shrinking apart.
    pub took: Duration,
}

#[derive(Clone, Debug)]
pub struct Found {
    pub seed: u64,
    pub violation: Violation,
    /// Faults in the plan as it was drawn, and in the smallest one that shows the same.
    pub faults: usize,
    pub shrunk: Shrunk,
    /// What is left in actions of the model, and of which seed: the first one that violates what actions of the model do; or why nothing
    /// is.
    pub case: Result<(u64, schedule::Shrunk), String>,
}

/// Seeds after which a mistake counts as one that the simulator does not show.
const SEEDS_MAX: u64 = 5000;

/// Seeds after the first that are looked at for a case, where that one makes none.
const SEEDS_FOR_A_CASE: u64 = 500;

/// All of them: the core's mutants, then the executor's.
#[must_use]
pub fn mistakes() -> Vec<Mistake> {
    // What is left when a zone and one more node are lost for good is asked of the closed world alone.
    let judged = MUTANTS.iter().filter(|mutant| mutant.breaks != ["L12"]);
    let of_the_rules = judged.map(|mutant| Mistake {
        id: mutant.id,
        mistake: mutant.mistake,
        options: Options::new(mutant.rules),
        equivalent: mutant.equivalent.is_some(),
    });
    let of_the_executor = ExecutorMistake::ALL.into_iter().map(|mistake| Mistake {
        id: mistake.id(),
        mistake: mistake.mistake(),
        options: Options { executor: Some(mistake), ..Options::new(Rules::adopted()) },
        equivalent: mistake.equivalent().is_some(),
    });
    of_the_rules.chain(of_the_executor).collect()
}

/// Runs seeds until one shows the mistake, and makes its plan small. An equivalent one gets `seeds_if_equivalent`.
#[must_use]
pub fn judge_mistake(mistake: &Mistake, threads: usize, seeds_if_equivalent: u64) -> Fate {
    let seeds = if mistake.equivalent { seeds_if_equivalent } else { SEEDS_MAX };
    let Options { rules, executor, .. } = mistake.options;
    let config = Config { rules, executor, seeds: 0..seeds, ..Config::adopted(threads) };
    let mut first: Option<Judged> = None;
    let summary = config.run(&AtomicBool::new(false), |judged, _| {
        if judged.violation.is_some() && first.as_ref().is_none_or(|first| judged.seed < first.seed) {
            first = Some(judged.clone());
        }
    });
    let found = first.and_then(|judged| {
        let (seed, faults) = (judged.seed, judged.plan.windows.len());
        let violation = judged.violation.clone()?;
        let shrunk = shrink(judged, mistake.options);
        let own = case_of(&shrunk.judged, &mistake.options).map(|case| (seed, case));
        let case = own.or_else(|reason| later_case(mistake, &config, seed + 1).ok_or(reason));
        Some(Found { seed, violation, faults, shrunk, case })
    });
    Fate { found, seeds: summary.seeds, took: summary.took }
}

/// Of the first later seed whose violation actions of the model have; none for a mistake of the executor, which is none of them.
fn later_case(mistake: &Mistake, config: &Config, from: u64) -> Option<(u64, schedule::Shrunk)> {
    if mistake.options.executor.is_some() {
        return None;
    }
    (from..from + SEEDS_FOR_A_CASE).find_map(|seed| {
        let judged = judge(seed, &config.plan(seed), &mistake.options);
        let is_of_a_step = judged.violation.as_ref().is_some_and(|violation| violation.property.starts_with('S'));
        is_of_a_step
            .then(|| case_of(&shrink(judged, mistake.options).judged, &mistake.options).ok())?
            .map(|case| (seed, case))
    })
}

/// The length of the model's shortest counterexample to `property` within the bounds of the mutant's row; of the properties that the
/// row names, if this one holds there.
///
/// # Errors
/// If there is no such mutant, or the explorer fails.
pub fn shortest_of(id: &str, property: &str, threads: usize) -> Result<Option<(String, usize)>, String> {
    let mutant = catalogue::mutant(id)?;
    let model = mutant.area.open(&mutant.rules, &mutant.bounds)?;
    let length = |property: &str| {
        let found = model.shortest(property, threads).map_err(|failure| failure.to_string())?;
        Ok::<_, String>(found.map(|found| (property.to_owned(), found.length())))
    };
    if let Some(found) = length(property)? {
        return Ok(Some(found));
    }
    let others = mutant.breaks.iter().map(|other| length(other)).collect::<Result<Vec<_>, _>>()?;
    Ok(others.into_iter().flatten().min_by_key(|(_, length)| *length))
}
