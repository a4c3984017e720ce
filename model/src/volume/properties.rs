//! What must hold of a volume of several groups (protocol §7), each as a named function that returns the violating fact.
//!
//! | property | says | broken by |
//! |---|---|---|
//! | S1 AckDurable | every acknowledged commit is kept by every later epoch that opens | M23, M48, M53', M63 |
//! | S2 QuorumDurable | what an acknowledged commit needs is on a write quorum of its group | M23 |
//! | S3 VDLMonotone | what was durable stays in the volume | M23 |
//! | S6 MTRAtomic | a recovery keeps all of a mini-transaction or nothing, and a VDL never lies within one | M20, M21 |
//! | S8 PrefixComplete | nothing is missing below what counts as complete | M22 |
//! | S9 SingleWriter | no record that an open epoch does not keep becomes durable for an older writer | M63 |
//! | S31 GeometryFirst | a record counts only in a group that the metadata service knows | M48 |
//! | L1 CommitsComplete | the fault-free suffix ends with every commit acknowledged | M24 |
//! | L2 RecoveryOpens | it ends with the newest instance open | |
//! | L4 NoAllocationDeadlock | it ends with everything allocated that was to be written | M65 |
//! | L9 IdleGroups | the same while a group has no record | M24 |
//! | L11 Readable | it ends with a segment in each group that answers a read at the VDL | M26 |
//!
//! L2 is broken by M61 in the core; nothing that is decided here can break it, as long as every segment of a known group exists.
//!
//! S9 speaks of the VDL, not of the write quorum of one group, as protocol §7 has it. That is false with several groups: a record
//! that recovery found and left out, because one before it is missing in another group or because its mini-transaction is
//! torn, may still be acknowledged by a write quorum of its group later, and even be complete. It is never durable.

use crate::area::{self, Violation};
use crate::bounds::Switch;
use crate::records::Records;

use super::Volume;
use super::world::{Action, Phase, World};

pub type Property = area::Property<Volume>;

type Context<'a> = area::Context<'a, Volume>;

/// Every property, in the order of the protocol.
pub const ALL: [Property; 12] = [
    Property {
        id: "S1",
        name: "AckDurable",
        formula: "c∈acked[e], e<f, opened[f] ⇒ c∈kept[f]",
        section: "§7, S17 §4.3",
        check: ack_durable,
        sometimes: |c, w| commits_before(c, w).any(|(_, f, acked)| acked.is_subset_of(w.instance(f).kept)),
    },
    Property {
        id: "S2",
        name: "QuorumDurable",
        formula: "c∈acked, r≤c ⇒ {n: r∈n} ∈ WQ of the group of r",
        section: "§7",
        check: quorum_durable,
        sometimes: |c, w| opened(w).any(|e| c.acknowledged(w, e).0.count_ones() > 0 && w.own(c.bounds, e).len() > 1),
    },
    Property {
        id: "S3",
        name: "VDLMonotone",
        formula: "opened[e], opened[f], e<f ⇒ what is ≤ VDL[e] is in kept[f]",
        section: "§7",
        check: vdl_monotone,
        sometimes: |c, w| opened(w).any(|e| e > 1) && w.durable(c.rules, c.bounds, 1) > 0,
    },
    Property {
        id: "S6",
        name: "MTRAtomic",
        formula: "kept[e] and VDL[e] contain all or nothing of each mini-transaction",
        section: "§7, S17 §4.1",
        check: mtr_atomic,
        // A torn one, cut off.
        sometimes: |c, w| {
            let torn = |e: u8| {
                let held = w.groups.iter().flatten().any(|node| node.held.contains(0) && node.fenced == e);
                w.instance(e).phase == Phase::Installing && held && !w.instance(e).kept.contains(0)
            };
            c.bounds.planned(0).ends == Switch::Off && (2..=w.newest()).any(torn)
        },
    },
    Property {
        id: "S8",
        name: "PrefixComplete",
        formula: "r∈kept[e] ⇒ the record before it in the volume chain ∈ kept[e]; r ≤ VCL[e] ⇒ r is quorate",
        section: "§7, C5",
        check: prefix_complete,
        // A hole in one group, found in the other.
        sometimes: |c, w| {
            let hole = |e: u8| {
                let found = |record: usize| {
                    let group = usize::from(c.bounds.planned(record).group);
                    w.groups[group].iter().any(|node| node.fenced == e && node.held.contains(record))
                };
                w.instance(e).phase == Phase::Installing && !found(0) && found(1)
            };
            c.bounds.planned(0).group != c.bounds.plan[1].map_or(0, |planned| planned.group)
                && w.instance(1).allocated > 1
                && (2..=w.newest()).any(hole)
        },
    },
    Property {
        id: "S9",
        name: "SingleWriter",
        formula: "opened[f], r∉kept[f], r.e<f ⇒ r does not become durable for e afterwards",
        section: "§7, S18 §2.4",
        check: single_writer,
        // An old writer whose record is still written to a segment of a laggard.
        sometimes: |c, w| {
            let late = |e: u8| {
                w.own(c.bounds, e).any(|r| w.groups.iter().flatten().any(|n| n.serves(e) && n.took.contains(r)))
            };
            w.newest() > 1 && w.instance(w.newest()).phase == Phase::Open && late(w.newest() - 1)
        },
    },
    Property {
        id: "S31",
        name: "GeometryFirst",
        formula: "r counted in group p ⇒ p is in the geometry at the metadata service",
        section: "§6, §7",
        check: geometry_first,
        sometimes: |c, w| {
            usize::from(c.bounds.groups) < w.groups.len() && counted(c, w).any(|(_, _, group)| group == 1)
        },
    },
    Property {
        id: "L1",
        name: "CommitsComplete",
        formula: "every maximal fault-free path ends with every commit of the newest epoch acknowledged",
        section: "§7",
        check: |c, w| at_the_end(c, w, commits_complete),
        sometimes: |c, w| ends_well(c, w),
    },
    Property {
        id: "L2",
        name: "RecoveryOpens",
        formula: "every maximal fault-free path ends with the newest instance open",
        section: "§7",
        check: |c, w| at_the_end(c, w, recovery_opens),
        sometimes: |c, w| w.newest() > 1 && ends_well(c, w),
    },
    Property {
        id: "L4",
        name: "NoAllocationDeadlock",
        formula: "every maximal fault-free path ends with every planned record of the newest epoch allocated",
        section: "§7, C14",
        check: |c, w| at_the_end(c, w, everything_allocated),
        sometimes: |c, w| w.newest() > 1 && !c.bounds.share(w.newest()).is_empty() && ends_well(c, w),
    },
    Property {
        id: "L9",
        name: "IdleGroups",
        formula: "a group without a record keeps no commit from being acknowledged, and no recovery from opening",
        section: "§7, C5",
        check: |c, w| {
            if has_idle_group(c, w) {
                at_the_end(c, w, |c, w| commits_complete(c, w).or_else(|| recovery_opens(c, w)))
            } else {
                Ok(())
            }
        },
        sometimes: |c, w| has_idle_group(c, w) && opened(w).any(|e| c.acknowledged(w, e).0 != 0),
    },
    Property {
        id: "L11",
        name: "Readable",
        formula: "every maximal fault-free path ends with a segment of each group that answers a read at the VDL",
        section: "§3, C7",
        check: |c, w| at_the_end(c, w, readable),
        sometimes: |c, w| w.vdl(c.rules, c.bounds, w.newest()) > 0 && ends_well(c, w),
    },
];

impl Context<'_> {
    fn acknowledged(&self, world: &World, epoch: u8) -> Records {
        world.acknowledged(self.rules, self.bounds, epoch)
    }
}

fn opened(world: &World) -> impl Iterator<Item = u8> {
    (1..=world.newest()).filter(|&epoch| world.instance(epoch).phase == Phase::Open)
}

/// Every pair of an epoch with acknowledged commits and a later one that is open.
fn commits_before<'a>(c: Context<'a>, world: &'a World) -> impl Iterator<Item = (u8, u8, Records)> + 'a {
    let pairs = opened(world).filter(|&f| f > 1).flat_map(|f| (1..f).map(move |e| (e, f)));
    pairs.filter(|(e, _)| world.instance(*e).phase == Phase::Open).filter_map(move |(e, f)| {
        let acked = c.acknowledged(world, e);
        (acked.0 != 0).then_some((e, f, acked))
    })
}

fn name(world: &World, record: usize) -> String {
    format!("@{}", world.records[record].lsn)
}

fn ack_durable(c: Context, world: &World) -> Result<(), Violation> {
    for (e, f, acked) in commits_before(c, world) {
        if let Some(lost) = acked.iter().find(|&record| !world.instance(f).kept.contains(record)) {
            return Err(format!(
                "the commit {} of e{e} was acknowledged, and e{f} opened without it",
                name(world, lost)
            ));
        }
    }
    Ok(())
}

fn quorum_durable(c: Context, world: &World) -> Result<(), Violation> {
    for epoch in opened(world) {
        let Some(last) = c.acknowledged(world, epoch).iter().max() else { continue };
        for record in world.own(c.bounds, epoch).filter(|&record| record <= last) {
            let group = usize::from(c.bounds.planned(record).group);
            let holders = world.groups[group].iter().filter(|node| node.held.contains(record)).count();
            if holders < usize::from(c.bounds.write) {
                return Err(format!(
                    "the commit {} of e{epoch} was acknowledged, and {} is on {holders} copies of g{}",
                    name(world, last),
                    name(world, record),
                    group + 1
                ));
            }
        }
    }
    Ok(())
}

fn vdl_monotone(c: Context, world: &World) -> Result<(), Violation> {
    for f in opened(world).filter(|&f| f > 1) {
        let kept = world.instance(f).kept;
        for e in opened(world).filter(|&e| e < f) {
            let own = world.own(c.bounds, e).take(world.durable(c.rules, c.bounds, e));
            let durable = world.instance(e).kept.iter().chain(own);
            if let Some(lost) = durable.into_iter().find(|&record| !kept.contains(record)) {
                return Err(format!("{} was durable in e{e}, and e{f} opened without it", name(world, lost)));
            }
        }
    }
    Ok(())
}

fn mtr_atomic(c: Context, world: &World) -> Result<(), Violation> {
    for epoch in 1..=world.newest() {
        let instance = world.instance(epoch);
        let decided = matches!(instance.phase, Phase::Installing | Phase::Open);
        let torn = |record: usize| c.bounds.planned(record).ends == Switch::Off && !instance.kept.contains(record + 1);
        if let Some(record) = instance.kept.iter().find(|&record| decided && torn(record)) {
            return Err(format!(
                "e{epoch} keeps {} and not {}, which are of one mini-transaction",
                name(world, record),
                name(world, record + 1)
            ));
        }
        if instance.phase == Phase::Open {
            let durable = world.durable(c.rules, c.bounds, epoch);
            let own = world.own(c.bounds, epoch);
            if durable > 0 && c.bounds.planned(own.start + durable - 1).ends == Switch::Off {
                let vdl = world.vdl(c.rules, c.bounds, epoch);
                return Err(format!("the VDL of e{epoch} is @{vdl}, in the middle of a mini-transaction"));
            }
        }
    }
    Ok(())
}

fn prefix_complete(c: Context, world: &World) -> Result<(), Violation> {
    for epoch in 1..=world.newest() {
        let kept = world.instance(epoch).kept;
        for record in kept.iter() {
            let previous = world.records[record].previous;
            if previous != 0 && !kept.contains(usize::from(previous) - 1) {
                return Err(format!(
                    "e{epoch} keeps {} and not {}, which comes before it",
                    name(world, record),
                    name(world, usize::from(previous) - 1)
                ));
            }
        }
        if world.instance(epoch).phase == Phase::Open {
            let complete = world.own(c.bounds, epoch).take(world.complete(c.rules, c.bounds, epoch));
            if let Some(pending) = complete.into_iter().find(|&record| !world.is_quorate(c.bounds, epoch, record)) {
                return Err(format!("the VCL of e{epoch} is past {}, which is not quorate", name(world, pending)));
            }
        }
    }
    Ok(())
}

fn single_writer(_: Context, world: &World) -> Result<(), Violation> {
    match world.late.iter().next() {
        Some(record) => Err(format!(
            "{} became durable for its writer after a newer epoch had opened without it",
            name(world, record)
        )),
        None => Ok(()),
    }
}

/// Records that count as complete for their writer, with their epochs and groups.
fn counted<'a>(c: Context<'a>, world: &'a World) -> impl Iterator<Item = (u8, usize, u8)> + 'a {
    opened(world).flat_map(move |epoch| {
        let complete = world.own(c.bounds, epoch).take(world.complete(c.rules, c.bounds, epoch));
        complete.map(move |record| (epoch, record, c.bounds.planned(record).group))
    })
}

fn geometry_first(c: Context, world: &World) -> Result<(), Violation> {
    match counted(c, world).find(|&(_, _, group)| group >= world.geometry) {
        Some((epoch, record, group)) => Err(format!(
            "{} of e{epoch} counts in g{}, which the metadata service does not know",
            name(world, record),
            group + 1
        )),
        None => Ok(()),
    }
}

// --- the end of fault-free paths ---------------------------------------------------------------------------------------

/// Whether nothing can happen any more but a fault, a new recovery or something that an old writer does.
fn is_terminal(c: Context, world: &World) -> bool {
    let newest = world.newest();
    let mut quiet = true;
    world.candidates(c.bounds, |action| {
        let progress = match action {
            Action::Recover => false,
            Action::FenceRead { epoch, .. }
            | Action::Decide { epoch }
            | Action::Truncate { epoch, .. }
            | Action::Allocate { epoch }
            | Action::Write { epoch, .. }
            | Action::Create { epoch }
            | Action::Grow { epoch } => epoch == newest,
        };
        quiet = quiet && !(progress && world.after(c.rules, c.bounds, action).is_some());
    });
    quiet
}

/// What is wrong of a state in which a fault-free path ends.
type Wrong = fn(Context, &World) -> Option<String>;

fn at_the_end(c: Context, world: &World, wrong: Wrong) -> Result<(), Violation> {
    match wrong(c, world) {
        Some(fact) if is_terminal(c, world) => Err(format!("nothing can happen any more, and {fact}")),
        _ => Ok(()),
    }
}

fn ends_well(c: Context, world: &World) -> bool {
    let wrong: [Wrong; 4] = [recovery_opens, everything_allocated, commits_complete, readable];
    wrong.iter().all(|wrong| wrong(c, world).is_none()) && is_terminal(c, world)
}

pub(super) fn recovery_opens(_: Context, world: &World) -> Option<String> {
    let newest = world.newest();
    (world.instance(newest).phase != Phase::Open).then(|| format!("e{newest} has not opened"))
}

pub(super) fn everything_allocated(c: Context, world: &World) -> Option<String> {
    let newest = world.newest();
    let allocated = world.own(c.bounds, newest).len();
    let open = world.instance(newest).phase == Phase::Open;
    let planned = c.bounds.share(newest).len();
    (open && allocated < planned).then(|| format!("e{newest} has allocated {allocated} of {planned} records"))
}

pub(super) fn commits_complete(c: Context, world: &World) -> Option<String> {
    let newest = world.newest();
    let acked = c.acknowledged(world, newest);
    let mut commits = world.own(c.bounds, newest).filter(|&record| c.bounds.planned(record).commits.is_on());
    let pending = commits.find(|&record| !acked.contains(record))?;
    let open = world.instance(newest).phase == Phase::Open;
    open.then(|| format!("the commit {} of e{newest} is not acknowledged", name(world, pending)))
}

pub(super) fn readable(c: Context, world: &World) -> Option<String> {
    let newest = world.newest();
    if world.instance(newest).phase != Phase::Open {
        return None;
    }
    let answered =
        |group: &usize| world.groups[*group].iter().any(|node| world.answers(c.rules, c.bounds, newest, *group, node));
    let group = (0..usize::from(world.instance(newest).groups)).find(|group| !answered(group))?;
    let vdl = world.vdl(c.rules, c.bounds, newest);
    Some(format!("no segment of g{} answers a read at the VDL @{vdl} of e{newest}", group + 1))
}

/// A group that exists and that no record was allocated for.
pub(super) fn has_idle_group(c: Context, world: &World) -> bool {
    let used =
        |group: u8| (0..world.records.len()).any(|r| world.records[r].lsn != 0 && c.bounds.planned(r).group == group);
    (0..world.instance(world.newest()).groups).any(|group| !used(group))
}
