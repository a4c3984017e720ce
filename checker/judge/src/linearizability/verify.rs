//! A second opinion on every `valid`: replays a linearization with nothing but the model and the history, in linear time.

use std::collections::HashSet;

use sextant_histories::{History, Key, Operation, Outcome};

use super::{Linearization, Model};

/// Checks that `linearizations` have every operation that ended in `ok` exactly once and under its own key, no failed one,
/// no operation twice; that the model gives each its reply; and that no operation stands behind one that was invoked
/// after its return. The error is one line.
pub fn verify<M: Model>(history: &History, model: &M, linearizations: &[Linearization]) -> Result<(), String> {
    let mut placed = vec![false; history.operations().len()];
    let mut keys: HashSet<&Key> = HashSet::with_capacity(linearizations.len());
    for linearization in linearizations {
        if !keys.insert(&linearization.key) {
            return Err(format!("key {} has two linearizations", linearization.key));
        }
        replay(history.operations(), model, linearization, &mut placed)?;
    }
    let mut all = history.operations().iter().zip(&placed);
    match all.position(|(operation, placed)| operation.reply().is_some() && !placed) {
        Some(number) => Err(format!("operation {number} is missing")),
        None => Ok(()),
    }
}

fn replay<M: Model>(
    operations: &[Operation],
    model: &M,
    Linearization { key, order }: &Linearization,
    placed: &mut [bool],
) -> Result<(), String> {
    let mut state = model.initial();
    let mut latest_invocation = 0;
    for number in order {
        let operation = operations.get(*number).ok_or_else(|| format!("there is no operation {number}"))?;
        let elsewhere = model.keyed() && operation.key != *key;
        if elsewhere || operation.outcome == Outcome::Fail || std::mem::replace(&mut placed[*number], true) {
            return Err(format!("operation {number} does not belong there"));
        }
        latest_invocation = latest_invocation.max(operation.invoked.index);
        if operation.returned().is_some_and(|end| end < latest_invocation) {
            return Err(format!("operation {number} had returned before one in front of it was invoked"));
        }
        let next = model.step(&state, &operation.call, operation.reply());
        state = next.ok_or_else(|| format!("operation {number} is not possible in {}", model.show(&state)))?;
    }
    Ok(())
}
