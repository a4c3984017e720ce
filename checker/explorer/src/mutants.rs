//! Every mutant against the properties that it must break.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use sextant_model::area::{Area, Mutant};
use sextant_model::closed::Closed;

use super::{Counterexample, Engine, Explored, Failure, Plan, explore, shortest};

/// What became of a mutant.
#[derive(Clone, Debug)]
pub struct Fate {
    pub death: Death,
    pub elapsed: Duration,
}

#[derive(Clone, Debug)]
pub enum Death {
    /// Every property that it must break is broken: the shortest counterexample for each, by property.
    Caught(BTreeMap<&'static str, Counterexample>),
    /// Explored whole without a violation, as its row says.
    Equivalent(Box<Explored>),
    /// A property that it must break held, or an equivalent one broke something.
    Survived { reason: String },
}

/// Runs `mutant` once for each property that it must break, with that property alone; an equivalent one to its end, with
/// all properties.
///
/// # Errors
/// If the explorer fails.
pub fn judge<A: Area>(mutant: &Mutant<A>, threads: usize) -> Result<Fate, Failure> {
    let began = Instant::now();
    let model = Closed::<A>::new(mutant.rules, mutant.bounds);
    let death = match mutant.equivalent {
        Some(_) => whole(&model, threads)?,
        None => named(&model, mutant, threads)?,
    };
    Ok(Fate { death, elapsed: began.elapsed() })
}

fn whole<A: Area>(model: &Closed<A>, threads: usize) -> Result<Death, Failure> {
    let explored = explore(model, &Plan::new(Engine::Packed, threads), &mut |_| {})?;
    Ok(match &explored.counterexample {
        None => Death::Equivalent(Box::new(explored)),
        Some(c) => Death::Survived { reason: format!("said to be equivalent, but breaks {}: {}", c.property, c.fact) },
    })
}

fn named<A: Area>(model: &Closed<A>, mutant: &Mutant<A>, threads: usize) -> Result<Death, Failure> {
    let mut caught = BTreeMap::new();
    for property in mutant.breaks {
        match shortest(model, property, threads)? {
            Some(counterexample) => caught.insert(*property, counterexample),
            None => return Ok(Death::Survived { reason: format!("{property} holds at {}", mutant.bounds) }),
        };
    }
    Ok(Death::Caught(caught))
}

impl Death {
    /// The property with the shortest counterexample, and that.
    #[must_use]
    pub fn first(&self) -> Option<&Counterexample> {
        match self {
            Death::Caught(all) => all.values().min_by_key(|c| c.length()),
            Death::Equivalent(_) | Death::Survived { .. } => None,
        }
    }
}
