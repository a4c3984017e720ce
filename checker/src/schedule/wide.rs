//! The closed world without its bounds: as many writers, records and epochs as a run has. It is what [`sextant_model::world`] is with
//! intervals in the place of bits (replies are absorbed at once, an append and its sync are one action unless a reply left first,
//! refusals are lost), and is judged as runs are ([`sextant_storage::ledger`]).
//!
//! It only makes schedules small: what is left of one is walked on the closed world itself.

use std::collections::{BTreeMap, HashMap};

use sextant_model::disk::Entry;
use sextant_model::instance::{self, Instance, Phase};
use sextant_model::logset::{Intervals, LogSet};
use sextant_model::metadata::{Change, Metadata};
use sextant_model::rules::Rules;
use sextant_model::segment::{self, Effect, Reply, Segment};
use sextant_model::steps;
use sextant_model::types::{Epoch, Lsn, SegmentId};
use sextant_storage::ledger::{Ledger, Nodes};
use sextant_storage::node::Observer;

use crate::conformance::{COPIES, Step};

pub(super) struct Wide {
    rules: Rules,
    copies: Copies,
    instances: Vec<Instance<Intervals, COPIES>>,
    metadata: Metadata,
    /// By truncation epoch: the records that some segment held while that was its last truncation.
    offered: BTreeMap<Epoch, Intervals>,
    /// Of client reads without an answer: what had been acknowledged when they were invoked.
    floors: BTreeMap<(usize, u64), Lsn>,
    reads: u64,
    ledger: Ledger,
    /// Where the writers and records of the schedule are in this world.
    numbers: HashMap<usize, usize>,
    lsns: HashMap<usize, Lsn>,
}

struct Copies([Segment<Intervals>; COPIES]);

impl Nodes for Copies {
    fn segment(&self, node: usize) -> Option<&Segment<Intervals>> {
        self.0.get(node)
    }

    fn name(&self, node: usize) -> String {
        SegmentId(node as u8).name(COPIES, 3)
    }
}

/// Takes the steps that can be taken; how many steps it takes until `property` is violated, if it ever is.
pub(super) fn breaks(rules: &Rules, property: &str, steps: &[Step]) -> Option<usize> {
    let mut world = Wide::created(*rules);
    steps.iter().position(|&step| {
        world.take(step);
        world.ledger.violations.iter().any(|violation| violation.property == property)
    })
}

/// The steps that do something.
pub(super) fn effective(rules: &Rules, steps: &[Step]) -> Vec<Step> {
    let mut world = Wide::created(*rules);
    steps.iter().copied().filter(|&step| world.take(step)).collect()
}

impl Wide {
    /// A new volume with its first writer, which is number 0.
    fn created(rules: Rules) -> Self {
        let mut world = Wide {
            rules,
            copies: Copies(std::array::from_fn(|_| Segment::created())),
            instances: vec![Instance::first()],
            metadata: Metadata::of_a_new_volume(),
            offered: BTreeMap::new(),
            floors: BTreeMap::new(),
            reads: 0,
            ledger: Ledger::default(),
            numbers: HashMap::from([(0, 0)]),
            lsns: HashMap::new(),
        };
        world.ledger.took(Epoch::FIRST);
        world.ledger.writer_stepped(0, &world.instances[0], &world.copies);
        world
    }

    /// Takes a step; whether it was possible and did anything.
    fn take(&mut self, step: Step) -> bool {
        self.try_take(step).unwrap_or(false)
    }

    fn try_take(&mut self, step: Step) -> Option<bool> {
        let number = |world: &Self, writer: usize| world.numbers.get(&writer).copied();
        match step {
            Step::Recover { writer } => {
                if self.numbers.contains_key(&writer) {
                    return None;
                }
                let change = Change::TakeVolume { caller: self.metadata.volume_epoch };
                let record = self.metadata.apply(&self.rules, change).ok()?;
                self.numbers.insert(writer, self.instances.len());
                self.instances.push(Instance::recovering(record.volume_epoch));
                self.ledger.took(record.volume_epoch);
                Some(true)
            }
            Step::FenceRead { writer, segment } => {
                let sender = number(self, writer).filter(|&sender| sender > 0)?;
                if let Phase::Reading(reading) = self.instances[sender].phase()
                    && reading.has_heard(segment)
                {
                    return None;
                }
                let ve = self.instances[sender].ve();
                Some(self.deliver(segment, segment::Event::FenceRead { ve }, Some(sender)))
            }
            Step::Decide { writer } => {
                let sender = number(self, writer)?;
                Some(self.step(sender, instance::Event::Decide))
            }
            Step::Truncate { writer, segment } => {
                let sender = number(self, writer).filter(|&sender| sender > 0)?;
                let decision = self.instances[sender].decision()?;
                let event = segment::Event::Truncate { ve: decision.ve, ranges: decision.ranges.clone() };
                Some(self.deliver(segment, event, Some(sender)))
            }
            Step::Allocate { writer, record } => {
                let sender = number(self, writer)?;
                let lsn = self.instances[sender].writer()?.next;
                let allocates = self.step(sender, instance::Event::Allocate);
                if allocates {
                    self.lsns.insert(record, lsn);
                }
                Some(allocates)
            }
            Step::Write { writer, segment, record } => {
                let (sender, lsn) = (number(self, writer)?, *self.lsns.get(&record)?);
                if !self.has_sent(sender, lsn) {
                    return None;
                }
                let ve = self.instances[sender].ve();
                Some(self.deliver(segment, segment::Event::Write { ve, lsn }, Some(sender)))
            }
            Step::Gossip { cut_by, segment, record } => {
                let (sender, lsn) = (number(self, cut_by)?, *self.lsns.get(&record)?);
                let trunc_ve = self.instances[sender].ve();
                if !self.offered.get(&trunc_ve)?.contains(lsn) {
                    return None;
                }
                Some(self.deliver(segment, segment::Event::Gossip { trunc_ve, lsn }, None))
            }
            Step::Sync { segment } => {
                let waits = !self.copies.0[segment.index()].unsynced().is_empty();
                waits.then(|| self.deliver(segment, segment::Event::Synced { entries: 1 }, None))
            }
            Step::Crash { segment } => {
                let state = &self.copies.0[segment.index()];
                if state.image() == state.disk().image() {
                    return None;
                }
                let restarted = state.crashed(0);
                Some(self.replace(segment, restarted))
            }
            Step::Wipe { segment } => {
                let wiped = Segment::wiped(&self.rules);
                Some(self.replace(segment, wiped))
            }
            Step::Read { writer } => {
                let sender = number(self, writer)?;
                let at = self.instances[sender].writer()?.vdl;
                let floor = self.instances.iter().filter_map(|i| Some(i.writer()?.vdl)).max().unwrap_or_default();
                let id = self.reads;
                self.reads += 1;
                self.floors.insert((sender, id), floor);
                self.step(sender, instance::Event::Read { id, at });
                Some(true)
            }
            Step::BeginRound { writer } => {
                let sender = number(self, writer)?;
                Some(self.step(sender, instance::Event::BeginRound))
            }
            Step::Confirm { writer, segment } => {
                let sender = number(self, writer)?;
                let nonce = self.instances[sender].writer()?.reads.in_flight()?;
                let ve = self.instances[sender].ve();
                Some(self.deliver(segment, segment::Event::Confirm { ve, nonce }, Some(sender)))
            }
        }
    }

    /// What it has allocated, and what it keeps and writes back.
    fn has_sent(&self, sender: usize, lsn: Lsn) -> bool {
        let Some(decision) = self.instances[sender].decision() else { return false };
        let next = self.instances[sender].writer().map(|writer| writer.next).unwrap_or_default();
        if lsn >= decision.first { lsn < next } else { decision.keeps(lsn) }
    }

    fn replace(&mut self, segment: SegmentId, restarted: Segment<Intervals>) -> bool {
        let number = segment.index();
        if restarted.is_member() {
            self.ledger.restarted(number, &restarted);
        }
        self.copies.0[number] = restarted;
        self.ledger.node_stepped(&self.rules, number, &self.copies);
        true
    }

    /// Whether it changed anything, or was answered with more than a refusal.
    fn deliver(&mut self, segment: SegmentId, event: segment::Event<Intervals>, requester: Option<usize>) -> bool {
        let number = segment.index();
        let syncs = matches!(event, segment::Event::Synced { .. });
        let mut effects = Vec::new();
        let copy = &mut self.copies.0[number];
        let mut observer = self.ledger.observer(&self.rules, number);
        observer.before(copy, &event, None);
        copy.step(&self.rules, event, &mut effects);
        observer.after(copy, &effects);
        let image = copy.image();
        let mut appended = false;
        for effect in &effects {
            let Effect::Append(entry) = effect else { continue };
            let offered = self.offered.entry(image.trunc_ve).or_default();
            match entry {
                Entry::Record { lsn, .. } => offered.insert(*lsn),
                Entry::Truncate { .. } => image.held.runs().for_each(|(first, last)| offered.insert_range(first, last)),
                Entry::Fence { .. } => {}
            }
            appended |= !matches!(entry, Entry::Fence { .. });
        }
        if appended {
            self.ledger.node_stepped(&self.rules, number, &self.copies);
        }
        let is_refusal = |effect: &Effect<Intervals>| matches!(effect, Effect::Reply(Reply::Refused { .. }));
        let changed = effects.iter().any(|effect| !is_refusal(effect));
        let replied_first = effects.iter().any(|effect| matches!(effect, Effect::Reply(_)) && !is_refusal(effect));
        for effect in effects {
            if let Effect::Reply(reply) = effect {
                self.absorb(segment, reply, requester);
            }
        }
        if (syncs || !replied_first) && !self.copies.0[number].unsynced().is_empty() {
            self.deliver(segment, segment::Event::Synced { entries: 1 }, requester);
        }
        changed
    }

    fn absorb(&mut self, from: SegmentId, reply: Reply<Intervals>, requester: Option<usize>) {
        let ve = match reply {
            Reply::Refused { .. } => return,
            Reply::Acknowledged { ve, .. }
            | Reply::Fenced { ve, .. }
            | Reply::Truncated { ve, .. }
            | Reply::Confirmed { ve, .. } => ve,
        };
        let addressee = requester.filter(|&number| self.instances[number].ve() == ve);
        let by_epoch = || self.instances.iter().rposition(|instance| instance.ve() == ve);
        if let Some(number) = addressee.or_else(by_epoch) {
            self.step(number, Instance::<Intervals, COPIES>::event_of(from, reply));
        }
    }

    /// Whether it had an effect.
    fn step(&mut self, number: usize, event: instance::Event<Intervals>) -> bool {
        let mut effects = Vec::new();
        self.instances[number].step(&self.rules, event, &mut effects);
        for effect in &effects {
            let instance::Effect::Answer { id, at } = effect else { continue };
            let breach = self.floors.remove(&(number, *id)).and_then(|floor| steps::answers(*at, floor));
            breach.into_iter().for_each(|breach| self.ledger.violated(breach.id(), breach.fact().to_owned()));
        }
        self.ledger.writer_stepped(number, &self.instances[number], &self.copies);
        !effects.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use sextant_model::action::Action;
    use sextant_model::bounds::Bounds;
    use sextant_model::closed::Core;
    use sextant_model::logset::RangeList;
    use sextant_model::mutants::MUTANTS;
    use sextant_model::world::World;
    use sextant_storage::random::Random;

    use super::*;

    /// With every liberty, so that no action stands for two.
    fn liberal() -> Bounds {
        let bounds = Bounds::of(2, 3).gossiping().crashing(2).wiping(1).reading(1).with_early_rounds();
        bounds.with_late_answers().with_late_fences().with_idle_writers().remembering().unreduced()
    }

    fn step_of(action: Action, world: &World<COPIES>, records: &mut HashMap<Lsn, usize>) -> Step {
        let by_ve = |ve: Epoch| world.instances.iter().rposition(|i| i.ve() == ve).unwrap_or_default();
        match action {
            Action::Recover => Step::Recover { writer: world.instances.len() },
            Action::FenceRead { instance, segment } => Step::FenceRead { writer: instance.into(), segment },
            Action::Decide { instance } => Step::Decide { writer: instance.into() },
            Action::Truncate { instance, segment } => Step::Truncate { writer: instance.into(), segment },
            Action::Allocate { instance } => {
                // One LSN may be given twice.
                let record = records.values().max().map_or(0, |last| last + 1);
                let lsn = world.instances[usize::from(instance)].writer().map(|writer| writer.next);
                records.insert(lsn.unwrap_or_default(), record);
                Step::Allocate { writer: instance.into(), record }
            }
            Action::Write { instance, segment, lsn } => {
                Step::Write { writer: instance.into(), segment, record: records[&lsn] }
            }
            Action::Gossip { trunc_ve, segment, lsn } => {
                Step::Gossip { cut_by: by_ve(trunc_ve), segment, record: records[&lsn] }
            }
            Action::Sync { segment } => Step::Sync { segment },
            Action::Crash { segment, .. } => Step::Crash { segment },
            Action::Wipe { segment } => Step::Wipe { segment },
            Action::Read { instance } => Step::Read { writer: instance.into() },
            Action::BeginRound { instance } => Step::BeginRound { writer: instance.into() },
            Action::Confirm { instance, segment } => Step::Confirm { writer: instance.into(), segment },
        }
    }

    /// What can be compared between bits and intervals.
    fn told<L: LogSet>(segments: &[Segment<L>], instances: &[Instance<L, COPIES>]) -> String {
        let segments = segments.iter().map(|segment| {
            let image = segment.image();
            let (held, ranges): (Vec<_>, Vec<_>) = (image.held.runs().collect(), image.ranges.iter().collect());
            format!("{:?} {:?} {held:?} {ranges:?}", image.fenced, image.trunc_ve)
        });
        let writers = instances.iter().map(|instance| {
            let open = instance.writer().map(|writer| (writer.vdl, writer.next, writer.decision.vdl));
            format!("{:?} {open:?} {:?}", instance.ve(), instance.decision().map(|decision| decision.range_end))
        });
        segments.chain(writers).collect::<Vec<_>>().join("\n")
    }

    /// Random ways through the closed world, by the adopted rules and by every mutant's, lead to the same state here, and to a violation
    /// of the same properties. Where a mistake gives LSNs or epochs twice, names are ambiguous: those are left to the cases.
    #[test]
    fn ways_through_the_closed_world_lead_to_the_same_state() {
        const JUDGED: [&str; 13] =
            ["S1", "S3", "S4", "S5", "S5b", "S7", "S9", "S11", "S12", "S13", "S14", "S15", "S33"];
        let ambiguous = ["M14", "M15", "M54"];
        let rules =
            MUTANTS.iter().filter(|mutant| !ambiguous.contains(&mutant.id)).map(|mutant| (mutant.id, mutant.rules));
        let (mut violated, mut steps_taken) = (0, 0);
        for (id, rules) in rules.chain([("adopted", Rules::adopted())]) {
            for seed in 0..12 {
                let model = Core::new(rules, liberal());
                let mut random = Random::new(seed, id);
                let (mut world, mut records) = (model.initial(), HashMap::new());
                let mut wide = Wide::created(*model.rules());
                // A run's judge forgets no violation, a state may recover from one.
                let mut ever = std::collections::BTreeSet::new();
                for _ in 0..90 {
                    let mut enabled = model.enabled(&world);
                    // What a crash keeps is not told here, and recoveries come too early if they come as often as the rest.
                    enabled.retain(|action| !matches!(action, Action::Crash { kept: 1.., .. }));
                    if random.below(12) > 0 {
                        enabled.retain(|action| !matches!(action, Action::Recover | Action::Wipe { .. }));
                    }
                    if enabled.is_empty() {
                        continue;
                    }
                    let action = enabled[random.below(enabled.len())];
                    let step = step_of(action, &world, &mut records);
                    world = model.next(&world, action).unwrap();
                    wide.take(step);
                    steps_taken += 1;
                    let (own, theirs) =
                        (told(&wide.copies.0, &wide.instances), told(&world.segments, &world.instances));
                    assert_eq!(own, theirs, "{id}, seed {seed}: {action:?}");
                    let broken = |property: &str| wide.ledger.violations.iter().any(|v| v.property == property);
                    for property in model.judged().iter().filter(|property| JUDGED.contains(&property.id)) {
                        if (property.check)(model.context(), &world).is_err() {
                            ever.insert(property.id);
                        }
                        let is_broken = ever.contains(property.id);
                        // A run is judged when the segment adopts the epoch, the world when it takes the record.
                        if (id, property.id) == ("M9", "S12") && !is_broken {
                            continue;
                        }
                        assert_eq!(broken(property.id), is_broken, "{id}, seed {seed}: {} {action:?}", property.id);
                        violated += usize::from(is_broken);
                    }
                }
            }
        }
        assert!(violated > 1000 && steps_taken > 10_000, "{violated} violations, {steps_taken} steps");
    }
}
