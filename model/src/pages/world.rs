//! The closed world of pages: one protection group, a writer with a cache, a replica with a cache that follows its stream, and
//! segments that fold records into pages and collect them.
//!
//! What the core explores is left out here: a failover is one step, in which a read quorum is asked and every segment is told what
//! is kept; there is no gossip. What is in: holes, read points, pages of any segment, two blocks, mini-transactions over both,
//! page fetches in flight, eviction, collection, backup, a replica that is suspected, streams with gaps.
//!
//! Record `i` of the plan has LSN `i + 1`; the records of the second writer come behind those of the first, whether these were
//! all allocated or not: that is the gap of the truncation range. A page is the set of records that it consists of.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::rules::PageRules;
use crate::area::{admissible_quorums, at_most, sources_by};
use crate::bounds::Switch;
use crate::packed_struct;
use crate::records::Records;

pub const RECORDS: usize = 4;
pub const BLOCKS: usize = 2;
pub const COPIES: usize = 6;

/// One record that a writer will write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Planned {
    /// 0 or 1.
    pub block: u8,
    /// Whether it ends its mini-transaction.
    pub ends: Switch,
}

/// How large the world is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bounds {
    /// Copies, at most six, and the sizes of the write and the read quorum.
    pub copies: u8,
    pub write: u8,
    pub read: u8,
    pub plan: [Option<Planned>; RECORDS],
    /// How many of the records are the first writer's; the others are those of who replaces it.
    pub first: u8,
    /// Whether the writer is replaced.
    pub failover: Switch,
    pub replica: Switch,
    /// Whether segments collect.
    pub collecting: Switch,
    /// Whether the writer reads and evicts pages.
    pub reading: Switch,
    pub symmetry: Switch,
}

const fn inner(block: u8) -> Option<Planned> {
    Some(Planned { block, ends: Switch::Off })
}

const fn last(block: u8) -> Option<Planned> {
    Some(Planned { block, ends: Switch::On })
}

impl Bounds {
    /// Three copies, two to write, two to read; mini-transactions of one record each, in these blocks.
    #[must_use]
    pub const fn writing(blocks: &[u8]) -> Bounds {
        let mut plan = [None; RECORDS];
        let mut at = 0;
        while at < blocks.len() {
            plan[at] = last(blocks[at]);
            at += 1;
        }
        Bounds {
            copies: 3,
            write: 2,
            read: 2,
            plan,
            first: blocks.len() as u8,
            failover: Switch::Off,
            replica: Switch::Off,
            collecting: Switch::Off,
            reading: Switch::Off,
            symmetry: Switch::On,
        }
    }

    /// A mini-transaction over both blocks.
    #[must_use]
    pub const fn across() -> Bounds {
        let plan = [inner(0), last(1), None, None];
        Bounds { plan, first: 2, ..Bounds::writing(&[]) }
    }

    /// The last record is that of who replaces the writer.
    #[must_use]
    pub const fn with_failover(self, first: u8) -> Bounds {
        Bounds { failover: Switch::On, first, ..self }
    }

    #[must_use]
    pub const fn with_replica(self) -> Bounds {
        Bounds { replica: Switch::On, ..self }
    }

    #[must_use]
    pub const fn collecting(self) -> Bounds {
        Bounds { collecting: Switch::On, ..self }
    }

    #[must_use]
    pub const fn reading(self) -> Bounds {
        Bounds { reading: Switch::On, ..self }
    }

    /// Six copies, four to write, three to read.
    #[must_use]
    pub const fn of_six(self) -> Bounds {
        Bounds { copies: 6, write: 4, read: 3, ..self }
    }

    /// Segments that are interchangeable.
    #[must_use]
    pub fn classes(&self) -> Vec<Vec<usize>> {
        vec![(0..usize::from(self.copies)).collect()]
    }

    /// Whether a state can hold what is asked for.
    ///
    /// # Errors
    /// What is too much or too little.
    pub fn admissible(&self) -> Result<(), String> {
        admissible_quorums(self.copies, self.write, self.read, COPIES)?;
        if self.plan.iter().skip(self.records()).any(Option::is_some) {
            return Err("the plan has a gap".into());
        }
        let blocks = self.plan.iter().flatten().map(|planned| usize::from(planned.block) + 1);
        at_most("blocks", blocks.max().unwrap_or(0), BLOCKS)?;
        at_most("records of the first writer", self.first.into(), self.records())
    }

    #[must_use]
    pub const fn unreduced(self) -> Bounds {
        Bounds { symmetry: Switch::Off, ..self }
    }

    fn planned(&self, record: usize) -> Planned {
        self.plan[record].unwrap_or_else(|| panic!("the plan has no record {record}"))
    }

    /// Whether a record ends its mini-transaction.
    #[must_use]
    pub fn ends(&self, record: usize) -> bool {
        self.planned(record).ends.is_on()
    }

    /// How many records are planned.
    #[must_use]
    pub fn records(&self) -> usize {
        self.plan.iter().flatten().count()
    }

    /// The records of a block.
    #[must_use]
    pub fn of_block(&self, block: usize) -> Records {
        (0..self.records()).filter(|&record| usize::from(self.planned(record).block) == block).collect()
    }
}

impl fmt::Display for Bounds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{},", self.copies, self.write, self.read)?;
        for record in 0..self.records() {
            let who = if record < usize::from(self.first) { "" } else { "e2:" };
            let end = if self.ends(record) { ";" } else { "," };
            write!(f, " {who}b{}{end}", self.planned(record).block)?;
        }
        let switches = [
            (self.reading, "reading"),
            (self.collecting, "collecting"),
            (self.replica, "replica"),
            (self.failover, "1 failover"),
        ];
        for (_, name) in switches.iter().filter(|(switch, _)| switch.is_on()) {
            write!(f, " {name},")?;
        }
        if self.symmetry.is_on() { Ok(()) } else { f.write_str(" unreduced") }
    }
}

/// Who reads pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Reader {
    Writer,
    Replica,
}

/// What happens next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Action {
    /// The writer allocates its next mini-transaction and changes its cached pages.
    Allocate,
    /// A write reaches a segment, which acknowledges it.
    Write { record: u8, copy: u8 },
    /// The writer evicts a page.
    Evict { block: u8 },
    /// Somebody reads a block: from the cache, or a page is asked for.
    Read { reader: Reader, block: u8 },
    /// A segment answers.
    Answer { reader: Reader, copy: u8 },
    /// The request is sent to another segment too.
    Hedge { reader: Reader },
    /// A traversal is over: its read point is given up.
    Done { reader: Reader },
    /// A portion of the stream reaches the replica.
    Stream,
    /// The replica loses its connection and begins anew at the writer's VDL.
    Reconnect,
    /// The replica is not heard of, and does not count any more.
    Suspect,
    /// A segment stages what is durable to the backup.
    Backup { copy: u8 },
    /// A segment learns of the read points and collects.
    Collect { copy: u8 },
    /// It learns of them from the writer that was replaced.
    CollectLate { copy: u8 },
    /// Another instance takes the volume; it keeps this many of the first writer's records.
    Failover { kept: u8 },
}

impl Action {
    /// The same action on renamed segments: `i` becomes `names[i]`.
    #[must_use]
    pub fn renamed(self, names: &[usize]) -> Action {
        let renamed = |copy: u8| names[usize::from(copy)] as u8;
        match self {
            Action::Write { record, copy } => Action::Write { record, copy: renamed(copy) },
            Action::Answer { reader, copy } => Action::Answer { reader, copy: renamed(copy) },
            Action::Backup { copy } => Action::Backup { copy: renamed(copy) },
            Action::Collect { copy } => Action::Collect { copy: renamed(copy) },
            Action::CollectLate { copy } => Action::CollectLate { copy: renamed(copy) },
            Action::Allocate
            | Action::Evict { .. }
            | Action::Read { .. }
            | Action::Hedge { .. }
            | Action::Done { .. }
            | Action::Stream
            | Action::Reconnect
            | Action::Suspect
            | Action::Failover { .. } => self,
        }
    }
}

/// A segment. All of it is durable.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Node {
    /// Records kept one by one.
    pub held: Records,
    /// Records that are folded into pages for good.
    pub folded: Records,
    /// Up to where it has collected, an LSN: no read below it.
    pub collected: u8,
}

/// A page that is asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Fetch {
    pub block: u8,
    pub read_point: u8,
}

/// A traversal: what an instance reads at one point.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct View {
    pub read_point: u8,
    /// For each block that was read, the LSN at which it was read, from 1; 0 if it was not.
    pub seen: Seen,
}

/// See [`View::seen`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Seen {
    pub first: u8,
    pub second: u8,
}

impl Seen {
    fn set(&mut self, block: usize, read_point: u8) {
        *(if block == 0 { &mut self.first } else { &mut self.second }) = read_point + 1;
    }

    /// The points at which blocks were read.
    pub fn points(self) -> impl Iterator<Item = u8> {
        [self.first, self.second].into_iter().filter(|&point| point > 0).map(|point| point - 1)
    }
}

/// A cached page.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Page {
    pub records: Records,
}

/// An instance that reads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Instance {
    pub view: Option<View>,
    pub fetch: Option<Fetch>,
    pub cache: [Option<Page>; BLOCKS],
}

/// What went wrong in a step and cannot be seen in the state afterwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Breach {
    /// A page held a record that a recovery had annulled.
    Annulled,
    /// A page was not what its read point says.
    WrongPage,
    /// A segment answered that must not.
    NotEligible,
    /// A page was evicted while its last record was not durable.
    EvictedEarly,
}

/// A state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct World {
    pub nodes: [Node; COPIES],
    /// How many records the first writer and its successor have allocated.
    pub allocated: u8,
    pub allocated_later: u8,
    /// How many of the first writer's records its successor keeps, from 1; 0 before the failover.
    pub kept: u8,
    /// The VDL of the first writer when it was replaced.
    pub late_vdl: u8,
    pub writer: Instance,
    pub replica: Instance,
    /// Up to where the replica has applied.
    pub applied: u8,
    /// Whether the replica counts where the lowest read point is computed.
    pub counts: bool,
    /// Up to where the volume is backed up.
    pub backed: u8,
    /// Bits of [`Breach`].
    pub breaches: u8,
}

packed_struct!(Node { held as 4, folded as 4, collected as 3 });
packed_struct!(Fetch { block as 1, read_point as 3 });
packed_struct!(Seen { first as 3, second as 3 });
packed_struct!(View { read_point as 3, seen });
packed_struct!(Page { records as 4 });
packed_struct!(Instance { view, fetch, cache });
packed_struct!(World {
    nodes,
    allocated as 3,
    allocated_later as 3,
    kept as 3,
    late_vdl as 3,
    writer,
    replica,
    applied as 3,
    counts,
    backed as 3,
    breaches as 4
});

impl World {
    #[must_use]
    pub fn created(bounds: &Bounds) -> World {
        let cache = [Some(Page::default()); BLOCKS];
        World {
            nodes: [Node::default(); COPIES],
            allocated: 0,
            allocated_later: 0,
            kept: 0,
            late_vdl: 0,
            writer: Instance { cache, ..Instance::default() },
            replica: Instance::default(),
            applied: 0,
            counts: bounds.replica.is_on(),
            backed: 0,
            breaches: 0,
        }
    }

    #[must_use]
    pub fn copies(&self, bounds: &Bounds) -> &[Node] {
        &self.nodes[..usize::from(bounds.copies)]
    }

    #[must_use]
    pub fn epoch(&self) -> u32 {
        if self.kept == 0 { 1 } else { 2 }
    }

    /// The records that are in the volume for the current writer, durable or not.
    #[must_use]
    pub fn live(&self, bounds: &Bounds) -> Records {
        if self.kept == 0 {
            return (0..usize::from(self.allocated)).collect();
        }
        let first = usize::from(bounds.first);
        (0..usize::from(self.kept) - 1).chain(first..first + usize::from(self.allocated_later)).collect()
    }

    /// How far a segment's records are complete: an LSN.
    #[must_use]
    pub fn scl(&self, bounds: &Bounds, node: &Node) -> u8 {
        let has = node.held.or(node.folded);
        self.live(bounds).iter().take_while(|&record| has.contains(record)).last().map_or(0, |record| record as u8 + 1)
    }

    /// The last end of a mini-transaction up to which a write quorum is complete.
    #[must_use]
    pub fn vdl(&self, bounds: &Bounds) -> u8 {
        let complete = |lsn: u8| {
            let nodes = self.copies(bounds).iter();
            nodes.filter(|node| self.scl(bounds, node) >= lsn).count() >= usize::from(bounds.write)
        };
        let ends = self.live(bounds).iter().filter(|&record| bounds.ends(record)).map(|record| record as u8 + 1);
        ends.filter(|&lsn| complete(lsn)).last().unwrap_or(0)
    }

    /// What a page of `block` at a read point consists of.
    #[must_use]
    pub fn page(&self, bounds: &Bounds, block: usize, read_point: u8) -> Records {
        self.live(bounds).and(bounds.of_block(block)).upto(read_point)
    }

    #[must_use]
    pub fn instance(&self, reader: Reader) -> &Instance {
        match reader {
            Reader::Writer => &self.writer,
            Reader::Replica => &self.replica,
        }
    }

    fn instance_mut(&mut self, reader: Reader) -> &mut Instance {
        match reader {
            Reader::Writer => &mut self.writer,
            Reader::Replica => &mut self.replica,
        }
    }

    /// Where a reader would read now.
    #[must_use]
    pub fn position(&self, bounds: &Bounds, reader: Reader) -> u8 {
        match reader {
            Reader::Writer => self.vdl(bounds),
            Reader::Replica => self.applied,
        }
    }

    /// The lowest point at which a reader may still read.
    #[must_use]
    pub fn lowest(&self, bounds: &Bounds, reader: Reader) -> u8 {
        let instance = self.instance(reader);
        let anchored = instance.view.map(|view| view.read_point);
        let asked = instance.fetch.map(|fetch| fetch.read_point);
        anchored.or(asked).unwrap_or_else(|| self.position(bounds, reader))
    }

    fn breach(&mut self, breach: Breach) {
        self.breaches |= 1 << breach as u8;
    }

    #[must_use]
    pub fn has(&self, breach: Breach) -> bool {
        self.breaches >> breach as u8 & 1 == 1
    }

    // --- symmetry ----------------------------------------------------------------------------------------------------

    #[must_use]
    pub fn canonical(mut self, bounds: &Bounds) -> World {
        self.nodes[..usize::from(bounds.copies)].sort_unstable();
        self
    }

    #[must_use]
    pub fn sources(&self, bounds: &Bounds) -> Vec<usize> {
        sources_by(&bounds.classes(), COPIES, |place| self.nodes[place])
    }

    #[must_use]
    pub fn permuted(&self, sources: &[usize]) -> World {
        World { nodes: std::array::from_fn(|to| self.nodes[sources[to]]), ..*self }
    }

    // --- steps -------------------------------------------------------------------------------------------------------

    /// Everything that could happen; [`World::after`] tells what does.
    pub fn candidates(&self, bounds: &Bounds, mut take: impl FnMut(Action)) {
        let copies = || {
            let new = move |copy: &u8| {
                let copy = usize::from(*copy);
                bounds.symmetry == Switch::Off || copy == 0 || self.nodes[copy] != self.nodes[copy - 1]
            };
            (0..bounds.copies).filter(new)
        };
        take(Action::Allocate);
        for record in self.live(bounds).iter() {
            copies().for_each(|copy| take(Action::Write { record: record as u8, copy }));
        }
        let readers = [(Reader::Writer, bounds.reading), (Reader::Replica, bounds.replica)];
        for (reader, _) in readers.into_iter().filter(|(_, switch)| switch.is_on()) {
            (0..BLOCKS as u8).for_each(|block| take(Action::Read { reader, block }));
            if self.instance(reader).fetch.is_some() {
                copies().for_each(|copy| take(Action::Answer { reader, copy }));
                take(Action::Hedge { reader });
            }
            take(Action::Done { reader });
        }
        if bounds.reading.is_on() {
            (0..BLOCKS as u8).for_each(|block| take(Action::Evict { block }));
        }
        if bounds.replica.is_on() {
            take(Action::Stream);
            take(Action::Reconnect);
            if bounds.collecting.is_on() {
                take(Action::Suspect);
            }
        }
        if bounds.collecting.is_on() {
            for copy in copies() {
                take(Action::Backup { copy });
                take(Action::Collect { copy });
                if self.kept > 0 {
                    take(Action::CollectLate { copy });
                }
            }
        }
        if bounds.failover.is_on() && self.kept == 0 {
            (0..=self.allocated).for_each(|kept| take(Action::Failover { kept }));
        }
    }

    /// The state after `action`; none if it is not possible or changes nothing.
    #[must_use]
    pub fn after(&self, rules: &PageRules, bounds: &Bounds, action: Action) -> Option<World> {
        let mut next = *self;
        match action {
            Action::Allocate => next.allocate(bounds),
            Action::Write { record, copy } => next.write(bounds, record.into(), copy.into()),
            Action::Evict { block } => next.evict(rules, bounds, block.into()),
            Action::Read { reader, block } => next.read(bounds, reader, block),
            Action::Answer { reader, copy } => next.answer(rules, bounds, reader, copy.into()),
            Action::Hedge { reader } => next.hedge(rules, bounds, reader),
            Action::Done { reader } => next.done(reader),
            Action::Stream => next.stream(rules, bounds),
            Action::Reconnect => next.reconnect(rules, bounds),
            Action::Suspect => next.suspect(rules),
            Action::Backup { copy } => next.back_up(bounds, copy.into()),
            Action::Collect { copy } => next.collect(rules, bounds, copy.into()),
            Action::CollectLate { copy } => next.collect_late(rules, bounds, copy.into()),
            Action::Failover { kept } => next.failover(bounds, kept),
        }?;
        (next != *self).then_some(next)
    }

    fn allocate(&mut self, bounds: &Bounds) -> Option<()> {
        let (from, share) = if self.kept == 0 {
            (usize::from(self.allocated), 0..usize::from(bounds.first))
        } else {
            let first = usize::from(bounds.first);
            (first + usize::from(self.allocated_later), first..bounds.records())
        };
        let to = (from..share.end).find(|&record| bounds.ends(record))?;
        for record in from..=to {
            // A page is changed in the cache.
            let page = self.writer.cache[usize::from(bounds.planned(record).block)].as_mut()?;
            page.records = page.records.with(record);
        }
        let size = (to + 1 - from) as u8;
        *(if self.kept == 0 { &mut self.allocated } else { &mut self.allocated_later }) += size;
        Some(())
    }

    fn write(&mut self, bounds: &Bounds, record: usize, copy: usize) -> Option<()> {
        let live = self.live(bounds).contains(record);
        let node = &mut self.nodes[copy];
        if !live || node.folded.contains(record) {
            return None;
        }
        node.held = node.held.with(record);
        Some(())
    }

    fn evict(&mut self, rules: &PageRules, bounds: &Bounds, block: usize) -> Option<()> {
        let page = self.writer.cache[block]?;
        let vdl = self.vdl(bounds);
        if !rules.may_evict(page.records.last(), vdl) {
            return None;
        }
        if page.records.last() > vdl {
            self.breach(Breach::EvictedEarly);
        }
        self.writer.cache[block] = None;
        Some(())
    }

    /// The writer reads at its VDL. A replica anchors a traversal, and needs every page as it was there: a cached page that is
    /// newer does not help.
    fn read(&mut self, bounds: &Bounds, reader: Reader, block: u8) -> Option<()> {
        let place = usize::from(block);
        let read_point = self.lowest(bounds, reader);
        let wanted = self.page(bounds, place, read_point);
        let instance = self.instance_mut(reader);
        if instance.fetch.is_some() {
            return None;
        }
        let cached = instance.cache[place];
        if reader == Reader::Writer {
            if cached.is_some() {
                return None;
            }
        } else {
            let view = instance.view.get_or_insert(View { read_point, seen: Seen::default() });
            if cached.is_some_and(|page| page.records == wanted) {
                view.seen.set(place, read_point);
                return Some(());
            }
        }
        instance.fetch = Some(Fetch { block, read_point });
        Some(())
    }

    fn answer(&mut self, rules: &PageRules, bounds: &Bounds, reader: Reader, copy: usize) -> Option<()> {
        let Fetch { block, read_point } = self.instance(reader).fetch?;
        let block = usize::from(block);
        let node = self.nodes[copy];
        let scl = self.scl(bounds, &node);
        // The last record of the group up to the read point (C7).
        let floor = self.live(bounds).upto(read_point).last();
        if !rules.answers(scl, floor, node.collected, read_point) {
            return None;
        }
        let of_block = bounds.of_block(block);
        let page = node.folded.and(of_block).or(node.held.and(of_block).upto(read_point));
        if !page.is_subset_of(self.live(bounds)) {
            self.breach(Breach::Annulled);
        }
        if page != self.page(bounds, block, read_point) {
            self.breach(Breach::WrongPage);
        }
        if scl < floor || node.collected > read_point {
            self.breach(Breach::NotEligible);
        }
        let streamed = self.live(bounds).and(of_block).upto(self.applied);
        let later = reader == Reader::Replica && rules.applies_on_arrival();
        let instance = self.instance_mut(reader);
        let records = if later { page.or(streamed) } else { page };
        instance.cache[block].get_or_insert(Page { records });
        instance.fetch = None;
        if let Some(view) = &mut instance.view {
            view.seen.set(block, read_point);
        }
        Some(())
    }

    fn hedge(&mut self, rules: &PageRules, bounds: &Bounds, reader: Reader) -> Option<()> {
        let read_point = self.position(bounds, reader);
        let fetch = self.instance_mut(reader).fetch.as_mut()?;
        // At the same point it is the same request: any segment may answer it anyway.
        if !rules.hedges_at_a_new_read_point() {
            return None;
        }
        fetch.read_point = read_point;
        Some(())
    }

    fn done(&mut self, reader: Reader) -> Option<()> {
        let instance = self.instance_mut(reader);
        instance.view.take()?;
        instance.fetch = None;
        Some(())
    }

    fn stream(&mut self, rules: &PageRules, bounds: &Bounds) -> Option<()> {
        let limit = if rules.applies_what_is_not_durable() { self.live(bounds).last() } else { self.vdl(bounds) };
        let mut news = self.live(bounds).upto(limit).iter().filter(|&record| record >= usize::from(self.applied));
        let to = news.find(|&record| rules.applies_records() || bounds.ends(record))?;
        let portion = self.live(bounds).iter().filter(|&r| r >= usize::from(self.applied) && r <= to).collect();
        for block in 0..BLOCKS {
            if let Some(page) = &mut self.replica.cache[block] {
                page.records = page.records.or(bounds.of_block(block).and(portion));
            }
        }
        self.applied = to as u8 + 1;
        Some(())
    }

    fn reconnect(&mut self, rules: &PageRules, bounds: &Bounds) -> Option<()> {
        let vdl = self.vdl(bounds);
        if self.applied >= vdl && self.counts {
            return None;
        }
        self.applied = self.applied.max(vdl);
        self.counts = true;
        let cache = if rules.drops_cache_at_gap() { [None; BLOCKS] } else { self.replica.cache };
        self.replica = Instance { cache, ..Instance::default() };
        Some(())
    }

    fn suspect(&mut self, rules: &PageRules) -> Option<()> {
        if !rules.evicts_replicas() {
            return None;
        }
        self.counts = false;
        Some(())
    }

    fn back_up(&mut self, bounds: &Bounds, copy: usize) -> Option<()> {
        let staged = self.scl(bounds, &self.nodes[copy]).min(self.vdl(bounds));
        if staged <= self.backed {
            return None;
        }
        self.backed = staged;
        Some(())
    }

    fn collect(&mut self, rules: &PageRules, bounds: &Bounds, copy: usize) -> Option<()> {
        let (vdl, scl) = (self.vdl(bounds), self.scl(bounds, &self.nodes[copy]));
        let writer = self.lowest(bounds, Reader::Writer);
        let replica = self.counts.then(|| self.lowest(bounds, Reader::Replica));
        self.fold(copy, rules.may_collect(scl, vdl, writer, replica, self.backed))
    }

    /// The message of the writer that was replaced, to which no replica is connected any more.
    fn collect_late(&mut self, rules: &PageRules, bounds: &Bounds, copy: usize) -> Option<()> {
        if self.kept == 0 || !rules.takes_word_of_older_epochs() {
            return None;
        }
        let scl = self.scl(bounds, &self.nodes[copy]);
        self.fold(copy, rules.may_collect(scl, self.late_vdl, self.late_vdl, None, self.backed))
    }

    fn fold(&mut self, copy: usize, upto: u8) -> Option<()> {
        let node = &mut self.nodes[copy];
        if upto <= node.collected {
            return None;
        }
        node.folded = node.folded.or(node.held.upto(upto));
        node.held = node.held.but(node.folded);
        node.collected = upto;
        Some(())
    }

    /// A read quorum is asked; the greatest SCL of it, cut at the end of a mini-transaction, is kept.
    fn failover(&mut self, bounds: &Bounds, kept: u8) -> Option<()> {
        let scls = self.copies(bounds).iter().map(|node| self.scl(bounds, node));
        // The greatest of some read quorum: as many segments as that are not beyond it, one of them at it.
        let cut = |scl: u8| (0..usize::from(scl)).rev().find(|&record| bounds.ends(record)).map_or(0, |r| r as u8 + 1);
        let possible = scls
            .clone()
            .any(|at| cut(at) == kept && scls.clone().filter(|&scl| scl <= at).count() >= usize::from(bounds.read));
        if self.kept != 0 || !possible {
            return None;
        }
        self.late_vdl = self.vdl(bounds);
        self.kept = kept + 1;
        let left: Records = (0..usize::from(kept)).collect();
        for node in &mut self.nodes[..usize::from(bounds.copies)] {
            // What is folded cannot be taken out again.
            node.held = left.but(node.folded);
        }
        self.writer = Instance::default();
        Some(())
    }
}
