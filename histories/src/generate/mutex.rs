//! Mutexes: acquired and released.

use super::Flaw;
use super::rng::Source;
use super::script::Script;
use super::simulation::{Landing, Subject};
use crate::event::{Call, Reply};

pub(super) const FLAWS: [Flaw; 2] = [
    Flaw::new("double-grant", "the mutex is granted twice, and nobody released it in between"),
    Flaw::new("release-unheld", "a mutex that is free is released"),
];

/// One mutex a key.
pub(super) struct Mutexes {
    /// Whether somebody holds it, by key.
    locked: Vec<bool>,
    /// Which one a client holds. It asks for nothing else then, so no two wait for each other.
    held: Vec<Option<usize>>,
}

impl Mutexes {
    pub(super) fn new(keys: usize, clients: usize) -> Self {
        Self { locked: vec![false; keys], held: vec![None; clients] }
    }
}

impl Subject for Mutexes {
    fn draw(&mut self, _source: &mut Source, key: usize, client: usize) -> (usize, Call) {
        match self.held[client] {
            Some(held) => (held, Call::Release),
            None => (key, Call::Acquire),
        }
    }

    fn apply(&mut self, object: usize, client: usize, call: &Call) -> Option<Reply> {
        match call {
            Call::Acquire if self.locked[object] => return None,
            Call::Acquire => {
                self.locked[object] = true;
                self.held[client] = Some(object);
            }
            Call::Release => {
                self.locked[object] = false;
                if self.held[client] == Some(object) {
                    self.held[client] = None;
                }
            }
            other => unreachable!("a mutex has no {other}"),
        }
        Some(Reply::Done)
    }

    /// Who does not know whether it holds the mutex would never release it: such an acquire was lost on the way. A
    /// release comes through, be it late.
    fn landing(&self, call: &Call) -> Landing {
        if *call == Call::Release { Landing::Surely } else { Landing::Never }
    }

    fn gave_up(&mut self, client: usize, call: &Call) {
        if *call == Call::Release {
            self.held[client] = None;
        }
    }

    /// A release that is superfluous has an excuse where anybody else may have acquired.
    fn target(&self, flaw: Flaw, key: usize) -> Option<usize> {
        (flaw.name == "double-grant").then_some(key)
    }

    /// Every release that the honest clients ask for follows an acquire that was granted to them, so releases asked for
    /// never outnumber grants; two grants more than that, and two are held at once.
    fn script(&self, flaw: Flaw, script: &mut Script) {
        match flaw.name {
            "double-grant" => {
                script.claimed(0, Call::Acquire, Reply::Done).claimed(1, Call::Acquire, Reply::Done);
            }
            "release-unheld" => {
                script.claimed(0, Call::Acquire, Reply::Done).claimed(0, Call::Release, Reply::Done);
                script.claimed(1, Call::Release, Reply::Done);
            }
            other => unreachable!("{other} is not in the table"),
        }
    }
}
