//! What runs: the storage protocol over real disks and sockets.
//!
//! Three processes: a storage [`node`] keeps one copy, the [`writer`] is the database instance, [`meta`] allocates volume
//! epochs. [`log`] is the hot log of a storage node, [`wire`] the frames between processes, [`resp`] the protocol that
//! `redis-cli` speaks to the database instance.
//!
//! [`sim`] runs the same node, writer and clients ([`client`]) on virtual time. [`control`] gives their transport and clocks into a controller's hand,
//! [`flight`] records what each of them does, and
//! [`ledger`] judges the properties of the protocol as a run goes.
//!
//! Architecture invariant: no protocol decision is made here. Which epoch is stale, how many answers are enough and what
//! may be acknowledged is asked of the step functions of `sextant_model`; this crate moves bytes, keeps payloads beside the
//! control state, and repeats what was lost.

pub mod client;
pub mod control;
pub mod flight;
pub mod ledger;
pub mod log;
pub mod meta;
pub mod node;
pub mod process;
pub mod random;
pub mod resp;
pub mod sim;
pub mod visited;
pub mod wire;
pub mod writer;
