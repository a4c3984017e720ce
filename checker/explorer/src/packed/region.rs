//! Memory that grows in place: address space is reserved for much more than is used, and pages come when they are touched.
//!
//! A table in an ordinary allocation must be copied to grow, and each copy is made of pages that the system clears first;
//! for a table of a hundred megabytes that took a sixth of the whole search. Behind the first megabytes the pages are huge
//! ones where the system has them: a table is read at random places, which needs an address translation each.

use memmap2::{Advice, MmapMut, MmapOptions};

/// Words of eight bytes, zero at first.
#[derive(Debug)]
pub struct Region {
    map: MmapMut,
    /// Words in use.
    len: usize,
}

/// Bytes of address space that a region first asks for. They cost nothing, but there may be a limit.
const RESERVED: usize = 64 << 30;
/// Bytes in ordinary pages before huge ones are worth what they may waste.
const ORDINARY: usize = 8 << 20;

impl Region {
    /// `len` words of zero.
    ///
    /// # Panics
    /// If there is no memory.
    #[must_use]
    pub fn zeroed(len: usize) -> Self {
        let needed = (len * 8).max(1);
        let mut bytes = RESERVED.max(needed);
        let map = loop {
            match MmapOptions::new().len(bytes).no_reserve_swap().map_anon() {
                Ok(map) => break map,
                Err(_) if bytes > needed => bytes = (bytes / 4).max(needed),
                Err(error) => panic!("no memory for {needed} bytes: {error}"),
            }
        };
        if bytes > ORDINARY {
            // A system without huge pages refuses, and ordinary ones do.
            let _ = map.advise_range(Advice::HugePage, ORDINARY, bytes - ORDINARY);
        }
        Region { map, len }
    }

    /// Adds words of zero up to `len`. What is there stays, in place if the reserved space is large enough.
    pub fn grow(&mut self, len: usize) {
        if len * 8 > self.map.len() {
            let mut larger = Region::zeroed(len);
            larger.map[..8 * self.len].copy_from_slice(&self.map[..8 * self.len]);
            *self = larger;
        }
        self.len = self.len.max(len);
    }

    #[must_use]
    #[inline]
    pub fn words(&self) -> &[[u8; 8]] {
        self.map[..8 * self.len].as_chunks().0
    }

    #[must_use]
    #[inline]
    pub fn words_mut(&mut self) -> &mut [[u8; 8]] {
        self.map[..8 * self.len].as_chunks_mut().0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_there_stays_and_what_comes_is_zero() {
        let mut region = Region::zeroed(100);
        region.words_mut().iter_mut().zip(1u64..).for_each(|(word, n)| *word = n.to_ne_bytes());
        // The second time the reserved space ends.
        for len in [1_000_000, RESERVED / 8 + 1] {
            region.grow(len);
            let words = region.words();
            assert_eq!(words.len(), len);
            assert!(words.iter().zip(1u64..).take(100).all(|(word, n)| u64::from_ne_bytes(*word) == n));
            assert!([100, 999_999, len - 1].iter().all(|&at| words[at] == [0; 8]));
        }
    }
}
