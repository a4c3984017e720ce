//! The database instance: a key-value store on RESP whose only durable thing is the redo that it ships.
//!
//! ```text
//! clients ── sessions ──commands──▶ executor ──records──▶ links ── six nodes
//!                 ◀─────replies──── database + stream ◀──replies── links
//! ```
//!
//! [`executor`] owns it all: [`database`] runs the commands, [`stream`] steps the model's instance and repeats to each node what
//! it is owed ([`shipping`], [`fetches`], [`links`]), [`takeover`] says when to ask for the volume.

mod database;
pub(crate) mod executor;
mod fetches;
mod links;
pub(crate) mod sessions;
pub(crate) mod shipping;
pub(crate) mod stream;
mod takeover;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use sextant_model::rules::Rules;
use sextant_model::types::{Epoch, SegmentId};

use crate::flight::{Recorder, WriterEntry};
use crate::meta::client::Client;
use crate::process::{Failure, announce};
use crate::resp::Command;
use crate::wire::messages::{Member, NodeReply};
use crate::wire::socket;
use executor::{Executor, Standing};
use links::Link;
use sessions::ReplyTo;
use shipping::Shipping;
use stream::Stream;
use takeover::Watch;

/// Copies of the one protection group.
pub(crate) const COPIES: usize = 6;
/// Inputs that wait for the executor; beyond it, the sockets wait.
const INPUTS: usize = 8192;

pub struct Config {
    pub meta: SocketAddr,
    pub listen: SocketAddr,
    pub name: String,
    pub standby: Option<Standby>,
    /// The folder in which it records what it does ([`crate::flight`]).
    pub flight: Option<PathBuf>,
    pub rules: Rules,
}

/// Takes the volume only when the active writer has not answered for `failover`.
pub struct Standby {
    pub of: SocketAddr,
    pub failover: Duration,
}

/// What the executor hears.
pub(crate) enum Input {
    Command {
        to: ReplyTo,
        command: Command,
    },
    Connected {
        segment: SegmentId,
    },
    Disconnected {
        segment: SegmentId,
    },
    Replies {
        segment: SegmentId,
        replies: Vec<NodeReply>,
    },
    /// The volume is being asked for.
    Taking,
    /// R0 is done.
    Taken(Taken),
    /// R0 failed: the record was not as this writer had read it.
    Lost {
        caller: Epoch,
        by: Epoch,
    },
}

pub(crate) struct Taken {
    /// It creates the volume, which no takeover does: it has nothing to recover.
    pub creates: bool,
    pub ve: Epoch,
    pub members: Vec<Member>,
}

/// Serves until the process is killed.
///
/// # Errors
/// Of usage: the address cannot be listened on.
pub fn run(config: Config) -> Result<(), Failure> {
    let (listener, address) = socket::listen(config.listen)?;
    announce(&format!("ready writer {} {address}", config.name));
    let (to_executor, inputs) = sync_channel(INPUTS);
    let accepting = to_executor.clone();
    thread::spawn(move || sessions::accept(&listener, &accepting));
    let meta = Client::new(config.meta);
    let taking = to_executor.clone();
    let watch = config.standby.map(|standby| Watch { active: standby.of, failover: standby.failover });
    let standing = if watch.is_some() { Standing::Standby } else { Standing::Taking { since: Instant::now() } };
    thread::spawn(move || takeover::run(watch.as_ref(), meta, &taking));
    let rules = config.rules;
    let (name, flight) = (config.name, config.flight);
    let connect = move |taken: Taken, now| {
        let recorder = flight.as_deref().map(|dir| record(dir, &name, &taken));
        Stream::new(rules, &taken, connect(&taken.members, meta, &to_executor), now, recorder)
    };
    Executor::new(standing, database::PAGES_MAX, connect, announce).run(&inputs);
    Err(Failure::machine("the executor ended"))
}

/// Ends the process if it cannot: without a record it would be taken for what it did not do.
pub(crate) fn record(dir: &Path, name: &str, taken: &Taken) -> Recorder<WriterEntry> {
    let mut recorder = Recorder::create(dir, name).unwrap_or_else(|error| {
        eprintln!("flight recorder: {error}");
        std::process::exit(3);
    });
    let members = taken.members.iter().map(|member| member.name.clone()).collect();
    recorder.push(WriterEntry::Took { creates: taken.creates, ve: taken.ve, members });
    recorder.flush_or_end();
    recorder
}

fn connect(members: &[Member], meta: Client, executor: &SyncSender<Input>) -> Shipping<Link> {
    let link = |index: usize| {
        // A copy without a member has a name that no directory has: it is a node that is never up.
        let name = members.get(index).map(|member| member.name.clone()).unwrap_or_default();
        Link::start(SegmentId(index as u8), name, meta, executor.clone())
    };
    Shipping::new(std::array::from_fn(link))
}
