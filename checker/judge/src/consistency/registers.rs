//! Registers that are read and written. Unlike a list a register does not show what it held before; the order of its
//! versions is inferred (Kingsbury and Alvaro 2020, §4.3; Adya 1999):
//!
//! * The initial version is the first. A read of null is a read of it, whatever else the initial value is.
//! * A transaction that reads a version and then writes the key installs a later one. Where the level is PL-2 or above
//!   this needs no assumption: if `T` reads what `S` installed and `T`'s own version were the earlier one, `S` wr `T` and
//!   `T` ww … ww `S` would be a G1c. It is not used at PL-1.
//! * Of two writes of one transaction the second is the later.
//! * With `linearizable_keys`, whatever a transaction left a key at comes before what one that began after its return
//!   found or wrote; with `sequential_keys` the same holds within a session. These are assumptions about the system.
//!
//! This order is not complete: of two blind writes nothing is known. [`polygraph`](super::polygraph) searches for the
//! rest.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use sextant_histories::Value;

use super::anomaly::Anomaly;
use super::database::{Database, Fate, Step};
use super::lists::not_distinct;
use super::report::{Options, Unknown};
use super::versions::{NONE, Versions};

/// Where a value was written.
#[derive(Clone, Copy)]
enum Source {
    Once(u32),
    /// By several, one of which is this.
    Several(u32),
}

/// What to infer the order from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Inference {
    /// From what the definition of a history says alone: for PL-1.
    Definition,
    /// Also from transactions that read and then write.
    ReadThenWrite,
}

pub(super) fn versions(database: &Database<'_>, options: &Options, inference: Inference) -> Result<Versions, Unknown> {
    let mut versions = Versions::number(database);
    let sources = sources(database, &versions, options);
    read(database, &mut versions, &sources, options)?;
    look_inside(database, &mut versions);
    versions.look_at_reads(database);
    within_transactions(database, &mut versions, inference);
    if options.linearizable_keys {
        in_real_time(database, &mut versions);
    }
    if options.sequential_keys {
        in_sessions(database, &mut versions);
    }
    initial_first(database, &mut versions);
    Ok(versions)
}

type Sources<'a> = HashMap<(u32, &'a Value), Source>;

fn sources<'a>(database: &Database<'a>, versions: &Versions, options: &'a Options) -> Sources<'a> {
    let mut sources = Sources::with_capacity(versions.key.len());
    for key in 0..database.keys.len() as u32 {
        sources.insert((key, &options.initial), Source::Once(key));
        sources.insert((key, &Value::Null), Source::Once(key));
    }
    let initializes = initializes(database, options);
    let fate = |version: u32| match versions.writer[version as usize] {
        NONE => Fate::Committed,
        writer => database.transactions[writer as usize].fate,
    };
    for version in database.keys.len() as u32..versions.key.len() as u32 {
        let step = &database.steps[versions.step[version as usize] as usize];
        let Some(value) = step.value else { continue };
        match sources.entry((step.key, value)) {
            Entry::Vacant(entry) => {
                entry.insert(Source::Once(version));
            }
            Entry::Occupied(mut entry) => {
                let (Source::Once(before) | Source::Several(before)) = *entry.get();
                let replaces = versions.is_initial(before) && versions.writer[version as usize] == 0 && initializes;
                if replaces || fate(before) == Fate::Aborted {
                    entry.insert(Source::Once(version));
                } else if fate(version) != Fate::Aborted {
                    entry.insert(Source::Several(version));
                }
            }
        }
    }
    sources
}

/// Whether the first transaction does nothing but write the initial value. Some recorders put the initial state into the
/// history; it is then taken for what comes first.
fn initializes(database: &Database<'_>, options: &Options) -> bool {
    let writes_it = |step: &Step<'_>| !step.reads && step.value == Some(&options.initial);
    database.transactions[0].fate == Fate::Committed && database.steps_of(0).iter().all(writes_it)
}

fn read(
    database: &Database<'_>,
    versions: &mut Versions,
    sources: &Sources<'_>,
    options: &Options,
) -> Result<(), Unknown> {
    for (number, transaction) in database.transactions.iter().enumerate() {
        if transaction.fate != Fate::Committed {
            continue;
        }
        for place in transaction.steps.clone() {
            let step = &database.steps[place];
            let Some(value) = step.value.filter(|_| step.reads) else { continue };
            match sources.get(&(step.key, value)) {
                Some(Source::Once(version)) => {
                    versions.of_step[place] = *version;
                    versions.seen(database, *version);
                }
                Some(Source::Several(version)) => {
                    // Its own last write explains it whoever else wrote the same.
                    let own = own_last_write(database, versions, transaction.steps.start, place);
                    match own.filter(|own| database.steps[versions.step[*own as usize] as usize].value == Some(value)) {
                        Some(own) => versions.of_step[place] = own,
                        None => return Err(not_distinct(database, versions, *version)),
                    }
                }
                None => versions.found.add(database, Anomaly::ThinAirRead, &[number as u32], || {
                    let key = database.keys[step.key as usize];
                    format!(
                        "T1 read {value} from key {key}, which nobody wrote; the initial value is {}",
                        options.initial
                    )
                }),
            }
        }
    }
    Ok(())
}

/// The version that the transaction itself installed last in the key of step `place`, before that step.
fn own_last_write(database: &Database<'_>, versions: &Versions, first: usize, place: usize) -> Option<u32> {
    let key = database.steps[place].key;
    let own = (first..place).rev().find(|earlier| {
        let step = &database.steps[*earlier];
        !step.reads && step.key == key
    });
    own.map(|own| versions.of_step[own])
}

/// Each transaction against itself.
fn look_inside(database: &Database<'_>, versions: &mut Versions) {
    // Of each key, the transaction that touched it last in this loop, and at which step.
    let mut touched = vec![(NONE, NONE); database.keys.len()];
    for (number, transaction) in database.transactions.iter().enumerate() {
        if transaction.fate != Fate::Committed {
            continue;
        }
        for place in transaction.steps.clone() {
            let step = &database.steps[place];
            let key = database.keys[step.key as usize];
            let (toucher, before) = touched[step.key as usize];
            let value = || step.value.map_or_else(String::new, ToString::to_string);
            if step.reads && toucher == number as u32 {
                let earlier = &database.steps[before as usize];
                if earlier.value != step.value {
                    versions.found.add(database, Anomaly::Internal, &[number as u32], || {
                        let did = if earlier.reads { "read" } else { "written" };
                        let expected = earlier.value.map_or_else(String::new, ToString::to_string);
                        format!("T1 read {} from key {key}, where it had {did} {expected}", value())
                    });
                }
            }
            let version = versions.of_step[place];
            if step.reads && version != NONE {
                let writes = versions.step[version as usize];
                let own = versions.writer[version as usize] == number as u32;
                if own && writes as usize > place {
                    versions.found.add(database, Anomaly::FutureRead, &[number as u32], || {
                        format!("T1 read {} from key {key} and only then wrote it", value())
                    });
                }
            }
            touched[step.key as usize] = (number as u32, place as u32);
        }
    }
}

fn within_transactions(database: &Database<'_>, versions: &mut Versions, inference: Inference) {
    // Of each key, the transaction that touched it last in this loop, and the version it is at.
    let mut at = vec![(NONE, NONE); database.keys.len()];
    for (number, transaction) in database.transactions.iter().enumerate() {
        if !versions.counts[number] {
            continue;
        }
        for place in transaction.steps.clone() {
            let step = &database.steps[place];
            let version = versions.of_step[place];
            if version == NONE || !versions.took_effect(version) {
                continue;
            }
            let (toucher, before) = at[step.key as usize];
            let own_write = toucher == number as u32 && versions.writer[before as usize] == number as u32;
            if step.reads {
                if !own_write {
                    at[step.key as usize] = (number as u32, version);
                }
                continue;
            }
            if own_write || (toucher == number as u32 && inference == Inference::ReadThenWrite) {
                versions.order.push((before, version));
            }
            at[step.key as usize] = (number as u32, version);
        }
    }
}

/// What a transaction has to do with a key: the version that it found or wrote first, and the one that it left.
#[derive(Clone, Copy, Debug)]
struct Access {
    transaction: u32,
    first: u32,
    last: u32,
}

/// The accesses of each key, in order of invocation.
fn accesses(database: &Database<'_>, versions: &Versions) -> Vec<Vec<Access>> {
    let mut accesses: Vec<Vec<Access>> = vec![Vec::new(); database.keys.len()];
    for (number, transaction) in database.transactions.iter().enumerate() {
        if !versions.counts[number] {
            continue;
        }
        for place in transaction.steps.clone() {
            let version = versions.of_step[place];
            if version == NONE || !versions.took_effect(version) {
                continue;
            }
            let of_key = &mut accesses[database.steps[place].key as usize];
            match of_key.last_mut().filter(|access| access.transaction == number as u32) {
                Some(access) if !database.steps[place].reads => access.last = version,
                Some(_) => {}
                None => of_key.push(Access { transaction: number as u32, first: version, last: version }),
            }
        }
    }
    accesses
}

fn in_real_time(database: &Database<'_>, versions: &mut Versions) {
    for of_key in accesses(database, versions) {
        // Those that returned, without those that another of them began after.
        let mut returned: Vec<(usize, Access)> = Vec::new();
        let mut pending: Vec<Access> = Vec::new();
        for access in of_key {
            let transaction = &database.transactions[access.transaction as usize];
            // In order of invocation: whoever returned before this one began is known by now.
            pending.retain(|earlier| {
                let earlier_transaction = &database.transactions[earlier.transaction as usize];
                match earlier_transaction.returned.filter(|returned| *returned < transaction.invoked) {
                    Some(end) => {
                        returned.retain(|(before, _)| *before > earlier_transaction.invoked);
                        returned.push((end, *earlier));
                        false
                    }
                    None => true,
                }
            });
            for (_, before) in &returned {
                if before.last != access.first {
                    versions.order.push((before.last, access.first));
                }
            }
            pending.push(access);
        }
    }
}

fn in_sessions(database: &Database<'_>, versions: &mut Versions) {
    for of_key in accesses(database, versions) {
        let mut last: HashMap<u32, u32> = HashMap::new();
        for access in of_key {
            let session = database.transactions[access.transaction as usize].session;
            if let Some(before) = last.insert(session, access.last).filter(|before| *before != access.first) {
                versions.order.push((before, access.first));
            }
        }
    }
}

/// The initial version comes before all that have none before them.
fn initial_first(database: &Database<'_>, versions: &mut Versions) {
    versions.order.sort_unstable();
    versions.order.dedup();
    let mut preceded = vec![false; versions.key.len()];
    for (_, after) in &versions.order {
        preceded[*after as usize] = true;
    }
    let mut first: Vec<Vec<u32>> = vec![Vec::new(); database.keys.len()];
    for version in database.keys.len()..versions.key.len() {
        if !preceded[version] && versions.took_effect(version as u32) {
            first[versions.key[version] as usize].push(version as u32);
        }
    }
    for (key, first) in first.into_iter().enumerate().filter(|(_, first)| !first.is_empty()) {
        versions.fans.push((key as u32, first));
    }
}
