//! Small models of queues, stacks and sets, and small random histories of them and of registers.

use std::collections::{BTreeSet, VecDeque};

use sextant::linearizability::{Family, Model};
use sextant_histories::generate::Rng;
use sextant_histories::{Call, Event, History, Kind, Reply, Value};

/// A collection by its family, spelt out naively.
pub struct Naive(pub Family);

impl Model for Naive {
    type State = VecDeque<Value>;

    fn name(&self) -> &str {
        match self.0 {
            Family::Queue => "queue",
            Family::Stack => "stack",
            Family::PriorityQueue => "priority-queue",
            _ => "set",
        }
    }

    fn initial(&self) -> Self::State {
        VecDeque::new()
    }

    fn step(&self, state: &Self::State, call: &Call, reply: Option<&Reply>) -> Option<Self::State> {
        let mut next = state.clone();
        let answer = match call {
            Call::Enqueue(value) | Call::Push(value) | Call::Insert(value) => {
                next.push_back(value.clone());
                Reply::Done
            }
            Call::Dequeue => Reply::Returned(next.pop_front().unwrap_or_default()),
            Call::Pop => Reply::Returned(next.pop_back().unwrap_or_default()),
            Call::PopMin => {
                let least = next.iter().min().cloned().unwrap_or_default();
                if let Some(place) = next.iter().position(|value| *value == least) {
                    next.remove(place);
                }
                Reply::Returned(least)
            }
            Call::Add(value) | Call::Remove(value) | Call::Contains(value) => {
                let mut set: BTreeSet<Value> = next.into_iter().collect();
                let answer = match call {
                    Call::Add(_) => set.insert(value.clone()),
                    Call::Remove(_) => set.remove(value),
                    _ => set.contains(value),
                };
                next = set.into_iter().collect();
                Reply::Returned(answer.into())
            }
            _ => return None,
        };
        reply.is_none_or(|reply| *reply == answer).then_some(next)
    }

    fn supports(&self, call: &Call) -> bool {
        match self.0 {
            Family::Queue => matches!(call, Call::Enqueue(_) | Call::Dequeue),
            Family::Stack => matches!(call, Call::Push(_) | Call::Pop),
            Family::PriorityQueue => matches!(call, Call::Insert(_) | Call::PopMin),
            _ => matches!(call, Call::Add(_) | Call::Remove(_) | Call::Contains(_)),
        }
    }

    fn family(&self) -> Family {
        self.0.clone()
    }
}

/// A model that keeps to itself what it is, so that nothing is pruned and no special algorithm applies.
pub struct Blunt<'a, M>(pub &'a M);

impl<M: Model> Model for Blunt<'_, M> {
    type State = M::State;

    fn name(&self) -> &str {
        self.0.name()
    }

    fn initial(&self) -> M::State {
        self.0.initial()
    }

    fn step(&self, state: &M::State, call: &Call, reply: Option<&Reply>) -> Option<M::State> {
        self.0.step(state, call, reply)
    }

    fn supports(&self, call: &Call) -> bool {
        self.0.supports(call)
    }
}

/// A history of `calls` with replies that are drawn, not computed: `reply` gives one that answers the call.
pub fn random(
    rng: &mut Rng,
    events: usize,
    call: impl Fn(&mut Rng) -> Call,
    reply: impl Fn(&mut Rng, &Call) -> Reply,
) -> History {
    let processes = 2 + rng.below(3);
    let mut open: Vec<Option<Call>> = vec![None; processes];
    let mut next_name: Vec<u64> = (0..processes as u64).collect();
    let mut made = Vec::new();
    for _ in 0..events {
        let slot = rng.below(processes);
        let process = next_name[slot];
        let (call, kind) = match open[slot].take() {
            None => {
                let call = call(rng);
                open[slot] = Some(call.clone());
                (call, Kind::Invoke)
            }
            Some(call) => {
                let kind = match rng.below(12) {
                    0 => Kind::Fail,
                    1 => Kind::Info,
                    _ => Kind::Ok(reply(rng, &call)),
                };
                (call, kind)
            }
        };
        if kind == Kind::Info {
            next_name[slot] += processes as u64;
        }
        made.push(Event { process, kind, call, key: "x".into(), time: None });
    }
    History::from_events(made).unwrap()
}

pub fn small(rng: &mut Rng) -> Value {
    Value::Int(rng.below(3) as i64 + 1)
}

/// A random history of a collection. Elements recur.
pub fn collection(rng: &mut Rng, events: usize, family: &Family) -> History {
    let family = family.clone();
    let call = move |rng: &mut Rng| {
        let puts = rng.below(2) == 0;
        match family {
            Family::Queue if puts => Call::Enqueue(small(rng)),
            Family::Queue => Call::Dequeue,
            Family::Stack if puts => Call::Push(small(rng)),
            Family::Stack => Call::Pop,
            Family::PriorityQueue if puts => Call::Insert(small(rng)),
            Family::PriorityQueue => Call::PopMin,
            _ if puts => Call::Add(small(rng)),
            _ if rng.below(2) == 0 => Call::Remove(small(rng)),
            _ => Call::Contains(small(rng)),
        }
    };
    let reply = |rng: &mut Rng, call: &Call| match call {
        Call::Dequeue | Call::Pop | Call::PopMin if rng.below(5) == 0 => Reply::Returned(Value::Null),
        Call::Dequeue | Call::Pop | Call::PopMin => Reply::Returned(small(rng)),
        Call::Add(_) | Call::Remove(_) | Call::Contains(_) => Reply::Returned((rng.below(2) == 0).into()),
        _ => Reply::Done,
    };
    random(rng, events, call, reply)
}

/// A random history of a register. Values recur.
pub fn register(rng: &mut Rng, events: usize, cas: bool) -> History {
    let value = |rng: &mut Rng| if rng.below(6) == 0 { Value::Null } else { small(rng) };
    let call = |rng: &mut Rng| match rng.below(if cas { 3 } else { 2 }) {
        0 => Call::Read,
        1 => Call::Write(value(rng)),
        _ => Call::Cas { old: value(rng), new: value(rng) },
    };
    let reply = |rng: &mut Rng, call: &Call| match call {
        Call::Read => Reply::Read(value(rng)),
        Call::Write(_) => Reply::Written,
        _ if rng.below(2) == 0 => Reply::Swapped,
        _ => Reply::Differed,
    };
    random(rng, events, call, reply)
}
