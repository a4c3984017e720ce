//! One connection of a client to a writer, with a deadline for every exchange.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use sextant_storage::client::contract::Failure;
use sextant_storage::resp::{Command, Reply, ReplyParser};

pub(crate) struct Connection {
    stream: TcpStream,
    replies: ReplyParser,
    /// Replies still to come to commands that were given up.
    overdue: usize,
}

impl Connection {
    pub(crate) fn open(address: SocketAddr, limit: Duration) -> io::Result<Self> {
        let stream = TcpStream::connect_timeout(&address, limit)?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, replies: ReplyParser::default(), overdue: 0 })
    }

    /// Sends a command and waits for its reply, all in `limit`.
    pub(crate) fn exchange(&mut self, command: &Command, limit: Duration) -> Result<Reply, Failure> {
        let deadline = Instant::now() + limit;
        let mut request = Vec::new();
        command.encode(&mut request);
        let sent = self.stream.set_write_timeout(Some(limit)).and_then(|()| self.stream.write_all(&request));
        // A command of which a part may be under way cannot be followed by another one.
        sent.map_err(|_| Failure::Lost)?;
        let reply = self.reply(deadline);
        if reply == Err(Failure::Late) {
            self.overdue += 1;
        }
        reply
    }

    fn reply(&mut self, deadline: Instant) -> Result<Reply, Failure> {
        loop {
            match self.replies.next_reply().map_err(|_| Failure::Lost)? {
                Some(_) if self.overdue > 0 => self.overdue -= 1,
                Some(reply) => return Ok(reply),
                None => self.receive(deadline)?,
            }
        }
    }

    fn receive(&mut self, deadline: Instant) -> Result<(), Failure> {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(Failure::Late);
        }
        let mut chunk = [0; 4096];
        let read = self.stream.set_read_timeout(Some(left)).and_then(|()| self.stream.read(&mut chunk));
        match read {
            Ok(0) => Err(Failure::Lost),
            Ok(length) => {
                self.replies.feed(&chunk[..length]);
                Ok(())
            }
            // What it is called differs between systems.
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                Err(Failure::Late)
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(()),
            Err(_) => Err(Failure::Lost),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    /// The reply to a command that was given up must never pass for that to the next one.
    #[test]
    fn a_late_reply_is_skipped() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let limit = Duration::from_secs(20);
        let mut connection = Connection::open(listener.local_addr().unwrap(), limit).unwrap();
        let (mut server, _) = listener.accept().unwrap();
        let get = Command::Get { key: b"x".to_vec() };
        assert_eq!(connection.exchange(&get, Duration::from_millis(1)), Err(Failure::Late));
        assert_eq!(connection.exchange(&get, Duration::from_millis(1)), Err(Failure::Late));
        server.write_all(b"$3\r\none\r\n$3\r\ntwo\r\n$5\r\nthree\r\n").unwrap();
        assert_eq!(connection.exchange(&get, limit), Ok(Reply::Bulk(Some(b"three".to_vec()))));
        drop(server);
        assert_eq!(connection.exchange(&get, limit), Err(Failure::Lost));
    }
}
