//! The closed world of the storage protocol in the `packed` engine.

use sextant_model::action::Action;
use sextant_model::closed::Closed;
use sextant_model::pack::{Get, Put};
use sextant_model::world::World;

use super::packed::{Labels, Packed, Reader, Writer};

impl Put for Writer<'_> {
    #[inline]
    fn put(&mut self, value: u64, bits: u32) {
        Writer::put(self, value, bits);
    }
}

impl Get for Reader<'_> {
    #[inline]
    fn get(&mut self, bits: u32) -> u64 {
        Reader::get(self, bits)
    }
}

/// States are canonical when they come out of `next_state`, so nothing is left to do for symmetry here.
impl<const N: usize> Packed for Closed<N> {
    fn bits(&self) -> u32 {
        self.packed_bits()
    }

    fn pack(&self, state: &World<N>, out: &mut Writer) {
        Closed::pack(self, state, out);
    }

    fn unpack(&self, from: &mut Reader) -> World<N> {
        Closed::unpack(self, from)
    }
}

/// The kinds of actions, in the words of the protocol.
pub const LABELS: Labels<Action> = Labels {
    names: &[
        "recover",
        "fence",
        "decide",
        "truncate",
        "allocate",
        "write",
        "gossip",
        "sync",
        "crash",
        "wipe",
        "read",
        "begin round",
        "confirm",
    ],
    of: |action| match action {
        Action::Recover => 0,
        Action::FenceRead { .. } => 1,
        Action::Decide { .. } => 2,
        Action::Truncate { .. } => 3,
        Action::Allocate { .. } => 4,
        Action::Write { .. } => 5,
        Action::Gossip { .. } => 6,
        Action::Sync { .. } => 7,
        Action::Crash { .. } => 8,
        Action::Wipe { .. } => 9,
        Action::Read { .. } => 10,
        Action::BeginRound { .. } => 11,
        Action::Confirm { .. } => 12,
    },
};
