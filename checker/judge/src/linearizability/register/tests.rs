//! Random small histories: the special algorithms against the definition, and against the general search.

use sextant_histories::generate::Rng;
use sextant_histories::{Call, Key, Moment, Operation, Outcome, Reply, Value};

use super::super::automaton::Automaton;
use super::super::model::{Family, Model};
use super::super::models::CasRegister;
use super::super::plan::Plan;
use super::super::prune::{Candidate, leave_out, took_part};
use super::super::search::{ALONE, Ask, Budget, Found, search_in};
use super::lazy::{Beams, decide_in};
use super::*;

const INITIAL: Value = Value::Null;

fn budget() -> Budget {
    Budget::unlimited()
}

/// The definition: some sequence of operations respects time, has every known one, and a register could show it.
fn definition_says(remaining: &[Candidate<'_>], state: &Value) -> bool {
    if remaining.iter().all(|candidate| candidate.reply.is_none()) {
        return true;
    }
    (0..remaining.len()).any(|next| {
        let chosen = remaining[next];
        let mut rest = remaining.to_vec();
        rest.remove(next);
        let first = rest.iter().all(|other| other.deadline.is_none_or(|end| end > chosen.invoked));
        let after = CasRegister::default().step(state, chosen.call, chosen.reply);
        first && after.is_some_and(|after| definition_says(&rest, &after))
    })
}

fn search_says(operations: &[(usize, &Operation)]) -> bool {
    let model = CasRegister::default();
    let mut candidates = took_part(operations);
    leave_out(&mut candidates, &Family::Register { initial: INITIAL });
    let mut automaton = Automaton::new(&model);
    let plan = Plan::new(&candidates, &model, &mut automaton);
    match search_in(&[usize::MAX], &plan, &mut automaton, budget(), ALONE) {
        Found::Order(_) => true,
        Found::Violation(_) => false,
        other => panic!("{other:?}"),
    }
}

/// Holds a finding against its own evidence; whether it is valid.
fn confirm(candidates: &[Candidate<'_>], found: &Found) -> bool {
    match found {
        Found::Order(order) => {
            replay(candidates, order);
            true
        }
        Found::Violation(dead) => {
            let seen = replay_part(candidates, &dead.order);
            let end = candidates[dead.item].deadline.unwrap();
            let before = |candidate: &Candidate<'_>| candidate.deadline.is_some_and(|ret| ret < end);
            assert!((0..candidates.len()).all(|item| !before(&candidates[item]) || seen[item]));
            assert!(!seen[dead.item] && !dead.pending.contains(&dead.item));
            assert!(dead.pending.iter().all(|item| candidates[*item].invoked < end && !before(&candidates[*item])));
            false
        }
        Found::Conflict(items) => {
            assert!(items.windows(2).all(|pair| pair[0] < pair[1]), "{items:?}");
            assert!(!search_alone(candidates, items), "alone: {items:?} of {candidates:?}");
            assert!(!search_weakened(candidates, items), "others weakened: {items:?} of {candidates:?}");
            false
        }
        other => panic!("{other:?}"),
    }
}

fn replay(candidates: &[Candidate<'_>], order: &[usize]) {
    let seen = replay_part(candidates, order);
    let missing = |item: &usize| candidates[*item].reply.is_some() && !seen[*item];
    assert_eq!((0..candidates.len()).find(missing), None, "missing in {order:?} of {candidates:?}");
}

/// Which candidates it has.
fn replay_part(candidates: &[Candidate<'_>], order: &[usize]) -> Vec<bool> {
    let mut state = INITIAL;
    let (mut latest, mut seen) = (0, vec![false; candidates.len()]);
    for item in order {
        let candidate = candidates[*item];
        assert!(!std::mem::replace(&mut seen[*item], true), "{item} twice");
        latest = latest.max(candidate.invoked);
        assert!(candidate.deadline.is_none_or(|end| end > latest), "{item} is late in {order:?} of {candidates:?}");
        let next = CasRegister::default().step(&state, candidate.call, candidate.reply);
        state = next.unwrap_or_else(|| panic!("{item} is impossible in {state}: {order:?} of {candidates:?}"));
    }
    seen
}

fn search_alone(candidates: &[Candidate<'_>], items: &[usize]) -> bool {
    let alone: Vec<Candidate<'_>> = items.iter().map(|item| candidates[*item]).collect();
    general(&alone)
}

fn search_weakened(candidates: &[Candidate<'_>], items: &[usize]) -> bool {
    let weakened = candidates.iter().enumerate().map(|(item, candidate)| match items.contains(&item) {
        true => *candidate,
        false => Candidate { reply: None, invoked: 0, deadline: None, ..*candidate },
    });
    general(&weakened.collect::<Vec<_>>())
}

fn general(candidates: &[Candidate<'_>]) -> bool {
    let model = CasRegister::default();
    let mut automaton = Automaton::new(&model);
    let plan = Plan::new(candidates, &model, &mut automaton);
    match search_in(&[usize::MAX], &plan, &mut automaton, budget(), ALONE) {
        Found::Order(_) => true,
        Found::Violation(_) => false,
        other => panic!("{other:?}"),
    }
}

/// What to draw.
struct Shape {
    operations: usize,
    processes: usize,
    swaps: u32,
    writes: u32,
    /// Of a hundred, how many end in info.
    indeterminate: u32,
    /// Below how many values are drawn; none to write every value once.
    values: Option<usize>,
    /// Whether compares that fail are answered as such or end in `fail`.
    differ: bool,
    /// Of a hundred replies, how many are wrong.
    wrong: u32,
}

/// Simulates clients of a register, with some wrong replies.
fn draw(shape: &Shape, rng: &mut Rng) -> Vec<Operation> {
    struct Client {
        open: Option<usize>,
        effect: Option<Reply>,
    }
    let mut clients: Vec<Client> = (0..shape.processes).map(|_| Client { open: None, effect: None }).collect();
    let mut operations: Vec<Operation> = Vec::new();
    let mut adrift: Vec<usize> = Vec::new();
    let (mut state, mut event, mut fresh) = (INITIAL, 0, 0);
    let moment = |event: &mut usize| {
        *event += 1;
        Moment { index: *event - 1, time: None }
    };
    while operations.len() < shape.operations || clients.iter().any(|client| client.open.is_some()) {
        if !adrift.is_empty() && rng.percent(20) {
            let number = adrift.swap_remove(rng.below(adrift.len()));
            if let Some(next) = CasRegister::default().step(&state, &operations[number].call, None) {
                state = next;
            }
        }
        let chosen = rng.below(clients.len());
        let Some(number) = clients[chosen].open else {
            if operations.len() < shape.operations {
                let mut value = |rng: &mut Rng| match shape.values {
                    Some(bound) => match rng.below(bound) {
                        0 => Value::Null,
                        other => Value::Int(other as i64),
                    },
                    None => {
                        fresh += 1;
                        Value::Int(fresh)
                    }
                };
                let dice = rng.below(100) as u32;
                let call = if dice < shape.swaps {
                    let known = |rng: &mut Rng| Value::Int(1 + rng.below(operations.len() + 1) as i64);
                    let old = match rng.below(4) {
                        0 if shape.values.is_none() => known(rng),
                        0 => value(rng),
                        _ => state.clone(),
                    };
                    Call::Cas { old, new: value(rng) }
                } else if dice < shape.swaps + shape.writes {
                    Call::Write(value(rng))
                } else {
                    Call::Read
                };
                clients[chosen].open = Some(operations.len());
                operations.push(Operation {
                    process: chosen as u64,
                    key: Key::None,
                    call,
                    outcome: Outcome::Indeterminate,
                    invoked: moment(&mut event),
                    completed: None,
                });
            }
            continue;
        };
        if clients[chosen].effect.is_none() && rng.percent(70) {
            let call = operations[number].call.clone();
            let reply = match &call {
                Call::Read => Reply::Read(state.clone()),
                Call::Cas { old, .. } if *old != state => Reply::Differed,
                Call::Cas { .. } => Reply::Swapped,
                _ => Reply::Written,
            };
            state = CasRegister::default().step(&state, &call, Some(&reply)).unwrap();
            clients[chosen].effect = Some(reply);
            continue;
        }
        clients[chosen].open = None;
        let effect = clients[chosen].effect.take();
        let operation = &mut operations[number];
        operation.completed = Some(moment(&mut event));
        match effect {
            None if rng.percent(50) => operation.outcome = Outcome::Fail,
            None => adrift.push(number),
            Some(_) if rng.percent(shape.indeterminate) => {}
            Some(Reply::Differed) if !shape.differ => operation.outcome = Outcome::Fail,
            Some(reply) => {
                let wrong = rng.percent(shape.wrong);
                operation.outcome = Outcome::Ok(match reply {
                    Reply::Read(_) if wrong => match rng.below(operations_seen(shape, number) + 1) {
                        0 => Reply::Read(Value::Null),
                        other => Reply::Read(Value::Int(other as i64)),
                    },
                    Reply::Swapped if wrong && shape.differ => Reply::Differed,
                    Reply::Differed if wrong => Reply::Swapped,
                    reply => reply,
                });
            }
        }
    }
    operations
}

fn operations_seen(shape: &Shape, number: usize) -> usize {
    shape.values.map_or(number + 2, |bound| bound - 1)
}

#[derive(Default)]
struct Tally {
    valid: usize,
    invalid: usize,
    passed_on: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Zones,
    Lazy,
    /// Counting what runs out.
    Whether,
    /// In a beam so narrow that small histories do not fit.
    Beam(usize),
}

fn compare(way: Way, shape: &Shape, rounds: u64, by_definition: bool) -> Tally {
    let mut tally = Tally::default();
    for seed in 0..rounds {
        let operations = draw(shape, &mut Rng::new(seed));
        let numbered: Vec<(usize, &Operation)> = operations.iter().enumerate().collect();
        let mut candidates = took_part(&numbered);
        if way != Way::Zones {
            leave_out(&mut candidates, &Family::Register { initial: INITIAL });
        }
        let found = match way {
            Way::Zones => decide(&candidates, &INITIAL, budget()),
            Way::Lazy => super::search(&candidates, &INITIAL, Ask::Where, budget(), ALONE),
            // Without a beam, as it is for small efforts.
            Way::Whether => {
                super::search(&candidates, &INITIAL, Ask::Whether, Budget { effort: 100_000, ..budget() }, ALONE)
            }
            Way::Beam(spacing) => in_a_beam(&candidates, spacing),
        };
        let Some(found) = found else {
            tally.passed_on += 1;
            continue;
        };
        let valid = match found {
            // Where it failed is not what was asked.
            Found::Violation(_) if way == Way::Whether => false,
            found => confirm(&candidates, &found),
        };
        let all = took_part(&numbered);
        let expected = if by_definition { definition_says(&all, &INITIAL) } else { search_says(&numbered) };
        assert_eq!(valid, expected, "seed {seed}: {candidates:?}");
        *(if valid { &mut tally.valid } else { &mut tally.invalid }) += 1;
    }
    println!("valid {}, invalid {}, passed on {}", tally.valid, tally.invalid, tally.passed_on);
    tally
}

/// What a beam of one configuration finds. It fails at the operation at which a search that cuts nothing fails.
fn in_a_beam(candidates: &[Candidate<'_>], spacing: usize) -> Option<Found> {
    let columns = Columns::new(candidates, &INITIAL).unwrap();
    let [narrow, wide] = [1, usize::MAX].map(|width| {
        let beams = Beams { widths: [width, usize::MAX], spacing };
        decide_in(beams, candidates, &columns, &INITIAL, Ask::Where, budget(), ALONE).unwrap()
    });
    if let (Found::Violation(narrow), Found::Violation(wide)) = (&narrow, &wide) {
        assert_eq!((narrow.item, &narrow.pending), (wide.item, &wide.pending), "{candidates:?}");
        assert!(narrow.states.is_empty() || narrow.states == wide.states);
    }
    Some(narrow)
}

const SMALL: Shape = Shape {
    operations: 7,
    processes: 4,
    swaps: 0,
    writes: 45,
    indeterminate: 15,
    values: None,
    differ: false,
    wrong: 30,
};

#[test]
fn zones_agree_with_the_definition() {
    let tally = compare(Way::Zones, &SMALL, 30_000, true);
    assert!(tally.valid > 5_000 && tally.invalid > 5_000 && tally.passed_on < 600);
}

#[test]
fn zones_agree_with_the_search() {
    let tally = compare(Way::Zones, &Shape { operations: 24, processes: 6, wrong: 8, ..SMALL }, 20_000, false);
    assert!(tally.valid > 3_000 && tally.invalid > 3_000);
}

#[test]
fn chains_agree_with_the_definition() {
    let tally = compare(Way::Zones, &Shape { swaps: 40, writes: 25, ..SMALL }, 30_000, true);
    assert!(tally.valid > 5_000 && tally.invalid > 5_000);
}

#[test]
fn chains_agree_with_the_search() {
    let shape = Shape { operations: 24, processes: 6, swaps: 40, writes: 25, wrong: 8, ..SMALL };
    let tally = compare(Way::Zones, &shape, 20_000, false);
    assert!(tally.valid > 3_000 && tally.invalid > 3_000);
}

#[test]
fn refused_swaps_agree_with_the_definition() {
    let tally = compare(Way::Zones, &Shape { swaps: 50, writes: 25, differ: true, ..SMALL }, 30_000, true);
    assert!(tally.valid > 5_000 && tally.invalid > 5_000);
}

#[test]
fn refused_swaps_agree_with_the_search() {
    let shape = Shape { operations: 24, processes: 6, swaps: 40, writes: 30, wrong: 4, differ: true, ..SMALL };
    let tally = compare(Way::Zones, &shape, 20_000, false);
    assert!(tally.valid > 3_000 && tally.invalid > 3_000);
}

const RECURRING: Shape = Shape { writes: 45, values: Some(3), wrong: 60, ..SMALL };

#[test]
fn the_lazy_search_agrees_with_the_definition() {
    let tally = compare(Way::Lazy, &RECURRING, 30_000, true);
    assert!(tally.valid > 5_000 && tally.invalid > 5_000 && tally.passed_on == 0);
    let tally = compare(Way::Lazy, &Shape { values: None, ..RECURRING }, 10_000, true);
    assert!(tally.valid > 2_000 && tally.invalid > 2_000 && tally.passed_on == 0);
}

#[test]
fn the_lazy_search_agrees_with_the_definition_on_swaps() {
    for differ in [false, true] {
        let shape = Shape { swaps: 40, writes: 30, indeterminate: 25, differ, ..RECURRING };
        let tally = compare(Way::Lazy, &shape, 30_000, true);
        assert!(tally.valid > 5_000 && tally.invalid > 3_000 && tally.passed_on == 0);
    }
}

#[test]
fn the_lazy_search_agrees_with_the_general_one() {
    for (swaps, values) in [(0, 3), (0, 6), (30, 4), (60, 3)] {
        let shape =
            Shape { operations: 26, processes: 7, swaps, values: Some(values), wrong: 12, differ: true, ..RECURRING };
        let tally = compare(Way::Lazy, &shape, 10_000, false);
        assert!(tally.valid > 1_000 && tally.invalid > 700 && tally.passed_on == 0);
    }
}

/// With most operations indeterminate, and few of each kind.
#[test]
fn counting_what_runs_out_agrees_with_the_definition() {
    for (swaps, values, differ) in [(0, 2, false), (50, 3, true), (35, 4, false)] {
        let shape = Shape { swaps, writes: 30, indeterminate: 60, values: Some(values), differ, ..RECURRING };
        let tally = compare(Way::Whether, &Shape { operations: 8, processes: 5, ..shape }, 20_000, true);
        assert!(tally.valid > 3_000 && tally.invalid > 700 && tally.passed_on == 0);
    }
}

#[test]
fn counting_what_runs_out_agrees_with_the_general_search() {
    for (swaps, values) in [(0, 3), (40, 3), (60, 4)] {
        let shape = Shape { operations: 24, processes: 7, swaps, values: Some(values), wrong: 25, ..RECURRING };
        let tally = compare(Way::Whether, &Shape { indeterminate: 40, differ: true, ..shape }, 10_000, false);
        assert!(tally.valid > 1_000 && tally.invalid > 700 && tally.passed_on == 0);
    }
}

/// Two reads of a value between which another was there need two writes of it.
#[test]
fn what_runs_out_is_counted() {
    let operation = |place: usize, call: Call, reply: Option<Reply>| Operation {
        process: place as u64,
        key: Key::None,
        call,
        outcome: reply.map_or(Outcome::Indeterminate, Outcome::Ok),
        invoked: Moment { index: 2 * place, time: None },
        completed: Some(Moment { index: 2 * place + 1, time: None }),
    };
    let (one, two) = (Value::Int(1), Value::Int(2));
    let read = |place: usize, value: &Value| operation(place, Call::Read, Some(Reply::Read(value.clone())));
    let lost = |place: usize, value: &Value| operation(place, Call::Write(value.clone()), None);
    for (writes, valid) in [(1, false), (2, true), (3, true)] {
        let mut operations: Vec<Operation> = (0..writes).map(|place| lost(place, &one)).collect();
        operations.extend([(3, &two), (4, &two)].map(|(place, value)| lost(place, value)));
        operations.extend([(5, &one), (6, &two), (7, &one)].map(|(place, value)| read(place, value)));
        let numbered: Vec<(usize, &Operation)> = operations.iter().enumerate().collect();
        let candidates = took_part(&numbered);
        let budget = Budget { effort: 100_000, ..budget() };
        let found = super::search(&candidates, &INITIAL, Ask::Whether, budget, ALONE).unwrap();
        assert_eq!(matches!(found, Found::Order(_)), valid, "{writes} writes");
        assert!(!valid || confirm(&candidates, &found));
    }
}

/// A cas that differed and does not fit where it is tried first is made to read some value: among fifty clients a few are.
#[test]
fn refused_swaps_of_many_clients_are_placed() {
    use sextant_histories::generate::{Config, Values, generate};
    let mut tried_again = 0;
    for seed in 0..12 {
        let config = Config {
            seed,
            operations: 20_000,
            clients: 50,
            keys: 1,
            values: Values::Unique,
            cas_percent: 40,
            write_percent: 25,
            ..Config::default()
        };
        let history = sextant_histories::History::from_events(generate(&config)).unwrap();
        let numbered: Vec<(usize, &Operation)> = history.operations().iter().enumerate().collect();
        let candidates = took_part(&numbered);
        let mut columns = Columns::new(&candidates, &INITIAL).unwrap();
        let found = refused::decide(&mut columns, budget()).expect("zones decide it");
        assert!(confirm(&candidates, &found), "seed {seed}");
        let reads = |op: &columns::Op| matches!(op.deed, columns::Deed::Read(_));
        let asked = candidates.iter().filter(|candidate| *candidate.call == Call::Read).count();
        tried_again += columns.ops.iter().filter(|op| reads(op)).count() - asked;
    }
    assert!(tried_again > 5, "{tried_again}");
}

#[test]
fn whoever_has_no_time_places_nothing() {
    let operations = draw(&Shape { swaps: 50, writes: 25, differ: true, ..SMALL }, &mut Rng::new(1));
    let numbered: Vec<(usize, &Operation)> = operations.iter().enumerate().collect();
    let candidates = took_part(&numbered);
    let over = Budget { deadline: std::time::Instant::now(), ..budget() };
    assert!(matches!(decide(&candidates, &INITIAL, over), Some(Found::Stopped(Stopped { stop: Stop::Timeout, .. }))));
    assert!(!matches!(decide(&candidates, &INITIAL, budget()), Some(Found::Stopped(_))));
}

#[test]
fn a_beam_agrees_with_the_definition() {
    for (swaps, spacing) in [(0, 1), (40, 1), (40, 3)] {
        let shape = Shape { swaps, writes: 30, indeterminate: 25, differ: true, ..RECURRING };
        let tally = compare(Way::Beam(spacing), &shape, 20_000, true);
        assert!(tally.valid > 3_000 && tally.invalid > 2_000 && tally.passed_on == 0);
    }
}

#[test]
fn a_beam_agrees_with_the_general_search() {
    for (swaps, values) in [(0, 3), (30, 4), (60, 3)] {
        let shape =
            Shape { operations: 26, processes: 7, swaps, values: Some(values), wrong: 12, differ: true, ..RECURRING };
        let tally = compare(Way::Beam(4), &shape, 10_000, false);
        assert!(tally.valid > 1_000 && tally.invalid > 700 && tally.passed_on == 0);
    }
}

/// Blurring keeps every linearization, so what is wrong then is wrong.
#[test]
fn what_is_wrong_with_one_value_is_wrong() {
    let mut wrong = 0;
    for seed in 0..20_000 {
        let shape = Shape { swaps: 40, writes: 30, indeterminate: 25, differ: true, ..RECURRING };
        let operations = draw(&shape, &mut Rng::new(seed));
        let numbered: Vec<(usize, &Operation)> = operations.iter().enumerate().collect();
        let mut candidates = took_part(&numbered);
        leave_out(&mut candidates, &Family::Register { initial: INITIAL });
        let columns = Columns::new(&candidates, &INITIAL).unwrap();
        for value in 0..columns.values as u32 {
            let blurred = columns.blurred(value);
            let found = lazy::decide(&candidates, &blurred, &INITIAL, Ask::Where, budget(), ALONE).unwrap();
            if !matches!(found, Found::Order(_)) {
                assert!(
                    !definition_says(&took_part(&numbered), &INITIAL),
                    "seed {seed}, value {value}: {candidates:?}"
                );
                wrong += 1;
            }
        }
    }
    assert!(wrong > 5_000, "{wrong}");
}
