//! What must hold of clones and backtrack, each as a named function that returns the violating fact. Beyond the papers: the numbers are
//! our own.
//!
//! | property | says | broken by |
//! |---|---|---|
//! | F1 CloneReadsFork | of every page that a clone shares, a write quorum of copies answers with what it was at the fork, and none with anything else | MF1, MF2, MF3, MF4, MF5 |
//! | F2 CopyOnWrite | a page of a clone's own is what it was at the fork, and what the clone wrote | MF6, MF8 |
//! | F3 ParentReads | of every page of the volume a write quorum of copies answers with what is shown at the VDL, and none with anything else | MF7, MF13, MF15, MF17, MF20 |
//! | F4 ReversibleKept | a write quorum of copies holds, record by record, what can be shown again | MF12 |
//! | F5 WindowKept | nothing is collected above the window | MF16 |
//! | F6 OldWriterFenced | a mini-transaction that was not durable when an epoch began, and was left out, never comes to a write quorum | MF19 |
//! | F7 WholePoints | a fork, and what an epoch shows, ends a mini-transaction | MF10, MF18 |
//! | F8 NothingDropped | what was durable when an epoch began is shown by it, or reversible | MF11, MF14 |
//! | LF1 CollectionAdvances | the fault-free suffix ends with everything collected up to VDL and window, if no clone shares a page | MF9 |
//! | LF2 EpochOpens | it ends with every copy at the newest epoch, with all that it shows and can show | MF12 |

use crate::area::{self, Violation};
use crate::records::Records;

use super::Forks;
use super::bounds::{BLOCKS, CLONES, own_record};
use super::world::{Action, Node, Phase, View, World};

pub type Property = area::Property<Forks>;

type Context<'a> = area::Context<'a, Forks>;

pub const ALL: [Property; 10] = [
    Property {
        id: "F1",
        name: "CloneReadsFork",
        formula: "clone open, block shared ⇒ |{n: answer(n) = image ∩ block}| ≥ W, no other answer",
        section: "§6",
        check: clone_reads_fork,
        // The volume has gone on, and has collected up to the fork.
        sometimes: |c, w| {
            (0..CLONES).any(|clone| {
                let fork = w.clones[clone].fork;
                w.clones[clone].phase == Phase::Open
                    && w.shares(clone)
                    && fork > 0
                    && w.vdl(c.bounds) > fork
                    && w.copies(c.bounds).iter().any(|node| node.collected == fork)
            })
        },
    },
    Property {
        id: "F2",
        name: "CopyOnWrite",
        formula: "own page of a clone = image ∩ block ∪ what the clone wrote",
        section: "§6",
        check: copy_on_write,
        // The volume has changed the same page since.
        sometimes: |c, w| {
            w.clones.iter().any(|clone| {
                clone.own[0].is_some_and(|page| {
                    page.records.and(clone.image) != page.records && page.records.0.count_ones() > 1
                }) && !w.live(w.newest).and(c.bounds.of_block(0)).is_subset_of(clone.image)
            })
        },
    },
    Property {
        id: "F3",
        name: "ParentReads",
        formula: "epoch open ⇒ |{n: answer(n) = live ∩ block ≤ VDL}| ≥ W, no other answer",
        section: "§6; S20",
        check: parent_reads,
        sometimes: |c, w| {
            w.newest > 1
                && w.is_open(c.bounds)
                && !w.own(w.newest).is_empty()
                && w.vdl(c.bounds) == w.live(w.newest).last()
                && w.copies(c.bounds).iter().any(|n| n.collected > 0)
                && w.copies(c.bounds).iter().any(|n| !n.has().is_subset_of(w.live(w.newest)))
        },
    },
    Property {
        id: "F4",
        name: "ReversibleKept",
        formula: "r reversible in e, r ≤ due[e] ⇒ |{n: r held by n}| ≥ W",
        section: "§6",
        check: reversible_kept,
        // Hidden records, while everything that is shown is collected.
        sometimes: |c, w| {
            let vdl = w.vdl(c.bounds);
            w.is_open(c.bounds)
                && vdl > 0
                && !w.reversible(w.newest).is_empty()
                && w.copies(c.bounds).iter().any(|node| node.collected == vdl)
        },
    },
    Property {
        id: "F5",
        name: "WindowKept",
        formula: "epoch open ⇒ low-water mark ≤ head − window",
        section: "§6",
        check: window_kept,
        sometimes: |c, w| c.bounds.window > 0 && w.view(w.newest).low_water > 0,
    },
    Property {
        id: "F6",
        name: "OldWriterFenced",
        formula: "r of e above due[e+1] ends a mini-transaction, neither shown nor hidden by e+1 ⇒ |{n: r ∈ has(n)}| < W",
        section: "§6; S9",
        check: old_writer_fenced,
        sometimes: |c, w| {
            (1..w.newest).any(|e| {
                let lost = lost(w, e);
                w.copies(c.bounds).iter().any(|node| !node.has().and(lost).is_empty())
            })
        },
    },
    Property {
        id: "F7",
        name: "WholePoints",
        formula: "base[e], image of a clone: the last record ends a mini-transaction",
        section: "§6; S6, C2",
        check: whole_points,
        sometimes: |c, w| {
            let torn = c.bounds.plan.iter().flatten().any(|planned| !planned.ends.is_on());
            torn && w.vcl(c.bounds) > w.vdl(c.bounds) && (w.newest > 1 || w.clones[0].phase == Phase::Open)
        },
    },
    Property {
        id: "F8",
        name: "NothingDropped",
        formula: "chain[e] ≤ due[e+1] ⊆ base[e+1] ∪ hidden[e+1]",
        section: "§6",
        check: nothing_dropped,
        // Back, and forward again, to the end of what was hidden.
        sometimes: |_, w| {
            (3..=w.newest).any(|e| {
                w.view(e).hidden.is_empty() && !w.view(e - 1).hidden.is_empty() && w.view(e).base != w.view(e - 1).base
            })
        },
    },
    Property {
        id: "LF1",
        name: "CollectionAdvances",
        formula: "every maximal fault-free path, no clone shares a page, ends with gcp(n) = min(VDL, head − window)",
        section: "§6; L8",
        check: collection_advances,
        // A clone has been there, and needs nothing any more; or the volume has gone back.
        sometimes: |c, w| {
            let done = (0..CLONES).any(|clone| w.clones[clone].phase != Phase::NotYet && !w.shares(clone));
            (done || c.bounds.clones == 0 && w.newest > 1) && w.vdl(c.bounds) > 0 && is_terminal(c, w)
        },
    },
    Property {
        id: "LF2",
        name: "EpochOpens",
        formula: "every maximal fault-free path ends with each copy at the newest epoch and its SCL the last of its chain",
        section: "§6; L2",
        check: epoch_opens,
        sometimes: |c, w| w.newest > 1 && !w.reversible(w.newest).is_empty() && is_terminal(c, w),
    },
];

fn name(copy: usize) -> char {
    char::from(b'A' + copy as u8)
}

fn lsns(records: Records) -> String {
    super::telling::lsns(records)
}

/// Whether at least a write quorum answers, and all with the same page.
fn judged(
    c: Context,
    world: &World,
    wanted: Records,
    answer: impl Fn(&Node) -> Option<Records>,
) -> Result<(), Violation> {
    let mut right = 0;
    for (copy, node) in world.copies(c.bounds).iter().enumerate() {
        match answer(node) {
            Some(page) if page != wanted => {
                return Err(format!("{} answers with {} instead of {}", name(copy), lsns(page), lsns(wanted)));
            }
            Some(_) => right += 1,
            None => {}
        }
    }
    if right < usize::from(c.bounds.write) {
        return Err(format!("only {right} copies can answer with {}", lsns(wanted)));
    }
    Ok(())
}

fn clone_reads_fork(c: Context, world: &World) -> Result<(), Violation> {
    for (clone, child) in world.clones.iter().enumerate() {
        for block in (0..BLOCKS).filter(|&block| child.phase == Phase::Open && child.own[block].is_none()) {
            let wanted = child.image.and(c.bounds.of_block(block));
            judged(c, world, wanted, |node| world.answer_to(c.rules, c.bounds, clone, node, block))
                .map_err(|fact| format!("block {block} at the fork @{} of clone {}: {fact}", child.fork, clone + 1))?;
        }
    }
    Ok(())
}

fn copy_on_write(c: Context, world: &World) -> Result<(), Violation> {
    for (clone, child) in world.clones.iter().enumerate() {
        for (block, page) in child.own.iter().enumerate() {
            let Some(page) = page else { continue };
            let own: Records = std::iter::once(own_record(clone)).collect();
            let wanted = child.image.and(c.bounds.of_block(block));
            if page.records.but(own) != wanted {
                let (has, wanted) = (lsns(page.records.but(own)), lsns(wanted));
                return Err(format!("block {block} of clone {} began with {has} instead of {wanted}", clone + 1));
            }
        }
    }
    Ok(())
}

fn parent_reads(c: Context, world: &World) -> Result<(), Violation> {
    if !world.is_open(c.bounds) {
        return Ok(());
    }
    let vdl = world.vdl(c.bounds);
    for block in 0..BLOCKS {
        let wanted = world.live(world.newest).and(c.bounds.of_block(block)).upto(vdl);
        judged(c, world, wanted, |node| world.answer(c.rules, c.bounds, node, block))
            .map_err(|fact| format!("block {block} at @{vdl}: {fact}"))?;
    }
    Ok(())
}

fn holders(c: Context, world: &World, record: usize, of: impl Fn(&Node) -> Records) -> usize {
    world.copies(c.bounds).iter().filter(|node| of(node).contains(record)).count()
}

fn reversible_kept(c: Context, world: &World) -> Result<(), Violation> {
    let reversible = world.reversible(world.newest).upto(world.view(world.newest).due);
    let lost = |&record: &usize| holders(c, world, record, |node| node.held) < usize::from(c.bounds.write);
    match reversible.iter().find(lost) {
        Some(record) => {
            let count = holders(c, world, record, |node| node.held);
            Err(format!("@{} is hidden and can be shown again, and {count} copies hold it", record + 1))
        }
        None => Ok(()),
    }
}

fn window_kept(c: Context, world: &World) -> Result<(), Violation> {
    let mark = world.view(world.newest).low_water;
    let head = world.head(c.bounds);
    if world.is_open(c.bounds) && mark > head.saturating_sub(c.bounds.window) {
        return Err(format!("the low-water mark is @{mark}, @{head} is durable, and the window {}", c.bounds.window));
    }
    Ok(())
}

/// What an epoch wrote that was not durable when the next one began, which left it out.
fn lost(world: &World, epoch: u8) -> Records {
    let next = world.view(epoch + 1);
    let late: Records = world.own(epoch).iter().filter(|&record| record as u8 + 1 > next.due).collect();
    late.but(next.base.or(next.hidden))
}

fn old_writer_fenced(c: Context, world: &World) -> Result<(), Violation> {
    for e in 1..world.newest {
        // Records come in the order of their chain, so with the last one of a mini-transaction all of it is there.
        let quorate = |&record: &usize| {
            c.bounds.ends(record as u8 + 1) && holders(c, world, record, Node::has) >= usize::from(c.bounds.write)
        };
        if let Some(record) = lost(world, e).iter().find(quorate) {
            return Err(format!("@{} of e{e} has a write quorum, and e{} leaves it out", record + 1, e + 1));
        }
    }
    Ok(())
}

fn whole_points(c: Context, world: &World) -> Result<(), Violation> {
    for e in 2..=world.newest {
        let last = world.view(e).base.last();
        if !c.bounds.ends(last) {
            return Err(format!("e{e} began at @{last}, in the middle of a mini-transaction"));
        }
    }
    match world.clones.iter().position(|clone| !c.bounds.ends(clone.image.last())) {
        Some(clone) => {
            let last = world.clones[clone].image.last();
            Err(format!("clone {} began at @{last}, in the middle of a mini-transaction", clone + 1))
        }
        None => Ok(()),
    }
}

fn nothing_dropped(_: Context, world: &World) -> Result<(), Violation> {
    for e in 2..=world.newest {
        let View { base, hidden, due, .. } = *world.view(e);
        // What the epoch before could still show when it ended.
        let dropped = world.chain(e - 1).upto(due).but(base.or(hidden));
        if !dropped.is_empty() {
            return Err(format!(
                "{} was durable when e{e} began, and is neither shown nor hidden by it",
                lsns(dropped)
            ));
        }
    }
    Ok(())
}

/// Whether nothing can happen any more but an intention: that somebody writes, goes back or forward, makes or deletes a clone.
fn is_terminal(c: Context, world: &World) -> bool {
    let mut quiet = true;
    world.candidates(c.bounds, |action| {
        let progress = match action {
            Action::Write { .. }
            | Action::Learn { .. }
            | Action::Announce { .. }
            | Action::Collect { .. }
            | Action::Purge { .. }
            | Action::Fork { .. } => true,
            Action::Allocate
            | Action::Backtrack { .. }
            | Action::Forward { .. }
            | Action::Pin { .. }
            | Action::CopyPage { .. }
            | Action::CloneWrite { .. }
            | Action::Delete { .. } => false,
        };
        quiet = quiet && !(progress && world.after(c.rules, c.bounds, action).is_some());
    });
    quiet
}

pub(super) fn is_collected(c: Context, world: &World) -> bool {
    if (0..CLONES).any(|clone| world.shares(clone)) {
        return true;
    }
    let due = world.vdl(c.bounds).min(world.head(c.bounds).saturating_sub(c.bounds.window));
    world.copies(c.bounds).iter().all(|node| node.collected >= due)
}

pub(super) fn is_everywhere(c: Context, world: &World) -> bool {
    let chain = world.chain(world.newest);
    let complete = |node: &Node| node.epoch == world.newest && world.scl(node, chain) == chain.last();
    world.copies(c.bounds).iter().all(complete)
}

fn collection_advances(c: Context, world: &World) -> Result<(), Violation> {
    if is_collected(c, world) || !is_terminal(c, world) {
        return Ok(());
    }
    let mark = world.view(world.newest).low_water;
    let vdl = world.vdl(c.bounds);
    Err(format!(
        "nothing can happen any more, the VDL is @{vdl}, no clone shares a page, and the low-water mark is @{mark}"
    ))
}

fn epoch_opens(c: Context, world: &World) -> Result<(), Violation> {
    if is_everywhere(c, world) || !is_terminal(c, world) {
        return Ok(());
    }
    let e = world.newest;
    let chain = world.chain(e);
    let behind = |node: &Node| node.epoch != e || world.scl(node, chain) != chain.last();
    let copy = world.copies(c.bounds).iter().position(behind).expect("some copy is behind");
    let scl = world.scl(&world.nodes[copy], chain);
    Err(format!(
        "nothing can happen any more, {} is complete up to @{scl}, and e{e} goes up to @{}",
        name(copy),
        chain.last()
    ))
}
