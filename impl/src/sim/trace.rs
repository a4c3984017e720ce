//! What happened, event by event: always as a digest, and as lines where somebody wants to read them.

use std::fmt::{self, Write};

use super::agenda::Nanos;

pub(super) struct Trace {
    digest: u64,
    lines: Option<Vec<String>>,
}

impl Trace {
    pub fn new(with_lines: bool) -> Self {
        Trace { digest: 0x5e97, lines: with_lines.then(Vec::new) }
    }

    /// Folds numbers that say what happened into the digest.
    pub fn fold(&mut self, numbers: &[u64]) {
        for number in numbers {
            // The finaliser of SplitMix64, chained.
            let mut z = self.digest.rotate_left(23) ^ number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            self.digest = z ^ (z >> 29);
        }
    }

    pub fn wants_lines(&self) -> bool {
        self.lines.is_some()
    }

    pub fn line(&mut self, now: Nanos, what: impl fmt::Display) {
        if let Some(lines) = &mut self.lines {
            let mut line = String::new();
            // Writing to a string does not fail.
            let _ = write!(line, "{:>13.6} {what}", now as f64 / 1e9);
            lines.push(line);
        }
    }

    pub fn digest(&self) -> u64 {
        self.digest
    }

    pub fn into_lines(self) -> Option<Vec<String>> {
        self.lines
    }
}
