//! Who is away, where the newest incarnation stands, and whether writes succeed all the same.

use sextant_model::instance;

use super::{Steady, WRITES_WITHIN, World};
use crate::sim::agenda::MILLISECOND;
use crate::sim::plan::{FaultKind, Window};
use crate::sim::{COPIES, Class, Phase, ZONES};

impl World {
    /// Where the newest incarnation stands.
    pub(super) fn phase(&self) -> Phase {
        if self.seats.iter().any(|seat| seat.asks && seat.process.is_alive) {
            return Phase::Taking;
        }
        let newest =
            self.active().filter(|&w| self.seats[w].incarnation.map(|number| number + 1) == Some(self.ledger.epochs()));
        match newest.and_then(|writer| self.seats[writer].process.instance()).map(|instance| instance.phase()) {
            Some(instance::Phase::Reading(_)) => Phase::Reading,
            Some(instance::Phase::Installing { .. }) => Phase::Installing,
            Some(instance::Phase::Open(_)) => Phase::Serving,
            Some(instance::Phase::Deposed) | None => Phase::Gone,
        }
    }

    /// The nodes that nobody reaches now.
    pub(super) fn class(&self) -> Class {
        let per_zone = COPIES / ZONES;
        let isolated = self.active_windows().filter(|window| window.fault == FaultKind::Isolate);
        let isolated = isolated.fold(0, |nodes, window| nodes | window.nodes);
        let is_away = |node: usize| !self.nodes[node].is_up() || self.nodes[node].paused || isolated >> node & 1 == 1;
        let away = |zone: usize| (zone * per_zone..(zone + 1) * per_zone).filter(|&node| is_away(node)).count() as u8;
        let mut class: [u8; ZONES] = std::array::from_fn(away);
        class.sort_unstable_by(|a, b| b.cmp(a));
        Class(class)
    }

    pub(super) fn active_windows(&self) -> impl Iterator<Item = &Window> {
        self.plan.windows.iter().zip(&self.begun).filter(|(_, begun)| begun.is_active).map(|(window, _)| window)
    }

    pub(super) fn begin_stretch(&mut self) {
        let only_nodes = self.active_windows().all(|window| {
            matches!(
                window.fault,
                FaultKind::KillNode
                    | FaultKind::PowerCut
                    | FaultKind::PauseNode
                    | FaultKind::Isolate
                    | FaultKind::BitFlip
                    | FaultKind::Wipe
            )
        });
        let down: u8 = self.class().0.iter().sum();
        let must_write =
            only_nodes && self.plan.operations.is_none() && usize::from(down) + self.rules.write_quorum() <= COPIES;
        self.steady = Steady { since: self.agenda.now(), written: self.recording.written, must_write };
    }

    /// The stretch that ends now: with at most two nodes away and nothing else wrong, writes succeed.
    pub(super) fn judge_availability(&mut self) {
        let Steady { since, written, must_write } = self.steady;
        let lasted = self.agenda.now() - since;
        if must_write && lasted >= WRITES_WITHIN && self.recording.written == written && self.plan.clients > 0 {
            let class = self.class();
            let fact = format!(
                "no write succeeded in {} ms with nodes {class} away and nothing else wrong",
                lasted / MILLISECOND
            );
            self.ledger.violated("availability", fact);
        }
    }
}
