//! The commands that the server knows, and what it says to all others.

use super::input::push_bulk;

/// Longest part of a client's word that is repeated to it in an error, in bytes.
const ECHO_BYTES_MAX: usize = 128;

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Command {
    Get {
        key: Vec<u8>,
    },
    Set {
        key: Vec<u8>,
        value: Vec<u8>,
    },
    /// `SET key value IFEQ old`: sets `value` only if the key holds `old` (as Valkey and newer Redis do).
    SetIfEq {
        key: Vec<u8>,
        old: Vec<u8>,
        value: Vec<u8>,
    },
    Del {
        keys: Vec<Vec<u8>>,
    },
    Ping {
        message: Option<Vec<u8>>,
    },
    Quit,
    /// Anything else, and a known name with the wrong arguments. `error` is the text of the error reply.
    Unknown {
        arguments: Vec<Vec<u8>>,
        error: String,
    },
}

impl Command {
    /// What a request asks for. The first argument is the name, in any case.
    pub fn parse(arguments: Vec<Vec<u8>>) -> Self {
        match Self::known(&arguments) {
            Ok(command) => command,
            Err(error) => Self::Unknown { arguments, error },
        }
    }

    /// Appends the request as an array of bulk strings.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let arguments = self.arguments();
        out.extend(format!("*{}\r\n", arguments.len()).as_bytes());
        for argument in arguments {
            push_bulk(out, argument);
        }
    }

    fn known(arguments: &[Vec<u8>]) -> Result<Self, String> {
        let (name, arguments) = match arguments {
            [] => return Err(unknown(b"")),
            [name, arguments @ ..] => (name.as_slice(), arguments),
        };
        let key = |at: usize| arguments[at].clone();
        let command = match (name.to_ascii_lowercase().as_slice(), arguments.len()) {
            (b"get", 1) => Self::Get { key: key(0) },
            (b"set", 2) => Self::Set { key: key(0), value: key(1) },
            (b"set", 4) if arguments[2].eq_ignore_ascii_case(b"ifeq") => {
                Self::SetIfEq { key: key(0), old: key(3), value: key(1) }
            }
            (b"set", 3..) => return Err("ERR syntax error".to_owned()),
            (b"del", 1..) => Self::Del { keys: arguments.to_vec() },
            (b"ping", 0 | 1) => Self::Ping { message: arguments.first().cloned() },
            (b"quit", 0) => Self::Quit,
            (known @ (b"get" | b"set" | b"del" | b"ping" | b"quit"), _) => {
                let name = known.escape_ascii();
                return Err(format!("ERR wrong number of arguments for '{name}' command"));
            }
            _ => return Err(unknown(name)),
        };
        Ok(command)
    }

    fn arguments(&self) -> Vec<&[u8]> {
        match self {
            Self::Get { key } => vec![b"GET", key],
            Self::Set { key, value } => vec![b"SET", key, value],
            Self::SetIfEq { key, old, value } => vec![b"SET", key, value, b"IFEQ", old],
            Self::Del { keys } => {
                let keys = keys.iter().map(Vec::as_slice);
                std::iter::once(b"DEL".as_slice()).chain(keys).collect()
            }
            Self::Ping { message } => {
                let message = message.as_deref();
                std::iter::once(b"PING".as_slice()).chain(message).collect()
            }
            Self::Quit => vec![b"QUIT"],
            Self::Unknown { arguments, .. } => arguments.iter().map(Vec::as_slice).collect(),
        }
    }
}

/// The client's word comes back readable and on one line, whatever it is.
fn unknown(name: &[u8]) -> String {
    let shown = name[..name.len().min(ECHO_BYTES_MAX)].escape_ascii();
    format!("ERR unknown command '{shown}'")
}
