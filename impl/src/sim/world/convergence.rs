//! Once faults have stopped the world must converge.

use super::{CONVERGED_CHECK, CONVERGES_WITHIN, Event, World};
use crate::client::workload::keys;
use crate::sim::COPIES;
use crate::sim::network::Trouble;

impl World {
    pub(super) fn on_heal(&mut self) {
        for window in 0..self.plan.windows.len() {
            self.on_end(window);
        }
        self.network.trouble = Trouble { slower: 1, ..Trouble::default() };
        for node in 0..COPIES {
            self.start_node(node);
        }
        let now = self.agenda.now();
        self.healed = Some(now);
        self.trace.line(now, "nothing is wrong any more");
        self.agenda.after(0, Event::Hire);
        self.agenda.after(CONVERGED_CHECK, Event::IsConverged);
    }

    /// The fault-free suffix ends converged: L1 to L3 of protocol §7, and every client is answered.
    pub(super) fn on_is_converged(&mut self) {
        let now = self.agenda.now();
        let healed = self.healed.unwrap_or(now);
        match self.lacks() {
            None if self.clients.is_empty() => self.is_over = true,
            None if self.last_reads.is_none() => {
                self.last_reads = Some(keys(self.plan.keys).collect());
                self.trace.line(now, "converged");
                self.agenda.after(0, Event::Think { client: 0 });
            }
            Some((property, fact)) if now > healed + CONVERGES_WITHIN => self.ledger.violated(property, fact),
            None if now > healed + 2 * CONVERGES_WITHIN => {
                self.ledger.violated("L1", "the last reads were never answered".to_owned());
            }
            _ => {}
        }
        self.agenda.after(CONVERGED_CHECK, Event::IsConverged);
    }

    /// What is missing for the world to be converged.
    pub(super) fn lacks(&self) -> Option<(&'static str, String)> {
        let newest =
            self.seats.iter().filter_map(|seat| Some((seat.incarnation?, seat))).max_by_key(|(number, _)| *number);
        let Some((_, seat)) = newest.filter(|(_, seat)| seat.process.is_alive) else {
            return Some(("L2", "there is no writer".to_owned()));
        };
        let Some(instance) = seat.process.instance() else {
            return Some(("L2", "the newest writer is deposed".to_owned()));
        };
        let ve = instance.ve();
        let Some(writer) = instance.writer() else { return Some(("L2", format!("the recovery of {ve} never opens"))) };
        if writer.vdl.next() != writer.next && writer.next != writer.decision.first {
            return Some(("L1", format!("{ve} never acknowledges all that it allocated")));
        }
        for node in self.nodes.iter().filter(|node| !node.is_lost) {
            let Some(server) = node.server() else { return Some(("L3", format!("{} is down", node.name()))) };
            let image = server.segment().image();
            let is_complete = image.trunc_ve == ve && image.fenced == ve && image.scl(&self.rules) == writer.vdl;
            if !is_complete {
                return Some(("L3", format!("{} never catches up with {ve}", node.name())));
            }
        }
        let waits = self.clients.iter().any(|client| client.waits.is_some());
        waits.then(|| ("L1", "a client waits".to_owned()))
    }
}
