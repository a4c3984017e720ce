//! The closed world of a volume: two protection groups, writers that write mini-transactions across them, recoveries, and a
//! group that is added while the volume is in use.
//!
//! What the core explores about one group is left out here: gossip, crashes, late fences, reads. What is in: records of both groups
//! on one volume chain, holes, VCL and VDL, the longest gap-free prefix, idle groups, the allocation limit, geometry.
//!
//! What a writer will write is fixed in the bounds: a list of records, each with its group, some of which end a
//! mini-transaction. Records are numbered in that order: first those of the first writer, then those of the second, and so on.
//! Messages are not stored: a write can reach any segment at any time, and is acknowledged at once. An older writer never stops.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::rules::VolumeRules;
use crate::area::{admissible_quorums, at_most, sources_by};
use crate::bounds::Switch;
use crate::fields::Few;
use crate::records::Records;
use crate::{packed_enum, packed_struct};

/// Records of all writers, groups, copies of a group, volume epochs.
pub const RECORDS: usize = 6;
pub const GROUPS: usize = 2;
pub const COPIES: usize = 6;
pub const EPOCHS: usize = 3;

/// The greatest LSN that a packed state holds.
pub const LSN_MAX: u8 = 31;

/// One record that a writer will write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Planned {
    /// 0 or 1.
    pub group: u8,
    /// Whether it ends its mini-transaction, so that it is a consistency point (CPL).
    pub ends: Switch,
    /// Whether it is a commit record, so that a client waits for it.
    pub commits: Switch,
}

/// Where a mini-transaction goes; the last record ends it and commits.
const fn inner(group: u8) -> Planned {
    Planned { group, ends: Switch::Off, commits: Switch::Off }
}

const fn last(group: u8) -> Planned {
    Planned { group, ends: Switch::On, commits: Switch::On }
}

/// How large the world is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bounds {
    /// Copies of a group, at most six, and the sizes of its write and read quorums.
    pub copies: u8,
    pub write: u8,
    pub read: u8,
    /// What writers will write, one after the other.
    pub plan: [Option<Planned>; RECORDS],
    /// How many of these each epoch writes.
    pub shares: [u8; EPOCHS],
    /// Groups that there are from the start.
    pub groups: u8,
    pub recoveries: u8,
    /// LSN allocation limit (LAL).
    pub lal: u8,
    pub symmetry: Switch,
}

/// Mini-transactions: one over both groups, one in a group of its own.
const ACROSS: [Option<Planned>; RECORDS] = [Some(inner(0)), Some(last(1)), Some(last(0)), None, None, None];

impl Bounds {
    /// One mini-transaction over both groups; who recovers writes one to the first.
    pub const ACROSS: Bounds = Bounds {
        copies: 6,
        write: 4,
        read: 3,
        plan: ACROSS,
        shares: [2, 1, 0],
        groups: 2,
        recoveries: 1,
        lal: 2,
        symmetry: Switch::On,
    };

    /// Four copies, three to write and two to read: as much as shows most, and far fewer states.
    #[must_use]
    pub const fn of_four(self) -> Bounds {
        Bounds { copies: 4, write: 3, read: 2, ..self }
    }

    /// Three copies, two to write and two to read, as in the seed's table: small enough to be explored without symmetry.
    #[must_use]
    pub const fn of_three(self) -> Bounds {
        Bounds { copies: 3, write: 2, read: 2, ..self }
    }

    /// The group of each single-record mini-transaction that the first writer commits; who recovers writes none.
    #[must_use]
    pub const fn committing(self, groups: &[u8]) -> Bounds {
        let mut plan = [None; RECORDS];
        let mut at = 0;
        while at < groups.len() {
            plan[at] = Some(last(groups[at]));
            at += 1;
        }
        Bounds { plan, shares: [groups.len() as u8, 0, 0], ..self }
    }

    /// A mini-transaction of two records of the first group, of which the first is the commit record.
    #[must_use]
    pub const fn committing_midway(self) -> Bounds {
        let commit = Planned { group: 0, ends: Switch::Off, commits: Switch::On };
        let end = Planned { group: 0, ends: Switch::On, commits: Switch::Off };
        Bounds { plan: [Some(commit), Some(end), None, None, None, None], shares: [2, 0, 0], ..self }
    }

    /// The last record is that of a new writer.
    #[must_use]
    pub const fn sharing(self, shares: [u8; EPOCHS]) -> Bounds {
        Bounds { shares, ..self }
    }

    /// The second group is added by the writer that needs it.
    #[must_use]
    pub const fn growing(self) -> Bounds {
        Bounds { groups: 1, ..self }
    }

    #[must_use]
    pub const fn recovering(self, recoveries: u8) -> Bounds {
        Bounds { recoveries, ..self }
    }

    #[must_use]
    pub const fn with_lal(self, lal: u8) -> Bounds {
        Bounds { lal, ..self }
    }

    /// Segments that are interchangeable, numbered group by group.
    #[must_use]
    pub fn classes(&self) -> Vec<Vec<usize>> {
        (0..GROUPS).map(|group| (group * COPIES..group * COPIES + usize::from(self.copies)).collect()).collect()
    }

    /// Whether a state can hold what is asked for.
    ///
    /// # Errors
    /// What is too much or too little.
    pub fn admissible(&self) -> Result<(), String> {
        admissible_quorums(self.copies, self.write, self.read, COPIES)?;
        let planned = self.plan.iter().flatten().count();
        if self.plan.iter().skip(planned).any(Option::is_some) {
            return Err("the plan has a gap".into());
        }
        let shared: usize = self.shares.iter().map(|&share| usize::from(share)).sum();
        at_most("records shared out", shared, planned)?;
        let groups = self.plan.iter().flatten().map(|planned| usize::from(planned.group) + 1);
        at_most("groups", groups.max().unwrap_or(0).max(self.groups.into()), GROUPS)?;
        if self.groups == 0 {
            return Err("no group".into());
        }
        at_most("recoveries", self.recoveries.into(), EPOCHS - 1)?;
        // A range ends at most LAL above what was found, and the next writer's records lie behind it.
        let lsns = (usize::from(self.recoveries) + 1) * usize::from(self.lal) + planned;
        at_most("LSNs", lsns, usize::from(LSN_MAX))
    }

    #[must_use]
    pub const fn unreduced(self) -> Bounds {
        Bounds { symmetry: Switch::Off, ..self }
    }

    /// The records of an epoch, from 1: their numbers.
    #[must_use]
    pub fn share(&self, epoch: u8) -> std::ops::Range<usize> {
        let place = usize::from(epoch) - 1;
        let from: u8 = self.shares[..place].iter().sum();
        usize::from(from)..usize::from(from + self.shares[place])
    }

    /// A record of the plan.
    #[must_use]
    pub fn planned(&self, record: usize) -> Planned {
        self.plan[record].unwrap_or_else(|| panic!("the plan has no record {record}"))
    }
}

impl fmt::Display for Bounds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}, {} rcv, LAL {},", self.copies, self.write, self.read, self.recoveries, self.lal)?;
        for epoch in (1..=EPOCHS as u8).filter(|&epoch| !self.share(epoch).is_empty()) {
            write!(f, " e{epoch}:")?;
            for record in self.share(epoch) {
                let planned = self.planned(record);
                let commit = if planned.commits.is_on() { "c" } else { "" };
                let end = if planned.ends.is_on() { ";" } else { "," };
                write!(f, " g{}{commit}{end}", planned.group + 1)?;
            }
        }
        if usize::from(self.groups) < GROUPS {
            f.write_str(" growing")?;
        }
        if self.symmetry.is_on() { Ok(()) } else { f.write_str(" unreduced") }
    }
}

/// What happens next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Action {
    /// Another instance takes the next volume epoch and reads the geometry (R0).
    Recover,
    /// FENCE_READ reaches a segment and is answered (R1).
    FenceRead { epoch: u8, group: u8, copy: u8 },
    /// The recovery decides where the log ends (R2).
    Decide { epoch: u8 },
    /// TRUNC, with what is kept, reaches a segment (R3).
    Truncate { epoch: u8, group: u8, copy: u8 },
    /// A writer allocates the LSNs of its next mini-transaction.
    Allocate { epoch: u8 },
    /// A write reaches a segment, which acknowledges it.
    Write { epoch: u8, group: u8, record: u8, copy: u8 },
    /// A writer has the second group created.
    Create { epoch: u8 },
    /// A writer has it recorded in the geometry.
    Grow { epoch: u8 },
}

impl Action {
    /// The same action on renamed segments: `i` becomes `names[i]`.
    #[must_use]
    pub fn renamed(self, names: &[usize]) -> Action {
        let renamed = |group: u8, copy: u8| (names[usize::from(group) * COPIES + usize::from(copy)] % COPIES) as u8;
        match self {
            Action::FenceRead { epoch, group, copy } => Action::FenceRead { epoch, group, copy: renamed(group, copy) },
            Action::Truncate { epoch, group, copy } => Action::Truncate { epoch, group, copy: renamed(group, copy) },
            Action::Write { epoch, group, record, copy } => {
                Action::Write { epoch, group, record, copy: renamed(group, copy) }
            }
            Action::Recover
            | Action::Decide { .. }
            | Action::Allocate { .. }
            | Action::Create { .. }
            | Action::Grow { .. } => self,
        }
    }
}

/// A record that was allocated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Record {
    /// 0 while it is not allocated.
    pub lsn: u8,
    /// Number of the record before it in its writer's volume chain, from 1; 0 if it is the first.
    pub previous: u8,
}

/// A segment. All of it is durable.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Node {
    /// Volume epochs; 0 while it does not exist.
    pub fenced: u8,
    pub truncated: u8,
    pub held: Records,
    /// Records that it acknowledged to their writer: what the writer knows of it.
    pub took: Records,
}

/// Where a database instance stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Phase {
    #[default]
    Absent,
    Reading,
    Installing,
    Open,
}

/// A database instance, one an epoch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Instance {
    pub phase: Phase,
    /// How many groups it knows.
    pub groups: u8,
    /// The epoch whose ranges it goes on with; 0 for none.
    pub parent: u8,
    /// Its own truncation range.
    pub lo: u8,
    pub hi: u8,
    /// What it keeps of older epochs.
    pub kept: Records,
    /// How many records it has allocated.
    pub allocated: u8,
}

/// A state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct World {
    pub records: [Record; RECORDS],
    pub groups: [[Node; COPIES]; GROUPS],
    pub instances: [Instance; EPOCHS],
    /// How many groups the metadata service knows.
    pub geometry: u8,
    /// Records that became durable for their writer after a newer epoch had opened without them.
    pub late: Records,
}

packed_enum!(Phase { Absent, Reading, Installing, Open });
packed_struct!(Record { lsn as 5, previous as 3 });
packed_struct!(Node { fenced as 2, truncated as 2, held as 6, took as 6 });
packed_struct!(Instance { phase, groups as 2, parent as 2, lo as 5, hi as 5, kept as 6, allocated as 3 });
packed_struct!(World { records, groups, instances, geometry as 2, late as 6 });

/// Records in chain order.
pub type Chain = Few<u8, RECORDS>;

impl World {
    #[must_use]
    pub fn created(bounds: &Bounds) -> World {
        let node = |group: usize, copy: usize| {
            let exists = group < usize::from(bounds.groups) && copy < usize::from(bounds.copies);
            Node { fenced: exists.into(), truncated: exists.into(), ..Node::default() }
        };
        let first = Instance { phase: Phase::Open, groups: bounds.groups, ..Instance::default() };
        World {
            records: [Record::default(); RECORDS],
            groups: std::array::from_fn(|group| std::array::from_fn(|copy| node(group, copy))),
            instances: [first, Instance::default(), Instance::default()],
            geometry: bounds.groups,
            late: Records::default(),
        }
    }

    /// The newest volume epoch that the metadata service has given out.
    #[must_use]
    pub fn newest(&self) -> u8 {
        self.instances.iter().filter(|instance| instance.phase != Phase::Absent).count() as u8
    }

    #[must_use]
    pub fn instance(&self, epoch: u8) -> &Instance {
        &self.instances[usize::from(epoch) - 1]
    }

    fn instance_mut(&mut self, epoch: u8) -> &mut Instance {
        &mut self.instances[usize::from(epoch) - 1]
    }

    // --- chains ------------------------------------------------------------------------------------------------------

    /// Whether the ranges of `epoch` annul a record.
    #[must_use]
    pub fn annuls(&self, epoch: u8, record: usize) -> bool {
        let lsn = self.records[record].lsn;
        let mut at = epoch;
        while at > 1 {
            let instance = self.instance(at);
            if instance.lo <= lsn && lsn <= instance.hi {
                return true;
            }
            at = instance.parent;
        }
        false
    }

    /// The end of the last range in the list of `epoch`.
    fn range_end(&self, epoch: u8) -> u8 {
        if epoch > 1 { self.instance(epoch).hi.max(self.range_end(self.instance(epoch).parent)) } else { 0 }
    }

    /// The record before `record` in the chain of its group, from 1; 0 if it is the first.
    fn previous_of_group(&self, bounds: &Bounds, record: usize) -> u8 {
        let group = bounds.planned(record).group;
        let mut at = self.records[record].previous;
        while at != 0 && bounds.planned(usize::from(at) - 1).group != group {
            at = self.records[usize::from(at) - 1].previous;
        }
        at
    }

    /// The longest chain in `held` that `link` joins without a gap, from its first record.
    fn linked(held: Records, link: impl Fn(usize) -> u8) -> Chain {
        let mut chain = Chain::default();
        let mut last = 0;
        while let Some(next) = held.iter().find(|&record| link(record) == last) {
            chain.push(next as u8);
            last = next as u8 + 1;
        }
        chain
    }

    /// What a segment holds without a gap, of what the ranges of `epoch` leave.
    fn segment_chain(&self, bounds: &Bounds, node: &Node, epoch: u8) -> Chain {
        let live: Records = node.held.iter().filter(|&record| !self.annuls(epoch, record)).collect();
        Self::linked(live, |record| self.previous_of_group(bounds, record))
    }

    fn last_lsn(&self, chain: &Chain) -> u8 {
        chain.last().map_or(0, |&record| self.records[usize::from(record)].lsn)
    }

    // --- what a writer knows -------------------------------------------------------------------------------------------

    /// The records that a writer has allocated, in order.
    pub fn own(&self, bounds: &Bounds, epoch: u8) -> std::ops::Range<usize> {
        let share = bounds.share(epoch);
        share.start..share.start + usize::from(self.instance(epoch).allocated)
    }

    /// Whether a write quorum of its group has acknowledged a record and every record of its writer before it in the group.
    #[must_use]
    pub fn is_quorate(&self, bounds: &Bounds, epoch: u8, record: usize) -> bool {
        let group = bounds.planned(record).group;
        let before: Records =
            self.own(bounds, epoch).filter(|&own| own <= record && bounds.planned(own).group == group).collect();
        let complete = |node: &&Node| before.is_subset_of(node.took);
        self.groups[usize::from(group)].iter().filter(complete).count() >= usize::from(bounds.write)
    }

    /// Volume complete: how many of its own records, from the first.
    #[must_use]
    pub fn complete(&self, rules: &VolumeRules, bounds: &Bounds, epoch: u8) -> usize {
        let own = self.own(bounds, epoch);
        let pgcls: Few<u8, GROUPS> = (0..self.instance(epoch).groups)
            .map(|group| {
                let of_group = |record: &usize| bounds.planned(*record).group == group;
                let kept = self.instance(epoch).kept.iter().filter(of_group);
                let quorate = own.clone().filter(of_group).take_while(|&record| self.is_quorate(bounds, epoch, record));
                kept.chain(quorate).map(|record| self.records[record].lsn).max().unwrap_or(0)
            })
            .collect();
        match rules.complete_up_to(&pgcls) {
            None => own.take_while(|&record| self.is_quorate(bounds, epoch, record)).count(),
            Some(lsn) => own.filter(|&record| self.records[record].lsn <= lsn).count(),
        }
    }

    /// Volume durable: how many of its own records.
    #[must_use]
    pub fn durable(&self, rules: &VolumeRules, bounds: &Bounds, epoch: u8) -> usize {
        let complete = self.complete(rules, bounds, epoch);
        if rules.everything_complete_is_durable() {
            return complete;
        }
        let own = self.own(bounds, epoch);
        (1..=complete).rev().find(|n| bounds.planned(own.start + n - 1).ends.is_on()).unwrap_or(0)
    }

    /// The VDL: the LSN of the last durable record.
    #[must_use]
    pub fn vdl(&self, rules: &VolumeRules, bounds: &Bounds, epoch: u8) -> u8 {
        let own = self.own(bounds, epoch);
        match self.durable(rules, bounds, epoch) {
            0 => self.instance(epoch).kept.iter().map(|record| self.records[record].lsn).max().unwrap_or(0),
            durable => self.records[own.start + durable - 1].lsn,
        }
    }

    /// The commits of an epoch that were acknowledged to their clients.
    #[must_use]
    pub fn acknowledged(&self, rules: &VolumeRules, bounds: &Bounds, epoch: u8) -> Records {
        let (complete, durable) = (self.complete(rules, bounds, epoch), self.durable(rules, bounds, epoch));
        let within = self.own(bounds, epoch).take(rules.acknowledged_in(complete, durable));
        within.filter(|&record| bounds.planned(record).commits.is_on()).collect()
    }

    /// What is in the volume for a writer: kept and own records, in the order of the volume chain.
    #[must_use]
    pub fn volume(&self, bounds: &Bounds, epoch: u8) -> Chain {
        let kept = self.instance(epoch).kept.iter();
        kept.chain(self.own(bounds, epoch)).map(|record| record as u8).collect()
    }

    /// Whether a segment serves reads of its group at the VDL of `epoch`.
    #[must_use]
    pub fn answers(&self, rules: &VolumeRules, bounds: &Bounds, epoch: u8, group: usize, node: &Node) -> bool {
        let vdl = self.vdl(rules, bounds, epoch);
        let volume = self.volume(bounds, epoch);
        let of_group = volume.iter().map(|&record| usize::from(record));
        let of_group = of_group.filter(|&record| usize::from(bounds.planned(record).group) == group);
        let floor = of_group.map(|record| self.records[record].lsn).filter(|&lsn| lsn <= vdl).max().unwrap_or(0);
        let scl = self.last_lsn(&self.segment_chain(bounds, node, epoch));
        node.serves(epoch) && rules.answers(scl, floor, vdl)
    }

    // --- symmetry ----------------------------------------------------------------------------------------------------

    /// The copies of each group in order.
    #[must_use]
    pub fn canonical(mut self, bounds: &Bounds) -> World {
        for group in &mut self.groups {
            group[..usize::from(bounds.copies)].sort_unstable();
        }
        self
    }

    /// Segments are numbered group by group. Where those of the canonical world come from.
    #[must_use]
    pub fn sources(&self, bounds: &Bounds) -> Vec<usize> {
        sources_by(&bounds.classes(), GROUPS * COPIES, |place| self.groups[place / COPIES][place % COPIES])
    }

    #[must_use]
    pub fn permuted(&self, sources: &[usize]) -> World {
        let node = |place: usize| self.groups[place / COPIES][place % COPIES];
        let groups = std::array::from_fn(|g| std::array::from_fn(|copy| node(sources[g * COPIES + copy])));
        World { groups, ..*self }
    }

    // --- steps -------------------------------------------------------------------------------------------------------

    /// Everything that could happen; [`World::after`] tells what does. Of segments that are in the same state one is named where
    /// symmetry reduces.
    pub fn candidates(&self, bounds: &Bounds, mut take: impl FnMut(Action)) {
        if self.newest() <= bounds.recoveries {
            take(Action::Recover);
        }
        let copies = |group: usize| {
            (0..bounds.copies).filter(move |&copy| {
                let nodes = &self.groups[group];
                let copy = usize::from(copy);
                bounds.symmetry == Switch::Off || copy == 0 || nodes[copy] != nodes[copy - 1]
            })
        };
        for epoch in 1..=self.newest() {
            let instance = self.instance(epoch);
            match instance.phase {
                Phase::Absent => {}
                Phase::Reading => {
                    for group in 0..instance.groups {
                        copies(group.into()).for_each(|copy| take(Action::FenceRead { epoch, group, copy }));
                    }
                    take(Action::Decide { epoch });
                }
                Phase::Installing | Phase::Open => {
                    if epoch > 1 {
                        for group in 0..instance.groups {
                            copies(group.into()).for_each(|copy| take(Action::Truncate { epoch, group, copy }));
                        }
                    }
                }
            }
            if instance.phase == Phase::Open {
                take(Action::Allocate { epoch });
                if usize::from(bounds.groups) < GROUPS {
                    take(Action::Create { epoch });
                    take(Action::Grow { epoch });
                }
                for record in self.own(bounds, epoch) {
                    let group = bounds.planned(record).group;
                    let write = |copy| Action::Write { epoch, group, record: record as u8, copy };
                    copies(group.into()).for_each(|copy| take(write(copy)));
                }
            }
        }
    }

    /// The state after `action`; none if it is not possible or changes nothing.
    #[must_use]
    pub fn after(&self, rules: &VolumeRules, bounds: &Bounds, action: Action) -> Option<World> {
        let mut next = *self;
        match action {
            Action::Recover => next.recover(bounds),
            Action::FenceRead { epoch, group, copy } => next.fence_read(epoch, group, copy),
            Action::Decide { epoch } => next.decide(rules, bounds, epoch),
            Action::Truncate { epoch, group, copy } => next.truncate(bounds, epoch, group, copy),
            Action::Allocate { epoch } => next.allocate(rules, bounds, epoch),
            Action::Write { epoch, record, copy, .. } => next.write(rules, bounds, epoch, record.into(), copy),
            Action::Create { epoch } => next.create(rules, bounds, epoch),
            Action::Grow { epoch } => next.grow(rules, bounds, epoch),
        }?;
        (next != *self).then_some(next)
    }

    fn recover(&mut self, bounds: &Bounds) -> Option<()> {
        let newest = self.newest();
        if newest > bounds.recoveries {
            return None;
        }
        let groups = self.geometry;
        *self.instance_mut(newest + 1) = Instance { phase: Phase::Reading, groups, ..Instance::default() };
        Some(())
    }

    fn fence_read(&mut self, epoch: u8, group: u8, copy: u8) -> Option<()> {
        let instance = self.instance(epoch);
        let asked = instance.phase == Phase::Reading && group < instance.groups;
        let node = &mut self.groups[usize::from(group)][usize::from(copy)];
        if !asked || node.fenced == 0 || node.fenced >= epoch {
            return None;
        }
        node.fenced = epoch;
        Some(())
    }

    /// R2. What answered is what is fenced at this epoch and no later one.
    fn decide(&mut self, rules: &VolumeRules, bounds: &Bounds, epoch: u8) -> Option<()> {
        let instance = *self.instance(epoch);
        let known = &self.groups[..usize::from(instance.groups)];
        let answered = |nodes: &[Node; COPIES]| nodes.iter().filter(|node| node.fenced == epoch).count();
        if instance.phase != Phase::Reading || known.iter().any(|nodes| answered(nodes) < usize::from(bounds.read)) {
            return None;
        }
        let responders = || known.iter().flatten().filter(|node| node.fenced == epoch);
        let parent = responders().map(|node| node.truncated).max().unwrap_or(0);
        let ranges_end = responders().map(|node| self.range_end(node.truncated)).max().unwrap_or(0);
        let chains: Few<Chain, GROUPS> = known
            .iter()
            .map(|nodes| {
                let chains = nodes.iter().filter(|node| node.fenced == epoch);
                let chains = chains.map(|node| self.segment_chain(bounds, node, parent));
                chains.max_by_key(|chain| self.last_lsn(chain)).unwrap_or_default()
            })
            .collect();
        let found: Records = chains.iter().flat_map(|chain| chain.iter().map(|&record| usize::from(record))).collect();
        let pgcls: Few<u8, GROUPS> = chains.iter().map(|chain| self.last_lsn(chain)).collect();
        let complete: Records = match rules.recovered_up_to(&pgcls) {
            None => Self::linked(found, |record| self.records[record].previous).iter().map(|&r| r.into()).collect(),
            Some(lsn) => found.iter().filter(|&record| self.records[record].lsn <= lsn).collect(),
        };
        let cpl = complete.iter().filter(|&record| bounds.planned(record).ends.is_on() || rules.cuts_at_vcl()).max();
        let kept: Records = complete.iter().filter(|&record| Some(record) <= cpl).collect();
        let vdl = kept.iter().map(|record| self.records[record].lsn).max().unwrap_or(0);
        *self.instance_mut(epoch) = Instance {
            phase: Phase::Installing,
            parent,
            lo: vdl + 1,
            hi: vdl.max(ranges_end) + bounds.lal,
            kept,
            ..instance
        };
        Some(())
    }

    /// R3, and R4 as soon as it can be.
    fn truncate(&mut self, bounds: &Bounds, epoch: u8, group: u8, copy: u8) -> Option<()> {
        let instance = *self.instance(epoch);
        let decided = epoch > 1 && matches!(instance.phase, Phase::Installing | Phase::Open);
        let place = usize::from(group);
        let node = self.groups[place][usize::from(copy)];
        if !decided || group >= instance.groups || node.fenced == 0 || node.fenced > epoch || node.truncated == epoch {
            return None;
        }
        let left = node.held.iter().filter(|&record| !self.annuls(epoch, record));
        let written_back = instance.kept.iter().filter(|&record| bounds.planned(record).group == group);
        let held = left.chain(written_back).collect();
        self.groups[place][usize::from(copy)] = Node { fenced: epoch, truncated: epoch, held, ..node };
        let installed = |nodes: &[Node; COPIES]| nodes.iter().filter(|node| node.serves(epoch)).count();
        let known = &self.groups[..usize::from(instance.groups)];
        if known.iter().all(|nodes| installed(nodes) >= usize::from(bounds.write)) {
            self.instance_mut(epoch).phase = Phase::Open;
        }
        Some(())
    }

    fn allocate(&mut self, rules: &VolumeRules, bounds: &Bounds, epoch: u8) -> Option<()> {
        let instance = *self.instance(epoch);
        let share = bounds.share(epoch);
        let from = share.start + usize::from(instance.allocated);
        let to = (from..share.end).find(|&record| bounds.planned(record).ends.is_on())?;
        let batch = from..=to;
        let in_known_groups = batch.clone().all(|record| bounds.planned(record).group < instance.groups);
        let volume = self.volume(bounds, epoch);
        let last = volume.last().copied();
        let lsn = last.map_or(0, |record| self.records[usize::from(record)].lsn).max(instance.hi) + 1;
        let size = batch.clone().count() as u8;
        let limit = rules.limit_above(self.vdl(rules, bounds, epoch), self.range_end(epoch)) + bounds.lal;
        if instance.phase != Phase::Open || !in_known_groups || lsn + size - 1 > limit {
            return None;
        }
        let mut previous = last.map_or(0, |record| record + 1);
        for (offset, record) in batch.enumerate() {
            self.records[record] = Record { lsn: lsn + offset as u8, previous };
            previous = record as u8 + 1;
        }
        self.instance_mut(epoch).allocated += size;
        Some(())
    }

    fn write(&mut self, rules: &VolumeRules, bounds: &Bounds, epoch: u8, record: usize, copy: u8) -> Option<()> {
        let group = usize::from(bounds.planned(record).group);
        let own = self.own(bounds, epoch);
        let open = self.instance(epoch).phase == Phase::Open && own.contains(&record);
        if !open || !self.groups[group][usize::from(copy)].serves(epoch) {
            return None;
        }
        let before = self.durable(rules, bounds, epoch);
        let node = &mut self.groups[group][usize::from(copy)];
        node.held = node.held.with(record);
        node.took = node.took.with(record);
        for now_durable in own.start + before..own.start + self.durable(rules, bounds, epoch) {
            let left_out = |newer: u8| {
                let instance = self.instance(newer);
                instance.phase == Phase::Open && !instance.kept.contains(now_durable)
            };
            if (epoch + 1..=self.newest()).any(left_out) {
                self.late = self.late.with(now_durable);
            }
        }
        Some(())
    }

    /// The segments of the second group exist, fenced at the epoch of who asked for them. If the group must be recorded first,
    /// that is one step with [`Action::Grow`].
    fn create(&mut self, rules: &VolumeRules, bounds: &Bounds, epoch: u8) -> Option<()> {
        if rules.records_group_first() {
            return None;
        }
        self.add_segments(bounds, epoch)
    }

    fn add_segments(&mut self, bounds: &Bounds, epoch: u8) -> Option<()> {
        let exists = self.groups[1][0].fenced != 0;
        if self.instance(epoch).phase != Phase::Open || exists {
            return None;
        }
        for node in &mut self.groups[1][..usize::from(bounds.copies)] {
            *node = Node { fenced: epoch, truncated: epoch, ..Node::default() };
        }
        self.instance_mut(epoch).groups = GROUPS as u8;
        Some(())
    }

    fn grow(&mut self, rules: &VolumeRules, bounds: &Bounds, epoch: u8) -> Option<()> {
        if usize::from(self.geometry) == GROUPS || !rules.takes_change_of(epoch, self.newest()) {
            return None;
        }
        if rules.records_group_first() {
            self.add_segments(bounds, epoch)?;
        } else if usize::from(self.instance(epoch).groups) < GROUPS {
            return None;
        }
        self.geometry = GROUPS as u8;
        Some(())
    }
}

impl Node {
    /// A segment serves a request that names its volume epoch, and no other (protocol §2).
    #[must_use]
    pub fn serves(&self, epoch: u8) -> bool {
        self.fenced == epoch && self.truncated == epoch
    }
}
