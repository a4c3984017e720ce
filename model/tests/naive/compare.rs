//! What both worlds are compared by.

use super::*;

/// What a state is to an outsider: every segment's image, every instance's phase, decision, records and VDL. Segments have
/// no names here.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Shape {
    segments: Vec<(Standing, Image<Bits>)>,
    instances: Vec<Part>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Standing {
    Member,
    Wiped,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Part {
    Reading,
    Installing(Decision<Bits>),
    Open {
        decision: Decision<Bits>,
        next: Lsn,
        vdl: Lsn,
    },
    /// Not open, and nothing is known of it any more.
    Gone,
}

/// By instance: the decision that it opened with, and up to where it acknowledged commits.
pub(super) type Outcome = Vec<Option<(Decision<Bits>, Lsn)>>;

pub(super) fn shape<'a, const N: usize>(
    segments: impl Iterator<Item = &'a Segment<Bits>>,
    instances: impl Iterator<Item = &'a Instance<Bits, N>>,
) -> Shape {
    let standing = |s: &Segment<Bits>| if s.is_member() { Standing::Member } else { Standing::Wiped };
    let mut segments: Vec<_> = segments.map(|s| (standing(s), s.image().clone())).collect();
    segments.sort();
    let part = |instance: &Instance<Bits, N>| match instance.phase() {
        Phase::Reading(_) => Part::Reading,
        Phase::Installing { decision, .. } => Part::Installing(decision.clone()),
        Phase::Open(writer) => Part::Open { decision: writer.decision.clone(), next: writer.next, vdl: writer.vdl },
        Phase::Deposed => Part::Gone,
    };
    Shape { segments, instances: instances.map(part).collect() }
}

impl Shape {
    /// This shape and those in which any instances that are not open have gone.
    pub(super) fn forgotten(&self) -> Vec<Shape> {
        let mut shapes = vec![self.clone()];
        for i in 0..self.instances.len() {
            if !matches!(self.instances[i], Part::Open { .. }) {
                let mut gone = shapes.clone();
                gone.iter_mut().for_each(|shape| shape.instances[i] = Part::Gone);
                shapes.extend(gone);
            }
        }
        shapes
    }
}

impl<const N: usize> Naive<N> {
    /// The shape of a state in which everything is synced.
    pub(super) fn shape(&self, state: &State<N>) -> Option<Shape> {
        let nodes = state.nodes.map(|node| self.nodes.get(node));
        let instances: Vec<_> =
            state.instances.iter().filter(|&&i| i != NOBODY).map(|&i| self.instances.get(i)).collect();
        let synced = |node: &Rc<(u8, Node)>| node.1.segment.unsynced().is_empty();
        nodes
            .iter()
            .all(synced)
            .then(|| shape(nodes.iter().map(|node| &node.1.segment), instances.iter().map(|instance| &instance.1)))
    }

    pub(super) fn outcomes(&self, states: &HashSet<State<N>>) -> BTreeSet<Outcome> {
        let ghosts: BTreeSet<u16> = states.iter().map(|state| state.ghost).collect();
        let outcome = |ghost: Rc<Ghost>| {
            let of = |i: usize| ghost.opened[i].clone().map(|decision| (decision, ghost.exposed(i)));
            (0..ghost.epochs.len()).map(of).collect()
        };
        ghosts.into_iter().map(|ghost| outcome(self.ghosts.get(ghost))).collect()
    }
}

pub(super) fn outcomes_of<const N: usize>(worlds: &[World<N>]) -> BTreeSet<Outcome> {
    let of = |i: &Instance<Bits, N>| i.writer().map(|writer| (writer.decision.clone(), writer.vdl));
    worlds.iter().map(|world| world.instances.iter().map(of).collect()).collect()
}
