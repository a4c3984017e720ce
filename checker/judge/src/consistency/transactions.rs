//! Transactions by dependency cycles, in the manner of Elle (Kingsbury and Alvaro 2020) and Adya (1999).
//!
//! What each transaction read and wrote gives versions ([`lists`](super::lists), [`registers`](super::registers)), those
//! give a graph ([`dependencies`](super::dependencies)), and a promise is broken if the graph has a cycle of a kind that
//! it rules out ([`cycles`](super::cycles)) or if a transaction shows an anomaly that needs no graph.
//!
//! An indeterminate transaction counts if somebody saw what it wrote; nothing is known of its reads, and it has no end, so
//! nothing comes after it in real time. One that nobody saw is left out: if it did take effect, it might as well not have.
//! A failed one shows only where it was seen: G1a.
//!
//! **When `valid` is exact.** Every `invalid` is: each edge holds in every order of versions that the promise allows. For
//! `valid` the order of all versions must be known, or not matter:
//!
//! * PL-1 and PL-2 look at ww and wr alone. If these have no cycle, any order of all transactions that extends them gives
//!   an order of versions without one.
//! * Lists, PL-2.99, PL-3 and above: unknown is only the order of appends that nobody read. No rw edge starts at them, so
//!   any order of all transactions that extends the graph orders them as well as any other.
//! * Lists, snapshot isolation: the same, if the graph has no cycle at all; else the order of unread appends matters.
//! * Registers: all of a key's writes must be in one line.
//! * PL-2+: as snapshot isolation, but an order of versions without G-single alone is not searched for, only one that is
//!   good for snapshot isolation; where there is none of that the verdict is unknown.
//!
//! Where this does not hold, an order of transactions is tried ([`schedule`](super::schedule)), then a search is made for
//! an order of versions ([`polygraph`](super::polygraph)); if that gives up the verdict is unknown. So `valid` is never
//! said on the strength of not having looked.

use super::anomaly::{Anomaly, Orders, Shape};
use super::cycles;
use super::database::{Database, Kind};
use super::dependencies::{Readers, graph, look_for_circles};
use super::graph::Graph;
use super::polygraph::{self, Outcome};
use super::promise::Promise;
use super::registers::Inference;
use super::report::{Basis, Finding, Options, Unknown, Violation};
use super::versions::Versions;
use super::{lists, registers, schedule, sentence};

/// Of a history as [`Database`] has it.
pub(super) fn check(database: &Database<'_>, promise: Promise, options: &Options) -> Finding {
    judge(database, promise, options).unwrap_or_else(Finding::Unknown)
}

fn judge(database: &Database<'_>, promise: Promise, options: &Options) -> Result<Finding, Unknown> {
    let known = Known::of(database, promise, options)?;
    let found = known.found(promise);
    if !found.is_empty() {
        return Ok(Finding::Invalid(found));
    }
    if known.gave_up {
        return Err(Unknown::GaveUp("the search for cycles with one rw edge gave up".to_owned()));
    }
    let shape = promise.worst_shape();
    let no_cycle = cycles::exists(&known.graph, Shape::G2Item, promise.orders()) == Some(false);
    let of_lists = database.kind == Kind::Lists && (shape == Shape::G2Item || no_cycle);
    if shape <= Shape::G1c || of_lists || known.groups().is_empty() {
        return Ok(Finding::Valid(Basis::Exact));
    }
    if database.kind == Kind::Lists {
        return known.search_for_order(promise, options);
    }
    if no_cycle && let Some(order) = schedule::schedule(database, promise.orders(), options) {
        let operations = order.iter().map(|number| database.transactions[*number as usize].operation);
        return Ok(Finding::Valid(Basis::Order(operations.collect())));
    }
    // If transactions are serializable in the order of sessions or of real time, so is each key.
    let serializable = shape == Shape::G2Item;
    let implied = Options {
        linearizable_keys: options.linearizable_keys || serializable && promise.orders() == Orders::RealTime,
        sequential_keys: options.sequential_keys || serializable && promise.orders() == Orders::Process,
        ..options.clone()
    };
    if implied == *options {
        return known.search_for_order(promise, options);
    }
    let known = Known::of(database, promise, &implied)?;
    let mut found = known.found(promise);
    if found.is_empty() {
        return known.search_for_order(promise, options);
    }
    found.iter_mut().for_each(|violation| violation.anomaly = Anomaly::NoVersionOrder);
    found.truncate(1);
    Ok(Finding::Invalid(found))
}

/// What is known of a history by inference.
struct Known<'d, 'h> {
    database: &'d Database<'h>,
    versions: Versions,
    readers: Readers,
    graph: Graph,
    gave_up: bool,
}

impl<'d, 'h> Known<'d, 'h> {
    fn of(database: &'d Database<'h>, promise: Promise, options: &Options) -> Result<Self, Unknown> {
        let shape = promise.worst_shape();
        let inference = if shape == Shape::G0 { Inference::Definition } else { Inference::ReadThenWrite };
        let mut versions = match database.kind {
            Kind::Lists => lists::versions(database)?,
            Kind::Registers => registers::versions(database, options, inference)?,
        };
        if database.kind == Kind::Registers {
            look_for_circles(database, &mut versions);
        }
        let readers = Readers::of_all(database, &versions);
        let graph = graph(database, &versions, &readers, promise.orders());
        let search = cycles::search(&graph, shape, promise.orders());
        for cycle in &search.cycles {
            let violation = sentence::cycle(database, &versions, cycle);
            versions.found.add_violation(violation);
        }
        Ok(Self { database, versions, readers, graph, gave_up: search.gave_up })
    }

    /// What breaks the promise.
    fn found(&self, promise: Promise) -> Vec<Violation> {
        let found = self.versions.found.0.values();
        found.filter(|violation| promise.rules_out(violation.anomaly)).cloned().collect()
    }

    /// The versions whose order is not known.
    fn groups(&self) -> Vec<polygraph::Group> {
        polygraph::groups(self.database, &self.versions)
    }

    fn search_for_order(&self, promise: Promise, options: &Options) -> Result<Finding, Unknown> {
        let shape = promise.worst_shape();
        let groups = self.groups();
        let rule = if shape == Shape::G2Item { polygraph::Rule::Any } else { polygraph::Rule::Nonadjacent };
        match polygraph::solve(&self.graph, &self.versions, &self.readers, &groups, rule, options) {
            Outcome::Order => Ok(Finding::Valid(Basis::VersionOrder)),
            // An order without cycles of non-adjacent rw edges has none of a single one; the reverse is not so.
            Outcome::Conflict(_) if shape == Shape::GSingle => {
                Err(unknown(&groups, "an order without G-single alone is not searched for"))
            }
            Outcome::Conflict(conflicts) => {
                let graphs = conflicts.iter().map(|edges| self.graph.with(edges));
                let cycles = graphs.filter_map(|graph| explain(&graph, shape, promise.orders()));
                let violations = cycles.map(|cycle| sentence::cycle(self.database, &self.versions, &cycle));
                Ok(Finding::Invalid(violations.collect()))
            }
            Outcome::GaveUp(why) => Err(unknown(&groups, &why)),
        }
    }
}

/// The shortest cycle that one of the two last orders closes.
fn explain(graph: &Graph, shape: Shape, orders: Orders) -> Option<cycles::Cycle> {
    let found = cycles::search(graph, shape, orders).cycles;
    let shortest =
        found.into_iter().min_by_key(|cycle| if cycle.links.is_empty() { usize::MAX } else { cycle.links.len() });
    shortest.map(|cycle| cycles::Cycle { anomaly: Anomaly::NoVersionOrder, ..cycle })
}

fn unknown(groups: &[polygraph::Group], why: &str) -> Unknown {
    let pairs = groups.iter().map(|group| group.pairs.len()).sum();
    Unknown::VersionOrder { keys: groups.len(), pairs, why: why.to_owned() }
}
