//! Which object the keys of a system are: from a name on the command line to a model.

use clap::ValueEnum;
use sextant::linearizability::{
    AppendList, CasRegister, Counter, Etcd, KeyValue, ListAppend, Model, MultiRegister, Mutex, PriorityQueue, Queue,
    Register, Set, Stack,
};
use sextant_histories::{History, Value};

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ModelName {
    /// read, write; null at first
    Register,
    /// read, write, cas; null at first
    CasRegister,
    /// txn of reads and writes; null at first
    MultiRegister,
    /// add, read; 0 at first
    Counter,
    /// add, remove, contains, read
    Set,
    /// enqueue, dequeue
    Queue,
    /// push, pop
    Stack,
    /// insert, pop-min
    PriorityQueue,
    /// acquire, release
    Mutex,
    /// read, write, append of strings; null at first
    KeyValue,
    /// read, append of elements
    AppendList,
    /// txn of reads and appends of elements
    ListAppend,
    /// etcd's key-value store, for reports of its robustness tests
    Etcd,
}

/// What to do with a model, whatever its type.
pub trait WithModel {
    type Output;

    fn with<M: Model>(self, model: &M) -> Self::Output;
}

impl ModelName {
    /// What the object holds at first: what was asked for, or what the format of the history says, if that is for this
    /// model. The error is a sentence.
    pub fn initial(self, of_format: Value, asked: Option<Value>) -> Result<Value, String> {
        use ModelName::{CasRegister, Counter, KeyValue, MultiRegister, Register};
        match (self, asked) {
            (Counter, Some(other)) if !matches!(other, Value::Int(_)) => {
                Err(format!("a counter starts from an integer, not from {other}"))
            }
            (Register | CasRegister | MultiRegister | KeyValue | Counter, Some(asked)) => Ok(asked),
            (_, Some(_)) => Err(format!("a {} is empty at first: --initial is not for it", self.name())),
            (_, None) => Ok(of_format),
        }
    }

    pub fn apply<W: WithModel>(self, history: &History, initial: Value, then: W) -> W::Output {
        match self {
            Self::Register => then.with(&Register { initial }),
            Self::CasRegister => then.with(&CasRegister { initial }),
            Self::MultiRegister => then.with(&MultiRegister { initial }),
            Self::Counter => {
                then.with(&Counter { initial: if let Value::Int(initial) = initial { initial } else { 0 } })
            }
            Self::Set => then.with(&Set),
            Self::Queue => then.with(&Queue),
            Self::Stack => then.with(&Stack),
            Self::PriorityQueue => then.with(&PriorityQueue),
            Self::Mutex => then.with(&Mutex),
            Self::KeyValue => then.with(&KeyValue { initial }),
            Self::AppendList => then.with(&AppendList),
            Self::ListAppend => then.with(&ListAppend),
            Self::Etcd => then.with(&Etcd::for_history(history)),
        }
    }

    fn name(self) -> String {
        self.to_possible_value().map_or_else(String::new, |name| name.get_name().to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Show;

    impl WithModel for Show {
        type Output = String;

        fn with<M: Model>(self, model: &M) -> String {
            format!("{} {}", model.name(), model.show(&model.initial()))
        }
    }

    fn apply(model: ModelName, of_format: Value, asked: Option<Value>) -> Result<String, String> {
        let initial = model.initial(of_format, asked)?;
        Ok(model.apply(&History::default(), initial, Show))
    }

    #[test]
    fn every_name_is_its_model() {
        for name in ModelName::value_variants() {
            let shown = apply(*name, Value::Null, None).unwrap();
            assert_eq!(shown.split(' ').next().unwrap(), name.name());
        }
    }

    #[test]
    fn an_initial_value_goes_where_there_is_one() {
        assert_eq!(apply(ModelName::Register, Value::Null, Some(7.into())).unwrap(), "register 7");
        assert_eq!(apply(ModelName::Register, 5.into(), None).unwrap(), "register 5");
        assert_eq!(apply(ModelName::KeyValue, Value::Null, Some("".into())).unwrap(), "key-value \"\"");
        assert_eq!(apply(ModelName::Counter, Value::Null, None).unwrap(), "counter 0");
        assert_eq!(apply(ModelName::Counter, Value::Null, Some((-3).into())).unwrap(), "counter -3");
        assert_eq!(apply(ModelName::Queue, 5.into(), None).unwrap(), "queue []");
        assert!(apply(ModelName::Counter, Value::Null, Some("3".into())).unwrap_err().contains("integer"));
        assert!(apply(ModelName::Queue, Value::Null, Some(1.into())).unwrap_err().contains("empty at first"));
    }
}
