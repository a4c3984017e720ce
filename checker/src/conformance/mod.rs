//! Whether a recorded run of a volume is one of the protocol's.
//!
//! The actors' flight recorders ([`sextant_storage::flight`]) are judged in two passes.
//!
//! *Pass A* replays each actor alone: the same step function on the same events must have the same effects, a restarted node must be
//! back with everything that was synced and a prefix of the rest, and a node must have told its peers only what it had synced. A
//! difference is the executor's fault: lost persistence, hidden nondeterminism, an answer that the step function did not give.
//!
//! *Pass B* merges the actors into one run. No clock says what came first; what a message says does: an event may happen as soon
//! as somebody has said what it reports, a record written by whoever allocated it, an answer by the node that gave it. The network of
//! the model keeps what was sent for ever, and so does this one: what is enabled stays enabled, and a merge that goes as far as it
//! can finds an order if there is one. An event that nobody caused is again the executor's fault. There are many orders; several are
//! tried (nodes first, writers first, and random ones), and in each of them every property of the core is judged in every global
//! state. A property that does not hold is the protocol's fault.

mod coverage;
mod load;
mod merge;
mod replay;
mod transcript;

use std::path::Path;

use sextant_model::rules::Rules;
use sextant_storage::ledger::Violation;
use sextant_storage::visited::Visited;

use crate::diagnosis::Diagnosis;
use crate::verdict::Verdict;
use merge::{Merge, Stop};

pub use coverage::Coverage;
pub use load::Run;
pub use merge::Order;
pub(crate) use replay::COPIES;
pub use transcript::{Moment, Step, Transcript};

/// How to judge.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    pub rules: Rules,
    /// Random orders, beside the two extremes.
    pub random: u32,
    pub seed: u64,
    /// Judge the properties in every global state; without it, only that there is an order.
    pub properties: bool,
    /// Look for a violation of this property alone.
    pub only: Option<&'static str>,
    /// Count what of the explorer's states and transitions the run has been through.
    pub coverage: bool,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conformance {
    pub size: Size,
    /// Orders that were followed to the end.
    pub orders: u32,
    pub finding: Finding,
    /// In all orders together, where it was asked for and the run conforms.
    pub coverage: Option<Coverage>,
}

/// What was judged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Size {
    pub nodes: usize,
    /// Processes of nodes, and writer incarnations.
    pub lives: usize,
    pub incarnations: usize,
    /// Of those, how many opened the volume.
    pub opened: usize,
    pub events: u64,
    /// Files whose end was cut short with their process.
    pub torn: usize,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    Conforms,
    /// An actor did what its step function does not do.
    Differs(Difference),
    /// Events that nobody caused, one for each actor that waits for one.
    Uncaused(Vec<Difference>),
    Violated {
        violation: Violation,
        /// In which order, and after how many events.
        order: String,
        after: u64,
    },
    /// Nothing was judged.
    Empty(String),
}

/// Where and what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    pub actor: String,
    /// Which of its processes, and which of its entries, both from 1.
    pub life: usize,
    pub entry: usize,
    pub what: String,
}

impl std::fmt::Display for Difference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Difference { actor, life, entry, what } = self;
        write!(f, "{actor}, life {life}, entry {entry}: {what}")
    }
}

impl Options {
    /// By `rules`, the two extreme orders and three random ones.
    #[must_use]
    pub fn new(rules: Rules) -> Self {
        Options { rules, random: 3, seed: 1, properties: true, only: None, coverage: false }
    }
}

impl Conformance {
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        match self.finding {
            Finding::Conforms => Verdict::Valid,
            Finding::Differs(_) | Finding::Uncaused(_) | Finding::Violated { .. } => Verdict::Invalid,
            Finding::Empty(_) => Verdict::Unknown,
        }
    }

    /// Whose fault it is, if it is somebody's.
    #[must_use]
    pub fn diagnosis(&self) -> Option<Diagnosis> {
        match self.finding {
            Finding::Differs(_) | Finding::Uncaused(_) => Some(Diagnosis::Executor),
            Finding::Violated { .. } => Some(Diagnosis::Protocol),
            Finding::Conforms | Finding::Empty(_) => None,
        }
    }

    /// One line for a table.
    #[must_use]
    pub fn summary(&self) -> String {
        let Size { nodes, lives, incarnations, opened, events, .. } = self.size;
        let fault = self.diagnosis().map_or(String::new(), |whose| format!(" ({} fault)", whose.name()));
        let verdict = self.verdict();
        let orders = self.orders;
        format!(
            "{verdict}{fault}: {events} events of {nodes} nodes in {lives} processes and {incarnations} writers, {opened} of \
             them opened, in {orders} orders"
        )
    }

    /// What was found, a line each.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        match &self.finding {
            Finding::Conforms => Vec::new(),
            Finding::Differs(difference) => vec![difference.to_string()],
            Finding::Uncaused(waiting) => waiting.iter().map(ToString::to_string).collect(),
            Finding::Violated { violation, order, after } => {
                vec![format!("{}: {} ({order}, after {after} events)", violation.property, violation.fact)]
            }
            Finding::Empty(why) => vec![why.clone()],
        }
    }
}

/// Judges what lies in `dir`.
///
/// # Errors
/// A file that cannot be read, or is no flight recorder's; with path and offset.
pub fn judge(dir: &Path, options: &Options) -> Result<Conformance, String> {
    Ok(judge_run(&Run::load(dir)?, options))
}

/// Judges a run that was read.
#[must_use]
pub fn judge_run(run: &Run, options: &Options) -> Conformance {
    let mut size = run.size();
    let found = |size, orders, finding| Conformance { size, orders, finding, coverage: None };
    if let Some(why) = run.is_empty() {
        return found(size, 0, Finding::Empty(why));
    }
    if let Err(difference) = pass_a(run, &options.rules) {
        return found(size, 0, Finding::Differs(difference));
    }
    let random = (0..u64::from(options.random)).map(|n| Order::Random { seed: options.seed.wrapping_add(n) });
    let mut orders = 0;
    // What a run has been through is known only where it is judged.
    let mut visited = (options.coverage && options.properties).then(Visited::default);
    for order in [Order::NodesFirst, Order::WritersFirst].into_iter().chain(random) {
        visited.iter_mut().for_each(Visited::begin_again);
        let (opened, finding) = merged(run, options, order, visited.as_mut());
        size.opened = size.opened.max(opened);
        if finding != Finding::Conforms {
            return found(size, orders, finding);
        }
        orders += 1;
    }
    let coverage = visited.as_ref().map(Coverage::of);
    Conformance { coverage, ..found(size, orders, Finding::Conforms) }
}

/// Replays each actor alone.
///
/// # Errors
/// The first difference of the first actor that has one.
pub fn pass_a(run: &Run, rules: &Rules) -> Result<(), Difference> {
    replay::each_alone(run, rules)
}

/// Merges all actors in one order; how many incarnations opened in it, and what was found.
#[must_use]
pub fn pass_b(run: &Run, options: &Options, order: Order) -> (usize, Finding) {
    merged(run, options, order, None)
}

/// The steps of the run in one order, as far as there is an order; nothing is judged.
#[must_use]
pub fn transcript(run: &Run, rules: &Rules, order: Order) -> Transcript {
    let options = Options { properties: false, ..Options::new(*rules) };
    let mut transcript = Transcript::default();
    // Why it ended does not matter: what happened before that did happen.
    let _ = Merge::new(run, &options, None).told_to(&mut transcript).follow(order);
    transcript
}

fn merged(run: &Run, options: &Options, order: Order, visited: Option<&mut Visited>) -> (usize, Finding) {
    let mut merge = Merge::new(run, options, visited);
    let finding = match merge.follow(order) {
        Ok(()) => Finding::Conforms,
        Err(Stop::Differs(difference)) => Finding::Differs(difference),
        Err(Stop::Uncaused(waiting)) => Finding::Uncaused(waiting),
        Err(Stop::Violated(violation)) => {
            Finding::Violated { violation, order: order.to_string(), after: merge.events() }
        }
    };
    (merge.opened(), finding)
}
