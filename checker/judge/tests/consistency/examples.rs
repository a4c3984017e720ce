//! One small history a named anomaly, with all names that strict serializability finds in it, and the strongest promises
//! that it leaves standing.

use sextant_histories::{Call, Event, History, Key, Kind, Micro, MicroKind, Reply, Value};
use sextant_judge::consistency::{Anomaly, Judge, Options, Promise, check};
use sextant_judge::verdict::Verdict;

/// `PROCESS: STEP, STEP` a line, with `fail` or `info` at its end where it did not end in ok. Lines between two lines of
/// `--` overlap; those after one began when those before it had returned.
fn history(text: &str) -> History {
    let mut events = Vec::new();
    for group in text.split("--\n") {
        let transactions: Vec<(u64, Kind, Vec<Micro>)> =
            group.lines().filter(|line| !line.is_empty()).map(parse).collect();
        let event = |process: &u64, kind: Kind, steps: &[Micro]| {
            let mut asked = steps.to_vec();
            asked.iter_mut().filter(|step| step.kind == MicroKind::Read).for_each(|step| step.value = Value::Null);
            Event { process: *process, kind, call: Call::Txn(asked.into()), key: Key::None, time: None }
        };
        for (process, _, steps) in &transactions {
            events.push(event(process, Kind::Invoke, steps));
        }
        for (process, kind, steps) in &transactions {
            events.push(event(process, kind.clone(), steps));
        }
    }
    History::from_events(events).unwrap()
}

fn parse(line: &str) -> (u64, Kind, Vec<Micro>) {
    let (process, rest) = line.split_once(": ").unwrap();
    let (rest, end) = match rest.rsplit_once(' ') {
        Some((rest, end @ ("fail" | "info"))) => (rest, end),
        _ => (rest, "ok"),
    };
    let steps: Vec<Micro> = rest.split(", ").map(step).collect();
    let kind = match end {
        "fail" => Kind::Fail,
        "info" => Kind::Info,
        _ => Kind::Ok(Reply::Txn(steps.clone().into())),
    };
    (process.parse().unwrap(), kind, steps)
}

fn step(text: &str) -> Micro {
    let mut words = text.splitn(3, ' ');
    let (kind, key, value) = (words.next().unwrap(), words.next().unwrap(), words.next().unwrap());
    let kind = match kind {
        "r" => MicroKind::Read,
        "w" => MicroKind::Write,
        _ => MicroKind::Append,
    };
    let value = match value {
        "nil" => Value::Null,
        list if list.starts_with('[') => {
            list.trim_matches(['[', ']']).split_whitespace().map(|word| Value::Int(word.parse().unwrap())).collect()
        }
        number => Value::Int(number.parse().unwrap()),
    };
    Micro { kind, key: key.into(), value }
}

struct Example {
    text: &'static str,
    names: &'static [&'static str],
    /// Promises that hold; everything that none of these implies is broken.
    holds: &'static [Promise],
}

const EXAMPLES: &[Example] = &[
    // Two transactions append to two lists in opposite orders.
    Example {
        text: "0: append x 1, append y 1\n1: append x 2, append y 2\n2: r x [1 2], r y [2 1]",
        names: &["G0"],
        holds: &[],
    },
    Example { text: "0: append x 1 fail\n1: r x [1]", names: &["G1a"], holds: &[Promise::ReadUncommitted] },
    Example { text: "0: w x 1 fail\n1: r x 1", names: &["G1a"], holds: &[Promise::ReadUncommitted] },
    Example {
        text: "0: append x 1, append x 2\n1: r x [1]\n2: r x [1 2]",
        names: &["G1b"],
        holds: &[Promise::ReadUncommitted],
    },
    Example { text: "0: w x 1, w x 2\n1: r x 1", names: &["G1b"], holds: &[Promise::ReadUncommitted] },
    // Each sees the other's write.
    Example { text: "0: w x 1, r y 2\n1: w y 2, r x 1", names: &["G1c"], holds: &[Promise::ReadUncommitted] },
    Example {
        text: "0: append x 1, r y [2]\n1: append y 2, r x [1]",
        names: &["G1c"],
        holds: &[Promise::ReadUncommitted],
    },
    // Read skew.
    Example { text: "0: append x 1, append y 1\n1: r x [], r y [1]", names: &["G-single"], holds: &[Promise::Pl2] },
    Example { text: "0: w x 1, w y 1\n1: r x nil, r y 1", names: &["G-single"], holds: &[Promise::Pl2] },
    // Write skew.
    Example {
        text: "0: r x nil, w y 1\n1: r y nil, w x 2",
        names: &["G2-item"],
        holds: &[Promise::StrongSnapshotIsolation],
    },
    Example {
        text: "0: r x [], append y 1\n1: r y [], append x 2",
        names: &["G2-item"],
        holds: &[Promise::StrongSnapshotIsolation],
    },
    // Long fork: two readers see two writes in opposite orders.
    Example {
        text: "0: append x 1\n1: append y 1\n2: r x [1], r y []\n3: r x [], r y [1]",
        names: &["G-nonadjacent"],
        holds: &[Promise::ConsistentView],
    },
    Example {
        text: "0: w x 1\n1: w y 1\n2: r x 1, r y nil\n3: r x nil, r y 1",
        names: &["G-nonadjacent"],
        holds: &[Promise::ConsistentView],
    },
    // Both read the empty list and appended to it.
    Example {
        text: "0: r x [], append x 1\n1: r x [], append x 2\n2: r x [1 2]",
        names: &["lost-update", "G-single"],
        holds: &[Promise::Pl2],
    },
    Example {
        text: "0: r x nil, w x 1\n1: r x nil, w x 2",
        names: &["lost-update", "G2-item"],
        holds: &[Promise::Pl2],
    },
    Example {
        text: "0: append x 1 fail\n1: append x 2\n2: r x [1 2]",
        names: &["G1a", "dirty-update"],
        holds: &[Promise::ReadUncommitted],
    },
    Example { text: "0: w x 1, r x 2\n1: w x 2", names: &["internal"], holds: &[Promise::Pl2] },
    Example { text: "0: append x 1, r x [2]\n1: append x 2", names: &["internal"], holds: &[Promise::Pl2] },
    Example { text: "0: r x [1], append x 1", names: &["future-read"], holds: &[Promise::ReadUncommitted] },
    Example { text: "0: append x 1\n1: r x [1 1]", names: &["duplicate-elements"], holds: &[] },
    Example {
        text: "0: append x 1\n1: append x 2\n2: r x [1]\n3: r x [2]",
        names: &["incompatible-order"],
        holds: &[Promise::ReadUncommitted],
    },
    Example { text: "0: r x 7", names: &["thin-air-read"], holds: &[] },
    // Session by session and in real time.
    Example {
        text: "0: append x 1\n--\n0: append x 2\n--\n1: r x [2 1]",
        names: &["G0-process"],
        holds: &[Promise::Serializable],
    },
    Example { text: "0: w x 1\n--\n0: r x nil", names: &["G-single-process"], holds: &[Promise::Serializable] },
    Example { text: "0: w x 1\n--\n1: r x nil", names: &["G-single-realtime"], holds: &[Promise::SessionSerializable] },
    Example {
        text: "0: append x 1\n--\n1: append x 2\n--\n2: r x [2 1]",
        names: &["G0-realtime"],
        holds: &[Promise::SessionSerializable],
    },
    Example { text: "0: r x [1]\n--\n1: append x 1", names: &["G1c-realtime"], holds: &[Promise::SessionSerializable] },
    // An indeterminate transaction counts where it is seen, and nowhere else.
    Example {
        text: "0: append x 1, append y 1 info\n1: r x [1]\n--\n2: r y []",
        names: &["G-single-realtime"],
        holds: &[Promise::SessionSerializable],
    },
    Example {
        text: "0: append x 1, append y 1 info\n--\n1: r x []\n--\n2: r y []",
        names: &[],
        holds: &[Promise::StrictSerializable],
    },
];

#[test]
fn each_anomaly_has_its_example() {
    for Example { text, names, holds } in EXAMPLES {
        let history = history(text);
        let report = check(&history, Promise::StrictSerializable, &Options::default());
        let mut found: Vec<&str> = report.violations().iter().map(|violation| violation.anomaly.name()).collect();
        let mut expected = names.to_vec();
        found.sort_unstable();
        expected.sort_unstable();
        assert_eq!(found, expected, "{text}\n{:#?}", report.violations());
        for promise in Promise::ALL.into_iter().filter(|promise| promise.judge() == Judge::Cycles) {
            let expected = holds.iter().any(|strong| strong.implies(promise));
            let report = check(&history, promise, &Options::default());
            let verdict = if expected { Verdict::Valid } else { Verdict::Invalid };
            assert_eq!(report.verdict(), verdict, "{promise}:\n{text}\n{:?}", report.finding);
            for violation in report.violations() {
                assert!(violation.anomaly.breaks().contains(&promise), "{} and {promise}", violation.anomaly);
            }
        }
    }
}

#[test]
fn the_shortest_cycle_is_explained_edge_by_edge() {
    let history = history("0: append x 1, append y 1\n1: r x [], r y [1]\n2: append z 3");
    let report = check(&history, Promise::Serializable, &Options::default());
    let [violation] = report.violations() else { panic!("{report:?}") };
    assert_eq!(violation.anomaly.name(), "G-single");
    assert_eq!(violation.operations, [1, 0]);
    assert_eq!(
        violation.sentences,
        [
            "T1 comes before T2: T1 read key \"x\" at the initial value and did not see 1, which T2 appended",
            "T2 comes before T1: T1 read the list of key \"y\" up to 1, which T2 appended",
        ]
    );
}

/// A long cycle with a chord: the chord is taken.
#[test]
fn of_several_cycles_the_shortest_is_shown() {
    let text = "0: r a 1, w b 1\n1: r b 1, w c 1\n2: r c 1, w d 1\n3: r d 1, w a 1, r b 1";
    let history = history(text);
    let report = check(&history, Promise::Serializable, &Options::default());
    let [violation] = report.violations() else { panic!("{report:?}") };
    assert_eq!(
        violation.anomaly,
        Anomaly::Cycle(sextant_judge::consistency::Shape::G1c, sextant_judge::consistency::Orders::Data)
    );
    let mut operations = violation.operations.clone();
    operations.sort_unstable();
    assert_eq!(operations, [0, 3], "{violation:?}");
    assert_eq!(violation.entangled, 4);
}

/// Blind writes have no known order; the assumption that keys are linearizable gives them one.
#[test]
fn assumptions_are_options() {
    let text = "0: w x 1, w y 1\n--\n1: w x 2\n--\n2: r x 2, r y nil";
    let plain = check(&history(text), Promise::SnapshotIsolation, &Options::default());
    assert_eq!(plain.verdict(), Verdict::Valid, "x: 2 before 1");
    let options = Options { linearizable_keys: true, ..Options::default() };
    let assumed = check(&history(text), Promise::SnapshotIsolation, &options);
    assert_eq!(assumed.verdict(), Verdict::Invalid, "{:?}", assumed.finding);
    let text = "0: w x 1, w y 1\n--\n0: w x 2\n--\n2: r x 2, r y nil";
    let options = Options { sequential_keys: true, ..Options::default() };
    assert_eq!(check(&history(text), Promise::SnapshotIsolation, &Options::default()).verdict(), Verdict::Valid);
    assert_eq!(check(&history(text), Promise::SnapshotIsolation, &options).verdict(), Verdict::Invalid);
}

/// A value that was written twice and read cannot be judged; one that nobody read can.
#[test]
fn values_that_are_not_distinct_are_unknown() {
    let read = check(&history("0: w x 1\n1: w x 1\n2: r x 1"), Promise::Serializable, &Options::default());
    assert_eq!(read.verdict(), Verdict::Unknown);
    assert!(read.reason().unwrap().contains("not written once only"), "{:?}", read.reason());
    let unread = check(&history("0: w x 1\n1: w x 1\n2: r x nil"), Promise::Serializable, &Options::default());
    assert_eq!(unread.verdict(), Verdict::Valid);
    let mixed = check(&history("0: w x 1\n1: append y 1"), Promise::Serializable, &Options::default());
    assert!(mixed.reason().unwrap().contains("use one kind of object"), "{:?}", mixed.reason());
}
