//! The rule book: every choice that the papers leave open, or that a designer could get wrong, as one documented decision.
//!
//! The actors ask a *method* (`admits`, `recovery_point`, …) and read as the adopted protocol. The fields behind the
//! methods are private to this file and name the known mistakes; [`crate::mutants`] turns one of them at a time. Section
//! numbers are those of the protocol description in the README's sources: S17 and S18 are the two Aurora papers.

use crate::decisions::rule_book;
use crate::disk::{Durable, Image};
use crate::logset::{LogSet, Range, RangeList};
use crate::segment::Answer;
use crate::types::{Epoch, Lsn, Nonce, SegmentSet};
use serde::{Deserialize, Serialize};

/// How many copies there are, over how many zones, and how many make a quorum. S17 §2.1: `read + write > copies` and
/// `2 write > copies`; six copies over three zones, 4 and 3.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Scheme {
    pub copies: u8,
    pub zones: u8,
    pub write: u8,
    pub read: u8,
}

impl Scheme {
    pub const AURORA: Scheme = Scheme { copies: 6, zones: 3, write: 4, read: 3 };
    /// Three nodes, one a zone: small enough to be explored with an explicit message set. It does not survive a zone plus one.
    pub const TEACHING: Scheme = Scheme { copies: 3, zones: 3, write: 2, read: 2 };

    /// Copies of a zone, at most.
    #[must_use]
    #[inline]
    pub const fn zone(self) -> usize {
        self.copies.div_ceil(if self.zones == 0 { 1 } else { self.zones }) as usize
    }
}

/// Why a storage node refuses a request. It never acknowledges what it drops (S11).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Refusal {
    /// The caller's volume epoch is older than the node's fence: a newer writer exists.
    StaleVolumeEpoch { fenced: Epoch },
    /// The node has not applied the caller's truncation yet (C16).
    NeedTruncation { trunc_ve: Epoch },
    /// A truncation range annuls the record.
    Annulled,
    /// The node's disk was lost; it is not a member until the metadata service says so.
    Wiped,
}

/// What a segment makes of a request of epoch `ve`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    Admit,
    /// Serve it after taking the request's epoch for its own, without a truncation: never in the adopted protocol.
    AdmitAfterAdopting,
    Refuse(Refusal),
    /// Reply as if it had been done: never in the adopted protocol.
    PretendDone,
}

rule_book! {
    /// The decisions of one design. [`Rules::adopted`] is the protocol at 6/4/3 with the papers' allocation limit; anything
    /// else is a mutant or a design under study.
    pub struct Rules {
        pub scheme: Scheme = Scheme::AURORA,
        /// LSN allocation limit, in records: how far the writer may run ahead of the VDL. S17 §4.2.1 (10 million there).
        pub lal: u64 = 10_000_000,
    }
    /// When a node fences older epochs: durably before it answers FENCE_READ; only when it truncates (M3); at once, but in memory (M5).
    fence: Fence { DurablyBeforeAnswer, OnTruncate, InMemory }
    /// A request older than the fence: refuse; look at the ranges only (M4); drop but acknowledge (M8).
    stale: Stale { Refuse, RangesOnly, AcknowledgeDropped }
    /// A request whose truncation the node has not seen: refuse; take over its epoch (M9); look at the fence alone (M62).
    future: Future { NeedTruncation, AdoptEpoch, FenceAlone }
    /// What an acknowledgement counts for: everything up to its SCL; its one record (M7).
    credit: Credit { Scl, Record }
    /// Where the responders say the log ends: greatest SCL; W-th greatest SCL (M6).
    point: Point { Greatest, WriteQuorumth }
    /// Between whom gossip flows: equal truncation epochs; anybody, ranges still consulted (M10'); anybody, ranges forgotten (M10).
    gossip: Gossip { SameTruncation, Anybody, AnybodyForgetting }
    /// Where epoch and ranges must be durable before opening: a write quorum; one member less (M11).
    install: Install { WriteQuorum, OneLess }
    /// Which earlier ranges a recovery honours: those of the newest truncation found; none (M12); the union (M60).
    honoured: Honoured { Newest, Nothing, Union }
    /// Whether the write quorum must hold the kept prefix before opening: yes; no (M13).
    write_back: WriteBack { BeforeOpen, Never }
    /// What the range's end is counted from: VDL and all ranges seen (C14); the VDL alone (M14).
    range_base: RangeBase { VdlAndRanges, Vdl }
    /// Where the new writer's LSNs begin: above the range; right after the VDL (M15).
    gap: Gap { AboveRange, AfterVdl }
    /// The allocation limit: enforced; ignored (M16).
    limit: Limit { Enforced, Ignored }
    /// When a write is acknowledged: synced; on receipt (M17).
    acknowledge: Acknowledge { Synced, OnReceipt }
    /// What a segment does that comes back without its disk: stays out; rejoins under its old identity (M18).
    wiped: Wiped { StaysOut, Rejoins }
    /// What recovery does to the volume epoch: raises it; reuses it (M54).
    bump: Bump { Raise, Reuse }
    /// What confirms a read: a read quorum asked after the invocation; nothing (M56); two members (M57); a round begun earlier (M58).
    confirmation: Confirmation { ReadQuorumAfter, Nothing, TwoMembers, EarlierRound }
    /// What TRUNC does to a node's list of ranges: replaces it (C15); adds to it (M61).
    install_list: InstallList { Replace, Add }
    /// How far the chain counts: up to the first gap; to the greatest LSN held (M19).
    chain: Chain { ToFirstGap, PastGaps }
}

/// Proof that only this file can give: the one way, besides a synced disk, to get a [`Durable`].
pub struct DeliberateMistake(());

impl Rules {
    #[must_use]
    #[inline]
    pub const fn with_lal(self, lal: u64) -> Rules {
        Rules { lal, ..self }
    }

    // --- segment -------------------------------------------------------------------------------------------------

    /// Whether a segment serves a write, a page read or a confirmation of epoch `ve`: only where both of its durable
    /// epochs equal the request's (protocol §2, C16).
    #[must_use]
    #[inline]
    pub fn admits<L: LogSet>(&self, ve: Epoch, image: &Image<L>) -> Admission {
        if ve < image.fenced {
            match self.stale {
                Stale::Refuse => return Admission::Refuse(Refusal::StaleVolumeEpoch { fenced: image.fenced }),
                Stale::RangesOnly => return Admission::Admit,
                Stale::AcknowledgeDropped => return Admission::PretendDone,
            }
        }
        if ve > image.fenced || image.trunc_ve != ve {
            match self.future {
                Future::AdoptEpoch => return Admission::AdmitAfterAdopting,
                Future::FenceAlone if ve == image.fenced => return Admission::Admit,
                Future::NeedTruncation | Future::FenceAlone => {
                    return Admission::Refuse(Refusal::NeedTruncation { trunc_ve: image.trunc_ve });
                }
            }
        }
        Admission::Admit
    }

    /// Whether a request older than a durable fence is always refused, and never acknowledged.
    #[must_use]
    #[inline]
    pub fn refuses_stale(&self) -> bool {
        self.stale == Stale::Refuse
    }

    /// Whether a segment may reply while something that it appended waits for its sync.
    #[must_use]
    #[inline]
    pub fn may_reply_before_sync(&self) -> bool {
        let fences_in_time = self.fence != Fence::InMemory;
        !(fences_in_time && self.future != Future::AdoptEpoch && self.acknowledge == Acknowledge::Synced)
    }

    /// Whether an acknowledgement counts for a prefix of the log.
    #[must_use]
    #[inline]
    pub fn credits_prefixes(&self) -> bool {
        self.credit == Credit::Scl
    }

    /// How an answer to FENCE_READ of a newer epoch fences (R1): S18 §2.4 tells the steps in an unsafe order (C3).
    #[must_use]
    #[inline]
    pub fn fencing(&self) -> Fencing {
        match self.fence {
            Fence::DurablyBeforeAnswer => Fencing::SyncThenAnswer,
            Fence::OnTruncate => Fencing::AnswerOnly,
            Fence::InMemory => Fencing::AnswerUnsynced(DeliberateMistake(())),
        }
    }

    /// A record may be acknowledged before it is synced: never (S14); the mutant M17 gets the proof it should not have.
    #[must_use]
    #[inline]
    pub fn may_acknowledge_on_receipt(&self) -> Option<DeliberateMistake> {
        (self.acknowledge == Acknowledge::OnReceipt).then_some(DeliberateMistake(()))
    }

    /// A request that is dropped may be acknowledged: never (S11). M8.
    #[must_use]
    #[inline]
    pub fn pretence(&self) -> DeliberateMistake {
        DeliberateMistake(())
    }

    /// The ranges of a segment after TRUNC: the new list replaces the old one (C15).
    #[must_use]
    #[inline]
    pub fn installed_ranges<R: RangeList>(&self, old: &R, new: &R) -> R {
        match (self.install_list, self.gossip) {
            (_, Gossip::AnybodyForgetting) => R::default(),
            (InstallList::Replace, _) => new.clone(),
            (InstallList::Add, _) => old.union(new),
        }
    }

    /// Whether a segment takes a record that a peer with truncation epoch `sender` gossips: only between equal truncation
    /// epochs, filtered by the ranges (C11).
    #[must_use]
    #[inline]
    pub fn takes_gossip<L: LogSet>(&self, sender: Epoch, lsn: Lsn, image: &Image<L>) -> bool {
        let same_history = self.gossip != Gossip::SameTruncation || sender == image.trunc_ve;
        same_history && !image.ranges.annuls(lsn)
    }

    /// Whether gossip of another truncation epoch is never taken.
    #[must_use]
    #[inline]
    pub fn gossips_only_within_a_truncation(&self) -> bool {
        self.gossip == Gossip::SameTruncation
    }

    /// SCL: the end of the gap-free chain (S18 §2.3).
    #[must_use]
    #[inline]
    pub fn scl<L: LogSet>(&self, held: &L, ranges: &L::Ranges) -> Lsn {
        match self.chain {
            Chain::ToFirstGap => held.scl(ranges),
            Chain::PastGaps => held.last(),
        }
    }

    /// Whether a segment that lost its disk takes part again under its old identity: not without the metadata service.
    #[must_use]
    #[inline]
    pub fn rejoins_after_wipe(&self) -> bool {
        self.wiped == Wiped::Rejoins
    }

    // --- writer --------------------------------------------------------------------------------------------------

    /// Copies that must have a record before it counts.
    #[must_use]
    #[inline]
    pub fn write_quorum(&self) -> usize {
        self.scheme.write.into()
    }

    /// The LSNs that an acknowledgement of `lsn` with this `scl` counts for (C4): the whole chain up to the SCL, because
    /// recovery takes the greatest SCL.
    #[must_use]
    #[inline]
    pub fn credited(&self, lsn: Lsn, scl: Lsn) -> (Lsn, Lsn) {
        match self.credit {
            Credit::Scl => (Lsn(1), scl),
            Credit::Record => (lsn, lsn),
        }
    }

    /// LSN `next` may be allocated: it is at most LAL above the VDL, or above the last truncation's end when the VDL has
    /// not passed it yet (C14).
    #[must_use]
    #[inline]
    pub fn may_allocate(&self, next: Lsn, vdl: Lsn, range_end: Lsn) -> bool {
        self.limit == Limit::Ignored || next <= vdl.max(range_end).plus(self.lal)
    }

    // --- recovery ------------------------------------------------------------------------------------------------

    /// The volume epoch that a recovery asks the metadata service for (R0).
    #[must_use]
    pub fn next_epoch(&self, current: Epoch) -> Epoch {
        match self.bump {
            Bump::Raise => current.next(),
            Bump::Reuse => current,
        }
    }

    /// Whether every recovery has a volume epoch of its own.
    #[must_use]
    #[inline]
    pub fn raises_epochs(&self) -> bool {
        self.bump == Bump::Raise
    }

    /// Whether enough members have answered FENCE_READ (R1).
    #[must_use]
    pub fn may_decide(&self, answers: usize) -> bool {
        answers >= usize::from(self.scheme.read)
    }

    /// T: the ranges that this recovery honours (R2): those of the answer with the highest truncation epoch, never a
    /// union, because the range of a recovery that never opened may annul what a later one kept (C15).
    #[must_use]
    pub fn honoured_ranges<'a, L: LogSet + 'a>(&self, answers: impl Iterator<Item = &'a Answer<L>>) -> L::Ranges {
        match self.honoured {
            Honoured::Newest => answers.max_by_key(|a| a.trunc_ve).map(|a| a.ranges.clone()).unwrap_or_default(),
            Honoured::Nothing => L::Ranges::default(),
            Honoured::Union => answers.fold(L::Ranges::default(), |union, a| union.union(&a.ranges)),
        }
    }

    /// Where the group's log ends, from the SCLs of the answers (R2): the greatest. Law: `scls` is not empty.
    #[must_use]
    pub fn recovery_point(&self, mut scls: Vec<Lsn>) -> Lsn {
        scls.sort_unstable_by(|a, b| b.cmp(a));
        let place = match self.point {
            Point::Greatest => 0,
            Point::WriteQuorumth => usize::from(self.scheme.write) - 1,
        };
        scls.get(place).copied().unwrap_or_default()
    }

    /// The end of the truncation range: no record of an older epoch can lie above it (S17 §4.3, C14). `seen` is the
    /// highest LSN that any range in any answer annuls.
    #[must_use]
    pub fn range_end(&self, vdl: Lsn, seen: Lsn) -> Lsn {
        match self.range_base {
            RangeBase::VdlAndRanges => vdl.max(seen).plus(self.lal),
            RangeBase::Vdl => vdl.plus(self.lal),
        }
    }

    /// The first LSN of the new writer (R4).
    #[must_use]
    pub fn first_lsn(&self, range: Range) -> Lsn {
        match self.gap {
            Gap::AboveRange => range.hi.next(),
            Gap::AfterVdl => range.lo,
        }
    }

    /// Copies that must have durably applied TRUNC before the volume opens (R3).
    #[must_use]
    pub fn install_quorum(&self) -> usize {
        match self.install {
            Install::WriteQuorum => self.write_quorum(),
            Install::OneLess => self.write_quorum() - 1,
        }
    }

    /// Whether a copy counts for opening only with the whole kept prefix (R3's write-back).
    #[must_use]
    pub fn writes_back_before_open(&self) -> bool {
        self.write_back == WriteBack::BeforeOpen
    }

    // --- read confirmation (protocol §13) ------------------------------------------------------------------------

    /// Whether these members' answers show that the epoch was still current.
    #[must_use]
    pub fn confirms_read(&self, confirmed: SegmentSet) -> bool {
        let needed = match self.confirmation {
            Confirmation::ReadQuorumAfter | Confirmation::EarlierRound => usize::from(self.scheme.read),
            Confirmation::TwoMembers => 2,
            Confirmation::Nothing => 0,
        };
        confirmed.len() >= needed
    }

    /// The first round whose answers count for a read that is invoked when `current` was the last round begun.
    #[must_use]
    pub fn first_valid_round(&self, current: Nonce) -> Nonce {
        match self.confirmation {
            Confirmation::EarlierRound => Nonce(current.0.max(1)),
            _ => Nonce(current.0 + 1),
        }
    }
}

/// How a segment answers a FENCE_READ.
pub enum Fencing {
    /// Append the fence; the answer leaves when it is synced.
    SyncThenAnswer,
    /// Answer and do not fence.
    AnswerOnly,
    /// Fence in memory, answer at once.
    AnswerUnsynced(DeliberateMistake),
}

impl From<DeliberateMistake> for Durable {
    /// The deliberate mistake of a mutant: an acknowledgement of what is not durable.
    fn from(mistake: DeliberateMistake) -> Durable {
        Durable::by_mistake(mistake)
    }
}

/// The named mistakes, for [`crate::mutants`]: the adopted rule book with one decision changed.
pub(crate) mod mistakes {
    use super::{
        Acknowledge, Bump, Chain, Confirmation, Credit, Fence, Future, Gap, Gossip, Honoured, Install, InstallList,
        Limit, Point, RangeBase, Rules, Scheme, Stale, Wiped, WriteBack,
    };

    const A: Rules = Rules::adopted();

    pub const WRITE_QUORUM_OF_THREE: Rules = Rules { scheme: Scheme { write: 3, ..Scheme::AURORA }, ..A };
    pub const READ_QUORUM_OF_FOUR: Rules = Rules { scheme: Scheme { read: 4, ..Scheme::AURORA }, ..A };
    pub const READ_QUORUM_OF_TWO: Rules = Rules { scheme: Scheme { read: 2, ..Scheme::AURORA }, ..A };
    pub const FENCE_ON_TRUNCATE: Rules = Rules { fence: Fence::OnTruncate, ..A };
    pub const STALE_RANGES_ONLY: Rules = Rules { stale: Stale::RangesOnly, ..A };
    pub const FENCE_IN_MEMORY: Rules = Rules { fence: Fence::InMemory, ..A };
    pub const WRITE_QUORUMTH_SCL: Rules = Rules { point: Point::WriteQuorumth, ..A };
    pub const CREDIT_RECORDS: Rules = Rules { credit: Credit::Record, ..A };
    pub const ACKNOWLEDGE_DROPPED: Rules = Rules { stale: Stale::AcknowledgeDropped, ..A };
    pub const ADOPT_EPOCH: Rules = Rules { future: Future::AdoptEpoch, ..A };
    pub const GOSSIP_FORGETTING: Rules = Rules { gossip: Gossip::AnybodyForgetting, ..A };
    pub const GOSSIP_ANYBODY: Rules = Rules { gossip: Gossip::Anybody, ..A };
    pub const GOSSIP_ANYBODY_OF_THREE: Rules = Rules { scheme: Scheme::TEACHING, ..GOSSIP_ANYBODY };
    pub const INSTALL_ONE_LESS: Rules = Rules { install: Install::OneLess, ..A };
    pub const IGNORE_RANGES: Rules = Rules { honoured: Honoured::Nothing, ..A };
    pub const NO_WRITE_BACK: Rules = Rules { write_back: WriteBack::Never, ..A };
    pub const RANGE_FROM_VDL: Rules = Rules { range_base: RangeBase::Vdl, ..A };
    pub const NO_GAP: Rules = Rules { gap: Gap::AfterVdl, ..A };
    pub const NO_LIMIT: Rules = Rules { limit: Limit::Ignored, ..A };
    pub const ACKNOWLEDGE_ON_RECEIPT: Rules = Rules { acknowledge: Acknowledge::OnReceipt, ..A };
    pub const WIPED_REJOINS: Rules = Rules { wiped: Wiped::Rejoins, ..A };
    pub const CHAIN_PAST_GAPS: Rules = Rules { chain: Chain::PastGaps, ..A };
    pub const REUSE_EPOCH: Rules = Rules { bump: Bump::Reuse, ..A };
    pub const NO_CONFIRMATION: Rules = Rules { confirmation: Confirmation::Nothing, ..A };
    pub const CONFIRMED_BY_TWO: Rules = Rules { confirmation: Confirmation::TwoMembers, ..A };
    pub const EARLIER_ROUND: Rules = Rules { confirmation: Confirmation::EarlierRound, ..A };
    pub const UNION_OF_RANGES: Rules = Rules { honoured: Honoured::Union, ..A };
    pub const ADD_RANGES: Rules = Rules { install_list: InstallList::Add, ..A };
    pub const FENCE_ALONE: Rules = Rules { future: Future::FenceAlone, ..A };
}
