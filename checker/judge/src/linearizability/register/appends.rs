//! Objects to which one appends, as registers: lists, and strings under a key, that are read as a whole.
//!
//! A read shows all that was appended since the last write. So if what is appended and written can be told apart in what is read
//! ([`Pieces`]), each append that a read shows has its place: it found what stands before it there, and left that with
//! itself at the end. It is a swap between these two states of a register. An append that no read shows is nothing that anybody
//! sees: no read stands between it and the next write, if there is one. It is a write of a value of its own that nobody
//! reads. Conversely, take a linearization of these reads, writes and swaps. Between the swaps of a chain stands nothing
//! else that changes the register, so what was appended is what the reads show, and what nobody shows stands where nobody
//! reads. Of this register every value is installed by one operation, so zones decide it.
//!
//! An append that two reads show at different places contradicts them, whatever the others did, and so does a
//! read that shows what nobody appended.

use std::collections::HashMap;

use sextant_histories::{Call, Reply, Value};

use super::super::model::Family;
use super::super::prune::Candidate;
use super::super::search::{Budget, Found, Stop, Stopped};
use super::columns::{Columns, Deed, INITIAL, NEVER, Op, time};
use super::zones::{Failure, Zones};

/// What can be told apart in what is read, with numbers of operations.
pub(in crate::linearizability) enum Pieces<'a> {
    List(HashMap<&'a Value, u32>),
    /// In alphabetical order, none the beginning of another, and whether it is written, not appended.
    Text {
        pieces: Vec<(&'a str, u32, bool)>,
        initial: Value,
    },
}

impl<'a> Pieces<'a> {
    /// Of these operations; none where something is put in twice, or nothing tells the pieces of a string apart.
    pub(in crate::linearizability) fn new(
        family: &Family,
        calls: impl Iterator<Item = (u32, &'a Call)>,
    ) -> Option<Self> {
        match family {
            Family::List => {
                let mut pieces = HashMap::new();
                for (number, call) in calls {
                    if let Call::Append(element) = call
                        && pieces.insert(element, number).is_some()
                    {
                        return None;
                    }
                }
                Some(Self::List(pieces))
            }
            Family::Text { initial } => {
                let mut pieces = Vec::new();
                for (number, call) in calls {
                    match call {
                        Call::Append(Value::Str(piece)) => pieces.push((&**piece, number, false)),
                        Call::Write(Value::Str(piece)) => pieces.push((&**piece, number, true)),
                        Call::Write(_) | Call::Append(_) => return None,
                        _ => {}
                    }
                }
                pieces.sort_unstable();
                let is_begun = |pair: &[(&str, u32, bool)]| pair[1].0.starts_with(pair[0].0);
                let empty = matches!(initial, Value::Null) || *initial == Value::from("");
                let apart = !pieces.windows(2).any(is_begun) && pieces.first().is_none_or(|first| !first.0.is_empty());
                (apart && empty).then(|| Self::Text { pieces, initial: initial.clone() })
            }
            _ => None,
        }
    }

    /// The operations that a read shows, in order; none if it shows what they cannot have left. A write can only be the first.
    pub(in crate::linearizability) fn shown(&self, read: &Value) -> Option<Vec<u32>> {
        let shown = match (self, read) {
            (Self::List(_), Value::Null) => Vec::new(),
            (Self::List(pieces), Value::List(elements)) => {
                elements.iter().map(|element| pieces.get(element).copied()).collect::<Option<Vec<u32>>>()?
            }
            (Self::Text { initial, .. }, read) if initial == read => Vec::new(),
            (Self::Text { pieces, .. }, Value::Str(text)) if !text.is_empty() => {
                let mut shown = Vec::new();
                let mut rest = &**text;
                while !rest.is_empty() {
                    // As none begins another, the one that begins the rest is the last that is not behind it.
                    let behind = pieces.partition_point(|(piece, ..)| *piece <= rest);
                    let (piece, number, written) = *pieces.get(behind.checked_sub(1)?)?;
                    rest = rest.strip_prefix(piece).filter(|_| !written || shown.is_empty())?;
                    shown.push(number);
                }
                shown
            }
            _ => return None,
        };
        let mut once = shown.clone();
        once.sort_unstable();
        once.windows(2).all(|pair| pair[0] != pair[1]).then_some(shown)
    }
}

/// What it takes for an operation at most, in bytes, zones included.
const BYTES_EACH: usize = 256;

/// Where an operation that changes the object stands: from one state to another, and a read that shows it.
#[derive(Clone, Copy)]
struct Place {
    from: u32,
    to: u32,
    read: u32,
}

/// Judges one object's operations, if what they put in can be told apart.
pub(in crate::linearizability) fn decide(
    candidates: &[Candidate<'_>],
    family: &Family,
    budget: Budget,
) -> Option<Found> {
    if candidates.len().saturating_mul(BYTES_EACH) > budget.memory_bytes {
        return Some(Found::Stopped(Stopped::at_once(Stop::Memory)));
    }
    let numbered = candidates.iter().enumerate().map(|(item, candidate)| (item as u32, candidate.call));
    let pieces = Pieces::new(family, numbered)?;
    let is_write = |item: u32| matches!(candidates[item as usize].call, Call::Write(_));
    let mut places: Vec<Option<Place>> = vec![None; candidates.len()];
    let mut values = INITIAL + 1;
    let mut fresh = || {
        values += 1;
        values - 1
    };
    let mut read_at: Vec<u32> = vec![INITIAL; candidates.len()];
    for (item, candidate) in candidates.iter().enumerate() {
        let (Call::Read, Some(Reply::Read(read))) = (candidate.call, candidate.reply) else { continue };
        let Some(shown) = pieces.shown(read) else {
            return Some(Found::Conflict(vec![item]));
        };
        let mut state = INITIAL;
        for number in shown {
            let place = places[number as usize];
            match place.filter(|place| place.from == state || is_write(number)) {
                Some(place) => state = place.to,
                None => {
                    if let Some(Place { read, .. }) = place {
                        let mut items = vec![read as usize, item, number as usize];
                        items.sort_unstable();
                        return Some(Found::Conflict(items));
                    }
                    let to = fresh();
                    places[number as usize] = Some(Place { from: state, to, read: item as u32 });
                    state = to;
                }
            }
        }
        read_at[item] = state;
    }
    let mut ops = Vec::with_capacity(candidates.len());
    for (item, candidate) in candidates.iter().enumerate() {
        let deed = match (candidate.call, candidate.reply, places[item]) {
            (Call::Read, Some(_), _) => Deed::Read(read_at[item]),
            (Call::Read, None, _) => Deed::Nothing,
            (Call::Write(_), _, Some(Place { to, .. })) => Deed::Write(to),
            (_, _, Some(Place { from, to, .. })) => Deed::Swap(from, to),
            (_, _, None) => Deed::Write(fresh()),
        };
        ops.push(Op {
            deed,
            known: candidate.reply.is_some(),
            call: time(candidate.invoked)?,
            ret: candidate.deadline.map_or(Some(NEVER), time)?,
        });
    }
    let columns = Columns { ops, values: values as usize };
    match Zones::new(&columns) {
        Ok(zones) => Some(Found::Order(zones.order())),
        Err(Failure::Conflict(mut items)) => {
            // Where a change stands, its read says.
            let says: Vec<usize> = items.iter().filter_map(|item| Some(places[*item]?.read as usize)).collect();
            items.extend(says);
            items.sort_unstable();
            items.dedup();
            Some(Found::Conflict(items))
        }
        Err(Failure::NotDistinct) => None,
    }
}

#[cfg(test)]
mod tests {
    use sextant_histories::generate::{Model as Generated, Recipe, make};
    use sextant_histories::{History, Operation};

    use super::*;
    use crate::linearizability::automaton::Automaton;
    use crate::linearizability::model::Model;
    use crate::linearizability::models::{AppendList, KeyValue};
    use crate::linearizability::plan::Plan;
    use crate::linearizability::prune::took_part;
    use crate::linearizability::search::{ALONE, search_in};

    fn search_says<M: Model>(candidates: &[Candidate<'_>], model: &M) -> bool {
        let mut automaton = Automaton::new(model);
        let plan = Plan::new(candidates, model, &mut automaton);
        match search_in(&[usize::MAX], &plan, &mut automaton, Budget::unlimited(), ALONE) {
            Found::Order(_) => true,
            Found::Violation(_) => false,
            other => panic!("{other:?}"),
        }
    }

    /// How many histories were valid and how many were not, each held against the general search; an order is replayed, and a
    /// conflict is one by itself.
    fn agree<M: Model>(kind: Generated, model: &M) -> (usize, usize) {
        let mut tally = (0, 0);
        let flaws = [None].into_iter().chain(kind.flaws().iter().map(|flaw| Some(*flaw)));
        for (violation, seed) in flaws.flat_map(|flaw| (0..1_500).map(move |seed| (flaw, seed))) {
            let (operations, clients, indeterminate) =
                (12 + seed as usize % 9, 3 + seed as usize % 3, seed as usize % 4);
            let recipe = Recipe { seed, operations, clients, indeterminate, keys: 1, violation, ..Recipe::of(kind) };
            let history = History::from_events(make(&recipe).unwrap().events).unwrap();
            let first = history.operations()[0].key.clone();
            let operations = history.operations().iter().filter(|operation| operation.key == first);
            let operations: Vec<(usize, &Operation)> = operations.enumerate().collect();
            let candidates = took_part(&operations);
            let found = decide(&candidates, &model.family(), Budget::unlimited()).expect("what is put in is distinct");
            assert_eq!(
                matches!(found, Found::Order(_)),
                search_says(&candidates, model),
                "{kind:?}, {violation:?}, {seed}"
            );
            match found {
                Found::Order(order) => {
                    replay(&candidates, &order, model);
                    tally.0 += 1;
                }
                Found::Conflict(items) => {
                    let alone: Vec<Candidate<'_>> = items.iter().map(|item| candidates[*item]).collect();
                    assert!(!search_says(&alone, model), "{alone:?}");
                    tally.1 += 1;
                }
                other => panic!("{other:?}"),
            }
        }
        tally
    }

    fn replay<M: Model>(candidates: &[Candidate<'_>], order: &[usize], model: &M) {
        let mut placed = vec![false; candidates.len()];
        let mut state = model.initial();
        let mut latest = 0;
        for item in order {
            let candidate = &candidates[*item];
            assert!(!std::mem::replace(&mut placed[*item], true));
            latest = latest.max(candidate.invoked);
            assert!(candidate.deadline.is_none_or(|end| end > latest), "{order:?}");
            state = model.step(&state, candidate.call, candidate.reply).expect("it replays");
        }
        assert!((0..candidates.len()).all(|item| placed[item] || candidates[item].reply.is_none()));
    }

    #[test]
    fn strings_and_lists_agree_with_the_general_search() {
        for (valid, invalid) in
            [agree(Generated::KeyValue, &KeyValue::default()), agree(Generated::AppendList, &AppendList)]
        {
            assert!(valid > 1_400 && invalid > 4_000, "{valid} valid, {invalid} invalid");
        }
    }

    #[test]
    fn pieces_are_told_apart_or_nobody_is_told_anything() {
        let family = Family::Text { initial: Value::Null };
        let append = |piece: &str| Call::Append(piece.into());
        let pieces = |calls: &[Call]| {
            let calls: &'static [Call] = Box::leak(calls.to_vec().into());
            Pieces::new(&family, calls.iter().enumerate().map(|(number, call)| (number as u32, call)))
        };
        assert!(pieces(&[append("a"), append("ab")]).is_none());
        assert!(pieces(&[append("a"), append("a")]).is_none());
        assert!(pieces(&[append(""), append("a")]).is_none());
        let some = pieces(&[append("a"), append("bc"), Call::Write("cb".into()), Call::Read]).unwrap();
        assert_eq!(some.shown(&"abc".into()), Some(vec![0, 1]));
        assert_eq!(some.shown(&"cba".into()), Some(vec![2, 0]));
        assert_eq!(some.shown(&Value::Null), Some(vec![]));
        for strange in ["", "b", "acb", "aa", "abcx"] {
            assert_eq!(some.shown(&strange.into()), None, "{strange}");
        }
    }
}
