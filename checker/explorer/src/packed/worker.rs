//! What a search thread has for itself.

use super::mix;

/// Transitions of a shard that are collected before its table is locked.
pub const BATCH: usize = 64;
/// Successors that are collected before their keys are computed, all in one go.
const FRESH: usize = 64;
/// Entries of a thread's memory of recent states, as a power of two.
const RECENT_BITS: u32 = 13;

/// What one thread has beside the model.
pub struct Worker {
    pub fresh: Fresh,
    /// By shard, room for [`BATCH`] entries: a key and the words of its state.
    pub batches: Vec<u64>,
    /// Entries of each batch, in words.
    pub filled: Vec<usize>,
    pub recent: Recent,
    pub unpacked: Vec<u64>,
    pub out: Vec<u8>,
    pub tally: Tally,
    /// Where states go that are not for a table of this thread: none if all are.
    pub outbox: Option<Outbox>,
}

/// States on their way to the workers that own them.
pub struct Outbox {
    /// By worker, the words of states, one behind the other.
    filling: Vec<Vec<u64>>,
    /// Parcels that are to be sent: for whom, and what.
    pub full: Vec<(usize, Vec<u64>)>,
}

/// Words of a parcel.
const PARCEL: usize = 8 << 10;

impl Outbox {
    #[must_use]
    pub fn new(workers: usize) -> Self {
        Outbox { filling: vec![Vec::new(); workers], full: Vec::new() }
    }

    /// Takes entries of `stride` words: a key and the words of its state.
    pub fn put(&mut self, entries: &[u64], stride: usize) {
        for entry in entries.chunks_exact(stride) {
            let owner = owner(entry[0], self.filling.len());
            let parcel = &mut self.filling[owner];
            if parcel.capacity() == 0 {
                parcel.reserve_exact(PARCEL + stride);
            }
            parcel.extend_from_slice(&entry[1..]);
            if parcel.len() >= PARCEL {
                self.full.push((owner, std::mem::take(parcel)));
            }
        }
    }

    /// Makes parcels of what is left.
    pub fn finish(&mut self) {
        let left = self.filling.iter_mut().enumerate().filter(|(_, parcel)| !parcel.is_empty());
        self.full.extend(left.map(|(owner, parcel)| (owner, std::mem::take(parcel))));
    }
}

/// Which of `workers` workers owns the states of a key. A table places keys by their most significant bits, so what these
/// workers own must not be a range of them.
#[inline]
#[must_use]
pub fn owner(key: u64, workers: usize) -> usize {
    let spread = mix::fingerprint(&[key]) >> 32;
    ((spread * workers as u64) >> 32) as usize
}

/// What a thread adds up on one level.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    pub generated: u64,
    /// Of `generated`, what is in the shared counter already.
    pub told: u64,
    pub new: u64,
    pub sum: u64,
    pub actions: Vec<u64>,
}

/// Packed states that were just generated, one behind the other.
pub struct Fresh {
    words: Vec<u64>,
    filled: usize,
}

impl Fresh {
    /// Room for the next state, of so many words; [`Fresh::take_up`] keeps what is written there. Law: it is not full.
    #[inline]
    pub fn room(&mut self, words: usize) -> &mut [u64] {
        &mut self.words[self.filled..self.filled + words]
    }

    #[inline]
    pub fn take_up(&mut self, words: usize) {
        self.filled += words;
    }

    #[inline]
    pub fn is_full(&self) -> bool {
        self.filled == self.words.len()
    }

    /// The states; they are gone with the next [`Fresh::room`].
    #[inline]
    pub fn drain(&mut self) -> &[u64] {
        &self.words[..std::mem::take(&mut self.filled)]
    }
}

/// States that a thread has passed on to the tables a moment ago: their keys, and the states too where equal keys do not
/// prove equal states.
pub struct Recent {
    entries: Vec<u64>,
    /// Whether an entry is a key and a state, not a key alone.
    whole: bool,
}

impl Recent {
    /// `words`: those of a state, if it is kept.
    pub fn new(words: Option<usize>) -> Self {
        Recent { entries: vec![u64::MAX; (1 + words.unwrap_or(0)) << RECENT_BITS], whole: words.is_some() }
    }

    /// Whether the state is there; if not, it is from now on. `shard_bits` of the key are the same for many states.
    #[inline]
    pub fn knows(&mut self, key: u64, state: &[u64], shard_bits: u32) -> bool {
        let place = (key << shard_bits >> (u64::BITS - RECENT_BITS)) as usize;
        // Of a state whose key looks like a free place it is never said that it is there.
        let is_real = key != u64::MAX;
        if !self.whole {
            return (std::mem::replace(&mut self.entries[place], key) == key) & is_real;
        }
        let own = &mut self.entries[place * (1 + state.len())..][..1 + state.len()];
        let mut known = is_real & (std::mem::replace(&mut own[0], key) == key);
        for (own, word) in own[1..].iter_mut().zip(state) {
            known &= std::mem::replace(own, *word) == *word;
        }
        known
    }
}

impl Worker {
    /// `shards` batches of entries of `1 + words` words; `whole`: whether recent states are kept beside their keys.
    #[must_use]
    pub fn new(shards: usize, words: usize, whole: bool) -> Self {
        Worker {
            fresh: Fresh { words: vec![0; FRESH * words], filled: 0 },
            batches: vec![0; shards * BATCH * (1 + words)],
            filled: vec![0; shards],
            recent: Recent::new(whole.then_some(words)),
            unpacked: vec![0; words],
            out: Vec::new(),
            tally: Tally::default(),
            outbox: None,
        }
    }

    /// Bytes that one takes.
    #[must_use]
    pub fn memory(shards: usize, words: usize, whole: bool) -> usize {
        let recent = if whole { 1 + words } else { 1 };
        8 * (FRESH * words + shards * BATCH * (1 + words) + (recent << RECENT_BITS))
    }
}

impl Tally {
    pub fn add(&mut self, other: &Tally) {
        self.new += other.new;
        self.sum = self.sum.wrapping_add(other.sum);
        self.actions.resize(self.actions.len().max(other.actions.len()), 0);
        self.actions.iter_mut().zip(&other.actions).for_each(|(sum, more)| *sum += more);
    }
}
