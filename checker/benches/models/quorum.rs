//! A quorum-replicated log in sixteen bytes: six interchangeable copies, a writer and the recoveries that replace it.
//!
//! A copy holds some of the records and the newest epoch that fenced it. A writer sends its records to copies that no newer
//! epoch has fenced, and commits what four have. A recovery fences three copies, reads there what the highest record is,
//! writes everything up to it back to four copies, and goes on as the writer of its epoch. Old writers never learn that they
//! are old. The property: what any writer has committed, every recovery that has opened keeps.

use stateright::{Model, Property};

pub const COPIES: usize = 6;
const WRITE: usize = 4;
const READ: usize = 3;

#[derive(Clone, Copy, Debug)]
pub struct QuorumLog {
    /// Records that each writer adds; at most 4 over all writers fit.
    pub records: u8,
    pub recoveries: u8,
    /// Copies whose answer a recovery waits for; [`READ`] is right.
    pub reads: u8,
}

sextant::pack! {
    /// One copy.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
    pub struct Copied {
        /// Records held, as bits.
        held: u8 => 6,
        fenced: u8 => 2,
        /// By recovery, whether it has heard this copy, and by writer, whether it has restored it.
        heard: u8 => 3,
        restored: u8 => 3,
    }
}

sextant::pack! {
    /// One writer incarnation.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub struct Writer {
        phase: Phase,
        /// The last record that its recovery keeps.
        end: u8 => 3,
        committed: u8 => 3,
        sent: u8 => 3,
    }
}

sextant::pack! {
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub enum Phase { Absent, Reading, Restoring, Open }
}

sextant::pack! {
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub struct State {
        copies: [Copied; 6],
        writers: [Writer; 3],
        /// A commit that an opened recovery had not kept.
        lost: bool,
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    Recover,
    Fence { writer: u8, copy: u8 },
    Restore { writer: u8, copy: u8 },
    Send { writer: u8 },
    Write { writer: u8, copy: u8, record: u8 },
}

impl QuorumLog {
    #[must_use]
    pub fn of(records: u8, recoveries: u8) -> Self {
        assert!(records * (recoveries + 1) <= 6 && recoveries <= 2, "six records and two recoveries fit");
        QuorumLog { records, recoveries, reads: READ as u8 }
    }
}

impl State {
    fn count(&self, holds: impl Fn(&Copied) -> bool) -> usize {
        self.copies.iter().filter(|copy| holds(copy)).count()
    }

    fn newest(&self) -> usize {
        self.writers.iter().rposition(|w| w.phase != Phase::Absent).unwrap_or(0)
    }

    /// A recovery with enough answers decides where the log ends; one that has restored enough copies opens; a writer whose
    /// record four copies have commits it.
    fn settle(&mut self, reads: u8) {
        for i in 0..=self.newest() {
            let bit = 1 << i;
            let mut writer = self.writers[i];
            if writer.phase == Phase::Reading && self.count(|c| c.heard & bit != 0) >= usize::from(reads) {
                let heard = self.copies.iter().filter(|c| c.heard & bit != 0);
                writer.end = heard.map(|c| 8 - c.held.leading_zeros() as u8).max().unwrap_or(0);
                writer.phase = Phase::Restoring;
                self.copies.iter_mut().for_each(|c| c.heard &= !bit);
            }
            if writer.phase == Phase::Restoring && self.count(|c| c.restored & bit != 0) >= WRITE {
                writer.phase = Phase::Open;
                (writer.committed, writer.sent) = (writer.end, writer.end);
                self.lost |= self.writers[..i].iter().any(|old| old.committed > writer.end);
            }
            if writer.phase == Phase::Open {
                while writer.committed < writer.sent
                    && self.count(|c| usize::from(c.fenced) == i && c.held >> writer.committed & 1 == 1) >= WRITE
                {
                    writer.committed += 1;
                    self.lost |=
                        self.writers[i + 1..].iter().any(|w| w.phase == Phase::Open && w.end < writer.committed);
                }
            }
            self.writers[i] = writer;
        }
    }
}

impl Model for QuorumLog {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        let absent = Writer { phase: Phase::Absent, end: 0, committed: 0, sent: 0 };
        let mut writers = [absent; 3];
        writers[0].phase = Phase::Open;
        let copy = Copied { held: 0, fenced: 0, heard: 0, restored: 1 };
        vec![State { copies: [copy; COPIES], writers, lost: false }]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        if state.newest() < usize::from(self.recoveries) {
            actions.push(Action::Recover);
        }
        for (i, w) in state.writers.iter().enumerate() {
            let (writer, bit) = (i as u8, 1 << i);
            let first = if i == 0 { 0 } else { w.end };
            if w.phase == Phase::Open && w.sent < first + self.records && w.sent < 6 {
                actions.push(Action::Send { writer });
            }
            for (c, copied) in state.copies.iter().enumerate() {
                // Of equal copies the first stands for all: states are canonical.
                if c > 0 && state.copies[c - 1] == *copied || copied.fenced > writer {
                    continue;
                }
                let copy = c as u8;
                match w.phase {
                    Phase::Reading if copied.heard & bit == 0 => actions.push(Action::Fence { writer, copy }),
                    Phase::Restoring | Phase::Open if copied.restored & bit == 0 => {
                        actions.push(Action::Restore { writer, copy });
                    }
                    Phase::Open => {
                        let missing = (first..w.sent).filter(|record| copied.held >> record & 1 == 0);
                        actions.extend(missing.map(|record| Action::Write { writer, copy, record }));
                    }
                    Phase::Absent | Phase::Reading | Phase::Restoring => {}
                }
            }
        }
    }

    fn next_state(&self, state: &State, action: Action) -> Option<State> {
        let mut next = *state;
        match action {
            Action::Recover => next.writers[state.newest() + 1].phase = Phase::Reading,
            Action::Fence { writer, copy } => {
                let copy = &mut next.copies[usize::from(copy)];
                copy.fenced = writer;
                copy.heard |= 1 << writer;
            }
            Action::Restore { writer, copy } => {
                let copy = &mut next.copies[usize::from(copy)];
                copy.fenced = writer;
                // Everything up to the end is written, everything behind it deleted.
                copy.held = (1 << next.writers[usize::from(writer)].end) - 1;
                copy.restored |= 1 << writer;
            }
            Action::Send { writer } => next.writers[usize::from(writer)].sent += 1,
            Action::Write { copy, record, .. } => next.copies[usize::from(copy)].held |= 1 << record,
        }
        next.settle(self.reads);
        // One copy has changed, if any.
        if !next.copies.is_sorted() {
            next.copies.sort_unstable();
        }
        Some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("commits are kept", |_, state: &State| !state.lost),
            Property::sometimes("a recovery opens above zero", |_, state: &State| {
                state.writers[1..].iter().any(|w| w.phase == Phase::Open && w.end > 0)
            }),
        ]
    }
}

sextant::packed_model!(QuorumLog);
