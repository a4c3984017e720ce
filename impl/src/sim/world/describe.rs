//! An event in words, for those who read a trace.

use sextant_model::metadata::Conflict;

use super::{Connection, Event, World};
use crate::wire::frame::decode_frame;
use crate::wire::messages::{NodeReply, NodeRequest};

impl World {
    pub(super) fn describe(&self, event: &Event) -> String {
        let node = |node: usize| self.nodes[node].name();
        let of = |connection: u32| &self.connections[connection as usize];
        match event {
            Event::Request { connection, frame } => {
                let Connection { writer, node: to, .. } = of(*connection);
                let request = decode_frame::<NodeRequest>(frame).ok().flatten().map(|(request, _)| request);
                format!("w{writer} to {}: {}", node(*to), request.map_or("no message".to_owned(), brief_request))
            }
            Event::Replies { connection, frame } => {
                let Connection { writer, node: from, .. } = of(*connection);
                let replies = decode_frame::<Vec<NodeReply>>(frame).ok().flatten().map(|(replies, _)| replies);
                let replies: Vec<String> = replies.unwrap_or_default().iter().map(brief_reply).collect();
                format!("{} to w{writer}: {}", node(*from), replies.join(", "))
            }
            Event::Dial { writer, node: to } => format!("w{writer} dials {}", node(*to)),
            Event::Accept { connection } => format!("{} is dialled", node(of(*connection).node)),
            Event::Connected { connection } => {
                format!("w{} is connected to {}", of(*connection).writer, node(of(*connection).node))
            }
            Event::Broken { connection } => {
                format!("w{} loses {}", of(*connection).writer, node(of(*connection).node))
            }
            Event::HungUp { connection } => {
                format!("{} loses w{}", node(of(*connection).node), of(*connection).writer)
            }
            Event::EndSync { node: at, .. } => format!("{} has synced", node(*at)),
            Event::StaleTimer { node: at } => format!("{} has a stale timer", node(*at)),
            Event::Mark { node: at, .. } => format!("{} marks", node(*at)),
            Event::Gossip { node: at, .. } => format!("{} gossips", node(*at)),
            Event::Pull { node: at, peer, .. } => format!("{} asks {}", node(*at), node(*peer)),
            Event::Push { node: at, peer, records, .. } => {
                format!("{} tells {} of {} records", node(*peer), node(*at), records.len())
            }
            Event::Tick { writer } => format!("w{writer} looks at the clock"),
            Event::Deadline { writer } => format!("w{writer} has waited long enough"),
            Event::Watch { writer } => format!("w{writer} watches"),
            Event::Ping { from, to } => format!("w{from} pings w{to}"),
            Event::Pong { to } => format!("w{to} hears a pong"),
            Event::AskRecord { writer, .. } => format!("w{writer} asks for the record"),
            Event::Record { writer, caller, .. } => format!("w{writer} reads {caller}"),
            Event::AskChange { writer, caller, .. } => format!("w{writer} asks for the volume after {caller}"),
            Event::Changed { writer, changed, .. } => match changed {
                Ok(metadata) => format!("w{writer} gets {}", metadata.volume_epoch),
                Err(Conflict(metadata)) => format!("w{writer} is late: {}", metadata.volume_epoch),
            },
            Event::TakeAgain { writer, .. } => format!("w{writer} looks whether it was answered"),
            Event::Hire => "a standby is due".to_owned(),
            Event::Think { client } => format!("client {client} is ready"),
            Event::Command { writer, number, command } => {
                let mut bytes = Vec::new();
                command.encode(&mut bytes);
                format!("w{writer} hears #{number} {}", bytes.escape_ascii())
            }
            Event::Answer { number, reply } => format!("#{number} ends: {reply:?}"),
            Event::Begin { window } | Event::End { window } => format!("window {window}"),
            Event::Usurp => "a usurper comes".to_owned(),
            Event::Heal => "faults stop".to_owned(),
            Event::IsConverged => "is it converged?".to_owned(),
        }
    }
}

fn brief_request(request: NodeRequest) -> String {
    match request {
        NodeRequest::Write { ve, records } => {
            let lsns: Vec<String> = records.iter().map(|record| record.lsn.to_string()).collect();
            format!("write {ve} {}", lsns.join(" "))
        }
        NodeRequest::FenceRead { ve } => format!("fence-read {ve}"),
        NodeRequest::Truncate { ve, ranges } => format!("truncate {ve} {ranges:?}"),
        NodeRequest::Confirm { ve, nonce } => format!("confirm {ve} round {}", nonce.0),
        NodeRequest::GossipPull { trunc_ve, .. } => format!("gossip-pull {trunc_ve}"),
        NodeRequest::ReadPage { id, ve, key, read_point } => {
            format!("read-page {ve} #{id} {} at {read_point}", key.escape_ascii())
        }
        NodeRequest::FetchRecords { id, ve, from, to } => format!("fetch {ve} #{id} {from} to {to}"),
    }
}

fn brief_reply(reply: &NodeReply) -> String {
    match reply {
        NodeReply::Acknowledged { ve, lsn, scl } => format!("acknowledged {ve} {lsn} scl {scl}"),
        NodeReply::Fenced { ve, answer } => format!("fenced {ve} {answer:?}"),
        NodeReply::Truncated { ve, scl } => format!("truncated {ve} scl {scl}"),
        NodeReply::Confirmed { ve, nonce } => format!("confirmed {ve} round {}", nonce.0),
        NodeReply::Refused { ve, refusal } => format!("refused {ve} {refusal:?}"),
        NodeReply::Page { id, lsn, .. } => format!("page #{id} {lsn}"),
        NodeReply::PageRefused { id, refusal, .. } => format!("page #{id} refused {refusal:?}"),
        NodeReply::Records { id, records } => format!("{} records #{id}", records.len()),
        NodeReply::GossipPush { trunc_ve, records } => format!("gossip {trunc_ve} {} records", records.len()),
    }
}
