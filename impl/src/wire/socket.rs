//! Sockets as all processes use them: loopback, no delay, no wait without an end.

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::frame::{FrameError, read_frame, write_frame};
use crate::process::Failure;

const CONNECT_WAIT: Duration = Duration::from_millis(500);

/// # Errors
/// One line that names the address; bad usage, because the caller chose it.
pub fn listen(address: SocketAddr) -> Result<(TcpListener, SocketAddr), Failure> {
    let failed = |error: io::Error| Failure::usage(format!("listen on {address}: {error}"));
    if !address.ip().is_loopback() {
        return Err(Failure::usage(format!("listen on {address}: not a loopback address")));
    }
    let listener = TcpListener::bind(address).map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    Ok((listener, bound))
}

/// # Errors
/// As the system says; [`CONNECT_WAIT`] at the longest.
pub fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&address, CONNECT_WAIT)?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// One request on a connection of its own, one reply.
///
/// # Errors
/// Also where the peer closes without a reply, or takes longer than `wait`. The request may have been carried out then.
pub fn call<Q: Serialize, A: DeserializeOwned>(address: SocketAddr, request: &Q, wait: Duration) -> io::Result<A> {
    let mut stream = connect(address)?;
    stream.set_read_timeout(Some(wait))?;
    stream.set_write_timeout(Some(wait))?;
    write_frame(&mut stream, request).map_err(into_io)?;
    let reply = read_frame(&mut stream).map_err(into_io)?;
    reply.ok_or_else(|| io::Error::new(io::ErrorKind::UnexpectedEof, "closed without a reply"))
}

#[must_use]
pub fn into_io(error: FrameError) -> io::Error {
    match error {
        FrameError::Io(error) => error,
        other => io::Error::new(io::ErrorKind::InvalidData, other),
    }
}
