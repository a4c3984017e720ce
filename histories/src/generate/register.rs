//! Registers: read, write, compare-and-set.

use super::Flaw;
use super::rng::Source;
use super::script::{Effect, Script};
use super::simulation::Subject;
use crate::event::{Call, Kind, Reply};
use crate::value::Value;

/// What goes wrong with a register, by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Violation {
    /// A read returns what was overwritten before the read began, though others saw the new value.
    StaleRead,
    /// An acknowledged write never shows: later reads return its predecessor.
    LostWrite,
    /// A read returns a value that nobody wrote.
    PhantomRead,
    /// A read returns the value of a write that ended in `fail`.
    AbortedRead,
    /// A read returns a value that is written only after the read has ended.
    FutureRead,
    /// Two reads in a row see two concurrent writes in one order, a third goes back.
    BackwardRead,
    /// Two compare-and-sets succeed from the same value, which was written once.
    DoubleSwap,
    /// A compare-and-set claims to have found another value than the only one there was.
    RefusedSwap,
}

/// The violations of a register; those from the seventh on have a cas.
pub(super) const FLAWS: [Flaw; 8] = [
    Flaw::new("stale-read", "a read returns what was overwritten before it began"),
    Flaw::new("lost-write", "an acknowledged write never shows"),
    Flaw::new("phantom-read", "a read returns a value that nobody wrote"),
    Flaw::new("aborted-read", "a read returns the value of a write that ended in fail"),
    Flaw::new("future-read", "a read returns a value that is written only after it has ended"),
    Flaw::new("backward-read", "reads see two concurrent writes in one order, then in the other"),
    Flaw::new("double-swap", "two compare-and-sets succeed from the same value, which was written once"),
    Flaw::new("refused-swap", "a compare-and-set claims to have found another value than the only one there was"),
];

impl Violation {
    pub const ALL: [Self; 8] = [
        Self::StaleRead,
        Self::LostWrite,
        Self::PhantomRead,
        Self::AbortedRead,
        Self::FutureRead,
        Self::BackwardRead,
        Self::DoubleSwap,
        Self::RefusedSwap,
    ];

    /// Whether its script contains a cas, which a plain register does not have.
    pub fn needs_cas(self) -> bool {
        matches!(self, Self::DoubleSwap | Self::RefusedSwap)
    }

    pub fn name(self) -> &'static str {
        self.flaw().name
    }

    pub(super) fn flaw(self) -> Flaw {
        FLAWS[self as usize]
    }

    fn of(flaw: Flaw) -> Option<Self> {
        Self::ALL.into_iter().find(|violation| violation.flaw() == flaw)
    }
}

/// One register a key.
pub(super) struct Registers {
    values: Vec<Value>,
    cas_percent: u32,
    write_percent: u32,
}

impl Registers {
    pub(super) fn new(keys: usize, cas_percent: u32, write_percent: u32) -> Self {
        Self { values: vec![Value::Null; keys], cas_percent, write_percent }
    }
}

impl Subject for Registers {
    fn draw(&mut self, source: &mut Source, key: usize, _client: usize) -> (usize, Call) {
        let dice = source.rng.below(100) as u32;
        let call = if dice < self.cas_percent {
            // Half of the compares are aimed at what the register holds now, so that some succeed.
            let old = if source.rng.percent(50) { self.values[key].clone() } else { source.value() };
            let new = source.value();
            Call::Cas { old, new }
        } else if dice < self.cas_percent + self.write_percent {
            Call::Write(source.value())
        } else {
            Call::Read
        };
        (key, call)
    }

    fn apply(&mut self, object: usize, _client: usize, call: &Call) -> Option<Reply> {
        let register = &mut self.values[object];
        match call {
            Call::Read => Some(Reply::Read(register.clone())),
            Call::Write(value) => {
                *register = value.clone();
                Some(Reply::Written)
            }
            Call::Cas { old, new } if register == old => {
                *register = new.clone();
                Some(Reply::Swapped)
            }
            Call::Cas { .. } => Some(Reply::Differed),
            // The generator draws from the three calls above.
            other => unreachable!("a register has no {other}"),
        }
    }

    /// Each script rests on values that nobody else writes, so nobody has to wait; but for a refused swap anybody's write
    /// would do as an excuse.
    fn freezes(&self) -> bool {
        false
    }

    fn target(&self, flaw: Flaw, key: usize) -> Option<usize> {
        (Violation::of(flaw) != Some(Violation::RefusedSwap)).then_some(key)
    }

    fn script(&self, flaw: Flaw, script: &mut Script) {
        let Some(violation) = Violation::of(flaw) else { return };
        let (one, two) = (0, 1);
        // Negative, which no client writes.
        let (a, b, c) = (Value::Int(-1), Value::Int(-2), Value::Int(-3));
        let write = |value: &Value| Call::Write(value.clone());
        let cas = |old: &Value, new: &Value| Call::Cas { old: old.clone(), new: new.clone() };
        match violation {
            Violation::StaleRead => script.write(one, &a).write(one, &b).read(one, &a),
            Violation::LostWrite => {
                script.write(one, &a).claimed(two, write(&b), Reply::Written).read(one, &a).read(two, &a)
            }
            Violation::PhantomRead => script.read(one, &a),
            Violation::AbortedRead => {
                script.invoke(one, write(&a)).end(one, write(&a), Kind::Fail, Effect::None).read(two, &a)
            }
            Violation::FutureRead => script.read(two, &a).write(one, &a),
            Violation::BackwardRead => {
                script.invoke(one, write(&a)).invoke(two, write(&b));
                script.end(one, write(&a), Kind::Ok(Reply::Written), Effect::Real);
                script.end(two, write(&b), Kind::Ok(Reply::Written), Effect::Real);
                script.read(one, &a).read(one, &b).read(two, &a)
            }
            Violation::DoubleSwap => {
                script.write(one, &a);
                script.done(one, cas(&a, &b), Reply::Swapped).done(two, cas(&a, &c), Reply::Swapped)
            }
            Violation::RefusedSwap => script.write(one, &a).claimed(two, cas(&a, &b), Reply::Differed),
        };
    }
}
