//! Every reader, with inputs that it accepts and the reason why it refuses others.

use sextant_histories::formats::{Format, ReadOptions, read_bytes, write};
use sextant_histories::generate::{Model, Recipe, Values, make};
use sextant_histories::{History, Reader, Value};

use super::checks;

pub struct Target {
    pub name: &'static str,
    /// Panics where something does not hold.
    pub check: fn(&[u8]),
    /// Why the input is refused, if it is.
    pub reason: fn(&[u8]) -> Option<String>,
    pub seeds: fn() -> Vec<Vec<u8>>,
}

pub const TARGETS: [Target; 10] = [
    Target { name: "native", check: checks::native, reason: native_reason, seeds: native_seeds },
    Target {
        name: "edn",
        check: |bytes| checks::format(Some(Format::Edn), bytes),
        reason: |bytes| reason(Some(Format::Edn), bytes),
        seeds: || written(Format::Edn, EDN),
    },
    Target {
        name: "json",
        check: |bytes| checks::format(Some(Format::Json), bytes),
        reason: |bytes| reason(Some(Format::Json), bytes),
        seeds: || written(Format::Json, JSON),
    },
    Target {
        name: "porcupine-etcd",
        check: |bytes| checks::format(Some(Format::PorcupineEtcd), bytes),
        reason: |bytes| reason(Some(Format::PorcupineEtcd), bytes),
        seeds: || texts(LOG),
    },
    Target {
        name: "porcupine-kv",
        check: |bytes| checks::format(Some(Format::PorcupineKv), bytes),
        reason: |bytes| reason(Some(Format::PorcupineKv), bytes),
        seeds: || texts(KEY_VALUE),
    },
    Target {
        name: "etcd",
        check: |bytes| checks::format(Some(Format::Etcd), bytes),
        reason: |bytes| reason(Some(Format::Etcd), bytes),
        seeds: || texts(ETCD),
    },
    Target {
        name: "columns",
        check: |bytes| checks::format(Some(Format::Columns), bytes),
        reason: |bytes| reason(Some(Format::Columns), bytes),
        seeds: || texts(COLUMNS),
    },
    Target {
        name: "awdit",
        check: |bytes| checks::format(Some(Format::Awdit), bytes),
        reason: |bytes| reason(Some(Format::Awdit), bytes),
        seeds: || texts(AWDIT),
    },
    Target {
        name: "plume",
        check: |bytes| checks::format(Some(Format::Plume), bytes),
        reason: |bytes| reason(Some(Format::Plume), bytes),
        seeds: || texts(PLUME),
    },
    Target {
        name: "auto",
        check: |bytes| checks::format(None, bytes),
        reason: |bytes| reason(None, bytes),
        seeds: || [EDN, JSON, LOG, KEY_VALUE, ETCD, COLUMNS, AWDIT, PLUME].into_iter().flat_map(texts).collect(),
    },
];

const EDN: &[&str] = &[
    r#"; text
       [{:process 0, :type :invoke, :f :read, :value nil, :time 1, :index 0}
        #x{:process 0, :type :ok, :f :read, :value #{1 :a}, :index 1}]"#,
    r#"{:process 0 :type :invoke :f :cas :value ["k" [1 2]]} {:process 0 :type :fail :f :cas}
       {:process :nemesis :type :info}"#,
    "{:type :invoke :value [[:append 1 2] [:r :x nil]]} {:type :ok :value [[:append 1 2] [:r :x [1]]]}",
    "{:process 4 :type :invoke :f :drain} #_1 {:process 4 :type :ok :f :drain :value [1 2]}",
    "({:process 0 :type :invoke :f :transfer :value {:to 0, :from 3}} {:process 0 :type :info :f :transfer :error 1.5})",
];

const JSON: &[&str] = &[
    r#"[{"process":0,"type":"invoke","f":"read","value":[1,null],"index":0},
        {"process":0,"type":"ok","f":"read","value":[1,7],"index":1}]"#,
    r#"{"process":"nemesis","type":"info"}
       {"process":1,"type":"invoke","f":"txn","value":[["w","x",1]],"index":5}"#,
];

const LOG: &[&str] = &[
    "INFO  jepsen.util - 0\t:invoke\t:cas\t[1 2]\nINFO  jepsen.util - 0\t:fail\t:cas\t[1 2]\nINFO  jepsen.core - x\n",
    "INFO  jepsen.util - 1 :invoke :write 3\nINFO  jepsen.util - 1 :info :write :timed-out\n",
    "INFO jepsen.util - 2 :invoke :read nil\nINFO jepsen.util - 2 :ok :read nil\n",
];

const KEY_VALUE: &[&str] = &[r#"{:process 0, :type :invoke, :f :append, :key "0", :value "x"}
{:process 0, :type :ok, :f :append, :key "0", :value "x"}
{:process 1, :type :invoke, :f :get, :key "0", :value nil}
"#];

const ETCD: &[&str] = &[
    concat!(
        r#"{"ClientId":3,"Input":{"Type":"range","Range":{"Start":"a","End":"b","Limit":1,"Revision":0}},"Call":1,"#,
        r#""Output":{"Range":{"KVs":[{"Key":"a","Value":{"Value":"x","Hash":0},"ModRevision":2}],"Count":1},"#,
        r#""Revision":2,"Error":""},"Return":5}"#
    ),
    r#"{"ClientId":3,"Input":{"Type":"leaseGrant","LeaseGrant":{"LeaseID":7}},"Call":1,"Output":{"Revision":0,"Error":"late"},"Return":5}
{"ClientId":3,"Input":{"Type":"defragment"},"Call":6,"Output":{"Revision":2,"Error":""},"Return":9}
"#,
];

const COLUMNS: &[&str] = &[r#"# text
process,f,key,value,old,invoke,return,outcome
0,write,x,5,,10,30,ok
1,read,"a,""b",5,,20,40,ok
0,cas,x,6,5,30,60,differed
2,write,x,true,,55,,info
"#];

const AWDIT: &[&str] = &["w 0 1\nw 1 1\n-----\nr 0 1\n=====\nr 1 1\n"];

const PLUME: &[&str] = &["w(0,1,0,0)\nw(1,1,0,0)\nr(1,1,1,0)\nr(0,1,0,1)\n"];

fn texts(texts: &[&str]) -> Vec<Vec<u8>> {
    texts.iter().map(|text| text.as_bytes().to_vec()).collect()
}

/// The small histories in another format, and some that others would write.
fn written(format: Format, others: &[&str]) -> Vec<Vec<u8>> {
    let own = native_seeds().into_iter().map(|native| {
        let (history, _) = History::collect(&mut Reader::new("", &native[..])).expect("our own history");
        let mut text = Vec::new();
        write(&history, &Value::Null, format, &mut text).expect("a vector takes everything");
        text
    });
    own.chain(texts(others)).collect()
}

fn reason(format: Option<Format>, bytes: &[u8]) -> Option<String> {
    let options = ReadOptions { format, ..ReadOptions::default() };
    read_bytes("", bytes, &options).err().map(|error| error.fault.to_string())
}

fn native_reason(bytes: &[u8]) -> Option<String> {
    let read = History::collect(&mut Reader::new("", bytes));
    read.map_or_else(|error| Some(error.fault.to_string()), |(_, torn)| torn.map(|torn| torn.fault.to_string()))
}

/// Small histories of every model.
fn native_seeds() -> Vec<Vec<u8>> {
    let recipes = Model::ALL.into_iter().flat_map(|model| {
        [Values::Unique, Values::Few(3)].map(|values| Recipe {
            operations: 8,
            clients: 3,
            indeterminate: 1,
            fail_percent: 10,
            values,
            ..Recipe::of(model)
        })
    });
    let file = |recipe: Recipe| {
        let mut file = Vec::new();
        make(&recipe).expect("no violation is asked for").write(&mut file).expect("a vector takes everything");
        file
    };
    recipes.map(file).collect()
}
