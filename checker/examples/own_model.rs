//! A model of your own: bank accounts, where a transfer is one step and nobody may owe anything.
//!
//! `cargo run --release --example own_model`

use std::collections::BTreeMap;

use sextant::linearizability::{Finding, Limits, Model, check, verify};
use sextant::verdict::Verdict;
use sextant_histories::{Call, History, Reader, Reply, Value};

/// Calls: `transfer [from, to, amount]`, which returns whether it was done, and `balance account`.
struct Bank;

impl Model for Bank {
    type State = BTreeMap<Value, i64>;

    fn name(&self) -> &str {
        "bank"
    }

    fn initial(&self) -> Self::State {
        BTreeMap::from([("a".into(), 10), ("b".into(), 0)])
    }

    fn step(&self, state: &Self::State, call: &Call, reply: Option<&Reply>) -> Option<Self::State> {
        let Call::Other(name, argument) = call else { return None };
        let (next, answer) = match (&**name, argument) {
            ("balance", account) => (state.clone(), Value::Int(*state.get(account)?)),
            ("transfer", Value::List(parts)) => match &parts[..] {
                [from, to, Value::Int(amount)] if state.get(from)? >= amount => {
                    let mut next = state.clone();
                    *next.get_mut(from)? -= amount;
                    *next.get_mut(to)? += amount;
                    (next, true.into())
                }
                _ => (state.clone(), false.into()),
            },
            _ => return None,
        };
        // Without a reply it takes effect as it can; with one, that must be what this state answers.
        reply.is_none_or(|reply| *reply == Reply::Returned(answer)).then_some(next)
    }

    fn supports(&self, call: &Call) -> bool {
        matches!(call, Call::Other(name, _) if matches!(&**name, "transfer" | "balance"))
    }

    /// Optional. Operations that change nothing need no order among themselves, which saves the search much work.
    fn only_observes(&self, call: &Call, _reply: &Reply) -> bool {
        matches!(call, Call::Other(name, _) if &**name == "balance")
    }
}

/// Process 0 transfers 4 from a to b and is never answered; process 1 looks at b, then at a.
fn history(b: i64, a: i64) -> History {
    let lines = [
        r#"{"process":0,"type":"invoke","f":"custom:transfer","value":["a","b",4]}"#.to_owned(),
        r#"{"process":1,"type":"invoke","f":"custom:balance","value":"b"}"#.to_owned(),
        format!(r#"{{"process":1,"type":"ok","f":"custom:balance","value":"b","result":{b}}}"#),
        r#"{"process":1,"type":"invoke","f":"custom:balance","value":"a"}"#.to_owned(),
        format!(r#"{{"process":1,"type":"ok","f":"custom:balance","value":"a","result":{a}}}"#),
    ];
    let text = lines.join("\n");
    let events = Reader::new("example", text.as_bytes()).map(|event| event.expect("well formed").1);
    History::from_events(events).expect("events that fit together")
}

fn main() {
    // In the last one the money is in both accounts.
    for (b, a, expected) in [(4, 6, Verdict::Valid), (0, 6, Verdict::Valid), (4, 10, Verdict::Invalid)] {
        let history = history(b, a);
        let report = check(&history, &Bank, &Limits::default());
        println!("b = {b}, then a = {a}: {} {}", report.verdict(), report.reason().unwrap_or_default());
        assert_eq!(report.verdict(), expected);
        if let Finding::Valid(linearizations) = &report.finding {
            verify(&history, &Bank, linearizations).expect("a linearization replays");
        }
    }
}
