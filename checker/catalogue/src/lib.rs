//! Every area of the protocol behind one face: its profiles, properties and mutants by name, and its explorations.
//!
//! Areas have types of their own; whoever names a profile on a command line or in a file does not know them. Rules and bounds
//! are JSON here, as in a [`Case`].

pub mod diagram;
pub mod matrix;

use std::collections::BTreeMap;
use std::fmt::{Debug, Write as _};
use std::marker::PhantomData;
use std::net::SocketAddr;
use std::sync::{Arc, LazyLock};

use serde::Deserialize;
use serde_json::Value;
use sextant_model::area::{self, Area, Catalogued, Lane, Lively, Mark, Size, Status};
use sextant_model::clients::Clients;
use sextant_model::closed::Closed;
use sextant_model::coverage::Choices;
use sextant_model::decisions::{Decision, RuleBook};
use sextant_model::disks::Disks;
use sextant_model::fork::Forks;
use sextant_model::group::Group;
use sextant_model::membership::Membership;
use sextant_model::pages::Pages;
use sextant_model::profiles;
use sextant_model::refinement::{REFINEMENT, Refined, StandsForVolume};
use sextant_model::region::Regions;
use sextant_model::rules::{Rules, Scheme};
use sextant_model::undo::Undo;
use sextant_model::volume::Volume;
use stateright::Model;

use sextant_explorer::case::{Case, plain};
use sextant_explorer::packed::Stop;
use sextant_explorer::walks::{is_stuck, panic_in, quietly};
use sextant_explorer::{
    Counterexample, DEADLOCK, Engine, Explored, Failure, Fate, Liveness, PANIC, Plan, Progress, explore,
    explore_packed, judge_mutant, live, shortest,
};

/// One area, whatever its types are.
pub trait AnyArea: Debug + Sync {
    fn name(&self) -> &'static str;

    fn decisions(&self) -> &'static [Decision];

    fn adopted(&self) -> Value;

    /// The rules with one decision changed.
    ///
    /// # Errors
    /// If there is no such decision or value, or `rules` are not of this area.
    fn with(&self, rules: &Value, decision: &str, value: &str) -> Result<Value, String>;

    /// The ids of what must come to pass here, and the kinds of actions that runs are fair to.
    fn goals(&self) -> (Vec<&'static str>, Vec<&'static str>);

    /// Kinds of actions that only a mistake makes possible.
    fn kinds_of_mistakes(&self) -> &'static [&'static str];

    /// # Errors
    /// If the rules or the bounds are not of this area, or ask for more than a state of it can hold.
    fn open(&self, rules: &Value, bounds: &Value) -> Result<Box<dyn Exploration>, String>;

    /// The same, where every step is held against the abstract volume instead; none if the states of this area stand for none.
    ///
    /// # Errors
    /// As [`AnyArea::open`].
    fn refine(&self, rules: &Value, bounds: &Value) -> Option<Result<Box<dyn Exploration>, String>>;

    /// Whether [`AnyArea::refine`] gives something.
    fn can_be_refined(&self) -> bool;

    /// Runs a mutant of this area.
    ///
    /// # Errors
    /// If the explorer fails.
    fn judge(&self, mutant: &Mutant, threads: usize) -> Result<Fate, Failure>;
}

/// Rules and bounds of some area.
pub trait Exploration: Send + Sync {
    fn bounds(&self) -> String;

    /// The same, judged by one property alone, in either case, with its *sometimes*.
    ///
    /// # Errors
    /// If there is no such property; the message lists what there is.
    fn only(&self, property: &str) -> Result<Box<dyn Exploration>, String>;

    /// The same, reduced by partial order, and the ids of the properties that are judged so: see [`sextant_model::partial_order`].
    /// A counterexample is not a shortest one.
    ///
    /// # Errors
    /// If the area declares no such reduction, or the property asked for cannot be judged so.
    fn by_partial_order(&self) -> Result<(Box<dyn Exploration>, Vec<&'static str>), String>;

    /// # Errors
    /// As [`explore`].
    fn explore(&self, plan: &Plan, progress: &mut dyn FnMut(Progress)) -> Result<Explored, Failure>;

    /// The same on the whole space, with every value of every decision that nothing in it exercises.
    ///
    /// # Errors
    /// As [`explore`].
    fn cover(&self, threads: usize, progress: &mut dyn FnMut(Progress)) -> Result<Covered, Failure>;

    /// # Errors
    /// As [`live`].
    fn live(&self, asked: &Liveness) -> Result<Explored, Failure>;

    /// # Errors
    /// As [`shortest`].
    fn shortest(&self, property: &str, threads: usize) -> Result<Option<Counterexample>, Failure>;

    /// Stateright's Explorer at an address, until the process ends.
    fn serve(&self, address: SocketAddr);

    /// The whole state graph in Graphviz' language: states by number, in the order of a breadth-first search; those that violate
    /// something are filled.
    ///
    /// # Errors
    /// If there are more than `limit` states.
    fn graph(&self, limit: usize) -> Result<String, String>;

    /// Walks actions in the names of the first state, without symmetry.
    ///
    /// # Errors
    /// The place of the first action that is not one of this area or not possible, from 0, and the reason.
    fn walk(&self, actions: &[Value]) -> Result<Walk, (usize, String)>;
}

/// What an exploration exercised.
#[derive(Clone, Debug)]
pub struct Covered {
    /// Which has counted the actions.
    pub explored: Explored,
    /// Decision and value.
    pub unexercised: Vec<(&'static str, &'static str)>,
}

/// What happens along a case, ready to be told or drawn.
#[derive(Clone, Debug)]
pub struct Walk {
    pub lanes: Vec<Lane>,
    /// Beside each lane before the first action.
    pub first: Vec<Option<Status>>,
    pub steps: Vec<Step>,
    /// The properties that the last state violates, each with the fact; also that a next step panics.
    pub violated: Vec<(&'static Property, String)>,
    /// Whether nothing is possible in the last state, and the area does not declare it as an end.
    pub is_stuck: bool,
}

static PANICS: Property = Property { area: "", id: PANIC, name: "Panic", formula: "no step panics", section: "model" };

static STUCK: Property = Property {
    area: "",
    id: DEADLOCK,
    name: "Deadlock",
    formula: "what has no next step is an end that the area declares",
    section: "model",
};

static REFINES: Property = Property {
    area: "",
    id: REFINEMENT,
    name: "RefinesVolume",
    formula: "every step is one of a log with a durable point, or none",
    section: "model",
};

impl Walk {
    /// The same, where to be stuck is a violation: if the case says so.
    #[must_use]
    pub fn judged_as(mut self, case: &Case) -> Walk {
        if self.is_stuck && case.violates.as_deref() == Some(DEADLOCK) {
            self.violated.push((&STUCK, "nothing can happen any more".into()));
        }
        self
    }
}

/// One action.
#[derive(Clone, Debug)]
pub struct Step {
    pub action: String,
    pub changes: Vec<String>,
    pub mark: Mark,
    /// Beside each lane afterwards.
    pub status: Vec<Option<Status>>,
}

#[derive(Debug)]
struct Of<A> {
    open: Opener,
    refine: Option<Opener>,
    area: PhantomData<A>,
}

type Opener = fn(&Value, &Value) -> Result<Box<dyn Exploration>, String>;

fn open_as<A: Lively>(rules: &Value, bounds: &Value) -> Result<Box<dyn Exploration>, String> {
    let (rules, bounds) = admitted::<A>(rules, bounds)?;
    Ok(Box::new(Closed::<A>::new(rules, bounds)))
}

fn admitted<A: Area>(rules: &Value, bounds: &Value) -> Result<(A::Rules, A::Bounds), String> {
    let (rules, bounds) = (of_area::<A, _>("rules", rules)?, of_area::<A, _>("bounds", bounds)?);
    A::admits(&rules, &bounds).map_err(|reason| format!("{} does not admit these: {reason}", A::NAME))?;
    Ok((rules, bounds))
}

/// Steps instead of states: by the packed engine alone, because every engine is compiled anew for every area. What else is asked
/// of it, the area answers.
struct Stepwise<A: StandsForVolume> {
    steps: Closed<Refined<A>>,
    area: Closed<A>,
}

fn refine_as<A: Lively + StandsForVolume>(rules: &Value, bounds: &Value) -> Result<Box<dyn Exploration>, String> {
    let (rules, bounds) = admitted::<A>(rules, bounds)?;
    Ok(Box::new(Stepwise { steps: Closed::<Refined<A>>::new(rules, bounds), area: Closed::<A>::new(rules, bounds) }))
}

impl<A: Lively + StandsForVolume> Exploration for Stepwise<A> {
    fn bounds(&self) -> String {
        Exploration::bounds(&self.area)
    }

    fn only(&self, property: &str) -> Result<Box<dyn Exploration>, String> {
        Err(format!("every step is judged, and nothing else: not {property}"))
    }

    fn by_partial_order(&self) -> Result<(Box<dyn Exploration>, Vec<&'static str>), String> {
        Err("every step is judged, and by partial order some are left out".into())
    }

    fn explore(&self, plan: &Plan, progress: &mut dyn FnMut(Progress)) -> Result<Explored, Failure> {
        match plan.engine {
            Engine::Packed => explore_packed(&self.steps, plan, progress),
            other => Err(Failure(format!("steps are judged by the packed engine alone, not by {}", other.name()))),
        }
    }

    fn cover(&self, threads: usize, progress: &mut dyn FnMut(Progress)) -> Result<Covered, Failure> {
        self.area.cover(threads, progress)
    }

    fn live(&self, asked: &Liveness) -> Result<Explored, Failure> {
        Exploration::live(&self.area, asked)
    }

    fn shortest(&self, property: &str, threads: usize) -> Result<Option<Counterexample>, Failure> {
        shortest(&self.steps, property, threads)
    }

    fn serve(&self, address: SocketAddr) {
        Exploration::serve(&self.area, address);
    }

    fn graph(&self, limit: usize) -> Result<String, String> {
        Exploration::graph(&self.area, limit)
    }

    fn walk(&self, actions: &[Value]) -> Result<Walk, (usize, String)> {
        Exploration::walk(&self.steps, actions)
    }
}

/// The core's world has as many segments as its scheme has copies.
fn open_group(rules: &Value, bounds: &Value) -> Result<Box<dyn Exploration>, String> {
    match of_area::<Group<6>, Rules>("rules", rules)?.scheme.copies {
        3 => open_as::<Group<3>>(rules, bounds),
        4 => open_as::<Group<4>>(rules, bounds),
        5 => open_as::<Group<5>>(rules, bounds),
        6 => open_as::<Group<6>>(rules, bounds),
        copies => Err(format!("core does not admit these: {copies} copies: there can be 3 to 6")),
    }
}

impl<A: Catalogued> AnyArea for Of<A> {
    fn name(&self) -> &'static str {
        A::NAME
    }

    fn decisions(&self) -> &'static [Decision] {
        A::Rules::DECISIONS
    }

    fn adopted(&self) -> Value {
        plain(&A::Rules::adopted())
    }

    fn with(&self, rules: &Value, decision: &str, value: &str) -> Result<Value, String> {
        Ok(plain(&of_area::<A, A::Rules>("rules", rules)?.with(decision, value)?))
    }

    fn goals(&self) -> (Vec<&'static str>, Vec<&'static str>) {
        let mut kinds: Vec<_> = A::FAIR.iter().map(|due| due.kind).collect();
        kinds.dedup();
        (A::GOALS.iter().map(|goal| goal.id).collect(), kinds)
    }

    fn kinds_of_mistakes(&self) -> &'static [&'static str] {
        A::OF_MISTAKES
    }

    fn open(&self, rules: &Value, bounds: &Value) -> Result<Box<dyn Exploration>, String> {
        (self.open)(rules, bounds)
    }

    fn refine(&self, rules: &Value, bounds: &Value) -> Option<Result<Box<dyn Exploration>, String>> {
        self.refine.map(|refine| refine(rules, bounds))
    }

    fn can_be_refined(&self) -> bool {
        self.refine.is_some()
    }

    fn judge(&self, mutant: &Mutant, threads: usize) -> Result<Fate, Failure> {
        match A::MUTANTS.iter().find(|own| own.id == mutant.id) {
            Some(own) => judge_mutant(own, threads),
            None => Err(Failure(format!("{} is no mutant of {}", mutant.id, A::NAME))),
        }
    }
}

fn of_area<A: Area, T: serde::de::DeserializeOwned>(what: &str, value: &Value) -> Result<T, String> {
    T::deserialize(value).map_err(|error| format!("these are no {what} of {}: {error}", A::NAME))
}

impl<A: Lively> Exploration for Closed<A> {
    fn bounds(&self) -> String {
        Closed::bounds(self).to_string()
    }

    fn only(&self, property: &str) -> Result<Box<dyn Exploration>, String> {
        let found = A::PROPERTIES.iter().find(|own| own.id.eq_ignore_ascii_case(property));
        let known = || A::PROPERTIES.iter().map(|own| own.id).collect::<Vec<_>>().join(" ");
        let found = found.ok_or_else(|| format!("{} has no property {property}; it has: {}", A::NAME, known()))?;
        Ok(Box::new(self.clone().judging(found.id)))
    }

    fn by_partial_order(&self) -> Result<(Box<dyn Exploration>, Vec<&'static str>), String> {
        let reduced = self.clone().by_partial_order()?;
        let judged = reduced.judged().iter().map(|property| property.id).collect();
        Ok((Box::new(reduced), judged))
    }

    fn explore(&self, plan: &Plan, progress: &mut dyn FnMut(Progress)) -> Result<Explored, Failure> {
        explore(self, plan, progress)
    }

    fn cover(&self, threads: usize, progress: &mut dyn FnMut(Progress)) -> Result<Covered, Failure> {
        let choices = Arc::new(Choices::of(Closed::bounds(self)));
        let explored = explore(&self.clone().watched_by(&choices), &Plan::new(Engine::Packed, threads), progress)?;
        Ok(Covered { explored, unexercised: choices.unexercised() })
    }

    fn live(&self, asked: &Liveness) -> Result<Explored, Failure> {
        live(self, asked)
    }

    fn shortest(&self, property: &str, threads: usize) -> Result<Option<Counterexample>, Failure> {
        shortest(self, property, threads)
    }

    fn serve(&self, address: SocketAddr) {
        Model::checker(self.clone()).serve(address);
    }

    fn graph(&self, limit: usize) -> Result<String, String> {
        let mut states = vec![self.initial()];
        let mut numbers: BTreeMap<A::State, usize> = BTreeMap::from([(self.initial(), 0)]);
        let mut text = format!("digraph \"{}\" {{\n  node [shape=circle fontsize=9]; edge [fontsize=8];\n", A::NAME);
        let mut at = 0;
        while at < states.len() {
            let state = states[at].clone();
            match self.violation(&state) {
                Some((property, fact)) => {
                    let _ = writeln!(
                        text,
                        "  {at} [style=filled fillcolor=salmon tooltip={:?}];",
                        format!("{} {fact}", property.id)
                    );
                }
                None => {
                    let _ = writeln!(text, "  {at};");
                }
            }
            let mut edges = Vec::new();
            self.candidates(&state, |action| edges.extend(self.next(&state, action).map(|next| (action, next))));
            for (action, next) in edges {
                let number = *numbers.entry(next.clone()).or_insert(states.len());
                if number == states.len() {
                    states.push(next);
                }
                let label = A::describe(self.context(), action);
                let _ = writeln!(text, "  {at} -> {number} [label={label:?}];");
            }
            if states.len() > limit {
                return Err(format!("more than {limit} states: too many to be drawn (see --limit)"));
            }
            at += 1;
        }
        text.push('}');
        Ok(text)
    }

    fn walk(&self, actions: &[Value]) -> Result<Walk, (usize, String)> {
        let model = self.unreduced();
        let trace: Vec<A::Action> = actions
            .iter()
            .enumerate()
            .map(|(step, action)| of_area::<A, _>("actions", action).map_err(|reason| (step, reason)))
            .collect::<Result<_, _>>()?;
        let context = model.context();
        // An action may name an actor that does not exist, and then the world cannot be asked.
        let mut states = vec![model.initial()];
        for (step, action) in trace.iter().enumerate() {
            let (mut known, last) = (false, &states[step]);
            A::candidates(context, last, |candidate| known |= candidate == *action);
            let next = if known { A::after(context, last, *action) } else { None };
            states.push(next.ok_or_else(|| (step, format!("not possible: {action:?}")))?);
        }
        let lanes = A::lanes(context);
        let status = |state: &A::State| (0..lanes.len()).map(|lane| A::status(context, state, lane)).collect();
        let steps = trace.iter().zip(states.windows(2)).map(|(action, around)| Step {
            action: A::describe(context, *action),
            changes: A::changes(context, &around[0], &around[1]),
            mark: A::mark(context, *action, &around[0], &around[1]),
            status: status(&around[1]),
        });
        let last = &states[states.len() - 1];
        let broken = |own: &area::Property<A>| {
            let fact = quietly(|| (own.check)(context, last)).ok()?.err()?;
            let known = if own.id == REFINEMENT { Some(&REFINES) } else { property(A::NAME, own.id) };
            Some((known?, fact))
        };
        let mut violated: Vec<_> = model.judged().iter().filter_map(broken).collect();
        if let Some(message) = panic_in(&model, &Model::properties(&model), last) {
            violated.push((&PANICS, format!("a next step panics: {message}")));
        }
        let is_stuck = quietly(|| is_stuck(&model, last)).unwrap_or(false);
        Ok(Walk { first: status(&states[0]), steps: steps.collect(), violated, is_stuck, lanes })
    }
}

/// A property of some area.
#[derive(Clone, Debug)]
pub struct Property {
    pub area: &'static str,
    pub id: &'static str,
    pub name: &'static str,
    pub formula: &'static str,
    pub section: &'static str,
}

/// A profile of some area.
#[derive(Clone, Debug)]
pub struct Profile {
    pub area: &'static dyn AnyArea,
    pub name: &'static str,
    pub about: &'static str,
    pub quick: Vec<Leg>,
    pub deep: Vec<Leg>,
    /// Properties, by id, that can say nothing here, and speak in another profile of the area.
    pub silent: &'static [&'static str],
}

impl Profile {
    /// Whether a property, by name, must have something to say here.
    #[must_use]
    pub fn speaks_of(&self, name: &str) -> bool {
        let of_area = properties().iter().filter(|property| property.area == self.area.name());
        !of_area.into_iter().any(|property| property.name == name && self.silent.contains(&property.id))
    }

    #[must_use]
    pub fn legs(&self, size: Size) -> &[Leg] {
        match size {
            Size::Quick => &self.quick,
            Size::Deep => &self.deep,
        }
    }
}

/// One exploration of a profile.
#[derive(Clone, Debug)]
pub struct Leg {
    pub area: &'static dyn AnyArea,
    pub name: &'static str,
    pub bounds: Value,
    /// Unique states of a full exploration under the adopted rules; 0 where it is not pinned.
    pub states: usize,
    pub depth: usize,
}

impl Leg {
    /// The leg under rules of its area.
    ///
    /// # Errors
    /// If the rules are not of this area.
    pub fn open(&self, rules: &Value) -> Result<Box<dyn Exploration>, String> {
        self.area.open(rules, &self.bounds)
    }
}

/// A known mistake in some area.
#[derive(Clone, Debug)]
pub struct Mutant {
    pub area: &'static dyn AnyArea,
    pub id: &'static str,
    pub mistake: &'static str,
    pub rules: Value,
    pub breaks: &'static [&'static str],
    pub bounds: Value,
    pub equivalent: Option<&'static str>,
    /// Rules and bounds of its second size, if it is equivalent.
    pub larger: Option<(Value, Value)>,
    pub source: &'static str,
}

impl Mutant {
    /// The first profile of its area: `sextant model check PROFILE --mutant ID` shows it.
    #[must_use]
    pub fn profile(&self) -> &'static str {
        let own = profiles().iter().find(|profile| profile.area.name() == self.area.name());
        own.map_or("", |profile| profile.name)
    }

    /// Everything that it breaks within its bounds, each with the length of a shortest counterexample. The whole space is
    /// explored.
    ///
    /// # Errors
    /// If the explorer fails.
    pub fn row(&self, threads: usize) -> Result<BTreeMap<&'static str, usize>, Failure> {
        let model = self.area.open(&self.rules, &self.bounds).map_err(Failure)?;
        let plan = Plan { stop: Stop::AtEnd, ..Plan::new(Engine::Packed, threads) };
        let explored = model.explore(&plan, &mut |_| {})?;
        let broken = explored.counterexample.iter().chain(&explored.others);
        Ok(broken.map(|found| (found.property, found.length())).collect())
    }

    /// Runs it against what it must break.
    ///
    /// # Errors
    /// If the explorer fails.
    pub fn judge(&self, threads: usize) -> Result<Fate, Failure> {
        self.area.judge(self, threads)
    }

    /// The second, larger size of an equivalent mutant, explored whole, or until it breaks something; none if it has none.
    ///
    /// # Errors
    /// If the explorer fails.
    pub fn judge_larger(&self, threads: usize) -> Result<Option<Explored>, Failure> {
        let Some((rules, bounds)) = &self.larger else { return Ok(None) };
        let model = self.area.open(rules, bounds).map_err(Failure)?;
        model.explore(&Plan::new(Engine::Packed, threads), &mut |_| {}).map(Some)
    }
}

#[derive(Default)]
struct Catalogue {
    areas: Vec<&'static dyn AnyArea>,
    profiles: Vec<Profile>,
    properties: Vec<Property>,
    mutants: Vec<Mutant>,
}

impl Catalogue {
    fn take<A: Catalogued>(&mut self, area: &'static Of<A>) {
        let leg = |leg: &area::Leg<A>| Leg {
            area,
            name: leg.name,
            bounds: plain(&leg.bounds),
            states: leg.states,
            depth: leg.depth,
        };
        self.areas.push(area);
        self.profiles.extend(A::PROFILES.iter().map(|own| Profile {
            area,
            name: own.name,
            about: own.about,
            quick: own.quick.iter().map(leg).collect(),
            deep: own.deep.iter().map(leg).collect(),
            silent: own.silent,
        }));
        self.properties.extend(A::PROPERTIES.iter().map(|own| Property {
            area: A::NAME,
            id: own.id,
            name: own.name,
            formula: own.formula,
            section: own.section,
        }));
        self.mutants.extend(A::MUTANTS.iter().map(|own| Mutant {
            area,
            id: own.id,
            mistake: own.mistake,
            rules: plain(&own.rules),
            breaks: own.breaks,
            bounds: plain(&own.bounds),
            equivalent: own.equivalent,
            larger: own.larger.as_ref().map(|larger| (plain(&larger.rules), plain(&larger.bounds))),
            source: own.source,
        }));
    }
}

// An engine is compiled anew for every type that is named here, so clients are not refined: their storage is the core's.
static CATALOGUE: LazyLock<Catalogue> = LazyLock::new(|| {
    let mut all = Catalogue::default();
    all.take::<Group<6>>(&Of { open: open_group, refine: Some(refine_as::<Group<6>>), area: PhantomData });
    all.take::<Membership>(&Of {
        open: open_as::<Membership>,
        refine: Some(refine_as::<Membership>),
        area: PhantomData,
    });
    all.take::<Volume>(&Of { open: open_as::<Volume>, refine: Some(refine_as::<Volume>), area: PhantomData });
    all.take::<Pages>(&Of { open: open_as::<Pages>, refine: Some(refine_as::<Pages>), area: PhantomData });
    all.take::<Disks>(&Of { open: open_as::<Disks>, refine: Some(refine_as::<Disks>), area: PhantomData });
    all.take::<Undo>(&Of { open: open_as::<Undo>, refine: Some(refine_as::<Undo>), area: PhantomData });
    all.take::<Clients>(&Of { open: open_as::<Clients>, refine: None, area: PhantomData });
    all.take::<Regions>(&Of { open: open_as::<Regions>, refine: Some(refine_as::<Regions>), area: PhantomData });
    all.take::<Forks>(&Of { open: open_as::<Forks>, refine: Some(refine_as::<Forks>), area: PhantomData });
    all
});

/// Every area, in the order in which it is best read.
#[must_use]
pub fn areas() -> &'static [&'static dyn AnyArea] {
    &CATALOGUE.areas
}

#[must_use]
pub fn profiles() -> &'static [Profile] {
    &CATALOGUE.profiles
}

/// The properties of all areas; one that several areas judge comes several times.
#[must_use]
pub fn properties() -> &'static [Property] {
    &CATALOGUE.properties
}

#[must_use]
pub fn mutants() -> &'static [Mutant] {
    &CATALOGUE.mutants
}

#[must_use]
pub fn area(name: &str) -> Option<&'static dyn AnyArea> {
    areas().iter().find(|area| area.name() == name).copied()
}

/// The profile of this name.
///
/// # Errors
/// A line that says which there are.
pub fn profile(name: &str) -> Result<&'static Profile, String> {
    let known = || profiles().iter().map(|p| p.name).collect::<Vec<_>>().join(", ");
    profiles()
        .iter()
        .find(|profile| profile.name == name)
        .ok_or_else(|| format!("there is no profile {name}; there are: {}", known()))
}

/// The property of this id in an area.
#[must_use]
pub fn property(area: &str, id: &str) -> Option<&'static Property> {
    properties().iter().find(|property| property.area == area && property.id.eq_ignore_ascii_case(id))
}

/// The mutant of this id, in either case.
///
/// # Errors
/// A line that says which there are.
pub fn mutant(id: &str) -> Result<&'static Mutant, String> {
    let known = || mutants().iter().map(|m| m.id).collect::<Vec<_>>().join(" ");
    mutants()
        .iter()
        .find(|mutant| mutant.id.eq_ignore_ascii_case(id))
        .ok_or_else(|| format!("there is no mutant {id}; there are: {}", known()))
}

/// The rules of a profile's area with decisions changed, each `decision=value`.
///
/// # Errors
/// If one is not of this form, or the area has no such decision or value.
pub fn rules_with(area: &dyn AnyArea, rules: Value, changes: &[String]) -> Result<Value, String> {
    changes.iter().try_fold(rules, |rules, change| {
        let (decision, value) =
            change.split_once('=').ok_or_else(|| format!("{change:?} is not of the form decision=value"))?;
        area.with(&rules, decision, value)
    })
}

/// A leg with bounds changed, each `field=value` with the names that a case file has; what no exploration of it has pinned.
///
/// # Errors
/// If one is not of this form, or the bounds of this area have no such field.
pub fn leg_with(leg: Leg, changes: &[String]) -> Result<Leg, String> {
    if changes.is_empty() {
        return Ok(leg);
    }
    let mut bounds = leg.bounds.clone();
    for change in changes {
        let (field, value) =
            change.split_once('=').ok_or_else(|| format!("{change:?} is not of the form field=value"))?;
        let fields = bounds.as_object_mut().ok_or("these bounds have no fields")?;
        let known = fields.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
        let own = fields.get_mut(field);
        let own =
            own.ok_or_else(|| format!("the bounds of {} have no field {field}; they have: {known}", leg.area.name()))?;
        *own = serde_json::from_str(value).unwrap_or_else(|_| Value::from(value));
    }
    Ok(Leg { bounds, states: 0, depth: 0, ..leg })
}

/// The rules of the core with another scheme.
///
/// # Errors
/// If they are the rules of another area, or have a scheme of their own already: that of a mutant.
pub fn rules_of(area: &dyn AnyArea, rules: &Value, scheme: Scheme) -> Result<Value, String> {
    let name = area.name();
    let mut rules: Rules =
        Rules::deserialize(rules).map_err(|_| format!("{name} has no scheme of its own to change"))?;
    if rules.scheme != Scheme::AURORA {
        return Err("the mistake is in the scheme: it does not go with another one".into());
    }
    rules.scheme = scheme;
    Ok(plain(&rules))
}

/// The leg for a scheme of the core: as many copies are lost as its zones ask for.
#[must_use]
pub fn leg_of(leg: Leg, scheme: Scheme) -> Leg {
    let bounds = if leg.name == profiles::LOSSES { plain(&profiles::losses(scheme)) } else { leg.bounds };
    Leg { bounds, states: 0, depth: 0, ..leg }
}

/// Opens the area, the rules and the bounds of a case.
///
/// # Errors
/// If there is no such area, or its rules or bounds are others.
pub fn open(case: &Case) -> Result<Box<dyn Exploration>, String> {
    let known = || areas().iter().map(|area| area.name()).collect::<Vec<_>>().join(", ");
    let area = area(&case.area).ok_or_else(|| format!("there is no area {}; there are: {}", case.area, known()))?;
    if case.violates.as_deref() != Some(REFINEMENT) {
        return area.open(&case.rules, &case.bounds);
    }
    area.refine(&case.rules, &case.bounds).unwrap_or_else(|| Err(no_volume(area)))
}

/// Why an area cannot be judged by its steps.
#[must_use]
pub fn no_volume(area: &dyn AnyArea) -> String {
    let able = areas().iter().filter(|other| other.can_be_refined()).map(|other| other.name()).collect::<Vec<_>>();
    format!("the steps of {} are held against no volume here; those of {} are", area.name(), able.join(", "))
}
