//! One connection of a client to a writer, with a deadline for every exchange.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use sextant_storage::resp::{Command, Reply, ReplyParser};

pub(crate) struct Connection {
    stream: TcpStream,
    replies: ReplyParser,
}

impl Connection {
    pub(crate) fn open(address: SocketAddr, limit: Duration) -> io::Result<Self> {
        let stream = TcpStream::connect_timeout(&address, limit)?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, replies: ReplyParser::default() })
    }

    /// Sends a command and waits for its reply, all in `limit`. After an error the connection is of no use: an answer
    /// may still be under way, and the next command would take it for its own.
    pub(crate) fn exchange(&mut self, command: &Command, limit: Duration) -> io::Result<Reply> {
        let deadline = Instant::now() + limit;
        let mut request = Vec::new();
        command.encode(&mut request);
        self.stream.set_write_timeout(Some(limit))?;
        self.stream.write_all(&request)?;
        loop {
            let reply = self.replies.next_reply();
            if let Some(reply) = reply.map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error.to_string()))? {
                return Ok(reply);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(io::ErrorKind::TimedOut.into());
            }
            self.stream.set_read_timeout(Some(left))?;
            let mut chunk = [0; 4096];
            match self.stream.read(&mut chunk)? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                length => self.replies.feed(&chunk[..length]),
            }
        }
    }
}
