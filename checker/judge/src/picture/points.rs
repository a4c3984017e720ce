//! Where on the axis of events the operations of a linearization take effect.
//!
//! Going through the order, each operation takes effect as early as it can: right after the latest invocation of itself
//! and those before it. If the order is a linearization, that is before its own return, for otherwise one that was
//! invoked after the return would stand before it. Points of different keys never fall into the same gap, because a gap
//! follows one invocation, which has one key: sorted by their points, the orders of all keys become one (Herlihy and
//! Wing 1990, locality).

use sextant_histories::Operation;

/// An operation takes effect in the gap after event `event`, as number `rank`, from 0, of those in this gap.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Point {
    pub(super) event: usize,
    pub(super) rank: usize,
}

/// The points of the operations in `orders`; none for the others.
pub(super) fn points(operations: &[Operation], orders: &[&[usize]]) -> Vec<Option<Point>> {
    let mut points = vec![None; operations.len()];
    for order in orders {
        let mut next = Point { event: 0, rank: 0 };
        for number in *order {
            let invoked = operations[*number].invoked.index;
            if invoked > next.event {
                next = Point { event: invoked, rank: 0 };
            }
            points[*number] = Some(next);
            next.rank += 1;
        }
    }
    points
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use sextant_histories::History;
    use sextant_histories::generate::{Config, generate};

    use super::*;
    use crate::linearizability::{CasRegister, Finding, Limits, check};

    /// Of every generated history: all points lie within their operations, no two coincide, and in the order of points
    /// each key reads as its linearization does.
    #[test]
    fn points_lie_within_their_operations_in_the_order_of_the_linearization() {
        for seed in 0..50 {
            let config = Config {
                seed,
                operations: 300,
                clients: 6,
                keys: 1 + seed as usize % 4,
                cas_percent: 20,
                indeterminate: 5,
                fail_percent: 5,
                ..Config::default()
            };
            let history = History::from_events(generate(&config)).unwrap();
            let report = check(&history, &CasRegister::default(), &Limits::default());
            let Finding::Valid(linearizations) = &report.finding else { panic!("{:?}", report.reason()) };
            let orders: Vec<&[usize]> = linearizations.iter().map(|one| &one.order[..]).collect();
            let points = points(history.operations(), &orders);
            let mut placed = BTreeSet::new();
            for (operation, point) in history.operations().iter().zip(&points) {
                let Some(point) = point else {
                    assert!(operation.reply().is_none());
                    continue;
                };
                assert!(operation.invoked.index <= point.event);
                assert!(operation.returned().is_none_or(|end| point.event < end));
                assert!(placed.insert(*point), "two operations at {point:?}");
            }
            for order in orders {
                assert!(order.is_sorted_by_key(|number| points[*number]));
            }
        }
    }
}
