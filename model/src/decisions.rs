//! Rule books: a struct of decisions, each an enum whose first value is the adopted one.

use serde::Serialize;
use serde::de::DeserializeOwned;

/// One decision of a rule book.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decision {
    /// `write_back`
    pub name: &'static str,
    /// What is decided, value by value.
    pub about: &'static str,
    /// `BeforeOpen`, `Never`; the first is the adopted one.
    pub values: &'static [&'static str],
}

/// The decisions of one design of an area of the protocol.
pub trait RuleBook: Copy + Eq + std::fmt::Debug + Serialize + DeserializeOwned + Send + Sync + 'static {
    const DECISIONS: &'static [Decision];

    /// The protocol.
    fn adopted() -> Self;

    /// The same rule book with one decision changed. Case, `-` and `_` in the names do not matter.
    ///
    /// # Errors
    /// If there is no such decision or value; the message lists what there is.
    fn with(self, decision: &str, value: &str) -> Result<Self, String>;
}

/// A name as people type it.
#[must_use]
pub fn normal(name: &str) -> String {
    name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
}

/// A name of the source as it is typed: `WriteBack` and `write_back` are `write-back`.
#[must_use]
pub fn typed(name: &str) -> String {
    let mut out = String::new();
    for c in name.chars() {
        if c.is_ascii_uppercase() && !out.is_empty() {
            out.push('-');
        }
        out.push(if c == '_' { '-' } else { c.to_ascii_lowercase() });
    }
    out
}

/// Makes the enums, the struct with one private field each, and its [`RuleBook`].
macro_rules! rule_book {
    (
        $(#[$meta:meta])*
        pub struct $book:ident { $($(#[$extra_meta:meta])* pub $extra:ident: $extra_type:ty = $adopted:expr,)* }
        $($(#[doc = $about:literal])+ $field:ident: $decision:ident { $first:ident $(, $other:ident)* $(,)? })*
    ) => {
        $(
            $(#[doc = $about])+
            #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
            enum $decision { $first $(, $other)* }
        )*

        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
        pub struct $book {
            $($(#[$extra_meta])* pub $extra: $extra_type,)*
            $($field: $decision,)*
        }

        impl $book {
            /// The protocol.
            #[must_use]
            #[inline]
            pub const fn adopted() -> $book {
                $book { $($extra: $adopted,)* $($field: $decision::$first,)* }
            }
        }

        impl crate::decisions::RuleBook for $book {
            const DECISIONS: &'static [crate::decisions::Decision] = &[$(crate::decisions::Decision {
                name: stringify!($field),
                about: concat!($($about),+),
                values: &[stringify!($first) $(, stringify!($other))*],
            }),*];

            fn adopted() -> Self {
                $book::adopted()
            }

            fn with(mut self, decision: &str, value: &str) -> Result<Self, String> {
                use crate::decisions::{normal, typed};
                let (asked, wanted) = (normal(decision), normal(value));
                $(
                    if asked == normal(stringify!($field)) {
                        for known in [$decision::$first $(, $decision::$other)*] {
                            if wanted == normal(&format!("{known:?}")) {
                                self.$field = known;
                                return Ok(self);
                            }
                        }
                        let known = [stringify!($first) $(, stringify!($other))*].map(typed).join(", ");
                        return Err(format!("{decision} cannot be {value}; it can be: {known}"));
                    }
                )*
                let known = [$(stringify!($field)),*].map(typed).join(", ");
                Err(format!("there is no decision {decision}; there are: {known}"))
            }
        }
    };
}

pub(crate) use rule_book;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::Rules;

    #[test]
    fn every_value_of_every_decision_can_be_named() {
        for decision in Rules::DECISIONS {
            for (place, value) in decision.values.iter().enumerate() {
                let changed = Rules::adopted().with(&typed(decision.name), &typed(value)).unwrap();
                assert_eq!(changed == Rules::adopted(), place == 0, "{} = {value}", decision.name);
            }
        }
    }

    #[test]
    fn what_there_is_is_told_where_a_name_is_wrong() {
        let error = Rules::adopted().with("fence", "never").unwrap_err();
        assert_eq!(error, "fence cannot be never; it can be: durably-before-answer, on-truncate, in-memory");
        let error = Rules::adopted().with("fences", "never").unwrap_err();
        assert!(error.starts_with("there is no decision fences; there are: fence, stale, "), "{error}");
    }
}
