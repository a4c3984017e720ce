//! What a run is asked to do.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use serde::{Serialize, Serializer};

use super::HarnessError;

/// What the nemesis can do to the cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FaultKind {
    /// SIGKILL to one or two storage nodes; they come back on their disks.
    KillNode,
    /// SIGKILL to the active writer; the standby takes over.
    KillWriter,
    /// The active writer is paused across a failover and woken.
    ZombieWriter,
    /// SIGKILL to all nodes and the active writer at once, and what the disks had not synced is destroyed.
    PowerCut,
}

impl FaultKind {
    pub const ALL: [Self; 4] = [Self::KillNode, Self::KillWriter, Self::ZombieWriter, Self::PowerCut];

    pub fn name(self) -> &'static str {
        match self {
            Self::KillNode => "kill-node",
            Self::KillWriter => "kill-writer",
            Self::ZombieWriter => "zombie-writer",
            Self::PowerCut => "power-cut",
        }
    }
}

impl fmt::Display for FaultKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Serialize for FaultKind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

/// The faults of a run, each once, in the order in which they were named. Empty: no nemesis.
///
/// Written `kill-node,power-cut`, and `none` on its own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Nemesis(Vec<FaultKind>);

impl Nemesis {
    pub fn all() -> Self {
        Self(FaultKind::ALL.to_vec())
    }

    pub fn none() -> Self {
        Self(Vec::new())
    }

    pub fn kinds(&self) -> &[FaultKind] {
        &self.0
    }
}

impl From<FaultKind> for Nemesis {
    fn from(kind: FaultKind) -> Self {
        Self(vec![kind])
    }
}

impl fmt::Display for Nemesis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.0.iter().map(|kind| kind.name()).collect();
        f.write_str(if names.is_empty() { "none" } else { "" })?;
        f.write_str(&names.join(","))
    }
}

impl FromStr for Nemesis {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "none" {
            return Ok(Self::none());
        }
        let mut kinds = Vec::new();
        for name in text.split(',') {
            let kind = FaultKind::ALL.into_iter().find(|kind| kind.name() == name).ok_or_else(|| unknown(name))?;
            if !kinds.contains(&kind) {
                kinds.push(kind);
            }
        }
        Ok(Self(kinds))
    }
}

fn unknown(name: &str) -> String {
    if name == "none" {
        return "nemesis `none` excludes all others".into();
    }
    let names: Vec<&str> = FaultKind::ALL.iter().map(|kind| kind.name()).collect();
    format!("unknown nemesis `{name}`: there are {} and none", names.join(", "))
}

/// What to run. [`Config::new`] has what the command line has by default.
#[derive(Clone, Debug)]
pub struct Config {
    /// How long the clients work, without start, settling and checking.
    pub seconds: u32,
    pub seed: u64,
    pub nemesis: Nemesis,
    /// A known mistake that every process is started with: `M17`.
    pub mutant: Option<String>,
    /// The folder in the store; by default the nemesis list, or `run`.
    pub name: Option<String>,
    pub store: PathBuf,
    /// The `sextant` command; by default this very program.
    pub executable: Option<PathBuf>,
    pub clients: usize,
    pub keys: usize,
    /// Keep the disks and the flight recorders also where the run is valid.
    pub keep: bool,
    /// Set from outside, by a signal handler say, it ends the run early.
    pub interrupt: Arc<AtomicBool>,
}

impl Config {
    pub fn new(seconds: u32, seed: u64, nemesis: Nemesis) -> Self {
        Self {
            seconds,
            seed,
            nemesis,
            mutant: None,
            name: None,
            store: "store".into(),
            executable: None,
            clients: 12,
            keys: 6,
            keep: false,
            interrupt: Arc::default(),
        }
    }

    pub(crate) fn validate(&self) -> Result<(), HarnessError> {
        let usage = |reason: &str| Err(HarnessError::Usage(reason.into()));
        if self.seconds == 0 {
            return usage("a run of zero seconds shows nothing");
        }
        if self.clients < 2 || self.keys == 0 {
            return usage("a run needs two clients and a key");
        }
        if self.folder().is_empty() || self.folder().contains(['/', '\0']) || self.folder().starts_with('.') {
            return usage("the name of a run is one folder name");
        }
        if self.folder() == super::store::LATEST {
            return usage("the name `latest` is taken by the link to the last run");
        }
        match &self.mutant {
            Some(id) if sextant_model::mutants::by_id(id).is_none() => {
                Err(HarnessError::Usage(format!("unknown mutant `{id}`")))
            }
            _ => Ok(()),
        }
    }

    /// Name of the run's folder.
    pub(crate) fn folder(&self) -> String {
        match &self.name {
            Some(name) => name.clone(),
            None if self.nemesis.kinds().is_empty() => "run".into(),
            None => self.nemesis.to_string(),
        }
    }

    /// The command that repeats the run.
    pub(crate) fn command(&self) -> String {
        let mut command =
            format!("sextant run --seconds {} --seed {} --nemesis {}", self.seconds, self.seed, self.nemesis);
        if let Some(mutant) = &self.mutant {
            command += &format!(" --mutant {mutant}");
        }
        if let Some(name) = &self.name {
            command += &format!(" --name '{}'", name.replace('\'', r"'\''"));
        }
        command
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nemesis_is_read_as_it_is_written() {
        for text in ["none", "kill-node", "power-cut,kill-writer,zombie-writer"] {
            assert_eq!(text.parse::<Nemesis>().unwrap().to_string(), text);
        }
        assert_eq!("kill-node,kill-node".parse::<Nemesis>().unwrap(), FaultKind::KillNode.into());
    }

    #[test]
    fn what_there_is_not_is_refused() {
        for text in ["", "kill", "none,kill-node", "kill-node,none", "kill-node,", "KILL-NODE"] {
            assert!(text.parse::<Nemesis>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn bad_usage_is_told_apart() {
        let config = |change: fn(&mut Config)| {
            let mut config = Config::new(1, 1, Nemesis::none());
            change(&mut config);
            config.validate()
        };
        assert!(config(|_| ()).is_ok());
        for change in [
            |config: &mut Config| config.seconds = 0,
            |config: &mut Config| config.mutant = Some("M999".into()),
            |config: &mut Config| config.name = Some("a/b".into()),
            |config: &mut Config| config.name = Some("..".into()),
            |config: &mut Config| config.name = Some("latest".into()),
        ] {
            assert!(matches!(config(change), Err(HarnessError::Usage(_))));
        }
    }

    #[test]
    fn the_command_repeats_the_run() {
        let mut config = Config::new(8, 5, FaultKind::PowerCut.into());
        config.mutant = Some("M17".into());
        config.name = Some("it's".into());
        let expected = r"sextant run --seconds 8 --seed 5 --nemesis power-cut --mutant M17 --name 'it'\''s'";
        assert_eq!(config.command(), expected);
    }
}
