//! Porcupine's logs of Jepsen's etcd test: lines of a program's log, some of which are events.
//!
//! ```text
//! INFO  jepsen.util - 0   :invoke :cas    [1 2]
//! INFO  jepsen.util - 0   :fail   :cas    [1 2]
//! INFO  jepsen.util - 3   :info   :write  :timed-out
//! INFO  jepsen.util - 1   :fail   :read   :timed-out
//! ```
//!
//! A cas that fails with its values says that the register held something else, which is a claim. A failure with anything
//! else, such as a time-out, says nothing. Lines of the log that do not come from `jepsen.util` are left out.

use std::io::Read;

use super::edn;
use super::form::{Form, Node};
use super::jepsen::Parsed;
use super::said::{Event, F, Kind};
use super::source::{At, Bad, Lines, Source};
use crate::error::Fault;

/// What marks an event; newer versions of Jepsen write no dash behind it.
pub(super) const MARK: &str = "jepsen.util";

const LEVELS: [&str; 5] = ["TRACE", "DEBUG", "INFO", "WARN", "ERROR"];

pub(super) fn read<R: Read>(reader: R) -> Result<Parsed, Bad> {
    let mut lines = Lines::new(reader);
    let mut parsed = Parsed::default();
    while let Some((text, line, ended)) = lines.next()? {
        if !ended {
            // `:write 4` may be the beginning of `:write 42`.
            parsed.torn = Some(Bad { at: At { line, column: 0 }, fault: Fault::TruncatedLastLine });
            break;
        }
        match event(text, line)? {
            Line::Event(event) => parsed.events.push(event),
            Line::Skipped(process) => parsed.notes.skip(&process),
            Line::Other => parsed.notes.lines_skipped += 1,
        }
    }
    Ok(parsed)
}

pub(super) enum Line {
    Event(Event),
    /// Of this process, which is no client.
    Skipped(String),
    Other,
}

pub(super) fn event(text: &str, line: u32) -> Result<Line, Bad> {
    let here = |offset: usize| At { line, column: u32::try_from(offset + 1).unwrap_or(u32::MAX) };
    let Some(mark) = text.find(MARK) else {
        let first = text.split_whitespace().next();
        return match first {
            Some(level) if LEVELS.contains(&level) => Ok(Line::Other),
            None => Err(Bad { at: here(0), fault: Fault::BlankLine }),
            Some(_) => Err(Bad::malformed(here(0), "no line of a log: it does not begin with a level such as INFO")),
        };
    };
    let rest = &text[mark + MARK.len()..];
    let data = rest.trim_start().strip_prefix("- ").unwrap_or(rest);
    let start = text.len() - data.len();
    let mut parser = edn::Parser::new(Source::starting_at(data.as_bytes(), here(start)));
    let mut part =
        |what: &str| parser.next()?.ok_or_else(|| Bad::malformed(here(text.len()), format!("{what} is missing")));
    let process = part("the process")?;
    let process = match &process.node {
        Node::Int(number) => {
            let number = u64::try_from(*number);
            number.map_err(|_| Bad::malformed(process.at, "a process is no negative number"))?
        }
        Node::Keyword(name) => return Ok(Line::Skipped(name.clone().into_owned())),
        _ => return Err(Bad::malformed(process.at, format!("a process is a number, not {}", process.kind()))),
    };
    let kind = part("the type")?;
    let f = part("the function")?;
    let value = part("the value")?;
    let kind = match keyword(&kind) {
        Some("invoke") => Kind::Invoke,
        Some("ok") => Kind::Ok,
        Some("fail") => Kind::Fail,
        Some("info") => Kind::Info,
        _ => return Err(Bad::malformed(kind.at, "unknown type: use :invoke, :ok, :fail or :info")),
    };
    let f = match keyword(&f) {
        Some("read") => F::Read,
        Some("write") => F::Write,
        Some("cas") => F::Cas,
        _ => return Err(Bad::malformed(f.at, "unknown function: use :read, :write or :cas")),
    };
    let differed = kind == Kind::Fail && f == F::Cas && matches!(value.node, Node::List(_));
    let kind = if differed { Kind::Ok } else { kind };
    Ok(Line::Event(Event {
        at: here(0),
        process: Some(process),
        kind,
        value: if matches!(kind, Kind::Invoke | Kind::Ok) { Some(value.to_value()?) } else { None },
        is_map: false,
        f,
        result: None,
        differed,
        key: None,
        index: None,
        time: None,
    }))
}

fn keyword(form: &Form) -> Option<&str> {
    match &form.node {
        Node::Keyword(name) => Some(name),
        _ => None,
    }
}
