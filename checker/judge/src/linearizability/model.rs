//! Sequential specifications: what one operation after another may answer.

use std::fmt::Debug;
use std::hash::Hash;

use sextant_histories::{Call, Reply, Value};

/// A sequential object. Implement it for a model of your own; nothing else of the checker needs to change.
///
/// ```
/// use sextant_judge::linearizability::{Limits, Model, check};
/// use sextant_judge::verdict::Verdict;
/// use sextant_histories::{Call, Event, History, Kind, Reply, Value};
///
/// /// Hands out tickets: 1, 2, 3, ...
/// struct Tickets;
///
/// impl Model for Tickets {
///     type State = i64;
///
///     fn name(&self) -> &str {
///         "tickets"
///     }
///
///     fn initial(&self) -> i64 {
///         0
///     }
///
///     fn step(&self, last: &i64, _call: &Call, reply: Option<&Reply>) -> Option<i64> {
///         let next = last + 1;
///         reply.is_none_or(|reply| *reply == Reply::Returned(Value::Int(next))).then_some(next)
///     }
///
///     fn supports(&self, call: &Call) -> bool {
///         matches!(call, Call::Other(name, _) if &**name == "take")
///     }
/// }
///
/// let take = |process, ticket: i64| {
///     let event = |kind| Event {
///         process,
///         kind,
///         call: Call::Other("take".into(), Value::Null),
///         key: "counter hall".into(),
///         time: None,
///     };
///     [event(Kind::Invoke), event(Kind::Ok(Reply::Returned(Value::Int(ticket))))]
/// };
/// let verdict = |events: Vec<Event>| {
///     let history = History::from_events(events).unwrap();
///     check(&history, &Tickets, &Limits::default()).verdict()
/// };
/// assert_eq!(verdict([take(0, 1), take(1, 2)].concat()), Verdict::Valid);
/// assert_eq!(verdict([take(0, 1), take(1, 1)].concat()), Verdict::Invalid);
/// ```
pub trait Model: Sync {
    type State: Clone + Eq + Hash + Debug;

    fn name(&self) -> &str;

    /// The state of every key before its first operation.
    fn initial(&self) -> Self::State;

    /// The state after `call`, or `None` where `reply` is impossible in `state`. Without a reply the operation is
    /// indeterminate, and the question is what state it leaves if it takes effect here.
    fn step(&self, state: &Self::State, call: &Call, reply: Option<&Reply>) -> Option<Self::State>;

    /// Whether the object has this operation at all. A history with another one cannot be judged.
    fn supports(&self, call: &Call) -> bool;

    /// How to print a state.
    fn show(&self, state: &Self::State) -> String {
        format!("{state:?}")
    }

    /// Whether an operation with this reply leaves *every* state in which it is possible as it is. The search takes such
    /// operations at the first opportunity, so `true` must be right; `false` is always safe.
    fn only_observes(&self, _call: &Call, _reply: &Reply) -> bool {
        false
    }

    /// Whether the operation is possible in *every* state, with whatever reply it has, and leaves one and the same state
    /// behind: a blind write. Of such operations nobody sees the one that stands right in front of another, so `true` must
    /// be right; `false` is always safe.
    fn overwrites(&self, _call: &Call) -> bool {
        false
    }

    /// What the checker may know beyond [`Model::step`]. [`Family::General`] is always safe.
    fn family(&self) -> Family {
        Family::General
    }

    /// Whether each key is an object of its own, so that a history may be judged key by key. If not, the whole system is
    /// one object.
    fn keyed(&self) -> bool {
        true
    }

    /// Whether the model knows of no particular history, so that it judges changed copies of one as well. Only then is a
    /// smallest core looked for.
    fn judges_any_history(&self) -> bool {
        true
    }
}

/// Kinds of objects for which there are better algorithms than the general search. Each is a promise that the calls mean
/// what their documentation in [`Call`] says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Family {
    General,
    /// The state is the value last installed, by write or cas, and reads return it.
    Register {
        initial: Value,
    },
    /// A number: `add` adds, `read` returns it.
    Counter {
        initial: i64,
    },
    /// Starts empty; `add`, `remove`, `contains`, and `read`, which lists all elements.
    Set,
    /// Starts empty; first in, first out. Null is no element, but what an empty queue returns.
    Queue,
    /// Starts empty; last in, first out; null as above.
    Stack,
    /// Starts empty; the least in the order of [`Value`] goes out first; null as above.
    PriorityQueue,
    /// Several registers under keys: `txn` reads and writes some of them in one step.
    Registers,
    /// A string, or null, which is as good as an empty one: `write` sets it, `append` puts a string at its end, `read` returns all of
    /// it.
    Text {
        initial: Value,
    },
    /// Starts empty: `append` puts an element at the end, `read` returns all of it.
    List,
    /// Starts unlocked; `acquire` and `release` in turns.
    Mutex,
}
