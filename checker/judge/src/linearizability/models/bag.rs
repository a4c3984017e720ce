//! A sorted bag that shares what does not change.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use sextant_histories::Value;

/// A persistent multiset in ascending order: a treap whose priorities are hashes of the values, so that its depth is
/// logarithmic. Adding and removing take logarithmic time, cloning and hashing constant time.
#[derive(Clone, Default)]
pub struct Bag(Option<Arc<Node>>);

#[derive(Clone)]
struct Node {
    value: Value,
    count: u32,
    priority: u64,
    less: Bag,
    more: Bag,
    /// Of all below, itself included; independent of the order in which they came.
    hash: u64,
    length: usize,
}

impl Bag {
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    pub fn len(&self) -> usize {
        self.0.as_ref().map_or(0, |node| node.length)
    }

    pub fn contains(&self, value: &Value) -> bool {
        let mut bag = self;
        while let Some(node) = &bag.0 {
            bag = match value.cmp(&node.value) {
                Ordering::Equal => return true,
                Ordering::Less => &node.less,
                Ordering::Greater => &node.more,
            };
        }
        false
    }

    pub fn least(&self) -> Option<&Value> {
        let mut node = self.0.as_ref()?;
        while let Some(less) = &node.less.0 {
            node = less;
        }
        Some(&node.value)
    }

    /// With one `value` more.
    #[must_use]
    pub fn with(&self, value: &Value) -> Self {
        let Some(node) = &self.0 else {
            let mut hasher = DefaultHasher::new();
            value.hash(&mut hasher);
            return Self::node(value.clone(), 1, hasher.finish(), Self::default(), Self::default());
        };
        let Node { value: own, count, priority, less, more, .. } = &**node;
        match value.cmp(own) {
            Ordering::Equal => Self::node(own.clone(), count + 1, *priority, less.clone(), more.clone()),
            Ordering::Less => {
                let less = less.with(value);
                match &less.0 {
                    Some(top) if top.priority > *priority => {
                        let lower = Self::node(own.clone(), *count, *priority, top.more.clone(), more.clone());
                        top.between(top.less.clone(), lower)
                    }
                    _ => node.between(less, more.clone()),
                }
            }
            Ordering::Greater => {
                let more = more.with(value);
                match &more.0 {
                    Some(top) if top.priority > *priority => {
                        let lower = Self::node(own.clone(), *count, *priority, less.clone(), top.less.clone());
                        top.between(lower, top.more.clone())
                    }
                    _ => node.between(less.clone(), more),
                }
            }
        }
    }

    /// With one `value` less, if it is there.
    #[must_use]
    pub fn without(&self, value: &Value) -> Self {
        let Some(node) = &self.0 else {
            return self.clone();
        };
        let Node { value: own, count, priority, less, more, .. } = &**node;
        match value.cmp(own) {
            Ordering::Less => node.between(less.without(value), more.clone()),
            Ordering::Greater => node.between(less.clone(), more.without(value)),
            Ordering::Equal if *count > 1 => Self::node(own.clone(), count - 1, *priority, less.clone(), more.clone()),
            Ordering::Equal => Self::joined(less, more),
        }
    }

    /// In ascending order, equal ones as often as they are there.
    pub fn iter(&self) -> impl Iterator<Item = &Value> {
        let mut path = Vec::new();
        let mut next = self;
        std::iter::from_fn(move || {
            while let Some(node) = &next.0 {
                path.push(node);
                next = &node.less;
            }
            let node = path.pop()?;
            next = &node.more;
            Some(std::iter::repeat_n(&node.value, node.count as usize))
        })
        .flatten()
    }

    fn node(value: Value, count: u32, priority: u64, less: Self, more: Self) -> Self {
        let own = priority.rotate_left(17).wrapping_mul(2 * u64::from(count) + 1);
        let hash = own.wrapping_add(less.hash_of_all()).wrapping_add(more.hash_of_all());
        let length = less.len() + more.len() + count as usize;
        Self(Some(Arc::new(Node { value, count, priority, less, more, hash, length })))
    }

    /// Every value of the first is less than every value of the second.
    fn joined(less: &Self, more: &Self) -> Self {
        match (&less.0, &more.0) {
            (None, _) => more.clone(),
            (_, None) => less.clone(),
            (Some(left), Some(right)) if left.priority > right.priority => {
                left.between(left.less.clone(), Self::joined(&left.more, more))
            }
            (Some(_), Some(right)) => right.between(Self::joined(less, &right.less), right.more.clone()),
        }
    }

    fn hash_of_all(&self) -> u64 {
        self.0.as_ref().map_or(0, |node| node.hash)
    }
}

impl Node {
    fn between(&self, less: Bag, more: Bag) -> Bag {
        Bag::node(self.value.clone(), self.count, self.priority, less, more)
    }
}

impl PartialEq for Bag {
    fn eq(&self, other: &Self) -> bool {
        let same = match (&self.0, &other.0) {
            (Some(own), Some(others)) => Arc::ptr_eq(own, others),
            (None, None) => true,
            _ => return false,
        };
        same || (self.len(), self.hash_of_all()) == (other.len(), other.hash_of_all()) && self.iter().eq(other.iter())
    }
}

impl Eq for Bag {}

impl Hash for Bag {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.hash_of_all());
    }
}

impl fmt::Debug for Bag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use sextant_histories::generate::Rng;

    use super::*;

    #[test]
    fn it_is_what_a_sorted_list_is() {
        let mut rng = Rng::new(1);
        for _ in 0..200 {
            let (mut bag, mut list) = (Bag::default(), Vec::new());
            for _ in 0..60 {
                let value = Value::Int(rng.below(12) as i64);
                let place = list.partition_point(|other| *other < value);
                let is_there = list.get(place) == Some(&value);
                assert_eq!(bag.contains(&value), is_there);
                if rng.below(2) == 0 {
                    bag = bag.with(&value);
                    list.insert(place, value);
                } else {
                    bag = bag.without(&value);
                    is_there.then(|| list.remove(place));
                }
                assert!(bag.iter().eq(&list) && bag.len() == list.len() && bag.least() == list.first());
                let again = list.iter().rev().fold(Bag::default(), |bag, value| bag.with(value));
                assert!(again == bag && again.hash_of_all() == bag.hash_of_all() && again != bag.with(&0.into()));
            }
        }
    }

    #[test]
    fn ascending_values_make_no_deep_tree() {
        fn depth(bag: &Bag) -> usize {
            bag.0.as_ref().map_or(0, |node| 1 + depth(&node.less).max(depth(&node.more)))
        }
        let bag = (0..100_000).fold(Bag::default(), |bag, value| bag.with(&Value::Int(value)));
        assert!(depth(&bag) < 80, "{}", depth(&bag));
    }
}
