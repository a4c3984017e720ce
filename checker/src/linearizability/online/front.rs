//! The front of a search that goes on for ever: all configurations that the events so far allow, and the operations that
//! they speak of. The rules are those of the search of a whole history: pending operations are taken when a return asks
//! for it, observers at once, and a configuration goes out if another can do all that it can.

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
/// operations changed it.
type Core = (u32, u128);

/// The part in which more, or less, is better.
#[derive(Clone)]
struct Rest {
    observed: u128,
    /// How many of each crowd were used. Crowds behind the last are not.
    used: Vec<u32>,
}

impl Rest {
    fn replaces(&self, other: &Self) -> bool {
        let fewer = |(crowd, used): (usize, &u32)| *used <= other.used.get(crowd).copied().unwrap_or(0);
        other.observed & !self.observed == 0 && self.used.iter().enumerate().all(fewer)
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

#[derive(Clone)]
struct Pending {
    operation: usize,
    slot: usize,
    symbol: u32,
    observes: bool,
}

/// Indeterminate operations that do the same: how many there are.
#[derive(Clone)]
struct Crowd {
    symbol: u32,
    offered: u32,
}

#[derive(Clone)]
pub(super) struct Front {
    level: Level,
    pending: Vec<Pending>,
    slots: u128,
    crowds: Vec<Crowd>,
}

impl Front {
    /// Before the first event: state number 0.
    pub(super) fn new() -> Self {
        let mut level = Level::default();
        level.insert((0, 0), Rest { observed: 0, used: Vec::new() });
        Self { level, pending: Vec::new(), slots: 0, crowds: Vec::new() }
    }

    pub(super) fn lives(&self) -> bool {
        self.level.count > 0
    }

    pub(super) fn held(&self) -> usize {
        self.level.count + self.pending.len() + self.crowds.len()
    }

    pub(super) fn waits_for(&self, operation: usize) -> bool {
        self.pending.iter().any(|pending| pending.operation == operation)
    }

    /// From here on the operation may take effect.
    pub(super) fn enter(&mut self, operation: usize, symbol: u32, observes: bool) -> Result<(), Full> {
        let slot = (!self.slots).trailing_zeros() as usize;
        if slot >= SLOTS {
            return Err(Full::Slots);
        }
        self.slots |= 1 << slot;
        self.pending.push(Pending { operation, slot, symbol, observes });
        Ok(())
    }

    /// From here on one more indeterminate operation may take effect.
    pub(super) fn offer(&mut self, symbol: u32) -> usize {
        let place = self.crowds.iter().position(|crowd| crowd.symbol == symbol).unwrap_or_else(|| {
            self.crowds.push(Crowd { symbol, offered: 0 });
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

    /// The operation turned out to be indeterminate; as such it is `symbol`.
    pub(super) fn release(&mut self, operation: usize, symbol: u32) {
        let Some(pending) = self.leave(operation) else { return };
        let crowd = self.offer(symbol);
        let bit = 1u128 << pending.slot;
        self.rebuild(|(state, changes), mut rest| {
            rest.observed &= !bit;
            if changes & bit != 0 {
                let length = rest.used.len().max(crowd + 1);
                rest.used.resize(length, 0);
                rest.used[crowd] += 1;
            }
            Some(((state, changes & !bit), rest))
        });
    }

    /// The operation returns: configurations are extended until each contains it, and those that cannot go out.
    pub(super) fn take_back<M: Model>(
        &mut self,
        model: &M,
        machine: &mut Machine<M>,
        operation: usize,
        most: usize,
    ) -> Result<(), Full> {
        let Some(slot) = self.pending.iter().find(|pending| pending.operation == operation).map(|pending| pending.slot)
        else {
            return Ok(());
        };
        let level = std::mem::take(&mut self.level);
        let mut extension = Extension {
            front: self,
            model,
            machine,
            bit: 1 << slot,
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
        }
        self.level = extension.with;
        self.leave(operation);
        Ok(())
    }

    pub(super) fn renumber_states(&mut self, mut number: impl FnMut(u32) -> u32) {
        self.rebuild(|(state, changes), rest| Some(((number(state), changes), rest)));
    }

    pub(super) fn renumber_symbols(&mut self, mut number: impl FnMut(u32) -> u32) {
        self.pending.iter_mut().for_each(|pending| pending.symbol = number(pending.symbol));
        self.crowds.iter_mut().for_each(|crowd| crowd.symbol = number(crowd.symbol));
    }

    fn leave(&mut self, operation: usize) -> Option<Pending> {
        let place = self.pending.iter().position(|pending| pending.operation == operation)?;
        let pending = self.pending.remove(place);
        self.slots &= !(1 << pending.slot);
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

/// One return in progress: configurations that contain the operation, and those still to be extended.
struct Extension<'a, M: Model> {
    front: &'a Front,
    model: &'a M,
    machine: &'a mut Machine<M>,
    bit: u128,
    with: Level,
    without: Level,
    work: Vec<(Core, Rest)>,
}

impl<M: Model> Extension<'_, M> {
    fn take_pending(&mut self, (state, changes): Core, rest: &Rest) {
        let front = self.front;
        for pending in front.pending.iter().filter(|pending| !pending.observes) {
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
        let front = self.front;
        for (number, crowd) in front.crowds.iter().enumerate() {
            if rest.used.get(number).copied().unwrap_or(0) >= crowd.offered {
                continue;
            }
            let next = self.machine.step(self.model, state, crowd.symbol);
            if let Some(next) = next.filter(|next| *next != state) {
                let mut rest = rest.clone();
                let length = rest.used.len().max(number + 1);
                rest.used.resize(length, 0);
                rest.used[number] += 1;
                self.place((next, changes), rest);
            }
        }
    }

    /// Takes the observers that are possible in the state, then files the configuration.
    fn place(&mut self, (state, changes): Core, mut rest: Rest) {
        let front = self.front;
        for pending in front.pending.iter().filter(|pending| pending.observes) {
            let bit = 1u128 << pending.slot;
            if rest.observed & bit == 0 && self.machine.step(self.model, state, pending.symbol) == Some(state) {
                rest.observed |= bit;
            }
        }
        if (changes | rest.observed) & self.bit != 0 {
            // The slot is about to serve another operation.
            rest.observed &= !self.bit;
            self.with.insert((state, changes & !self.bit), rest);
        } else if self.without.insert((state, changes), rest.clone()) {
            self.work.push(((state, changes), rest));
        }
    }
}
