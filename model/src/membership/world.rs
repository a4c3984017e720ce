//! The closed world of membership: one protection group, a control plane that changes its members, a writer, and one recovery
//! that replaces the writer, who may go on.
//!
//! What the core explores about logs is left out here: each writer has one record, a segment holds it or not, and there
//! is no gossip (it could only fill what hydration and write-back fill). What is in: configurations and where they are
//! durable, acknowledgements that arrive late, fencing, hydration from any quorum, discarding, tails that drop records.
//!
//! Messages are not stored: a write can reach any segment at any time, a segment that took one can acknowledge it at any later
//! time, and an answer is absorbed in the action that asks for it.

use serde::{Deserialize, Serialize};

use super::bounds::Bounds;
use super::configuration::{Configuration, Hydrated, SEGMENTS};
use super::rules::{Exchanged, MembershipRules};
use crate::area::sources_by;
use crate::fields::{Few, Field, Number};
use crate::pack::{Get, Put};
use crate::types::{Epoch, SegmentId, SegmentSet};
use crate::{packed_enum, packed_struct};

/// What happens next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Action {
    /// The control plane suspects a member and proposes another in its place. Numbers are places in [`Bounds::exchanges`];
    /// `on` is the configuration it builds on.
    Begin { exchange: u8, on: u8 },
    /// It proposes to go on with four copies.
    Shrink,
    /// It proposes to settle on one of the sets of a joint configuration.
    Settle { set: u8 },
    /// A segment makes a configuration durable.
    Install { segment: SegmentId, configuration: u8 },
    /// A joiner takes over what these segments hold.
    Hydrate { segment: SegmentId, from: SegmentSet },
    /// A write of this epoch reaches a segment.
    Write { epoch: Epoch, segment: SegmentId },
    /// An acknowledgement reaches the writer.
    Acknowledge { epoch: Epoch, segment: SegmentId },
    /// The writer of this epoch learns of a configuration.
    Refresh { epoch: Epoch, configuration: u8 },
    /// A recovery takes the next volume epoch (R0).
    Recover,
    /// FENCE_READ reaches a segment and is answered (R1).
    FenceRead { segment: SegmentId },
    /// The recovery decides what it keeps (R2).
    Decide,
    /// TRUNC, with the records kept, reaches a segment (R3).
    Truncate { segment: SegmentId },
    /// A former member discards its records.
    Discard { segment: SegmentId },
    /// A tail drops a record.
    Drop { segment: SegmentId, epoch: Epoch },
    /// A segment is lost for ever.
    Lose { segment: SegmentId },
    /// By word of the metadata service there is a new, empty one in its place.
    Recreate { segment: SegmentId },
}

impl Action {
    /// The same action on renamed segments: `i` becomes `names[i]`.
    #[must_use]
    pub fn renamed(mut self, names: &[usize]) -> Action {
        let renamed = |segment: SegmentId| SegmentId(names[segment.index()] as u8);
        if let Action::Hydrate { from, .. } = &mut self {
            *from = from.iter(SEGMENTS).map(renamed).collect();
        }
        match &mut self {
            Action::Install { segment, .. }
            | Action::Hydrate { segment, .. }
            | Action::Write { segment, .. }
            | Action::Acknowledge { segment, .. }
            | Action::FenceRead { segment }
            | Action::Truncate { segment }
            | Action::Discard { segment }
            | Action::Drop { segment, .. }
            | Action::Lose { segment }
            | Action::Recreate { segment } => *segment = renamed(*segment),
            Action::Begin { .. }
            | Action::Shrink
            | Action::Settle { .. }
            | Action::Refresh { .. }
            | Action::Recover
            | Action::Decide => {}
        }
        self
    }
}

/// A segment. All of it is durable.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Node {
    /// Whether it takes part.
    pub standing: Standing,
    /// Place of its configuration in the history.
    pub configuration: u8,
    pub fenced: Epoch,
    pub truncated: Epoch,
    /// Records held: bit 0 that of epoch 1, bit 1 that of epoch 2.
    pub holds: Records,
    /// Records taken from their writer with the chain before them, which it acknowledges.
    pub took: Records,
    /// Acknowledgements that have reached their writer.
    pub acknowledged: Records,
    /// Number of the configuration in which it was last hydrated.
    pub hydrated: u8,
    /// Whether the recovery has its answer, under the configuration by which the recovery goes.
    pub answered: Answered,
}

/// Whether a segment takes part.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Standing {
    #[default]
    Absent,
    Up,
    Lost,
    /// Created anew after it was lost, and not hydrated yet.
    Fresh,
}

/// Whether FENCE_READ was answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Answered {
    #[default]
    No,
    Yes,
}

/// A set of records, one an epoch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Records(pub u8);

impl Records {
    #[must_use]
    pub fn contains(self, epoch: Epoch) -> bool {
        self.0 & Self::of(epoch).0 != 0
    }

    #[must_use]
    pub fn of(epoch: Epoch) -> Records {
        Records(1 << (epoch.0 - 1))
    }

    #[must_use]
    pub fn with(self, epoch: Epoch) -> Records {
        Records(self.0 | Self::of(epoch).0)
    }

    #[must_use]
    pub fn without(self, epoch: Epoch) -> Records {
        Records(self.0 & !Self::of(epoch).0)
    }
}

/// Where the recovery stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Recovery {
    #[default]
    None,
    Reading,
    Installing(Kept),
    Open(Kept),
}

/// What became of the first writer's record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Kept {
    Yes,
    No,
}

impl Kept {
    pub(super) fn word(self) -> &'static str {
        match self {
            Kept::Yes => "yes",
            Kept::No => "no",
        }
    }
}

impl Recovery {
    /// What was decided, if it was.
    #[must_use]
    pub fn kept(self) -> Option<Kept> {
        match self {
            Recovery::None | Recovery::Reading => None,
            Recovery::Installing(kept) | Recovery::Open(kept) => Some(kept),
        }
    }
}

/// When a record was acknowledged to the client.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Commit {
    #[default]
    None,
    Done,
    /// By a writer that had been replaced.
    AfterReplacement,
}

/// A state.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct World {
    /// What the metadata service has recorded.
    pub history: Few<Configuration, CONFIGURATIONS>,
    pub nodes: [Node; SEGMENTS],
    /// For both epochs, the configuration by which the writer goes.
    pub known: [u8; 2],
    pub commits: [Commit; 2],
    pub recovery: Recovery,
    /// Exchanges begun, by place in the bounds.
    pub begun: u8,
    pub lost: u8,
    /// Records that were quorate when the newest joiners' configuration was installed: what they must be hydrated with.
    pub watermark: Records,
}

/// The most configurations that the metadata service records in one exploration.
pub const CONFIGURATIONS: usize = 6;

packed_enum!(Standing { Absent, Up, Lost, Fresh });
packed_enum!(Answered { No, Yes });
packed_enum!(Kept { Yes, No });
packed_enum!(Commit { None, Done, AfterReplacement });
packed_enum!(Recovery { None, Reading, Installing(Kept), Open(Kept) });
packed_struct!(Node {
    standing,
    configuration as 3,
    fenced as 2,
    truncated as 2,
    holds as 2,
    took as 2,
    acknowledged as 2,
    hydrated as 3,
    answered
});

impl Number for Records {
    fn number(self) -> u64 {
        self.0.into()
    }

    fn of(number: u64) -> Self {
        Records(number as u8)
    }
}

impl Field for World {
    const BITS: u32 = <Few<Configuration, CONFIGURATIONS>>::BITS
        + <[Node; SEGMENTS]>::BITS
        + 6
        + <[Commit; 2]>::BITS
        + Recovery::BITS
        + 8;

    fn put(&self, out: &mut impl Put) {
        self.history.put(out);
        self.nodes.put(out);
        self.known.iter().for_each(|&known| out.put(known.into(), 3));
        self.commits.put(out);
        self.recovery.put(out);
        out.put(self.begun.into(), 2);
        out.put(self.lost.into(), 4);
        out.put(self.watermark.number(), 2);
    }

    fn get(from: &mut impl Get) -> Self {
        World {
            history: Field::get(from),
            nodes: Field::get(from),
            known: std::array::from_fn(|_| from.get(3) as u8),
            commits: Field::get(from),
            recovery: Field::get(from),
            begun: from.get(2) as u8,
            lost: from.get(4) as u8,
            watermark: Number::of(from.get(2)),
        }
    }
}

pub const FIRST: Epoch = Epoch(1);
pub const SECOND: Epoch = Epoch(2);

impl World {
    #[must_use]
    pub fn created(bounds: &Bounds) -> World {
        let node = |segment: usize| {
            let member = bounds.members.all.contains(SegmentId(segment as u8));
            let standing = if member { Standing::Up } else { Standing::Absent };
            Node { standing, fenced: FIRST, truncated: FIRST, hydrated: u8::from(member), ..Node::default() }
        };
        World {
            history: Few::from_iter([Configuration::first(bounds.members)]),
            nodes: std::array::from_fn(node),
            known: [0; 2],
            commits: [Commit::None; 2],
            recovery: Recovery::None,
            begun: 0,
            lost: 0,
            watermark: Records::default(),
        }
    }

    /// Everything that could happen; [`World::after`] tells what does.
    pub fn candidates(&self, bounds: &Bounds, mut take: impl FnMut(Action)) {
        let newest = (self.history.len() - 1) as u8;
        for exchange in 0..bounds.exchanges.iter().flatten().count() as u8 {
            (0..=newest).for_each(|on| take(Action::Begin { exchange, on }));
        }
        if bounds.shrinking.is_on() {
            take(Action::Shrink);
        }
        if bounds.hydrating.is_on() {
            (0..self.history[usize::from(newest)].sets.len() as u8).for_each(|set| take(Action::Settle { set }));
        }
        let epochs = [FIRST, SECOND];
        for segment in SegmentId::all(SEGMENTS) {
            (1..=newest).for_each(|configuration| take(Action::Install { segment, configuration }));
            for epoch in epochs {
                take(Action::Write { epoch, segment });
                take(Action::Acknowledge { epoch, segment });
                if bounds.discarding.is_on() {
                    take(Action::Drop { segment, epoch });
                }
            }
            take(Action::FenceRead { segment });
            take(Action::Truncate { segment });
            if bounds.discarding.is_on() {
                take(Action::Discard { segment });
            }
            if self.lost < bounds.losses {
                take(Action::Lose { segment });
            }
            if bounds.recreating.is_on() {
                take(Action::Recreate { segment });
            }
            if bounds.hydrating.is_on() {
                self.quorums_for(segment).for_each(|from| take(Action::Hydrate { segment, from }));
            }
        }
        for epoch in epochs {
            (1..=newest).for_each(|configuration| take(Action::Refresh { epoch, configuration }));
        }
        if bounds.recovery.is_on() {
            take(Action::Recover);
            take(Action::Decide);
        }
    }

    /// Sets of one to three segments from which one that is not hydrated could take its records. More would only tell it more.
    fn quorums_for(&self, segment: SegmentId) -> impl Iterator<Item = SegmentSet> + use<> {
        let most = if self.wants_records(segment) { 1u32 << SEGMENTS } else { 0 };
        (1..most).map(SegmentSet).filter(move |from| from.len() <= 3 && !from.contains(segment))
    }

    fn wants_records(&self, segment: SegmentId) -> bool {
        let node = &self.nodes[segment.index()];
        match node.standing {
            Standing::Up => node.hydrated < self.asked_of(segment),
            Standing::Fresh => true,
            Standing::Absent | Standing::Lost => false,
        }
    }

    /// The number of the configuration since which the newest configuration wants a segment hydrated.
    fn asked_of(&self, segment: SegmentId) -> u8 {
        let sets = self.newest().sets.iter().filter(|members| members.all.contains(segment));
        sets.map(|members| members.since).max().unwrap_or(0)
    }

    #[must_use]
    pub fn newest(&self) -> &Configuration {
        // The history begins with the configuration of the new volume and is never cut.
        &self.history[self.history.len() - 1]
    }

    #[must_use]
    pub fn configuration_of(&self, segment: SegmentId) -> &Configuration {
        &self.history[usize::from(self.nodes[segment.index()].configuration)]
    }

    #[must_use]
    pub fn known_to(&self, epoch: Epoch) -> &Configuration {
        &self.history[usize::from(self.known[epoch.0 as usize - 1])]
    }

    #[must_use]
    pub fn hydrated(&self) -> Hydrated {
        Hydrated(std::array::from_fn(|segment| self.nodes[segment].hydrated))
    }

    /// The segments for which `holds` is true.
    #[must_use]
    pub fn which(&self, holds: impl Fn(&Node) -> bool) -> SegmentSet {
        SegmentId::all(SEGMENTS).filter(|segment| holds(&self.nodes[segment.index()])).collect()
    }

    /// The world with interchangeable segments in order: one state for all that differ in their names only.
    #[must_use]
    pub fn canonical(&self, bounds: &Bounds) -> World {
        self.permuted(&self.sources(bounds))
    }

    /// Where the segments of the canonical world come from: segment `to` was segment `sources[to]`.
    #[must_use]
    pub fn sources(&self, bounds: &Bounds) -> Vec<usize> {
        sources_by(&bounds.classes(), SEGMENTS, |place| self.nodes[place])
    }

    /// The same world with the segments renamed: segment `to` was segment `sources[to]`. Law: only segments that play the same
    /// part are exchanged, so the sets of members stay what they are.
    #[must_use]
    pub fn permuted(&self, sources: &[usize]) -> World {
        World { nodes: std::array::from_fn(|to| self.nodes[sources[to]]), ..self.clone() }
    }

    /// The volume epoch at the metadata service.
    #[must_use]
    pub fn volume_epoch(&self) -> Epoch {
        if self.recovery == Recovery::None { FIRST } else { SECOND }
    }

    /// The state after `action`; none if it is not possible or changes nothing.
    #[must_use]
    pub fn after(&self, rules: &MembershipRules, bounds: &Bounds, action: Action) -> Option<World> {
        let mut next = self.clone();
        let happened = match action {
            Action::Begin { exchange, on } => next.begin(rules, bounds, exchange, on),
            Action::Shrink => next.shrink(rules),
            Action::Settle { set } => next.settle(rules, set),
            Action::Install { segment, configuration } => next.install(rules, segment, configuration),
            Action::Hydrate { segment, from } => next.hydrate(rules, segment, from),
            Action::Write { epoch, segment } => next.write(rules, bounds, epoch, segment),
            Action::Acknowledge { epoch, segment } => next.acknowledge(rules, epoch, segment),
            Action::Refresh { epoch, configuration } => next.refresh(rules, epoch, configuration),
            Action::Recover => next.recover(bounds),
            Action::FenceRead { segment } => next.fence_read(segment),
            Action::Decide => next.decide(rules),
            Action::Truncate { segment } => next.truncate(rules, segment),
            Action::Discard { segment } => next.discard(rules, segment),
            Action::Drop { segment, epoch } => next.drop_record(rules, segment, epoch),
            Action::Lose { segment } => next.lose(segment),
            Action::Recreate { segment } => next.recreate(rules, segment),
        };
        happened?;
        (next != *self).then_some(next)
    }

    // --- control plane ---------------------------------------------------------------------------------------------

    fn begin(&mut self, rules: &MembershipRules, bounds: &Bounds, exchange: u8, on: u8) -> Option<()> {
        let at_once = rules.exchanged_at_once();
        let chosen = bounds.exchanges.get(usize::from(exchange)..usize::from(exchange) + at_once)?;
        let chosen: Vec<Exchanged> = chosen.iter().copied().collect::<Option<_>>()?;
        let bits = ((1 << at_once) - 1) << exchange;
        let base = &self.history[usize::from(on)];
        let current = usize::from(on) + 1 == self.history.len() || rules.builds_on_stale();
        if self.begun & bits != 0 || !current || !base.installed {
            return None;
        }
        let proposed = rules.begin(base, &chosen)?;
        self.begun |= bits;
        self.record(Configuration { follows: on, ..proposed });
        Some(())
    }

    fn shrink(&mut self, rules: &MembershipRules) -> Option<()> {
        let newest = self.newest();
        if !newest.installed || self.history.len() > 1 {
            return None;
        }
        let proposed = rules.shrink(newest);
        self.record(Configuration { follows: 0, ..proposed });
        Some(())
    }

    fn settle(&mut self, rules: &MembershipRules, set: u8) -> Option<()> {
        let newest = self.newest();
        let kept = *newest.sets.get(usize::from(set))?;
        if !newest.is_joint() || !newest.installed || !rules.may_settle(set.into(), kept, &self.hydrated()) {
            return None;
        }
        let follows = (self.history.len() - 1) as u8;
        let settled = newest.settled(kept);
        self.record(Configuration { follows, ..settled });
        Some(())
    }

    fn record(&mut self, configuration: Configuration) {
        self.history.push(configuration);
    }

    // --- segments ----------------------------------------------------------------------------------------------------

    /// A segment takes a configuration with a greater number than its own if it votes on it: as a member of the one before
    /// or of the new one. A joiner is created by it, fenced at the volume epoch of the metadata service (C17).
    fn install(&mut self, rules: &MembershipRules, segment: SegmentId, configuration: u8) -> Option<()> {
        let proposed = &self.history[usize::from(configuration)];
        let (number, follows) = (proposed.number, usize::from(proposed.follows));
        let concerned = proposed.everybody().contains(segment) || self.history[follows].everybody().contains(segment);
        let volume_epoch = self.volume_epoch();
        let older = self.configuration_of(segment).number < number;
        let node = &mut self.nodes[segment.index()];
        match node.standing {
            Standing::Absent if concerned => {
                *node = Node { standing: Standing::Up, fenced: volume_epoch, truncated: FIRST, ..Node::default() };
            }
            Standing::Up | Standing::Fresh if concerned && older => {}
            Standing::Absent | Standing::Up | Standing::Lost | Standing::Fresh => return None,
        }
        node.configuration = configuration;
        self.note_installations(rules);
        Some(())
    }

    /// The control plane hears of every installation at once: the worst case for safety, since it goes on at the earliest moment.
    fn note_installations(&mut self, rules: &MembershipRules) {
        for place in 1..self.history.len() {
            let configuration = &self.history[place];
            if configuration.installed {
                continue;
            }
            let number = configuration.number;
            let has = |node: &Node| match rules.believes_numbers() {
                true => self.history[usize::from(node.configuration)].number >= number,
                false => self.follows(node.configuration.into(), place),
            };
            let have = |node: &Node| node.standing != Standing::Absent && has(node);
            let previous = &self.history[usize::from(configuration.follows)];
            if rules.is_installed(previous, configuration, self.which(have)) {
                if !configuration.joining.is_empty() {
                    self.watermark = self.quorate(rules);
                }
                self.history[place].installed = true;
            }
        }
    }

    /// Whether a configuration is the one at `place`, or came from it.
    fn follows(&self, mut configuration: usize, place: usize) -> bool {
        while configuration > place {
            configuration = self.history[configuration].follows.into();
        }
        configuration == place
    }

    /// Records that a write quorum of some configuration that was gone by has taken.
    #[must_use]
    pub fn quorate(&self, rules: &MembershipRules) -> Records {
        let quorate = |epoch: &Epoch| {
            let holding = self.which(|node| node.took.contains(*epoch));
            self.history
                .iter()
                .any(|configuration| configuration.installed && rules.is_write_quorum(configuration, holding))
        };
        [FIRST, SECOND].into_iter().filter(quorate).fold(Records::default(), Records::with)
    }

    fn hydrate(&mut self, rules: &MembershipRules, segment: SegmentId, from: SegmentSet) -> Option<()> {
        let node = self.nodes[segment.index()];
        let own = self.configuration_of(segment);
        let (number, place) = (own.number, usize::from(node.configuration));
        let early = rules.hydrates_early();
        let serves = |source: SegmentId| {
            let peer = &self.nodes[source.index()];
            peer.standing == Standing::Up && (early || self.configuration_of(source).number == number)
        };
        let member = own.everybody().contains(segment) && (own.installed || early);
        if !member || !self.wants_records(segment) || !from.iter(SEGMENTS).all(serves) {
            return None;
        }
        if !rules.may_hydrate(&self.history[place], from, &self.hydrated()) {
            return None;
        }
        let sources: Vec<Node> = from.iter(SEGMENTS).map(|source| self.nodes[source.index()]).collect();
        let newest = |epoch: fn(&Node) -> Epoch| sources.iter().map(epoch).max().unwrap_or(FIRST);
        let (fenced, truncated) = (newest(|node| node.fenced), newest(|node| node.truncated));
        let held = sources.iter().fold(node.holds.0, |held, source| held | source.holds.0);
        let annulled = truncated == SECOND && self.recovery.kept() == Some(Kept::No);
        let node = &mut self.nodes[segment.index()];
        node.holds = if annulled { Records(held).without(FIRST) } else { Records(held) };
        node.fenced = node.fenced.max(fenced);
        node.truncated = node.truncated.max(truncated);
        node.hydrated = number;
        node.standing = Standing::Up;
        Some(())
    }

    /// A segment serves a request that names its volume epoch and its membership epoch, and no other (protocol §2).
    fn serves(&self, epoch: Epoch, segment: SegmentId) -> bool {
        let node = &self.nodes[segment.index()];
        let current = node.fenced == epoch && node.truncated == epoch;
        node.standing == Standing::Up && current && self.agrees(epoch, segment)
    }

    fn agrees(&self, epoch: Epoch, segment: SegmentId) -> bool {
        self.configuration_of(segment).number == self.known_to(epoch).number
    }

    fn discard(&mut self, rules: &MembershipRules, segment: SegmentId) -> Option<()> {
        let installed = self.history.iter().rev().find(|configuration| configuration.installed)?;
        let node = &mut self.nodes[segment.index()];
        if node.standing != Standing::Up || !rules.may_discard(installed, segment) {
            return None;
        }
        node.holds = Records::default();
        Some(())
    }

    fn drop_record(&mut self, rules: &MembershipRules, segment: SegmentId, epoch: Epoch) -> Option<()> {
        let full = self.newest().sets[0].full;
        let holding = self.which(|node| node.holds.contains(epoch));
        let node = &mut self.nodes[segment.index()];
        let tail = !full.is_empty() && !full.contains(segment);
        if node.standing != Standing::Up || !tail || !node.holds.contains(epoch) || !rules.may_drop(full, holding) {
            return None;
        }
        node.holds = node.holds.without(epoch);
        Some(())
    }

    fn lose(&mut self, segment: SegmentId) -> Option<()> {
        let node = &mut self.nodes[segment.index()];
        if node.standing != Standing::Up {
            return None;
        }
        node.standing = Standing::Lost;
        self.lost += 1;
        Some(())
    }

    /// The new one has the identity of the lost one and nothing else of it, and is fenced at the volume epoch (C17). What the lost
    /// one held, and what it promised, are gone: who was it is refused for ever.
    fn recreate(&mut self, rules: &MembershipRules, segment: SegmentId) -> Option<()> {
        let configuration = self.history.iter().rposition(|configuration| configuration.installed)? as u8;
        let fenced = self.volume_epoch();
        let node = &mut self.nodes[segment.index()];
        if node.standing != Standing::Lost || !rules.recreates() {
            return None;
        }
        let standing = if rules.takes_part_at_once() { Standing::Up } else { Standing::Fresh };
        let acknowledged = if rules.counts_former_incarnations() { node.acknowledged } else { Records::default() };
        let hydrated = node.hydrated;
        *node = Node { standing, configuration, fenced, truncated: FIRST, acknowledged, hydrated, ..Node::default() };
        Some(())
    }

    // --- writers -----------------------------------------------------------------------------------------------------

    fn write(&mut self, rules: &MembershipRules, bounds: &Bounds, epoch: Epoch, segment: SegmentId) -> Option<()> {
        let open = bounds.second_record.is_on() && matches!(self.recovery, Recovery::Open(_));
        if epoch == SECOND && !open || !self.serves(epoch, segment) {
            return None;
        }
        let chained = epoch == FIRST || self.recovery.kept() == Some(Kept::No);
        let node = &mut self.nodes[segment.index()];
        node.holds = node.holds.with(epoch);
        // Without the record before it the chain has a gap, and the SCL stays below it.
        if chained || node.holds.contains(FIRST) {
            node.took = node.took.with(epoch);
        }
        if bounds.late_acknowledgements.is_on() {
            Some(())
        } else {
            self.acknowledge(rules, epoch, segment).or(Some(()))
        }
    }

    fn acknowledge(&mut self, rules: &MembershipRules, epoch: Epoch, segment: SegmentId) -> Option<()> {
        let taken = rules.takes_acknowledgement(self.known_to(epoch), segment);
        let node = &mut self.nodes[segment.index()];
        if !node.took.contains(epoch) || !taken {
            return None;
        }
        node.acknowledged = node.acknowledged.with(epoch);
        self.commit(rules, epoch);
        Some(())
    }

    /// A record is committed as soon as it can be: the worst case for durability.
    fn commit(&mut self, rules: &MembershipRules, epoch: Epoch) {
        let acknowledged = self.which(|node| node.acknowledged.contains(epoch));
        let replaced = epoch == FIRST && matches!(self.recovery, Recovery::Open(_));
        let commit = &mut self.commits[epoch.0 as usize - 1];
        let configuration = &self.history[usize::from(self.known[epoch.0 as usize - 1])];
        if *commit == Commit::None && rules.is_committed(configuration, acknowledged) {
            *commit = if replaced { Commit::AfterReplacement } else { Commit::Done };
        }
    }

    /// A writer goes by a configuration only when it is installed.
    fn refresh(&mut self, rules: &MembershipRules, epoch: Epoch, configuration: u8) -> Option<()> {
        let learnt = self.history.get(usize::from(configuration))?;
        let alive = epoch == FIRST || self.recovery != Recovery::None;
        if !rules.refreshes() || !alive || !learnt.installed || learnt.number <= self.known_to(epoch).number {
            return None;
        }
        self.known[epoch.0 as usize - 1] = configuration;
        if epoch == SECOND && self.recovery == Recovery::Reading {
            // Answers count from the members of the new configuration, under it.
            self.nodes.iter_mut().for_each(|node| node.answered = Answered::No);
        }
        self.commit(rules, epoch);
        self.open(rules);
        Some(())
    }

    // --- recovery ----------------------------------------------------------------------------------------------------

    /// R0: the epoch first, then the configuration, the newest that is installed.
    fn recover(&mut self, bounds: &Bounds) -> Option<()> {
        if !bounds.recovery.is_on() || self.recovery != Recovery::None {
            return None;
        }
        let installed = self.history.iter().rposition(|configuration| configuration.installed)?;
        self.recovery = Recovery::Reading;
        self.known[1] = installed as u8;
        Some(())
    }

    fn fence_read(&mut self, segment: SegmentId) -> Option<()> {
        let up = self.nodes[segment.index()].standing == Standing::Up;
        if self.recovery != Recovery::Reading || !up || !self.agrees(SECOND, segment) {
            return None;
        }
        let node = &mut self.nodes[segment.index()];
        node.fenced = SECOND;
        node.answered = Answered::Yes;
        Some(())
    }

    fn decide(&mut self, rules: &MembershipRules) -> Option<()> {
        let counted = |node: &Node| node.answered == Answered::Yes;
        let answered = self.which(counted);
        if self.recovery != Recovery::Reading
            || !rules.is_read_quorum(self.known_to(SECOND), answered, &self.hydrated())
        {
            return None;
        }
        let found = self.nodes.iter().any(|node| counted(node) && node.holds.contains(FIRST));
        self.recovery = Recovery::Installing(if found { Kept::Yes } else { Kept::No });
        self.nodes.iter_mut().for_each(|node| node.answered = Answered::No);
        Some(())
    }

    fn truncate(&mut self, rules: &MembershipRules, segment: SegmentId) -> Option<()> {
        let kept = self.recovery.kept()?;
        if self.nodes[segment.index()].standing != Standing::Up || !self.agrees(SECOND, segment) {
            return None;
        }
        let node = &mut self.nodes[segment.index()];
        if node.truncated < SECOND {
            node.fenced = SECOND;
            node.truncated = SECOND;
            node.holds = match kept {
                Kept::Yes => node.holds.with(FIRST),
                Kept::No => node.holds.without(FIRST),
            };
        }
        self.open(rules);
        Some(())
    }

    /// R4.
    fn open(&mut self, rules: &MembershipRules) {
        let Recovery::Installing(kept) = self.recovery else {
            return;
        };
        let ready = |node: &Node| node.truncated == SECOND && (kept == Kept::No || node.holds.contains(FIRST));
        if rules.is_write_quorum(self.known_to(SECOND), self.which(ready)) {
            self.recovery = Recovery::Open(kept);
        }
    }
}
