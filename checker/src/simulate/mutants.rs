//! Known mistakes against the simulator: those of the rule book and those of the executor.

use std::sync::atomic::AtomicBool;
use std::time::Duration;

use sextant_model::mutants::MUTANTS;
use sextant_model::rules::Rules;
use sextant_storage::sim::{ExecutorMistake, Options};

use super::{Config, Judged, Shrunk, Violation, shrink};

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
}

/// Seeds after which a mistake counts as one that the simulator does not show.
const SEEDS_MAX: u64 = 5000;

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
        Some(Found { seed, violation, faults, shrunk: shrink(judged, mistake.options) })
    });
    Fate { found, seeds: summary.seeds, took: summary.took }
}
