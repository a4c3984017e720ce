//! RESP2, the protocol of `redis-cli` and `redis-benchmark`: both ends of it, without sockets.
//!
//! A server feeds what it reads to a [`RequestParser`] and gets [`Command`]s; it answers each with one [`Reply`], in
//! order. A client encodes [`Command`]s and feeds what it reads to a [`ReplyParser`]. Bytes may arrive in any pieces and
//! several requests at once. What a client asks for and this server does not know is a [`Command::Unknown`] with the
//! error to answer; what is not RESP at all is a [`ProtocolError`], after which the connection has to be closed.

mod command;
mod input;
mod reply;
mod request;

use std::fmt;

pub use command::Command;
pub use reply::{Reply, ReplyParser};
pub use request::RequestParser;

/// What a peer may make us hold in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Of one request, its name included.
    pub arguments_max: usize,
    /// Of one argument or bulk reply.
    pub bulk_bytes_max: usize,
    /// Of all arguments of one request together.
    pub request_bytes_max: usize,
    /// Of one line: an inline command, a header, a simple or error reply.
    pub line_bytes_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { arguments_max: 64 << 10, bulk_bytes_max: 8 << 20, request_bytes_max: 64 << 20, line_bytes_max: 64 << 10 }
    }
}

/// Why bytes are not RESP. There is no way to go on behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProtocolError {
    LineTooLong {
        bytes_max: usize,
    },
    /// A header or reply line that does not end in CR LF.
    LineEnd,
    /// `*` with no number or one out of range.
    ArgumentCount,
    /// `$` with no number or one out of range.
    BulkLength,
    /// An argument that does not begin with `$`.
    ExpectedBulk {
        found: u8,
    },
    /// A bulk string that is not followed by CR LF.
    BulkEnd,
    RequestTooLong {
        bytes_max: usize,
    },
    UnbalancedQuotes,
    /// A reply of a kind that no command here is answered with.
    ReplyKind {
        found: u8,
    },
    /// `:` with no number.
    Integer,
}

impl fmt::Display for ProtocolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LineTooLong { bytes_max } => {
                write!(f, "protocol error: line of more than {bytes_max} bytes")
            }
            Self::LineEnd => f.write_str("protocol error: line does not end in CR LF"),
            Self::ArgumentCount => f.write_str("protocol error: invalid multibulk length"),
            Self::BulkLength => f.write_str("protocol error: invalid bulk length"),
            Self::ExpectedBulk { found } => {
                let found = found.escape_ascii();
                write!(f, "protocol error: expected '$', got '{found}'")
            }
            Self::BulkEnd => f.write_str("protocol error: bulk string does not end in CR LF"),
            Self::RequestTooLong { bytes_max } => {
                write!(f, "protocol error: request of more than {bytes_max} bytes")
            }
            Self::UnbalancedQuotes => f.write_str("protocol error: unbalanced quotes in request"),
            Self::ReplyKind { found } => {
                let found = found.escape_ascii();
                write!(f, "protocol error: unexpected reply type '{found}'")
            }
            Self::Integer => f.write_str("protocol error: invalid integer"),
        }
    }
}

impl std::error::Error for ProtocolError {}

impl From<&ProtocolError> for Reply {
    /// What to tell the client before closing the connection.
    fn from(error: &ProtocolError) -> Self {
        Self::Error(format!("ERR {error}"))
    }
}
