//! What the steps of the closed world touch, for [`crate::partial_order`].
//!
//! A delivery to a segment reads or moves its *gate* (epochs and ranges) and adds to what it *holds*; its reply adds to the
//! *acknowledgements* of an instance, and with them the instance may *open*. Answers to FENCE_READ do not commute: those that
//! complete the read quorum decide. Steps that are not possible yet are declared with what must change first: a recovery must be
//! begun, decide, open, or a segment must be truncated. Of several such conditions one is enough.
//!
//! Whether an old writer commits before a newer one opens or after it makes no difference here but to S9, which asks for just
//! that. It is not judged on a reduced space, and need not be: what breaks it breaks S1 in the same state, and S1 stays broken.
//!
//! Nothing is declared, and so nothing is reduced, while a client read is possible or waits, and under rules by which a reply may
//! leave before what it says is synced, an old request is served, or an epoch is used twice.

use crate::action::Action;
use crate::bounds::Bounds;
use crate::instance::Phase;
use crate::logset::LogSet;
use crate::partial_order::Footprint;
use crate::rules::Rules;
use crate::types::{Epoch, Lsn, SegmentId};
use crate::world::{EPOCHS_MAX, World, members};

/// The most segments that a gate and what it holds have places for.
const SEGMENTS: usize = 8;

fn gate(segment: usize) -> u64 {
    1 << segment
}

fn held(segment: usize) -> u64 {
    1 << (SEGMENTS + segment)
}

/// Acknowledgements and truncations that an instance has counted.
fn counted(instance: usize) -> u64 {
    1 << (2 * SEGMENTS + instance)
}

/// What a recovery has heard, and whether it has decided.
fn heard(instance: usize) -> u64 {
    counted(instance) << EPOCHS_MAX
}

fn opened(instance: usize) -> u64 {
    heard(instance) << EPOCHS_MAX
}

fn allocated(instance: usize) -> u64 {
    opened(instance) << EPOCHS_MAX
}

/// What may be gossiped within a truncation epoch.
fn offered(epoch: Epoch) -> u64 {
    allocated(0) << EPOCHS_MAX << (epoch.0 as usize).min(EPOCHS_MAX - 1)
}

const VOLUME_EPOCH: u64 = 1 << 63;

/// Declares the steps of one state.
struct Declared<'a, const N: usize> {
    world: &'a World<N>,
    rules: &'a Rules,
    bounds: &'a Bounds,
    enabled: &'a [Action],
    steps: Vec<Footprint>,
    /// The first segment that is interchangeable with each: actions are named for it alone.
    stands_for: [usize; N],
    /// Whether faults may still undo what was done.
    may_fail: bool,
}

impl<const N: usize> World<N> {
    /// What every step that may still be taken touches; none where nothing is declared. `enabled` are the actions possible now.
    pub(crate) fn footprints(&self, rules: &Rules, bounds: &Bounds, enabled: &[Action]) -> Option<Vec<Footprint>> {
        let reads = bounds.reads > 0;
        let is_told = !reads && rules.refuses_stale() && !rules.may_reply_before_sync() && rules.raises_epochs();
        if !is_told || N > SEGMENTS {
            return None;
        }
        let may_fail = self.spent.wipes < bounds.wipes || self.spent.crashes < bounds.crashes;
        let mut stands_for = std::array::from_fn(|n| n);
        for n in 1..N {
            if !self.is_representative(bounds, n) {
                stands_for[n] = stands_for[n - 1];
            }
        }
        let mut declared = Declared { world: self, rules, bounds, enabled, steps: Vec::new(), stands_for, may_fail };
        declared.declare();
        Some(declared.steps)
    }
}

impl<const N: usize> Declared<'_, N> {
    fn declare(&mut self) {
        let next = self.world.instances.len();
        if next <= self.bounds.recoveries.into() {
            self.possible(Action::Recover, Footprint { writes: VOLUME_EPOCH, ..Footprint::default() });
            self.of_a_recovery_to_come(next);
        }
        for i in 0..next {
            self.of_instance(i);
        }
        for n in 0..N {
            self.of_segment(n);
        }
    }

    /// A step that is possible if its action is among the enabled ones.
    fn possible(&mut self, action: Action, step: Footprint) {
        let action = self.enabled.iter().position(|own| *own == action);
        if action.is_some() {
            self.steps.push(Footprint { action, ..step });
        }
    }

    fn later(&mut self, guards: u64, step: Footprint) {
        if guards != 0 {
            self.steps.push(Footprint { guards, ..step });
        }
    }

    /// The segment for which actions at `n` are named.
    fn named(&self, n: usize) -> SegmentId {
        SegmentId(self.stands_for[n] as u8)
    }

    /// Whether a segment never again does what an instance of this epoch asks.
    fn is_deaf(&self, n: usize, ve: Epoch) -> bool {
        let segment = &self.world.segments[n];
        let may_rejoin = self.rules.rejoins_after_wipe();
        (!segment.is_member() && !may_rejoin) || (segment.disk().image().fenced > ve && !(may_rejoin && self.may_fail))
    }

    // --- instances ---------------------------------------------------------------------------------------------------

    fn of_a_recovery_to_come(&mut self, i: usize) {
        let ve = self.rules.next_epoch(self.world.metadata.volume_epoch);
        for n in 0..N {
            self.later(VOLUME_EPOCH, self.fence(i, n));
            self.later(heard(i), self.truncate(i, n, ve));
            self.later(gate(n), self.write(i, n, ve, None));
        }
        self.decides_and_allocates(i);
    }

    fn of_instance(&mut self, i: usize) {
        let (instance, ve) = (&self.world.instances[i], self.world.instances[i].ve());
        if *instance.phase() == Phase::Deposed {
            return;
        }
        let is_reading = matches!(instance.phase(), Phase::Reading(_));
        let is_open = instance.writer().is_some();
        let wants_more = !is_open || self.world.wants_to_allocate(self.bounds, i);
        for n in 0..N {
            if self.is_deaf(n, ve) {
                continue;
            }
            let segment = self.named(n);
            let at = i as u8;
            self.possible(Action::FenceRead { instance: at, segment }, self.fence(i, n));
            self.possible(Action::Truncate { instance: at, segment }, self.truncate(i, n, ve));
            let is_installed = self.world.segments[n].image().trunc_ve == ve;
            // A fault may undo what was done.
            let again = if self.may_fail { gate(n) | held(n) } else { 0 };
            self.later(again, self.fence(i, n));
            if is_reading {
                self.later(heard(i), self.truncate(i, n, ve));
            } else {
                self.later(again, self.truncate(i, n, ve));
            }
            for &action in self.enabled {
                if let Action::Write { instance, segment: to, lsn } = action
                    && (usize::from(instance), to) == (i, segment)
                {
                    self.possible(action, self.write(i, n, ve, Some(lsn)));
                }
            }
            // Of what must change first, one place is enough, and the nearest one is best.
            let guards = match (is_installed, wants_more) {
                (false, _) => gate(n),
                (true, true) => counted(i) | opened(i) | allocated(i) | again,
                (true, false) => again,
            };
            self.later(guards, self.write(i, n, ve, None));
        }
        if is_reading || wants_more {
            self.decides_and_allocates(i);
        }
    }

    /// What an instance does by itself, where it does not do it at once.
    fn decides_and_allocates(&mut self, i: usize) {
        let instance = i as u8;
        if self.bounds.late_answers.is_on() {
            let decide = Footprint { reads: heard(i), writes: heard(i), ..Footprint::default() };
            self.possible(Action::Decide { instance }, decide);
            self.later(heard(i) | VOLUME_EPOCH, decide);
        }
        if self.bounds.idle_writers.is_on() {
            let allocate = Footprint { reads: counted(i) | opened(i), writes: allocated(i), ..Footprint::default() };
            self.possible(Action::Allocate { instance }, allocate);
            self.later(counted(i) | opened(i) | allocated(i), allocate);
        }
    }

    fn fence(&self, i: usize, n: usize) -> Footprint {
        let waits = self.world.instances.get(i).is_none_or(|own| matches!(own.phase(), Phase::Reading(_)));
        if !waits {
            return Footprint { writes: gate(n), ..Footprint::default() };
        }
        // A recovery that too few copies can still answer is given up, and then asks nobody any more.
        let gates: u64 = (0..N).map(gate).sum();
        Footprint { reads: held(n) | gates, writes: gate(n) | heard(i), ..Footprint::default() }
    }

    fn truncate(&self, i: usize, n: usize, ve: Epoch) -> Footprint {
        Footprint {
            reads: heard(i),
            writes: gate(n) | held(n),
            adds: counted(i) | opened(i) | self.offers(ve, None),
            ..Footprint::default()
        }
    }

    /// A record of instance `i` reaches segment `n`: `lsn`, or any that is still to come.
    fn write(&self, i: usize, n: usize, ve: Epoch, lsn: Option<Lsn>) -> Footprint {
        Footprint {
            reads: gate(n),
            adds: held(n) | counted(i) | opened(i) | self.offers(ve, lsn),
            ..Footprint::default()
        }
    }

    /// Whether this may add to what is offered within an epoch.
    fn offers(&self, ve: Epoch, lsn: Option<Lsn>) -> u64 {
        let own = self.world.offered.get(ve.0 as usize);
        let is_known = match (own, lsn) {
            (Some(own), Some(lsn)) => own.contains(lsn),
            (Some(own), None) => self.nothing_is_new_to(own),
            (None, _) => false,
        };
        if self.bounds.gossip.is_on() && !is_known { offered(ve) } else { 0 }
    }

    /// Whether everything that exists, or ever will, is in this set.
    fn nothing_is_new_to(&self, set: &impl LogSet) -> bool {
        let world = self.world;
        let all_is_allocated = world.instances.len() > usize::from(self.bounds.recoveries)
            && (0..world.instances.len()).all(|i| match world.instances[i].phase() {
                Phase::Reading(_) | Phase::Installing { .. } => false,
                Phase::Open(_) => !world.wants_to_allocate(self.bounds, i),
                Phase::Deposed => true,
            });
        let records = || world.segments.iter().flat_map(|segment| members(&segment.image().held));
        let sent = || world.instances.iter().flat_map(|instance| world.sent_by(instance));
        all_is_allocated && records().chain(sent()).all(|lsn| set.contains(lsn))
    }

    // --- segments ----------------------------------------------------------------------------------------------------

    fn of_segment(&mut self, n: usize) {
        let segment = self.named(n);
        // A fault is in no order with anything: what is forgotten of an instance depends on every segment's fence.
        let fault = Footprint { writes: u64::MAX, ..Footprint::default() };
        for &action in self.enabled {
            match action {
                Action::Wipe { segment: at } | Action::Crash { segment: at, .. } if at == segment => {
                    self.possible(action, fault);
                }
                _ => {}
            }
        }
        if self.bounds.gossip.is_on() {
            (0..EPOCHS_MAX).for_each(|epoch| self.of_gossip(n, Epoch(epoch as u32)));
        }
    }

    fn of_gossip(&mut self, n: usize, t: Epoch) {
        let (world, image) = (self.world, self.world.segments[n].image());
        if !world.segments[n].is_member() && !self.rules.rejoins_after_wipe() {
            return;
        }
        let everywhere = !self.rules.gossips_only_within_a_truncation();
        let is_there = everywhere || image.trunc_ve == t;
        let of_epoch = |own: &crate::instance::Instance<_, N>| own.ve() == t && *own.phase() != Phase::Deposed;
        let next = world.instances.len();
        let begins =
            next <= usize::from(self.bounds.recoveries) && self.rules.next_epoch(world.metadata.volume_epoch) <= t;
        let comes = begins || (world.instances.iter().any(of_epoch) && !self.is_deaf(n, t)) || self.may_fail;
        let owner = world.instances.iter().position(|own| own.ve() == t);
        // What a peer tells a segment is acknowledged to the writer of the epoch, unless a newer one has fenced it.
        let tells = owner.filter(|_| everywhere || !self.is_deaf(n, t));
        let step = Footprint {
            reads: gate(n),
            adds: held(n)
                | tells.map_or(0, |i| counted(i) | opened(i))
                | if everywhere { (0..EPOCHS_MAX).map(|e| offered(Epoch(e as u32))).sum() } else { 0 },
            ..Footprint::default()
        };
        let segment = self.named(n);
        for &action in self.enabled {
            if let Action::Gossip { trunc_ve, segment: at, .. } = action
                && (trunc_ve, at) == (t, segment)
            {
                self.possible(action, step);
            }
        }
        match (is_there, everywhere || self.may_fail) {
            (true, false) => self.later(offered(t), step),
            (true, true) => self.later(offered(t) | gate(n), step),
            (false, _) if comes => self.later(gate(n), step),
            (false, _) => {}
        }
    }
}
