//! What a seed draws: how the world is, and what goes wrong in it. Each seed draws a mix of its own (swarm testing, Groce et al.
//! 2012): some kinds of fault not at all, others often.
//!
//! A plan is data: a shrunk one has faults taken out, and is as good as one that was drawn.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use sextant_model::rules::Rules;

use super::agenda::{MICROSECOND, MILLISECOND, Nanos};
use super::network::{Latencies, MILLION};
use super::{COPIES, ZONES};
use crate::random::Random;

/// A kind of fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FaultKind {
    /// SIGKILL and a restart.
    KillNode,
    /// The machine loses power: any part of what was not synced is gone, sector by sector.
    PowerCut,
    PauseNode,
    KillWriter,
    /// The writer stops until after another one took over, and goes on then.
    PauseWriter,
    /// One more writer asks for the volume, whoever has it.
    Usurp,
    /// Nodes that hear and reach nobody: one, a zone, a zone and one more.
    Isolate,
    /// A node that is heard and hears nothing, or the other way round.
    OneWay,
    /// The active writer reaches no node and not the metadata service; its clients reach it.
    IsolateWriter,
    /// The active writer reaches only some nodes, one that asks for the volume now, and all later ones, only others.
    Diverge,
    /// Each node loses the messages of two others.
    Ring,
    /// Messages are lost.
    Lose,
    /// Messages come twice, the second time up to seconds later.
    Double,
    SlowNetwork,
    SlowDisk,
    /// The next operation of a node's disk fails.
    DiskError,
    /// A node's disk has no room for another segment file.
    DiskFull,
    /// A synced bit of a node's log flips, and the node restarts.
    BitFlip,
    /// A node's disk is lost, and the node restarts under its old name.
    Wipe,
}

impl FaultKind {
    pub const ALL: [FaultKind; 19] = [
        FaultKind::KillNode,
        FaultKind::PowerCut,
        FaultKind::PauseNode,
        FaultKind::KillWriter,
        FaultKind::PauseWriter,
        FaultKind::Usurp,
        FaultKind::Isolate,
        FaultKind::OneWay,
        FaultKind::IsolateWriter,
        FaultKind::Diverge,
        FaultKind::Ring,
        FaultKind::Lose,
        FaultKind::Double,
        FaultKind::SlowNetwork,
        FaultKind::SlowDisk,
        FaultKind::DiskError,
        FaultKind::DiskFull,
        FaultKind::BitFlip,
        FaultKind::Wipe,
    ];

    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            FaultKind::KillNode => "kill-node",
            FaultKind::PowerCut => "power-cut",
            FaultKind::PauseNode => "pause-node",
            FaultKind::KillWriter => "kill-writer",
            FaultKind::PauseWriter => "pause-writer",
            FaultKind::Usurp => "usurp",
            FaultKind::Isolate => "isolate",
            FaultKind::OneWay => "one-way",
            FaultKind::IsolateWriter => "isolate-writer",
            FaultKind::Diverge => "diverge",
            FaultKind::Ring => "ring",
            FaultKind::Lose => "lose",
            FaultKind::Double => "double",
            FaultKind::SlowNetwork => "slow-network",
            FaultKind::SlowDisk => "slow-disk",
            FaultKind::DiskError => "disk-error",
            FaultKind::DiskFull => "disk-full",
            FaultKind::BitFlip => "bit-flip",
            FaultKind::Wipe => "wipe",
        }
    }

    /// Whether another writer may take the volume because of it.
    fn takes_over(self) -> bool {
        matches!(
            self,
            FaultKind::KillWriter
                | FaultKind::PauseWriter
                | FaultKind::Usurp
                | FaultKind::IsolateWriter
                | FaultKind::Diverge
        )
    }

    /// Whether a node that it strikes is away then.
    pub(super) fn takes_away(self) -> bool {
        matches!(
            self,
            FaultKind::KillNode
                | FaultKind::PowerCut
                | FaultKind::PauseNode
                | FaultKind::Isolate
                | FaultKind::BitFlip
                | FaultKind::Wipe
        )
    }

    fn is_of_the_network(self) -> bool {
        matches!(
            self,
            FaultKind::Isolate
                | FaultKind::OneWay
                | FaultKind::Ring
                | FaultKind::Lose
                | FaultKind::Double
                | FaultKind::SlowNetwork
        )
    }

    /// Whether a node that has it does not come back.
    fn is_for_ever(self) -> bool {
        matches!(self, FaultKind::BitFlip | FaultKind::Wipe)
    }
}

impl fmt::Display for FaultKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for FaultKind {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let known = || FaultKind::ALL.map(FaultKind::name).join(", ");
        let found = FaultKind::ALL.into_iter().find(|kind| kind.name() == name);
        found.ok_or_else(|| format!("unknown fault {name:?}; known are {}", known()))
    }
}

/// A fault and when it is there. Times are milliseconds of virtual time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    pub fault: FaultKind,
    pub from: u64,
    /// How long it lasts; a restart comes at its end.
    pub lasts: u64,
    /// Whom it strikes: nodes as bits, where the kind strikes nodes.
    pub nodes: u8,
    /// How bad it is, in terms of the kind: parts in a million, times as slow, the nodes that later writers do not reach,
    /// milliseconds until the next usurper comes (0: there is only one).
    pub degree: u64,
}

/// Everything that a run is made of, its seed apart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    pub clients: usize,
    pub keys: usize,
    /// How long clients work and faults happen, in milliseconds of virtual time.
    pub lasts: u64,
    /// Pages that a writer keeps in memory.
    pub pages_max: usize,
    /// Microseconds, one way within a zone, least and most; and what is added between zones.
    pub latency: (u64, u64),
    pub across: u64,
    /// Microseconds that a sync takes, least and most.
    pub sync: (u64, u64),
    /// Milliseconds between two questions of a node to its peers; 0: it asks nobody.
    pub gossip: u64,
    /// Milliseconds after which a standby takes over from a writer that does not answer.
    pub failover: u64,
    /// How far a writer may run ahead of its VDL, in records; none: as far as the rules say.
    pub lal: Option<u64>,
    /// Milliseconds that a client waits for an answer.
    pub patience: u64,
    /// Microseconds that a client thinks between two operations, at most.
    pub think: u64,
    /// Operations that all clients together begin, at most; none: as many as there is time for. What a seed draws has no bound.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub operations: Option<u64>,
    pub windows: Vec<Window>,
}

const CLIENTS_MAX: usize = 1000;
/// Milliseconds.
const LASTS_MAX: u64 = 3_600_000;
/// Microseconds.
const LATENCY_MAX: u64 = 10_000_000;

/// Faults that take a node away for ever, in one run: with more, a write quorum may be lost for good.
const FOR_EVER_MAX: usize = 1;

impl Plan {
    /// `rules` with what this plan sets in them.
    #[must_use]
    pub fn rules(&self, rules: Rules) -> Rules {
        self.lal.map_or(rules, |lal| rules.with_lal(lal))
    }

    /// What `seed` draws, of the kinds in `faults`.
    #[must_use]
    pub fn drawn(seed: u64, clients: usize, lasts: u64, faults: &[FaultKind]) -> Self {
        let mut random = Random::new(seed, "plan");
        let least = random.between(50, 1500);
        let mut plan = Plan {
            clients,
            keys: random.between(1, 6) as usize,
            lasts,
            pages_max: if random.below(3) == 0 { 2 } else { 1000 },
            latency: (least, least + random.between(50, 3000)),
            across: random.between(0, 1000),
            sync: (random.between(20, 200), random.between(200, 3000)),
            gossip: [0, 20, 50, 200][random.below(4)],
            failover: random.between(150, 400),
            lal: [None, None, Some(1), Some(4), Some(64)][random.below(5)],
            patience: random.between(50, 500),
            think: random.between(0, 3000),
            operations: None,
            windows: Vec::new(),
        };
        match random.below(3) {
            0 => plan.draw_takeovers(faults, &mut random),
            _ => plan.draw_mix(faults, &mut random),
        }
        plan.windows.sort_by_key(|window| window.from);
        plan
    }

    /// Some kinds, at any time.
    fn draw_mix(&mut self, faults: &[FaultKind], random: &mut Random) {
        let mix: Vec<FaultKind> = faults.iter().copied().filter(|_| random.below(2) == 0).collect();
        if mix.is_empty() {
            return;
        }
        for _ in 0..random.between(4, 12) {
            let from = random.between(100, (self.lasts * 4 / 5).max(101));
            let lasts = random.between(10, 900);
            self.add(mix[random.below(mix.len())], from, lasts, random);
        }
    }

    /// Writers that take over from each other, one window on the heels of the other, over a network that falls in two or is bad.
    fn draw_takeovers(&mut self, faults: &[FaultKind], random: &mut Random) {
        let (mut over, mut beside) = (Vec::new(), Vec::new());
        for &kind in faults {
            let pool =
                if kind.takes_over() { Some(&mut over) } else { kind.is_of_the_network().then_some(&mut beside) };
            if let Some(pool) = pool.filter(|_| random.below(2) == 0) {
                pool.push(kind);
            }
        }
        let side = some_nodes(random);
        let mut from = 100;
        while from < self.lasts * 4 / 5 {
            let lasts = random.between(5, 300);
            if let Some(&kind) = over.get(random.below(over.len().max(1))) {
                self.add(kind, from, lasts, random);
            }
            if let Some(&kind) = beside.get(random.below(2 * beside.len().max(1))) {
                self.add(kind, from, lasts, random);
            }
            if let Some(window) =
                self.windows.last_mut().filter(|w| w.fault == FaultKind::Diverge && random.below(3) > 0)
            {
                let (one, other) = if random.below(2) == 0 { (side, !side) } else { (!side, side) };
                let other = if random.below(4) == 0 { one } else { other };
                (window.nodes, window.degree) = (one & ALL_NODES, (other & ALL_NODES).into());
            }
            from += lasts * random.between(20, 120) / 100 + 1;
        }
    }

    fn add(&mut self, fault: FaultKind, from: u64, lasts: u64, random: &mut Random) {
        if self.has_room_for(fault) {
            let (nodes, degree) = (nodes_of(fault, random), degree_of(fault, random));
            self.windows.push(Window { fault, from, lasts, nodes, degree });
        }
    }

    pub(super) fn add_unless_too_many(&mut self, window: Window) {
        if self.has_room_for(window.fault) {
            self.windows.push(window);
        }
    }

    fn has_room_for(&self, fault: FaultKind) -> bool {
        let for_ever = self.windows.iter().filter(|window| window.fault.is_for_ever()).count();
        !fault.is_for_ever() || for_ever < FOR_EVER_MAX
    }

    /// Whether it can be run.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn check(&self) -> Result<(), String> {
        let ascends = |name: &str, (least, most): (u64, u64)| match least <= most && most <= LATENCY_MAX {
            true => Ok(()),
            false => Err(format!("{name}: {least} to {most} is no range of at most {LATENCY_MAX} microseconds")),
        };
        ascends("latency", self.latency)?;
        ascends("sync", self.sync)?;
        ascends("across", (0, self.across))?;
        match self {
            Plan { clients, .. } if *clients > CLIENTS_MAX => Err(format!("clients: at most {CLIENTS_MAX}")),
            Plan { clients: 0, .. } => Err("clients: at least 1".to_owned()),
            Plan { keys: 0, .. } => Err("keys: at least 1".to_owned()),
            Plan { lasts, .. } if *lasts > LASTS_MAX => Err(format!("lasts: at most {LASTS_MAX} ms")),
            Plan { pages_max: 0, .. } => Err("pages_max: at least 1".to_owned()),
            Plan { lal: Some(0), .. } => Err("lal: at least 1".to_owned()),
            Plan { failover, .. } if *failover == 0 => Err("failover: at least 1 ms".to_owned()),
            Plan { windows, .. } => windows.iter().try_for_each(|window| match window {
                Window { from, lasts, .. } if from.max(lasts) > &LASTS_MAX => {
                    Err(format!("window of {}: times are at most {LASTS_MAX} ms", window.fault))
                }
                Window { degree, .. } if *degree > MILLION => {
                    Err(format!("window of {}: degree is at most {MILLION}", window.fault))
                }
                _ => Ok(()),
            }),
        }
    }

    pub(super) fn latencies(&self) -> Latencies {
        let (least, most) = self.latency;
        Latencies { within: (least * MICROSECOND, most * MICROSECOND), across: self.across * MICROSECOND }
    }

    pub(super) fn ends(&self) -> Nanos {
        self.lasts * MILLISECOND
    }
}

fn one_node(random: &mut Random) -> u8 {
    1 << random.below(COPIES)
}

const ALL_NODES: u8 = (1 << COPIES) - 1;

/// Two to four nodes.
fn some_nodes(random: &mut Random) -> u8 {
    let mut nodes: Vec<u8> = (0..COPIES as u8).collect();
    random.shuffle(&mut nodes);
    nodes[..2 + random.below(3)].iter().map(|node| 1 << node).sum()
}

/// The nodes of a zone.
fn zone(zone: usize) -> u8 {
    let per_zone = COPIES / ZONES;
    ((1 << per_zone) - 1) << (zone * per_zone)
}

pub(super) fn nodes_of(fault: FaultKind, random: &mut Random) -> u8 {
    match fault {
        FaultKind::KillNode | FaultKind::PowerCut | FaultKind::Isolate | FaultKind::PauseNode => {
            match random.below(6) {
                0 => zone(random.below(ZONES)),
                1 => zone(random.below(ZONES)) | one_node(random),
                2 if fault == FaultKind::PowerCut => ALL_NODES,
                2 => one_node(random) | one_node(random),
                _ => one_node(random),
            }
        }
        FaultKind::Diverge => some_nodes(random),
        FaultKind::OneWay
        | FaultKind::SlowDisk
        | FaultKind::DiskError
        | FaultKind::DiskFull
        | FaultKind::BitFlip
        | FaultKind::Wipe => one_node(random),
        FaultKind::KillWriter
        | FaultKind::PauseWriter
        | FaultKind::Usurp
        | FaultKind::IsolateWriter
        | FaultKind::Ring
        | FaultKind::Lose
        | FaultKind::Double
        | FaultKind::SlowNetwork => 0,
    }
}

pub(super) fn degree_of(fault: FaultKind, random: &mut Random) -> u64 {
    match fault {
        FaultKind::Lose | FaultKind::Double => random.between(MILLION / 100, MILLION / 4),
        FaultKind::SlowNetwork => random.between(2, 20),
        FaultKind::SlowDisk => random.between(5, 100),
        FaultKind::OneWay => random.between(0, 1),
        FaultKind::Usurp => [0, 0, 3, 10, 30, 100][random.below(6)],
        FaultKind::Diverge => some_nodes(random).into(),
        FaultKind::KillNode
        | FaultKind::PowerCut
        | FaultKind::PauseNode
        | FaultKind::KillWriter
        | FaultKind::PauseWriter
        | FaultKind::Isolate
        | FaultKind::IsolateWriter
        | FaultKind::Ring
        | FaultKind::DiskError
        | FaultKind::DiskFull
        | FaultKind::BitFlip
        | FaultKind::Wipe => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_draws_the_same_plan_and_seeds_draw_different_mixes() {
        let drawn = |seed| Plan::drawn(seed, 10, 4000, &FaultKind::ALL);
        assert_eq!(drawn(7), drawn(7));
        let kinds = |seed| drawn(seed).windows.iter().map(|w| w.fault).collect::<std::collections::BTreeSet<_>>();
        let mixes: std::collections::BTreeSet<_> = (0..100).map(kinds).collect();
        assert!(mixes.len() > 90, "{} mixes", mixes.len());
        let all: std::collections::BTreeSet<_> = (0..100).flat_map(kinds).collect();
        assert_eq!(all.len(), FaultKind::ALL.len());
        for seed in 0..1000 {
            let lost = drawn(seed).windows.iter().filter(|w| w.fault.is_for_ever()).count();
            assert!(lost <= FOR_EVER_MAX);
        }
    }

    #[test]
    fn names_are_read_back() {
        for kind in FaultKind::ALL {
            assert_eq!(kind.name().parse(), Ok(kind));
        }
        assert!("kill".parse::<FaultKind>().is_err());
    }
}
