//! Traces of clients for a person: their calls beside what the storage does.

use super::calls::{CLIENTS, Effect, Op, Request, value_of};
use super::world::{Action, World};
use super::{Clients, Storage, below};
use crate::area::{Area, Context, Lane, Mark, Status};
use itertools::Itertools;

type Asked<'a> = Context<'a, Clients>;

pub(super) fn describe(c: Asked, action: Action) -> String {
    match action {
        Action::Storage(action) => Storage::describe(below(c), action),
        Action::Call { client, instance, request } => {
            let asked = match request {
                Request::Read => "read".into(),
                Request::Write => "write".into(),
                Request::Swap { from } => format!("cas from {from}"),
            };
            format!("c{} → w{}: {asked}", client + 1, instance + 1)
        }
    }
}

pub(super) fn changes(c: Asked, before: &World, after: &World) -> Vec<String> {
    let mut phrases = Storage::changes(below(c), &before.storage, &after.storage);
    for (client, calls) in after.calls.by_client() {
        for (place, call) in calls.iter().enumerate() {
            let op = after.calls.op(client, place);
            let old = before.calls.of(client).get(place);
            if old.is_none() {
                phrases.push(match call.effect {
                    Effect::Recorded(lsn) => format!("c{} begins {op} as {lsn}", client + 1),
                    Effect::Saw(value) => format!("c{} begins {op}, which sees {value}", client + 1),
                    Effect::Differed => format!("c{} begins {op}, which differs", client + 1),
                });
            }
            let was_answered = old.is_some_and(|old| old.waits_at.is_none());
            if let Some(ret) = after.calls.ret(client, place).filter(|_| !was_answered) {
                phrases.push(format!("c{} is answered: {op} → {ret}", client + 1));
            }
        }
    }
    phrases
}

/// The history as one fact.
pub(super) fn history(_: Asked, w: &World) -> String {
    let call = |client: usize, place: usize| {
        let op = w.calls.op(client, place);
        let after = match w.calls.of(client)[place].after {
            0 => String::new(),
            answered => format!(" after {answered} of c{}", CLIENTS - client),
        };
        match w.calls.ret(client, place) {
            Some(ret) => format!("{op} → {ret}{after}"),
            None => format!("{op} is not answered{after}"),
        }
    };
    let of_client = |(client, calls): (usize, &[super::calls::Call])| {
        format!("c{}: {}", client + 1, (0..calls.len()).map(|place| call(client, place)).join(", "))
    };
    format!("no order of one register explains {}", w.calls.by_client().map(of_client).join("; "))
}

pub(super) fn lanes(c: Asked) -> Vec<Lane> {
    let clients = (1..=CLIENTS).map(|client| Lane { name: format!("c{client}"), group: "clients".into() });
    clients.chain(Storage::lanes(below(c))).collect()
}

/// The storage's lanes come behind those of the clients.
pub(super) fn mark(c: Asked, action: Action, before: &World, after: &World) -> Mark {
    match action {
        Action::Storage(action) => match Storage::mark(below(c), action, &before.storage, &after.storage) {
            Mark::Message { from, to } => Mark::Message { from: from.map(|lane| lane + CLIENTS), to: to + CLIENTS },
            Mark::Local { at } => Mark::Local { at: at + CLIENTS },
            Mark::Fault { at } => Mark::Fault { at: at + CLIENTS },
        },
        Action::Call { client, instance, .. } => {
            Mark::Message { from: Some(client.into()), to: CLIENTS + usize::from(instance) }
        }
    }
}

pub(super) fn status(c: Asked, state: &World, lane: usize) -> Option<Status> {
    if lane >= CLIENTS {
        return Storage::status(below(c), &state.storage, lane - CLIENTS);
    }
    let place = state.calls.of(lane).len().checked_sub(1)?;
    let text = match (state.calls.ret(lane, place), state.calls.op(lane, place)) {
        (None, op) => format!("waits: {op}"),
        (Some(ret), Op::Read) => format!("read {ret}"),
        (Some(ret), Op::Write(_) | Op::Swap { .. }) => format!("{}: {ret}", value_of(lane, place)),
    };
    Some(Status { epoch: 0, text })
}
