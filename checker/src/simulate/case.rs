//! A plan that shows a violation, made a case of the core ([`crate::schedule`]).

use sextant_storage::sim::{self, Options};

use super::Judged;
use crate::conformance::Run;
use crate::diagnosis::Diagnosis;
use crate::schedule::{self, Shrunk};

/// Runs the plan once more, on record, and makes the record a case. What only clients saw is S33 in the model.
///
/// # Errors
/// Why there is none.
pub fn case_of(judged: &Judged, options: &Options) -> Result<Shrunk, String> {
    let violation = judged.violation.as_ref().ok_or("it violates nothing")?;
    let property = match violation.property.as_str() {
        _ if violation.diagnosis() != Diagnosis::Protocol => {
            return Err(format!("a fault of the {} is no action of the model", violation.diagnosis().name()));
        }
        "linearizability" => "S33",
        property if property.starts_with('S') => property,
        property => {
            return Err(format!(
                "{property} says that something does not come to pass, which no action of the model does"
            ));
        }
    };
    let dir = tempfile::tempdir().map_err(|error| format!("a folder for the record: {error}"))?;
    let _ = sim::run_recorded(judged.seed, &judged.plan, options, dir.path());
    schedule::shrink(&Run::load(dir.path())?, &judged.plan.rules(options.rules), property)
}
