//! Members of a protection group and how they change (S18 §4.1, §4.2; protocol §5): the closed world of one group.
//!
//! Read [`configuration`], then [`rules`], then [`world`], then the table that heads [`properties`]. The sets alone are the
//! matter of [`crate::quorum`]; here they are used by a control plane, a writer, a recovery and eight segments that act at
//! any time, of which two join.
//!
//! | step | who | rule |
//! |---|---|---|
//! | a member is suspected: old and new set side by side | control plane | [`rules::MembershipRules::begin`] |
//! | segments make the configuration durable; gone by only when a write quorum of the one before has it | segments | [`rules::MembershipRules::is_installed`] |
//! | the joiner takes over from a read quorum, after that | joiner | [`rules::MembershipRules::may_hydrate`] |
//! | settle on the new set, or go back to the old one | control plane | [`rules::MembershipRules::may_settle`] |
//! | who is in no set any more may discard | segment | [`rules::MembershipRules::may_discard`] |

pub mod configuration;
mod mutants;
pub mod properties;
pub mod rules;
pub mod world;

pub use mutants::{MUTANTS, Mutant, PROFILES, Profile, by_id};

use properties::Property;
use rules::MembershipRules;
use world::{Action, Bounds, World};

/// One exploration of membership: rules, bounds, properties.
#[derive(Clone, Debug)]
pub struct Group {
    rules: MembershipRules,
    bounds: Bounds,
    properties: Vec<Property>,
    vacuity: crate::bounds::Switch,
}

impl Group {
    /// With all properties, and a *sometimes* beside each.
    #[must_use]
    pub fn new(rules: MembershipRules, bounds: Bounds) -> Group {
        Group { rules, bounds, properties: properties::ALL.to_vec(), vacuity: crate::bounds::Switch::On }
    }

    /// Only the property `id`, and no *sometimes*: what a shortest counterexample needs.
    #[must_use]
    pub fn only(mut self, id: &str) -> Group {
        self.properties.retain(|property| property.id == id);
        assert!(self.properties.len() == 1, "there is no property {id}");
        self.vacuity = crate::bounds::Switch::Off;
        self
    }

    #[must_use]
    pub fn rules(&self) -> &MembershipRules {
        &self.rules
    }

    #[must_use]
    pub fn bounds(&self) -> &Bounds {
        &self.bounds
    }

    #[must_use]
    pub fn judged(&self) -> &[Property] {
        &self.properties
    }

    #[must_use]
    pub fn initial(&self) -> World {
        World::created(&self.bounds).canonical(&self.bounds)
    }

    /// The canonical state after `action`; none if it changes nothing.
    #[must_use]
    pub fn next(&self, world: &World, action: Action) -> Option<World> {
        world.after(&self.rules, &self.bounds, action).map(|next| next.canonical(&self.bounds))
    }

    /// The first property that `world` violates, and the fact.
    #[must_use]
    pub fn violation(&self, world: &World) -> Option<(&Property, String)> {
        self.properties.iter().find_map(|property| Some((property, (property.check)(self, world).err()?)))
    }

    /// A trace of canonical states in the names of the first state: at each step an action whose successor is the same
    /// state but for names. None if there is none, which would be a fault of the reduction.
    #[must_use]
    pub fn concrete(&self, reduced: &[Action]) -> Option<Vec<(Action, World)>> {
        let (mut canonical, mut real) = (self.initial(), World::created(&self.bounds));
        let mut told = Vec::with_capacity(reduced.len());
        for action in reduced {
            canonical = self.next(&canonical, *action)?;
            let mut found = None;
            real.candidates(&self.bounds, |candidate| {
                if found.is_none()
                    && std::mem::discriminant(&candidate) == std::mem::discriminant(action)
                    && let Some(next) = real.after(&self.rules, &self.bounds, candidate)
                    && next.clone().canonical(&self.bounds) == canonical
                {
                    found = Some((candidate, next));
                }
            });
            let step = found?;
            real = step.1.clone();
            told.push(step);
        }
        Some(told)
    }
}

#[cfg(feature = "stateright")]
mod checked {
    use super::{Action, Group, World, properties};
    use stateright::{Expectation, Model, Property};

    impl Model for Group {
        type State = World;
        type Action = Action;

        fn init_states(&self) -> Vec<World> {
            vec![self.initial()]
        }

        fn actions(&self, world: &World, actions: &mut Vec<Action>) {
            world.candidates(&self.bounds, |action| actions.push(action));
        }

        fn next_state(&self, world: &World, action: Action) -> Option<World> {
            self.next(world, action)
        }

        fn properties(&self) -> Vec<Property<Self>> {
            let place = |id: &str| properties::ALL.iter().position(|property| property.id == id);
            let mut checked = Vec::new();
            for property in &self.properties {
                let (always, sometimes) = WRAPPED[place(property.id).unwrap_or_default()];
                checked.push(Property { expectation: Expectation::Always, name: property.id, condition: always });
                if self.vacuity.is_on() {
                    checked.push(Property::sometimes(property.name, sometimes));
                }
            }
            checked
        }
    }

    type Condition = fn(&Group, &World) -> bool;

    macro_rules! wrappers {
        ($($place:literal)*) => {
            [$((
                |group: &Group, world: &World| (const { properties::ALL[$place] }.check)(group, world).is_ok(),
                |group: &Group, world: &World| (const { properties::ALL[$place] }.sometimes)(group, world),
            )),*]
        };
    }

    /// Stateright's conditions are function pointers: one for each place in the table.
    const WRAPPED: [(Condition, Condition); 10] = wrappers!(0 1 2 3 4 5 6 7 8 9);
}
