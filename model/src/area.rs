//! What an area of the protocol is: some of its actors, closed into a world, with what must hold of it.
//!
//! An area states its actions, the step of its world, its properties, and how a trace is told and drawn. [`crate::closed`]
//! makes a model of it that every explorer takes. An area that is [`Catalogued`] has named explorations and mutants too.

use crate::decisions::RuleBook;
use crate::pack::{Get, Put};
use crate::partial_order::Footprint;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt::{Debug, Display};
use std::hash::Hash;

/// The violating fact, for a person.
pub type Violation = String;

/// What an area's functions are asked within.
#[derive(Debug)]
pub struct Context<'a, A: Area> {
    pub rules: &'a A::Rules,
    pub bounds: &'a A::Bounds,
}

// Derived, these would ask that the area be `Clone`, which only its name is.
impl<A: Area> Clone for Context<'_, A> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<A: Area> Copy for Context<'_, A> {}

/// One area of the protocol as a closed world. Implemented by a type that is only a name.
pub trait Area: Copy + Debug + Send + Sync + Sized + 'static {
    type Rules: RuleBook;
    /// How much of the unbounded protocol an exploration covers.
    type Bounds: Copy + Eq + Debug + Display + Serialize + DeserializeOwned + Send + Sync + 'static;
    type State: Clone + Eq + Ord + Hash + Debug + Send + Sync + 'static;
    type Action: Copy + Eq + Debug + Serialize + DeserializeOwned + Send + Sync + 'static;
    /// How many bits each part of a state takes: worked out once an exploration.
    type Layout: Copy + Debug + Send + Sync + 'static;

    /// `core`: names the area in a case file.
    const NAME: &'static str;
    /// Kinds of actions, for counting.
    const KINDS: &'static [&'static str];
    /// At most 32.
    const PROPERTIES: &'static [Property<Self>];

    /// What the bounds settle of the rules: the allocation limit, say.
    #[must_use]
    fn settled(rules: Self::Rules, _: &Self::Bounds) -> Self::Rules {
        rules
    }

    /// Whether the world can hold what these rules and bounds ask for; they may come from a file.
    ///
    /// # Errors
    /// What is wrong with them.
    fn admits(rules: &Self::Rules, bounds: &Self::Bounds) -> Result<(), String>;

    /// Law: asked only within what [`Area::admits`], as everything below.
    fn initial(context: Context<Self>) -> Self::State;

    /// Every action that could be possible; [`Area::after`] tells which are. Of interchangeable actors only one need be named
    /// where the bounds reduce by symmetry.
    fn candidates(context: Context<Self>, state: &Self::State, take: impl FnMut(Self::Action));

    /// The state after `action`; none if the action is not possible or changes nothing.
    fn after(context: Context<Self>, state: &Self::State, action: Self::Action) -> Option<Self::State>;

    /// Whether a run may end in `state`, when nothing is possible there: everybody has what they were to have. Where nothing is
    /// possible and this says no, the world is stuck.
    fn may_end(context: Context<Self>, state: &Self::State) -> bool;

    /// The place of its kind in [`Area::KINDS`].
    fn kind(action: &Self::Action) -> usize;

    // --- symmetry --------------------------------------------------------------------------------------------------

    /// Whether states that differ only in names count as one.
    fn is_reduced(bounds: &Self::Bounds) -> bool;

    #[must_use]
    fn unreduced(bounds: Self::Bounds) -> Self::Bounds;

    /// Actors of one class are interchangeable: the numbers by which [`Area::renamed`] knows them.
    fn classes(context: Context<Self>) -> Vec<Vec<usize>>;

    /// The same state with the actors renamed within their classes: `to` was `sources[to]`.
    fn permuted(context: Context<Self>, state: &Self::State, sources: &[usize]) -> Self::State;

    /// The state that stands for all that differ from this one only in names.
    fn canonical(context: Context<Self>, state: Self::State) -> Self::State;

    /// Where the actors of the canonical state come from: `to` was `sources[to]`. As many places for every state.
    fn sources(context: Context<Self>, state: &Self::State) -> Vec<usize>;

    /// The same action on renamed actors: `i` becomes `names[i]`.
    fn renamed(action: Self::Action, names: &[usize]) -> Self::Action;

    // --- partial order ---------------------------------------------------------------------------------------------

    /// Properties, by id, whose violation stays one whatever happens next: what a space can be judged by that is reduced by
    /// [`crate::partial_order`]. None: the area has no such reduction.
    const STABLE: &'static [&'static str] = &[];

    /// What every step that may still be taken from `state` touches; none if all of `enabled`, the actions possible there, must
    /// be explored. Law: two that do not interfere commute in every state that can follow.
    fn footprints(_: Context<Self>, _: &Self::State, _enabled: &[Self::Action]) -> Option<Vec<Footprint>> {
        None
    }

    // --- packing ---------------------------------------------------------------------------------------------------

    fn layout(context: Context<Self>) -> Self::Layout;

    /// Puts the same number of bits for every state within the bounds.
    ///
    /// # Panics
    /// If the state lies outside the bounds.
    fn pack(context: Context<Self>, layout: &Self::Layout, state: &Self::State, out: &mut impl Put);

    fn unpack(context: Context<Self>, layout: &Self::Layout, from: &mut impl Get) -> Self::State;

    // --- telling ---------------------------------------------------------------------------------------------------

    /// One line for a person.
    fn describe(context: Context<Self>, action: Self::Action) -> String;

    /// The differences between two successive states, a phrase each.
    fn changes(context: Context<Self>, before: &Self::State, after: &Self::State) -> Vec<String>;

    /// The actors of a diagram, in the order in which they are drawn.
    fn lanes(context: Context<Self>) -> Vec<Lane>;

    /// Where an action is drawn that leads from one state to the other.
    fn mark(context: Context<Self>, action: Self::Action, before: &Self::State, after: &Self::State) -> Mark;

    /// What is written beside a lane in this state; none where there is no such actor yet.
    fn status(context: Context<Self>, state: &Self::State, lane: usize) -> Option<Status>;
}

/// An actor in a diagram.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lane {
    /// `a1`, `w2`, `metadata`
    pub name: String,
    /// Lanes of one group are drawn side by side: a zone, or `writers`.
    pub group: String,
}

/// Where an action is drawn. Numbers are places in [`Area::lanes`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// An arrow; from nowhere if any of several may have sent it.
    Message { from: Option<usize>, to: usize },
    /// Something that an actor does by itself.
    Local { at: usize },
    /// A crash, a loss, a flipped bit.
    Fault { at: usize },
}

/// What an actor knows, for a diagram.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// Chooses the colour.
    pub epoch: u32,
    /// `SCL @3`, `VDL @2`
    pub text: String,
}

/// A named property.
pub struct Property<A: Area> {
    /// As in the protocol: `S5b`.
    pub id: &'static str,
    pub name: &'static str,
    pub formula: &'static str,
    /// Where the papers or the protocol description state it.
    pub section: &'static str,
    pub check: fn(Context<A>, &A::State) -> Result<(), Violation>,
    /// A state that must be reachable, so that the property does not hold vacuously.
    pub sometimes: fn(Context<A>, &A::State) -> bool,
}

impl<A: Area> Clone for Property<A> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<A: Area> Copy for Property<A> {}

impl<A: Area> Debug for Property<A> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.id, self.name)
    }
}

/// How fair a run is to a set of actions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strength {
    /// What stays possible is taken.
    Weak,
    /// What is possible again and again is taken.
    Strong,
}

/// Something that is waited for: whenever `from` holds, `to` holds then or later, on every run that is fair.
pub struct Goal<A: Area> {
    /// As in the protocol: `L2`.
    pub id: &'static str,
    pub name: &'static str,
    pub formula: &'static str,
    pub section: &'static str,
    pub from: fn(Context<A>, &A::State) -> bool,
    pub to: fn(Context<A>, &A::State) -> bool,
}

impl<A: Area> Clone for Goal<A> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<A: Area> Copy for Goal<A> {}

impl<A: Area> Debug for Goal<A> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.id, self.name)
    }
}

/// Actions that a run is fair to: those of one kind, or some of them.
pub struct Due<A: Area> {
    /// A name in [`Area::KINDS`].
    pub kind: &'static str,
    pub strength: Strength,
    pub of: fn(Context<A>, &A::State, &A::Action) -> bool,
}

impl<A: Area> Due<A> {
    #[must_use]
    pub const fn weak(kind: &'static str) -> Self {
        Due { kind, strength: Strength::Weak, of: |_, _, _| true }
    }

    #[must_use]
    pub const fn strong(kind: &'static str) -> Self {
        Due { strength: Strength::Strong, ..Due::weak(kind) }
    }

    /// Only those of the kind for which this holds in the state in which they are taken.
    #[must_use]
    pub const fn only(self, of: fn(Context<A>, &A::State, &A::Action) -> bool) -> Self {
        Due { of, ..self }
    }
}

/// An area that says what must come to pass. A run may stop anywhere, and takes of its own accord only what it is fair to: a
/// fault and a new intention are possible and never due.
///
/// Law: goals and what is due do not change with the names of interchangeable actors. So they can be judged on the space that is
/// reduced by symmetry.
pub trait Lively: Area {
    const GOALS: &'static [Goal<Self>];
    /// Sets of actions of which one happens if one stays possible, or is possible again and again.
    const FAIR: &'static [Due<Self>];
}

/// An area with named explorations and known mistakes.
pub trait Catalogued: Lively {
    const PROFILES: &'static [Profile<Self>];
    const MUTANTS: &'static [Mutant<Self>];
    /// Kinds of actions that only a mistake makes possible.
    const OF_MISTAKES: &'static [&'static str] = &[];
}

/// How much of a profile to explore.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    Quick,
    Deep,
}

impl Size {
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Size::Quick => "quick",
            Size::Deep => "deep",
        }
    }
}

/// One exhaustive exploration of a profile.
#[derive(Clone, Copy, Debug)]
pub struct Leg<A: Area> {
    pub name: &'static str,
    pub bounds: A::Bounds,
    /// Unique states of a full exploration under the adopted rules. A change is explained in the commit that makes it.
    pub states: usize,
    /// Actions on the longest shortest path to a state.
    pub depth: usize,
}

impl<A: Area> Leg<A> {
    #[must_use]
    pub const fn new(name: &'static str, bounds: A::Bounds, states: usize, depth: usize) -> Self {
        Leg { name, bounds, states, depth }
    }
}

/// A named set of explorations.
#[derive(Clone, Copy, Debug)]
pub struct Profile<A: Area> {
    pub name: &'static str,
    pub about: &'static str,
    pub quick: &'static [Leg<A>],
    pub deep: &'static [Leg<A>],
    /// Properties, by id, that can say nothing here, because what they speak of is the matter of another profile of the area.
    pub silent: &'static [&'static str],
}

impl<A: Area> Profile<A> {
    #[must_use]
    pub fn legs(&self, size: Size) -> &'static [Leg<A>] {
        match size {
            Size::Quick => self.quick,
            Size::Deep => self.deep,
        }
    }
}

/// A known mistake: the adopted rule book with one decision changed (protocol §8, §13).
///
/// A mutant proves that the properties can fail: it names those that it must break and bounds in which a shortest
/// counterexample exists. It is run once for each named property, with that property alone.
#[derive(Clone, Copy, Debug)]
pub struct Mutant<A: Area> {
    /// As in the protocol's table: `M17`.
    pub id: &'static str,
    /// What is done wrong.
    pub mistake: &'static str,
    pub rules: A::Rules,
    /// The properties it must break, by id; none for an equivalent mutant.
    pub breaks: &'static [&'static str],
    /// Bounds that show it.
    pub bounds: A::Bounds,
    /// Why no property breaks, for a mutant that is equivalent to the adopted protocol.
    pub equivalent: Option<&'static str>,
    /// Where that is looked at once more. Law: an equivalent mutant has one, and no other.
    pub larger: Option<Larger<A>>,
    /// Where the mistake is described.
    pub source: &'static str,
}

impl<A: Area> Mutant<A> {
    #[must_use]
    pub const fn new(
        id: &'static str,
        mistake: &'static str,
        rules: A::Rules,
        breaks: &'static [&'static str],
        bounds: A::Bounds,
        source: &'static str,
    ) -> Self {
        Mutant { id, mistake, rules, breaks, bounds, equivalent: None, larger: None, source }
    }

    /// It breaks nothing, because of this, nor with the same rules in these larger bounds.
    #[must_use]
    pub const fn equivalent(self, reason: &'static str, larger: A::Bounds) -> Self {
        let larger = Some(Larger { rules: self.rules, bounds: larger });
        Mutant { equivalent: Some(reason), larger, ..self }
    }

    /// The same, where the larger size is of another scheme of copies.
    #[must_use]
    pub const fn equivalent_in(self, reason: &'static str, larger: Larger<A>) -> Self {
        Mutant { equivalent: Some(reason), larger: Some(larger), ..self }
    }
}

/// The second size of an equivalent mutant, explored whole as the first. Law: it has one more recovery than any mutant of its area needs
/// that breaks something.
#[derive(Clone, Copy, Debug)]
pub struct Larger<A: Area> {
    pub rules: A::Rules,
    pub bounds: A::Bounds,
}

/// Whether a group has from one to `most` copies, and quorums of at least one and at most all of them.
pub(crate) fn admissible_quorums(copies: u8, write: u8, read: u8, most: usize) -> Result<(), String> {
    if copies == 0 || usize::from(copies) > most {
        return Err(format!("{copies} copies: there can be 1 to {most}"));
    }
    match [("write", write), ("read", read)].into_iter().find(|(_, quorum)| !(1..=copies).contains(quorum)) {
        Some((name, quorum)) => Err(format!("a {name} quorum of {quorum} of {copies} copies")),
        None => Ok(()),
    }
}

/// Whether a number is at most `most`.
pub(crate) fn at_most(name: &str, number: usize, most: usize) -> Result<(), String> {
    if number > most { Err(format!("{number} {name}: there can be at most {most}")) } else { Ok(()) }
}

/// Where actors come from if those of each class are put in the order of their keys: `to` was `sources[to]`.
pub(crate) fn sources_by<K: Ord>(classes: &[Vec<usize>], actors: usize, key: impl Fn(usize) -> K) -> Vec<usize> {
    let mut sources: Vec<usize> = (0..actors).collect();
    for class in classes {
        let mut sorted = class.clone();
        sorted.sort_by_key(|&actor| key(actor));
        class.iter().zip(sorted).for_each(|(&to, from)| sources[to] = from);
    }
    sources
}

/// Inside an `impl Area`: the kinds of actions with their names, so that a name and its number cannot part.
/// `kinds!(Action { Recover: "recover", FenceRead: "fence" });`
macro_rules! kinds {
    ($action:ident { $($variant:ident: $name:literal),* $(,)? }) => {
        const KINDS: &'static [&'static str] = &[$($name),*];

        #[inline]
        fn kind(action: &$action) -> usize {
            enum Place { $($variant),* }
            match action {
                $($action::$variant { .. } => Place::$variant as usize,)*
            }
        }
    };
}

/// Inside an `impl Area`: what is asked of a world that has methods of these names, whose state is packed by its
/// [`crate::fields::Field`], and whose bounds say `symmetry`; and what the modules `goals` and `telling` beside it have functions for.
macro_rules! of_its_world {
    ($world:ident, $bounds:ident, $action:ident) => {
        type Bounds = $bounds;
        type State = $world;
        type Action = $action;
        type Layout = ();

        fn admits(_: &Self::Rules, bounds: &$bounds) -> Result<(), String> {
            bounds.admissible()
        }

        fn initial(c: Context<Self>) -> $world {
            $world::created(c.bounds)
        }

        fn candidates(c: Context<Self>, state: &$world, take: impl FnMut($action)) {
            state.candidates(c.bounds, take);
        }

        fn after(c: Context<Self>, state: &$world, action: $action) -> Option<$world> {
            state.after(c.rules, c.bounds, action)
        }

        fn is_reduced(bounds: &$bounds) -> bool {
            bounds.symmetry.is_on()
        }

        fn unreduced(bounds: $bounds) -> $bounds {
            bounds.unreduced()
        }

        fn classes(c: Context<Self>) -> Vec<Vec<usize>> {
            c.bounds.classes()
        }

        fn permuted(_: Context<Self>, state: &$world, sources: &[usize]) -> $world {
            state.permuted(sources)
        }

        fn canonical(c: Context<Self>, state: $world) -> $world {
            state.canonical(c.bounds)
        }

        fn sources(c: Context<Self>, state: &$world) -> Vec<usize> {
            state.sources(c.bounds)
        }

        fn renamed(action: $action, names: &[usize]) -> $action {
            action.renamed(names)
        }

        fn layout(_: Context<Self>) {}

        fn pack(_: Context<Self>, (): &(), state: &$world, out: &mut impl crate::pack::Put) {
            crate::fields::Field::put(state, out);
        }

        fn unpack(_: Context<Self>, (): &(), from: &mut impl crate::pack::Get) -> $world {
            crate::fields::Field::get(from)
        }

        fn may_end(c: Context<Self>, state: &$world) -> bool {
            goals::may_end(c, state)
        }

        fn describe(c: Context<Self>, action: $action) -> String {
            telling::describe(c, action)
        }

        fn changes(c: Context<Self>, before: &$world, after: &$world) -> Vec<String> {
            telling::changes(c, before, after)
        }

        fn lanes(c: Context<Self>) -> Vec<crate::area::Lane> {
            telling::lanes(c)
        }

        fn mark(c: Context<Self>, action: $action, before: &$world, _: &$world) -> crate::area::Mark {
            telling::mark(c, action, before)
        }

        fn status(c: Context<Self>, state: &$world, lane: usize) -> Option<crate::area::Status> {
            telling::status(c, state, lane)
        }
    };
}

pub(crate) use {kinds, of_its_world};
