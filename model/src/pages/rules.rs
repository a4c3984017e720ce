//! The decisions about pages: who answers a read, what is collected and when, what a replica applies and keeps (protocol §2, §3).

use crate::decisions::rule_book;

rule_book! {
    /// The decisions of one design; [`PageRules::adopted`] is the protocol.
    pub struct PageRules {}
    /// Who answers a read: a segment whose records are complete up to the read point; any (M25).
    eligible: Eligible { Complete, Anybody }
    /// A read below the collection point of a segment: refused; answered (M28).
    horizon: Horizon { Refused, Answered }
    /// Below what records may be collected: the read points of all instances that count; the writer's alone (M27).
    readers: Readers { Everybody, WriterAlone }
    /// What is folded into pages for good: what is durable; everything that a segment holds (M29).
    folded: Folded { Durable, EverythingHeld }
    /// Before records are collected: they are backed up; nothing (M67).
    backup: Backup { First, Never }
    /// Whose word about read points a segment takes: that of the newest epoch; anybody's (M52).
    sender: Sender { NewestEpoch, Anybody }
    /// A replica that is not heard of: it stops to count; it is waited for (M66).
    silence: Silence { Evicted, WaitedFor }
    /// What a replica applies: what the writer has announced as durable; what it has received (M30).
    applied: Applied { Durable, Received }
    /// In what portions: whole mini-transactions; records (M31).
    portion: Portion { MiniTransaction, Record }
    /// A record of a page that is being fetched: it is applied when the page arrives; discarded, since the page is not cached (M32).
    race: Race { AppliedOnArrival, Discarded }
    /// After a gap in the stream: the cache is dropped; kept (M33).
    gap: Gap { CacheDropped, CacheKept }
    /// The second request of a hedged read: at the read point of the first; at a new one (M34).
    hedge: Hedge { SameReadPoint, NewReadPoint }
    /// When the writer evicts a page: when its last record is durable; the other way round, as S17 §4.2.3 prints it (C9, M35).
    eviction: Eviction { WhenDurable, WhenNotBelowVdl }
}

impl PageRules {
    /// Whether a segment answers a read at `read_point`, up to which `floor` is its group's last record.
    pub(super) fn answers(&self, scl: u8, floor: u8, collected: u8, read_point: u8) -> bool {
        let complete = scl >= floor || self.eligible == Eligible::Anybody;
        complete && (collected <= read_point || self.horizon == Horizon::Answered)
    }

    /// Up to where a segment may collect.
    pub(super) fn may_collect(&self, scl: u8, vdl: u8, writer: u8, replica: Option<u8>, backed: u8) -> u8 {
        let replica = replica.filter(|_| self.readers == Readers::Everybody).unwrap_or(u8::MAX);
        if self.folded == Folded::EverythingHeld {
            return scl;
        }
        let backed = if self.backup == Backup::First { backed } else { u8::MAX };
        vdl.min(scl).min(writer).min(replica).min(backed)
    }

    pub(super) fn takes_word_of_older_epochs(&self) -> bool {
        self.sender == Sender::Anybody
    }

    pub(super) fn evicts_replicas(&self) -> bool {
        self.silence == Silence::Evicted
    }

    pub(super) fn applies_what_is_not_durable(&self) -> bool {
        self.applied == Applied::Received
    }

    pub(super) fn applies_records(&self) -> bool {
        self.portion == Portion::Record
    }

    pub(super) fn applies_on_arrival(&self) -> bool {
        self.race == Race::AppliedOnArrival
    }

    pub(super) fn drops_cache_at_gap(&self) -> bool {
        self.gap == Gap::CacheDropped
    }

    pub(super) fn hedges_at_a_new_read_point(&self) -> bool {
        self.hedge == Hedge::NewReadPoint
    }

    pub(super) fn may_evict(&self, page: u8, vdl: u8) -> bool {
        match self.eviction {
            Eviction::WhenDurable => page <= vdl,
            Eviction::WhenNotBelowVdl => page >= vdl,
        }
    }
}

/// The named mistakes, for the mutants: the adopted rules with one decision changed.
pub(super) mod mistakes {
    use super::{
        Applied, Backup, Eligible, Eviction, Folded, Gap, Hedge, Horizon, PageRules, Portion, Race, Readers, Sender,
        Silence,
    };

    macro_rules! mistakes {
        ($($name:ident: $field:ident = $value:expr;)*) => {
            $(pub const $name: PageRules = PageRules { $field: $value, ..PageRules::adopted() };)*
        };
    }

    mistakes! {
        ANYBODY_ANSWERS: eligible = Eligible::Anybody;
        BELOW_HORIZON: horizon = Horizon::Answered;
        REPLICA_DOES_NOT_COUNT: readers = Readers::WriterAlone;
        FOLD_EVERYTHING: folded = Folded::EverythingHeld;
        NO_BACKUP: backup = Backup::Never;
        STALE_SENDER: sender = Sender::Anybody;
        DEAD_REPLICA_COUNTS: silence = Silence::WaitedFor;
        APPLY_ON_RECEIPT: applied = Applied::Received;
        APPLY_RECORDS: portion = Portion::Record;
        DISCARD_IN_FLIGHT: race = Race::Discarded;
        KEEP_CACHE: gap = Gap::CacheKept;
        NEW_READ_POINT: hedge = Hedge::NewReadPoint;
        EVICTION_INVERTED: eviction = Eviction::WhenNotBelowVdl;
    }
}
