//! Values and keys: what the native format can say, and nothing more.

use std::fmt;
use std::sync::Arc;

use serde::de::{self, Deserialize, Deserializer, SeqAccess, Visitor};
use serde::{Serialize, Serializer};

/// What a register holds. Null is also what every key holds before its first write.
///
/// Strings are shared, because one written value turns up in many reads.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Value {
    #[default]
    Null,
    Int(i64),
    Str(Arc<str>),
}

/// What a register is called. The integer 1 and the string "1" are two keys: a recorder that mixes them up has a fault
/// that should show.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Key {
    Int(i64),
    Str(Arc<str>),
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Self::Str(value.into())
    }
}

impl From<i64> for Key {
    fn from(key: i64) -> Self {
        Self::Int(key)
    }
}

impl From<&str> for Key {
    fn from(key: &str) -> Self {
        Self::Str(key.into())
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Int(value) => write!(f, "{value}"),
            Self::Str(value) => write!(f, "{value:?}"),
        }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Int(key) => write!(f, "{key}"),
            Self::Str(key) => write!(f, "{key:?}"),
        }
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Int(value) => serializer.serialize_i64(*value),
            Self::Str(value) => serializer.serialize_str(value),
        }
    }
}

impl Serialize for Key {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Int(key) => serializer.serialize_i64(*key),
            Self::Str(key) => serializer.serialize_str(key),
        }
    }
}

/// The `value` of a line: one value, or the pair of a cas.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Payload {
    One(Value),
    Pair(Value, Value),
}

impl Serialize for Payload {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::One(value) => value.serialize(serializer),
            Self::Pair(old, new) => (old, new).serialize(serializer),
        }
    }
}

fn integer<E: de::Error>(value: u64) -> Result<i64, E> {
    i64::try_from(value).map_err(|_| E::custom(format_args!("integer {value} does not fit in 64 signed bits")))
}

/// One visitor for all three types: each refuses what it cannot hold with serde's own message and column.
struct Scalar;

impl<'de> Visitor<'de> for Scalar {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("null, an integer or a string")
    }

    fn visit_unit<E: de::Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Int(value))
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Value, E> {
        integer(value).map(Value::Int)
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<Value, E> {
        Ok(Value::Str(value.into()))
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Scalar)
    }
}

struct KeyVisitor;

impl<'de> Visitor<'de> for KeyVisitor {
    type Value = Key;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an integer or a string")
    }

    fn visit_i64<E: de::Error>(self, key: i64) -> Result<Key, E> {
        Ok(Key::Int(key))
    }

    fn visit_u64<E: de::Error>(self, key: u64) -> Result<Key, E> {
        integer(key).map(Key::Int)
    }

    fn visit_str<E: de::Error>(self, key: &str) -> Result<Key, E> {
        Ok(Key::Str(key.into()))
    }
}

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(KeyVisitor)
    }
}

struct PayloadVisitor;

impl<'de> Visitor<'de> for PayloadVisitor {
    type Value = Payload;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("null, an integer, a string or a pair of these")
    }

    fn visit_unit<E: de::Error>(self) -> Result<Payload, E> {
        Scalar.visit_unit().map(Payload::One)
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Payload, E> {
        Scalar.visit_i64(value).map(Payload::One)
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Payload, E> {
        Scalar.visit_u64(value).map(Payload::One)
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<Payload, E> {
        Scalar.visit_str(value).map(Payload::One)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut pair: A) -> Result<Payload, A::Error> {
        let mut element = |index| {
            pair.next_element::<Value>()?.ok_or_else(|| de::Error::invalid_length(index, &"the pair [old,new]"))
        };
        let (old, new) = (element(0)?, element(1)?);
        match pair.next_element::<Value>()? {
            None => Ok(Payload::Pair(old, new)),
            Some(_) => Err(de::Error::invalid_length(3, &"the pair [old,new]")),
        }
    }
}

impl<'de> Deserialize<'de> for Payload {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(PayloadVisitor)
    }
}
