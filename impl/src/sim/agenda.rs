//! What is to happen, in the order of virtual time; of two things at one time, what was planned first comes first.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Virtual time: nanoseconds since the run began.
pub(super) type Nanos = u64;

pub(super) const MICROSECOND: Nanos = 1_000;
pub(super) const MILLISECOND: Nanos = 1_000_000;
pub(super) const SECOND: Nanos = 1_000_000_000;

pub(super) struct Agenda<E> {
    /// Small, because it is moved about; the events lie still.
    heap: BinaryHeap<Reverse<Entry>>,
    events: Vec<Option<E>>,
    /// Places in `events` that are free.
    free: Vec<u32>,
    planned: u64,
    now: Nanos,
}

/// What comes first is the least.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Entry {
    at: Nanos,
    number: u64,
    place: u32,
}

impl<E> Agenda<E> {
    pub fn new() -> Self {
        Agenda { heap: BinaryHeap::new(), events: Vec::new(), free: Vec::new(), planned: 0, now: 0 }
    }

    pub fn now(&self) -> Nanos {
        self.now
    }

    /// What is planned for the past happens now.
    pub fn plan(&mut self, at: Nanos, event: E) {
        self.planned += 1;
        let place = match self.free.pop() {
            Some(place) => {
                self.events[place as usize] = Some(event);
                place
            }
            None => {
                self.events.push(Some(event));
                // Far fewer than 2^32 events wait at one time.
                (self.events.len() - 1) as u32
            }
        };
        self.heap.push(Reverse(Entry { at: at.max(self.now), number: self.planned, place }));
    }

    pub fn after(&mut self, delay: Nanos, event: E) {
        self.plan(self.now + delay, event);
    }

    /// Moves on to the next event.
    pub fn next(&mut self) -> Option<E> {
        let Reverse(Entry { at, place, .. }) = self.heap.pop()?;
        self.now = at;
        self.free.push(place);
        self.events[place as usize].take()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_come_in_the_order_of_time_and_then_of_planning() {
        let mut agenda = Agenda::new();
        for (at, event) in [(5, 'c'), (3, 'a'), (5, 'd'), (4, 'b')] {
            agenda.plan(at, event);
        }
        let mut seen = Vec::new();
        while let Some(event) = agenda.next() {
            seen.push((agenda.now(), event));
            if event == 'b' {
                agenda.plan(0, 'B');
            }
        }
        assert_eq!(seen, [(3, 'a'), (4, 'b'), (4, 'B'), (5, 'c'), (5, 'd')]);
    }
}
