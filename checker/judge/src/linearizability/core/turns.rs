//! Cores of mutexes, by counting: acquires and releases take turns, so too many of one kind have too few of the other
//! between them.
//!
//! Take a moment at which `k` acquires have returned and `k - 2` releases were invoked: `k - 1` would have to lie between
//! the acquires. The core is those acquires, every release that was invoked later, and every release that failed. The
//! *other* releases, `k - 2` of them, are weakened, as is every other acquire.
//!
//! *It fails*: before that moment only the weakened releases can happen.
//!
//! *It is smallest*, if besides the `k` there are at least as many acquires as late releases that ended in `ok`, less
//! one. Weaken one of the acquires: the other `k - 1` take turns with the `k - 2` weakened releases, which leaves the lock
//! taken. The first late release frees it, and before each of the others a weakened acquire happens. Weaken a release
//! instead: now there are `k - 1` of them for the `k` acquires, and it goes on as above.
//!
//! The same with the names exchanged, except that the lock is free at first: `k` releases that have returned, and
//! `k - 1` acquires that were invoked.
//!
//! Dropping member by member comes to the same, in as many checks as there are members: a core of a mutex has about half of
//! its operations, because each release either is a member or lets another acquire be one.

use sextant_histories::{Call, Operation, Outcome};

/// Positions of a smallest core of a mutex's operations, ascending, if counting finds one.
pub(super) fn core(operations: &[(usize, &Operation)]) -> Option<Vec<usize>> {
    too_many(operations, &Call::Acquire, 2).or_else(|| too_many(operations, &Call::Release, 1))
}

/// At some moment `lead` more operations have returned that ask for `kind` than were invoked of the others.
fn too_many(operations: &[(usize, &Operation)], kind: &Call, lead: usize) -> Option<Vec<usize>> {
    let is_done = |operation: &Operation| operation.call == *kind && operation.reply().is_some();
    let mut done: Vec<(usize, usize)> = Vec::new();
    let mut others: Vec<usize> = Vec::new();
    for (position, (_, operation)) in operations.iter().enumerate() {
        if let Some(end) = operation.returned().filter(|_| is_done(operation)) {
            done.push((end, position));
        } else if operation.call != *kind && operation.outcome != Outcome::Fail {
            others.push(operation.invoked.index);
        }
    }
    done.sort_unstable();
    let invoked_by = |moment: usize| others.partition_point(|invoked| *invoked < moment);
    let crowd = (1..=done.len()).find(|count| *count >= invoked_by(done[count - 1].0) + lead)?;
    let moment = done[crowd - 1].0;
    // As many as make it fail, the latest.
    let many = invoked_by(moment) + lead;
    let mut core: Vec<usize> = done[crowd - many..crowd].iter().map(|(_, position)| *position).collect();
    let (mut alike, mut late) = (0, 0);
    for (position, (_, operation)) in operations.iter().enumerate() {
        let failed = operation.outcome == Outcome::Fail;
        if operation.call == *kind {
            alike += 1;
        } else if failed || operation.invoked.index > moment {
            late += usize::from(operation.reply().is_some());
            core.push(position);
        }
    }
    core.sort_unstable();
    (alike - many + 1 >= late).then_some(core)
}
