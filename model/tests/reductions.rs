//! Every reduction, on and off, gives the same verdicts: what it leaves out matters to no property.

mod common;

use common::{at_three, verdicts};
use sextant_model::bounds::{Bounds, Switch};
use sextant_model::mutants::{MUTANTS, Mutant};
use sextant_model::rules::Rules;
use std::collections::BTreeSet;

const LIMIT: usize = 2_000_000;

type Widening = (&'static str, fn(Bounds) -> Bounds);

/// Each reduction off.
const WIDENINGS: [Widening; 4] = [
    ("late answers", Bounds::with_late_answers),
    ("late fences", Bounds::with_late_fences),
    ("idle writers", Bounds::with_idle_writers),
    ("remembering", Bounds::remembering),
];

/// `bounds` with the gossip, faults and reads that a mutant needs, and every reduction on.
fn reduced(mutant: &Mutant, bounds: Bounds) -> Bounds {
    Bounds {
        gossip: if mutant.bounds.gossip.is_on() { Switch::On } else { bounds.gossip },
        crashes: mutant.bounds.crashes,
        wipes: mutant.bounds.wipes,
        reads: mutant.bounds.reads,
        early_rounds: mutant.bounds.early_rounds,
        ..bounds
    }
}

fn disagreements<const N: usize>(name: &str, rules: Rules, bounds: Bounds) -> Vec<String> {
    let (narrow, states) = verdicts::<N>(rules, bounds, LIMIT);
    let compare = |(widening, widen): Widening| {
        let (wide, more) = verdicts::<N>(rules, widen(bounds), LIMIT);
        println!("{name:>8} at {N} copies, {bounds}: {states} states, {widening}: {more}, {narrow:?}");
        let fact = || {
            let only = |a: &BTreeSet<_>, b: &BTreeSet<_>| a.difference(b).copied().collect::<Vec<&str>>();
            format!("{name} at {bounds}, {widening}: +{:?} -{:?}", only(&wide, &narrow), only(&narrow, &wide))
        };
        (wide != narrow).then(fact)
    };
    WIDENINGS.into_iter().filter_map(compare).collect()
}

fn mutants_disagree<const N: usize>(
    bounds: Bounds,
    rules: fn(Rules) -> Rules,
    is_small: fn(&Mutant) -> bool,
) -> Vec<String> {
    let of = |mutant: &Mutant| disagreements::<N>(mutant.id, rules(mutant.rules), reduced(mutant, bounds));
    MUTANTS.iter().filter(|mutant| is_small(mutant)).flat_map(of).collect()
}

fn without_reads(mutant: &Mutant) -> bool {
    mutant.bounds.reads == 0
}

#[test]
fn adopted_rules_hold_without_each_reduction() {
    let small = [
        Bounds::of(1, 2).gossiping(),
        Bounds::of(1, 2),
        Bounds::of(2, 1).gossiping(),
        Bounds::of(1, 1).gossiping().crashing(1).wiping(1),
        Bounds::of(1, 1).reading(1),
    ];
    for bounds in small {
        assert_eq!(disagreements::<3>("adopted", at_three(Rules::adopted()), bounds), Vec::<String>::new());
    }
    for bounds in [Bounds::of(1, 1).gossiping(), Bounds::of(1, 1).gossiping().wiping(1)] {
        assert_eq!(disagreements::<6>("adopted", Rules::adopted(), bounds), Vec::<String>::new());
    }
}

#[test]
fn mutants_break_the_same_properties_at_one_recovery() {
    let bounds = Bounds::of(1, 1).gossiping();
    assert_eq!(mutants_disagree::<6>(bounds, |rules| rules, without_reads), Vec::<String>::new());
}

#[test]
fn mutants_break_the_same_properties_at_three_copies_and_one_recovery() {
    let bounds = Bounds::of(1, 1);
    assert_eq!(mutants_disagree::<3>(bounds, at_three, |_| true), Vec::<String>::new());
}

#[test]
fn mutants_break_the_same_properties_at_three_copies_and_two_recoveries() {
    let bounds = Bounds::of(1, 2);
    assert_eq!(mutants_disagree::<3>(bounds, at_three, without_reads), Vec::<String>::new());
}
