//! An order of transactions, made one by one, that explains every read: a proof of serializability where the order of
//! the versions is not known.
//!
//! A transaction may come next if all that the graph puts before it has come, and if it overwrites no version that
//! somebody still has to read. Reads therefore never fail, and one that only reads is taken at once: that excludes
//! nothing. Of several writers the one that returned first comes first; if that leads nowhere, the last choice is taken
//! back, and no state is entered twice. Where the graph keeps real time, the choices at any moment are as many as there
//! are clients, and a wrong one shows within a few steps. Without it there may be many, of which only some are tried:
//! then finding nothing proves nothing.

use std::collections::{BTreeSet, HashSet};

use super::anomaly::{Orders, Shape};
use super::cycles;
use super::database::Database;
use super::dependencies::{Readers, graph};
use super::graph::Graph;
use super::registers::{self, Inference};
use super::report::Options;
use super::versions::{NONE, Versions};

/// An order that keeps `orders`, of all transactions that took effect, as positions in the database.
pub(super) fn schedule(database: &Database<'_>, orders: Orders, options: &Options) -> Option<Vec<u32>> {
    // A real system keeps more than it promises: the stronger order leaves fewer wrong turns. What is serializable in
    // the order of real time, or of sessions, has keys that are so too.
    let kept = [Orders::RealTime, Orders::Process, Orders::Data].into_iter().filter(|kept| *kept >= orders);
    kept.into_iter().find_map(|kept| {
        let options = Options {
            linearizable_keys: kept == Orders::RealTime || options.linearizable_keys,
            sequential_keys: kept == Orders::Process || options.sequential_keys,
            ..options.clone()
        };
        let versions = registers::versions(database, &options, Inference::ReadThenWrite).ok()?;
        let readers = Readers::of_all(database, &versions);
        let graph = graph(database, &versions, &readers, kept);
        if cycles::exists(&graph, Shape::G2Item, kept) != Some(false) {
            return None;
        }
        let order = Schedule::new(database, &versions, &readers, &graph).run(&options)?;
        replays(database, &versions, &order).then_some(order)
    })
}

/// At most how many of those that may come next are looked at.
const LOOKED_AT: usize = 64;

/// At most how many placements, for each transaction.
const PLACEMENTS: usize = 8;

/// Writers by their return, so that the earliest is first; all that only read are before them.
type Rank = (usize, u32);

struct Schedule<'s, 'h> {
    database: &'s Database<'h>,
    versions: &'s Versions,
    graph: &'s Graph,
    /// Of each node, how many edges into it have not been taken.
    waits: Vec<u32>,
    /// Of each version, by how many transactions other than its writer it has still to be read.
    unread: Vec<u32>,
    /// Of each key, its version now.
    now: Vec<u32>,
    ready: BTreeSet<Rank>,
    placed: Vec<Placed>,
    /// A number for who has been placed and what the keys hold.
    state: u64,
    entered: HashSet<u64>,
}

/// A placement, with what it takes to undo it.
struct Placed {
    rank: Rank,
    /// Of each key that it wrote, what it held before.
    overwrote: Vec<(u32, u32)>,
}

impl<'s, 'h> Schedule<'s, 'h> {
    fn new(database: &'s Database<'h>, versions: &'s Versions, readers: &Readers, graph: &'s Graph) -> Self {
        let mut waits = vec![0; graph.nodes()];
        for edge in graph.edges() {
            waits[edge.to as usize] += 1;
        }
        let unread = |version: u32| {
            let readers = readers.of(version);
            let repeated = readers.windows(2).filter(|pair| pair[0] == pair[1]).count();
            (readers.len() - repeated) as u32
        };
        Self {
            database,
            versions,
            graph,
            waits,
            unread: (0..versions.key.len() as u32).map(unread).collect(),
            now: (0..database.keys.len() as u32).collect(),
            ready: BTreeSet::new(),
            placed: Vec::new(),
            state: 0,
            entered: HashSet::new(),
        }
    }

    fn run(mut self, options: &Options) -> Option<Vec<u32>> {
        let count = self.versions.counts.iter().filter(|counts| **counts).count();
        let first: Vec<u32> = (0..self.graph.nodes() as u32).filter(|node| self.waits[*node as usize] == 0).collect();
        first.into_iter().for_each(|node| self.free(node));
        let mut left = PLACEMENTS * count + 1_000;
        let mut after: Option<Rank> = None;
        while self.placed.len() < count {
            left = left.checked_sub(1).filter(|_| !options.is_interrupted())?;
            match self.next(after) {
                Some(rank) => {
                    self.place(rank);
                    // A state that led nowhere before will do so again.
                    after = if self.entered.insert(self.state) { None } else { Some(self.take_back()?) };
                }
                None => after = Some(self.take_back()?),
            }
        }
        Some(self.placed.iter().map(|placed| placed.rank.1).collect())
    }

    /// The first that may come next, of those after `after`. Those that only read have no alternative.
    fn next(&self, after: Option<Rank>) -> Option<Rank> {
        let from = match after {
            Some((0, _)) => return None,
            Some((returned, transaction)) => (returned, transaction + 1),
            None => (0, 0),
        };
        self.ready.range(from..).take(LOOKED_AT).copied().find(|rank| !self.is_blocked(rank.1))
    }

    /// All that is before the node has come.
    fn free(&mut self, node: u32) {
        let mut freed = vec![node];
        while let Some(node) = freed.pop() {
            if !self.graph.is_relay(node) {
                if self.versions.counts[node as usize] {
                    self.ready.insert(self.rank(node));
                }
                continue;
            }
            for edge in self.graph.out(node) {
                let waits = &mut self.waits[edge.to as usize];
                *waits -= 1;
                if *waits == 0 {
                    freed.push(edge.to);
                }
            }
        }
    }

    /// The reverse of [`Schedule::free`].
    fn bind(&mut self, node: u32) {
        let mut bound = vec![node];
        while let Some(node) = bound.pop() {
            if !self.graph.is_relay(node) {
                self.ready.remove(&self.rank(node));
                continue;
            }
            for edge in self.graph.out(node) {
                let waits = &mut self.waits[edge.to as usize];
                *waits += 1;
                if *waits == 1 {
                    bound.push(edge.to);
                }
            }
        }
    }

    fn rank(&self, transaction: u32) -> Rank {
        let writes = self.database.steps_of(transaction as usize).iter().any(|step| !step.reads);
        let returned = self.database.transactions[transaction as usize].returned;
        (if writes { 1 + returned.unwrap_or(usize::MAX - 1) } else { 0 }, transaction)
    }

    /// Whether it writes a key whose version others have still to read.
    fn is_blocked(&self, transaction: u32) -> bool {
        let mut written = self.places(transaction).filter(|place| !self.database.steps[*place].reads);
        written.any(|place| {
            let now = self.now[self.database.steps[place].key as usize];
            let left = self.unread[now as usize];
            left > 1 || left == 1 && !self.reads(transaction).contains(&now)
        })
    }

    fn places(&self, transaction: u32) -> std::ops::Range<usize> {
        self.database.transactions[transaction as usize].steps.clone()
    }

    /// The versions of others that it reads, each once.
    fn reads(&self, transaction: u32) -> Vec<u32> {
        let mut read: Vec<u32> = Vec::new();
        for place in self.places(transaction).filter(|place| self.database.steps[*place].reads) {
            let version = self.versions.of_step[place];
            if version != NONE && self.versions.writer[version as usize] != transaction && !read.contains(&version) {
                read.push(version);
            }
        }
        read
    }

    fn place(&mut self, rank: Rank) {
        let transaction = rank.1;
        self.ready.remove(&rank);
        self.state ^= scramble(u64::from(transaction));
        for version in self.reads(transaction) {
            self.unread[version as usize] -= 1;
        }
        let mut overwrote = Vec::new();
        for place in self.places(transaction).filter(|place| !self.database.steps[*place].reads) {
            let key = self.database.steps[place].key;
            overwrote.push((key, self.now[key as usize]));
            self.set(key, self.versions.of_step[place]);
        }
        self.placed.push(Placed { rank, overwrote });
        for place in 0..self.graph.out(transaction).len() {
            let to = self.graph.out(transaction)[place].to;
            self.waits[to as usize] -= 1;
            if self.waits[to as usize] == 0 {
                self.free(to);
            }
        }
    }

    /// Takes the last placement back, and returns what it was.
    fn take_back(&mut self) -> Option<Rank> {
        let Placed { rank, overwrote } = self.placed.pop()?;
        let transaction = rank.1;
        for place in (0..self.graph.out(transaction).len()).rev() {
            let to = self.graph.out(transaction)[place].to;
            self.waits[to as usize] += 1;
            if self.waits[to as usize] == 1 {
                self.bind(to);
            }
        }
        for (key, version) in overwrote.into_iter().rev() {
            self.set(key, version);
        }
        for version in self.reads(transaction) {
            self.unread[version as usize] += 1;
        }
        self.state ^= scramble(u64::from(transaction));
        self.ready.insert(rank);
        Some(rank)
    }

    fn set(&mut self, key: u32, version: u32) {
        let now = &mut self.now[key as usize];
        // Versions are of one key each, so they stand for the key as well.
        self.state ^= scramble(1 << 40 | u64::from(*now)) ^ scramble(1 << 40 | u64::from(version));
        *now = version;
    }
}

/// The finalizer of SplitMix64.
fn scramble(number: u64) -> u64 {
    let mixed = number.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
}

/// Whether every read sees, in this order, what it claims: by the definition, with nothing of the above.
fn replays(database: &Database<'_>, versions: &Versions, order: &[u32]) -> bool {
    let mut now: Vec<u32> = (0..database.keys.len() as u32).collect();
    order.iter().all(|transaction| {
        let mut places = database.transactions[*transaction as usize].steps.clone();
        places.all(|place| {
            let version = versions.of_step[place];
            let now = &mut now[database.steps[place].key as usize];
            if !database.steps[place].reads {
                *now = version;
            }
            version == NONE || *now == version
        })
    })
}
