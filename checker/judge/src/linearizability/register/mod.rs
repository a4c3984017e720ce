//! Registers: better algorithms than the general search.

pub(super) mod appends;
mod columns;
mod lazy;
mod refused;
#[cfg(test)]
mod tests;
mod zones;

use sextant_histories::Value;

use super::prune::Candidate;
use super::search::{Ask, Budget, Cancelled, Found, Stop, Stopped};
use columns::Columns;

/// What zones take for a candidate at most, in bytes.
const BYTES_EACH: usize = 160;

/// Judges one key if its values can be told apart.
pub(super) fn decide(candidates: &[Candidate<'_>], initial: &Value, budget: Budget) -> Option<Found> {
    if candidates.len().saturating_mul(BYTES_EACH) > budget.memory_bytes {
        return Some(Found::Stopped(Stopped::at_once(Stop::Memory)));
    }
    let mut columns = Columns::new(candidates, initial)?;
    refused::decide(&mut columns, budget)
}

/// Searches one key, of which the needless candidates are left out already.
pub(super) fn search(
    candidates: &[Candidate<'_>],
    initial: &Value,
    ask: Ask,
    budget: Budget,
    cancelled: Cancelled<'_>,
) -> Option<Found> {
    let columns = Columns::new(candidates, initial)?;
    lazy::decide(candidates, &columns, initial, ask, budget, cancelled)
}
