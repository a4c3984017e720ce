//! Ten thousand small histories of every model, valid and not, judged by algorithms that share nothing:
//!
//! 1. the checker, which takes the polynomial algorithm of the model's family where there is one;
//! 2. its general search, to which the model tells nothing of itself, so that nothing is pruned and no family is known;
//! 3. the definition, over objects that are written here once more (`objects`).
//!
//! Of what is valid, the certificate passes the verifier, and its order is walked over those objects as well. Of what is
//! not, the core fails with all others weakened, and no longer once any member is weakened too, both by the definition.

mod objects;
// Only its calls and answers: which events there are is drawn here.
#[allow(dead_code)]
#[path = "../small/mod.rs"]
mod small;

use std::cell::Cell;
use std::collections::HashSet;

use objects::{Object, agrees};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use sextant_histories::{History, Operation, Outcome, Reply};
use sextant_judge::linearizability::certificate::Proof;
use sextant_judge::linearizability::{
    AppendList, CasRegister, Certificate, Counter, Finding, KeyValue, Limits, Model, MultiRegister, Mutex,
    PriorityQueue, Queue, Register, Set, Stack, Unknown, check, weaken,
};
use small::Blunt;

const HISTORIES: u32 = 10_000;

/// Is there an order that respects real time, has every completed operation, and that the object could have shown?
/// Every order is tried; a situation that has led nowhere is not tried again.
fn definition_says(object: Object, operations: &[Operation]) -> bool {
    let operations: Vec<&Operation> =
        operations.iter().filter(|operation| operation.outcome != Outcome::Fail).collect();
    any_order(&operations, 0, object, &mut HashSet::new())
}

fn any_order(operations: &[&Operation], done: u32, object: Object, futile: &mut HashSet<(u32, Object)>) -> bool {
    let waiting = || (0..operations.len()).filter(|number| done & 1 << number == 0);
    if waiting().all(|number| operations[number].reply().is_none()) {
        return true;
    }
    if futile.contains(&(done, object.clone())) {
        return false;
    }
    let first_end = waiting().filter_map(|number| operations[number].returned()).min();
    for number in waiting() {
        let chosen = operations[number];
        let mut next = object.clone();
        let fits = match (next.invoke(&chosen.call), chosen.reply()) {
            (Some(all), Some(said)) => agrees(said, &all),
            (None, Some(_)) => false,
            (_, None) => true,
        };
        let may_be_next = first_end.is_none_or(|end| end > chosen.invoked.index);
        if fits && may_be_next && any_order(operations, done | 1 << number, next, futile) {
            return true;
        }
    }
    futile.insert((done, object));
    false
}

/// Whether the history fails with all operations but `members` weakened, by the definition.
fn fails(name: &str, history: &History, members: &[usize]) -> bool {
    let all = history.operations().iter().enumerate();
    let weakened = all.map(|(number, operation)| match members.contains(&number) {
        true => operation.clone(),
        false => weaken(operation),
    });
    !definition_says(Object::new(name), &weakened.collect::<Vec<_>>())
}

/// An order that the verifier has accepted, walked over an object that it does not know.
fn walk(name: &str, history: &History, order: &[usize]) -> Result<(), TestCaseError> {
    let mut object = Object::new(name);
    for number in order {
        let operation = &history.operations()[*number];
        let all = object.invoke(&operation.call);
        if let Some(said) = operation.reply() {
            prop_assert!(all.as_ref().is_some_and(|all| agrees(said, all)), "{said:?} is not {all:?} in {order:?}");
        }
    }
    Ok(())
}

/// Whether it is valid; none if it makes no claim.
fn judge<M: Model>(history: &History, model: &M) -> Result<Option<bool>, TestCaseError> {
    let report = check(history, model, &Limits::default());
    let valid = definition_says(Object::new(model.name()), history.operations());
    match &report.finding {
        Finding::Unknown(Unknown::Empty | Unknown::NoClaim) => {
            prop_assert!(valid, "nothing was claimed, so nothing can be wrong");
            return Ok(None);
        }
        Finding::Unknown(unknown) => prop_assert!(false, "no limit was met: {unknown}"),
        Finding::Valid(_) => prop_assert!(valid, "the definition says invalid"),
        Finding::Invalid(_) => prop_assert!(!valid, "the definition says valid"),
    }
    let general = check(history, &Blunt(model), &Limits { core: std::time::Duration::ZERO, ..Limits::default() });
    prop_assert_eq!(general.verdict(), report.verdict(), "the general search");
    let certificate = Certificate::of(history, model, &report);
    let certificate = certificate.ok_or_else(|| TestCaseError::fail("no certificate"))?;
    prop_assert_eq!(certificate.verify(history, model), Ok(()));
    match &certificate.proof {
        Proof::Valid(linearizations) => {
            for linearization in linearizations {
                walk(model.name(), history, &linearization.order)?;
            }
        }
        Proof::Invalid { core, .. } => {
            prop_assert!(core.smallest, "no limit was met: {core:?}");
            prop_assert!(fails(model.name(), history, &core.operations), "{core:?} does not fail");
            for member in &core.operations {
                let others: Vec<usize> = core.operations.iter().copied().filter(|other| other != member).collect();
                prop_assert!(!fails(model.name(), history, &others), "{core:?} fails without {member}");
            }
        }
    }
    Ok(Some(valid))
}

fn on_ten_thousand<M: Model>(model: &M) {
    let config = ProptestConfig { cases: HISTORIES, failure_persistence: None, ..ProptestConfig::default() };
    let (valid, invalid) = (Cell::new(0), Cell::new(0));
    let choices = proptest::collection::vec(any::<u64>(), 5..22);
    let outcome = TestRunner::new(config).run(&choices, |choices| {
        let history = objects::history(model.name(), &choices);
        let judged = judge(&history, model).map_err(|error| TestCaseError::fail(format!("{error} in {history:?}")));
        match judged? {
            Some(true) => valid.set(valid.get() + 1),
            Some(false) => invalid.set(invalid.get() + 1),
            None => {}
        }
        Ok(())
    });
    outcome.unwrap_or_else(|error| panic!("{}: {error}", model.name()));
    let (valid, invalid) = (valid.get(), invalid.get());
    println!("{}: {valid} valid, {invalid} invalid", model.name());
    assert!(valid > HISTORIES / 5 && invalid > HISTORIES / 5, "{}: {valid} and {invalid}", model.name());
}

macro_rules! models {
    ($($test:ident: $model:expr,)*) => {
        $(#[test]
        fn $test() {
            on_ten_thousand(&$model);
        })*
    };
}

models! {
    register: Register::default(),
    cas_register: CasRegister::default(),
    multi_register: MultiRegister::default(),
    counter: Counter::default(),
    set: Set,
    queue: Queue,
    stack: Stack,
    priority_queue: PriorityQueue,
    mutex: Mutex,
    key_value: KeyValue::default(),
    append_list: AppendList,
}

/// A model with a fault that only the objects of this test can see: all of the checker believes its steps.
struct Forgetful(Queue);

impl Model for Forgetful {
    type State = <Queue as Model>::State;

    fn name(&self) -> &str {
        self.0.name()
    }

    fn initial(&self) -> Self::State {
        self.0.initial()
    }

    fn step(&self, state: &Self::State, call: &sextant_histories::Call, reply: Option<&Reply>) -> Option<Self::State> {
        self.0.step(state, call, reply).or_else(|| Some(state.clone()))
    }

    fn supports(&self, call: &sextant_histories::Call) -> bool {
        self.0.supports(call)
    }
}

/// The comparison can fail: a queue that takes any answer is found out.
#[test]
#[should_panic(expected = "queue: Test failed")]
fn a_queue_that_believes_everything_is_found_out() {
    on_ten_thousand(&Forgetful(Queue));
}
