//! A storage node: one copy of the protection group over a hot log and a socket.
//!
//! ```text
//! connections ──requests──▶ core ──entries──▶ logger (append, sync)
//!      ◀────────replies──── core ◀──synced─── logger
//! gossip ───────records───▶ core
//! ```
//!
//! Architecture invariant: the core alone touches the segment, and the log alone tells it what is durable.

mod connections;
mod entries;
mod executor;
mod gossip;
mod logger;
pub(crate) mod server;
mod store;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{channel, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use sextant_model::disk::Disk;
use sextant_model::logset::{Intervals, LogSet};
use sextant_model::rules::Rules;
use sextant_model::segment::Segment;

use crate::flight::NodeFlight;
use crate::log::{self, Log, LogError, Recovered};
use crate::meta::client::Client;
use crate::process::{Failure, announce};
use crate::wire::messages::Member;
use crate::wire::socket;
use executor::Executor;
use gossip::Gossip;
pub use server::Observer;
use server::Server;
use store::Store;

/// Requests that wait for the core; beyond it, the sockets wait.
const INPUTS: usize = 4096;
/// How long the first registration may take before the node serves without it; it goes on trying.
const REGISTER_WAIT: Duration = Duration::from_secs(2);
const REGISTER_PAUSE: Duration = Duration::from_millis(50);

pub struct Config {
    pub dir: PathBuf,
    pub name: String,
    pub zone: String,
    pub meta: SocketAddr,
    /// Formats `dir`, and refuses one that holds a log. Without it, a directory without a log is refused: a lost disk must
    /// not look like an empty one.
    pub create: bool,
    pub listen: SocketAddr,
    /// None: this node never asks its peers.
    pub gossip: Option<Duration>,
    /// The folder in which it records what it does ([`crate::flight`]).
    pub flight: Option<PathBuf>,
    pub rules: Rules,
}

/// Serves until it fails.
///
/// # Errors
/// Of usage (unreadable log, no such member, port in use) at the start, of the machine (disk full, failed sync) later.
pub fn run(config: Config) -> Result<(), Failure> {
    let dir = config.dir.join("log");
    let (log, recovered) = open_log(&config.name, &dir, config.create, &log::Options::default())?;
    let torn = recovered.torn.as_ref().map_or(0, |torn| torn.bytes_dropped);
    let server = recover(config.rules, &dir, &recovered)?;
    let (listener, address) = socket::listen(config.listen)?;
    let flight = record(&config, &server)?;
    let me = Member { name: config.name.clone(), zone: config.zone.clone() };
    let meta = Client::new(config.meta);
    let registered = register(&meta, &me, address)?;
    announce(&ready_line(&config, address, server.segment(), torn));

    let (core, inputs) = sync_channel(INPUTS);
    let (to_log, batches) = channel();
    let name = config.name.clone();
    let (accepting, accepted) = (core.clone(), name.clone());
    thread::spawn(move || connections::accept(&accepted, &listener, &accepting));
    let gossip = Gossip { me, address, meta, core: core.clone(), pause: config.gossip, registered };
    thread::spawn(move || gossip.run());
    thread::spawn(move || Executor::new(name, server, flight).run(&inputs, &to_log));
    match logger::run(log, &batches, &core) {
        Err(error) => Err(Failure::machine(format!("node {}: {error}", config.name))),
        Ok(()) => Err(Failure::machine(format!("node {}: the core ended", config.name))),
    }
}

fn record(config: &Config, server: &Server) -> Result<NodeFlight, Failure> {
    let Some(dir) = &config.flight else { return Ok(NodeFlight::default()) };
    let mut flight =
        NodeFlight::create(dir, &config.name).map_err(|error| Failure::usage(format!("flight recorder: {error}")))?;
    flight.started(config.create, server.segment(), server.live());
    flight.flush();
    Ok(flight)
}

pub(crate) fn open_log(
    name: &str,
    dir: &Path,
    create: bool,
    options: &log::Options,
) -> Result<(Log, Recovered), Failure> {
    let identity = format!("node {name}").into_bytes();
    if create {
        let log = Log::create(dir, &identity, options).map_err(log_failure)?;
        return Ok((log, Recovered { identity, entries: Vec::new(), torn: None }));
    }
    let (log, recovered) = Log::open(dir, options).map_err(log_failure)?;
    if recovered.identity != identity {
        let found = recovered.identity.escape_ascii();
        return Err(Failure::usage(format!("open log: {} is that of {found}", dir.display())));
    }
    if let Some(torn) = &recovered.torn {
        eprintln!("node {name}: {torn}");
    }
    Ok((log, recovered))
}

/// What the log holds is input; what the disk does is the machine.
fn log_failure(error: LogError) -> Failure {
    match error {
        LogError::Full { .. } | LogError::Io { .. } => Failure::machine(error.to_string()),
        LogError::NoLog { .. }
        | LogError::Exists { .. }
        | LogError::Busy { .. }
        | LogError::Corrupt { .. }
        | LogError::Version { .. }
        | LogError::EntryTooLarge { .. }
        | LogError::Options { .. } => Failure::usage(error.to_string()),
    }
}

/// The node whose log held `recovered`.
///
/// # Errors
/// An entry that the log's checksums accept and that no node wrote.
pub(crate) fn recover(rules: Rules, dir: &Path, recovered: &Recovered) -> Result<Server, Failure> {
    let mut store = Store::default();
    let mut replayed = Vec::with_capacity(recovered.entries.len());
    for (number, entry) in recovered.entries.iter().enumerate() {
        let (entry, record) = entries::decode(entry)
            .map_err(|what| Failure::usage(format!("read log: {} at entry {number}: {what}", dir.display())))?;
        store.apply(&entry, record.as_ref());
        replayed.push(entry);
    }
    Ok(Server::new(rules, Segment::recover(Disk::replayed(&replayed)), store))
}

/// False: the service did not answer in time, and it has to be tried again.
fn register(meta: &Client, me: &Member, address: SocketAddr) -> Result<bool, Failure> {
    let started = Instant::now();
    loop {
        match meta.register(me, address) {
            Ok(Ok(())) => return Ok(true),
            Ok(Err(reason)) => return Err(Failure::usage(format!("register: {reason}"))),
            Err(error) if started.elapsed() > REGISTER_WAIT => {
                eprintln!("node {}: register: {error}; going on without", me.name);
                return Ok(false);
            }
            Err(_) => thread::sleep(REGISTER_PAUSE),
        }
    }
}

fn ready_line(config: &Config, address: SocketAddr, segment: &Segment<Intervals>, torn: u64) -> String {
    let image = segment.image();
    let records: u64 = image.held.runs().map(|(first, last)| last.0 - first.0 + 1).sum();
    let (name, scl, fenced) = (&config.name, image.scl(&config.rules), image.fenced);
    format!("ready node {name} {address} records={records} scl={scl} fenced={fenced} torn={torn}")
}
