//! What goes between processes.

pub mod frame;
