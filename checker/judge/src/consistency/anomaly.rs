//! Anomalies, named as Adya (1999) and Elle (Kingsbury and Alvaro 2020) name them.

use std::fmt;

use super::promise::Promise;

/// What is wrong with a history.
///
/// | anomaly | what | ruled out by |
/// |---|---|---|
/// | thin-air read | a value that nobody wrote was read | every level |
/// | duplicate elements | one append shows twice in a list | every level |
/// | cyclic versions | the values of a key cannot be put in an order | every level |
/// | G1a | aborted read: of what a failed transaction wrote | PL-2 and all above |
/// | G1b | intermediate read: of what its writer overwrote before it committed | PL-2 and all above |
/// | future read | a transaction read what it wrote only later | PL-2 and all above |
/// | dirty update | a committed append stands on an aborted one | PL-2 and all above |
/// | incompatible order | two lists read of one key, neither the beginning of the other | PL-2 and all above |
/// | internal | a read contradicts an earlier read or write of the same transaction | PL-2+ and all above |
/// | lost update | two transactions read the same version of a key and both wrote it | PL-2+ and all above |
/// | G0 | a cycle of ww | PL-1 and all above |
/// | G1c | a cycle of ww and wr | PL-2 and all above |
/// | G-single | a cycle with one rw | PL-2+ and all above |
/// | G-nonadjacent | a cycle with several rw, no two next to each other | SI, PL-2.99 and all above |
/// | G2-item | a cycle with two rw next to each other | PL-2.99 and PL-3 |
/// | no version order | every order of the unordered writes closes a cycle | as the cycles |
/// | …-process, …-realtime | a cycle that needs the order of a session, of real time | session…, strong… and strict |
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Anomaly {
    ThinAirRead,
    DuplicateElements,
    CyclicVersions,
    AbortedRead,
    IntermediateRead,
    FutureRead,
    DirtyUpdate,
    IncompatibleOrder,
    Internal,
    LostUpdate,
    Cycle(Shape, Orders),
    NoVersionOrder,
    /// A cycle of sessions and reads alone: something was read before it was written.
    CausalityCycle,
    /// Within a transaction, a read went back behind what an earlier read had shown.
    NonMonotonicRead,
    /// A transaction saw some writes of another transaction or of its own session, and missed others.
    FracturedRead,
    /// A transaction missed what happened before it.
    CausalityViolation,
    NotMyWrite,
    NonMonotonicReads,
    NonMonotonicWrites,
    WritesWithoutReads,
    NoSession,
    NotSequential,
    NoSnapshot,
}

/// The data edges of a cycle, from the worst on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Shape {
    G0,
    G1c,
    GSingle,
    GNonadjacent,
    G2Item,
}

/// Which orders a cycle uses besides that of the data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Orders {
    Data,
    Process,
    RealTime,
}

impl Anomaly {
    pub fn name(self) -> &'static str {
        match self {
            Self::ThinAirRead => "thin-air-read",
            Self::DuplicateElements => "duplicate-elements",
            Self::CyclicVersions => "cyclic-versions",
            Self::AbortedRead => "G1a",
            Self::IntermediateRead => "G1b",
            Self::FutureRead => "future-read",
            Self::DirtyUpdate => "dirty-update",
            Self::IncompatibleOrder => "incompatible-order",
            Self::Internal => "internal",
            Self::LostUpdate => "lost-update",
            Self::Cycle(Shape::G0, Orders::Data) => "G0",
            Self::Cycle(Shape::G0, Orders::Process) => "G0-process",
            Self::Cycle(Shape::G0, Orders::RealTime) => "G0-realtime",
            Self::Cycle(Shape::G1c, Orders::Data) => "G1c",
            Self::Cycle(Shape::G1c, Orders::Process) => "G1c-process",
            Self::Cycle(Shape::G1c, Orders::RealTime) => "G1c-realtime",
            Self::Cycle(Shape::GSingle, Orders::Data) => "G-single",
            Self::Cycle(Shape::GSingle, Orders::Process) => "G-single-process",
            Self::Cycle(Shape::GSingle, Orders::RealTime) => "G-single-realtime",
            Self::Cycle(Shape::GNonadjacent, Orders::Data) => "G-nonadjacent",
            Self::Cycle(Shape::GNonadjacent, Orders::Process) => "G-nonadjacent-process",
            Self::Cycle(Shape::GNonadjacent, Orders::RealTime) => "G-nonadjacent-realtime",
            Self::Cycle(Shape::G2Item, Orders::Data) => "G2-item",
            Self::Cycle(Shape::G2Item, Orders::Process) => "G2-item-process",
            Self::Cycle(Shape::G2Item, Orders::RealTime) => "G2-item-realtime",
            Self::NoVersionOrder => "no-version-order",
            Self::CausalityCycle => "causality-cycle",
            Self::NonMonotonicRead => "non-monotonic-read",
            Self::FracturedRead => "fractured-read",
            Self::CausalityViolation => "causality-violation",
            Self::NotMyWrite => "not-my-write",
            Self::NonMonotonicReads => "non-monotonic-reads",
            Self::NonMonotonicWrites => "non-monotonic-writes",
            Self::WritesWithoutReads => "writes-without-reads",
            Self::NoSession => "session-violation",
            Self::NotSequential => "not-sequential",
            Self::NoSnapshot => "no-snapshot",
        }
    }

    /// The promises of transactions by cycles that a history with this anomaly breaks.
    pub fn breaks(self) -> Vec<Promise> {
        Promise::ALL.into_iter().filter(|promise| promise.rules_out(self)).collect()
    }
}

impl fmt::Display for Anomaly {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
