//! Which object the keys of a system are: from a name on the command line to a model.

use clap::ValueEnum;
use sextant::linearizability::{
    AppendList, CasRegister, Counter, KeyValue, Model, MultiRegister, Mutex, PriorityQueue, Queue, Register, Set, Stack,
};
use sextant_histories::Value;

/// Flattened into the arguments of every command that judges by a model.
#[derive(Clone, Debug, clap::Args)]
pub struct ModelArgs {
    /// What the keys of the system are
    #[arg(long, value_enum)]
    model: ModelName,
    /// What they hold at first, as JSON: `0`, `null`, `"text"`. Only registers, key-value and counter have a choice
    #[arg(long, value_name = "VALUE", value_parser = value)]
    initial: Option<Value>,
}

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
}

/// What to do with a model, whatever its type.
pub trait WithModel {
    type Output;

    fn with<M: Model>(self, model: &M) -> Self::Output;
}

impl ModelArgs {
    /// The model that a file names, with the first state that it shows, unless `initial` says it. The error is a reason.
    pub fn named(name: &str, shown: &str, initial: Option<&Value>) -> Result<Self, String> {
        let model = ModelName::from_str(name, false).map_err(|_| format!("no model is called {name}"))?;
        let mut args = Self { model, initial: initial.cloned() };
        if initial.is_none() && args.has_a_choice() {
            let reason = |_| format!("the initial value {shown} is no JSON: give it with --initial");
            args.initial = Some(serde_json::from_str(shown).map_err(reason)?);
        }
        Ok(args)
    }

    /// The error is a sentence: an initial value that the model does not have.
    pub fn apply<W: WithModel>(&self, then: W) -> Result<W::Output, String> {
        let initial = || self.initial.clone().unwrap_or_default();
        if self.initial.is_some() && !self.has_a_choice() {
            let name = self.model.to_possible_value().map(|name| name.get_name().to_owned()).unwrap_or_default();
            return Err(format!("a {name} is empty at first: --initial is not for it"));
        }
        Ok(match self.model {
            ModelName::Register => then.with(&Register { initial: initial() }),
            ModelName::CasRegister => then.with(&CasRegister { initial: initial() }),
            ModelName::MultiRegister => then.with(&MultiRegister { initial: initial() }),
            ModelName::Counter => then.with(&Counter { initial: self.number()? }),
            ModelName::Set => then.with(&Set),
            ModelName::Queue => then.with(&Queue),
            ModelName::Stack => then.with(&Stack),
            ModelName::PriorityQueue => then.with(&PriorityQueue),
            ModelName::Mutex => then.with(&Mutex),
            ModelName::KeyValue => then.with(&KeyValue { initial: initial() }),
            ModelName::AppendList => then.with(&AppendList),
        })
    }

    fn has_a_choice(&self) -> bool {
        use ModelName::{CasRegister, Counter, KeyValue, MultiRegister, Register};
        matches!(self.model, Register | CasRegister | MultiRegister | Counter | KeyValue)
    }

    fn number(&self) -> Result<i64, String> {
        match self.initial {
            None => Ok(0),
            Some(Value::Int(number)) => Ok(number),
            Some(ref other) => Err(format!("a counter starts from an integer, not from {other}")),
        }
    }
}

pub fn value(text: &str) -> Result<Value, String> {
    serde_json::from_str(text).map_err(|error| format!("{error}; a string needs its quotes: '\"a\"'"))
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

    fn apply(model: ModelName, initial: Option<&str>) -> Result<String, String> {
        ModelArgs { model, initial: initial.map(value).transpose()? }.apply(Show)
    }

    #[test]
    fn every_name_is_its_model() {
        for name in ModelName::value_variants() {
            let shown = apply(*name, None).unwrap();
            let name = name.to_possible_value().unwrap();
            assert_eq!(shown.split(' ').next().unwrap(), name.get_name());
        }
    }

    #[test]
    fn an_initial_value_goes_where_there_is_one() {
        assert_eq!(apply(ModelName::Register, Some("7")).unwrap(), "register 7");
        assert_eq!(apply(ModelName::KeyValue, Some("\"\"")).unwrap(), "key-value \"\"");
        assert_eq!(apply(ModelName::Counter, Some("-3")).unwrap(), "counter -3");
        assert!(apply(ModelName::Counter, Some("\"3\"")).unwrap_err().contains("integer"));
        assert!(apply(ModelName::Queue, Some("[1]")).unwrap_err().contains("empty at first"));
        assert!(apply(ModelName::Register, Some("abc")).is_err());
    }
}
