//! Operation maps as Jepsen, Knossos, Elle and Maelstrom write them, in EDN or JSON, and Porcupine's key-value logs, which
//! are such maps with a key.
//!
//! ```text
//! {:process 0, :type :invoke, :f :cas, :value [1 2], :time 17, :index 0}
//! {"process":0,"type":"fail","f":"cas","value":[1,2],"time":18,"index":1}
//! ```
//!
//! One map a line, or one vector or list around all of them. Fields that are not named here are not looked at (`:error`,
//! `:exception` and what else a client put there), and of a `:fail` or `:info` neither is the value: it is often an error.
//! Beyond Jepsen's, two fields say what it has no words for: `:applied false` on the `:ok` of a cas that found another
//! value, and `:result` on an `:ok`: what was returned, and a claim even if it is nil. `:key` names the object.

use std::io::Read;
use std::sync::Arc;

use super::assemble::Notes;
use super::form::{Form, Node};
use super::said::{Event, Events, F, Kind};
use super::shortcut::Shortcut;
use super::source::{At, Bad, Source};
use super::stream::Stream;
use super::{edn, json};
use crate::error::Fault;
use crate::value::{Key, Value};

/// What the file says about itself: our writers put it in front, Jepsen's do not.
#[derive(Debug, Default)]
pub(super) struct Header {
    pub(super) about: Option<String>,
    pub(super) initial: Option<Value>,
    pub(super) independent: Option<bool>,
}

/// All that was read, and where the file was torn, if it was.
#[derive(Default)]
pub(super) struct Parsed {
    pub(super) header: Header,
    pub(super) events: Events,
    /// Where events go instead, if they need not be kept.
    pub(super) stream: Option<Stream>,
    pub(super) notes: Notes,
    pub(super) torn: Option<Bad>,
}

impl Parsed {
    fn take(&mut self, event: Event) {
        match &mut self.stream {
            Some(stream) => stream.push(event, self.header.independent),
            None => self.events.push(event),
        }
    }

    /// Whether it is of no use to read on.
    fn gave_up(&self) -> bool {
        self.stream.as_ref().is_some_and(Stream::gave_up)
    }
}

/// How a file is gone through.
pub(super) enum Way {
    /// All events are kept; maps of the common shape go the short way if `short`.
    Kept { short: bool },
    /// Events are joined at once.
    Streamed(Stream),
}

impl Way {
    fn parts(self) -> (Option<Shortcut>, Parsed) {
        let (short, stream) = match self {
            Self::Kept { short } => (short, None),
            Self::Streamed(stream) => (true, Some(stream)),
        };
        (short.then(Shortcut::default), Parsed { stream, ..Parsed::default() })
    }
}

/// Which names of functions there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dialect {
    Jepsen,
    /// `get`, `put`, `append`, and every operation has a `:key`.
    KeyValue,
}

pub(super) fn read_edn<R: Read>(source: Source<R>, dialect: Dialect, way: Way) -> Result<Parsed, Bad> {
    let mut parser = edn::Parser::new(source);
    let (shortcut, mut parsed) = way.parts();
    let shortcut = shortcut.filter(|_| dialect == Dialect::Jepsen);
    let outcome = edn_events(&mut parser, dialect, shortcut, &mut parsed);
    // A tag may stand before what is taken out: it is known only now.
    parsed.header = edn_header(&parser)?;
    finish(outcome, parsed)
}

/// Anybody may comment out anything: only a map that has one of our fields is a header.
pub(super) fn edn_header<R: Read>(parser: &edn::Parser<R>) -> Result<Header, Bad> {
    let header = parser.discarded().map(header).transpose()?;
    Ok(header.flatten().unwrap_or_default())
}

fn edn_events<R: Read>(
    parser: &mut edn::Parser<R>,
    dialect: Dialect,
    mut shortcut: Option<Shortcut>,
    parsed: &mut Parsed,
) -> Result<(), Bad> {
    let end = parser.enter()?;
    parsed.header = edn_header(parser)?;
    while !parsed.gave_up() {
        if let Some(shortcut) = &mut shortcut
            && let Some(event) = parser.short(shortcut)?
        {
            parsed.take(event);
            continue;
        }
        let form = match end {
            Some(end) => parser.next_in(end)?,
            None => parser.next()?,
        };
        match form {
            Some(form) => event(&form, dialect, parsed)?,
            None => break,
        }
    }
    if end.is_some() && !parsed.gave_up() {
        let at = parser.at();
        return match parser.next()? {
            Some(_) => Err(Bad::malformed(at, "something stands behind the list of operations")),
            None => Ok(()),
        };
    }
    Ok(())
}

pub(super) fn read_json<R: Read>(source: Source<R>, way: Way) -> Result<Parsed, Bad> {
    let mut parser = json::Parser::new(source);
    let (shortcut, mut parsed) = way.parts();
    let outcome = json_events(&mut parser, shortcut, &mut parsed);
    finish(outcome, parsed)
}

fn json_events<R: Read>(
    parser: &mut json::Parser<R>,
    mut shortcut: Option<Shortcut>,
    parsed: &mut Parsed,
) -> Result<(), Bad> {
    let inside = parser.enter()?;
    let mut first = true;
    while !parsed.gave_up() && (!inside || parser.goes_on()?) {
        if let Some(shortcut) = &mut shortcut
            && let Some(event) = parser.short(shortcut)?
        {
            parsed.take(event);
            first = false;
            continue;
        }
        let form = if inside { Some(parser.element()?) } else { parser.next()? };
        let Some(form) = form else { break };
        let header = if first { header(&form)? } else { None };
        match header {
            Some(header) => parsed.header = header,
            None => event(&form, Dialect::Jepsen, parsed)?,
        }
        first = false;
    }
    if inside && !parsed.gave_up() {
        let at = parser.at();
        return match parser.next()? {
            Some(_) => Err(Bad::malformed(at, "something stands behind the list of operations")),
            None => Ok(()),
        };
    }
    Ok(())
}

/// A file that stops in the middle is told apart from one that is wrong, so that what stands before can be saved.
fn finish(outcome: Result<(), Bad>, mut parsed: Parsed) -> Result<Parsed, Bad> {
    match outcome {
        Ok(()) => Ok(parsed),
        Err(bad) if matches!(bad.fault, Fault::Truncated(_)) => {
            parsed.torn = Some(bad);
            Ok(parsed)
        }
        Err(bad) => Err(bad),
    }
}

/// A map without a type, with something to say about all that follow.
pub(super) fn header(form: &Form) -> Result<Option<Header>, Bad> {
    let Node::Map(entries) = &form.node else {
        return Ok(None);
    };
    let field = |wanted: &str| entries.iter().find(|(key, _)| key.name() == Some(wanted)).map(|(_, value)| value);
    let ours = ["about", "initial", "independent"];
    if field("type").is_some() || ours.iter().all(|name| field(name).is_none()) {
        return Ok(None);
    }
    let about = match field("about").map(|form| &form.node) {
        None => None,
        Some(Node::Str(text)) => Some(text.clone().into_owned()),
        Some(_) => return Err(Bad::malformed(form.at, "`about` is a string")),
    };
    let independent = match field("independent").map(|form| &form.node) {
        None => None,
        Some(Node::Bool(value)) => Some(*value),
        Some(_) => return Err(Bad::malformed(form.at, "`independent` is true or false")),
    };
    let initial = field("initial").map(Form::to_value).transpose()?;
    Ok(Some(Header { about, initial, independent }))
}

/// The fields of an operation map that mean something.
#[derive(Default)]
struct Fields<'a> {
    process: Option<&'a Form>,
    kind: Option<&'a Form>,
    f: Option<&'a Form>,
    value: Option<&'a Form>,
    key: Option<&'a Form>,
    result: Option<&'a Form>,
    applied: Option<&'a Form>,
    index: Option<&'a Form>,
    time: Option<&'a Form>,
}

impl<'a> Fields<'a> {
    fn of(form: &'a Form) -> Result<Self, Bad> {
        let Node::Map(entries) = &form.node else {
            return Err(Bad::malformed(form.at, format!("an operation is a map, not {}", form.kind())));
        };
        let mut fields = Self::default();
        for (key, value) in entries {
            let Some(name) = key.name() else { continue };
            let slot = match name {
                "process" => &mut fields.process,
                "type" => &mut fields.kind,
                "f" => &mut fields.f,
                "value" => &mut fields.value,
                "key" => &mut fields.key,
                "result" => &mut fields.result,
                "applied" => &mut fields.applied,
                "index" => &mut fields.index,
                "time" => &mut fields.time,
                _ => continue,
            };
            if slot.replace(value).is_some() {
                return Err(Bad::malformed(key.at, format!("duplicate field `{name}`")));
            }
        }
        Ok(fields)
    }
}

fn event(form: &Form, dialect: Dialect, parsed: &mut Parsed) -> Result<(), Bad> {
    if let Some(event) = event_of(form, dialect, &mut parsed.notes)? {
        parsed.take(event);
    }
    Ok(())
}

/// None of a process that is no client.
pub(super) fn event_of(form: &Form, dialect: Dialect, notes: &mut Notes) -> Result<Option<Event>, Bad> {
    let fields = Fields::of(form)?;
    let kind = kind(&fields, form.at)?;
    let process = match fields.process.filter(|process| !process.is_nil()) {
        None => None,
        Some(number @ Form { node: Node::Int(_) | Node::Number(_), at }) => {
            Some(unsigned(number).ok_or_else(|| Bad::malformed(*at, "a process is an integer from 0 on"))?)
        }
        Some(other) => {
            notes.skip(other.name().unwrap_or(other.kind()));
            return Ok(None);
        }
    };
    let f = function(&fields, form.at, dialect)?;
    let claims = matches!(kind, Kind::Invoke | Kind::Ok);
    let value = fields.value.filter(|_| claims);
    let key = match fields.key.map(Form::to_key).transpose()? {
        None | Some(Key::None) if dialect == Dialect::KeyValue => {
            return Err(Bad::malformed(form.at, "missing field `key`"));
        }
        key => key,
    };
    Ok(Some(Event {
        at: form.at,
        process,
        kind,
        is_map: value.is_some_and(|value| matches!(value.node, Node::Map(_))),
        value: argument(&f, value)?,
        f,
        key,
        result: fields.result.filter(|_| kind == Kind::Ok).map(Form::to_value).transpose()?,
        differed: match fields.applied.map(|form| (&form.node, form.at)) {
            None | Some((Node::Bool(true), _)) => false,
            Some((Node::Bool(false), _)) => true,
            Some((_, at)) => return Err(Bad::malformed(at, "`applied` is true or false")),
        },
        index: count(fields.index, "index")?,
        time: count(fields.time, "time")?,
    }))
}

fn kind(fields: &Fields<'_>, at: At) -> Result<Kind, Bad> {
    let form = fields.kind.ok_or_else(|| Bad::malformed(at, "missing field `type`"))?;
    match form.name() {
        Some("invoke") => Ok(Kind::Invoke),
        Some("ok") => Ok(Kind::Ok),
        Some("fail") => Ok(Kind::Fail),
        Some("info") => Ok(Kind::Info),
        Some(other) => Err(Bad::malformed(form.at, format!("unknown type {other:?}: use invoke, ok, fail or info"))),
        None => Err(Bad::malformed(form.at, "a type is invoke, ok, fail or info")),
    }
}

/// A value that is no list of steps belongs to no transaction: Elle's histories leave `:f` out, others do not.
fn function(fields: &Fields<'_>, at: At, dialect: Dialect) -> Result<F, Bad> {
    let Some(form) = fields.f.filter(|f| !f.is_nil()) else {
        return match fields.value.map(|value| &value.node) {
            Some(Node::List(_)) if dialect == Dialect::Jepsen => Ok(F::Txn),
            _ => Err(Bad::malformed(at, "missing field `f`")),
        };
    };
    let name = form.name().ok_or_else(|| Bad::malformed(form.at, "the name of a function is a keyword or a string"))?;
    let known = match dialect {
        Dialect::Jepsen => F::of(name),
        Dialect::KeyValue => match name {
            "get" => Some(F::Read),
            "put" => Some(F::Write),
            "append" => Some(F::Append),
            _ => None,
        },
    };
    known.ok_or_else(|| {
        let hint = match dialect {
            Dialect::Jepsen => "; that of a model of your own is written \"custom:NAME\"",
            Dialect::KeyValue => ": use get, put or append",
        };
        Bad::malformed(form.at, format!("unknown function {name:?}{hint}"))
    })
}

/// The value; in the steps of a transaction the keyword `:r` is the name "r".
fn argument(f: &F, value: Option<&Form>) -> Result<Option<Value>, Bad> {
    let Some(form) = value else { return Ok(None) };
    match (f, &form.node) {
        (F::Txn, Node::List(steps)) => steps.iter().map(step).collect::<Result<Value, _>>().map(Some),
        (F::Acquire | F::Release, _) => Ok(None),
        _ => form.to_value().map(Some),
    }
}

fn step(form: &Form) -> Result<Value, Bad> {
    let Node::List(parts) = &form.node else {
        return Err(Bad::malformed(form.at, format!("a step of a transaction is [:r key value], not {}", form.kind())));
    };
    let [name, key, value] = &parts[..] else {
        return Err(Bad::malformed(form.at, "a step of a transaction has three parts, [:r key value]"));
    };
    let name: Arc<str> = match name.name() {
        Some(kind @ ("r" | "w" | "append")) => kind.into(),
        Some(other) => {
            return Err(Bad::malformed(
                name.at,
                format!("unknown step {other:?} of a transaction: use r, w or append"),
            ));
        }
        None => return Err(Bad::malformed(name.at, "a step of a transaction begins with :r, :w or :append")),
    };
    if key.is_nil() {
        return Err(Bad::malformed(key.at, "a step of a transaction has a key"));
    }
    Ok([Value::Str(name), key.to_key()?.into(), value.to_value()?].into_iter().collect())
}

fn count(form: Option<&Form>, field: &str) -> Result<Option<u64>, Bad> {
    let Some(form) = form.filter(|form| !form.is_nil()) else {
        return Ok(None);
    };
    unsigned(form).map(Some).ok_or_else(|| Bad::malformed(form.at, format!("`{field}` is an integer from 0 on")))
}

fn unsigned(form: &Form) -> Option<u64> {
    match &form.node {
        Node::Int(number) => u64::try_from(*number).ok(),
        Node::Number(text) => text.parse().ok(),
        _ => None,
    }
}
