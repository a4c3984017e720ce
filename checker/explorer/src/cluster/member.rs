//! One worker of a partitioned search: the states that it owns, level by level.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

use serde::{Deserialize, Serialize};

use super::checkpoint::{self, Description, Own};
use super::exchange::Exchange;
use crate::packed::checkpoint::{self as packed_checkpoint, NAME};
use crate::packed::levels::{Growing, Level, lock};
use crate::packed::search::{Found, Search};
use crate::packed::table::Visited;
use crate::packed::trace::{lost, predecessor};
use crate::packed::worker::{Outbox, Worker};
use crate::packed::{End, Failure, Packed, Stop, Store};

/// What every worker knows at the end, and all know the same.
#[derive(Debug)]
pub struct Known {
    pub end: End,
    pub levels: Vec<u64>,
    pub generated: u64,
    pub actions: Vec<u64>,
    pub witnessed: u64,
    /// Of each violation that is reported.
    pub ways: Vec<Way>,
    pub table_bytes: u64,
    pub disk_bytes: u64,
}

/// A shortest way to a violation.
#[derive(Debug)]
pub struct Way {
    /// The place of the property; behind them come a deadlock and a panic.
    pub rank: usize,
    /// What the model said in a panic.
    pub panic: Option<String>,
    /// Packed, the first one first.
    pub states: Vec<Vec<u8>>,
}

/// What a worker tells all at the end of a level.
#[derive(Debug, Serialize, Deserialize)]
struct Told {
    own: Own,
    table_bytes: u64,
    disk_bytes: u64,
}

/// How far all have come.
#[derive(Debug, Default)]
pub struct Sums {
    pub levels: Vec<u64>,
    pub generated: u64,
    pub actions: Vec<u64>,
    pub witnessed: u64,
    found: BTreeMap<usize, Found>,
    pub table_bytes: u64,
    pub disk_bytes: u64,
}

pub struct Member<'a, M: Packed, V> {
    search: &'a Search<'a, M, V>,
    exchange: &'a mut Exchange,
    /// Expands states, and sends what follows to its owners.
    sender: Worker,
    /// Takes what others send into the table.
    receiver: Worker,
    /// Own states of each level.
    levels: Vec<Level>,
    described: Vec<Own>,
    sums: Sums,
    tell: &'a dyn Fn(&Sums),
}

impl<'a, M: Packed + Sync, V: Visited> Member<'a, M, V> {
    /// `search` has one thread and is this worker's alone.
    pub fn new(search: &'a Search<'a, M, V>, exchange: &'a mut Exchange, tell: &'a dyn Fn(&Sums)) -> Self {
        let [mut sender, receiver] = [(); 2].map(|()| search.workers().remove(0));
        sender.outbox = Some(Outbox::new(exchange.workers()));
        let (levels, described, sums) = (Vec::new(), Vec::new(), Sums::default());
        Member { search, exchange, sender, receiver, levels, described, sums, tell }
    }

    /// Searches to the end that all workers come to.
    ///
    /// # Errors
    /// If this worker or another one cannot go on.
    pub fn run(mut self) -> Result<Known, Failure> {
        let mut new = self.begin()?;
        let end = loop {
            (self.tell)(&self.sums);
            if self.search.options.stop == Stop::AtFirst && !self.sums.found.is_empty() {
                break End::Violated;
            }
            if new == 0 {
                break End::Complete;
            }
            new = match self.search.shape.words {
                1 => self.expand::<1>()?,
                2 => self.expand::<2>()?,
                _ => self.expand::<0>()?,
            };
        };
        let ways = self.ways()?;
        let Sums { levels, generated, actions, witnessed, table_bytes, disk_bytes, .. } = self.sums;
        Ok(Known { end, levels, generated, actions, witnessed, ways, table_bytes, disk_bytes })
    }

    fn kinds(&self) -> usize {
        self.search.options.labels.map_or(0, |labels| labels.names.len())
    }

    // --- the first level ---------------------------------------------------------------------------------------------

    /// Comes to where the search begins; how many states there are to expand.
    fn begin(&mut self) -> Result<u64, Failure> {
        let described = self.open()?;
        let all = self.exchange.gather(&described.as_ref().map_or(0, |d| d.levels.len()))?;
        let common = checkpoint::common(&all)?;
        match described {
            Some(described) if common > 0 => self.resume(&described.levels[..common]),
            _ => {
                let growing = self.search.storage.grow(0);
                if self.exchange.index() == 0 {
                    self.search.first_states(&mut self.sender, None)?;
                }
                self.end_level(growing)
            }
        }
    }

    /// What this worker's folder describes.
    fn open(&self) -> Result<Option<Description>, Failure> {
        let Some(checkpoint) = &self.search.options.checkpoint else { return Ok(None) };
        let whole = checkpoint.folder.parent().map(|folder| folder.join(NAME));
        if let Some(whole) = whole.filter(|path| path.exists()) {
            return Err(Failure(format!("{} is a checkpoint of the packed engine", whole.display())));
        }
        let described: Option<Description> = packed_checkpoint::open(checkpoint)?;
        let (worker, workers) = (self.exchange.index(), self.exchange.workers());
        match &described {
            Some(d) if (d.worker, d.workers) != (worker, workers) => Err(Failure(format!(
                "{} is of worker {} of {}, and this is {worker} of {workers}: resume with as many processes and threads",
                checkpoint.folder.display(),
                d.worker,
                d.workers
            ))),
            Some(d) if (d.bytes, d.exact) != (self.search.shape.bytes, self.is_exact()) => {
                Err(Failure("the checkpoint is of another form of the states, or of another store".into()))
            }
            Some(_) | None => Ok(described),
        }
    }

    fn is_exact(&self) -> bool {
        self.search.options.store == Store::Exact
    }

    fn resume(&mut self, levels: &[Own]) -> Result<u64, Failure> {
        let mut new = 0;
        for (depth, own) in levels.iter().enumerate() {
            let level = self.search.storage.open(depth, own.states, own.sum, self.search.shape.bytes)?;
            self.search.restore(std::slice::from_mut(&mut self.receiver), &level, depth)?;
            let found = own.found.iter().cloned().map(|(rank, depth, state, panic)| {
                let broken = self.search.broken(rank, panic);
                (rank, Found { depth, state, broken })
            });
            lock(&self.search.found).extend(found);
            self.search.witnessed.store(own.witnessed, Ordering::Relaxed);
            new = self.agree(level, own.clone())?;
        }
        Ok(new)
    }

    // --- one level ---------------------------------------------------------------------------------------------------

    /// Expands the last level; how many states all workers have found.
    fn expand<const W: usize>(&mut self) -> Result<u64, Failure> {
        let level = self.levels.last().cloned().unwrap_or_default();
        let depth = self.levels.len() - 1;
        let growing = self.search.storage.grow(depth + 1);
        self.sender.tally.actions.resize(self.kinds(), 0);
        let mut actions = Vec::new();
        for chunk in &level.chunks {
            let (search, sender) = (self.search, &mut self.sender);
            chunk.with(|states| {
                let mut states = states.chunks_exact(search.shape.bytes);
                states.try_for_each(|state| search.visit::<W>(sender, &mut actions, state, depth, &growing))
            })??;
            self.post();
            let receiver = &mut self.receiver;
            self.exchange.step(&mut |states| take(search, receiver, states, &growing))?;
        }
        self.search.flush_all::<W>(&mut self.sender, None)?;
        self.end_level(growing)
    }

    /// Sends the parcels that are full.
    fn post(&mut self) {
        for (to, states) in self.sender.outbox.iter_mut().flat_map(|outbox| outbox.full.drain(..)) {
            self.exchange.send(to, states);
        }
    }

    /// Waits until nobody finds any more of a level, and agrees on it with all.
    fn end_level(&mut self, growing: Growing<'a>) -> Result<u64, Failure> {
        self.sender.outbox.iter_mut().for_each(Outbox::finish);
        self.post();
        let (search, receiver) = (self.search, &mut self.receiver);
        self.exchange.finish(&mut |states| take(search, receiver, states, &growing))?;
        search.flush_all::<0>(receiver, Some(&growing))?;
        let (got, sent) = (search.take_tally(receiver), search.take_tally(&mut self.sender));
        let level = growing.finish(got.new, got.sum)?;
        let found = lock(&search.found).clone().into_iter();
        let own = Own {
            states: got.new,
            sum: got.sum,
            generated: sent.generated,
            actions: sent.actions,
            witnessed: search.witnessed.load(Ordering::Relaxed),
            found: found.map(|(rank, f)| (rank, f.depth, f.state, f.broken.panic().cloned())).collect(),
        };
        let new = self.agree(level, own)?;
        self.describe()?;
        Ok(new)
    }

    /// Tells all what this worker has of a level, and adds up what all tell. A level on which the search ends is not counted.
    fn agree(&mut self, level: Level, own: Own) -> Result<u64, Failure> {
        let table_bytes = self.search.table_bytes.load(Ordering::Relaxed) as u64;
        let told = Told { own, table_bytes, disk_bytes: self.search.storage.written() };
        let all = self.exchange.gather(&told)?;
        let sums = &mut self.sums;
        for (rank, depth, state, panic) in all.iter().flat_map(|told| told.own.found.iter().cloned()) {
            let better = |old: &Found| (old.depth, &old.state) > (depth, &state);
            if sums.found.get(&rank).is_none_or(better) {
                sums.found.insert(rank, Found { depth, state, broken: self.search.broken(rank, panic) });
            }
        }
        let new = all.iter().map(|told| told.own.states).sum();
        if self.search.options.stop == Stop::AtFirst && !sums.found.is_empty() {
            return Ok(new);
        }
        for told in &all {
            sums.generated += told.own.generated;
            sums.actions.resize(sums.actions.len().max(told.own.actions.len()), 0);
            sums.actions.iter_mut().zip(&told.own.actions).for_each(|(sum, more)| *sum += more);
            sums.witnessed |= told.own.witnessed;
        }
        sums.table_bytes = all.iter().map(|told| told.table_bytes).sum();
        sums.disk_bytes = all.iter().map(|told| told.disk_bytes).sum();
        if new > 0 {
            sums.levels.push(new);
            self.levels.push(level);
            self.described.push(told.own);
        }
        Ok(new)
    }

    /// Writes the checkpoint, if one is kept.
    fn describe(&self) -> Result<(), Failure> {
        let Some(checkpoint) = &self.search.options.checkpoint else { return Ok(()) };
        let description = Description {
            format: checkpoint::FORMAT,
            identity: checkpoint.identity.clone(),
            bytes: self.search.shape.bytes,
            exact: self.is_exact(),
            worker: self.exchange.index(),
            workers: self.exchange.workers(),
            levels: self.described.clone(),
        };
        packed_checkpoint::write(&checkpoint.folder, &description)
    }

    // --- traces ------------------------------------------------------------------------------------------------------

    /// The ways to what was found. For each level back, every worker looks among its own states for the least that leads to
    /// the one at hand, and of what all have found the least is taken: the way that the packed engine finds.
    fn ways(&mut self) -> Result<Vec<Way>, Failure> {
        let mut found: Vec<(usize, Found)> = self.sums.found.clone().into_iter().collect();
        if self.search.options.stop == Stop::AtFirst {
            found.truncate(1);
        }
        let mut ways = Vec::new();
        for (rank, found) in found {
            let mut states = vec![found.state];
            for depth in (0..found.depth).rev() {
                let at = &states[states.len() - 1];
                let mine = predecessor(self.search.model, 1, &self.levels[depth], at)?;
                let least = self.exchange.gather(&mine)?.into_iter().flatten().min();
                states.push(least.ok_or_else(lost)?);
            }
            states.reverse();
            ways.push(Way { rank, panic: found.broken.panic().cloned(), states });
        }
        Ok(ways)
    }
}

/// Takes states that this worker owns.
fn take<M: Packed + Sync, V: Visited>(
    search: &Search<M, V>,
    receiver: &mut Worker,
    states: &[u64],
    growing: &Growing,
) -> Result<(), Failure> {
    let mut states = states.chunks_exact(search.shape.words);
    states.try_for_each(|state| search.give(receiver, |room| room.copy_from_slice(state), Some(growing)))
}
