//! One lane a process. When a process has ended, its lane serves another: a client that is replaced after every time-out
//! needs one lane, not a thousand.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};

use sextant_histories::Operation;

/// So many processes get a lane each, also when one has ended: all of them can be seen at once.
const FEW: usize = 16;

/// The lane of each operation, and how many lanes there are. No two operations of a lane overlap; what is drawn of an
/// indeterminate one ends where the waiting for it ended.
pub(super) fn assign(operations: &[Operation]) -> (Vec<u32>, u32) {
    let mut last = HashMap::new();
    for (number, operation) in operations.iter().enumerate() {
        last.insert(operation.process, number);
    }
    let few = last.len() <= FEW;
    let mut lanes = Lanes::default();
    let mut own: HashMap<u64, u32> = HashMap::new();
    let lane_of = |(number, operation): (usize, &Operation)| {
        let (start, end) = (operation.invoked.index, end(operation));
        let ends_here = !few && last.get(&operation.process) == Some(&number);
        // A shrunk history may have a process do two things at once; the second gets a lane for itself.
        let (lane, goes_on) = match own.get(&operation.process) {
            Some(lane) if lanes.busy_until[*lane as usize] <= start => (*lane, !ends_here),
            Some(_) => (lanes.take(start), false),
            None => (lanes.take(start), !ends_here),
        };
        if goes_on {
            own.insert(operation.process, lane);
        }
        lanes.occupy(lane, end, goes_on);
        lane
    };
    let mut assigned: Vec<u32> = operations.iter().enumerate().map(lane_of).collect();
    sort_by_process(operations, &mut assigned, lanes.busy_until.len());
    (assigned, lanes.busy_until.len() as u32)
}

/// Renumbers the lanes by the processes that were the first on them.
fn sort_by_process(operations: &[Operation], assigned: &mut [u32], count: usize) {
    let mut first = vec![None; count];
    for (operation, lane) in operations.iter().zip(&*assigned) {
        first[*lane as usize].get_or_insert(operation.process);
    }
    let mut order: Vec<usize> = (0..count).collect();
    order.sort_by_key(|lane| first[*lane]);
    let mut place = vec![0; count];
    for (new, old) in order.into_iter().enumerate() {
        place[old] = new as u32;
    }
    assigned.iter_mut().for_each(|lane| *lane = place[*lane as usize]);
}

fn end(operation: &Operation) -> usize {
    operation.completed.map_or(operation.invoked.index, |moment| moment.index)
}

#[derive(Default)]
struct Lanes {
    /// The event up to which each lane is taken.
    busy_until: Vec<usize>,
    /// Lanes that nobody owns, the one that was left first on top: what fades out on it had the most room.
    free: BinaryHeap<Reverse<(usize, u32)>>,
}

impl Lanes {
    fn take(&mut self, start: usize) -> u32 {
        match self.free.peek() {
            Some(Reverse((until, lane))) if *until < start => {
                let lane = *lane;
                self.free.pop();
                lane
            }
            _ => {
                self.busy_until.push(0);
                self.busy_until.len() as u32 - 1
            }
        }
    }

    fn occupy(&mut self, lane: u32, end: usize, goes_on: bool) {
        self.busy_until[lane as usize] = end;
        if !goes_on {
            self.free.push(Reverse((end, lane)));
        }
    }
}

#[cfg(test)]
mod tests {
    use sextant_histories::generate::{Config, generate};
    use sextant_histories::{Call, History, Moment, Outcome};

    use super::*;

    fn operation(process: u64, start: usize, end: usize) -> Operation {
        let moment = |index| Moment { index, time: None };
        Operation {
            process,
            key: 0.into(),
            call: Call::Read,
            outcome: Outcome::Fail,
            invoked: moment(start),
            completed: Some(moment(end)),
        }
    }

    #[test]
    fn a_lane_is_used_again_when_its_process_has_ended() {
        let own = [operation(1, 0, 3), operation(2, 1, 2), operation(1, 4, 5), operation(3, 6, 7)];
        assert_eq!(assign(&own), (vec![0, 1, 0, 2], 3), "few processes");
        let many = (4..30).map(|process| operation(process, 2 * process as usize, 2 * process as usize + 1));
        let (lanes, count) = assign(&own.into_iter().chain(many).collect::<Vec<_>>());
        assert_eq!((&lanes[..4], count), (&[0, 1, 0, 1][..], 2));
        let (lanes, _) = assign(&[operation(9, 0, 3), operation(2, 1, 2)]);
        assert_eq!(lanes, [1, 0], "by process");
    }

    #[test]
    fn a_process_that_does_two_things_at_once_gets_two_lanes() {
        let (lanes, count) = assign(&[operation(1, 0, 9), operation(1, 1, 2), operation(1, 10, 11)]);
        assert_eq!((lanes, count), (vec![0, 1, 0], 2));
    }

    #[test]
    fn nothing_overlaps_and_replaced_clients_need_no_further_lanes() {
        for seed in 0..20 {
            let config = Config { seed, operations: 2000, clients: 7, indeterminate: 300, ..Config::default() };
            let history = History::from_events(generate(&config)).unwrap();
            let (lanes, count) = assign(history.operations());
            assert!((7..=8).contains(&count), "{count}");
            let mut until = vec![None; count as usize];
            for (operation, lane) in history.operations().iter().zip(lanes) {
                let before = until[lane as usize].replace(end(operation));
                assert!(before.is_none_or(|before| before < operation.invoked.index));
            }
        }
    }
}
