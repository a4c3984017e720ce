//! JSON into the same forms as EDN, with line and column of every part, and an element of a list at a time: `serde_json`
//! knows where a value is broken, but not where a sound one stands that says something impossible.

use std::io::Read;

use super::edn::{text, unicode};
use super::form::{DEEPEST, Form, Node, Text};
use super::said::Event;
use super::shortcut::{Shortcut, Syntax};
use super::source::{At, Bad, Source};
use crate::error::Fault;

pub(super) struct Parser<R> {
    source: Source<R>,
    /// Whether a list that was entered has had an element.
    inside: bool,
    token: Vec<u8>,
}

impl<R: Read> Parser<R> {
    pub(super) fn new(source: Source<R>) -> Self {
        Self { source, inside: false, token: Vec::new() }
    }

    /// The next value outside all others; none at the end of the file.
    pub(super) fn next(&mut self) -> Result<Option<Form>, Bad> {
        self.blanks()?;
        if self.source.peek()?.is_none() {
            return Ok(None);
        }
        self.value(0).map(Some)
    }

    /// Goes into the list that stands next; false, and nothing is read, if something else does.
    pub(super) fn enter(&mut self) -> Result<bool, Bad> {
        self.blanks()?;
        let list = self.source.peek()? == Some(b'[');
        if list {
            self.source.skip();
        }
        Ok(list)
    }

    /// Whether the list that was entered goes on. The next element is then that of [`Parser::element`] or
    /// [`Parser::short`].
    pub(super) fn goes_on(&mut self) -> Result<bool, Bad> {
        let another = self.another(b']', self.inside)?;
        self.inside = true;
        Ok(another)
    }

    pub(super) fn element(&mut self) -> Result<Form, Bad> {
        self.value(1)
    }

    /// The event that the map at this place is, where the short way knows it. Otherwise nothing but blanks is read.
    pub(super) fn short(&mut self, shortcut: &mut Shortcut) -> Result<Option<Event>, Bad> {
        self.blanks()?;
        let at = self.source.at();
        let Some((event, length)) = shortcut.event(Syntax::Json, self.source.ahead()?, at) else {
            return Ok(None);
        };
        self.source.pass(length);
        Ok(Some(event))
    }

    pub(super) fn at(&self) -> At {
        self.source.at()
    }

    fn blanks(&mut self) -> Result<(), Bad> {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.source.peek()? {
            self.source.skip();
        }
        Ok(())
    }

    /// Whether another element follows before `end`; goes past the comma, or the end.
    fn another(&mut self, end: u8, inside: bool) -> Result<bool, Bad> {
        self.blanks()?;
        let at = self.source.at();
        match self.source.peek()? {
            Some(byte) if byte == end => {
                self.source.skip();
                Ok(false)
            }
            Some(b',') if inside => {
                self.source.skip();
                self.blanks()?;
                Ok(true)
            }
            Some(_) if !inside => Ok(true),
            Some(_) => Err(wrong(at, &format!("expected `,` or `{}`", char::from(end)))),
            None => Err(Bad { at, fault: Fault::Truncated("a bracket is not closed") }),
        }
    }

    fn value(&mut self, depth: usize) -> Result<Form, Bad> {
        let at = self.source.at();
        if depth > DEEPEST {
            return Err(Bad::malformed(at, format!("nested more than {DEEPEST} deep")));
        }
        let node = match self.source.peek()? {
            None => return Err(Bad { at, fault: Fault::Truncated("a value is missing") }),
            Some(b'"') => {
                self.source.skip();
                Node::Str(self.string(at)?)
            }
            Some(b'[') => {
                self.source.skip();
                let mut forms = Vec::new();
                while self.another(b']', !forms.is_empty())? {
                    forms.push(self.value(depth + 1)?);
                }
                Node::List(forms)
            }
            Some(b'{') => {
                self.source.skip();
                Node::Map(self.entries(depth)?)
            }
            Some(b'-' | b'0'..=b'9') => self.number(at)?,
            Some(b'a'..=b'z') => self.word(at)?,
            Some(_) => return Err(wrong(at, "expected a value")),
        };
        Ok(Form { at, node })
    }

    fn entries(&mut self, depth: usize) -> Result<Vec<(Form, Form)>, Bad> {
        let mut entries = Vec::new();
        while self.another(b'}', !entries.is_empty())? {
            let at = self.source.at();
            match self.source.peek()? {
                Some(b'"') => self.source.skip(),
                None => return Err(Bad { at, fault: Fault::Truncated("a bracket is not closed") }),
                Some(_) => return Err(wrong(at, "expected a string")),
            }
            let key = Form { at, node: Node::Str(self.string(at)?) };
            self.blanks()?;
            let at = self.source.at();
            match self.source.next()? {
                Some(b':') => {}
                None => return Err(Bad { at, fault: Fault::Truncated("a value is missing") }),
                Some(_) => return Err(wrong(at, "expected `:`")),
            }
            self.blanks()?;
            entries.push((key, self.value(depth + 1)?));
        }
        Ok(entries)
    }

    fn string(&mut self, at: At) -> Result<Text, Bad> {
        self.token.clear();
        loop {
            self.source.take_while(&mut self.token, |byte| byte != b'"' && byte != b'\\' && byte >= 0x20)?;
            let here = self.source.at();
            match self.source.next()? {
                None => return Err(Bad { at, fault: Fault::Truncated("a string is not closed") }),
                Some(b'"') => return text(&self.token, at),
                Some(b'\\') => {
                    let character = match self.source.next()? {
                        None => return Err(Bad { at, fault: Fault::Truncated("a string is not closed") }),
                        Some(b't') => '\t',
                        Some(b'r') => '\r',
                        Some(b'n') => '\n',
                        Some(b'b') => '\u{8}',
                        Some(b'f') => '\u{c}',
                        Some(byte @ (b'\\' | b'"' | b'/')) => char::from(byte),
                        Some(b'u') => unicode(&mut self.source, here)?,
                        Some(_) => return Err(wrong(here, "unknown escape in a string")),
                    };
                    self.token.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
                }
                Some(_) => return Err(wrong(here, "a control character in a string")),
            }
        }
    }

    fn number(&mut self, at: At) -> Result<Node, Bad> {
        let token = self.token(|byte| matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E'))?;
        if let Ok(value) = token.parse() {
            return Ok(Node::Int(value));
        }
        match token.parse::<f64>() {
            Ok(_) => Ok(Node::Number(token.to_owned())),
            Err(_) => Err(wrong(at, &format!("{token:?} is no number"))),
        }
    }

    fn word(&mut self, at: At) -> Result<Node, Bad> {
        let word = self.token(|byte| byte.is_ascii_alphanumeric())?;
        match word {
            "null" => Ok(Node::Nil),
            "true" => Ok(Node::Bool(true)),
            "false" => Ok(Node::Bool(false)),
            _ => {
                let begun = ["null", "true", "false"].iter().any(|whole| whole.starts_with(word));
                let unknown = wrong(at, &format!("unknown word {word:?}"));
                let torn = begun && self.source.peek()?.is_none();
                Err(if torn { Bad { at, fault: Fault::Truncated("a word is not finished") } } else { unknown })
            }
        }
    }

    fn token(&mut self, belongs: impl Fn(u8) -> bool) -> Result<&str, Bad> {
        self.token.clear();
        self.source.take_while(&mut self.token, belongs)?;
        std::str::from_utf8(&self.token).map_err(|_| Bad { at: self.source.at(), fault: Fault::NotUtf8 })
    }
}

fn wrong(at: At, reason: &str) -> Bad {
    Bad { at, fault: Fault::NotJson(reason.into()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(text: &str) -> Result<Form, String> {
        let mut parser = Parser::new(Source::new(text.as_bytes()));
        match parser.next() {
            Ok(form) => Ok(form.unwrap()),
            Err(bad) => Err(format!("{}:{}: {}", bad.at.line, bad.at.column, bad.fault)),
        }
    }

    #[test]
    fn values() {
        let form = one(" {\"a\" : [1, -2.5, null, true, \"x\\u00e9\\n\"], \"b\":{}} ").unwrap();
        let Node::Map(entries) = form.node else { panic!("a map") };
        let Node::List(list) = &entries[0].1.node else { panic!("a list") };
        let nodes: Vec<&Node> = list.iter().map(|form| &form.node).collect();
        assert_eq!(*nodes[0], Node::Int(1));
        assert_eq!(*nodes[1], Node::Number("-2.5".into()));
        assert_eq!(*nodes[4], Node::Str("xé\n".into()));
        assert_eq!(list[1].at, At { line: 1, column: 13 });
    }

    #[test]
    fn what_is_wrong_and_where() {
        let reason = |text: &str| one(text).unwrap_err();
        assert_eq!(reason("[1\n 2]"), "2:2: not JSON: expected `,` or `]`");
        assert_eq!(reason("{\"a\" 1}"), "1:6: not JSON: expected `:`");
        assert_eq!(reason("{\"a\":1,}"), "1:8: not JSON: expected a string");
        assert_eq!(reason("[1,]"), "1:4: not JSON: expected a value");
        assert_eq!(reason("[1,"), "1:4: truncated: a value is missing");
        assert_eq!(reason("{\"a\":\"b"), "1:6: truncated: a string is not closed");
        assert_eq!(reason("nul"), "1:1: truncated: a word is not finished");
        assert_eq!(reason("nil"), "1:1: not JSON: unknown word \"nil\"");
        assert_eq!(reason("--1"), "1:1: not JSON: \"--1\" is no number");
        assert_eq!(reason(&"[".repeat(1_000_000)), "1:162: nested more than 160 deep");
        assert_eq!(reason(&"{\"a\":".repeat(1_000_000)), "1:806: nested more than 160 deep");
    }
}
