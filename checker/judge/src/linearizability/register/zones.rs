//! Zones: registers whose values can be told apart, in O(n log n).
//!
//! After Gibbons and Korach (1997), with compare-and-set, an initial value, and operations that may not have happened.
//!
//! *Which histories.* Call a value *wanted* if an operation starts from it: a read that returned it, a swap from it, or
//! an indeterminate cas from it that installs a wanted value. The procedure applies if at most one operation installs
//! each wanted value, counting the initial value as installed from the outset. Values that nobody wants may recur. A
//! cas that differed is not looked at here; `refused` puts it in afterwards.
//!
//! *What may not have happened.* An indeterminate operation that installs an unwanted value is out: nobody needs it
//! (rule 2 of `prune`; no cas that differed is in the game). One that installs a wanted value must have happened, and
//! if it is a cas, must have swapped, because something that did happen starts from that value and nothing else
//! installs it. So of what remains everything happens, some of it without a return.
//!
//! *Clusters and blocks.* The *cluster* of an installation consists of the installing operation and the reads of its
//! value. In a linearization the reads stand behind the installation with no other installation between. A swap from
//! `a` to `b` stands right behind the cluster of `a` and begins that of `b`. So clusters that are linked by swaps form a
//! chain, in which every cluster has at most one successor: two swaps from a value that is installed once contradict
//! each other, and so do swaps that feed each other in a circle. A maximal chain is a *block*, and stands in every
//! linearization as one piece: installation, reads, swap, reads, swap, and so on. Conversely any sequence of whole
//! blocks, the one of the initial value first, is a legal sequence of a register. What is left is time.
//!
//! *Inside a block* the order is given but for reads of the same value, which can stand in the order of their calls.
//! It respects time iff no operation returned before the call of one in a group before its own (*).
//!
//! *Between blocks*, let `f(B)` be the first return in `B` and `s(B)` the last call. `B` must precede `C`, written
//! `B → C`, iff something in `B` returned before something in `C` was called: `f(B) < s(C)`. Calls and returns are
//! different events, so that there is no equality. The history is linearizable iff (*) holds in every block and `→` has
//! no circle; the initial value is installed by an operation with call and return at time 0, which makes `→` put its
//! block first.
//!
//! *A circle contains one of length two.* Of the blocks on a circle let `M` have the least `f`. For every block `C` on
//! it, its predecessor `P` has `f(M) ≤ f(P) < s(C)`, so `M → C` for all `C` other than `M`, among them the predecessor
//! of `M`.
//!
//! *Without a circle of two, the order by `k(B) = min(f(B), s(B))` respects `→`.* Let `B → C`, so `f(B) < s(C)` and not
//! `f(C) < s(B)`, hence `s(B) < f(C)`. Then `k(B)` is below both: `k(B) ≤ f(B) < s(C)` and `k(B) ≤ s(B) < f(C)`. So
//! `k(B) < k(C)`.
//!
//! *Finding a circle of two.* Go through the blocks by `k`, remembering the greatest `s(B)` so far. If it exceeds `f(C)`
//! then `C → B`; and `k(B) ≤ k(C) ≤ f(C) < s(B)`, so `k(B) = f(B)`, and `f(B) = k(B) ≤ k(C) ≤ s(C)`, so `B → C`. If it never
//! does, then the order contains no pair in which the later must precede the earlier, and it is a linearization.
//!
//! *What is reported.* In each case the two, three or four operations that contradict each other, with everything they
//! rest on: who installed the value that an operation in the set starts from; for an indeterminate operation, who
//! wants its value; and every cas that differed and would else have installed a value wanted in the set. In the set every value that is wanted has its one installer, so all of the above applies to the set
//! alone. It applies too if the others are weakened to "at any time or never": values wanted in the set are installed
//! by nobody outside it, and all others are unwanted, so that every weakened operation is out.

use std::collections::BTreeSet;

use super::columns::{Columns, Deed, INITIAL, Op};

/// No operation, no cluster.
pub(super) const NOBODY: u32 = u32::MAX;

/// Why there are no zones.
pub(super) enum Failure {
    /// A wanted value is installed by more than one operation.
    NotDistinct,
    /// Positions among the candidates.
    Conflict(Vec<usize>),
}

/// An installation and the reads of its value.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cluster {
    /// [`NOBODY`] for the initial value.
    pub(super) installer: u32,
    /// The first of the reads in order of calls; [`Zones::next_read`] leads to the others.
    pub(super) first_read: u32,
    /// Neighbours in the chain.
    pub(super) previous: u32,
    pub(super) next: u32,
    /// Of the reads, the one that returned first, and the one that was called last.
    pub(super) first_return: u32,
    pub(super) last_call: u32,
}

/// The clusters of a history and the order of its blocks.
pub(super) struct Zones<'a> {
    pub(super) ops: &'a [Op],
    pub(super) clusters: Vec<Cluster>,
    /// For each operation that reads, the next read of the same value.
    pub(super) next_read: Vec<u32>,
    /// For each wanted value its cluster.
    pub(super) cluster_of: Vec<u32>,
    /// For each value an operation that wants it.
    wanted_by: Vec<u32>,
    /// First clusters of the blocks, in the order of a linearization.
    pub(super) blocks: Vec<u32>,
}

/// A block while blocks are put in order.
#[derive(Clone, Copy)]
struct Block {
    key: u32,
    first: u32,
    /// The operations that give `f` and `s`; [`NOBODY`] is the installation of the initial value.
    first_return: u32,
    last_call: u32,
}

impl<'a> Zones<'a> {
    pub(super) fn new(columns: &'a Columns) -> Result<Self, Failure> {
        let sources = Sources::new(columns);
        let mut zones = Self {
            ops: &columns.ops,
            clusters: Vec::new(),
            next_read: vec![NOBODY; columns.ops.len()],
            cluster_of: vec![NOBODY; columns.values],
            wanted_by: sources.wanted_by,
            blocks: Vec::new(),
        };
        if let Some(value) = sources.unwritten {
            return Err(zones.conflict(&[zones.wanted_by[value as usize]]));
        }
        if sources.ambiguous {
            return Err(Failure::NotDistinct);
        }
        zones.find_clusters();
        zones.link()?;
        let blocks = zones.find_blocks()?;
        zones.put_in_order(blocks)?;
        Ok(zones)
    }

    /// Every operation that takes part, as a linearization.
    pub(super) fn order(&self) -> Vec<usize> {
        let mut order = Vec::with_capacity(self.ops.len());
        for block in &self.blocks {
            let mut cluster = *block;
            while cluster != NOBODY {
                order.extend(self.members(cluster).map(|op| op as usize));
                cluster = self.clusters[cluster as usize].next;
            }
        }
        order
    }

    /// The installer, and the reads in order of their calls.
    pub(super) fn members(&self, cluster: u32) -> impl Iterator<Item = u32> + '_ {
        let Cluster { installer, first_read, .. } = self.clusters[cluster as usize];
        let present = |op: u32| (op != NOBODY).then_some(op);
        let reads = std::iter::successors(present(first_read), move |op| present(self.next_read[*op as usize]));
        present(installer).into_iter().chain(reads)
    }

    /// Whether the operation takes part.
    fn happens(&self, op: &Op) -> bool {
        op.known || op.to().is_some_and(|value| self.wanted_by[value as usize] != NOBODY)
    }

    fn find_clusters(&mut self) {
        let alone = |installer| Cluster {
            installer,
            first_read: NOBODY,
            previous: NOBODY,
            next: NOBODY,
            first_return: NOBODY,
            last_call: NOBODY,
        };
        self.clusters.push(alone(NOBODY));
        self.cluster_of[INITIAL as usize] = 0;
        for (number, op) in self.ops.iter().enumerate() {
            if let Some(value) = op.to().filter(|_| self.happens(op)) {
                if self.wanted_by[value as usize] != NOBODY {
                    self.cluster_of[value as usize] = self.clusters.len() as u32;
                }
                self.clusters.push(alone(number as u32));
            }
        }
    }

    /// Puts reads into their clusters, and clusters into chains.
    fn link(&mut self) -> Result<(), Failure> {
        for number in (0..self.ops.len() as u32).rev() {
            if let Deed::Read(value) = self.ops[number as usize].deed {
                self.attach(number, self.cluster_of[value as usize]);
            }
        }
        for cluster in 1..self.clusters.len() as u32 {
            let installer = self.clusters[cluster as usize].installer;
            let Some(source) = self.ops[installer as usize].from() else {
                continue;
            };
            let previous = self.cluster_of[source as usize];
            let rival = self.clusters[previous as usize].next;
            if rival != NOBODY {
                return Err(self.conflict(&[installer, self.clusters[rival as usize].installer]));
            }
            self.clusters[cluster as usize].previous = previous;
            self.clusters[previous as usize].next = cluster;
        }
        Ok(())
    }

    /// Reads come in descending order of calls.
    fn attach(&mut self, read: u32, cluster: u32) {
        let ret = self.ops[read as usize].ret;
        let ops = self.ops;
        let cluster = &mut self.clusters[cluster as usize];
        self.next_read[read as usize] = cluster.first_read;
        cluster.first_read = read;
        if cluster.last_call == NOBODY {
            cluster.last_call = read;
        }
        if cluster.first_return == NOBODY || ret < ops[cluster.first_return as usize].ret {
            cluster.first_return = read;
        }
    }

    fn call(&self, op: u32) -> u32 {
        if op == NOBODY { 0 } else { self.ops[op as usize].call }
    }

    fn ret(&self, op: u32) -> u32 {
        if op == NOBODY { 0 } else { self.ops[op as usize].ret }
    }

    /// Goes along every chain and checks (*).
    fn find_blocks(&self) -> Result<Vec<Block>, Failure> {
        let mut blocks = Vec::with_capacity(self.clusters.len());
        let mut seen = 0;
        for first in 0..self.clusters.len() as u32 {
            if self.clusters[first as usize].previous == NOBODY {
                blocks.push(self.walk(first, &mut seen)?);
            }
        }
        if seen == self.clusters.len() { Ok(blocks) } else { Err(self.circle()) }
    }

    fn walk(&self, first: u32, seen: &mut usize) -> Result<Block, Failure> {
        let installer = self.clusters[first as usize].installer;
        let mut block = Block { key: 0, first, first_return: installer, last_call: installer };
        let mut cluster = first;
        while cluster != NOBODY {
            *seen += 1;
            let Cluster { installer, first_return, last_call, next, .. } = self.clusters[cluster as usize];
            if cluster != first {
                self.extend(&mut block, installer, installer)?;
            }
            if first_return != NOBODY {
                self.extend(&mut block, first_return, last_call)?;
            }
            cluster = next;
        }
        block.key = self.ret(block.first_return).min(self.call(block.last_call));
        Ok(block)
    }

    /// One more group at the end of a block, of which only the first return and the last call matter.
    fn extend(&self, block: &mut Block, first_return: u32, last_call: u32) -> Result<(), Failure> {
        if self.ret(first_return) < self.call(block.last_call) {
            return Err(self.conflict(&[first_return, block.last_call]));
        }
        if self.ret(first_return) < self.ret(block.first_return) {
            block.first_return = first_return;
        }
        if self.call(last_call) > self.call(block.last_call) {
            block.last_call = last_call;
        }
        Ok(())
    }

    /// Swaps that feed each other: some chain has no beginning.
    fn circle(&self) -> Failure {
        let mut state = vec![0u8; self.clusters.len()];
        for start in 0..self.clusters.len() as u32 {
            let mut path = Vec::new();
            let mut cluster = start;
            while cluster != NOBODY && state[cluster as usize] == 0 {
                state[cluster as usize] = 1;
                path.push(cluster);
                cluster = self.clusters[cluster as usize].previous;
            }
            if cluster != NOBODY && state[cluster as usize] == 1 {
                return self.conflict(&[self.clusters[cluster as usize].installer]);
            }
            path.iter().for_each(|cluster| state[*cluster as usize] = 2);
        }
        unreachable!("a cluster that no chain from a beginning reaches has a circle before it")
    }

    fn put_in_order(&mut self, mut blocks: Vec<Block>) -> Result<(), Failure> {
        blocks.sort_unstable_by_key(|block| (block.key, block.first));
        let mut latest = blocks[0];
        for block in &blocks[1..] {
            if self.ret(block.first_return) < self.call(latest.last_call) {
                let ends = [block.first_return, block.last_call, latest.first_return, latest.last_call];
                return Err(self.conflict(&ends));
            }
            if self.call(block.last_call) > self.call(latest.last_call) {
                latest = *block;
            }
        }
        self.blocks = blocks.iter().map(|block| block.first).collect();
        Ok(())
    }

    /// The operations with all that they rest on.
    pub(super) fn conflict(&self, ops: &[u32]) -> Failure {
        let mut open: Vec<u32> = ops.iter().copied().filter(|op| *op != NOBODY).collect();
        let mut taken = BTreeSet::new();
        let mut wanted = BTreeSet::new();
        while let Some(number) = open.pop() {
            if !taken.insert(number as usize) {
                continue;
            }
            let op = &self.ops[number as usize];
            wanted.extend(op.from());
            let cluster = op.from().map_or(NOBODY, |value| self.cluster_of[value as usize]);
            if cluster != NOBODY && self.clusters[cluster as usize].installer != NOBODY {
                open.push(self.clusters[cluster as usize].installer);
            }
            if let Some(value) = op.to().filter(|_| !op.known) {
                open.push(self.wanted_by[value as usize]);
            }
        }
        let refused = |op: &Op| matches!(op.deed, Deed::Differ(_, new) if wanted.contains(&new));
        let refused = self.ops.iter().enumerate().filter(|(_, op)| refused(op));
        taken.extend(refused.map(|(number, _)| number));
        Failure::Conflict(taken.into_iter().collect())
    }
}

/// Which values are wanted, and whether each has its one installer.
struct Sources {
    wanted_by: Vec<u32>,
    ambiguous: bool,
    unwritten: Option<u32>,
}

impl Sources {
    fn new(columns: &Columns) -> Self {
        let mut wanted_by = vec![NOBODY; columns.values];
        let mut installers = vec![0u32; columns.values];
        let mut installer = vec![NOBODY; columns.values];
        installers[INITIAL as usize] = 1;
        let mut open = Vec::new();
        for (number, op) in columns.ops.iter().enumerate() {
            if let Some(value) = op.to() {
                installers[value as usize] += 1;
                if !op.known {
                    installer[value as usize] = number as u32;
                }
            }
            if let Some(value) = op.from().filter(|_| op.known)
                && wanted_by[value as usize] == NOBODY
            {
                wanted_by[value as usize] = number as u32;
                open.push(value);
            }
        }
        let (mut ambiguous, mut unwritten) = (false, None);
        while let Some(value) = open.pop() {
            match installers[value as usize] {
                0 => unwritten = Some(value),
                1 => {}
                _ => {
                    ambiguous = true;
                    continue;
                }
            }
            // An indeterminate installer has to have happened, and wants what it starts from.
            let number = installer[value as usize];
            let source = if number == NOBODY { None } else { columns.ops[number as usize].from() };
            if let Some(source) = source.filter(|source| wanted_by[*source as usize] == NOBODY) {
                wanted_by[source as usize] = number;
                open.push(source);
            }
        }
        Self { wanted_by, ambiguous, unwritten }
    }
}
