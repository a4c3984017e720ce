//! What came of a run.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Serialize;

use super::config::FaultKind;
use super::receipt::Receipt;
use crate::conformance::Coverage;
use crate::verdict::Verdict;

/// The judged run. Serialized with its configuration it is `run.json`.
#[derive(Clone, Debug, Serialize)]
pub struct Outcome {
    /// On the history and on the record together.
    pub verdict: Verdict,
    /// Where it is invalid, whose fault it is: protocol, executor or specification.
    pub fault: Option<&'static str>,
    /// What the flight recorders say, in one line.
    pub conformance: String,
    /// What of the explorer's states the run has been through, where it conforms.
    pub coverage: Option<Coverage>,
    /// Why it is not valid, one line each.
    pub reasons: Vec<String>,
    /// Where it is invalid, the operations that cannot be, one line each.
    pub offending: Vec<String>,
    /// Completed, however they ended; the sum of the next three.
    pub operations: u64,
    pub ok: u64,
    pub fail: u64,
    pub info: u64,
    /// Epochs opened after the first.
    pub failovers: u64,
    pub receipts: Vec<Receipt>,
    pub seed: u64,
    /// The command that repeats the run.
    pub command: String,
    /// Absolute path of the evidence.
    pub store: PathBuf,
    /// From the first to the last client, and with everything.
    pub clients_ms: u64,
    pub total_ms: u64,
}

impl Outcome {
    /// How often each fault bit. Faults that were asked for and did not are not in it; the verdict says so.
    pub fn faults(&self) -> BTreeMap<&'static str, u64> {
        let mut faults = BTreeMap::new();
        for receipt in self.receipts.iter().filter(|receipt| receipt.bit()) {
            *faults.entry(receipt.fault.name()).or_default() += 1;
        }
        faults
    }

    /// Name and value, for people.
    pub fn table(&self) -> Vec<(&'static str, String)> {
        let faults: Vec<String> = self.faults().iter().map(|(name, count)| format!("{count} {name}")).collect();
        let mut rows = vec![
            ("verdict", self.verdict.to_string()),
            ("operations", format!("{} ({} ok, {} fail, {} info)", self.operations, self.ok, self.fail, self.info)),
            ("faults", if faults.is_empty() { "none".into() } else { faults.join(", ") }),
            ("failovers", self.failovers.to_string()),
            ("conformance", self.conformance.clone()),
        ];
        rows.extend(self.coverage.map(|coverage| ("coverage", coverage.to_string())));
        if let Some(fault) = self.fault {
            rows.insert(1, ("fault", fault.to_owned()));
        }
        if self.receipts.iter().any(|receipt| receipt.fault == FaultKind::PowerCut) {
            let destroyed: u64 = self.receipts.iter().map(|receipt| receipt.destroyed_bytes).sum();
            rows.push(("destroyed", format!("{destroyed} unsynced bytes")));
        }
        rows.push(("time", format!("{:.1} s", self.total_ms as f64 / 1000.0)));
        rows.push(("seed", self.seed.to_string()));
        rows.push(("store", self.store.display().to_string()));
        rows
    }

    /// The object of `--json`: its fields are an interface.
    pub fn to_json(&self) -> serde_json::Value {
        serde_json::json!({
            "verdict": self.verdict,
            "fault": self.fault,
            "conformance": self.conformance,
            "coverage": self.coverage,
            "operations": self.operations,
            "ok": self.ok,
            "info": self.info,
            "faults": self.faults(),
            "failovers": self.failovers,
            "store": self.store,
        })
    }
}
