//! What a system may promise, by name, and what each promise rules out.

use super::anomaly::{Anomaly, Orders, Shape};

/// A promise about what clients see. The order is that of `--help`, not of strength; [`Promise::implies`] has that.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Promise {
    Sequential,
    ReadYourWrites,
    MonotonicReads,
    MonotonicWrites,
    WritesFollowReads,
    Session,
    SnapshotPrefix,
    ReadCommitted,
    ReadAtomic,
    Causal,
    ReadUncommitted,
    Pl2,
    ConsistentView,
    RepeatableRead,
    SnapshotIsolation,
    Serializable,
    SessionSnapshotIsolation,
    SessionSerializable,
    StrongSnapshotIsolation,
    StrictSerializable,
}

/// Which part of this module judges a promise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Judge {
    /// [`sequential`](super::sequential).
    Sequential,
    /// [`sessions`](super::sessions).
    Sessions,
    /// [`snapshots`](super::snapshots).
    Snapshots,
    /// [`weak`](super::weak).
    Axioms,
    /// [`transactions`](super::transactions).
    Cycles,
}

impl Promise {
    pub const ALL: [Self; 20] = [
        Self::Sequential,
        Self::ReadYourWrites,
        Self::MonotonicReads,
        Self::MonotonicWrites,
        Self::WritesFollowReads,
        Self::Session,
        Self::SnapshotPrefix,
        Self::ReadCommitted,
        Self::ReadAtomic,
        Self::Causal,
        Self::ReadUncommitted,
        Self::Pl2,
        Self::ConsistentView,
        Self::RepeatableRead,
        Self::SnapshotIsolation,
        Self::Serializable,
        Self::SessionSnapshotIsolation,
        Self::SessionSerializable,
        Self::StrongSnapshotIsolation,
        Self::StrictSerializable,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::Sequential => "sequential",
            Self::ReadYourWrites => "read-your-writes",
            Self::MonotonicReads => "monotonic-reads",
            Self::MonotonicWrites => "monotonic-writes",
            Self::WritesFollowReads => "writes-follow-reads",
            Self::Session => "session",
            Self::SnapshotPrefix => "snapshot-prefix",
            Self::ReadCommitted => "read-committed",
            Self::ReadAtomic => "read-atomic",
            Self::Causal => "causal",
            Self::ReadUncommitted => "read-uncommitted",
            Self::Pl2 => "pl-2",
            Self::ConsistentView => "consistent-view",
            Self::RepeatableRead => "repeatable-read",
            Self::SnapshotIsolation => "snapshot-isolation",
            Self::Serializable => "serializable",
            Self::SessionSnapshotIsolation => "session-snapshot-isolation",
            Self::SessionSerializable => "session-serializable",
            Self::StrongSnapshotIsolation => "strong-snapshot-isolation",
            Self::StrictSerializable => "strict-serializable",
        }
    }

    /// One line for `--help`.
    pub fn about(self) -> &'static str {
        match self {
            Self::Sequential => "one order of all operations that keeps the order of each process (Lamport 1979)",
            Self::ReadYourWrites => "a session's reads see its own earlier writes",
            Self::MonotonicReads => "what a session has seen stays seen",
            Self::MonotonicWrites => "a session's writes show in their order",
            Self::WritesFollowReads => "a write shows only with what its session had read before it",
            Self::Session => "all four session guarantees at once",
            Self::SnapshotPrefix => "reads are snapshots of a prefix of the primary's writes, never going back",
            Self::ReadCommitted => "Biswas and Enea's read committed: committed reads, monotonic in a transaction",
            Self::ReadAtomic => "all of a transaction's writes are seen, or none",
            Self::Causal => "causal consistency with one order of commits",
            Self::ReadUncommitted => "Adya's PL-1: no G0",
            Self::Pl2 => "Adya's PL-2, what SQL calls read committed: no G0, no G1; sessions do not count",
            Self::ConsistentView => "Adya's PL-2+: no G1, no G-single",
            Self::RepeatableRead => "Adya's PL-2.99: no G1, no G2-item",
            Self::SnapshotIsolation => "Adya's PL-SI, from any snapshot: no G1, no cycle without two adjacent rw",
            Self::Serializable => "Adya's PL-3",
            Self::SessionSnapshotIsolation => "snapshot isolation that keeps each session's order",
            Self::SessionSerializable => "serializable in an order that keeps each session's",
            Self::StrongSnapshotIsolation => "snapshot isolation that keeps the order in real time",
            Self::StrictSerializable => "serializable in an order that keeps that in real time",
        }
    }

    pub fn judge(self) -> Judge {
        match self {
            Self::Sequential => Judge::Sequential,
            Self::ReadYourWrites
            | Self::MonotonicReads
            | Self::MonotonicWrites
            | Self::WritesFollowReads
            | Self::Session => Judge::Sessions,
            Self::SnapshotPrefix => Judge::Snapshots,
            Self::ReadCommitted | Self::ReadAtomic | Self::Causal => Judge::Axioms,
            _ => Judge::Cycles,
        }
    }

    /// Which orders besides that of the data a promise of [`Judge::Cycles`] keeps.
    pub(super) fn orders(self) -> Orders {
        match self {
            Self::SessionSnapshotIsolation | Self::SessionSerializable => Orders::Process,
            Self::StrongSnapshotIsolation | Self::StrictSerializable => Orders::RealTime,
            _ => Orders::Data,
        }
    }

    /// Which cycles a promise of [`Judge::Cycles`] rules out: all shapes up to this one.
    pub(super) fn worst_shape(self) -> Shape {
        match self {
            Self::ReadUncommitted => Shape::G0,
            Self::Pl2 => Shape::G1c,
            Self::ConsistentView => Shape::GSingle,
            Self::SnapshotIsolation | Self::SessionSnapshotIsolation | Self::StrongSnapshotIsolation => {
                Shape::GNonadjacent
            }
            _ => Shape::G2Item,
        }
    }

    /// Whether a history with this anomaly breaks the promise: the table of [`Anomaly`], read the other way.
    ///
    /// Cycles count by shape and by the orders that they use. Of the others, after Adya 1999, Cerone and others 2015 and
    /// the table of Elle: a duplicated element or versions in a circle contradict every level; a read of what is not
    /// committed contradicts PL-2 and all above; a transaction that contradicts itself contradicts what promises
    /// snapshots or repeatable reads; so does a lost update, since whichever of the two writes is the earlier, the other's
    /// transaction did not see it: a G-single.
    pub fn rules_out(self, anomaly: Anomaly) -> bool {
        if self.judge() != Judge::Cycles {
            return false;
        }
        match anomaly {
            Anomaly::Cycle(shape, orders) => shape <= self.worst_shape() && orders <= self.orders(),
            Anomaly::ThinAirRead | Anomaly::DuplicateElements | Anomaly::CyclicVersions => true,
            Anomaly::AbortedRead
            | Anomaly::IntermediateRead
            | Anomaly::FutureRead
            | Anomaly::DirtyUpdate
            | Anomaly::IncompatibleOrder => self.worst_shape() >= Shape::G1c,
            Anomaly::Internal | Anomaly::LostUpdate => self.worst_shape() >= Shape::GSingle,
            Anomaly::NoVersionOrder => self.worst_shape() >= Shape::GNonadjacent,
            _ => false,
        }
    }

    /// Whether a history that keeps `self` keeps `weaker`. There are no predicates here, so PL-2.99 is as strong as PL-3.
    pub fn implies(self, weaker: Self) -> bool {
        let cycles = |promise: Self| promise.judge() == Judge::Cycles;
        if self == weaker {
            return true;
        }
        if cycles(self) && cycles(weaker) {
            return weaker.worst_shape() <= self.worst_shape() && weaker.orders() <= self.orders();
        }
        let sessions = [Self::ReadYourWrites, Self::MonotonicReads, Self::MonotonicWrites, Self::WritesFollowReads];
        match self {
            Self::Session => sessions.contains(&weaker),
            Self::MonotonicWrites | Self::WritesFollowReads => weaker == Self::MonotonicReads,
            Self::Causal => {
                matches!(weaker, Self::ReadAtomic | Self::ReadCommitted | Self::Pl2 | Self::ReadUncommitted)
            }
            Self::ReadAtomic => matches!(weaker, Self::ReadCommitted | Self::Pl2 | Self::ReadUncommitted),
            Self::ReadCommitted => matches!(weaker, Self::Pl2 | Self::ReadUncommitted),
            Self::SessionSnapshotIsolation
            | Self::SessionSerializable
            | Self::StrongSnapshotIsolation
            | Self::StrictSerializable => matches!(weaker, Self::Causal | Self::ReadAtomic | Self::ReadCommitted),
            _ => false,
        }
    }
}

impl std::fmt::Display for Promise {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.name())
    }
}
