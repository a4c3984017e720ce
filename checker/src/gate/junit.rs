//! The table as `junit.xml`, which every CI service shows.

use std::path::Path;

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use super::Row;
use crate::verdict::Exit;

/// Writes one test suite a group, one test case a row.
///
/// # Errors
/// One line with the file.
pub fn write(path: &Path, rows: &[Row]) -> Result<(), String> {
    let failed = |reason: String| format!("write {}: {reason}", path.display());
    let text = report(rows).to_string().map_err(|e| failed(e.to_string()))?;
    std::fs::write(path, text).map_err(|e| failed(e.to_string()))
}

fn report(rows: &[Row]) -> Report {
    let mut report = Report::new("sextant gate");
    let mut groups: Vec<&str> = rows.iter().map(|row| row.group).collect();
    groups.dedup();
    for group in groups {
        let mut suite = TestSuite::new(group);
        rows.iter().filter(|row| row.group == group).for_each(|row| {
            suite.add_test_case(case(row));
        });
        report.add_test_suite(suite);
    }
    report
}

fn case(row: &Row) -> TestCase {
    let status = match row.exit {
        Exit::Valid => TestCaseStatus::success(),
        Exit::Invalid => non_success(NonSuccessKind::Failure, row),
        Exit::Unknown | Exit::Harness | Exit::Unreadable => non_success(NonSuccessKind::Error, row),
    };
    let mut case = TestCase::new(row.name.clone(), status);
    case.set_time(row.elapsed);
    if row.exit == Exit::Valid {
        case.set_system_out(row.detail.clone());
    }
    case
}

fn non_success(kind: NonSuccessKind, row: &Row) -> TestCaseStatus {
    let mut status = TestCaseStatus::non_success(kind);
    status.set_message(format!("{}: {}", row.word(), row.detail));
    status
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn what_is_not_valid_is_a_failure_or_an_error_and_its_text_is_escaped() {
        let row = |exit, detail: &str| Row {
            group: "model",
            name: format!("{exit:?}"),
            exit,
            detail: detail.into(),
            elapsed: Duration::from_millis(1500),
        };
        let text = report(&[row(Exit::Valid, "7 states"), row(Exit::Invalid, "a < b"), row(Exit::Unknown, "?")]);
        let text = text.to_string().unwrap();
        assert!(text.contains("tests=\"3\" skipped=\"0\" failures=\"1\" errors=\"1\""), "{text}");
        assert!(text.contains("INVALID: a &lt; b"), "{text}");
        assert!(text.contains("time=\"1.500\""), "{text}");
    }
}
