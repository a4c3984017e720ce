//! Histories with a known verdict, from a seed.
//!
//! Objects are simulated together with their clients (`simulation.rs`): each operation takes effect at one moment between
//! its invocation and its completion, so the history is linearizable by construction. An operation that ends in `info`
//! may take effect long after it, or never. A [`Flaw`] is a short script of events, run by processes of its own in the
//! last third of the history, that no right object can show whatever the other clients do: each rests on values that
//! nobody else uses, or on a key of its own.
//!
//! [`make`] takes a [`Recipe`] and knows every model; [`generate`] is its older and shorter form for registers.
//!
//! ```
//! use sextant_histories::generate::{Expected, Model, Recipe, make};
//!
//! let queue = Model::named("queue").unwrap();
//! let recipe = Recipe { seed: 7, operations: 40, violation: queue.flaw("lost-element"), ..Recipe::of(queue) };
//! let generated = make(&recipe).unwrap();
//! assert!(matches!(generated.expected, Expected::Invalid(flaw) if flaw.name == "lost-element"));
//! ```

mod appending;
mod collections;
mod elements;
mod mutex;
mod register;
mod rng;
mod script;
mod simulation;
mod txn;

use std::collections::BTreeSet;
use std::fmt;
use std::io;

use crate::event::{Event, Kind};
use crate::line::Header;

use collections::Order;
use simulation::{Subject, simulate};

pub use register::Violation;
pub use rng::Rng;

/// What to generate for a register. The same configuration gives the same history, byte for byte, on every machine.
#[derive(Clone, Debug)]
pub struct Config {
    pub seed: u64,
    /// How many operations the clients invoke; a violation's own come on top.
    pub operations: usize,
    pub clients: usize,
    pub keys: usize,
    pub values: Values,
    /// Of a hundred operations, how many are a cas, and how many a write; the others read.
    pub cas_percent: u32,
    pub write_percent: u32,
    /// How many operations end in `info`, spread over the history.
    pub indeterminate: usize,
    /// Of a hundred operations, how many end in `fail`.
    pub fail_percent: u32,
    pub violation: Option<Violation>,
}

/// Which values are written, put in or added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Values {
    /// Every time a new one.
    Unique,
    /// Integers from 0 up to, not including, this.
    Few(u32),
}

impl Default for Config {
    fn default() -> Self {
        Self {
            seed: 0,
            operations: 100,
            clients: 5,
            keys: 1,
            values: Values::Unique,
            cas_percent: 0,
            write_percent: 50,
            indeterminate: 0,
            fail_percent: 0,
            violation: None,
        }
    }
}

/// Generates the events of a history of registers. Without clients or keys there are none.
pub fn generate(config: &Config) -> Vec<Event> {
    let recipe = Recipe {
        model: Model::CasRegister,
        seed: config.seed,
        operations: config.operations,
        clients: config.clients,
        keys: config.keys,
        values: config.values,
        cas_percent: config.cas_percent,
        change_percent: config.write_percent,
        indeterminate: config.indeterminate,
        fail_percent: config.fail_percent,
        violation: config.violation.map(Violation::flaw),
    };
    simulate(&recipe, &mut *recipe.subject())
}

/// Which objects the clients work on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Model {
    Register,
    CasRegister,
    /// Transactions that read and write several registers.
    MultiRegister,
    /// Transactions that read and append to several lists.
    ListAppend,
    Counter,
    Set,
    Queue,
    Stack,
    PriorityQueue,
    Mutex,
    /// Strings: read (get), write (put), append.
    KeyValue,
    /// Lists: read and append, one key at a time.
    AppendList,
}

/// A violation that can be injected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flaw {
    /// Unique within a model.
    pub name: &'static str,
    /// What the history shows.
    pub shows: &'static str,
    /// The weakest promise that it breaks; all stronger ones are broken too.
    pub breaks: &'static str,
}

impl Flaw {
    const fn new(name: &'static str, shows: &'static str) -> Self {
        Self::breaking(name, shows, "linearizability")
    }

    const fn breaking(name: &'static str, shows: &'static str, breaks: &'static str) -> Self {
        Self { name, shows, breaks }
    }
}

impl Model {
    pub const ALL: [Self; 12] = [
        Self::Register,
        Self::CasRegister,
        Self::MultiRegister,
        Self::ListAppend,
        Self::Counter,
        Self::Set,
        Self::Queue,
        Self::Stack,
        Self::PriorityQueue,
        Self::Mutex,
        Self::KeyValue,
        Self::AppendList,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::Register => "register",
            Self::CasRegister => "cas-register",
            Self::MultiRegister => "multi-register",
            Self::ListAppend => "list-append",
            Self::Counter => "counter",
            Self::Set => "set",
            Self::Queue => "queue",
            Self::Stack => "stack",
            Self::PriorityQueue => "priority-queue",
            Self::Mutex => "mutex",
            Self::KeyValue => "key-value",
            Self::AppendList => "append-list",
        }
    }

    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|model| model.name() == name)
    }

    /// The violations that a history of this model can have.
    pub fn flaws(self) -> &'static [Flaw] {
        match self {
            // The last two have a cas.
            Self::Register => &register::FLAWS[..6],
            Self::CasRegister => &register::FLAWS,
            Self::MultiRegister => &txn::WRITE_FLAWS,
            Self::ListAppend => &txn::APPEND_FLAWS,
            Self::Counter => &elements::COUNTER_FLAWS,
            Self::Set => &elements::SET_FLAWS,
            Self::Queue | Self::Stack | Self::PriorityQueue => &collections::FLAWS,
            Self::Mutex => &mutex::FLAWS,
            Self::KeyValue => &appending::STORE_FLAWS,
            Self::AppendList => &appending::LIST_FLAWS,
        }
    }

    pub fn flaw(self, name: &str) -> Option<Flaw> {
        self.flaws().iter().find(|flaw| flaw.name == name).copied()
    }
}

/// What to generate, for any model. The same recipe gives the same history, byte for byte, on every machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipe {
    pub model: Model,
    pub seed: u64,
    /// How many operations the clients invoke; a violation's own come on top.
    pub operations: usize,
    pub clients: usize,
    /// How many keys are in use at a time. Lists that have become long are left for new ones.
    pub keys: usize,
    /// A counter makes increments between 1 and 1000 of them, a store of strings pieces that end in a full stop.
    pub values: Values,
    /// Of a hundred operations, how many are a cas. Only a cas-register has it.
    pub cas_percent: u32,
    /// Of a hundred operations, or steps of a transaction, how many write, put in, add, remove or append; the others read
    /// or take out. A mutex has no choice.
    pub change_percent: u32,
    /// How many operations end in `info`, spread over the history.
    pub indeterminate: usize,
    /// Of a hundred operations, how many end in `fail`.
    pub fail_percent: u32,
    /// One of [`Model::flaws`].
    pub violation: Option<Flaw>,
}

/// A history, and what a right checker says about it.
#[derive(Clone, Debug)]
pub struct Generated {
    pub events: Vec<Event>,
    pub expected: Expected,
    /// For the first line of the file.
    pub about: String,
}

/// The verdict that is known beforehand, with its reason where it needs one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    Valid,
    Invalid(Flaw),
    /// There is nothing to check: no operation, or none that ended in `ok`.
    Unknown,
}

/// A violation that the model does not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoSuchFlaw {
    pub model: Model,
    pub flaw: Flaw,
}

impl fmt::Display for NoSuchFlaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a {} has no violation {}", self.model.name(), self.flaw.name)
    }
}

impl std::error::Error for NoSuchFlaw {}

/// `valid`, `invalid: NAME: WHAT IT SHOWS; breaks PROMISE`, or `unknown: ...`.
impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Valid => f.write_str("valid"),
            Self::Invalid(flaw) => write!(f, "invalid: {}: {}; breaks {}", flaw.name, flaw.shows, flaw.breaks),
            Self::Unknown => f.write_str("unknown: no operation ended in ok"),
        }
    }
}

impl Expected {
    /// One word.
    pub fn verdict(&self) -> &'static str {
        match self {
            Self::Valid => "valid",
            Self::Invalid(_) => "invalid",
            Self::Unknown => "unknown",
        }
    }
}

impl Recipe {
    /// A hundred operations of five clients on one key, half of them changes, all of distinct values.
    pub fn of(model: Model) -> Self {
        let Config { seed, operations, clients, keys, values, indeterminate, fail_percent, .. } = Config::default();
        let cas_percent = if model == Model::CasRegister { 25 } else { 0 };
        let change_percent = if model == Model::CasRegister { 35 } else { 50 };
        Self {
            model,
            seed,
            operations,
            clients,
            keys,
            values,
            cas_percent,
            change_percent,
            indeterminate,
            fail_percent,
            violation: None,
        }
    }

    fn subject(&self) -> Box<dyn Subject> {
        let (keys, percent) = (self.keys, self.change_percent);
        match self.model {
            Model::Register => Box::new(register::Registers::new(keys, 0, percent)),
            Model::CasRegister => Box::new(register::Registers::new(keys, self.cas_percent, percent)),
            Model::MultiRegister => Box::new(txn::Store::new(txn::Change::Write, keys, percent)),
            Model::ListAppend => Box::new(txn::Store::new(txn::Change::Append, keys, percent)),
            Model::Counter => Box::new(elements::Counters { objects: vec![0; keys], add_percent: percent }),
            Model::Set => Box::new(elements::Sets { objects: vec![BTreeSet::new(); keys], change_percent: percent }),
            Model::Queue => Box::new(collections::Collections::new(Order::First, keys, percent)),
            Model::Stack => Box::new(collections::Collections::new(Order::Last, keys, percent)),
            Model::PriorityQueue => Box::new(collections::Collections::new(Order::Least, keys, percent)),
            Model::Mutex => Box::new(mutex::Mutexes::new(keys, self.clients)),
            Model::KeyValue => Box::new(appending::Store { values: vec![None; keys], change_percent: percent }),
            Model::AppendList => Box::new(appending::Lists::new(keys, percent)),
        }
    }

    fn about(&self, expected: &Expected) -> String {
        let mut about = format!("generated: {}, seed {}, {} operations", self.model.name(), self.seed, self.operations);
        about += &format!(" of {} clients on {} keys", self.clients, self.keys);
        about += &match self.values {
            Values::Unique => ", distinct values".to_owned(),
            Values::Few(count) => format!(", {count} values"),
        };
        for (count, what) in [(self.indeterminate, "indeterminate"), (self.fail_percent as usize, "% failed")] {
            if count > 0 {
                about += &format!(", {count} {what}");
            }
        }
        format!("{about}; expected {expected}")
    }
}

/// Makes a history. Without clients or keys there are no events, and no violation either.
pub fn make(recipe: &Recipe) -> Result<Generated, NoSuchFlaw> {
    let model = recipe.model;
    if let Some(flaw) = recipe.violation
        && !model.flaws().contains(&flaw)
    {
        return Err(NoSuchFlaw { model, flaw });
    }
    let events = simulate(recipe, &mut *recipe.subject());
    let claims = events.iter().any(|event| matches!(event.kind, Kind::Ok(_)));
    let expected = match recipe.violation {
        _ if !claims => Expected::Unknown,
        None => Expected::Valid,
        Some(flaw) => Expected::Invalid(flaw),
    };
    Ok(Generated { about: recipe.about(&expected), events, expected })
}

impl Generated {
    /// Writes the file in the native format, the first line included.
    pub fn write(&self, file: &mut impl io::Write) -> io::Result<()> {
        serde_json::to_writer(&mut *file, &Header { about: self.about.clone() })?;
        for event in &self.events {
            // The simulation answers each call as its object does, so every event has a line.
            let line = event.to_line().ok_or_else(|| io::Error::other("an answer that does not fit its call"))?;
            write!(file, "\n{line}")?;
        }
        writeln!(file)
    }
}
