//! Whose fault a failure is.

/// Who is to be mended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Diagnosis {
    /// Every process did what its steps say, and that is wrong.
    Protocol,
    /// A process did not do what its steps say.
    Executor,
    /// Every process did what its steps say, no property was violated, and yet clients saw what they must not: the properties do
    /// not say enough.
    Specification,
    /// Those who provoke and judge contradict themselves.
    Harness,
}

impl Diagnosis {
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Diagnosis::Protocol => "protocol",
            Diagnosis::Executor => "executor",
            Diagnosis::Specification => "specification",
            Diagnosis::Harness => "harness",
        }
    }
}
