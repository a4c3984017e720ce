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
//! other. Otherwise `d` is made to *read* a value `c` that is current near `a`, with which the zones do not contradict each
//! other ([`Extents`]), and all starts anew: a linearization in which `d` reads some `c` other than `a` is one in which it
//! differs from `a`. That choice may be wrong together with others: when zones contradict each other afterwards, the latest choice among the operations that do is
//! taken back, and not made again. Where no other is left, or after many rounds, this procedure has no answer, and leaves the history
//! to the general ones. (A million operations of fifty clients need about thirty choices, of which a few are wrong.)

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashSet};

use super::super::search::{Budget, Found, Stopped};
use super::columns::{Columns, Deed, Op};
use super::zones::{Failure, NOBODY, Zones};

/// How often to begin anew. A choice can push others out, or be wrong, but hardly many times in a row.
const ROUNDS: usize = 64;

/// How far from a value to look for another one.
const NEAR: usize = 256;

/// How the history is judged; none if this procedure cannot. Changes what operations do as it makes choices.
pub(super) fn decide(columns: &mut Columns, budget: Budget) -> Option<Found> {
    let mut choices: Vec<Choice> = Vec::new();
    let mut wrong: HashSet<(u32, u32)> = HashSet::new();
    for round in 0..ROUNDS {
        if let Err(stop) = budget.has_time() {
            return Some(Found::Stopped(Stopped::at_once(stop)));
        }
        let zones = match Zones::new(columns) {
            Ok(zones) => zones,
            Err(Failure::Conflict(items)) if choices.is_empty() => return Some(Found::Conflict(items)),
            Err(Failure::Conflict(items)) => {
                let latest = choices.iter().rposition(|choice| items.contains(&(choice.op as usize)))?;
                let Choice { op, value, before } = choices.remove(latest);
                wrong.insert((op, value));
                columns.ops[op as usize].deed = before;
                continue;
            }
            Err(Failure::NotDistinct) => return None,
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
        let mut chosen = Vec::with_capacity(unfit.len());
        let mut spare = Spare::new(&zones);
        let extents = Extents::new(&zones);
        for unfit in &unfit {
            let may = |value: u32| value != unfit.value && !wrong.contains(&(unfit.op, value));
            let value = timeline.choose(unfit, &extents, &may).or_else(|| spare.choose(unfit, &columns.ops, &may))?;
            chosen.push(Choice { op: unfit.op, value, before: columns.ops[unfit.op as usize].deed });
        }
        for choice in &chosen {
            columns.ops[choice.op as usize].deed = Deed::Read(choice.value);
        }
        choices.extend(chosen);
    }
    None
}

/// That an operation which differed from one value read another.
struct Choice {
    op: u32,
    value: u32,
    before: Deed,
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

    /// The nearest value that the operation can read, behind the one that is in the way or in front of it.
    fn choose(&self, unfit: &Unfit, extents: &Extents<'_>, may: &impl Fn(u32) -> bool) -> Option<u32> {
        let op = &self.zones.ops[unfit.op as usize];
        let behind = self.periods.get(unfit.period + 1..)?.iter().take(NEAR);
        let before = self.periods.get(..unfit.period)?.iter().rev().take(NEAR);
        let possible = |period: &&Period| may(period.value) && extents.take_in(period.cluster, op);
        behind.chain(before).find(possible).map(|period| period.value)
    }
}

/// From the first return to the last call of every block: what says whether one more read contradicts others.
struct Extents<'a> {
    zones: &'a Zones<'a>,
    /// Blocks in order, with the least of both, which grows, their first return and their last call.
    blocks: Vec<(u32, u32, u32)>,
    /// For each block the latest last call up to it.
    latest: Vec<u32>,
    block_of: Vec<u32>,
}

impl<'a> Extents<'a> {
    fn new(zones: &'a Zones<'a>) -> Self {
        let mut extents = Self {
            zones,
            blocks: Vec::with_capacity(zones.blocks.len()),
            latest: Vec::with_capacity(zones.blocks.len()),
            block_of: vec![NOBODY; zones.clusters.len()],
        };
        for first in &zones.blocks {
            let number = extents.blocks.len() as u32;
            let (mut first_return, mut last_call) = (u32::MAX, 0);
            for cluster in extents.onwards(*first) {
                extents.block_of[cluster as usize] = number;
                let (ret, call) = extents.bounds(cluster);
                (first_return, last_call) = (ret.min(first_return), call.max(last_call));
            }
            let latest = extents.latest.last().copied().unwrap_or(0);
            extents.latest.push(last_call.max(latest));
            extents.blocks.push((first_return.min(last_call), first_return, last_call));
        }
        extents
    }

    fn onwards(&self, first: u32) -> impl Iterator<Item = u32> + use<'a> {
        let clusters = &self.zones.clusters;
        let present = |cluster: u32| (cluster != NOBODY).then_some(cluster);
        std::iter::successors(present(first), move |cluster| present(clusters[*cluster as usize].next))
    }

    /// The first return in a cluster, and the last call.
    fn bounds(&self, cluster: u32) -> (u32, u32) {
        let cluster = &self.zones.clusters[cluster as usize];
        let op = |number: u32| (number != NOBODY).then(|| &self.zones.ops[number as usize]);
        // The initial value is installed at time 0.
        let installed = op(cluster.installer).map_or((0, 0), |op| (op.ret, op.call));
        let first_return = op(cluster.first_return).map_or(u32::MAX, |op| op.ret).min(installed.0);
        (first_return, op(cluster.last_call).map_or(0, |op| op.call).max(installed.1))
    }

    /// Whether nothing contradicts that `op` reads the value of `cluster`: nothing in its block, and no other block (see [`Zones`]).
    fn take_in(&self, cluster: u32, op: &Op) -> bool {
        let clusters = &self.zones.clusters;
        let present = |cluster: u32| (cluster != NOBODY).then_some(cluster);
        let installer = clusters[cluster as usize].installer;
        let installed_late = installer != NOBODY && self.zones.ops[installer as usize].call > op.ret;
        let before = std::iter::successors(present(clusters[cluster as usize].previous), |cluster| {
            present(clusters[*cluster as usize].previous)
        });
        let mut behind = self.onwards(cluster).skip(1);
        if installed_late
            || before.into_iter().any(|before| self.bounds(before).1 > op.ret)
            || behind.any(|behind| self.bounds(behind).0 < op.call)
        {
            return false;
        }
        let own = self.block_of[cluster as usize] as usize;
        let (_, first_return, last_call) = self.blocks[own];
        let (first_return, last_call) = (first_return.min(op.ret), last_call.max(op.call));
        let end = self.blocks.partition_point(|(least, ..)| *least < last_call);
        let near = (0..end).rev().take_while(|number| self.latest[*number] > first_return);
        near.into_iter().all(|number| {
            let (_, other_return, other_call) = self.blocks[number];
            number == own || other_call < first_return || other_return > last_call
        })
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
    fn choose(&mut self, unfit: &Unfit, ops: &[Op], may: &impl Fn(u32) -> bool) -> Option<u32> {
        let ret = ops[unfit.op as usize].ret;
        let possible = |(call, value): &(u32, u32)| *call < ret && may(*value);
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
