//! What goes between processes.

pub mod frame;
pub mod messages;
pub mod socket;
