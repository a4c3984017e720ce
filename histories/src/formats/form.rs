//! What EDN and JSON have in common: a piece of data, and where it stands.

use std::borrow::Cow;

use super::source::{At, Bad};
use crate::value::{Key, Value};

/// How deeply data may be nested: a little more than the native format can say. No history needs more, and a reader that calls itself for every bracket would
/// overflow its stack on a file of brackets.
pub(super) const DEEPEST: usize = 160;

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Form {
    pub(super) at: At,
    pub(super) node: Node,
}

/// The words that operation maps are made of need not be allocated a million times.
pub(super) type Text = Cow<'static, str>;

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Node {
    Nil,
    Bool(bool),
    Int(i64),
    /// A number that is no 64-bit integer, as it is written.
    Number(String),
    Str(Text),
    /// Without its colon.
    Keyword(Text),
    Symbol(String),
    /// A vector or a list.
    List(Vec<Form>),
    Set(Vec<Form>),
    Map(Vec<(Form, Form)>),
}

/// The text, borrowed if it is a word of operation maps.
pub(super) fn text_of(text: &str) -> Text {
    const WORDS: [&str; 21] = [
        "process", "type", "f", "value", "time", "index", "key", "invoke", "ok", "fail", "info", "read", "write",
        "cas", "txn", "append", "r", "w", "add", "error", "result",
    ];
    match WORDS.iter().find(|word| **word == text) {
        Some(word) => Cow::Borrowed(word),
        None => Cow::Owned(text.to_owned()),
    }
}

impl Form {
    /// The text of a keyword or a string: names are one in EDN and the other in JSON.
    pub(super) fn name(&self) -> Option<&str> {
        match &self.node {
            Node::Keyword(name) | Node::Str(name) => Some(name),
            _ => None,
        }
    }

    pub(super) fn is_nil(&self) -> bool {
        self.node == Node::Nil
    }

    /// As a value. Keywords become strings with their colon, so that `:x` and `"x"` stay two values; sets become lists in
    /// order, maps lists of pairs in order of keys.
    pub(super) fn to_value(&self) -> Result<Value, Bad> {
        Ok(match &self.node {
            Node::Nil => Value::Null,
            Node::Bool(value) => Value::Bool(*value),
            Node::Int(value) => Value::Int(*value),
            Node::Str(text) => Value::Str((&**text).into()),
            Node::Keyword(name) => Value::Str(format!(":{name}").into()),
            Node::List(forms) => forms.iter().map(Self::to_value).collect::<Result<_, _>>()?,
            Node::Set(forms) => {
                let mut members = forms.iter().map(Self::to_value).collect::<Result<Vec<_>, _>>()?;
                members.sort();
                members.into_iter().collect()
            }
            Node::Map(entries) => {
                let mut pairs = Vec::with_capacity(entries.len());
                for (key, value) in entries {
                    pairs.push((key.to_value()?, value.to_value()?));
                }
                pairs.sort();
                pairs.into_iter().map(|(key, value)| [key, value].into_iter().collect()).collect()
            }
            Node::Number(text) => {
                return Err(Bad::malformed(self.at, format!("{text} is no integer of 64 signed bits")));
            }
            Node::Symbol(text) => return Err(Bad::malformed(self.at, format!("the symbol {text} is no value"))),
        })
    }

    pub(super) fn to_key(&self) -> Result<Key, Bad> {
        let value = self.to_value()?;
        Key::try_from(value).map_err(|value| Bad::malformed(self.at, format!("{value} names no object")))
    }

    /// What it is, for a message.
    pub(super) fn kind(&self) -> &'static str {
        match &self.node {
            Node::Nil => "nil",
            Node::Bool(_) => "a truth value",
            Node::Int(_) => "an integer",
            Node::Number(_) => "a number",
            Node::Str(_) => "a string",
            Node::Keyword(_) => "a keyword",
            Node::Symbol(_) => "a symbol",
            Node::List(_) => "a list",
            Node::Set(_) => "a set",
            Node::Map(_) => "a map",
        }
    }
}
