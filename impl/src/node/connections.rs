//! The gateway: sockets to channels. What is no message ends its connection here, and nothing else.

use std::io::{self, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use super::executor::{Input, Peer};
use super::server::ConnectionId;
use crate::wire::frame::FrameReader;
use crate::wire::messages::NodeRequest;

/// Frames that wait for a slow reader before it loses its connection.
const OUTBOX_FRAMES: usize = 4096;

/// Accepts connections for as long as the core lives.
pub(super) fn accept(name: &str, listener: &TcpListener, core: &SyncSender<Input>) {
    for (id, stream) in (0..).map(ConnectionId).zip(listener.incoming()) {
        if let Err(error) = stream.and_then(|stream| open(name, id, stream, core)) {
            eprintln!("node {name}: accept a connection: {error}");
        }
    }
}

fn open(name: &str, connection: ConnectionId, stream: TcpStream, core: &SyncSender<Input>) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let (outbox, frames) = sync_channel(OUTBOX_FRAMES);
    let peer = Peer { outbox, stream: stream.try_clone()? };
    let writing = stream.try_clone()?;
    thread::spawn(move || write(writing, &frames));
    let (name, core) = (name.to_owned(), core.clone());
    thread::spawn(move || {
        // The core is gone only when the process ends.
        let _ = core.send(Input::Opened { connection, peer });
        if let Err(reason) = read(connection, &stream, &core) {
            eprintln!("node {name}: closing a connection: {reason}");
        }
        let _ = stream.shutdown(Shutdown::Both);
        let _ = core.send(Input::Closed { connection });
    });
    Ok(())
}

fn read(connection: ConnectionId, stream: &TcpStream, core: &SyncSender<Input>) -> Result<(), String> {
    let mut frames = FrameReader::new(stream);
    while let Some(request) = frames.read::<NodeRequest>().map_err(|error| error.to_string())? {
        request.check()?;
        if core.send(Input::Request { connection, request }).is_err() {
            return Ok(());
        }
    }
    Ok(())
}

/// Writes frames, several a system call where they have gathered, until the core or the peer is gone.
fn write(mut stream: TcpStream, frames: &Receiver<Vec<u8>>) {
    while let Ok(mut bytes) = frames.recv() {
        frames.try_iter().for_each(|more| bytes.extend(more));
        if stream.write_all(&bytes).is_err() {
            // The reader sees the same end, and reports it.
            let _ = stream.shutdown(Shutdown::Both);
            return;
        }
    }
}
