//! Prefix-consistent snapshots against all choices of prefixes.

use sextant_histories::generate::Rng;
use sextant_histories::{Call, Event, History, Key, Kind, Micro, MicroKind, Outcome, Reply, Value};
use sextant_judge::consistency::{Finding, Options, Promise, Unknown, check};

use crate::transactions::{show, verdict};

/// One writer, which may die once and be followed by another; readers of one or two keys.
fn random(rng: &mut Rng) -> History {
    let mut events: Vec<Event> = Vec::new();
    let mut states: Vec<[Value; 2]> = vec![[Value::Null, Value::Null]];
    let mut writer = 10;
    let mut floors = [0, 0];
    let mut open: Option<(u64, Vec<Micro>)> = None;
    for number in 0..3 + rng.below(8) {
        if rng.below(2) == 0 {
            let keys: Vec<usize> = match rng.below(3) {
                0 => vec![0, 1],
                one => vec![one - 1],
            };
            let mut state = states.last().cloned().unwrap();
            let mut steps = Vec::new();
            for key in keys {
                let value = Value::Int(if rng.below(5) == 0 { 1 } else { number as i64 + 1 });
                state[key] = value.clone();
                steps.push(Micro { kind: MicroKind::Write, key: Key::Int(key as i64), value });
            }
            let event = |kind| Event {
                process: writer,
                kind,
                call: Call::Txn(steps.clone().into()),
                key: Key::None,
                time: None,
            };
            events.push(event(Kind::Invoke));
            match rng.below(8) {
                0 => {
                    events.push(event(Kind::Info));
                    writer += 1;
                    if rng.below(2) == 0 {
                        states.push(state);
                    }
                }
                1 => events.push(event(Kind::Fail)),
                _ => {
                    events.push(event(Kind::Ok(Reply::Txn(steps.clone().into()))));
                    states.push(state);
                }
            }
        } else {
            let reader = rng.below(2);
            if rng.below(8) == 0 {
                floors[reader] = 0;
            }
            floors[reader] += rng.below(states.len() - floors[reader].min(states.len() - 1));
            let snapshot = &states[floors[reader].min(states.len() - 1)];
            let mut steps: Vec<Micro> = Vec::new();
            let count = 1 + rng.below(2);
            for (key, value) in snapshot.iter().enumerate().take(count) {
                let mut value = value.clone();
                if rng.below(12) == 0 {
                    value = Value::Int(1 + rng.below(8) as i64);
                }
                steps.push(Micro { kind: MicroKind::Read, key: Key::Int(key as i64), value });
            }
            if let Some((process, steps)) = open.take_if(|(process, _)| *process == reader as u64 || rng.below(2) == 0)
            {
                events.push(read(process, Kind::Ok(Reply::Txn(steps.clone().into())), &steps));
            }
            events.push(read(reader as u64, Kind::Invoke, &steps));
            if open.is_none() && rng.below(3) == 0 {
                open = Some((reader as u64, steps));
            } else {
                events.push(read(reader as u64, Kind::Ok(Reply::Txn(steps.clone().into())), &steps));
            }
        }
    }
    if let Some((process, steps)) = open {
        events.push(read(process, Kind::Ok(Reply::Txn(steps.clone().into())), &steps));
    }
    History::from_events(events).unwrap()
}

fn read(process: u64, kind: Kind, steps: &[Micro]) -> Event {
    let mut asked = steps.to_vec();
    asked.iter_mut().for_each(|step| step.value = Value::Null);
    Event { process, kind, call: Call::Txn(asked.into()), key: Key::None, time: None }
}

struct Write {
    steps: Vec<Micro>,
    invoked: usize,
    returned: Option<usize>,
}

/// Every order of the writes that keeps real time, with every choice of the indeterminate ones; for each session every
/// growing choice of prefixes.
fn by_definition(history: &History) -> bool {
    let mut writes: Vec<Write> = Vec::new();
    let mut reads: Vec<(u64, usize, Vec<Micro>)> = Vec::new();
    for operation in history.operations().iter().filter(|operation| operation.outcome != Outcome::Fail) {
        let Call::Txn(call) = &operation.call else { unreachable!("transactions only") };
        if call.iter().any(|step| step.kind == MicroKind::Write) {
            writes.push(Write {
                steps: call.to_vec(),
                invoked: operation.invoked.index,
                returned: operation.returned(),
            });
        } else if let (Some(Reply::Txn(seen)), Some(returned)) = (operation.reply(), operation.returned()) {
            reads.push((operation.process, returned, seen.to_vec()));
        }
    }
    (0..1_usize << writes.len()).any(|mask| {
        let chosen: Vec<&Write> =
            (0..writes.len()).filter(|bit| mask >> bit & 1 == 1).map(|bit| &writes[bit]).collect();
        let certain = writes.iter().filter(|write| write.returned.is_some()).count();
        let all_certain = chosen.iter().filter(|write| write.returned.is_some()).count() == certain;
        all_certain
            && crate::brute::any_order(chosen.len(), &mut |order| {
                let keeps = order.iter().enumerate().all(|(place, one)| {
                    order[..place]
                        .iter()
                        .all(|earlier| chosen[*one].returned.is_none_or(|returned| returned > chosen[*earlier].invoked))
                });
                keeps && explains(&chosen, order, &reads)
            })
    })
}

fn explains(writes: &[&Write], order: &[usize], reads: &[(u64, usize, Vec<Micro>)]) -> bool {
    let state = |count: usize, key: &Key| {
        let steps = order[..count].iter().flat_map(|write| &writes[*write].steps);
        steps.rev().find(|step| step.key == *key).map_or(Value::Null, |step| step.value.clone())
    };
    let mut sessions: Vec<u64> = reads.iter().map(|(session, _, _)| *session).collect();
    sessions.sort_unstable();
    sessions.dedup();
    sessions.into_iter().all(|session| {
        fn choose(fits: &[Vec<bool>], floor: usize) -> bool {
            let Some((first, rest)) = fits.split_first() else { return true };
            (floor..first.len()).any(|count| first[count] && choose(rest, count))
        }
        let of_session = reads.iter().filter(|(other, _, _)| *other == session);
        let fits: Vec<Vec<bool>> = of_session
            .map(|(_, returned, steps)| {
                let fit = |count: usize| {
                    order[..count].iter().all(|write| writes[*write].invoked < *returned)
                        && steps.iter().all(|step| state(count, &step.key) == step.value)
                };
                (0..=order.len()).map(fit).collect()
            })
            .collect();
        choose(&fits, 0)
    })
}

#[test]
fn agree_with_all_prefixes() {
    let mut rng = Rng::new(10);
    let mut tally = [0, 0];
    for round in 0..12_000 {
        let history = random(&mut rng);
        if history.operations().iter().all(|operation| operation.reply().is_none()) {
            continue;
        }
        let ours = verdict(&history, Promise::SnapshotPrefix);
        assert_eq!(ours, by_definition(&history), "round {round}:\n{}", show(&history));
        tally[usize::from(ours)] += 1;
    }
    println!("{tally:?}");
    assert!(tally.iter().all(|count| *count > 1_000), "{tally:?}");
}

#[test]
fn overlapping_writes_have_no_known_order() {
    let event = |process, kind, value| Event {
        process,
        kind,
        call: Call::Write(Value::Int(value)),
        key: Key::from("x"),
        time: None,
    };
    let written = || Kind::Ok(Reply::Written);
    let events = [event(0, Kind::Invoke, 1), event(1, Kind::Invoke, 2), event(0, written(), 1), event(1, written(), 2)];
    let history = History::from_events(events).unwrap();
    let report = check(&history, Promise::SnapshotPrefix, &Options::default());
    assert!(matches!(report.finding, Finding::Unknown(Unknown::Overlap { one: 1, other: 2 })), "{:?}", report.finding);
}
