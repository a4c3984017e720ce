//! The search itself: levels, threads, batches.

use std::any::Any;
use std::collections::{BTreeMap, VecDeque};
use std::hint::black_box;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use stateright::{Expectation, Property};

use super::exact::Exact;
use super::levels::{CHUNK, Chunk, Growing, Level, Storage, lock};
use super::mix;
use super::shape::Shape;
use super::table::{Fingerprints, Visited};
use super::trace::walk_back;
use super::{Broken, Deadlock, End, Failure, Options, Outcome, Packed, Progress, Reader, Stop, Store, Violation};

/// Explores `model` to its end or to its first violation.
///
/// # Errors
/// If the model has an `eventually` property, which this engine does not judge; if it panics in its first states; if the
/// trace of a violation cannot be found again; if files cannot be written or read.
pub fn explore<M>(
    model: &M,
    options: &Options<M::Action>,
    progress: &mut dyn FnMut(Progress),
) -> Result<Outcome<M::State, M::Action>, Failure>
where
    M: Packed + Sync,
{
    match options.store {
        Store::Fingerprints => Search::<M, Fingerprints>::new(model, options, true)?.run(progress),
        Store::Exact => Search::<M, Exact>::new(model, options, true)?.run(progress),
    }
}

/// Transitions of a shard that are collected before its table is locked.
const BATCH: usize = 64;
/// Entries of a thread's memory of recent states.
const RECENT: usize = 1 << 13;
const BETWEEN_PROGRESS: Duration = Duration::from_millis(100);
/// A level of fewer bytes is explored by one thread: waking others takes longer.
const WORTH_A_THREAD: usize = 16 << 10;

pub(super) struct Search<'a, M: Packed, V> {
    pub model: &'a M,
    pub options: &'a Options<M::Action>,
    pub shape: Shape,
    /// Whether properties, deadlocks and panics are looked for, or only states.
    judges: bool,
    properties: Vec<Property<M>>,
    shards: Vec<Mutex<V>>,
    shard_bits: u32,
    storage: Storage,
    began: Instant,
    table_bytes: AtomicUsize,
    unique: AtomicU64,
    generated: AtomicU64,
    /// Bit i: some state satisfies the `sometimes` property at place i.
    witnessed: AtomicU64,
    /// By rank, the violation that is reported.
    found: Mutex<BTreeMap<usize, Found>>,
    /// A property is violated on this level, and nothing behind it is asked for.
    ends: AtomicBool,
    failed: Mutex<Option<Failure>>,
}

/// A state that violates something.
#[derive(Clone, Debug)]
struct Found {
    depth: usize,
    state: Vec<u8>,
    broken: Broken,
}

/// What one thread has beside the model.
struct Worker {
    /// By shard, room for [`BATCH`] entries: a key and the words of its state.
    batches: Vec<u64>,
    /// Entries of each batch, in words.
    filled: Vec<usize>,
    full: Vec<usize>,
    recent: Recent,
    /// The words of one entry.
    scratch: Vec<u64>,
    unpacked: Vec<u64>,
    out: Vec<u8>,
    tally: Tally,
}

/// What a thread adds up on one level.
#[derive(Clone, Debug, Default)]
struct Tally {
    generated: u64,
    /// Of `generated`, what is in the shared counter already.
    told: u64,
    new: u64,
    sum: u64,
    actions: Vec<u64>,
}

/// States that a thread has passed on to the tables a moment ago: their keys, and the states too where equal keys do not
/// prove equal states.
struct Recent {
    entries: Vec<u64>,
    /// Words of an entry.
    stride: usize,
}

impl Recent {
    fn new(stride: usize) -> Self {
        Recent { entries: vec![u64::MAX; RECENT * stride], stride }
    }

    /// Whether the entry is there; if not, it is from now on.
    #[inline]
    fn knows(&mut self, entry: &[u64]) -> bool {
        let place = (entry[0].wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (64 - RECENT.ilog2())) as usize;
        // Of a state whose key looks like a free place it is never said that it is there.
        if self.stride == 1 {
            let own = &mut self.entries[place];
            let known = *own == entry[0] && entry[0] != u64::MAX;
            *own = entry[0];
            return known;
        }
        let own = &mut self.entries[place * self.stride..][..self.stride];
        let known = own == entry && entry[0] != u64::MAX;
        own.copy_from_slice(entry);
        known
    }
}

impl<'a, M: Packed + Sync, V: Visited> Search<'a, M, V> {
    pub fn new(model: &'a M, options: &'a Options<M::Action>, judges: bool) -> Result<Self, Failure> {
        let properties = guarded(|| model.properties())?;
        if let Some(p) = properties.iter().find(|p| p.expectation == Expectation::Eventually) {
            let name = p.name;
            return Err(Failure(format!("the packed engine does not judge the `eventually` property {name}")));
        }
        if properties.len() > 64 {
            return Err(Failure(format!("the packed engine judges at most 64 properties, not {}", properties.len())));
        }
        assert!(options.threads > 0, "a search needs a thread");
        let shard_bits = 6 + (options.threads / 4).next_power_of_two().ilog2().min(4);
        let shape = Shape::of(model);
        let shards: Vec<_> = (0..1 << shard_bits).map(|_| Mutex::new(V::new(shape.bytes, shard_bits))).collect();
        let table_bytes = shards.iter().map(|shard| lock(shard).memory()).sum::<usize>().into();
        Ok(Search {
            model,
            options,
            shape,
            judges,
            properties,
            shards,
            shard_bits,
            storage: Storage::temporary(usize::MAX),
            began: Instant::now(),
            table_bytes,
            unique: AtomicU64::new(0),
            generated: AtomicU64::new(0),
            witnessed: AtomicU64::new(0),
            found: Mutex::default(),
            ends: AtomicBool::new(false),
            failed: Mutex::default(),
        })
    }

    pub fn run(self, progress: &mut dyn FnMut(Progress)) -> Result<Outcome<M::State, M::Action>, Failure> {
        let mut workers = self.workers();
        let mut level = self.first_level(&mut workers[0])?;
        let mut levels = vec![level.states];
        let mut actions = vec![0; self.options.labels.map_or(0, |labels| labels.names.len())];
        let mut kept = Kept { levels: Vec::new(), limit: self.options.kept_bytes };
        let mut before;
        let end = loop {
            let depth = levels.len() - 1;
            before = (self.unique.load(Ordering::Relaxed), self.generated.load(Ordering::Relaxed), actions.clone());
            kept.keep(&level);
            let growing = self.storage.grow(depth + 1);
            let tally = self.expand(&mut workers, level, &growing, &levels, progress)?;
            actions.iter_mut().zip(&tally.actions).for_each(|(sum, more)| *sum += more);
            if self.options.stop == Stop::AtFirst && !lock(&self.found).is_empty() {
                (_, _, actions) = before.clone();
                break End::Violated;
            }
            level = growing.finish(tally.new, tally.sum)?;
            if level.states == 0 {
                before.1 = self.generated.load(Ordering::Relaxed);
                break End::Complete;
            }
            levels.push(level.states);
        };
        drop(workers);
        let unwitnessed = if end == End::Violated { Vec::new() } else { self.unwitnessed() };
        let (model, options, bytes) = (self.model, self.options, self.shape.bytes);
        let table_bytes = self.table_bytes.load(Ordering::Relaxed) as u64;
        let names = options.labels.map_or(&[][..], |labels| labels.names);
        let mut found: Vec<Found> = lock(&self.found).values().cloned().collect();
        if options.stop == Stop::AtFirst {
            found.truncate(1);
        }
        let (began, exact) = (self.began, V::is_exact(bytes));
        // The table makes room for the levels of the second search.
        drop(self);
        Ok(Outcome {
            end,
            unique_states: before.0,
            generated_states: before.1,
            depth: levels.len() - 1,
            levels,
            violations: explain::<M, V>(model, options, kept.whole(), found)?,
            unwitnessed,
            actions: names.iter().copied().zip(actions).collect(),
            expected_collisions: if exact { 0.0 } else { mix::expected_collisions(before.0, bytes) },
            elapsed: began.elapsed(),
            table_bytes,
        })
    }

    /// All levels before `depth`, searched again without judging anything.
    fn levels_before(self, depth: usize) -> Result<Vec<Level>, Failure> {
        let mut workers = self.workers();
        let mut levels = vec![self.first_level(&mut workers[0])?];
        while levels.len() < depth {
            let at = levels.len();
            let growing = self.storage.grow(at);
            let tally = self.expand(&mut workers, levels[at - 1].clone(), &growing, &[], &mut |_| {})?;
            levels.push(growing.finish(tally.new, tally.sum)?);
        }
        Ok(levels)
    }

    fn unwitnessed(&self) -> Vec<&'static str> {
        let seen = self.witnessed.load(Ordering::Relaxed);
        let asked = self.properties.iter().enumerate().filter(|(_, p)| p.expectation == Expectation::Sometimes);
        asked.filter(|(place, _)| seen >> place & 1 == 0).map(|(_, p)| p.name).collect()
    }

    fn workers(&self) -> Vec<Worker> {
        let shards = self.shards.len();
        let stride = 1 + self.shape.words;
        let recent = if V::is_exact(self.shape.bytes) && self.shape.words > 1 { stride } else { 1 };
        let worker = |_| Worker {
            batches: vec![0; shards * BATCH * stride],
            filled: vec![0; shards],
            full: Vec::new(),
            recent: Recent::new(recent),
            scratch: vec![0; stride],
            unpacked: self.shape.words(),
            out: Vec::new(),
            tally: Tally::default(),
        };
        (0..self.options.threads).map(worker).collect()
    }

    fn first_level(&self, worker: &mut Worker) -> Result<Level, Failure> {
        let growing = self.storage.grow(0);
        let firsts = guarded(|| {
            let firsts = self.model.init_states().into_iter().filter(|state| self.model.within_boundary(state));
            let pack = |state| {
                let mut words = self.shape.words();
                self.shape.pack(self.model, state, &mut words);
                words
            };
            firsts.map(pack).collect::<Vec<_>>()
        })?;
        for state in &firsts {
            worker.scratch[1..].copy_from_slice(state);
            self.pass_on(worker);
            self.flush_full(worker, &growing)?;
        }
        worker.tally.generated += firsts.len() as u64;
        self.flush_all(worker, &growing)?;
        let tally = self.take_tally(worker);
        growing.finish(tally.new, tally.sum)
    }

    // --- one level -------------------------------------------------------------------------------------------------

    fn expand(
        &self,
        workers: &mut [Worker],
        level: Level,
        growing: &Growing,
        levels: &[u64],
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Tally, Failure> {
        let depth = levels.len().saturating_sub(1);
        let alone = level.states as usize * self.shape.bytes < WORTH_A_THREAD;
        let left = AtomicU64::new(level.states);
        let chunks = Mutex::new(VecDeque::from(level.chunks));
        let mut last = Instant::now();
        let mut tell = || {
            if last.elapsed() >= BETWEEN_PROGRESS {
                last = Instant::now();
                progress(self.progress(levels, left.load(Ordering::Relaxed)));
            }
        };
        let work = |worker: &mut Worker, tell: &mut dyn FnMut()| {
            let done = self.work(worker, &chunks, &left, growing, depth, tell);
            if let Err(failure) = done {
                lock(&self.failed).get_or_insert(failure);
            }
        };
        match workers {
            [first, others @ ..] if !alone => std::thread::scope(|scope| {
                for other in others {
                    let work = &work;
                    scope.spawn(move || work(other, &mut || {}));
                }
                work(first, &mut tell);
            }),
            [first, ..] => work(first, &mut tell),
            [] => {}
        }
        if let Some(failure) = lock(&self.failed).take() {
            return Err(failure);
        }
        let mut sum = Tally { actions: vec![0; workers[0].tally.actions.len()], ..Tally::default() };
        for worker in workers {
            let tally = self.take_tally(worker);
            sum.new += tally.new;
            sum.sum = sum.sum.wrapping_add(tally.sum);
            sum.actions.resize(tally.actions.len().max(sum.actions.len()), 0);
            sum.actions.iter_mut().zip(&tally.actions).for_each(|(sum, more)| *sum += more);
        }
        Ok(sum)
    }

    fn work(
        &self,
        worker: &mut Worker,
        chunks: &Mutex<VecDeque<Chunk>>,
        left: &AtomicU64,
        growing: &Growing,
        depth: usize,
        tell: &mut dyn FnMut(),
    ) -> Result<(), Failure> {
        if let Some(labels) = self.options.labels {
            worker.tally.actions.resize(labels.names.len(), 0);
        }
        let mut actions = Vec::new();
        loop {
            let next = lock(chunks).pop_front();
            let Some(chunk) = next else { break };
            chunk.with(|states| {
                for state in states.chunks_exact(self.shape.bytes) {
                    self.visit(worker, &mut actions, state, depth, growing)?;
                }
                left.fetch_sub((states.len() / self.shape.bytes) as u64, Ordering::Relaxed);
                Ok(())
            })??;
            if lock(&self.failed).is_some() {
                return Ok(());
            }
            self.tell_counts(worker);
            tell();
        }
        self.flush_all(worker, growing)
    }

    fn tell_counts(&self, worker: &mut Worker) {
        let more = worker.tally.generated - worker.tally.told;
        self.generated.fetch_add(more, Ordering::Relaxed);
        worker.tally.told = worker.tally.generated;
    }

    fn take_tally(&self, worker: &mut Worker) -> Tally {
        self.tell_counts(worker);
        std::mem::take(&mut worker.tally)
    }

    /// Judges a state and passes its successors on. What the model does is guarded; what the engine does is not, so that a
    /// mistake here is not taken for one there.
    fn visit(
        &self,
        worker: &mut Worker,
        actions: &mut Vec<M::Action>,
        packed: &[u8],
        depth: usize,
        growing: &Growing,
    ) -> Result<(), Failure> {
        self.shape.widen(packed, &mut worker.unpacked);
        let unpacked = catch_unwind(AssertUnwindSafe(|| {
            let state = self.model.unpack(&mut Reader::new(&worker.unpacked));
            if self.judges {
                self.judge(&state, packed, depth);
            }
            if !self.ends.load(Ordering::Relaxed) {
                self.model.actions(&state, actions);
            }
            state
        }));
        let visited = unpacked.and_then(|state| {
            let mut left = actions.drain(..);
            let mut any = self.ends.load(Ordering::Relaxed);
            loop {
                let rest = catch_unwind(AssertUnwindSafe(|| self.successors(worker, &state, &mut left)));
                match rest {
                    Ok(more) => any |= more,
                    Err(panic) => return Err(panic),
                }
                if worker.full.is_empty() {
                    return Ok(Ok(any));
                }
                if let Err(failure) = self.flush_full(worker, growing) {
                    return Ok(Err(failure));
                }
            }
        });
        match visited {
            Ok(any) => {
                if !any? && self.judges && self.options.deadlock == Deadlock::Violation {
                    self.report(self.properties.len(), depth, packed, Broken::Deadlock);
                }
            }
            Err(panic) => {
                actions.clear();
                if self.judges {
                    self.report(self.properties.len() + 1, depth, packed, Broken::Panic(message(&*panic)));
                }
            }
        }
        Ok(())
    }

    fn judge(&self, state: &M::State, packed: &[u8], depth: usize) {
        for (place, property) in self.properties.iter().enumerate() {
            match property.expectation {
                Expectation::Always => {
                    if !(property.condition)(self.model, state) {
                        self.report(place, depth, packed, Broken::Always(property.name));
                        if self.options.stop == Stop::AtFirst {
                            self.ends.store(true, Ordering::Relaxed);
                        }
                    }
                }
                Expectation::Sometimes => {
                    let seen = self.witnessed.load(Ordering::Relaxed) >> place & 1 == 1;
                    if !seen && (property.condition)(self.model, state) {
                        self.witnessed.fetch_or(1 << place, Ordering::Relaxed);
                    }
                }
                // `new` has refused them.
                Expectation::Eventually => {}
            }
        }
    }

    /// Passes on successors until a batch is full; whether there was any.
    fn successors(&self, worker: &mut Worker, state: &M::State, actions: &mut impl Iterator<Item = M::Action>) -> bool {
        let mut any = false;
        while worker.full.is_empty() {
            let Some(action) = actions.next() else { break };
            let label = self.options.labels.map(|labels| (labels.of)(&action));
            let Some(next) = self.model.next_state(state, action) else { continue };
            any = true;
            if !self.model.within_boundary(&next) {
                continue;
            }
            worker.tally.generated += 1;
            if let Some(count) = label.and_then(|place| worker.tally.actions.get_mut(place)) {
                *count += 1;
            }
            self.shape.pack(self.model, next, &mut worker.scratch[1..]);
            self.pass_on(worker);
        }
        any
    }

    /// Keeps of a rank the shortest violation, and of those the least state.
    fn report(&self, rank: usize, depth: usize, state: &[u8], broken: Broken) {
        let mut found = lock(&self.found);
        let better = |old: &Found| old.depth > depth || (old.depth == depth && *old.state > *state);
        if found.get(&rank).is_none_or(better) {
            found.insert(rank, Found { depth, state: state.to_vec(), broken });
        }
    }

    // --- batches ---------------------------------------------------------------------------------------------------

    /// Takes the state that the scratch holds behind its first word.
    #[inline]
    fn pass_on(&self, worker: &mut Worker) {
        let Worker { batches, filled, full, recent, scratch, .. } = worker;
        let key = V::key(&scratch[1..], self.shape.bytes);
        scratch[0] = key;
        if recent.knows(scratch) {
            return;
        }
        let shard = (key >> (64 - self.shard_bits)) as usize;
        let (stride, room) = (scratch.len(), BATCH * scratch.len());
        let at = filled[shard];
        // One word after the other: these are a few, and a call to copy them takes longer.
        batches[shard * room + at..][..stride].iter_mut().zip(scratch).for_each(|(to, from)| *to = *from);
        filled[shard] = at + stride;
        if at + stride == room {
            full.push(shard);
        }
    }

    #[inline]
    fn flush_full(&self, worker: &mut Worker, growing: &Growing) -> Result<(), Failure> {
        while let Some(shard) = worker.full.pop() {
            self.flush(worker, shard, growing)?;
        }
        Ok(())
    }

    fn flush_all(&self, worker: &mut Worker, growing: &Growing) -> Result<(), Failure> {
        worker.full.clear();
        for shard in 0..self.shards.len() {
            self.flush(worker, shard, growing)?;
        }
        growing.push(std::mem::take(&mut worker.out))
    }

    fn flush(&self, worker: &mut Worker, shard: usize, growing: &Growing) -> Result<(), Failure> {
        let Worker { batches, filled, out, tally, .. } = worker;
        let stride = 1 + self.shape.words;
        let batch = &batches[shard * BATCH * stride..][..filled[shard]];
        filled[shard] = 0;
        if batch.is_empty() {
            return Ok(());
        }
        let new_before = tally.new;
        {
            let mut table = lock(&self.shards[shard]);
            let memory = table.memory();
            table.reserve(batch.len() / stride);
            black_box(batch.iter().step_by(stride).fold(0, |sum: u64, &key| sum.wrapping_add(table.touch(key))));
            for entry in batch.chunks_exact(stride) {
                let (key, state) = (entry[0], &entry[1..]);
                if table.insert(key, state) {
                    tally.new += 1;
                    tally.sum = tally.sum.wrapping_add(key);
                    self.shape.append(state, out);
                }
            }
            let grown = table.memory() - memory;
            self.table_bytes.fetch_add(grown, Ordering::Relaxed);
        }
        self.unique.fetch_add(tally.new - new_before, Ordering::Relaxed);
        if out.len() + BATCH * self.shape.bytes > CHUNK {
            let full = std::mem::replace(out, Vec::with_capacity(CHUNK));
            growing.push(full)?;
        }
        Ok(())
    }

    // --- progress --------------------------------------------------------------------------------------------------

    fn progress(&self, levels: &[u64], left: u64) -> Progress {
        let unique = self.unique.load(Ordering::Relaxed);
        let explored: u64 = levels.iter().sum();
        let elapsed = self.began.elapsed();
        let frontier = left + unique.saturating_sub(explored);
        let exact = V::is_exact(self.shape.bytes);
        Progress {
            unique_states: unique,
            generated_states: self.generated.load(Ordering::Relaxed),
            depth: levels.len().saturating_sub(1),
            frontier,
            memory_bytes: (self.table_bytes.load(Ordering::Relaxed) + self.storage.in_memory()) as u64,
            disk_bytes: self.storage.written(),
            expected_collisions: if exact { 0.0 } else { mix::expected_collisions(unique, self.shape.bytes) },
            elapsed,
            remaining: remaining(levels, unique - frontier.min(unique), frontier, elapsed),
        }
    }
}

/// The time left if each level goes on being as much smaller than the one before it as the last one was.
fn remaining(levels: &[u64], explored: u64, frontier: u64, elapsed: Duration) -> Option<Duration> {
    let [.., before, last] = *levels else { return None };
    if last >= before || explored == 0 {
        return None;
    }
    let ratio = last as f64 / before as f64;
    let left = frontier as f64 + last as f64 * ratio / (1.0 - ratio);
    Some(elapsed.mul_f64(left / explored as f64))
}

/// Levels for walking back: all so far, or none once they take more than the limit.
struct Kept {
    levels: Vec<Level>,
    limit: usize,
}

impl Kept {
    fn keep(&mut self, level: &Level) {
        let used: usize = self.levels.iter().map(Level::bytes_in_memory).sum();
        match level.on_disk() {
            Some(away) => self.levels.push(away),
            None if used + level.bytes_in_memory() <= self.limit => self.levels.push(level.clone()),
            None => {
                self.limit = 0;
                self.levels.clear();
            }
        }
    }

    fn whole(self) -> Option<Vec<Level>> {
        (self.limit > 0).then_some(self.levels)
    }
}

/// The traces of what was found, on levels that were kept or are searched again.
fn explain<M: Packed + Sync, V: Visited>(
    model: &M,
    options: &Options<M::Action>,
    kept: Option<Vec<Level>>,
    found: Vec<Found>,
) -> Result<Vec<Violation<M::State, M::Action>>, Failure> {
    let Some(deepest) = found.iter().map(|f| f.depth).max() else { return Ok(Vec::new()) };
    let levels = match kept {
        Some(levels) => levels,
        None => Search::<M, V>::new(model, options, false)?.levels_before(deepest)?,
    };
    let explain = |f: Found| {
        let trace = walk_back(model, options.threads, &levels, f.depth, &f.state)?;
        Ok(Violation { broken: f.broken, trace })
    };
    found.into_iter().map(explain).collect()
}

/// What the model says before there is a state that its panic could be traced to.
fn guarded<R>(ask: impl FnOnce() -> R) -> Result<R, Failure> {
    let asked = catch_unwind(AssertUnwindSafe(ask));
    asked.map_err(|panic| Failure(format!("the model panicked in its first states: {}", message(&*panic))))
}

/// What a panic said.
pub(super) fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("a value that is no text").to_owned()
}
