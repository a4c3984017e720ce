//! What the harness itself did and saw, with times: `harness.log` beside the logs of the processes.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::time::Instant;

use super::HarnessError;

pub(crate) struct Journal {
    file: File,
    start: Instant,
}

impl Journal {
    pub(crate) fn open(logs: &Path) -> Result<Self, HarnessError> {
        let path = logs.join("harness.log");
        let file = OpenOptions::new().append(true).create(true).open(&path);
        let file = file.map_err(HarnessError::io(format!("open {}", path.display())))?;
        Ok(Self { file, start: Instant::now() })
    }

    /// A line that cannot be written is lost: the journal explains a run, the run does not depend on it.
    pub(crate) fn note(&mut self, line: &str) {
        let _ = writeln!(self.file, "{:>9.3} {line}", self.start.elapsed().as_secs_f64());
    }
}
