//! The writer's one decision maker: commands, replies and times in, one channel; what waits there is handled together, so that
//! many commands share a frame and a confirmation.

use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use sextant_model::instance::Effect;
use sextant_model::types::Epoch;

use super::database::Database;
use super::sessions::ReplyTo;
use super::shipping::Carrier;
use super::stream::Stream;
use super::{Input, Taken};
use crate::resp::{Command, Reply};

/// Inputs handled before what they caused leaves.
const DRAIN_MAX: usize = 1024;
/// How often what has no answer is looked after.
pub(crate) const TICK: Duration = Duration::from_millis(100);

/// Where this writer is in its life.
pub(crate) enum Standing<C> {
    /// Another writer is active as far as this one knows.
    Standby,
    /// It asks for the volume.
    Taking { since: Instant },
    /// It recovers, or serves.
    Running(Box<Running<C>>),
    /// Another writer took over: this one serves nobody any more.
    Deposed { by: Epoch },
}

/// One incarnation: from its epoch on.
pub(crate) struct Running<C> {
    since: Instant,
    stream: Stream<C>,
    database: Database,
}

pub(crate) struct Executor<C, F> {
    standing: Standing<C>,
    pages_max: usize,
    /// Connects to the nodes once an epoch is there.
    connect: F,
    /// Tells whoever started this process where it is in its life.
    announce: fn(&str),
}

impl<C: Carrier, F: FnMut(Taken, Instant) -> Stream<C>> Executor<C, F> {
    pub fn new(standing: Standing<C>, pages_max: usize, connect: F, announce: fn(&str)) -> Self {
        Executor { standing, pages_max, connect, announce }
    }

    /// Runs for ever.
    pub fn run(mut self, inputs: &Receiver<Input>) {
        let mut next_tick = Instant::now() + TICK;
        loop {
            let wake = self.deadline().map_or(next_tick, |at| at.min(next_tick));
            match inputs.recv_timeout(wake.saturating_duration_since(Instant::now())) {
                Ok(first) => {
                    let now = Instant::now();
                    self.handle(first, now);
                    inputs.try_iter().take(DRAIN_MAX).for_each(|input| self.handle(input, now));
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            let now = Instant::now();
            if now >= wake {
                next_tick = now + TICK;
                self.on_time(now);
            }
            self.flush();
        }
    }

    pub fn standing(&self) -> &Standing<C> {
        &self.standing
    }

    /// When [`Executor::on_time`] wants to be called, if before the next regular time.
    pub fn deadline(&self) -> Option<Instant> {
        match &self.standing {
            Standing::Running(running) => running.stream.deadline(),
            Standing::Standby | Standing::Taking { .. } | Standing::Deposed { .. } => None,
        }
    }

    /// Looks after what has no answer: every [`TICK`], and at the deadline.
    pub fn on_time(&mut self, now: Instant) {
        self.on_running(now, |running| running.stream.on_time());
    }

    /// A read of the state that is committed, whatever is being written; nobody hears the answer.
    pub fn read(&mut self, now: Instant) {
        self.on_running(now, |running| running.stream.read_committed());
    }

    /// A confirmation round that nobody asked for.
    pub fn begin_round(&mut self, now: Instant) {
        self.on_running(now, |running| running.stream.begin_round());
    }

    /// Ships what was written.
    pub fn flush(&mut self) {
        if let Standing::Running(running) = &mut self.standing {
            running.stream.flush();
        }
    }

    pub fn handle(&mut self, input: Input, now: Instant) {
        match input {
            Input::Command { to, command } => self.on_command(to, command, now),
            Input::Connected { segment } => self.on_running(now, |running| running.stream.on_connected(segment)),
            Input::Disconnected { segment } => self.on_running(now, |running| running.stream.on_disconnected(segment)),
            Input::Replies { segment, replies } => self.on_running(now, |running| {
                for page in running.stream.on_replies(segment, replies) {
                    running.database.on_page(&page.key, page.lsn, page.value, &mut running.stream);
                }
            }),
            Input::Taking => self.standing = Standing::Taking { since: now },
            Input::Taken(taken) => self.on_taken(taken, now),
            Input::Lost { caller, by } => self.depose(caller, by),
        }
    }

    fn on_taken(&mut self, taken: Taken, now: Instant) {
        let since = match self.standing {
            Standing::Taking { since } => since,
            Standing::Standby | Standing::Running(_) | Standing::Deposed { .. } => now,
        };
        let stream = (self.connect)(taken, now);
        let running = Running { since, stream, database: Database::new(self.pages_max) };
        self.standing = Standing::Running(Box::new(running));
    }

    fn on_command(&mut self, to: ReplyTo, command: Command, now: Instant) {
        match &self.standing {
            Standing::Running(running) if running.stream.is_open() => self.on_running(now, |running| {
                running.database.submit(to, command, &mut running.stream);
            }),
            closed => to.send(Reply::Error(closed.refusal())),
        }
    }

    /// Does something with the running incarnation, and then what that causes.
    fn on_running(&mut self, now: Instant, act: impl FnOnce(&mut Running<C>)) {
        let announce = self.announce;
        if let Standing::Running(running) = &mut self.standing {
            running.stream.set_now(now);
            act(running);
            if let Some(by) = running.settle(now, announce) {
                let ve = running.stream.ve();
                self.depose(ve, by);
            }
        }
    }

    fn depose(&mut self, own: Epoch, by: Epoch) {
        (self.announce)(&format!("deposed {own} by {by}"));
        let ended = std::mem::replace(&mut self.standing, Standing::Deposed { by });
        if let Standing::Running(running) = ended {
            running.database.give_up(&deposed(by));
        }
    }
}

impl<C: Carrier> Running<C> {
    pub fn stream(&self) -> &Stream<C> {
        &self.stream
    }

    /// Tells the clients what was decided. The epoch that took over, if one has.
    fn settle(&mut self, now: Instant, announce: fn(&str)) -> Option<Epoch> {
        while let Some(effect) = self.stream.next_effect() {
            match effect {
                Effect::Committed { vdl } => self.database.on_committed(vdl, &mut self.stream),
                Effect::Answer { id, .. } => self.database.on_answer(id),
                Effect::Opened { vdl } => {
                    let (ve, took) = (self.stream.ve(), now.duration_since(self.since).as_millis());
                    announce(&format!("open {ve} vdl={vdl} recovery-ms={took}"));
                }
                Effect::Deposed { by } => return Some(by),
                // The stream has done what these ask for.
                Effect::Decided { .. } | Effect::Allocated { .. } | Effect::AskConfirmation { .. } => {}
            }
        }
        None
    }
}

impl<C: Carrier> Standing<C> {
    /// What a command is told while nobody is served. Nothing was done then.
    fn refusal(&self) -> String {
        match self {
            Standing::Standby => "ERR standby: another writer is active".to_owned(),
            Standing::Taking { .. } => "ERR not open: taking the volume".to_owned(),
            Standing::Running(running) => format!("ERR not open: recovery of {} is under way", running.stream.ve()),
            Standing::Deposed { by } => format!("ERR {}", deposed(*by)),
        }
    }
}

fn deposed(by: Epoch) -> String {
    format!("deposed: volume epoch {by} has taken over")
}
