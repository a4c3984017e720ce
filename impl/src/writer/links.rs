//! The connections to the nodes: a pair of threads each, one that sends and dials again, one that receives.
//!
//! A link promises nothing. What is queued when a connection breaks is dropped; whoever queued it learns that there is a new
//! connection and sends what is still owed.

use std::io::{self, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread;
use std::time::Duration;

use sextant_model::types::SegmentId;

use super::Input;
use super::shipping::Carrier;
use crate::meta::client::Client;
use crate::wire::frame::{FrameError, FrameReader};
use crate::wire::messages::NodeReply;
use crate::wire::socket;

/// Frames that wait for a node that does not take them; what does not fit is sent again later.
const QUEUE_FRAMES: usize = 256;
const DIAL_PAUSE_MIN: Duration = Duration::from_millis(20);
const DIAL_PAUSE_MAX: Duration = Duration::from_millis(250);

/// Dropping it ends its threads.
pub(super) struct Link {
    queue: SyncSender<Outgoing>,
    stopped: Arc<AtomicBool>,
}

/// A frame is encoded once and shared by the links to all nodes.
enum Outgoing {
    Frame(Arc<[u8]>),
    /// The connection of this number ended; or, whatever the number, the link was dropped.
    Ended {
        connection: u64,
    },
}

impl Link {
    pub fn start(segment: SegmentId, node: String, meta: Client, core: SyncSender<Input>) -> Self {
        let (queue, queued) = sync_channel(QUEUE_FRAMES);
        let stopped = Arc::new(AtomicBool::new(false));
        let sender = Sender { segment, node, meta, core, queue: queue.clone(), stopped: Arc::clone(&stopped) };
        thread::spawn(move || sender.run(&queued));
        Link { queue, stopped }
    }
}

impl Carrier for Link {
    fn send(&self, frame: &Arc<[u8]>) -> bool {
        !matches!(self.queue.try_send(Outgoing::Frame(Arc::clone(frame))), Err(TrySendError::Full(_)))
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::Relaxed);
        // Wakes the sender; one that has a full queue to work off looks at the flag afterwards.
        let _ = self.queue.try_send(Outgoing::Ended { connection: 0 });
    }
}

struct Sender {
    segment: SegmentId,
    node: String,
    meta: Client,
    core: SyncSender<Input>,
    queue: SyncSender<Outgoing>,
    stopped: Arc<AtomicBool>,
}

impl Sender {
    fn run(self, queued: &Receiver<Outgoing>) {
        let mut pause = DIAL_PAUSE_MIN;
        for connection in 1.. {
            if self.is_stopped() {
                return;
            }
            let Ok(stream) = self.dial(connection) else {
                thread::sleep(pause);
                pause = (pause * 2).min(DIAL_PAUSE_MAX);
                continue;
            };
            pause = DIAL_PAUSE_MIN;
            queued.try_iter().for_each(drop);
            if self.core.send(Input::Connected { segment: self.segment }).is_err() {
                return;
            }
            self.send_until_it_ends(connection, &stream, queued);
            let _ = stream.shutdown(Shutdown::Both);
            if self.core.send(Input::Disconnected { segment: self.segment }).is_err() {
                return;
            }
        }
    }

    fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }

    /// Asks the directory each time: a restarted node listens elsewhere.
    fn dial(&self, connection: u64) -> io::Result<TcpStream> {
        let address = self.meta.directory()?.get(&self.node).copied().ok_or(io::ErrorKind::NotFound)?;
        let stream = socket::connect(address)?;
        let receiver = Receiving {
            segment: self.segment,
            node: self.node.clone(),
            connection,
            core: self.core.clone(),
            queue: self.queue.clone(),
        };
        let receiving = stream.try_clone()?;
        thread::spawn(move || receiver.run(&receiving));
        Ok(stream)
    }

    fn send_until_it_ends(&self, connection: u64, mut stream: &TcpStream, queued: &Receiver<Outgoing>) {
        let mut bytes = Vec::new();
        while let Ok(first) = queued.recv() {
            bytes.clear();
            for outgoing in std::iter::once(first).chain(queued.try_iter()) {
                match outgoing {
                    Outgoing::Frame(frame) => bytes.extend_from_slice(&frame),
                    Outgoing::Ended { connection: ended } if ended == connection => return,
                    // An earlier connection's end, or the wake-up of a link that was dropped.
                    Outgoing::Ended { .. } => {}
                }
            }
            if self.is_stopped() || stream.write_all(&bytes).is_err() {
                return;
            }
        }
    }
}

/// The receiving half of one connection.
struct Receiving {
    segment: SegmentId,
    node: String,
    connection: u64,
    core: SyncSender<Input>,
    queue: SyncSender<Outgoing>,
}

impl Receiving {
    fn run(self, stream: &TcpStream) {
        match self.receive(stream) {
            Ok(()) | Err(FrameError::Io(_) | FrameError::Truncated { .. }) => {}
            Err(error) => eprintln!("writer: closing the connection to {}: {error}", self.node),
        }
        // Before the queue is told: a sender that is stuck in a write has to come loose.
        let _ = stream.shutdown(Shutdown::Both);
        let _ = self.queue.send(Outgoing::Ended { connection: self.connection });
    }

    fn receive(&self, stream: &TcpStream) -> Result<(), FrameError> {
        let mut frames = FrameReader::new(stream);
        while let Some(replies) = frames.read::<Vec<NodeReply>>()? {
            if self.core.send(Input::Replies { segment: self.segment, replies }).is_err() {
                return Ok(());
            }
        }
        Ok(())
    }
}
