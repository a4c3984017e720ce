//! Random lives: batches, marks, crashes, power cuts, and on.

use std::io::ErrorKind;

use proptest::collection::vec;
use proptest::prelude::{Just, Strategy, any, prop_oneof, proptest};
use sextant_storage::log::memory::{Lasting, MemDisk};
use sextant_storage::log::{Entry, Log, TornTail};

use super::{IDENTITY, dir, new_disk, open, options};

const SEGMENT_BYTES: u32 = 1024;

#[derive(Clone, Debug)]
enum Act {
    Append(Entry),
    Sync,
    Mark,
    /// The process dies: what was written stays.
    Kill,
    /// The process dies in the midst of the sync that it begins, after so many operations.
    KillInSync(u64),
    /// The machine dies: of what was not synced the bits say what stays.
    PowerCut(u64),
    /// Both at once.
    PowerCutInSync(u64, u64),
}

fn entries() -> impl Strategy<Value = Entry> {
    let payload = prop_oneof![4 => vec(any::<u8>(), 0..80), 1 => vec(any::<u8>(), 0..850)];
    (any::<u8>(), any::<u32>(), any::<u64>(), payload).prop_map(|(kind, epoch, lsn, payload)| Entry {
        kind,
        epoch,
        lsn,
        payload,
    })
}

fn acts() -> impl Strategy<Value = Act> {
    prop_oneof![
        8 => entries().prop_map(Act::Append),
        4 => Just(Act::Sync),
        1 => Just(Act::Mark),
        1 => Just(Act::Kill),
        1 => (0_u64..14).prop_map(Act::KillInSync),
        1 => any::<u64>().prop_map(Act::PowerCut),
        2 => (0_u64..14, any::<u64>()).prop_map(|(after, keep)| Act::PowerCutInSync(after, keep)),
    ]
}

struct Life {
    disk: MemDisk,
    log: Log,
    sent: Vec<Entry>,
    acknowledged: usize,
}

impl Life {
    fn begin() -> Self {
        let disk = new_disk();
        let log = Log::create(dir(), IDENTITY, &options(&disk, SEGMENT_BYTES)).unwrap();
        Self { disk, log, sent: Vec::new(), acknowledged: 0 }
    }

    fn act(&mut self, act: Act) {
        match act {
            Act::Append(entry) => {
                self.log.append(&entry).unwrap();
                self.sent.push(entry);
            }
            Act::Sync => self.acknowledged += self.log.sync().unwrap().entries,
            Act::Mark => self.acknowledged += self.log.mark().unwrap().entries,
            Act::Kill => self.reopen(),
            Act::KillInSync(after) => {
                self.fail_in_sync(after);
                self.reopen();
            }
            Act::PowerCut(keep) => self.power_cut(keep),
            Act::PowerCutInSync(after, keep) => {
                self.fail_in_sync(after);
                self.power_cut(keep);
            }
        }
    }

    fn fail_in_sync(&mut self, after: u64) {
        let at = self.disk.operations() + after;
        self.disk.fail_at(at, ErrorKind::Other, Lasting::ForEver);
        if let Ok(synced) = self.log.sync() {
            self.acknowledged += synced.entries;
        }
        self.disk.restart();
    }

    fn power_cut(&mut self, keep: u64) {
        self.disk = self.disk.after_power_cut(|i| keep.rotate_right(i as u32) & 1 == 1);
        self.reopen();
    }

    fn reopen(&mut self) {
        let (log, recovered) = open(&self.disk).unwrap();
        self.log = log;
        assert_eq!(recovered.identity, IDENTITY);
        assert!(recovered.entries.len() >= self.acknowledged);
        assert_eq!(recovered.entries, self.sent[..recovered.entries.len()]);
        self.sent = recovered.entries;
        self.acknowledged = self.sent.len();
        assert_eq!(open(&self.disk).unwrap().1.torn, None::<TornTail>);
    }
}

proptest! {
    #[test]
    fn what_is_acknowledged_is_found_again(acts in vec(acts(), 1..60)) {
        let mut life = Life::begin();
        for act in acts {
            life.act(act);
        }
        life.acknowledged += life.log.sync().unwrap().entries;
        assert_eq!(life.acknowledged, life.sent.len());
        life.power_cut(0);
    }

    /// Bytes that no checksum vouches for are a torn tail, and never a panic.
    #[test]
    fn garbage_is_a_torn_tail(garbage in vec(any::<u8>(), 512)) {
        let disk = new_disk();
        drop(Log::create(dir(), IDENTITY, &options(&disk, 512)).unwrap());
        disk.overwrite(&super::segment_path(1), garbage);
        let (_, recovered) = open(&disk).unwrap();
        assert_eq!(recovered.entries, []);
        assert_eq!(recovered.torn.unwrap().offset, 0);
    }
}
