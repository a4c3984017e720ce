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
//! | L1–L4 | the fault-free suffix ends converged, while no more is lost than a zone | M61 (L1, L2, L3); L4 by M65, where the limit is decided: in the volume |
//! | L12 | what is left of a group without a zone and one more node can be read | M72, the scheme of three nodes |
//!
//! L12 is not of the protocol's list: it is the goal AZ+1 of S17 §2.1, as a property of the world. Quorums are thresholds and
//! nothing names a zone, so a loss is as good as the number of its nodes.
//!
//! S16 is broken by no mutant: gossip only appends, and no decision could make it do anything else. S2, S6, S8 and S17 to S32
//! speak of groups, mini-transactions, pages and members, which have areas of their own.
//!
//! Beside each property stands a *sometimes*: a state that makes the property say something, which must be reachable.

use crate::area::{self, Violation};
use crate::group::Group;
use crate::instance::Phase;
use crate::logset::LogSet;
use crate::scene::{self, Scene};
use crate::steps::Breach;
use crate::types::{Lsn, SegmentId};
use crate::world::{World, members};

/// What a property is judged on.
pub type Context<'a, const N: usize> = area::Context<'a, Group<N>>;

pub type Property<const N: usize> = area::Property<Group<N>>;

/// Every property of the core, in the order of the protocol.
#[must_use]
pub const fn all<const N: usize>() -> [Property<N>; 20] {
    [
        Property {
            id: "S1",
            name: "AckDurable",
            formula: "∀c∈acked, ∀ve>c.ve, opened[ve]: c.lsn ≤ opened[ve].vdl′ ∧ c∈kept[ve]",
            section: "§7, S17 §4.3",
            check: |_, w| scene::ack_durable(w),
            sometimes: commit_then_recovery_opens,
        },
        Property {
            id: "S3",
            name: "VDLMonotone",
            formula: "opened[a], opened[b], a<b ⇒ exposed[a] ≤ opened[b].vdl′",
            section: "§7, §4 R3",
            check: |_, w| scene::vdl_monotone(w),
            sometimes: two_recoveries_open_above_zero,
        },
        Property {
            id: "S4",
            name: "NoResurrection",
            formula: "r annulled by opened[a] ⇒ r∉kept[b] for b>a",
            section: "§7, S17 §4.3",
            check: |_, w| scene::no_resurrection(w),
            sometimes: annulled_record_survives_somewhere,
        },
        Property {
            id: "S5",
            name: "LSNUnique",
            formula: "∀r≠s∈alloc: r.lsn≠s.lsn",
            section: "§7, S18 §2.1",
            check: |_, w| scene::lsn_unique(w),
            sometimes: two_writers_allocated,
        },
        Property {
            id: "S5b",
            name: "RangeCovers",
            formula: "opened[ve] ⇒ ∀r∈alloc, r.ve<ve ∧ r.lsn>vdl′: r.lsn ≤ hi",
            section: "§7, C14",
            check: |_, w| scene::range_covers(w),
            sometimes: opened_with_records_above_the_vdl,
        },
        Property {
            id: "S7",
            name: "RecoveryIdempotent",
            formula: "a<b opened ⇒ ve[a]<ve[b] ∧ kept[a]⊆kept[b]",
            section: "§7",
            check: |_, w| scene::recovery_idempotent(w),
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
        Property {
            id: "L12",
            name: "SurvivorsAreRead",
            formula: "no fault-free action enabled ∧ lost ≤ a zone + 1 ⇒ newest has heard a read quorum",
            section: "S17 §2.1, AZ+1",
            check: survivors_are_read,
            sometimes: decided_after_a_loss,
        },
    ]
}

// --- fencing -----------------------------------------------------------------------------------------------------

/// S9: opened[ve] ⇒ no write of ve′<ve outside kept[ve] becomes quorate afterwards.
///
/// The literal statement, without "outside kept[ve]", is false in the adopted protocol (15 actions, one record, one
/// recovery): a record that the recovery found on two unfenced copies and kept may get its fourth acknowledgement late,
/// from a copy that is not fenced yet, and the old writer then commits what the new volume holds anyway.
fn single_writer<const N: usize>(_: Context<N>, w: &World<N>) -> Result<(), Violation> {
    unless_breached(w, Breach::OldWriterCommitted)
}

/// S10: n.fenced and n.trunc_ve never decrease, restarts included.
fn epoch_monotone_durable<const N: usize>(_: Context<N>, w: &World<N>) -> Result<(), Violation> {
    unless_breached(w, Breach::EpochWentBack)
}

/// S11: ack(r) by n ⇒ r∈live(n).
fn reject_not_ack<const N: usize>(_: Context<N>, w: &World<N>) -> Result<(), Violation> {
    unless_breached(w, Breach::AcknowledgedWhatItLacks)
}

/// S12: n serves ve ⇒ TRUNC(ve) applied at n.
fn epoch_implies_range<const N: usize>(_: Context<N>, w: &World<N>) -> Result<(), Violation> {
    unless_breached(w, Breach::ServedWithoutTruncation)
}

// --- segment -----------------------------------------------------------------------------------------------------

/// S13 of every member.
fn scl_sound<const N: usize>(context: Context<N>, w: &World<N>) -> Result<(), Violation> {
    let mut members = w.segments.iter().enumerate().filter(|(_, segment)| segment.is_member());
    members.try_for_each(|(n, segment)| scene::scl_sound(context.rules, w, segment, || name(context, n)))
}

/// S14: ack(r) by n ⇒ r∈live(recover(disk(n))).
fn ack_persisted<const N: usize>(_: Context<N>, w: &World<N>) -> Result<(), Violation> {
    unless_breached(w, Breach::AcknowledgedUnsynced)
}

/// S15 of every segment.
fn gossip_no_invent<const N: usize>(context: Context<N>, w: &World<N>) -> Result<(), Violation> {
    let mut segments = w.segments.iter().enumerate();
    segments.try_for_each(|(n, segment)| scene::gossip_no_invent(w, segment, || name(context, n)))
}

/// S16: gossip lowers no SCL and removes no live record.
fn gossip_monotone<const N: usize>(_: Context<N>, w: &World<N>) -> Result<(), Violation> {
    unless_breached(w, Breach::GossipTookAway)
}

/// S33: a read answered at l ⇒ l ≥ every commit acknowledged, by any epoch, before its invocation.
fn linearizable_read<const N: usize>(_: Context<N>, w: &World<N>) -> Result<(), Violation> {
    unless_breached(w, Breach::StaleRead)
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

/// L12: no fault-free action enabled ∧ lost ≤ a zone + 1 ⇒ newest has heard a read quorum.
fn survivors_are_read<const N: usize>(context: Context<N>, w: &World<N>) -> Result<(), Violation> {
    let newest = &w.instances[w.newest()];
    let lost = usize::from(w.spent.wipes);
    let heard = !matches!(newest.phase(), Phase::Reading(_));
    if heard || lost > context.rules.scheme.zone() + 1 || w.may_progress(context.rules, context.bounds) {
        return Ok(());
    }
    let left = w.segments.iter().filter(|segment| segment.is_member()).count();
    Err(format!("{} finds no read quorum: {lost} of {N} copies are lost, {left} are left", newest.ve()))
}

/// Of a group that has lost more than a zone nobody promises that it can be written to (S17 §2.1).
fn converged<const N: usize>(
    context: Context<N>,
    w: &World<N>,
    good: bool,
    otherwise: impl FnOnce() -> Violation,
) -> Result<(), Violation> {
    let is_promised = usize::from(w.spent.wipes) <= context.rules.scheme.zone();
    if good || !is_promised || w.may_progress(context.rules, context.bounds) { Ok(()) } else { Err(otherwise()) }
}

// --- sometimes ---------------------------------------------------------------------------------------------------

fn recoveries_open<const N: usize>(w: &World<N>) -> impl Iterator<Item = Lsn> + '_ {
    scene::opened(w).filter(|&(i, _)| i > 0).map(|(_, decision)| decision.vdl)
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
    let annulled = |lsn: Lsn| scene::opened(w).any(|(_, d)| lsn < d.first && !d.keeps(lsn));
    w.segments.iter().any(|segment| members(&segment.image().held).any(annulled))
}

fn two_writers_allocated<const N: usize>(_: Context<N>, w: &World<N>) -> bool {
    (0..w.instances.len()).filter(|&i| w.allocated(i).is_some()).count() >= 2
}

fn opened_with_records_above_the_vdl<const N: usize>(_: Context<N>, w: &World<N>) -> bool {
    let above = |j: usize, vdl: Lsn| (0..j).any(|i| w.allocated(i).is_some_and(|(_, last)| last > vdl));
    scene::opened(w).any(|(j, decision)| above(j, decision.vdl))
}

/// An older writer has a record that one more acknowledgement would commit, and a newer one is open.
fn an_old_writer_is_short_of_one<const N: usize>(c: Context<N>, w: &World<N>) -> bool {
    let newest_open = scene::opened(w).next_back().map_or(0, |(i, _)| i);
    scene::opened(w).filter(|&(i, _)| i < newest_open).any(|(i, _)| {
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

fn decided_after_a_loss<const N: usize>(_: Context<N>, w: &World<N>) -> bool {
    let newest = w.newest();
    w.spent.wipes > 0 && newest > 0 && !matches!(w.instances[newest].phase(), Phase::Reading(_))
}

fn newest_has_committed_everything<const N: usize>(c: Context<N>, w: &World<N>) -> bool {
    let i = w.newest();
    let allocated = w.allocated(i).map_or(0, |(first, last)| last.0 - first.0 + 1);
    i > 0 && allocated == u64::from(c.bounds.records) && w.acknowledged(i).map(|a| a.1) == w.allocated(i).map(|a| a.1)
}

// --- words -------------------------------------------------------------------------------------------------------

fn unless_breached<const N: usize>(w: &World<N>, breach: Breach) -> Result<(), Violation> {
    if w.breaches.contains(breach) { Err(breach.fact().to_owned()) } else { Ok(()) }
}

fn epoch<const N: usize>(w: &World<N>, instance: usize) -> String {
    w.instances[instance].ve().to_string()
}

fn name<const N: usize>(context: Context<N>, segment: usize) -> String {
    let scheme = context.rules.scheme;
    SegmentId(segment as u8).name(scheme.copies.into(), scheme.zones.into())
}
