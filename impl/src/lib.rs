//! What runs: the storage protocol over real disks and sockets.
//!
//! [`log`] is the hot log of a storage node, [`wire`] the frames between processes, [`resp`] the protocol that
//! `redis-cli` speaks to the database instance.

pub mod log;
pub mod resp;
pub mod wire;
