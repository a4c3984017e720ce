//! Small random histories of transactions.

use sextant_histories::generate::Rng;
use sextant_histories::{Call, Event, History, Key, Kind, Micro, MicroKind, Reply, Value};

/// What to make.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    pub transactions: usize,
    pub sessions: usize,
    pub keys: usize,
    pub steps: usize,
    pub lists: bool,
    /// Each transaction touches a key at most once.
    pub once: bool,
    /// Percent.
    pub failed: u32,
    pub lost: u32,
}

struct Running {
    process: u64,
    call: Vec<Micro>,
    reply: Vec<Micro>,
    snapshot: Vec<Vec<Value>>,
}

/// Replies come from a store that is multi-versioned and careless: a transaction reads from a snapshot that may be old,
/// or from the state now, or, seldom, anything.
pub fn history(rng: &mut Rng, shape: &Shape) -> History {
    let mut events: Vec<Event> = Vec::new();
    let mut state: Vec<Vec<Value>> = vec![Vec::new(); shape.keys];
    let mut states = vec![state.clone()];
    let mut written: Vec<Vec<Value>> = vec![Vec::new(); shape.keys];
    let mut running: Vec<Option<Running>> = (0..shape.sessions).map(|_| None).collect();
    let mut processes: Vec<u64> = (0..shape.sessions as u64).collect();
    let mut begun = 0;
    let mut next_value = 1_i64;
    while begun < shape.transactions || running.iter().any(Option::is_some) {
        let session = rng.below(shape.sessions);
        let Some(mut transaction) = running[session].take() else {
            if begun == shape.transactions {
                continue;
            }
            begun += 1;
            let call = call(rng, shape, &mut next_value);
            for step in call.iter().filter(|step| step.kind != MicroKind::Read) {
                written[number(&step.key)].push(step.value.clone());
            }
            let snapshot = match rng.below(3) {
                0 => states[rng.below(states.len())].clone(),
                _ => state.clone(),
            };
            events.push(event(processes[session], Kind::Invoke, &call));
            running[session] = Some(Running { process: processes[session], call, reply: Vec::new(), snapshot });
            continue;
        };
        if transaction.reply.len() < transaction.call.len() && rng.below(4) > 0 {
            let step = transaction.call[transaction.reply.len()].clone();
            transaction.reply.push(answer(rng, &step, &transaction, &state, &written, shape));
            running[session] = Some(transaction);
            continue;
        }
        while transaction.reply.len() < transaction.call.len() {
            let step = transaction.call[transaction.reply.len()].clone();
            transaction.reply.push(answer(rng, &step, &transaction, &state, &written, shape));
        }
        let failed = rng.percent(shape.failed);
        let lost = !failed && rng.percent(shape.lost);
        let applied = if failed { rng.below(8) == 0 } else { !lost || rng.below(2) == 0 };
        if applied {
            for step in transaction.call.iter().filter(|step| step.kind != MicroKind::Read) {
                install(&mut state[number(&step.key)], step);
            }
            states.push(state.clone());
        }
        let kind = match (failed, lost) {
            (true, _) => Kind::Fail,
            (_, true) => Kind::Info,
            _ => Kind::Ok(Reply::Txn(transaction.reply.clone().into())),
        };
        if lost {
            processes[session] = processes.iter().max().map_or(0, |highest| highest + 1);
        }
        events.push(event(transaction.process, kind, &transaction.call));
    }
    History::from_events(events).expect("one operation at a time")
}

fn event(process: u64, kind: Kind, call: &[Micro]) -> Event {
    Event { process, kind, call: Call::Txn(call.to_vec().into()), key: Key::None, time: None }
}

fn call(rng: &mut Rng, shape: &Shape, next_value: &mut i64) -> Vec<Micro> {
    let count = 1 + rng.below(shape.steps);
    let mut call: Vec<Micro> = Vec::new();
    for _ in 0..count {
        let key = Key::Int(rng.below(shape.keys) as i64);
        if shape.once && call.iter().any(|step| step.key == key) {
            continue;
        }
        let (kind, value) = if rng.below(2) == 0 {
            (MicroKind::Read, Value::Null)
        } else {
            *next_value += 1;
            let kind = if shape.lists { MicroKind::Append } else { MicroKind::Write };
            (kind, Value::Int(*next_value - 1))
        };
        call.push(Micro { kind, key, value });
    }
    call
}

fn number(key: &Key) -> usize {
    match key {
        Key::Int(key) => *key as usize,
        _ => unreachable!("keys are numbers here"),
    }
}

fn install(object: &mut Vec<Value>, step: &Micro) {
    if step.kind == MicroKind::Write {
        object.clear();
    }
    object.push(step.value.clone());
}

fn answer(
    rng: &mut Rng,
    step: &Micro,
    transaction: &Running,
    state: &[Vec<Value>],
    written: &[Vec<Value>],
    shape: &Shape,
) -> Micro {
    if step.kind != MicroKind::Read {
        return step.clone();
    }
    let key = number(&step.key);
    let mut object = if rng.below(6) == 0 { state[key].clone() } else { transaction.snapshot[key].clone() };
    for own in transaction.reply.iter().filter(|own| own.kind != MicroKind::Read && own.key == step.key) {
        install(&mut object, own);
    }
    let value = match rng.below(if shape.once { 5 } else { 20 }) {
        0 if !written[key].is_empty() => {
            let any = written[key][rng.below(written[key].len())].clone();
            if shape.lists { [any].into_iter().collect() } else { any }
        }
        1 if shape.lists => {
            object.pop();
            object.into_iter().collect()
        }
        _ if shape.lists => object.into_iter().collect(),
        _ => object.last().cloned().unwrap_or(Value::Null),
    };
    Micro { kind: MicroKind::Read, key: step.key.clone(), value }
}
