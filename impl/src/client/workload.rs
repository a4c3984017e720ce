//! What the clients ask for: reads, writes and compare-and-sets of a few keys, by seed.
//!
//! Every written value is unique in its run: a client number and a counter. So each value that a read returns names the
//! operation that wrote it, and the checker is near-linear. All keys begin null, on fresh disks.

use std::collections::BTreeMap;

use sextant_histories::{Call, Key, Value};

use crate::random::Random;

/// The operations of one client.
pub struct Workload {
    random: Random,
    keys: usize,
    next_value: i64,
    /// What the client last saw a key hold: what it compares with.
    seen: BTreeMap<Key, Value>,
    /// Keys that are to be read before anything else.
    sweep: Vec<Key>,
}

/// More operations than a client does in a run, so that no two clients write the same value.
const VALUES_PER_CLIENT: i64 = 10_000_000;

impl Workload {
    pub fn new(seed: u64, client: usize, keys: usize) -> Self {
        let random = Random::new(seed, &format!("client {client}"));
        let next_value = (client as i64 + 1) * VALUES_PER_CLIENT;
        Self { random, keys, next_value, seen: BTreeMap::new(), sweep: Vec::new() }
    }

    /// The client came to another writer: it looks at every key first. What a failover lost or an old writer answers
    /// late shows in reads, and only until the next write to the key.
    pub fn look_around(&mut self) {
        self.sweep = keys(self.keys).collect();
        self.random.shuffle(&mut self.sweep);
    }

    /// The client got no answer: it only reads, so that a paused writer does not retire one process number after the
    /// other, and so that what the writer says first when it wakes is a read.
    pub fn probe(&mut self) -> (Key, Call) {
        (self.key(), Call::Read)
    }

    /// A client under pressure.
    pub fn write(&mut self) -> (Key, Call) {
        (self.key(), Call::Write(self.value()))
    }

    pub fn next_call(&mut self) -> (Key, Call) {
        if let Some(key) = self.sweep.pop() {
            return (key, Call::Read);
        }
        let key = self.key();
        let call = match self.random.below(20) {
            0..8 => Call::Read,
            8..15 => Call::Write(self.value()),
            _ => match self.seen.get(&key).cloned() {
                // Without an old value there is nothing that a compare-and-set of the wire protocol could name.
                None | Some(Value::Null) => Call::Write(self.value()),
                Some(old) => Call::Cas { old, new: self.value() },
            },
        };
        (key, call)
    }

    pub fn saw(&mut self, key: &Key, value: Value) {
        self.seen.insert(key.clone(), value);
    }

    /// Thinking between two operations, in microseconds.
    pub fn think_us(&mut self) -> u64 {
        self.random.between(0, 3000)
    }

    fn key(&mut self) -> Key {
        Key::from(self.random.below(self.keys) as i64)
    }

    fn value(&mut self) -> Value {
        self.next_value += 1;
        Value::Int(self.next_value)
    }
}

/// The keys of a run, in order.
pub fn keys(count: usize) -> impl Iterator<Item = Key> {
    (0..count as i64).map(Key::from)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn written_values_are_unique_and_repeat_with_the_seed() {
        let written = |seed| {
            let mut values = Vec::new();
            for client in 0..12 {
                let mut workload = Workload::new(seed, client, 6);
                for _ in 0..500 {
                    let (key, call) = workload.next_call();
                    match call {
                        Call::Write(new) | Call::Cas { new, .. } => {
                            workload.saw(&key, new.clone());
                            values.push(new);
                        }
                        other => assert_eq!(other, Call::Read),
                    }
                }
            }
            values
        };
        let values = written(1);
        assert_eq!(values.iter().collect::<BTreeSet<_>>().len(), values.len());
        assert_eq!(values, written(1));
    }

    #[test]
    fn after_a_move_every_key_is_read_first() {
        let mut workload = Workload::new(1, 0, 6);
        workload.look_around();
        let read: BTreeSet<Key> = (0..6)
            .map(|_| match workload.next_call() {
                (key, Call::Read) => key,
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(read.len(), 6);
    }
}
