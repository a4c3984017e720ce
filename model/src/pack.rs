//! States as bits: the same number of them for every state of an exploration, so that engines can keep millions.
//!
//! How many bits a number takes follows from the bounds. What the adopted rules never do (reply before the sync, count
//! credit that is no prefix) takes room only under a rule book that does it. A truncation list is a set of the ranges that
//! recoveries have decided, and there are no more of those than recoveries.

use crate::bounds::Bounds;
use crate::confirm::{Read, Reads, Round};
use crate::disk::{Disk, Entry, Image};
use crate::instance::{Instance, Phase, Writer};
use crate::logset::{Bits, FewRanges, LogSet, Range, RangeList};
use crate::metadata::Metadata;
use crate::recovery::{Decision, Quorum, Reading};
use crate::rules::Rules;
use crate::segment::{Answer, Segment, Standing};
use crate::types::{Epoch, Lsn, Nonce, SegmentId, SegmentSet};
use crate::world::{Breaches, ClientRead, EPOCHS_MAX, Spent, World};

/// How many bits each part takes.
#[derive(Clone, Copy, Debug)]
pub struct Layout {
    /// An LSN.
    lsn: u32,
    /// A set of LSNs.
    set: u32,
    epoch: u32,
    /// A confirmation round; 0 where none can begin.
    round: u32,
    /// Reads that wait at one instance.
    waiting: u32,
    /// A count within the fault and client budgets.
    spent: u32,
    /// Ranges that recoveries decide.
    ranges: u32,
    /// Answers that a recovery holds at once.
    answers: u32,
    instances: u32,
    instance: u32,
    /// Entries that wait for their sync; none where no reply leaves before.
    unsynced: Option<u32>,
    credit: Credit,
    /// Epochs whose records gossip offers.
    offered: u32,
}

/// What an acknowledgement counts for, as it is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Credit {
    /// Everything from a known LSN up to one: that one.
    Prefix {
        forgetting: bool,
    },
    Set,
}

/// Takes the low bits of a number. Panics where it needs more: such a state lies outside the bounds.
pub trait Put {
    fn put(&mut self, value: u64, bits: u32);
}

/// Gives back what was put, in the same order.
pub trait Get {
    fn get(&mut self, bits: u32) -> u64;
}

/// Bits of the numbers 0 to `max`.
fn bits_upto(max: u64) -> u32 {
    u64::BITS - max.leading_zeros()
}

impl Layout {
    pub(crate) fn of<const N: usize>(rules: &Rules, bounds: &Bounds) -> Layout {
        let recoveries = u64::from(bounds.recoveries);
        // A recovery's range ends at most LAL above what it found, and its writer allocates at most so many behind it.
        let lsn_max = ((recoveries + 1) * (bounds.lal + u64::from(bounds.records))).min(0xff);
        let confirms = bounds.reads > 0 || bounds.early_rounds.is_on();
        let answers = if bounds.late_answers.is_on() { N as u32 } else { u32::from(rules.scheme.read) - 1 };
        let forgetting = bounds.forgetting.is_on();
        let mut layout = Layout {
            lsn: bits_upto(lsn_max + 1),
            set: (lsn_max as u32).min(Bits::CAPACITY as u32),
            epoch: bits_upto(recoveries + 1),
            round: if confirms { bits_upto(2 * u64::from(bounds.reads) + 2) } else { 0 },
            waiting: 1,
            spent: bits_upto(bounds.crashes.max(bounds.wipes).max(bounds.reads).into()),
            ranges: bounds.recoveries.into(),
            answers: answers.min(N as u32),
            instances: u32::from(bounds.recoveries) + 1,
            instance: 0,
            unsynced: rules.may_reply_before_sync().then_some(4 * (u32::from(bounds.records) + 1)),
            credit: if rules.credits_prefixes() { Credit::Prefix { forgetting } } else { Credit::Set },
            offered: if bounds.gossip.is_on() { u32::from(bounds.recoveries) + 1 } else { 0 },
        };
        layout.instance = layout.reading::<N>().max(layout.open::<N>());
        layout
    }

    /// Where so many clients may wait for a read at one instance.
    #[cfg_attr(not(feature = "stateright"), expect(dead_code, reason = "clients are explored with stateright"))]
    pub(crate) fn with_waiting_reads<const N: usize>(self, waiting: u32) -> Layout {
        let mut layout = Layout { waiting, ..self };
        layout.instance = layout.reading::<N>().max(layout.open::<N>());
        layout
    }

    fn reading<const N: usize>(&self) -> u32 {
        let answer = self.set + self.ranges + self.epoch;
        N as u32 + bits_upto(self.answers.into()) + self.answers * answer
    }

    /// An installing recovery needs less.
    fn open<const N: usize>(&self) -> u32 {
        let n = N as u32;
        let decision = 3 * self.lsn + self.ranges;
        let credit = if self.credit == Credit::Set { self.set } else { self.lsn };
        let quorum = n + n * (1 + credit) + bits_upto(N as u64);
        decision + quorum + 2 * self.lsn + self.reads::<N>()
    }

    /// The round in flight and the reads that wait.
    fn reads<const N: usize>(&self) -> u32 {
        let round = self.round + 1 + self.lsn + N as u32;
        let waiting = bits_upto(self.waiting.into()) + self.waiting * (8 + self.lsn + self.round);
        if self.round == 0 { 0 } else { round + waiting }
    }
}

/// Puts the same number of bits for every state within the layout's bounds.
///
/// # Panics
/// If the state lies outside them.
pub(crate) fn pack<const N: usize>(layout: Layout, world: &World<N>, out: &mut impl Put) {
    let known = ranges_of(world);
    let mut packer = Packer { layout, known: &known, out };
    packer.world(world);
}

/// The state that was packed.
pub(crate) fn unpack<const N: usize>(layout: Layout, from: &mut impl Get) -> World<N> {
    let known = (0..layout.ranges).filter_map(|_| {
        let (ve, lo, hi) = (from.get(layout.epoch), from.get(layout.lsn), from.get(layout.lsn));
        (ve > 0).then_some(Range { ve: Epoch(ve as u32), lo: Lsn(lo), hi: Lsn(hi) })
    });
    let known = Known::of(known);
    Unpacker { layout, known: &known, from }.world()
}

/// Ranges in the order in which bits stand for them.
struct Known {
    ranges: [Range; EPOCHS_MAX],
    len: usize,
}

impl Known {
    fn of(ranges: impl Iterator<Item = Range>) -> Known {
        let mut known = Known { ranges: [Range { ve: Epoch(0), lo: Lsn(0), hi: Lsn(0) }; EPOCHS_MAX], len: 0 };
        ranges.for_each(|range| known.add(range));
        known
    }

    fn add(&mut self, range: Range) {
        if let Err(place) = self.ranges[..self.len].binary_search(&range) {
            assert!(self.len < EPOCHS_MAX, "more truncation ranges than recoveries");
            self.ranges[place..=self.len].rotate_right(1);
            self.ranges[place] = range;
            self.len += 1;
        }
    }

    fn bits(&self, list: &FewRanges) -> u64 {
        let place = |range: Range| self.ranges[..self.len].iter().position(|&known| known == range);
        list.iter().map(|range| 1 << place(range).expect("every range was collected")).sum()
    }

    fn list(&self, bits: u64) -> FewRanges {
        let mut list = FewRanges::default();
        let members = self.ranges[..self.len].iter().enumerate().filter(|(place, _)| bits >> place & 1 == 1);
        members.for_each(|(_, &range)| list.add(range));
        list
    }
}

fn ranges_of<const N: usize>(world: &World<N>) -> Known {
    let mut known = Known::of(std::iter::empty());
    let mut last = FewRanges::default();
    let mut add = |list: &FewRanges| {
        // Most lists of a state are equal.
        if *list != last {
            list.iter().for_each(|range| known.add(range));
            last = *list;
        }
    };
    for segment in &world.segments {
        add(&segment.image.ranges);
        add(&segment.disk.image().ranges);
        for entry in &segment.unsynced {
            if let Entry::Truncate { ranges, .. } = entry {
                add(ranges);
            }
        }
    }
    for instance in &world.instances {
        match instance.phase() {
            Phase::Reading(reading) => {
                reading.answers.iter().flatten().chain(&reading.departed).for_each(|a| add(&a.ranges));
            }
            Phase::Installing { decision, .. } => add(&decision.ranges),
            Phase::Open(writer) => add(&writer.decision.ranges),
            Phase::Deposed => {}
        }
    }
    known
}

// --- packing -----------------------------------------------------------------------------------------------------------

struct Packer<'a, P> {
    layout: Layout,
    known: &'a Known,
    out: &'a mut P,
}

impl<P: Put> Packer<'_, P> {
    #[inline]
    fn put(&mut self, value: u64, bits: u32) {
        self.out.put(value, bits);
    }

    fn lsn(&mut self, lsn: Lsn) {
        self.put(lsn.0, self.layout.lsn);
    }

    fn epoch(&mut self, epoch: Epoch) {
        self.put(epoch.0.into(), self.layout.epoch);
    }

    fn set(&mut self, set: Bits) {
        self.put(set.0.into(), self.layout.set);
    }

    fn ranges(&mut self, list: &FewRanges) {
        self.put(self.known.bits(list), self.layout.ranges);
    }

    fn skip(&mut self, bits: u32) {
        (0..bits / 64).for_each(|_| self.put(0, 64));
        self.put(0, bits % 64);
    }

    fn world<const N: usize>(&mut self, world: &World<N>) {
        for place in 0..self.layout.ranges as usize {
            let range = self.known.ranges[place];
            self.epoch(range.ve);
            self.lsn(range.lo);
            self.lsn(range.hi);
        }
        world.segments.iter().for_each(|segment| self.segment(segment));
        self.put(world.instances.len() as u64, bits_upto(self.layout.instances.into()));
        let counted = |packer: &Self| packer.layout.instance + packer.layout.epoch + 2;
        for instance in &world.instances {
            self.instance(instance);
        }
        for _ in world.instances.len()..self.layout.instances as usize {
            self.skip(counted(self));
        }
        let Metadata { volume_epoch, membership_epoch: 1, geometry_epoch: 1 } = world.metadata else {
            panic!("no action changes members or geometry");
        };
        self.epoch(volume_epoch);
        for (epoch, offered) in world.offered.iter().enumerate() {
            if (1..=self.layout.offered as usize).contains(&epoch) {
                self.set(*offered);
            } else {
                assert!(offered.is_empty(), "records of epoch {epoch} are offered");
            }
        }
        self.put(world.read.is_some().into(), 1);
        let read = world.read.unwrap_or(ClientRead { instance: 0, floor: Lsn::ZERO });
        self.put(read.instance.into(), 3);
        self.lsn(read.floor);
        let Spent { crashes, wipes, reads, answered } = world.spent;
        [crashes, wipes, reads, answered].into_iter().for_each(|n| self.put(n.into(), self.layout.spent));
        self.put(world.breaches.0.into(), 8);
    }

    fn segment(&mut self, segment: &Segment<Bits>) {
        self.put((segment.standing == Standing::Wiped).into(), 1);
        self.image(&segment.image);
        let Some(most) = self.layout.unsynced else {
            let synced = segment.unsynced.is_empty() && segment.image == *segment.disk.image();
            assert!(synced, "these rules sync before they reply");
            return;
        };
        self.image(segment.disk.image());
        self.put(segment.unsynced.len() as u64, bits_upto(most.into()));
        segment.unsynced.iter().for_each(|entry| self.entry(entry));
        let free = most.checked_sub(segment.unsynced.len() as u32).expect("few entries wait for their sync");
        self.skip(free * (2 + self.layout.epoch + self.layout.lsn + self.layout.ranges));
    }

    fn image(&mut self, image: &Image<Bits>) {
        self.set(image.held);
        self.ranges(&image.ranges);
        self.epoch(image.trunc_ve);
        self.epoch(image.fenced);
    }

    fn entry(&mut self, entry: &Entry<Bits>) {
        let (kind, ve, lsn, ranges) = match entry {
            Entry::Record { ve, lsn } => (0, ve, *lsn, FewRanges::default()),
            Entry::Fence { ve } => (1, ve, Lsn::ZERO, FewRanges::default()),
            Entry::Truncate { ve, ranges } => (2, ve, Lsn::ZERO, *ranges),
        };
        self.put(kind, 2);
        self.epoch(*ve);
        self.lsn(lsn);
        self.ranges(&ranges);
    }

    fn instance<const N: usize>(&mut self, instance: &Instance<Bits, N>) {
        self.epoch(instance.ve());
        let decided = |decision: &Decision<Bits>| assert!(decision.ve == instance.ve(), "a decision of its own epoch");
        let used = match instance.phase() {
            Phase::Reading(reading) => {
                self.put(0, 2);
                self.reading(reading);
                self.layout.reading::<N>()
            }
            Phase::Installing { decision, quorum } => {
                decided(decision);
                self.put(1, 2);
                let installed = decision.vdl;
                let from = match self.layout.credit {
                    Credit::Prefix { forgetting: true } => installed,
                    Credit::Prefix { forgetting: false } | Credit::Set => Lsn(1),
                };
                self.decision(decision) + self.quorum(quorum, from)
            }
            Phase::Open(writer) => {
                decided(&writer.decision);
                self.put(2, 2);
                let used = self.decision(&writer.decision) + self.quorum(&writer.quorum, writer.vdl.next());
                self.lsn(writer.next);
                self.lsn(writer.vdl);
                used + 2 * self.layout.lsn + self.reads::<N>(&writer.reads)
            }
            Phase::Deposed => {
                self.put(3, 2);
                0
            }
        };
        self.skip(self.layout.instance - used);
    }

    fn reading<const N: usize>(&mut self, reading: &Reading<Bits, N>) {
        for answer in &reading.answers {
            self.put(answer.is_some().into(), 1);
        }
        let held = reading.heard() as u32;
        self.put(reading.departed.len() as u64, bits_upto(self.layout.answers.into()));
        for answer in reading.answers.iter().flatten().chain(&reading.departed) {
            self.set(answer.held);
            self.ranges(&answer.ranges);
            self.epoch(answer.trunc_ve);
        }
        let free = self.layout.answers.checked_sub(held).expect("a recovery with enough answers decides");
        self.skip(free * (self.layout.set + self.layout.ranges + self.layout.epoch));
    }

    fn decision(&mut self, decision: &Decision<Bits>) -> u32 {
        self.lsn(decision.vdl);
        self.ranges(&decision.ranges);
        self.lsn(decision.range_end);
        self.lsn(decision.first);
        3 * self.layout.lsn + self.layout.ranges
    }

    /// A copy's place holds its own credit, or if that is empty the next departed one. `from`: where credit begins.
    fn quorum<const N: usize>(&mut self, quorum: &Quorum<Bits, N>, from: Lsn) -> u32 {
        let before = N as u32 + bits_upto(N as u64);
        self.put(quorum.joined.0.into(), N as u32);
        self.put(quorum.departed_ready.into(), bits_upto(N as u64));
        let mut departed = quorum.departed.iter().filter(|credit| !credit.is_empty());
        let mut used = before;
        for own in &quorum.credit {
            let other = if own.is_empty() { departed.next() } else { None };
            self.put(other.is_some().into(), 1);
            used += 1 + self.credit(*other.unwrap_or(own), from);
        }
        assert!(departed.next().is_none(), "a copy that departed has no credit of its own");
        used
    }

    fn credit(&mut self, credit: Bits, from: Lsn) -> u32 {
        match self.layout.credit {
            Credit::Set => {
                self.set(credit);
                self.layout.set
            }
            Credit::Prefix { .. } => {
                assert!(credit == upto(from, credit.last()), "credit {credit:?} is no run from {from}");
                self.lsn(credit.last());
                self.layout.lsn
            }
        }
    }

    fn reads<const N: usize>(&mut self, reads: &Reads) -> u32 {
        let Layout { round: bits, waiting: most, .. } = self.layout;
        if bits == 0 {
            assert!(*reads == Reads::default(), "nothing asks for confirmation");
            return 0;
        }
        self.put(reads.last_round.0, bits);
        self.put(reads.round.is_some().into(), 1);
        let none = Round { first_lsn: Lsn::ZERO, confirmed: SegmentSet::EMPTY };
        let round = reads.round.as_ref().unwrap_or(&none);
        self.lsn(round.first_lsn);
        self.put(round.confirmed.0.into(), N as u32);
        assert!(reads.waiting.len() <= most as usize, "a client reads once at a time");
        self.put(reads.waiting.len() as u64, bits_upto(most.into()));
        let none = Read { id: 0, at: Lsn::ZERO, first_valid_round: Nonce(0) };
        for place in 0..most as usize {
            let read = reads.waiting.get(place).copied().unwrap_or(none);
            self.put(read.id, 8);
            self.lsn(read.at);
            self.put(read.first_valid_round.0, bits);
        }
        self.layout.reads::<N>()
    }
}

/// `from..=to`, nothing if `to` is 0.
fn upto(from: Lsn, to: Lsn) -> Bits {
    let mut run = Bits::default();
    if to > Lsn::ZERO {
        run.insert_range(from, to);
    }
    run
}

// --- unpacking ---------------------------------------------------------------------------------------------------------

struct Unpacker<'a, G> {
    layout: Layout,
    known: &'a Known,
    from: &'a mut G,
}

impl<G: Get> Unpacker<'_, G> {
    #[inline]
    fn get(&mut self, bits: u32) -> u64 {
        self.from.get(bits)
    }

    fn flag(&mut self) -> bool {
        self.get(1) == 1
    }

    fn lsn(&mut self) -> Lsn {
        Lsn(self.get(self.layout.lsn))
    }

    fn epoch(&mut self) -> Epoch {
        Epoch(self.get(self.layout.epoch) as u32)
    }

    fn set(&mut self) -> Bits {
        Bits(self.get(self.layout.set) as u32)
    }

    fn ranges(&mut self) -> FewRanges {
        let bits = self.get(self.layout.ranges);
        self.known.list(bits)
    }

    fn skip(&mut self, bits: u32) {
        (0..bits / 64).for_each(|_| {
            self.get(64);
        });
        self.get(bits % 64);
    }

    fn world<const N: usize>(mut self) -> World<N> {
        let segments = std::array::from_fn(|_| self.segment());
        let instances = self.get(bits_upto(self.layout.instances.into())) as u32;
        let mut taken = Vec::with_capacity(instances as usize);
        (0..instances).for_each(|_| taken.push(self.instance()));
        for _ in instances..self.layout.instances {
            self.skip(self.layout.instance + self.layout.epoch + 2);
        }
        let metadata = Metadata { volume_epoch: self.epoch(), ..Metadata::of_a_new_volume() };
        let mut offered = [Bits::default(); EPOCHS_MAX];
        (1..=self.layout.offered as usize).for_each(|epoch| offered[epoch] = self.set());
        let waits = self.flag();
        let read = ClientRead { instance: self.get(3) as u8, floor: self.lsn() };
        let mut count = || self.from.get(self.layout.spent) as u8;
        let spent = Spent { crashes: count(), wipes: count(), reads: count(), answered: count() };
        let breaches = Breaches(self.get(8) as u8);
        World { segments, instances: taken, metadata, offered, read: waits.then_some(read), spent, breaches }
    }

    fn segment(&mut self) -> Segment<Bits> {
        let standing = if self.flag() { Standing::Wiped } else { Standing::Member };
        let image = self.image();
        let Some(most) = self.layout.unsynced else {
            return Segment { disk: Disk::unpacked(image.clone()), image, unsynced: Vec::new(), standing };
        };
        let disk = Disk::unpacked(self.image());
        let waiting = self.get(bits_upto(most.into())) as u32;
        let unsynced = (0..waiting).map(|_| self.entry()).collect();
        self.skip((most - waiting) * (2 + self.layout.epoch + self.layout.lsn + self.layout.ranges));
        Segment { image, disk, unsynced, standing }
    }

    fn image(&mut self) -> Image<Bits> {
        Image { held: self.set(), ranges: self.ranges(), trunc_ve: self.epoch(), fenced: self.epoch() }
    }

    fn entry(&mut self) -> Entry<Bits> {
        let (kind, ve, lsn, ranges) = (self.get(2), self.epoch(), self.lsn(), self.ranges());
        match kind {
            0 => Entry::Record { ve, lsn },
            1 => Entry::Fence { ve },
            _ => Entry::Truncate { ve, ranges },
        }
    }

    fn instance<const N: usize>(&mut self) -> Instance<Bits, N> {
        let ve = self.epoch();
        let (phase, used) = match self.get(2) {
            0 => (Phase::Reading(self.reading()), self.layout.reading::<N>()),
            1 => {
                let (decision, used) = self.decision(ve);
                let forgetting = self.layout.credit == Credit::Prefix { forgetting: true };
                let from = if forgetting { decision.vdl } else { Lsn(1) };
                let (quorum, of_quorum) = self.quorum(Some(from));
                (Phase::Installing { decision, quorum }, used + of_quorum)
            }
            2 => self.open(ve),
            _ => (Phase::Deposed, 0),
        };
        self.skip(self.layout.instance - used);
        Instance::unpacked(ve, phase)
    }

    fn open<const N: usize>(&mut self, ve: Epoch) -> (Phase<Bits, N>, u32) {
        let (decision, used) = self.decision(ve);
        let (mut quorum, of_quorum) = self.quorum(None);
        let (next, vdl) = (self.lsn(), self.lsn());
        // Where the credit begins is known only now.
        if let Credit::Prefix { .. } = self.layout.credit {
            quorum.credit_mut().for_each(|credit| *credit = upto(vdl.next(), credit.last()));
        }
        let (reads, of_reads) = self.reads::<N>();
        let writer = Writer { decision, quorum, next, vdl, reads };
        (Phase::Open(writer), used + of_quorum + 2 * self.layout.lsn + of_reads)
    }

    fn reading<const N: usize>(&mut self) -> Reading<Bits, N> {
        let heard: [bool; N] = std::array::from_fn(|_| self.flag());
        let departed = self.get(bits_upto(self.layout.answers.into())) as u32;
        let answers = heard.map(|heard| heard.then(|| self.answer()));
        let departed = (0..departed).map(|_| self.answer()).collect();
        let reading = Reading { answers, departed };
        let free = self.layout.answers - reading.heard() as u32;
        self.skip(free * (self.layout.set + self.layout.ranges + self.layout.epoch));
        reading
    }

    fn answer(&mut self) -> Answer<Bits> {
        Answer { held: self.set(), ranges: self.ranges(), trunc_ve: self.epoch() }
    }

    fn decision(&mut self, ve: Epoch) -> (Decision<Bits>, u32) {
        let (vdl, ranges) = (self.lsn(), self.ranges());
        let (range_end, first) = (self.lsn(), self.lsn());
        (Decision { ve, vdl, ranges, range_end, first }, 3 * self.layout.lsn + self.layout.ranges)
    }

    /// `from`: where credit begins; if it is not known yet, credit is its last LSN alone.
    fn quorum<const N: usize>(&mut self, from: Option<Lsn>) -> (Quorum<Bits, N>, u32) {
        let mut used = N as u32 + bits_upto(N as u64);
        let mut quorum = Quorum { joined: SegmentSet(self.get(N as u32) as u32), ..Quorum::nobody() };
        quorum.departed_ready = self.get(bits_upto(N as u64)) as u8;
        for copy in SegmentId::all(N) {
            let departed = self.flag();
            let (credit, of_credit) = match self.layout.credit {
                Credit::Set => (self.set(), self.layout.set),
                Credit::Prefix { .. } => {
                    let last = self.lsn();
                    (upto(from.unwrap_or(last), last), self.layout.lsn)
                }
            };
            used += 1 + of_credit;
            let place = if departed { &mut quorum.departed[copy.index()] } else { &mut quorum.credit[copy.index()] };
            *place = credit;
        }
        quorum.sort_departed();
        (quorum, used)
    }

    fn reads<const N: usize>(&mut self) -> (Reads, u32) {
        let Layout { round: bits, waiting: most, .. } = self.layout;
        if bits == 0 {
            return (Reads::default(), 0);
        }
        let last_round = Nonce(self.get(bits));
        let begun = self.flag();
        let round = Round { first_lsn: self.lsn(), confirmed: SegmentSet(self.get(N as u32) as u32) };
        let waits = self.get(bits_upto(most.into())) as usize;
        let mut waiting = Vec::new();
        for place in 0..most as usize {
            let read = Read { id: self.get(8), at: self.lsn(), first_valid_round: Nonce(self.get(bits)) };
            if place < waits {
                waiting.push(read);
            }
        }
        (Reads { last_round, round: begun.then_some(round), waiting }, self.layout.reads::<N>())
    }
}
