//! The payloads of a segment, beside its control state: records by LSN, versions by key.
//!
//! It never decides. It keeps what the segment appended, drops what a truncation annuls, and finds what is asked for.

use std::collections::{BTreeMap, HashMap};
use std::ops::RangeInclusive;

use sextant_model::disk::Entry;
use sextant_model::logset::Intervals;
use sextant_model::types::Lsn;

use crate::wire::messages::Record;

#[derive(Debug, Default)]
pub(super) struct Store {
    records: BTreeMap<Lsn, Record>,
    versions: HashMap<Vec<u8>, Vec<Lsn>>,
}

impl Store {
    /// Follows the control state: `entry` was appended, or replayed, and brought `record` with it if it is a record.
    pub fn apply(&mut self, entry: &Entry<Intervals>, record: Option<&Record>) {
        match entry {
            Entry::Record { .. } => record.into_iter().for_each(|record| self.insert(record.clone())),
            Entry::Fence { .. } => {}
            Entry::Truncate { ranges, .. } => ranges.iter().for_each(|range| self.remove(range.lo..=range.hi)),
        }
    }

    pub fn get(&self, lsn: Lsn) -> Option<&Record> {
        self.records.get(&lsn)
    }

    pub fn range(&self, lsns: RangeInclusive<Lsn>) -> impl Iterator<Item = &Record> {
        let lsns = (!lsns.is_empty()).then_some(lsns);
        lsns.into_iter().flat_map(|lsns| self.records.range(lsns)).map(|(_, record)| record)
    }

    /// The newest version of `key` at or below `read_point` of which `is_live` holds.
    pub fn version(&self, key: &[u8], read_point: Lsn, is_live: impl Fn(Lsn) -> bool) -> Option<&Record> {
        let versions = self.versions.get(key)?;
        let upto = versions.partition_point(|&lsn| lsn <= read_point);
        let newest = versions[..upto].iter().rev().find(|&&lsn| is_live(lsn))?;
        self.records.get(newest)
    }

    fn insert(&mut self, record: Record) {
        let (lsn, key) = (record.lsn, record.key.clone());
        if let Some(old) = self.records.insert(lsn, record)
            && old.key != key
        {
            self.forget(&old.key, lsn);
        }
        let versions = self.versions.entry(key).or_default();
        if let Err(place) = versions.binary_search(&lsn) {
            versions.insert(place, lsn);
        }
    }

    fn remove(&mut self, lsns: RangeInclusive<Lsn>) {
        let annulled: Vec<(Lsn, Vec<u8>)> = self.range(lsns).map(|record| (record.lsn, record.key.clone())).collect();
        for (lsn, key) in annulled {
            self.records.remove(&lsn);
            self.forget(&key, lsn);
        }
    }

    fn forget(&mut self, key: &[u8], lsn: Lsn) {
        if let Some(versions) = self.versions.get_mut(key) {
            versions.retain(|&version| version != lsn);
            if versions.is_empty() {
                self.versions.remove(key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sextant_model::logset::Range;
    use sextant_model::types::Epoch;

    fn write(store: &mut Store, lsn: u64, value: Option<&str>) {
        let value = value.map(|text| text.as_bytes().to_vec());
        let record = Record { lsn: Lsn(lsn), ve: Epoch(2), key: b"k".to_vec(), value };
        store.apply(&Entry::Record { ve: Epoch(2), lsn: Lsn(lsn) }, Some(&record));
    }

    fn read(store: &Store, at: u64) -> Option<Option<&[u8]>> {
        store.version(b"k", Lsn(at), |_| true).map(|record| record.value.as_deref())
    }

    #[test]
    fn a_read_sees_the_newest_version_at_its_read_point() {
        let mut store = Store::default();
        for (lsn, value) in [(5, None), (3, Some("three")), (9, Some("nine")), (9, Some("nine"))] {
            write(&mut store, lsn, value);
        }
        assert_eq!(read(&store, 2), None);
        assert_eq!(read(&store, 4), Some(Some(b"three".as_slice())));
        assert_eq!(read(&store, 8), Some(None), "a deletion is a version");
        assert_eq!(read(&store, 10), Some(Some(b"nine".as_slice())));
    }

    #[test]
    fn a_truncation_takes_the_payloads_with_it() {
        let mut store = Store::default();
        (1..=4).for_each(|lsn| write(&mut store, lsn, Some("x")));
        let ranges = vec![Range { ve: Epoch(3), lo: Lsn(2), hi: Lsn(100) }];
        store.apply(&Entry::Truncate { ve: Epoch(3), ranges }, None);
        assert_eq!(store.range(Lsn(1)..=Lsn(100)).map(|r| r.lsn).collect::<Vec<_>>(), [Lsn(1)]);
        assert_eq!(store.versions[b"k".as_slice()], [Lsn(1)]);
        assert_eq!(store.range(Lsn(9)..=Lsn(3)).count(), 0, "an empty range is no panic");
    }
}
