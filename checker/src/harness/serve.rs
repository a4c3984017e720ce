//! A cluster to use: it stays up until it is told to stop, and gets up again when its processes are killed.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use super::HarnessError;
use super::cluster::{Cluster, NODES, News, Site};
use super::run::executable;

/// Where the cluster keeps its data.
pub enum Place {
    /// In a folder of its own that is removed at the end.
    Temporary,
    /// Here: a new or empty folder, or one that an earlier cluster left.
    Kept(PathBuf),
}

/// What a user wants to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// A process listens; `pid` is what to kill it by.
    Process { name: String, pid: u32, address: SocketAddr },
    /// This writer serves from now on; the line is its own: epoch, VDL, time of recovery.
    Writer { name: String, pid: u32, address: SocketAddr, line: String },
    /// This writer was replaced.
    Deposed { name: String, line: String },
    /// A process ended; it will be replaced.
    Ended { name: String, how: String },
}

/// Present where all disks were formatted, and locked while a cluster runs on them.
const MARKER: &str = "sextant-cluster";

/// A process that has just been started and died is not started again before this.
const BACK_OFF: Duration = Duration::from_secs(1);

/// Runs a cluster until `interrupt` is set; then no process of it is left.
pub fn serve(
    place: Place,
    given_executable: Option<PathBuf>,
    interrupt: Arc<AtomicBool>,
    notice: &mut dyn FnMut(Notice),
) -> Result<(), HarnessError> {
    let temporary = match place {
        Place::Temporary => Some(tempfile::tempdir().map_err(HarnessError::io("create a temporary folder"))?),
        Place::Kept(_) => None,
    };
    let folder = match (&temporary, &place) {
        (Some(temporary), _) => temporary.path(),
        (None, Place::Kept(folder)) => folder,
        (None, Place::Temporary) => unreachable!("it was created above"),
    };
    let home = Home::open(folder)?;
    let site = Site {
        flight: None,
        executable: executable(given_executable)?,
        data: folder.to_owned(),
        logs: folder.join("logs"),
        mutant: None,
        create: home.lock.is_none(),
        interrupt,
    };
    let served = keep_up(site, home, notice);
    // The cluster is dead by now: nothing writes into the folder any more.
    if let Some(temporary) = temporary {
        temporary.close().map_err(HarnessError::io("remove the temporary folder"))?;
    }
    match served {
        Err(HarnessError::Interrupted) => Ok(()),
        other => other,
    }
}

fn keep_up(site: Site, mut home: Home, notice: &mut dyn FnMut(Notice)) -> Result<(), HarnessError> {
    let mut cluster = Cluster::start(site)?;
    home.complete()?;
    for news in cluster.introduction() {
        notice(news.into());
    }
    let mut starts: BTreeMap<usize, Instant> = BTreeMap::new();
    while !cluster.interrupted() {
        restart(&mut cluster, &mut starts)?;
        if let Some(news) = cluster.pump(Instant::now() + BACK_OFF / 5) {
            notice(news.into());
        }
    }
    Ok(())
}

/// Brings back what is dead. Writers are not restarted but replaced: a new one becomes the standby.
fn restart(cluster: &mut Cluster, starts: &mut BTreeMap<usize, Instant>) -> Result<(), HarnessError> {
    // The metadata service has the number behind the last node.
    let mut due = |member: usize| {
        let last = starts.get(&member);
        let due = last.is_none_or(|start| start.elapsed() >= BACK_OFF);
        if due {
            starts.insert(member, Instant::now());
        }
        due
    };
    if cluster.meta_is_dead() && due(NODES.len()) {
        cluster.start_meta(false)?;
    }
    for node in 0..NODES.len() {
        if cluster.node_process(node).is_none() && due(node) {
            cluster.start_node(node, false)?;
        }
    }
    if cluster.lacks_writers() && due(NODES.len() + 1) {
        cluster.tend()?;
    }
    Ok(())
}

/// The folder of a cluster.
struct Home {
    marker: PathBuf,
    /// Held as long as the cluster runs; none in a folder that is yet to be formatted.
    lock: Option<File>,
}

impl Home {
    fn open(folder: &Path) -> Result<Self, HarnessError> {
        let what = format!("open {}", folder.display());
        fs::create_dir_all(folder).map_err(HarnessError::io(what.clone()))?;
        let marker = folder.join(MARKER);
        if marker.try_exists().map_err(HarnessError::io(what.clone()))? {
            let lock = Some(lock(&marker)?);
            return Ok(Self { marker, lock });
        }
        // A node whose disk is gone must not be given an empty one, so what is not known to be whole is not touched.
        match fs::read_dir(folder).map_err(HarnessError::io(what))?.next() {
            None => Ok(Self { marker, lock: None }),
            Some(_) => Err(HarnessError::Usage(format!(
                "{} is not empty and holds no complete cluster: name another folder, or remove it",
                folder.display()
            ))),
        }
    }

    /// All disks are formatted.
    fn complete(&mut self) -> Result<(), HarnessError> {
        if self.lock.is_none() {
            let written = fs::write(&self.marker, "");
            written.map_err(HarnessError::io(format!("write {}", self.marker.display())))?;
            self.lock = Some(lock(&self.marker)?);
        }
        Ok(())
    }
}

fn lock(marker: &Path) -> Result<File, HarnessError> {
    let file = File::open(marker).map_err(HarnessError::io(format!("open {}", marker.display())))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(fs::TryLockError::WouldBlock) => {
            let folder = marker.parent().unwrap_or(marker).display();
            Err(HarnessError::Usage(format!("a cluster is running on {folder} already")))
        }
        Err(fs::TryLockError::Error(error)) => Err(HarnessError::io(format!("lock {}", marker.display()))(error)),
    }
}

impl From<News> for Notice {
    fn from(news: News) -> Self {
        match news {
            News::Ready { name, pid, address } => Self::Process { name, pid, address },
            News::Opened { name, pid, address, line } => Self::Writer { name, pid, address, line },
            News::Deposed { name, line } => Self::Deposed { name, line },
            News::Ended { name, how } => Self::Ended { name, how },
        }
    }
}
