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
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
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

    /// What follows from the last action of writer `i`, and of nobody else: fences and restorations by another writer only
    /// take copies away from this one. A recovery with enough answers decides where the log ends; one that has restored
    /// enough copies opens; a writer whose record four copies have commits it.
    fn settle(&mut self, i: usize, reads: u8) {
        let (bit, epoch) = (1 << i, i as u8);
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
        while writer.phase == Phase::Open
            && writer.committed < writer.sent
            && self.count(|c| c.fenced == epoch && c.held >> writer.committed & 1 == 1) >= WRITE
        {
            writer.committed += 1;
            self.lost |= self.writers[i + 1..].iter().any(|w| w.phase == Phase::Open && w.end < writer.committed);
        }
        self.writers[i] = writer;
    }

    /// The copies in their canonical order. Seldom more than one is out of place, so insertion it is.
    fn sort(&mut self) {
        for i in 1..COPIES {
            let mut at = i;
            while at > 0 && self.copies[at - 1].rank() > self.copies[at].rank() {
                self.copies.swap(at - 1, at);
                at -= 1;
            }
        }
    }
}

/// The bits that are set, ascending.
fn members(mut set: u8) -> impl Iterator<Item = u8> {
    std::iter::from_fn(move || {
        let first = set.trailing_zeros() as u8;
        set &= set.wrapping_sub(1);
        (first < 8).then_some(first)
    })
}

impl Copied {
    fn rank(self) -> u32 {
        u32::from_be_bytes([self.held, self.fenced, self.heard, self.restored])
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
        // Of equal copies the first stands for all: states are canonical.
        let differs = |c: &usize| *c == 0 || state.copies[c - 1].rank() != state.copies[*c].rank();
        let firsts: u8 = (0..COPIES).filter(differs).map(|c| 1 << c).sum();
        for (i, w) in state.writers.iter().enumerate() {
            let (writer, bit) = (i as u8, 1 << i);
            if w.phase == Phase::Absent {
                break;
            }
            let first = if i == 0 { 0 } else { w.end };
            if w.phase == Phase::Open && w.sent < first + self.records && w.sent < 6 {
                actions.push(Action::Send { writer });
            }
            for copy in members(firsts) {
                let copied = state.copies[usize::from(copy)];
                if copied.fenced > writer {
                    continue;
                }
                match w.phase {
                    Phase::Reading if copied.heard & bit == 0 => actions.push(Action::Fence { writer, copy }),
                    Phase::Restoring | Phase::Open if copied.restored & bit == 0 => {
                        actions.push(Action::Restore { writer, copy });
                    }
                    Phase::Open => {
                        let missing = ((1 << w.sent) - (1 << first)) & !copied.held;
                        actions.extend(members(missing).map(|record| Action::Write { writer, copy, record }));
                    }
                    Phase::Absent | Phase::Reading | Phase::Restoring => {}
                }
            }
        }
    }

    #[inline]
    fn next_state(&self, state: &State, action: Action) -> Option<State> {
        let mut next = *state;
        let acting = match action {
            Action::Recover => {
                let recovery = state.newest() + 1;
                next.writers[recovery].phase = Phase::Reading;
                recovery
            }
            Action::Fence { writer, copy } => {
                let copy = &mut next.copies[usize::from(copy)];
                copy.fenced = writer;
                copy.heard |= 1 << writer;
                usize::from(writer)
            }
            Action::Restore { writer, copy } => {
                let copy = &mut next.copies[usize::from(copy)];
                copy.fenced = writer;
                // Everything up to the end is written, everything behind it deleted.
                copy.held = (1 << next.writers[usize::from(writer)].end) - 1;
                copy.restored |= 1 << writer;
                usize::from(writer)
            }
            Action::Send { writer } => {
                next.writers[usize::from(writer)].sent += 1;
                usize::from(writer)
            }
            Action::Write { writer, copy, record } => {
                next.copies[usize::from(copy)].held |= 1 << record;
                usize::from(writer)
            }
        };
        next.settle(acting, self.reads);
        next.sort();
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
