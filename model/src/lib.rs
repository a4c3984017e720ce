//! Quorum storage in the manner of Amazon Aurora as pure step functions, and the closed world in which they are explored.
//!
//! Read [`segment`], then [`recovery`] and [`instance`], then the table that heads [`properties`]. Every decision that the
//! papers leave open is a method of [`rules::Rules`]; every known mistake is a row of [`mutants::MUTANTS`].
//!
//! # Glossary
//!
//! The words are those of the papers: S17 is SIGMOD 2017 (doi:10.1145/3035918.3056101), S18 is SIGMOD 2018
//! (doi:10.1145/3183713.3196937). C1 to C17 are the places where their text is ambiguous or unsafe, and were decided here.
//!
//! | word | meaning |
//! |---|---|
//! | LSN | log sequence number: a redo record's place in the volume's one sequence |
//! | segment | one copy of a protection group on one storage node; six over three zones |
//! | SCL | segment complete LSN: up to here a segment's chain has no gap (inclusive) |
//! | PGCL, VCL, VDL | up to here a write quorum has the group's records, the volume's records, and the last whole mini-transaction; with one group and every record a mini-transaction of its own the three are one number, called VDL here |
//! | LAL | LSN allocation limit: how far the writer may run ahead of the VDL |
//! | volume epoch | number of a writer incarnation; taken by a compare-and-set at the metadata service |
//! | fence | a segment's durable promise to refuse requests of older volume epochs |
//! | truncation range | ⟨epoch, first, last⟩: LSNs that a recovery annuls |
//! | instance | a database instance: one writer incarnation with its recovery |
//! | zombie | an instance that has been replaced and does not know it |
//!
//! # Architecture invariants
//!
//! * Nothing here reads a clock, draws a random number, touches a file or a socket, or depends on the order of a hash map:
//!   `clippy.toml` bans the means.
//! * A positive acknowledgement carries a [`disk::Durable`], which a synced [`disk::Disk`] gives.
//! * Nothing outside this crate decides what the protocol does: the executors deliver events and carry out effects.

pub mod action;
pub mod area;
pub mod bounds;
#[cfg(feature = "stateright")]
mod checked;
#[cfg(feature = "stateright")]
pub mod clients;
pub mod closed;
pub mod confirm;
pub mod coverage;
pub mod decisions;
pub mod diff;
pub mod disk;
pub mod disks;
pub mod fields;
mod footprints;
mod forget;
pub mod fork;
mod goals;
pub mod group;
pub mod instance;
pub mod logset;
pub mod membership;
pub mod metadata;
pub mod mutants;
pub mod pack;
pub mod pages;
pub mod partial_order;
pub mod profiles;
pub mod properties;
pub mod quorum;
pub mod records;
pub mod recovery;
pub mod refinement;
pub mod region;
pub mod rules;
pub mod scene;
pub mod segment;
pub mod shape;
pub mod steps;
pub mod types;
pub mod undo;
pub mod volume;
pub mod world;
