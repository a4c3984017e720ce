//! Histories in the formats of others: which there are, what they leave unsaid, and how to tell them apart.
//!
//! [`read`] finds out the format, if it is not told, and turns what the file says into what the native format means by
//! it ([`crate`]): a failed compare that is a claim becomes an `ok` that differed, a null read that claims nothing
//! a `fail`. What cannot be turned, such as the initial value of a register, is in [`Conventions`]. [`write`](fn@write)
//! goes the other way for three of them.

mod assemble;
mod columns;
mod detect;
mod edn;
mod etcd;
mod follow;
mod form;
mod jepsen;
mod json;
mod porcupine;
mod said;
mod shortcut;
mod source;
mod stream;
mod txn_text;
mod write;

use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, Cursor, ErrorKind, Read, Seek};
use std::path::Path;

pub use follow::{Beginning, Follow};
pub use write::write;

use crate::error::{Error, Fault};
use crate::history::{History, Moment};
use crate::reader::Reader;
use crate::value::Value;
use crate::warnings::Clock;
use assemble::{Notes, Rules};
use jepsen::{Dialect, Parsed, Way};
use source::{Bad, Source};
use stream::Stream;

/// How a history is written down. Each is documented in its own file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// JSON lines as [`crate`] describes them.
    Native,
    /// Operation maps of Jepsen, Knossos and Elle.
    Edn,
    /// The same maps in JSON, of Jepsen and Maelstrom.
    Json,
    /// Logs of Jepsen's etcd test, as Porcupine has them.
    PorcupineEtcd,
    /// Porcupine's logs of a key-value store.
    PorcupineKv,
    /// Reports of etcd's robustness tests: a directory.
    Etcd,
    /// A line an operation, in columns.
    Columns,
    /// Transactions in AWDIT's text.
    Awdit,
    /// Transactions in the text of Plume, PolySI and IsoVista.
    Plume,
}

/// What a file in some format means without saying so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conventions {
    /// What a register holds before the first write.
    pub initial: Value,
    /// What an operation that failed claims, in words.
    pub fail: &'static str,
    /// What a read that returned null claims, in words.
    pub null_read: &'static str,
    /// What the order of events comes from.
    pub order: Order,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Events are in the order in which they happened.
    RealTime,
    /// Only the order within a session is known. That of events is made up, and judging linearizability by it would be wrong.
    Sessions,
}

/// Whether values are pairs `[key value]`, as in Jepsen's tests of independent keys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Independent {
    /// They are where nothing else is possible: every value is a pair, and there is an operation that takes nothing
    /// and has one too.
    #[default]
    Auto,
    Yes,
    No,
}

#[derive(Clone, Debug, Default)]
pub struct ReadOptions {
    /// None to find out from the content.
    pub format: Option<Format>,
    /// Instead of what the format, or the file, says.
    pub initial: Option<Value>,
    /// Whether time going backwards is an error and not a warning.
    pub strict_time: bool,
    /// Whether to take what stands before the point at which a file was torn.
    pub salvage: bool,
    /// For EDN and JSON.
    pub independent: Independent,
    /// Sends every event of EDN and JSON through the general parser, also those of the common shape for which there is a
    /// shorter way. Slower, and otherwise the same: for tests and benchmarks that hold one against the other.
    pub without_short_cut: bool,
}

/// A history, and what came with it.
#[derive(Clone, Debug)]
pub struct Loaded {
    pub history: History,
    pub format: Format,
    pub conventions: Conventions,
    /// What was odd and no reason to refuse the file; one line each.
    pub warnings: Vec<String>,
}

impl Format {
    pub const ALL: [Self; 9] = [
        Self::Native,
        Self::Edn,
        Self::Json,
        Self::PorcupineEtcd,
        Self::PorcupineKv,
        Self::Etcd,
        Self::Columns,
        Self::Awdit,
        Self::Plume,
    ];

    /// Those that [`write`](fn@write) knows.
    pub const WRITTEN: [Self; 3] = [Self::Native, Self::Edn, Self::Json];

    /// Those that [`Follow`] knows: streams of events.
    pub const FOLLOWED: [Self; 5] = [Self::Native, Self::Edn, Self::Json, Self::PorcupineEtcd, Self::PorcupineKv];

    /// As the command line has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Native => "native",
            Self::Edn => "edn",
            Self::Json => "json",
            Self::PorcupineEtcd => "porcupine-etcd",
            Self::PorcupineKv => "porcupine-kv",
            Self::Etcd => "etcd",
            Self::Columns => "columns",
            Self::Awdit => "awdit",
            Self::Plume => "plume",
        }
    }

    pub fn by_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.name() == name)
    }

    /// What it is, in a few words.
    pub fn about(self) -> &'static str {
        match self {
            Self::Native => "JSON lines of this program",
            Self::Edn => "Jepsen, Knossos, Elle: maps in EDN",
            Self::Json => "Jepsen, Maelstrom: maps in JSON",
            Self::PorcupineEtcd => "Jepsen's etcd log, as in Porcupine",
            Self::PorcupineKv => "Porcupine's key-value log",
            Self::Etcd => "etcd robustness report, a directory",
            Self::Columns => "a line an operation, in columns",
            Self::Awdit => "transactions, AWDIT's text",
            Self::Plume => "transactions, Plume's text",
        }
    }

    pub fn conventions(self) -> Conventions {
        let nothing = "nothing happened, no claim";
        let real_time = |initial, fail, null_read| Conventions { initial, fail, null_read, order: Order::RealTime };
        let sessions = Conventions {
            initial: Value::Null,
            fail: "(not recorded)",
            null_read: "(not recorded)",
            order: Order::Sessions,
        };
        match self {
            Self::Native | Self::Columns => real_time(Value::Null, nothing, "it was null"),
            Self::Edn => real_time(Value::Int(0), nothing, "nothing"),
            Self::Json => real_time(Value::Null, nothing, "nothing"),
            Self::PorcupineEtcd => real_time(Value::Null, "cas with its values: it differed", "it was null"),
            Self::PorcupineKv => real_time("".into(), nothing, "it was null"),
            Self::Etcd => real_time(Value::Null, "an error: may have happened", "(keys have revisions)"),
            Self::Awdit | Self::Plume => sessions,
        }
    }
}

/// What every format means, as a table for `--help`.
pub fn table() -> String {
    let rows = Format::ALL.map(|format| {
        let Conventions { initial, fail, null_read, order } = format.conventions();
        let order = match order {
            Order::RealTime => "events",
            Order::Sessions => "sessions only",
        };
        [
            format.name().to_owned(),
            format.about().to_owned(),
            initial.to_string(),
            fail.to_owned(),
            null_read.to_owned(),
            order.to_owned(),
        ]
    });
    let head =
        ["FORMAT", "WHAT IT IS", "INITIAL", "A FAIL CLAIMS", "A NULL READ CLAIMS", "ORDER OF"].map(str::to_owned);
    let mut widths = [0; 6];
    for row in rows.iter().chain([&head]) {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.len());
        }
    }
    let mut table = String::from("Formats, and what each means without saying so:\n");
    for row in [&head].into_iter().chain(&rows) {
        let mut line = String::from(" ");
        for (width, cell) in widths.iter().zip(row) {
            let _ = write!(line, " {cell:<width$}");
        }
        let _ = writeln!(table, "{}", line.trim_end());
    }
    table
}

/// How much of a file is looked at to find out its format.
const SAMPLE: u64 = 1 << 16;

/// Reads the history at `path`: a file, or a directory with a report of etcd's robustness tests.
pub fn read(path: impl AsRef<Path>, options: &ReadOptions) -> Result<Loaded, Error> {
    let path = path.as_ref();
    let io = |error: io::Error| {
        let directory = error.kind() == ErrorKind::IsADirectory;
        Error::new(path, if directory { Fault::Directory } else { Fault::Io(error) })
    };
    if path.is_dir() {
        return match options.format {
            None | Some(Format::Etcd) if etcd::is_report(path) => read_etcd(path, options),
            Some(Format::Etcd) => etcd::read(path, options.salvage).map(|report| loaded_etcd(report, options)),
            _ => Err(Error::new(path, Fault::Directory)),
        };
    }
    let mut file = File::open(path).map_err(io)?;
    let regular = file.metadata().map_err(io)?.is_file();
    let mut sample = Vec::new();
    if options.format.is_none() {
        (&mut file).take(SAMPLE).read_to_end(&mut sample).map_err(io)?;
    }
    let format = match options.format {
        Some(format) => format,
        None => detect::detect(&sample, (sample.len() as u64) < SAMPLE)
            .map_err(|reason| Error::new(path, Fault::UnknownFormat(reason)))?,
    };
    match format {
        // The reader of the native format has its own way to open a file. A pipe can only be read once.
        Format::Native if regular => read_native(Reader::open(path)?, options),
        Format::Native => {
            let reader = Reader::new(path, io::BufReader::new(Cursor::new(sample).chain(file)));
            read_native(reader, options)
        }
        Format::Etcd => read_etcd(path, options),
        _ => {
            let loaded = if regular {
                file.rewind().map_err(io)?;
                match stream(&file, format, options) {
                    Some(loaded) => Ok(loaded),
                    None => {
                        file.rewind().map_err(io)?;
                        read_from(file, format, options)
                    }
                }
            } else {
                read_from(Cursor::new(sample).chain(file), format, options)
            };
            loaded.and_then(|loaded| check_times(loaded, options)).map_err(|bad| bad.in_file(path))
        }
    }
}

/// Reads a history from memory; `name` is what errors call it. Of a report of etcd's tests it is the file of one client.
pub fn read_bytes(name: impl AsRef<Path>, bytes: &[u8], options: &ReadOptions) -> Result<Loaded, Error> {
    let name = name.as_ref();
    let format = match options.format {
        Some(format) => format,
        None => {
            let sample = &bytes[..bytes.len().min(SAMPLE as usize)];
            let detected = detect::detect(sample, sample.len() == bytes.len());
            detected.map_err(|reason| Error::new(name, Fault::UnknownFormat(reason)))?
        }
    };
    match format {
        Format::Native => read_native(Reader::new(name, bytes), options),
        Format::Etcd => Ok(loaded_etcd(etcd::read_bytes(name, bytes, options.salvage)?, options)),
        _ => {
            let loaded = stream(bytes, format, options).map_or_else(|| read_from(bytes, format, options), Ok);
            loaded.and_then(|loaded| check_times(loaded, options)).map_err(|bad| bad.in_file(name))
        }
    }
}

fn read_native<R: io::BufRead>(reader: Reader<R>, options: &ReadOptions) -> Result<Loaded, Error> {
    let mut reader = reader.strict_time(options.strict_time);
    let (history, torn) = History::collect(&mut reader)?;
    let mut warnings = Vec::new();
    if let Some(torn) = torn {
        if !options.salvage {
            return Err(torn);
        }
        warnings.push(saved(&torn.to_string()));
    }
    if !reader.warnings().is_empty() {
        warnings.push(reader.warnings().to_string());
    }
    let conventions = conventions(Format::Native, None, options);
    Ok(Loaded { history, format: Format::Native, conventions, warnings })
}

fn read_etcd(path: &Path, options: &ReadOptions) -> Result<Loaded, Error> {
    Ok(loaded_etcd(etcd::read(path, options.salvage)?, options))
}

/// Merged by time, so that it never goes backwards.
fn loaded_etcd(report: etcd::Report, options: &ReadOptions) -> Loaded {
    let etcd::Report { history, warnings } = report;
    Loaded { history, format: Format::Etcd, conventions: conventions(Format::Etcd, None, options), warnings }
}

fn conventions(format: Format, in_file: Option<Value>, options: &ReadOptions) -> Conventions {
    let own = format.conventions();
    let initial = options.initial.clone().or(in_file).unwrap_or(own.initial);
    Conventions { initial, ..own }
}

/// The history of a file none of whose events need be kept; none where it takes [`read_from`] to read or to refuse it.
fn stream<R: Read>(reader: R, format: Format, options: &ReadOptions) -> Option<Loaded> {
    if options.without_short_cut {
        return None;
    }
    let way = Way::Streamed(Stream::new(rules(format, options)));
    let parsed = match format {
        Format::Edn => jepsen::read_edn(Source::new(reader), Dialect::Jepsen, way),
        Format::Json => jepsen::read_json(Source::new(reader), way),
        _ => return None,
    };
    let Parsed { header, stream, mut notes, .. } = parsed.ok().filter(|parsed| parsed.torn.is_none())?;
    let conventions = conventions(format, header.initial.clone(), options);
    let history = stream?.finish(header, &mut notes)?;
    Some(Loaded { history, format, conventions, warnings: notes.warnings() })
}

fn read_from<R: Read>(reader: R, format: Format, options: &ReadOptions) -> Result<Loaded, Bad> {
    let finish = |history, torn: Option<Bad>, mut warnings: Vec<String>, initial| {
        if let Some(torn) = torn {
            if !options.salvage {
                return Err(torn);
            }
            warnings.push(saved(&format!("line {}: {}", torn.at.line, torn.fault)));
        }
        Ok(Loaded { history, format, conventions: conventions(format, initial, options), warnings })
    };
    let way = Way::Kept { short: !options.without_short_cut };
    let parsed = match format {
        Format::Edn => jepsen::read_edn(Source::new(reader), Dialect::Jepsen, way)?,
        Format::PorcupineKv => jepsen::read_edn(Source::new(reader), Dialect::KeyValue, way)?,
        Format::Json => jepsen::read_json(Source::new(reader), way)?,
        Format::PorcupineEtcd => porcupine::read(reader)?,
        Format::Columns => {
            let (history, torn) = columns::read(reader)?;
            return finish(history, torn, Vec::new(), None);
        }
        Format::Plume => {
            let (history, torn) = txn_text::read_plume(reader)?;
            return finish(history, torn, Vec::new(), None);
        }
        Format::Awdit => return finish(txn_text::read_awdit(reader)?, None, Vec::new(), None),
        Format::Native | Format::Etcd => {
            return Err(Bad::malformed(source::At::default(), "this format has a reader of its own"));
        }
    };
    let Parsed { header, events, mut notes, torn, .. } = parsed;
    let torn = match torn {
        Some(torn) if !options.salvage => return Err(torn),
        torn => torn,
    };
    let rules = rules(format, options).with_header(header.independent);
    let history = assemble::assemble(events, rules, header.about, &mut notes)?;
    finish(history, torn, Notes::warnings(notes), header.initial)
}

fn rules(format: Format, options: &ReadOptions) -> Rules {
    let pairs_possible = matches!(format, Format::Edn | Format::Json);
    let independent = if pairs_possible { options.independent } else { Independent::No };
    Rules { independent, null_read_is_unknown: pairs_possible }
}

fn saved(torn: &str) -> String {
    format!("{torn}; what stands before it was read")
}

/// Whether recorded times agree with the order of events.
fn check_times(mut loaded: Loaded, options: &ReadOptions) -> Result<Loaded, Bad> {
    let history = &loaded.history;
    let mut times: Vec<Option<u64>> = vec![None; history.len()];
    for operation in history.operations() {
        for Moment { index, time } in [Some(operation.invoked), operation.completed].into_iter().flatten() {
            if let Some(slot) = times.get_mut(index) {
                *slot = time;
            }
        }
    }
    let mut clock = Clock::default();
    clock.strict = options.strict_time;
    for (index, time) in times.into_iter().enumerate() {
        let line = history.line(index);
        let at = || source::At { line: u32::try_from(line).unwrap_or(u32::MAX), column: 0 };
        clock.see(time, line).map_err(|fault| Bad { at: at(), fault })?;
    }
    if !clock.warnings.is_empty() {
        loaded.warnings.push(clock.warnings.to_string());
    }
    Ok(loaded)
}
