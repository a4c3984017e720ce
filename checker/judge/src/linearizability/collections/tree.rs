//! Two trees over positions, each an array: the children of node `n` are `2n` and `2n + 1`.

use std::ops::Range;

/// A value a position; the least of a range, and where it is.
pub(super) struct Least {
    nodes: Vec<u32>,
    leaves: usize,
}

impl Least {
    /// The value of a position that has none.
    pub(super) const NOTHING: u32 = u32::MAX;

    pub(super) fn new(values: impl ExactSizeIterator<Item = u32>) -> Self {
        let leaves = values.len().next_power_of_two();
        let mut nodes = vec![Self::NOTHING; 2 * leaves];
        for (leaf, value) in nodes[leaves..].iter_mut().zip(values) {
            *leaf = value;
        }
        for node in (1..leaves).rev() {
            nodes[node] = nodes[2 * node].min(nodes[2 * node + 1]);
        }
        Self { nodes, leaves }
    }

    pub(super) fn set(&mut self, position: usize, value: u32) {
        let mut node = self.leaves + position;
        self.nodes[node] = value;
        while node > 1 {
            node /= 2;
            let least = self.nodes[2 * node].min(self.nodes[2 * node + 1]);
            if self.nodes[node] == least {
                break;
            }
            self.nodes[node] = least;
        }
    }

    /// The least value of the positions from `low` to `high`, both included, and one that has it.
    pub(super) fn least(&self, low: usize, high: usize) -> (u32, usize) {
        let (mut left, mut right) = (self.leaves + low, self.leaves + high + 1);
        let mut best = self.leaves + low;
        while left < right {
            if left % 2 == 1 {
                best = self.lesser(best, left);
                left += 1;
            }
            if right % 2 == 1 {
                right -= 1;
                best = self.lesser(best, right);
            }
            left /= 2;
            right /= 2;
        }
        let value = self.nodes[best];
        while best < self.leaves {
            best = if self.nodes[2 * best] == value { 2 * best } else { 2 * best + 1 };
        }
        (value, best - self.leaves)
    }

    fn lesser(&self, one: usize, other: usize) -> usize {
        if self.nodes[other] < self.nodes[one] { other } else { one }
    }
}

/// How many ranges cover each position; a position that none covers.
pub(super) struct Counts {
    /// The least count below a node, without what its ancestors add.
    least: Vec<u32>,
    /// What is added to everything below.
    added: Vec<u32>,
    leaves: usize,
}

impl Counts {
    pub(super) fn new(ranges: impl Iterator<Item = Range<u32>>, positions: usize) -> Self {
        let leaves = positions.next_power_of_two();
        let mut counts = Self { least: vec![0; 2 * leaves], added: vec![0; 2 * leaves], leaves };
        for range in ranges.filter(|range| !range.is_empty()) {
            counts.visit(range, |added| *added += 1);
        }
        for node in (1..2 * leaves).rev() {
            counts.update(node);
        }
        counts
    }

    /// Takes away a range that was given to [`Counts::new`].
    pub(super) fn remove(&mut self, range: Range<u32>) {
        if range.is_empty() {
            return;
        }
        let (low, high) = (self.leaves + range.start as usize, self.leaves + range.end as usize - 1);
        self.visit(range, |added| *added -= 1);
        let (mut low, mut high) = (low, high);
        while low > 0 {
            self.update(low);
            self.update(high);
            low /= 2;
            high /= 2;
        }
    }

    /// A position of the range that nothing covers.
    pub(super) fn uncovered(&self, range: Range<u32>) -> Option<u32> {
        self.find(1, 0, self.leaves as u32, &range)
    }

    /// Changes the nodes that make up a range.
    fn visit(&mut self, range: Range<u32>, change: impl Fn(&mut u32)) {
        let (mut left, mut right) = (self.leaves + range.start as usize, self.leaves + range.end as usize);
        while left < right {
            if left % 2 == 1 {
                self.change(left, &change);
                left += 1;
            }
            if right % 2 == 1 {
                right -= 1;
                self.change(right, &change);
            }
            left /= 2;
            right /= 2;
        }
    }

    fn change(&mut self, node: usize, change: impl Fn(&mut u32)) {
        change(&mut self.added[node]);
        self.update(node);
    }

    fn update(&mut self, node: usize) {
        let below = if node >= self.leaves { 0 } else { self.least[2 * node].min(self.least[2 * node + 1]) };
        self.least[node] = below + self.added[node];
    }

    fn find(&self, node: usize, start: u32, size: u32, range: &Range<u32>) -> Option<u32> {
        if self.least[node] > 0 || start >= range.end || start + size <= range.start {
            return None;
        }
        if node >= self.leaves {
            return Some(start);
        }
        let half = size / 2;
        self.find(2 * node, start, half, range).or_else(|| self.find(2 * node + 1, start + half, half, range))
    }
}
