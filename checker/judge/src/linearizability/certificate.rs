//! Certificates: what a check found, in a file that somebody else can hold against the history.
//!
//! JSON lines. The first is the header:
//!
//! ```text
//! {"certificate":1,"verdict":"valid","history":"6c62…","events":6,"operations":3,"model":"register","initial":"null"}
//! ```
//!
//! `history` is the 128-bit FNV-1a hash of the events, each written as a line of the native format without its time, so that
//! the same history in another format has the same certificate. It guards against a mix-up, not against malice: nothing
//! in a certificate is believed. `initial` is the first state as the model shows it.
//!
//! *Valid*: the operations of each key in an order that the object could have shown, by their numbers in order of
//! invocation, from 0. A long order takes several lines, which belong one behind the other:
//!
//! ```text
//! {"key":"x","order":[0,2,1]}
//! ```
//!
//! *Invalid*: one line with a core, operations that contradict each other though all others may have taken effect at any
//! time or never. If it is called smallest, that is so of no smaller part of it:
//!
//! ```text
//! {"key":"x","core":[0,1,2],"smallest":true}
//! ```
//!
//! [`Certificate::verify`] replays the order with [`verify`], or tries every order of the core (`exhaust`). Neither shares
//! anything with the search but [`Model::step`].

mod exhaust;

use std::fmt;
use std::io::{self, BufRead, Write};

use serde::{Deserialize, Deserializer, Serialize};
use sextant_histories::{Event, History, Key};

use super::core::Core;
use super::model::Model;
use super::verify::verify;
use super::{Finding, Linearization, Report};
use crate::verdict::Verdict;
use exhaust::Exhausted;

/// What was found of which history by which model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// Hash of the events.
    pub history: String,
    pub events: usize,
    pub operations: usize,
    pub model: String,
    /// The first state, as the model shows it.
    pub initial: String,
    pub proof: Proof,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Proof {
    Valid(Vec<Linearization>),
    Invalid { key: Key, core: Core },
}

/// How a certificate does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It is about something else, or claims what is not so. The text is one line.
    Wrong(String),
    /// It could not be told within the limits of the verifier.
    Unknown(String),
}

/// A certificate that cannot be read: the line, from 1, and one line of reason.
#[derive(Debug)]
pub struct Unreadable {
    pub line: usize,
    pub reason: String,
}

/// So many numbers on one line.
const WRAP: usize = 1000;
const VERSION: u32 = 1;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    certificate: u32,
    verdict: Verdict,
    history: String,
    events: usize,
    operations: usize,
    model: String,
    initial: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct OrderLine<'a> {
    #[serde(deserialize_with = "key_or_none")]
    key: Key,
    order: std::borrow::Cow<'a, [usize]>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct CoreLine {
    #[serde(deserialize_with = "key_or_none")]
    key: Key,
    core: Vec<usize>,
    smallest: bool,
}

/// Histories without keys have null, which is no key of an event.
fn key_or_none<'de, D: Deserializer<'de>>(from: D) -> Result<Key, D::Error> {
    Ok(Option::<Key>::deserialize(from)?.unwrap_or(Key::None))
}

impl Certificate {
    /// The certificate of a report on `history`; none of an unknown one.
    pub fn of<M: Model>(history: &History, model: &M, report: &Report) -> Option<Self> {
        let proof = match &report.finding {
            Finding::Valid(linearizations) => Proof::Valid(linearizations.clone()),
            Finding::Invalid(evidence) => Proof::Invalid { key: evidence.key.clone(), core: evidence.core.clone() },
            Finding::Unknown(_) => return None,
        };
        Some(Self {
            history: fingerprint(history),
            events: history.len(),
            operations: history.operations().len(),
            model: model.name().to_owned(),
            initial: model.show(&model.initial()),
            proof,
        })
    }

    pub fn verdict(&self) -> Verdict {
        match self.proof {
            Proof::Valid(_) => Verdict::Valid,
            Proof::Invalid { .. } => Verdict::Invalid,
        }
    }

    pub fn write(&self, mut to: impl Write) -> io::Result<()> {
        let header = Header {
            certificate: VERSION,
            verdict: self.verdict(),
            history: self.history.clone(),
            events: self.events,
            operations: self.operations,
            model: self.model.clone(),
            initial: self.initial.clone(),
        };
        line(&mut to, &header)?;
        match &self.proof {
            Proof::Valid(linearizations) => {
                for Linearization { key, order } in linearizations {
                    for order in order.chunks(WRAP) {
                        line(&mut to, &OrderLine { key: key.clone(), order: order.into() })?;
                    }
                }
            }
            Proof::Invalid { key, core } => {
                let Core { operations, smallest } = core.clone();
                line(&mut to, &CoreLine { key: key.clone(), core: operations, smallest })?;
            }
        }
        to.flush()
    }

    /// Reads what [`Certificate::write`] writes.
    pub fn read(from: impl BufRead) -> Result<Self, Unreadable> {
        let mut lines = Lines { from, line: 0 };
        let Some(header) = lines.next::<Header>()? else {
            return Err(Unreadable { line: 1, reason: "a certificate has a header".into() });
        };
        if header.certificate != VERSION {
            let reason = format!("certificate of version {}, this verifies version {VERSION}", header.certificate);
            return Err(Unreadable { line: 1, reason });
        }
        let proof = match header.verdict {
            Verdict::Valid => Proof::Valid(lines.orders()?),
            Verdict::Invalid => lines.core()?,
            Verdict::Unknown => return Err(lines.error("nothing certifies an unknown")),
        };
        let Header { history, events, operations, model, initial, .. } = header;
        Ok(Self { history, events, operations, model, initial, proof })
    }

    /// Whether the certificate holds for `history`. Independent of the search that made it.
    pub fn verify<M: Model>(&self, history: &History, model: &M) -> Result<(), Refusal> {
        let wrong = |reason: String| Err(Refusal::Wrong(reason));
        if self.model != model.name() {
            return wrong(format!("it is about the model {}, not {}", self.model, model.name()));
        }
        let initial = model.show(&model.initial());
        if self.initial != initial {
            return wrong(format!("it starts from {}, not from {initial}", self.initial));
        }
        let size = (self.events, self.operations);
        if size != (history.len(), history.operations().len()) || self.history != fingerprint(history) {
            return wrong("it is about another history".into());
        }
        if let Some(strange) = history.operations().iter().find(|operation| !model.supports(&operation.call)) {
            return wrong(format!("the model {} has no operation like `{}`", self.model, strange.call));
        }
        match &self.proof {
            Proof::Valid(linearizations) => verify(history, model, linearizations).map_err(Refusal::Wrong),
            Proof::Invalid { key, core } => verify_core(history, model, key, core),
        }
    }
}

/// Holds the core against every order of its operations.
pub(super) fn verify_core<M: Model>(history: &History, model: &M, key: &Key, core: &Core) -> Result<(), Refusal> {
    let all = history.operations();
    let ascending = core.operations.windows(2).all(|pair| pair[0] < pair[1]);
    let here = |number: &usize| all.get(*number).is_some_and(|operation| !model.keyed() || operation.key == *key);
    if core.operations.is_empty() || !ascending || !core.operations.iter().all(here) {
        return Err(Refusal::Wrong(format!("its core is no set of operations of key {key}")));
    }
    let operations = all.iter().enumerate().filter(|(_, operation)| !model.keyed() || operation.key == *key);
    let (others, members): (Vec<_>, Vec<_>) =
        operations.partition(|(number, _)| core.operations.binary_search(number).is_err());
    let others: Vec<_> = others.into_iter().map(|(_, operation)| operation).collect();
    let without = |left_out: Option<usize>| {
        let members = members.iter().filter(|(number, _)| Some(*number) != left_out).map(|(_, operation)| *operation);
        let weakened = left_out.map(|number| &all[number]);
        let others: Vec<_> = others.iter().copied().chain(weakened).collect();
        exhaust::exhaust(model, &members.collect::<Vec<_>>(), &others)
    };
    match without(None) {
        Exhausted::Impossible => {}
        Exhausted::Possible => return Err(Refusal::Wrong("there is an order of its core".into())),
        Exhausted::TooMany => return Err(Refusal::Unknown("its core is too large to try every order".into())),
    }
    for number in core.operations.iter().filter(|_| core.smallest) {
        match without(Some(*number)) {
            Exhausted::Possible => {}
            Exhausted::Impossible => {
                return Err(Refusal::Wrong(format!("its core is not smallest: it does not need operation {number}")));
            }
            Exhausted::TooMany => {
                return Err(Refusal::Unknown(format!(
                    "its core holds, but without operation {number} there are too many orders to try"
                )));
            }
        }
    }
    Ok(())
}

/// The 128-bit FNV-1a hash of the events, in hexadecimal: of each the line of the native format without its time, line
/// feeds included.
pub fn fingerprint(history: &History) -> String {
    let mut hash: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
    for event in history.to_events() {
        let event = Event { time: None, ..event };
        // An `ok` that does not answer its call has no line, and a history has none.
        let text = event.to_line().unwrap_or_default();
        for byte in text.bytes().chain([b'\n']) {
            hash = (hash ^ u128::from(byte)).wrapping_mul(0x0000_0000_0100_0000_0000_0000_0000_013b);
        }
    }
    format!("{hash:032x}")
}

fn line(to: &mut impl Write, line: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut *to, line)?;
    to.write_all(b"\n")
}

struct Lines<R> {
    from: R,
    line: usize,
}

impl<R: BufRead> Lines<R> {
    fn next<T: for<'de> Deserialize<'de>>(&mut self) -> Result<Option<T>, Unreadable> {
        let mut text = Vec::new();
        self.line += 1;
        let length = self.from.read_until(b'\n', &mut text).map_err(|error| self.error(error))?;
        if length == 0 {
            return Ok(None);
        }
        if !text.ends_with(b"\n") {
            return Err(self.error("truncated last line"));
        }
        serde_json::from_slice(&text).map(Some).map_err(|error| self.error(error))
    }

    fn orders(&mut self) -> Result<Vec<Linearization>, Unreadable> {
        let mut linearizations: Vec<Linearization> = Vec::new();
        while let Some(OrderLine { key, order }) = self.next()? {
            match linearizations.last_mut() {
                Some(last) if last.key == key => last.order.extend_from_slice(&order),
                _ => linearizations.push(Linearization { key, order: order.into_owned() }),
            }
        }
        Ok(linearizations)
    }

    fn core(&mut self) -> Result<Proof, Unreadable> {
        let Some(CoreLine { key, core, smallest }) = self.next()? else {
            return Err(self.error("the core is missing"));
        };
        if self.next::<CoreLine>()?.is_some() {
            return Err(self.error("one core is enough"));
        }
        Ok(Proof::Invalid { key, core: Core { operations: core, smallest } })
    }

    fn error(&self, reason: impl ToString) -> Unreadable {
        let reason = reason.to_string();
        let reason = match reason.rfind(" at line ") {
            Some(end) => reason[..end].to_owned(),
            None => reason,
        };
        Unreadable { line: self.line, reason }
    }
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.line, self.reason)
    }
}

impl std::error::Error for Unreadable {}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Wrong(reason) | Self::Unknown(reason) => f.write_str(reason),
        }
    }
}

impl std::error::Error for Refusal {}
