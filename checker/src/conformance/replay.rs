//! One actor alone, replayed from what it recorded.

use std::collections::BTreeMap;

use sextant_model::disk::Entry;
use sextant_model::instance::{self, Instance};
use sextant_model::logset::{Intervals, LogSet, RangeList};
use sextant_model::rules::Rules;
use sextant_model::segment::{Effect, Event, Segment};
use sextant_model::types::{Epoch, Lsn};
use sextant_storage::flight::{NodeEntry, WriterEntry, digest};

use super::Difference;
use super::load::{NodeRecord, Run, WriterRecord};

/// Copies of the one protection group.
pub(crate) const COPIES: usize = 6;

/// Replays every actor from its beginning.
///
/// # Errors
/// The first difference of the first actor that has one.
pub(super) fn each_alone(run: &Run, rules: &Rules) -> Result<(), Difference> {
    for record in &run.nodes {
        let mut node = Node::new(record);
        while node.head().is_some() {
            node.apply(rules, &mut Ignored)?;
        }
    }
    for record in &run.writers {
        let mut writer = Writer::new(record);
        while writer.head().is_some() {
            writer.apply(rules)?;
        }
    }
    Ok(())
}

/// Hears of a node's steps as they are replayed.
pub(super) trait Listener {
    fn before(&mut self, segment: &Segment<Intervals>, event: &Event<Intervals>);
    fn after(&mut self, segment: &Segment<Intervals>, effects: &[Effect<Intervals>]);
}

struct Ignored;

impl Listener for Ignored {
    fn before(&mut self, _: &Segment<Intervals>, _: &Event<Intervals>) {}
    fn after(&mut self, _: &Segment<Intervals>, _: &[Effect<Intervals>]) {}
}

pub(super) struct Node<'a> {
    record: &'a NodeRecord,
    life: usize,
    /// Entries of this life that are done.
    done: usize,
    segment: Option<Segment<Intervals>>,
    /// The digests of what it appended. None: the record begins in the middle of its life.
    contents: Option<BTreeMap<Lsn, u32>>,
    effects: Vec<Effect<Intervals>>,
}

impl<'a> Node<'a> {
    pub fn new(record: &'a NodeRecord) -> Self {
        let mut node = Node { record, life: 0, done: 0, segment: None, contents: None, effects: Vec::new() };
        node.skip_ended_lives();
        node
    }

    pub fn name(&self) -> &str {
        &self.record.name
    }

    pub fn segment(&self) -> Option<&Segment<Intervals>> {
        self.segment.as_ref()
    }

    /// What it did next.
    pub fn head(&self) -> Option<&'a NodeEntry> {
        self.record.lives.get(self.life)?.get(self.done)
    }

    /// Where it is, for whoever finds something.
    pub fn here(&self, what: impl Into<String>) -> Difference {
        let (actor, what) = (self.record.name.clone(), what.into());
        Difference { actor, life: self.life + 1, entry: self.done + 1, what }
    }

    /// Does what it did next; law: there is a head.
    ///
    /// # Errors
    /// It cannot have done that.
    pub fn apply(&mut self, rules: &Rules, listener: &mut impl Listener) -> Result<(), Difference> {
        let Some(entry) = self.head() else { return Ok(()) };
        match self.try_apply(rules, entry, listener) {
            Ok(()) => {
                self.done += 1;
                self.skip_ended_lives();
                Ok(())
            }
            Err(what) => Err(self.here(what)),
        }
    }

    fn skip_ended_lives(&mut self) {
        while self.record.lives.get(self.life).is_some_and(|life| self.done == life.len()) {
            self.life += 1;
            self.done = 0;
        }
    }

    fn try_apply(&mut self, rules: &Rules, entry: &NodeEntry, listener: &mut impl Listener) -> Result<(), String> {
        if let NodeEntry::Started { .. } = entry {
            return self.start(entry);
        }
        let Some(segment) = self.segment.as_mut().filter(|_| self.done > 0) else {
            return Err("the process did something before it had read its log".to_owned());
        };
        match entry {
            NodeEntry::Started { .. } => Ok(()),
            NodeEntry::Stepped { event, record, effects: recorded } => {
                if let Event::Synced { entries } = *event
                    && entries > segment.unsynced().len()
                {
                    let appended = segment.unsynced().len();
                    return Err(format!("the log reported {entries} entries synced, {appended} were appended"));
                }
                listener.before(segment, event);
                self.effects.clear();
                segment.step(rules, event.clone(), &mut self.effects);
                if digest(&self.effects[..]) != *recorded {
                    return Err(format!("{event:?} has the effects {:?}; the node's were others", self.effects));
                }
                for effect in &self.effects {
                    if let Effect::Append(Entry::Record { lsn, .. }) = effect
                        && let Some(contents) = &mut self.contents
                    {
                        contents.insert(*lsn, *record);
                    }
                }
                listener.after(segment, &self.effects);
                Ok(())
            }
            NodeEntry::Pushed { trunc_ve, lsns } => {
                let disk = segment.disk().image();
                if disk.trunc_ve != *trunc_ve {
                    return Err(format!("it told a peer of {trunc_ve}, and its disk is at {}", disk.trunc_ve));
                }
                match lsns.runs().find(|&(first, last)| disk.held.run_end(first) < Some(last)) {
                    Some((first, last)) => Err(format!("it told a peer {first} to {last}, which it had not synced")),
                    None => Ok(()),
                }
            }
            NodeEntry::Read { ve, read_point, answer } => {
                let expected = segment.may_read(rules, *ve, *read_point);
                if expected == *answer {
                    return Ok(());
                }
                Err(format!("a page read of {ve} at {read_point} may be answered {expected:?}, and was {answer:?}"))
            }
        }
    }

    /// It is back with what was synced and a prefix of the rest.
    fn start(&mut self, entry: &NodeEntry) -> Result<(), String> {
        let NodeEntry::Started { created, disk, records } = entry else { return Ok(()) };
        if *created {
            self.segment = Some(Segment::created());
            self.contents = Some(BTreeMap::new());
            return match disk == Segment::<Intervals>::created().disk().image() {
                true => Ok(()),
                false => Err("the log was just formatted, and is not empty".to_owned()),
            };
        }
        let Some(before) = &self.segment else {
            // What was there before nobody has recorded.
            let entries =
                [Entry::Fence { ve: disk.fenced }, Entry::Truncate { ve: disk.trunc_ve, ranges: disk.ranges.clone() }];
            let held = disk.held.runs().flat_map(|(first, last)| (first.0..=last.0).map(Lsn));
            let held: Vec<_> = held.map(|lsn| Entry::Record { ve: disk.trunc_ve, lsn }).collect();
            self.segment = Some(Segment::recover(sextant_model::disk::Disk::replayed(entries.iter().chain(&held))));
            return Ok(());
        };
        let possible = (0..=before.unsynced().len()).map(|kept| before.crashed(kept));
        let Some(found) = possible.into_iter().find(|segment| segment.disk().image() == disk) else {
            return Err(format!("it is back without what it had: {}", lost(before, disk)));
        };
        if let Some(contents) = &self.contents {
            let live = contents.iter().filter(|(lsn, _)| disk.is_live(**lsn));
            let folded = live.fold(0, |folded, (_, digest)| folded ^ digest);
            if folded != *records {
                return Err("it is back with the records that it had, and their contents are others".to_owned());
            }
        }
        self.segment = Some(found);
        Ok(())
    }

    /// Of the step just taken.
    pub fn effects(&self) -> &[Effect<Intervals>] {
        &self.effects
    }
}

fn lost(before: &Segment<Intervals>, found: &sextant_model::disk::Image<Intervals>) -> String {
    let synced = before.disk().image();
    if (found.fenced, found.trunc_ve) < (synced.fenced, synced.trunc_ve) {
        let epochs = |fenced: Epoch, trunc: Epoch| format!("fenced {fenced}, truncated {trunc}");
        let (was, is) = (epochs(synced.fenced, synced.trunc_ve), epochs(found.fenced, found.trunc_ve));
        return format!("its disk had {was}, it has {is}");
    }
    let is_gone = |lsn: &Lsn| !found.held.contains(*lsn) && !found.ranges.annuls(*lsn);
    let mut held = synced.held.runs().flat_map(|(first, last)| (first.0..=last.0).map(Lsn));
    match held.find(is_gone) {
        Some(lsn) => format!("{lsn} was synced"),
        None => format!("{} unsynced entries, none of whose prefixes gives this disk", before.unsynced().len()),
    }
}

pub(super) struct Writer<'a> {
    record: &'a WriterRecord,
    done: usize,
    instance: Option<Instance<Intervals, COPIES>>,
    effects: Vec<instance::Effect>,
}

impl<'a> Writer<'a> {
    pub fn new(record: &'a WriterRecord) -> Self {
        Writer { record, done: 0, instance: None, effects: Vec::new() }
    }

    pub fn instance(&self) -> Option<&Instance<Intervals, COPIES>> {
        self.instance.as_ref()
    }

    pub fn head(&self) -> Option<&'a WriterEntry> {
        self.record.entries.get(self.done)
    }

    /// Its number where whoever created the volume is 0, recorded or not; `place` is its own among those that recorded something.
    pub fn number_from_the_first(&self, place: usize) -> usize {
        let creates = matches!(self.record.entries.first(), Some(WriterEntry::Took { creates: true, .. }));
        if creates { 0 } else { place + 1 }
    }

    /// Where it is, for whoever finds something.
    pub fn here(&self, what: impl Into<String>) -> Difference {
        let WriterRecord { name, life, .. } = self.record;
        Difference { actor: name.clone(), life: *life, entry: self.done + 1, what: what.into() }
    }

    /// Does what it did next; law: there is a head.
    ///
    /// # Errors
    /// It cannot have done that.
    pub fn apply(&mut self, rules: &Rules) -> Result<(), Difference> {
        let Some(entry) = self.head() else { return Ok(()) };
        self.effects.clear();
        match (entry, &mut self.instance) {
            (WriterEntry::Took { creates: true, .. }, None) => self.instance = Some(Instance::first()),
            (WriterEntry::Took { ve, .. }, None) => self.instance = Some(Instance::recovering(*ve)),
            (WriterEntry::Stepped { event, effects: recorded }, Some(instance)) => {
                instance.step(rules, event.clone(), &mut self.effects);
                if digest(&self.effects[..]) != *recorded {
                    let what = format!("{event:?} has the effects {:?}; the writer's were others", self.effects);
                    return Err(self.here(what));
                }
            }
            (WriterEntry::Took { .. }, Some(_)) => return Err(self.here("one incarnation took the volume twice")),
            (WriterEntry::Stepped { .. }, None) => return Err(self.here("it did something before it had an epoch")),
        }
        self.done += 1;
        Ok(())
    }

    /// Of the step just taken.
    pub fn effects(&self) -> &[instance::Effect] {
        &self.effects
    }
}
