//! What must hold of a reader whatever bytes it is given. A panic is a finding.

use sextant_histories::formats::{Format, ReadOptions, read_bytes, write};
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

/// The reader of another format, or of whichever it finds: what it accepts can be written in every format that has a
/// writer, and comes back; what it refuses it refuses in one line.
pub fn format(format: Option<Format>, bytes: &[u8]) {
    for salvage in [false, true] {
        let options = ReadOptions { format, salvage, ..ReadOptions::default() };
        let loaded = match read_bytes("input", bytes, &options) {
            Ok(loaded) => loaded,
            Err(error) => {
                let placed = error.line.is_some() || matches!(error.fault, Fault::UnknownFormat(_));
                assert!(placed, "an error without a line: {error}");
                assert_eq!(error.to_string().lines().count(), 1, "an error of several lines: {error}");
                continue;
            }
        };
        for to in Format::WRITTEN {
            let mut text = Vec::new();
            write(&loaded.history, &loaded.conventions.initial, to, &mut text).expect("a vector takes everything");
            let options = ReadOptions { format: Some(to), ..ReadOptions::default() };
            let again = read_bytes("again", &text, &options).expect("what was written can be read");
            assert_eq!(again.history.to_events(), loaded.history.to_events(), "another history comes back");
            assert_eq!(again.history.about(), loaded.history.about());
        }
    }
}

type Told = (Vec<Result<(usize, Event), String>>, Option<String>, Warnings);

fn told(mut reader: Reader<&[u8]>) -> Told {
    let events = reader.by_ref().map(|event| event.map_err(|error| error.to_string())).collect();
    (events, reader.about().map(str::to_owned), reader.warnings())
}
