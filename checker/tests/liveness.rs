//! Leads-to under fairness: small models whose answers are known, and tiny random graphs against all sets of steps.

use proptest::prelude::*;
use sextant::explore::liveness::{Fairness, Graph, Lasso, LeadsTo, Strength};
use sextant::explore::packed::Packed;
use stateright::{Model, Property};

/// Two processes and a lock: each is idle (0), wants (1) or holds it (2).
#[derive(Clone, Debug)]
struct Mutex;

sextant::pack! {
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub struct Two { at: [u8; 2] }
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Step {
    Want(usize),
    Enter(usize),
    Leave(usize),
}

impl Model for Mutex {
    type State = Two;
    type Action = Step;

    fn init_states(&self) -> Vec<Two> {
        vec![Two { at: [0, 0] }]
    }

    fn actions(&self, state: &Two, actions: &mut Vec<Step>) {
        for process in 0..2 {
            match state.at[process] {
                0 => actions.push(Step::Want(process)),
                1 if state.at[1 - process] != 2 => actions.push(Step::Enter(process)),
                1 => {}
                _ => actions.push(Step::Leave(process)),
            }
        }
    }

    fn next_state(&self, state: &Two, action: Step) -> Option<Two> {
        let mut next = *state;
        match action {
            Step::Want(process) => next.at[process] = 1,
            Step::Enter(process) => next.at[process] = 2,
            Step::Leave(process) => next.at[process] = 0,
        }
        Some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        Vec::new()
    }
}

sextant::packed_model!(Mutex);

fn enters() -> LeadsTo<Mutex> {
    LeadsTo { name: "who wants enters", from: |_, s| s.at[0] == 1, to: |_, s| s.at[0] == 2 }
}

/// The run is one of the model, ends where its cycle begins, and never reaches what it should.
fn assert_lasso<M: Packed>(model: &M, lasso: &Lasso<M::State, M::Action>, property: &LeadsTo<M>)
where
    M::State: Clone + PartialEq + std::fmt::Debug,
    M::Action: Clone,
{
    let mut state = lasso.stem.first.clone();
    assert!(model.init_states().contains(&state));
    let mut waits = (property.from)(model, &state) && !(property.to)(model, &state);
    for (action, next) in &lasso.stem.steps {
        state = model.next_state(&state, action.clone()).expect("each action of the stem is possible");
        assert_eq!(&state, next);
        waits = (waits || (property.from)(model, &state)) && !(property.to)(model, &state);
    }
    assert!(waits, "nothing is waited for at the end of the stem");
    let begin = state.clone();
    for (action, next) in &lasso.cycle {
        state = model.next_state(&state, action.clone()).expect("each action of the cycle is possible");
        assert_eq!(&state, next);
        assert!(!(property.to)(model, &state), "what is waited for happens");
    }
    assert_eq!(state, begin, "the cycle does not close");
}

#[test]
fn a_process_starves_under_weak_fairness_and_not_under_strong() {
    let per_process = |strength: Strength| -> Vec<Fairness<Step>> {
        let enter = |p: usize| Box::new(move |a: &Step| *a == Step::Enter(p));
        let leave = |p: usize| Box::new(move |a: &Step| *a == Step::Leave(p));
        let of = |f: Box<dyn Fn(&Step) -> bool>| Fairness { strength, of: f };
        vec![of(enter(0)), of(enter(1)), of(leave(0)), of(leave(1))]
    };
    for (fairness, starves) in [
        (Vec::new(), true),
        (per_process(Strength::Weak), true),
        (per_process(Strength::Strong), false),
        // Only the one who waits is treated well: the other may hold the lock for ever.
        (vec![Fairness::strong(|a: &Step| *a == Step::Enter(0))], false),
    ] {
        let graph = Graph::of(&Mutex, &fairness, 100).expect("it fits");
        assert_eq!((graph.len(), graph.steps()), (8, 14));
        let judged = graph.judge(&enters());
        assert!(!judged.vacuous);
        assert_eq!(judged.lasso.is_some(), starves, "{:?}", judged.lasso);
        if let Some(lasso) = judged.lasso {
            assert_lasso(&Mutex, &lasso, &enters());
            assert!(!lasso.cycle.is_empty(), "nothing stops here");
        }
        assert!(graph.deadlock().is_none());
    }
}

/// A token that goes round; each station works only when it has it, `stations` of them, and one may drop it.
#[derive(Clone, Debug)]
struct Ring {
    stations: u8,
    drops: bool,
}

sextant::pack! {
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub struct Token { at: Option<u8>, worked: bool }
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Turn {
    Work,
    Pass,
    Drop,
}

impl Model for Ring {
    type State = Token;
    type Action = Turn;

    fn init_states(&self) -> Vec<Token> {
        vec![Token { at: Some(0), worked: false }]
    }

    fn actions(&self, state: &Token, actions: &mut Vec<Turn>) {
        if state.at.is_some() {
            actions.extend([Turn::Work, Turn::Pass]);
            if self.drops {
                actions.push(Turn::Drop);
            }
        }
    }

    fn next_state(&self, state: &Token, action: Turn) -> Option<Token> {
        let at = state.at?;
        Some(match action {
            Turn::Work => Token { worked: true, ..*state },
            Turn::Pass => Token { at: Some((at + 1) % self.stations), worked: false },
            Turn::Drop => Token { at: None, worked: false },
        })
    }

    fn properties(&self) -> Vec<Property<Self>> {
        Vec::new()
    }
}

sextant::packed_model!(Ring);

#[test]
fn a_token_comes_round_unless_it_is_dropped() {
    let back = || LeadsTo::<Ring> { name: "it comes back", from: |_, s| s.at == Some(1), to: |_, s| s.at == Some(0) };
    let works = || LeadsTo::<Ring> { name: "work is done", from: |_, s| !s.worked, to: |_, s| s.worked };
    let ring = Ring { stations: 4, drops: false };
    // To work again changes nothing, so it is no step, and passing is all that is left: the token moves without fairness.
    let graph = Graph::of(&ring, &[], 100).expect("it fits");
    assert_eq!((graph.len(), graph.steps()), (8, 12));
    assert!(graph.judge(&back()).lasso.is_none());
    let lazy = graph.judge(&works()).lasso.expect("it may be passed on and on");
    assert_lasso(&ring, &lazy, &works());
    assert_eq!((lazy.stem.steps.len(), lazy.cycle.len()), (0, 4));
    // Weak fairness to work does not help those who can always pass? It does: work is possible in all states of the cycle.
    let graph = Graph::of(&ring, &[Fairness::weak(|a| *a == Turn::Work)], 100).expect("it fits");
    assert!(graph.judge(&works()).lasso.is_none());
    let dropping = Ring { drops: true, ..ring };
    let graph = Graph::of(&dropping, &[Fairness::strong(|a| *a == Turn::Pass)], 100).expect("it fits");
    let lost = graph.judge(&back()).lasso.expect("it may be dropped");
    assert_lasso(&dropping, &lost, &back());
    assert_eq!((lost.stem.steps.len(), lost.cycle.len()), (2, 0));
    assert_eq!(graph.deadlock().expect("nothing follows").steps.len(), 1);
}

#[test]
fn what_never_begins_is_vacuous_and_what_does_not_fit_is_refused() {
    let ring = Ring { stations: 4, drops: false };
    let graph = Graph::of(&ring, &[], 100).expect("it fits");
    let never = LeadsTo::<Ring> { name: "never", from: |_, s| s.at.is_none(), to: |_, _| false };
    let judged = graph.judge(&never);
    assert!(judged.vacuous && judged.lasso.is_none());
    let error = Graph::of(&ring, &[], 5).err().expect("8 states are more than 5");
    assert_eq!(error.to_string(), "more than 5 states: too many for a graph in memory");
}

// --- random graphs against all sets of steps -------------------------------------------------------------------------

/// States are numbers below `marks.len()`; a step is from, to, and a label below 3.
#[derive(Clone, Debug)]
struct Tiny {
    steps: Vec<(u64, u64, u8)>,
    /// Whether each state satisfies p, and q.
    marks: Vec<(bool, bool)>,
}

impl Model for Tiny {
    type State = u64;
    type Action = (u64, u8);

    fn init_states(&self) -> Vec<u64> {
        vec![0]
    }

    fn actions(&self, state: &u64, actions: &mut Vec<(u64, u8)>) {
        actions.extend(self.steps.iter().filter(|s| s.0 == *state).map(|s| (s.1, s.2)));
    }

    fn next_state(&self, _: &u64, action: (u64, u8)) -> Option<u64> {
        Some(action.0)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        Vec::new()
    }
}

sextant::packed_model!(Tiny);

impl Tiny {
    /// A violation exists exactly if some set of steps can be those that are taken again and again: every set is tried.
    fn violated(&self, fairness: &[(Strength, u8)]) -> bool {
        let real: Vec<_> = self.steps.iter().copied().filter(|s| s.0 != s.1).collect();
        let waiting = self.waiting(&real);
        let enabled = |state: u64, label: u8| real.iter().any(|s| s.0 == state && s.2 == label);
        if (0..self.marks.len() as u64).any(|s| waiting[s as usize] && !real.iter().any(|step| step.0 == s)) {
            return true;
        }
        (1u32..1 << real.len()).any(|set| {
            let taken: Vec<_> = real.iter().enumerate().filter(|(i, _)| set >> i & 1 == 1).map(|(_, s)| *s).collect();
            let mut states: Vec<u64> = taken.iter().flat_map(|s| [s.0, s.1]).collect();
            states.sort_unstable();
            states.dedup();
            let connected = states.iter().all(|&from| states.iter().all(|&to| leads(&taken, from, to)));
            let fair = |&(strength, label): &(Strength, u8)| {
                let possible = match strength {
                    Strength::Weak => states.iter().all(|&s| enabled(s, label)),
                    Strength::Strong => states.iter().any(|&s| enabled(s, label)),
                };
                !possible || taken.iter().any(|s| s.2 == label)
            };
            connected && states.iter().all(|&s| waiting[s as usize]) && fairness.iter().all(fair)
        })
    }

    /// Whether each state can be reached while q is waited for, by going round until nothing changes.
    fn waiting(&self, steps: &[(u64, u64, u8)]) -> Vec<bool> {
        let n = self.marks.len();
        let (mut reached, mut waiting) = (vec![false; n], vec![false; n]);
        reached[0] = true;
        for _ in 0..2 * n + 2 {
            for state in 0..n {
                waiting[state] |= reached[state] && self.marks[state].0 && !self.marks[state].1;
            }
            for &(from, to, _) in steps {
                reached[to as usize] |= reached[from as usize];
                waiting[to as usize] |= waiting[from as usize] && !self.marks[to as usize].1;
            }
        }
        waiting
    }
}

/// Whether some of the steps lead from one state to the other, by at least one step.
fn leads(steps: &[(u64, u64, u8)], from: u64, to: u64) -> bool {
    let mut reached = vec![from];
    let mut first = true;
    loop {
        let more: Vec<u64> = steps.iter().filter(|s| reached.contains(&s.0)).map(|s| s.1).collect();
        if more.contains(&to) {
            return true;
        }
        let before = reached.len();
        reached.extend(more);
        reached.sort_unstable();
        reached.dedup();
        if reached.len() == before && !first {
            return false;
        }
        first = false;
    }
}

fn tiny() -> impl Strategy<Value = (Tiny, Vec<(Strength, u8)>)> {
    let steps = proptest::collection::vec((0u64..5, 0u64..5, 0u8..3), 0..10);
    let marks = proptest::collection::vec((any::<bool>(), prop::bool::weighted(0.2)), 5);
    let strength = prop_oneof![Just(Strength::Weak), Just(Strength::Strong)];
    let fairness = proptest::collection::vec((strength, 0u8..3), 0..4);
    (steps, marks, fairness).prop_map(|(steps, marks, fairness)| (Tiny { steps, marks }, fairness))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]
    #[test]
    fn random_graphs_agree_with_every_set_of_steps((model, fairness) in tiny()) {
        let of = |&(strength, label): &(Strength, u8)| {
            Fairness { strength, of: Box::new(move |a: &(u64, u8)| a.1 == label) }
        };
        let fair: Vec<_> = fairness.iter().map(of).collect();
        let graph = Graph::of(&model, &fair, 10).unwrap();
        let property = LeadsTo::<Tiny> {
            name: "p leads to q",
            from: |m, s| m.marks[*s as usize].0,
            to: |m, s| m.marks[*s as usize].1,
        };
        let judged = graph.judge(&property);
        prop_assert_eq!(judged.lasso.is_some(), model.violated(&fairness));
        if let Some(lasso) = judged.lasso {
            assert_lasso(&model, &lasso, &property);
            let states: Vec<u64> = lasso.cycle.iter().map(|(_, s)| *s).collect();
            for (strength, label) in fairness {
                let enabled = |s: &u64| model.steps.iter().any(|t| t.0 == *s && t.1 != *s && t.2 == label);
                let possible = match strength {
                    Strength::Weak => !states.is_empty() && states.iter().all(enabled),
                    Strength::Strong => states.iter().any(enabled),
                };
                prop_assert!(!possible || lasso.cycle.iter().any(|(a, _)| a.1 == label), "the cycle is not fair");
            }
        }
    }
}
