//! Verdicts and exit codes: three verdicts, never two.

use serde::{Deserialize, Serialize};

/// What a check concludes. A check that was skipped, crashed, timed out or had nothing to look at is `Unknown`, and
/// `Unknown` never passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    Valid,
    Invalid,
    Unknown,
}

/// How the command ends. The order is that of [`Exit::combine`]: what outweighs everything before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Exit {
    Valid,
    Unknown,
    /// The harness itself failed: the run proves nothing.
    Harness,
    /// Bad usage, or input that cannot be read.
    Unreadable,
    Invalid,
}

impl Exit {
    /// What the shell sees.
    pub fn code(self) -> u8 {
        match self {
            Self::Valid => 0,
            Self::Invalid => 1,
            Self::Unknown => 2,
            Self::Harness => 3,
            Self::Unreadable => 64,
        }
    }

    /// Of two: invalid before unreadable before harness before unknown before valid.
    #[must_use]
    pub fn combine(self, other: Self) -> Self {
        self.max(other)
    }

    /// Of several. Of none it is unknown: nothing was judged.
    pub fn of_all(exits: impl IntoIterator<Item = Self>) -> Self {
        exits.into_iter().reduce(Self::combine).unwrap_or(Self::Unknown)
    }
}

impl From<Verdict> for Exit {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Valid => Self::Valid,
            Verdict::Invalid => Self::Invalid,
            Verdict::Unknown => Self::Unknown,
        }
    }
}

impl std::fmt::Display for Verdict {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Valid => "valid",
            Self::Invalid => "invalid",
            Self::Unknown => "unknown",
        })
    }
}

impl From<Exit> for std::process::ExitCode {
    fn from(exit: Exit) -> Self {
        exit.code().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_of_combination_is_the_documented_one() {
        let ascending = [Exit::Valid, Exit::Unknown, Exit::Harness, Exit::Unreadable, Exit::Invalid];
        for (weak, one) in ascending.iter().enumerate() {
            for (strong, other) in ascending.iter().enumerate() {
                assert_eq!(one.combine(*other), ascending[weak.max(strong)]);
            }
        }
        assert_eq!(ascending.map(Exit::code), [0, 2, 3, 64, 1]);
        assert_eq!(Exit::of_all([]), Exit::Unknown);
        assert_eq!(Exit::of_all([Exit::Valid, Exit::Unknown, Exit::Valid]), Exit::Unknown);
    }

    #[test]
    fn verdicts_are_lowercase_words() {
        for verdict in [Verdict::Valid, Verdict::Invalid, Verdict::Unknown] {
            let word = serde_json::to_string(&verdict).unwrap();
            assert_eq!(word, format!("\"{verdict}\""));
        }
    }
}
