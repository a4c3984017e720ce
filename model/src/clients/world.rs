//! The closed world of clients: the core's world, and two clients that call its instances.
//!
//! An instance executes a call when it arrives, on the state that it then has in memory, as the database of this workspace does
//! (`impl/src/writer`): a write takes the next LSN and is answered once the VDL has reached it; a read, and a compare that
//! fails, sees the newest state, durable or not, and is answered once that state is durable and its epoch has been confirmed
//! since (protocol §13). Clients call whichever open instance they like, a zombie too, and differently each time.
//!
//! Reductions:
//! * *A call arrives when it is made, an answer when it is given.* A call that is under way longer, and an answer that is lost or
//!   late, only take away what was answered before what: every history of such a run is allowed if that of the run without the
//!   delay is.
//! * *Whoever calls first is client 1*, where states are reduced by symmetry: clients differ in nothing but their names.
//! * *Where nobody waits and nobody may call any more, nothing happens any more*: the history is all that is judged.
//! * *What a failed compare saw* is not kept but that it differed.

use super::calls::{CALLS, CLIENTS, Calls, Effect, Request, VALUE_MAX, Value, value_of};
use crate::action::Action as CoreAction;
use crate::bounds::{self, Switch};
use crate::fields::bits_upto;
use crate::instance::{Event, Writer};
use crate::logset::Bits;
use crate::pack::{self, Get, Layout, Put};
use crate::rules::Rules;
use crate::types::Lsn;
use crate::world::World as CoreWorld;
use serde::{Deserialize, Serialize};

/// Segments of a volume.
pub const COPIES: usize = 6;

/// Calls by kind, and the bounds of the storage below. Two calls a client at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bounds {
    pub reads: u8,
    pub writes: u8,
    pub swaps: u8,
    pub core: bounds::Bounds,
}

impl Bounds {
    /// So many calls of each kind, and `recoveries`.
    #[must_use]
    pub const fn of(reads: u8, writes: u8, swaps: u8, recoveries: u8) -> Bounds {
        let core = bounds::Bounds::of(writes + swaps, recoveries).with_idle_writers().reading(reads + swaps);
        Bounds { reads, writes, swaps, core }
    }

    #[must_use]
    pub const fn gossiping(self) -> Bounds {
        Bounds { core: self.core.gossiping(), ..self }
    }

    #[must_use]
    pub const fn crashing(self, crashes: u8) -> Bounds {
        Bounds { core: self.core.crashing(crashes), ..self }
    }

    #[must_use]
    pub const fn wiping(self, wipes: u8) -> Bounds {
        Bounds { core: self.core.wiping(wipes), ..self }
    }

    #[must_use]
    pub const fn with_early_rounds(self) -> Bounds {
        Bounds { core: self.core.with_early_rounds(), ..self }
    }

    #[must_use]
    pub const fn with_late_answers(self) -> Bounds {
        Bounds { core: self.core.with_late_answers(), ..self }
    }

    #[must_use]
    pub const fn with_lal(self, lal: u64) -> Bounds {
        Bounds { core: self.core.with_lal(lal), ..self }
    }

    #[must_use]
    pub const fn unreduced(self) -> Bounds {
        Bounds { core: self.core.unreduced(), ..self }
    }

    /// Whether calls and storage fit together.
    ///
    /// # Errors
    /// What is wrong.
    pub fn admissible(&self) -> Result<(), String> {
        let most = CLIENTS * CALLS;
        let calls = usize::from(self.reads) + usize::from(self.writes) + usize::from(self.swaps);
        if calls > most {
            return Err(format!("{calls} calls: {CLIENTS} clients make at most {CALLS} each"));
        }
        if self.core.records != self.writes + self.swaps || self.core.reads != self.reads + self.swaps {
            return Err("the records and reads of the storage are not those of the calls".into());
        }
        match self.core.idle_writers {
            Switch::On => Ok(()),
            Switch::Off => Err("writers allocate when a client writes: idle writers must be on".into()),
        }
    }
}

impl std::fmt::Display for Bounds {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Bounds { reads, writes, swaps, core } = self;
        write!(f, "{reads} read, {writes} write, {swaps} cas, {} rcv", core.recoveries)?;
        if core.lal != u64::from(core.records) {
            write!(f, ", LAL {}", core.lal)?;
        }
        for (count, name) in [(core.crashes, "crash"), (core.wipes, "wipe")] {
            if count > 0 {
                write!(f, ", {count} {name}")?;
            }
        }
        for (switch, name) in [
            (core.gossip, ", gossip"),
            (core.early_rounds, ", early rounds"),
            (core.late_answers, ", late answers"),
            (core.late_fences, ", late fences"),
        ] {
            if switch.is_on() {
                f.write_str(name)?;
            }
        }
        if core.symmetry.is_on() { Ok(()) } else { f.write_str(", unreduced") }
    }
}

/// One state.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct World {
    pub storage: CoreWorld<COPIES>,
    pub calls: Calls,
}

/// An action of the world. `client` and `instance` count from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Action {
    /// Of the storage, or of an instance by itself.
    Storage(CoreAction),
    /// A client calls an instance.
    Call { client: u8, instance: u8, request: Request },
}

impl World {
    #[must_use]
    pub fn created(rules: &Rules, bounds: &Bounds) -> World {
        World { storage: CoreWorld::created(rules, &bounds.core), calls: Calls::default() }
    }

    /// Whether nobody waits and nobody may call any more.
    #[must_use]
    pub fn is_over(&self, bounds: &Bounds) -> bool {
        self.calls.are_answered() && !(0..CLIENTS).any(|client| self.may_call(bounds, client))
    }

    fn may_call(&self, bounds: &Bounds, client: usize) -> bool {
        let first = bounds.core.symmetry.is_on() && self.calls.all().next().is_none();
        self.left(bounds).contains(&true) && self.calls.is_free(client) && (!first || client == 0)
    }

    /// Whether there are calls left to be made: reads, writes, swaps.
    fn left(&self, bounds: &Bounds) -> [bool; 3] {
        let [reads, writes, swaps] = self.calls.counts();
        [reads < bounds.reads, writes < bounds.writes, swaps < bounds.swaps]
    }

    /// Everything that could happen; [`World::after`] tells what does.
    pub fn candidates(&self, bounds: &Bounds, mut take: impl FnMut(Action)) {
        if self.is_over(bounds) {
            return;
        }
        self.storage.candidates(&bounds.core, |action| {
            if is_of_storage(action) {
                take(Action::Storage(action));
            }
        });
        let [reads, writes, swaps] = self.left(bounds);
        let open = |&i: &usize| self.storage.instances[i].writer().is_some();
        for instance in (0..self.storage.instances.len()).filter(open) {
            for client in (0..CLIENTS).filter(|&client| self.may_call(bounds, client)) {
                let mut call = |request| take(Action::Call { client: client as u8, instance: instance as u8, request });
                if reads {
                    call(Request::Read);
                }
                if writes {
                    call(Request::Write);
                }
                if swaps {
                    self.known_values().for_each(|from| call(Request::Swap { from }));
                }
            }
        }
    }

    /// Those that a client may compare with: the first one, and what somebody began to write.
    fn known_values(&self) -> impl Iterator<Item = Value> + '_ {
        let begun = self.calls.by_client().flat_map(|(client, calls)| {
            let writes = calls.iter().enumerate().filter(|(_, call)| call.request != Request::Read);
            writes.map(move |(place, _)| value_of(client, place))
        });
        std::iter::once(0).chain(begun)
    }

    /// The state after `action`; none if it is not possible or changes nothing.
    #[must_use]
    pub fn after(&self, rules: &Rules, bounds: &Bounds, action: Action) -> Option<World> {
        if self.is_over(bounds) {
            return None;
        }
        let mut next = match action {
            Action::Storage(action) if is_of_storage(action) => {
                World { storage: self.storage.after(rules, &bounds.core, action)?, calls: self.calls }
            }
            Action::Storage(_) => return None,
            Action::Call { client, instance, request } => {
                self.called(rules, bounds, client.into(), instance, request)?
            }
        };
        next.answer();
        Some(next)
    }

    fn called(&self, rules: &Rules, bounds: &Bounds, client: usize, instance: u8, request: Request) -> Option<World> {
        let at = self.storage.instances.get(usize::from(instance))?;
        let writer = at.writer()?;
        let [reads, writes, swaps] = self.left(bounds);
        let is_left = match request {
            Request::Read => reads,
            Request::Write => writes,
            Request::Swap { .. } => swaps,
        };
        if !is_left || client >= CLIENTS || !self.may_call(bounds, client) {
            return None;
        }
        let value = self.value_at(writer);
        let writes = match request {
            Request::Read => false,
            Request::Write => true,
            Request::Swap { from } => from == value,
        };
        let (event, effect) = match request {
            _ if writes && !at.may_allocate(rules) => return None,
            _ if writes => (Event::Allocate, Effect::Recorded(writer.next)),
            Request::Read => (read(client, writer), Effect::Saw(value)),
            Request::Write | Request::Swap { .. } => (read(client, writer), Effect::Differed),
        };
        let mut next = self.clone();
        next.storage.serve(rules, &bounds.core, instance, event);
        next.calls.begin(client, request, effect, instance);
        Some(next)
    }

    /// The register in the memory of an open instance: what the last record of its volume wrote.
    fn value_at(&self, writer: &Writer<Bits, COPIES>) -> Value {
        let is_own = |lsn: Lsn| (writer.decision.first..writer.next).contains(&lsn);
        let of_volume = self.calls.records().filter(|&(lsn, _)| is_own(lsn) || writer.decision.keeps(lsn));
        of_volume.max_by_key(|&(lsn, _)| lsn).map_or(0, |(_, value)| value)
    }

    /// Everybody who can be answered is.
    fn answer(&mut self) {
        for client in 0..CLIENTS {
            let Some((instance, call)) = self.calls.waiting(client) else { continue };
            let Some(writer) = self.storage.instances[usize::from(instance)].writer() else { continue };
            let is_answered = match call.effect {
                Effect::Recorded(lsn) => writer.vdl >= lsn,
                Effect::Saw(_) | Effect::Differed => writer.reads.waiting().iter().all(|read| read.id != client as u64),
            };
            if is_answered {
                self.calls.answer(client);
            }
        }
    }
}

/// Clients read and write: of the core's own actions those that stand for it are left out.
fn is_of_storage(action: CoreAction) -> bool {
    !matches!(action, CoreAction::Allocate { .. } | CoreAction::Read { .. })
}

/// A read of the newest state in memory.
fn read(client: usize, writer: &Writer<Bits, COPIES>) -> Event<Bits> {
    let at = if writer.next > writer.decision.first { writer.next.previous() } else { writer.decision.vdl };
    Event::Read { id: client as u64, at }
}

// --- packing -----------------------------------------------------------------------------------------------------------

const VALUE: u32 = bits_upto(VALUE_MAX as u64);
const AFTER: u32 = bits_upto(CALLS as u64);
/// Of an instance, or none.
const INSTANCE: u32 = 3;
/// An LSN or a value.
const SEEN: u32 = 6;

pub(super) fn layout(rules: &Rules, bounds: &Bounds) -> Layout {
    Layout::of::<COPIES>(rules, &bounds.core).with_waiting_reads::<COPIES>(CLIENTS as u32)
}

pub(super) fn pack(layout: Layout, world: &World, out: &mut impl Put) {
    pack::pack(layout, &world.storage, out);
    for calls in &world.calls.of {
        out.put(calls.len() as u64, bits_upto(CALLS as u64));
        for place in 0..CALLS {
            let call = calls.get(place).copied().unwrap_or_default();
            let (request, from) = match call.request {
                Request::Read => (0, 0),
                Request::Write => (1, 0),
                Request::Swap { from } => (2, from),
            };
            let (effect, seen) = match call.effect {
                Effect::Saw(value) => (0, value.into()),
                Effect::Differed => (1, 0),
                Effect::Recorded(lsn) => (2, lsn.0),
            };
            out.put(request, 2);
            out.put(from.into(), VALUE);
            out.put(call.after.into(), AFTER);
            out.put(effect, 2);
            out.put(seen, SEEN);
            out.put(call.waits_at.map_or(0, |instance| u64::from(instance) + 1), INSTANCE);
        }
    }
}

pub(super) fn unpack(layout: Layout, from: &mut impl Get) -> World {
    let storage = pack::unpack(layout, from);
    let mut calls = Calls::default();
    for of in &mut calls.of {
        let len = from.get(bits_upto(CALLS as u64));
        for place in 0..CALLS as u64 {
            let (request, compared) = (from.get(2), from.get(VALUE) as Value);
            let request = match request {
                0 => Request::Read,
                1 => Request::Write,
                _ => Request::Swap { from: compared },
            };
            let after = from.get(AFTER) as u8;
            let effect = match (from.get(2), from.get(SEEN)) {
                (0, value) => Effect::Saw(value as Value),
                (1, _) => Effect::Differed,
                (_, lsn) => Effect::Recorded(Lsn(lsn)),
            };
            let waits_at = from.get(INSTANCE).checked_sub(1).map(|instance| instance as u8);
            if place < len {
                of.push(super::calls::Call { request, after, effect, waits_at });
            }
        }
    }
    World { storage, calls }
}
