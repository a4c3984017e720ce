//! A set of slots, a hasher for it, and nothing else.

use std::hash::{BuildHasherDefault, Hasher};

/// A set of numbers below `64 * W`. The width is chosen once per search, by the number of operations that are ever
/// pending together: almost always one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Bits<const W: usize>([u64; W]);

impl<const W: usize> Bits<W> {
    pub(super) const EMPTY: Self = Self([0; W]);

    pub(super) fn contains(&self, slot: usize) -> bool {
        self.0[slot / 64] >> (slot % 64) & 1 == 1
    }

    pub(super) fn len(&self) -> u32 {
        self.0.iter().map(|word| word.count_ones()).sum()
    }

    pub(super) fn insert(&mut self, slot: usize) {
        self.0[slot / 64] |= 1 << (slot % 64);
    }

    pub(super) fn remove(&mut self, slot: usize) {
        self.0[slot / 64] &= !(1 << (slot % 64));
    }

    #[must_use]
    pub(super) fn with(mut self, others: &Self) -> Self {
        self.0.iter_mut().zip(&others.0).for_each(|(own, others)| *own |= others);
        self
    }

    #[must_use]
    pub(super) fn without(mut self, others: &Self) -> Self {
        self.0.iter_mut().zip(&others.0).for_each(|(own, others)| *own &= !others);
        self
    }

    /// Not zero if `other` has something that this has not. One number for all, found without a branch: what is compared
    /// that way a million times a second cannot be foreseen by a processor.
    pub(super) fn lacks(&self, other: &Self) -> u64 {
        self.0.iter().zip(&other.0).fold(0, |lack, (own, others)| lack | others & !own)
    }
}

/// Multiply and rotate, a word at a time. The keys are numbers and bit sets of our own making, so nobody can choose them
/// to collide, and the same run takes the same path every time.
#[derive(Default)]
pub(super) struct WordHasher(u64);

pub(super) type Hashing = BuildHasherDefault<WordHasher>;

impl Hasher for WordHasher {
    fn finish(&self) -> u64 {
        // The table takes its low and its top bits; the multiplication leaves the low ones weak.
        self.0 ^ (self.0 >> 29)
    }

    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.write_u64(u64::from_le_bytes(word));
        }
    }

    fn write_u32(&mut self, word: u32) {
        self.write_u64(u64::from(word));
    }

    fn write_u64(&mut self, word: u64) {
        self.0 = (self.0.rotate_left(5) ^ word).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    }

    fn write_usize(&mut self, word: usize) {
        self.write_u64(word as u64);
    }
}
