//! Events of a file that may still grow, each as soon as it has been read.
//!
//! What a whole file decides together is decided here by its beginning: whether values are pairs `[key value]`, and whether reads are
//! those of a bank. Events are held back until one tells, which the first read or dequeue that returns does. What only the whole can
//! tell is refused, with the reason: an order by index that is not that of the lines, events that do not say whose they are, a
//! drain, and formats that are no streams of events ([`Format::FOLLOWED`]).

use std::collections::VecDeque;
use std::io::{self, BufReader, Chain, Cursor, Read};
use std::path::{Path, PathBuf};

use super::assemble::{ALL_TUPLES, Notes, Rules, Tuple, as_tuple, call, outcome, read_all_accounts, split_tuple};
use super::jepsen::{Dialect, edn_header, event_of, header};
use super::porcupine::{self, Line};
use super::said::{self, F};
use super::source::{At, Bad, Lines, Source};
use super::{Conventions, Format, Independent, ReadOptions, conventions, detect, edn, json, rules};
use crate::error::{Error, Fault};
use crate::event::{Event, Kind};
use crate::history::Outcome;
use crate::pairing::{Misuse, Pairing};
use crate::reader::Reader;
use crate::warnings::{Clock, Warnings};

/// The beginning of a file, from which it is known how to go on.
pub struct Beginning {
    bytes: Vec<u8>,
    pub format: Format,
    pub conventions: Conventions,
}

/// So many lines are waited for to find out the format: a header, and an event.
const LINES: usize = 2;

impl Beginning {
    /// Reads as much of `source` as it takes; `name` is what errors call it.
    pub fn read(name: impl AsRef<Path>, mut source: impl Read, options: &ReadOptions) -> Result<Self, Error> {
        let name = name.as_ref();
        let mut bytes = Vec::new();
        let mut chunk = [0; 1 << 12];
        let mut whole = false;
        while !whole && !is_enough(&bytes) {
            match source.read(&mut chunk) {
                Ok(0) => whole = true,
                Ok(count) => bytes.extend_from_slice(&chunk[..count]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::IsADirectory => {
                    return Err(Error::new(name, Fault::Directory));
                }
                Err(error) => return Err(Error::new(name, Fault::Io(error))),
            }
        }
        let format = match options.format {
            Some(format) => format,
            None => detect::detect(&bytes, whole).map_err(|reason| Error::new(name, Fault::UnknownFormat(reason)))?,
        };
        if !Format::FOLLOWED.contains(&format) {
            let names: Vec<&str> = Format::FOLLOWED.iter().map(|format| format.name()).collect();
            let reason = format!(
                "{} is no stream of events, so it cannot be followed, only judged as a whole; these can: {}",
                format.name(),
                names.join(", ")
            );
            return Err(Error::new(name, Fault::Malformed(reason)));
        }
        let initial = initial(&bytes, format);
        Ok(Self { bytes, format, conventions: conventions(format, initial, options) })
    }
}

fn is_enough(bytes: &[u8]) -> bool {
    let is_blank = |line: &[u8]| line.trim_ascii().is_empty();
    let ended = bytes.split(|byte| *byte == b'\n').filter(|line| !is_blank(line)).count();
    let open = usize::from(!bytes.ends_with(b"\n"));
    ended.saturating_sub(open) >= LINES || bytes.len() as u64 >= super::SAMPLE
}

/// What the file says of the initial value. What is wrong with it is said when it is read again.
fn initial(bytes: &[u8], format: Format) -> Option<crate::value::Value> {
    match format {
        Format::Edn => {
            let mut parser = edn::Parser::new(Source::new(bytes));
            parser.enter().ok()?;
            // Outside a list, what is taken out stands before the first form.
            let header = |parser: &edn::Parser<_>| edn_header(parser).ok().and_then(|header| header.initial);
            header(&parser).or_else(|| {
                parser.next().ok();
                header(&parser)
            })
        }
        Format::Json => {
            let mut parser = json::Parser::new(Source::new(bytes));
            let inside = parser.enter().ok()?;
            let first = if inside {
                parser.goes_on().ok().filter(|goes_on| *goes_on)?;
                parser.element().ok()?
            } else {
                parser.next().ok()??
            };
            header(&first).ok()??.initial
        }
        _ => None,
    }
}

/// The events of a file that begins with what a [`Beginning`] holds. After the first error there are no more.
pub struct Follow<R> {
    file: PathBuf,
    inner: Inner<R>,
    ended: bool,
}

type Whole<R> = Chain<Cursor<Vec<u8>>, R>;

enum Inner<R> {
    Native(Reader<BufReader<Whole<R>>>, usize),
    Others(Others<Whole<R>>),
}

impl<R: Read> Follow<R> {
    /// `rest` is what comes behind the beginning.
    pub fn new(name: impl AsRef<Path>, beginning: Beginning, rest: R, options: &ReadOptions) -> Self {
        let Beginning { bytes, format, .. } = beginning;
        let file = name.as_ref().to_owned();
        let source = Cursor::new(bytes).chain(rest);
        let inner = match format {
            Format::Native => {
                let reader = Reader::new(&file, BufReader::with_capacity(1 << 16, source));
                Inner::Native(reader.strict_time(options.strict_time), 0)
            }
            _ => Inner::Others(Others::new(source, format, options)),
        };
        Self { file, inner, ended: false }
    }

    /// What was odd so far; one line each.
    pub fn warnings(&self) -> Vec<String> {
        let clock = |warnings: Warnings| (!warnings.is_empty()).then(|| warnings.to_string());
        match &self.inner {
            Inner::Native(reader, _) => clock(reader.warnings()).into_iter().collect(),
            Inner::Others(others) => {
                let mut warnings = others.notes.clone().warnings();
                warnings.extend(clock(others.clock.warnings));
                warnings
            }
        }
    }

    fn event(&mut self) -> Result<Option<(usize, Event)>, Error> {
        match &mut self.inner {
            Inner::Native(reader, events) => {
                let event = reader.next().transpose()?;
                *events += 1;
                let header = usize::from(reader.about().is_some());
                Ok(event.map(|(_, event)| (*events + header, event)))
            }
            Inner::Others(others) => others.next().map_err(|bad| bad.in_file(&self.file)),
        }
    }
}

/// Each event with its line.
impl<R: Read> Iterator for Follow<R> {
    type Item = Result<(usize, Event), Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let next = self.event().transpose();
        self.ended = !matches!(next, Some(Ok(_)));
        next
    }
}

/// What all but the native format have in common.
struct Others<R> {
    parser: Parser<R>,
    rules: Rules,
    notes: Notes,
    clock: Clock,
    pairing: Pairing,
    /// Until it is known how to take them.
    held: VecDeque<said::Event>,
    /// What those have told.
    told: Told,
    shape: Option<Shape>,
    index: Option<u64>,
    /// What came behind those that are held.
    over: bool,
}

/// What the values are.
#[derive(Clone, Copy)]
struct Shape {
    tuples: bool,
    accounts: bool,
}

/// What the events so far tell of it.
#[derive(Default)]
struct Told {
    accounts: Option<bool>,
    /// Some value is no pair; some value is one for certain.
    plain: bool,
    paired: bool,
}

impl Told {
    fn see(&mut self, event: &said::Event) {
        self.accounts = self.accounts.or(match &event.f {
            F::Transfer => Some(true),
            F::Read => (event.kind == said::Kind::Ok).then_some(event.is_map),
            _ => Some(false),
        });
        match as_tuple(event) {
            Tuple::No => self.plain = true,
            Tuple::Possible => {}
            Tuple::Certain => self.paired = true,
        }
    }

    fn tuples(&self, independent: Independent) -> Option<bool> {
        match independent {
            Independent::Yes => Some(true),
            Independent::No => Some(false),
            Independent::Auto if self.plain => Some(false),
            Independent::Auto => self.paired.then_some(true),
        }
    }

    /// What the values are, as soon as it is known.
    fn shape(&self, independent: Independent) -> Option<Shape> {
        Some(Shape { tuples: self.tuples(independent)?, accounts: self.accounts? })
    }

    /// The same when nothing follows any more.
    fn guess(&self, independent: Independent) -> Shape {
        let (tuples, accounts) = (self.tuples(independent), self.accounts);
        Shape { tuples: tuples.unwrap_or(false), accounts: accounts.unwrap_or(false) }
    }
}

enum Parser<R> {
    Edn { parser: edn::Parser<R>, dialect: Dialect, list: Option<Option<u8>> },
    Json { parser: json::Parser<R>, list: Option<bool>, first: bool },
    Log(Lines<R>),
}

impl<R: Read> Others<R> {
    fn new(source: R, format: Format, options: &ReadOptions) -> Self {
        let edn = |source, dialect| Parser::Edn { parser: edn::Parser::new(Source::new(source)), dialect, list: None };
        let parser = match format {
            Format::PorcupineEtcd => Parser::Log(Lines::new(source)),
            Format::PorcupineKv => edn(source, Dialect::KeyValue),
            Format::Json => Parser::Json { parser: json::Parser::new(Source::new(source)), list: None, first: true },
            _ => edn(source, Dialect::Jepsen),
        };
        let plain = Shape { tuples: false, accounts: false };
        let mut clock = Clock::default();
        clock.strict = options.strict_time;
        Self {
            shape: matches!(format, Format::PorcupineEtcd | Format::PorcupineKv).then_some(plain),
            parser,
            rules: rules(format, options),
            notes: Notes::default(),
            clock,
            pairing: Pairing::default(),
            held: VecDeque::new(),
            told: Told::default(),
            index: None,
            over: false,
        }
    }

    fn next(&mut self) -> Result<Option<(usize, Event)>, Bad> {
        loop {
            if let Some(shape) = self.shape
                && let Some(event) = self.held.pop_front()
            {
                return self.take(event, shape).map(Some);
            }
            if self.over {
                return Ok(None);
            }
            // What is held back is judged before it is said that the file is torn.
            let read = self.read();
            let ends = !matches!(read, Ok(Some(_)));
            if ends && !self.held.is_empty() {
                self.shape = Some(self.told.guess(self.rules.independent));
                self.over = true;
                continue;
            }
            let Some(event) = read? else { return Ok(None) };
            self.in_order(&event)?;
            if self.shape.is_none() {
                self.told.see(&event);
                self.shape = self.told.shape(self.rules.independent);
                if self.shape.is_some_and(|shape| shape.tuples) && self.rules.independent == Independent::Auto {
                    self.notes.more.push(ALL_TUPLES.into());
                }
            }
            self.held.push_back(event);
        }
    }

    /// The next event as the file has it.
    fn read(&mut self) -> Result<Option<said::Event>, Bad> {
        loop {
            let form = match &mut self.parser {
                Parser::Log(lines) => {
                    let Some((text, line, ended)) = lines.next()? else { return Ok(None) };
                    if !ended {
                        return Err(Bad { at: At { line, column: 0 }, fault: Fault::TruncatedLastLine });
                    }
                    match porcupine::event(text, line)? {
                        Line::Event(event) => return Ok(Some(event)),
                        Line::Skipped(process) => self.notes.skip(&process),
                        Line::Other => self.notes.lines_skipped += 1,
                    }
                    continue;
                }
                Parser::Edn { parser, list, .. } => {
                    let list = match list {
                        Some(list) => *list,
                        None => *list.insert(parser.enter()?),
                    };
                    let form = match list {
                        Some(end) => parser.next_in(end)?,
                        None => parser.next()?,
                    };
                    if self.shape.is_none() {
                        self.rules = self.rules.with_header(edn_header(parser)?.independent);
                    }
                    form
                }
                Parser::Json { parser, list, .. } => {
                    let list = match list {
                        Some(list) => *list,
                        None => *list.insert(parser.enter()?),
                    };
                    match list {
                        true if parser.goes_on()? => Some(parser.element()?),
                        true => None,
                        false => parser.next()?,
                    }
                }
            };
            let Some(form) = form else { return Ok(None) };
            let mut dialect = Dialect::Jepsen;
            match &mut self.parser {
                Parser::Json { first, .. } => {
                    if std::mem::take(first)
                        && let Some(header) = header(&form)?
                    {
                        self.rules = self.rules.with_header(header.independent);
                        continue;
                    }
                }
                Parser::Edn { dialect: own, .. } => dialect = *own,
                Parser::Log(_) => {}
            }
            if let Some(event) = event_of(&form, dialect, &mut self.notes)? {
                return Ok(Some(event));
            }
        }
    }

    fn in_order(&mut self, event: &said::Event) -> Result<(), Bad> {
        let whole = |reason: &str| Err(Bad::malformed(event.at, format!("{reason}: judge the whole file instead")));
        if event.process.is_none() {
            return whole("an event that does not say whose it is cannot be followed");
        }
        if event.f == F::Drain {
            return whole("how many elements a drain takes is known when it returns, so it cannot be followed");
        }
        if let (Some(before), Some(index)) = (self.index, event.index)
            && index <= before
        {
            return whole(&format!("the index {index} comes after {before}, so the order is not that of the lines"));
        }
        self.index = event.index.or(self.index);
        Ok(())
    }

    fn take(&mut self, mut event: said::Event, shape: Shape) -> Result<(usize, Event), Bad> {
        if shape.tuples {
            split_tuple(&mut event)?;
        }
        if shape.accounts && event.f == F::Read {
            read_all_accounts(&mut event);
        }
        let (at, time, kind) = (event.at, event.time, event.kind);
        let line = at.line as usize;
        self.clock.see(time, line).map_err(|fault| Bad { at: At { column: 0, ..at }, fault })?;
        let misuse = |misuse| Bad { at, fault: Fault::Misuse(misuse) };
        let process = event.process.unwrap_or_default();
        if kind == said::Kind::Invoke {
            let key = event.key.clone().unwrap_or_default();
            let call = call(event)?;
            self.pairing.begin(process, &call, &key).map_err(misuse)?;
            return Ok((line, Event { process, kind: Kind::Invoke, call, key, time }));
        }
        let open = self.pairing.open(process).ok_or_else(|| misuse(Misuse::NotInvoked { process }))?;
        let kind = match outcome(event, open, self.rules)? {
            Outcome::Ok(reply) => Kind::Ok(reply),
            Outcome::Fail => Kind::Fail,
            Outcome::Indeterminate => Kind::Info,
        };
        let (call, key) = (open.call.clone(), open.key.clone());
        self.pairing.end(process, kind == Kind::Info).map_err(misuse)?;
        Ok((line, Event { process, kind, call, key, time }))
    }
}
