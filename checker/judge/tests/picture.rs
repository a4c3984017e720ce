//! The page of a history, in a browser: what it shows is what the history says, whatever that is.

mod browser;

use serde_json::Value as Json;
use std::fs;
use std::path::{Path, PathBuf};

use sextant_histories::formats::{ReadOptions, read_bytes};
use sextant_histories::generate::{Config, Violation, generate};
use sextant_histories::{Call, Event, History, Kind, Micro, MicroKind, Operation, Outcome, Reply, Value};
use sextant_judge::linearizability::{CasRegister, Finding, Limits, Report, check};
use sextant_judge::picture::{Arrow, Member, Picture, Role, page};
use sextant_judge::verdict::Verdict;

use browser::{Browser, Seen};

const NO_PROBLEMS: Vec<Json> = Vec::new();

fn html(picture: &Picture<'_>) -> String {
    let mut bytes = Vec::new();
    page(picture, &mut bytes).unwrap();
    String::from_utf8(bytes).unwrap()
}

fn judged(history: &History) -> Report {
    check(history, &CasRegister::default(), &Limits::default())
}

fn ending(operation: &Operation) -> &'static str {
    match (&operation.outcome, operation.completed) {
        (Outcome::Ok(_), _) => "ok",
        (Outcome::Fail, _) => "fail",
        (Outcome::Indeterminate, Some(_)) => "info",
        (Outcome::Indeterminate, None) => "open",
    }
}

/// What a reader of the history would say, without the words of the page.
fn keys(operation: &Operation) -> Vec<String> {
    let Call::Txn(steps) = &operation.call else { return vec![operation.key.to_string()] };
    let mut keys = Vec::new();
    for step in steps.iter() {
        if !keys.contains(&step.key.to_string()) {
            keys.push(step.key.to_string());
        }
    }
    keys
}

/// Holds what the browser decoded against the history, field by field.
fn compare(history: &History, seen: &Seen) {
    let read = seen.list("operations");
    assert_eq!(read.len(), history.operations().len().min(3000));
    for (number, (operation, read)) in history.operations().iter().zip(read).enumerate() {
        let line = |moment: sextant_histories::Moment| Json::from(history.line(moment.index));
        let time = |time: Option<u64>| time.map_or(Json::Null, |time| time.to_string().into());
        let expected = [
            ("process", Json::from(operation.process.to_string())),
            ("keys", keys(operation).into()),
            ("ending", ending(operation).into()),
            ("lines", vec![line(operation.invoked), operation.completed.map_or(Json::Null, line)].into()),
            ("times", vec![time(operation.invoked.time), time(operation.completed.and_then(|end| end.time))].into()),
        ];
        for (field, expected) in expected {
            assert_eq!(read[field], expected, "{field} of operation {number}");
        }
    }
    assert_eq!(seen.number("total"), history.operations().len());
    assert_eq!(seen.number("events"), history.len());
}

/// Everything that must hold of every page.
fn sound(history: &History, seen: &Seen) {
    sound_but_scrolled(history, seen);
    assert_eq!(seen.at("/whole/operations"), &Json::from(history.operations().len()), "all in view, all drawn");
}

/// … of which not all lanes are in view.
fn sound_but_scrolled(history: &History, seen: &Seen) {
    assert_eq!(seen.list("problems"), &NO_PROBLEMS, "{:?}", seen.list("problems"));
    assert_eq!(seen.console, "", "the console");
    compare(history, seen);
    assert_eq!(seen.at("/pointsAscend"), &Json::Bool(true));
    assert_eq!(seen.at("/pointsWithin"), &Json::Bool(true));
    assert_eq!(seen.at("/rowsAreSound"), &Json::Bool(true));
    for what in ["zoomed", "whole", "wheeled", "refused", "ordered"] {
        assert_eq!(seen.at(&format!("/used/{what}")), &Json::Bool(true), "{what}");
    }
    assert_eq!(seen.at("/used/pointed"), &Json::from(0), "the operation under the pointer");
}

fn generated(config: &Config) -> History {
    History::from_events(generate(config)).unwrap()
}

#[test]
fn a_page_shows_what_the_history_says() {
    let Some(browser) = Browser::find() else { return };
    let config = Config {
        seed: 3,
        operations: 1500,
        clients: 8,
        keys: 4,
        cas_percent: 20,
        indeterminate: 25,
        fail_percent: 6,
        ..Config::default()
    };
    let history = generated(&config);
    let report = judged(&history);
    let Finding::Valid(orders) = &report.finding else { panic!("{:?}", report.reason()) };
    let picture = Picture::of_report("generated", "cas-register", &history, &report);
    let seen = browser.open(&html(&picture), &[("key", "k1"), ("process", "3"), ("operation", "17"), ("line", "1")]);
    sound(&history, &seen);
    // Sorted by their places, the operations of each key are its linearization.
    let places: Vec<Option<u64>> =
        seen.list("operations").iter().map(|operation| operation["place"].as_u64()).collect();
    for order in orders {
        assert!(order.order.is_sorted_by_key(|number| places[*number].expect("it is in a linearization")));
    }
    assert_eq!(places.iter().flatten().count(), orders.iter().map(|order| order.order.len()).sum::<usize>());
    let count = |is: &dyn Fn(&&Operation) -> bool| history.operations().iter().filter(is).count();
    assert_eq!(seen.found("key", "k1"), count(&|operation| operation.key == "k1".into()));
    assert_eq!(seen.found("process", "3"), count(&|operation| operation.process == 3));
    assert_eq!((seen.found("operation", "17"), seen.found("line", "1")), (1, 1));
    for key in seen.at("/used/keys").as_array().unwrap() {
        let name = key["name"].as_str().unwrap();
        assert_eq!(key["visible"], count(&|operation| operation.key.to_string() == name), "{name}");
        assert_eq!(key["right"], true, "{name}");
    }
    assert_eq!(seen.at("/whole/detailed"), &Json::Bool(true));
    let fails = count(&|operation| operation.outcome == Outcome::Fail);
    assert!(fails > 0 && seen.at("/near/fading") != &Json::from(0), "{:?}", seen.at("/near"));
    assert!(seen.at("/whole/hatched").as_u64() <= Some(fails as u64));
    // A client that is replaced after each time-out keeps its lane.
    assert!(seen.number("lanes") <= 9, "{}", seen.number("lanes"));
}

#[test]
fn an_invalid_history_shows_its_core_and_where_its_prefix_ends() {
    let Some(browser) = Browser::find() else { return };
    for violation in [Violation::StaleRead, Violation::LostWrite, Violation::DoubleSwap] {
        let config = Config { operations: 200, cas_percent: 5, violation: Some(violation), ..Config::default() };
        let history = generated(&config);
        let report = judged(&history);
        let Finding::Invalid(evidence) = &report.finding else { panic!("{violation:?} is not seen") };
        let picture = Picture::of_report(violation.name(), "cas-register", &history, &report);
        let page = html(&picture);
        let seen = browser.open(&page, &[]);
        sound(&history, &seen);
        let core = evidence.core.operations.clone();
        assert_eq!(seen.at("/core"), &Json::from(core.clone()));
        assert_eq!(seen.at("/prefix"), &Json::from(evidence.prefix.events()));
        for number in core {
            // Once as a box, once as a row; both without script.
            assert_eq!(page.matches(&format!("data-operation=\"{number}\"")).count(), 2);
        }
        // The page opens where the core is.
        let first = seen.at("/initial");
        let invoked = history.operations()[evidence.operation].invoked.index as f64;
        assert!(first["from"].as_f64() <= Some(invoked) && Some(invoked) <= first["to"].as_f64(), "{first}");
    }
}

/// What a stranger may put into a history.
const HOSTILE: [&str; 10] = [
    "</script><script>document.title='broken'</script>",
    "<!--<script>",
    "]]>--><img src=x onerror=alert(1)>",
    "\" onmouseover=\"alert(1)",
    "&lt;b&gt; & 'quotes' \\u003c \\",
    "\0\u{1}\u{7f}\r\n\t\u{2028}\u{2029}",
    "\u{202e}drawkcab\u{2066}",
    "😀 e\u{301} \u{1f469}\u{200d}\u{1f680}",
    "${alert(1)} `x` {{x}}",
    "__proto__",
];

fn hostile_history() -> History {
    let mut events = Vec::new();
    for (process, text) in HOSTILE.into_iter().enumerate() {
        let mut push = |kind, call: &Call| {
            let time = (process % 2 == 0).then_some(u64::MAX - 500 + events.len() as u64);
            let event = Event { process: u64::MAX - process as u64, kind, call: call.clone(), key: text.into(), time };
            events.push(event);
        };
        let write = Call::Write(text.into());
        push(Kind::Invoke, &write);
        push(Kind::Ok(Reply::Written), &write);
        push(Kind::Invoke, &Call::Read);
        push(Kind::Ok(Reply::Read([text.into(), i64::MIN.into(), Value::Null].into_iter().collect())), &Call::Read);
        let other = Call::Other(text.into(), i64::MAX.into());
        push(Kind::Invoke, &other);
        push(if process % 3 == 0 { Kind::Info } else { Kind::Ok(Reply::Returned(text.into())) }, &other);
    }
    History::from_events(events).unwrap()
}

/// Nothing that a history says becomes markup or script, and everything that it says can be read.
#[test]
fn hostile_values_are_only_text() {
    let history = hostile_history();
    let mut picture = Picture::new(HOSTILE[0], HOSTILE[1], &history, Verdict::Invalid);
    picture.reason = Some(HOSTILE.concat());
    picture.core = (0..history.operations().len()).map(|operation| Member { operation, role: Role::Member }).collect();
    picture.arrows = vec![Arrow { from: 0, to: 4, label: HOSTILE[0].into() }];
    let page = html(&picture);
    // Two blocks of data and one script, as always; none of the history's.
    assert_eq!(page.matches("<script").count(), 3);
    assert_eq!(page.matches("</script").count(), 3);
    assert!(!page.contains("<img") && !page.contains("<!--"));
    assert!(!page.contains(['\0', '\u{1}', '\u{7f}', '\u{202e}', '\u{2066}', '\u{2028}']));
    let Some(browser) = Browser::find() else { return };
    let seen = browser.open(&page, &[("value", "onerror"), ("anything", "drawkcab")]);
    assert_eq!(seen.list("problems"), &NO_PROBLEMS);
    assert_eq!(seen.console, "");
    assert_eq!((seen.found("value", "onerror"), seen.found("anything", "drawkcab")), (3, 3));
    assert!(seen.title.starts_with("</script><script>"), "{}", seen.title);
    let read = seen.list("operations");
    for (index, operation) in history.operations().iter().enumerate() {
        let text = read[index]["text"].as_str().unwrap();
        assert_eq!(read[index]["process"], operation.process.to_string());
        // Numbers that the script's own cannot hold are exact, and text is whole, what is not to be seen escaped.
        match &operation.call {
            Call::Other(..) => assert!(text.contains(&i64::MAX.to_string()), "{text}"),
            Call::Read => assert!(text.contains(&format!(", {}, null]", i64::MIN)), "{text}"),
            _ => assert!(text.starts_with("write \""), "{text}"),
        }
    }
    assert_eq!(read[0]["text"], r#"write "</script><script>document.title='broken'</script>""#);
    assert_eq!(read[0]["times"][0], (u64::MAX - 500).to_string());
    assert_eq!(read[15]["text"], r#"write "\0\u{1}\u{7f}\r\n\t\u{2028}\u{2029}""#);
}

#[test]
fn transactions_have_the_keys_of_their_steps_and_arrows_between_them() {
    let step = |kind, key: i64, value: Value| Micro { kind, key: key.into(), value };
    let list = |values: &[i64]| values.iter().copied().map(Value::Int).collect::<Value>();
    let txns = [
        (0, vec![step(MicroKind::Append, 1, 1.into()), step(MicroKind::Read, 2, list(&[]))]),
        (1, vec![step(MicroKind::Append, 2, 2.into()), step(MicroKind::Read, 1, list(&[]))]),
        (2, vec![step(MicroKind::Read, 1, list(&[1])), step(MicroKind::Read, 2, list(&[2]))]),
    ];
    let event = |process, steps: &[Micro], kind: fn(std::sync::Arc<[Micro]>) -> Kind| {
        let asked = steps.iter().map(|step| match step.kind {
            MicroKind::Read => Micro { value: Value::Null, ..step.clone() },
            _ => step.clone(),
        });
        let call = Call::Txn(asked.collect());
        Event { process, kind: kind(steps.into()), call, key: sextant_histories::Key::None, time: None }
    };
    let invoked = txns.iter().map(|(process, steps)| event(*process, steps, |_| Kind::Invoke));
    let ended = txns.iter().map(|(process, steps)| event(*process, steps, |steps| Kind::Ok(Reply::Txn(steps))));
    let history = History::from_events(invoked.chain(ended)).unwrap();
    let mut picture = Picture::new("write skew", "list-append", &history, Verdict::Invalid);
    picture.reason = Some("G2-item".into());
    picture.core = [0, 1].map(|operation| Member { operation, role: Role::Member }).to_vec();
    let arrow = |from, to| Arrow { from, to, label: "rw".into() };
    picture.arrows = vec![arrow(0, 1), arrow(1, 0), arrow(0, 77)];
    let page = html(&picture);
    assert_eq!(page.matches("marker-end").count(), 2, "an arrow to nowhere is not drawn");
    let Some(browser) = Browser::find() else { return };
    let seen = browser.open(&page, &[("key", "2"), ("value", "append")]);
    sound(&history, &seen);
    assert_eq!((seen.found("key", "2"), seen.found("value", "append")), (3, 2));
    assert_eq!(seen.list("operations")[2]["text"], "txn r 1 → [1], r 2 → [2]");
}

/// More clients than lanes fit on a screen, and few of them use the same key: filtered, they share rows.
#[test]
fn many_clients_share_rows_when_one_key_is_shown() {
    let Some(browser) = Browser::find() else { return };
    let config = Config { operations: 4000, clients: 150, keys: 40, indeterminate: 40, ..Config::default() };
    let history = generated(&config);
    let seen = browser.open(&html(&Picture::new("wide", "register", &history, Verdict::Unknown)), &[]);
    sound_but_scrolled(&history, &seen);
    assert!((150..160).contains(&seen.number("lanes")), "{}", seen.number("lanes"));
    let keys = seen.at("/used/keys").as_array().unwrap();
    assert_eq!(keys.len(), 40);
    for key in keys {
        assert_eq!(key["right"], true, "{key}");
        assert!(key["rows"].as_u64() < Some(60), "{key}");
    }
}

/// In a file of Jepsen's the lines of the nemesis are none of the history's: line numbers have gaps.
#[test]
fn lines_are_those_of_the_file() {
    let Some(browser) = Browser::find() else { return };
    let text = "{:process 0, :type :invoke, :f :write, :value 1, :time 5}\n\
                {:process :nemesis, :type :info, :f :start, :value nil, :time 6}\n\n\
                {:process 1, :type :invoke, :f :read, :value nil, :time 7}\n\
                {:process 0, :type :ok, :f :write, :value 1, :time 8}\n\
                {:process :nemesis, :type :info, :f :start, :value nil, :time 9}\n\
                {:process 1, :type :ok, :f :read, :value 1, :time 10}\n";
    let history = read_bytes("gaps.edn", text.as_bytes(), &ReadOptions::default()).unwrap().history;
    assert_eq!((0..4).map(|event| history.line(event)).collect::<Vec<_>>(), [1, 4, 5, 7]);
    let report = judged(&history);
    let seen = browser.open(&html(&Picture::of_report("gaps", "register", &history, &report)), &[("line", "4")]);
    sound(&history, &seen);
    assert_eq!(seen.found("line", "4"), 1);
}

/// Every object that there is, from the folders of the corpus: one history of each in the browser.
#[test]
fn histories_of_every_object_have_a_page() {
    let browser = Browser::find();
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../histories/corpus/invalid");
    let folders = fs::read_dir(corpus).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir());
    let mut objects = 0;
    for folder in folders {
        objects += 1;
        let mut files: Vec<PathBuf> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.sort_unstable();
        for (number, file) in files.iter().enumerate() {
            let history = History::read(file).unwrap();
            let name = file.display().to_string();
            let page = html(&Picture::new(&name, "any", &history, Verdict::Unknown));
            if let (0, Some(browser)) = (number, &browser) {
                println!("{name}");
                sound(&history, &browser.open(&page, &[]));
            }
        }
    }
    assert!(objects > 8, "{objects}");
}

/// A history may be empty, have one event, have no times, or be cut down to operations that begin together.
#[test]
fn odd_histories_have_a_page_too() {
    let Some(browser) = Browser::find() else { return };
    let empty = History::from_events([]).unwrap();
    let seen = browser.open(&html(&Picture::of_report("empty", "register", &empty, &judged(&empty))), &[]);
    assert_eq!((seen.number("total"), seen.list("problems").len(), &seen.console[..]), (0, 0, ""));
    let event = Event { process: 0, kind: Kind::Invoke, call: Call::Read, key: 1.into(), time: None };
    let one = History::from_events([event]).unwrap();
    let seen = browser.open(&html(&Picture::of_report("one", "register", &one, &judged(&one))), &[]);
    sound(&one, &seen);
    let whole = generated(&Config { operations: 60, clients: 4, ..Config::default() });
    let weakened = whole.operations().iter().cloned().enumerate().map(|(number, mut operation)| {
        if number % 2 == 0 {
            operation.outcome = Outcome::Indeterminate;
            operation.invoked.index = 0;
            operation.completed = None;
        }
        operation
    });
    let weakened = History::from_operations(weakened.collect(), whole.len());
    let seen = browser.open(&html(&Picture::new("weakened", "register", &weakened, Verdict::Unknown)), &[]);
    assert_eq!(seen.list("problems"), &NO_PROBLEMS);
    compare(&weakened, &seen);
}

/// The browser refuses a script that is not the page's own, and the console says so.
#[test]
fn the_policy_of_the_page_refuses_foreign_scripts() {
    let Some(browser) = Browser::find() else { return };
    let history = generated(&Config::default());
    let page = html(&Picture::new("x", "register", &history, Verdict::Valid));
    let attacked = page.replace("<main", "<script>document.title='broken'</script><main");
    let (dom, console) = browser.dom(&attacked, "");
    assert!(dom.contains("<title>x: valid</title>") && console.contains("Content Security Policy"), "{console}");
}

/// What was cut off on the way is not shown as if it were whole.
#[test]
fn damaged_data_are_said_to_be_damaged() {
    let Some(browser) = Browser::find() else { return };
    let history = generated(&Config { operations: 500, violation: Some(Violation::StaleRead), ..Config::default() });
    let report = judged(&history);
    let page = html(&Picture::of_report("x", "register", &history, &report));
    let start = page.find("id=\"operations\">").unwrap() + "id=\"operations\">".len();
    for cut in [4, 400, 2000] {
        let damaged = [&page[..start + 1000], &page[start + 1000 + cut..]].concat();
        let (dom, console) = browser.dom(&damaged, "selftest");
        assert!(dom.contains("The picture cannot be drawn: Uncaught Error: the data of this page are damaged"));
        assert!(!dom.contains("<pre id=\"selftest\">") && console.contains("damaged"), "{console}");
        assert!(dom.contains(&report.reason().unwrap()), "what needs no script is there");
    }
}

/// A million operations. How long it takes is printed, not asserted: machines differ.
#[test]
fn a_million_operations_make_a_page_that_opens() {
    let config = Config { seed: 1, operations: 1_000_000, clients: 20, keys: 1, ..Config::default() };
    let history = generated(&config);
    // The order in which the generator let them take effect is not known here, and no other is needed: by completion.
    let mut order: Vec<usize> = (0..history.operations().len()).collect();
    order.sort_by_key(|number| history.operations()[*number].returned().unwrap_or(usize::MAX));
    let mut picture = Picture::new("million", "register", &history, Verdict::Valid);
    picture.orders = vec![&order];
    let start = std::time::Instant::now();
    let page = html(&picture);
    println!("{:.1} MB in {:.2} s", page.len() as f64 / 1e6, start.elapsed().as_secs_f64());
    assert!(page.len() < 30_000_000, "{} bytes", page.len());
    let Some(browser) = Browser::find() else { return };
    let seen = browser.open(&page, &[("value", "77777"), ("anything", "write")]);
    assert_eq!((seen.list("problems"), &seen.console[..]), (&NO_PROBLEMS, ""));
    compare(&history, &seen);
    assert_eq!(seen.at("/first/operations"), &Json::from(1_000_000));
    assert!(seen.found("value", "77777") > 0);
    for what in
        ["timing/unpacked", "timing/decoded", "timing/scaled", "timing/drawn", "wholeFrame", "halfFrame", "nearFrame"]
    {
        println!("{what}: {:.0} ms", seen.at(&format!("/{what}")).as_f64().unwrap());
    }
    println!("searches: {}", seen.at("/searches"));
}
