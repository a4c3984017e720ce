//! Explorers, checkers of histories, the harness, and the `sextant` command.

pub mod conformance;
pub mod diagnosis;
pub mod gate;
pub mod harness;
pub mod lockstep;
pub mod schedule;
pub mod simulate;

/// Exploration: the engines ([`sextant_explorer`]) and every area of the protocol behind one face ([`sextant_catalogue`]).
pub mod explore {
    pub use sextant_catalogue as catalogue;
    pub use sextant_catalogue::{diagram, matrix};
    pub use sextant_explorer::*;
}

pub use sextant_explorer::{pack, packed_model};
pub use sextant_judge::{consistency, linearizability, picture, verdict};
