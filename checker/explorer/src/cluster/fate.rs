//! Whether the search of this process can go on.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::packed::Failure;
use crate::packed::levels::lock;

/// What the threads of one process tell each other: the first failure stays.
#[derive(Debug, Default)]
pub struct Fate {
    begun: AtomicBool,
    failed: AtomicBool,
    first: Mutex<Option<Failure>>,
}

impl Fate {
    /// The search has begun, or gone on from a checkpoint that is whole.
    pub fn begin(&self) {
        self.begun.store(true, Ordering::Release);
    }

    #[must_use]
    pub fn has_begun(&self) -> bool {
        self.begun.load(Ordering::Acquire)
    }

    pub fn fail(&self, failure: Failure) {
        lock(&self.first).get_or_insert(failure);
        self.failed.store(true, Ordering::Release);
    }

    /// # Errors
    /// If some thread has failed: its failure.
    pub fn check(&self) -> Result<(), Failure> {
        if !self.failed.load(Ordering::Acquire) {
            return Ok(());
        }
        lock(&self.first).clone().map_or(Ok(()), Err)
    }
}
