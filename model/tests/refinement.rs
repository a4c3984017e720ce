//! Every edge of the quick legs is a step of the abstract volume, but for the large ones, which `sextant model check --refinement`
//! judges; mutants take others.
#![cfg(feature = "stateright")]

mod common;

use std::collections::BTreeSet;

use sextant_model::area::{Catalogued, Mutant};
use sextant_model::clients::Clients;
use sextant_model::closed::{Closed, Core};
use sextant_model::decisions::RuleBook;
use sextant_model::disks::Disks;
use sextant_model::fork::Forks;
use sextant_model::group::Group;
use sextant_model::membership::Membership;
use sextant_model::pages::Pages;
use sextant_model::refinement::{Record, Refined, StandsForVolume, Step, Volume};
use sextant_model::region::Regions;
use sextant_model::rules::Rules;
use sextant_model::types::Lsn;
use sextant_model::undo::Undo;

const LARGEST: usize = 200_000;

/// The mutants whose steps go astray within so many states, and those that were explored whole and did not.
fn astray<A: StandsForVolume + Catalogued>(limit: usize) -> (BTreeSet<&'static str>, BTreeSet<&'static str>) {
    let (mut astray, mut kept) = (BTreeSet::new(), BTreeSet::new());
    for mutant in A::MUTANTS {
        let model = Closed::<Refined<A>>::new(mutant.rules, mutant.bounds).only("REF");
        let Some(search) = common::search(&model, limit) else { continue };
        match search.trace {
            None => kept.insert(mutant.id),
            Some(trace) => {
                // The trace replays in real names, and its last line says what no volume does.
                let real = model.concrete(&trace).unwrap();
                let told = model.unreduced().tell(&real).unwrap();
                let facts = [
                    "is gone from the log",
                    "is acknowledged by",
                    "went back from",
                    "is appended to a log",
                    "reads at",
                    "is shown",
                    "can show block",
                    "is promoted",
                    "goes back to",
                    "goes forward to",
                    "and not hidden",
                    "was hidden",
                    "another volume begins",
                    "in the middle of a mini-transaction",
                ];
                assert!(facts.iter().any(|fact| told.last().unwrap().contains(fact)), "{}: {told:?}", mutant.id);
                astray.insert(mutant.id)
            }
        };
    }
    (astray, kept)
}

/// A step is not believed to be one because nothing could be wrong with it. Who keeps to the abstract volume breaks promises that a log
/// with a durable point does not make: of reads, of single segments, of what is left to read, of what comes to pass.
#[test]
fn mutants_take_steps_that_no_volume_takes() {
    let all = |ids: &[&'static str]| ids.iter().copied().collect::<BTreeSet<_>>();
    let lost_or_back =
        ["M1", "M2", "M3", "M4", "M5", "M6", "M7", "M8", "M11", "M12", "M13", "M14", "M15", "M16", "M17", "M18", "M54"];
    let (gone, kept) = astray::<Group<6>>(100_000);
    assert_eq!(gone, all(&lost_or_back));
    assert_eq!(kept, all(&["M9", "M56", "M57", "M59", "M61", "M62", "M72"]));
    let (gone, kept) = astray::<sextant_model::volume::Volume>(100_000);
    assert_eq!(gone, all(&["M20", "M21", "M22", "M23", "M48", "M53'", "M63"]));
    assert_eq!(kept, all(&["M24", "M26", "M65"]));
    let (gone, kept) = astray::<Disks>(200_000);
    assert_eq!((gone, kept), (all(&["M49", "M50"]), all(&["M70", "M71"])));
    let (gone, kept) = astray::<Pages>(100_000);
    assert_eq!(gone, all(&["M25", "M28", "M29", "M30", "M31", "M32", "M33", "M34", "M35"]));
    assert_eq!(kept, all(&["M52"]));
    let (gone, kept) = astray::<Undo>(100_000);
    assert_eq!((gone, kept), (all(&["M51", "M51'", "M80", "M81"]), all(&["M82"])));
    let (gone, kept) = astray::<Regions>(100_000);
    // They lose more than the RPO, or keep something from coming to pass.
    let fine = all(&["MR15", "MR16", "MR17", "MR18"]);
    assert_eq!((gone, kept), (&ids::<Regions>() - &fine, fine));
    let (gone, kept) = astray::<Forks>(100_000);
    // They honour a fork for ever, or no window.
    let fine = all(&["MF9", "MF16"]);
    assert_eq!((gone, kept), (&ids::<Forks>() - &fine, fine));
    let (gone, _) = astray::<Clients>(10_000);
    assert!(gone.is_superset(&all(&["M2c", "M3c"])), "{gone:?}");
}

fn ids<A: Catalogued>() -> BTreeSet<&'static str> {
    A::MUTANTS.iter().map(|mutant| mutant.id).collect()
}

/// Most mistakes of members are shown where nobody recovers: quorums that do not meet are enough. The volume loses something when a
/// recovery reads one of them.
#[test]
fn quorums_that_do_not_meet_lose_records_when_a_recovery_reads() {
    let goes_astray = |name: &str, mutant: &Mutant<Membership>| {
        let leg = Membership::PROFILES[0].quick.iter().find(|leg| leg.name == name).unwrap();
        let model = Closed::<Refined<Membership>>::new(mutant.rules, leg.bounds).only("REF");
        common::search(&model, LARGEST).expect("a small leg").trace.is_some()
    };
    let astray = Membership::MUTANTS.iter().filter(|mutant| goes_astray("recovery", mutant)).map(|mutant| mutant.id);
    assert_eq!(astray.collect::<Vec<_>>(), ["M36", "M36'", "M39", "M40", "M55", "M36''"]);
    for id in ["M37", "M37'", "M18'", "M40'"] {
        let mutant = Membership::MUTANTS.iter().find(|mutant| mutant.id == id).unwrap();
        assert!(goes_astray("repair", mutant), "{id}");
    }
}

/// How many legs were explored.
fn every_edge_is_a_step<A: StandsForVolume + Catalogued>() -> usize {
    let mut explored = 0;
    for leg in A::PROFILES.iter().flat_map(|profile| profile.quick).filter(|leg| leg.states < LARGEST) {
        let model = Closed::<Refined<A>>::new(A::Rules::adopted(), leg.bounds);
        let search =
            common::search(&model.clone().only("REF"), leg.states).expect("no more states than without the property");
        let told = search.trace.map(|trace| model.tell(&model.concrete(&trace).unwrap()).unwrap());
        assert_eq!(told, None, "{} {}", A::NAME, leg.name);
        assert_eq!(search.seen, leg.states, "{} {}", A::NAME, leg.name);
        explored += 1;
    }
    explored
}

#[test]
fn every_edge_is_a_step_of_the_abstract_volume() {
    let judged = [
        every_edge_is_a_step::<Group<6>>(),
        every_edge_is_a_step::<sextant_model::volume::Volume>(),
        every_edge_is_a_step::<Disks>(),
        every_edge_is_a_step::<Clients>(),
        every_edge_is_a_step::<Membership>(),
        every_edge_is_a_step::<Pages>(),
        every_edge_is_a_step::<Undo>(),
        every_edge_is_a_step::<Regions>(),
        every_edge_is_a_step::<Forks>(),
    ];
    assert!(judged.iter().all(|&legs| legs > 0), "{judged:?}");
}

#[test]
fn the_first_volume_is_empty_and_stays() {
    let first = Core::new(Rules::adopted(), sextant_model::bounds::Bounds::of(1, 1)).initial();
    let volume = Volume::of(&first).unwrap();
    assert_eq!(volume.steps_to(&volume, Step::Usual), Ok(()));
}

/// What is named for an action is not the volume's otherwise: these are edges of the adopted rules that the usual steps do not have, of
/// every named step some.
#[test]
fn promotions_and_backtracks_are_steps_by_their_names_alone() {
    let named = |step: Step| match step {
        Step::Usual => None,
        Step::Promote(_) => Some("promote"),
        Step::Back => Some("back"),
        Step::Forward => Some("forward"),
    };
    fn unusual<A: StandsForVolume>(
        rules: A::Rules,
        bounds: A::Bounds,
        named: impl Fn(Step) -> Option<&'static str>,
    ) -> BTreeSet<&'static str> {
        let model = Closed::<A>::new(rules, bounds);
        let mut found = BTreeSet::new();
        for state in common::explore(&model, LARGEST).states {
            let before = A::volume(model.context(), &state).unwrap();
            model.candidates(&state, |action| {
                let Some(next) = A::after(model.context(), &state, action) else { return };
                let after = A::volume(model.context(), &next).unwrap();
                assert_eq!(before.steps_to(&after, A::step(action)), Ok(()), "{action:?}");
                if before.steps_to(&after, Step::Usual).is_err() {
                    found.extend(named(A::step(action)));
                }
            });
        }
        found
    }
    let three = Regions::PROFILES[0].quick.iter().find(|leg| leg.name == "three").unwrap();
    let adopted = RuleBook::adopted();
    assert_eq!(unusual::<Regions>(adopted, three.bounds, named), BTreeSet::from(["promote"]));
    let again = Forks::PROFILES[1].quick.iter().find(|leg| leg.name == "again").unwrap();
    assert_eq!(unusual::<Forks>(RuleBook::adopted(), again.bounds, named), BTreeSet::from(["back", "forward"]));
}

fn record(lsn: u64) -> Record {
    (Lsn(lsn), 0)
}

fn whole(writer: usize, last: u64, vdl: u64) -> Result<Volume, String> {
    Volume::new(writer, (1..=last).map(record), Lsn(vdl)).in_transactions(|lsn| lsn != Lsn(2))
}

/// Records `1..=last`, of which those up to `vdl` are durable; 2 does not end its mini-transaction.
fn volume(writer: usize, last: u64, vdl: u64) -> Volume {
    whole(writer, last, vdl).unwrap()
}

fn hiding(volume: Volume, hidden: &[u64]) -> Volume {
    volume.hiding(hidden.iter().map(|&lsn| record(lsn)))
}

fn read(volume: Volume, reader: usize, at: u64) -> Result<Volume, String> {
    let seen: Vec<_> = (1..=at).map(record).collect();
    volume.read_by(reader, "somebody", Lsn(at), &seen, <[Record]>::to_vec)
}

/// Every step that the abstract volume has, and beside it what is none.
#[test]
fn what_a_volume_does_and_what_it_does_not() {
    let reading = |at| read(volume(0, 5, 4), 7, at).unwrap();
    let forked = |last| volume(0, 5, 4).with_fork(0, Volume::new(0, (1..=last).map(record), Lsn(last)));
    let other = Volume::new(1, [record(1), (Lsn(2), 1)].into_iter(), Lsn(2));
    let beyond = Volume::new(0, [1, 3, 4, 5, 2].into_iter().map(record), Lsn(5));
    let sparse = Volume::new(1, [1, 3].into_iter().map(record), Lsn(3));
    let steps = [
        // Append, harden, replace the writer.
        (volume(0, 3, 1), Step::Usual, volume(0, 5, 1), ""),
        (volume(0, 3, 1), Step::Usual, volume(0, 3, 3), ""),
        (volume(0, 3, 1), Step::Usual, volume(1, 1, 1), ""),
        (volume(0, 3, 1), Step::Usual, volume(0, 1, 1), "record @2 is gone from the log"),
        (volume(0, 3, 3), Step::Usual, volume(1, 1, 1), "record @2 is gone from the log"),
        (volume(0, 3, 3), Step::Usual, volume(0, 3, 1), "the durable point went back from 3 records to 1"),
        (volume(0, 3, 3), Step::Usual, other, "record @2 is gone from the log"),
        (
            Volume::new(0, [1, 3, 4, 5].into_iter().map(record), Lsn(0)),
            Step::Usual,
            beyond,
            "@2 is appended to a log that had reached @5",
        ),
        // Read.
        (reading(1), Step::Usual, reading(3), ""),
        (reading(3), Step::Usual, reading(1), "reader 8 went back to @1"),
        // Promote.
        (reading(3), Step::Promote(7), volume(1, 3, 3), ""),
        (reading(3), Step::Promote(7), volume(1, 4, 4), "@1 @2 @3 @4 is promoted, and was shown @1 @2 @3"),
        (reading(3), Step::Promote(7), sparse, "@1 @3 is promoted, and was shown @1 @2 @3"),
        (reading(3), Step::Promote(7), volume(1, 3, 1), "@1 @2 @3 is promoted, and was shown @1 @2 @3"),
        (reading(3), Step::Promote(6), volume(1, 3, 3), "reader 7 is promoted, and does not read this volume"),
        (reading(3), Step::Usual, volume(1, 3, 3), "record @4 is gone from the log"),
        // Go back.
        (volume(0, 5, 4), Step::Back, hiding(volume(1, 3, 3), &[4]), ""),
        (volume(0, 5, 4), Step::Back, hiding(volume(1, 3, 3), &[4, 5]), ""),
        (volume(0, 5, 4), Step::Back, hiding(volume(1, 3, 3), &[5]), "record @4 is gone, and not hidden"),
        (
            volume(0, 5, 4),
            Step::Back,
            hiding(volume(1, 2, 1), &[3, 4]),
            "it goes back to @1 @2, in the middle of a mini-transaction",
        ),
        (
            hiding(volume(0, 3, 3), &[4]),
            Step::Back,
            hiding(volume(1, 1, 1), &[2, 3]),
            "record @4 is gone, and not hidden",
        ),
        (volume(0, 3, 3), Step::Back, volume(1, 4, 4), "@1 @2 @3 goes back to @1 @2 @3 @4, which it never was"),
        (volume(0, 5, 4), Step::Back, hiding(volume(1, 3, 1), &[4]), "the durable point went back from 3 records to 1"),
        // Go forward.
        (hiding(volume(0, 1, 1), &[2, 3, 4]), Step::Forward, hiding(volume(1, 3, 3), &[4]), ""),
        (
            hiding(volume(0, 1, 1), &[2, 3, 4]),
            Step::Forward,
            hiding(volume(1, 2, 1), &[3, 4]),
            "it goes forward to @1 @2, in the middle of a mini-transaction",
        ),
        (
            hiding(volume(0, 1, 1), &[2, 3, 4]),
            Step::Forward,
            volume(1, 3, 3),
            "@1 goes forward to @1 @2 @3, where @2 @3 @4 was hidden",
        ),
        (volume(0, 1, 1), Step::Forward, volume(1, 3, 3), "@1 goes forward to @1 @2 @3, where nothing was hidden"),
        // What is hidden stays so, until something is appended.
        (hiding(volume(0, 1, 1), &[2]), Step::Usual, hiding(volume(0, 1, 1), &[2]), ""),
        (hiding(volume(0, 1, 1), &[2]), Step::Usual, volume(0, 1, 1), "@2 was hidden, and now nothing is"),
        (hiding(volume(0, 1, 0), &[3]), Step::Usual, volume(0, 2, 0), ""),
        (volume(0, 1, 1), Step::Usual, hiding(volume(0, 1, 1), &[2]), "nothing was hidden, and now @2 is"),
        // Fork.
        (volume(0, 5, 4), Step::Usual, forked(4), ""),
        (
            volume(0, 5, 4),
            Step::Usual,
            forked(5),
            "another volume begins with @1 @2 @3 @4 @5, where @1 @2 @3 @4 is durable",
        ),
        (
            volume(0, 5, 4),
            Step::Usual,
            forked(2),
            "another volume begins with @1 @2, in the middle of a mini-transaction",
        ),
        (forked(3), Step::Usual, forked(4), ""),
        (forked(4), Step::Usual, forked(3), "record @4 is gone from the log"),
        (forked(4), Step::Usual, volume(0, 5, 4), ""),
    ];
    for (before, step, after, fact) in steps {
        let said = before.steps_to(&after, step).err().unwrap_or_default();
        assert_eq!(said, fact, "{before:?}\n{step:?}\n{after:?}");
    }
}

#[test]
fn who_reads_stands_where_a_mini_transaction_is_durable_and_is_shown_the_log() {
    assert!(read(volume(0, 5, 4), 0, 4).is_ok());
    let err = |found: Result<Volume, String>| found.unwrap_err();
    assert_eq!(err(read(volume(0, 5, 4), 0, 5)), "somebody reads at @5, and the volume is durable up to @4");
    assert_eq!(err(read(volume(0, 5, 4), 0, 2)), "somebody reads at @2, in the middle of a mini-transaction");
    let twice = read(read(volume(0, 5, 4), 0, 1).unwrap(), 0, 3);
    assert_eq!(err(twice), "somebody reads at @3 what it began to read at @1");
    assert!(read(read(volume(0, 5, 4), 0, 1).unwrap(), 1, 3).is_ok());
    let shown = |seen: &[Record]| volume(0, 5, 4).shows("the writer", Lsn(5), seen, <[Record]>::to_vec);
    assert!(shown(&[1, 2, 3, 4, 5].map(record)).is_ok());
    assert_eq!(err(shown(&[])), "the writer is shown nothing at @5 instead of @1 @2 @3 @4 @5");
    assert_eq!(err(whole(0, 5, 2)), "it is durable up to @2, in the middle of a mini-transaction");
    let acknowledged = volume(0, 5, 4).with_acknowledged([Lsn(5)].into_iter(), "w1");
    assert_eq!(err(acknowledged), "@5 is acknowledged by w1 and not in the volume");
}
