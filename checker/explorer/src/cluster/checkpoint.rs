//! Checkpoints of a partitioned search: each worker has a folder of its own, of the form that the packed engine's has.
//!
//! A worker describes a level once all have told what they found on it. So when processes are killed at whatever moment,
//! what two workers describe differs by one level at most, and all go on from the least. Each therefore says what its own
//! part of the counts was on every level, and levels beyond the common one are written again.

use serde::{Deserialize, Serialize};

use crate::packed::Failure;
use crate::packed::checkpoint::Describes;

/// What one worker's checkpoint says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Description {
    pub format: u32,
    pub identity: String,
    /// Bytes of a packed state.
    pub bytes: usize,
    /// Whether keys are those of exact storage.
    pub exact: bool,
    /// This worker's number and how many there are: another number of them would own other states.
    pub worker: usize,
    pub workers: usize,
    /// By level, of this worker alone.
    pub levels: Vec<Own>,
}

/// What one worker has to do with one level.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Own {
    /// States of the level that it owns, and the sum of their keys.
    pub states: u64,
    pub sum: u64,
    /// What it had done to find the level: states generated, and each kind of action taken.
    pub generated: u64,
    pub actions: Vec<u64>,
    /// `sometimes` properties that it had witnessed by then, a bit each.
    pub witnessed: u64,
    /// Violations that it had found by then: rank, depth, state, message of a panic.
    pub found: Vec<(usize, usize, Vec<u8>, Option<String>)>,
}

pub const FORMAT: u32 = 1;

impl Describes for Description {
    const FORMAT: u32 = FORMAT;

    fn format(&self) -> u32 {
        self.format
    }

    fn identity(&self) -> &str {
        &self.identity
    }
}

/// From how many levels all go on, when the workers describe so many each.
///
/// # Errors
/// If these cannot be folders of one search.
pub fn common(described: &[usize]) -> Result<usize, Failure> {
    let (least, most) = (described.iter().min().copied().unwrap_or(0), described.iter().max().copied().unwrap_or(0));
    if most - least <= 1 {
        return Ok(least);
    }
    let worker = described.iter().position(|&levels| levels == least).unwrap_or(0);
    Err(Failure(format!(
        "the folders are not of one search: worker {worker} has a checkpoint of {least} levels, another of {most}"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workers_that_are_a_level_apart_go_on_and_others_do_not() {
        assert_eq!(common(&[4, 5, 4]), Ok(4));
        assert_eq!(common(&[0, 1]), Ok(0));
        let error = common(&[9, 9, 0]).unwrap_err().0;
        assert!(error.contains("worker 2 has a checkpoint of 0 levels, another of 9"), "{error}");
    }
}
