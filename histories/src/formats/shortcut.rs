//! The short way through an operation map of the common shape, in EDN or JSON: straight into an event, without a tree of
//! forms.
//!
//! On one line, strings of printable ASCII without escapes, integers of at most eighteen digits, vectors no deeper than
//! [`DEPTH`], `type` and `f` before `value`. Whatever else a map is, right or wrong, the answer is `None`, and the long
//! way (`jepsen.rs`) reads or refuses it: no error is made here. Tests and the fuzz targets hold both ways against each
//! other.

use super::said::{Event, F, Kind};
use super::source::At;
use crate::quick::{Rest, Strings};
use crate::value::{Key, Value};

/// Deeper vectors are rare, and the long way knows where to stop.
const DEPTH: usize = 16;

/// Reads maps, and remembers the strings that it has met lately.
#[derive(Default)]
pub(super) struct Shortcut {
    strings: Strings,
}

/// How the two languages write a map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Syntax {
    Edn,
    Json,
}

/// Fields met so far. Absent and nil are told apart where the long way does.
#[derive(Default)]
struct Fields {
    process: Option<Option<u64>>,
    kind: Option<Kind>,
    f: Option<F>,
    value: Option<Option<Value>>,
    key: Option<Key>,
    result: Option<Value>,
    applied: Option<bool>,
    index: Option<Option<u64>>,
    time: Option<Option<u64>>,
}

/// Puts `value` where nothing is yet: a field that occurs twice is for the long way to refuse.
fn once<T>(slot: &mut Option<T>, value: T) -> Option<()> {
    slot.replace(value).is_none().then_some(())
}

impl Shortcut {
    /// The event that the map at the start of `bytes` is, and how many bytes the map takes.
    pub(super) fn event(&mut self, syntax: Syntax, bytes: &[u8], at: At) -> Option<(Event, usize)> {
        let mut map = Map { rest: Rest(bytes), syntax, strings: &mut self.strings };
        let fields = map.fields()?;
        let length = bytes.len() - map.rest.0.len();
        let kind = fields.kind?;
        let claims = matches!(kind, Kind::Invoke | Kind::Ok);
        let event = Event {
            at,
            process: fields.process.flatten(),
            kind,
            value: fields.value.flatten().filter(|_| claims),
            is_map: false,
            f: fields.f?,
            key: fields.key,
            result: fields.result.filter(|_| kind == Kind::Ok),
            differed: fields.applied == Some(false),
            index: fields.index.flatten(),
            time: fields.time.flatten(),
        };
        Some((event, length))
    }
}

/// What is left of the bytes. Where a method answers `None` the map is not of the common shape, and what is left does not
/// matter then.
struct Map<'a, 'b> {
    rest: Rest<'a>,
    syntax: Syntax,
    strings: &'b mut Strings,
}

impl<'a> Map<'a, '_> {
    fn fields(&mut self) -> Option<Fields> {
        if self.syntax == Syntax::Edn {
            self.rest.skip(b"#jepsen.history.Op");
        }
        self.rest.expect(b"{")?;
        let mut fields = Fields::default();
        let mut begun = false;
        loop {
            self.blanks();
            if self.rest.skip(b"}") {
                return Some(fields);
            }
            if begun && self.syntax == Syntax::Json {
                self.rest.expect(b",")?;
                self.blanks();
            }
            begun = true;
            let name = self.name()?;
            self.blanks();
            if self.syntax == Syntax::Json {
                self.rest.expect(b":")?;
                self.blanks();
            }
            match name {
                b"process" => once(&mut fields.process, self.unsigned()?)?,
                b"type" => once(&mut fields.kind, self.kind()?)?,
                b"f" => once(&mut fields.f, F::of(std::str::from_utf8(self.name()?).ok()?)?)?,
                b"value" => {
                    let value = self.argument(fields.f.as_ref()?, fields.kind?)?;
                    once(&mut fields.value, value)?;
                }
                b"key" => once(&mut fields.key, Key::try_from(self.value(0)?).ok()?)?,
                b"result" => once(&mut fields.result, self.value(0)?)?,
                b"applied" => match self.value(0)? {
                    Value::Bool(applied) => once(&mut fields.applied, applied)?,
                    _ => return None,
                },
                b"index" => once(&mut fields.index, self.unsigned()?)?,
                b"time" => once(&mut fields.time, self.unsigned()?)?,
                // Nobody looks at it.
                _ => drop(self.value(0)?),
            }
        }
    }

    #[inline]
    fn blanks(&mut self) {
        let blank = |byte: &u8| match self.syntax {
            Syntax::Edn => matches!(byte, b' ' | b',' | b'\t'),
            Syntax::Json => matches!(byte, b' ' | b'\t'),
        };
        let length = self.rest.0.iter().position(|byte| !blank(byte)).unwrap_or(self.rest.0.len());
        self.rest.0 = &self.rest.0[length..];
    }

    /// A keyword in EDN, without its colon, or a string in JSON.
    #[inline]
    fn name(&mut self) -> Option<&'a [u8]> {
        match self.syntax {
            Syntax::Json => {
                self.rest.expect(b"\"")?;
                self.rest.plain()
            }
            Syntax::Edn => {
                self.rest.expect(b":")?;
                let part =
                    |byte: &u8| matches!(byte, b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b':');
                let length = self.rest.0.iter().position(|byte| !part(byte))?;
                let (name, after) = self.rest.0.split_at(length);
                self.rest.0 = after;
                (length > 0 && self.ended()).then_some(name)
            }
        }
    }

    /// Whether what stands next ends a number, a word or a keyword.
    #[inline]
    fn ended(&self) -> bool {
        matches!(self.rest.0.first(), Some(b' ' | b',' | b'\t' | b'}' | b']'))
    }

    fn kind(&mut self) -> Option<Kind> {
        match self.name()? {
            b"invoke" => Some(Kind::Invoke),
            b"ok" => Some(Kind::Ok),
            b"fail" => Some(Kind::Fail),
            b"info" => Some(Kind::Info),
            _ => None,
        }
    }

    /// An integer from 0 on, or none for nil.
    #[inline]
    fn unsigned(&mut self) -> Option<Option<u64>> {
        let number = match self.rest.0.first()? {
            b'n' => {
                self.nil()?;
                None
            }
            _ => Some(self.rest.unsigned()?),
        };
        self.ended().then_some(number)
    }

    fn nil(&mut self) -> Option<()> {
        match self.syntax {
            Syntax::Edn => self.rest.expect(b"nil"),
            Syntax::Json => self.rest.expect(b"null"),
        }
    }

    /// The value as `jepsen::argument` takes it.
    fn argument(&mut self, f: &F, kind: Kind) -> Option<Option<Value>> {
        match f {
            // Of what is not looked at, only the end is of interest.
            F::Txn if matches!(kind, Kind::Invoke | Kind::Ok) && self.rest.0.first() == Some(&b'[') => {
                self.steps().map(Some)
            }
            F::Acquire | F::Release => self.value(0).map(|_| None),
            _ => self.value(0).map(Some),
        }
    }

    fn steps(&mut self) -> Option<Value> {
        self.list(|map| {
            map.rest.expect(b"[")?;
            map.blanks();
            let name = match map.name()? {
                name @ (b"r" | b"w" | b"append") => map.strings.shared(name)?,
                _ => return None,
            };
            map.between()?;
            let key = map.value(1)?;
            map.between()?;
            let value = map.value(1)?;
            map.blanks();
            map.rest.expect(b"]")?;
            matches!(key, Value::Int(_) | Value::Str(_)).then(|| [Value::Str(name), key, value].into_iter().collect())
        })
    }

    /// What stands between two members of a vector. Of EDN the name or number in front has looked that there is something.
    fn between(&mut self) -> Option<()> {
        self.blanks();
        if self.syntax == Syntax::Json {
            self.rest.expect(b",")?;
            self.blanks();
        }
        Some(())
    }

    fn value(&mut self, depth: usize) -> Option<Value> {
        match self.rest.0.first()? {
            b'"' => {
                self.rest.expect(b"\"")?;
                let text = self.rest.plain()?;
                self.strings.shared(text).map(Value::Str)
            }
            b'[' if depth < DEPTH => self.list(|map| map.value(depth + 1)),
            b':' if self.syntax == Syntax::Edn => {
                let whole = self.rest.0;
                let length = 1 + self.name()?.len();
                self.strings.shared(&whole[..length]).map(Value::Str)
            }
            b'n' => {
                self.nil()?;
                self.ended().then_some(Value::Null)
            }
            b't' | b'f' => {
                let value = self.rest.truth()?;
                self.ended().then_some(Value::Bool(value))
            }
            _ => {
                let value = self.rest.integer()?;
                self.ended().then_some(Value::Int(value))
            }
        }
    }

    fn list(&mut self, mut member: impl FnMut(&mut Self) -> Option<Value>) -> Option<Value> {
        self.rest.expect(b"[")?;
        let mut members = Vec::new();
        loop {
            self.blanks();
            if self.rest.skip(b"]") {
                return Some(Value::List(members.into()));
            }
            if self.syntax == Syntax::Json && !members.is_empty() {
                self.rest.expect(b",")?;
                self.blanks();
            }
            members.push(member(self)?);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(syntax: Syntax, text: &str) -> Option<(Event, usize)> {
        Shortcut::default().event(syntax, text.as_bytes(), At { line: 1, column: 1 })
    }

    /// Were the short way never taken, all tests that hold it against the long one would pass.
    #[test]
    fn what_is_commonly_written_goes_the_short_way() {
        let edn = [
            "{:process 0, :type :invoke, :f :read, :value nil, :time 5, :index 0}",
            "{:index 0 :time 5 :type :invoke, :process 12, :f :cas, :value [1 2]}",
            "#jepsen.history.Op{:index 3, :time 1234567890123456789, :type :ok, :process 0, :f :read, :value [\"k\" nil]}",
            "{:process 0, :type :info, :f :write, :value 3, :error :timed-out}",
            "{:process 0, :type :ok, :f :cas, :key :k, :value [-1 2], :applied false, :result [true \"x y\"]}",
            "{:type :ok, :f :txn, :value [[:r 1 [3 4]] [:append :x 5] [:w \"y\" nil]], :process 7}",
            "{:process 0, :type :invoke, :f :acquire, :value nil}",
            "{:process 0, :type :invoke, :f :custom:swap, :value :k}",
        ];
        let json = [
            r#"{"process":0,"type":"invoke","f":"read","key":"x","value":null,"time":5,"index":0}"#,
            r#"{ "process" : 0, "type" : "ok", "f" : "txn", "value" : [["r", 1, [3, 4]], ["append", "x", 5]] }"#,
            r#"{"type":"info","f":"cas","process":3,"value":[1,2],"error":"timeout","index":7}"#,
        ];
        for (syntax, text) in
            edn.map(|text| (Syntax::Edn, text)).into_iter().chain(json.map(|text| (Syntax::Json, text)))
        {
            let (_, length) = event(syntax, text).unwrap_or_else(|| panic!("the long way is taken for {text}"));
            assert_eq!(length, text.len());
            let behind = format!("{text}{{}}, nonsense");
            assert_eq!(event(syntax, &behind).map(|(_, length)| length), Some(text.len()), "{text}");
            for cut in 0..text.len() {
                assert!(event(syntax, &text[..cut]).is_none(), "{}", &text[..cut]);
            }
        }
    }

    #[test]
    fn what_is_not_common_is_left_to_the_long_way() {
        let edn = [
            "{:process :nemesis, :type :info, :f :start}",
            "{:process -1, :type :invoke, :f :read}",
            "{:process 0, :process 0, :type :invoke, :f :read}",
            "{:process 0, :type :invoke, :f :what}",
            "{:process 0, :type :invoke, :value 1, :f :write}",
            "{:process 0, :type :invoke, :f :write, :value 1.5}",
            "{:process 0, :type :invoke, :f :write, :value 1N}",
            "{:process 0, :type :invoke, :f :write, :value #{1}}",
            "{:process 0, :type :invoke, :f :write, :value {:a 1}}",
            "{:process 0, :type :invoke, :f :write, :value \"a\\n\"}",
            "{:process 0, :type :invoke, :f :write, :value 9223372036854775808}",
            "{:process 0, :type :invoke, :f :txn, :value [[:x 1 2]]}",
            "{:process 0, :type :invoke, :f :txn, :value [[:r nil 2]]}",
            "{:process 0, :type :invoke,\n :f :read}",
            "{:process 0, :type :invoke, :f :read ; x",
            "#other{:process 0, :type :invoke, :f :read}",
            "{:type :invoke, :value [[:r 1 2]]}",
        ];
        let json = [
            r#"{"process":0,"type":"invoke","f":"read",}"#,
            r#"{"process":0,"type":"invoke" "f":"read"}"#,
            r#"{"process":0,"type":"invoke","f":"read","value":[1,]}"#,
            r#"{"process":0,"type":"invoke","f":"write","value":-0}"#,
            r#"{"process":0,"type":"invoke","f":"write","value":nil}"#,
            r#"{"about":"x"}"#,
        ];
        for (syntax, text) in
            edn.map(|text| (Syntax::Edn, text)).into_iter().chain(json.map(|text| (Syntax::Json, text)))
        {
            assert!(event(syntax, text).is_none(), "{text}");
        }
        let deep = format!("{{:process 0, :type :invoke, :f :write, :value {}{}}}", "[".repeat(17), "]".repeat(17));
        assert!(event(Syntax::Edn, &deep).is_none());
    }
}
