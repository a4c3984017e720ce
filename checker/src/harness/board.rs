//! Who serves: written by the thread that runs the cluster, read by the clients, and what the clients tell it back.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// An open writer as its clients know it. The counters are evidence for receipts; nothing depends on their order with
/// other memory, hence `Relaxed` everywhere.
#[derive(Debug)]
pub(crate) struct Seat {
    pub(crate) name: String,
    pub(crate) address: SocketAddr,
    pub(crate) epoch: u64,
    /// Operations that ended in `ok`.
    pub(crate) served: AtomicU64,
    /// Of these, what changed something.
    pub(crate) writes: AtomicU64,
    /// Reads that wait for an answer right now.
    pub(crate) reads_waiting: AtomicU64,
    /// Operations that ended in a definite error.
    pub(crate) refused: AtomicU64,
}

impl Seat {
    pub(crate) fn new(name: &str, address: SocketAddr, epoch: u64) -> Self {
        let zero = AtomicU64::default;
        let (served, writes, reads_waiting, refused) = (zero(), zero(), zero(), zero());
        Self { name: name.to_owned(), address, epoch, served, writes, reads_waiting, refused }
    }
}

/// Where clients look for the writer.
#[derive(Debug, Default)]
pub(crate) struct Board {
    current: Mutex<Option<Arc<Seat>>>,
    changed: Condvar,
    closed: AtomicBool,
    pressed: AtomicBool,
    /// Operations by how they ended.
    pub(crate) ok: AtomicU64,
    pub(crate) fail: AtomicU64,
    pub(crate) info: AtomicU64,
    /// Replies that no client of the contract can make sense of.
    pub(crate) strange: AtomicU64,
}

impl Board {
    pub(crate) fn announce(&self, seat: Arc<Seat>) {
        *self.lock() = Some(seat);
        self.changed.notify_all();
    }

    /// The clients stop after the operation that they are at.
    pub(crate) fn close(&self) {
        let guard = self.lock();
        self.closed.store(true, Ordering::Relaxed);
        drop(guard);
        self.changed.notify_all();
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Relaxed)
    }

    /// Under pressure the clients write all the time.
    pub(crate) fn press(&self, pressed: bool) {
        self.pressed.store(pressed, Ordering::Relaxed);
    }

    pub(crate) fn is_pressed(&self) -> bool {
        self.pressed.load(Ordering::Relaxed)
    }

    pub(crate) fn current(&self) -> Option<Arc<Seat>> {
        self.lock().clone()
    }

    /// Waits for a writer of a later epoch than `epoch`. `None` when the board is closed.
    pub(crate) fn later_than(&self, epoch: u64) -> Option<Arc<Seat>> {
        let mut current = self.lock();
        while !self.is_closed() {
            match &*current {
                Some(seat) if seat.epoch > epoch => return Some(seat.clone()),
                _ => current = self.changed.wait(current).unwrap_or_else(PoisonError::into_inner),
            }
        }
        None
    }

    /// Operations that ended, however they did.
    pub(crate) fn completed(&self) -> u64 {
        [&self.ok, &self.fail, &self.info].iter().map(|count| count.load(Ordering::Relaxed)).sum()
    }

    /// No code under this lock can panic half way through a change.
    fn lock(&self) -> MutexGuard<'_, Option<Arc<Seat>>> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
