//! What the storage is for, in one screen: a volume is a log with a durable point. Every step of the core is a step of this log,
//! or none.
//!
//! The log that a state stands for is that of the newest incarnation that has opened: what its recovery kept, and what it has
//! allocated since; it is durable up to its VDL. The steps of the abstract volume are these:
//!
//! * *append*: the writer adds records with LSNs that no record had before;
//! * *harden*: the durable point moves up, and never down;
//! * *replace the writer*: what is behind the durable point may go, and nothing before it.
//!
//! And whatever any incarnation has acknowledged, by whatever zombie, lies before the durable point.
//!
//! An area whose states [stand for a volume](StandsForVolume) can be explored as [`Refined`]: the same states and actions, judged by
//! this one property of steps. Pages, members and undo stand for none: there a
//! volume is something that others write, or nothing that could go wrong. A secondary region or a clone is another log, with promises of its own.

use crate::area::{Area, Context, Lane, Lively, Mark, Property, Status};
use crate::group::Group;
use crate::pack::{Get, Put};
use crate::scene::{Scene, Violation, opened};
use crate::types::Lsn;
use crate::world::World;
use std::marker::PhantomData;

/// A volume, as its user sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Volume {
    /// Whose log it is: incarnations from 0.
    writer: usize,
    /// Each with the incarnation that allocated it: two records at one LSN are not the same.
    records: Vec<(Lsn, usize)>,
    /// How many of them, from the first, are there for good.
    durable: usize,
}

impl Volume {
    /// The log of the incarnation `writer`: its records, with the incarnation that allocated each, of which those up to `vdl` are
    /// durable.
    pub fn new(writer: usize, records: impl Iterator<Item = (Lsn, usize)>, vdl: Lsn) -> Volume {
        let records: Vec<_> = records.collect();
        let durable = records.iter().filter(|&&(lsn, _)| lsn <= vdl).count();
        Volume { writer, records, durable }
    }

    /// The same, if what an incarnation has acknowledged, `whose` for a person, is in it for good.
    ///
    /// # Errors
    /// What is acknowledged and not durable.
    pub fn with_acknowledged(
        self,
        mut acknowledged: impl Iterator<Item = Lsn>,
        whose: impl std::fmt::Display,
    ) -> Result<Volume, Violation> {
        let durable = &self.records[..self.durable];
        match acknowledged.find(|lsn| !durable.iter().any(|record| record.0 == *lsn)) {
            Some(lost) => Err(format!("{lost} is acknowledged by {whose} and not in the volume")),
            None => Ok(self),
        }
    }

    /// The volume that `scene` stands for.
    ///
    /// # Errors
    /// If it stands for none: something is acknowledged and not durable.
    pub fn of<S: Scene>(scene: &S) -> Result<Volume, Violation> {
        let Some((writer, decision)) = opened(scene).next_back() else {
            return Err("nobody has opened the volume".into());
        };
        let kept = (1..=decision.vdl.0).map(Lsn).filter(|&lsn| decision.keeps(lsn));
        let new = scene.allocated(writer).into_iter().flat_map(|(first, last)| first.0..=last.0);
        let holds = |i: usize, lsn: Lsn| scene.allocated(i).is_some_and(|(first, last)| first <= lsn && lsn <= last);
        let by_an_older = |lsn: Lsn| (lsn, (0..writer).find(|&i| holds(i, lsn)).unwrap_or(writer));
        let records = kept.map(by_an_older).chain(new.map(|lsn| (Lsn(lsn), writer)));
        let volume = Volume::new(writer, records, scene.vdl(writer));
        (0..scene.incarnations()).try_fold(volume, |volume, i| {
            let acknowledged = scene.acknowledged(i).into_iter().flat_map(|(first, last)| (first.0..=last.0).map(Lsn));
            volume.with_acknowledged(acknowledged, scene.ve(i))
        })
    }

    /// Whether the abstract volume may go from here to `after` in one step, or stay.
    ///
    /// # Errors
    /// What no step of it does.
    pub fn steps_to(&self, after: &Volume) -> Result<(), Violation> {
        let same = self.records.iter().zip(&after.records).take_while(|(before, after)| before == after).count();
        let may_go_from = if after.writer == self.writer { self.records.len() } else { self.durable };
        if same < may_go_from {
            return Err(format!("record {} is gone from the log", self.records[same].0));
        }
        if after.durable < self.durable {
            return Err(format!("the durable point went back from {} records to {}", self.durable, after.durable));
        }
        let last = self.records.last().map(|record| record.0).unwrap_or_default();
        match after.records[same..].iter().find(|record| record.0 <= last) {
            Some((again, _)) => Err(format!("{again} is appended to a log that had reached {last}")),
            None => Ok(()),
        }
    }
}

/// Whether a step from `before` to `after` is one of the abstract volume.
///
/// # Errors
/// What no step of it does, or that a state stands for no volume.
pub fn refines<S: Scene>(before: &S, after: &S) -> Result<(), Violation> {
    Volume::of(before)?.steps_to(&Volume::of(after)?)
}

/// An area whose states stand for a volume.
pub trait StandsForVolume: Area {
    /// The volume that a state stands for.
    ///
    /// # Errors
    /// If it stands for none: something is acknowledged and not durable.
    fn volume(c: Context<Self>, state: &Self::State) -> Result<Volume, Violation>;
}

impl<const N: usize> StandsForVolume for Group<N> {
    fn volume(_: Context<Self>, state: &World<N>) -> Result<Volume, Violation> {
        Volume::of(state)
    }
}

/// The id of the property of [`Refined`].
pub const REFINEMENT: &str = "REF";

/// The area `A`, judged by its steps: each is one of the abstract volume, or none.
#[derive(Clone, Copy, Debug)]
pub struct Refined<A>(PhantomData<A>);

/// A state, and whether the step that led to it is one that the abstract volume does not take.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reached<S> {
    pub state: S,
    pub is_astray: bool,
}

fn below<A: StandsForVolume>(c: Context<'_, Refined<A>>) -> Context<'_, A> {
    Context { rules: c.rules, bounds: c.bounds }
}

fn step<A: StandsForVolume>(c: Context<'_, A>, before: &A::State, after: &A::State) -> Result<(), Violation> {
    A::volume(c, before)?.steps_to(&A::volume(c, after)?)
}

impl<A: StandsForVolume> Area for Refined<A> {
    type Rules = A::Rules;
    type Bounds = A::Bounds;
    type State = Reached<A::State>;
    type Action = A::Action;
    type Layout = A::Layout;

    const NAME: &'static str = A::NAME;
    const KINDS: &'static [&'static str] = A::KINDS;
    const PROPERTIES: &'static [Property<Self>] = &[Property {
        id: REFINEMENT,
        name: "RefinesVolume",
        formula: "every step is one of a log with a durable point (append, harden, replace the writer), or none",
        section: "model/src/refinement.rs",
        check: |_, reached| if reached.is_astray { Err("the last step is none of a volume".into()) } else { Ok(()) },
        // There is a step to be judged from every state that is not an end.
        sometimes: |c, reached| Self::initial(c) != *reached,
    }];

    fn settled(rules: Self::Rules, bounds: &Self::Bounds) -> Self::Rules {
        A::settled(rules, bounds)
    }

    fn admits(rules: &Self::Rules, bounds: &Self::Bounds) -> Result<(), String> {
        A::admits(rules, bounds)
    }

    fn initial(c: Context<Self>) -> Self::State {
        Reached { state: A::initial(below(c)), is_astray: false }
    }

    fn candidates(c: Context<Self>, reached: &Self::State, take: impl FnMut(Self::Action)) {
        if !reached.is_astray {
            A::candidates(below(c), &reached.state, take);
        }
    }

    fn after(c: Context<Self>, reached: &Self::State, action: Self::Action) -> Option<Self::State> {
        if reached.is_astray {
            return None;
        }
        let state = A::after(below(c), &reached.state, action)?;
        let is_astray = step::<A>(below(c), &reached.state, &state).is_err();
        Some(Reached { state, is_astray })
    }

    fn may_end(c: Context<Self>, reached: &Self::State) -> bool {
        reached.is_astray || A::may_end(below(c), &reached.state)
    }

    fn kind(action: &Self::Action) -> usize {
        A::kind(action)
    }

    fn is_reduced(bounds: &Self::Bounds) -> bool {
        A::is_reduced(bounds)
    }

    fn unreduced(bounds: Self::Bounds) -> Self::Bounds {
        A::unreduced(bounds)
    }

    fn classes(c: Context<Self>) -> Vec<Vec<usize>> {
        A::classes(below(c))
    }

    fn permuted(c: Context<Self>, reached: &Self::State, sources: &[usize]) -> Self::State {
        Reached { state: A::permuted(below(c), &reached.state, sources), ..*reached }
    }

    fn canonical(c: Context<Self>, reached: Self::State) -> Self::State {
        Reached { state: A::canonical(below(c), reached.state), is_astray: reached.is_astray }
    }

    fn sources(c: Context<Self>, reached: &Self::State) -> Vec<usize> {
        A::sources(below(c), &reached.state)
    }

    fn renamed(action: Self::Action, names: &[usize]) -> Self::Action {
        A::renamed(action, names)
    }

    fn layout(c: Context<Self>) -> Self::Layout {
        A::layout(below(c))
    }

    fn pack(c: Context<Self>, layout: &Self::Layout, reached: &Self::State, out: &mut impl Put) {
        A::pack(below(c), layout, &reached.state, out);
        out.put(reached.is_astray.into(), 1);
    }

    fn unpack(c: Context<Self>, layout: &Self::Layout, from: &mut impl Get) -> Self::State {
        let state = A::unpack(below(c), layout, from);
        Reached { state, is_astray: from.get(1) == 1 }
    }

    fn describe(c: Context<Self>, action: Self::Action) -> String {
        A::describe(below(c), action)
    }

    /// What changed, and what no volume does of it.
    fn changes(c: Context<Self>, before: &Self::State, after: &Self::State) -> Vec<String> {
        let mut phrases = A::changes(below(c), &before.state, &after.state);
        phrases.extend(step::<A>(below(c), &before.state, &after.state).err());
        phrases
    }

    fn lanes(c: Context<Self>) -> Vec<Lane> {
        A::lanes(below(c))
    }

    fn mark(c: Context<Self>, action: Self::Action, before: &Self::State, after: &Self::State) -> Mark {
        A::mark(below(c), action, &before.state, &after.state)
    }

    fn status(c: Context<Self>, reached: &Self::State, lane: usize) -> Option<Status> {
        A::status(below(c), &reached.state, lane)
    }
}

/// What must come to pass is the matter of the area itself.
impl<A: StandsForVolume> Lively for Refined<A> {
    const GOALS: &'static [crate::area::Goal<Self>] = &[];
    const FAIR: &'static [crate::area::Due<Self>] = &[];
}
