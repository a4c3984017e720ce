//! The formats of others: what they mean, and what is wrong with a file, where.

use sextant_histories::formats::{Format, Independent, Loaded, Order, ReadOptions, read, read_bytes, table};
use sextant_histories::{Call, Error, Key, MicroKind, Operation, Outcome, Reply, Value};

fn load(text: &str) -> Result<Loaded, Error> {
    read_bytes("f", text.as_bytes(), &ReadOptions::default())
}

fn loaded(text: &str) -> Loaded {
    load(text).unwrap_or_else(|error| panic!("{error} in {text}"))
}

fn operations(text: &str) -> Vec<Operation> {
    loaded(text).history.operations().to_vec()
}

/// One line an operation: process, key, call, outcome, events.
fn told(text: &str) -> Vec<String> {
    let tell = |operation: &Operation| {
        let outcome = match &operation.outcome {
            Outcome::Ok(Reply::Read(value) | Reply::Returned(value)) => format!("{value}"),
            Outcome::Ok(reply) => format!("{reply:?}").to_lowercase(),
            Outcome::Fail => "fail".into(),
            Outcome::Indeterminate => "info".into(),
        };
        let end = operation.completed.map_or("-".to_owned(), |moment| moment.index.to_string());
        let Operation { process, key, call, invoked, .. } = operation;
        format!("{process} {key} {call} -> {outcome} [{} {end}]", invoked.index)
    };
    operations(text).iter().map(tell).collect()
}

fn reason(text: &str) -> String {
    match load(text) {
        Ok(loaded) => panic!("{text:?} was read as {}", loaded.format.name()),
        Err(error) => error.to_string(),
    }
}

#[test]
fn edn_with_all_that_jepsen_writes() {
    let text = "; a comment
        [{:process 0, :type :invoke, :f :write, :value 1, :time 5 :index 0}
         #jepsen.history.Op{:process 1, :type :invoke, :f :read, :value nil, :time 6, :index 1}
         {:process :nemesis, :type :info, :f :start, :value nil, :time 7, :index 2}
         {:process 1, :type :ok, :f :read, :value nil, :time 8, :index 3}
         {:process 0, :type :info, :f :write, :value :timed-out, :error [:x 1.5], :time 9, :index 4}
         {:process 2, :type :invoke, :f :cas, :value [1 2], :index 5},,
         {:process 2, :type :fail, :f :cas, :value [1 2], :index 6}
         {:process 1, :type :invoke, :f :read, :index 7} #_{:type :what}
         {:process 1, :type :ok, :f :read, :value :k, :index 8}]";
    let expected = [
        "0 - write 1 -> info [0 3]",
        "1 - read -> fail [1 2]",
        "2 - cas 1 to 2 -> fail [4 5]",
        "1 - read -> \":k\" [6 7]",
    ];
    assert_eq!(told(text), expected);
    let loaded = loaded(text);
    assert_eq!(loaded.format, Format::Edn);
    assert_eq!(loaded.conventions.initial, Value::Int(0));
    assert_eq!(loaded.warnings, ["1 events of processes that are no integers were left out: nemesis"]);
    assert_eq!(loaded.history.line(2), 5, "the line in the file, not in a native one");
    // One a line, and as a list.
    let lines = "{:process 0 :type :invoke :f :write :value 1}\n{:process 0 :type :ok :f :write :value 1}\n";
    assert_eq!(told(lines), ["0 - write 1 -> written [0 1]"]);
    assert_eq!(told(&format!("({lines})")), told(lines));
}

#[test]
fn json_in_an_array_and_by_the_line() {
    let array = r#"[{"process":0,"type":"invoke","f":"add","value":[1,2],"index":0},
        {"process":"nemesis","type":"info","f":"start","value":null,"index":1},
        {"process":0,"type":"ok","f":"add","value":[1,2],"index":2,"exception":{"via":[1.5]}}]"#;
    assert_eq!(told(array), ["0 - add [1, 2] -> done [0 1]"]);
    assert_eq!(loaded(array).format, Format::Json);
    let lines = "{\"index\":0,\"process\":0,\"type\":\"invoke\",\"f\":\"read\",\"value\":null}\n{\"index\":1,\"process\":0,\"type\":\"ok\",\"f\":\"read\",\"value\":null}\n";
    assert_eq!(told(lines), ["0 - read -> fail [0 1]"]);
}

#[test]
fn every_function_of_jepsen() {
    let one = |f: &str, value: &str, ok: &str| {
        let text =
            format!("{{:process 0 :type :invoke :f {f} :value {value}}} {{:process 0 :type :ok :f {f} :value {ok}}}");
        told(&text).join("; ")
    };
    assert_eq!(one(":write", "1", "1"), "0 - write 1 -> written [0 1]");
    assert_eq!(one(":cas", "[1 2]", "[1 2]"), "0 - cas 1 to 2 -> swapped [0 1]");
    assert_eq!(one(":add", "1", "1"), "0 - add 1 -> done [0 1]");
    assert_eq!(one(":remove", "1", "nil"), "0 - remove 1 -> done [0 1]");
    assert_eq!(one(":enqueue", "1", "1"), "0 - enqueue 1 -> done [0 1]");
    assert_eq!(one(":dequeue", "nil", "1"), "0 - dequeue -> 1 [0 1]");
    assert_eq!(one(":dequeue", "nil", "nil"), "0 - dequeue -> null [0 1]");
    assert_eq!(one(":push", "1", "1"), "0 - push 1 -> done [0 1]");
    assert_eq!(one(":pop", "nil", "1"), "0 - pop -> 1 [0 1]");
    assert_eq!(one(":insert", "1", "1"), "0 - insert 1 -> done [0 1]");
    assert_eq!(one(":pop-min", "nil", "1"), "0 - pop-min -> 1 [0 1]");
    assert_eq!(one(":acquire", "nil", "nil"), "0 - acquire -> done [0 1]");
    assert_eq!(one(":release", "\"owner\"", "7"), "0 - release -> done [0 1]");
    assert_eq!(one(":append", "\"a\"", "\"a\""), "0 - append \"a\" -> done [0 1]");
    assert_eq!(one(":read", "3", "#{3 1 2}"), "0 - read -> [1, 2, 3] [0 1]");
    assert_eq!(one("\"custom:reset\"", "5", "9"), "0 - reset 5 -> 9 [0 1]");
    assert_eq!(one("\"custom:reset\"", "5", "5"), "0 - reset 5 -> done [0 1]");
    let contains =
        "{:process 0 :type :invoke :f :contains :value 1} {:process 0 :type :ok :f :contains :value 1 :result true}";
    assert_eq!(told(contains), ["0 - contains 1 -> true [0 1]"]);
}

#[test]
fn bank_accounts_are_not_registers() {
    let text = "{:process 0 :type :invoke :f :read} {:process 1 :type :invoke :f :transfer :value {:to 0, :from 3}}
        {:process 0 :type :ok :f :read :value {1 5, 0 10}} {:process 1 :type :fail :f :transfer :value [:negative 2 -1]}";
    let expected =
        ["0 - read null -> [[0, 10], [1, 5]] [0 2]", "1 - transfer [[\":from\", 3], [\":to\", 0]] -> fail [1 3]"];
    assert_eq!(told(text), expected);
    assert!(matches!(&operations(text)[0].call, Call::Other(name, _) if &**name == "read"));
}

#[test]
fn transactions_of_elle_with_or_without_process_and_function() {
    let text = "{:type :invoke :value [[:append 1 2] [:r :x nil]]} {:type :ok :value [[:append 1 2] [:r :x [1]]]}
        {:type :invoke :f :txn :value [[:w 3 4]]} {:type :info :f :txn :value [[:w 3 4]]}";
    let operations = operations(text);
    assert_eq!(operations.iter().map(|operation| operation.process).collect::<Vec<_>>(), [0, 1]);
    let Outcome::Ok(Reply::Txn(steps)) = &operations[0].outcome else { panic!("a transaction") };
    assert_eq!((steps[0].kind, steps[1].kind), (MicroKind::Append, MicroKind::Read));
    assert_eq!((&steps[1].key, &steps[1].value), (&Key::from(":x"), &[Value::Int(1)].into_iter().collect()));
    assert_eq!(operations[1].outcome, Outcome::Indeterminate);
    // Concurrent ones are told apart by what they do; where they cannot be, that is an error.
    let concurrent = "{:type :invoke :f :read} {:type :invoke :f :write :value 1} {:type :ok :f :write :value 1} {:type :ok :f :read :value 1}";
    assert_eq!(told(concurrent), ["0 - read -> 1 [0 3]", "1 - write 1 -> written [1 2]"]);
    let twins = "{:type :invoke :f :read}\n{:type :invoke :f :read}\n{:type :ok :f :read :value 1}";
    assert_eq!(reason(twins), "f:3:1: two open operations can be meant; no event has a process");
    assert_eq!(reason("{:type :ok :f :read :value 1}"), "f:1:1: completes no open operation; no event has a process");
    let mixed = "{:type :invoke :f :read}\n{:type :invoke :f :read :process 1}";
    assert_eq!(reason(mixed), "f:1:1: missing field `process`, which other events have");
}

#[test]
fn independent_keys_where_nothing_else_is_possible() {
    let text = "{:process 0 :type :invoke :f :read :value [1 nil]} {:process 0 :type :ok :f :read :value [1 5]}
        {:process 0 :type :invoke :f :cas :value [:b [1 2]]} {:process 0 :type :fail :f :cas :value [:b [1 2]]}";
    assert_eq!(told(text), ["0 1 read -> 5 [0 1]", "0 \":b\" cas 1 to 2 -> fail [2 3]"]);
    assert_eq!(loaded(text).warnings, ["every value is a pair, so each was taken as [key value]"]);
    // Reads of null without a key: pairs are values.
    let pairs = "{:process 0 :type :invoke :f :read :value nil} {:process 0 :type :ok :f :read :value [1 5]}";
    assert_eq!(told(pairs), ["0 - read -> [1, 5] [0 1]"]);
    // Nothing read, nothing known.
    let writes = "{:process 0 :type :invoke :f :write :value [1 5]} {:process 0 :type :ok :f :write :value [1 5]}";
    assert_eq!(told(writes), ["0 - write [1, 5] -> written [0 1]"]);
    let asked = |text: &str, independent| {
        let options = ReadOptions { independent, ..ReadOptions::default() };
        read_bytes("f", text.as_bytes(), &options)
    };
    let forced = asked(writes, Independent::Yes).unwrap();
    assert_eq!(
        (&forced.history.operations()[0].key, &forced.history.operations()[0].call),
        (&Key::Int(1), &Call::Write(5.into()))
    );
    let plain = asked(text, Independent::No).unwrap();
    assert!(plain.history.operations().iter().all(|operation| operation.key == Key::None));
    let error = asked(pairs, Independent::Yes).unwrap_err().to_string();
    assert_eq!(error, "f:1:1: keys are independent, so a value is a pair [key value]");
}

#[test]
fn the_index_orders_events() {
    let text =
        "{:process 0 :type :ok :f :write :value 1 :index 7}\n{:process 0 :type :invoke :f :write :value 1 :index 3}";
    assert_eq!(told(text), ["0 - write 1 -> written [0 1]"]);
    let loaded = loaded(text);
    assert_eq!((loaded.history.line(0), loaded.history.line(1)), (2, 1));
    assert_eq!(loaded.warnings, ["1 events stand before one with a smaller index: the index counts"]);
    let twice = "{:process 0 :type :invoke :f :read :index 3}\n{:process 1 :type :invoke :f :read :index 3}";
    assert_eq!(reason(twice), "f:2:1: the index 3 occurs twice");
}

#[test]
fn a_drain_is_dequeues() {
    let text = "{:process 4 :type :invoke :f :drain} {:process 1 :type :invoke :f :dequeue}
        {:process 4 :type :ok :f :drain :value [1 2]} {:process 1 :type :ok :f :dequeue :value 3}";
    assert_eq!(told(text), ["5 - dequeue -> 1 [0 3]", "6 - dequeue -> 2 [1 4]", "1 - dequeue -> 3 [2 5]"]);
    let crash = "{:process 4 :type :invoke :f :drain}\n{:process 4 :type :info :f :drain}";
    assert!(reason(crash).starts_with("f:2:1: a drain that did not return"), "{}", reason(crash));
    assert!(reason("{:process 4 :type :invoke :f :drain}").starts_with("f:1:1: a drain that did not return"));
    let failed = "{:process 4 :type :invoke :f :drain}\n{:process 4 :type :fail :f :drain}";
    assert!(told(failed).is_empty());
}

#[test]
fn porcupines_logs() {
    let text = "INFO  jepsen.util - 0\t:invoke\t:cas\t[1 2]\nINFO  jepsen.util - 0   :fail   :cas    [1 2]\n\
        INFO  jepsen.util - 1 :invoke :write 3\nINFO  jepsen.util - 1 :info :write :timed-out\n\
        INFO  jepsen.core - done\nINFO  jepsen.util - :nemesis :info :start nil\n\
        INFO  jepsen.util - 2 :invoke :read nil\nINFO  jepsen.util - 2 :fail :read :timed-out\n\
        INFO  jepsen.util - 2 :invoke :read nil\nINFO  jepsen.util - 2 :ok :read nil\n";
    let expected = [
        "0 - cas 1 to 2 -> differed [0 1]",
        "1 - write 3 -> info [2 3]",
        "2 - read -> fail [4 5]",
        "2 - read -> null [6 7]",
    ];
    assert_eq!(told(text), expected);
    assert_eq!(loaded(text).history.line(4), 7);
    assert_eq!(loaded(text).warnings.len(), 2);
    let failed =
        |value: &str| format!("INFO jepsen.util - 0 :invoke :cas [1 2]\nINFO jepsen.util - 0 :fail :cas {value}\n");
    assert_eq!(told(&failed(":timed-out")), ["0 - cas 1 to 2 -> fail [0 1]"], "not a claim");
    let log = |line: &str| reason(&format!("INFO  jepsen.util - 9 :invoke :read nil\n{line}\n"));
    assert_eq!(log("INFO jepsen.util - 0 :what :read nil"), "f:2:22: unknown type: use :invoke, :ok, :fail or :info");
    assert_eq!(log("INFO jepsen.util - 0 :ok :push nil"), "f:2:26: unknown function: use :read, :write or :cas");
    assert_eq!(log("INFO jepsen.util - 0 :ok :read"), "f:2:31: the value is missing");
    assert_eq!(log("INFO jepsen.util - 0 :ok :read 1.5"), "f:2:32: 1.5 is no integer of 64 signed bits");
    assert_eq!(log("INFO jepsen.util - 0 :ok :read 1"), "f:2:1: process 0 completes nothing: no operation is open");
    assert_eq!(log("what is this"), "f:2:1: no line of a log: it does not begin with a level such as INFO");
    assert_eq!(log(""), "f:2:1: blank line");
    assert_eq!(log("INFO jepsen.util - 9 :invoke :read nil"), "f:2:1: process 9 invokes while its operation is open");
    assert_eq!(reason("INFO jepsen.util - 0 :invoke :write 4"), "f:1: truncated last line", "it may have been 42");

    let kv = "{:process 0, :type :invoke, :f :append, :key \"0\", :value \"x\"}\n{:process 0, :type :ok, :f :append, :key \"0\", :value \"x\"}\n\
        {:process 0, :type :invoke, :f :get, :key \"0\", :value nil}\n{:process 0, :type :ok, :f :get, :key \"0\", :value \"x\"}\n\
        {:process 0, :type :invoke, :f :put, :key \"1\", :value \"y\"}\n";
    let expected =
        ["0 \"0\" append \"x\" -> done [0 1]", "0 \"0\" read -> \"x\" [2 3]", "0 \"1\" write \"y\" -> info [4 -]"];
    assert_eq!(told(kv), expected);
    assert_eq!(loaded(kv).conventions.initial, Value::from(""));
    let other = kv.replace(":put", ":read");
    assert_eq!(reason(&other), "f:5:32: unknown function \"read\": use get, put or append");
}

#[test]
fn columns() {
    let text = "# from a test\nprocess,f,key,value,old,invoke,return,outcome\n1,read,x,5,,20,40,ok\n0,write,x,5,,10,30,ok\n\
        0,cas,x,6,5,50,60,differed\n2,write,\"7\",\"a,\"\"b\",,55,,info\n3,read,x,,,70,80,ok\n3,read,x,,,80,80,fail\n";
    let expected = [
        "0 \"x\" write 5 -> written [0 2]",
        "1 \"x\" read -> 5 [1 3]",
        "0 \"x\" cas 5 to 6 -> differed [4 6]",
        "2 \"7\" write \"a,\\\"b\" -> info [5 -]",
        "3 \"x\" read -> null [7 8]",
        "3 \"x\" read -> fail [9 10]",
    ];
    assert_eq!(told(text), expected);
    let history = loaded(text).history;
    assert_eq!((history.about(), history.line(0), history.line(1)), (Some("from a test"), 4, 3));
    // Operations that touch overlap: the read may come first.
    let touching = "process,f,value,invoke,return,outcome\n0,write,1,10,20,ok\n1,read,,20,30,ok\n";
    assert_eq!(told(touching), ["0 - write 1 -> written [0 2]", "1 - read -> null [1 3]"]);
    let wrong = |row: &str| reason(&format!("process,f,value,invoke,return,outcome\n{row}\n"));
    assert_eq!(wrong("0,write,1,10,20"), "f:2:1: 5 columns, where the header has 6");
    assert_eq!(wrong("x,write,1,10,20,ok"), "f:2:1: a process is an integer from 0 on");
    assert_eq!(wrong("0,what,1,10,20,ok"), "f:2:3: unknown function \"what\"");
    assert_eq!(wrong("0,write,1,10,20,maybe"), "f:2:17: unknown outcome \"maybe\": use ok, fail, info or differed");
    assert_eq!(wrong("0,write,1,10,20,differed"), "f:2:17: `differed` is the outcome of a cas");
    assert_eq!(wrong("0,write,1,30,20,ok"), "f:2:1: returns before it was invoked");
    assert_eq!(wrong("0,write,1,30,,ok"), "f:2:1: what ended in ok or fail has a time of return");
    assert_eq!(wrong("0,write,1,-3,20,ok"), "f:2:11: invoke is no integer from 0 on: \"-3\"");
    assert_eq!(wrong("0,write,\"1,10,20,ok"), "f:2:9: a quotation mark is not closed");
    assert_eq!(wrong("0,write,1,10,30,ok\n0,read,1,20,40,ok"), "f:3:1: process 0 invokes while its operation is open");
    assert_eq!(wrong("0,write,1,10,30,info\n0,read,1,40,50,ok"), "f:3:1: process 0 invokes after it ended in info");
    assert_eq!(reason("process,f,invoke,return,outcome\n0,read,1,2,o"), "f:2: truncated last line");
    assert_eq!(reason("process,f,invoke,return\n"), "f:1:1: the column outcome is missing");
}

#[test]
fn transactions_in_sessions() {
    let awdit = "w 0 1\nw 1 1\n-----\nr 0 1\n=====\nr 1 1\n\n";
    let loaded_awdit = loaded(awdit);
    assert_eq!((loaded_awdit.format, loaded_awdit.conventions.order), (Format::Awdit, Order::Sessions));
    let processes: Vec<u64> = loaded_awdit.history.operations().iter().map(|operation| operation.process).collect();
    assert_eq!(processes, [0, 1, 0]);
    let plume = "w(0,1,0,0)\nw(1,1,0,0)\nr(1,1,1,0)\nr(0,1,0,1)\n";
    assert_eq!(loaded(plume).history.to_events(), loaded_awdit.history.to_events());
    assert_eq!(reason("w 0 1\nx 1 1\n"), "f:2:1: an operation is `r KEY VALUE` or `w KEY VALUE`");
    assert_eq!(reason("w 0 1\nr 1\n"), "f:2:4: an integer is missing");
    assert_eq!(reason("w 0 1\nr 1 2 3\n"), "f:2:7: something stands behind the value");
    assert_eq!(reason("w 0 1\nr 1 y\n"), "f:2:5: \"y\" is no integer of 64 signed bits");
    assert_eq!(reason("w(0,1,0,0)\nr(0,1)\n"), "f:2:1: an operation is `r(KEY,VALUE,SESSION,TRANSACTION)` or `w(...)`");
    assert_eq!(reason("w(0,1,0,0)\nr(0,x,0,1)\n"), "f:2:5: \"x\" is no integer of 64 signed bits");
    assert_eq!(reason("w(0,1,0,0)\nr(0,1,-1,1)\n"), "f:2:7: a session and a transaction are no negative numbers");
    assert_eq!(reason("w(0,1,0,0)\nr(0,1,0"), "f:2: truncated last line");
}

/// The mistakes that every format of events can have, in EDN and JSON.
#[test]
fn what_is_wrong_with_events_and_where() {
    let edn = |events: &[&str]| {
        let lines: Vec<String> = events.iter().map(|event| format!("{{{event}}}")).collect();
        reason(&lines.join("\n"))
    };
    let invoke = ":process 0 :type :invoke :f :write :value 1";
    let read = ":process 0 :type :invoke :f :read";
    assert_eq!(edn(&[invoke, invoke]), "f:2:1: process 0 invokes while its operation is open");
    assert_eq!(
        edn(&[read, ":process 1 :type :ok :f :read :value 1"]),
        "f:2:1: process 1 completes nothing: no operation is open"
    );
    assert_eq!(
        edn(&[invoke, ":process 0 :type :info :f :write", read]),
        "f:3:1: process 0 invokes after it ended in info"
    );
    assert_eq!(
        edn(&[invoke, ":process 0 :type :ok :f :read :value 1"]),
        "f:2:1: completion of process 0 disagrees with its invocation in f"
    );
    assert_eq!(
        edn(&[invoke, ":process 0 :type :ok :f :write :value 2"]),
        "f:2:1: completion of process 0 disagrees with its invocation in value"
    );
    assert_eq!(
        edn(&[":process 0 :type :start :f :read"]),
        "f:1:19: unknown type \"start\": use invoke, ok, fail or info"
    );
    assert_eq!(edn(&[":process 0 :type 5 :f :read"]), "f:1:19: a type is invoke, ok, fail or info");
    assert_eq!(
        edn(&[":process 0 :type :invoke :f :jump"]),
        "f:1:30: unknown function \"jump\"; that of a model of your own is written \"custom:NAME\""
    );
    assert_eq!(edn(&[":process 0 :type :invoke"]), "f:1:1: missing field `f`");
    assert_eq!(edn(&[":process -1 :type :invoke :f :read"]), "f:1:11: a process is an integer from 0 on");
    assert_eq!(edn(&[":process 0 :type :invoke :f :write"]), "f:1:1: missing field `value`");
    assert_eq!(edn(&[":process 0 :type :invoke :f :write :value 1.5"]), "f:1:44: 1.5 is no integer of 64 signed bits");
    assert_eq!(edn(&[":process 0 :type :invoke :f :write :value x"]), "f:1:44: the symbol x is no value");
    assert_eq!(
        edn(&[":process 0 :type :invoke :f :cas :value 1"]),
        "f:1:1: the value of a cas is the pair [old new], not 1"
    );
    assert_eq!(
        edn(&[":process 0 :type :invoke :f :txn :value [[:x 1 2]]"]),
        "f:1:44: unknown step \"x\" of a transaction: use r, w or append"
    );
    assert_eq!(
        edn(&[":process 0 :type :invoke :f :txn :value [[:r 1]]"]),
        "f:1:43: a step of a transaction has three parts, [:r key value]"
    );
    assert_eq!(edn(&[":process 0 :type :invoke :f :txn :value [[:r [1] nil]]"]), "f:1:47: [1] names no object");
    assert_eq!(edn(&[":process 0 :type :invoke :f :read :time -1"]), "f:1:42: `time` is an integer from 0 on");
    assert_eq!(edn(&[":process 0 :type :invoke :f :read :index :x"]), "f:1:43: `index` is an integer from 0 on");
    assert_eq!(edn(&[":process 0 :process 1 :type :invoke :f :read"]), "f:1:13: duplicate field `process`");
    assert_eq!(
        edn(&[":process 0 :type :invoke :f :write :value 1 :applied false"]),
        "f:1:1: `applied` and `result` belong to an ok"
    );
    assert_eq!(
        edn(&[read, ":process 0 :type :ok :f :read :value 1 :applied false"]),
        "f:2:1: `applied` belongs to the ok of a cas"
    );
    assert_eq!(edn(&[read, ":process 0 :type"]), "f:2:1: not EDN: a map has a key without a value");
    assert_eq!(reason("[{:process 0 :type :invoke :f :read} 5]"), "f:1:38: an operation is a map, not an integer");
    assert_eq!(
        reason("[{:process 0 :type :invoke :f :read}] 5"),
        "f:1:38: something stands behind the list of operations"
    );
    assert_eq!(reason("[{:process 0 :type :invoke :f :read}"), "f:1:37: truncated: a list is not closed");
    assert_eq!(
        reason("{:process 0 :type :invoke :f :read}\n{:process 0 :ty"),
        "f:2:16: truncated: a bracket is not closed"
    );

    assert_eq!(
        reason(
            "[{\"process\":0,\"type\":\"invoke\",\"f\":\"read\"},\n{\"process\":0,\"type\":\"invoke\",\"f\":\"read\"}]"
        ),
        "f:2:1: process 0 invokes while its operation is open"
    );
    assert_eq!(
        reason("[{\"process\":0,\"type\":\"invoke\",\"f\":\"read\"}"),
        "f:1:42: truncated: a bracket is not closed"
    );
    assert_eq!(
        reason("[{\"process\":0,\"type\":\"invoke\",\"f\":\"read\"} {"),
        "f:1:43: not JSON: expected `,` or `]`"
    );
    assert_eq!(
        reason("[{\"process\":0,\"type\":\"invoke\",\"f\":7}]"),
        "f:1:35: the name of a function is a keyword or a string"
    );
}

#[test]
fn torn_files_are_saved_when_asked() {
    let cases = [
        "{:process 0 :type :invoke :f :read}\n{:process 1 :type :invoke :f :write :va",
        "[{:process 0 :type :invoke :f :read}\n {:process 1 :type :invoke :f :write :value \"x",
        "[{\"process\":0,\"type\":\"invoke\",\"f\":\"read\"},{\"process\":1,\"ty",
        "{\"process\":0,\"type\":\"invoke\",\"f\":\"read\"}\n{\"process\":1,\"ty",
        "INFO jepsen.util - 0 :invoke :read nil\nINFO jepsen.util - 1 :inv",
        "process,f,invoke,return,outcome\n0,read,1,,info\n1,re",
        "r(0,1,0,0)\nr(0,1,1",
    ];
    for text in cases {
        assert!(reason(text).contains("truncated"), "{text}: {}", reason(text));
        let options = ReadOptions { salvage: true, ..ReadOptions::default() };
        let saved = read_bytes("f", text.as_bytes(), &options).unwrap();
        assert_eq!(saved.history.operations().len(), 1, "{text}");
        assert!(saved.warnings.iter().any(|warning| warning.contains("truncated")), "{text}: {:?}", saved.warnings);
    }
    // What is wrong is not saved, only what stops.
    let wrong = "{:process 0 :type :ok :f :read}\n{:process 1 :ty";
    let options = ReadOptions { salvage: true, ..ReadOptions::default() };
    assert!(read_bytes("f", wrong.as_bytes(), &options).is_err());
}

#[test]
fn nothing_is_an_empty_history_and_rubbish_is_an_error() {
    for format in [None, Some(Format::Edn), Some(Format::Json), Some(Format::PorcupineEtcd), Some(Format::PorcupineKv)]
    {
        let options = ReadOptions { format, ..ReadOptions::default() };
        assert!(read_bytes("f", b"", &options).unwrap().history.is_empty(), "{format:?}");
    }
    for text in ["[]", "()", "; only a comment\n", "#{}"].iter().take(3) {
        assert!(loaded(text).history.is_empty(), "{text}");
    }
    let rubbish: Vec<u8> = (0..=255).rev().cycle().take(4096).collect();
    for format in Format::ALL.into_iter().map(Some).chain([None]) {
        let options = ReadOptions { format, ..ReadOptions::default() };
        assert!(read_bytes("f", &rubbish, &options).is_err(), "{format:?}");
    }
    let mut names: Vec<String> = Vec::new();
    for text in ["\u{0}\u{1}", "hello", "<xml/>", "{\"a\":", "\"text\""] {
        names.push(reason(text));
    }
    assert!(names.iter().all(|name| name.starts_with("f")), "{names:?}");
}

#[test]
fn deep_nesting_is_an_error_in_every_format() {
    let deep = "[".repeat(200_000);
    let cases = [
        (Format::Edn, format!("{{:process 0 :type :invoke :f :write :value {deep}")),
        (Format::Edn, "{:a ".repeat(200_000)),
        (Format::Edn, deep.clone()),
        (Format::PorcupineKv, deep.clone()),
        (Format::Json, format!("[{{\"process\":0,\"type\":\"invoke\",\"f\":\"write\",\"value\":{deep}")),
        (Format::Native, format!("{{\"process\":0,\"type\":\"invoke\",\"f\":\"write\",\"value\":{deep}\n")),
        (Format::PorcupineEtcd, format!("INFO jepsen.util - 0 :invoke :write {deep}\n")),
    ];
    for (format, text) in cases {
        for format in [Some(format), None] {
            let options = ReadOptions { format, ..ReadOptions::default() };
            let error = read_bytes("f", text.as_bytes(), &options).unwrap_err().to_string();
            assert!(error.contains("nested") || error.contains("recursion"), "{format:?}: {error}");
        }
    }
}

#[test]
fn time_that_goes_backwards() {
    let edn = "{:process 0 :type :invoke :f :read :time 5}\n{:process 0 :type :ok :f :read :value 1 :time 4}\n";
    let native = "{\"process\":0,\"type\":\"invoke\",\"f\":\"read\",\"time\":5}\n{\"process\":0,\"type\":\"ok\",\"f\":\"read\",\"value\":1,\"time\":4}\n";
    for text in [edn, native] {
        let warnings = loaded(text).warnings;
        assert_eq!(warnings, ["time goes backwards on line 2; the order of the lines counts"]);
        let strict = ReadOptions { strict_time: true, ..ReadOptions::default() };
        let error = read_bytes("f", text.as_bytes(), &strict).unwrap_err().to_string();
        assert_eq!(error, "f:2: time goes backwards: 4 after 5");
    }
}

#[test]
fn what_the_file_or_the_user_says_outweighs_the_format() {
    let text = "#_{:initial 7 :about \"x\"} {:process 0 :type :invoke :f :read}";
    assert_eq!(loaded(text).conventions.initial, Value::Int(7));
    assert_eq!(loaded(text).history.about(), Some("x"));
    let options = ReadOptions { initial: Some("y".into()), ..ReadOptions::default() };
    let asked = read_bytes("f", text.as_bytes(), &options).unwrap();
    assert_eq!(asked.conventions.initial, Value::from("y"));
    // Somebody's own comment is none of ours.
    assert_eq!(loaded("#_{:a 1} {:process 0 :type :invoke :f :read}").conventions.initial, Value::Int(0));
}

#[test]
fn the_table_names_every_format() {
    let table = table();
    for format in Format::ALL {
        assert!(table.lines().any(|line| line.trim_start().starts_with(format.name())), "{}", format.name());
        assert_eq!(Format::by_name(format.name()), Some(format));
    }
    assert!(table.lines().all(|line| line.len() < 150), "{table}");
}

/// A report with these operations: client, call, return, and the rest.
fn report(clients: &[(&str, &[&str])]) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    for (client, lines) in clients {
        let folder = directory.path().join(client);
        std::fs::create_dir(&folder).unwrap();
        std::fs::write(folder.join("operations.json"), lines.concat()).unwrap();
    }
    directory
}

fn etcd_line(client: u64, times: [u64; 2], input: &str, output: &str) -> String {
    let [call, end] = times;
    format!("{{\"ClientId\":{client},\"Input\":{input},\"Call\":{call},\"Output\":{output},\"Return\":{end}}}\n")
}

const GRANT: &str = r#"{"Type":"leaseGrant","LeaseGrant":{"LeaseID":5}}"#;
const RANGE: &str = r#"{"Type":"range","Range":{"Start":"a","End":"","Limit":0,"Revision":0}}"#;
const LATE: &str = r#"{"Revision":0,"Error":"deadline"}"#;

#[test]
fn reports_of_etcd() {
    let put = r#"{"Type":"txn","Txn":{"Conditions":[{"Key":"a","ExpectedRevision":0}],"OperationsOnSuccess":[{"Type":"put-operation","Put":{"Key":"a","Value":{"Value":"1","Hash":0},"LeaseID":0}}],"OperationsOnFailure":null}}"#;
    let put_ok = r#"{"Txn":{"Failure":false,"Results":[{"KVs":null,"Count":0,"Deleted":0}]},"Revision":2,"Error":""}"#;
    let seen = r#"{"Range":{"KVs":[{"Key":"a","Value":{"Value":"","Hash":9},"ModRevision":2}],"Count":1},"Revision":2,"Error":""}"#;
    let one = [
        etcd_line(0, [10, 30], put, put_ok),
        etcd_line(0, [40, 50], GRANT, LATE),
        etcd_line(0, [60, 70], GRANT, r#"{"Revision":2,"Error":""}"#),
    ];
    let two = [etcd_line(1, [20, 40], RANGE, seen)];
    let directory = report(&[("client-1", &[&one[0], &one[1], &one[2]]), ("client-2", &[&two[0]])]);
    let loaded = read(directory.path(), &ReadOptions::default()).unwrap();
    assert_eq!(loaded.format, Format::Etcd);
    let told: Vec<String> = loaded
        .history
        .operations()
        .iter()
        .map(|operation| {
            format!("{} {} {:?} {}", operation.process, operation.call, operation.returned(), operation.invoked.index)
        })
        .collect();
    let expected = [
        "0 etcd-txn [[[\"a\", 0]], [[\"put\", \"a\", \"1\", 0]], []] Some(2) 0",
        "1 etcd-range [\"a\", \"\", 0, 0] Some(4) 1",
        "0 etcd-lease-grant 5 None 3",
        "2 etcd-lease-grant 5 Some(7) 6",
    ];
    assert_eq!(told, expected);
    assert_eq!(loaded.history.line(7), 3, "of the client's own file");
    // One client's file is a history too.
    let single = read(directory.path().join("client-1/operations.json"), &ReadOptions::default()).unwrap();
    assert_eq!((single.format, single.history.operations().len()), (Format::Etcd, 3));
}

#[test]
fn what_is_wrong_with_a_report() {
    let wrong = |lines: &[String]| {
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        let directory = report(&[("client-1", &lines)]);
        let error = read(directory.path(), &ReadOptions::default()).unwrap_err();
        assert!(error.file.ends_with("client-1/operations.json"));
        let number = |number: Option<usize>| number.map_or("-".into(), |number| number.to_string());
        format!("{}:{}: {}", number(error.line), number(error.column), error.fault)
    };
    let ok = r#"{"Revision":2,"Error":""}"#;
    assert_eq!(wrong(&[etcd_line(0, [20, 10], GRANT, ok)]), "1:-: returns before it was called");
    let overlap = [etcd_line(0, [10, 30], GRANT, ok), etcd_line(0, [20, 40], GRANT, ok)];
    assert_eq!(wrong(&overlap), "2:-: client 0 invokes while its operation of line 1 is open");
    let unknown = etcd_line(0, [10, 30], r#"{"Type":"compact"}"#, ok);
    assert_eq!(wrong(&[unknown]), "1:-: unknown type of request \"compact\"");
    assert!(
        wrong(&[etcd_line(0, [10, 30], r#"{"Type":"range","What":1}"#, ok)]).starts_with("1:44: unknown field `What`")
    );
    assert_eq!(
        wrong(&[etcd_line(0, [10, 30], RANGE, ok)]),
        "1:-: the answer to a request of type \"range\" has no field for it"
    );
    assert_eq!(wrong(&["{\"ClientId\":0".into()]), "1:13: truncated last line");
    assert!(wrong(&["[1,\n".into()]).starts_with("1:3: not JSON"));
    let empty = tempfile::tempdir().unwrap();
    assert!(read(empty.path(), &ReadOptions::default()).unwrap_err().to_string().ends_with("is a directory"));
}
