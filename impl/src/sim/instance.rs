//! A writer process in the simulator: the database instance's own executor, with events in the place of its threads.

use std::cell::RefCell;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use sextant_model::instance::Instance;
use sextant_model::logset::Intervals;
use sextant_model::rules::Rules;
use sextant_model::types::SegmentId;

use super::COPIES;
use super::agenda::Nanos;
use crate::resp::{Command, Reply};
use crate::writer::executor::{Executor, Standing, TICK};
use crate::writer::sessions::ReplyTo;
use crate::writer::shipping::{Carrier, Shipping};
use crate::writer::stream::Stream;
use crate::writer::{Input, Taken, record};

/// Frames for nodes, in the order in which they were sent.
type Outbox = Rc<RefCell<Vec<(usize, Arc<[u8]>)>>>;

/// The way to one node: it ends in the outbox.
pub(crate) struct Wire {
    outbox: Outbox,
    node: usize,
}

impl Carrier for Wire {
    fn send(&self, frame: &Arc<[u8]>) -> bool {
        self.outbox.borrow_mut().push((self.node, Arc::clone(frame)));
        true
    }
}

type Connect = Box<dyn FnMut(Taken, Instant) -> Stream<Wire>>;

pub(crate) struct WriterProcess {
    executor: Executor<Wire, Connect>,
    outbox: Outbox,
    session: Sender<(u64, Reply)>,
    replies: Receiver<(u64, Reply)>,
    /// What virtual time counts from.
    began: Instant,
    pub is_alive: bool,
    pub is_paused: bool,
    /// The connection to each node that stands.
    pub links: [Option<u32>; COPIES],
    /// Whose place it takes when that one does not answer, and when it last did.
    pub watches: Option<(usize, Nanos)>,
    /// Its last place in the agenda for a deadline that is not regular.
    pub deadline: Option<Nanos>,
}

impl WriterProcess {
    /// `flight`: the folder in which it records what it does, and its name.
    pub fn new(
        rules: Rules,
        pages_max: usize,
        began: Instant,
        watches: Option<(usize, Nanos)>,
        flight: Option<(PathBuf, String)>,
    ) -> Self {
        let outbox = Outbox::default();
        let wires = Rc::clone(&outbox);
        let connect: Connect = Box::new(move |taken, now| {
            let wire = |node| Wire { outbox: Rc::clone(&wires), node };
            let recorder = flight.as_ref().map(|(dir, name)| record(dir, name, &taken));
            Stream::new(rules, &taken, Shipping::new(std::array::from_fn(wire)), now, recorder)
        });
        let (session, replies) = channel();
        WriterProcess {
            executor: Executor::new(Standing::Standby, pages_max, connect, |_| ()),
            outbox,
            session,
            replies,
            began,
            is_alive: true,
            is_paused: false,
            links: [None; COPIES],
            watches,
            deadline: None,
        }
    }

    /// Whether it was given an epoch and has not lost it, as far as it knows.
    pub fn is_running(&self) -> bool {
        self.instance().is_some()
    }

    pub fn is_open(&self) -> bool {
        self.instance().is_some_and(|instance| instance.writer().is_some())
    }

    pub fn instance(&self) -> Option<&Instance<Intervals, COPIES>> {
        match self.executor.standing() {
            Standing::Running(running) => Some(running.stream().instance()),
            Standing::Standby | Standing::Taking { .. } | Standing::Deposed { .. } => None,
        }
    }

    pub fn command(&mut self, number: u64, command: Command, now: Nanos) {
        let to = ReplyTo::new(self.session.clone(), number);
        self.handle(Input::Command { to, command }, now);
    }

    pub fn connected(&mut self, node: usize, now: Nanos) {
        self.handle(Input::Connected { segment: SegmentId(node as u8) }, now);
    }

    pub fn disconnected(&mut self, node: usize, now: Nanos) {
        self.handle(Input::Disconnected { segment: SegmentId(node as u8) }, now);
    }

    pub fn handle(&mut self, input: Input, now: Nanos) {
        let now = self.instant(now);
        self.executor.handle(input, now);
        self.executor.flush();
    }

    pub fn on_time(&mut self, now: Nanos) {
        let now = self.instant(now);
        self.executor.on_time(now);
        self.executor.flush();
    }

    /// A read of the state that is committed.
    pub fn read(&mut self, now: Nanos) {
        let now = self.instant(now);
        self.executor.read(now);
    }

    /// A confirmation round that nobody asked for.
    pub fn begin_round(&mut self, now: Nanos) {
        let now = self.instant(now);
        self.executor.begin_round(now);
    }

    /// When it wants to be woken, if before its next regular time.
    pub fn next_deadline(&self) -> Option<Nanos> {
        let at = self.executor.deadline()?.duration_since(self.began);
        // A run of five hundred years does not happen.
        Some(at.as_nanos() as Nanos)
    }

    /// The next frame that it has sent.
    pub fn take_frames(&mut self) -> Vec<(usize, Arc<[u8]>)> {
        std::mem::take(&mut *self.outbox.borrow_mut())
    }

    /// The next reply to a client, with the number of the command.
    pub fn take_reply(&self) -> Option<(u64, Reply)> {
        self.replies.try_recv().ok()
    }

    fn instant(&self, now: Nanos) -> Instant {
        self.began + Duration::from_nanos(now)
    }
}

/// Between two looks at what has no answer.
pub(super) const TICK_NANOS: Nanos = TICK.as_nanos() as Nanos;
