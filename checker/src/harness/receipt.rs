//! The proof that a fault happened.

use std::fmt;

use serde::Serialize;

use super::config::FaultKind;

/// What a fault did, as it was observed. A run whose faults never bit shows nothing.
#[derive(Clone, Debug, Serialize)]
pub struct Receipt {
    pub fault: FaultKind,
    /// Since the clients began.
    pub start_ms: u64,
    pub took_ms: u64,
    /// Whom it hit: `a1`, `w2`.
    pub targets: Vec<String>,
    /// What was seen, in the order in which it was seen.
    pub evidence: Vec<String>,
    /// Bytes that a power cut destroyed.
    pub destroyed_bytes: u64,
    /// Operations that ended in `ok` while it lasted.
    pub operations: u64,
    /// Why it did not bite. Empty: it bit.
    pub missed: Vec<String>,
    /// Why the cluster did not serve although it was promised to.
    pub starved: Option<String>,
}

impl Receipt {
    pub(crate) fn new(fault: FaultKind, start_ms: u64) -> Self {
        Self {
            fault,
            start_ms,
            took_ms: 0,
            targets: Vec::new(),
            evidence: Vec::new(),
            destroyed_bytes: 0,
            operations: 0,
            missed: Vec::new(),
            starved: None,
        }
    }

    pub fn bit(&self) -> bool {
        self.missed.is_empty()
    }

    pub(crate) fn saw(&mut self, what: impl Into<String>) {
        self.evidence.push(what.into());
    }

    pub(crate) fn missed(&mut self, why: impl Into<String>) {
        self.missed.push(why.into());
    }
}

/// One line: what, when, whom, what was seen.
impl fmt::Display for Receipt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { fault, start_ms, took_ms, .. } = self;
        let seconds = |ms: u64| ms as f64 / 1000.0;
        write!(f, "{fault} at {:.1} s for {:.1} s", seconds(*start_ms), seconds(*took_ms))?;
        write!(f, ", {}: {}", self.targets.join(" "), self.evidence.join("; "))?;
        for why in self.missed.iter().chain(&self.starved) {
            write!(f, "; BUT {why}")?;
        }
        Ok(())
    }
}
