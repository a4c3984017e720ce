//! The front of a search that goes on for ever: all configurations that the events so far allow, and the operations that
//! they speak of. The rules are those of the search of a whole history: pending operations are taken when a return asks
//! for it, observers at once, and a configuration goes out if another can do all that it can.
//!
//! Operations that [overwrite](Model::overwrites), such as writes of a register, are buried as the lazy search of registers buries
//! them; what is free, spent and useful, and why nothing is lost, stands there (`register/lazy.rs`). Its swaps are here all operations that
//! neither observe nor overwrite. What it needs to know of the future is of which write the return comes first; so no operation
//! that overwrites enters before its answer is known.

use std::collections::HashMap;

use super::machine::Machine;
use crate::linearizability::bits::Hashing;
use crate::linearizability::model::Model;

/// Why a front cannot go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Full {
    Configurations,
    Slots,
}

/// How many operations can be pending at once.
const SLOTS: usize = 128;

/// The part of a configuration in which two must agree before one can replace the other: the state, and which pending
/// operations changed it, other than by overwriting it.
type Core = (u32, u128);

/// The part in which more, or less, is better.
#[derive(Clone, Default)]
struct Rest {
    observed: u128,
    /// Pending operations that overwrote the state, and those that may have been buried below one that did.
    spent: u128,
    free: u128,
    /// How many of each crowd were used. Crowds behind the last are not.
    used: Vec<u32>,
}

impl Rest {
    fn replaces(&self, other: &Self) -> bool {
        let fewer = |(crowd, used): (usize, &u32)| *used <= other.used.get(crowd).copied().unwrap_or(0);
        let stands_otherwise = (self.spent ^ other.spent) | (self.free ^ other.free);
        other.observed & !self.observed == 0
            && stands_otherwise & !self.free == 0
            && self.used.iter().enumerate().all(fewer)
    }

    fn use_one(&mut self, crowd: usize) {
        let length = self.used.len().max(crowd + 1);
        self.used.resize(length, 0);
        self.used[crowd] += 1;
    }

    /// One of `writes` became the state: the others may stand right in front of it.
    fn bury(&mut self, writes: u128) {
        self.free = (self.free | writes) & !self.spent;
    }
}

#[derive(Clone, Default)]
struct Level {
    members: HashMap<Core, Vec<Rest>, Hashing>,
    count: usize,
}

impl Level {
    /// Puts a configuration in unless one that replaces it is there; takes out what it replaces. Whether it is in.
    fn insert(&mut self, core: Core, rest: Rest) -> bool {
        let rests = self.members.entry(core).or_default();
        if rests.iter().any(|other| other.replaces(&rest)) {
            return false;
        }
        let before = rests.len();
        rests.retain(|other| !rest.replaces(other));
        self.count -= before - rests.len();
        rests.push(rest);
        self.count += 1;
        true
    }

    fn configs(self) -> impl Iterator<Item = (Core, Rest)> {
        self.members.into_iter().flat_map(|(core, rests)| rests.into_iter().map(move |rest| (core, rest)))
    }
}

/// What an operation does to the state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    Observes,
    Overwrites,
    Changes,
}

#[derive(Clone)]
struct Pending {
    operation: usize,
    slot: usize,
    symbol: u32,
    effect: Effect,
    /// The state that one that overwrites leaves; of no meaning for others.
    leaves: u32,
    /// The event at which it returns.
    returns: usize,
}

/// Indeterminate operations that do the same: how many there are.
#[derive(Clone)]
struct Crowd {
    symbol: u32,
    offered: u32,
    /// The state that it leaves, if it overwrites.
    leaves: Option<u32>,
}

#[derive(Clone)]
pub(super) struct Front {
    level: Level,
    pending: Vec<Pending>,
    slots: u128,
    crowds: Vec<Crowd>,
    /// Which pending observers are possible in a state, for states lately met.
    observers: HashMap<u32, u128, Hashing>,
}

/// What comes in.
#[derive(Clone, Copy)]
pub(super) struct Entry {
    pub(super) operation: usize,
    pub(super) symbol: u32,
    pub(super) effect: Effect,
    /// The event at which it returns.
    pub(super) returns: usize,
}

/// What is known to come, when nothing but that counts: until when a state can matter. A state that no operation starts from or
/// observes any more is as good as any other such: all of them are [`DEAD`], and what leaves one is of one kind.
pub(super) struct Horizon {
    /// Operations that do not overwrite, and the event at which they return, if they do.
    uses: Vec<(u32, Option<usize>)>,
    known: HashMap<u32, usize, Hashing>,
}

/// In the place of all states that matter no more.
const DEAD: u32 = u32::MAX;

impl Horizon {
    pub(super) fn new(uses: Vec<(u32, Option<usize>)>) -> Self {
        Self { uses, known: HashMap::default() }
    }

    fn matters_until<M: Model>(&mut self, model: &M, machine: &mut Machine<M>, state: u32) -> usize {
        let uses = &self.uses;
        *self.known.entry(state).or_insert_with(|| {
            let mut until =
                |(symbol, returns): &(u32, Option<usize>)| match (machine.step(model, state, *symbol), returns) {
                    (Some(_), Some(returns)) => *returns,
                    // One that may take effect at any time, or never, is of use only if that changes something.
                    (Some(next), None) if next != state => usize::MAX,
                    _ => 0,
                };
            uses.iter().map(&mut until).max().unwrap_or(0)
        })
    }

    fn living<M: Model>(&mut self, model: &M, machine: &mut Machine<M>, state: u32, now: usize) -> u32 {
        let dead = state == DEAD || self.matters_until(model, machine, state) < now;
        if dead { DEAD } else { state }
    }
}

/// What is returned when, and what is known of the rest.
pub(super) struct Return<'a> {
    pub(super) operation: usize,
    /// The number of this event, as [`Horizon`] counts.
    pub(super) now: usize,
    pub(super) horizon: Option<&'a mut Horizon>,
}

/// Of so many states at most it is known which observers are possible.
const STATES: usize = 256;

impl Front {
    /// Before the first event: state number 0.
    pub(super) fn new() -> Self {
        let mut level = Level::default();
        level.insert((0, 0), Rest::default());
        Self { level, pending: Vec::new(), slots: 0, crowds: Vec::new(), observers: HashMap::default() }
    }

    pub(super) fn lives(&self) -> bool {
        self.level.count > 0
    }

    pub(super) fn held(&self) -> usize {
        self.level.count + self.pending.len() + self.crowds.len()
    }

    /// Operations that do not overwrite: each with its symbol, and its number unless it is indeterminate.
    pub(super) fn uses(&self) -> impl Iterator<Item = (u32, Option<usize>)> {
        let pending = self.pending.iter().filter(|pending| pending.effect != Effect::Overwrites);
        let crowds = self.crowds.iter().filter(|crowd| crowd.leaves.is_none());
        let pending = pending.map(|pending| (pending.symbol, Some(pending.operation)));
        pending.chain(crowds.map(|crowd| (crowd.symbol, None)))
    }

    pub(super) fn waits_for(&self, operation: usize) -> bool {
        self.pending.iter().any(|pending| pending.operation == operation)
    }

    /// From here on the operation may take effect, and it has when it returns.
    pub(super) fn enter<M: Model>(&mut self, model: &M, machine: &mut Machine<M>, entry: Entry) -> Result<(), Full> {
        let Entry { operation, symbol, effect, returns } = entry;
        let slot = (!self.slots).trailing_zeros() as usize;
        if slot >= SLOTS {
            return Err(Full::Slots);
        }
        self.slots |= 1 << slot;
        let leaves = if effect == Effect::Overwrites { left_by(model, machine, symbol) } else { 0 };
        self.pending.push(Pending { operation, slot, symbol, effect, leaves, returns });
        if effect == Effect::Observes {
            if self.observers.len() > STATES {
                self.observers.clear();
            }
            for (state, seen) in &mut self.observers {
                if machine.step(model, *state, symbol) == Some(*state) {
                    *seen |= 1 << slot;
                }
            }
        }
        Ok(())
    }

    /// From here on one more indeterminate operation may take effect.
    pub(super) fn offer(&mut self, symbol: u32, leaves: Option<u32>) -> usize {
        let place = self.crowds.iter().position(|crowd| crowd.symbol == symbol).unwrap_or_else(|| {
            self.crowds.push(Crowd { symbol, offered: 0, leaves });
            self.crowds.len() - 1
        });
        self.crowds[place].offered += 1;
        place
    }

    /// The operation turned out to have had no effect.
    pub(super) fn undo(&mut self, operation: usize) {
        let Some(pending) = self.leave(operation) else { return };
        let bit = 1u128 << pending.slot;
        self.rebuild(|(state, changes), rest| {
            let rest = Rest { observed: rest.observed & !bit, ..rest };
            (changes & bit == 0).then_some(((state, changes), rest))
        });
    }

    /// The operation turned out to be indeterminate; as such it is `symbol`. It is none that overwrites.
    pub(super) fn release(&mut self, operation: usize, symbol: u32) {
        let Some(pending) = self.leave(operation) else { return };
        let crowd = self.offer(symbol, None);
        let bit = 1u128 << pending.slot;
        self.rebuild(|(state, changes), mut rest| {
            rest.observed &= !bit;
            if changes & bit != 0 {
                rest.use_one(crowd);
            }
            Some(((state, changes & !bit), rest))
        });
    }

    /// The operation returns: configurations are extended until each contains it, and those that cannot go out.
    pub(super) fn take_back<M: Model>(
        &mut self,
        model: &M,
        machine: &mut Machine<M>,
        returns: Return<'_>,
        most: usize,
    ) -> Result<(), Full> {
        let Return { operation, now, mut horizon } = returns;
        let Some(slot) = self.pending.iter().find(|pending| pending.operation == operation).map(|pending| pending.slot)
        else {
            return Ok(());
        };
        let level = std::mem::take(&mut self.level);
        let (ready, ready_crowds) = self.ready(|state| match &mut horizon {
            Some(horizon) => horizon.living(model, machine, state, now),
            None => state,
        });
        let observers = std::mem::take(&mut self.observers);
        let mut extension = Extension {
            front: self,
            model,
            machine,
            bit: 1 << slot,
            writes: ready.iter().fold(0, |bits, write| bits | 1 << write.slot),
            ready,
            ready_crowds,
            observers,
            now,
            horizon,
            with: Level::default(),
            without: Level::default(),
            work: Vec::new(),
        };
        for (core, rest) in level.configs() {
            extension.place(core, rest);
        }
        while let Some((core, rest)) = extension.work.pop() {
            if extension.with.count + extension.without.count + extension.work.len() > most {
                return Err(Full::Configurations);
            }
            extension.take_pending(core, &rest);
            extension.take_indeterminate(core, &rest);
            extension.overwrite(core, &rest);
        }
        let Extension { with, observers, .. } = extension;
        self.level = with;
        self.observers = observers;
        self.leave(operation);
        Ok(())
    }

    pub(super) fn renumber_states(&mut self, mut number: impl FnMut(u32) -> u32) {
        self.observers.clear();
        let writes = self.pending.iter_mut().filter(|pending| pending.effect == Effect::Overwrites);
        writes.for_each(|pending| pending.leaves = number(pending.leaves));
        self.crowds.iter_mut().filter_map(|crowd| crowd.leaves.as_mut()).for_each(|state| *state = number(*state));
        self.rebuild(|(state, changes), rest| Some(((number(state), changes), rest)));
    }

    pub(super) fn renumber_symbols(&mut self, mut number: impl FnMut(u32) -> u32) {
        self.pending.iter_mut().for_each(|pending| pending.symbol = number(pending.symbol));
        self.crowds.iter_mut().for_each(|crowd| crowd.symbol = number(crowd.symbol));
    }

    /// The pending operations that overwrite, of each state that they leave the first to return first, and the crowds of such.
    fn ready(&self, mut living: impl FnMut(u32) -> u32) -> (Vec<Ready>, Vec<(u32, usize)>) {
        let writes = self.pending.iter().filter(|pending| pending.effect == Effect::Overwrites);
        let mut ready: Vec<Ready> = writes
            .map(|pending| Ready { state: living(pending.leaves), returns: pending.returns, slot: pending.slot })
            .collect();
        ready.sort_unstable();
        let crowds = self.crowds.iter().enumerate();
        (ready, crowds.filter_map(|(number, crowd)| crowd.leaves.map(|state| (living(state), number))).collect())
    }

    fn leave(&mut self, operation: usize) -> Option<Pending> {
        let place = self.pending.iter().position(|pending| pending.operation == operation)?;
        let pending = self.pending.remove(place);
        self.slots &= !(1 << pending.slot);
        if pending.effect == Effect::Observes {
            self.observers.values_mut().for_each(|seen| *seen &= !(1 << pending.slot));
        }
        Some(pending)
    }

    fn rebuild(&mut self, mut change: impl FnMut(Core, Rest) -> Option<(Core, Rest)>) {
        let mut level = Level::default();
        for (core, rest) in std::mem::take(&mut self.level).configs() {
            if let Some((core, rest)) = change(core, rest) {
                level.insert(core, rest);
            }
        }
        self.level = level;
    }
}

/// What an operation that overwrites leaves: the same wherever it takes effect, so also in the initial state.
pub(super) fn left_by<M: Model>(model: &M, machine: &mut Machine<M>, symbol: u32) -> u32 {
    machine.step(model, 0, symbol).unwrap_or(0)
}

/// A pending operation that overwrites.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Ready {
    /// What it leaves.
    state: u32,
    returns: usize,
    slot: usize,
}

/// One return in progress: configurations that contain the operation, and those still to be extended.
struct Extension<'a, M: Model> {
    front: &'a Front,
    model: &'a M,
    machine: &'a mut Machine<M>,
    bit: u128,
    /// All pending operations that overwrite.
    writes: u128,
    ready: Vec<Ready>,
    ready_crowds: Vec<(u32, usize)>,
    observers: HashMap<u32, u128, Hashing>,
    now: usize,
    horizon: Option<&'a mut Horizon>,
    with: Level,
    without: Level,
    work: Vec<(Core, Rest)>,
}

impl<M: Model> Extension<'_, M> {
    fn take_pending(&mut self, (state, changes): Core, rest: &Rest) {
        if state == DEAD {
            return;
        }
        let front = self.front;
        for pending in front.pending.iter().filter(|pending| pending.effect == Effect::Changes) {
            let bit = 1u128 << pending.slot;
            if changes & bit != 0 {
                continue;
            }
            if let Some(next) = self.machine.step(self.model, state, pending.symbol) {
                self.place((next, changes | bit), rest.clone());
            }
        }
    }

    /// One that would leave the state as it is need never be taken.
    fn take_indeterminate(&mut self, (state, changes): Core, rest: &Rest) {
        if state == DEAD {
            return;
        }
        let front = self.front;
        for (number, crowd) in front.crowds.iter().enumerate().filter(|(_, crowd)| crowd.leaves.is_none()) {
            if rest.used.get(number).copied().unwrap_or(0) >= crowd.offered {
                continue;
            }
            let next = self.machine.step(self.model, state, crowd.symbol);
            if let Some(next) = next.filter(|next| *next != state) {
                let mut rest = rest.clone();
                rest.use_one(number);
                self.place((next, changes), rest);
            }
        }
    }

    fn overwrite(&mut self, (_, changes): Core, rest: &Rest) {
        let mut dead_used = false;
        let mut done = None;
        for place in 0..self.ready.len() {
            let write = self.ready[place];
            let bit = 1u128 << write.slot;
            if done == Some(write.state) || rest.spent & bit != 0 {
                continue;
            }
            done = Some(write.state);
            let mut next = Rest { spent: rest.spent | bit, ..rest.clone() };
            next.bury(self.writes);
            self.place_if_useful(write.state, changes, next, rest);
        }
        for place in 0..self.ready_crowds.len() {
            let (left, number) = self.ready_crowds[place];
            let better = |write: &Ready| write.state == left && rest.spent & (1 << write.slot) == 0;
            let used = rest.used.get(number).copied().unwrap_or(0);
            let again = left == DEAD && dead_used;
            if used < self.front.crowds[number].offered && !again && !self.ready.iter().any(better) {
                dead_used |= left == DEAD;
                let mut next = rest.clone();
                next.use_one(number);
                next.bury(self.writes);
                self.place_if_useful(left, changes, next, rest);
            }
        }
    }

    /// Files a configuration in which something overwrote the state, unless that could as well have been buried.
    fn place_if_useful(&mut self, left: u32, changes: u128, mut next: Rest, before: &Rest) {
        self.observe(left, &mut next);
        let returns = |rest: &Rest| (rest.spent & self.bit, (rest.spent | rest.free | rest.observed) & self.bit);
        let useful = next.observed != before.observed
            || returns(&next) != returns(before)
            || self.something_starts_from(left, changes, &next);
        if useful {
            self.file((left, changes), next);
        }
    }

    /// Whether an operation that is neither done nor overwrites changes this state.
    fn something_starts_from(&mut self, state: u32, changes: u128, rest: &Rest) -> bool {
        if state == DEAD {
            return false;
        }
        let front = self.front;
        let pending = front.pending.iter().filter(|pending| pending.effect == Effect::Changes);
        let mut symbols = pending.filter(|pending| changes & (1 << pending.slot) == 0).map(|pending| pending.symbol);
        let left = |number: usize, crowd: &Crowd| rest.used.get(number).copied().unwrap_or(0) < crowd.offered;
        let crowds = front.crowds.iter().enumerate();
        let mut crowds = crowds.filter(|(number, crowd)| crowd.leaves.is_none() && left(*number, crowd));
        symbols.any(|symbol| self.machine.step(self.model, state, symbol).is_some())
            || crowds
                .any(|(_, crowd)| self.machine.step(self.model, state, crowd.symbol).is_some_and(|next| next != state))
    }

    /// Takes the observers that are possible in the state, then files the configuration.
    fn place(&mut self, (state, changes): Core, mut rest: Rest) {
        self.observe(state, &mut rest);
        self.file((state, changes), rest);
    }

    fn observe(&mut self, state: u32, rest: &mut Rest) {
        if state == DEAD {
            return;
        }
        let (front, model, machine) = (self.front, self.model, &mut *self.machine);
        rest.observed |= *self.observers.entry(state).or_insert_with(|| {
            let pending = front.pending.iter().filter(|pending| pending.effect == Effect::Observes);
            let mut possible = |symbol| machine.step(model, state, symbol) == Some(state);
            pending.filter(|pending| possible(pending.symbol)).fold(0, |seen, pending| seen | 1 << pending.slot)
        });
    }

    fn file(&mut self, (state, changes): Core, rest: Rest) {
        let bit = self.bit;
        let state = match &mut self.horizon {
            Some(horizon) => horizon.living(self.model, self.machine, state, self.now),
            None => state,
        };
        let contained = (changes | rest.observed | rest.spent | rest.free) & bit != 0;
        if contained {
            // The slot is about to serve another operation.
            let clear = |bits: u128| bits & !bit;
            let Rest { observed, spent, free, used } = rest.clone();
            let rest = Rest { observed: clear(observed), spent: clear(spent), free: clear(free), used };
            self.with.insert((state, clear(changes)), rest);
        }
        // What is free may stay buried, or be used now for the last time.
        if (!contained || rest.free & bit != 0) && self.without.insert((state, changes), rest.clone()) {
            self.work.push(((state, changes), rest));
        }
    }
}
