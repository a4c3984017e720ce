//! The processes of a run: started, watched, signalled, and dead before this ends, however it ends.
//!
//! * Each child is asked (`--die-with-parent`) to have the kernel kill it when its parent dies: that covers SIGKILL of
//!   this process, and a child that is stopped. The kernel means the *thread* that started the child, hence a thread
//!   that does nothing but start children and lives as long as the [`Supervisor`].
//! * Dropping the supervisor kills and reaps them all: that covers errors and panics.
//! * No child is in the process group of this process, so that Ctrl-C on the terminal reaches this process only, which then
//!   ends the run in order.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::{self, OpenOptions};
use std::io::{self, BufRead, BufReader};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::HarnessError;
use super::at_once::{Target, kill_at_once};
use super::spawner::Spawner;

/// One start of one program: a restarted node is another process. Never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ProcessId(u64);

/// What a process did of its own accord.
#[derive(Debug)]
pub enum Report {
    /// A line on its standard output.
    Line { process: ProcessId, line: String },
    /// It ended, and nobody here killed it.
    Ended { process: ProcessId, status: ExitStatus },
}

/// Starts, watches, signals and buries processes.
pub struct Supervisor {
    executable: PathBuf,
    logs: PathBuf,
    children: BTreeMap<ProcessId, Running>,
    readers: Vec<JoinHandle<()>>,
    spawner: Option<Spawner>,
    sender: Sender<FromReader>,
    reports: Receiver<FromReader>,
    next_process: u64,
}

struct Running {
    name: String,
    child: Child,
    /// The kernel's number of its process group, and what it is called here.
    group: (i32, Group),
}

/// Processes of a group can be killed by one system call, which nothing comes between. That is as close to a power cut as
/// signals get: a sender of several is itself interrupted by those who wake up to die.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    Own,
    Named(&'static str),
}

enum FromReader {
    Line(ProcessId, String),
    EndOfOutput(ProcessId),
}

/// The proof that a process was killed: what `wait` said about it.
#[derive(Clone, Debug)]
pub struct Death {
    pub name: String,
    pub pid: u32,
    pub status: ExitStatus,
}

impl Death {
    pub fn by_sigkill(&self) -> bool {
        self.status.signal() == Some(Signal::KILL.as_raw())
    }
}

/// A process without standard output sends no events any more: it has this long to end by itself.
const GRACE: Duration = Duration::from_secs(1);

impl Supervisor {
    /// Children run `executable`; the standard error of one that is called `a1` goes to `logs/a1.log`, that of a later
    /// process of the same name behind it.
    pub fn new(executable: PathBuf, logs: PathBuf) -> Result<Self, HarnessError> {
        fs::create_dir_all(&logs).map_err(HarnessError::io(format!("create {}", logs.display())))?;
        let (sender, reports) = mpsc::channel();
        let spawner = Some(Spawner::start().map_err(HarnessError::io("start a thread"))?);
        let (children, readers) = (BTreeMap::new(), Vec::new());
        Ok(Self { executable, logs, children, readers, spawner, sender, reports, next_process: 0 })
    }

    pub fn logs(&self) -> &Path {
        &self.logs
    }

    /// Starts a process; what it prints arrives as [`Report::Line`].
    pub fn start(&mut self, name: &str, group: Group, arguments: &[OsString]) -> Result<ProcessId, HarnessError> {
        let log = self.logs.join(format!("{name}.log"));
        let log_file = OpenOptions::new().append(true).create(true).open(&log);
        let log_file = log_file.map_err(HarnessError::io(format!("open {}", log.display())))?;
        let mut command = Command::new(&self.executable);
        // 0: a new group, of which it is the leader. A group lives as long as one of its members is not reaped.
        let joined = self.children.values().map(|running| running.group).find(|(_, named)| *named == group);
        let joined = joined.filter(|_| group != Group::Own).map_or(0, |(number, _)| number);
        command.args(arguments).process_group(joined);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log_file);
        let mut child = self.spawn(command).map_err(HarnessError::io(format!("start {name}")))?;
        let process = ProcessId(self.next_process);
        self.next_process += 1;
        let stdout = child.stdout.take();
        // From here on the child is buried with the others, also when its reader cannot be started.
        let number = if joined == 0 { Pid::from_child(&child).as_raw_nonzero().get() } else { joined };
        self.children.insert(process, Running { name: name.to_owned(), child, group: (number, group) });
        if let Some(stdout) = stdout {
            self.read(process, stdout)?;
        }
        Ok(process)
    }

    /// The next report, or `None` at the deadline.
    pub fn next(&mut self, deadline: Instant) -> Option<Report> {
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.reports.recv_timeout(left) {
                Ok(FromReader::Line(process, line)) => return Some(Report::Line { process, line }),
                Ok(FromReader::EndOfOutput(process)) => {
                    if let Some(status) = self.bury(process) {
                        return Some(Report::Ended { process, status });
                    }
                }
                Err(RecvTimeoutError::Timeout) => return None,
                Err(RecvTimeoutError::Disconnected) => unreachable!("the supervisor holds a sender"),
            }
        }
    }

    /// SIGKILL, all in one go and before any waiting, then reaps them. Returns how long it took from the first kill to
    /// the last, and what became of each. Processes that were dead before are left out.
    ///
    /// Whole groups die first, and the others `lag` later.
    pub fn kill(&mut self, processes: &[ProcessId], lag: Duration) -> io::Result<(Duration, Vec<Death>)> {
        let targets = self.targets(processes);
        let span = kill_at_once(&targets, lag)?;
        let mut deaths = Vec::new();
        for process in processes {
            if let Some(mut running) = self.children.remove(process) {
                let (name, pid) = (running.name, running.child.id());
                deaths.push(Death { name, pid, status: running.child.wait()? });
            }
        }
        Ok((span, deaths))
    }

    /// SIGSTOP. [`Supervisor::state`] tells when it has taken effect.
    pub fn stop(&self, process: ProcessId) -> io::Result<()> {
        self.signal(process, Signal::STOP)
    }

    /// SIGCONT.
    pub fn cont(&self, process: ProcessId) -> io::Result<()> {
        self.signal(process, Signal::CONT)
    }

    /// The letter of `/proc/PID/stat`: `T` for stopped. `None` for a process that is gone.
    pub fn state(&self, process: ProcessId) -> Option<char> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.children.get(&process)?.child.id())).ok()?;
        // The name before it may hold spaces and parentheses, so count from the last one.
        stat.rsplit_once(") ")?.1.chars().next()
    }

    /// The kernel's number of a process that is not known to be dead.
    pub fn pid_number(&self, process: ProcessId) -> Option<u32> {
        self.children.get(&process).map(|running| running.child.id())
    }

    /// Whole groups first, then who is alone or whose group is to live.
    fn targets(&self, processes: &[ProcessId]) -> Vec<Target> {
        let victims = processes.iter().filter_map(|process| self.children.get(process));
        let mut targets = Vec::new();
        for victim in victims {
            let mut members = self.children.iter().filter(|(_, running)| running.group == victim.group);
            let target = if members.all(|(process, _)| processes.contains(process)) {
                Target::Group(victim.group.0)
            } else {
                Target::Process(Pid::from_child(&victim.child))
            };
            if !targets.contains(&target) {
                targets.push(target);
            }
        }
        targets.sort_unstable_by_key(|target| matches!(target, Target::Process(_)));
        targets
    }

    fn signal(&self, process: ProcessId, signal: Signal) -> io::Result<()> {
        let pid = self.pid(process).ok_or(io::ErrorKind::NotFound)?;
        Ok(kill_process(pid, signal)?)
    }

    /// An unreaped child keeps its number, so a signal cannot hit a stranger.
    fn pid(&self, process: ProcessId) -> Option<Pid> {
        self.children.get(&process).map(|running| Pid::from_child(&running.child))
    }

    fn spawn(&self, command: Command) -> io::Result<Child> {
        match &self.spawner {
            Some(spawner) => spawner.spawn(command),
            None => Err(io::ErrorKind::BrokenPipe.into()),
        }
    }

    fn read(&mut self, process: ProcessId, stdout: ChildStdout) -> Result<(), HarnessError> {
        let sender = self.sender.clone();
        let reader = std::thread::Builder::new().name("reader".into()).spawn(move || {
            for line in BufReader::new(stdout).lines() {
                let Ok(line) = line else { break };
                if sender.send(FromReader::Line(process, line)).is_err() {
                    return;
                }
            }
            // The supervisor may be gone: then nobody wants to know.
            let _ = sender.send(FromReader::EndOfOutput(process));
        });
        self.readers.retain(|reader| !reader.is_finished());
        self.readers.push(reader.map_err(HarnessError::io("start a thread"))?);
        Ok(())
    }

    /// Reaps a process whose output has ended. `None` if it was killed from here.
    fn bury(&mut self, process: ProcessId) -> Option<ExitStatus> {
        let mut running = self.children.remove(&process)?;
        let deadline = Instant::now() + GRACE;
        loop {
            match running.child.try_wait() {
                Ok(Some(status)) => return Some(status),
                Ok(None) if Instant::now() < deadline => std::thread::sleep(Duration::from_millis(1)),
                Ok(None) | Err(_) => {
                    // It may have died in between.
                    let _ = running.child.kill();
                    return running.child.wait().ok();
                }
            }
        }
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        let all: Vec<ProcessId> = self.children.keys().copied().collect();
        // Nothing can be done about an error here; the kernel kills what is left when the spawner thread ends.
        let _ = self.kill(&all, Duration::ZERO);
        self.spawner = None;
        for reader in self.readers.drain(..) {
            let _ = reader.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::*;

    const LIMIT: Duration = Duration::from_secs(20);

    fn supervisor(logs: &Path) -> Supervisor {
        Supervisor::new("/bin/sh".into(), logs.to_owned()).unwrap()
    }

    fn start(supervisor: &mut Supervisor, script: &str) -> ProcessId {
        supervisor.start("script", Group::Own, &["-c".into(), script.into()]).unwrap()
    }

    /// A process that says that it is there, and stays.
    fn sleeper(supervisor: &mut Supervisor) -> (ProcessId, u32) {
        let process = start(supervisor, "echo up; exec sleep 1000");
        assert_eq!(line(supervisor), (process, "up".to_owned()));
        (process, supervisor.pid_number(process).unwrap())
    }

    fn line(supervisor: &mut Supervisor) -> (ProcessId, String) {
        match supervisor.next(Instant::now() + LIMIT) {
            Some(Report::Line { process, line }) => (process, line),
            other => panic!("{other:?}"),
        }
    }

    fn exists(pid: u32) -> bool {
        Path::new(&format!("/proc/{pid}")).exists()
    }

    /// Two sleepers, one of them stopped.
    fn a_running_and_a_stopped_one(supervisor: &mut Supervisor) -> [u32; 2] {
        let (_, running) = sleeper(supervisor);
        let (stopped, pid) = sleeper(supervisor);
        supervisor.stop(stopped).unwrap();
        let deadline = Instant::now() + LIMIT;
        while supervisor.state(stopped) != Some('T') {
            assert!(Instant::now() < deadline, "never stopped");
            std::thread::yield_now();
        }
        [running, pid]
    }

    #[test]
    fn nobody_outlives_the_supervisor() {
        let logs = tempfile::tempdir().unwrap();
        let mut supervisor = supervisor(logs.path());
        let pids = a_running_and_a_stopped_one(&mut supervisor);
        assert_eq!(pids.map(exists), [true, true]);
        drop(supervisor);
        assert_eq!(pids.map(exists), [false, false]);
    }

    #[test]
    fn nobody_outlives_a_panic() {
        let logs = tempfile::tempdir().unwrap();
        let mut pids = [0; 2];
        let result = catch_unwind(AssertUnwindSafe(|| {
            let mut supervisor = supervisor(logs.path());
            pids = a_running_and_a_stopped_one(&mut supervisor);
            panic!("on purpose");
        }));
        assert!(result.is_err());
        assert_eq!(pids.map(exists), [false, false]);
    }

    #[test]
    fn a_kill_brings_proof_and_no_report() {
        let logs = tempfile::tempdir().unwrap();
        let mut supervisor = supervisor(logs.path());
        let (one, pid) = sleeper(&mut supervisor);
        let (other, _) = sleeper(&mut supervisor);
        let (_, deaths) = supervisor.kill(&[one, other], Duration::ZERO).unwrap();
        assert!(deaths.iter().all(Death::by_sigkill), "{deaths:?}");
        assert_eq!((deaths.len(), deaths[0].pid, exists(pid)), (2, pid, false));
        assert_eq!(supervisor.state(one), None);
        let (_, again) = supervisor.kill(&[one], Duration::ZERO).unwrap();
        assert!(again.is_empty());
        let later = start(&mut supervisor, "exit 7");
        match supervisor.next(Instant::now() + LIMIT) {
            Some(Report::Ended { process, status }) => assert_eq!((process, status.code()), (later, Some(7))),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_group_dies_as_a_whole_and_only_as_a_whole() {
        let logs = tempfile::tempdir().unwrap();
        let mut supervisor = supervisor(logs.path());
        let member = |supervisor: &mut Supervisor| {
            let arguments = ["-c".into(), "exec sleep 1000".into()];
            supervisor.start("member", Group::Named("six"), &arguments).unwrap()
        };
        let members: Vec<ProcessId> = (0..3).map(|_| member(&mut supervisor)).collect();
        assert_eq!(supervisor.targets(&members).len(), 1);
        assert_eq!(supervisor.targets(&members[1..]).len(), 2);
        // The leader's number names the group also when the leader is gone.
        supervisor.kill(&members[..1], Duration::ZERO).unwrap();
        let late = member(&mut supervisor);
        let rest = [members[1], members[2], late];
        assert_eq!(supervisor.targets(&rest).len(), 1);
        let (_, deaths) = supervisor.kill(&rest, Duration::ZERO).unwrap();
        assert_eq!(deaths.iter().filter(|death| death.by_sigkill()).count(), 3);
        member(&mut supervisor);
    }

    #[test]
    fn lines_come_whole_and_errors_go_to_the_log() {
        let logs = tempfile::tempdir().unwrap();
        let mut supervisor = supervisor(logs.path());
        let process = start(&mut supervisor, "echo broken >&2; printf 'rea'; echo dy; printf last");
        assert_eq!(line(&mut supervisor), (process, "ready".to_owned()));
        assert_eq!(line(&mut supervisor), (process, "last".to_owned()));
        assert!(matches!(supervisor.next(Instant::now() + LIMIT), Some(Report::Ended { .. })));
        assert_eq!(fs::read_to_string(logs.path().join("script.log")).unwrap(), "broken\n");
    }

    #[test]
    fn what_cannot_be_started_is_an_error() {
        let logs = tempfile::tempdir().unwrap();
        let mut supervisor = Supervisor::new("/nonexistent/program".into(), logs.path().to_owned()).unwrap();
        let error = supervisor.start("a1", Group::Own, &[]).unwrap_err().to_string();
        assert!(error.starts_with("start a1: "), "{error}");
    }
}
