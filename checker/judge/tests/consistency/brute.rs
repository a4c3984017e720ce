//! Promises by their definitions: all orders are tried.

use std::collections::BTreeMap;

use sextant_histories::{Call, History, Key, Micro, MicroKind, Outcome, Reply, Value};

/// A transaction that took effect, or may have.
#[derive(Clone, Debug)]
pub struct Txn {
    pub session: u64,
    /// With what was read, if it is known.
    pub steps: Vec<Micro>,
    pub known: bool,
    pub invoked: usize,
    pub returned: Option<usize>,
}

/// Which orders besides that of the data have to be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    Nothing,
    Sessions,
    RealTime,
}

pub fn transactions(history: &History) -> Vec<Txn> {
    let operations = history.operations().iter().filter(|operation| operation.outcome != Outcome::Fail);
    operations
        .map(|operation| {
            let Call::Txn(call) = &operation.call else { unreachable!("transactions only") };
            let steps = match operation.reply() {
                Some(Reply::Txn(seen)) => seen.to_vec(),
                _ => call.to_vec(),
            };
            let known = operation.reply().is_some();
            let returned = operation.returned();
            Txn { session: operation.process, steps, known, invoked: operation.invoked.index, returned }
        })
        .collect()
}

/// Every choice of which indeterminate transactions took effect.
pub fn worlds(all: &[Txn]) -> Vec<Vec<Txn>> {
    let open: Vec<usize> = (0..all.len()).filter(|number| !all[*number].known).collect();
    (0..1_usize << open.len())
        .map(|mask| {
            let left_out =
                |number: &usize| open.iter().position(|open| open == number).is_some_and(|bit| mask >> bit & 1 == 0);
            (0..all.len()).filter(|number| !left_out(number)).map(|number| all[number].clone()).collect()
        })
        .collect()
}

pub fn must_precede(one: &Txn, other: &Txn, keep: Keep) -> bool {
    match keep {
        Keep::Nothing => false,
        Keep::Sessions => one.session == other.session && one.invoked < other.invoked,
        Keep::RealTime => one.returned.is_some_and(|returned| returned < other.invoked),
    }
}

/// Calls `accept` with every order of `0..count`, until it says yes.
pub fn any_order(count: usize, accept: &mut dyn FnMut(&[usize]) -> bool) -> bool {
    fn extend(order: &mut Vec<usize>, count: usize, accept: &mut dyn FnMut(&[usize]) -> bool) -> bool {
        if order.len() == count {
            return accept(order);
        }
        for next in 0..count {
            if order.contains(&next) {
                continue;
            }
            order.push(next);
            if extend(order, count, accept) {
                return true;
            }
            order.pop();
        }
        false
    }
    extend(&mut Vec::new(), count, accept)
}

pub type State = BTreeMap<Key, Vec<Value>>;

pub fn apply(state: &mut State, step: &Micro) {
    let object = state.entry(step.key.clone()).or_default();
    if step.kind == MicroKind::Write {
        object.clear();
    }
    object.push(step.value.clone());
}

fn looks_like(object: Option<&Vec<Value>>, seen: &Value, lists: bool) -> bool {
    let empty = Vec::new();
    let object = object.unwrap_or(&empty);
    match seen {
        Value::Null => object.is_empty(),
        Value::List(list) if lists => list[..] == object[..],
        seen => !lists && object.last() == Some(seen),
    }
}

/// Whether the transaction's reads are right if it runs by itself on `state`, which it changes.
pub fn runs(state: &mut State, txn: &Txn, lists: bool) -> bool {
    for step in &txn.steps {
        match step.kind {
            MicroKind::Read if txn.known && !looks_like(state.get(&step.key), &step.value, lists) => return false,
            MicroKind::Read => {}
            _ => apply(state, step),
        }
    }
    true
}

pub fn serializable(history: &History, lists: bool, keep: Keep) -> bool {
    worlds(&transactions(history)).iter().any(|world| {
        any_order(world.len(), &mut |order| {
            let keeps = order.iter().enumerate().all(|(place, one)| {
                order[..place].iter().all(|earlier| !must_precede(&world[*one], &world[*earlier], keep))
            });
            let mut state = State::new();
            keeps && order.iter().all(|number| runs(&mut state, &world[*number], lists))
        })
    })
}

/// Snapshot isolation as a machine: a transaction takes a snapshot when it starts, sees that and its own writes, and at its
/// commit its writes are put in place all at once; two that write the same key are not open at the same time.
pub fn snapshot_isolated(history: &History, lists: bool, keep: Keep) -> bool {
    worlds(&transactions(history)).iter().any(|world| {
        let mut machine =
            Machine { world, lists, keep, started: vec![None; world.len()], committed: vec![false; world.len()] };
        machine.run(&State::new(), 0)
    })
}

struct Machine<'w> {
    world: &'w [Txn],
    lists: bool,
    keep: Keep,
    /// How many had committed when it started.
    started: Vec<Option<usize>>,
    committed: Vec<bool>,
}

impl Machine<'_> {
    fn run(&mut self, state: &State, commits: usize) -> bool {
        if self.committed.iter().all(|committed| *committed) {
            return true;
        }
        for number in 0..self.world.len() {
            match self.started[number] {
                None => {
                    let open = |other: usize| !self.committed[other];
                    let too_early = (0..self.world.len())
                        .any(|other| open(other) && must_precede(&self.world[other], &self.world[number], self.keep));
                    let mut own = state.clone();
                    if too_early || !runs(&mut own, &self.world[number], self.lists) {
                        continue;
                    }
                    self.started[number] = Some(commits);
                    if self.run(state, commits) {
                        return true;
                    }
                    self.started[number] = None;
                }
                Some(_) if !self.committed[number] => {
                    // Who else is open and writes one of its keys would be concurrent with it.
                    let conflict = (0..self.world.len()).any(|other| {
                        other != number
                            && self.started[other].is_some()
                            && !self.committed[other]
                            && write_the_same(&self.world[other], &self.world[number])
                    });
                    if conflict {
                        continue;
                    }
                    let mut after = state.clone();
                    let writes = self.world[number].steps.iter().filter(|step| step.kind != MicroKind::Read);
                    writes.for_each(|step| apply(&mut after, step));
                    self.committed[number] = true;
                    if self.run(&after, commits + 1) {
                        return true;
                    }
                    self.committed[number] = false;
                }
                Some(_) => {}
            }
        }
        false
    }
}

fn write_the_same(one: &Txn, other: &Txn) -> bool {
    let writes = |step: &&Micro| step.kind != MicroKind::Read;
    one.steps.iter().filter(writes).any(|step| other.steps.iter().filter(writes).any(|write| write.key == step.key))
}

/// Adya's PL-2 where no transaction touches a key twice: an order of commits in which everybody read what an earlier one
/// had left, and lists show it.
pub fn read_committed_by_adya(history: &History, lists: bool) -> bool {
    worlds(&transactions(history)).iter().any(|world| {
        any_order(world.len(), &mut |order| {
            let mut left: BTreeMap<Key, Vec<Vec<Value>>> = BTreeMap::new();
            let mut all = State::new();
            for number in order {
                for step in world[*number].steps.iter().filter(|step| step.kind != MicroKind::Read) {
                    apply(&mut all, step);
                    let object = all[&step.key].clone();
                    left.entry(step.key.clone()).or_default().push(object);
                }
            }
            order.iter().enumerate().all(|(place, number)| {
                let txn = &world[*number];
                let reads = txn.steps.iter().filter(|step| step.kind == MicroKind::Read && txn.known);
                reads.into_iter().all(|read| {
                    let before = order[..place].iter().flat_map(|earlier| &world[*earlier].steps);
                    let count = before.filter(|step| step.kind != MicroKind::Read && step.key == read.key).count();
                    let versions = left.get(&read.key).map_or(&[][..], |versions| &versions[..count]);
                    read.value == Value::Null
                        || read.value == Value::List([].into())
                        || versions.iter().any(|version| looks_like(Some(version), &read.value, lists))
                })
            })
        })
    })
}
