//! The properties of the core that speak of one state (protocol §7), on whatever has segments and writers: a state of the closed
//! world ([`crate::world::World`]), or a run that is looked at whole.
//!
//! [`crate::properties`] says each as a formula. They cost as much as there are gaps, ranges and incarnations, not as much as there
//! are records.

use crate::disk::Image;
use crate::logset::{LogSet, RangeList};
use crate::recovery::Decision;
use crate::rules::Rules;
use crate::segment::Segment;
use crate::types::{Epoch, Lsn};
use itertools::Itertools;

/// The violating fact.
pub type Violation = String;

/// All segments, and all writer incarnations in the order in which they took the volume.
pub trait Scene {
    type Log: LogSet;

    fn segments(&self) -> usize;
    /// None: it is down, or lost.
    fn segment(&self, segment: usize) -> Option<&Segment<Self::Log>>;
    fn incarnations(&self) -> usize;
    fn ve(&self, incarnation: usize) -> Epoch;
    /// What its recovery decided, once it has opened. Whoever opened stays here when it is deposed.
    fn opened(&self, incarnation: usize) -> Option<&Decision<Self::Log>>;
    /// The next LSN that it would allocate; 0 before it opened.
    fn next(&self, incarnation: usize) -> Lsn;
    /// Volume durable LSN: acknowledged and read up to here; 0 before it opened.
    fn vdl(&self, incarnation: usize) -> Lsn;

    /// Records that `incarnation` has allocated, as first and last LSN; none if it has allocated nothing.
    fn allocated(&self, incarnation: usize) -> Option<(Lsn, Lsn)> {
        let first = self.opened(incarnation)?.first;
        let next = self.next(incarnation);
        (next > first).then(|| (first, next.previous()))
    }

    /// Records that `incarnation` has acknowledged to its clients, as first and last LSN.
    fn acknowledged(&self, incarnation: usize) -> Option<(Lsn, Lsn)> {
        let first = self.opened(incarnation)?.first;
        let vdl = self.vdl(incarnation);
        (vdl >= first).then_some((first, vdl))
    }
}

/// The opened incarnations with their decisions, oldest first.
pub fn opened<S: Scene>(scene: &S) -> impl DoubleEndedIterator<Item = (usize, &Decision<S::Log>)> + Clone {
    (0..scene.incarnations()).filter_map(|i| Some((i, scene.opened(i)?)))
}

/// S1: ∀c∈acked, ∀ve>c.ve, opened[ve]: c.lsn ≤ opened[ve].vdl′ ∧ c∈kept[ve].
///
/// # Errors
/// The first commit that a later volume lacks.
pub fn ack_durable<S: Scene>(scene: &S) -> Result<(), Violation> {
    for (i, _) in opened(scene) {
        let Some((first, last)) = scene.acknowledged(i) else { continue };
        for (j, later) in opened(scene).filter(|&(j, _)| j > i) {
            if let Some(lost) = later.first_unkept(first, last) {
                let (i, j) = (scene.ve(i), scene.ve(j));
                return Err(format!("commit {lost} of {i} is acknowledged and absent from {j}'s volume"));
            }
        }
    }
    Ok(())
}

/// S3: a<b opened ⇒ exposed[a] ≤ opened[b].vdl′. Exposed is a writer's VDL: reads and commits use it at once.
///
/// # Errors
/// The recovery that opened too low.
pub fn vdl_monotone<S: Scene>(scene: &S) -> Result<(), Violation> {
    for [(i, _), (j, later)] in opened(scene).array_combinations() {
        let exposed = scene.vdl(i);
        if exposed > later.vdl {
            let (i, j) = (scene.ve(i), scene.ve(j));
            return Err(format!("{i} exposed VDL {exposed}, {j} opened at {}", later.vdl));
        }
    }
    Ok(())
}

/// S4: r annulled by opened[a] ⇒ r∉kept[b] for b>a.
///
/// # Errors
/// The record that came back.
pub fn no_resurrection<S: Scene>(scene: &S) -> Result<(), Violation> {
    for [(a, earlier), (b, later)] in opened(scene).array_combinations() {
        for i in 0..a {
            let Some((first, last)) = scene.allocated(i) else { continue };
            if let Some(lsn) = later.kept_runs(first, last).find_map(|(lo, hi)| earlier.first_unkept(lo, hi)) {
                let (i, a, b) = (scene.ve(i), scene.ve(a), scene.ve(b));
                return Err(format!("record {lsn} of {i}, annulled when {a} opened, is in {b}'s volume"));
            }
        }
    }
    Ok(())
}

/// S5: ∀r≠s∈alloc: r.lsn≠s.lsn. An incarnation allocates consecutive LSNs, so two of them must not overlap.
///
/// # Errors
/// The LSN that two allocated.
pub fn lsn_unique<S: Scene>(scene: &S) -> Result<(), Violation> {
    let allocated = (0..scene.incarnations()).filter_map(|i| Some((i, scene.allocated(i)?)));
    for [(i, (first_i, last_i)), (j, (first_j, last_j))] in allocated.array_combinations() {
        if first_i <= last_j && first_j <= last_i {
            let twice = first_i.max(first_j);
            return Err(format!("{} and {} both allocated {twice}", scene.ve(i), scene.ve(j)));
        }
    }
    Ok(())
}

/// S5b: opened[ve] ⇒ ∀r∈alloc, r.ve<ve ∧ r.lsn>vdl′: r.lsn ≤ hi.
///
/// # Errors
/// The record above the range.
pub fn range_covers<S: Scene>(scene: &S) -> Result<(), Violation> {
    for (j, decision) in opened(scene) {
        for i in 0..j {
            if let Some((_, last)) = scene.allocated(i)
                && last > decision.vdl
                && last > decision.range_end
            {
                let (i, j) = (scene.ve(i), scene.ve(j));
                return Err(format!("{i} allocated {last}, above the end {} of {j}'s range", decision.range_end));
            }
        }
    }
    Ok(())
}

/// S7: a<b opened ⇒ kept[a]⊆kept[b]; epochs strictly increase from one incarnation to the next.
///
/// # Errors
/// The epoch that is not new, or the record that the later one lost.
pub fn recovery_idempotent<S: Scene>(scene: &S) -> Result<(), Violation> {
    if let Some(i) = (1..scene.incarnations()).find(|&i| scene.ve(i - 1) >= scene.ve(i)) {
        return Err(format!("writer w{} recovered at epoch {}, which is not new", i + 1, scene.ve(i)));
    }
    for [(a, earlier), (b, later)] in opened(scene).array_combinations() {
        let mut allocated = (0..a).filter_map(|i| scene.allocated(i));
        let lost = |(first, last)| earlier.kept_runs(first, last).find_map(|(lo, hi)| later.first_unkept(lo, hi));
        if let Some(lsn) = allocated.find_map(lost) {
            return Err(format!("{} kept {lsn} and opened, {} does not keep it", scene.ve(a), scene.ve(b)));
        }
    }
    Ok(())
}

/// S13 of one segment: SCL(n)=l ⇒ every allocated record ≤ l of an epoch that n serves or served, and that its ranges do not
/// annul, is in recs(n). A recount over the runs of the set, not by the chain's own algorithm.
///
/// # Errors
/// What it lacks; `name` is the segment's.
pub fn scl_sound<S: Scene>(
    rules: &Rules,
    scene: &S,
    segment: &Segment<S::Log>,
    name: impl FnOnce() -> String,
) -> Result<(), Violation> {
    let image = segment.image();
    let scl = image.scl(rules);
    for i in (0..scene.incarnations()).filter(|&i| scene.ve(i) <= image.trunc_ve) {
        let Some((first, last)) = scene.allocated(i) else { continue };
        if let Some(lsn) = first_missing(image, first, last.min(scl)) {
            return Err(format!("{} reports SCL {scl} and lacks {lsn} of {}", name(), scene.ve(i)));
        }
    }
    Ok(())
}

/// S15 of one segment: recs(n)⊆alloc; and where n serves an opened epoch, nothing of an older epoch is live that this one
/// annulled.
///
/// # Errors
/// What it should not hold; `name` is the segment's.
pub fn gossip_no_invent<S: Scene>(
    scene: &S,
    segment: &Segment<S::Log>,
    name: impl FnOnce() -> String,
) -> Result<(), Violation> {
    let image = segment.image();
    if let Some(lsn) = image.held.runs().find_map(|(lo, hi)| first_unallocated(scene, lo, hi)) {
        return Err(format!("{} holds {lsn}, which nobody allocated", name()));
    }
    let serves = |&(_, d): &(usize, &Decision<S::Log>)| d.ve == image.trunc_ve && d.ve == image.fenced;
    let Some((_, decision)) = opened(scene).rfind(serves) else { return Ok(()) };
    let older = image.held.runs().filter(|&(lo, _)| lo < decision.first);
    let mut older = older.map(|(lo, hi)| (lo, hi.min(decision.first.previous())));
    match older.find_map(|(lo, hi)| first_live_and_unkept(image, decision, lo, hi)) {
        Some(lsn) => Err(format!("{} serves {} and holds {lsn}, which it annulled", name(), decision.ve)),
        None => Ok(()),
    }
}

/// The first LSN in `lo..=hi` that the segment neither holds nor has annulled.
fn first_missing<L: LogSet>(image: &Image<L>, lo: Lsn, hi: Lsn) -> Option<Lsn> {
    let gap = |mut at: Lsn, end: Lsn| {
        while let Some(annulled) = image.ranges.annulled_until(at) {
            at = annulled.next();
        }
        (at <= end).then_some(at)
    };
    let mut at = lo;
    for (first, last) in image.held.runs().filter(|&(_, last)| last >= lo).take_while(|&(first, _)| first <= hi) {
        if first > at
            && let Some(missing) = gap(at, first.previous())
        {
            return Some(missing);
        }
        at = at.max(last.next());
    }
    if at <= hi { gap(at, hi) } else { None }
}

fn first_unallocated<S: Scene>(scene: &S, lo: Lsn, hi: Lsn) -> Option<Lsn> {
    let allocated = || (0..scene.incarnations()).filter_map(|i| scene.allocated(i));
    let mut at = lo;
    while let Some((_, last)) = allocated().find(|&(first, last)| first <= at && at <= last) {
        at = last.next();
    }
    (at <= hi).then_some(at)
}

fn first_live_and_unkept<L: LogSet>(image: &Image<L>, decision: &Decision<L>, lo: Lsn, hi: Lsn) -> Option<Lsn> {
    let mut at = decision.first_unkept(lo, hi)?;
    while let Some(end) = image.ranges.annulled_until(at) {
        at = decision.first_unkept(end.next(), hi)?;
    }
    Some(at)
}
