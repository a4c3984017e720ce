//! What must hold of pages, replicas and collection (protocol §3, §7), each as a named function that returns the violating fact.
//!
//! | property | says | broken by |
//! |---|---|---|
//! | S4 NoResurrection | no page that is served holds a record that a recovery annulled | M29 |
//! | S17 GCSafe | no segment collects above a point at which somebody who counts may still read, or above the VDL | M27, M29, M52 |
//! | S18 CoalesceBelowVDL | nothing is folded for good that is not durable, or annulled | M29 |
//! | S19 GCAfterBackup | nothing is collected that is not backed up | M67 |
//! | S20 ReadView | a page is exactly the records of its block up to the read point; the writer's cache misses none | M25, M28, M35 |
//! | S21 ReadEligible | only a segment answers that is complete up to the read point and has not collected above it | M25, M28 |
//! | S22 ReplicaBehind | a replica has applied nothing above the VDL | M30 |
//! | S23 ReplicaMTR | a replica applies whole mini-transactions, and a traversal reads at one point | M31, M34 |
//! | S24 ReplicaCacheFresh | a replica's cached page misses no record that it has applied | M32, M33 |
//! | S25 EvictDurable | the writer evicts no page whose last record is not durable | M35 |
//! | L8 CollectionAdvances | a replica that is not heard of does not keep collection from the VDL | M66 |

use crate::area::{self, Violation};

use super::Pages;
use super::world::{Action, Breach, Reader, World};

pub type Property = area::Property<Pages>;

type Context<'a> = area::Context<'a, Pages>;

/// Every property, in the order of the protocol.
pub const ALL: [Property; 11] = [
    Property {
        id: "S4",
        name: "NoResurrection",
        formula: "r annulled ⇒ r ∉ any page served",
        section: "§7",
        check: |_, w| breach(w, Breach::Annulled, "a page was served that holds an annulled record"),
        // Records that a recovery left out, and pages read afterwards.
        sometimes: |_, w| {
            w.kept > 0
                && w.kept - 1 < w.allocated
                && w.writer.cache.iter().flatten().any(|page| !page.records.is_empty())
        },
    },
    Property {
        id: "S17",
        name: "GCSafe",
        formula: "gcp(n) ≤ min over counting instances of the lowest read point, ≤ VDL",
        section: "§7, S18 §3.4",
        check: gc_safe,
        sometimes: |c, w| {
            let lowest = w.lowest(c.bounds, Reader::Replica);
            w.counts
                && lowest < w.vdl(c.bounds)
                && w.copies(c.bounds).iter().any(|node| node.collected == lowest && lowest > 0)
        },
    },
    Property {
        id: "S18",
        name: "CoalesceBelowVDL",
        formula: "folded(n) ⊆ live records ≤ VDL",
        section: "§7",
        check: coalesce_below_vdl,
        sometimes: |c, w| {
            w.live(c.bounds).last() > w.vdl(c.bounds) && w.copies(c.bounds).iter().any(|node| node.collected > 0)
        },
    },
    Property {
        id: "S19",
        name: "GCAfterBackup",
        formula: "r collected ⇒ r is backed up",
        section: "§7, S18 §2.1",
        check: gc_after_backup,
        sometimes: |c, w| w.vdl(c.bounds) > w.backed && w.copies(c.bounds).iter().any(|node| node.collected > 0),
    },
    Property {
        id: "S20",
        name: "ReadView",
        formula: "page(b, rp) = fold of the live records of b ≤ rp; a page in the writer's cache, of all it allocated",
        section: "§7",
        check: read_view,
        // A page is asked for that has changed since.
        sometimes: |c, w| {
            [&w.writer, &w.replica].into_iter().filter_map(|i| i.fetch).any(|fetch| {
                let page = w.page(c.bounds, fetch.block.into(), fetch.read_point);
                !page.is_empty() && w.live(c.bounds).last() > fetch.read_point
            })
        },
    },
    Property {
        id: "S21",
        name: "ReadEligible",
        formula: "n answers at rp ⇒ gcp(n) ≤ rp and SCL(n) ≥ the group's last record ≤ rp",
        section: "§7, C7",
        check: |_, w| breach(w, Breach::NotEligible, "a segment answered that must not"),
        sometimes: |c, w| {
            [&w.writer, &w.replica].into_iter().filter_map(|i| i.fetch).any(|fetch| {
                let floor = w.live(c.bounds).upto(fetch.read_point).last();
                w.copies(c.bounds).iter().any(|node| w.scl(c.bounds, node) < floor)
            })
        },
    },
    Property {
        id: "S22",
        name: "ReplicaBehind",
        formula: "applied LSN of a replica ≤ VDL of the writer",
        section: "§7, S18 §3.3",
        check: replica_behind,
        sometimes: |c, w| w.applied > 0 && w.applied < w.vdl(c.bounds),
    },
    Property {
        id: "S23",
        name: "ReplicaMTR",
        formula: "the applied LSN ends a mini-transaction; all blocks of a traversal are read at its read point",
        section: "§7, S18 §3.3",
        check: replica_mtr,
        sometimes: |_, w| {
            w.replica.view.is_some_and(|view| {
                view.read_point > 0 && view.seen.points().count() == 2 && view.read_point < w.applied
            })
        },
    },
    Property {
        id: "S24",
        name: "ReplicaCacheFresh",
        formula: "page cached by a replica ⊇ records of its block ≤ applied LSN",
        section: "§7",
        check: replica_cache_fresh,
        sometimes: |_, w| w.applied > 1 && w.replica.cache.iter().all(Option::is_some),
    },
    Property {
        id: "S25",
        name: "EvictDurable",
        formula: "page evicted by the writer ⇒ pageLSN ≤ VDL",
        section: "§7, C9",
        check: |_, w| breach(w, Breach::EvictedEarly, "a page was evicted whose last record is not durable"),
        sometimes: |c, w| w.writer.cache.iter().any(Option::is_none) && w.live(c.bounds).last() > w.vdl(c.bounds),
    },
    Property {
        id: "L8",
        name: "CollectionAdvances",
        formula: "every maximal path without the replica ends with gcp(n) = VDL everywhere",
        section: "§7",
        check: collection_advances,
        sometimes: |c, w| {
            w.applied < w.vdl(c.bounds) && c.bounds.replica.is_on() && c.bounds.collecting.is_on() && is_terminal(c, w)
        },
    },
];

fn breach(world: &World, breach: Breach, fact: &str) -> Result<(), Violation> {
    if world.has(breach) { Err(fact.into()) } else { Ok(()) }
}

fn gc_safe(c: Context, world: &World) -> Result<(), Violation> {
    let vdl = world.vdl(c.bounds);
    let replica = if world.counts { world.lowest(c.bounds, Reader::Replica) } else { u8::MAX };
    let limit = vdl.min(world.lowest(c.bounds, Reader::Writer)).min(replica);
    match world.copies(c.bounds).iter().find(|node| node.collected > limit) {
        Some(node) => {
            Err(format!("a segment has collected up to @{}, and a read at @{limit} may come", node.collected))
        }
        None => Ok(()),
    }
}

fn coalesce_below_vdl(c: Context, world: &World) -> Result<(), Violation> {
    let durable = world.live(c.bounds).upto(world.vdl(c.bounds));
    match world.copies(c.bounds).iter().find(|node| !node.folded.is_subset_of(durable)) {
        Some(node) => {
            Err(format!("a segment has folded records up to @{}, not all of which are durable", node.folded.last()))
        }
        None => Ok(()),
    }
}

fn gc_after_backup(c: Context, world: &World) -> Result<(), Violation> {
    match world.copies(c.bounds).iter().find(|node| node.collected > world.backed) {
        Some(node) => {
            Err(format!("a segment has collected up to @{}, and only @{} is backed up", node.collected, world.backed))
        }
        None => Ok(()),
    }
}

fn read_view(c: Context, world: &World) -> Result<(), Violation> {
    breach(world, Breach::WrongPage, "a page was served that is not what its read point says")?;
    for (block, page) in world.writer.cache.iter().enumerate() {
        let whole = world.page(c.bounds, block, u8::BITS as u8 - 1);
        if page.is_some_and(|page| page.records != whole) {
            return Err(format!("the writer's page of block {block} is not what it wrote"));
        }
    }
    Ok(())
}

fn replica_behind(c: Context, world: &World) -> Result<(), Violation> {
    let vdl = world.vdl(c.bounds);
    if world.applied > vdl {
        return Err(format!("the replica has applied up to @{}, and the VDL is @{vdl}", world.applied));
    }
    Ok(())
}

fn replica_mtr(c: Context, world: &World) -> Result<(), Violation> {
    if world.applied > 0 && !c.bounds.ends(usize::from(world.applied) - 1) {
        return Err(format!("the replica has applied up to @{}, in the middle of a mini-transaction", world.applied));
    }
    if let Some(view) = world.replica.view
        && let Some(point) = view.seen.points().find(|&point| point != view.read_point)
    {
        return Err(format!("a traversal at @{} read a block at @{point}", view.read_point));
    }
    Ok(())
}

fn replica_cache_fresh(c: Context, world: &World) -> Result<(), Violation> {
    for (block, page) in world.replica.cache.iter().enumerate() {
        let applied = world.page(c.bounds, block, world.applied);
        if let Some(page) = page.filter(|page| !applied.is_subset_of(page.records)) {
            return Err(format!(
                "the replica has applied up to @{}, and its page of block {block} ends at @{}",
                world.applied,
                page.records.last()
            ));
        }
    }
    Ok(())
}

/// Whether nothing can happen any more that the writer and the segments do by themselves, while the replica does nothing.
fn is_terminal(c: Context, world: &World) -> bool {
    let mut quiet = true;
    world.candidates(c.bounds, |action| {
        let progress = match action {
            Action::Write { .. } | Action::Backup { .. } | Action::Collect { .. } | Action::Suspect => true,
            Action::Answer { reader, .. } | Action::Done { reader } => reader == Reader::Writer,
            Action::Allocate
            | Action::Evict { .. }
            | Action::Read { .. }
            | Action::Hedge { .. }
            | Action::Stream
            | Action::Reconnect
            | Action::CollectLate { .. }
            | Action::Failover { .. } => false,
        };
        quiet = quiet && !(progress && world.after(c.rules, c.bounds, action).is_some());
    });
    quiet
}

fn collection_advances(c: Context, world: &World) -> Result<(), Violation> {
    if !c.bounds.collecting.is_on() {
        return Ok(());
    }
    let vdl = world.vdl(c.bounds);
    match world.copies(c.bounds).iter().find(|node| node.collected < vdl) {
        Some(node) if is_terminal(c, world) => {
            Err(format!("nothing can happen any more, the VDL is @{vdl}, and a segment stays at @{}", node.collected))
        }
        _ => Ok(()),
    }
}
