//! A line in which one queues.

use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};

use sextant_histories::Value;

use super::Chain;

/// A persistent first-in-first-out list. Joining and leaving take constant time, leaving on average; cloning and hashing
/// too. Two lines are equal if they hold the same values in the same order, however that came about.
#[derive(Clone)]
pub struct Line {
    /// The next to leave is the last of this.
    front: Chain,
    /// Behind them: the last of this came last.
    back: Chain,
    /// The sum of the values' hashes, each times [`BASE`] to the power of its place from the front, modulo 2^64.
    hash: u64,
    /// [`BASE`] to the power of the length.
    power: u64,
}

/// Odd, so that it has an inverse modulo 2^64.
const BASE: u64 = 0x9E37_79B9_7F4A_7C15;
const INVERSE: u64 = inverse(BASE);

/// By Newton's method: each step doubles the number of right bits, and an odd number is its own inverse modulo 8.
const fn inverse(odd: u64) -> u64 {
    let (mut inverse, mut bits) = (odd, 3);
    while bits < 64 {
        inverse = inverse.wrapping_mul(2_u64.wrapping_sub(odd.wrapping_mul(inverse)));
        bits *= 2;
    }
    inverse
}

fn hash_of(value: &Value) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

impl Default for Line {
    fn default() -> Self {
        Self { front: Chain::default(), back: Chain::default(), hash: 0, power: 1 }
    }
}

impl Line {
    pub fn is_empty(&self) -> bool {
        self.front.is_empty() && self.back.is_empty()
    }

    pub fn len(&self) -> usize {
        self.front.len() + self.back.len()
    }

    #[must_use]
    pub fn join(&self, value: Value) -> Self {
        let hash = self.hash.wrapping_add(hash_of(&value).wrapping_mul(self.power));
        let power = self.power.wrapping_mul(BASE);
        Self { front: self.front.clone(), back: self.back.push(value), hash, power }
    }

    /// The first value, and the line without it.
    pub fn leave(&self) -> Option<(Value, Self)> {
        let turned = || self.back.backwards().fold(Chain::default(), |front, value| front.push(value.clone()));
        let (front, back) =
            if self.front.is_empty() { (turned(), Chain::default()) } else { (self.front.clone(), self.back.clone()) };
        let (first, front) = front.pop()?;
        let hash = self.hash.wrapping_sub(hash_of(first)).wrapping_mul(INVERSE);
        let rest = Self { front: front.clone(), back, hash, power: self.power.wrapping_mul(INVERSE) };
        Some((first.clone(), rest))
    }

    /// From the first to the last.
    pub fn iter(&self) -> impl Iterator<Item = &Value> {
        let mut back: Vec<&Value> = self.back.backwards().collect();
        back.reverse();
        self.front.backwards().chain(back)
    }
}

impl PartialEq for Line {
    fn eq(&self, other: &Self) -> bool {
        (self.len(), self.hash) == (other.len(), other.hash)
            && ((&self.front, &self.back) == (&other.front, &other.back) || self.iter().eq(other.iter()))
    }
}

impl Eq for Line {}

impl Hash for Line {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.hash);
    }
}

impl fmt::Debug for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use sextant_histories::generate::Rng;

    use super::*;

    #[test]
    fn it_is_what_a_queue_is() {
        assert_eq!(BASE.wrapping_mul(INVERSE), 1);
        let mut rng = Rng::new(1);
        for _ in 0..200 {
            let (mut line, mut queue) = (Line::default(), VecDeque::new());
            for _ in 0..60 {
                if rng.below(2) == 0 {
                    let value = Value::Int(rng.below(3) as i64);
                    line = line.join(value.clone());
                    queue.push_back(value);
                } else {
                    let (first, rest) = line.leave().map_or((None, line.clone()), |(first, rest)| (Some(first), rest));
                    assert_eq!(first, queue.pop_front());
                    line = rest;
                }
                assert!(line.iter().eq(&queue) && line.len() == queue.len() && line.is_empty() == queue.is_empty());
                let again = queue.iter().fold(Line::default(), |line, value| line.join(value.clone()));
                assert!(again == line && again.hash == line.hash && again != line.join(0.into()));
            }
        }
    }
}
