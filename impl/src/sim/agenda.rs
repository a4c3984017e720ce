//! What is to happen, in the order of virtual time; of two things at one time, what was planned first comes first.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::pct::Priorities;

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
    /// Taken out of the heap by [`Agenda::next_by`], and still to come.
    ready: Vec<Entry>,
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
        Agenda { heap: BinaryHeap::new(), events: Vec::new(), free: Vec::new(), planned: 0, now: 0, ready: Vec::new() }
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

    /// Moves on to the next event by `priorities` instead of by time. An event of no class is urgent: it is never overtaken.
    pub fn next_by(&mut self, priorities: &mut Priorities, class: impl Fn(&E) -> Option<usize>) -> Option<E> {
        let first = self.ready.iter().map(|entry| entry.at).min();
        let first = first.into_iter().chain(self.heap.peek().map(|Reverse(entry)| entry.at)).min()?;
        while let Some(Reverse(entry)) = self.heap.peek().copied().filter(|next| next.0.at <= first + priorities.window)
        {
            self.heap.pop();
            self.ready.push(entry);
        }
        loop {
            let class_of = |entry: &Entry| self.events[entry.place as usize].as_ref().and_then(&class);
            let rank = |entry: &Entry| class_of(entry).map_or(u64::MAX, |class| priorities.of(class));
            // What comes first is the least: an urgent event in its time, before it whatever has priority.
            let urgent = self.ready.iter().filter(|entry| class_of(entry).is_none()).min().copied();
            let in_time = |entry: &&Entry| urgent.is_none_or(|urgent| **entry <= urgent);
            let chosen = *self.ready.iter().filter(in_time).min_by_key(|entry| (Reverse(rank(entry)), **entry))?;
            let chosen_class = class_of(&chosen);
            let now = self.now.max(chosen.at);
            if chosen_class.is_some_and(|class| priorities.falls_behind(class, now)) {
                continue;
            }
            self.ready.retain(|entry| *entry != chosen);
            self.now = now;
            self.free.push(chosen.place);
            return self.events[chosen.place as usize].take();
        }
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
    fn with_priorities_a_class_goes_first_within_the_window_and_time_does_not_go_back() {
        for seed in 0..50 {
            let mut priorities = Priorities::new(seed, 2, 1, 30 * MILLISECOND);
            let mut agenda = Agenda::new();
            for n in 0..40 {
                agenda.plan(n * MILLISECOND, (n % 2 == 0).then_some(n as usize / 2 % 2));
            }
            let (mut seen, mut last) = (Vec::new(), 0);
            while let Some(event) = agenda.next_by(&mut priorities, |class| *class) {
                assert!(last <= agenda.now());
                last = agenda.now();
                seen.push(event);
            }
            assert_eq!(seen.len(), 40, "seed {seed}");
            assert_eq!(seen.iter().filter(|event| event.is_none()).count(), 20);
        }
    }

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
