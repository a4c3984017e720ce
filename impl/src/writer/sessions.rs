//! Clients: RESP on a socket, commands to the executor, replies back in the order of the commands.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel};
use std::thread;

use super::Input;
use crate::resp::{Command, Limits, Reply, RequestParser};
use crate::wire::messages::RECORD_BYTES_MAX;

const READ_BYTES: usize = 16 << 10;

/// Where the reply to one command goes.
pub(crate) struct ReplyTo {
    session: Sender<(u64, Reply)>,
    /// Of the command in its session, from 0.
    number: u64,
}

impl ReplyTo {
    pub fn send(self, reply: Reply) {
        // The client may be gone.
        let _ = self.session.send((self.number, reply));
    }

    pub fn new(session: Sender<(u64, Reply)>, number: u64) -> Self {
        ReplyTo { session, number }
    }
}

pub(super) fn accept(listener: &TcpListener, executor: &SyncSender<Input>) {
    for stream in listener.incoming() {
        if let Err(error) = stream.and_then(|stream| open(stream, executor)) {
            eprintln!("writer: accept a client: {error}");
        }
    }
}

fn open(stream: TcpStream, executor: &SyncSender<Input>) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let (session, replies) = channel();
    let writing = stream.try_clone()?;
    thread::spawn(move || write(writing, &replies));
    let executor = executor.clone();
    thread::spawn(move || {
        let reader = Reader { session, executor, next: 0 };
        // A client that went away is no event.
        let _ = reader.run(&stream);
    });
    Ok(())
}

struct Reader {
    session: Sender<(u64, Reply)>,
    executor: SyncSender<Input>,
    next: u64,
}

impl Reader {
    /// Reads commands until the client stops, quits, or says what is not RESP.
    fn run(mut self, mut stream: &TcpStream) -> io::Result<()> {
        let limits = Limits { bulk_bytes_max: RECORD_BYTES_MAX / 2, ..Limits::default() };
        let mut parser = RequestParser::new(limits);
        let mut bytes = vec![0; READ_BYTES];
        loop {
            let read = stream.read(&mut bytes)?;
            if read == 0 {
                return Ok(());
            }
            parser.feed(&bytes[..read]);
            loop {
                match parser.next_command() {
                    Ok(None) => break,
                    Ok(Some(Command::Quit)) => {
                        self.reply_to().send(Reply::ok());
                        return Ok(());
                    }
                    Ok(Some(command)) => {
                        let to = self.reply_to();
                        if self.executor.send(Input::Command { to, command }).is_err() {
                            return Ok(());
                        }
                    }
                    Err(error) => {
                        self.reply_to().send(Reply::from(&error));
                        return Ok(());
                    }
                }
            }
        }
    }

    fn reply_to(&mut self) -> ReplyTo {
        let number = self.next;
        self.next += 1;
        ReplyTo { session: self.session.clone(), number }
    }
}

/// Writes replies in the order of their commands until nobody can send one any more, then closes.
fn write(mut stream: TcpStream, replies: &Receiver<(u64, Reply)>) {
    let mut early: BTreeMap<u64, Reply> = BTreeMap::new();
    let mut next = 0;
    let mut bytes = Vec::new();
    while let Ok(first) = replies.recv() {
        early.extend(std::iter::once(first).chain(replies.try_iter()));
        while let Some(reply) = early.remove(&next) {
            reply.encode(&mut bytes);
            next += 1;
        }
        if stream.write_all(&bytes).is_err() {
            break;
        }
        bytes.clear();
    }
    let _ = stream.shutdown(Shutdown::Both);
}
