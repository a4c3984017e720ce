//! Session guarantees (Terry and others 1994), of registers with distinct values.
//!
//! The definitions are those of Viotti and Vukolić (ACM Computing Surveys 49(1), 2016), after Burckhardt: there is one
//! total order `ar` of all writes, and each read `r` sees a set `V(r)` of writes and returns the last of them, by `ar`, to
//! its key, or the initial value if there is none. With `so` the order of a session:
//!
//! * *Read your writes*: `V(r)` has all writes that are before `r` in its session.
//! * *Monotonic reads*: `V(r)` has all of `V(q)` for each read `q` before `r` in its session.
//! * *Monotonic writes*: if `w` is before `v` in a session, then `w` is before `v` in `ar`, and whoever sees `v` sees `w`.
//! * *Writes follow reads*: if `w` is in `V(q)` and the read `q` is before the write `v` in a session, then `w` is before
//!   `v` in `ar`, and whoever sees `v` sees `w`.
//!
//! The last two are about what an observer sees in turn; without monotonic reads nothing that is observed can contradict
//! them, so they are judged together with it. Terry's visibility ("whoever sees `v` sees `w`") is part of them: with `ar`
//! alone a stale read of another key would not count. `session` is all four together, and that is causal consistency with
//! one order of writes, judged by [`weak`](super::weak).
//!
//! *Why the verdict is exact.* Every condition on `V` asks for more members, so there is a least choice, which is in every
//! other; a larger `V(r)` only puts more writes before the one that `r` returned. So `ar` exists iff the least sets give
//! no cycle. Of what `r` sees of its key, only the last of each session needs an edge, because the others are before that
//! one in `ar` already: by `so` for monotonic writes, by the monotonic reads of that session for writes follow reads. The
//! least sets are prefixes of sessions: of their writes in the one case, of what they read in the other.
//!
//! A transaction of several steps counts as these steps, one after the other.

use std::collections::HashMap;

use super::anomaly::Anomaly;
use super::cycles::any_shortest;
use super::database::{Database, Fate, Kind, Transaction};
use super::graph::{Builder, Edge, Graph, PROCESS, VIA, WR};
use super::promise::Promise;
use super::registers::{self, Inference};
use super::report::{Basis, Finding, Options, Unknown, Violation};
use super::versions::{NONE, Versions};
use super::weak;

pub(super) fn check(database: &Database<'_>, promise: Promise, options: &Options) -> Finding {
    judge(database, promise, options).unwrap_or_else(Finding::Unknown)
}

fn judge(database: &Database<'_>, promise: Promise, options: &Options) -> Result<Finding, Unknown> {
    if database.kind == Kind::Lists {
        let operation = &database.history.operations()[0];
        let line = database.history.line(operation.invoked.index);
        return Err(Unknown::Unsupported { call: operation.call.to_string(), line });
    }
    let single = one_step_each(database);
    if promise == Promise::Session {
        return Ok(match weak::check(&single, Promise::Causal, options) {
            Finding::Invalid(mut violations) => {
                let graph = |violation: &Violation| {
                    matches!(
                        violation.anomaly,
                        Anomaly::CausalityCycle | Anomaly::CausalityViolation | Anomaly::FracturedRead
                    )
                };
                violations.iter_mut().filter(|v| graph(v)).for_each(|violation| violation.anomaly = Anomaly::NoSession);
                Finding::Invalid(violations)
            }
            other => other,
        });
    }
    let versions = registers::versions(&single, options, Inference::Definition)?;
    let wrong = [Anomaly::ThinAirRead, Anomaly::AbortedRead];
    let found = versions.found.0.values().filter(|violation| wrong.contains(&violation.anomaly));
    let found: Vec<Violation> = found.cloned().collect();
    if !found.is_empty() {
        return Ok(Finding::Invalid(found));
    }
    let mut guarantee = Guarantee::of(&single, &versions);
    match promise {
        Promise::ReadYourWrites => guarantee.read_your_writes(),
        Promise::MonotonicReads => guarantee.monotonic_reads(),
        Promise::MonotonicWrites => guarantee.monotonic_writes(),
        _ => {
            guarantee.reads_before_writes();
            // Only without a cycle here are the sets well-founded.
            if let Some(violation) = guarantee.violation(promise) {
                return Ok(Finding::Invalid(vec![violation]));
            }
            guarantee.writes_follow_reads();
        }
    }
    Ok(match guarantee.violation(promise) {
        Some(violation) => Finding::Invalid(vec![violation]),
        None => Finding::Valid(Basis::Exact),
    })
}

/// Each step as a transaction of its own.
fn one_step_each<'h>(database: &Database<'h>) -> Database<'h> {
    let steps = database.transactions.iter().flat_map(|transaction| {
        transaction.steps.clone().map(|place| Transaction { steps: place..place + 1, ..transaction.clone() })
    });
    Database {
        history: database.history,
        kind: database.kind,
        keys: database.keys.clone(),
        sessions: database.sessions,
        transactions: steps.collect(),
        steps: database.steps.clone(),
    }
}

/// Why one write is before another: what the sentence of an edge needs.
#[derive(Clone, Copy, Debug)]
struct Reason {
    /// Who returned the later write; a transaction of one step.
    reader: u32,
}

struct Guarantee<'d, 'h> {
    database: &'d Database<'h>,
    versions: &'d Versions,
    /// Of each session its steps in order, as transactions of one step.
    sessions: Vec<Vec<u32>>,
    /// Edges between versions.
    edges: Vec<Edge>,
    relays: u32,
    reasons: Vec<Reason>,
}

impl<'d, 'h> Guarantee<'d, 'h> {
    fn of(database: &'d Database<'h>, versions: &'d Versions) -> Self {
        let mut sessions = vec![Vec::new(); database.sessions];
        for (number, transaction) in database.transactions.iter().enumerate() {
            let useful = transaction.fate == Fate::Committed || versions.counts[number];
            if useful && versions.of_step[transaction.steps.start] != NONE {
                sessions[transaction.session as usize].push(number as u32);
            }
        }
        let mut edges = Vec::new();
        for version in database.keys.len() as u32..versions.key.len() as u32 {
            let initial = versions.key[version as usize];
            edges.push(Edge { from: initial, to: version, label: PROCESS, about: NONE });
        }
        Self { database, versions, sessions, edges, relays: versions.key.len() as u32, reasons: Vec::new() }
    }

    fn version(&self, number: u32) -> u32 {
        self.versions.of_step[self.database.transactions[number as usize].steps.start]
    }

    fn reads(&self, number: u32) -> bool {
        self.database.steps_of(number as usize)[0].reads
    }

    fn key(&self, number: u32) -> u32 {
        self.database.steps_of(number as usize)[0].key
    }

    fn relay(&mut self) -> u32 {
        self.relays += 1;
        self.relays - 1
    }

    /// The reader saw `before`, or a relay of several, and returned `version`.
    fn seen(&mut self, before: u32, version: u32, reader: u32) {
        if before != version {
            let label = if before as usize >= self.versions.key.len() { VIA } else { WR };
            let about = self.reasons.len() as u32;
            self.reasons.push(Reason { reader });
            self.edges.push(Edge { from: before, to: version, label, about });
        }
    }

    fn in_session(&mut self, before: u32, after: u32) {
        if before != after {
            self.edges.push(Edge { from: before, to: after, label: PROCESS, about: NONE });
        }
    }

    fn read_your_writes(&mut self) {
        for session in std::mem::take(&mut self.sessions) {
            // Of each key, the session's own writes, each with a relay that stands for it and those before it.
            let mut own: HashMap<u32, Vec<(u32, u32)>> = HashMap::new();
            for number in session {
                let (key, version) = (self.key(number), self.version(number));
                let writes = own.entry(key).or_default();
                if !self.database.steps_of(number as usize)[0].reads {
                    let before = writes.last().map(|(_, relay)| *relay);
                    let relay = self.relay();
                    self.edges.push(Edge { from: version, to: relay, label: WR, about: NONE });
                    if let Some(before) = before {
                        self.edges.push(Edge { from: before, to: relay, label: VIA, about: NONE });
                    }
                    own.entry(key).or_default().push((version, relay));
                    continue;
                }
                let returned = writes.iter().rposition(|(own, _)| *own == version);
                let (before, after) = match returned {
                    Some(place) => (place.checked_sub(1), place + 1),
                    None => (writes.len().checked_sub(1), writes.len()),
                };
                let before = before.map(|place| writes[place].1);
                let later: Vec<u32> = writes[after..].iter().map(|(version, _)| *version).collect();
                before.into_iter().chain(later).for_each(|before| self.seen(before, version, number));
            }
        }
    }

    fn monotonic_reads(&mut self) {
        for session in self.sessions.clone() {
            let mut last: HashMap<u32, u32> = HashMap::new();
            for number in session {
                if !self.reads(number) {
                    continue;
                }
                let (key, version) = (self.key(number), self.version(number));
                if let Some(before) = last.insert(key, version) {
                    self.seen(before, version, number);
                }
            }
        }
    }

    fn monotonic_writes(&mut self) {
        let sessions = self.sessions.clone();
        // Of each version its session and place among the session's writes; of each key and session its writes' places.
        let mut place_of: HashMap<u32, (usize, u32)> = HashMap::new();
        let mut writes: Vec<Vec<u32>> = vec![Vec::new(); sessions.len()];
        let mut of_key: HashMap<u32, Vec<(usize, Vec<u32>)>> = HashMap::new();
        for (session, members) in sessions.iter().enumerate() {
            for number in members.iter().copied() {
                if self.reads(number) {
                    continue;
                }
                let (version, place) = (self.version(number), writes[session].len() as u32);
                if let Some(before) = writes[session].last().copied() {
                    self.in_session(before, version);
                }
                place_of.insert(version, (session, place));
                writes[session].push(version);
                let by_session = of_key.entry(self.key(number)).or_default();
                match by_session.last_mut().filter(|(last, _)| *last == session) {
                    Some((_, places)) => places.push(place),
                    None => by_session.push((session, vec![place])),
                }
            }
        }
        for members in &sessions {
            let mut clock = vec![0_u32; sessions.len()];
            for number in members.iter().copied() {
                if !self.reads(number) {
                    continue;
                }
                let (key, version) = (self.key(number), self.version(number));
                if let Some((session, place)) = place_of.get(&version) {
                    clock[*session] = clock[*session].max(place + 1);
                }
                for (session, places) in of_key.get(&key).into_iter().flatten() {
                    let seen = places.partition_point(|place| *place < clock[*session]);
                    if let Some(last) = seen.checked_sub(1) {
                        self.seen(writes[*session][places[last] as usize], version, number);
                    }
                }
            }
        }
    }

    /// What a session read is before what it writes afterwards.
    fn reads_before_writes(&mut self) {
        self.monotonic_reads();
        for session in self.sessions.clone() {
            let mut read: Option<u32> = None;
            for number in session {
                let version = self.version(number);
                if !self.reads(number) {
                    if let Some(relay) = read {
                        self.edges.push(Edge { from: relay, to: version, label: VIA, about: NONE });
                    }
                    continue;
                }
                let relay = self.relay();
                self.edges.push(Edge { from: version, to: relay, label: PROCESS, about: NONE });
                if let Some(before) = read {
                    self.edges.push(Edge { from: before, to: relay, label: VIA, about: NONE });
                }
                read = Some(relay);
            }
        }
    }

    fn writes_follow_reads(&mut self) {
        let sessions = self.sessions.clone();
        // Of each session its reads in order; of each read the one before it, and of each version the last read of its
        // session before it.
        let mut reads: Vec<Vec<u32>> = vec![Vec::new(); sessions.len()];
        let mut place: HashMap<u32, (usize, u32)> = HashMap::new();
        let mut before_write: HashMap<u32, u32> = HashMap::new();
        let mut of_key: HashMap<u32, Vec<(usize, Vec<u32>)>> = HashMap::new();
        for (session, members) in sessions.iter().enumerate() {
            for number in members.iter().copied() {
                if !self.reads(number) {
                    if let Some(read) = reads[session].last() {
                        before_write.insert(self.version(number), *read);
                    }
                    continue;
                }
                let at = reads[session].len() as u32;
                place.insert(number, (session, at));
                reads[session].push(number);
                let by_session = of_key.entry(self.key(number)).or_default();
                match by_session.last_mut().filter(|(last, _)| *last == session) {
                    Some((_, places)) => places.push(at),
                    None => by_session.push((session, vec![at])),
                }
            }
        }
        // A read's set is that of the read before it and of the last read before the write that it returned: depth first.
        let mut clocks: HashMap<u32, Vec<u32>> = HashMap::new();
        for root in reads.iter().flatten().copied() {
            let mut stack = vec![root];
            while let Some(read) = stack.last().copied() {
                let (session, at) = place[&read];
                let previous = at.checked_sub(1).map(|at| reads[session][at as usize]);
                let source = before_write.get(&self.version(read)).copied();
                let needed: Vec<u32> = previous.into_iter().chain(source).collect();
                let missing = needed.iter().copied().find(|needed| !clocks.contains_key(needed));
                if let (Some(missing), false) = (missing, clocks.contains_key(&read)) {
                    stack.push(missing);
                    continue;
                }
                stack.pop();
                let mut clock = vec![0_u32; sessions.len()];
                for needed in needed {
                    clock.iter_mut().zip(&clocks[&needed]).for_each(|(clock, seen)| *clock = (*clock).max(*seen));
                }
                clock[session] = clock[session].max(at + 1);
                clocks.insert(read, clock);
            }
        }
        for read in reads.iter().flatten().copied().collect::<Vec<_>>() {
            let version = self.version(read);
            for (session, places) in of_key.get(&self.key(read)).into_iter().flatten() {
                let seen = places.partition_point(|place| *place < clocks[&read][*session]);
                if let Some(last) = seen.checked_sub(1) {
                    let before = self.version(reads[*session][places[last] as usize]);
                    self.seen(before, version, read);
                }
            }
        }
    }

    fn violation(&self, promise: Promise) -> Option<Violation> {
        let graph = self.graph();
        let cycle = any_shortest(&graph)?;
        let anomaly = match promise {
            Promise::ReadYourWrites => Anomaly::NotMyWrite,
            Promise::MonotonicReads => Anomaly::NonMonotonicReads,
            Promise::MonotonicWrites => Anomaly::NonMonotonicWrites,
            _ => Anomaly::WritesWithoutReads,
        };
        let mut operations: Vec<usize> = Vec::new();
        let mut sentences = Vec::new();
        let mut name = |transaction: u32| {
            let operation = self.database.transactions[transaction as usize].operation;
            let known = operations.iter().position(|known| *known == operation);
            let place = known.unwrap_or_else(|| {
                operations.push(operation);
                operations.len() - 1
            });
            format!("T{}", place + 1)
        };
        for link in links(&graph, &cycle) {
            let key = self.database.keys[self.versions.key[link.to as usize] as usize];
            let mut show = |version: u32| match self.versions.writer[version as usize] {
                NONE => format!("the initial value of key {}", self.database.keys[version as usize]),
                writer => format!("{}'s {}", name(writer), self.versions.show(self.database, version)),
            };
            let (one, other) = (show(link.from), show(link.to));
            let sentence = match self.reasons.get(link.about as usize) {
                Some(Reason { reader }) => {
                    let reader = name(*reader);
                    format!(
                        "{one} comes before {other}: {reader} had to see the first and returned the second from key {key}"
                    )
                }
                None if self.versions.is_initial(link.from) => {
                    format!("{one} comes before {other}: it is the initial one")
                }
                None => format!("{one} comes before {other}: the session of the second had written or read the first"),
            };
            sentences.push(sentence);
        }
        Some(Violation { anomaly, operations, sentences, entangled: cycle.len() })
    }

    fn graph(&self) -> Graph {
        let mut builder = Builder::new(self.versions.key.len());
        for relay in self.versions.key.len() as u32..self.relays {
            let made = builder.relay();
            debug_assert_eq!(made, relay);
        }
        for edge in &self.edges {
            builder.edge(edge.from, edge.to, edge.label, edge.about);
        }
        builder.finish()
    }
}

/// Paths through relays as one edge, which is about what the last of it is about.
fn links(graph: &Graph, cycle: &[Edge]) -> Vec<Edge> {
    let mut links: Vec<Edge> = Vec::new();
    let start = cycle.iter().position(|edge| !graph.is_relay(edge.from)).unwrap_or(0);
    for edge in cycle.iter().cycle().skip(start).take(cycle.len()) {
        match links.last_mut().filter(|_| graph.is_relay(edge.from)) {
            Some(last) => (last.to, last.about) = (edge.to, edge.about),
            None => links.push(*edge),
        }
    }
    links
}
