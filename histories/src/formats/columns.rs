//! A line an operation, in columns: the form for histories of millions of operations from programs that log what a call
//! was and how it ended.
//!
//! ```text
//! # where it is from
//! process,f,key,value,old,invoke,return,outcome
//! 0,write,x,5,,10,30,ok
//! 1,read,x,5,,20,40,ok
//! 0,cas,x,6,5,50,60,differed
//! 2,write,x,7,,55,,info
//! ```
//!
//! * Line 1 may be `# ` and what the history is about; then the names of the columns, in any order. `process`, `f`, `invoke`,
//!   `return` and `outcome` must be there; `key`, `value` and `old` may be left out.
//! * `f` is a function of the native format without its lists: all but `contains`, `txn` and `custom:NAME`. `value` is what is
//!   written, added and so on, and what a `read`, `dequeue`, `pop` or `pop-min` returned; of a `cas` it is the new value,
//!   and `old` the one compared.
//! * `outcome` is `ok`, `fail`, `info`, or, of a cas that found another value, `differed`.
//! * `invoke` and `return` are times, integers on one clock; `return` may be empty for `info`. The lines need not be in
//!   order. **Of equal times the invocation counts as the earlier event**, so that the operations overlap, unless it is the process's
//!   own return: that comes first.
//! * A cell is an integer, `true`, `false`, nothing for null, or a string; in quotes it is always a string, and `""` in it
//!   a quotation mark. Every line ends in a line feed.

use std::io::Read;

use super::source::{At, Bad, Lines};
use crate::error::Fault;
use crate::event::{Call, Event, Kind, Reply};
use crate::history::History;
use crate::value::{Key, Value};

const NAMES: [&str; 8] = ["process", "f", "key", "value", "old", "invoke", "return", "outcome"];

/// Where each of [`NAMES`] stands in a line.
struct Header {
    places: [Option<usize>; NAMES.len()],
    columns: usize,
}

struct Row {
    line: u32,
    process: u64,
    key: Key,
    call: Call,
    end: Kind,
    invoke: u64,
    end_at: Option<u64>,
}

/// With where the file was torn, if its last line is.
pub(super) fn read<R: Read>(reader: R) -> Result<(History, Option<Bad>), Bad> {
    let mut lines = Lines::new(reader);
    let mut about = None;
    let mut header: Option<Header> = None;
    let mut rows = Vec::new();
    let mut torn = None;
    while let Some((text, line, ended)) = lines.next()? {
        if !ended {
            torn = Some(Bad { at: At { line, column: 0 }, fault: Fault::TruncatedLastLine });
            break;
        }
        match &header {
            None if line == 1 && text.starts_with('#') => {
                about = Some(text.trim_start_matches('#').trim().to_owned());
            }
            None => header = Some(names(text, line)?),
            Some(header) => rows.push(row(text, line, header)?),
        }
    }
    Ok((history(rows, about)?, torn))
}

/// Whether this is the line of names.
pub(super) fn is_header(text: &str) -> bool {
    let mut names = text.trim_end().split(',').map(str::trim);
    names.clone().any(|name| name == "process") && names.all(|name| NAMES.contains(&name))
}

fn names(text: &str, line: u32) -> Result<Header, Bad> {
    let mut places = [None; NAMES.len()];
    let mut columns = 0;
    for (cell, at) in cells(text, line)? {
        let name = cell.text.trim();
        let number = NAMES.iter().position(|known| *known == name);
        let number = number.ok_or_else(|| Bad::malformed(at, format!("unknown column {name:?}")))?;
        if places[number].replace(columns).is_some() {
            return Err(Bad::malformed(at, format!("the column {name} occurs twice")));
        }
        columns += 1;
    }
    for needed in ["process", "f", "invoke", "return", "outcome"] {
        let number = NAMES.iter().position(|known| *known == needed);
        if number.is_none_or(|number| places[number].is_none()) {
            return Err(Bad::malformed(At { line, column: 1 }, format!("the column {needed} is missing")));
        }
    }
    Ok(Header { places, columns })
}

struct Cell {
    text: String,
    quoted: bool,
}

fn cells(text: &str, line: u32) -> Result<Vec<(Cell, At)>, Bad> {
    let mut cells = Vec::with_capacity(NAMES.len());
    let mut rest = text;
    loop {
        let at = At { line, column: u32::try_from(text.len() - rest.len() + 1).unwrap_or(u32::MAX) };
        let (cell, after) = match rest.strip_prefix('"') {
            Some(inner) => quoted(inner, at)?,
            None => {
                let end = rest.find(',').unwrap_or(rest.len());
                (Cell { text: rest[..end].to_owned(), quoted: false }, &rest[end..])
            }
        };
        cells.push((cell, at));
        match after.strip_prefix(',') {
            Some(next) => rest = next,
            None if after.is_empty() => return Ok(cells),
            None => return Err(Bad::malformed(at, "something stands behind the closing quotation mark")),
        }
    }
}

fn quoted(inner: &str, at: At) -> Result<(Cell, &str), Bad> {
    let mut text = String::new();
    let mut rest = inner;
    loop {
        let end = rest.find('"').ok_or_else(|| Bad::malformed(at, "a quotation mark is not closed"))?;
        text.push_str(&rest[..end]);
        rest = &rest[end + 1..];
        match rest.strip_prefix('"') {
            Some(after) => {
                text.push('"');
                rest = after;
            }
            None => return Ok((Cell { text, quoted: true }, rest)),
        }
    }
}

fn row(text: &str, line: u32, header: &Header) -> Result<Row, Bad> {
    let cells = cells(text, line)?;
    if cells.len() != header.columns {
        let reason = format!("{} columns, where the header has {}", cells.len(), header.columns);
        return Err(Bad::malformed(At { line, column: 1 }, reason));
    }
    let cell = |name: &str| {
        let number = NAMES.iter().position(|known| *known == name)?;
        cells.get(header.places[number]?)
    };
    // The header has seen to it that these are there.
    let needed =
        |name: &str| cell(name).ok_or_else(|| Bad::malformed(At { line, column: 1 }, format!("{name} is missing")));
    let time = |name: &str| -> Result<Option<u64>, Bad> {
        let (cell, at) = needed(name)?;
        match cell.text.trim() {
            "" => Ok(None),
            text => text
                .parse()
                .map(Some)
                .map_err(|_| Bad::malformed(*at, format!("{name} is no integer from 0 on: {text:?}"))),
        }
    };
    let value = |name: &str| cell(name).map_or(Value::Null, |(cell, _)| value(cell));
    let (process, at) = needed("process")?;
    let process = process.text.trim().parse();
    let process = process.map_err(|_| Bad::malformed(*at, "a process is an integer from 0 on"))?;
    let key = Key::try_from(value("key"));
    let key = key.map_err(|value| Bad::malformed(At { line, column: 1 }, format!("{value} names no object")))?;
    let (f, f_at) = needed("f")?;
    let call = call(&f.text, value("value"), value("old"));
    let call = call.ok_or_else(|| Bad::malformed(*f_at, format!("unknown function {:?}", f.text)))?;
    if !matches!(call, Call::Cas { .. })
        && let Some((_, at)) = cell("old").filter(|(cell, _)| cell.quoted || !cell.text.is_empty())
    {
        return Err(Bad::malformed(*at, "`old` belongs to a cas"));
    }
    let (outcome, at) = needed("outcome")?;
    let end = match &outcome.text[..] {
        "ok" => Kind::Ok(answer(&call, value("value"))),
        "differed" if matches!(call, Call::Cas { .. }) => Kind::Ok(Reply::Differed),
        "differed" => return Err(Bad::malformed(*at, "`differed` is the outcome of a cas")),
        "fail" => Kind::Fail,
        "info" => Kind::Info,
        other => return Err(Bad::malformed(*at, format!("unknown outcome {other:?}: use ok, fail, info or differed"))),
    };
    let invoke = time("invoke")?.ok_or_else(|| Bad::malformed(At { line, column: 1 }, "an invocation has a time"))?;
    let end_at = time("return")?;
    if end_at.is_some_and(|end| end < invoke) {
        return Err(Bad::malformed(At { line, column: 1 }, "returns before it was invoked"));
    }
    if end_at.is_none() && end != Kind::Info {
        return Err(Bad::malformed(At { line, column: 1 }, "what ended in ok or fail has a time of return"));
    }
    Ok(Row { line, process, key, call, end, invoke, end_at })
}

fn value(cell: &Cell) -> Value {
    if cell.quoted {
        return Value::Str(cell.text.as_str().into());
    }
    match cell.text.trim() {
        "" => Value::Null,
        "true" => Value::Bool(true),
        "false" => Value::Bool(false),
        text => text.parse().map_or_else(|_| Value::Str(text.into()), Value::Int),
    }
}

fn call(f: &str, value: Value, old: Value) -> Option<Call> {
    Some(match f.trim() {
        "read" => Call::Read,
        "write" => Call::Write(value),
        "cas" => Call::Cas { old, new: value },
        "append" => Call::Append(value),
        "add" => Call::Add(value),
        "remove" => Call::Remove(value),
        "enqueue" => Call::Enqueue(value),
        "dequeue" => Call::Dequeue,
        "push" => Call::Push(value),
        "pop" => Call::Pop,
        "insert" => Call::Insert(value),
        "pop-min" => Call::PopMin,
        "acquire" => Call::Acquire,
        "release" => Call::Release,
        _ => return None,
    })
}

fn answer(call: &Call, value: Value) -> Reply {
    match call {
        Call::Read => Reply::Read(value),
        Call::Write(_) => Reply::Written,
        Call::Cas { .. } => Reply::Swapped,
        Call::Dequeue | Call::Pop | Call::PopMin => Reply::Returned(value),
        _ => Reply::Done,
    }
}

/// An end of a row, in the order of a history: by time, then by rank, then by line.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct End {
    time: u64,
    /// Even for invocations, odd for returns; greater the more of the process's own events lie at the same time before.
    rank: u32,
    row: u32,
}

fn history(rows: Vec<Row>, about: Option<String>) -> Result<History, Bad> {
    let ends = order(&rows);
    let line = |end: &End| rows[end.row as usize].line;
    let events = ends.iter().map(|end| {
        let row = &rows[end.row as usize];
        let kind = if end.rank.is_multiple_of(2) { Kind::Invoke } else { row.end.clone() };
        Event { process: row.process, kind, call: row.call.clone(), key: row.key.clone(), time: Some(end.time) }
    });
    match History::from_events(events) {
        Ok(history) => Ok(history.described(about, ends.iter().map(line).collect())),
        Err((index, misuse)) => {
            let at = At { line: ends.get(index).map(line).unwrap_or_default(), column: 1 };
            Err(Bad { at, fault: Fault::Misuse(misuse) })
        }
    }
}

fn order(rows: &[Row]) -> Vec<End> {
    let mut by_process: Vec<u32> = (0..u32::try_from(rows.len()).unwrap_or(u32::MAX)).collect();
    // What never returned is last among what a process began at one time.
    by_process.sort_by_key(|row| {
        let row = &rows[*row as usize];
        (row.process, row.invoke, row.end_at.is_none(), row.end_at)
    });
    let mut ends: Vec<End> = Vec::with_capacity(2 * rows.len());
    let mut last: Option<(u64, End)> = None;
    for number in by_process {
        let row = &rows[number as usize];
        let before = last.filter(|(process, _)| *process == row.process).map(|(_, end)| end);
        let rank = match before.filter(|before| before.time == row.invoke) {
            // A return is odd, so what follows is even again; an invocation that never returned is followed by another
            // of the same rank, which the history refuses.
            Some(before) => before.rank.next_multiple_of(2),
            None => 0,
        };
        let invoke = End { time: row.invoke, rank, row: number };
        ends.push(invoke);
        last = Some((row.process, invoke));
        if let Some(time) = row.end_at {
            let rank = if time == row.invoke { rank + 1 } else { 1 };
            let end = End { time, rank, row: number };
            ends.push(end);
            last = Some((row.process, end));
        }
    }
    ends.sort_unstable();
    ends
}
