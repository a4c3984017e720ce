//! Several SIGKILLs as close together as signals get.

use std::io;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};

#[derive(PartialEq, Eq)]
pub(super) enum Target {
    Group(i32),
    Process(Pid),
}

impl Target {
    pub(super) fn kill(&self) -> io::Result<()> {
        match self {
            Self::Process(pid) => kill_process(*pid, Signal::KILL)?,
            Self::Group(number) => {
                let group = Pid::from_raw(*number).ok_or(io::ErrorKind::InvalidInput)?;
                kill_process_group(group, Signal::KILL)?;
            }
        }
        Ok(())
    }
}

/// Kills the first target from this thread and the others, `lag` later, from one that is running already. After a kill
/// the kernel tends to run those who have to die, and one thread alone would send the next signal milliseconds later.
/// Returns the time from the beginning of the first kill to that of the last.
pub(super) fn kill_at_once(targets: &[Target], lag: Duration) -> io::Result<Duration> {
    let (first, others) = match targets {
        [] => return Ok(Duration::ZERO),
        [only] => return only.kill().map(|()| Duration::ZERO),
        [first, others @ ..] => (first, others),
    };
    let (ready, go) = (AtomicBool::new(false), OnceLock::new());
    let help = || {
        ready.store(true, Ordering::Release);
        let start: Instant = loop {
            match go.get() {
                Some(start) => break *start,
                None => std::hint::spin_loop(),
            }
        };
        while start.elapsed() < lag {
            std::hint::spin_loop();
        }
        let mut last = start;
        for target in others {
            last = Instant::now();
            target.kill()?;
        }
        Ok(last - start)
    };
    std::thread::scope(|scope| {
        let helper = std::thread::Builder::new().spawn_scoped(scope, help)?;
        while !ready.load(Ordering::Acquire) {
            std::thread::yield_now();
        }
        let _ = go.set(Instant::now());
        first.kill()?;
        helper.join().unwrap_or_else(|_| Err(io::Error::other("the killer panicked")))
    })
}
