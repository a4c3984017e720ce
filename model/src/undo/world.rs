//! The closed world of transactions: one row, a writer that changes it in transactions, and replicas that read it.
//!
//! The log is what everybody agrees on: a page is what its records make of it, and a version that was overwritten stays in the
//! undo of the transaction that overwrote it until a record purges it. The writer's read views and a replica's are LSNs. How the
//! log becomes durable and how a replica gets it is the matter of other areas: here VDL and stream advance record by record.
//!
//! Transactions have no names but the order in which they begin. A report of a replica arrives when it is sent: a later one
//! tells more, so one that is under way only lets the writer keep what it might have purged.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::rules::UndoRules;
use crate::area::{at_most, sources_by};
use crate::bounds::Switch;
use crate::fields::Few;
use crate::{packed_enum, packed_struct};

pub const TRANSACTIONS: usize = 3;
pub const REPLICAS: usize = 2;
/// Each transaction writes, ends, and is purged.
pub const RECORDS: usize = 3 * TRANSACTIONS;

/// How large the world is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bounds {
    pub transactions: u8,
    pub replicas: u8,
    /// How often another instance takes the volume, which loses what is not durable.
    pub failovers: u8,
    pub symmetry: Switch,
}

impl Bounds {
    #[must_use]
    pub const fn of(transactions: u8, replicas: u8, failovers: u8) -> Bounds {
        Bounds { transactions, replicas, failovers, symmetry: Switch::On }
    }

    /// Replicas are interchangeable.
    #[must_use]
    pub fn classes(&self) -> Vec<Vec<usize>> {
        vec![(0..usize::from(self.replicas)).collect()]
    }

    /// Whether a state can hold what is asked for.
    ///
    /// # Errors
    /// What is too much.
    pub fn admissible(&self) -> Result<(), String> {
        at_most("transactions", self.transactions.into(), TRANSACTIONS)?;
        at_most("replicas", self.replicas.into(), REPLICAS)?;
        at_most("failovers", self.failovers.into(), 3)
    }

    #[must_use]
    pub const fn unreduced(self) -> Bounds {
        Bounds { symmetry: Switch::Off, ..self }
    }
}

impl fmt::Display for Bounds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} txn, {} replicas, {} failovers", self.transactions, self.replicas, self.failovers)?;
        if self.symmetry.is_on() { Ok(()) } else { f.write_str(", unreduced") }
    }
}

/// What a record of the log does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// The row has a new version, the transaction's; the one before goes to its undo.
    #[default]
    Write,
    Commit,
    /// The row has again the version before the transaction's.
    Undo,
    /// The version before the transaction's is gone.
    Purge,
}

/// A record. Its LSN is its place in the log, from 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Record {
    pub kind: Kind,
    /// From 1; version 0 is what the row had before the first one.
    pub transaction: u8,
}

/// A read view: it sees what was committed at its LSN (S18 §3.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReadView {
    pub at: u8,
}

/// A replica, as far as reading goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Replica {
    /// The LSN up to which it has the log.
    pub applied: u8,
    pub view: Option<ReadView>,
    /// What the writer was told: nothing below is needed.
    pub told: u8,
}

/// One state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct World {
    pub log: Few<Record, RECORDS>,
    /// The VDL.
    pub durable: u8,
    /// That of the writer.
    pub view: Option<ReadView>,
    pub replicas: [Replica; REPLICAS],
    pub failovers: u8,
}

/// What happens next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Action {
    /// A transaction writes the row.
    Write {
        transaction: u8,
    },
    Commit {
        transaction: u8,
    },
    /// A transaction is undone: of its own accord, or because it was unfinished at a failover.
    Undo {
        transaction: u8,
    },
    /// The version before a committed one is purged.
    Purge {
        transaction: u8,
    },
    /// The VDL reaches the next record.
    Harden,
    /// The writer opens a read view.
    Look,
    /// And closes it.
    Leave,
    /// The stream's next record reaches a replica.
    Apply {
        replica: u8,
    },
    /// A replica opens a read view.
    Open {
        replica: u8,
    },
    /// And closes it.
    Close {
        replica: u8,
    },
    /// A replica tells the writer what it needs.
    Report {
        replica: u8,
    },
    /// Another instance takes the volume.
    Failover,
}

impl Action {
    /// The same action on renamed replicas: `i` becomes `names[i]`.
    #[must_use]
    pub fn renamed(self, names: &[usize]) -> Action {
        let renamed = |replica: u8| names[usize::from(replica)] as u8;
        match self {
            Action::Apply { replica } => Action::Apply { replica: renamed(replica) },
            Action::Open { replica } => Action::Open { replica: renamed(replica) },
            Action::Close { replica } => Action::Close { replica: renamed(replica) },
            Action::Report { replica } => Action::Report { replica: renamed(replica) },
            Action::Write { .. }
            | Action::Commit { .. }
            | Action::Undo { .. }
            | Action::Purge { .. }
            | Action::Harden
            | Action::Look
            | Action::Leave
            | Action::Failover => self,
        }
    }
}

/// The row on its page: versions from the newest to the oldest that is still there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    pub versions: Few<u8, { TRANSACTIONS + 1 }>,
}

packed_enum!(Kind { Write, Commit, Undo, Purge });
packed_struct!(Record { kind, transaction as 2 });
packed_struct!(ReadView { at as 4 });
packed_struct!(Replica { applied as 4, view, told as 4 });
packed_struct!(World { log, durable as 4, view, replicas, failovers as 2 });

impl World {
    /// An empty log.
    #[must_use]
    pub fn created(_: &Bounds) -> World {
        World::default()
    }

    #[must_use]
    pub fn replicas(&self, bounds: &Bounds) -> &[Replica] {
        &self.replicas[..usize::from(bounds.replicas)]
    }

    /// The LSN of a transaction's record of a kind; none if it has none.
    #[must_use]
    pub fn lsn_of(&self, kind: Kind, transaction: u8) -> Option<u8> {
        let place = self.log.iter().position(|record| *record == Record { kind, transaction })?;
        Some(place as u8 + 1)
    }

    /// Whether a transaction has written and not ended.
    #[must_use]
    pub fn is_unfinished(&self, transaction: u8) -> bool {
        let has = |kind| self.lsn_of(kind, transaction).is_some();
        has(Kind::Write) && !has(Kind::Commit) && !has(Kind::Undo)
    }

    /// Whether a read view at `lsn` may see what a transaction wrote: it had committed.
    #[must_use]
    pub fn is_committed_at(&self, transaction: u8, lsn: u8) -> bool {
        transaction == 0 || self.lsn_of(Kind::Commit, transaction).is_some_and(|commit| commit <= lsn)
    }

    /// What the row must be for a read view at `lsn`: the last committed version, in the order in which they were written.
    #[must_use]
    pub fn snapshot(&self, lsn: u8) -> u8 {
        let mut newest_first =
            self.log.iter().rev().filter(|record| record.kind == Kind::Write).map(|record| record.transaction);
        newest_first.find(|&transaction| self.is_committed_at(transaction, lsn)).unwrap_or(0)
    }

    /// The row, where the log is applied up to `lsn`.
    #[must_use]
    pub fn row(&self, lsn: u8) -> Row {
        let mut versions: Few<u8, { TRANSACTIONS + 1 }> = Few::default();
        versions.push(0);
        for record in &self.log[..usize::from(lsn)] {
            let of = |versions: &[u8]| versions.iter().position(|&version| version == record.transaction);
            match (record.kind, of(&versions)) {
                (Kind::Write, _) => {
                    versions = std::iter::once(record.transaction).chain(versions.iter().copied()).collect();
                }
                (Kind::Undo, Some(place)) => versions = versions[place + 1..].iter().copied().collect(),
                (Kind::Purge, Some(place)) => versions = versions[..=place].iter().copied().collect(),
                (Kind::Commit, _) | (Kind::Undo | Kind::Purge, None) => {}
            }
        }
        Row { versions }
    }

    /// What a read view at `lsn` is shown by somebody who has applied the log up to `applied`; none if the version is gone.
    #[must_use]
    pub fn shown(&self, rules: &UndoRules, applied: u8, lsn: u8) -> Option<u8> {
        let row = self.row(applied);
        // A view that sees what was written by its LSN still does not see what was written later.
        let known = |transaction: u8| self.lsn_of(Kind::Write, transaction).is_none_or(|write| write <= lsn);
        let visible = |transaction: u8| known(transaction) && rules.sees(self.is_committed_at(transaction, lsn));
        row.versions.iter().copied().find(|&version| visible(version))
    }

    /// Transactions that committed, whose undo is still there, and which no read view needs.
    pub fn purgeable<'a>(&'a self, rules: &'a UndoRules, bounds: &'a Bounds) -> impl Iterator<Item = u8> + 'a {
        (1..=bounds.transactions).filter(move |&transaction| {
            let replicas = self.replicas(bounds).iter().map(|replica| replica.told);
            let is_durable = |&commit: &u8| commit <= self.durable;
            let commit = self.lsn_of(Kind::Commit, transaction).filter(is_durable);
            commit.is_some_and(|commit| rules.may_purge(commit, self.view, replicas))
                && self.lsn_of(Kind::Purge, transaction).is_none()
        })
    }

    // --- symmetry ----------------------------------------------------------------------------------------------------

    #[must_use]
    pub fn canonical(mut self, bounds: &Bounds) -> World {
        self.replicas[..usize::from(bounds.replicas)].sort_unstable();
        self
    }

    #[must_use]
    pub fn sources(&self, bounds: &Bounds) -> Vec<usize> {
        sources_by(&bounds.classes(), REPLICAS, |replica| self.replicas[replica])
    }

    #[must_use]
    pub fn permuted(&self, sources: &[usize]) -> World {
        World { replicas: std::array::from_fn(|to| self.replicas[sources[to]]), ..*self }
    }

    // --- steps -------------------------------------------------------------------------------------------------------

    /// Everything that could happen; [`World::after`] tells what does.
    pub fn candidates(&self, bounds: &Bounds, mut take: impl FnMut(Action)) {
        for transaction in 1..=bounds.transactions {
            take(Action::Write { transaction });
            take(Action::Commit { transaction });
            take(Action::Undo { transaction });
            take(Action::Purge { transaction });
        }
        [Action::Harden, Action::Look, Action::Leave, Action::Failover].into_iter().for_each(&mut take);
        for replica in 0..bounds.replicas {
            let place = usize::from(replica);
            if bounds.symmetry.is_on() && place > 0 && self.replicas[place] == self.replicas[place - 1] {
                continue;
            }
            take(Action::Apply { replica });
            take(Action::Open { replica });
            take(Action::Close { replica });
            take(Action::Report { replica });
        }
    }

    /// The state after `action`; none if it is not possible or changes nothing.
    #[must_use]
    pub fn after(&self, rules: &UndoRules, bounds: &Bounds, action: Action) -> Option<World> {
        let mut next = *self;
        match action {
            Action::Write { transaction } => next.write(rules, bounds, transaction)?,
            Action::Commit { transaction } if self.is_unfinished(transaction) => next.append(Kind::Commit, transaction),
            Action::Undo { transaction } if self.is_unfinished(transaction) => next.append(Kind::Undo, transaction),
            Action::Purge { transaction } if self.purgeable(rules, bounds).any(|due| due == transaction) => {
                next.append(Kind::Purge, transaction);
            }
            Action::Commit { .. } | Action::Undo { .. } | Action::Purge { .. } => return None,
            Action::Harden if usize::from(self.durable) < self.log.len() => next.durable += 1,
            Action::Look if self.view.is_none() => next.view = Some(ReadView { at: self.log.len() as u8 }),
            Action::Leave => next.view = None,
            Action::Harden | Action::Look => return None,
            Action::Failover => next.failover(bounds)?,
            Action::Apply { replica } => {
                let replica = next.replicas.get_mut(usize::from(replica))?;
                if replica.applied == self.durable {
                    return None;
                }
                replica.applied += 1;
            }
            Action::Open { replica } => {
                let replica = next.replicas.get_mut(usize::from(replica))?;
                if replica.view.is_some() {
                    return None;
                }
                replica.view = Some(ReadView { at: replica.applied });
            }
            Action::Close { replica } => next.replicas.get_mut(usize::from(replica))?.view = None,
            Action::Report { replica } => {
                let replica = next.replicas.get_mut(usize::from(replica))?;
                replica.told = rules.told(replica)?;
            }
        }
        (next != *self).then_some(next)
    }

    /// Whether the log can harden further, a replica apply or tell more, or undo be purged.
    #[must_use]
    pub fn may_progress(&self, rules: &UndoRules, bounds: &Bounds) -> bool {
        let replicas = (0..bounds.replicas).flat_map(|replica| [Action::Apply { replica }, Action::Report { replica }]);
        let purges = (1..=bounds.transactions).map(|transaction| Action::Purge { transaction });
        let mut fair = std::iter::once(Action::Harden).chain(replicas).chain(purges);
        fair.any(|action| self.after(rules, bounds, action).is_some())
    }

    fn append(&mut self, kind: Kind, transaction: u8) {
        self.log.push(Record { kind, transaction });
    }

    fn write(&mut self, rules: &UndoRules, bounds: &Bounds, transaction: u8) -> Option<()> {
        let has_begun = |transaction| self.lsn_of(Kind::Write, transaction).is_some();
        let is_next = transaction == 1 || has_begun(transaction - 1);
        let locked = (1..=bounds.transactions).any(|other| self.is_unfinished(other));
        if transaction == 0 || transaction > bounds.transactions || has_begun(transaction) || !is_next {
            return None;
        }
        if locked && !rules.writes_over_the_unfinished() {
            return None;
        }
        self.append(Kind::Write, transaction);
        Some(())
    }

    /// What is not durable is lost, with the writer's read view and what it was told. Replicas go on.
    fn failover(&mut self, bounds: &Bounds) -> Option<()> {
        if self.failovers >= bounds.failovers {
            return None;
        }
        self.failovers += 1;
        self.log = self.log[..usize::from(self.durable)].iter().copied().collect();
        self.view = None;
        self.replicas.iter_mut().for_each(|replica| replica.told = 0);
        Some(())
    }
}
