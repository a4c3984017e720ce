//! A history as transactions over keys: names become numbers, single reads and writes become transactions of one step.

use std::collections::HashMap;
use std::ops::Range;

use sextant_histories::{Call, History, Key, Micro, MicroKind, Operation, Outcome, Reply, Value};

use super::report::Unknown;

/// How a transaction ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Committed,
    Aborted,
    /// It may have committed; it did if somebody saw what it wrote.
    Unknown,
}

/// What the keys are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Read and appended to.
    Lists,
    /// Read and written.
    Registers,
}

#[derive(Clone, Debug)]
pub(super) struct Transaction {
    /// Its number in the history.
    pub(super) operation: usize,
    /// Sessions are numbered from 0 in order of their first invocation.
    pub(super) session: u32,
    pub(super) fate: Fate,
    pub(super) steps: Range<usize>,
    pub(super) invoked: usize,
    /// Event at which it was over; only of one that committed.
    pub(super) returned: Option<usize>,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Step<'a> {
    pub(super) reads: bool,
    pub(super) key: u32,
    /// What was written; what was read, if the transaction committed.
    pub(super) value: Option<&'a Value>,
}

/// All transactions, in order of invocation.
#[derive(Debug)]
pub(super) struct Database<'a> {
    pub(super) history: &'a History,
    pub(super) kind: Kind,
    pub(super) keys: Vec<&'a Key>,
    pub(super) sessions: usize,
    pub(super) transactions: Vec<Transaction>,
    pub(super) steps: Vec<Step<'a>>,
}

impl<'a> Database<'a> {
    pub(super) fn of(history: &'a History) -> Result<Self, Unknown> {
        let operations = history.operations();
        if operations.is_empty() {
            return Err(Unknown::Empty);
        }
        let mut builder = Builder::default();
        for (number, operation) in operations.iter().enumerate() {
            if !builder.push(number, operation) {
                let line = history.line(operation.invoked.index);
                return Err(Unknown::Unsupported { call: operation.call.to_string(), line });
            }
        }
        if builder.transactions.iter().all(|transaction| transaction.fate != Fate::Committed) {
            return Err(Unknown::NoClaim);
        }
        let kind = match (builder.appended, builder.written) {
            (Some(append), Some(write)) => {
                let line = |number: usize| history.line(operations[number].invoked.index);
                return Err(Unknown::Mixed { append: line(append), write: line(write) });
            }
            (Some(_), None) => Kind::Lists,
            // Without any write, what is read says what the keys are.
            (None, None) if builder.steps.iter().any(|step| matches!(step.value, Some(Value::List(_)))) => Kind::Lists,
            (None, _) => Kind::Registers,
        };
        Ok(Self {
            history,
            kind,
            keys: builder.keys,
            sessions: builder.sessions.len(),
            transactions: builder.transactions,
            steps: builder.steps,
        })
    }

    pub(super) fn steps_of(&self, transaction: usize) -> &[Step<'a>] {
        &self.steps[self.transactions[transaction].steps.clone()]
    }

    /// The list that a step read; null is the empty list.
    pub(super) fn list(&self, transaction: usize, step: &Step<'a>) -> Result<&'a [Value], Unknown> {
        match step.value {
            None | Some(Value::Null) => Ok(&[]),
            Some(Value::List(list)) => Ok(list),
            Some(_) => {
                let operation = &self.history.operations()[self.transactions[transaction].operation];
                let line = self.history.line(operation.invoked.index);
                Err(Unknown::NotAList { key: self.keys[step.key as usize].clone(), line })
            }
        }
    }
}

#[derive(Default)]
struct Builder<'a> {
    keys: Vec<&'a Key>,
    key_numbers: HashMap<&'a Key, u32>,
    sessions: HashMap<u64, u32>,
    transactions: Vec<Transaction>,
    steps: Vec<Step<'a>>,
    /// The first operations that append and that write.
    appended: Option<usize>,
    written: Option<usize>,
}

impl<'a> Builder<'a> {
    /// Whether the operation is one of transactions.
    fn push(&mut self, number: usize, operation: &'a Operation) -> bool {
        let first = self.steps.len();
        let fate = match operation.outcome {
            Outcome::Ok(_) => Fate::Committed,
            Outcome::Fail => Fate::Aborted,
            Outcome::Indeterminate => Fate::Unknown,
        };
        let key = &operation.key;
        match (&operation.call, operation.reply()) {
            (Call::Txn(steps), None) => self.steps(number, steps, false),
            (Call::Txn(_), Some(Reply::Txn(steps))) => self.steps(number, steps, true),
            (Call::Read, Some(Reply::Read(seen))) => self.step(number, MicroKind::Read, key, Some(seen)),
            (Call::Read, None) => self.step(number, MicroKind::Read, key, None),
            (Call::Write(value), _) => self.step(number, MicroKind::Write, key, Some(value)),
            (Call::Append(value), _) => self.step(number, MicroKind::Append, key, Some(value)),
            (Call::Cas { old, new }, Some(Reply::Swapped)) => {
                self.step(number, MicroKind::Read, key, Some(old));
                self.step(number, MicroKind::Write, key, Some(new));
            }
            // It claims nothing and does nothing.
            (Call::Cas { .. }, None) if fate == Fate::Aborted => {}
            _ => return false,
        }
        let sessions = self.sessions.len() as u32;
        let session = *self.sessions.entry(operation.process).or_insert(sessions);
        self.transactions.push(Transaction {
            operation: number,
            session,
            fate,
            steps: first..self.steps.len(),
            invoked: operation.invoked.index,
            returned: if fate == Fate::Committed { operation.returned() } else { None },
        });
        true
    }

    fn steps(&mut self, number: usize, steps: &'a [Micro], answered: bool) {
        for step in steps {
            let known = answered || step.kind != MicroKind::Read;
            self.step(number, step.kind, &step.key, known.then_some(&step.value));
        }
    }

    fn step(&mut self, number: usize, kind: MicroKind, key: &'a Key, value: Option<&'a Value>) {
        match kind {
            MicroKind::Read => {}
            MicroKind::Write => {
                self.written.get_or_insert(number);
            }
            MicroKind::Append => {
                self.appended.get_or_insert(number);
            }
        }
        let next = self.keys.len() as u32;
        let key_number = *self.key_numbers.entry(key).or_insert(next);
        if key_number == next {
            self.keys.push(key);
        }
        self.steps.push(Step { reads: kind == MicroKind::Read, key: key_number, value });
    }
}
