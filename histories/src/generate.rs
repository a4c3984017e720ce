//! Histories with a known verdict, from a seed.
//!
//! A register a key is simulated together with its clients: each operation takes effect at one moment between its
//! invocation and its completion, so the history is linearizable by construction. An operation that ends in `info` may
//! take effect before it, long after it, or never. A [`Violation`] is a short script of events, run by processes of its
//! own, that no linearizable register can show whatever the other clients do: each script rests on values that nobody
//! else writes, or on a key of its own.

use std::collections::VecDeque;

use crate::event::{Call, Event, Kind, Reply};
use crate::value::{Key, Value};

/// What to generate. The same configuration gives the same history, byte for byte, on every machine.
#[derive(Clone, Debug)]
pub struct Config {
    pub seed: u64,
    /// How many operations the clients invoke; a violation's own come on top.
    pub operations: usize,
    pub clients: usize,
    pub keys: usize,
    pub values: Values,
    /// Of a hundred operations, how many are a cas, and how many a write; the others read.
    pub cas_percent: u32,
    pub write_percent: u32,
    /// How many operations end in `info`, spread over the history.
    pub indeterminate: usize,
    /// Of a hundred operations, how many end in `fail`.
    pub fail_percent: u32,
    pub violation: Option<Violation>,
}

/// Which values are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Values {
    /// Every write a new one.
    Unique,
    /// Integers from 0 up to, not including, this.
    Few(u32),
}

/// What goes wrong, by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Violation {
    /// A read returns what was overwritten before the read began, though others saw the new value.
    StaleRead,
    /// An acknowledged write never shows: later reads return its predecessor.
    LostWrite,
    /// A read returns a value that nobody wrote.
    PhantomRead,
    /// A read returns the value of a write that ended in `fail`.
    AbortedRead,
    /// A read returns a value that is written only after the read has ended.
    FutureRead,
    /// Two reads in a row see two concurrent writes in one order, a third goes back.
    BackwardRead,
    /// Two compare-and-sets succeed from the same value, which was written once.
    DoubleSwap,
    /// A compare-and-set claims to have found another value than the only one there was.
    RefusedSwap,
}

impl Violation {
    pub const ALL: [Self; 8] = [
        Self::StaleRead,
        Self::LostWrite,
        Self::PhantomRead,
        Self::AbortedRead,
        Self::FutureRead,
        Self::BackwardRead,
        Self::DoubleSwap,
        Self::RefusedSwap,
    ];

    /// Whether its script contains a cas, which a plain register does not have.
    pub fn needs_cas(self) -> bool {
        matches!(self, Self::DoubleSwap | Self::RefusedSwap)
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::StaleRead => "stale-read",
            Self::LostWrite => "lost-write",
            Self::PhantomRead => "phantom-read",
            Self::AbortedRead => "aborted-read",
            Self::FutureRead => "future-read",
            Self::BackwardRead => "backward-read",
            Self::DoubleSwap => "double-swap",
            Self::RefusedSwap => "refused-swap",
        }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            seed: 0,
            operations: 100,
            clients: 5,
            keys: 1,
            values: Values::Unique,
            cas_percent: 0,
            write_percent: 50,
            indeterminate: 0,
            fail_percent: 0,
            violation: None,
        }
    }
}

/// Generates the events of a history. Without clients or keys there are none.
pub fn generate(config: &Config) -> Vec<Event> {
    if config.clients == 0 || config.keys == 0 {
        return Vec::new();
    }
    let mut simulation = Simulation::new(config);
    while simulation.step() {}
    simulation.events
}

/// SplitMix64 (Steele, Lea, Flood 2014): eight lines, and the same stream on every platform and for ever, which no
/// crate promises.
#[derive(Clone, Debug)]
pub struct Rng(u64);

impl Rng {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// Below `bound`; 0 for a bound of 0. The bias of the remainder does not matter here.
    pub fn below(&mut self, bound: usize) -> usize {
        (self.draw() % (bound.max(1) as u64)) as usize
    }

    pub fn percent(&mut self, percent: u32) -> bool {
        self.below(100) < percent as usize
    }
}

/// What is in store for an operation when it is invoked.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    Ok,
    Fail,
    Info,
}

struct Running {
    key: usize,
    call: Call,
    fate: Fate,
    reply: Option<Reply>,
}

struct Client {
    process: u64,
    running: Option<Running>,
}

/// One event of a violation's script, and what it does to the simulated register, so that the honest clients see a
/// register that the script has really written.
struct Scripted {
    event: Event,
    takes_effect: bool,
}

struct Simulation<'a> {
    config: &'a Config,
    rng: Rng,
    events: Vec<Event>,
    clients: Vec<Client>,
    registers: Vec<Value>,
    /// Operations that ended in `info` and have not taken effect yet.
    adrift: Vec<(usize, Call)>,
    script: VecDeque<Scripted>,
    invoked: usize,
    informed: usize,
    next_process: u64,
    next_value: i64,
    time: u64,
}

impl<'a> Simulation<'a> {
    fn new(config: &'a Config) -> Self {
        let clients = (0..config.clients as u64).map(|process| Client { process, running: None });
        let mut simulation = Self {
            config,
            rng: Rng::new(config.seed),
            events: Vec::new(),
            clients: clients.collect(),
            registers: vec![Value::Null; config.keys],
            adrift: Vec::new(),
            script: VecDeque::new(),
            invoked: 0,
            informed: 0,
            next_process: config.clients as u64,
            next_value: 0,
            time: 0,
        };
        if let Some(violation) = config.violation {
            simulation.write_script(violation);
        }
        simulation
    }

    /// One event, or one effect; false when all is done.
    fn step(&mut self) -> bool {
        if !self.script.is_empty() && self.script_is_due() {
            self.play();
            return true;
        }
        if !self.adrift.is_empty() && self.rng.percent(5) {
            self.land();
        }
        let may_invoke = self.invoked < self.config.operations;
        let client = self.rng.below(self.clients.len());
        let Some(client) = self.from(client, may_invoke) else {
            return !self.script.is_empty();
        };
        match &self.clients[client].running {
            None => self.invoke(client),
            Some(running) if running.reply.is_none() && running.fate == Fate::Ok => {
                self.take_effect(client);
            }
            Some(_) => self.complete(client),
        }
        true
    }

    /// The first client from `start` on, round about, that can do something.
    fn from(&self, start: usize, may_invoke: bool) -> Option<usize> {
        let count = self.clients.len();
        (0..count)
            .map(|offset| (start + offset) % count)
            .find(|client| may_invoke || self.clients[*client].running.is_some())
    }

    /// The script starts in the last third, then each of its events has an even chance against the others'.
    fn script_is_due(&mut self) -> bool {
        let started = self.invoked >= self.config.operations - self.config.operations / 3;
        started && self.rng.percent(40)
    }

    fn play(&mut self) {
        if let Some(Scripted { event, takes_effect }) = self.script.pop_front() {
            if takes_effect && let Some(key) = self.index_of(&event.key) {
                apply(&mut self.registers[key], &event.call);
            }
            self.push(event.process, event.kind, event.call, event.key);
        }
    }

    fn index_of(&self, key: &Key) -> Option<usize> {
        (0..self.config.keys).find(|index| key_named(*index) == *key)
    }

    /// An operation that ended in `info` takes effect after all, or is lost for good.
    fn land(&mut self) {
        let chosen = self.rng.below(self.adrift.len());
        let (key, call) = self.adrift.swap_remove(chosen);
        if self.rng.percent(50) {
            apply(&mut self.registers[key], &call);
        }
    }

    fn invoke(&mut self, client: usize) {
        let key = self.rng.below(self.config.keys);
        let call = self.draw_call(key);
        let fate = self.draw_fate();
        self.invoked += 1;
        self.push(self.clients[client].process, Kind::Invoke, call.clone(), key_named(key));
        self.clients[client].running = Some(Running { key, call, fate, reply: None });
    }

    fn draw_call(&mut self, key: usize) -> Call {
        let dice = self.rng.below(100) as u32;
        if dice < self.config.cas_percent {
            // Half of the compares are aimed at what the register holds now, so that some succeed.
            let old = if self.rng.percent(50) { self.registers[key].clone() } else { self.draw_value() };
            let new = self.draw_value();
            Call::Cas { old, new }
        } else if dice < self.config.cas_percent + self.config.write_percent {
            Call::Write(self.draw_value())
        } else {
            Call::Read
        }
    }

    fn draw_value(&mut self) -> Value {
        match self.config.values {
            Values::Unique => self.fresh(),
            Values::Few(bound) => Value::Int(self.rng.below(bound as usize) as i64),
        }
    }

    fn fresh(&mut self) -> Value {
        self.next_value += 1;
        Value::Int(self.next_value)
    }

    fn draw_fate(&mut self) -> Fate {
        let left = self.config.operations - self.invoked;
        let due = self.config.indeterminate.saturating_sub(self.informed);
        if due > 0 && self.rng.below(left) < due {
            self.informed += 1;
            Fate::Info
        } else if self.rng.percent(self.config.fail_percent) {
            Fate::Fail
        } else {
            Fate::Ok
        }
    }

    fn take_effect(&mut self, client: usize) {
        if let Some(running) = &mut self.clients[client].running {
            running.reply = Some(apply(&mut self.registers[running.key], &running.call));
        }
    }

    fn complete(&mut self, client: usize) {
        let Some(running) = self.clients[client].running.take() else {
            return;
        };
        let process = self.clients[client].process;
        let kind = match (running.fate, running.reply) {
            (Fate::Ok, Some(reply)) => Kind::Ok(reply),
            (Fate::Fail, _) => Kind::Fail,
            (Fate::Info, _) | (Fate::Ok, None) => Kind::Info,
        };
        if kind == Kind::Info {
            self.adrift.push((running.key, running.call.clone()));
            self.clients[client].process = self.new_process();
        }
        self.push(process, kind, running.call, key_named(running.key));
    }

    fn new_process(&mut self) -> u64 {
        self.next_process += 1;
        self.next_process - 1
    }

    fn push(&mut self, process: u64, kind: Kind, call: Call, key: Key) {
        self.time += 1 + self.rng.below(1000) as u64;
        self.events.push(Event { process, kind, call, key, time: Some(self.time) });
    }

    fn write_script(&mut self, violation: Violation) {
        let (one, two) = (self.new_process(), self.new_process());
        // Negative, which no client writes.
        let (a, b, c) = (Value::Int(-1), Value::Int(-2), Value::Int(-3));
        let key = key_named(self.rng.below(self.config.keys));
        let alone = Key::Str("apart".into());
        let mut script = Script { steps: VecDeque::new(), key };
        match violation {
            Violation::StaleRead => {
                script.write(one, &a).write(one, &b);
                script.read(one, &a);
            }
            Violation::LostWrite => {
                script.write(one, &a).lose(two, &b);
                script.read(one, &a).read(two, &a);
            }
            Violation::PhantomRead => {
                script.read(one, &a);
            }
            Violation::AbortedRead => {
                script.invoke(one, Call::Write(a.clone()));
                script.end(one, Call::Write(a.clone()), Kind::Fail, false);
                script.read(two, &a);
            }
            Violation::FutureRead => {
                script.read(two, &a).write(one, &a);
            }
            Violation::BackwardRead => {
                script.invoke(one, Call::Write(a.clone())).invoke(two, Call::Write(b.clone()));
                script.end(one, Call::Write(a.clone()), Kind::Ok(Reply::Written), true);
                script.end(two, Call::Write(b.clone()), Kind::Ok(Reply::Written), true);
                script.read(one, &a).read(one, &b).read(two, &a);
            }
            Violation::DoubleSwap => {
                script.write(one, &a);
                script.cas(one, &a, &b, Reply::Swapped).cas(two, &a, &c, Reply::Swapped);
            }
            Violation::RefusedSwap => {
                script.key = alone;
                script.write(one, &a).cas(two, &a, &b, Reply::Differed);
            }
        }
        self.script = script.steps;
    }
}

fn key_named(index: usize) -> Key {
    Key::Str(format!("k{index}").into())
}

/// The sequential register.
fn apply(register: &mut Value, call: &Call) -> Reply {
    match call {
        Call::Read => Reply::Read(register.clone()),
        Call::Write(value) => {
            *register = value.clone();
            Reply::Written
        }
        Call::Cas { old, new } if register == old => {
            *register = new.clone();
            Reply::Swapped
        }
        Call::Cas { .. } => Reply::Differed,
        // The generator draws from the three calls above.
        other => unreachable!("a register has no {other}"),
    }
}

struct Script {
    steps: VecDeque<Scripted>,
    key: Key,
}

impl Script {
    fn push(&mut self, process: u64, kind: Kind, call: Call, takes_effect: bool) -> &mut Self {
        let event = Event { process, kind, call, key: self.key.clone(), time: None };
        self.steps.push_back(Scripted { event, takes_effect });
        self
    }

    fn invoke(&mut self, process: u64, call: Call) -> &mut Self {
        self.push(process, Kind::Invoke, call, false)
    }

    fn end(&mut self, process: u64, call: Call, kind: Kind, takes_effect: bool) -> &mut Self {
        self.push(process, kind, call, takes_effect)
    }

    fn both(&mut self, process: u64, call: Call, reply: Reply, takes_effect: bool) -> &mut Self {
        self.invoke(process, call.clone());
        self.end(process, call, Kind::Ok(reply), takes_effect)
    }

    fn write(&mut self, process: u64, value: &Value) -> &mut Self {
        self.both(process, Call::Write(value.clone()), Reply::Written, true)
    }

    /// Acknowledged, but without effect.
    fn lose(&mut self, process: u64, value: &Value) -> &mut Self {
        self.both(process, Call::Write(value.clone()), Reply::Written, false)
    }

    fn read(&mut self, process: u64, value: &Value) -> &mut Self {
        self.both(process, Call::Read, Reply::Read(value.clone()), false)
    }

    fn cas(&mut self, process: u64, old: &Value, new: &Value, reply: Reply) -> &mut Self {
        let call = Call::Cas { old: old.clone(), new: new.clone() };
        let takes_effect = reply == Reply::Swapped;
        self.both(process, call, reply, takes_effect)
    }
}
