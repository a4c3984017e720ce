//! The lazy search: registers whose values recur, with compare-and-set and operations that may not have happened.
//!
//! Like the general search (see there) it goes from return to return and keeps every way to have got so far, extended
//! only when an operation returns that is not in it yet. What makes it fast is how little of a way it keeps:
//!
//! *Observers are no steps.* When a value becomes current, every pending read of it has happened, and every pending cas
//! that differed from another one. Where they stand is found out at the end.
//!
//! *Writes are buried.* A write directly in front of another write can be seen by nobody. So when a write becomes
//! current, all other pending writes *can* have happened, and need not: they are **free**. A free write may still be
//! used to make its value current; then it is **spent**. When it returns it may stay buried, but it is also the last chance to
//! use it. A write that is neither is still to come, and at its return some write has to become current, itself or
//! another that buries it. Swaps need a certain value, so each is a step of its own, and a swap buries nothing.
//!
//! *Steps.* A configuration is extended by
//!
//! * a write of `x`, pending and not spent, or indeterminate and not used up, making `x` current and every other pending
//!   write that is not spent free. Among writes of the same value it is the one with the earliest return, an
//!   indeterminate one last;
//! * a pending swap from the current value, or an indeterminate one.
//!
//! A write or an indeterminate swap is only a step if it is *useful at once*: it, or what it frees, is what is about to
//! return; or an observer sees the new value; or a swap starts from it. Configurations are extended if what returns is
//! not in them, or is a write that is free.
//!
//! *Which configurations stand for others.* `X` replaces `Y` if both have the same current value and the same swaps
//! done, `X` has served every observer that `Y` has, used at most as many indeterminate operations of each kind, and every
//! write stands in `X` as in `Y` or is free in `X`. Free is better than spent, as it can count as done and can still be
//! used, and better than still to come, as it need not come.
//!
//! *Nothing is lost.* Let `L` be a linearization. Claim: after each return there is a configuration that replaces
//! the one that has done exactly what stands in `L` up to the last operation that has returned, `P`. (A write done in
//! `P` is spent there.) It is so in the beginning. When an operation returns that is in `P`, it is in `X`, which is kept.
//! When one returns that is not in `P`, it is not spent in `X`, so `X` is extended. Take the predecessors of the operation in `L`
//! that are not in `P`, and itself; all of them are pending or indeterminate and called by now, so `X` can follow:
//!
//! * an observer is served in `X` when the value is current;
//! * a swap finds in `X` the value that it finds in `L`, and is not done in `X`, because `X` and `P` have the same swaps
//!   done;
//! * a write is not done in `P`, so it is free or still to come in `X`. If it is useful at once, take it. Then all others
//!   that were still to come in `X` are free. If it is not, the next step of `L` that changes something is not a swap from its value and
//!   no observer stands between, so it is a write, and taking that one alone makes the former free, which is better; or there is
//!   none, and it is the one that returns, and useful. The same goes for an indeterminate swap that is followed by a
//!   write: leaving it out uses less;
//! * if `L` takes another of several writes of the same value than the one, `w`, with the earliest return, exchange
//!   the two in `L`: the other takes the place of `w` if `w` stands later in `L`, which is in time, as that place is before the
//!   return of `w`, and after the present. If `w` stands in `P` it is free in `X`, and spending it leaves the other one
//!   free, which is better than spent. An indeterminate one has no return, and comes last in the same way.
//!
//! Conversely a configuration is a linearization: see [`Layout::unfold`].
//!
//! *Values without a future are one.* If no operation that starts from `x` or differs from `x` is called from now on,
//! no swap from `x` is pending, and no indeterminate one exists, then it does not matter that the value is `x`: it is
//! [`Layout::dead`]. Writes of such values are one kind.
//!
//! *Beams.* A linearizable history is found to be so with few configurations, where they are the right ones: a first attempt goes on with
//! sixteen from return to return, of all pairs of a value and a set of swaps the ones of which most can still become; where none is
//! left it goes back and on with more ([`marks`]). An order is a proof however it was found. Where it gives up, the operation
//! that fits nowhere is tried with two values only, its own and any other, which shows most violations; else all is searched. A million
//! operations of 50 clients, five values, a quarter compare-and-set, 30 indeterminate, take a sixth of the time that way.
//!
//! *Counting what runs out.* How many indeterminate operations of each kind were used tells configurations apart that would be one
//! if there were enough of them. Who asks only whether there is a linearization ([`Ask::Whether`]) first takes each kind for
//! inexhaustible. If there is none then, there is none. If there is one that uses no more than there are, it is one. Else
//! what it used too often is counted from now on, and all is searched again; when everything is counted the answer is that of
//! the plain search. Of the weakened operations of a core check, which are nearly all, one or two kinds of dozens run out.
//!
//! So the number of configurations grows with the number of pending reads of different values and of
//! pending swaps, and not with the number of pending writes.

mod front;
mod layout;
mod marks;

use std::collections::BTreeSet;

use sextant_histories::Value;

use super::super::bits::Bits;
use super::super::paths::{Paths, ROOT};
use super::super::prune::Candidate;
use super::super::search::{
    Ask, Attempt, BRANCHES, Budget, Cancelled, Dead, Found, Stop, Stopped, keep_best, widening,
};
use super::columns::{Columns, Deed, INITIAL, NEVER, Op};
use front::{Config, Front};
use layout::{Layout, Step};
use marks::{Mark, Marks};

/// Judges a key; none if more operations are pending at once than there is room for.
pub(super) fn decide(
    candidates: &[Candidate<'_>],
    columns: &Columns,
    initial: &Value,
    ask: Ask,
    budget: Budget,
    cancelled: Cancelled<'_>,
) -> Option<Found> {
    decide_in(BEAMS, candidates, columns, initial, ask, budget, cancelled)
}

pub(super) fn decide_in(
    beams: Beams,
    candidates: &[Candidate<'_>],
    columns: &Columns,
    initial: &Value,
    ask: Ask,
    budget: Budget,
    cancelled: Cancelled<'_>,
) -> Option<Found> {
    let endless = |op: &Op| op.known && op.ret == NEVER;
    if columns.ops.iter().any(endless) {
        return None;
    }
    let layout = Layout::new(candidates, columns, initial);
    if layout.bytes() > budget.memory_bytes {
        return Some(Found::Stopped(Stopped::at_once(Stop::Memory)));
    }
    let room = Room { layout: &layout, budget, cancelled, spacing: beams.spacing };
    let certain = |dead: &Dead| is_wrong_with_one_value(candidates, columns, initial, dead.item, room);
    match layout.width {
        0..=64 => Some(widening(&beams.widths, budget.effort, attempt::<1>(room, ask), certain)),
        65..=256 => Some(widening(&beams.widths, budget.effort, attempt::<4>(room, ask), certain)),
        _ => None,
    }
}

/// How to search.
#[derive(Clone, Copy)]
pub(super) struct Beams {
    /// How many configurations to go on with, at a first attempt, which goes back where it ends early, and at the last, which cuts
    /// nothing.
    pub(super) widths: [usize; 2],
    /// How many returns are between two places to which to go back.
    pub(super) spacing: usize,
}

const BEAMS: Beams = Beams { widths: [16, usize::MAX], spacing: 256 };

fn attempt<const W: usize>(room: Room<'_>, ask: Ask) -> impl FnMut(usize, u64) -> Attempt {
    move |beam, mut steps| {
        // Of which crowds it matters how many were used. In a beam an order is found soon or never, so it had better be one.
        let counts = ask == Ask::Where || beam < usize::MAX;
        let mut counted = vec![counts; room.layout.crowds.len()];
        loop {
            let mut search = Search::<W>::new(room, &counted, beam);
            search.steps = steps;
            let found = search.run();
            let (cut, placed) = (search.cut, search.farthest);
            steps = search.steps;
            let found = match found {
                Ok(changes) => match room.layout.supply(changes) {
                    Ok(changes) => Found::Order(room.layout.unfold(&changes, room.layout.steps.len())),
                    // Of a crowd that is counted no more are used than were called, so each time there are more of them.
                    Err(missing) => {
                        missing.into_iter().for_each(|crowd| counted[crowd] = true);
                        continue;
                    }
                },
                Err(found) => found,
            };
            return Attempt { found, cut, steps, placed };
        }
    }
}

/// Whether `item`, of which a beam says that it fits nowhere, fits nowhere even if all values but the one that it is about are the
/// same. Who looks only at whether the value is that one sees in every linearization one of the operations as they are then,
/// so if they have none at this return, neither has the history; and it costs little, as there are two values.
fn is_wrong_with_one_value(
    candidates: &[Candidate<'_>],
    columns: &Columns,
    initial: &Value,
    item: usize,
    room: Room<'_>,
) -> bool {
    let (Deed::Read(value) | Deed::Swap(value, _) | Deed::Differ(value, _)) = columns.ops[item].deed else {
        return false;
    };
    let blurred = columns.blurred(value);
    let layout = Layout::new(candidates, &blurred, initial);
    let room = Room { layout: &layout, ..room };
    let mut attempt: Box<dyn FnMut(usize, u64) -> Attempt + '_> = match layout.width {
        0..=64 => Box::new(attempt::<1>(room, Ask::Where)),
        _ => Box::new(attempt::<4>(room, Ask::Where)),
    };
    matches!(attempt(usize::MAX, 0).found, Found::Violation(dead) if dead.item == item)
}

#[derive(Clone, Copy)]
struct Room<'a> {
    layout: &'a Layout<'a>,
    budget: Budget,
    cancelled: Cancelled<'a>,
    spacing: usize,
}

struct Search<'a, const W: usize> {
    /// Where to go back to, how many configurations to go on with after a return, and whether there were ever more.
    cut: bool,
    marks: Marks<W>,
    layout: &'a Layout<'a>,
    counted: &'a [bool],
    ops: &'a [Op],
    budget: Budget,
    cancelled: Cancelled<'a>,
    /// Changes, each with the return at which it was made.
    paths: Paths<(u32, u32)>,
    /// For each value its pending readers, and the pending cas that differed from it.
    readers: Vec<Bits<W>>,
    refused_by: Vec<Bits<W>>,
    differing: Bits<W>,
    writes: Bits<W>,
    pending: Vec<u32>,
    pending_writes: Vec<u32>,
    pending_swaps: Vec<u32>,
    offered: Vec<u32>,
    /// What can be written at this return: values, returns and operations, in this order; and values with crowds.
    ready: Vec<(u32, u32, u32)>,
    ready_crowds: Vec<(u32, usize)>,
    /// The time of the return that is looked at.
    now: u32,
    returned: usize,
    farthest: usize,
    steps: u64,
}

/// The two sides of one return.
struct Sides<const W: usize> {
    item: u32,
    with: Front<W>,
    /// To be extended.
    open: Front<W>,
}

impl<'a, const W: usize> Search<'a, W> {
    fn new(room: Room<'a>, counted: &'a [bool], beam: usize) -> Self {
        let layout = room.layout;
        Self {
            cut: false,
            marks: Marks::new(beam, room.spacing),
            layout,
            counted,
            ops: layout.ops,
            budget: room.budget,
            cancelled: room.cancelled,
            paths: Paths::new(),
            readers: vec![Bits::EMPTY; layout.values + 1],
            refused_by: vec![Bits::EMPTY; layout.values + 1],
            differing: Bits::EMPTY,
            writes: Bits::EMPTY,
            pending: Vec::new(),
            pending_writes: Vec::new(),
            pending_swaps: Vec::new(),
            offered: vec![0; layout.crowds.len()],
            ready: Vec::new(),
            ready_crowds: Vec::new(),
            now: 0,
            returned: 0,
            farthest: 0,
            steps: 0,
        }
    }

    /// The changes of a linearization; else how it ended.
    fn run(&mut self) -> Result<Vec<(u32, u32)>, Found> {
        let layout = self.layout;
        let mut level = vec![Config::new(INITIAL, layout.crowds.len())];
        self.mark(0, &level);
        let mut sides = Sides { item: 0, with: Front::new(), open: Front::new() };
        let mut place = 0;
        while let Some(step) = layout.steps.get(place) {
            place += 1;
            match *step {
                Step::Invoke(item) => self.invoke(item),
                Step::Offer(crowd) => self.offered[crowd as usize] += 1,
                Step::Return(item) => {
                    self.now = self.ops[item as usize].ret;
                    let before = level.first().map_or(ROOT, |config| config.path);
                    sides.item = item;
                    if let Err((stop, held)) = self.advance(&mut level, &mut sides) {
                        return Err(Found::Stopped(Stopped { stop, placed: self.farthest, held }));
                    }
                    if sides.with.is_empty() {
                        match self.marks.before(self.returned).filter(|_| self.cut) {
                            Some(mark) => {
                                place = mark.place;
                                level.clone_from(&mark.level);
                                self.go_back(&mark);
                                continue;
                            }
                            None => return Err(Found::Violation(self.dead(item, place - 1, before, &sides.open))),
                        }
                    }
                    level.extend(sides.with.drain());
                    self.forget(item);
                    self.returned += 1;
                    self.farthest = self.farthest.max(self.returned);
                    if self.marks.is_due(self.returned) {
                        self.mark(place, &level);
                    }
                    self.narrow(&mut level);
                    let marks = &mut self.marks;
                    self.paths
                        .compact(|| level.iter_mut().chain(marks.levels()).map(|config| &mut config.path).collect());
                }
            }
        }
        let path = level.first().map_or(ROOT, |config| config.path);
        Ok(self.paths.all(path))
    }

    fn mark(&mut self, place: usize, level: &[Config<W>]) {
        let (pending, offered) = (self.pending.clone(), self.offered.clone());
        self.marks.put(Mark { place, returned: self.returned, pending, offered, level: level.to_vec() });
    }

    /// Makes pending what was pending there.
    fn go_back(&mut self, mark: &Mark<W>) {
        for item in std::mem::take(&mut self.pending) {
            self.forget(item);
        }
        mark.pending.iter().for_each(|item| self.invoke(*item));
        self.offered.clone_from(&mark.offered);
        self.returned = mark.returned;
    }

    /// Goes on with the best of too many.
    fn narrow(&mut self, level: &mut Vec<Config<W>>) {
        let width = self.marks.width(self.returned);
        if level.len() > width {
            self.cut = true;
            keep_best(level, width, |config| (config.value, config.swapped), Config::rank);
        }
    }

    fn slot(&self, item: u32) -> usize {
        self.layout.slots[item as usize] as usize
    }

    fn invoke(&mut self, item: u32) {
        self.pending.push(item);
        let slot = self.slot(item);
        match self.ops[item as usize].deed {
            Deed::Read(value) => self.readers[value as usize].insert(slot),
            Deed::Differ(value, _) => {
                self.refused_by[value as usize].insert(slot);
                self.differing.insert(slot);
            }
            Deed::Write(_) => {
                self.writes.insert(slot);
                self.pending_writes.push(item);
            }
            Deed::Swap(..) => self.pending_swaps.push(item),
            Deed::Nothing => {}
        }
    }

    fn forget(&mut self, item: u32) {
        self.pending.retain(|other| *other != item);
        let slot = self.slot(item);
        match self.ops[item as usize].deed {
            Deed::Read(value) => self.readers[value as usize].remove(slot),
            Deed::Differ(value, _) => {
                self.refused_by[value as usize].remove(slot);
                self.differing.remove(slot);
            }
            Deed::Write(_) => {
                self.writes.remove(slot);
                self.pending_writes.retain(|other| *other != item);
            }
            Deed::Swap(..) => self.pending_swaps.retain(|other| *other != item),
            Deed::Nothing => {}
        }
    }

    /// Who is served while `value` is current.
    fn serve(&self, value: u32) -> Bits<W> {
        let refused = self.differing.without(&self.refused_by[value as usize]);
        self.readers[value as usize].with(&refused)
    }

    fn contains(&self, config: &Config<W>, item: u32) -> bool {
        let slot = self.slot(item);
        match self.ops[item as usize].deed {
            Deed::Read(_) | Deed::Differ(..) => config.seen.contains(slot),
            Deed::Write(_) => config.free.contains(slot) || config.spent.contains(slot),
            Deed::Swap(..) => config.swapped.contains(slot),
            Deed::Nothing => true,
        }
    }

    /// Extends configurations until each contains the operation that returns.
    fn advance(&mut self, level: &mut Vec<Config<W>>, sides: &mut Sides<W>) -> Result<(), (Stop, usize)> {
        sides.with.clear();
        sides.open.clear();
        for mut config in level.drain(..) {
            self.tick(sides)?;
            self.settle(&mut config);
            self.file(config, sides);
        }
        if sides.open.is_empty() {
            return Ok(());
        }
        self.get_ready();
        let mut next = 0;
        let width = self.marks.width(self.returned);
        while next < sides.open.len() {
            if next / BRANCHES > width && !sides.with.is_empty() {
                self.cut = true;
                break;
            }
            // One that was replaced in the meantime need not be extended.
            if let Some(config) = sides.open.get(next).cloned() {
                self.tick(sides)?;
                self.swap(&config, sides);
                self.write(&config, sides);
            }
            next += 1;
        }
        Ok(())
    }

    /// Takes in what happens without a step: who sees the current value.
    fn settle(&self, config: &mut Config<W>) {
        config.seen = config.seen.with(&self.serve(config.value));
        config.value = self.layout.living(config.value, self.now);
    }

    fn file(&self, config: Config<W>, sides: &mut Sides<W>) {
        let slot = self.slot(sides.item);
        let (contained, free) = (self.contains(&config, sides.item), config.free.contains(slot));
        if contained {
            let mut config = config.clone();
            config.clear(slot);
            sides.with.insert(config);
        }
        if !contained || free {
            sides.open.insert(config);
        }
    }

    /// Finds what can be written now, of each value the earliest return first.
    fn get_ready(&mut self) {
        self.ready.clear();
        for item in &self.pending_writes {
            let op = self.ops[*item as usize];
            let value = self.layout.wanted(op.to().unwrap_or(INITIAL), self.now);
            self.ready.push((value, op.ret, *item));
        }
        self.ready.sort_unstable();
        self.ready_crowds.clear();
        for (number, crowd) in self.layout.crowds.iter().enumerate() {
            if let Deed::Write(value) = crowd.deed {
                self.ready_crowds.push((self.layout.wanted(value, self.now), number));
            }
        }
    }

    fn write(&mut self, config: &Config<W>, sides: &mut Sides<W>) {
        let mut done = None;
        for place in 0..self.ready.len() {
            let (value, _, item) = self.ready[place];
            let slot = self.slot(item);
            if done == Some(value) || config.spent.contains(slot) {
                continue;
            }
            done = Some(value);
            let mut next = config.clone();
            next.spent.insert(slot);
            self.make_current(value, item, next, config, sides);
        }
        for place in 0..self.ready_crowds.len() {
            let (value, crowd) = self.ready_crowds[place];
            let better =
                |(other, _, item): &(u32, u32, u32)| *other == value && !config.spent.contains(self.slot(*item));
            if self.is_left(config, crowd) && !self.ready.iter().any(better) {
                let (next, item) = self.use_one(config, crowd);
                self.make_current(value, item, next, config, sides);
            }
        }
    }

    fn make_current(&mut self, value: u32, item: u32, mut next: Config<W>, config: &Config<W>, sides: &mut Sides<W>) {
        next.free = next.free.with(&self.writes).without(&next.spent);
        next.value = value;
        self.take(item, next, config, false, sides);
    }

    fn swap(&mut self, config: &Config<W>, sides: &mut Sides<W>) {
        for place in 0..self.pending_swaps.len() {
            let item = self.pending_swaps[place];
            let slot = self.slot(item);
            if let Deed::Swap(from, to) = self.ops[item as usize].deed
                && from == config.value
                && !config.swapped.contains(slot)
            {
                let mut next = config.clone();
                next.swapped.insert(slot);
                next.value = to;
                self.take(item, next, config, true, sides);
            }
        }
        let layout = self.layout;
        for (number, crowd) in layout.crowds.iter().enumerate() {
            if let Deed::Swap(from, to) = crowd.deed
                && from == config.value
                && self.is_left(config, number)
            {
                let (mut next, item) = self.use_one(config, number);
                next.value = to;
                self.take(item, next, config, false, sides);
            }
        }
    }

    fn is_left(&self, config: &Config<W>, crowd: usize) -> bool {
        config.used[crowd] < self.offered[crowd]
    }

    /// One more of a crowd, and which.
    fn use_one(&self, config: &Config<W>, crowd: usize) -> (Config<W>, u32) {
        let mut next = config.clone();
        if self.counted[crowd] {
            next.use_one(crowd);
        }
        (next, self.layout.crowds[crowd].members[config.used[crowd] as usize])
    }

    /// Files what `item` made of `config`, unless it is needless.
    fn take(&mut self, item: u32, mut next: Config<W>, config: &Config<W>, needed: bool, sides: &mut Sides<W>) {
        self.settle(&mut next);
        let slot = self.slot(sides.item);
        let useful = needed
            || next.seen != config.seen
            || next.spent.contains(slot) != config.spent.contains(slot)
            || self.contains(&next, sides.item) != self.contains(config, sides.item)
            || self.swap_starts_from(&next);
        if useful {
            next.path = self.paths.extend(config.path, (item, self.now));
            self.file(next, sides);
        }
    }

    fn swap_starts_from(&self, config: &Config<W>) -> bool {
        let starts = |deed: Deed| matches!(deed, Deed::Swap(from, _) if from == config.value);
        let pending = |item: &u32| starts(self.ops[*item as usize].deed) && !config.swapped.contains(self.slot(*item));
        let mut crowds = self.layout.crowds.iter().enumerate();
        self.pending_swaps.iter().any(pending)
            || crowds.any(|(number, crowd)| starts(crowd.deed) && self.is_left(config, number))
    }

    /// Where no configuration takes in `item`. `place` is that of its return among the steps.
    fn dead(&self, item: u32, place: usize, path: u32, without: &Front<W>) -> Dead {
        let mut values: Vec<u32> = Vec::new();
        for config in without.iter() {
            let last = self.paths.last(config.path).and_then(|(item, _)| self.ops[item as usize].to());
            values.push(last.unwrap_or(INITIAL));
            let unspent = self.pending_writes.iter().filter(|item| !config.spent.contains(self.slot(**item)));
            values.extend(unspent.filter_map(|item| self.ops[*item as usize].to()));
            let crowds = self.layout.crowds.iter().enumerate().filter(|(number, _)| self.is_left(config, *number));
            values.extend(crowds.filter_map(|(_, crowd)| match crowd.deed {
                Deed::Write(value) => Some(value),
                _ => None,
            }));
        }
        // What it says it found it did not find.
        let claimed = self.ops[item as usize].from();
        values.retain(|value| Some(*value) != claimed);
        values.sort_unstable();
        values.dedup();
        let begun = self.layout.steps[..place].iter();
        let returned: BTreeSet<usize> = begun.clone().filter_map(Step::returned).collect();
        let mut pending: Vec<usize> = begun.filter_map(Step::invoked).collect();
        pending.retain(|other| !returned.contains(other) && *other != item as usize);
        pending.sort_unstable();
        Dead {
            item: item as usize,
            pending,
            order: self.layout.unfold(&self.paths.all(path), place),
            states: values.iter().map(|value| self.layout.name(*value)).collect(),
        }
    }

    fn tick(&mut self, sides: &Sides<W>) -> Result<(), (Stop, usize)> {
        let held = sides.with.len() + sides.open.len();
        let each = 2 * (size_of::<Config<W>>() + 4 * self.layout.crowds.len() + 40);
        let bytes = held.saturating_mul(each) + self.paths.bytes() + self.layout.bytes();
        self.steps += 1;
        self.budget.allows(self.steps, held, bytes, self.cancelled).map_err(|stop| (stop, held))
    }
}
