//! What every process of the volume has in common: how it fails, what it announces, when it ends.

use std::fmt;
use std::io::{self, Write};
use std::os::unix::process::parent_id;

use rustix::process::{Signal, set_parent_process_death_signal};

/// Why a process ends: one line for the person who started it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    pub cause: Cause,
    pub message: String,
}

/// Whose fault it is, and so the exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// Bad usage or unreadable input: 64.
    Usage,
    /// The machine: disk full, failed sync: 3.
    Machine,
}

impl Failure {
    pub fn usage(message: impl Into<String>) -> Self {
        Failure { cause: Cause::Usage, message: message.into() }
    }

    pub fn machine(message: impl Into<String>) -> Self {
        Failure { cause: Cause::Machine, message: message.into() }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}

/// A protocol event, as a line that leaves at once. Nobody listening is no reason to stop.
pub fn announce(line: &str) {
    let mut out = io::stdout().lock();
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}

/// From now on this process is killed when its parent ends, so that no run leaves an orphan.
///
/// The kernel watches the *thread* that started this process: start it from one that lives as long as the run.
///
/// # Errors
/// If the parent is gone already, or the kernel refuses.
pub fn die_with_parent() -> Result<(), Failure> {
    let parent = parent_id();
    set_parent_process_death_signal(Some(Signal::KILL))
        .map_err(|error| Failure::machine(format!("set the parent death signal: {error}")))?;
    if parent_id() != parent || is_orphan(parent) {
        return Err(Failure::machine("the parent process is gone"));
    }
    Ok(())
}

/// An orphan's parent is process 1, unless that one is a harness of this very program (as in a container).
fn is_orphan(parent: u32) -> bool {
    let executable = |link: &str| std::fs::read_link(link).ok();
    parent == 1 && executable("/proc/1/exe") != executable("/proc/self/exe")
}
