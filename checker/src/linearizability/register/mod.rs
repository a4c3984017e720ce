//! Registers: better algorithms than the general search.

mod columns;
mod refused;
#[cfg(test)]
mod tests;
mod zones;

use sextant_histories::Value;

use super::prune::Candidate;
use super::search::{Budget, Found};
use columns::Columns;

/// Judges one key, if it is of a kind for which there is a special algorithm.
pub(super) fn decide(candidates: &[Candidate<'_>], initial: &Value, _budget: Budget) -> Option<Found> {
    let mut columns = Columns::new(candidates, initial)?;
    refused::decide(&mut columns)
}
