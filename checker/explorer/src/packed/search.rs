//! The search itself: levels, threads, batches.

use std::any::Any;
use std::collections::{BTreeMap, VecDeque};
use std::hint::black_box;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use stateright::{Expectation, Property};

use super::levels::{CHUNK, Chunk, Growing, Level, Storage, lock};
use super::mix;
use super::shape::Shape;
use super::spill::{Known, Run, merge, write};
use super::table::Visited;
use super::worker::{BATCH, Tally, Worker};
use super::{Broken, Deadlock, Failure, Options, Packed, Progress, Reader, Stop};

const BETWEEN_PROGRESS: Duration = Duration::from_millis(100);
/// A level of fewer bytes is explored by one thread: waking others takes longer.
const WORTH_A_THREAD: usize = 16 << 10;

pub(crate) struct Search<'a, M: Packed, V> {
    pub model: &'a M,
    pub options: &'a Options<M::Action>,
    pub shape: Shape,
    /// Whether properties, deadlocks and panics are looked for, or only states.
    judges: bool,
    pub properties: Vec<Property<M>>,
    shards: Vec<Mutex<V>>,
    shard_bits: u32,
    pub storage: Storage,
    /// Whether tables are written out instead of growing.
    spills: bool,
    /// A table has reached its limit.
    pause: AtomicBool,
    /// What was written out.
    runs: Mutex<Vec<Arc<Run>>>,
    pub began: Instant,
    pub table_bytes: AtomicUsize,
    pub unique: AtomicU64,
    pub generated: AtomicU64,
    /// Bit i: some state satisfies the `sometimes` property at place i.
    pub witnessed: AtomicU64,
    /// By rank, the violation that is reported.
    pub found: Mutex<BTreeMap<usize, Found>>,
    /// A property is violated on this level, and nothing behind it is asked for.
    ends: AtomicBool,
    failed: Mutex<Option<Failure>>,
}

/// A state that violates something.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    pub depth: usize,
    pub state: Vec<u8>,
    pub broken: Broken,
}

impl<'a, M: Packed + Sync, V: Visited> Search<'a, M, V> {
    pub fn new(model: &'a M, options: &'a Options<M::Action>, judges: bool) -> Result<Self, Failure> {
        let shape = Shape::of(model);
        let worker = Worker::memory(1 << V::shard_bits(options.threads), shape.words, keeps_recent_states::<V>(shape));
        let workers = options.threads * (worker + 3 * CHUNK);
        let limits = match limits(options.memory, workers) {
            // What the first search has given back may still be counted; a trace is worth a little more.
            Err(_) if !judges => (LEAST / 4, LEAST / 2),
            limits => limits?,
        };
        Search::within(model, options, judges, limits)
    }

    /// A search that keeps so many bytes of levels in memory, and so many of tables.
    pub fn within(
        model: &'a M,
        options: &'a Options<M::Action>,
        judges: bool,
        (levels_limit, table_limit): (usize, usize),
    ) -> Result<Self, Failure> {
        let shape = Shape::of(model);
        let properties = guarded(|| model.properties())?;
        if let Some(p) = properties.iter().find(|p| p.expectation == Expectation::Eventually) {
            let name = p.name;
            return Err(Failure(format!("the packed engine does not judge the `eventually` property {name}")));
        }
        if properties.len() > 64 {
            return Err(Failure(format!("the packed engine judges at most 64 properties, not {}", properties.len())));
        }
        assert!(options.threads > 0, "a search needs a thread");
        let shard_bits = V::shard_bits(options.threads);
        // Where memory is short the tables have their full size from the begin: growing would leave gaps behind.
        let first = if options.memory.is_some() { table_limit >> shard_bits } else { 0 };
        let shards: Vec<_> = (0..1 << shard_bits).map(|_| Mutex::new(V::new(shape.bytes, shard_bits, first))).collect();
        let storage = match &options.checkpoint {
            // A search that is repeated for its levels leaves the checkpoint alone.
            Some(checkpoint) if judges => Storage::checkpointed(levels_limit, &checkpoint.folder),
            Some(_) | None => Storage::temporary(levels_limit),
        };
        let table_bytes = shards.iter().map(|shard| lock(shard).memory()).sum::<usize>().into();
        Ok(Search {
            model,
            options,
            shape,
            judges,
            properties,
            shards,
            shard_bits,
            storage,
            spills: options.memory.is_some(),
            pause: AtomicBool::new(false),
            runs: Mutex::default(),
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

    pub fn workers(&self) -> Vec<Worker> {
        let (words, whole) = (self.shape.words, keeps_recent_states::<V>(self.shape));
        (0..self.options.threads).map(|_| Worker::new(self.shards.len(), words, whole)).collect()
    }

    pub fn first_level(&self, worker: &mut Worker) -> Result<Level, Failure> {
        let growing = self.storage.grow(0);
        self.first_states(worker, Some(&growing))?;
        let tally = self.take_tally(worker);
        growing.finish(tally.new, tally.sum)
    }

    /// Passes the first states on.
    pub fn first_states(&self, worker: &mut Worker, growing: Option<&Growing>) -> Result<(), Failure> {
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
            self.give(worker, |room| room.copy_from_slice(state), growing)?;
        }
        worker.tally.generated += firsts.len() as u64;
        self.flush_all::<0>(worker, growing)
    }

    // --- one level -------------------------------------------------------------------------------------------------

    pub fn expand(
        &self,
        workers: &mut [Worker],
        level: Level,
        growing: &Growing,
        levels: &[u64],
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Tally, Failure> {
        let depth = levels.len().saturating_sub(1);
        let bytes = level.states as usize * self.shape.bytes;
        let left = AtomicU64::new(level.states);
        let chunks = Mutex::new(VecDeque::from(level.chunks));
        let mut last = Instant::now();
        let mut tell = || {
            if last.elapsed() >= BETWEEN_PROGRESS {
                last = Instant::now();
                progress(self.progress(levels, left.load(Ordering::Relaxed)));
            }
        };
        let mut sum = Tally::default();
        while !lock(&chunks).is_empty() {
            // What no table holds may still lie in a run.
            let candidates = (!lock(&self.runs).is_empty()).then(|| self.storage.grow_candidates(depth));
            let target = candidates.as_ref().unwrap_or(growing);
            self.on_all(workers, bytes, &mut tell, &|worker, tell| {
                // How many words a state has decides what the inner loops look like.
                match self.shape.words {
                    1 => self.work::<1>(worker, &chunks, &left, target, depth, tell),
                    2 => self.work::<2>(worker, &chunks, &left, target, depth, tell),
                    _ => self.work::<0>(worker, &chunks, &left, target, depth, tell),
                }
            })?;
            let mut tally = self.take_tallies(workers);
            let mut known = Known::nothing(self.shards.len());
            if let Some(candidates) = candidates {
                known = merge(&self.shards, &lock(&self.runs), self.shape.bytes, self.options.threads)?;
                let all = tally.new;
                (tally.new, tally.sum) = self.confirm(&candidates.finish(0, 0)?, &known, growing)?;
                self.unique.fetch_sub(all - tally.new, Ordering::Relaxed);
            }
            self.spill_if_full(&known)?;
            sum.add(&tally);
        }
        Ok(sum)
    }

    /// Does `work` on every thread, or on one if there is little to do.
    fn on_all(
        &self,
        workers: &mut [Worker],
        bytes: usize,
        tell: &mut dyn FnMut(),
        work: &(impl Fn(&mut Worker, &mut dyn FnMut()) -> Result<(), Failure> + Sync),
    ) -> Result<(), Failure> {
        let guarded = |worker: &mut Worker, tell: &mut dyn FnMut()| {
            if let Err(failure) = work(worker, tell) {
                lock(&self.failed).get_or_insert(failure);
            }
        };
        match workers {
            [first, others @ ..] if bytes >= WORTH_A_THREAD => std::thread::scope(|scope| {
                for other in others {
                    let guarded = &guarded;
                    scope.spawn(move || guarded(other, &mut || {}));
                }
                guarded(first, tell);
            }),
            [first, ..] => guarded(first, tell),
            [] => {}
        }
        let failed = lock(&self.failed).take();
        failed.map_or(Ok(()), Err)
    }

    /// Passes the candidates on that no run holds; how many, and the sum of their keys.
    fn confirm(&self, candidates: &Level, known: &Known, growing: &Growing) -> Result<(u64, u64), Failure> {
        let tables: Vec<_> = self.shards.iter().map(lock).collect();
        let (mut new, mut sum, mut words, mut out) = (0, 0u64, self.shape.words(), Vec::new());
        for chunk in &candidates.chunks {
            chunk.with(|states| {
                for state in states.chunks_exact(self.shape.bytes) {
                    self.shape.widen(state, &mut words);
                    let key = V::key(&words, self.shape.bytes);
                    let shard = self.shard_of(key);
                    let slot = tables[shard].find(key, &words);
                    if !slot.is_some_and(|slot| known.contains(shard, slot)) {
                        new += 1;
                        sum = sum.wrapping_add(key);
                        out.extend_from_slice(state);
                    }
                }
            })?;
            growing.push(std::mem::take(&mut out))?;
        }
        Ok((new, sum))
    }

    /// Writes the tables out if they have reached their limit. `known`: what need not be written again.
    fn spill_if_full(&self, known: &Known) -> Result<(), Failure> {
        if !self.pause.swap(false, Ordering::Relaxed) {
            return Ok(());
        }
        let mut runs = lock(&self.runs);
        let path = self.storage.folder()?.join(format!("run-{:04}.keys", runs.len()));
        let run = write(&self.shards, known, path)?;
        self.storage.add_written(run.bytes());
        runs.push(Arc::new(run));
        Ok(())
    }

    /// What violates the property at place `rank`; behind the properties come a deadlock and a panic.
    pub fn broken(&self, rank: usize, panic: Option<String>) -> Broken {
        match panic {
            Some(message) => Broken::Panic(message),
            None => self.properties.get(rank).map_or(Broken::Deadlock, |p| Broken::Always(p.name)),
        }
    }

    /// Puts a level of a checkpoint into the visited set.
    pub fn restore(&self, workers: &mut [Worker], level: &Level, depth: usize) -> Result<(), Failure> {
        let bytes = level.states as usize * self.shape.bytes;
        let chunks: Mutex<VecDeque<&Chunk>> = Mutex::new(level.chunks.iter().collect());
        let mut sum = Tally::default();
        while !lock(&chunks).is_empty() {
            self.on_all(workers, bytes, &mut || {}, &|worker, _| {
                while !self.pause.load(Ordering::Relaxed) {
                    let next = lock(&chunks).pop_front();
                    let Some(chunk) = next else { break };
                    chunk.with(|states| {
                        for state in states.chunks_exact(self.shape.bytes) {
                            self.give(worker, |room| self.shape.widen(state, room), None)?;
                        }
                        Ok(())
                    })??;
                }
                self.flush_all::<0>(worker, None)
            })?;
            sum.add(&self.take_tallies(workers));
            self.spill_if_full(&Known::nothing(self.shards.len()))?;
        }
        if (sum.new, sum.sum) != (level.states, level.sum) {
            return Err(Failure(format!("level {depth} of the checkpoint is damaged: it is not what was written")));
        }
        Ok(())
    }

    fn take_tallies(&self, workers: &mut [Worker]) -> Tally {
        let mut sum = Tally::default();
        workers.iter_mut().for_each(|worker| sum.add(&self.take_tally(worker)));
        sum
    }

    fn work<const W: usize>(
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
        while !self.pause.load(Ordering::Relaxed) {
            let next = lock(chunks).pop_front();
            let Some(chunk) = next else { break };
            chunk.with(|states| {
                for state in states.chunks_exact(self.shape.bytes) {
                    self.visit::<W>(worker, &mut actions, state, depth, growing)?;
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
        self.flush_all::<W>(worker, Some(growing))
    }

    fn tell_counts(&self, worker: &mut Worker) {
        let more = worker.tally.generated - worker.tally.told;
        self.generated.fetch_add(more, Ordering::Relaxed);
        worker.tally.told = worker.tally.generated;
    }

    pub fn take_tally(&self, worker: &mut Worker) -> Tally {
        self.tell_counts(worker);
        std::mem::take(&mut worker.tally)
    }

    /// Judges a state and passes its successors on. What the model does is guarded; what the engine does is not, so that a
    /// mistake here is not taken for one there.
    pub fn visit<const W: usize>(
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
                let rest = catch_unwind(AssertUnwindSafe(|| self.successors::<W>(worker, &state, &mut left)));
                match rest {
                    Ok(more) => any |= more,
                    Err(panic) => return Err(panic),
                }
                if !worker.fresh.is_full() {
                    return Ok(Ok(any));
                }
                if let Err(failure) = self.sift::<W>(worker, Some(growing)) {
                    return Ok(Err(failure));
                }
            }
        });
        match visited {
            Ok(any) => {
                if !any? && self.judges && self.options.deadlock == Deadlock::Violation {
                    self.judge_end(worker, packed, depth);
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

    /// Judges a state without a successor.
    fn judge_end(&self, worker: &Worker, packed: &[u8], depth: usize) {
        let asked = catch_unwind(AssertUnwindSafe(|| {
            self.model.may_end(&self.model.unpack(&mut Reader::new(&worker.unpacked)))
        }));
        match asked {
            Ok(true) => {}
            Ok(false) => self.report(self.properties.len(), depth, packed, Broken::Deadlock),
            Err(panic) => self.report(self.properties.len() + 1, depth, packed, Broken::Panic(message(&*panic))),
        }
    }

    /// Packs successors until there is no more room; whether there was any.
    #[inline]
    fn successors<const W: usize>(
        &self,
        worker: &mut Worker,
        state: &M::State,
        actions: &mut impl Iterator<Item = M::Action>,
    ) -> bool {
        let words = self.shape.width::<W>();
        let mut any = false;
        while !worker.fresh.is_full() {
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
            self.shape.pack(self.model, next, worker.fresh.room(words));
            worker.fresh.take_up(words);
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

    /// Takes a state that `write` writes.
    pub fn give(
        &self,
        worker: &mut Worker,
        write: impl FnOnce(&mut [u64]),
        growing: Option<&Growing>,
    ) -> Result<(), Failure> {
        write(worker.fresh.room(self.shape.words));
        worker.fresh.take_up(self.shape.words);
        if worker.fresh.is_full() { self.sift::<0>(worker, growing) } else { Ok(()) }
    }

    /// Puts fresh states into the batches of their shards, but not those that were seen a moment ago. That is as likely as
    /// not and cannot be predicted, so every state is written, and what was known is written over.
    #[inline]
    fn sift<const W: usize>(&self, worker: &mut Worker, growing: Option<&Growing>) -> Result<(), Failure> {
        let words = self.shape.width::<W>();
        let (stride, room) = (1 + words, BATCH * (1 + words));
        let Worker { fresh, batches, filled, recent, out, tally, outbox, .. } = worker;
        for state in fresh.drain().chunks_exact(words) {
            let key = V::key(state, self.shape.bytes);
            let known = recent.knows(key, state, self.shard_bits);
            let shard = self.shard_of(key);
            let at = filled[shard];
            let entry = &mut batches[shard * room + at..][..stride];
            entry[0] = key;
            // One word after the other: these are a few, and a call to copy them takes longer.
            entry[1..].iter_mut().zip(state).for_each(|(to, from)| *to = *from);
            filled[shard] = at + if known { 0 } else { stride };
            if filled[shard] == room {
                filled[shard] = 0;
                let batch = &batches[shard * room..][..room];
                match outbox {
                    Some(outbox) => outbox.put(batch, stride),
                    None => self.flush::<W>(shard, batch, out, tally, growing)?,
                }
            }
        }
        Ok(())
    }

    #[inline]
    fn shard_of(&self, key: u64) -> usize {
        // With one shard there is no bit that chooses.
        key.unbounded_shr(u64::BITS - self.shard_bits) as usize
    }

    pub fn flush_all<const W: usize>(&self, worker: &mut Worker, growing: Option<&Growing>) -> Result<(), Failure> {
        self.sift::<W>(worker, growing)?;
        let Worker { batches, filled, out, tally, outbox, .. } = worker;
        let room = BATCH * (1 + self.shape.width::<W>());
        for (shard, filled) in filled.iter_mut().enumerate() {
            let batch = &batches[shard * room..][..std::mem::take(filled)];
            match outbox {
                Some(outbox) => outbox.put(batch, 1 + self.shape.width::<W>()),
                None => self.flush::<W>(shard, batch, out, tally, growing)?,
            }
        }
        growing.map_or(Ok(()), |growing| growing.push(std::mem::take(out)))
    }

    /// Puts a batch into its table; what is new goes to `growing`, if that is wanted.
    fn flush<const W: usize>(
        &self,
        shard: usize,
        batch: &[u64],
        out: &mut Vec<u8>,
        tally: &mut Tally,
        growing: Option<&Growing>,
    ) -> Result<(), Failure> {
        let stride = 1 + self.shape.width::<W>();
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
                    if growing.is_some() {
                        self.shape.append(state, out);
                    }
                }
            }
            let grown = table.memory() - memory;
            self.table_bytes.fetch_add(grown, Ordering::Relaxed);
            if self.spills && table.is_filled() {
                self.pause.store(true, Ordering::Relaxed);
            }
        }
        self.unique.fetch_add(tally.new - new_before, Ordering::Relaxed);
        if let Some(growing) = growing
            && out.len() + BATCH * self.shape.bytes > CHUNK
        {
            let full = std::mem::replace(out, self.storage.buffer());
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

/// Whether recent states are kept themselves, because their keys do not tell them.
fn keeps_recent_states<V: Visited>(shape: Shape) -> bool {
    V::is_exact(shape.bytes) && shape.words > 1
}

/// The least memory that levels and tables get together.
const LEAST: usize = 4 << 20;

/// Bytes for levels and for tables within a limit for the process, which has some in use and whose threads need more. What
/// is left over is for chunks that are read back and for what the allocator does not give back.
fn limits(memory: Option<u64>, workers: usize) -> Result<(usize, usize), Failure> {
    let Some(memory) = memory else { return Ok((usize::MAX, usize::MAX)) };
    let used = resident_bytes() + workers;
    match usize::try_from(memory).unwrap_or(usize::MAX).checked_sub(used) {
        Some(left) if left >= LEAST => Ok((left / 4, left / 2)),
        Some(_) | None => {
            let least = (used + LEAST) >> 20;
            Err(Failure(format!("{} MiB are too few for this search: it needs {} MiB", memory >> 20, least + 1)))
        }
    }
}

/// Memory that this process has in use; 0 where the system does not tell.
fn resident_bytes() -> usize {
    let text = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|rest| rest.split_whitespace().next()?.parse::<usize>().ok()).unwrap_or(0) * 1024
}

/// What the model says before there is a state that its panic could be traced to.
fn guarded<R>(ask: impl FnOnce() -> R) -> Result<R, Failure> {
    let asked = catch_unwind(AssertUnwindSafe(ask));
    asked.map_err(|panic| Failure(format!("the model panicked in its first states: {}", message(&*panic))))
}

/// What a panic said.
#[must_use]
pub fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("a value that is no text").to_owned()
}
