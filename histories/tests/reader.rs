//! The reader accepts what the format says and names everything else by line, column and reason.

use std::path::Path;

use proptest::prelude::*;
use sextant_histories::generate::{Config, Rng, Values, generate};
use sextant_histories::{
    Call, Error, Event, Fault, History, Key, Kind, Micro, MicroKind, Outcome, Reader, Reply, Value, Warnings,
};

const INVOKE: &str = r#"{"process":0,"type":"invoke","f":"write","key":"x","value":1,"time":1}"#;
const OK: &str = r#"{"process":0,"type":"ok","f":"write","key":"x","value":1,"time":2}"#;

fn read(bytes: &[u8]) -> Result<History, Error> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("h.jsonl");
    std::fs::write(&path, bytes).unwrap();
    History::read(&path)
}

/// The error without its file name.
fn refusal(text: &str) -> String {
    let error = read(text.as_bytes()).unwrap_err();
    let shown = error.to_string();
    let name = error.file.display().to_string();
    assert!(!shown.contains('\n'), "one line: {shown}");
    shown.strip_prefix(&name).unwrap().to_owned()
}

fn second(line: &str) -> String {
    refusal(&format!("{INVOKE}\n{line}\n"))
}

#[test]
fn refuses_by_line_column_and_reason() {
    let cases = [
        (
            r#"{"process":1,"type":"begin","f":"read","key":"x"}"#,
            ":2:27: unknown variant `begin`, expected one of `invoke`, `ok`, `fail`, `info`",
        ),
        (
            r#"{"process":1,"type":"invoke","f":"apend","key":"x"}"#,
            ":2:40: unknown variant `apend`, expected one of `read`, `write`, `cas`, `append`, `add`, `remove`, `contains`, \
             `enqueue`, `dequeue`, `push`, `pop`, `insert`, `pop-min`, `acquire`, `release`, `txn`",
        ),
        (r#"{"type":"invoke","f":"read","key":"x"}"#, ":2:38: missing field `process`"),
        (r#"{"process":1,"type":"invoke","f":"write","key":"x"}"#, ":2: missing field `value`"),
        (
            r#"{"process":1,"type":"invoke","f":"cas","key":"x","value":1}"#,
            ":2: the value of a cas is the pair [old,new]",
        ),
        (
            r#"{"process":1,"type":"invoke","f":"cas","key":"x","value":[1]}"#,
            ":2: the value of a cas is the pair [old,new]",
        ),
        (
            r#"{"process":1,"type":"invoke","f":"contains","key":"x","value":1,"result":true}"#,
            ":2: `result` belongs to an ok",
        ),
        (
            r#"{"process":1,"type":"ok","f":"contains","key":"x","value":1}"#,
            ":2: missing field `result`: true or false",
        ),
        (
            r#"{"process":1,"type":"ok","f":"contains","key":"x","value":1,"result":1}"#,
            ":2: `result` does not answer a contains",
        ),
        (r#"{"process":1,"type":"invoke","f":"acquire","value":1}"#, ":2: `acquire` has no value"),
        (
            r#"{"process":1,"type":"invoke","f":"txn","value":[["x",1,2]]}"#,
            ":2: unknown step \"x\" of a transaction: use r, w or append",
        ),
        (
            r#"{"process":1,"type":"invoke","f":"txn","value":[["r",[],2]]}"#,
            ":2: the key of a step is an integer or a string",
        ),
        (
            r#"{"process":1,"type":"invoke","f":"read","key":"x","value":1}"#,
            ":2: a read has a value only when it ends in ok",
        ),
        (
            r#"{"process":1,"type":"invoke","f":"write","key":null,"value":1}"#,
            ":2:51: invalid type: null, expected an integer or a string",
        ),
        (
            r#"{"process":1,"type":"invoke","f":"write","key":"x","value":1.5}"#,
            ":2:62: invalid type: floating point `1.5`, expected null, true, false, an integer, a string or a list",
        ),
        (
            r#"{"process":1,"type":"invoke","f":"write","key":"x","value":18446744073709551615}"#,
            ":2:79: integer 18446744073709551615 does not fit in 64 signed bits",
        ),
        (
            r#"{"process":0,"type":"ok","f":"write","key":"x","value":1,"applid":false}"#,
            ":2:65: unknown field `applid`, expected one of `process`, `type`, `f`, `key`, `value`, `applied`, `result`, `time`",
        ),
        (
            r#"{"process":0,"type":"ok","f":"write","key":"x","value":1,"applied":false}"#,
            ":2: `applied` belongs to the ok of a cas",
        ),
        (
            r#"{"process":0,"type":"ok","f":"write","key":"x","value":1,"applied":null}"#,
            ":2:71: invalid type: null, expected a boolean",
        ),
        (
            r#"{"process":0,"process":1,"type":"ok","f":"write","key":"x","value":1}"#,
            ":2:22: duplicate field `process`",
        ),
        (INVOKE, ":2: process 0 invokes while its operation is open"),
        (
            r#"{"process":1,"type":"ok","f":"read","key":"x","value":1}"#,
            ":2: process 1 completes nothing: no operation is open",
        ),
        (
            r#"{"process":0,"type":"ok","f":"read","key":"x","value":1}"#,
            ":2: completion of process 0 disagrees with its invocation in f",
        ),
        (
            r#"{"process":0,"type":"ok","f":"write","key":"y","value":1}"#,
            ":2: completion of process 0 disagrees with its invocation in key",
        ),
        (
            r#"{"process":0,"type":"fail","f":"write","key":"x","value":"1"}"#,
            ":2: completion of process 0 disagrees with its invocation in value",
        ),
        (r#"{"process":0,"type":"info","f":"write","key":"x"}"#, ":2: missing field `value`"),
        (r#"{"about":"late"}"#, ":2: `about` belongs on line 1 only"),
        ("", ":2: blank line"),
        ("nonsense", ":2:2: not JSON: expected ident"),
        (r#"{"process":0} {}"#, ":2:13: missing field `type`"),
        (r#"{"process":0"#, ":2:12: not JSON: EOF while parsing an object"),
    ];
    let wrong: Vec<_> = cases
        .into_iter()
        .map(|(line, expected)| (line, second(line), expected))
        .filter(|(_, shown, expected)| shown != expected)
        .collect();
    assert!(wrong.is_empty(), "line, shown, expected: {wrong:#?}");
}

#[test]
fn refuses_an_invocation_after_info() {
    let info = r#"{"process":0,"type":"info","f":"write","key":"x","value":1}"#;
    let text = format!("{INVOKE}\n{info}\n{INVOKE}\n");
    assert_eq!(refusal(&text), ":3: process 0 invokes after it ended in info");
}

#[test]
fn refuses_bytes_that_are_no_text() {
    let error = read(b"{\"about\":\"\xff\"}\n").unwrap_err();
    assert!(matches!(error.fault, Fault::NotUtf8));
    assert_eq!((error.line, error.column), (Some(1), Some(11)));
}

#[test]
fn refuses_a_directory_and_a_missing_file() {
    let directory = tempfile::tempdir().unwrap();
    let error = History::read(directory.path()).unwrap_err();
    assert!(matches!(error.fault, Fault::Directory));
    let error = History::read(directory.path().join("none")).unwrap_err();
    assert!(matches!(error.fault, Fault::Io(_)));
}

#[test]
fn an_empty_file_is_an_empty_history() {
    assert!(read(b"").unwrap().is_empty());
    let history = read(b"{\"about\":\"nothing\"}\n").unwrap();
    assert!(history.is_empty());
    assert_eq!(history.about(), Some("nothing"));
}

#[test]
fn the_missing_last_line_feed_is_no_fault() {
    let history = read(format!("{INVOKE}\n{OK}").as_bytes()).unwrap();
    assert_eq!(history.operations()[0].outcome, Outcome::Ok(Reply::Written));
}

/// Every proper prefix of the last line is torn, and salvage returns exactly what stands before it.
#[test]
fn every_torn_last_line_is_named_and_salvaged() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("h.jsonl");
    let last = OK.replace("\"x\"", "\"é\"");
    let first = INVOKE.replace("\"x\"", "\"é\"");
    let whole = format!("{first}\n{last}");
    for length in first.len() + 2..whole.len() {
        std::fs::write(&path, &whole.as_bytes()[..length]).unwrap();
        let error = History::read(&path).unwrap_err();
        assert!(matches!(error.fault, Fault::TruncatedLastLine), "{error}");
        assert_eq!(error.line, Some(2));
        let (history, torn) = History::salvage(&path).unwrap();
        assert_eq!(torn.unwrap().line, Some(2));
        assert_eq!(history.operations().len(), 1);
        assert_eq!(history.operations()[0].outcome, Outcome::Indeterminate);
    }
}

#[test]
fn a_torn_header_is_truncated_too() {
    let error = read(br#"{"about":"so f"#).unwrap_err();
    assert!(matches!(error.fault, Fault::TruncatedLastLine), "{error}");
}

#[test]
fn salvage_forgives_the_last_line_only() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("h.jsonl");
    std::fs::write(&path, format!("{{\"process\":\n{INVOKE}\n")).unwrap();
    let error = History::salvage(&path).unwrap_err();
    assert_eq!(error.line, Some(1));
    assert!(matches!(error.fault, Fault::NotJson(_)));
}

#[test]
fn integers_and_strings_are_different_keys_and_values() {
    let text = r#"{"process":0,"type":"invoke","f":"write","key":1,"value":1}
{"process":1,"type":"invoke","f":"write","key":"1","value":"1"}
"#;
    let history = read(text.as_bytes()).unwrap();
    let [first, second] = history.operations() else { panic!("two operations") };
    assert_ne!(first.key, second.key);
    assert_ne!(first.call, second.call);
}

#[test]
fn operations_carry_their_event_numbers_and_lines() {
    let text = format!("{{\"about\":\"two lines\"}}\n{INVOKE}\n{OK}\n");
    let history = read(text.as_bytes()).unwrap();
    let operation = &history.operations()[0];
    assert_eq!((operation.invoked.index, operation.returned()), (0, Some(1)));
    assert_eq!((history.line(0), history.line(1), history.len()), (2, 3, 2));
    assert_eq!(operation.invoked.time, Some(1));
}

#[test]
fn the_stream_ends_after_the_first_error() {
    let text = format!("{OK}\n{INVOKE}\n");
    let mut reader = Reader::new("text", text.as_bytes());
    assert!(reader.next().unwrap().is_err());
    assert!(reader.next().is_none());
}

/// An event with the number of its operation, or the error.
type Read = Result<(usize, Event), String>;

/// Everything that a reader says about these bytes.
fn told<R: std::io::BufRead>(mut reader: Reader<R>) -> (Vec<Read>, Option<String>, Warnings) {
    let events = reader.by_ref().map(|event| event.map_err(|error| error.to_string())).collect();
    (events, reader.about().map(str::to_owned), reader.warnings())
}

/// The short cut through common lines is nothing but faster. Returns what both ways say.
fn both_ways(bytes: &[u8]) -> Vec<Read> {
    let short = told(Reader::new("text", bytes));
    let long = told(Reader::new("text", bytes).without_short_cut());
    assert_eq!(short, long, "{}", String::from_utf8_lossy(bytes));
    short.0
}

/// Where JSON has more to say than the common shape: each line once as an invocation, once as what follows it.
#[test]
fn the_short_cut_knows_its_limits() {
    let numbers = [
        "0",
        "-0",
        "00",
        "01",
        "-1",
        "--1",
        "-",
        "1.0",
        "1e3",
        "1E3",
        "999999999999999999",
        "9223372036854775807",
        "9223372036854775808",
        "-9223372036854775808",
        "-9223372036854775809",
        "9999999999999999999",
        "18446744073709551615",
        "18446744073709551616",
        "100000000000000000000",
        "null",
        "true",
        "tru",
        "\"a\"",
        "\"\"",
        "\"\\n\"",
        "\"\\u00e9\"",
        "\"é\"",
        "\"\t\"",
        "\"\u{7f}\"",
        "[]",
        "[1,2]",
        "[1,2",
        "[1,]",
        "[,]",
        "[[[\"x\"]],null]",
        "[1,2,3]",
        "[\"r\",1,null]",
        "[[\"r\",1,null],[\"append\",\"x\",[2]]]",
        "{}",
        "",
        " 1",
        "1 ",
    ];
    let deep = format!("{}{}", "[".repeat(130), "]".repeat(130));
    let long = format!("\"{}\"", "x".repeat(200));
    let mut accepted = 0;
    for number in numbers.iter().copied().chain([deep.as_str(), long.as_str()]) {
        for (process, key, time) in [(number, "1", "1"), ("1", number, "1"), ("1", "1", number), ("1", "1", "1")] {
            for f in
                ["read", "write", "cas", "txn", "contains", "pop", "acquire", "custom:f", "", "reads", "re\\u0061d"]
            {
                for more in
                    ["", ",\"applied\":false", ",\"applied\":true", ",\"result\":true", ",\"x\":1", " ", ",\"value\":1"]
                {
                    let head = format!("{{\"process\":{process},\"type\":");
                    let tail = format!(",\"f\":\"{f}\",\"key\":{key},\"value\":{number}{more},\"time\":{time}}}");
                    let bare = format!(",\"f\":\"{f}\",\"key\":{key},\"time\":{time}}}");
                    for second in ["ok", "fail", "info", "invoke", "oki"] {
                        for (one, other) in [(&tail, &tail), (&bare, &tail)] {
                            let text = format!("{head}\"invoke\"{one}\n{head}\"{second}\"{other}\r\n");
                            accepted += both_ways(text.as_bytes()).iter().filter(|event| event.is_ok()).count();
                        }
                    }
                }
            }
        }
    }
    assert!(accepted > 1000, "{accepted}");
}

#[test]
fn the_short_cut_agrees_on_whole_histories() {
    for seed in 0..20 {
        let values = if seed % 2 == 0 { Values::Unique } else { Values::Few(4) };
        let config =
            Config { seed, operations: 300, keys: 4, values, cas_percent: 25, fail_percent: 5, ..Config::default() };
        let events = generate(&Config { indeterminate: 9, ..config });
        let text: String = events.iter().map(|event| event.to_line().unwrap() + "\n").collect();
        let read: Vec<Event> = both_ways(text.as_bytes()).into_iter().map(|event| event.unwrap().1).collect();
        assert_eq!(read, events);
        let mut rng = Rng::new(seed);
        for _ in 0..200 {
            let mut mangled = text.as_bytes()[..2000].to_vec();
            for _ in 0..=rng.below(3) {
                let position = rng.below(mangled.len());
                let bytes = b"\"{}[]:,0918-\\ \nnuk\xff";
                mangled[position] = bytes[rng.below(bytes.len())];
            }
            both_ways(&mangled);
        }
    }
}

#[test]
fn numbers_of_processes_may_be_anything() {
    for process in [0, 65_535, 65_536, u64::MAX] {
        let text = format!("{INVOKE}\n{OK}\n{OK}\n").replace("\"process\":0", &format!("\"process\":{process}"));
        let events = both_ways(text.as_bytes());
        let misuse = format!("text:3: process {process} completes nothing: no operation is open");
        assert_eq!((events.len(), events[2].as_ref().unwrap_err()), (3, &misuse));
    }
}

/// The order of the lines counts; what runs against it is counted, once a step back.
#[test]
fn time_that_goes_backwards_is_a_warning_or_an_error() {
    let times = ["5", "7", "6", "6", "", "2", "9"];
    let lines = times.iter().enumerate().map(|(process, time)| {
        let time = if time.is_empty() { String::new() } else { format!(",\"time\":{time}") };
        format!("{{\"process\":{process},\"type\":\"invoke\",\"f\":\"read\"{time}}}\n")
    });
    let text: String = std::iter::once("{\"about\":\"clocks\"}\n".to_owned()).chain(lines).collect();
    let (events, _, warnings) = told(Reader::new("text", text.as_bytes()));
    assert_eq!((events.len(), events.iter().all(Result::is_ok)), (7, true));
    assert_eq!(warnings, Warnings { time_backwards: 2, first_line: Some(4) });
    assert_eq!(warnings.to_string(), "time goes backwards 2 times, first on line 4; the order of the lines counts");
    let (events, _, warnings) = told(Reader::new("text", text.as_bytes()).strict_time(true));
    assert_eq!(events.last(), Some(&Err("text:4: time goes backwards: 6 after 7".into())));
    assert!(events.len() == 3 && warnings.is_empty() && warnings.to_string().is_empty());
    let forward = format!("{INVOKE}\n{OK}\n");
    assert!(told(Reader::new("text", forward.as_bytes()).strict_time(true)).0.iter().all(Result::is_ok));
}

fn value() -> impl Strategy<Value = Value> {
    let scalar = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::Int),
        ".*".prop_map(|text| Value::from(text.as_str())),
    ];
    scalar.prop_recursive(2, 8, 4, |inner| {
        proptest::collection::vec(inner, 0..4).prop_map(|values| values.into_iter().collect())
    })
}

fn key() -> impl Strategy<Value = Key> {
    prop_oneof![Just(Key::None), any::<i64>().prop_map(Key::Int), ".*".prop_map(|text| Key::from(text.as_str())),]
}

/// The steps of a transaction, and what its reads may have seen.
fn steps() -> impl Strategy<Value = (Call, Reply)> {
    let kind = prop_oneof![Just(MicroKind::Read), Just(MicroKind::Write), Just(MicroKind::Append)];
    proptest::collection::vec((kind, key(), value()), 0..5).prop_map(|steps| {
        let seen: Vec<Micro> = steps.into_iter().map(|(kind, key, value)| Micro { kind, key, value }).collect();
        let blank = |step: &Micro| match step.kind {
            MicroKind::Read => Micro { value: Value::Null, ..step.clone() },
            MicroKind::Write | MicroKind::Append => step.clone(),
        };
        (Call::Txn(seen.iter().map(blank).collect()), Reply::Txn(seen.into()))
    })
}

fn call_and_reply() -> impl Strategy<Value = (Call, Reply)> {
    prop_oneof![
        value().prop_map(|seen| (Call::Read, Reply::Read(seen))),
        value().prop_map(|new| (Call::Write(new), Reply::Written)),
        (value(), value()).prop_map(|(old, new)| (Call::Cas { old, new }, Reply::Swapped)),
        (value(), value()).prop_map(|(old, new)| (Call::Cas { old, new }, Reply::Differed)),
        value().prop_map(|value| (Call::Append(value), Reply::Done)),
        value().prop_map(|value| (Call::Add(value), Reply::Done)),
        (value(), value()).prop_map(|(value, result)| (Call::Remove(value), Reply::Returned(result))),
        (value(), any::<bool>()).prop_map(|(value, has)| (Call::Contains(value), Reply::Returned(has.into()))),
        value().prop_map(|value| (Call::Enqueue(value), Reply::Done)),
        value().prop_map(|value| (Call::Dequeue, Reply::Returned(value))),
        value().prop_map(|value| (Call::Push(value), Reply::Done)),
        value().prop_map(|value| (Call::Pop, Reply::Returned(value))),
        value().prop_map(|value| (Call::Insert(value), Reply::Done)),
        value().prop_map(|value| (Call::PopMin, Reply::Returned(value))),
        Just((Call::Acquire, Reply::Done)),
        Just((Call::Release, Reply::Done)),
        (".+", value(), value())
            .prop_map(|(name, value, result)| (Call::Other(name.as_str().into(), value), Reply::Returned(result))),
        steps(),
    ]
}

proptest! {
    #[test]
    fn what_is_written_is_read((call, reply) in call_and_reply(), key in key(), process: u64, time: Option<u64>) {
        let invoke = Event { process, kind: Kind::Invoke, call, key, time };
        let end = Event { kind: Kind::Ok(reply), ..invoke.clone() };
        let text = format!("{}\n{}\n", invoke.to_line().unwrap(), end.to_line().unwrap());
        let events: Vec<Event> = Reader::new("text", text.as_bytes()).map(|event| event.unwrap().1).collect();
        prop_assert_eq!(events, vec![invoke, end]);
        both_ways(text.as_bytes());
    }

    /// Bytes put in, taken out, doubled or replaced, in every kind of line.
    #[test]
    fn the_short_cut_agrees_on_mangled_lines(
        (call, reply) in call_and_reply(),
        key in key(),
        process in 0u64..3,
        time: Option<u64>,
        changes in proptest::collection::vec((any::<proptest::sample::Index>(), 0u8..4, any::<u8>()), 1..4),
    ) {
        let invoke = Event { process, kind: Kind::Invoke, call, key, time };
        let end = Event { kind: Kind::Ok(reply), ..invoke.clone() };
        let mut bytes = format!("{}\n{}\n", invoke.to_line().unwrap(), end.to_line().unwrap()).into_bytes();
        for (place, change, byte) in changes {
            let place = place.index(bytes.len());
            match change {
                0 => bytes[place] = byte,
                1 => bytes.insert(place, byte),
                2 => drop(bytes.remove(place)),
                _ => bytes.insert(place, bytes[place]),
            }
        }
        both_ways(&bytes);
    }

    /// Whatever the bytes are, the reader answers; and where it refuses, it says so in one line.
    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        for event in Reader::new("bytes", bytes.as_slice()) {
            if let Err(error) = event {
                prop_assert_eq!(error.to_string().lines().count(), 1);
            }
        }
    }

    /// Nearly right lines go deeper than random bytes.
    #[test]
    fn no_mangled_line_makes_it_panic(position in 0usize..130, byte: u8) {
        let mut bytes = format!("{INVOKE}\n{OK}\n").into_bytes();
        let position = position % bytes.len();
        bytes[position] = byte;
        for event in Reader::new(Path::new("mangled"), bytes.as_slice()) {
            if let Err(error) = event {
                prop_assert!(error.line.is_some());
            }
        }
    }
}
