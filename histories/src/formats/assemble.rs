//! From events as a file has them to a history: in order, completions joined to what they complete, keys found.

use std::collections::{BTreeMap, HashMap};

use super::Independent;
use super::said::{Event, Events, F, Kind, TRANSFER};
use super::source::{At, Bad};
use crate::error::Fault;
use crate::event::{Call, Micro, MicroKind, Reply};
use crate::history::{Builder, History, Outcome};
use crate::pairing::{Misuse, Open, Pairing};
use crate::value::{Key, Value};

/// What was odd.
#[derive(Clone, Debug, Default)]
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

impl Rules {
    /// What the file says of itself counts where nobody asked for something else.
    pub(super) fn with_header(self, independent: Option<bool>) -> Self {
        let independent = match (self.independent, independent) {
            (Independent::Auto, Some(true)) => Independent::Yes,
            (Independent::Auto, Some(false)) => Independent::No,
            (asked, _) => asked,
        };
        Self { independent, ..self }
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

/// What a reader says who found it out.
pub(super) const ALL_TUPLES: &str = "every value is a pair, so each was taken as [key value]";

/// The history of these events.
pub(super) fn assemble(
    mut events: Events,
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
        notes.more.push(ALL_TUPLES.into());
    }
    if independent {
        split_tuples(&mut events)?;
    }
    if events.iter().any(is_about_accounts) {
        events.iter_mut().filter(|event| event.f == F::Read).for_each(read_all_accounts);
    }
    let events = expand_drains(events)?;
    let mut joiner = Joiner::new(rules, events.len());
    events.into_iter().try_for_each(|event| joiner.join(event))?;
    Ok(joiner.finish(about))
}

/// Where every event has an index, that is their order; where none has, it is the order in the file.
fn by_index(events: &mut Events, notes: &mut Notes) -> Result<(), Bad> {
    let with = events.iter().filter(|event| event.index.is_some()).count();
    if with < events.len() {
        if with > 0 {
            notes.more.push("some events have an index and some have none: the order of the lines counts".into());
        }
        return Ok(());
    }
    notes.moved = events.pairs().filter(|(one, next)| next.index < one.index).count();
    if notes.moved > 0 {
        events.sort_by_index();
    }
    match events.pairs().find(|(one, next)| one.index == next.index) {
        Some((_, again)) => {
            Err(Bad::malformed(again.at, format!("the index {} occurs twice", again.index.unwrap_or_default())))
        }
        None => Ok(()),
    }
}

/// Where no event says whose it is, each invocation starts a process of its own, which claims nothing about sessions, and
/// a completion belongs to the one open operation that it can belong to.
fn name_processes(events: &mut Events) -> Result<(), Bad> {
    let without = events.iter().filter(|event| event.process.is_none()).count();
    if without == 0 {
        return Ok(());
    }
    if let Some(event) = events.iter().find(|event| event.process.is_none()).filter(|_| without < events.len()) {
        return Err(Bad::malformed(event.at, "missing field `process`, which other events have"));
    }
    let mut open: Vec<(u64, F, Option<Key>, Option<Value>)> = Vec::new();
    let mut processes = 0;
    for event in events.iter_mut() {
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
fn all_tuples(events: &Events) -> bool {
    let mut takes_nothing = false;
    for event in events.iter() {
        match as_tuple(event) {
            Tuple::No => return false,
            Tuple::Possible => {}
            Tuple::Certain => takes_nothing = true,
        }
    }
    takes_nothing
}

/// Whether the value of an event is a pair `[key value]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tuple {
    No,
    Possible,
    /// It is that of an operation that takes nothing.
    Certain,
}

pub(super) fn as_tuple(event: &Event) -> Tuple {
    let is_txn = matches!(event.f, F::Txn | F::Transfer | F::Other(_) | F::Acquire | F::Release);
    if is_txn || event.key.is_some() {
        return Tuple::No;
    }
    let names_an_object = |value: &Value| matches!(value, Value::Int(_) | Value::Str(_));
    let (fits, certain) = match (&event.value, event.kind) {
        (_, Kind::Fail | Kind::Info) => (true, false),
        (Some(Value::List(pair)), _) if pair.len() == 2 && !event.is_map => match event.kind {
            Kind::Invoke if event.f.returns() => (pair[1] == Value::Null && names_an_object(&pair[0]), true),
            _ if event.f == F::Cas => (matches!(&pair[1], Value::List(values) if values.len() == 2), false),
            _ => (names_an_object(&pair[0]), false),
        },
        _ => (false, false),
    };
    match (fits, certain) {
        (false, _) => Tuple::No,
        (true, false) => Tuple::Possible,
        (true, true) => Tuple::Certain,
    }
}

fn split_tuples(events: &mut Events) -> Result<(), Bad> {
    events.iter_mut().try_for_each(split_tuple)
}

pub(super) fn split_tuple(event: &mut Event) -> Result<(), Bad> {
    if matches!(event.kind, Kind::Fail | Kind::Info) {
        return Ok(());
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
    Ok(())
}

/// Jepsen's bank: what its reads return is one value to us, not the content of a register.
pub(super) fn is_about_accounts(event: &Event) -> bool {
    match &event.f {
        F::Transfer => true,
        F::Read => event.kind == Kind::Ok && event.is_map,
        _ => false,
    }
}

pub(super) fn read_all_accounts(event: &mut Event) {
    let value = event.value.take();
    if event.kind == Kind::Ok {
        event.result = event.result.take().or(value).or(Some(Value::Null));
    }
    event.f = F::Other("read".into());
}

/// A drain that returned its elements becomes one dequeue for each, all from its invocation to its return: in which order
/// they were taken is not used. Each is a process of its own.
fn expand_drains(events: Events) -> Result<Events, Bad> {
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
    let mut expanded = Events::default();
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
pub(super) struct Joiner {
    pairing: Pairing,
    history: Builder,
    lines: Vec<u32>,
    rules: Rules,
}

impl Joiner {
    /// With room for so many events.
    pub(super) fn new(rules: Rules, events: usize) -> Self {
        let history = Builder::with_room(events.div_ceil(2));
        Self { pairing: Pairing::default(), history, lines: Vec::with_capacity(events), rules }
    }

    pub(super) fn join(&mut self, event: Event) -> Result<(), Bad> {
        let (at, time) = (event.at, event.time);
        let misuse = |misuse| Bad { at, fault: Fault::Misuse(misuse) };
        let process = event.process.unwrap_or_default();
        self.lines.push(at.line);
        if event.kind == Kind::Invoke {
            let key = event.key.clone().unwrap_or_default();
            let call = call(event)?;
            self.pairing.begin(process, &call, &key).map_err(misuse)?;
            self.history.begin(process, key, call, time);
            return Ok(());
        }
        let open = self.pairing.open(process).ok_or_else(|| misuse(Misuse::NotInvoked { process }))?;
        let outcome = outcome(event, open, self.rules)?;
        let operation = self.pairing.end(process, outcome == Outcome::Indeterminate).map_err(misuse)?;
        self.history.end(operation, outcome, time);
        Ok(())
    }

    pub(super) fn finish(self, about: Option<String>) -> History {
        self.history.finish(None).described(about, self.lines)
    }
}

/// How a completion ends what is open.
pub(super) fn outcome(event: Event, open: &Open, rules: Rules) -> Result<Outcome, Bad> {
    let (at, process) = (event.at, event.process.unwrap_or_default());
    let disagrees = |field| Err(Bad { at, fault: Fault::Misuse(Misuse::Disagrees { process, field }) });
    if !event.f.is_that_of(&open.call) {
        return disagrees("f");
    }
    if event.key.as_ref().is_some_and(|own| *own != open.key) {
        return disagrees("key");
    }
    Ok(match event.kind {
        Kind::Ok => reply(event, &open.call, rules)?.map_or(Outcome::Fail, Outcome::Ok),
        Kind::Info => Outcome::Indeterminate,
        Kind::Fail | Kind::Invoke => Outcome::Fail,
    })
}

/// None for a reply that says nothing.
fn reply(event: Event, call: &Call, rules: Rules) -> Result<Option<Reply>, Bad> {
    let Event { at, process, value, result, differed, .. } = event;
    if differed && !matches!(call, Call::Cas { .. }) {
        return Err(Bad::malformed(at, "`applied` belongs to the ok of a cas"));
    }
    let reply = match call {
        Call::Read => {
            let says_nothing = result.is_none() && rules.null_read_is_unknown;
            match result.or(value).unwrap_or_default() {
                Value::Null if says_nothing => return Ok(None),
                value => Reply::Read(value),
            }
        }
        Call::Dequeue | Call::Pop | Call::PopMin => Reply::Returned(result.or(value).unwrap_or_default()),
        Call::Txn(_) => {
            let value = value.ok_or_else(|| Bad::malformed(at, "an ok of a txn has its steps as value"))?;
            Reply::Txn(steps(&value).map_err(|reason| Bad::malformed(at, reason))?.into())
        }
        Call::Other(_, argument) => match (result, value) {
            (Some(result), _) => Reply::Returned(result),
            (None, Some(value)) if value != *argument => Reply::Returned(value),
            (None, _) => Reply::Done,
        },
        _ => {
            let repeats = value.is_none_or(|value| value == Value::Null || repeats(call, &value));
            if !repeats {
                let process = process.unwrap_or_default();
                return Err(Bad { at, fault: Fault::Misuse(Misuse::Disagrees { process, field: "value" }) });
            }
            match (call, result) {
                (Call::Write(_), None) => Reply::Written,
                (Call::Cas { .. }, None) if differed => Reply::Differed,
                (Call::Cas { .. }, None) => Reply::Swapped,
                (_, Some(result)) => Reply::Returned(result),
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
    Err(Bad::malformed(at, reason))
}

/// Whether `value` is what the call took.
fn repeats(call: &Call, value: &Value) -> bool {
    match call {
        Call::Cas { old, new } => {
            matches!(value, Value::List(pair) if matches!(&pair[..], [a, b] if a == old && b == new))
        }
        _ => call.argument().as_ref() == Some(value),
    }
}

pub(super) fn call(event: Event) -> Result<Call, Bad> {
    let Event { at, f, value, result, differed, .. } = event;
    if differed || result.is_some() {
        return Err(Bad::malformed(at, "`applied` and `result` belong to an ok"));
    }
    let argument = |value: Option<Value>| value.ok_or_else(|| Bad::malformed(at, "missing field `value`"));
    Ok(match f {
        F::Read => Call::Read,
        F::Dequeue => Call::Dequeue,
        F::Pop => Call::Pop,
        F::PopMin => Call::PopMin,
        F::Acquire => Call::Acquire,
        F::Release => Call::Release,
        F::Write => Call::Write(argument(value)?),
        F::Append => Call::Append(argument(value)?),
        F::Add => Call::Add(argument(value)?),
        F::Remove => Call::Remove(argument(value)?),
        F::Contains => Call::Contains(argument(value)?),
        F::Enqueue => Call::Enqueue(argument(value)?),
        F::Push => Call::Push(argument(value)?),
        F::Insert => Call::Insert(argument(value)?),
        F::Cas => match argument(value)? {
            Value::List(pair) if pair.len() == 2 => Call::Cas { old: pair[0].clone(), new: pair[1].clone() },
            other => return Err(Bad::malformed(at, format!("the value of a cas is the pair [old new], not {other}"))),
        },
        F::Txn => transaction(steps(&argument(value)?).map_err(|reason| Bad::malformed(at, reason))?),
        F::Transfer => Call::Other(TRANSFER.into(), argument(value)?),
        F::Other(name) => Call::Other(name, value.unwrap_or_default()),
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
