//! Collections with distinct elements, a counter, a mutex, and strings and lists that are appended to: time and memory of a whole check, after the history was read.
//!
//! `cargo bench --bench collections [-- 1000000]` prints one table: histories of 10 clients, true but for the rows that
//! say `invalid`, in which two replies near the end are exchanged or one is made up; strings and lists are of 50 clients and by the
//! generator of the command, with a stale read or a lost append. Each row is a process of its own, so
//! that its peak memory is its own; `held` is what the history itself takes. Seconds are processor
//! time, so that other work beside does not count.

use std::collections::{BTreeSet, BinaryHeap, VecDeque};
use std::process::{Command, ExitCode};
use std::time::Duration;

use sextant::linearizability::{
    AppendList, Counter, Finding, KeyValue, Limits, Model, Mutex, PriorityQueue, Queue, Set, Stack, check, verify,
};
use sextant::verdict::Verdict;
use sextant_histories::generate::{Model as Generated, Recipe, Rng, make};
use sextant_histories::{Call, Event, History, Kind, Reply, Value};

#[global_allocator]
static GLOBAL: mimalloc::MiMalloc = mimalloc::MiMalloc;

const CLIENTS: usize = 10;
const OBJECTS: [&str; 9] =
    ["queue", "stack", "priority-queue", "set", "set-read", "counter", "mutex", "key-value", "append-list"];

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
        "object", "operations", "verdict", "cpu, s", "held, MB", "peak, MB"
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
    let history = match object {
        "key-value" => generated(Generated::KeyValue, operations, invalid.then_some("stale-read")),
        "append-list" => generated(Generated::AppendList, operations, invalid.then_some("lost-append")),
        _ => history(object, operations, invalid),
    };
    match object {
        "key-value" => measure(object, &history, &KeyValue::default(), invalid),
        "append-list" => measure(object, &history, &AppendList, invalid),
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
    let start = cpu_seconds();
    let limits = Limits { timeout: Duration::from_secs(600), ..Limits::default() };
    let report = check(history, model, &limits);
    let seconds = cpu_seconds() - start;
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

fn cpu_seconds() -> f64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 * 1e-9
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

/// A run, one event after the other: streamed, so that what is measured is not what the generator held.
struct Run<'a> {
    name: &'a str,
    operations: usize,
    rng: Rng,
    object: Object,
    clients: Vec<Option<Client>>,
    invoked: usize,
    running: usize,
    /// What the last read has seen, and whether it is still to come.
    last_read: Option<Kind>,
}

impl<'a> Run<'a> {
    fn new(name: &'a str, operations: usize) -> Self {
        let clients = (0..CLIENTS).map(|_| None).collect();
        let last_read = (name == "set-read").then_some(Kind::Invoke);
        Self {
            name,
            operations,
            rng: Rng::new(7),
            object: Object::default(),
            clients,
            invoked: 0,
            running: 0,
            last_read,
        }
    }

    fn read_all(&mut self) -> Option<Event> {
        let kind = self.last_read.take()?;
        if kind == Kind::Invoke {
            let elements = self.object.set.iter().map(|element| Value::Int(*element)).collect();
            self.last_read = Some(Kind::Ok(Reply::Read(elements)));
        }
        Some(event(0, kind, Call::Read))
    }
}

fn event(process: usize, kind: Kind, call: Call) -> Event {
    Event { process: process as u64, kind, call, key: "x".into(), time: None }
}

impl Iterator for Run<'_> {
    type Item = Event;

    fn next(&mut self) -> Option<Event> {
        while self.invoked < self.operations || self.running > 0 {
            let process = self.rng.below(CLIENTS);
            match self.clients[process].take() {
                None if self.invoked == self.operations => {}
                None => {
                    self.invoked += 1;
                    self.running += 1;
                    let call = draw(self.name, &mut self.rng, self.invoked as i64);
                    self.clients[process] = Some(Client { call: call.clone(), reply: None });
                    return Some(event(process, Kind::Invoke, call));
                }
                // A lock that is not in the state for it waits, or gives up.
                Some(Client { call, reply: None }) if self.rng.percent(50) => {
                    let reply = self.object.apply(&call);
                    if reply.is_none() && self.rng.percent(50) {
                        self.running -= 1;
                        return Some(event(process, Kind::Fail, call));
                    }
                    self.clients[process] = Some(Client { call, reply });
                }
                Some(client @ Client { reply: None, .. }) => self.clients[process] = Some(client),
                Some(Client { call, reply: Some(reply) }) => {
                    self.running -= 1;
                    return Some(event(process, Kind::Ok(reply), call));
                }
            }
        }
        self.read_all()
    }
}

fn history(name: &str, operations: usize, invalid: bool) -> History {
    let lies = if invalid { lies(name, operations) } else { Vec::new() };
    let tell = |(index, mut event): (usize, Event)| {
        if let Some((_, lie)) = lies.iter().find(|(at, _)| *at == index) {
            event.kind = Kind::Ok(lie.clone());
        }
        event
    };
    History::from_events(Run::new(name, operations).enumerate().map(tell)).expect("events that fit together")
}

fn generated(model: Generated, operations: usize, flaw: Option<&str>) -> History {
    let violation = flaw.map(|name| model.flaw(name).expect("the model has it"));
    let recipe = Recipe { operations, clients: 50, violation, ..Recipe::of(model) };
    History::from_events(make(&recipe).expect("the model has it").events).expect("events that fit together")
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

/// Replies that are wrong, by number of the event, in the last tenth: what two operations far apart returned is
/// exchanged, or a read returns too much or too little, or an attempt succeeds that had failed.
fn lies(name: &str, operations: usize) -> Vec<(usize, Reply)> {
    let late = 2 * operations - operations / 5;
    let (mut taken, mut added) = (Vec::new(), BTreeSet::new());
    for (index, event) in Run::new(name, operations).enumerate() {
        if let Call::Add(element) = &event.call {
            added.insert(element.clone());
        }
        if index < late {
            continue;
        }
        match (event.call, event.kind) {
            (_, Kind::Ok(reply @ Reply::Returned(Value::Int(_)))) => taken.push((index, reply)),
            (Call::Read, Kind::Ok(Reply::Read(Value::Int(_)))) => {
                return vec![(index, Reply::Read(Value::Int(operations as i64)))];
            }
            (Call::Read, Kind::Ok(Reply::Read(Value::List(elements)))) => {
                return vec![(index, Reply::Read(elements.iter().skip(1).cloned().collect()))];
            }
            // Nobody ever adds it.
            (Call::Contains(element), Kind::Ok(Reply::Returned(Value::Bool(false)))) if !added.contains(&element) => {
                return vec![(index, Reply::Returned(true.into()))];
            }
            (Call::Acquire, Kind::Fail) => return vec![(index, Reply::Done)],
            _ => {}
        }
    }
    match &taken[..] {
        [(one, first), .., (other, second)] => vec![(*one, second.clone()), (*other, first.clone())],
        _ => Vec::new(),
    }
}
