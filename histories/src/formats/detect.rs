//! Which format a file has, by what stands in it. Its name says nothing: `.log`, `.txt` and `.json` are all used for several.

use serde_json::Value as Json;

use super::form::{Form, Node};
use super::source::Source;
use super::{Format, columns, edn, json, porcupine};

/// Fields that Jepsen's maps have and the native format does not.
const JEPSEN: [&str; 3] = ["index", "error", "exception"];

/// From the beginning of a file; the error says what was looked for. `whole` is whether nothing follows.
pub(super) fn detect(sample: &[u8], whole: bool) -> Result<Format, String> {
    let text = String::from_utf8_lossy(sample);
    let text = text.trim_start_matches('\u{feff}');
    let start = text.trim_start();
    let Some(first) = start.chars().next() else {
        // Nothing: an empty history in any format. What follows a whole buffer of blanks is anybody's guess.
        return if whole { Ok(Format::Native) } else { Err(unknown(start)) };
    };
    let line = start.lines().next().unwrap_or_default().trim_end();
    if log_line(start) {
        return Ok(Format::PorcupineEtcd);
    }
    if start.lines().find(|line| !line.starts_with('#')).is_some_and(columns::is_header) {
        return Ok(Format::Columns);
    }
    if line.starts_with("r(") || line.starts_with("w(") {
        return Ok(Format::Plume);
    }
    if awdit_line(line) {
        return Ok(Format::Awdit);
    }
    match first {
        '{' if json_follows(&start[1..]) => Ok(object(start)),
        '[' => {
            let inside = start[1..].trim_start();
            let object = inside.strip_prefix('{').is_some_and(json_follows);
            // Of no elements, which both languages write alike.
            let empty = inside.trim_end() == "]";
            if object || empty { Ok(Format::Json) } else { edn_or(start) }
        }
        '{' | '(' | ';' | '#' => edn_or(start),
        _ => Err(unknown(line)),
    }
}

/// Whether the text behind a `{` goes on as JSON does and EDN with keywords does not.
fn json_follows(inside: &str) -> bool {
    inside.trim_start().starts_with('"')
}

fn log_line(text: &str) -> bool {
    let mut lines = text.lines().take(100).filter(|line| line.contains(porcupine::MARK));
    lines.next().is_some_and(|line| line.contains(":invoke") || line.contains(":info"))
        && !text.starts_with(['{', '[', '('])
}

fn awdit_line(line: &str) -> bool {
    let mut words = line.split_whitespace();
    let operation = matches!(words.next(), Some("r" | "w"));
    let numbers = words.clone().count() == 2 && words.all(|word| word.parse::<i64>().is_ok());
    let ruler = line.len() >= 3 && (line.chars().all(|c| c == '-') || line.chars().all(|c| c == '='));
    operation && numbers || ruler
}

/// Objects, one after the other. Native unless one has what only Jepsen writes: a field that nobody knows is a misspelt one of
/// the native format, and must not be read past.
fn object(text: &str) -> Format {
    let mut parser = json::Parser::new(Source::new(text.as_bytes()));
    // The last one may be cut off by the end of the sample.
    while let Ok(Some(form)) = parser.next() {
        let Node::Map(entries) = &form.node else { continue };
        let has = |name: &str| entries.iter().any(|(key, _)| key.name() == Some(name));
        if has("ClientId") && has("Input") {
            return Format::Etcd;
        }
        let process = entries.iter().find(|(key, _)| key.name() == Some("process")).map(|(_, value)| &value.node);
        let stranger = matches!(process, Some(Node::Str(_) | Node::Nil));
        if stranger || JEPSEN.iter().any(|name| has(name)) {
            return Format::Json;
        }
    }
    match serde_json::from_str::<Json>(text) {
        // One object over many lines is no line of the native format.
        Ok(Json::Object(_)) if text.trim_end().contains('\n') => Format::Json,
        _ => Format::Native,
    }
}

/// EDN, if it begins like a history in it.
fn edn_or(text: &str) -> Result<Format, String> {
    let mut parser = edn::Parser::new(Source::new(text.as_bytes()));
    let first = match parser.enter() {
        Ok(Some(end)) => parser.next_in(end),
        Ok(None) => parser.next(),
        Err(bad) => Err(bad),
    };
    match first {
        Ok(Some(Form { node: Node::Map(entries), .. })) => {
            let has =
                |name: &str| entries.iter().any(|(key, _)| matches!(&key.node, Node::Keyword(own) if own == name));
            if !has("type") {
                return Err(unknown(text.lines().next().unwrap_or_default()));
            }
            let f = entries.iter().find(|(key, _)| key.name() == Some("f")).and_then(|(_, value)| value.name());
            // An append with a key is in both, but the header of our own EDN is not.
            let own = parser.discarded().is_some_and(|form| matches!(form.node, Node::Map(_)));
            let key_value = !own && has("key") && matches!(f, Some("get" | "put" | "append"));
            Ok(if key_value { Format::PorcupineKv } else { Format::Edn })
        }
        Ok(Some(_)) => Err(unknown(text.lines().next().unwrap_or_default())),
        // No form, or a torn or broken one: the reader says where.
        Ok(None) | Err(_) => Ok(Format::Edn),
    }
}

fn unknown(line: &str) -> String {
    let shown: String = line.chars().take(40).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
    let names: Vec<&str> = Format::ALL.iter().map(|format| format.name()).collect();
    format!("it begins with {shown:?}; say which with --format: {}", names.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_content_decides() {
        let cases = [
            ("", Format::Native),
            ("{\"about\":\"x\"}\n", Format::Native),
            ("{\"process\":0,\"type\":\"invoke\",\"f\":\"read\"}\n", Format::Native),
            ("{\"process\":0,\"type\":\"invoke\",\"f\":\"read\",\"index\":0}\n", Format::Json),
            (
                "{\"process\":0,\"type\":\"invoke\",\"f\":\"read\"}\n{\"process\":\"nemesis\",\"type\":\"info\"}\n",
                Format::Json,
            ),
            ("{\"process\":0,\"type\":\"ok\",\"f\":\"cas\",\"applid\":false}\n", Format::Native),
            ("[{\"process\":0}]", Format::Json),
            ("[]", Format::Json),
            ("[ {:process 0, :type :invoke, :f :read}]", Format::Edn),
            ("; comment\n({:type :invoke :f :append :value [1 2]})", Format::Edn),
            ("#_{:about 1}\n{:type :invoke :f :read, :key 1}", Format::Edn),
            ("#jepsen.history.Op{:index 0 :type :invoke}", Format::Edn),
            ("{:process 0, :type :invoke, :f :get, :key \"7\"}", Format::PorcupineKv),
            ("INFO  jepsen.util - 0\t:invoke\t:read\tnil\n", Format::PorcupineEtcd),
            ("INFO starting\nINFO  jepsen.util - 0\t:invoke\t:read\tnil\n", Format::PorcupineEtcd),
            ("{\"ClientId\":9,\"Input\":{}}", Format::Etcd),
            ("process,f,invoke,return,outcome\n", Format::Columns),
            ("# about\nf,process,key,value,invoke,return,outcome\n", Format::Columns),
            ("w 0 1\n-----\n", Format::Awdit),
            ("w(0,1,0,0)\n", Format::Plume),
        ];
        for (text, format) in cases {
            assert_eq!(detect(text.as_bytes(), true), Ok(format), "{text}");
        }
    }

    #[test]
    fn what_is_nothing_is_said_to_be_nothing() {
        for text in ["hello", "\u{0}\u{1}\u{2}", "<html>", "[1 2 3]", "{:a 1}", "42", "\"string\"", "process,what\n"] {
            assert!(detect(text.as_bytes(), true).is_err(), "{text:?}");
        }
        assert!(detect(b"   ", false).is_err());
    }
}
