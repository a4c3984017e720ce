//! The graph of dependencies between transactions (Adya 1999, direct serialization graph), from versions alone.

use super::anomaly::{Anomaly, Orders};
use super::database::Database;
use super::graph::{Builder, Graph, PROCESS, REALTIME, RW, VIA, WR, WW, tarjan};
use super::versions::{NONE, Versions};

/// Who saw which version: transactions that took effect, the writer of the version not among them.
#[derive(Debug)]
pub(super) struct Readers {
    start: Vec<u32>,
    readers: Vec<u32>,
}

impl Readers {
    pub(super) fn of_all(database: &Database<'_>, versions: &Versions) -> Self {
        let mut pairs: Vec<(u32, u32)> = Vec::with_capacity(database.steps.len());
        for (number, transaction) in database.transactions.iter().enumerate() {
            for place in transaction.steps.clone() {
                let version = versions.of_step[place];
                if database.steps[place].reads && version != NONE {
                    pairs.push((version, number as u32));
                }
            }
        }
        pairs.retain(|(version, reader)| versions.writer[*version as usize] != *reader);
        let mut start = vec![0_u32; versions.key.len() + 1];
        for (version, _) in &pairs {
            start[*version as usize + 1] += 1;
        }
        for version in 0..versions.key.len() {
            start[version + 1] += start[version];
        }
        let mut next = start.clone();
        let mut readers = vec![0; pairs.len()];
        for (version, reader) in pairs {
            let place = &mut next[version as usize];
            readers[*place as usize] = reader;
            *place += 1;
        }
        Self { start, readers }
    }

    /// In order of invocation; twice in a row if the transaction read twice.
    pub(super) fn of(&self, version: u32) -> &[u32] {
        &self.readers[self.start[version as usize] as usize..self.start[version as usize + 1] as usize]
    }
}

pub(super) fn graph(database: &Database<'_>, versions: &Versions, readers: &Readers, orders: Orders) -> Graph {
    let mut builder = Builder::new(database.transactions.len());
    let writer = |version: u32| versions.writer[version as usize];
    let effective = |version: u32| writer(version) != NONE && versions.took_effect(version);
    for version in database.keys.len() as u32..versions.key.len() as u32 {
        if effective(version) {
            let key = versions.key[version as usize];
            readers.of(version).iter().for_each(|reader| builder.edge(writer(version), *reader, WR, key));
        }
    }
    for (before, after) in versions.order.iter().copied().filter(|(_, after)| effective(*after)) {
        let key = versions.key[after as usize];
        if effective(before) {
            builder.edge(writer(before), writer(after), WW, key);
        }
        // Who read what its own writer wrote over before it committed is told of by name: G1b.
        if writer(before) != writer(after) {
            readers.of(before).iter().for_each(|reader| builder.edge(*reader, writer(after), RW, key));
        }
    }
    for (before, after) in &versions.fans {
        let key = versions.key[*before as usize];
        let mut writers: Vec<u32> = after.iter().copied().filter(|version| effective(*version)).map(writer).collect();
        writers.sort_unstable();
        writers.dedup();
        if effective(*before) {
            builder.fan(&[writer(*before)], &writers, WW, key);
        }
        let mut saw = readers.of(*before).to_vec();
        saw.dedup();
        builder.fan(&saw, &writers, RW, key);
    }
    match orders {
        Orders::Data => {}
        Orders::Process => sessions(database, versions, &mut builder),
        Orders::RealTime => {
            sessions(database, versions, &mut builder);
            real_time(database, versions, &mut builder);
        }
    }
    builder.finish()
}

fn sessions(database: &Database<'_>, versions: &Versions, builder: &mut Builder) {
    let mut last = vec![NONE; database.sessions];
    for (number, transaction) in database.transactions.iter().enumerate() {
        if !versions.counts[number] {
            continue;
        }
        let last = &mut last[transaction.session as usize];
        if *last != NONE {
            builder.edge(*last, number as u32, PROCESS, NONE);
        }
        *last = number as u32;
    }
}

/// Who returned before whom began. That is quadratic in edges and even when reduced as many as there are clients at once;
/// so time itself is in the graph, as a chain of relays: from a transaction to the next moment at which one begins, and
/// from each such moment to the next and to those that begin there. Three edges a transaction.
fn real_time(database: &Database<'_>, versions: &Versions, builder: &mut Builder) {
    let mut events: Vec<(usize, bool, u32)> = Vec::with_capacity(2 * database.transactions.len());
    for (number, transaction) in database.transactions.iter().enumerate() {
        if versions.counts[number] {
            events.push((transaction.invoked, true, number as u32));
            events.extend(transaction.returned.map(|returned| (returned, false, number as u32)));
        }
    }
    events.sort_unstable();
    let mut moment: Option<u32> = None;
    let mut begun = false;
    for (_, invoked, transaction) in events {
        if invoked {
            if let Some(moment) = moment {
                builder.edge(moment, transaction, VIA, NONE);
                begun = true;
            }
            continue;
        }
        let now = match moment.filter(|_| !begun) {
            Some(moment) => moment,
            None => {
                let now = builder.relay();
                if let Some(before) = moment {
                    builder.edge(before, now, VIA, NONE);
                }
                begun = false;
                now
            }
        };
        moment = Some(now);
        builder.edge(transaction, now, REALTIME, NONE);
    }
}

/// Reports a key whose versions are in a circle by what was inferred.
pub(super) fn look_for_circles(database: &Database<'_>, versions: &mut Versions) {
    let mut next: Vec<Vec<u32>> = vec![Vec::new(); versions.key.len()];
    for (before, after) in &versions.order {
        next[*before as usize].push(*after);
    }
    for (before, after) in &versions.fans {
        next[*before as usize].extend(after);
    }
    let components = tarjan(
        next.len(),
        |version| next[version as usize].len(),
        |version, place| Some(next[version as usize][place]),
    );
    let Some(version) = (0..next.len() as u32).find(|version| components.on_cycle(*version)) else {
        return;
    };
    let circle: Vec<u32> = (0..next.len() as u32)
        .filter(|other| components.of[*other as usize] == components.of[version as usize])
        .collect();
    let mut writers: Vec<u32> = circle.iter().map(|version| versions.writer[*version as usize]).collect();
    writers.retain(|writer| *writer != NONE);
    writers.sort_unstable();
    writers.dedup();
    let values: Vec<String> = circle.iter().take(6).map(|version| versions.show(database, *version)).collect();
    let key = database.keys[versions.key[version as usize] as usize];
    versions.found.add(database, Anomaly::CyclicVersions, &writers, || {
        format!("each of the values {} of key {key} comes before the others", values.join(", "))
    });
}
