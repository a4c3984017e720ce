//! Random numbers that are the same everywhere, and the values drawn with them.

use super::Values;
use crate::value::Value;

/// SplitMix64 (Steele, Lea, Flood 2014): eight lines, and the same stream on every platform and for ever, which no
/// crate promises.
#[derive(Clone, Debug)]
pub struct Rng(u64);

impl Rng {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// Below `bound`; 0 for a bound of 0. The bias of the remainder does not matter here.
    pub fn below(&mut self, bound: usize) -> usize {
        (self.draw() % (bound.max(1) as u64)) as usize
    }

    pub fn percent(&mut self, percent: u32) -> bool {
        self.below(100) < percent as usize
    }
}

/// Where a simulated object gets its random choices and its values from. Values are never negative: those are for scripts.
pub(super) struct Source {
    pub(super) rng: Rng,
    values: Values,
    next: i64,
}

impl Source {
    pub(super) fn new(seed: u64, values: Values) -> Self {
        Self { rng: Rng::new(seed), values, next: 0 }
    }

    /// Whether no value is drawn twice.
    pub(super) fn is_unique(&self) -> bool {
        self.values == Values::Unique
    }

    pub(super) fn number(&mut self) -> i64 {
        match self.values {
            Values::Unique => {
                self.next += 1;
                self.next
            }
            Values::Few(bound) => self.rng.below(bound as usize) as i64,
        }
    }

    pub(super) fn value(&mut self) -> Value {
        Value::Int(self.number())
    }

    /// A number that was drawn a short while ago, or will be soon.
    pub(super) fn known(&mut self) -> i64 {
        match self.values {
            Values::Unique => (self.next + 2 - self.rng.below(20) as i64).max(1),
            Values::Few(bound) => self.rng.below(bound as usize) as i64,
        }
    }
}
