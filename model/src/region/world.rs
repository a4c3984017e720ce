//! The closed world of regions: a primary that writes mini-transactions, one or two secondaries, a control plane that promotes,
//! switches over, or does nothing.
//!
//! Copies, quorums and recovery within a region are the matter of the core: here a region's log is durable up to its VDL, and a
//! failover within the region keeps just that. The stream is monotone: what an epoch has shipped stays deliverable for ever, to
//! anybody, which contains loss, delay, repetition and reordering; a new connection resends what is missing. An old primary that was
//! replaced writes on until it hears of it. The global record is one compare-and-set register: the newest epoch, and for each where
//! its log began, which is what a region needs to follow it, whoever is down.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::log::{Log, RECORDS};
use super::rules::RegionRules;
use crate::area::{at_most, sources_by};
use crate::bounds::Switch;
use crate::{packed_enum, packed_struct};

pub const REGIONS: usize = 3;
pub const EPOCHS: usize = 4;

/// How large the world is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bounds {
    /// Two or three: a primary, and secondaries.
    pub regions: u8,
    /// The sizes of the mini-transactions that the first primary writes; 0 is none.
    pub first: [u8; 3],
    /// Those of every later epoch.
    pub later: [u8; 3],
    /// How often the epoch changes.
    pub changes: u8,
    /// Whether it changes by a failover within the primary region, too.
    pub failover: Switch,
    /// Whether it changes by a planned switchover, too.
    pub planned: Switch,
    /// By how many records a commit may be ahead of what some secondary has reported; none: reports do not matter.
    pub rpo: Option<u8>,
    pub symmetry: Switch,
}

impl Bounds {
    /// A primary that writes mini-transactions of these sizes, later ones write one record each; unplanned promotions.
    #[must_use]
    pub const fn of(regions: u8, first: [u8; 3], changes: u8) -> Bounds {
        Bounds {
            regions,
            first,
            later: [1, 0, 0],
            changes,
            failover: Switch::Off,
            planned: Switch::Off,
            rpo: None,
            symmetry: Switch::On,
        }
    }

    #[must_use]
    pub const fn with_failover(self) -> Bounds {
        Bounds { failover: Switch::On, ..self }
    }

    #[must_use]
    pub const fn planned(self) -> Bounds {
        Bounds { planned: Switch::On, ..self }
    }

    #[must_use]
    pub const fn rpo(self, records: u8) -> Bounds {
        Bounds { rpo: Some(records), ..self }
    }

    /// The sizes of what an epoch writes.
    #[must_use]
    pub fn sizes(&self, epoch: u8) -> &[u8; 3] {
        if epoch == 1 { &self.first } else { &self.later }
    }

    /// Whether the record that an epoch writes as its `nth`, from 1, ends a mini-transaction.
    #[must_use]
    pub fn ends(&self, epoch: u8, nth: u8) -> bool {
        let mut end = 0;
        self.sizes(epoch).iter().any(|size| {
            end += size;
            *size > 0 && end == nth
        })
    }

    /// Any region can come to be what any other is.
    #[must_use]
    pub fn classes(&self) -> Vec<Vec<usize>> {
        vec![(0..usize::from(self.regions)).collect()]
    }

    /// Whether a state can hold what is asked for.
    ///
    /// # Errors
    /// What is too much or too little.
    pub fn admissible(&self) -> Result<(), String> {
        if self.regions < 2 {
            return Err(format!("{} regions: there can be 2 or {REGIONS}", self.regions));
        }
        at_most("regions", self.regions.into(), REGIONS)?;
        at_most("changes of the epoch", self.changes.into(), EPOCHS - 1)?;
        let sum = |sizes: &[u8; 3]| sizes.iter().map(|size| usize::from(*size)).sum::<usize>();
        at_most("records", sum(&self.first) + usize::from(self.changes) * sum(&self.later), RECORDS)?;
        at_most("records of the RPO", self.rpo.unwrap_or(0).into(), RECORDS)
    }

    #[must_use]
    pub const fn unreduced(self) -> Bounds {
        Bounds { symmetry: Switch::Off, ..self }
    }
}

impl fmt::Display for Bounds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sizes =
            |sizes: &[u8; 3]| sizes.iter().filter(|size| **size > 0).map(u8::to_string).collect::<Vec<_>>().join("+");
        write!(f, "{} regions, {} rec, later {} rec", self.regions, sizes(&self.first), sizes(&self.later))?;
        write!(f, ", {} promotions", self.changes)?;
        for (_, name) in [(self.failover, "failovers"), (self.planned, "switchovers")].iter().filter(|(s, _)| s.is_on())
        {
            write!(f, " or {name}")?;
        }
        if let Some(rpo) = self.rpo {
            write!(f, ", RPO {rpo}")?;
        }
        if self.symmetry.is_on() { Ok(()) } else { f.write_str(", unreduced") }
    }
}

/// What happens next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Action {
    /// A primary allocates its next mini-transaction.
    Allocate { region: u8 },
    /// What it has allocated is durable on its own copies.
    Durable { region: u8 },
    /// A record of an epoch's stream reaches a region.
    Deliver { epoch: u8, lsn: u8, region: u8 },
    /// What a secondary has applied reaches the primary of an epoch.
    Report { region: u8, epoch: u8 },
    /// A region learns of a newer epoch, cuts its log to what they have in common, and follows it.
    Follow { region: u8, epoch: u8 },
    /// A secondary becomes the primary, whatever the old one does.
    Promote { region: u8 },
    /// The writer of the primary region is replaced within the region.
    Failover { region: u8 },
    /// The primary stops to write, for a switchover.
    Stop { region: u8 },
    /// A secondary becomes the primary in its stead.
    Switch { region: u8 },
    /// The switchover is given up: a stopped primary writes again.
    Resume { region: u8 },
}

impl Action {
    /// The same action on renamed regions: `i` becomes `names[i]`.
    #[must_use]
    pub fn renamed(self, names: &[usize]) -> Action {
        let named = |region: u8| names[usize::from(region)] as u8;
        match self {
            Action::Allocate { region } => Action::Allocate { region: named(region) },
            Action::Durable { region } => Action::Durable { region: named(region) },
            Action::Deliver { epoch, lsn, region } => Action::Deliver { epoch, lsn, region: named(region) },
            Action::Report { region, epoch } => Action::Report { region: named(region), epoch },
            Action::Follow { region, epoch } => Action::Follow { region: named(region), epoch },
            Action::Promote { region } => Action::Promote { region: named(region) },
            Action::Failover { region } => Action::Failover { region: named(region) },
            Action::Stop { region } => Action::Stop { region: named(region) },
            Action::Switch { region } => Action::Switch { region: named(region) },
            Action::Resume { region } => Action::Resume { region: named(region) },
        }
    }
}

/// What a region takes itself for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Role {
    #[default]
    Absent,
    Secondary,
    Primary,
    /// A primary that has stopped to write.
    Stopped,
}

/// A region. All of it is durable.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Region {
    pub role: Role,
    /// The epoch that it follows, or writes in.
    pub epoch: u8,
    pub log: Log,
    /// Up to where a secondary has applied; up to where a primary's log is durable.
    pub applied: u8,
}

/// How an epoch began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Opening {
    #[default]
    NotYet,
    Created,
    Promoted,
    Switched,
    /// A failover within the region.
    Failover,
}

/// What was true when an epoch began by a promotion, and what else cannot be seen any more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Ghost {
    /// Up to where the promoted region had whole mini-transactions without a gap.
    pub shipped: u8,
    /// How many records, up to the last commit that the epoch before had acknowledged by then, are not in its log.
    pub lost: u8,
    /// Whether no other secondary had applied more.
    pub furthest: bool,
}

/// An epoch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Epoch {
    pub opening: Opening,
    /// Its log when it began ends here: in the global record, with the log itself as a list of epochs.
    pub start: u8,
    /// All that its writer has in its log, or had: it only grows, and anything of it may still be on its way.
    pub log: Log,
    /// Up to where it is durable in the primary region.
    pub durable: u8,
    /// Up to where some secondary has reported.
    pub reported: u8,
    pub ghost: Ghost,
}

/// A state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct World {
    pub regions: [Region; REGIONS],
    /// Epochs 1 to 4.
    pub epochs: [Epoch; EPOCHS],
}

packed_enum!(Role { Absent, Secondary, Primary, Stopped });
packed_enum!(Opening { NotYet, Created, Promoted, Switched, Failover });
packed_struct!(Region { role, epoch as 3, log as 18, applied as 3 });
packed_struct!(Ghost { shipped as 3, lost as 3, furthest });
packed_struct!(Epoch { opening, start as 3, log as 18, durable as 3, reported as 3, ghost });
packed_struct!(World { regions, epochs });

impl World {
    /// Region 0 is the primary.
    #[must_use]
    pub fn created(bounds: &Bounds) -> World {
        let region = |place: usize| match place {
            0 => Region { role: Role::Primary, epoch: 1, ..Region::default() },
            _ if place < usize::from(bounds.regions) => Region { role: Role::Secondary, epoch: 1, ..Region::default() },
            _ => Region::default(),
        };
        let mut epochs = [Epoch::default(); EPOCHS];
        epochs[0].opening = Opening::Created;
        World { regions: std::array::from_fn(region), epochs }
    }

    #[must_use]
    pub fn regions(&self, bounds: &Bounds) -> &[Region] {
        &self.regions[..usize::from(bounds.regions)]
    }

    /// The newest epoch of the global record.
    #[must_use]
    pub fn newest(&self) -> u8 {
        self.epochs.iter().filter(|epoch| epoch.opening != Opening::NotYet).count() as u8
    }

    /// From 1.
    #[must_use]
    pub fn epoch(&self, epoch: u8) -> &Epoch {
        &self.epochs[usize::from(epoch) - 1]
    }

    fn epoch_mut(&mut self, epoch: u8) -> &mut Epoch {
        &mut self.epochs[usize::from(epoch) - 1]
    }

    /// Whether there is a record at `lsn` of a log, and it ends its mini-transaction.
    #[must_use]
    pub fn ends(&self, bounds: &Bounds, log: Log, lsn: u8) -> bool {
        log.at(lsn).is_some_and(|epoch| bounds.ends(epoch, lsn.saturating_sub(self.epoch(epoch).start)))
    }

    /// Up to where a log has whole mini-transactions without a gap.
    #[must_use]
    pub fn whole(&self, bounds: &Bounds, log: Log) -> u8 {
        (1..=log.gap_free()).rev().find(|&lsn| self.ends(bounds, log, lsn)).unwrap_or(0)
    }

    /// Up to where an epoch has acknowledged commits of its own to its clients; 0 if it has not.
    #[must_use]
    pub fn acknowledged(&self, rules: &RegionRules, bounds: &Bounds, epoch: u8) -> u8 {
        let Epoch { log, durable, reported, start, .. } = *self.epoch(epoch);
        let commits = (start + 1..=durable).rev().filter(|&lsn| self.ends(bounds, log, lsn));
        commits.into_iter().find(|&lsn| rules.may_acknowledge(lsn, reported, bounds.rpo)).unwrap_or(0)
    }

    /// The region that writes in an epoch, or has stopped to.
    #[must_use]
    pub fn writer(&self, epoch: u8) -> Option<usize> {
        let writes = |region: &Region| matches!(region.role, Role::Primary | Role::Stopped) && region.epoch == epoch;
        self.regions.iter().position(writes)
    }

    // --- symmetry ----------------------------------------------------------------------------------------------------

    #[must_use]
    pub fn canonical(mut self, bounds: &Bounds) -> World {
        self.regions[..usize::from(bounds.regions)].sort_unstable();
        self
    }

    #[must_use]
    pub fn sources(&self, bounds: &Bounds) -> Vec<usize> {
        sources_by(&bounds.classes(), REGIONS, |place| self.regions[place])
    }

    #[must_use]
    pub fn permuted(&self, sources: &[usize]) -> World {
        World { regions: std::array::from_fn(|to| self.regions[sources[to]]), ..*self }
    }

    // --- steps -------------------------------------------------------------------------------------------------------

    /// Everything that could happen; [`World::after`] tells what does.
    pub fn candidates(&self, bounds: &Bounds, mut take: impl FnMut(Action)) {
        let newest = self.newest();
        let may_change = newest <= bounds.changes;
        for region in 0..bounds.regions {
            let place = usize::from(region);
            if bounds.symmetry.is_on() && region > 0 && self.regions[place] == self.regions[place - 1] {
                continue;
            }
            take(Action::Allocate { region });
            take(Action::Durable { region });
            for epoch in 1..=newest {
                (1..=self.epoch(epoch).log.last()).for_each(|lsn| take(Action::Deliver { epoch, lsn, region }));
                if bounds.rpo.is_some() {
                    take(Action::Report { region, epoch });
                }
                take(Action::Follow { region, epoch });
            }
            if may_change {
                take(Action::Promote { region });
            }
            if may_change && bounds.failover.is_on() {
                take(Action::Failover { region });
            }
            if bounds.planned.is_on() {
                take(Action::Stop { region });
                take(Action::Resume { region });
                if may_change {
                    take(Action::Switch { region });
                }
            }
        }
    }

    /// The state after `action`; none if it is not possible or changes nothing.
    #[must_use]
    pub fn after(&self, rules: &RegionRules, bounds: &Bounds, action: Action) -> Option<World> {
        let mut next = *self;
        match action {
            Action::Allocate { region } => next.allocate(bounds, region.into()),
            Action::Durable { region } => next.durable(region.into()),
            Action::Deliver { epoch, lsn, region } => next.deliver(rules, bounds, epoch, lsn, region.into()),
            Action::Report { region, epoch } => next.report(rules, region.into(), epoch),
            Action::Follow { region, epoch } => next.follow(rules, bounds, region.into(), epoch),
            Action::Promote { region } => next.promote(rules, bounds, region.into()),
            Action::Failover { region } => next.failover(region.into()),
            Action::Stop { region } => next.stop(region.into()),
            Action::Switch { region } => next.switch(rules, bounds, region.into()),
            Action::Resume { region } => next.resume(rules, region.into()),
        }?;
        (next != *self).then_some(next)
    }

    fn allocate(&mut self, bounds: &Bounds, region: usize) -> Option<()> {
        let Region { role, epoch, .. } = self.regions[region];
        if role != Role::Primary {
            return None;
        }
        let own = *self.epoch(epoch);
        let mut written = own.log.last() - own.start;
        let size = *bounds.sizes(epoch).iter().find(|size| {
            let is_next = written == 0;
            written = written.saturating_sub(**size);
            is_next && **size > 0
        })?;
        let first = own.log.last() + 1;
        let log = (first..first + size).fold(own.log, |log, lsn| log.with(lsn, epoch));
        self.epoch_mut(epoch).log = log;
        // A log that an old stream has written into keeps what is there.
        let mine = &mut self.regions[region].log;
        *mine =
            (first..first + size).filter(|&lsn| mine.at(lsn).is_none()).fold(*mine, |log, lsn| log.with(lsn, epoch));
        Some(())
    }

    fn durable(&mut self, region: usize) -> Option<()> {
        let Region { role, epoch, .. } = self.regions[region];
        if !matches!(role, Role::Primary | Role::Stopped) {
            return None;
        }
        let own = self.epoch_mut(epoch);
        own.durable = own.log.last();
        self.regions[region].applied = own.durable;
        Some(())
    }

    fn deliver(&mut self, rules: &RegionRules, bounds: &Bounds, epoch: u8, lsn: u8, region: usize) -> Option<()> {
        let sent = *self.epoch(epoch);
        if lsn > rules.ships_upto(sent.durable, sent.log.last()) {
            return None;
        }
        let written_by = sent.log.at(lsn)?;
        let to = self.regions[region];
        let is_secondary = to.role == Role::Secondary;
        let taken = match epoch.cmp(&to.epoch) {
            std::cmp::Ordering::Less => rules.takes_older_streams(),
            std::cmp::Ordering::Equal => is_secondary,
            std::cmp::Ordering::Greater => is_secondary && rules.takes_newer_streams(),
        };
        if !taken || to.log.at(lsn).is_some() {
            return None;
        }
        let log = to.log.with(lsn, written_by);
        let applied = if is_secondary {
            to.applied.max(rules.applied(log, |lsn| self.ends(bounds, log, lsn)))
        } else {
            to.applied
        };
        self.regions[region] = Region { log, applied, epoch: to.epoch.max(epoch), ..to };
        Some(())
    }

    fn report(&mut self, rules: &RegionRules, region: usize, epoch: u8) -> Option<()> {
        let from = self.regions[region];
        self.writer(epoch)?;
        if from.role != Role::Secondary || !rules.counts_report(from.epoch, epoch) {
            return None;
        }
        let own = self.epoch_mut(epoch);
        own.reported = own.reported.max(from.applied);
        Some(())
    }

    fn follow(&mut self, rules: &RegionRules, bounds: &Bounds, region: usize, epoch: u8) -> Option<()> {
        let old = self.regions[region];
        if epoch <= old.epoch || (old.role != Role::Secondary && !rules.old_primary_follows()) {
            return None;
        }
        let Epoch { log, start, .. } = *self.epoch(epoch);
        let kept = rules.keeps(old.log, old.applied, log.upto(start));
        let log = if rules.keeps_unapplied() && kept == old.applied { old.log } else { old.log.upto(kept) };
        let applied = kept.max(rules.applied(log, |lsn| self.ends(bounds, log, lsn)));
        self.regions[region] = Region { role: Role::Secondary, epoch, log, applied };
        Some(())
    }

    fn promote(&mut self, rules: &RegionRules, bounds: &Bounds, region: usize) -> Option<()> {
        let Region { role, epoch, log, applied } = self.regions[region];
        let newest = self.newest();
        if role != Role::Secondary || newest > bounds.changes || !rules.may_be_promoted(epoch, newest) {
            return None;
        }
        let start = rules.promoted_at(log, applied, self.epoch(epoch).reported);
        let others = self.regions.iter().filter(|other| other.role == Role::Secondary && other.epoch == newest);
        let ghost = Ghost {
            shipped: self.whole(bounds, log),
            lost: self.acknowledged(rules, bounds, newest).saturating_sub(start),
            furthest: others.map(|other| other.applied).max().unwrap_or(0) <= applied,
        };
        self.open(region, Opening::Promoted, start, ghost);
        Some(())
    }

    /// The region takes the next epoch; its log ends at `start`.
    fn open(&mut self, region: usize, opening: Opening, start: u8, ghost: Ghost) {
        let epoch = self.newest() + 1;
        let log = self.regions[region].log.upto(start);
        self.regions[region] = Region { role: Role::Primary, epoch, log, applied: start };
        // Nobody has reported anything to it yet.
        *self.epoch_mut(epoch) = Epoch { opening, start, log, durable: start, reported: 0, ghost };
    }

    /// It asks the global record for an epoch, and a region that was replaced gets none.
    fn failover(&mut self, region: usize) -> Option<()> {
        let Region { role, epoch, .. } = self.regions[region];
        if role != Role::Primary || epoch != self.newest() {
            return None;
        }
        self.open(region, Opening::Failover, self.epoch(epoch).durable, Ghost::default());
        Some(())
    }

    /// The control plane asks the primary that the global record names; what that has begun is durable first.
    fn stop(&mut self, region: usize) -> Option<()> {
        let Region { role, epoch, .. } = self.regions[region];
        let own = self.epoch(epoch.max(1));
        if role != Role::Primary || epoch != self.newest() || own.durable != own.log.last() {
            return None;
        }
        self.regions[region].role = Role::Stopped;
        Some(())
    }

    fn switch(&mut self, rules: &RegionRules, bounds: &Bounds, region: usize) -> Option<()> {
        let Region { role, epoch, applied, .. } = self.regions[region];
        let newest = self.newest();
        let old = self.regions[self.writer(newest)?];
        let stopped = old.role == Role::Stopped || rules.hands_over_while_writing();
        let durable = self.epoch(newest).durable;
        let ready = epoch == newest && rules.may_take_over(applied, durable);
        if role != Role::Secondary || newest > bounds.changes || !stopped || !ready {
            return None;
        }
        self.open(region, Opening::Switched, applied, Ghost::default());
        Some(())
    }

    fn resume(&mut self, rules: &RegionRules, region: usize) -> Option<()> {
        let newest = self.newest();
        let stopped = &mut self.regions[region];
        if stopped.role != Role::Stopped || !rules.may_resume(stopped.epoch, newest) {
            return None;
        }
        stopped.role = Role::Primary;
        Some(())
    }
}
