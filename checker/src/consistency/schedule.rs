//! An order of transactions, made one by one, that explains every read: a proof of serializability where the order of
//! the versions is not known.
//!
//! A transaction may come next if all that the graph puts before it has come, and if it overwrites no version that
//! somebody still has to read. Reads therefore never fail; the order may get stuck, because it chose the wrong one of two
//! writers, and then proves nothing. Among those that may come next, those that only read come first, then who returned
//! first.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::anomaly::Orders;
use super::database::Database;
use super::dependencies::{Readers, graph};
use super::graph::Graph;
use super::versions::{NONE, Versions};

/// An order that keeps `orders`, of all transactions that took effect.
pub(super) fn schedule(
    database: &Database<'_>,
    versions: &Versions,
    readers: &Readers,
    orders: Orders,
) -> Option<Vec<u32>> {
    // A real system keeps more than it promises: the stronger order leaves fewer wrong turns.
    let kept = [Orders::RealTime, Orders::Process, Orders::Data].into_iter().filter(|kept| *kept >= orders);
    kept.into_iter().find_map(|kept| {
        let graph = graph(database, versions, readers, kept);
        let order = Schedule::new(database, versions, readers, &graph).run()?;
        replays(database, versions, &order).then_some(order)
    })
}

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
    /// Writers by their return: earliest first.
    ready: BinaryHeap<Reverse<(usize, u32)>>,
    /// Of each key, who waits until its version has been read.
    blocked: Vec<Vec<u32>>,
    order: Vec<u32>,
}

impl<'s, 'h> Schedule<'s, 'h> {
    fn new(database: &'s Database<'h>, versions: &'s Versions, readers: &Readers, graph: &'s Graph) -> Self {
        let mut waits = vec![0; graph.nodes()];
        for edge in graph.edges() {
            waits[edge.to as usize] += 1;
        }
        let unread = |version: u32| {
            let mut readers = readers.of(version).to_vec();
            readers.dedup();
            readers.len() as u32
        };
        Self {
            database,
            versions,
            graph,
            waits,
            unread: (0..versions.key.len() as u32).map(unread).collect(),
            now: (0..database.keys.len() as u32).collect(),
            ready: BinaryHeap::new(),
            blocked: vec![Vec::new(); database.keys.len()],
            order: Vec::new(),
        }
    }

    fn run(mut self) -> Option<Vec<u32>> {
        let first: Vec<u32> = (0..self.graph.nodes() as u32).filter(|node| self.waits[*node as usize] == 0).collect();
        first.into_iter().for_each(|node| self.free(node));
        while let Some(Reverse((_, transaction))) = self.ready.pop() {
            match self.obstacle(transaction) {
                Some(key) => self.blocked[key].push(transaction),
                None => self.place(transaction),
            }
        }
        let count = self.versions.counts.iter().filter(|counts| **counts).count();
        (self.order.len() == count).then_some(self.order)
    }

    /// All that is before the node has come.
    fn free(&mut self, node: u32) {
        let mut freed = vec![node];
        while let Some(node) = freed.pop() {
            if self.graph.is_relay(node) {
                for edge in self.graph.out(node) {
                    self.waits[edge.to as usize] -= 1;
                    if self.waits[edge.to as usize] == 0 {
                        freed.push(edge.to);
                    }
                }
            } else if self.versions.counts[node as usize] {
                let transaction = &self.database.transactions[node as usize];
                let writes = self.database.steps_of(node as usize).iter().any(|step| !step.reads);
                let rank = if writes { 1 + transaction.returned.unwrap_or(usize::MAX - 1) } else { 0 };
                self.ready.push(Reverse((rank, node)));
            }
        }
    }

    /// A key that the transaction writes and whose version others have still to read.
    fn obstacle(&self, transaction: u32) -> Option<usize> {
        let places = self.database.transactions[transaction as usize].steps.clone();
        let reads = |version: u32| {
            let mut places = self.database.transactions[transaction as usize].steps.clone();
            places.any(|place| self.database.steps[place].reads && self.versions.of_step[place] == version)
        };
        let mut written = places.filter(|place| !self.database.steps[*place].reads);
        written.find_map(|place| {
            let key = self.database.steps[place].key as usize;
            let now = self.now[key];
            let left = self.unread[now as usize];
            let own = self.versions.writer[now as usize] != transaction && left > 0 && reads(now);
            (left > u32::from(own)).then_some(key)
        })
    }

    fn place(&mut self, transaction: u32) {
        self.order.push(transaction);
        let places = self.database.transactions[transaction as usize].steps.clone();
        let mut read: Vec<u32> = Vec::new();
        for place in places.clone() {
            let version = self.versions.of_step[place];
            let reads = self.database.steps[place].reads && version != NONE;
            if reads && self.versions.writer[version as usize] != transaction && !read.contains(&version) {
                read.push(version);
                self.unread[version as usize] -= 1;
            }
        }
        for place in places.filter(|place| !self.database.steps[*place].reads) {
            self.now[self.database.steps[place].key as usize] = self.versions.of_step[place];
        }
        // Whoever waited for one of these keys may look again.
        for place in self.database.transactions[transaction as usize].steps.clone() {
            let key = self.database.steps[place].key as usize;
            for waiting in std::mem::take(&mut self.blocked[key]) {
                let returned = self.database.transactions[waiting as usize].returned.unwrap_or(usize::MAX - 1);
                self.ready.push(Reverse((1 + returned, waiting)));
            }
        }
        for edge in self.graph.out(transaction) {
            self.waits[edge.to as usize] -= 1;
            if self.waits[edge.to as usize] == 0 {
                self.free(edge.to);
            }
        }
    }
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
