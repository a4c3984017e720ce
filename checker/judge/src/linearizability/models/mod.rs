//! The objects that the judge knows. Each model says in its doc what its operations do, and shows a reply that is
//! impossible. States are interned by the search, so cloning and hashing them is rare.

mod append_list;
mod bag;
mod chain;
mod counter;
mod key_value;
mod line;
mod list_append;
mod multi_register;
mod mutex;
mod priority_queue;
mod queue;
mod register;
mod set;
mod stack;

pub use append_list::AppendList;
pub use bag::Bag;
pub use chain::Chain;
pub use counter::Counter;
pub use key_value::KeyValue;
pub use line::Line;
pub use list_append::ListAppend;
pub use multi_register::MultiRegister;
pub use mutex::Mutex;
pub use priority_queue::PriorityQueue;
pub use queue::Queue;
pub use register::{CasRegister, Register};
pub use set::Set;
pub use stack::Stack;

use sextant_histories::Value;

/// `[1, 2, 3]`.
fn show<'a>(values: impl IntoIterator<Item = &'a Value>) -> String {
    values.into_iter().cloned().collect::<Value>().to_string()
}
