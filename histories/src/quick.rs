//! The short way through a line that has the shape which [`Recorder`](crate::Recorder) writes.
//!
//! Fields in the order of the documentation, no space between them, strings of printable ASCII without escapes, integers
//! of at most eighteen digits. Whatever else a line is, right or wrong, the answer is `None`, and the long way (`line.rs`)
//! reads or refuses it: no error is made here, so there is one place that words them. A test holds both ways against
//! each other on right and on mangled lines.

use std::borrow::Cow;
use std::sync::Arc;

use crate::event::{Call, Event, Kind, Reply};
use crate::line::{Line, Type};
use crate::value::{Key, Value};

/// Reads lines, and remembers the strings that it has met lately.
#[derive(Default)]
pub(crate) struct Quick {
    strings: Strings,
}

/// What a line gives as `value`.
enum Given {
    Nothing,
    One(Value),
    Pair(Value, Value),
}

impl Quick {
    /// The event that `line`, without its line feed, is; none if it takes the long way to find out.
    pub(crate) fn event(&mut self, line: &[u8]) -> Option<Event> {
        let mut rest = Rest(line);
        rest.expect(b"{\"process\":")?;
        let process = rest.unsigned()?;
        rest.expect(b",\"type\":\"")?;
        let kind = match rest.word()? {
            b"invoke" => Type::Invoke,
            b"ok" => Type::Ok,
            b"fail" => Type::Fail,
            b"info" => Type::Info,
            _ => return None,
        };
        rest.expect(b",\"f\":\"")?;
        let f = rest.word()?;
        let key = if rest.skip(b",\"key\":") { self.key(&mut rest)? } else { Key::None };
        let value = if rest.skip(b",\"value\":") { self.given(&mut rest, f)? } else { Given::Nothing };
        let applied = if rest.skip(b",\"applied\":") { Some(rest.truth()?) } else { None };
        let result = if rest.skip(b",\"result\":") { Some(self.value(&mut rest, 0)?) } else { None };
        let time = if rest.skip(b",\"time\":") { Some(rest.unsigned()?) } else { None };
        if rest.0 != b"}" {
            return None;
        }
        let (call, kind) = match (f, value, applied, &result) {
            (b"read", value, None, None) => read(kind, value)?,
            (b"write", Given::One(value), None, None) => (Call::Write(value), ended(kind, Reply::Written)),
            (b"cas", Given::Pair(old, new), None, None) => (Call::Cas { old, new }, ended(kind, Reply::Swapped)),
            (b"cas", Given::Pair(old, new), Some(false), None) if kind == Type::Ok => {
                (Call::Cas { old, new }, Kind::Ok(Reply::Differed))
            }
            (_, value, applied, _) => {
                let f = Cow::Borrowed(std::str::from_utf8(f).ok()?);
                let value = match value {
                    Given::Nothing => None,
                    Given::One(value) => Some(value),
                    Given::Pair(old, new) => Some([old, new].into_iter().collect()),
                };
                return Line { process, kind, f, key, value, applied, result, time }.into_event().ok();
            }
        };
        Some(Event { process, kind, call, key, time })
    }

    fn key(&mut self, rest: &mut Rest<'_>) -> Option<Key> {
        match rest.0.first()? {
            b'"' => Some(Key::Str(self.string(rest)?)),
            _ => rest.integer().map(Key::Int),
        }
    }

    /// A pair becomes no list where it is taken apart again at once.
    fn given(&mut self, rest: &mut Rest<'_>, f: &[u8]) -> Option<Given> {
        if f != b"cas" {
            return self.value(rest, 0).map(Given::One);
        }
        rest.expect(b"[")?;
        let old = self.value(rest, 1)?;
        rest.expect(b",")?;
        let new = self.value(rest, 1)?;
        rest.expect(b"]")?;
        Some(Given::Pair(old, new))
    }

    fn value(&mut self, rest: &mut Rest<'_>, depth: usize) -> Option<Value> {
        match rest.0.first()? {
            b'"' => Some(Value::Str(self.string(rest)?)),
            b'n' => rest.expect(b"null").map(|()| Value::Null),
            b't' | b'f' => rest.truth().map(Value::Bool),
            b'[' if depth < DEPTH => self.list(rest, depth + 1),
            _ => rest.integer().map(Value::Int),
        }
    }

    fn list(&mut self, rest: &mut Rest<'_>, depth: usize) -> Option<Value> {
        rest.expect(b"[")?;
        let mut values = Vec::new();
        if !rest.skip(b"]") {
            loop {
                values.push(self.value(rest, depth)?);
                if !rest.skip(b",") {
                    break;
                }
            }
            rest.expect(b"]")?;
        }
        Some(Value::List(values.into()))
    }

    fn string(&mut self, rest: &mut Rest<'_>) -> Option<Arc<str>> {
        rest.expect(b"\"")?;
        let text = rest.plain()?;
        self.strings.shared(text)
    }
}

/// Deeper lists are rare, and the long way knows where to stop.
const DEPTH: usize = 16;

fn ended(kind: Type, reply: Reply) -> Kind {
    match kind {
        Type::Invoke => Kind::Invoke,
        Type::Ok => Kind::Ok(reply),
        Type::Fail => Kind::Fail,
        Type::Info => Kind::Info,
    }
}

fn read(kind: Type, value: Given) -> Option<(Call, Kind)> {
    match (kind, value) {
        (Type::Ok, Given::One(seen)) => Some((Call::Read, Kind::Ok(Reply::Read(seen)))),
        (Type::Invoke | Type::Fail | Type::Info, Given::Nothing | Given::One(Value::Null)) => {
            Some((Call::Read, ended(kind, Reply::Read(Value::Null))))
        }
        _ => None,
    }
}

/// What is left of a line. Where a method answers `None`, or `skip` false, the line is not of the common shape; what is
/// left does not matter then.
pub(crate) struct Rest<'a>(pub(crate) &'a [u8]);

impl<'a> Rest<'a> {
    #[inline]
    pub(crate) fn expect<const N: usize>(&mut self, prefix: &[u8; N]) -> Option<()> {
        self.0 = self.0.strip_prefix(prefix)?;
        Some(())
    }

    #[inline]
    pub(crate) fn skip<const N: usize>(&mut self, prefix: &[u8; N]) -> bool {
        self.expect(prefix).is_some()
    }

    /// Lowercase letters and dashes, up to the quote behind them.
    #[inline]
    fn word(&mut self) -> Option<&'a [u8]> {
        let length = self.0.iter().position(|byte| !matches!(byte, b'a'..=b'z' | b'-'))?;
        let (word, after) = self.0.split_at(length);
        self.0 = after;
        self.expect(b"\"")?;
        Some(word)
    }

    /// Printable ASCII without escapes, up to the quote behind it.
    #[inline]
    pub(crate) fn plain(&mut self) -> Option<&'a [u8]> {
        let plain = |byte: &u8| matches!(byte, b' '..=b'~') && *byte != b'"' && *byte != b'\\';
        let length = self.0.iter().position(|byte| !plain(byte))?;
        let (text, after) = self.0.split_at(length);
        self.0 = after;
        self.expect(b"\"")?;
        Some(text)
    }

    pub(crate) fn truth(&mut self) -> Option<bool> {
        if self.skip(b"true") {
            return Some(true);
        }
        self.expect(b"false").map(|()| false)
    }

    /// Nineteen digits always fit into 64 bits without sign, and nanoseconds since 1970 have nineteen.
    #[inline]
    pub(crate) fn unsigned(&mut self) -> Option<u64> {
        self.digits(19)
    }

    /// Not `-0`, which JSON has and the format does not: it reads as a float.
    pub(crate) fn integer(&mut self) -> Option<i64> {
        let negative = self.skip(b"-");
        let magnitude = i64::try_from(self.digits(18)?).ok()?;
        match (negative, magnitude) {
            (true, 0) => None,
            (true, magnitude) => Some(-magnitude),
            (false, magnitude) => Some(magnitude),
        }
    }

    /// At least one digit and at most `most`, without a leading zero. A fraction or an exponent behind them is for the
    /// caller to find, who expects something else there.
    #[inline]
    fn digits(&mut self, most: usize) -> Option<u64> {
        let mut number = 0u64;
        let mut length = 0;
        while let Some(digit) = self.0.get(length).map(|byte| byte.wrapping_sub(b'0')).filter(|digit| *digit < 10) {
            if length == most {
                return None;
            }
            // Nineteen nines are less than 2^64: no step can overflow.
            number = number.wrapping_mul(10).wrapping_add(u64::from(digit));
            length += 1;
        }
        let leading_zero = length > 1 && self.0[0] == b'0';
        self.0 = &self.0[length..];
        (length > 0 && !leading_zero).then_some(number)
    }
}

/// Strings met lately, one a slot: the names of keys come again and again. The memory is bounded whatever the file has.
#[derive(Default)]
pub(crate) struct Strings {
    slots: Vec<Option<Arc<str>>>,
}

const SLOTS: usize = 1 << 12;
/// A longer string is seldom met twice.
const SHARED: usize = 40;

impl Strings {
    /// `text` is ASCII, or there is nothing to share.
    pub(crate) fn shared(&mut self, text: &[u8]) -> Option<Arc<str>> {
        let text = std::str::from_utf8(text).ok()?;
        if text.len() > SHARED {
            return Some(text.into());
        }
        if self.slots.is_empty() {
            self.slots.resize(SLOTS, None);
        }
        let slot = &mut self.slots[slot_of(text)];
        match slot {
            Some(known) if **known == *text => Some(known.clone()),
            _ => Some(slot.insert(text.into()).clone()),
        }
    }
}

/// FNV-1a, folded. Two strings that fall together cost an allocation, no more.
fn slot_of(text: &str) -> usize {
    let hash = text
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3));
    (hash ^ (hash >> 32)) as usize % SLOTS
}
