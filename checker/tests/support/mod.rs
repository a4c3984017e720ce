//! A volume of real processes on loopback, in a temporary directory, of which nothing is left after the test.

// Each test program uses its own part of this.
#![allow(dead_code)]

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use sextant_model::logset::Intervals;
use sextant_model::types::Epoch;
use sextant_storage::resp::{Command as Request, Reply, ReplyParser};
use sextant_storage::wire::frame::{read_frame, write_frame};
use sextant_storage::wire::messages::{NodeReply, NodeRequest, Record};

/// How long anything may take that should happen soon; far more than it does.
const PATIENCE: Duration = Duration::from_secs(20);
pub const NODES: [&str; 6] = ["a1", "a2", "b1", "b2", "c1", "c2"];

/// Asks until there is an answer.
pub fn eventually<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(started.elapsed() < PATIENCE, "in vain: {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// A `sextant` process; dropping it kills it.
pub struct Process {
    child: Child,
    out: Receiver<String>,
    err: Receiver<String>,
}

impl Process {
    pub fn start(args: &[OsString]) -> Self {
        Self::start_by(Command::new(env!("CARGO_BIN_EXE_sextant")), args)
    }

    /// Starts it by another command, which ends up in executing the arguments that it is given.
    pub fn start_by(mut command: Command, args: &[OsString]) -> Self {
        command.args(args).arg("--die-with-parent");
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("starts");
        let out = lines(child.stdout.take().expect("piped"));
        let err = lines(child.stderr.take().expect("piped"));
        Process { child, out, err }
    }

    /// The next line on standard output that starts like this.
    pub fn line(&self, start: &str) -> String {
        let started = Instant::now();
        loop {
            match self.out.recv_timeout(PATIENCE.saturating_sub(started.elapsed())) {
                Ok(line) if line.starts_with(start) => return line,
                Ok(_) => {}
                Err(RecvTimeoutError::Timeout) => panic!("no line {start:?}"),
                Err(RecvTimeoutError::Disconnected) => {
                    panic!("ended without a line {start:?}: {:?}", self.complaints())
                }
            }
        }
    }

    /// Lines on standard error that there are by now.
    pub fn complaints(&self) -> Vec<String> {
        self.err.try_iter().collect()
    }

    /// The next line on standard error that contains this.
    pub fn complaint(&self, part: &str) -> String {
        eventually(part, || self.err.try_iter().find(|line| line.contains(part)))
    }

    /// Waits for its end: the exit code, and all that it complained of.
    pub fn ended(mut self) -> (Option<i32>, Vec<String>) {
        let status: ExitStatus = eventually("the process ends", || self.child.try_wait().expect("is a child"));
        (status.code(), self.err.iter().collect())
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("is a child");
    }

    pub fn kill(mut self) {
        self.stop();
    }

    fn stop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.stop();
    }
}

fn lines(stream: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        let lines = BufReader::new(stream).lines().map_while(Result::ok);
        lines.take_while(|line| sender.send(line.clone()).is_ok()).for_each(drop);
    });
    receiver
}

/// The word of a `ready` line that is an address.
pub fn address(ready: &str) -> SocketAddr {
    ready.split(' ').find_map(|word| word.parse().ok()).expect("a ready line has an address")
}

pub struct Writer {
    pub process: Process,
    pub address: SocketAddr,
}

impl Writer {
    pub fn client(&self) -> Client {
        Client::connect(self.address)
    }

    /// Waits until it serves.
    pub fn open(self) -> Self {
        self.process.line("open ");
        self
    }
}

/// The metadata service and six nodes.
pub struct Cluster {
    dir: tempfile::TempDir,
    mutant: Option<&'static str>,
    pub meta: Option<Process>,
    pub meta_address: SocketAddr,
    pub nodes: BTreeMap<&'static str, (Process, SocketAddr)>,
}

impl Cluster {
    pub fn start() -> Self {
        Self::start_with(None)
    }

    pub fn start_with(mutant: Option<&'static str>) -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let meta_address = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut cluster = Cluster { dir, mutant, meta: None, meta_address, nodes: BTreeMap::new() };
        cluster.start_meta(&["--create"]);
        let started: Vec<_> = NODES.map(|name| (name, Process::start(&cluster.node_args(name, &["--create"])))).into();
        for (name, process) in started {
            let address = address(&process.line("ready node"));
            cluster.nodes.insert(name, (process, address));
        }
        cluster
    }

    /// On the port where it was before, if it was.
    pub fn start_meta(&mut self, extra: &[&str]) {
        let mut args = args(&["meta", "--listen", &self.meta_address.to_string(), "--dir"]);
        args.push(self.path("meta").into());
        args.extend(extra.iter().map(OsString::from));
        let process = Process::start(&args);
        self.meta_address = address(&process.line("ready meta"));
        self.meta = Some(process);
    }

    pub fn node_args(&self, name: &str, extra: &[&str]) -> Vec<OsString> {
        let meta = self.meta_address.to_string();
        let mut args = args(&["node", "--name", name, "--zone", &name[..1], "--meta", &meta, "--dir"]);
        args.push(self.path(name).into());
        args.extend(self.mutant.iter().flat_map(|id| ["--mutant", id]).map(OsString::from));
        args.extend(extra.iter().map(OsString::from));
        args
    }

    /// Its ready line.
    pub fn start_node(&mut self, name: &'static str) -> String {
        let process = Process::start(&self.node_args(name, &[]));
        let ready = process.line("ready node");
        self.nodes.insert(name, (process, address(&ready)));
        ready
    }

    pub fn kill_node(&mut self, name: &str) {
        self.nodes.remove(name).expect("it runs").0.kill();
    }

    /// A writer that listens; [`Writer::open`] waits until it serves.
    pub fn writer(&self, name: &str, extra: &[&str]) -> Writer {
        let mut args = args(&["writer", "--name", name, "--meta", &self.meta_address.to_string()]);
        args.extend(self.mutant.iter().flat_map(|id| ["--mutant", id]).map(OsString::from));
        args.extend(extra.iter().map(OsString::from));
        let process = Process::start(&args);
        let address = address(&process.line("ready writer"));
        Writer { process, address }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn log_dir(&self, name: &str) -> PathBuf {
        self.path(name).join("log")
    }

    /// Waits until every one of these nodes has synced a truncation. A writer serves as soon as a write quorum has, and one
    /// that has not hears nothing from its peers.
    pub fn await_truncation(&self, names: &[&str]) {
        for name in names {
            eventually("a truncation is on the node", || {
                let replies = pull(self.nodes[name].1, Epoch(1));
                let truncated = |reply: &NodeReply| matches!(reply, NodeReply::GossipPush { trunc_ve, .. } if *trunc_ve > Epoch::FIRST);
                replies.iter().any(truncated).then_some(())
            });
        }
    }

    /// Waits until every one of these nodes has synced a record of which this holds.
    pub fn await_record(&self, names: &[&str], is_it: impl Fn(&Record) -> bool) {
        for name in names {
            eventually("a record is on the node", || {
                synced_records(self.nodes[name].1).iter().any(&is_it).then_some(())
            });
        }
    }
}

pub fn args(words: &[&str]) -> Vec<OsString> {
    words.iter().map(OsString::from).collect()
}

/// What a node would tell a peer that holds nothing: its synced records, as many as it tells at once.
fn synced_records(node: SocketAddr) -> Vec<Record> {
    let mut found = Vec::new();
    // A peer hears nothing across a truncation, and this one does not know the node's.
    for trunc_ve in (1..8).map(Epoch) {
        for reply in pull(node, trunc_ve) {
            if let NodeReply::GossipPush { records, .. } = reply {
                found.extend(records);
            }
        }
    }
    found
}

/// What a node answers to a peer of that truncation that holds nothing.
fn pull(node: SocketAddr, trunc_ve: Epoch) -> Vec<NodeReply> {
    let mut stream = TcpStream::connect(node).expect("the node listens");
    let pull = NodeRequest::GossipPull { trunc_ve, held: Intervals::default() };
    write_frame(&mut stream, &pull).expect("sent");
    read_frame(&mut stream).expect("a frame").expect("a reply")
}

/// A client of a writer. Every call waits for its reply.
pub struct Client {
    stream: TcpStream,
    parser: ReplyParser,
}

impl Client {
    pub fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).expect("the writer listens");
        stream.set_nodelay(true).expect("is a socket");
        stream.set_read_timeout(Some(PATIENCE)).expect("is a socket");
        Client { stream, parser: ReplyParser::default() }
    }

    /// Sends a command given as words; the reply as text: `nil` for none, errors with a `-`.
    pub fn say(&mut self, text: &str) -> String {
        self.send(text);
        self.hear()
    }

    pub fn send(&mut self, text: &str) {
        let mut bytes = Vec::new();
        Request::parse(text.split(' ').map(|word| word.as_bytes().to_vec()).collect()).encode(&mut bytes);
        self.stream.write_all(&bytes).expect("sent");
    }

    pub fn hear(&mut self) -> String {
        let mut bytes = [0; 4096];
        loop {
            match self.parser.next_reply().expect("is RESP") {
                Some(Reply::Simple(text)) => return text,
                Some(Reply::Error(text)) => return format!("-{text}"),
                Some(Reply::Integer(number)) => return number.to_string(),
                Some(Reply::Bulk(Some(bytes))) => return String::from_utf8_lossy(&bytes).into_owned(),
                Some(Reply::Bulk(None)) => return "nil".to_owned(),
                None => {
                    let read = self.stream.read(&mut bytes).expect("a reply in time");
                    assert!(read > 0, "closed without a reply");
                    self.parser.feed(&bytes[..read]);
                }
            }
        }
    }
}

/// Files of a directory whose names start like this, in order.
pub fn files(dir: &Path, start: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(dir).expect("a directory");
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.retain(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(start)));
    paths.sort();
    paths
}
