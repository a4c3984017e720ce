//! Registers on which an operation found a value that had been replaced.
//!
//! Let `r` start from `v`: a read that returned it, or a swap from it. Let everything that could install `v` have returned
//! before some operation `x` began that found or wrote another value, or begin after `r` had returned; and let `x` have
//! returned before `r` began. Then `r`, `x` and all that could install `v` contradict each other, whatever others did. So they do
//! without `x` if nothing that could install `v` began before `r` returned.
//!
//! It is where to start from and not always a smallest core, and not the only way in which a value is stale. But values of which there
//! are thousands of writes have cores of thousands, as any write that is weakened explains `r`, and nothing finds those by
//! adding neighbours.

use sextant_histories::{Call, Operation, Outcome, Reply, Value};

use super::shade::Shade;

/// Positions of operations that contradict each other, ascending, because that at `found` found a stale value.
pub(super) fn members(operations: &[(usize, &Operation)], found: usize, shade: &Shade<'_>) -> Option<Vec<usize>> {
    let operation = |position: usize| operations[position].1;
    let stale = starts_from(operation(found))?;
    let end = operation(found).returned()?;
    let installers: Vec<usize> = shade.by_value(stale).iter().copied().filter(|other| *other != found).collect();
    let early = installers.iter().filter(|other| {
        let other = operation(**other);
        other.outcome != Outcome::Fail && other.reply() != Some(&Reply::Differed) && other.invoked.index < end
    });
    // The last return of those; none if one of them has no return.
    let replaced_after =
        early.map(|other| operation(*other).returned()).try_fold(0, |last, end| Some(last.max(end?)))?;
    let shows = |other: &usize| {
        let other = operation(*other);
        let in_between = other.returned().is_some_and(|end| end < operation(found).invoked.index)
            && (other.invoked.index > replaced_after || replaced_after == 0);
        in_between && shows_another(other, stale)
    };
    let witness = (0..found).rev().find(shows);
    let mut members = installers;
    members.push(found);
    members.extend(witness);
    super::tidy(&mut members);
    Some(members)
}

fn starts_from(operation: &Operation) -> Option<&Value> {
    match (&operation.call, operation.reply()) {
        (Call::Read, Some(Reply::Read(value))) => Some(value),
        (Call::Cas { old, .. }, Some(Reply::Swapped)) => Some(old),
        _ => None,
    }
}

/// Whether some moment of the operation is one at which the value is not `value`.
fn shows_another(operation: &Operation, value: &Value) -> bool {
    match (&operation.call, operation.reply()) {
        (Call::Write(new), Some(_)) => new != value,
        (Call::Read, Some(Reply::Read(found))) => found != value,
        (Call::Cas { old, .. }, Some(Reply::Swapped)) => old != value,
        (Call::Cas { old, .. }, Some(Reply::Differed)) => old == value,
        _ => false,
    }
}
