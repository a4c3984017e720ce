//! Small random histories of every object, and a model that tells nothing of itself.

use sextant_histories::generate::Rng;
use sextant_histories::{Call, Event, History, Key, Kind, Micro, MicroKind, Reply, Value};
use sextant_judge::linearizability::Model;

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
fn random(
    rng: &mut Rng,
    events: usize,
    key: &Key,
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
        made.push(Event { process, kind, call, key: key.clone(), time: None });
    }
    History::from_events(made).unwrap()
}

/// A random history of the object with this name. Values recur, replies are drawn.
pub fn of(name: &str, rng: &mut Rng, events: usize) -> History {
    let key = if name == "multi-register" { Key::None } else { "x".into() };
    random(rng, events, &key, |rng| call(name, rng), |rng, call| reply(name, rng, call))
}

pub fn call(name: &str, rng: &mut Rng) -> Call {
    let first = rng.below(2) == 0;
    match name {
        "register" if first => Call::Read,
        "register" => Call::Write(value(rng)),
        "cas-register" => match rng.below(3) {
            0 => Call::Read,
            1 => Call::Write(value(rng)),
            _ => Call::Cas { old: value(rng), new: value(rng) },
        },
        "queue" if first => Call::Enqueue(small(rng)),
        "queue" => Call::Dequeue,
        "stack" if first => Call::Push(small(rng)),
        "stack" => Call::Pop,
        "priority-queue" if first => Call::Insert(small(rng)),
        "priority-queue" => Call::PopMin,
        "set" => match rng.below(7) {
            0 => Call::Read,
            1 | 2 => Call::Contains(small(rng)),
            3 | 4 => Call::Remove(small(rng)),
            _ => Call::Add(small(rng)),
        },
        "counter" if first => Call::Read,
        "counter" => Call::Add(small(rng)),
        "mutex" if first => Call::Acquire,
        "mutex" => Call::Release,
        "append-list" if first => Call::Read,
        "append-list" => Call::Append(small(rng)),
        "key-value" => match rng.below(3) {
            0 => Call::Write(letter(rng)),
            1 => Call::Append(letter(rng)),
            _ => Call::Read,
        },
        "multi-register" => {
            let length = 1 + rng.below(2);
            Call::Txn((0..length).map(|_| step(rng)).collect())
        }
        other => panic!("{other}"),
    }
}

pub fn reply(name: &str, rng: &mut Rng, call: &Call) -> Reply {
    match call {
        Call::Read if name == "counter" => Reply::Read(Value::Int(rng.below(5) as i64)),
        Call::Read if name == "set" => Reply::Read((1..=3).filter(|_| rng.below(3) == 0).map(Value::Int).collect()),
        Call::Read if name == "append-list" => {
            let length = rng.below(3);
            Reply::Read((0..length).map(|_| small(rng)).collect())
        }
        Call::Read if name == "key-value" => {
            let length = rng.below(4);
            let text: String = (0..length).map(|_| ["a", "b"][rng.below(2)]).collect();
            Reply::Read(if text.is_empty() { Value::Null } else { text.as_str().into() })
        }
        Call::Txn(steps) => Reply::Txn(
            steps
                .iter()
                .map(|step| match step.kind {
                    MicroKind::Read => Micro { value: value(rng), ..step.clone() },
                    MicroKind::Write | MicroKind::Append => step.clone(),
                })
                .collect(),
        ),
        Call::Read => Reply::Read(value(rng)),
        Call::Write(_) => Reply::Written,
        Call::Cas { .. } if rng.below(2) == 0 => Reply::Swapped,
        Call::Cas { .. } => Reply::Differed,
        Call::Dequeue | Call::Pop | Call::PopMin if rng.below(5) == 0 => Reply::Returned(Value::Null),
        Call::Dequeue | Call::Pop | Call::PopMin => Reply::Returned(small(rng)),
        Call::Add(_) if name == "counter" => Reply::Done,
        Call::Add(_) | Call::Remove(_) if rng.below(4) == 0 => Reply::Done,
        Call::Add(_) | Call::Remove(_) | Call::Contains(_) => Reply::Returned((rng.below(2) == 0).into()),
        _ => Reply::Done,
    }
}

fn step(rng: &mut Rng) -> Micro {
    let key = ["x", "y"][rng.below(2)].into();
    match rng.below(2) {
        0 => Micro { kind: MicroKind::Read, key, value: Value::Null },
        _ => Micro { kind: MicroKind::Write, key, value: small(rng) },
    }
}

fn letter(rng: &mut Rng) -> Value {
    ["a", "b"][rng.below(2)].into()
}

fn value(rng: &mut Rng) -> Value {
    if rng.below(6) == 0 { Value::Null } else { small(rng) }
}

fn small(rng: &mut Rng) -> Value {
    Value::Int(rng.below(3) as i64 + 1)
}
