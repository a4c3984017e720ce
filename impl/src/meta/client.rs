//! The metadata service as the other processes see it.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use sextant_model::metadata::{Change, Conflict, Metadata};

use crate::wire::messages::{Member, MetaReply, MetaRequest};
use crate::wire::socket;

const REPLY_WAIT: Duration = Duration::from_secs(2);

/// Calls on one connection each: there are few, and a restarted service is found again without further ado.
#[derive(Clone, Copy, Debug)]
pub struct Client {
    address: SocketAddr,
}

impl Client {
    #[must_use]
    pub fn new(address: SocketAddr) -> Self {
        Client { address }
    }

    /// The reason why the node is not a member, if it is none.
    ///
    /// # Errors
    /// If the service does not answer.
    pub fn register(&self, member: &Member, address: SocketAddr) -> io::Result<Result<(), String>> {
        match self.call(&MetaRequest::Register { member: member.clone(), address })? {
            MetaReply::Registered => Ok(Ok(())),
            MetaReply::NotRegistered { reason } => Ok(Err(reason)),
            other => Err(unexpected(&other)),
        }
    }

    /// Where the nodes listen, by name.
    ///
    /// # Errors
    /// If the service does not answer.
    pub fn directory(&self) -> io::Result<BTreeMap<String, SocketAddr>> {
        match self.call(&MetaRequest::Directory)? {
            MetaReply::Directory(locations) => Ok(locations.into_iter().map(|l| (l.name, l.address)).collect()),
            other => Err(unexpected(&other)),
        }
    }

    /// # Errors
    /// If the service does not answer.
    pub fn read(&self) -> io::Result<(Metadata, Vec<Member>)> {
        match self.call(&MetaRequest::Read)? {
            MetaReply::Volume { metadata, members } => Ok((metadata, members)),
            other => Err(unexpected(&other)),
        }
    }

    /// # Errors
    /// If the service does not answer: the change may have been made then.
    pub fn change(&self, change: Change) -> io::Result<Result<Metadata, Conflict>> {
        match self.call(&MetaRequest::Change(change))? {
            MetaReply::Changed(changed) => Ok(changed),
            other => Err(unexpected(&other)),
        }
    }

    fn call(&self, request: &MetaRequest) -> io::Result<MetaReply> {
        socket::call(self.address, request, REPLY_WAIT)
    }
}

fn unexpected(reply: &MetaReply) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("unexpected reply {reply:?}"))
}
