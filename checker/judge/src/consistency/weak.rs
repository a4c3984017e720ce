//! Read committed, read atomic and causal consistency, exactly and in polynomial time.
//!
//! The definitions are those of Biswas and Enea (OOPSLA 2019), which Plume (Liu and others, OOPSLA 2024) and AWDIT
//! (Møldrup and Pavlogiannis, PLDI 2025) check. There is one total order `co` of the committed transactions that contains
//! the order of each session (`so`) and puts every transaction after those that it read from (`wr`), such that, for
//! distinct `t1` and `t2` that write key `x` and a `t3` that reads `x` from `t1`:
//!
//! * *Read committed*: if `t3` read anything from `t2` before it read `x`, then `t2` is before `t1` in `co`.
//! * *Read atomic*: if `t2` is before `t3` in its session or was read by `t3`, then `t2` is before `t1`.
//! * *Causal*: if `t2` is before `t3` in `(so ∪ wr)+`, then `t2` is before `t1`.
//!
//! None of these premises speaks of `co`: the edges that they ask for are known beforehand, and `co` exists iff these,
//! `so` and `wr` have no cycle. So the verdict is exact. Of the `t2` in one session only the last needs an edge, the others
//! are before it in `so`; for causal consistency each transaction knows how far it has seen into each session.
//! O(n·k) for n steps and k sessions.
//!
//! The initial versions are written by a transaction before all others. Reads of aborted, overwritten or never written
//! values break all three, and so does a read that contradicts an earlier *write* of its own transaction. A read that
//! contradicts an earlier read is a matter of the axioms. An indeterminate transaction that nobody saw is left out: it
//! could only add premises.
//!
//! *Lists* are judged by the same axioms. Their order of versions is not chosen with `co` but seen; it must be part of it.
//! A read of a list is a read from whoever appended its last element.

use std::collections::{BTreeMap, HashMap};

use super::anomaly::Anomaly;
use super::cycles::any_shortest;
use super::database::{Database, Fate, Kind};
use super::graph::{Builder, Edge, FORCED, Graph, PROCESS, WR, WW};
use super::promise::Promise;
use super::registers::Inference;
use super::report::{Basis, Finding, Options, Unknown, Violation};
use super::versions::{NONE, Versions};
use super::{lists, registers};

/// How a `t2` is before `t3`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Seen {
    /// `t3` read from it earlier.
    Earlier,
    /// `t3` read from it.
    Read,
    Session,
    Causally,
}

/// Why `t2` is before `t1`.
#[derive(Clone, Copy, Debug)]
struct Reason {
    reader: u32,
    key: u32,
    how: Seen,
}

/// What a transaction read from others, in its order.
#[derive(Clone, Copy, Debug)]
struct Read {
    key: u32,
    /// [`NONE`] for the initial version.
    from: u32,
}

struct Axioms<'d, 'h> {
    database: &'d Database<'h>,
    versions: &'d Versions,
    /// Of each session its transactions that took effect, in order.
    sessions: Vec<Vec<u32>>,
    /// Of each transaction its place in its session.
    place: Vec<u32>,
    reads: Vec<Vec<Read>>,
    /// Of each transaction the keys that it wrote, sorted.
    written: Vec<Vec<u32>>,
    /// Of each version of a list the one before.
    previous: Vec<u32>,
    builder: Builder,
    reasons: Vec<Reason>,
}

pub(super) fn check(database: &Database<'_>, promise: Promise, options: &Options) -> Finding {
    judge(database, promise, options).unwrap_or_else(Finding::Unknown)
}

fn judge(database: &Database<'_>, promise: Promise, options: &Options) -> Result<Finding, Unknown> {
    let mut versions = match database.kind {
        Kind::Lists => lists::versions(database)?,
        Kind::Registers => registers::versions(database, options, Inference::Definition)?,
    };
    contradicted_writes(database, &mut versions)?;
    let found: Vec<Violation> =
        versions.found.0.values().filter(|violation| always(violation.anomaly)).cloned().collect();
    if !found.is_empty() {
        return Ok(Finding::Invalid(found));
    }
    let mut axioms = Axioms::of(database, &versions);
    axioms.causes();
    let so_and_wr = std::mem::replace(&mut axioms.builder, Builder::new(database.transactions.len() + 1)).finish();
    if let Some(cycle) = any_shortest(&so_and_wr) {
        return Ok(Finding::Invalid(vec![axioms.explain(&cycle)]));
    }
    match promise {
        Promise::ReadCommitted => axioms.read_committed(),
        Promise::ReadAtomic => axioms.read_atomic(),
        _ => axioms.causal(&so_and_wr),
    }
    if database.kind == Kind::Lists {
        axioms.order_of_lists();
    }
    let builder = std::mem::replace(&mut axioms.builder, Builder::new(0));
    let more: Vec<Edge> = builder.finish().edges().to_vec();
    let graph = so_and_wr.with(&more);
    Ok(match any_shortest(&graph) {
        Some(cycle) => Finding::Invalid(vec![axioms.explain(&cycle)]),
        None => Finding::Valid(Basis::Exact),
    })
}

/// What breaks all three.
fn always(anomaly: Anomaly) -> bool {
    matches!(
        anomaly,
        Anomaly::ThinAirRead
            | Anomaly::DuplicateElements
            | Anomaly::AbortedRead
            | Anomaly::IntermediateRead
            | Anomaly::FutureRead
            | Anomaly::DirtyUpdate
            | Anomaly::IncompatibleOrder
            | Anomaly::NotMyWrite
    )
}

/// A read after a write of the same transaction that does not see it.
fn contradicted_writes(database: &Database<'_>, versions: &mut Versions) -> Result<(), Unknown> {
    let mut wrote = vec![(NONE, 0_usize); database.keys.len()];
    for (number, transaction) in database.transactions.iter().enumerate() {
        if transaction.fate != Fate::Committed {
            continue;
        }
        for place in transaction.steps.clone() {
            let step = &database.steps[place];
            let key = step.key as usize;
            let (writer, written) = wrote[key];
            if !step.reads {
                wrote[key] = (number as u32, place);
                continue;
            }
            if writer != number as u32 {
                continue;
            }
            let expected = database.steps[written].value;
            let seen = match database.kind {
                Kind::Lists => database.list(number, step)?.last(),
                Kind::Registers => step.value,
            };
            if seen != expected {
                let show =
                    |value: Option<&sextant_histories::Value>| value.map_or("nothing".to_owned(), |v| v.to_string());
                versions.found.add(database, Anomaly::NotMyWrite, &[number as u32], || {
                    format!(
                        "T1 read {} from key {}, where it had written {}",
                        show(seen),
                        database.keys[key],
                        show(expected)
                    )
                });
            }
        }
    }
    Ok(())
}

impl<'d, 'h> Axioms<'d, 'h> {
    fn of(database: &'d Database<'h>, versions: &'d Versions) -> Self {
        let count = database.transactions.len();
        let mut axioms = Self {
            database,
            versions,
            sessions: vec![Vec::new(); database.sessions],
            place: vec![NONE; count],
            reads: vec![Vec::new(); count],
            written: (0..count).map(|number| written(database, number)).collect(),
            previous: vec![NONE; versions.key.len()],
            builder: Builder::new(count + 1),
            reasons: Vec::new(),
        };
        for (before, after) in &versions.order {
            axioms.previous[*after as usize] = *before;
        }
        for (number, transaction) in database.transactions.iter().enumerate() {
            if versions.counts[number] {
                let session = &mut axioms.sessions[transaction.session as usize];
                axioms.place[number] = session.len() as u32;
                session.push(number as u32);
            }
            if transaction.fate == Fate::Committed {
                axioms.reads[number] = axioms.reads_of(number);
            }
        }
        axioms
    }

    /// The node of the transaction that wrote the initial versions.
    fn first(&self) -> u32 {
        self.database.transactions.len() as u32
    }

    fn node(&self, writer: u32) -> u32 {
        if writer == NONE { self.first() } else { writer }
    }

    fn reads_of(&self, number: usize) -> Vec<Read> {
        let places = self.database.transactions[number].steps.clone();
        let mut reads = Vec::new();
        for place in places.filter(|place| self.database.steps[*place].reads) {
            let mut version = self.versions.of_step[place];
            // Of a list that ends in what the transaction itself appended, what stood before.
            while version != NONE && self.versions.writer[version as usize] == number as u32 {
                version = match self.database.kind {
                    Kind::Lists => self.previous[version as usize],
                    Kind::Registers => NONE,
                };
            }
            if version != NONE {
                reads.push(Read { key: self.database.steps[place].key, from: self.versions.writer[version as usize] });
            }
        }
        reads
    }

    /// Sessions and reads.
    fn causes(&mut self) {
        let first = self.first();
        for session in &self.sessions {
            if let Some(begin) = session.first() {
                self.builder.edge(first, *begin, PROCESS, NONE);
            }
            session.windows(2).for_each(|pair| self.builder.edge(pair[0], pair[1], PROCESS, NONE));
        }
        for (number, reads) in self.reads.iter().enumerate() {
            for read in reads {
                self.builder.edge(self.node(read.from), number as u32, WR, read.key);
            }
        }
    }

    /// Which of `keys`, sorted, the transaction wrote.
    fn written_among(&self, transaction: u32, keys: &[u32]) -> Vec<u32> {
        let written = &self.written[transaction as usize];
        let (few, many) = if written.len() < keys.len() { (&written[..], keys) } else { (keys, &written[..]) };
        few.iter().copied().filter(|key| many.binary_search(key).is_ok()).collect()
    }

    /// `before` must come before the transaction that `read` is from.
    fn premise(&mut self, before: u32, read: Read, reader: u32, how: Seen) {
        if before != read.from {
            let reason = self.reasons.len() as u32;
            self.reasons.push(Reason { reader, key: read.key, how });
            let to = self.node(read.from);
            self.builder.edge(before, to, FORCED, reason);
        }
    }

    fn read_committed(&mut self) {
        for reader in 0..self.reads.len() as u32 {
            let reads = std::mem::take(&mut self.reads[reader as usize]);
            let keys = keys(&reads);
            // Of each key, who wrote it among those read from so far.
            let mut writers: HashMap<u32, Vec<u32>> = HashMap::new();
            let mut sources: Vec<u32> = Vec::new();
            for read in &reads {
                for writer in writers.get(&read.key).into_iter().flatten() {
                    self.premise(*writer, *read, reader, Seen::Earlier);
                }
                if read.from != NONE && !sources.contains(&read.from) {
                    sources.push(read.from);
                    for key in self.written_among(read.from, &keys) {
                        writers.entry(key).or_default().push(read.from);
                    }
                }
            }
            self.reads[reader as usize] = reads;
        }
    }

    fn read_atomic(&mut self) {
        // Of each session and key, who of the session wrote it last.
        let mut last: HashMap<(u32, u32), u32> = HashMap::new();
        for reader in 0..self.reads.len() as u32 {
            let reads = std::mem::take(&mut self.reads[reader as usize]);
            let session = self.database.transactions[reader as usize].session;
            let keys = keys(&reads);
            let mut sources: Vec<u32> = reads.iter().map(|read| read.from).filter(|from| *from != NONE).collect();
            sources.sort_unstable();
            sources.dedup();
            let mut writers: HashMap<u32, Vec<u32>> = HashMap::new();
            for source in sources {
                for key in self.written_among(source, &keys) {
                    writers.entry(key).or_default().push(source);
                }
            }
            for read in &reads {
                for writer in writers.get(&read.key).into_iter().flatten() {
                    self.premise(*writer, *read, reader, Seen::Read);
                }
                if let Some(writer) = last.get(&(session, read.key)).copied() {
                    self.premise(writer, *read, reader, Seen::Session);
                }
            }
            self.reads[reader as usize] = reads;
            if self.versions.counts[reader as usize] {
                for key in &self.written[reader as usize] {
                    last.insert((session, *key), reader);
                }
            }
        }
    }

    /// `graph` has no cycle.
    fn causal(&mut self, graph: &Graph) {
        // Of each key, its writers by session, as places in the session. Sessions are in order, so that runs repeat.
        let mut writers: HashMap<u32, BTreeMap<u32, Vec<u32>>> = HashMap::new();
        for (session, members) in self.sessions.iter().enumerate() {
            for (place, member) in members.iter().enumerate() {
                for key in &self.written[*member as usize] {
                    writers.entry(*key).or_default().entry(session as u32).or_default().push(place as u32);
                }
            }
        }
        for (reader, clock) in self.clocks(graph) {
            let reads = std::mem::take(&mut self.reads[reader as usize]);
            for read in &reads {
                for (session, places) in writers.get(&read.key).into_iter().flatten() {
                    let visible = places.partition_point(|place| *place < clock[*session as usize]);
                    if let Some(last) = visible.checked_sub(1) {
                        let writer = self.sessions[*session as usize][places[last] as usize];
                        self.premise(writer, *read, reader, Seen::Causally);
                    }
                }
            }
            self.reads[reader as usize] = reads;
        }
    }

    /// For each transaction that reads from another, how many of each session's are before it in `(so ∪ wr)+`.
    fn clocks(&self, graph: &Graph) -> Vec<(u32, Vec<u32>)> {
        let components = graph.components(u8::MAX);
        let mut order: Vec<u32> = (0..self.database.transactions.len() as u32).collect();
        order.retain(|transaction| self.versions.counts[*transaction as usize]);
        // Components are numbered in reverse topological order, and each is one transaction.
        order.sort_unstable_by_key(|transaction| std::cmp::Reverse(components.of[*transaction as usize]));
        let mut clocks: Vec<Vec<u32>> = vec![Vec::new(); self.database.transactions.len()];
        for transaction in &order {
            let session = self.database.transactions[*transaction as usize].session as usize;
            let place = self.place[*transaction as usize];
            let mut clock = vec![0; self.database.sessions];
            let before = place.checked_sub(1).map(|place| self.sessions[session][place as usize]);
            let sources = self.reads[*transaction as usize].iter().map(|read| read.from).filter(|from| *from != NONE);
            for source in sources.chain(before) {
                let session = self.database.transactions[source as usize].session as usize;
                clock.iter_mut().zip(&clocks[source as usize]).for_each(|(clock, seen)| *clock = (*clock).max(*seen));
                clock[session] = clock[session].max(self.place[source as usize] + 1);
            }
            clocks[*transaction as usize] = clock;
        }
        let reads = |transaction: &u32| !self.reads[*transaction as usize].is_empty();
        order.into_iter().filter(reads).map(|number| (number, std::mem::take(&mut clocks[number as usize]))).collect()
    }

    fn order_of_lists(&mut self) {
        let writer = |version: u32| self.versions.writer[version as usize];
        let fans =
            self.versions.fans.iter().flat_map(|(before, after)| after.iter().map(move |after| (*before, *after)));
        for (before, after) in self.versions.order.iter().copied().chain(fans) {
            if writer(before) != NONE && self.versions.took_effect(after) {
                let key = self.versions.key[after as usize];
                self.builder.edge(writer(before), writer(after), WW, key);
            }
        }
    }

    fn explain(&self, cycle: &[Edge]) -> Violation {
        let reasons =
            cycle.iter().filter(|edge| edge.label == FORCED).map(|edge| self.reasons[edge.about as usize].how);
        let anomaly = match reasons.max_by_key(|how| *how as u8) {
            None if cycle.iter().all(|edge| edge.label != WW) => Anomaly::CausalityCycle,
            Some(Seen::Earlier) | None => Anomaly::NonMonotonicRead,
            Some(Seen::Read | Seen::Session) => Anomaly::FracturedRead,
            Some(Seen::Causally) => Anomaly::CausalityViolation,
        };
        let mut names = Names { numbers: Vec::new() };
        // A cycle through the initial transaction is one edge that is wrong by itself.
        let first = self.first();
        let wrong = cycle.iter().find(|edge| edge.to == first);
        let sentences: Vec<String> = match wrong {
            Some(edge) => vec![self.sentence(edge, &mut names)],
            None => {
                cycle.iter().for_each(|edge| drop(names.of(edge.from)));
                let say = |edge: &Edge| {
                    let (one, other) = (names.of(edge.from), names.of(edge.to));
                    format!("{one} comes before {other}: {}", self.sentence(edge, &mut names))
                };
                cycle.iter().map(say).collect()
            }
        };
        let operation = |number: &u32| self.database.transactions[*number as usize].operation;
        Violation {
            anomaly,
            operations: names.numbers.iter().map(operation).collect(),
            sentences,
            entangled: cycle.len(),
        }
    }

    fn sentence(&self, edge: &Edge, names: &mut Names) -> String {
        let key = |about: u32| self.database.keys[about as usize];
        if edge.label == FORCED {
            let Reason { reader, key: about, how } = self.reasons[edge.about as usize];
            let one = names.of(edge.from);
            let source = if edge.to == self.first() {
                "the initial value".to_owned()
            } else {
                format!("{}'s value", names.of(edge.to))
            };
            let reader = names.of(reader);
            let how = match how {
                Seen::Earlier => format!("{reader} had read from {one} before"),
                Seen::Read => format!("{reader} read from {one} too"),
                Seen::Session => format!("{one} is earlier in the session of {reader}"),
                Seen::Causally => format!("{one} is before {reader} by sessions and reads"),
            };
            return format!("{reader} read {source} of key {}, which {one} wrote as well, and {how}", key(about));
        }
        let (one, other) = (names.of(edge.from), names.of(edge.to));
        match edge.label {
            PROCESS => format!("{one} was earlier in the same session"),
            WR => format!("{other} read from key {} what {one} wrote", key(edge.about)),
            _ => format!("in key {}, {other} appended after {one}", key(edge.about)),
        }
    }
}

/// The keys that a transaction wrote, each once.
fn written(database: &Database<'_>, transaction: usize) -> Vec<u32> {
    let steps = database.steps_of(transaction).iter();
    let mut keys: Vec<u32> = steps.filter(|step| !step.reads).map(|step| step.key).collect();
    keys.sort_unstable();
    keys.dedup();
    keys
}

fn keys(reads: &[Read]) -> Vec<u32> {
    let mut keys: Vec<u32> = reads.iter().map(|read| read.key).collect();
    keys.sort_unstable();
    keys.dedup();
    keys
}

/// Which transaction is T1, which T2.
struct Names {
    numbers: Vec<u32>,
}

impl Names {
    fn of(&mut self, transaction: u32) -> String {
        let known = self.numbers.iter().position(|number| *number == transaction);
        let place = known.unwrap_or_else(|| {
            self.numbers.push(transaction);
            self.numbers.len() - 1
        });
        format!("T{}", place + 1)
    }
}
