//! Which decisions of a rule book an exploration exercises.
//!
//! A value of a decision is exercised where it makes a difference: in some state met under the adopted rules, some action would
//! lead elsewhere, or become possible or impossible, or a property would judge otherwise, if that value were the decision. What no exploration exercises, no
//! exploration has tested: the adopted value could be replaced by that one and nobody would see it.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::area::{Area, Context};
use crate::decisions::RuleBook;

/// A rule book with one decision made otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Alternative<R> {
    /// `write_back`
    pub decision: &'static str,
    /// `Never`
    pub value: &'static str,
    pub rules: R,
}

/// Every value of every decision but the adopted one, and which of them made a difference so far.
#[derive(Debug)]
pub struct Choices<A: Area> {
    alternatives: Vec<Alternative<A::Rules>>,
    /// By place among the alternatives: those that made none.
    unexercised: AtomicU64,
}

impl<A: Area> Choices<A> {
    /// Those of the adopted rules.
    ///
    /// # Panics
    /// If the area has more than 64 alternatives, or a value that cannot be named: the rule book is not one.
    #[must_use]
    pub fn of(bounds: &A::Bounds) -> Self {
        let adopted = A::Rules::adopted();
        let others = A::Rules::DECISIONS.iter().flat_map(|decision| {
            decision.values[1..].iter().map(|&value| {
                let rules = adopted.with(decision.name, value).expect("a rule book knows its own names");
                Alternative { decision: decision.name, value, rules: A::settled(rules, bounds) }
            })
        });
        let alternatives: Vec<_> = others.collect();
        assert!(alternatives.len() <= 64, "{} alternatives in {}", alternatives.len(), A::NAME);
        let unexercised = (0..alternatives.len()).fold(0, |all, place| all | 1 << place);
        Choices { alternatives, unexercised: AtomicU64::new(unexercised) }
    }

    /// Takes note of every alternative under which `action` does not lead from `state` to `after`, or under which a property says
    /// something else of `after`.
    pub fn watch(&self, adopted: Context<A>, state: &A::State, action: A::Action, after: Option<&A::State>) {
        let mut left = self.unexercised.load(Ordering::Relaxed);
        while left != 0 {
            let place = left.trailing_zeros() as usize;
            left &= left - 1;
            let other = Context { rules: &self.alternatives[place].rules, bounds: adopted.bounds };
            let leads_elsewhere = || A::after(other, state, action).as_ref() != after;
            if leads_elsewhere() || after.is_some_and(|after| judges_otherwise(adopted, other, after)) {
                self.unexercised.fetch_and(!(1 << place), Ordering::Relaxed);
            }
        }
    }

    #[must_use]
    pub fn alternatives(&self) -> &[Alternative<A::Rules>] {
        &self.alternatives
    }

    /// The alternatives that made no difference, each as decision and value.
    #[must_use]
    pub fn unexercised(&self) -> Vec<(&'static str, &'static str)> {
        let left = self.unexercised.load(Ordering::Relaxed);
        let made_none = self.alternatives.iter().enumerate().filter(|(place, _)| left >> place & 1 == 1);
        made_none.map(|(_, alternative)| (alternative.decision, alternative.value)).collect()
    }
}

fn judges_otherwise<A: Area>(one: Context<A>, other: Context<A>, state: &A::State) -> bool {
    A::PROPERTIES.iter().any(|property| {
        (property.check)(one, state).is_ok() != (property.check)(other, state).is_ok()
            || (property.sometimes)(one, state) != (property.sometimes)(other, state)
    })
}
