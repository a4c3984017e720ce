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
//! * *Several registers*: of a free transaction whose values no member read nothing is read before the next write.
//! * *Strings and lists* that are appended to: of a free operation whose piece no member read nothing is read before the next
//!   write, and one that is needed leaves the beginning of what a member read ([`beginnings`]).
//! * *Sets*: elements are independent of each other, so free operations on elements that no member names are out.
//!
//! Free operations that ask for the same are counted, not told apart; between two members, those that lead from a state
//! back to it are not needed; and who has used fewer of each can do as much. Where states are few, each kind is taken for
//! inexhaustible until an order uses more of it than there are: what is impossible then is impossible. Members that asked for the same and were told the same take
//! turns in the order of their returns. So a core of a mutex, which has hundreds, takes as many situations.

use std::collections::{BTreeSet, HashMap, HashSet};

use sextant_histories::{Call, Micro, MicroKind, Operation, Outcome, Reply, Value};

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
    // With no end of elements there is no end of states.
    let few_states = matches!(model.family(), Family::Register { .. } | Family::Mutex | Family::Set);
    let counted = vec![!few_states; calls.len()];
    let kinds = kinds(members);
    let useful = beginnings(model, members, &calls);
    let mut trial = Trial { model, members, kinds, calls, counts, counted, useful, seen: HashMap::new(), held: 0 };
    loop {
        match trial.any_order() {
            Tried::TooMuchOf(kinds) => kinds.into_iter().for_each(|kind| trial.counted[kind] = true),
            Tried::Ended(exhausted) => return exhausted,
        }
    }
}

enum Tried {
    Ended(Exhausted),
    /// There is an order, with more of these free operations than there are.
    TooMuchOf(Vec<usize>),
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

/// Where a partial order has come: which members are in, as bits, the state, and how many free operations of each kind are used.
#[derive(Clone)]
struct Situation<S> {
    done: Vec<u64>,
    state: S,
    used: Counts,
}

/// Of each kind of free operations, a number.
type Counts = Vec<u32>;

impl<S> Situation<S> {
    fn is_done(&self, place: usize) -> bool {
        self.done[place / 64] >> (place % 64) & 1 == 1
    }

    /// A place before which all are done, and not far before the first that is not.
    fn all_done_before(&self) -> usize {
        64 * self.done.iter().take_while(|word| **word == u64::MAX).count()
    }
}

struct Trial<'a, M: Model> {
    model: &'a M,
    members: &'a [&'a Operation],
    kinds: Vec<usize>,
    /// Free operations: what each kind asks for, how many there are, and whether that matters.
    calls: Vec<Call>,
    counts: Counts,
    counted: Vec<bool>,
    /// The states that a free operation may leave, if not all.
    useful: Option<HashSet<M::State>>,
    /// With how many free operations used each was tried, as none that used fewer of each.
    seen: HashMap<(Vec<u64>, M::State), Vec<Counts>>,
    held: usize,
}

impl<M: Model> Trial<'_, M> {
    fn any_order(&mut self) -> Tried {
        let done = vec![0; self.members.len().div_ceil(64)];
        let first = Situation { done, state: self.model.initial(), used: vec![0; self.calls.len()] };
        let most = MOST.min(MOST_BYTES / (8 * first.done.len() + 4 * first.used.len() + 1));
        self.seen.clear();
        self.held = 0;
        let mut untried = vec![first];
        while let Some(situation) = untried.pop() {
            let claims = |place: usize| !situation.is_done(place) && self.members[place].returned().is_some();
            if !(situation.all_done_before()..self.members.len()).any(claims) {
                let too_much = (0..self.calls.len()).filter(|kind| situation.used[*kind] > self.counts[*kind]);
                let too_much: Vec<usize> = too_much.collect();
                return match too_much[..] {
                    [] => Tried::Ended(Exhausted::Possible),
                    _ => Tried::TooMuchOf(too_much),
                };
            }
            if self.held >= most {
                return Tried::Ended(Exhausted::TooMany);
            }
            if self.is_new(&situation) {
                self.free_steps(&situation, &mut untried);
                self.member_steps(&situation, &mut untried);
            }
        }
        Tried::Ended(Exhausted::Impossible)
    }

    /// Whether none was tried that has the same members, the same state, and used as many free operations of each kind that is
    /// counted, or fewer: it could do all that this one can.
    fn is_new(&mut self, situation: &Situation<M::State>) -> bool {
        let Situation { done, state, used } = situation;
        let tried = self.seen.entry((done.clone(), state.clone())).or_default();
        let counted = &self.counted;
        let no_more = |one: &[u32], other: &[u32]| {
            one.iter().zip(other).zip(counted).all(|((one, other), counted)| !counted || one <= other)
        };
        if tried.iter().any(|other| no_more(other, used)) {
            return false;
        }
        let before = tried.len();
        tried.retain(|other| !no_more(used, other));
        self.held = self.held + 1 + tried.len() - before;
        tried.push(used.clone());
        true
    }

    fn free_steps(&self, situation: &Situation<M::State>, untried: &mut Vec<Situation<M::State>>) {
        let is_left = |kind: usize| !self.counted[kind] || situation.used[kind] < self.counts[kind];
        for (kind, call) in self.calls.iter().enumerate().filter(|(kind, _)| is_left(*kind)) {
            let next = self.model.step(&situation.state, call, None);
            let is_useful = |state: &M::State| self.useful.as_ref().is_none_or(|useful| useful.contains(state));
            if let Some(state) = next.filter(|state| *state != situation.state && is_useful(state)) {
                let mut next = Situation { state, ..situation.clone() };
                next.used[kind] += 1;
                untried.push(next);
            }
        }
    }

    /// Of several members of one kind that could be next the one that returns first is: whoever takes another can exchange
    /// the two. What stands between them was invoked before the first returned, so the other may stand behind it.
    fn member_steps(&self, situation: &Situation<M::State>, untried: &mut Vec<Situation<M::State>>) {
        let end = |member: &Operation| member.returned().unwrap_or(usize::MAX);
        // Members stand in order of invocation, so nothing behind the first that was invoked too late can be next.
        let mut earliest_return = usize::MAX;
        let mut waiting: Vec<usize> = Vec::new();
        for place in (situation.all_done_before()..self.members.len()).filter(|place| !situation.is_done(*place)) {
            if self.members[place].invoked.index > earliest_return {
                break;
            }
            earliest_return = end(self.members[place]).min(earliest_return);
            waiting.push(place);
        }
        let mut first: HashMap<usize, usize> = HashMap::new();
        for place in waiting {
            let member = self.members[place];
            if member.invoked.index > earliest_return {
                continue;
            }
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
        Family::Registers => {
            let reads = |step: &Micro, member: &Operation| {
                let same = |other: &Micro| {
                    other.kind == MicroKind::Read && (&other.key, &other.value) == (&step.key, &step.value)
                };
                matches!(member.reply(), Some(Reply::Txn(steps)) if steps.iter().any(same))
            };
            let is_read =
                |step: &Micro| step.kind == MicroKind::Write && members.iter().any(|member| reads(step, member));
            let keep = |call: &Call| match call {
                Call::Txn(steps) => steps.iter().any(is_read).then(|| call.clone()),
                _ => None,
            };
            counted(&keep, &|_| u32::MAX)
        }
        Family::Text { .. } | Family::List => {
            let shows = |call: &Call| members.iter().any(|member| is_in(call, member));
            counted(&|call| shows(call).then(|| call.clone()), &|_| u32::MAX)
        }
        Family::General | Family::Counter { .. } => counted(&|call| Some(call.clone()), &|_| u32::MAX),
    }
}

/// Of what members read, the states that pieces of free operations and members make of its beginnings; none where there is more
/// to a state than what is read.
fn beginnings<M: Model>(model: &M, members: &[&Operation], free: &[Call]) -> Option<HashSet<M::State>> {
    let family = model.family();
    if !matches!(family, Family::Text { .. } | Family::List) {
        return None;
    }
    let calls: HashSet<&Call> = free.iter().chain(members.iter().map(|member| &member.call)).collect();
    let mut beginnings = HashSet::new();
    let reads = members.iter().filter_map(|member| match member.reply() {
        Some(Reply::Read(read)) => Some(read),
        _ => None,
    });
    for read in reads {
        // How much of it, and the state then. What is set is the whole beginning.
        let mut open: Vec<(usize, M::State)> = vec![(initial_length(&family, read), model.initial())];
        open.extend(
            calls.iter().filter_map(|call| Some((set(call, read)?, model.step(&model.initial(), call, None)?))),
        );
        // A state can begin one read and go on in another.
        let mut met = HashSet::new();
        while let Some((length, state)) = open.pop() {
            if met.insert(state.clone()) {
                let goes_on =
                    |call: &&Call| Some((length + goes_on(call, read, length)?, model.step(&state, call, None)?));
                open.extend(calls.iter().filter_map(goes_on));
            }
        }
        beginnings.extend(met);
    }
    Some(beginnings)
}

/// How much of what was read is there at first; nothing where it cannot begin so.
fn initial_length(family: &Family, read: &Value) -> usize {
    match (family, read) {
        (Family::Text { initial: Value::Str(initial) }, Value::Str(text)) if text.starts_with(&**initial) => {
            initial.len()
        }
        _ => 0,
    }
}

/// How much of what was read a write can have set.
fn set(call: &Call, read: &Value) -> Option<usize> {
    match (call, read) {
        (Call::Write(Value::Str(piece)), Value::Str(text)) => text.starts_with(&**piece).then_some(piece.len()),
        (Call::Write(written), read) => (written == read).then_some(0),
        _ => None,
    }
}

/// How much more an append makes of what was read, behind its first `length` bytes or elements.
fn goes_on(call: &Call, read: &Value, length: usize) -> Option<usize> {
    match (call, read) {
        (Call::Append(Value::Str(piece)), Value::Str(text)) => {
            text.get(length..)?.starts_with(&**piece).then_some(piece.len())
        }
        (Call::Append(element), Value::List(elements)) => (elements.get(length)? == element).then_some(1),
        _ => None,
    }
}

/// Whether what an operation puts in can be a part of what another one read: of a string or a list.
fn is_in(call: &Call, read: &Operation) -> bool {
    match (call, read.reply()) {
        (Call::Append(Value::Str(piece)), Some(Reply::Read(Value::Str(text)))) => text.contains(&**piece),
        (Call::Write(Value::Str(piece)), Some(Reply::Read(Value::Str(text)))) => text.starts_with(&**piece),
        (Call::Write(other), Some(Reply::Read(read))) => other == read,
        (Call::Append(element), Some(Reply::Read(Value::List(elements)))) => elements.contains(element),
        _ => false,
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
