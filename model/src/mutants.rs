//! Known mistakes, one row each: the adopted rule book with one decision changed (protocol §8, §13).

use crate::rules::{Rules, mistakes as m};

/// A known mistake.
#[derive(Clone, Copy, Debug)]
pub struct Mutant {
    /// As in the protocol's table: `M17`.
    pub id: &'static str,
    /// What is done wrong.
    pub mistake: &'static str,
    pub rules: Rules,
}

/// The mutant of this name, in either case.
#[must_use]
pub fn by_id(id: &str) -> Option<&'static Mutant> {
    MUTANTS.iter().find(|mutant| mutant.id.eq_ignore_ascii_case(id))
}

pub const MUTANTS: &[Mutant] = &[
    Mutant { id: "M4", mistake: "node ignores a stale volume epoch (ranges only)", rules: m::STALE_RANGES_ONLY },
    Mutant { id: "M17", mistake: "acknowledges before it persists", rules: m::ACKNOWLEDGE_ON_RECEIPT },
    Mutant { id: "M56", mistake: "reads are not confirmed", rules: m::NO_CONFIRMATION },
];
