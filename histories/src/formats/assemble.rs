//! From events as a file has them to a history: in order, completions joined to what they complete, keys found.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::Independent;
use super::source::{At, Bad};
use crate::error::Fault;
use crate::event::{self, Call, Micro, MicroKind, Reply};
use crate::history::History;
use crate::pairing::Misuse;
use crate::value::{Key, Value};

/// What a function is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum F {
    Read,
    Write,
    Cas,
    Append,
    Add,
    Remove,
    Contains,
    Enqueue,
    Dequeue,
    /// Dequeues until nothing is left.
    Drain,
    Push,
    Pop,
    Insert,
    PopMin,
    Acquire,
    Release,
    Txn,
    /// Between accounts of a bank, whose reads are not those of a register.
    Transfer,
    Other(Arc<str>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Invoke,
    Ok,
    Fail,
    Info,
}

/// An event before it is held against the others.
#[derive(Clone, Debug)]
pub(super) struct Event {
    pub(super) at: At,
    /// None where the file does not say: each operation is then a process of its own.
    pub(super) process: Option<u64>,
    pub(super) kind: Kind,
    pub(super) f: F,
    /// None where it is absent, and for `fail` and `info`.
    pub(super) value: Option<Value>,
    /// Whether the value was a map: what a read of accounts returns.
    pub(super) is_map: bool,
    /// What was returned, said apart from the value.
    pub(super) result: Option<Value>,
    /// A cas that found another value.
    pub(super) differed: bool,
    pub(super) key: Option<Key>,
    pub(super) index: Option<u64>,
    pub(super) time: Option<u64>,
}

/// What was odd.
#[derive(Debug, Default)]
pub(super) struct Notes {
    skipped: BTreeMap<String, usize>,
    pub(super) lines_skipped: usize,
    moved: usize,
    pub(super) more: Vec<String>,
}

/// What a format leaves open.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rules {
    pub(super) independent: Independent,
    /// Whether a read that returned null says nothing.
    pub(super) null_read_is_unknown: bool,
}

impl F {
    /// The function of this name. What starts with `custom:` belongs to a model of the user's own.
    pub(super) fn of(name: &str) -> Option<Self> {
        Some(match name {
            "read" => Self::Read,
            "write" => Self::Write,
            "cas" => Self::Cas,
            "append" => Self::Append,
            "add" => Self::Add,
            "remove" => Self::Remove,
            "contains" => Self::Contains,
            "enqueue" => Self::Enqueue,
            "dequeue" => Self::Dequeue,
            "drain" => Self::Drain,
            "push" => Self::Push,
            "pop" => Self::Pop,
            "insert" => Self::Insert,
            "pop-min" => Self::PopMin,
            "acquire" => Self::Acquire,
            "release" => Self::Release,
            "txn" => Self::Txn,
            "transfer" => Self::Transfer,
            _ => match name.strip_prefix("custom:") {
                None | Some("") => return None,
                Some(name) => Self::Other(name.into()),
            },
        })
    }

    /// Whether its value is what it returned.
    fn returns(&self) -> bool {
        matches!(self, Self::Read | Self::Dequeue | Self::Drain | Self::Pop | Self::PopMin)
    }
}

impl Notes {
    /// An event of a process that is no client.
    pub(super) fn skip(&mut self, process: &str) {
        *self.skipped.entry(process.to_owned()).or_default() += 1;
    }

    pub(super) fn warnings(self) -> Vec<String> {
        let mut warnings = self.more;
        if !self.skipped.is_empty() {
            let count: usize = self.skipped.values().sum();
            let names: Vec<String> = self.skipped.keys().take(5).cloned().collect();
            warnings
                .push(format!("{count} events of processes that are no integers were left out: {}", names.join(", ")));
        }
        if self.lines_skipped > 0 {
            warnings.push(format!("{} lines that are no events were left out", self.lines_skipped));
        }
        if self.moved > 0 {
            warnings.push(format!("{} events stand before one with a smaller index: the index counts", self.moved));
        }
        warnings
    }
}

/// The history of these events.
pub(super) fn assemble(
    mut events: Vec<Event>,
    rules: Rules,
    about: Option<String>,
    notes: &mut Notes,
) -> Result<History, Bad> {
    by_index(&mut events, notes)?;
    name_processes(&mut events)?;
    let independent = match rules.independent {
        Independent::Yes => true,
        Independent::No => false,
        Independent::Auto => all_tuples(&events),
    };
    if independent && rules.independent == Independent::Auto {
        notes.more.push("every value is a pair, so each was taken as [key value]".into());
    }
    if independent {
        split_tuples(&mut events)?;
    }
    if events.iter().any(is_about_accounts) {
        events.iter_mut().filter(|event| event.f == F::Read).for_each(read_all_accounts);
    }
    let events = expand_drains(events)?;
    join(events, rules, about)
}

/// Where every event has an index, that is their order; where none has, it is the order in the file.
fn by_index(events: &mut [Event], notes: &mut Notes) -> Result<(), Bad> {
    let with = events.iter().filter(|event| event.index.is_some()).count();
    if with < events.len() {
        if with > 0 {
            notes.more.push("some events have an index and some have none: the order of the lines counts".into());
        }
        return Ok(());
    }
    notes.moved = events.windows(2).filter(|pair| pair[1].index < pair[0].index).count();
    if notes.moved > 0 {
        events.sort_by_key(|event| event.index);
    }
    match events.windows(2).find(|pair| pair[0].index == pair[1].index) {
        Some([_, again]) => {
            Err(Bad::malformed(again.at, format!("the index {} occurs twice", again.index.unwrap_or_default())))
        }
        _ => Ok(()),
    }
}

/// Where no event says whose it is, each invocation starts a process of its own, which claims nothing about sessions, and
/// a completion belongs to the one open operation that it can belong to.
fn name_processes(events: &mut [Event]) -> Result<(), Bad> {
    let without = events.iter().filter(|event| event.process.is_none()).count();
    if without == 0 {
        return Ok(());
    }
    if let Some(event) = events.iter().find(|event| event.process.is_none()).filter(|_| without < events.len()) {
        return Err(Bad::malformed(event.at, "missing field `process`, which other events have"));
    }
    let mut open: Vec<(u64, F, Option<Key>, Option<Value>)> = Vec::new();
    let mut processes = 0;
    for event in events {
        if event.kind == Kind::Invoke {
            event.process = Some(processes);
            open.push((processes, event.f.clone(), event.key.clone(), event.value.clone()));
            processes += 1;
            continue;
        }
        let mut fitting = (0..open.len()).filter(|number| {
            let (_, f, key, value) = &open[*number];
            let unnamed = event.value.is_none() || f.returns() || *f == F::Txn && same_steps(value, &event.value);
            *f == event.f && *key == event.key && (unnamed || *value == event.value)
        });
        match (fitting.next(), fitting.next()) {
            (Some(number), None) => event.process = Some(open.remove(number).0),
            (None, _) => return Err(Bad::malformed(event.at, "completes no open operation; no event has a process")),
            (Some(_), Some(_)) => {
                return Err(Bad::malformed(event.at, "two open operations can be meant; no event has a process"));
            }
        }
    }
    Ok(())
}

fn same_steps(invoked: &Option<Value>, completed: &Option<Value>) -> bool {
    let steps = |value: &Option<Value>| value.as_ref().and_then(|value| steps(value).ok());
    match (steps(invoked), steps(completed)) {
        (Some(invoked), Some(completed)) => Reply::Txn(completed.into()).answers(&transaction(invoked)),
        _ => false,
    }
}

/// Whether every value is a pair `[key value]`, for certain: an operation that takes nothing then has a key and nil where
/// it would otherwise have nil alone, which no plain history writes. Without such an operation nothing was
/// returned, and nothing can be told.
fn all_tuples(events: &[Event]) -> bool {
    let mut takes_nothing = false;
    for event in events {
        let is_txn = matches!(event.f, F::Txn | F::Transfer | F::Other(_) | F::Acquire | F::Release);
        let fits = match (&event.value, event.kind) {
            (_, Kind::Fail | Kind::Info) => true,
            (Some(Value::List(pair)), _) if pair.len() == 2 && !event.is_map => match event.kind {
                Kind::Invoke if event.f.returns() => {
                    takes_nothing = true;
                    pair[1] == Value::Null && Key::try_from(pair[0].clone()).is_ok_and(|key| key != Key::None)
                }
                _ if event.f == F::Cas => matches!(&pair[1], Value::List(values) if values.len() == 2),
                _ => Key::try_from(pair[0].clone()).is_ok_and(|key| key != Key::None),
            },
            _ => false,
        };
        if is_txn || !fits || event.key.is_some() {
            return false;
        }
    }
    takes_nothing
}

fn split_tuples(events: &mut [Event]) -> Result<(), Bad> {
    for event in events {
        if matches!(event.kind, Kind::Fail | Kind::Info) {
            continue;
        }
        let pair = match event.value.take() {
            Some(Value::List(pair)) if pair.len() == 2 => pair,
            _ => return Err(Bad::malformed(event.at, "keys are independent, so a value is a pair [key value]")),
        };
        let key = Key::try_from(pair[0].clone());
        let key = key.map_err(|value| Bad::malformed(event.at, format!("{value} names no object")))?;
        if key == Key::None || event.key.is_some() {
            return Err(Bad::malformed(event.at, "keys are independent, so a value is a pair [key value]"));
        }
        event.key = Some(key);
        event.value = Some(pair[1].clone());
    }
    Ok(())
}

/// Jepsen's bank: what its reads return is one value to us, not the content of a register.
fn is_about_accounts(event: &Event) -> bool {
    match &event.f {
        F::Transfer => true,
        F::Read => event.kind == Kind::Ok && event.is_map,
        _ => false,
    }
}

fn read_all_accounts(event: &mut Event) {
    let value = event.value.take();
    if event.kind == Kind::Ok {
        event.result = event.result.take().or(value).or(Some(Value::Null));
    }
    event.f = F::Other("read".into());
}

/// A drain that returned its elements becomes one dequeue for each, all from its invocation to its return: in which order
/// they were taken is not used. Each is a process of its own.
fn expand_drains(events: Vec<Event>) -> Result<Vec<Event>, Bad> {
    if events.iter().all(|event| event.f != F::Drain) {
        return Ok(events);
    }
    let mut next = 1 + events.iter().filter_map(|event| event.process).max().unwrap_or(0);
    let mut open: HashMap<u64, (usize, At)> = HashMap::new();
    let mut taken: HashMap<usize, Vec<(u64, Value)>> = HashMap::new();
    let mut returns: HashMap<usize, usize> = HashMap::new();
    for (number, event) in events.iter().enumerate().filter(|(_, event)| event.f == F::Drain) {
        let process = event.process.unwrap_or_default();
        if event.kind == Kind::Invoke {
            if open.insert(process, (number, event.at)).is_some() {
                return Err(Bad { at: event.at, fault: Fault::Misuse(Misuse::DoubleInvocation { process }) });
            }
            continue;
        }
        let Some((invoked, _)) = open.remove(&process) else {
            return Err(Bad { at: event.at, fault: Fault::Misuse(Misuse::NotInvoked { process }) });
        };
        let elements: Vec<Value> = match (&event.value, event.kind) {
            (_, Kind::Fail) | (Some(Value::Null) | None, Kind::Ok) => Vec::new(),
            (Some(Value::List(elements)), Kind::Ok) => elements.to_vec(),
            (Some(other), Kind::Ok) => {
                return Err(Bad::malformed(event.at, format!("a drain returns a list of elements, not {other}")));
            }
            (_, Kind::Info | Kind::Invoke) => return Err(crashed_drain(event.at)),
        };
        returns.insert(number, invoked);
        let elements = elements.into_iter().zip(next..);
        let elements: Vec<(u64, Value)> = elements.map(|(value, process)| (process, value)).collect();
        next += elements.len() as u64;
        taken.insert(invoked, elements);
    }
    if let Some((_, at)) = open.values().min_by_key(|(number, _)| *number) {
        return Err(crashed_drain(*at));
    }
    let mut expanded = Vec::with_capacity(events.len());
    for (number, event) in events.into_iter().enumerate() {
        if event.f != F::Drain {
            expanded.push(event);
            continue;
        }
        let of = returns.get(&number).copied().unwrap_or(number);
        for (process, value) in taken.get(&of).into_iter().flatten() {
            let value = (event.kind != Kind::Invoke).then(|| value.clone());
            expanded.push(Event { process: Some(*process), f: F::Dequeue, value, index: None, ..event.clone() });
        }
    }
    Ok(expanded)
}

fn crashed_drain(at: At) -> Bad {
    Bad::malformed(
        at,
        "a drain that did not return may have taken any number of elements, which no operation here can say",
    )
}

/// Pairs events, and fits them into the history's own.
fn join(events: Vec<Event>, rules: Rules, about: Option<String>) -> Result<History, Bad> {
    let places: Vec<At> = events.iter().map(|event| event.at).collect();
    let failure = RefCell::new(None);
    let mut joiner = Joiner { open: HashMap::new(), rules };
    let joined = events.into_iter().map_while(|event| match joiner.join(event) {
        Ok(event) => Some(event),
        Err(bad) => {
            *failure.borrow_mut() = Some(bad);
            None
        }
    });
    let history = History::from_events(joined);
    if let Some(bad) = failure.into_inner() {
        return Err(bad);
    }
    let history = history.map_err(|(index, misuse)| Bad { at: places[index], fault: Fault::Misuse(misuse) })?;
    let lines = places.iter().map(|at| at.line).collect();
    Ok(history.described(about, lines))
}

struct Joiner {
    open: HashMap<u64, (F, Call, Key)>,
    rules: Rules,
}

impl Joiner {
    fn join(&mut self, event: Event) -> Result<event::Event, Bad> {
        let process = event.process.unwrap_or_default();
        let time = event.time;
        let (kind, call, key) = match event.kind {
            Kind::Invoke => {
                let call = call(&event)?;
                let key = event.key.clone().unwrap_or_default();
                // A second invocation is left for the history to refuse.
                self.open.insert(process, (event.f, call.clone(), key.clone()));
                (event::Kind::Invoke, call, key)
            }
            Kind::Ok | Kind::Fail | Kind::Info => {
                let Some((f, call, key)) = self.open.remove(&process) else {
                    return Err(Bad { at: event.at, fault: Fault::Misuse(Misuse::NotInvoked { process }) });
                };
                let disagrees =
                    |field| Bad { at: event.at, fault: Fault::Misuse(Misuse::Disagrees { process, field }) };
                if event.f != f {
                    return Err(disagrees("f"));
                }
                if event.key.as_ref().is_some_and(|own| *own != key) {
                    return Err(disagrees("key"));
                }
                let kind = match event.kind {
                    Kind::Ok => self.reply(&event, &call)?.map_or(event::Kind::Fail, event::Kind::Ok),
                    Kind::Info => event::Kind::Info,
                    Kind::Fail | Kind::Invoke => event::Kind::Fail,
                };
                (kind, call, key)
            }
        };
        Ok(event::Event { process, kind, call, key, time })
    }

    /// None for a reply that says nothing.
    fn reply(&self, event: &Event, call: &Call) -> Result<Option<Reply>, Bad> {
        let Event { at, value, result, .. } = event;
        let returned = || result.clone().or_else(|| value.clone()).unwrap_or_default();
        if event.differed && !matches!(call, Call::Cas { .. }) {
            return Err(Bad::malformed(*at, "`applied` belongs to the ok of a cas"));
        }
        let reply = match call {
            Call::Read => {
                let value = returned();
                if value == Value::Null && result.is_none() && self.rules.null_read_is_unknown {
                    return Ok(None);
                }
                Reply::Read(value)
            }
            Call::Dequeue | Call::Pop | Call::PopMin => Reply::Returned(returned()),
            Call::Txn(_) => {
                let value =
                    value.as_ref().ok_or_else(|| Bad::malformed(*at, "an ok of a txn has its steps as value"))?;
                Reply::Txn(steps(value).map_err(|reason| Bad::malformed(*at, reason))?.into())
            }
            Call::Other(_, argument) => match (result, value) {
                (Some(result), _) => Reply::Returned(result.clone()),
                (None, Some(value)) if value != argument => Reply::Returned(value.clone()),
                (None, _) => Reply::Done,
            },
            _ => {
                let repeats = value.as_ref().is_none_or(|value| Some(value) == call.argument().as_ref());
                if !repeats && *value != Some(Value::Null) {
                    let process = event.process.unwrap_or_default();
                    return Err(Bad { at: *at, fault: Fault::Misuse(Misuse::Disagrees { process, field: "value" }) });
                }
                match (call, result) {
                    (Call::Write(_), None) => Reply::Written,
                    (Call::Cas { .. }, None) if event.differed => Reply::Differed,
                    (Call::Cas { .. }, None) => Reply::Swapped,
                    (_, Some(result)) => Reply::Returned(result.clone()),
                    (_, None) => Reply::Done,
                }
            }
        };
        if reply.answers(call) {
            return Ok(Some(reply));
        }
        let reason = match call {
            Call::Contains(_) => "the ok of a contains has a `result`, true or false".into(),
            _ => format!("this does not answer a {}", call.name()),
        };
        Err(Bad::malformed(*at, reason))
    }
}

fn call(event: &Event) -> Result<Call, Bad> {
    let at = event.at;
    let argument = || event.value.clone().ok_or_else(|| Bad::malformed(at, "missing field `value`"));
    if event.differed || event.result.is_some() {
        return Err(Bad::malformed(at, "`applied` and `result` belong to an ok"));
    }
    Ok(match &event.f {
        F::Read => Call::Read,
        F::Dequeue => Call::Dequeue,
        F::Pop => Call::Pop,
        F::PopMin => Call::PopMin,
        F::Acquire => Call::Acquire,
        F::Release => Call::Release,
        F::Write => Call::Write(argument()?),
        F::Append => Call::Append(argument()?),
        F::Add => Call::Add(argument()?),
        F::Remove => Call::Remove(argument()?),
        F::Contains => Call::Contains(argument()?),
        F::Enqueue => Call::Enqueue(argument()?),
        F::Push => Call::Push(argument()?),
        F::Insert => Call::Insert(argument()?),
        F::Cas => match argument()? {
            Value::List(pair) if pair.len() == 2 => Call::Cas { old: pair[0].clone(), new: pair[1].clone() },
            other => return Err(Bad::malformed(at, format!("the value of a cas is the pair [old new], not {other}"))),
        },
        F::Txn => transaction(steps(&argument()?).map_err(|reason| Bad::malformed(at, reason))?),
        F::Transfer => Call::Other("transfer".into(), argument()?),
        F::Other(name) => Call::Other(name.clone(), event.value.clone().unwrap_or_default()),
        F::Drain => return Err(Bad::malformed(at, "a drain is several dequeues")),
    })
}

fn steps(value: &Value) -> Result<Vec<Micro>, String> {
    match value {
        Value::List(steps) => steps.iter().map(Micro::from_value).collect(),
        _ => Err("the value of a txn is a list of steps".into()),
    }
}

/// The call of a transaction whose reads may already say what they saw.
pub(super) fn transaction(mut steps: Vec<Micro>) -> Call {
    steps.iter_mut().filter(|step| step.kind == MicroKind::Read).for_each(|step| step.value = Value::Null);
    Call::Txn(steps.into())
}
