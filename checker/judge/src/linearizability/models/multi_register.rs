use std::sync::Arc;

use sextant_histories::{Call, Key, Micro, MicroKind, Reply, Value};

use crate::linearizability::model::{Family, Model};

/// Several registers, read and written by transactions, each of which is one step: `txn [[r x], [w y 1]]`. A read within
/// a transaction sees what the transaction wrote before it. Every register holds `initial` at first.
///
/// Impossible: `txn [[w x 1], [w y 1]]`, then `txn [[r x] -> 1, [r y] -> null]`.
#[derive(Clone, Debug, Default)]
pub struct MultiRegister {
    pub initial: Value,
}

impl Model for MultiRegister {
    /// What the registers hold, by key; those that hold the initial value are left out.
    type State = Arc<[(Key, Value)]>;

    fn name(&self) -> &str {
        "multi-register"
    }

    fn initial(&self) -> Self::State {
        Arc::default()
    }

    fn step(&self, state: &Self::State, call: &Call, reply: Option<&Reply>) -> Option<Self::State> {
        let steps = match (call, reply) {
            (Call::Txn(steps), None) => steps,
            (Call::Txn(_), Some(Reply::Txn(seen))) => seen,
            _ => return None,
        };
        if steps.iter().all(|step| step.kind == MicroKind::Read) {
            let fits = |step: &Micro| *self.get(state, &step.key) == step.value;
            return (reply.is_none() || steps.iter().all(fits)).then(|| state.clone());
        }
        let mut registers = state.to_vec();
        for Micro { kind, key, value } in steps.iter() {
            match kind {
                MicroKind::Read if reply.is_none() => {}
                MicroKind::Read if self.get(&registers, key) == value => {}
                MicroKind::Write => self.set(&mut registers, key, value),
                MicroKind::Read | MicroKind::Append => return None,
            }
        }
        Some(registers.into())
    }

    fn supports(&self, call: &Call) -> bool {
        match call {
            Call::Txn(steps) => steps.iter().all(|step| step.kind != MicroKind::Append),
            _ => false,
        }
    }

    fn show(&self, state: &Self::State) -> String {
        let registers: Vec<String> = state.iter().map(|(key, value)| format!("{key}: {value}")).collect();
        format!("{{{}}}", registers.join(", "))
    }

    fn only_observes(&self, call: &Call, _reply: &Reply) -> bool {
        matches!(call, Call::Txn(steps) if steps.iter().all(|step| step.kind == MicroKind::Read))
    }

    fn keyed(&self) -> bool {
        false
    }

    fn family(&self) -> Family {
        Family::Registers
    }
}

impl MultiRegister {
    fn get<'a>(&'a self, registers: &'a [(Key, Value)], key: &Key) -> &'a Value {
        let place = registers.binary_search_by(|(other, _)| other.cmp(key));
        place.map_or(&self.initial, |place| &registers[place].1)
    }

    fn set(&self, registers: &mut Vec<(Key, Value)>, key: &Key, value: &Value) {
        let place = registers.binary_search_by(|(other, _)| other.cmp(key));
        match (place, *value == self.initial) {
            (Ok(place), true) => drop(registers.remove(place)),
            (Ok(place), false) => registers[place].1 = value.clone(),
            (Err(_), true) => {}
            (Err(place), false) => registers.insert(place, (key.clone(), value.clone())),
        }
    }
}
