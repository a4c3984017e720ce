//! States as bits: [`Pack`] for plain structs and enums, written by [`pack!`](crate::pack).

/// A value of a fixed number of bits. Law: `get` after `put` gives an equal value, and equal values put equal bits.
pub trait Pack: Sized {
    const BITS: u32;

    /// Puts exactly [`Pack::BITS`] bits.
    fn put(&self, out: &mut Writer);

    /// Takes exactly [`Pack::BITS`] bits, which `put` wrote.
    fn get(from: &mut Reader) -> Self;

    /// The bits as a number. Law: there are at most 64. A value of several fields that goes through one number costs one
    /// `put` instead of many.
    #[inline]
    fn word(&self) -> u64 {
        let mut word = [0];
        let mut writer = Writer::new(&mut word);
        self.put(&mut writer);
        writer.finish();
        word[0]
    }

    /// As [`Pack::word`], of at most 128 bits.
    #[inline]
    fn double_word(&self) -> u128 {
        if Self::BITS <= 64 {
            return self.word().into();
        }
        let mut words = [0; 2];
        let mut writer = Writer::new(&mut words);
        self.put(&mut writer);
        writer.finish();
        u128::from(words[0]) | u128::from(words[1]) << 64
    }

    /// The value of [`Pack::word`].
    #[inline]
    fn of_word(word: u64) -> Self {
        Self::get(&mut Reader::new(&[word]))
    }
}

/// The number, if it fits `width` bits; a state that is cut is another state.
#[inline]
#[must_use]
pub fn fitting(value: u64, width: u32) -> u64 {
    if width < 64 && value >> width != 0 {
        does_not_fit(value, width);
    }
    value
}

#[cold]
#[inline(never)]
fn does_not_fit(value: u64, width: u32) -> ! {
    panic!("{value} does not fit {width} bits")
}

/// The low `width` bits of what is `at` bits up.
#[inline]
#[must_use]
pub fn field(word: u64, at: u32, width: u32) -> u64 {
    if width == 0 {
        return 0;
    }
    word >> at & (u64::MAX >> (64 - width))
}

/// Puts numbers of a few bits behind one another, least significant bit first.
#[derive(Debug)]
pub struct Writer<'a> {
    out: &'a mut [u64],
    at: usize,
    word: u64,
    filled: u32,
}

impl<'a> Writer<'a> {
    /// Law: `out` is as long as everything put takes.
    #[must_use]
    #[inline(always)]
    pub fn new(out: &'a mut [u64]) -> Self {
        Writer { out, at: 0, word: 0, filled: 0 }
    }

    /// Puts the low `width` bits, at most 64. Law: `value` fits, because a state that is cut is another state.
    #[inline(always)]
    pub fn put(&mut self, value: u64, width: u32) {
        let value = fitting(value, width);
        if width == 0 {
            return;
        }
        self.word |= value << self.filled;
        let together = self.filled + width;
        if together < 64 {
            self.filled = together;
            return;
        }
        self.out[self.at] = self.word;
        self.at += 1;
        let taken = 64 - self.filled;
        self.word = if taken < 64 { value >> taken } else { 0 };
        self.filled = together - 64;
    }

    /// Puts `width` bits of zero: what a shorter variant leaves free.
    #[inline]
    pub fn skip(&mut self, width: u32) {
        (0..width / 64).for_each(|_| self.put(0, 64));
        self.put(0, width % 64);
    }

    /// Bits put so far.
    #[must_use]
    #[inline(always)]
    pub fn position(&self) -> u32 {
        self.at as u32 * 64 + self.filled
    }

    /// Writes what is left, and zeros to the end.
    #[inline(always)]
    pub fn finish(mut self) {
        if self.filled > 0 {
            self.out[self.at] = self.word;
            self.at += 1;
        }
        // Nearly always there is no more room, and to find that out takes less time than to call what fills it.
        if self.at < self.out.len() {
            self.out[self.at..].fill(0);
        }
    }
}

/// Takes what a [`Writer`] put.
#[derive(Debug)]
pub struct Reader<'a> {
    words: &'a [u64],
    at: usize,
    word: u64,
    left: u32,
}

impl<'a> Reader<'a> {
    #[must_use]
    #[inline]
    pub fn new(words: &'a [u64]) -> Self {
        Reader { words, at: 0, word: 0, left: 0 }
    }

    /// The next `width` bits, at most 64. Law: they were put.
    #[inline]
    pub fn get(&mut self, width: u32) -> u64 {
        let mask = if width >= 64 { u64::MAX } else { (1 << width) - 1 };
        if width <= self.left {
            let value = self.word & mask;
            self.word = self.word.checked_shr(width).unwrap_or(0);
            self.left -= width;
            return value;
        }
        let (low, have) = (self.word, self.left);
        let word = self.words[self.at];
        self.at += 1;
        // `have` is less than `width`, so less than 64, and at least one bit is taken of the next word.
        let taken = width - have;
        self.word = word.checked_shr(taken).unwrap_or(0);
        self.left = 64 - taken;
        (low | word << have) & mask
    }

    #[inline]
    pub fn skip(&mut self, width: u32) {
        (0..width / 64).for_each(|_| {
            self.get(64);
        });
        self.get(width % 64);
    }
}

/// A number that a field of fewer bits can hold: `lsn: u8 => 5`.
pub trait Narrow: Copy {
    fn widen(self) -> u64;
    /// Law: `value` came from [`Narrow::widen`].
    fn narrow(value: u64) -> Self;
}

macro_rules! numbers {
    ($($number:ident)*) => {$(
        impl Narrow for $number {
            #[inline]
            fn widen(self) -> u64 {
                self as u64
            }
            #[inline]
            fn narrow(value: u64) -> Self {
                value as $number
            }
        }
        impl Pack for $number {
            const BITS: u32 = $number::BITS;
            #[inline]
            fn put(&self, out: &mut Writer) {
                out.put(self.widen(), Self::BITS);
            }
            #[inline]
            fn get(from: &mut Reader) -> Self {
                Self::narrow(from.get(Self::BITS))
            }
            #[inline]
            fn word(&self) -> u64 {
                self.widen()
            }
            #[inline]
            fn of_word(word: u64) -> Self {
                Self::narrow(word)
            }
        }
    )*};
}

numbers!(u8 u16 u32 u64 usize);

impl Pack for bool {
    const BITS: u32 = 1;

    #[inline]
    fn put(&self, out: &mut Writer) {
        out.put(u64::from(*self), 1);
    }

    #[inline]
    fn get(from: &mut Reader) -> Self {
        from.get(1) == 1
    }

    #[inline]
    fn word(&self) -> u64 {
        u64::from(*self)
    }

    #[inline]
    fn of_word(word: u64) -> Self {
        word == 1
    }
}

impl<T: Pack, const N: usize> Pack for [T; N] {
    const BITS: u32 = T::BITS * N as u32;

    #[inline]
    fn put(&self, out: &mut Writer) {
        if Self::BITS <= 64 {
            return out.put(self.word(), Self::BITS);
        }
        self.iter().for_each(|item| item.put(out));
    }

    #[inline]
    fn double_word(&self) -> u128 {
        let each = self.iter().enumerate();
        each.fold(0, |word, (place, item)| word | item.double_word() << (place as u32 * T::BITS))
    }

    #[inline]
    fn get(from: &mut Reader) -> Self {
        if Self::BITS <= 64 {
            return Self::of_word(from.get(Self::BITS));
        }
        std::array::from_fn(|_| T::get(from))
    }

    #[inline]
    fn word(&self) -> u64 {
        let each = self.iter().enumerate();
        each.fold(0, |word, (place, item)| word | item.word() << (place as u32 * T::BITS))
    }

    #[inline]
    fn of_word(word: u64) -> Self {
        std::array::from_fn(|place| T::of_word(field(word, place as u32 * T::BITS, T::BITS)))
    }
}

impl<T: Pack> Pack for Option<T> {
    const BITS: u32 = 1 + T::BITS;

    #[inline]
    fn put(&self, out: &mut Writer) {
        out.put(u64::from(self.is_some()), 1);
        match self {
            Some(value) => value.put(out),
            None => out.skip(T::BITS),
        }
    }

    #[inline]
    fn get(from: &mut Reader) -> Self {
        if from.get(1) == 1 {
            return Some(T::get(from));
        }
        from.skip(T::BITS);
        None
    }
}

impl<A: Pack, B: Pack> Pack for (A, B) {
    const BITS: u32 = A::BITS + B::BITS;

    #[inline]
    fn put(&self, out: &mut Writer) {
        self.0.put(out);
        self.1.put(out);
    }

    #[inline]
    fn get(from: &mut Reader) -> Self {
        (A::get(from), B::get(from))
    }
}

/// Bits that tell `variants` apart.
#[must_use]
pub const fn tag_bits(variants: usize) -> u32 {
    usize::BITS - (variants - 1).leading_zeros()
}

/// Writes [`Pack`] for a struct with named fields or an enum whose variants are empty or have named fields. The type is
/// defined inside; a number may say how many bits it needs.
///
/// ```
/// sextant_explorer::pack! {
///     #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
///     pub enum Phase { Idle, Voting { ballot: u8 => 3, yes: bool }, Done }
/// }
/// sextant_explorer::pack! {
///     #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
///     pub struct Node { pub phase: Phase, pub peers: [bool; 3], pub log: u64 => 20 }
/// }
/// use sextant_explorer::packed::{Pack, Reader, Writer};
/// assert_eq!((Phase::BITS, Node::BITS), (2 + 4, 6 + 3 + 20));
/// let node = Node { phase: Phase::Voting { ballot: 5, yes: true }, peers: [true, false, true], log: 77_777 };
/// let mut words = [0];
/// let mut writer = Writer::new(&mut words);
/// node.put(&mut writer);
/// writer.finish();
/// assert_eq!(Node::get(&mut Reader::new(&words)), node);
/// ```
#[macro_export]
macro_rules! pack {
    (
        $(#[$meta:meta])* $vis:vis struct $name:ident {
            $($(#[$about:meta])* $field_vis:vis $field:ident: $type:ty $(=> $bits:expr)?),* $(,)?
        }
    ) => {
        $(#[$meta])* $vis struct $name { $($(#[$about])* $field_vis $field: $type),* }

        impl $crate::packed::Pack for $name {
            const BITS: u32 = 0 $(+ $crate::pack!(@bits $type $(=> $bits)?))*;

            #[inline]
            fn put(&self, out: &mut $crate::packed::Writer) {
                if Self::BITS <= 64 {
                    return out.put($crate::packed::Pack::word(self), Self::BITS);
                }
                if Self::BITS <= 128 {
                    let word = $crate::packed::Pack::double_word(self);
                    out.put(word as u64, 64);
                    return out.put((word >> 64) as u64, Self::BITS - 64);
                }
                $($crate::pack!(@put out, self.$field, $type $(=> $bits)?);)*
            }

            #[inline]
            fn double_word(&self) -> u128 {
                let (mut word, mut at) = (0, 0);
                $(
                    word |= $crate::pack!(@double self.$field, $type $(=> $bits)?) << at;
                    at += $crate::pack!(@bits $type $(=> $bits)?);
                )*
                let _ = at;
                word
            }

            #[inline]
            fn get(from: &mut $crate::packed::Reader) -> Self {
                if Self::BITS <= 64 {
                    return <Self as $crate::packed::Pack>::of_word(from.get(Self::BITS));
                }
                $(let $field = $crate::pack!(@get from, $type $(=> $bits)?);)*
                $name { $($field),* }
            }

            #[inline]
            fn word(&self) -> u64 {
                /// Panics for the field that does not fit: to prepare for it at each field takes longer than to pack them.
                #[cold]
                #[inline(never)]
                fn say_which(value: &$name) {
                    $(let _ = $crate::pack!(@word value.$field, $type $(=> $bits)?);)*
                }
                let (mut word, mut at, mut cut) = (0, 0, false);
                $(
                    let number = $crate::pack!(@number self.$field, $type $(=> $bits)?);
                    cut |= $crate::pack!(@cut number, $type $(=> $bits)?);
                    word |= number << at;
                    at += $crate::pack!(@bits $type $(=> $bits)?);
                )*
                let _ = at;
                if cut {
                    say_which(self);
                }
                word
            }

            #[inline]
            fn of_word(word: u64) -> Self {
                let mut at = 0;
                $(
                    let $field = $crate::pack!(@of word, at, $type $(=> $bits)?);
                    at += $crate::pack!(@bits $type $(=> $bits)?);
                )*
                let _ = (at, word);
                $name { $($field),* }
            }
        }
    };
    (
        $(#[$meta:meta])* $vis:vis enum $name:ident {
            $($(#[$about:meta])* $variant:ident $({ $($field:ident: $type:ty $(=> $bits:expr)?),* $(,)? })?),* $(,)?
        }
    ) => {
        $(#[$meta])* $vis enum $name { $($(#[$about])* $variant $({ $($field: $type),* })?),* }

        impl $crate::packed::Pack for $name {
            const BITS: u32 = {
                let tag = $crate::packed::tag_bits([$(stringify!($variant)),*].len());
                let mut longest = 0;
                $(
                    let fields: u32 = 0 $($(+ $crate::pack!(@bits $type $(=> $bits)?))*)?;
                    if fields > longest {
                        longest = fields;
                    }
                )*
                tag + longest
            };

            #[inline]
            fn put(&self, out: &mut $crate::packed::Writer) {
                if Self::BITS <= 64 {
                    return out.put($crate::packed::Pack::word(self), Self::BITS);
                }
                enum Tag { $($variant),* }
                let tag_bits = $crate::packed::tag_bits([$(stringify!($variant)),*].len());
                match self {
                    $($name::$variant $({ $($field),* })? => {
                        out.put(Tag::$variant as u64, tag_bits);
                        let fields: u32 = 0 $($(+ $crate::pack!(@bits $type $(=> $bits)?))*)?;
                        $($($crate::pack!(@put out, *$field, $type $(=> $bits)?);)*)?
                        out.skip(Self::BITS - tag_bits - fields);
                    })*
                }
            }

            #[inline]
            fn get(from: &mut $crate::packed::Reader) -> Self {
                enum Tag { $($variant),* }
                let tag_bits = $crate::packed::tag_bits([$(stringify!($variant)),*].len());
                let tag = from.get(tag_bits);
                $(if tag == Tag::$variant as u64 {
                    let fields: u32 = 0 $($(+ $crate::pack!(@bits $type $(=> $bits)?))*)?;
                    let value = $name::$variant $({ $($field: $crate::pack!(@get from, $type $(=> $bits)?)),* })?;
                    from.skip(Self::BITS - tag_bits - fields);
                    return value;
                })*
                panic!("{tag} is no variant of {}: these bits were not packed by it", stringify!($name))
            }

            #[inline]
            fn word(&self) -> u64 {
                enum Tag { $($variant),* }
                let tag_bits = $crate::packed::tag_bits([$(stringify!($variant)),*].len());
                match self {
                    $($name::$variant $({ $($field),* })? => {
                        let (mut word, mut at) = (Tag::$variant as u64, tag_bits);
                        $($(
                            word |= $crate::pack!(@word *$field, $type $(=> $bits)?) << at;
                            at += $crate::pack!(@bits $type $(=> $bits)?);
                        )*)?
                        let _ = (&mut word, &mut at);
                        word
                    })*
                }
            }
        }
    };
    (@bits $type:ty) => { <$type as $crate::packed::Pack>::BITS };
    (@bits $type:ty => $bits:expr) => { $bits };
    (@put $out:ident, $value:expr, $type:ty) => { $crate::packed::Pack::put(&$value, $out) };
    (@put $out:ident, $value:expr, $type:ty => $bits:expr) => {
        $out.put(<$type as $crate::packed::Narrow>::widen($value), $bits)
    };
    (@double $value:expr, $type:ty) => { $crate::packed::Pack::double_word(&$value) };
    (@double $value:expr, $type:ty => $bits:expr) => { u128::from($crate::pack!(@word $value, $type => $bits)) };
    (@number $value:expr, $type:ty) => { $crate::packed::Pack::word(&$value) };
    (@number $value:expr, $type:ty => $bits:expr) => { <$type as $crate::packed::Narrow>::widen($value) };
    (@cut $number:ident, $type:ty) => { false };
    (@cut $number:ident, $type:ty => $bits:expr) => { $bits < 64 && $number >> $bits != 0 };
    (@word $value:expr, $type:ty) => { $crate::packed::Pack::word(&$value) };
    (@word $value:expr, $type:ty => $bits:expr) => {
        $crate::packed::fitting(<$type as $crate::packed::Narrow>::widen($value), $bits)
    };
    (@of $word:ident, $at:ident, $type:ty) => {{
        let bits = <$type as $crate::packed::Pack>::BITS;
        <$type as $crate::packed::Pack>::of_word($crate::packed::field($word, $at, bits))
    }};
    (@of $word:ident, $at:ident, $type:ty => $bits:expr) => {
        <$type as $crate::packed::Narrow>::narrow($crate::packed::field($word, $at, $bits))
    };
    (@get $from:ident, $type:ty) => { <$type as $crate::packed::Pack>::get($from) };
    (@get $from:ident, $type:ty => $bits:expr) => {
        <$type as $crate::packed::Narrow>::narrow($from.get($bits))
    };
}

/// Writes [`Packed`](crate::packed::Packed) for a model whose state is [`Pack`].
#[macro_export]
macro_rules! packed_model {
    ($model:ty) => {
        impl $crate::packed::Packed for $model {
            fn bits(&self) -> u32 {
                <Self::State as $crate::packed::Pack>::BITS
            }

            #[inline(always)]
            fn pack(&self, state: &Self::State, out: &mut $crate::packed::Writer) {
                $crate::packed::Pack::put(state, out);
            }

            #[inline]
            fn unpack(&self, from: &mut $crate::packed::Reader) -> Self::State {
                $crate::packed::Pack::get(from)
            }
        }
    };
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4000))]
        #[test]
        fn what_was_put_is_got(items in proptest::collection::vec((any::<u64>(), 0u32..=64), 0..40)) {
            let cut: Vec<_> = items.iter().map(|&(v, w)| (if w == 64 { v } else { v & ((1 << w) - 1) }, w)).collect();
            let bits: u32 = cut.iter().map(|(_, w)| w).sum();
            let words = bits.div_ceil(64) as usize;
            let mut packed = vec![u64::MAX; words + 2];
            let mut writer = Writer::new(&mut packed);
            cut.iter().for_each(|&(v, w)| writer.put(v, w));
            prop_assert_eq!(writer.position(), bits);
            writer.finish();
            prop_assert_eq!(&packed[words..], &[0; 2]);
            let mut reader = Reader::new(&packed);
            for (value, width) in cut {
                prop_assert_eq!(reader.get(width), value);
            }
        }
    }

    crate::pack! {
        #[derive(Clone, Copy, Debug, PartialEq)]
        enum Small { Nothing, Number { n: u8 => 5 }, Pair { a: bool, b: u16 => 9 }, Deep { inner: Option<[bool; 3]> } }
    }

    crate::pack! {
        #[derive(Clone, Copy, Debug, PartialEq)]
        struct Narrow64 { first: u64 => 20, small: Small, pair: (u8, bool), rest: [u8; 2] }
    }

    crate::pack! {
        #[derive(Clone, Copy, Debug, PartialEq)]
        enum Wide { Long { words: [u64; 2], small: Small }, Short { one: Narrow64 } }
    }

    crate::pack! {
        #[derive(Clone, Copy, Debug, PartialEq)]
        struct Both { flag: bool, wide: Wide, narrow: [Narrow64; 2], last: u64 }
    }

    crate::pack! {
        #[derive(Clone, Copy, Debug, PartialEq)]
        struct Middle { narrow: Narrow64, small: [Small; 2], number: u32 => 25 }
    }

    fn small() -> impl Strategy<Value = Small> {
        prop_oneof![
            Just(Small::Nothing),
            (0u8..32).prop_map(|n| Small::Number { n }),
            (any::<bool>(), 0u16..512).prop_map(|(a, b)| Small::Pair { a, b }),
            any::<Option<[bool; 3]>>().prop_map(|inner| Small::Deep { inner }),
        ]
    }

    fn narrow() -> impl Strategy<Value = Narrow64> {
        let parts = (0u64..1 << 20, small(), any::<(u8, bool)>(), any::<[u8; 2]>());
        parts.prop_map(|(first, small, pair, rest)| Narrow64 { first, small, pair, rest })
    }

    fn wide() -> impl Strategy<Value = Wide> {
        prop_oneof![
            (any::<[u64; 2]>(), small()).prop_map(|(words, small)| Wide::Long { words, small }),
            narrow().prop_map(|one| Wide::Short { one }),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4000))]
        #[test]
        fn structs_and_enums_come_back(
            flag in any::<bool>(),
            wide in wide(),
            narrow in [narrow(), narrow()],
            last in any::<u64>(),
        ) {
            prop_assert_eq!((Small::BITS, Narrow64::BITS), (2 + 10, 20 + 12 + 9 + 16));
            let value = Both { flag, wide, narrow, last };
            let mut words = vec![u64::MAX; Both::BITS.div_ceil(64) as usize];
            let mut writer = Writer::new(&mut words);
            value.put(&mut writer);
            prop_assert_eq!(writer.position(), Both::BITS);
            writer.finish();
            prop_assert_eq!(Both::get(&mut Reader::new(&words)), value);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4000))]
        #[test]
        fn two_words_at_once_are_the_fields_one_after_another(
            narrow in narrow(),
            small in [small(), small()],
            number in 0u32..1 << 25,
        ) {
            let value = Middle { narrow, small, number };
            let (mut at_once, mut by_field) = ([u64::MAX; 2], [u64::MAX; 2]);
            let mut writer = Writer::new(&mut at_once);
            value.put(&mut writer);
            prop_assert_eq!((writer.position(), Middle::BITS), (57 + 24 + 25, 57 + 24 + 25));
            writer.finish();
            let mut writer = Writer::new(&mut by_field);
            narrow.put(&mut writer);
            small.put(&mut writer);
            writer.put(number.into(), 25);
            writer.finish();
            prop_assert_eq!(at_once, by_field);
            prop_assert_eq!(Middle::get(&mut Reader::new(&at_once)), value);
        }
    }

    #[test]
    #[should_panic(expected = "33554432 does not fit 25 bits")]
    fn a_field_of_two_words_is_never_cut() {
        let narrow = Narrow64 { first: 0, small: Small::Nothing, pair: (0, false), rest: [0; 2] };
        Middle { narrow, small: [Small::Nothing; 2], number: 1 << 25 }.double_word();
    }

    #[test]
    #[should_panic(expected = "8 does not fit 3 bits")]
    fn a_field_is_never_cut() {
        crate::pack! {
            struct Field { number: u8 => 3 }
        }
        Field { number: 8 }.word();
    }

    #[test]
    #[should_panic(expected = "8 does not fit 3 bits")]
    fn a_number_is_never_cut() {
        Writer::new(&mut [0]).put(8, 3);
    }
}
