//! Lists that are read and appended to: the longest list read of a key shows the order of its appends (Kingsbury and
//! Alvaro 2020, §4: traceability).
//!
//! Let `L` be the longest list that a committed transaction read from a key. Every other list read of the key must be a
//! beginning of `L`, so a read is worth its length, and versions are positions in `L`: no element of any other list is
//! looked at but to compare it. An append that took effect and is not in `L` comes after all of `L`, since `L` is all that
//! there was when it was read; the order of several such appends is not known, but no read depends on it.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use sextant_histories::Value;

use super::anomaly::Anomaly;
use super::database::{Database, Fate};
use super::report::Unknown;
use super::versions::{NONE, Versions};

/// Of one key.
#[derive(Clone, Debug, Default)]
struct Chain<'a> {
    /// The longest list read, and by whom.
    longest: &'a [Value],
    reader: u32,
    /// For each element of the longest list its version, [`NONE`] where nobody appended it.
    versions: Vec<u32>,
    /// Position of the first element that an aborted transaction appended, and its version.
    aborted: Option<(usize, u32)>,
}

pub(super) fn versions(database: &Database<'_>) -> Result<Versions, Unknown> {
    let mut versions = Versions::number(database);
    let writers = writers(database, &versions)?;
    let mut chains = longest(database)?;
    // For each version its position in the longest list of its key.
    let mut position = vec![NONE; versions.key.len()];
    for (key, chain) in chains.iter_mut().enumerate() {
        trace(database, &mut versions, &writers, key as u32, chain, &mut position);
    }
    let astray = read(database, &mut versions, &writers, &chains)?;
    look_inside(database, &mut versions, &position)?;
    versions.look_at_reads(database);
    order(database, &mut versions, &chains, &position, &astray);
    Ok(versions)
}

type Writers<'a> = HashMap<(u32, &'a Value), u32>;

/// Who appended which element to which key. An element that a failed transaction appended too belongs to the one that
/// did not fail.
fn writers<'a>(database: &Database<'a>, versions: &Versions) -> Result<Writers<'a>, Unknown> {
    let mut writers = Writers::with_capacity(versions.key.len());
    let fate = |version: u32| database.transactions[versions.writer[version as usize] as usize].fate;
    for version in database.keys.len() as u32..versions.key.len() as u32 {
        let step = &database.steps[versions.step[version as usize] as usize];
        let Some(value) = step.value else { continue };
        match writers.entry((step.key, value)) {
            Entry::Vacant(entry) => {
                entry.insert(version);
            }
            Entry::Occupied(mut entry) => {
                if fate(*entry.get()) == Fate::Aborted {
                    entry.insert(version);
                } else if fate(version) != Fate::Aborted {
                    return Err(not_distinct(database, versions, version));
                }
            }
        }
    }
    Ok(writers)
}

pub(super) fn not_distinct(database: &Database<'_>, versions: &Versions, version: u32) -> Unknown {
    let transaction = &database.transactions[versions.writer[version as usize] as usize];
    let operation = &database.history.operations()[transaction.operation];
    Unknown::NotDistinct {
        key: database.keys[versions.key[version as usize] as usize].clone(),
        value: versions.show(database, version),
        line: database.history.line(operation.invoked.index),
    }
}

fn longest<'a>(database: &Database<'a>) -> Result<Vec<Chain<'a>>, Unknown> {
    let mut chains = vec![Chain { reader: NONE, ..Chain::default() }; database.keys.len()];
    for (number, transaction) in database.transactions.iter().enumerate() {
        if transaction.fate != Fate::Committed {
            continue;
        }
        for step in database.steps_of(number).iter().filter(|step| step.reads) {
            let list = database.list(number, step)?;
            let chain = &mut chains[step.key as usize];
            if list.len() > chain.longest.len() {
                (chain.longest, chain.reader) = (list, number as u32);
            }
        }
    }
    Ok(chains)
}

/// Finds out who appended the elements of the longest list.
fn trace(
    database: &Database<'_>,
    versions: &mut Versions,
    writers: &Writers<'_>,
    key: u32,
    chain: &mut Chain<'_>,
    position: &mut [u32],
) {
    chain.versions.reserve_exact(chain.longest.len());
    let mut dirty: Option<u32> = None;
    for (place, element) in chain.longest.iter().enumerate() {
        let Some(version) = writers.get(&(key, element)).copied() else {
            thin_air(database, versions, chain.reader, key, element);
            chain.versions.push(NONE);
            continue;
        };
        chain.versions.push(version);
        if position[version as usize] != NONE {
            duplicate(database, versions, chain.reader, key, element);
            continue;
        }
        position[version as usize] = place as u32;
        versions.seen(database, version);
        let writer = versions.writer[version as usize];
        match (database.transactions[writer as usize].fate, dirty) {
            (Fate::Aborted, _) => {
                chain.aborted.get_or_insert((place, version));
                dirty = Some(writer);
            }
            (Fate::Committed, Some(aborted)) => {
                versions.found.add(database, Anomaly::DirtyUpdate, &[writer, aborted, chain.reader], || {
                    let key = database.keys[key as usize];
                    format!(
                        "T1 appended {element} to key {key} on top of what T2 appended, but T2 failed; T3 read both"
                    )
                });
                dirty = None;
            }
            (Fate::Committed | Fate::Unknown, _) => {}
        }
    }
}

fn thin_air(database: &Database<'_>, versions: &mut Versions, reader: u32, key: u32, element: &Value) {
    versions.found.add(database, Anomaly::ThinAirRead, &[reader], || {
        format!("T1 read {element} in key {}, which nobody appended", database.keys[key as usize])
    });
}

fn duplicate(database: &Database<'_>, versions: &mut Versions, reader: u32, key: u32, element: &Value) {
    versions.found.add(database, Anomaly::DuplicateElements, &[reader], || {
        format!("T1 read {element} twice in key {}, which was appended once", database.keys[key as usize])
    });
}

/// Gives each read of a committed transaction its version. Returns which versions are only in lists that do not fit
/// together: nothing is known of their place.
fn read(
    database: &Database<'_>,
    versions: &mut Versions,
    writers: &Writers<'_>,
    chains: &[Chain<'_>],
) -> Result<Vec<bool>, Unknown> {
    let mut astray = vec![false; versions.key.len()];
    for (number, transaction) in database.transactions.iter().enumerate() {
        if transaction.fate != Fate::Committed {
            continue;
        }
        for place in transaction.steps.clone() {
            let step = &database.steps[place];
            if !step.reads {
                continue;
            }
            let list = database.list(number, step)?;
            let chain = &chains[step.key as usize];
            if chain.longest[..list.len()] == *list {
                versions.of_step[place] = match list.len() {
                    0 => step.key,
                    length => chain.versions[length - 1],
                };
                if let Some((_, version)) = chain.aborted.filter(|(place, _)| *place < list.len()) {
                    let writer = versions.writer[version as usize];
                    versions.found.add(database, Anomaly::AbortedRead, &[number as u32, writer], || {
                        let element = versions_element(database, version, &versions.step);
                        let key = database.keys[step.key as usize];
                        format!("T1 read {element} in key {key}, which T2 appended, but T2 failed")
                    });
                }
                continue;
            }
            let (one, other) = (number as u32, chain.reader);
            versions.found.add(database, Anomaly::IncompatibleOrder, &[one, other], || {
                let key = database.keys[step.key as usize];
                let differ = list.iter().zip(chain.longest).position(|(one, other)| one != other).unwrap_or(0);
                format!(
                    "of key {key}, T1 read {} and T2 read {} as element {}",
                    list[differ],
                    chain.longest[differ],
                    differ + 1
                )
            });
            let mut here: Vec<u32> = Vec::with_capacity(list.len());
            for element in list {
                match writers.get(&(step.key, element)).copied() {
                    None => thin_air(database, versions, one, step.key, element),
                    Some(version) => {
                        versions.seen(database, version);
                        astray[version as usize] = true;
                        here.push(version);
                    }
                }
            }
            versions.of_step[place] = here.last().copied().unwrap_or(NONE);
            here.sort_unstable();
            if let Some(pair) = here.windows(2).find(|pair| pair[0] == pair[1]) {
                let step_of = versions.step[pair[0] as usize] as usize;
                if let Some(element) = database.steps[step_of].value {
                    duplicate(database, versions, one, step.key, element);
                }
            }
        }
    }
    Ok(astray)
}

fn versions_element(database: &Database<'_>, version: u32, steps: &[u32]) -> String {
    let value = database.steps[steps[version as usize] as usize].value;
    value.map_or_else(String::new, ToString::to_string)
}

/// What a transaction knows of a key: what it read last, and what it appended since; of the whole transaction, the
/// longest list read.
struct Slot<'a> {
    read: Option<&'a [Value]>,
    appended: Vec<&'a Value>,
    seen: usize,
}

/// Each transaction against itself.
fn look_inside(database: &Database<'_>, versions: &mut Versions, position: &[u32]) -> Result<(), Unknown> {
    let mut slot_of = vec![(NONE, 0_usize); database.keys.len()];
    let mut slots: Vec<Slot<'_>> = Vec::new();
    for (number, transaction) in database.transactions.iter().enumerate() {
        if transaction.fate != Fate::Committed || transaction.steps.len() < 2 {
            continue;
        }
        slots.clear();
        for place in transaction.steps.clone() {
            let step = &database.steps[place];
            let key = step.key as usize;
            if slot_of[key].0 != number as u32 {
                slot_of[key] = (number as u32, slots.len());
                slots.push(Slot { read: None, appended: Vec::new(), seen: 0 });
            }
            let slot = &mut slots[slot_of[key].1];
            if step.reads {
                let list = database.list(number, step)?;
                if !fits(slot, list) {
                    versions.found.add(database, Anomaly::Internal, &[number as u32], || {
                        let expected = expected(slot);
                        format!("T1 read {} of key {}, where it {expected}", show(list), database.keys[key])
                    });
                }
                slot.read = Some(list);
                slot.appended.clear();
                slot.seen = slot.seen.max(list.len());
            } else if let Some(value) = step.value {
                let place = position[versions.of_step[place] as usize];
                if place != NONE && (place as usize) < slot.seen {
                    versions.found.add(database, Anomaly::FutureRead, &[number as u32], || {
                        format!("T1 read {value} in key {} and only then appended it", database.keys[key])
                    });
                }
                slot.appended.push(value);
            }
        }
    }
    Ok(())
}

fn fits(slot: &Slot<'_>, list: &[Value]) -> bool {
    let Some(before) = list.len().checked_sub(slot.appended.len()) else {
        return false;
    };
    let (old, new) = list.split_at(before);
    new.iter().eq(slot.appended.iter().copied()) && slot.read.is_none_or(|read| read == old)
}

fn expected(slot: &Slot<'_>) -> String {
    let appended: Vec<String> = slot.appended.iter().map(ToString::to_string).collect();
    match (slot.read, appended.is_empty()) {
        (Some(read), true) => format!("had read {}", show(read)),
        (Some(read), false) => format!("had read {} and appended {}", show(read), appended.join(", ")),
        (None, _) => format!("had appended {}", appended.join(", ")),
    }
}

/// A list for a sentence: of a long one its end.
pub(super) fn show(list: &[Value]) -> String {
    const SHOWN: usize = 5;
    let end = list.len().saturating_sub(SHOWN);
    let elements: Vec<String> = list[end..].iter().map(ToString::to_string).collect();
    let begin = if end > 0 { "..., " } else { "" };
    format!("[{begin}{}]", elements.join(", "))
}

fn order(database: &Database<'_>, versions: &mut Versions, chains: &[Chain<'_>], position: &[u32], astray: &[bool]) {
    let mut last: Vec<u32> = (0..database.keys.len() as u32).collect();
    for (key, chain) in chains.iter().enumerate() {
        for (place, version) in chain.versions.iter().enumerate() {
            let first = *version != NONE && position[*version as usize] == place as u32;
            if first && versions.took_effect(*version) {
                versions.order.push((last[key], *version));
                last[key] = *version;
            }
        }
    }
    let mut unseen: Vec<Vec<u32>> = vec![Vec::new(); database.keys.len()];
    for version in database.keys.len()..versions.key.len() {
        if position[version] == NONE && !astray[version] && versions.took_effect(version as u32) {
            unseen[versions.key[version] as usize].push(version as u32);
        }
    }
    for (key, unseen) in unseen.into_iter().enumerate().filter(|(_, unseen)| !unseen.is_empty()) {
        versions.fans.push((last[key], unseen));
    }
}
