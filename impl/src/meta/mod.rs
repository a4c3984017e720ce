//! The metadata service: volume epoch and membership, durable before anybody hears of a change; and where the nodes listen.
//!
//! What a change does to the record is [`Metadata::apply`]'s to say. The directory of addresses is no protocol state: it is
//! kept in memory, and nodes register again when they miss themselves in it.

pub mod client;
mod store;

use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use sextant_model::metadata::{Change, Conflict, Metadata};
use sextant_model::rules::{Rules, Scheme};
use sextant_model::types::SegmentId;

use crate::process::{Failure, announce};
use crate::wire::frame::{FrameReader, FrameWriter};
use crate::wire::messages::{Location, Member, MetaReply, MetaRequest};
use crate::wire::socket;
use store::{Store, Volume};

pub struct Config {
    pub dir: PathBuf,
    /// Makes the volume's record, and refuses where there is one. Without it, a directory without a record is refused.
    pub create: bool,
    pub listen: SocketAddr,
    pub rules: Rules,
}

/// Serves until it fails.
///
/// # Errors
/// Of usage at the start, of the machine later.
pub fn run(config: Config) -> Result<(), Failure> {
    let store = if config.create {
        Store::create(
            &config.dir,
            Volume { metadata: Metadata::of_a_new_volume(), members: members(config.rules.scheme) },
        )?
    } else {
        Store::open(&config.dir)?
    };
    let (listener, address) = socket::listen(config.listen)?;
    let (failures, failed) = sync_channel(1);
    let service = Arc::new(Service {
        rules: config.rules,
        state: Mutex::new(State { store, directory: BTreeMap::new() }),
        failures,
    });
    announce(&format!("ready meta {address}"));
    thread::spawn(move || accept(&listener, &service));
    // The service holds a sender for as long as the process lives.
    Err(failed.recv().unwrap_or_else(|_| Failure::machine("the metadata service ended")))
}

/// The copies of a new volume, named by zone.
fn members(scheme: Scheme) -> Vec<Member> {
    let name = |segment: SegmentId| segment.name(scheme.copies.into(), scheme.zones.into());
    let zone = |name: &str| name.trim_end_matches(|c: char| c.is_ascii_digit()).to_owned();
    SegmentId::all(scheme.copies.into()).map(name).map(|name| Member { zone: zone(&name), name }).collect()
}

struct Service {
    rules: Rules,
    state: Mutex<State>,
    /// What ends the process.
    failures: SyncSender<Failure>,
}

struct State {
    store: Store,
    directory: BTreeMap<String, SocketAddr>,
}

fn accept(listener: &TcpListener, service: &Arc<Service>) {
    for stream in listener.incoming() {
        let served = stream.and_then(|stream| stream.set_nodelay(true).map(|()| stream));
        match served {
            Ok(stream) => {
                let service = Arc::clone(service);
                thread::spawn(move || service.serve(&stream));
            }
            Err(error) => eprintln!("meta: accept a connection: {error}"),
        }
    }
}

impl Service {
    /// Answers one connection until it ends, or says something that is no request.
    fn serve(&self, stream: &TcpStream) {
        let mut requests = FrameReader::new(stream);
        let mut replies = FrameWriter::new(stream);
        loop {
            let request = match requests.read() {
                Ok(Some(request)) => request,
                Ok(None) => return,
                Err(error) => return eprintln!("meta: closing a connection: {error}"),
            };
            let Some(reply) = self.answer(request) else { return };
            if let Err(error) = replies.write(&reply) {
                return eprintln!("meta: closing a connection: {error}");
            }
        }
    }

    /// None where the change could not be made durable: then nobody may hear of it, and the process ends.
    fn answer(&self, request: MetaRequest) -> Option<MetaReply> {
        let mut state = self.state();
        match request {
            MetaRequest::Register { member, address } => Some(state.register(member, address)),
            MetaRequest::Directory => Some(state.directory()),
            MetaRequest::Read => Some(state.store.volume().clone().into()),
            MetaRequest::Change(change) => match state.change(&self.rules, change) {
                Ok(changed) => Some(MetaReply::Changed(changed)),
                Err(failure) => {
                    // A failure is waiting already if there is no room.
                    let _ = self.failures.try_send(failure);
                    None
                }
            },
        }
    }

    /// A thread that panicked changed nothing halfway: the record is replaced only after it is durable.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn register(&mut self, member: Member, address: SocketAddr) -> MetaReply {
        if !self.store.volume().members.contains(&member) {
            let reason = format!("{} in zone {} is not a member of the volume", member.name, member.zone);
            return MetaReply::NotRegistered { reason };
        }
        self.directory.insert(member.name, address);
        MetaReply::Registered
    }

    fn directory(&self) -> MetaReply {
        let location = |(name, address): (&String, &SocketAddr)| Location { name: name.clone(), address: *address };
        MetaReply::Directory(self.directory.iter().map(location).collect())
    }

    fn change(&mut self, rules: &Rules, change: Change) -> Result<Result<Metadata, Conflict>, Failure> {
        let mut next = self.store.volume().clone();
        let changed = next.metadata.apply(rules, change);
        if changed.is_ok() {
            self.store.save(next)?;
        }
        Ok(changed)
    }
}

impl From<Volume> for MetaReply {
    fn from(volume: Volume) -> Self {
        MetaReply::Volume { metadata: volume.metadata, members: volume.members }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_members_of_a_new_volume_are_two_in_each_of_three_zones() {
        let text: Vec<String> = members(Scheme::AURORA).iter().map(|m| format!("{}:{}", m.zone, m.name)).collect();
        assert_eq!(text.join(" "), "a:a1 a:a2 b:b1 b:b2 c:c1 c:c2");
    }
}
