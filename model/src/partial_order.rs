//! Partial-order reduction: of steps that commute, only one order is explored.
//!
//! An area declares for each step that may still be taken what it reads, writes and adds to ([`Footprint`]). Two steps commute if
//! neither writes what the other touches, and neither adds to what the other reads: what is only added to (records held,
//! acknowledgements counted) ends the same in any order. From this [`persistent`] works out a *persistent set* of the steps
//! possible in a state (Godefroid 1996; the closure is that of Valmari's stubborn sets): nothing that can happen without them
//! interferes with any of them. So exploring these alone reaches every state in which nothing is possible any more, and with it
//! every violation that stays one: a property whose violation may pass is not judged on a reduced space ([`Area::STABLE`]).
//!
//! What is declared is held against the steps themselves in `tests/partial_order.rs`: what is said to commute does, and the
//! reduced spaces have the ends of the whole ones, to the state, and the same broken properties for every mutant.
//!
//! [`Area::STABLE`]: crate::area::Area::STABLE

/// What a step touches. Each bit is a place of the state, as the area numbers them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Footprint {
    /// Places on which it depends what the step does.
    pub reads: u64,
    /// Places that it changes.
    pub writes: u64,
    /// Places that it adds to, where the order of what is added makes no difference.
    pub adds: u64,
    /// Of a step that is not possible now: places of which one must change before it is.
    pub guards: u64,
    /// Its place among the possible actions; none if it is not possible now. Several steps may stand for one action, as those of
    /// interchangeable actors do.
    pub action: Option<usize>,
}

impl Footprint {
    /// Whether the order of the two can make a difference.
    #[must_use]
    #[inline]
    pub fn interferes(&self, other: &Footprint) -> bool {
        let one = self.writes & (other.reads | other.writes | other.adds) | self.adds & other.reads;
        let other = other.writes & (self.reads | self.adds) | other.adds & self.reads;
        one | other != 0
    }

    fn changes(&self) -> u64 {
        self.writes | self.adds
    }
}

/// The smallest persistent set that contains some step possible now, as places among the actions, ascending: an action in it is
/// explored, the others are left for later. `steps` are all that may ever be taken from here on, possible now or not.
#[must_use]
pub fn persistent(steps: &[Footprint]) -> Vec<usize> {
    let mut least: Option<Vec<usize>> = None;
    let mut tried: Vec<usize> = Vec::new();
    for (seed, step) in steps.iter().enumerate() {
        let Some(action) = step.action else { continue };
        if tried.contains(&action) {
            continue;
        }
        tried.push(action);
        let limit = least.as_ref().map_or(usize::MAX, Vec::len);
        if let Some(set) = closure(steps, seed, limit) {
            let is_single = set.len() == 1;
            least = Some(set);
            if is_single {
                break;
            }
        }
    }
    least.unwrap_or_default()
}

/// The actions of the least closed set around `seed`; none if they are not fewer than `limit`.
fn closure(steps: &[Footprint], seed: usize, limit: usize) -> Option<Vec<usize>> {
    let mut is_in = vec![false; steps.len()];
    let mut actions: Vec<usize> = Vec::new();
    let mut todo = vec![seed];
    is_in[seed] = true;
    while let Some(at) = todo.pop() {
        let step = &steps[at];
        if let Some(action) = step.action
            && let Err(place) = actions.binary_search(&action)
        {
            actions.insert(place, action);
            if actions.len() >= limit {
                return None;
            }
        }
        for (other, its) in steps.iter().enumerate().filter(|&(other, _)| other != at) {
            let wanted = match step.action {
                Some(_) => step.interferes(its),
                // What is not possible stays so until somebody makes it possible.
                None => step.guards & its.changes() != 0,
            };
            if wanted && !std::mem::replace(&mut is_in[other], true) {
                todo.push(other);
            }
        }
    }
    Some(actions)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(reads: u64, writes: u64, adds: u64) -> Footprint {
        Footprint { reads, writes, adds, ..Footprint::default() }
    }

    fn possible(steps: &mut [Footprint]) {
        steps.iter_mut().enumerate().for_each(|(place, step)| step.action = Some(place));
    }

    #[test]
    fn interference_is_mutual_and_adding_is_not_interference() {
        let (adds, also_adds, reads, writes) = (step(0, 0, 1), step(0, 0, 1), step(1, 0, 0), step(0, 1, 0));
        assert!(!adds.interferes(&also_adds) && !reads.interferes(&reads));
        for (one, other) in [(&adds, &reads), (&adds, &writes), (&reads, &writes), (&writes, &writes)] {
            assert!(one.interferes(other) && other.interferes(one), "{one:?} {other:?}");
        }
        assert!(!step(1, 2, 4).interferes(&step(8, 16, 4)));
    }

    #[test]
    fn of_independent_steps_one_is_enough() {
        let mut steps = [step(1, 1, 0), step(2, 2, 0), step(4, 4, 0)];
        possible(&mut steps);
        assert_eq!(persistent(&steps), [0]);
        // Two that race are taken together, and the one beside them is cheaper.
        let mut steps = [step(0, 1, 0), step(1, 0, 0), step(4, 4, 0)];
        possible(&mut steps);
        assert_eq!(persistent(&steps), [2]);
        assert_eq!(persistent(&steps[..2]), [0, 1]);
    }

    #[test]
    fn what_could_make_an_interfering_step_possible_belongs_to_the_set() {
        // 0 races with a step that 1 makes possible; 2 has nothing to do with either.
        let mut steps = [step(0, 1, 0), step(0, 2, 0), step(0, 4, 4), Footprint { guards: 2, ..step(1, 1, 0) }];
        possible(&mut steps[..2]);
        assert_eq!(persistent(&steps), [1], "which makes possible, and races with nobody");
        // That it now reads what 2 writes is no reason not to.
        steps[1].reads = 1;
        assert_eq!(persistent(&steps), [0, 1]);
        assert_eq!(persistent(&[]), [0; 0]);
    }

    #[test]
    fn interchangeable_steps_are_one_action() {
        let mut steps = [step(0, 1, 0), step(0, 1, 0), step(0, 2, 0)];
        steps.iter_mut().zip([0, 0, 1]).for_each(|(step, action)| step.action = Some(action));
        assert_eq!(persistent(&steps), [0]);
    }
}
