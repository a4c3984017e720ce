//! The search for an order of the writes that are not ordered by what is known (the polygraphs of Papadimitriou 1979; as
//! Cobra, Tan and others 2020, and PolySI, Huang and others 2023, have them).
//!
//! Of two versions `a` and `b` of one key, either `a` comes first, and then so do its readers before `b`'s writer; or the
//! other way round. The graph of what is decided is kept closed under reachability, so it is seen at once which decisions
//! would close a cycle. A pair of which one order would do so is decided by that; only where nothing is decided so is an
//! order tried, and the other one after it. The question is NP-complete (Papadimitriou 1979 for serializability, Biswas and
//! Enea 2019 for snapshot isolation), so the search has limits; what is forced is usually everything.
//!
//! For snapshot isolation the closure is of the graph of [`Graph::nonadjacent`].

use std::collections::{HashMap, HashSet};
use std::time::Instant;

use super::database::{Database, Kind};
use super::dependencies::Readers;
use super::graph::{Edge, FORCED, Graph, RW, VIA};
use super::report::Options;
use super::versions::{NONE, Versions};

/// Versions of one key whose order is not known, in pairs.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) pairs: Vec<(u32, u32)>,
    /// Whether these are all; there may be too many to list.
    complete: bool,
}

/// Which cycles are ruled out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rule {
    Any,
    /// Those without two adjacent rw edges.
    Nonadjacent,
}

#[derive(Debug)]
pub(super) enum Outcome {
    Order,
    /// Both orders of some pair close a cycle. For each of them, edges which added to the graph show one.
    Conflict(Vec<Vec<Edge>>),
    GaveUp(String),
}

/// More pairs than this are not looked at one by one.
const PAIRS: usize = 400_000;

/// The keys of which the order of versions is not known; versions that were overwritten in their own transaction, and
/// pairs of one transaction, do not count.
pub(super) fn groups(database: &Database<'_>, versions: &Versions) -> Vec<Group> {
    let mut left = PAIRS;
    let groups: Vec<Group> = match database.kind {
        // Of lists, only appends that nobody read are without a place, and they are known to be after the others.
        Kind::Lists => {
            versions.fans.iter().map(|(_, unseen)| all_pairs(unseen, versions, &mut left, |_, _| false)).collect()
        }
        Kind::Registers => of_registers(database, versions, &mut left),
    };
    groups.into_iter().filter(|group| !group.pairs.is_empty()).collect()
}

fn all_pairs(of_key: &[u32], versions: &Versions, left: &mut usize, known: impl Fn(usize, usize) -> bool) -> Group {
    let mut pairs = Vec::new();
    let usable = |version: u32| versions.took_effect(version) && !versions.intermediate[version as usize];
    for one in (0..of_key.len()).filter(|one| usable(of_key[*one])) {
        for other in (one + 1..of_key.len()).filter(|other| usable(of_key[*other])) {
            let same = versions.writer[of_key[one] as usize] == versions.writer[of_key[other] as usize];
            if same || known(one, other) {
                continue;
            }
            if *left == 0 {
                return Group { pairs, complete: false };
            }
            *left -= 1;
            pairs.push((of_key[one], of_key[other]));
        }
    }
    Group { pairs, complete: true }
}

fn of_registers(database: &Database<'_>, versions: &Versions, left: &mut usize) -> Vec<Group> {
    let keys = database.keys.len();
    let mut finals: Vec<Vec<u32>> = vec![Vec::new(); keys];
    for version in keys..versions.key.len() {
        if versions.took_effect(version as u32) && !versions.intermediate[version] {
            finals[versions.key[version] as usize].push(version as u32);
        }
    }
    let mut next: Vec<Vec<u32>> = vec![Vec::new(); versions.key.len()];
    for (before, after) in &versions.order {
        next[*before as usize].push(*after);
    }
    finals
        .into_iter()
        .filter(|of_key| of_key.len() > 1 && !in_one_line(of_key, &next))
        .map(|of_key| {
            if of_key.len() * of_key.len() > 4 * PAIRS {
                return Group { pairs: vec![(of_key[0], of_key[1])], complete: false };
            }
            let after = closure_of_key(&of_key, &next);
            all_pairs(&of_key, versions, left, |one, other| after[one][other] || after[other][one])
        })
        .collect()
}

/// Which versions of one key are known to come after which.
fn closure_of_key(of_key: &[u32], next: &[Vec<u32>]) -> Vec<Vec<bool>> {
    let place: HashMap<u32, usize> = of_key.iter().enumerate().map(|(place, version)| (*version, place)).collect();
    let mut after = vec![vec![false; of_key.len()]; of_key.len()];
    for (number, version) in of_key.iter().enumerate() {
        let mut stack = vec![*version];
        let mut seen: HashSet<u32> = stack.iter().copied().collect();
        while let Some(version) = stack.pop() {
            for later in next[version as usize].iter().filter(|later| seen.insert(**later)) {
                if let Some(later) = place.get(later) {
                    after[number][*later] = true;
                }
                stack.push(*later);
            }
        }
    }
    after
}

/// Whether the final versions of a key follow one another directly: then their order is known without a closure.
fn in_one_line(of_key: &[u32], next: &[Vec<u32>]) -> bool {
    let mut followed = HashSet::new();
    let single = of_key.iter().filter(|version| {
        let next = &next[**version as usize];
        next.len() == 1 && followed.insert(next[0])
    });
    single.count() + 1 == of_key.len() && followed.iter().all(|version| of_key.binary_search(version).is_ok())
}

pub(super) fn solve(
    graph: &Graph,
    versions: &Versions,
    readers: &Readers,
    groups: &[Group],
    rule: Rule,
    options: &Options,
) -> Outcome {
    let pairs: Vec<(u32, u32)> = groups.iter().flat_map(|group| group.pairs.iter().copied()).collect();
    // Half the bytes that the configurations of another search would take, for the closures of all open choices.
    let bytes = options.configurations.saturating_mul(64);
    let complete = groups.iter().all(|group| group.complete);
    let closure = if complete { Closure::of(graph, rule, bytes / 8) } else { None };
    let Some(closure) = closure else {
        return Outcome::GaveUp("there are too many transactions to search for one".to_owned());
    };
    let deadline = Instant::now().checked_add(options.timeout);
    let mut solver = Solver { versions, readers, deadline, options, bytes, first_conflict: None };
    let decided = Decided { closure, forced: Vec::new() };
    match solver.search(decided, pairs) {
        Some(true) => Outcome::Order,
        Some(false) => Outcome::Conflict(solver.first_conflict.unwrap_or_default()),
        None if options.is_interrupted() => Outcome::GaveUp("the search for one was interrupted".to_owned()),
        None => Outcome::GaveUp("the search for one met its limits".to_owned()),
    }
}

struct Solver<'s> {
    versions: &'s Versions,
    readers: &'s Readers,
    deadline: Option<Instant>,
    options: &'s Options,
    bytes: usize,
    first_conflict: Option<Vec<Vec<Edge>>>,
}

#[derive(Clone)]
struct Decided {
    closure: Closure,
    forced: Vec<Edge>,
}

impl Solver<'_> {
    /// Whether all pairs can be ordered. `None` at the limits.
    fn search(&mut self, decided: Decided, pairs: Vec<(u32, u32)>) -> Option<bool> {
        // Branches to try, the next one last: what is decided, and the pairs left.
        let mut branches = vec![(decided, pairs)];
        while let Some((mut decided, mut pairs)) = branches.pop() {
            if self.is_over() {
                return None;
            }
            match self.decide_forced(&mut decided, &mut pairs) {
                Some(true) => {}
                Some(false) => continue,
                None => return None,
            }
            let Some((one, other)) = pairs.pop() else {
                return Some(true);
            };
            if (branches.len() + 2) * decided.closure.bytes() > self.bytes {
                return None;
            }
            let mut backward = decided.clone();
            let edges = self.edges(other, one);
            backward.add(&edges);
            branches.push((backward, pairs.clone()));
            let edges = self.edges(one, other);
            decided.add(&edges);
            branches.push((decided, pairs));
        }
        Some(false)
    }

    fn is_over(&self) -> bool {
        self.options.is_interrupted() || self.deadline.is_some_and(|deadline| Instant::now() >= deadline)
    }

    /// Decides all pairs of which one order is impossible; false if there is one of which both are, none at the limits.
    fn decide_forced(&mut self, decided: &mut Decided, pairs: &mut Vec<(u32, u32)>) -> Option<bool> {
        loop {
            if self.is_over() {
                return None;
            }
            let before = pairs.len();
            let mut conflict = false;
            pairs.retain(|(one, other)| {
                if conflict {
                    return true;
                }
                let forward = self.edges(*one, *other);
                let backward = self.edges(*other, *one);
                match (decided.closure.allows(&forward), decided.closure.allows(&backward)) {
                    (true, true) => return true,
                    (true, false) => decided.add(&forward),
                    (false, true) => decided.add(&backward),
                    (false, false) => {
                        conflict = true;
                        let show = |edges: &[Edge]| decided.forced.iter().chain(edges).copied().collect();
                        self.first_conflict.get_or_insert_with(|| vec![show(&forward), show(&backward)]);
                    }
                }
                false
            });
            if conflict {
                return Some(false);
            }
            if pairs.len() == before {
                return Some(true);
            }
        }
    }

    /// What follows from `before` being the earlier of the two versions.
    fn edges(&self, before: u32, after: u32) -> Vec<Edge> {
        let about = self.versions.key[before as usize];
        let (from, to) = (self.versions.writer[before as usize], self.versions.writer[after as usize]);
        debug_assert!(from != NONE && to != NONE);
        let mut edges = vec![Edge { from, to, label: FORCED, about }];
        let readers = self.readers.of(before).iter().filter(|reader| **reader != to);
        edges.extend(readers.map(|reader| Edge { from: *reader, to, label: RW, about }));
        edges
    }
}

impl Decided {
    fn add(&mut self, edges: &[Edge]) {
        for edge in edges {
            self.closure.add(edge);
            self.forced.push(*edge);
        }
    }
}

/// Reachability between all nodes, as bits.
#[derive(Clone)]
struct Closure {
    rule: Rule,
    nodes: usize,
    /// Words a row.
    words: usize,
    /// Whom each node reaches.
    rows: Vec<u64>,
}

impl Closure {
    /// `None` if it took more than `limit` bytes.
    fn of(graph: &Graph, rule: Rule, limit: usize) -> Option<Self> {
        let nodes = if rule == Rule::Any { graph.nodes() } else { 2 * graph.nodes() };
        let words = nodes.div_ceil(64);
        if nodes.checked_mul(words * 8).is_none_or(|bytes| bytes > limit) {
            return None;
        }
        let mut closure = Self { rule, nodes, words, rows: vec![0; nodes * words] };
        // The components come in reverse topological order, and each is one node, since the graph has no such cycle.
        let labels = u8::MAX;
        let components = if rule == Rule::Any { graph.components(labels) } else { graph.nonadjacent(labels) };
        let mut order: Vec<u32> = (0..nodes as u32).collect();
        order.sort_by_key(|node| components.of[*node as usize]);
        for node in order {
            let source = if rule == Rule::Any { node } else { node / 2 };
            for edge in graph.out(source) {
                for (from, to) in closure.ends(edge).into_iter().flatten() {
                    if from == node {
                        closure.include(from as usize, to as usize);
                    }
                }
            }
        }
        Some(closure)
    }

    fn bytes(&self) -> usize {
        self.rows.len() * 8
    }

    /// The edge in the graph that the closure is of.
    fn ends(&self, edge: &Edge) -> [Option<(u32, u32)>; 2] {
        let (from, to) = (edge.from, edge.to);
        match (self.rule, edge.label) {
            (Rule::Any, _) => [Some((from, to)), None],
            (Rule::Nonadjacent, RW) => [Some((2 * from, 2 * to + 1)), None],
            (Rule::Nonadjacent, VIA) => [Some((2 * from, 2 * to)), Some((2 * from + 1, 2 * to + 1))],
            (Rule::Nonadjacent, _) => [Some((2 * from, 2 * to)), Some((2 * from + 1, 2 * to))],
        }
    }

    fn reaches(&self, from: usize, to: usize) -> bool {
        self.rows[from * self.words + to / 64] >> (to % 64) & 1 == 1
    }

    /// Whether none of the edges closes a cycle by itself.
    fn allows(&self, edges: &[Edge]) -> bool {
        let mut ends = edges.iter().flat_map(|edge| self.ends(edge)).flatten();
        ends.all(|(from, to)| from != to && !self.reaches(to as usize, from as usize))
    }

    fn include(&mut self, from: usize, to: usize) {
        let (low, high) = (from.min(to) * self.words, from.max(to) * self.words);
        let (head, tail) = self.rows.split_at_mut(high);
        let (one, other) = (&mut head[low..low + self.words], &mut tail[..self.words]);
        let (into, out) = if from < to { (one, &*other) } else { (other, &*one) };
        into.iter_mut().zip(out).for_each(|(into, out)| *into |= out);
        into[to / 64] |= 1 << (to % 64);
    }

    fn add(&mut self, edge: &Edge) {
        for (from, to) in self.ends(edge).into_iter().flatten() {
            let (from, to) = (from as usize, to as usize);
            if from == to || self.reaches(from, to) {
                continue;
            }
            for node in 0..self.nodes {
                if node == from || self.reaches(node, from) && !self.reaches(node, to) {
                    self.include(node, to);
                }
            }
        }
    }
}
