//! A merged run in the terms of the model's actions.
//!
//! An action of the closed world contains what explicit messages have apart: the delivery of a request and the hearing of its reply.
//! So an event of a node and, once more, the hearing of its answer by a writer each give a step; taken twice, the second changes
//! nothing unless something happened in between.

use std::collections::{BTreeMap, HashMap};

use sextant_model::types::{Lsn, SegmentId};

/// An action whose writers, records and truncations are named by what they are, not by numbers that depend on what came before: so it
/// means the same when others are left out. Writers count in the order in which they took the volume, from 0, who created it; records in
/// that in which they were allocated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Step {
    Recover {
        writer: usize,
    },
    FenceRead {
        writer: usize,
        segment: SegmentId,
    },
    Decide {
        writer: usize,
    },
    Truncate {
        writer: usize,
        segment: SegmentId,
    },
    Allocate {
        writer: usize,
        record: usize,
    },
    Write {
        writer: usize,
        segment: SegmentId,
        record: usize,
    },
    /// A record that some segment held whose last truncation was that of `cut_by`.
    Gossip {
        cut_by: usize,
        segment: SegmentId,
        record: usize,
    },
    /// The oldest entry that the segment has appended and not synced.
    Sync {
        segment: SegmentId,
    },
    Crash {
        segment: SegmentId,
    },
    Wipe {
        segment: SegmentId,
    },
    Read {
        writer: usize,
    },
    BeginRound {
        writer: usize,
    },
    Confirm {
        writer: usize,
        segment: SegmentId,
    },
}

impl Step {
    /// A number for its kind.
    #[must_use]
    pub fn kind(self) -> usize {
        match self {
            Step::Recover { .. } => 0,
            Step::FenceRead { .. } => 1,
            Step::Decide { .. } => 2,
            Step::Truncate { .. } => 3,
            Step::Allocate { .. } => 4,
            Step::Write { .. } => 5,
            Step::Gossip { .. } => 6,
            Step::Sync { .. } => 7,
            Step::Crash { .. } => 8,
            Step::Wipe { .. } => 9,
            Step::Read { .. } => 10,
            Step::BeginRound { .. } => 11,
            Step::Confirm { .. } => 12,
        }
    }

    /// The same by writer `to` where it is by writer `from`; none where `from` takes the volume.
    #[must_use]
    pub fn by_another(self, from: usize, to: usize) -> Option<Step> {
        let by = |writer: usize| if writer == from { to } else { writer };
        Some(match self {
            Step::Recover { writer } if writer == from => return None,
            Step::FenceRead { writer, segment } => Step::FenceRead { writer: by(writer), segment },
            Step::Decide { writer } => Step::Decide { writer: by(writer) },
            Step::Truncate { writer, segment } => Step::Truncate { writer: by(writer), segment },
            Step::Allocate { writer, record } => Step::Allocate { writer: by(writer), record },
            Step::Write { writer, segment, record } => Step::Write { writer: by(writer), segment, record },
            Step::Gossip { cut_by, segment, record } => Step::Gossip { cut_by: by(cut_by), segment, record },
            Step::Read { writer } => Step::Read { writer: by(writer) },
            Step::BeginRound { writer } => Step::BeginRound { writer: by(writer) },
            Step::Confirm { writer, segment } => Step::Confirm { writer: by(writer), segment },
            Step::Recover { .. } | Step::Sync { .. } | Step::Crash { .. } | Step::Wipe { .. } => self,
        })
    }

    /// The same of record `to` where it is of record `from`; none where `from` is allocated.
    #[must_use]
    pub fn of_another(self, from: usize, to: usize) -> Option<Step> {
        match self {
            Step::Allocate { record, .. } if record == from => None,
            Step::Write { writer, segment, record } if record == from => {
                Some(Step::Write { writer, segment, record: to })
            }
            Step::Gossip { cut_by, segment, record } if record == from => {
                Some(Step::Gossip { cut_by, segment, record: to })
            }
            _ => Some(self),
        }
    }

    /// The same at another segment; none where it is at no segment.
    #[must_use]
    pub fn at_another(self, segment: SegmentId) -> Option<Step> {
        Some(match self {
            Step::FenceRead { writer, .. } => Step::FenceRead { writer, segment },
            Step::Truncate { writer, .. } => Step::Truncate { writer, segment },
            Step::Write { writer, record, .. } => Step::Write { writer, segment, record },
            Step::Gossip { cut_by, record, .. } => Step::Gossip { cut_by, segment, record },
            Step::Sync { .. } => Step::Sync { segment },
            Step::Crash { .. } => Step::Crash { segment },
            Step::Wipe { .. } => Step::Wipe { segment },
            Step::Confirm { writer, .. } => Step::Confirm { writer, segment },
            Step::Recover { .. }
            | Step::Decide { .. }
            | Step::Allocate { .. }
            | Step::Read { .. }
            | Step::BeginRound { .. } => return None,
        })
    }

    /// The writer without whom it cannot be.
    #[must_use]
    pub fn writer(self) -> Option<usize> {
        match self {
            Step::Recover { writer }
            | Step::FenceRead { writer, .. }
            | Step::Decide { writer }
            | Step::Truncate { writer, .. }
            | Step::Allocate { writer, .. }
            | Step::Write { writer, .. }
            | Step::Read { writer }
            | Step::BeginRound { writer }
            | Step::Confirm { writer, .. } => Some(writer),
            Step::Gossip { cut_by, .. } => Some(cut_by),
            Step::Sync { .. } | Step::Crash { .. } | Step::Wipe { .. } => None,
        }
    }

    /// The record without which it cannot be.
    #[must_use]
    pub fn record(self) -> Option<usize> {
        match self {
            Step::Allocate { record, .. } | Step::Write { record, .. } | Step::Gossip { record, .. } => Some(record),
            Step::Recover { .. }
            | Step::FenceRead { .. }
            | Step::Decide { .. }
            | Step::Truncate { .. }
            | Step::Sync { .. }
            | Step::Crash { .. }
            | Step::Wipe { .. }
            | Step::Read { .. }
            | Step::BeginRound { .. }
            | Step::Confirm { .. } => None,
        }
    }
}

/// Which of the two moments of a message is its step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// The node took the request.
    Taken,
    /// The writer heard the answer.
    Heard,
}

/// The steps of a merged run, in its order.
#[derive(Clone, Debug, Default)]
pub struct Transcript {
    pub steps: Vec<(Step, Moment)>,
    /// By LSN, the record that had it last; by writer and LSN, the record that this one allocated.
    by_lsn: BTreeMap<Lsn, usize>,
    own: HashMap<(usize, Lsn), usize>,
    records: usize,
    started: Vec<SegmentId>,
}

impl Transcript {
    /// What happened, each message at the moment that is asked for; where none is, at both. One whose answer nobody heard was taken
    /// all the same.
    #[must_use]
    pub fn at(&self, moment: Option<Moment>) -> Vec<Step> {
        let heard: std::collections::HashSet<Step> =
            self.steps.iter().filter(|(_, at)| *at == Moment::Heard).map(|(step, _)| *step).collect();
        let is_in = |(step, at): &&(Step, Moment)| match moment {
            None => true,
            Some(Moment::Taken) => *at == Moment::Taken,
            Some(Moment::Heard) => *at == Moment::Heard || !heard.contains(step),
        };
        self.steps.iter().filter(is_in).map(|(step, _)| *step).collect()
    }

    pub(super) fn push(&mut self, step: Step) {
        self.steps.push((step, Moment::Taken));
    }

    pub(super) fn heard(&mut self, step: Step) {
        self.steps.push((step, Moment::Heard));
    }

    pub(super) fn allocated(&mut self, writer: usize, lsn: Lsn) {
        let record = self.records;
        self.records += 1;
        self.by_lsn.insert(lsn, record);
        self.own.insert((writer, lsn), record);
        self.push(Step::Allocate { writer, record });
    }

    /// A process of the segment has read its log, or has formatted it.
    pub(super) fn started(&mut self, segment: SegmentId, created: bool) {
        if !self.started.contains(&segment) {
            return self.started.push(segment);
        }
        self.push(if created { Step::Wipe { segment } } else { Step::Crash { segment } });
    }

    /// The record that `writer` means by `lsn`: its own, or one that it kept. None: nobody has allocated it.
    pub(super) fn record(&self, writer: Option<usize>, lsn: Lsn) -> Option<usize> {
        let own = writer.and_then(|writer| self.own.get(&(writer, lsn)));
        own.or_else(|| self.by_lsn.get(&lsn)).copied()
    }
}
