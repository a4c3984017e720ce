//! Histories as text: native, EDN and JSON, each of which reads back as the same history.
//!
//! EDN and JSON are written as Jepsen would have, one operation map a line in a vector. What Jepsen has no words for stands in
//! the fields `:applied` and `:result`, and what concerns the whole file in a map in front: in EDN behind `#_`, which every
//! other reader passes over; in JSON, which has no comments, only where there is something to say.

use std::fmt::Write as _;
use std::io::{self, Write};

use super::Format;
use crate::event::{Call, Event, Kind, Reply};
use crate::history::History;
use crate::value::{Key, Value};

/// Writes `history` in a format that has a writer ([`Format::WRITTEN`]). `initial` is what registers hold before the first
/// write; the native format has no place for it. Errors are those of `out`, and `InvalidInput` for a format without writer.
pub fn write(history: &History, initial: &Value, format: Format, out: &mut dyn Write) -> io::Result<()> {
    match format {
        Format::Native => native(history, out),
        Format::Edn => {
            let keyed = !history.is_empty() && history.operations().iter().all(is_keyed);
            maps(history, initial, &Edn { tuples: keyed }, out)
        }
        Format::Json => maps(history, initial, &Json, out),
        _ => Err(io::Error::new(io::ErrorKind::InvalidInput, format!("there is no writer for {}", format.name()))),
    }
}

fn is_keyed(operation: &crate::history::Operation) -> bool {
    let has_value = !matches!(operation.call, Call::Txn(_) | Call::Other(..) | Call::Acquire | Call::Release);
    has_value && operation.key != Key::None
}

fn native(history: &History, out: &mut dyn Write) -> io::Result<()> {
    if let Some(about) = history.about() {
        writeln!(out, "{{\"about\":{}}}", json_string(about))?;
    }
    for event in history.to_events() {
        let line = event.to_line().ok_or_else(|| io::Error::other("a reply that does not answer its call"))?;
        writeln!(out, "{line}")?;
    }
    Ok(())
}

/// What differs between EDN and JSON.
trait Syntax {
    /// Between a field and its value, and between fields.
    fn field(&self, name: &str) -> String;
    fn name(&self, name: &str) -> String;
    fn value(&self, value: &Value, text: &mut String);
    fn between(&self) -> &'static str;
    /// In front of the map that concerns the file.
    fn aside(&self) -> &'static str;
    /// What an `initial` of this would not change.
    fn default_initial(&self) -> Value;
    /// Whether keys stand in pairs with the values, as in Jepsen's tests of independent keys.
    fn tuples(&self) -> bool;
    fn step(&self, step: &Value, text: &mut String);
}

struct Edn {
    tuples: bool,
}

struct Json;

impl Syntax for Edn {
    fn field(&self, name: &str) -> String {
        format!(":{name} ")
    }

    fn name(&self, name: &str) -> String {
        let plain = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-');
        if plain { format!(":{name}") } else { edn_string(name) }
    }

    fn value(&self, value: &Value, text: &mut String) {
        match value {
            Value::Null => text.push_str("nil"),
            Value::Bool(value) => text.push_str(if *value { "true" } else { "false" }),
            Value::Int(value) => {
                let _ = write!(text, "{value}");
            }
            Value::Str(value) => text.push_str(&edn_string(value)),
            Value::List(values) => {
                text.push('[');
                for (number, value) in values.iter().enumerate() {
                    if number > 0 {
                        text.push(' ');
                    }
                    self.value(value, text);
                }
                text.push(']');
            }
        }
    }

    fn between(&self) -> &'static str {
        ", "
    }

    fn aside(&self) -> &'static str {
        "#_"
    }

    fn default_initial(&self) -> Value {
        Format::Edn.conventions().initial
    }

    fn tuples(&self) -> bool {
        self.tuples
    }

    fn step(&self, step: &Value, text: &mut String) {
        let Value::List(parts) = step else { return self.value(step, text) };
        text.push('[');
        for (number, part) in parts.iter().enumerate() {
            match part {
                Value::Str(name) if number == 0 => text.push_str(&self.name(name)),
                part => {
                    text.push(' ');
                    self.value(part, text);
                }
            }
        }
        text.push(']');
    }
}

impl Syntax for Json {
    fn field(&self, name: &str) -> String {
        format!("\"{name}\":")
    }

    fn name(&self, name: &str) -> String {
        json_string(name)
    }

    fn value(&self, value: &Value, text: &mut String) {
        match value {
            Value::Str(value) => text.push_str(&json_string(value)),
            Value::List(values) => {
                text.push('[');
                for (number, value) in values.iter().enumerate() {
                    if number > 0 {
                        text.push(',');
                    }
                    self.value(value, text);
                }
                text.push(']');
            }
            // Display prints these as JSON does.
            Value::Null | Value::Bool(_) | Value::Int(_) => {
                let _ = write!(text, "{value}");
            }
        }
    }

    fn between(&self) -> &'static str {
        ","
    }

    fn aside(&self) -> &'static str {
        ""
    }

    fn default_initial(&self) -> Value {
        Format::Json.conventions().initial
    }

    fn tuples(&self) -> bool {
        false
    }

    fn step(&self, step: &Value, text: &mut String) {
        self.value(step, text);
    }
}

fn maps(history: &History, initial: &Value, syntax: &dyn Syntax, out: &mut dyn Write) -> io::Result<()> {
    let header = header(history, initial, syntax);
    let inside = syntax.aside().is_empty();
    if let Some(header) = header.as_ref().filter(|_| !inside) {
        writeln!(out, "{}{header}", syntax.aside())?;
    }
    out.write_all(b"[")?;
    let mut first = true;
    for text in header.into_iter().filter(|_| inside) {
        out.write_all(text.as_bytes())?;
        first = false;
    }
    for (index, event) in history.to_events().iter().enumerate() {
        let comma = if syntax.between() == "," { ",\n" } else { "\n " };
        let before = if std::mem::take(&mut first) { "" } else { comma };
        write!(out, "{before}{}", map(event, index, syntax))?;
    }
    out.write_all(b"]\n")
}

fn header(history: &History, initial: &Value, syntax: &dyn Syntax) -> Option<String> {
    let mut fields = Vec::new();
    if let Some(about) = history.about() {
        let mut text = syntax.field("about");
        syntax.value(&about.into(), &mut text);
        fields.push(text);
    }
    if *initial != syntax.default_initial() {
        let mut text = syntax.field("initial");
        syntax.value(initial, &mut text);
        fields.push(text);
    }
    // Said either way: whether values look like pairs is otherwise a guess, and here it is known.
    if !syntax.aside().is_empty() {
        fields.push(format!("{}{}", syntax.field("independent"), syntax.tuples()));
    }
    (!fields.is_empty()).then(|| format!("{{{}}}", fields.join(syntax.between())))
}

fn map(event: &Event, index: usize, syntax: &dyn Syntax) -> String {
    let (mut value, mut result, mut differed) = (event.call.argument().unwrap_or_default(), None, false);
    let kind = match &event.kind {
        Kind::Invoke => "invoke",
        Kind::Fail => "fail",
        Kind::Info => "info",
        Kind::Ok(reply) => {
            match reply {
                // A null that was returned is a claim only if it is said twice.
                Reply::Read(seen) if *seen == Value::Null => result = Some(Value::Null),
                Reply::Read(seen) => value = seen.clone(),
                Reply::Returned(seen) if event.call.takes_nothing_and_returns() => value = seen.clone(),
                Reply::Returned(seen) => result = Some(seen.clone()),
                Reply::Txn(seen) => value = seen.iter().map(crate::event::Micro::to_value).collect(),
                Reply::Differed => differed = true,
                Reply::Written | Reply::Swapped | Reply::Done => {}
            }
            "ok"
        }
    };
    let f = match &event.call {
        Call::Other(name, _) => syntax.name(&format!("custom:{name}")),
        call => syntax.name(call.name()),
    };
    let mut fields = vec![
        format!("{}{}", syntax.field("process"), event.process),
        format!("{}{}", syntax.field("type"), syntax.name(kind)),
        format!("{}{f}", syntax.field("f")),
    ];
    if event.key != Key::None && !syntax.tuples() {
        let mut text = syntax.field("key");
        syntax.value(&event.key.clone().into(), &mut text);
        fields.push(text);
    }
    let mut text = syntax.field("value");
    match (&value, &event.call) {
        (Value::List(steps), Call::Txn(_)) => {
            text.push('[');
            for (number, step) in steps.iter().enumerate() {
                if number > 0 {
                    text.push_str(syntax.between());
                }
                syntax.step(step, &mut text);
            }
            text.push(']');
        }
        _ if syntax.tuples() => syntax.value(&[event.key.clone().into(), value].into_iter().collect(), &mut text),
        _ => syntax.value(&value, &mut text),
    }
    fields.push(text);
    if let Some(result) = result {
        let mut text = syntax.field("result");
        syntax.value(&result, &mut text);
        fields.push(text);
    }
    if differed {
        fields.push(format!("{}false", syntax.field("applied")));
    }
    if let Some(time) = event.time {
        fields.push(format!("{}{time}", syntax.field("time")));
    }
    fields.push(format!("{}{index}", syntax.field("index")));
    format!("{{{}}}", fields.join(syntax.between()))
}

fn json_string(text: &str) -> String {
    // Strings always have a form in JSON.
    serde_json::to_string(text).unwrap_or_default()
}

/// EDN's escapes are fewer than JSON's: what else is not printable stands for itself.
fn edn_string(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len() + 2);
    escaped.push('"');
    for character in text.chars() {
        match character {
            '"' => escaped.push_str("\\\""),
            '\\' => escaped.push_str("\\\\"),
            '\n' => escaped.push_str("\\n"),
            '\r' => escaped.push_str("\\r"),
            '\t' => escaped.push_str("\\t"),
            other => escaped.push(other),
        }
    }
    escaped.push('"');
    escaped
}
