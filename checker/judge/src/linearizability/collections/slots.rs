//! Where in the order of invocations an operation can take effect.
//!
//! *Slot* `s` is the time between invocation number `s` among the candidates and the next. An operation can take effect in
//! every slot from that of its own invocation, which is its position, to the last one that begins before it returns.
//! One operation returned before another was invoked iff its last slot lies before the other's first, so slots say
//! all that event numbers say, and are dense.

use std::ops::Range;

use crate::linearizability::prune::Candidate;

/// The last slot of an operation that never has to take effect.
pub(super) const NEVER: u32 = u32::MAX;

/// The slots in which an operation can take effect, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Window {
    pub(super) first: u32,
    pub(super) last: u32,
}

/// One window a candidate. `None` for more candidates than there are numbers.
pub(super) fn windows(candidates: &[Candidate<'_>]) -> Option<Vec<Window>> {
    if candidates.len() >= NEVER as usize {
        return None;
    }
    let invoked: Vec<usize> = candidates.iter().map(|candidate| candidate.invoked).collect();
    let window = |(first, candidate): (usize, &Candidate<'_>)| {
        let last = candidate.deadline.map_or(NEVER, |deadline| last_before(&invoked, first, deadline) as u32);
        Window { first: first as u32, last }
    };
    Some(candidates.iter().enumerate().map(window).collect())
}

/// The last of the ascending `invoked` that is less than `deadline`, given one of them: it is not far away, because few
/// operations are pending at once.
fn last_before(invoked: &[usize], from: usize, deadline: usize) -> usize {
    let (mut low, mut step) = (from, 1);
    while invoked.get(low + step).is_some_and(|event| *event < deadline) {
        low += step;
        step *= 2;
    }
    let beyond = &invoked[low..invoked.len().min(low + step)];
    low + beyond.partition_point(|event| *event < deadline).max(1) - 1
}

/// An element was there for certain in these slots: it was put in by `enter.last` at the latest, and taken out in
/// `leave.first` at the earliest. Both windows are tight. Empty where the element can come and go within one slot.
pub(super) fn presence(enter: Window, leave: Window) -> Range<u32> {
    enter.last.saturating_add(1)..leave.first
}

/// Which slots are covered by presences, and how far each reaches.
pub(super) struct Cover {
    /// Slot `s` to the greatest end of the presences that began by `s`, be it over or not.
    reach: Vec<u32>,
    /// Slot `s` to the first slot from `s` on that nothing covers.
    gaps: Vec<u32>,
}

impl Cover {
    /// `slots` counts them; presences may go up to it.
    pub(super) fn new(presences: impl Iterator<Item = Range<u32>>, slots: usize) -> Self {
        let mut reach = vec![0; slots + 1];
        for presence in presences {
            if let Some(reach) = reach.get_mut(presence.start as usize) {
                *reach = presence.end.max(*reach);
            }
        }
        for slot in 1..=slots {
            reach[slot] = reach[slot].max(reach[slot - 1]);
        }
        let mut gaps: Vec<u32> = (0..=slots as u32).collect();
        for slot in (0..slots).rev() {
            if reach[slot] > slot as u32 {
                gaps[slot] = gaps[slot + 1];
            }
        }
        Self { reach, gaps }
    }

    pub(super) fn reach(&self, slot: u32) -> u32 {
        self.reach[slot as usize]
    }

    /// The first slot of the window that nothing covers.
    pub(super) fn gap(&self, window: Window) -> Option<u32> {
        let gap = self.gaps[window.first as usize];
        (gap <= window.last).then_some(gap)
    }
}

/// A few of the numbered presences that cover every slot of the window, if all of them do.
pub(super) fn chain(presences: impl Iterator<Item = (u32, Range<u32>)>, window: Window) -> Option<Vec<u32>> {
    let mut near: Vec<(u32, Range<u32>)> = presences
        .filter(|(_, presence)| presence.start <= window.last && presence.end > window.first && !presence.is_empty())
        .collect();
    near.sort_unstable_by_key(|(_, presence)| presence.start);
    let mut near = near.into_iter().peekable();
    let (mut links, mut slot, mut longest) = (Vec::new(), window.first, None);
    while slot <= window.last {
        while let Some((id, presence)) = near.next_if(|(_, presence)| presence.start <= slot) {
            if longest.is_none_or(|(_, end)| presence.end > end) {
                longest = Some((id, presence.end));
            }
        }
        let (link, end) = longest.filter(|(_, end)| *end > slot)?;
        links.push(link);
        slot = end;
    }
    Some(links)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_invocation_before_a_return() {
        let invoked = [0, 1, 2, 5, 6, 7, 8, 20];
        for from in 0..invoked.len() {
            for deadline in invoked[from] + 1..25 {
                let slow = (0..invoked.len()).rev().find(|slot| invoked[*slot] < deadline).unwrap();
                assert_eq!(last_before(&invoked, from, deadline), slow, "{from} {deadline}");
            }
        }
    }

    #[test]
    fn gaps_in_a_cover() {
        let cover = Cover::new([2..4, 3..7, 9..12, 5..5].into_iter(), 12);
        let gap = |first, last| cover.gap(Window { first, last });
        assert_eq!((gap(0, 12), gap(2, 6), gap(2, 7), gap(9, 11)), (Some(0), None, Some(7), None));
        assert_eq!(gap(10, NEVER), Some(12));
        assert_eq!((cover.reach(1), cover.reach(2), cover.reach(8)), (0, 4, 7));
    }

    #[test]
    fn a_chain_covers_with_few_links() {
        let presences = || [(0, 2..4), (1, 3..7), (2, 2..5), (3, 6..9), (4, 4..4)].into_iter();
        assert_eq!(chain(presences(), Window { first: 2, last: 8 }), Some(vec![2, 1, 3]));
        assert_eq!(chain(presences(), Window { first: 2, last: 9 }), None);
        assert_eq!(chain(presences(), Window { first: 3, last: 6 }), Some(vec![1]));
    }
}
