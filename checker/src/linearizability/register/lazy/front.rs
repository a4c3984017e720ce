//! Configurations of the lazy search, and sets of them in which none replaces another.

use std::collections::HashMap;

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
    /// Of each crowd, how many.
    pub(super) used: Box<[u32]>,
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
            path: ROOT,
        }
    }

    /// For a step. A used write is not free: the caller says which.
    pub(super) fn copy(&self) -> Self {
        self.clone()
    }

    /// The slot is about to serve another operation.
    pub(super) fn clear(&mut self, slot: usize) {
        for bits in [&mut self.swapped, &mut self.seen, &mut self.free, &mut self.spent] {
            bits.remove(slot);
        }
    }

    fn replaces(&self, other: &Self) -> bool {
        self.seen.covers(&other.seen)
            && other.spent.covers(&self.spent)
            && self.free.with(&self.spent).covers(&other.free.with(&other.spent))
            && self.used.iter().zip(&other.used).all(|(own, others)| own <= others)
    }
}

/// Configurations by number; those that were replaced are gone. Configurations with the same value and the same swaps
/// form a chain.
pub(super) struct Front<const W: usize> {
    configs: Vec<Option<Config<W>>>,
    next: Vec<u32>,
    heads: HashMap<(u32, Bits<W>), u32, Hashing>,
}

const END: u32 = u32::MAX;

impl<const W: usize> Front<W> {
    pub(super) fn new() -> Self {
        Self { configs: Vec::new(), next: Vec::new(), heads: HashMap::default() }
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

    pub(super) fn into_configs(self) -> Vec<Config<W>> {
        self.configs.into_iter().flatten().collect()
    }

    /// Unless one that replaces it is there. Takes out those that it replaces.
    pub(super) fn insert(&mut self, config: Config<W>) {
        let number = self.configs.len() as u32;
        // Most fronts have a single configuration, which is not worth a table.
        if number == 1 && self.heads.is_empty() {
            let first = self.configs[0].as_ref().map(|first| (first.value, first.swapped));
            self.heads.extend(first.map(|core| (core, 0)));
        }
        if number > 0 {
            let head = self.heads.entry((config.value, config.swapped)).or_insert(END);
            let mut other = *head;
            while other != END {
                let place = &mut self.configs[other as usize];
                if place.as_ref().is_some_and(|other| other.replaces(&config)) {
                    return;
                }
                if place.as_ref().is_some_and(|other| config.replaces(other)) {
                    *place = None;
                }
                other = self.next[other as usize];
            }
            self.next.push(*head);
            *head = number;
        } else {
            self.next.push(END);
        }
        self.configs.push(Some(config));
    }
}
