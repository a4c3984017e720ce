//! Explorers, checkers of histories, the harness, and the `sextant` command.

pub mod conformance;
pub mod consistency;
pub mod diagnosis;
pub mod explore;
pub mod gate;
pub mod harness;
pub mod linearizability;
pub mod lockstep;
pub mod picture;
pub mod schedule;
pub mod simulate;
pub mod verdict;
