//! The models against their documentation, and those without an algorithm of their own against stateright's tester and the
//! definition, by specifications written here once more.

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;
use sextant_histories::generate::{Model as Generated, Recipe, Rng, Values, make};
use sextant_histories::{Call, Event, History, Key, Kind, Micro, MicroKind, Operation, Outcome, Reader, Reply, Value};
use sextant_judge::linearizability::{
    AppendList, Counter, Finding, KeyValue, Limits, ListAppend, Model, MultiRegister, Mutex, PriorityQueue, Queue, Set,
    Stack, Unknown, check, verify,
};
use sextant_judge::verdict::Verdict;
use stateright::semantics::{ConsistencyTester, LinearizabilityTester, SequentialSpec};

/// One operation after another: `f`, value, result. A result of `-` is none.
fn sequence(operations: &[(&str, &str, &str)]) -> History {
    let mut text = String::new();
    for (f, value, result) in operations {
        let field = |name: &str, value: &str| match value {
            "-" => String::new(),
            value => format!(",\"{name}\":{value}"),
        };
        let returns = matches!(*f, "read" | "dequeue" | "pop" | "pop-min" | "txn");
        let (said, result) = if returns { (result, &"-") } else { (value, result) };
        text += &format!("{{\"process\":0,\"type\":\"invoke\",\"f\":\"{f}\"{}}}\n", field("value", value));
        let said = field("value", said);
        text += &format!("{{\"process\":0,\"type\":\"ok\",\"f\":\"{f}\"{said}{}}}\n", field("result", result));
    }
    let reader = Reader::new("text", text.as_bytes());
    History::from_events(reader.map(|event| event.unwrap_or_else(|error| panic!("{error}\n{text}")).1)).unwrap()
}

fn verdict<M: Model>(history: &History, model: &M) -> Verdict {
    // Verdicts are what counts here; cores have tests of their own.
    let report = check(history, model, &Limits { core: Duration::ZERO, ..Limits::default() });
    match &report.finding {
        Finding::Valid(linearizations) => verify(history, model, linearizations).unwrap(),
        Finding::Invalid(evidence) => assert!(!evidence.reason.is_empty()),
        Finding::Unknown(Unknown::Empty | Unknown::NoClaim) => {}
        Finding::Unknown(unknown) => panic!("{unknown}"),
    }
    report.verdict()
}

fn legal<M: Model>(model: &M, operations: &[(&str, &str, &str)]) {
    assert_eq!(verdict(&sequence(operations), model), Verdict::Valid, "{operations:?}");
}

fn illegal<M: Model>(model: &M, operations: &[(&str, &str, &str)]) {
    assert_eq!(verdict(&sequence(operations), model), Verdict::Invalid, "{operations:?}");
}

#[test]
fn counters() {
    let counter = Counter { initial: 5 };
    legal(&counter, &[("read", "-", "5"), ("add", "2", "-"), ("add", "-3", "4"), ("read", "-", "4")]);
    illegal(&Counter::default(), &[("add", "1", "-"), ("add", "2", "-"), ("read", "-", "2")]);
    illegal(&Counter::default(), &[("add", "2", "-"), ("add", "2", "-"), ("read", "-", "2")]);
    illegal(&Counter::default(), &[("add", "2", "-"), ("read", "-", "3")]);
    illegal(&counter, &[("add", "2", "2")]);
    illegal(&counter, &[("read", "-", "null")]);
}

#[test]
fn sets() {
    legal(&Set, &[("add", "1", "true"), ("add", "1", "false"), ("remove", "2", "false"), ("read", "-", "[1]")]);
    legal(&Set, &[("add", "3", "-"), ("add", "\"a\"", "-"), ("add", "1", "-"), ("read", "-", "[3,\"a\",1]")]);
    legal(&Set, &[("add", "1", "-"), ("remove", "1", "true"), ("remove", "1", "-"), ("contains", "1", "false")]);
    illegal(&Set, &[("add", "1", "true"), ("add", "1", "true")]);
    illegal(&Set, &[("add", "1", "-"), ("read", "-", "[]")]);
    illegal(&Set, &[("add", "1", "-"), ("read", "-", "[1,1]")]);
    illegal(&Set, &[("read", "-", "[1]"), ("add", "1", "-")]);
    illegal(&Set, &[("add", "1", "-"), ("remove", "1", "false")]);
    illegal(&Set, &[("add", "1", "-"), ("remove", "1", "true"), ("remove", "1", "true")]);
    illegal(&Set, &[("add", "1", "-"), ("remove", "1", "-"), ("contains", "1", "true")]);
    illegal(&Set, &[("add", "1", "-"), ("remove", "1", "-"), ("read", "-", "[1]")]);
    illegal(&Set, &[("add", "1", "7")]);
}

#[test]
fn queues() {
    legal(&Queue, &[("dequeue", "-", "null"), ("enqueue", "1", "-"), ("enqueue", "1", "-"), ("dequeue", "-", "1")]);
    illegal(&Queue, &[("enqueue", "1", "-"), ("enqueue", "2", "-"), ("dequeue", "-", "2")]);
    illegal(&Queue, &[("enqueue", "1", "-"), ("dequeue", "-", "null")]);
    illegal(&Queue, &[("enqueue", "1", "-"), ("dequeue", "-", "1"), ("dequeue", "-", "1")]);
    illegal(&Queue, &[("dequeue", "-", "1"), ("enqueue", "1", "-")]);
    illegal(&Queue, &[("enqueue", "1", "-"), ("enqueue", "1", "-"), ("dequeue", "-", "null")]);
}

#[test]
fn stacks() {
    legal(
        &Stack,
        &[("push", "1", "-"), ("push", "2", "-"), ("pop", "-", "2"), ("pop", "-", "1"), ("pop", "-", "null")],
    );
    illegal(&Stack, &[("push", "1", "-"), ("push", "2", "-"), ("pop", "-", "1")]);
    illegal(&Stack, &[("push", "1", "-"), ("pop", "-", "null")]);
    illegal(&Stack, &[("push", "1", "-"), ("pop", "-", "1"), ("pop", "-", "1")]);
    illegal(&Stack, &[("push", "1", "-"), ("push", "1", "-"), ("pop", "-", "1"), ("pop", "-", "null")]);
}

#[test]
fn priority_queues() {
    legal(&PriorityQueue, &[("insert", "2", "-"), ("insert", "10", "-"), ("insert", "1", "-"), ("pop-min", "-", "1")]);
    legal(&PriorityQueue, &[("insert", "2", "-"), ("insert", "2", "-"), ("pop-min", "-", "2"), ("pop-min", "-", "2")]);
    illegal(&PriorityQueue, &[("insert", "1", "-"), ("insert", "2", "-"), ("pop-min", "-", "2")]);
    illegal(&PriorityQueue, &[("insert", "2", "-"), ("insert", "10", "-"), ("pop-min", "-", "10")]);
    illegal(&PriorityQueue, &[("insert", "1", "-"), ("pop-min", "-", "null")]);
    illegal(&PriorityQueue, &[("pop-min", "-", "1"), ("insert", "1", "-")]);
}

#[test]
fn mutexes() {
    legal(&Mutex, &[("acquire", "-", "-"), ("release", "-", "-"), ("acquire", "-", "-")]);
    illegal(&Mutex, &[("acquire", "-", "-"), ("acquire", "-", "-")]);
    illegal(&Mutex, &[("release", "-", "-")]);
    illegal(&Mutex, &[("acquire", "-", "-"), ("release", "-", "-"), ("release", "-", "-")]);
}

#[test]
fn key_values() {
    let text = [("write", "\"a\"", "-"), ("append", "\"b\"", "-"), ("read", "-", "\"ab\"")];
    legal(&KeyValue::default(), &text);
    legal(&KeyValue::empty(), &[("read", "-", "\"\""), ("append", "\"x\"", "-"), ("read", "-", "\"x\"")]);
    legal(&KeyValue::default(), &[("read", "-", "null"), ("append", "\"x\"", "-"), ("read", "-", "\"x\"")]);
    illegal(&KeyValue::default(), &[("write", "\"a\"", "-"), ("append", "\"b\"", "-"), ("read", "-", "\"ba\"")]);
    illegal(&KeyValue::empty(), &[("read", "-", "null")]);
}

#[test]
fn append_lists() {
    legal(&AppendList, &[("read", "-", "[]"), ("append", "2", "-"), ("append", "1", "-"), ("read", "-", "[2,1]")]);
    legal(&AppendList, &[("read", "-", "null"), ("append", "2", "-"), ("append", "2", "-"), ("read", "-", "[2,2]")]);
    illegal(&AppendList, &[("append", "1", "-"), ("append", "2", "-"), ("read", "-", "[2,1]")]);
    illegal(&AppendList, &[("append", "1", "-"), ("read", "-", "null")]);
    illegal(&AppendList, &[("append", "1", "-"), ("append", "2", "-"), ("read", "-", "[1]")]);
}

#[test]
fn multi_registers() {
    let both = ("txn", r#"[["w","x",1],["r","x",null],["w","y",1]]"#, r#"[["w","x",1],["r","x",1],["w","y",1]]"#);
    let seen = |x: &str, y: &str| format!(r#"[["r","x",{x}],["r","y",{y}]]"#);
    let read = r#"[["r","x",null],["r","y",null]]"#;
    legal(&MultiRegister::default(), &[("txn", read, read), both, ("txn", read, &seen("1", "1"))]);
    illegal(&MultiRegister::default(), &[both, ("txn", read, &seen("1", "null"))]);
    illegal(&MultiRegister { initial: 0.into() }, &[("txn", read, read)]);
    legal(&MultiRegister { initial: 0.into() }, &[("txn", read, &seen("0", "0"))]);
    illegal(
        &MultiRegister::default(),
        &[("txn", r#"[["w","x",1],["r","x",null]]"#, r#"[["w","x",1],["r","x",null]]"#)],
    );
}

#[test]
fn transactions_of_lists() {
    let both = (
        "txn",
        r#"[["append","x",1],["r","x",null],["append","y",2]]"#,
        r#"[["append","x",1],["r","x",[1]],["append","y",2]]"#,
    );
    let seen = |x: &str, y: &str| format!(r#"[["r","x",{x}],["r","y",{y}]]"#);
    let read = r#"[["r","x",null],["r","y",null]]"#;
    legal(
        &ListAppend,
        &[("txn", read, read), ("txn", read, &seen("[]", "null")), both, ("txn", read, &seen("[1]", "[2]"))],
    );
    legal(&ListAppend, &[both, both, ("txn", read, &seen("[1,1]", "[2,2]"))][..1]);
    illegal(&ListAppend, &[both, ("txn", read, &seen("[1]", "null"))]);
    illegal(&ListAppend, &[both, ("txn", read, &seen("[1]", "[2,2]"))]);
    illegal(&ListAppend, &[("txn", r#"[["append","x",1],["r","x",null]]"#, r#"[["append","x",1],["r","x",[]]]"#)]);
}

#[test]
fn a_model_refuses_what_it_does_not_have() {
    let refused = |report: sextant_judge::linearizability::Report| {
        assert!(matches!(report.finding, Finding::Unknown(Unknown::Unsupported { .. })), "{report:?}");
    };
    refused(check(&sequence(&[("enqueue", "null", "-")]), &Queue, &Limits::default()));
    refused(check(&sequence(&[("push", "1", "-")]), &Queue, &Limits::default()));
    refused(check(&sequence(&[("add", "\"1\"", "-")]), &Counter::default(), &Limits::default()));
    refused(check(&sequence(&[("append", "1", "-")]), &KeyValue::default(), &Limits::default()));
    let append = ("txn", r#"[["append","x",1]]"#, r#"[["append","x",1]]"#);
    refused(check(&sequence(&[append]), &MultiRegister::default(), &Limits::default()));
}

/// `None` for models that are not these tests' matter.
fn verdict_by(model: Generated, history: &History) -> Option<Verdict> {
    Some(match model {
        Generated::MultiRegister => verdict(history, &MultiRegister::default()),
        Generated::Counter => verdict(history, &Counter::default()),
        Generated::Set => verdict(history, &Set),
        Generated::Queue => verdict(history, &Queue),
        Generated::Stack => verdict(history, &Stack),
        Generated::PriorityQueue => verdict(history, &PriorityQueue),
        Generated::Mutex => verdict(history, &Mutex),
        Generated::KeyValue => verdict(history, &KeyValue::default()),
        Generated::AppendList => verdict(history, &AppendList),
        _ => return None,
    })
}

#[test]
fn what_is_generated_gets_its_verdict_and_every_named_violation_is_found() {
    let mut models = 0;
    for model in Generated::ALL {
        let flaws = model.flaws().iter().copied().map(Some);
        for violation in flaws.chain([None]) {
            for seed in 0..4 {
                let values = if seed % 3 == 2 { Values::Few(5) } else { Values::Unique };
                let recipe = Recipe { seed, values, operations: 60, violation, indeterminate: 2, ..Recipe::of(model) };
                let history = History::from_events(make(&recipe).unwrap().events).unwrap();
                let Some(verdict) = verdict_by(model, &history) else { continue };
                let expected = if violation.is_some() { Verdict::Invalid } else { Verdict::Valid };
                let flaw = violation.map_or("nothing wrong", |flaw| flaw.name);
                assert_eq!(verdict, expected, "{}, {flaw}, seed {seed}", model.name());
                models += 1;
            }
        }
    }
    assert!(models > 100, "{models}");
}

/// Registers that hold lists, strings or anything, as stateright wants them.
#[derive(Clone, Debug, Default)]
struct Registers {
    values: BTreeMap<Key, Value>,
    initial: Value,
}

impl Registers {
    fn get(&self, key: &Key) -> Value {
        self.values.get(key).unwrap_or(&self.initial).clone()
    }

    fn append(&mut self, key: &Key, more: &Value) {
        let whole = match (self.get(key), more) {
            (Value::Str(text), Value::Str(more)) => Value::from(&*format!("{text}{more}")),
            (Value::Null, Value::Str(more)) => Value::Str(more.clone()),
            (Value::List(list), more) => list.iter().chain([more]).cloned().collect(),
            (other, more) => panic!("{more} behind {other}"),
        };
        self.values.insert(key.clone(), whole);
    }
}

impl SequentialSpec for Registers {
    type Op = Call;
    type Ret = Reply;

    fn invoke(&mut self, call: &Call) -> Reply {
        match call {
            Call::Read => Reply::Read(self.get(&Key::None)),
            Call::Write(value) => {
                self.values.insert(Key::None, value.clone());
                Reply::Written
            }
            Call::Append(more) => {
                self.append(&Key::None, more);
                Reply::Done
            }
            Call::Txn(steps) => Reply::Txn(
                steps
                    .iter()
                    .map(|Micro { kind, key, value }| {
                        match kind {
                            MicroKind::Read => return Micro { kind: *kind, key: key.clone(), value: self.get(key) },
                            MicroKind::Write => drop(self.values.insert(key.clone(), value.clone())),
                            MicroKind::Append => self.append(key, value),
                        }
                        Micro { kind: *kind, key: key.clone(), value: value.clone() }
                    })
                    .collect(),
            ),
            other => panic!("no {other}"),
        }
    }
}

fn stateright_says(history: &History, object: &Registers) -> bool {
    let mut tester = LinearizabilityTester::new(object.clone());
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

fn definition_says(remaining: &[&Operation], object: &Registers) -> bool {
    if remaining.iter().all(|operation| operation.reply().is_none()) {
        return true;
    }
    (0..remaining.len()).any(|next| {
        let chosen = remaining[next];
        let mut rest = remaining.to_vec();
        rest.remove(next);
        let first = rest.iter().all(|other| other.returned().is_none_or(|end| end > chosen.invoked.index));
        let mut object = object.clone();
        let reply = object.invoke(&chosen.call);
        first && chosen.reply().is_none_or(|said| *said == reply) && definition_says(&rest, &object)
    })
}

#[derive(Clone, Copy, Debug)]
enum Kinds {
    KeyValue,
    AppendList,
    MultiRegister,
    ListAppend,
}

/// A simulated history, with a lie now and then.
fn history(kinds: Kinds, rng: &mut Rng, events: usize, lies: usize) -> History {
    let lists = matches!(kinds, Kinds::AppendList | Kinds::ListAppend);
    let initial = if lists { Value::List([].into()) } else { Value::Null };
    let mut object = Registers { initial, ..Registers::default() };
    let mut open: Vec<Option<(Call, Option<Reply>)>> = vec![None; 3];
    let mut gone = [false; 3];
    let mut made = Vec::new();
    for _ in 0..events {
        let process = rng.below(3);
        if gone[process] {
            continue;
        }
        if let Some((call, reply @ None)) = &mut open[rng.below(3)] {
            *reply = Some(object.invoke(call));
        }
        let (call, kind) = match open[process].take() {
            None => {
                let call = call(kinds, rng);
                open[process] = Some((call.clone(), None));
                (call, Kind::Invoke)
            }
            Some((call, _)) if rng.below(10) == 0 => {
                gone[process] = true;
                (call, Kind::Info)
            }
            Some((call, reply)) => {
                let mut reply = reply.unwrap_or_else(|| object.invoke(&call));
                if rng.below(100) < lies {
                    reply = lie(rng, reply, &call, &object);
                }
                (call, Kind::Ok(reply))
            }
        };
        let is_txn = matches!(kinds, Kinds::MultiRegister | Kinds::ListAppend);
        let key = if is_txn { Key::None } else { "x".into() };
        made.push(Event { process: process as u64, kind, call, key, time: None });
    }
    History::from_events(made).unwrap()
}

fn call(kinds: Kinds, rng: &mut Rng) -> Call {
    let letter = |rng: &mut Rng| Value::from(["a", "b"][rng.below(2)]);
    match (kinds, rng.below(3)) {
        (Kinds::KeyValue, 0) => Call::Write(letter(rng)),
        (Kinds::KeyValue, 1) => Call::Append(letter(rng)),
        (Kinds::AppendList, 0) => Call::Append(Value::Int(rng.below(3) as i64)),
        (Kinds::KeyValue | Kinds::AppendList, _) => Call::Read,
        (Kinds::MultiRegister | Kinds::ListAppend, _) => {
            let step = |_| {
                let reads = rng.below(2) == 0;
                let value = if reads { Value::Null } else { Value::Int(rng.below(2) as i64) };
                let changes = if let Kinds::ListAppend = kinds { MicroKind::Append } else { MicroKind::Write };
                let kind = if reads { MicroKind::Read } else { changes };
                Micro { kind, key: ["x", "y"][rng.below(2)].into(), value }
            };
            Call::Txn((0..2).map(step).collect())
        }
    }
}

/// What the call would have returned now, which it may or may not have; or a value that was made up.
fn lie(rng: &mut Rng, reply: Reply, call: &Call, object: &Registers) -> Reply {
    match (reply, rng.below(2)) {
        (Reply::Txn(seen), 0) => Reply::Txn(
            seen.iter()
                .map(|step| match step.kind {
                    MicroKind::Read => Micro { value: Value::Int(rng.below(2) as i64), ..step.clone() },
                    _ => step.clone(),
                })
                .collect(),
        ),
        (Reply::Read(Value::Str(text)), 0) => Reply::Read(text[1..].into()),
        (Reply::Read(Value::List(list)), 0) => Reply::Read(list.iter().skip(1).cloned().collect()),
        (Reply::Read(_), 0) => Reply::Read("ab".into()),
        _ => object.clone().invoke(call),
    }
}

fn agree(kinds: Kinds, history: &History) -> Verdict {
    let (verdict, object) = match kinds {
        Kinds::KeyValue => (verdict(history, &KeyValue::default()), Registers::default()),
        Kinds::AppendList => {
            let initial = Value::List([].into());
            (verdict(history, &AppendList), Registers { initial, ..Registers::default() })
        }
        Kinds::MultiRegister => (verdict(history, &MultiRegister::default()), Registers::default()),
        Kinds::ListAppend => {
            let initial = Value::List([].into());
            (verdict(history, &ListAppend), Registers { initial, ..Registers::default() })
        }
    };
    let ours = verdict != Verdict::Invalid;
    let operations: Vec<&Operation> = history.operations().iter().collect();
    assert_eq!(ours, stateright_says(history, &object), "{history:?}");
    if operations.len() <= 7 {
        assert_eq!(ours, definition_says(&operations, &object), "{history:?}");
    }
    verdict
}

#[test]
fn models_without_an_algorithm_of_their_own_agree_with_two_others() {
    for kinds in [Kinds::KeyValue, Kinds::AppendList, Kinds::MultiRegister, Kinds::ListAppend] {
        let mut rng = Rng::new(3);
        let (mut valid, mut invalid) = (0, 0);
        for round in 0..12_000 {
            let events = 4 + rng.below(16);
            match agree(kinds, &history(kinds, &mut rng, events, [0, 30, 60][round % 3])) {
                Verdict::Valid => valid += 1,
                Verdict::Invalid => invalid += 1,
                Verdict::Unknown => {}
            }
        }
        println!("{kinds:?}: {valid} valid, {invalid} invalid");
        assert!(valid > 2_000 && invalid > 1_500, "{kinds:?}: {valid} valid, {invalid} invalid");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    /// The same with a seed and sizes that shrink.
    #[test]
    fn models_agree(seed: u64, events in 0usize..20, lies in 0usize..60, which in 0usize..4) {
        let kinds = [Kinds::KeyValue, Kinds::AppendList, Kinds::MultiRegister, Kinds::ListAppend][which];
        agree(kinds, &history(kinds, &mut Rng::new(seed), events, lies));
    }
}
