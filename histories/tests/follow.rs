//! Following a file gives, event by event, what reading it whole gives.

use std::io::Read;

use sextant_histories::formats::{Beginning, Follow, Format, Independent, ReadOptions, read_bytes, write};
use sextant_histories::generate::{Model, Recipe, Values, make};
use sextant_histories::{Error, Event, Fault, History, Value};

/// Gives a few bytes at a time, as a pipe does.
struct Drip<'a>(&'a [u8], usize);

impl Read for Drip<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = self.0.len().min(buffer.len()).min(self.1);
        let (now, later) = self.0.split_at(count);
        buffer[..count].copy_from_slice(now);
        self.0 = later;
        Ok(count)
    }
}

/// The format, the initial value, and the events with their lines.
type Followed = (Format, Value, Vec<(usize, Event)>);

fn follow(text: &[u8], options: &ReadOptions) -> Result<Followed, Error> {
    let mut seen = None;
    for piece in [1, 7, 1 << 16] {
        let mut source = Drip(text, piece);
        let beginning = Beginning::read("f", &mut source, options)?;
        let (format, initial) = (beginning.format, beginning.conventions.initial.clone());
        let events = Follow::new("f", beginning, source, options).collect::<Result<Vec<_>, _>>()?;
        let now = (format, initial, events);
        assert!(seen.replace(now.clone()).is_none_or(|before| before == now), "in pieces of {piece}");
    }
    Ok(seen.unwrap())
}

fn agrees(text: &[u8], options: &ReadOptions) {
    let whole = read_bytes("f", text, options).unwrap();
    let (format, initial, events) = follow(text, options).unwrap();
    assert_eq!((format, initial), (whole.format, whole.conventions.initial));
    let expected = whole.history.to_events();
    let lines: Vec<usize> = (0..expected.len()).map(|event| whole.history.line(event)).collect();
    let (own_lines, events): (Vec<usize>, Vec<Event>) = events.into_iter().unzip();
    assert_eq!(events, expected, "{}", String::from_utf8_lossy(text));
    assert_eq!(own_lines, lines);
}

#[test]
fn every_written_format_of_every_model() {
    for model in Model::ALL {
        for (seed, keys) in [(1, 1), (2, 3), (3, 3), (4, 7)] {
            let few = if seed % 2 == 0 { Values::Few(4) } else { Values::Unique };
            let values = if matches!(model, Model::ListAppend | Model::MultiRegister) { Values::Unique } else { few };
            let recipe =
                Recipe { seed, operations: 120, keys, values, indeterminate: 3, fail_percent: 5, ..Recipe::of(model) };
            let history = History::from_events(make(&recipe).unwrap().events).unwrap();
            for format in Format::WRITTEN {
                for initial in [Value::Null, Value::Int(7)] {
                    let mut text = Vec::new();
                    write(&history, &initial, format, &mut text).unwrap();
                    let told = ReadOptions { format: Some(format), ..ReadOptions::default() };
                    agrees(&text, &told);
                }
            }
        }
    }
}

const EDN: &str = "{:process 0, :type :invoke, :f :write, :value 1, :index 0}\n\
    {:process :nemesis, :type :info, :f :start, :index 1}\n\
    {:process 1, :type :invoke, :f :read, :value nil, :index 2}\n\
    {:process 0, :type :ok, :f :write, :value 1, :index 3}\n\
    {:process 1, :type :ok, :f :read, :value 1, :index 4}\n";
const TUPLES: &str = "{:process 0, :type :invoke, :f :write, :value [5 1]}\n\
    {:process 1, :type :invoke, :f :read, :value [5 nil]}\n\
    {:process 0, :type :info, :f :write, :value :timed-out}\n\
    {:process 1, :type :ok, :f :read, :value [5 1]}\n";
const LOG: &str = "INFO jepsen.core - starting\n\
    INFO  jepsen.util - 0\t:invoke\t:write\t1\n\
    INFO  jepsen.util - 0\t:ok\t:write\t1\n\
    INFO  jepsen.util - 1\t:invoke\t:cas\t[2 3]\n\
    INFO  jepsen.util - 1\t:fail\t:cas\t[2 3]\n";
const KV: &str = "{:process 0, :type :invoke, :f :put, :key \"0\", :value \"x\"}\n\
    {:process 0, :type :ok, :f :put, :key \"0\", :value \"x\"}\n\
    {:process 1, :type :invoke, :f :get, :key \"0\", :value nil}\n\
    {:process 1, :type :ok, :f :get, :key \"0\", :value \"x\"}\n";
const BANK: &str = "{:type :invoke, :f :read, :process 0}\n\
    {:type :invoke, :f :transfer, :process 1, :value {:from 0, :to 1, :amount 5}}\n\
    {:type :ok, :f :read, :process 0, :value {0 10, 1 10}}\n\
    {:type :ok, :f :transfer, :process 1, :value {:from 0, :to 1, :amount 5}}\n";

#[test]
fn what_others_write() {
    for (text, format) in [
        (EDN, Format::Edn),
        (TUPLES, Format::Edn),
        (BANK, Format::Edn),
        (LOG, Format::PorcupineEtcd),
        (KV, Format::PorcupineKv),
        ("", Format::Native),
        ("[]", Format::Json),
        (
            "{\"process\":0,\"type\":\"invoke\",\"f\":\"read\",\"index\":0}\n{\"process\":0,\"type\":\"ok\",\"f\":\"read\",\"value\":null,\"index\":1}\n",
            Format::Json,
        ),
    ] {
        let options = ReadOptions::default();
        assert_eq!(follow(text.as_bytes(), &options).unwrap().0, format, "{text}");
        agrees(text.as_bytes(), &options);
        agrees(text.as_bytes(), &ReadOptions { format: Some(format), ..options });
    }
    // As one list, which is not closed while it grows.
    agrees(format!("[{EDN}]").as_bytes(), &ReadOptions::default());
    let error = follow(format!("[{EDN}").as_bytes(), &ReadOptions::default()).unwrap_err();
    assert!(matches!(error.fault, Fault::Truncated(_)), "{error}");
    for independent in [Independent::Yes, Independent::No] {
        agrees(TUPLES.as_bytes(), &ReadOptions { independent, ..ReadOptions::default() });
    }
}

#[test]
fn what_only_the_whole_tells_is_refused() {
    let reason = |text: &str| follow(text.as_bytes(), &ReadOptions::default()).unwrap_err().to_string();
    let swapped = EDN.replace(":index 3", ":index 9");
    assert_eq!(
        reason(&swapped),
        "f:5:1: the index 4 comes after 9, so the order is not that of the lines: judge the whole file instead"
    );
    assert!(reason("{:type :invoke, :f :read}\n{:type :ok, :f :read, :value 1}\n").contains("whose it is"));
    assert!(reason("{:process 0, :type :invoke, :f :drain}\n\n").starts_with("f:1:1: how many elements a drain takes"));
    assert!(
        reason("process,f,key,value,invoke,return,outcome\n0,read,x,1,1,2,ok\n")
            .contains("columns is no stream of events")
    );
    assert!(reason("w 0 1\n-----\n").contains("awdit is no stream"));
    assert!(reason("hello\nworld\n").contains("unknown format"));
    // A pair first, then none: whole files are read as plain then, but what was judged has been judged.
    let mixed = format!("{TUPLES}{{:process 1, :type :invoke, :f :write, :value 3}}\n");
    assert!(reason(&mixed).starts_with("f:5:1: keys are independent"), "{}", reason(&mixed));
    let broken = EDN.replace(":type :ok, :f :read", ":type :okay, :f :read");
    assert!(reason(&broken).starts_with("f:5:"), "{}", reason(&broken));
    let twice = format!("{EDN}{{:process 1, :type :ok, :f :read, :value 1, :index 5}}\n");
    assert_eq!(reason(&twice), "f:6:1: process 1 completes nothing: no operation is open");
    let back = "{:process 0, :type :invoke, :f :read, :time 5}\n{:process 0, :type :ok, :f :read, :value 1, :time 4}\n";
    assert!(follow(back.as_bytes(), &ReadOptions::default()).is_ok());
    let strict = ReadOptions { strict_time: true, ..ReadOptions::default() };
    assert_eq!(follow(back.as_bytes(), &strict).unwrap_err().to_string(), "f:2: time goes backwards: 4 after 5");
}
