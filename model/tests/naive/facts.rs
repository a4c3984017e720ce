//! What is true of the actors, by their messages and by what was recorded of them, counted anew.

use super::*;

impl Ghost {
    /// The properties of what was acknowledged, allocated, opened.
    pub(super) fn violated(&self) -> Vec<&'static str> {
        let pairs = || (0..self.epochs.len()).flat_map(|b| (0..b).map(move |a| (a, b)));
        let both_open =
            || pairs().filter_map(|(a, b)| Some((a, self.opened[a].as_ref()?, b, self.opened[b].as_ref()?)));
        let older = |a: usize| self.allocated[..a].iter().flatten();
        let lost = both_open()
            .any(|(a, _, _, later)| self.allocated[a].iter().any(|&lsn| lsn <= self.acked[a] && !keeps(later, lsn)));
        let went_back = both_open().any(|(a, _, _, later)| self.exposed(a) > later.vdl);
        let resurrected =
            both_open().any(|(a, earlier, _, later)| older(a).any(|&lsn| !keeps(earlier, lsn) && keeps(later, lsn)));
        let forgot =
            both_open().any(|(a, earlier, _, later)| older(a).any(|&lsn| keeps(earlier, lsn) && !keeps(later, lsn)));
        let twice = pairs().any(|(a, b)| self.allocated[a].iter().any(|lsn| self.allocated[b].contains(lsn)));
        let uncovered = pairs().any(|(a, b)| {
            let Some(later) = &self.opened[b] else { return false };
            self.allocated[a].iter().any(|&lsn| lsn > later.vdl && lsn > later.range_end)
        });
        let repeated = pairs().any(|(a, b)| self.epochs[a] >= self.epochs[b]);
        let facts = [
            ("S1", lost),
            ("S3", went_back),
            ("S4", resurrected),
            ("S5", twice),
            ("S5b", uncovered),
            ("S7", forgot || repeated),
        ];
        facts.into_iter().filter_map(|(id, violated)| violated.then_some(id)).collect()
    }

    /// The VDL at which an instance has served its clients.
    pub(super) fn exposed(&self, i: usize) -> Lsn {
        self.opened[i].as_ref().map_or(Lsn::ZERO, |decision| decision.vdl.max(self.acked[i]))
    }

    /// S15: the segment holds what nobody allocated, or what the opened epoch that it serves annulled.
    pub(super) fn invents(&self, segment: &Segment<Bits>) -> bool {
        let image = segment.image();
        let held = || (1..=Bits::CAPACITY).map(Lsn).filter(|&lsn| image.held.contains(lsn));
        let exists = |lsn: Lsn| self.allocated.iter().flatten().any(|&known| known == lsn);
        let annulled = |lsn: Lsn| {
            self.opened.iter().enumerate().filter_map(|(i, d)| Some((i, d.as_ref()?))).any(|(i, d)| {
                let serves = d.ve == image.trunc_ve && d.ve == image.fenced;
                let of_an_older = self.allocated[..i].iter().flatten().any(|&old| old == lsn);
                let annuls = lsn <= d.range_end && !keeps(d, lsn);
                serves && of_an_older && !self.allocated[i].contains(&lsn) && annuls
            })
        };
        held().any(|lsn| !exists(lsn) || (is_live(image, lsn) && annulled(lsn)))
    }

    /// S13: the chain that the segment reports has a gap.
    pub(super) fn has_gap(&self, segment: &Segment<Bits>, rules: &Rules) -> bool {
        let image = segment.image();
        let scl = image.scl(rules);
        let served = (0..self.epochs.len()).filter(|&i| self.epochs[i] <= image.trunc_ve);
        let mut needed =
            served.flat_map(|i| &self.allocated[i]).filter(|&&lsn| lsn <= scl && !annuls(&image.ranges, lsn));
        segment.is_member() && needed.any(|&lsn| !image.held.contains(lsn))
    }
}

pub(super) fn annuls(ranges: &FewRanges, lsn: Lsn) -> bool {
    ranges.iter().any(|range| range.lo <= lsn && lsn <= range.hi)
}

pub(super) fn keeps(decision: &Decision<Bits>, lsn: Lsn) -> bool {
    lsn <= decision.vdl && !annuls(&decision.ranges, lsn)
}

pub(super) fn is_live(image: &Image<Bits>, lsn: Lsn) -> bool {
    image.held.contains(lsn) && !annuls(&image.ranges, lsn)
}

pub(super) fn repeats(entries: &[Entry<Bits>]) -> bool {
    (0..entries.len()).any(|i| entries[..i].contains(&entries[i]))
}

pub(super) fn join(sent: &mut Sent, more: &Sent) {
    sent.iter_mut().zip(more).for_each(|(word, more)| *word |= more);
}

pub(super) fn members(sent: &Sent) -> impl Iterator<Item = u16> + use<> {
    let mut words = *sent;
    let mut at = 0;
    std::iter::from_fn(move || {
        while at < words.len() && words[at] == 0 {
            at += 1;
        }
        let word = words.get_mut(at)?;
        let bit = word.trailing_zeros();
        *word &= *word - 1;
        Some((64 * at) as u16 + bit as u16)
    })
}

/// A request as the event of its segment, and who asks.
pub(super) fn request(message: &Message) -> Option<(segment::Event<Bits>, Option<u8>)> {
    match *message {
        Message::FenceRead { from, ve, .. } => Some((segment::Event::FenceRead { ve }, Some(from))),
        Message::Truncate { from, ve, ranges, .. } => Some((segment::Event::Truncate { ve, ranges }, Some(from))),
        Message::Write { from, ve, lsn, .. } => Some((segment::Event::Write { ve, lsn }, Some(from))),
        Message::Confirm { from, ve, nonce, .. } => Some((segment::Event::Confirm { ve, nonce }, Some(from))),
        Message::Gossip { trunc_ve, lsn, .. } => Some((segment::Event::Gossip { trunc_ve, lsn }, None)),
        Message::Fenced { .. }
        | Message::Truncated { .. }
        | Message::Acknowledged { .. }
        | Message::Confirmed { .. } => None,
    }
}

/// A reply as the event of its instance.
pub(super) fn reply_event(message: &Message) -> Option<instance::Event<Bits>> {
    match message.clone() {
        Message::Fenced { from, ve, answer, .. } => Some(instance::Event::Fenced { from, ve, answer }),
        Message::Truncated { from, ve, scl, .. } => Some(instance::Event::Truncated { from, ve, scl }),
        Message::Acknowledged { from, ve, lsn, scl, .. } => Some(instance::Event::Acknowledged { from, ve, lsn, scl }),
        Message::Confirmed { from, ve, nonce, .. } => Some(instance::Event::Confirmed { from, ve, nonce }),
        Message::FenceRead { .. }
        | Message::Truncate { .. }
        | Message::Write { .. }
        | Message::Confirm { .. }
        | Message::Gossip { .. } => None,
    }
}

pub(super) fn addressee(message: &Message) -> usize {
    match *message {
        Message::Fenced { to, .. }
        | Message::Truncated { to, .. }
        | Message::Acknowledged { to, .. }
        | Message::Confirmed { to, .. } => to.into(),
        _ => unreachable!("a request is no reply"),
    }
}
