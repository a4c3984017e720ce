//! Who is away, where the newest incarnation stands, and whether writes succeed all the same.

use sextant_model::instance;

use super::{Asking, READS_WITHIN, Recording, Steady, WRITES_WITHIN, World};
use crate::sim::agenda::MILLISECOND;
use crate::sim::plan::{FaultKind, Window};
use crate::sim::{COPIES, Class, Phase, ZONES};

/// Nodes that must be there for a read by the adopted rules.
const AURORA_READS: usize = 3;

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
        let only_nodes = self.active_windows().all(|window| window.fault.takes_away());
        let down: usize = self.class().0.into_iter().map(usize::from).sum();
        let must_write = only_nodes && self.plan.operations.is_none() && down + self.rules.write_quorum() <= COPIES;
        let must_read = only_nodes && down + usize::from(self.rules.scheme.read).max(AURORA_READS) <= COPIES;
        let Recording { written, read, .. } = self.recording;
        self.steady = Steady { since: self.agenda.now(), written, read, must_write, must_read };
    }

    /// The stretch that ends now: with at most two nodes away and nothing else wrong, writes succeed.
    pub(super) fn judge_availability(&mut self) {
        let Steady { since, written, read, must_write, must_read } = self.steady;
        let lasted = self.agenda.now() - since;
        let class = self.class();
        if must_write && lasted >= WRITES_WITHIN && self.plan.clients > 0 {
            self.available.entry(class).or_default().writes += 1;
            if self.recording.written == written {
                let ms = lasted / MILLISECOND;
                let fact = format!("no write succeeded in {ms} ms with nodes {class} away and nothing else wrong");
                self.ledger.violated("availability", fact);
            }
        }
        if must_read && lasted >= READS_WITHIN && self.phase() == Phase::Serving {
            let available = self.available.entry(class).or_default();
            available.reads += 1;
            available.read += u64::from(self.recording.read > read);
        }
    }

    /// With at most three nodes away and nothing else wrong, the newest writer's question whether it is still the newest is answered,
    /// and with it every read of what is committed. Whether clients read is another matter: what they ask for may have been
    /// written by somebody who waits for a write quorum. It only looks on: nothing is asked that would not have been.
    pub(super) fn judge_reads(&mut self, writer: usize) {
        if self.phase() != Phase::Serving || self.active() != Some(writer) {
            return;
        }
        let now = self.agenda.now();
        let open = self.seats[writer].process.instance().and_then(|instance| instance.writer());
        let Some(round) = open.and_then(|open| open.reads.in_flight()) else { return self.asking = None };
        let asking = self.asking.filter(|asking| (asking.writer, asking.round) == (writer, round));
        let since = asking.map_or(now, |asking| asking.since).max(self.steady.since);
        self.asking = Some(Asking { writer, round, since });
        if self.steady.must_read && now - since >= READS_WITHIN {
            let (class, ms) = (self.class(), (now - since) / MILLISECOND);
            let fact = format!("no read was confirmed in {ms} ms with nodes {class} away and nothing else wrong");
            self.ledger.violated("availability", fact);
        }
    }
}
