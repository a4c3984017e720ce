//! The `cluster` engine: the packed engine's search, partitioned by fingerprint over the threads of one process or of
//! several, on one host or on many.
//!
//! * A state belongs to the worker that its key names. A worker judges and expands the states that it owns, packs what
//!   follows and sends it to its owners; these keep a table and the levels ([`member`]). Only the owner says whether a state
//!   is new, so the counts are those of the packed engine.
//! * Workers talk through one dataflow of `timely` ([`exchange`]). A level is a time there: it is over when timely's progress
//!   tracking says so. Then all tell all what they have found, and each comes to the same decision by itself.
//! * Traces are shortest, and the packed engine's: every worker keeps its levels, in files beyond
//!   [`Options::kept_bytes`](super::packed::Options::kept_bytes), and a trace is walked back by asking all of them.
//! * With a checkpoint each worker describes its levels in a folder `worker-0000`, …, of its own ([`checkpoint`]).
//! * Processes find and watch each other by sockets of their own ([`peers`]), because timely's threads panic when one is
//!   lost: a process that ends, says nothing for long, or fails, ends the others with an error that names it.
//!
//! Connections are neither encrypted nor authenticated. There is no limit to what is under way between two workers: where one
//! host is much slower than the others, parcels of a level wait in the memory of those that send them.

mod checkpoint;
mod exchange;
mod fate;
mod hosts;
mod member;
mod peers;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use timely::communication::{Allocator, AllocatorBuilder, Config, WorkerGuards, initialize_from};

use super::packed::exact::Exact;
use super::packed::levels::lock;
use super::packed::search::Search;
use super::packed::shape::Shape;
use super::packed::table::{Fingerprints, Visited};
use super::packed::trace::{action_between, lost};
use super::packed::{
    Checkpoint, End, Failure, Options, Outcome, Packed, Progress, Store, Trace, Violation, expected_collisions,
    panic_message,
};
use exchange::Exchange;
use fate::Fate;
use member::{Known, Member, Sums, Way};
use peers::Peers;

pub use hosts::Hosts;

/// Explores `model` to its end or to its first violation, `options.threads` workers in this process. With `hosts` it takes
/// as many processes as there are hosts, each of which calls this with the same model and options; every one of them returns
/// the same. `what` says what is explored, so that processes that explore something else are refused.
///
/// # Errors
/// As [`packed::explore`](super::packed::explore); if `options.memory` is set, which this engine does not keep to; if another
/// process cannot be reached, explores something else, fails, or is lost. The checkpoint is whole then.
pub fn explore<M>(
    model: &M,
    options: &Options<M::Action>,
    hosts: Option<&Hosts>,
    what: &str,
    progress: &mut dyn FnMut(Progress),
) -> Result<Outcome<M::State, M::Action>, Failure>
where
    M: Packed + Clone + Send + Sync + 'static,
{
    if options.memory.is_some() {
        return Err(Failure("the cluster engine has no limit of memory".into()));
    }
    let began = Instant::now();
    let fate = Arc::new(Fate::default());
    let peers = hosts.map(|hosts| Peers::meet(hosts, options.threads, what, &fate)).transpose()?;
    let ran = match options.store {
        Store::Fingerprints => workers::<M, Fingerprints>(model, options, peers.as_ref(), &fate, began, progress),
        Store::Exact => workers::<M, Exact>(model, options, peers.as_ref(), &fate, began, progress),
    };
    if let Some(peers) = peers {
        peers.part(ran.as_ref().err());
    }
    let whole = if options.checkpoint.is_some() && fate.has_begun() { "; the checkpoint is whole" } else { "" };
    outcome(model, options, ran.map_err(|Failure(reason)| Failure(reason + whole))?, began)
}

/// What the workers of one process share.
struct Shared<M: Packed> {
    model: M,
    options: Options<M::Action>,
    fate: Arc<Fate>,
    /// How far all have come, as the first worker of this process knows it.
    told: Mutex<Option<Progress>>,
    began: Instant,
}

/// How often it is looked how far the workers are.
const LOOK: Duration = Duration::from_millis(5);

fn workers<M, V>(
    model: &M,
    options: &Options<M::Action>,
    peers: Option<&Peers>,
    fate: &Arc<Fate>,
    began: Instant,
    progress: &mut dyn FnMut(Progress),
) -> Result<Known, Failure>
where
    M: Packed + Clone + Send + Sync + 'static,
    V: Visited,
{
    let broken = |reason: String| Failure(format!("the dataflow cannot begin: {reason}"));
    let (builders, nothing): (Vec<AllocatorBuilder>, _) = match peers {
        Some(peers) => (peers.builders()?, Box::new(()) as Box<dyn std::any::Any + Send>),
        None if options.threads == 1 => Config::Thread.try_build().map_err(broken)?,
        None => Config::Process(options.threads).try_build().map_err(broken)?,
    };
    let shared = Arc::new(Shared {
        model: model.clone(),
        options: options.clone(),
        fate: fate.clone(),
        told: Mutex::default(),
        began,
    });
    let theirs = shared.clone();
    let guards: WorkerGuards<Option<Known>> =
        initialize_from(builders, nothing, move |allocator| worker::<M, V>(&theirs, allocator)).map_err(broken)?;
    while guards.guards().iter().any(|guard| !guard.is_finished()) {
        if let Some(told) = lock(&shared.told).take() {
            progress(told);
        }
        std::thread::sleep(LOOK);
    }
    let known: Vec<_> = guards.join().into_iter().map(|known| known.ok().flatten()).collect();
    fate.check()?;
    known.into_iter().next().flatten().ok_or_else(|| Failure("a worker ended without a result".into()))
}

/// One worker; its failure is the process's.
fn worker<M, V>(shared: &Shared<M>, allocator: Allocator) -> Option<Known>
where
    M: Packed + Sync,
    V: Visited,
{
    let mut exchange = Exchange::new(allocator, shared.fate.clone());
    let first = exchange.index().is_multiple_of(shared.options.threads);
    let ran = catch_unwind(AssertUnwindSafe(|| member::<M, V>(shared, &mut exchange, first)));
    let ran = ran.unwrap_or_else(|panic| Err(Failure(format!("a worker panicked: {}", panic_message(&*panic)))));
    let ran = match ran {
        Ok(known) => exchange.close().map(|()| known),
        Err(failure) => {
            exchange.abandon();
            Err(failure)
        }
    };
    ran.map_err(|failure| shared.fate.fail(failure)).ok()
}

fn member<M, V>(shared: &Shared<M>, exchange: &mut Exchange, first: bool) -> Result<Known, Failure>
where
    M: Packed + Sync,
    V: Visited,
{
    let folder = |all: &Checkpoint| all.folder.join(format!("worker-{:04}", exchange.index()));
    let checkpoint = shared.options.checkpoint.as_ref().map(|all| Checkpoint { folder: folder(all), ..all.clone() });
    let options = Options { threads: 1, checkpoint, ..shared.options.clone() };
    // Levels beyond what may stay in memory go to files, so that a trace need not be searched for again.
    let levels = options.kept_bytes / shared.options.threads;
    let search = Search::<M, V>::within(&shared.model, &options, true, (levels, usize::MAX))?;
    let tell = |sums: &Sums| {
        shared.fate.begin();
        if first {
            *lock(&shared.told) = Some(how_far::<V>(shared, sums));
        }
    };
    Member::new(&search, exchange, &tell).run()
}

fn how_far<V: Visited>(shared: &Shared<impl Packed>, sums: &Sums) -> Progress {
    let unique = sums.levels.iter().sum();
    Progress {
        unique_states: unique,
        generated_states: sums.generated,
        depth: sums.levels.len().saturating_sub(1),
        frontier: sums.levels.last().copied().unwrap_or(0),
        memory_bytes: sums.table_bytes,
        disk_bytes: sums.disk_bytes,
        expected_collisions: collisions::<V>(&shared.model, unique),
        elapsed: shared.began.elapsed(),
        remaining: None,
    }
}

fn collisions<V: Visited>(model: &impl Packed, states: u64) -> f64 {
    let bytes = Shape::of(model).bytes;
    if V::is_exact(bytes) { 0.0 } else { expected_collisions(states, bytes) }
}

// --- the outcome -----------------------------------------------------------------------------------------------------

fn outcome<M: Packed + Sync>(
    model: &M,
    options: &Options<M::Action>,
    known: Known,
    began: Instant,
) -> Result<Outcome<M::State, M::Action>, Failure> {
    let unique_states = known.levels.iter().sum();
    let names = options.labels.map_or(&[][..], |labels| labels.names);
    // Names of properties, and nothing of a search, are asked for.
    let one = Options { threads: 1, checkpoint: None, ..options.clone() };
    let names_of = Search::<M, Fingerprints>::within(model, &one, false, (0, 0))?;
    let violation =
        |way: Way| Ok(Violation { broken: names_of.broken(way.rank, way.panic), trace: trace(model, &way.states)? });
    Ok(Outcome {
        unwitnessed: if known.end == End::Complete { names_of.unseen(known.witnessed) } else { Vec::new() },
        end: known.end,
        unique_states,
        generated_states: known.generated,
        depth: known.levels.len().saturating_sub(1),
        violations: known.ways.into_iter().map(violation).collect::<Result<_, Failure>>()?,
        actions: names.iter().copied().zip(known.actions).collect(),
        expected_collisions: match options.store {
            Store::Fingerprints => collisions::<Fingerprints>(model, unique_states),
            Store::Exact => collisions::<Exact>(model, unique_states),
        },
        levels: known.levels,
        elapsed: began.elapsed(),
        table_bytes: known.table_bytes,
        disk_bytes: known.disk_bytes,
    })
}

/// The path along packed states, each by the first action that leads to the next.
fn trace<M: Packed>(model: &M, states: &[Vec<u8>]) -> Result<Trace<M::State, M::Action>, Failure> {
    let shape = Shape::of(model);
    let first = states.first().ok_or_else(lost)?;
    let step = |pair: &[Vec<u8>]| {
        let action = action_between(model, &pair[0], &pair[1]).ok_or_else(lost)?;
        Ok((action, shape.unpack(model, &pair[1])))
    };
    Ok(Trace { first: shape.unpack(model, first), steps: states.windows(2).map(step).collect::<Result<_, Failure>>()? })
}
