//! Every reader, with inputs that it accepts and the reason why it refuses others.

use sextant_histories::formats::{self, Format, ReadOptions};
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

/// A target for the reader of one format.
macro_rules! target {
    ($name:literal, $format:expr, $seeds:expr) => {
        Target {
            name: $name,
            check: |bytes| checks::foreign($format, bytes),
            reason: |bytes| foreign_reason($format, bytes),
            seeds: $seeds,
        }
    };
}

pub const TARGETS: [Target; 10] = [
    Target { name: "native", check: checks::native, reason: native_reason, seeds: native_seeds },
    target!("edn", Some(Format::Edn), || written(Format::Edn)),
    target!("json", Some(Format::Json), || written(Format::Json)),
    target!("porcupine-etcd", Some(Format::PorcupineEtcd), || own(PORCUPINE_ETCD)),
    target!("porcupine-kv", Some(Format::PorcupineKv), || own(PORCUPINE_KV)),
    target!("columns", Some(Format::Columns), || own(COLUMNS)),
    target!("awdit", Some(Format::Awdit), || own(AWDIT)),
    target!("plume", Some(Format::Plume), || own(PLUME)),
    Target { name: "etcd", check: checks::etcd, reason: etcd_reason, seeds: || own(ETCD) },
    target!("auto", None, || TARGETS[..8].iter().flat_map(|target| (target.seeds)()).collect()),
];

const PORCUPINE_ETCD: &[&str] = &["\
INFO  jepsen.util - 0   :invoke :cas    [1 2]
INFO  jepsen.core - something else
INFO  jepsen.util - 1   :invoke :read   nil
INFO  jepsen.util - 0   :fail   :cas    [1 2]
INFO  jepsen.util - 1   :ok     :read   3
INFO  jepsen.util - 1   :invoke :write  4
INFO  jepsen.util - 1   :info   :write  :timed-out
INFO  jepsen.util - 0   :invoke :read   nil
INFO  jepsen.util - 0   :fail   :read   :timed-out
"];
const PORCUPINE_KV: &[&str] = &["\
{:process 0, :type :invoke, :f :put, :key \"0\", :value \"x 0 0 y\"}
{:process 1, :type :invoke, :f :get, :key \"0\", :value nil}
{:process 0, :type :ok, :f :put, :key \"0\", :value \"x 0 0 y\"}
{:process 1, :type :ok, :f :get, :key \"0\", :value \"x 0 0 y\"}
{:process 1, :type :invoke, :f :append, :key \"0\", :value \"x 1 0 y\"}
{:process 1, :type :ok, :f :append, :key \"0\", :value \"x 1 0 y\"}
"];
const COLUMNS: &[&str] = &[
    "\
# where it is from
process,f,key,value,old,invoke,return,outcome
0,write,x,5,,10,30,ok
1,read,x,5,,20,40,ok
0,cas,x,6,5,50,60,differed
2,write,x,7,,55,,info
",
    "\
f,process,invoke,return,outcome,value
enqueue,0,1,2,ok,\"a \"\"b\"\"\"
dequeue,0,2,3,ok,
add,1,2,9,fail,true
",
];
const AWDIT: &[&str] = &["w 0 1\nw 1 1\n-----\nr 0 1\nw 0 2\n=====\nr 1 1\n-----\nr 0 2\n"];
const PLUME: &[&str] = &["w(0,1,0,0)\nr(0,1,1,1)\nw(1,2,1,1)\nr(1,2,0,2)\n"];
const ETCD: &[&str] = &[concat!(
    r#"{"ClientId":1,"Input":{"Type":"range","LeaseGrant":null,"LeaseRevoke":null,"Range":{"Start":"a","End":"b","Limit":10,"Revision":0},"Txn":null,"Defragment":null},"Call":1,"Output":{"Txn":null,"Range":{"KVs":[{"Key":"a","Value":{"Value":"9","Hash":0},"ModRevision":3}],"Count":1},"LeaseGrant":null,"LeaseRevoke":null,"Defragment":null,"Revision":3,"PartialResponse":false,"Error":""},"Return":15}"#,
    "\n",
    r#"{"ClientId":1,"Input":{"Type":"txn","LeaseGrant":null,"LeaseRevoke":null,"Range":null,"Txn":{"Conditions":[{"Key":"a","ExpectedRevision":0}],"OperationsOnSuccess":[{"Type":"put-operation","Range":{"Start":"","End":"","Limit":0},"Put":{"Key":"a","Value":{"Value":"12","Hash":0},"LeaseID":0},"Delete":{"Key":""}}],"OperationsOnFailure":null},"Defragment":null},"Call":20,"Output":{"Txn":null,"Range":null,"LeaseGrant":null,"LeaseRevoke":null,"Defragment":null,"Revision":0,"PartialResponse":false,"Error":"time-out"},"Return":30}"#,
    "\n"
)];

fn own(texts: &[&str]) -> Vec<Vec<u8>> {
    texts.iter().map(|text| text.as_bytes().to_vec()).collect()
}

/// The native seeds in another format.
fn written(format: Format) -> Vec<Vec<u8>> {
    let rewrite = |seed: Vec<u8>| {
        let (history, _) = History::collect(&mut Reader::new("", seed.as_slice())).expect("a right seed");
        let mut text = Vec::new();
        formats::write(&history, &Value::Null, format, &mut text).expect("a vector takes everything");
        text
    };
    native_seeds().into_iter().map(rewrite).collect()
}

fn foreign_reason(format: Option<Format>, bytes: &[u8]) -> Option<String> {
    let options = ReadOptions { format, ..ReadOptions::default() };
    formats::read_bytes("", bytes, &options).err().map(|error| error.fault.to_string())
}

fn etcd_reason(bytes: &[u8]) -> Option<String> {
    let file = std::env::temp_dir().join(format!("sextant-fuzz-{}-reason.json", std::process::id()));
    std::fs::write(&file, bytes).expect("room for a file");
    let options = ReadOptions { format: Some(Format::Etcd), ..ReadOptions::default() };
    let read = formats::read(&file, &options);
    std::fs::remove_file(&file).expect("the file that was written");
    read.err().map(|error| error.fault.to_string())
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
