//! Explorations of pages, and their known mistakes, one row each (protocol §8).

use super::Pages;
use super::rules::{PageRules, mistakes as m};
use super::world::Bounds;
use crate::area::{self, Leg};

pub type Mutant = area::Mutant<Pages>;
pub type Profile = area::Profile<Pages>;

const fn mutant(
    id: &'static str,
    mistake: &'static str,
    rules: PageRules,
    breaks: &'static [&'static str],
    bounds: Bounds,
    source: &'static str,
) -> Mutant {
    Mutant::new(id, mistake, rules, breaks, bounds, source)
}

const READS: Bounds = Bounds::writing(&[0, 1, 0, 1]).reading().with_failover(3).of_six();
const GC: Bounds = Bounds::writing(&[0, 0]).reading().collecting().with_replica().of_six();
const LATE_GC: Bounds = Bounds::writing(&[0, 0]).collecting().with_replica().with_failover(2).of_six();
const TORN: Bounds = Bounds::writing(&[0, 0]).reading().collecting().with_failover(1).of_six();
const REPLICA: Bounds = Bounds::writing(&[0, 1, 0]).with_replica().of_six();
const REPLICA_MTR: Bounds = Bounds::across().with_replica().of_six();

pub const PROFILES: &[Profile] = &[
    Profile {
        name: "reads",
        about: "pages of single segments at read points, holes, eviction, the cache of a new writer",
        quick: &[Leg::new("reads", READS, 3_536, 29)],
        deep: &[Leg::new("replica", READS.with_replica(), 255_244, 39)],
        silent: &["S17", "S18", "S19", "S22", "S23", "S24", "L8"],
    },
    Profile {
        name: "gc",
        about: "collection below everybody's read points and after backup, while a replica lags or is not heard of",
        quick: &[
            Leg::new("lagging", GC, 478_800, 34),
            Leg::new(
                "failover",
                Bounds::writing(&[0, 1]).reading().collecting().with_replica().with_failover(1),
                118_028,
                27,
            ),
        ],
        deep: &[
            Leg::new("failover", LATE_GC, 76_155, 31),
            Leg::new(
                "three",
                Bounds::writing(&[0, 1, 0]).reading().collecting().with_replica().with_failover(2),
                900_584,
                32,
            ),
        ],
        silent: &[],
    },
    Profile {
        name: "replica",
        about: "a replica behind a stream: whole mini-transactions, pages in flight, gaps, failover",
        quick: &[
            Leg::new("stream", REPLICA.with_failover(3), 59_702, 30),
            Leg::new("across", REPLICA_MTR.with_failover(2), 1_743, 20),
        ],
        deep: &[Leg::new(
            "four",
            Bounds::writing(&[0, 1, 0, 1]).with_replica().with_failover(4).of_six(),
            1_698_436,
            38,
        )],
        silent: &["S4", "S17", "S18", "S19", "S25", "L8"],
    },
];

pub const MUTANTS: &[Mutant] = &[
    mutant("M25", "a segment answers below its own SCL", m::ANYBODY_ANSWERS, &["S20", "S21"], READS, "S17 §4.2.3"),
    mutant("M27", "a replica's read points do not count", m::REPLICA_DOES_NOT_COUNT, &["S17"], GC, "S18 §3.4"),
    mutant("M28", "a segment answers below its collection point", m::BELOW_HORIZON, &["S21", "S20"], GC, "Neon #567"),
    mutant("M29", "what is not durable is folded for good", m::FOLD_EVERYTHING, &["S18", "S4"], TORN, "§7"),
    mutant("M30", "a replica applies on receipt", m::APPLY_ON_RECEIPT, &["S22"], REPLICA, "S17 §4.2.4, C8"),
    mutant("M31", "a replica applies record by record", m::APPLY_RECORDS, &["S23"], REPLICA_MTR, "S18 §3.3"),
    mutant("M32", "a record is discarded while its page is in flight", m::DISCARD_IN_FLIGHT, &["S24"], REPLICA, "§3"),
    mutant("M33", "a replica keeps its cache across a gap", m::KEEP_CACHE, &["S24"], REPLICA, "§3"),
    mutant("M34", "a hedged request at a newer read point", m::NEW_READ_POINT, &["S23"], REPLICA, "S18 §3.1"),
    mutant("M35", "the eviction rule inverted", m::EVICTION_INVERTED, &["S25", "S20"], READS, "S17 §4.2.3, C9"),
    mutant("M52", "a replaced writer's read points are taken", m::STALE_SENDER, &["S17"], LATE_GC, "§8"),
    mutant("M66", "a replica that is not heard of is waited for", m::DEAD_REPLICA_COUNTS, &["L8"], GC, "§7 L8"),
    mutant("M67", "records are collected before they are backed up", m::NO_BACKUP, &["S19"], GC, "S18 §2.1"),
];
