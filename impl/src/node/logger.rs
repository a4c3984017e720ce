//! The log thread: what the core appends becomes durable here, as many entries a sync as have gathered.

use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender};
use std::time::Duration;

use super::executor::Input;
use crate::log::{self, Log, LogError};

/// After so long without a batch, a mark goes behind the last one (see [`Log::mark`]).
const IDLE: Duration = Duration::from_secs(1);

/// Runs until the core is gone. Nothing is reported that is not synced.
///
/// # Errors
/// Any of the log's: the process has to end, and to start again from its disk.
pub(super) fn run(mut log: Log, batches: &Receiver<Vec<log::Entry>>, core: &SyncSender<Input>) -> Result<(), LogError> {
    // A restart may have found entries behind the newest mark.
    let mut unmarked = true;
    loop {
        let synced = match batches.recv_timeout(IDLE) {
            Ok(first) => {
                append(&mut log, &first)?;
                batches.try_iter().try_for_each(|batch| append(&mut log, &batch))?;
                unmarked = true;
                log.sync()?
            }
            Err(RecvTimeoutError::Timeout) if unmarked => {
                unmarked = false;
                log.mark()?
            }
            Err(RecvTimeoutError::Timeout) => continue,
            Err(RecvTimeoutError::Disconnected) => return Ok(()),
        };
        let report = Input::Synced { entries: synced.entries };
        if synced.entries > 0 && core.send(report).is_err() {
            return Ok(());
        }
    }
}

fn append(log: &mut Log, batch: &[log::Entry]) -> Result<(), LogError> {
    batch.iter().try_for_each(|entry| log.append(entry))
}
