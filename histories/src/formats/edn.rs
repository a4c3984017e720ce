//! EDN, as far as histories use it: all of it but characters' meaning and what tags stand for.
//!
//! Written here because the crates there are (`edn-rs`, which its authors have deprecated, and `edn-format`) build the whole
//! file in memory and do not say at which line and column it went wrong; what a history needs is smaller than an adapter.
//!
//! Commas are blanks, `;` begins a comment, `#_` takes out the form behind it, and a tagged form counts as the form:
//! `#jepsen.history.Op{...}` is a map.

use std::io::Read;

use super::form::{DEEPEST, Form, Node, Text, text_of};
use super::said::Event;
use super::shortcut::{Shortcut, Syntax};
use super::source::{At, Bad, Source};
use crate::error::Fault;

pub(super) struct Parser<R> {
    source: Source<R>,
    /// The first form that a `#_` took out, if it stood before all others: our writer puts there what EDN has no
    /// place for.
    discarded: Option<Form>,
    begun: bool,
    /// Where a `#` stands that was read to see what follows it.
    hash: Option<At>,
    token: Vec<u8>,
}

/// What stands next.
enum Item {
    Form(Form),
    /// A bracket that closes something.
    Close(u8, At),
    End(At),
}

impl<R: Read> Parser<R> {
    pub(super) fn new(source: Source<R>) -> Self {
        Self { source, discarded: None, begun: false, hash: None, token: Vec::new() }
    }

    /// The next form outside all others; none at the end of the file.
    pub(super) fn next(&mut self) -> Result<Option<Form>, Bad> {
        match self.item(0)? {
            Item::Form(form) => Ok(Some(form)),
            Item::End(_) => Ok(None),
            Item::Close(bracket, at) => Err(unmatched(bracket, at)),
        }
    }

    /// Goes into the vector or list that stands next; false, and nothing is read, if something else does. For files that
    /// are one list around all operations, which need not be in memory as a whole.
    pub(super) fn enter(&mut self) -> Result<Option<u8>, Bad> {
        loop {
            self.blanks()?;
            let at = self.source.at();
            match self.source.peek()? {
                Some(bracket @ (b'[' | b'(')) => {
                    self.begun = true;
                    self.source.skip();
                    return Ok(Some(closing(bracket)));
                }
                Some(b'#') => {
                    self.source.skip();
                    if self.source.peek()? != Some(b'_') {
                        self.hash = Some(at);
                        return Ok(None);
                    }
                    // Takes something out, and is no form.
                    self.dispatch(0, at)?;
                }
                _ => return Ok(None),
            }
        }
    }

    /// The next form in a list that was entered, none where it ends with `end`.
    pub(super) fn next_in(&mut self, end: u8) -> Result<Option<Form>, Bad> {
        match self.item(1)? {
            Item::Form(form) => Ok(Some(form)),
            Item::Close(bracket, _) if bracket == end => Ok(None),
            Item::Close(bracket, at) => Err(unmatched(bracket, at)),
            Item::End(at) => Err(Bad { at, fault: Fault::Truncated("a list is not closed") }),
        }
    }

    /// The event that the map at this place is, where the short way knows it. Otherwise nothing but blanks is read.
    pub(super) fn short(&mut self, shortcut: &mut Shortcut) -> Result<Option<Event>, Bad> {
        if self.hash.is_some() {
            return Ok(None);
        }
        self.blanks()?;
        let at = self.source.at();
        let Some((event, length)) = shortcut.event(Syntax::Edn, self.source.ahead()?, at) else {
            return Ok(None);
        };
        self.source.pass(length);
        self.begun = true;
        Ok(Some(event))
    }

    pub(super) fn discarded(&self) -> Option<&Form> {
        self.discarded.as_ref()
    }

    pub(super) fn at(&self) -> At {
        self.source.at()
    }

    /// Goes past blanks and comments.
    fn blanks(&mut self) -> Result<(), Bad> {
        while let Some(byte) = self.source.peek()? {
            match byte {
                b' ' | b'\t' | b'\n' | b'\r' | b',' | 0x0c => self.source.skip(),
                b';' => self.source.skip_line()?,
                _ => break,
            }
        }
        Ok(())
    }

    fn item(&mut self, depth: usize) -> Result<Item, Bad> {
        loop {
            if let Some(at) = self.hash.take() {
                if let Some(form) = self.dispatch(depth, at)? {
                    self.begun = true;
                    return Ok(Item::Form(form));
                }
                continue;
            }
            self.blanks()?;
            let at = self.source.at();
            let Some(byte) = self.source.peek()? else {
                return Ok(Item::End(at));
            };
            if depth > DEEPEST {
                return Err(Bad::malformed(at, format!("nested more than {DEEPEST} deep")));
            }
            let node = match byte {
                b')' | b']' | b'}' => {
                    self.source.skip();
                    return Ok(Item::Close(byte, at));
                }
                b'(' | b'[' => {
                    self.source.skip();
                    Node::List(self.forms(closing(byte), depth)?)
                }
                b'{' => {
                    self.source.skip();
                    self.map(depth, at)?
                }
                b'"' => {
                    self.source.skip();
                    Node::Str(self.string(at)?)
                }
                b'#' => {
                    self.source.skip();
                    match self.dispatch(depth, at)? {
                        Some(form) => form.node,
                        None => continue,
                    }
                }
                b'\\' => {
                    self.source.skip();
                    self.character(at)?
                }
                _ => self.atom(at)?,
            };
            self.begun = true;
            return Ok(Item::Form(Form { at, node }));
        }
    }

    fn forms(&mut self, end: u8, depth: usize) -> Result<Vec<Form>, Bad> {
        let mut forms = Vec::new();
        loop {
            match self.item(depth + 1)? {
                Item::Form(form) => forms.push(form),
                Item::Close(bracket, _) if bracket == end => return Ok(forms),
                Item::Close(bracket, at) => return Err(unmatched(bracket, at)),
                Item::End(at) => return Err(Bad { at, fault: Fault::Truncated("a bracket is not closed") }),
            }
        }
    }

    fn map(&mut self, depth: usize, at: At) -> Result<Node, Bad> {
        let mut entries = Vec::with_capacity(8);
        loop {
            let key = match self.item(depth + 1)? {
                Item::Form(form) => form,
                Item::Close(b'}', _) => return Ok(Node::Map(entries)),
                Item::Close(bracket, at) => return Err(unmatched(bracket, at)),
                Item::End(at) => return Err(Bad { at, fault: Fault::Truncated("a bracket is not closed") }),
            };
            match self.item(depth + 1)? {
                Item::Form(value) => entries.push((key, value)),
                Item::Close(b'}', _) => {
                    return Err(Bad { at, fault: Fault::NotEdn("a map has a key without a value".into()) });
                }
                Item::Close(bracket, at) => return Err(unmatched(bracket, at)),
                Item::End(at) => return Err(Bad { at, fault: Fault::Truncated("a bracket is not closed") }),
            }
        }
    }

    /// What `#` begins; none if it took something out.
    fn dispatch(&mut self, depth: usize, at: At) -> Result<Option<Form>, Bad> {
        match self.source.peek()? {
            Some(b'{') => {
                self.source.skip();
                Ok(Some(Form { at, node: Node::Set(self.forms(b'}', depth)?) }))
            }
            Some(b'_') => {
                self.source.skip();
                let first = !self.begun;
                let form = self.needed(depth, at, "`#_` with nothing behind it")?;
                if first {
                    self.discarded.get_or_insert(form);
                    self.begun = false;
                }
                Ok(None)
            }
            Some(b'#') => {
                self.source.skip();
                let Node::Symbol(name) = self.atom(at)? else {
                    return Err(Bad { at, fault: Fault::NotEdn("`##` is followed by Inf, -Inf or NaN".into()) });
                };
                Ok(Some(Form { at, node: Node::Number(format!("##{name}")) }))
            }
            _ => {
                self.read_token()?;
                if self.token.is_empty() {
                    let torn = self.source.peek()?.is_none();
                    let fault = if torn {
                        Fault::Truncated("a `#` at the end")
                    } else {
                        Fault::NotEdn("a tag has no name".into())
                    };
                    return Err(Bad { at, fault });
                }
                self.needed(depth, at, "a tag with nothing behind it").map(Some)
            }
        }
    }

    fn needed(&mut self, depth: usize, at: At, what: &'static str) -> Result<Form, Bad> {
        match self.item(depth + 1)? {
            Item::Form(form) => Ok(form),
            Item::Close(..) => Err(Bad { at, fault: Fault::NotEdn(what.into()) }),
            Item::End(_) => Err(Bad { at, fault: Fault::Truncated(what) }),
        }
    }

    fn string(&mut self, at: At) -> Result<Text, Bad> {
        self.token.clear();
        loop {
            self.source.take_while(&mut self.token, |byte| byte != b'"' && byte != b'\\')?;
            let here = self.source.at();
            match self.source.next()? {
                None => return Err(Bad { at, fault: Fault::Truncated("a string is not closed") }),
                Some(b'"') => return text(&self.token, at),
                Some(b'\\') => {
                    let character = self.escape(here)?;
                    self.token.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
                }
                Some(byte) => self.token.push(byte),
            }
        }
    }

    fn escape(&mut self, at: At) -> Result<char, Bad> {
        Ok(match self.source.next()? {
            None => return Err(Bad { at, fault: Fault::Truncated("a string is not closed") }),
            Some(b't') => '\t',
            Some(b'r') => '\r',
            Some(b'n') => '\n',
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'\\') => '\\',
            Some(b'"') => '"',
            Some(b'/') => '/',
            Some(b'u') => return unicode(&mut self.source, at),
            Some(_) => return Err(Bad { at, fault: Fault::NotEdn("unknown escape in a string".into()) }),
        })
    }

    /// A character counts as a string of it.
    fn character(&mut self, at: At) -> Result<Node, Bad> {
        // The character itself may be one that would end a token.
        let Some(first) = self.source.next()? else {
            return Err(Bad { at, fault: Fault::Truncated("a character is missing") });
        };
        self.read_token()?;
        self.token.insert(0, first);
        let name = text(&self.token, at)?;
        Ok(Node::Str(match &*name {
            "newline" => "\n".into(),
            "space" => " ".into(),
            "tab" => "\t".into(),
            "return" => "\r".into(),
            _ => name,
        }))
    }

    fn atom(&mut self, at: At) -> Result<Node, Bad> {
        self.read_token()?;
        if self.token.is_empty() {
            return Err(Bad { at, fault: Fault::NotEdn("expected a form".into()) });
        }
        let token = std::str::from_utf8(&self.token).map_err(|_| Bad { at, fault: Fault::NotUtf8 })?;
        if token.chars().any(|c| c.is_control() || c == '\u{fffd}') {
            return Err(Bad { at, fault: Fault::NotEdn("a control character".into()) });
        }
        Ok(match token {
            "nil" => Node::Nil,
            "true" => Node::Bool(true),
            "false" => Node::Bool(false),
            _ => match token.strip_prefix(':') {
                Some("") => return Err(Bad { at, fault: Fault::NotEdn("a keyword has no name".into()) }),
                Some(name) => Node::Keyword(text_of(name)),
                None => number(token, at)?.unwrap_or_else(|| Node::Symbol(token.to_owned())),
            },
        })
    }

    fn read_token(&mut self) -> Result<(), Bad> {
        self.token.clear();
        self.source.take_while(&mut self.token, |byte| {
            !matches!(byte, b' ' | b'\t' | b'\r' | b',' | 0x0c | b';' | b'"' | b'(' | b')' | b'[' | b']' | b'{' | b'}')
        })
    }
}

/// None for what does not look like a number.
fn number(token: &str, at: At) -> Result<Option<Node>, Bad> {
    let digits = token.strip_prefix(['+', '-']).unwrap_or(token);
    if !digits.starts_with(|c: char| c.is_ascii_digit()) {
        return Ok(None);
    }
    let integer = token.strip_suffix('N').unwrap_or(token);
    let body = integer.strip_prefix(['+', '-']).unwrap_or(integer);
    if body.bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok(Some(match integer.parse() {
            Ok(value) => Node::Int(value),
            Err(_) => Node::Number(token.to_owned()),
        }));
    }
    let decimal = token.strip_suffix('M').unwrap_or(token);
    let ratio = token.split_once('/');
    let is_ratio = ratio.is_some_and(|(above, below)| above.parse::<i128>().is_ok() && below.parse::<u128>().is_ok());
    if is_ratio || decimal.parse::<f64>().is_ok() {
        Ok(Some(Node::Number(token.to_owned())))
    } else {
        Err(Bad { at, fault: Fault::NotEdn(format!("{token:?} is no number")) })
    }
}

/// The four digits behind `\u`, and of a surrogate pair the second half too.
pub(super) fn unicode<R: Read>(source: &mut Source<R>, at: At) -> Result<char, Bad> {
    let wrong = |reason: &str| Bad { at, fault: Fault::Malformed(reason.into()) };
    let high = four_digits(source, at)?;
    if !(0xd800..0xe000).contains(&high) {
        return char::from_u32(high).ok_or_else(|| wrong("half a surrogate pair"));
    }
    let escaped = source.next()? == Some(b'\\') && source.next()? == Some(b'u');
    let low = if escaped { four_digits(source, at)? } else { 0 };
    if high >= 0xdc00 || !(0xdc00..0xe000).contains(&low) {
        return Err(wrong("half a surrogate pair"));
    }
    char::from_u32(0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00)).ok_or_else(|| wrong("half a surrogate pair"))
}

fn four_digits<R: Read>(source: &mut Source<R>, at: At) -> Result<u32, Bad> {
    let mut value = 0;
    for _ in 0..4 {
        let digit = match source.next()? {
            None => return Err(Bad { at, fault: Fault::Truncated("a string is not closed") }),
            Some(byte) => char::from(byte).to_digit(16),
        };
        value = value * 16 + digit.ok_or_else(|| Bad::malformed(at, "`\\u` is followed by four hexadecimal digits"))?;
    }
    Ok(value)
}

pub(super) fn text(bytes: &[u8], at: At) -> Result<Text, Bad> {
    std::str::from_utf8(bytes).map(text_of).map_err(|_| Bad { at, fault: Fault::NotUtf8 })
}

fn closing(bracket: u8) -> u8 {
    if bracket == b'(' { b')' } else { b']' }
}

fn unmatched(bracket: u8, at: At) -> Bad {
    Bad { at, fault: Fault::NotEdn(format!("`{}` closes nothing that is open", char::from(bracket))) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn forms(text: &str) -> Result<Vec<Form>, Bad> {
        let mut parser = Parser::new(Source::new(text.as_bytes()));
        let mut forms = Vec::new();
        while let Some(form) = parser.next()? {
            forms.push(form);
        }
        Ok(forms)
    }

    fn one(text: &str) -> Node {
        let forms = forms(text).unwrap();
        assert_eq!(forms.len(), 1, "{text}");
        forms.into_iter().next().unwrap().node
    }

    fn reason(text: &str) -> String {
        let bad = forms(text).unwrap_err();
        format!("{}:{}: {}", bad.at.line, bad.at.column, bad.fault)
    }

    #[test]
    fn atoms() {
        assert_eq!(one("nil"), Node::Nil);
        assert_eq!(one("-7"), Node::Int(-7));
        assert_eq!(one("+7N"), Node::Int(7));
        assert_eq!(one("1.5e3"), Node::Number("1.5e3".into()));
        assert_eq!(one("1/3"), Node::Number("1/3".into()));
        assert_eq!(one("99999999999999999999"), Node::Number("99999999999999999999".into()));
        assert_eq!(one("##Inf"), Node::Number("##Inf".into()));
        assert_eq!(one(":timed-out"), Node::Keyword("timed-out".into()));
        assert_eq!(one("a.b/c"), Node::Symbol("a.b/c".into()));
        assert_eq!(one("-"), Node::Symbol("-".into()));
        assert_eq!(one(r#""a\n\u00e9\ud83d\ude00\"""#), Node::Str("a\né😀\"".into()));
        assert_eq!(one("\\newline"), Node::Str("\n".into()));
        assert_eq!(one("\\("), Node::Str("(".into()));
    }

    #[test]
    fn blanks_comments_discards_and_tags() {
        assert_eq!(forms(" , ; nothing\n #_ {:a 1} #_#_1 2 ").unwrap(), []);
        assert!(matches!(one("#jepsen.history.Op{:a 1}"), Node::Map(entries) if entries.len() == 1));
        assert!(matches!(one("#:jepsen{:a 1}"), Node::Map(entries) if entries.len() == 1));
        assert!(matches!(one("#{1 2 3}"), Node::Set(members) if members.len() == 3));
        let mut parser = Parser::new(Source::new(&b"; x\n#_{:about 1} #_2 [3] #_4"[..]));
        assert!(parser.next().unwrap().is_some());
        assert!(parser.next().unwrap().is_none());
        assert!(matches!(&parser.discarded().unwrap().node, Node::Map(_)));
    }

    #[test]
    fn a_list_around_all_is_read_in_pieces() {
        for text in ["(1, 2 3)", "[1 2 3]; end", "#_{:a 1} ; x\n #_[] [1 #_2 2 3]"] {
            let mut parser = Parser::new(Source::new(text.as_bytes()));
            let end = parser.enter().unwrap().unwrap();
            let mut count = 0;
            while parser.next_in(end).unwrap().is_some() {
                count += 1;
            }
            assert_eq!(count, 3);
            assert!(parser.next().unwrap().is_none());
        }
        for text in ["{:a 1}", "#{1}", "#_0 #a [1]"] {
            let mut parser = Parser::new(Source::new(text.as_bytes()));
            assert_eq!(parser.enter().unwrap(), None);
            assert!(parser.next().unwrap().is_some() && parser.next().unwrap().is_none(), "{text}");
        }
    }

    #[test]
    fn what_is_wrong_and_where() {
        assert_eq!(reason("{:a 1\n  :b}"), "1:1: not EDN: a map has a key without a value");
        assert_eq!(reason("[1 2}"), "1:5: not EDN: `}` closes nothing that is open");
        assert_eq!(reason("]"), "1:1: not EDN: `]` closes nothing that is open");
        assert_eq!(reason("{:a\n \"b"), "2:2: truncated: a string is not closed");
        assert_eq!(reason("[[1]"), "1:5: truncated: a bracket is not closed");
        assert_eq!(reason("12x"), "1:1: not EDN: \"12x\" is no number");
        assert_eq!(reason(r#""\q""#), "1:2: not EDN: unknown escape in a string");
        assert_eq!(reason(r#""\ud800""#), "1:2: half a surrogate pair");
        assert_eq!(reason("#"), "1:1: truncated: a `#` at the end");
        assert_eq!(reason("[#_]"), "1:2: not EDN: `#_` with nothing behind it");
        assert_eq!(reason("\u{0}"), "1:1: not EDN: a control character");
    }

    #[test]
    fn nesting_is_bounded() {
        let deep = "[".repeat(1_000_000);
        assert_eq!(reason(&deep), "1:162: nested more than 160 deep");
        assert_eq!(reason(&"#a ".repeat(1_000_000)), "1:484: nested more than 160 deep");
        assert_eq!(reason(&"#_".repeat(1_000_000)), "1:323: nested more than 160 deep");
        assert!(forms(&format!("{}{}", "[".repeat(160), "]".repeat(160))).is_ok());
    }
}
