//! What is odd about a file and no reason to refuse it.

use crate::error::Fault;

/// What a reader found odd. The order of the lines is the order of the events whatever the recorded times say; times
/// that run against it are a sign that lines were merged from several clocks, or sorted by the wrong one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Warnings {
    /// How many events have a time before that of the last event with a time.
    pub time_backwards: usize,
    /// The line, from 1, of the first of them.
    pub first_line: Option<usize>,
}

impl Warnings {
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// One line a warning; empty where there is none.
impl std::fmt::Display for Warnings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (self.time_backwards, self.first_line) {
            (0, _) | (_, None) => Ok(()),
            (1, Some(line)) => write!(f, "time goes backwards on line {line}; the order of the lines counts"),
            (count, Some(line)) => {
                write!(f, "time goes backwards {count} times, first on line {line}; the order of the lines counts")
            }
        }
    }
}

/// Holds the times of events against their order.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Clock {
    last: Option<u64>,
    pub(crate) strict: bool,
    pub(crate) warnings: Warnings,
}

impl Clock {
    /// The next event has this time and stands on this line. An error only where the clock is strict.
    pub(crate) fn see(&mut self, time: Option<u64>, line: usize) -> Result<(), Fault> {
        let (Some(time), last) = (time, self.last) else { return Ok(()) };
        self.last = Some(time);
        match last {
            Some(last) if time < last && self.strict => Err(Fault::TimeBackwards { time, last }),
            Some(last) if time < last => {
                self.warnings.time_backwards += 1;
                self.warnings.first_line.get_or_insert(line);
                Ok(())
            }
            _ => Ok(()),
        }
    }
}
