//! What the storage is for, in one screen: a volume is a log with a durable point. Every step of an area is a step of this log,
//! or none.
//!
//! The log that a state stands for is that of the newest incarnation that has opened: what its recovery kept, and what it has
//! allocated since; it is durable up to its VDL. The steps of the abstract volume are these:
//!
//! * *append*: the writer adds records with LSNs that no record had before;
//! * *harden*: the durable point moves up, and never down;
//! * *replace the writer*: what is behind the durable point may go, and nothing before it.
//!
//! Whatever any incarnation has acknowledged, by whatever zombie, lies before the durable point, and that is where a mini-transaction ends.
//! This is all for the core, for volumes of several groups, disks that lie, members and clients. Others let the log be seen:
//!
//! * *read*: somebody stands at a point before the durable one, where a mini-transaction ends, and is shown what the log has up to there,
//!   whatever is appended meanwhile. A writer sees what it has appended itself, too. Who stands somewhere may go on, and not back. (A
//!   replica and a writer's cache in `pages`, where the log is what pages are made of; read views in `undo`, where it is the
//!   transactions that have committed; a secondary region; the volume and its clones in `fork`.)
//!
//! And some steps are the volume's only where an action is [named for them](Step):
//!
//! * *promote* (`region`): the log becomes what a reader was shown, durable or not what it had not;
//! * *go back* and *go forward* (`fork`): what was durable above a point is hidden, and shown again in its order, until something is
//!   appended;
//! * *fork* (`fork`): another volume begins with what is durable, and what it began with stays.
//!
//! An area whose states [stand for a volume](StandsForVolume) can be explored as [`Refined`]: the same states and actions, judged by
//! this one property of steps. What it does not see is what no volume promises: how many copies have a record (unless nobody can show it any
//! more), how soon something comes to pass, what a window or an RPO leave possible.

use crate::area::{Area, Context, Lane, Lively, Mark, Property, Status};
use crate::group::Group;
use crate::pack::{Get, Put};
use crate::scene::{Scene, Violation, opened};
use crate::types::Lsn;
use crate::world::World;
use std::fmt::Display;
use std::marker::PhantomData;

/// A record: its LSN, and what tells it from another one at that LSN: the incarnation that allocated it.
pub type Record = (Lsn, usize);

/// A volume, as its user sees it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Volume {
    /// Whose log it is: incarnations from 0.
    writer: usize,
    records: Vec<Record>,
    /// How many of them, from the first, are there for good.
    durable: usize,
    /// LSNs that do not end a mini-transaction.
    torn: Vec<Lsn>,
    /// What was durable and is not shown, in its order.
    hidden: Vec<Record>,
    /// Who stands where.
    readers: Vec<(usize, Lsn)>,
    /// Volumes that began with a prefix of this one, by name.
    forks: Vec<(usize, Volume)>,
}

/// What an action may do beside appending, hardening and replacing the writer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    Usual,
    /// The log of this reader becomes the volume's.
    Promote(usize),
    Back,
    Forward,
}

impl Volume {
    /// The log of the incarnation `writer`: its records, of which those up to `vdl` are durable.
    pub fn new(writer: usize, records: impl Iterator<Item = Record>, vdl: Lsn) -> Volume {
        let records: Vec<_> = records.collect();
        let durable = records.iter().filter(|&&(lsn, _)| lsn <= vdl).count();
        Volume { writer, records, durable, ..Volume::default() }
    }

    /// The same, if what an incarnation has acknowledged, `whose` for a person, is in it for good.
    ///
    /// # Errors
    /// What is acknowledged and not durable.
    pub fn with_acknowledged(
        self,
        mut acknowledged: impl Iterator<Item = Lsn>,
        whose: impl Display,
    ) -> Result<Volume, Violation> {
        let durable = &self.records[..self.durable];
        match acknowledged.find(|lsn| !durable.iter().any(|record| record.0 == *lsn)) {
            Some(lost) => Err(format!("{lost} is acknowledged by {whose} and not in the volume")),
            None => Ok(self),
        }
    }

    /// The same, if it is durable up to the end of a mini-transaction, where only some records end one.
    ///
    /// # Errors
    /// If it is durable up to somewhere else.
    pub fn in_transactions(mut self, ends: impl Fn(Lsn) -> bool) -> Result<Volume, Violation> {
        self.torn = self.records.iter().map(|record| record.0).filter(|&lsn| !ends(lsn)).collect();
        if self.is_torn(self.durable) {
            return Err(format!("it is durable up to {}, in the middle of a mini-transaction", self.reached()));
        }
        Ok(self)
    }

    /// The same, with what can be shown again.
    #[must_use]
    pub fn hiding(self, hidden: impl Iterator<Item = Record>) -> Volume {
        Volume { hidden: hidden.collect(), ..self }
    }

    /// The same, with a volume of this name that began as a prefix of it.
    #[must_use]
    pub fn with_fork(mut self, name: usize, fork: Volume) -> Volume {
        self.forks.push((name, fork));
        self
    }

    /// The same, if a reader, `who` for a person, may stand at an LSN and be shown `seen`, where `picks` tells what it looks at of the
    /// log up to there.
    ///
    /// # Errors
    /// That it may not stand there, or what it should be shown.
    pub fn read_by(
        mut self,
        reader: usize,
        who: impl Display,
        at: Lsn,
        seen: &[Record],
        picks: impl Fn(&[Record]) -> Vec<Record>,
    ) -> Result<Volume, Violation> {
        let upto = self.upto(at);
        if upto > self.durable {
            return Err(format!("{who} reads at {at}, and the volume is durable up to {}", self.reached()));
        }
        if self.is_torn(upto) {
            return Err(format!("{who} reads at {at}, in the middle of a mini-transaction"));
        }
        if let Some((_, before)) = self.readers.iter().find(|(other, before)| *other == reader && *before != at) {
            return Err(format!("{who} reads at {at} what it began to read at {before}"));
        }
        self.readers.push((reader, at));
        self.shows(who, at, seen, picks)
    }

    /// The same, if its writer may be shown `seen` at an LSN, durable or not.
    ///
    /// # Errors
    /// What it should be shown.
    pub fn shows(
        self,
        who: impl Display,
        at: Lsn,
        seen: &[Record],
        picks: impl Fn(&[Record]) -> Vec<Record>,
    ) -> Result<Volume, Violation> {
        let wanted = picks(&self.records[..self.upto(at)]);
        if seen != wanted {
            return Err(format!("{who} is shown {} at {at} instead of {}", told(seen), told(&wanted)));
        }
        Ok(self)
    }

    /// How many records there are up to an LSN.
    fn upto(&self, at: Lsn) -> usize {
        self.records.iter().take_while(|record| record.0 <= at).count()
    }

    /// Whether so many records end within a mini-transaction.
    fn is_torn(&self, records: usize) -> bool {
        records > 0 && self.torn.contains(&self.records[records - 1].0)
    }

    /// The durable point.
    fn reached(&self) -> Lsn {
        self.records[..self.durable].last().map(|record| record.0).unwrap_or_default()
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

    // --- steps -------------------------------------------------------------------------------------------------------

    /// Whether the abstract volume may go from here to `after` in one step, or stay.
    ///
    /// # Errors
    /// What no step of it does.
    pub fn steps_to(&self, after: &Volume, step: Step) -> Result<(), Violation> {
        match step {
            Step::Usual => self.goes_on(after)?,
            Step::Promote(reader) => self.is_replaced_by(reader, after)?,
            Step::Back => self.goes_back(after)?,
            Step::Forward => self.goes_forward(after)?,
        }
        for (name, fork) in &after.forks {
            match self.forks.iter().find(|(other, _)| other == name) {
                Some((_, before)) => before.steps_to(fork, Step::Usual)?,
                None => self.gives(fork)?,
            }
        }
        Ok(())
    }

    /// Append, harden, replace the writer; and readers go on.
    fn goes_on(&self, after: &Volume) -> Result<(), Violation> {
        let same = self.records.iter().zip(&after.records).take_while(|(before, after)| before == after).count();
        let may_go_from = if after.writer == self.writer { self.records.len() } else { self.durable };
        if same < may_go_from {
            return Err(format!("record {} is gone from the log", self.records[same].0));
        }
        if after.durable < self.durable {
            return Err(format!("the durable point went back from {} records to {}", self.durable, after.durable));
        }
        let last = self.records.last().map(|record| record.0).unwrap_or_default();
        if let Some((again, _)) = after.records[same..].iter().find(|record| record.0 <= last) {
            return Err(format!("{again} is appended to a log that had reached {last}"));
        }
        let hides = after.hidden == self.hidden || (after.hidden.is_empty() && after.records.len() > same);
        if !hides {
            return Err(format!("{} was hidden, and now {} is", told(&self.hidden), told(&after.hidden)));
        }
        let went_back =
            |(reader, at): &&(usize, Lsn)| self.readers.iter().any(|(who, before)| who == reader && before > at);
        match after.readers.iter().find(went_back) {
            Some((reader, at)) => Err(format!("reader {} went back to {at}", reader + 1)),
            None => Ok(()),
        }
    }

    /// Promote: what the reader was shown is the log, and durable.
    fn is_replaced_by(&self, reader: usize, after: &Volume) -> Result<(), Violation> {
        let Some((_, at)) = self.readers.iter().find(|(who, _)| *who == reader) else {
            return Err(format!("reader {} is promoted, and does not read this volume", reader + 1));
        };
        let shown = &self.records[..self.upto(*at)];
        if after.records != shown || after.durable != shown.len() {
            return Err(format!("{} is promoted, and was shown {}", told(&after.records), told(shown)));
        }
        Ok(())
    }

    /// Go back: what was durable is shown up to the end of a mini-transaction, or hidden.
    fn goes_back(&self, after: &Volume) -> Result<(), Violation> {
        let left = after.records.len();
        if !self.records.starts_with(&after.records) {
            return Err(format!("{} goes back to {}, which it never was", told(&self.records), told(&after.records)));
        }
        if self.is_torn(left) {
            return Err(format!("it goes back to {}, in the middle of a mini-transaction", told(&after.records)));
        }
        let durable = left.min(self.durable);
        if after.durable < durable {
            return Err(format!("the durable point went back from {durable} records to {}", after.durable));
        }
        let due = self.records[durable..self.durable].iter().chain(&self.hidden);
        match due.into_iter().find(|record| !after.hidden.contains(record)) {
            Some(gone) => Err(format!("record {} is gone, and not hidden", gone.0)),
            None => Ok(()),
        }
    }

    /// Go forward: what is hidden is shown in its order.
    fn goes_forward(&self, after: &Volume) -> Result<(), Violation> {
        let all: Vec<_> = self.records.iter().chain(&self.hidden).copied().collect();
        let again: Vec<_> = after.records.iter().chain(&after.hidden).copied().collect();
        if all != again || after.records.len() < self.records.len() || after.durable < self.durable {
            let (before, after) = (told(&self.records), told(&after.records));
            return Err(format!("{before} goes forward to {after}, where {} was hidden", told(&self.hidden)));
        }
        if after.is_torn(after.records.len()) {
            return Err(format!("it goes forward to {}, in the middle of a mini-transaction", told(&after.records)));
        }
        Ok(())
    }

    /// Fork: another volume begins with what is durable, up to the end of a mini-transaction.
    fn gives(&self, fork: &Volume) -> Result<(), Violation> {
        if !self.records[..self.durable].starts_with(&fork.records) || fork.durable != fork.records.len() {
            let durable = &self.records[..self.durable];
            return Err(format!(
                "another volume begins with {}, where {} is durable",
                told(&fork.records),
                told(durable)
            ));
        }
        if self.is_torn(fork.records.len()) {
            return Err(format!(
                "another volume begins with {}, in the middle of a mini-transaction",
                told(&fork.records)
            ));
        }
        Ok(())
    }
}

/// `@1 @2`, or nothing.
fn told(records: &[Record]) -> String {
    if records.is_empty() {
        return "nothing".into();
    }
    records.iter().map(|record| record.0.to_string()).collect::<Vec<_>>().join(" ")
}

/// Whether a step from `before` to `after` is one of the abstract volume.
///
/// # Errors
/// What no step of it does, or that a state stands for no volume.
pub fn refines<S: Scene>(before: &S, after: &S) -> Result<(), Violation> {
    Volume::of(before)?.steps_to(&Volume::of(after)?, Step::Usual)
}

/// An area whose states stand for a volume.
pub trait StandsForVolume: Area {
    /// The volume that a state stands for.
    ///
    /// # Errors
    /// If it stands for none: something is acknowledged and not durable, or somebody is shown what is not in the log.
    fn volume(c: Context<Self>, state: &Self::State) -> Result<Volume, Violation>;

    /// What an action may do to it beside the usual.
    #[must_use]
    fn step(_: Self::Action) -> Step {
        Step::Usual
    }
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

fn step<A: StandsForVolume>(
    c: Context<'_, A>,
    action: A::Action,
    before: &A::State,
    after: &A::State,
) -> Result<(), Violation> {
    A::volume(c, before)?.steps_to(&A::volume(c, after)?, A::step(action))
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
        formula: "every step is one of a log with a durable point (append, harden, replace the writer; in some areas read, \
                  promote, go back and forward, fork), or none",
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
        let is_astray = step::<A>(below(c), action, &reached.state, &state).is_err();
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
        let mut why = None;
        if after.is_astray {
            A::candidates(below(c), &before.state, |action| {
                if why.is_none() && A::after(below(c), &before.state, action).as_ref() == Some(&after.state) {
                    why = step::<A>(below(c), action, &before.state, &after.state).err();
                }
            });
        }
        phrases.extend(why);
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
