//! Every object once more, as a programmer would write it who has never seen a model, and histories of it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use sextant_histories::generate::Rng;
use sextant_histories::{Call, Event, History, Key, Kind, Micro, MicroKind, Reply, Value};

/// What is in one object.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Object {
    Register(Value),
    Registers(BTreeMap<Key, Value>),
    Counter(i64),
    Set(BTreeSet<Value>),
    Queue(VecDeque<Value>),
    Stack(Vec<Value>),
    PriorityQueue(Vec<Value>),
    Mutex { held: bool },
    Text(Option<String>),
    List(Vec<Value>),
}

impl Object {
    /// As the model of this name begins.
    pub fn new(name: &str) -> Self {
        match name {
            "register" | "cas-register" => Self::Register(Value::Null),
            "multi-register" => Self::Registers(BTreeMap::new()),
            "counter" => Self::Counter(0),
            "set" => Self::Set(BTreeSet::new()),
            "queue" => Self::Queue(VecDeque::new()),
            "stack" => Self::Stack(Vec::new()),
            "priority-queue" => Self::PriorityQueue(Vec::new()),
            "mutex" => Self::Mutex { held: false },
            "key-value" => Self::Text(None),
            "append-list" => Self::List(Vec::new()),
            other => panic!("no object is called {other}"),
        }
    }

    /// Does it, and says all that can be said of it; none where it would wait for ever.
    pub fn invoke(&mut self, call: &Call) -> Option<Reply> {
        Some(match (self, call) {
            (Self::Register(value), Call::Read) => Reply::Read(value.clone()),
            (Self::Register(value), Call::Write(new)) => {
                *value = new.clone();
                Reply::Written
            }
            (Self::Register(value), Call::Cas { old, new }) => {
                if value != old {
                    return Some(Reply::Differed);
                }
                *value = new.clone();
                Reply::Swapped
            }
            (Self::Registers(values), Call::Txn(steps)) => {
                let mut seen = Vec::new();
                for step in steps.iter() {
                    let value = match step.kind {
                        MicroKind::Read => values.get(&step.key).cloned().unwrap_or_default(),
                        MicroKind::Write => {
                            // Null is what was never written, so that equal registers are equal maps.
                            values.insert(step.key.clone(), step.value.clone());
                            values.retain(|_, value| *value != Value::Null);
                            step.value.clone()
                        }
                        MicroKind::Append => panic!("registers hold no lists"),
                    };
                    seen.push(Micro { value, ..step.clone() });
                }
                Reply::Txn(seen.into())
            }
            (Self::Counter(sum), Call::Read) => Reply::Read((*sum).into()),
            (Self::Counter(sum), Call::Add(Value::Int(more))) => {
                *sum += more;
                Reply::Returned((*sum).into())
            }
            (Self::Set(all), Call::Read) => Reply::Read(all.iter().cloned().collect()),
            (Self::Set(all), Call::Contains(value)) => Reply::Returned(all.contains(value).into()),
            (Self::Set(all), Call::Add(value)) => Reply::Returned(all.insert(value.clone()).into()),
            (Self::Set(all), Call::Remove(value)) => Reply::Returned(all.remove(value).into()),
            (Self::Queue(all), Call::Enqueue(value)) => {
                all.push_back(value.clone());
                Reply::Done
            }
            (Self::Queue(all), Call::Dequeue) => Reply::Returned(all.pop_front().unwrap_or_default()),
            (Self::Stack(all), Call::Push(value)) => {
                all.push(value.clone());
                Reply::Done
            }
            (Self::Stack(all), Call::Pop) => Reply::Returned(all.pop().unwrap_or_default()),
            (Self::PriorityQueue(all), Call::Insert(value)) => {
                all.push(value.clone());
                all.sort();
                Reply::Done
            }
            (Self::PriorityQueue(all), Call::PopMin) => {
                Reply::Returned(if all.is_empty() { Value::Null } else { all.remove(0) })
            }
            (Self::Mutex { held }, Call::Acquire | Call::Release) => {
                if *held == (*call == Call::Acquire) {
                    return None;
                }
                *held = !*held;
                Reply::Done
            }
            (Self::Text(text), Call::Read) => Reply::Read(text.as_deref().map_or(Value::Null, Value::from)),
            (Self::Text(text), Call::Write(Value::Str(new))) => {
                *text = Some(new.to_string());
                Reply::Written
            }
            (Self::Text(text), Call::Append(Value::Str(more))) => {
                text.get_or_insert_default().push_str(more);
                Reply::Done
            }
            (Self::List(all), Call::Append(value)) => {
                all.push(value.clone());
                Reply::Done
            }
            (Self::List(all), Call::Read) => Reply::Read(all.iter().cloned().collect()),
            (object, call) => panic!("{object:?} has no {call}"),
        })
    }
}

/// Whether `said`, which may be less than everything, is true where `all` is the whole truth.
pub fn agrees(said: &Reply, all: &Reply) -> bool {
    match (said, all) {
        // Not everybody who adds is told what that came to.
        (Reply::Done, Reply::Returned(_)) => true,
        (Reply::Read(Value::Null), Reply::Read(Value::List(list))) => list.is_empty(),
        (Reply::Read(Value::List(said)), Reply::Read(Value::List(all))) => said == all,
        _ => said == all,
    }
}

/// The history that a list of choices stands for; any list stands for one, and each choice for an event at most. Some are
/// simulated with a lie now and then, in others every answer is made up.
pub fn history(name: &str, choices: &[u64]) -> History {
    let mut object = Object::new(name);
    let shape = choices.first().copied().unwrap_or_default();
    let processes = 2 + (shape % 3) as usize;
    let lies = [0, 10, 30, 100][(shape / 3 % 4) as usize];
    let mut open: Vec<Option<(Call, Option<Reply>)>> = vec![None; processes];
    let mut names: Vec<u64> = (0..processes as u64).collect();
    let mut made = Vec::new();
    for choice in choices {
        let mut rng = Rng::new(*choice);
        if let Some((call, reply @ None)) = &mut open[rng.below(processes)]
            && rng.below(2) == 0
        {
            *reply = object.invoke(call);
        }
        let slot = rng.below(processes);
        let process = names[slot];
        let (call, kind) = match open[slot].take() {
            None => {
                let call = super::small::call(name, &mut rng);
                open[slot] = Some((call.clone(), None));
                (call, Kind::Invoke)
            }
            Some((call, reply)) => {
                let lied = super::small::reply(name, &mut rng, &call);
                let ended = rng.below(12);
                let reply = if ended < 2 { reply } else { reply.or_else(|| object.invoke(&call)) };
                let kind = match (ended, reply) {
                    (0, None) => Kind::Fail,
                    (0 | 1, _) => {
                        names[slot] += processes as u64;
                        Kind::Info
                    }
                    (_, Some(reply)) if rng.below(100) >= lies => Kind::Ok(told(reply, &lied)),
                    (_, None) if rng.below(100) >= lies => Kind::Fail,
                    _ => Kind::Ok(lied),
                };
                (call, kind)
            }
        };
        let key = if name == "multi-register" { Key::None } else { "x".into() };
        made.push(Event { process, kind, call, key, time: None });
    }
    History::from_events(made).unwrap()
}

/// The truth, but no more of it than the other answer says.
fn told(reply: Reply, other: &Reply) -> Reply {
    if *other == Reply::Done { Reply::Done } else { reply }
}
