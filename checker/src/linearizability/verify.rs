//! A second opinion on every `valid`: replays a linearization with nothing but the model and the history.

use std::collections::BTreeSet;

use sextant_histories::{History, Outcome};

use super::{Linearization, Model};

/// Checks that `linearizations` have every operation that ended in `ok` exactly once and under its own key, no failed one,
/// no operation twice; that the model gives each its reply; and that no operation stands behind one that was invoked
/// after its return. The error is one line.
pub fn verify<M: Model>(history: &History, model: &M, linearizations: &[Linearization]) -> Result<(), String> {
    let mut placed = BTreeSet::new();
    let mut keys = BTreeSet::new();
    for Linearization { key, order } in linearizations {
        if !keys.insert(key) {
            return Err(format!("key {key} has two linearizations"));
        }
        let mut state = model.initial();
        let mut latest_invocation = 0;
        for number in order {
            let operation = history.operations().get(*number);
            let operation = operation.ok_or(format!("there is no operation {number}"))?;
            if (model.keyed() && operation.key != *key) || operation.outcome == Outcome::Fail || !placed.insert(*number)
            {
                return Err(format!("operation {number} does not belong there"));
            }
            latest_invocation = latest_invocation.max(operation.invoked.index);
            if operation.returned().is_some_and(|end| end < latest_invocation) {
                return Err(format!("operation {number} had returned before one in front of it was invoked"));
            }
            let next = model.step(&state, &operation.call, operation.reply());
            state = next.ok_or(format!("operation {number} is not possible in {}", model.show(&state)))?;
        }
    }
    let missing = |number: &usize| history.operations()[*number].reply().is_some() && !placed.contains(number);
    match (0..history.operations().len()).find(missing) {
        Some(number) => Err(format!("operation {number} is missing")),
        None => Ok(()),
    }
}
