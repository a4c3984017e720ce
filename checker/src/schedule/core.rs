//! A schedule on the closed world of the core, within bounds that hold it.

use std::collections::HashMap;

use sextant_model::action::Action;
use sextant_model::area::Area;
use sextant_model::bounds::{Bounds, Switch};
use sextant_model::closed::Core;
use sextant_model::group::Group;
use sextant_model::logset::FewRanges;
use sextant_model::rules::Rules;
use sextant_model::types::Lsn;
use sextant_model::world::{EPOCHS_MAX, World};

use crate::conformance::{COPIES, Step};

/// The world within some bounds, judged by one property.
pub(super) struct Stage {
    model: Core,
}

/// A schedule, taken as far as it can be.
pub(super) struct Played {
    pub actions: Vec<Action>,
    pub violated: bool,
}

/// Which of the model's reductions are on, and how far a writer may run ahead.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reductions {
    pub lal: u64,
    pub late_answers: Switch,
    pub late_fences: Switch,
    pub idle_writers: Switch,
}

impl Reductions {
    /// All that make sense for these steps, those that leave the fewest actions first.
    pub fn all(steps: &[Step]) -> Vec<Reductions> {
        let records = u64::from(records_of(steps));
        let mut limits: Vec<u64> = Vec::new();
        for lal in [records.max(1), 1, records + 1, 2, 3, 4, 6] {
            if !limits.contains(&lal) {
                limits.push(lal);
            }
        }
        let switches = [Switch::Off, Switch::On];
        let mut all = Vec::new();
        for late_answers in switches {
            for late_fences in switches {
                for idle_writers in switches {
                    all.extend(limits.iter().map(|&lal| Reductions { lal, late_answers, late_fences, idle_writers }));
                }
            }
        }
        all
    }
}

/// Records that the writer with the most of them allocates.
fn records_of(steps: &[Step]) -> u8 {
    let mut counts: HashMap<usize, u8> = HashMap::new();
    for step in steps {
        if let Step::Allocate { writer, .. } = step {
            let count = counts.entry(*writer).or_default();
            *count = count.saturating_add(1);
        }
    }
    counts.values().copied().max().unwrap_or_default()
}

/// The bounds that just hold these steps.
fn bounds_of(steps: &[Step], reductions: Reductions) -> Bounds {
    let count = |is_it: fn(&Step) -> bool| u8::try_from(steps.iter().filter(|step| is_it(step)).count());
    let count = |is_it| count(is_it).unwrap_or(u8::MAX);
    let any = |is_it: fn(&Step) -> bool| if steps.iter().any(is_it) { Switch::On } else { Switch::Off };
    let recoveries = count(|step| matches!(step, Step::Recover { .. }));
    let reads = count(|step| matches!(step, Step::Read { .. }));
    let Reductions { lal, late_answers, late_fences, idle_writers } = reductions;
    Bounds {
        lal,
        gossip: any(|step| matches!(step, Step::Gossip { .. })),
        crashes: count(|step| matches!(step, Step::Crash { .. })),
        wipes: count(|step| matches!(step, Step::Wipe { .. })),
        reads,
        early_rounds: any(|step| matches!(step, Step::BeginRound { .. })),
        late_answers,
        late_fences,
        idle_writers,
        ..Bounds::of(records_of(steps), recoveries).unreduced()
    }
}

impl Stage {
    /// None: a state of the core does not hold so much.
    pub fn of(rules: Rules, property: &str, steps: &[Step], reductions: Reductions) -> Option<Stage> {
        let bounds = bounds_of(steps, reductions);
        let fits = usize::from(bounds.recoveries) < EPOCHS_MAX && usize::from(bounds.recoveries) <= FewRanges::CAPACITY;
        if !fits || Group::<COPIES>::admits(&rules, &bounds).is_err() {
            return None;
        }
        Some(Stage { model: Core::new(rules, bounds).only(property) })
    }

    pub fn model(&self) -> &Core {
        &self.model
    }

    /// Takes what can be taken, in order, until the property is violated.
    pub fn play(&self, steps: &[Step]) -> Played {
        let mut play = Play {
            model: &self.model,
            world: self.model.initial(),
            numbers: HashMap::from([(0, 0)]),
            lsns: HashMap::new(),
            steps,
        };
        let mut actions = Vec::new();
        for &step in steps {
            let Some(action) = play.action(step) else { continue };
            let Some(next) = self.model.next(&play.world, action) else { continue };
            play.took(step, &next);
            play.world = next;
            actions.push(action);
            if self.model.violation(&play.world).is_some() {
                return Played { actions, violated: true };
            }
        }
        Played { actions, violated: false }
    }
}

struct Play<'a> {
    model: &'a Core,
    world: World<COPIES>,
    /// Where the writers and records of the schedule are in this world.
    numbers: HashMap<usize, u8>,
    lsns: HashMap<usize, Lsn>,
    steps: &'a [Step],
}

impl Play<'_> {
    /// What the step is in this world at this moment.
    fn action(&self, step: Step) -> Option<Action> {
        let number = |writer: usize| self.numbers.get(&writer).copied();
        Some(match step {
            Step::Recover { .. } => Action::Recover,
            Step::FenceRead { writer, segment } => {
                Action::FenceRead { instance: number(writer).filter(|&instance| instance > 0)?, segment }
            }
            Step::Decide { writer } => Action::Decide { instance: number(writer)? },
            Step::Truncate { writer, segment } => {
                Action::Truncate { instance: number(writer).filter(|&instance| instance > 0)?, segment }
            }
            Step::Allocate { writer, .. } => Action::Allocate { instance: number(writer)? },
            Step::Write { writer, segment, record } => {
                Action::Write { instance: number(writer)?, segment, lsn: self.lsn(record)? }
            }
            Step::Gossip { cut_by, segment, record } => {
                let trunc_ve = self.world.instances[usize::from(number(cut_by)?)].ve();
                Action::Gossip { trunc_ve, segment, lsn: self.lsn(record)? }
            }
            Step::Sync { segment } => Action::Sync { segment },
            Step::Crash { segment } => Action::Crash { segment, kept: 0 },
            Step::Wipe { segment } => Action::Wipe { segment },
            Step::Read { writer } => Action::Read { instance: number(writer)? },
            Step::BeginRound { writer } => Action::BeginRound { instance: number(writer)? },
            Step::Confirm { writer, segment } => Action::Confirm { instance: number(writer)?, segment },
        })
    }

    fn took(&mut self, step: Step, next: &World<COPIES>) {
        match step {
            Step::Recover { writer } => {
                self.numbers.insert(writer, next.newest() as u8);
            }
            Step::Allocate { writer, record } => {
                let instance = &next.instances[usize::from(self.numbers[&writer])];
                if let Some(open) = instance.writer() {
                    self.lsns.insert(record, open.next.previous());
                }
            }
            _ => {}
        }
    }

    /// Where writers take their LSNs at once, the n-th of the schedule's records of a writer is its n-th.
    fn lsn(&self, record: usize) -> Option<Lsn> {
        if self.model.bounds().idle_writers.is_on() {
            return self.lsns.get(&record).copied();
        }
        let writer = self.steps.iter().find_map(|step| match *step {
            Step::Allocate { writer, record: own } if own == record => Some(writer),
            _ => None,
        })?;
        let own = self.steps.iter().filter(|step| matches!(step, Step::Allocate { writer: by, .. } if *by == writer));
        let place = own.into_iter().position(|step| step.record() == Some(record))? as u64;
        let instance = &self.world.instances[usize::from(*self.numbers.get(&writer)?)];
        Some(instance.writer()?.decision.first.plus(place))
    }
}
