//! What must hold of a reader whatever bytes it is given. A panic is a finding.

use sextant_histories::formats::{Format, Loaded, ReadOptions, read_bytes, write};
use sextant_histories::{Error, Event, Fault, History, Reader, Warnings};

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

/// The reader of another format, or of whichever it finds: both its ways say the same; what it accepts can be written in every format that has a
/// writer, and comes back; what it refuses it refuses in one line.
pub fn format(format: Option<Format>, bytes: &[u8]) {
    for salvage in [false, true] {
        let options = ReadOptions { format, salvage, ..ReadOptions::default() };
        let read = read_bytes("input", bytes, &options);
        let long = read_bytes("input", bytes, &ReadOptions { without_short_cut: true, ..options });
        assert_eq!(all_of(&read), all_of(&long), "the short cut says something else");
        let loaded = match read {
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

/// Everything that came out, with the line of each event.
fn all_of(read: &Result<Loaded, Error>) -> Result<String, String> {
    let loaded = read.as_ref().map_err(ToString::to_string)?;
    let lines: Vec<usize> = (0..loaded.history.len()).map(|event| loaded.history.line(event)).collect();
    Ok(format!("{loaded:?} {lines:?}"))
}

type Told = (Vec<Result<(usize, Event), String>>, Option<String>, Warnings);

fn told(mut reader: Reader<&[u8]>) -> Told {
    let events = reader.by_ref().map(|event| event.map_err(|error| error.to_string())).collect();
    (events, reader.about().map(str::to_owned), reader.warnings())
}
