//! `sextant history watch`: judge a history while it is recorded.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, TryRecvError, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use sextant::linearizability::Model;
use sextant::linearizability::online::{Checker, Status};
use sextant::verdict::{Exit, Verdict};
use sextant_histories::formats::{Beginning, Follow, ReadOptions};
use sextant_histories::{Event, Fault, History, Kind, Moment, Operation, Outcome};

use super::check::duration;
use super::input::Reading;
use super::model::{ModelName, WithModel};
use super::timeline::ended;
use crate::cli::{interrupt, output};

/// Judges a history while it is recorded, and stops at the first event that cannot be.
///
/// Memory is bounded by how many operations are open at once, not by the length of the history. Ctrl-C ends it with what
/// is known by then, which is no verdict on a history that goes on: unknown, unless it was invalid before. So does the end of standard
/// input, which is the end of the history. The formats that can be followed are native, edn, json, porcupine-etcd and
/// porcupine-kv; of edn and json what only a whole file can tell is refused: an order by index that is not that of the lines, events
/// without a process, drains.
#[derive(Debug, clap::Args)]
pub struct Watch {
    /// A history that may still grow, or `-` for standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// What the keys of the system are
    #[arg(long, value_enum)]
    model: ModelName,
    /// Stop when the file has not grown for so long: 5s, 500ms, 2m, or seconds
    #[arg(long, value_name = "TIME", value_parser = duration)]
    idle: Option<Duration>,
    /// Stop at the end of the file once every operation in it is over
    #[arg(long)]
    until_complete: bool,
    /// How many configurations of a key to hold before the verdict is unknown
    #[arg(long, default_value_t = 1_000_000, value_name = "COUNT")]
    configurations: usize,
    #[command(flatten)]
    reading: Reading,
}

/// After how many events of a key, and after how many in all, to look whether they can be, while there are more to be read.
const EVERY: usize = 64;
const ALL: usize = 1 << 14;

/// How long to wait before looking whether a file has grown, or a signal has come.
const LOOK: Duration = Duration::from_millis(20);

impl Watch {
    pub fn run(&self) -> io::Result<Exit> {
        let interrupt = interrupt::flag_on_signal()?;
        let quiet = Rc::new(Cell::new(false));
        let mut source: Box<dyn Source> = if self.file == Path::new("-") {
            Box::new(Piped::new(interrupt.clone()))
        } else {
            match File::open(&self.file) {
                Ok(file) => Box::new(Growing {
                    file,
                    interrupt: interrupt.clone(),
                    idle: self.idle,
                    until_complete: self.until_complete,
                    quiet: quiet.clone(),
                    grew: Instant::now(),
                }),
                Err(error) => {
                    output::error(&format!("{}: {error}", self.file.display()));
                    return Ok(Exit::Unreadable);
                }
            }
        };
        let options = self.reading.options();
        let beginning = match Beginning::read(self.name(), Patient(&mut *source), &options) {
            Ok(beginning) => beginning,
            Err(error) => {
                output::error(&error.to_string());
                return Ok(Exit::Unreadable);
            }
        };
        match self.model.initial(beginning.conventions.initial.clone(), options.initial.clone()) {
            // Of the history nothing is known yet.
            Ok(initial) => {
                let judge = Judge { watch: self, beginning, options, source, quiet: &quiet, interrupt: &interrupt };
                self.model.apply(&History::default(), initial, judge)
            }
            Err(reason) => {
                output::error(&reason);
                Ok(Exit::Unreadable)
            }
        }
    }

    fn name(&self) -> String {
        if self.file == Path::new("-") { "standard input".into() } else { self.file.display().to_string() }
    }
}

struct Judge<'a> {
    watch: &'a Watch,
    beginning: Beginning,
    options: ReadOptions,
    source: Box<dyn Source>,
    quiet: &'a Cell<bool>,
    interrupt: &'a AtomicBool,
}

impl WithModel for Judge<'_> {
    type Output = io::Result<Exit>;

    fn with<M: Model>(self, model: &M) -> io::Result<Exit> {
        let name = self.watch.name();
        let checker = RefCell::new(Checker::new(model, self.watch.configurations).looking_every(EVERY));
        let source = Attentive { source: self.source, checker: &checker };
        let mut follow = Follow::new(&name, self.beginning, source, &self.options);
        let mut lines = Lines::default();
        let mut gap_line = None;
        for next in &mut follow {
            let event = match next {
                Ok((line, event)) => {
                    lines.note(line);
                    event
                }
                // The recorder was in the middle of an event when the watch ended.
                Err(error) if matches!(error.fault, Fault::TruncatedLastLine | Fault::Truncated(_)) => break,
                Err(error) => {
                    output::error(&error.to_string());
                    return Ok(Exit::Unreadable);
                }
            };
            let mut checker = checker.borrow_mut();
            let status = checker.push(&event).map(|_| ());
            status.map_err(|misuse| io::Error::other(format!("{name}: accepted, then refused: {misuse}")))?;
            if checker.events().is_multiple_of(ALL) {
                checker.look();
            }
            match checker.status() {
                Status::Unknown(gap) if gap_line.is_none() => {
                    let line = lines.of(gap.event());
                    output::note(&format!("{name}: from {line} on not every violation is seen: {gap}"));
                    gap_line = Some(line);
                }
                Status::Invalid { .. } => break,
                Status::Unknown(_) | Status::Valid => {}
            }
            self.quiet.set(checker.is_quiet());
        }
        for warning in follow.warnings() {
            output::note(&format!("warning: {name}: {warning}"));
        }
        let mut checker = checker.borrow_mut();
        checker.look();
        let mut verdict = checker.verdict();
        let size = format!("{}, {} operations, {} keys", model.name(), checker.operations(), checker.keys());
        let because = match checker.status() {
            Status::Invalid { event, key } => {
                let why = checker.violation().map(impossible).unwrap_or_default();
                format!(": {}: on key {key}, {why}", lines.of(*event))
            }
            Status::Unknown(gap) => format!(": {}: {gap}", gap_line.unwrap_or_else(|| lines.of(gap.event()))),
            _ if verdict == Verdict::Unknown => ": no operation ended in ok, so there is nothing to check".into(),
            _ if self.interrupt.load(Ordering::Relaxed) => {
                verdict = Verdict::Unknown;
                format!(
                    ": interrupted: the first {} events, up to {}, are linearizable",
                    checker.events(),
                    lines.last()
                )
            }
            _ => String::new(),
        };
        output::line(&format!("{name}: {verdict} ({size}){because}"))?;
        Ok(verdict.into())
    }
}

/// On which lines the last events stand. What is said of an event is said soon after it.
#[derive(Default)]
struct Lines {
    last: VecDeque<usize>,
    events: usize,
}

/// More than come between two looks.
const KEPT: usize = 4 * ALL;

impl Lines {
    fn note(&mut self, line: usize) {
        if self.last.len() == KEPT {
            self.last.pop_front();
        }
        self.last.push_back(line);
        self.events += 1;
    }

    /// Of an event, from 0.
    fn of(&self, event: usize) -> String {
        let first = self.events - self.last.len();
        match event.checked_sub(first).and_then(|place| self.last.get(place)) {
            Some(line) => format!("line {line}"),
            None => format!("event {}", event + 1),
        }
    }

    fn last(&self) -> String {
        self.events.checked_sub(1).map_or_else(|| "none".into(), |event| self.of(event))
    }
}

fn impossible(event: &Event) -> String {
    let outcome = match &event.kind {
        Kind::Ok(reply) => Outcome::Ok(reply.clone()),
        Kind::Fail => Outcome::Fail,
        Kind::Invoke | Kind::Info => Outcome::Indeterminate,
    };
    let operation = Operation {
        process: event.process,
        key: event.key.clone(),
        call: event.call.clone(),
        outcome,
        invoked: Moment { index: 0, time: None },
        completed: None,
    };
    format!("no order of the operations so far allows `{}` by process {}", ended(&operation), event.process)
}

/// Bytes that may take a while to come.
trait Source {
    /// Some bytes, if there are any now; none to be asked again. No bytes are the end.
    fn now(&mut self, buffer: &mut [u8]) -> io::Result<Option<usize>>;

    /// A moment in which something may come.
    fn wait(&mut self) {
        thread::sleep(LOOK);
    }
}

/// Waits.
struct Patient<'a>(&'a mut dyn Source);

impl Read for Patient<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            if let Some(read) = self.0.now(buffer)? {
                return Ok(read);
            }
            self.0.wait();
        }
    }
}

/// Looks at what has come before it waits for more, and ends at a violation.
struct Attentive<'a, 'm, M: Model> {
    source: Box<dyn Source>,
    checker: &'a RefCell<Checker<'m, M>>,
}

impl<M: Model> Read for Attentive<'_, '_, M> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut looked = false;
        loop {
            if let Some(read) = self.source.now(buffer)? {
                return Ok(read);
            }
            if !looked && matches!(self.checker.borrow_mut().look(), Status::Invalid { .. }) {
                return Ok(0);
            }
            looked = true;
            self.source.wait();
        }
    }
}

/// A file that may still grow: its end is only reached when there is a reason to stop.
struct Growing {
    file: File,
    interrupt: Arc<AtomicBool>,
    idle: Option<Duration>,
    until_complete: bool,
    /// Whether no operation is open in what was read.
    quiet: Rc<Cell<bool>>,
    grew: Instant,
}

impl Source for Growing {
    fn now(&mut self, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        if self.interrupt.load(Ordering::Relaxed) {
            return Ok(Some(0));
        }
        let read = self.file.read(buffer)?;
        if read > 0 {
            self.grew = Instant::now();
            return Ok(Some(read));
        }
        let is_idle = self.idle.is_some_and(|idle| self.grew.elapsed() >= idle);
        let ends = is_idle || (self.until_complete && self.quiet.get());
        Ok(ends.then_some(0))
    }
}

/// Standard input, read by a thread of its own: a read that waits for a pipe does not notice a signal.
struct Piped {
    chunks: Receiver<io::Result<Vec<u8>>>,
    chunk: Vec<u8>,
    taken: usize,
    /// What came while nobody asked.
    next: Option<io::Result<Vec<u8>>>,
    interrupt: Arc<AtomicBool>,
}

impl Piped {
    fn new(interrupt: Arc<AtomicBool>) -> Self {
        let (sender, chunks) = sync_channel(4);
        thread::spawn(move || {
            let mut input = io::stdin().lock();
            loop {
                let mut chunk = vec![0; 1 << 16];
                let read = input.read(&mut chunk);
                let ended = !matches!(read, Ok(length) if length > 0);
                let read = read.map(|length| {
                    chunk.truncate(length);
                    chunk
                });
                if sender.send(read).is_err() || ended {
                    return;
                }
            }
        });
        Self { chunks, chunk: Vec::new(), taken: 0, next: None, interrupt }
    }
}

impl Source for Piped {
    fn now(&mut self, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        while self.taken == self.chunk.len() {
            if self.interrupt.load(Ordering::Relaxed) {
                return Ok(Some(0));
            }
            match self.next.take().map_or_else(|| self.chunks.try_recv(), Ok) {
                Ok(Ok(chunk)) if chunk.is_empty() => return Ok(Some(0)),
                Ok(chunk) => (self.chunk, self.taken) = (chunk?, 0),
                Err(TryRecvError::Empty) => return Ok(None),
                Err(TryRecvError::Disconnected) => return Ok(Some(0)),
            }
        }
        let length = buffer.len().min(self.chunk.len() - self.taken);
        buffer[..length].copy_from_slice(&self.chunk[self.taken..self.taken + length]);
        self.taken += length;
        Ok(Some(length))
    }

    fn wait(&mut self) {
        self.next = self.chunks.recv_timeout(LOOK).ok();
    }
}
