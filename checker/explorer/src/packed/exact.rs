//! The visited set without collisions, in no more bytes a slot than a packed state has.
//!
//! *Quotienting*: [`mix::head`] and the bytes behind the eighth tell a state; where a head lies tells its most significant
//! bits, so the slot keeps only the remainder. A slot is one byte for how far it lies behind its home (plus one; 0 is free),
//! the remainder, and the state's bytes behind the eighth.

use std::cmp::Ordering;

use super::mix;
use super::table::{CAPACITY_MIN, OVERFLOW, Visited, fits, grown, larger};

#[derive(Debug)]
pub struct Exact {
    slots: Vec<u8>,
    layout: Layout,
    len: usize,
}

/// How a shard of some capacity lays out its slots.
#[derive(Clone, Copy, Debug)]
struct Layout {
    capacity: usize,
    shard_bits: u32,
    /// Bits of a head within a shard.
    key_bits: u32,
    remainder_bits: u32,
    remainder_bytes: usize,
    /// Bytes of a state behind the eighth.
    rest: usize,
    stride: usize,
}

/// Where a head belongs.
#[derive(Clone, Copy)]
struct Place {
    home: usize,
    remainder: u64,
}

/// Bytes behind the last slot, so that any slot can be read as one word.
const PADDING: usize = 8;

impl Layout {
    fn new(bytes: usize, shard_bits: u32, capacity: usize) -> Self {
        let key_bits = 8 * bytes.min(8) as u32 - shard_bits;
        let remainder_bits = key_bits.saturating_sub(capacity.ilog2());
        let remainder_bytes = remainder_bits.div_ceil(8) as usize;
        let rest = bytes.saturating_sub(8);
        Layout {
            capacity,
            shard_bits,
            key_bits,
            remainder_bits,
            remainder_bytes,
            rest,
            stride: 1 + remainder_bytes + rest,
        }
    }

    fn resized(&self, capacity: usize) -> Self {
        let bytes = ((self.key_bits + self.shard_bits) / 8) as usize + self.rest;
        Layout::new(bytes, self.shard_bits, capacity)
    }

    fn memory(&self) -> usize {
        (self.capacity + OVERFLOW) * self.stride + PADDING
    }

    /// Heads of one home differ by multiples of `capacity` in what lies behind the point of `head / 2⁶⁴ · capacity`, so
    /// these fractions differ above the bits that a power of two below `capacity` leaves.
    #[inline]
    fn place(&self, head: u64) -> Place {
        let product = u128::from(head << self.shard_bits) * self.capacity as u128;
        let remainder = if self.remainder_bits == 0 { 0 } else { product as u64 >> (64 - self.remainder_bits) };
        Place { home: (product >> 64) as usize, remainder }
    }

    /// The head within its shard, its bits the most significant ones, that [`Layout::place`] put there: the least one
    /// whose product is not below the home and the remainder.
    fn head(&self, place: Place) -> u64 {
        let capacity = self.capacity as u128;
        let product = ((place.home as u128) << self.key_bits)
            + (u128::from(place.remainder) << (self.key_bits - self.remainder_bits));
        (product.div_ceil(capacity) as u64) << (64 - self.key_bits)
    }
}

impl Exact {
    fn of(layout: Layout) -> Self {
        Exact { slots: vec![0; layout.memory()], layout, len: 0 }
    }

    #[inline]
    fn offset(&self, slot: usize) -> usize {
        slot * self.layout.stride
    }

    /// How far behind its home the slot's state lies, plus one; 0 of a free one. And its remainder.
    #[inline]
    fn slot(&self, slot: usize) -> (usize, u64) {
        let word = word_at(&self.slots, self.offset(slot));
        let mask = (1 << (8 * self.layout.remainder_bytes)) - 1;
        ((word & 0xff) as usize, word >> 8 & mask)
    }

    #[inline]
    fn rest(&self, slot: usize) -> &[u8] {
        let from = self.offset(slot) + 1 + self.layout.remainder_bytes;
        &self.slots[from..from + self.layout.rest]
    }

    /// How what the slot keeps behind its remainder compares with a state's words behind the first, byte by byte.
    #[inline]
    fn compare_rest(&self, slot: usize, rest: &[u64]) -> Ordering {
        let own = self.rest(slot).chunks(8).zip(rest);
        let different = own.map(|(own, word)| {
            let own = if own.len() == 8 { word_at(own, 0) } else { short_word(own) };
            own.swap_bytes().cmp(&word.swap_bytes())
        });
        different.into_iter().find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
    }

    fn write(&mut self, slot: usize, behind: usize, remainder: u64) -> &mut [u8] {
        let (from, bytes) = (self.offset(slot), self.layout.remainder_bytes);
        let slot = &mut self.slots[from..from + self.layout.stride];
        // `behind` is at most 254: `position` and `make_room` see to it.
        slot[0] = behind as u8 + 1;
        slot[1..=bytes].copy_from_slice(&remainder.to_le_bytes()[..bytes]);
        &mut slot[1 + bytes..]
    }

    /// The state's slot, or the one where it belongs; none if that is too far behind its home.
    #[inline]
    fn position(&self, place: Place, rest: &[u64]) -> Option<Result<usize, usize>> {
        for behind in 0..255 {
            let at = place.home + behind;
            let (mark, remainder) = self.slot(at);
            if mark <= behind {
                return Some(Err(at));
            }
            if mark == behind + 1 {
                match remainder.cmp(&place.remainder).then_with(|| self.compare_rest(at, rest)) {
                    Ordering::Less => {}
                    Ordering::Equal => return Some(Ok(at)),
                    Ordering::Greater => return Some(Err(at)),
                }
            }
        }
        None
    }

    /// Moves what lies from `at` on by one slot; whether there was room.
    fn make_room(&mut self, at: usize) -> bool {
        let stride = self.layout.stride;
        let mut end = at;
        loop {
            match self.slots[self.offset(end)] {
                0 => break,
                u8::MAX => return false,
                _ => end += 1,
            }
        }
        if end + 1 >= self.slots() {
            return false;
        }
        self.slots.copy_within(at * stride..end * stride, (at + 1) * stride);
        (at + 1..=end).for_each(|slot| self.slots[slot * stride] += 1);
        true
    }

    fn rebuild(&mut self, capacity: usize) {
        let mut larger_one = Exact::of(self.layout.resized(capacity));
        let mut next = 0;
        for slot in 0..self.slots() {
            let (mark, remainder) = self.slot(slot);
            if mark == 0 {
                continue;
            }
            let head = self.layout.head(Place { home: slot + 1 - mark, remainder });
            let place = larger_one.layout.place(head >> self.layout.shard_bits);
            let at = place.home.max(next);
            if at - place.home > 254 || at + 1 >= larger_one.slots() {
                return self.rebuild(larger(capacity));
            }
            larger_one.write(at, at - place.home, place.remainder).copy_from_slice(self.rest(slot));
            next = at + 1;
        }
        larger_one.len = self.len;
        *self = larger_one;
    }
}

/// The eight bytes from `at` on, least significant first.
#[inline]
fn word_at(bytes: &[u8], at: usize) -> u64 {
    let mut word = [0; 8];
    word.copy_from_slice(&bytes[at..at + 8]);
    u64::from_le_bytes(word)
}

fn short_word(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |word, &byte| word << 8 | u64::from(byte))
}

impl Visited for Exact {
    /// A shard is copied to grow, so there are many.
    fn shard_bits(threads: usize) -> u32 {
        6 + (threads / 4).next_power_of_two().ilog2().min(4)
    }

    fn new(bytes: usize, shard_bits: u32, memory: usize) -> Self {
        // With more slots than these a slot is no longer.
        let stride = Layout::new(bytes, shard_bits, (memory / bytes).max(CAPACITY_MIN)).stride;
        let capacity = (memory.saturating_sub(PADDING) / stride).saturating_sub(OVERFLOW).max(CAPACITY_MIN);
        Exact::of(Layout::new(bytes, shard_bits, capacity))
    }

    fn is_filled(&self) -> bool {
        self.len > self.layout.capacity / 4 * 3
    }

    #[inline]
    fn key(state: &[u64], bytes: usize) -> u64 {
        mix::head(state, bytes)
    }

    fn is_exact(_: usize) -> bool {
        true
    }

    fn memory(&self) -> usize {
        self.slots.len()
    }

    fn reserve(&mut self, more: usize) {
        let capacity = grown(self.layout.capacity, self.len + more);
        if capacity > self.layout.capacity {
            self.rebuild(capacity);
        }
    }

    #[inline]
    fn touch(&self, key: u64) -> u64 {
        self.slots[self.offset(self.layout.place(key).home)].into()
    }

    #[inline]
    fn insert(&mut self, key: u64, state: &[u64]) -> bool {
        let (place, rest) = (self.layout.place(key), &state[1..]);
        match self.position(place, rest) {
            Some(Ok(_)) => return false,
            Some(Err(at)) if self.len < fits(self.layout.capacity) && self.make_room(at) => {
                let own = self.write(at, at - place.home, place.remainder);
                own.chunks_mut(8)
                    .zip(rest)
                    .for_each(|(own, word)| own.copy_from_slice(&word.to_le_bytes()[..own.len()]));
                self.len += 1;
                return true;
            }
            Some(Err(_)) | None => {}
        }
        self.rebuild(larger(self.layout.capacity));
        self.insert(key, state)
    }

    fn find(&self, key: u64, state: &[u64]) -> Option<usize> {
        self.position(self.layout.place(key), &state[1..])?.ok()
    }

    fn slots(&self) -> usize {
        self.layout.capacity + OVERFLOW
    }

    fn record_bytes(bytes: usize) -> usize {
        bytes
    }

    fn each(&self, shard: usize, mut take: impl FnMut(usize, &[u8])) {
        let bytes_of_head = ((self.layout.key_bits + self.layout.shard_bits) / 8) as usize;
        let mut record = vec![0; bytes_of_head + self.layout.rest];
        for slot in 0..self.slots() {
            let (mark, remainder) = self.slot(slot);
            if mark == 0 {
                continue;
            }
            let within = self.layout.head(Place { home: slot + 1 - mark, remainder });
            let top = if self.layout.shard_bits == 0 { 0 } else { (shard as u64) << (64 - self.layout.shard_bits) };
            let head = top | within >> self.layout.shard_bits;
            record[..bytes_of_head].copy_from_slice(&head.to_be_bytes()[..bytes_of_head]);
            record[bytes_of_head..].copy_from_slice(self.rest(slot));
            take(slot, &record);
        }
    }

    fn clear(&mut self) {
        self.slots.fill(0);
        self.len = 0;
    }
}
