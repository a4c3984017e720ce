//! A linearizable register of one value in three replicas, after Attiya, Bar-Noy and Dolev's "Sharing Memory Robustly in
//! Message-Passing Systems": one writer writes 1, then 2; two readers read once each. Reads write back what they found.
//!
//! With one writer, linearizability is this: a read returns nothing older than what was written, or read, before it began.

use stateright::{Model, Property};

const REPLICAS: usize = 3;
const MAJORITY: u32 = 2;

#[derive(Clone, Copy, Debug)]
pub struct Register {
    pub writes: u8,
    pub mistake: Mistake,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mistake {
    None,
    /// A read returns without writing back.
    NoWriteBack,
}

sextant::pack! {
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub struct State {
        /// By replica, the newest value stored.
        stored: [u8; 3],
        /// The value that the writer writes or wrote last, and the replicas that have acknowledged it, as bits.
        written: u8 => 2,
        acknowledged: u8 => 3,
        readers: [Reader; 2],
        /// A read returned something older than it may.
        stale: bool,
    }
}

sextant::pack! {
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub struct Reader {
        phase: Phase,
        /// What had been written or read before it began: it must not return less.
        floor: u8 => 2,
        /// The newest value found, which is the value it returns.
        value: u8 => 2,
        /// Replicas that have answered the phase, as bits.
        answered: u8 => 3,
    }
}

sextant::pack! {
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub enum Phase { Idle, Asking, WritingBack, Done }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    BeginWrite,
    Store { replica: u8 },
    BeginRead { reader: u8 },
    Answer { reader: u8, replica: u8 },
    WriteBack { reader: u8, replica: u8 },
}

impl State {
    fn is_written(&self) -> bool {
        self.written == 0 || self.acknowledged.count_ones() >= MAJORITY
    }

    /// The newest value that a finished operation has shown.
    fn floor(&self) -> u8 {
        let of_writer = if self.is_written() { self.written } else { self.written - 1 };
        let done = self.readers.iter().filter(|r| r.phase == Phase::Done).map(|r| r.value);
        done.fold(of_writer, u8::max)
    }

    fn finish(&mut self, reader: usize) {
        self.readers[reader].phase = Phase::Done;
        self.readers[reader].answered = 0;
        self.stale |= self.readers[reader].value < self.readers[reader].floor;
    }
}

impl Model for Register {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        let reader = Reader { phase: Phase::Idle, floor: 0, value: 0, answered: 0 };
        vec![State { stored: [0; REPLICAS], written: 0, acknowledged: 0, readers: [reader; 2], stale: false }]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        if state.is_written() && state.written < self.writes {
            actions.push(Action::BeginWrite);
        }
        for replica in 0..REPLICAS as u8 {
            if state.written > 0 && state.acknowledged >> replica & 1 == 0 {
                actions.push(Action::Store { replica });
            }
        }
        for (place, r) in state.readers.iter().enumerate() {
            let reader = place as u8;
            let silent = (0..REPLICAS as u8).filter(|replica| r.answered >> replica & 1 == 0);
            match r.phase {
                Phase::Idle => actions.push(Action::BeginRead { reader }),
                Phase::Asking => actions.extend(silent.map(|replica| Action::Answer { reader, replica })),
                Phase::WritingBack => actions.extend(silent.map(|replica| Action::WriteBack { reader, replica })),
                Phase::Done => {}
            }
        }
    }

    fn next_state(&self, state: &State, action: Action) -> Option<State> {
        let mut next = *state;
        match action {
            Action::BeginWrite => {
                next.written += 1;
                next.acknowledged = 0;
            }
            Action::Store { replica } => {
                let stored = &mut next.stored[usize::from(replica)];
                *stored = (*stored).max(state.written);
                next.acknowledged |= 1 << replica;
            }
            Action::BeginRead { reader } => {
                let floor = state.floor();
                let reader = &mut next.readers[usize::from(reader)];
                (reader.phase, reader.floor) = (Phase::Asking, floor);
            }
            Action::Answer { reader, replica } => {
                let place = usize::from(reader);
                let reader = &mut next.readers[place];
                reader.value = reader.value.max(state.stored[usize::from(replica)]);
                reader.answered |= 1 << replica;
                if reader.answered.count_ones() >= MAJORITY {
                    (reader.phase, reader.answered) = (Phase::WritingBack, 0);
                    if self.mistake == Mistake::NoWriteBack {
                        next.finish(place);
                    }
                }
            }
            Action::WriteBack { reader, replica } => {
                let place = usize::from(reader);
                let stored = &mut next.stored[usize::from(replica)];
                *stored = (*stored).max(state.readers[place].value);
                next.readers[place].answered |= 1 << replica;
                if next.readers[place].answered.count_ones() >= MAJORITY {
                    next.finish(place);
                }
            }
        }
        Some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("linearizable", |_, state: &State| !state.stale),
            Property::sometimes("a read returns the last write", |model: &Register, state: &State| {
                state.readers.iter().any(|r| r.phase == Phase::Done && r.value == model.writes)
            }),
        ]
    }
}

sextant::packed_model!(Register);
