//! Places to which a search in a beam goes back when nothing is left of it: somewhere before, it cut what it needed.
//!
//! It then goes on in a wider beam until it is past the place where it ended, at first from close by, then from further back and
//! wider. What it comes to is as good as if it had been wide all along. After a few times it gives up, as the history probably
//! has no linearization, which only a search that cuts nothing can show.

use super::front::Config;

/// Where a search was, with all configurations that it had before it cut.
#[derive(Clone)]
pub(super) struct Mark<const W: usize> {
    /// The next step.
    pub(super) place: usize,
    pub(super) returned: usize,
    pub(super) pending: Vec<u32>,
    pub(super) offered: Vec<u32>,
    pub(super) level: Vec<Config<W>>,
}

pub(super) struct Marks<const W: usize> {
    /// The first is the beginning.
    marks: Vec<Mark<W>>,
    beam: usize,
    /// So many returns are between two marks.
    spacing: usize,
    /// How often in a row it went back, and how many have to return before it is narrow again.
    times: u32,
    wide_until: usize,
}

/// So many marks are kept, and the last so many however many there are.
const MOST: usize = 32;
const LATEST: usize = 8;

/// So often in a row it goes back. Each time it is four times as wide, from twice as far.
const TIMES: u32 = 5;

impl<const W: usize> Marks<W> {
    pub(super) fn new(beam: usize, spacing: usize) -> Self {
        Self { marks: Vec::new(), beam, spacing, times: 0, wide_until: 0 }
    }

    /// How many configurations to go on with when so many have returned.
    pub(super) fn width(&self, returned: usize) -> usize {
        let wider = if returned < self.wide_until { 2 * self.times } else { 0 };
        self.beam.saturating_mul(1 << wider)
    }

    pub(super) fn is_due(&self, returned: usize) -> bool {
        self.beam < usize::MAX && returned.is_multiple_of(self.spacing)
    }

    pub(super) fn put(&mut self, mark: Mark<W>) {
        self.marks.push(mark);
        if self.marks.len() > MOST {
            let mut number = 0;
            // Every other one of the older ones, but the beginning.
            self.marks.retain(|_| {
                number += 1;
                number % 2 == 1 || number > MOST + 1 - LATEST
            });
        }
    }

    pub(super) fn levels(&mut self) -> impl Iterator<Item = &mut Config<W>> {
        self.marks.iter_mut().flat_map(|mark| &mut mark.level)
    }

    /// Where to go back to when it ended after so many returns.
    pub(super) fn before(&mut self, returned: usize) -> Option<Mark<W>> {
        self.times = if returned < self.wide_until { self.times + 1 } else { 1 };
        if self.times > TIMES {
            return None;
        }
        self.wide_until = self.wide_until.max(returned + self.spacing);
        let back = self.spacing << self.times;
        while self.marks.len() > 1 && self.marks.last().is_some_and(|mark| mark.returned + back > returned) {
            self.marks.pop();
        }
        self.marks.last().cloned()
    }
}
