//! Two-phase commit, after Gray and Lamport's "Consensus on Transaction Commit" and stateright's example of it, for up to
//! nine resource managers.

use sextant::explore::packed::Labels;
use stateright::{Model, Property};

#[derive(Clone, Copy, Debug)]
pub struct TwoPhase {
    pub managers: u8,
    /// What the transaction manager may do wrong.
    pub mistake: Mistake,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mistake {
    None,
    /// It commits when all but one have prepared.
    CommitsEarly,
    /// It panics when it commits.
    Panics,
}

sextant::pack! {
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub enum Manager { Working, Prepared, Committed, Aborted }
}

sextant::pack! {
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub enum Transaction { Open, Committed, Aborted }
}

sextant::pack! {
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub struct State {
        /// Two bits a resource manager: [`Manager`] in its order.
        managers: u32 => 18,
        transaction: Transaction,
        /// Resource managers of whose preparation the transaction manager knows.
        prepared: u16 => 9,
        /// Resource managers that have sent that they are prepared.
        sent: u16 => 9,
        commit_sent: bool,
        abort_sent: bool,
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    Commit,
    Abort,
    HearPrepared(u8),
    Prepare(u8),
    ChooseToAbort(u8),
    HearCommit(u8),
    HearAbort(u8),
}

pub const LABELS: Labels<Action> = Labels {
    names: &["commit", "abort", "hear prepared", "prepare", "choose to abort", "hear commit", "hear abort"],
    of: |action| match action {
        Action::Commit => 0,
        Action::Abort => 1,
        Action::HearPrepared(_) => 2,
        Action::Prepare(_) => 3,
        Action::ChooseToAbort(_) => 4,
        Action::HearCommit(_) => 5,
        Action::HearAbort(_) => 6,
    },
};

impl State {
    fn manager(&self, manager: u8) -> Manager {
        match self.managers >> (2 * manager) & 3 {
            0 => Manager::Working,
            1 => Manager::Prepared,
            2 => Manager::Committed,
            _ => Manager::Aborted,
        }
    }

    fn set(&mut self, manager: u8, to: Manager) {
        self.managers = self.managers & !(3 << (2 * manager)) | (to as u32) << (2 * manager);
    }

    /// Resource managers in one state, as the low bit of each pair.
    fn all_in(&self, state: Manager) -> u32 {
        let same = !(self.managers ^ (0x1_5555 * state as u32));
        same & same >> 1 & 0x1_5555
    }
}

impl TwoPhase {
    #[must_use]
    pub fn of(managers: u8) -> Self {
        assert!((1..=9).contains(&managers), "one to nine resource managers, not {managers}");
        TwoPhase { managers, mistake: Mistake::None }
    }

    fn everybody(&self) -> u16 {
        (1 << self.managers) - 1
    }

    fn may_commit(&self, state: &State) -> bool {
        let missing = (self.everybody() & !state.prepared).count_ones();
        missing <= u32::from(self.mistake == Mistake::CommitsEarly)
    }

    fn all(&self, state: &State, manager: Manager) -> bool {
        state.all_in(manager).count_ones() - u32::from(manager == Manager::Working) * u32::from(9 - self.managers)
            == u32::from(self.managers)
    }
}

impl Model for TwoPhase {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        let transaction = Transaction::Open;
        vec![State { managers: 0, transaction, prepared: 0, sent: 0, commit_sent: false, abort_sent: false }]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        if state.transaction == Transaction::Open {
            if self.may_commit(state) {
                actions.push(Action::Commit);
            }
            actions.push(Action::Abort);
        }
        for manager in 0..self.managers {
            if state.transaction == Transaction::Open && state.sent >> manager & 1 == 1 {
                actions.push(Action::HearPrepared(manager));
            }
            if state.manager(manager) == Manager::Working {
                actions.push(Action::Prepare(manager));
                actions.push(Action::ChooseToAbort(manager));
            }
            if state.commit_sent {
                actions.push(Action::HearCommit(manager));
            }
            if state.abort_sent {
                actions.push(Action::HearAbort(manager));
            }
        }
    }

    #[inline]
    fn next_state(&self, state: &State, action: Action) -> Option<State> {
        let mut next = *state;
        match action {
            Action::Commit => {
                assert!(self.mistake != Mistake::Panics, "this transaction manager cannot commit");
                next.transaction = Transaction::Committed;
                next.commit_sent = true;
            }
            Action::Abort => {
                next.transaction = Transaction::Aborted;
                next.abort_sent = true;
            }
            Action::HearPrepared(manager) => next.prepared |= 1 << manager,
            Action::Prepare(manager) => {
                next.set(manager, Manager::Prepared);
                next.sent |= 1 << manager;
            }
            Action::ChooseToAbort(manager) | Action::HearAbort(manager) => next.set(manager, Manager::Aborted),
            Action::HearCommit(manager) => next.set(manager, Manager::Committed),
        }
        Some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("consistent", |_, state: &State| {
                state.all_in(Manager::Committed) == 0 || state.all_in(Manager::Aborted) == 0
            }),
            Property::sometimes("abort agreement", |model: &TwoPhase, state| model.all(state, Manager::Aborted)),
            Property::sometimes("commit agreement", |model: &TwoPhase, state| model.all(state, Manager::Committed)),
        ]
    }
}

sextant::packed_model!(TwoPhase);
