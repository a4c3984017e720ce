//! A naive closed world with an explicit message set, against the world that stores none.
//!
//! It drives the same step functions and shares nothing else: every request and every reply ever sent stays in a set and
//! may be delivered at any time, any number of times. Append and sync are two actions; a crash keeps any prefix of what was
//! not synced; a recovery decides with any number of answers from a read quorum up; allocation is an action of its own;
//! nothing is forgotten, no two segments are interchangeable. Refusals are never delivered. One thing keeps it finite: a
//! request that would append an entry equal to one that waits for its sync is delivered after that sync.
//!
//! Nothing else is simplified with two copies and one recovery. The same world of three copies has more than forty million
//! states, so there a reply is heard when it is sent, or never ([`ONCE_OR_NEVER`]; asking again may always bring another);
//! for three copies and two recoveries sync follows append at once besides ([`SYNCED_ONCE_OR_NEVER`]).
//!
//! States are compared in full. Each part of a state is interned: equal numbers are equal parts.
#![allow(clippy::disallowed_types, reason = "a visited set of millions; nothing here depends on its order")]

#[path = "../common/mod.rs"]
mod common;
mod compare;
mod facts;
mod search;

use common::{at_three, explore};
use compare::{Shape, outcomes_of, shape};
use sextant_model::bounds::{Bounds, Switch};
use sextant_model::closed::Closed;
use sextant_model::disk::{Entry, Image};
use sextant_model::group::Group;
use sextant_model::instance::{self, Instance, Phase};
use sextant_model::logset::{Bits, FewRanges, LogSet, RangeList};
use sextant_model::metadata::{Change, Metadata};
use sextant_model::mutants::{MUTANTS, by_id};
use sextant_model::recovery::Decision;
use sextant_model::rules::{Rules, Scheme};
use sextant_model::segment::{self, Answer, Reply, Segment};
use sextant_model::types::{Epoch, Lsn, Nonce, SegmentId};
use sextant_model::world::World;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::hash::Hash;
use std::rc::Rc;

const NOBODY: u16 = u16::MAX;

// --- the parts of a state ----------------------------------------------------------------------------------------

/// A segment, and who is owed the reply to each entry that waits for its sync; nobody where gossip brought it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Node {
    segment: Segment<Bits>,
    owed: Vec<Option<u8>>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Message {
    FenceRead { from: u8, to: SegmentId, ve: Epoch },
    Truncate { from: u8, to: SegmentId, ve: Epoch, ranges: FewRanges },
    Write { from: u8, to: SegmentId, ve: Epoch, lsn: Lsn },
    Confirm { from: u8, to: SegmentId, ve: Epoch, nonce: Nonce },
    Gossip { to: SegmentId, trunc_ve: Epoch, lsn: Lsn },
    Fenced { from: SegmentId, to: u8, ve: Epoch, answer: Answer<Bits> },
    Truncated { from: SegmentId, to: u8, ve: Epoch, scl: Lsn },
    Acknowledged { from: SegmentId, to: u8, ve: Epoch, lsn: Lsn, scl: Lsn },
    Confirmed { from: SegmentId, to: u8, ve: Epoch, nonce: Nonce },
}

/// What the properties speak of, recorded from effects, and what belongs to no actor. By instance where it is a list.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Ghost {
    metadata: Metadata,
    epochs: Vec<Epoch>,
    allocated: Vec<Vec<Lsn>>,
    /// The last commit acknowledged to a client.
    acked: Vec<Lsn>,
    decided: Vec<Option<Decision<Bits>>>,
    opened: Vec<Option<Decision<Bits>>>,
    /// The floor of the client read that waits.
    read: Option<Lsn>,
    reads: u8,
    crashes: u8,
    wipes: u8,
}

/// Sent messages, by their interned number.
type Sent = [u64; 8];

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct State<const N: usize> {
    nodes: [u16; N],
    instances: [u16; 3],
    sent: Sent,
    ghost: u16,
}

struct Pool<T> {
    items: Vec<Rc<T>>,
    ids: HashMap<Rc<T>, u16>,
}

impl<T: Eq + Hash> Pool<T> {
    fn new() -> Self {
        Pool { items: Vec::new(), ids: HashMap::new() }
    }

    fn intern(&mut self, item: T) -> u16 {
        if let Some(&id) = self.ids.get(&item) {
            return id;
        }
        let id = u16::try_from(self.items.len()).expect("the pool is too small");
        assert!(id != NOBODY, "the pool is too small");
        let item = Rc::new(item);
        self.items.push(item.clone());
        self.ids.insert(item, id);
        id
    }

    fn get(&self, id: u16) -> Rc<T> {
        self.items[usize::from(id)].clone()
    }
}

// --- the search --------------------------------------------------------------------------------------------------

/// What may be simplified where the fully naive world does not fit.
#[derive(Clone, Copy, Debug)]
struct Simplified {
    /// Sync follows append at once, unless a reply left first.
    sync_at_once: Switch,
    replies: Replies,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Replies {
    /// Each stays deliverable for ever.
    Kept,
    /// Each is delivered when it is sent, or lost.
    OnceOrNever,
}

const FULLY_NAIVE: Simplified = Simplified { sync_at_once: Switch::Off, replies: Replies::Kept };

/// What a stimulus does to one segment.
struct NodeStep {
    node: u16,
    /// Replies sent, in order.
    replies: Vec<u16>,
    gossip: Sent,
    /// The instance whose write or confirmation was served.
    served: Option<u8>,
}

/// What a stimulus does to one instance.
struct InstanceStep {
    instance: u16,
    requests: Sent,
    effects: Vec<instance::Effect>,
    decision: Option<Decision<Bits>>,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Stimulus {
    Message(u16),
    Sync,
    Crash { kept: usize },
    Wipe,
    Decide,
    Allocate,
    Read,
    BeginRound,
}

struct Naive<const N: usize> {
    rules: Rules,
    bounds: Bounds,
    simplified: Simplified,
    nodes: Pool<(u8, Node)>,
    instances: Pool<(u8, Instance<Bits, N>)>,
    messages: Pool<Message>,
    ghosts: Pool<Ghost>,
    node_steps: HashMap<(u16, Stimulus), Option<Rc<NodeStep>>>,
    instance_steps: HashMap<(u16, Stimulus), Option<Rc<InstanceStep>>>,
    judged: HashSet<(u16, u16)>,
    violated: BTreeSet<&'static str>,
}

/// Two copies, both to write, one to read: small enough for every simplification to be off.
const TWO_COPIES: Scheme = Scheme { copies: 2, zones: 2, write: 2, read: 1 };

/// The properties that the naive world judges.
const JUDGED: [&str; 14] = ["S1", "S3", "S4", "S5", "S5b", "S7", "S9", "S10", "S11", "S12", "S13", "S14", "S15", "S33"];

const ONCE_OR_NEVER: Simplified = Simplified { replies: Replies::OnceOrNever, ..FULLY_NAIVE };
const SYNCED_ONCE_OR_NEVER: Simplified = Simplified { sync_at_once: Switch::On, replies: Replies::OnceOrNever };

const LIMIT: usize = 3_000_000;

fn with_scheme(rules: Rules, scheme: Scheme) -> Rules {
    let mut small = rules;
    small.scheme = scheme;
    small
}

/// The properties that the naive world violates, and those that the reduced one does.
fn verdicts<const N: usize>(
    name: &str,
    rules: Rules,
    bounds: Bounds,
    simplified: Simplified,
) -> (BTreeSet<&'static str>, BTreeSet<&'static str>) {
    let mut naive = Naive::<N>::new(rules, bounds, simplified);
    let states = naive.explore(LIMIT).len();
    let world = explore(&Closed::<Group<N>>::new(rules, bounds), LIMIT);
    let reduced: BTreeSet<_> = world.violated.iter().copied().filter(|id| JUDGED.contains(id)).collect();
    println!("{name:>4} at {N} copies, {bounds}: {states} naive states, {} reduced, {reduced:?}", world.states.len());
    (naive.violated, reduced)
}

fn verdicts_differ<const N: usize>(name: &str, rules: Rules, bounds: Bounds, simplified: Simplified) -> Option<String> {
    let (naive, reduced) = verdicts::<N>(name, rules, bounds, simplified);
    (naive != reduced).then(|| format!("{name} at {bounds}: naive {naive:?}, reduced {reduced:?}"))
}

fn agree_on_shapes_and_outcomes<const N: usize>(rules: Rules, bounds: Bounds, simplified: Simplified) {
    let mut naive = Naive::<N>::new(rules, bounds, simplified);
    let states = naive.explore(LIMIT);
    assert!(naive.violated.is_empty(), "the adopted rules break {:?}", naive.violated);
    let shapes: BTreeSet<Shape> = states.iter().filter_map(|state| naive.shape(state)).collect();
    let forgotten: BTreeSet<Shape> = shapes.iter().flat_map(Shape::forgotten).collect();
    let outcomes = naive.outcomes(&states);
    let wide = bounds.remembering().with_late_answers().with_late_fences().with_idle_writers();
    for (bounds, shapes) in [(wide, &shapes), (bounds.remembering(), &shapes), (bounds, &forgotten)] {
        let world = explore(&Closed::<Group<N>>::new(rules, bounds), LIMIT);
        assert!(world.violated.is_empty(), "the adopted rules break {:?}", world.violated);
        let reached: BTreeSet<Shape> =
            world.states.iter().map(|w| shape(w.segments.iter(), w.instances.iter())).collect();
        let false_behaviour = reached.iter().find(|shape| !shapes.contains(shape));
        assert_eq!(false_behaviour, None, "the reduced world reaches what the naive one does not, at {bounds}");
        println!(
            "N={N}, {bounds}: {} naive states of {} shapes, {} reduced states of {} shapes, {} outcomes",
            states.len(),
            shapes.len(),
            world.states.len(),
            reached.len(),
            outcomes.len()
        );
        let reduced = outcomes_of(&world.states);
        let missed: Vec<_> = outcomes.difference(&reduced).take(3).collect();
        let invented: Vec<_> = reduced.difference(&outcomes).take(3).collect();
        assert!(missed.is_empty() && invented.is_empty(), "at {bounds}: missed {missed:?}, invented {invented:?}");
    }
}

// --- tests -------------------------------------------------------------------------------------------------------

#[test]
fn two_copies_agree_with_nothing_simplified() {
    let adopted = with_scheme(Rules::adopted(), TWO_COPIES);
    agree_on_shapes_and_outcomes::<2>(adopted, Bounds::of(1, 1), FULLY_NAIVE);
    agree_on_shapes_and_outcomes::<2>(adopted, Bounds::of(1, 1).gossiping(), FULLY_NAIVE);
}

#[test]
fn two_copies_and_two_recoveries_agree() {
    let adopted = with_scheme(Rules::adopted(), TWO_COPIES);
    agree_on_shapes_and_outcomes::<2>(adopted, Bounds::of(1, 2), ONCE_OR_NEVER);
}

#[test]
fn three_copies_agree() {
    let adopted = at_three(Rules::adopted());
    agree_on_shapes_and_outcomes::<3>(adopted, Bounds::of(1, 1), ONCE_OR_NEVER);
    agree_on_shapes_and_outcomes::<3>(adopted, Bounds::of(1, 1).gossiping(), ONCE_OR_NEVER);
}

#[test]
fn three_copies_and_two_recoveries_agree() {
    let adopted = at_three(Rules::adopted());
    agree_on_shapes_and_outcomes::<3>(adopted, Bounds::of(1, 2), SYNCED_ONCE_OR_NEVER);
}

/// With gossip, one recovery. M57 confirms by two, which is the read quorum of three copies.
#[test]
fn every_mutant_breaks_the_same_properties_at_three_copies() {
    let mut disagreements = Vec::new();
    for mutant in MUTANTS.iter().filter(|mutant| mutant.id != "M57") {
        let recoveries_max = if mutant.bounds.gossip.is_on() { 1 } else { 2 };
        let recoveries = mutant.bounds.recoveries.min(recoveries_max);
        let bounds = Bounds { records: 1, lal: 1, recoveries, ..mutant.bounds };
        let rules = at_three(mutant.rules);
        disagreements.extend(verdicts_differ::<3>(mutant.id, rules, bounds, SYNCED_ONCE_OR_NEVER));
    }
    assert_eq!(disagreements, Vec::<String>::new());
}

/// At two copies the lowered thresholds of M1, M2 and M57 are none.
#[test]
fn every_mutant_breaks_the_same_properties_at_two_copies() {
    let mut disagreements = Vec::new();
    for mutant in MUTANTS.iter().filter(|mutant| !["M1", "M2", "M57"].contains(&mutant.id)) {
        let recoveries = mutant.bounds.recoveries.min(2);
        let bounds = Bounds { records: 1, lal: 1, recoveries, ..mutant.bounds };
        let simplified = if recoveries == 1 { ONCE_OR_NEVER } else { SYNCED_ONCE_OR_NEVER };
        disagreements.extend(verdicts_differ::<2>(
            mutant.id,
            with_scheme(mutant.rules, TWO_COPIES),
            bounds,
            simplified,
        ));
    }
    assert_eq!(disagreements, Vec::<String>::new());
}

/// The mutants whose fully naive world is small. Where replies come late, a writer may learn after a newer one opened that
/// its record was quorate before: the naive world, which judges S9 by what the writer commits, finds that as well. The
/// world hears at once and finds the same loss as S1.
#[test]
fn mutants_break_the_same_properties_with_nothing_simplified() {
    let mut late = Vec::new();
    for id in ["M3", "M6", "M10", "M15"] {
        let mutant = by_id(id).unwrap();
        let bounds = Bounds { recoveries: 1, ..mutant.bounds };
        let (naive, reduced) = verdicts::<2>(id, with_scheme(mutant.rules, TWO_COPIES), bounds, FULLY_NAIVE);
        let without_s9 =
            |violated: &BTreeSet<_>| violated.iter().copied().filter(|id| *id != "S9").collect::<Vec<&str>>();
        assert_eq!(without_s9(&naive), without_s9(&reduced), "{id} at {bounds}");
        if naive != reduced {
            assert!(naive.contains("S9") && reduced.contains("S1"), "{id}: {naive:?} {reduced:?}");
            late.push(id);
        }
    }
    assert_eq!(late, ["M3", "M6"]);
}

#[test]
fn two_records_agree() {
    let mut disagreements = Vec::new();
    for id in ["M7", "M16", "M19"] {
        let mutant = by_id(id).unwrap();
        disagreements.extend(verdicts_differ::<3>(id, at_three(mutant.rules), mutant.bounds, SYNCED_ONCE_OR_NEVER));
    }
    assert_eq!(disagreements, Vec::<String>::new());
}
