//! A reduction: forgetting what no later step can read.
//!
//! Two states that differ only in such facts have the same futures, so exploring one of them is exact. It is what keeps
//! zombie writers affordable: an old instance that can commit, decide or open nothing any more stays in the state with all
//! it may still send, but not with what it has heard.
//!
//! * An open writer never asks again who joined. An installing recovery asks only whether a copy reaches vdl′.
//! * A record that too few copies can still acknowledge never becomes quorate, nor does a later one: their credit is moot.
//! * A recovery that too few copies can still answer, or join, never decides or opens: what it heard is moot.
//!
//! * Of a copy that an instance cannot reach any more, only what it has said counts, not which copy it was.
//! * A recovery that no copy listens to any more, and that never opened, is as good as deposed.
//! * Gossip of a truncation epoch that no copy is at, or can still come to, is taken by nobody.
//!
//! "Can still" means that the copy's *durable* fence is not above the instance's epoch, which no step undoes. Where a mutant
//! makes that untrue (stale requests are served, a wiped copy rejoins), nothing is forgotten on its account.

use crate::bounds::Bounds;
use crate::instance::{Instance, Phase};
use crate::logset::{Bits, LogSet};
use crate::recovery::{Quorum, Reading};
use crate::rules::Rules;
use crate::types::{Epoch, Lsn, SegmentId, SegmentSet};
use crate::world::World;

impl<const N: usize> World<N> {
    pub(crate) fn forget(&mut self, rules: &Rules, bounds: &Bounds) {
        if !bounds.gossip.is_on() {
            self.offered = Default::default();
        }
        if !bounds.forgetting.is_on() {
            return;
        }
        let fences_hold = rules.refuses_stale() && !(rules.rejoins_after_wipe() && self.spent.wipes < bounds.wipes);
        let fences: [_; N] = std::array::from_fn(|n| self.segments[n].disk().image().fenced);
        for instance in &mut self.instances {
            let ve = instance.ve();
            let reachable = |s: &SegmentId| !fences_hold || fences[s.index()] <= ve;
            instance.forget(rules, bounds, SegmentId::all(N).filter(reachable).collect());
        }
        let may_be_at = |t: Epoch| !rules.gossips_only_within_a_truncation() || fences.iter().any(|&fence| fence <= t);
        for (epoch, offered) in self.offered.iter_mut().enumerate() {
            let t = Epoch(epoch as u32);
            let heard = || self.segments.iter().any(|s| s.image().trunc_ve == t);
            if !(may_be_at(t) || heard()) {
                *offered = Bits::default();
            }
        }
    }
}

impl<const N: usize> Instance<Bits, N> {
    /// `reachable`: the copies that may still do what this instance asks.
    fn forget(&mut self, rules: &Rules, bounds: &Bounds, reachable: SegmentSet) {
        // Nobody listens to it any more, and it opened nothing that a later one could contradict.
        if reachable.is_empty() && self.writer().is_none() {
            *self.phase_mut() = Phase::Deposed;
        }
        let unreachable = SegmentId::all(N).filter(|s| !reachable.contains(*s));
        match self.phase_mut() {
            Phase::Reading(reading) => {
                unreachable.for_each(|segment| reading.depart(segment));
                let unheard = SegmentId::all(N).filter(|&s| !reading.has_heard(s) && reachable.contains(s)).count();
                if !rules.may_decide(reading.heard() + unheard) {
                    *reading = Reading::begin();
                    if !bounds.late_fences.is_on() {
                        *self.phase_mut() = Phase::Deposed;
                    }
                }
            }
            Phase::Installing { decision, quorum } => {
                quorum.keep_credit_of(decision.vdl);
                unreachable.for_each(|segment| quorum.depart_installing(rules, decision, segment));
                let halfway = SegmentId::all(N).filter(|&s| !quorum.is_ready(rules, decision, s));
                halfway.collect::<SegmentSet>().iter(N).for_each(|segment| quorum.forget_half_joined(segment));
                if reachable.len() + quorum.departed_ready() < rules.install_quorum() {
                    *quorum = Quorum::nobody();
                }
            }
            Phase::Open(writer) => {
                writer.quorum.forget_joined();
                unreachable.for_each(|segment| writer.quorum.depart(segment));
                let first_moot = (writer.vdl.next().max(writer.decision.first).0..writer.next.0)
                    .map(Lsn)
                    .find(|&lsn| reachable.len() + writer.quorum.departed_credits(lsn) < rules.write_quorum());
                if let Some(lsn) = first_moot {
                    writer.quorum.forget_from(lsn);
                }
                writer.quorum.sort_departed();
            }
            Phase::Deposed => {}
        }
    }
}

impl<const N: usize> Quorum<Bits, N> {
    fn keep_credit_of(&mut self, lsn: Lsn) {
        self.credit_mut().for_each(|credit| {
            let reaches = lsn > Lsn::ZERO && credit.contains(lsn);
            *credit = Bits::default();
            if reaches {
                credit.insert(lsn);
            }
        });
    }

    fn forget_from(&mut self, lsn: Lsn) {
        self.credit_mut().for_each(|credit| credit.remove_range(lsn, Lsn(Bits::CAPACITY)));
    }
}
