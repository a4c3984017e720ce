//! The linearizations of all configurations of a search, as a tree that shares their beginnings.

/// Nodes are numbered in 32 bits. `T` says what is done at a node.
pub(super) struct Paths<T> {
    nodes: Vec<(u32, T)>,
    compact_at: usize,
    /// What every configuration begins with.
    trunk: Vec<T>,
}

/// The path of those that have done nothing.
pub(super) const ROOT: u32 = u32::MAX;

const SMALL: usize = 1 << 16;

impl<T: Copy> Paths<T> {
    pub(super) fn new() -> Self {
        Self { nodes: Vec::new(), compact_at: SMALL, trunk: Vec::new() }
    }

    pub(super) fn bytes(&self) -> usize {
        // When nodes are dropped there is a list of as many numbers besides. More nodes than there are numbers are as
        // bad as no memory.
        let full = self.nodes.len() >= u32::MAX as usize / 2;
        if full {
            return usize::MAX / 2;
        }
        (size_of::<(u32, T)>() + 4) * self.nodes.capacity() + size_of::<T>() * self.trunk.capacity()
    }

    pub(super) fn extend(&mut self, path: u32, item: T) -> u32 {
        self.nodes.push((path, item));
        (self.nodes.len() - 1) as u32
    }

    pub(super) fn all(&self, path: u32) -> Vec<T> {
        let mut all: Vec<T> = self.upwards(path).collect();
        all.extend(self.trunk.iter().rev());
        all.reverse();
        all
    }

    /// What was done last.
    pub(super) fn last(&self, path: u32) -> Option<T> {
        self.upwards(path).next().or_else(|| self.trunk.last().copied())
    }

    /// From the end of the path to the trunk.
    fn upwards(&self, path: u32) -> impl Iterator<Item = T> + '_ {
        let node = |path: u32| self.nodes.get(path as usize).copied();
        std::iter::successors(node(path), move |(parent, _)| node(*parent)).map(|(_, item)| item)
    }

    /// Drops the nodes that no configuration leads to, once they may be half of all. A parent always stands
    /// before its child, so one pass back marks and one pass forth moves. What only one configuration is left of becomes
    /// trunk.
    pub(super) fn compact<'a>(&mut self, live: impl FnOnce() -> Vec<&'a mut u32>) {
        if self.nodes.len() < self.compact_at {
            return;
        }
        let mut live = live();
        if let [path] = &mut live[..] {
            let start = self.trunk.len();
            let branch: Vec<T> = self.upwards(**path).collect();
            self.trunk.extend(branch);
            self.trunk[start..].reverse();
            **path = ROOT;
        }
        let mut target = vec![ROOT; self.nodes.len()];
        live.iter().filter(|path| ***path != ROOT).for_each(|path| target[**path as usize] = 0);
        for node in (0..self.nodes.len()).rev() {
            let parent = self.nodes[node].0;
            if target[node] == 0 && parent != ROOT {
                target[parent as usize] = 0;
            }
        }
        let mut kept = 0;
        for node in 0..self.nodes.len() {
            if target[node] != ROOT {
                let (parent, item) = self.nodes[node];
                let parent = if parent == ROOT { parent } else { target[parent as usize] };
                self.nodes[kept] = (parent, item);
                target[node] = kept as u32;
                kept += 1;
            }
        }
        self.nodes.truncate(kept);
        self.compact_at = SMALL.max(2 * kept);
        live.into_iter().filter(|path| **path != ROOT).for_each(|path| *path = target[*path as usize]);
    }
}
