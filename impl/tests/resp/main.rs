//! Both ends of RESP2, on fixtures and at random.
//!
//! The fixtures hold the input and, below it, the outcome. `SEXTANT_BLESS=1` rewrites the outcomes.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::{Strategy, any, prop_oneof, proptest};
use sextant_storage::resp::{Command, Limits, ProtocolError, Reply, ReplyParser, RequestParser};

/// Everything that comes out of a parser: the items, and how it ended.
#[derive(Debug, PartialEq, Eq)]
struct Outcome<T> {
    items: Vec<T>,
    error: Option<ProtocolError>,
}

fn commands<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Outcome<Command> {
    commands_within(Limits::default(), pieces)
}

fn commands_within<'a>(limits: Limits, pieces: impl IntoIterator<Item = &'a [u8]>) -> Outcome<Command> {
    let mut parser = RequestParser::new(limits);
    run(pieces, &mut parser, RequestParser::feed, RequestParser::next_command)
}

fn replies<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Outcome<Reply> {
    let mut parser = ReplyParser::default();
    run(pieces, &mut parser, ReplyParser::feed, ReplyParser::next_reply)
}

fn run<'a, P, T>(
    pieces: impl IntoIterator<Item = &'a [u8]>,
    parser: &mut P,
    feed: fn(&mut P, &[u8]),
    next: fn(&mut P) -> Result<Option<T>, ProtocolError>,
) -> Outcome<T> {
    let mut items = Vec::new();
    for piece in pieces {
        feed(parser, piece);
        loop {
            match next(parser) {
                Ok(Some(item)) => items.push(item),
                Ok(None) => break,
                Err(error) => {
                    assert_eq!(next(parser).err(), Some(error.clone()), "an error is final");
                    let error = Some(error);
                    return Outcome { items, error };
                }
            }
        }
    }
    Outcome { items, error: None }
}

/// The bytes of a fixture's line.
fn unescape(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut chars = text.bytes();
    while let Some(byte) = chars.next() {
        bytes.push(match byte {
            b'\\' => match chars.next().unwrap() {
                b'r' => b'\r',
                b'n' => b'\n',
                other => other,
            },
            other => other,
        });
    }
    bytes
}

fn quoted(bytes: &[u8]) -> String {
    format!("\"{}\"", bytes.escape_ascii())
}

fn show_command(command: &Command) -> String {
    match command {
        Command::Get { key } => format!("get {}", quoted(key)),
        Command::Set { key, value } => format!("set {} to {}", quoted(key), quoted(value)),
        Command::SetIfEq { key, old, value } => {
            format!("set {} from {} to {}", quoted(key), quoted(old), quoted(value))
        }
        Command::Del { keys } => {
            let keys: Vec<String> = keys.iter().map(|key| quoted(key)).collect();
            format!("delete {}", keys.join(" "))
        }
        Command::Ping { message: None } => "ping".to_owned(),
        Command::Ping { message: Some(message) } => format!("ping {}", quoted(message)),
        Command::Quit => "quit".to_owned(),
        Command::Unknown { error, .. } => format!("answer {error}"),
    }
}

fn show_reply(reply: &Reply) -> String {
    match reply {
        Reply::Simple(text) => format!("simple {text}"),
        Reply::Error(text) => format!("error {text}"),
        Reply::Integer(number) => format!("integer {number}"),
        Reply::Bulk(None) => "nothing".to_owned(),
        Reply::Bulk(Some(bytes)) => format!("bulk {}", quoted(bytes)),
    }
}

/// Runs a fixture whole and split at every byte, and compares the outcome with what the file says.
fn check_fixture<T: PartialEq + std::fmt::Debug>(
    name: &str,
    parse: fn(&[&[u8]]) -> Outcome<T>,
    show: fn(&T) -> String,
) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/resp").join(name);
    let text = fs::read_to_string(&path).unwrap();
    let mut actual = String::new();
    let mut cases = 0;
    for line in text.lines() {
        let Some(input) = line.strip_prefix("> ") else {
            if line.is_empty() || line.starts_with('#') {
                writeln!(actual, "{line}").unwrap();
            }
            continue;
        };
        cases += 1;
        let bytes = unescape(input);
        let outcome = parse(&[&bytes]);
        for cut in 0..=bytes.len() {
            assert_eq!(parse(&[&bytes[..cut], &bytes[cut..]]), outcome, "{input} cut at {cut}");
        }
        let single: Vec<&[u8]> = bytes.chunks(1).collect();
        assert_eq!(parse(&single), outcome, "{input} byte by byte");
        writeln!(actual, "{line}").unwrap();
        for item in &outcome.items {
            writeln!(actual, "{}", show(item)).unwrap();
        }
        let end = outcome.error.map_or("more".to_owned(), |error| format!("close: {error}"));
        writeln!(actual, "{end}").unwrap();
    }
    assert!(cases > 0, "{name} has no cases");
    if std::env::var_os("SEXTANT_BLESS").is_some() {
        fs::write(&path, &actual).unwrap();
    }
    assert_eq!(actual, fs::read_to_string(&path).unwrap(), "{name}");
}

#[test]
fn request_fixtures() {
    check_fixture("requests.txt", |pieces| commands(pieces.iter().copied()), show_command);
}

#[test]
fn reply_fixtures() {
    check_fixture("replies.txt", |pieces| replies(pieces.iter().copied()), show_reply);
}

#[test]
fn limits_hold_before_anything_arrives() {
    let limits = Limits { arguments_max: 3, bulk_bytes_max: 8, request_bytes_max: 12, line_bytes_max: 20 };
    let error = |bytes: &[u8]| commands_within(limits, [bytes]).error;
    assert_eq!(error(b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$8\r\n12345678\r\n"), None);
    assert_eq!(error(b"*4\r\n"), Some(ProtocolError::ArgumentCount));
    assert_eq!(error(b"del a b c\r\n"), Some(ProtocolError::ArgumentCount));
    assert_eq!(error(b"*1\r\n$9\r\n"), Some(ProtocolError::BulkLength));
    assert_eq!(error(b"*3\r\n$3\r\nSET\r\n$2\r\nkk\r\n$8\r\n"), Some(ProtocolError::RequestTooLong { bytes_max: 12 }));
    let too_long = Some(ProtocolError::LineTooLong { bytes_max: 20 });
    assert_eq!(error(b"123456789012345678901"), too_long);
    assert_eq!(error(b"PING 0123456789abcdef\r\n"), too_long);
    assert_eq!(error(b"PING 0123456789abc\r\n"), None);
}

#[test]
fn a_reply_stays_on_its_line() {
    let mut out = Vec::new();
    Reply::Error("ERR a\r\nb".to_owned()).encode(&mut out);
    Reply::ok().encode(&mut out);
    Reply::from(&ProtocolError::BulkLength).encode(&mut out);
    assert_eq!(out, b"-ERR a  b\r\n+OK\r\n-ERR protocol error: invalid bulk length\r\n");
}

#[test]
fn a_client_knows_whether_the_stream_may_end() {
    let mut parser = ReplyParser::default();
    for (bytes, between) in [(&b""[..], true), (b"$2\r\n", false), (b"ab\r", false), (b"\n", true), (b"+", false)] {
        parser.feed(bytes);
        while parser.next_reply().unwrap().is_some() {}
        assert_eq!(parser.is_between_replies(), between, "{}", bytes.escape_ascii());
    }
}

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    vec(any::<u8>(), 0..40)
}

fn any_command() -> impl Strategy<Value = Command> {
    prop_oneof![
        bytes().prop_map(|key| Command::Get { key }),
        (bytes(), bytes()).prop_map(|(key, value)| Command::Set { key, value }),
        (bytes(), bytes(), bytes()).prop_map(|(key, old, value)| Command::SetIfEq { key, old, value }),
        vec(bytes(), 1..5).prop_map(|keys| Command::Del { keys }),
        option::of(bytes()).prop_map(|message| Command::Ping { message }),
        proptest::prelude::Just(Command::Quit),
        vec(bytes(), 1..6).prop_map(Command::parse),
    ]
}

fn any_reply() -> impl Strategy<Value = Reply> {
    prop_oneof![
        "[^\r\n]{0,40}".prop_map(Reply::Simple),
        "[^\r\n]{0,40}".prop_map(Reply::Error),
        any::<i64>().prop_map(Reply::Integer),
        option::of(bytes()).prop_map(Reply::Bulk),
    ]
}

proptest! {
    #[test]
    fn commands_round_trip(sent in vec(any_command(), 0..10), step in 1_usize..50) {
        let mut out = Vec::new();
        for command in &sent {
            command.encode(&mut out);
        }
        let expected = Outcome { items: sent, error: None };
        assert_eq!(commands(out.chunks(step)), expected);
        assert_eq!(commands([&out[..]]), expected);
    }

    #[test]
    fn replies_round_trip(sent in vec(any_reply(), 0..10), step in 1_usize..50) {
        let mut out = Vec::new();
        for reply in &sent {
            reply.encode(&mut out);
        }
        let expected = Outcome { items: sent, error: None };
        assert_eq!(replies(out.chunks(step)), expected);
        assert_eq!(replies([&out[..]]), expected);
    }

    /// No panic, and the same outcome in any pieces.
    #[test]
    fn garbage_is_an_outcome(garbage in vec(any::<u8>(), 0..200), step in 1_usize..20) {
        assert_eq!(commands(garbage.chunks(step)), commands([&garbage[..]]));
        assert_eq!(replies(garbage.chunks(step)), replies([&garbage[..]]));
    }

    /// The same near to what is right.
    #[test]
    fn plausible_garbage_is_an_outcome(garbage in "([*$:+-]?[0-9]{0,2}\r?\n|[a-zA-Z\"'\\\\ ]{0,4}){0,30}", step in 1_usize..20) {
        let garbage = garbage.as_bytes();
        assert_eq!(commands(garbage.chunks(step)), commands([garbage]));
        assert_eq!(replies(garbage.chunks(step)), replies([garbage]));
    }
}
