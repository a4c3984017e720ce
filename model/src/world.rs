//! The closed world: segments, writer incarnations, the metadata record, and a network that keeps what was sent.
//!
//! The network is monotone: what was sent stays deliverable for ever, which contains loss, delay, duplication and
//! reordering. The world *stores no messages*: a request is regenerated from what its sender has done (the LSNs an
//! instance allocated, the decision a recovery made, the records a segment ever held under a truncation epoch), and a
//! reply is absorbed in the action that causes it.
//!
//! Reductions, each compared with a world of explicit messages in `tests/naive/`:
//! * *Append and sync are one action* where nothing leaves between them: an unsynced record that a crash loses is a
//!   message that was not delivered. Where a mutant lets a reply leave first, `Sync` stays an action of its own.
//! * *Replies are absorbed at once.* Every acknowledgement that could count counts as early as possible, which is the worst
//!   case for durability; a reply that is lost is a request that was not yet delivered, because requests may be repeated.
//!   Refusals are lost: they only make a writer stop, and any writer may stop anyway.
//! * *Commits and openings are eager*: they follow from the acknowledgements counted.
//! * *Symmetry*: see [`World::canonical`].

use crate::action::Action;
use crate::bounds::Bounds;
use crate::disk::Image;
use crate::instance::{self, Instance, Phase};
use crate::logset::{Bits, LogSet};
use crate::metadata::{Change, Metadata};
use crate::recovery::Decision;
use crate::rules::Rules;
use crate::scene::{self, Scene};
use crate::segment::{self, Reply, Segment};
use crate::steps::{self, Breach};
use crate::types::{Epoch, Lsn, SegmentId, SegmentSet};
use std::cmp::Ordering;

/// Volume epochs that an exploration may reach lie below: epoch 1 and those of four recoveries.
pub const EPOCHS_MAX: usize = 6;

/// One state of the closed world with `N` segments.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct World<const N: usize> {
    pub segments: [Segment<Bits>; N],
    /// Writer incarnations in the order in which they took the volume. An old one may act at any time.
    pub instances: Vec<Instance<Bits, N>>,
    pub metadata: Metadata,
    /// By truncation epoch: the records that some segment held while that was its last truncation, and may have gossiped.
    pub(crate) offered: [Bits; EPOCHS_MAX],
    /// The client read that waits.
    pub read: Option<ClientRead>,
    pub spent: Spent,
    pub breaches: Breaches,
}

/// A client's read that was invoked and has not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientRead {
    pub instance: u8,
    /// The highest commit that any instance had acknowledged when the read was invoked.
    pub floor: Lsn,
}

/// How much of the fault and client budgets is used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Spent {
    pub crashes: u8,
    pub wipes: u8,
    pub reads: u8,
    /// Reads that were answered.
    pub answered: u8,
}

/// Properties of two successive states that some step on the way here broke. In the adopted protocol it stays empty and so
/// adds no states.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Breaches(pub(crate) u8);

impl Breaches {
    #[must_use]
    pub fn contains(self, breach: Breach) -> bool {
        self.0 >> breach as u8 & 1 == 1
    }

    fn insert(&mut self, breach: Breach) {
        self.0 |= 1 << breach as u8;
    }

    fn extend(&mut self, breaches: impl IntoIterator<Item = Breach>) {
        breaches.into_iter().for_each(|breach| self.insert(breach));
    }
}

impl<const N: usize> Scene for World<N> {
    type Log = Bits;

    fn segments(&self) -> usize {
        N
    }

    fn segment(&self, segment: usize) -> Option<&Segment<Bits>> {
        self.segments.get(segment)
    }

    fn incarnations(&self) -> usize {
        self.instances.len()
    }

    fn ve(&self, incarnation: usize) -> Epoch {
        self.instances[incarnation].ve()
    }

    fn opened(&self, incarnation: usize) -> Option<&Decision<Bits>> {
        Some(&self.instances[incarnation].writer()?.decision)
    }

    fn next(&self, incarnation: usize) -> Lsn {
        self.instances[incarnation].writer().map(|writer| writer.next).unwrap_or_default()
    }

    fn vdl(&self, incarnation: usize) -> Lsn {
        self.instances[incarnation].writer().map(|writer| writer.vdl).unwrap_or_default()
    }
}

impl<const N: usize> World<N> {
    /// A new volume with its first writer.
    #[must_use]
    pub fn created(rules: &Rules, bounds: &Bounds) -> Self {
        let mut world = World {
            segments: std::array::from_fn(|_| Segment::created()),
            instances: vec![Instance::first()],
            metadata: Metadata::of_a_new_volume(),
            offered: [Bits::default(); EPOCHS_MAX],
            read: None,
            spent: Spent::default(),
            breaches: Breaches::default(),
        };
        world.allocate_eagerly(rules, bounds);
        world.forget(rules, bounds);
        world
    }

    /// The state after `action`; none if the action is not possible or changes nothing.
    #[must_use]
    pub fn after(&self, rules: &Rules, bounds: &Bounds, action: Action) -> Option<Self> {
        if self.is_ignored(rules, action) {
            return None;
        }
        let mut next = self.clone();
        next.apply(rules, bounds, action)?;
        next.allocate_eagerly(rules, bounds);
        next.forget(rules, bounds);
        (next != *self).then_some(next)
    }

    /// An instance takes an event that no action of this world stands for: an area that is built on this one says when.
    #[cfg_attr(not(feature = "stateright"), expect(dead_code, reason = "clients are explored with stateright"))]
    pub(crate) fn serve(&mut self, rules: &Rules, bounds: &Bounds, instance: u8, event: instance::Event<Bits>) {
        self.step(rules, instance, event);
        self.forget(rules, bounds);
    }

    /// Every action that could be possible; [`World::after`] tells which are. Of interchangeable segments only the first is
    /// named when `bounds` reduce by symmetry.
    pub fn candidates(&self, bounds: &Bounds, mut take: impl FnMut(Action)) {
        self.candidates_until(bounds, &mut |action| {
            take(action);
            false
        });
    }

    /// The records that an instance has sent or may send.
    pub(crate) fn sent_by<'a>(&self, instance: &'a Instance<Bits, N>) -> impl Iterator<Item = Lsn> + use<'a, N> {
        sent_records(instance)
    }

    /// The instance that took the volume last.
    #[must_use]
    pub fn newest(&self) -> usize {
        self.instances.len() - 1
    }

    /// Whether something can still happen without a fault, without an older writer and without another recovery.
    #[must_use]
    pub fn may_progress(&self, rules: &Rules, bounds: &Bounds) -> bool {
        self.candidates_until(bounds, &mut |action| {
            self.is_fault_free(action) && self.after(rules, bounds, action).is_some()
        })
    }

    /// The state that stands for all states that differ from this one only in the names of the segments, and where each of
    /// its segments comes from: copy `to` was copy `sources[to]`.
    ///
    /// Everything that names a segment, here and in every instance, is indexed by it; so a world is a multiset of columns
    /// beside what names none, and sorting the columns is an exact canonical form. Nothing modelled names a zone.
    #[must_use]
    pub fn canonical(mut self) -> (Self, [usize; N]) {
        let mut sources: [usize; N] = std::array::from_fn(|i| i);
        if (1..N).all(|i| self.compare_columns(i - 1, i) != Ordering::Greater) {
            return (self, sources);
        }
        sources.sort_by(|&a, &b| self.compare_columns(a, b));
        self.permute(&sources);
        (self, sources)
    }

    /// The same state with the segments renamed: copy `to` was copy `sources[to]`.
    #[must_use]
    pub fn permuted(&self, sources: &[usize; N]) -> Self {
        let mut permuted = self.clone();
        permuted.permute(sources);
        permuted
    }

    fn permute(&mut self, sources: &[usize; N]) {
        self.segments = std::array::from_fn(|to| self.segments[sources[to]].clone());
        for instance in &mut self.instances {
            *instance = instance.permuted(sources);
        }
    }

    fn compare_columns(&self, a: usize, b: usize) -> Ordering {
        let by_instance = || self.instances.iter().map(|instance| instance.compare_columns(a, b));
        self.segments[a]
            .cmp(&self.segments[b])
            .then_with(|| by_instance().find(|o| o.is_ne()).unwrap_or(Ordering::Equal))
    }

    fn is_fault_free(&self, action: Action) -> bool {
        match action {
            Action::Gossip { .. } | Action::Sync { .. } => true,
            Action::FenceRead { instance, .. }
            | Action::Decide { instance }
            | Action::Truncate { instance, .. }
            | Action::Allocate { instance }
            | Action::Write { instance, .. }
            | Action::Confirm { instance, .. } => usize::from(instance) == self.newest(),
            Action::Recover
            | Action::Crash { .. }
            | Action::Wipe { .. }
            | Action::Read { .. }
            | Action::BeginRound { .. } => false,
        }
    }

    // --- candidates ----------------------------------------------------------------------------------------------

    /// Names candidates until `take` says to stop; whether it did.
    fn candidates_until(&self, bounds: &Bounds, take: &mut impl FnMut(Action) -> bool) -> bool {
        let acting: SegmentSet = SegmentId::all(N).filter(|s| self.is_representative(bounds, s.index())).collect();
        (0..self.instances.len()).rev().any(|i| self.candidates_of_instance(bounds, i, acting, take))
            || acting.iter(N).any(|segment| self.candidates_of_segment(bounds, segment, take))
            || (self.instances.len() <= usize::from(bounds.recoveries) && take(Action::Recover))
    }

    /// With symmetry, of equal columns only the first acts: the others lead to the same canonical states.
    pub(crate) fn is_representative(&self, bounds: &Bounds, segment: usize) -> bool {
        !bounds.symmetry.is_on() || segment == 0 || self.compare_columns(segment - 1, segment).is_ne()
    }

    /// `acting`: the segments that actions are named for.
    fn candidates_of_instance(
        &self,
        bounds: &Bounds,
        i: usize,
        acting: SegmentSet,
        take: &mut impl FnMut(Action) -> bool,
    ) -> bool {
        let instance = i as u8;
        let open_only = match self.instances[i].phase() {
            Phase::Reading(_) => bounds.late_answers.is_on() && take(Action::Decide { instance }),
            Phase::Open(writer) => {
                let may_read = self.read.is_none() && self.spent.reads < bounds.reads;
                let left = self.wants_to_allocate(bounds, i);
                let idle = bounds.early_rounds.is_on() && may_read && !writer.reads.has_begun();
                (left && bounds.idle_writers.is_on() && take(Action::Allocate { instance }))
                    || (may_read && take(Action::Read { instance }))
                    || (idle && take(Action::BeginRound { instance }))
            }
            Phase::Installing { .. } | Phase::Deposed => false,
        };
        open_only || acting.iter(N).any(|segment| self.candidates_of_delivery(bounds, i, segment, take))
    }

    /// What `instance` has sent to `segment` and what could still change something there.
    fn candidates_of_delivery(
        &self,
        bounds: &Bounds,
        i: usize,
        segment: SegmentId,
        take: &mut impl FnMut(Action) -> bool,
    ) -> bool {
        let instance = i as u8;
        let sender = &self.instances[i];
        let fences = i > 0 && may_fence(bounds, sender, segment) && take(Action::FenceRead { instance, segment });
        let truncates = || sender.decision().is_some() && i > 0;
        fences
            || (truncates() && take(Action::Truncate { instance, segment }))
            || sent_records(sender).any(|lsn| take(Action::Write { instance, segment, lsn }))
            || (sender.writer().is_some_and(|w| w.reads.in_flight().is_some())
                && take(Action::Confirm { instance, segment }))
    }

    fn candidates_of_segment(
        &self,
        bounds: &Bounds,
        segment: SegmentId,
        take: &mut impl FnMut(Action) -> bool,
    ) -> bool {
        let state = &self.segments[segment.index()];
        let unsynced = state.unsynced().len();
        let loses = (state.image() != state.disk().image()) && self.spent.crashes < bounds.crashes;
        (unsynced > 0 && take(Action::Sync { segment }))
            || (loses && (0..unsynced.max(1)).any(|kept| take(Action::Crash { segment, kept: kept as u8 })))
            || (self.spent.wipes < bounds.wipes && take(Action::Wipe { segment }))
            || (bounds.gossip.is_on() && self.candidates_of_gossip(segment, take))
    }

    fn candidates_of_gossip(&self, segment: SegmentId, take: &mut impl FnMut(Action) -> bool) -> bool {
        let held = &self.segments[segment.index()].image().held;
        self.offered.iter().enumerate().any(|(epoch, offered)| {
            let trunc_ve = Epoch(epoch as u32);
            members(offered)
                .filter(|&lsn| !held.contains(lsn))
                .any(|lsn| take(Action::Gossip { trunc_ve, segment, lsn }))
        })
    }

    // --- actions -------------------------------------------------------------------------------------------------

    fn apply(&mut self, rules: &Rules, bounds: &Bounds, action: Action) -> Option<()> {
        match action {
            Action::Recover => self.recover(rules, bounds)?,
            Action::FenceRead { instance, segment } => {
                if !may_fence(bounds, self.instance(instance)?, segment) {
                    return None;
                }
                self.deliver_request(rules, action)?;
                if !bounds.late_answers.is_on() {
                    self.step(rules, instance, instance::Event::Decide);
                }
            }
            Action::Decide { instance } => self.step(rules, instance, instance::Event::Decide),
            Action::Truncate { .. } | Action::Confirm { .. } => self.deliver_request(rules, action)?,
            Action::Allocate { instance } => {
                self.instance(instance)?;
                if !self.wants_to_allocate(bounds, instance.into()) {
                    return None;
                }
                self.step(rules, instance, instance::Event::Allocate);
            }
            Action::Write { instance, segment, lsn } => {
                if !sent_records(self.instance(instance)?).any(|sent| sent == lsn) {
                    return None;
                }
                let held_before = self.segments[segment.index()].image().held;
                self.deliver_request(rules, action)?;
                if self.segments[segment.index()].image().held != held_before {
                    self.check_truncation(instance, segment);
                }
            }
            Action::Gossip { trunc_ve, segment, lsn } => {
                if !bounds.gossip.is_on() || !self.offered.get(trunc_ve.0 as usize)?.contains(lsn) {
                    return None;
                }
                let before = self.segments[segment.index()].image().clone();
                self.deliver_request(rules, action)?;
                self.check_gossip(rules, segment, &before);
            }
            Action::Sync { segment } => {
                if self.segments[segment.index()].unsynced().is_empty() {
                    return None;
                }
                self.deliver(rules, segment, segment::Event::Synced { entries: 1 }, None);
            }
            Action::Crash { segment, kept } => self.crash(bounds, segment, kept)?,
            Action::Wipe { segment } => self.wipe(rules, bounds, segment)?,
            Action::Read { instance } => self.invoke_read(rules, bounds, instance)?,
            Action::BeginRound { instance } => {
                if self.read.is_some() || !bounds.early_rounds.is_on() || self.spent.reads >= bounds.reads {
                    return None;
                }
                // One a writer: their numbers only grow, and without a bound the search would never end.
                if self.instance(instance)?.writer()?.reads.has_begun() {
                    return None;
                }
                self.step(rules, instance, instance::Event::BeginRound);
            }
        }
        Some(())
    }

    /// A cheap test that spares the copy of a world: the delivery changes nothing at its segment, and tells its sender
    /// nothing either. One that would append an entry equal to one that waits for its sync is made after that sync.
    fn is_ignored(&self, rules: &Rules, action: Action) -> bool {
        let Some((segment, event)) = self.request(action) else { return false };
        let state = &self.segments[segment.index()];
        let mut copy = state.clone();
        let mut effects = Vec::new();
        copy.step(rules, event, &mut effects);
        // Where a mutant lets a reply leave first, a repeated request would append its entry again and again.
        let unsynced = copy.unsynced();
        let repeats = || (1..unsynced.len()).any(|i| unsynced[..i].contains(&unsynced[i]));
        repeats()
            || effects.iter().all(|e| matches!(e, segment::Effect::Reply(Reply::Refused { .. }))) && copy == *state
    }

    /// The event in which an instance's request reaches a segment; none if the action is no such delivery.
    fn request(&self, action: Action) -> Option<(SegmentId, segment::Event<Bits>)> {
        match action {
            Action::FenceRead { instance, segment } => {
                Some((segment, segment::Event::FenceRead { ve: self.instance(instance)?.ve() }))
            }
            Action::Truncate { instance, segment } => {
                let decision = self.instance(instance)?.decision()?;
                Some((segment, segment::Event::Truncate { ve: decision.ve, ranges: decision.ranges }))
            }
            Action::Write { instance, segment, lsn } => {
                Some((segment, segment::Event::Write { ve: self.instance(instance)?.ve(), lsn }))
            }
            Action::Confirm { instance, segment } => {
                let sender = self.instance(instance)?;
                let nonce = sender.writer()?.reads.in_flight()?;
                Some((segment, segment::Event::Confirm { ve: sender.ve(), nonce }))
            }
            Action::Gossip { trunc_ve, segment, lsn } => Some((segment, segment::Event::Gossip { trunc_ve, lsn })),
            Action::Recover
            | Action::Decide { .. }
            | Action::Allocate { .. }
            | Action::Sync { .. }
            | Action::Crash { .. }
            | Action::Wipe { .. }
            | Action::Read { .. }
            | Action::BeginRound { .. } => None,
        }
    }

    fn instance(&self, instance: u8) -> Option<&Instance<Bits, N>> {
        self.instances.get(usize::from(instance))
    }

    fn allocate_eagerly(&mut self, rules: &Rules, bounds: &Bounds) {
        if bounds.idle_writers.is_on() {
            return;
        }
        for i in 0..self.instances.len() {
            while self.wants_to_allocate(bounds, i) && self.instances[i].may_allocate(rules) {
                self.step(rules, i as u8, instance::Event::Allocate);
            }
        }
    }

    pub(crate) fn wants_to_allocate(&self, bounds: &Bounds, i: usize) -> bool {
        self.instances[i].writer().is_some_and(|w| w.next.0 - w.decision.first.0 < u64::from(bounds.records))
    }

    fn recover(&mut self, rules: &Rules, bounds: &Bounds) -> Option<()> {
        if self.instances.len() > usize::from(bounds.recoveries) {
            return None;
        }
        let change = Change::TakeVolume { caller: self.metadata.volume_epoch };
        let record = self.metadata.apply(rules, change).ok()?;
        self.instances.push(Instance::recovering(record.volume_epoch));
        Some(())
    }

    fn crash(&mut self, bounds: &Bounds, segment: SegmentId, kept: u8) -> Option<()> {
        if self.spent.crashes >= bounds.crashes {
            return None;
        }
        let state = &self.segments[segment.index()];
        // A restart that loses nothing leaves the state as it was: it must not even use up the budget.
        if state.image() == state.disk().image() {
            return None;
        }
        let restarted = state.crashed(kept.into());
        self.spent.crashes += 1;
        self.replace(segment, restarted);
        Some(())
    }

    fn wipe(&mut self, rules: &Rules, bounds: &Bounds, segment: SegmentId) -> Option<()> {
        if self.spent.wipes >= bounds.wipes {
            return None;
        }
        self.spent.wipes += 1;
        self.replace(segment, Segment::wiped(rules));
        Some(())
    }

    fn replace(&mut self, segment: SegmentId, restarted: Segment<Bits>) {
        let before = self.segments[segment.index()].image();
        let after = restarted.image();
        if restarted.is_member() {
            let breach = steps::epochs((before.fenced, before.trunc_ve), (after.fenced, after.trunc_ve));
            self.breaches.extend(breach);
        }
        self.segments[segment.index()] = restarted;
    }

    fn invoke_read(&mut self, rules: &Rules, bounds: &Bounds, instance: u8) -> Option<()> {
        let at = self.instance(instance)?.writer()?.vdl;
        if self.read.is_some() || self.spent.reads >= bounds.reads {
            return None;
        }
        let floor = self.instances.iter().filter_map(|i| Some(i.writer()?.vdl)).max().unwrap_or_default();
        self.read = Some(ClientRead { instance, floor });
        self.spent.reads += 1;
        self.step(rules, instance, instance::Event::Read { id: 0, at });
        Some(())
    }

    // --- deliveries ----------------------------------------------------------------------------------------------

    fn deliver_request(&mut self, rules: &Rules, action: Action) -> Option<()> {
        let (segment, event) = self.request(action)?;
        let requester = match action {
            Action::FenceRead { instance, .. }
            | Action::Truncate { instance, .. }
            | Action::Write { instance, .. }
            | Action::Confirm { instance, .. } => Some(instance),
            _ => None,
        };
        self.deliver(rules, segment, event, requester);
        Some(())
    }

    /// A segment takes an event; what it appends is synced at once unless a reply left first; its replies are absorbed,
    /// those to a request by the instance that sent it.
    fn deliver(&mut self, rules: &Rules, segment: SegmentId, event: segment::Event<Bits>, requester: Option<u8>) {
        let mut effects = Vec::new();
        let syncs = matches!(event, segment::Event::Synced { .. });
        let state = &mut self.segments[segment.index()];
        let before = (state.image().fenced, state.image().trunc_ve);
        state.step(rules, event, &mut effects);
        let replied_first =
            effects.iter().any(|e| matches!(e, segment::Effect::Reply(r) if !matches!(r, Reply::Refused { .. })));
        let image = state.image();
        self.breaches.extend(steps::epochs(before, (image.fenced, image.trunc_ve)));
        let held = image.held;
        if let Some(offered) = self.offered.get_mut(image.trunc_ve.0 as usize) {
            members(&held).for_each(|lsn| offered.insert(lsn));
        }
        for effect in effects {
            if let segment::Effect::Reply(reply) = effect {
                self.absorb(rules, segment, reply, requester);
            }
        }
        // One entry at a time: a reply is judged by what the segment holds when it leaves.
        if (syncs || !replied_first) && !self.segments[segment.index()].unsynced().is_empty() {
            self.deliver(rules, segment, segment::Event::Synced { entries: 1 }, requester);
        }
    }

    fn absorb(&mut self, rules: &Rules, from: SegmentId, reply: Reply<Bits>, requester: Option<u8>) {
        self.check_reply(from, &reply, requester);
        let ve = match reply {
            // Lost: see the module's reductions.
            Reply::Refused { .. } => return,
            Reply::Acknowledged { ve, .. }
            | Reply::Fenced { ve, .. }
            | Reply::Truncated { ve, .. }
            | Reply::Confirmed { ve, .. } => ve,
        };
        let addressee = requester.filter(|&i| self.instances[usize::from(i)].ve() == ve);
        let by_epoch = || self.instances.iter().rposition(|instance| instance.ve() == ve).map(|i| i as u8);
        if let Some(instance) = addressee.or_else(by_epoch) {
            self.step(rules, instance, Instance::<Bits, N>::event_of(from, reply));
        }
    }

    fn step(&mut self, rules: &Rules, instance: u8, event: instance::Event<Bits>) {
        let mut effects = Vec::new();
        let index = usize::from(instance);
        self.instances[index].step(rules, event, &mut effects);
        for effect in effects {
            match effect {
                instance::Effect::Committed { vdl } => self.check_single_writer(index, vdl),
                instance::Effect::Answer { at, .. } => self.answer_read(at),
                instance::Effect::Decided { .. }
                | instance::Effect::Opened { .. }
                | instance::Effect::Allocated { .. }
                | instance::Effect::AskConfirmation { .. }
                | instance::Effect::Deposed { .. } => {}
            }
        }
    }

    // --- properties of steps -------------------------------------------------------------------------------------

    fn answer_read(&mut self, at: Lsn) {
        if let Some(read) = self.read.take() {
            self.spent.answered += 1;
            self.breaches.extend(steps::answers(at, read.floor));
        }
    }

    /// A commit covers all below it: where the last is not kept, one is not.
    fn check_single_writer(&mut self, committer: usize, vdl: Lsn) {
        let later = scene::opened(self).filter(|&(i, _)| i > committer);
        let breach = later.into_iter().find_map(|(_, decision)| steps::commits(vdl, vdl, decision));
        self.breaches.extend(breach);
    }

    fn check_reply(&mut self, from: SegmentId, reply: &Reply<Bits>, requester: Option<u8>) {
        self.breaches.extend(steps::replies(&self.segments[from.index()], reply));
        if let (Reply::Confirmed { .. }, Some(instance)) = (reply, requester) {
            self.check_truncation(instance, from);
        }
    }

    fn check_gossip(&mut self, rules: &Rules, segment: SegmentId, before: &Image<Bits>) {
        let after = self.segments[segment.index()].image();
        self.breaches.extend(steps::hears_gossip(rules, before, after));
    }

    /// `segment` has served `instance`: it must have applied that instance's truncation.
    fn check_truncation(&mut self, instance: u8, segment: SegmentId) {
        let Some(decision) = self.instances[usize::from(instance)].decision() else { return };
        self.breaches.extend(steps::serves(self.segments[segment.index()].image(), decision));
    }
}

/// Whether FENCE_READ to this segment is explored: not where its answer is known already, because asking again could only
/// tell more, and so could asking later; and where nobody waits for it only if the bounds say so.
fn may_fence<const N: usize>(bounds: &Bounds, instance: &Instance<Bits, N>, segment: SegmentId) -> bool {
    match instance.phase() {
        Phase::Reading(reading) => !reading.has_heard(segment),
        Phase::Installing { .. } | Phase::Open(_) => bounds.late_fences.is_on(),
        Phase::Deposed => false,
    }
}

/// The records that an instance has sent or may send: what it keeps and writes back, and what it has allocated.
fn sent_records<const N: usize>(instance: &Instance<Bits, N>) -> impl Iterator<Item = Lsn> + '_ {
    let kept = instance
        .decision()
        .into_iter()
        .flat_map(|decision| (1..=decision.vdl.0).map(Lsn).filter(|&lsn| decision.keeps(lsn)));
    let new = instance.writer().into_iter().flat_map(|w| (w.decision.first.0..w.next.0).map(Lsn));
    kept.chain(new)
}

/// Members of a small set, ascending.
pub(crate) fn members(set: &Bits) -> impl Iterator<Item = Lsn> + '_ {
    set.runs().flat_map(|(lo, hi)| (lo.0..=hi.0).map(Lsn))
}
