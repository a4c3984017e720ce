//! Single-decree Paxos, after Lamport's "Paxos Made Simple": two proposers, three acceptors, a network that keeps what was
//! sent. A ballot belongs to one proposer and proposes the proposer's own value, unless promises name another.

use stateright::{Model, Property};

pub const ACCEPTORS: u8 = 3;

#[derive(Clone, Copy, Debug)]
pub struct Paxos {
    /// Ballots, at most three; ballot b belongs to proposer b mod 2, whose value that is.
    pub ballots: u8,
    pub mistake: Mistake,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mistake {
    None,
    /// A proposer proposes its own value whatever was accepted before.
    IgnoresPromises,
}

sextant::pack! {
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub struct Acceptor {
        /// The highest ballot promised, plus one; 0 is none.
        promised: u8 => 2,
        accepted: Option<Vote>,
        /// By ballot, what the promise for it said: it was sent, and the vote that it named.
        promises: [Promise; 3],
        /// Ballots accepted, as bits: these messages stay in the network.
        accepts: u8 => 3,
    }
}

sextant::pack! {
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub enum Promise { Unsent, Sent { vote: Option<Vote> } }
}

sextant::pack! {
    #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
    pub struct Vote {
        ballot: u8 => 2,
        value: u8 => 1,
    }
}

sextant::pack! {
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub struct State {
        acceptors: [Acceptor; 3],
        /// Ballots whose first phase has begun, as bits.
        begun: u8 => 3,
        /// By ballot, the value that its second phase proposes.
        proposed: [Option<bool>; 3],
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    Prepare {
        ballot: u8,
    },
    Promise {
        ballot: u8,
        acceptor: u8,
    },
    /// The proposer counts the promises of these acceptors, as bits.
    Propose {
        ballot: u8,
        quorum: u8,
    },
    Accept {
        ballot: u8,
        acceptor: u8,
    },
}

/// Two of three acceptors.
const QUORUMS: [u8; 3] = [0b011, 0b101, 0b110];

impl State {
    fn promise(&self, ballot: u8, acceptor: u8) -> Promise {
        self.acceptors[usize::from(acceptor)].promises[usize::from(ballot)]
    }

    fn members(quorum: u8) -> impl Iterator<Item = u8> {
        (0..ACCEPTORS).filter(move |a| quorum >> a & 1 == 1)
    }

    fn is_chosen(&self, value: bool) -> bool {
        let accepts = |ballot: usize| self.acceptors.iter().filter(|a| a.accepts >> ballot & 1 == 1).count();
        (0..3).any(|ballot| self.proposed[ballot] == Some(value) && accepts(ballot) >= 2)
    }
}

impl Model for Paxos {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        let acceptor = Acceptor { promised: 0, accepted: None, promises: [Promise::Unsent; 3], accepts: 0 };
        vec![State { acceptors: [acceptor; 3], begun: 0, proposed: [None; 3] }]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        for ballot in 0..self.ballots {
            if state.begun >> ballot & 1 == 0 {
                actions.push(Action::Prepare { ballot });
                continue;
            }
            let proposed = state.proposed[usize::from(ballot)].is_some();
            for acceptor in 0..ACCEPTORS {
                let a = &state.acceptors[usize::from(acceptor)];
                if a.promised <= ballot {
                    actions.push(Action::Promise { ballot, acceptor });
                }
                if proposed && a.promised <= ballot + 1 && a.accepts >> ballot & 1 == 0 {
                    actions.push(Action::Accept { ballot, acceptor });
                }
            }
            if !proposed {
                let heard = |quorum: &u8| State::members(*quorum).all(|a| state.promise(ballot, a) != Promise::Unsent);
                actions.extend(QUORUMS.into_iter().filter(heard).map(|quorum| Action::Propose { ballot, quorum }));
            }
        }
    }

    fn next_state(&self, state: &State, action: Action) -> Option<State> {
        let mut next = *state;
        match action {
            Action::Prepare { ballot } => next.begun |= 1 << ballot,
            Action::Promise { ballot, acceptor } => {
                let acceptor = &mut next.acceptors[usize::from(acceptor)];
                acceptor.promised = ballot + 1;
                acceptor.promises[usize::from(ballot)] = Promise::Sent { vote: acceptor.accepted };
            }
            Action::Propose { ballot, quorum } => {
                let votes = State::members(quorum).filter_map(|a| match state.promise(ballot, a) {
                    Promise::Sent { vote } => vote,
                    Promise::Unsent => None,
                });
                let bound = votes.max().filter(|_| self.mistake == Mistake::None);
                next.proposed[usize::from(ballot)] = Some(bound.map_or(ballot % 2, |vote| vote.value) == 1);
            }
            Action::Accept { ballot, acceptor } => {
                let acceptor = &mut next.acceptors[usize::from(acceptor)];
                acceptor.promised = ballot + 1;
                let value = u8::from(state.proposed[usize::from(ballot)]?);
                acceptor.accepted = Some(Vote { ballot, value });
                acceptor.accepts |= 1 << ballot;
            }
        }
        Some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("one value is chosen", |_, s: &State| !(s.is_chosen(true) && s.is_chosen(false))),
            Property::sometimes("the first value is chosen", |_, s: &State| s.is_chosen(false)),
            Property::sometimes("the second value is chosen", |_, s: &State| s.is_chosen(true)),
        ]
    }
}

sextant::packed_model!(Paxos);
