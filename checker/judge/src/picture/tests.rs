//! What can be seen of a page without a browser.

use sextant_histories::generate::{Config, Violation, generate};

use super::*;
use crate::linearizability::{CasRegister, Limits, check};

fn history(violation: Option<Violation>) -> History {
    let config = Config { operations: 120, clients: 4, keys: 3, indeterminate: 3, violation, ..Config::default() };
    History::from_events(generate(&config)).unwrap()
}

fn html(picture: &Picture<'_>) -> String {
    let mut out = Vec::new();
    page(picture, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn the_same_picture_gives_the_same_bytes() {
    let history = history(Some(Violation::StaleRead));
    let report = check(&history, &CasRegister::default(), &Limits::default());
    let once = html(&Picture::of_report("x", "cas-register", &history, &report));
    assert_eq!(once, html(&Picture::of_report("x", "cas-register", &history, &report)));
}

/// A page is whole by itself: nothing in it is fetched, and its script is one that the policy lets run.
#[test]
fn a_page_needs_nothing_else() {
    let history = history(None);
    let page = html(&Picture::new("x", "register", &history, Verdict::Valid));
    let outside = ["src=", "href=", "@import", "url(http", "fetch(", "XMLHttpRequest", "import(", "eval(", "onclick="];
    for outside in outside {
        assert!(!page.contains(outside), "{outside}");
    }
    assert!(page.contains("default-src 'none'; script-src 'sha256-"));
    assert!(!page.contains("style=\""), "the policy would refuse it");
}

#[test]
fn the_reason_and_the_core_are_there_without_script() {
    let history = history(Some(Violation::StaleRead));
    let report = check(&history, &CasRegister::default(), &Limits::default());
    let picture = Picture::of_report("x", "cas-register", &history, &report);
    let Finding::Invalid(evidence) = &report.finding else { panic!("a stale read is invalid") };
    assert_eq!(picture.failing(), evidence.core.operations);
    let page = html(&picture);
    let body = &page[..page.find("<main").unwrap()];
    let escaped = evidence.reason.replace('"', "&quot;");
    assert!(body.contains(&escaped), "{body}");
    for number in picture.failing() {
        let operation = &history.operations()[number];
        let line = history.line(operation.invoked.index);
        assert!(body.contains(&format!("<td>{number}</td><td>{}</td>", operation.process)));
        assert!(body.contains(&format!("<td>{line} to ")));
    }
    assert!(body.contains("<svg") && body.contains("The longest prefix for which there is an order"));
}

#[test]
fn a_page_that_cannot_be_written_is_an_error() {
    struct Full;
    impl Write for Full {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::StorageFull.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let history = history(None);
    let error = page(&Picture::new("x", "register", &history, Verdict::Valid), &mut Full).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::StorageFull);
}
