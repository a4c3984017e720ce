//! Sequential consistency (Lamport 1979): one order of all operations of all keys, possible for the object, that keeps the
//! order of every process. Unlike linearizability it does not hold key by key, so all keys are searched at once.
//!
//! The question is NP-complete even for registers (Gibbons and Korach 1997). Registers whose values are distinct are
//! transactions of one step, and what [`transactions`](super::transactions) infers of these decides most of them; what it
//! does not decide, and all other objects, is searched: depth first over how far each process has come, with a memory of
//! what led nowhere. What is linearizable is sequentially consistent, so that is asked first. Three things make the search
//! bearable:
//!
//! * An operation that changes nothing and is possible is taken at once: whatever comes after it could come after it
//!   anyway.
//! * A register's value is not written over while a process still has to read it and nobody will write it again.
//! * Of the processes, the one whose operation returned first goes first: a system is seldom far from real time.

use std::collections::{HashMap, HashSet};
use std::time::Instant;

use sextant_histories::{Call, History, Key, Operation, Outcome, Reply, Value};

use super::anomaly::Anomaly;
use super::database::Database;
use super::promise::Promise;
use super::report::{Basis, Finding, Options, Report, Unknown, Violation};
use super::transactions;
use crate::linearizability::{self, Family, Limits, Model};

/// Judges `history` by `model`.
pub fn check_sequential<M: Model>(history: &History, model: &M, options: &Options) -> Report {
    let start = Instant::now();
    let report = |finding, keys| Report {
        promise: Promise::Sequential,
        operations: history.operations().len(),
        keys,
        elapsed: start.elapsed(),
        finding,
    };
    if let Some(unknown) = refuse(history, model) {
        return report(Finding::Unknown(unknown), 0);
    }
    let mut search = Search::new(history, model);
    let keys = search.keys;
    if let Family::Register { initial } = model.family()
        && let Some(finding) = by_transactions(history, &Options { initial, ..options.clone() })
    {
        return report(finding, keys);
    }
    if let Some(order) = by_linearizability(history, model, options) {
        return report(Finding::Valid(Basis::Order(order)), keys);
    }
    report(search.run(start, options), keys)
}

/// The linearizations of all keys as one order; none where there is no such thing. They fit together because they all keep
/// the order of real time (Herlihy and Wing 1990, Theorem 1).
fn by_linearizability<M: Model>(history: &History, model: &M, options: &Options) -> Option<Vec<usize>> {
    let limits = Limits {
        timeout: options.timeout / 2,
        configurations: options.configurations,
        interrupt: options.interrupt,
        ..Limits::default()
    };
    let report = linearizability::check(history, model, &limits);
    let linearizability::Finding::Valid(linearizations) = report.finding else { return None };
    let count: usize = linearizations.iter().map(|linearization| linearization.order.len()).sum();
    // Of each operation that is in an order: how many have to come before it, and who has to come after it.
    let mut waits: HashMap<usize, usize> = HashMap::with_capacity(count);
    let mut next: HashMap<usize, Vec<usize>> = HashMap::with_capacity(count);
    for linearization in &linearizations {
        waits.extend(linearization.order.iter().map(|number| (*number, 0)));
    }
    let mut last: HashMap<u64, usize> = HashMap::new();
    let in_process = (0..history.operations().len()).filter(|number| waits.contains_key(number)).filter_map(|number| {
        let before = last.insert(history.operations()[number].process, number)?;
        Some((before, number))
    });
    let in_keys = linearizations.iter().flat_map(|linearization| linearization.order.windows(2));
    let pairs: Vec<(usize, usize)> = in_process.chain(in_keys.map(|pair| (pair[0], pair[1]))).collect();
    for (before, after) in pairs {
        next.entry(before).or_default().push(after);
        waits.entry(after).and_modify(|waits| *waits += 1);
    }
    let mut ready: Vec<usize> = waits.iter().filter(|(_, waits)| **waits == 0).map(|(number, _)| *number).collect();
    ready.sort_unstable();
    let mut order = Vec::with_capacity(count);
    while let Some(number) = ready.pop() {
        order.push(number);
        for after in next.get(&number).into_iter().flatten() {
            let waits = waits.get_mut(after)?;
            *waits -= 1;
            if *waits == 0 {
                ready.push(*after);
            }
        }
    }
    (order.len() == count).then_some(order)
}

fn refuse<M: Model>(history: &History, model: &M) -> Option<Unknown> {
    let operations = history.operations();
    if operations.is_empty() {
        return Some(Unknown::Empty);
    }
    if let Some(strange) = operations.iter().find(|operation| !model.supports(&operation.call)) {
        let line = history.line(strange.invoked.index);
        return Some(Unknown::Unsupported { call: strange.call.to_string(), line });
    }
    operations.iter().all(|operation| operation.reply().is_none()).then_some(Unknown::NoClaim)
}

/// Sequential consistency of registers is serializability of their operations in the order of their processes. None where
/// that is no answer.
fn by_transactions(history: &History, options: &Options) -> Option<Finding> {
    let database = Database::of(history).ok()?;
    match transactions::check(&database, Promise::SessionSerializable, options) {
        Finding::Unknown(_) => None,
        Finding::Invalid(violations) => {
            let shortest = violations.into_iter().min_by_key(|violation| violation.operations.len())?;
            Some(Finding::Invalid(vec![Violation { anomaly: Anomaly::NotSequential, ..shortest }]))
        }
        valid => Some(valid),
    }
}

/// One step of a process.
struct Item<'h> {
    /// Its number in the history.
    number: usize,
    operation: &'h Operation,
    key: u32,
    observes: bool,
}

struct Search<'h, 'm, M: Model> {
    history: &'h History,
    model: &'m M,
    processes: Vec<Vec<Item<'h>>>,
    keys: usize,
    names: Vec<&'h Key>,
    states: Vec<M::State>,
    state_numbers: HashMap<M::State, u32>,
    /// Of an operation and a state, the state after it.
    steps: HashMap<(usize, u32), Option<u32>>,
    /// How each state is shown; of a register, its value.
    shown: Vec<String>,
    /// For registers: of each key and value, as it is shown, how often it is still to be read and to be written.
    values: Option<Vec<HashMap<String, (usize, usize)>>>,
}

/// What was done, and what it takes to undo it.
struct Move {
    process: usize,
    /// The state of the key before; none if the operation was skipped.
    before: Option<u32>,
}

impl<'h, 'm, M: Model> Search<'h, 'm, M> {
    fn new(history: &'h History, model: &'m M) -> Self {
        let mut processes: Vec<Vec<Item<'h>>> = Vec::new();
        let mut place: HashMap<u64, usize> = HashMap::new();
        let mut names: Vec<&'h Key> = Vec::new();
        let mut keys: HashMap<&'h Key, u32> = HashMap::new();
        for (number, operation) in history.operations().iter().enumerate() {
            if operation.outcome == Outcome::Fail {
                continue;
            }
            let process = *place.entry(operation.process).or_insert_with(|| {
                processes.push(Vec::new());
                processes.len() - 1
            });
            let key = if model.keyed() { &operation.key } else { &Key::None };
            let key = *keys.entry(key).or_insert_with(|| {
                names.push(key);
                (names.len() - 1) as u32
            });
            let observes = operation.reply().is_some_and(|reply| model.only_observes(&operation.call, reply));
            processes[process].push(Item { number, operation, key, observes });
        }
        let mut search = Self {
            history,
            model,
            processes,
            keys: names.len(),
            names,
            states: Vec::new(),
            state_numbers: HashMap::new(),
            steps: HashMap::new(),
            shown: Vec::new(),
            values: None,
        };
        if matches!(model.family(), Family::Register { .. }) {
            search.values = Some(vec![HashMap::new(); search.keys]);
            for item in search.processes.iter().flatten().map(|item| (item.key, item.operation)).collect::<Vec<_>>() {
                search.expect(item.0, item.1, 1);
            }
        }
        search
    }

    /// Adds to, or takes from, what is still to be read and written.
    fn expect(&mut self, key: u32, operation: &Operation, count: isize) {
        let Some(values) = &mut self.values else { return };
        let mut change = |value: &Value, reads: bool| {
            let (read, written) = values[key as usize].entry(value.to_string()).or_default();
            let counter = if reads { read } else { written };
            *counter = counter.saturating_add_signed(count);
        };
        match (&operation.call, operation.reply()) {
            (Call::Read, Some(Reply::Read(seen))) => change(seen, true),
            (Call::Write(value), _) => change(value, false),
            (Call::Cas { old, new }, reply) => {
                if reply == Some(&Reply::Swapped) {
                    change(old, true);
                }
                if reply != Some(&Reply::Differed) {
                    change(new, false);
                }
            }
            _ => {}
        }
    }

    fn state(&mut self, state: M::State) -> u32 {
        if let Some(number) = self.state_numbers.get(&state) {
            return *number;
        }
        let number = self.states.len() as u32;
        self.shown.push(self.model.show(&state));
        self.states.push(state.clone());
        self.state_numbers.insert(state, number);
        number
    }

    fn step(&mut self, process: usize, place: usize, state: u32) -> Option<u32> {
        let item = &self.processes[process][place];
        let (number, operation) = (item.number, item.operation);
        if let Some(known) = self.steps.get(&(number, state)) {
            return *known;
        }
        let after = self.model.step(&self.states[state as usize], &operation.call, operation.reply());
        let after = after.map(|after| self.state(after));
        self.steps.insert((number, state), after);
        after
    }

    fn run(&mut self, start: Instant, options: &Options) -> Finding {
        let deadline = start.checked_add(options.timeout);
        let initial = self.state(self.model.initial());
        if let Some(violation) = self.out_of_thin_air(initial) {
            return Finding::Invalid(vec![violation]);
        }
        let mut at: Vec<u32> = vec![0; self.processes.len()];
        let mut now: Vec<u32> = vec![initial; self.keys];
        let mut moves: Vec<Move> = Vec::new();
        let mut order: Vec<usize> = Vec::new();
        let mut dead: HashSet<Box<[u32]>> = HashSet::new();
        let mut best: (usize, Vec<u32>, Vec<u32>) = (0, at.clone(), now.clone());
        let mut after: Option<usize> = None;
        let mut rounds = 0_usize;
        loop {
            if self.is_over(&at) {
                return Finding::Valid(Basis::Order(order));
            }
            if rounds.is_multiple_of(1024) && options.is_interrupted() {
                return self.gave_up("interrupted", best.0);
            }
            rounds += 1;
            if rounds.is_multiple_of(1024) && deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                return self.gave_up(&format!("no answer within {:?}", options.timeout), best.0);
            }
            if dead.len() >= options.configurations {
                return self.gave_up(&format!("no answer within {} configurations", options.configurations), best.0);
            }
            if let Some((process, state)) = self.next(&at, &now, after) {
                let key = self.processes[process][at[process] as usize].key as usize;
                let number = self.processes[process][at[process] as usize].number;
                moves.push(Move { process, before: state.map(|_| now[key]) });
                self.shift(process, at[process] as usize, -1);
                if let Some(state) = state {
                    now[key] = state;
                    order.push(number);
                }
                at[process] += 1;
                if order.len() > best.0 {
                    best = (order.len(), at.clone(), now.clone());
                }
                after = None;
                if dead.is_empty() || !dead.contains(&at.iter().chain(&now).copied().collect::<Box<[u32]>>()) {
                    continue;
                }
            } else {
                dead.insert(at.iter().chain(&now).copied().collect());
            }
            let Some(undone) = self.take_back(&mut moves, &mut at, &mut now, &mut order) else {
                return Finding::Invalid(vec![self.explain(&best)]);
            };
            after = Some(undone);
        }
    }

    /// A register's value that was read though nobody writes it.
    fn out_of_thin_air(&self, initial: u32) -> Option<Violation> {
        let values = self.values.as_ref()?;
        let item = self.processes.iter().flatten().find(|item| {
            let value = match (&item.operation.call, item.operation.reply()) {
                (_, Some(Reply::Read(value))) => value,
                (Call::Cas { old, .. }, Some(Reply::Swapped)) => old,
                _ => return false,
            };
            let value = value.to_string();
            value != self.shown[initial as usize]
                && values[item.key as usize].get(&value).is_some_and(|(_, written)| *written == 0)
        })?;
        let line = self.history.line(item.operation.invoked.index);
        Some(Violation {
            anomaly: Anomaly::ThinAirRead,
            operations: vec![item.number],
            sentences: vec![format!(
                "T1 on line {line} found a value in key {} that nobody wrote",
                self.names[item.key as usize]
            )],
            entangled: 0,
        })
    }

    /// Undoes the last move, and says whose it was.
    fn take_back(
        &mut self,
        moves: &mut Vec<Move>,
        at: &mut [u32],
        now: &mut [u32],
        order: &mut Vec<usize>,
    ) -> Option<usize> {
        let Move { process, before } = moves.pop()?;
        at[process] -= 1;
        let place = at[process] as usize;
        self.shift(process, place, 1);
        if let Some(before) = before {
            now[self.processes[process][place].key as usize] = before;
            order.pop();
        }
        Some(process)
    }

    fn shift(&mut self, process: usize, place: usize, count: isize) {
        let item = &self.processes[process][place];
        let (key, operation) = (item.key, item.operation);
        self.expect(key, operation, count);
    }

    /// Whether all that is left may as well never have happened.
    fn is_over(&self, at: &[u32]) -> bool {
        let mut left = self.processes.iter().zip(at).flat_map(|(items, at)| &items[*at as usize..]);
        left.all(|item| item.operation.outcome == Outcome::Indeterminate)
    }

    /// The next process to move, of those after `after` in the order in which they are tried, and the state that its key
    /// is then in; no state if its operation is skipped.
    fn next(&mut self, at: &[u32], now: &[u32], after: Option<usize>) -> Option<(usize, Option<u32>)> {
        let mut heads: Vec<(usize, usize)> = Vec::with_capacity(at.len());
        for (process, place) in at.iter().enumerate() {
            let Some(item) = self.processes[process].get(*place as usize) else { continue };
            let free = item.observes && {
                let state = now[item.key as usize];
                self.step(process, *place as usize, state).is_some()
            };
            let item = &self.processes[process][*place as usize];
            let rank = if free { 0 } else { 1 + item.operation.returned().unwrap_or(usize::MAX - 1) };
            heads.push((rank, process));
        }
        heads.sort_unstable();
        let from = match after {
            None => 0,
            Some(process) => {
                let place = heads.iter().position(|(_, head)| *head == process)?;
                // What only observes excludes nothing, so there is no alternative to it.
                if heads[place].0 == 0 {
                    return None;
                }
                place + 1
            }
        };
        for (_, process) in heads.into_iter().skip(from) {
            let place = at[process] as usize;
            let item = &self.processes[process][place];
            let (key, indeterminate) = (item.key, item.operation.outcome == Outcome::Indeterminate);
            let state = now[key as usize];
            let next = self
                .step(process, place, state)
                .filter(|next| *next == state || !self.still_needed(process, place, state));
            match next {
                Some(next) => return Some((process, Some(next))),
                None if indeterminate && place + 1 < self.processes[process].len() => return Some((process, None)),
                None => {}
            }
        }
        None
    }

    /// Whether the value that the key of this operation holds will be read again, by others, though nobody will write it.
    fn still_needed(&self, process: usize, place: usize, state: u32) -> bool {
        let item = &self.processes[process][place];
        let Some(values) = &self.values else { return false };
        let holds = &self.shown[state as usize];
        let own = match (&item.operation.call, item.operation.reply()) {
            (Call::Cas { old, .. }, Some(Reply::Swapped)) => usize::from(old.to_string() == *holds),
            _ => 0,
        };
        values[item.key as usize].get(holds).is_some_and(|(read, written)| *read > own && *written == 0)
    }

    fn gave_up(&self, why: &str, placed: usize) -> Finding {
        let all: usize = self.processes.iter().map(Vec::len).sum();
        Finding::Unknown(Unknown::GaveUp(format!("{why}: at best {placed} of {all} operations could be put in order")))
    }

    fn explain(&self, best: &(usize, Vec<u32>, Vec<u32>)) -> Violation {
        let (placed, at, now) = best;
        let all: usize = self.processes.iter().map(Vec::len).sum();
        let heads: Vec<&Item<'_>> = self
            .processes
            .iter()
            .zip(at)
            .filter_map(|(items, at)| items.get(*at as usize))
            .filter(|item| item.operation.outcome != Outcome::Indeterminate)
            .collect();
        let mut sentences =
            vec![format!("no order of all operations keeps that of each process; the longest has {placed} of {all}")];
        for (place, item) in heads.iter().enumerate() {
            let key = self.names[item.key as usize];
            let state = self.model.show(&self.states[now[item.key as usize] as usize]);
            let line = self.history.line(item.operation.invoked.index);
            sentences.push(format!("T{} on line {line} cannot be next: key {key} is {state}", place + 1));
        }
        Violation {
            anomaly: Anomaly::NotSequential,
            operations: heads.iter().map(|item| item.number).collect(),
            sentences,
            entangled: 0,
        }
    }
}
