//! What a run tells while it runs. Text and terminal are readers of it.

use std::path::PathBuf;

use super::receipt::Receipt;

#[derive(Clone, Debug)]
pub enum Progress {
    /// The evidence will lie here.
    Store(PathBuf),
    /// The clients begin.
    Started,
    /// Several times a second.
    Tick(Tick),
    /// A fault is over.
    Fault(Receipt),
    /// The faults are over and the clients too; the keys are read.
    Settling,
    Checking {
        operations: u64,
    },
}

/// How far a run is.
#[derive(Clone, Debug)]
pub struct Tick {
    pub elapsed_ms: u64,
    pub seconds: u32,
    /// Completed operations, however they ended.
    pub operations: u64,
    pub faults: usize,
    pub failovers: u64,
    /// Name and epoch of the writer that serves, if one does.
    pub writer: Option<(String, u64)>,
}
