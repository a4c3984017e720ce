//! What an action changed, in the protocol's words.

use crate::instance::{Instance, Phase};
use crate::logset::Bits;
use crate::rules::Scheme;
use crate::segment::Segment;
use crate::types::{Lsn, SegmentId};
use crate::world::World;

/// The differences between two successive states, a phrase each.
#[must_use]
pub fn changes<const N: usize>(scheme: Scheme, before: &World<N>, after: &World<N>) -> Vec<String> {
    let mut phrases = Vec::new();
    for segment in SegmentId::all(N) {
        let (old, new) = (&before.segments[segment.index()], &after.segments[segment.index()]);
        let name = segment.name(scheme.copies.into(), scheme.zones.into());
        segment_changes(old, new).into_iter().for_each(|phrase| phrases.push(format!("{name} {phrase}")));
    }
    for (i, new) in after.instances.iter().enumerate() {
        let old = before.instances.get(i);
        instance_changes(old, new).into_iter().for_each(|phrase| phrases.push(format!("w{} {phrase}", i + 1)));
    }
    if after.read != before.read {
        phrases.push(match after.read {
            Some(read) => format!("a read waits, commits up to {} were acknowledged", read.floor),
            None => "the read is answered".into(),
        });
    } else if after.spent.reads != before.spent.reads {
        phrases.push("the read is answered at once".into());
    }
    phrases
}

fn segment_changes(old: &Segment<Bits>, new: &Segment<Bits>) -> Vec<String> {
    let (was, is) = (old.image(), new.image());
    let mut phrases = Vec::new();
    if was.held != is.held {
        phrases.push(format!("holds {:?}", is.held));
    }
    if was.fenced != is.fenced {
        phrases.push(format!("fenced {}→{}", was.fenced, is.fenced));
    }
    if was.trunc_ve != is.trunc_ve {
        phrases.push(format!("truncated {}→{}", was.trunc_ve, is.trunc_ve));
    }
    if was.ranges != is.ranges {
        phrases.push(format!("ranges {:?}", is.ranges));
    }
    if old.unsynced().len() != new.unsynced().len() {
        phrases.push(format!("has {} unsynced", new.unsynced().len()));
    }
    if old.is_member() && !new.is_member() {
        phrases.push("is no member any more".into());
    }
    phrases
}

fn instance_changes<const N: usize>(old: Option<&Instance<Bits, N>>, new: &Instance<Bits, N>) -> Vec<String> {
    let Some(old) = old else { return vec![format!("recovers at {}", new.ve())] };
    match (old.phase(), new.phase()) {
        (Phase::Reading(was), Phase::Reading(is)) if was != is => vec![format!("has heard {} answers", is.heard())],
        (Phase::Reading(_), Phase::Installing { decision, .. }) => {
            vec![format!("keeps everything up to {}, ranges {:?}", decision.vdl, decision.ranges)]
        }
        (Phase::Installing { .. }, Phase::Open(writer)) => {
            vec![format!("opens {} at VDL {}, next {}", new.ve(), writer.vdl, writer.next)]
        }
        (Phase::Open(was), Phase::Open(is)) => writer_changes((was.next, was.vdl), (is.next, is.vdl)),
        _ => Vec::new(),
    }
}

fn writer_changes((next, vdl): (Lsn, Lsn), (next_now, vdl_now): (Lsn, Lsn)) -> Vec<String> {
    let allocated = (next != next_now).then(|| format!("allocates {next}"));
    let committed = (vdl != vdl_now).then(|| format!("commits, VDL {vdl}→{vdl_now}"));
    allocated.into_iter().chain(committed).collect()
}
