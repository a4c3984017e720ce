//! Explorers, checkers of histories, the harness, and the `sextant` command.

pub mod harness;
pub mod linearizability;
pub mod verdict;
