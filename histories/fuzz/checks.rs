//! What must hold of a reader whatever bytes it is given. A panic is a finding.

use sextant_histories::{Event, Fault, History, Reader, Warnings};

/// The native reader: both its ways say the same, what it accepts survives being written again, and what it refuses it
/// refuses by line and in one line.
pub fn native(bytes: &[u8]) {
    let short = told(Reader::new("input", bytes));
    let long = told(Reader::new("input", bytes).without_short_cut());
    assert_eq!(short, long, "the short cut says something else");
    match History::collect(&mut Reader::new("input", bytes)) {
        Ok((history, torn)) => {
            assert!(torn.is_none_or(|torn| matches!(torn.fault, Fault::TruncatedLastLine)));
            let events = history.to_events();
            let lines: Option<Vec<String>> = events.iter().map(Event::to_line).collect();
            let text = lines.expect("what was read can be written").join("\n");
            let (again, torn) = History::collect(&mut Reader::new("again", text.as_bytes())).expect("and read again");
            assert!(torn.is_none() && again.to_events() == events, "another history comes back");
        }
        Err(error) => {
            assert!(error.line.is_some(), "an error without a line: {error}");
            assert_eq!(error.to_string().lines().count(), 1, "an error of several lines: {error}");
        }
    }
}

type Told = (Vec<Result<(usize, Event), String>>, Option<String>, Warnings);

fn told(mut reader: Reader<&[u8]>) -> Told {
    let events = reader.by_ref().map(|event| event.map_err(|error| error.to_string())).collect();
    (events, reader.about().map(str::to_owned), reader.warnings())
}
