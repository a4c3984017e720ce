//! What must hold (protocol §7), each as a named function that returns the violating fact.
//!
//! | property | says | broken by |
//! |---|---|---|
//! | S1 AckDurable | every acknowledged commit is kept by every later recovery that opens | M1–M8, M17, M18, M54, M60 |
//! | S3 VDLMonotone | no recovery opens below a VDL that was exposed | M13, M60 |
//! | S4 NoResurrection | what an opened recovery annulled, no later one keeps | M10–M12 |
//! | S5 LSNUnique | no LSN is allocated twice | M14, M15 |
//! | S5b RangeCovers | no record of an older epoch lies above a truncation range | M14, M16 |
//! | S7 RecoveryIdempotent | epochs increase, and a later recovery keeps what an opened one kept | M13 |
//! | S9 SingleWriter | no record that an open epoch does not keep becomes quorate for an older writer | M3, M4, M54 |
//! | S10 EpochMonotoneDurable | a member's epochs never decrease, restarts included | M5, M18 |
//! | S11 RejectNotAck | nothing is acknowledged that the segment lacks | M8 |
//! | S12 EpochImpliesRange | who serves an epoch has applied its truncation | M9, M62 |
//! | S13 SCLSound | the chain up to the SCL has no gap | M19 |
//! | S14 AckPersisted | what is acknowledged survives a crash | M17 |
//! | S15 GossipNoInvent | segments hold only allocated records, and none that the epoch they serve annulled | M10 |
//! | S16 GossipMonotone | gossip lowers no SCL and removes no live record | none: see below |
//! | S33 LinearizableRead | a read answers at or above every commit acknowledged before it | M56–M59 |
//! | L1–L4 | the fault-free suffix ends converged | M61 (L1, L2, L3); L4 by M65, where the limit is decided: in the volume |
//!
//! S16 is broken by no mutant: gossip only appends, and no decision could make it do anything else. S2, S6, S8 and S17 to S32
//! speak of groups, mini-transactions, pages and members, which have areas of their own.
//!
//! Beside each property stands a *sometimes*: a state that makes the property say something, which must be reachable.

use crate::area::{self, Violation};
use crate::group::Group;
use crate::instance::Phase;
use crate::logset::{LogSet, RangeList};
use crate::types::{Lsn, SegmentId};
use crate::world::{Breach, World, members};
use itertools::Itertools;

/// What a property is judged on.
pub type Context<'a, const N: usize> = area::Context<'a, Group<N>>;

pub type Property<const N: usize> = area::Property<Group<N>>;

/// Every property of the core, in the order of the protocol.
#[must_use]
pub const fn all<const N: usize>() -> [Property<N>; 19] {
    [
        Property {
            id: "S1",
            name: "AckDurable",
            formula: "∀c∈acked, ∀ve>c.ve, opened[ve]: c.lsn ≤ opened[ve].vdl′ ∧ c∈kept[ve]",
            section: "§7, S17 §4.3",
            check: ack_durable,
            sometimes: commit_then_recovery_opens,
        },
        Property {
            id: "S3",
            name: "VDLMonotone",
            formula: "opened[a], opened[b], a<b ⇒ exposed[a] ≤ opened[b].vdl′",
            section: "§7, §4 R3",
            check: vdl_monotone,
            sometimes: two_recoveries_open_above_zero,
        },
        Property {
            id: "S4",
            name: "NoResurrection",
            formula: "r annulled by opened[a] ⇒ r∉kept[b] for b>a",
            section: "§7, S17 §4.3",
            check: no_resurrection,
            sometimes: annulled_record_survives_somewhere,
        },
        Property {
            id: "S5",
            name: "LSNUnique",
            formula: "∀r≠s∈alloc: r.lsn≠s.lsn",
            section: "§7, S18 §2.1",
            check: lsn_unique,
            sometimes: two_writers_allocated,
        },
        Property {
            id: "S5b",
            name: "RangeCovers",
            formula: "opened[ve] ⇒ ∀r∈alloc, r.ve<ve ∧ r.lsn>vdl′: r.lsn ≤ hi",
            section: "§7, C14",
            check: range_covers,
            sometimes: opened_with_records_above_the_vdl,
        },
        Property {
            id: "S7",
            name: "RecoveryIdempotent",
            formula: "a<b opened ⇒ ve[a]<ve[b] ∧ kept[a]⊆kept[b]",
            section: "§7",
            check: recovery_idempotent,
            sometimes: two_recoveries_open,
        },
        Property {
            id: "S9",
            name: "SingleWriter",
            formula: "opened[ve] ⇒ no write of ve′<ve outside kept[ve] becomes quorate afterwards",
            section: "§7, S18 §2.4",
            check: single_writer,
            sometimes: an_old_writer_is_short_of_one,
        },
        Property {
            id: "S10",
            name: "EpochMonotoneDurable",
            formula: "n.fenced and n.trunc_ve never decrease, restarts included",
            section: "§7, C16",
            check: epoch_monotone_durable,
            sometimes: a_segment_is_fenced,
        },
        Property {
            id: "S11",
            name: "RejectNotAck",
            formula: "ack(r) by n ⇒ r∈live(n)",
            section: "§7, §2",
            check: reject_not_ack,
            sometimes: a_stale_write_could_arrive,
        },
        Property {
            id: "S12",
            name: "EpochImpliesRange",
            formula: "n serves ve ⇒ TRUNC(ve) applied at n",
            section: "§7, C16",
            check: epoch_implies_range,
            sometimes: a_new_epoch_is_served,
        },
        Property {
            id: "S13",
            name: "SCLSound",
            formula: "SCL(n)=l ⇒ every record ≤ l that n's ranges do not annul is in recs(n)",
            section: "§7, S18 §2.3",
            check: scl_sound,
            sometimes: a_chain_is_longer_than_nothing,
        },
        Property {
            id: "S14",
            name: "AckPersisted",
            formula: "ack(r) by n ⇒ r∈live(recover(disk(n)))",
            section: "§7, S17 §3.3",
            check: ack_persisted,
            sometimes: a_chain_is_longer_than_nothing,
        },
        Property {
            id: "S15",
            name: "GossipNoInvent",
            formula: "recs(n)⊆alloc ∧ (n serves opened[ve] ⇒ no r∈live(n) of an older epoch is annulled by it)",
            section: "§7, C11",
            check: gossip_no_invent,
            sometimes: annulled_record_survives_somewhere,
        },
        Property {
            id: "S16",
            name: "GossipMonotone",
            formula: "gossip lowers no SCL and removes no live record",
            section: "§7, S18 §2.1",
            check: gossip_monotone,
            sometimes: a_chain_is_longer_than_nothing,
        },
        Property {
            id: "S33",
            name: "LinearizableRead",
            formula: "read answered at l ⇒ l ≥ every commit acknowledged before its invocation",
            section: "§13, C13",
            check: linearizable_read,
            sometimes: a_read_was_answered,
        },
        Property {
            id: "L1",
            name: "CommitsAcknowledged",
            formula: "no fault-free action enabled ∧ newest open ⇒ VDL = last allocated",
            section: "§7 L1",
            check: commits_acknowledged,
            sometimes: newest_has_committed_everything,
        },
        Property {
            id: "L2",
            name: "RecoveryOpens",
            formula: "no fault-free action enabled ⇒ newest open",
            section: "§7 L2",
            check: recovery_opens,
            sometimes: two_recoveries_open,
        },
        Property {
            id: "L3",
            name: "HolesFilled",
            formula: "no fault-free action enabled ∧ newest open ⇒ every member's SCL = VDL",
            section: "§7 L3",
            check: holes_filled,
            sometimes: newest_has_committed_everything,
        },
        Property {
            id: "L4",
            name: "NoAllocationDeadlock",
            formula: "no fault-free action enabled ∧ newest open ⇒ it has allocated all it wants",
            section: "§7 L4, C14",
            check: no_allocation_deadlock,
            sometimes: newest_has_committed_everything,
        },
    ]
}

// --- durability and recovery -------------------------------------------------------------------------------------

/// S1: ∀c∈acked, ∀ve>c.ve, opened[ve]: c.lsn ≤ opened[ve].vdl′ ∧ c∈kept[ve].
fn ack_durable<const N: usize>(_: Context<N>, w: &World<N>) -> Result<(), Violation> {
    for (i, _) in w.opened() {
        let Some((first, last)) = w.acknowledged(i) else { continue };
        for (j, later) in w.opened().filter(|&(j, _)| j > i) {
            if let Some(lost) = lsns(first, last).find(|&lsn| !later.keeps(lsn)) {
                return Err(format!(
                    "commit {lost} of {} is acknowledged and absent from {}'s volume",
                    epoch(w, i),
                    epoch(w, j)
                ));
            }
        }
    }
    Ok(())
}

/// S3: a<b opened ⇒ exposed[a] ≤ opened[b].vdl′. Exposed is a writer's VDL: reads and commits use it at once.
fn vdl_monotone<const N: usize>(_: Context<N>, w: &World<N>) -> Result<(), Violation> {
    for [(i, _), (j, later)] in w.opened().array_combinations() {
        let exposed = w.instances[i].writer().map(|writer| writer.vdl).unwrap_or_default();
        if exposed > later.vdl {
            return Err(format!("{} exposed VDL {exposed}, {} opened at {}", epoch(w, i), epoch(w, j), later.vdl));
        }
    }
    Ok(())
}

/// S4: r annulled by opened[a] ⇒ r∉kept[b] for b>a.
fn no_resurrection<const N: usize>(_: Context<N>, w: &World<N>) -> Result<(), Violation> {
    for [(a, earlier), (b, later)] in w.opened().array_combinations() {
        for i in 0..a {
            let Some((first, last)) = w.allocated(i) else { continue };
            if let Some(lsn) = lsns(first, last).find(|&lsn| !earlier.keeps(lsn) && later.keeps(lsn)) {
                let (i, a, b) = (epoch(w, i), epoch(w, a), epoch(w, b));
                return Err(format!("record {lsn} of {i}, annulled when {a} opened, is in {b}'s volume"));
            }
        }
    }
    Ok(())
}

/// S5: ∀r≠s∈alloc: r.lsn≠s.lsn. An instance allocates consecutive LSNs, so two of them must not overlap.
fn lsn_unique<const N: usize>(_: Context<N>, w: &World<N>) -> Result<(), Violation> {
    let allocated = (0..w.instances.len()).filter_map(|i| Some((i, w.allocated(i)?)));
    for [(i, (first_i, last_i)), (j, (first_j, last_j))] in allocated.array_combinations() {
        if first_i <= last_j && first_j <= last_i {
            let twice = first_i.max(first_j);
            return Err(format!("{} and {} both allocated {twice}", epoch(w, i), epoch(w, j)));
        }
    }
    Ok(())
}

/// S5b: opened[ve] ⇒ ∀r∈alloc, r.ve<ve ∧ r.lsn>vdl′: r.lsn ≤ hi.
fn range_covers<const N: usize>(_: Context<N>, w: &World<N>) -> Result<(), Violation> {
    for (j, decision) in w.opened() {
        for i in 0..j {
            if let Some((_, last)) = w.allocated(i)
                && last > decision.vdl
                && last > decision.range_end
            {
                let (i, j) = (epoch(w, i), epoch(w, j));
                return Err(format!("{i} allocated {last}, above the end {} of {j}'s range", decision.range_end));
            }
        }
    }
    Ok(())
}

/// S7: a<b opened ⇒ kept[a]⊆kept[b]; epochs strictly increase from one instance to the next.
fn recovery_idempotent<const N: usize>(_: Context<N>, w: &World<N>) -> Result<(), Violation> {
    if let Some((i, _)) = w.instances.iter().tuple_windows().enumerate().find(|(_, (a, b))| a.ve() >= b.ve()) {
        return Err(format!("writer w{} recovered at epoch {}, which is not new", i + 2, w.instances[i + 1].ve()));
    }
    for [(a, earlier), (b, later)] in w.opened().array_combinations() {
        let kept = (0..a).filter_map(|i| w.allocated(i)).flat_map(|(first, last)| lsns(first, last));
        if let Some(lsn) = kept.into_iter().find(|&lsn| earlier.keeps(lsn) && !later.keeps(lsn)) {
            return Err(format!("{} kept {lsn} and opened, {} does not keep it", epoch(w, a), epoch(w, b)));
        }
    }
    Ok(())
}

// --- fencing -----------------------------------------------------------------------------------------------------

/// S9: opened[ve] ⇒ no write of ve′<ve outside kept[ve] becomes quorate afterwards.
///
/// The literal statement, without "outside kept[ve]", is false in the adopted protocol (15 actions, one record, one
/// recovery): a record that the recovery found on two unfenced copies and kept may get its fourth acknowledgement late,
/// from a copy that is not fenced yet, and the old writer then commits what the new volume holds anyway.
fn single_writer<const N: usize>(_: Context<N>, w: &World<N>) -> Result<(), Violation> {
    unless_breached(
        w,
        Breach::OldWriterCommitted,
        "an older writer's record became quorate after a newer one had opened without it",
    )
}

/// S10: n.fenced and n.trunc_ve never decrease, restarts included.
fn epoch_monotone_durable<const N: usize>(_: Context<N>, w: &World<N>) -> Result<(), Violation> {
    unless_breached(w, Breach::EpochWentBack, "an epoch of a member went back")
}

/// S11: ack(r) by n ⇒ r∈live(n).
fn reject_not_ack<const N: usize>(_: Context<N>, w: &World<N>) -> Result<(), Violation> {
    unless_breached(w, Breach::AcknowledgedWhatItLacks, "a segment acknowledged a record that it does not hold")
}

/// S12: n serves ve ⇒ TRUNC(ve) applied at n.
fn epoch_implies_range<const N: usize>(_: Context<N>, w: &World<N>) -> Result<(), Violation> {
    unless_breached(w, Breach::ServedWithoutTruncation, "a segment served an epoch whose truncation it has not applied")
}

// --- segment -----------------------------------------------------------------------------------------------------

/// S13: SCL(n)=l ⇒ every allocated record ≤ l of an epoch that n serves or served, and that its ranges do not annul, is
/// in recs(n). A recount by LSN, not by the set's own algorithm.
fn scl_sound<const N: usize>(context: Context<N>, w: &World<N>) -> Result<(), Violation> {
    for (n, segment) in w.segments.iter().enumerate().filter(|(_, s)| s.is_member()) {
        let image = segment.image();
        let scl = image.scl(context.rules);
        for (i, instance) in w.instances.iter().enumerate().filter(|(_, i)| i.ve() <= image.trunc_ve) {
            let Some((first, last)) = w.allocated(i) else { continue };
            let missing = |lsn: &Lsn| !image.held.contains(*lsn) && !image.ranges.annuls(*lsn);
            if let Some(lsn) = lsns(first, last.min(scl)).find(missing) {
                let name = name(context, n);
                return Err(format!("{name} reports SCL {scl} and lacks {lsn} of {}", instance.ve()));
            }
        }
    }
    Ok(())
}

/// S14: ack(r) by n ⇒ r∈live(recover(disk(n))).
fn ack_persisted<const N: usize>(_: Context<N>, w: &World<N>) -> Result<(), Violation> {
    unless_breached(w, Breach::AcknowledgedUnsynced, "a segment acknowledged a record that is not on its disk")
}

/// S15: recs(n)⊆alloc; and where n serves an opened epoch, nothing of an older epoch is live that this one annulled.
fn gossip_no_invent<const N: usize>(context: Context<N>, w: &World<N>) -> Result<(), Violation> {
    let exists = |lsn: Lsn| (0..w.instances.len()).any(|i| w.allocated(i).is_some_and(|(a, b)| a <= lsn && lsn <= b));
    for (n, segment) in w.segments.iter().enumerate() {
        let image = segment.image();
        if let Some(lsn) = members(&image.held).find(|&lsn| !exists(lsn)) {
            return Err(format!("{} holds {lsn}, which nobody allocated", name(context, n)));
        }
        let Some((_, decision)) = w.opened().rfind(|(_, d)| d.ve == image.trunc_ve && d.ve == image.fenced) else {
            continue;
        };
        let older = |lsn: &Lsn| *lsn < decision.first && image.is_live(*lsn) && !decision.keeps(*lsn);
        if let Some(lsn) = members(&image.held).find(older) {
            return Err(format!("{} serves {} and holds {lsn}, which it annulled", name(context, n), decision.ve));
        }
    }
    Ok(())
}

/// S16: gossip lowers no SCL and removes no live record.
fn gossip_monotone<const N: usize>(_: Context<N>, w: &World<N>) -> Result<(), Violation> {
    unless_breached(w, Breach::GossipTookAway, "gossip took something away")
}

/// S33: a read answered at l ⇒ l ≥ every commit acknowledged, by any epoch, before its invocation.
fn linearizable_read<const N: usize>(_: Context<N>, w: &World<N>) -> Result<(), Violation> {
    unless_breached(
        w,
        Breach::StaleRead,
        "a read returned a state older than a commit acknowledged before it was invoked",
    )
}

// --- convergence of the fault-free suffix ------------------------------------------------------------------------

/// L1: no fault-free action enabled ∧ newest open ⇒ VDL = last allocated.
fn commits_acknowledged<const N: usize>(context: Context<N>, w: &World<N>) -> Result<(), Violation> {
    let i = w.newest();
    let committed = w.acknowledged(i).map(|(_, last)| last) == w.allocated(i).map(|(_, last)| last);
    converged(context, w, committed, || format!("{} never acknowledges all that it allocated", epoch(w, i)))
}

/// L2: no fault-free action enabled ⇒ newest open.
fn recovery_opens<const N: usize>(context: Context<N>, w: &World<N>) -> Result<(), Violation> {
    let open = matches!(w.instances[w.newest()].phase(), Phase::Open(_));
    converged(context, w, open, || format!("the recovery of {} never opens", epoch(w, w.newest())))
}

/// L3: no fault-free action enabled ∧ newest open ⇒ every member serves it and has the whole log.
fn holes_filled<const N: usize>(context: Context<N>, w: &World<N>) -> Result<(), Violation> {
    let instance = &w.instances[w.newest()];
    let Some(writer) = instance.writer() else { return Ok(()) };
    let behind = w.segments.iter().position(|segment| {
        let image = segment.image();
        let serves = image.trunc_ve == instance.ve() && image.fenced == instance.ve();
        segment.is_member() && (!serves || image.scl(context.rules) != writer.vdl)
    });
    converged(context, w, behind.is_none(), || {
        format!("{} never catches up with {}", name(context, behind.unwrap_or_default()), instance.ve())
    })
}

/// L4: no fault-free action enabled ∧ newest open ⇒ it has allocated all that it wants.
fn no_allocation_deadlock<const N: usize>(context: Context<N>, w: &World<N>) -> Result<(), Violation> {
    let Some(writer) = w.instances[w.newest()].writer() else { return Ok(()) };
    let done = writer.next.0 - writer.decision.first.0 >= u64::from(context.bounds.records);
    converged(context, w, done, || format!("{} may never allocate {}", epoch(w, w.newest()), writer.next))
}

fn converged<const N: usize>(
    context: Context<N>,
    w: &World<N>,
    good: bool,
    otherwise: impl FnOnce() -> Violation,
) -> Result<(), Violation> {
    if good || w.may_progress(context.rules, context.bounds) { Ok(()) } else { Err(otherwise()) }
}

// --- sometimes ---------------------------------------------------------------------------------------------------

fn recoveries_open<const N: usize>(w: &World<N>) -> impl Iterator<Item = Lsn> + '_ {
    w.opened().filter(|&(i, _)| i > 0).map(|(_, decision)| decision.vdl)
}

fn commit_then_recovery_opens<const N: usize>(_: Context<N>, w: &World<N>) -> bool {
    w.acknowledged(0).is_some() && recoveries_open(w).next().is_some()
}

fn two_recoveries_open<const N: usize>(_: Context<N>, w: &World<N>) -> bool {
    recoveries_open(w).count() >= 2 || (w.instances.len() == 2 && recoveries_open(w).count() == 1)
}

fn two_recoveries_open_above_zero<const N: usize>(c: Context<N>, w: &World<N>) -> bool {
    two_recoveries_open(c, w) && recoveries_open(w).all(|vdl| vdl > Lsn::ZERO)
}

fn annulled_record_survives_somewhere<const N: usize>(_: Context<N>, w: &World<N>) -> bool {
    let annulled = |lsn: Lsn| w.opened().any(|(_, d)| lsn < d.first && !d.keeps(lsn));
    w.segments.iter().any(|segment| members(&segment.image().held).any(annulled))
}

fn two_writers_allocated<const N: usize>(_: Context<N>, w: &World<N>) -> bool {
    (0..w.instances.len()).filter(|&i| w.allocated(i).is_some()).count() >= 2
}

fn opened_with_records_above_the_vdl<const N: usize>(_: Context<N>, w: &World<N>) -> bool {
    let above = |j: usize, vdl: Lsn| (0..j).any(|i| w.allocated(i).is_some_and(|(_, last)| last > vdl));
    w.opened().any(|(j, decision)| above(j, decision.vdl))
}

/// An older writer has a record that one more acknowledgement would commit, and a newer one is open.
fn an_old_writer_is_short_of_one<const N: usize>(c: Context<N>, w: &World<N>) -> bool {
    let newest_open = w.opened().next_back().map_or(0, |(i, _)| i);
    w.opened().filter(|&(i, _)| i < newest_open).any(|(i, _)| {
        let Some(writer) = w.instances[i].writer() else { return false };
        let next = writer.vdl.next().max(writer.decision.first);
        next < writer.next && writer.quorum.acknowledgements(next) + 1 == c.rules.write_quorum()
    })
}

fn a_segment_is_fenced<const N: usize>(_: Context<N>, w: &World<N>) -> bool {
    w.segments.iter().any(|segment| segment.image().fenced > segment.image().trunc_ve)
}

fn a_stale_write_could_arrive<const N: usize>(_: Context<N>, w: &World<N>) -> bool {
    let stale =
        |lsn: Lsn| w.segments.iter().any(|s| s.image().fenced > w.instances[0].ve() && !s.image().held.contains(lsn));
    w.allocated(0).is_some_and(|(first, _)| stale(first))
}

fn a_new_epoch_is_served<const N: usize>(_: Context<N>, w: &World<N>) -> bool {
    (1..w.instances.len()).any(|i| w.acknowledged(i).is_some())
}

fn a_chain_is_longer_than_nothing<const N: usize>(c: Context<N>, w: &World<N>) -> bool {
    w.segments.iter().any(|segment| segment.image().scl(c.rules) > Lsn::ZERO)
}

fn a_read_was_answered<const N: usize>(_: Context<N>, w: &World<N>) -> bool {
    w.spent.answered > 0 && w.acknowledged(0).is_some()
}

fn newest_has_committed_everything<const N: usize>(c: Context<N>, w: &World<N>) -> bool {
    let i = w.newest();
    let allocated = w.allocated(i).map_or(0, |(first, last)| last.0 - first.0 + 1);
    i > 0 && allocated == u64::from(c.bounds.records) && w.acknowledged(i).map(|a| a.1) == w.allocated(i).map(|a| a.1)
}

// --- words -------------------------------------------------------------------------------------------------------

fn unless_breached<const N: usize>(w: &World<N>, breach: Breach, fact: &str) -> Result<(), Violation> {
    if w.breaches.contains(breach) { Err(fact.to_owned()) } else { Ok(()) }
}

fn lsns(first: Lsn, last: Lsn) -> impl Iterator<Item = Lsn> {
    (first.0..=last.0).map(Lsn)
}

fn epoch<const N: usize>(w: &World<N>, instance: usize) -> String {
    w.instances[instance].ve().to_string()
}

fn name<const N: usize>(context: Context<N>, segment: usize) -> String {
    let scheme = context.rules.scheme;
    SegmentId(segment as u8).name(scheme.copies.into(), scheme.zones.into())
}
