//! Anomalies in words.

use super::database::Database;
use super::graph::{Edge, FORCED, PROCESS, REALTIME, RW, WR, WW};
use super::report::Violation;
use super::versions::{NONE, Versions};
use super::{anomaly::Anomaly, cycles::Cycle, database::Kind};

/// The cycle as a violation, one sentence an edge.
pub(super) fn cycle(database: &Database<'_>, versions: &Versions, cycle: &Cycle) -> Violation {
    violation(database, cycle.anomaly, &cycle.links, cycle.entangled, |edge, one, other| {
        sentence(database, versions, edge, &one, &other)
    })
}

/// Names the nodes of a cycle T1, T2, … and has `say` explain each edge by the names of its ends.
pub(super) fn violation(
    database: &Database<'_>,
    anomaly: Anomaly,
    links: &[Edge],
    entangled: usize,
    say: impl Fn(&Edge, String, String) -> String,
) -> Violation {
    let count = links.len();
    let sentences = links.iter().enumerate().map(|(number, edge)| {
        let (one, other) = (format!("T{}", number + 1), format!("T{}", (number + 1) % count + 1));
        let because = say(edge, one.clone(), other.clone());
        format!("{one} comes before {other}: {because}")
    });
    let mut sentences: Vec<String> = sentences.collect();
    if links.is_empty() {
        sentences.push(format!("{entangled} transactions are on cycles; the search for a short one gave up"));
    }
    Violation {
        anomaly,
        operations: links.iter().map(|edge| database.transactions[edge.from as usize].operation).collect(),
        sentences,
        entangled,
    }
}

fn sentence(database: &Database<'_>, versions: &Versions, edge: &Edge, one: &str, other: &str) -> String {
    let key = || database.keys[edge.about as usize].to_string();
    match edge.label {
        PROCESS => format!("{one} was earlier in the same session"),
        REALTIME => format!("{one} had returned before {other} began"),
        WR => match seen(database, versions, edge) {
            Some(version) => {
                let value = versions.show(database, version);
                match database.kind {
                    Kind::Lists => {
                        format!("{other} read the list of key {} up to {value}, which {one} appended", key())
                    }
                    Kind::Registers => format!("{other} read {value} from key {}, which {one} wrote", key()),
                }
            }
            None => format!("{other} read what {one} wrote to key {}", key()),
        },
        RW => {
            let saw = missed(database, versions, edge);
            let wrote = written(database, versions, edge.to, edge.about);
            match (saw, wrote) {
                (Some(saw), Some(wrote)) => {
                    let saw = versions.show(database, saw);
                    let wrote = versions.show(database, wrote);
                    let verb = verb(database);
                    format!("{one} read key {} at {saw} and did not see {wrote}, which {other} {verb}", key())
                }
                _ => format!("{one} did not see what {other} wrote to key {}", key()),
            }
        }
        WW | FORCED => {
            let one_wrote = written(database, versions, edge.from, edge.about);
            let other_wrote = written(database, versions, edge.to, edge.about);
            let show = |version: Option<u32>| version.map_or_else(|| "?".to_owned(), |v| versions.show(database, v));
            let verb = verb(database);
            let why = if edge.label == FORCED { "; the other way round closes a cycle" } else { "" };
            format!(
                "to key {}, {other} {verb} {} after {one} {verb} {}{why}",
                key(),
                show(other_wrote),
                show(one_wrote)
            )
        }
        _ => format!("{one} comes before {other}"),
    }
}

fn verb(database: &Database<'_>) -> &'static str {
    match database.kind {
        Kind::Lists => "appended",
        Kind::Registers => "wrote",
    }
}

/// What the reader of a wr edge saw of its writer.
fn seen(database: &Database<'_>, versions: &Versions, edge: &Edge) -> Option<u32> {
    reads(database, versions, edge.to, edge.about).find(|version| versions.writer[*version as usize] == edge.from)
}

/// What the reader of an rw edge saw instead.
fn missed(database: &Database<'_>, versions: &Versions, edge: &Edge) -> Option<u32> {
    reads(database, versions, edge.from, edge.about).find(|version| versions.writer[*version as usize] != edge.from)
}

fn reads<'v>(
    database: &'v Database<'_>,
    versions: &'v Versions,
    transaction: u32,
    key: u32,
) -> impl Iterator<Item = u32> + 'v {
    let places = database.transactions[transaction as usize].steps.clone();
    places
        .filter(move |place| database.steps[*place].reads && database.steps[*place].key == key)
        .map(|place| versions.of_step[place])
        .filter(|version| *version != NONE)
}

/// What the transaction left the key at.
fn written(database: &Database<'_>, versions: &Versions, transaction: u32, key: u32) -> Option<u32> {
    let places = database.transactions[transaction as usize].steps.clone();
    let mut written = places.rev().filter(|place| !database.steps[*place].reads && database.steps[*place].key == key);
    written.next().map(|place| versions.of_step[place])
}
