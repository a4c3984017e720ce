//! What a search thread has for itself.

/// Transitions of a shard that are collected before its table is locked.
pub const BATCH: usize = 64;
/// Entries of a thread's memory of recent states.
const RECENT: usize = 1 << 13;

/// What one thread has beside the model.
pub struct Worker {
    /// By shard, room for [`BATCH`] entries: a key and the words of its state.
    pub batches: Vec<u64>,
    /// Entries of each batch, in words.
    pub filled: Vec<usize>,
    pub full: Vec<usize>,
    pub recent: Recent,
    /// The words of one entry.
    pub scratch: Vec<u64>,
    pub unpacked: Vec<u64>,
    pub out: Vec<u8>,
    pub tally: Tally,
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

/// States that a thread has passed on to the tables a moment ago: their keys, and the states too where equal keys do not
/// prove equal states.
pub struct Recent {
    entries: Vec<u64>,
    /// Words of an entry.
    stride: usize,
}

impl Recent {
    pub fn new(stride: usize) -> Self {
        Recent { entries: vec![u64::MAX; RECENT * stride], stride }
    }

    /// Whether the entry is there; if not, it is from now on.
    #[inline]
    pub fn knows(&mut self, entry: &[u64]) -> bool {
        let place = (entry[0].wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (64 - RECENT.ilog2())) as usize;
        // Of a state whose key looks like a free place it is never said that it is there.
        if self.stride == 1 {
            let own = &mut self.entries[place];
            let known = *own == entry[0] && entry[0] != u64::MAX;
            *own = entry[0];
            return known;
        }
        let own = &mut self.entries[place * self.stride..][..self.stride];
        let known = own == entry && entry[0] != u64::MAX;
        own.copy_from_slice(entry);
        known
    }
}

impl Worker {
    /// `shards` batches of entries of `1 + words` words; `recent`: words of an entry that tell the state.
    #[must_use]
    pub fn new(shards: usize, words: usize, recent: usize) -> Self {
        Worker {
            batches: vec![0; shards * BATCH * (1 + words)],
            filled: vec![0; shards],
            full: Vec::new(),
            recent: Recent::new(recent),
            scratch: vec![0; 1 + words],
            unpacked: vec![0; words],
            out: Vec::new(),
            tally: Tally::default(),
        }
    }

    /// Bytes that one takes.
    #[must_use]
    pub fn memory(shards: usize, words: usize, recent: usize) -> usize {
        8 * (shards * BATCH * (1 + words) + RECENT * recent)
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
