//! The closed world of clones and backtrack: a volume whose copies fold and purge records, a writer, epochs that show it as it was or
//! forward again, and one or two clones.
//!
//! What the core explores is left out here: records come to a copy in the order of their chain, and an epoch begins in one step in
//! which all copies but one are told, as a recovery does that has read and fenced them; the one that is left out hears later, and
//! takes what the old writer still sends until then. An epoch is open when a write quorum has all that it shows and all that it can
//! still show. A clone has storage of its own, of which only its pages are kept here.
//!
//! Record `i` of the plan has LSN `i + 1`; a clone's own record is numbered behind those of the volume.

use serde::{Deserialize, Serialize};

use super::bounds::{BLOCKS, Bounds, CLONES, COPIES, EPOCHS, WRITTEN, own_record};
use super::rules::ForkRules;
use crate::area::sources_by;
use crate::records::Records;
use crate::{packed_enum, packed_struct};

/// What happens next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Action {
    /// The newest writer allocates its next mini-transaction.
    Allocate,
    /// A record of the writer of an epoch reaches a copy.
    Write { epoch: u8, record: u8, copy: u8 },
    /// A copy hears of the newest epoch.
    Learn { copy: u8 },
    /// The volume goes back to an LSN; one copy does not hear of it.
    Backtrack { target: u8, missing: u8 },
    /// It goes forward to an LSN that is hidden; one copy does not hear of it.
    Forward { target: u8, missing: u8 },
    /// The writer of an epoch raises the low-water mark.
    Announce { epoch: u8 },
    /// A copy folds records into pages, up to the low-water mark of its epoch.
    Collect { copy: u8 },
    /// A copy deletes what no epoch that it knows can show.
    Purge { copy: u8 },
    /// A clone begins to be made.
    Pin { clone: u8 },
    /// Its fork LSN is chosen, or it is opened.
    Fork { clone: u8 },
    /// It copies a page that it shares.
    CopyPage { clone: u8, block: u8 },
    /// It writes.
    CloneWrite { clone: u8 },
    /// It is deleted.
    Delete { clone: u8 },
}

impl Action {
    /// The same action on renamed copies: `i` becomes `names[i]`.
    #[must_use]
    pub fn renamed(self, names: &[usize]) -> Action {
        let named = |copy: u8| names[usize::from(copy)] as u8;
        match self {
            Action::Write { epoch, record, copy } => Action::Write { epoch, record, copy: named(copy) },
            Action::Learn { copy } => Action::Learn { copy: named(copy) },
            Action::Backtrack { target, missing } => Action::Backtrack { target, missing: named(missing) },
            Action::Forward { target, missing } => Action::Forward { target, missing: named(missing) },
            Action::Collect { copy } => Action::Collect { copy: named(copy) },
            Action::Purge { copy } => Action::Purge { copy: named(copy) },
            Action::Allocate
            | Action::Announce { .. }
            | Action::Pin { .. }
            | Action::Fork { .. }
            | Action::CopyPage { .. }
            | Action::CloneWrite { .. }
            | Action::Delete { .. } => self,
        }
    }
}

/// A copy of the volume. All of it is durable.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Node {
    /// The newest epoch that it has heard of.
    pub epoch: u8,
    /// Records kept one by one.
    pub held: Records,
    /// Records that are folded into pages for good.
    pub folded: Records,
    /// Up to where it has collected: no read below it.
    pub collected: u8,
}

impl Node {
    #[must_use]
    pub fn has(&self) -> Records {
        self.held.or(self.folded)
    }
}

/// What an epoch shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct View {
    /// What it showed when it began.
    pub base: Records,
    /// What it hid when it began: reversible until it writes.
    pub hidden: Records,
    /// How many records had been allocated when it began.
    pub first: u8,
    /// The low-water mark, in the metadata.
    pub low_water: u8,
    /// Up to where the epoch before was durable when this one began.
    pub due: u8,
}

/// Where a clone stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Phase {
    #[default]
    NotYet,
    /// Its fork LSN is not chosen yet, or not recorded.
    Begun,
    Open,
    Deleted,
}

/// A clone: a volume of its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Child {
    pub phase: Phase,
    /// The fork LSN; before it is chosen, an LSN that it cannot be below.
    pub fork: u8,
    /// What was visible up to there.
    pub image: Records,
    /// Pages of its own.
    pub own: [Option<Page>; BLOCKS],
}

/// A page, as the records that it consists of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Page {
    pub records: Records,
}

/// A state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct World {
    pub nodes: [Node; COPIES],
    /// Epochs 1 to 4.
    pub views: [View; EPOCHS],
    /// The newest epoch.
    pub newest: u8,
    /// How many records are allocated.
    pub allocated: u8,
    pub clones: [Child; CLONES],
}

packed_enum!(Phase { NotYet, Begun, Open, Deleted });
packed_struct!(Node { epoch as 3, held as 8, folded as 8, collected as 3 });
packed_struct!(View { base as 6, hidden as 6, first as 3, low_water as 3, due as 3 });
packed_struct!(Page { records as 8 });
packed_struct!(Child { phase, fork as 3, image as 6, own });
packed_struct!(World { nodes, views, newest as 3, allocated as 3, clones });

/// Whether the record at an LSN is one of these.
fn one_of(records: Records, lsn: u8) -> bool {
    lsn > 0 && records.contains(usize::from(lsn) - 1)
}

impl World {
    #[must_use]
    pub fn created(bounds: &Bounds) -> World {
        let node = |copy: usize| Node { epoch: u8::from(copy < usize::from(bounds.copies)), ..Node::default() };
        World {
            nodes: std::array::from_fn(node),
            views: [View::default(); EPOCHS],
            newest: 1,
            allocated: 0,
            clones: [Child::default(); CLONES],
        }
    }

    #[must_use]
    pub fn copies(&self, bounds: &Bounds) -> &[Node] {
        &self.nodes[..usize::from(bounds.copies)]
    }

    /// From epoch 1.
    #[must_use]
    pub fn view(&self, epoch: u8) -> &View {
        &self.views[usize::from(epoch) - 1]
    }

    fn view_mut(&mut self, epoch: u8) -> &mut View {
        &mut self.views[usize::from(epoch) - 1]
    }

    /// What an epoch has allocated itself.
    #[must_use]
    pub fn own(&self, epoch: u8) -> Records {
        let end = if epoch == self.newest { self.allocated } else { self.view(epoch + 1).first };
        (usize::from(self.view(epoch).first)..usize::from(end)).collect()
    }

    /// What an epoch shows, durable or not.
    #[must_use]
    pub fn live(&self, epoch: u8) -> Records {
        self.view(epoch).base.or(self.own(epoch))
    }

    /// What an epoch hides and can still show.
    #[must_use]
    pub fn reversible(&self, epoch: u8) -> Records {
        if self.own(epoch).is_empty() { self.view(epoch).hidden } else { Records::default() }
    }

    /// The records that a copy at this epoch is to have, in the order of their LSNs.
    #[must_use]
    pub fn chain(&self, epoch: u8) -> Records {
        self.live(epoch).or(self.reversible(epoch))
    }

    /// Up to where a node's records are complete, of those of a chain.
    #[must_use]
    pub fn scl(&self, node: &Node, chain: Records) -> u8 {
        let has = node.has();
        chain.iter().take_while(|&record| has.contains(record)).last().map_or(0, |record| record as u8 + 1)
    }

    /// Up to where a write quorum at the newest epoch is complete.
    #[must_use]
    pub fn reached(&self, bounds: &Bounds) -> u8 {
        let chain = self.chain(self.newest);
        let nodes = || self.copies(bounds).iter().filter(|node| node.epoch == self.newest);
        let complete =
            |lsn: u8| nodes().filter(|node| self.scl(node, chain) >= lsn).count() >= usize::from(bounds.write);
        chain.iter().map(|record| record as u8 + 1).take_while(|&lsn| complete(lsn)).last().unwrap_or(0)
    }

    /// Whether a write quorum has all that the newest epoch began with.
    #[must_use]
    pub fn is_open(&self, bounds: &Bounds) -> bool {
        self.view(self.newest).base.or(self.reversible(self.newest)).last() <= self.reached(bounds)
    }

    /// The newest durable LSN that ends a mini-transaction, hidden or annulled or not: time does not go back. Asked of an open epoch.
    #[must_use]
    pub fn head(&self, bounds: &Bounds) -> u8 {
        let durable = self.chain(self.newest).upto(self.reached(bounds));
        last_end(bounds, durable.or(self.view(self.newest).hidden))
    }

    /// The newest durable LSN that is shown.
    #[must_use]
    pub fn vcl(&self, bounds: &Bounds) -> u8 {
        self.live(self.newest).upto(self.reached(bounds)).last()
    }

    /// The same that ends a mini-transaction.
    #[must_use]
    pub fn vdl(&self, bounds: &Bounds) -> u8 {
        last_end(bounds, self.live(self.newest).upto(self.reached(bounds)))
    }

    /// Whether a clone needs pages of the volume.
    #[must_use]
    pub fn shares(&self, clone: usize) -> bool {
        let Child { phase, own, .. } = self.clones[clone];
        phase == Phase::Begun || (phase == Phase::Open && own.contains(&None))
    }

    /// What clones that share pages began with.
    #[must_use]
    pub fn images(&self) -> Records {
        let shared = (0..CLONES).filter(|&clone| self.shares(clone));
        shared.fold(Records::default(), |images, clone| images.or(self.clones[clone].image))
    }

    /// What a node answers who asks for a block of the volume at the VDL; none if it must not answer.
    #[must_use]
    pub fn answer(&self, rules: &ForkRules, bounds: &Bounds, node: &Node, block: usize) -> Option<Records> {
        let vdl = self.vdl(bounds);
        let eligible = node.epoch == self.newest && self.scl(node, self.chain(self.newest)) >= vdl;
        if !self.is_open(bounds) || !eligible || node.collected > vdl {
            return None;
        }
        let held = rules.consulted(node.held, self.live(self.newest)).upto(vdl);
        Some(node.folded.or(held).and(bounds.of_block(block)))
    }

    /// What a node answers to a clone that has no page of its own of a block; none if it must not answer.
    #[must_use]
    pub fn answer_to(
        &self,
        rules: &ForkRules,
        bounds: &Bounds,
        clone: usize,
        node: &Node,
        block: usize,
    ) -> Option<Records> {
        if rules.clone_reads_newest() {
            return self.answer(rules, bounds, node, block);
        }
        let Child { fork, image, .. } = self.clones[clone];
        if node.collected > fork || !image.is_subset_of(node.has()) {
            return None;
        }
        Some(node.folded.or(node.held.and(image)).and(bounds.of_block(block)))
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
        take(Action::Allocate);
        let may_change = self.newest <= bounds.changes;
        for copy in 0..bounds.copies {
            let place = usize::from(copy);
            if bounds.symmetry.is_on() && copy > 0 && self.nodes[place] == self.nodes[place - 1] {
                continue;
            }
            for epoch in 1..=self.newest {
                self.chain(epoch).iter().for_each(|record| take(Action::Write { epoch, record: record as u8, copy }));
            }
            take(Action::Learn { copy });
            take(Action::Collect { copy });
            take(Action::Purge { copy });
            if may_change {
                let shown = self.live(self.newest);
                (0..=shown.last()).for_each(|target| take(Action::Backtrack { target, missing: copy }));
                let hidden = self.view(self.newest).hidden.iter();
                hidden.for_each(|record| take(Action::Forward { target: record as u8 + 1, missing: copy }));
            }
        }
        (1..=self.newest).for_each(|epoch| take(Action::Announce { epoch }));
        for clone in 0..bounds.clones {
            take(Action::Pin { clone });
            take(Action::Fork { clone });
            (0..BLOCKS as u8).for_each(|block| take(Action::CopyPage { clone, block }));
            if bounds.writing.is_on() {
                take(Action::CloneWrite { clone });
            }
            take(Action::Delete { clone });
        }
    }

    /// The state after `action`; none if it is not possible or changes nothing.
    #[must_use]
    pub fn after(&self, rules: &ForkRules, bounds: &Bounds, action: Action) -> Option<World> {
        let mut next = *self;
        match action {
            Action::Allocate => next.allocate(bounds),
            Action::Write { epoch, record, copy } => next.write(rules, bounds, epoch, record.into(), copy.into()),
            Action::Learn { copy } => next.learn(copy.into()),
            Action::Backtrack { target, missing } => next.backtrack(rules, bounds, target, missing.into()),
            Action::Forward { target, missing } => next.forward(rules, bounds, target, missing.into()),
            Action::Announce { epoch } => next.announce(rules, bounds, epoch),
            Action::Collect { copy } => next.collect(rules, copy.into()),
            Action::Purge { copy } => next.purge(rules, copy.into()),
            Action::Pin { clone } => next.pin(rules, bounds, clone.into()),
            Action::Fork { clone } => next.fork(rules, bounds, clone.into()),
            Action::CopyPage { clone, block } => next.copy_page(rules, bounds, clone.into(), block.into()),
            Action::CloneWrite { clone } => next.clone_write(rules, bounds, clone.into()),
            Action::Delete { clone } => next.delete(rules, clone.into()),
        }?;
        (next != *self).then_some(next)
    }

    fn allocate(&mut self, bounds: &Bounds) -> Option<()> {
        let planned = self.allocated + 1..=bounds.records() as u8;
        let end = planned.into_iter().find(|&lsn| bounds.ends(lsn))?;
        if !self.is_open(bounds) {
            return None;
        }
        self.allocated = end;
        Some(())
    }

    fn write(&mut self, rules: &ForkRules, bounds: &Bounds, epoch: u8, record: usize, copy: usize) -> Option<()> {
        let chain = self.chain(epoch);
        let node = self.nodes[copy];
        let taken = rules.takes_writes_of(epoch, node.epoch) && !node.has().contains(record);
        let is_next = chain.upto(record as u8).is_subset_of(node.has());
        // Its writer has it still, or somebody else does.
        let known = || self.own(epoch).contains(record) || self.copies(bounds).iter().any(|n| n.has().contains(record));
        if !chain.contains(record) || !taken || !is_next || !known() {
            return None;
        }
        self.nodes[copy].held = node.held.with(record);
        Some(())
    }

    fn learn(&mut self, copy: usize) -> Option<()> {
        self.nodes[copy].epoch = self.newest;
        Some(())
    }

    /// Up to where the copies that an epoch asks are complete, at the end of a mini-transaction.
    fn found(&self, bounds: &Bounds, missing: usize) -> u8 {
        let chain = self.chain(self.newest);
        let asked = self.copies(bounds).iter().enumerate().filter(|(copy, _)| *copy != missing);
        let complete = asked.map(|(_, node)| self.scl(node, chain)).max().unwrap_or(0);
        last_end(bounds, chain.upto(complete))
    }

    fn backtrack(&mut self, rules: &ForkRules, bounds: &Bounds, target: u8, missing: usize) -> Option<()> {
        let live = self.live(self.newest);
        let found = self.chain(self.newest).upto(self.found(bounds, missing));
        let hidden = found.but(live.upto(target));
        let low_water = self.view(self.newest).low_water;
        let exists = target == 0 || one_of(live.and(found), target);
        if !exists || found.upto(target) == found || !rules.may_show(target, low_water, bounds.ends(target)) {
            return None;
        }
        // What is hidden already stays hidden; there must be more.
        if live.and(hidden).is_empty() {
            return None;
        }
        let hidden = if rules.hides() { hidden } else { Records::default() };
        self.show(bounds, live.upto(target), hidden, missing)
    }

    fn forward(&mut self, rules: &ForkRules, bounds: &Bounds, target: u8, missing: usize) -> Option<()> {
        let View { base, hidden, low_water, .. } = *self.view(self.newest);
        let written = !self.own(self.newest).is_empty();
        let possible = one_of(hidden, target) && rules.may_go_forward(written);
        if !possible || !rules.may_show(target, low_water, bounds.ends(target)) {
            return None;
        }
        let shown = base.or(hidden.upto(target));
        self.show(bounds, shown, hidden.but(shown), missing)
    }

    /// The next epoch: every copy but one is asked, fenced and told.
    fn show(&mut self, bounds: &Bounds, base: Records, hidden: Records, missing: usize) -> Option<()> {
        if self.newest > bounds.changes || !self.is_open(bounds) {
            return None;
        }
        let due = self.head(bounds);
        let low_water = self.view(self.newest).low_water;
        self.newest += 1;
        *self.view_mut(self.newest) = View { base, hidden, first: self.allocated, low_water, due };
        let newest = self.newest;
        let told = self.nodes[..usize::from(bounds.copies)].iter_mut().enumerate().filter(|(copy, _)| *copy != missing);
        told.for_each(|(_, node)| node.epoch = newest);
        Some(())
    }

    fn announce(&mut self, rules: &ForkRules, bounds: &Bounds, epoch: u8) -> Option<()> {
        if !rules.takes_word_of(epoch, self.newest) || !self.is_open(bounds) {
            return None;
        }
        let counts = |clone: &usize| match self.clones[*clone].phase {
            Phase::NotYet => false,
            Phase::Begun => rules.pins_first(),
            Phase::Open => self.shares(*clone) || !rules.releases(),
            Phase::Deleted => !rules.releases(),
        };
        let fork = rules.lowest_fork((0..CLONES).filter(counts).map(|clone| self.clones[clone].fork));
        // An old writer knows how far its own epoch was durable.
        let (vdl, head) = if epoch == self.newest {
            (self.vdl(bounds), self.head(bounds))
        } else {
            let due = self.view(epoch + 1).due;
            (last_end(bounds, self.live(epoch).upto(due)), due)
        };
        let mark = rules.low_water(vdl, head, bounds.window, fork);
        let view = self.view_mut(epoch);
        view.low_water = view.low_water.max(mark);
        Some(())
    }

    fn collect(&mut self, rules: &ForkRules, copy: usize) -> Option<()> {
        let node = self.nodes[copy];
        let epoch = node.epoch;
        let upto = self.view(epoch).low_water.min(self.scl(&node, self.chain(epoch)));
        if upto <= node.collected {
            return None;
        }
        let folded = rules.consulted(node.held, self.live(epoch)).upto(upto);
        let node = &mut self.nodes[copy];
        node.folded = node.folded.or(folded);
        node.held = node.held.but(folded);
        node.collected = upto;
        Some(())
    }

    fn purge(&mut self, rules: &ForkRules, copy: usize) -> Option<()> {
        let epoch = self.nodes[copy].epoch;
        let keep = rules.keeps(self.live(epoch), self.reversible(epoch), self.images());
        let node = &mut self.nodes[copy];
        node.held = node.held.and(keep);
        Some(())
    }

    fn pin(&mut self, rules: &ForkRules, bounds: &Bounds, clone: usize) -> Option<()> {
        let follows = clone == 0 || self.clones[clone - 1].phase != Phase::NotYet;
        if self.clones[clone].phase != Phase::NotYet || !follows || !self.is_open(bounds) {
            return None;
        }
        // Nothing below is promised to anybody any more.
        let fork = self.view(self.newest).low_water;
        self.clones[clone] = Child { phase: Phase::Begun, fork, ..Child::default() };
        if !rules.pins_first() {
            self.choose(rules, bounds, clone);
        }
        Some(())
    }

    fn choose(&mut self, rules: &ForkRules, bounds: &Bounds, clone: usize) {
        let fork = rules.forks_at(self.vdl(bounds), self.vcl(bounds));
        let image = self.live(self.newest).upto(fork);
        self.clones[clone] = Child { fork, image, ..self.clones[clone] };
    }

    fn fork(&mut self, rules: &ForkRules, bounds: &Bounds, clone: usize) -> Option<()> {
        if self.clones[clone].phase != Phase::Begun || !self.is_open(bounds) {
            return None;
        }
        if rules.pins_first() {
            self.choose(rules, bounds, clone);
        }
        self.clones[clone].phase = Phase::Open;
        Some(())
    }

    /// What a clone reads of a page that it shares. Where copies would answer differently, any may be the one that is asked.
    fn shared_page(&self, rules: &ForkRules, bounds: &Bounds, clone: usize, block: usize) -> Option<Records> {
        let nodes = self.copies(bounds).iter();
        nodes.filter_map(|node| self.answer_to(rules, bounds, clone, node, block)).min()
    }

    fn copy_page(&mut self, rules: &ForkRules, bounds: &Bounds, clone: usize, block: usize) -> Option<()> {
        let Child { phase, own, .. } = self.clones[clone];
        if phase != Phase::Open || own[block].is_some() {
            return None;
        }
        let records = self.shared_page(rules, bounds, clone, block)?;
        self.clones[clone].own[block] = Some(Page { records });
        Some(())
    }

    fn clone_write(&mut self, rules: &ForkRules, bounds: &Bounds, clone: usize) -> Option<()> {
        let record = own_record(clone);
        let Child { phase, own, .. } = self.clones[clone];
        if phase != Phase::Open {
            return None;
        }
        let newest = || self.copies(bounds).iter().filter_map(|node| self.answer(rules, bounds, node, WRITTEN)).min();
        let copied = own[WRITTEN].map(|page| page.records);
        let base = match copied {
            Some(records) => Some(records),
            None => match rules.base(self.shared_page(rules, bounds, clone, WRITTEN), newest()) {
                Some(base) => Some(base?),
                None => None,
            },
        };
        match base {
            Some(records) => self.clones[clone].own[WRITTEN] = Some(Page { records: records.with(record) }),
            None => self.nodes[..usize::from(bounds.copies)].iter_mut().for_each(|node| {
                node.folded = node.folded.with(record);
            }),
        }
        Some(())
    }

    fn delete(&mut self, rules: &ForkRules, clone: usize) -> Option<()> {
        let Child { phase, fork, .. } = self.clones[clone];
        if phase != Phase::Open {
            return None;
        }
        // Its fork LSN is of no interest any more, unless somebody honours it for ever.
        let fork = if rules.releases() { 0 } else { fork };
        self.clones[clone] = Child { phase: Phase::Deleted, fork, ..Child::default() };
        Some(())
    }
}

/// The last LSN of a set that ends a mini-transaction.
fn last_end(bounds: &Bounds, records: Records) -> u8 {
    (1..=records.last()).rev().find(|&lsn| one_of(records, lsn) && bounds.ends(lsn)).unwrap_or(0)
}
