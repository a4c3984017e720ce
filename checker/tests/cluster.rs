//! `sextant cluster`: serves, survives, stops, and never leaves anybody behind.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use sextant_storage::resp::{Command as Request, Reply, ReplyParser};

const LIMIT: Duration = Duration::from_secs(30);

/// A running `sextant cluster` and what it has printed.
struct Cluster {
    child: Child,
    lines: BufReader<ChildStdout>,
    /// The last known process of each name.
    pids: BTreeMap<String, u32>,
    port: u16,
}

impl Cluster {
    /// Returns when it serves.
    fn start(dir: Option<&Path>, temporary: &Path) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sextant"));
        command.arg("cluster").env("TMPDIR", temporary).stdout(Stdio::piped());
        if let Some(dir) = dir {
            command.arg("--dir").arg(dir);
        }
        let mut child = command.spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap());
        let mut cluster = Self { child, lines, pids: BTreeMap::new(), port: 0 };
        cluster.next_writer();
        assert_eq!(cluster.pids.len(), 9, "{:?}", cluster.pids);
        cluster
    }

    /// Reads on to the next line that names a writer that serves, and returns who serves.
    fn next_writer(&mut self) -> String {
        let mut writer = String::new();
        loop {
            let mut line = String::new();
            assert!(self.lines.read_line(&mut line).unwrap() > 0, "the cluster ended");
            let words: Vec<&str> = line.split_whitespace().collect();
            match words[..] {
                ["redis-cli", "-p", port] => {
                    self.port = port.parse().unwrap();
                    return writer;
                }
                [name, "pid", pid, ..] => {
                    writer = name.to_owned();
                    self.pids.insert(name.to_owned(), pid.parse().unwrap());
                }
                _ => {}
            }
        }
    }

    /// Reads on until each of these has been given a new process.
    fn wait_for_restart_of(&mut self, names: &[&str]) {
        let mut dead: Vec<&str> = names.to_vec();
        while !dead.is_empty() {
            let mut line = String::new();
            assert!(self.lines.read_line(&mut line).unwrap() > 0, "the cluster ended");
            if let [name, "pid", pid, ..] = line.split_whitespace().collect::<Vec<_>>()[..] {
                self.pids.insert(name.to_owned(), pid.parse().unwrap());
                dead.retain(|missing| *missing != name);
            }
        }
    }

    fn redis_cli(&self, arguments: &[&str]) -> String {
        let output = Command::new("redis-cli").arg("-p").arg(self.port.to_string()).args(arguments).output().unwrap();
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    fn signal(&self, name: &str, signal: Signal) {
        send(self.pids[name], signal);
    }

    fn ask(&self, request: &Request) -> Reply {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.set_read_timeout(Some(LIMIT)).unwrap();
        let mut bytes = Vec::new();
        request.encode(&mut bytes);
        stream.write_all(&bytes).unwrap();
        let mut replies = ReplyParser::default();
        loop {
            if let Some(reply) = replies.next_reply().unwrap() {
                return reply;
            }
            let mut chunk = [0; 512];
            let length = stream.read(&mut chunk).unwrap();
            assert!(length > 0, "connection lost");
            replies.feed(&chunk[..length]);
        }
    }

    fn set(&self, key: &str, value: &str) {
        let reply = self.ask(&Request::Set { key: key.into(), value: value.into() });
        assert_eq!(reply, Reply::ok());
    }

    fn get(&self, key: &str) -> Reply {
        self.ask(&Request::Get { key: key.into() })
    }

    /// Signals the cluster itself, waits for its end, and asserts that all its processes end.
    fn end(mut self, signal: Signal) -> Option<i32> {
        send(self.child.id(), signal);
        let status = self.child.wait().unwrap();
        let deadline = Instant::now() + LIMIT;
        for (name, pid) in &self.pids {
            while is_alive(*pid) {
                assert!(Instant::now() < deadline, "{name} (pid {pid}) outlives the cluster");
                std::thread::yield_now();
            }
        }
        status.code()
    }
}

fn send(pid: u32, signal: Signal) {
    kill_process(Pid::from_raw(pid.try_into().unwrap()).unwrap(), signal).unwrap();
}

/// An orphan that nobody reaps is dead all the same.
fn is_alive(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"));
    stat.is_ok_and(|stat| !stat.rsplit_once(") ").unwrap().1.starts_with(['Z', 'X']))
}

fn bulk(text: &str) -> Reply {
    Reply::Bulk(Some(text.into()))
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect()
}

#[test]
fn it_survives_its_processes_and_ctrl_c_stops_it_all() {
    let temporary = tempfile::tempdir().unwrap();
    let mut cluster = Cluster::start(None, temporary.path());
    cluster.set("x", "1");
    cluster.signal("a1", Signal::KILL);
    cluster.signal("c2", Signal::KILL);
    cluster.set("x", "2");
    cluster.signal("w1", Signal::KILL);
    assert_eq!(cluster.next_writer(), "w2");
    assert_eq!(cluster.get("x"), bulk("2"));
    cluster.set("x", "3");
    // The killed writer's successor is itself replaced: somebody was made standby after the first failover.
    cluster.signal("w2", Signal::KILL);
    assert_eq!(cluster.next_writer(), "w3");
    assert_eq!(cluster.get("x"), bulk("3"));
    assert_eq!(cluster.end(Signal::INT), Some(0));
    assert_eq!(entries(temporary.path()), Vec::<PathBuf>::new());
}

/// Debian's redis-cli is a client like any other; all fifteen pairs of nodes are killed in turn while it works.
#[test]
fn redis_cli_sets_and_gets_across_a_kill_of_any_two_nodes() {
    if Command::new("redis-cli").arg("--version").output().is_err() {
        println!("skipped: no redis-cli");
        return;
    }
    let temporary = tempfile::tempdir().unwrap();
    let mut cluster = Cluster::start(None, temporary.path());
    let nodes = ["a1", "a2", "b1", "b2", "c1", "c2"];
    for (i, first) in nodes.iter().enumerate() {
        for second in &nodes[i + 1..] {
            let value = format!("{first}{second}");
            cluster.signal(first, Signal::KILL);
            cluster.signal(second, Signal::KILL);
            assert_eq!(cluster.redis_cli(&["set", "x", &value]), "OK");
            assert_eq!(cluster.redis_cli(&["get", "x"]), value);
            assert_eq!(cluster.redis_cli(&["set", "x", "no", "ifeq", "other"]), "");
            cluster.wait_for_restart_of(&[first, second]);
        }
    }
    assert_eq!(cluster.redis_cli(&["set", "x", "last", "ifeq", "c1c2"]), "OK");
    assert_eq!(cluster.redis_cli(&["del", "x", "y"]), "1");
    assert!(cluster.redis_cli(&["incr", "x"]).starts_with("ERR unknown command"));
    assert_eq!(cluster.end(Signal::INT), Some(0));
}

#[test]
fn it_goes_on_where_it_stopped() {
    let kept = tempfile::tempdir().unwrap();
    let dir = kept.path().join("data");
    let cluster = Cluster::start(Some(&dir), kept.path());
    cluster.set("x", "1");
    let second = Command::new(env!("CARGO_BIN_EXE_sextant")).arg("cluster").arg("--dir").arg(&dir).output().unwrap();
    assert_eq!(second.status.code(), Some(64), "two clusters on one disk");
    assert_eq!(cluster.end(Signal::TERM), Some(0));
    let cluster = Cluster::start(Some(&dir), kept.path());
    assert_eq!(cluster.get("x"), bulk("1"));
    assert_eq!(cluster.end(Signal::INT), Some(0));
}

#[test]
fn nobody_outlives_a_killed_cluster_not_even_who_is_stopped() {
    let temporary = tempfile::tempdir().unwrap();
    let cluster = Cluster::start(None, temporary.path());
    cluster.signal("b1", Signal::STOP);
    assert_eq!(cluster.end(Signal::KILL), None);
}

#[test]
fn a_folder_that_is_no_cluster_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("thesis.tex"), "").unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_sextant")).arg("cluster").arg("--dir").arg(folder.path()).output();
    let output = output.unwrap();
    assert_eq!(output.status.code(), Some(64));
    assert!(String::from_utf8(output.stderr).unwrap().contains("not empty"));
    assert_eq!(entries(folder.path()).len(), 1);
}
