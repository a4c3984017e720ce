//! Explorers, checkers of histories, the harness, and the `sextant` command.

pub mod explore;
pub mod harness;
pub mod linearizability;
pub mod verdict;
