//! What runs: the storage protocol over real disks and sockets.

pub mod log;
pub mod wire;
