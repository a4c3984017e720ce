//! Directed graphs with labelled edges, strongly connected components, and shortest paths in them.
//!
//! Nodes are numbered; those from `real` on are relays. A relay stands for many edges at once: whatever leads into it
//! leads to all that it leads to. The edge into a relay carries the label and counts; the edges out of it carry
//! [`VIA`] and count nothing.

use std::collections::VecDeque;

/// Write after write: the second wrote the version after the first's.
pub(super) const WW: u8 = 1;
/// Read after write: the second saw what the first wrote.
pub(super) const WR: u8 = 2;
/// Write after read: the second wrote the version after the one that the first saw.
pub(super) const RW: u8 = 4;
/// The second is the next of the same session.
pub(super) const PROCESS: u8 = 8;
/// The second began after the first had returned.
pub(super) const REALTIME: u8 = 16;
/// Out of a relay.
pub(super) const VIA: u8 = 32;
/// Not known, but every other order of the two writes closes a cycle.
pub(super) const FORCED: u8 = 64;

/// What an edge is about, a key or a position in a table of reasons; of most edges a key.
pub(super) type About = u32;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Edge {
    pub(super) from: u32,
    pub(super) to: u32,
    pub(super) label: u8,
    pub(super) about: About,
}

#[derive(Debug)]
pub(super) struct Builder {
    real: usize,
    nodes: usize,
    edges: Vec<Edge>,
}

/// At most how many edges a fan is made of before a relay takes their place, as a multiple of its ends.
const PLAIN: usize = 4;

impl Builder {
    pub(super) fn new(real: usize) -> Self {
        Self { real, nodes: real, edges: Vec::with_capacity(real * 4) }
    }

    /// Loops are left out.
    pub(super) fn edge(&mut self, from: u32, to: u32, label: u8, about: About) {
        if from != to {
            self.edges.push(Edge { from, to, label, about });
        }
    }

    pub(super) fn relay(&mut self) -> u32 {
        self.nodes += 1;
        (self.nodes - 1) as u32
    }

    /// From every source to every other target. Both are sorted. Where that is many edges, one relay takes their place;
    /// nodes that are both source and target must not lead to themselves through it, so they get edges of their own. Two
    /// of these are a cycle already, so each gets edges to a few of the others only.
    pub(super) fn fan(&mut self, sources: &[u32], targets: &[u32], label: u8, about: About) {
        if sources.len() * targets.len() <= PLAIN * (sources.len() + targets.len()) {
            for from in sources {
                targets.iter().for_each(|to| self.edge(*from, *to, label, about));
            }
            return;
        }
        let relay = self.relay();
        let is_target = |node: &u32| targets.binary_search(node).is_ok();
        let both: Vec<u32> = sources.iter().copied().filter(is_target).collect();
        sources.iter().filter(|node| !is_target(node)).for_each(|from| self.edge(*from, relay, label, about));
        targets.iter().for_each(|to| self.edge(relay, *to, VIA, about));
        for (number, from) in both.iter().enumerate() {
            let few = if number == 0 { targets } else { &both[..both.len().min(PLAIN)] };
            few.iter().for_each(|to| self.edge(*from, *to, label, about));
        }
    }

    pub(super) fn finish(self) -> Graph {
        let mut start = vec![0_u32; self.nodes + 1];
        for edge in &self.edges {
            start[edge.from as usize + 1] += 1;
        }
        for node in 0..self.nodes {
            start[node + 1] += start[node];
        }
        let mut next = start.clone();
        let mut edges = vec![Edge { from: 0, to: 0, label: 0, about: 0 }; self.edges.len()];
        for edge in self.edges {
            let place = &mut next[edge.from as usize];
            edges[*place as usize] = edge;
            *place += 1;
        }
        Graph { real: self.real, start, edges }
    }
}

/// Edges by their source.
#[derive(Debug)]
pub(super) struct Graph {
    pub(super) real: usize,
    start: Vec<u32>,
    edges: Vec<Edge>,
}

impl Graph {
    pub(super) fn nodes(&self) -> usize {
        self.start.len() - 1
    }

    pub(super) fn edges(&self) -> &[Edge] {
        &self.edges
    }

    pub(super) fn out(&self, node: u32) -> &[Edge] {
        &self.edges[self.start[node as usize] as usize..self.start[node as usize + 1] as usize]
    }

    pub(super) fn is_relay(&self, node: u32) -> bool {
        node as usize >= self.real
    }

    /// The same with more edges between its nodes.
    pub(super) fn with(&self, more: &[Edge]) -> Self {
        let mut builder = Builder { real: self.real, nodes: self.nodes(), edges: self.edges.clone() };
        builder.edges.extend_from_slice(more);
        builder.finish()
    }

    /// Components over the edges whose label is in `labels`, which includes [`VIA`] by itself.
    pub(super) fn components(&self, labels: u8) -> Components {
        let labels = labels | VIA;
        let target = |node: u32, place: usize| {
            let edge = self.out(node)[place];
            (edge.label & labels != 0).then_some(edge.to)
        };
        tarjan(self.nodes(), |node| self.out(node).len(), target)
    }

    /// Components of the graph in which no two [`RW`] edges follow each other: node `2n` is `n` reached by another edge,
    /// node `2n + 1` is `n` reached by an rw edge. A cycle there is a closed walk here without two adjacent rw edges, and
    /// the shortest such walk visits no node twice: cut in two at a node visited twice, one of the halves is such a walk
    /// again.
    pub(super) fn nonadjacent(&self, labels: u8) -> Components {
        let labels = labels | VIA;
        let target = |node: u32, place: usize| {
            let edge = self.out(node / 2)[place];
            let after_rw = node % 2;
            match edge.label {
                RW if after_rw == 1 || labels & RW == 0 => None,
                RW => Some(2 * edge.to + 1),
                VIA => Some(2 * edge.to + after_rw),
                label => (label & labels != 0).then_some(2 * edge.to),
            }
        };
        tarjan(2 * self.nodes(), |node| self.out(node / 2).len(), target)
    }

    /// The shortest way by `walk` from the end of `first` back to its start, as the edges from `first` on, or none that
    /// has at most `longest` edges. Relays do not count. `effort` is how many edges may still be looked at; at 0 there is
    /// no answer either.
    pub(super) fn cycle(
        &self,
        first: &Edge,
        walk: &Walk<'_>,
        longest: usize,
        scratch: &mut Scratch,
        effort: &mut usize,
    ) -> Option<Vec<Edge>> {
        let goal = first.from;
        scratch.begin(self.nodes());
        scratch.reach(first.to, walk.begin(first), 1, NOWHERE);
        let mut queue = VecDeque::from([(first.to, walk.begin(first), 1)]);
        while let Some((node, state, length)) = queue.pop_front() {
            if scratch.length(node, state) != length {
                continue;
            }
            if node == goal {
                if walk.may_end(state) {
                    return Some(self.trace(scratch, first, node, state));
                }
                continue;
            }
            let begin = self.start[node as usize];
            for (place, edge) in self.out(node).iter().enumerate() {
                *effort = effort.checked_sub(1)?;
                let next = if edge.label == VIA { Some(state) } else { walk.step(state, edge) };
                let Some(next) = next.filter(|_| (walk.within)(edge.to)) else { continue };
                let length = length + u32::from(edge.label != VIA);
                if length as usize > longest || scratch.length(edge.to, next) <= length {
                    continue;
                }
                scratch.reach(edge.to, next, length, (begin + place as u32, state));
                // Edges that count nothing first: the queue stays in order of length.
                if edge.label == VIA {
                    queue.push_front((edge.to, next, length));
                } else {
                    queue.push_back((edge.to, next, length));
                }
            }
        }
        None
    }

    fn trace(&self, scratch: &Scratch, first: &Edge, end: u32, state: u8) -> Vec<Edge> {
        let mut edges = Vec::new();
        let (mut node, mut state) = (end, state);
        loop {
            let (edge, before) = scratch.from[scratch.place(node, state)];
            if (edge, before) == NOWHERE {
                break;
            }
            let edge = self.edges[edge as usize];
            edges.push(edge);
            (node, state) = (edge.from, before);
        }
        edges.push(*first);
        edges.reverse();
        edges
    }
}

const NOWHERE: (u32, u8) = (u32::MAX, u8::MAX);

/// What a search for a cycle has reached. Kept between searches, because there are many and most are short.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    round: u32,
    /// Of each node and state, the round in which it was reached, at what length, and by which edge from which state.
    reached: Vec<(u32, u32)>,
    from: Vec<(u32, u8)>,
}

impl Scratch {
    fn begin(&mut self, nodes: usize) {
        self.reached.resize(nodes * STATES, (0, 0));
        self.from.resize(nodes * STATES, NOWHERE);
        self.round += 1;
    }

    fn place(&self, node: u32, state: u8) -> usize {
        node as usize * STATES + state as usize
    }

    fn length(&self, node: u32, state: u8) -> u32 {
        let (round, length) = self.reached[self.place(node, state)];
        if round == self.round { length } else { u32::MAX }
    }

    fn reach(&mut self, node: u32, state: u8, length: u32, from: (u32, u8)) {
        let place = self.place(node, state);
        self.reached[place] = (self.round, length);
        self.from[place] = from;
    }
}

/// Which walks are looked for: a small automaton over the labels of edges.
pub(super) struct Walk<'a> {
    /// Labels that may be used anywhere.
    pub(super) labels: u8,
    pub(super) rw: RwRule,
    /// A label that must be used somewhere, or 0.
    pub(super) needed: u8,
    pub(super) within: &'a dyn Fn(u32) -> bool,
}

/// How rw edges may be used after the first edge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RwRule {
    Never,
    /// At least once, and never next to another; the first edge is one.
    Apart,
    /// Directly after the first edge, which is one, and then anywhere.
    Adjacent,
}

/// Bits of the state of a walk.
const STATES: usize = 8;
const SAW_NEEDED: u8 = 1;
const LAST_RW: u8 = 2;
const SAW_RW: u8 = 4;

impl Walk<'_> {
    fn begin(&self, first: &Edge) -> u8 {
        let needed = if self.needed == 0 || first.label == self.needed { SAW_NEEDED } else { 0 };
        needed | if first.label == RW { LAST_RW } else { 0 }
    }

    fn step(&self, state: u8, edge: &Edge) -> Option<u8> {
        let needed = state & SAW_NEEDED | if edge.label == self.needed { SAW_NEEDED } else { 0 };
        if edge.label == RW {
            let allowed = match self.rw {
                RwRule::Never => false,
                RwRule::Apart => state & LAST_RW == 0,
                RwRule::Adjacent => true,
            };
            return allowed.then_some(needed | LAST_RW | SAW_RW);
        }
        let must_be_rw = self.rw == RwRule::Adjacent && state & SAW_RW == 0;
        (edge.label & self.labels != 0 && !must_be_rw).then_some(needed | state & SAW_RW)
    }

    fn may_end(&self, state: u8) -> bool {
        let rw = match self.rw {
            RwRule::Never => true,
            RwRule::Apart => state & SAW_RW != 0 && state & LAST_RW == 0,
            RwRule::Adjacent => state & SAW_RW != 0,
        };
        rw && state & SAW_NEEDED != 0
    }
}

/// For each node its strongly connected component, numbered in reverse topological order, and the components' sizes.
#[derive(Debug)]
pub(super) struct Components {
    pub(super) of: Vec<u32>,
    pub(super) sizes: Vec<u32>,
}

impl Components {
    /// There are no loops, so a cycle takes two nodes.
    pub(super) fn cyclic(&self) -> bool {
        self.sizes.iter().any(|size| *size > 1)
    }

    pub(super) fn on_cycle(&self, node: u32) -> bool {
        self.sizes[self.of[node as usize] as usize] > 1
    }
}

/// Tarjan 1972, without recursion. Of a node, how many edges leave it, and where each leads if it counts.
pub(super) fn tarjan(
    nodes: usize,
    degree: impl Fn(u32) -> usize,
    target: impl Fn(u32, usize) -> Option<u32>,
) -> Components {
    const UNSEEN: u32 = u32::MAX;
    let mut index = vec![UNSEEN; nodes];
    let mut low = vec![0_u32; nodes];
    let mut of = vec![UNSEEN; nodes];
    let mut sizes = Vec::new();
    let mut stack: Vec<u32> = Vec::new();
    let mut calls: Vec<(u32, usize)> = Vec::new();
    let mut count = 0_u32;
    for root in 0..nodes as u32 {
        if index[root as usize] != UNSEEN {
            continue;
        }
        calls.push((root, 0));
        while let Some((node, place)) = calls.pop() {
            let at = node as usize;
            if place == 0 {
                (index[at], low[at]) = (count, count);
                count += 1;
                stack.push(node);
            }
            let mut place = place;
            let mut child = None;
            while place < degree(node) && child.is_none() {
                if let Some(to) = target(node, place) {
                    if index[to as usize] == UNSEEN {
                        child = Some(to);
                    } else if of[to as usize] == UNSEEN {
                        low[at] = low[at].min(index[to as usize]);
                    }
                }
                place += 1;
            }
            if let Some(child) = child {
                calls.push((node, place));
                calls.push((child, 0));
                continue;
            }
            if low[at] == index[at] {
                let mut size = 0;
                while let Some(member) = stack.pop() {
                    of[member as usize] = sizes.len() as u32;
                    size += 1;
                    if member == node {
                        break;
                    }
                }
                sizes.push(size);
            }
            if let Some((parent, _)) = calls.last() {
                low[*parent as usize] = low[*parent as usize].min(low[at]);
            }
        }
    }
    Components { of, sizes }
}
