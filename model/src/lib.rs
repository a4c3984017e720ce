//! Quorum storage in the manner of Amazon Aurora as pure step functions.
pub mod action;
pub mod bounds;
#[cfg(feature = "stateright")]
mod checked;
pub mod closed;
pub mod confirm;
pub mod diff;
pub mod disk;
mod forget;
pub mod instance;
pub mod logset;
pub mod metadata;
pub mod mutants;
pub mod profiles;
pub mod properties;
pub mod recovery;
pub mod rules;
pub mod segment;
pub mod types;
pub mod world;
