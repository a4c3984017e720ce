//! Other promises than linearizability: isolation levels of transactions, sequential consistency, session guarantees,
//! snapshots on replicas.
//!
//! [`check`] judges a history by a [`Promise`]. What each promise is, is defined where it is judged:
//!
//! | promise | defined in |
//! |---|---|
//! | `read-uncommitted`, `pl-2`, `consistent-view`, `repeatable-read`, `snapshot-isolation`, `serializable`, and these with the order of sessions or of real time: `session-…`, `strong-…`, `strict-serializable` | `transactions` |
//! | `read-committed`, `read-atomic`, `causal` | `weak` |
//! | `sequential` | `sequential` |
//! | `read-your-writes`, `monotonic-reads`, `monotonic-writes`, `writes-follow-reads`, `session` | `sessions` |
//! | `snapshot-prefix` | `snapshots` |
//!
//! Every `invalid` comes with the anomaly, the operations that show it, and a sentence for every step of the argument. A
//! `valid` says what it rests on ([`Basis`]), and where no algorithm decides, the verdict is `unknown`.

mod anomaly;
mod cycles;
mod database;
mod dependencies;
mod graph;
mod lists;
mod polygraph;
mod promise;
mod registers;
mod report;
mod schedule;
mod sentence;
mod sequential;
mod sessions;
mod snapshots;
mod transactions;
mod versions;
mod weak;

use std::time::Instant;

use sextant_histories::History;

pub use anomaly::{Anomaly, Orders, Shape};
pub use promise::{Judge, Promise};
pub use report::{Basis, Finding, Options, Report, Unknown, Violation};

pub use sequential::check_sequential;

use crate::linearizability::CasRegister;
use database::Database;

/// Judges `history` by `promise`. Sequential consistency is that of registers here; [`check_sequential`] takes a model.
pub fn check(history: &History, promise: Promise, options: &Options) -> Report {
    let start = Instant::now();
    let (finding, keys) = match Database::of(history) {
        Err(unknown) => (Finding::Unknown(unknown), 0),
        Ok(database) => {
            let finding = match promise.judge() {
                Judge::Cycles => transactions::check(&database, promise, options),
                Judge::Axioms => weak::check(&database, promise, options),
                Judge::Sessions => sessions::check(&database, promise, options),
                Judge::Snapshots => snapshots::check(&database, options),
                Judge::Sequential => {
                    let model = CasRegister { initial: options.initial.clone() };
                    return check_sequential(history, &model, options);
                }
            };
            (finding, database.keys.len())
        }
    };
    Report { promise, operations: history.operations().len(), keys, elapsed: start.elapsed(), finding }
}
