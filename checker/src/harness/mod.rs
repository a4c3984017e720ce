//! The harness: a cluster of real processes, clients that record what they are told, a nemesis, and a verdict.
//!
//! [`run`] is the whole: start a [`cluster`], work on it from many clients ([`client`], [`workload`]) while the
//! [`nemesis`] carries out its [`plan`], heal, read every key, judge ([`mod@judge`]), and leave everything in the
//! [`store`]. [`serve`] keeps a cluster up for people to use.
//!
//! Three things that the rest relies on: no process outlives its [`supervisor`]; what the clients record is what the
//! contract of the processes lets them claim; a fault counts only with its [`Receipt`].

mod at_once;
mod board;
mod client;
mod cluster;
mod config;
mod connection;
mod error;
mod journal;
mod judge;
mod line;
mod nemesis;
mod outcome;
mod page;
mod plan;
mod progress;
mod receipt;
mod run;
mod serve;
mod spawner;
mod store;
pub mod supervisor;

pub use config::{Config, FaultKind, Nemesis};
pub use error::HarnessError;
pub use outcome::Outcome;
pub use progress::{Progress, Tick};
pub use receipt::Receipt;
pub use run::run;
pub use serve::{Notice, Place, serve};
