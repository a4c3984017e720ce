//! Clones and backtrack, beyond the papers: copy on write from a fork LSN that collection honours, and a volume that is shown as it
//! was, and forward again, by epochs.
//!
//! Nobody has published how Aurora does this. What is public (AWS documentation: a clone shares pages until either side writes; a
//! backtrack takes the whole volume back within a window, and forward again) is here what must hold (protocol §6); the rules are those
//! of the core carried over: epochs, ranges, low-water marks.
//!
//! Read [`rules`], then [`world`], then the table that heads [`properties`].
//!
//! | term | here |
//! |---|---|
//! | fork LSN | the VDL of the parent at which a clone begins; its image is what was visible up to there |
//! | backtrack | a new epoch that shows the volume up to a target; what lies above is hidden |
//! | reversible range | what is hidden and can be shown again, by another epoch, until the first new write annuls it |
//! | low-water mark | up to where copies may fold records into pages for good: the PGMRPL, below forks and window |
//! | window | how far below the newest LSN a backtrack must be possible |

pub mod bounds;
mod goals;
mod mutants;
pub mod properties;
pub mod rules;
mod telling;
pub mod world;

pub use mutants::{MUTANTS, Mutant, PROFILES, Profile};

use crate::area::{self, Area, Catalogued, Context, Property, Violation, kinds, of_its_world};
use crate::records::Records;
use crate::refinement::{Record, StandsForVolume, Step, Volume};
use crate::types::Lsn;
use bounds::{BLOCKS, Bounds, CLONES, RECORDS, WRITTEN, own_record};
use rules::ForkRules;
use world::{Action, Node, Phase, World};

/// The area of clones and backtrack.
#[derive(Clone, Copy, Debug)]
pub struct Forks;

impl Area for Forks {
    type Rules = ForkRules;

    const NAME: &'static str = "fork";
    const PROPERTIES: &'static [Property<Self>] = &properties::ALL;

    kinds!(Action {
        Allocate: "allocate",
        Write: "write",
        Learn: "learn",
        Backtrack: "backtrack",
        Forward: "forward",
        Announce: "announce",
        Collect: "collect",
        Purge: "purge",
        Pin: "pin",
        Fork: "fork",
        CopyPage: "copy page",
        CloneWrite: "clone write",
        Delete: "delete",
    });
    of_its_world!(World, Bounds, Action);
}

/// The log is what the newest epoch shows. What it began with is durable; the epochs of this world take no time to recover it. A copy
/// that answers shows it, a clone is a fork of it, and what a clone is shown, by copies or its own pages, is what it began with and
/// what it has written. Nothing says that a page is shown by more than one copy.
impl StandsForVolume for Forks {
    fn volume(c: Context<Self>, state: &World) -> Result<Volume, Violation> {
        let newest = state.newest;
        let vdl = if state.is_open(c.bounds) { state.vdl(c.bounds) } else { state.view(newest).base.last() };
        let is_there = |record: &usize| state.copies(c.bounds).iter().any(|node| node.has().contains(*record));
        let hidden = state.reversible(newest).iter().filter(is_there).map(record);
        let volume = Volume::new(usize::from(newest) - 1, state.live(newest).iter().map(record), Lsn(vdl.into()));
        let mut volume = volume.in_transactions(|lsn| c.bounds.ends(lsn.0 as u8))?.hiding(hidden);
        late_writers_are_heard(c, state)?;
        for block in (0..BLOCKS).filter(|_| state.is_open(c.bounds)) {
            let answer = |node: &Node| state.answer(c.rules, c.bounds, node, block);
            volume = shown(c, state, volume, vdl, block, answer)?;
        }
        let open = (0..CLONES).filter(|&clone| state.clones[clone].phase == Phase::Open);
        open.into_iter().try_fold(volume, |volume, clone| Ok(volume.with_fork(clone, of_clone(c, state, clone)?)))
    }

    fn step(action: Action) -> Step {
        match action {
            Action::Backtrack { .. } => Step::Back,
            Action::Forward { .. } => Step::Forward,
            Action::Allocate
            | Action::Write { .. }
            | Action::Learn { .. }
            | Action::Announce { .. }
            | Action::Collect { .. }
            | Action::Purge { .. }
            | Action::Pin { .. }
            | Action::Fork { .. }
            | Action::CopyPage { .. }
            | Action::CloneWrite { .. }
            | Action::Delete { .. } => Step::Usual,
        }
    }
}

/// An LSN is allocated once, whatever becomes of the record.
fn record(record: usize) -> Record {
    (Lsn(record as u64 + 1), 0)
}

fn of_page(page: Records) -> Vec<Record> {
    page.iter().map(record).collect()
}

/// The same volume, if copies that answer show a block of it up to an LSN, and one of them does.
fn shown(
    c: Context<Forks>,
    state: &World,
    volume: Volume,
    upto: u8,
    block: usize,
    answer: impl Fn(&Node) -> Option<Records>,
) -> Result<Volume, Violation> {
    let of_block = c.bounds.of_block(block);
    let picks = |log: &[Record]| -> Vec<Record> {
        log.iter().copied().filter(|(lsn, _)| of_block.contains(lsn.0 as usize - 1)).collect()
    };
    let mut answers = state.copies(c.bounds).iter().filter_map(answer).peekable();
    if answers.peek().is_none() {
        return Err(format!("nobody can show block {block} at @{upto}"));
    }
    let who = format_args!("who asks for block {block}");
    answers.try_fold(volume, |volume, page| volume.shows(who, Lsn(upto.into()), &of_page(page), picks))
}

/// A clone is the image that it began with, and what it has written to a page of its own.
fn of_clone(c: Context<Forks>, state: &World, clone: usize) -> Result<Volume, Violation> {
    let child = &state.clones[clone];
    let written = child.own[WRITTEN].is_some_and(|page| page.records.contains(own_record(clone)));
    let own = written.then(|| own_record(clone));
    let end = (RECORDS + CLONES) as u8;
    let records = child.image.iter().chain(own).map(record);
    let mut volume = Volume::new(clone, records, Lsn(end.into()));
    for block in 0..BLOCKS {
        volume = match child.own[block] {
            Some(page) => shown(c, state, volume, end, block, |_| Some(page.records)),
            None => shown(c, state, volume, end, block, |node| state.answer_to(c.rules, c.bounds, clone, node, block)),
        }
        .map_err(|fact| format!("of clone {}: {fact}", clone + 1))?;
    }
    Ok(volume)
}

/// What a writer acknowledges that was replaced is in the volume that replaced it, shown or hidden.
fn late_writers_are_heard(c: Context<Forks>, state: &World) -> Result<(), Violation> {
    for epoch in 1..state.newest {
        let next = state.view(epoch + 1);
        let late =
            state.own(epoch).iter().filter(|&record| record as u8 >= next.due && c.bounds.ends(record as u8 + 1));
        let holders = |record| state.copies(c.bounds).iter().filter(|node| node.has().contains(record)).count();
        let mut lost = late.filter(|&record| !next.base.or(next.hidden).contains(record));
        if let Some(record) = lost.find(|&record| holders(record) >= usize::from(c.bounds.write)) {
            return Err(format!("@{} is acknowledged by e{epoch} and not in the volume", record + 1));
        }
    }
    Ok(())
}

impl Catalogued for Forks {
    const PROFILES: &'static [area::Profile<Self>] = PROFILES;
    const MUTANTS: &'static [area::Mutant<Self>] = MUTANTS;
}
