use sextant_histories::{Call, Reply};

use crate::linearizability::model::{Family, Model};

/// A lock, free at first: `acquire` takes it where it is free, `release` frees it where it is taken. Who asks does not
/// matter: one process may release what another has acquired. An attempt that did not succeed is a `fail`.
///
/// Impossible: `acquire`, `acquire`, both ending in `ok`, one after the other.
#[derive(Clone, Debug, Default)]
pub struct Mutex;

impl Model for Mutex {
    /// Whether it is taken.
    type State = bool;

    fn name(&self) -> &str {
        "mutex"
    }

    fn initial(&self) -> bool {
        false
    }

    fn step(&self, state: &bool, call: &Call, reply: Option<&Reply>) -> Option<bool> {
        if !matches!(reply, None | Some(Reply::Done)) {
            return None;
        }
        match call {
            Call::Acquire => (!state).then_some(true),
            Call::Release => state.then_some(false),
            _ => None,
        }
    }

    fn supports(&self, call: &Call) -> bool {
        matches!(call, Call::Acquire | Call::Release)
    }

    fn show(&self, state: &bool) -> String {
        if *state { "locked".into() } else { "unlocked".into() }
    }

    fn family(&self) -> Family {
        Family::Mutex
    }
}
