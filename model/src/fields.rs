//! States of plain structs and enums as a fixed number of bits.
//!
//! [`packed_struct!`](crate::packed_struct) and [`packed_enum!`](crate::packed_enum) write [`Field`] for a type whose parts
//! have it. A number says how many bits it takes: `as 3` behind its name.

use crate::pack::{Get, Put};
use crate::types::{Epoch, Lsn, SegmentId, SegmentSet};

/// A value that always takes the same number of bits.
pub trait Field: Sized {
    const BITS: u32;

    fn put(&self, out: &mut impl Put);

    fn get(from: &mut impl Get) -> Self;
}

/// A number that is packed into as many bits as its field says.
pub trait Number: Copy {
    fn number(self) -> u64;

    fn of(number: u64) -> Self;
}

macro_rules! numbers {
    ($($name:ident: $type:ty),*) => {$(
        impl Number for $name {
            #[inline]
            fn number(self) -> u64 {
                self.0.into()
            }

            #[inline]
            fn of(number: u64) -> Self {
                $name(number as $type)
            }
        }
    )*};
}

numbers!(Lsn: u64, Epoch: u32, SegmentId: u8, SegmentSet: u32);

macro_rules! integers {
    ($($type:ty),*) => {$(
        impl Number for $type {
            #[inline]
            fn number(self) -> u64 {
                self.into()
            }

            #[inline]
            fn of(number: u64) -> Self {
                number as $type
            }
        }
    )*};
}

integers!(u8, u16, u32, u64);

impl Field for bool {
    const BITS: u32 = 1;

    #[inline]
    fn put(&self, out: &mut impl Put) {
        out.put((*self).into(), 1);
    }

    #[inline]
    fn get(from: &mut impl Get) -> Self {
        from.get(1) == 1
    }
}

impl<T: Field, const N: usize> Field for [T; N] {
    const BITS: u32 = T::BITS * N as u32;

    #[inline]
    fn put(&self, out: &mut impl Put) {
        self.iter().for_each(|part| part.put(out));
    }

    #[inline]
    fn get(from: &mut impl Get) -> Self {
        std::array::from_fn(|_| T::get(from))
    }
}

impl<T: Field> Field for Option<T> {
    const BITS: u32 = 1 + T::BITS;

    #[inline]
    fn put(&self, out: &mut impl Put) {
        out.put(self.is_some().into(), 1);
        match self {
            Some(value) => value.put(out),
            None => skip_put(out, T::BITS),
        }
    }

    #[inline]
    fn get(from: &mut impl Get) -> Self {
        if from.get(1) == 1 {
            return Some(T::get(from));
        }
        skip_get(from, T::BITS);
        None
    }
}

/// Puts zeros.
#[inline]
pub fn skip_put(out: &mut impl Put, mut bits: u32) {
    while bits > 0 {
        let some = bits.min(32);
        out.put(0, some);
        bits -= some;
    }
}

/// Passes zeros over.
#[inline]
pub fn skip_get(from: &mut impl Get, mut bits: u32) {
    while bits > 0 {
        let some = bits.min(32);
        from.get(some);
        bits -= some;
    }
}

/// A few values in order, without a heap: at most `MAX`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Few<T, const MAX: usize> {
    items: [T; MAX],
    len: u8,
}

impl<T: Copy + Default, const MAX: usize> Default for Few<T, MAX> {
    fn default() -> Self {
        Few { items: [T::default(); MAX], len: 0 }
    }
}

impl<T: Copy + Default, const MAX: usize> Few<T, MAX> {
    /// # Panics
    /// If there is no room.
    pub fn push(&mut self, item: T) {
        self.items[usize::from(self.len)] = item;
        self.len += 1;
    }

    /// Removes the item at `place`; those behind it move up. Free places are always default, so that equal lists are equal.
    pub fn remove(&mut self, place: usize) -> T {
        let removed = self[place];
        let len = self.len();
        self.items[place..len].rotate_left(1);
        self.len -= 1;
        self.items[len - 1] = T::default();
        removed
    }
}

impl<T: Copy + Default, const MAX: usize> FromIterator<T> for Few<T, MAX> {
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Self {
        let mut few = Few::default();
        items.into_iter().for_each(|item| few.push(item));
        few
    }
}

impl<T, const MAX: usize> std::ops::Deref for Few<T, MAX> {
    type Target = [T];

    #[inline]
    fn deref(&self) -> &[T] {
        &self.items[..usize::from(self.len)]
    }
}

impl<T, const MAX: usize> std::ops::DerefMut for Few<T, MAX> {
    #[inline]
    fn deref_mut(&mut self) -> &mut [T] {
        &mut self.items[..usize::from(self.len)]
    }
}

impl<T: Field + Copy + Default, const MAX: usize> Field for Few<T, MAX> {
    const BITS: u32 = bits_upto(MAX as u64) + T::BITS * MAX as u32;

    fn put(&self, out: &mut impl Put) {
        out.put(self.len.into(), bits_upto(MAX as u64));
        self.iter().for_each(|item| item.put(out));
        skip_put(out, T::BITS * (MAX - self.len()) as u32);
    }

    fn get(from: &mut impl Get) -> Self {
        let mut few = Few::default();
        let len = from.get(bits_upto(MAX as u64));
        (0..len).for_each(|_| few.push(T::get(from)));
        skip_get(from, T::BITS * (MAX as u32 - len as u32));
        few
    }
}

/// Bits of the numbers 0 to `max`.
#[must_use]
pub const fn bits_upto(max: u64) -> u32 {
    u64::BITS - max.leading_zeros()
}

/// Writes [`Field`] for a struct: `packed_struct!(Node { standing, epoch as 2, holds as 3 })`. A field without a number has
/// `Field` itself.
#[macro_export]
macro_rules! packed_struct {
    ($name:ident { $($field:ident $(as $bits:literal)?),* $(,)? }) => {
        impl $crate::fields::Field for $name {
            const BITS: u32 = 0 $(+ $crate::packed_struct!(@bits $name $field $($bits)?))*;

            #[inline]
            fn put(&self, out: &mut impl $crate::pack::Put) {
                $($crate::packed_struct!(@put self out $field $($bits)?);)*
            }

            #[inline]
            fn get(from: &mut impl $crate::pack::Get) -> Self {
                $name { $($field: $crate::packed_struct!(@get from $($bits)?)),* }
            }
        }
    };
    (@bits $name:ident $field:ident $bits:literal) => { $bits };
    (@bits $name:ident $field:ident) => { {
        const fn of<T: $crate::fields::Field>(_: fn(&$name) -> &T) -> u32 {
            T::BITS
        }
        of(|whole: &$name| &whole.$field)
    } };
    (@put $self:ident $out:ident $field:ident $bits:literal) => {
        $out.put($crate::fields::Number::number($self.$field), $bits)
    };
    (@put $self:ident $out:ident $field:ident) => { $crate::fields::Field::put(&$self.$field, $out) };
    (@get $from:ident $bits:literal) => { $crate::fields::Number::of($from.get($bits)) };
    (@get $from:ident) => { $crate::fields::Field::get($from) };
}

/// Writes [`Field`] for an enum: `packed_enum!(Recovery { None, Reading, Open(Kept) })`. A variant carries at most one value,
/// which has `Field`.
#[macro_export]
macro_rules! packed_enum {
    ($name:ident { $($variant:ident $(($payload:ty))?),* $(,)? }) => {
        impl $crate::fields::Field for $name {
            const BITS: u32 = {
                let payloads: &[u32] = &[$(0 $(+ <$payload as $crate::fields::Field>::BITS)?),*];
                let (mut most, mut at) = (0, 0);
                while at < payloads.len() {
                    most = if payloads[at] > most { payloads[at] } else { most };
                    at += 1;
                }
                $crate::fields::bits_upto(payloads.len() as u64 - 1) + most
            };

            #[inline]
            fn put(&self, out: &mut impl $crate::pack::Put) {
                let variants: &[&str] = &[$(stringify!($variant)),*];
                let tag = $crate::fields::bits_upto(variants.len() as u64 - 1);
                let mut place = 0;
                $(
                    if let $crate::packed_enum!(@pattern $name $variant value $($payload)?) = self {
                        out.put(place, tag);
                        let used = 0 $(+ { $crate::fields::Field::put(value, out); <$payload as $crate::fields::Field>::BITS })?;
                        $crate::fields::skip_put(out, Self::BITS - tag - used);
                    }
                    place += 1;
                )*
                let _ = place;
            }

            #[inline]
            fn get(from: &mut impl $crate::pack::Get) -> Self {
                let variants: &[&str] = &[$(stringify!($variant)),*];
                let tag = $crate::fields::bits_upto(variants.len() as u64 - 1);
                let found = from.get(tag);
                let mut place = 0;
                $(
                    if found == place {
                        #[allow(unused_mut, unused_assignments)]
                        let mut used = 0;
                        let value = $crate::packed_enum!(@get $name $variant from used $($payload)?);
                        $crate::fields::skip_get(from, Self::BITS - tag - used);
                        return value;
                    }
                    place += 1;
                )*
                unreachable!("{found} is no variant of {}, of which there are {place}", stringify!($name))
            }
        }
    };
    (@pattern $name:ident $variant:ident $value:ident $payload:ty) => { $name::$variant($value) };
    (@pattern $name:ident $variant:ident $value:ident) => { $name::$variant };
    (@get $name:ident $variant:ident $from:ident $used:ident $payload:ty) => { {
        $used = <$payload as $crate::fields::Field>::BITS;
        $name::$variant($crate::fields::Field::get($from))
    } };
    (@get $name:ident $variant:ident $from:ident $used:ident) => { $name::$variant };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Bits {
        bits: Vec<bool>,
        at: usize,
    }

    impl Put for Bits {
        fn put(&mut self, value: u64, bits: u32) {
            assert!(bits_upto(value) <= bits, "{value} does not fit {bits} bits");
            (0..bits).for_each(|bit| self.bits.push(value >> bit & 1 == 1));
        }
    }

    impl Get for Bits {
        fn get(&mut self, bits: u32) -> u64 {
            let value = (0..bits).map(|bit| u64::from(self.bits[self.at + bit as usize]) << bit).sum();
            self.at += bits as usize;
            value
        }
    }

    #[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
    struct Leaf {
        epoch: Epoch,
        count: u8,
    }

    #[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
    enum Branch {
        #[default]
        Bare,
        One(Leaf),
        Two([Leaf; 2]),
    }

    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    struct Tree {
        branches: Few<Branch, 3>,
        maybe: Option<Leaf>,
        set: SegmentSet,
    }

    packed_struct!(Leaf { epoch as 2, count as 3 });
    packed_enum!(Branch { Bare, One(Leaf), Two([Leaf; 2]) });
    packed_struct!(Tree { branches, maybe, set as 6 });

    #[test]
    fn what_is_packed_comes_back_in_as_many_bits_as_it_says() {
        let leaf = |epoch, count| Leaf { epoch: Epoch(epoch), count };
        assert_eq!((Leaf::BITS, Branch::BITS, Tree::BITS), (5, 12, 2 + 36 + 6 + 6));
        let mut branches = Few::default();
        for branch in [Branch::One(leaf(3, 7)), Branch::Bare, Branch::Two([leaf(1, 0), leaf(2, 5)])] {
            let tree = Tree { branches, maybe: (branches.len() == 1).then_some(leaf(1, 2)), set: SegmentSet(0b101) };
            let mut bits = Bits::default();
            tree.put(&mut bits);
            assert_eq!(bits.bits.len() as u32, Tree::BITS);
            assert_eq!(Tree::get(&mut bits), tree);
            branches.push(branch);
        }
        assert_eq!(branches.remove(0), Branch::One(leaf(3, 7)));
        assert_eq!(*branches, [Branch::Bare, Branch::Two([leaf(1, 0), leaf(2, 5)])]);
    }
}
