//! Traces without parent links: of a state of one level, some state of the level before is a predecessor.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;

use super::levels::{Chunk, Level, lock};
use super::shape::Shape;
use super::{Failure, Packed, Trace};

/// A shortest path to `target`, which lies on level `depth`. Of several predecessors it takes the least one, and there the
/// first action, so it is the same path every time.
///
/// # Errors
/// If a level holds no predecessor: then the model does not do the same twice, or a fingerprint collided.
pub fn walk_back<M: Packed + Sync>(
    model: &M,
    threads: usize,
    levels: &[Level],
    depth: usize,
    target: &[u8],
) -> Result<Trace<M::State, M::Action>, Failure> {
    let shape = Shape::of(model);
    let mut steps = VecDeque::new();
    let mut at = target.to_vec();
    for level in levels[..depth].iter().rev() {
        let before = predecessor(model, threads, level, &at)?.ok_or_else(lost)?;
        let action = action_between(model, &before, &at).ok_or_else(lost)?;
        steps.push_front((action, shape.unpack(model, &at)));
        at = before;
    }
    Ok(Trace { first: shape.unpack(model, &at), steps: steps.into() })
}

pub fn lost() -> Failure {
    Failure("a state of a counterexample has no predecessor: the model does not do the same twice".into())
}

/// The least state of a level that leads to `target`; none if no state does.
///
/// # Errors
/// If the level cannot be read back from its file.
pub fn predecessor<M: Packed + Sync>(
    model: &M,
    threads: usize,
    level: &Level,
    target: &[u8],
) -> Result<Option<Vec<u8>>, Failure> {
    let least: Mutex<Option<Vec<u8>>> = Mutex::default();
    let failed: Mutex<Option<Failure>> = Mutex::default();
    let chunks: Mutex<VecDeque<&Chunk>> = Mutex::new(level.chunks.iter().collect());
    let scan = || {
        loop {
            let next = lock(&chunks).pop_front();
            let Some(chunk) = next else { return };
            let scanned = chunk.with(|states| {
                for state in states.chunks_exact(target.len()) {
                    let better = lock(&least).as_ref().is_none_or(|old| state < old.as_slice());
                    if better && action_between(model, state, target).is_some() {
                        let mut least = lock(&least);
                        if least.as_ref().is_none_or(|old| state < old.as_slice()) {
                            *least = Some(state.to_vec());
                        }
                    }
                }
            });
            if let Err(failure) = scanned {
                lock(&failed).get_or_insert(failure);
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..threads.min(level.chunks.len()) {
            scope.spawn(scan);
        }
        scan();
    });
    if let Some(failure) = lock(&failed).take() {
        return Err(failure);
    }
    let found = lock(&least).take();
    Ok(found)
}

/// The first action that leads from one packed state to the other.
pub fn action_between<M: Packed>(model: &M, from: &[u8], to: &[u8]) -> Option<M::Action> {
    let shape = Shape::of(model);
    let (mut target, mut packed) = (shape.words(), shape.words());
    shape.widen(to, &mut target);
    let mut leads = |state: &M::State, place: usize, action: M::Action| {
        let next = model.next_state(state, action).filter(|next| model.within_boundary(next))?;
        shape.pack(model, next, &mut packed);
        (packed == target).then_some(place)
    };
    // A state whose expansion panics has its trace told too, and its siblings may panic while they are scanned.
    let place = catch_unwind(AssertUnwindSafe(|| {
        let state = shape.unpack(model, from);
        let mut actions = Vec::new();
        model.actions(&state, &mut actions);
        actions.into_iter().enumerate().find_map(|(place, action)| leads(&state, place, action))
    }));
    let place = place.ok().flatten()?;
    let mut actions = Vec::new();
    model.actions(&shape.unpack(model, from), &mut actions);
    actions.into_iter().nth(place)
}
