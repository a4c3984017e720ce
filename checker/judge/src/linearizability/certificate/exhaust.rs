//! Every order of a core, tried one after the other, with all other operations free to take effect at any time or never.
//!
//! Depth first, by the definition; what was tried is remembered so that it is tried once. It knows of the models only
//! [`Model::step`] and, so that it can leave out free operations that the core cannot tell of, these consequences of
//! what a [`Family`] promises:
//!
//! * A *register* forgets everything but the last value. Values that no member names, and that no free compare on the way
//!   to one compares with, are all the same to the members: a free write of such a value is written as one of them. First
//!   a free compare-and-set to such a value is too, without asking for its old value: that allows more than the history
//!   does, never less, so what is impossible then is impossible. If it is possible then, every value of a free
//!   compare-and-set counts as named.
//! * *Queues, stacks and priority queues*: of a free put and the take that undoes it neither is needed, unless a member took
//!   what was put. So free puts of elements that no member returned are out, and there are no more free takes than
//!   puts by members.
//! * *Sets*: elements are independent of each other, so free operations on elements that no member names are out.
//!
//! Free operations that ask for the same are counted, not told apart; between two members, those that lead from a state
//! back to it are not needed; and with more of each left one can do as much. Members that asked for the same and were told the same take
//! turns in the order of their returns. So a core of a mutex, which has hundreds, takes as many situations.

use std::collections::{BTreeSet, HashMap};

use sextant_histories::{Call, Operation, Outcome, Reply, Value};

use crate::linearizability::model::{Family, Model};

pub(super) enum Exhausted {
    Possible,
    Impossible,
    TooMany,
}

/// How many situations to remember before it is too many, and how much memory they may take.
const MOST: usize = 1_000_000;
const MOST_BYTES: usize = 1 << 30;

pub(super) fn exhaust<M: Model>(model: &M, members: &[&Operation], others: &[&Operation]) -> Exhausted {
    // A failed member takes no effect, and that is all there is to it.
    let members: Vec<&Operation> = members.iter().copied().filter(|member| member.outcome != Outcome::Fail).collect();
    let family = model.family();
    let coarse = any_order(model, &members, free(&family, &members, others, Swaps::Write));
    let swaps = others.iter().any(|other| matches!(other.call, Call::Cas { .. }));
    match coarse {
        Exhausted::Possible if swaps => any_order(model, &members, free(&family, &members, others, Swaps::Compare)),
        told => told,
    }
}

/// What a free compare-and-set to a value that no member names is taken for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Swaps {
    Write,
    Compare,
}

fn any_order<M: Model>(model: &M, members: &[&Operation], free: Vec<(Call, u32)>) -> Exhausted {
    let (calls, counts): (Vec<Call>, Vec<u32>) = free.into_iter().unzip();
    let first = Situation { done: vec![0; members.len().div_ceil(64)], state: model.initial(), left: counts };
    Trial { model, members, kinds: kinds(members), calls, seen: HashMap::new(), held: 0 }.any_order(first)
}

/// Of each member the number of its kind: those that asked for the same and were told the same.
fn kinds(members: &[&Operation]) -> Vec<usize> {
    let mut numbers: HashMap<(&Call, Option<&Reply>), usize> = HashMap::new();
    let mut kinds = Vec::with_capacity(members.len());
    for member in members {
        let next = numbers.len();
        kinds.push(*numbers.entry((&member.call, member.reply())).or_insert(next));
    }
    kinds
}

/// Where a partial order has come: which members are in, as bits, the state, and how many free operations of each kind are left.
#[derive(Clone)]
struct Situation<S> {
    done: Vec<u64>,
    state: S,
    left: Counts,
}

/// Of each kind of free operations how many are left.
type Counts = Vec<u32>;

impl<S> Situation<S> {
    fn is_done(&self, place: usize) -> bool {
        self.done[place / 64] >> (place % 64) & 1 == 1
    }
}

struct Trial<'a, M: Model> {
    model: &'a M,
    members: &'a [&'a Operation],
    kinds: Vec<usize>,
    calls: Vec<Call>,
    /// With how many free operations left each was tried, as none that has more of each.
    seen: HashMap<(Vec<u64>, M::State), Vec<Counts>>,
    held: usize,
}

impl<M: Model> Trial<'_, M> {
    fn any_order(&mut self, first: Situation<M::State>) -> Exhausted {
        let most = MOST.min(MOST_BYTES / (8 * first.done.len() + 4 * first.left.len() + 1));
        let mut untried = vec![first];
        while let Some(situation) = untried.pop() {
            let claims = |place: usize| !situation.is_done(place) && self.members[place].returned().is_some();
            if !(0..self.members.len()).any(claims) {
                return Exhausted::Possible;
            }
            if self.held >= most {
                return Exhausted::TooMany;
            }
            if self.is_new(&situation) {
                self.free_steps(&situation, &mut untried);
                self.member_steps(&situation, &mut untried);
            }
        }
        Exhausted::Impossible
    }

    /// Whether none was tried that has the same members, the same state, and as many free operations left of each kind, or
    /// more: it could do all that this one can.
    fn is_new(&mut self, situation: &Situation<M::State>) -> bool {
        let Situation { done, state, left } = situation;
        let tried = self.seen.entry((done.clone(), state.clone())).or_default();
        let no_less = |one: &[u32], other: &[u32]| one.iter().zip(other).all(|(one, other)| one >= other);
        if tried.iter().any(|other| no_less(other, left)) {
            return false;
        }
        let before = tried.len();
        tried.retain(|other| !no_less(left, other));
        self.held = self.held + 1 + tried.len() - before;
        tried.push(left.clone());
        true
    }

    fn free_steps(&self, situation: &Situation<M::State>, untried: &mut Vec<Situation<M::State>>) {
        for (kind, call) in self.calls.iter().enumerate().filter(|(kind, _)| situation.left[*kind] > 0) {
            let next = self.model.step(&situation.state, call, None);
            if let Some(state) = next.filter(|state| *state != situation.state) {
                let mut next = Situation { state, ..situation.clone() };
                next.left[kind] -= 1;
                untried.push(next);
            }
        }
    }

    /// Of several members of one kind that could be next the one that returns first is: whoever takes another can exchange
    /// the two. What stands between them was invoked before the first returned, so the other may stand behind it.
    fn member_steps(&self, situation: &Situation<M::State>, untried: &mut Vec<Situation<M::State>>) {
        let waiting = || self.members.iter().enumerate().filter(|(place, _)| !situation.is_done(*place));
        let end = |member: &Operation| member.returned().unwrap_or(usize::MAX);
        let earliest_return = waiting().map(|(_, member)| end(member)).min().unwrap_or(usize::MAX);
        let mut first: HashMap<usize, usize> = HashMap::new();
        for (place, member) in waiting().filter(|(_, member)| member.invoked.index <= earliest_return) {
            let first = first.entry(self.kinds[place]).or_insert(place);
            if end(member) < end(self.members[*first]) {
                *first = place;
            }
        }
        let mut places: Vec<usize> = first.into_values().collect();
        places.sort_unstable();
        for place in places {
            let member = self.members[place];
            if let Some(state) = self.model.step(&situation.state, &member.call, member.reply()) {
                let mut next = Situation { state, ..situation.clone() };
                next.done[place / 64] |= 1 << (place % 64);
                untried.push(next);
            }
        }
    }
}

/// The free operations that matter to `members`, as calls with their numbers.
fn free(family: &Family, members: &[&Operation], others: &[&Operation], swaps: Swaps) -> Vec<(Call, u32)> {
    let named: BTreeSet<&Value> = members.iter().flat_map(|member| names(member)).collect();
    let most = members.len() as u32 + 1;
    let counted = |keep: &dyn Fn(&Call) -> Option<Call>, most: &dyn Fn(&Call) -> u32| {
        let mut counts: Vec<(Call, u32)> = Vec::new();
        let mut places: HashMap<Call, usize> = HashMap::new();
        for call in others.iter().filter_map(|other| keep(&other.call)) {
            let place = *places.entry(call.clone()).or_insert_with(|| {
                counts.push((call, 0));
                counts.len() - 1
            });
            counts[place].1 += 1;
        }
        counts.iter_mut().for_each(|(call, count)| *count = most(call).min(*count));
        counts.retain(|(_, count)| *count > 0);
        counts
    };
    match family {
        Family::Register { .. } => {
            let mut named = compared_with(&named, others);
            if swaps == Swaps::Compare {
                named.extend(
                    others
                        .iter()
                        .filter_map(|other| match &other.call {
                            Call::Cas { old, new } => Some([old, new]),
                            _ => None,
                        })
                        .flatten(),
                );
            }
            let blank = blank(&named);
            let keep = |call: &Call| match call {
                Call::Write(value) | Call::Cas { new: value, .. } if !named.contains(value) => {
                    Some(Call::Write(blank.clone()))
                }
                Call::Write(_) | Call::Cas { .. } => Some(call.clone()),
                _ => None,
            };
            counted(&keep, &|_| most)
        }
        Family::Set => {
            let keep = |call: &Call| argument(call).is_some_and(|value| named.contains(value)).then(|| call.clone());
            counted(&keep, &|_| most)
        }
        Family::Mutex => counted(&|call| Some(call.clone()), &|_| most),
        Family::Queue | Family::Stack | Family::PriorityQueue => {
            let puts = members.iter().filter(|member| argument(&member.call).is_some()).count() as u32;
            let took = |member: &&&Operation, value: &Value| matches!(member.reply(), Some(Reply::Returned(taken)) if taken == value);
            let taken = |value: &Value| members.iter().filter(|member| took(member, value)).count() as u32;
            counted(&|call| Some(call.clone()), &|call| argument(call).map_or(puts, taken))
        }
        Family::General | Family::Counter { .. } => counted(&|call| Some(call.clone()), &|_| u32::MAX),
    }
}

/// The values that members name, and those that a free compare-and-set to such a value compares with.
fn compared_with<'a>(named: &BTreeSet<&'a Value>, others: &[&'a Operation]) -> BTreeSet<&'a Value> {
    let mut named = named.clone();
    loop {
        let before = named.len();
        for other in others {
            if let Call::Cas { old, new } = &other.call
                && named.contains(new)
            {
                named.insert(old);
            }
        }
        if named.len() == before {
            return named;
        }
    }
}

/// A value that is none of these.
fn blank(named: &BTreeSet<&Value>) -> Value {
    (0..).map(Value::Int).find(|value| !named.contains(value)).unwrap_or_default()
}

/// The value that an operation takes, if it takes one.
fn argument(call: &Call) -> Option<&Value> {
    match call {
        Call::Write(value)
        | Call::Add(value)
        | Call::Remove(value)
        | Call::Contains(value)
        | Call::Enqueue(value)
        | Call::Push(value)
        | Call::Insert(value) => Some(value),
        _ => None,
    }
}

/// The values in what an operation asked and was told.
fn names(operation: &Operation) -> Vec<&Value> {
    let mut named: Vec<&Value> = argument(&operation.call).into_iter().collect();
    if let Call::Cas { old, new } = &operation.call {
        named.extend([old, new]);
    }
    if let Some(Reply::Read(value) | Reply::Returned(value)) = operation.reply() {
        named.push(value);
    }
    // A set is read as the list of its elements.
    if let Some(Reply::Read(Value::List(seen))) = operation.reply() {
        named.extend(seen.iter());
    }
    named
}
