//! What must hold of a reader whatever bytes it is given. A panic is a finding.

use sextant_histories::formats::{self, Format, Loaded, ReadOptions};
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

type Told = (Vec<Result<(usize, Event), String>>, Option<String>, Warnings);

fn told(mut reader: Reader<&[u8]>) -> Told {
    let events = reader.by_ref().map(|event| event.map_err(|error| error.to_string())).collect();
    (events, reader.about().map(str::to_owned), reader.warnings())
}

/// A reader of another format, or, without one, whichever the content asks for: what it refuses it refuses in one line, and
/// what it accepts comes back the same from every format that can be written.
pub fn foreign(format: Option<Format>, bytes: &[u8]) {
    for salvage in [false, true] {
        let options = ReadOptions { format, salvage, ..ReadOptions::default() };
        one_line_or_the_same(formats::read_bytes("input", bytes, &options));
    }
}

/// Reports of etcd are read from files.
pub fn etcd(bytes: &[u8]) {
    let file = std::env::temp_dir().join(format!("sextant-fuzz-{}.json", std::process::id()));
    std::fs::write(&file, bytes).expect("room for a file");
    let options = ReadOptions { format: Some(Format::Etcd), ..ReadOptions::default() };
    let read = formats::read(&file, &options);
    std::fs::remove_file(&file).expect("the file that was written");
    one_line_or_the_same(read);
}

fn one_line_or_the_same(read: Result<Loaded, Error>) {
    let loaded = match read {
        Ok(loaded) => loaded,
        Err(error) => {
            assert_eq!(error.to_string().lines().count(), 1, "an error of several lines: {error}");
            return;
        }
    };
    for format in Format::WRITTEN {
        let mut text = Vec::new();
        let initial = &loaded.conventions.initial;
        formats::write(&loaded.history, initial, format, &mut text).expect("what was read can be written");
        let options = ReadOptions { format: Some(format), ..ReadOptions::default() };
        let again = formats::read_bytes("again", &text, &options);
        let again = again.unwrap_or_else(|error| panic!("written as {} and refused: {error}", format.name()));
        assert!(again.history == loaded.history, "another history comes back from {}", format.name());
    }
}
