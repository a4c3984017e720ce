//! Random walks: known mutants at a fixed seed, the same walks for any number of threads, panics, deadlocks, the command.

use std::fs;
use std::process::{Command, Output};

use serde_json::Value;
use sextant::explore::packed::{self, Broken, Deadlock};
use sextant::explore::walks::{Choice, Options, Outcome, walk};
use stateright::{Model, Property};

/// A counter that is raised by one or two, and that something is wrong with.
#[derive(Clone, Debug)]
struct Counter {
    panics_at: Option<u8>,
    forbidden: Option<u8>,
    ends: bool,
}

const FULL: u8 = 40;

sextant::pack! {
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub struct Count { at: u8 }
}

impl Model for Counter {
    type State = Count;
    type Action = u8;

    fn init_states(&self) -> Vec<Count> {
        vec![Count { at: 0 }]
    }

    fn actions(&self, _: &Count, actions: &mut Vec<u8>) {
        actions.extend([1, 2]);
    }

    fn next_state(&self, state: &Count, by: u8) -> Option<Count> {
        assert!(self.panics_at != Some(state.at), "the counter breaks at {}", state.at);
        (state.at + by <= FULL).then_some(Count { at: state.at + by })
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![Property::always("allowed", |model: &Counter, state: &Count| model.forbidden != Some(state.at))]
    }
}

impl packed::Packed for Counter {
    fn bits(&self) -> u32 {
        8
    }

    fn pack(&self, state: &Count, out: &mut packed::Writer) {
        out.put(state.at.into(), 8);
    }

    fn unpack(&self, from: &mut packed::Reader) -> Count {
        Count { at: from.get(8) as u8 }
    }

    fn may_end(&self, _: &Count) -> bool {
        self.ends
    }
}

const SOUND: Counter = Counter { panics_at: None, forbidden: None, ends: true };

fn walked(model: &Counter, threads: usize, pct: bool) -> Outcome<Count, u8> {
    let class = |_: &Counter, _: &Count, action: &u8| u64::from(*action);
    let choice = if pct { Choice::Pct { changes: 2, class } } else { Choice::Uniform };
    let (seed, walks, depth, deadlock) = (7, 300, 100, Deadlock::Violation);
    let options = Options { seed, walks, depth, choice, threads, deadlock, labels: None, interrupt: None };
    walk(model, &options, &mut |_| {}).expect("it has a first state")
}

#[test]
fn walks_are_the_same_for_any_number_of_threads() {
    for pct in [false, true] {
        for model in [SOUND, Counter { forbidden: Some(39), ..SOUND }, Counter { panics_at: Some(38), ..SOUND }] {
            let text =
                |threads| format!("{:?}", Outcome { elapsed: Default::default(), ..walked(&model, threads, pct) });
            let one = text(1);
            assert_eq!(one, text(2), "{model:?}");
            assert_eq!(one, text(5), "{model:?}");
        }
    }
    let whole = walked(&SOUND, 2, false);
    assert_eq!((whole.walks, whole.found.is_none()), (300, true));
    assert!((40..=42).contains(&whole.distinct_states), "{}", whole.distinct_states);
}

#[test]
fn a_violation_is_shortened_until_no_action_can_go() {
    let found = walked(&Counter { forbidden: Some(13), ..SOUND }, 2, false).found.expect("13 is met");
    assert_eq!(found.violation.broken, Broken::Always("allowed"));
    assert_eq!(found.violation.trace.last().at, 13);
    let by: Vec<u8> = found.violation.trace.steps.iter().map(|(by, _)| *by).collect();
    assert_eq!(by.iter().sum::<u8>(), 13);
    // Without any one of them the rest does not come to 13, and there were no more of them on the walk.
    assert!(by.len() <= found.steps);
}

#[test]
fn a_panic_is_a_violation_with_its_trace() {
    let found = walked(&Counter { panics_at: Some(9), ..SOUND }, 2, false).found.expect("9 is met");
    assert_eq!(found.violation.broken, Broken::Panic("the counter breaks at 9".into()));
    assert_eq!(found.violation.trace.last().at, 9);
}

#[test]
fn a_state_without_a_step_is_a_deadlock_unless_it_may_end() {
    let stuck = Counter { ends: false, ..SOUND };
    let found = walked(&stuck, 2, false).found.expect("the counter fills up");
    assert_eq!((found.violation.broken, found.violation.trace.last().at), (Broken::Deadlock, FULL));
    let options = packed::Options { deadlock: Deadlock::Violation, ..packed::Options::default() };
    let explored = packed::explore(&stuck, &options, &mut |_| {}).expect("it fits");
    assert_eq!(explored.violations[0].broken, Broken::Deadlock);
    assert_eq!(explored.violations[0].trace.steps.len(), usize::from(FULL / 2));
    assert!(packed::explore(&SOUND, &options, &mut |_| {}).expect("it fits").violations.is_empty());
}

// --- the command -----------------------------------------------------------------------------------------------------

fn sextant(line: &str) -> Output {
    Command::new(env!("CARGO_BIN_EXE_sextant")).args(line.split_whitespace()).output().unwrap()
}

fn report(line: &str) -> (i32, Value) {
    let output = sextant(&format!("{line} --json"));
    (output.status.code().unwrap(), serde_json::from_slice(&output.stdout).unwrap())
}

#[test]
fn known_mutants_of_the_core_are_found_at_seed_1() {
    for engine in ["walk", "pct"] {
        for mutant in ["M1", "M3", "M4", "M5", "M6", "M8", "M17"] {
            let line = format!("model check core --mutant {mutant} --leg {mutant} --engine {engine} --seed 1");
            let (code, report) = report(&line);
            assert_eq!((code, &report["verdict"]), (1, &"invalid".into()), "{line}");
        }
    }
    let (code, report) = report("model check core --leg faults --engine walk --walks 300 --threads 2");
    assert_eq!((code, &report["verdict"], &report["walks"]), (2, &"unknown".into(), &300.into()));
    assert!(report["unique_states"].as_u64().unwrap() > 300 && report["counterexample"].is_null());
}

#[test]
fn the_same_seed_says_the_same_with_one_thread_and_two() {
    let line = "model check core --mutant M13 --leg M13 --engine pct --seed 3";
    let told = |threads| {
        let (code, mut report) = report(&format!("{line} --threads {threads}"));
        for varies in ["seconds", "states_per_second", "peak_rss_bytes"] {
            report.as_object_mut().unwrap().remove(varies);
        }
        (code, report)
    };
    assert_eq!(told(1), told(2));
    assert_ne!(told(1), (0, Value::Null));
}

#[test]
fn what_a_walk_found_is_saved_drawn_and_replayed() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let (case, svg, html) = (path("m3.case"), path("m3.svg"), path("m3.html"));
    let line = format!("model check core --mutant M3 --engine walk --save {case} --svg {svg} --html {html}");
    assert_eq!(sextant(&line).status.code(), Some(1));
    assert!(
        fs::read_to_string(svg).unwrap().contains("violated: ") && fs::read_to_string(html).unwrap().contains("<svg")
    );
    assert_eq!(sextant(&format!("replay {case}")).status.code(), Some(0));
    // Every action is needed.
    let text = fs::read_to_string(&case).unwrap();
    let actions = text.lines().filter(|line| line.starts_with(['"', '{'])).count();
    for left_out in 0..actions {
        let mut at = 0;
        let rest = text.lines().filter(|line| {
            let is_action = line.starts_with(['"', '{']);
            at += usize::from(is_action);
            !is_action || at != left_out + 1
        });
        let short = path("short.case");
        fs::write(&short, rest.collect::<Vec<_>>().join("\n")).unwrap();
        assert_eq!(sextant(&format!("replay {short}")).status.code(), Some(1), "without action {}", left_out + 1);
    }
}

#[test]
fn a_deadlock_is_found_saved_and_replayed() {
    let folder = tempfile::tempdir().unwrap();
    let case = folder.path().join("stuck.case").display().to_string();
    for engine in ["packed", "walk"] {
        // Ranges that are added wedge a recovery; the properties that say so are left out.
        let line =
            format!("model check core --mutant M61 --leg M61 --property S5 --deadlock --engine {engine} --save {case}");
        let (code, report) = report(&line);
        assert_eq!((code, &report["property"]), (1, &"deadlock".into()), "{line}");
        assert_eq!(sextant(&format!("replay {case}")).status.code(), Some(0));
    }
    assert_eq!(report("model check disk --deadlock").0, 0);
    assert_eq!(report("model check membership --deadlock").0, 0);
}

#[test]
fn wrong_arguments_are_refused_with_a_reason() {
    for (line, reason) in [
        ("model check core --seed 1", "--engine walk and pct"),
        ("model check core --engine walk --changes 2", "--engine pct"),
        ("model check core --engine walk --walks 0", "--walks"),
        ("model check core --engine walk --depth 0", "--depth"),
        ("model check core --engine pct --seed x", "--seed"),
        ("model check core --engine walk --exact", "--exact"),
        ("model check core --engine bfs --deadlock", "--deadlock"),
        ("model check core --leg nonsense", "nonsense"),
        ("model check core --limit 5", "--liveness"),
        ("model check core --liveness --engine walk", "--liveness"),
        ("model check core --liveness --property S1", "L1 L2 L3 L4"),
        ("model check core --liveness --unfair recover", "fence, decide"),
    ] {
        let output = sextant(line);
        assert_eq!(output.status.code(), Some(64), "{line}");
        let text = String::from_utf8(output.stderr).unwrap();
        assert!(text.contains(reason) && output.stdout.is_empty(), "{line}: {text}");
    }
}
