//! Makes a plan that shows a violation smaller: windows are taken out, what is left is shortened, operations are left out, for as long as the same property
//! is violated (delta debugging, Zeller and Hildebrandt 2002).

use sextant_storage::sim::{Options, Plan, Window};

use super::{Judged, judge};

/// A plan that cannot be made smaller by what is tried here.
#[derive(Clone, Debug)]
pub struct Shrunk {
    pub judged: Judged,
    /// Runs that it took.
    pub runs: usize,
}

/// Runs that shrinking may take.
const RUNS_MAX: usize = 400;

struct Shrinking {
    seed: u64,
    options: Options,
    property: String,
    best: Judged,
    runs: usize,
}

/// The smallest plan found that violates the same property as `found`; `found` itself if it violates none.
#[must_use]
pub fn shrink(found: Judged, options: Options) -> Shrunk {
    let Some(violation) = &found.violation else { return Shrunk { judged: found, runs: 0 } };
    let property = violation.property.clone();
    let mut shrinking = Shrinking { seed: found.seed, options, property, best: found, runs: 0 };
    shrinking.drop_windows();
    shrinking.drop_clients();
    shrinking.advance();
    shrinking.shorten();
    shrinking.drop_operations();
    shrinking.drop_windows();
    Shrunk { judged: shrinking.best, runs: shrinking.runs }
}

impl Shrinking {
    /// Whether `plan` violates the same property; it is the best one then.
    fn try_plan(&mut self, plan: &Plan) -> bool {
        if self.runs >= RUNS_MAX || *plan == self.best.plan {
            return false;
        }
        self.runs += 1;
        let judged = judge(self.seed, plan, &self.options);
        let is_same = judged.violation.as_ref().is_some_and(|violation| violation.property == self.property);
        if is_same {
            self.best = judged;
        }
        is_same
    }

    /// Takes out ever smaller groups of windows.
    fn drop_windows(&mut self) {
        let mut size = self.best.plan.windows.len();
        while size > 0 {
            let mut at = 0;
            while at < self.best.plan.windows.len() {
                let mut plan = self.best.plan.clone();
                let end = (at + size).min(plan.windows.len());
                plan.windows.drain(at..end);
                if !self.try_plan(&plan) {
                    at += size;
                }
            }
            size /= 2;
        }
    }

    fn drop_clients(&mut self) {
        for clients in [1, 2, 3, 5] {
            let plan = Plan { clients, ..self.best.plan.clone() };
            if clients < self.best.plan.clients && self.try_plan(&plan) {
                return;
            }
        }
    }

    /// Lets clients begin as few operations as show it: twice as many until it is shown, and then in halves between.
    fn drop_operations(&mut self) {
        let ended = self.best.outcome.as_ref().map_or(0, |outcome| outcome.ok + outcome.fail + outcome.info);
        let mut enough = |operations: u64| {
            let plan = Plan { operations: Some(operations), ..self.best.plan.clone() };
            self.try_plan(&plan)
        };
        let (mut too_few, mut most) = (0, 1);
        while !enough(most) {
            if most > ended {
                return;
            }
            (too_few, most) = (most, most * 2);
        }
        while too_few + 1 < most {
            let middle = too_few.midpoint(most);
            if enough(middle) {
                most = middle;
            } else {
                too_few = middle;
            }
        }
    }

    /// Begins with the faults sooner.
    fn advance(&mut self) {
        for part in [1, 2, 4, 8] {
            let plan = &self.best.plan;
            let earlier = plan.windows.iter().map(|window| window.from).min().unwrap_or(0) / part;
            let windows = plan.windows.iter().map(|window| Window { from: window.from - earlier, ..window.clone() });
            let plan = Plan { windows: windows.collect(), ..plan.clone() };
            if self.try_plan(&plan) {
                return;
            }
        }
    }

    /// Ends the run soon after the violation, and makes windows shorter.
    fn shorten(&mut self) {
        let seen = self.best.outcome.as_ref().map(|outcome| outcome.simulated.as_millis() as u64 + 1);
        if let Some(lasts) = seen.filter(|seen| *seen < self.best.plan.lasts) {
            let windows: Vec<Window> = self.best.plan.windows.iter().filter(|w| w.from <= lasts).cloned().collect();
            self.try_plan(&Plan { lasts, windows, ..self.best.plan.clone() });
        }
        for window in 0..self.best.plan.windows.len() {
            for part in [8, 2] {
                let mut plan = self.best.plan.clone();
                if let Some(window) = plan.windows.get_mut(window) {
                    window.lasts /= part;
                }
                if self.try_plan(&plan) {
                    break;
                }
            }
        }
    }
}
