//! The thread that starts all children, and lives until they are dead: the kernel's parent-death signal is that of a thread.

use std::io;
use std::process::{Child, Command};
use std::sync::mpsc::{self, Sender};
use std::thread::JoinHandle;

struct Request {
    command: Command,
    reply: Sender<io::Result<Child>>,
}

/// The thread that starts all children.
pub(super) struct Spawner {
    requests: Option<Sender<Request>>,
    thread: Option<JoinHandle<()>>,
}

impl Spawner {
    pub(super) fn start() -> io::Result<Self> {
        let (sender, requests) = mpsc::channel::<Request>();
        let thread = std::thread::Builder::new().name("spawner".into()).spawn(move || {
            for Request { mut command, reply } in requests {
                if let Err(mpsc::SendError(Ok(mut orphan))) = reply.send(command.spawn()) {
                    // Whoever asked is gone.
                    let _ = orphan.kill();
                    let _ = orphan.wait();
                }
            }
        })?;
        Ok(Self { requests: Some(sender), thread: Some(thread) })
    }

    pub(super) fn spawn(&self, command: Command) -> io::Result<Child> {
        let (reply, answer) = mpsc::channel();
        let sent = self.requests.as_ref().is_some_and(|requests| requests.send(Request { command, reply }).is_ok());
        match answer.recv() {
            Ok(result) if sent => result,
            _ => Err(io::ErrorKind::BrokenPipe.into()),
        }
    }
}

impl Drop for Spawner {
    fn drop(&mut self) {
        self.requests = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
