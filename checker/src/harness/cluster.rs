//! A cluster of real processes: the metadata service, six storage nodes over three zones, a writer and its standby.
//!
//! One thread owns it. Whatever the processes do arrives as a [`Report`] and is taken in by [`Cluster::pump`], and only
//! there; everything that waits, waits by pumping, so that nothing is missed meanwhile.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::HarnessError;
use super::board::{Board, Seat};
use super::journal::Journal;
use super::line::Line;
use super::supervisor::{Death, Group, ProcessId, Report, Supervisor};

/// The six storage nodes; the letter is the zone.
pub(crate) const NODES: [&str; 6] = ["a1", "a2", "b1", "b2", "c1", "c2"];

/// How long a standby waits for a writer that does not answer. Short, because a run is made of failovers; a failover
/// too many costs time, never safety.
const FAILOVER: Duration = Duration::from_millis(400);

/// For anything that a healthy cluster does in a fraction of a second.
pub(crate) const LIMIT: Duration = Duration::from_secs(15);

/// Longest wait between two looks at the interrupt.
const BEAT: Duration = Duration::from_millis(50);

/// Where a cluster lives and what its processes are told.
pub(crate) struct Site {
    pub(crate) executable: PathBuf,
    /// `meta` and one folder a node.
    pub(crate) data: PathBuf,
    pub(crate) logs: PathBuf,
    /// Where nodes and writers record what they do, if they do.
    pub(crate) flight: Option<PathBuf>,
    pub(crate) mutant: Option<String>,
    /// Format the disks. Otherwise they must hold what an earlier cluster left.
    pub(crate) create: bool,
    pub(crate) interrupt: Arc<AtomicBool>,
}

pub(crate) struct Cluster {
    pub(crate) supervisor: Supervisor,
    pub(crate) board: Arc<Board>,
    site: Site,
    meta: Member,
    nodes: Vec<Member>,
    writers: BTreeMap<ProcessId, Writer>,
    writers_started: u32,
    openings: u64,
    /// The last of them.
    opened: Option<News>,
    /// Processes that ended and that nobody here had killed.
    surprises: Vec<String>,
    journal: Journal,
}

/// The metadata service or a storage node.
#[derive(Debug)]
struct Member {
    name: &'static str,
    process: Option<ProcessId>,
    /// Known from its `ready` line on.
    address: Option<SocketAddr>,
}

#[derive(Debug)]
pub(crate) struct Writer {
    pub(crate) name: String,
    pub(crate) role: Role,
    pub(crate) address: Option<SocketAddr>,
    /// From when it opened.
    pub(crate) seat: Option<Arc<Seat>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Starting,
    /// It listens and does not serve.
    Standby,
    Open,
    Deposed,
}

/// What happened, for those who tell a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum News {
    Ready {
        name: String,
        pid: u32,
        address: SocketAddr,
    },
    Opened {
        name: String,
        pid: u32,
        address: SocketAddr,
        line: String,
    },
    Deposed {
        name: String,
        line: String,
    },
    /// It ended, and nobody here killed it.
    Ended {
        name: String,
        how: String,
    },
}

impl Cluster {
    /// Starts everything; returns when the first writer is open and a standby listens.
    pub(crate) fn start(site: Site) -> Result<Self, HarnessError> {
        let supervisor = Supervisor::new(site.executable.clone(), site.logs.clone())?;
        let journal = Journal::open(&site.logs)?;
        let member = |name| Member { name, process: None, address: None };
        let mut cluster = Self {
            supervisor,
            board: Arc::default(),
            site,
            meta: member("meta"),
            nodes: NODES.iter().map(|name| member(name)).collect(),
            writers: BTreeMap::new(),
            writers_started: 0,
            openings: 0,
            opened: None,
            surprises: Vec::new(),
            journal,
        };
        let create = cluster.site.create;
        cluster.start_meta(create)?;
        cluster.wait_start("metadata service", |cluster| cluster.meta.address.is_some())?;
        for node in 0..NODES.len() {
            cluster.start_node(node, create)?;
        }
        cluster.wait_start("storage nodes", Self::all_nodes_ready)?;
        cluster.start_writer(None)?;
        cluster.wait_start("writer", |cluster| cluster.active().is_some())?;
        cluster.start_standby()?;
        cluster.wait_start("standby", |cluster| cluster.standby().is_some())?;
        Ok(cluster)
    }

    pub(crate) fn note(&mut self, line: &str) {
        self.journal.note(line);
    }

    /// Takes in what happens until `deadline`, at most one piece of news. The interrupt ends it early, without news.
    pub(crate) fn pump(&mut self, deadline: Instant) -> Option<News> {
        while !self.interrupted() && Instant::now() < deadline {
            let report = self.supervisor.next(deadline.min(Instant::now() + BEAT));
            if let Some(news) = report.and_then(|report| self.take_in(report)) {
                return Some(news);
            }
        }
        None
    }

    /// Pumps until `done`; the error is a [`HarnessError::TimedOut`], or that the user has lost patience.
    pub(crate) fn wait(
        &mut self,
        what: &str,
        limit: Duration,
        done: impl Fn(&Self) -> bool,
    ) -> Result<Vec<News>, HarnessError> {
        let deadline = Instant::now() + limit;
        let mut news = Vec::new();
        loop {
            if done(self) {
                return Ok(news);
            }
            if self.interrupted() {
                return Err(HarnessError::Interrupted);
            }
            if Instant::now() >= deadline {
                self.note(&format!("waited in vain: {what}"));
                return Err(HarnessError::TimedOut { what: what.to_owned(), after: limit });
            }
            // Conditions may depend on counters of the clients, which make no report.
            news.extend(self.pump(deadline.min(Instant::now() + Duration::from_millis(2))));
        }
    }

    pub(crate) fn interrupted(&self) -> bool {
        self.site.interrupt.load(Ordering::Relaxed)
    }

    /// The open writer with the latest epoch.
    pub(crate) fn active(&self) -> Option<ProcessId> {
        let open = self.writers.iter().filter(|(_, writer)| writer.role == Role::Open);
        open.max_by_key(|(_, writer)| writer.epoch()).map(|(process, _)| *process)
    }

    /// A writer that listens and waits.
    pub(crate) fn standby(&self) -> Option<ProcessId> {
        let mut waiting = self.writers.iter().filter(|(_, writer)| writer.role == Role::Standby);
        waiting.next().map(|(process, _)| *process)
    }

    pub(crate) fn writer(&self, process: ProcessId) -> Option<&Writer> {
        self.writers.get(&process)
    }

    /// The writer that serves, at a later epoch than `epoch`.
    pub(crate) fn opened_after(&self, epoch: u64) -> Option<&Writer> {
        self.active().and_then(|process| self.writer(process)).filter(|writer| writer.epoch() > epoch)
    }

    /// Epochs that were opened after the first.
    pub(crate) fn failovers(&self) -> u64 {
        self.openings.saturating_sub(1)
    }

    pub(crate) fn surprises(&self) -> &[String] {
        &self.surprises
    }

    pub(crate) fn node_process(&self, node: usize) -> Option<ProcessId> {
        self.nodes[node].process
    }

    pub(crate) fn node_ready(&self, node: usize) -> bool {
        self.nodes[node].process.is_some() && self.nodes[node].address.is_some()
    }

    pub(crate) fn all_nodes_ready(&self) -> bool {
        (0..NODES.len()).all(|node| self.node_ready(node))
    }

    /// Where the log of a node lies.
    pub(crate) fn node_log(&self, node: usize) -> PathBuf {
        self.site.data.join(NODES[node]).join("log")
    }

    /// SIGKILL, at once, and reaped. What the dead were is forgotten.
    pub(crate) fn kill(&mut self, processes: &[ProcessId]) -> Result<Vec<Death>, HarnessError> {
        Ok(self.kill_nodes_first(processes, Duration::ZERO)?.1)
    }

    /// As [`Cluster::kill`], all nodes at once and the others `lag` later; also how long it took.
    pub(crate) fn kill_nodes_first(
        &mut self,
        processes: &[ProcessId],
        lag: Duration,
    ) -> Result<(Duration, Vec<Death>), HarnessError> {
        let killed = self.supervisor.kill(processes, lag).map_err(HarnessError::io("kill"))?;
        for process in processes {
            self.forget(*process);
        }
        for death in &killed.1 {
            self.note(&format!("killed {} (pid {}): {}", death.name, death.pid, death.status));
        }
        Ok(killed)
    }

    /// Starts the metadata service, again on the port that everybody was told if it had one.
    pub(crate) fn start_meta(&mut self, create: bool) -> Result<(), HarnessError> {
        let mut arguments = words(["meta", "--dir"]);
        arguments.push(self.folder("meta")?.into());
        if create {
            arguments.push("--create".into());
        }
        if let Some(address) = self.meta.address.take() {
            arguments.extend(["--listen".into(), address.to_string().into()]);
        }
        self.meta.process = Some(self.launch("meta", arguments)?);
        Ok(())
    }

    pub(crate) fn start_node(&mut self, node: usize, create: bool) -> Result<(), HarnessError> {
        let name = NODES[node];
        let mut arguments = words(["node", "--name", name, "--zone", &name[..1], "--dir"]);
        arguments.push(self.folder(name)?.into());
        self.point_at_meta(&mut arguments);
        if create {
            arguments.push("--create".into());
        }
        self.record_flight(&mut arguments);
        self.nodes[node].address = None;
        self.nodes[node].process = Some(self.launch(name, arguments)?);
        Ok(())
    }

    /// A new standby of the active writer. Without an active writer, a writer that takes the volume at once.
    pub(crate) fn start_standby(&mut self) -> Result<ProcessId, HarnessError> {
        let active = self.active().and_then(|process| self.writers[&process].address);
        self.start_writer(active)
    }

    /// Buries writers that were replaced and sees to it that there is a writer and a standby.
    pub(crate) fn tend(&mut self) -> Result<(), HarnessError> {
        let deposed: Vec<ProcessId> = self
            .writers
            .iter()
            .filter(|(_, writer)| writer.role == Role::Deposed)
            .map(|(process, _)| *process)
            .collect();
        self.kill(&deposed)?;
        // A standby without an active writer is taking over: it needs no second one at its side.
        if self.lacks_writers() {
            self.start_standby()?;
        }
        Ok(())
    }

    /// A deposed writer is still there, or there is no standby.
    pub(crate) fn lacks_writers(&self) -> bool {
        let mut roles = self.writers.values().map(|writer| writer.role);
        roles.clone().any(|role| role == Role::Deposed)
            || !roles.any(|role| matches!(role, Role::Starting | Role::Standby))
    }

    /// The news that everybody who is up has made.
    pub(crate) fn introduction(&self) -> Vec<News> {
        let member = |member: &Member| Some((member.process?, member.name.to_owned(), member.address?));
        let writer = |(process, writer): (&ProcessId, &Writer)| Some((*process, writer.name.clone(), writer.address?));
        let all = self.members().filter_map(member).chain(self.writers.iter().filter_map(writer));
        let ready = all.filter_map(|(process, name, address)| {
            let pid = self.supervisor.pid_number(process)?;
            Some(News::Ready { name, pid, address })
        });
        ready.chain(self.opened.clone()).collect()
    }

    fn start_writer(&mut self, standby_of: Option<SocketAddr>) -> Result<ProcessId, HarnessError> {
        self.writers_started += 1;
        let name = format!("w{}", self.writers_started);
        let failover_ms = FAILOVER.as_millis().to_string();
        let mut arguments = words(["writer", "--name", &name, "--failover-ms", &failover_ms]);
        self.point_at_meta(&mut arguments);
        self.record_flight(&mut arguments);
        if let Some(active) = standby_of {
            arguments.extend(["--standby-of".into(), active.to_string().into()]);
        }
        let process = self.launch(&name, arguments)?;
        self.writers.insert(process, Writer { name, role: Role::Starting, address: None, seat: None });
        Ok(process)
    }

    fn launch(&mut self, name: &str, mut arguments: Vec<OsString>) -> Result<ProcessId, HarnessError> {
        arguments.push("--die-with-parent".into());
        if let Some(mutant) = &self.site.mutant {
            arguments.extend(["--mutant".into(), mutant.into()]);
        }
        let group = if NODES.contains(&name) { Group::Named("nodes") } else { Group::Own };
        let process = self.supervisor.start(name, group, &arguments)?;
        let pid = self.supervisor.pid_number(process).unwrap_or_default();
        self.note(&format!("started {name} (pid {pid})"));
        Ok(process)
    }

    fn point_at_meta(&self, arguments: &mut Vec<OsString>) {
        if let Some(meta) = self.meta.address {
            arguments.extend(["--meta".into(), meta.to_string().into()]);
        }
    }

    fn record_flight(&self, arguments: &mut Vec<OsString>) {
        if let Some(flight) = &self.site.flight {
            arguments.extend(["--flight".into(), flight.into()]);
        }
    }

    fn folder(&self, name: &str) -> Result<PathBuf, HarnessError> {
        let folder = self.site.data.join(name);
        fs::create_dir_all(&folder).map_err(HarnessError::io(format!("create {}", folder.display())))?;
        Ok(folder)
    }

    fn wait_start(&mut self, what: &str, done: impl Fn(&Self) -> bool) -> Result<(), HarnessError> {
        // Somebody who died at the start explains why the others wait in vain.
        let deadline = Instant::now() + LIMIT;
        while !done(self) {
            let news = self.pump(Instant::now() + BEAT);
            if self.interrupted() {
                return Err(HarnessError::Interrupted);
            }
            if let Some(News::Ended { name, how }) = news {
                let how = self.last_words(&name).unwrap_or(how);
                return Err(HarnessError::Ended { name, how });
            }
            if Instant::now() >= deadline {
                return Err(HarnessError::TimedOut { what: format!("start of the {what}"), after: LIMIT });
            }
        }
        Ok(())
    }

    /// The last line that a process wrote on standard error.
    pub(crate) fn last_words(&self, name: &str) -> Option<String> {
        let log = fs::read_to_string(self.supervisor.logs().join(format!("{name}.log"))).ok()?;
        log.lines().rfind(|line| !line.trim().is_empty()).map(str::to_owned)
    }

    fn take_in(&mut self, report: Report) -> Option<News> {
        match report {
            Report::Line { process, line } => {
                let name = self.name(process)?;
                self.note(&format!("{name}: {line}"));
                self.take_line(process, name, line)
            }
            Report::Ended { process, status } => {
                let name = self.name(process)?;
                self.forget(process);
                self.note(&format!("{name} ended by itself: {status}"));
                let words = self.last_words(&name).map_or(String::new(), |words| format!(": {words}"));
                self.surprises.push(format!("{name} ended by itself ({status}){words}"));
                Some(News::Ended { name, how: status.to_string() })
            }
        }
    }

    fn take_line(&mut self, process: ProcessId, name: String, line: String) -> Option<News> {
        let pid = self.supervisor.pid_number(process)?;
        match Line::parse(&line)? {
            Line::Ready { address } => {
                match self.writers.get_mut(&process) {
                    Some(writer) => {
                        writer.address = Some(address);
                        writer.role = Role::Standby;
                    }
                    None => self.member(process)?.address = Some(address),
                }
                Some(News::Ready { name, pid, address })
            }
            Line::Open { epoch } => {
                let writer = self.writers.get_mut(&process)?;
                let address = writer.address?;
                let seat = Arc::new(Seat::new(&name, address, epoch));
                writer.role = Role::Open;
                writer.seat = Some(seat.clone());
                self.openings += 1;
                self.board.announce(seat);
                self.opened = Some(News::Opened { name, pid, address, line });
                self.opened.clone()
            }
            Line::Deposed => {
                self.writers.get_mut(&process)?.role = Role::Deposed;
                Some(News::Deposed { name, line })
            }
        }
    }

    fn name(&self, process: ProcessId) -> Option<String> {
        let writer = self.writers.get(&process).map(|writer| writer.name.clone());
        let member = || self.members().find(|member| member.process == Some(process));
        writer.or_else(|| member().map(|member| member.name.to_owned()))
    }

    fn members(&self) -> impl Iterator<Item = &Member> {
        std::iter::once(&self.meta).chain(&self.nodes)
    }

    fn member(&mut self, process: ProcessId) -> Option<&mut Member> {
        let mut members = std::iter::once(&mut self.meta).chain(&mut self.nodes);
        members.find(|member| member.process == Some(process))
    }

    /// The address of the metadata service outlives it: it is restarted there.
    fn forget(&mut self, process: ProcessId) {
        self.writers.remove(&process);
        for member in std::iter::once(&mut self.meta).chain(&mut self.nodes) {
            if member.process == Some(process) {
                member.process = None;
            }
        }
    }

    pub(crate) fn meta_is_dead(&self) -> bool {
        self.meta.process.is_none()
    }
}

impl Writer {
    /// 0 before it is open; the first epoch of a volume is 1.
    pub(crate) fn epoch(&self) -> u64 {
        self.seat.as_ref().map_or(0, |seat| seat.epoch)
    }
}

fn words<const N: usize>(words: [&str; N]) -> Vec<OsString> {
    words.into_iter().map(OsString::from).collect()
}
