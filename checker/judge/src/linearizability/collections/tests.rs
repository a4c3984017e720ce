//! Three answers to the same small histories: the algorithm of the family, the general search, and the definition, which
//! knows the objects by code of its own. On longer ones stateright's tester stands in for the definition.

use sextant_histories::generate::Rng;
use sextant_histories::{Call, Event, History, Kind, Operation, Outcome, Reply, Value};
use stateright::semantics::{ConsistencyTester, LinearizabilityTester, SequentialSpec};

use super::decide;
use crate::linearizability::automaton::Automaton;
use crate::linearizability::model::Model;
use crate::linearizability::models::{Counter, Mutex, PriorityQueue, Queue, Set, Stack};
use crate::linearizability::plan::Plan;
use crate::linearizability::prune::{Candidate, took_part};
use crate::linearizability::search::{ALONE, Budget, Found, search_in};
use crate::linearizability::{Linearization, verify};

/// What an object is to these tests: a list, and what each operation does to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Object {
    Queue,
    Stack,
    PriorityQueue,
    /// Without whole reads.
    Set,
    /// With whole reads.
    ListedSet,
    Counter,
    Mutex,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Sequential(Object, Vec<Value>);

impl Sequential {
    fn take(&mut self, place: Option<usize>) -> Reply {
        Reply::Returned(place.map_or(Value::Null, |place| self.1.remove(place)))
    }
}

impl SequentialSpec for Sequential {
    type Op = Call;
    type Ret = Reply;

    /// The fullest answer. A lock that is not in the state for it answers null.
    fn invoke(&mut self, call: &Call) -> Reply {
        let found = |list: &[Value], value: &Value| list.iter().position(|other| other == value);
        let sum = |list: &[Value]| list.iter().map(|value| if let Value::Int(more) = value { *more } else { 0 }).sum();
        match call {
            Call::Enqueue(value) | Call::Push(value) | Call::Insert(value) => {
                self.1.push(value.clone());
                Reply::Done
            }
            Call::Dequeue => self.take((!self.1.is_empty()).then_some(0)),
            Call::Pop => self.take(self.1.len().checked_sub(1)),
            Call::PopMin => self.take((0..self.1.len()).min_by_key(|place| &self.1[*place])),
            Call::Add(value) if self.0 == Object::Counter => {
                self.1.push(value.clone());
                Reply::Done
            }
            Call::Read if self.0 == Object::Counter => Reply::Read(Value::Int(sum(&self.1))),
            Call::Read => Reply::Read(self.1.iter().cloned().collect()),
            Call::Add(value) => {
                let new = found(&self.1, value).is_none();
                self.1.extend(new.then(|| value.clone()));
                Reply::Returned(new.into())
            }
            Call::Remove(value) => {
                let place = found(&self.1, value);
                place.map(|place| self.1.remove(place));
                Reply::Returned(place.is_some().into())
            }
            Call::Contains(value) => Reply::Returned(found(&self.1, value).is_some().into()),
            Call::Acquire | Call::Release if (*call == Call::Acquire) == self.1.is_empty() => {
                self.1 = if self.1.is_empty() { vec![Value::Null] } else { vec![] };
                Reply::Done
            }
            _ => Reply::Returned(Value::Null),
        }
    }

    fn is_valid_step(&mut self, call: &Call, said: &Reply) -> bool {
        let is = self.invoke(call);
        match (call, said, &is) {
            (Call::Add(_) | Call::Remove(_), Reply::Done, _) => true,
            (Call::Read, Reply::Read(Value::List(said)), Reply::Read(Value::List(is))) => {
                let (mut said, mut is) = (said.to_vec(), is.to_vec());
                said.sort();
                is.sort();
                said == is
            }
            _ => *said == is,
        }
    }
}

/// The definition: is there a sequence that respects real time, has every operation that must be in it, and that the object
/// could have shown? An operation that is not `strict` may be left out, or come at any time; if it has a reply, it keeps it.
fn definition_says(object: &Sequential, remaining: &[(&Operation, bool)]) -> bool {
    if remaining.iter().all(|(operation, strict)| !strict || operation.reply().is_none()) {
        return true;
    }
    (0..remaining.len()).any(|next| {
        let (chosen, strict) = remaining[next];
        let mut rest = remaining.to_vec();
        rest.remove(next);
        let early = |(other, others): &(&Operation, bool)| {
            !*others || other.returned().is_none_or(|end| end > chosen.invoked.index)
        };
        let mut object = object.clone();
        let fits = match chosen.reply() {
            Some(reply) => object.is_valid_step(&chosen.call, reply),
            // A lock has no step where it is not in the state for it.
            None => object.invoke(&chosen.call) != Reply::Returned(Value::Null) || object.0 != Object::Mutex,
        };
        (!strict || rest.iter().all(early)) && fits && definition_says(&object, &rest)
    })
}

fn stateright_says(object: Object, history: &History) -> bool {
    let mut tester = LinearizabilityTester::new(Sequential(object, Vec::new()));
    let mut events: Vec<(usize, &Operation, bool)> = Vec::new();
    for operation in history.operations().iter().filter(|operation| operation.outcome != Outcome::Fail) {
        events.push((operation.invoked.index, operation, true));
        events.extend(operation.returned().map(|end| (end, operation, false)));
    }
    events.sort_by_key(|(index, _, _)| *index);
    for (_, operation, invokes) in events {
        if invokes {
            tester.on_invoke(operation.process, operation.call.clone()).unwrap();
        } else {
            tester.on_return(operation.process, operation.reply().unwrap().clone()).unwrap();
        }
    }
    tester.is_consistent()
}

/// A small history: processes invoke and complete at random, operations take effect at random in between, and the replies
/// are true, but for one or two. Elements go in once unless `reuse`.
struct Maker {
    rng: Rng,
    object: Object,
    reuse: bool,
    fresh: i64,
}

impl Maker {
    fn element(&mut self) -> Value {
        let range = if self.reuse { 3 } else { self.fresh.max(1) as usize + 1 };
        Value::Int(1 + self.rng.below(range) as i64)
    }

    fn new_element(&mut self) -> Value {
        if self.reuse {
            return self.element();
        }
        self.fresh += 1;
        // Not ascending, for the sake of priorities.
        Value::Int(if self.object == Object::PriorityQueue { self.fresh * 7 % 10_007 } else { self.fresh })
    }

    fn call(&mut self) -> Call {
        let first = self.rng.below(2) == 0;
        match self.object {
            Object::Queue if first => Call::Enqueue(self.new_element()),
            Object::Queue => Call::Dequeue,
            Object::Stack if first => Call::Push(self.new_element()),
            Object::Stack => Call::Pop,
            Object::PriorityQueue if first => Call::Insert(self.new_element()),
            Object::PriorityQueue => Call::PopMin,
            Object::Counter if first => Call::Add(Value::Int(if self.reuse { self.rng.below(3) as i64 } else { 2 })),
            Object::Counter => Call::Read,
            Object::Mutex if first => Call::Acquire,
            Object::Mutex => Call::Release,
            Object::Set if first => Call::Add(self.new_element()),
            Object::Set if self.rng.below(2) == 0 => Call::Remove(self.element()),
            Object::Set => Call::Contains(self.element()),
            Object::ListedSet if first => Call::Add(self.new_element()),
            Object::ListedSet if self.rng.below(4) == 0 => Call::Contains(self.element()),
            Object::ListedSet if self.reuse && self.rng.below(3) == 0 => Call::Remove(self.element()),
            Object::ListedSet => Call::Read,
        }
    }

    fn lie(&mut self, call: &Call, truth: Reply) -> Reply {
        match (call, truth) {
            (Call::Dequeue | Call::Pop | Call::PopMin, _) if self.rng.below(3) == 0 => Reply::Returned(Value::Null),
            (Call::Dequeue | Call::Pop | Call::PopMin, _) => Reply::Returned(self.element()),
            (_, Reply::Read(Value::Int(_))) => Reply::Read(Value::Int(2 * self.rng.below(4) as i64)),
            (_, Reply::Read(Value::List(list))) => {
                let mut list = list.to_vec();
                if self.rng.below(2) == 0 && !list.is_empty() {
                    list.remove(self.rng.below(list.len()));
                } else {
                    list.push(self.element());
                }
                Reply::Read(list.into_iter().collect())
            }
            (_, Reply::Returned(Value::Bool(truth))) => Reply::Returned((!truth).into()),
            (_, truth) => truth,
        }
    }

    fn history(&mut self, events: usize, processes: usize, lies: usize, unknowns: usize) -> History {
        let mut object = Sequential(self.object, Vec::new());
        let mut open: Vec<Option<(Call, Option<Reply>)>> = vec![None; processes];
        let mut names: Vec<u64> = (0..processes as u64).collect();
        let mut made = Vec::new();
        for _ in 0..events {
            let process = self.rng.below(processes);
            let name = names[process];
            // Somebody's operation takes effect.
            let somebody = self.rng.below(processes);
            for chosen in [somebody, process] {
                if let Some((call, reply @ None)) = &mut open[chosen]
                    && self.rng.below(2) == 0
                {
                    *reply = Some(object.invoke(call));
                }
            }
            let (call, kind) = match open[process].take() {
                None => {
                    let call = self.call();
                    open[process] = Some((call.clone(), None));
                    (call, Kind::Invoke)
                }
                Some((call, reply)) if self.rng.below(100) < unknowns => {
                    names[process] = names.iter().max().unwrap() + 1;
                    // It may still take effect, though nobody waits.
                    if reply.is_none() && self.rng.below(2) == 0 {
                        object.invoke(&call);
                    }
                    (call, Kind::Info)
                }
                Some((call, reply)) => {
                    let reply = reply.unwrap_or_else(|| object.invoke(&call));
                    let kind = self.complete(&call, reply, lies);
                    (call, kind)
                }
            };
            made.push(Event { process: name, kind, call, key: "x".into(), time: None });
        }
        History::from_events(made).unwrap()
    }

    fn complete(&mut self, call: &Call, reply: Reply, lies: usize) -> Kind {
        let lock = matches!(call, Call::Acquire | Call::Release);
        if lock && reply != Reply::Done {
            return if self.rng.below(100) < lies { Kind::Ok(Reply::Done) } else { Kind::Fail };
        }
        let reply = if self.rng.below(100) < lies { self.lie(call, reply) } else { reply };
        match call {
            Call::Add(_) | Call::Remove(_) if self.object != Object::Counter && self.rng.below(3) == 0 => {
                Kind::Ok(Reply::Done)
            }
            _ => Kind::Ok(reply),
        }
    }
}

fn budget() -> Budget {
    Budget::unlimited()
}

fn general<M: Model>(candidates: &[Candidate<'_>], model: &M) -> bool {
    let mut automaton = Automaton::new(model);
    let plan = Plan::new(candidates, model, &mut automaton);
    let mut says = |beams: &[usize]| match search_in(beams, &plan, &mut automaton, budget(), ALONE) {
        Found::Order(_) => true,
        Found::Violation(_) => false,
        other => panic!("{other:?}"),
    };
    let says_all = says(&[usize::MAX]);
    assert_eq!(says(&[1, 3, usize::MAX]), says_all, "in a beam: {candidates:?}");
    says_all
}

#[derive(Debug, Default)]
struct Tally {
    valid: usize,
    invalid: usize,
    passed_on: usize,
    /// Of the valid and invalid ones, those with an indeterminate operation.
    uncertain: usize,
    conflicts: usize,
}

fn text(history: &History) -> String {
    history.to_events().iter().map(|event| event.to_line().unwrap() + "\n").collect()
}

impl Tally {
    fn judge<M: Model>(&mut self, object: Object, model: &M, history: &History) {
        let operations: Vec<(usize, &Operation)> = history.operations().iter().enumerate().collect();
        let candidates = took_part(&operations);
        let truth = general(&candidates, model);
        let strict: Vec<(&Operation, bool)> = operations
            .iter()
            .filter(|(_, operation)| operation.outcome != Outcome::Fail)
            .map(|(_, operation)| (*operation, true))
            .collect();
        if strict.len() <= 7 {
            let defined = definition_says(&Sequential(object, Vec::new()), &strict);
            assert_eq!(truth, defined, "the general search and the definition\n{}", text(history));
        }
        if history.operations().len() <= 9 {
            assert_eq!(truth, stateright_says(object, history), "the search and stateright\n{}", text(history));
        }
        let Some(found) = decide(&candidates, &model.family(), budget(), ALONE) else {
            self.passed_on += 1;
            return;
        };
        self.uncertain += usize::from(candidates.iter().any(|candidate| candidate.reply.is_none()));
        match found {
            Found::Order(order) => {
                assert!(truth, "an order of an invalid history\n{}", text(history));
                self.valid += 1;
                let order = order.into_iter().map(|item| candidates[item].operation).collect();
                let linearization = Linearization { key: "x".into(), order };
                let verdict = verify(history, model, std::slice::from_ref(&linearization));
                assert_eq!(verdict, Ok(()), "{linearization:?}\n{}", text(history));
            }
            Found::Conflict(items) => {
                assert!(!truth, "a conflict {items:?} in a valid history\n{}", text(history));
                self.invalid += 1;
                self.conflict(object, model, &candidates, &items, history);
            }
            other => panic!("{other:?}\n{}", text(history)),
        }
    }

    /// A conflict is contradictory by itself, and also with everything else at any time or never.
    fn conflict<M: Model>(
        &mut self,
        object: Object,
        model: &M,
        candidates: &[Candidate<'_>],
        items: &[usize],
        history: &History,
    ) {
        let mut once = items.to_vec();
        once.sort_unstable();
        once.dedup();
        let alone: Vec<Candidate<'_>> = once.iter().map(|item| candidates[*item]).collect();
        assert!(!general(&alone, model), "{items:?} alone\n{}", text(history));
        if candidates.len() <= 7 {
            let strict = |item: usize| (&history.operations()[candidates[item].operation], once.contains(&item));
            let weakened: Vec<(&Operation, bool)> = (0..candidates.len()).map(strict).collect();
            let shown = definition_says(&Sequential(object, Vec::new()), &weakened);
            assert!(!shown, "{items:?} with the others weakened\n{}", text(history));
            self.conflicts += 1;
        }
    }
}

fn compare<M: Model>(object: Object, model: &M, rounds: u64) -> Tally {
    let mut tally = Tally::default();
    for seed in 0..rounds {
        let mut rng = Rng::new(seed);
        let events = 6 + rng.below(18);
        let processes = 2 + rng.below(3);
        let (lies, unknowns) = ([0, 20, 50][rng.below(3)], [0, 0, 15, 35][rng.below(4)]);
        let mut maker = Maker { rng, object, reuse: seed % 16 == 15, fresh: 0 };
        tally.judge(object, model, &maker.history(events, processes, lies, unknowns));
    }
    println!("{object:?}: {tally:?}");
    tally
}

const ROUNDS: u64 = 30_000;

fn expect(tally: &Tally, most_passed_on: usize) {
    assert!(tally.valid > 8_000 && tally.invalid > 4_000 && tally.uncertain > 3_000, "{tally:?}");
    assert!(tally.passed_on < most_passed_on && tally.conflicts > 1_500, "{tally:?}");
}

#[test]
fn queue() {
    expect(&compare(Object::Queue, &Queue, ROUNDS), 2_000);
}

#[test]
fn stack() {
    expect(&compare(Object::Stack, &Stack, ROUNDS), 3_000);
}

#[test]
fn priority_queue() {
    expect(&compare(Object::PriorityQueue, &PriorityQueue, ROUNDS), 3_000);
}

#[test]
fn set() {
    expect(&compare(Object::Set, &Set, ROUNDS), 1);
}

#[test]
fn set_with_reads() {
    expect(&compare(Object::ListedSet, &Set, ROUNDS), 3_000);
}

#[test]
fn counter() {
    expect(&compare(Object::Counter, &Counter::default(), ROUNDS), 3_000);
}

#[test]
fn mutex() {
    expect(&compare(Object::Mutex, &Mutex, ROUNDS), 1);
}

/// Longer histories, true and with indeterminate operations: an order that replays, or, seldom, no answer.
fn long<M: Model>(object: Object, model: &M, most_passed_on: usize) {
    let mut passed_on = 0;
    for seed in 0..300 {
        let mut maker = Maker { rng: Rng::new(seed), object, reuse: false, fresh: 0 };
        let history = maker.history(1_500, 8, 0, 2);
        let operations: Vec<(usize, &Operation)> = history.operations().iter().enumerate().collect();
        let candidates = took_part(&operations);
        match decide(&candidates, &model.family(), budget(), ALONE) {
            Some(Found::Order(order)) => {
                let order = order.into_iter().map(|item| candidates[item].operation).collect();
                assert_eq!(verify(&history, model, &[Linearization { key: "x".into(), order }]), Ok(()), "{seed}");
            }
            Some(other) => panic!("seed {seed}: {other:?}"),
            None => passed_on += 1,
        }
    }
    println!("{object:?}: {passed_on} of 300 passed on");
    assert!(passed_on <= most_passed_on, "{object:?}: {passed_on} of 300 passed on");
}

#[test]
fn long_histories_with_indeterminate_operations() {
    long(Object::Queue, &Queue, 0);
    long(Object::Stack, &Stack, 10);
    long(Object::PriorityQueue, &PriorityQueue, 10);
    long(Object::Set, &Set, 0);
    long(Object::ListedSet, &Set, 0);
    long(Object::Counter, &Counter::default(), 0);
    long(Object::Mutex, &Mutex, 0);
}
