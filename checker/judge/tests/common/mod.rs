//! Small histories from random choices, and two slow checkers to hold the fast one against.

use sextant_histories::{Call, Event, History, Kind, Operation, Outcome, Reply, Value};
use stateright::semantics::{ConsistencyTester, LinearizabilityTester, SequentialSpec};

/// One choice of who acts, and what comes of it. Any sequence of choices is a well-formed history.
pub type Choice = (u8, u8, u8, u8);

fn value(choice: u8) -> Value {
    match choice % 3 {
        0 => Value::Null,
        other => Value::Int(i64::from(other)),
    }
}

/// Replies are drawn, not computed: many of these histories are not linearizable, in ways nobody thought of.
pub fn history(choices: &[Choice], processes: u8, cas: bool) -> History {
    let mut open: Vec<Option<Call>> = vec![None; processes.into()];
    let mut gone = vec![false; processes.into()];
    let mut events = Vec::new();
    for (process, what, one, other) in choices {
        let process = usize::from(process % processes);
        if gone[process] {
            continue;
        }
        let (call, kind) = match open[process].take() {
            None => (invoke(*what, *one, *other, cas), Kind::Invoke),
            Some(call) => {
                let kind = complete(&call, *what, *one);
                (call, kind)
            }
        };
        match kind {
            Kind::Invoke => open[process] = Some(call.clone()),
            Kind::Info => gone[process] = true,
            Kind::Ok(_) | Kind::Fail => {}
        }
        events.push(Event { process: process as u64, kind, call, key: "x".into(), time: None });
    }
    History::from_events(events).unwrap()
}

fn invoke(what: u8, one: u8, other: u8, cas: bool) -> Call {
    match what % 3 {
        0 => Call::Read,
        1 if cas => Call::Cas { old: value(one), new: value(other) },
        _ => Call::Write(value(one)),
    }
}

fn complete(call: &Call, what: u8, one: u8) -> Kind {
    match what % 8 {
        0 => Kind::Fail,
        1 | 2 => Kind::Info,
        _ => Kind::Ok(match call {
            Call::Read => Reply::Read(value(one)),
            Call::Write(_) => Reply::Written,
            Call::Cas { .. } if one.is_multiple_of(2) => Reply::Swapped,
            _ => Reply::Differed,
        }),
    }
}

/// The register as stateright wants it.
#[derive(Clone)]
struct Sequential(Value);

impl SequentialSpec for Sequential {
    type Op = Call;
    type Ret = Reply;

    fn invoke(&mut self, call: &Call) -> Reply {
        match call {
            Call::Read => Reply::Read(self.0.clone()),
            Call::Write(value) => {
                self.0 = value.clone();
                Reply::Written
            }
            Call::Cas { old, new } if self.0 == *old => {
                self.0 = new.clone();
                Reply::Swapped
            }
            Call::Cas { .. } => Reply::Differed,
            other => unreachable!("a register has no {other}"),
        }
    }
}

/// What stateright's tester says. Failed operations are not shown to it; indeterminate ones stay in flight for ever.
pub fn stateright_says(history: &History) -> bool {
    let mut tester = LinearizabilityTester::new(Sequential(Value::Null));
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

/// The definition, word for word: is there a sequence of operations that respects real time, has every completed one,
/// and that a register could have shown? For histories of one key and few operations.
pub fn definition_says(history: &History) -> bool {
    let operations: Vec<&Operation> =
        history.operations().iter().filter(|operation| operation.outcome != Outcome::Fail).collect();
    any_order(&operations, Sequential(Value::Null))
}

fn any_order(remaining: &[&Operation], register: Sequential) -> bool {
    if remaining.iter().all(|operation| operation.reply().is_none()) {
        return true;
    }
    (0..remaining.len()).any(|next| {
        let chosen = remaining[next];
        let mut rest = remaining.to_vec();
        rest.remove(next);
        let first = rest.iter().all(|other| other.returned().is_none_or(|end| end > chosen.invoked.index));
        let mut register = register.clone();
        let reply = register.invoke(&chosen.call);
        first && chosen.reply().is_none_or(|said| *said == reply) && any_order(&rest, register)
    })
}
