//! Queues, stacks and priority queues: things are put in and taken out.

use std::collections::{BTreeMap, VecDeque};

use super::Flaw;
use super::rng::Source;
use super::script::Script;
use super::simulation::Subject;
use crate::event::{Call, Reply};
use crate::value::Value;

/// Which thing goes out first.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    First,
    Last,
    Least,
}

pub(super) const FLAWS: [Flaw; 5] = [
    Flaw::new("lost-element", "an element that was put in never comes out, though what stands behind it does"),
    Flaw::new("duplicated-element", "an element that was put in once comes out twice"),
    Flaw::new("phantom-element", "an element comes out that nobody put in"),
    Flaw::new("reordered-elements", "an element comes out before another that has to go first"),
    Flaw::new("empty-while-nonempty", "the object is found empty while an element is certainly in it"),
];

/// One queue, stack or priority queue a key.
pub(super) struct Collections {
    order: Order,
    objects: Vec<Contents>,
    put_percent: u32,
}

/// With more inside, more is taken out: a script that has to empty the object should not need half the history.
const FULL: usize = 30;

#[derive(Clone, Default)]
struct Contents {
    /// In order of arrival; of a priority queue in no order that matters.
    line: VecDeque<Value>,
    sorted: BTreeMap<Value, usize>,
}

impl Collections {
    pub(super) fn new(order: Order, keys: usize, put_percent: u32) -> Self {
        Self { order, objects: vec![Contents::default(); keys], put_percent }
    }

    fn put(&self, value: &Value) -> Call {
        let value = value.clone();
        match self.order {
            Order::First => Call::Enqueue(value),
            Order::Last => Call::Push(value),
            Order::Least => Call::Insert(value),
        }
    }

    fn take(&self) -> Call {
        match self.order {
            Order::First => Call::Dequeue,
            Order::Last => Call::Pop,
            Order::Least => Call::PopMin,
        }
    }

    fn takes_next(&mut self, object: usize) -> Option<Value> {
        let contents = &mut self.objects[object];
        match self.order {
            Order::First => contents.line.pop_front(),
            Order::Last => contents.line.pop_back(),
            Order::Least => {
                let mut least = contents.sorted.first_entry()?;
                let value = least.key().clone();
                *least.get_mut() -= 1;
                if *least.get() == 0 {
                    least.remove();
                }
                Some(value)
            }
        }
    }

    /// How many there are; of a priority queue how many different ones.
    fn len(&self, object: usize) -> usize {
        let contents = &self.objects[object];
        contents.line.len() + contents.sorted.len()
    }

    /// Takes everything out, in the right order.
    fn drain(&self, script: &mut Script) {
        let Some(object) = script.object else { return };
        let mut copy = Self { objects: vec![self.objects[object].clone()], ..*self };
        while let Some(value) = copy.takes_next(0) {
            script.done(0, self.take(), Reply::Returned(value));
        }
    }
}

impl Subject for Collections {
    fn draw(&mut self, source: &mut Source, key: usize, _client: usize) -> (usize, Call) {
        let percent = if self.len(key) > FULL { self.put_percent / 3 } else { self.put_percent };
        if !source.rng.percent(percent) {
            return (key, self.take());
        }
        let number = source.number();
        // Ascending numbers would make a queue of a priority queue. The factor is odd: distinct numbers below 2^32 stay
        // distinct.
        let number = match self.order {
            Order::Least if source.is_unique() => number.wrapping_mul(0x9E37_79B1) & 0xFFFF_FFFF,
            Order::First | Order::Last | Order::Least => number,
        };
        (key, self.put(&Value::Int(number)))
    }

    /// One that takes something out and whose answer is lost may have taken what a script says was lost.
    fn harmless(&mut self, source: &mut Source, call: Call) -> Call {
        if call == self.take() { self.put(&source.value()) } else { call }
    }

    fn apply(&mut self, object: usize, _client: usize, call: &Call) -> Option<Reply> {
        match call {
            Call::Enqueue(value) | Call::Push(value) => self.objects[object].line.push_back(value.clone()),
            Call::Insert(value) => *self.objects[object].sorted.entry(value.clone()).or_insert(0) += 1,
            _ => return Some(Reply::Returned(self.takes_next(object).unwrap_or_default())),
        }
        Some(Reply::Done)
    }

    /// Why each is impossible whatever the others do: nobody else puts these values in; operations of a script follow
    /// each other, so the order of what it puts in is known; and nobody whose answer is unknown takes anything out.
    fn script(&self, flaw: Flaw, script: &mut Script) {
        // In a priority queue `first` is the least; in a stack it is the upper one, which was put in last.
        let (first, second) = (Value::Int(-2), Value::Int(-1));
        let returns = |value: &Value| Reply::Returned(value.clone());
        let put_both = match self.order {
            Order::First | Order::Least => [&first, &second],
            Order::Last => [&second, &first],
        };
        match flaw.name {
            "lost-element" => {
                if self.order == Order::First {
                    self.drain(script);
                }
                for value in put_both {
                    if *value == first {
                        script.claimed(1, self.put(value), Reply::Done);
                    } else {
                        script.done(0, self.put(value), Reply::Done);
                    }
                }
                script.done(1, self.take(), returns(&second));
            }
            "duplicated-element" => {
                if self.order == Order::First {
                    self.drain(script);
                }
                script.done(0, self.put(&first), Reply::Done).done(0, self.take(), returns(&first));
                script.claimed(1, self.take(), returns(&first));
            }
            "phantom-element" => {
                script.claimed(0, self.take(), returns(&first));
            }
            "reordered-elements" => {
                if self.order == Order::First {
                    self.drain(script);
                }
                for value in put_both {
                    script.done(0, self.put(value), Reply::Done);
                }
                // The objects lose both, in the other order.
                script.done(1, self.take(), returns(&second)).done(1, self.take(), returns(&first));
            }
            "empty-while-nonempty" => {
                self.drain(script);
                script.done(0, self.put(&first), Reply::Done).claimed(1, self.take(), returns(&Value::Null));
                script.done(0, self.take(), returns(&first));
            }
            other => unreachable!("{other} is not in the table"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_order_takes_its_own_next() {
        for (order, expected) in [(Order::First, [3, 1, 2]), (Order::Last, [2, 1, 3]), (Order::Least, [1, 2, 3])] {
            let mut collections = Collections::new(order, 1, 50);
            for number in [3, 1, 2] {
                let call = collections.put(&Value::Int(number));
                assert_eq!(collections.apply(0, 0, &call), Some(Reply::Done));
            }
            assert_eq!(collections.len(0), 3);
            let take = collections.take();
            let taken: Vec<_> = (0..4).map(|_| collections.apply(0, 0, &take).unwrap()).collect();
            let expected = expected.map(Value::Int).into_iter().chain([Value::Null]).map(Reply::Returned);
            assert_eq!(taken, expected.collect::<Vec<_>>());
        }
    }
}
