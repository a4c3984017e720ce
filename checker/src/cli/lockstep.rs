//! Whether the actors that run do what a case says.

use std::io;

use sextant::explore::case::Case;
use sextant::lockstep::{Failure, Stage, replay};

/// What became of a case in this process and as processes, in a few words.
///
/// # Errors
/// The folder's in which they work.
pub fn confirmed(case: &Case) -> io::Result<String> {
    let simulated = outcome(case, &Stage::Simulated)?;
    let real = outcome(case, &Stage::Real { executable: std::env::current_exe()? })?;
    Ok(match (simulated, real) {
        (None, None) => "the same violation, in this process and as processes".to_owned(),
        (simulated, real) => {
            let told = |reason: Option<String>| reason.unwrap_or_else(|| "the same violation".to_owned());
            format!("in this process: {}; as processes: {}", told(simulated), told(real))
        }
    })
}

/// Why the actors do not show what the case says; none if they do.
///
/// # Errors
/// The folder's in which they work.
pub fn outcome(case: &Case, stage: &Stage) -> io::Result<Option<String>> {
    let dir = tempfile::tempdir()?;
    Ok(match replay(case, stage, dir.path()) {
        Ok(replayed) if replayed.as_expected => None,
        Ok(replayed) => Some(replayed.conformance.summary()),
        Err(Failure::NeverSent(what)) => Some(format!("{what} was never sent")),
        Err(failure) => Some(failure.to_string()),
    })
}
