//! A counterexample of the core, acted out by the actors that run (lockstep).
//!
//! A [`Case`] is a schedule. The controller takes its actions one by one, in the order in which the model took them: it hands the
//! message that an action names to the node that it names, lets the node sync what it appended, carries the replies back to
//! the writer, and goes on. What it hands over was really sent: the requests are those that the writer's own stream produced, the records
//! those that its database wrote, gossip is what a node answered to a pull. It decides nothing but the order. The reductions of
//! the model's world are kept (`sextant_model::world`): an append and its sync are one action unless a reply left first, replies arrive
//! at once, refusals are lost, writers take the LSNs that they may unless the bounds say otherwise.
//!
//! The actors are those of [`sextant_storage::control`], in this process on disks in memory, or each a process of its own with its log in
//! a directory, killed by SIGKILL where the case has a crash. They record what they do, and the record is judged
//! ([`crate::conformance`]): the case is reproduced when it violates the same property.

mod actors;
mod controller;

use std::fmt;
use std::path::{Path, PathBuf};

use sextant_model::action::Action;
use sextant_model::bounds::Bounds;
use sextant_model::rules::Rules;

use crate::conformance::{self, Conformance, Finding, Options, Order, Run};
use crate::explore::case::Case;
use controller::Controller;

/// The area whose actors run.
pub const AREA: &str = "core";
const JUDGED: [&str; 15] =
    ["S1", "S3", "S4", "S5", "S5b", "S7", "S9", "S10", "S11", "S12", "S13", "S14", "S15", "S16", "S33"];

/// Orders in which the record of a case is judged at most.
const ORDERS: u64 = 400;

/// Why a case was not acted out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// It is of another area, or names a property that no record shows.
    Case(String),
    /// An action cannot be taken.
    Action(String),
    /// An action hands over what the model's actors send and these have not.
    NeverSent(String),
    /// An actor failed, or what it recorded cannot be read: nothing is said about the case.
    Actor(String),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Case(reason) | Failure::Action(reason) | Failure::Actor(reason) => f.write_str(reason),
            Failure::NeverSent(what) => write!(f, "{what} was never sent"),
        }
    }
}

impl std::error::Error for Failure {}

impl Failure {
    fn at(self, action: usize) -> Self {
        let at = |reason: String| format!("action {action}: {reason}");
        match self {
            Failure::Case(reason) => Failure::Case(at(reason)),
            Failure::Action(reason) => Failure::Action(at(reason)),
            Failure::NeverSent(what) => Failure::NeverSent(at(what)),
            Failure::Actor(reason) => Failure::Actor(at(reason)),
        }
    }
}

/// Who acts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Actors in this process, on disks in memory.
    Simulated,
    /// Processes of this `sextant` command.
    Real { executable: PathBuf },
}

/// What came of it.
#[derive(Clone, Debug)]
pub struct Replayed {
    /// What the controller saw after each action, a line each.
    pub lines: Vec<String>,
    /// Of the record: with the case's property where that was found.
    pub conformance: Conformance,
    /// The property that the case names was violated; or none was, if it names none.
    pub as_expected: bool,
}

/// Acts `case` out, with everything that the actors leave behind in `dir`, which exists.
///
/// # Errors
/// [`Failure`], with the number of the action from 1.
pub fn replay(case: &Case, stage: &Stage, dir: &Path) -> Result<Replayed, Failure> {
    if case.area != AREA {
        return Err(Failure::Case(format!("the actors run the core; {} is in the model only", case.area)));
    }
    let bounds: Bounds = parsed("bounds", &case.bounds)?;
    let rules: Rules = parsed("rules", &case.rules)?;
    let rules = rules.with_lal(bounds.lal);
    let expected = case.violates.as_deref().map(judged_property).transpose()?;
    let flight = dir.join("flight");
    std::fs::create_dir_all(&flight).map_err(|error| Failure::Actor(format!("{}: {error}", flight.display())))?;
    let actors = actors::start(stage, rules, dir, &flight)?;
    let mut controller = Controller::new(actors, rules, bounds)?;
    let mut lines = Vec::new();
    for (number, action) in case.actions.iter().enumerate() {
        let action: Action = parsed("action", action)?;
        let line = controller.act(action).map_err(|failure| failure.at(number + 1))?;
        lines.push(line);
    }
    controller.finish();
    let run = Run::load(&flight).map_err(Failure::Actor)?;
    let conformance = judged(&run, rules, expected);
    let as_expected = match (&conformance.finding, expected) {
        (Finding::Violated { violation, .. }, Some(property)) => violation.property == property,
        (Finding::Conforms, None) => true,
        _ => false,
    };
    Ok(Replayed { lines, conformance, as_expected })
}

/// The order of the case is one of those that the record allows; a few hundred are tried to meet one that shows the same.
fn judged(run: &Run, rules: Rules, expected: Option<&'static str>) -> Conformance {
    let options = Options { only: expected, random: 0, ..Options::new(rules) };
    let mut conformance = conformance::judge_run(run, &options);
    for seed in 0..ORDERS {
        if expected.is_none() || conformance.finding != Finding::Conforms {
            break;
        }
        conformance.orders += 1;
        conformance.finding = conformance::pass_b(run, &options, Order::Random { seed }).1;
    }
    conformance
}

/// Whether the record of actors can show that a property of the core is violated.
#[must_use]
pub fn shows(property: &str) -> bool {
    JUDGED.contains(&property)
}

/// A property that is judged on records.
fn judged_property(id: &str) -> Result<&'static str, Failure> {
    let found = JUDGED.into_iter().find(|judged| *judged == id);
    found.ok_or_else(|| {
        Failure::Case(format!("{id} is not judged on what actors recorded; there are {}", JUDGED.join(", ")))
    })
}

fn parsed<T: serde::de::DeserializeOwned>(what: &str, value: &serde_json::Value) -> Result<T, Failure> {
    serde_json::from_value(value.clone()).map_err(|error| Failure::Case(format!("{what} {value}: {error}")))
}
