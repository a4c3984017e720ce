//! A run from beginning to end: cluster, clients, nemesis, healing, final reads, judgement.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde::Serialize;
use sextant_histories::{Call, History, RecordError, Recorder};

use super::board::Board;
use super::client::{Client, Common, Loyalty};
use super::cluster::{Cluster, Site};
use super::config::{Config, Nemesis};
use super::judge::{Circumstances, MODEL, judge};
use super::nemesis::{heal, strike};
use super::outcome::Outcome;
use super::plan::Plan;
use super::progress::{Progress, Tick};
use super::receipt::Receipt;
use super::store::Store;
use super::{HarnessError, page};
use crate::conformance::{self, Conformance};
use crate::diagnosis::Diagnosis;
use crate::picture::{self, Picture};
use crate::verdict::Verdict;
use sextant_model::rules::Rules;
use sextant_storage::client::workload::{Workload, keys};

/// The page that shows the history.
pub(super) const PICTURE: &str = "history.html";

/// Orders drawn at random in which the record of a run is judged, beside the two extremes.
const RANDOM_ORDERS: u32 = 1;

/// Between two ticks of progress.
const TICK: Duration = Duration::from_millis(200);

/// For the final reads of all keys, on a cluster that is whole.
const FINAL_READS: Duration = Duration::from_secs(10);

/// Runs a cluster under faults and judges what its clients saw.
///
/// The evidence lies in the store also when this fails. No process of the cluster outlives the call. An interrupt from
/// outside ends the run early; what was recorded until then is judged, and is `unknown` at best.
pub fn run(config: &Config, progress: &mut dyn FnMut(Progress)) -> Result<Outcome, HarnessError> {
    config.validate()?;
    let start = Instant::now();
    let store = Store::create(&config.store, &config.folder())?;
    progress(Progress::Store(store.path().to_owned()));
    let happened = drive(config, &store, progress)?;
    progress(Progress::Checking { operations: happened.board.completed() });
    let mut outcome = conclude(config, &store, happened)?;
    outcome.total_ms = milliseconds(start.elapsed());
    keep(config, &store, &outcome)?;
    Ok(outcome)
}

/// Everything that is known when the last process of the cluster is dead.
struct Happened {
    board: Arc<Board>,
    receipts: Vec<Receipt>,
    failovers: u64,
    doubts: Vec<String>,
    clients_ms: u64,
}

fn drive(config: &Config, store: &Store, progress: &mut dyn FnMut(Progress)) -> Result<Happened, HarnessError> {
    let mut cluster = Cluster::start(site(config, store)?)?;
    let recorder = Recorder::create_about(store.history(), &about(config))?;
    let common = Arc::new(Common::new(cluster.board.clone(), recorder));
    progress(Progress::Started);
    let start = Instant::now();
    let clients = Clients::start(config, &common)?;
    let faulted = Faults { config, start, receipts: Vec::new(), progress }.run(&mut cluster);
    let healed = faulted.and_then(|receipts| settle(&mut cluster).map(|doubt| (receipts, doubt)));
    progress(Progress::Settling);
    clients.finish()?;
    let clients_ms = milliseconds(start.elapsed());
    let (receipts, doubt) = healed?;
    let mut doubts = cluster.surprises().to_vec();
    doubts.extend(doubt);
    if cluster.interrupted() {
        doubts.push("interrupted".into());
    } else {
        doubts.extend(final_reads(config, &mut cluster, &common)?);
    }
    let strange = cluster.board.strange.load(Ordering::Relaxed);
    if strange > 0 {
        doubts.push(format!("{strange} replies were not of the protocol between client and writer"));
    }
    common.recorder.finish()?;
    Ok(Happened { board: cluster.board.clone(), receipts, failovers: cluster.failovers(), doubts, clients_ms })
}

fn site(config: &Config, store: &Store) -> Result<Site, HarnessError> {
    let flight = store.flight();
    std::fs::create_dir(&flight).map_err(HarnessError::io(format!("create {}", flight.display())))?;
    Ok(Site {
        flight: Some(flight),
        executable: executable(config.executable.clone())?,
        data: store.data(),
        logs: store.logs(),
        mutant: config.mutant.clone(),
        create: true,
        interrupt: config.interrupt.clone(),
    })
}

/// The program that the processes of a cluster run: this one, unless told otherwise.
pub(crate) fn executable(given: Option<PathBuf>) -> Result<PathBuf, HarnessError> {
    match given {
        Some(executable) => Ok(executable),
        None => std::env::current_exe().map_err(HarnessError::io("find this program")),
    }
}

fn about(config: &Config) -> String {
    format!("recorded by: {}", config.command())
}

/// The running clients. They are told to stop also when something fails between start and end.
struct Clients {
    board: Arc<Board>,
    threads: Vec<JoinHandle<Result<(), RecordError>>>,
}

impl Clients {
    fn start(config: &Config, common: &Arc<Common>) -> Result<Self, HarnessError> {
        let mut clients = Self { board: common.board.clone(), threads: Vec::new() };
        for number in 0..config.clients {
            let loyalty = if number % 2 == 0 { Loyalty::Stays } else { Loyalty::Moves };
            let workload = Workload::new(config.seed, number, config.keys);
            let client = Client::new(common.clone(), loyalty, workload);
            let thread = std::thread::Builder::new().name(format!("client {number}"));
            let thread = thread.spawn(move || client.run()).map_err(HarnessError::io("start a client"))?;
            clients.threads.push(thread);
        }
        Ok(clients)
    }

    fn finish(mut self) -> Result<(), HarnessError> {
        self.board.close();
        for thread in self.threads.drain(..) {
            match thread.join() {
                Ok(result) => result?,
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        Ok(())
    }
}

impl Drop for Clients {
    fn drop(&mut self) {
        self.board.close();
        for thread in self.threads.drain(..) {
            // Something worse is under way already.
            let _ = thread.join();
        }
    }
}

/// The time in which the nemesis acts.
struct Faults<'a> {
    config: &'a Config,
    start: Instant,
    receipts: Vec<Receipt>,
    progress: &'a mut dyn FnMut(Progress),
}

impl Faults<'_> {
    /// Strikes as planned until the time is up. The first round is finished also beyond it: a fault that was asked for
    /// and never came would make the run worthless.
    fn run(mut self, cluster: &mut Cluster) -> Result<Vec<Receipt>, HarnessError> {
        let nemesis: &Nemesis = &self.config.nemesis;
        let end = self.start + Duration::from_secs(u64::from(self.config.seconds));
        for (number, planned) in Plan::new(self.config.seed, nemesis).enumerate() {
            let first_round = number < nemesis.kinds().len();
            let strike_at = Instant::now() + planned.calm;
            if strike_at >= end && !first_round || self.over(cluster) {
                break;
            }
            self.calm(cluster, strike_at)?;
            for fault in planned.fault.attempts() {
                let receipt = strike(cluster, &fault, self.start)?;
                let again = !receipt.bit() && receipt.starved.is_none() && !self.over(cluster);
                (self.progress)(Progress::Fault(receipt.clone()));
                self.receipts.push(receipt);
                if !again {
                    break;
                }
            }
        }
        self.calm(cluster, end)?;
        Ok(self.receipts)
    }

    /// Nothing but the clients, and new standbys for old ones.
    fn calm(&mut self, cluster: &mut Cluster, until: Instant) -> Result<(), HarnessError> {
        let mut tick = Instant::now();
        while Instant::now() < until && !self.over(cluster) {
            cluster.tend()?;
            cluster.pump(until.min(tick + TICK));
            if Instant::now() >= tick + TICK {
                tick = Instant::now();
                let told = self.tick(cluster);
                (self.progress)(Progress::Tick(told));
            }
        }
        Ok(())
    }

    /// Interrupted, or the clients have closed the board because the history cannot be written.
    fn over(&self, cluster: &Cluster) -> bool {
        cluster.interrupted() || cluster.board.is_closed()
    }

    fn tick(&self, cluster: &Cluster) -> Tick {
        let writer = cluster.active().and_then(|process| cluster.writer(process));
        Tick {
            elapsed_ms: milliseconds(self.start.elapsed()),
            seconds: self.config.seconds,
            operations: cluster.board.completed(),
            faults: self.receipts.len(),
            failovers: cluster.failovers(),
            writer: writer.map(|writer| (writer.name.clone(), writer.epoch())),
        }
    }
}

/// Makes the cluster whole. What does not come back is a doubt about the run, not a failure of the harness.
fn settle(cluster: &mut Cluster) -> Result<Option<String>, HarnessError> {
    match heal(cluster) {
        Ok(()) => Ok(None),
        Err(error @ HarnessError::TimedOut { .. }) => Ok(Some(format!("the cluster did not heal: {error}"))),
        Err(HarnessError::Interrupted) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Reads every key at the writer that serves, under a process number of its own; the doubt is what could not be read. A
/// read that fails is followed by another one, not by a retry: it is a new operation.
fn final_reads(config: &Config, cluster: &mut Cluster, common: &Arc<Common>) -> Result<Option<String>, HarnessError> {
    let deadline = Instant::now() + FINAL_READS;
    let workload = Workload::new(config.seed, config.clients, config.keys);
    let mut reader = Client::new(common.clone(), Loyalty::Moves, workload);
    for key in keys(config.keys) {
        loop {
            let seat = cluster.board.current();
            let asked = seat.map(|seat| reader.ask_once(&seat, key.clone(), Call::Read));
            if let Some(sextant_histories::Outcome::Ok(_)) = asked.transpose()?.flatten() {
                break;
            }
            if Instant::now() >= deadline || cluster.interrupted() {
                return Ok(Some(format!("the final read of key {key} got no answer")));
            }
            // The writer may just be failing over.
            cluster.pump(Instant::now() + Duration::from_millis(10));
        }
    }
    Ok(None)
}

fn conclude(config: &Config, store: &Store, happened: Happened) -> Result<Outcome, HarnessError> {
    let Happened { board, receipts, failovers, doubts, clients_ms } = happened;
    let history = History::read(store.history()).map_err(|error| HarnessError::Io {
        what: "read the history back".into(),
        error: std::io::Error::other(error.to_string()),
    })?;
    let count = |counter: &std::sync::atomic::AtomicU64| counter.load(Ordering::Relaxed);
    let (ok, fail, info) = (count(&board.ok), count(&board.fail), count(&board.info));
    let circumstances =
        Circumstances { nemesis: &config.nemesis, receipts: &receipts, seconds: config.seconds, ok, doubts };
    let judgement = judge(&history, &circumstances);
    let conformance = conform(config, store)?;
    let picture = Picture::of_report("history.jsonl", MODEL, &history, &judgement.report);
    store.write_with(PICTURE, |out| picture::page(&picture, out))?;
    let (verdict, fault) = together(judgement.verdict, conformance.verdict(), conformance.diagnosis());
    let mut reasons = judgement.reasons;
    reasons.extend(conformance.lines());
    Ok(Outcome {
        verdict,
        fault: fault.map(Diagnosis::name),
        conformance: conformance.summary(),
        coverage: conformance.coverage,
        reasons,
        offending: judgement.offending,
        operations: ok + fail + info,
        ok,
        fail,
        info,
        failovers,
        receipts,
        seed: config.seed,
        command: config.command(),
        store: store.path().to_owned(),
        clients_ms,
        total_ms: 0,
    })
}

/// Holds what the processes recorded against the protocol.
fn conform(config: &Config, store: &Store) -> Result<Conformance, HarnessError> {
    let mutant = config.mutant.as_deref().and_then(sextant_model::mutants::by_id);
    let rules = mutant.map_or_else(Rules::adopted, |mutant| mutant.rules);
    let options = conformance::Options {
        random: RANDOM_ORDERS,
        seed: config.seed,
        coverage: true,
        ..conformance::Options::new(rules)
    };
    conformance::judge(&store.flight(), &options).map_err(|reason| HarnessError::Io {
        what: "read the flight recorders back".into(),
        error: std::io::Error::other(reason),
    })
}

/// The verdict on a run from that on its history and that on its record; and whose fault it is if it is invalid. A history that
/// cannot be of a run that conforms is one that the properties should have forbidden.
fn together(history: Verdict, record: Verdict, whose: Option<Diagnosis>) -> (Verdict, Option<Diagnosis>) {
    match (history, record) {
        (_, Verdict::Invalid) => (Verdict::Invalid, whose),
        (Verdict::Invalid, Verdict::Valid) => (Verdict::Invalid, Some(Diagnosis::Specification)),
        // Without a record nobody knows.
        (Verdict::Invalid, Verdict::Unknown) => (Verdict::Invalid, None),
        (Verdict::Unknown, _) | (_, Verdict::Unknown) => (Verdict::Unknown, None),
        (Verdict::Valid, Verdict::Valid) => (Verdict::Valid, None),
    }
}

/// `run.json`.
#[derive(Serialize)]
struct Kept<'a> {
    version: &'static str,
    seconds: u32,
    nemesis: &'a Nemesis,
    mutant: &'a Option<String>,
    clients: usize,
    keys: usize,
    #[serde(flatten)]
    outcome: &'a Outcome,
}

fn keep(config: &Config, store: &Store, outcome: &Outcome) -> Result<(), HarnessError> {
    let Config { seconds, nemesis, mutant, clients, keys, .. } = config;
    let version = env!("CARGO_PKG_VERSION");
    let kept = Kept { version, seconds: *seconds, nemesis, mutant, clients: *clients, keys: *keys, outcome };
    store.write_json("run.json", &kept)?;
    store.write("index.html", &page::render(outcome))?;
    if outcome.verdict == Verdict::Invalid || config.keep { Ok(()) } else { store.remove_data() }
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_is_somebodys_only_where_that_is_known() {
        use Verdict::{Invalid, Unknown, Valid};
        let protocol = Some(Diagnosis::Protocol);
        for (history, record, whose, expected) in [
            (Valid, Valid, None, (Valid, None)),
            (Invalid, Valid, None, (Invalid, Some(Diagnosis::Specification))),
            (Invalid, Unknown, None, (Invalid, None)),
            (Invalid, Invalid, protocol, (Invalid, protocol)),
            (Valid, Invalid, protocol, (Invalid, protocol)),
            (Unknown, Invalid, protocol, (Invalid, protocol)),
            (Unknown, Valid, None, (Unknown, None)),
            (Valid, Unknown, None, (Unknown, None)),
            (Unknown, Unknown, None, (Unknown, None)),
        ] {
            assert_eq!(together(history, record, whose), expected, "{history} {record}");
        }
    }
}
