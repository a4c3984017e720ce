//! A search from its first states, or from its checkpoint, to its end.

use std::sync::atomic::Ordering;

use stateright::{Expectation, Model};

use super::checkpoint::{self, Description};
use super::exact::Exact;
use super::levels::{Level, lock};
use super::mix;
use super::search::{Found, Search};
use super::table::{Fingerprints, Visited};
use super::trace::walk_back;
use super::worker::Worker;
use super::{End, Failure, Options, Outcome, Packed, Progress, Stop, Store, Violation};

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

/// Where a search is at the beginning of a level.
struct Begun {
    level: Level,
    /// States and sum of the keys of each level so far.
    levels: Vec<(u64, u64)>,
    unique: u64,
    generated: u64,
    actions: Vec<u64>,
}

impl<M: Packed + Sync, V: Visited> Search<'_, M, V> {
    fn run(self, progress: &mut dyn FnMut(Progress)) -> Result<Outcome<M::State, M::Action>, Failure> {
        let mut workers = self.workers();
        let mut kept = Kept { levels: Vec::new(), limit: self.options.kept_bytes.min(self.storage.limit() / 2) };
        let mut begun = self.begin(&mut workers, &mut kept)?;
        let end = loop {
            match self.next_level(&mut workers, &mut begun, &mut kept, progress) {
                Ok(None) => {}
                Ok(Some(end)) => break end,
                Err(failure) => break self.stopped(&begun, &failure),
            }
        };
        drop(workers);
        let unwitnessed = if end == End::Complete { self.unwitnessed() } else { Vec::new() };
        let (model, options, bytes) = (self.model, self.options, self.shape.bytes);
        let table_bytes = self.table_bytes.load(Ordering::Relaxed) as u64;
        let disk_bytes = self.storage.written();
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
            unique_states: begun.unique,
            generated_states: begun.generated,
            depth: begun.levels.len() - 1,
            levels: begun.levels.iter().map(|(states, _)| *states).collect(),
            violations: explain::<M, V>(model, options, kept.whole(), found)?,
            unwitnessed,
            actions: names.iter().copied().zip(begun.actions).collect(),
            expected_collisions: if exact { 0.0 } else { mix::expected_collisions(begun.unique, bytes) },
            elapsed: began.elapsed(),
            table_bytes,
            disk_bytes,
        })
    }

    /// The first level, or the last one of a checkpoint.
    fn begin(&self, workers: &mut [Worker], kept: &mut Kept) -> Result<Begun, Failure> {
        let kinds = self.options.labels.map_or(0, |labels| labels.names.len());
        let description = match &self.options.checkpoint {
            Some(checkpoint) => {
                checkpoint::refuse_partitioned(&checkpoint.folder)?;
                checkpoint::open(checkpoint)?
            }
            None => None,
        };
        if let Some(description) = description {
            return self.resume(workers, kept, description);
        }
        let level = self.first_level(&mut workers[0])?;
        let begun = Begun {
            levels: vec![(level.states, level.sum)],
            level,
            unique: self.unique.load(Ordering::Relaxed),
            generated: self.generated.load(Ordering::Relaxed),
            actions: vec![0; kinds],
        };
        self.describe(&begun)?;
        Ok(begun)
    }

    fn resume(&self, workers: &mut [Worker], kept: &mut Kept, from: Description) -> Result<Begun, Failure> {
        let kinds = self.options.labels.map_or(0, |labels| labels.names.len());
        let same = from.bytes == self.shape.bytes && from.actions.len() == kinds && !from.levels.is_empty();
        if !same || from.exact != (self.options.store == Store::Exact) {
            return Err(Failure("the checkpoint is of another form of the states, or of another store".into()));
        }
        let mut last = Level::default();
        for (depth, &(states, sum)) in from.levels.iter().enumerate() {
            let level = self.storage.open(depth, states, sum, self.shape.bytes)?;
            self.restore(workers, &level, depth)?;
            if depth + 1 < from.levels.len() {
                kept.keep(&level);
            }
            last = level;
        }
        self.generated.store(from.generated_states, Ordering::Relaxed);
        self.witnessed.store(from.witnessed, Ordering::Relaxed);
        for (rank, depth, state, message) in from.found {
            let broken = self.broken(rank, message);
            lock(&self.found).insert(rank, Found { depth, state, broken });
        }
        let unique = from.levels.iter().map(|(states, _)| states).sum();
        Ok(Begun { level: last, levels: from.levels, unique, generated: from.generated_states, actions: from.actions })
    }

    /// Explores one level; how the search ended, if it did.
    fn next_level(
        &self,
        workers: &mut [Worker],
        begun: &mut Begun,
        kept: &mut Kept,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Option<End>, Failure> {
        let growing = self.storage.grow(begun.levels.len());
        let level = std::mem::take(&mut begun.level);
        kept.keep(&level);
        let sizes: Vec<u64> = begun.levels.iter().map(|(states, _)| *states).collect();
        let tally = self.expand(workers, level, &growing, &sizes, progress)?;
        if self.options.stop == Stop::AtFirst && !lock(&self.found).is_empty() {
            return Ok(Some(End::Violated));
        }
        let level = growing.finish(tally.new, tally.sum)?;
        begun.generated = self.generated.load(Ordering::Relaxed);
        begun.actions.iter_mut().zip(&tally.actions).for_each(|(sum, more)| *sum += more);
        if level.states == 0 {
            return Ok(Some(End::Complete));
        }
        begun.unique += level.states;
        begun.levels.push((level.states, level.sum));
        begun.level = level;
        self.describe(begun)?;
        Ok(None)
    }

    fn stopped(&self, begun: &Begun, failure: &Failure) -> End {
        let judged = begun.unique - begun.levels.last().map_or(0, |(states, _)| *states);
        let resumed = if self.options.checkpoint.is_some() { "; the checkpoint is whole" } else { "" };
        End::Stopped(format!(
            "{failure}{resumed}; judged are the {judged} states that need fewer than {} actions",
            begun.levels.len() - 1
        ))
    }

    /// Writes the checkpoint, if one is kept.
    fn describe(&self, begun: &Begun) -> Result<(), Failure> {
        let Some(checkpoint) = &self.options.checkpoint else { return Ok(()) };
        let found = lock(&self.found).clone().into_iter();
        let description = Description {
            format: checkpoint::FORMAT,
            identity: checkpoint.identity.clone(),
            bytes: self.shape.bytes,
            exact: self.options.store == Store::Exact,
            levels: begun.levels.clone(),
            generated_states: begun.generated,
            witnessed: self.witnessed.load(Ordering::Relaxed),
            actions: begun.actions.clone(),
            found: found.map(|(rank, f)| (rank, f.depth, f.state, f.broken.panic().cloned())).collect(),
        };
        checkpoint::write(&checkpoint.folder, &description)
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
        self.unseen(self.witnessed.load(Ordering::Relaxed))
    }

    /// The `sometimes` properties whose bits are not set in `seen`.
    pub fn unseen(&self, seen: u64) -> Vec<&'static str> {
        let asked = self.properties.iter().enumerate().filter(|(_, p)| p.expectation == Expectation::Sometimes);
        asked.filter(|(place, _)| seen >> place & 1 == 0).map(|(_, p)| p.name).collect()
    }
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

type Violations<M> = Vec<Violation<<M as Model>::State, <M as Model>::Action>>;

/// The traces of what was found, on levels that were kept or are searched again.
fn explain<M: Packed + Sync, V: Visited>(
    model: &M,
    options: &Options<M::Action>,
    kept: Option<Vec<Level>>,
    found: Vec<Found>,
) -> Result<Violations<M>, Failure> {
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
