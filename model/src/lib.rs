//! Quorum storage in the manner of Amazon Aurora as pure step functions.
pub mod confirm;
pub mod disk;
pub mod instance;
pub mod logset;
pub mod metadata;
pub mod mutants;
pub mod recovery;
pub mod rules;
pub mod segment;
pub mod types;
