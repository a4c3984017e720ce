//! What must hold of regions, each as a named function that returns the violating fact. Beyond the papers: the numbers are our own.
//!
//! | property | says | broken by |
//! |---|---|---|
//! | R1 SecondaryPrefix | what a secondary has applied is a durable prefix of the log that it follows, and ends a mini-transaction | MR1, MR2, MR3, MR6, MR7, MR8, MR9, MR10 |
//! | R2 PromotionKeepsShipped | a promoted log is all that was shipped to the region by whole mini-transactions, and nothing else | MR4, MR5 |
//! | R3 OnlySuffixLost | the log with which an epoch begins is a prefix of the log of the epoch before | MR2, MR11 |
//! | R4 PromotedUntouched | the log of a region that writes is what its epoch wrote, whatever streams of older epochs bring | MR6 |
//! | R5 NothingLost | a switchover, or a failover within the region, loses nothing that was or becomes durable in the epoch before | MR12, MR13, MR14 |
//! | R6 LossWithinRPO | of what was acknowledged, the promotion of the furthest secondary loses no more than the RPO | MR16, MR17 |
//! | LR1 RegionsConverge | the fault-free suffix ends with every region following the newest epoch and having all of it | MR18 |
//! | LR2 SomebodyWrites | it ends with a primary that may write | MR15 |
//!
//! A read of a secondary returns what it has applied, so R1 says of every read what it may return.
//!
//! R6 speaks of what the epoch before had acknowledged itself when the region was promoted. Two things an RPO does not cover
//! (`tests/region.rs`): what a primary acknowledges that was replaced and does not know is lost without a limit (with two secondaries,
//! one that still follows it vouches for it); and what a promoted region has inherited is at risk until another secondary has reported
//! it.

use crate::area::{self, Violation};

use super::Regions;
use super::world::{Action, Opening, Role, World};

pub type Property = area::Property<Regions>;

type Context<'a> = area::Context<'a, Regions>;

pub const ALL: [Property; 8] = [
    Property {
        id: "R1",
        name: "SecondaryPrefix",
        formula: "n secondary at e, l = applied(n) ⇒ log(n)[..l] = log[e][..l], l ≤ durable[e], l ends a mini-transaction",
        section: "beyond the papers; S22, S23",
        check: secondary_prefix,
        // One secondary is behind, with a gap and a part of a mini-transaction beyond what it has applied.
        sometimes: |c, w| {
            w.regions(c.bounds).iter().any(|region| {
                region.role == Role::Secondary
                    && region.applied > 0
                    && region.applied < w.epoch(region.epoch).durable
                    && region.log.last() > region.applied
            })
        },
    },
    Property {
        id: "R2",
        name: "PromotionKeepsShipped",
        formula: "e by promotion ⇒ start[e] = the last whole mini-transaction that the region had without a gap",
        section: "beyond the papers; C2",
        check: promotion_keeps_shipped,
        sometimes: |c, w| {
            by(w, Opening::Promoted).any(|e| {
                let start = w.epoch(e).start;
                start > 0 && start < w.epoch(e - 1).durable && w.epoch(e).durable > start && e == w.newest()
            }) && w.regions(c.bounds).iter().all(|region| region.epoch == w.newest())
        },
    },
    Property {
        id: "R3",
        name: "OnlySuffixLost",
        formula: "e > 1 ⇒ log[e][..start[e]] = log[e−1][..start[e]]",
        section: "beyond the papers; S4",
        check: only_suffix_lost,
        // A record is lost, its place is taken by another one, and a region still holds it.
        sometimes: |c, w| {
            by(w, Opening::Promoted).any(|e| {
                let next = w.epoch(e).start + 1;
                let lost = w.epoch(e - 1).log.at(next);
                w.epoch(e).log.at(next).is_some()
                    && lost.is_some()
                    && w.regions(c.bounds).iter().any(|r| r.role == Role::Secondary && r.log.at(next) == lost)
            })
        },
    },
    Property {
        id: "R4",
        name: "PromotedUntouched",
        formula: "n writes in e ⇒ log(n) = log[e]",
        section: "beyond the papers; S9, S12",
        check: promoted_untouched,
        // The old stream has what the promoted region lacks.
        sometimes: |_, w| {
            by(w, Opening::Promoted).any(|e| w.writer(e).is_some() && w.epoch(e - 1).durable > w.epoch(e).log.last())
        },
    },
    Property {
        id: "R5",
        name: "NothingLost",
        formula: "e by switchover or within the region ⇒ durable[e−1] ≤ start[e]",
        section: "beyond the papers; S1",
        check: nothing_lost,
        sometimes: |_, w| {
            by(w, Opening::Switched)
                .chain(by(w, Opening::Failover))
                .any(|e| w.epoch(e).start > 0 && w.epoch(e).durable > w.epoch(e).start)
        },
    },
    Property {
        id: "R6",
        name: "LossWithinRPO",
        formula: "RPO k, e by promotion of the furthest secondary ⇒ acknowledged in e−1 by then and not in log[e]: at most k",
        section: "beyond the papers",
        check: loss_within_rpo,
        sometimes: |c, w| {
            c.bounds.rpo.is_some_and(|rpo| {
                by(w, Opening::Promoted).any(|e| w.epoch(e).ghost.furthest && w.epoch(e).ghost.lost == rpo)
            })
        },
    },
    Property {
        id: "LR1",
        name: "RegionsConverge",
        formula: "every maximal fault-free path ends with each region at the newest epoch and at all that it has written",
        section: "beyond the papers",
        check: regions_converge,
        sometimes: |c, w| {
            w.newest() > 1 && w.epoch(w.newest()).durable > w.epoch(w.newest()).start && is_terminal(c, w)
        },
    },
    Property {
        id: "LR2",
        name: "SomebodyWrites",
        formula: "every maximal fault-free path ends with a primary of the newest epoch that has not stopped",
        section: "beyond the papers",
        check: somebody_writes,
        // A switchover that was given up, or came too late.
        sometimes: |c, w| w.newest() == 1 && w.regions(c.bounds).iter().any(|region| region.role == Role::Stopped),
    },
];

fn by(world: &World, opening: Opening) -> impl Iterator<Item = u8> {
    (2..=world.newest()).filter(move |&epoch| world.epoch(epoch).opening == opening)
}

fn name(region: usize) -> char {
    char::from(b'A' + region as u8)
}

fn secondary_prefix(c: Context, world: &World) -> Result<(), Violation> {
    for (place, region) in world.regions(c.bounds).iter().enumerate() {
        if region.role != Role::Secondary {
            continue;
        }
        let (who, e, applied) = (name(place), region.epoch, region.applied);
        let followed = world.epoch(e);
        let same = region.log.common(followed.log);
        if applied > same {
            return Err(format!("{who} has applied up to @{applied}, and has the log of e{e} up to @{same} only"));
        }
        if applied > followed.durable {
            return Err(format!("{who} has applied up to @{applied}, and e{e} is durable up to @{}", followed.durable));
        }
        if applied > 0 && !world.ends(c.bounds, region.log, applied) {
            return Err(format!("{who} has applied up to @{applied}, in the middle of a mini-transaction"));
        }
    }
    Ok(())
}

fn promotion_keeps_shipped(_: Context, world: &World) -> Result<(), Violation> {
    match by(world, Opening::Promoted).find(|&e| world.epoch(e).start != world.epoch(e).ghost.shipped) {
        Some(e) => {
            let epoch = world.epoch(e);
            Err(format!(
                "the region of e{e} had whole mini-transactions up to @{}, and began at @{}",
                epoch.ghost.shipped, epoch.start
            ))
        }
        None => Ok(()),
    }
}

fn only_suffix_lost(_: Context, world: &World) -> Result<(), Violation> {
    for e in 2..=world.newest() {
        let (before, epoch) = (world.epoch(e - 1), world.epoch(e));
        let same = epoch.log.upto(epoch.start).common(before.log);
        if same < epoch.start {
            return Err(format!(
                "e{e} began with a log up to @{}, of which e{} has only up to @{same}",
                epoch.start,
                e - 1
            ));
        }
    }
    Ok(())
}

fn promoted_untouched(c: Context, world: &World) -> Result<(), Violation> {
    let strange = |region: &super::world::Region| {
        matches!(region.role, Role::Primary | Role::Stopped) && region.log != world.epoch(region.epoch).log
    };
    match world.regions(c.bounds).iter().position(strange) {
        Some(place) => {
            let e = world.regions[place].epoch;
            Err(format!("the log of {} is not what e{e} wrote", name(place)))
        }
        None => Ok(()),
    }
}

fn nothing_lost(_: Context, world: &World) -> Result<(), Violation> {
    let lost = |e: &u8| world.epoch(e - 1).durable > world.epoch(*e).start;
    match by(world, Opening::Switched).chain(by(world, Opening::Failover)).find(lost) {
        Some(e) => Err(format!(
            "e{} is durable up to @{}, and e{e}, which was to lose nothing, began at @{}",
            e - 1,
            world.epoch(e - 1).durable,
            world.epoch(e).start
        )),
        None => Ok(()),
    }
}

fn loss_within_rpo(c: Context, world: &World) -> Result<(), Violation> {
    let Some(rpo) = c.bounds.rpo else { return Ok(()) };
    let beyond = |e: &u8| world.epoch(*e).ghost.furthest && world.epoch(*e).ghost.lost > rpo;
    match by(world, Opening::Promoted).find(beyond) {
        Some(e) => Err(format!(
            "the furthest secondary was promoted to e{e}, and lost {} acknowledged records where {rpo} are allowed",
            world.epoch(e).ghost.lost
        )),
        None => Ok(()),
    }
}

/// Whether nothing can happen any more but another promotion, a switchover, or that somebody writes.
fn is_terminal(c: Context, world: &World) -> bool {
    let mut quiet = true;
    world.candidates(c.bounds, |action| {
        let progress = match action {
            Action::Durable { .. }
            | Action::Deliver { .. }
            | Action::Report { .. }
            | Action::Follow { .. }
            | Action::Resume { .. } => true,
            Action::Allocate { .. }
            | Action::Promote { .. }
            | Action::Failover { .. }
            | Action::Stop { .. }
            | Action::Switch { .. } => false,
        };
        quiet = quiet && !(progress && world.after(c.rules, c.bounds, action).is_some());
    });
    quiet
}

pub(super) fn has_converged(c: Context, world: &World) -> bool {
    let newest = world.newest();
    let all = world.epoch(newest).log;
    world.regions(c.bounds).iter().all(|region| region.epoch == newest && region.applied == all.last())
}

pub(super) fn is_written(world: &World) -> bool {
    let newest = world.newest();
    world.regions.iter().any(|region| region.role == Role::Primary && region.epoch == newest)
}

fn regions_converge(c: Context, world: &World) -> Result<(), Violation> {
    if has_converged(c, world) || !is_terminal(c, world) {
        return Ok(());
    }
    let newest = world.newest();
    let last = world.epoch(newest).log.last();
    let behind = |region: &super::world::Region| region.epoch != newest || region.applied != last;
    let place = world.regions(c.bounds).iter().position(behind).expect("somebody is behind");
    let region = world.regions[place];
    Err(format!(
        "nothing can happen any more, {} is at @{} of e{}, and e{newest} has written up to @{last}",
        name(place),
        region.applied,
        region.epoch
    ))
}

fn somebody_writes(c: Context, world: &World) -> Result<(), Violation> {
    if is_written(world) || !is_terminal(c, world) {
        return Ok(());
    }
    Err(format!("nothing can happen any more, and nobody writes in e{}", world.newest()))
}
