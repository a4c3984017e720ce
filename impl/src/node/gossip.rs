//! Gossip: now and then this node asks a peer for what it lacks (protocol §2, step 4), and looks itself up in the directory.

use std::collections::BTreeMap;
use std::io;
use std::net::{SocketAddr, TcpStream};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use super::executor::Input;
use super::server::RECORDS_MAX;
use crate::meta::client::Client;
use crate::wire::frame::{FrameReader, write_frame};
use crate::wire::messages::{Member, NodeReply, NodeRequest};
use crate::wire::socket::{self, into_io};

/// How old the directory may be.
const DIRECTORY_AGE: Duration = Duration::from_secs(1);
/// Questions to one peer in a row, however much it has to tell.
const ROUNDS_MAX: usize = 64;
const REPLY_WAIT: Duration = Duration::from_millis(500);

pub(super) struct Gossip {
    pub me: Member,
    pub address: SocketAddr,
    pub meta: Client,
    pub core: SyncSender<Input>,
    /// Between two questions; none: it asks nobody, and only looks after its place in the directory.
    pub pause: Option<Duration>,
    pub registered: bool,
}

/// A peer and the connection on which it is asked.
struct Line {
    address: SocketAddr,
    stream: TcpStream,
    /// Its last answer was as long as answers get.
    has_more: bool,
}

impl Gossip {
    /// Asks one peer after the other for as long as the core lives. A peer that does not answer is asked again next time.
    pub fn run(mut self) {
        let mut lines: BTreeMap<String, Line> = BTreeMap::new();
        let mut peers: Vec<(String, SocketAddr)> = Vec::new();
        let mut looked_up: Option<Instant> = None;
        for turn in 0.. {
            thread::sleep(self.pause.unwrap_or(DIRECTORY_AGE));
            if looked_up.is_none_or(|at| at.elapsed() >= DIRECTORY_AGE) {
                peers = self.look_up().unwrap_or(peers);
                looked_up = Some(Instant::now());
            }
            let peer = self.pause.and_then(|_| peers.get(turn % peers.len().max(1)));
            let Some((name, address)) = peer else { continue };
            let line = lines.remove(name).filter(|line| line.address == *address);
            match self.ask_for_all(line, *address) {
                Ok(Some(line)) => drop(lines.insert(name.clone(), line)),
                Ok(None) => return,
                // It is down, paused or slow; its line is dropped.
                Err(_) => {}
            }
        }
    }

    /// The other nodes. A service that was restarted has forgotten everybody: then this node registers again.
    fn look_up(&mut self) -> Option<Vec<(String, SocketAddr)>> {
        let directory = match self.meta.directory() {
            Ok(directory) => directory,
            Err(error) => {
                if self.registered {
                    eprintln!("node {}: read the directory: {error}", self.me.name);
                }
                self.registered = false;
                return None;
            }
        };
        self.registered = directory.get(&self.me.name) == Some(&self.address);
        if !self.registered
            && let Ok(Ok(())) = self.meta.register(&self.me, self.address)
        {
            self.registered = true;
        }
        Some(directory.into_iter().filter(|(name, _)| *name != self.me.name).collect())
    }

    /// Asks until the answer is short. None when the core is gone.
    fn ask_for_all(&self, line: Option<Line>, address: SocketAddr) -> io::Result<Option<Line>> {
        let mut line = self.ask(line, address)?;
        for _ in 1..ROUNDS_MAX {
            if !line.as_ref().is_some_and(|line| line.has_more) {
                break;
            }
            line = self.ask(line, address)?;
        }
        Ok(line)
    }

    fn ask(&self, line: Option<Line>, address: SocketAddr) -> io::Result<Option<Line>> {
        let (reply, described) = sync_channel(1);
        if self.core.send(Input::Describe { reply }).is_err() {
            return Ok(None);
        }
        let Ok((trunc_ve, held)) = described.recv() else { return Ok(None) };
        let mut line = match line {
            Some(line) => line,
            None => dial(address)?,
        };
        write_frame(&mut line.stream, &NodeRequest::GossipPull { trunc_ve, held }).map_err(into_io)?;
        let replies: Option<Vec<NodeReply>> = FrameReader::new(&line.stream).read().map_err(into_io)?;
        let replies = replies.ok_or(io::ErrorKind::UnexpectedEof)?;
        line.has_more = false;
        for reply in replies {
            let NodeReply::GossipPush { trunc_ve, records } = reply else { continue };
            line.has_more = records.len() >= RECORDS_MAX;
            if !records.is_empty() && self.core.send(Input::Gossip { trunc_ve, records }).is_err() {
                return Ok(None);
            }
        }
        Ok(Some(line))
    }
}

fn dial(address: SocketAddr) -> io::Result<Line> {
    let stream = socket::connect(address)?;
    stream.set_read_timeout(Some(REPLY_WAIT))?;
    stream.set_write_timeout(Some(REPLY_WAIT))?;
    Ok(Line { address, stream, has_more: false })
}
