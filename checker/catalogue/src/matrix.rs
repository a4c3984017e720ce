//! Which mutant breaks which property: the matrix, and what each property is worth by it.
//!
//! A property earns its place where some mutant breaks it alone: without it that mistake would live. Where no mutant does, a
//! sentence says why the property stands all the same.

use std::collections::BTreeMap;

use crate::{Mutant, Property, properties};

/// What each mutant breaks within its bounds, with the length of a shortest counterexample.
pub type Matrix = Vec<(&'static Mutant, BTreeMap<&'static str, usize>)>;

/// The mutants that break this property and nothing else.
#[must_use]
pub fn alone(matrix: &Matrix, property: &Property) -> Vec<&'static str> {
    let own = matrix
        .iter()
        .filter(|(mutant, row)| mutant.area.name() == property.area && row.len() == 1 && row.contains_key(property.id));
    own.map(|(mutant, _)| mutant.id).collect()
}

/// Why a property stands that no mutant breaks alone.
#[must_use]
pub fn excuse(area: &str, id: &str) -> Option<&'static str> {
    EXCUSES.iter().find(|(of, property, _)| *of == area && *property == id).map(|(_, _, why)| *why)
}

/// Properties that are neither caught alone by any mutant nor excused, and those that are both: what is written there is not true.
#[must_use]
pub fn unfounded(matrix: &Matrix) -> Vec<&'static Property> {
    let has = |property: &&Property| alone(matrix, property).is_empty() != excuse(property.area, property.id).is_some();
    properties().iter().filter(has).collect()
}

/// Area, property, why no mutant breaks it alone.
pub const EXCUSES: &[(&str, &str, &str)] = &[
    ("core", "S1", "a lost commit was exposed, so S3 sees it too; S1 is the promise itself, and S3 only its height"),
    (
        "core",
        "S3",
        "a VDL that goes back is a commit or a read that is lost; it breaks without S1 where only the reads of a new writer are (M13)",
    ),
    (
        "core",
        "S4",
        "what comes back was annulled by a volume that has since acknowledged other things, which then are at risk themselves",
    ),
    (
        "core",
        "S5",
        "a second record at an LSN is either within a range that is too short (S5b) or never acknowledged (L1)",
    ),
    ("core", "S5b", "what lies above a range is where the new writer allocates: S5 follows in the same bounds"),
    ("core", "S7", "a later recovery that keeps less has also exposed less (S3)"),
    (
        "core",
        "S9",
        "what an old writer commits behind the back of a new one is a commit that the new volume lacks (S1)",
    ),
    ("core", "S10", "a promise that is forgotten lets an old writer commit (S1); S10 sees it ten actions earlier"),
    ("core", "S11", "an acknowledgement of nothing counts towards a commit (S1); S11 sees it nine actions earlier"),
    (
        "core",
        "S14",
        "an acknowledgement that a crash takes back counts towards a commit (S1); S14 sees it twelve actions earlier",
    ),
    ("core", "S15", "an annulled record gets to a segment by way of an epoch that it should not serve (S12)"),
    ("core", "S16", "gossip only appends, and no decision could make it do anything else"),
    ("core", "L1", "the writer that cannot commit is refused by segments that are never whole again (L3)"),
    ("core", "L2", "as L1: a recovery that cannot install does not open, and where it opens it does not commit"),
    ("core", "L3", "as L1: a segment that never catches up is short for a commit"),
    ("core", "L4", "where the limit is counted from is decided in the volume: M65"),
    ("membership", "S1", "it takes disjoint quorums of one group (S27), which are seen before anybody recovers"),
    (
        "membership",
        "S2",
        "a commit that a set of readers may miss is there because those quorums miss each other (S27)",
    ),
    ("membership", "S9", "as S1"),
    ("membership", "S19", "the tails drop what is then on too few segments to be found by every read quorum (S27)"),
    ("membership", "S29", "a joiner that is counted too early makes a quorum that misses a write (S27)"),
    ("membership", "S30", "what is discarded early is missing for the quorum that comes back (S27)"),
    ("membership", "S32", "a read quorum without a full segment may miss a write on the full ones alone (S27)"),
    ("membership", "L7", "where nobody is created anew the record that waits is not committed either (L5)"),
    ("membership", "L10", "two configurations of one number are recorded before they divide the segments (S28)"),
    ("volume", "S1", "the commit was exposed (S3), or had no quorum in some group (S2)"),
    ("volume", "S2", "what is not on a quorum is lost by the recovery that misses it (S1)"),
    ("volume", "S3", "as in the core"),
    ("volume", "S9", "as in the core"),
    ("volume", "S31", "a record in a group that nobody knows is lost (S1)"),
    ("volume", "L1", "a writer that waits for an idle group is L9, and its commits wait with it"),
    ("volume", "L2", "a recovery fails to open by its ranges, which are the core's: M61"),
    ("volume", "L9", "as L1"),
    ("pages", "S4", "an annulled record is in a page because it was folded before it was durable (S18)"),
    ("pages", "S18", "as S4: what is folded too early is seen when it is annulled"),
    (
        "pages",
        "S20",
        "a page is wrong because a segment answered that should not have (S21), or a page was lost from the cache (S25)",
    ),
    ("pages", "S21", "who answers without what was asked for gives a wrong page (S20)"),
    ("pages", "S25", "what is evicted before it is durable is read back without it (S20)"),
    ("disk", "S1", "the lie is seen when it is told (S13), before anything is lost"),
    (
        "disk",
        "S4",
        "a record that comes back makes the next recovery keep what the last one did not: S7 in the same state",
    ),
    ("disk", "S7", "as S4"),
    ("disk", "S13", "a segment that says it has nothing makes a recovery lose a commit (S1)"),
    ("disk", "L2", "as in the volume; one flip leaves enough segments that answer"),
    ("region", "R4", "a region that takes the stream of an older epoch takes it as a secondary, too (R1)"),
    ("fork", "F4", "what is purged can never be shown again, and an epoch that would show it does not open (LF2)"),
    ("fork", "F8", "what an epoch drops that was durable has a write quorum still (F6)"),
    ("fork", "LF2", "as F4"),
];
