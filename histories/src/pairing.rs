//! Which event may follow which: one operation at a time a process, and none after `info`.
//!
//! Reader, recorder and history builder all go through here, so that what one writes the others accept.

use std::collections::HashMap;
use std::fmt;

use crate::event::{Call, Event, Kind};
use crate::value::Key;

/// An event that cannot follow those before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Misuse {
    /// A process invoked while its operation was open.
    DoubleInvocation { process: u64 },
    /// A completion, and the process has nothing open.
    NotInvoked { process: u64 },
    /// A completion whose function, key or value is not that of its invocation.
    Disagrees { process: u64, field: &'static str },
    /// An `ok` whose reply does not answer its call: a read answered by "written".
    WrongReply { process: u64 },
    /// A process that ended in `info` invoked again.
    AfterInfo { process: u64 },
}

impl fmt::Display for Misuse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DoubleInvocation { process } => {
                write!(f, "process {process} invokes while its operation is open")
            }
            Self::NotInvoked { process } => write!(f, "process {process} completes nothing: no operation is open"),
            Self::Disagrees { process, field } => {
                write!(f, "completion of process {process} disagrees with its invocation in {field}")
            }
            Self::WrongReply { process } => {
                write!(f, "reply to process {process} does not answer its call")
            }
            Self::AfterInfo { process } => {
                write!(f, "process {process} invokes after it ended in info")
            }
        }
    }
}

impl std::error::Error for Misuse {}

/// An invocation that waits for its completion.
#[derive(Clone, Debug)]
pub(crate) struct Open {
    pub(crate) call: Call,
    pub(crate) key: Key,
    /// Number of the operation, in order of invocation.
    pub(crate) operation: usize,
}

#[derive(Clone, Debug, Default)]
enum Process {
    #[default]
    Idle,
    Busy(Open),
    Gone,
}

/// Where every process stands.
#[derive(Debug, Default)]
pub(crate) struct Pairing {
    processes: Processes,
    operations: usize,
}

/// Processes by number. Nearly all have small ones, and a vector finds them at once; a number out of nowhere must not cost
/// the memory of all below it.
#[derive(Debug, Default)]
struct Processes {
    low: Vec<Process>,
    /// Looked up, never gone through: its order does not matter.
    high: HashMap<u64, Process>,
}

const LOW: u64 = 1 << 16;

impl Processes {
    fn get(&self, process: u64) -> Option<&Process> {
        if process < LOW { self.low.get(process as usize) } else { self.high.get(&process) }
    }

    fn entry(&mut self, process: u64) -> &mut Process {
        if process >= LOW {
            return self.high.entry(process).or_default();
        }
        let index = process as usize;
        if index >= self.low.len() {
            self.low.resize(index + 1, Process::Idle);
        }
        &mut self.low[index]
    }
}

impl Pairing {
    /// Takes the next event and says to which operation it belongs. An error leaves everything as it was.
    pub(crate) fn accept(&mut self, event: &Event) -> Result<usize, Misuse> {
        match &event.kind {
            Kind::Invoke => self.begin(event.process, &event.call, &event.key),
            Kind::Ok(_) | Kind::Fail | Kind::Info => self.complete(event),
        }
    }

    /// What `process` has open.
    pub(crate) fn open(&self, process: u64) -> Option<&Open> {
        match self.processes.get(process) {
            Some(Process::Busy(open)) => Some(open),
            Some(Process::Idle | Process::Gone) | None => None,
        }
    }

    /// A process starts an operation, whose number is returned. An error leaves everything as it was.
    pub(crate) fn begin(&mut self, process: u64, call: &Call, key: &Key) -> Result<usize, Misuse> {
        let slot = self.processes.entry(process);
        match slot {
            Process::Busy(_) => Err(Misuse::DoubleInvocation { process }),
            Process::Gone => Err(Misuse::AfterInfo { process }),
            Process::Idle => {
                let operation = self.operations;
                *slot = Process::Busy(Open { call: call.clone(), key: key.clone(), operation });
                self.operations += 1;
                Ok(operation)
            }
        }
    }

    /// A process ends what it has open, in `info` if it is `gone`. Whether the completion belongs to it is the caller's to
    /// look at.
    pub(crate) fn end(&mut self, process: u64, gone: bool) -> Result<usize, Misuse> {
        let operation = self.open(process).ok_or(Misuse::NotInvoked { process })?.operation;
        *self.processes.entry(process) = if gone { Process::Gone } else { Process::Idle };
        Ok(operation)
    }

    fn complete(&mut self, event: &Event) -> Result<usize, Misuse> {
        let process = event.process;
        let open = self.open(process).ok_or(Misuse::NotInvoked { process })?;
        if let Some(field) = disagreement(open, event) {
            return Err(Misuse::Disagrees { process, field });
        }
        if let Kind::Ok(reply) = &event.kind
            && !reply.answers(&event.call)
        {
            return Err(Misuse::WrongReply { process });
        }
        self.end(process, event.kind == Kind::Info)
    }
}

fn disagreement(open: &Open, event: &Event) -> Option<&'static str> {
    if std::mem::discriminant(&open.call) != std::mem::discriminant(&event.call) {
        Some("f")
    } else if open.key != event.key {
        Some("key")
    } else if open.call != event.call {
        Some("value")
    } else {
        None
    }
}
