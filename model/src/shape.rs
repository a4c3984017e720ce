//! The shape of a group: a named abstraction that gives a run of any length a finite number of states, and the same ones to the
//! closed world ([`crate::world::World`]) as to a run that is looked at whole.
//!
//! * Only the writer that opened last is kept, and of those after it only whether there is one; older ones are dropped.
//! * LSNs above its VDL are renamed 1, 2, … in their order; those up to the VDL are dropped, but for whether a copy is complete up
//!   to it. So a writer's hundredth record is like its first.
//! * Epochs are renamed *older*, *its own*, *newer*.
//! * Copies have no names: states that differ only in them are one.
//!
//! What a copy has appended counts, synced or not: the closed world does both in one action where nothing crashes.

use std::cmp::Ordering;

use crate::logset::LogSet;
use crate::rules::Rules;
use crate::scene::{Scene, opened};
use crate::segment::Segment;
use crate::types::{Epoch, Lsn};

/// More copies than any scheme has.
const COPIES_MAX: usize = 8;
/// Records above the VDL that a shape tells apart.
pub const IN_FLIGHT_TOLD: u64 = 2;

/// What is left of a state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Shape {
    /// Somebody has taken the volume after the writer that opened last.
    pub is_contested: bool,
    /// Records that it has allocated and not acknowledged; 255 stands for all greater numbers.
    pub in_flight: u8,
    /// Sorted; what is not there is [`Copy::ABSENT`].
    copies: [Copy; COPIES_MAX],
}

/// One copy, in the terms of the writer that opened last: two bits each for the epochs that it has promised and cut at, one for
/// whether its chain reaches the VDL, one for each record above it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Copy(u8);

impl Copy {
    /// Down, lost, or not of the group.
    const ABSENT: Copy = Copy(u8::MAX);

    fn of<L: LogSet>(rules: &Rules, segment: &Segment<L>, ve: Epoch, vdl: Lsn) -> Copy {
        let image = segment.image();
        let rank = |epoch: Epoch| match epoch.cmp(&ve) {
            Ordering::Less => 0,
            Ordering::Equal => 1,
            Ordering::Greater => 2,
        };
        let is_complete = u8::from(image.scl(rules) >= vdl);
        let above = (1..=IN_FLIGHT_TOLD).map(|n| image.is_live(vdl.plus(n)));
        let above = above.enumerate().fold(0, |bits, (n, is_there)| bits | u8::from(is_there) << n);
        Copy(rank(image.fenced) | rank(image.trunc_ve) << 2 | is_complete << 4 | above << 5)
    }
}

impl Shape {
    /// Of a state; none before anybody has opened the volume.
    ///
    /// # Panics
    /// If there are more than eight copies.
    #[must_use]
    pub fn of<S: Scene>(rules: &Rules, scene: &S) -> Option<Shape> {
        assert!(scene.segments() <= COPIES_MAX, "{} copies", scene.segments());
        let (last, decision) = opened(scene).next_back()?;
        let (ve, vdl) = (scene.ve(last), scene.vdl(last));
        let mut copies = [Copy::ABSENT; COPIES_MAX];
        for (number, copy) in copies.iter_mut().enumerate().take(scene.segments()) {
            *copy = scene.segment(number).map_or(Copy::ABSENT, |segment| Copy::of(rules, segment, ve, vdl));
        }
        copies.sort_unstable();
        let in_flight = scene.next(last).0.saturating_sub(vdl.0.max(decision.first.0.saturating_sub(1)) + 1);
        Some(Shape {
            is_contested: last + 1 < scene.incarnations(),
            in_flight: u8::try_from(in_flight).unwrap_or(u8::MAX),
            copies,
        })
    }
}
