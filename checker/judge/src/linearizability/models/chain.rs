//! A list that grows and shrinks at one end and shares everything else.

use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use sextant_histories::Value;

/// A persistent list: pushing and popping at its end, cloning and hashing take constant time; two lists are compared only
/// as far as they do not share their beginning.
#[derive(Clone, Default)]
pub struct Chain(Option<Arc<Link>>);

struct Link {
    value: Value,
    before: Chain,
    length: usize,
    /// Of the whole list up to here.
    hash: u64,
}

impl Chain {
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    pub fn len(&self) -> usize {
        self.0.as_ref().map_or(0, |link| link.length)
    }

    #[must_use]
    pub fn push(&self, value: Value) -> Self {
        let mut hasher = DefaultHasher::new();
        (self.hash_so_far(), &value).hash(&mut hasher);
        let link = Link { value, before: self.clone(), length: self.len() + 1, hash: hasher.finish() };
        Self(Some(Arc::new(link)))
    }

    /// The last value, and what is before it.
    pub fn pop(&self) -> Option<(&Value, &Self)> {
        self.0.as_ref().map(|link| (&link.value, &link.before))
    }

    /// From the last to the first.
    pub fn backwards(&self) -> impl Iterator<Item = &Value> {
        std::iter::successors(self.pop(), |(_, before)| before.pop()).map(|(value, _)| value)
    }

    fn hash_so_far(&self) -> u64 {
        self.0.as_ref().map_or(0, |link| link.hash)
    }

    fn is_same(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Some(own), Some(others)) => Arc::ptr_eq(own, others),
            (None, None) => true,
            _ => false,
        }
    }
}

impl PartialEq for Chain {
    fn eq(&self, other: &Self) -> bool {
        if (self.len(), self.hash_so_far()) != (other.len(), other.hash_so_far()) {
            return false;
        }
        let (mut own, mut others) = (self, other);
        while !own.is_same(others) {
            match (own.pop(), others.pop()) {
                (Some((value, before)), Some((other, before_other))) if value == other => {
                    (own, others) = (before, before_other);
                }
                _ => return false,
            }
        }
        true
    }
}

impl Eq for Chain {}

impl Hash for Chain {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.hash_so_far());
    }
}

impl fmt::Debug for Chain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut values: Vec<&Value> = self.backwards().collect();
        values.reverse();
        f.debug_list().entries(values).finish()
    }
}

/// Link by link: the derived way would recurse once a link, and a long list would overflow the stack.
impl Drop for Chain {
    fn drop(&mut self) {
        let mut next = self.0.take();
        while let Some(mut link) = next.and_then(Arc::into_inner) {
            next = link.before.0.take();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chain(values: std::ops::Range<i64>) -> Chain {
        values.fold(Chain::default(), |chain, value| chain.push(value.into()))
    }

    #[test]
    fn equal_lists_are_equal_however_they_came_about() {
        let (one, other) = (chain(0..5), chain(0..6));
        assert_eq!(&one, other.pop().unwrap().1);
        assert_ne!(one, other);
        assert_ne!(chain(0..3), chain(1..4));
        assert_eq!(one.push(7.into()), chain(0..5).push(7.into()));
        assert_ne!(one.push(7.into()), one.push(8.into()));
        assert_eq!((chain(0..0), chain(0..0).len()), (Chain::default(), 0));
        assert_eq!(one.backwards().cloned().collect::<Value>().to_string(), "[4, 3, 2, 1, 0]");
    }

    #[test]
    fn a_long_list_is_dropped_without_recursion() {
        let long = chain(0..1_000_000);
        let shared = long.push(Value::Null);
        drop(long);
        assert_eq!(shared.len(), 1_000_001);
    }
}
