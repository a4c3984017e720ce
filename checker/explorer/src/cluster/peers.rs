//! The other processes: how they are met, watched and parted from.
//!
//! Between two processes there are two connections. One carries timely's bytes. Timely's own threads panic when such a
//! connection ends early, so they are given a [`Wire`], which never tells them: its end waits until the other connection
//! has told what became of the peer, and a write to a peer that is gone is dropped. The other connection is for signs of
//! life: a byte a second, at the end *bye*, or *failed* with the reason. An end of it without a word is a process that was
//! lost, and silence for long is one as good as lost; either ends this process's search with an error that names it.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream, ToSocketAddrs};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use timely::communication::allocator::ProcessBuilder;
use timely::communication::allocator::zero_copy::initialize::{CommsGuard, initialize_networking_from_sockets};
use timely::communication::allocator::zero_copy::stream::Stream;
use timely::communication::{AllocatorBuilder, Hooks};

use super::fate::Fate;
use super::hosts::Hosts;
use crate::packed::Failure;
use crate::packed::levels::lock;

/// How long processes wait for each other at the begin.
const MEETING_MAX: Duration = Duration::from_secs(60);
const BETWEEN_TRIES: Duration = Duration::from_millis(20);
/// How long a greeting may take.
const GREETING_MAX: Duration = Duration::from_secs(10);
const GREETING_BYTES_MAX: u32 = 1 << 20;
const BETWEEN_BEATS: Duration = Duration::from_secs(1);
/// After so long without a sign of life a process counts as lost.
const SILENCE_MAX: Duration = Duration::from_secs(30);
/// How long the last bytes to the others may take.
const FLUSH_MAX: Duration = Duration::from_secs(30);

const BEAT: u8 = 0;
const BYE: u8 = 1;
const FAILED: u8 = 2;

/// What two processes tell each other first, on each connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Greeting {
    sextant: String,
    purpose: Purpose,
    process: usize,
    processes: usize,
    threads: usize,
    what: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Purpose {
    Bytes,
    Life,
}

/// All other processes.
pub struct Peers {
    process: usize,
    threads: usize,
    /// By process; none for this one.
    others: Vec<Option<Other>>,
    guard: Mutex<Option<CommsGuard>>,
    /// Ends the heartbeat.
    quit: mpsc::Sender<()>,
}

struct Other {
    bytes: TcpStream,
    life: TcpStream,
    peer: Arc<Peer>,
}

/// What is known of another process.
struct Peer {
    /// `process 1 at host:port`
    name: String,
    /// How it parted, once it did.
    parted: Mutex<Option<Parted>>,
    news: Condvar,
    /// Whether timely has sent it all that it ever will.
    flushed: AtomicBool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Parted {
    Bye,
    Lost,
}

impl Peers {
    /// Meets all other processes, and watches them from then on: what goes wrong with one is `fate`'s.
    ///
    /// # Errors
    /// If this process's address cannot be listened at, another one does not come within a minute, or it explores something
    /// else.
    pub fn meet(hosts: &Hosts, threads: usize, what: &str, fate: &Arc<Fate>) -> Result<Peers, Failure> {
        let mut meeting = Meeting::new(hosts, threads, what)?;
        for other in 0..hosts.process() {
            for purpose in [Purpose::Bytes, Purpose::Life] {
                meeting.call(other, purpose)?;
            }
        }
        while !meeting.is_complete() {
            meeting.answer()?;
        }
        let Meeting { found, .. } = meeting;
        let mut others = Vec::new();
        for (number, (found, address)) in found.into_iter().zip(hosts.addresses()).enumerate() {
            let name = format!("process {number} at {address}");
            let peer = Peer { name, parted: Mutex::default(), news: Condvar::new(), flushed: AtomicBool::new(false) };
            others.push(match found {
                [Some(bytes), Some(life)] => Some(Other { bytes, life, peer: Arc::new(peer) }),
                _ => None,
            });
        }
        let quit = watch(&others, fate).map_err(|e| Failure(format!("cannot watch the other processes: {e}")))?;
        Ok(Peers { process: hosts.process(), threads, others, guard: Mutex::default(), quit })
    }

    /// Timely's workers of this process.
    ///
    /// # Errors
    /// If the system has no threads or sockets to spare.
    pub fn builders(&self) -> Result<Vec<AllocatorBuilder>, Failure> {
        let failed = |e: io::Error| Failure(format!("cannot begin to talk to the other processes: {e}"));
        let wire = |other: &Other| Ok(Wire { stream: other.bytes.try_clone()?, peer: other.peer.clone() });
        let wires = self.others.iter().map(|other| other.as_ref().map(wire).transpose());
        let wires = wires.collect::<io::Result<_>>().map_err(failed)?;
        let local = ProcessBuilder::new_typed_vector(self.threads, Hooks::default().refill, None);
        let begun = initialize_networking_from_sockets(local, wires, self.process, self.threads, Hooks::default());
        let (builders, guard) = begun.map_err(failed)?;
        *lock(&self.guard) = Some(guard);
        Ok(builders.into_iter().map(AllocatorBuilder::Tcp).collect())
    }

    /// Parts from all: with a *bye* once all that they are to get has left, or with the reason of the failure.
    pub fn part(self, failure: Option<&Failure>) {
        let others: Vec<&Other> = self.others.iter().flatten().collect();
        let until = Instant::now() + FLUSH_MAX;
        if failure.is_none() {
            while others.iter().any(|other| !other.peer.flushed.load(Ordering::Acquire)) && Instant::now() < until {
                thread::sleep(Duration::from_millis(1));
            }
        }
        // Nobody listens any more: then this process has ended its beats already.
        let _ = self.quit.send(());
        for other in &others {
            // A peer that is gone need not be told.
            let _ = (&other.life).write_all(&last_word(failure));
        }
        let all_said_bye = failure.is_none() && others.iter().all(|other| other.peer.wait(until) == Some(Parted::Bye));
        let guard = lock(&self.guard).take();
        if all_said_bye {
            drop(guard);
        } else {
            // Its threads may wait for ever for a peer that is lost.
            std::mem::forget(guard);
        }
    }
}

fn last_word(failure: Option<&Failure>) -> Vec<u8> {
    let Some(Failure(reason)) = failure else { return vec![BYE] };
    let mut word = vec![FAILED];
    word.extend_from_slice(&(reason.len() as u32).to_be_bytes());
    word.extend_from_slice(reason.as_bytes());
    word
}

// --- meeting ---------------------------------------------------------------------------------------------------------

struct Meeting<'a> {
    hosts: &'a Hosts,
    mine: Greeting,
    listener: TcpListener,
    /// By process, its connections for bytes and for signs of life.
    found: Vec<[Option<TcpStream>; 2]>,
    until: Instant,
}

impl<'a> Meeting<'a> {
    fn new(hosts: &'a Hosts, threads: usize, what: &str) -> Result<Self, Failure> {
        let address = &hosts.addresses()[hosts.process()];
        let listener = TcpListener::bind(address).and_then(|listener| {
            listener.set_nonblocking(true)?;
            Ok(listener)
        });
        let listener = listener.map_err(|e| Failure(format!("cannot listen at {address}: {e}")))?;
        let mine = Greeting {
            sextant: env!("CARGO_PKG_VERSION").into(),
            purpose: Purpose::Bytes,
            process: hosts.process(),
            processes: hosts.addresses().len(),
            threads,
            what: what.into(),
        };
        let found = hosts.addresses().iter().map(|_| [None, None]).collect();
        Ok(Meeting { hosts, mine, listener, found, until: Instant::now() + MEETING_MAX })
    }

    fn is_complete(&self) -> bool {
        let all = self.found.iter().enumerate();
        all.filter(|(number, _)| *number != self.mine.process).all(|(_, found)| found.iter().all(Option::is_some))
    }

    fn name(&self, process: usize) -> String {
        format!("process {process} at {}", self.hosts.addresses()[process])
    }

    /// Calls a process that is further up in the file.
    fn call(&mut self, other: usize, purpose: Purpose) -> Result<(), Failure> {
        let address = &self.hosts.addresses()[other];
        loop {
            let greeted = connect(address).and_then(|mut stream| {
                prepare(&stream)?;
                write_greeting(&mut stream, &Greeting { purpose, ..self.mine.clone() })?;
                let theirs = read_greeting(&mut stream)?;
                stream.write_all(&[BEAT])?;
                Ok((stream, theirs))
            });
            match greeted {
                Ok((stream, theirs)) => {
                    self.compare(other, &theirs)?;
                    self.found[other][purpose as usize] = Some(stream);
                    return Ok(());
                }
                Err(error) if Instant::now() > self.until => {
                    let name = self.name(other);
                    return Err(Failure(format!("{name} cannot be reached: {error}")));
                }
                // It may not have begun, or still be at the end of the exploration before this one.
                Err(_) => thread::sleep(BETWEEN_TRIES),
            }
        }
    }

    /// Takes the next call of a process further down in the file.
    fn answer(&mut self) -> Result<(), Failure> {
        let mut stream = match self.listener.accept() {
            Ok((stream, _)) => stream,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                if Instant::now() > self.until {
                    let missing = self
                        .found
                        .iter()
                        .enumerate()
                        .find(|(number, found)| *number != self.mine.process && found.iter().any(Option::is_none));
                    let name = missing.map(|(number, _)| self.name(number)).unwrap_or_default();
                    return Err(Failure(format!("{name} has not come within {} s", MEETING_MAX.as_secs())));
                }
                thread::sleep(Duration::from_millis(2));
                return Ok(());
            }
            Err(error) => return Err(Failure(format!("cannot listen for the other processes: {error}"))),
        };
        let greeted = stream.set_nonblocking(false).and_then(|()| prepare(&stream));
        // Who says something else, or nothing, is no process of this search.
        let Ok(theirs) = greeted.and_then(|()| read_greeting(&mut stream)) else { return Ok(()) };
        // Nor is who called earlier and has given up since: it calls again.
        let answered = write_greeting(&mut stream, &Greeting { purpose: theirs.purpose, ..self.mine.clone() });
        if answered.and_then(|()| stream.read_exact(&mut [BEAT])).is_err() {
            return Ok(());
        }
        let number = theirs.process;
        if number >= self.found.len() || number <= self.mine.process {
            let mine = self.mine.process;
            return Err(Failure(format!("a process that says it is number {number} called process {mine}")));
        }
        self.compare(number, &theirs)?;
        self.found[number][theirs.purpose as usize] = Some(stream);
        Ok(())
    }

    fn compare(&self, other: usize, theirs: &Greeting) -> Result<(), Failure> {
        let (name, mine) = (self.name(other), &self.mine);
        let differs = |what: &str, theirs: &dyn std::fmt::Display, ours: &dyn std::fmt::Display| {
            Err(Failure(format!("{name} {what} {theirs}, this one {ours}: all must be started alike")))
        };
        if theirs.process != other {
            return differs("says that it is process", &theirs.process, &mine.process);
        }
        if theirs.sextant != mine.sextant {
            return differs("is of version", &theirs.sextant, &mine.sextant);
        }
        if theirs.processes != mine.processes {
            return differs("has so many hosts:", &theirs.processes, &mine.processes);
        }
        if theirs.threads != mine.threads {
            return differs("has so many threads:", &theirs.threads, &mine.threads);
        }
        if theirs.what != mine.what {
            return differs("explores", &theirs.what, &mine.what);
        }
        Ok(())
    }
}

fn connect(address: &str) -> io::Result<TcpStream> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for address in address.to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, GREETING_MAX) {
            Ok(stream) => return Ok(stream),
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn prepare(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(GREETING_MAX))
}

fn write_greeting(stream: &mut TcpStream, greeting: &Greeting) -> io::Result<()> {
    let text = serde_json::to_vec(greeting)?;
    let mut word = (text.len() as u32).to_be_bytes().to_vec();
    word.extend(text);
    stream.write_all(&word)
}

fn read_greeting(stream: &mut TcpStream) -> io::Result<Greeting> {
    let text = read_text(stream)?;
    Ok(serde_json::from_str(&text)?)
}

fn read_text(stream: &mut TcpStream) -> io::Result<String> {
    let mut length = [0; 4];
    stream.read_exact(&mut length)?;
    let length = u32::from_be_bytes(length);
    if length > GREETING_BYTES_MAX {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "that is no word of a process of this search"));
    }
    let mut text = vec![0; length as usize];
    stream.read_exact(&mut text)?;
    String::from_utf8(text).map_err(|e| io::Error::new(io::ErrorKind::InvalidData, e))
}

// --- signs of life ---------------------------------------------------------------------------------------------------

/// Watches every process, and gives all of them signs of life until something is sent to what this returns.
fn watch(others: &[Option<Other>], fate: &Arc<Fate>) -> io::Result<mpsc::Sender<()>> {
    let mut lives = Vec::new();
    for other in others.iter().flatten() {
        other.bytes.set_read_timeout(None)?;
        other.life.set_read_timeout(Some(SILENCE_MAX))?;
        other.life.set_write_timeout(Some(GREETING_MAX))?;
        lives.push(other.life.try_clone()?);
        let (mut life, peer, fate) = (other.life.try_clone()?, other.peer.clone(), fate.clone());
        thread::Builder::new().name("watch".into()).spawn(move || match listen(&mut life, &peer.name) {
            Ok(()) => peer.has_parted(Parted::Bye),
            Err(failure) => {
                fate.fail(failure);
                peer.has_parted(Parted::Lost);
            }
        })?;
    }
    let (quit, quits) = mpsc::channel();
    thread::Builder::new().name("beat".into()).spawn(move || {
        while quits.recv_timeout(BETWEEN_BEATS) == Err(mpsc::RecvTimeoutError::Timeout) {
            for mut life in &lives {
                // Who is gone is missed by the thread that listens.
                let _ = life.write_all(&[BEAT]);
            }
        }
    })?;
    Ok(quit)
}

/// Listens to a process until it parts.
fn listen(life: &mut TcpStream, name: &str) -> Result<(), Failure> {
    let mut word = [0];
    loop {
        match life.read_exact(&mut word) {
            Ok(()) if word == [BEAT] => {}
            Ok(()) if word == [BYE] => return Ok(()),
            Ok(()) if word == [FAILED] => {
                let reason = read_text(life).unwrap_or_else(|e| format!("it does not say why: {e}"));
                return Err(Failure(format!("{name} has failed: {reason}")));
            }
            Ok(()) => return Err(Failure(format!("{name} says what no process of this search does"))),
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                let seconds = SILENCE_MAX.as_secs();
                return Err(Failure(format!("{name} was lost: no sign of life for {seconds} s")));
            }
            Err(_) => return Err(Failure(format!("{name} was lost: it ended without a word"))),
        }
    }
}

impl Peer {
    fn has_parted(&self, how: Parted) {
        *lock(&self.parted) = Some(how);
        self.news.notify_all();
    }

    /// How it parted; none if it had not by `until`.
    fn wait(&self, until: Instant) -> Option<Parted> {
        let mut parted = lock(&self.parted);
        while parted.is_none() {
            let left = until.checked_duration_since(Instant::now())?;
            parted = self.news.wait_timeout(parted, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        *parted
    }
}

/// Timely's connection to another process. It has no errors: see the module.
struct Wire {
    stream: TcpStream,
    peer: Arc<Peer>,
}

impl Read for Wire {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.stream.read(buffer) {
                Ok(0) => break,
                Ok(read) => return Ok(read),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => break,
            }
        }
        loop {
            match self.peer.wait(Instant::now() + BETWEEN_BEATS) {
                Some(Parted::Bye) => return Ok(0),
                // The search ends, and this thread with the process.
                Some(Parted::Lost) => thread::park(),
                None => {}
            }
        }
    }
}

impl Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        loop {
            match self.stream.write(bytes) {
                Ok(written) if written > 0 => return Ok(written),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Ok(_) | Err(_) => return Ok(bytes.len()),
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Stream for Wire {
    fn try_clone(&self) -> io::Result<Self> {
        Ok(Wire { stream: self.stream.try_clone()?, peer: self.peer.clone() })
    }

    fn set_nonblocking(&self, nonblocking: bool) -> io::Result<()> {
        self.stream.set_nonblocking(nonblocking)
    }

    /// Timely has nothing to send any more.
    fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        // Where the peer is gone there is nothing to shut down.
        let _ = self.stream.shutdown(how);
        self.peer.flushed.store(true, Ordering::Release);
        Ok(())
    }
}
