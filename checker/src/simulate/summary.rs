//! What many seeds add up to.

use std::collections::BTreeMap;
use std::time::Duration;

use sextant_storage::sim::{Available, Cell, Class, FaultKind, Phase, Struck};
use sextant_storage::visited::Visited;

use super::{Config, Judged, Violation};
use crate::verdict::Verdict;

#[derive(Clone, Debug)]
pub struct Summary {
    pub seeds: u64,
    pub events: u64,
    pub simulated: Duration,
    /// CPU time of all threads together.
    pub took: Duration,
    pub elapsed: Duration,
    pub ok: u64,
    pub fail: u64,
    pub info: u64,
    pub epochs: u64,
    pub failovers: u64,
    pub faults: BTreeMap<FaultKind, Struck>,
    /// How often a fault began in a cell of the fault space.
    pub cells: BTreeMap<Cell, u64>,
    /// By the nodes that were away: what succeeded all the same.
    pub available: BTreeMap<Class, Available>,
    /// How often each kind of event happened.
    pub kinds: Vec<u64>,
    /// The shapes of the states, where they were noted.
    pub visited: Option<Visited>,
    /// By seed, in the order in which they were found.
    pub violations: Vec<(u64, Violation)>,
    pub interrupted: bool,
    /// The first seed whose history has no verdict, and why.
    pub doubt: Option<(u64, String)>,
    /// Of each seed that ended: completed operations, faults that bit, failovers.
    per_seed: Vec<(u64, u64, u64)>,
    asked: Vec<FaultKind>,
    wanted: u64,
}

impl Summary {
    pub(super) fn new(config: &Config) -> Self {
        Summary {
            seeds: 0,
            events: 0,
            simulated: Duration::ZERO,
            took: Duration::ZERO,
            elapsed: Duration::ZERO,
            ok: 0,
            fail: 0,
            info: 0,
            epochs: 0,
            failovers: 0,
            faults: config.faults.iter().map(|kind| (*kind, Struck::default())).collect(),
            cells: BTreeMap::new(),
            available: BTreeMap::new(),
            kinds: Vec::new(),
            visited: config.coverage.then(Visited::default),
            violations: Vec::new(),
            interrupted: false,
            doubt: None,
            per_seed: Vec::new(),
            asked: config.faults.clone(),
            wanted: config.seeds.end.saturating_sub(config.seeds.start),
        }
    }

    pub(super) fn add(&mut self, judged: &Judged) {
        self.seeds += 1;
        self.took += judged.took;
        if let Some(violation) = &judged.violation {
            self.violations.push((judged.seed, violation.clone()));
        }
        if let Some(doubt) = &judged.doubt {
            self.doubt.get_or_insert_with(|| (judged.seed, doubt.clone()));
        }
        let Some(outcome) = &judged.outcome else { return };
        self.events += outcome.events;
        self.simulated += outcome.simulated;
        self.ok += outcome.ok;
        self.fail += outcome.fail;
        self.info += outcome.info;
        self.epochs += outcome.epochs as u64;
        self.failovers += outcome.failovers as u64;
        for (kind, struck) in &outcome.faults {
            let sum = self.faults.entry(*kind).or_default();
            sum.times += struck.times;
            sum.bit += struck.bit;
        }
        outcome.cells.iter().for_each(|(cell, count)| *self.cells.entry(*cell).or_default() += count);
        for (class, more) in &outcome.available {
            let sum = self.available.entry(*class).or_default();
            sum.writes += more.writes;
            sum.reads += more.reads;
            sum.read += more.read;
        }
        self.kinds.resize(outcome.kinds.len(), 0);
        self.kinds.iter_mut().zip(&outcome.kinds).for_each(|(sum, more)| *sum += more);
        if let (Some(visited), Some(more)) = (&mut self.visited, &outcome.visited) {
            visited.extend(more);
        }
        let bit = outcome.faults.values().map(|struck| struck.bit).sum();
        self.per_seed.push((outcome.ok, bit, outcome.failovers as u64));
    }

    /// How often faults of a kind began in a phase, whoever was away.
    #[must_use]
    pub fn begun(&self, kind: FaultKind, phase: Phase) -> u64 {
        self.count(|cell| (cell.kind, cell.phase) == (kind, phase))
    }

    /// How often nodes of a class were away when a fault had begun in a phase.
    #[must_use]
    pub fn away(&self, class: Class, phase: Phase) -> u64 {
        self.count(|cell| (cell.class, cell.phase) == (class, phase))
    }

    fn count(&self, is_it: impl Fn(&Cell) -> bool) -> u64 {
        self.cells.iter().filter(|(cell, _)| is_it(cell)).map(|(_, count)| count).sum()
    }

    /// Feasible cells of the fault space that were reached, of how many.
    #[must_use]
    pub fn reached(&self) -> (usize, usize) {
        let feasible: Vec<Cell> = Cell::all().filter(|cell| cell.infeasible().is_none()).collect();
        (feasible.iter().filter(|cell| self.cells.contains_key(cell)).count(), feasible.len())
    }

    /// Events a second of one core.
    #[must_use]
    pub fn rate(&self) -> f64 {
        self.events as f64 / self.took.as_secs_f64().max(1e-9)
    }

    /// Operations, faults that bit and failovers of the seed in the middle, each taken alone.
    #[must_use]
    pub fn medians(&self) -> (u64, u64, u64) {
        let median = |of: fn(&(u64, u64, u64)) -> u64| {
            let mut values: Vec<u64> = self.per_seed.iter().map(of).collect();
            values.sort_unstable();
            values.get(values.len() / 2).copied().unwrap_or_default()
        };
        (median(|seed| seed.0), median(|seed| seed.1), median(|seed| seed.2))
    }

    /// Why this proves nothing, if it is not invalid anyway.
    #[must_use]
    pub fn doubts(&self) -> Vec<String> {
        let mut doubts = Vec::new();
        if self.interrupted {
            doubts.push("interrupted".to_owned());
        }
        if self.seeds < self.wanted {
            doubts.push(format!("{} of {} seeds were run", self.seeds, self.wanted));
        }
        if let Some((seed, doubt)) = &self.doubt {
            doubts.push(format!("seed {seed}: {doubt}"));
        }
        if self.ok == 0 {
            doubts.push("no operation succeeded".to_owned());
        }
        let missed = self.asked.iter().filter(|kind| self.faults.get(kind).is_none_or(|struck| struck.bit == 0));
        let missed: Vec<&str> = missed.map(|kind| kind.name()).collect();
        // With few seeds it is the draw, with many it is the fault.
        if self.seeds >= 50 && !missed.is_empty() {
            doubts.push(format!("never bit: {}", missed.join(", ")));
        }
        doubts
    }

    #[must_use]
    pub fn verdict(&self) -> Verdict {
        if !self.violations.is_empty() {
            Verdict::Invalid
        } else if self.doubts().is_empty() {
            Verdict::Valid
        } else {
            Verdict::Unknown
        }
    }
}
