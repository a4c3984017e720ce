//! Ctrl-C, and what other programs send to say the same.

use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use sextant::linearizability::Interrupt;
use sextant::verdict::Exit;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::flag;

/// A flag that the first signal sets. The second one ends the program at once; the kernel then ends its children.
pub fn flag_on_signal() -> io::Result<Arc<AtomicBool>> {
    let (interrupt, seen_before) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        // In this order: whatever signal is caught is noted, also one that comes in between, and the first one does not find that
        // one was seen before.
        flag::register(signal, interrupt.clone())?;
        flag::register_conditional_shutdown(signal, Exit::Harness.code().into(), seen_before.clone())?;
        flag::register(signal, seen_before.clone())?;
    }
    Ok(interrupt)
}

/// The same for a check of a history, which lasts as long as the program.
pub fn for_ever() -> io::Result<Interrupt> {
    let flag: &'static Arc<AtomicBool> = Box::leak(Box::new(flag_on_signal()?));
    Ok(Interrupt(flag))
}
