//! The properties, as a run goes: those of states after each step that can change them, those of steps at each step.
//!
//! Whose run it is does not matter: the simulator's, or that of real processes, replayed from what they recorded.

use sextant_model::instance::Instance;
use sextant_model::logset::{Intervals, LogSet};
use sextant_model::recovery::Decision;
use sextant_model::rules::Rules;
use sextant_model::scene::{self, Scene};
use sextant_model::segment::{Effect, Event, Reply, Segment};
use sextant_model::shape::Shape;
use sextant_model::steps::{self, Breach};
use sextant_model::types::{Epoch, Lsn};

use crate::node::Observer;
use crate::wire::messages::Record;
use crate::writer::COPIES;

/// A property that does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Its number in protocol §7.
    pub property: &'static str,
    pub fact: String,
}

/// The copies, as they are at this moment.
pub trait Nodes {
    /// None: it is down, or lost.
    fn segment(&self, node: usize) -> Option<&Segment<Intervals>>;
    fn name(&self, node: usize) -> String;
}

/// What every writer incarnation has done, also of those that are gone: in the order in which they took the volume.
#[derive(Default)]
pub struct Ledger {
    incarnations: Vec<Incarnation>,
    /// In the order in which they were found, each property once.
    pub violations: Vec<Violation>,
    /// By node, the epochs that it has promised: `fenced` and `trunc_ve` of its positive replies.
    promised: [(Epoch, Epoch); COPIES],
}

struct Incarnation {
    ve: Epoch,
    decision: Option<Decision<Intervals>>,
    is_open: bool,
    next: Lsn,
    vdl: Lsn,
}

/// A run, looked at whole.
struct View<'a, N> {
    nodes: &'a N,
    incarnations: &'a [Incarnation],
}

impl<N: Nodes> Scene for View<'_, N> {
    type Log = Intervals;

    fn segments(&self) -> usize {
        COPIES
    }

    fn segment(&self, segment: usize) -> Option<&Segment<Intervals>> {
        self.nodes.segment(segment)
    }

    fn incarnations(&self) -> usize {
        self.incarnations.len()
    }

    fn ve(&self, incarnation: usize) -> Epoch {
        self.incarnations[incarnation].ve
    }

    fn opened(&self, incarnation: usize) -> Option<&Decision<Intervals>> {
        let incarnation = &self.incarnations[incarnation];
        incarnation.decision.as_ref().filter(|_| incarnation.is_open)
    }

    fn next(&self, incarnation: usize) -> Lsn {
        self.incarnations[incarnation].next
    }

    fn vdl(&self, incarnation: usize) -> Lsn {
        self.incarnations[incarnation].vdl
    }
}

impl Ledger {
    /// The metadata service has given `ve`; the incarnation's number.
    pub fn took(&mut self, ve: Epoch) -> usize {
        self.incarnations.push(Incarnation { ve, decision: None, is_open: false, next: Lsn::ZERO, vdl: Lsn::ZERO });
        self.incarnations.len() - 1
    }

    /// Incarnations that took the volume.
    #[must_use]
    pub fn epochs(&self) -> usize {
        self.incarnations.len()
    }

    /// How many of them opened.
    #[must_use]
    pub fn opened(&self) -> usize {
        self.incarnations.iter().filter(|incarnation| incarnation.is_open).count()
    }

    /// The writer of incarnation `number` has taken a step; whether it has opened by it.
    pub fn writer_stepped(
        &mut self,
        number: usize,
        instance: &Instance<Intervals, COPIES>,
        nodes: &impl Nodes,
    ) -> bool {
        let incarnation = &mut self.incarnations[number];
        if incarnation.decision.is_none() {
            incarnation.decision = instance.decision().cloned();
        }
        let Some(writer) = instance.writer() else { return false };
        let opens = !std::mem::replace(&mut incarnation.is_open, true);
        let committed = (incarnation.vdl.next().max(writer.decision.first), writer.vdl);
        let commits = writer.vdl > incarnation.vdl;
        let allocates = writer.next > incarnation.next;
        incarnation.next = writer.next;
        incarnation.vdl = writer.vdl;
        if commits && !opens {
            let later = self.incarnations[number + 1..].iter().filter(|later| later.is_open);
            let breach = later.filter_map(|later| later.decision.as_ref());
            let breach = breach.into_iter().find_map(|later| steps::commits(committed.0, committed.1, later));
            self.breached(breach);
        }
        let is_newest = self.incarnations[number + 1..].iter().all(|later| !later.is_open);
        if opens || ((commits || allocates) && !is_newest) {
            self.judge_volume(nodes);
            if opens {
                // What it decided says what nobody may hold any more.
                (0..COPIES).for_each(|node| self.judge_contents(node, nodes));
            }
        } else if allocates {
            // Of what the newest allocates nothing else speaks until somebody opens after it.
            let view = View { nodes, incarnations: &self.incarnations };
            self.note(scene::lsn_unique(&view).map_err(|fact| ("S5", fact)));
        }
        opens
    }

    /// Node `node` has taken steps, or has restarted.
    pub fn node_stepped(&mut self, rules: &Rules, node: usize, nodes: &impl Nodes) {
        let Some(segment) = nodes.segment(node) else { return };
        let view = View { nodes, incarnations: &self.incarnations };
        let name = || nodes.name(node);
        let judged = scene::scl_sound(rules, &view, segment, name).map_err(|fact| ("S13", fact));
        self.note(judged);
        self.judge_contents(node, nodes);
    }

    /// S15 of one node.
    fn judge_contents(&mut self, node: usize, nodes: &impl Nodes) {
        let Some(segment) = nodes.segment(node) else { return };
        let view = View { nodes, incarnations: &self.incarnations };
        let judged = scene::gossip_no_invent(&view, segment, || nodes.name(node));
        self.note(judged.map_err(|fact| ("S15", fact)));
    }

    /// Node `node` is back from its disk.
    pub fn restarted(&mut self, node: usize, segment: &Segment<Intervals>) {
        let image = segment.image();
        let breach = steps::epochs(self.promised[node], (image.fenced, image.trunc_ve));
        self.breached(breach);
    }

    /// The shape of the run's present state; none before anybody has opened the volume.
    #[must_use]
    pub fn shape(&self, rules: &Rules, nodes: &impl Nodes) -> Option<Shape> {
        Shape::of(rules, &View { nodes, incarnations: &self.incarnations })
    }

    /// Judges the next steps of node `node`.
    pub fn observer<'a>(&'a mut self, rules: &'a Rules, node: usize) -> NodeObserver<'a> {
        NodeObserver { ledger: self, rules, node, before: Before::default() }
    }

    /// Notes a violation, unless one of that property is known.
    pub fn violated(&mut self, property: &'static str, fact: String) {
        if self.violations.iter().all(|known| known.property != property) {
            self.violations.push(Violation { property, fact });
        }
    }

    fn judge_volume(&mut self, nodes: &impl Nodes) {
        let view = View { nodes, incarnations: &self.incarnations };
        let judged = [
            ("S1", scene::ack_durable(&view)),
            ("S3", scene::vdl_monotone(&view)),
            ("S4", scene::no_resurrection(&view)),
            ("S5", scene::lsn_unique(&view)),
            ("S5b", scene::range_covers(&view)),
            ("S7", scene::recovery_idempotent(&view)),
        ];
        for (property, judged) in judged {
            self.note(judged.map_err(|fact| (property, fact)));
        }
    }

    fn note(&mut self, judged: Result<(), (&'static str, String)>) {
        if let Err((property, fact)) = judged {
            self.violated(property, fact);
        }
    }

    fn breached(&mut self, breaches: impl IntoIterator<Item = Breach>) {
        for breach in breaches {
            self.violated(breach.id(), breach.fact().to_owned());
        }
    }

    fn decision(&self, ve: Epoch) -> Option<&Decision<Intervals>> {
        self.incarnations.iter().rev().find(|incarnation| incarnation.ve == ve)?.decision.as_ref()
    }
}

/// Judges the steps of one node's segment.
pub struct NodeObserver<'a> {
    ledger: &'a mut Ledger,
    rules: &'a Rules,
    node: usize,
    before: Before,
}

#[derive(Default)]
struct Before {
    epochs: (Epoch, Epoch),
    writer: Option<Epoch>,
    /// Of a segment that hears gossip.
    image: Option<sextant_model::disk::Image<Intervals>>,
}

impl Observer for NodeObserver<'_> {
    fn before(&mut self, segment: &Segment<Intervals>, event: &Event<Intervals>, _: Option<&Record>) {
        let image = segment.image();
        self.before = Before {
            epochs: (image.fenced, image.trunc_ve),
            writer: match *event {
                Event::Write { ve, .. } => Some(ve),
                _ => None,
            },
            image: matches!(event, Event::Gossip { lsn, .. } if !image.held.contains(*lsn)).then(|| image.clone()),
        };
    }

    fn after(&mut self, segment: &Segment<Intervals>, effects: &[Effect<Intervals>]) {
        let image = segment.image();
        let before = std::mem::take(&mut self.before);
        self.ledger.breached(steps::epochs(before.epochs, (image.fenced, image.trunc_ve)));
        if let Some(before) = &before.image {
            self.ledger.breached(steps::hears_gossip(self.rules, before, image));
        }
        for effect in effects {
            match effect {
                Effect::Append(_) => {
                    if let Some(decision) = before.writer.and_then(|ve| self.ledger.decision(ve)) {
                        let breach = steps::serves(image, decision);
                        self.ledger.breached(breach);
                    }
                }
                Effect::Reply(reply) => self.on_reply(segment, reply),
            }
        }
    }
}

impl NodeObserver<'_> {
    fn on_reply(&mut self, segment: &Segment<Intervals>, reply: &Reply<Intervals>) {
        self.ledger.breached(steps::replies(segment, reply));
        let promised = &mut self.ledger.promised[self.node];
        match *reply {
            Reply::Fenced { ve, .. } => promised.0 = promised.0.max(ve),
            Reply::Truncated { ve, .. } => *promised = (promised.0.max(ve), promised.1.max(ve)),
            Reply::Confirmed { ve, .. } => {
                if let Some(decision) = self.ledger.decision(ve) {
                    let breach = steps::serves(segment.image(), decision);
                    self.ledger.breached(breach);
                }
            }
            Reply::Acknowledged { .. } | Reply::Refused { .. } => {}
        }
    }
}
