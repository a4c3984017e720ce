//! Carries out what the plan says, and brings proof.
//!
//! Each fault ends with the cluster whole again: all nodes ready, a writer open, a standby behind it. What a fault
//! needs and does not get in time is written into its receipt; it is not an error of the harness.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use sextant_storage::log::fault::power_cut;

use super::HarnessError;
use super::board::Seat;
use super::cluster::{Cluster, LIMIT, NODES, Role};
use super::plan::Fault;
use super::receipt::Receipt;
use super::supervisor::{Death, ProcessId};
use sextant_storage::random::Random;

/// Operations in `ok` that a window must have in which the cluster promises service. Any cluster that serves at all
/// does a multiple of it.
const WINDOW_OPERATIONS: u64 = 5;

/// What a new writer acknowledges before the old one is woken: enough to overwrite most of what the old one knows.
const WRITES_BEHIND_ITS_BACK: u64 = 25;

/// Clients that wait for the old writer's answer to a read when it is woken.
const DECEIVED: u64 = 3;

/// How long the clients write without pause before a power cut.
const PRESSURE: Duration = Duration::from_millis(100);

/// How much longer the writer lives than the nodes when the power fails: until it has passed on the acknowledgements that
/// the nodes sent with their last breath. What they promised there is what they must keep.
const LAG: Duration = Duration::from_micros(100);

/// A simultaneous power cut.
const SPAN: Duration = Duration::from_millis(1);

/// Why a fault was not finished: the cluster did not do what it must (the receipt says so), or the harness failed.
enum Stop {
    Waited,
    Failed(HarnessError),
}

impl From<HarnessError> for Stop {
    fn from(error: HarnessError) -> Self {
        Self::Failed(error)
    }
}

/// One fault from beginning to end. The receipt is of the fault also when the cluster did not come back.
pub(crate) fn strike(cluster: &mut Cluster, fault: &Fault, start: Instant) -> Result<Receipt, HarnessError> {
    let mut receipt = Receipt::new(fault.kind(), milliseconds(start.elapsed()));
    cluster.note(&format!("nemesis: {fault:?}"));
    let began = Instant::now();
    let before = cluster.board.ok.load(Ordering::Relaxed);
    let mut attack = Attack { cluster, receipt: &mut receipt };
    let result = match fault {
        Fault::KillNode { nodes, down } => attack.kill_node(nodes, *down),
        Fault::KillWriter => attack.kill_writer(),
        Fault::ZombieWriter { linger } => attack.zombie_writer(*linger),
        Fault::PowerCut { seed } => attack.power_cut(*seed),
    };
    receipt.took_ms = milliseconds(began.elapsed());
    receipt.operations = cluster.board.ok.load(Ordering::Relaxed) - before;
    cluster.note(&format!("receipt: {receipt}"));
    match result {
        Ok(()) | Err(Stop::Waited) | Err(Stop::Failed(HarnessError::Interrupted)) => Ok(receipt),
        Err(Stop::Failed(error)) => Err(error),
    }
}

/// Wakes, restarts and replaces until the cluster is whole.
pub(crate) fn heal(cluster: &mut Cluster) -> Result<(), HarnessError> {
    for node in 0..NODES.len() {
        if cluster.node_process(node).is_none() {
            cluster.start_node(node, false)?;
        }
    }
    cluster.tend()?;
    cluster.wait("all nodes ready", LIMIT, Cluster::all_nodes_ready)?;
    cluster.wait("a writer open", LIMIT, |cluster| cluster.active().is_some())?;
    cluster.tend()
}

struct Attack<'a> {
    cluster: &'a mut Cluster,
    receipt: &'a mut Receipt,
}

impl Attack<'_> {
    fn kill_node(&mut self, nodes: &[usize], down: Duration) -> Result<(), Stop> {
        let processes: Vec<ProcessId> = nodes.iter().filter_map(|node| self.cluster.node_process(*node)).collect();
        let deaths = self.cluster.kill(&processes)?;
        self.record_deaths(&deaths, nodes.len());
        let before = self.cluster.board.ok.load(Ordering::Relaxed);
        self.pause(down)?;
        let operations = self.cluster.board.ok.load(Ordering::Relaxed) - before;
        self.receipt.saw(format!("{operations} operations with {} down", nodes.len()));
        if operations < WINDOW_OPERATIONS {
            self.receipt.starved = Some(format!("only {operations} operations with {} nodes down", nodes.len()));
        }
        for node in nodes {
            self.cluster.start_node(*node, false)?;
        }
        self.nodes_back(nodes)
    }

    fn kill_writer(&mut self) -> Result<(), Stop> {
        let (victim, seat) = self.writer_and_standby()?;
        let deaths = self.cluster.kill(&[victim])?;
        self.record_deaths(&deaths, 1);
        let new = self.successor(&seat)?;
        self.cluster.start_standby()?;
        self.serves(&new)?;
        self.standby_listens()
    }

    fn zombie_writer(&mut self, linger: Duration) -> Result<(), Stop> {
        let (zombie, old) = self.writer_and_standby()?;
        self.receipt.targets.push(old.name.clone());
        self.cluster.supervisor.stop(zombie).map_err(HarnessError::io("stop the writer"))?;
        self.expect("the writer stopped", move |cluster| cluster.supervisor.state(zombie) == Some('T'))?;
        let paused = Instant::now();
        self.receipt.saw(format!("{} in state T at e{}", old.name, old.epoch));
        let result = self.deceive(&old, linger);
        // Also when nothing came of it: a writer that stays paused holds its clients for ever.
        let asked = old.reads_waiting.load(Ordering::Relaxed);
        let refused_before = old.refused.load(Ordering::Relaxed);
        self.cluster.supervisor.cont(zombie).map_err(HarnessError::io("wake the writer"))?;
        let slept = milliseconds(paused.elapsed());
        self.receipt.saw(format!("woken after {slept} ms with {asked} reads waiting for it"));
        result?;
        if asked == 0 {
            self.receipt.missed("no client was waiting for the old writer when it woke");
        }
        self.must_refuse(zombie, &old, refused_before)?;
        self.cluster.kill(&[zombie])?;
        self.cluster.tend()?;
        self.standby_listens()
    }

    /// While the old writer is paused: a new one opens and goes on, and reads pile up at the old one.
    fn deceive(&mut self, old: &Arc<Seat>, linger: Duration) -> Result<(), Stop> {
        let new = self.successor(old)?;
        let acknowledged = new.clone();
        self.expect("writes behind the paused writer's back", move |_| {
            acknowledged.writes.load(Ordering::Relaxed) >= WRITES_BEHIND_ITS_BACK
        })?;
        self.receipt.saw(format!("{} acknowledged {WRITES_BEHIND_ITS_BACK} writes", new.name));
        // Reads that are invoked from now on are after those writes; those that wait already end within their time-out.
        self.pause(linger.max(super::client::PATIENCE))?;
        let waiting = old.clone();
        self.expect("reads at the paused writer", move |_| waiting.reads_waiting.load(Ordering::Relaxed) >= DECEIVED)
    }

    fn must_refuse(&mut self, zombie: ProcessId, old: &Arc<Seat>, refused_before: u64) -> Result<(), Stop> {
        let deposed = move |cluster: &Cluster| cluster.writer(zombie).is_none_or(|writer| writer.role == Role::Deposed);
        if self.cluster.wait("the old writer deposed", REFUSAL, deposed).is_ok() {
            self.receipt.saw(format!("{} deposed", old.name));
        } else {
            self.receipt.starved = Some(format!("{} was not deposed within {} s", old.name, REFUSAL.as_secs()));
        }
        // The clients that stayed hear it, before the process and its sockets are gone.
        let heard = old.clone();
        let refused = move |_: &Cluster| heard.refused.load(Ordering::Relaxed) >= refused_before + DECEIVED;
        if let Err(error @ HarnessError::Interrupted) = self.cluster.wait("refusals", REFUSAL / 4, refused) {
            return Err(error.into());
        }
        let refused = old.refused.load(Ordering::Relaxed) - refused_before;
        self.receipt.saw(format!("refused {refused} operations"));
        Ok(())
    }

    fn power_cut(&mut self, seed: u64) -> Result<(), Stop> {
        let (writer, seat) = self.writer_and_standby()?;
        let nodes: Vec<usize> = (0..NODES.len()).collect();
        let mut victims = vec![writer];
        victims.extend(nodes.iter().filter_map(|node| self.cluster.node_process(*node)));
        // Under load, or there may be nothing that is not synced.
        self.cluster.board.press(true);
        let pressed = self.pause(PRESSURE);
        let killed = self.cluster.kill_nodes_first(&victims, LAG);
        self.cluster.board.press(false);
        pressed?;
        let (span, deaths) = killed?;
        self.record_deaths(&deaths, NODES.len() + 1);
        self.receipt.saw(format!("all within {} µs", span.as_micros()));
        if span > SPAN {
            self.receipt.missed(format!("the kills took longer than {} ms", SPAN.as_millis()));
        }
        self.destroy_unsynced(seed)?;
        for node in &nodes {
            self.cluster.start_node(*node, false)?;
        }
        self.nodes_back(&nodes)?;
        let new = self.successor(&seat)?;
        self.cluster.start_standby()?;
        self.serves(&new)?;
        self.standby_listens()
    }

    fn destroy_unsynced(&mut self, seed: u64) -> Result<(), Stop> {
        let mut random = Random::new(seed, "power cut");
        let mut told = Vec::new();
        for (node, name) in NODES.iter().enumerate() {
            let log = self.cluster.node_log(node);
            let cut = power_cut(&log, random.draw());
            let cut = cut.map_err(HarnessError::io(format!("cut the power of {}", log.display())))?;
            let destroyed = cut.unsynced_bytes - cut.kept_bytes;
            self.receipt.destroyed_bytes += destroyed;
            told.push(format!("{name} {destroyed} of {}", cut.unsynced_bytes));
        }
        self.receipt.saw(format!("unsynced bytes destroyed: {}", told.join(", ")));
        if self.receipt.destroyed_bytes == 0 {
            self.receipt.missed("nothing unsynced was destroyed");
        }
        Ok(())
    }

    /// Signal seen by `wait`: the proof of a SIGKILL.
    fn record_deaths(&mut self, deaths: &[Death], expected: usize) {
        let (killed, others): (Vec<&Death>, Vec<&Death>) = deaths.iter().partition(|death| death.by_sigkill());
        self.receipt.targets.extend(deaths.iter().map(|death| death.name.clone()));
        if !killed.is_empty() {
            let pids: Vec<String> = killed.iter().map(|death| death.pid.to_string()).collect();
            self.receipt.saw(format!("pid {} ended by {}", pids.join(" "), killed[0].status));
        }
        for Death { name, pid, status } in others {
            self.receipt.saw(format!("{name}, pid {pid}, ended by {status}"));
        }
        if killed.len() < expected {
            self.receipt.missed(format!("{} of {expected} processes ended by SIGKILL", killed.len()));
        }
    }

    /// The active writer, once a standby listens.
    fn writer_and_standby(&mut self) -> Result<(ProcessId, Arc<Seat>), Stop> {
        self.cluster.tend()?;
        self.expect("a writer and a standby", |cluster| cluster.active().is_some() && cluster.standby().is_some())?;
        let seat = |process| self.cluster.writer(process).and_then(|writer| writer.seat.clone());
        let both = self.cluster.active().and_then(|process| Some((process, seat(process)?)));
        both.ok_or(Stop::Waited)
    }

    fn successor(&mut self, old: &Seat) -> Result<Arc<Seat>, Stop> {
        let epoch = old.epoch;
        self.expect("a successor", move |cluster| cluster.opened_after(epoch).is_some())?;
        let new = self.cluster.opened_after(epoch).and_then(|writer| writer.seat.clone()).ok_or(Stop::Waited)?;
        self.receipt.saw(format!("{} opened at e{}", new.name, new.epoch));
        Ok(new)
    }

    fn serves(&mut self, new: &Arc<Seat>) -> Result<(), Stop> {
        let served = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let seat = new.clone();
        let result = self.expect("service after the failover", move |_| served(&seat.served) >= WINDOW_OPERATIONS);
        self.receipt.saw(format!("{} served {} operations", new.name, served(&new.served)));
        result
    }

    fn nodes_back(&mut self, nodes: &[usize]) -> Result<(), Stop> {
        let own = nodes.to_vec();
        self.expect("the nodes back", move |cluster| own.iter().all(|node| cluster.node_ready(*node)))?;
        self.receipt.saw("nodes ready again");
        Ok(())
    }

    fn standby_listens(&mut self) -> Result<(), Stop> {
        self.expect("a standby", |cluster| cluster.standby().is_some())
    }

    /// Waits; what does not come is written into the receipt as a broken promise of service.
    fn expect(&mut self, what: &str, done: impl Fn(&Cluster) -> bool) -> Result<(), Stop> {
        match self.cluster.wait(what, LIMIT, done) {
            Ok(_) => Ok(()),
            Err(error @ HarnessError::TimedOut { .. }) => {
                self.receipt.starved = Some(error.to_string());
                Err(Stop::Waited)
            }
            Err(error) => {
                self.receipt.missed(error.to_string());
                Err(error.into())
            }
        }
    }

    fn pause(&mut self, time: Duration) -> Result<(), Stop> {
        let deadline = Instant::now() + time;
        self.expect("time", move |_| Instant::now() >= deadline)
    }
}

/// How long a woken writer may take to learn that it was replaced.
const REFUSAL: Duration = Duration::from_secs(3);

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
