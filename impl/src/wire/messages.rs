//! What the processes say to each other. One frame holds one request, or the replies that were ready together.
//!
//! Node: a writer or a peer sends [`NodeRequest`]s on one connection and gets frames of `Vec<NodeReply>`, in the order in
//! which the node decided, which is not always the order of the requests: a reply names what it answers. Metadata service:
//! one [`MetaRequest`], one [`MetaReply`].

use serde::{Deserialize, Serialize};
use sextant_model::instance::Event;
use sextant_model::logset::{Intervals, Range};
use sextant_model::metadata::{Change, Conflict, Metadata};
use sextant_model::rules::Refusal;
use sextant_model::segment::{Answer, ReadRefusal, Reply};
use sextant_model::types::{Epoch, Lsn, Nonce, SegmentId};

/// Longest key and value of a record together, in bytes: well below what a frame and a segment file of the log hold.
pub const RECORD_BYTES_MAX: usize = 2 << 20;

/// A redo record: the key has this value from this LSN on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    pub lsn: Lsn,
    /// Of the writer that allocated the LSN, also where a later one wrote the record back.
    pub ve: Epoch,
    pub key: Vec<u8>,
    /// None: the key is deleted.
    pub value: Option<Vec<u8>>,
}

impl Record {
    /// Bytes of key and value.
    #[must_use]
    pub fn payload_bytes(&self) -> usize {
        self.key.len() + self.value.as_ref().map_or(0, Vec::len)
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum NodeRequest {
    Write {
        ve: Epoch,
        records: Vec<Record>,
    },
    FenceRead {
        ve: Epoch,
    },
    Truncate {
        ve: Epoch,
        ranges: Vec<Range>,
    },
    Confirm {
        ve: Epoch,
        nonce: Nonce,
    },
    /// A peer whose last truncation is `trunc_ve` and who holds `held` asks for what it lacks.
    GossipPull {
        trunc_ve: Epoch,
        held: Intervals,
    },
    /// The newest version of `key` at or below `read_point`.
    ReadPage {
        id: u64,
        ve: Epoch,
        key: Vec<u8>,
        read_point: Lsn,
    },
    /// Records from `from` to `to`, for a recovery's write-back; the reply may stop earlier.
    FetchRecords {
        id: u64,
        ve: Epoch,
        from: Lsn,
        to: Lsn,
    },
}

impl NodeRequest {
    /// Whether everything in it fits the node's log. The gateway asks; behind it nobody does.
    ///
    /// # Errors
    /// What is too large.
    pub fn check(&self) -> Result<(), String> {
        let NodeRequest::Write { records, .. } = self else { return Ok(()) };
        match records.iter().find(|record| record.payload_bytes() > RECORD_BYTES_MAX) {
            Some(record) => {
                Err(format!("record {} has {} bytes, at most {RECORD_BYTES_MAX}", record.lsn, record.payload_bytes()))
            }
            None => Ok(()),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum NodeReply {
    Acknowledged {
        ve: Epoch,
        lsn: Lsn,
        scl: Lsn,
    },
    Fenced {
        ve: Epoch,
        answer: Answer<Intervals>,
    },
    Truncated {
        ve: Epoch,
        scl: Lsn,
    },
    Confirmed {
        ve: Epoch,
        nonce: Nonce,
    },
    Refused {
        ve: Epoch,
        refusal: Refusal,
    },
    /// `lsn` is that of the version; 0 and no value where the key was never written.
    Page {
        id: u64,
        lsn: Lsn,
        value: Option<Vec<u8>>,
    },
    PageRefused {
        id: u64,
        ve: Epoch,
        refusal: ReadRefusal,
    },
    /// What FetchRecords asked for, ascending.
    Records {
        id: u64,
        records: Vec<Record>,
    },
    GossipPush {
        trunc_ve: Epoch,
        records: Vec<Record>,
    },
}

impl From<Reply<Intervals>> for NodeReply {
    fn from(reply: Reply<Intervals>) -> Self {
        match reply {
            Reply::Acknowledged { ve, lsn, scl, .. } => NodeReply::Acknowledged { ve, lsn, scl },
            Reply::Fenced { ve, answer, .. } => NodeReply::Fenced { ve, answer },
            Reply::Truncated { ve, scl, .. } => NodeReply::Truncated { ve, scl },
            Reply::Confirmed { ve, nonce } => NodeReply::Confirmed { ve, nonce },
            Reply::Refused { ve, refusal } => NodeReply::Refused { ve, refusal },
        }
    }
}

impl NodeReply {
    /// Bytes of keys and values.
    #[must_use]
    pub fn payload_bytes(&self) -> usize {
        match self {
            NodeReply::Page { value, .. } => value.as_ref().map_or(0, Vec::len),
            NodeReply::Records { records, .. } | NodeReply::GossipPush { records, .. } => {
                records.iter().map(Record::payload_bytes).sum()
            }
            NodeReply::Acknowledged { .. }
            | NodeReply::Fenced { .. }
            | NodeReply::Truncated { .. }
            | NodeReply::Confirmed { .. }
            | NodeReply::Refused { .. }
            | NodeReply::PageRefused { .. } => 0,
        }
    }

    /// What this reply of `from` means to an instance; nothing where it is about payloads only.
    #[must_use]
    pub fn event(&self, from: SegmentId) -> Option<Event<Intervals>> {
        match *self {
            NodeReply::Acknowledged { ve, lsn, scl } => Some(Event::Acknowledged { from, ve, lsn, scl }),
            NodeReply::Fenced { ve, ref answer } => Some(Event::Fenced { from, ve, answer: answer.clone() }),
            NodeReply::Truncated { ve, scl } => Some(Event::Truncated { from, ve, scl }),
            NodeReply::Confirmed { ve, nonce } => Some(Event::Confirmed { from, ve, nonce }),
            NodeReply::Refused { ve, refusal }
            | NodeReply::PageRefused { ve, refusal: ReadRefusal::Refused(refusal), .. } => {
                Some(Event::Refused { ve, refusal })
            }
            NodeReply::PageRefused { refusal: ReadRefusal::Behind { .. }, .. }
            | NodeReply::Page { .. }
            | NodeReply::Records { .. }
            | NodeReply::GossipPush { .. } => None,
        }
    }
}

/// One copy of the protection group: its place in the list is its [`SegmentId`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    pub name: String,
    pub zone: String,
}

/// Where a node listens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Location {
    pub name: String,
    pub address: std::net::SocketAddr,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum MetaRequest {
    /// A node says where it listens.
    Register {
        member: Member,
        address: std::net::SocketAddr,
    },
    Directory,
    Read,
    Change(Change),
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum MetaReply {
    Registered,
    /// No such member.
    NotRegistered {
        reason: String,
    },
    Directory(Vec<Location>),
    Volume {
        metadata: Metadata,
        members: Vec<Member>,
    },
    Changed(Result<Metadata, Conflict>),
}
