//! Configurations of the lazy search, and sets of them in which none replaces another.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::rc::Rc;

use super::super::super::bits::{Bits, Hashing};
use super::super::super::paths::ROOT;

/// One way to have got so far. Bits are slots of pending operations.
#[derive(Clone, Debug)]
pub(super) struct Config<const W: usize> {
    pub(super) value: u32,
    /// Swaps that are done.
    pub(super) swapped: Bits<W>,
    /// Observers that have been served.
    pub(super) seen: Bits<W>,
    /// Writes that may count as done and may still be used.
    pub(super) free: Bits<W>,
    /// Writes that have been used.
    pub(super) spent: Bits<W>,
    /// Of each crowd, how many, and of all together. Most configurations have used what the one before them had.
    pub(super) used: Rc<[u32]>,
    pub(super) used_in_all: u32,
    pub(super) path: u32,
}

impl<const W: usize> Config<W> {
    pub(super) fn new(value: u32, crowds: usize) -> Self {
        Self {
            value,
            swapped: Bits::EMPTY,
            seen: Bits::EMPTY,
            free: Bits::EMPTY,
            spent: Bits::EMPTY,
            used: vec![0; crowds].into(),
            used_in_all: 0,
            path: ROOT,
        }
    }

    /// The lower, the more can still become of it: first how few indeterminate operations it has used, then how few pending
    /// ones it has yet to explain, then how few writes it has spent.
    pub(super) fn rank(&self) -> (u32, Reverse<u32>, u32) {
        let explained = self.swapped.len() + self.seen.len() + self.free.len() + self.spent.len();
        (self.used_in_all, Reverse(explained), self.spent.len())
    }

    /// The slot is about to serve another operation.
    pub(super) fn clear(&mut self, slot: usize) {
        for bits in [&mut self.swapped, &mut self.seen, &mut self.free, &mut self.spent] {
            bits.remove(slot);
        }
    }

    pub(super) fn use_one(&mut self, crowd: usize) {
        Rc::make_mut(&mut self.used)[crowd] += 1;
        self.used_in_all += 1;
    }

    /// What needs no look at the counts goes first, and in one go: most pairs end there.
    fn replaces(&self, other: &Self) -> bool {
        let lack = self.seen.lacks(&other.seen)
            | other.spent.lacks(&self.spent)
            | self.free.with(&self.spent).lacks(&other.free.with(&other.spent))
            | u64::from(self.used_in_all > other.used_in_all);
        lack == 0 && self.used.iter().zip(&other.used[..]).all(|(own, others)| own <= others)
    }
}

/// Configurations by number; those that were replaced are gone. Where there are many, those with the same value and the
/// same swaps form a chain.
pub(super) struct Front<const W: usize> {
    configs: Vec<Option<Config<W>>>,
    next: Vec<u32>,
    heads: HashMap<(u32, Bits<W>), u32, Hashing>,
}

const END: u32 = u32::MAX;

/// Up to so many are compared one by one: most fronts have a handful, which is not worth a table.
const HANDFUL: usize = 12;

impl<const W: usize> Front<W> {
    pub(super) fn new() -> Self {
        Self { configs: Vec::new(), next: Vec::new(), heads: HashMap::default() }
    }

    pub(super) fn clear(&mut self) {
        self.configs.clear();
        if !self.next.is_empty() {
            self.next.clear();
            self.heads.clear();
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.configs.is_empty()
    }

    /// With those that are gone.
    pub(super) fn len(&self) -> usize {
        self.configs.len()
    }

    pub(super) fn get(&self, number: usize) -> Option<&Config<W>> {
        self.configs.get(number).and_then(Option::as_ref)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Config<W>> {
        self.configs.iter().flatten()
    }

    /// Takes all out.
    pub(super) fn drain(&mut self) -> impl Iterator<Item = Config<W>> + '_ {
        self.configs.drain(..).flatten()
    }

    /// Unless one that replaces it is there. Takes out those that it replaces.
    pub(super) fn insert(&mut self, config: Config<W>) {
        if self.configs.len() < HANDFUL {
            let alike = |other: &Config<W>| other.value == config.value && other.swapped == config.swapped;
            for place in &mut self.configs {
                if let Some(other) = place.as_ref().filter(|other| alike(other)) {
                    if other.replaces(&config) {
                        return;
                    }
                    if config.replaces(other) {
                        *place = None;
                    }
                }
            }
            self.configs.push(Some(config));
            return;
        }
        if self.next.is_empty() {
            self.chain();
        }
        let head = self.heads.entry((config.value, config.swapped)).or_insert(END);
        let (mut before, mut number) = (END, *head);
        while number != END {
            let after = self.next[number as usize];
            let place = &mut self.configs[number as usize];
            let other = place.as_ref();
            if other.is_some_and(|other| other.replaces(&config)) {
                return;
            }
            if other.is_some_and(|other| config.replaces(other)) {
                *place = None;
                *(if before == END { &mut *head } else { &mut self.next[before as usize] }) = after;
            } else {
                before = number;
            }
            number = after;
        }
        self.next.push(*head);
        *head = self.configs.len() as u32;
        self.configs.push(Some(config));
    }

    fn chain(&mut self) {
        for (number, config) in self.configs.iter().enumerate() {
            self.next.push(END);
            if let Some(config) = config {
                let head = self.heads.entry((config.value, config.swapped)).or_insert(END);
                self.next[number] = *head;
                *head = number as u32;
            }
        }
    }
}
