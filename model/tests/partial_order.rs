//! The partial-order reduction against the whole spaces: what is declared to commute does, and nothing that stays is lost.

use sextant_model::action::Action;
use sextant_model::area::{Area, Mutant};
use sextant_model::bounds::Bounds;
use sextant_model::closed::{Closed, Core};
use sextant_model::group::Group;
use sextant_model::mutants::MUTANTS;
use sextant_model::partial_order::{Footprint, persistent};
use sextant_model::profiles::PROFILES;
use sextant_model::rules::Rules;
use sextant_model::world::World;
use std::collections::BTreeSet;

type State = World<6>;

/// The states of a model level by level, each with its successors, until `see` says no; how many there are.
fn explore(model: &Core, mut see: impl FnMut(&State, &[State]) -> bool) -> usize {
    let successors = |state: &State| {
        let mut actions = Vec::new();
        model.candidates(state, |action| actions.push(action));
        actions.into_iter().filter_map(|action| model.next(state, action)).collect()
    };
    explore_by(model.initial(), successors, &mut see)
}

fn explore_by(
    first: State,
    successors: impl Fn(&State) -> Vec<State>,
    see: &mut impl FnMut(&State, &[State]) -> bool,
) -> usize {
    let mut seen = BTreeSet::from([first.clone()]);
    let mut level = vec![first];
    while !level.is_empty() {
        let mut next = Vec::new();
        for state in level {
            let successors = successors(&state);
            if !see(&state, &successors) {
                return seen.len();
            }
            next.extend(successors.into_iter().filter(|successor| seen.insert(successor.clone())));
        }
        level = next;
    }
    seen.len()
}

struct Space {
    states: usize,
    transitions: usize,
    /// States without a successor.
    ends: BTreeSet<State>,
    /// Of the properties that stay broken, those that are.
    broken: BTreeSet<&'static str>,
    /// States in which S9 is broken.
    overtaken: usize,
}

fn space(model: &Core) -> Space {
    let (mut transitions, mut overtaken, mut ends, mut broken) = (0, 0, BTreeSet::new(), BTreeSet::new());
    let stable = |id: &str| Group::<6>::STABLE.contains(&id);
    let states = explore(model, |state, successors| {
        transitions += successors.len();
        if successors.is_empty() {
            ends.insert(state.clone());
        }
        let breaks = |id: &str| {
            let property = Group::<6>::PROPERTIES.iter().find(|property| property.id == id);
            property.is_some_and(|property| (property.check)(model.context(), state).is_err())
        };
        if breaks("S9") {
            overtaken += 1;
            assert!(breaks("S1"), "S9 is left to S1, which holds in {state:?}");
        }
        for property in model.judged().iter().filter(|property| stable(property.id)) {
            if (property.check)(model.context(), state).is_err() {
                broken.insert(property.id);
            }
        }
        true
    });
    Space { states, transitions, ends, broken, overtaken }
}

fn reduced(model: Core) -> Core {
    model.by_partial_order().expect("the core declares its footprints")
}

fn legs() -> Vec<(String, Bounds)> {
    let quick = PROFILES[0].quick.iter().filter(|leg| leg.states < 20_000).map(|leg| (leg.name.to_owned(), leg.bounds));
    let more = [
        ("1 rec, 1 rcv", Bounds::of(1, 1)),
        ("1 rec, 1 rcv, gossip", Bounds::of(1, 1).gossiping()),
        ("2 rec, 1 rcv", Bounds::of(2, 1)),
        ("2 rec, 1 rcv, gossip", Bounds::of(2, 1).gossiping()),
        ("1 rec, 2 rcv", Bounds::of(1, 2)),
        ("2 rec, 1 rcv, LAL 1, gossip", Bounds::of(2, 1).with_lal(1).gossiping()),
        ("1 rec, 1 rcv, idle, late", Bounds::of(1, 1).with_late_answers().with_idle_writers().with_late_fences()),
    ];
    quick.chain(more.map(|(name, bounds)| (name.to_owned(), bounds))).collect()
}

/// Ends are all there, and nothing else is an end. The table of the README is what this prints.
#[test]
fn a_reduced_space_has_the_ends_of_the_whole_one() {
    for (name, bounds) in legs() {
        let model = Core::new(Rules::adopted(), bounds);
        let (whole, less) = (space(&model), space(&reduced(model)));
        println!(
            "{name}: {} states, {} transitions; reduced {}, {}",
            whole.states, whole.transitions, less.states, less.transitions
        );
        assert_eq!(whole.ends, less.ends, "{name}");
        assert!(less.states <= whole.states && whole.broken.is_empty() && less.broken.is_empty(), "{name}");
    }
}

#[test]
fn the_reduction_reduces() {
    let model = Core::new(Rules::adopted(), Bounds::of(2, 1));
    let (whole, less) = (space(&model), space(&reduced(model)));
    assert!(4 * less.states < whole.states, "{} of {}", less.states, whole.states);
}

/// Were steps declared to read nothing, or to write nothing, ends would be lost: the comparison notices. (That
/// what makes a step possible is told matters to a space only where no recovery is read at once; `partial_order.rs` tests it.)
#[test]
fn by_wrong_declarations_ends_are_lost() {
    let ends = |bounds: Bounds, alter: fn(&mut Footprint)| {
        let model = Core::new(Rules::adopted(), bounds);
        let successors = |state: &State| {
            let enabled = model.enabled(state);
            let mut steps = Group::<6>::footprints(model.context(), state, &enabled).expect("the core declares them");
            steps.iter_mut().for_each(alter);
            persistent(&steps).into_iter().filter_map(|place| model.next(state, enabled[place])).collect()
        };
        let mut ends = BTreeSet::new();
        explore_by(model.initial(), successors, &mut |state, successors| {
            if successors.is_empty() {
                ends.insert(state.clone());
            }
            true
        });
        ends
    };
    let spaces = [Bounds::of(1, 1).gossiping(), Bounds::of(2, 1), Bounds::of(1, 2)];
    let right = spaces.map(|bounds| ends(bounds, |_| {}));
    for (what, alter) in WRONG {
        let is_noticed = spaces.iter().zip(&right).any(|(&bounds, right)| ends(bounds, alter) != *right);
        assert!(is_noticed, "{what}");
    }
}

/// What is wrong, and how to do it.
type Mistake = (&'static str, fn(&mut Footprint));

const WRONG: [Mistake; 2] =
    [("nothing is read", |step| step.reads = 0), ("nothing is written", |step| step.writes = 0)];

/// For every mutant, on its own bounds: the properties that stay broken are broken in the reduced space if and only if in the whole.
#[test]
fn a_reduced_space_shows_what_every_mutant_breaks_for_good() {
    let (mut shown, mut overtaken) = (0, 0);
    for mutant in MUTANTS {
        let Some((whole, less)) = both(mutant, 40_000) else { continue };
        assert_eq!(whole.broken, less.broken, "{}", mutant.id);
        // Once something is broken, the orders in which it happened may tell states apart.
        assert!(!whole.broken.is_empty() || whole.ends == less.ends, "{}", mutant.id);
        overtaken += whole.overtaken;
        shown += usize::from(!whole.broken.is_empty() && less.states < whole.states);
    }
    assert!(shown >= 7, "only {shown} mutants break something in a space that is reduced");
    assert!(overtaken > 0, "S9 is broken nowhere, and so nothing is said of it");
}

fn both(mutant: &Mutant<Group<6>>, limit: usize) -> Option<(Space, Space)> {
    let model = Core::new(mutant.rules, mutant.bounds);
    let mut states = 0;
    explore(&model, |_, _| {
        states += 1;
        states <= limit
    });
    (states <= limit).then(|| (space(&model), space(&reduced(model))))
}

/// Takes one action after the other; an action that is not possible changes nothing.
fn run(model: &Core, state: &State, actions: [Action; 2]) -> State {
    actions.into_iter().fold(state.clone(), |state, action| model.next(&state, action).unwrap_or(state))
}

/// In every state of the small spaces, without symmetry: whatever is declared not to interfere commutes.
#[test]
fn what_is_declared_to_commute_commutes() {
    let mut pairs = 0;
    for (_, bounds) in legs().into_iter() {
        let model = Core::new(Rules::adopted(), bounds);
        let unreduced = model.unreduced();
        let mut met = 0;
        // Every hundredth state, and what it is without symmetry is itself.
        explore(&model, |state, _| {
            met += 1;
            if met % 100 == 0 {
                pairs += commutes(&unreduced, state);
            }
            met < 60_000
        });
    }
    assert!(pairs > 10_000, "only {pairs} pairs were looked at");
}

fn commutes(model: &Closed<Group<6>>, state: &State) -> usize {
    let enabled = model.enabled(state);
    let Some(steps) = Group::<6>::footprints(model.context(), state, &enabled) else { return 0 };
    let mut pairs = 0;
    for (place, one) in steps.iter().enumerate() {
        for other in &steps[place + 1..] {
            if let (Some(a), Some(b)) = (one.action, other.action)
                && !one.interferes(other)
            {
                let (a, b) = (enabled[a], enabled[b]);
                let (one, other) = (run(model, state, [a, b]), run(model, state, [b, a]));
                assert!(one == other, "{a:?} {b:?} in {state:?}");
                pairs += 1;
            }
        }
    }
    pairs
}

/// Whatever is possible is declared, also what a step makes possible, by the adopted rules and by every mutant's.
#[test]
fn every_possible_action_is_declared() {
    let adopted = legs().into_iter().map(|(name, bounds)| (name, Rules::adopted(), bounds));
    let mutants = MUTANTS.iter().filter(|mutant| mutant.rules.scheme.copies == 6);
    let mutants = mutants.map(|mutant| (mutant.id.to_owned(), mutant.rules, mutant.bounds));
    for (name, rules, bounds) in adopted.chain(mutants) {
        let model = Core::new(rules, bounds);
        let mut met = 0;
        explore(&model, |state, _| {
            met += 1;
            let enabled = model.enabled(state);
            if let Some(steps) = Group::<6>::footprints(model.context(), state, &enabled) {
                let declared: BTreeSet<usize> = steps.iter().filter_map(|step| step.action).collect();
                assert_eq!(declared.len(), enabled.len(), "{name}: {enabled:?} {steps:?}");
            }
            met < 30_000
        });
    }
}

#[test]
fn what_may_pass_is_not_judged() {
    let judge = |id: &str| Core::new(Rules::adopted(), Bounds::of(1, 1)).only(id).by_partial_order();
    assert!(judge("S1").is_ok());
    let refused = judge("S13").unwrap_err();
    assert!(refused.contains("S13") && refused.contains("S1 S3"), "{refused}");
    let stays: Vec<_> = reduced(Core::new(Rules::adopted(), Bounds::of(1, 1))).judged().iter().map(|p| p.id).collect();
    assert_eq!(stays, Group::<6>::STABLE);
}
