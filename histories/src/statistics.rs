//! What a history consists of, counted.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::event::{Call, MicroKind, Reply};
use crate::history::{History, Operation, Outcome};
use crate::value::{Key, Value};

/// Counts of a history.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Statistics {
    pub events: usize,
    pub operations: usize,
    /// By name of the function.
    pub functions: BTreeMap<String, Outcomes>,
    pub processes: usize,
    pub keys: usize,
    /// Operations of the key that has most.
    pub largest_key: usize,
    /// Operations between their two events at once, at most and in the mean over all events. An operation that ended in
    /// `info` is not counted after that, though it may still take effect.
    pub concurrency_max: usize,
    pub concurrency_mean: f64,
    pub values: Values,
    /// Nanoseconds from the first to the last event that has a time.
    pub duration: Option<u64>,
    /// What the keys may be, judged by the functions alone.
    pub object: Object,
}

/// How operations ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outcomes {
    pub ok: usize,
    /// Of the `ok`, a cas that found another value.
    pub differed: usize,
    pub fail: usize,
    pub info: usize,
    /// Neither: the history ends before.
    pub open: usize,
}

/// What was written, put in, added or appended, by operations that did not fail, key by key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Values {
    /// How often.
    pub installed: usize,
    pub distinct: usize,
    /// Of the distinct ones, how many more than once.
    pub reused: usize,
}

/// Which object has the functions that occur.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Object {
    #[default]
    Nothing,
    Register,
    CasRegister,
    KeyValue,
    AppendList,
    Counter,
    Set,
    Queue,
    Stack,
    PriorityQueue,
    Mutex,
    /// Transactions, by what they do: appends, or reads and writes.
    ListAppend,
    MultiRegister,
    /// Functions that no single object known here has together.
    Unknown,
}

impl Statistics {
    pub fn of(history: &History) -> Self {
        let operations = history.operations();
        let mut by_key: BTreeMap<&Key, usize> = BTreeMap::new();
        let mut functions: BTreeMap<String, Outcomes> = BTreeMap::new();
        for operation in operations {
            *by_key.entry(&operation.key).or_default() += 1;
            functions.entry(operation.call.name().to_owned()).or_default().count(operation);
        }
        let processes: BTreeSet<u64> = operations.iter().map(|operation| operation.process).collect();
        let (concurrency_max, concurrency_mean) = concurrency(history);
        Self {
            events: history.len(),
            operations: operations.len(),
            functions,
            processes: processes.len(),
            keys: by_key.len(),
            largest_key: by_key.into_values().max().unwrap_or(0),
            concurrency_max,
            concurrency_mean,
            values: values(operations),
            duration: duration(operations),
            object: object(operations),
        }
    }

    /// How many operations may have taken effect or not.
    pub fn indeterminate(&self) -> usize {
        self.functions.values().map(|outcomes| outcomes.info + outcomes.open).sum()
    }

    /// What class of algorithm decides linearizability, in words.
    pub fn algorithm(&self) -> &'static str {
        let distinct = self.values.reused == 0;
        match self.object {
            Object::Nothing => "nothing to decide",
            Object::Register | Object::CasRegister if distinct => {
                "a register whose written values are distinct: near-linear"
            }
            Object::Register | Object::CasRegister => {
                "a register whose written values recur: a search, exponential at worst in the values that are awaited at once"
            }
            Object::KeyValue | Object::AppendList if distinct => {
                "reads show all that was appended, and each piece once: near-linear where pieces can be told apart"
            }
            Object::Set if distinct => "a set to which each element is added once: near-linear",
            Object::Queue | Object::Stack | Object::PriorityQueue if distinct => {
                "a collection of distinct elements: polynomial"
            }
            Object::ListAppend | Object::MultiRegister => {
                "transactions: cycles of their dependencies; as one object, the general search"
            }
            _ => "the general search, exponential at worst in the operations that are open at once",
        }
    }
}

impl Outcomes {
    fn count(&mut self, operation: &Operation) {
        match &operation.outcome {
            Outcome::Ok(reply) => {
                self.ok += 1;
                self.differed += usize::from(*reply == Reply::Differed);
            }
            Outcome::Fail => self.fail += 1,
            Outcome::Indeterminate if operation.completed.is_some() => self.info += 1,
            Outcome::Indeterminate => self.open += 1,
        }
    }

    pub fn total(&self) -> usize {
        self.ok + self.fail + self.info + self.open
    }
}

impl Object {
    /// Its name as a model.
    pub fn name(self) -> &'static str {
        match self {
            Self::Nothing => "none",
            Self::Register => "register",
            Self::CasRegister => "cas-register",
            Self::KeyValue => "key-value",
            Self::AppendList => "append-list",
            Self::Counter => "counter",
            Self::Set => "set",
            Self::Queue => "queue",
            Self::Stack => "stack",
            Self::PriorityQueue => "priority-queue",
            Self::Mutex => "mutex",
            Self::ListAppend => "list-append",
            Self::MultiRegister => "multi-register",
            Self::Unknown => "unknown",
        }
    }
}

impl fmt::Display for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

fn concurrency(history: &History) -> (usize, f64) {
    // Which events end an operation; all others begin one.
    let mut ends = vec![false; history.len()];
    for moment in history.operations().iter().filter_map(|operation| operation.completed) {
        if let Some(end) = ends.get_mut(moment.index) {
            *end = true;
        }
    }
    let (mut open, mut most, mut sum) = (0usize, 0usize, 0usize);
    for end in &ends {
        open = if *end { open.saturating_sub(1) } else { open + 1 };
        most = most.max(open);
        sum += open;
    }
    (most, if ends.is_empty() { 0.0 } else { sum as f64 / ends.len() as f64 })
}

fn duration(operations: &[Operation]) -> Option<u64> {
    let moments = operations.iter().flat_map(|operation| [Some(operation.invoked), operation.completed]);
    let times: Vec<u64> = moments.flatten().filter_map(|moment| moment.time).collect();
    Some(times.iter().max()? - times.iter().min()?)
}

fn values(operations: &[Operation]) -> Values {
    let mut installed: Vec<(&Key, &Value)> = Vec::new();
    for operation in operations.iter().filter(|operation| operation.outcome != Outcome::Fail) {
        match &operation.call {
            Call::Cas { .. } if operation.reply() == Some(&Reply::Differed) => {}
            Call::Cas { new, .. } => installed.push((&operation.key, new)),
            Call::Write(value)
            | Call::Append(value)
            | Call::Add(value)
            | Call::Enqueue(value)
            | Call::Push(value)
            | Call::Insert(value) => installed.push((&operation.key, value)),
            Call::Txn(steps) => {
                let changes = steps.iter().filter(|step| step.kind != MicroKind::Read);
                installed.extend(changes.map(|step| (&step.key, &step.value)));
            }
            Call::Read | Call::Remove(_) | Call::Contains(_) | Call::Dequeue | Call::Pop | Call::PopMin => {}
            Call::Acquire | Call::Release | Call::Other(..) => {}
        }
    }
    installed.sort_unstable();
    let groups = || installed.chunk_by(|one, other| one == other);
    Values {
        installed: installed.len(),
        distinct: groups().count(),
        reused: groups().filter(|group| group.len() > 1).count(),
    }
}

fn object(operations: &[Operation]) -> Object {
    let calls = || operations.iter().map(|operation| &operation.call);
    let all = |fits: fn(&Call) -> bool| calls().all(fits);
    let any = |fits: fn(&Call) -> bool| calls().any(fits);
    if operations.is_empty() {
        Object::Nothing
    } else if all(|call| matches!(call, Call::Read | Call::Write(_))) {
        Object::Register
    } else if all(|call| matches!(call, Call::Read | Call::Write(_) | Call::Cas { .. })) {
        Object::CasRegister
    } else if all(|call| matches!(call, Call::Read | Call::Append(_))) && any(reads_or_appends_no_text) {
        Object::AppendList
    } else if all(|call| matches!(call, Call::Read | Call::Write(_) | Call::Append(Value::Str(_)))) {
        Object::KeyValue
    } else if all(|call| matches!(call, Call::Read | Call::Add(Value::Int(_)))) && !reads_lists(operations) {
        Object::Counter
    } else if all(|call| matches!(call, Call::Read | Call::Add(_) | Call::Remove(_) | Call::Contains(_))) {
        Object::Set
    } else if all(|call| matches!(call, Call::Enqueue(_) | Call::Dequeue)) {
        Object::Queue
    } else if all(|call| matches!(call, Call::Push(_) | Call::Pop)) {
        Object::Stack
    } else if all(|call| matches!(call, Call::Insert(_) | Call::PopMin)) {
        Object::PriorityQueue
    } else if all(|call| matches!(call, Call::Acquire | Call::Release)) {
        Object::Mutex
    } else if all(|call| matches!(call, Call::Txn(_))) {
        let appends =
            |call: &Call| matches!(call, Call::Txn(steps) if steps.iter().any(|step| step.kind == MicroKind::Append));
        if any(appends) { Object::ListAppend } else { Object::MultiRegister }
    } else {
        Object::Unknown
    }
}

/// What tells a list from a string: numbers are appended, not text.
fn reads_or_appends_no_text(call: &Call) -> bool {
    matches!(call, Call::Append(value) if !matches!(value, Value::Str(_)))
}

/// What tells a set from a counter.
fn reads_lists(operations: &[Operation]) -> bool {
    operations.iter().any(|operation| matches!(operation.reply(), Some(Reply::Read(Value::List(_)))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generate::{self, Model, Recipe, make};
    use crate::reader::Reader;

    fn history(text: &str) -> History {
        History::collect(&mut Reader::new("text", text.as_bytes())).unwrap().0
    }

    #[test]
    fn everything_is_counted() {
        let text = r#"{"process":0,"type":"invoke","f":"write","key":"x","value":1,"time":10}
{"process":1,"type":"invoke","f":"write","key":"x","value":1}
{"process":2,"type":"invoke","f":"cas","key":"y","value":[1,1],"time":5}
{"process":0,"type":"ok","f":"write","key":"x","value":1}
{"process":1,"type":"info","f":"write","key":"x","value":1}
{"process":2,"type":"ok","f":"cas","key":"y","value":[1,1],"applied":false,"time":7}
{"process":0,"type":"invoke","f":"write","key":"x","value":2}
{"process":0,"type":"fail","f":"write","key":"x","value":2}
{"process":2,"type":"invoke","f":"read","key":"y"}
"#;
        let statistics = Statistics::of(&history(text));
        let functions = BTreeMap::from([
            ("cas".to_owned(), Outcomes { ok: 1, differed: 1, ..Outcomes::default() }),
            ("read".to_owned(), Outcomes { open: 1, ..Outcomes::default() }),
            ("write".to_owned(), Outcomes { ok: 1, fail: 1, info: 1, ..Outcomes::default() }),
        ]);
        let expected = Statistics {
            events: 9,
            operations: 5,
            functions,
            processes: 3,
            keys: 2,
            largest_key: 3,
            concurrency_max: 3,
            concurrency_mean: 11.0 / 9.0,
            values: Values { installed: 2, distinct: 1, reused: 1 },
            duration: Some(5),
            object: Object::CasRegister,
        };
        assert_eq!(statistics, expected);
        assert_eq!(statistics.indeterminate(), 2);
    }

    /// The functions of a generated history tell which model it is of, and distinct values are found to be.
    #[test]
    fn the_object_is_recognised() {
        for model in Model::ALL {
            for (values, distinct) in [(generate::Values::Unique, true), (generate::Values::Few(3), false)] {
                let generated = make(&Recipe { values, operations: 300, ..Recipe::of(model) }).unwrap();
                let statistics = Statistics::of(&History::from_events(generated.events).unwrap());
                assert_eq!(statistics.object.name(), model.name());
                let distinct = distinct || model == Model::Mutex;
                assert_eq!(statistics.values.reused == 0, distinct, "{}", model.name());
            }
        }
        assert_eq!(Statistics::of(&History::default()), Statistics::default());
        assert_eq!(Statistics::default().algorithm(), "nothing to decide");
    }
}
