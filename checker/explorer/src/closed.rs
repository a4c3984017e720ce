//! The closed world of any area in the `packed` engine.

use sextant_model::area::Area;
use sextant_model::closed::Closed;
use sextant_model::pack::{Get, Put};

use super::packed::{Packed, Reader, Writer};

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
impl<A: Area> Packed for Closed<A> {
    fn bits(&self) -> u32 {
        self.packed_bits()
    }

    fn pack(&self, state: &A::State, out: &mut Writer) {
        Closed::pack(self, state, out);
    }

    fn unpack(&self, from: &mut Reader) -> A::State {
        Closed::unpack(self, from)
    }

    fn may_end(&self, state: &A::State) -> bool {
        A::may_end(self.context(), state)
    }
}
