//! The visited set, one shard of it: open addressing in order.
//!
//! A key's *home* grows with the key, and the keys of a shard lie in their slots in ascending order, none before its home.
//! So a search ends where a greater key lies, a shard is written to disk or into a larger table in one pass, and any
//! capacity will do, not powers of two alone: a table grows by a quarter and stays well filled.

use super::mix;

/// What the search asks of a shard. `key` is always [`Visited::key`] of `state`.
pub trait Visited: Send + Sync + Sized {
    /// An empty shard for packed states of `bytes` bytes; the most significant `shard_bits` of a key choose the shard. It
    /// begins with about `memory` bytes.
    fn new(bytes: usize, shard_bits: u32, memory: usize) -> Self;

    /// Whether three quarters of the homes have a key.
    fn is_filled(&self) -> bool;

    /// The key of a packed state of `bytes` bytes.
    fn key(state: &[u64], bytes: usize) -> u64;

    /// Whether equal keys prove equal states.
    fn is_exact(bytes: usize) -> bool;

    /// Bytes of memory that the slots take.
    fn memory(&self) -> usize;

    /// Makes room, so that the homes of the next `more` keys do not move while they are inserted.
    fn reserve(&mut self, more: usize);

    /// Reads the slot that is a key's home, so that it is in the cache when the key is inserted. Many of these one after
    /// another wait for memory together.
    fn touch(&self, key: u64) -> u64;

    /// Whether the state was not there before.
    fn insert(&mut self, key: u64, state: &[u64]) -> bool;

    /// The slot of a state.
    fn find(&self, key: u64, state: &[u64]) -> Option<usize>;

    /// Number of slots, occupied or not.
    fn slots(&self) -> usize;

    /// Bytes of a record of [`Visited::each`].
    fn record_bytes(bytes: usize) -> usize;

    /// All members as slot and record; records are byte strings, tell all that the slots tell, and ascend. `shard` is the
    /// number of this shard.
    fn each(&self, shard: usize, take: impl FnMut(usize, &[u8]));

    /// Empties the shard; it keeps its size.
    fn clear(&mut self);
}

/// Slots behind the last home.
pub(super) const OVERFLOW: usize = 256;
pub(super) const CAPACITY_MIN: usize = 64;
/// Above this many slots a shard grows by a quarter instead of doubling.
const DOUBLES_UPTO: usize = 1 << 12;

/// The most keys in `capacity` homes.
pub(super) fn fits(capacity: usize) -> usize {
    capacity / 20 * 17
}

pub(super) fn larger(capacity: usize) -> usize {
    if capacity < DOUBLES_UPTO { capacity * 2 } else { capacity + capacity / 4 }
}

/// The smallest capacity on the way up from `capacity` that holds `len` keys.
pub(super) fn grown(mut capacity: usize, len: usize) -> usize {
    while len > fits(capacity) {
        capacity = larger(capacity);
    }
    capacity
}

/// Fingerprints of 64 bits.
#[derive(Debug)]
pub struct Fingerprints {
    /// 0 is free. The last slot always is.
    slots: Vec<u64>,
    capacity: usize,
    len: usize,
    shard_bits: u32,
}

impl Fingerprints {
    #[inline]
    fn home(&self, key: u64) -> usize {
        ((u128::from(key << self.shard_bits) * self.capacity as u128) >> 64) as usize
    }

    fn rebuild(&mut self, capacity: usize) {
        let mut slots = vec![0; capacity + OVERFLOW];
        let old = std::mem::take(&mut self.slots);
        self.capacity = capacity;
        let mut next = 0;
        for &key in old.iter().filter(|&&key| key != 0) {
            let at = self.home(key).max(next);
            if at + 1 >= slots.len() {
                // So many behind the last home are all but impossible with mixed keys; a larger table has room for them.
                self.slots = old;
                return self.rebuild(larger(capacity));
            }
            slots[at] = key;
            next = at + 1;
        }
        self.slots = slots;
    }

    /// The key's slot, or the one where it belongs.
    #[inline]
    fn position(&self, key: u64) -> Result<usize, usize> {
        let from = self.home(key);
        for (steps, &slot) in self.slots[from..].iter().enumerate() {
            if slot == key {
                return Ok(from + steps);
            }
            if slot > key || slot == 0 {
                return Err(from + steps);
            }
        }
        Err(self.slots.len() - 1)
    }
}

/// 0 marks a free slot, so the one state whose fingerprint is 0 counts as that of fingerprint 1.
#[inline]
fn never_zero(key: u64) -> u64 {
    key.max(1)
}

impl Visited for Fingerprints {
    fn new(_: usize, shard_bits: u32, memory: usize) -> Self {
        let capacity = (memory / 8).saturating_sub(OVERFLOW).max(CAPACITY_MIN);
        Fingerprints { slots: vec![0; capacity + OVERFLOW], capacity, len: 0, shard_bits }
    }

    fn is_filled(&self) -> bool {
        self.len > self.capacity / 4 * 3
    }

    #[inline]
    fn key(state: &[u64], _: usize) -> u64 {
        never_zero(mix::fingerprint(state))
    }

    fn is_exact(bytes: usize) -> bool {
        !mix::can_collide(bytes)
    }

    fn memory(&self) -> usize {
        self.slots.len() * 8
    }

    fn reserve(&mut self, more: usize) {
        let capacity = grown(self.capacity, self.len + more);
        if capacity > self.capacity {
            self.rebuild(capacity);
        }
    }

    #[inline]
    fn touch(&self, key: u64) -> u64 {
        self.slots[self.home(key)]
    }

    #[inline]
    fn insert(&mut self, key: u64, _: &[u64]) -> bool {
        loop {
            let Err(at) = self.position(key) else { return false };
            let end = at + self.slots[at..].iter().take_while(|&&slot| slot != 0).count();
            if end + 1 < self.slots.len() && self.len < fits(self.capacity) {
                self.slots.copy_within(at..end, at + 1);
                self.slots[at] = key;
                self.len += 1;
                return true;
            }
            self.rebuild(larger(self.capacity));
        }
    }

    fn find(&self, key: u64, _: &[u64]) -> Option<usize> {
        self.position(key).ok()
    }

    fn slots(&self) -> usize {
        self.slots.len()
    }

    fn record_bytes(_: usize) -> usize {
        8
    }

    fn each(&self, _: usize, mut take: impl FnMut(usize, &[u8])) {
        for (slot, &key) in self.slots.iter().enumerate().filter(|&(_, &key)| key != 0) {
            take(slot, &key.to_be_bytes());
        }
    }

    fn clear(&mut self) {
        self.slots.fill(0);
        self.len = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::super::exact::Exact;
    use super::*;
    use std::collections::BTreeSet;

    fn states(bytes: usize, count: u64) -> impl Iterator<Item = Vec<u64>> {
        let mut seed = 0x2545_f491_4f6c_dd1du64;
        // Few distinct values, so that many are inserted twice, and some that differ in their last byte alone.
        (0..count).map(move |i| {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            let number = if i % 3 == 0 { i / 2 } else { seed % (count / 2) };
            let mut state = vec![0; bytes.div_ceil(8)];
            state[0] = u64::from(number as u32);
            state[(bytes - 1) / 8] ^= (seed >> 40 & 3) << (8 * ((bytes - 1) % 8));
            state
        })
    }

    fn bytes_of(state: &[u64]) -> Vec<u8> {
        state.iter().flat_map(|word| word.to_le_bytes()).collect()
    }

    fn agrees_with_a_set<V: Visited>(bytes: usize, count: u64, shard: usize, shard_bits: u32) {
        let tells_states = V::record_bytes(4) == 4;
        let mut table = V::new(bytes, shard_bits, 0);
        let mut set = BTreeSet::new();
        for state in states(bytes, count) {
            let key = V::key(&state, bytes);
            if shard_bits > 0 && key >> (64 - shard_bits) != shard as u64 {
                continue;
            }
            assert_eq!(table.insert(key, &state), set.insert(state.clone()), "{state:?}");
            assert!(table.find(key, &state).is_some());
        }
        let mut records: Vec<Vec<u8>> = Vec::new();
        table.each(shard, |_, record| records.push(record.to_vec()));
        assert!(records.windows(2).all(|pair| pair[0] < pair[1]), "records ascend");
        assert_eq!(records.len(), set.len());
        if tells_states {
            let word = |bytes: &[u8]| (0..8).map(|i| u64::from(*bytes.get(i).unwrap_or(&0)) << (8 * i)).sum::<u64>();
            let state = |record: &Vec<u8>| {
                let (head, rest) = record.split_at(bytes.min(8));
                let rest: Vec<u64> = rest.chunks(8).map(word).collect();
                mix::tests::unhead(word(head).swap_bytes(), bytes, &rest)
            };
            let told: BTreeSet<Vec<u64>> = records.iter().map(state).collect();
            assert_eq!(told, set, "the slots tell the states");
        }
        for state in states(bytes, count * 2).skip(count as usize) {
            let (key, known) = (V::key(&state, bytes), set.contains(&state));
            if shard_bits == 0 || key >> (64 - shard_bits) == shard as u64 {
                assert_eq!(table.find(key, &state).is_some(), known, "{:?}", bytes_of(&state));
            }
        }
    }

    fn takes_the_memory_that_it_is_given<V: Visited>(bytes: usize) {
        let mut table = V::new(bytes, 6, 1 << 18);
        let before = table.memory();
        assert!((240 << 10..=1 << 18).contains(&before), "{bytes}: {before} bytes");
        let in_shard =
            states(bytes, 4_000_000).map(|state| (V::key(&state, bytes), state)).filter(|(key, _)| key >> 58 == 9);
        in_shard.take(50_000).for_each(|(key, state)| {
            if !table.is_filled() {
                table.insert(key, &state);
            }
        });
        assert!(table.is_filled(), "{bytes}");
        assert_eq!(table.memory(), before, "it has not grown");
        table.clear();
        assert_eq!((table.memory(), table.is_filled()), (before, false));
        table.each(9, |_, _| panic!("it is empty"));
    }

    #[test]
    fn a_shard_of_a_given_size_fills_without_growing() {
        [16, 24, 40].into_iter().for_each(takes_the_memory_that_it_is_given::<Exact>);
        takes_the_memory_that_it_is_given::<Fingerprints>(16);
    }

    #[test]
    fn fingerprints_agree_with_a_set() {
        for (bytes, shard, shard_bits) in [(4, 0, 0), (8, 3, 6), (12, 0, 0), (30, 5, 3)] {
            agrees_with_a_set::<Fingerprints>(bytes, 60_000, shard, shard_bits);
        }
    }

    #[test]
    fn exact_slots_agree_with_a_set_and_tell_every_state() {
        for bytes in [4, 5, 6, 7, 8, 9, 13, 16, 31] {
            agrees_with_a_set::<Exact>(bytes, 300_000, 3, 6);
            agrees_with_a_set::<Exact>(bytes, 300_000, 1023, 10);
        }
    }

    #[test]
    fn an_exact_slot_takes_no_more_bytes_than_the_state() {
        for bytes in [4, 5, 7, 8, 9, 16, 40] {
            let mut table = Exact::new(bytes, 6, 0);
            for state in states(bytes, 400_000) {
                let key = Exact::key(&state, bytes);
                if key >> 58 == 1 {
                    table.insert(key, &state);
                }
            }
            assert!(table.memory() <= (table.slots() + 8) * bytes, "{bytes}: {} bytes", table.memory());
        }
    }
}
