//! How a writer comes by the volume: at once, or when the active one has not answered for a while. Deciding on a failover is
//! not a fence (protocol §6): two that take over at the same time are told apart by their epochs alone.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::mpsc::SyncSender;
use std::thread;
use std::time::{Duration, Instant};

use sextant_model::metadata::{Change, Conflict, Metadata};

use super::{Input, Taken};
use crate::meta::client::Client;
use crate::resp::{Command, ReplyParser};

/// Between two attempts to reach a metadata service that does not answer.
const RETRY_PAUSE: Duration = Duration::from_millis(50);
/// Pings in the time after which an active writer counts as gone.
const PINGS: u32 = 5;

/// Whose place to take.
pub(super) struct Watch {
    pub active: SocketAddr,
    pub failover: Duration,
}

/// Waits for its turn, takes the volume, and tells the executor.
pub(super) fn run(watch: Option<&Watch>, meta: Client, executor: &SyncSender<Input>) {
    if let Some(watch) = watch {
        watch.wait_until_gone();
    }
    // The executor ends only with the process.
    let _ = executor.send(Input::Taking);
    let _ = executor.send(take(meta));
}

/// R0. Without an answer nothing is known, and the next attempt reads the record again: whoever has changed it meanwhile,
/// perhaps this very writer, is then the epoch to take over from.
fn take(meta: Client) -> Input {
    loop {
        match try_to_take(meta) {
            Ok(input) => return input,
            Err(error) => eprintln!("writer: take the volume: {error}"),
        }
        thread::sleep(RETRY_PAUSE);
    }
}

fn try_to_take(meta: Client) -> io::Result<Input> {
    let (Metadata { volume_epoch: caller, .. }, members) = meta.read()?;
    Ok(match meta.change(Change::TakeVolume { caller })? {
        Ok(metadata) => Input::Taken(Taken { creates: false, ve: metadata.volume_epoch, members }),
        Err(Conflict(metadata)) => Input::Lost { caller, by: metadata.volume_epoch },
    })
}

impl Watch {
    fn wait_until_gone(&self) {
        let mut answered = Instant::now();
        let mut line = None;
        while answered.elapsed() < self.failover {
            let pinged = Instant::now();
            if self.ping(&mut line).is_ok() {
                answered = Instant::now();
            } else {
                line = None;
            }
            thread::sleep((self.failover / PINGS).saturating_sub(pinged.elapsed()));
        }
    }

    /// Any reply is a sign of life: what the other one may serve is not this one's to judge.
    fn ping(&self, line: &mut Option<TcpStream>) -> io::Result<()> {
        let wait = (self.failover / PINGS).max(Duration::from_millis(1));
        let mut stream = match line.take() {
            Some(stream) => stream,
            None => TcpStream::connect_timeout(&self.active, wait)?,
        };
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(wait))?;
        let mut request = Vec::new();
        Command::Ping { message: None }.encode(&mut request);
        stream.write_all(&request)?;
        let mut parser = ReplyParser::default();
        let mut bytes = [0; 512];
        loop {
            match stream.read(&mut bytes)? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                read => parser.feed(&bytes[..read]),
            }
            let reply = parser.next_reply().map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
            if reply.is_some() {
                *line = Some(stream);
                return Ok(());
            }
        }
    }
}
