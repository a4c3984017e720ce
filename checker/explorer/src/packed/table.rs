//! The visited set, one shard of it: open addressing in order.
//!
//! A key's *home* grows with the key, and the keys of a shard lie in their slots in ascending order, none before its home.
//! So a search ends where a greater key lies, a shard is written to disk or into a larger table in one pass, and any
//! capacity will do, not powers of two alone: a table grows by a quarter and stays well filled.

use super::mix;
use super::region::Region;

/// What the search asks of a shard. `key` is always [`Visited::key`] of `state`.
pub trait Visited: Send + Sync + Sized {
    /// How many bits of a key choose the shard, for so many threads.
    fn shard_bits(threads: usize) -> u32;

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
/// Slots in which most keys that are there are found, one cache line of them.
const NEAR: usize = 8;
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
    slots: Region,
    capacity: usize,
    len: usize,
    shard_bits: u32,
}

/// Above this many slots fingerprints grow by a quarter instead of a half.
const HALVES_UPTO: usize = 1 << 24;

impl Fingerprints {
    #[inline]
    fn home(&self, key: u64) -> usize {
        home(key << self.shard_bits, self.capacity)
    }

    /// Grows in place: all keys move to the end, and from there, in order, to where they belong now. A key never has to go
    /// behind those that are still to be moved, because each of these needs a slot behind it too.
    fn grow(&mut self, capacity: usize) {
        let old = self.slots();
        self.slots.grow(capacity + OVERFLOW);
        self.capacity = capacity;
        let slots = self.slots.words_mut();
        let mut from = slots.len();
        for slot in (0..old).rev() {
            if slots[slot] != [0; 8] {
                from -= 1;
                slots[from] = slots[slot];
            }
        }
        let mut next = 0;
        for from in from..slots.len() {
            let key = slots[from];
            let at = home(u64::from_ne_bytes(key) << self.shard_bits, capacity).max(next).min(from);
            slots[next..at].fill([0; 8]);
            slots[at] = key;
            next = at + 1;
        }
        slots[next..].fill([0; 8]);
        if next == slots.len() {
            // So many behind the last home are all but impossible with mixed keys; a larger table has room for them.
            self.grow(capacity + capacity / 4);
        }
    }

    /// Whether the key lies near its home. Without a branch a slot: most keys are duplicates, and how far from home they lie
    /// cannot be predicted.
    #[inline]
    fn is_near(&self, key: u64) -> bool {
        // Behind the last home there are more slots than these.
        let near = &self.slots.words()[self.home(key)..][..NEAR];
        near.iter().fold(false, |found, slot| found | (u64::from_ne_bytes(*slot) == key))
    }

    /// The key's slot, or the one where it belongs.
    fn position(&self, key: u64) -> Result<usize, usize> {
        let (slots, from) = (self.slots.words(), self.home(key));
        for (steps, slot) in slots[from..].iter().enumerate() {
            let slot = u64::from_ne_bytes(*slot);
            if slot == key {
                return Ok(from + steps);
            }
            if slot > key || slot == 0 {
                return Err(from + steps);
            }
        }
        Err(slots.len() - 1)
    }

    fn larger(&self) -> usize {
        match self.capacity {
            ..HALVES_UPTO => self.capacity + self.capacity / 2,
            _ => self.capacity + self.capacity / 4,
        }
    }
}

/// Where a key whose shard is shifted out belongs.
#[inline]
fn home(key: u64, capacity: usize) -> usize {
    ((u128::from(key) * capacity as u128) >> 64) as usize
}

/// 0 marks a free slot, so the one state whose fingerprint is 0 counts as that of fingerprint 1.
#[inline]
fn never_zero(key: u64) -> u64 {
    key.max(1)
}

impl Visited for Fingerprints {
    /// A table that grows in place needs no shards but for threads to get out of each other's way.
    fn shard_bits(threads: usize) -> u32 {
        if threads == 1 { 0 } else { (4 * threads).next_power_of_two().ilog2().clamp(4, 10) }
    }

    fn new(_: usize, shard_bits: u32, memory: usize) -> Self {
        let capacity = (memory / 8).saturating_sub(OVERFLOW).max(CAPACITY_MIN);
        Fingerprints { slots: Region::zeroed(capacity + OVERFLOW), capacity, len: 0, shard_bits }
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
        self.slots() * 8
    }

    fn reserve(&mut self, more: usize) {
        while self.len + more > fits(self.capacity) {
            self.grow(self.larger());
        }
    }

    #[inline]
    fn touch(&self, key: u64) -> u64 {
        let near = &self.slots.words()[self.home(key)..][..NEAR];
        u64::from_ne_bytes(near[0]) ^ u64::from_ne_bytes(near[NEAR - 1])
    }

    #[inline]
    fn insert(&mut self, key: u64, _: &[u64]) -> bool {
        if self.is_near(key) {
            return false;
        }
        loop {
            let Err(at) = self.position(key) else { return false };
            let slots = self.slots.words_mut();
            let end = at + slots[at..].iter().take_while(|&&slot| slot != [0; 8]).count();
            if end + 1 < slots.len() && self.len < fits(self.capacity) {
                slots.copy_within(at..end, at + 1);
                slots[at] = key.to_ne_bytes();
                self.len += 1;
                return true;
            }
            self.grow(self.larger());
        }
    }

    fn find(&self, key: u64, _: &[u64]) -> Option<usize> {
        self.position(key).ok()
    }

    fn slots(&self) -> usize {
        self.slots.words().len()
    }

    fn record_bytes(_: usize) -> usize {
        8
    }

    fn each(&self, _: usize, mut take: impl FnMut(usize, &[u8])) {
        for (slot, key) in self.slots.words().iter().enumerate().filter(|&(_, &key)| key != [0; 8]) {
            take(slot, &u64::from_ne_bytes(*key).to_be_bytes());
        }
    }

    fn clear(&mut self) {
        self.slots.words_mut().fill([0; 8]);
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

    /// As if by chance all keys lay in the last quarter of the shard: more come behind the last home than there is room for.
    #[test]
    fn keys_that_crowd_at_the_end_make_the_table_grow_and_stay_in_order() {
        let mut table = Fingerprints::new(8, 0, 0);
        let keys: Vec<u64> = (0..1000).map(|n| u64::MAX - (n << 52)).collect();
        assert!(keys.iter().all(|&key| table.insert(key, &[])));
        assert!(keys.iter().all(|&key| !table.insert(key, &[]) && table.find(key, &[]).is_some()));
        let mut told = Vec::new();
        table.each(0, |_, record| told.push(u64::from_be_bytes(record.try_into().unwrap())));
        assert_eq!(told, keys.into_iter().rev().collect::<Vec<_>>());
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
