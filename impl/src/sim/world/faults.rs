//! Faults begin, strike, and end.

use super::{Begun, Cell, Event, World};
use crate::sim::COPIES;
use crate::sim::agenda::MILLISECOND;
use crate::sim::network::{Network, Place, WRITER_PLACES};
use crate::sim::plan::{FaultKind, Window};
use crate::sim::storage::End;

impl World {
    pub(super) fn on_begin(&mut self, number: usize) {
        let window = self.plan.windows[number].clone();
        self.trace.line(self.agenda.now(), format_args!("{} begins", window.fault));
        self.judge_availability();
        let phase = self.phase();
        let Network { carried, dropped, doubled, .. } = self.network;
        self.begun[number] = Begun { dropped, doubled, carried, is_active: true, ..Begun::default() };
        let bit = self.strike(number, &window);
        let struck = self.faults.entry(window.fault).or_default();
        struck.times += 1;
        struck.bit += u64::from(bit);
        // Where there is nothing to flip, nothing has begun.
        if bit || window.fault != FaultKind::BitFlip {
            let cell = Cell { class: self.class(), kind: window.fault, phase };
            *self.cells.entry(cell).or_default() += 1;
        }
        self.begin_stretch();
        self.agenda.after(window.lasts * MILLISECOND, Event::End { window: number });
    }

    /// Whether it is known at once that the fault bit.
    pub(super) fn strike(&mut self, number: usize, window: &Window) -> bool {
        let nodes: Vec<usize> = (0..COPIES).filter(|node| window.nodes >> node & 1 == 1).collect();
        let up: Vec<usize> = nodes.iter().copied().filter(|&node| self.nodes[node].is_up()).collect();
        match window.fault {
            FaultKind::KillNode => {
                up.iter().for_each(|&node| self.stop_node(node, End::Kill));
                !up.is_empty()
            }
            FaultKind::PowerCut => {
                let mut bit = false;
                for node in up {
                    bit |= self.nodes[node].stop(End::PowerCut);
                    self.forget_node(node);
                    self.trace.line(self.agenda.now(), format_args!("{} lost power", self.nodes[node].name()));
                }
                bit
            }
            FaultKind::PauseNode => {
                up.iter().for_each(|&node| self.nodes[node].paused = true);
                !up.is_empty()
            }
            FaultKind::KillWriter => {
                let target = self.a_writer();
                target.into_iter().for_each(|writer| self.kill_writer(writer));
                target.is_some()
            }
            FaultKind::PauseWriter => {
                let target = self.active().filter(|&writer| !self.seats[writer].process.is_paused);
                if let Some(writer) = target {
                    self.seats[writer].process.is_paused = true;
                    self.begun[number].writer = Some(writer);
                }
                target.is_some()
            }
            FaultKind::Usurp => {
                self.usurp();
                if window.degree > 0 {
                    self.agenda.after(window.degree * MILLISECOND, Event::Usurp);
                }
                true
            }
            FaultKind::Isolate => {
                let others = (0..COPIES).filter(|node| !nodes.contains(node)).map(Place::Node);
                let others: Vec<Place> = others.chain(self.writer_places()).collect();
                for &node in &nodes {
                    for &other in &others {
                        self.block(number, Place::Node(node), other);
                        self.block(number, other, Place::Node(node));
                    }
                }
                false
            }
            FaultKind::OneWay => {
                for node in nodes {
                    let others = (0..COPIES).filter(|&other| other != node).map(Place::Node);
                    for other in others.chain(self.writer_places()).collect::<Vec<_>>() {
                        let (from, to) =
                            if window.degree == 0 { (Place::Node(node), other) } else { (other, Place::Node(node)) };
                        self.block(number, from, to);
                    }
                }
                false
            }
            FaultKind::IsolateWriter => {
                let Some(writer) = self.active() else { return false };
                let others = (0..COPIES).map(Place::Node).chain([Place::Metadata]);
                let standby = (0..self.seats.len()).filter(|&w| w != writer).map(Place::Writer);
                for other in others.chain(standby).collect::<Vec<_>>() {
                    self.block(number, Place::Writer(writer), other);
                    self.block(number, other, Place::Writer(writer));
                }
                false
            }
            FaultKind::Diverge => {
                let Some(active) = self.active() else { return false };
                let of = |mask: u64| (0..COPIES).filter(move |node| mask >> node & 1 == 1);
                for writer in self.writer_places().collect::<Vec<_>>() {
                    let is_active = writer.index() == Place::Writer(active).index();
                    for node in of(if is_active { window.nodes.into() } else { window.degree }) {
                        self.block(number, writer, Place::Node(node));
                        self.block(number, Place::Node(node), writer);
                    }
                }
                self.usurp();
                false
            }
            FaultKind::Ring => {
                for node in 0..COPIES {
                    for step in [1, 2] {
                        self.block(number, Place::Node(node), Place::Node((node + step) % COPIES));
                    }
                    let writers: Vec<Place> = self.writer_places().collect();
                    for writer in writers.into_iter().filter(|writer| writer.index() % 3 == node % 3) {
                        self.block(number, Place::Node(node), writer);
                    }
                }
                false
            }
            FaultKind::Lose => {
                self.network.trouble.lost += window.degree;
                false
            }
            FaultKind::Double => {
                self.network.trouble.twice += window.degree;
                self.network.trouble.late = window.lasts * 4 * MILLISECOND;
                false
            }
            FaultKind::SlowNetwork => {
                self.network.trouble.slower = window.degree.max(1);
                false
            }
            FaultKind::SlowDisk => {
                nodes.iter().for_each(|&node| self.nodes[node].slower = window.degree.max(1));
                !up.is_empty()
            }
            FaultKind::DiskError => {
                up.iter().for_each(|&node| self.nodes[node].fail_next());
                false
            }
            FaultKind::DiskFull => {
                nodes.iter().for_each(|&node| self.nodes[node].set_full(true));
                false
            }
            FaultKind::BitFlip => {
                let mut bit = false;
                for node in up {
                    if self.nodes[node].flip() {
                        bit = true;
                        self.stop_node(node, End::Kill);
                    }
                }
                bit
            }
            FaultKind::Wipe => {
                for &node in &up {
                    self.stop_node(node, End::Kill);
                    if self.rules.rejoins_after_wipe() {
                        self.nodes[node].format(self.rules);
                        self.begin_gossip(node);
                        if let Some(server) = self.nodes[node].server().filter(|_| self.judges) {
                            self.ledger.restarted(node, server.segment());
                        }
                    } else {
                        self.nodes[node].is_lost = true;
                    }
                }
                !up.is_empty()
            }
        }
    }

    pub(super) fn on_end(&mut self, number: usize) {
        if !self.begun[number].is_active {
            return;
        }
        let window = self.plan.windows[number].clone();
        self.trace.line(self.agenda.now(), format_args!("{} ends", window.fault));
        self.judge_availability();
        let begun = std::mem::take(&mut self.begun[number]);
        let nodes: Vec<usize> = (0..COPIES).filter(|node| window.nodes >> node & 1 == 1).collect();
        for (from, to) in begun.blocked {
            self.network.unblock(from, to);
        }
        let (dropped, doubled) = (self.network.dropped > begun.dropped, self.network.doubled > begun.doubled);
        let carried = self.network.carried > begun.carried;
        let bit = match window.fault {
            FaultKind::KillNode | FaultKind::PowerCut | FaultKind::BitFlip => {
                nodes.into_iter().for_each(|node| self.start_node(node));
                false
            }
            FaultKind::DiskError => {
                let down = nodes.iter().any(|&node| !self.nodes[node].is_up());
                for node in nodes {
                    self.nodes[node].spare();
                    self.start_node(node);
                }
                down
            }
            FaultKind::DiskFull => {
                let down = nodes.iter().any(|&node| !self.nodes[node].is_up());
                for node in nodes {
                    self.nodes[node].set_full(false);
                    self.start_node(node);
                }
                down
            }
            FaultKind::PauseNode => {
                nodes.into_iter().for_each(|node| self.wake_node(node));
                false
            }
            FaultKind::PauseWriter => {
                begun.writer.into_iter().for_each(|writer| self.wake_writer(writer));
                false
            }
            FaultKind::Isolate
            | FaultKind::OneWay
            | FaultKind::IsolateWriter
            | FaultKind::Diverge
            | FaultKind::Ring => dropped,
            FaultKind::Lose => {
                let lost = &mut self.network.trouble.lost;
                *lost = lost.saturating_sub(window.degree);
                dropped
            }
            FaultKind::Double => {
                let twice = &mut self.network.trouble.twice;
                *twice = twice.saturating_sub(window.degree);
                doubled
            }
            FaultKind::SlowNetwork => {
                self.network.trouble.slower = 1;
                carried
            }
            FaultKind::SlowDisk => {
                nodes.into_iter().for_each(|node| self.nodes[node].slower = 1);
                false
            }
            FaultKind::KillWriter | FaultKind::Usurp | FaultKind::Wipe => false,
        };
        self.faults.entry(window.fault).or_default().bit += u64::from(bit);
        self.begin_stretch();
    }

    pub(super) fn wake_node(&mut self, node: usize) {
        if std::mem::take(&mut self.nodes[node].paused) {
            let held = std::mem::take(&mut self.node_held[node]);
            self.hand_over(held);
        }
    }

    pub(super) fn wake_writer(&mut self, writer: usize) {
        let seat = &mut self.seats[writer];
        if std::mem::take(&mut seat.process.is_paused) {
            let held = std::mem::take(&mut seat.held);
            self.hand_over(held);
        }
    }

    /// What waited for a process, in any order: it came on many connections.
    pub(super) fn hand_over(&mut self, held: Vec<Event>) {
        for event in held {
            let delay = self.random.draw() % MILLISECOND;
            self.agenda.after(delay, event);
        }
    }

    /// Whoever asks for the volume, or else took it last, dead or alive.
    pub(super) fn latest(&self) -> Option<usize> {
        let asks = |w: &usize| self.seats[*w].asks && self.seats[*w].process.is_alive;
        let took = || (0..self.seats.len()).max_by_key(|&w| self.seats[w].incarnation);
        (0..self.seats.len()).rev().find(asks).or_else(took)
    }

    /// The writer that is furthest, as far as anybody outside knows.
    pub(super) fn active(&self) -> Option<usize> {
        let running = |w: &usize| self.seats[*w].process.is_alive && self.seats[*w].process.is_running();
        (0..self.seats.len()).filter(running).max_by_key(|&w| self.seats[w].incarnation)
    }

    /// The active writer, or any living one.
    pub(super) fn a_writer(&mut self) -> Option<usize> {
        let alive: Vec<usize> = (0..self.seats.len()).filter(|&w| self.seats[w].process.is_alive).collect();
        match self.random.below(4) {
            0 if !alive.is_empty() => Some(alive[self.random.below(alive.len())]),
            _ => self.active(),
        }
    }

    /// All places that writers have, of those to come too.
    pub(super) fn writer_places(&self) -> impl Iterator<Item = Place> + use<> {
        (0..WRITER_PLACES).map(Place::Writer)
    }

    pub(super) fn block(&mut self, window: usize, from: Place, to: Place) {
        self.network.block(from, to);
        self.begun[window].blocked.push((from, to));
    }
}
