//! Zones for registers on which a cas differed.
//!
//! A cas that differed from `a` is an observer: it stands anywhere between its call and its return where the value is
//! not `a`. Taking observers out of a linearization leaves one, so a history whose zones contradict each other without
//! them is not linearizable, and the conflict is one of the whole history.
//!
//! *Putting them in.* Given a linearization of the others, an operation `d` may stand in a gap `g` (in front of its `g`-th
//! operation) iff everything from there on returns after the call of `d` and everything before is called before the
//! return of `d`. The first holds from some gap on, the second up to some gap, and as the others keep time the former,
//! `low(d)`, is not beyond the latter, `high(d)`: what returned before the call of `d` stands before what is called after
//! its return. Several such operations keep time among each other if each stands no earlier than those that returned
//! before its call (inside a gap they stand in order of calls). Taking them in order of calls and each to the first
//! gap from `low(d)` and from those gaps on where the value is another one is therefore legal, and if that is within
//! `high(d)` for all of them, the history is linearizable.
//!
//! *If `d` does not fit* two things are tried. First, whether `a` was there for certain while `d` ran: from the first
//! return among the installation of `a` and what follows it in its block, to the last call among what stands in its block up to the
//! end of `a`, that is, including the swap from `a` if there is one. Then those two operations and `d` contradict each
//! other. Otherwise `d` is made to *read* a value `c`, that of an installation which could stand behind `a` in time for
//! `d`, and all starts anew: a linearization in which `d` reads some `c` other than `a` is one in which it differs from
//! `a`. But that choice may be wrong, so when zones that rest on such a choice contradict each other, this procedure
//! has no answer, and leaves the history to the general ones.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::super::search::Found;
use super::columns::{Columns, Deed, Op};
use super::zones::{Failure, NOBODY, Zones};

/// How often to choose for those that do not fit. A choice can push others out, but hardly many times in a row.
const ROUNDS: usize = 12;

/// How far behind the end of a value to look for another one.
const NEAR: usize = 256;

/// How the history is judged; none if this procedure cannot. Changes what operations do as it makes choices.
pub(super) fn decide(columns: &mut Columns) -> Option<Found> {
    for round in 0..ROUNDS {
        let zones = match Zones::new(columns) {
            Ok(zones) => zones,
            Err(Failure::Conflict(items)) if round == 0 => return Some(Found::Conflict(items)),
            Err(_) => return None,
        };
        let differing = differing(&columns.ops);
        if differing.is_empty() {
            return Some(Found::Order(zones.order()));
        }
        let timeline = Timeline::new(&zones);
        let (placed, unfit) = timeline.place(&differing);
        if unfit.is_empty() {
            return Some(Found::Order(merge(&timeline.order, &placed)));
        }
        let contradiction = || unfit.iter().find_map(|unfit| timeline.contradiction(unfit));
        if let Some(items) = if round == 0 { contradiction() } else { None } {
            return Some(Found::Conflict(items));
        }
        let mut choices = Vec::with_capacity(unfit.len());
        let mut spare = Spare::new(&zones);
        for unfit in &unfit {
            choices.push((unfit.op, timeline.choose(unfit).or_else(|| spare.choose(unfit, &columns.ops))?));
        }
        for (op, value) in choices {
            columns.ops[op as usize].deed = Deed::Read(value);
        }
    }
    None
}

fn differing(ops: &[Op]) -> Vec<u32> {
    let differs = |op: &u32| matches!(ops[*op as usize].deed, Deed::Differ(..));
    (0..ops.len() as u32).filter(differs).collect()
}

/// A linearization of the operations that did not differ, with what to know about its gaps.
struct Timeline<'a> {
    zones: &'a Zones<'a>,
    order: Vec<usize>,
    /// For every gap the last call before it, and the first return behind it.
    last_call: Vec<u32>,
    first_return: Vec<u32>,
    /// Clusters in order, each with its first gap and its value.
    periods: Vec<Period>,
}

struct Period {
    cluster: u32,
    value: u32,
    start: usize,
}

/// An operation that found no gap, and the period of the value that it must not see in which it got stuck.
struct Unfit {
    op: u32,
    value: u32,
    period: usize,
}

impl<'a> Timeline<'a> {
    fn new(zones: &'a Zones<'a>) -> Self {
        let order = zones.order();
        let ops = zones.ops;
        let mut last_call = Vec::with_capacity(order.len() + 1);
        let mut latest = 0;
        last_call.push(latest);
        for op in &order {
            latest = ops[*op].call.max(latest);
            last_call.push(latest);
        }
        let mut first_return = vec![u32::MAX; order.len() + 1];
        for gap in (0..order.len()).rev() {
            first_return[gap] = ops[order[gap]].ret.min(first_return[gap + 1]);
        }
        let periods = periods(zones);
        Self { zones, order, last_call, first_return, periods }
    }

    /// Pairs of a gap and an operation in the order in which they stand, and those that do not fit.
    fn place(&self, differing: &[u32]) -> (Vec<(usize, u32)>, Vec<Unfit>) {
        let (mut placed, mut unfit) = (Vec::with_capacity(differing.len()), Vec::new());
        let mut running: BinaryHeap<Reverse<(u32, usize)>> = BinaryHeap::new();
        let mut floor = 0;
        for number in differing {
            let op = self.zones.ops[*number as usize];
            let Deed::Differ(value, _) = op.deed else {
                continue;
            };
            while let Some(Reverse((_, gap))) = running.pop_if_returned_before(op.call) {
                floor = floor.max(gap);
            }
            let low = self.first_return.partition_point(|first| *first < op.call).max(floor);
            let high = self.last_call.partition_point(|last| *last < op.ret) - 1;
            let (gap, stuck) = self.first_gap_without(value, low);
            match gap.filter(|gap| *gap <= high) {
                Some(gap) => {
                    placed.push((gap, *number));
                    running.push(Reverse((op.ret, gap)));
                }
                None => unfit.push(Unfit { op: *number, value, period: stuck }),
            }
        }
        placed.sort_by_key(|(gap, _)| *gap);
        (placed, unfit)
    }

    /// From gap `low` on; with the last period that was in the way.
    fn first_gap_without(&self, value: u32, low: usize) -> (Option<usize>, usize) {
        let first = self.periods.partition_point(|period| period.start <= low) - 1;
        let mut period = first;
        while period < self.periods.len() && self.periods[period].value == value {
            period += 1;
        }
        let gap = self.periods.get(period).map(|found| found.start.max(low));
        (gap, period.saturating_sub(1).max(first))
    }

    /// The operations that prove that the value was there all the time, with all that they rest on.
    fn contradiction(&self, unfit: &Unfit) -> Option<Vec<usize>> {
        let op = self.zones.ops[unfit.op as usize];
        let (installed, replaced) = self.certain(unfit)?;
        let time = |op: u32, of: fn(&Op) -> u32| if op == NOBODY { 0 } else { of(&self.zones.ops[op as usize]) };
        if time(installed, |op| op.ret) < op.call && time(replaced, |op| op.call) > op.ret {
            let Failure::Conflict(items) = self.zones.conflict(&[installed, replaced, unfit.op]) else {
                return None;
            };
            return Some(items);
        }
        None
    }

    /// Of the cluster's block, the operation that returns first among those from the cluster on, and the one that is
    /// called last among those up to the end of the cluster.
    fn certain(&self, unfit: &Unfit) -> Option<(u32, u32)> {
        let own = self.periods.get(unfit.period)?.cluster;
        let clusters = &self.zones.clusters;
        if self.zones.cluster_of[unfit.value as usize] != own {
            return None;
        }
        let ops = self.zones.ops;
        let present = |cluster: u32| (cluster != NOBODY).then_some(cluster);
        let behind = std::iter::successors(Some(own), |cluster| present(clusters[*cluster as usize].next));
        let before = std::iter::successors(Some(own), |cluster| present(clusters[*cluster as usize].previous));
        let returns = behind.flat_map(|cluster| {
            let cluster = clusters[cluster as usize];
            [cluster.installer, cluster.first_return].into_iter().filter(|op| *op != NOBODY)
        });
        let swap = match clusters[own as usize].next {
            NOBODY => NOBODY,
            next => clusters[next as usize].installer,
        };
        let calls = before.flat_map(|cluster| {
            let cluster = clusters[cluster as usize];
            [cluster.installer, cluster.last_call].into_iter().filter(|op| *op != NOBODY)
        });
        let calls = calls.chain((swap != NOBODY).then_some(swap));
        let is_initial = clusters[own as usize].installer == NOBODY;
        let installed = if is_initial { NOBODY } else { returns.min_by_key(|op| ops[*op as usize].ret)? };
        Some((installed, calls.max_by_key(|op| ops[*op as usize].call)?))
    }

    /// A value that could be made to stand behind the one that is in the way, before the operation returns.
    fn choose(&self, unfit: &Unfit) -> Option<u32> {
        let op = self.zones.ops[unfit.op as usize];
        let behind = self.periods.get(unfit.period + 1..)?;
        let possible = |period: &&Period| {
            let installer = self.zones.clusters[period.cluster as usize].installer;
            period.value != unfit.value && self.zones.ops[installer as usize].call < op.ret
        };
        behind.iter().take(NEAR).find(possible).map(|period| period.value)
    }
}

fn periods(zones: &Zones<'_>) -> Vec<Period> {
    let mut periods = Vec::with_capacity(zones.clusters.len());
    let mut gap = 0;
    for block in &zones.blocks {
        let mut cluster = *block;
        while cluster != NOBODY {
            let installer = zones.clusters[cluster as usize].installer;
            let (value, start) = match installer {
                NOBODY => (super::columns::INITIAL, gap),
                // The new value is there from the gap behind its installation.
                installer => (zones.ops[installer as usize].to().unwrap_or_default(), gap + 1),
            };
            periods.push(Period { cluster, value, start });
            gap += zones.members(cluster).count();
            cluster = zones.clusters[cluster as usize].next;
        }
    }
    periods
}

trait PopIf {
    fn pop_if_returned_before(&mut self, call: u32) -> Option<Reverse<(u32, usize)>>;
}

impl PopIf for BinaryHeap<Reverse<(u32, usize)>> {
    fn pop_if_returned_before(&mut self, call: u32) -> Option<Reverse<(u32, usize)>> {
        let returned = self.peek().is_some_and(|Reverse((ret, _))| *ret < call);
        if returned { self.pop() } else { None }
    }
}

/// Indeterminate writes that nobody needed so far.
struct Spare {
    writes: Vec<(u32, u32)>,
}

impl Spare {
    fn new(zones: &Zones<'_>) -> Self {
        let unused = zones.ops.iter().filter(|op| !op.known);
        let writes = unused.filter_map(|op| match op.deed {
            Deed::Write(value) if zones.cluster_of[value as usize] == NOBODY => Some((op.call, value)),
            _ => None,
        });
        Self { writes: writes.collect() }
    }

    /// The value of the latest write that was called in time.
    fn choose(&mut self, unfit: &Unfit, ops: &[Op]) -> Option<u32> {
        let ret = ops[unfit.op as usize].ret;
        let possible = |(call, value): &(u32, u32)| *call < ret && *value != unfit.value;
        let chosen = self.writes.iter().rposition(possible)?;
        Some(self.writes.remove(chosen).1)
    }
}

fn merge(order: &[usize], placed: &[(usize, u32)]) -> Vec<usize> {
    let mut merged = Vec::with_capacity(order.len() + placed.len());
    let mut next = placed.iter().peekable();
    for gap in 0..=order.len() {
        while let Some((_, op)) = next.next_if(|(at, _)| *at == gap) {
            merged.push(*op as usize);
        }
        merged.extend(order.get(gap));
    }
    merged
}
