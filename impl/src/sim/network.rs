//! The network between the processes: how long a message takes, whether it comes, and how often.
//!
//! Messages overtake each other; what was sent may come again much later, when its connection is long gone.

use super::agenda::{MICROSECOND, Nanos};
use super::{COPIES, ZONES};
use crate::random::Random;

/// One end of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Node(usize),
    Writer(usize),
    Metadata,
    Client,
}

/// Parts in a million.
pub(super) const MILLION: u64 = 1_000_000;

/// How the network is while nothing is wrong with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Latencies {
    /// Least and greatest, one way, within a zone.
    pub within: (Nanos, Nanos),
    /// Added between zones.
    pub across: Nanos,
}

/// What is wrong with it now.
#[derive(Clone, Debug, Default)]
pub(super) struct Trouble {
    /// Parts in a million that are lost; that come twice.
    pub lost: u64,
    pub twice: u64,
    /// How much later the second one comes, at most.
    pub late: Nanos,
    /// Every message takes so many times as long.
    pub slower: u64,
}

pub(super) struct Network {
    random: Random,
    latencies: Latencies,
    pub trouble: Trouble,
    /// By sender, the receivers that it does not reach, as bits; how many partitions block a pair.
    blocked: Box<[[u8; PLACES]; PLACES]>,
    pub carried: u64,
    pub dropped: u64,
    pub doubled: u64,
}

/// The nodes, the metadata service, all clients, and the writers, which share places in turn.
pub(super) const PLACES: usize = 32;
const WRITERS_FROM: usize = COPIES + 2;
pub(super) const WRITER_PLACES: usize = PLACES - WRITERS_FROM;

/// When a message comes: once, twice or never.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Arrivals {
    pub first: Option<Nanos>,
    pub second: Option<Nanos>,
}

impl Place {
    pub fn index(self) -> usize {
        match self {
            Place::Node(node) => node,
            Place::Metadata => COPIES,
            Place::Client => COPIES + 1,
            Place::Writer(writer) => WRITERS_FROM + writer % WRITER_PLACES,
        }
    }

    fn zone(self) -> Option<usize> {
        match self {
            Place::Node(node) => Some(node / (COPIES / ZONES)),
            Place::Writer(writer) => Some(writer % ZONES),
            Place::Metadata | Place::Client => None,
        }
    }
}

impl Network {
    pub fn new(seed: u64, latencies: Latencies) -> Self {
        Network {
            random: Random::new(seed, "network"),
            latencies,
            trouble: Trouble { slower: 1, ..Trouble::default() },
            blocked: Box::new([[0; PLACES]; PLACES]),
            carried: 0,
            dropped: 0,
            doubled: 0,
        }
    }

    /// Messages from `from` to `to` are lost until the same is unblocked.
    pub fn block(&mut self, from: Place, to: Place) {
        self.blocked[from.index()][to.index()] += 1;
    }

    pub fn unblock(&mut self, from: Place, to: Place) {
        let count = &mut self.blocked[from.index()][to.index()];
        *count = count.saturating_sub(1);
    }

    pub fn is_blocked(&self, from: Place, to: Place) -> bool {
        self.blocked[from.index()][to.index()] > 0
    }

    /// Sends a message now.
    pub fn send(&mut self, from: Place, to: Place, now: Nanos) -> Arrivals {
        if self.is_blocked(from, to) || (self.trouble.lost > 0 && self.random.draw() % MILLION < self.trouble.lost) {
            self.dropped += 1;
            return Arrivals::default();
        }
        self.carried += 1;
        let first = Some(now + self.delay(from, to));
        let comes_twice = self.trouble.twice > 0 && self.random.draw() % MILLION < self.trouble.twice;
        let second = comes_twice.then(|| {
            self.doubled += 1;
            now + self.delay(from, to) + self.random.draw() % (self.trouble.late + 1)
        });
        Arrivals { first, second }
    }

    fn delay(&mut self, from: Place, to: Place) -> Nanos {
        let (least, most) = self.latencies.within;
        let across = from.zone().zip(to.zone()).is_some_and(|(a, b)| a != b);
        let draw = self.random.draw();
        let delay = least + draw % (most - least + 1) + if across { self.latencies.across } else { 0 };
        // One in 128 is far behind the others.
        let tail = if draw >> 57 == 0 { 8 } else { 1 };
        (delay * tail * self.trouble.slower).max(MICROSECOND)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::agenda::MILLISECOND;

    fn network() -> Network {
        Network::new(1, Latencies { within: (MILLISECOND, 2 * MILLISECOND), across: MILLISECOND })
    }

    #[test]
    fn what_is_blocked_twice_is_unblocked_twice_and_one_way() {
        let mut network = network();
        let (a, b) = (Place::Node(0), Place::Writer(3));
        network.block(a, b);
        network.block(a, b);
        network.unblock(a, b);
        assert!(network.send(a, b, 0).first.is_none());
        assert!(network.send(b, a, 0).first.is_some(), "the other way is open");
        network.unblock(a, b);
        assert!(network.send(a, b, 0).first.is_some());
        assert_eq!((network.carried, network.dropped), (2, 1));
    }

    #[test]
    fn trouble_loses_and_doubles() {
        let mut network = network();
        network.trouble = Trouble { lost: MILLION / 2, twice: MILLION / 2, late: 0, slower: 1 };
        for _ in 0..1000 {
            network.send(Place::Node(0), Place::Node(5), 0);
        }
        assert!((400..600).contains(&network.dropped), "{}", network.dropped);
        assert!((150..350).contains(&network.doubled), "{}", network.doubled);
    }
}
