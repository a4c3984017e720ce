//! The contract between clients and writer: what a call asks for on the wire, and what its end means.
//!
//! An error that says that nothing was done is `fail`; whatever leaves the fate of a write open is `info`; a read without an
//! answer claims nothing and is `fail`.

use sextant_histories::{Call, Key, Outcome, Reply as Answer, Value};

use crate::resp::{Command, Reply};

/// Why there is no reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// Not in time. The connection is good for the next command: replies come in order, and a late one is skipped.
    Late,
    /// The connection is of no use any more.
    Lost,
}

/// How an operation ended, and whether the writer is worth asking again.
pub struct End {
    pub outcome: Outcome,
    pub next: Next,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    Continue,
    /// No answer in time. The connection is kept: whatever a paused writer finds there when it wakes, it finds in order,
    /// and the reads of its clients at once.
    Wait,
    Reconnect,
    /// It said that it does not serve.
    Leave,
}

/// The command for a call on a register.
///
/// # Panics
/// If a register has no such call.
#[must_use]
pub fn command_of(key: &Key, call: &Call) -> Command {
    let key = bare(key);
    match call {
        Call::Read => Command::Get { key },
        Call::Write(new) => Command::Set { key, value: text(new) },
        Call::Cas { old, new } => Command::SetIfEq { key, old: text(old), value: text(new) },
        // The workloads ask for nothing else.
        other => unreachable!("no workload has {other}"),
    }
}

/// The meaning of a reply or of its absence, and whether the contract knows it.
pub fn end_of(call: &Call, reply: Result<Reply, Failure>) -> (End, bool) {
    let end = |outcome, next| (End { outcome, next }, true);
    let open_ended = match call {
        Call::Read => Outcome::Fail,
        _ => Outcome::Indeterminate,
    };
    match (call, reply) {
        (_, Err(Failure::Late)) => end(open_ended, Next::Wait),
        (_, Err(Failure::Lost)) => end(open_ended, Next::Reconnect),
        (Call::Read, Ok(Reply::Bulk(None))) => end(Outcome::Ok(Answer::Read(Value::Null)), Next::Continue),
        (Call::Read, Ok(Reply::Bulk(Some(bytes)))) => end(Outcome::Ok(Answer::Read(value(&bytes))), Next::Continue),
        (Call::Write(_), Ok(Reply::Simple(word))) if word == "OK" => end(Outcome::Ok(Answer::Written), Next::Continue),
        (Call::Cas { .. }, Ok(Reply::Simple(word))) if word == "OK" => {
            end(Outcome::Ok(Answer::Swapped), Next::Continue)
        }
        (Call::Cas { .. }, Ok(Reply::Bulk(None))) => end(Outcome::Ok(Answer::Differed), Next::Continue),
        (_, Ok(Reply::Error(error))) => match class(&error) {
            Class::NotServing => end(Outcome::Fail, Next::Leave),
            Class::NotYet => end(Outcome::Fail, Next::Reconnect),
            Class::Indeterminate => end(open_ended, Next::Reconnect),
            Class::Unknown => (End { outcome: open_ended, next: Next::Reconnect }, false),
        },
        (_, Ok(_)) => (End { outcome: open_ended, next: Next::Reconnect }, false),
    }
}

enum Class {
    NotServing,
    NotYet,
    Indeterminate,
    Unknown,
}

fn class(error: &str) -> Class {
    match error {
        _ if error.starts_with("INDETERMINATE") => Class::Indeterminate,
        _ if error.starts_with("ERR deposed") || error.starts_with("ERR standby") => Class::NotServing,
        _ if error.starts_with("ERR not open") => Class::NotYet,
        _ => Class::Unknown,
    }
}

fn bare(key: &Key) -> Vec<u8> {
    match key {
        Key::None => Vec::new(),
        Key::Int(key) => key.to_string().into_bytes(),
        Key::Str(key) => key.as_bytes().to_vec(),
    }
}

fn text(value: &Value) -> Vec<u8> {
    match value {
        Value::Null => Vec::new(),
        Value::Int(value) => value.to_string().into_bytes(),
        Value::Str(value) => value.as_bytes().to_vec(),
        other => other.to_string().into_bytes(),
    }
}

/// The workload writes integers only; anything else that comes back is kept as it is, for the checker to reject.
fn value(bytes: &[u8]) -> Value {
    let text = String::from_utf8_lossy(bytes);
    match text.parse() {
        Ok(number) => Value::Int(number),
        Err(_) => Value::from(text.as_ref()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The contract of `-ERR`, silence and replies, line by line.
    #[test]
    fn every_end_is_what_the_contract_says() {
        let error = |text: &str| Ok(Reply::Error(text.into()));
        let ok = || Ok(Reply::Simple("OK".into()));
        let (read, write) = (Call::Read, Call::Write(1.into()));
        let cas = Call::Cas { old: 1.into(), new: 2.into() };
        let claim = Outcome::Ok;
        for (call, reply, outcome, next) in [
            (&read, Err(Failure::Late), Outcome::Fail, Next::Wait),
            (&write, Err(Failure::Late), Outcome::Indeterminate, Next::Wait),
            (&cas, Err(Failure::Late), Outcome::Indeterminate, Next::Wait),
            (&read, Err(Failure::Lost), Outcome::Fail, Next::Reconnect),
            (&write, Err(Failure::Lost), Outcome::Indeterminate, Next::Reconnect),
            (&cas, Err(Failure::Lost), Outcome::Indeterminate, Next::Reconnect),
            (&read, Ok(Reply::Bulk(None)), claim(Answer::Read(Value::Null)), Next::Continue),
            (&read, Ok(Reply::Bulk(Some(b"7".to_vec()))), claim(Answer::Read(7.into())), Next::Continue),
            (&write, ok(), claim(Answer::Written), Next::Continue),
            (&cas, ok(), claim(Answer::Swapped), Next::Continue),
            (&cas, Ok(Reply::Bulk(None)), claim(Answer::Differed), Next::Continue),
            (&write, error("ERR deposed: volume epoch e3 has taken over"), Outcome::Fail, Next::Leave),
            (&read, error("ERR deposed: volume epoch e3 has taken over"), Outcome::Fail, Next::Leave),
            (&write, error("ERR standby of e2"), Outcome::Fail, Next::Leave),
            (&cas, error("ERR not open: recovering"), Outcome::Fail, Next::Reconnect),
            (&cas, error("INDETERMINATE deposed"), Outcome::Indeterminate, Next::Reconnect),
            (&read, error("INDETERMINATE"), Outcome::Fail, Next::Reconnect),
        ] {
            let shown = format!("{call:?} {reply:?}");
            let (end, understood) = end_of(call, reply);
            assert!(understood, "{shown}");
            assert_eq!((end.outcome, end.next), (outcome, next), "{shown}");
        }
    }

    #[test]
    fn a_reply_outside_the_contract_claims_nothing_and_is_noticed() {
        let write = Call::Write(1.into());
        for reply in
            [Reply::Bulk(None), Reply::Integer(1), Reply::Error("ERR syntax".into()), Reply::Simple("QUEUED".into())]
        {
            let (end, understood) = end_of(&write, Ok(reply));
            assert_eq!((end.outcome, understood), (Outcome::Indeterminate, false));
        }
        let (end, understood) = end_of(&Call::Read, Ok(Reply::Simple("OK".into())));
        assert_eq!((end.outcome, understood), (Outcome::Fail, false));
    }
}
