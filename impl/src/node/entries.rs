//! How the entries of a segment lie in the hot log, and back.

use serde::{Deserialize, Serialize};
use sextant_model::disk::Entry;
use sextant_model::logset::{Intervals, Range};
use sextant_model::types::{Epoch, Lsn};

use crate::log;
use crate::wire::messages::Record;

const RECORD: u8 = 1;
const FENCE: u8 = 2;
const TRUNCATE: u8 = 3;

/// What a record's entry carries beside its numbers.
#[derive(Serialize, Deserialize)]
struct Payload {
    ve: Epoch,
    key: Vec<u8>,
    value: Option<Vec<u8>>,
}

/// Law: a record's entry comes with its record.
pub(super) fn encode(entry: &Entry<Intervals>, record: Option<&Record>) -> log::Entry {
    let (kind, epoch, lsn, payload) = match entry {
        Entry::Record { ve, lsn } => {
            let record = record.unwrap_or_else(|| panic!("record {lsn} was appended without its payload"));
            let payload = Payload { ve: record.ve, key: record.key.clone(), value: record.value.clone() };
            (RECORD, ve, lsn.0, to_bytes(&payload))
        }
        Entry::Fence { ve } => (FENCE, ve, 0, Vec::new()),
        Entry::Truncate { ve, ranges } => (TRUNCATE, ve, 0, to_bytes(ranges)),
    };
    log::Entry { kind, epoch: epoch.0, lsn, payload }
}

/// # Errors
/// What is wrong with an entry that the log's checksums accept: another program wrote it.
pub(super) fn decode(entry: &log::Entry) -> Result<(Entry<Intervals>, Option<Record>), String> {
    let ve = Epoch(entry.epoch);
    let undecodable = |error: postcard::Error| format!("entry of kind {} is undecodable: {error}", entry.kind);
    match entry.kind {
        RECORD => {
            let lsn = Lsn(entry.lsn);
            let payload: Payload = postcard::from_bytes(&entry.payload).map_err(undecodable)?;
            let record = Record { lsn, ve: payload.ve, key: payload.key, value: payload.value };
            Ok((Entry::Record { ve, lsn }, Some(record)))
        }
        FENCE => Ok((Entry::Fence { ve }, None)),
        TRUNCATE => {
            let ranges: Vec<Range> = postcard::from_bytes(&entry.payload).map_err(undecodable)?;
            Ok((Entry::Truncate { ve, ranges }, None))
        }
        unknown => Err(format!("entry of unknown kind {unknown}")),
    }
}

fn to_bytes<T: Serialize>(value: &T) -> Vec<u8> {
    // Numbers, byte strings and lists of known length: none of postcard's errors can arise in memory.
    postcard::to_stdvec(value).expect("plain data encodes")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_entry_comes_back() {
        let record = Record { lsn: Lsn(7), ve: Epoch(2), key: b"k".to_vec(), value: Some(b"v".to_vec()) };
        let ranges = vec![Range { ve: Epoch(3), lo: Lsn(8), hi: Lsn(20) }];
        for (entry, record) in [
            (Entry::Record { ve: Epoch(3), lsn: Lsn(7) }, Some(record)),
            (Entry::Fence { ve: Epoch(4) }, None),
            (Entry::Truncate { ve: Epoch(4), ranges }, None),
        ] {
            assert_eq!(decode(&encode(&entry, record.as_ref())), Ok((entry, record)));
        }
    }

    #[test]
    fn a_foreign_entry_is_an_error() {
        let foreign = |kind, payload: &[u8]| log::Entry { kind, epoch: 1, lsn: 1, payload: payload.to_vec() };
        assert_eq!(decode(&foreign(9, b"")), Err("entry of unknown kind 9".to_owned()));
        assert!(decode(&foreign(RECORD, b"\xff")).is_err());
    }
}
