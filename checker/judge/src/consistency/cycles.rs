//! The cycles that break a promise, and of each name the shortest.
//!
//! Whether there is one at all is a matter of strongly connected components, in linear time. Which ones, and which is the
//! shortest, is a search from every edge that such a cycle must have; each search is cut off at the length of the best
//! found so far, so after the first short one they are cheap.

use super::anomaly::{Anomaly, Orders, Shape};
use super::graph::{Components, Edge, FORCED, Graph, PROCESS, REALTIME, RW, RwRule, Scratch, VIA, WR, WW, Walk};

#[derive(Debug)]
pub(super) struct Cycle {
    pub(super) anomaly: Anomaly,
    /// Without relays. Empty if the search gave up, though there is one.
    pub(super) links: Vec<Edge>,
    /// How many transactions are in the component.
    pub(super) entangled: usize,
}

/// What a search for the cycles of one promise found.
#[derive(Debug)]
pub(super) struct Search {
    pub(super) cycles: Vec<Cycle>,
    /// Whether a search gave up without an answer, so that "none" is not known.
    pub(super) gave_up: bool,
}

/// How many edges one search may look at.
const EFFORT: usize = 10_000_000;

const SHAPES: [Shape; 5] = [Shape::G0, Shape::G1c, Shape::GSingle, Shape::GNonadjacent, Shape::G2Item];

/// Whether there is a cycle of `worst` shape or a worse one that keeps `orders`. Exact, but for G-single, which no
/// component shows: there `None` if only cycles of lesser shapes are known not to be.
pub(super) fn exists(graph: &Graph, worst: Shape, orders: Orders) -> Option<bool> {
    let labels = label(orders) | FORCED;
    match worst {
        Shape::G0 => Some(graph.components(WW | labels).cyclic()),
        Shape::G1c => Some(graph.components(WW | WR | labels).cyclic()),
        Shape::GSingle if graph.components(WW | WR | labels).cyclic() => Some(true),
        Shape::GSingle => (!graph.nonadjacent(WW | WR | RW | labels).cyclic()).then_some(false),
        Shape::GNonadjacent => Some(graph.nonadjacent(WW | WR | RW | labels).cyclic()),
        Shape::G2Item => Some(graph.components(WW | WR | RW | labels).cyclic()),
    }
}

fn label(orders: Orders) -> u8 {
    match orders {
        Orders::Data => 0,
        Orders::Process => PROCESS,
        Orders::RealTime => REALTIME,
    }
}

pub(super) fn search(graph: &Graph, worst: Shape, orders: Orders) -> Search {
    let mut found = Search { cycles: Vec::new(), gave_up: false };
    let exists = exists(graph, worst, orders);
    if exists == Some(false) {
        return found;
    }
    let mut scratch = Scratch::default();
    let kept = [Orders::Data, Orders::Process, Orders::RealTime];
    for orders in kept.into_iter().filter(|kept| *kept == Orders::Data || *kept <= orders) {
        for shape in SHAPES.into_iter().filter(|shape| *shape <= worst) {
            let named = |orders: Orders| Anomaly::Cycle(shape, orders);
            // A cycle that needs no order but that of the data says more.
            let weaker = kept.into_iter().filter(|weaker| *weaker < orders).map(named);
            if weaker.into_iter().any(|weaker| found.cycles.iter().any(|cycle| cycle.anomaly == weaker)) {
                continue;
            }
            match shortest(graph, shape, orders, &mut scratch) {
                Ok(None) => {}
                Ok(Some(cycle)) => found.cycles.push(cycle),
                Err(GaveUp) => found.gave_up = true,
            }
        }
    }
    if found.cycles.is_empty() && exists == Some(true) {
        let entangled = entangled(graph, &graph.components(u8::MAX));
        found.cycles.push(Cycle { anomaly: Anomaly::Cycle(worst, orders), links: Vec::new(), entangled });
    }
    found.cycles.sort_by_key(|cycle| cycle.anomaly);
    found
}

fn entangled(graph: &Graph, components: &Components) -> usize {
    (0..graph.real as u32).filter(|node| components.on_cycle(*node)).count()
}

struct GaveUp;

fn shortest(graph: &Graph, shape: Shape, orders: Orders, scratch: &mut Scratch) -> Result<Option<Cycle>, GaveUp> {
    let data = match shape {
        Shape::G0 => WW,
        _ => WW | WR,
    };
    let (first, rw, least) = match shape {
        Shape::G0 => (WW | FORCED, RwRule::Never, 2),
        Shape::G1c => (WR, RwRule::Never, 2),
        Shape::GSingle => (RW, RwRule::Never, 2),
        Shape::GNonadjacent => (RW, RwRule::Apart, 4),
        Shape::G2Item => (RW, RwRule::Adjacent, 2),
    };
    let labels = data | label(orders) | FORCED;
    let reachable = labels | if first == RW { RW } else { 0 };
    let components = graph.components(reachable);
    if !components.cyclic() {
        return Ok(None);
    }
    let mut effort = EFFORT;
    let mut best: Option<Vec<Edge>> = None;
    for edge in graph.edges().iter().filter(|edge| edge.label & first != 0) {
        let component = components.of[edge.from as usize];
        if component != components.of[edge.to as usize] {
            continue;
        }
        let longest = best.as_ref().map_or(usize::MAX, |best| best.len() - 1);
        if longest < least {
            break;
        }
        let within = |node: u32| components.of[node as usize] == component;
        let walk = Walk { labels, rw, needed: label(orders), within: &within };
        if let Some(cycle) = graph.cycle(edge, &walk, longest, scratch, &mut effort) {
            let links = without_relays(graph, &cycle);
            if visits_each_once(&links) {
                best = Some(links);
            }
        }
        if effort == 0 {
            break;
        }
    }
    match best {
        None if effort == 0 => Err(GaveUp),
        None => Ok(None),
        Some(links) => {
            let component = components.of[links[0].from as usize];
            let of = &components.of[..graph.real];
            let entangled = of.iter().filter(|other| **other == component).count();
            Ok(Some(Cycle { anomaly: Anomaly::Cycle(shape, orders), links, entangled }))
        }
    }
}

/// A path through relays is one edge, labelled as the one into the first relay.
fn without_relays(graph: &Graph, cycle: &[Edge]) -> Vec<Edge> {
    let mut links: Vec<Edge> = Vec::with_capacity(cycle.len());
    for edge in cycle {
        match links.last_mut().filter(|_| graph.is_relay(edge.from)) {
            Some(last) => last.to = edge.to,
            None => {
                debug_assert!(edge.label != VIA);
                links.push(*edge);
            }
        }
    }
    links
}

fn visits_each_once(links: &[Edge]) -> bool {
    let mut nodes: Vec<u32> = links.iter().map(|link| link.from).collect();
    nodes.sort_unstable();
    nodes.windows(2).all(|pair| pair[0] != pair[1])
}

/// A shortest cycle, whatever the labels of its edges. It begins at a node that is no relay.
pub(super) fn any_shortest(graph: &Graph) -> Option<Vec<Edge>> {
    let components = graph.components(u8::MAX);
    if !components.cyclic() {
        return None;
    }
    let mut scratch = Scratch::default();
    let mut best: Option<Vec<Edge>> = None;
    let mut least = usize::MAX;
    let mut effort = EFFORT;
    for edge in graph.edges().iter().filter(|edge| !graph.is_relay(edge.from)) {
        let component = components.of[edge.from as usize];
        if component != components.of[edge.to as usize] || least <= 2 {
            continue;
        }
        let within = |node: u32| components.of[node as usize] == component;
        let walk = Walk { labels: u8::MAX, rw: RwRule::Never, needed: 0, within: &within };
        // The first search is for any cycle at all, and there is one.
        let mut first = usize::MAX;
        let effort = if best.is_none() { &mut first } else { &mut effort };
        if let Some(cycle) = graph.cycle(edge, &walk, least - 1, &mut scratch, effort) {
            least = cycle.iter().filter(|edge| edge.label != VIA).count();
            best = Some(cycle);
        }
        if *effort == 0 {
            break;
        }
    }
    best
}
