//! Transactions in sessions, without times: the text formats of the checkers of weak isolation.
//!
//! AWDIT's "test" text: a line an operation, key and value; a line of dashes ends a transaction, one of equals signs a
//! session.
//!
//! ```text
//! w 0 1
//! w 1 1
//! -----
//! r 0 1
//! =====
//! r 1 1
//! ```
//!
//! Plume's, PolySI's and IsoVista's: operation, key, value, session, transaction. Operations with the same session and
//! transaction are one transaction; a session's transactions come in the order in which they begin.
//!
//! ```text
//! w(0,1,0,0)
//! r(0,1,1,1)
//! ```
//!
//! All transactions of these files are committed. **Nothing says what was earlier in another session**, and the order of
//! events that a history must have is made up: only promises that know no real time can be judged.

use std::collections::HashMap;
use std::io::Read;

use super::assemble::transaction;
use super::source::{At, Bad, Lines};
use crate::error::Fault;
use crate::event::{Event, Kind, Micro, MicroKind, Reply};
use crate::history::History;
use crate::value::Key;

struct Transaction {
    line: u32,
    steps: Vec<Micro>,
}

/// By session, and within a session in order.
type Sessions = Vec<(u64, Vec<Transaction>)>;

pub(super) fn read_awdit<R: Read>(reader: R) -> Result<History, Bad> {
    let mut lines = Lines::new(reader);
    let mut sessions: Sessions = vec![(0, Vec::new())];
    let mut fresh = true;
    while let Some((text, line, _)) = lines.next()? {
        let trimmed = text.trim();
        let whole_line_of = |sign: char| trimmed.len() >= 3 && trimmed.chars().all(|c| c == sign);
        if trimmed.is_empty() {
            continue;
        }
        if whole_line_of('-') || whole_line_of('=') {
            fresh = true;
            if whole_line_of('=') {
                sessions.push((sessions.len() as u64, Vec::new()));
            }
            continue;
        }
        let step = awdit_step(text, line)?;
        let Some((_, transactions)) = sessions.last_mut() else { continue };
        match transactions.last_mut().filter(|_| !fresh) {
            Some(transaction) => transaction.steps.push(step),
            None => transactions.push(Transaction { line, steps: vec![step] }),
        }
        fresh = false;
    }
    history(sessions)
}

fn awdit_step(text: &str, line: u32) -> Result<Micro, Bad> {
    let mut parts = Parts { text, position: 0, line };
    let kind = parts.word();
    let kind =
        kind_of(kind.0).ok_or_else(|| Bad::malformed(kind.1, "an operation is `r KEY VALUE` or `w KEY VALUE`"))?;
    let key = parts.integer()?;
    let value = parts.integer()?;
    match parts.word() {
        ("", _) => Ok(Micro { kind, key: Key::Int(key), value: value.into() }),
        (_, at) => Err(Bad::malformed(at, "something stands behind the value")),
    }
}

/// Words of a line, each with its column.
struct Parts<'a> {
    text: &'a str,
    position: usize,
    line: u32,
}

impl<'a> Parts<'a> {
    fn word(&mut self) -> (&'a str, At) {
        let rest = &self.text[self.position..];
        let start = self.position + (rest.len() - rest.trim_start().len());
        let rest = &self.text[start..];
        let end = start + rest.find(char::is_whitespace).unwrap_or(rest.len());
        self.position = end;
        (&self.text[start..end], At { line: self.line, column: u32::try_from(start + 1).unwrap_or(u32::MAX) })
    }

    fn integer(&mut self) -> Result<i64, Bad> {
        let (word, at) = self.word();
        integer(word, at)
    }
}

fn integer(word: &str, at: At) -> Result<i64, Bad> {
    match word.parse() {
        Ok(value) => Ok(value),
        Err(_) if word.is_empty() => Err(Bad::malformed(at, "an integer is missing")),
        Err(_) => Err(Bad::malformed(at, format!("{word:?} is no integer of 64 signed bits"))),
    }
}

fn kind_of(word: &str) -> Option<MicroKind> {
    match word {
        "r" => Some(MicroKind::Read),
        "w" => Some(MicroKind::Write),
        _ => None,
    }
}

/// With where the file was torn, if its last line is.
pub(super) fn read_plume<R: Read>(reader: R) -> Result<(History, Option<Bad>), Bad> {
    let mut lines = Lines::new(reader);
    let mut sessions: Sessions = Vec::new();
    let mut numbers: HashMap<u64, usize> = HashMap::new();
    let mut transactions: HashMap<(u64, u64), usize> = HashMap::new();
    let mut torn = None;
    while let Some((text, line, ended)) = lines.next()? {
        if text.trim().is_empty() {
            continue;
        }
        let (step, session, transaction) = match plume_step(text, line) {
            // No proper prefix of `r(1,2,3,4)` is an operation.
            Err(_) if !ended && !text.trim_end().ends_with(')') => {
                torn = Some(Bad { at: At { line, column: 0 }, fault: Fault::TruncatedLastLine });
                break;
            }
            other => other?,
        };
        let number = *numbers.entry(session).or_insert_with(|| {
            sessions.push((session, Vec::new()));
            sessions.len() - 1
        });
        let list = &mut sessions[number].1;
        let place = *transactions.entry((session, transaction)).or_insert_with(|| {
            list.push(Transaction { line, steps: Vec::new() });
            list.len() - 1
        });
        list[place].steps.push(step);
    }
    Ok((history(sessions)?, torn))
}

fn plume_step(text: &str, line: u32) -> Result<(Micro, u64, u64), Bad> {
    let at = |offset: usize| At { line, column: u32::try_from(offset + 1).unwrap_or(u32::MAX) };
    let shape = || Bad::malformed(at(0), "an operation is `r(KEY,VALUE,SESSION,TRANSACTION)` or `w(...)`");
    let text = text.trim_end();
    let (kind, rest) = text.split_once('(').ok_or_else(shape)?;
    let kind = kind_of(kind.trim()).ok_or_else(shape)?;
    let inner = rest.strip_suffix(')').ok_or_else(shape)?;
    let mut numbers = Vec::with_capacity(4);
    let mut offset = text.len() - rest.len();
    for part in inner.split(',') {
        numbers.push((integer(part.trim(), at(offset))?, at(offset)));
        offset += part.len() + 1;
    }
    let [key, value, session, transaction] = numbers[..] else {
        return Err(shape());
    };
    let unsigned = |(number, at): (i64, At)| {
        u64::try_from(number).map_err(|_| Bad::malformed(at, "a session and a transaction are no negative numbers"))
    };
    let step = Micro { kind, key: Key::Int(key.0), value: value.0.into() };
    Ok((step, unsigned(session)?, unsigned(transaction)?))
}

/// A process a session. The first transactions of all sessions begin together and then end, and so on: as little order as
/// a history can have.
fn history(sessions: Sessions) -> Result<History, Bad> {
    let mut events = Vec::new();
    let mut lines = Vec::new();
    let rounds = sessions.iter().map(|(_, transactions)| transactions.len()).max().unwrap_or(0);
    for round in 0..rounds {
        for done in [false, true] {
            for (process, transactions) in &sessions {
                let Some(Transaction { line, steps }) = transactions.get(round) else { continue };
                let call = transaction(steps.clone());
                let kind = if done { Kind::Ok(Reply::Txn(steps.as_slice().into())) } else { Kind::Invoke };
                events.push(Event { process: *process, kind, call, key: Key::None, time: None });
                lines.push(*line);
            }
        }
    }
    let at = |index: usize| At { line: lines.get(index).copied().unwrap_or_default(), column: 0 };
    match History::from_events(events) {
        Ok(history) => Ok(history.described(None, lines)),
        Err((index, misuse)) => Err(Bad { at: at(index), fault: Fault::Misuse(misuse) }),
    }
}
