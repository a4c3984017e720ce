//! One action after the other: what each hands to whom.

use std::collections::BTreeMap;

use sextant_model::action::Action;
use sextant_model::bounds::Bounds;
use sextant_model::metadata::{Change, Metadata};
use sextant_model::rules::Rules;
use sextant_model::types::{Epoch, Lsn, SegmentId};
use sextant_storage::control::{NodeAnswer, NodeCommand, WriterAnswer, WriterCommand, pull};
use sextant_storage::wire::messages::{NodeReply, NodeRequest, Record};

use super::Failure;
use super::actors::Actors;
use crate::conformance::COPIES;

/// What every client writes.
const KEY: &[u8] = b"k";
/// Longer than a writer waits for more answers than it needs.
const GRACE_MS: u64 = 25;
/// The connection on which the controller asks a node for what it would tell a peer.
const PEER: u64 = u64::MAX;

pub(super) struct Controller {
    actors: Box<dyn Actors>,
    rules: Rules,
    bounds: Bounds,
    metadata: Metadata,
    writers: Vec<Sender>,
    /// By truncation epoch, the records that some node has told a peer of that epoch.
    offered: BTreeMap<Epoch, BTreeMap<Lsn, Record>>,
}

/// A writer, and everything that it has ever sent.
struct Sender {
    ve: Epoch,
    requests: Vec<(SegmentId, NodeRequest)>,
    records: BTreeMap<Lsn, Record>,
    /// Clients' writes that it was given.
    writes: u8,
    last: WriterAnswer,
}

impl Controller {
    /// A new volume with its first writer.
    pub fn new(actors: Box<dyn Actors>, rules: Rules, bounds: Bounds) -> Result<Self, Failure> {
        let metadata = Metadata::of_a_new_volume();
        let mut controller =
            Controller { actors, rules, bounds, metadata, writers: Vec::new(), offered: BTreeMap::new() };
        controller.hire(true, controller.metadata.volume_epoch)?;
        controller.go_on()?;
        Ok(controller)
    }

    /// Takes an action, and everything that follows from it at once; what was seen.
    ///
    /// # Errors
    /// Why it cannot be taken.
    pub fn act(&mut self, action: Action) -> Result<String, Failure> {
        let before: Vec<(bool, Lsn)> =
            self.writers.iter().map(|writer| (writer.last.is_open, writer.last.vdl)).collect();
        match action {
            Action::Recover => {
                let change = Change::TakeVolume { caller: self.metadata.volume_epoch };
                let changed = self.metadata.apply(&self.rules, change);
                let record =
                    changed.map_err(|conflict| Failure::Action(format!("the volume is not given: {conflict:?}")))?;
                self.hire(false, record.volume_epoch)?;
            }
            Action::FenceRead { instance, segment } => {
                let is_it = |request: &NodeRequest| matches!(request, NodeRequest::FenceRead { .. });
                self.hand_over(instance, segment, is_it)?;
            }
            Action::Truncate { instance, segment } => {
                let is_it = |request: &NodeRequest| matches!(request, NodeRequest::Truncate { .. });
                self.hand_over(instance, segment, is_it)?;
            }
            Action::Confirm { instance, segment } => {
                let is_it = |request: &NodeRequest| matches!(request, NodeRequest::Confirm { .. });
                self.hand_over(instance, segment, is_it)?;
            }
            Action::Write { instance, segment, lsn } => {
                let sender = self.sender(instance)?;
                let record =
                    sender.records.get(&lsn).cloned().ok_or_else(|| Failure::NeverSent(format!("record {lsn}")))?;
                let request = NodeRequest::Write { ve: sender.ve, records: vec![record] };
                self.deliver(segment, NodeCommand::Request { connection: instance.into(), request })?;
            }
            Action::Gossip { trunc_ve, segment, lsn } => {
                let told = self.offered.get(&trunc_ve).and_then(|offered| offered.get(&lsn)).cloned();
                let record = told.ok_or_else(|| Failure::NeverSent(format!("gossip of {lsn} at {trunc_ve}")))?;
                self.deliver(segment, NodeCommand::Gossip { trunc_ve, records: vec![record] })?;
            }
            Action::Decide { instance } => {
                self.sender(instance)?;
                self.tell(instance.into(), WriterCommand::Wait { milliseconds: GRACE_MS })?;
            }
            Action::Allocate { instance } => {
                self.sender(instance)?;
                self.write(instance.into())?;
            }
            Action::Sync { segment } => self.deliver(segment, NodeCommand::Sync { entries: 1 })?,
            Action::Crash { segment, kept } => {
                self.actors.node(segment, NodeCommand::SyncUnheard { entries: kept.into() })?;
                self.actors.restart(segment)?;
            }
            Action::Wipe { segment } if self.rules.rejoins_after_wipe() => self.actors.wipe(segment)?,
            // Without its disk it does not start: it answers nobody.
            Action::Wipe { .. } => {
                return Err(Failure::Action(
                    "a node that has lost its disk stays down, and a case ends with it".to_owned(),
                ));
            }
            Action::Read { instance } => {
                self.sender(instance)?;
                self.tell(instance.into(), WriterCommand::Read)?;
            }
            Action::BeginRound { instance } => {
                self.sender(instance)?;
                self.tell(instance.into(), WriterCommand::BeginRound)?;
            }
        }
        self.go_on()?;
        Ok(self.seen(action, &before))
    }

    /// The case is over: everybody ends.
    pub fn finish(self) {
        drop(self.actors);
    }

    fn seen(&self, action: Action, before: &[(bool, Lsn)]) -> String {
        let mut seen = action.describe(self.rules.scheme);
        for (number, writer) in self.writers.iter().enumerate() {
            let (was_open, had) = before.get(number).copied().unwrap_or_default();
            if writer.last.is_open && !was_open {
                seen += &format!("; w{} is open at VDL {}", number + 1, writer.last.vdl);
            } else if writer.last.vdl > had {
                seen += &format!("; w{} has committed {}", number + 1, writer.last.vdl);
            }
        }
        seen
    }

    fn sender(&self, instance: u8) -> Result<&Sender, Failure> {
        self.writers
            .get(usize::from(instance))
            .ok_or_else(|| Failure::Action(format!("there is no writer w{}", instance + 1)))
    }

    fn hire(&mut self, creates: bool, ve: Epoch) -> Result<(), Failure> {
        let answer = self.actors.hire(creates, ve)?;
        let last = WriterAnswer::default();
        self.writers.push(Sender { ve, requests: Vec::new(), records: BTreeMap::new(), writes: 0, last });
        self.take_in(self.writers.len() - 1, answer)
    }

    /// What follows without a choice: writers take the LSNs that they may, recoveries decide as soon as they may, nodes tell
    /// their peers what they have.
    fn go_on(&mut self) -> Result<(), Failure> {
        for number in 0..self.writers.len() {
            if !self.bounds.late_answers.is_on() && !self.writers[number].last.is_open {
                self.tell(number, WriterCommand::Wait { milliseconds: GRACE_MS })?;
            }
            while !self.bounds.idle_writers.is_on()
                && self.writers[number].last.is_open
                && self.writers[number].writes < self.bounds.records
            {
                self.write(number)?;
            }
        }
        if self.bounds.gossip.is_on() {
            SegmentId::all(COPIES).try_for_each(|segment| self.listen_to(segment))?;
        }
        Ok(())
    }

    fn write(&mut self, number: usize) -> Result<(), Failure> {
        self.writers[number].writes += 1;
        let value = format!("w{}.{}", number + 1, self.writers[number].writes).into_bytes();
        self.tell(number, WriterCommand::Write { key: KEY.to_vec(), value })
    }

    /// What a node would tell a peer of its own truncation that holds nothing.
    fn listen_to(&mut self, segment: SegmentId) -> Result<(), Failure> {
        let mut trunc_ve = Epoch::default();
        for _ in 0..2 {
            let command = NodeCommand::Request { connection: PEER, request: pull(trunc_ve) };
            for (_, reply) in self.actors.node(segment, command)?.replies {
                if let NodeReply::GossipPush { trunc_ve: its, records } = reply {
                    trunc_ve = its;
                    let offered = self.offered.entry(its).or_default();
                    offered.extend(records.into_iter().map(|record| (record.lsn, record)));
                }
            }
        }
        Ok(())
    }

    /// The newest request of that kind that the writer has sent to the node, or to any: they say the same to all.
    fn hand_over(
        &mut self,
        instance: u8,
        segment: SegmentId,
        is_it: impl Fn(&NodeRequest) -> bool,
    ) -> Result<(), Failure> {
        let sent = self.sender(instance)?.requests.iter().rev().filter(|(_, request)| is_it(request));
        let request = sent.clone().find(|(to, _)| *to == segment).or_else(|| sent.clone().next());
        let request = request
            .map(|(_, request)| request.clone())
            .ok_or_else(|| Failure::NeverSent(format!("that request of w{}", instance + 1)))?;
        self.deliver(segment, NodeCommand::Request { connection: instance.into(), request })
    }

    /// A node takes something; what it appends is synced at once unless a reply left first, one entry at a time; its replies
    /// are heard.
    fn deliver(&mut self, segment: SegmentId, command: NodeCommand) -> Result<(), Failure> {
        let syncs = matches!(command, NodeCommand::Sync { .. });
        let mut answer = self.actors.node(segment, command)?;
        let replied_first = answer.replies.iter().any(|(_, reply)| !matches!(reply, NodeReply::Refused { .. }));
        let goes_on = syncs || !replied_first;
        loop {
            let unsynced = answer.unsynced;
            self.hear(segment, answer)?;
            if !goes_on || unsynced == 0 {
                return Ok(());
            }
            answer = self.actors.node(segment, NodeCommand::Sync { entries: 1 })?;
        }
    }

    fn hear(&mut self, segment: SegmentId, answer: NodeAnswer) -> Result<(), Failure> {
        for (connection, reply) in answer.replies {
            let number = connection as usize;
            // Refusals are lost: they only make a writer stop.
            if matches!(reply, NodeReply::Refused { .. }) || number >= self.writers.len() {
                continue;
            }
            self.tell(number, WriterCommand::Replies { segment, replies: vec![reply] })?;
        }
        Ok(())
    }

    fn tell(&mut self, number: usize, command: WriterCommand) -> Result<(), Failure> {
        let answer = self.actors.writer(number, command)?;
        self.take_in(number, answer)
    }

    /// Keeps what a writer sends; what it asks for itself alone (pages, records for a write-back) it gets at once.
    fn take_in(&mut self, number: usize, answer: WriterAnswer) -> Result<(), Failure> {
        self.writers[number].last = WriterAnswer { requests: Vec::new(), ..answer };
        for (segment, request) in answer.requests {
            match request {
                NodeRequest::Write { records, .. } => {
                    self.writers[number].records.extend(records.into_iter().map(|record| (record.lsn, record)));
                }
                NodeRequest::FetchRecords { .. } | NodeRequest::ReadPage { .. } => {
                    let command = NodeCommand::Request { connection: number as u64, request };
                    let answer = self.actors.node(segment, command)?;
                    for (_, reply) in answer.replies {
                        self.tell(number, WriterCommand::Replies { segment, replies: vec![reply] })?;
                    }
                }
                request => self.writers[number].requests.push((segment, request)),
            }
        }
        Ok(())
    }
}
