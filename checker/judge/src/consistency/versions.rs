//! Versions: what each write installed, what each read saw, and what is known of their order.
//!
//! Version `k` below the number of keys is the initial one of key `k`. Every write or append, of whatever fate, installs
//! one more. [`lists`](super::lists) and [`registers`](super::registers) fill this in; the graph is made from it alone.

use std::collections::BTreeMap;

use sextant_histories::Key;

use super::anomaly::Anomaly;
use super::database::{Database, Fate};
use super::report::Violation;

/// No version, or no transaction.
pub(super) const NONE: u32 = u32::MAX;

#[derive(Debug)]
pub(super) struct Versions {
    /// For each step of the database what it installed or saw; [`NONE`] for a read that says nothing of use.
    pub(super) of_step: Vec<u32>,
    /// For each version its key.
    pub(super) key: Vec<u32>,
    /// For each version who installed it; [`NONE`] for an initial one.
    pub(super) writer: Vec<u32>,
    /// For each version the step that installed it; of an initial one it means nothing.
    pub(super) step: Vec<u32>,
    /// For each version whether its transaction overwrote it before its end.
    pub(super) intermediate: Vec<bool>,
    /// For each transaction whether it took effect: it committed, or somebody saw what it wrote.
    pub(super) counts: Vec<bool>,
    /// Versions of one key, the second directly after the first or after something after it.
    pub(super) order: Vec<(u32, u32)>,
    /// A version and others of its key that are all after it, in an order that is not known.
    pub(super) fans: Vec<(u32, Vec<u32>)>,
    pub(super) found: Found,
}

/// One example of each anomaly, the first.
#[derive(Debug, Default)]
pub(super) struct Found(pub(super) BTreeMap<Anomaly, Violation>);

impl Found {
    /// `transactions` are positions in the database; the sentence names them T1, T2 and so on.
    pub(super) fn add(
        &mut self,
        database: &Database<'_>,
        anomaly: Anomaly,
        transactions: &[u32],
        sentence: impl FnOnce() -> String,
    ) {
        self.0.entry(anomaly).or_insert_with(|| Violation {
            anomaly,
            operations: transactions
                .iter()
                .map(|transaction| database.transactions[*transaction as usize].operation)
                .collect(),
            sentences: vec![sentence()],
            entangled: 0,
        });
    }

    pub(super) fn add_violation(&mut self, violation: Violation) {
        self.0.entry(violation.anomaly).or_insert(violation);
    }
}

impl Versions {
    /// Numbers the writes; nothing is known of reads and orders yet.
    pub(super) fn number(database: &Database<'_>) -> Self {
        let keys = database.keys.len();
        let mut versions = Self {
            of_step: vec![NONE; database.steps.len()],
            key: (0..keys as u32).collect(),
            writer: vec![NONE; keys],
            step: vec![NONE; keys],
            intermediate: vec![false; keys],
            counts: database.transactions.iter().map(|transaction| transaction.fate == Fate::Committed).collect(),
            order: Vec::new(),
            fans: Vec::new(),
            found: Found::default(),
        };
        // Of each key, the transaction that wrote it last in this loop, and the version.
        let mut last = vec![(NONE, NONE); keys];
        for (number, transaction) in database.transactions.iter().enumerate() {
            for position in transaction.steps.clone() {
                let step = &database.steps[position];
                if step.reads {
                    continue;
                }
                let version = versions.key.len() as u32;
                versions.of_step[position] = version;
                versions.key.push(step.key);
                versions.writer.push(number as u32);
                versions.step.push(position as u32);
                versions.intermediate.push(false);
                let (writer, before) = &mut last[step.key as usize];
                if *writer == number as u32 {
                    versions.intermediate[*before as usize] = true;
                }
                (*writer, *before) = (number as u32, version);
            }
        }
        versions
    }

    pub(super) fn is_initial(&self, version: u32) -> bool {
        self.writer[version as usize] == NONE
    }

    /// Whether the version was installed for good or may have been: not by a transaction that failed, nor by one of
    /// which nothing was seen.
    pub(super) fn took_effect(&self, version: u32) -> bool {
        let writer = self.writer[version as usize];
        writer == NONE || self.counts[writer as usize]
    }

    /// Marks the writer as one that took effect, because somebody saw this version.
    pub(super) fn seen(&mut self, database: &Database<'_>, version: u32) {
        let writer = self.writer[version as usize];
        if writer != NONE && database.transactions[writer as usize].fate != Fate::Aborted {
            self.counts[writer as usize] = true;
        }
    }

    /// How a value is written in a sentence.
    pub(super) fn show(&self, database: &Database<'_>, version: u32) -> String {
        if self.is_initial(version) {
            return "the initial value".to_owned();
        }
        let value = database.steps[self.step[version as usize] as usize].value;
        value.map_or_else(|| "?".to_owned(), ToString::to_string)
    }

    /// Reports reads of what was aborted or overwritten before its commit, and remembers who updated which version:
    /// the second is a lost update. Both look at the versions that committed transactions saw.
    pub(super) fn look_at_reads(&mut self, database: &Database<'_>) {
        let mut updated_by = vec![NONE; self.key.len()];
        // Of each key, the transaction that touched it last in this loop, and what it saw if it read first.
        let mut touched = vec![(NONE, NONE); database.keys.len()];
        for (number, transaction) in database.transactions.iter().enumerate() {
            if transaction.fate != Fate::Committed {
                continue;
            }
            let number = number as u32;
            for position in transaction.steps.clone() {
                let step = &database.steps[position];
                let key = step.key as usize;
                let version = self.of_step[position];
                let (toucher, before) = &mut touched[key];
                if *toucher != number {
                    (*toucher, *before) = (number, if step.reads { version } else { NONE });
                } else if !step.reads && *before != NONE {
                    let other = &mut updated_by[*before as usize];
                    if *other == NONE {
                        *other = number;
                    } else if *other != number {
                        let (other, before) = (*other, *before);
                        self.report(database, Anomaly::LostUpdate, &[other, number], before, |key, before| {
                            format!("T1 and T2 both read {before} from key {key} and then wrote it")
                        });
                    }
                }
                if step.reads && version != NONE {
                    self.look_at_read(database, number, version);
                }
            }
        }
    }

    fn look_at_read(&mut self, database: &Database<'_>, reader: u32, version: u32) {
        let writer = self.writer[version as usize];
        if writer == NONE || writer == reader {
            return;
        }
        if database.transactions[writer as usize].fate == Fate::Aborted {
            self.report(database, Anomaly::AbortedRead, &[reader, writer], version, |key, value| {
                format!("T1 read {value} of key {key}, which T2 wrote, but T2 failed")
            });
        }
        if self.intermediate[version as usize] {
            self.report(database, Anomaly::IntermediateRead, &[reader, writer], version, |key, value| {
                format!("T1 read {value} of key {key}, which T2 wrote and then wrote over before it committed")
            });
        }
    }

    /// An anomaly about one version; the sentence is made of its key and value.
    fn report(
        &mut self,
        database: &Database<'_>,
        anomaly: Anomaly,
        transactions: &[u32],
        version: u32,
        sentence: impl FnOnce(&Key, &str) -> String,
    ) {
        if !self.found.0.contains_key(&anomaly) {
            let key = database.keys[self.key[version as usize] as usize];
            let value = self.show(database, version);
            self.found.add(database, anomaly, transactions, || sentence(key, &value));
        }
    }
}
