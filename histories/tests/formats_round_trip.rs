//! What is written in a format and read again is the same history.

use std::io::Read;
use std::sync::Arc;

use proptest::prelude::{Just, ProptestConfig, Strategy, any, prop, prop_assert, prop_assert_eq, prop_oneof, proptest};
use sextant_histories::formats::{Beginning, Follow, Format, ReadOptions, read_bytes, write};
use sextant_histories::{Call, Error, Event, History, Key, Kind, Micro, MicroKind, Reply, Value};

fn text() -> impl Strategy<Value = Arc<str>> {
    prop_oneof![
        Just("".into()),
        Just(":x".into()),
        Just("1".into()),
        Just("nil".into()),
        "[a-z\"\\\\ ,;#{}\\[\\]\n\r\t\u{1}é😀]{0,6}".prop_map(|text| text.into()),
    ]
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        (0..4_i64).prop_map(Value::Int),
        any::<i64>().prop_map(Value::Int),
        text().prop_map(Value::Str),
    ];
    leaf.prop_recursive(3, 8, 3, |inner| {
        prop::collection::vec(inner, 0..3).prop_map(|values| values.into_iter().collect())
    })
}

fn key() -> impl Strategy<Value = Key> {
    prop_oneof![Just(Key::None), any::<i64>().prop_map(Key::Int), text().prop_map(Key::Str)]
}

/// A step with what its read sees.
fn step() -> impl Strategy<Value = Micro> {
    let kind = prop_oneof![Just(MicroKind::Read), Just(MicroKind::Write), Just(MicroKind::Append)];
    let key = key().prop_filter("steps have keys", |key| *key != Key::None);
    (kind, key, value()).prop_map(|(kind, key, value)| Micro { kind, key, value })
}

/// A call with an answer that it may get.
fn answered() -> impl Strategy<Value = (Call, Reply)> {
    let taking = prop_oneof![
        Just(Call::Append as fn(Value) -> Call),
        Just(Call::Add as fn(Value) -> Call),
        Just(Call::Remove as fn(Value) -> Call),
        Just(Call::Enqueue as fn(Value) -> Call),
        Just(Call::Push as fn(Value) -> Call),
        Just(Call::Insert as fn(Value) -> Call),
    ];
    let plain = prop_oneof![Just(Call::Acquire), Just(Call::Release)];
    let returning = prop_oneof![Just(Call::Dequeue), Just(Call::Pop), Just(Call::PopMin)];
    let name = "[a-z]{1,4}|read|transfer|a b|é\"";
    prop_oneof![
        value().prop_map(|seen| (Call::Read, Reply::Read(seen))),
        value().prop_map(|value| (Call::Write(value), Reply::Written)),
        (value(), value(), any::<bool>()).prop_map(|(old, new, swapped)| {
            (Call::Cas { old, new }, if swapped { Reply::Swapped } else { Reply::Differed })
        }),
        (taking, value()).prop_map(|(call, value)| (call(value), Reply::Done)),
        plain.prop_map(|call| (call, Reply::Done)),
        (returning, value()).prop_map(|(call, seen)| (call, Reply::Returned(seen))),
        (value(), any::<bool>()).prop_map(|(value, has)| (Call::Contains(value), Reply::Returned(has.into()))),
        (value(), value()).prop_map(|(value, seen)| (Call::Add(value), Reply::Returned(seen))),
        (name, value(), prop::option::of(value())).prop_map(|(name, value, seen)| {
            (Call::Other(name.as_str().into(), value), seen.map_or(Reply::Done, Reply::Returned))
        }),
        prop::collection::vec(step(), 0..4).prop_map(|seen| {
            let mut steps = seen.clone();
            steps.iter_mut().filter(|step| step.kind == MicroKind::Read).for_each(|step| step.value = Value::Null);
            (Call::Txn(steps.into()), Reply::Txn(seen.into()))
        }),
    ]
}

/// Operations of a few processes, as events in some order that processes allow.
fn history() -> impl Strategy<Value = History> {
    let operation = (answered(), key(), 0..5_u8, any::<bool>(), 0..4_usize, prop::option::of(any::<u64>()));
    let one_key = prop_oneof![Just(None), Just(Some(Key::Int(1))), Just(Some(Key::None))];
    let about = prop::option::of("[a-z \"\\\\\n;é]{0,8}");
    (prop::collection::vec(operation, 0..12), one_key, about).prop_map(|(operations, one_key, about)| {
        let mut open: Vec<Option<Event>> = vec![None; 4];
        let mut names: Vec<u64> = vec![0, 1, 2, u64::MAX];
        let mut events = Vec::new();
        for (number, ((call, reply), key, end, close_now, slot, time)) in operations.into_iter().enumerate() {
            let key = one_key.clone().unwrap_or(key);
            if let Some(end) = open[slot].take() {
                events.push(end);
            }
            let process = names[slot];
            events.push(Event { process, kind: Kind::Invoke, call: call.clone(), key: key.clone(), time });
            let kind = match end {
                0 => Kind::Fail,
                1 => Kind::Info,
                2 => {
                    // It never completes, and its process does nothing more.
                    names[slot] = 10 + number as u64;
                    continue;
                }
                _ => Kind::Ok(reply),
            };
            if kind == Kind::Info {
                names[slot] = 10 + number as u64;
            }
            let end = Event { process, kind, call, key, time };
            if close_now { events.push(end) } else { open[slot] = Some(end) }
        }
        events.extend(open.into_iter().flatten());
        let history = History::from_events(events).unwrap();
        let mut text = Vec::new();
        // The native format is the way to an `about`.
        if let Some(about) = about {
            text.extend(format!("{{\"about\":{}}}\n", serde_json::to_string(&about).unwrap()).bytes());
        }
        for event in history.to_events() {
            text.extend(format!("{}\n", event.to_line().unwrap()).bytes());
        }
        let options = ReadOptions { format: Some(Format::Native), ..ReadOptions::default() };
        read_bytes("native", &text, &options).unwrap().history
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_written_is_read(history in history(), initial in value()) {
        for format in Format::WRITTEN {
            let mut text = Vec::new();
            write(&history, &initial, format, &mut text).unwrap();
            let shown = String::from_utf8_lossy(&text).into_owned();
            for asked in [Some(format), None] {
                if asked.is_none() && (history.is_empty() || format == Format::Json) {
                    // An empty list is the same in both languages; a header of JSON is told by the reader, not before.
                    continue;
                }
                let read = read_bytes("f", &text, &ReadOptions { format: asked, ..ReadOptions::default() });
                let read = read.unwrap_or_else(|error| panic!("{error} in {shown}"));
                prop_assert_eq!(read.format, format, "{}", &shown);
                prop_assert_eq!(&read.history, &history, "{}", &shown);
                prop_assert_eq!(read.history.about(), history.about());
                if format != Format::Native {
                    prop_assert_eq!(&read.conventions.initial, &initial, "{}", &shown);
                }
            }
        }
    }

    /// Bytes that nobody meant to be a history end in a history or an error, whoever reads them.
    #[test]
    fn no_input_breaks_a_reader(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        read_all(&bytes)?;
    }

    /// The same of text that looks right for a while.
    #[test]
    fn no_damage_breaks_a_reader(history in history(), at in any::<usize>(), byte in any::<u8>(), cut in any::<bool>()) {
        for format in Format::WRITTEN {
            let mut text = Vec::new();
            write(&history, &Value::Null, format, &mut text).unwrap();
            if text.is_empty() {
                continue;
            }
            let at = at % text.len();
            if cut { text.truncate(at) } else { text[at] = byte }
            read_all(&text)?;
        }
    }
}

/// The same event by event.
fn follow(bytes: &[u8], options: &ReadOptions) -> Result<Vec<Event>, Error> {
    let (begin, rest) = bytes.split_at(bytes.len() / 3);
    let mut source = begin.chain(rest);
    let beginning = Beginning::read("f", &mut source, options)?;
    Follow::new("f", beginning, source, options).map(|event| event.map(|(_, event)| event)).collect()
}

fn read_all(bytes: &[u8]) -> Result<(), proptest::test_runner::TestCaseError> {
    for format in Format::ALL.into_iter().map(Some).chain([None]) {
        for salvage in [false, true] {
            let options = ReadOptions { format, salvage, ..ReadOptions::default() };
            let read = read_bytes("f", bytes, &options);
            let long = read_bytes("f", bytes, &ReadOptions { without_short_cut: true, ..options.clone() });
            prop_assert_eq!(format!("{:?}", &read), format!("{:?}", long), "the short cut says something else");
            let followed = follow(bytes, &options);
            if let (Ok(loaded), Ok(events), false) = (&read, followed, salvage) {
                prop_assert_eq!(events, loaded.history.to_events(), "followed, it is another history");
            }
            if let Err(error) = read {
                let text = error.to_string();
                prop_assert!(text.starts_with('f') && !text.contains('\n'), "{}", text);
            }
        }
    }
    Ok(())
}

/// Jepsen's own tools read what is written: tuples for keys, nothing that is not EDN.
#[test]
fn what_is_written_looks_like_jepsen() {
    let native = "{\"about\":\"a \\\"b\\\"\"}\n\
        {\"process\":0,\"type\":\"invoke\",\"f\":\"read\",\"key\":\"x\",\"time\":1}\n\
        {\"process\":0,\"type\":\"ok\",\"f\":\"read\",\"key\":\"x\",\"value\":null,\"time\":2}\n\
        {\"process\":0,\"type\":\"invoke\",\"f\":\"cas\",\"key\":\"x\",\"value\":[1,2]}\n\
        {\"process\":0,\"type\":\"ok\",\"f\":\"cas\",\"key\":\"x\",\"value\":[1,2],\"applied\":false}\n";
    let history = read_bytes("f", native.as_bytes(), &ReadOptions::default()).unwrap().history;
    let written = |format| {
        let mut text = Vec::new();
        write(&history, &Value::Null, format, &mut text).unwrap();
        String::from_utf8(text).unwrap()
    };
    let edn = "#_{:about \"a \\\"b\\\"\", :initial nil, :independent true}\n\
        [{:process 0, :type :invoke, :f :read, :value [\"x\" nil], :time 1, :index 0}\n \
        {:process 0, :type :ok, :f :read, :value [\"x\" nil], :result nil, :time 2, :index 1}\n \
        {:process 0, :type :invoke, :f :cas, :value [\"x\" [1 2]], :index 2}\n \
        {:process 0, :type :ok, :f :cas, :value [\"x\" [1 2]], :applied false, :index 3}]\n";
    assert_eq!(written(Format::Edn), edn);
    let json = "[{\"about\":\"a \\\"b\\\"\"},\n\
        {\"process\":0,\"type\":\"invoke\",\"f\":\"read\",\"key\":\"x\",\"value\":null,\"time\":1,\"index\":0},\n\
        {\"process\":0,\"type\":\"ok\",\"f\":\"read\",\"key\":\"x\",\"value\":null,\"result\":null,\"time\":2,\"index\":1},\n\
        {\"process\":0,\"type\":\"invoke\",\"f\":\"cas\",\"key\":\"x\",\"value\":[1,2],\"index\":2},\n\
        {\"process\":0,\"type\":\"ok\",\"f\":\"cas\",\"key\":\"x\",\"value\":[1,2],\"applied\":false,\"index\":3}]\n";
    assert_eq!(written(Format::Json), json);
    assert_eq!(written(Format::Native), native);
    for format in [Format::Columns, Format::Awdit, Format::Etcd] {
        assert!(write(&history, &Value::Null, format, &mut Vec::new()).is_err());
    }
}
