//! Collections with distinct elements, a counter and a mutex: time and memory of a whole check.
//!
//! `cargo bench --bench collections [-- 1000000]` prints one table: histories of 10 clients, true but for the rows that
//! say `invalid`, in which two replies near the end are exchanged or one is made up. Each row is a process of its own, so
//! that its peak memory is its own; `held` is what the history itself takes.

use std::collections::{BTreeSet, BinaryHeap, VecDeque};
use std::process::{Command, ExitCode};
use std::time::Instant;

use sextant::linearizability::{
    Counter, Finding, Limits, Model, Mutex, PriorityQueue, Queue, Set, Stack, check, verify,
};
use sextant::verdict::Verdict;
use sextant_histories::generate::Rng;
use sextant_histories::{Call, Event, History, Kind, Reply, Value};

#[global_allocator]
static GLOBAL: mimalloc::MiMalloc = mimalloc::MiMalloc;

const CLIENTS: usize = 10;
const OBJECTS: [&str; 7] = ["queue", "stack", "priority-queue", "set", "set-read", "counter", "mutex"];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    match &arguments[..] {
        [object, operations, verdict] => row(object, number(operations), verdict == "invalid"),
        [] => table(&[100_000, 1_000_000]),
        sizes => table(&sizes.iter().map(|size| number(size)).collect::<Vec<_>>()),
    }
}

fn number(text: &str) -> usize {
    text.parse().expect("a number of operations")
}

fn table(sizes: &[usize]) -> ExitCode {
    println!(
        "{:<16}{:>12}{:>10}{:>12}{:>12}{:>12}",
        "object", "operations", "verdict", "check, s", "held, MB", "peak, MB"
    );
    let program = std::env::current_exe().expect("the path of this program");
    for object in OBJECTS {
        for size in sizes {
            for verdict in ["valid", "invalid"] {
                let child = Command::new(&program).args([object, &size.to_string(), verdict]).status();
                if !child.expect("a child process").success() {
                    return ExitCode::FAILURE;
                }
            }
        }
    }
    ExitCode::SUCCESS
}

fn row(object: &str, operations: usize, invalid: bool) -> ExitCode {
    let history = history(object, operations, invalid);
    match object {
        "queue" => measure(object, &history, &Queue, invalid),
        "stack" => measure(object, &history, &Stack, invalid),
        "priority-queue" => measure(object, &history, &PriorityQueue, invalid),
        "set" | "set-read" => measure(object, &history, &Set, invalid),
        "counter" => measure(object, &history, &Counter::default(), invalid),
        "mutex" => measure(object, &history, &Mutex, invalid),
        other => panic!("no object {other}"),
    }
}

fn measure<M: Model>(object: &str, history: &History, model: &M, invalid: bool) -> ExitCode {
    let held = memory("VmRSS:");
    let start = Instant::now();
    let report = check(history, model, &Limits::default());
    let seconds = start.elapsed().as_secs_f64();
    let peak = memory("VmHWM:");
    let (operations, verdict) = (report.operations, report.verdict());
    println!("{object:<16}{operations:>12}{verdict:>10}{seconds:>12.3}{held:>12}{peak:>12}");
    let replays = match &report.finding {
        Finding::Valid(linearizations) => verify(history, model, linearizations).is_ok(),
        Finding::Invalid(_) | Finding::Unknown(_) => true,
    };
    let expected = if invalid { Verdict::Invalid } else { Verdict::Valid };
    if verdict == expected && replays { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// In MB; 0 where the system does not say.
fn memory(field: &str) -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(field));
    line.and_then(|line| line.split_whitespace().next()?.parse::<usize>().ok()).unwrap_or(0) / 1024
}

#[derive(Default)]
struct Object {
    queue: VecDeque<i64>,
    stack: Vec<i64>,
    heap: BinaryHeap<std::cmp::Reverse<i64>>,
    set: BTreeSet<i64>,
    sum: i64,
    locked: bool,
}

impl Object {
    /// None where a lock is not in the state for it.
    fn apply(&mut self, call: &Call) -> Option<Reply> {
        let found = |element: Option<i64>| Reply::Returned(element.map_or(Value::Null, Value::Int));
        Some(match call {
            Call::Enqueue(Value::Int(element)) => {
                self.queue.push_back(*element);
                Reply::Done
            }
            Call::Push(Value::Int(element)) => {
                self.stack.push(*element);
                Reply::Done
            }
            Call::Insert(Value::Int(element)) => {
                self.heap.push(std::cmp::Reverse(*element));
                Reply::Done
            }
            Call::Dequeue => found(self.queue.pop_front()),
            Call::Pop => found(self.stack.pop()),
            Call::PopMin => found(self.heap.pop().map(|element| element.0)),
            Call::Add(Value::Int(element)) => {
                self.sum += 1;
                self.set.insert(*element);
                Reply::Done
            }
            Call::Remove(Value::Int(element)) => Reply::Returned(self.set.remove(element).into()),
            Call::Contains(Value::Int(element)) => Reply::Returned(self.set.contains(element).into()),
            Call::Read => Reply::Read(Value::Int(self.sum)),
            Call::Acquire | Call::Release => {
                if self.locked == (*call == Call::Acquire) {
                    return None;
                }
                self.locked = !self.locked;
                Reply::Done
            }
            other => panic!("no object has {other}"),
        })
    }
}

struct Client {
    call: Call,
    reply: Option<Reply>,
}

fn history(name: &str, operations: usize, invalid: bool) -> History {
    let mut rng = Rng::new(7);
    let mut object = Object::default();
    let mut clients: Vec<Option<Client>> = (0..CLIENTS).map(|_| None).collect();
    let mut events: Vec<Event> = Vec::with_capacity(2 * operations + 2);
    let (mut invoked, mut running) = (0, 0);
    while invoked < operations || running > 0 {
        let process = rng.below(CLIENTS);
        let event = |kind, call| Event { process: process as u64, kind, call, key: "x".into(), time: None };
        match clients[process].take() {
            None if invoked == operations => {}
            None => {
                invoked += 1;
                running += 1;
                let call = draw(name, &mut rng, invoked as i64);
                events.push(event(Kind::Invoke, call.clone()));
                clients[process] = Some(Client { call, reply: None });
            }
            // A lock that is not in the state for it waits, or gives up.
            Some(Client { call, reply: None }) if rng.percent(50) => {
                let reply = object.apply(&call);
                if reply.is_none() && rng.percent(50) {
                    running -= 1;
                    events.push(event(Kind::Fail, call));
                } else {
                    clients[process] = Some(Client { call, reply });
                }
            }
            Some(client @ Client { reply: None, .. }) => clients[process] = Some(client),
            Some(Client { call, reply: Some(reply) }) => {
                running -= 1;
                events.push(event(Kind::Ok(reply), call));
            }
        }
    }
    if name == "set-read" {
        let mut elements: Vec<Value> = object.set.iter().map(|element| Value::Int(*element)).collect();
        if invalid {
            elements.pop();
        }
        let event = |kind| Event { process: 0, kind, call: Call::Read, key: "x".into(), time: None };
        events.extend([event(Kind::Invoke), event(Kind::Ok(Reply::Read(elements.into_iter().collect())))]);
    } else if invalid {
        spoil(&mut events, operations as i64);
    }
    History::from_events(events).expect("events that fit together")
}

fn draw(name: &str, rng: &mut Rng, number: i64) -> Call {
    let first = rng.percent(50);
    let some = |rng: &mut Rng| Value::Int(number - rng.below(40) as i64);
    match name {
        "queue" if first => Call::Enqueue(Value::Int(number)),
        "queue" => Call::Dequeue,
        "stack" if first => Call::Push(Value::Int(number)),
        "stack" => Call::Pop,
        // Scattered priorities; odd multipliers keep them distinct.
        "priority-queue" if first => Call::Insert(Value::Int((number * 0x9E37_79B1) & 0xFFFF_FFFF)),
        "priority-queue" => Call::PopMin,
        "set" if first => Call::Add(Value::Int(number)),
        "set" if rng.percent(50) => Call::Remove(some(rng)),
        "set" => Call::Contains(some(rng)),
        "set-read" => Call::Add(Value::Int(number)),
        "counter" if first => Call::Add(Value::Int(1)),
        "counter" => Call::Read,
        "mutex" if first => Call::Acquire,
        "mutex" => Call::Release,
        other => panic!("no object {other}"),
    }
}

/// Makes something of the last tenth wrong: exchanges what two operations far apart returned, or lets a read return too
/// much, or an attempt succeed that had failed.
fn spoil(events: &mut [Event], operations: i64) {
    let start = events.len() - events.len() / 10;
    let taken = |event: &Event| matches!(&event.kind, Kind::Ok(Reply::Returned(Value::Int(_))));
    let late: Vec<usize> = (start..events.len()).filter(|index| taken(&events[*index])).collect();
    if let [one, .., other] = late[..] {
        let kind = std::mem::replace(&mut events[one].kind, Kind::Fail);
        events[one].kind = std::mem::replace(&mut events[other].kind, kind);
        return;
    }
    for event in &mut events[start..] {
        let wrong = match (&event.call, &event.kind) {
            (Call::Read, Kind::Ok(_)) => Reply::Read(Value::Int(operations)),
            (Call::Contains(_), Kind::Ok(Reply::Returned(Value::Bool(true)))) => Reply::Returned(false.into()),
            (Call::Acquire, Kind::Fail) => Reply::Done,
            _ => continue,
        };
        event.kind = Kind::Ok(wrong);
        return;
    }
}
